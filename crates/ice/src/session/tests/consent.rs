//! RFC 7675: consent to send, its renewal, expiry and revocation.

use alloc::vec::Vec;
use core::time::Duration;

use floe_stun::IntegrityAlgorithm;

use crate::agent::tests::heard::signed_with;
use crate::agent::tests::net::{Conditions, Net};
use crate::agent::tests::script::{Script, Sent, host, local, millis, peer_key, remote};
use crate::{
    Component, ConnectionState, ConsentLoss, Event, PairState, Received, Rejection, Role, SelectionReason,
    SendError, Time,
};

fn losses(script: &Script) -> Vec<ConsentLoss> {
    let loss = |e: &Event| if let Event::ConsentLost { loss, .. } = e { Some(*loss) } else { None };
    script.events.iter().filter_map(loss).collect()
}

fn no_path(script: &Script) -> Option<SendError> {
    script.agent.send_path(Component::default()).err()
}

#[test]
fn consent_is_checked_every_4_to_6_seconds_once_each_with_a_new_id() {
    let mut script = Script::connected(Role::Controlled, |_| {});
    let (mut last, mut ids, mut intervals) = (script.now, Vec::new(), Vec::new());
    while script.now < Time::from_secs(3_600) {
        let check = script.check();
        intervals.push(check.at.saturating_since(last));
        last = check.at;
        assert!(!ids.contains(&check.id));
        ids.push(check.id);
        // The same credentials, roles and integrity as ICE's own checks; it nominates nothing.
        assert_eq!(signed_with(&check.bytes, &peer_key()), IntegrityAlgorithm::Sha1);
        assert!(check.username.is_some() && check.priority.is_some() && !check.use_candidate);
        assert!(!check.is_from_controlling() && check.has_fingerprint);
        script.reply(&check, |_| {});
    }
    assert!(intervals.iter().all(|i| (Duration::from_secs(4)..=Duration::from_secs(6)).contains(i)));
    // Spread over the range, and 5 s on average.
    let mean = intervals.iter().sum::<Duration>() / intervals.len() as u32;
    assert!((4_900..=5_100).contains(&mean.as_millis()), "{mean:?}");
    let (low, high) = (intervals.iter().min().copied(), intervals.iter().max().copied());
    assert!(low < Some(Duration::from_millis(4_050)) && high > Some(Duration::from_millis(5_950)));
    assert!(script.wakeups <= 750, "{} wake-ups an hour", script.wakeups);
}

#[test]
fn a_consent_check_is_not_retransmitted() {
    let mut script = Script::connected(Role::Controlled, |_| {});
    script.to(29_000);
    let checks = script.requests();
    let mut ids: Vec<_> = checks.iter().map(|c| c.id).collect();
    ids.sort_by_key(|id| *id.as_bytes());
    ids.dedup();
    assert_eq!(ids.len(), checks.len());
    assert!((5..=7).contains(&checks.len()));
}

#[test]
fn a_consent_check_that_the_network_duplicated_is_answered_again_and_counts_once() {
    let mut script = Script::connected(Role::Controlled, |_| {});
    let counted = |script: &Script| {
        let id = script.pair(local(1), remote(1)).expect("the path").id;
        let stats = script.agent.pair_stats(id).expect("statistics");
        (stats.requests_received, stats.retransmissions_received)
    };
    let (before, _) = counted(&script);
    let mut last = script.new_ask(|a| a.nominate = false);
    for n in 1..=12 {
        script.after(5_000);
        let check = script.check();
        script.reply(&check, |_| {});
        last = script.new_ask(|a| a.nominate = false);
        let (_, first) = script.send_ask(&last);
        let (_, again) = script.send_ask(&last);
        assert!(first.is_some());
        assert_eq!(again.map(|a| a.bytes), first.map(|a| a.bytes));
        assert_eq!(counted(&script), (before + n, n));
    }
    last.from = remote(2);
    let _ = script.send_ask(&last);
    assert_eq!(counted(&script), (before + 12, 12), "from elsewhere it is another one");
}

