//! The agent under attack, its honest surroundings, and what can be seen of it from outside.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::time::Duration;

use floe_ice::candidate::Foundation;
use floe_ice::{
    Agent, Candidate, Component, Config, ConnectionState, Credentials, Datagram, Event, MAX_TRANSMIT,
    Received, RemoteParameters, Role, SocketId, StreamId, Time,
};
use floe_stun::{Class, Key, Message, TransactionId};

use crate::wire::{self, Ask, Say, Seal};

pub(crate) const PEER_UFRAG: &str = "peer";
pub(crate) const PEER_PWD: &str = "thePasswordOfThePeer123";

/// A packet that the agent sent.
#[derive(Clone, Debug)]
pub(crate) struct Sent {
    pub(crate) at: Time,
    pub(crate) socket: SocketId,
    pub(crate) to: SocketAddr,
    pub(crate) bytes: Vec<u8>,
}

impl Sent {
    pub(crate) fn id(&self) -> TransactionId {
        Message::parse(&self.bytes).expect("sound").transaction_id()
    }

    pub(crate) fn class(&self) -> Class {
        Message::parse(&self.bytes).expect("sound").class()
    }

    pub(crate) fn is_request(&self) -> bool {
        self.class() == Class::Request
    }

    /// The code of an error.
    pub(crate) fn error(&self) -> Option<u16> {
        let message = Message::parse(&self.bytes).expect("sound");
        message.get::<floe_stun::attributes::ErrorCode<'_>>().expect("readable").map(|error| error.code())
    }
}

/// The agent.
pub(crate) struct Victim {
    pub(crate) agent: Agent,
    pub(crate) now: Time,
    /// What it sent and nobody took yet.
    sent: Vec<Sent>,
    events: Vec<Event>,
    /// Counts requests, for their ids.
    asked: u64,
    bytes_in: usize,
    bytes_out: usize,
}

/// Our host candidate number `n`, and its socket.
pub(crate) fn local(n: u8) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, n], 5000))
}

/// The peer's address number `n`; the first is the best.
pub(crate) fn remote(n: u8) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, n], 6000))
}

/// Addresses of people who have nothing to do with it: as many as wanted.
pub(crate) fn bystander(n: u16) -> SocketAddr {
    let [high, low] = n.to_be_bytes();
    SocketAddr::from(([198, 18, high, low], 7000))
}

/// The peer's host candidate number `n`, with a foundation of its own: none waits for another one.
pub(crate) fn host(n: u8) -> Candidate {
    let preference = u16::MAX - u16::from(n - 1);
    Candidate::host(remote(n)).with_local_preference(preference).with_foundation(foundation(n.into()))
}

pub(crate) fn foundation(n: u16) -> Foundation {
    Foundation::new(&format!("f{n}")).expect("ice-chars")
}

pub(crate) fn peer_key() -> Key {
    Key::short_term(PEER_PWD)
}

impl Victim {
    /// An agent with one host candidate that knows the peer's credentials and none of its candidates.
    pub(crate) fn new(role: Role) -> Self {
        Self::with(role, 1, |_| {})
    }

    pub(crate) fn with(role: Role, hosts: u8, set: impl FnOnce(&mut Config)) -> Self {
        let mut victim = Self::alone(role, hosts, set);
        victim.know_peer();
        victim
    }

    /// One that does not know the peer yet.
    pub(crate) fn alone(role: Role, hosts: u8, set: impl FnOnce(&mut Config)) -> Self {
        let mut config = Config::new([1; 32]);
        config.role = role;
        set(&mut config);
        let agent = Agent::new(config, Time::ZERO).expect("a valid configuration");
        let (now, sent, events) = (Time::ZERO, Vec::new(), Vec::new());
        let (asked, bytes_in, bytes_out) = (0, 0, 0);
        let mut victim = Self { agent, now, sent, events, asked, bytes_in, bytes_out };
        for n in 1..=hosts {
            let socket = SocketId(n.into());
            victim.agent.add_host(Component::default(), socket, local(n), victim.now).expect("new");
        }
        victim.collect();
        victim
    }

