//! A running program: lines out of it arrive on a channel, and it ends with its handle.

use std::fmt;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::Sender;
use std::thread;
use std::time::Instant;

/// What a program did.
#[derive(Debug)]
pub(crate) enum Output {
    /// A line on its standard output.
    Line(String),
    /// A line on its standard error.
    Complaint(String),
    /// Its standard output ended.
    End,
}

impl fmt::Display for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line(line) => write!(f, "-> {line}"),
            Self::Complaint(line) => write!(f, "!! {line}"),
            Self::End => f.write_str("-> end of output"),
        }
    }
}

/// A running program. Dropping it kills the process.
pub(crate) struct Program {
    child: Child,
    input: Option<ChildStdin>,
}

impl Program {
    /// Starts `command` and reports what it prints as `(tag, output)`.
    pub(crate) fn start(
        mut command: Command,
        tag: usize,
        outputs: &Sender<(usize, Output)>,
    ) -> Result<Self, String> {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|error| format!("{command:?} does not start: {error}"))?;
        let input = child.stdin.take();
        if let Some(stdout) = child.stdout.take() {
            let outputs = outputs.clone();
            thread::spawn(move || {
                each_line(stdout, |line| outputs.send((tag, Output::Line(line))).is_ok());
                // Nobody listens once the meeting is over.
                let _ = outputs.send((tag, Output::End));
            });
        }
        if let Some(stderr) = child.stderr.take() {
            let outputs = outputs.clone();
            thread::spawn(move || {
                each_line(stderr, |line| outputs.send((tag, Output::Complaint(line))).is_ok());
            });
        }
        Ok(Self { child, input })
    }

    /// Writes a line to its standard input. That it no longer reads shows in what it prints.
    pub(crate) fn write_line(&mut self, line: &str) {
        if let Some(input) = &mut self.input
            && writeln!(input, "{line}").and_then(|()| input.flush()).is_err()
        {
            self.end_input();
        }
    }

    /// Closes its standard input.
    pub(crate) fn end_input(&mut self) {
        self.input = None;
    }

    /// How the program ended. For one whose output has ended: the kernel closes a dying process's files just before
    /// it can be waited for, and the standard library can wait without a limit or not at all.
    pub(crate) fn exit_status(&mut self, deadline: Instant) -> Result<ExitStatus, String> {
        loop {
            match self.child.try_wait() {
                Ok(Some(status)) => return Ok(status),
                Ok(None) if Instant::now() < deadline => thread::yield_now(),
                Ok(None) => return Err("it closed its output and does not exit".to_owned()),
                Err(error) => return Err(format!("it cannot be waited for: {error}")),
            }
        }
    }

    /// Ends the program at once.
    pub(crate) fn kill(&mut self) {
        self.end_input();
        // Both fail only if the process has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Calls `take` with each line until it returns false or the input ends.
fn each_line(input: impl Read, mut take: impl FnMut(String) -> bool) {
    for line in BufReader::new(input).split(b'\n') {
        let Ok(line) = line else { return };
        if !take(String::from_utf8_lossy(&line).trim_end_matches('\r').to_owned()) {
            return;
        }
    }
}