#[test]
fn it_expires_after_30_seconds_and_then_nothing_is_sent() {
    let mut script = Script::connected(Role::Controlled, |_| {});
    let granted = script.now;
    script.to(100);
    script.answering_to(39_500);
    let answered = script.events.len();
    let last = script.now;
    let check = script.check();
    script.reply(&check, |_| {});
    let confirmed = script.now;
    assert!(confirmed > last && confirmed > granted);
    let end = confirmed.saturating_add(Duration::from_secs(30)).as_nanos() / 1_000_000 + 1;
    script.to(end - 2);
    assert!(script.path().is_some());
    script.to(end);
    assert_eq!(no_path(&script), Some(SendError::NoConsent));
    assert_eq!(losses(&script), [ConsentLoss::Expired]);
    let events = &script.events[answered..];
    assert!(events.contains(&Event::StateChanged(ConnectionState::Disconnected)));
    assert_eq!(events.last(), Some(&Event::StateChanged(ConnectionState::Failed)));
    let _ = script.take();
    script.to(end + 600_000);
    assert_eq!(script.take().len(), 0);
    assert_eq!(script.agent.poll_timeout(), None);
}

#[test]
fn any_outstanding_answer_renews_it() {
    let mut script = Script::connected(Role::Controlled, |_| {});
    let first = script.check();
    // 25 s later, with newer checks unanswered.
    script.to(29_000);
    assert!(script.requests().len() >= 3);
    script.reply(&first, |_| {});
    script.to(58_000);
    assert!(script.path().is_some());
    script.to(59_001);
    assert_eq!(losses(&script), [ConsentLoss::Expired]);
}

#[test]
fn answers_after_expiry_do_not_bring_it_back_nor_do_checks_of_the_peer() {
    // RFC 7675 §5.1: the same credentials are not used on that 5-tuple again. The agent has another stream that lives.
    let mut script = Script::with(Role::Controlled, 1, |c| c.streams = [1, 1].to_vec());
    let second = core::net::SocketAddr::from(([10, 0, 0, 1], 5001));
    script.host_at(crate::agent::tests::script::component(1, 1), second);
    script.signal(&host(1));
    let _ = script.add(crate::StreamId(1), &host(2));
    script.end();
    script.answering_to(1_000);
    script.ask(|a| a.nominate = true);
    script.ask(|a| (a.from, a.to, a.nominate) = (remote(2), second, true));
    assert_eq!(script.agent.state(), ConnectionState::Completed);
    script.answering_some_to(60_000, |c| c.to == remote(2));
    assert_eq!(losses(&script), [ConsentLoss::Expired]);
    let outstanding: Vec<Sent> = script.requests();
    for check in outstanding.iter().rev().take(4) {
        let received = script.try_reply(check, |_| {});
        assert_eq!(received, Received::Rejected(Rejection::UnknownTransaction));
    }
    for nominate in [false, true, true] {
        // RFC 7675 §5.2, and RFC 8445 §7.3.1.5 for the nomination.
        let answer = script.ask(|a| a.nominate = nominate).expect("an answer");
        assert_eq!(answer.error, Some(403));
        script.answering_some_to(script.now.as_nanos() / 1_000_000 + 500, |c| c.to == remote(2));
    }
    assert!(script.requests().is_empty(), "and nothing else");
    assert_eq!(script.state_of(local(1), remote(1)), Some(PairState::Failed));
    assert_eq!(no_path(&script), Some(SendError::NoConsent));
    assert!(script.agent.send_path(crate::agent::tests::script::component(1, 1)).is_ok());
}

