//! RFC 8445 §5.1.1.1, RFC 8828 §5.2, RFC 8421 §4: which addresses sockets are opened at, and in which order.

use alloc::vec::Vec;
use std::string::{String, ToString};

use super::{Bench, parse};
use crate::{AddressPolicy, Config, GatheringFailure, GatheringState, InterfaceAddress};

fn plain(interface: u32, address: &str) -> InterfaceAddress {
    InterfaceAddress::new(interface, parse(address))
}

fn temporary(interface: u32, address: &str) -> InterfaceAddress {
    InterfaceAddress { temporary: true, ..plain(interface, address) }
}

fn default_route(interface: u32, address: &str) -> InterfaceAddress {
    InterfaceAddress { default_route: true, ..plain(interface, address) }
}

/// The addresses that sockets are asked for, without the port.
fn opened_with(configure: impl FnOnce(&mut Config), interfaces: &[InterfaceAddress]) -> Vec<String> {
    let mut bench = Bench::new(configure);
    bench.gather(interfaces);
    let openings = bench.openings();
    assert!(openings.iter().all(|(_, address)| address.port() == 0), "the driver picks the port");
    openings.iter().map(|(_, a)| a.to_string().trim_end_matches(":0").to_string()).collect()
}

fn opened(interfaces: &[InterfaceAddress]) -> Vec<String> {
    opened_with(|_| {}, interfaces)
}

#[test]
fn addresses_that_no_peer_can_use_are_left_out() {
    let bad = [
        "127.0.0.1",
        "::1",
        "0.0.0.0",
        "::",
        "224.0.0.1",
        "ff02::1",
        "255.255.255.255",
        "::192.0.2.1",
        "::ffff:192.0.2.1",
        "fec0::1",
        "feff::1",
    ];
    let mut interfaces: Vec<_> = bad.iter().map(|a| plain(1, a)).collect();
    interfaces.push(InterfaceAddress { deprecated: true, ..plain(1, "2001:db8::dead") });
    interfaces.push(plain(1, "192.0.2.1"));
    interfaces.push(plain(1, "fd00::1"));
    assert_eq!(opened(&interfaces), ["[fd00::1]", "192.0.2.1"]);
}

#[test]
fn without_an_address_gathering_is_complete_at_once_and_says_why() {
    for interfaces in [&[][..], &[plain(1, "127.0.0.1")]] {
        let mut bench = Bench::asking(&["stun:example.org"]);
        bench.gather(interfaces);
        assert_eq!(bench.problems(), [(0, None, None, GatheringFailure::NoInterface)]);
        assert_eq!(bench.states(), [(0, GatheringState::Gathering), (0, GatheringState::Complete)]);
        assert!(bench.commands.is_empty(), "nobody is asked for what nobody needs");
        assert_eq!(bench.agent.poll_timeout(), None);
    }
}

#[test]
fn loopback_is_used_when_it_was_asked_for() {
    let interfaces = [plain(1, "127.0.0.1"), plain(1, "::1")];
    assert_eq!(opened_with(|c| c.gather.loopback = true, &interfaces), ["[::1]", "127.0.0.1"]);
}

#[test]
fn a_temporary_address_hides_the_stable_ones_of_its_interface_and_prefix() {
    let interfaces = [
        plain(1, "2001:db8:1::aa"),
        temporary(1, "2001:db8:1::7e3f"),
        plain(1, "2001:db8:2::aa"),
        plain(2, "2001:db8:1::bb"),
    ];
    let opened = opened(&interfaces);
    assert_eq!(opened, ["[2001:db8:1::7e3f]", "[2001:db8:1::bb]", "[2001:db8:2::aa]"]);
}

#[test]
fn the_prefix_is_64_bits_long_or_as_the_system_says_but_never_longer() {
    let with_prefix = |len| {
        let temporary = InterfaceAddress { prefix_len: len, ..temporary(1, "2001:db8:1:1::7e3f") };
        opened(&[temporary, plain(1, "2001:db8:1:1::aa"), plain(1, "2001:db8:1:2::aa")])
    };
    assert_eq!(with_prefix(None), ["[2001:db8:1:1::7e3f]", "[2001:db8:1:2::aa]"]);
    assert_eq!(with_prefix(Some(128)), ["[2001:db8:1:1::7e3f]", "[2001:db8:1:2::aa]"]);
    assert_eq!(with_prefix(Some(48)), ["[2001:db8:1:1::7e3f]"]);
}

