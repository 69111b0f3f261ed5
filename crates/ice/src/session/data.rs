//! Paths for data, keepalives and consent: RFC 8445 §11 and §12, RFC 7675.

use alloc::vec::Vec;
use core::net::SocketAddr;

use floe_stun::Time;

use crate::checklist::{Checklist, ChecklistState, Pair};
use crate::consent::{Consent, EXPIRY, INTERVAL};
use crate::effects::Effects;
use crate::error::SendError;
use crate::event::{ConsentLoss, Event};
use crate::ids::{Component, PairId, SocketId};
use crate::locals::BaseId;
use crate::message::{Outgoing, Wire};
use crate::path::SendPath;
use crate::remotes::is_same;
use crate::stats::PairState;
use crate::transaction::Request;

use super::Session;

/// The ends of a path.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PathEnds {
    base: BaseId,
    /// The remote candidate, with the zone that is needed to reach it.
    destination: SocketAddr,
}

impl PathEnds {
    /// Whether what comes from `source` to this base comes on the path.
    pub(super) fn is_between(&self, base: BaseId, source: &SocketAddr) -> bool {
        self.base == base && is_same(&self.destination, source)
    }
}

/// The way that packets of a pair take.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Way {
    socket: SocketId,
    source: SocketAddr,
    destination: SocketAddr,
}

/// What came and went on the path of a component since it became its path.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Traffic {
    pub(crate) packets_sent: u64,
    pub(crate) bytes_sent: u64,
    pub(crate) packets_received: u64,
    pub(crate) bytes_received: u64,
}

impl Session {
    /// Brings the path of every component up to date, and sees to consent and keepalives on it.
    pub(super) fn maintain_paths(&mut self, now: Time, fx: &mut Effects) {
        for at in 0..self.streams.len() {
            for component in self.components_of(at) {
                self.update_path(component, now, fx);
                if self.config.consent {
                    self.check_consent(component, now, fx);
                } else {
                    self.keep_alive(component, now, fx);
                }
            }
        }
    }

    fn update_path(&mut self, component: Component, now: Time, fx: &mut Effects) {
        let wanted = self.wanted_pair(component);
        let Some(state) = self.component(component) else { return };
        // A selected pair is sent on whatever else is: with it in use, or with none to use, nothing can change.
        let is_steady = wanted == state.selected && wanted == state.path;
        if is_steady && wanted == state.consent.as_ref().map(|c| c.pair) {
            return;
        }
        self.follow_consent(component, wanted, now, fx);
        let path = wanted.filter(|&pair| self.may_send_on(component, pair, now));
        let Some(state) = self.component(component) else { return };
        if state.path == path {
            return;
        }
        self.flush_traffic(component);
        let ends = path.and_then(|pair| self.ends_of(pair));
        let Some(state) = self.component_mut(component) else { return };
        state.path = path;
        state.path_ends = ends;
        state.asked = None;
        state.consent_lost &= path.is_none();
        state.last_sent = now;
    }

    /// The pair that data of a component goes on, as far as it is up to this session.
    pub(crate) fn path_of(&self, component: Component) -> Option<PairId> {
        self.component(component)?.path
    }

    /// Tells the application when data of a component goes another way: on the pair `path`, of this session or of a retired one,
    /// whose way `of_retired` knows. A pair of the new session with the way of the old one is no change.
    pub(crate) fn announce_path(
        &mut self,
        component: Component,
        path: Option<PairId>,
        of_retired: impl Fn(PairId) -> Option<Way>,
        fx: &mut Effects,
    ) {
        let announced = self.component(component).and_then(|c| c.announced);
        if announced == path {
            return;
        }
        let way = |pair: PairId| self.way_of(pair).or_else(|| of_retired(pair));
        let (before, after) = (announced.and_then(way), path.and_then(way));
        let Some(state) = self.component_mut(component) else { return };
        state.announced = path;
        state.consent_lost &= path.is_none();
        if before.is_none() || before != after {
            state.epoch = state.epoch.wrapping_add(1);
            fx.event(Event::PathChanged(component));
        }
    }

    /// Data of a component go the same way, and not as they did.
    pub(crate) fn path_changed(&mut self, component: Component, fx: &mut Effects) {
        if let Some(state) = self.component_mut(component) {
            state.epoch = state.epoch.wrapping_add(1);
            fx.event(Event::PathChanged(component));
        }
    }

