//! The driver's part: relay sockets, connections, the end.

use std::collections::BTreeSet;
use std::time::Duration;
use std::vec::Vec;

use floe_stun::Method;
use floe_stun::attributes::EvenPort;

use super::client::{Client, for_udp};
use super::world::World;
use crate::server::{
    Command, Config, ConfigError, EndReason, Event, Link, MAX_TRANSMIT, Received, Rejection, RelayAddress,
    Server, SharedSecret, SocketId,
};

const AT: &str = "198.51.100.7:5000";
const PEER: &str = "192.0.2.9:7000";

#[test]
fn a_port_that_cannot_be_opened_is_not_tried_twice_and_others_are() {
    let mut world = World::with(|config| config.relay_ports = 50_000..=50_003);
    world.busy = [50_000, 50_001, 50_003].to_vec();
    let (_, relay) = world.allocated(AT);
    assert_eq!(relay.port(), 50_002);
    world.busy.clear();
    let ports: BTreeSet<_> =
        (1..=3).map(|n| world.allocated(&std::format!("198.51.100.9:{n}")).1.port()).collect();
    assert_eq!(ports, BTreeSet::from([50_000, 50_001, 50_003]), "a busy port is tried again for others");
}

#[test]
fn after_some_tries_the_client_is_told_that_there_is_no_room() {
    let mut world = World::new();
    world.busy = (0..=u16::MAX).collect();
    let mut client = Client::at(AT);
    assert_eq!(world.request(&mut client, Method::ALLOCATE, for_udp).code(), 508);
    assert_eq!(world.server.stats().relays_failed, 8);
    assert_eq!(world.server.allocations(), 0);
    let events = world.events();
    assert!(
        matches!(&events[..], [Event::AllocationRefused { user: Some(user), reason: Rejection::NoCapacity, .. }] if &**user == "alice"),
        "{events:?}"
    );
    world.busy.clear();
    assert_eq!(world.request(&mut client, Method::ALLOCATE, for_udp).code(), 0);
}

#[test]
fn of_a_pair_both_are_opened_or_none() {
    let mut world = World::with(|config| config.relay_ports = 50_000..=50_003);
    world.busy = [50_001].to_vec();
    let mut client = Client::at(AT);
    let pair = EvenPort { reserve_next: true };
    let answer = world.request(&mut client, Method::ALLOCATE, |message| for_udp(message).attribute(&pair));
    assert_eq!(answer.relayed()[0].port(), 50_002);
    assert_eq!(world.open.keys().map(std::net::SocketAddr::port).collect::<Vec<_>>(), [50_002, 50_003]);
    let mut other = Client::at("198.51.100.8:5000");
    let answer = world.request(&mut other, Method::ALLOCATE, |message| for_udp(message).attribute(&pair));
    assert_eq!((answer.code(), world.open.len()), (508, 2));
}

#[test]
fn while_the_driver_opens_the_relay_the_client_waits_and_may_ask_again() {
    let mut world = World::new();
    world.driving = false;
    let mut client = Client::at(AT);
    world.greet(&mut client);
    let request = client.request(world.id(), Method::ALLOCATE, for_udp);
    for _ in 0..3 {
        assert_eq!(world.hand_in(client.link, &request), (Received::Handled, None));
    }
    assert_eq!(world.waiting.len(), 1);
    assert_eq!(world.once(&client, Method::REFRESH, |message| message).code(), 437, "there is nothing yet");
    assert_eq!(world.once(&client, Method::ALLOCATE, for_udp).code(), 437);
    let Command::OpenRelay { relay, address } = world.waiting[0] else { panic!("{:?}", world.waiting) };
    world.open.insert(address, relay);
    world.server.relay_opened(relay, world.now);
    let sent = world.sent();
    assert_eq!((sent.len(), sent[0].1.code(), sent[0].1.relayed()), (1, 0, [address].to_vec()));
}

#[test]
fn a_driver_that_does_not_answer_costs_one_allocation_and_may_answer_late() {
    let mut world = World::new();
    world.driving = false;
    let mut client = Client::at(AT);
    world.greet(&mut client);
    let request = client.request(world.id(), Method::ALLOCATE, for_udp);
    assert_eq!(world.hand_in(client.link, &request), (Received::Handled, None));
    world.pass(Duration::from_secs(10));
    let sent = world.sent();
    assert_eq!((sent.len(), sent[0].1.code(), world.server.allocations()), (1, 508, 0));
    let Command::OpenRelay { relay, .. } = world.waiting[0] else { panic!("{:?}", world.waiting) };
    world.server.relay_opened(relay, world.now);
    assert_eq!(world.server.poll_command(), Some(Command::CloseRelay { relay }));
    world.server.relay_failed(relay, world.now);
    assert_eq!(world.server.poll_command(), None);
}

