//! Two agents, and between them a network that delays, loses, duplicates, reorders and translates addresses.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};
use core::time::Duration;
use std::borrow::ToOwned;
use std::boxed::Box;

use super::heard::Heard;
use crate::random::Random;
use crate::{
    Agent, Candidate, Component, Config, ConnectionState, Credentials, Datagram, Event, MAX_TRANSMIT,
    Received, RemoteParameters, Role, SocketId, StreamId, Time,
};

/// What the network does to packets.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Conditions {
    /// From side 0 to side 1, and back.
    pub(crate) one_way: [Duration; 2],
    /// Up to this much more, at random: packets overtake each other.
    pub(crate) jitter: Duration,
    /// Per cent.
    pub(crate) loss: u8,
    /// Per cent.
    pub(crate) duplication: u8,
}

impl Conditions {
    pub(crate) fn perfect(one_way_ms: u64) -> Self {
        let one_way = Duration::from_millis(one_way_ms);
        Self { one_way: [one_way; 2], jitter: Duration::ZERO, loss: 0, duplication: 0 }
    }
}

/// A NAT in front of one side: its mappings are made by what goes out.
#[derive(Clone, Debug)]
pub(crate) struct Nat {
    pub(crate) public: IpAddr,
    /// Another mapping for every destination (RFC 4787 §4.1, address and port dependent).
    pub(crate) symmetric: bool,
    /// Lets in only what comes from where something went to (RFC 4787 §5, address and port dependent).
    pub(crate) filters: bool,
    mappings: BTreeMap<(SocketAddr, Option<SocketAddr>), u16>,
    open: Vec<(u16, SocketAddr)>,
}

impl Nat {
    pub(crate) fn new(public: [u8; 4], symmetric: bool, filters: bool) -> Self {
        Self { public: public.into(), symmetric, filters, mappings: BTreeMap::new(), open: Vec::new() }
    }

    /// The address that the world sees.
    pub(crate) fn outward(&mut self, from: SocketAddr, to: SocketAddr) -> SocketAddr {
        let next = 40_000 + self.mappings.len() as u16;
        let key = (from, self.symmetric.then_some(to));
        let port = *self.mappings.entry(key).or_insert(next);
        if !self.open.contains(&(port, to)) {
            self.open.push((port, to));
        }
        SocketAddr::new(self.public, port)
    }

    /// Where a packet from the world goes to.
    fn inward(&self, from: SocketAddr, to: SocketAddr) -> Option<SocketAddr> {
        let open = !self.filters || self.open.contains(&(to.port(), from));
        let mapping =
            self.mappings.iter().find(|m| *m.1 == to.port()).filter(|_| to.ip() == self.public && open);
        mapping.map(|m| m.0.0)
    }
}

/// A packet that an agent sent.
#[derive(Clone, Debug)]
pub(crate) struct Logged {
    pub(crate) at: Time,
    pub(crate) side: usize,
    pub(crate) from: SocketAddr,
    pub(crate) to: SocketAddr,
    pub(crate) bytes: Box<[u8]>,
    pub(crate) heard: Heard,
}

/// Something on its way to a side.
#[derive(Clone, Debug)]
enum Flight {
    Packet {
        from: SocketAddr,
        to: SocketAddr,
        bytes: Box<[u8]>,
    },
    Candidate(StreamId, Candidate),
    End,
    Credentials,
    /// What a restart has to say: new credentials, candidates that name them, and their end.
    Restarted(Box<Credentials>, Vec<(StreamId, Candidate)>),
}

/// The test bed.
pub(crate) struct Net {
    pub(crate) agents: [Agent; 2],
    pub(crate) now: Time,
    pub(crate) conditions: Conditions,
    pub(crate) nats: [Option<Nat>; 2],
    /// A direction that is cut: nothing from this side arrives.
    pub(crate) cut: [bool; 2],
    pub(crate) log: Vec<Logged>,
    pub(crate) events: [Vec<(Time, Event)>; 2],
    pub(crate) wakeups: [u32; 2],
    /// How long signalling takes to tell of a restart.
    pub(crate) signal_delay: Duration,
    sockets: [Vec<SocketAddr>; 2],
    flying: BTreeMap<(Time, u64), (usize, Flight)>,
    sequence: u64,
    random: Random,
}

