//! The one sink: everything an input causes is queued here, final, until it is polled.

use alloc::collections::VecDeque;

use crate::event::Event;
use crate::io::Command;
use crate::keys::Generation;
use crate::message::Outgoing;
use crate::random::Random;
use crate::stats::Counters;

/// Events kept for an application that does not poll. State changes beyond it replace older ones of their kind.
const MAX_EVENTS: usize = 1024;

/// Queued packets, commands and events, the counters, and the generator: what a packet needs of it is drawn when the
/// packet is queued.
#[derive(Clone)]
pub(crate) struct Effects {
    packets: VecDeque<Outgoing>,
    commands: VecDeque<Command>,
    events: VecDeque<Event>,
    max_packets: usize,
    /// ICE has completed: events and commands will be rare.
    quiet: bool,
    pub(crate) counters: Counters,
    pub(crate) random: Random,
}

impl Effects {
    pub(crate) fn new(random: Random, max_packets: u16) -> Self {
        Self {
            packets: VecDeque::new(),
            commands: VecDeque::new(),
            events: VecDeque::new(),
            max_packets: usize::from(max_packets),
            quiet: false,
            counters: Counters::default(),
            random,
        }
    }

    /// Whether a packet more can be queued. New transactions wait for it.
    pub(crate) fn has_room(&self) -> bool {
        self.packets.len() < self.max_packets
    }

    fn push(&mut self, packet: Outgoing) {
        // By two, an answer and a check, which is all that most agents ever have.
        if self.packets.len() == self.packets.capacity() {
            self.packets.reserve_exact(self.packets.len().max(2));
        }
        self.packets.push_back(packet);
    }

    /// A request, retransmission or indication; dropped if the queue is full, as the network might have dropped it.
    pub(crate) fn send(&mut self, packet: Outgoing) {
        if self.has_room() {
            self.push(packet);
        }
    }

    /// A response; dropped and counted if the queue is full, since the peer will ask again.
    pub(crate) fn respond(&mut self, packet: Outgoing) {
        if self.has_room() {
            self.counters.responses_sent = self.counters.responses_sent.saturating_add(1);
            self.push(packet);
        } else {
            self.counters.responses_dropped = self.counters.responses_dropped.saturating_add(1);
        }
    }

    pub(crate) fn command(&mut self, command: Command) {
        self.commands.push_back(command);
    }

    pub(crate) fn event(&mut self, event: Event) {
        if self.events.len() >= MAX_EVENTS {
            let kind = core::mem::discriminant(&event);
            let older = self.events.iter().position(|e| core::mem::discriminant(e) == kind);
            self.events.remove(older.unwrap_or(0));
            self.counters.events_dropped = self.counters.events_dropped.saturating_add(1);
        }
        self.events.push_back(event);
    }

    /// The next packet. It is encoded where it is: taken out first, it would be copied twice.
    pub(crate) fn next_packet(&self) -> Option<&Outgoing> {
        self.packets.front()
    }

    /// The next packet was encoded.
    pub(crate) fn packet_done(&mut self) {
        self.packets.pop_front();
    }

    /// The next packet that leaves through a relay.
    pub(crate) fn take_relayed(&mut self) -> Option<Outgoing> {
        let at = self.packets.iter().position(|packet| packet.socket.is_relay())?;
        self.packets.remove(at)
    }

    pub(crate) fn poll_command(&mut self) -> Option<Command> {
        pop(&mut self.commands, self.quiet)
    }

    pub(crate) fn poll_event(&mut self) -> Option<Event> {
        pop(&mut self.events, self.quiet)
    }

    /// Whether ICE has completed. Then the queues give back what connecting needed; room for two packets stays, an answer and a
    /// consent check.
    pub(crate) fn set_quiet(&mut self, quiet: bool) {
        self.quiet = quiet;
        if quiet {
            self.packets.shrink_to(2);
        }
    }

    /// Whether a packet is queued that these credentials sign.
    pub(crate) fn has_packet_of(&self, keys: Generation) -> bool {
        self.packets.iter().any(|packet| packet.keys() == Some(keys))
    }

    /// How many packets can be queued.
    pub(crate) fn max_packets(&self) -> usize {
        self.max_packets
    }

    /// Look-ups that the driver has not been asked for, and that nobody waits for any more.
    pub(crate) fn discard_resolutions(&mut self) {
        self.commands.retain(|c| !matches!(c, Command::Resolve { .. }));
    }

    /// Packets that nobody may send any more.
    pub(crate) fn discard_packets(&mut self) {
        self.packets.clear();
    }

    /// Questions to the driver whose answers nobody waits for any more. Sockets are still to be closed.
    pub(crate) fn discard_requests(&mut self) {
        self.commands.retain(|c| matches!(c, Command::CloseSocket { .. }));
    }

    pub(crate) fn check_invariants(&self) {
        assert!(self.packets.len() <= self.max_packets, "queued packets are bounded");
        assert!(self.events.len() <= MAX_EVENTS, "queued events are bounded");
    }
}

/// Pops from a queue, which gives its memory back when it is empty and nothing more is expected.
fn pop<T>(queue: &mut VecDeque<T>, quiet: bool) -> Option<T> {
    let next = queue.pop_front();
    if next.is_none() && quiet && queue.capacity() > 0 {
        *queue = VecDeque::new();
    }
    next
}