    /// Connected with the peer's first address, and stays so as long as the peer answers.
    pub(crate) fn connected(role: Role) -> Self {
        Self::connected_with(role, |_| {})
    }

    pub(crate) fn connected_with(role: Role, set: impl FnOnce(&mut Config)) -> Self {
        let mut victim = Self::with(role, 1, set);
        victim.connect();
        victim
    }

    pub(crate) fn connect(&mut self) {
        self.signal(&host(1));
        self.agent.end_of_local_candidates(self.now).expect("open");
        self.collect();
        if self.agent.role() == Role::Controlled {
            let ask = self.ask(|ask| ask.nominates = true);
            assert_eq!(self.send(remote(1), &ask), Received::Ice);
        }
        self.run(2_000);
        assert_eq!(self.agent.state(), ConnectionState::Completed);
        assert_eq!(self.path(), Some(remote(1)));
        self.take();
    }

    pub(crate) fn know_peer(&mut self) {
        let credentials = Credentials::new(PEER_UFRAG, PEER_PWD).expect("valid");
        let parameters = RemoteParameters::new(credentials);
        self.agent.set_remote_parameters(&parameters, self.now).expect("open");
        self.collect();
    }

    pub(crate) fn signal(&mut self, candidate: &Candidate) {
        let _ = self.agent.add_remote_candidate(StreamId::FIRST, candidate, self.now).expect("open");
        self.collect();
    }

    // --- time ---------------------------------------------------------------------------------------------------

    /// Lets time go by; the peer answers what is sent to its first address, and nobody else answers anything.
    pub(crate) fn run(&mut self, millis: u64) {
        self.run_with(millis, |sent| (sent.to == remote(1)).then_some(Say::Success(local(1))));
    }

    /// The same, with whatever answers.
    pub(crate) fn run_with(&mut self, millis: u64, mut reply: impl FnMut(&Sent) -> Option<Say>) {
        let end = self.now + Duration::from_millis(millis);
        let mut seen = 0;
        loop {
            while let Some(sent) = self.sent.get(seen).cloned() {
                seen += 1;
                if sent.is_request()
                    && let Some(say) = reply(&sent)
                {
                    let bytes = wire::answer(sent.id(), say, &Seal::Sha1(peer_key()));
                    let _ = self.arrive(sent.socket, sent.to, &bytes);
                }
            }
            let Some(due) = self.agent.poll_timeout().filter(|&due| due <= end) else { break };
            assert!(due > self.now || self.now == Time::ZERO, "a timeout is later than now");
            self.now = due;
            self.agent.handle_timeout(due);
            self.collect();
        }
        self.now = end;
    }

    /// Nobody answers.
    pub(crate) fn run_unanswered(&mut self, millis: u64) {
        self.run_with(millis, |_| None);
    }

    // --- datagrams ----------------------------------------------------------------------------------------------

    /// A check as the honest peer would make it, and then as `change` wants it.
    pub(crate) fn ask(&mut self, change: impl FnOnce(&mut Ask)) -> Vec<u8> {
        self.asked += 1;
        let mut id = [0x33; 12];
        id[..8].copy_from_slice(&self.asked.to_be_bytes());
        let ours = self.agent.local_credentials();
        // The other role than ours, so that nothing is in conflict.
        let controlled = (self.agent.role() == Role::Controlling).then_some(7);
        let mut ask = Ask {
            id,
            username: Some(format!("{}:{PEER_UFRAG}", ours.ufrag())),
            priority: Some(0x6E00_01FF),
            controlling: controlled.xor(Some(7)),
            controlled,
            nominates: false,
            extra: Vec::new(),
            seal: Seal::Sha1(Key::short_term(ours.pwd())),
        };
        change(&mut ask);
        ask.encode()
    }

    /// A datagram arrives at our first socket.
    pub(crate) fn send(&mut self, source: SocketAddr, bytes: &[u8]) -> Received {
        self.arrive(SocketId(1), source, bytes)
    }

