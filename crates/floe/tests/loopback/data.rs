//! Data: who reads it, what is lost, what is refused.

use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;

use floe::{Component, ComponentId, ConnectError, ConnectionState, Event, RecvError, SendError, StreamId};
use tokio::time::Instant;

use crate::support::{both_completed, connected, deliver, exchange_credentials, local, pair_of, soon};

#[tokio::test]
async fn a_payload_that_looks_like_stun_is_refused() {
    let (_agents, (a, b)) = connected().await;
    let mut stun = [0; 20];
    stun[1] = 1;
    stun[4..8].copy_from_slice(&0x2112_A442_u32.to_be_bytes());
    assert_eq!(a.send(&stun).await, Err(SendError::LooksLikeStun));
    assert_eq!(a.try_send(&stun), Err(SendError::LooksLikeStun));
    assert_eq!(poll_fn(|cx| a.poll_send(cx, &stun)).await, Err(SendError::LooksLikeStun));
    // One byte more, and it is nobody's STUN message.
    deliver(&a, &b, &[&stun[..], &[0]].concat()).await;
}

#[tokio::test]
async fn a_datagram_that_is_too_large_is_reported_and_the_connection_goes_on() {
    let (_agents, (a, b)) = connected().await;
    let huge = vec![0xFF; 70_000];
    assert_eq!(a.send(&huge).await, Err(SendError::TooLarge));
    assert_eq!(a.try_send(&huge), Err(SendError::TooLarge));
    assert_eq!(poll_fn(|cx| a.poll_send(cx, &huge)).await, Err(SendError::TooLarge));
    deliver(&a, &b, b"of a reasonable size").await;
    assert_eq!(a.counters().send_failures, 0);
}

#[tokio::test]
async fn sending_before_there_is_a_path_is_an_error() {
    let agent = local().start().await.expect("started");
    let connection = agent.connection(Component::default()).expect("exists");
    assert_eq!(connection.send(b"too early").await, Err(SendError::NotConnected));
    assert_eq!(connection.try_recv(&mut [0; 10]), Err(RecvError::WouldBlock));
    assert_eq!((connection.selected_pair(), connection.stats()), (None, None));
}

/// The driver reads while nobody receives, and keeps what fits.
#[tokio::test]
async fn datagrams_beyond_the_queue_are_dropped_and_counted() {
    const QUEUE: usize = 16;
    const SENT: u32 = 100;
    let (a, b) = soon(pair_of(local(), local().receive_queue(QUEUE))).await;
    let (a, b) = soon(both_completed(&a, &b)).await;
    for number in 0..SENT {
        a.send(&(0xF000_0000 + number).to_be_bytes()).await.expect("sent");
    }
    let all_read = async {
        while b.counters().queue_drops < u64::from(SENT) - QUEUE as u64 {
            tokio::task::yield_now().await;
        }
    };
    soon(all_read).await;
    let mut buffer = [0; 4];
    for number in 0..QUEUE as u32 {
        assert_eq!(b.try_recv(&mut buffer), Ok(4));
        assert_eq!(
            u32::from_be_bytes(buffer),
            0xF000_0000 + number,
            "the newest are dropped, the order stays"
        );
    }
    assert_eq!(b.try_recv(&mut buffer), Err(RecvError::WouldBlock));
    deliver(&a, &b, b"there is room again").await;
    assert_eq!(b.counters().queue_drops, u64::from(SENT) - QUEUE as u64);
}

#[tokio::test]
async fn a_datagram_longer_than_the_buffer_is_cut() {
    let (_agents, (a, b)) = connected().await;
    let payload: Vec<u8> = (0..200).map(|n| n | 0x80).collect();
    for _ in 0..2 {
        a.send(&payload).await.expect("sent");
    }
    let mut small = [0; 50];
    // Read from the socket, then perhaps from the queue: the same.
    for _ in 0..2 {
        assert_eq!(soon(b.recv(&mut small)).await, Ok(50));
        assert_eq!(small, payload[..50]);
    }
    deliver(&a, &b, b"the rest is gone").await;
}

