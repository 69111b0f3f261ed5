//! RFC 8445 §6.1.2.2 to §6.1.2.5, RFC 8838 §10 and §11: which pairs there are, and in which order.

use alloc::vec::Vec;
use core::net::SocketAddr;

use crate::agent::tests::script::{Script, component, host, local, remote};
use crate::candidate::pair_priority;
use crate::{AddedCandidate, Candidate, ComponentId, IgnoredCandidate, PairState, Role, StreamId};

fn address(text: &str) -> SocketAddr {
    text.parse().expect("an address")
}

fn pairs(script: &Script) -> Vec<(SocketAddr, SocketAddr)> {
    script.agent.pairs().map(|p| (p.local.address(), p.remote.address())).collect()
}

#[test]
fn every_local_candidate_is_paired_with_every_remote_one_of_its_component_and_family() {
    let mut script = Script::new(|c| c.streams = [2].to_vec());
    let v6 = address("[2001:db8::1]:5000");
    script.host_at(component(0, 1), local(1));
    script.host_at(component(0, 1), v6);
    let rtcp = SocketAddr::from(([10, 0, 0, 1], 5001));
    script.host_at(component(0, 2), rtcp);
    script.know_peer();
    script.signal(&host(1));
    script.signal(&Candidate::host(address("[2001:db8::2]:6000")));
    script.signal(&host(2).with_component(ComponentId::new(2).expect("two")));
    let mut found = pairs(&script);
    found.sort();
    let mut expected = [(local(1), remote(1)), (v6, address("[2001:db8::2]:6000")), (rtcp, remote(2))];
    expected.sort();
    assert_eq!(found, expected);
}

#[test]
fn link_local_addresses_are_paired_with_link_local_ones_only() {
    // §6.1.2.2.
    let mut script = Script::controlling(0);
    let (near, far) = (address("[fe80::1%3]:5000"), address("[2001:db8::1]:5000"));
    script.host_at(component(0, 1), near);
    script.host_at(component(0, 1), far);
    script.signal(&Candidate::host(address("[fe80::2]:6000")));
    script.signal(&Candidate::host(address("[2001:db8::2]:6000")));
    let found = pairs(&script);
    assert_eq!(found.len(), 2);
    assert!(found.contains(&(near, address("[fe80::2]:6000"))));
    assert!(found.contains(&(far, address("[2001:db8::2]:6000"))));
}

#[test]
fn a_link_local_check_leaves_through_the_zone_of_its_base_and_its_answer_comes_from_there() {
    let mut script = Script::controlling(0);
    let base = address("[fe80::1%3]:5000");
    script.host_at(component(0, 1), base);
    script.signal(&Candidate::host(address("[fe80::2]:6000")));
    let check = script.check();
    assert_eq!(check.to, address("[fe80::2%3]:6000"));
    script.reply(&check, |r| r.mapped = Some(address("[fe80::1]:5000")));
    let nomination = script.check();
    assert!(nomination.use_candidate);
    script.reply(&nomination, |r| r.mapped = Some(address("[fe80::1]:5000")));
    assert_eq!(script.path(), Some(address("[fe80::2%3]:6000")));
    // A check from there is no new candidate either, and data is known.
    script.ask(|a| (a.from, a.to) = (address("[fe80::2%3]:6000"), base));
    assert_eq!(script.agent.remote_candidates().count(), 1);
    let data = script.deliver(address("[fe80::2%3]:6000"), base, &[0x80, 1, 2]);
    assert!(matches!(data, crate::Received::Data { .. }));
}

#[test]
fn pairs_are_in_the_order_of_their_priority_which_the_role_decides() {
    // §6.1.2.3.
    for role in [Role::Controlling, Role::Controlled] {
        let mut script = Script::with(role, 2, |_| {});
        script.signal(&host(2));
        script.signal(&host(1));
        let found: Vec<_> = script.agent.pairs().map(|p| (p.priority, p)).collect();
        for (priority, pair) in &found {
            let (ours, theirs) = (pair.local.priority(), pair.remote.priority());
            let expected = match role {
                Role::Controlling => pair_priority(ours, theirs),
                Role::Controlled => pair_priority(theirs, ours),
            };
            assert_eq!(*priority, expected);
        }
        assert!(found.is_sorted_by(|a, b| a.0 >= b.0));
        assert_eq!(found.len(), 4);
    }
}

