//! RFC 8445 §7.3 and RFC 8489 §9.1.3: which requests count, and how they are answered.

use alloc::string::ToString;
use alloc::vec::Vec;

use floe_stun::attributes::{ErrorCode, IceControlling, Priority, UseCandidate, Username};
use floe_stun::{
    AttributeType, Class, IntegrityAlgorithm, Key, MessageBuilder, Method, RawAttribute, TransactionId,
};

use crate::agent::tests::heard::signed_with;
use crate::agent::tests::script::{Ask, Script, Sent, host, local, remote};
use crate::message::PeerRole;
use crate::{PairState, Received, Rejection, Role, Unauthenticated};

fn rejected(reason: Rejection) -> Received {
    Received::Rejected(reason)
}

#[test]
fn the_answer_says_where_the_request_came_from_and_nothing_else() {
    let mut script = Script::controlled(1);
    let answer = script.ask(|_| {}).expect("an answer");
    assert_eq!((answer.class, answer.mapped), (Class::Success, Some(remote(1))));
    assert_eq!((answer.from, answer.to), (local(1), remote(1)));
    // XOR-MAPPED-ADDRESS, integrity, FINGERPRINT; no USERNAME (§7.2.2).
    assert_eq!(answer.attributes, 3);
    assert!(answer.has_fingerprint);
    let ours = Key::short_term(script.agent.local_credentials().pwd());
    assert_eq!(signed_with(&answer.bytes, &ours), IntegrityAlgorithm::Sha1);
}

#[test]
fn the_answer_has_the_integrity_of_the_request() {
    // RFC 8489 §9.1.3; SHA-256 decides where a request has both.
    let mut script = Script::controlled(1);
    let ours = Key::short_term(script.agent.local_credentials().pwd());
    let answer = script.ask(|a| a.sha256 = true).expect("an answer");
    assert_eq!(signed_with(&answer.bytes, &ours), IntegrityAlgorithm::Sha256);
    let ask = script.new_ask(|_| {});
    let mut out = [0; 256];
    let len = MessageBuilder::new(&mut out, Class::Request, Method::BINDING, ask.id)
        .attribute(&Username::new(ask.username.as_deref().expect("a name")))
        .attribute(&Priority(5))
        .attribute(&IceControlling(1))
        .both_integrities(&ours)
        .fingerprint()
        .finish()
        .expect("it fits");
    let _ = script.take();
    assert_eq!(script.deliver(remote(1), local(1), &out[..len]), Received::Ice);
    assert_eq!(signed_with(&script.take()[0].bytes, &ours), IntegrityAlgorithm::Sha256);
}

/// What a stranger sends, and why it is rejected.
fn strangers(script: &mut Script) -> Vec<(Ask, Rejection, u16)> {
    let theirs = Key::short_term("some other password");
    let ours = script.agent.local_credentials().ufrag().to_string();
    let mut forgeries = Vec::new();
    let mut add = |script: &mut Script, reason, code, set: &dyn Fn(&mut Ask)| {
        let ask = script.new_ask(|a| {
            (a.nominate, a.from) = (true, remote(66));
            set(a);
        });
        forgeries.push((ask, reason, code));
    };
    add(script, Rejection::MissingAttribute, 400, &|a| a.username = None);
    add(script, Rejection::MissingAttribute, 400, &|a| a.key = None);
    add(script, Rejection::BadIntegrity, 401, &|a| a.key = Some(theirs.clone()));
    for name in ["", ":", "other:peer", &ours, &std::format!("{ours}x:peer"), &std::format!(":{ours}")] {
        add(script, Rejection::WrongUsername, 401, &|a| a.username = Some(name.into()));
    }
    forgeries
}

