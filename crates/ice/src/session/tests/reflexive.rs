//! RFC 8445 §7.2.5.3.1, §7.2.5.3.2 and §7.3.1.3: peer-reflexive candidates on both sides.

use alloc::vec::Vec;
use core::net::SocketAddr;
use core::time::Duration;

use crate::agent::tests::net::{Nat, Net, address};
use crate::agent::tests::script::{Script, component, host, local, remote};
use crate::candidate::{CandidateKind, pair_priority};
use crate::{Candidate, Component, ConnectionState, Event, PairState, Rejection, Role, StreamId};

fn mapped(n: u8) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, n], 40_000))
}

// --- local ------------------------------------------------------------------------------------------------------

#[test]
fn an_unknown_mapped_address_is_a_local_candidate_of_the_valid_pair() {
    let mut script = Script::controlling(1);
    script.signal(&host(1));
    let check = script.check();
    script.reply(&check, |r| r.mapped = Some(mapped(1)));
    let pair = script.pair(local(1), remote(1)).expect("the pair");
    assert!(pair.valid);
    assert_eq!((pair.local.kind(), pair.local.address()), (CandidateKind::PeerReflexive, mapped(1)));
    assert_eq!(pair.local.priority(), check.priority.expect("a priority"), "that of the request");
    assert_eq!(pair.local.component(), Component::default().id);
    assert_eq!(pair.priority, pair_priority(pair.local.priority(), pair.remote.priority()));
    let id = pair.local_id;
    // It is not signalled, and no further pair comes of it.
    assert!(!script.events.contains(&Event::LocalCandidate(id)));
    assert!(script.agent.local_candidates().all(|(other, _, _)| other != id));
    assert_eq!(script.agent.pairs().count(), 1);
}

#[test]
fn the_nomination_repeats_the_check_that_found_it_from_the_base() {
    let mut script = Script::controlling(1);
    script.signal(&host(1));
    script.end();
    let check = script.check();
    script.reply(&check, |r| r.mapped = Some(mapped(1)));
    let nomination = script.check();
    assert_eq!((nomination.from, nomination.to, nomination.use_candidate), (local(1), remote(1), true));
    script.reply(&nomination, |r| r.mapped = Some(mapped(1)));
    assert_eq!(script.selected(), Some((mapped(1), remote(1))));
    let path = script.agent.send_path(Component::default()).expect("a path");
    assert_eq!((path.src_ip, path.destination), (Some(local(1).ip()), remote(1)), "§12.1: from the base");
}

#[test]
fn the_same_mapped_address_is_one_candidate() {
    let mut script = Script::controlled(1);
    script.signal(&host(1));
    script.signal(&host(2));
    for _ in 0..2 {
        let check = script.check();
        script.reply(&check, |r| r.mapped = Some(mapped(1)));
    }
    let ids: Vec<_> = script.agent.pairs().filter(|p| p.valid).map(|p| p.local_id).collect();
    assert_eq!(ids.len(), 2);
    assert_eq!(ids[0], ids[1]);
}

#[test]
fn valid_pairs_are_compared_by_the_candidate_that_the_peer_sees() {
    let mut script = Script::controlling(2);
    script.signal(&host(1));
    script.end();
    let (first, second) = (script.check(), script.check());
    assert_eq!((first.from, second.from), (local(1), local(2)));
    script.reply(&second, |_| {});
    script.reply(&first, |r| r.mapped = Some(mapped(1)));
    let nomination = script.check();
    assert!(nomination.use_candidate);
    assert_eq!(nomination.from, local(2), "a host candidate beats a peer-reflexive one");
}

#[test]
fn what_a_peer_claims_to_see_does_not_fill_our_memory() {
    let mut script = Script::with(Role::Controlled, 1, |c| c.limits.peer_reflexive = 3);
    for n in 1..=8 {
        script.signal(&host(n));
        let check = script.check();
        script.reply(&check, |r| r.mapped = Some(mapped(n)));
    }
    let kinds = script.agent.pairs().map(|p| p.local.kind());
    assert_eq!(kinds.filter(|k| *k == CandidateKind::PeerReflexive).count(), 3);
    assert_eq!(script.agent.pairs().filter(|p| p.valid).count(), 8, "the paths work all the same");
}

// --- remote -----------------------------------------------------------------------------------------------------

#[test]
fn an_unknown_source_is_a_remote_candidate() {
    let mut script = Script::controlled(2);
    script.ask(|a| (a.from, a.to, a.priority) = (mapped(1), local(2), Some(77)));
    let found: Vec<_> = script.agent.remote_candidates().collect();
    let [(id, StreamId::FIRST, learned)] = found[..] else { panic!("one candidate") };
    assert_eq!((learned.kind(), learned.address()), (CandidateKind::PeerReflexive, mapped(1)));
    assert_eq!((learned.priority(), learned.component()), (77, Component::default().id));
    assert!(script.events.contains(&Event::RemoteCandidateDiscovered(id)));
    // Only the pair that the check came on.
    assert_eq!(script.agent.pairs().count(), 1);
    assert_eq!(script.state_of(local(2), mapped(1)), Some(PairState::InProgress), "checked at once");
    script.host(3);
    assert_eq!(script.agent.pairs().count(), 1, "nor with later ones");
}