#[test]
fn the_first_check_goes_to_the_best_pair_whatever_the_order_of_the_candidates() {
    let mut script = Script::new(|c| c.role = Role::Controlling);
    script.host(1);
    for n in [3, 1, 2] {
        script.signal(&host(n));
    }
    script.know_peer();
    assert_eq!(script.check().to, remote(1));
    assert_eq!(script.check().to, remote(2));
    assert_eq!(script.check().to, remote(3));
}

#[test]
fn there_are_no_pairs_without_the_peers_credentials() {
    let mut script = Script::new(|_| {});
    script.host(1);
    script.signal(&host(1));
    assert_eq!(script.agent.pairs().count(), 0);
    assert_eq!(script.agent.poll_timeout(), None);
    script.know_peer();
    assert_eq!(script.state_of(local(1), remote(1)), Some(PairState::InProgress), "its check leaves at once");
}

#[test]
fn the_cap_keeps_the_best_pairs() {
    // §6.1.2.5: the worst come first, and the best ten are left: those of the best local candidate.
    let mut script = Script::with(Role::Controlling, 3, |c| c.limits.pairs = 10);
    for n in (1..=10).rev() {
        script.signal(&host(n));
    }
    assert_eq!(script.agent.pairs().count(), 10);
    let best: Vec<_> = (1..=10).map(|n| (local(1), remote(n))).collect();
    assert_eq!(pairs(&script), best);
}

#[test]
fn a_pair_that_is_being_checked_is_not_given_up_for_a_better_one() {
    let mut script = Script::with(Role::Controlling, 1, |c| c.limits.pairs = 2);
    for n in [4, 3, 2, 1] {
        script.signal(&host(n));
    }
    assert_eq!(pairs(&script), [(local(1), remote(1)), (local(1), remote(4))]);
    assert_eq!(script.state_of(local(1), remote(4)), Some(PairState::InProgress));
}

#[test]
fn a_pair_that_works_or_that_the_peer_checks_is_not_given_up_for_a_better_one() {
    // [D]: valid, nominated, in the triggered-check queue.
    let mut script = Script::with(Role::Controlled, 1, |c| c.limits.pairs = 3);
    for n in [7, 8, 9] {
        script.signal(&host(n));
    }
    let check = script.check();
    script.reply(&check, |_| {});
    script.ask(|a| (a.from, a.nominate) = (remote(8), true));
    script.ask(|a| a.from = remote(9));
    let kept = [7, 8, 9].map(|n| (local(1), remote(n)));
    script.signal(&host(1));
    assert_eq!(pairs(&script), kept);
    let check = script.check();
    assert_eq!(check.to, remote(8));
    script.refuse(&check, 400);
    script.signal(&host(2));
    assert!(script.pair(local(1), remote(2)).is_some(), "in the place of the one that failed");
    assert!(script.pair(local(1), remote(8)).is_none());
}

#[test]
fn the_cap_reduces_all_checklists_evenly() {
    let mut script = Script::new(|c| {
        (c.role, c.streams, c.limits.pairs) = (Role::Controlling, [1, 1, 1].to_vec(), 12);
    });
    for stream in 0..3 {
        script.host_at(component(stream, 1), SocketAddr::from(([10, 0, 0, 1], 5000 + stream)));
    }
    script.know_peer();
    // The first stream takes all, until the others come.
    for (stream, count) in [(0, 20), (1, 20), (2, 3)] {
        for n in 1..=count {
            let _ = script.add(StreamId(stream), &host(n));
        }
    }
    let of = |stream| script.agent.pairs().filter(|p| p.component.stream == StreamId(stream)).count();
    assert_eq!([of(0), of(1), of(2)], [5, 4, 3]);
}

#[test]
fn a_failed_pair_makes_room_for_a_worse_one() {
    // RFC 8838 §11, item 5.
    let mut script = Script::with(Role::Controlling, 1, |c| c.limits.pairs = 2);
    script.signal(&host(1));
    script.signal(&host(2));
    let first = script.check();
    script.signal(&host(3));
    assert_eq!(script.pair(local(1), remote(3)).map(|p| p.id), None, "no room");
    script.refuse(&first, 400);
    assert_eq!(script.state_of(local(1), remote(1)), Some(PairState::Failed));
    script.signal(&host(4));
    assert!(script.pair(local(1), remote(4)).is_some());
    assert!(script.pair(local(1), remote(1)).is_none());
}

#[test]
fn a_pair_that_the_peer_checks_finds_room() {
    let mut script = Script::with(Role::Controlled, 1, |c| c.limits.pairs = 2);
    for n in 1..=3 {
        script.signal(&host(n));
    }
    script.ask(|a| {
        a.from = remote(77);
        a.priority = Some(1);
    });
    assert_eq!(script.state_of(local(1), remote(77)), Some(PairState::Waiting));
    assert_eq!(script.agent.pairs().count(), 2);
}