#[test]
fn a_stranger_gets_no_answer_and_changes_nothing() {
    for role in [Role::Controlling, Role::Controlled] {
        let mut script = Script::with(role, 1, |_| {});
        script.signal(&host(1));
        let _ = script.check();
        for (ask, reason, _) in strangers(&mut script) {
            let (received, answer) = script.send_ask(&ask);
            assert_eq!((received, answer.map(|a| a.error)), (rejected(reason), None));
            assert!(script.agent.counters().rejected(reason) > 0);
        }
        assert_eq!(script.agent.role(), role);
        assert_eq!(script.agent.remote_candidates().count(), 1);
        script.to(450);
        assert_eq!(script.requests().len(), 0, "no check was triggered");
    }
}

#[test]
fn a_stranger_may_get_an_error_if_the_embedder_wants_it_ten_times_a_second() {
    let mut script = Script::with(Role::Controlled, 1, |c| c.unauthenticated = Unauthenticated::Answer);
    for (ask, reason, code) in strangers(&mut script) {
        let (received, answer) = script.send_ask(&ask);
        assert_eq!(received, rejected(reason));
        let answer = answer.expect("an error");
        assert_eq!((answer.class, answer.error), (Class::Error, Some(code)));
        assert!(!answer.has_integrity && answer.has_fingerprint);
        assert_eq!(answer.attributes, 2, "ERROR-CODE and FINGERPRINT; no USERNAME");
    }
    script.to(5_000);
    let mut answers = 0;
    for _ in 0..50 {
        let ask = script.new_ask(|a| a.key = None);
        answers += usize::from(script.send_ask(&ask).1.is_some());
    }
    assert_eq!(answers, 10);
}

#[test]
fn unknown_attributes_that_must_be_understood_are_named_in_a_420() {
    // RFC 8489 §6.3.1; to the authenticated only.
    let mut script = Script::controlled(1);
    let ours = Key::short_term(script.agent.local_credentials().pwd());
    let unknown = AttributeType::new(0x7777);
    let ask = script.new_ask(|a| (a.extra, a.nominate) = (Some(unknown), true));
    for _ in 0..2 {
        let (received, answer) = script.send_ask(&ask);
        assert_eq!(received, rejected(Rejection::UnknownAttribute));
        let answer = answer.expect("an answer");
        assert_eq!((answer.error, &answer.unknown[..]), (Some(420), &[0x7777][..]));
        signed_with(&answer.bytes, &ours);
    }
    assert_eq!(script.agent.remote_candidates().count(), 0);
    let (received, answer) = {
        let ask = script.new_ask(|a| (a.extra, a.key) = (Some(unknown), None));
        script.send_ask(&ask)
    };
    assert_eq!((received, answer.is_none()), (rejected(Rejection::MissingAttribute), true));
    for known in [AttributeType::new(0x8777), AttributeType::PASSWORD_ALGORITHM, AttributeType::NONCE] {
        let ask = script.new_ask(|a| a.extra = Some(known));
        assert_eq!(script.send_ask(&ask).0, Received::Ice, "{known:?} may be ignored");
    }
}

#[test]
fn a_check_without_priority_or_role_is_a_bad_request() {
    let mut script = Script::controlled(1);
    for set in [|a: &mut Ask| a.priority = None, |a: &mut Ask| a.role = None] {
        let ask = script.new_ask(set);
        let (received, answer) = script.send_ask(&ask);
        assert_eq!(received, rejected(Rejection::MissingAttribute));
        assert_eq!(answer.expect("an answer").error, Some(400));
    }
    assert_eq!(script.agent.remote_candidates().count(), 0);
}

