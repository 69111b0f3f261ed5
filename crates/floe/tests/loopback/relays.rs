//! TURN servers that are reached over TCP, and those that do not behave.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use floe::ice::candidate::CandidateKind;
use floe::ice::{DriverError, RelayFailure};
use floe::server::{Transport, TurnServer};
use floe::turn::server::Credentials;
use floe::{Agent, Builder, Event, GatheringFailure, GatheringState, RelayLoss};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

use crate::support::{both_completed, deliver, local, pair_of, soon};

pub(crate) async fn server() -> TurnServer {
    let mut credentials = Credentials::new("example.org").expect("a realm");
    credentials.add_user("alice", "secret").expect("a user");
    let address = "127.0.0.1:0".parse().expect("an address");
    let settings = TurnServer::builder(credentials).listen_on(Transport::Tcp, address);
    settings.configure(|config| config.peers.allow_loopback = true).start().await.expect("started")
}

/// An agent that may use nothing but a relay over TCP.
fn through(server: SocketAddr) -> Builder {
    local().turn_server(format!("turn:{server}?transport=tcp"), "alice", "secret").relay_only()
}

pub(crate) fn address_of(server: &TurnServer) -> SocketAddr {
    server.local_addr(Transport::Tcp).expect("it listens")
}

/// What gathering says goes wrong.
pub(crate) async fn problems(agent: &Agent) -> Vec<GatheringFailure> {
    let mut problems = Vec::new();
    loop {
        match soon(agent.next_event()).await.expect("open") {
            Event::GatheringStateChanged(GatheringState::Complete) => return problems,
            Event::GatheringProblem { failure, .. } => problems.push(failure),
            _ => {}
        }
    }
}

async fn loss(agent: &Agent) -> RelayLoss {
    loop {
        if let Event::RelayLost { failure, .. } = soon(agent.next_event()).await.expect("open") {
            return failure;
        }
    }
}

#[tokio::test]
async fn agents_exchange_data_through_relays_over_tcp() {
    let server = server().await;
    let (a, b) = soon(pair_of(through(address_of(&server)), through(address_of(&server)))).await;
    let (a_end, b_end) = soon(both_completed(&a, &b)).await;
    let pair = a_end.selected_pair().expect("selected");
    assert_eq!(pair.local.kind(), CandidateKind::Relayed);
    for round in 0..200_u8 {
        let payload = vec![0x80 | round; 1 + 7 * usize::from(round)];
        deliver(&a_end, &b_end, &payload).await;
        deliver(&b_end, &a_end, &payload).await;
    }
    assert_eq!((server.stats().accepted, a_end.counters().send_failures), (2, 0));
    a.close();
    b.close();
    let ended = async {
        while server.stats().connections > 0 {
            tokio::task::yield_now().await;
        }
    };
    soon(ended).await;
}

#[tokio::test]
async fn an_end_over_udp_meets_one_over_tcp() {
    let server = server().await;
    let (a, b) = soon(pair_of(through(address_of(&server)), local())).await;
    let (a_end, b_end) = soon(both_completed(&a, &b)).await;
    deliver(&a_end, &b_end, b"\x80 there").await;
    deliver(&b_end, &a_end, b"\x80 and back").await;
}

#[tokio::test]
async fn a_server_that_goes_takes_its_relays_along_and_says_how() {
    let server = server().await;
    let (a, b) = soon(pair_of(through(address_of(&server)), through(address_of(&server)))).await;
    let _ends = soon(both_completed(&a, &b)).await;
    soon(server.shutdown()).await;
    let failure = soon(loss(&a)).await;
    let expected = [
        RelayLoss::Connection(DriverError::ConnectionClosed),
        RelayLoss::Connection(DriverError::ConnectionReset),
    ];
    assert!(expected.contains(&failure), "{failure:?}");
}

#[tokio::test]
async fn a_wrong_password_is_told() {
    let server = server().await;
    let uri = format!("turn:{}?transport=tcp", address_of(&server));
    let agent = local().turn_server(uri, "alice", "wrong").relay_only().start().await.expect("started");
    assert_eq!(problems(&agent).await, [GatheringFailure::Relay(RelayFailure::WrongCredentials)]);
}

/// What an agent says of a server that does this with each connection.
async fn problems_with<F>(serve: impl Fn(TcpStream) -> F + Send + 'static) -> Vec<GatheringFailure>
where
    F: Future<Output = ()> + Send,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bound");
    let address = listener.local_addr().expect("bound");
    let server = tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            serve(stream).await;
        }
    });
    let builder = through(address).configure(|config| {
        config.gather.server_deadline = Duration::from_millis(500);
    });
    let agent = builder.start().await.expect("started");
    let problems = problems(&agent).await;
    server.abort();
    problems
}

