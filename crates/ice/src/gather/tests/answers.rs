//! RFC 8445 §5.1.1.2, RFC 8489 §6.3: what servers, and others, answer.

use alloc::vec::Vec;
use core::net::SocketAddr;
use std::format;
use std::string::ToString;

use floe_stun::attributes::MappedAddress;
use floe_stun::{AttributeType, Class, RawAttribute, TransactionId};

use super::{Bench, Says, error, ms, old_success, parse, success, success_with};
use crate::candidate::CandidateKind;
use crate::{Event, GatheringFailure, GatheringState, Received, Rejection, SocketId};

const SERVER: &str = "203.0.113.1:3478";
const OTHER: &str = "203.0.113.2:3478";
const BASE: SocketId = SocketId(0);

/// One base that has asked one server, which says nothing by itself.
fn asked() -> (Bench, TransactionId) {
    let mut bench = Bench::asking(&[SERVER]);
    bench.gather_on(&["192.168.1.5"]);
    bench.now = ms(40);
    let id = bench.last_to(SERVER).id;
    (bench, id)
}

fn mapped() -> SocketAddr {
    parse("203.0.113.99:6000")
}

#[test]
fn a_server_that_only_knows_rfc_3489_will_do() {
    let (mut bench, id) = asked();
    assert_eq!(bench.deliver(BASE, SERVER, &old_success(id, mapped())), Received::Ice);
    assert_eq!(bench.reflexive(), ["203.0.113.99:6000"]);
}

#[test]
fn a_mapped_address_of_a_family_that_does_not_exist_is_passed_over() {
    // RFC 8489 §6.3.3.
    let strange = RawAttribute { kind: AttributeType::XOR_MAPPED_ADDRESS, value: &[0, 3, 1, 1, 1, 1, 1, 1] };
    let (mut bench, id) = asked();
    let both = super::build(Class::Success, id, None, |m| {
        m.raw_attribute(strange).attribute(&MappedAddress(mapped()))
    });
    assert_eq!(bench.deliver(BASE, SERVER, &both), Received::Ice);
    assert_eq!(bench.reflexive(), ["203.0.113.99:6000"]);
    let (mut bench, id) = asked();
    let alone = super::build(Class::Success, id, Some(strange), |m| m);
    let received = bench.deliver(BASE, SERVER, &alone);
    assert_eq!(received, Received::Rejected(Rejection::MissingAttribute));
}

#[test]
fn every_server_tells_what_it_sees_although_the_second_finds_nothing_new() {
    let mut bench = Bench::asking(&[SERVER, OTHER])
        .with_server(SERVER, 20, Says::Nat("198.51.100.7"))
        .with_server(OTHER, 20, Says::Nat("198.51.100.7"));
    bench.gather_on(&["192.168.1.5"]);
    bench.run_ms(200);
    let base = bench.sockets[0];
    let seen = parse::<SocketAddr>(&format!("198.51.100.7:{}", base.port()));
    let told = bench.events.iter().filter_map(|(_, event)| match *event {
        Event::ServerAnswered { server, address, mapped } => Some((server, address, mapped)),
        _ => None,
    });
    assert!(told.eq([(0, base, seen), (1, base, seen)]));
    assert_eq!(bench.reflexive(), [seen.to_string()], "one candidate");
    let place = |wanted: fn(&Event) -> bool| bench.events.iter().position(|(_, event)| wanted(event));
    let answered = place(|event| matches!(event, Event::ServerAnswered { .. }));
    let complete = place(|event| matches!(event, Event::GatheringStateChanged(GatheringState::Complete)));
    assert!(answered < complete);
}

#[test]
fn an_answer_from_elsewhere_changes_nothing_and_the_true_one_still_counts() {
    let (mut bench, id) = asked();
    let forged = success(id, parse("198.51.100.66:666"));
    let ignored = Received::Rejected(Rejection::UnknownTransaction);
    assert_eq!(bench.deliver(BASE, OTHER, &forged), ignored);
    assert_eq!(bench.deliver(BASE, "203.0.113.1:3479", &forged), ignored);
    assert_eq!(bench.deliver(SocketId(7), SERVER, &forged), ignored);
    let other_id = TransactionId::new([9; 12]);
    assert_eq!(bench.deliver(BASE, SERVER, &success(other_id, mapped())), ignored);
    assert_eq!(bench.deliver(BASE, OTHER, &error(id, 400)), ignored);
    assert_eq!((bench.reflexive().len(), bench.problems().len()), (0, 0));
    bench.run_ms(600);
    assert_eq!(bench.times_to(SERVER), [0, 500], "the transaction goes on");
    assert_eq!(bench.deliver(BASE, SERVER, &success(id, mapped())), Received::Ice);
    assert_eq!(bench.reflexive(), ["203.0.113.99:6000"]);
    assert_eq!(bench.completed_at(), Some(600));
}

