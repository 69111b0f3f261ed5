//! `floe gather`, on loopback.

use std::net::SocketAddr;
use std::thread;

use floe::server::StunServer;
use serde_json::Value;
use tokio::sync::oneshot;

use crate::program::floe;

/// A STUN server on loopback, which ends when it is dropped.
struct Server {
    address: SocketAddr,
    _stop: oneshot::Sender<()>,
}

impl Server {
    fn start() -> Self {
        let (stop, stopped) = oneshot::channel();
        let (address, known) = std::sync::mpsc::channel();
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime starts").block_on(async {
                let server = StunServer::bind("127.0.0.1:0").await.expect("loopback can be bound");
                address.send(server.local_addr()).expect("the test waits");
                // The sender is dropped: that is the sign.
                let _ = stopped.await;
            });
        });
        Self { address: known.recv().expect("the server starts"), _stop: stop }
    }
}

#[test]
fn candidates_are_listed_with_their_interface() {
    let run = floe(&["gather", "--bind", "127.0.0.1"]);
    assert_eq!((run.status, run.stderr.as_str()), (0, ""));
    let lines: Vec<&str> = run.stdout.lines().collect();
    assert!(lines[0].contains("  host    127.0.0.1:"), "{}", run.stdout);
    assert!(lines[1].starts_with("1 candidate in "), "{}", run.stdout);
    assert!(lines[1].ends_with("; no STUN server was asked (--stun)"), "{}", run.stdout);
}

#[test]
fn a_server_that_answers_is_told_of_even_without_a_nat() {
    let server = Server::start();
    let uri = format!("stun:{}", server.address);
    let run = floe(&["gather", "--bind", "127.0.0.1", "--stun", &uri]);
    assert_eq!((run.status, run.stderr.as_str()), (0, ""), "{}", run.stdout);
    let answer = format!("answer  {} sees 127.0.0.1:", server.address);
    assert!(run.stdout.contains(&answer), "{}", run.stdout);
    assert!(run.stdout.contains(" is seen as it is: no NAT\n"), "{}", run.stdout);
}

#[test]
fn a_server_that_fails_is_told_of_with_the_reason_and_decides_the_status() {
    // Bound and never read: nobody else gets the port, and nobody answers.
    let silent = std::net::UdpSocket::bind("127.0.0.1:0").expect("loopback can be bound");
    let address = silent.local_addr().expect("it is bound").to_string();
    let run = floe(&["gather", "--bind", "127.0.0.1", "--stun", &address, "--timeout", "1"]);
    assert_eq!(run.error(1), format!("no answer from {address}"));
    let failure = format!("failed  {address} (from 127.0.0.1:");
    assert!(run.stdout.contains(&failure), "{}", run.stdout);
    assert!(run.stdout.contains("): the server did not answer\n"), "{}", run.stdout);
    assert!(run.stdout.contains("  host    127.0.0.1:"), "the others are not held up: {}", run.stdout);
}

#[test]
fn json_lines_say_the_same() {
    let server = Server::start();
    let address = server.address.to_string();
    let run = floe(&["gather", "--bind", "127.0.0.1", "--stun", &address, "--json"]);
    assert_eq!(run.status, 0, "{run:?}");
    let lines: Vec<Value> =
        run.stdout.lines().map(|line| serde_json::from_str(line).expect("each line is an object")).collect();
    let types: Vec<&str> = lines.iter().filter_map(|line| line["type"].as_str()).collect();
    assert_eq!(types, ["candidate", "answer", "done"]);
    assert!(
        lines[0]["candidate"].as_str().is_some_and(|line| line.starts_with("candidate:")),
        "{}",
        lines[0]
    );
    assert_eq!((&lines[1]["server"], &lines[1]["mapped"]), (&Value::from(address), &lines[1]["address"]));
    assert_eq!((&lines[2]["candidates"], &lines[2]["silentServers"]), (&1.into(), &Value::Array(vec![])));
}

#[test]
fn wrong_arguments_are_explained() {
    assert!(floe(&["gather", "--stun", "http:x"]).error(2).contains("server \"http:x\""));
    assert!(floe(&["gather", "--bind", "224.0.0.1"]).error(2).contains("cannot bind to 224.0.0.1"));
    assert!(floe(&["gather", "--timeout", "0"]).error(2).contains("(see floe gather --help)"));
    let other = floe(&["gather", "--bind", "192.0.2.254"]);
    assert_eq!(other.error(1), "no candidate: no network interface can be used");
    assert!(other.stdout.contains("failed  192.0.2.254: the address is not available"), "{}", other.stdout);
}