#[test]
fn its_foundation_is_that_of_no_other() {
    let mut script = Script::controlled(1);
    script.ask(|a| a.from = mapped(1));
    script.ask(|a| a.from = mapped(2));
    let clash = script.agent.remote_candidates().next().map(|(_, _, c)| *c.foundation()).expect("one");
    script.signal(&host(1).with_foundation(clash));
    // Although it has the text of a foundation that is being checked.
    assert_eq!(script.state_of(local(1), mapped(1)), Some(PairState::InProgress));
    assert_eq!(script.state_of(local(1), remote(1)), Some(PairState::Waiting));
}

#[test]
fn it_becomes_the_signalled_candidate_in_every_state_of_its_pair() {
    for state in [PairState::Waiting, PairState::InProgress, PairState::Succeeded, PairState::Failed] {
        let mut script = Script::controlled(1);
        script.signal(&host(1));
        let _ = script.check();
        script.ask(|a| (a.from, a.priority) = (remote(2), Some(5)));
        if state != PairState::Waiting {
            let check = script.check();
            assert_eq!(check.to, remote(2));
            match state {
                PairState::Succeeded => script.reply(&check, |_| {}),
                PairState::Failed => script.refuse(&check, 400),
                _ => {}
            }
        }
        assert_eq!(script.state_of(local(1), remote(2)), Some(state));
        let before = script.pair(local(1), remote(2)).map(|p| (p.id, p.remote_id));
        script.signal(&host(2));
        let pair = script.pair(local(1), remote(2)).expect("no pair is lost");
        assert_eq!(Some((pair.id, pair.remote_id)), before);
        assert_eq!(pair.state, state);
        assert_eq!(pair.remote.kind(), CandidateKind::Host);
        assert_eq!(pair.remote.foundation(), host(2).foundation());
        assert_eq!(pair.priority, pair_priority(host(2).priority(), pair.local.priority()));
        let order: Vec<_> = script.agent.pairs().map(|p| p.priority).collect();
        assert!(order.is_sorted_by(|a, b| a >= b));
        assert_eq!(script.agent.remote_candidates().count(), 2);
    }
}

#[test]
fn once_signalled_it_is_paired_with_the_other_candidates() {
    let mut script = Script::controlled(2);
    script.ask(|a| a.from = remote(1));
    assert_eq!(script.agent.pairs().count(), 1);
    script.signal(&host(1));
    assert_eq!(script.agent.pairs().count(), 2);
}

#[test]
fn a_success_before_the_foundation_was_known_unfreezes_it_when_it_is() {
    let mut script = Script::new(|c| (c.role, c.streams) = (Role::Controlled, [2].to_vec()));
    script.host(1);
    let rtcp = SocketAddr::from(([10, 0, 0, 1], 5001));
    script.host_at(component(0, 2), rtcp);
    script.know_peer();
    let two = crate::ComponentId::new(2).expect("two");
    // Component 1 hangs; component 2 of the same foundation is frozen behind it.
    script.signal(&host(1));
    script.signal(&host(2).with_foundation(*host(1).foundation()).with_component(two));
    let _ = script.check();
    assert_eq!(script.state_of(rtcp, remote(2)), Some(PairState::Frozen));
    script.ask(|a| a.from = remote(3));
    let check = script.check();
    script.reply(&check, |_| {});
    assert_eq!(script.state_of(rtcp, remote(2)), Some(PairState::Frozen));
    script.signal(&host(3).with_foundation(*host(1).foundation()));
    assert_ne!(script.state_of(rtcp, remote(2)), Some(PairState::Frozen));
}

#[test]
fn there_is_a_limit_on_them_and_the_peer_gets_its_answers_all_the_same() {
    let mut script = Script::with(Role::Controlled, 1, |c| c.limits.peer_reflexive = 2);
    for n in 1..=5 {
        assert!(script.ask(|a| a.from = mapped(n)).is_some());
    }
    assert_eq!(script.agent.remote_candidates().count(), 2);
    assert_eq!(script.agent.counters().rejected(Rejection::LimitReached), 3);
    // One that is signalled makes room.
    script.signal(&Candidate::host(mapped(1)));
    script.ask(|a| a.from = mapped(5));
    assert_eq!(script.agent.remote_candidates().count(), 3);
}

#[test]
fn a_link_local_check_to_a_global_address_is_answered_and_makes_no_pair() {
    // §6.1.2.2.
    let mut script = Script::controlled(0);
    let global: SocketAddr = "[2001:db8::1]:5000".parse().expect("an address");
    script.host_at(component(0, 1), global);
    let near: SocketAddr = "[fe80::9%2]:6000".parse().expect("an address");
    assert!(script.ask(|a| (a.from, a.to) = (near, global)).is_some());
    assert_eq!(script.agent.pairs().count(), 0);
    script.to(1_000);
    assert_eq!(script.requests().len(), 0);
}

