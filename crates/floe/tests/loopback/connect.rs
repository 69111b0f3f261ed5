//! Two agents on the sockets of this machine find each other.

use std::net::{Ipv6Addr, UdpSocket};

use crate::support::{
    both_completed, connected, deliver, exchange_credentials, local, pair_of, soon, trickle,
};
use floe::{Agent, Component, ComponentId, ConnectionState, Event, GatheringState, StreamId};

#[tokio::test]
async fn two_agents_exchange_data_over_ipv4() {
    let (_agents, (a, b)) = connected().await;
    deliver(&a, &b, b"from the controlling side").await;
    deliver(&b, &a, b"from the controlled side").await;
    deliver(&a, &b, b"").await;
    deliver(&a, &b, &[0xA5; 1400]).await;
}

#[tokio::test]
async fn two_agents_exchange_data_over_ipv6() {
    if UdpSocket::bind((Ipv6Addr::LOCALHOST, 0)).is_err() {
        // This machine has no IPv6.
        return;
    }
    let builder = || Agent::builder().bind(Ipv6Addr::LOCALHOST);
    let (a, b) = soon(pair_of(builder(), builder())).await;
    let (a, b) = soon(both_completed(&a, &b)).await;
    deliver(&a, &b, b"there").await;
    deliver(&b, &a, b"and back").await;
    let pair = a.selected_pair().expect("connected");
    assert!(pair.local.address().is_ipv6() && pair.remote.address().is_ipv6());
}

#[tokio::test]
async fn candidates_may_come_before_the_credentials() {
    let a = local().controlling().start().await.expect("started");
    let b = local().start().await.expect("started");
    soon(async { tokio::join!(trickle(&a, &b), trickle(&b, &a)) }).await;
    exchange_credentials(&a, &b);
    let (a, b) = soon(both_completed(&a, &b)).await;
    deliver(&a, &b, b"late credentials").await;
}

#[tokio::test]
async fn every_component_of_every_stream_gets_its_own_connection() {
    let (a, b) = soon(pair_of(local().streams([1, 2]), local().streams([1, 2]))).await;
    soon(both_completed(&a, &b)).await;
    let components = [(0, 1), (1, 1), (1, 2)]
        .map(|(stream, id)| Component::new(StreamId(stream), ComponentId::new(id).expect("1 to 256")));
    for component in components {
        let from = a.connection(component).expect("exists");
        let to = b.connection(component).expect("exists");
        deliver(&from, &to, format!("{component:?}").as_bytes()).await;
        deliver(&to, &from, b"back").await;
    }
    let unknown = Component::new(StreamId(2), ComponentId::FIRST);
    assert!(a.connection(unknown).is_err());
}

#[tokio::test]
async fn states_and_the_selected_pair_are_told_in_order() {
    let ((a, _), (connection, _peer)) = connected().await;
    let mut states = Vec::new();
    let selected = loop {
        match soon(a.next_event()).await.expect("open") {
            Event::StateChanged(state) => states.push(state),
            Event::SelectedPairChanged { pair, .. } => break pair,
            _ => {}
        }
    };
    assert_eq!(states.first(), Some(&ConnectionState::Checking));
    assert!(states.contains(&ConnectionState::Connected), "{states:?}");
    assert_eq!(connection.selected_pair(), Some(selected));
    assert_eq!(a.gathering_state(), GatheringState::Complete);
    let pairs = a.pairs();
    assert!(pairs.iter().any(|pair| pair.selected && pair.nominated && pair.valid));
    assert!(pairs[0].stats.responses_received > 0 && a.counters().checks_sent > 0);
}

#[tokio::test]
async fn data_is_counted_at_both_ends() {
    let (_agents, (a, b)) = connected().await;
    for _ in 0..10 {
        deliver(&a, &b, &[1; 100]).await;
    }
    let (sent, received) = (a.stats().expect("connected"), b.stats().expect("connected"));
    assert_eq!((sent.packets_sent, sent.bytes_sent), (10, 1000));
    assert_eq!((received.packets_received, received.bytes_received), (10, 1000));
}

#[tokio::test]
async fn fifty_agents_connect_at_once() {
    let mut pairs = tokio::task::JoinSet::new();
    for _ in 0..25 {
        pairs.spawn(async {
            let (_agents, (a, b)) = connected().await;
            deliver(&a, &b, b"one of many").await;
            deliver(&b, &a, b"one of many").await;
        });
    }
    let mut done = 0;
    while let Some(result) = soon(pairs.join_next()).await {
        result.expect("connected");
        done += 1;
    }
    assert_eq!(done, 25);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_tasks_may_send_and_receive_at_once() {
    let (_agents, (a, b)) = connected().await;
    let mut receivers = tokio::task::JoinSet::new();
    let (arrived, mut arrivals) = tokio::sync::mpsc::unbounded_channel();
    for _ in 0..4 {
        let (b, arrived) = (b.clone(), arrived.clone());
        receivers.spawn(async move {
            let mut buffer = [0; 1500];
            while let Ok(len) = b.recv(&mut buffer).await {
                assert_eq!(len, 4);
                let number = u32::from_be_bytes([buffer[0], buffer[1], buffer[2], buffer[3]]);
                arrived.send(number).expect("counted");
            }
        });
    }
    // Few at a time, as the sockets' buffers are finite.
    let mut seen = std::collections::BTreeSet::new();
    for round in 0..100_u32 {
        let senders = (0..4_u32).map(|sender| {
            let a = a.clone();
            tokio::spawn(async move { a.send(&(0x8000_0000 + round * 4 + sender).to_be_bytes()).await })
        });
        for sender in senders {
            sender.await.expect("ran").expect("sent");
        }
        for _ in 0..4 {
            seen.insert(soon(arrivals.recv()).await.expect("open"));
        }
    }
    assert_eq!(seen.len(), 400);
    receivers.abort_all();
}

/// Readers that come, are woken, give up and come again, on several threads: no wake-up gets lost.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn readers_may_give_up_and_come_again() {
    let (_agents, (a, b)) = connected().await;
    let echo = tokio::spawn(async move {
        let mut buffer = [0; 1500];
        loop {
            let received = tokio::select! {
                // Half of the time the call is dropped at once.
                biased;
                received = b.recv(&mut buffer) => received,
                () = tokio::task::yield_now() => continue,
            };
            let Ok(len) = received else { return };
            let _ = b.send(&buffer[..len]).await;
        }
    });
    for round in 0..1000_u32 {
        deliver(&a, &a, &(0x8000_0000 + round).to_be_bytes()).await;
    }
    echo.abort();
}