#[test]
fn an_answer_on_another_socket_of_ours_is_not_one() {
    let mut bench = Bench::asking(&[SERVER]);
    bench.gather_on(&["192.168.1.5", "192.168.2.5"]);
    let first = bench.last_to(SERVER).id;
    let received = bench.deliver(SocketId(1), SERVER, &success(first, mapped()));
    assert_eq!(received, Received::Rejected(Rejection::UnknownTransaction));
    assert!(bench.reflexive().is_empty());
}

#[test]
fn a_replayed_answer_is_not_an_answer() {
    let (mut bench, id) = asked();
    let answer = success(id, mapped());
    assert_eq!(bench.deliver(BASE, SERVER, &answer), Received::Ice);
    let events = bench.events.len();
    for source in [SERVER, OTHER] {
        let replayed = bench.deliver(BASE, source, &answer);
        assert_eq!(replayed, Received::Rejected(Rejection::UnknownTransaction));
    }
    assert_eq!(bench.events.len(), events);
}

#[test]
fn a_mapped_address_that_no_candidate_can_have_is_a_bad_answer() {
    let bad =
        ["0.0.0.0:5", "224.0.0.1:5", "255.255.255.255:5", "203.0.113.99:0", "127.0.0.1:5", "[2001:db8::1]:5"];
    for mapped in bad {
        let (mut bench, id) = asked();
        let _ = bench.deliver(BASE, SERVER, &success(id, parse(mapped)));
        let problem = (40, Some(0), Some("192.168.1.5:5000".into()), GatheringFailure::BadAnswer);
        assert_eq!(bench.problems(), [problem], "{mapped}");
        assert_eq!((bench.reflexive().len(), bench.completed_at()), (0, Some(40)));
    }
}

#[test]
fn an_unknown_attribute_that_must_be_understood_fails_the_transaction() {
    let (mut bench, id) = asked();
    let unknown = RawAttribute { kind: AttributeType::new(0x7ffe), value: &[1, 2, 3, 4] };
    let received = bench.deliver(BASE, SERVER, &success_with(id, mapped(), unknown));
    assert_eq!(received, Received::Rejected(Rejection::UnknownAttribute));
    let problem = (40, Some(0), Some("192.168.1.5:5000".into()), GatheringFailure::BadAnswer);
    assert_eq!(bench.problems(), [problem]);
    assert_eq!((bench.reflexive().len(), bench.completed_at()), (0, Some(40)));
}

#[test]
fn an_attribute_that_may_be_ignored_is() {
    let (mut bench, id) = asked();
    // ALTERNATE-SERVER means nothing here (RFC 8445 §5.1.1.2).
    let alternate = RawAttribute { kind: AttributeType::new(0x8023), value: &[0, 1, 1, 1, 9, 9, 9, 9] };
    assert_eq!(bench.deliver(BASE, SERVER, &success_with(id, mapped(), alternate)), Received::Ice);
    assert_eq!(bench.reflexive(), ["203.0.113.99:6000"]);
}

#[test]
fn an_answer_without_what_it_is_for_is_a_bad_answer() {
    let (mut bench, id) = asked();
    let empty = super::build(Class::Success, id, None, |m| m);
    let received = bench.deliver(BASE, SERVER, &empty);
    assert_eq!(received, Received::Rejected(Rejection::MissingAttribute));
    assert_eq!(bench.problems()[0].3, GatheringFailure::BadAnswer);
    assert_eq!(bench.completed_at(), Some(40));
}

#[test]
fn errors_end_the_query_and_are_reported() {
    for code in [300, 400, 401, 420, 438, 600] {
        let mut bench = Bench::asking(&[SERVER]).with_server(SERVER, 40, Says::Error(code));
        bench.gather_on(&["192.168.1.5"]);
        bench.run_ms(30_000);
        let problem = (40, Some(0), Some("192.168.1.5:5000".into()), GatheringFailure::ServerError(code));
        assert_eq!(bench.problems(), [problem]);
        assert_eq!((bench.sent.len(), bench.completed_at()), (1, Some(40)), "{code}");
    }
}

#[test]
fn a_server_error_is_asked_again_four_times_and_not_at_once() {
    let mut bench = Bench::asking(&[SERVER]).with_server(SERVER, 40, Says::Error(500));
    bench.gather_on(&["192.168.1.5"]);
    bench.run_ms(30_000);
    assert_eq!(bench.times_to(SERVER), [0, 540, 1080, 1620, 2160]);
    let ids: std::collections::BTreeSet<_> = bench.sent.iter().map(|s| s.id).collect();
    assert_eq!(ids.len(), 5, "each is a transaction of its own");
    let problem = (2200, Some(0), Some("192.168.1.5:5000".into()), GatheringFailure::ServerError(500));
    assert_eq!(bench.problems(), [problem]);
    assert_eq!(bench.completed_at(), Some(2200));
}

