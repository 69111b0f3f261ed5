//! Files that go.

use std::collections::VecDeque;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::incoming::hex;
use super::protocol::Text;
use super::screen::{Progress, Said, Screen};
use crate::data::MAX_MESSAGE;
use crate::failure::Failure;

/// What is in front of each piece.
const ID: usize = 4;

/// A file that goes.
struct Going {
    id: u32,
    name: String,
    size: u64,
    sent: u64,
    hash: Sha256,
    file: File,
}

/// All files that go, one after the other.
pub(super) struct Outgoing {
    waiting: VecDeque<PathBuf>,
    current: Option<Going>,
    /// Sent, and not answered.
    unanswered: Vec<(u32, String)>,
    last_id: u32,
    piece: Vec<u8>,
}

/// What is to be sent next.
#[derive(Debug)]
pub(super) enum Next<'a> {
    Text(Text),
    Piece(&'a [u8]),
}

impl Outgoing {
    pub(super) fn new(files: &[PathBuf]) -> Self {
        let waiting = files.iter().cloned().collect();
        Self { waiting, current: None, unanswered: Vec::new(), last_id: 0, piece: vec![0; MAX_MESSAGE] }
    }

    /// One more file, if it can be read.
    pub(super) fn add(&mut self, path: &Path) -> Result<(), String> {
        open(path)?;
        self.waiting.push_back(path.to_owned());
        Ok(())
    }

    /// Everything was sent and answered.
    pub(super) fn is_done(&self) -> bool {
        self.waiting.is_empty() && self.current.is_none() && self.unanswered.is_empty()
    }

    /// The next message.
    pub(super) fn next(&mut self, screen: &Screen) -> Result<Option<Next<'_>>, Failure> {
        let Some(going) = &mut self.current else { return self.begin(screen) };
        let room = self.piece.len() - ID;
        let left = usize::try_from(going.size - going.sent).unwrap_or(room).min(room);
        if left == 0 {
            let (id, sha256) = (going.id, hex(&going.hash.clone().finalize()));
            self.current = None;
            return Ok(Some(Next::Text(Text::FileEnd { id, sha256 })));
        }
        let (head, rest) = self.piece.split_at_mut(ID);
        head.copy_from_slice(&going.id.to_be_bytes());
        let len = match going.file.read(&mut rest[..left]) {
            // Shorter than it was.
            Ok(0) => Err("it has become shorter".to_owned()),
            Ok(len) => Ok(len),
            Err(error) => Err(error.to_string()),
        };
        match len {
            Ok(len) => {
                going.sent += len as u64;
                going.hash.update(&rest[..len]);
                Ok(Some(Next::Piece(&self.piece[..ID + len])))
            }
            Err(reason) => {
                let (id, name) = (going.id, std::mem::take(&mut going.name));
                self.current = None;
                self.unanswered.retain(|(of, _)| *of != id);
                screen.say(&Said::NotSent(&name, &reason))?;
                Ok(Some(Next::Text(Text::FileCancel { id })))
            }
        }
    }

    fn begin(&mut self, screen: &Screen) -> Result<Option<Next<'_>>, Failure> {
        while let Some(path) = self.waiting.pop_front() {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            match open(&path) {
                Ok((file, size)) => {
                    self.last_id += 1;
                    let id = self.last_id;
                    self.unanswered.push((id, name.clone()));
                    let going = Going { id, name: name.clone(), size, sent: 0, hash: Sha256::new(), file };
                    self.current = Some(going);
                    return Ok(Some(Next::Text(Text::File { id, name, size })));
                }
                Err(reason) => screen.say(&Said::NotSent(&name, &reason))?,
            }
        }
        Ok(None)
    }

    /// The peer has a file, or does not want it.
    pub(super) fn answered(&mut self, id: u32, reason: Option<&str>, screen: &Screen) -> Result<(), Failure> {
        let Some(at) = self.unanswered.iter().position(|(of, _)| *of == id) else { return Ok(()) };
        let (_, name) = self.unanswered.remove(at);
        self.current.take_if(|going| going.id == id);
        match reason {
            None => screen.say(&Said::Sent(&name)),
            Some(reason) => screen.say(&Said::NotSent(&name, reason)),
        }
    }

    pub(super) fn progress(&self) -> Option<Progress<'_>> {
        let going = self.current.as_ref()?;
        Some(Progress { name: &going.name, done: going.sent, size: going.size, receiving: false })
    }
}

fn open(path: &Path) -> Result<(File, u64), String> {
    let cannot = |error: std::io::Error| format!("cannot read {}: {error}", path.display());
    let file = File::open(path).map_err(cannot)?;
    let metadata = file.metadata().map_err(cannot)?;
    if metadata.is_file() {
        Ok((file, metadata.len()))
    } else {
        Err(format!("{} is no file", path.display()))
    }
}
