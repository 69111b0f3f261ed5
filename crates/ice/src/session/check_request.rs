//! What a check of the peer means: RFC 8445 §7.3, top to bottom.

use core::net::SocketAddr;

use floe_stun::{IntegrityAlgorithm, Time, TransactionId};

use crate::checklist::ChecklistState;
use crate::effects::Effects;
use crate::event::{ConnectionState, Event};
use crate::ids::{Component, PairId};
use crate::io::Rejection;
use crate::locals::BaseId;
use crate::message::{Outgoing, PeerRole, UnknownTypes, Wire};
use crate::role::Conflict;
use crate::stats::PairState;

use super::seen::Verdict;
use super::{Session, Stream};

/// An authenticated Binding request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CheckRequest {
    pub(crate) id: TransactionId,
    pub(crate) base: BaseId,
    /// Canonical.
    pub(crate) source: SocketAddr,
    pub(crate) algorithm: IntegrityAlgorithm,
    pub(crate) priority: u32,
    pub(crate) use_candidate: bool,
    pub(crate) role: PeerRole,
}

impl Session {
    /// §7.3. Everything in here happens to authenticated requests only. `sender` is the part of USERNAME after the colon.
    /// False if nothing but an answer came of it; an error if not even that did.
    pub(crate) fn on_request(
        &mut self,
        request: &CheckRequest,
        sender: &[u8],
        now: Time,
        fx: &mut Effects,
    ) -> Result<bool, Rejection> {
        let component = self.locals.base(request.base).map(|b| b.component);
        let component = component.ok_or(Rejection::UnknownSocket)?;
        if let Some(verdict) = self.seen.verdict(request, now) {
            self.count_repeated(component, request);
            self.answer(request, verdict, fx);
            return Ok(false);
        }
        if self.is_consent_check(component, request, sender) {
            self.answer_consent_check(component, request, now, fx);
            return Ok(false);
        }
        // An agent that has failed as a whole stays so until a restart (RFC 8863 §4 gave it its time). RFC 7675 §5.2: it does
        // not consent to be sent anything, and so leaves no peer that believes to be connected.
        if self.state == ConnectionState::Failed && self.has_any_peer() {
            self.remember_and_answer(request, Verdict::Error(403), now, fx);
            return Ok(false);
        }
        // §7.3: without the peer's credentials the request is answered now and acted on when they come.
        if !self.stream(component.stream).is_some_and(Stream::has_peer) {
            self.remember_and_answer(request, Verdict::Success, now, fx);
            self.keep_early(request, sender, fx);
            return Ok(false);
        }
        if !self.is_from_peer(component, sender) {
            return self.on_other_session(request, sender, now, fx);
        }
        self.heard_peer = true;
        // §7.3.1.1.
        let role = self.role.role();
        let agreed = self.agree_on_roles(component, request.role, fx);
        let switched = self.role.role() != role;
        if !agreed {
            self.remember_and_answer(request, Verdict::Error(487), now, fx);
            return Ok(false);
        }
        // RFC 7675 §5.2: we lost consent on this path for good, and do not consent to it either. The peer learns so at once,
        // instead of sending to somebody who cannot answer; and a nomination that cannot be accepted is refused (§7.3.1.5).
        let pair = self.pair_of(component, request);
        if self.is_barred(pair) {
            self.remember_and_answer(request, Verdict::Error(403), now, fx);
            return Ok(switched);
        }
        self.remember_and_answer(request, Verdict::Success, now, fx);
        Ok(self.act_on(component, request, pair, now, fx) || switched)
    }

    /// Whether it can be nothing but the question for consent (RFC 7675 §5.1), and of what follows nothing would come but the answer:
    /// the peer asks on the pair that data of a concluded component goes on (§8.1.2), in its role, and does not nominate. This is
    /// what a connected agent gets most; known at a glance, it takes 110 fewer of the 1700 instructions around the cryptography.
    fn is_consent_check(&self, component: Component, request: &CheckRequest, sender: &[u8]) -> bool {
        let Some(state) = self.component(component) else { return false };
        state.selected.is_some()
            && state.selected == state.path
            && state.is_path(request.base, &request.source)
            && self.state != ConnectionState::Failed
            && self.role.judge(request.role) == Conflict::None
            && !self.nominates(request)
            && self.is_from_peer(component, sender)
    }

    /// RFC 7675 §5.1: each consent check has an id of its own and is sent once. RFC 8489 §6.3.1 lets an answer that changes nothing be
    /// given anew each time; so only the latest of a path is known again, which the network may have duplicated. Remembered like
    /// other checks, those of the last 39.5 s would be a tenth of the memory of a connected agent.
    fn answer_consent_check(
        &mut self,
        component: Component,
        request: &CheckRequest,
        now: Time,
        fx: &mut Effects,
    ) {
        self.answer(request, Verdict::Success, fx);
        if self.seen.forget(now) {
            self.transactions.shrink(1);
        }
        self.heard_peer = true;
        let Some(state) = self.component_mut(component) else { return };
        let (path, is_repeated) = (state.path, state.asked.replace(request.id) == Some(request.id));
        if is_repeated {
            self.count_repeated(component, request);
        } else {
            self.note_request(path, now);
        }
    }

