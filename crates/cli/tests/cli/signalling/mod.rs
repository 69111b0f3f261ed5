//! The rooms of `floe serve` on loopback.

mod guest;
mod http;
#[cfg(target_os = "linux")]
mod load;
mod page;

use serde_json::{Value, json};

use crate::program::floe;
use guest::{Guest, address, serve};

fn start(to: &Value, seq: u64) -> Value {
    json!({"v": 1, "type": "start", "to": to, "call": 1, "seq": seq})
}

#[test]
fn two_meet_in_a_room_and_are_told_of_each_other() {
    let mut server = serve(&[]);
    let (mut ann, ann_is) = Guest::enter(&server, "kitchen", "Ann");
    assert_eq!(ann_is["participants"], json!([]));
    let (mut bob, bob_is) = Guest::enter(&server, "kitchen", "Bob");
    assert_eq!(bob_is["participants"][0]["name"], "Ann");
    assert_eq!(bob_is["participants"][0]["id"], ann_is["id"]);
    assert_eq!(ann.hear(), json!({"v": 1, "type": "joined", "id": bob_is["id"], "name": "Bob"}));
    ann.say(&start(&bob_is["id"], 1));
    let mut expected = start(&bob_is["id"], 1);
    expected["from"] = ann_is["id"].clone();
    assert_eq!(bob.hear(), expected);
    bob.say(&json!({"v": 1, "type": "ping"}));
    assert_eq!(bob.hear()["type"], "pong");
    bob.close(1000);
    assert_eq!(ann.hear(), json!({"v": 1, "type": "left", "id": bob_is["id"]}));
    for said in ["Z entered   Ann ", "Z entered   Bob ", "Z left      Bob "] {
        let line = server.line();
        assert!(line.contains(said) && line.contains(" room kitchen"), "{line}");
    }
    server.signal("USR1");
    assert!(server.line().starts_with("statistics: 0 allocations"));
    let rest: Vec<String> = (0..4).map(|_| server.line()).collect();
    assert!(
        rest[2].starts_with("rooms: 1 now with 1 participants; 2 entered, 0 came back, 0 refused"),
        "{rest:?}"
    );
    assert!(rest[3].starts_with("signalling: 1 messages passed on ("), "{rest:?}");
    let rest = server.stop("TERM");
    assert!(rest.contains("\nrooms: 1 now with 1 participants;"), "{rest}");
    assert_eq!(ann.end(), 1001);
}

#[test]
fn the_servers_that_are_handed_out_relay() {
    let server = serve(&[]);
    let (_ann, welcome) = Guest::enter(&server, "kitchen", "Ann");
    let stun = welcome["iceServers"][0]["urls"][0].as_str().expect("a URI");
    assert!(stun.starts_with("stun:127.0.0.1:"), "{welcome}");
    let turn = &welcome["iceServers"][1];
    let [user, password] = ["username", "credential"].map(|member| turn[member].as_str().expect("a text"));
    assert!(user.ends_with(&format!(":{}", welcome["id"].as_str().expect("an id"))), "{user}");
    for uri in turn["urls"].as_array().expect("a list") {
        let uri = uri.as_str().expect("a URI");
        let run = floe(&[
            "gather",
            "--bind",
            "127.0.0.1",
            "--turn",
            uri,
            "--username",
            user,
            "--password",
            password,
        ]);
        assert_eq!(run.status, 0, "{run:?}");
        assert!(run.stdout.contains(" relay "), "{uri}: {run:?}");
    }
}