    /// Where packets of a pair leave from and go to.
    pub(crate) fn way_of(&self, pair: PairId) -> Option<Way> {
        let PathEnds { base, destination } = self.ends_of(pair)?;
        let base = self.locals.base(base)?;
        Some(Way { socket: base.socket, source: base.address, destination })
    }

    /// Whether a component needs no session from before a restart any more: it has its selected pair, or ICE has completed without
    /// it.
    pub(crate) fn has_taken_over(&self, component: Component) -> bool {
        let completed = |l: &Checklist| l.state == ChecklistState::Completed;
        self.is_concluded(component) || self.checklists.list(component.stream).is_some_and(completed)
    }

    /// The pair for data of a component: the selected one, before that the best valid one. None if the checklist Failed:
    /// then no component of the stream sends (§12.1).
    fn wanted_pair(&self, component: Component) -> Option<PairId> {
        if self.checklists.list(component.stream)?.state == ChecklistState::Failed {
            return None;
        }
        self.component(component)?.selected.or_else(|| self.best_valid(component))
    }

    /// Consent is kept on the pair that data may go on, and so is the NAT's mapping, also while other components are not
    /// that far.
    fn follow_consent(&mut self, component: Component, wanted: Option<PairId>, now: Time, fx: &mut Effects) {
        let followed = self.component(component).and_then(|c| Some(c.consent.as_ref()?.pair));
        if followed == wanted {
            return;
        }
        let consent = wanted.map(|pair| {
            let proved = self.checklists.get(pair).and_then(|p| p.valid).map_or(now, |v| v.confirmed);
            let jittered = fx.random.jitter(INTERVAL);
            Consent::new(pair, proved, now, jittered)
        });
        if let Some(state) = self.component_mut(component) {
            state.consent = consent;
        }
    }

    /// §12.1: data goes on the selected pair; before there is one, when every component of the stream has a valid one.
    fn may_send_on(&self, component: Component, pair: PairId, now: Time) -> bool {
        let stream = usize::from(component.stream.0);
        let has_pair = |c: Component| self.is_concluded(c) || self.best_valid(c).is_some();
        let mut all = self.components_of(stream).take(self.effective_components(stream, now));
        self.is_concluded(component) || (self.has_consent(pair, now) && all.all(has_pair))
    }

    /// RFC 7675 §5: the peer consented to receive on this pair, not longer ago than consent lasts.
    pub(super) fn has_consent(&self, pair: PairId, now: Time) -> bool {
        let valid = self.checklists.get(pair).and_then(|p| p.valid);
        valid.is_some_and(|v| !self.config.consent || now.saturating_since(v.confirmed) < EXPIRY)
    }

    fn ends_of(&self, pair: PairId) -> Option<PathEnds> {
        let pair = self.checklists.get(pair)?;
        let remote = self.remotes.get(pair.remote)?;
        let destination = remote.destination(self.locals.base(pair.base)?.address);
        Some(PathEnds { base: pair.base, destination })
    }

    // --- consent (RFC 7675 §5.1) --------------------------------------------------------------------------------

    /// Consent that is over.
    pub(super) fn expire_consent(&mut self, now: Time, fx: &mut Effects) {
        if !self.config.consent {
            return;
        }
        for at in 0..self.streams.len() {
            for component in self.components_of(at) {
                let consent = self.component(component).and_then(|c| c.consent.as_ref());
                if let Some(pair) = consent.filter(|c| c.is_expired(now)).map(|c| c.pair) {
                    self.consent_lost(pair, ConsentLoss::Expired, now, fx);
                }
            }
        }
    }

    fn check_consent(&mut self, component: Component, now: Time, fx: &mut Effects) {
        let due = |c: &&Consent| c.is_check_due(now);
        let consent = self.component(component).and_then(|c| c.consent.as_ref()).filter(due);
        let Some(consent) = consent.filter(|_| fx.has_room()).copied() else { return };
        let (id, role) = (fx.random.transaction_id(), self.role.attribute());
        let Some(packet) = self.check_packet(consent.pair, id, false, role) else { return };
        self.transactions.consent(id, Request { pair: consent.pair, role, rto: EXPIRY, now }, EXPIRY);
        fx.counters.consent_checks_sent = fx.counters.consent_checks_sent.saturating_add(1);
        fx.send(packet);
        if let Some(pair) = self.checklists.get_mut(consent.pair) {
            let stats = pair.stats_mut();
            stats.consent_requests_sent = stats.consent_requests_sent.saturating_add(1);
        }
        let jittered = fx.random.jitter(INTERVAL);
        if let Some(consent) = self.component_mut(component).and_then(|c| c.consent.as_mut()) {
            consent.checked(now, jittered);
        }
    }

