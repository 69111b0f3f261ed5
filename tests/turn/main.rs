//! The TURN client and the TURN server of floe, and peers behind them.

#![forbid(unsafe_code)]

mod world;

use std::time::Duration;

use floe_stun::attributes::AddressFamily;
use floe_turn::Carrier;
use floe_turn::client::{ClientError, Config, Event, Failure, PortRequest, Relayed};
use world::{PASSWORD, USER, World, addr, client_config, server_config};

const PEER: &str = "203.0.113.77:4000";
const PEER_6: &str = "[2001:db8:7::7]:4000";

/// A world with a client that has an allocation.
fn allocated(config: Config) -> World {
    let mut world = World::new(server_config(), config);
    world.allocate();
    let Some(Event::Allocated(_)) = world.events.first() else { panic!("{:?}", world.events) };
    world.events.clear();
    world
}

fn with_carrier(carrier: Carrier) -> Config {
    Config { carrier, ..client_config() }
}

#[test]
fn data_go_through_the_relay_and_back_in_datagrams_and_on_streams() {
    for carrier in [Carrier::Datagram, Carrier::Stream] {
        let mut world = allocated(with_carrier(carrier));
        let peer = addr(PEER);
        let now = world.now;
        world.client.permit(peer.ip(), now).unwrap();
        world.settle();
        for len in [0, 1, 2, 3, 4, 1200] {
            assert!(world.echo(peer, &vec![7; len]), "{len} bytes by Send and Data indications");
        }
        world.client.bind(peer, now).unwrap();
        world.settle();
        let path = world.client.relay_path(peer).unwrap();
        assert!(path.channel_number().is_some());
        for len in [0, 1, 2, 3, 4, 1200] {
            assert!(world.echo(peer, &vec![9; len]), "{len} bytes in a channel");
        }
        assert!(!world.hears_from(addr("203.0.113.78:4000")), "nobody permitted this one");
    }
}

#[test]
fn an_allocation_with_both_families_reaches_peers_of_both() {
    let relayed = Relayed::Both { even_port: true };
    let mut world = allocated(Config { relayed, ..client_config() });
    let allocated = world.client.allocation().unwrap().clone();
    let addresses: Vec<_> = allocated.addresses().collect();
    assert_eq!(addresses.len(), 2);
    assert!(addresses.iter().all(|address| address.port().is_multiple_of(2)));
    for peer in [PEER, PEER_6] {
        world.client.bind(addr(peer), world.now).unwrap();
        world.settle();
        assert!(world.echo(addr(peer), b"hello"), "{peer}");
    }
}

#[test]
fn a_server_without_ipv6_gives_what_it_has_and_says_so() {
    let mut config = server_config();
    config.relay_ipv6 = None;
    let relayed = Relayed::Both { even_port: false };
    let mut world = World::new(config.clone(), Config { relayed, ..client_config() });
    world.allocate();
    let Some(Event::Allocated(allocated)) = world.events.first() else { panic!("no allocation") };
    assert_eq!(allocated.missing, Some((AddressFamily::Ipv6, Failure::FamilyNotSupported)));

    let relayed = Relayed::One { family: Some(AddressFamily::Ipv6), port: PortRequest::Any };
    let mut world = World::new(config, Config { relayed, ..client_config() });
    world.allocate();
    let reason = Failure::FamilyNotSupported;
    assert_eq!(world.events, [Event::Failed { reason, retry_at: None }]);
}

#[test]
fn the_next_port_is_reserved_and_can_be_had() {
    let relayed = Relayed::One { family: None, port: PortRequest::EvenAndNext };
    let mut world = allocated(Config { relayed, ..client_config() });
    let first = world.client.allocation().unwrap().clone();
    let token = first.reservation.expect("a port is reserved");
    // The second client has another port.
    let relayed = Relayed::Reserved(token);
    world.replace_client(Config { relayed, seed: [5; 32], ..client_config() });
    world.allocate();
    let second = world.client.allocation().unwrap();
    assert_eq!(second.relayed.port(), first.relayed.port() + 1);
}

#[test]
fn an_allocation_comes_along_and_its_channels_with_it() {
    for carrier in [Carrier::Datagram, Carrier::Stream] {
        let mut world = allocated(Config { mobility: true, ..with_carrier(carrier) });
        let relayed = world.client.allocation().unwrap().relayed;
        world.client.bind(addr(PEER), world.now).unwrap();
        world.settle();
        for port in [50_001, 50_002, 50_003] {
            world.events.clear();
            world.home.set_port(port);
            world.client.moved(world.now);
            world.settle();
            assert_eq!(world.events, [Event::Moved]);
            assert!(world.client.relay_path(addr(PEER)).unwrap().channel_number().is_some());
            assert!(world.echo(addr(PEER), b"hello from elsewhere"));
            assert_eq!(world.client.allocation().unwrap().relayed, relayed);
        }
        assert_eq!(world.server.allocations(), 1);
    }
}

