//! RFC 8445 §7.2.4 and §7.2.5: checks as they are sent, and what their answers mean.

use alloc::string::ToString;
use alloc::vec::Vec;
use core::time::Duration;

use floe_stun::{AttributeType, IntegrityAlgorithm, Key};

use crate::agent::tests::heard::signed_with;
use crate::agent::tests::script::{PEER_UFRAG, Script, host, local, millis, peer_key, remote};
use crate::candidate::{Credentials, peer_reflexive_priority};
use crate::{
    Component, Config, ConfigError, Nomination, PairState, Received, Rejection, RemoteParameters, Role,
};

#[test]
fn a_check_has_what_the_rfc_demands_and_nothing_else() {
    for role in [Role::Controlling, Role::Controlled] {
        let mut script = Script::with(role, 2, |_| {});
        script.signal(&host(1));
        for _ in 0..2 {
            let check = script.check();
            // §7.2.2, §7.1.1, §7.1.2, §7.1.3, §7.2.4.
            let ours = script.agent.local_credentials().ufrag();
            assert_eq!(check.username.as_deref(), Some(&*std::format!("{PEER_UFRAG}:{ours}")));
            let sender = script.agent.local_candidates().find(|(_, _, c)| c.address() == check.from);
            let priority = sender.expect("a candidate of ours").2.priority();
            assert_eq!(check.priority, Some(peer_reflexive_priority(priority)));
            assert_eq!(check.is_from_controlling(), role == Role::Controlling);
            assert!(!check.use_candidate && check.has_fingerprint);
            assert_eq!(check.attributes, 5);
            assert_eq!(signed_with(&check.bytes, &peer_key()), IntegrityAlgorithm::Sha1);
        }
    }
}

#[test]
fn the_longest_check_fits_a_packet_that_every_host_takes() {
    // RFC 8489 §6.1: with the headers of IPv4 and UDP, 576 bytes.
    let mut script = Script::new(|c| (c.role, c.nomination) = (Role::Controlling, Nomination::Immediate));
    script.host(1);
    script.signal(&host(1));
    let peer = Credentials::new(&"u".repeat(256), &"p".repeat(256)).expect("the longest there are");
    script.agent.set_remote_parameters(&RemoteParameters::new(peer), script.now).expect("open");
    let check = script.check();
    assert!(check.use_candidate && check.username.as_ref().is_some_and(|name| name.len() > 256));
    assert!(20 + 8 + check.bytes.len() <= 576, "{} bytes", check.bytes.len());
}

#[test]
fn a_check_is_retransmitted_with_the_same_bytes_on_the_schedule_of_the_rfc() {
    let mut script = Script::controlled(1);
    script.signal(&host(1));
    script.to(39_499);
    let sent = script.requests();
    assert_eq!(script.state_of(local(1), remote(1)), Some(PairState::InProgress));
    let times: Vec<_> = sent.iter().map(|c| c.at).collect();
    assert_eq!(times, [0, 500, 1_500, 3_500, 7_500, 15_500, 31_500].map(millis));
    assert!(sent.iter().all(|c| c.bytes == sent[0].bytes));
    script.to(39_500);
    assert_eq!(script.state_of(local(1), remote(1)), Some(PairState::Failed), "§7.2.5.2.3");
}

#[test]
fn a_success_makes_the_pair_valid() {
    let mut script = Script::controlled(1);
    script.signal(&host(1));
    let check = script.check();
    assert_eq!(script.try_reply(&check, |_| {}), Received::Ice);
    let pair = script.pair(local(1), remote(1)).expect("the pair");
    assert!(pair.valid && !pair.nominated);
    assert_eq!(pair.state, PairState::Succeeded);
    script.to(2_000);
    assert_eq!(script.requests().len(), 0, "no retransmission");
}