#[test]
fn every_error_has_its_registered_reason() {
    // RFC 8489 §14.8, RFC 8445 §16.2.
    let mut reasons = Vec::new();
    let mut hear = |answer: Option<Sent>| {
        let answer = answer.expect("an error");
        let message = floe_stun::Message::parse(&answer.bytes).expect("STUN");
        let error = message.get::<ErrorCode<'_>>().expect("readable").expect("an error");
        reasons.push((error.code(), error.reason().expect("text").to_string()));
    };
    let mut script = Script::with(Role::Controlled, 1, |c| c.unauthenticated = Unauthenticated::Answer);
    hear(script.ask(|a| a.username = None));
    hear(script.ask(|a| a.username = Some("nobody:peer".into())));
    hear(script.ask(|a| a.extra = Some(AttributeType::new(0x7777))));
    hear(script.ask(|a| a.role = Some(PeerRole::Controlled(u64::MAX))));
    hear(script.ask(|a| a.priority = None));
    script.end();
    script.to(60_000);
    hear(script.ask(|_| {}));
    let expected = [
        (400, "Bad Request"),
        (401, "Unauthenticated"),
        (420, "Unknown Attribute"),
        (487, "Role Conflict"),
        (400, "Bad Request"),
        (403, "Forbidden"),
    ];
    assert_eq!(reasons, expected.map(|(code, reason)| (code, reason.to_string())));
}

#[test]
fn what_follows_the_integrity_attribute_does_not_count() {
    // RFC 8489 §14.5: whoever is on the path can append USE-CANDIDATE.
    let mut script = Script::controlled(1);
    script.signal(&host(1));
    let check = script.check();
    script.reply(&check, |_| {});
    let ask = script.new_ask(|_| {});
    let mut bytes = ask.encode().into_vec();
    bytes.truncate(bytes.len() - 8);
    bytes.extend_from_slice(&[0, 0x25, 0, 0]);
    let len = bytes.len() as u16 - 20;
    bytes[2..4].copy_from_slice(&len.to_be_bytes());
    assert_eq!(script.deliver(remote(1), local(1), &bytes), Received::Ice);
    assert_eq!(script.selected(), None);
}

#[test]
fn an_authenticated_check_without_fingerprint_counts() {
    // [D] FINGERPRINT only tells STUN from data, which integrity does better.
    let mut script = Script::controlled(1);
    let mut bytes = script.new_ask(|_| {}).encode().into_vec();
    bytes.truncate(bytes.len() - 8);
    let len = bytes.len() as u16 - 20;
    bytes[2..4].copy_from_slice(&len.to_be_bytes());
    assert_eq!(script.deliver(remote(1), local(1), &bytes), Received::Ice);
    assert_eq!(script.agent.remote_candidates().count(), 1);
}

#[test]
fn other_methods_and_damaged_messages_are_dropped() {
    let mut script = Script::controlled(1);
    let key = Key::short_term(script.agent.local_credentials().pwd());
    let name = std::format!("{}:peer", script.agent.local_credentials().ufrag());
    let mut out = [0; 256];
    let id = TransactionId::new([1; 12]);
    let len = MessageBuilder::new(&mut out, Class::Request, Method::ALLOCATE, id)
        .attribute(&Username::new(&name))
        .attribute(&UseCandidate)
        .integrity(&key, IntegrityAlgorithm::Sha1)
        .fingerprint()
        .finish()
        .expect("it fits");
    let _ = script.take();
    assert_eq!(script.deliver(remote(1), local(1), &out[..len]), rejected(Rejection::UnexpectedMessage));
    let good = script.new_ask(|_| {}).encode();
    // Up to the end of integrity; what follows only FINGERPRINT protects.
    for at in 0..good.len() - 8 {
        let mut bad = good.to_vec();
        bad[at] ^= 1;
        let received = script.deliver(remote(1), local(1), &bad);
        assert!(matches!(received, Received::Rejected(_)), "byte {at}: {received:?}");
    }
    assert_eq!(script.take().len(), 0);
    assert_eq!(script.agent.remote_candidates().count(), 0);
}

