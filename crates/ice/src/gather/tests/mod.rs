//! Gathering through the agent's front door, in virtual time: a driver that opens and resolves what it is asked to, servers that
//! answer or do not, and a record of everything that came out, with its time.

mod answers;
mod closing;
mod embedder;
mod hosts;
mod interfaces;
mod keepalive;
mod pacing;
mod properties;
mod restart;
mod servers;

use alloc::vec::Vec;
use core::net::SocketAddr;
use core::time::Duration;
use std::boxed::Box;
use std::string::{String, ToString};

use floe_stun::attributes::{ErrorCode, MappedAddress, XorMappedAddress};
use floe_stun::{Class, Message, MessageBuilder, Method, RawAttribute, Time, TransactionId};

use crate::candidate::{Candidate, CandidateKind, Foundation};
use crate::{
    Agent, Command, Config, Credentials, Datagram, Event, GatheringFailure, GatheringState, InterfaceAddress,
    MAX_TRANSMIT, Received, RemoteParameters, RequestId, SocketId, StreamId,
};

/// A packet that the agent sent.
#[derive(Clone, Debug)]
struct Sent {
    at: Time,
    socket: SocketId,
    to: SocketAddr,
    id: TransactionId,
    /// A check of a peer, not a question to a server.
    is_check: bool,
    bytes: Box<[u8]>,
}

/// A STUN server, and how far away it is.
struct Server {
    address: SocketAddr,
    round_trip: Duration,
    /// What it answers.
    says: Says,
}

#[derive(Clone, Copy, Debug)]
enum Says {
    /// The base is behind a NAT with this address, which keeps the port.
    Nat(&'static str),
    /// There is no NAT.
    TheTruth,
    /// An error.
    Error(u16),
}

/// A datagram on its way to the agent.
struct Arrival {
    at: Time,
    socket: SocketId,
    source: SocketAddr,
    bytes: Vec<u8>,
}

/// One agent and its surroundings.
struct Bench {
    agent: Agent,
    now: Time,
    /// Whether `OpenUdp` succeeds at once.
    opens: bool,
    /// Sockets that were opened, by number.
    sockets: Vec<SocketAddr>,
    servers: Vec<Server>,
    arrivals: Vec<Arrival>,
    sent: Vec<Sent>,
    commands: Vec<(Time, Command)>,
    events: Vec<(Time, Event)>,
}

impl Bench {
    fn new(configure: impl FnOnce(&mut Config)) -> Self {
        let mut config = Config::new([7; 32]);
        configure(&mut config);
        let agent = Agent::new(config, Time::ZERO).expect("a valid configuration");
        Self {
            agent,
            now: Time::ZERO,
            opens: true,
            sockets: Vec::new(),
            servers: Vec::new(),
            arrivals: Vec::new(),
            sent: Vec::new(),
            commands: Vec::new(),
            events: Vec::new(),
        }
    }

    /// An agent with these servers configured, each an address or a name.
    fn asking(servers: &[&str]) -> Self {
        Self::new(|config| config.gather.servers = servers.iter().map(|s| parse(s)).collect())
    }

    fn with_server(mut self, address: &str, round_trip_ms: u64, says: Says) -> Self {
        let round_trip = Duration::from_millis(round_trip_ms);
        self.servers.push(Server { address: parse(address), round_trip, says });
        self
    }

    fn gather(&mut self, interfaces: &[InterfaceAddress]) {
        self.agent.gather(interfaces, self.now).expect("gathering begins");
        self.drain();
    }

    /// Gathers on one interface for each address.
    fn gather_on(&mut self, addresses: &[&str]) {
        let interfaces: Vec<_> =
            (1..).zip(addresses).map(|(n, a)| InterfaceAddress::new(n, parse(a))).collect();
        self.gather(&interfaces);
    }

    /// Takes out what the agent has, and does what it asks for.
    fn drain(&mut self) {
        let mut buffer = [0; MAX_TRANSMIT];
        loop {
            while let Some(event) = self.agent.poll_event() {
                self.events.push((self.now, event));
            }
            while let Some(t) = self.agent.poll_transmit(&mut buffer) {
                let message = Message::parse(&buffer[..t.len]).expect("the agent sends STUN");
                assert_eq!((message.class(), message.method()), (Class::Request, Method::BINDING));
                let (id, is_check) = (message.transaction_id(), message.has_integrity());
                let bytes = buffer[..t.len].into();
                let sent = Sent { at: self.now, socket: t.socket, to: t.destination, id, is_check, bytes };
                assert_eq!(t.src_ip, self.sockets.get(t.socket.0 as usize).map(SocketAddr::ip));
                self.answer(&sent);
                self.sent.push(sent);
            }
            let Some(command) = self.agent.poll_command() else { break };
            self.commands.push((self.now, command.clone()));
            if let (Command::OpenUdp { request, address }, true) = (command, self.opens) {
                self.open(request, address);
            }
        }
        self.agent.check_invariants();
    }

