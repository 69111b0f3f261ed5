//! Client and server over a stream that is cut anywhere.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::net::SocketAddr;

use floe_stun::Time;
use floe_turn::client::{Credentials, Event, Received as Heard, StreamDeframer};
use floe_turn::server::{
    Command, FromPeer, Link, MAX_TRANSMIT, Received, RelayAddress, RelayId, Server, SocketId,
};
use floe_turn::{Carrier, Client, client, server};

const PEER: &str = "192.0.2.9:7000";

/// Both ends of one connection, and the bytes on their way.
struct Connection {
    client: Client,
    server: Server,
    link: Link,
    relay: Option<RelayId>,
    to_server: Vec<u8>,
    to_client: Vec<u8>,
    at_server: StreamDeframer,
    at_client: StreamDeframer,
    /// What came out at either end.
    to_peer: Vec<Vec<u8>>,
    heard: Vec<Vec<u8>>,
}

impl Connection {
    fn new() -> Self {
        let address = "203.0.113.5:3478".parse().unwrap();
        let credentials = Credentials::new("alice", "secret").unwrap();
        let mut config = client::Config::new(address, Some(credentials), [1; 32]);
        config.carrier = Carrier::Stream;
        let mut users = server::Credentials::new("example.org").unwrap();
        users.add_user("alice", "secret").unwrap();
        let mut server_config = server::Config::new([2; 32], users);
        server_config.relay_ipv4 = Some(RelayAddress::direct("203.0.113.5".parse().unwrap()));
        Self {
            client: Client::new(config).unwrap(),
            server: Server::new(server_config).unwrap(),
            link: Link::stream(SocketId(7), "198.51.100.7:5000".parse().unwrap()),
            relay: None,
            to_server: Vec::new(),
            to_client: Vec::new(),
            at_server: StreamDeframer::new(),
            at_client: StreamDeframer::new(),
            to_peer: Vec::new(),
            heard: Vec::new(),
        }
    }

    /// Collects what both have to say.
    fn collect(&mut self) {
        let mut packet = [0; client::MAX_TRANSMIT];
        while let Some(len) = self.client.poll_transmit(&mut packet) {
            self.to_server.extend(&packet[..len]);
        }
        while let Some(command) = self.server.poll_command() {
            if let Command::OpenRelay { relay, .. } = command {
                self.relay = Some(relay);
                self.server.relay_opened(relay, Time::ZERO);
            }
        }
        let mut packet = [0; MAX_TRANSMIT];
        while let Some(transmit) = self.server.poll_transmit(&mut packet) {
            assert_eq!(transmit.link, self.link);
            self.to_client.extend(&packet[..transmit.len]);
        }
    }

    /// Carries the bytes over, in pieces whose sizes come from `sizes` in turn, until nobody has anything to say.
    fn carry(&mut self, sizes: &[usize]) {
        let mut sizes = sizes.iter().copied().cycle();
        self.collect();
        while !self.to_server.is_empty() || !self.to_client.is_empty() {
            let bytes = std::mem::take(&mut self.to_server);
            for piece in cut(&bytes, &mut sizes) {
                feed(&mut self.at_server, piece);
                while let Some(frame) = self.at_server.next_frame().unwrap() {
                    let received = self.server.handle_datagram(self.link, frame, Time::ZERO);
                    if let Received::ToPeer { payload, peer, .. } = received {
                        assert_eq!(peer, PEER.parse().unwrap());
                        self.to_peer.push(frame[payload].to_vec());
                    }
                }
            }
            self.collect();
            let bytes = std::mem::take(&mut self.to_client);
            for piece in cut(&bytes, &mut sizes) {
                feed(&mut self.at_client, piece);
                while let Some(frame) = self.at_client.next_frame().unwrap() {
                    let received = self.client.handle_datagram(self.client.server(), frame, Time::ZERO);
                    if let Heard::Data { peer, payload } = received {
                        assert_eq!(peer, PEER.parse().unwrap());
                        self.heard.push(frame[payload].to_vec());
                    }
                }
            }
            self.collect();
        }
    }

    fn client_sends(&mut self, payload: &[u8]) {
        let mut path = self.client.relay_path(PEER.parse().unwrap()).unwrap();
        let frame = path.around(payload.len()).unwrap();
        self.to_server.extend([frame.prefix(), payload, frame.padding()].concat());
    }

    fn peer_sends(&mut self, payload: &[u8]) {
        let source = PEER.parse().unwrap();
        let relay = self.relay.unwrap();
        match self.server.handle_peer_datagram(relay, source, payload.len(), Time::ZERO) {
            FromPeer::ToClient { frame, .. } => {
                self.to_client.extend([frame.prefix(), payload, frame.padding()].concat());
            }
            FromPeer::Rejected(why) => panic!("{why}"),
        }
    }
}

fn cut<'a>(mut bytes: &'a [u8], sizes: &mut impl Iterator<Item = usize>) -> Vec<&'a [u8]> {
    let mut pieces = Vec::new();
    while !bytes.is_empty() {
        let size = sizes.next().unwrap_or(1).clamp(1, bytes.len());
        let (piece, rest) = bytes.split_at(size);
        pieces.push(piece);
        bytes = rest;
    }
    pieces
}

fn feed(deframer: &mut StreamDeframer, piece: &[u8]) {
    deframer.space()[..piece.len()].copy_from_slice(piece);
    deframer.filled(piece.len());
}

/// From the first request to data both ways, in indications and in a channel.
fn session(sizes: &[usize]) {
    let mut connection = Connection::new();
    let peer: SocketAddr = PEER.parse().unwrap();
    connection.client.allocate(Time::ZERO).unwrap();
    connection.client.permit(peer.ip(), Time::ZERO).unwrap();
    connection.carry(sizes);
    let payloads: Vec<Vec<u8>> = (0..9_u8).map(|len| vec![len; len.into()]).collect();
    for _ in 0..2 {
        for payload in &payloads {
            connection.client_sends(payload);
            connection.peer_sends(payload);
        }
        connection.carry(sizes);
        connection.client.bind(peer, Time::ZERO).unwrap();
        connection.carry(sizes);
    }
    let twice = [&payloads[..], &payloads].concat();
    assert_eq!(connection.to_peer, twice, "{sizes:?}");
    assert_eq!(connection.heard, twice, "{sizes:?}");
    let bound = std::iter::from_fn(|| connection.client.poll_event());
    assert!(bound.into_iter().any(|event| matches!(event, Event::ChannelBound { .. })));
    connection.client.close(Time::ZERO);
    connection.carry(sizes);
    assert!(connection.client.is_closed() && connection.server.is_drained());
}

#[test]
fn a_session_survives_being_cut_anywhere() {
    for size in 1..=80 {
        session(&[size]);
    }
    session(&[1, 2, 3, 5, 8, 13, 21, 34, 55]);
    session(&[4096]);
    session(&[1, 4000]);
}