#[test]
fn indications_change_nothing() {
    // §11; RFC 8489 §6.3.2: with unknown attributes that must be understood they are discarded.
    let mut script = Script::connected(Role::Controlled, |_| {});
    let _ = script.take();
    let confirmed = script.agent.poll_timeout();
    let indication = |extra: Option<AttributeType>| {
        let mut out = [0; 64];
        let builder =
            MessageBuilder::new(&mut out, Class::Indication, Method::BINDING, TransactionId::new([3; 12]));
        let builder = match extra {
            Some(kind) => builder.raw_attribute(RawAttribute { kind, value: &[0; 4] }),
            None => builder,
        };
        let len = builder.fingerprint().finish().expect("it fits");
        out[..len].to_vec()
    };
    assert_eq!(script.deliver(remote(1), local(1), &indication(None)), Received::Ice);
    let bad = indication(Some(AttributeType::new(0x7777)));
    assert_eq!(script.deliver(remote(1), local(1), &bad), rejected(Rejection::UnknownAttribute));
    assert_eq!(script.take().len(), 0);
    assert_eq!(script.agent.poll_timeout(), confirmed, "consent is not renewed");
    assert_eq!(script.agent.counters().indications_received, 1);
}

#[test]
fn what_arrives_where_the_agent_has_no_candidate_is_not_its_business() {
    let mut script = Script::controlled(1);
    let ask = script.new_ask(|_| {});
    let unknown = script.deliver_to(crate::SocketId(7), None, remote(1), &ask.encode());
    assert_eq!(unknown, rejected(Rejection::UnknownSocket));
    let socket = script.socket(local(1));
    let other = script.deliver_to(socket, Some(local(9).ip()), remote(1), &ask.encode());
    assert_eq!(other, rejected(Rejection::UnknownSocket), "another address of a wildcard socket");
    let mapped = core::net::IpAddr::from([0, 0, 0, 0, 0, 0xffff, 0x0a00, 1]);
    let ours = script.deliver_to(socket, Some(mapped), remote(1), &ask.encode());
    assert_eq!(ours, Received::Ice, "a v4-mapped address is the address");
}

#[test]
fn data_comes_from_known_candidates_only_but_needs_no_check_of_ours() {
    // §12.2.
    let mut script = Script::controlled(2);
    script.signal(&host(1));
    let data = [0x80, 1, 2, 3];
    let first = script.deliver(remote(1), local(1), &data);
    assert!(matches!(first, Received::Data { ref payload, .. } if *payload == (0..4)));
    let elsewhere = script.deliver(remote(1), local(2), &data);
    assert!(matches!(elsewhere, Received::Data { .. }), "on any candidate of ours");
    assert_eq!(script.deliver(remote(2), local(1), &data), rejected(Rejection::UnknownSource));
    script.ask(|a| a.from = remote(2));
    let learned = script.deliver(remote(2), local(1), &data);
    assert!(matches!(learned, Received::Data { .. }), "a peer-reflexive candidate is known");
    assert_eq!(script.state_of(local(1), remote(1)), Some(PairState::InProgress), "data proves nothing");
}

#[test]
fn a_check_from_another_session_of_the_peer_is_not_answered_and_concerns_us_not() {
    // §7.3, §7.3.1.4: forking, or a generation that we have not heard of yet.
    let other = |script: &Script| std::format!("{}:other", script.agent.local_credentials().ufrag());
    let mut script = Script::controlled(1);
    script.signal(&host(1));
    let check = script.check();
    script.reply(&check, |_| {});
    let name = other(&script);
    for (count, role) in [(1, None), (2, Some(PeerRole::Controlled(0)))] {
        let answer = script.ask(|a| {
            (a.username, a.nominate) = (Some(name.clone()), true);
            a.role = role.or(a.role);
        });
        assert!(answer.is_none());
        assert_eq!(script.agent.counters().rejected(Rejection::WrongUsername), count);
    }
    assert_eq!((script.selected(), script.agent.role()), (None, Role::Controlled));
    // The same before the credentials are known.
    let mut script = Script::new(|_| {});
    script.host(1);
    let name = other(&script);
    script.ask(|a| a.username = Some(name));
    script.ask(|a| a.from = remote(2));
    script.know_peer();
    let learned: Vec<_> = script.agent.remote_candidates().map(|(_, _, c)| c.address()).collect();
    assert_eq!(learned, [remote(2)]);
}
