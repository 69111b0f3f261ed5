//! One ICE session: from the peer's credentials to selected pairs and consent.
//!
//! | file | section |
//! |---|---|
//! | `peer.rs` | the peer's parameters and candidates (RFC 8445 §5.3, RFC 8838 §11, §14) |
//! | `local.rs` | our candidates as they are found (§5.1.1, RFC 8838 §9) |
//! | `pairing.rs` | §6.1.2.2: which candidates are paired |
//! | `check_send.rs` | §6.1.4.2, §7.2.4: beginning a check |
//! | `check_response.rs` | §7.2.5: what an answer means |
//! | `check_request.rs` | §7.3: what a request means |
//! | `nominate.rs` | §8.1.1: nomination and selection |
//! | `conclude.rs` | §7.2.5.4, §8.1.2, RFC 8863: states and the end |
//! | `data.rs` | §11, §12, RFC 7675: paths, keepalives, consent |
//! | `restart.rs` | §9: what the next session takes over |
//! | `retired.rs`, `retirees.rs` | §9, RFC 8839 §4.4.3.1.1: what carries data meanwhile |

mod check_request;
mod check_response;
mod check_send;
mod conclude;
mod data;
mod early;
mod local;
mod nominate;
mod pairing;
mod peer;
mod query;
mod restart;
mod retired;
mod retirees;
mod seen;
#[cfg(test)]
mod tests;

use alloc::vec::Vec;
use core::net::SocketAddr;

use floe_stun::{Time, TransactionId};

use crate::candidate::Credentials;
use crate::checklist::Checklists;
use crate::config::{Config, Settings, Unauthenticated};
use crate::consent::Consent;
use crate::effects::Effects;
use crate::event::{ConnectionState, Event, GatheringState, Role};
use crate::gather::Gatherer;
use crate::ids::{Component, ComponentId, PairId, StreamId};
use crate::keys::{Generation, Keyring};
use crate::locals::{BaseId, Locals};
use crate::pacer::Pacer;
use crate::remotes::Remotes;
use crate::role::RoleState;
use crate::transaction::Transactions;

use data::{PathEnds, Traffic};
use early::EarlyChecks;
use seen::SeenRequests;

pub(crate) use check_request::CheckRequest;
pub(crate) use check_response::CheckAnswer;
pub(crate) use retired::Retired;
pub(crate) use retirees::Retirees;

/// What a session knows of one component.
#[derive(Clone, Debug)]
pub(crate) struct ComponentState {
    /// RFC 8445 §8.1.1.
    pub(crate) selected: Option<PairId>,
    /// The pair that is being nominated.
    nominating: Option<PairId>,
    /// When the component got its first valid pair: the settle window begins.
    first_valid: Option<Time>,
    /// The pair that data is sent on, unless a retired session carries it.
    path: Option<PairId>,
    /// The pair, of this session or a retired one, that the application was told of last.
    announced: Option<PairId>,
    /// Counts the changes of that path over the life of the agent.
    epoch: u32,
    consent: Option<Consent>,
    path_ends: Option<PathEnds>,
    /// The peer's latest consent check on the path.
    asked: Option<TransactionId>,
    /// What went over the path, until it goes to the statistics of the pair.
    traffic: Traffic,
    /// Consent on the path ended and there is no other one since.
    consent_lost: bool,
    /// There was a selected pair.
    was_selected: bool,
    /// When something was sent last on the path, for keepalives (§11).
    last_sent: Time,
}

impl ComponentState {
    fn new(now: Time) -> Self {
        Self {
            selected: None,
            nominating: None,
            first_valid: None,
            path: None,
            announced: None,
            epoch: 0,
            consent: None,
            path_ends: None,
            asked: None,
            traffic: Traffic::default(),
            consent_lost: false,
            was_selected: false,
            last_sent: now,
        }
    }

