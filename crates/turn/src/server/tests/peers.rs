//! RFC 8656 §10.2 and §12.2: permissions and channels.

use std::time::Duration;
use std::vec::Vec;

use floe_stun::attributes::{ChannelNumber, XorPeerAddress};
use floe_stun::{AttributeType, MessageBuilder, Method, RawAttribute};

use super::client::{Client, for_udp};
use super::world::{RELAY_V4, World};
use crate::server::Rejection;

const AT: &str = "198.51.100.7:5000";
const PEER: &str = "192.0.2.9:7000";

fn peer(address: &str) -> XorPeerAddress {
    XorPeerAddress(address.parse().unwrap())
}

/// The answer to a CreatePermission request for these.
fn permit(world: &mut World, client: &mut Client, peers: &[&str]) -> u16 {
    let peers: Vec<_> = peers.iter().map(|address| peer(address)).collect();
    let answer = world.request(client, Method::CREATE_PERMISSION, |message| {
        peers.iter().fold(message, MessageBuilder::attribute)
    });
    if answer.code() == 0 {
        assert_eq!(answer.message().attributes().count(), 1, "nothing but the integrity");
    }
    answer.code()
}

#[test]
fn a_permission_is_for_an_address_and_lasts_300_seconds() {
    let mut world = World::new();
    let (mut client, relay) = world.allocated(AT);
    assert_eq!(permit(&mut world, &mut client, &["192.0.2.9:1", "192.0.2.10:0"]), 0);
    for address in [PEER, "192.0.2.9:9", "192.0.2.10:7"] {
        assert!(world.send(&client, address, b"x").is_ok(), "{address}");
        assert!(world.peer_sends(address, relay, b"x").is_ok(), "{address}");
    }
    assert_eq!(world.send(&client, "192.0.2.11:7", b"x"), Err(Rejection::NoPermission));
    world.pass(Duration::from_millis(299_999));
    assert!(world.send(&client, PEER, b"x").is_ok(), "data do not matter to it");
    world.pass(Duration::from_millis(1));
    assert_eq!(world.send(&client, PEER, b"x"), Err(Rejection::NoPermission));
    assert_eq!(world.peer_sends(PEER, relay, b"x"), Err(Rejection::NoPermission));
    world.permit(&mut client, PEER);
    assert!(world.peer_sends(PEER, relay, b"x").is_ok());
}

#[test]
fn a_request_without_peers_or_with_a_bad_one_installs_nothing() {
    let mut world = World::new();
    let (mut client, _) = world.allocated(AT);
    assert_eq!(permit(&mut world, &mut client, &[]), 400);
    let malformed = RawAttribute { kind: AttributeType::XOR_PEER_ADDRESS, value: b"?" };
    let answer = world.request(&mut client, Method::CREATE_PERMISSION, |message| {
        message.attribute(&peer(PEER)).raw_attribute(malformed)
    });
    assert_eq!(answer.code(), 400);
    assert_eq!(permit(&mut world, &mut client, &[PEER, "[2001:db8::9]:1"]), 443);
    assert_eq!(permit(&mut world, &mut client, &[PEER, "127.0.0.1:1"]), 403);
    assert_eq!(world.send(&client, PEER, b"x"), Err(Rejection::NoPermission));
}

#[test]
fn permissions_are_limited() {
    let mut world = World::with(|config| config.limits.permissions = 2);
    let (mut client, _) = world.allocated(AT);
    assert_eq!(permit(&mut world, &mut client, &["192.0.2.1:0", "192.0.2.2:0", "192.0.2.3:0"]), 508);
    assert_eq!(permit(&mut world, &mut client, &["192.0.2.1:0", "192.0.2.2:0"]), 0);
    assert_eq!(permit(&mut world, &mut client, &["192.0.2.1:0"]), 0);
    assert_eq!(permit(&mut world, &mut client, &["192.0.2.3:0"]), 508);
    assert_eq!(world.bind(&mut client, 0x4000, "192.0.2.3:1"), 508);
    assert_eq!(world.send_channel(&client, 0x4000, b"x"), Err(Rejection::UnboundChannel));
}

