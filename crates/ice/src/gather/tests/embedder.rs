//! Sockets of the embedder's own, and 1:1 NATs that are known beforehand.

use alloc::vec::Vec;
use core::net::SocketAddr;
use std::string::ToString;

use super::{Bench, Says, ms, parse};
use crate::candidate::CandidateKind;
use crate::{
    AddressMapping, AddressPolicy, Agent, AgentError, Component, Config, GatheringFailure, GatheringState,
    InterfaceAddress, SocketId,
};

const SERVER: &str = "203.0.113.1:3478";

fn add_host(bench: &mut Bench, address: &str) {
    let socket = SocketId(bench.sockets.len() as u64);
    bench.sockets.push(parse(address));
    bench.agent.add_host(Component::default(), socket, parse(address), bench.now).expect("a candidate");
    bench.drain();
}

fn mapping(local: &str, external: &str, replace: bool) -> AddressMapping {
    AddressMapping { local: parse(local), external: parse(external), replace }
}

#[test]
fn without_servers_nothing_happens_until_the_end_is_told() {
    let mut bench = Bench::new(|_| {});
    add_host(&mut bench, "192.0.2.1:5000");
    assert_eq!((bench.states().len(), bench.agent.poll_timeout()), (0, None));
    assert_eq!(bench.agent.gathering_state(), GatheringState::New);
    bench.now = ms(5);
    bench.agent.end_of_local_candidates(bench.now).expect("open");
    bench.drain();
    assert_eq!(bench.states(), [(5, GatheringState::Gathering), (5, GatheringState::Complete)]);
    bench.agent.end_of_local_candidates(bench.now).expect("saying it again does no harm");
    bench.drain();
    assert_eq!(bench.completed_at(), Some(5));
    let late = bench.agent.add_host(Component::default(), SocketId(9), parse("192.0.2.9:1"), bench.now);
    assert_eq!(late, Err(AgentError::AlreadyComplete));
}

#[test]
fn an_agent_that_does_not_gather_keeps_nothing_for_it() {
    let mut bench = Bench::new(|_| {});
    add_host(&mut bench, "192.0.2.1:5000");
    bench.agent.end_of_local_candidates(bench.now).expect("open");
    assert!(size_of::<super::super::Gatherer>() <= 64);
    assert!(size_of::<Agent>() < 2048);
}

#[test]
fn servers_are_asked_about_the_embedders_sockets_too() {
    let mut bench = Bench::asking(&["stun.example.org"]).with_server(SERVER, 40, Says::Nat("203.0.113.99"));
    add_host(&mut bench, "192.168.1.5:7000");
    assert_eq!(bench.states(), [(0, GatheringState::Gathering)]);
    bench.resolve("stun.example.org", &[SERVER]);
    bench.run_ms(100);
    add_host(&mut bench, "192.168.2.5:7001");
    bench.run_ms(200);
    assert_eq!(bench.reflexive(), ["203.0.113.99:7000", "203.0.113.99:7001"]);
    assert_eq!(bench.completed_at(), None, "more may come");
    bench.agent.end_of_local_candidates(bench.now).expect("open");
    bench.drain();
    assert_eq!(bench.completed_at(), Some(200));
}

#[test]
fn the_end_waits_for_the_servers() {
    let mut bench = Bench::asking(&[SERVER, "[2001:db8::53]:3478"]).with_server(SERVER, 40, Says::Error(400));
    add_host(&mut bench, "192.168.1.5:7000");
    bench.agent.end_of_local_candidates(bench.now).expect("open");
    bench.run_ms(1000);
    let failures: Vec<_> = bench.problems().into_iter().map(|p| (p.0, p.1, p.3)).collect();
    let (no_address, refused) = (GatheringFailure::NoUsableAddress, GatheringFailure::ServerError(400));
    assert_eq!(failures, [(0, Some(1), no_address), (40, Some(0), refused)]);
    assert_eq!(bench.completed_at(), Some(40));
}

#[test]
fn gathered_and_added_candidates_have_priorities_of_their_own() {
    let mut bench = Bench::asking(&[SERVER]).with_server(SERVER, 40, Says::Nat("203.0.113.99"));
    add_host(&mut bench, "192.168.7.5:7000");
    bench.gather_on(&["192.168.1.5", "192.168.2.5"]);
    add_host(&mut bench, "192.168.8.5:7001");
    bench.run_ms(1000);
    let mut all: Vec<_> = bench.agent.local_candidates().map(|(_, _, c)| c.priority()).collect();
    assert_eq!(all.len(), 8);
    all.sort_unstable();
    all.dedup();
    assert_eq!(all.len(), 8);
}

#[test]
fn a_mapping_that_replaces_takes_the_place_of_the_host_candidate() {
    let mut bench = Bench::new(|c| c.gather.mappings = [mapping("10.0.0.5", "203.0.113.50", true)].into());
    bench.gather_on(&["10.0.0.5", "10.1.0.5"]);
    let shown: Vec<_> = bench.candidates().into_iter().map(|c| (c.0, c.1)).collect();
    let host = |address: &str| (CandidateKind::Host, address.to_string());
    assert_eq!(shown, [host("203.0.113.50:5000"), host("10.1.0.5:5001")]);
    // The embedder's own sockets are behind it just the same.
    let mut own = Bench::new(|c| c.gather.mappings = [mapping("10.0.0.5", "203.0.113.50", true)].into());
    add_host(&mut own, "10.0.0.5:7000");
    add_host(&mut own, "[::ffff:10.0.0.5]:7001");
    assert_eq!(own.candidates()[0].1, "203.0.113.50:7000");
    assert_eq!(own.candidates()[1].1, "203.0.113.50:7001");
}

