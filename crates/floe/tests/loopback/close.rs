//! Closing and dropping, in every state.

use std::net::{IpAddr, UdpSocket};
use std::time::Duration;

use floe::{Agent, ConnectError, ConnectionState, Event, RecvError, SendError};

use crate::support::{connected, exchange_credentials, local, soon, trickle};

async fn agent_with_candidate() -> (Agent, std::net::SocketAddr) {
    let agent = local().controlling().start().await.expect("started");
    loop {
        if let Some(Event::LocalCandidate { candidate, .. }) = soon(agent.next_event()).await {
            return (agent, candidate.address());
        }
    }
}

/// Whether nobody has the port any more.
fn is_free(address: std::net::SocketAddr) -> bool {
    UdpSocket::bind(address).is_ok()
}

#[tokio::test]
async fn close_right_after_the_start() {
    let agent = local().start().await.expect("started");
    agent.close();
    assert_eq!(agent.state(), ConnectionState::Closed);
    assert_eq!(soon(agent.connected()).await.err(), Some(ConnectError::Closed));
    let mut last = None;
    while let Some(event) = soon(agent.next_event()).await {
        last = Some(event);
    }
    assert_eq!(last, Some(Event::StateChanged(ConnectionState::Closed)));
    assert!(agent.set_remote_credentials(agent.local_credentials()).is_err());
    agent.close();
}

#[tokio::test]
async fn close_frees_the_ports_before_it_returns() {
    let (agent, address) = agent_with_candidate().await;
    assert!(!is_free(address));
    agent.close();
    assert!(is_free(address));
}

#[tokio::test]
async fn close_while_checking() {
    let (agent, address) = agent_with_candidate().await;
    let peer = local().start().await.expect("started");
    agent.set_remote_credentials(peer.local_credentials()).expect("set once");
    // Nobody answers there: the peer does not know us.
    soon(trickle(&peer, &agent)).await;
    assert_eq!(agent.state(), ConnectionState::Checking);
    let waiting = tokio::spawn({
        let agent = agent.clone();
        async move { agent.connected().await.err() }
    });
    tokio::task::yield_now().await;
    agent.close();
    assert_eq!(soon(waiting).await.expect("ran"), Some(ConnectError::Closed));
    assert!(is_free(address));
}

#[tokio::test]
async fn close_while_connected_ends_every_waiting_call() {
    let ((a, _b), (connection, _peer)) = connected().await;
    let address = connection.selected_pair().expect("connected").local.address();
    let (receiver, listener) = (connection.clone(), a.clone());
    let receiving = tokio::spawn(async move { receiver.recv(&mut [0; 1500]).await });
    let listening = tokio::spawn(async move { while listener.next_event().await.is_some() {} });
    tokio::task::yield_now().await;
    a.close();
    assert!(is_free(address));
    assert_eq!(soon(receiving).await.expect("ran"), Err(RecvError::Closed));
    soon(listening).await.expect("ran");
    assert_eq!(connection.send(b"too late").await, Err(SendError::Closed));
    assert_eq!(connection.try_recv(&mut [0; 1500]), Err(RecvError::Closed));
}

#[tokio::test]
async fn dropping_the_last_handle_closes() {
    let (agent, address) = agent_with_candidate().await;
    let clone = agent.clone();
    drop(agent);
    assert!(!is_free(address), "a clone is left");
    drop(clone);
    assert!(is_free(address));
}

#[tokio::test]
async fn a_connection_keeps_the_agent_alive() {
    let ((a, b), (to_b, to_a)) = connected().await;
    let address = to_b.selected_pair().expect("connected").local.address();
    drop((a, b));
    crate::support::deliver(&to_b, &to_a, b"nobody but us").await;
    drop(to_b);
    assert!(is_free(address));
}

#[tokio::test]
async fn an_agent_ends_with_its_runtime() {
    let run = || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("built");
        let kept = runtime.block_on(agent_with_candidate());
        drop(runtime);
        kept
    };
    let (agent, address) = tokio::task::spawn_blocking(run).await.expect("ran");
    assert_eq!(agent.state(), ConnectionState::Closed);
    assert!(is_free(address));
    assert_eq!(soon(agent.connected()).await.err(), Some(ConnectError::Closed));
}

/// A name server that never answers.
struct Stuck;

impl floe::Resolver for Stuck {
    fn resolve(&self, _host: &str) -> floe::Resolving {
        Box::pin(std::future::pending::<std::io::Result<Vec<IpAddr>>>())
    }
}

#[tokio::test]
async fn close_during_a_stuck_name_look_up_is_immediate() {
    let agent = local().stun_server("stun:stun.invalid").resolver(Stuck).start().await.expect("started");
    let first = soon(agent.next_event()).await;
    assert!(first.is_some());
    let begun = std::time::Instant::now();
    agent.close();
    assert!(begun.elapsed() < Duration::from_secs(1));
    soon(async { while agent.next_event().await.is_some() {} }).await;
}

/// Whoever listens hears of the end, however the threads run.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_last_event_is_that_of_closing() {
    for _ in 0..200 {
        let agent = local().start().await.expect("started");
        let closer = agent.clone();
        let closing = tokio::task::spawn_blocking(move || closer.close());
        let mut last = None;
        // Without waiting in between, so that it looks at every moment.
        while let Some(event) = soon(agent.next_event()).await {
            last = Some(event);
        }
        assert_eq!(last, Some(Event::StateChanged(ConnectionState::Closed)));
        closing.await.expect("ran");
    }
}

#[tokio::test]
async fn both_sides_may_close_at_any_moment() {
    for step in 0..40 {
        let a = local().controlling().start().await.expect("started");
        let b = local().start().await.expect("started");
        exchange_credentials(&a, &b);
        let signalling = async { tokio::join!(trickle(&a, &b), trickle(&b, &a)) };
        let closing = async {
            for _ in 0..step {
                tokio::task::yield_now().await;
            }
            a.close();
            b.close();
        };
        soon(async { tokio::join!(signalling, closing) }).await;
        assert_eq!((a.state(), b.state()), (ConnectionState::Closed, ConnectionState::Closed));
    }
}
