//! One agent whose peer is played by hand: a test says what the peer sends and looks at what the agent sends.

use alloc::vec::Vec;
use core::net::SocketAddr;
use core::ops::Deref;
use core::time::Duration;
use std::borrow::ToOwned;
use std::boxed::Box;

use floe_stun::attributes::{
    ErrorCode, IceControlled, IceControlling, Priority, UseCandidate, Username, XorMappedAddress,
};
use floe_stun::{
    AttributeType, Class, IntegrityAlgorithm, Key, MessageBuilder, Method, RawAttribute, TransactionId, stage,
};

use super::heard::Heard;
use crate::candidate::Foundation;
use crate::message::PeerRole;
use crate::{
    AddedCandidate, Agent, AgentError, Candidate, Component, ComponentId, Config, ConnectionState,
    Credentials, Datagram, Event, LocalId, MAX_TRANSMIT, PairInfo, PairState, Received, RemoteParameters,
    Role, SocketId, StreamId, Time,
};

/// More wake-ups than this within one run are a busy loop.
const MAX_WAKEUPS: u32 = 20_000;

pub(crate) const PEER_UFRAG: &str = "peer";
pub(crate) const PEER_PWD: &str = "thePasswordOfThePeer123";

/// A packet that the agent sent.
#[derive(Clone, Debug)]
pub(crate) struct Sent {
    pub(crate) at: Time,
    pub(crate) from: SocketAddr,
    pub(crate) to: SocketAddr,
    pub(crate) bytes: Box<[u8]>,
    heard: Heard,
}

impl Deref for Sent {
    type Target = Heard;

    fn deref(&self) -> &Heard {
        &self.heard
    }
}

/// A check of the peer, as a test wants it.
#[derive(Clone, Debug)]
pub(crate) struct Ask {
    pub(crate) from: SocketAddr,
    pub(crate) to: SocketAddr,
    pub(crate) id: TransactionId,
    pub(crate) role: Option<PeerRole>,
    pub(crate) priority: Option<u32>,
    pub(crate) nominate: bool,
    pub(crate) username: Option<std::string::String>,
    pub(crate) key: Option<Key>,
    pub(crate) sha256: bool,
    /// An attribute more, before integrity.
    pub(crate) extra: Option<AttributeType>,
}

/// The peer's answer to a request, as a test wants it.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub(crate) from: SocketAddr,
    pub(crate) to: SocketAddr,
    pub(crate) local_ip: bool,
    pub(crate) mapped: Option<SocketAddr>,
    pub(crate) error: Option<u16>,
    pub(crate) key: Option<Key>,
    pub(crate) sha256: bool,
    pub(crate) extra: Option<AttributeType>,
}

/// The test bed.
pub(crate) struct Script {
    pub(crate) agent: Agent,
    pub(crate) now: Time,
    pub(crate) events: Vec<Event>,
    pub(crate) wakeups: u32,
    sent: Vec<Sent>,
    sockets: Vec<(SocketId, SocketAddr)>,
    asked: u64,
    /// How often the peer has restarted.
    peer: u8,
}

/// The agent's `n`th address for the first component.
pub(crate) fn local(n: u8) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, n], 5000))
}

/// The peer's `n`th address.
pub(crate) fn remote(n: u8) -> SocketAddr {
    SocketAddr::from(([10, 1, 0, n], 6000))
}

/// Component `id` of stream `stream`.
pub(crate) fn component(stream: u16, id: u16) -> Component {
    Component::new(StreamId(stream), ComponentId::new(id).expect("1 to 256"))
}

pub(crate) fn millis(ms: u64) -> Time {
    Time::from_millis(ms)
}

/// The peer's credentials after its `n`th restart.
pub(crate) fn peer(n: u8) -> Credentials {
    if n == 0 {
        return Credentials::new(PEER_UFRAG, PEER_PWD).expect("valid");
    }
    // One ufrag is the beginning of the next.
    let ufrag = "peer".to_owned() + &"x".repeat(usize::from(n));
    Credentials::new(&ufrag, &std::format!("{PEER_PWD}after{n}")).expect("valid")
}

