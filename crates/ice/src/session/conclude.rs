//! How it ends: checklist states (RFC 8445 §7.2.5.4, §8.1.2), patience (RFC 8863), and the state of the whole.

use core::time::Duration;

use floe_stun::Time;

use crate::checklist::ChecklistState;
use crate::effects::Effects;
use crate::event::{ConnectionState, Event};
use crate::gather::Gatherer;
use crate::ids::{Component, StreamId};
use crate::stats::PairState;

use super::{Retirees, Session, Stream};

impl Session {
    /// The state of every checklist.
    pub(super) fn conclude(&mut self, now: Time, fx: &mut Effects) {
        for at in 0..self.streams.len() {
            let stream = stream_id(at);
            let Some(state) = self.checklists.list(stream).map(|l| l.state) else { continue };
            let next = match state {
                ChecklistState::Failed => state,
                _ if self.is_selected(at, now) => ChecklistState::Completed,
                _ if self.has_failed(at, now) => ChecklistState::Failed,
                // A component lost its selected pair and has other ones.
                _ => ChecklistState::Running,
            };
            if next == state {
                continue;
            }
            if let Some(list) = self.checklists.list_mut(stream) {
                list.state = next;
            }
            if next == ChecklistState::Failed {
                fx.event(Event::StreamFailed(stream));
            }
        }
    }

    /// §6.1.2.2: components that only one side has candidates for do not count; known once that side's candidates are
    /// complete.
    pub(super) fn effective_components(&self, at: usize, now: Time) -> usize {
        let Some(state) = self.streams.get(at) else { return 0 };
        let (stream, all) = (stream_id(at), state.components.len());
        // Nearly every stream has one, which counts in any case.
        if all == 1 {
            return all;
        }
        let effective = |highest: u16| if highest == 0 { all } else { all.min(usize::from(highest)) };
        let own = if self.local_ended() { effective(self.locals.highest_component(stream)) } else { all };
        let peer_ended = state.remote_ended || is_patience_over(state, now);
        let peers = if peer_ended { effective(self.remotes.highest_component(stream)) } else { all };
        own.min(peers)
    }

    /// Every component that counts has its selected pair.
    fn is_selected(&self, stream: usize, now: Time) -> bool {
        let count = self.effective_components(stream, now);
        let Some(state) = self.streams.get(stream) else { return false };
        state.components.iter().take(count).all(|c| c.selected.is_some())
    }

    /// §7.2.5.4 with the delay of RFC 8863 §4: all pairs are done, some component has no valid one, no candidate can come,
    /// and the peer had its time to bring up one that we do not know of. That time counts for the end of its candidates too
    /// (RFC 8863 §5).
    fn has_failed(&self, at: usize, now: Time) -> bool {
        if !self.streams.get(at).is_some_and(|s| is_patience_over(s, now)) || !self.local_ended() {
            return false;
        }
        let done = |s: PairState| matches!(s, PairState::Failed | PairState::Succeeded);
        if !self.checklists.in_order(stream_id(at)).all(|(_, p)| done(p.state())) {
            return false;
        }
        let mut components = self.components_of(at).take(self.effective_components(at, now));
        components.any(|c| self.best_valid(c).is_none())
    }

    /// Whether RFC 8863 §4 lets a checklist fail.
    pub(super) fn may_fail(&self, stream: StreamId, now: Time) -> bool {
        self.stream(stream).is_some_and(|s| is_patience_over(s, now))
    }

    /// When patience ends, if that can change anything.
    pub(super) fn next_patience(&self, now: Time) -> Option<Time> {
        let answer = self.answer_by.filter(|_| !self.has_any_peer());
        let patience = self.streams.iter().filter_map(|s| s.patience_ends);
        patience.chain(answer).filter(|&end| now < end).min()
    }

    /// The state of the whole, and what follows from it. What retired sessions carry counts (RFC 8445 §9).
    pub(crate) fn announce(
        &mut self,
        gatherer: &mut Gatherer,
        retired: &Retirees,
        now: Time,
        fx: &mut Effects,
    ) {
        let next = self.overall(retired, now);
        if next == self.state {
            return;
        }
        self.state = next;
        // RFC 8445 §5.1.1.4: bindings at the servers are kept until ICE completes.
        if matches!(next, ConnectionState::Completed | ConnectionState::Failed) {
            gatherer.conclude();
        }
        fx.event(Event::StateChanged(next));
        fx.set_quiet(next == ConnectionState::Completed);
        if next == ConnectionState::Completed {
            self.shrink();
        }
    }

