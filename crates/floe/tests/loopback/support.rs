//! Two agents of this process and the signalling between them.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use floe::{Agent, Builder, Connection, Event, GatheringState};

/// More than anything here takes; only a failing test waits so long.
pub(crate) const DEADLINE: Duration = Duration::from_secs(30);

pub(crate) const LOCALHOST: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// The result, or a panic when it takes too long.
pub(crate) async fn soon<F: Future>(work: F) -> F::Output {
    tokio::time::timeout(DEADLINE, work).await.expect("done within the deadline")
}

/// Settings for an agent on IPv4 loopback.
pub(crate) fn local() -> Builder {
    Agent::builder().bind(LOCALHOST)
}

/// Tells `to` of the candidates of `from` as they are found, and of their end.
pub(crate) async fn trickle(from: &Agent, to: &Agent) {
    while let Some(event) = from.next_event().await {
        match event {
            // An error when `to` is closed or has fewer streams: not the concern of `from`.
            Event::LocalCandidate { stream, candidate } => {
                let _ = to.add_stream_remote_candidate(stream, &candidate);
            }
            Event::GatheringStateChanged(GatheringState::Complete) => {
                let _ = to.end_of_remote_candidates();
                return;
            }
            _ => {}
        }
    }
}

pub(crate) fn exchange_credentials(a: &Agent, b: &Agent) {
    a.set_remote_credentials(b.local_credentials()).expect("set once");
    b.set_remote_credentials(a.local_credentials()).expect("set once");
}

/// Two agents that are signalled to each other, the first controlling.
pub(crate) async fn pair_of(a: Builder, b: Builder) -> (Agent, Agent) {
    let a = a.controlling().start().await.expect("started");
    let b = b.start().await.expect("started");
    exchange_credentials(&a, &b);
    tokio::join!(trickle(&a, &b), trickle(&b, &a));
    (a, b)
}

/// Two agents and the connections between them, each on its selected pair.
pub(crate) async fn connected() -> ((Agent, Agent), (Connection, Connection)) {
    let (a, b) = soon(pair_of(local(), local())).await;
    let connections = soon(both_completed(&a, &b)).await;
    ((a, b), connections)
}

pub(crate) async fn both_completed(a: &Agent, b: &Agent) -> (Connection, Connection) {
    let (a, b) = tokio::join!(a.completed(), b.completed());
    (a.expect("connected"), b.expect("connected"))
}

/// Sends `payload` and checks that it arrives.
pub(crate) async fn deliver(from: &Connection, to: &Connection, payload: &[u8]) {
    from.send(payload).await.expect("sent");
    let mut buffer = [0; 2048];
    let len = soon(to.recv(&mut buffer)).await.expect("received");
    assert_eq!(&buffer[..len], payload);
}
