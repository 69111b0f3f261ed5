//! Chat lines and files over the data channel, as `docs/data-channel.md` has them: what `join`, `offer` and `answer` do once there is a
//! path.

mod incoming;
mod name;
mod outgoing;
mod protocol;
mod screen;

use std::path::{Path, PathBuf};

use floe::{Agent, Connection};

use crate::data::{Certificate, Channel, Event, Link, Peer};
use crate::failure::Failure;

pub(crate) use screen::{Said, Screen};

use incoming::Incoming;
use outgoing::Outgoing;
use protocol::Text;

/// What is done with what is said.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct TalkArgs {
    /// Send this file as soon as there is a channel; can
    /// be repeated
    #[arg(long, value_name = "FILE", verbatim_doc_comment)]
    pub(crate) send: Vec<PathBuf>,

    /// Keep received files in this directory; nothing in
    /// it is ever overwritten
    #[arg(long, value_name = "DIR", default_value = ".", verbatim_doc_comment)]
    pub(crate) directory: PathBuf,

    /// Refuse files above this many megabytes
    #[arg(long, value_name = "MB", default_value_t = 4096)]
    pub(crate) max_file: u64,

    /// Stay when the standard input has ended, until the
    /// other side leaves
    #[arg(long, verbatim_doc_comment)]
    pub(crate) stay: bool,

    /// Print JSON lines
    #[arg(long)]
    pub(crate) json: bool,
}

/// A conversation.
pub(crate) struct Talk {
    link: Link,
    outgoing: Outgoing,
    incoming: Incoming,
    screen: Screen,
    is_open: bool,
    /// Lines that were said before there was a channel.
    early: Vec<String>,
    stays: bool,
    /// Nothing more is to be said.
    is_ending: bool,
}

/// Where a conversation is.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// It goes on.
    On,
    /// The user asks for ICE to be restarted.
    Restart,
    /// It is over, and the reason if it is none of the users'.
    Over(Option<String>),
}

/// Lines that are kept until there is a channel.
const MAX_EARLY: usize = 256;

impl Talk {
    /// A conversation with the peer that its description names.
    pub(crate) fn new(
        connection: Connection,
        certificate: &Certificate,
        peer: Peer,
        args: &TalkArgs,
        screen: Screen,
    ) -> Self {
        let channel = Channel::new(certificate, peer, std::time::Instant::now());
        Self {
            link: Link::new(connection, channel),
            outgoing: Outgoing::new(&args.send),
            incoming: Incoming::new(&args.directory, args.max_file.saturating_mul(1_000_000)),
            screen,
            is_open: false,
            early: Vec::new(),
            stays: args.stay,
            is_ending: false,
        }
    }

    /// Works until something happens. Dropping the future loses nothing.
    pub(crate) async fn next(&mut self) -> Result<Step, Failure> {
        self.send_files()?;
        let event = self.link.next().await;
        let step = match event {
            Event::Open => {
                self.is_open = true;
                self.screen.say(&Said::Open)?;
                for line in std::mem::take(&mut self.early) {
                    self.chat(&line)?;
                }
                Step::On
            }
            Event::Text(text) => {
                self.take_text(&text)?;
                Step::On
            }
            Event::Bytes(bytes) => {
                if let Some(answer) = self.incoming.take_piece(&bytes) {
                    self.answer(&answer)?;
                }
                self.show_progress();
                Step::On
            }
            Event::Room => Step::On,
            Event::Closed(reason) => Step::Over(reason),
        };
        self.end_if_done()?;
        Ok(step)
    }

    /// Tells the user something.
    pub(crate) fn tell(&self, said: &Said<'_>) -> Result<(), Failure> {
        self.screen.say(said)
    }

    /// What the end came before.
    pub(crate) fn unfinished(&self) -> Option<String> {
        let left = "the other side left";
        if !self.outgoing.is_done() {
            return Some(format!("{left} before all files had arrived there"));
        }
        (!self.incoming.is_idle()).then(|| format!("{left} in the middle of a file"))
    }