#[test]
fn asking_again_does_not_prolong_the_servers_time() {
    let mut bench = Bench::new(|c| {
        c.gather.servers = [parse(SERVER)].into();
        c.gather.server_deadline = core::time::Duration::from_millis(1200);
    })
    .with_server(SERVER, 40, Says::Error(503));
    bench.gather_on(&["192.168.1.5"]);
    bench.run_ms(30_000);
    assert_eq!(bench.times_to(SERVER), [0, 540, 1080]);
    let problem = (1200, Some(0), Some("192.168.1.5:5000".into()), GatheringFailure::ServerError(503));
    assert_eq!(bench.problems(), [problem], "what it said, not that it was silent");
}

#[test]
fn a_server_that_recovers_gives_its_candidate() {
    let mut bench = Bench::asking(&[SERVER]).with_server(SERVER, 40, Says::Error(500));
    bench.gather_on(&["192.168.1.5"]);
    bench.run_ms(600);
    bench.servers[0].says = Says::Nat("203.0.113.99");
    bench.run_ms(30_000);
    assert_eq!(bench.reflexive(), ["203.0.113.99:5000"]);
    assert_eq!(bench.problems(), []);
}

#[test]
fn an_answer_after_the_deadline_counts_until_gathering_is_complete() {
    // The second server is asked 50 ms later, and so has 50 ms longer.
    let mut bench = Bench::asking(&[SERVER, OTHER]);
    bench.gather_on(&["192.168.1.5"]);
    bench.run_ms(10_020);
    let problem = |at, n| (at, Some(n), Some("192.168.1.5:5000".into()), GatheringFailure::ServerTimeout);
    assert_eq!(bench.problems(), [problem(10_000, 0)]);
    let (late, too_late) = (bench.last_to(SERVER).id, bench.last_to(OTHER).id);
    assert_eq!(bench.deliver(BASE, SERVER, &success(late, mapped())), Received::Ice);
    assert_eq!(bench.reflexive(), ["203.0.113.99:6000"]);
    bench.run_ms(10_060);
    assert_eq!(bench.completed_at(), Some(10_050));
    let received = bench.deliver(BASE, OTHER, &success(too_late, parse("203.0.113.98:6000")));
    assert_eq!(received, Received::Rejected(Rejection::UnknownTransaction));
    assert_eq!(bench.reflexive().len(), 1);
    assert_eq!(bench.problems(), [problem(10_000, 0), problem(10_050, 1)]);
}

#[test]
fn a_late_error_says_nothing_new() {
    let mut bench = Bench::asking(&[SERVER, OTHER]);
    bench.gather_on(&["192.168.1.5"]);
    bench.run_ms(10_020);
    let late = bench.last_to(SERVER).id;
    let _ = bench.deliver(BASE, SERVER, &error(late, 500));
    bench.run_ms(30_000);
    assert_eq!(bench.problems().len(), 2, "one for each server");
}

#[test]
fn what_two_servers_see_alike_is_one_candidate() {
    let mut bench = Bench::asking(&[SERVER, OTHER])
        .with_server(SERVER, 40, Says::Nat("203.0.113.99"))
        .with_server(OTHER, 40, Says::Nat("203.0.113.99"));
    bench.gather_on(&["192.168.1.5"]);
    bench.run_ms(1000);
    assert_eq!(bench.reflexive(), ["203.0.113.99:5000"]);
    assert_eq!((bench.completed_at(), bench.problems().len()), (Some(90), 0));
}

#[test]
fn what_two_servers_see_differently_is_two_candidates_of_two_foundations() {
    let mut bench = Bench::asking(&[SERVER, OTHER])
        .with_server(SERVER, 40, Says::Nat("203.0.113.99"))
        .with_server(OTHER, 40, Says::Nat("203.0.113.98"));
    bench.gather_on(&["192.168.1.5"]);
    bench.run_ms(1000);
    assert_eq!(bench.reflexive(), ["203.0.113.99:5000", "203.0.113.98:5000"]);
    let all: Vec<_> = bench.agent.local_candidates().map(|(_, _, c)| c).collect();
    assert_ne!(all[1].foundation(), all[2].foundation());
    assert!(all[1].priority() > all[2].priority(), "the order of the configuration");
}

#[test]
fn without_a_nat_there_is_only_the_host_candidate() {
    let mut bench = Bench::asking(&[SERVER]).with_server(SERVER, 40, Says::TheTruth);
    bench.gather_on(&["192.0.2.1"]);
    bench.run_ms(60_000);
    let kinds: Vec<_> = bench.candidates().into_iter().map(|c| c.0).collect();
    assert_eq!(kinds, [CandidateKind::Host]);
    assert_eq!(bench.sent.len(), 1, "there is no binding to keep alive");
}
