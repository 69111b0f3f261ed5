//! RFC 8656 §8.2 and the life of an allocation.

use std::time::Duration;

use floe_stun::attributes::{
    AdditionalAddressFamily, AddressFamily, Lifetime, RequestedAddressFamily, XorPeerAddress,
};
use floe_stun::{AttributeType, Method, RawAttribute};

use super::client::{Client, for_udp};
use super::world::{RELAY_V6, World};
use crate::server::{EndReason, Event, Rejection, Traffic};

const AT: &str = "198.51.100.7:5000";
const PEER: &str = "192.0.2.9:7000";
const PEER_V6: &str = "[2001:db8::9]:7000";

#[test]
fn a_refresh_sets_the_time_anew_and_silence_ends_the_allocation() {
    let mut world = World::new();
    let (mut client, _) = world.allocated(AT);
    world.pass(Duration::from_secs(599));
    let answer = world.request(&mut client, Method::REFRESH, |message| message);
    assert_eq!((answer.code(), answer.lifetime()), (0, 600));
    world.pass(Duration::from_millis(599_999));
    assert_eq!(world.server.allocations(), 1);
    world.pass(Duration::from_millis(1));
    assert_eq!((world.server.allocations(), world.open.len()), (0, 0));
    assert_eq!(world.once(&client, Method::REFRESH, |message| message).code(), 437);
}

#[test]
fn lifetimes_are_granted_as_when_allocating() {
    let mut world = World::new();
    let (mut client, _) = world.allocated(AT);
    for (asked, expected) in [(1, 600), (601, 601), (u32::MAX, 3600)] {
        let answer =
            world.request(&mut client, Method::REFRESH, |message| message.attribute(&Lifetime(asked)));
        assert_eq!(answer.lifetime(), expected);
    }
    // From an hour back to ten minutes: the timer follows.
    world.request(&mut client, Method::REFRESH, |message| message);
    world.pass(Duration::from_secs(600));
    assert_eq!(world.server.allocations(), 0);
}

#[test]
fn lifetime_zero_deletes_and_says_so() {
    let mut world = World::new();
    let (mut client, relay) = world.allocated(AT);
    world.permit(&mut client, PEER);
    world.send(&client, PEER, b"hello").unwrap();
    world.peer_sends(PEER, relay, b"hi").unwrap();
    world.pass(Duration::from_secs(5));
    world.events();
    let delete = client.request(world.id(), Method::REFRESH, |message| message.attribute(&Lifetime(0)));
    let answer = world.ask(client.link, &delete);
    assert_eq!((answer.code(), answer.lifetime()), (0, 0));
    assert_eq!((world.server.allocations(), world.open.len()), (0, 0));
    let events = world.events();
    let [Event::AllocationEnded { reason, lived, to_peers, to_client, user, .. }] = &events[..] else {
        panic!("{events:?}")
    };
    assert_eq!((&**user, *reason, *lived), ("alice", EndReason::Deleted, Duration::from_secs(5)));
    assert_eq!(*to_peers, Traffic { packets: 1, bytes: 5 });
    assert_eq!(*to_client, Traffic { packets: 1, bytes: 2 });
    // A retransmission finds nothing, which the client takes for success.
    assert_eq!(world.ask(client.link, &delete).code(), 437);
    assert_eq!(world.send(&client, PEER, b"late"), Err(Rejection::AllocationMismatch));
    // The 5-tuple is free again.
    assert_eq!(world.once(&client, Method::ALLOCATE, for_udp).code(), 0);
}

#[test]
fn another_user_cannot_touch_an_allocation() {
    let mut world = World::new();
    let (mut client, _) = world.allocated(AT);
    let mut bob = Client { user: "bob", password: "bob's", ..client.clone() };
    let peer = XorPeerAddress(PEER.parse().unwrap());
    assert_eq!(
        world.request(&mut bob, Method::REFRESH, |message| message.attribute(&Lifetime(0))).code(),
        441
    );
    assert_eq!(
        world.request(&mut bob, Method::CREATE_PERMISSION, |message| message.attribute(&peer)).code(),
        441
    );
    assert_eq!(world.bind(&mut bob, 0x4000, PEER), 441);
    assert_eq!(world.send(&client, PEER, b"x"), Err(Rejection::NoPermission));
    assert_eq!(world.request(&mut client, Method::REFRESH, |message| message).code(), 0);
}

#[test]
fn without_an_allocation_requests_are_mismatched_and_data_ignored() {
    let mut world = World::new();
    let mut client = Client::at(AT);
    let peer = XorPeerAddress(PEER.parse().unwrap());
    assert_eq!(world.request(&mut client, Method::REFRESH, |message| message).code(), 437);
    assert_eq!(
        world.request(&mut client, Method::CREATE_PERMISSION, |message| message.attribute(&peer)).code(),
        437
    );
    assert_eq!(world.bind(&mut client, 0x4000, PEER), 437);
    assert_eq!(world.send(&client, PEER, b"x"), Err(Rejection::AllocationMismatch));
    assert_eq!(world.send_channel(&client, 0x4000, b"x"), Err(Rejection::AllocationMismatch));
}

