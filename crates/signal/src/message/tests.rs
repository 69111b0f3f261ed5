//! Messages as pages write them, and as they must not be.

use floe_ice::candidate::CandidateInit;
use proptest::prelude::*;

use super::*;
use crate::sdp::Sdp;

fn read(json: &str) -> Envelope {
    Envelope::from_json(json).unwrap_or_else(|error| panic!("{json}: {error}"))
}

fn refused(json: &str) -> MessageError {
    let error = Envelope::from_json(json).expect_err("refused");
    assert!(!error.to_string().is_empty());
    error
}

fn id(text: &str) -> ParticipantId {
    ParticipantId::new(text).expect("an id")
}

/// `{v: 1, type, call: 7, seq: 2, ...}`, as a page writes it.
fn of_a_call(kind: &str, rest: &str) -> String {
    format!(r#"{{"v":1,"type":"{kind}","to":"bob","call":7,"re":3,"seq":2,"ack":1{rest}}}"#)
}

#[test]
fn a_local_description_of_a_browser_goes_in_and_out_as_it_is() {
    let browser = r#"{"type":"offer","sdp":"v=0\r\no=- 7614219274584779017 2 IN IP4 127.0.0.1\r\n"}"#;
    let envelope = read(&of_a_call("description", &format!(r#","description":{browser}"#)));
    let Message::Description(description) = &envelope.message else { panic!("a description") };
    assert_eq!(
        description,
        &SessionDescription::offer("v=0\r\no=- 7614219274584779017 2 IN IP4 127.0.0.1\r\n")
    );
    assert_eq!(
        (envelope.call, envelope.re, envelope.seq, envelope.ack),
        (Some(7), Some(3), Some(2), Some(1))
    );
    assert!(envelope.to_json().contains(browser), "{}", envelope.to_json());
    for (kind, json) in [
        (DescriptionType::Answer, r#"{"sdp":"x","type":"answer"}"#),
        (DescriptionType::Pranswer, r#"{"type":"pranswer","sdp":"x"}"#),
        (DescriptionType::Rollback, r#"{"type":"rollback"}"#),
    ] {
        let envelope = read(&of_a_call("description", &format!(r#","description":{json}"#)));
        assert!(matches!(envelope.message, Message::Description(d) if d.kind == kind));
    }
}

#[test]
fn a_candidate_of_a_browser_goes_in_and_out_as_it_is() {
    let browser = r#"{"candidate":"candidate:2541319158 1 udp 2122260223 192.168.1.7 51434 typ host generation 0 ufrag EsAw network-id 1","sdpMid":"0","sdpMLineIndex":0,"usernameFragment":"EsAw"}"#;
    let envelope = read(&of_a_call("candidate", &format!(r#","candidate":{browser}"#)));
    let Message::Candidate(candidate) = &envelope.message else { panic!("a candidate") };
    assert_eq!(
        (candidate.sdp_mid.as_deref(), candidate.username_fragment.as_deref()),
        (Some("0"), Some("EsAw"))
    );
    assert!(envelope.to_json().contains(browser), "{}", envelope.to_json());
}

#[test]
fn no_more_candidates_is_null_or_an_empty_line() {
    for json in ["null", r#"{"candidate":""}"#, "{}"] {
        let envelope = read(&of_a_call("candidate", &format!(r#","candidate":{json}"#)));
        assert_eq!(envelope.message, Message::Candidate(CandidateInit::default()), "{json}");
    }
    let none = refused(&of_a_call("candidate", ""));
    assert_eq!(none, MessageError::Missing { of: "candidate", member: "candidate" });
}

#[test]
fn a_welcome_has_ice_servers_as_a_peer_connection_takes_them() {
    let json = r#"{"v":1,"type":"welcome","id":"p1","participants":[{"id":"p0","name":"Ann"},{"id":"p2","name":"Ann"}],
        "iceServers":[{"urls":"stun:stun.example.com"},{"urls":["turn:turn.example.com"],"username":"u","credential":"c"}],
        "resume":"r1","motd":{"text":["unknown members are passed over"]}}"#;
    let envelope = read(json);
    let Message::Welcome(welcome) = &envelope.message else { panic!("a welcome") };
    let mut expected = Welcome::new(id("p1"));
    expected.participants = vec![Participant::new(id("p0"), "Ann"), Participant::new(id("p2"), "Ann")];
    expected.ice_servers =
        vec![IceServer::stun("stun:stun.example.com"), IceServer::turn("turn:turn.example.com", "u", "c")];
    expected.resume = Some("r1".into());
    assert_eq!(welcome, &expected);
    let servers = r#""iceServers":[{"urls":["stun:stun.example.com"]},{"urls":["turn:turn.example.com"],"username":"u","credential":"c"}]"#;
    assert!(envelope.to_json().contains(servers), "{}", envelope.to_json());
}

#[test]
fn every_type_survives_the_way() {
    for (json, name) in [
        (r#"{"v":1,"type":"join","room":"kitchen","name":"Ann","token":"t","resume":"r"}"#, "join"),
        (r#"{"v":1,"type":"joined","id":"p1","name":"Ann"}"#, "joined"),
        (r#"{"v":1,"type":"left","id":"p1"}"#, "left"),
        (r#"{"v":1,"type":"start","from":"p1","to":"p2","call":1,"seq":1}"#, "start"),
        (r#"{"v":1,"type":"end","call":1,"seq":9,"reason":"busy"}"#, "end"),
        (r#"{"v":1,"type":"end","call":1,"seq":9,"reason":"lunch"}"#, "end"),
        (r#"{"v":1,"type":"ack","call":1,"re":2,"ack":0}"#, "ack"),
        (r#"{"v":1,"type":"error","code":"wrong-state","text":"an answer to nothing","about":3}"#, "error"),
        (r#"{"v":1,"type":"error","code":"quota","text":""}"#, "error"),
        (r#"{"v":1,"type":"ping"}"#, "ping"),
        (r#"{"v":1,"type":"pong"}"#, "pong"),
    ] {
        let envelope = read(json);
        assert_eq!(envelope.message.name(), name);
        assert_eq!(envelope.to_json(), json);
    }
    assert!(matches!(
        read(r#"{"v":1,"type":"end","call":1,"seq":9}"#).message,
        Message::End(EndReason::HangUp)
    ));
}

#[test]
fn what_is_wrong_is_said_with_its_place() {
    let json = |json: &str| match refused(json) {
        MessageError::Json { line, column, what } => (line, column, what),
        other => panic!("{other}"),
    };
    assert_eq!(json("").0, 1);
    assert_eq!(json("{\n\"v\":one}").0, 2);
    let (line, column, what) = json(r#"{"v":1,"type":"left","id":5}"#);
    assert_eq!((line, column), (1, 27));
    assert!(what.contains("expected a string"), "{what}");
    assert!(json(r#"{"v":1,"type":"left","id":"a b"}"#).2.contains("letters"));
    json(&of_a_call("description", r#","description":{"type":"offering","sdp":""}"#));
    json(&of_a_call("candidate", r#","candidate":{"sdpMLineIndex":65536}"#));
    json(r#"{"v":1,"type":"left","id":"a","id":"a"}"#);
    json(r#"{"v":1.5}"#);
    json(r#"{"v":1,"type":"ping"} x"#);
}

#[test]
fn version_type_and_members_are_required() {
    let missing = |of, member| MessageError::Missing { of, member };
    assert_eq!(refused("{}"), missing("any", "v"));
    assert_eq!(refused(r#"{"v":2}"#), MessageError::Version(2));
    assert_eq!(refused(r#"{"v":1}"#), missing("any", "type"));
    assert_eq!(refused(r#"{"v":1,"type":"jump"}"#), MessageError::UnknownType("jump".into()));
    assert_eq!(refused(r#"{"v":1,"type":"join"}"#), missing("join", "room"));
    assert_eq!(refused(r#"{"v":1,"type":"welcome"}"#), missing("welcome", "id"));
    assert_eq!(refused(r#"{"v":1,"type":"start","seq":1}"#), missing("start", "call"));
    assert_eq!(refused(r#"{"v":1,"type":"start","call":1}"#), missing("start", "seq"));
    assert_eq!(refused(r#"{"v":1,"type":"error"}"#), missing("error", "code"));
    assert_eq!(refused(&of_a_call("description", "")), missing("description", "description"));
}

#[test]
fn numbers_are_those_that_javascript_has() {
    let start = |call: u64| format!(r#"{{"v":1,"type":"start","call":{call},"seq":1}}"#);
    assert_eq!(read(&start(MAX_NUMBER)).call, Some(MAX_NUMBER));
    for bad in [0, MAX_NUMBER + 1, u64::MAX] {
        assert_eq!(refused(&start(bad)), MessageError::OutOfRange("call"));
    }
    assert_eq!(refused(r#"{"v":1,"type":"start","call":1,"seq":0}"#), MessageError::OutOfRange("seq"));
    assert!(matches!(refused(r#"{"v":1,"type":"start","call":-1,"seq":1}"#), MessageError::Json { .. }));
}

#[test]
fn size_depth_and_number_are_bounded() {
    assert_eq!(refused(&" ".repeat(MAX_MESSAGE + 1)), MessageError::TooLong);
    let deep = format!(r#"{{"v":1,"type":"ping","x":{}1{}}}"#, "[".repeat(8), "]".repeat(8));
    assert_eq!(refused(&deep), MessageError::TooDeep { at: 32 });
    let deep = "[".repeat(MAX_MESSAGE);
    assert!(matches!(refused(&deep), MessageError::TooDeep { at: 8 }));
    let many = format!(r#"{{"v":1,"type":"ping","x":[0{}]}}"#, ",0".repeat(8192));
    assert!(matches!(refused(&many), MessageError::TooMany { .. }));
    // Brackets in strings are text.
    read(&format!(r#"{{"v":1,"type":"ping","x":"{}"}}"#, r#"[{\"\\"#.repeat(9000)));
    let long = "n".repeat(4097);
    assert_eq!(
        refused(&format!(r#"{{"v":1,"type":"join","room":"{long}"}}"#)),
        MessageError::MemberTooLong("room")
    );
    let people = vec![r#"{"id":"a"}"#; Welcome::MAX_LIST + 1].join(",");
    let welcome = format!(r#"{{"v":1,"type":"welcome","id":"a","participants":[{people}]}}"#);
    assert_eq!(refused(&welcome), MessageError::MemberTooLong("participants"));
    let sdp = format!(r#","description":{{"type":"offer","sdp":"{}"}}"#, "x".repeat(Sdp::MAX_LEN + 1));
    assert_eq!(refused(&of_a_call("description", &sdp)), MessageError::MemberTooLong("sdp"));
    assert_eq!(refused(&of_a_call("description", &sdp)).code(), ErrorCode::TooLarge);
    let candidate = format!(r#","candidate":{{"candidate":"{long}"}}"#);
    assert_eq!(refused(&of_a_call("candidate", &candidate)), MessageError::MemberTooLong("candidate"));
    for member in ["sdpMid", "usernameFragment"] {
        let candidate = format!(r#","candidate":{{"{member}":"{}"}}"#, "x".repeat(257));
        assert_eq!(refused(&of_a_call("candidate", &candidate)), MessageError::MemberTooLong(member));
    }
}

#[test]
fn the_longest_description_fits_a_message() {
    let sdp = "a=\"\r\n".repeat(Sdp::MAX_LEN / 5);
    let mut longest =
        Envelope::new(Message::Description(SessionDescription::offer(sdp))).from(id("a")).to(id("b"));
    (longest.call, longest.seq) = (Some(MAX_NUMBER), Some(MAX_NUMBER));
    assert_eq!(Envelope::from_json(&longest.to_json()), Ok(longest));
}

#[test]
fn words_of_others_are_kept_short() {
    let code = ErrorCode::from("\u{e9}".repeat(40).as_str());
    assert_eq!(code.as_str(), "\u{e9}".repeat(32));
    let MessageError::UnknownType(name) = refused(&format!(r#"{{"v":1,"type":"{}"}}"#, "x".repeat(500)))
    else {
        panic!("an unknown type")
    };
    assert_eq!(name.len(), 64);
}

#[test]
fn debug_output_has_no_secrets() {
    let mut join = Join::new("room", "name");
    join.token = Some("secret".into());
    join.resume = Some("secret".into());
    let mut welcome = Welcome::new(id("p"));
    welcome.resume = Some("secret".into());
    welcome.ice_servers.push(IceServer::turn("turn:x", "u", "secret"));
    let offer = SessionDescription::offer("a=ice-pwd:secret");
    for message in [Message::Join(join), Message::Welcome(welcome), Message::Description(offer)] {
        let shown = format!("{:?}", Envelope::new(message));
        assert!(!shown.contains("secret"), "{shown}");
    }
}

#[test]
fn ids_are_short_and_plain() {
    for good in ["a", "A-1_z", &"x".repeat(64)] {
        assert!(ParticipantId::new(good).is_some(), "{good}");
    }
    for bad in ["", "a b", "\u{e9}", "a.b", &"x".repeat(65)] {
        assert!(ParticipantId::new(bad).is_none(), "{bad}");
    }
}

proptest! {
    #[test]
    fn what_is_read_is_written_and_read_again(
        kind in prop_oneof![Just("join"), Just("left"), Just("start"), Just("end"), Just("description"), Just("candidate"), Just("ack"), Just("error"), Just("x")],
        members in prop::collection::vec(member(), 0..9),
    ) {
        let json = format!(r#"{{"v":1,"type":"{kind}"{}}}"#, members.iter().map(|m| format!(",{m}")).collect::<String>());
        match Envelope::from_json(&json) {
            Ok(envelope) => prop_assert_eq!(Envelope::from_json(&envelope.to_json()), Ok(envelope)),
            Err(error) => prop_assert!(!error.to_string().is_empty()),
        }
    }

    #[test]
    fn no_text_makes_a_panic(text in any::<String>()) {
        let _ = Envelope::from_json(&text);
    }
}

fn member() -> impl Strategy<Value = String> {
    let name = prop_oneof![
        Just("from"),
        Just("to"),
        Just("call"),
        Just("re"),
        Just("seq"),
        Just("ack"),
        Just("room"),
        Just("name"),
        Just("id"),
        Just("reason"),
        Just("description"),
        Just("candidate"),
        Just("code"),
        Just("text"),
        Just("about"),
        Just("y"),
    ];
    let value = prop_oneof![
        any::<u64>().prop_map(|n| n.to_string()),
        (0_u64..9).prop_map(|n| n.to_string()),
        "[a-z]{0,3}".prop_map(|s| format!("{s:?}")),
        Just(r#"{"type":"offer","sdp":"x"}"#.to_owned()),
        Just(r#"{"candidate":"candidate:x","sdpMid":"0"}"#.to_owned()),
        Just("null".to_owned()),
        Just("[1,{}]".to_owned()),
    ];
    (name, value).prop_map(|(name, value)| format!("{name:?}:{value}"))
}