    /// Whether what comes from `source` to this base comes on the path.
    fn is_path(&self, base: BaseId, source: &SocketAddr) -> bool {
        self.path_ends.as_ref().is_some_and(|ends| ends.is_between(base, source))
    }
}

/// What a session knows of one stream, beside its checklist.
#[derive(Clone, Debug)]
pub(crate) struct Stream {
    /// When PAC ends (RFC 8863 §4); it began when the peer's credentials became known.
    patience_ends: Option<Time>,
    /// The peer announced the end of its candidates.
    remote_ended: bool,
    components: Vec<ComponentState>,
}

impl Stream {
    fn new(components: u16, now: Time) -> Self {
        let components = (0..components).map(|_| ComponentState::new(now)).collect();
        Self { patience_ends: None, remote_ended: false, components }
    }

    /// The peer's credentials are known: checks can be sent.
    fn has_peer(&self) -> bool {
        self.patience_ends.is_some()
    }
}

/// The session.
pub(crate) struct Session {
    config: Settings,
    role: RoleState,
    keys: Keyring,
    streams: Vec<Stream>,
    pub(crate) locals: Locals,
    pub(crate) remotes: Remotes,
    pub(crate) checklists: Checklists,
    transactions: Transactions,
    pacer: Pacer,
    /// A server transaction began last: the next turn is a check's.
    gathering_had_turn: bool,
    early: EarlyChecks,
    seen: SeenRequests,
    local_gathering: GatheringState,
    state: ConnectionState,
    unauthenticated: conclude::RateLimit,
    /// It follows a session that had a peer: how long the peer has to answer the restart.
    answer_by: Option<Time>,
    /// A check came that pairs our credentials with the peer's.
    heard_peer: bool,
}

impl Session {
    pub(crate) fn new(config: &Config, now: Time, fx: &mut Effects) -> Self {
        let credentials = Credentials::from_random(&fx.random.bytes());
        let role = RoleState::new(config.role, fx.random.u64());
        let streams: Vec<Stream> = config.streams.iter().map(|&n| Stream::new(n, now)).collect();
        Self {
            role,
            keys: Keyring::new(Generation::default(), credentials, streams.len()),
            locals: Locals::default(),
            remotes: Remotes::default(),
            checklists: Checklists::new(streams.len(), config.limits.pairs),
            transactions: Transactions::new(max_transactions(config)),
            streams,
            pacer: Pacer::new(config.ta, config.pace.clone(), now),
            gathering_had_turn: false,
            early: EarlyChecks::default(),
            seen: SeenRequests::default(),
            local_gathering: GatheringState::New,
            state: ConnectionState::New,
            unauthenticated: conclude::RateLimit::default(),
            answer_by: None,
            heard_peer: false,
            config: config.into(),
        }
    }

    /// The tail of every input. The order is fixed: a later step sees what an earlier one did, never the other way
    /// round within one input.
    ///
    /// 1. expire: transactions and consent that are over, retransmissions that are due
    /// 2. nominate: a valid pair whose time has come
    /// 3. schedule: what Ta allows, thawing on the way (§6.1.4.2)
    /// 4. conclude: checklist states
    /// 5. the path of every component, and what consent or keepalives have to send on it
    ///
    /// What follows from it for the whole, with the sessions that are retired, the agent announces afterwards.
    pub(crate) fn settle(&mut self, gatherer: &mut Gatherer, now: Time, fx: &mut Effects) {
        // Before there is a pair, nothing is checked, nominated or sent on: most inputs of a connection that is being set up.
        let has_begun = self.checklists.is_started();
        if has_begun {
            self.expire(now, fx);
            self.nominate(now);
        }
        self.schedule(gatherer, now, fx);
        self.conclude(now, fx);
        if has_begun {
            self.maintain_paths(now, fx);
        }
    }

    /// It has no peer, and is not waiting for one that answers a restart.
    pub(crate) fn is_preparing(&self) -> bool {
        self.answer_by.is_none() && !self.has_any_peer()
    }

