//! Requests that were answered already: a retransmission gets an equal answer and does nothing else (RFC 8489 §6.3.1).

use alloc::collections::VecDeque;
use core::hash::BuildHasher;
use core::time::Duration;

use floe_stun::{Time, TransactionId};

use crate::hash::Keyed;

use super::CheckRequest;

/// RFC 8489 §6.3.1: for as long as the peer may retransmit, 39.5 s.
const MEMORY: Duration = Duration::from_millis(39_500);
/// Only authenticated requests are remembered, the newest so many.
const CAPACITY: usize = 64;

/// How a request was answered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Verdict {
    Success,
    Error(u16),
}

#[derive(Clone, Copy, Debug)]
struct Seen {
    id: TransactionId,
    /// Hash of the 5-tuple: with the 96 random bits of the id more than enough.
    path: u32,
    verdict: Verdict,
    at: Time,
}

/// The requests of the last 39.5 seconds, bounded.
#[derive(Clone, Debug)]
pub(crate) struct SeenRequests {
    entries: VecDeque<Seen>,
    hash: Keyed,
}

impl SeenRequests {
    pub(crate) fn new(hash: Keyed) -> Self {
        Self { entries: VecDeque::new(), hash }
    }

    /// How this request was answered before, if it was: it is the same if id and 5-tuple are.
    pub(crate) fn verdict(&mut self, request: &CheckRequest, now: Time) -> Option<Verdict> {
        while self.entries.front().is_some_and(|e| now.saturating_since(e.at) > MEMORY) {
            self.entries.pop_front();
        }
        let path = self.path(request);
        self.entries.iter().find(|e| e.id == request.id && e.path == path).map(|e| e.verdict)
    }

    pub(crate) fn remember(&mut self, request: &CheckRequest, verdict: Verdict, now: Time) {
        if self.entries.len() >= CAPACITY {
            self.entries.pop_front();
        }
        let path = self.path(request);
        self.entries.push_back(Seen { id: request.id, path, verdict, at: now });
    }

    fn path(&self, request: &CheckRequest) -> u32 {
        (self.hash.hash_one((request.base, request.source)) >> 32) as u32
    }
}
