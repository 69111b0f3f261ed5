//! RFC 8838, and RFC 8445 §7.3 for checks that come before the peer's credentials.

use core::net::SocketAddr;
use core::time::Duration;

use crate::agent::tests::net::{Conditions, Net};
use crate::agent::tests::script::{PEER_UFRAG, Script, Sent, host, local, millis, remote};
use crate::message::PeerRole;
use crate::{
    AddedCandidate, Candidate, Component, ConnectionState, Event, IgnoredCandidate, PairState, Received,
    Rejection, Role, StreamId,
};

/// The order in which what a side signals reaches the other.
#[derive(Clone, Copy, Debug)]
enum Step {
    Credentials,
    Candidates,
    End,
}

const ORDERS: [[Step; 3]; 3] = [
    [Step::Credentials, Step::Candidates, Step::End],
    [Step::Candidates, Step::Credentials, Step::End],
    // The end before the credentials: with the candidates of a description that came in parts.
    [Step::Candidates, Step::End, Step::Credentials],
];

#[test]
fn agents_connect_in_every_order_of_signalling() {
    for first in ORDERS {
        for second in ORDERS {
            for gap in [0, 30, 400] {
                let mut net = Net::new([2, 2], |_, _| {}).with(Conditions::perfect(20));
                for (side, order) in [(0, first), (1, second)] {
                    net.agents[side].end_of_local_candidates(net.now).expect("open");
                    for (n, step) in (1..).zip(order) {
                        let delay = Duration::from_millis(gap * n + side as u64 * 15);
                        match step {
                            Step::Credentials => net.introduce(side, delay),
                            Step::Candidates => net.signal(side, delay),
                            Step::End => net.end(side, delay),
                        }
                    }
                }
                net.run_to(5_000);
                assert_eq!(net.states(), [ConnectionState::Completed; 2], "{first:?} {second:?} {gap}");
                assert!(net.agrees(Component::default()));
            }
        }
    }
}

#[test]
fn without_any_end_of_candidates_it_only_takes_the_settle_window() {
    let mut net = Net::new([2, 2], |_, _| {}).with(Conditions::perfect(20));
    for side in 0..2 {
        net.signal(side, Duration::ZERO);
        net.introduce(side, Duration::ZERO);
    }
    net.run_to(1_000);
    assert_eq!(net.states(), [ConnectionState::Completed; 2]);
}

#[test]
fn one_side_may_signal_no_candidate_at_all() {
    // RFC 8838 §5, RFC 8863 §3.1.
    for side in 0..2 {
        let mut net = Net::new([1, 1], |_, _| {}).with(Conditions::perfect(20));
        for other in 0..2 {
            net.agents[other].end_of_local_candidates(net.now).expect("open");
            if other != side {
                net.signal(other, Duration::ZERO);
            }
            net.end(other, Duration::ZERO);
            net.introduce(other, Duration::ZERO);
        }
        net.run_to(1_000);
        assert_eq!(net.states(), [ConnectionState::Completed; 2]);
    }
}

#[test]
fn a_first_check_leaves_as_soon_as_it_has_what_it_needs() {
    let mut script = Script::new(|_| {});
    script.host(1);
    script.signal(&host(1));
    script.to(1_234);
    assert_eq!(script.requests().len(), 0);
    script.know_peer();
    assert_eq!(script.requests()[0].at, millis(1_234));
    let mut script = Script::controlled(1);
    script.to(777);
    script.signal(&host(1));
    assert_eq!(script.requests()[0].at, millis(777));
    let mut script = Script::controlled(0);
    script.signal(&host(1));
    script.to(888);
    script.host(1);
    assert_eq!(script.requests()[0].at, millis(888));
}