#[test]
fn a_temporary_address_that_is_not_gathered_hides_nothing() {
    let deprecated = InterfaceAddress { deprecated: true, ..temporary(1, "2001:db8:1::7e3f") };
    assert_eq!(opened(&[deprecated, plain(1, "2001:db8:1::aa")]), ["[2001:db8:1::aa]"]);
}

#[test]
fn link_local_ipv6_is_a_last_resort_and_keeps_its_zone() {
    let alone = opened(&[plain(3, "fe80::1"), plain(3, "192.0.2.1")]);
    assert_eq!(alone, ["[fe80::1%3]", "192.0.2.1"]);
    assert_eq!(opened(&[plain(3, "fe80::1"), plain(3, "2001:db8::1")]), ["[2001:db8::1]"]);
    let elsewhere = opened(&[plain(3, "fe80::1"), plain(4, "2001:db8::1")]);
    assert_eq!(elsewhere, ["[fe80::1%3]", "[2001:db8::1]"]);
    // RFC 8445 §5.1.1.1: where anything private is gathered, nothing link-local is, on any interface.
    assert_eq!(opened(&[plain(3, "fe80::1"), temporary(4, "2001:db8::1")]), ["[2001:db8::1]"]);
}

#[test]
fn an_address_listed_twice_is_used_once_but_zones_tell_link_local_ones_apart() {
    let twice = [plain(1, "192.0.2.1"), plain(2, "192.0.2.1"), plain(1, "fe80::1"), plain(2, "fe80::1")];
    assert_eq!(opened(&twice), ["[fe80::1%1]", "192.0.2.1", "[fe80::1%2]"]);
}

#[test]
fn an_interface_gives_so_many_addresses_and_both_families_their_share() {
    let v6 = (1..=20).map(|n| plain(1, &std::format!("2001:db8::{n}")));
    let v4 = (1..=20).map(|n| plain(1, &std::format!("192.0.2.{n}")));
    let mut interfaces: Vec<_> = v6.chain(v4).collect();
    interfaces.push(plain(2, "198.51.100.1"));
    let opened = opened_with(|c| c.gather.addresses_per_interface = 4, &interfaces);
    let mut sorted = opened.clone();
    sorted.sort();
    assert_eq!(sorted, ["192.0.2.1", "192.0.2.2", "198.51.100.1", "[2001:db8::1]", "[2001:db8::2]"]);
    // RFC 8421 §4: the families take turns, and another interface comes before a second address of the same.
    assert_eq!(opened, ["[2001:db8::1]", "192.0.2.1", "[2001:db8::2]", "198.51.100.1", "192.0.2.2"]);
}

#[test]
fn there_are_no_more_addresses_than_priorities() {
    let all: Vec<_> =
        (0..300u32).map(|n| plain(n, &std::format!("10.0.{}.{}", n / 200, n % 200 + 1))).collect();
    let mut bench = Bench::new(|_| {});
    bench.gather(&all);
    assert_eq!(bench.candidates().len(), 256);
    let mut priorities: Vec<_> = bench.agent.local_candidates().map(|(_, _, c)| c.priority()).collect();
    priorities.sort_unstable();
    priorities.dedup();
    assert_eq!(priorities.len(), 256, "each has its own");
}

#[test]
fn the_modes_of_rfc_8828_narrow_the_choice() {
    let interfaces =
        [plain(1, "192.0.2.1"), default_route(2, "10.0.0.1"), plain(2, "10.0.0.2"), plain(2, "2001:db8::2")];
    let with = |policy| opened_with(|c| c.gather.policy = policy, &interfaces);
    assert_eq!(with(AddressPolicy::All).len(), 4);
    assert_eq!(with(AddressPolicy::DefaultRouteAndLocal), ["[2001:db8::2]", "10.0.0.1", "10.0.0.2"]);
    assert_eq!(with(AddressPolicy::DefaultRouteOnly), ["10.0.0.1"]);
}

#[test]
fn every_address_gets_a_socket_for_every_component() {
    let mut bench = Bench::new(|c| c.streams = [2, 1].into());
    bench.gather_on(&["192.0.2.1", "198.51.100.1"]);
    let asked: Vec<_> = bench.openings().iter().map(|(_, a)| a.ip().to_string()).collect();
    assert_eq!(asked, [["192.0.2.1"; 3], ["198.51.100.1"; 3]].concat());
    let all: Vec<_> = bench.agent.local_candidates().map(|(_, s, c)| (s.0, c.component().get())).collect();
    assert_eq!(all, [[(0, 1), (0, 2), (1, 1)]; 2].concat());
}