/// What the peer signs with.
pub(crate) fn peer_key() -> Key {
    Key::short_term(PEER_PWD)
}

/// The peer's `n`th host candidate; the first is the best.
pub(crate) fn host(n: u8) -> Candidate {
    let foundation = Foundation::new(&std::format!("h{n}")).expect("ice-chars");
    Candidate::host(remote(n)).with_local_preference(u16::MAX - u16::from(n - 1)).with_foundation(foundation)
}

impl Script {
    pub(crate) fn new(set: impl FnOnce(&mut Config)) -> Self {
        let mut config = Config::new([1; 32]);
        set(&mut config);
        let agent = Agent::new(config, Time::ZERO).expect("a valid configuration");
        let (now, events, sent, sockets) = (Time::ZERO, Vec::new(), Vec::new(), Vec::new());
        Self { agent, now, events, wakeups: 0, sent, sockets, asked: 0, peer: 0 }
    }

    /// An agent of this role with `hosts` host candidates, which knows the peer but no candidate of it.
    pub(crate) fn with(role: Role, hosts: u8, set: impl FnOnce(&mut Config)) -> Self {
        let mut script = Self::new(|c| {
            c.role = role;
            set(c);
        });
        for n in 1..=hosts {
            script.host(n);
        }
        script.know_peer();
        script
    }

    pub(crate) fn controlling(hosts: u8) -> Self {
        Self::with(Role::Controlling, hosts, |_| {})
    }

    pub(crate) fn controlled(hosts: u8) -> Self {
        Self::with(Role::Controlled, hosts, |_| {})
    }

    /// One pair, selected, and consent about to begin. Candidates may still come.
    pub(crate) fn selected_early(role: Role, set: impl FnOnce(&mut Config)) -> Self {
        let mut script = Self::with(role, 1, set);
        script.signal(&host(1));
        let check = script.check();
        script.reply(&check, |_| {});
        match role {
            Role::Controlling => {
                let nomination = script.check();
                assert!(nomination.use_candidate);
                script.reply(&nomination, |_| {});
            }
            Role::Controlled => {
                script.ask(|a| a.nominate = true);
            }
        }
        assert_eq!(script.agent.state(), ConnectionState::Completed);
        script
    }

    /// The same, and no candidate may come any more.
    pub(crate) fn connected(role: Role, set: impl FnOnce(&mut Config)) -> Self {
        let mut script = Self::selected_early(role, set);
        script.end();
        script
    }

    /// Another host candidate for the first component.
    pub(crate) fn host(&mut self, n: u8) -> LocalId {
        self.host_at(Component::default(), local(n))
    }

    pub(crate) fn host_at(&mut self, component: Component, address: SocketAddr) -> LocalId {
        let socket = SocketId(self.sockets.len() as u64 + 100);
        self.sockets.push((socket, address));
        let id = self.agent.add_host(component, socket, address, self.now).expect("a new address");
        self.collect();
        id
    }

    pub(crate) fn know_peer(&mut self) {
        self.hear(&peer(self.peer)).expect("open");
    }

    /// Credentials of the peer arrive.
    pub(crate) fn hear(&mut self, credentials: &Credentials) -> Result<(), AgentError> {
        let parameters = RemoteParameters::new(credentials.clone());
        let result = self.agent.set_remote_parameters(&parameters, self.now);
        self.collect();
        result
    }

    pub(crate) fn restart(&mut self) {
        self.agent.restart(self.now).expect("open");
        self.collect();
    }

    /// The peer restarts, on its own or as an answer, and its new credentials arrive.
    pub(crate) fn peer_restarts(&mut self) {
        self.peer += 1;
        self.know_peer();
    }