#[test]
fn a_relay_that_is_lost_takes_its_allocation_along() {
    let mut world = World::new();
    let (client, relay) = world.allocated(AT);
    let lost = world.open.remove(&relay).unwrap();
    world.events();
    world.server.relay_failed(lost, world.now);
    let events = world.events();
    assert!(
        matches!(events[..], [Event::AllocationEnded { reason: EndReason::RelayLost, .. }]),
        "{events:?}"
    );
    assert_eq!(world.once(&client, Method::REFRESH, |message| message).code(), 437);
    // A port in reserve is lost without anybody noticing.
    let mut other = Client::at("198.51.100.8:5000");
    let pair = EvenPort { reserve_next: true };
    let answer = world.request(&mut other, Method::ALLOCATE, |message| for_udp(message).attribute(&pair));
    let mut next = answer.relayed()[0];
    next.set_port(next.port() + 1);
    let lost = world.open.remove(&next).unwrap();
    world.server.relay_failed(lost, world.now);
    let token = answer.get::<floe_stun::attributes::ReservationToken>().unwrap();
    let mut third = Client::at("198.51.100.9:5000");
    assert_eq!(
        world.request(&mut third, Method::ALLOCATE, |message| for_udp(message).attribute(&token)).code(),
        508
    );
    assert_eq!(world.server.allocations(), 1);
}

#[test]
fn a_closed_connection_ends_its_allocation_and_no_other() {
    let mut world = World::new();
    let link = Link::stream(SocketId(7), AT.parse().unwrap());
    world.allocated_on(Client::on(link));
    world.allocated(AT);
    world.events();
    world.server.disconnected(link, world.now);
    world.server.disconnected(link, world.now);
    world.drive();
    let events = world.events();
    assert!(
        matches!(events[..], [Event::AllocationEnded { reason: EndReason::Disconnected, .. }]),
        "{events:?}"
    );
    assert_eq!((world.server.allocations(), world.open.len()), (1, 1));
    // One whose relay is being opened ends as well.
    world.driving = false;
    let mut client = Client::on(Link::stream(SocketId(8), AT.parse().unwrap()));
    world.greet(&mut client);
    let request = client.request(world.id(), Method::ALLOCATE, for_udp);
    assert_eq!(world.hand_in(client.link, &request).1, None);
    world.server.disconnected(client.link, world.now);
    assert_eq!(world.server.allocations(), 1);
}

#[test]
fn closing_ends_everything_at_once() {
    let mut world = World::new();
    let (mut client, _) = world.allocated(AT);
    world.permit(&mut client, PEER);
    let mut other = Client::at("198.51.100.8:5000");
    let pair = EvenPort { reserve_next: true };
    world.request(&mut other, Method::ALLOCATE, |message| for_udp(message).attribute(&pair));
    world.events();
    assert_eq!(world.open.len(), 3);
    world.server.close(world.now);
    world.drive();
    assert_eq!((world.open.len(), world.server.allocations(), world.server.poll_timeout()), (0, 0, None));
    let ended = world.events();
    assert_eq!(ended.len(), 2);
    assert!(
        ended.iter().all(|event| matches!(event, Event::AllocationEnded { reason: EndReason::Closed, .. }))
    );
    assert_eq!(world.send(&client, PEER, b"x"), Err(Rejection::Closed));
    let request = client.request(world.id(), Method::ALLOCATE, for_udp);
    assert_eq!(world.hand_in(client.link, &request), (Received::Rejected(Rejection::Closed), None));
}

#[test]
fn a_packet_waits_for_a_buffer_that_holds_it() {
    let mut world = World::new();
    let request = super::client::plain(floe_stun::Class::Request, Method::ALLOCATE, for_udp);
    let _ = world.server.handle_datagram(Client::at(AT).link, &request, world.now);
    assert_eq!(world.server.poll_transmit(&mut [0; 20]), None);
    assert!(world.server.poll_transmit(&mut [0; MAX_TRANSMIT]).is_some());
    assert_eq!(world.server.poll_transmit(&mut [0; MAX_TRANSMIT]), None);
}

