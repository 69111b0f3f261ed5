//! `floe turn-check` against `floe serve`, and against what is no TURN server.

use std::io::{Read, Write};
use std::net::{TcpListener, UdpSocket};
use std::thread;

use crate::program::{Run, floe};
use crate::serve::{LOCAL, Server};

/// The turn: URI that a server printed for this transport.
fn uri(server: &Server, transport: &str) -> String {
    let mut words = server.greeting.split_whitespace();
    let wanted = format!("?transport={transport}");
    words.find(|word| word.starts_with("turn:") && word.ends_with(&wanted)).expect("a URI for it").to_owned()
}

fn check(uri: &str, more: &[&str]) -> Run {
    let alice = ["--username", "alice", "--password", "secret"];
    let rate = if more.contains(&"--rate") { &[][..] } else { &["--rate", "1"] };
    floe(&[&["turn-check", uri], &alice[..], rate, more].concat())
}

/// The steps that a run printed, with how they ended.
fn steps(run: &Run) -> Vec<(String, String)> {
    let lines = run.stdout.lines().map(|line| serde_json::from_str(line).expect("JSON in each line"));
    let steps = lines.filter(|line: &serde_json::Value| line["type"] == "step");
    let text = |value: &serde_json::Value| value.as_str().expect("text").to_owned();
    steps.map(|step| (text(&step["step"]), text(&step["result"]))).collect()
}

fn alices_server() -> Server {
    Server::start(&[&LOCAL[..], &["--user", "alice:secret"]].concat(), None)
}

#[test]
fn everything_works_on_a_server_that_works() {
    let mut server = alices_server();
    for transport in ["udp", "tcp"] {
        let run = check(&uri(&server, transport), &["--json"]);
        let steps = steps(&run);
        assert!(steps.iter().all(|(_, result)| result == "ok"), "{transport}: {run:?}");
        let names: Vec<&str> = steps.iter().map(|(step, _)| step.as_str()).collect();
        assert_eq!(
            names,
            [
                "connect",
                "binding",
                "allocate",
                "permission",
                "echo",
                "channel",
                "round trip",
                "throughput",
                "delete"
            ]
        );
        assert_eq!(run.status, 0, "{run:?}");
        assert!(server.line().contains(&format!("Z allocated alice {transport} ")));
        assert!(server.line().contains(": deleted after "));
    }
}

#[test]
fn a_person_reads_what_works() {
    let server = alices_server();
    let run = check(&uri(&server, "udp"), &[]);
    assert_eq!((run.status, run.stderr.as_str()), (0, ""), "{run:?}");
    assert!(run.stdout.contains("ok    allocate "), "{}", run.stdout);
    assert!(run.stdout.contains(" 0 of 20 lost\n"), "{}", run.stdout);
    assert!(run.stdout.ends_with("The server works.\n"), "{}", run.stdout);
}

#[test]
fn a_wrong_password_is_said_and_nothing_else_is_tried() {
    let server = alices_server();
    let run = floe(&["turn-check", &uri(&server, "udp"), "--username", "alice", "--password", "wrong"]);
    assert_eq!(run.error(1), "the TURN server does not work as it should: allocate failed");
    assert!(run.stdout.contains("does not accept the user name or the password\n"), "{}", run.stdout);
    assert!(
        run.stdout.contains("not tried, as there is no allocation: permission, echo, channel, "),
        "{}",
        run.stdout
    );
    let run = floe(&["turn-check", &uri(&server, "tcp")]);
    assert!(run.stdout.contains("Give --username and --password."), "{}", run.stdout);
    assert_eq!(run.status, 1, "{run:?}");
}

#[test]
fn a_policy_that_forbids_this_machine_is_said_and_the_allocation_given_back() {
    let server = Server::start(&["--listen", "127.0.0.1:0", "--user", "alice:secret"], None);
    let run = check(&uri(&server, "udp"), &[]);
    assert_eq!(run.error(1), "the TURN server does not work as it should: permission and 1 more failed");
    assert!(run.stdout.contains("A peer policy may forbid private and loopback addresses"), "{}", run.stdout);
    assert!(run.stdout.contains("the allocation is given back"), "{}", run.stdout);
}