#[test]
fn what_is_used_lasts_for_hours_through_stale_nonces() {
    for carrier in [Carrier::Datagram, Carrier::Stream] {
        let mut world = allocated(with_carrier(carrier));
        world.client.bind(addr(PEER), world.now).unwrap();
        world.settle();
        world.events.clear();
        for half_minute in 0..10 * 120 {
            world.sleep_for(Duration::from_secs(30));
            assert!(world.echo(addr(PEER), b"still there"), "after {half_minute} half minutes");
            assert!(world.client.relay_path(addr(PEER)).unwrap().channel_number().is_some());
        }
        assert!(world.events.is_empty(), "{:?}", world.events);
    }
}

#[test]
fn after_a_restart_of_the_server_the_allocation_is_lost_and_made_anew() {
    let mut world = allocated(client_config());
    world.restart_server();
    world.sleep_for(Duration::from_secs(539));
    assert!(world.events.is_empty());
    world.sleep_for(Duration::from_secs(1));
    let (reason, retry_at) = (Failure::AllocationMismatch, Some(world.now));
    assert_eq!(world.events, [Event::Lost { reason, retry_at }]);
    world.events.clear();
    world.allocate();
    assert!(matches!(world.events[..], [Event::Allocated(_)]));
}

#[test]
fn a_full_server_says_where_else_to_go() {
    let mut config = server_config();
    config.limits.allocations = 0;
    config.alternates = vec![addr("198.51.100.2:3478")];
    let mut world = World::new(config, client_config());
    world.allocate();
    let [Event::AlternateServer(alternate), Event::Failed { reason: Failure::Redirected, .. }] =
        &world.events[..]
    else {
        panic!("{:?}", world.events)
    };
    assert_eq!(alternate.servers, [addr("198.51.100.2:3478")]);
}

#[test]
fn a_wrong_password_is_told_and_not_tried_again() {
    let credentials = floe_turn::client::Credentials::new(USER, PASSWORD.to_uppercase()).unwrap();
    let mut world = World::new(server_config(), Config { credentials: Some(credentials), ..client_config() });
    world.allocate();
    let reason = Failure::WrongCredentials;
    assert_eq!(world.events, [Event::Failed { reason, retry_at: None }]);
    assert_eq!(world.client.allocate(world.now), Err(ClientError::Refused));
}

#[test]
fn names_are_hidden_and_sha_256_is_used_where_the_server_wants_it() {
    for (hide, require) in [(true, false), (false, true), (true, true)] {
        let mut config = server_config();
        (config.hide_usernames, config.require_sha256) = (hide, require);
        let mut world = World::new(config, client_config());
        world.allocate();
        assert!(matches!(world.events[..], [Event::Allocated(_)]), "{:?}", world.events);
        let sent = world.sent.concat();
        let names_user = sent.windows(USER.len()).any(|part| part == USER.as_bytes());
        assert_eq!(names_user, !hide);
    }
}

#[test]
fn a_peer_that_the_server_does_not_reach_is_refused_alone() {
    let mut world = allocated(client_config());
    let (good, bad) = (addr(PEER).ip(), "127.0.0.1".parse().unwrap());
    world.client.permit(good, world.now).unwrap();
    world.client.permit(bad, world.now).unwrap();
    world.settle();
    let reason = Failure::Forbidden;
    assert!(world.events.contains(&Event::PermissionCreated { peer: good }));
    assert!(world.events.contains(&Event::PermissionFailed { peer: bad, reason }));
}

#[test]
fn a_closed_client_leaves_nothing_behind() {
    for carrier in [Carrier::Datagram, Carrier::Stream] {
        let mut world = allocated(with_carrier(carrier));
        assert_eq!(world.server.allocations(), 1);
        world.client.close(world.now);
        world.settle();
        assert_eq!(world.events, [Event::Closed]);
        assert_eq!(world.server.allocations(), 0);
        assert_eq!(world.client.poll_timeout(), None);
    }
}

#[test]
fn a_crashed_client_gets_another_port_from_the_one_after_it() {
    let mut world = allocated(client_config());
    // The same port again, without a farewell: the NAT gave it to somebody else.
    let home = world.home;
    world.replace_client(Config { seed: [5; 32], ..client_config() });
    world.home = home;
    world.allocate();
    assert!(matches!(world.events[..], [Event::NeedNewPort]), "{:?}", world.events);
    world.events.clear();
    world.home.set_port(home.port() + 1);
    world.client.new_port(world.now).unwrap();
    world.settle();
    assert!(matches!(world.events[..], [Event::Allocated(_)]));
}