#[test]
fn a_second_answer_is_no_answer() {
    let mut script = Script::controlled(1);
    script.signal(&host(1));
    let check = script.check();
    script.reply(&check, |_| {});
    let again = script.try_reply(&check, |r| r.error = Some(400));
    assert_eq!(again, Received::Rejected(Rejection::UnknownTransaction));
    assert_eq!(script.state_of(local(1), remote(1)), Some(PairState::Succeeded));
}

#[test]
fn answers_without_the_right_integrity_do_not_exist() {
    // RFC 8489 §9.1.4: errors too, whatever they say.
    let mut script = Script::controlling(1);
    script.signal(&host(1));
    let check = script.check();
    for error in [None, Some(300), Some(400), Some(401), Some(403), Some(420), Some(487), Some(500)] {
        for (key, reason) in [
            (None, Rejection::MissingAttribute),
            (Some(Key::short_term("another password altogether")), Rejection::BadIntegrity),
        ] {
            let before = script.agent.counters().rejected(reason);
            let received = script.try_reply(&check, |r| (r.error, r.key) = (error, key));
            assert_eq!(received, Received::Rejected(reason));
            assert_eq!(script.agent.counters().rejected(reason), before + 1);
        }
    }
    assert_eq!(script.agent.role(), Role::Controlling);
    assert_eq!(script.state_of(local(1), remote(1)), Some(PairState::InProgress));
    assert!(script.events.iter().all(|e| !matches!(e, crate::Event::RoleChanged(_))));
    script.reply(&check, |_| {});
    assert_eq!(script.state_of(local(1), remote(1)), Some(PairState::Succeeded));
}

#[test]
fn an_answer_with_another_algorithm_than_the_request_is_discarded() {
    // RFC 8489 §9.1.4.
    let mut script = Script::controlling(1);
    script.signal(&host(1));
    let check = script.check();
    let received = script.try_reply(&check, |r| r.sha256 = true);
    assert_eq!(received, Received::Rejected(Rejection::BadIntegrity));
    assert_eq!(script.state_of(local(1), remote(1)), Some(PairState::InProgress));
}

#[test]
fn an_answer_that_takes_another_way_fails_the_pair() {
    // §7.2.5.2.1: from another address or port, or to another one of ours.
    let ways: [fn(&mut crate::agent::tests::script::Reply); 3] =
        [|r| r.from = remote(2), |r| r.from.set_port(r.from.port() + 1), |r| r.to = local(2)];
    for way in ways {
        let mut script = Script::controlling(2);
        script.signal(&host(1));
        let check = script.check();
        assert_eq!(script.try_reply(&check, way), Received::Ice);
        assert_eq!(script.state_of(local(1), remote(1)), Some(PairState::Failed));
        assert!(script.agent.pairs().all(|p| !p.valid));
    }
}

#[test]
fn an_answer_to_another_address_of_the_same_socket_is_another_way_too() {
    let mut script = Script::controlling(1);
    script.signal(&host(1));
    let check = script.check();
    assert_eq!(script.try_reply(&check, |r| r.local_ip = true), Received::Ice);
    assert_eq!(script.state_of(local(1), remote(1)), Some(PairState::Succeeded), "this one is right");
    let mut script = Script::controlling(1);
    script.signal(&host(1));
    let check = script.check();
    let socket = script.socket(local(1));
    let mut answer = std::vec![0; 128];
    let len = floe_stun::MessageBuilder::new(
        &mut answer,
        floe_stun::Class::Success,
        floe_stun::Method::BINDING,
        check.id,
    )
    .attribute(&floe_stun::attributes::XorMappedAddress(local(1)))
    .integrity(&peer_key(), IntegrityAlgorithm::Sha1)
    .fingerprint()
    .finish()
    .expect("it fits");
    let _ = script.deliver_to(socket, Some(local(9).ip()), check.to, &answer[..len]);
    assert_eq!(script.state_of(local(1), remote(1)), Some(PairState::Failed));
}

