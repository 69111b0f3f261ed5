//! The peer's candidates: signalled (RFC 8445 §5.3) and learned from checks (§7.3.1.3).

use alloc::vec::Vec;
use core::cmp::Ordering;
use core::net::SocketAddr;

use floe_stun::{RetransmissionSchedule, Time};

use crate::candidate::{Candidate, Foundation};
use crate::ids::{Component, RemoteId};
use crate::tight;

/// A remote candidate.
#[derive(Clone, Debug)]
pub(crate) struct Remote {
    pub(crate) candidate: Candidate,
    pub(crate) component: Component,
    /// The candidate's foundation as a number.
    pub(crate) foundation: u16,
    /// Signalled by the peer, and so paired with every local candidate; a peer-reflexive one is not (§7.3.1.3).
    pub(crate) signalled: bool,
    /// Checks sent to it so far, retransmissions included.
    pub(crate) checks_sent: u16,
    /// The zone that checks from it came through, if it is a link-local address (RFC 4007 §6).
    zone: u32,
    /// It turned out to belong to another generation of the session, or gave way to a newer one.
    forgotten: bool,
    /// When a check came from it that nobody had signalled.
    learned: Option<Time>,
    /// An answer came from it: whoever is there takes part.
    pub(crate) answered: bool,
}

impl Remote {
    fn key(&self) -> (Component, SocketAddr) {
        (self.component, identity(self.candidate.address()))
    }

    /// Bases of this component are paired with it.
    pub(crate) fn is_paired_for(&self, component: Component) -> bool {
        self.signalled && self.component == component && !self.forgotten
    }

    /// It was taken back.
    pub(crate) fn is_forgotten(&self) -> bool {
        self.forgotten
    }

    /// An authenticated check came from it: whatever was sent there before, it may be checked once more, with all
    /// retransmissions.
    pub(crate) fn heard_from(&mut self, limit: u16) {
        let once = u16::from(RetransmissionSchedule::DEFAULT_COUNT);
        self.checks_sent = self.checks_sent.min(limit.saturating_sub(once));
    }

    /// Where to send to, to reach it from a base: a link-local address needs a zone, which is never signalled.
    pub(crate) fn destination(&self, base: SocketAddr) -> SocketAddr {
        let zone = |base: SocketAddr| match base {
            SocketAddr::V6(base) if base.scope_id() != 0 => base.scope_id(),
            _ => self.zone,
        };
        match self.candidate.address() {
            SocketAddr::V6(mut v6) if v6.ip().is_unicast_link_local() => {
                v6.set_scope_id(zone(base));
                SocketAddr::V6(v6)
            }
            other => other,
        }
    }
}

/// The address that a candidate is known by: (canonical and) without a zone, which no signalled candidate has.
pub(crate) fn identity(address: SocketAddr) -> SocketAddr {
    match address {
        SocketAddr::V6(mut v6) => {
            v6.set_scope_id(0);
            SocketAddr::V6(v6)
        }
        v4 @ SocketAddr::V4(_) => v4,
    }
}

/// Whether two addresses have the same identity.
pub(crate) fn is_same(one: &SocketAddr, other: &SocketAddr) -> bool {
    match (one, other) {
        (SocketAddr::V4(one), SocketAddr::V4(other)) => one == other,
        (SocketAddr::V6(_), SocketAddr::V6(_)) => identity(*one) == identity(*other),
        _ => false,
    }
}

/// All remote candidates of a session.
#[derive(Clone, Debug, Default)]
pub(crate) struct Remotes {
    list: Vec<Remote>,
    /// The places of those that were not taken back, by component and address: sorted, so that finding one takes log n steps
    /// whatever addresses a peer chooses.
    by_address: Vec<u32>,
    next_foundation: u16,
    signalled: u16,
    peer_reflexive: u16,
    /// The number of the first one: those below it were given before an ICE restart.
    first: u32,
    spent: Spent,
}