    pub(crate) fn arrive(&mut self, socket: SocketId, source: SocketAddr, bytes: &[u8]) -> Received {
        self.bytes_in += bytes.len();
        let datagram = Datagram { socket, local_ip: None, source, contents: bytes };
        let received = self.agent.handle_datagram(datagram, self.now);
        self.collect();
        received
    }

    /// The driver takes everything, after each input.
    pub(crate) fn collect(&mut self) {
        self.agent.check_invariants();
        let mut buffer = [0; MAX_TRANSMIT];
        while let Some(transmit) = self.agent.poll_transmit(&mut buffer) {
            self.bytes_out += transmit.len;
            let bytes = buffer[..transmit.len].to_vec();
            self.sent.push(Sent { at: self.now, socket: transmit.socket, to: transmit.destination, bytes });
        }
        self.events.extend(std::iter::from_fn(|| self.agent.poll_event()));
    }

    /// What was sent since the last time.
    pub(crate) fn take(&mut self) -> Vec<Sent> {
        std::mem::take(&mut self.sent)
    }

    pub(crate) fn take_events(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.events)
    }

    /// The next check that was sent and not looked at yet.
    pub(crate) fn next_check(&mut self) -> Sent {
        for _ in 0..100 {
            if let Some(at) = self.sent.iter().position(Sent::is_request) {
                return self.sent.remove(at);
            }
            self.now = self.agent.poll_timeout().expect("a check is to come");
            self.agent.handle_timeout(self.now);
            self.collect();
        }
        panic!("no check comes");
    }

    /// An authentic answer to a check, from where that went.
    pub(crate) fn answer(&mut self, check: &Sent, say: Say) -> Received {
        let bytes = wire::answer(check.id(), say, &Seal::Sha1(peer_key()));
        self.arrive(check.socket, check.to, &bytes)
    }

    /// Bytes received and sent since the last time.
    pub(crate) fn traffic(&mut self) -> (usize, usize) {
        (std::mem::take(&mut self.bytes_in), std::mem::take(&mut self.bytes_out))
    }

    // --- what can be seen ---------------------------------------------------------------------------------------

    pub(crate) fn path(&self) -> Option<SocketAddr> {
        self.agent.send_path(Component::default()).ok().map(|path| path.destination)
    }

    pub(crate) fn selected(&self) -> Option<SocketAddr> {
        self.agent.selected_pair(Component::default()).map(|pair| pair.remote.address())
    }

    /// Everything that an application can see, but for the counters of what was rejected.
    pub(crate) fn digest(&self) -> String {
        digest(&self.agent)
    }

    /// Nothing that `attack` does can be seen afterwards, and nothing is sent because of it.
    #[track_caller]
    pub(crate) fn assert_unmoved(&mut self, attack: impl FnOnce(&mut Self)) {
        self.take();
        self.take_events();
        let (before, begun) = (self.digest(), self.now);
        attack(self);
        assert_eq!(self.now, begun, "an attack takes no time");
        assert_eq!(self.digest(), before);
        assert!(self.take().is_empty(), "it is answered");
        assert!(self.take_events().is_empty(), "it is told");
    }
}

/// Everything that an application can see of an agent, but for the counters of what was rejected.
pub(crate) fn digest(agent: &Agent) -> String {
    let mut out = String::new();
    let states = (agent.state(), agent.gathering_state(), agent.role(), agent.poll_timeout());
    let path = agent.send_path(Component::default());
    write!(out, "{states:?} {path:?} {:?}", agent.local_credentials().ufrag()).expect("a string");
    agent.local_candidates().for_each(|c| writeln!(out, "{c:?}").expect("a string"));
    agent.remote_candidates().for_each(|c| writeln!(out, "{c:?}").expect("a string"));
    for pair in agent.pairs() {
        writeln!(out, "{pair:?} {:?}", agent.pair_stats(pair.id)).expect("a string");
    }
    out
}