    pub(crate) fn signal(&mut self, candidate: &Candidate) {
        let _ = self.add(StreamId::FIRST, candidate);
    }

    pub(crate) fn add(&mut self, stream: StreamId, candidate: &Candidate) -> AddedCandidate {
        let added = self.agent.add_remote_candidate(stream, candidate, self.now).expect("open");
        self.collect();
        added
    }

    /// The end of candidates of both sides, for all streams that there are.
    pub(crate) fn end(&mut self) {
        self.end_local();
        self.end_remote();
    }

    pub(crate) fn end_local(&mut self) {
        self.agent.end_of_local_candidates(self.now).expect("open");
        self.collect();
    }

    pub(crate) fn end_remote(&mut self) {
        for stream in 0.. {
            if self.agent.end_of_remote_candidates(StreamId(stream), self.now).is_err() {
                break;
            }
        }
        self.collect();
    }

    // --- time ---------------------------------------------------------------------------------------------------

    /// Lets time go on to `ms`, doing what is due when it is due.
    pub(crate) fn to(&mut self, ms: u64) {
        let end = Time::from_millis(ms);
        while let Some(due) = self.agent.poll_timeout().filter(|&due| due <= end) {
            self.wake_up(due);
        }
        self.now = end;
        self.agent.handle_timeout(end);
        self.collect();
    }

    pub(crate) fn after(&mut self, ms: u64) {
        let end = self.now.saturating_add(Duration::from_millis(ms));
        self.to(end.as_nanos() / 1_000_000);
    }

    /// Like [`Script::to`], with a peer that answers every request at once.
    pub(crate) fn answering_to(&mut self, ms: u64) {
        self.answering_some_to(ms, |_| true);
    }

    /// With a peer that answers some requests; the others can be taken afterwards.
    pub(crate) fn answering_some_to(&mut self, ms: u64, answered: impl Fn(&Sent) -> bool) {
        let end = Time::from_millis(ms);
        let mut ignored = Vec::new();
        loop {
            for request in self.requests() {
                if answered(&request) {
                    self.reply(&request, |_| {});
                } else {
                    ignored.push(request);
                }
            }
            match self.agent.poll_timeout().filter(|&due| due <= end) {
                Some(due) => self.wake_up(due),
                None => break,
            }
        }
        self.to(ms);
        ignored.append(&mut self.sent);
        self.sent = ignored;
    }

    fn wake_up(&mut self, due: Time) {
        assert!(due > self.now || self.wakeups == 0, "a timeout is later than now");
        self.now = due;
        self.wakeups += 1;
        assert!(self.wakeups < MAX_WAKEUPS, "a busy loop");
        self.agent.handle_timeout(due);
        self.collect();
    }

    // --- what the agent did -------------------------------------------------------------------------------------

    fn collect(&mut self) {
        let mut buffer = [0; MAX_TRANSMIT];
        while let Some(t) = self.agent.poll_transmit(&mut buffer) {
            let from = self.sockets.iter().find(|s| s.0 == t.socket).expect("a socket of ours").1;
            assert_eq!(t.src_ip, Some(from.ip()), "the source address is told");
            let bytes: Box<[u8]> = buffer[..t.len].into();
            let heard = Heard::new(&bytes);
            self.sent.push(Sent { at: self.now, from, to: t.destination, bytes, heard });
        }
        while let Some(event) = self.agent.poll_event() {
            self.events.push(event);
        }
        self.agent.check_invariants();
    }

    /// What was sent since the last time.
    pub(crate) fn take(&mut self) -> Vec<Sent> {
        core::mem::take(&mut self.sent)
    }

    /// The requests among what was sent since the last time; the rest is forgotten.
    pub(crate) fn requests(&mut self) -> Vec<Sent> {
        self.take().into_iter().filter(|s| s.is_request()).collect()
    }

