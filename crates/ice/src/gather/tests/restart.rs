//! RFC 8445 §9 and gathering: sockets stay, everything is asked anew, and the machine may have moved.

use std::string::ToString;
use std::vec::Vec;

use super::{Bench, Says, ms, parse, success};
use crate::candidate::CandidateKind;
use crate::{
    AgentError, Command, Component, Event, GatheringState, Received, Rejection, RestartCause, SocketId,
};

const SERVER: &str = "203.0.113.1:3478";
const HERE: &str = "192.0.2.1";
const THERE: &str = "198.51.100.1";

fn gathered(addresses: &[&str]) -> Bench {
    let mut bench = Bench::asking(&[SERVER]).with_server(SERVER, 40, Says::Nat("203.0.113.99"));
    bench.gather_on(addresses);
    bench.run_ms(1_000);
    assert_eq!(bench.agent.gathering_state(), GatheringState::Complete);
    bench
}

fn restart(bench: &mut Bench) {
    bench.events.clear();
    bench.agent.restart(bench.now).expect("open");
}

fn hosts(bench: &Bench) -> Vec<std::string::String> {
    let all = bench.candidates().into_iter();
    all.filter(|c| c.0 == CandidateKind::Host).map(|c| c.1).collect()
}

#[test]
fn the_sockets_stay_and_the_servers_are_asked_again() {
    let mut bench = gathered(&[HERE]);
    restart(&mut bench);
    bench.gather_on(&[HERE]);
    bench.run_ms(2_000);
    assert_eq!(bench.events[0].1, Event::Restarted(RestartCause::Requested));
    assert_eq!((bench.openings().len(), bench.closed().len()), (1, 0));
    assert_eq!(bench.times_to(SERVER), [0, 1_000]);
    assert_eq!(hosts(&bench), ["192.0.2.1:5000"]);
    assert_eq!(bench.reflexive(), ["203.0.113.99:5000"]);
    assert_eq!(bench.states(), [(1_000, GatheringState::Gathering), (1_040, GatheringState::Complete)]);
    let foundations = |bench: &Bench| -> Vec<_> {
        bench.agent.local_candidates().map(|(_, _, c)| c.foundation().to_string()).collect()
    };
    assert_eq!(foundations(&bench).len(), 2);
}

#[test]
fn without_the_interfaces_it_goes_on_with_what_there_is() {
    // A restart that the peer caused, and an application that did not notice.
    let mut bench = gathered(&[HERE]);
    restart(&mut bench);
    bench.run_ms(2_000);
    assert_eq!(hosts(&bench), ["192.0.2.1:5000"]);
    assert_eq!(bench.reflexive(), ["203.0.113.99:5000"]);
    assert_eq!(bench.agent.gathering_state(), GatheringState::Gathering, "there may be more to come");
    bench.agent.end_of_local_candidates(bench.now).expect("open");
    assert_eq!(bench.agent.gathering_state(), GatheringState::Complete);
}

#[test]
fn a_socket_of_an_address_that_is_gone_is_closed_and_a_new_address_gets_one() {
    let mut bench = gathered(&[HERE]);
    restart(&mut bench);
    bench.gather_on(&[THERE]);
    bench.run_ms(2_000);
    assert_eq!(bench.closed(), [SocketId(0)]);
    let openings: Vec<_> = bench.openings().iter().map(|o| o.1.ip().to_string()).collect();
    assert_eq!(openings, [HERE, THERE]);
    assert_eq!(hosts(&bench), ["198.51.100.1:5001"], "the old one is not announced");
    assert_eq!(bench.reflexive(), ["203.0.113.99:5001"]);
    assert_eq!(bench.agent.local_candidates().count(), 2);
    let after: Vec<_> = bench.sent.iter().filter(|s| s.at > ms(1_000)).map(|s| s.socket).collect();
    assert_eq!(after, [SocketId(1)], "nothing more leaves from it");
}

#[test]
fn the_old_socket_is_kept_while_the_peer_may_send_to_it() {
    let mut bench = gathered(&[HERE]);
    bench.meet_a_peer(1);
    restart(&mut bench);
    bench.gather_on(&[THERE]);
    bench.run_ms(40_499);
    assert_eq!(bench.closed(), []);
    let data = bench.deliver(SocketId(0), "198.51.100.1:9000", &[0x80, 1, 2]);
    assert!(matches!(data, Received::Data { .. }));
    bench.run_ms(40_500);
    assert_eq!(bench.closed(), [SocketId(0)]);
    let data = bench.deliver(SocketId(0), "198.51.100.1:9000", &[0x80, 1, 2]);
    assert_eq!(data, Received::Rejected(Rejection::UnknownSocket));
}

#[test]
fn an_address_that_comes_back_gets_a_new_socket() {
    let mut bench = gathered(&[HERE]);
    bench.meet_a_peer(1);
    restart(&mut bench);
    bench.gather_on(&[THERE]);
    restart(&mut bench);
    bench.gather_on(&[HERE]);
    bench.run_ms(100_000);
    assert_eq!(hosts(&bench), ["192.0.2.1:5002"]);
    assert_eq!(bench.closed(), [SocketId(1), SocketId(0)], "each when nobody needs it, and once");
}

