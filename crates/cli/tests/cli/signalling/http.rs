//! Participants over plain HTTP.

use serde_json::{Value, json};

use super::guest::{Answer, Events, Guest, address, request, serve};
use super::start;

fn join(at: &str, room: &str, name: &str) -> Answer {
    let join = json!({"v": 1, "type": "join", "room": room, "name": name});
    request(at, &format!("POST /{room}/join"), &[], &join.to_string())
}

fn post(at: &str, what: &str, resume: &Value, message: &str) -> Answer {
    let bearer = format!("Authorization: Bearer {}", resume.as_str().expect("a text"));
    request(at, &format!("POST /kitchen/{what}"), &[&bearer], message)
}

fn open(at: &str, welcome: &Value, has: Option<u64>) -> Events {
    let mut events = Events::open(at, "kitchen", welcome["resume"].as_str().expect("a text"), has);
    let (id, first) = events.next().expect("a welcome");
    assert_eq!((id, &first["id"]), (None, &welcome["id"]));
    events
}

/// The next event that is no ping.
fn next(events: &mut Events) -> (u64, Value) {
    loop {
        let (id, message) = events.next().expect("an event");
        if message["type"] != "ping" {
            return (id.expect("a number"), message);
        }
    }
}

#[test]
fn a_participant_needs_no_web_socket() {
    let server = serve(&[]);
    let at = address(&server);
    let joined = join(at, "kitchen", "Ann");
    assert_eq!((joined.status, joined.header("content-type")), (200, Some("application/json")));
    let welcome = joined.json();
    assert_eq!(welcome["type"], "welcome");
    let mut events = open(at, &welcome, None);
    let (mut bob, bob_is) = Guest::enter(&server, "kitchen", "Bob");
    let (first, told) = next(&mut events);
    assert_eq!((&told["type"], &told["id"]), (&json!("joined"), &bob_is["id"]));
    let sent = post(at, "messages", &welcome["resume"], &start(&bob_is["id"], 1).to_string());
    assert_eq!((sent.status, sent.body.as_str()), (204, ""));
    assert_eq!(bob.hear()["from"], welcome["id"]);
    bob.say(&start(&welcome["id"], 1));
    let (second, told) = next(&mut events);
    assert_eq!(told["from"], bob_is["id"]);
    assert!(second > first);
    // The stream breaks, and goes on behind the last event it had.
    drop(events);
    bob.say(&start(&welcome["id"], 2));
    bob.say(&json!({"v": 1, "type": "ping"}));
    while bob.hear()["type"] != "pong" {}
    let mut events = open(at, &welcome, Some(second));
    assert_eq!(next(&mut events).1["seq"], 2);
    assert_eq!(post(at, "leave", &welcome["resume"], "").status, 204);
    while bob.hear()["type"] != "left" {}
    while events.next().is_some() {}
    assert_eq!(post(at, "messages", &welcome["resume"], "{}").status, 401);
}

#[test]
fn what_is_refused_has_a_status_and_an_error() {
    let server = serve(&["--message-rate", "5"]);
    let at = address(&server);
    let welcome = join(at, "kitchen", "Ann").json();
    let refused = |answer: Answer| {
        let error = answer.json();
        assert_eq!(error["type"], "error", "{answer:?}");
        (answer.status, error["code"].as_str().expect("a code").to_owned())
    };
    let of = |code: &str, status: u16| (status, code.to_owned());
    assert_eq!(refused(join(at, "kitchen", "Ann")), of("name-taken", 409));
    assert_eq!(refused(join(at, "kit.chen", "Bob")), of("malformed", 400));
    let say = |text: &str| refused(post(at, "messages", &welcome["resume"], text));
    assert_eq!(say("nothing"), of("malformed", 400));
    assert_eq!(say(&start(&json!("nobody"), 1).to_string()), of("unknown-participant", 404));
    assert_eq!(say(r#"{"v":1,"type":"join","room":"kitchen"}"#), of("wrong-state", 409));
    assert_eq!(say(&"x".repeat(70_000)), of("too-large", 413));
    assert_eq!(refused(post(at, "messages", &json!("guessed"), "{}")), of("unauthorized", 401));
    let elsewhere = format!("Authorization: Bearer {}", welcome["resume"].as_str().expect("a text"));
    assert_eq!(refused(request(at, "GET /cellar/events", &[&elsewhere], "")), of("unauthorized", 401));
    let limited = (0..100).map(|_| say("nothing")).find(|(status, _)| *status != 400);
    assert_eq!(limited, Some(of("rate-limited", 429)));
}

#[test]
fn pages_of_other_origins_are_answered_if_they_may() {
    let server = serve(&["--origin", "https://example.org"]);
    let at = address(&server);
    let asked = request(at, "OPTIONS /kitchen/join", &["Origin: https://example.org"], "");
    assert_eq!(asked.status, 204);
    assert_eq!(asked.header("access-control-allow-origin"), Some("https://example.org"));
    assert!(asked.header("access-control-allow-headers").is_some_and(|all| all.contains("authorization")));
    let evil = request(at, "POST /kitchen/join", &["Origin: https://evil.example"], "{}");
    assert_eq!((evil.status, evil.json()["code"].as_str()), (403, Some("unauthorized")));
    assert_eq!(evil.header("access-control-allow-origin"), None);
}
