//! Running the program.

use std::io::Write;
use std::process::{Command, Stdio};

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
