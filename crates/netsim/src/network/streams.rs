//! The packets of connections.

use std::net::SocketAddr;

use super::Network;
use crate::id::{HostId, InterfaceId, SocketId};
use crate::packet::Slot;
use crate::queue::Due;
use crate::stream::{Connection, Departure, Segment, StreamEnd, StreamEvent};
use crate::topology::Attachment;
use crate::trace::{DropReason, Event, Place};

impl Network {
    /// The most bytes of a connection that arrive at once, 1200 by default; with 1 every byte comes alone.
    pub fn set_stream_chunk(&mut self, bytes: usize) {
        self.topology.streams.chunk = bytes.max(1);
    }

    /// Ends the connections of an endpoint from outside, as a middlebox does that resets both sides. How many there were.
    pub fn reset_streams(&mut self, endpoint: impl Into<crate::EndpointId>) -> usize {
        let sockets = self.topology.streams.of(endpoint.into());
        for &socket in &sockets {
            let Some(connection) = self.topology.streams.get(socket) else { continue };
            let endpoint = connection.endpoint;
            self.topology.streams.close(socket, true);
            let ended = StreamEvent::Ended { socket, end: StreamEnd::Reset };
            self.visit(endpoint, |endpoint, _, now| endpoint.handle_stream(ended, now));
        }
        self.send_departures();
        sockets.len()
    }

    /// Sends what hosts have written to their connections.
    pub(super) fn send_departures(&mut self) {
        while let Some(departure) = self.topology.streams.next_departure() {
            self.depart(&departure);
        }
    }

    fn depart(&mut self, departure: &Departure) {
        let Departure { host, local, remote, .. } = *departure;
        let of_address = |ip| {
            let mut own = self.topology.interfaces_of(host);
            own.find(|own| own.addresses.contains(&ip)).map(|own| own.id)
        };
        let (from, to_self) = (of_address(local.ip()), of_address(remote.ip()));
        // A host that has lost the address loses the packet; TCP would try for a while.
        let Some(interface) = from else { return };
        let Some(segment) = self.topology.interface(interface).and_then(|i| i.segment) else { return };
        let flow = self.flow_of(interface.0.into(), local, remote, &[]);
        let slot = self.pool.insert(local, remote, flow, &departure.bytes);
        self.pool.get_mut(slot).segment = Some(departure.segment);
        self.tap(slot, Event::Sent { endpoint: departure.endpoint, socket: departure.socket });
        match to_self {
            Some(own) => self.queue.push(self.now, Due::Arrival(slot, Attachment::Interface(own))),
            None => self.forward(slot, segment, Some(Attachment::Interface(interface))),
        }
    }

    /// A packet of a connection reached its host.
    pub(super) fn arrive_on_stream(&mut self, slot: Slot, interface: InterfaceId, segment: Segment) {
        let host = self.topology.interfaces[interface.index()].host;
        let packet = self.pool.get(slot);
        let (local, remote) = (packet.destination, packet.source);
        let socket = self.topology.streams.between(host, local, remote);
        let listener = self.topology.streams.listener(host, local);
        match (socket, segment) {
            (Some(socket), _) => self.take_segment(slot, socket, segment),
            (None, Segment::Open) if listener.is_some() => self.accept(slot, host, local, remote),
            // RFC 9293 §3.10.7.1: whatever belongs to no connection is answered by a reset, but resets.
            (None, segment) => {
                self.drop_packet(slot, DropReason::PortClosed, Place::Host(host));
                if segment != Segment::Reset {
                    self.topology.streams.refuse(host, local, remote);
                    self.send_departures();
                }
            }
        }
    }

    fn accept(&mut self, slot: Slot, host: HostId, local: SocketAddr, peer: SocketAddr) {
        let Some(listener) = self.topology.streams.listener(host, local) else { return };
        let socket = self.topology.next_socket();
        self.tap(slot, Event::Delivered { endpoint: listener.endpoint, socket });
        self.pool.release(slot);
        let connection = Connection::new(host, listener.endpoint, local, peer);
        self.topology.streams.accept(socket, connection);
        let accepted = StreamEvent::Accepted { listener: listener.id, socket, peer };
        self.visit(listener.endpoint, |endpoint, _, now| endpoint.handle_stream(accepted, now));
    }

    fn take_segment(&mut self, slot: Slot, socket: SocketId, segment: Segment) {
        let Some(connection) = self.topology.streams.get_mut(socket) else { return };
        let endpoint = connection.endpoint;
        let was_established = std::mem::replace(&mut connection.established, true);
        let bytes = std::mem::take(&mut self.pool.get_mut(slot).bytes);
        match segment {
            Segment::Bytes(number) => connection.keep(number, Some(bytes.clone())),
            Segment::Close(number) => connection.keep(number, None),
            _ => {}
        }
        self.pool.get_mut(slot).bytes = bytes;
        self.tap(slot, Event::Delivered { endpoint, socket });
        self.pool.release(slot);
        if segment == Segment::Reset {
            let end = if was_established { StreamEnd::Reset } else { StreamEnd::Refused };
            return self.end_stream(socket, end);
        }
        if !was_established {
            let connected = StreamEvent::Connected { socket };
            self.visit(endpoint, |endpoint, _, now| endpoint.handle_stream(connected, now));
        }
        while let Some(next) = self.topology.streams.get_mut(socket).and_then(Connection::take) {
            match next {
                Some(bytes) => {
                    let bytes = StreamEvent::Bytes { socket, bytes: &bytes };
                    self.visit(endpoint, |endpoint, _, now| endpoint.handle_stream(bytes, now));
                }
                None => self.end_stream(socket, StreamEnd::Closed),
            }
        }
    }

    fn end_stream(&mut self, socket: SocketId, end: StreamEnd) {
        let Some(connection) = self.topology.streams.forget(socket) else { return };
        let ended = StreamEvent::Ended { socket, end };
        self.visit(connection.endpoint, |endpoint, _, now| endpoint.handle_stream(ended, now));
    }
}
