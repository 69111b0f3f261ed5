//! One agent and TURN servers that it reaches over connections, or over UDP, on virtual time. A connection takes 10 ms, everything
//! else no time at all.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use core::net::SocketAddr;
use core::time::Duration;

use floe_stun::attributes::{AlternateDomain, AlternateServer, ErrorCode};
use floe_stun::{Class, IntegrityAlgorithm, Key, Message, MessageBuilder};
use floe_turn::server::{
    Command as ServerCommand, Config as ServerConfig, Credentials as Accounts, Link, RelayAddress, Server,
    SocketId as ServerSocket,
};

use super::relay_net::at;
use crate::{
    Agent, Command, Component, Config, Datagram, DriverError, Event, GatheringFailure, MAX_TRANSMIT,
    RelayServer, RelayTransport, RequestId, ServerAddress, SocketId, Time,
};

/// How long a connection takes.
const HOP: Duration = Duration::from_millis(10);

pub(crate) const HOST: &str = "203.0.113.1:4000";
pub(crate) const FIRST: &str = "198.51.100.1:3478";
pub(crate) const SECOND: &str = "198.51.100.2:3478";
pub(crate) const THIRD: &str = "198.51.100.3:3478";

/// What is at an address.
pub(crate) enum Place {
    Turn(Box<Server>),
    /// Connections are refused.
    Refusing,
    /// Connections are accepted, and nothing is ever said on them.
    Mute,
}

/// A connection that the agent asked for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Asked {
    /// Milliseconds since the beginning.
    pub(crate) ms: u64,
    pub(crate) server: SocketAddr,
    pub(crate) tls_name: Option<String>,
    pub(crate) local: SocketAddr,
}

pub(crate) struct LineNet {
    pub(crate) agent: Agent,
    pub(crate) now: Time,
    /// What is not here does not answer.
    pub(crate) places: BTreeMap<SocketAddr, Place>,
    /// The living connections: where they lead to, and from which port.
    pub(crate) streams: BTreeMap<SocketId, (SocketAddr, SocketAddr)>,
    pub(crate) asked: Vec<Asked>,
    pub(crate) events: Vec<(u64, Event)>,
    /// What redirections say is the name of the other server.
    pub(crate) domain: Option<&'static str>,
    /// The addresses of all host names.
    pub(crate) names: Vec<SocketAddr>,
    answers: BTreeMap<(Time, u64), (RequestId, SocketAddr, bool)>,
    next: u64,
}

/// A server that knows alice.
pub(crate) fn turn(address: &str, set: impl Fn(&mut ServerConfig)) -> (SocketAddr, Place) {
    let mut accounts = Accounts::new("example.org").expect("a realm");
    accounts.add_user("alice", "secret").expect("a user");
    let mut config = ServerConfig::new([7; 32], accounts);
    config.relay_ipv4 = Some(RelayAddress::direct(at(address).ip()));
    set(&mut config);
    (at(address), Place::Turn(Box::new(Server::new(config).expect("valid"))))
}

/// A server without room that sends everybody to another one.
pub(crate) fn sending_to(address: &str, other: &str) -> (SocketAddr, Place) {
    turn(address, |config| {
        config.limits.allocations = 0;
        config.alternates = alloc::vec![at(other)];
    })
}

fn agent(seed: u8, transport: RelayTransport, set: impl Fn(&mut Config)) -> Agent {
    let mut config = Config::new([seed; 32]);
    let server = RelayServer::new(ServerAddress::Address(at(FIRST)), "alice", "secret");
    config.gather.relays.push(server.with_transport(transport).with_tls_name("turn.example.org"));
    set(&mut config);
    let mut agent = Agent::new(config, Time::ZERO).expect("valid");
    agent.add_host(Component::default(), SocketId(0), at(HOST), Time::ZERO).expect("a candidate");
    agent.end_of_local_candidates(Time::ZERO).expect("open");
    agent
}

/// The packet; a redirection with this name in it (RFC 8489 §14.16).
fn renamed(packet: &[u8], domain: Option<&str>) -> Vec<u8> {
    let message = Message::parse(packet).expect("a server sends messages here");
    let alternate = message.get::<AlternateServer>().expect("well-formed");
    let (Some(domain), Some(alternate)) = (domain, alternate) else { return packet.to_vec() };
    let mut out = alloc::vec![0; 512];
    let key = Key::long_term_sha256("alice", "example.org", "secret");
    let len = MessageBuilder::new(&mut out, Class::Error, message.method(), message.transaction_id())
        .attribute(&ErrorCode::new(300, ""))
        .attribute(&alternate)
        .attribute(&AlternateDomain::new(domain))
        .integrity(&key, IntegrityAlgorithm::Sha256)
        .finish();
    out.truncate(len.expect("it fits"));
    out
}

impl LineNet {
    /// An agent that knows the server at `FIRST`.
    pub(crate) fn new(
        transport: RelayTransport,
        places: impl IntoIterator<Item = (SocketAddr, Place)>,
        set: impl Fn(&mut Config),
    ) -> Self {
        let agent = agent(1, transport, &set);
        Self {
            agent,
            now: Time::ZERO,
            places: places.into_iter().collect(),
            streams: BTreeMap::new(),
            asked: Vec::new(),
            events: Vec::new(),
            domain: None,
            names: Vec::new(),
            answers: BTreeMap::new(),
            next: 1,
        }
    }

    fn ms(&self) -> u64 {
        self.now.as_nanos() / 1_000_000
    }

