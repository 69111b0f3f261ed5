//! What attackers try.

use std::net::SocketAddr;
use std::vec::Vec;

use floe_stun::attributes::{ChannelNumber, Nonce, XorPeerAddress};
use floe_stun::{Class, Message, MessageBuilder, Method};

use super::client::{Client, for_udp, plain};
use super::world::World;
use crate::server::{Link, MAX_TRANSMIT, RateLimit, Received, Rejection, SocketId};

const AT: &str = "198.51.100.7:5000";
const PEER: &str = "192.0.2.9:7000";

/// All that a server remembers.
pub(super) fn digest(world: &World) -> [usize; 7] {
    let server = &world.server;
    [
        server.allocations.len(),
        server.relays.len(),
        server.relays.reserved_len(),
        server.accounts.len(),
        server.deadlines.len(),
        server.accounts.held(),
        server.poll_timeout().is_some().into(),
    ]
}

/// The room an answer may take beyond its request: what RFC 8489 §9.2.4 puts into a 401, or XOR-MAPPED-ADDRESS.
pub(super) const AMPLIFICATION: usize = 24 + 16 + 48 + 12;

#[test]
fn a_flood_of_addresses_leaves_no_trace_and_gains_little() {
    let mut world = World::with(|config| config.challenges = Some(RateLimit::new([1; 16])));
    let before = digest(&world);
    let request = plain(Class::Request, Method::ALLOCATE, for_udp);
    for n in 0..5_000_u32 {
        let source = SocketAddr::from((n.to_be_bytes().map(|byte| byte | 1), 1000));
        let (_, answer) = world.hand_in(Link::datagram(SocketId(1), source), &request);
        if let Some(answer) = answer {
            assert!(answer.0.len() <= request.len() + AMPLIFICATION, "{}", answer.0.len());
        }
    }
    assert_eq!(digest(&world), before);
}

#[test]
fn answers_that_nobody_fetches_are_bounded() {
    let mut world = World::with(|config| {
        config.limits.transmits = 10;
        config.challenges = Some({
            let mut limit = RateLimit::new([1; 16]);
            (limit.per_second, limit.burst) = (1000, 1000);
            limit
        });
    });
    let request = plain(Class::Request, Method::ALLOCATE, for_udp);
    for _ in 0..100 {
        let _ = world.server.handle_datagram(Client::at(AT).link, &request, world.now);
    }
    assert_eq!(world.server.stats().dropped, 90);
    assert_eq!(world.sent().len(), 10);
}

#[test]
fn forged_nonces_open_nothing() {
    let mut world = World::new();
    let mut client = Client::at(AT);
    world.greet(&mut client);
    let genuine = client.nonce.clone();
    for at in [0, 9, 12, 13, 20, 21, genuine.len() - 1] {
        let mut nonce = genuine.clone();
        nonce[at] = if nonce[at] == b'x' { b'y' } else { b'x' };
        let forger = Client { nonce, ..client.clone() };
        let code = world.once(&forger, Method::ALLOCATE, for_udp).code();
        assert!(matches!(code, 438 | 401), "byte {at}: {code}");
    }
    assert_eq!(world.server.allocations(), 0);
}

#[test]
fn a_replayed_request_does_nothing_from_elsewhere_and_nothing_new_from_here() {
    let mut world = World::new();
    let (client, _) = world.allocated(AT);
    let peer = XorPeerAddress(PEER.parse().unwrap());
    let request = client.request(world.id(), Method::CREATE_PERMISSION, |message| message.attribute(&peer));
    assert_eq!(world.ask(Client::at("198.51.100.66:1").link, &request).code(), 438);
    assert_eq!(world.ask(client.link, &request).code(), 0);
    assert_eq!(world.ask(client.link, &request).code(), 0);
    // Changed in one byte, wherever, it does nothing at all.
    let before = digest(&world);
    for at in 0..request.len() {
        let mut changed = request.clone();
        changed[at] ^= 1;
        let (_, answer) = world.hand_in(client.link, &changed);
        assert!(answer.is_none_or(|answer| answer.code() != 0), "byte {at}");
    }
    assert_eq!(digest(&world), before);
}

#[test]
fn a_channel_of_another_client_cannot_be_used_or_taken() {
    let mut world = World::new();
    let (mut alice, _) = world.allocated(AT);
    assert_eq!(world.bind(&mut alice, 0x4000, PEER), 0);
    let (mut mallory, relay) =
        world.allocated_on(Client { user: "bob", password: "bob's", ..Client::at("198.51.100.66:1") });
    assert_eq!(world.send_channel(&mallory, 0x4000, b"x"), Err(Rejection::UnboundChannel));
    assert_eq!(world.bind(&mut mallory, 0x4000, "192.0.2.66:1"), 0, "its own number of the same value");
    assert_eq!(world.send_channel(&alice, 0x4000, b"x").unwrap().to, PEER.parse().unwrap());
    // Alice's peer does not reach Mallory.
    assert_eq!(world.peer_sends(PEER, relay, b"x"), Err(Rejection::NoPermission));
    // On Alice's 5-tuple Mallory's password does not help.
    let mut forged = Client { link: alice.link, nonce: alice.nonce.clone(), ..mallory.clone() };
    assert_eq!(world.bind(&mut forged, 0x4001, "192.0.2.66:2"), 441);
}