#[test]
fn a_mapping_that_appends_adds_a_reflexive_candidate_without_asking() {
    let mut bench = Bench::new(|c| c.gather.mappings = [mapping("10.0.0.5", "203.0.113.50", false)].into());
    add_host(&mut bench, "10.0.0.5:7000");
    bench.gather_on(&["10.0.0.5", "2001:db8::5"]);
    assert!(bench.sent.is_empty());
    assert_eq!(bench.reflexive(), ["203.0.113.50:7000", "203.0.113.50:5002"]);
    assert_eq!(bench.candidates()[1].2.as_deref(), Some("10.0.0.5:7000"));
    assert_eq!(bench.completed_at(), Some(0));
}

#[test]
fn a_server_that_sees_the_mapped_address_adds_nothing() {
    for replace in [true, false] {
        let mut bench = Bench::new(|c| {
            c.gather.servers = [parse(SERVER)].into();
            c.gather.mappings = [mapping("10.0.0.5", "203.0.113.50", replace)].into();
        })
        .with_server(SERVER, 40, Says::Nat("203.0.113.50"));
        bench.gather_on(&["10.0.0.5"]);
        bench.run_ms(1000);
        let external = |c: &(CandidateKind, std::string::String, Option<_>)| c.1 == "203.0.113.50:5000";
        assert_eq!(bench.candidates().iter().filter(|c| external(c)).count(), 1);
        assert_eq!(bench.completed_at(), Some(40));
    }
}

#[test]
fn the_base_can_be_kept_secret() {
    let mut bench = Bench::new(|c| {
        c.gather.servers = [parse(SERVER)].into();
        c.gather.reveal_related = false;
    })
    .with_server(SERVER, 40, Says::Nat("203.0.113.99"));
    bench.gather_on(&["192.168.1.5"]);
    bench.run_ms(100);
    assert_eq!(bench.candidates()[1].2.as_deref(), Some("0.0.0.0:9"));
}

#[test]
fn mode_3_tells_nobody_a_private_address() {
    let mut bench = Bench::new(|c| {
        c.gather.servers = [parse(SERVER)].into();
        c.gather.policy = AddressPolicy::DefaultRouteOnly;
        c.gather.mappings = [mapping("192.168.1.5", "203.0.113.50", true)].into();
    })
    .with_server(SERVER, 40, Says::Nat("203.0.113.99"));
    let default = InterfaceAddress { default_route: true, ..InterfaceAddress::new(1, parse("192.168.1.5")) };
    bench.gather(&[default, InterfaceAddress::new(2, parse("192.168.2.5"))]);
    bench.run_ms(100);
    let hidden = || Some("0.0.0.0:9".to_string());
    let reflexive = |address: &str| (CandidateKind::ServerReflexive, address.to_string(), hidden());
    assert_eq!(bench.candidates(), [reflexive("203.0.113.50:5000"), reflexive("203.0.113.99:5000")]);
    let lines: Vec<_> = bench.agent.local_candidates().map(|(_, _, c)| c.to_string()).collect();
    assert!(lines.iter().all(|line| !line.contains("192.168")), "{lines:?}");
}

#[test]
fn mode_3_checks_from_the_address_it_hides() {
    let mut bench = Bench::new(|c| {
        c.gather.servers = [parse(SERVER)].into();
        c.gather.policy = AddressPolicy::DefaultRouteOnly;
    })
    .with_server(SERVER, 40, Says::Nat("203.0.113.99"));
    let default = InterfaceAddress { default_route: true, ..InterfaceAddress::new(1, parse("192.168.1.5")) };
    bench.gather(&[default]);
    bench.meet_a_peer(1);
    bench.run_ms(30);
    assert_eq!(bench.begun().len(), 1, "without a candidate there is no check");
    bench.run_ms(100);
    let check = bench.sent.iter().find(|s| s.is_check).expect("a check");
    assert_eq!((check.at, check.to), (ms(50), parse::<SocketAddr>("198.51.100.1:9000")));
}

#[test]
fn what_cannot_be_is_refused_when_the_agent_is_made() {
    use crate::ConfigError::{GatherDeadline, Mappings, Servers};
    let made = |configure: fn(&mut Config)| {
        let mut config = Config::new([7; 32]);
        configure(&mut config);
        Agent::new(config, ms(0)).err()
    };
    assert_eq!(made(|c| c.gather.servers = std::vec![parse(SERVER); 65]), Some(Servers));
    assert_eq!(made(|c| c.gather.servers = std::vec![parse(SERVER); 64]), None);
    assert_eq!(
        made(|c| c.gather.servers = [crate::ServerAddress::Address(parse("0.0.0.0:1"))].into()),
        Some(Servers)
    );
    assert_eq!(
        made(|c| c.gather.servers = [crate::ServerAddress::Name { host: "".into(), port: 1 }].into()),
        Some(Servers)
    );
    assert_eq!(made(|c| c.gather.server_deadline = core::time::Duration::ZERO), Some(GatherDeadline));
    assert_eq!(made(|c| c.gather.driver_deadline = core::time::Duration::ZERO), Some(GatherDeadline));
    assert_eq!(
        made(|c| c.gather.mappings = [mapping("10.0.0.5", "2001:db8::5", false)].into()),
        Some(Mappings)
    );
}
