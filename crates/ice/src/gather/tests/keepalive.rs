//! RFC 8445 §5.1.1.4: server-reflexive candidates stay alive until ICE has completed.

use alloc::vec::Vec;

use super::{Bench, Says, millis, ms, parse, success};
use crate::candidate::Candidate;
use crate::{ConnectionState, Datagram, Received, RemoteParameters, Role, SocketId, StreamId};

const SERVER: &str = "203.0.113.1:3478";
const OTHER: &str = "203.0.113.2:3478";
const DEAD: &str = "203.0.113.3:3478";

fn behind_a_nat(servers: &[&str]) -> Bench {
    let mut bench = Bench::asking(servers);
    for server in servers.iter().filter(|s| **s == SERVER || **s == OTHER) {
        bench = bench.with_server(server, 40, Says::Nat("203.0.113.99"));
    }
    bench.gather_on(&["192.168.1.5"]);
    bench
}

#[test]
fn a_binding_is_renewed_every_fifteen_seconds() {
    let mut bench = behind_a_nat(&[SERVER]);
    bench.run_ms(50_000);
    assert_eq!(bench.times_to(SERVER), [0, 15_000, 30_000, 45_000]);
    assert_eq!(bench.completed_at(), Some(40), "complete does not wait for it");
    assert_eq!((bench.reflexive().len(), bench.problems().len()), (1, 0));
    let ids: std::collections::BTreeSet<_> = bench.sent.iter().map(|s| s.id).collect();
    assert_eq!(ids.len(), 4, "each is a transaction of its own");
}

#[test]
fn one_renewal_is_enough_for_what_two_servers_see_alike() {
    let mut bench = behind_a_nat(&[SERVER, OTHER]);
    bench.run_ms(20_000);
    assert_eq!((bench.times_to(SERVER), bench.times_to(OTHER)), ([0, 15_000].into(), [50].into()));
}

#[test]
fn a_renewal_that_is_lost_is_repeated_and_then_forgotten() {
    let mut bench = behind_a_nat(&[SERVER]);
    bench.run_ms(14_000);
    bench.servers.clear();
    bench.run_ms(38_000);
    // The next one follows 15 s after the last that went out.
    assert_eq!(bench.times_to(SERVER)[1..], [15_000, 15_500, 16_500, 18_500, 22_500, 37_500, 38_000]);
    assert_eq!(bench.problems(), []);
}

#[test]
fn an_error_to_a_renewal_is_no_problem() {
    let mut bench = behind_a_nat(&[SERVER]);
    bench.run_ms(14_000);
    bench.servers[0].says = Says::Error(500);
    bench.run_ms(46_000);
    assert_eq!(bench.times_to(SERVER), [0, 15_000, 30_000, 45_000]);
    assert_eq!(bench.problems(), []);
}

#[test]
fn renewals_keep_the_pace_too() {
    let mut bench = Bench::asking(&[SERVER]).with_server(SERVER, 10, Says::Nat("203.0.113.99"));
    let addresses: Vec<_> = (1..=20).map(|n| std::format!("192.168.{n}.5")).collect();
    let addresses: Vec<&str> = addresses.iter().map(|a| &**a).collect();
    bench.gather_on(&addresses);
    bench.run_ms(5_000);
    // The driver sleeps through all the renewals.
    for at in 0..40 {
        bench.now = ms(40_000 + at * 50);
        bench.agent.handle_timeout(bench.now);
        bench.drain();
    }
    let begun: Vec<_> = bench.begun().iter().map(|s| millis(s.at)).filter(|at| *at >= 40_000).collect();
    let paced: Vec<_> = (0..20).map(|n| 40_000 + n * 50).collect();
    assert_eq!(begun[..20], paced);
}

#[test]
fn a_new_candidate_goes_before_a_renewal() {
    let mut bench = Bench::new(|c| {
        c.gather.servers = [parse(SERVER), parse("slow.example.org")].into();
        c.gather.driver_deadline = core::time::Duration::from_secs(30);
    })
    .with_server(SERVER, 40, Says::Nat("203.0.113.99"));
    bench.gather_on(&["192.168.1.5"]);
    bench.run_ms(14_000);
    // The driver comes late, so both wait for the same turn.
    bench.now = ms(15_200);
    bench.resolve("slow.example.org", &[DEAD]);
    bench.run_ms(15_300);
    assert_eq!((bench.times_to(DEAD), bench.times_to(SERVER)), ([15_200].into(), [0, 15_250].into()));
}

#[test]
fn a_renewal_is_over_when_the_next_one_is_due() {
    let mut bench = Bench::new(|c| {
        c.gather.servers = [parse(SERVER)].into();
        c.gather.server_deadline = core::time::Duration::from_secs(60);
    })
    .with_server(SERVER, 40, Says::Nat("203.0.113.99"));
    bench.gather_on(&["192.168.1.5"]);
    bench.run_ms(14_000);
    bench.servers.clear();
    bench.run_ms(37_600);
    assert_eq!(bench.times_to(SERVER)[1..], [15_000, 15_500, 16_500, 18_500, 22_500, 37_500]);
}

