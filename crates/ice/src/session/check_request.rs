//! What a check of the peer means: RFC 8445 §7.3, top to bottom.

use core::net::SocketAddr;

use floe_stun::{IntegrityAlgorithm, Time, TransactionId};

use crate::checklist::ChecklistState;
use crate::effects::Effects;
use crate::event::Event;
use crate::ids::{Component, PairId, RemoteId};
use crate::io::Rejection;
use crate::locals::BaseId;
use crate::message::{Outgoing, PeerRole, UnknownTypes, Wire};
use crate::role::Conflict;
use crate::stats::PairState;

use super::Session;
use super::seen::Verdict;

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
    /// §7.3. Everything in here happens to authenticated requests only.
    pub(crate) fn on_request(
        &mut self,
        request: &CheckRequest,
        now: Time,
        fx: &mut Effects,
    ) -> Result<(), Rejection> {
        let component =
            self.locals.base(request.base).map(|b| b.component).ok_or(Rejection::UnknownSocket)?;
        let remote = self.remotes.find(component, request.source);
        if let Some(verdict) = self.seen.verdict(&request.id, request.base, remote, now) {
            self.count_repeated(request.base, remote);
            self.answer(request, verdict, fx);
            return Ok(());
        }
        // §7.3: without the peer's credentials the request is answered now and acted on when they come.
        if !self.stream(component.stream).is_some_and(|s| s.has_peer) {
            self.remember_and_answer(request, remote, Verdict::Success, now, fx);
            let kept = self.early.keep(*request, self.config.limits.early_checks);
            return if kept { Ok(()) } else { Err(Rejection::LimitReached) };
        }
        // §7.3.1.1.
        if !self.agree_on_roles(component, request.role, fx) {
            self.remember_and_answer(request, remote, Verdict::Error(487), now, fx);
            return Ok(());
        }
        self.remember_and_answer(request, remote, Verdict::Success, now, fx);
        self.act_on(component, request, now, fx)
    }

    /// The checks that came before the peer's credentials, in their order. They were answered already.
    pub(super) fn replay_early(&mut self, now: Time, fx: &mut Effects) {
        let (streams, locals) = (&self.streams, &self.locals);
        let ready = |r: &CheckRequest| {
            let stream = locals.base(r.base).map(|b| usize::from(b.component.stream.0));
            stream.and_then(|s| streams.get(s)).is_some_and(|s| s.has_peer)
        };
        for request in self.early.take(ready) {
            let Some(component) = self.locals.base(request.base).map(|b| b.component) else { continue };
            // A conflict that is ours to win will come up again with our own check.
            if self.agree_on_roles(component, request.role, fx)
                && self.act_on(component, &request, now, fx).is_err()
            {
                fx.counters.reject(Rejection::LimitReached);
            }
        }
    }

    /// §7.3.1.1. False if the request is to be answered with 487.
    fn agree_on_roles(&mut self, component: Component, theirs: PeerRole, fx: &mut Effects) -> bool {
        // [D] Both halves of USERNAME are our own ufrag: we are talking to ourselves, which is no conflict.
        let ourselves = self
            .keys
            .peer(component.stream)
            .is_some_and(|p| p.credentials.ufrag() == self.credentials.ufrag());
        if ourselves {
            return true;
        }
        let conflict = self.role.judge(theirs);
        if conflict != Conflict::None {
            fx.counters.role_conflicts = fx.counters.role_conflicts.saturating_add(1);
        }
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

    /// §7.3.1.3 to §7.3.1.5.
    fn act_on(
        &mut self,
        component: Component,
        request: &CheckRequest,
        now: Time,
        fx: &mut Effects,
    ) -> Result<(), Rejection> {
        let (remote, learned) = self
            .remote_or_learn(component, request.source, request.priority)
            .ok_or(Rejection::LimitReached)?;
        if learned {
            fx.event(Event::RemoteCandidateDiscovered(remote));
        }
        // §7.3.1.5: only the controlling side nominates, whatever a request that says it is controlled carries.
        let nominates = request.use_candidate
            && !self.role.is_controlling()
            && matches!(request.role, PeerRole::Controlling(_));
        let known = self.checklists.find(request.base, remote);
        // After completion a check only gets its answer. A nomination is more: it may move the path.
        if known.is_none() && !nominates && self.is_completed(component) {
            return Ok(());
        }
        let id = match known {
            Some(id) => id,
            None => self.form(request.base, remote, fx).ok_or(Rejection::LimitReached)?,
        };
        self.start_checklists();
        if let Some(pair) = self.checklists.get_mut(id) {
            let stats = pair.stats_mut();
            stats.requests_received = stats.requests_received.saturating_add(1);
            stats.responses_sent = stats.responses_sent.saturating_add(1);
        }
        self.trigger_check(id, nominates, fx);
        if nominates {
            self.note_nomination(id, now, fx);
        }
        Ok(())
    }

    /// §7.3.1.4, by the state of the pair.
    fn trigger_check(&mut self, id: PairId, nominates: bool, _fx: &mut Effects) {
        let Some(pair) = self.checklists.get(id) else { return };
        let (state, component) = (pair.state, pair.component);
        if self.is_completed(component) && !nominates {
            return;
        }
        match state {
            PairState::Succeeded => {}
            PairState::InProgress => {
                // The retransmissions end, and a new check takes over; a late answer to the old one still counts.
                if let Some(check) = self.checklists.get_mut(id).and_then(|p| p.check.take()) {
                    self.transactions.cancel(&check);
                }
                self.checklists.set_state(id, PairState::Waiting);
                self.checklists.trigger(id);
            }
            PairState::Waiting | PairState::Frozen => {
                self.checklists.set_state(id, PairState::Waiting);
                self.checklists.trigger(id);
            }
            PairState::Failed => self.revive(id),
        }
    }

    /// A Failed pair of which the peer says that it works: back to Waiting, and its checklist back to Running. An agent that
    /// has failed as a whole stays so until a restart (RFC 8863 §4 gave it its time).
    fn revive(&mut self, id: PairId) {
        let Some(stream) = self.checklists.get(id).map(|p| p.component.stream) else { return };
        if self.state == crate::ConnectionState::Failed {
            return;
        }
        self.checklists.set_state(id, PairState::Waiting);
        self.checklists.trigger(id);
        if let Some(list) = self.checklists.list_mut(stream)
            && list.state == ChecklistState::Failed
        {
            list.state = ChecklistState::Running;
        }
    }

    /// §7.3.1.5.
    fn note_nomination(&mut self, id: PairId, now: Time, fx: &mut Effects) {
        let Some(pair) = self.checklists.get_mut(id) else { return };
        if pair.state == PairState::Succeeded && pair.valid.is_some() {
            self.nominated(id, now, fx);
        } else if pair.state != PairState::Failed {
            pair.nominate_when_valid = true;
        }
    }

    fn is_completed(&self, component: Component) -> bool {
        self.checklists.list(component.stream).is_some_and(|l| l.state == ChecklistState::Completed)
    }

    fn remember_and_answer(
        &mut self,
        request: &CheckRequest,
        remote: Option<RemoteId>,
        verdict: Verdict,
        now: Time,
        fx: &mut Effects,
    ) {
        self.seen.remember(request.id, request.base, remote, verdict, now);
        self.answer(request, verdict, fx);
    }

    /// §7.3.1.2: to where the request came from, from where it arrived.
    fn answer(&self, request: &CheckRequest, verdict: Verdict, fx: &mut Effects) {
        let (id, algorithm) = (request.id, request.algorithm);
        let wire = match verdict {
            Verdict::Success => Wire::Success { id, algorithm },
            Verdict::Error(code) => Wire::Error { id, algorithm, code, unknown: UnknownTypes::default() },
        };
        self.respond(request.base, request.source, wire, fx);
    }

    /// A response from a base.
    pub(crate) fn respond(&self, base: BaseId, destination: SocketAddr, wire: Wire, fx: &mut Effects) {
        let Some(base) = self.locals.base(base) else { return };
        fx.respond(Outgoing { socket: base.socket, src_ip: Some(base.address.ip()), destination, wire });
    }

    fn count_repeated(&mut self, base: BaseId, remote: Option<RemoteId>) {
        let Some(id) = remote.and_then(|r| self.checklists.find(base, r)) else { return };
        if let Some(pair) = self.checklists.get_mut(id) {
            let stats = pair.stats_mut();
            stats.retransmissions_received = stats.retransmissions_received.saturating_add(1);
        }
    }
}