#[test]
fn an_authenticated_403_revokes_it_and_nothing_else_does() {
    let mut script = Script::connected(Role::Controlled, |_| {});
    for code in [400, 401, 420, 487, 500] {
        let check = script.check();
        script.refuse(&check, code);
        assert!(script.path().is_some(), "{code}");
        let check = script.check();
        script.reply(&check, |_| {});
    }
    let check = script.check();
    let forged = script.try_reply(&check, |r| (r.error, r.key) = (Some(403), None));
    assert_eq!(forged, Received::Rejected(Rejection::MissingAttribute));
    script.reply(&check, |r| (r.error, r.from) = (Some(403), remote(2)));
    assert!(script.path().is_some(), "from elsewhere");
    let check = script.check();
    script.refuse(&check, 403);
    assert_eq!(losses(&script), [ConsentLoss::Revoked]);
    assert_eq!(no_path(&script), Some(SendError::NoConsent));
}

#[test]
fn errors_do_not_renew_it() {
    let mut script = Script::connected(Role::Controlled, |_| {});
    while losses(&script).is_empty() {
        assert!(script.now < millis(31_000));
        let check = script.check();
        script.refuse(&check, 400);
        if script.now > millis(24_000) {
            script.to(31_000);
        }
    }
}

#[test]
fn neither_data_nor_indications_nor_checks_of_the_peer_renew_it() {
    let mut script = Script::connected(Role::Controlled, |_| {});
    for ms in (1_000..=31_000).step_by(500) {
        script.to(ms);
        let _ = script.deliver(remote(1), local(1), &[0x80; 20]);
        script.ask(|_| {});
    }
    assert_eq!(losses(&script), [ConsentLoss::Expired]);
}

#[test]
fn an_answer_from_elsewhere_does_not_renew_it() {
    let mut script = Script::connected(Role::Controlled, |_| {});
    let mut answered = 0;
    while script.now < millis(25_000) {
        let check = script.check();
        script.reply(&check, |r| r.from = remote(2));
        answered += 1;
    }
    assert!(answered > 3);
    script.to(31_000);
    assert_eq!(losses(&script), [ConsentLoss::Expired]);
}

#[test]
fn a_path_without_answers_is_disconnected_before_it_expires_and_recovers() {
    let mut script = Script::connected(Role::Controlled, |_| {});
    script.states();
    script.to(14_900);
    assert_eq!(script.states(), []);
    script.to(20_000);
    assert_eq!(script.states(), [ConnectionState::Disconnected]);
    assert!(script.path().is_some(), "consent lasts longer");
    let check = script.requests().pop().expect("checks go on");
    script.reply(&check, |_| {});
    assert_eq!(script.states(), [ConnectionState::Completed]);
}

#[test]
fn two_lost_consent_checks_in_a_row_flap_nothing() {
    // Whatever the jitter: only every third check is answered, for an hour.
    for seed in 0..5 {
        let mut script = Script::connected(Role::Controlled, |c| c.seed = [seed; 32]);
        script.take_events();
        let mut count = 0;
        while script.now < Time::from_secs(3_600) {
            let check = script.check();
            count += 1;
            if count % 3 == 0 {
                script.after(400);
                script.reply(&check, |_| {});
            }
        }
        assert_eq!(script.take_events(), []);
    }
}

#[test]
fn an_application_that_is_silent_keeps_its_consent() {
    let mut net = Net::new([1, 1], |_, _| {}).with(Conditions::perfect(30)).exchange();
    net.run_to(600_000);
    assert_eq!(net.states(), [ConnectionState::Completed; 2]);
    for side in 0..2 {
        assert!(net.agents[side].send_path(Component::default()).is_ok());
        assert_eq!(net.first(side, |e| matches!(e, Event::ConsentLost { .. })), None);
    }
}

#[test]
fn a_cut_line_ends_both_sides_and_a_short_cut_none() {
    let mut net = Net::new([1, 1], |_, _| {}).with(Conditions::perfect(30)).exchange();
    net.run_to(60_000);
    net.cut = [true, true];
    net.run_to(80_000);
    assert_eq!(net.states(), [ConnectionState::Disconnected; 2]);
    net.cut = [false, false];
    net.run_to(90_000);
    assert_eq!(net.states(), [ConnectionState::Completed; 2]);
    net.cut = [true, false];
    net.run_to(125_000);
    assert_eq!(net.states(), [ConnectionState::Failed; 2], "one direction is enough");
    for side in 0..2 {
        assert_eq!(net.agents[side].poll_timeout(), None);
    }
}

