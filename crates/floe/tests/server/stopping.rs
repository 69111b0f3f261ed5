//! The end of a server.

use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::sync::Arc;

use floe::server::{ServerEvent, Transport, TurnServer};
use floe::turn::client::Failure;
use floe::turn::server::EndReason;

use crate::client::TurnClient;
use crate::scene::{at, event, settings, soon, start};

/// Every address where the server has a socket: its own and its relays'.
fn sockets(server: &TurnServer, relays: [SocketAddr; 2]) -> [(Transport, SocketAddr); 4] {
    [
        (Transport::Udp, at(server, Transport::Udp)),
        (Transport::Tcp, at(server, Transport::Tcp)),
        (Transport::Udp, relays[0]),
        (Transport::Udp, relays[1]),
    ]
}

fn is_free((transport, address): (Transport, SocketAddr)) -> bool {
    match transport {
        Transport::Udp => UdpSocket::bind(address).is_ok(),
        _ => TcpListener::bind(address).is_ok(),
    }
}

#[tokio::test]
async fn shutdown_closes_every_socket_and_tells_of_every_allocation() {
    let server = start(settings()).await;
    let (mut datagrams, first) = TurnClient::allocated(&server, Transport::Udp).await;
    let (mut stream, second) = TurnClient::allocated(&server, Transport::Tcp).await;
    datagrams.permit(first.ip()).await.expect("permitted");
    let sockets = sockets(&server, [first, second]);
    assert!(!sockets.into_iter().any(is_free));

    soon(server.shutdown()).await;
    for socket in sockets {
        assert!(is_free(socket), "{socket:?} is closed");
    }
    stream.until_disconnected().await;
    assert_eq!(server.stats().allocations, 0);
    for _ in 0..2 {
        assert!(matches!(event(&server).await, ServerEvent::AllocationBegun { .. }));
    }
    for _ in 0..2 {
        let ended = event(&server).await;
        assert!(matches!(ended, ServerEvent::AllocationEnded { reason: EndReason::Closed, .. }), "{ended:?}");
    }
    assert_eq!(soon(server.next_event()).await, None);
    soon(server.shutdown()).await;
}

#[tokio::test]
async fn dropping_the_handle_stops_the_server() {
    let server = start(settings()).await;
    let (_datagrams, first) = TurnClient::allocated(&server, Transport::Udp).await;
    let (mut stream, second) = TurnClient::allocated(&server, Transport::Tcp).await;
    let sockets = sockets(&server, [first, second]);
    drop(server);
    stream.until_disconnected().await;
    for socket in sockets {
        soon(async {
            while !is_free(socket) {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_waits_for_events_is_told_of_everything_and_then_of_the_end() {
    for _ in 0..20 {
        let server = Arc::new(start(settings()).await);
        let waiting = server.clone();
        let waiting = tokio::spawn(async move {
            let mut ended = 0;
            while let Some(event) = waiting.next_event().await {
                ended += u32::from(matches!(event, ServerEvent::AllocationEnded { .. }));
            }
            ended
        });
        let clients = [Transport::Udp, Transport::Tcp].map(|over| TurnClient::allocated(&server, over));
        for client in clients {
            client.await;
        }
        server.shutdown().await;
        // The second one may have been disconnected before.
        assert_eq!(soon(waiting).await.expect("it does not panic"), 2);
    }
}

#[tokio::test]
async fn a_server_that_drains_makes_no_allocations_and_keeps_those_it_has() {
    let server = start(settings()).await;
    let (mut client, relay) = TurnClient::allocated(&server, Transport::Udp).await;
    server.drain();
    let mut late = TurnClient::new(&server, Transport::Tcp).await;
    assert_eq!(late.allocate().await, Err(Failure::InsufficientCapacity));
    client.permit(relay.ip()).await.expect("permitted");
    client.send(relay, b"still there").await;
    assert_eq!(client.receive().await.1, b"still there");
    client.close().await;
    assert_eq!(server.stats().allocations, 0);
}