    /// An authenticated success on this pair.
    pub(super) fn consent_confirmed(&mut self, id: PairId, now: Time) {
        let Some(pair) = self.checklists.get_mut(id) else { return };
        if let Some(valid) = &mut pair.valid {
            valid.confirmed = valid.confirmed.max(now);
        }
        let component = pair.component;
        if let Some(consent) = self.component_mut(component).and_then(|c| c.consent.as_mut())
            && consent.pair == id
        {
            consent.confirm(now);
        }
    }

    /// Nothing may be sent on this pair any more, and these credentials are not used on it again (RFC 7675 §5.1): what is
    /// outstanding is discarded, and no check of the peer revives it.
    pub(super) fn consent_lost(&mut self, id: PairId, loss: ConsentLoss, now: Time, fx: &mut Effects) {
        let Some(component) = self.checklists.get(id).map(|p| p.component) else { return };
        if let Some(state) = self.component_mut(component)
            && state.path == Some(id)
        {
            state.consent_lost = true;
            fx.event(Event::ConsentLost { component, loss });
        }
        self.path_died(id, now, fx);
        self.transactions.retain(|pair| pair != id);
        if let Some(pair) = self.checklists.get_mut(id) {
            pair.barred = true;
        }
    }

    /// A valid pair of a component is gone. Another one whose latest answer is older than consent lasts may be as dead, and is
    /// not used unproved (RFC 7675 §5.1). One that the peer nominated too, and that was given up for a better one, has its
    /// chance now.
    pub(super) fn prove_others(&mut self, component: Component, lost: PairId, now: Time) {
        let usable = |p: &Pair| !p.barred && self.locals.base(p.base).is_some_and(|b| !b.dead);
        let waits = |p: &Pair| p.nominate_when_valid && p.state() == PairState::Failed;
        let others: Vec<PairId> = self
            .checklists
            .in_order(component.stream)
            .filter(|&(id, p)| p.component == component && id != lost && !p.nominating && usable(p))
            .filter(|(_, p)| p.valid.is_some() || waits(p))
            .map(|(id, _)| id)
            .collect();
        for id in others {
            if !self.has_consent(id, now) {
                self.prove_again(id);
            }
        }
    }

    /// Back to Waiting, and checked as soon as Ta allows; nominated pairs are nominated again with its success.
    pub(super) fn prove_again(&mut self, id: PairId) {
        let controlled = !self.role.is_controlling();
        self.checklists.clear_valid(id);
        let Some(pair) = self.checklists.get_mut(id) else { return };
        pair.nominate_when_valid |= core::mem::take(&mut pair.nominated) && controlled;
        self.checklists.set_state(id, PairState::Waiting);
        self.checklists.trigger(id);
    }

    /// A pair that was selected, or about to be, is gone; the best other nominated one takes over.
    pub(super) fn deselect(&mut self, component: Component, pair: PairId, fx: &mut Effects) {
        let Some(state) = self.component_mut(component) else { return };
        if state.nominating == Some(pair) {
            state.nominating = None;
        }
        if state.selected == Some(pair) {
            state.selected = None;
            self.select(component, fx);
        }
    }

    // --- keepalives (RFC 8445 §11) ------------------------------------------------------------------------------

    fn keep_alive(&mut self, component: Component, now: Time, fx: &mut Effects) {
        let Some(state) = self.component(component) else { return };
        let (Some(pair), last) = (state.path, state.last_sent) else { return };
        if now < last.saturating_add(self.config.keepalive.get()) || !fx.has_room() {
            return;
        }
        let Some(PathEnds { base, destination }) = self.ends_of(pair) else { return };
        let Some(base) = self.locals.base(base) else { return };
        let wire = Wire::Keepalive { id: fx.random.transaction_id() };
        fx.send(Outgoing { socket: base.socket, src_ip: Some(base.address.ip()), destination, wire });
        if let Some(state) = self.component_mut(component) {
            state.last_sent = now;
        }
    }

    /// When consent or a keepalive wants something next.
    pub(super) fn next_path_timeout(&self, now: Time) -> Option<Time> {
        let all = self.streams.iter().flat_map(|s| &s.components);
        if self.config.consent {
            all.filter_map(|c| c.consent).map(|c| c.next_timeout(now)).min()
        } else {
            let in_use = all.filter(|c| c.path.is_some());
            in_use.map(|c| c.last_sent.saturating_add(self.config.keepalive.get())).min()
        }
    }

