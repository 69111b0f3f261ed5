//! The arguments, and what they ask for.

use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{Parser, Subcommand};

use crate::failure::{Outcome, complain};
use crate::{agent, decode, demo, output};

/// Interactive Connectivity Establishment (ICE, RFC 8445)
///
/// Watch two agents find each other, take STUN messages apart, gather candidates,
/// script an agent.
///
/// Exit status: 0 success, 1 failure, 2 wrong usage. An error is one line on the
/// standard error.
#[derive(Debug, Parser)]
#[command(name = "floe", version, propagate_version = true, arg_required_else_help = true)]
#[command(verbatim_doc_comment, disable_help_subcommand = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Demo(demo::Args),
    Agent(agent::Args),
    Decode(decode::Args),
}

impl Command {
    pub(crate) fn run(self) -> Outcome {
        match self {
            Self::Demo(args) => demo::run(&args),
            Self::Agent(args) => agent::run(&args),
            Self::Decode(args) => decode::run(&args),
        }
    }
}

/// Reads the arguments, the name of the program first. `Err` is the exit status when there is nothing to run: help was
/// asked for and given, or the usage was wrong and is explained.
pub(crate) fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Command, ExitCode> {
    let error = match Cli::try_parse_from(arguments) {
        Ok(cli) => return Ok(cli.command),
        Err(error) => error,
    };
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            Err(crate::failure::report(output::print(&error.to_string())))
        }
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            let _ = write!(std::io::stderr(), "{error}");
            Err(ExitCode::from(2))
        }
        _ => Err(complain(&in_one_line(&error.to_string()), 2)),
    }
}

/// What clap says in a paragraph, tips and usage, in one line.
fn in_one_line(message: &str) -> String {
    let mut parts: Vec<String> = Vec::new();
    let mut help = "floe --help".to_owned();
    for paragraph in message.split("\n\n") {
        let words = paragraph.split_whitespace().collect::<Vec<_>>().join(" ");
        if let Some(usage) = words.strip_prefix("Usage: ") {
            help = help_command(usage);
        } else if let Some(tip) = words.strip_prefix("tip: ") {
            parts.push(tip.to_owned());
        } else if !words.starts_with("For more information") {
            parts.push(words.strip_prefix("error: ").unwrap_or(&words).to_owned());
        }
    }
    format!("{} (see {help})", parts.join("; "))
}

/// `floe agent --help` for the usage `floe agent [OPTIONS] …`.
fn help_command(usage: &str) -> String {
    let is_name = |word: &&str| word.bytes().all(|byte| byte.is_ascii_lowercase());
    let command: Vec<&str> = usage.split(' ').take_while(is_name).collect();
    format!("{} --help", command.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn explain(arguments: &[&str]) -> String {
        let error = Cli::try_parse_from(arguments).expect_err("this usage is wrong");
        in_one_line(&error.to_string())
    }

    #[test]
    fn the_arguments_are_consistent() {
        use clap::CommandFactory;
        Cli::command().debug_assert();
    }

    #[test]
    fn wrong_usage_is_explained_in_one_line() {
        assert_eq!(
            explain(&["floe", "decode", "--pasword", "x"]),
            "unexpected argument '--pasword' found; a similar argument exists: '--password' (see floe decode --help)"
        );
        assert_eq!(
            explain(&["floe", "agnt"]),
            "unrecognized subcommand 'agnt'; a similar subcommand exists: 'agent' (see floe --help)"
        );
    }
}
