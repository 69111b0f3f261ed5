//! The way of one packet, with what it leaves behind in NATs and firewalls.

use std::net::IpAddr;
use std::time::Duration;

use super::Doubt;
use super::term::{IpSymbol, Part, Pool, Term, TermId, Terms};
use crate::firewall::Firewall;
use crate::id::{InterfaceId, RouterId, SegmentId};
use crate::link::Link;
use crate::nat::{Dependence, Hairpinning, Nat, NatConfig, Pooling, PortAllocation};
use crate::topology::{Interface, Router, Topology};

/// Routers on a way, at most.
const MAX_HOPS: usize = 32;
/// What is forgotten sooner may be forgotten too soon.
const LASTING: Duration = Duration::from_secs(10);
/// Fewer ports may be too few.
const MANY_PORTS: usize = 256;
/// A loss that retransmissions do not surely overcome.
const MUCH_LOSS: f64 = 0.3;
/// The UDP payload of a check of full size, in bytes.
const CHECK_SIZE: usize = 640;

/// What is taken for granted though it takes luck.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Luck {
    /// Nothing.
    None,
    /// A NAT with several external addresses chooses the one that a filter wants.
    Addresses,
    /// That, and ports that preserve or follow each other are guessed.
    Ports,
}

/// What the network would remember and do.
#[derive(Debug)]
pub(super) struct World<'a> {
    pub(super) topology: &'a Topology,
    pub(super) terms: Terms,
    luck: Luck,
    /// Which remote parts a mapping lets in.
    permits: Vec<(TermId, Part)>,
    /// Which remote parts a firewall lets in to which inside address.
    sessions: Vec<(RouterId, TermId, Part)>,
    /// Whether anything was remembered since this was last cleared.
    pub(super) changed: bool,
}

/// A packet that arrived.
#[derive(Clone, Debug)]
pub(super) struct Arrival {
    pub(super) at: InterfaceId,
    /// The source as it is seen there.
    pub(super) source: TermId,
    /// The base it was for.
    pub(super) base: TermId,
    pub(super) doubts: Vec<Doubt>,
}

/// A packet on its way.
struct Packet {
    segment: SegmentId,
    source: TermId,
    destination: TermId,
    doubts: Vec<Doubt>,
}

/// Who takes a packet in a segment.
enum Taker {
    Interface(InterfaceId),
    Outside(RouterId),
    Inside(RouterId),
}

impl<'a> World<'a> {
    pub(super) fn new(topology: &'a Topology, luck: Luck) -> Self {
        Self {
            topology,
            terms: Terms::default(),
            luck,
            permits: Vec::new(),
            sessions: Vec::new(),
            changed: false,
        }
    }

    pub(super) fn base(&mut self, interface: InterfaceId, ip: IpAddr) -> TermId {
        self.terms.intern(Term::Base { interface, ip, relay: None })
    }

    /// The socket of a side's relay.
    pub(super) fn relay(&mut self, interface: InterfaceId, ip: IpAddr, side: usize) -> TermId {
        self.terms.intern(Term::Base { interface, ip, relay: Some(side) })
    }

    /// Sends from a base, and says where that leads to.
    pub(super) fn send(&mut self, from: TermId, to: TermId) -> Option<Arrival> {
        let &Term::Base { interface, .. } = self.terms.get(from) else { return None };
        let interface = self.topology.interface(interface)?;
        let mut packet =
            Packet { segment: interface.segment?, source: from, destination: to, doubts: Vec::new() };
        note_link(&interface.uplink, &mut packet)?;
        for _ in 0..MAX_HOPS {
            let segment = self.topology.segment(packet.segment)?;
            let taker = self.taker(packet.segment, self.terms.ip(packet.destination))?;
            note_link(&segment.core, &mut packet)?;
            match taker {
                Taker::Interface(id) => return self.arrive(packet, id),
                Taker::Outside(id) => self.enter(&mut packet, id)?,
                Taker::Inside(id) => self.leave(&mut packet, id)?,
            }
        }
        None
    }

    fn arrive(&self, mut packet: Packet, at: InterfaceId) -> Option<Arrival> {
        note_link(&self.topology.interface(at)?.downlink, &mut packet)?;
        // Somebody else may have the same private address.
        let &Term::Base { interface, .. } = self.terms.get(packet.destination) else { return None };
        let (source, base, doubts) = (packet.source, packet.destination, packet.doubts);
        (interface == at).then_some(Arrival { at, source, base, doubts })
    }

