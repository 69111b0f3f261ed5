//! Our side's candidates and their bases (RFC 8445 §5.1.1, §5.1.2, §5.1.3).

use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};

use crate::candidate::{
    Candidate, CandidateKind, FoundationKey, FoundationTable, Protocol, Redundancy, canonical,
    local_preference, peer_reflexive_priority, redundancy,
};
use crate::config::RelayTransport;
use crate::ids::{Component, LocalId, SocketId, StreamId};
use crate::tight;

/// A base: a socket and the address packets leave it from.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct BaseId(pub(crate) u16);

/// What is known of a base.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Base {
    pub(crate) component: Component,
    pub(crate) socket: SocketId,
    /// Canonical.
    pub(crate) address: SocketAddr,
    /// The socket is gone.
    pub(crate) dead: bool,
    /// Its candidates are not to be signalled any more.
    pub(crate) withdrawn: bool,
    /// Rank of the address among the local ones (RFC 8421), which orders the candidates of one type.
    pub(crate) rank: u8,
    /// The candidate that pairs are formed with: the best signalled one with this base (RFC 8445 §6.1.2.4).
    pub(crate) representative: Option<LocalId>,
}

impl Base {
    /// Candidates of the peer for this component are paired with it.
    pub(crate) fn is_paired_for(&self, component: Component) -> bool {
        self.component == component && self.representative.is_some() && !self.dead
    }
}

/// A local candidate.
#[derive(Clone, Debug)]
pub(crate) struct Local {
    pub(crate) candidate: Candidate,
    pub(crate) base: BaseId,
    /// The candidate's foundation as a number.
    pub(crate) foundation: u16,
    /// Given to the application to be signalled. A peer-reflexive one never is.
    pub(crate) signalled: bool,
}

/// What a server-reflexive candidate is made of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reflexive {
    pub(crate) mapped: SocketAddr,
    /// The server as it was contacted; none for a 1:1 NAT that is known beforehand.
    pub(crate) server: Option<IpAddr>,
    /// Rank of the server in the configuration.
    pub(crate) source_rank: usize,
    /// Print the base as related address.
    pub(crate) reveal_related: bool,
}

/// What a relayed candidate is made of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Relayed {
    /// What stands for the relay.
    pub(crate) socket: SocketId,
    pub(crate) relayed: SocketAddr,
    /// Our address as the server sees it: the related address.
    pub(crate) mapped: SocketAddr,
    /// The server as it was contacted.
    pub(crate) server: IpAddr,
    /// How it was contacted.
    pub(crate) transport: RelayTransport,
    /// Rank of the server in the configuration.
    pub(crate) source_rank: usize,
    /// Print the related address.
    pub(crate) reveal_related: bool,
}

/// All bases and local candidates of a session.
#[derive(Clone, Debug, Default)]
pub(crate) struct Locals {
    bases: Vec<Base>,
    candidates: Vec<Local>,
    foundations: FoundationTable,
    /// The number of the first candidate: those below it were given before an ICE restart.
    first: u32,
}

impl Locals {
    /// No candidate and no base, for an ICE restart (RFC 8445 §9): no candidate gets the id of one of these.
    pub(crate) fn successor(&self) -> Self {
        let first = self.first.wrapping_add(u32::try_from(self.candidates.len()).unwrap_or(0));
        Self { first, ..Self::default() }
    }

    fn place(&self, id: LocalId) -> usize {
        id.0.wrapping_sub(self.first) as usize
    }

    fn id(&self, place: usize) -> Option<LocalId> {
        Some(LocalId(self.first.wrapping_add(u32::try_from(place).ok()?)))
    }

    pub(crate) fn base(&self, id: BaseId) -> Option<&Base> {
        self.bases.get(usize::from(id.0))
    }

    pub(crate) fn base_mut(&mut self, id: BaseId) -> Option<&mut Base> {
        self.bases.get_mut(usize::from(id.0))
    }

    pub(crate) fn get(&self, id: LocalId) -> Option<&Local> {
        self.candidates.get(self.place(id))
    }

