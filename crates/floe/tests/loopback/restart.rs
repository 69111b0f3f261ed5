//! ICE restarts (RFC 8445 §9) on real sockets: make before break, and back from failure.

use std::sync::Arc;

use floe::{Agent, AgentError, Component, ConnectionState, Event, GatheringState, RecvError, RestartCause};
use tokio::task::AbortHandle;

use crate::support::{DEADLINE, connected, deliver, exchange_credentials, local, soon};

/// Signals everything that `from` says to `to`, for as long as both live.
async fn relay(from: Agent, to: Agent) {
    let mut ufrag = from.local_credentials().ufrag().to_owned();
    while let Some(event) = from.next_event().await {
        let result = match event {
            Event::LocalCandidate { stream, candidate } => {
                to.add_stream_remote_candidate(stream, &candidate).map(|_| ())
            }
            Event::GatheringStateChanged(GatheringState::Complete) => to.end_of_remote_candidates_of(&ufrag),
            Event::Restarted { credentials, .. } => {
                credentials.ufrag().clone_into(&mut ufrag);
                to.set_remote_credentials(credentials)
            }
            _ => Ok(()),
        };
        assert!(result.is_ok() || to.state() == ConnectionState::Closed, "{result:?}");
    }
}

/// Stops when the test is over.
struct Signalling([AbortHandle; 2]);

impl Drop for Signalling {
    fn drop(&mut self) {
        self.0.iter().for_each(AbortHandle::abort);
    }
}

fn signalling(a: &Agent, b: &Agent) -> Signalling {
    Signalling([
        tokio::spawn(relay(a.clone(), b.clone())).abort_handle(),
        tokio::spawn(relay(b.clone(), a.clone())).abort_handle(),
    ])
}

fn ufrags(a: &Agent, b: &Agent) -> [String; 2] {
    [a, b].map(|agent| agent.local_credentials().ufrag().to_owned())
}

#[tokio::test]
async fn datagrams_arrive_all_through_a_restart() {
    let ((a, b), (to_b, to_a)) = connected().await;
    let _signalling = signalling(&a, &b);
    for round in 0..4 {
        let before = ufrags(&a, &b);
        match round {
            0 => a.restart().expect("open"),
            1 => b.restart().expect("open"),
            _ => {
                a.restart().expect("open");
                b.restart().expect("open");
            }
        }
        let over = async {
            let mut number = 0_u32;
            loop {
                // Each has to arrive before the next is sent: none may be lost.
                let payload = (0xF000_0000 + number).to_be_bytes();
                deliver(&to_b, &to_a, &payload).await;
                deliver(&to_a, &to_b, &payload).await;
                number += 1;
                let now = ufrags(&a, &b);
                let changed = before[0] != now[0] && before[1] != now[1];
                let completed = [a.state(), b.state()] == [ConnectionState::Completed; 2];
                if changed && completed {
                    return number;
                }
            }
        };
        let exchanged = soon(over).await;
        assert!(exchanged > 1, "the restart takes its time, and data goes on meanwhile");
        assert!(a.counters().restarts > 0 && b.counters().restarts > 0);
    }
}

#[tokio::test]
async fn the_peer_learns_of_a_restart_by_new_credentials() {
    let ((a, b), _) = connected().await;
    while a.try_next_event().is_some() {}
    a.restart().expect("open");
    let first = a.try_next_event();
    let Some(Event::Restarted { cause: RestartCause::Requested, credentials }) = first else {
        panic!("{first:?}")
    };
    assert_eq!(credentials, a.local_credentials());
    let old = b.local_credentials();
    while b.try_next_event().is_some() {}
    b.set_remote_credentials(credentials.clone()).expect("the peer restarts");
    let first = b.try_next_event();
    let Some(Event::Restarted { cause: RestartCause::Peer, credentials: theirs }) = first else {
        panic!("{first:?}")
    };
    assert_ne!(theirs, old);
    assert_eq!(a.set_remote_credentials(old), Err(AgentError::OutdatedCredentials));
    // Candidates say which session they belong to.
    for agent in [&a, &b] {
        soon(agent.gathered()).await;
        let own = agent.local_credentials();
        let candidates = agent.local_candidates();
        assert!(!candidates.is_empty());
        assert!(candidates.iter().all(|(_, candidate)| candidate.ufrag() == Some(own.ufrag())));
    }
    assert_eq!(a.state(), ConnectionState::Connected);
}

#[tokio::test]
async fn sockets_are_kept_over_a_restart() {
    let ((a, b), (to_b, to_a)) = connected().await;
    let addresses =
        |agent: &Agent| agent.local_candidates().into_iter().map(|(_, c)| c.address()).collect::<Vec<_>>();
    let before = addresses(&a);
    let _signalling = signalling(&a, &b);
    a.restart().expect("open");
    soon(a.completed()).await.expect("connected");
    soon(b.completed()).await.expect("connected");
    assert_eq!(addresses(&a), before);
    deliver(&to_b, &to_a, b"there").await;
    deliver(&to_a, &to_b, b"and back").await;
}

/// Nobody answers, and everything that is due happens at once.
#[tokio::test(start_paused = true)]
async fn what_has_failed_connects_after_a_restart() {
    let a = local().controlling().start().await.expect("started");
    let b = local().start().await.expect("started");
    let connection = Arc::new(a.connection(Component::default()).expect("exists"));
    // The peer is known and does not exist.
    a.set_remote_credentials(floe::Credentials::new("nobody", "aPasswordOfNobodyAtAll1").expect("valid"))
        .expect("the first");
    a.end_of_remote_candidates().expect("open");
    assert!(tokio::time::timeout(DEADLINE * 10, a.connected()).await.expect("fails in time").is_err());
    assert_eq!(connection.recv(&mut [0; 10]).await, Err(RecvError::Failed));
    tokio::time::resume();

    while a.try_next_event().is_some() {}
    a.restart().expect("open");
    assert_eq!(a.state(), ConnectionState::New);
    exchange_credentials(&a, &b);
    for (from, to) in [(&a, &b), (&b, &a)] {
        soon(from.gathered()).await;
        for (_, candidate) in from.local_candidates() {
            let _ = to.add_remote_candidate(&candidate).expect("open");
        }
    }
    let to_a = soon(b.connected()).await.expect("connected");
    soon(a.connected()).await.expect("connected");
    deliver(&to_a, &connection, b"the old connection receives again").await;
    deliver(&connection, &to_a, b"and sends").await;
}

#[tokio::test]
async fn a_closed_agent_does_not_restart() {
    let agent = local().start().await.expect("started");
    agent.close();
    assert_eq!(agent.restart(), Err(AgentError::Closed));
}