/// ICE's own messages arrive whole whatever the size of the application's buffer.
#[tokio::test(start_paused = true)]
async fn a_tiny_receive_buffer_does_not_cost_consent() {
    let ((a, b), (to_b, from_a)) = connected().await;
    let reader = tokio::spawn(async move {
        let mut tiny = [0; 1];
        let mut count = 0;
        while from_a.recv(&mut tiny).await.is_ok() {
            count += 1;
        }
        count
    });
    pass(Duration::from_secs(90)).await;
    to_b.send(b"still there").await.expect("consent is fresh");
    assert_eq!((a.state(), b.state()), (ConnectionState::Completed, ConnectionState::Completed));
    pass(Duration::from_secs(1)).await;
    b.close();
    assert_eq!(soon(reader).await.expect("ran"), 1);
}

/// RFC 7675: consent lives as long as the agents do, not as long as the application reads.
#[tokio::test(start_paused = true)]
async fn an_application_that_does_not_read_for_a_minute_keeps_its_consent() {
    let ((a, b), (to_b, to_a)) = connected().await;
    pass(Duration::from_secs(60)).await;
    assert_eq!((a.state(), b.state()), (ConnectionState::Completed, ConnectionState::Completed));
    let stats = to_b.stats().expect("connected");
    assert!(stats.consent_requests_sent >= 10, "{stats:?}");
    assert!(stats.responses_received >= stats.consent_requests_sent, "{stats:?}");
    deliver(&to_b, &to_a, b"after a minute").await;
    deliver(&to_a, &to_b, b"after a minute").await;
}

/// The same when it has read before: the driver takes over from a reader that stays away.
#[tokio::test(start_paused = true)]
async fn an_application_that_stops_reading_keeps_its_consent() {
    let ((a, b), (to_b, to_a)) = connected().await;
    for round in 0..5_u8 {
        deliver(&to_b, &to_a, &[0x80, round]).await;
        deliver(&to_a, &to_b, &[0x80, round]).await;
    }
    // A poller that was told to wait, and never comes again.
    let mut buffer = [0; 1500];
    let pending = poll_fn(|cx| Poll::Ready(to_a.poll_recv(cx, &mut buffer).is_pending())).await;
    assert!(pending);
    pass(Duration::from_secs(60)).await;
    assert_eq!((a.state(), b.state()), (ConnectionState::Completed, ConnectionState::Completed));
    deliver(&to_b, &to_a, b"after a minute").await;
}

/// RFC 7675 §5.1: a peer that vanished is noticed, by senders and by receivers.
#[tokio::test(start_paused = true)]
async fn a_vanished_peer_ends_the_connection() {
    let ((a, b), (to_b, _to_a)) = connected().await;
    let receiver = to_b.clone();
    let receiving = tokio::spawn(async move { receiver.recv(&mut [0; 1500]).await });
    b.close();
    pass(Duration::from_secs(40)).await;
    assert_eq!(a.state(), ConnectionState::Failed);
    assert_eq!(to_b.send(b"anybody there?").await, Err(SendError::NoConsent));
    assert_eq!(soon(receiving).await.expect("ran"), Err(RecvError::Failed));
    assert!(soon(a.connected()).await.is_err());
    let mut events = Vec::new();
    while let Some(event) = a.try_next_event() {
        events.push(event);
    }
    assert!(events.iter().any(|event| matches!(event, Event::ConsentLost { .. })), "{events:?}");
}

/// A stream that the peer does not have fails when the peer's time is up (RFC 8863), alone.
#[tokio::test(start_paused = true)]
async fn a_stream_that_fails_ends_its_own_connections_only() {
    let (a, b) = soon(pair_of(local().streams([1, 1]), local())).await;
    let second = a.connection(Component::new(StreamId(1), ComponentId::FIRST)).expect("exists");
    let receiving = tokio::spawn(async move { (second.recv(&mut [0; 1500]).await, second.send(b"x").await) });
    pass(Duration::from_secs(45)).await;
    let (received, sent) = soon(receiving).await.expect("ran");
    assert_eq!((received, sent), (Err(RecvError::Failed), Err(SendError::NotConnected)));
    let (a, b) = soon(both_completed(&a, &b)).await;
    deliver(&a, &b, b"the first stream").await;
    deliver(&b, &a, b"goes on").await;
}