#[test]
fn a_pair_that_was_proved_long_ago_is_proved_again_before_it_is_used() {
    // The peer nominates, after a minute, a valid pair that nothing was sent on since.
    let mut script = Script::controlled(1);
    script.signal(&host(1));
    script.signal(&host(2));
    let checks = [script.check(), script.check()];
    for check in &checks {
        script.reply(check, |_| {});
    }
    script.answering_to(60_000);
    assert_eq!(script.path(), Some(remote(1)), "consent goes on where data may be sent");
    script.ask(|a| (a.from, a.nominate) = (remote(2), true));
    assert_eq!(script.selected(), None);
    let proof = script.check();
    assert_eq!(proof.to, remote(2));
    script.reply(&proof, |_| {});
    assert_eq!(script.selected(), Some((local(1), remote(2))));
    assert_eq!(losses(&script), []);
    script.answering_to(120_000);
    assert_eq!(script.path(), Some(remote(2)));
}

#[test]
fn a_lost_path_is_replaced_by_another_valid_pair_once_it_is_proved() {
    let mut script = Script::controlling(1);
    script.signal(&host(1));
    script.signal(&host(2));
    script.end();
    let checks = [script.check(), script.check()];
    for check in checks.iter().rev() {
        script.reply(check, |_| {});
    }
    script.answering_to(60_000);
    assert_eq!(script.path(), Some(remote(1)));
    script.answering_some_to(100_000, |c| c.to == remote(2));
    assert_eq!(losses(&script), [ConsentLoss::Expired]);
    assert_eq!(script.path(), Some(remote(2)));
    assert_eq!(script.selected(), Some((local(1), remote(2))));
    assert!(
        script
            .events
            .iter()
            .any(|e| matches!(e, Event::SelectedPairChanged { reason: SelectionReason::PathLost, .. }))
    );
    assert_eq!(script.agent.state(), ConnectionState::Completed);
}

#[test]
fn if_the_others_are_dead_too_the_session_fails() {
    for role in [Role::Controlling, Role::Controlled] {
        let mut script = Script::with(role, 1, |_| {});
        for n in 1..=3 {
            script.signal(&host(n));
        }
        script.end();
        let checks = [script.check(), script.check(), script.check()];
        for check in checks.iter().rev() {
            script.reply(check, |_| {});
        }
        script.ask(|a| a.nominate = role == Role::Controlled);
        script.answering_to(60_000);
        assert_eq!(script.agent.state(), ConnectionState::Completed);
        script.to(200_000);
        assert_eq!(script.agent.state(), ConnectionState::Failed, "{role}");
    }
}

#[test]
fn consent_before_selection_is_kept_and_lost_like_any_other() {
    let mut script = Script::controlled(1);
    script.signal(&host(1));
    script.end();
    let check = script.check();
    script.reply(&check, |_| {});
    script.answering_to(120_000);
    assert_eq!(script.agent.state(), ConnectionState::Connected);
    script.to(160_000);
    assert_eq!(losses(&script), [ConsentLoss::Expired]);
    assert_eq!(script.agent.state(), ConnectionState::Failed);
}

#[test]
fn a_component_that_waits_for_another_one_keeps_its_consent() {
    let mut script = Script::new(|c| (c.role, c.streams) = (Role::Controlled, [2].to_vec()));
    script.host(1);
    let rtcp = core::net::SocketAddr::from(([10, 0, 0, 1], 5001));
    script.host_at(crate::agent::tests::script::component(0, 2), rtcp);
    script.know_peer();
    script.signal(&host(1));
    script.answering_to(35_000);
    assert_eq!(script.path(), None);
    script.signal(&host(2).with_component(crate::ComponentId::new(2).expect("two")));
    script.answering_to(35_100);
    assert_eq!(script.path(), Some(remote(1)), "at once");
}
