//! Running the program.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use serde_json::Value;

/// How long a line may take. It takes milliseconds; the rest is for a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a run left behind.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) status: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Runs the program with nothing on its standard input.
pub(crate) fn floe(arguments: &[&str]) -> Run {
    floe_with_input(arguments, b"")
}

/// Runs the program with `input` on its standard input.
pub(crate) fn floe_with_input(arguments: &[&str], input: &[u8]) -> Run {
    let mut command = Command::new(env!("CARGO_BIN_EXE_floe"));
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the program was built");
    // A program that reads no input may have ended already.
    let _ = child.stdin.take().expect("a pipe was asked for").write_all(input);
    let output = child.wait_with_output().expect("the program ends");
    let text = |bytes| String::from_utf8(bytes).expect("all output is UTF-8");
    Run {
        status: output.status.code().expect("no signal ended it"),
        stdout: text(output.stdout),
        stderr: text(output.stderr),
    }
}

impl Run {
    /// The one line that says what failed, after the program ended with `status` and said nothing else.
    pub(crate) fn error(&self, status: i32) -> &str {
        assert_eq!(self.status, status, "{self:?}");
        assert_eq!(self.stderr.lines().count(), 1, "an error is one line: {self:?}");
        self.stderr.strip_prefix("floe: ").and_then(|line| line.strip_suffix('\n')).expect("floe: and a line")
    }
}

/// The program while it runs, on loopback, and prints JSON lines.
pub(crate) struct Running {
    child: Child,
    input: Option<ChildStdin>,
    lines: Receiver<Value>,
}

impl Running {
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_floe"));
        command.args(arguments).args(["--bind", "127.0.0.1"]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().expect("the program was built");
        let input = child.stdin.take();
        let output = BufReader::new(child.stdout.take().expect("a pipe was asked for"));
        let (sender, lines) = channel();
        thread::spawn(move || {
            for line in output.lines() {
                let line = line.expect("the output is UTF-8");
                let line = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Self { child, input, lines }
    }

    pub(crate) fn say(&mut self, line: &str) {
        let input = self.input.as_mut().expect("the input is open");
        writeln!(input, "{line}").and_then(|()| input.flush()).expect("the program reads");
    }

    pub(crate) fn end_input(&mut self) {
        self.input = None;
    }

    pub(crate) fn next(&self) -> Value {
        self.lines.recv_timeout(PATIENCE).expect("the program says something")
    }

    /// The next line of this type; what comes before it is passed over.
    pub(crate) fn next_of(&self, kind: &str) -> Value {
        std::iter::repeat_with(|| self.next()).find(|line| line["type"] == kind).expect("there is no end")
    }

    /// What it still says before it ends, and whether it succeeded.
    pub(crate) fn last_words(mut self) -> (Vec<Value>, bool) {
        let said = std::iter::from_fn(|| self.lines.recv_timeout(PATIENCE).ok()).collect();
        (said, self.child.wait().expect("it ends").success())
    }

    /// The input ends, and so does the program: whether it succeeded.
    pub(crate) fn end(mut self) -> bool {
        self.end_input();
        self.child.wait().expect("it ends").success()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Both fail only if it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