/// Checks that earlier sessions sent to addresses which never answered: an ICE restart, which the peer can cause, is no way
/// around the limit on them.
#[derive(Clone, Debug, Default)]
struct Spent(Vec<(SocketAddr, u16)>);

impl Spent {
    /// How many addresses are remembered: those of one session within the default limits.
    const CAPACITY: usize = 132;

    fn on(&self, address: SocketAddr) -> u16 {
        self.0.iter().find(|(a, _)| *a == address).map_or(0, |(_, checks)| *checks)
    }

    /// The newest count of an address; when there are too many, the one that was noted first goes.
    fn note(&mut self, address: SocketAddr, checks: u16) {
        self.0.retain(|(a, _)| *a != address);
        if checks == 0 {
            return;
        }
        if self.0.len() >= Self::CAPACITY {
            self.0.remove(0);
        }
        self.0.push((address, checks));
    }
}

impl Remotes {
    /// No candidate, for an ICE restart (RFC 8445 §9): none gets an id that one of these had, and what was sent to addresses that
    /// did not answer is remembered.
    pub(crate) fn successor(&self) -> Self {
        let mut spent = self.spent.clone();
        for remote in &self.list {
            let checks = if remote.answered { 0 } else { remote.checks_sent };
            spent.note(identity(remote.candidate.address()), checks);
        }
        let first = self.first.wrapping_add(u32::try_from(self.list.len()).unwrap_or(0));
        Self { first, spent, ..Self::default() }
    }

    fn place(&self, id: RemoteId) -> usize {
        id.0.wrapping_sub(self.first) as usize
    }

    pub(crate) fn get(&self, id: RemoteId) -> Option<&Remote> {
        self.list.get(self.place(id))
    }

    pub(crate) fn get_mut(&mut self, id: RemoteId) -> Option<&mut Remote> {
        let place = self.place(id);
        self.list.get_mut(place)
    }