    /// Takes what the user typed: a line to say, or a command.
    pub(crate) fn take_line(&mut self, line: &str, agent: &Agent) -> Result<Step, Failure> {
        let line = line.trim_end_matches(['\r', '\n']);
        let (command, rest) = line.split_once(' ').unwrap_or((line, ""));
        match command {
            "/send" => {
                if let Err(reason) = self.outgoing.add(Path::new(rest.trim())) {
                    self.screen.say(&Said::Problem(&reason))?;
                }
            }
            "/pairs" => self.screen.say(&Said::Pairs(&agent.pairs()))?,
            "/restart" => return Ok(Step::Restart),
            "/quit" => self.end()?,
            _ if command.starts_with('/') && !command.starts_with("//") => {
                let known = "commands are /send FILE, /pairs, /restart and /quit; a line that begins with // is said with one /";
                self.screen.say(&Said::Problem(known))?;
            }
            _ => {
                let text = line.strip_prefix('/').unwrap_or(line);
                if self.is_open {
                    self.chat(text)?;
                } else if self.early.len() < MAX_EARLY {
                    self.early.push(text.to_owned());
                } else {
                    self.screen.say(&Said::Problem("too many lines wait for the channel"))?;
                }
            }
        }
        self.send_files()?;
        Ok(Step::On)
    }

    /// The user has nothing more to say: the channel is closed when everything has arrived.
    pub(crate) fn input_ended(&mut self) -> Result<(), Failure> {
        if self.stays { Ok(()) } else { self.end() }
    }

    fn end(&mut self) -> Result<(), Failure> {
        self.is_ending = true;
        self.end_if_done()
    }

    fn end_if_done(&mut self) -> Result<(), Failure> {
        self.send_files()?;
        if self.is_ending && self.is_open && self.outgoing.is_done() && self.incoming.is_idle() {
            self.link.close();
        }
        Ok(())
    }

    fn chat(&mut self, text: &str) -> Result<(), Failure> {
        for part in protocol::parts(text) {
            self.answer(&Text::Chat { text: part.to_owned() })?;
        }
        Ok(())
    }

    fn answer(&mut self, text: &Text) -> Result<(), Failure> {
        if let Text::FileOk { id } | Text::FileError { id, .. } = text
            && let Some(said) = self.incoming.outcome(*id)
        {
            self.screen.say(&said.as_said())?;
        }
        match self.link.send_text(&text.to_json()) {
            Ok(()) => Ok(()),
            Err(error) => self.screen.say(&Said::Problem(&error.to_string())),
        }
    }

    fn take_text(&mut self, text: &str) -> Result<(), Failure> {
        // What is not known is passed over.
        let Some(text) = Text::from_json(text) else { return Ok(()) };
        match text {
            Text::Chat { text } => self.screen.say(&Said::Chat(&text)),
            Text::FileOk { id } => self.outgoing.answered(id, None, &self.screen),
            Text::FileError { id, reason } => self.outgoing.answered(id, Some(&reason), &self.screen),
            Text::File { id, name, size } => match self.incoming.begin(id, &name, size) {
                Some(answer) => self.answer(&answer),
                None => Ok(()),
            },
            Text::FileEnd { id, sha256 } => match self.incoming.end(id, &sha256) {
                Some(answer) => self.answer(&answer),
                None => Ok(()),
            },
            Text::FileCancel { id } => {
                self.incoming.cancel(id);
                Ok(())
            }
        }
    }

    /// Sends as much of the files as there is room for.
    fn send_files(&mut self) -> Result<(), Failure> {
        while self.is_open && self.link.has_room() {
            let sent = match self.outgoing.next(&self.screen)? {
                Some(outgoing::Next::Text(text)) => self.link.send_text(&text.to_json()),
                Some(outgoing::Next::Piece(piece)) => self.link.send_bytes(piece),
                None => break,
            };
            if sent.is_err() {
                break;
            }
        }
        self.link.flush();
        self.show_progress();
        Ok(())
    }

    fn show_progress(&mut self) {
        let progress = self.outgoing.progress().or_else(|| self.incoming.progress());
        self.screen.show_progress(progress);
    }
}