    /// When something is due next. Always later than `now`, after [`Session::settle`] at `now`.
    pub(crate) fn next_timeout(&self, gatherer: &Gatherer, now: Time) -> Option<Time> {
        let mut next = self.transactions.next_timeout().unwrap_or(Time::MAX);
        next = next.min(gatherer.next_timeout().unwrap_or(Time::MAX));
        if turn_waits(self, gatherer) {
            next = next.min(self.pacer.next());
        }
        next = next.min(self.next_nomination(now).unwrap_or(Time::MAX));
        next = next.min(self.next_patience(now).unwrap_or(Time::MAX));
        next = next.min(self.next_path_timeout(now).unwrap_or(Time::MAX));
        wake_up(next, now)
    }

    pub(crate) fn unauthenticated_policy(&self) -> Unauthenticated {
        self.config.unauthenticated
    }

    /// Whether one more unsigned error may be sent now.
    pub(crate) fn may_refuse(&mut self, now: Time) -> bool {
        self.unauthenticated.allows(now)
    }

    pub(crate) fn keys(&self) -> &Keyring {
        &self.keys
    }

    pub(crate) fn local_credentials(&self) -> &Credentials {
        self.keys.credentials()
    }

    pub(crate) fn role(&self) -> Role {
        self.role.role()
    }

    pub(crate) fn state(&self) -> ConnectionState {
        self.state
    }

    /// Every component of every stream.
    pub(crate) fn components(&self) -> Vec<Component> {
        let mut all = Vec::new();
        for (s, stream) in (0u16..).zip(&self.streams) {
            let ids = (1u16..).zip(&stream.components).filter_map(|(c, _)| ComponentId::new(c));
            all.extend(ids.map(|id| Component::new(StreamId(s), id)));
        }
        all
    }

    /// How many streams there are.
    pub(crate) fn stream_count(&self) -> usize {
        self.streams.len()
    }

    pub(crate) fn stream(&self, id: StreamId) -> Option<&Stream> {
        self.streams.get(usize::from(id.0))
    }

    fn stream_mut(&mut self, id: StreamId) -> Option<&mut Stream> {
        self.streams.get_mut(usize::from(id.0))
    }

    pub(crate) fn component(&self, component: Component) -> Option<&ComponentState> {
        self.stream(component.stream)?.components.get(usize::from(component.id.get()) - 1)
    }

    fn component_mut(&mut self, component: Component) -> Option<&mut ComponentState> {
        self.stream_mut(component.stream)?.components.get_mut(usize::from(component.id.get()) - 1)
    }

    /// RFC 8445 §7.3.1.1: another role, and so other priorities of all pairs.
    fn announce_role(&mut self, fx: &mut Effects) {
        self.reprioritise();
        self.forget_nominations();
        fx.event(Event::RoleChanged(self.role.role()));
    }

    pub(crate) fn close(&mut self, fx: &mut Effects) {
        if self.state != ConnectionState::Closed {
            self.state = ConnectionState::Closed;
            fx.event(Event::StateChanged(ConnectionState::Closed));
        }
    }
}

/// How soon to look again whether the driver polled.
const ROOM_WAIT: core::time::Duration = core::time::Duration::from_millis(10);

/// When to wake up for what is due then.
fn wake_up(due: Time, now: Time) -> Option<Time> {
    match due {
        Time::MAX => None,
        // What is due and was not done waits for room in the queue of packets.
        due if due <= now => Some(now.saturating_add(ROOM_WAIT)),
        due => Some(due),
    }
}

/// How many transactions are open at most.
fn max_transactions(config: &Config) -> usize {
    let components: usize = config.streams.iter().map(|&n| usize::from(n)).sum();
    usize::from(config.limits.pairs).saturating_mul(4).saturating_add(components * 8)
}

/// Whether a new transaction waits for its turn at the pace of Ta.
fn turn_waits(session: &Session, gatherer: &Gatherer) -> bool {
    gatherer.has_work() || session.has_checks_to_send()
}