#[test]
fn a_reflexive_candidate_is_paired_as_its_base_and_once() {
    // §6.1.2.4.
    let mapping = crate::AddressMapping {
        local: local(1).ip(),
        external: core::net::IpAddr::from([203, 0, 113, 50]),
        replace: false,
    };
    let mut script = Script::with(Role::Controlled, 1, |c| c.gather.mappings = [mapping].to_vec());
    let kinds: Vec<_> = script.agent.local_candidates().map(|(_, _, c)| c.kind()).collect();
    assert_eq!(
        kinds,
        [crate::candidate::CandidateKind::Host, crate::candidate::CandidateKind::ServerReflexive]
    );
    script.signal(&host(1));
    assert_eq!(pairs(&script), [(local(1), remote(1))], "the better of two redundant pairs");
    assert_eq!(script.check().from, local(1));
    script.to(400);
    assert_eq!(script.requests().len(), 0);
}

#[test]
fn a_candidate_is_added_once() {
    let mut script = Script::controlling(1);
    let AddedCandidate::Added(id) = script.add(StreamId::FIRST, &host(1)) else { panic!("it is new") };
    assert_eq!(script.add(StreamId::FIRST, &host(1)), AddedCandidate::Known(id));
    let mapped = Candidate::host(address("[::ffff:10.1.0.1]:6000"));
    assert_eq!(script.add(StreamId::FIRST, &mapped), AddedCandidate::Known(id), "the same address");
    assert_eq!(script.agent.pairs().count(), 1);
}

#[test]
fn what_cannot_be_used_is_ignored_with_the_reason() {
    let mut script = Script::with(Role::Controlling, 1, |c| c.limits.remote_candidates = 1);
    let ignored = |script: &mut Script, candidate: &Candidate| match script.add(StreamId::FIRST, candidate) {
        AddedCandidate::Ignored(reason) => reason,
        other => panic!("{other:?}"),
    };
    let second = host(1).with_component(ComponentId::new(2).expect("two"));
    assert_eq!(ignored(&mut script, &second), IgnoredCandidate::UnknownComponent);
    for unusable in
        ["0.0.0.0:9", "10.0.0.1:0", "224.0.0.1:5000", "255.255.255.255:1", "[::]:9", "[ff02::1]:5"]
    {
        let candidate = Candidate::host(address(unusable));
        assert_eq!(ignored(&mut script, &candidate), IgnoredCandidate::UnusableAddress, "{unusable}");
    }
    let tcp: Candidate =
        "candidate:1 1 TCP 2105458943 10.1.0.1 9 typ host tcptype active".parse().expect("a candidate");
    assert_eq!(ignored(&mut script, &tcp), IgnoredCandidate::UnsupportedTransport);
    script.signal(&host(1));
    assert_eq!(ignored(&mut script, &host(2)), IgnoredCandidate::LimitReached);
    script.end_remote();
    assert_eq!(ignored(&mut script, &host(1)), IgnoredCandidate::AfterEndOfCandidates);
}

#[test]
fn a_concluded_component_gets_no_pairs() {
    // §8.1.2.
    let mut script = Script::selected_early(Role::Controlling, |_| {});
    script.host(2);
    script.signal(&host(2));
    assert_eq!(script.agent.pairs().count(), 1);
}

#[test]
fn a_candidate_that_is_found_after_the_nomination_is_not_signalled() {
    // RFC 8838 §13: of a component that has its pair; others go on.
    let mut script = Script::new(|c| (c.role, c.streams) = (Role::Controlled, [2].to_vec()));
    script.host(1);
    script.know_peer();
    script.signal(&host(1));
    let check = script.check();
    script.reply(&check, |_| {});
    script.ask(|a| a.nominate = true);
    assert_eq!(script.selected(), Some((local(1), remote(1))));
    script.take_events();
    let late = script.host(2);
    assert!(!script.events.contains(&crate::Event::LocalCandidate(late)));
    assert_eq!(script.agent.local_candidates().count(), 1);
    let rtcp = script.host_at(component(0, 2), SocketAddr::from(([10, 0, 0, 1], 5001)));
    assert!(script.events.contains(&crate::Event::LocalCandidate(rtcp)));
    // The peer may find it all the same.
    assert!(script.ask(|a| a.to = local(2)).is_some());
}
