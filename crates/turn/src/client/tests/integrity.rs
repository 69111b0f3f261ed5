//! RFC 8489 §9.2.5 and §6.2: which answers count, and what happens without any.

use floe_stun::attributes::Nonce;
use floe_stun::{Class, Key, Method, RetransmissionSchedule, Time};

use super::super::{Config, Event, Failure, Received, Rejection};
use super::scene::{Scene, addr, bare_error, challenge, config, grant, parse, respond};
use super::{millis, secs};

#[test]
fn an_answer_without_integrity_is_as_if_it_had_not_come() {
    let (mut scene, request) = Scene::challenged(config());
    for code in [300, 400, 403, 437, 440, 441, 442, 486, 500, 508] {
        scene.reject(&bare_error(&request, code), Rejection::BadIntegrity);
    }
    scene.reject(&respond(&request, Class::Success, &grant, None), Rejection::BadIntegrity);
    let wrong = Key::short_term("wrong");
    let forged = respond(&request, Class::Success, &grant, Some((&wrong, scene.algorithm)));
    scene.reject(&forged, Rejection::BadIntegrity);
    assert!(scene.events().is_empty());

    // Retransmission goes on, and a good answer counts.
    scene.sleep_until(scene.now + millis(500));
    assert_eq!(scene.request(), request);
    let answer = scene.success(&request, &grant);
    scene.deliver(&answer);
    assert!(matches!(scene.event(), Some(Event::Allocated(_))));
}

#[test]
fn an_unprotected_400_counts_for_nothing_even_to_the_first_request() {
    let (mut scene, request) = Scene::asking(config());
    scene.reject(&bare_error(&request, 400), Rejection::BadIntegrity);
    scene.deliver(&bare_error(&request, 403));
    let reason = Failure::Forbidden;
    assert_eq!(scene.events(), [Event::Failed { reason, retry_at: None }]);
}

#[test]
fn an_answer_that_is_wrong_from_the_tampered_byte_on_is_dropped() {
    let (mut scene, request) = Scene::challenged(config());
    let answer = scene.success(&request, &grant);
    for at in 20..answer.len() {
        let mut tampered = answer.clone();
        tampered[at] ^= 0x01;
        assert!(matches!(scene.hear(&tampered), Received::Rejected(_)), "byte {at}");
    }
    assert!(scene.events().is_empty());
    scene.deliver(&answer);
}

#[test]
fn only_bad_answers_are_told_apart_from_none() {
    let (mut scene, request) = Scene::challenged(config());
    scene.reject(&bare_error(&request, 400), Rejection::BadIntegrity);
    scene.pass(40);
    let retry_at = Some(secs(1000) + millis(39_500 + 60_000));
    assert_eq!(scene.events(), [Event::Failed { reason: Failure::IntegrityViolated, retry_at }]);

    let (mut scene, _) = Scene::asking(config());
    scene.pass(40);
    let retry_at = Some(secs(1000) + millis(39_500));
    assert_eq!(scene.events(), [Event::Failed { reason: Failure::NoAnswer, retry_at }]);
    assert_eq!(scene.client.poll_timeout(), None);
}

#[test]
fn over_a_stream_a_bad_answer_ends_the_transaction_at_once() {
    let (mut scene, request) = Scene::challenged(Scene::is_stream(config()));
    scene.reject(&bare_error(&request, 400), Rejection::BadIntegrity);
    let retry_at = Some(secs(1060));
    assert_eq!(scene.events(), [Event::Failed { reason: Failure::IntegrityViolated, retry_at }]);
    assert_eq!(scene.client.poll_timeout(), None);
}

#[test]
fn a_request_is_repeated_with_the_same_bytes_on_the_schedule_of_the_rfc() {
    let (mut scene, request) = Scene::asking(config());
    let start = scene.now;
    for at in [500, 1_500, 3_500, 7_500, 15_500, 31_500] {
        assert_eq!(scene.client.poll_timeout(), Some(start + millis(at)));
        scene.sleep_until(start + millis(at));
        assert_eq!(scene.request(), request);
    }
    assert_eq!(scene.client.poll_timeout(), Some(start + millis(39_500)));
    scene.sleep_until(start + millis(39_500));
    assert!(scene.packets().is_empty());
    assert_eq!(scene.events().len(), 1);
}

#[test]
fn over_a_stream_a_request_is_sent_once() {
    let (mut scene, _) = Scene::asking(Scene::is_stream(config()));
    assert_eq!(scene.client.poll_timeout(), Some(secs(1000) + millis(39_500)));
    scene.sleep_until(secs(1000) + millis(39_499));
    assert!(scene.packets().is_empty() && scene.events().is_empty());
    scene.pass(1);
    assert_eq!(scene.events().len(), 1);
}

