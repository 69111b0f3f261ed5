//! Signalling, as the arguments say it.

use std::net::SocketAddr;
use std::time::Duration;

use super::super::addresses::{self, Addresses};
use super::limits::Limits;
use super::origin::{self, Origins};
use super::token::Tokens;
use crate::failure::Failure;

/// The port of the page.
const PORT: u16 = 8080;

/// Where the secret may be, out of sight of other processes.
const SECRET: &str = "FLOE_ROOM_SECRET";

/// Rooms and the page, as the arguments say it.
#[derive(Debug, clap::Args)]
pub(crate) struct SignallingArgs {
    /// Listen here for browsers and floe join, over
    /// HTTP, or HTTPS if there is a certificate:
    /// IP:PORT, or IP for port 8080; can be repeated
    /// [default: port 8080 of where it listens]
    #[arg(long, value_name = "ADDR", value_parser = parse_listen, verbatim_doc_comment)]
    http: Vec<SocketAddr>,

    /// No page and no rooms
    #[arg(long, conflicts_with = "http")]
    no_http: bool,

    /// Let pages of this origin use the rooms, besides
    /// the own one; * for all; can be repeated
    #[arg(long, value_name = "ORIGIN", value_parser = origin::parse, verbatim_doc_comment)]
    origin: Vec<String>,

    /// Let in only who has this token. Whoever may list
    /// the processes of this machine can read it
    #[arg(long, value_name = "TOKEN", verbatim_doc_comment)]
    room_token: Option<String>,

    /// Let in only who has a token TIME.DIGITS for the
    /// room, up to that Unix time; the digits are
    /// hex(HMAC-SHA256(SECRET, TIME.ROOM)). It is read
    /// from the variable FLOE_ROOM_SECRET as well
    #[arg(long, value_name = "SECRET", verbatim_doc_comment, conflicts_with = "room_token")]
    room_secret: Option<String>,

    /// Participants in a room
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..=256))]
    room_size: u16,

    /// Rooms at a time
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..))]
    max_rooms: u32,

    /// Bytes of a message
    #[arg(long, value_name = "N", default_value_t = 65_536, value_parser = clap::value_parser!(u32).range(1024..=262_144))]
    max_message: u32,

    /// Messages of a participant in a second; four
    /// times as many at once
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..), verbatim_doc_comment)]
    message_rate: u32,

    /// Bytes of a participant in a second; eight
    /// times as many at once
    #[arg(long, value_name = "N", default_value_t = 65_536, value_parser = clap::value_parser!(u32).range(1024..), verbatim_doc_comment)]
    byte_rate: u32,

    /// How long someone who lost the connection may
    /// come back, in seconds
    #[arg(long, value_name = "S", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=3600), verbatim_doc_comment)]
    resume_time: u64,

    /// Connections of one address
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..))]
    address_quota: u32,
}

fn parse_listen(text: &str) -> Result<SocketAddr, String> {
    addresses::parse_listen(text, PORT)
}

impl SignallingArgs {
    /// Where to listen; nowhere if nobody wants it.
    pub(in super::super) fn listen(&self, addresses: &Addresses) -> Vec<SocketAddr> {
        match (self.no_http, self.http.is_empty()) {
            (true, _) => Vec::new(),
            (false, true) => addresses.for_browsers(PORT),
            (false, false) => self.http.clone(),
        }
    }

    pub(super) fn limits(&self) -> Limits {
        Limits {
            rooms: self.max_rooms as usize,
            room_size: self.room_size.into(),
            message: self.max_message as usize,
            messages_per_second: self.message_rate,
            bytes_per_second: self.byte_rate,
            resume: Duration::from_secs(self.resume_time),
        }
    }

    pub(super) fn origins(&self) -> Origins {
        Origins::new(&self.origin)
    }

    pub(super) fn address_quota(&self) -> usize {
        self.address_quota as usize
    }

    pub(super) fn tokens(&self) -> Result<Tokens, Failure> {
        let secret = self.room_secret.clone().or_else(|| std::env::var(SECRET).ok());
        match (&self.room_token, secret) {
            (Some(token), _) if !token.is_empty() => Ok(Tokens::Shared(token.as_str().into())),
            (None, Some(secret)) if !secret.is_empty() => Ok(Tokens::Made(secret.into())),
            (None, None) => Ok(Tokens::Free),
            _ => Err(Failure::Usage(format!(
                "what lets into the rooms (--room-token, --room-secret or {SECRET}) is empty"
            ))),
        }
    }
}
