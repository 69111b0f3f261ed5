//! A server with many allocations, and what its clients, their peers and strangers send.

use std::net::SocketAddr;

use floe_stun::attributes::{
    ChannelNumber, Data, Lifetime, Nonce, PasswordAlgorithm, PasswordAlgorithms, Realm, RequestedTransport,
    Username, XorPeerAddress,
};
use floe_stun::{
    ChannelData, Class, IntegrityAlgorithm, Key, Message, MessageBuilder, Method, Time, TransactionId,
};
use floe_turn::server::{
    Command, Config, Credentials, FromPeer, Link, MAX_TRANSMIT, RateLimit, Received, RelayAddress, RelayId,
    Server, SocketId,
};

/// Allocations beside the one that is used.
const OTHERS: u32 = 1_000;
/// Bytes of payload.
pub(crate) const PAYLOAD: usize = 1_000;
const CHANNEL: ChannelNumber = ChannelNumber(0x4000);
/// The peer with the channel, and one with a permission only.
const PEERS: [&str; 2] = ["192.0.2.9:7000", "192.0.2.9:7001"];

pub(crate) struct Fixture {
    server: Server,
    key: Key,
    ids: u64,
    link: Link,
    relay: Option<RelayId>,
    nonce: Vec<u8>,
    peers: [SocketAddr; 2],
    channel_data: Vec<u8>,
    send: Vec<u8>,
    challenge: Vec<u8>,
}

fn link(n: u32) -> Link {
    Link::datagram(SocketId(1), SocketAddr::from(((0x2000_0000 + n).to_be_bytes(), 5000)))
}

fn message(
    method: Method,
    class: Class,
    fill: impl FnOnce(MessageBuilder<'_>) -> MessageBuilder<'_>,
) -> Vec<u8> {
    let mut out = [0; 2048];
    let builder = MessageBuilder::new(&mut out, class, method, TransactionId::new([3; 12]));
    let len = fill(builder).finish().expect("room");
    out[..len].to_vec()
}

impl Fixture {
    pub(crate) fn new() -> Self {
        let mut credentials = Credentials::new("example.org").expect("a realm");
        credentials.add_user("alice", "secret").expect("a name");
        let mut config = Config::new([1; 32], credentials);
        config.relay_ipv4 = Some(RelayAddress::direct(SocketAddr::from(([203, 0, 113, 5], 0)).ip()));
        config.limits.allocations_per_user = u32::MAX;
        let mut challenges = RateLimit::new([1; 16]);
        challenges.burst = u32::MAX;
        config.challenges = Some(challenges);
        let peers = PEERS.map(|peer| peer.parse().expect("an address"));
        let header = ChannelData::header(CHANNEL, PAYLOAD).expect("a number that can be bound");
        let mut fixture = Self {
            server: Server::new(config).expect("a configuration that works"),
            key: Key::long_term_sha256("alice", "example.org", "secret"),
            ids: 0,
            link: link(0),
            relay: None,
            nonce: Vec::new(),
            peers,
            channel_data: [&header[..], &[7; PAYLOAD]].concat(),
            send: message(Method::SEND, Class::Indication, |m| {
                m.attribute(&XorPeerAddress(peers[1])).attribute(&Data(&[7; PAYLOAD]))
            }),
            challenge: message(Method::ALLOCATE, Class::Request, |m| m.attribute(&RequestedTransport::UDP)),
        };
        // The one that is used is the last.
        for n in (0..=OTHERS).rev() {
            fixture.link = link(n);
            fixture.connect();
        }
        fixture
    }

    fn connect(&mut self) {
        self.nonce.clear();
        self.challenge();
        self.allocate();
        let peer = self.peers[0];
        self.request(Method::CHANNEL_BIND, |m| m.attribute(&CHANNEL).attribute(&XorPeerAddress(peer)));
    }

    /// Signs and hands in a request, and fetches its answer.
    fn request(
        &mut self,
        method: Method,
        fill: impl for<'b> FnOnce(MessageBuilder<'b>) -> MessageBuilder<'b>,
    ) {
        self.ids += 1;
        let mut id = [0; 12];
        id[..8].copy_from_slice(&self.ids.to_be_bytes());
        let mut out = [0; 512];
        let builder = MessageBuilder::new(&mut out, Class::Request, method, TransactionId::new(id));
        let offered = [PasswordAlgorithm::SHA256, PasswordAlgorithm::MD5];
        let len = fill(builder)
            .attribute(&Username::new("alice"))
            .attribute(&Realm::new("example.org"))
            .attribute(&Nonce::from_bytes(&self.nonce))
            .attribute(&PasswordAlgorithms::new(&offered))
            .attribute(&PasswordAlgorithm::SHA256)
            .integrity(&self.key, IntegrityAlgorithm::Sha256)
            .finish()
            .expect("room");
        let received = self.server.handle_datagram(self.link, &out[..len], Time::ZERO);
        assert_eq!(received, Received::Handled, "{method:?}");
        self.settle();
    }

    fn settle(&mut self) {
        while let Some(command) = self.server.poll_command() {
            if let Command::OpenRelay { relay, .. } = command {
                self.relay = Some(relay);
                self.server.relay_opened(relay, Time::ZERO);
            }
        }
        let mut out = [0; MAX_TRANSMIT];
        while let Some(transmit) = self.server.poll_transmit(&mut out) {
            let answer = Message::parse(&out[..transmit.len]).expect("well formed");
            if self.nonce.is_empty()
                && let Ok(Some(nonce)) = answer.get::<Nonce<'_>>()
            {
                self.nonce.extend(nonce.as_bytes());
            }
        }
        while self.server.poll_event().is_some() {}
    }

    fn relay(&self) -> RelayId {
        self.relay.expect("it was opened")
    }

    pub(crate) fn channel_to_peer(&mut self) {
        let received = self.server.handle_datagram(self.link, &self.channel_data, Time::ZERO);
        assert!(matches!(received, Received::ToPeer { .. }));
    }

    pub(crate) fn indication_to_peer(&mut self) {
        let received = self.server.handle_datagram(self.link, &self.send, Time::ZERO);
        assert!(matches!(received, Received::ToPeer { .. }));
    }

    pub(crate) fn channel_to_client(&mut self) {
        let sent = self.server.handle_peer_datagram(self.relay(), self.peers[0], PAYLOAD, Time::ZERO);
        assert!(matches!(sent, FromPeer::ToClient { .. }));
    }

    pub(crate) fn indication_to_client(&mut self) {
        let sent = self.server.handle_peer_datagram(self.relay(), self.peers[1], PAYLOAD, Time::ZERO);
        assert!(matches!(sent, FromPeer::ToClient { .. }));
    }

    pub(crate) fn challenge(&mut self) {
        let received = self.server.handle_datagram(self.link, &self.challenge, Time::ZERO);
        assert!(matches!(received, Received::Rejected(_)));
        self.settle();
    }

    pub(crate) fn permit(&mut self) {
        let peer = XorPeerAddress(self.peers[0]);
        self.request(Method::CREATE_PERMISSION, |m| m.attribute(&peer));
    }

    pub(crate) fn allocate(&mut self) {
        self.request(Method::ALLOCATE, |m| m.attribute(&RequestedTransport::UDP));
    }

    /// Both requests together: what is made is deleted, so that all repetitions find the same.
    pub(crate) fn delete_and_allocate(&mut self) {
        self.request(Method::REFRESH, |m| m.attribute(&Lifetime(0)));
        self.allocate();
    }
}
