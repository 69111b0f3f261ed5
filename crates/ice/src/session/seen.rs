//! Requests that were answered already: a retransmission gets an equal answer and does nothing else (RFC 8489 §6.3.1).

use alloc::collections::VecDeque;
use core::net::IpAddr;
use core::num::NonZeroU16;
use core::time::Duration;

use floe_stun::{Time, TransactionId};

use super::CheckRequest;

/// RFC 8489 §6.3.1: for as long as the peer may retransmit, 39.5 s.
const MEMORY: Duration = Duration::from_millis(39_500);
/// Only authenticated requests are remembered, the newest so many.
const CAPACITY: usize = 64;
/// How many places are added when there are too few: consent checks every 5 s need ten or less.
const STEP: usize = 4;

/// How a request was answered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Verdict {
    Success,
    Error(u16),
}

#[derive(Clone, Copy, Debug)]
struct Seen {
    /// All of the id but what its tag has.
    rest: [u8; 8],
    /// Tells one 5-tuple from another: with the 96 random bits of the id more than enough.
    path: u16,
    /// The code of the error that was answered.
    error: Option<NonZeroU16>,
    at: Time,
}

/// The requests of the last 39.5 seconds, bounded.
#[derive(Clone, Debug, Default)]
pub(crate) struct SeenRequests {
    /// The first four bytes of the id of each. Most requests are new, which is found out by looking through these alone: 70
    /// instructions for 64 of them, where comparing whole ids takes 680.
    tags: VecDeque<u32>,
    entries: VecDeque<Seen>,
}

impl SeenRequests {
    /// How this request was answered before, if it was: it is the same if id and 5-tuple are.
    pub(crate) fn verdict(&mut self, request: &CheckRequest, now: Time) -> Option<Verdict> {
        while self.entries.front().is_some_and(|e| now.saturating_since(e.at) > MEMORY) {
            self.forget_oldest();
        }
        let (tag, rest) = split(&request.id);
        let (front, back) = self.tags.as_slices();
        if !front.contains(&tag) && !back.contains(&tag) {
            return None;
        }
        let mut known = self.tags.iter().zip(&self.entries).filter(|(t, e)| **t == tag && e.rest == rest);
        let (_, known) = known.find(|(_, e)| e.path == path(request))?;
        Some(known.error.map_or(Verdict::Success, |code| Verdict::Error(code.get())))
    }

    pub(crate) fn remember(&mut self, request: &CheckRequest, verdict: Verdict, now: Time) {
        if self.entries.len() >= CAPACITY {
            self.forget_oldest();
        }
        if self.entries.len() == self.entries.capacity() {
            self.entries.reserve_exact(STEP);
            self.tags.reserve_exact(STEP);
        }
        let error = match verdict {
            Verdict::Success => None,
            Verdict::Error(code) => NonZeroU16::new(code),
        };
        let (tag, rest) = split(&request.id);
        self.tags.push_back(tag);
        self.entries.push_back(Seen { rest, path: path(request), error, at: now });
    }

    fn forget_oldest(&mut self) {
        self.tags.pop_front();
        self.entries.pop_front();
    }
}

/// The tag of an id, and the rest of it.
fn split(id: &TransactionId) -> (u32, [u8; 8]) {
    let [a, b, c, d, rest @ ..] = *id.as_bytes();
    (u32::from_ne_bytes([a, b, c, d]), rest)
}

/// A hash without a key: whoever sends a request with an integrity that we accept gains nothing by collisions.
fn path(request: &CheckRequest) -> u16 {
    let ip = match request.source.ip() {
        IpAddr::V4(ip) => u128::from(ip.to_bits()),
        IpAddr::V6(ip) => ip.to_bits(),
    };
    let ends = u64::from(request.base.0) << 16 | u64::from(request.source.port());
    // 2^64 over the golden ratio: spreads what differs little (Knuth, vol. 3, §6.4).
    let spread = |number: u64| number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (spread(spread(ip as u64 ^ ends.rotate_left(32)) ^ (ip >> 64) as u64) >> 48) as u16
}
