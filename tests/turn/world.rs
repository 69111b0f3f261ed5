//! A client, a server with its relays, and a clock. Every packet arrives at once; streams arrive in odd pieces.

use std::net::SocketAddr;
use std::time::Duration;

use floe_stun::Time;
use floe_turn::client::{self, Credentials, Event, StreamDeframer};
use floe_turn::server::{self, Command, FromPeer, Link, RelayAddress, RelayId, SocketId};
use floe_turn::{Carrier, Client, MAX_PADDING, MAX_PREFIX, Server};

pub(crate) const USER: &str = "a user";
pub(crate) const PASSWORD: &str = "a secret";
const SERVER: &str = "192.0.2.1:3478";

pub(crate) fn addr(text: &str) -> SocketAddr {
    text.parse().expect("a test names addresses")
}

pub(crate) fn client_config() -> client::Config {
    let credentials = Credentials::new(USER, PASSWORD).expect("the name is short");
    client::Config::new(addr(SERVER), Some(credentials), [3; 32])
}

pub(crate) fn server_config() -> server::Config {
    let mut credentials = server::Credentials::new("example.org").expect("the realm is short");
    credentials.add_user(USER, PASSWORD).expect("the user is new");
    let mut config = server::Config::new([4; 32], credentials);
    config.relay_ipv4 = Some(RelayAddress::direct("192.0.2.1".parse().expect("an address")));
    config.relay_ipv6 = Some(RelayAddress::direct("2001:db8::1".parse().expect("an address")));
    // The addresses of documentation are none of the Internet's.
    config.peers.allow_private = true;
    config.mobility = true;
    config
}

pub(crate) struct World {
    pub(crate) now: Time,
    /// Where the client is.
    pub(crate) home: SocketAddr,
    pub(crate) client: Client,
    pub(crate) server: Server,
    pub(crate) events: Vec<Event>,
    /// What the client has sent.
    pub(crate) sent: Vec<Vec<u8>>,
    config: server::Config,
    carrier: Carrier,
    relays: Vec<RelayId>,
    streams: [StreamDeframer; 2],
    restarts: u8,
}

impl World {
    pub(crate) fn new(server: server::Config, client: client::Config) -> Self {
        Self {
            now: Time::from_secs(1),
            home: addr("198.51.100.9:50000"),
            carrier: client.carrier,
            client: Client::new(client).expect("the configuration is good"),
            server: Server::new(server.clone()).expect("the configuration is good"),
            config: server,
            events: Vec::new(),
            sent: Vec::new(),
            relays: Vec::new(),
            streams: [StreamDeframer::new(), StreamDeframer::new()],
            restarts: 0,
        }
    }

    pub(crate) fn allocate(&mut self) {
        self.client.allocate(self.now).expect("there is no allocation");
        self.settle();
    }

    /// Another client on another port.
    pub(crate) fn replace_client(&mut self, config: client::Config) {
        self.home.set_port(self.home.port() + 100);
        self.client = Client::new(config).expect("the configuration is good");
        self.events.clear();
    }

    /// Everything the server knew is gone.
    pub(crate) fn restart_server(&mut self) {
        self.restarts += 1;
        self.config.seed = [0x80 + self.restarts; 32];
        self.server = Server::new(self.config.clone()).expect("the configuration is good");
        self.relays.clear();
    }

    fn link(&self) -> Link {
        let socket = SocketId(u64::from(self.home.port()));
        Link { socket, client: self.home, carrier: self.carrier }
    }

    /// What arrives of a packet: itself, or what a stream that comes in pieces of seven bytes is taken apart into.
    fn carried(&mut self, to_client: bool, packet: Vec<u8>) -> Vec<Vec<u8>> {
        if self.carrier == Carrier::Datagram {
            return vec![packet];
        }
        let deframer = &mut self.streams[usize::from(to_client)];
        let mut frames = Vec::new();
        for piece in packet.chunks(7) {
            deframer.space()[..piece.len()].copy_from_slice(piece);
            deframer.filled(piece.len());
            while let Some(frame) = deframer.next_frame().expect("the stream is TURN") {
                frames.push(frame.to_vec());
            }
        }
        frames
    }

