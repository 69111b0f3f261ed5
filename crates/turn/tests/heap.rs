//! What a server takes from the heap: nothing for a packet that it relays, little for an allocation. One test in a
//! process of its own, as it counts what the process allocates.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::alloc::System;
use std::net::SocketAddr;

use floe_stun::attributes::{
    ChannelNumber, Data, Nonce, PasswordAlgorithm, PasswordAlgorithms, Realm, RequestedTransport, Username,
    XorPeerAddress, XorRelayedAddress,
};
use floe_stun::{
    ChannelData, Class, IntegrityAlgorithm, Key, Message, MessageBuilder, Method, Time, TransactionId,
};
use floe_turn::server::{
    Command, Config, Credentials, FromPeer, Link, MAX_TRANSMIT, Received, RelayAddress, RelayId, Server,
    SocketId,
};
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

#[global_allocator]
static HEAP: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const PEER: &str = "192.0.2.9:7000";
const CHANNEL: ChannelNumber = ChannelNumber(0x4000);

fn held() -> usize {
    let stats = HEAP.stats();
    stats.bytes_allocated - stats.bytes_deallocated
}

fn allocations_of(work: impl FnOnce()) -> usize {
    let count = || HEAP.stats().allocations + HEAP.stats().reallocations;
    let before = count();
    work();
    count() - before
}

struct Fixture {
    server: Server,
    key: Key,
    packet: [u8; 1024],
    ids: u64,
    relays: Vec<RelayId>,
}

impl Fixture {
    fn new() -> Self {
        let mut credentials = Credentials::new("example.org").unwrap();
        credentials.add_user("alice", "secret").unwrap();
        let mut config = Config::new([1; 32], credentials);
        config.relay_ipv4 = Some(RelayAddress::direct("203.0.113.5".parse().unwrap()));
        config.limits.allocations_per_user = u32::MAX;
        let key = Key::long_term_sha256("alice", "example.org", "secret");
        Self { server: Server::new(config).unwrap(), key, packet: [0; 1024], ids: 0, relays: Vec::new() }
    }

    /// A signed request of a client; whether it succeeded is what the answer says.
    fn request(
        &mut self,
        link: Link,
        nonce: &[u8],
        method: Method,
        attributes: impl for<'b> FnOnce(MessageBuilder<'b>) -> MessageBuilder<'b>,
    ) -> usize {
        self.ids += 1;
        let mut id = [0; 12];
        id[..8].copy_from_slice(&self.ids.to_be_bytes());
        let offered = [PasswordAlgorithm::SHA256, PasswordAlgorithm::MD5];
        let message = MessageBuilder::new(&mut self.packet, Class::Request, method, TransactionId::new(id));
        let message = attributes(message);
        let len = if nonce.is_empty() {
            message.finish().unwrap()
        } else {
            let message = message
                .attribute(&Username::new("alice"))
                .attribute(&Realm::new("example.org"))
                .attribute(&Nonce::from_bytes(nonce))
                .attribute(&PasswordAlgorithms::new(&offered))
                .attribute(&PasswordAlgorithm::SHA256);
            message.integrity(&self.key, IntegrityAlgorithm::Sha256).finish().unwrap()
        };
        let received = self.server.handle_datagram(link, &self.packet[..len], Time::ZERO);
        assert!(nonce.is_empty() || received == Received::Handled, "{received:?}");
        while let Some(command) = self.server.poll_command() {
            let Command::OpenRelay { relay, .. } = command else { panic!("{command:?}") };
            self.relays.push(relay);
            self.server.relay_opened(relay, Time::ZERO);
        }
        let transmit = self.server.poll_transmit(&mut self.packet[..MAX_TRANSMIT]).unwrap();
        while self.server.poll_event().is_some() {}
        transmit.len
    }

    /// A client with a channel to the peer.
    fn client(&mut self, n: u32) -> Link {
        // Each from an address of its own, so that the limit of challenges is none of its business.
        let link = Link::datagram(SocketId(1), SocketAddr::from(((0x2000_0000 + n).to_be_bytes(), 5000)));
        let len =
            self.request(link, &[], Method::ALLOCATE, |message| message.attribute(&RequestedTransport::UDP));
        let nonce = Message::parse(&self.packet[..len]).unwrap().get::<Nonce<'_>>().unwrap().unwrap();
        let nonce: [u8; 41] = nonce.as_bytes().try_into().unwrap();
        let len = self
            .request(link, &nonce, Method::ALLOCATE, |message| message.attribute(&RequestedTransport::UDP));
        let answer = Message::parse(&self.packet[..len]).unwrap();
        assert!(answer.get::<XorRelayedAddress>().unwrap().is_some(), "{answer:?}");
        let peer = XorPeerAddress(PEER.parse().unwrap());
        let len = self.request(link, &nonce, Method::CHANNEL_BIND, |message| {
            message.attribute(&CHANNEL).attribute(&peer)
        });
        assert_eq!(Message::parse(&self.packet[..len]).unwrap().class(), Class::Success);
        link
    }
}

fn relay(server: &mut Server, link: Link, relay: RelayId) {
    let mut channel = [0; 104];
    channel[..4].copy_from_slice(&ChannelData::header(CHANNEL, 100).unwrap());
    let mut send = [0; 200];
    let peer: SocketAddr = PEER.parse().unwrap();
    let len = MessageBuilder::new(&mut send, Class::Indication, Method::SEND, TransactionId::new([1; 12]))
        .attribute(&XorPeerAddress(peer))
        .attribute(&Data(&[7; 100]))
        .finish()
        .unwrap();
    for packet in [&channel[..], &send[..len]] {
        let received = server.handle_datagram(link, packet, Time::ZERO);
        assert!(matches!(received, Received::ToPeer { payload, .. } if payload.len() == 100));
    }
    // One port of the peer has a channel, the other has not.
    for source in [peer, "192.0.2.9:7001".parse().unwrap()] {
        let sent = server.handle_peer_datagram(relay, source, 100, Time::ZERO);
        assert!(matches!(sent, FromPeer::ToClient { .. }));
    }
}

#[test]
fn packets_cost_no_memory_and_allocations_little() {
    let mut fixture = Fixture::new();
    let first = fixture.client(0);
    let before = held();
    let more = 10_000 - 1;
    for n in 1..=more {
        fixture.client(n);
    }
    fixture.relays.shrink_to_fit();
    let each = (held() - before) / more as usize;
    println!("{each} bytes for an allocation with a channel");
    assert!(each <= 1536, "{each} bytes");

    let relay_id = fixture.relays[0];
    let server = &mut fixture.server;
    relay(server, first, relay_id);
    let allocations = allocations_of(|| {
        for _ in 0..1000 {
            relay(server, first, relay_id);
        }
    });
    assert_eq!(allocations, 0, "in 4000 packets");

    // Nor does a stranger.
    let request = {
        let mut out = [0; 64];
        let message =
            MessageBuilder::new(&mut out, Class::Request, Method::ALLOCATE, TransactionId::new([2; 12]));
        let len = message.attribute(&RequestedTransport::UDP).finish().unwrap();
        out[..len].to_vec()
    };
    let mut out = [0; MAX_TRANSMIT];
    let allocations = allocations_of(|| {
        for n in 0..1000_u32 {
            let stranger =
                Link::datagram(SocketId(1), SocketAddr::from(((0x3000_0000 + n).to_be_bytes(), 1)));
            let _ = server.handle_datagram(stranger, &request, Time::ZERO);
            while server.poll_transmit(&mut out).is_some() {}
        }
    });
    assert_eq!(allocations, 0, "in 1000 challenges");
}