    fn collect(&mut self) {
        let mut out = [0; MAX_TRANSMIT];
        loop {
            if let Some(transmit) = self.agent.poll_transmit(&mut out) {
                let link = match self.streams.get(&transmit.socket) {
                    Some(&(server, client)) => {
                        assert_eq!(transmit.destination, server, "a stream leads to one server");
                        Link::stream(ServerSocket(transmit.socket.0), client)
                    }
                    None => {
                        assert_eq!(transmit.socket, SocketId(0), "nothing is sent on a stream that is gone");
                        Link::datagram(ServerSocket(0), at(HOST))
                    }
                };
                self.serve(transmit.destination, link, &out[..transmit.len]);
            } else if let Some(command) = self.agent.poll_command() {
                self.obey(command);
            } else if let Some(event) = self.agent.poll_event() {
                self.events.push((self.ms(), event));
            } else {
                break;
            }
            self.agent.check_invariants();
        }
    }

    fn obey(&mut self, command: Command) {
        match command {
            Command::Connect { request, server, tls_name, local, deadline } => {
                assert!(deadline > self.now, "there is time for it");
                self.asked.push(Asked { ms: self.ms(), server, tls_name, local });
                let answers = match self.places.get(&server) {
                    Some(Place::Refusing) => false,
                    Some(_) => true,
                    None => return,
                };
                self.next += 1;
                self.answers.insert((self.now.saturating_add(HOP), self.next), (request, server, answers));
            }
            Command::CloseSocket { socket } => {
                let (server, client) = self.streams.remove(&socket).expect("closed once");
                if let Some(Place::Turn(server)) = self.places.get_mut(&server) {
                    server.disconnected(Link::stream(ServerSocket(socket.0), client), self.now);
                }
            }
            Command::Resolve { request, .. } => {
                let names = self.names.clone();
                self.agent.resolved(request, Ok(&names), self.now);
            }
            Command::OpenUdp { .. } => panic!("{command:?}"),
        }
    }

    fn serve(&mut self, address: SocketAddr, link: Link, bytes: &[u8]) {
        let Some(Place::Turn(server)) = self.places.get_mut(&address) else { return };
        let _ = server.handle_datagram(link, bytes, self.now);
        while let Some(command) = server.poll_command() {
            if let ServerCommand::OpenRelay { relay, .. } = command {
                server.relay_opened(relay, self.now);
            }
        }
        let mut out = [0; 2048];
        let mut back = Vec::new();
        while let Some(t) = server.poll_transmit(&mut out) {
            back.push((t.link, renamed(&out[..t.len], self.domain)));
        }
        for (link, bytes) in back {
            // What the server calls a connection is what the driver calls it.
            let datagram = Datagram {
                socket: SocketId(link.socket.0),
                local_ip: None,
                source: address,
                contents: &bytes,
            };
            let _ = self.agent.handle_datagram(datagram, self.now);
        }
    }

    fn answer(&mut self, request: RequestId, server: SocketAddr, accepts: bool) {
        self.next += 1;
        let socket = SocketId(self.next);
        let client = SocketAddr::new(at(HOST).ip(), 10_000 + self.next as u16);
        let answer = if accepts {
            self.streams.insert(socket, (server, client));
            Ok((socket, client))
        } else {
            Err(DriverError::ConnectionRefused)
        };
        self.agent.connected(request, answer, self.now);
    }

    /// Runs for so many milliseconds.
    pub(crate) fn run(&mut self, ms: u64) {
        let end = self.now.saturating_add(Duration::from_millis(ms));
        self.collect();
        loop {
            let answer = self.answers.first_key_value().map(|(key, _)| key.0);
            let next = answer.into_iter().chain(self.agent.poll_timeout()).min();
            let Some(next) = next.filter(|&t| t <= end) else { break };
            assert!(next >= self.now, "time goes on");
            self.now = next;
            while let Some(entry) = self.answers.first_entry().filter(|e| e.key().0 <= self.now) {
                let (request, server, accepts) = entry.remove();
                self.answer(request, server, accepts);
            }
            self.agent.handle_timeout(self.now);
            self.collect();
            assert!(self.agent.poll_timeout().is_none_or(|due| due > self.now), "no busy loop");
        }
        self.now = end;
    }

    /// The application dies and comes back, and its next connection has the port of its last one, which the server has not
    /// forgotten.
    pub(crate) fn come_back(&mut self) {
        self.agent = agent(2, RelayTransport::Tcp, |_| {});
        self.streams.clear();
        self.next -= 2;
    }

    /// RFC 8445 §9.
    pub(crate) fn restart(&mut self) {
        self.agent.restart(self.now).expect("open");
        self.agent.end_of_local_candidates(self.now).expect("open");
        self.collect();
    }

    /// Ends the only connection there is, from the other side.
    pub(crate) fn cut(&mut self, reason: DriverError) {
        let Some(&socket) = self.streams.keys().next() else { panic!("a connection") };
        self.agent.disconnected(socket, reason, self.now);
        self.collect();
    }

    /// How many allocations the server at this address has.
    pub(crate) fn allocations(&self, address: &str) -> usize {
        match self.places.get(&at(address)) {
            Some(Place::Turn(server)) => server.allocations(),
            _ => 0,
        }
    }

    pub(crate) fn problems(&self) -> Vec<(u64, GatheringFailure)> {
        let problem = |(ms, event): &(u64, Event)| match event {
            Event::GatheringProblem { failure, .. } => Some((*ms, *failure)),
            _ => None,
        };
        self.events.iter().filter_map(problem).collect()
    }

    /// When a connection was asked for, and to where.
    pub(crate) fn connects(&self) -> Vec<(u64, SocketAddr)> {
        self.asked.iter().map(|asked| (asked.ms, asked.server)).collect()
    }
}