    /// Lets time go on to the next request and takes it; what came before it is forgotten.
    pub(crate) fn check(&mut self) -> Sent {
        loop {
            if let Some(at) = self.sent.iter().position(|s| s.is_request()) {
                let check = self.sent.remove(at);
                self.sent.drain(..at);
                return check;
            }
            let due = self.agent.poll_timeout().expect("no request will be sent");
            self.wake_up(due);
        }
    }

    /// Every event since the last time.
    pub(crate) fn take_events(&mut self) -> Vec<Event> {
        core::mem::take(&mut self.events)
    }

    /// The states that were announced since the last time.
    pub(crate) fn states(&mut self) -> Vec<ConnectionState> {
        let state = |e| if let Event::StateChanged(s) = e { Some(s) } else { None };
        self.take_events().into_iter().filter_map(state).collect()
    }

    /// The pair between two addresses.
    pub(crate) fn pair(&self, from: SocketAddr, to: SocketAddr) -> Option<PairInfo<'_>> {
        let address = |p: &PairInfo<'_>| self.base_of(p);
        self.agent.pairs().find(|p| address(p) == from && p.remote.address() == to)
    }

    pub(crate) fn state_of(&self, from: SocketAddr, to: SocketAddr) -> Option<PairState> {
        self.pair(from, to).map(|p| p.state)
    }

    /// The address that packets of a pair leave from.
    fn base_of(&self, pair: &PairInfo<'_>) -> SocketAddr {
        pair.local.related_address().unwrap_or(pair.local.address())
    }

    pub(crate) fn selected(&self) -> Option<(SocketAddr, SocketAddr)> {
        let pair = self.agent.selected_pair(Component::default())?;
        Some((pair.local.address(), pair.remote.address()))
    }

    /// Where data of the first component goes.
    pub(crate) fn path(&self) -> Option<SocketAddr> {
        self.agent.send_path(Component::default()).ok().map(|p| p.destination)
    }

    // --- what the peer does -------------------------------------------------------------------------------------

    pub(crate) fn deliver(&mut self, from: SocketAddr, to: SocketAddr, bytes: &[u8]) -> Received {
        let socket = self.sockets.iter().find(|s| s.1 == to).expect("a socket of ours").0;
        self.deliver_to(socket, None, from, bytes)
    }

    pub(crate) fn deliver_to(
        &mut self,
        socket: SocketId,
        local_ip: Option<core::net::IpAddr>,
        source: SocketAddr,
        contents: &[u8],
    ) -> Received {
        let received = self.agent.handle_datagram(Datagram { socket, local_ip, source, contents }, self.now);
        self.collect();
        received
    }

    pub(crate) fn socket(&self, address: SocketAddr) -> SocketId {
        self.sockets.iter().find(|s| s.1 == address).expect("a socket of ours").0
    }

    /// A check of the peer from its first address to our first, without conflict; `set` changes what a test is about.
    /// Gives the answer.
    pub(crate) fn ask(&mut self, set: impl FnOnce(&mut Ask)) -> Option<Sent> {
        let ask = self.new_ask(set);
        let (_, answer) = self.send_ask(&ask);
        answer
    }

    pub(crate) fn new_ask(&mut self, set: impl FnOnce(&mut Ask)) -> Ask {
        self.asked += 1;
        let mut id = [0x5a; 12];
        id[..8].copy_from_slice(&self.asked.to_be_bytes());
        let role = match self.agent.role() {
            Role::Controlling => PeerRole::Controlled(1),
            Role::Controlled => PeerRole::Controlling(1),
        };
        let ours = self.agent.local_credentials().ufrag();
        let mut ask = Ask {
            from: remote(1),
            to: local(1),
            id: TransactionId::new(id),
            role: Some(role),
            priority: Some(1_862_270_975),
            nominate: false,
            username: Some(std::format!("{ours}:{}", peer(self.peer).ufrag())),
            key: Some(Key::short_term(self.agent.local_credentials().pwd())),
            sha256: false,
            extra: None,
        };
        set(&mut ask);
        ask
    }

    pub(crate) fn send_ask(&mut self, ask: &Ask) -> (Received, Option<Sent>) {
        let before = self.sent.len();
        let received = self.deliver(ask.from, ask.to, &ask.encode());
        let answer = self.sent[before..].iter().position(|s| s.id == ask.id).map(|at| before + at);
        (received, answer.map(|at| self.sent.remove(at)))
    }

    /// The answer of the peer to a request: success, from where it went to; `set` changes what a test is about.
    pub(crate) fn reply(&mut self, request: &Sent, set: impl FnOnce(&mut Reply)) {
        let _ = self.try_reply(request, set);
    }

    /// The same, with what the agent says of it.
    pub(crate) fn try_reply(&mut self, request: &Sent, set: impl FnOnce(&mut Reply)) -> Received {
        // With the password of the session that the request is of.
        let names = |n: &u8| {
            let beginning = std::format!("{}:", peer(*n).ufrag());
            request.username.as_deref().is_some_and(|username| username.starts_with(&beginning))
        };
        let asked = (0..=self.peer).find(names).map(|n| Key::short_term(peer(n).pwd()));
        let mut reply = Reply {
            from: request.to,
            to: request.from,
            local_ip: false,
            mapped: Some(request.from),
            error: None,
            key: asked,
            sha256: false,
            extra: None,
        };
        set(&mut reply);
        let (bytes, to) = (reply.encode(request.id), reply.to);
        let socket = self.socket(to);
        self.deliver_to(socket, reply.local_ip.then_some(to.ip()), reply.from, &bytes)
    }

    pub(crate) fn refuse(&mut self, request: &Sent, code: u16) {
        self.reply(request, |r| r.error = Some(code));
    }
}

