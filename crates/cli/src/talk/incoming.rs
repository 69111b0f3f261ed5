//! Files that come.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::name;
use super::protocol::{Text, piece};
use super::screen::{Progress, Said};

/// Files that may come at a time.
const MAX_FILES: usize = 16;

/// A file that comes.
struct Coming {
    name: String,
    size: u64,
    arrived: u64,
    hash: Sha256,
    file: BufWriter<File>,
    path: PathBuf,
}

/// What became of a file.
#[derive(Debug)]
pub(super) enum Outcome {
    Kept(PathBuf, u64),
    Lost(String, String),
}

impl Outcome {
    pub(super) fn as_said(&self) -> Said<'_> {
        match self {
            Self::Kept(path, size) => Said::Received(path, *size),
            Self::Lost(name, reason) => Said::NotReceived(name, reason),
        }
    }
}

/// All files that come.
pub(super) struct Incoming {
    directory: PathBuf,
    max_size: u64,
    files: BTreeMap<u32, Coming>,
    outcome: Option<(u32, Outcome)>,
}

impl Incoming {
    pub(super) fn new(directory: &Path, max_size: u64) -> Self {
        Self { directory: directory.to_owned(), max_size, files: BTreeMap::new(), outcome: None }
    }

    pub(super) fn is_idle(&self) -> bool {
        self.files.is_empty()
    }

    /// A file begins. The answer, if it is refused.
    pub(super) fn begin(&mut self, id: u32, suggested: &str, size: u64) -> Option<Text> {
        let name = name::sanitized(suggested);
        if size > self.max_size {
            return Some(self.lost(id, name, "too-large"));
        }
        if self.files.contains_key(&id) || self.files.len() >= MAX_FILES {
            return Some(self.lost(id, name, "declined"));
        }
        match name::create(&self.directory, &name, ".part") {
            Ok((file, path)) => {
                let file = BufWriter::with_capacity(256 * 1024, file);
                let coming = Coming { name, size, arrived: 0, hash: Sha256::new(), file, path };
                self.files.insert(id, coming);
                None
            }
            Err(_) => Some(self.lost(id, name, "failed")),
        }
    }

    /// A piece of a file. The answer, if it is the last that is wanted.
    pub(super) fn take_piece(&mut self, message: &[u8]) -> Option<Text> {
        let (id, bytes) = piece(message)?;
        let coming = self.files.get_mut(&id)?;
        coming.arrived += bytes.len() as u64;
        if coming.arrived > coming.size {
            return self.drop_file(id, "size");
        }
        coming.hash.update(bytes);
        if coming.file.write_all(bytes).is_err() {
            return self.drop_file(id, "failed");
        }
        None
    }

    /// All bytes were sent.
    pub(super) fn end(&mut self, id: u32, sha256: &str) -> Option<Text> {
        let coming = self.files.get_mut(&id)?;
        if coming.arrived != coming.size {
            return self.drop_file(id, "size");
        }
        if hex(&coming.hash.clone().finalize()) != sha256 {
            return self.drop_file(id, "mismatch");
        }
        if coming.file.flush().is_err() {
            return self.drop_file(id, "failed");
        }
        let coming = self.files.remove(&id)?;
        // The name is taken first, so that nothing is overwritten that has come to be in the meantime.
        let kept = name::create(&self.directory, &coming.name, "")
            .and_then(|(_, path)| std::fs::rename(&coming.path, &path).map(|()| path));
        match kept {
            Ok(path) => {
                self.outcome = Some((id, Outcome::Kept(path, coming.size)));
                Some(Text::FileOk { id })
            }
            Err(_) => {
                let _ = std::fs::remove_file(&coming.path);
                Some(self.lost(id, coming.name, "failed"))
            }
        }
    }

    /// The sender stops.
    pub(super) fn cancel(&mut self, id: u32) {
        let _ = self.drop_file(id, "cancelled");
    }

    /// What became of the file that was answered last.
    pub(super) fn outcome(&mut self, id: u32) -> Option<Outcome> {
        self.outcome.take_if(|(of, _)| *of == id).map(|(_, outcome)| outcome)
    }

