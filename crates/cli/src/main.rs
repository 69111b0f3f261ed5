//! The `floe` command line.

#![forbid(unsafe_code)]

mod agent;
mod agent_args;
mod cli;
mod data;
mod decode;
mod demo;
mod direct;
mod duration;
mod failure;
mod gather;
mod join;
mod output;
mod relay;
mod runtime;
mod serve;
mod style;
mod talk;
mod turn_check;

use std::process::ExitCode;

fn main() -> ExitCode {
    match cli::parse(std::env::args_os()) {
        Ok(command) => failure::report(command.run()),
        Err(status) => status,
    }
}
