//! Data through the server, over every transport.

use std::net::SocketAddr;

use floe::server::{ServerEvent, Transport};
use floe::turn::server::EndReason;
use tokio::net::UdpSocket;

use crate::client::TurnClient;
use crate::scene::{event, settings, soon, start, until};

#[cfg(not(feature = "tls"))]
const TRANSPORTS: [Transport; 2] = [Transport::Udp, Transport::Tcp];
#[cfg(feature = "tls")]
const TRANSPORTS: [Transport; 3] = [Transport::Udp, Transport::Tcp, Transport::Tls];

/// Lengths with every padding, and one that is longer than any packet of a real network.
const LENGTHS: [usize; 7] = [0, 1, 2, 3, 4, 1200, 20_000];

fn payload(len: usize) -> Vec<u8> {
    (0..len).map(|at| at as u8).collect()
}

async fn back_and_forth(client: &mut TurnClient, relay: SocketAddr, peer: &UdpSocket) {
    let (peer_address, mut buffer) = (peer.local_addr().expect("bound"), vec![0; 65_535]);
    for len in LENGTHS {
        client.send(peer_address, &payload(len)).await;
        let (received, source) = soon(peer.recv_from(&mut buffer)).await.expect("received");
        assert_eq!((&buffer[..received], source), (&payload(len)[..], relay));
        peer.send_to(&payload(len), relay).await.expect("sent");
        assert_eq!(client.receive().await, (peer_address, payload(len)));
    }
}

#[tokio::test]
async fn data_go_to_a_peer_and_back_in_indications_and_in_channels() {
    let server = start(settings()).await;
    for transport in TRANSPORTS {
        let peer = UdpSocket::bind("127.0.0.1:0").await.expect("bound");
        let address = peer.local_addr().expect("bound");
        let (mut client, relay) = TurnClient::allocated(&server, transport).await;
        client.permit(address.ip()).await.expect("permitted");
        back_and_forth(&mut client, relay, &peer).await;
        client.bind(address).await;
        back_and_forth(&mut client, relay, &peer).await;
        client.close().await;
    }
    let stats = server.stats();
    let times = 2 * TRANSPORTS.len();
    let (packets, bytes) = (times * LENGTHS.len(), times * LENGTHS.iter().sum::<usize>());
    for traffic in [stats.turn.to_peers, stats.turn.to_clients] {
        assert_eq!((traffic.packets, traffic.bytes), (packets as u64, bytes as u64));
    }
    assert_eq!((stats.allocations, stats.not_sent, stats.slow_clients), (0, 0, 0));
}

#[tokio::test]
async fn two_clients_meet_at_their_relays_whatever_each_talks_over() {
    let server = start(settings()).await;
    for (one, other) in TRANSPORTS.into_iter().flat_map(|one| TRANSPORTS.map(|other| (one, other))) {
        let (mut one, at_one) = TurnClient::allocated(&server, one).await;
        let (mut other, at_other) = TurnClient::allocated(&server, other).await;
        one.bind(at_other).await;
        other.bind(at_one).await;
        for len in LENGTHS {
            one.send(at_other, &payload(len)).await;
            assert_eq!(other.receive().await, (at_one, payload(len)));
            other.send(at_one, &payload(len)).await;
            assert_eq!(one.receive().await, (at_other, payload(len)));
        }
    }
}

#[tokio::test]
async fn the_operator_is_told_of_each_allocation_from_beginning_to_end() {
    let server = start(settings()).await;
    for transport in TRANSPORTS {
        let (mut client, relay) = TurnClient::allocated(&server, transport).await;
        let ServerEvent::AllocationBegun { allocation, user, client: begun, relays, .. } =
            event(&server).await
        else {
            panic!("an allocation begins")
        };
        assert_eq!((&*user, begun.transport, relays), ("alice", transport, [Some(relay), None]));
        client.permit(relay.ip()).await.expect("permitted");
        // Its own relay is a peer as others are.
        client.send(relay, b"hello").await;
        assert_eq!(client.receive().await, (relay, b"hello".to_vec()));
        client.close().await;
        let ServerEvent::AllocationEnded {
            allocation: ended,
            client: of,
            reason,
            to_peers,
            to_client,
            relays: free,
            ..
        } = event(&server).await
        else {
            panic!("the allocation ends")
        };
        assert_eq!((ended, of, reason, free), (allocation, begun, EndReason::Deleted, relays));
        assert_eq!((to_peers.packets, to_peers.bytes), (1, 5));
        assert_eq!(to_client, to_peers);
    }
}

#[tokio::test]
async fn a_connection_that_is_closed_takes_its_allocation_with_it() {
    let server = start(settings()).await;
    let (client, relay) = TurnClient::allocated(&server, Transport::Tcp).await;
    assert!(UdpSocket::bind(relay).await.is_err(), "the relay's socket is open");
    drop(client);
    until(&server, |stats| stats.allocations == 0 && stats.connections == 0).await;
    let begun = event(&server).await;
    assert!(matches!(begun, ServerEvent::AllocationBegun { .. }), "{begun:?}");
    let ended = event(&server).await;
    assert!(
        matches!(ended, ServerEvent::AllocationEnded { reason: EndReason::Disconnected, .. }),
        "{ended:?}"
    );
    UdpSocket::bind(relay).await.expect("the relay's socket is closed");
}