    /// The driver opens a socket: numbers and ports count up.
    fn open(&mut self, request: RequestId, mut address: SocketAddr) -> SocketId {
        let number = self.sockets.len() as u16;
        address.set_port(5000 + number);
        self.sockets.push(address);
        let socket = SocketId(u64::from(number));
        self.agent.opened(request, Ok((socket, address)), self.now);
        socket
    }

    /// The server's answer is on its way.
    fn answer(&mut self, sent: &Sent) {
        let Some(server) = self.servers.iter().find(|s| s.address == sent.to) else { return };
        let base = self.sockets[sent.socket.0 as usize];
        let bytes = match server.says {
            Says::Nat(ip) => success(sent.id, SocketAddr::new(parse(ip), base.port())),
            Says::TheTruth => success(sent.id, base),
            Says::Error(code) => error(sent.id, code),
        };
        let at = self.now + server.round_trip;
        self.arrivals.push(Arrival { at, socket: sent.socket, source: sent.to, bytes });
    }

    fn deliver(&mut self, socket: SocketId, source: &str, contents: &[u8]) -> Received {
        let datagram = Datagram { socket, local_ip: None, source: parse(source), contents };
        let received = self.agent.handle_datagram(datagram, self.now);
        self.drain();
        received
    }

    fn resolve(&mut self, host: &str, addresses: &[&str]) {
        let request = self.request_for(host);
        let addresses: Vec<SocketAddr> = addresses.iter().map(|a| parse(a)).collect();
        self.agent.resolved(request, Ok(&addresses), self.now);
        self.drain();
    }

    /// The number of the question for this host.
    fn request_for(&self, name: &str) -> RequestId {
        let is = |c: &(Time, Command)| match &c.1 {
            Command::Resolve { request, host, .. } if host == name => Some(*request),
            _ => None,
        };
        self.commands.iter().find_map(is).expect("the name was asked for")
    }

    /// The questions for sockets, in order.
    fn openings(&self) -> Vec<(RequestId, SocketAddr)> {
        let opening = |c: &(Time, Command)| match c.1 {
            Command::OpenUdp { request, address } => Some((request, address)),
            _ => None,
        };
        self.commands.iter().filter_map(opening).collect()
    }

    fn closed(&self) -> Vec<SocketId> {
        let closing = |c: &(Time, Command)| match c.1 {
            Command::CloseSocket { socket } => Some(socket),
            _ => None,
        };
        self.commands.iter().filter_map(closing).collect()
    }

    /// Lets time pass: every arrival and every timeout at its moment and no other.
    fn run_until(&mut self, end: Time) {
        self.drain();
        loop {
            let arrival = self.arrivals.iter().map(|a| a.at).min();
            let next = arrival.into_iter().chain(self.agent.poll_timeout()).min();
            let Some(next) = next.filter(|&t| t <= end) else { break };
            assert!(next > self.now || arrival == Some(next), "time goes on");
            self.now = next;
            if let Some(at) = self.arrivals.iter().position(|a| a.at <= next) {
                let a = self.arrivals.remove(at);
                let datagram =
                    Datagram { socket: a.socket, local_ip: None, source: a.source, contents: &a.bytes };
                let _ = self.agent.handle_datagram(datagram, next);
            } else {
                self.agent.handle_timeout(next);
                assert!(self.agent.poll_timeout().is_none_or(|t| t > next), "the next timeout is later");
            }
            self.drain();
        }
        self.now = end;
    }

    fn run_ms(&mut self, ms: u64) {
        self.run_until(Time::from_millis(ms));
    }

    // --- what happened ------------------------------------------------------------------------------------------

    /// Requests to servers, as (milliseconds, socket, server), retransmissions included.
    fn requests(&self) -> Vec<(u64, u64, String)> {
        let request = |s: &Sent| (millis(s.at), s.socket.0, s.to.to_string());
        self.sent.iter().map(request).collect()
    }

    /// When requests to this server were sent.
    fn times_to(&self, server: &str) -> Vec<u64> {
        let to: SocketAddr = parse(server);
        self.sent.iter().filter(|s| s.to == to).map(|s| millis(s.at)).collect()
    }

    /// The first packet of every transaction.
    fn begun(&self) -> Vec<&Sent> {
        let is_first = |(at, s): &(usize, &Sent)| self.sent[..*at].iter().all(|other| other.id != s.id);
        self.sent.iter().enumerate().filter(is_first).map(|(_, s)| s).collect()
    }