#[test]
fn a_configuration_that_cannot_work_is_refused() {
    let check = |change: fn(&mut Config)| {
        let mut config = World::config();
        change(&mut config);
        Server::new(config).err()
    };
    assert_eq!(check(|_| {}), None);
    assert_eq!(check(|c| (c.relay_ipv4, c.relay_ipv6) = (None, None)), Some(ConfigError::NoRelay));
    assert_eq!(check(|c| c.relay_ipv4 = c.relay_ipv6), Some(ConfigError::RelayFamily));
    let mixed = |c: &mut Config| {
        let (bind, public) = ("10.0.0.1".parse().unwrap(), "2001:db8::1".parse().unwrap());
        c.relay_ipv4 = Some(RelayAddress { bind, public });
    };
    assert_eq!(check(mixed), Some(ConfigError::RelayFamily));
    assert_eq!(check(|c| c.relay_ports = 0..=0), Some(ConfigError::NoPorts));
    #[expect(clippy::reversed_empty_ranges, reason = "an empty range is what is tested")]
    let empty = check(|c| c.relay_ports = 9..=8);
    assert_eq!(empty, Some(ConfigError::NoPorts));
    let hidden = |c: &mut Config| {
        c.hide_usernames = true;
        c.credentials.add_secret(SharedSecret::new(b"s"));
    };
    assert_eq!(check(hidden), Some(ConfigError::HiddenTimeLimitedNames));
    let long = check(|c| c.software = Some("s".repeat(65))).unwrap();
    assert!(std::string::ToString::to_string(&long).contains("64"));
    let printed = std::format!("{:?}", Server::new(World::config()).unwrap());
    assert!(!printed.contains("alice"), "{printed}");
}

#[test]
fn a_port_that_another_program_has_is_not_taken_for_a_relay() {
    let mut world = World::with(|config| config.relay_ports = 50_000..=50_001);
    let (mut client, relay) = world.allocated(AT);
    // The other port cannot be opened; while that is found out, it is still not one of ours.
    let other = relay.port() ^ 1;
    world.driving = false;
    let mut second = Client::at("198.51.100.8:5000");
    world.greet(&mut second);
    let request = second.request(world.id(), Method::ALLOCATE, for_udp);
    assert_eq!(world.hand_in(second.link, &request).1, None);
    let Command::OpenRelay { address, .. } = world.waiting[0] else { panic!("{:?}", world.waiting) };
    assert_eq!(address.port(), other);
    let peer = std::string::ToString::to_string(&address);
    world.permit(&mut client, &peer);
    assert_eq!(world.send(&client, &peer, b"x"), Err(Rejection::Forbidden));
    assert_eq!(world.bind(&mut client, 0x4000, &peer), 403);
}

#[test]
fn reserved_ports_count_before_they_are_open() {
    let mut world = World::with(|config| config.limits.allocations_per_user = 4);
    world.driving = false;
    let pair = EvenPort { reserve_next: true };
    let mut asked = |n: u8| {
        let mut client = Client::at(&std::format!("198.51.100.{n}:1"));
        world.greet(&mut client);
        let request =
            client.request(world.id(), Method::ALLOCATE, |message| for_udp(message).attribute(&pair));
        world.hand_in(client.link, &request).1.map(|answer| answer.code())
    };
    assert_eq!((asked(1), asked(2), asked(3)), (None, None, Some(486)));
    world.pass(Duration::from_secs(10));
    let codes: Vec<_> = world.sent().into_iter().map(|(_, answer)| answer.code()).collect();
    assert_eq!(codes, [508, 508]);
    assert_eq!(super::hostile::digest(&world), [0; 7], "nothing is held");
}

#[test]
fn a_driver_that_fetches_nothing_is_not_asked_for_ever_more() {
    let mut world = World::with(|config| {
        config.limits.allocations_per_user = u32::MAX;
        config.limits.allocations = u32::MAX;
        config.limits.transmits = 1;
    });
    let mut client = Client::at(AT);
    world.greet(&mut client);
    // One client, whose connection breaks again and again; the driver fetches no command.
    for _ in 0..5_000 {
        let request = client.request(world.id(), Method::ALLOCATE, for_udp);
        let _ = world.server.handle_datagram(client.link, &request, world.now);
        world.server.disconnected(client.link, world.now);
    }
    let waiting = std::iter::from_fn(|| world.server.poll_command()).count();
    assert!(waiting <= 4096, "{waiting}");
    assert_eq!(world.server.allocations(), 0);
}
