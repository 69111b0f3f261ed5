//! The standard output: never a panic, whoever closes it.

use std::io::{self, Write};

use crate::failure::{Failure, Outcome};

/// Writes `text` and flushes, so that a reader sees it at once.
pub(crate) fn print(text: &str) -> Outcome {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(|error| Failure::of_output(&error))
}