#[test]
fn errors_fail_the_pair_and_no_other() {
    for code in [300, 400, 401, 403, 420, 499, 600, 699] {
        let mut script = Script::controlling(1);
        script.signal(&host(1));
        script.signal(&host(2));
        let check = script.check();
        script.refuse(&check, code);
        assert_eq!(script.state_of(local(1), remote(1)), Some(PairState::Failed), "{code}");
        assert_eq!(script.state_of(local(1), remote(2)), Some(PairState::Waiting), "{code}");
    }
}

#[test]
fn server_errors_are_retried_four_times() {
    // RFC 8489 §6.3.4.
    let mut script = Script::controlling(1);
    script.signal(&host(1));
    let mut ids = Vec::new();
    for _ in 0..5 {
        let check = script.check();
        assert!(!ids.contains(&check.id));
        ids.push(check.id);
        script.refuse(&check, 500);
    }
    assert_eq!(script.state_of(local(1), remote(1)), Some(PairState::Failed));
    script.to(60_000);
    assert_eq!(script.requests().len(), 0);
}

#[test]
fn unknown_attributes_that_must_be_understood_fail_the_check() {
    // RFC 8489 §6.3.3 and §6.3.4; but not without integrity.
    let unknown = AttributeType::new(0x7777);
    for error in [None, Some(487)] {
        let mut script = Script::controlling(1);
        script.signal(&host(1));
        let check = script.check();
        let forged = script.try_reply(&check, |r| (r.error, r.extra, r.key) = (error, Some(unknown), None));
        assert_eq!(forged, Received::Rejected(Rejection::MissingAttribute));
        assert_eq!(script.state_of(local(1), remote(1)), Some(PairState::InProgress));
        let received = script.try_reply(&check, |r| (r.error, r.extra) = (error, Some(unknown)));
        assert_eq!(received, Received::Rejected(Rejection::UnknownAttribute));
        assert_eq!(script.state_of(local(1), remote(1)), Some(PairState::Failed));
        assert_eq!(script.agent.role(), Role::Controlling);
    }
    let mut script = Script::controlling(1);
    script.signal(&host(1));
    let check = script.check();
    script.reply(&check, |r| r.extra = Some(AttributeType::new(0x8777)));
    assert_eq!(script.state_of(local(1), remote(1)), Some(PairState::Succeeded), "this one may be ignored");
}

#[test]
fn an_answer_without_its_mapped_address_is_no_answer() {
    let mut script = Script::controlling(1);
    script.signal(&host(1));
    let check = script.check();
    let received = script.try_reply(&check, |r| r.mapped = None);
    assert_eq!(received, Received::Rejected(Rejection::MissingAttribute));
    script.reply(&check, |_| {});
    assert_eq!(script.state_of(local(1), remote(1)), Some(PairState::Succeeded));
}

#[test]
fn a_refused_check_of_immediate_nomination_fails_its_pair_only() {
    let mut script = Script::with(Role::Controlling, 1, |c| c.nomination = Nomination::Immediate);
    script.signal(&host(1));
    script.signal(&host(2));
    let check = script.check();
    assert!(check.use_candidate);
    script.refuse(&check, 400);
    let check = script.check();
    script.reply(&check, |_| {});
    assert_eq!(script.selected(), Some((local(1), remote(2))));
}

#[test]
fn rto_grows_with_the_work_up_to_a_limit() {
    // §14.3: max(500 ms, Ta × N × (Waiting + In-Progress)), and our limit, which is configurable.
    for (limit, pairs, expected) in [
        (1_000, 1, 500),
        (1_000, 3, 500),
        (1_000, 4, 800),
        (1_000, 5, 1_000),
        (1_000, 20, 1_000),
        (3_000, 5, 1_250),
        (3_000, 20, 3_000),
    ] {
        let mut script = Script::new(|c| c.max_rto = Duration::from_millis(limit));
        script.host(1);
        for n in 1..=pairs {
            script.signal(&host(n));
        }
        script.know_peer();
        let first = script.check();
        script.to(3_000);
        let again = script.requests().into_iter().find(|c| c.id == first.id).expect("a retransmission");
        assert_eq!(again.at, millis(expected), "{pairs} pairs");
    }
}

