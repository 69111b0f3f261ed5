//! What the peer sends in a call: each message once, in its order.

use std::collections::BTreeMap;

use crate::message::Message;

use super::outbound::weight;

/// How far before its turn a message may come.
const MAX_AHEAD: u64 = 64;
/// The most bytes that wait for their turn.
const MAX_HELD_BYTES: usize = 1024 * 1024;

/// The messages of one call of the peer's.
pub(super) struct Inbound {
    /// The number of the message whose turn it is.
    next: u64,
    held: BTreeMap<u64, Message>,
    bytes: usize,
    /// Something came that the peer wants to be acknowledged.
    pub(super) ack_due: bool,
}

/// What a message is to this call.
#[derive(PartialEq, Eq, Debug)]
pub(super) enum Arrival {
    /// It waits, or its turn is now: [`Inbound::take`] gives it.
    Kept,
    Duplicate,
    NoRoom,
}

impl Inbound {
    pub(super) const fn new() -> Self {
        Self { next: 1, held: BTreeMap::new(), bytes: 0, ack_due: false }
    }

    /// Keeps a message until its turn.
    pub(super) fn arrived(&mut self, seq: u64, message: Message) -> Arrival {
        self.ack_due = true;
        if seq < self.next || self.held.contains_key(&seq) {
            return Arrival::Duplicate;
        }
        // The one whose turn it is always has room: it is the next to leave.
        let has_room = self.bytes + weight(&message) <= MAX_HELD_BYTES && seq - self.next <= MAX_AHEAD;
        if seq != self.next && !has_room {
            return Arrival::NoRoom;
        }
        self.bytes += weight(&message);
        self.held.insert(seq, message);
        Arrival::Kept
    }

    /// The message whose turn it is, with its number.
    pub(super) fn take(&mut self) -> Option<(u64, Message)> {
        let message = self.held.remove(&self.next)?;
        self.bytes -= weight(&message);
        self.next += 1;
        Some((self.next - 1, message))
    }

    /// The last of the numbers that have all arrived.
    pub(super) const fn acknowledged(&self) -> u64 {
        self.next - 1
    }

    /// How many messages wait.
    pub(super) fn waiting(&self) -> usize {
        self.held.len()
    }
}
