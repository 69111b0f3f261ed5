//! The clock, and what lies between the network and its endpoints.

use std::fmt;
use std::time::Duration;

use floe_stun::Time;

use super::{MAX_PAYLOAD, NOWHERE, Network};
use crate::endpoint::{Datagram, Endpoint, SendError, Transmit};
use crate::host::Host;
use crate::id::{EndpointId, HostId, InterfaceId};
use crate::packet::Slot;
use crate::queue::Due;
use crate::topology::{Attachment, Socket};
use crate::trace::{Event, Record};

/// What an endpoint may send at one instant before it counts as broken.
const MAX_AT_ONCE: u32 = 100_000;
/// How often an endpoint may ask to be woken within one [`BUSY_WINDOW`] before it counts as broken.
const MAX_WAKE_UPS: u32 = 10_000;
const BUSY_WINDOW: Duration = Duration::from_millis(1);
/// What may happen in the whole network at one instant.
const MAX_INSTANT_EVENTS: u32 = 10_000_000;

/// Why a network stands still for good. Always a fault of an endpoint, or a loop of links without delay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Halt {
    /// The endpoint wants to be woken at once, or a few nanoseconds later, again and again.
    BusyTimer(EndpointId),
    /// The endpoint's output has no end.
    EndlessOutput(EndpointId),
    /// Events cause more events without any time going by.
    Livelock,
}

impl fmt::Display for Halt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BusyTimer(id) => write!(f, "{id:?} asks to be woken without end"),
            Self::EndlessOutput(id) => write!(f, "{id:?} sends without end"),
            Self::Livelock => f.write_str("packets beget packets without any time going by"),
        }
    }
}

/// An endpoint's place in the network.
pub(super) struct Seat {
    /// Absent while the endpoint is being called, and once it has been removed.
    endpoint: Option<Box<dyn Endpoint>>,
    pub(super) host: HostId,
    /// The wake-up in the queue that counts; others are outdated.
    wake_at: Time,
    /// Wake-ups since the start of a window.
    wake_ups: (Time, u32),
}

impl Seat {
    pub(super) fn new(endpoint: Box<dyn Endpoint>, host: HostId) -> Self {
        Self { endpoint: Some(endpoint), host, wake_at: Time::MAX, wake_ups: (Time::ZERO, 0) }
    }

    pub(super) fn take(&mut self) -> Option<Box<dyn Endpoint>> {
        self.wake_at = Time::MAX;
        self.endpoint.take()
    }

    pub(super) fn endpoint(&self) -> Option<&dyn Endpoint> {
        self.endpoint.as_deref()
    }
}

impl fmt::Debug for Seat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Seat")
            .field("host", &self.host)
            .field("wake_at", &self.wake_at)
            .finish_non_exhaustive()
    }
}

impl Network {
    /// Lets the next thing happen. Whether there was one.
    pub fn step(&mut self) -> bool {
        if self.halted.is_some() {
            return false;
        }
        let Some((time, due)) = self.queue.pop() else { return false };
        if time > self.now {
            self.now = time;
            self.instant_events = 0;
        }
        self.instant_events += 1;
        if self.instant_events > MAX_INSTANT_EVENTS {
            self.halted = Some(Halt::Livelock);
            return false;
        }
        match due {
            Due::Arrival(slot, at) => self.arrive(slot, at),
            Due::Wake(id) => self.wake(id),
            Due::Signal { from, to, message } => self.deliver_signal(from, to, message),
        }
        true
    }

    /// Lets everything happen that does within `duration`, and moves the clock by it.
    pub fn run_for(&mut self, duration: Duration) {
        self.run_until(duration, |_| false);
    }

    /// Lets things happen until `done` says so, which it is asked at the start and after each; at most for `limit`.
    /// Whether it did: otherwise the clock has moved by `limit`.
    pub fn run_until(&mut self, limit: Duration, mut done: impl FnMut(&Self) -> bool) -> bool {
        let end = self.now.saturating_add(limit);
        loop {
            if done(self) {
                return true;
            }
            if self.queue.next_time().is_none_or(|next| next > end) || !self.step() {
                break;
            }
        }
        if self.halted.is_none() && end > self.now {
            self.now = end;
            self.instant_events = 0;
        }
        false
    }

