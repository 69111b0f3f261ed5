//! A packet's way: through links, segments, and routers.

use std::hash::Hasher;
use std::net::{SocketAddr, SocketAddrV4};

use super::Network;
use crate::firewall::FirewallDrop;
use crate::flow::{FlowKey, InFlow};
use crate::hash::Mixer;
use crate::id::{InterfaceId, RouterId, SegmentId};
use crate::link::{Link, up_to};
use crate::nat::NatDrop;
use crate::packet::Slot;
use crate::queue::Due;
use crate::topology::{Attachment, Topology};
use crate::trace::{DropReason, Event, Place, Record};

/// Routers a packet may pass.
const HOP_LIMIT: u8 = 64;

/// A packet's crossing of one segment, as far as it has been decided.
#[derive(Clone, Copy)]
struct Crossing {
    segment: SegmentId,
    from: Option<Attachment>,
    to: Attachment,
    /// Which of the three links is next: up to the segment, through it, down from it.
    link: u8,
    /// Nanoseconds since it was sent into the segment.
    delay: u64,
    /// A link with jitter is on the way, so the flow's order has to be kept.
    jittered: bool,
    /// Held back on purpose, for others to overtake.
    held: bool,
}

impl Network {
    /// Writes what happened to a packet into the trace.
    pub(super) fn tap(&mut self, slot: Slot, event: Event) {
        let packet = self.pool.get(slot);
        self.trace.push(Record {
            time: self.now,
            packet: packet.id,
            event,
            source: packet.source,
            destination: packet.destination,
            bytes: &packet.bytes,
        });
    }

    pub(super) fn drop_packet(&mut self, slot: Slot, reason: DropReason, place: Place) {
        self.tap(slot, Event::Dropped { reason, place });
        self.pool.release(slot);
    }

    /// The next packet's place in its flow, if any link wants to know.
    pub(super) fn flow_of(
        &mut self,
        origin: u64,
        source: SocketAddr,
        destination: SocketAddr,
        bytes: &[u8],
    ) -> Option<InFlow> {
        if !self.topology.needs_flows {
            return None;
        }
        let mut content = Mixer::default();
        if self.repeats_apart {
            content.write(bytes);
        }
        Some(self.flows.next(FlowKey { origin, source, destination, content: content.finish() }))
    }

    /// Sends a packet into a segment.
    pub(super) fn forward(&mut self, slot: Slot, segment: SegmentId, from: Option<Attachment>) {
        let packet = self.pool.get_mut(slot);
        packet.hops += 1;
        if packet.hops > HOP_LIMIT {
            return self.drop_packet(slot, DropReason::HopLimit, Place::Segment(segment));
        }
        let destination = packet.destination.ip();
        let place = &self.topology.segments[segment.index()];
        match self.topology.next_hop(place, destination) {
            Some(to) if Some(to) != from => self
                .cross(slot, Crossing { segment, from, to, link: 0, delay: 0, jittered: false, held: false }),
            _ => self.drop_packet(slot, DropReason::NoRoute, Place::Segment(segment)),
        }
    }

    /// Takes a packet through the links that remain, and schedules its arrival.
    fn cross(&mut self, slot: Slot, mut crossing: Crossing) {
        let packet = self.pool.get(slot);
        let (place, hop, is_stream) = (packet.flow, packet.hops, packet.segment.is_some());
        let (len, ipv4) = (packet.bytes.len(), packet.destination.is_ipv4());
        while crossing.link < 3 {
            let link = next_link(&self.topology, &crossing);
            crossing.link += 1;
            if !is_stream && !link.fits(len, ipv4) {
                return self.drop_packet(slot, DropReason::TooLong, Place::Segment(crossing.segment));
            }
            let flow = place.and_then(|place| self.flows.get(place));
            if is_stream {
                // TCP sends again until it has arrived.
                if link.is_cut() {
                    return self.drop_packet(slot, DropReason::Lost, Place::Segment(crossing.segment));
                }
            } else if link.loses(&mut self.link_rng, flow, place.map_or(0, |place| place.seq)) {
                return self.drop_packet(slot, DropReason::Lost, Place::Segment(crossing.segment));
            }
            crossing.delay = crossing.delay.saturating_add(link.delay);
            if link.jitter > 0 {
                crossing.delay = crossing.delay.saturating_add(up_to(&mut self.link_rng, link.jitter));
                crossing.jittered = true;
            }
            if link.reorder.happens(&mut self.link_rng) {
                crossing.delay = crossing.delay.saturating_add(link.reorder_by);
                crossing.held = true;
            }
            if !is_stream && link.duplicate.happens(&mut self.link_rng) {
                let second = self.pool.duplicate(slot);
                let copy = self.pool.get(second).id;
                self.tap(slot, Event::Duplicated { copy });
                // The copy may be copied again, at the links that remain: at most two more levels.
                self.cross(second, crossing);
            }
        }
        let mut arrival = self.now.as_nanos().saturating_add(crossing.delay);
        if crossing.jittered
            && !crossing.held
            && let Some(flow) = place.and_then(|place| self.flows.get(place))
        {
            arrival = flow.in_order(hop, arrival);
        }
        self.queue.push(floe_stun::Time::from_nanos(arrival), Due::Arrival(slot, crossing.to));
    }

    /// A packet reached what is attached to a segment.
    pub(super) fn arrive(&mut self, slot: Slot, at: Attachment) {
        match at {
            Attachment::Interface(interface) => self.arrive_at_host(slot, interface),
            Attachment::Inside(router) => match self.route_out(slot, router) {
                Ok(Direction::Out) => {
                    let outside = self.topology.routers[router.index()].outside;
                    self.forward(slot, outside, Some(Attachment::Outside(router)));
                }
                Ok(Direction::In) => self.forward_inside(slot, router),
                Err(reason) => self.drop_packet(slot, reason, Place::Router(router)),
            },
            Attachment::Outside(router) => match self.route_in(slot, router) {
                Ok(()) => self.forward_inside(slot, router),
                Err(reason) => self.drop_packet(slot, reason, Place::Router(router)),
            },
        }
    }

