//! `floe decode`: bytes to an annotated message.

mod attribute;
mod dissect;
mod input;
mod integrity;
mod json;
mod other;
mod text;
mod value;

use std::path::PathBuf;

use crate::failure::{Failure, Outcome};
use crate::output;

use dissect::Dissection;
use integrity::Secret;

/// Take a STUN message apart, byte by byte
///
/// Says of a STUN or ChannelData message what each byte means, and of a bad one
/// precisely what is wrong and at which byte. What is neither gets a guess
/// (RFC 7983: DTLS, RTP, …).
///
/// The bytes come as hexadecimal digits, in the arguments or on the standard input
/// (spaces, newlines, colons, commas and 0x do not matter), or from a file.
///
/// Exit status: 0 if it is a good message and, where a password is given, its
/// integrity holds; 1 if not.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment, after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Hexadecimal digits; without any, or with -, they are
    /// read from the standard input
    #[arg(value_name = "HEX", conflicts_with = "file", verbatim_doc_comment)]
    hex: Vec<String>,

    /// Read this file: the message itself, or its digits
    #[arg(long, value_name = "PATH")]
    file: Option<PathBuf>,

    /// Verify the integrity with this password. With a realm,
    /// given or in the message, it is that of long-term
    /// credentials (TURN), otherwise of short-term ones (ICE)
    #[arg(long, value_name = "TEXT", verbatim_doc_comment)]
    password: Option<String>,

    /// User name of long-term credentials, if the message
    /// does not have it
    #[arg(long, value_name = "TEXT", requires = "password", verbatim_doc_comment)]
    username: Option<String>,

    /// Realm of long-term credentials, if the message does
    /// not have it
    #[arg(long, value_name = "TEXT", requires = "password", verbatim_doc_comment)]
    realm: Option<String>,

    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = "\
Examples:
  floe decode 000100002112a442000102030405060708090a0b
  floe decode --file packet.bin --password VOkJxbRl1RmTxUk/WvJxBt
  xxd -p packet.bin | floe decode --json";

/// Runs `floe decode`.
pub(crate) fn run(args: &Args) -> Outcome {
    let bytes = input::read(&args.hex, args.file.as_deref())?;
    let secret = args.password.as_deref().map(|password| Secret {
        password,
        username: args.username.as_deref(),
        realm: args.realm.as_deref(),
    });
    let dissection = Dissection::of(&bytes, secret.as_ref()).map_err(Failure::Usage)?;
    let text = if args.json { json::render(&dissection) } else { text::render(&dissection) };
    output::print(&text)?;
    match dissection.verdict() {
        Some(verdict) => Err(Failure::Failed(verdict)),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests;
