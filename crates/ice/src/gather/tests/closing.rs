//! Closing an agent while it gathers: everything it was given is given back, once.

use super::{Bench, Says, ms, parse};
use crate::{Command, Component, GatheringState, SocketId};

const SERVER: &str = "203.0.113.1:3478";

#[test]
fn closing_returns_at_once_whatever_is_under_way() {
    let mut bench = Bench::asking(&["stuck.example.org", SERVER]);
    bench.gather_on(&["192.168.1.5", "192.168.2.5"]);
    bench.run_ms(120);
    let before = bench.sent.len();
    bench.agent.close(bench.now);
    bench.drain();
    assert_eq!(bench.closed(), [SocketId(0), SocketId(1)]);
    assert_eq!(bench.agent.poll_timeout(), None);
    bench.resolve("stuck.example.org", &["203.0.113.2:3478"]);
    bench.run_ms(60_000);
    assert_eq!(bench.sent.len(), before, "nothing is sent any more");
    assert_eq!(bench.closed().len(), 2);
    assert_eq!(bench.agent.gathering_state(), GatheringState::Complete);
}

#[test]
fn sockets_opened_after_closing_are_closed_again_once() {
    let mut bench = Bench::asking(&[]);
    bench.opens = false;
    bench.gather_on(&["192.0.2.1", "198.51.100.1"]);
    let [(first, a), (second, b)] = bench.openings()[..] else { panic!("two addresses, two sockets") };
    bench.open(first, a);
    bench.agent.close(bench.now);
    bench.drain();
    assert_eq!(bench.closed(), [SocketId(0)]);
    bench.now = ms(90_000);
    let late = bench.open(second, b);
    for again in [first, second] {
        bench.agent.opened(again, Ok((late, b)), bench.now);
    }
    bench.drain();
    assert_eq!(bench.closed(), [SocketId(0), SocketId(1)]);
}

#[test]
fn questions_that_were_not_asked_yet_are_not_asked_after_closing() {
    let mut bench = Bench::asking(&["stun.example.org"]);
    bench
        .agent
        .gather(&[crate::InterfaceAddress::new(1, parse("192.0.2.1"))], bench.now)
        .expect("gathering begins");
    bench.agent.close(bench.now);
    assert_eq!(bench.agent.poll_command(), None);
}

#[test]
fn sockets_of_the_embedder_are_the_embedders() {
    let mut bench = Bench::asking(&[SERVER]).with_server(SERVER, 40, Says::TheTruth);
    bench.sockets.push(parse("192.0.2.1:5000"));
    bench
        .agent
        .add_host(Component::default(), SocketId(0), parse("192.0.2.1:5000"), bench.now)
        .expect("a candidate");
    bench.gather_on(&["198.51.100.1"]);
    bench.run_ms(500);
    bench.agent.socket_failed(SocketId(0), bench.now);
    bench.agent.close(bench.now);
    bench.drain();
    let closed = Command::CloseSocket { socket: SocketId(1) };
    assert_eq!(bench.commands.last().map(|c| &c.1), Some(&closed));
    assert_eq!(bench.closed(), [SocketId(1)]);
}
