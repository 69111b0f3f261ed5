//! Two agents and a TURN server, 10 ms apart, on virtual time. Between the agents themselves packets may be lost.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::net::SocketAddr;
use core::time::Duration;
use std::boxed::Box;
use std::string::ToString;

use floe_turn::server::{
    Command as ServerCommand, Config as ServerConfig, Credentials as Accounts, FromPeer, Link,
    Received as Seen, RelayAddress, RelayId, Server, SocketId as ServerSocket,
};

use crate::{
    Agent, Candidate, Command, Component, Config, Datagram, Event, MAX_PADDING, MAX_PREFIX, MAX_TRANSMIT,
    Received, RelayServer, RemoteParameters, Role, ServerAddress, SocketId, StreamId, Time,
};

/// One hop.
const HOP: Duration = Duration::from_millis(10);

pub(crate) const HOSTS: [&str; 2] = ["203.0.113.1:4000", "203.0.113.2:4000"];
pub(crate) const SERVER: &str = "198.51.100.5:3478";
/// The same server under another address.
pub(crate) const OTHER_SERVER: &str = "198.51.100.6:3478";

pub(crate) fn at(text: &str) -> SocketAddr {
    text.parse().expect("an address")
}

/// A packet on its way.
#[derive(Clone, Debug)]
pub(crate) struct Packet {
    pub(crate) from: SocketAddr,
    pub(crate) to: SocketAddr,
    pub(crate) bytes: Box<[u8]>,
}

/// The test bed.
pub(crate) struct RelayNet {
    pub(crate) agents: [Agent; 2],
    pub(crate) server: Server,
    pub(crate) now: Time,
    /// Whether packets get from one agent to the other without the relay.
    pub(crate) direct: bool,
    /// Whether the server is there.
    pub(crate) up: bool,
    pub(crate) log: Vec<Packet>,
    pub(crate) events: [Vec<Event>; 2],
    pub(crate) data: [Vec<Vec<u8>>; 2],
    /// The address of each socket, by side and number.
    sockets: [BTreeMap<SocketId, SocketAddr>; 2],
    relays: BTreeMap<SocketAddr, RelayId>,
    flying: BTreeMap<(Time, u64), Packet>,
    sequence: u64,
}

fn server(seed: u8) -> Server {
    server_with(seed, |_| {})
}

fn server_with(seed: u8, set: impl Fn(&mut ServerConfig)) -> Server {
    let mut accounts = Accounts::new("example.org").expect("a realm");
    accounts.add_user("alice", "secret").expect("a user");
    let mut config = ServerConfig::new([seed; 32], accounts);
    config.relay_ipv4 = Some(RelayAddress::direct(at(SERVER).ip()));
    set(&mut config);
    Server::new(config).expect("valid")
}

fn address_of(link: Link) -> SocketAddr {
    at([SERVER, OTHER_SERVER][link.socket.0 as usize])
}

/// What the server calls its socket at this address.
fn socket_at(address: SocketAddr) -> Option<ServerSocket> {
    let number = [SERVER, OTHER_SERVER].iter().position(|server| at(server) == address)?;
    Some(ServerSocket(number as u64))
}

impl RelayNet {
    /// Side 0 is controlling. Both know the server; `set` changes what else there is to change.
    pub(crate) fn new(set: impl Fn(usize, &mut Config)) -> Self {
        let agents = [0, 1].map(|side| {
            let mut config = Config::new([side as u8 + 1; 32]);
            config.role = if side == 0 { Role::Controlling } else { Role::Controlled };
            let address = ServerAddress::Address(at(SERVER));
            config.gather.relays.push(RelayServer::new(address, "alice", "secret"));
            set(side, &mut config);
            Agent::new(config, Time::ZERO).expect("valid")
        });
        let sockets = [0, 1].map(|side| BTreeMap::from([(SocketId(0), at(HOSTS[side]))]));
        Self {
            agents,
            server: server(7),
            now: Time::ZERO,
            direct: false,
            up: true,
            log: Vec::new(),
            events: [Vec::new(), Vec::new()],
            data: [Vec::new(), Vec::new()],
            sockets,
            relays: BTreeMap::new(),
            flying: BTreeMap::new(),
            sequence: 0,
        }
    }