/// The address of host `n` of a side, for a component.
pub(crate) fn address(side: usize, n: u8, component: Component) -> SocketAddr {
    let port = 5000 + component.stream.0 * 10 + component.id.get();
    SocketAddr::from(([10, side as u8, n, 1], port))
}

impl Net {
    /// Two agents with so many host candidates for each component, side 0 controlling.
    pub(crate) fn new(hosts: [u8; 2], set: impl Fn(usize, &mut Config)) -> Self {
        let agent = |side: usize| {
            let mut config = Config::new([side as u8 + 1; 32]);
            config.role = if side == 0 { Role::Controlling } else { Role::Controlled };
            set(side, &mut config);
            let streams = config.streams.clone();
            let mut agent = Agent::new(config, Time::ZERO).expect("valid");
            let mut sockets = Vec::new();
            for (stream, components) in streams.iter().enumerate() {
                for (component, n) in (1..=*components).flat_map(|c| (0..hosts[side]).map(move |n| (c, n))) {
                    let component = super::script::component(stream as u16, component);
                    let at = address(side, n, component);
                    let socket = SocketId(sockets.len() as u64);
                    sockets.push(at);
                    agent.add_host(component, socket, at, Time::ZERO).expect("a candidate");
                }
            }
            (agent, sockets)
        };
        let ([(a, a_sockets), (b, b_sockets)], random) = ([agent(0), agent(1)], Random::new([9; 32]));
        Self {
            agents: [a, b],
            now: Time::ZERO,
            conditions: Conditions::perfect(50),
            nats: [None, None],
            cut: [false; 2],
            log: Vec::new(),
            events: [Vec::new(), Vec::new()],
            wakeups: [0; 2],
            signal_delay: Duration::ZERO,
            sockets: [a_sockets, b_sockets],
            flying: BTreeMap::new(),
            sequence: 0,
            random,
        }
    }

