//! TURN servers behind an HTTP proxy, and proxies that do not help.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use floe::ice::DriverError;
use floe::ice::candidate::CandidateKind;
use floe::{Builder, GatheringFailure, HttpProxy, Resolver, Resolving};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::relays::{address_of, problems, server};
use crate::support::{both_completed, deliver, local, pair_of, soon};

/// What a proxy reads before it answers.
async fn head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.expect("the client says what it wants"));
    }
    String::from_utf8(head).expect("text")
}

/// A proxy that connects to what it is asked for, if the client has its login. How many it served.
async fn proxy(server: SocketAddr) -> (u16, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bound");
    let port = listener.local_addr().expect("bound").port();
    let served = Arc::new(AtomicUsize::new(0));
    let counter = served.clone();
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let counter = counter.clone();
            tokio::spawn(async move {
                let head = head(&mut client).await;
                assert!(
                    head.starts_with(&format!("CONNECT {server} HTTP/1.1\r\nHost: {server}\r\n")),
                    "{head}"
                );
                if !head.contains("\r\nProxy-Authorization: Basic YWxpY2U6c2VjcmV0\r\n") {
                    let answer = "HTTP/1.1 407 Who are you\r\nProxy-Authenticate: Basic realm=\"x\"\r\n\r\n";
                    return drop(client.write_all(answer.as_bytes()).await);
                }
                let mut behind = TcpStream::connect(server).await.expect("it listens");
                client.write_all(b"HTTP/1.1 200 Connected\r\nVia: test\r\n\r\n").await.expect("written");
                counter.fetch_add(1, Ordering::Relaxed);
                let _ = tokio::io::copy_bidirectional(&mut client, &mut behind).await;
            });
        }
    });
    (port, served)
}

/// A proxy that answers always the same.
async fn answering(answer: Vec<u8>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bound");
    let port = listener.local_addr().expect("bound").port();
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            head(&mut client).await;
            let _ = client.write_all(&answer).await;
        }
    });
    port
}

fn through(server: SocketAddr, proxy: HttpProxy) -> Builder {
    let builder = local().turn_server(format!("turn:{server}?transport=tcp"), "alice", "secret");
    builder.relay_only().http_proxy(proxy)
}

/// Knows one name.
struct Names;

impl Resolver for Names {
    fn resolve(&self, host: &str) -> Resolving {
        let known = host == "proxy.example.org";
        Box::pin(async move {
            let here = ["::1", "127.0.0.1"].map(|ip| ip.parse().expect("an address"));
            Ok(if known { here.to_vec() } else { Vec::new() })
        })
    }
}

#[tokio::test]
async fn agents_reach_their_relays_through_a_proxy_that_knows_them() {
    let server = server().await;
    let (port, served) = proxy(address_of(&server)).await;
    let login = |host: &str| HttpProxy::new(host, port).with_login("alice", "secret");
    let agent = |host: &str| through(address_of(&server), login(host)).resolver(Names);
    let (a, b) = soon(pair_of(agent("127.0.0.1"), agent("proxy.example.org"))).await;
    let (a_end, b_end) = soon(both_completed(&a, &b)).await;
    assert_eq!(a_end.selected_pair().expect("selected").local.kind(), CandidateKind::Relayed);
    deliver(&a_end, &b_end, &[0x80; 1200]).await;
    deliver(&b_end, &a_end, &[0x90; 1200]).await;
    assert_eq!(served.load(Ordering::Relaxed), 2);
}

#[tokio::test]
async fn a_proxy_that_does_not_help_is_told_apart_from_a_server_that_does_not() {
    let server = server().await;
    let of = async |proxy: HttpProxy| {
        let agent = through(address_of(&server), proxy).resolver(Names).start().await.expect("started");
        let problems = problems(&agent).await;
        let [GatheringFailure::Driver(error)] = problems[..] else { panic!("{problems:?}") };
        error
    };
    let (port, _) = proxy(address_of(&server)).await;
    assert_eq!(of(HttpProxy::new("127.0.0.1", port)).await, DriverError::ProxyLogin);
    let stranger = HttpProxy::new("127.0.0.1", port).with_login("alice", "wrong");
    assert_eq!(of(stranger).await, DriverError::ProxyLogin);
    assert_eq!(of(HttpProxy::new("nobody.example.org", port)).await, DriverError::NameNotFound);
    assert_eq!(of(HttpProxy::new("::1", port)).await, DriverError::Unreachable, "from an IPv4 address");
    for answer in [
        &b"HTTP/1.1 403 Forbidden\r\n\r\n"[..],
        b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.9\r\n\r\n",
        b"HTTP/1.1 twohundred OK\r\n\r\n",
        &[b'x'; 100_000],
    ] {
        let port = answering(answer.to_vec()).await;
        assert_eq!(of(HttpProxy::new("127.0.0.1", port)).await, DriverError::Proxy, "{:?}", answer.get(..20));
    }
    let port = answering(b"HTTP/1.1 200 OK\r\n".to_vec()).await;
    assert_eq!(of(HttpProxy::new("127.0.0.1", port)).await, DriverError::ConnectionClosed);
    assert_eq!(server.stats().accepted, 0);
}