#[test]
fn while_candidates_can_be_trickled_a_changed_mapping_is_a_new_one() {
    let mut bench = Bench::new(|c| {
        c.gather.servers = [SERVER, DEAD].iter().map(|s| parse(s)).collect();
        c.gather.server_deadline = core::time::Duration::from_secs(20);
    })
    .with_server(SERVER, 40, Says::Nat("203.0.113.99"));
    bench.gather_on(&["192.168.1.5"]);
    bench.run_ms(14_000);
    bench.servers[0].says = Says::Nat("203.0.113.98");
    bench.run_ms(19_000);
    assert_eq!(bench.reflexive(), ["203.0.113.99:5000", "203.0.113.98:5000"]);
    assert_eq!(bench.agent.counters().mapping_changes, 1);
    let priorities: Vec<_> = bench.agent.local_candidates().map(|(_, _, c)| c.priority()).collect();
    let unique: std::collections::BTreeSet<_> = priorities.iter().collect();
    assert_eq!(unique.len(), 3);
}

#[test]
fn after_end_of_candidates_a_changed_mapping_is_only_counted() {
    let mut bench = behind_a_nat(&[SERVER]);
    bench.run_ms(14_000);
    bench.servers[0].says = Says::Nat("203.0.113.98");
    bench.run_ms(46_000);
    assert_eq!(bench.reflexive(), ["203.0.113.99:5000"]);
    assert_eq!(bench.agent.counters().mapping_changes, 1);
    assert_eq!(bench.times_to(SERVER), [0, 15_000, 30_000, 45_000], "it is kept alive all the same");
}

#[test]
fn a_renewals_answer_from_elsewhere_is_ignored() {
    let mut bench = behind_a_nat(&[SERVER]);
    bench.run_ms(14_000);
    bench.servers.clear();
    bench.run_ms(15_010);
    let id = bench.last_to(SERVER).id;
    let received = bench.deliver(SocketId(0), OTHER, &success(id, parse("198.51.100.66:666")));
    assert!(matches!(received, Received::Rejected(_)));
    assert_eq!(bench.agent.counters().mapping_changes, 0);
    bench.run_ms(15_600);
    assert_eq!(bench.last_to(SERVER).at, ms(15_500));
}

#[test]
fn when_ice_has_completed_the_bindings_are_let_go() {
    // One server answers long after ICE has completed.
    let mut bench = behind_a_nat(&[SERVER, DEAD]);
    bench.run_ms(1000);
    let mut peer = Bench::new(|c| c.role = Role::Controlling);
    peer.sockets.push(parse("198.51.100.1:9000"));
    peer.agent.add_host(Default::default(), SocketId(0), peer.sockets[0], ms(1000)).expect("a candidate");
    peer.agent.end_of_local_candidates(ms(1000)).expect("open");
    introduce(&mut bench, &mut peer);
    talk(&mut bench, &mut peer, (1000, 8000));
    assert_eq!(bench.agent.state(), ConnectionState::Completed);
    bench.now = ms(8000);
    let late = bench.last_to(DEAD).id;
    let received = bench.deliver(SocketId(0), DEAD, &success(late, parse("203.0.113.98:5000")));
    assert_eq!((received, bench.completed_at()), (Received::Ice, Some(8000)));
    assert_eq!(bench.reflexive(), ["203.0.113.99:5000"], "RFC 8838 §13: nothing is trickled any more");
    talk(&mut bench, &mut peer, (8000, 60_000));
    assert_eq!(bench.agent.state(), ConnectionState::Completed);
    assert_eq!((bench.times_to(SERVER), bench.times_to(DEAD)), ([0].into(), [50, 550].into()));
}

/// Both know each other.
fn introduce(a: &mut Bench, b: &mut Bench) {
    tell(a, b);
    tell(b, a);
}

fn tell(from: &Bench, to: &mut Bench) {
    let parameters = RemoteParameters::new(from.agent.local_credentials().clone());
    to.now = ms(1000);
    to.agent.set_remote_parameters(&parameters, to.now).expect("open");
    let hosts: Vec<Candidate> = from.agent.local_candidates().map(|(_, _, c)| c.clone()).take(1).collect();
    for candidate in &hosts {
        let _ = to.agent.add_remote_candidate(StreamId::FIRST, candidate, to.now).expect("open");
    }
    to.agent.end_of_remote_candidates(StreamId::FIRST, to.now).expect("open");
}

/// Lets both exchange what they send each other, without delay, for this time. Nothing that is renewed goes anywhere else.
fn talk(a: &mut Bench, b: &mut Bench, (begin, end): (u64, u64)) {
    let mut buffer = [0; crate::MAX_TRANSMIT];
    for now in (begin..end).step_by(50).map(ms) {
        for (from, to) in [(0, 1), (1, 0), (0, 1), (1, 0)] {
            let both = [&mut *a, &mut *b];
            let source = both[from].sockets[0];
            both[from].agent.handle_timeout(now);
            while let Some(t) = both[from].agent.poll_transmit(&mut buffer) {
                let contents = &buffer[..t.len];
                let datagram = Datagram { socket: SocketId(0), local_ip: None, source, contents };
                if t.destination == both[to].sockets[0] {
                    let _ = both[to].agent.handle_datagram(datagram, now);
                } else {
                    assert!(t.destination == parse(DEAD) && now < ms(10_000), "{t:?} at {now:?}");
                }
            }
        }
    }
}
