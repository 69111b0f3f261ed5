//! What we send in a call: numbered, and repeated until it is acknowledged.

use std::collections::VecDeque;
use std::time::Duration;

use floe_ice::Time;

use crate::message::Message;

/// The most messages that may wait for their acknowledgement.
pub(super) const MAX_UNACKED: usize = 1024;
/// The most bytes that may.
pub(super) const MAX_UNACKED_BYTES: usize = 4 * 1024 * 1024;
/// When a message is repeated for the first time. Nothing is lost between two transports, so this is for messages that were
/// on one when it broke and for peers that were not there yet.
const FIRST_REPEAT: Duration = Duration::from_secs(1);
/// The longest time between two repetitions.
const LONGEST_REPEAT: Duration = Duration::from_secs(8);
/// How many messages are repeated at a time.
const WINDOW: usize = 8;

/// The messages of one call of ours.
pub(super) struct Outbound {
    /// The number of the next new message.
    next: u64,
    /// In the order of their numbers.
    unacked: VecDeque<(u64, Message)>,
    bytes: usize,
    /// Numbers to be sent now, rising.
    queue: VecDeque<u64>,
    /// How many of the oldest were sent before.
    sent_through: u64,
    interval: Duration,
    /// Means something while something waits.
    due: Time,
    /// Since when nothing was acknowledged though something should be.
    waiting_since: Time,
}

/// Nothing was acknowledged for too long.
pub(super) struct Unreachable;

impl Outbound {
    pub(super) const fn new() -> Self {
        Self {
            next: 1,
            unacked: VecDeque::new(),
            bytes: 0,
            queue: VecDeque::new(),
            sent_through: 0,
            interval: FIRST_REPEAT,
            due: Time::ZERO,
            waiting_since: Time::ZERO,
        }
    }

    /// Whether another message of the caller's has room.
    pub(super) fn has_room(&self, message: &Message) -> bool {
        self.unacked.len() < MAX_UNACKED && self.bytes + weight(message) <= MAX_UNACKED_BYTES
    }

    pub(super) fn push(&mut self, message: Message, now: Time) {
        let seq = self.next;
        self.next += 1;
        self.bytes += weight(&message);
        if self.unacked.is_empty() {
            self.wait_from(now);
        }
        self.unacked.push_back((seq, message));
        self.queue.push_back(seq);
    }

    /// Only `message` matters from now on: what was not acknowledged is forgotten.
    pub(super) fn push_last(&mut self, message: Message, now: Time) {
        self.unacked.clear();
        self.queue.clear();
        self.bytes = 0;
        self.push(message, now);
    }

    /// The next message to be sent, and whether it was sent before.
    pub(super) fn pop(&mut self) -> Option<(u64, Message, bool)> {
        let seq = self.queue.pop_front()?;
        let first = self.unacked.front().map_or(seq, |(first, _)| *first);
        let (_, message) = self.unacked.get(usize::try_from(seq.saturating_sub(first)).ok()?)?;
        let repeated = seq <= self.sent_through;
        self.sent_through = self.sent_through.max(seq);
        Some((seq, message.clone(), repeated))
    }

    /// The peer has everything up to `seq`.
    pub(super) fn acknowledge(&mut self, seq: u64, now: Time) {
        // What was never sent cannot have arrived.
        let seq = seq.min(self.sent_through);
        let before = self.unacked.len();
        while self.unacked.front().is_some_and(|(first, _)| *first <= seq) {
            if let Some((_, message)) = self.unacked.pop_front() {
                self.bytes -= weight(&message);
            }
        }
        if self.unacked.len() != before {
            let oldest = self.unacked.front().map_or(u64::MAX, |(first, _)| *first);
            self.queue.retain(|queued| *queued >= oldest);
            self.wait_from(now);
        }
    }

    /// The number of the last message of which all before it arrived too.
    pub(super) fn acknowledged(&self) -> u64 {
        self.unacked.front().map_or(self.next, |(first, _)| *first) - 1
    }

    pub(super) fn len(&self) -> usize {
        self.unacked.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.unacked.is_empty()
    }

    fn wait_from(&mut self, now: Time) {
        self.interval = FIRST_REPEAT;
        self.waiting_since = now;
        self.due = now + FIRST_REPEAT;
    }

    pub(super) fn due(&self) -> Option<Time> {
        (!self.unacked.is_empty()).then_some(self.due)
    }

    /// Repeats what is due.
    pub(super) fn handle_timeout(&mut self, now: Time, give_up: Duration) -> Result<(), Unreachable> {
        if self.due().is_none_or(|due| now < due) {
            return Ok(());
        }
        if now - self.waiting_since >= give_up {
            return Err(Unreachable);
        }
        self.repeat(WINDOW);
        self.interval = (self.interval * 2).min(LONGEST_REPEAT);
        self.due = (now + self.interval).min(self.waiting_since + give_up);
        Ok(())
    }

    /// Another transport: everything goes out again, at once.
    pub(super) fn resume(&mut self, now: Time) {
        self.wait_from(now);
        self.repeat(MAX_UNACKED);
    }

    fn repeat(&mut self, most: usize) {
        // What has not been sent yet follows behind.
        let waiting = std::mem::take(&mut self.queue);
        self.queue.extend(self.unacked.iter().take(most).map(|(seq, _)| *seq));
        let last = self.queue.back().copied().unwrap_or(0);
        self.queue.extend(waiting.into_iter().filter(|seq| *seq > last));
    }
}

/// About how many bytes a message holds.
pub(super) fn weight(message: &Message) -> usize {
    64 + match message {
        Message::Description(description) => description.sdp.len(),
        Message::Candidate(candidate) => {
            candidate.candidate.len()
                + candidate.sdp_mid.as_ref().map_or(0, String::len)
                + candidate.username_fragment.as_ref().map_or(0, String::len)
        }
        _ => 0,
    }
}