/// A controlled agent that has learned two candidates, which is its limit, and whose checks to them failed.
fn learned_in_vain() -> Script {
    let mut script = Script::with(Role::Controlled, 1, |c| c.limits.peer_reflexive = 2);
    for n in [11, 12] {
        script.ask(|a| a.from = remote(n));
        let triggered = script.check();
        script.reply(&triggered, |r| r.from = remote(20 + n));
        assert_eq!(script.state_of(local(1), remote(n)), Some(PairState::Failed));
    }
    script
}

#[test]
fn a_learned_candidate_that_failed_gives_way_after_a_while() {
    let mut script = learned_in_vain();
    script.ask(|a| a.from = remote(13));
    assert_eq!(script.state_of(local(1), remote(13)), None, "no room yet");
    script.to(6_000);
    script.ask(|a| a.from = remote(13));
    assert_eq!(script.state_of(local(1), remote(11)), None, "the oldest goes");
    assert_eq!(script.state_of(local(1), remote(12)), Some(PairState::Failed));
    let triggered = script.check();
    assert_eq!(triggered.to, remote(13));
    script.reply(&triggered, |_| {});
    assert_eq!(script.state_of(local(1), remote(13)), Some(PairState::Succeeded));
}

#[test]
fn a_learned_candidate_that_failed_gives_way_at_once_to_a_nominated_one() {
    let mut script = learned_in_vain();
    script.ask(|a| (a.from, a.nominate) = (remote(13), true));
    let triggered = script.check();
    assert_eq!(triggered.to, remote(13));
    script.reply(&triggered, |_| {});
    assert_eq!(script.selected(), Some((local(1), remote(13))));
}

#[test]
fn learned_candidates_give_way_as_often_as_there_is_room_for_them_and_only_if_nothing_came_of_them() {
    let mut script = learned_in_vain();
    for n in 13..20 {
        script.to(u64::from(n) * 6_000);
        script.ask(|a| a.from = remote(n));
        if n < 15 {
            let triggered = script.check();
            script.reply(&triggered, |r| r.from = remote(20 + n));
        }
        assert_eq!(script.state_of(local(1), remote(n)).is_some(), n < 15, "{n}");
    }
    let mut script = Script::with(Role::Controlled, 1, |c| c.limits.peer_reflexive = 1);
    script.ask(|a| a.from = remote(11));
    let triggered = script.check();
    script.reply(&triggered, |_| {});
    script.to(6_000);
    script.ask(|a| (a.from, a.nominate) = (remote(12), true));
    assert_eq!(script.state_of(local(1), remote(11)), Some(PairState::Succeeded), "this one works");
    assert_eq!(script.state_of(local(1), remote(12)), None);
}

// --- through NATs -----------------------------------------------------------------------------------------------

#[test]
fn a_side_behind_a_nat_is_found_without_any_server() {
    for symmetric in [false, true] {
        let mut net = Net::new([1, 2], |_, _| {});
        net.nats[0] = Some(Nat::new([192, 0, 2, 1], symmetric, true));
        let mut net = net.exchange();
        net.run_to(2_000);
        assert_eq!(net.states(), [ConnectionState::Completed; 2]);
        assert!(net.agrees(Component::default()));
        let pair = net.agents[0].selected_pair(Component::default()).expect("selected");
        assert_eq!(pair.local.kind(), CandidateKind::PeerReflexive);
        let pair = net.agents[1].selected_pair(Component::default()).expect("selected");
        assert_eq!(pair.remote.kind(), CandidateKind::PeerReflexive);
    }
}

#[test]
fn two_nats_that_keep_their_mappings_are_crossed_with_reflexive_candidates() {
    let mut net = Net::new([1, 1], |_, _| {});
    for side in 0..2 {
        let mut nat = Nat::new([192, 0, 2, 1 + side as u8], false, true);
        let base = address(side, 0, Component::default());
        // What a STUN server would have shown.
        let seen = nat.outward(base, SocketAddr::from(([198, 51, 100, 1], 3478)));
        net.nats[side] = Some(nat);
        net.signal_one(side, &Candidate::server_reflexive(seen, base), Duration::ZERO);
    }
    let mut net = net.exchange();
    net.run_to(3_000);
    assert_eq!(net.states(), [ConnectionState::Completed; 2]);
    assert!(net.agrees(Component::default()));
}

#[test]
fn a_symmetric_nat_and_one_that_filters_by_port_cannot_be_crossed() {
    let mut net = Net::new([1, 1], |_, _| {});
    for side in 0..2 {
        let mut nat = Nat::new([192, 0, 2, 1 + side as u8], side == 0, true);
        let base = address(side, 0, Component::default());
        let seen = nat.outward(base, SocketAddr::from(([198, 51, 100, 1], 3478)));
        net.nats[side] = Some(nat);
        net.signal_one(side, &Candidate::server_reflexive(seen, base), Duration::ZERO);
    }
    let mut net = net.exchange();
    net.run_to(120_000);
    assert_eq!(net.states(), [ConnectionState::Failed; 2]);
}
