//! What happens in the rooms, and what is counted.

use std::net::SocketAddr;
use std::time::Duration;

use floe_signal::message::ErrorCode;

/// Why a transport is of no use any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Over {
    /// Another one of the same participant took its place.
    Replaced,
    /// Nothing was heard for too long.
    Silent,
    /// Too much waits to be read.
    Slow,
    /// The participant is out.
    Out,
}

/// Why a participant left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Departure {
    /// It said so.
    Left,
    /// It lost the connection and did not come back.
    Lost,
    /// It sent more than it may.
    PutOut,
}

/// Something that an operator may want to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) enum RoomEvent {
    /// Someone entered.
    Entered { room: Box<str>, name: String, id: String, client: SocketAddr },
    /// Someone lost the connection and is back.
    Resumed { room: Box<str>, name: String, id: String, client: SocketAddr },
    /// Someone is out.
    Left { room: Box<str>, name: String, id: String, client: SocketAddr, why: Departure, stayed: Duration },
    /// Someone was not let in.
    Refused { room: String, client: SocketAddr, code: ErrorCode },
}

/// What was counted since the start.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in super::super) struct RoomStats {
    /// Now.
    pub(in super::super) rooms: usize,
    /// Now.
    pub(in super::super) participants: usize,
    pub(in super::super) entered: u64,
    pub(in super::super) resumed: u64,
    pub(in super::super) refused: u64,
    /// Messages from one participant to another.
    pub(in super::super) passed: u64,
    pub(in super::super) passed_bytes: u64,
    /// Messages that had no effect, for whatever was wrong with them.
    pub(in super::super) useless: u64,
    /// Messages above the rate.
    pub(in super::super) limited: u64,
    /// Messages to someone for whom too many wait.
    pub(in super::super) dropped: u64,
    /// Events that nobody fetched in time.
    pub(in super::super) untold: u64,
}
