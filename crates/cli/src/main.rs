//! The `floe` command line.

#![forbid(unsafe_code)]

mod cli;
mod decode;
mod failure;
mod output;

use std::process::ExitCode;

fn main() -> ExitCode {
    match cli::parse(std::env::args_os()) {
        Ok(command) => failure::report(command.run()),
        Err(status) => status,
    }
}
