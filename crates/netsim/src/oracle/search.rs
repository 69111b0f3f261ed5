//! Both sides try everything they know, until nothing new comes of it.

use super::term::{Term, TermId};
use super::walk::{Arrival, Luck, World};
use super::{Doubt, Kind, PathKind};
use crate::id::HostId;
use crate::topology::Topology;

/// An address translated more often than this, by mappings that depend on each other, leads to nothing that a
/// shorter one does not.
const MAX_DEPTH: usize = 8;
/// Rounds in which each side tries all it knows; each takes a check and its answer.
const MAX_ROUNDS: usize = 12;

/// A path that works.
#[derive(Clone, Debug)]
pub(super) struct Path {
    pub(super) kind: PathKind,
    pub(super) doubts: Vec<Doubt>,
}

/// From where a side sends: by itself, or through its relay on a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum From {
    Host(HostId),
    Relay(HostId),
}

/// One of the two sides.
#[derive(Debug, Default)]
struct Side {
    bases: Vec<TermId>,
    reflexive: Vec<TermId>,
    /// The bases are those of a relay.
    relayed: bool,
    /// What it may send, from where, to where.
    pairs: Vec<(TermId, TermId)>,
}

impl Side {
    /// What kind of candidate of this side an address is.
    fn kind_of(&self, term: TermId) -> Kind {
        if self.bases.contains(&term) {
            if self.relayed { Kind::Relayed } else { Kind::Host }
        } else if self.reflexive.contains(&term) {
            Kind::ServerReflexive
        } else {
            Kind::PeerReflexive
        }
    }
}

/// Whether a host surely reaches a server, over some family.
pub(super) fn reaches(topology: &Topology, host: HostId, server: HostId) -> bool {
    let paths = paths(topology, [From::Host(host), From::Host(server)], Luck::None);
    paths.iter().any(|path| path.doubts.is_empty())
}

/// The paths between two ends, with some luck.
pub(super) fn paths(topology: &Topology, ends: [From; 2], luck: Luck) -> Vec<Path> {
    let mut world = World::new(topology, luck);
    let mut sides = [0, 1].map(|side| gather(&mut world, ends[side], side));
    for (own, other) in [(0, 1), (1, 0)] {
        let remotes: Vec<_> = sides[other].bases.iter().chain(&sides[other].reflexive).copied().collect();
        let pairs = sides[own].bases.iter().flat_map(|&base| remotes.iter().map(move |&to| (base, to)));
        sides[own].pairs = pairs.filter(|&(from, to)| can_pair(&world, from, to)).collect();
    }
    let mut paths = Vec::new();
    for _ in 0..MAX_ROUNDS {
        world.changed = false;
        paths.clear();
        let known = sides[0].pairs.len() + sides[1].pairs.len();
        for (own, other) in [(0, 1), (1, 0)] {
            for (from, to) in sides[own].pairs.clone() {
                let Some(arrival) = world.send(from, to) else { continue };
                if sides[other].relayed && !is_permitted(&world, &sides[own], arrival.source) {
                    continue;
                }
                if !sides[other].bases.contains(&arrival.base) || arrival.base == from {
                    continue;
                }
                learn(&world, &mut sides[other], &arrival);
                if let Some(doubts) = answer(&mut world, from, to, &arrival)
                    && own == 0
                {
                    let (local, remote) = (sides[0].kind_of(arrival.source), sides[1].kind_of(to));
                    let kind = PathKind { ipv4: world.terms.ip(from).is_ipv4(), local, remote };
                    paths.push(Path { kind, doubts });
                }
            }
        }
        if !world.changed && sides[0].pairs.len() + sides[1].pairs.len() == known {
            break;
        }
    }
    paths
}

/// RFC 8656 §9: a relay lets in what comes from an IP address that its client has a permission for, which it asks for with
/// every candidate of the other side that was signalled.
fn is_permitted(world: &World<'_>, sender: &Side, source: TermId) -> bool {
    let source = world.symbol(source);
    sender.bases.iter().chain(&sender.reflexive).any(|&candidate| world.symbol(candidate) == source)
}

/// Bases on all interfaces, and what the STUN servers see of them; or the sockets of a relay.
fn gather(world: &mut World<'_>, from: From, number: usize) -> Side {
    let mut side = Side::default();
    let topology = world.topology;
    let host = match from {
        From::Host(host) => host,
        From::Relay(server) => {
            for interface in topology.interfaces_of(server) {
                for &ip in interface.addresses {
                    side.bases.push(world.relay(interface.id, ip, number));
                }
            }
            side.relayed = true;
            return side;
        }
    };
    for interface in topology.interfaces_of(host) {
        for &ip in interface.addresses {
            side.bases.push(world.base(interface.id, ip));
        }
    }
    for &base in &side.bases {
        for &(interface, ip) in &topology.stun_servers {
            let up = topology.interface(interface).is_some_and(|place| place.addresses.contains(&ip));
            if !up || ip.is_ipv4() != world.terms.ip(base).is_ipv4() {
                continue;
            }
            let server = world.base(interface, ip);
            let Some(arrival) = world.send(base, server) else { continue };
            let answered = world.send(server, arrival.source).is_some_and(|answer| answer.base == base);
            if answered && arrival.source != base && !side.reflexive.contains(&arrival.source) {
                side.reflexive.push(arrival.source);
            }
        }
    }
    side
}

/// RFC 8445 §6.1.2.2: same family, and link-local only with link-local.
fn can_pair(world: &World<'_>, from: TermId, to: TermId) -> bool {
    let scoped = |term| match world.terms.ip(term) {
        std::net::IpAddr::V4(v4) => v4.is_link_local(),
        std::net::IpAddr::V6(v6) => v6.is_unicast_link_local(),
    };
    let [from_ip, to_ip] = [from, to].map(|term| world.terms.ip(term));
    from_ip.is_ipv4() == to_ip.is_ipv4() && (from_ip.is_ipv4() || scoped(from) == scoped(to))
}

/// RFC 8445 §7.3.1.3: the receiver of a check sends back to where it came from.
fn learn(world: &World<'_>, receiver: &mut Side, arrival: &Arrival) {
    let pair = (arrival.base, arrival.source);
    if !receiver.pairs.contains(&pair) && world.terms.depth(arrival.source) <= MAX_DEPTH {
        receiver.pairs.push(pair);
    }
}

/// Answers a check; the doubts of both ways if the answer counts, RFC 8445 §7.2.5.2.1.
fn answer(world: &mut World<'_>, from: TermId, to: TermId, check: &Arrival) -> Option<Vec<Doubt>> {
    let answer = world.send(check.base, check.source)?;
    let &Term::Base { interface, .. } = world.terms.get(from) else { return None };
    if answer.at != interface || answer.base != from || answer.source != to {
        return None;
    }
    let mut doubts = check.doubts.clone();
    doubts.extend(answer.doubts.iter().filter(|doubt| !check.doubts.contains(doubt)));
    Some(doubts)
}
