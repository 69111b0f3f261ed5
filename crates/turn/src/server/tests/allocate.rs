//! RFC 8656 §7.2, in the order of its checks.

use std::net::SocketAddr;
use std::string::ToString;
use std::time::Duration;
use std::vec::Vec;

use floe_stun::attributes::{
    AdditionalAddressFamily, AddressErrorCode, AddressFamily, AlternateServer, DontFragment, ErrorCode,
    EvenPort, Lifetime, MobilityTicket, RequestedAddressFamily, RequestedTransport, ReservationToken,
    Software, UnknownAttributes, XorMappedAddress,
};
use floe_stun::{AttributeType, MessageBuilder, Method, RawAttribute};

use super::client::{Client, Response, for_udp};
use super::world::{RELAY_V4, RELAY_V6, World};
use crate::server::{Event, Link, RelayAddress, SocketId};

const AT: &str = "198.51.100.7:5000";
const V4: AddressFamily = AddressFamily::Ipv4;
const V6: AddressFamily = AddressFamily::Ipv6;

/// What a client at its own address is told.
fn allocate(
    world: &mut World,
    attributes: impl for<'b> FnOnce(MessageBuilder<'b>) -> MessageBuilder<'b>,
) -> Response {
    let id = world.id();
    let port = 5000 + u16::from(id.as_bytes()[11]);
    let mut client = Client::on(Link::datagram(SocketId(1), SocketAddr::from(([198, 51, 100, 7], port))));
    world.request(&mut client, Method::ALLOCATE, attributes)
}