#[tokio::test]
async fn a_dropped_receive_call_loses_nothing() {
    let (_agents, (a, b)) = connected().await;
    for round in 0..50_u8 {
        // Polled once, so that it is the one that is woken; then dropped.
        let mut buffer = [0; 1500];
        let mut receiving = Box::pin(b.recv(&mut buffer));
        let pending = poll_fn(|cx| Poll::Ready(receiving.as_mut().poll(cx).is_pending())).await;
        assert!(pending);
        a.send(&[0x80, round]).await.expect("sent");
        if round % 2 == 0 {
            tokio::task::yield_now().await;
        }
        drop(receiving);
        let mut buffer = [0; 1500];
        assert_eq!(soon(b.recv(&mut buffer)).await, Ok(2));
        assert_eq!(buffer[1], round);
    }
}

/// As a QUIC stack drives it.
#[tokio::test]
async fn the_poll_functions_do_what_the_others_do() {
    let (_agents, (a, b)) = connected().await;
    for round in 0..20_u8 {
        soon(poll_fn(|cx| a.poll_send_ready(cx))).await.expect("room");
        a.try_send(&[0x80, round]).expect("sent");
        soon(poll_fn(|cx| b.poll_recv_ready(cx))).await.expect("there");
        let mut buffer = [0; 1500];
        assert_eq!(b.try_recv(&mut buffer), Ok(2));
        assert_eq!(buffer[1], round);

        soon(poll_fn(|cx| b.poll_send(cx, &[0x90, round]))).await.expect("sent");
        assert_eq!(soon(poll_fn(|cx| a.poll_recv(cx, &mut buffer))).await, Ok(2));
        assert_eq!(buffer[..2], [0x90, round]);
    }
}

/// More than a socket's buffer holds: the sender waits, others run, ICE goes on.
#[tokio::test]
async fn a_sender_in_a_loop_starves_nobody() {
    let (_agents, (a, b)) = connected().await;
    let flood = tokio::spawn(async move { while a.send(&[0x80; 1200]).await.is_ok() {} });
    let mut buffer = [0; 1500];
    for _ in 0..2000 {
        assert_eq!(soon(b.recv(&mut buffer)).await, Ok(1200));
    }
    flood.abort();
}

/// RFC 8445 §11, where consent checks are off: a keepalive every 15 seconds without data, and none while there is
/// some.
#[tokio::test(start_paused = true)]
async fn keepalives_go_out_only_while_no_data_does() {
    let builder = || local().configure(|config| config.consent = false);
    let (a, b) = soon(pair_of(builder(), builder())).await;
    let (to_b, _to_a) = soon(both_completed(&a, &b)).await;
    let received = || b.counters().indications_received;
    pass(Duration::from_secs(20)).await;
    assert_eq!(received(), 1);
    for _ in 0..9 {
        to_b.send(b"busy").await.expect("sent");
        pass(Duration::from_secs(10)).await;
    }
    assert_eq!(received(), 1);
    pass(Duration::from_secs(16)).await;
    assert_eq!(received(), 2);
}

/// Without candidates of the peer there is nothing to check, and the error says so.
#[tokio::test(start_paused = true)]
async fn a_peer_without_candidates_is_a_failure_that_says_so() {
    let (a, b) = (local().start().await.expect("started"), local().start().await.expect("started"));
    exchange_credentials(&a, &b);
    a.end_of_remote_candidates().expect("open");
    let error = soon_paused(a.connected()).await.expect_err("failed");
    let ConnectError::Failed { local_candidates: 1, remote_candidates: 0, pairs: 0, .. } = error else {
        panic!("{error:?}");
    };
}

/// As `soon`, for paused time, which runs ahead when nothing else does.
async fn soon_paused<F: Future>(work: F) -> F::Output {
    tokio::time::timeout(Duration::from_secs(60), work).await.expect("done within a minute")
}

/// Lets paused time go on while sockets are read: their datagrams arrive at once, but are noticed only between
/// timers.
async fn pass(time: Duration) {
    let end = Instant::now() + time;
    let mut ticks = tokio::time::interval(Duration::from_millis(10));
    while ticks.tick().await < end {}
}