#[test]
fn a_candidate_of_another_generation_is_ignored_whenever_it_comes() {
    // RFC 8838 §11.
    let with = |n, ufrag: &str| host(n).with_ufrag(ufrag).expect("a ufrag");
    let mut script = Script::new(|_| {});
    script.host(1);
    let before =
        [script.add(StreamId::FIRST, &with(1, "gone")), script.add(StreamId::FIRST, &with(2, PEER_UFRAG))];
    assert!(before.iter().all(|a| matches!(a, AddedCandidate::Added(_))), "nobody can tell yet");
    script.know_peer();
    assert!(script.pair(local(1), remote(1)).is_none());
    assert!(script.pair(local(1), remote(2)).is_some());
    assert_eq!(script.agent.remote_candidates().count(), 1);
    // Of credentials that may still come; until then it is nobody's.
    assert_eq!(script.add(StreamId::FIRST, &with(3, "gone")), AddedCandidate::Held);
    assert!(script.pair(local(1), remote(3)).is_none());
    assert!(matches!(script.add(StreamId::FIRST, &with(4, PEER_UFRAG)), AddedCandidate::Added(_)));
    // The same address in the right generation is welcome.
    assert!(matches!(script.add(StreamId::FIRST, &host(1)), AddedCandidate::Added(_)));
    script.to(1_000);
    assert!(script.requests().iter().any(|c| c.to == remote(1)));
}

#[test]
fn the_peers_end_is_for_signalled_candidates_only() {
    let mut script = Script::controlled(1);
    script.end_remote();
    let late = script.add(StreamId::FIRST, &host(1));
    assert_eq!(late, AddedCandidate::Ignored(IgnoredCandidate::AfterEndOfCandidates));
    script.ask(|_| {});
    assert_eq!(script.state_of(local(1), remote(1)), Some(PairState::InProgress), "RFC 8863 §5");
}

#[test]
fn the_slower_of_both_sides_sets_the_pace() {
    // RFC 8445 §14.2. Nobody slows us down to less than one check in a second (our own rule).
    for (ours, theirs, expected) in [
        (50, None, 50),
        (20, None, 50),
        (20, Some(30), 30),
        (100, Some(30), 100),
        (50, Some(1_000), 1_000),
        (50, Some(3_600_000), 1_000),
    ] {
        let mut script = Script::new(|c| c.ta = Duration::from_millis(ours));
        script.host(1);
        for n in 1..=3 {
            script.signal(&host(n));
        }
        let credentials = crate::Credentials::new(PEER_UFRAG, "thePasswordOfThePeer123").expect("valid");
        let parameters = crate::RemoteParameters::new(credentials);
        let parameters = match theirs {
            Some(ms) => parameters.with_pacing(Duration::from_millis(ms)),
            None => parameters,
        };
        script.agent.set_remote_parameters(&parameters, script.now).expect("open");
        script.to(0);
        script.to(2 * expected);
        let first = |sent: &[Sent], n| sent.iter().find(|c| c.to == remote(n)).map(|c| c.at);
        let sent = script.requests();
        let times = [1, 2, 3].map(|n| first(&sent, n));
        assert_eq!(times, [0, expected, 2 * expected].map(|ms| Some(millis(ms))));
    }
}

// --- checks before the credentials ------------------------------------------------------------------------------

fn early() -> Script {
    let mut script = Script::new(|c| c.role = Role::Controlled);
    script.host(1);
    script
}

#[test]
fn an_early_check_is_answered_at_once_and_acted_on_later() {
    let mut script = early();
    let answer = script.ask(|_| {}).expect("an answer");
    assert_eq!(answer.mapped, Some(remote(1)));
    assert_eq!(script.agent.remote_candidates().count(), 0);
    script.to(1_000);
    assert_eq!(script.requests().len(), 0);
    script.know_peer();
    assert_eq!(script.agent.remote_candidates().count(), 1);
    let triggered = script.check();
    assert_eq!((triggered.to, triggered.at), (remote(1), millis(1_000)));
}

#[test]
fn data_behind_an_early_check_is_delivered() {
    // §12.2: the peer has its answer, and with it a pair to send on (§12.1), while signalling is on its way to us.
    let mut script = early();
    let data = [0x80, 1, 2, 3];
    let unknown = Received::Rejected(Rejection::UnknownSource);
    assert_eq!(script.deliver(remote(1), local(1), &data), unknown);
    script.ask(|_| {});
    assert!(matches!(script.deliver(remote(1), local(1), &data), Received::Data { .. }));
    assert_eq!(script.deliver(remote(2), local(1), &data), unknown, "from elsewhere");
    script.know_peer();
    assert!(matches!(script.deliver(remote(1), local(1), &data), Received::Data { .. }));
}

