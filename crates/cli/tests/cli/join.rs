//! `floe join`: terminals in a room of `floe serve`, on loopback.

use crate::direct::{Place, start};
use crate::program::{Running, floe};
use crate::serve::Server;

fn serve(more: &[&str]) -> Server {
    Server::start(&[&["--listen", "127.0.0.1:0", "--http", "127.0.0.1:0"], more].concat(), None)
}

fn room(server: &Server) -> String {
    format!("{}/kitchen", server.said("page").trim_end_matches('/'))
}

#[test]
fn two_terminals_talk_exchange_files_and_restart_ice() {
    let server = serve(&[]);
    let url = room(&server);
    let place = Place::new("join");
    let big: Vec<u8> = (0..2_000_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let path = place.file("big.bin", &big);
    let to = Place::new("joined");
    let mut ann = start(&["join", &url, "--name", "Ann", "--directory", to.path()]);
    ann.next_of("state");
    let mut bob = start(&["join", &url, "--name", "Bob", "--send", &path]);
    assert_eq!(ann.next_of("received")["size"], big.len());
    assert!(std::fs::read(to.0.join("big.bin")).expect("it was received") == big);
    bob.next_of("sent");

    for restarts in [false, true] {
        if restarts {
            ann.say("/restart");
        }
        ann.say("hello");
        assert_eq!(bob.next_of("chat")["text"], "hello");
        if restarts {
            // The new session has its own path.
            let path = |side: &Running| side.next_of("state")["state"].as_str().map(str::to_owned);
            while !path(&bob).is_some_and(|state| state.starts_with("path: ")) {}
        }
        bob.say("and you");
        assert_eq!(ann.next_of("chat")["text"], "and you");
    }
    assert!(bob.end(), "who ends it succeeds");
    assert!(ann.end(), "and so does the other");
}

#[test]
fn a_conversation_outlives_the_server() {
    let server = serve(&[]);
    let url = room(&server);
    let mut ann = start(&["join", &url, "--name", "Ann"]);
    ann.next_of("state");
    let mut bob = start(&["join", &url, "--name", "Bob"]);
    bob.say("hello");
    ann.next_of("chat");
    drop(server);
    for side in [&ann, &bob] {
        while side.next_of("state")["state"] != "the way to the room is lost" {}
    }
    for round in 0..3 {
        let said = format!("still there {round}");
        ann.say(&said);
        assert_eq!(bob.next_of("chat")["text"], said);
        bob.say(&said);
        assert_eq!(ann.next_of("chat")["text"], said);
    }
    assert!(bob.end() && ann.end());
}

#[test]
fn who_stays_meets_the_next() {
    let server = serve(&[]);
    let url = room(&server);
    let mut ann = start(&["join", &url, "--name", "Ann", "--stay"]);
    ann.next_of("state");
    for name in ["Bob", "Cid"] {
        let mut guest = start(&["join", &url, "--name", name]);
        guest.say(name);
        assert_eq!(ann.next_of("chat")["text"], name);
        ann.say("bye");
        guest.next_of("chat");
        assert!(guest.end(), "{name}");
    }
}

#[test]
fn who_may_not_enter_is_told_why() {
    let server = serve(&["--room-token", "sesame"]);
    let url = room(&server);
    let wrong = format!("{url}#token=wrong");
    for url in [&url, &wrong] {
        assert!(floe(&["join", url]).error(1).contains("token"), "{url}");
    }
    let mut ann = start(&["join", &format!("{url}#token=sesame")]);
    ann.next_of("state");
    ann.say("nobody is here");
    let taken = floe(&["join", &format!("{url}#token=sesame")]);
    assert!(taken.error(1).contains("name"), "{taken:?}");

    assert!(floe(&["join", "kitchen"]).error(2).contains("no address of a room"));
    assert!(floe(&["join", "http://127.0.0.1:1/kitchen"]).error(1).contains("cannot connect"));
}