    // --- data (RFC 8445 §12) ------------------------------------------------------------------------------------

    /// Where data goes; `epoch` is that of the agent's current session.
    pub(crate) fn send_path(&self, component: Component, epoch: u32) -> Result<SendPath, SendError> {
        let state = self.component(component).ok_or(SendError::UnknownComponent)?;
        let none = if state.consent_lost { SendError::NoConsent } else { SendError::NotConnected };
        let PathEnds { base, destination } = state.path_ends.ok_or(none)?;
        let base = self.locals.base(base).ok_or(none)?;
        Ok(SendPath {
            component,
            socket: base.socket,
            src_ip: Some(base.address.ip()),
            destination,
            epoch,
            relay: None,
        })
    }

    /// How often the path of a component has changed.
    pub(crate) fn epoch(&self, component: Component) -> u32 {
        self.component(component).map_or(0, |c| c.epoch)
    }

    /// Consent on the path of a component ended, and there is no other path since.
    pub(super) fn has_lost_consent(&self, component: Component) -> bool {
        self.component(component).is_some_and(|c| c.consent_lost)
    }

    /// Consent on the path of a component ended in a retired session.
    pub(crate) fn note_lost_consent(&mut self, component: Component) {
        if let Some(state) = self.component_mut(component) {
            state.consent_lost = true;
        }
    }

    /// Whether the path of a component gave no answer for a while.
    pub(super) fn is_path_stale(&self, component: Component, now: Time) -> bool {
        let state = self.component(component).filter(|c| self.config.consent && c.path.is_some());
        state.and_then(|c| c.consent).is_some_and(|c| c.is_stale(now))
    }

    pub(crate) fn record_sent(&mut self, component: Component, packets: u64, bytes: u64, now: Time) {
        if let Some(state) = self.component_mut(component) {
            state.traffic.packets_sent = state.traffic.packets_sent.saturating_add(packets);
            state.traffic.bytes_sent = state.traffic.bytes_sent.saturating_add(bytes);
            state.last_sent = state.last_sent.max(now);
        }
    }

    pub(crate) fn record_received(&mut self, component: Component, packets: u64, bytes: u64) {
        if let Some(state) = self.component_mut(component) {
            state.traffic.packets_received = state.traffic.packets_received.saturating_add(packets);
            state.traffic.bytes_received = state.traffic.bytes_received.saturating_add(bytes);
        }
    }

    /// §12.2: data counts when it comes from a remote candidate we know, peer-reflexive ones included, whether or not our own
    /// check has succeeded. Whoever sent a check that waits for the peer's credentials is as well known as one that is
    /// peer-reflexive: that check was answered, so the peer has a valid pair and may send (§12.1) before its candidates
    /// reach us.
    pub(crate) fn accept_data(&mut self, base: BaseId, source: SocketAddr, len: usize) -> Option<Component> {
        let component = self.locals.base(base)?.component;
        let state = self.component_mut(component)?;
        // The path in use needs no look-up.
        if state.is_path(base, &source) {
            state.traffic.packets_received = state.traffic.packets_received.saturating_add(1);
            state.traffic.bytes_received = state.traffic.bytes_received.saturating_add(len as u64);
            return Some(component);
        }
        let Some(remote) = self.remotes.find(component, source) else {
            return self.early.holds(base, source).then_some(component);
        };
        if let Some(pair) = self.checklists.find(base, remote).and_then(|id| self.checklists.get_mut(id)) {
            let stats = pair.stats_mut();
            stats.packets_received = stats.packets_received.saturating_add(1);
            stats.bytes_received = stats.bytes_received.saturating_add(len as u64);
        }
        Some(component)
    }

    /// What was counted for the path goes to the pair.
    pub(super) fn flush_traffic(&mut self, component: Component) {
        let Some(state) = self.component_mut(component) else { return };
        let traffic = core::mem::take(&mut state.traffic);
        let Some(pair) = state.path.and_then(|id| self.checklists.get_mut(id)) else { return };
        traffic.add_to(pair.stats_mut());
    }
}

impl Traffic {
    pub(crate) fn add_to(self, stats: &mut crate::PairStats) {
        stats.packets_sent = stats.packets_sent.saturating_add(self.packets_sent);
        stats.bytes_sent = stats.bytes_sent.saturating_add(self.bytes_sent);
        stats.packets_received = stats.packets_received.saturating_add(self.packets_received);
        stats.bytes_received = stats.bytes_received.saturating_add(self.bytes_received);
    }
}