    /// Every candidate so far, those that were taken back included.
    pub(crate) fn ids(&self) -> impl Iterator<Item = RemoteId> + use<> {
        let first = self.first;
        (0..self.list.len() as u32).map(move |place| RemoteId(first.wrapping_add(place)))
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (RemoteId, &Remote)> {
        let all = self.list.iter().enumerate().filter(|(_, r)| !r.forgotten);
        all.filter_map(|(i, r)| Some((RemoteId(self.first.wrapping_add(u32::try_from(i).ok()?)), r)))
    }

    /// The candidate of a component at a (canonical) address.
    pub(crate) fn find(&self, component: Component, address: SocketAddr) -> Option<RemoteId> {
        let at = self.search(component, identity(address)).ok()?;
        self.by_address.get(at).map(|place| RemoteId(self.first.wrapping_add(*place)))
    }

    /// Where the candidate of a component with this identity is in the order of addresses, or would be.
    fn search(&self, component: Component, identity: SocketAddr) -> Result<usize, usize> {
        self.by_address.binary_search_by(|&place| {
            let order = |r: &Remote| r.key().cmp(&(component, identity));
            self.list.get(place as usize).map_or(Ordering::Less, order)
        })
    }

    /// How many were signalled.
    pub(crate) fn signalled(&self) -> u16 {
        self.signalled
    }

    /// How many were learned from checks, and not signalled since.
    pub(crate) fn peer_reflexive(&self) -> u16 {
        self.peer_reflexive
    }

    /// Gives back what is not used.
    pub(crate) fn shrink(&mut self) {
        self.list.shrink_to_fit();
        self.by_address.shrink_to_fit();
    }

    /// The highest component of a stream that the peer has candidates for.
    pub(crate) fn highest_component(&self, stream: crate::StreamId) -> u16 {
        let of_stream = self.iter().filter(|(_, r)| r.component.stream == stream);
        of_stream.map(|(_, r)| r.component.id.get()).max().unwrap_or(0)
    }

    /// A candidate that the peer signalled. One that was learned before becomes the signalled one and keeps its id
    /// (§7.3.1.3): true if that happened.
    pub(crate) fn signal(&mut self, component: Component, candidate: &Candidate) -> (RemoteId, bool) {
        let foundation = self.intern(candidate.foundation());
        self.signalled = self.signalled.saturating_add(1);
        if let Some(id) = self.find(component, candidate.address())
            && let Some(remote) = self.get_mut(id)
        {
            remote.candidate = candidate.clone();
            remote.foundation = foundation;
            remote.signalled = true;
            self.peer_reflexive = self.peer_reflexive.saturating_sub(1);
            return (id, true);
        }
        (self.push(component, candidate.clone(), foundation, true), false)
    }

    /// A candidate that a check came from (§7.3.1.3), with a foundation that no other has nor will have.
    pub(crate) fn learn(
        &mut self,
        component: Component,
        address: SocketAddr,
        priority: u32,
        now: Time,
    ) -> RemoteId {
        let taken = |f: &Foundation| self.iter().any(|(_, r)| r.candidate.foundation() == f);
        let text = Foundation::peer_reflexive(taken);
        let foundation = self.number();
        let candidate = Candidate::peer_reflexive(address, address)
            .with_component(component.id)
            .with_priority(priority)
            .with_foundation(text)
            .with_hidden_related_address();
        self.peer_reflexive = self.peer_reflexive.saturating_add(1);
        let id = self.push(component, candidate, foundation, false);
        if let Some(remote) = self.get_mut(id) {
            remote.learned = Some(now);
            if let SocketAddr::V6(v6) = address {
                remote.zone = v6.scope_id();
            }
        }
        id
    }

    /// Those that were learned, and not signalled since, the oldest first, and when; none once as many have given way as are
    /// kept.
    pub(crate) fn learned(&self, limit: u16) -> impl Iterator<Item = (RemoteId, Time)> {
        let gone = self.list.iter().filter(|r| r.forgotten && r.learned.is_some()).count();
        let some = if gone < usize::from(limit) { usize::MAX } else { 0 };
        self.iter().filter(|(_, r)| !r.signalled).filter_map(|(id, r)| Some((id, r.learned?))).take(some)
    }

    /// Takes a candidate back that has no pairs: its ufrag is not the peer's (RFC 8838 §11), or it gives way to another one.
    pub(crate) fn forget(&mut self, id: RemoteId) {
        let Some(remote) = self.get_mut(id).filter(|r| !r.forgotten) else { return };
        remote.forgotten = true;
        let (signalled, (component, address)) = (remote.signalled, remote.key());
        if let Ok(at) = self.search(component, address) {
            self.by_address.remove(at);
        }
        let count = if signalled { &mut self.signalled } else { &mut self.peer_reflexive };
        *count = count.saturating_sub(1);
    }

    fn push(
        &mut self,
        component: Component,
        candidate: Candidate,
        foundation: u16,
        signalled: bool,
    ) -> RemoteId {
        // The limits on both kinds keep the number far below u32.
        let place = self.list.len() as u32;
        let address = identity(candidate.address());
        let at = self.search(component, address).unwrap_or_else(|at| at);
        tight::insert(&mut self.by_address, at, place);
        let checks_sent = self.spent.on(address);
        let (zone, forgotten, learned, answered) = (0, false, None, false);
        let remote = Remote {
            candidate,
            component,
            foundation,
            signalled,
            checks_sent,
            zone,
            forgotten,
            learned,
            answered,
        };
        tight::push(&mut self.list, remote);
        RemoteId(self.first.wrapping_add(place))
    }

    fn intern(&mut self, foundation: &Foundation) -> u16 {
        let mut signalled = self.list.iter().filter(|r| r.signalled);
        let known = signalled.find(|r| r.candidate.foundation() == foundation).map(|r| r.foundation);
        known.unwrap_or_else(|| self.number())
    }

    /// A number that no foundation has.
    fn number(&mut self) -> u16 {
        let number = self.next_foundation;
        self.next_foundation = self.next_foundation.saturating_add(1);
        number
    }
}
