//! RFC 8445 §7.3.1.1 and §7.2.5.1: role conflicts, seen from both sides.

use crate::agent::tests::net::Net;
use crate::agent::tests::script::{PEER_UFRAG, Script, component, host, local, remote};
use crate::message::PeerRole;
use crate::{Component, ConnectionState, Event, PairState, Role, StreamId, Time};

const CONTROLLING_MAX: PeerRole = PeerRole::Controlling(u64::MAX);
const CONTROLLED_MAX: PeerRole = PeerRole::Controlled(u64::MAX);

#[test]
fn a_controlling_agent_keeps_its_role_against_a_smaller_tie_breaker() {
    let mut script = Script::controlling(1);
    script.signal(&host(1));
    let before = script.check();
    let answer =
        script.ask(|a| (a.role, a.nominate) = (Some(PeerRole::Controlling(0)), true)).expect("an answer");
    assert_eq!(answer.error, Some(487));
    assert_eq!(script.agent.role(), Role::Controlling);
    assert_eq!(script.state_of(local(1), remote(1)), Some(PairState::InProgress), "nothing is triggered");
    // A draw goes to whoever is asked.
    let answer = script.ask(|a| a.role = Some(PeerRole::Controlling(before.tie_breaker())));
    assert_eq!(answer.expect("an answer").error, Some(487));
    assert_eq!(script.agent.counters().role_conflicts, 2);
}

#[test]
fn a_controlling_agent_yields_to_a_larger_tie_breaker() {
    let mut script = Script::controlling(1);
    script.signal(&host(2));
    let before = script.check();
    let priority = script.pair(local(1), remote(2)).map(|p| p.priority);
    let answer = script.ask(|a| (a.role, a.from) = (Some(CONTROLLING_MAX), remote(2))).expect("an answer");
    assert_eq!((answer.error, answer.mapped), (None, Some(remote(2))), "the check is accepted");
    assert_eq!(script.agent.role(), Role::Controlled);
    assert!(script.events.contains(&Event::RoleChanged(Role::Controlled)));
    assert_ne!(script.pair(local(1), remote(2)).map(|p| p.priority), priority, "priorities are recomputed");
    let triggered = script.check();
    assert_eq!(triggered.role, Some(PeerRole::Controlled(before.tie_breaker())), "the tie-breaker stays");
}

#[test]
fn a_controlled_agent_takes_over_from_a_smaller_or_equal_tie_breaker() {
    for equal in [false, true] {
        let mut script = Script::controlled(1);
        script.signal(&host(1));
        let before = script.check();
        let theirs = if equal { before.tie_breaker() } else { 0 };
        let answer = script.ask(|a| a.role = Some(PeerRole::Controlled(theirs))).expect("an answer");
        assert_eq!(answer.error, None);
        assert_eq!(script.agent.role(), Role::Controlling);
        let triggered = script.check();
        assert_eq!(triggered.role, Some(PeerRole::Controlling(before.tie_breaker())));
    }
}

#[test]
fn a_controlled_agent_tells_a_larger_tie_breaker_to_switch() {
    let mut script = Script::controlled(1);
    script.signal(&host(1));
    let answer = script.ask(|a| a.role = Some(CONTROLLED_MAX)).expect("an answer");
    assert_eq!(answer.error, Some(487));
    assert_eq!(script.agent.role(), Role::Controlled);
}

#[test]
fn a_lite_peer_leaves_the_control_to_us() {
    // §6.1.1: it cannot control, whatever it says of itself.
    let mut script = Script::new(|c| c.role = Role::Controlled);
    script.host(1);
    let peer = crate::Credentials::new(PEER_UFRAG, "thePasswordOfThePeer123").expect("valid");
    let parameters = crate::RemoteParameters::new(peer).with_lite();
    script.agent.set_remote_parameters(&parameters, script.now).expect("open");
    script.signal(&host(1));
    assert_eq!(script.agent.role(), Role::Controlling);
    assert!(script.events.contains(&Event::RoleChanged(Role::Controlling)));
    let check = script.check();
    assert!(check.is_from_controlling());
    let answer = script.ask(|a| a.role = Some(CONTROLLING_MAX)).expect("an answer");
    assert_eq!((answer.error, script.agent.role()), (Some(487), Role::Controlling));
    script.answering_to(1_000);
    assert_eq!(script.agent.state(), ConnectionState::Completed);
}