    fn keep_early(&mut self, request: &CheckRequest, sender: &[u8], fx: &mut Effects) {
        if !self.early.keep(*request, sender, self.config.limits.early_checks) {
            fx.counters.reject(Rejection::LimitReached);
        }
    }

    /// A check of another session of the peer, whose password (§7.3.1.4) we do not have. §7.3 has it valid with any ufrag after the
    /// colon; this is our own rule: what it says of roles and nominations is of no concern here, and an answer would make the
    /// peer take a path for valid on which nothing will be understood. It gets one if it will be acted on, and no other.
    fn on_other_session(
        &mut self,
        request: &CheckRequest,
        sender: &[u8],
        now: Time,
        fx: &mut Effects,
    ) -> Result<bool, Rejection> {
        if !self.may_be_of_next_peer() {
            return Err(Rejection::WrongUsername);
        }
        self.remember_and_answer(request, Verdict::Success, now, fx);
        self.keep_early(request, sender, fx);
        Ok(false)
    }

    /// A check that names another ufrag of the peer than we know may be the one that its next credentials, on their way, belong to:
    /// after a restart, until the peer has shown that it means these.
    fn may_be_of_next_peer(&self) -> bool {
        !self.heard_peer && self.follows_another()
    }

    /// §7.3.1.5: only the controlling side nominates, whatever a request that says it is controlled carries.
    fn nominates(&self, request: &CheckRequest) -> bool {
        let from_controlling = matches!(request.role, PeerRole::Controlling(_));
        request.use_candidate && from_controlling && !self.role.is_controlling()
    }

    /// RFC 7675 §5.1: consent was lost on the path the request took; these credentials do not bring it back.
    pub(super) fn is_barred(&self, pair: Option<PairId>) -> bool {
        pair.and_then(|id| self.checklists.get(id)).is_some_and(|p| p.barred)
    }

    /// The pair that a request came on, if there is one.
    pub(super) fn pair_of(&self, component: Component, request: &CheckRequest) -> Option<PairId> {
        // The path in use needs no look-up.
        let state = self.component(component)?;
        if state.is_path(request.base, &request.source) {
            return state.path;
        }
        self.checklists.find(request.base, self.remotes.find(component, request.source)?)
    }

    /// The checks that came before the peer's credentials, in their order. They were answered already, with success, and so
    /// are acted on whatever their role (§7.3.1.1): a conflict that is ours to win comes up again with our own check.
    pub(super) fn replay_early(&mut self, now: Time, fx: &mut Effects) {
        let (streams, locals) = (&self.streams, &self.locals);
        let ready = |r: &CheckRequest| {
            let stream = locals.base(r.base).map(|b| usize::from(b.component.stream.0));
            stream.and_then(|s| streams.get(s)).is_some_and(Stream::has_peer)
        };
        for (request, sender) in self.early.take(ready) {
            let Some(component) = self.locals.base(request.base).map(|b| b.component) else { continue };
            if !self.is_from_peer(component, &sender) {
                if self.may_be_of_next_peer() {
                    self.keep_early(&request, &sender, fx);
                }
                continue;
            }
            self.heard_peer = true;
            let _ = self.agree_on_roles(component, request.role, fx);
            let pair = self.pair_of(component, &request);
            let _ = self.act_on(component, &request, pair, now, fx);
        }
    }

    pub(super) fn is_from_peer(&self, component: Component, sender: &[u8]) -> bool {
        self.keys.peer(component.stream).is_some_and(|p| p.credentials.ufrag_bytes() == sender)
    }

    /// §7.3.1.1. False if the request is to be answered with 487.
    fn agree_on_roles(&mut self, component: Component, theirs: PeerRole, fx: &mut Effects) -> bool {
        let conflict = self.role.judge(theirs);
        if conflict == Conflict::None {
            return true;
        }
        // [D] Both halves of USERNAME are our own ufrag: we are talking to ourselves, which is no conflict.
        if self.is_from_peer(component, self.keys.credentials().ufrag_bytes()) {
            return true;
        }
        fx.counters.role_conflicts = fx.counters.role_conflicts.saturating_add(1);
        match conflict {
            Conflict::None => true,
            Conflict::Reject => false,
            Conflict::Switch => {
                self.role.switch();
                self.announce_role(fx);
                true
            }
        }
    }

