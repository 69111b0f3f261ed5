//! Connections that do not behave.

use std::time::Duration;

use floe::server::{StreamLimits, Transport};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};

use crate::client::TurnClient;
use crate::scene::{at, settings, soon, start, until};

/// A Binding request without attributes.
const BINDING: [u8; 20] = *b"\x00\x01\x00\x00\x21\x12\xa4\x42transaction!";

async fn connect(server: &floe::server::TurnServer) -> TcpStream {
    TcpStream::connect(at(server, Transport::Tcp)).await.expect("accepted")
}

/// Reads until the server closes the connection.
async fn rest_of(mut stream: TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    // A reset, where the server had not read everything.
    let _ = soon(stream.read_to_end(&mut bytes)).await;
    bytes
}

#[tokio::test]
async fn what_is_not_turn_ends_the_connection_and_nothing_else() {
    let server = start(settings()).await;
    let hostile: [&[u8]; 5] = [
        b"SSH-2.0-client\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        &[0xff; 5000],
        // The length of a STUN message is a multiple of four.
        b"\x00\x01\x00\x03\x21\x12\xa4\x42transaction!abc",
        &[0x80; 1],
    ];
    for bytes in hostile {
        let mut stream = connect(&server).await;
        stream.write_all(bytes).await.expect("written");
        assert_eq!(rest_of(stream).await, b"", "{bytes:02x?}");
    }
    let count = hostile.len() as u64;
    until(&server, |stats| stats.broken == count && stats.connections == 0).await;
    // Well framed, and of no use: it is ignored, and the connection goes on.
    let mut stream = connect(&server).await;
    stream.write_all(b"\x40\x00\x00\x02hi\x00\x00").await.expect("written");
    stream.write_all(&BINDING).await.expect("written");
    let mut answer = [0; 32];
    soon(stream.read_exact(&mut answer)).await.expect("answered");
    assert_eq!(answer[..2], [1, 1], "a Binding success response");
    TurnClient::allocated(&server, Transport::Tcp).await;
}

#[tokio::test]
async fn frames_may_be_split_anywhere_and_come_together() {
    let server = start(settings()).await;
    let mut stream = connect(&server).await;
    stream.set_nodelay(true).expect("set");
    for split in 1..BINDING.len() {
        stream.write_all(&BINDING[..split]).await.expect("written");
        tokio::task::yield_now().await;
        // Its end, a whole one, and a whole one again.
        let rest = [&BINDING[split..], &BINDING, &BINDING].concat();
        stream.write_all(&rest).await.expect("written");
        let mut answers = [0; 96];
        soon(stream.read_exact(&mut answers)).await.expect("answered");
        assert!(answers.chunks(32).all(|answer| answer[..2] == [1, 1]), "{answers:02x?}");
    }
}

#[tokio::test]
async fn a_connection_may_end_in_the_middle_of_a_frame() {
    let server = start(settings()).await;
    for len in 0..BINDING.len() {
        let mut stream = connect(&server).await;
        stream.write_all(&BINDING[..len]).await.expect("written");
        drop(stream);
    }
    until(&server, |stats| stats.accepted == BINDING.len() as u64 && stats.connections == 0).await;
    assert_eq!(server.stats().broken, 0);
}

#[tokio::test]
async fn a_connection_without_an_allocation_is_closed_after_a_while() {
    // Long enough for an allocation on a machine that is busy with other things.
    let patience = Duration::from_secs(2);
    let server = start(settings().stream_limits(StreamLimits { patience, ..StreamLimits::default() })).await;
    let (mut busy, idle) = (connect(&server).await, connect(&server).await);
    busy.write_all(&BINDING).await.expect("written");
    let (busy, idle) = tokio::join!(rest_of(busy), rest_of(idle));
    assert_eq!(busy.len(), 32, "that it asks for its address does not help");
    assert_eq!(idle, b"");
    assert_eq!(server.stats().timed_out, 2);

    let (mut client, relay) = TurnClient::allocated(&server, Transport::Tcp).await;
    client.permit(relay.ip()).await.expect("permitted");
    assert_eq!(rest_of(connect(&server).await).await, b"", "much later");
    client.send(relay, b"still here").await;
    assert_eq!(client.receive().await.1, b"still here");
    client.close().await;
    client.until_disconnected().await;
    until(&server, |stats| stats.timed_out == 4 && stats.connections == 0).await;
}

#[tokio::test]
async fn there_are_no_more_connections_than_there_may_be() {
    let limits = StreamLimits { waiting_per_source: 2, connections: 3, ..StreamLimits::default() };
    let server = start(settings().stream_limits(limits)).await;
    let (_client, _) = TurnClient::allocated(&server, Transport::Tcp).await;
    let waiting = [connect(&server).await, connect(&server).await];
    until(&server, |stats| stats.accepted == 3).await;
    assert_eq!(rest_of(connect(&server).await).await, b"");
    assert_eq!((server.stats().refused, server.stats().connections), (1, 3));
    drop(waiting);
    until(&server, |stats| stats.connections == 1).await;
    TurnClient::allocated(&server, Transport::Tcp).await;
}

#[tokio::test]
async fn a_client_that_does_not_read_loses_data_and_keeps_nobody_waiting() {
    let server = start(settings()).await;
    let (mut client, relay) = TurnClient::allocated(&server, Transport::Tcp).await;
    let peer = UdpSocket::bind("127.0.0.1:0").await.expect("bound");
    client.bind(peer.local_addr().expect("bound")).await;
    let (mut other, _) = TurnClient::allocated(&server, Transport::Tcp).await;
    other.bind(peer.local_addr().expect("bound")).await;

    let flood = async {
        while server.stats().slow_clients < 100 {
            // One that is lost on the way is none of the server's business.
            let _ = peer.send_to(&[0x5A; 60_000], relay).await;
            tokio::task::yield_now().await;
        }
    };
    soon(flood).await;
    other.send(peer.local_addr().expect("bound"), b"through").await;
    let mut buffer = [0; 64];
    let (len, _) = soon(peer.recv_from(&mut buffer)).await.expect("received");
    assert_eq!(&buffer[..len], b"through");

    // When it reads again, it finds whole frames, and is answered.
    assert_eq!(client.receive().await.1, [0x5A; 60_000]);
    client.permit("127.0.0.9".parse().expect("an address")).await.expect("answered behind the data");
}