#[test]
fn a_server_that_says_nothing_is_waited_for_so_long_and_no_longer() {
    let silent = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    let address = silent.local_addr().expect("bound");
    let run = check(&format!("turn:{address}"), &["--timeout", "1"]);
    assert_eq!(run.error(1), "the TURN server does not work as it should: allocate failed");
    assert!(
        run.stdout.contains("Is a server listening there, and does UDP get through to it?"),
        "{}",
        run.stdout
    );
    // A connection is taken by the system, and nobody ever reads it.
    let silent = TcpListener::bind("127.0.0.1:0").expect("a socket");
    let address = silent.local_addr().expect("bound");
    let run = check(&format!("turn:{address}?transport=tcp"), &["--timeout", "1"]);
    assert!(run.stdout.contains("said nothing: is it a TURN server?"), "{}", run.stdout);
    assert_eq!(run.status, 1, "{run:?}");
}

#[test]
fn a_server_that_sends_nonsense_without_end_is_listened_to_no_longer_than_a_silent_one() {
    let server = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    let address = server.local_addr().expect("bound");
    thread::spawn(move || {
        let mut request = [0; 2048];
        let Ok((_, client)) = server.recv_from(&mut request) else { return };
        // Until the client is gone, which the system tells.
        while server.send_to(b"\x01nonsense", client).is_ok() {}
    });
    let run = check(&format!("turn:{address}"), &["--timeout", "1"]);
    assert_eq!(run.error(1), "the TURN server does not work as it should: allocate failed");
    assert!(run.stdout.contains("the server did not answer"), "{}", run.stdout);
}

#[test]
fn a_connection_that_is_closed_in_the_middle_of_a_frame_is_said() {
    for half in [&b"\x01\x01\x00\x0c\x21\x12"[..], b"HTTP/1.1 400 Bad Request\r\n\r\n"] {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a socket");
        let address = listener.local_addr().expect("bound");
        let server = thread::spawn(move || {
            for connection in listener.incoming().take(1) {
                let mut connection = connection.expect("accepted");
                let mut request = [0; 20];
                connection.read_exact(&mut request).expect("a Binding request");
                connection.write_all(half).expect("taken");
            }
        });
        let run = check(&format!("turn:{address}?transport=tcp"), &["--timeout", "2"]);
        server.join().expect("it answered once");
        assert_eq!(run.status, 1, "{run:?}");
        assert!(run.stdout.contains("FAILS allocate "), "{}", run.stdout);
    }
}

#[test]
fn what_is_no_uri_is_wrong_usage() {
    let run = floe(&["turn-check", "stun:127.0.0.1"]);
    assert!(run.error(2).starts_with("'stun:127.0.0.1' is no TURN server: "), "{run:?}");
    let run = floe(&["turn-check", "turn:127.0.0.1", "--username", "alice"]);
    assert!(run.error(2).starts_with("--username needs --password"), "{run:?}");
    let run = floe(&["turn-check", "turn:no-such-host.invalid", "--timeout", "3"]);
    assert!(run.stdout.starts_with("FAILS look-up "), "{run:?}");
    assert_eq!(run.status, 1);
}

#[cfg(feature = "tls")]
#[test]
fn over_tls_the_certificate_has_to_be_trusted_and_for_the_name() {
    let made =
        rcgen::generate_simple_self_signed(vec!["turn.example.org".to_owned()]).expect("a certificate");
    let [chain, key] =
        [("chain", made.cert.pem()), ("key", made.signing_key.serialize_pem())].map(|(name, pem)| {
            let path =
                std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("turn-check-{name}.pem"));
            std::fs::write(&path, pem).expect("room for a file");
            path.display().to_string()
        });
    let tls =
        ["--user", "alice:secret", "--tls-listen", "127.0.0.1:0", "--tls-cert", &chain, "--tls-key", &key];
    let server = Server::start(&[&LOCAL[..], &tls[..]].concat(), None);
    let mut words = server.greeting.split_whitespace();
    let uri = words.find(|word| word.starts_with("turns:")).expect("a URI for TLS");
    let named = ["--tls-ca", &chain, "--tls-name", "turn.example.org"];
    let run = check(uri, &[&named[..], &["--rate", "0"]].concat());
    assert_eq!(run.status, 0, "{run:?}");
    assert!(run.stdout.contains(" over TLS, from "), "{}", run.stdout);
    for wrong in
        [["--tls-ca", &*chain, "--tls-name", "other.example.org"], ["--tls-ca", &*key, "--tls-name", "x"]]
    {
        assert_ne!(check(uri, &wrong).status, 0, "{wrong:?}");
    }
    let run = check(uri, &["--tls-name", "turn.example.org"]);
    assert!(run.stdout.contains("is the certificate for this name?"), "{}", run.stdout);
    let run = floe(&["turn-check", "turns:127.0.0.1"]);
    assert!(run.error(2).contains("needs --tls-name"), "{run:?}");
}