#[test]
fn an_early_check_is_triggered_before_the_signalled_pairs() {
    let mut script = early();
    script.ask(|a| a.from = remote(5));
    for n in 1..=5 {
        script.signal(&host(n));
    }
    script.know_peer();
    assert_eq!(script.check().to, remote(5));
    assert_eq!(script.agent.remote_candidates().count(), 5, "it was signalled: nothing is learned");
}

#[test]
fn an_early_nomination_is_remembered_even_if_a_later_check_has_none() {
    let mut script = early();
    script.ask(|a| a.nominate = true);
    script.ask(|_| {});
    script.know_peer();
    let check = script.check();
    script.reply(&check, |_| {});
    assert_eq!(script.selected(), Some((local(1), remote(1))));
}

#[test]
fn an_early_check_is_forgotten_when_its_socket_fails() {
    let mut script = early();
    script.host(2);
    script.ask(|_| {});
    let socket = script.socket(local(1));
    script.agent.socket_failed(socket, script.now);
    script.know_peer();
    script.to(1_000);
    assert_eq!(script.agent.pairs().count(), 0);
    assert_eq!(script.requests().len(), 0);
}

#[test]
fn an_early_role_conflict_is_settled_when_the_credentials_come() {
    let mut script = early();
    script.ask(|a| a.role = Some(PeerRole::Controlled(0)));
    assert_eq!(script.agent.role(), Role::Controlled);
    script.know_peer();
    assert_eq!(script.agent.role(), Role::Controlling);
    assert!(script.events.contains(&Event::RoleChanged(Role::Controlling)));
    assert!(script.check().is_from_controlling());
}

#[test]
fn an_early_check_that_lost_the_conflict_still_tells_where_the_peer_is() {
    // It was answered with success, so the rest of §7.3.1 applies; our own check then settles the conflict.
    let mut script = early();
    script.ask(|a| a.role = Some(PeerRole::Controlled(u64::MAX)));
    script.know_peer();
    assert_eq!(script.agent.role(), Role::Controlled);
    let check = script.check();
    assert_eq!(check.to, remote(1));
    script.refuse(&check, 487);
    assert_eq!(script.agent.role(), Role::Controlling);
}

#[test]
fn early_checks_are_few_and_the_rest_is_answered_too() {
    let mut script = Script::new(|c| c.limits.early_checks = 3);
    script.host(1);
    for n in 1..=10 {
        assert!(script.ask(|a| a.from = remote(n)).is_some());
        // A sender that repeats itself takes no more room.
        assert!(script.ask(|a| a.from = remote(1)).is_some());
    }
    script.know_peer();
    assert_eq!(script.agent.remote_candidates().count(), 3);
    let order: [SocketAddr; 3] = core::array::from_fn(|_| script.check().to);
    assert_eq!(order, [remote(1), remote(2), remote(3)]);
    assert_eq!(script.agent.counters().rejected(Rejection::LimitReached), 7);
}

#[test]
fn an_early_check_that_is_retransmitted_is_one() {
    let mut script = early();
    let ask = script.new_ask(|_| {});
    let (_, first) = script.send_ask(&ask);
    let (_, second) = script.send_ask(&ask);
    assert_eq!(first.map(|a| a.bytes), second.map(|a| a.bytes));
    script.know_peer();
    let triggered = script.check();
    let (_, third) = script.send_ask(&ask);
    assert!(third.is_some());
    script.to(400);
    assert_eq!(script.requests().len(), 0, "{:?} is the only check", triggered.id);
}

#[test]
fn a_late_local_candidate_is_paired_with_what_is_known() {
    let mut script = Script::controlled(1);
    script.signal(&host(1));
    script.host(2);
    assert_eq!(script.agent.pairs().count(), 2);
    let learned = Candidate::host(remote(9));
    script.signal(&learned);
    assert_eq!(script.agent.pairs().count(), 4);
}