/// The request is there, so that closing the connection does not reset it.
async fn take_request(stream: &mut TcpStream) {
    let mut request = [0; 20];
    stream.read_exact(&mut request).await.expect("a request");
    let rest = usize::from(u16::from_be_bytes([request[2], request[3]]));
    stream.read_exact(&mut vec![0; rest]).await.expect("all of it");
}

#[tokio::test]
async fn a_server_that_is_none_is_told_from_one_that_is_silent_or_gone() {
    let of = |reason| vec![GatheringFailure::Driver(reason)];
    let garbage = problems_with(|mut stream| async move {
        take_request(&mut stream).await;
        let _ = stream.write_all(b"SSH-2.0-server\r\n").await;
        let _ = stream.read_to_end(&mut Vec::new()).await;
    });
    assert_eq!(garbage.await, of(DriverError::NotTurn));
    let closes = problems_with(|mut stream| async move { take_request(&mut stream).await });
    assert_eq!(closes.await, of(DriverError::ConnectionClosed));
    let half_closes = problems_with(|mut stream| async move {
        take_request(&mut stream).await;
        let _ = stream.shutdown().await;
        let _ = stream.read_to_end(&mut Vec::new()).await;
    });
    assert_eq!(half_closes.await, of(DriverError::ConnectionClosed));
    let resets = problems_with(|stream| async move {
        stream.set_zero_linger().expect("set");
    });
    assert_eq!(resets.await, of(DriverError::ConnectionReset));
    let cuts_a_frame = problems_with(|mut stream| async move {
        take_request(&mut stream).await;
        let _ = stream.write_all(&[1, 0x13, 0, 60, 0x21]).await;
    });
    assert_eq!(cuts_a_frame.await, of(DriverError::ConnectionClosed));
    let says_nothing = problems_with(|mut stream| async move {
        let _ = stream.read_to_end(&mut Vec::new()).await;
    });
    assert_eq!(says_nothing.await, [GatheringFailure::ServerTimeout]);
}

#[tokio::test]
async fn a_port_where_nobody_listens_is_told() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bound");
    let address = listener.local_addr().expect("bound");
    drop(listener);
    let agent = through(address).start().await.expect("started");
    assert_eq!(problems(&agent).await, [GatheringFailure::Driver(DriverError::ConnectionRefused)]);
}

/// Forwards both ways until it is told to read no more of what comes from the client.
async fn stalling(server: SocketAddr, stall: Arc<Notify>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bound");
    let address = listener.local_addr().expect("bound");
    tokio::spawn(async move {
        let (client, _) = listener.accept().await.expect("accepted");
        let server = TcpStream::connect(server).await.expect("connected");
        let ((mut from, mut to), (mut back_from, mut back_to)) = (client.into_split(), server.into_split());
        let back = tokio::spawn(async move { tokio::io::copy(&mut back_from, &mut to).await });
        tokio::select! {
            _ = tokio::io::copy(&mut from, &mut back_to) => {}
            () = stall.notified() => {}
        }
        // Both ends stay open.
        let _ = back.await;
        drop((from, back_to));
    });
    address
}

#[tokio::test]
async fn a_connection_that_takes_nothing_loses_data_and_holds_up_nobody() {
    let server = server().await;
    let stall = Arc::new(Notify::new());
    let slow = stalling(address_of(&server), stall.clone()).await;
    let (a, b) = soon(pair_of(through(slow), through(address_of(&server)))).await;
    let (a_end, b_end) = soon(both_completed(&a, &b)).await;
    deliver(&a_end, &b_end, b"\x80 before").await;
    stall.notify_one();
    let flood = async {
        while a_end.counters().send_failures == 0 {
            a_end.send(&[0x80; 1200]).await.expect("there is a path");
        }
    };
    soon(flood).await;
    // The other direction goes on.
    let mut buffer = [0; 2048];
    b_end.send(b"\x80 back").await.expect("sent");
    let len = soon(a_end.recv(&mut buffer)).await.expect("received");
    assert_eq!(&buffer[..len], b"\x80 back");
}

#[tokio::test]
async fn an_agent_may_close_while_it_connects() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bound");
    let agent = through(listener.local_addr().expect("bound")).start().await.expect("started");
    let (mut stream, _) = soon(listener.accept()).await.expect("accepted");
    agent.close();
    let mut rest = Vec::new();
    // Nothing, the request, or a reset: but an end.
    let _ = soon(stream.read_to_end(&mut rest)).await;
}