    fn taker(&self, segment: SegmentId, ip: IpAddr) -> Option<Taker> {
        let here = |interface: &&Interface| interface.segment == Some(segment);
        if let Some(place) =
            self.topology.interfaces.iter().position(|i| here(&i) && i.addresses.contains(&ip))
        {
            return Some(Taker::Interface(InterfaceId(place as u32)));
        }
        let routers = || (0..).map(RouterId).zip(&self.topology.routers);
        let outside = || routers().filter(|(_, router)| router.outside == segment);
        if let Some((id, _)) = outside().find(|(id, router)| owns(router, ip) || self.leads_to(*id, ip)) {
            return Some(Taker::Outside(id));
        }
        let blocks = self.topology.segment(segment).map(|place| [place.v4, place.v6])?;
        let local = blocks.iter().flatten().any(|block| block.contains(ip));
        let scoped = match ip {
            IpAddr::V4(v4) => v4.is_link_local(),
            IpAddr::V6(v6) => v6.is_unicast_link_local(),
        };
        if local || scoped {
            return None;
        }
        routers().find(|(_, router)| router.inside == segment).map(|(id, _)| Taker::Inside(id))
    }

    /// Whether an address lies behind a router without a NAT in between.
    fn leads_to(&self, id: RouterId, ip: IpAddr) -> bool {
        let Some(router) = self.topology.router(id) else { return false };
        if ip.is_ipv4() && router.nat.is_some() {
            return false;
        }
        let Some(inside) = self.topology.segment(router.inside) else { return false };
        [inside.v4, inside.v6].iter().flatten().any(|block| block.contains(ip))
            || (0..self.topology.routers.len()).map(|n| RouterId(n as u32)).any(|inner| {
                let further = self.topology.router(inner).is_some_and(|r| r.outside == router.inside);
                further && self.leads_to(inner, ip)
            })
    }

    /// From outside through a router.
    fn enter(&mut self, packet: &mut Packet, id: RouterId) -> Option<()> {
        let router = self.topology.router(id)?;
        note_link(&router.downlink, packet)?;
        if owns(router, self.terms.ip(packet.destination)) {
            let nat = router.nat.as_ref()?.config();
            self.admit(packet, id, nat)?;
        }
        match self.firewall(router, packet) {
            Firewall::Open => {}
            Firewall::BlockUdp => return None,
            Firewall::Stateful { filtering, expiry } => {
                let part = self.part(filtering, packet.source);
                if !self.sessions.contains(&(id, packet.destination, part)) {
                    return None;
                }
                note_expiry(id, expiry, packet);
            }
        }
        packet.segment = router.inside;
        Some(())
    }

    /// From inside through a router, or back inside.
    fn leave(&mut self, packet: &mut Packet, id: RouterId) -> Option<()> {
        let router = self.topology.router(id)?;
        match self.firewall(router, packet) {
            Firewall::Open => {}
            Firewall::BlockUdp => return None,
            Firewall::Stateful { filtering, .. } => {
                let session = (id, packet.source, self.part(filtering, packet.destination));
                if !self.sessions.contains(&session) {
                    self.sessions.push(session);
                    self.changed = true;
                }
            }
        }
        let own = owns(router, self.terms.ip(packet.destination));
        let nat = router.nat.as_ref().map(Nat::config);
        match nat.filter(|_| self.terms.ip(packet.source).is_ipv4()) {
            None if own => return None,
            None => {}
            Some(nat) if own => {
                if nat.hairpinning == Hairpinning::Unsupported {
                    return None;
                }
                let internal = packet.source;
                self.translate(packet, id, nat);
                self.admit(packet, id, nat)?;
                if nat.hairpinning == Hairpinning::InternalSource {
                    packet.source = internal;
                }
                // It stays in the same segment.
                return Some(());
            }
            Some(nat) => self.translate(packet, id, nat),
        }
        note_link(&router.uplink, packet)?;
        packet.segment = router.outside;
        Some(())
    }