#[test]
fn a_flood_of_permissions_and_channels_stays_within_the_limits() {
    let mut world = World::new();
    let (mut client, _) = world.allocated(AT);
    for n in 0..2_000_u16 {
        let peer = SocketAddr::from(([192, 1, (n >> 8) as u8, n as u8], 1000));
        let peer = XorPeerAddress(peer);
        world.request(&mut client, Method::CREATE_PERMISSION, |message| message.attribute(&peer));
        let number = ChannelNumber(0x4000 + n);
        world.request(&mut client, Method::CHANNEL_BIND, |message| {
            message.attribute(&number).attribute(&peer)
        });
    }
    let key = world.server.allocations.on(&client.link).unwrap();
    let allocation = world.server.allocations.get(key).unwrap();
    assert_eq!((allocation.permissions.len(), allocation.channels.len()), (128, 64));
    // One request with as many peers as it holds.
    let peers: Vec<_> =
        (0..300).map(|n| XorPeerAddress(SocketAddr::from(([192, 2, 1, n as u8], n)))).collect();
    let answer = world.request(&mut client, Method::CREATE_PERMISSION, |message| {
        peers.iter().fold(message, MessageBuilder::attribute)
    });
    assert_eq!(answer.code(), 508);
}

#[test]
fn timers_do_not_pile_up_however_often_an_allocation_is_refreshed() {
    use floe_stun::attributes::Lifetime;
    let mut world = World::new();
    let (mut client, _) = world.allocated(AT);
    for n in 0..1_000 {
        let lifetime = Lifetime(if n % 2 == 0 { 3600 } else { 600 });
        world.request(&mut client, Method::REFRESH, |message| message.attribute(&lifetime));
        world.pass(std::time::Duration::from_millis(900));
    }
    assert!(world.server.deadlines.len() <= 8, "{}", world.server.deadlines.len());
}

#[test]
fn the_largest_answers_fit() {
    use floe_stun::attributes::{AdditionalAddressFamily, AddressFamily, MobilityTicket};
    let mut world = World::with(|config| {
        config.software = Some("s".repeat(64));
        let mut credentials = crate::server::Credentials::new("r".repeat(127)).unwrap();
        credentials.add_user("alice", "alice's").unwrap();
        config.credentials = credentials;
    });
    let realm: &'static str = "r".repeat(127).leak();
    let mut client = Client { realm, ..Client::at("[2001:db8:7::1]:5000") };
    let mut out = [0; 64];
    let id = world.id();
    let request = MessageBuilder::new(&mut out, Class::Request, Method::ALLOCATE, id);
    let len = request.fingerprint().finish().unwrap();
    let challenge = world.ask(client.link, &out[..len]);
    client.nonce = challenge.get::<Nonce<'_>>().unwrap().as_bytes().to_vec();
    let dual = AdditionalAddressFamily(AddressFamily::Ipv6);
    let granted = world.once(&client, Method::ALLOCATE, |message| {
        for_udp(message).attribute(&dual).attribute(&MobilityTicket(&[]))
    });
    assert_eq!(granted.relayed().len(), 2);
    let strange: Vec<_> = (0..200).map(|n| floe_stun::AttributeType::new(0x7000 + n)).collect();
    let refused = world.once(&client, Method::ALLOCATE, |message| {
        strange.iter().fold(message, |message, &kind| {
            message.raw_attribute(floe_stun::RawAttribute { kind, value: b"" })
        })
    });
    assert_eq!(refused.code(), 420);
    for answer in [challenge, granted, refused] {
        assert!(answer.0.len() <= MAX_TRANSMIT, "{}", answer.0.len());
    }
}

#[test]
fn odd_names_are_unknown_users() {
    let mut world = World::new();
    let mut client = Client::at(AT);
    world.greet(&mut client);
    for name in [&b"\xFF\xFE"[..], b"", b"alice\0", &[b'a'; 700]] {
        let mut out = [0; 2048];
        let message = for_udp(MessageBuilder::new(&mut out, Class::Request, Method::ALLOCATE, world.id()));
        let raw = floe_stun::RawAttribute { kind: floe_stun::AttributeType::USERNAME, value: name };
        let len = message
            .raw_attribute(raw)
            .attribute(&floe_stun::attributes::Realm::new("example.org"))
            .attribute(&Nonce::from_bytes(&client.nonce))
            .integrity(&client.key(), client.algorithm())
            .finish()
            .unwrap();
        assert_eq!(world.ask(client.link, &out[..len]).code(), 401, "{name:?}");
    }
}

#[test]
fn a_response_is_never_answered() {
    let mut world = World::new();
    let link = Client::at(AT).link;
    let challenge = world.ask(link, &plain(Class::Request, Method::ALLOCATE, for_udp));
    let (received, answer) = world.hand_in(link, &challenge.0);
    assert_eq!((received, answer), (Received::Rejected(Rejection::UnexpectedMessage), None));
    assert_eq!(Message::parse(&challenge.0).unwrap().class(), Class::Error);
}
