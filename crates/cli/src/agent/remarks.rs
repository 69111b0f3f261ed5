//! What may help a person and is no part of the protocol: lines on the standard error.

use std::io::Write;
use std::sync::mpsc::{Receiver, SyncSender, channel, sync_channel};
use std::thread;
use std::time::Duration;

/// Remarks that wait to be written.
const QUEUE: usize = 256;

/// How long the end waits for the last of them.
const GRACE: Duration = Duration::from_millis(500);

/// Writes remarks in a thread of its own: a script that does not read the standard error must not hold the agent up. It
/// loses remarks instead.
pub(crate) struct Remarks {
    lines: Option<SyncSender<String>>,
    /// Nothing is ever sent: it ends with the thread.
    written: Receiver<()>,
}

impl Remarks {
    /// Remarks that are written to `output`.
    pub(crate) fn to(mut output: impl Write + Send + 'static) -> Self {
        let (lines, waiting) = sync_channel::<String>(QUEUE);
        let (writing, written) = channel();
        thread::spawn(move || {
            let _writing = writing;
            for line in waiting {
                if output.write_all(line.as_bytes()).is_err() {
                    return;
                }
            }
        });
        Self { lines: Some(lines), written }
    }

    /// Says something, or does not if too much is waiting.
    pub(crate) fn say(&self, text: &str) {
        if let Some(lines) = &self.lines {
            let _ = lines.try_send(format!("floe: {text}\n"));
        }
    }
}

impl Drop for Remarks {
    fn drop(&mut self) {
        self.lines = None;
        // Either way it is over.
        let _ = self.written.recv_timeout(GRACE);
    }
}

#[cfg(test)]
mod tests {
    use std::io::{self, Read};

    use super::*;

    #[test]
    fn what_was_said_is_written_before_the_end() {
        let (mut reader, writer) = io::pipe().unwrap();
        let remarks = Remarks::to(writer);
        remarks.say("one");
        remarks.say("two");
        drop(remarks);
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        assert_eq!(text, "floe: one\nfloe: two\n");
    }

    #[test]
    fn nobody_has_to_read_them() {
        let (reader, writer) = io::pipe().unwrap();
        let remarks = Remarks::to(writer);
        // More than the pipe and the queue hold.
        for _ in 0..2000 {
            remarks.say(&"x".repeat(1000));
        }
        drop(remarks);
        drop(reader);
        let (_, writer) = io::pipe().unwrap();
        let remarks = Remarks::to(writer);
        for _ in 0..2000 {
            remarks.say("nobody can");
        }
    }
}
