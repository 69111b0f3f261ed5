//! ICE restarts (RFC 8445 §9): what the next session takes over from this one, and what is left of this one.
//!
//! A restart forgets everything but the roles (RFC 8445 §9). So the next session is a new one: other credentials, no candidates of the
//! peer, no pairs. What it takes over are the role, the bases, which are announced again as candidates of the new session, the pace,
//! and numbers, so that none is given twice.

use alloc::vec::Vec;

use floe_stun::{RetransmissionSchedule, Time};

use crate::candidate::Credentials;
use crate::checklist::Pair;
use crate::effects::Effects;
use crate::event::{ConnectionState, Event, GatheringState};
use crate::ids::{Component, PairId, SocketId};
use crate::keys::Keyring;
use crate::locals::BaseId;
use crate::stats::PairState;

use super::early::EarlyChecks;
use super::seen::SeenRequests;
use super::{ComponentState, Session, Stream};

impl Session {
    /// The session that follows this one with new credentials: both change (RFC 8445 §9).
    pub(crate) fn restarted(&self, now: Time, fx: &mut Effects) -> Self {
        let mut credentials = Credentials::from_random(&fx.random.bytes());
        // Two equal ones in a row happen once in 2^48 or so.
        while credentials.ufrag() == self.keys.credentials().ufrag()
            || credentials.pwd() == self.keys.credentials().pwd()
        {
            credentials = Credentials::from_random(&fx.random.bytes());
        }
        let patience = RetransmissionSchedule::new(self.config.rto.get()).timeout();
        let awaits_answer = self.has_any_peer() || self.follows_another();
        let answer_by = awaits_answer.then(|| now.saturating_add(patience));
        Self { answer_by, ..self.successor(credentials, now) }
    }

    /// The session that follows this one with the same credentials and candidates of ours, for other credentials of the peer.
    /// What the peer sent to this one before its credentials were known is kept.
    pub(crate) fn repaired(&mut self, now: Time) -> Self {
        let mut next = self.successor(self.keys.credentials().clone(), now);
        for (new, old) in next.streams.iter_mut().zip(&self.streams) {
            for (new, old) in new.components.iter_mut().zip(&old.components) {
                new.was_selected = old.was_selected;
            }
        }
        Self {
            locals: self.locals.clone(),
            early: core::mem::take(&mut self.early),
            local_gathering: self.local_gathering,
            answer_by: self.answer_by,
            ..next
        }
    }

    fn successor(&self, credentials: Credentials, now: Time) -> Self {
        let component = |c: &ComponentState| ComponentState {
            announced: c.announced,
            epoch: c.epoch,
            consent_lost: c.consent_lost,
            ..ComponentState::new(now)
        };
        let stream = |s: &Stream| Stream {
            components: s.components.iter().map(component).collect(),
            ..Stream::new(0, now)
        };
        Self {
            role: self.role.successor(),
            keys: Keyring::new(self.keys.generation().next(), credentials, self.streams.len()),
            streams: self.streams.iter().map(stream).collect(),
            locals: self.locals.successor(),
            remotes: self.remotes.successor(),
            checklists: self.checklists.successor(),
            transactions: self.transactions.successor(),
            pacer: self.pacer.successor(self.config.ta.get()),
            gathering_had_turn: self.gathering_had_turn,
            early: EarlyChecks::default(),
            seen: SeenRequests::default(),
            local_gathering: GatheringState::New,
            state: self.state,
            unauthenticated: self.unauthenticated,
            answer_by: None,
            heard_peer: false,
            config: self.config,
        }
    }

    /// The bases of the session before this one, announced again as candidates of this one: a restart is free to use
    /// candidates again (RFC 8445 §9). What servers saw is asked for anew.
    pub(crate) fn take_bases(&mut self, from: &Self, fx: &mut Effects) {
        // Relayed ones come with their allocations.
        for (old, base) in from.locals.bases().filter(|(_, b)| !b.dead && !b.socket.is_relay()) {
            let host = from.locals.host_of(old).map(crate::Candidate::address);
            let new = self.locals.add_ranked_base(base.component, base.socket, base.address, base.rank);
            let Some(new) = new else { continue };
            let Some(address) = host else { continue };
            let external = (address != base.address).then_some(address);
            if let Some(id) = self.locals.add_host(new, external) {
                self.announce_local(id, new, fx);
            }
        }
    }