#[test]
fn what_cannot_be_used_is_explained_and_the_room_goes_on() {
    let server = serve(&[]);
    let (mut ann, ann_is) = Guest::enter(&server, "kitchen", "Ann");
    let (mut bob, _) = Guest::enter(&server, "kitchen", "Bob");
    let long = format!(r#"{{"v":1,"type":"ping","x":"{}"}}"#, "x".repeat(70_000));
    for (text, code) in [
        ("no JSON", "malformed"),
        (&*long, "too-large"),
        (r#"{"v":1,"type":"dance"}"#, "unknown-type"),
        (r#"{"v":1,"type":"join","room":"kitchen"}"#, "wrong-state"),
        (r#"{"v":1,"type":"start","to":"nobody","call":1,"seq":5}"#, "unknown-participant"),
    ] {
        bob.say_text(text);
        let error = bob.hear();
        assert_eq!((&error["type"], &error["code"]), (&json!("error"), &json!(code)), "{error}");
    }
    bob.say(&start(&ann_is["id"], 1));
    assert_eq!(ann.hear()["type"], "joined");
    assert_eq!(ann.hear()["type"], "start");
    // Far too long: it is not even read.
    bob.try_say(&"x".repeat(200_000));
    assert_eq!(bob.hear()["code"], "too-large");
    assert_eq!(bob.end(), 1009);
    ann.say(&json!({"v": 1, "type": "ping"}));
    assert_eq!(ann.hear()["type"], "pong");
}

#[test]
fn who_cannot_enter_is_told_why() {
    let server = serve(&["--max-rooms", "1"]);
    let (mut ann, _) = Guest::enter(&server, "kitchen", "Ann");
    let refused = |room: &str, name: &str, more: Value| {
        let (mut guest, error) = Guest::join(&server, room, name, &more);
        assert_eq!(error["type"], "error", "{error}");
        assert_eq!(guest.end(), 1008);
        error["code"].clone()
    };
    assert_eq!(refused("kitchen", "Ann", json!({})), "name-taken");
    assert_eq!(refused("cellar", "Eve", json!({})), "rate-limited");
    assert_eq!(refused("kitchen", "Eve", json!({"room": "cellar"})), "malformed");
    assert_eq!(refused("kitchen", "Eve\n", json!({})), "malformed");
    assert_eq!(refused("kitchen", "Eve", json!({"type": "ping"})), "wrong-state");
    let (_bob, _) = Guest::enter(&server, "kitchen", "Bob");
    assert_eq!(refused("kitchen", "Eve", json!({})), "room-full");
    assert_eq!(ann.hear()["name"], "Bob", "the room goes on");
}

#[test]
fn who_lost_the_connection_comes_back_and_misses_nothing() {
    let server = serve(&[]);
    let (mut ann, ann_is) = Guest::enter(&server, "kitchen", "Ann");
    let (mut bob, bob_is) = Guest::enter(&server, "kitchen", "Bob");
    assert_eq!(ann.hear()["type"], "joined");
    // The server knows that Bob has his welcome.
    bob.say(&json!({"v": 1, "type": "ping"}));
    assert_eq!(bob.hear()["type"], "pong");
    drop(bob);
    for seq in 1..=5 {
        ann.say(&start(&bob_is["id"], seq));
    }
    ann.say(&json!({"v": 1, "type": "ping"}));
    assert_eq!(ann.hear()["type"], "pong", "all before it was taken");
    let (mut bob, again) = Guest::join(&server, "kitchen", "", &json!({"resume": bob_is["resume"]}));
    assert_eq!((&again["type"], &again["id"]), (&json!("welcome"), &bob_is["id"]), "{again}");
    assert_eq!(again["participants"][0]["id"], ann_is["id"]);
    let mut heard = Vec::new();
    while heard.len() < 5 {
        heard.extend(bob.hear()["seq"].as_u64());
    }
    assert_eq!(heard, [1, 2, 3, 4, 5]);
    assert_eq!(ann.hear(), json!({"v": 1, "type": "joined", "id": bob_is["id"], "name": "Bob"}));
    // Once more, while the other connection is there.
    let (_there, again) = Guest::join(&server, "kitchen", "", &json!({"resume": bob_is["resume"]}));
    assert_eq!(again["id"], bob_is["id"]);
    assert_eq!(bob.end(), 4000);
}

#[test]
fn who_does_not_come_back_in_time_has_left() {
    let server = serve(&["--resume-time", "1"]);
    let (mut ann, _) = Guest::enter(&server, "kitchen", "Ann");
    let (mut bob, bob_is) = Guest::enter(&server, "kitchen", "Bob");
    bob.say(&json!({"v": 1, "type": "ping"}));
    bob.hear();
    drop(bob);
    assert_eq!(ann.hear()["type"], "joined");
    assert_eq!(ann.hear(), json!({"v": 1, "type": "left", "id": bob_is["id"]}));
    let (_bob, again) = Guest::join(&server, "kitchen", "Bob", &json!({"resume": bob_is["resume"]}));
    assert_eq!(again["type"], "welcome");
    assert_ne!(again["id"], bob_is["id"]);
}

#[test]
fn a_token_lets_in() {
    let server = serve(&["--room-token", "sesame"]);
    for more in [json!({}), json!({"token": "guessed"})] {
        let (mut guest, error) = Guest::join(&server, "kitchen", "Eve", &more);
        assert_eq!(error["code"], "unauthorized", "{error}");
        assert_eq!(guest.end(), 1008);
    }
    let (_ann, welcome) = Guest::join(&server, "kitchen", "Ann", &json!({"token": "sesame"}));
    assert_eq!(welcome["type"], "welcome");
    let server = serve(&["--room-secret", "north"]);
    // printf %s 9000000000.kitchen | openssl dgst -sha256 -hmac north
    let token = "9000000000.56b8cbe8c1429ffd915daaceca88321fd351a147088c52fbe879d032b780d5c3";
    let (_ann, welcome) = Guest::join(&server, "kitchen", "Ann", &json!({"token": token}));
    assert_eq!(welcome["type"], "welcome", "{welcome}");
    let (_eve, error) = Guest::join(&server, "cellar", "Eve", &json!({"token": token}));
    assert_eq!(error["code"], "unauthorized");
}

#[test]
fn pages_of_strangers_stay_outside() {
    let server = serve(&["--origin", "https://example.org"]);
    let at = address(&server);
    let own = format!("http://{at}");
    assert!(Guest::open(at, "kitchen", Some(&own)).is_ok());
    assert!(Guest::open(at, "kitchen", Some("https://example.org")).is_ok());
    assert_eq!(Guest::open(at, "kitchen", Some("https://evil.example")).err(), Some(403));
    let server = serve(&["--origin", "*"]);
    assert!(Guest::open(address(&server), "kitchen", Some("https://evil.example")).is_ok());
}

#[test]
fn a_flood_ends_and_slows_nobody_else() {
    let server = serve(&["--room-size", "3"]);
    let (mut ann, _) = Guest::enter(&server, "kitchen", "Ann");
    let (mut bob, bob_is) = Guest::enter(&server, "kitchen", "Bob");
    let (mut eve, eve_is) = Guest::enter(&server, "kitchen", "Eve");
    assert_eq!((ann.hear()["type"].clone(), ann.hear()["type"].clone()), (json!("joined"), json!("joined")));
    assert_eq!(bob.hear()["type"], "joined");
    let flood = std::thread::spawn(move || {
        while eve.try_say(r#"{"v":1,"type":"pong"}"#) {}
        eve
    });
    for seq in 1..=50 {
        ann.say(&start(&bob_is["id"], seq));
        while bob.hear()["seq"] != seq {}
    }
    flood.join().expect("it ends");
    loop {
        let told = ann.hear();
        if told["type"] == "left" {
            assert_eq!(told["id"], eve_is["id"]);
            break;
        }
    }
    let rest = server.stop("TERM");
    assert!(rest.contains(": put out: too many messages after "), "{rest}");
    assert!(rest.contains(" messages above the rate"), "{rest}");
}

#[test]
fn an_address_has_so_many_connections() {
    let server = serve(&["--address-quota", "2"]);
    let (_ann, _) = Guest::enter(&server, "kitchen", "Ann");
    let (bob, _) = Guest::enter(&server, "kitchen", "Bob");
    let mut refused = std::net::TcpStream::connect(address(&server)).expect("it listens");
    let mut byte = [0];
    assert!(!matches!(std::io::Read::read(&mut refused, &mut byte), Ok(1..)), "it is closed at once");
    bob.close(1000);
    assert!(server.stop("TERM").contains(" connections now, 1 refused\n"));
}

#[test]
fn usage_that_makes_no_sense_is_explained() {
    for (arguments, said) in [
        (&["--http", "nowhere"][..], "use IP:PORT, such as 0.0.0.0:8080"),
        (&["--origin", "example.org"], "use SCHEME://HOST[:PORT]"),
        (&["--http", "127.0.0.1", "--no-http"], "cannot be used with"),
        (&["--stun-only", "--http", "127.0.0.1"], "cannot be used with"),
        (&["--room-token", "a", "--room-secret", "b"], "cannot be used with"),
        (&["--room-size", "0"], "0 is not in 1..=256"),
        (&["--listen", "127.0.0.1:0", "--room-token", ""], "is empty"),
    ] {
        let run = floe(&[&["serve"], arguments].concat());
        assert!(run.error(2).contains(said), "{run:?}");
    }
    let server = serve(&[]);
    let run = floe(&["serve", "--listen", "127.0.0.1:0", "--http", address(&server)]);
    assert!(run.error(1).starts_with(&format!("cannot listen on {} (http): ", address(&server))), "{run:?}");
    let quiet = serve(&["--no-http"]);
    assert!(!quiet.greeting.contains("page "), "{}", quiet.greeting);
}