    /// Each side has a socket and gathers; what it finds reaches the other, credentials first.
    pub(crate) fn begin(&mut self) {
        for (agent, host) in self.agents.iter_mut().zip(HOSTS) {
            agent.add_host(Component::default(), SocketId(0), at(host), self.now).expect("a candidate");
            agent.end_of_local_candidates(self.now).expect("open");
        }
        self.introduce();
    }

    /// The credentials of both reach the other.
    pub(crate) fn introduce(&mut self) {
        for side in 0..2 {
            let parameters = RemoteParameters::new(self.agents[side].local_credentials().clone());
            self.agents[1 - side].set_remote_parameters(&parameters, self.now).expect("new");
        }
    }

    /// The server has no room.
    pub(crate) fn full(&mut self) {
        self.server = server_with(7, |config| config.limits.allocations = 0);
    }

    /// The server forgets everything, as after a power failure.
    pub(crate) fn restart_server(&mut self) {
        self.server = server(8);
        self.relays.clear();
    }

    fn fly(&mut self, from: SocketAddr, to: SocketAddr, bytes: &[u8]) {
        let packet = Packet { from, to, bytes: bytes.into() };
        self.log.push(packet.clone());
        let hosts = HOSTS.map(|host| at(host).ip());
        if !self.direct && hosts.contains(&from.ip()) && hosts.contains(&to.ip()) {
            return;
        }
        self.sequence += 1;
        self.flying.insert((self.now.saturating_add(HOP), self.sequence), packet);
    }

    fn collect(&mut self) {
        let mut out = [0; MAX_TRANSMIT];
        for side in 0..2 {
            while let Some(t) = self.agents[side].poll_transmit(&mut out) {
                let from = self.sockets[side][&t.socket];
                self.fly(from, t.destination, &out[..t.len]);
            }
            while let Some(command) = self.agents[side].poll_command() {
                self.obey(side, &command);
            }
            while let Some(event) = self.agents[side].poll_event() {
                self.events[side].push(event);
                self.signal(side, event);
            }
            self.agents[side].check_invariants();
        }
        while let Some(command) = self.server.poll_command() {
            match command {
                ServerCommand::OpenRelay { relay, address } => {
                    self.relays.insert(address, relay);
                    self.server.relay_opened(relay, self.now);
                }
                ServerCommand::CloseRelay { relay } => self.relays.retain(|_, r| *r != relay),
                other => panic!("{other:?}"),
            }
        }
        while let Some(t) = self.server.poll_transmit(&mut out) {
            self.fly(address_of(t.link), t.link.client, &out[..t.len]);
        }
    }

    fn obey(&mut self, side: usize, command: &Command) {
        match *command {
            Command::OpenUdp { request, address } => {
                let socket = SocketId(self.sockets[side].len() as u64);
                let bound = SocketAddr::new(address.ip(), 5000 + socket.0 as u16);
                self.sockets[side].insert(socket, bound);
                self.agents[side].opened(request, Ok((socket, bound)), self.now);
                self.collect();
            }
            Command::CloseSocket { .. } => {}
            _ => panic!("{command:?}"),
        }
    }

    fn signal(&mut self, side: usize, event: Event) {
        match event {
            Event::LocalCandidate(id) => {
                let line = self.agents[side].local_candidate(id).expect("it is there").to_string();
                let candidate: Candidate = line.parse().expect("a candidate");
                let other = &mut self.agents[1 - side];
                let _ = other.add_remote_candidate(StreamId::FIRST, &candidate, self.now).expect("open");
            }
            Event::GatheringStateChanged(crate::GatheringState::Complete) => {
                self.agents[1 - side].end_of_remote_candidates(StreamId::FIRST, self.now).expect("open");
            }
            _ => {}
        }
    }