#[test]
fn a_487_switches_the_role_draws_a_tie_breaker_and_checks_again() {
    for role in [Role::Controlling, Role::Controlled] {
        let mut script = Script::with(role, 1, |_| {});
        script.signal(&host(1));
        let check = script.check();
        script.refuse(&check, 487);
        assert_eq!(script.agent.role(), role.opposite());
        assert_eq!(script.state_of(local(1), remote(1)), Some(PairState::Waiting));
        let again = script.check();
        assert_eq!(again.is_from_controlling(), role == Role::Controlled);
        assert_ne!(again.tie_breaker(), check.tie_breaker());
        assert_ne!(again.id, check.id);
        script.reply(&again, |_| {});
        assert_eq!(script.state_of(local(1), remote(1)), Some(PairState::Succeeded));
    }
}

#[test]
fn all_checks_of_a_session_have_one_tie_breaker() {
    // §16.1: over all streams, consent checks included, and not that of another agent.
    let tie_breakers = |role, seed| {
        let mut script = Script::with(role, 1, |c| (c.streams, c.seed) = ([1, 1].to_vec(), [seed; 32]));
        script.host_at(component(1, 1), core::net::SocketAddr::from(([10, 0, 0, 1], 5001)));
        script.signal(&host(1));
        let _ = script.add(StreamId(1), &host(2));
        let mut found: alloc::vec::Vec<u64> = (0..12)
            .map(|_| {
                let check = script.check();
                script.reply(&check, |_| {});
                check.tie_breaker()
            })
            .collect();
        assert!(script.now > Time::from_secs(4), "some were for consent");
        found.dedup();
        found
    };
    for role in [Role::Controlling, Role::Controlled] {
        let both = [tie_breakers(role, 1), tie_breakers(role, 2)];
        assert_eq!(both.each_ref().map(alloc::vec::Vec::len), [1, 1]);
        assert_ne!(both[0], both[1]);
    }
}

#[test]
fn the_role_depends_on_what_the_refused_request_said() {
    // Two checks on their way, both refused: one switch, and both pairs are checked again.
    let mut script = Script::controlling(1);
    script.signal(&host(1));
    script.signal(&host(2));
    let (first, second) = (script.check(), script.check());
    script.refuse(&first, 487);
    let tie = script.check().tie_breaker();
    script.refuse(&second, 487);
    assert_eq!(script.agent.role(), Role::Controlled);
    let again = script.check();
    assert_eq!((again.to, again.role), (remote(2), Some(PeerRole::Controlled(tie))), "no second tie-breaker");
    let changes = script.events.iter().filter(|e| matches!(e, Event::RoleChanged(_)));
    assert_eq!(changes.count(), 1);
}

#[test]
fn a_487_that_takes_another_way_settles_the_roles_all_the_same() {
    // §7.2.5.1 is before §7.2.5.2.1. The peer's NAT may give its answers to us another port, and let no other check in.
    let mut script = Script::controlled(1);
    script.signal(&host(1));
    let check = script.check();
    script.reply(&check, |r| (r.error, r.from) = (Some(487), remote(2)));
    assert_eq!(script.agent.role(), Role::Controlling);
    let again = script.check();
    assert!(again.to == remote(1) && again.is_from_controlling());
    script.reply(&again, |r| r.from = remote(2));
    assert_eq!(
        script.state_of(local(1), remote(1)),
        Some(PairState::Failed),
        "a success has to be symmetric"
    );
    script.ask(|a| (a.role, a.from) = (Some(PeerRole::Controlled(0)), remote(2)));
    let triggered = script.check();
    script.reply(&triggered, |_| {});
    assert_eq!(script.state_of(local(1), remote(2)), Some(PairState::Succeeded));
}

#[test]
fn a_487_after_a_switch_on_the_other_side_is_no_second_switch() {
    let mut script = Script::controlling(1);
    script.signal(&host(1));
    let check = script.check();
    script.ask(|a| (a.role, a.from) = (Some(CONTROLLING_MAX), remote(2)));
    assert_eq!(script.agent.role(), Role::Controlled);
    script.refuse(&check, 487);
    assert_eq!(script.agent.role(), Role::Controlled);
    let _ = script.check();
    let again = script.check();
    assert_eq!((again.to, again.is_from_controlling()), (remote(1), false), "the pair does not hang");
}