impl Ask {
    pub(crate) fn encode(&self) -> Box<[u8]> {
        let mut out = [0; 1024];
        let builder = MessageBuilder::new(&mut out, Class::Request, Method::BINDING, self.id);
        let builder = builder.maybe(self.username.as_deref().map(Username::new).as_ref());
        let builder = builder.maybe(self.priority.map(Priority).as_ref());
        let builder = match self.role {
            Some(PeerRole::Controlling(tie)) => builder.attribute(&IceControlling(tie)),
            Some(PeerRole::Controlled(tie)) => builder.attribute(&IceControlled(tie)),
            None => builder,
        };
        let builder = if self.nominate { builder.attribute(&UseCandidate) } else { builder };
        let len = finish(with_extra(builder, self.extra), self.key.as_ref(), self.sha256);
        out[..len].into()
    }
}

impl Reply {
    fn encode(&self, id: TransactionId) -> Box<[u8]> {
        let mut out = [0; 512];
        let class = if self.error.is_some() { Class::Error } else { Class::Success };
        let builder = MessageBuilder::new(&mut out, class, Method::BINDING, id);
        let builder = match self.error {
            Some(code) => builder.attribute(&ErrorCode::new(code, "")),
            None => builder.maybe(self.mapped.map(XorMappedAddress).as_ref()),
        };
        let len = finish(with_extra(builder, self.extra), self.key.as_ref(), self.sha256);
        out[..len].into()
    }
}

fn with_extra(builder: MessageBuilder<'_>, extra: Option<AttributeType>) -> MessageBuilder<'_> {
    match extra {
        Some(kind) => builder.raw_attribute(RawAttribute { kind, value: &[1, 2, 3, 4] }),
        None => builder,
    }
}

fn finish(builder: MessageBuilder<'_, stage::Open>, key: Option<&Key>, sha256: bool) -> usize {
    let algorithm = if sha256 { IntegrityAlgorithm::Sha256 } else { IntegrityAlgorithm::Sha1 };
    let finished = match key {
        Some(key) => builder.integrity(key, algorithm).fingerprint().finish(),
        None => builder.fingerprint().finish(),
    };
    finished.expect("it fits")
}