    pub(super) fn progress(&self) -> Option<Progress<'_>> {
        let coming = self.files.values().next()?;
        Some(Progress { name: &coming.name, done: coming.arrived, size: coming.size, receiving: true })
    }

    fn drop_file(&mut self, id: u32, reason: &str) -> Option<Text> {
        let coming = self.files.remove(&id)?;
        let _ = std::fs::remove_file(&coming.path);
        Some(self.lost(id, coming.name, reason))
    }

    fn lost(&mut self, id: u32, name: String, reason: &str) -> Text {
        self.outcome = Some((id, Outcome::Lost(name, reason.to_owned())));
        Text::FileError { id, reason: reason.to_owned() }
    }
}

impl Drop for Incoming {
    /// What did not come whole is no file.
    fn drop(&mut self) {
        for coming in self.files.values() {
            let _ = std::fs::remove_file(&coming.path);
        }
    }
}

/// In lower-case digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Place(PathBuf);

    impl Place {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("floe-incoming-{}-{name}", std::process::id()));
            std::fs::create_dir_all(&path).expect("a directory can be made");
            Self(path)
        }

        fn names(&self) -> Vec<String> {
            let entries = std::fs::read_dir(&self.0).expect("it is there");
            let name = |entry: std::io::Result<std::fs::DirEntry>| entry.expect("it is there").file_name();
            let mut names: Vec<String> =
                entries.map(|entry| name(entry).to_string_lossy().into_owned()).collect();
            names.sort();
            names
        }
    }

    impl Drop for Place {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    fn message(id: u32, bytes: &[u8]) -> Vec<u8> {
        [&id.to_be_bytes(), bytes].concat()
    }

    fn error(id: u32, reason: &str) -> Option<Text> {
        Some(Text::FileError { id, reason: reason.to_owned() })
    }

    #[test]
    fn a_file_arrives_and_overwrites_nothing() {
        let place = Place::new("whole");
        std::fs::write(place.0.join("a.txt"), "mine").expect("it can be written");
        let mut incoming = Incoming::new(&place.0, 100);
        assert_eq!(incoming.begin(1, "../a.txt", 5), None);
        assert_eq!(incoming.take_piece(&message(1, b"hel")), None);
        assert_eq!(incoming.take_piece(&message(2, b"of no file")), None);
        assert_eq!(incoming.take_piece(&message(1, b"lo")), None);
        assert_eq!(incoming.end(1, &hex(&Sha256::digest("hello"))), Some(Text::FileOk { id: 1 }));
        assert!(matches!(incoming.outcome(1), Some(Outcome::Kept(path, 5)) if path.ends_with("a (1).txt")));
        assert_eq!(place.names(), ["a (1).txt", "a.txt"]);
        assert_eq!(std::fs::read(place.0.join("a.txt")).expect("it is there"), b"mine");
        assert_eq!(std::fs::read(place.0.join("a (1).txt")).expect("it is there"), b"hello");
    }

    #[test]
    fn what_is_not_what_was_said_is_no_file() {
        let place = Place::new("broken");
        let mut incoming = Incoming::new(&place.0, 100);
        assert_eq!(incoming.begin(1, "big", 101), error(1, "too-large"));
        assert_eq!(incoming.begin(2, "more", 1), None);
        assert_eq!(incoming.begin(2, "again", 1), error(2, "declined"));
        assert_eq!(incoming.take_piece(&message(2, b"12")), error(2, "size"));
        assert_eq!(incoming.begin(3, "less", 2), None);
        assert_eq!(incoming.end(3, ""), error(3, "size"));
        assert_eq!(incoming.begin(4, "other", 1), None);
        assert_eq!(incoming.take_piece(&message(4, b"x")), None);
        assert_eq!(incoming.end(4, &hex(&Sha256::digest("y"))), error(4, "mismatch"));
        assert_eq!(incoming.begin(5, "stopped", 9), None);
        incoming.cancel(5);
        assert_eq!(incoming.begin(6, "in the middle", 9), None);
        drop(incoming);
        assert_eq!(place.names(), [""; 0]);
        let mut nowhere = Incoming::new(&place.0.join("nowhere"), 100);
        assert_eq!(nowhere.begin(1, "a", 1), error(1, "failed"));
    }
}