#[test]
fn a_channel_comes_with_a_permission_and_outlives_it() {
    let mut world = World::new();
    let (mut client, relay) = world.allocated(AT);
    assert_eq!(world.bind(&mut client, 0x4ABC, PEER), 0);
    assert_eq!(world.send_channel(&client, 0x4ABC, b"x").unwrap().to, PEER.parse().unwrap());
    world.pass(Duration::from_secs(300));
    assert_eq!(world.send_channel(&client, 0x4ABC, b"x"), Err(Rejection::NoPermission));
    assert_eq!(world.peer_sends(PEER, relay, b"x"), Err(Rejection::NoPermission));
    world.permit(&mut client, PEER);
    assert!(world.send_channel(&client, 0x4ABC, b"x").is_ok());
    world.request(&mut client, Method::REFRESH, |message| message);
    world.pass(Duration::from_secs(299));
    world.permit(&mut client, PEER);
    assert!(world.send_channel(&client, 0x4ABC, b"x").is_ok());
    world.pass(Duration::from_secs(1));
    assert_eq!(world.send_channel(&client, 0x4ABC, b"x"), Err(Rejection::UnboundChannel));
    assert!(world.send(&client, PEER, b"x").is_ok());
}

#[test]
fn numbers_outside_the_range_and_missing_attributes_are_bad_requests() {
    let mut world = World::new();
    let (mut client, _) = world.allocated(AT);
    for number in [0x0000, 0x3FFF, 0x5000, 0x7FFF, 0xFFFF] {
        assert_eq!(world.bind(&mut client, number, PEER), 400, "{number:#x}");
    }
    for number in [0x4000, 0x4FFF] {
        assert_eq!(world.bind(&mut client, number, &std::format!("192.0.2.9:{number}")), 0, "{number:#x}");
    }
    let mut bind = |attributes: fn(MessageBuilder<'_>) -> MessageBuilder<'_>| {
        world.request(&mut client, Method::CHANNEL_BIND, attributes).code()
    };
    assert_eq!(bind(|message| message), 400);
    assert_eq!(bind(|message| message.attribute(&ChannelNumber(0x4001))), 400);
    assert_eq!(bind(|message| message.attribute(&peer(PEER))), 400);
    let short = RawAttribute { kind: AttributeType::CHANNEL_NUMBER, value: &[0x40, 1] };
    assert_eq!(
        world
            .request(&mut client, Method::CHANNEL_BIND, |message| {
                message.attribute(&peer(PEER)).raw_attribute(short)
            })
            .code(),
        400
    );
}

#[test]
fn a_number_has_one_peer_and_a_peer_one_number() {
    let mut world = World::new();
    let (mut client, _) = world.allocated(AT);
    assert_eq!(world.bind(&mut client, 0x4000, PEER), 0);
    assert_eq!(world.bind(&mut client, 0x4000, PEER), 0, "a refresh");
    assert_eq!(world.bind(&mut client, 0x4000, "192.0.2.9:7001"), 400);
    assert_eq!(world.bind(&mut client, 0x4001, PEER), 400);
    // Another client's channels are its own.
    let (mut other, _) = world.allocated("198.51.100.8:5000");
    assert_eq!(world.bind(&mut other, 0x4000, "192.0.2.77:1"), 0);
    assert_eq!(world.send_channel(&client, 0x4000, b"x").unwrap().to, PEER.parse().unwrap());
}

#[test]
fn channels_have_the_family_of_a_relay_and_a_limit() {
    let mut world = World::with(|config| config.limits.channels = 2);
    let (mut client, _) = world.allocated(AT);
    assert_eq!(world.bind(&mut client, 0x4000, "[2001:db8::9]:1"), 443);
    for n in 0..2 {
        assert_eq!(world.bind(&mut client, 0x4000 + n, &std::format!("192.0.2.{n}:1")), 0);
    }
    assert_eq!(world.bind(&mut client, 0x4002, "192.0.2.2:1"), 508);
    assert_eq!(world.send(&client, "192.0.2.2:1", b"x"), Err(Rejection::NoPermission), "nor a permission");
}

#[test]
fn denied_peers_are_denied_in_every_way() {
    let mut world = World::with(|config| {
        config.own_addresses.push("203.0.113.1".parse().unwrap());
        config.peers.deny("192.0.2.128".parse().unwrap(), 25);
    });
    let v4 = [
        "127.0.0.1:80",
        "10.1.2.3:80",
        "169.254.169.254:80",
        "224.0.0.1:80",
        "255.255.255.255:80",
        "0.0.0.0:80",
        "203.0.113.1:80",
        "192.0.2.200:80",
    ];
    let v6 = [
        "[::1]:80",
        "[::ffff:127.0.0.1]:80",
        "[::ffff:8.8.8.8]:80",
        "[::127.0.0.1]:80",
        "[2002:7f00:1::]:80",
        "[2001:0:7f00:1::]:80",
        "[64:ff9b::127.0.0.1]:80",
        "[64:ff9b::10.0.0.1]:80",
        "[fe80::1]:80",
        "[ff02::1]:80",
        "[fd00::1]:80",
        "[::]:80",
    ];
    let (mut client, _) = world.allocated(AT);
    let mut other = Client::at("198.51.100.7:5001");
    let family = floe_stun::attributes::RequestedAddressFamily(floe_stun::attributes::AddressFamily::Ipv6);
    world.request(&mut other, Method::ALLOCATE, |message| for_udp(message).attribute(&family));
    let mut try_all = |client: &mut Client, denied: &[&str]| {
        for (n, address) in denied.iter().enumerate() {
            assert_eq!(permit(&mut world, client, &[address]), 403, "{address}");
            assert_eq!(world.bind(client, 0x4100 + n as u16, address), 403, "{address}");
            assert!(world.send(client, address, b"x").is_err(), "{address}");
        }
    };
    try_all(&mut client, &v4);
    try_all(&mut other, &v6);
}

#[test]
fn clients_meet_at_the_servers_relays_and_reach_nothing_else_there() {
    let mut world = World::new();
    let (mut alice, relay_a) = world.allocated(AT);
    let (mut bob, relay_b) = world.allocated("198.51.100.8:5000");
    let [a, b] = [relay_a, relay_b].map(|relay| std::string::ToString::to_string(&relay));
    assert_eq!(permit(&mut world, &mut alice, &[&b]), 0);
    assert_eq!(world.bind(&mut bob, 0x4000, &a), 0);
    let sent = world.send(&alice, &b, b"hello").unwrap();
    assert_eq!((sent.from, sent.to), (relay_a, relay_b));
    assert!(world.peer_sends(&a, relay_b, b"hello").is_ok());
    // What else listens at the address is out of reach, and cannot pass for a peer.
    let other = std::format!("{RELAY_V4}:3478");
    assert_eq!(world.bind(&mut alice, 0x4001, &other), 403);
    assert_eq!(world.send(&alice, &other, b"x"), Err(Rejection::Forbidden));
    assert_eq!(world.peer_sends(&other, relay_a, b"x"), Err(Rejection::NoPermission));
    // And when the other relay has gone, so is its port.
    let delete = floe_stun::attributes::Lifetime(0);
    world.request(&mut alice, Method::REFRESH, |message| message.attribute(&delete));
    assert_eq!(world.send_channel(&bob, 0x4000, b"x"), Err(Rejection::Forbidden));
}

#[test]
fn nothing_is_sent_to_port_zero() {
    let mut world = World::new();
    let (mut client, _) = world.allocated(AT);
    world.permit(&mut client, PEER);
    assert_eq!(world.send(&client, "192.0.2.9:0", b"x"), Err(Rejection::Forbidden));
    assert_eq!(world.bind(&mut client, 0x4000, "192.0.2.9:0"), 403);
}

#[test]
fn what_else_is_at_the_servers_addresses_is_a_peer_if_the_operator_says_so() {
    let reached = |change: fn(&mut crate::server::Config), peer: &str| {
        let mut world = World::with(change);
        let (mut client, relay) = world.allocated(AT);
        assert_eq!(permit(&mut world, &mut client, &[peer]), 0);
        (world.send(&client, peer, b"x").is_ok(), world.peer_sends(peer, relay, b"x").is_ok())
    };
    let own = std::format!("{RELAY_V4}:3478");
    assert_eq!(reached(|_| {}, &own), (false, false));
    assert_eq!(reached(|config| config.peers.allow_own = true, &own), (true, true));
    // A server for tests, all of which are on one machine.
    let on_loopback = |config: &mut crate::server::Config| {
        config.relay_ipv4 = Some(crate::server::RelayAddress::direct("127.0.0.1".parse().unwrap()));
        config.peers.allow_loopback = true;
    };
    assert_eq!(reached(on_loopback, "127.0.0.1:3480"), (true, true));
}