    /// ICE has completed: what connecting needed and a connected session does not is given back.
    fn shrink(&mut self) {
        self.locals.shrink();
        self.remotes.shrink();
        self.transactions.shrink(2);
    }

    fn overall(&self, retired: &Retirees, now: Time) -> ConnectionState {
        use ConnectionState::{Checking, Closed, Completed, Connected, Disconnected, Failed, New};
        // Failed lasts until a restart; Closed for ever.
        if matches!(self.state, Failed | Closed) {
            return self.state;
        }
        let state = |at: usize| self.checklists.list(stream_id(at)).map(|l| l.state);
        // The peer's answer to a restart is as much awaited as its checks (RFC 8863 §4). As long as the old path lives, what
        // became of the new session is no failure of the connection.
        let unanswered = self.is_unanswered(now);
        let (mut failed, mut completed, mut connected) = (true, true, true);
        for at in 0..self.streams.len() {
            let state = state(at);
            if (unanswered || state == Some(ChecklistState::Failed)) && !self.is_carried(at, retired, now) {
                continue;
            }
            failed = false;
            completed &= state == Some(ChecklistState::Completed);
            connected &= self.has_paths(at, retired, now);
        }
        // §6.1.3: Failed if all are. With some of them the session goes on without those streams (§8.1.2), which the
        // application has been told of.
        if failed {
            return Failed;
        }
        let was_connected = matches!(self.state, Connected | Completed | Disconnected);
        if connected && self.is_stale(retired, now) {
            // W3C webrtc: a restart of what was disconnected is checking.
            if self.state == Checking { Checking } else { Disconnected }
        } else if completed && connected {
            Completed
        } else if connected {
            Connected
        } else if was_connected {
            Disconnected
        } else if self.has_any_peer() && self.remotes.iter().next().is_some() {
            Checking
        } else {
            // A restart of what was disconnected is checking before it knows the peer.
            if self.state == Checking { Checking } else { New }
        }
    }

    /// Every component that counts has a path for data.
    fn has_paths(&self, stream: usize, retired: &Retirees, now: Time) -> bool {
        let count = self.effective_components(stream, now);
        self.components_of(stream).take(count).all(|c| self.path_of(c).is_some() || retired.carries(c))
    }

    /// Every component that counts has its path in retired sessions.
    fn is_carried(&self, stream: usize, retired: &Retirees, now: Time) -> bool {
        let count = self.effective_components(stream, now);
        !retired.is_empty() && self.components_of(stream).take(count).all(|c| retired.carries(c))
    }

    /// Some path in use gave no answer for a while.
    fn is_stale(&self, retired: &Retirees, now: Time) -> bool {
        let mut all = (0..self.streams.len()).flat_map(|at| self.components_of(at));
        all.any(|c| self.carrier(c, retired).is_path_stale(c, now))
    }

    /// The session whose path data of a component goes on: this one's once it has selected a pair (RFC 8839 §4.4.3.1.1), before that
    /// the one that carried it before the restart, if its path lives, and otherwise this one's best valid pair (RFC 8445 §12.1).
    pub(crate) fn carrier<'a>(&'a self, component: Component, retired: &'a Retirees) -> &'a Self {
        if self.is_concluded(component) { self } else { retired.carrier(component).unwrap_or(self) }
    }
}

/// RFC 8863 §4: the time for checks that the peer may still start is over. It has not begun without the peer's
/// credentials.
fn is_patience_over(stream: &Stream, now: Time) -> bool {
    stream.patience_ends.is_some_and(|end| now >= end)
}

fn stream_id(at: usize) -> StreamId {
    StreamId(u16::try_from(at).unwrap_or(u16::MAX))
}

/// At most ten unsigned errors a second (our own rule), so that strangers cannot make us a reflector.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct RateLimit {
    window: Time,
    used: u8,
}

impl RateLimit {
    const PER_WINDOW: u8 = 10;
    const WINDOW: Duration = Duration::from_secs(1);

    pub(crate) fn allows(&mut self, now: Time) -> bool {
        if now.saturating_since(self.window) >= Self::WINDOW {
            *self = Self { window: now, used: 0 };
        }
        let allowed = self.used < Self::PER_WINDOW;
        self.used += u8::from(allowed);
        allowed
    }
}