#[test]
fn the_halves_of_a_dual_allocation_live_and_die_apart() {
    let mut world = World::new();
    let mut client = Client::at(AT);
    let dual = AdditionalAddressFamily(AddressFamily::Ipv6);
    let answer = world.request(&mut client, Method::ALLOCATE, |message| for_udp(message).attribute(&dual));
    let [v4, v6] = answer.relayed()[..] else { panic!("{answer:?}") };
    for (number, peer) in [(0x4000, PEER), (0x4001, PEER_V6)] {
        assert_eq!(world.bind(&mut client, number, peer), 0);
    }
    // Only IPv4 is refreshed; IPv6 expires.
    world.pass(Duration::from_secs(500));
    let family = RequestedAddressFamily(AddressFamily::Ipv4);
    assert_eq!(world.request(&mut client, Method::REFRESH, |message| message.attribute(&family)).code(), 0);
    assert_eq!(world.bind(&mut client, 0x4000, PEER), 0);
    world.pass(Duration::from_secs(100));
    assert!(world.open.contains_key(&v4) && !world.open.contains_key(&v6));
    let events = world.events();
    let [
        Event::AllocationBegun { allocation, .. },
        Event::AllocationRefreshed { allocation: refreshed, lifetime },
    ] = events[..]
    else {
        panic!("it has begun and was refreshed, and has not ended: {events:?}")
    };
    assert_eq!((refreshed, lifetime), (allocation, Duration::from_secs(600)));
    assert_eq!(world.send_channel(&client, 0x4000, b"x").unwrap().from, v4);
    assert_eq!(world.send_channel(&client, 0x4001, b"x"), Err(Rejection::UnboundChannel));
    // What is not there any more cannot be refreshed.
    let gone = RequestedAddressFamily(AddressFamily::Ipv6);
    assert_eq!(world.request(&mut client, Method::REFRESH, |message| message.attribute(&gone)).code(), 443);
    // Without a family all that is left is meant.
    let answer = world.request(&mut client, Method::REFRESH, |message| message.attribute(&Lifetime(0)));
    assert_eq!((answer.code(), world.open.len()), (0, 0));
}

#[test]
fn deleting_one_family_leaves_the_permissions_of_the_other() {
    let mut world = World::new();
    let mut client = Client::at(AT);
    let dual = AdditionalAddressFamily(AddressFamily::Ipv6);
    world.request(&mut client, Method::ALLOCATE, |message| for_udp(message).attribute(&dual));
    world.permit(&mut client, PEER);
    world.permit(&mut client, PEER_V6);
    let family = RequestedAddressFamily(AddressFamily::Ipv4);
    let answer = world
        .request(&mut client, Method::REFRESH, |message| message.attribute(&family).attribute(&Lifetime(0)));
    assert_eq!((answer.code(), answer.lifetime()), (0, 0));
    assert_eq!(world.send(&client, PEER, b"x"), Err(Rejection::NoPermission));
    assert_eq!(
        world.send(&client, PEER_V6, b"x").unwrap().from.ip(),
        RELAY_V6.parse::<std::net::IpAddr>().unwrap()
    );
}

#[test]
fn a_family_that_the_allocation_does_not_have_is_a_mismatch() {
    let mut world = World::new();
    let (mut client, _) = world.allocated(AT);
    let v6 = RequestedAddressFamily(AddressFamily::Ipv6);
    assert_eq!(world.request(&mut client, Method::REFRESH, |message| message.attribute(&v6)).code(), 443);
    let v4 = RequestedAddressFamily(AddressFamily::Ipv4);
    assert_eq!(world.request(&mut client, Method::REFRESH, |message| message.attribute(&v4)).code(), 0);
    for (value, code) in [(&[9, 0, 0, 0][..], 443), (&[1], 400)] {
        let raw = RawAttribute { kind: AttributeType::REQUESTED_ADDRESS_FAMILY, value };
        assert_eq!(
            world.request(&mut client, Method::REFRESH, |message| message.raw_attribute(raw)).code(),
            code
        );
    }
    let raw = RawAttribute { kind: AttributeType::LIFETIME, value: b"1" };
    assert_eq!(world.request(&mut client, Method::REFRESH, |message| message.raw_attribute(raw)).code(), 400);
}

#[test]
fn an_allocation_whose_timer_is_late_is_gone_all_the_same() {
    let mut world = World::new();
    let (mut client, relay) = world.allocated(AT);
    world.permit(&mut client, PEER);
    // The clock goes on; nobody calls handle_timeout.
    world.now += Duration::from_secs(600);
    assert_eq!(world.send(&client, PEER, b"x"), Err(Rejection::AllocationMismatch));
    assert_eq!(world.peer_sends(PEER, relay, b"x"), Err(Rejection::AllocationMismatch));
    assert_eq!(world.once(&client, Method::ALLOCATE, for_udp).code(), 0);
    assert_eq!((world.server.allocations(), world.open.len()), (1, 1));
}