    /// Every base so far.
    pub(crate) fn base_ids(&self) -> impl Iterator<Item = BaseId> + use<> {
        (0..u16::try_from(self.bases.len()).unwrap_or(u16::MAX)).map(BaseId)
    }

    pub(crate) fn bases(&self) -> impl Iterator<Item = (BaseId, &Base)> {
        self.bases.iter().enumerate().filter_map(|(i, b)| Some((BaseId(u16::try_from(i).ok()?), b)))
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (LocalId, &Local)> {
        self.candidates.iter().enumerate().filter_map(|(i, c)| Some((self.id(i)?, c)))
    }

    /// Gives back what is not used.
    pub(crate) fn shrink(&mut self) {
        self.bases.shrink_to_fit();
        self.candidates.shrink_to_fit();
        self.foundations.shrink();
    }

    /// The highest component of a stream that we have candidates for; 0 if there is none.
    pub(crate) fn highest_component(&self, stream: StreamId) -> u16 {
        let of_stream = self.bases.iter().map(|b| b.component).filter(|c| c.stream == stream);
        of_stream.map(|c| c.id.get()).max().unwrap_or(0)
    }

    /// The base that a datagram arrived at.
    #[inline]
    pub(crate) fn find_base(&self, socket: SocketId, local_ip: Option<IpAddr>) -> Option<BaseId> {
        let is_of_socket = |base: &Base| base.socket == socket && !base.dead;
        let is_at = |base: &Base, ip: IpAddr| base.address.ip() == ip.to_canonical();
        let at = match local_ip {
            None => self.bases.iter().position(is_of_socket),
            Some(ip) => self.bases.iter().position(|b| is_of_socket(b) && is_at(b, ip)),
        };
        at.map(|at| BaseId(at as u16))
    }

    /// The host candidate of a base.
    pub(crate) fn host_of(&self, base: BaseId) -> Option<&Candidate> {
        let mut of_base = self.candidates.iter().filter(|l| l.base == base);
        of_base.find(|l| l.candidate.kind() == CandidateKind::Host).map(|l| &l.candidate)
    }

    /// A base is no longer used, and its candidates are not to be signalled any more.
    pub(crate) fn withdraw(&mut self, base: BaseId) {
        if let Some(base) = self.base_mut(base) {
            (base.dead, base.withdrawn) = (true, true);
        }
        for local in self.candidates.iter_mut().filter(|l| l.base == base) {
            local.signalled = false;
        }
    }

    /// Whether a component can have one more base: there are 256 ranks (RFC 8445 §5.1.2.1), and 65 535 numbers.
    pub(crate) fn has_room(&self, component: Component) -> bool {
        let of_component = self.bases.iter().filter(|b| b.component == component).count();
        of_component <= usize::from(u8::MAX) && self.bases.len() < usize::from(u16::MAX)
    }

    /// A new base, ranked behind those that are there. `None` when the address is one already or there are too many.
    pub(crate) fn add_base(
        &mut self,
        component: Component,
        socket: SocketId,
        address: SocketAddr,
    ) -> Option<BaseId> {
        let rank = self.bases.iter().filter(|b| b.component == component).count();
        self.add_ranked_base(component, socket, address, u8::try_from(rank).unwrap_or(u8::MAX))
    }

    /// A new base with this rank, as gathering gave it to all addresses together (RFC 8421 §4), or with the next free one: no two
    /// candidates of a component may have the same priority (RFC 8445 §5.1.2).
    pub(crate) fn add_ranked_base(
        &mut self,
        component: Component,
        socket: SocketId,
        address: SocketAddr,
        rank: u8,
    ) -> Option<BaseId> {
        let address = canonical(address);
        let taken =
            |b: &Base| !b.dead && b.address == address && (b.component == component || b.socket == socket);
        if self.bases.iter().any(taken) {
            return None;
        }
        let id = BaseId(u16::try_from(self.bases.len()).ok()?);
        let is_free = |r: &u8| !self.bases.iter().any(|b| b.component == component && b.rank == *r);
        let rank = (rank..=u8::MAX).find(is_free)?;
        let (dead, withdrawn, representative) = (false, false, None);
        let base = Base { component, socket, address, dead, withdrawn, rank, representative };
        tight::push(&mut self.bases, base);
        Some(id)
    }

    /// The host candidate of a base; with `external`, what a 1:1 NAT makes of it.
    pub(crate) fn add_host(&mut self, base: BaseId, external: Option<SocketAddr>) -> Option<LocalId> {
        let b = *self.base(base)?;
        let foundation = self.foundations.foundation(FoundationKey {
            kind: CandidateKind::Host,
            base: b.address.ip(),
            server: None,
            transport: Protocol::Udp,
        })?;
        let candidate = Candidate::host(external.unwrap_or(b.address))
            .with_component(b.component.id)
            .with_local_preference(local_preference(usize::from(b.rank), 0)?)
            .with_foundation(foundation);
        self.insert(candidate, base)
    }

    /// A server-reflexive candidate, or `None` if it is redundant (§5.1.3).
    pub(crate) fn add_reflexive(&mut self, base: BaseId, found: &Reflexive) -> Option<LocalId> {
        let b = *self.base(base)?;
        let foundation = self.foundations.foundation(FoundationKey {
            kind: CandidateKind::ServerReflexive,
            base: b.address.ip(),
            server: found.server,
            transport: Protocol::Udp,
        })?;
        let candidate = Candidate::server_reflexive(found.mapped, b.address)
            .with_component(b.component.id)
            .with_local_preference(local_preference(usize::from(b.rank), found.source_rank)?)
            .with_foundation(foundation);
        let candidate =
            if found.reveal_related { candidate } else { candidate.with_hidden_related_address() };
        self.insert(candidate, base)
    }

    /// The base and the candidate of a relayed address (§5.1.1.2): a relayed candidate is its own base.
    pub(crate) fn add_relayed(&mut self, component: Component, found: &Relayed) -> Option<(BaseId, LocalId)> {
        let next = self.bases.iter().filter(|b| b.component == component).count();
        let rank = u8::try_from(next).unwrap_or(u8::MAX).max(found.transport.first_rank());
        let base = self.add_ranked_base(component, found.socket, found.relayed, rank)?;
        let b = *self.base(base)?;
        let foundation = self.foundations.foundation(FoundationKey {
            kind: CandidateKind::Relayed,
            base: b.address.ip(),
            server: Some(found.server),
            transport: if found.transport.is_stream() { Protocol::Tcp } else { Protocol::Udp },
        })?;
        let candidate = Candidate::relayed(b.address, found.mapped)
            .with_component(component.id)
            .with_local_preference(local_preference(usize::from(b.rank), found.source_rank)?)
            .with_foundation(foundation);
        let candidate =
            if found.reveal_related { candidate } else { candidate.with_hidden_related_address() };
        match self.insert(candidate, base) {
            Some(id) => Some((base, id)),
            // §5.1.1.2: equal to a host candidate.
            None => {
                self.base_mut(base)?.dead = true;
                None
            }
        }
    }

    /// A local peer-reflexive candidate (§7.2.5.3.1): what a check's answer showed. Never signalled, never paired.
    pub(crate) fn add_peer_reflexive(
        &mut self,
        base: BaseId,
        mapped: SocketAddr,
        peer: IpAddr,
    ) -> Option<LocalId> {
        let b = *self.base(base)?;
        let foundation = self.foundations.foundation(FoundationKey {
            kind: CandidateKind::PeerReflexive,
            base: b.address.ip(),
            server: Some(peer),
            transport: Protocol::Udp,
        })?;
        let candidate = Candidate::peer_reflexive(mapped, b.address)
            .with_component(b.component.id)
            .with_priority(self.check_priority(base))
            .with_foundation(foundation);
        self.push(candidate, base)
    }

    /// How many of our candidates were learned from answers.
    pub(crate) fn peer_reflexive(&self) -> usize {
        self.candidates.iter().filter(|l| l.candidate.kind() == CandidateKind::PeerReflexive).count()
    }

    /// §7.1.1: the priority that a peer-reflexive candidate learned through this base would have.
    pub(crate) fn check_priority(&self, base: BaseId) -> u32 {
        let Some(b) = self.base(base) else { return 1 };
        let preference = local_preference(usize::from(b.rank), 0).unwrap_or(0);
        let host = crate::candidate::candidate_priority(
            CandidateKind::Host.type_preference(),
            preference,
            b.component.id,
        );
        peer_reflexive_priority(host)
    }

    /// The local candidate of this component that the peer sees as `mapped` (§7.2.5.3.1), the base's own first.
    pub(crate) fn find_mapped(&self, base: BaseId, mapped: SocketAddr) -> Option<LocalId> {
        let component = self.base(base)?.component;
        // Nobody sees the zone of a link-local address.
        let same = |l: &Local| {
            let address = l.candidate.address();
            (address.ip(), address.port()) == (mapped.ip(), mapped.port())
        };
        let of_base = self.iter().find(|(_, l)| l.base == base && same(l));
        let other = || {
            self.iter().find(|(_, l)| self.base(l.base).is_some_and(|b| b.component == component) && same(l))
        };
        of_base.or_else(other).map(|(id, _)| id)
    }

    /// Marks a candidate as given to signalling. True if it is now what its base is paired with: the best one.
    pub(crate) fn signal(&mut self, id: LocalId) -> bool {
        let place = self.place(id);
        let Some(local) = self.candidates.get_mut(place) else { return false };
        local.signalled = true;
        let (base, priority) = (local.base, local.candidate.priority());
        let current = self.base(base).and_then(|b| b.representative).and_then(|r| self.get(r));
        if current.is_none_or(|c| c.candidate.priority() < priority)
            && let Some(base) = self.base_mut(base)
        {
            base.representative = Some(id);
            return true;
        }
        false
    }

    /// §5.1.3, and RFC 8838 §9 while trickling: every candidate is given to signalling at once, so a redundant newcomer
    /// is always the one that goes.
    fn insert(&mut self, candidate: Candidate, base: BaseId) -> Option<LocalId> {
        let b = *self.base(base)?;
        let redundant = self.candidates.iter().any(|existing| {
            // Nearly all of them differ in this, which is quickly seen.
            let may_be = existing.candidate.address() == candidate.address();
            may_be
                && self.base(existing.base).is_some_and(|eb| {
                    eb.component == b.component
                        && redundancy((&candidate, b.address), (&existing.candidate, eb.address), true)
                            != Redundancy::Distinct
                })
        });
        if redundant { None } else { self.push(candidate, base) }
    }

    fn push(&mut self, candidate: Candidate, base: BaseId) -> Option<LocalId> {
        let id = self.id(usize::from(u16::try_from(self.candidates.len()).ok()?))?;
        let known = self.candidates.iter().find(|l| l.candidate.foundation() == candidate.foundation());
        let next = || self.candidates.iter().map(|l| l.foundation + 1).max().unwrap_or(0);
        let foundation = known.map_or_else(next, |l| l.foundation);
        tight::push(&mut self.candidates, Local { candidate, base, foundation, signalled: false });
        Some(id)
    }
}

#[cfg(test)]
mod tests {
    use core::net::SocketAddrV6;

    use super::*;

    #[test]
    fn a_link_local_candidate_is_found_by_what_the_peer_sees_of_it() {
        let mut locals = Locals::default();
        let ip = "fe80::1".parse().expect("an address");
        let with_zone = |zone| SocketAddr::V6(SocketAddrV6::new(ip, 4000, 0, zone));
        let base = locals.add_base(Component::default(), SocketId(0), with_zone(4)).expect("new");
        let host = locals.add_host(base, None).expect("room");
        assert_eq!(locals.find_mapped(base, with_zone(0)), Some(host));
        assert_eq!(locals.find_mapped(base, SocketAddr::new(ip.into(), 4001)), None);
    }
}