#[test]
fn an_answer_to_a_question_from_before_makes_no_candidate() {
    let mut bench = Bench::asking(&[SERVER]);
    bench.gather_on(&[HERE]);
    let before = bench.last_to(SERVER);
    restart(&mut bench);
    bench.gather_on(&[HERE]);
    let received = bench.deliver(SocketId(0), SERVER, &success(before.id, parse("203.0.113.99:5000")));
    assert_eq!(received, Received::Rejected(Rejection::UnknownTransaction));
    assert!(bench.reflexive().is_empty());
    bench.run_ms(100);
    let now = bench.last_to(SERVER);
    assert!(now.id != before.id);
    assert_eq!(now.at, ms(50), "RFC 8445 §14.2: a restart does not shorten Ta");
    let received = bench.deliver(SocketId(0), SERVER, &success(now.id, parse("203.0.113.99:5000")));
    assert_eq!(received, Received::Ice);
    assert_eq!(bench.reflexive(), ["203.0.113.99:5000"]);
}

#[test]
fn sockets_that_are_being_opened_are_the_new_sessions() {
    let mut bench = Bench::asking(&[]);
    bench.opens = false;
    bench.gather_on(&[HERE, THERE]);
    let [(first, a), (second, b)] = bench.openings()[..] else { panic!("two addresses, two sockets") };
    restart(&mut bench);
    bench.gather_on(&[HERE]);
    bench.open(first, a);
    bench.open(second, b);
    bench.drain();
    assert_eq!(bench.openings().len(), 2, "none is asked for twice");
    assert_eq!(hosts(&bench), ["192.0.2.1:5000"]);
    assert_eq!(bench.closed(), [SocketId(1)], "its address is gone");
    assert_eq!(bench.agent.gathering_state(), GatheringState::Complete);
}

#[test]
fn names_are_looked_up_again_and_asked_for_once() {
    let mut bench = Bench::asking(&["stun.example.org"]);
    bench.gather_on(&[HERE]);
    let resolutions =
        |bench: &Bench| bench.commands.iter().filter(|(_, c)| matches!(c, Command::Resolve { .. })).count();
    assert_eq!(resolutions(&bench), 1);
    let stale = bench.request_for("stun.example.org");
    for _ in 0..100 {
        restart(&mut bench);
        bench.agent.check_invariants();
    }
    bench.gather_on(&[HERE]);
    assert_eq!(resolutions(&bench), 2, "what was not asked yet is not asked any more");
    bench.agent.resolved(stale, Ok(&[parse("203.0.113.7:3478")]), bench.now);
    bench.run_ms(1_000);
    assert!(bench.sent.is_empty(), "the answer comes too late");
}

#[test]
fn gathering_happens_once_in_a_session() {
    let mut bench = gathered(&[HERE]);
    let again = |bench: &mut Bench| bench.agent.gather(&[], bench.now);
    assert_eq!(again(&mut bench), Err(AgentError::AlreadyGathering));
    restart(&mut bench);
    assert_eq!(again(&mut bench), Ok(()));
    assert_eq!(again(&mut bench), Err(AgentError::AlreadyGathering));
    bench.drain();
    assert_eq!(bench.closed(), [SocketId(0)], "no interface is left");
    assert_eq!(bench.agent.gathering_state(), GatheringState::Complete);
}

#[test]
fn sockets_of_the_embedder_stay_whatever_interfaces_there_are() {
    let mut bench = Bench::asking(&[SERVER]).with_server(SERVER, 40, Says::Nat("203.0.113.99"));
    bench.sockets.push(parse("192.0.2.1:5000"));
    let socket = bench.sockets[0];
    bench.agent.add_host(Component::default(), SocketId(0), socket, bench.now).expect("a candidate");
    bench.run_ms(1_000);
    restart(&mut bench);
    bench.gather_on(&[THERE]);
    bench.run_ms(2_000);
    assert_eq!(hosts(&bench), ["192.0.2.1:5000", "198.51.100.1:5001"]);
    assert_eq!(bench.reflexive(), ["203.0.113.99:5000", "203.0.113.99:5001"]);
    assert_eq!(bench.closed(), []);
}

#[test]
fn closing_gives_back_what_was_on_its_way_out() {
    let mut bench = gathered(&[HERE]);
    bench.meet_a_peer(1);
    restart(&mut bench);
    bench.gather_on(&[THERE]);
    bench.agent.close(bench.now);
    bench.drain();
    assert_eq!(bench.closed(), [SocketId(0), SocketId(1)]);
}

#[test]
fn a_lost_socket_of_the_old_path_is_given_back_at_once() {
    let mut bench = gathered(&[HERE]);
    bench.meet_a_peer(1);
    restart(&mut bench);
    bench.gather_on(&[THERE]);
    bench.agent.socket_failed(SocketId(0), bench.now);
    bench.drain();
    assert_eq!(bench.closed(), [SocketId(0)]);
}
