//! The tokio runtime of a command.

use tokio::runtime::{Builder, Runtime};

use crate::failure::Failure;

/// A runtime with one thread: an agent needs no more.
pub(crate) fn new() -> Result<Runtime, Failure> {
    let built = Builder::new_current_thread().enable_all().build();
    built.map_err(|error| Failure::Failed(format!("the asynchronous runtime does not start: {error}")))
}