#[test]
fn a_success_response_says_where_the_relay_is_for_how_long_and_who_asked() {
    let mut world = World::new();
    let answer = allocate(&mut world, for_udp);
    let relayed = answer.relayed();
    assert_eq!(relayed.len(), 1);
    assert_eq!(relayed[0].ip().to_string(), RELAY_V4);
    assert!(relayed[0].port() >= 49_152);
    assert_eq!(answer.lifetime(), 600);
    assert!(
        answer.get::<XorMappedAddress>().is_some_and(|mapped| mapped.0.ip().to_string() == "198.51.100.7")
    );
    assert_eq!(answer.get::<ReservationToken>(), None);
    assert_eq!(answer.get::<MobilityTicket<'_>>(), None);
    assert_eq!(answer.message().attributes().count(), 4, "three and the integrity");
    assert_eq!(world.open.keys().copied().collect::<Vec<_>>(), relayed);
    let events = world.events();
    let [Event::AllocationBegun { user, relays, lifetime, .. }] = &events[..] else { panic!("{events:?}") };
    assert_eq!((&**user, relays[0], relays[1]), ("alice", Some(relayed[0]), None));
    assert_eq!(*lifetime, Duration::from_secs(600));
}

#[test]
fn a_retransmission_gets_the_same_answer_and_no_second_allocation() {
    let mut world = World::new();
    let mut client = Client::at(AT);
    world.greet(&mut client);
    let request = client.request(world.id(), Method::ALLOCATE, |message| {
        for_udp(message).attribute(&EvenPort { reserve_next: true }).attribute(&MobilityTicket(&[]))
    });
    let first = world.ask(client.link, &request);
    assert_eq!(first.code(), 0);
    assert_eq!(world.ask(client.link, &request), first);
    assert_eq!((world.server.allocations(), world.open.len()), (1, 2));
    world.pass(Duration::from_secs(10));
    let later = world.ask(client.link, &request);
    assert_eq!((later.relayed(), later.lifetime()), (first.relayed(), 590));
    assert_eq!(later.get::<ReservationToken>(), first.get::<ReservationToken>());
    // Another request on the same 5-tuple is a mismatch, and so is the same id from somebody else.
    assert_eq!(world.once(&client, Method::ALLOCATE, for_udp).code(), 437);
    let bob = Client { user: "bob", password: "bob's", ..client.clone() };
    let same_id =
        bob.request(floe_stun::Message::parse(&request).unwrap().transaction_id(), Method::ALLOCATE, for_udp);
    assert_eq!(world.ask(bob.link, &same_id).code(), 437);
    assert_eq!(world.server.allocations(), 1);
}

#[test]
fn one_address_on_two_sockets_and_carriers_is_three_clients() {
    let mut world = World::new();
    let address = AT.parse().unwrap();
    let links = [
        Link::datagram(SocketId(1), address),
        Link::datagram(SocketId(2), address),
        Link::stream(SocketId(3), address),
    ];
    let relays: Vec<_> = links.into_iter().map(|link| world.allocated_on(Client::on(link)).1).collect();
    assert_eq!(world.server.allocations(), 3);
    assert!(relays[0] != relays[1] && relays[1] != relays[2] && relays[0] != relays[2]);
}

#[test]
fn requested_transport_must_be_there_and_be_udp() {
    let mut world = World::new();
    assert_eq!(allocate(&mut world, |message| message).code(), 400);
    let malformed = RawAttribute { kind: AttributeType::REQUESTED_TRANSPORT, value: &[17] };
    assert_eq!(allocate(&mut world, |message| message.raw_attribute(malformed)).code(), 400);
    assert_eq!(allocate(&mut world, |message| message.attribute(&RequestedTransport::TCP)).code(), 442);
    assert_eq!(world.server.allocations(), 0);
}

#[test]
fn dont_fragment_is_unknown_to_a_server_that_cannot() {
    let answer = allocate(&mut World::new(), |message| for_udp(message).attribute(&DontFragment));
    assert_eq!(answer.code(), 420);
    assert_eq!(answer.get(), Some(UnknownAttributes::new(&[AttributeType::DONT_FRAGMENT])));
    let mut able = World::with(|config| config.can_set_dont_fragment = true);
    assert_eq!(allocate(&mut able, |message| for_udp(message).attribute(&DontFragment)).code(), 0);
}

#[test]
fn the_family_that_is_asked_for_is_allocated_and_ipv4_otherwise() {
    let mut world = World::new();
    let v6 = allocate(&mut world, |message| for_udp(message).attribute(&RequestedAddressFamily(V6)));
    assert_eq!(v6.relayed()[0].ip().to_string(), RELAY_V6);
    let v4 = allocate(&mut world, |message| for_udp(message).attribute(&RequestedAddressFamily(V4)));
    assert_eq!(v4.relayed()[0].ip().to_string(), RELAY_V4);
    let strange = RawAttribute { kind: AttributeType::REQUESTED_ADDRESS_FAMILY, value: &[3, 0, 0, 0] };
    assert_eq!(allocate(&mut world, |message| for_udp(message).raw_attribute(strange)).code(), 440);
    let mut only_v6 = World::with(|config| config.relay_ipv4 = None);
    assert_eq!(allocate(&mut only_v6, for_udp).code(), 440, "IPv4 is what is meant when nothing is said");
    let mut only_v4 = World::with(|config| config.relay_ipv6 = None);
    let refused = allocate(&mut only_v4, |message| for_udp(message).attribute(&RequestedAddressFamily(V6)));
    assert_eq!(refused.code(), 440);
}

#[test]
fn a_dual_allocation_has_two_relays_or_says_why_not() {
    let ask = |world: &mut World| {
        allocate(world, |message| for_udp(message).attribute(&AdditionalAddressFamily(V6)))
    };
    let answer = ask(&mut World::new());
    let ips: Vec<_> = answer.relayed().iter().map(|address| address.ip().to_string()).collect();
    assert_eq!(ips, [RELAY_V4, RELAY_V6]);
    assert_eq!(answer.get::<AddressErrorCode<'_>>(), None);

    let answer = ask(&mut World::with(|config| config.relay_ipv6 = None));
    assert_eq!((answer.code(), answer.relayed().len()), (0, 1));
    let why = AddressErrorCode::new(V6, ErrorCode::ADDRESS_FAMILY_NOT_SUPPORTED);
    assert_eq!(answer.get(), Some(why));
    let answer = ask(&mut World::with(|config| config.relay_ipv4 = None));
    assert_eq!(answer.relayed()[0].ip().to_string(), RELAY_V6);
    assert_eq!(answer.get::<AddressErrorCode<'_>>().map(|why| why.family()), Some(V4));

    // One port, taken for IPv6 by another allocation.
    let mut world = World::with(|config| config.relay_ports = 50_000..=50_000);
    allocate(&mut world, |message| for_udp(message).attribute(&RequestedAddressFamily(V6)));
    let answer = ask(&mut world);
    assert_eq!(answer.relayed()[0].ip().to_string(), RELAY_V4);
    assert_eq!(answer.get(), Some(AddressErrorCode::new(V6, ErrorCode::INSUFFICIENT_CAPACITY)));
    assert_eq!(ask(&mut world).code(), 508, "and now there is none at all");
}

#[test]
fn attributes_that_do_not_go_together_are_a_bad_request() {
    let mut world = World::new();
    let token = ReservationToken([1; 8]);
    let (even, pair) = (EvenPort { reserve_next: false }, EvenPort { reserve_next: true });
    let (family, dual) = (RequestedAddressFamily(V4), AdditionalAddressFamily(V6));
    let answers = [
        allocate(&mut world, |message| for_udp(message).attribute(&token).attribute(&even)),
        allocate(&mut world, |message| for_udp(message).attribute(&token).attribute(&family)),
        allocate(&mut world, |message| for_udp(message).attribute(&token).attribute(&dual)),
        allocate(&mut world, |message| for_udp(message).attribute(&family).attribute(&dual)),
        allocate(&mut world, |message| for_udp(message).attribute(&pair).attribute(&dual)),
        allocate(&mut world, |message| for_udp(message).attribute(&AdditionalAddressFamily(V4))),
        allocate(&mut world, |message| for_udp(message).attribute(&MobilityTicket(b"ticket"))),
    ];
    assert!(answers.iter().all(|answer| answer.code() == 400), "{answers:?}");
    let malformed = [
        (AttributeType::RESERVATION_TOKEN, &b"short"[..]),
        (AttributeType::EVEN_PORT, b"long"),
        (AttributeType::LIFETIME, b"1"),
        (AttributeType::ADDITIONAL_ADDRESS_FAMILY, &[9, 0, 0, 0]),
        (AttributeType::REQUESTED_ADDRESS_FAMILY, &[1]),
    ];
    for (kind, value) in malformed {
        let raw = RawAttribute { kind, value };
        assert_eq!(allocate(&mut world, |message| for_udp(message).raw_attribute(raw)).code(), 400, "{kind}");
    }
    assert_eq!((world.server.allocations(), world.open.len()), (0, 0));
}

#[test]
fn even_ports_and_the_next_one_in_reserve() {
    let mut world = World::new();
    for _ in 0..10 {
        let answer =
            allocate(&mut world, |message| for_udp(message).attribute(&EvenPort { reserve_next: false }));
        assert!(answer.relayed()[0].port().is_multiple_of(2));
        assert_eq!(answer.get::<ReservationToken>(), None);
    }
    let first = allocate(&mut world, |message| for_udp(message).attribute(&EvenPort { reserve_next: true }));
    let token = first.get::<ReservationToken>().unwrap();
    world.pass(Duration::from_secs(29));
    let second = allocate(&mut world, |message| for_udp(message).attribute(&token));
    assert_eq!(second.code(), 0);
    assert_eq!(second.relayed()[0].port(), first.relayed()[0].port() + 1);
    assert_eq!(
        allocate(&mut world, |message| for_udp(message).attribute(&token)).code(),
        508,
        "it was claimed"
    );
    world.pass(Duration::from_secs(3));
    assert!(
        world.open.contains_key(&second.relayed()[0]),
        "the end of the reservation is not that of the relay"
    );
}

#[test]
fn a_reservation_ends_after_its_time_and_is_its_users() {
    let mut world = World::new();
    let first = allocate(&mut world, |message| for_udp(message).attribute(&EvenPort { reserve_next: true }));
    let token = first.get::<ReservationToken>().unwrap();
    let mut bob = Client { user: "bob", password: "bob's", ..Client::at("198.51.100.9:1") };
    let theft = world.request(&mut bob, Method::ALLOCATE, |message| for_udp(message).attribute(&token));
    assert_eq!((theft.code(), world.open.len()), (508, 2));
    world.pass(Duration::from_secs(30));
    assert_eq!(world.open.len(), 1, "the reserved socket is closed");
    assert_eq!(allocate(&mut world, |message| for_udp(message).attribute(&token)).code(), 508);
    let unknown = ReservationToken([7; 8]);
    assert_eq!(allocate(&mut world, |message| for_udp(message).attribute(&unknown)).code(), 508);
}

#[test]
fn lifetimes_are_at_least_the_default_and_at_most_the_maximum() {
    let mut world = World::new();
    let granted = [(0, 600), (1, 600), (600, 600), (601, 601), (3600, 3600), (3601, 3600), (u32::MAX, 3600)];
    for (asked, expected) in granted {
        let answer = allocate(&mut world, |message| for_udp(message).attribute(&Lifetime(asked)));
        assert_eq!(answer.lifetime(), expected, "asked for {asked}");
    }
    for (most, expected) in [(0, 600), (900, 900), (99_999, 3600)] {
        let mut world = World::with(|config| config.max_lifetime = Duration::from_secs(most));
        let answer = allocate(&mut world, |message| for_udp(message).attribute(&Lifetime(u32::MAX)));
        assert_eq!(answer.lifetime(), expected, "at most {most}");
    }
}

#[test]
fn a_user_has_a_quota_in_which_reserved_ports_count() {
    let mut world = World::with(|config| config.limits.allocations_per_user = 3);
    let pair = EvenPort { reserve_next: true };
    let first = allocate(&mut world, |message| for_udp(message).attribute(&pair));
    assert_eq!(first.code(), 0);
    assert_eq!(allocate(&mut world, |message| for_udp(message).attribute(&pair)).code(), 486);
    assert_eq!(allocate(&mut world, for_udp).code(), 0);
    assert_eq!(allocate(&mut world, for_udp).code(), 486);
    // What is reserved is counted already.
    let token = first.get::<ReservationToken>().unwrap();
    assert_eq!(allocate(&mut world, |message| for_udp(message).attribute(&token)).code(), 0);
    // The quota is the user's, whatever the address; another user has another.
    let mut elsewhere = Client::at("192.0.2.99:1");
    assert_eq!(world.request(&mut elsewhere, Method::ALLOCATE, for_udp).code(), 486);
    let mut bob = Client { user: "bob", password: "bob's", ..Client::at("198.51.100.9:1") };
    assert_eq!(world.request(&mut bob, Method::ALLOCATE, for_udp).code(), 0);
    world.pass(Duration::from_secs(600));
    assert_eq!((world.server.allocations(), world.open.len()), (0, 0));
    assert_eq!(allocate(&mut world, for_udp).code(), 0, "and it comes back");
}

#[test]
fn a_full_or_draining_server_says_so_or_names_another_of_the_clients_family() {
    let full = |alternates: &[&str]| {
        let mut world = World::with(|config| {
            config.limits.allocations = 1;
            config.alternates = alternates.iter().map(|address| address.parse().unwrap()).collect();
        });
        assert_eq!(allocate(&mut world, for_udp).code(), 0);
        allocate(&mut world, for_udp)
    };
    assert_eq!(full(&[]).code(), 508);
    assert_eq!(full(&["[2001:db8::9]:3478"]).code(), 508);
    let answer = full(&["[2001:db8::9]:3478", "203.0.113.77:3478"]);
    assert_eq!(answer.code(), 300);
    assert_eq!(answer.get(), Some(AlternateServer("203.0.113.77:3478".parse().unwrap())));

    let mut world = World::new();
    let (mut client, _) = world.allocated(AT);
    world.server.drain();
    assert_eq!(allocate(&mut world, for_udp).code(), 508);
    assert_eq!(world.request(&mut client, Method::REFRESH, |message| message).code(), 0);
    assert!(!world.server.is_drained());
    world.pass(Duration::from_secs(600));
    assert!(world.server.is_drained());
}

#[test]
fn mobility_that_is_switched_off_is_forbidden() {
    let mut world = World::with(|config| config.mobility = false);
    assert_eq!(allocate(&mut world, |message| for_udp(message).attribute(&MobilityTicket(&[]))).code(), 405);
}

#[test]
fn tunnelled_clients_are_not_served() {
    let mut world = World::new();
    for address in ["[2002:c000:201::1]:5000", "[2001:0:1::1]:5000"] {
        let mut client = Client::at(address);
        assert_eq!(world.request(&mut client, Method::ALLOCATE, for_udp).code(), 403, "{address}");
    }
}

#[test]
fn software_is_named_when_it_is_configured() {
    let mut world = World::with(|config| config.software = Some("floe".into()));
    let answer = allocate(&mut world, for_udp);
    assert_eq!(answer.get(), Some(Software::new("floe")));
    let (mut client, _) = world.allocated(AT);
    let refreshed = world.request(&mut client, Method::REFRESH, |message| message);
    assert_eq!(refreshed.get(), Some(Software::new("floe")));
    let permitted = world.request(&mut client, Method::CREATE_PERMISSION, |message| message);
    assert_eq!(permitted.get::<Software<'_>>(), None);
}

#[test]
fn clients_and_peers_are_told_the_public_address_of_a_relay() {
    let mut world = World::with(|config| {
        let (bind, public) = ("10.0.0.5".parse().unwrap(), "203.0.113.80".parse().unwrap());
        config.relay_ipv4 = Some(RelayAddress { bind, public });
    });
    let answer = allocate(&mut world, for_udp);
    assert_eq!(answer.relayed()[0].ip().to_string(), "203.0.113.80");
    assert!(world.open.keys().all(|bound| bound.ip().to_string() == "10.0.0.5"));
}