    /// Gives a packet from inside its external source, and lets answers in.
    fn translate(&mut self, packet: &mut Packet, id: RouterId, nat: &NatConfig) {
        // Who can tell the next port can do as if there were but one.
        let guess = self.luck == Luck::Ports
            && nat.mapping != Dependence::EndpointIndependent
            && nat.ports != PortAllocation::Random;
        let mapping = if guess { Dependence::EndpointIndependent } else { nat.mapping };
        if guess {
            doubt(packet, Doubt::Prediction(id));
        }
        // A path on which no filter cares is found without luck too.
        if self.pool(id) == Pool::TakenAsOne {
            doubt(packet, Doubt::Pooling(id));
        }
        if usize::from(nat.last_port.saturating_sub(nat.first_port)) + 1 < MANY_PORTS {
            doubt(packet, Doubt::FewPorts(id));
        }
        let remote = self.part(mapping, packet.destination);
        let ip = self.external_ip(id);
        packet.source = self.terms.intern(Term::Mapped { nat: id, internal: packet.source, remote, ip });
        let permit = (packet.source, self.part(nat.filtering, packet.destination));
        if !self.permits.contains(&permit) {
            self.permits.push(permit);
            self.changed = true;
        }
    }

    /// Lets a packet in through a mapping, if there is one and its filter agrees.
    fn admit(&mut self, packet: &mut Packet, id: RouterId, nat: &NatConfig) -> Option<()> {
        let &Term::Mapped { nat: of, internal, .. } = self.terms.get(packet.destination) else { return None };
        if of != id {
            return None;
        }
        let part = self.part(nat.filtering, packet.source);
        if !self.permits.contains(&(packet.destination, part)) {
            return None;
        }
        note_expiry(id, nat.expiry, packet);
        packet.destination = internal;
        Some(())
    }

    fn part(&self, dependence: Dependence, of: TermId) -> Part {
        match dependence {
            Dependence::EndpointIndependent => Part::Nothing,
            Dependence::AddressDependent => Part::Ip(self.symbol(of)),
            Dependence::AddressAndPortDependent => Part::Whole(of),
        }
    }

    pub(super) fn symbol(&self, of: TermId) -> IpSymbol {
        self.terms.symbol(of, &|nat| self.pool(nat))
    }

    fn pool(&self, id: RouterId) -> Pool {
        let router = self.topology.router(id);
        let nat = router.and_then(|router| router.nat.as_ref()).map(|nat| nat.config().pooling);
        match (router.map_or(0, |router| router.external_v4.len()), nat) {
            (0 | 1, _) | (_, None) => Pool::Single,
            (_, Some(_)) if self.luck != Luck::None => Pool::TakenAsOne,
            (_, Some(Pooling::Paired)) => Pool::Paired,
            (_, Some(Pooling::Arbitrary)) => Pool::Arbitrary,
        }
    }

    fn external_ip(&self, id: RouterId) -> IpAddr {
        let first = self.topology.router(id).and_then(|router| router.external_v4.first());
        first.map_or(IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED), |ip| IpAddr::V4(*ip))
    }

    fn firewall(&self, router: &Router, packet: &Packet) -> Firewall {
        let ipv4 = self.terms.ip(packet.destination).is_ipv4();
        if ipv4 { router.firewall_v4.rule } else { router.firewall_v6.rule }
    }
}

/// Whether an address is one of the router's own, outside.
fn owns(router: &Router, ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(v4) => router.external_v4.contains(&v4),
        IpAddr::V6(_) => router.external_v6 == Some(ip),
    }
}

fn doubt(packet: &mut Packet, doubt: Doubt) {
    if !packet.doubts.contains(&doubt) {
        packet.doubts.push(doubt);
    }
}

fn note_expiry(id: RouterId, expiry: Duration, packet: &mut Packet) {
    if expiry < LASTING {
        doubt(packet, Doubt::Expiry(id));
    }
}

/// `None` if nothing passes the link.
fn note_link(link: &Link, packet: &mut Packet) -> Option<()> {
    if link.is_cut() {
        return None;
    }
    if link.max_loss_run.is_none() && link.loss.exceeds(MUCH_LOSS) {
        doubt(packet, Doubt::Loss);
    }
    // IPv6's larger headers, to be safe.
    if !link.fits(CHECK_SIZE, false) {
        doubt(packet, Doubt::Mtu);
    }
    Some(())
}