#[test]
fn a_setting_below_the_floors_of_the_rfc_is_refused() {
    // §14.2 and §14.3.
    let validated = |set: fn(&mut Config)| {
        let mut config = Config::new([0; 32]);
        set(&mut config);
        config.validate()
    };
    assert_eq!(validated(|c| c.ta = Duration::from_micros(4_999)), Err(ConfigError::Ta));
    assert_eq!(validated(|c| c.ta = Duration::from_millis(5)), Ok(()));
    assert_eq!(validated(|c| c.rto = Duration::from_millis(499)), Err(ConfigError::Rto));
    assert_eq!(validated(|c| c.max_rto = Duration::from_millis(499)), Err(ConfigError::Rto));
    assert_eq!(validated(|c| c.max_rto = c.rto), Ok(()));
}

#[test]
fn settings_that_no_session_can_have_are_refused_in_words() {
    let validated = |set: fn(&mut Config)| {
        let mut config = Config::new([0; 32]);
        set(&mut config);
        config.validate()
    };
    assert_eq!(validated(|c| c.ta = Duration::from_secs(60)), Ok(()));
    assert_eq!(validated(|c| c.ta = Duration::from_millis(60_001)), Err(ConfigError::Ta));
    assert_eq!(validated(|c| c.streams = [1; 65_535].to_vec()), Ok(()));
    assert_eq!(validated(|c| c.streams = [1; 65_536].to_vec()), Err(ConfigError::Streams));
    assert_eq!(validated(|c| c.streams.clear()), Err(ConfigError::Streams));
    assert_eq!(validated(|c| c.streams = [1, 256].to_vec()), Ok(()));
    assert_eq!(validated(|c| c.streams = [1, 257].to_vec()), Err(ConfigError::Components));
    assert_eq!(validated(|c| c.streams = [1, 0].to_vec()), Err(ConfigError::Components));
    let words = [ConfigError::Ta, ConfigError::Streams, ConfigError::Components].map(|e| e.to_string());
    assert!(words.iter().all(|text| text.len() > 20), "{words:?}");
    assert!(words[0] != words[1] && words[1] != words[2], "{words:?}");
}

#[test]
fn what_an_embedder_received_by_itself_counts_for_its_path() {
    let mut script = Script::connected(Role::Controlled, |_| {});
    let id = script.pair(local(1), remote(1)).expect("the pair").id;
    script.agent.record_received(Component::default(), 2, 300);
    script.agent.record_received(Component::default(), 1, 50);
    let stats = script.agent.pair_stats(id).expect("statistics");
    assert_eq!((stats.packets_received, stats.bytes_received), (3, 350));
}

#[test]
fn statistics_count_what_happened() {
    let mut script = Script::controlled(1);
    script.signal(&host(1));
    let check = script.check();
    script.to(600);
    let _ = script.take();
    let asked = script.ask(|_| {});
    assert!(asked.is_some());
    let second = script.check();
    script.after(30);
    script.reply(&second, |_| {});
    script.reply(&check, |_| {});
    let id = script.pair(local(1), remote(1)).expect("the pair").id;
    let stats = script.agent.pair_stats(id).expect("statistics");
    assert_eq!((stats.requests_sent, stats.retransmissions_sent, stats.responses_received), (2, 1, 2));
    assert_eq!((stats.requests_received, stats.responses_sent), (1, 1));
    // Only a request that was sent once tells the round-trip time.
    assert_eq!(stats.total_round_trip_time.as_millis(), 30);
    assert_eq!(stats.last_response, Some(script.now));
}
