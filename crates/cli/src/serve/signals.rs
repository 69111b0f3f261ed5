//! What the operator asks for while the server runs.

use std::io;

use crate::failure::Failure;

/// What a signal asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Signal {
    Stop,
    Statistics,
    Reload,
}

/// The signals of this process.
#[cfg(unix)]
pub(super) struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
    statistics: tokio::signal::unix::Signal,
    reload: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    pub(super) fn new() -> Result<Self, Failure> {
        use tokio::signal::unix::{SignalKind, signal};
        let open = |kind| signal(kind).map_err(|error| failure(&error));
        Ok(Self {
            interrupt: open(SignalKind::interrupt())?,
            terminate: open(SignalKind::terminate())?,
            statistics: open(SignalKind::user_defined1())?,
            reload: open(SignalKind::hangup())?,
        })
    }

    pub(super) async fn next(&mut self) -> Signal {
        tokio::select! {
            _ = self.interrupt.recv() => Signal::Stop,
            _ = self.terminate.recv() => Signal::Stop,
            _ = self.statistics.recv() => Signal::Statistics,
            _ = self.reload.recv() => Signal::Reload,
        }
    }
}

/// Control-C.
#[cfg(windows)]
pub(super) struct Signals(tokio::signal::windows::CtrlC);

#[cfg(windows)]
impl Signals {
    pub(super) fn new() -> Result<Self, Failure> {
        tokio::signal::windows::ctrl_c().map(Self).map_err(|error| failure(&error))
    }

    pub(super) async fn next(&mut self) -> Signal {
        self.0.recv().await;
        Signal::Stop
    }
}

fn failure(error: &io::Error) -> Failure {
    Failure::Failed(format!("signals cannot be received: {error}"))
}