    /// Why the network stands still for good, if it does. A test that expects progress fails anyway; this says why.
    #[must_use]
    pub const fn halted(&self) -> Option<Halt> {
        self.halted
    }

    /// Calls an endpoint, then takes what it has to send.
    pub(super) fn visit<R>(
        &mut self,
        id: EndpointId,
        call: impl FnOnce(&mut dyn Endpoint, &mut Host<'_>, Time) -> R,
    ) -> Option<R> {
        let seat = self.seats.get_mut(id.index())?;
        let host = seat.host;
        let mut endpoint = seat.endpoint.take()?;
        let mut view = Host { topology: &mut self.topology, host, endpoint: id };
        let result = call(&mut *endpoint, &mut view, self.now);
        self.drain(id, host, &mut *endpoint);
        let wanted = endpoint.poll_timeout();
        self.seats[id.index()].endpoint = Some(endpoint);
        self.schedule(id, wanted);
        Some(result)
    }

    fn schedule(&mut self, id: EndpointId, wanted: Option<Time>) {
        let Some(wanted) = wanted.filter(|&time| time < Time::MAX) else { return };
        let at = wanted.max(self.now);
        let seat = &mut self.seats[id.index()];
        // A wake-up that comes too early looks again; only an earlier one needs a new entry.
        if at < seat.wake_at {
            seat.wake_at = at;
            self.queue.push(at, Due::Wake(id));
        }
    }

    fn wake(&mut self, id: EndpointId) {
        let seat = &mut self.seats[id.index()];
        if seat.wake_at != self.now {
            return;
        }
        seat.wake_at = Time::MAX;
        let wanted = seat.endpoint().and_then(Endpoint::poll_timeout);
        if wanted.is_none_or(|time| time > self.now) {
            return self.schedule(id, wanted);
        }
        let (start, count) = &mut seat.wake_ups;
        if self.now - *start >= BUSY_WINDOW {
            (*start, *count) = (self.now, 0);
        }
        *count += 1;
        if *count > MAX_WAKE_UPS {
            self.halted = Some(Halt::BusyTimer(id));
            return;
        }
        self.visit(id, |endpoint, _, now| endpoint.handle_timeout(now));
    }

    /// Takes everything an endpoint has to send.
    fn drain(&mut self, id: EndpointId, host: HostId, endpoint: &mut dyn Endpoint) {
        let mut buffer = std::mem::take(&mut self.scratch);
        buffer.resize(MAX_PAYLOAD, 0);
        let mut budget = MAX_AT_ONCE;
        loop {
            endpoint.poll_host(&mut Host { topology: &mut self.topology, host, endpoint: id }, self.now);
            let mut failed = false;
            while let Some(transmit) = endpoint.poll_transmit(&mut buffer) {
                if let Err(error) = self.send(id, host, &transmit, &buffer) {
                    self.refuse(id, &transmit, error);
                    endpoint.handle_send_error(transmit, error, self.now);
                    failed = true;
                }
                budget -= 1;
                if budget == 0 {
                    break;
                }
            }
            self.send_departures();
            self.drain_signals(id, endpoint, &mut budget);
            self.drain_notes(id, endpoint, &mut budget);
            if budget == 0 {
                self.halted = Some(Halt::EndlessOutput(id));
                break;
            }
            // A failure may have made it open, close or send something.
            if !failed {
                break;
            }
        }
        self.scratch = buffer;
    }

    fn drain_signals(&mut self, from: EndpointId, endpoint: &mut dyn Endpoint, budget: &mut u32) {
        let mut message = Vec::new();
        while *budget > 0 {
            message.clear();
            let Some(to) = endpoint.poll_signal(&mut message) else { return };
            *budget -= 1;
            let slot = self.pool.insert(NOWHERE, NOWHERE, None, &message);
            self.tap(slot, Event::SignalSent { from, to });
            let delay = self.signal_delays.get(&(from, to)).copied().unwrap_or(self.signal_delay);
            let latest = self.signal_latest.entry((from, to)).or_default();
            *latest = self.now.saturating_add(delay).max(*latest);
            self.queue.push(*latest, Due::Signal { from, to, message: slot });
        }
    }

    fn drain_notes(&mut self, id: EndpointId, endpoint: &mut dyn Endpoint, budget: &mut u32) {
        if !self.trace.is_recording() {
            return;
        }
        let mut note = String::new();
        while *budget > 0 && endpoint.poll_note(&mut note, self.now) {
            self.push_note(Some(id), &note);
            note.clear();
            *budget -= 1;
        }
    }

    fn deliver_signal(&mut self, from: EndpointId, to: EndpointId, message: Slot) {
        self.tap(message, Event::SignalDelivered { from, to });
        let bytes = std::mem::take(&mut self.pool.get_mut(message).bytes);
        self.visit(to, |endpoint, _, now| endpoint.handle_signal(from, &bytes, now));
        self.pool.get_mut(message).bytes = bytes;
        self.pool.release(message);
    }

    fn send(
        &mut self,
        id: EndpointId,
        host: HostId,
        transmit: &Transmit,
        buffer: &[u8],
    ) -> Result<(), SendError> {
        let bytes = buffer.get(..transmit.len).ok_or(SendError::TooLong)?;
        if self.topology.streams.get(transmit.socket).is_some_and(|own| own.endpoint == id) {
            self.topology.streams.write(transmit.socket, bytes);
            return Ok(());
        }
        let (interface, source, destination) = self.topology.outgoing(id, host, transmit)?;
        let state = self.topology.interface(interface).ok_or(SendError::NoRoute)?;
        let segment = state.segment.ok_or(SendError::NoRoute)?;
        if !state.uplink.fits(bytes.len(), destination.is_ipv4()) {
            return Err(SendError::TooLong);
        }
        let own = self.topology.interfaces_of(host).find(|own| own.addresses.contains(&destination.ip()));
        let own = own.map(|own| own.id);
        let flow = self.flow_of(interface.0.into(), source, destination, bytes);
        let slot = self.pool.insert(source, destination, flow, bytes);
        self.tap(slot, Event::Sent { endpoint: id, socket: transmit.socket });
        match own {
            // A host's packets to itself never see a link.
            Some(own) => self.queue.push(self.now, Due::Arrival(slot, Attachment::Interface(own))),
            None => self.forward(slot, segment, Some(Attachment::Interface(interface))),
        }
        Ok(())
    }

    fn refuse(&mut self, endpoint: EndpointId, transmit: &Transmit, error: SendError) {
        let packet = self.pool.next_id();
        let event = Event::Refused { endpoint, error };
        let destination = transmit.destination;
        let (time, source, bytes) = (self.now, NOWHERE, &[][..]);
        self.trace.push(Record { time, packet, event, source, destination, bytes });
    }

    /// Hands a packet to the endpoint that owns the socket.
    pub(super) fn deliver(&mut self, slot: Slot, interface: InterfaceId, socket: Socket) {
        self.tap(slot, Event::Delivered { endpoint: socket.endpoint, socket: socket.id });
        let packet = self.pool.get_mut(slot);
        let bytes = std::mem::take(&mut packet.bytes);
        let (source, local) = (packet.source, packet.destination);
        let datagram = Datagram {
            socket: socket.id,
            local: self.topology.seen_by(interface, local),
            source: self.topology.seen_by(interface, source),
            contents: &bytes,
        };
        self.visit(socket.endpoint, |endpoint, _, now| endpoint.handle_datagram(datagram, now));
        self.pool.get_mut(slot).bytes = bytes;
        self.pool.release(slot);
    }

    /// Tells the endpoints of a host that its interfaces have changed.
    pub(super) fn announce_change(&mut self, host: HostId) {
        for index in 0..self.seats.len() {
            if self.seats[index].host == host {
                let id = EndpointId(index as u32);
                self.visit(id, Endpoint::handle_network_change);
            }
        }
    }
}