    /// W3C webrtc, `RTCIceTransportState`: what a restart makes of the state.
    pub(crate) fn begin_anew(&mut self, fx: &mut Effects) {
        use ConnectionState::{Checking, Closed, Completed, Connected, Disconnected, Failed, New};
        let next = match self.state {
            Completed | Connected => Connected,
            // That connectivity was lost counts no more.
            Disconnected | Checking => Checking,
            Failed | New => New,
            Closed => Closed,
        };
        if next != self.state {
            self.state = next;
            fx.event(Event::StateChanged(next));
        }
    }

    /// The peer never answered the restart, and its time is over.
    pub(super) fn is_unanswered(&self, now: Time) -> bool {
        !self.has_any_peer() && self.answer_by.is_some_and(|end| now >= end)
    }

    /// Whether it is of any use after a restart: there is a peer that knows of it, and that may send on it.
    pub(super) fn is_of_use(&self) -> bool {
        self.has_any_peer() && self.state != ConnectionState::Failed
    }

    /// Some stream knows the peer's credentials.
    pub(crate) fn has_any_peer(&self) -> bool {
        self.streams.iter().any(Stream::has_peer)
    }

    /// Whether the session follows another one that had a peer.
    pub(crate) fn follows_another(&self) -> bool {
        self.answer_by.is_some()
    }

    /// Whether a check came that pairs our credentials with the peer's.
    pub(crate) fn has_heard_peer(&self) -> bool {
        self.heard_peer
    }

    /// The application takes a socket out of use: no candidate of this session needs it any more.
    pub(crate) fn withdraw(&mut self, socket: SocketId, now: Time, fx: &mut Effects) {
        let bases: Vec<BaseId> =
            self.locals.bases().filter(|(_, b)| b.socket == socket).map(|(id, _)| id).collect();
        self.socket_failed(socket, now, fx);
        for base in bases {
            self.locals.withdraw(base);
        }
    }

    /// RFC 8839 §4.4.3.1.1: of each component the pair that data goes on is remembered; the valid lists and the checklists are
    /// flushed. Nothing is checked any more but consent (RFC 7675 §5.1).
    pub(super) fn strip(&mut self) {
        self.early = EarlyChecks::default();
        for component in self.components() {
            let Some(state) = self.component_mut(component) else { continue };
            (state.nominating, state.first_valid) = (None, None);
            // Consent follows the pair that data is to go on, on whichever side of §12.1 other components are. In a stream that
            // failed there is none.
            let kept = state.consent.map(|c| c.pair);
            state.selected = state.selected.filter(|_| kept.is_some());
            self.checklists.remove_of(component, |id, _| Some(id) != kept);
            if let Some(id) = kept {
                self.calm(id);
            }
        }
        let checklists = &self.checklists;
        self.transactions.retain(|pair| checklists.get(pair).is_some());
    }

    /// No check of a pair is begun or repeated any more. Answers to those on their way count for consent.
    fn calm(&mut self, id: PairId) {
        self.checklists.untrigger(id);
        self.transactions.cancel_of(id);
        self.checklists.set_state(id, PairState::Succeeded);
        if let Some(pair) = self.checklists.get_mut(id) {
            (pair.nominating, pair.nominate_when_valid, pair.check) = (false, false, None);
        }
    }

    /// The component is another session's: nothing is sent for it any more.
    pub(super) fn let_go(&mut self, component: Component) {
        self.flush_traffic(component);
        let Some(state) = self.component_mut(component) else { return };
        (state.selected, state.path, state.path_ends, state.consent) = (None, None, None, None);
        self.checklists.remove_of(component, |_, _: &Pair| true);
        let checklists = &self.checklists;
        self.transactions.retain(|pair| checklists.get(pair).is_some());
    }
}
