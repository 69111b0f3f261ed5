//! Our candidates, as they are found (RFC 8445 §5.1.1) and given to signalling (RFC 8838 §9).

use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};

use floe_stun::Time;

use crate::candidate::is_usable;
use crate::checklist::Pair;
use crate::effects::Effects;
use crate::error::AgentError;
use crate::event::{Event, GatheringState};
use crate::gather::{Found, Gatherer, HostCandidate};
use crate::ids::{Component, LocalId, PairId, SocketId};
use crate::locals::{BaseId, Relayed};

use super::Session;

impl Session {
    /// A host candidate that the embedder adds.
    pub(crate) fn add_host(
        &mut self,
        component: Component,
        socket: SocketId,
        (address, host): (SocketAddr, HostCandidate),
        fx: &mut Effects,
    ) -> Result<LocalId, AgentError> {
        self.component(component).ok_or(AgentError::UnknownComponent)?;
        if !is_usable(address) {
            return Err(AgentError::UnusableAddress);
        }
        if !self.locals.has_room(component) {
            return Err(AgentError::TooManyCandidates);
        }
        let base = self.locals.add_base(component, socket, address).ok_or(AgentError::DuplicateCandidate)?;
        let id = match host {
            HostCandidate::Mapped(external) => self.locals.add_host(base, Some(external)),
            HostCandidate::Plain | HostCandidate::Hidden => self.locals.add_host(base, None),
        };
        let id = id.ok_or(AgentError::TooManyCandidates)?;
        if host != HostCandidate::Hidden {
            self.announce_local(id, base, fx);
        }
        Ok(id)
    }

    /// A relayed address of ours.
    pub(crate) fn relay_found(&mut self, component: Component, found: &Relayed, fx: &mut Effects) {
        if let Some((base, id)) = self.locals.add_relayed(component, found) {
            self.announce_local(id, base, fx);
        }
    }

    /// The relay's server does not let this peer be sent to (RFC 8445 §7.2.1): the pairs fail.
    pub(crate) fn peer_forbidden(&mut self, relay: SocketId, peer: IpAddr, now: Time, fx: &mut Effects) {
        let is_on = |p: &Pair| self.locals.base(p.base).is_some_and(|b| b.socket == relay);
        let is_to = |p: &Pair| self.remotes.get(p.remote).is_some_and(|r| r.candidate.address().ip() == peer);
        let pairs = self.checklists.all().filter(|(_, p)| is_on(p) && is_to(p));
        let pairs: Vec<PairId> = pairs.map(|(id, _)| id).collect();
        for pair in pairs {
            self.path_died(pair, now, fx);
        }
    }

    /// Takes over what gathering found since the last time.
    pub(crate) fn take_found(&mut self, gatherer: &mut Gatherer, fx: &mut Effects) {
        while let Some(found) = gatherer.poll_found() {
            match found {
                Found::Base { component, socket, address, rank, host } => {
                    self.base_found(component, socket, address, (rank, host), fx);
                }
                Found::Reflexive { socket, address, reflexive } => {
                    let Some(base) = self.locals.find_base(socket, Some(address.ip())) else { continue };
                    if let Some(id) = self.locals.add_reflexive(base, &reflexive) {
                        self.announce_local(id, base, fx);
                    }
                }
            }
        }
        if self.local_gathering != gatherer.state() {
            // Gathering that was over at once had begun all the same: whoever follows the states sees each of them.
            if self.local_gathering == GatheringState::New && gatherer.state() == GatheringState::Complete {
                fx.event(Event::GatheringStateChanged(GatheringState::Gathering));
            }
            self.local_gathering = gatherer.state();
            fx.event(Event::GatheringStateChanged(self.local_gathering));
        }
    }

    fn base_found(
        &mut self,
        component: Component,
        socket: SocketId,
        address: SocketAddr,
        (rank, host): (u8, HostCandidate),
        fx: &mut Effects,
    ) {
        let Some(base) = self.locals.add_ranked_base(component, socket, address, rank) else { return };
        let id = match host {
            HostCandidate::Plain => self.locals.add_host(base, None),
            HostCandidate::Mapped(external) => self.locals.add_host(base, Some(external)),
            HostCandidate::Hidden => None,
        };
        if let Some(id) = id {
            self.announce_local(id, base, fx);
        }
    }

    /// RFC 8838 §10: only candidates given to signalling are paired. Queueing the event is giving: whoever does not poll
    /// delays his own signalling, and a peer that gets a check before the candidate learns it from the check.
    pub(super) fn announce_local(&mut self, id: LocalId, base: BaseId, fx: &mut Effects) {
        // RFC 8838 §13: nothing is trickled after the nomination. What comes too late is neither signalled nor paired.
        let component = self.locals.base(base).and_then(|b| self.component(b.component));
        if component.is_some_and(|c| c.selected.is_some()) {
            return;
        }
        fx.event(Event::LocalCandidate(id));
        // A reflexive candidate is replaced by its base (§6.1.2.4); with a higher priority than the candidates of the base so
        // far it is the pair of those that is redundant.
        if self.locals.signal(id) {
            self.pair_base(base, fx);
        }
    }

    /// The driver lost a socket: what uses it is over, and no answer to what it sent can come.
    pub(crate) fn socket_failed(&mut self, socket: SocketId, now: Time, fx: &mut Effects) {
        let lost: Vec<BaseId> =
            self.locals.bases().filter(|(_, b)| b.socket == socket && !b.dead).map(|(id, _)| id).collect();
        for &base in &lost {
            if let Some(base) = self.locals.base_mut(base) {
                base.dead = true;
            }
        }
        self.early.forget(|base| lost.contains(&base));
        let uses = |p: &Pair| lost.contains(&p.base);
        let pairs: Vec<PairId> = self.checklists.all().filter(|(_, p)| uses(p)).map(|(id, _)| id).collect();
        self.transactions.retain(|pair| !pairs.contains(&pair));
        for pair in pairs {
            self.path_died(pair, now, fx);
        }
    }

    /// Whether no further local candidate will come.
    pub(super) fn local_ended(&self) -> bool {
        self.local_gathering == GatheringState::Complete
    }
}