    /// Until nobody has anything to say.
    pub(crate) fn settle(&mut self) {
        let mut out = [0; client::MAX_TRANSMIT];
        while let Some(len) = self.client.poll_transmit(&mut out) {
            self.sent.push(out[..len].to_vec());
            for frame in self.carried(false, out[..len].to_vec()) {
                let _ = self.server.handle_datagram(self.link(), &frame, self.now);
                self.drive_server();
            }
        }
        self.events.extend(std::iter::from_fn(|| self.client.poll_event()));
        self.client.check_invariants();
    }

    fn drive_server(&mut self) {
        while let Some(command) = self.server.poll_command() {
            match command {
                Command::OpenRelay { relay, .. } => {
                    self.relays.push(relay);
                    self.server.relay_opened(relay, self.now);
                }
                Command::CloseRelay { relay } => self.relays.retain(|open| *open != relay),
                other => panic!("a driver has to know {other:?}"),
            }
        }
        let mut out = [0; server::MAX_TRANSMIT];
        while let Some(transmit) = self.server.poll_transmit(&mut out) {
            assert_eq!(transmit.link.carrier, self.carrier);
            for frame in self.carried(true, out[..transmit.len].to_vec()) {
                let _ = self.client.handle_datagram(addr(SERVER), &frame, self.now);
            }
        }
        while self.server.poll_event().is_some() {}
    }

    pub(crate) fn sleep_for(&mut self, time: Duration) {
        let until = self.now + time;
        loop {
            let next = [self.client.poll_timeout(), self.server.poll_timeout()].into_iter().flatten().min();
            let Some(at) = next.filter(|at| *at <= until) else { break };
            self.now = self.now.max(at);
            self.client.handle_timeout(self.now);
            self.server.handle_timeout(self.now);
            self.drive_server();
            self.settle();
        }
        self.now = until;
    }

    /// Sends data to a peer that sends them back. Returns whether they came.
    pub(crate) fn echo(&mut self, peer: SocketAddr, payload: &[u8]) -> bool {
        let Some(mut path) = self.client.relay_path(peer) else { return false };
        let mut buffer = vec![0xEE; MAX_PREFIX + payload.len() + MAX_PADDING];
        let place = MAX_PREFIX..MAX_PREFIX + payload.len();
        buffer[place.clone()].copy_from_slice(payload);
        let packet = path.frame(&mut buffer, place).expect("there is room");
        let packet = buffer[packet].to_vec();
        let mut heard = Vec::new();
        for frame in self.carried(false, packet) {
            let received = self.server.handle_datagram(self.link(), &frame, self.now);
            if let server::Received::ToPeer { relay, peer, payload, .. } = received {
                heard.extend(self.relay_from(relay, peer, &frame[payload]));
            }
        }
        heard == [(peer, payload.to_vec())]
    }

    /// Whether data of a peer arrive.
    pub(crate) fn hears_from(&mut self, peer: SocketAddr) -> bool {
        let relays = self.relays.clone();
        relays.into_iter().any(|relay| !self.relay_from(relay, peer, b"anybody there?").is_empty())
    }

    /// What the client hears of what a peer sends.
    fn relay_from(&mut self, relay: RelayId, peer: SocketAddr, data: &[u8]) -> Vec<(SocketAddr, Vec<u8>)> {
        let sent = self.server.handle_peer_datagram(relay, peer, data.len(), self.now);
        let FromPeer::ToClient { link, frame } = sent else { return Vec::new() };
        assert_eq!(link.client, self.home);
        let packet = [frame.prefix(), data, frame.padding()].concat();
        let mut heard = Vec::new();
        for frame in self.carried(true, packet) {
            let received = self.client.handle_datagram(addr(SERVER), &frame, self.now);
            if let client::Received::Data { peer, payload } = received {
                heard.push((peer, frame[payload].to_vec()));
            }
        }
        heard
    }
}
