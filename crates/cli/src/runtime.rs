//! The tokio runtime of a command.

use tokio::runtime::{Builder, Runtime};

use crate::failure::Failure;

/// A runtime with one thread: an agent needs no more.
pub(crate) fn new() -> Result<Runtime, Failure> {
    build(Builder::new_current_thread())
}

/// A runtime with a thread for each processor, so that two agents can be busy at a time.
pub(crate) fn with_threads() -> Result<Runtime, Failure> {
    build(Builder::new_multi_thread())
}

fn build(mut builder: Builder) -> Result<Runtime, Failure> {
    let built = builder.enable_all().build();
    built.map_err(|error| Failure::Failed(format!("the asynchronous runtime does not start: {error}")))
}
