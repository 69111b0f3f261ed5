//! Someone in a room: what is sent to them and not confirmed yet, and when they were heard of last.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use floe_signal::message::{Envelope, Message, Participant as Person, ParticipantId};

use super::super::bucket::Bucket;
use super::super::limits::Limits;
use super::{Over, TransportId};

/// A message on its way to a participant.
struct Outgoing {
    number: u64,
    text: Arc<str>,
    is_ping: bool,
}

/// The messages for a participant, from the oldest that is not confirmed.
#[derive(Default)]
struct Outbox {
    messages: VecDeque<Outgoing>,
    bytes: usize,
    /// The number of the last message there was.
    last: u64,
    /// The number of the last message that the present transport took.
    taken: u64,
    /// Messages, and bytes, since the last ping.
    unasked: (usize, usize),
    /// Pings that the present transport took and that are not answered.
    pings: VecDeque<u64>,
}

impl Outbox {
    fn push(&mut self, text: Arc<str>, is_ping: bool) {
        self.last += 1;
        self.bytes += text.len();
        self.unasked = match is_ping {
            true => (0, 0),
            false => (self.unasked.0 + 1, self.unasked.1 + text.len()),
        };
        self.messages.push_back(Outgoing { number: self.last, text, is_ping });
    }

    fn has_room(&self, bytes: usize) -> bool {
        let fits = self.bytes + bytes <= Limits::QUEUE_BYTES || self.messages.is_empty();
        self.messages.len() < Limits::QUEUE && fits
    }

    fn take(&mut self) -> Option<(u64, Arc<str>)> {
        let first = self.messages.front()?.number;
        let at = (self.taken + 1).saturating_sub(first);
        let next = self.messages.get(usize::try_from(at).ok()?)?;
        self.taken = next.number;
        if next.is_ping {
            self.pings.push_back(next.number);
        }
        Some((next.number, next.text.clone()))
    }

    /// All up to this number arrived.
    fn confirm(&mut self, number: u64) {
        let confirmed = self.messages.partition_point(|message| message.number <= number);
        self.bytes -= self.messages.drain(..confirmed).map(|message| message.text.len()).sum::<usize>();
        self.pings.retain(|ping| *ping > number);
    }

    /// What the last transport took may not have arrived.
    fn begin_again(&mut self) {
        self.pings.clear();
        self.taken = self.messages.front().map_or(self.last, |first| first.number - 1);
    }
}

/// How a participant is connected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Connection {
    /// Through this transport.
    Up(TransportId),
    /// Not since then.
    Down(Instant),
}

/// Someone in a room.
pub(super) struct Participant {
    pub(super) person: Person,
    pub(super) room: Box<str>,
    pub(super) resume: Box<str>,
    pub(super) client: SocketAddr,
    pub(super) entered: Instant,
    pub(super) connection: Connection,
    /// Whether they have shown that they know their `resume`.
    pub(super) can_resume: bool,
    /// When they are looked at again: no later than their deadline.
    pub(super) looked_after: Instant,
    messages: Bucket,
    bytes: Bucket,
    strikes: u32,
    outbox: Outbox,
    heard: Instant,
    /// Since when a ping is without an answer.
    asked: Option<Instant>,
}

/// What a message costs its sender.
pub(super) enum Charge {
    Passes,
    /// The first refusal is explained.
    Refused {
        first: bool,
    },
    Out,
}

impl Participant {
    pub(super) fn new(
        person: Person,
        room: &str,
        resume: Box<str>,
        client: SocketAddr,
        limits: &Limits,
        now: Instant,
    ) -> Self {
        let mut participant = Self {
            person,
            room: room.into(),
            resume,
            client,
            entered: now,
            connection: Connection::Down(now),
            can_resume: false,
            looked_after: now + limits.resume,
            messages: Bucket::new(limits.messages_per_second, limits.messages_at_once(), now),
            bytes: Bucket::new(limits.bytes_per_second, limits.bytes_at_once(), now),
            strikes: 0,
            outbox: Outbox::default(),
            heard: now,
            asked: None,
        };
        // Whose answer shows that the welcome arrived.
        participant.ping(now);
        participant
    }

    pub(super) fn id(&self) -> &ParticipantId {
        &self.person.id
    }

    pub(super) fn is_up(&self) -> bool {
        matches!(self.connection, Connection::Up(_))
    }

    /// Whether this message may come now.
    pub(super) fn charge(&mut self, bytes: usize, now: Instant) -> Charge {
        if self.messages.has(1, now) && self.bytes.has(bytes, now) {
            self.messages.take(1);
            self.bytes.take(bytes);
            if self.messages.is_calm() && self.bytes.is_calm() {
                self.strikes = 0;
            }
            return Charge::Passes;
        }
        self.strikes += 1;
        match self.strikes {
            1 => Charge::Refused { first: true },
            strikes if strikes < Limits::STRIKES => Charge::Refused { first: false },
            _ => Charge::Out,
        }
    }

    pub(super) fn heard(&mut self, now: Instant) {
        self.heard = now;
        self.can_resume = true;
    }

    /// A `pong`: the oldest ping arrived, with all that was before it.
    pub(super) fn confirm_ping(&mut self, now: Instant) {
        if let Some(ping) = self.outbox.pings.front().copied() {
            self.outbox.confirm(ping);
            self.asked = self.is_asked().then_some(now);
        }
    }

    /// It says that it has everything up to this number.
    pub(super) fn confirm(&mut self, number: u64, now: Instant) {
        self.outbox.confirm(number.min(self.outbox.last));
        self.asked = self.is_asked().then_some(now);
    }

    fn is_asked(&self) -> bool {
        self.outbox.messages.iter().any(|message| message.is_ping)
    }

    /// Puts a message for them into the queue. False if it is full.
    pub(super) fn push(&mut self, text: Arc<str>, now: Instant) -> bool {
        if !self.outbox.has_room(text.len()) {
            return false;
        }
        self.outbox.push(text, false);
        let (messages, bytes) = self.outbox.unasked;
        if messages >= Limits::CONFIRM || bytes >= Limits::CONFIRM_BYTES {
            self.ping(now);
        }
        true
    }

    /// A ping always has room: there is one in 32 messages at most, and one in 15 s.
    fn ping(&mut self, now: Instant) {
        self.outbox.push(Envelope::new(Message::Ping).to_json().into(), true);
        self.asked.get_or_insert(now);
    }

    /// The next message for this transport.
    pub(super) fn take(&mut self) -> Option<(u64, Arc<str>)> {
        self.outbox.take()
    }

    /// A transport is there.
    pub(super) fn connect(&mut self, transport: TransportId, client: SocketAddr, now: Instant) {
        self.connection = Connection::Up(transport);
        self.client = client;
        self.heard = now;
        self.outbox.begin_again();
        if !self.is_asked() {
            self.ping(now);
        }
        self.asked = Some(now);
    }

    /// When something is to be done about them.
    pub(super) fn deadline(&self, limits: &Limits) -> Instant {
        match (self.connection, self.asked) {
            (Connection::Down(since), _) => since + limits.resume,
            (Connection::Up(_), Some(asked)) => asked + Limits::PATIENCE,
            (Connection::Up(_), None) => self.heard + Limits::QUIET,
        }
    }

    /// It was quiet for long, or did not answer for long: then why its transport is over.
    pub(super) fn lapse(&mut self, now: Instant) -> Option<Over> {
        match self.asked {
            Some(_) => Some(Over::Silent),
            None => {
                self.ping(now);
                None
            }
        }
    }
}