    /// §7.3.1.3 to §7.3.1.5. False if nothing came of it.
    fn act_on(
        &mut self,
        component: Component,
        request: &CheckRequest,
        mut pair: Option<PairId>,
        now: Time,
        fx: &mut Effects,
    ) -> bool {
        let nominates = self.nominates(request);
        // §8.1.2: once a component is concluded, a check only gets its answer. A nomination is more: it may move the path.
        let concerns_us = nominates || !self.is_concluded(component);
        let mut learned = false;
        if pair.is_none() {
            let known = self.remote_or_learn(component, request, now);
            let Some((remote, is_new)) = known else {
                fx.counters.reject(Rejection::LimitReached);
                return false;
            };
            learned = is_new;
            if learned {
                fx.event(Event::RemoteCandidateDiscovered(remote));
            }
            if concerns_us {
                pair = self.form(request.base, remote, true, fx);
                self.start_checklists();
            }
        }
        let Some(id) = pair else { return learned };
        self.note_request(pair, now);
        if concerns_us {
            // Whoever sends checks is no stranger that they would be sent to in vain.
            let remote = self.checklists.get(id).map(|p| p.remote);
            if let Some(remote) = remote.and_then(|r| self.remotes.get_mut(r)) {
                remote.heard_from(self.config.limits.checks_per_remote);
            }
            self.trigger_check(id);
        }
        if nominates {
            self.note_nomination(id, now, fx);
        }
        let follows = self.follow_peer(component, id, now, fx);
        concerns_us || learned || follows
    }

    /// §7.3.1.4, by the state of the pair.
    fn trigger_check(&mut self, id: PairId) {
        let Some(pair) = self.checklists.get_mut(id) else { return };
        // RFC 7675 §5.1: consent was lost on it; these credentials do not bring it back.
        if pair.barred {
            return;
        }
        match pair.state() {
            PairState::Succeeded => return,
            // The retransmissions end, and a new check takes over; a late answer to the old one still counts.
            PairState::InProgress => {
                if let Some(check) = pair.check.take() {
                    self.transactions.cancel(&check);
                }
            }
            PairState::Waiting | PairState::Frozen | PairState::Failed => {}
        }
        self.revive_checklist(id);
        self.checklists.set_state(id, PairState::Waiting);
        self.checklists.trigger(id);
    }

    /// A pair, of old or new, of which the peer says that it works: its checklist is Running again, if it was Failed.
    fn revive_checklist(&mut self, id: PairId) {
        let Some(stream) = self.checklists.get(id).map(|p| p.component.stream) else { return };
        if let Some(list) = self.checklists.list_mut(stream)
            && list.state == ChecklistState::Failed
        {
            list.state = ChecklistState::Running;
        }
    }

    /// §7.3.1.5.
    fn note_nomination(&mut self, id: PairId, now: Time, fx: &mut Effects) {
        let fresh = self.has_consent(id, now);
        let Some(pair) = self.checklists.get_mut(id) else { return };
        pair.nominate_when_valid = true;
        if pair.state() != PairState::Succeeded {
            return;
        }
        if fresh {
            self.nominated(id, fx);
        } else {
            self.prove_again(id);
        }
    }

    /// §8.1.2: the component has its selected pair.
    pub(crate) fn is_concluded(&self, component: Component) -> bool {
        self.component(component).is_some_and(|c| c.selected.is_some())
    }

    pub(super) fn remember_and_answer(
        &mut self,
        request: &CheckRequest,
        verdict: Verdict,
        now: Time,
        fx: &mut Effects,
    ) {
        self.seen.remember(request, verdict, now);
        self.answer(request, verdict, fx);
    }

    /// §7.3.1.2: to where the request came from, from where it arrived.
    pub(super) fn answer(&self, request: &CheckRequest, verdict: Verdict, fx: &mut Effects) {
        let (id, algorithm, keys) = (request.id, request.algorithm, self.keys.generation());
        let wire = match verdict {
            Verdict::Success => Wire::Success { id, keys, algorithm },
            Verdict::Error(code) => {
                Wire::Error { id, keys, algorithm, code, unknown: UnknownTypes::default() }
            }
        };
        self.respond(request.base, request.source, wire, fx);
    }

    /// A response from a base.
    pub(crate) fn respond(&self, base: BaseId, destination: SocketAddr, wire: Wire, fx: &mut Effects) {
        let Some(base) = self.locals.base(base) else { return };
        fx.respond(Outgoing { socket: base.socket, src_ip: Some(base.address.ip()), destination, wire });
    }

    fn note_request(&mut self, pair: Option<PairId>, now: Time) {
        if let Some(pair) = pair.and_then(|id| self.checklists.get_mut(id)) {
            pair.heard = now;
            let stats = pair.stats_mut();
            stats.requests_received = stats.requests_received.saturating_add(1);
            stats.responses_sent = stats.responses_sent.saturating_add(1);
        }
    }

    pub(super) fn count_repeated(&mut self, component: Component, request: &CheckRequest) {
        let Some(id) = self.pair_of(component, request) else { return };
        if let Some(pair) = self.checklists.get_mut(id) {
            let stats = pair.stats_mut();
            stats.retransmissions_received = stats.retransmissions_received.saturating_add(1);
        }
    }
}
