//! The arguments, and what they ask for.

use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser, Subcommand};

use crate::failure::{Outcome, complain};
use crate::{agent, decode, demo, direct, gather, join, output, serve, turn_check};

/// Interactive Connectivity Establishment (ICE, RFC 8445)
///
/// Watch two agents find each other, take STUN messages apart, gather candidates,
/// script an agent, talk to another machine, run a STUN and TURN server, check one.
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
    Gather(gather::Args),
    Agent(agent::Args),
    Join(join::Args),
    Offer(direct::OfferArgs),
    Answer(direct::AnswerArgs),
    Serve(serve::Args),
    TurnCheck(turn_check::Args),
    Decode(decode::Args),
}

impl Command {
    pub(crate) fn run(self) -> Outcome {
        match self {
            Self::Demo(args) => demo::run(&args),
            Self::Gather(args) => gather::run(&args),
            Self::Agent(args) => agent::run(&args),
            Self::Join(args) => join::run(&args),
            Self::Offer(args) => direct::offer(&args),
            Self::Answer(args) => direct::answer(&args),
            Self::Serve(args) => serve::run(&args),
            Self::TurnCheck(args) => turn_check::run(&args),
            Self::Decode(args) => decode::run(&args),
        }
    }
}

/// Reads the arguments, the name of the program first. `Err` is the exit status when there is nothing to run: help was
/// asked for and given, or the usage was wrong and is explained.
pub(crate) fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Command, ExitCode> {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let error = match Cli::try_parse_from(&arguments) {
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
        _ => Err(complain(&in_one_line(&error.to_string(), &help_command(&arguments)), 2)),
    }
}

/// What clap says in a paragraph, tips and usage, in one line.
fn in_one_line(message: &str, help: &str) -> String {
    let mut parts: Vec<String> = Vec::new();
    for paragraph in message.split("\n\n") {
        let words = paragraph.split_whitespace().collect::<Vec<_>>().join(" ");
        if let Some(tip) = words.strip_prefix("tip: ") {
            parts.push(tip.to_owned());
        } else if !words.starts_with("For more information") && !words.starts_with("Usage: ") {
            parts.push(words.strip_prefix("error: ").unwrap_or(&words).to_owned());
        }
    }
    format!("{} (see {help})", parts.join("; "))
}

/// How to get help: with the subcommand, if one is there.
fn help_command(arguments: &[OsString]) -> String {
    let command = Cli::command();
    let named = |argument: &OsString| command.get_subcommands().find(|known| argument == known.get_name());
    match arguments.iter().skip(1).find_map(named) {
        Some(known) => format!("floe {} --help", known.get_name()),
        None => "floe --help".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn explain(arguments: &[&str]) -> String {
        let error = Cli::try_parse_from(arguments).expect_err("this usage is wrong");
        let arguments: Vec<OsString> = arguments.iter().map(OsString::from).collect();
        in_one_line(&error.to_string(), &help_command(&arguments))
    }

    #[test]
    fn the_arguments_are_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn wrong_usage_is_explained_in_one_line() {
        assert_eq!(
            explain(&["floe", "decode", "--pasword", "x"]),
            "unexpected argument '--pasword' found; a similar argument exists: '--password' (see floe decode --help)"
        );
        assert_eq!(
            explain(&["floe", "gather", "--timeout", "0"]),
            "invalid value '0' for '--timeout <S>': 0 is not in 1..=3600 (see floe gather --help)"
        );
        assert_eq!(
            explain(&["floe", "agnt"]),
            "unrecognized subcommand 'agnt'; a similar subcommand exists: 'agent' (see floe --help)"
        );
    }
}