#[test]
fn rc_rm_and_ti_can_be_configured() {
    let schedule = RetransmissionSchedule::new(millis(600)).with_count(2).with_last_wait(3);
    let (mut scene, request) = Scene::asking(Config { retransmission: Some(schedule), ..config() });
    scene.sleep_until(secs(1000) + millis(600));
    assert_eq!(scene.request(), request);
    scene.sleep_until(secs(1000) + millis(2_400));
    assert_eq!(scene.events().len(), 1);
}

#[test]
fn a_late_or_repeated_answer_changes_nothing() {
    let (mut scene, first) = Scene::asking(config());
    let challenge = challenge(&first, 401, "nonce");
    scene.deliver(&challenge);
    scene.reject(&challenge, Rejection::UnknownTransaction);
    let request = scene.request();
    let answer = scene.success(&request, &grant);
    scene.deliver(&answer);
    assert_eq!(scene.events().len(), 1);
    scene.reject(&answer, Rejection::UnknownTransaction);
    let error = scene.error(&request, 437);
    scene.reject(&error, Rejection::UnknownTransaction);
    assert!(scene.events().is_empty() && scene.client.allocation().is_some());
}

#[test]
fn what_the_server_would_not_send_is_dropped() {
    let (mut scene, request) = Scene::challenged(config());
    // The request itself, sent back.
    scene.reject(&request, Rejection::UnexpectedMessage);
    // An answer of another method to our transaction.
    let mut other = scene.success(&request, &grant);
    other[1] = 0x04; // Refresh, Success
    other[0] = 0x01;
    scene.reject(&other, Rejection::UnexpectedMessage);
    for junk in [&b""[..], &[0; 3], &[0; 20], &[0x50, 0, 0, 0], &[0x80; 40], &[0x16, 3, 3]] {
        scene.reject(junk, Rejection::Malformed);
    }
    let answer = scene.success(&request, &grant);
    let elsewhere = scene.client.handle_datagram(addr("192.0.2.2:3478"), &answer, scene.now);
    assert_eq!(elsewhere, Received::Rejected(Rejection::UnknownSource));
    scene.deliver(&answer);
}

#[test]
fn attributes_that_must_be_known_fail_the_request_and_others_are_ignored() {
    let raw = |kind| floe_stun::RawAttribute { kind: floe_stun::AttributeType::new(kind), value: b"?" };
    let (mut scene, request) = Scene::challenged(config());
    let answer = scene.error_with(&request, 486, &|builder| builder.raw_attribute(raw(0x7FFF)));
    scene.deliver(&answer);
    let retry_at = Some(secs(1060));
    assert_eq!(scene.events(), [Event::Failed { reason: Failure::MalformedAnswer, retry_at }]);

    let (mut scene, request) = Scene::challenged(config());
    let answer = scene.success(&request, &|builder| {
        grant(builder).raw_attribute(raw(0xFFFF)).attribute(&Nonce::new("not expected here"))
    });
    scene.deliver(&answer);
    assert!(matches!(scene.event(), Some(Event::Allocated(_))));
}

#[test]
fn an_error_without_a_code_fails_the_request() {
    let (mut scene, request) = Scene::challenged(config());
    let answer = respond(&request, Class::Error, &|builder| builder, Some((&scene.key, scene.algorithm)));
    scene.deliver(&answer);
    assert!(matches!(scene.event(), Some(Event::Failed { reason: Failure::MalformedAnswer, .. })));
}

#[test]
fn a_clock_that_jumps_or_stands_still_does_no_harm() {
    let (mut scene, request) = Scene::asking(config());
    scene.now = Time::from_secs(100_000);
    scene.client.handle_timeout(scene.now);
    assert_eq!(scene.request(), request, "a late caller causes no burst");
    assert!(scene.client.poll_timeout().unwrap() > scene.now);
    for _ in 0..3 {
        scene.client.handle_timeout(scene.now);
        assert!(scene.packets().is_empty());
    }
    scene.now = Time::ZERO;
    scene.client.handle_timeout(scene.now);
    scene.deliver(&challenge(&request, 401, "nonce"));
    let request = scene.request();
    assert_eq!(parse(&request).method(), Method::ALLOCATE);
    let answer = scene.success(&request, &grant);
    scene.deliver(&answer);
    scene.now = Time::MAX;
    scene.client.handle_timeout(scene.now);
    assert!(matches!(
        scene.events()[..],
        [Event::Allocated(_), Event::Lost { reason: Failure::Expired, .. }]
    ));
}