    fn deliver(&mut self, packet: &Packet) {
        let Packet { from, to, bytes } = packet;
        if let Some(socket) = socket_at(*to) {
            self.serve(Link::datagram(socket, *from), bytes);
        } else if let Some(&relay) = self.relays.get(to)
            && let FromPeer::ToClient { link, frame } =
                self.server.handle_peer_datagram(relay, *from, bytes.len(), self.now)
        {
            let framed = [frame.prefix(), bytes, frame.padding()].concat();
            self.fly(address_of(link), link.client, &framed);
        }
        for side in 0..2 {
            let socket = self.sockets[side].iter().find(|(_, address)| *address == to).map(|(id, _)| *id);
            let Some(socket) = socket else { continue };
            let datagram = Datagram { socket, local_ip: None, source: *from, contents: bytes };
            if let Received::Data { payload, .. } = self.agents[side].handle_datagram(datagram, self.now) {
                self.data[side].push(bytes[payload].to_vec());
            }
        }
    }

    fn serve(&mut self, link: Link, bytes: &[u8]) {
        if !self.up {
            return;
        }
        if let Seen::ToPeer { relay, peer, payload, .. } = self.server.handle_datagram(link, bytes, self.now)
        {
            let own = self.relays.iter().find(|(_, id)| **id == relay).map(|(address, _)| *address);
            self.fly(own.expect("open"), peer, &bytes[payload]);
        }
    }

    /// Runs for so many milliseconds.
    pub(crate) fn run(&mut self, ms: u64) {
        let end = self.now.saturating_add(Duration::from_millis(ms));
        self.collect();
        loop {
            let flight = self.flying.first_key_value().map(|f| f.0.0);
            let timers = self.agents.iter().filter_map(Agent::poll_timeout);
            let next = flight.into_iter().chain(timers).chain(self.server.poll_timeout()).min();
            let Some(next) = next.filter(|&t| t <= end) else { break };
            self.now = self.now.max(next);
            while let Some(entry) = self.flying.first_entry().filter(|e| e.key().0 <= self.now) {
                let packet = entry.remove();
                self.deliver(&packet);
            }
            for agent in &mut self.agents {
                agent.handle_timeout(self.now);
            }
            self.server.handle_timeout(self.now);
            self.collect();
        }
        self.now = end;
    }

    /// Data of a side leave on its path, framed if it goes through a relay.
    pub(crate) fn send(&mut self, side: usize, payload: &[u8]) {
        let path = self.agents[side].send_path(Component::default()).expect("a path");
        let from = self.sockets[side][&path.socket];
        match path.relay {
            None => self.fly(from, path.destination, payload),
            Some(mut relay) => {
                let mut buffer = std::vec![0; MAX_PREFIX + payload.len() + MAX_PADDING];
                let place = MAX_PREFIX..MAX_PREFIX + payload.len();
                buffer[place.clone()].copy_from_slice(payload);
                let framed = relay.frame(&mut buffer, place).expect("room");
                let bytes = buffer[framed].to_vec();
                self.fly(from, path.destination, &bytes);
            }
        }
        self.agents[side].record_sent(Component::default(), 1, payload.len() as u64, self.now);
    }

    /// Data get through in both directions.
    pub(crate) fn exchange(&mut self) {
        for side in 0..2 {
            let before = self.data[1 - side].len();
            self.send(side, b"hello");
            self.run(100);
            assert_eq!(
                self.data[1 - side].get(before..),
                Some(&[b"hello".to_vec()][..]),
                "data of side {side}"
            );
        }
    }

    /// Whether any packet went from one agent to the other without the relay.
    pub(crate) fn went_direct(&self) -> bool {
        let hosts = HOSTS.map(|host| at(host).ip());
        self.log.iter().any(|p| hosts.contains(&p.from.ip()) && hosts.contains(&p.to.ip()))
    }
}
