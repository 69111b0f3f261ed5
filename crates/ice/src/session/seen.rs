//! Requests that were answered already: a retransmission gets an equal answer and does nothing else (RFC 8489 §6.3.1).

use alloc::vec::Vec;
use core::net::IpAddr;
use core::num::NonZeroU16;
use core::time::Duration;

use floe_stun::{Time, TransactionId};

use super::CheckRequest;

/// RFC 8489 §6.3.1: for as long as the peer may retransmit, 39.5 s.
const MEMORY: Duration = Duration::from_millis(39_500);
/// Only authenticated requests are remembered, the newest so many.
const CAPACITY: usize = 64;
/// How many places are added when there are too few: the checks of connecting over one pair need five.
const STEP: usize = 8;

/// How a request was answered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Verdict {
    Success,
    Error(u16),
}

#[derive(Clone, Copy, Debug)]
struct Seen {
    /// When it came.
    at: Tick,
    /// All of the id but what its tag has.
    rest: [u8; 10],
    /// Tells one 5-tuple from another: with the 96 random bits of the id more than enough.
    path: u16,
    /// The code of the error that was answered.
    error: Option<NonZeroU16>,
}

/// A time in units of 2^16 ns, in half the room of a [`Time`]. It comes round after 78 hours: what was seen so long ago is
/// remembered for another while, which harms nobody.
#[derive(Clone, Copy, Debug)]
struct Tick(u32);

impl Tick {
    const LOG_NANOS: u32 = 16;

    fn of(time: Time) -> Self {
        Self((time.as_nanos() >> Self::LOG_NANOS) as u32)
    }

    /// Whether it is longer ago than the peer may retransmit.
    fn is_over(self, now: Self) -> bool {
        const PATIENCE: u32 = (MEMORY.as_nanos() >> Tick::LOG_NANOS) as u32 + 1;
        now.0.wrapping_sub(self.0) > PATIENCE
    }
}

/// The requests of the last 39.5 seconds, bounded.
#[derive(Clone, Debug, Default)]
pub(crate) struct SeenRequests {
    /// The first two bytes of the id of each. Most requests are new, which is found out by looking through these alone: 70
    /// instructions for 64 of them, where comparing whole ids takes 680.
    tags: Vec<u16>,
    /// A ring: the oldest one is at `next`, the newest before it.
    entries: Vec<Seen>,
    next: usize,
}

impl SeenRequests {
    /// How this request was answered before, if it was: it is the same if id and 5-tuple are.
    #[inline]
    pub(crate) fn verdict(&self, request: &CheckRequest, now: Time) -> Option<Verdict> {
        // So it is long after connecting.
        if self.tags.is_empty() { None } else { self.find(request, now) }
    }

    fn find(&self, request: &CheckRequest, now: Time) -> Option<Verdict> {
        let (tag, rest) = split(&request.id);
        if !self.tags.contains(&tag) {
            return None;
        }
        let (now, path) = (Tick::of(now), path(request));
        let is_same = |e: &Seen| e.rest == rest && e.path == path && !e.at.is_over(now);
        let mut known = self.tags.iter().zip(&self.entries).filter(|(t, _)| **t == tag);
        let (_, known) = known.find(|(_, e)| is_same(e))?;
        Some(known.error.map_or(Verdict::Success, |code| Verdict::Error(code.get())))
    }

    pub(crate) fn remember(&mut self, request: &CheckRequest, verdict: Verdict, now: Time) {
        let error = match verdict {
            Verdict::Success => None,
            Verdict::Error(code) => NonZeroU16::new(code),
        };
        let (tag, rest) = split(&request.id);
        let now = Tick::of(now);
        let seen = Seen { rest, at: now, path: path(request), error };
        // Behind the last place comes the first one, if that can be used again.
        let oldest = if self.next < self.entries.len() { self.next } else { 0 };
        let is_full = self.entries.len() >= CAPACITY;
        if self.entries.get(oldest).is_some_and(|e| is_full || e.at.is_over(now)) {
            (self.tags[oldest], self.entries[oldest]) = (tag, seen);
            self.next = oldest + 1;
        } else {
            self.make_room();
            self.tags.insert(self.next, tag);
            self.entries.insert(self.next, seen);
            self.next += 1;
        }
    }

    /// Gives everything back once no peer repeats any of it. True if that is so: the checks of connecting are long over.
    pub(crate) fn forget(&mut self, now: Time) -> bool {
        let newest = self.next.checked_sub(1).and_then(|at| self.entries.get(at));
        let is_over = newest.is_some_and(|e| e.at.is_over(Tick::of(now)));
        if is_over {
            *self = Self::default();
        }
        is_over
    }

    fn make_room(&mut self) {
        if self.entries.len() == self.entries.capacity() {
            self.entries.reserve_exact(STEP);
            self.tags.reserve_exact(STEP);
        }
    }
}

/// The tag of an id, and the rest of it.
fn split(id: &TransactionId) -> (u16, [u8; 10]) {
    let [a, b, rest @ ..] = *id.as_bytes();
    (u16::from_ne_bytes([a, b]), rest)
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

#[cfg(test)]
mod tests {
    use floe_stun::IntegrityAlgorithm;

    use crate::locals::BaseId;
    use crate::message::PeerRole;

    use super::*;

    #[test]
    fn everything_is_given_back_once_the_newest_is_over_and_nothing_before() {
        let request = |n: u8| CheckRequest {
            id: TransactionId::new([n; 12]),
            base: BaseId(0),
            source: ([192, 0, 2, 1], 4000).into(),
            algorithm: IntegrityAlgorithm::Sha1,
            priority: 1,
            use_candidate: false,
            role: PeerRole::Controlled(1),
        };
        let ms = Time::from_millis;
        let mut seen = SeenRequests::default();
        assert!(!seen.forget(ms(0)), "there is nothing to forget");
        for n in 0..100 {
            seen.remember(&request(n), Verdict::Success, ms(u64::from(n)));
        }
        assert!(!seen.forget(ms(99 + 39_500)));
        assert_eq!(seen.verdict(&request(99), ms(99 + 39_500)), Some(Verdict::Success));
        assert!(seen.forget(ms(99 + 39_501)));
        assert_eq!((seen.tags.capacity(), seen.entries.capacity(), seen.next), (0, 0, 0));
        assert!(!seen.forget(ms(200_000)));
        seen.remember(&request(7), Verdict::Error(487), ms(200_000));
        assert_eq!(seen.verdict(&request(7), ms(200_001)), Some(Verdict::Error(487)));
    }
}