    /// The latest request to this server.
    fn last_to(&self, server: &str) -> Sent {
        let to: SocketAddr = parse(server);
        self.sent.iter().rfind(|s| s.to == to).cloned().expect("a request to this server")
    }

    /// The local candidates as (type, address, related address), in the order in which they were announced.
    fn candidates(&self) -> Vec<(CandidateKind, String, Option<String>)> {
        let shown =
            |c: &Candidate| (c.kind(), c.address().to_string(), c.related_address().map(|a| a.to_string()));
        let announced = self.events.iter().filter_map(|(_, event)| match event {
            Event::LocalCandidate(id) => self.agent.local_candidate(*id),
            _ => None,
        });
        announced.map(shown).collect()
    }

    fn reflexive(&self) -> Vec<String> {
        let all = self.candidates().into_iter();
        all.filter(|c| c.0 == CandidateKind::ServerReflexive).map(|c| c.1).collect()
    }

    /// The problems as (milliseconds, server, address, failure).
    fn problems(&self) -> Vec<(u64, Option<u16>, Option<String>, GatheringFailure)> {
        let problem = |(at, event): &(Time, Event)| match event {
            Event::GatheringProblem { server, address, failure } => {
                Some((millis(*at), *server, address.map(|a| a.to_string()), *failure))
            }
            _ => None,
        };
        self.events.iter().filter_map(problem).collect()
    }

    /// The states that were announced, with their milliseconds.
    fn states(&self) -> Vec<(u64, GatheringState)> {
        let state = |(at, event): &(Time, Event)| match event {
            Event::GatheringStateChanged(state) => Some((millis(*at), *state)),
            _ => None,
        };
        self.events.iter().filter_map(state).collect()
    }

    /// When gathering was complete.
    fn completed_at(&self) -> Option<u64> {
        let complete: Vec<_> =
            self.states().into_iter().filter(|s| s.1 == GatheringState::Complete).collect();
        assert!(complete.len() <= 1, "complete is said once");
        complete.first().map(|s| s.0)
    }

    /// Makes the agent check a peer with this many candidates.
    fn meet_a_peer(&mut self, candidates: u8) {
        let credentials = Credentials::from_random(&[3; Credentials::RANDOM_LEN]);
        let parameters = RemoteParameters::new(credentials).with_pacing(crate::MIN_TA);
        self.agent.set_remote_parameters(&parameters, self.now).expect("open");
        for n in 0..candidates {
            let foundation = Foundation::new(&n.to_string()).expect("digits");
            let address = SocketAddr::from(([198, 51, 100, n + 1], 9000));
            let candidate = Candidate::host(address).with_foundation(foundation);
            let _ = self.agent.add_remote_candidate(StreamId::FIRST, &candidate, self.now).expect("open");
        }
        self.drain();
    }
}

fn parse<T: core::str::FromStr<Err: core::fmt::Debug>>(text: &str) -> T {
    text.parse().expect("a valid text")
}

fn millis(at: Time) -> u64 {
    assert_eq!(at.as_nanos() % 1_000_000, 0, "a whole number of milliseconds: {at:?}");
    at.as_nanos() / 1_000_000
}

fn ms(ms: u64) -> Time {
    Time::from_millis(ms)
}

fn build(
    class: Class,
    id: TransactionId,
    raw: Option<RawAttribute<'_>>,
    fill: impl Fn(Builder<'_>) -> Builder<'_>,
) -> Vec<u8> {
    let mut out = [0; 200];
    let mut message = fill(MessageBuilder::new(&mut out, class, Method::BINDING, id));
    if let Some(raw) = raw {
        message = message.raw_attribute(raw);
    }
    let len = message.finish().expect("200 bytes suffice");
    out[..len].to_vec()
}

type Builder<'a> = MessageBuilder<'a>;

/// A success response.
fn success(id: TransactionId, mapped: SocketAddr) -> Vec<u8> {
    build(Class::Success, id, None, |m| m.attribute(&XorMappedAddress(mapped)))
}

/// The same from a server that only knows RFC 3489.
fn old_success(id: TransactionId, mapped: SocketAddr) -> Vec<u8> {
    build(Class::Success, id, None, |m| m.attribute(&MappedAddress(mapped)))
}

/// A success response with this attribute too.
fn success_with(id: TransactionId, mapped: SocketAddr, raw: RawAttribute<'_>) -> Vec<u8> {
    build(Class::Success, id, Some(raw), |m| m.attribute(&XorMappedAddress(mapped)))
}

/// An error response.
fn error(id: TransactionId, code: u16) -> Vec<u8> {
    build(Class::Error, id, None, |m| m.attribute(&ErrorCode::new(code, "")))
}
