//! The server of this crate with its relays, and a mood: what it answers instead of what it should.

use std::net::SocketAddr;
use std::vec::Vec;

use floe_stun::attributes::PasswordAlgorithm;
use floe_stun::{Class, IntegrityAlgorithm, Key, Time};

use crate::Carrier;
use crate::server::{
    Command, Config, Credentials, FromPeer, Link, MAX_TRANSMIT, Received, RelayAddress, RelayId, SocketId,
};

use super::super::scene::{
    PASSWORD, REALM, RELAYED, USER, addr, bare_error, challenge, coded, has, key, parse, respond,
};

pub(super) struct Server {
    real: crate::Server,
    relays: Vec<RelayId>,
    carrier: Carrier,
    restarts: u8,
    refused: u32,
    /// The error that everything is answered with; 0 for none.
    pub(super) mood: u16,
}

/// A packet and the address of the client's that it comes from or goes to.
pub(super) type Packet = (SocketAddr, Vec<u8>);

fn real(seed: u8) -> crate::Server {
    let mut credentials = Credentials::new(REALM).unwrap();
    credentials.add_user(USER, PASSWORD).unwrap();
    let mut config = Config::new([seed; 32], credentials);
    config.relay_ipv4 = Some(RelayAddress::direct(addr(RELAYED).ip()));
    // Nonces grow stale while one looks on, and each incarnation of the server has other habits.
    config.nonce_lifetime = core::time::Duration::from_secs(100);
    config.hide_usernames = seed.is_multiple_of(2);
    config.require_sha256 = seed.is_multiple_of(3);
    config.can_set_dont_fragment = seed.is_multiple_of(4);
    config.mobility = !seed.is_multiple_of(5);
    config.peers.allow_private = true;
    crate::Server::new(config).unwrap()
}

impl Server {
    pub(super) fn new(carrier: Carrier) -> Self {
        Self { real: real(1), relays: Vec::new(), carrier, restarts: 1, refused: 0, mood: 0 }
    }

    /// Everything is forgotten, even the keys of nonces and tickets.
    pub(super) fn restart(&mut self) {
        self.restarts += 1;
        self.real = real(self.restarts);
        self.relays.clear();
    }

    fn link(&self, client: SocketAddr) -> Link {
        Link { socket: SocketId(1), client, carrier: self.carrier }
    }

    pub(super) fn disconnected(&mut self, client: SocketAddr, now: Time) {
        self.real.disconnected(self.link(client), now);
        self.drive(now);
    }

    /// What the server answers.
    pub(super) fn handle(&mut self, (client, packet): &Packet, now: Time) -> Vec<Packet> {
        let is_request =
            packet.first().is_some_and(|byte| *byte < 0x40) && parse(packet).class() == Class::Request;
        if self.mood != 0 && is_request && parse(packet).has_integrity() {
            return Vec::from([(*client, self.refuse(packet))]);
        }
        let _ = self.real.handle_datagram(self.link(*client), packet, now);
        self.drive(now)
    }

    fn refuse(&mut self, request: &[u8]) -> Vec<u8> {
        self.refused += 1;
        if let 401 | 438 = self.mood {
            return challenge(request, self.mood, &std::format!("made up {}", self.refused));
        }
        if self.refused.is_multiple_of(5) {
            return bare_error(request, self.mood); // which the client is not to believe
        }
        let (key, algorithm) = match has::<PasswordAlgorithm<'_>>(request) {
            None => (key(), IntegrityAlgorithm::Sha1),
            Some(_) => (Key::long_term_sha256(USER, REALM, PASSWORD), IntegrityAlgorithm::Sha256),
        };
        respond(request, Class::Error, &|builder| coded(builder, self.mood), Some((&key, algorithm)))
    }

    /// Opens and closes what the server wants, and takes what it sends.
    fn drive(&mut self, now: Time) -> Vec<Packet> {
        if self.real.poll_timeout().is_some_and(|at| at <= now) {
            self.real.handle_timeout(now);
        }
        while let Some(command) = self.real.poll_command() {
            match command {
                Command::OpenRelay { relay, .. } => {
                    self.relays.push(relay);
                    self.real.relay_opened(relay, now);
                }
                Command::CloseRelay { relay } => self.relays.retain(|open| *open != relay),
            }
        }
        while self.real.poll_event().is_some() {}
        let (mut sent, mut out) = (Vec::new(), [0; MAX_TRANSMIT]);
        while let Some(transmit) = self.real.poll_transmit(&mut out) {
            sent.push((transmit.link.client, out[..transmit.len].to_vec()));
        }
        sent
    }

    /// What clients get when a peer sends data to every relay there is.
    pub(super) fn relay(&mut self, peer: SocketAddr, now: Time) -> Vec<Packet> {
        self.drive(now);
        let relays = self.relays.clone();
        relays.into_iter().filter_map(|relay| self.relay_from(relay, peer, b"data", now)).collect()
    }

    fn relay_from(&mut self, relay: RelayId, peer: SocketAddr, data: &[u8], now: Time) -> Option<Packet> {
        match self.real.handle_peer_datagram(relay, peer, data.len(), now) {
            FromPeer::ToClient { link, frame } => {
                Some((link.client, [frame.prefix(), data, frame.padding()].concat()))
            }
            FromPeer::Rejected(_) => None,
        }
    }

    /// The client sends data, and the peer sends them back.
    pub(super) fn echo(&mut self, (client, packet): &Packet, now: Time) -> Option<Packet> {
        match self.real.handle_datagram(self.link(*client), packet, now) {
            Received::ToPeer { relay, peer, payload, .. } => {
                self.relay_from(relay, peer, &packet[payload], now)
            }
            _ => None,
        }
    }

    pub(super) fn allocations(&mut self, now: Time) -> usize {
        self.drive(now);
        self.real.allocations()
    }
}