#[test]
fn a_peer_that_always_answers_487_is_not_asked_for_ever() {
    let mut script = Script::controlling(1);
    script.signal(&host(1));
    for _ in 0..9 {
        let check = script.check();
        script.refuse(&check, 487);
    }
    assert_eq!(script.state_of(local(1), remote(1)), Some(PairState::Failed));
}

#[test]
fn use_candidate_of_a_controlled_peer_means_nothing() {
    for role in [Role::Controlling, Role::Controlled] {
        let mut script = Script::with(role, 1, |_| {});
        script.signal(&host(1));
        let check = script.check();
        script.reply(&check, |_| {});
        script.ask(|a| (a.role, a.nominate) = (Some(PeerRole::Controlled(0)), true));
        script.to(200);
        assert_eq!(script.selected(), None);
    }
}

#[test]
fn both_halves_of_the_user_name_our_own_are_no_conflict() {
    let mut script = Script::new(|c| c.role = Role::Controlling);
    script.host(1);
    let own = script.agent.local_credentials().clone();
    script.agent.set_remote_parameters(&own.clone().into(), script.now).expect("open");
    script.signal(&crate::Candidate::host(local(1)));
    let check = script.check();
    let socket = script.socket(local(1));
    // The check arrives where it came from.
    let _ = script.deliver_to(socket, None, local(1), &check.bytes);
    assert_eq!(script.agent.role(), Role::Controlling);
    assert_eq!(script.agent.counters().role_conflicts, 0);
}

#[test]
fn a_switch_puts_an_end_to_our_nominations() {
    let mut script = Script::controlling(1);
    script.signal(&host(1));
    let check = script.check();
    script.reply(&check, |_| {});
    let nomination = script.check();
    assert!(nomination.use_candidate);
    script.refuse(&nomination, 487);
    assert_eq!(script.agent.role(), Role::Controlled);
    let again = script.check();
    assert!(!again.use_candidate, "a controlled agent never nominates");
    script.reply(&again, |_| {});
    assert_eq!(script.selected(), None);
    script.ask(|a| a.nominate = true);
    assert_eq!(script.selected(), Some((local(1), remote(1))));
}

#[test]
fn a_switch_after_a_selection_leaves_the_choice_to_the_new_controlling_side() {
    // Our nomination was answered before the peer knew our credentials, and so its role did not matter yet (§7.3).
    let mut script = Script::controlling(1);
    script.signal(&host(1));
    script.signal(&host(2));
    script.end();
    let checks = [script.check(), script.check()];
    for check in checks.iter().rev() {
        script.reply(check, |_| {});
    }
    script.answering_to(500);
    assert_eq!(script.selected(), Some((local(1), remote(1))));
    script.ask(|a| a.role = Some(CONTROLLING_MAX));
    assert_eq!((script.selected(), script.path()), (None, Some(remote(1))), "data goes on");
    assert_eq!(script.agent.state(), ConnectionState::Connected);
    script.ask(|a| (a.role, a.from, a.nominate) = (Some(CONTROLLING_MAX), remote(2), true));
    assert_eq!(script.selected(), Some((local(1), remote(2))), "whatever we had thought best");
    assert_eq!(script.agent.state(), ConnectionState::Completed);
}

#[test]
fn two_agents_of_the_same_role_settle_it_whoever_has_the_larger_tie_breaker() {
    for role in [Role::Controlling, Role::Controlled] {
        for seeds in [[1, 2], [2, 1], [3, 4], [4, 3]] {
            for one_way in [[20, 20], [50, 50], [5, 90], [90, 5]] {
                let mut net = Net::new([1, 1], |side, c| (c.role, c.seed) = (role, [seeds[side]; 32]));
                net.conditions.one_way = one_way.map(core::time::Duration::from_millis);
                let mut net = net.exchange();
                net.run_to(3_000);
                assert_eq!(net.states(), [ConnectionState::Completed; 2], "{role} {seeds:?} {one_way:?}");
                assert_ne!(net.agents[0].role(), net.agents[1].role());
                assert!(net.agrees(Component::default()));
            }
        }
    }
}
