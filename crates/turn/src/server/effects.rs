//! The one sink: what an input causes is queued here, final, until it is polled.

use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::vec::Vec;

use floe_stun::attributes::Software;
use floe_stun::{
    Class, EncodeError, IntegrityAlgorithm, Key, Message, MessageBuilder, Method, TransactionId,
};

use super::event::{Command, Event};
use super::link::Link;
use super::rejection::{Rejection, Stats, count};

/// Bytes that always suffice for one packet of [`Server::poll_transmit`](super::Server::poll_transmit).
pub const MAX_TRANSMIT: usize = 576 - 20 - 8;

/// Events kept for an operator who does not poll; beyond it the oldest go.
const MAX_EVENTS: usize = 4096;

/// Commands that may wait before no more relays are opened. Those that close them are as many as were opened.
const MAX_COMMANDS: usize = 4096;

/// Buffers kept for the next responses.
const MAX_SPARE: usize = 32;

/// A packet to send; its bytes are in the buffer that was handed to
/// [`Server::poll_transmit`](super::Server::poll_transmit).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Transmit {
    /// The socket to send it from and the client to send it to.
    pub link: Link,
    /// How many bytes of the buffer it takes.
    pub len: usize,
}

/// To whom and how a request is answered.
#[derive(Clone)]
pub(super) struct Reply {
    pub(super) link: Link,
    pub(super) method: Method,
    pub(super) id: TransactionId,
    pub(super) fingerprint: bool,
    /// What protects the response; nothing before the request is authenticated.
    pub(super) seal: Option<(Key, IntegrityAlgorithm)>,
}

impl Reply {
    pub(super) fn to(request: &Message<'_>, link: Link) -> Self {
        Self {
            link,
            method: request.method(),
            id: request.transaction_id(),
            fingerprint: request.has_fingerprint(),
            seal: None,
        }
    }

    /// Ends a message: integrity, and FINGERPRINT if the request has one.
    fn finish(&self, message: MessageBuilder<'_>) -> Result<usize, EncodeError> {
        match (&self.seal, self.fingerprint) {
            (Some((key, algorithm)), true) => message.integrity(key, *algorithm).fingerprint().finish(),
            (Some((key, algorithm)), false) => message.integrity(key, *algorithm).finish(),
            (None, true) => message.fingerprint().finish(),
            (None, false) => message.finish(),
        }
    }
}

/// See the module.
pub(super) struct Effects {
    transmits: VecDeque<(Link, Vec<u8>)>,
    spare: Vec<Vec<u8>>,
    commands: VecDeque<Command>,
    events: VecDeque<Event>,
    software: Option<String>,
    max_transmits: usize,
    pub(super) stats: Stats,
}

impl Effects {
    pub(super) fn new(software: Option<String>, max_transmits: u16) -> Self {
        Self {
            transmits: VecDeque::new(),
            spare: Vec::new(),
            commands: VecDeque::new(),
            events: VecDeque::new(),
            software,
            max_transmits: usize::from(max_transmits),
            stats: Stats::default(),
        }
    }

    /// Queues what `write` writes; dropped and counted if the queue is full.
    pub(super) fn send(
        &mut self,
        link: Link,
        write: impl FnOnce(&mut [u8]) -> Result<usize, EncodeError>,
    ) -> Result<(), Rejection> {
        if self.transmits.len() >= self.max_transmits {
            count(&mut self.stats.dropped);
            return Err(Rejection::QueueFull);
        }
        let mut buffer = self.spare.pop().unwrap_or_default();
        buffer.resize(MAX_TRANSMIT, 0);
        // Whatever the server writes fits; a test builds the largest.
        let Ok(len) = write(&mut buffer) else { return Err(Rejection::TooLong) };
        buffer.truncate(len);
        self.transmits.push_back((link, buffer));
        Ok(())
    }

    /// Answers a request with a response of this class and these attributes.
    pub(super) fn respond(
        &mut self,
        reply: &Reply,
        class: Class,
        attributes: impl for<'b> FnOnce(MessageBuilder<'b>) -> MessageBuilder<'b>,
    ) {
        // RFC 8656 §5: SOFTWARE in what answers Allocate and Refresh.
        let names_itself = matches!(reply.method, Method::ALLOCATE | Method::REFRESH);
        let software = self.software.take();
        // Dropped if the queue is full: the client asks again.
        let _ = self.send(reply.link, |out| {
            let named = software.as_deref().filter(|_| names_itself).map(Software::new);
            let message = MessageBuilder::new(out, class, reply.method, reply.id);
            reply.finish(attributes(message).maybe(named.as_ref()))
        });
        self.software = software;
    }

    pub(super) fn pop_transmit(&mut self, out: &mut [u8]) -> Option<Transmit> {
        let (_, bytes) = self.transmits.front()?;
        let len = bytes.len();
        // A buffer that is too small keeps the packet for one that is not.
        out.get_mut(..len)?.copy_from_slice(bytes);
        let (link, bytes) = self.transmits.pop_front()?;
        if self.spare.len() < MAX_SPARE {
            self.spare.push(bytes);
        }
        Some(Transmit { link, len })
    }

    /// Whether so many commands wait that no more should be caused.
    pub(super) fn is_driver_behind(&self) -> bool {
        self.commands.len() >= MAX_COMMANDS
    }

    pub(super) fn command(&mut self, command: Command) {
        self.commands.push_back(command);
    }

    pub(super) fn pop_command(&mut self) -> Option<Command> {
        self.commands.pop_front()
    }

    pub(super) fn event(&mut self, event: Event) {
        if self.events.len() >= MAX_EVENTS {
            self.events.pop_front();
            count(&mut self.stats.dropped);
        }
        self.events.push_back(event);
    }

    pub(super) fn pop_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }
}