    pub(crate) fn seeded(mut self, seed: u64) -> Self {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.to_be_bytes());
        self.random = Random::new(bytes);
        self
    }

    pub(crate) fn with(mut self, conditions: Conditions) -> Self {
        self.conditions = conditions;
        self
    }

    // --- signalling ---------------------------------------------------------------------------------------------

    /// Everything that each side has is known to the other at once: candidates, their end, and then the credentials.
    pub(crate) fn exchange(mut self) -> Self {
        for side in 0..2 {
            self.agents[side].end_of_local_candidates(self.now).expect("open");
            self.signal(side, Duration::ZERO);
            self.end(side, Duration::ZERO);
            self.introduce(side, Duration::ZERO);
        }
        self.arrive();
        self.collect();
        self
    }

    /// The candidates of a side so far reach the other after `delay`.
    pub(crate) fn signal(&mut self, side: usize, delay: Duration) {
        let candidates: Vec<(StreamId, Candidate)> =
            self.agents[side].local_candidates().map(|(_, s, c)| (s, c.clone())).collect();
        for (stream, candidate) in candidates {
            self.launch(1 - side, delay, Flight::Candidate(stream, candidate));
        }
    }

    /// One more candidate of a side, whatever the agent of that side says of it.
    pub(crate) fn signal_one(&mut self, side: usize, candidate: &Candidate, delay: Duration) {
        self.launch(1 - side, delay, Flight::Candidate(StreamId::FIRST, candidate.clone()));
    }

    pub(crate) fn end(&mut self, side: usize, delay: Duration) {
        self.launch(1 - side, delay, Flight::End);
    }

    /// The credentials of a side reach the other.
    pub(crate) fn introduce(&mut self, side: usize, delay: Duration) {
        self.launch(1 - side, delay, Flight::Credentials);
    }

    pub(crate) fn restart(&mut self, side: usize) {
        self.agents[side].restart(self.now).expect("open");
        self.collect();
    }

    /// Signals what a restart has brought: there are no candidates but those of the sockets.
    fn tell_of_restart(&mut self, side: usize) {
        let now = self.now;
        let agent = &mut self.agents[side];
        agent.end_of_local_candidates(now).expect("open");
        let credentials = agent.local_credentials().clone();
        let named = |c: &Candidate| c.clone().with_ufrag(credentials.ufrag()).expect("an ufrag of ours");
        let candidates = agent.local_candidates().map(|(_, s, c)| (s, named(c))).collect();
        self.launch(1 - side, self.signal_delay, Flight::Restarted(Box::new(credentials), candidates));
    }

    fn launch(&mut self, to: usize, delay: Duration, flight: Flight) {
        self.sequence += 1;
        self.flying.insert((self.now.saturating_add(delay), self.sequence), (to, flight));
    }

    // --- packets ------------------------------------------------------------------------------------------------

    fn chance(&mut self, per_cent: u8) -> bool {
        per_cent > 0 && self.random.u64() % 100 < u64::from(per_cent)
    }

    fn transmit(&mut self, side: usize, from: SocketAddr, to: SocketAddr, bytes: &[u8]) {
        let seen = self.nats[side].as_mut().map_or(from, |nat| nat.outward(from, to));
        if self.cut[side] || self.chance(self.conditions.loss) {
            return;
        }
        let copies = 1 + usize::from(self.chance(self.conditions.duplication));
        for _ in 0..copies {
            let jitter = self.conditions.jitter.as_nanos() as u64;
            let extra = if jitter == 0 { 0 } else { self.random.u64() % jitter };
            let delay = self.conditions.one_way[side] + Duration::from_nanos(extra);
            let flight = Flight::Packet { from: seen, to, bytes: bytes.into() };
            self.launch(1 - side, delay, flight);
        }
    }

    /// Polls everything, and notes it.
    pub(crate) fn collect(&mut self) {
        let mut buffer = [0; MAX_TRANSMIT];
        for side in 0..2 {
            while let Some(t) = self.agents[side].poll_transmit(&mut buffer) {
                let from = self.sockets[side][t.socket.0 as usize];
                let bytes = &buffer[..t.len];
                let heard = Heard::new(bytes);
                self.log.push(Logged {
                    at: self.now,
                    side,
                    from,
                    to: t.destination,
                    bytes: bytes.into(),
                    heard,
                });
                self.transmit(side, from, t.destination, bytes);
            }
            let mut restarted = false;
            while let Some(event) = self.agents[side].poll_event() {
                restarted |= matches!(event, Event::Restarted(_));
                self.events[side].push((self.now, event));
            }
            if restarted {
                self.tell_of_restart(side);
            }
            self.agents[side].check_invariants();
        }
    }

    /// What is there by now arrives.
    fn arrive(&mut self) {
        while let Some(entry) = self.flying.first_entry().filter(|e| e.key().0 <= self.now) {
            let (side, flight) = entry.remove();
            let now = self.now;
            match flight {
                Flight::Packet { from, to, bytes } => {
                    let _ = self.inject(side, from, to, &bytes);
                }
                Flight::Candidate(stream, candidate) => {
                    let _ = self.agents[side].add_remote_candidate(stream, &candidate, now).expect("open");
                }
                Flight::End => {
                    for stream in 0.. {
                        if self.agents[side].end_of_remote_candidates(StreamId(stream), now).is_err() {
                            break;
                        }
                    }
                }
                Flight::Restarted(credentials, candidates) => {
                    let ufrag = credentials.ufrag().to_owned();
                    let parameters = RemoteParameters::new(*credentials);
                    self.agents[side].set_remote_parameters(&parameters, now).expect("new ones");
                    for (stream, candidate) in candidates {
                        let _ =
                            self.agents[side].add_remote_candidate(stream, &candidate, now).expect("open");
                    }
                    for stream in (0..).map(StreamId) {
                        let agent = &mut self.agents[side];
                        if agent.end_of_remote_candidates_of(stream, &ufrag, now).is_err() {
                            break;
                        }
                    }
                }
                Flight::Credentials => {
                    let parameters = RemoteParameters::new(self.agents[1 - side].local_credentials().clone());
                    self.agents[side].set_remote_parameters(&parameters, now).expect("open");
                }
            }
        }
    }

    /// A packet from the world arrives in front of a side's NAT, if it has one.
    pub(crate) fn inject(
        &mut self,
        side: usize,
        from: SocketAddr,
        to: SocketAddr,
        bytes: &[u8],
    ) -> Option<Received> {
        let to = match &self.nats[side] {
            Some(nat) => nat.inward(from, to)?,
            None => to,
        };
        let socket = self.sockets[side].iter().position(|&at| at == to)?;
        let datagram =
            Datagram { socket: SocketId(socket as u64), local_ip: None, source: from, contents: bytes };
        Some(self.agents[side].handle_datagram(datagram, self.now))
    }

    /// A side's driver loses a socket.
    pub(crate) fn lose_socket(&mut self, side: usize, at: SocketAddr) {
        if let Some(socket) = self.sockets[side].iter().position(|&other| other == at) {
            self.agents[side].socket_failed(SocketId(socket as u64), self.now);
            self.collect();
        }
    }

    // --- time ---------------------------------------------------------------------------------------------------

    /// Both machines are suspended: what would have arrived comes late.
    pub(crate) fn suspend(&mut self, duration: Duration) {
        self.now = self.now.saturating_add(duration);
    }

    pub(crate) fn run_to(&mut self, ms: u64) {
        let end = Time::from_millis(ms);
        self.collect();
        loop {
            let flight = self.flying.first_key_value().map(|f| f.0.0);
            let timers = self.agents.iter().filter_map(Agent::poll_timeout);
            let Some(next) = flight.into_iter().chain(timers).min().filter(|&t| t <= end) else { break };
            self.now = self.now.max(next);
            self.arrive();
            for side in 0..2 {
                if self.agents[side].poll_timeout().is_some_and(|t| t <= self.now) {
                    self.wakeups[side] += 1;
                    self.agents[side].handle_timeout(self.now);
                }
            }
            self.collect();
        }
        self.now = end;
    }

    // --- questions ----------------------------------------------------------------------------------------------

    /// When something was said first, in ms.
    pub(crate) fn first(&self, side: usize, what: impl Fn(&Event) -> bool) -> Option<u64> {
        self.events[side].iter().find(|(_, e)| what(e)).map(|(at, _)| at.as_nanos() / 1_000_000)
    }

    pub(crate) fn selected_at(&self) -> [Option<u64>; 2] {
        [0, 1].map(|side| self.first(side, |e| matches!(e, Event::SelectedPairChanged { .. })))
    }

    pub(crate) fn path_at(&self) -> [Option<u64>; 2] {
        [0, 1].map(|side| self.first(side, |e| matches!(e, Event::PathChanged(_))))
    }

    pub(crate) fn states(&self) -> [ConnectionState; 2] {
        [0, 1].map(|side| self.agents[side].state())
    }

    /// Data of the first component that a side sends now is received as such.
    pub(crate) fn data_flows(&mut self, side: usize) -> bool {
        let Ok(path) = self.agents[side].send_path(Component::default()) else { return false };
        let from = self.sockets[side][path.socket.0 as usize];
        let seen = self.nats[side].as_mut().map_or(from, |nat| nat.outward(from, path.destination));
        let received = self.inject(1 - side, seen, path.destination, &[0x80, 1, 2, 3]);
        matches!(received, Some(Received::Data { .. }))
    }

    /// Both sides use the same pair, each seen from its end, for a component.
    pub(crate) fn agrees(&self, component: Component) -> bool {
        let ends = |side: usize| {
            let pair = self.agents[side].selected_pair(component)?;
            Some((pair.local.address(), pair.remote.address()))
        };
        match (ends(0), ends(1)) {
            (Some((a, b)), Some((c, d))) => a == d && b == c,
            _ => false,
        }
    }
}