    fn forward_inside(&mut self, slot: Slot, router: RouterId) {
        let inside = self.topology.routers[router.index()].inside;
        self.forward(slot, inside, Some(Attachment::Inside(router)));
    }

    fn arrive_at_host(&mut self, slot: Slot, id: InterfaceId) {
        let destination = self.pool.get(slot).destination;
        let interface = &self.topology.interfaces[id.index()];
        let host = interface.host;
        // It may have moved while the packet was on its way.
        if !interface.addresses.contains(&destination.ip()) {
            return self.drop_packet(slot, DropReason::NoRoute, Place::Host(host));
        }
        if let Some(segment) = self.pool.get(slot).segment {
            return self.arrive_on_stream(slot, id, segment);
        }
        match self.topology.socket_for(host, destination).copied() {
            Some(socket) => self.deliver(slot, id, socket),
            None => self.drop_packet(slot, DropReason::PortClosed, Place::Host(host)),
        }
    }

    /// A packet from inside at a router: filtered, translated, and told which way it goes.
    fn route_out(&mut self, slot: Slot, id: RouterId) -> Result<Direction, DropReason> {
        let router = &mut self.topology.routers[id.index()];
        let packet = self.pool.get_mut(slot);
        let inside = &self.topology.segments[router.inside.index()];
        let to = packet.destination.ip();
        if inside.addresses.get(&to) == Some(&Attachment::Inside(id)) || router.external_v6 == Some(to) {
            return Err(DropReason::NoService);
        }
        router.firewall(to.is_ipv4()).outbound(
            packet.source,
            packet.destination,
            packet.segment.is_some(),
            self.now,
        )?;
        let (SocketAddr::V4(source), SocketAddr::V4(destination)) = (packet.source, packet.destination)
        else {
            return Ok(Direction::Out);
        };
        let own = router.external_v4.contains(destination.ip());
        let direction = match &mut router.nat {
            None if own => return Err(DropReason::NoService),
            None => return Ok(Direction::Out),
            Some(nat) if own => {
                let (source, destination) = nat.hairpin(source, destination, self.now, &mut self.nat_rng)?;
                (packet.source, packet.destination) = (source.into(), destination.into());
                Direction::In
            }
            Some(nat) => {
                packet.source = nat.outbound(source, destination, self.now, &mut self.nat_rng)?.into();
                Direction::Out
            }
        };
        self.tap(slot, Event::Translated { router: id });
        Ok(direction)
    }

    /// A packet from outside at a router: translated and filtered.
    fn route_in(&mut self, slot: Slot, id: RouterId) -> Result<(), DropReason> {
        let router = &mut self.topology.routers[id.index()];
        let packet = self.pool.get_mut(slot);
        let mut translated = false;
        match (packet.source, packet.destination) {
            (SocketAddr::V4(source), SocketAddr::V4(destination)) => {
                let own = router.external_v4.contains(destination.ip());
                match &mut router.nat {
                    Some(nat) if own => {
                        let internal: SocketAddrV4 = nat.inbound(destination, source, self.now)?;
                        packet.destination = internal.into();
                        translated = true;
                    }
                    Some(_) => return Err(DropReason::NoService),
                    None if own => return Err(DropReason::NoService),
                    None => {}
                }
            }
            (_, destination) if Some(destination.ip()) == router.external_v6 => {
                return Err(DropReason::NoService);
            }
            _ => {}
        }
        let (source, destination, is_stream) = (packet.source, packet.destination, packet.segment.is_some());
        let firewall = router.firewall(destination.is_ipv4());
        let verdict = firewall.inbound(source, destination, is_stream, self.now);
        if translated {
            self.tap(slot, Event::Translated { router: id });
        }
        Ok(verdict?)
    }
}

/// Which way a packet from inside leaves a router.
enum Direction {
    Out,
    /// Back inside: hairpinned.
    In,
}

fn next_link<'a>(topology: &'a Topology, crossing: &Crossing) -> &'a Link {
    const IDEAL: &Link = &Link::IDEAL;
    match (crossing.link, crossing.from, crossing.to) {
        (0, Some(Attachment::Interface(id)), _) => {
            topology.interface(id).map_or(IDEAL, |interface| &interface.uplink)
        }
        (0, Some(Attachment::Outside(id)), _) => topology.router(id).map_or(IDEAL, |router| &router.uplink),
        (1, _, _) => topology.segment(crossing.segment).map_or(IDEAL, |segment| &segment.core),
        (2, _, Attachment::Interface(id)) => {
            topology.interface(id).map_or(IDEAL, |interface| &interface.downlink)
        }
        (2, _, Attachment::Outside(id)) => topology.router(id).map_or(IDEAL, |router| &router.downlink),
        _ => IDEAL,
    }
}

impl From<NatDrop> for DropReason {
    fn from(reason: NatDrop) -> Self {
        match reason {
            NatDrop::NoMapping => Self::NoMapping,
            NatDrop::Filtered => Self::Filtered,
            NatDrop::PortsExhausted => Self::PortsExhausted,
            NatDrop::NoHairpinning => Self::NoHairpinning,
        }
    }
}

impl From<FirewallDrop> for DropReason {
    fn from(reason: FirewallDrop) -> Self {
        match reason {
            FirewallDrop::Unsolicited => Self::Unsolicited,
            FirewallDrop::UdpBlocked => Self::UdpBlocked,
        }
    }
}
