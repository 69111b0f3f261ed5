//! How a run ends, and how the user learns of it.

use std::io::{self, Write};
use std::process::ExitCode;

use floe::StartError;

/// Why a run was no success.
#[derive(Debug)]
pub(crate) enum Failure {
    /// What was asked for makes no sense: status 2.
    Usage(String),
    /// It was tried and did not work: status 1.
    Failed(String),
    /// Nobody reads the output any more, as in `floe gather | head -1`: the reader has what it wanted, so status 0.
    OutputClosed,
}

impl Failure {
    /// Why an agent could not be started: what the arguments said, or what the machine does not give.
    pub(crate) fn of_start(error: &StartError) -> Self {
        match error {
            StartError::Server(..)
            | StartError::BindAddress(_)
            | StartError::Config(_)
            | StartError::TlsRoots => Self::Usage(error.to_string()),
            _ => Self::Failed(error.to_string()),
        }
    }

    /// What a failed write to the standard output means.
    pub(crate) fn of_output(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::OutputClosed,
            _ => Self::Failed(format!("cannot write to the standard output: {error}")),
        }
    }
}

/// How a run ends.
pub(crate) type Outcome = Result<(), Failure>;

/// Says in one line what failed, and gives the exit status: 0 success, 1 failure, 2 usage.
pub(crate) fn report(outcome: Outcome) -> ExitCode {
    match outcome {
        Ok(()) | Err(Failure::OutputClosed) => ExitCode::SUCCESS,
        Err(Failure::Failed(reason)) => complain(&reason, 1),
        Err(Failure::Usage(reason)) => complain(&reason, 2),
    }
}

/// One line on the standard error; that it may be closed is no reason to fail differently.
pub(crate) fn complain(reason: &str, status: u8) -> ExitCode {
    let _ = writeln!(io::stderr(), "floe: {reason}");
    ExitCode::from(status)
}
