//! What the server refuses, and what the client and the operator are told.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use floe::server::{ServerEvent, Transport, TurnServer};
use floe::turn::client::Failure;
use floe::turn::server::{Credentials, Rejection, RelayAddress, SharedSecret};

use crate::client::TurnClient;
use crate::scene::{PASSWORD, REALM, USER, event, loopback, settings, start};

/// The next event is a refusal for this reason.
async fn is_told(server: &TurnServer, user: &str, why: Rejection) {
    let told = event(server).await;
    let ServerEvent::AllocationRefused { user: named, reason, .. } = &told else { panic!("{told:?}") };
    assert_eq!((named.as_deref(), *reason), (Some(user), why));
}

#[tokio::test]
async fn a_wrong_password_and_an_unknown_user_are_refused_alike() {
    let server = start(settings()).await;
    for (transport, user, password) in
        [(Transport::Udp, USER, "wrong horse"), (Transport::Tcp, "mallory", PASSWORD)]
    {
        let mut client = TurnClient::of_user(&server, transport, user, password).await;
        assert_eq!(client.allocate().await, Err(Failure::WrongCredentials));
        is_told(&server, user, Rejection::BadCredentials).await;
    }
    assert_eq!(server.stats().turn.rejected(Rejection::BadCredentials), 2);
}

#[tokio::test]
async fn time_limited_credentials_work_until_their_time_is_over() {
    let secret = SharedSecret::new(b"north");
    let mut credentials = Credentials::new(REALM).expect("a realm");
    credentials.add_secret(secret.clone());
    let server = start(TurnServer::builder(credentials).listen(loopback())).await;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    let hour = Duration::from_secs(3600);

    let (user, password) = secret.issue(USER, (now + hour).as_secs());
    let mut client = TurnClient::of_user(&server, Transport::Udp, &user, &password).await;
    client.allocate().await.expect("allocated");
    assert!(matches!(event(&server).await, ServerEvent::AllocationBegun { .. }));

    let (user, password) = secret.issue(USER, (now - hour).as_secs());
    let mut client = TurnClient::of_user(&server, Transport::Udp, &user, &password).await;
    assert_eq!(client.allocate().await, Err(Failure::WrongCredentials));
    is_told(&server, &user, Rejection::BadCredentials).await;
}

#[tokio::test]
async fn a_user_gets_as_many_allocations_as_the_quota_says() {
    let server = start(settings().configure(|config| config.limits.allocations_per_user = 2)).await;
    let _first = TurnClient::allocated(&server, Transport::Udp).await;
    let (mut second, _) = TurnClient::allocated(&server, Transport::Tcp).await;
    let mut third = TurnClient::new(&server, Transport::Udp).await;
    assert_eq!(third.allocate().await, Err(Failure::QuotaReached));
    assert_eq!(server.stats().turn.rejected(Rejection::QuotaReached), 1);
    second.close().await;
    TurnClient::allocated(&server, Transport::Udp).await;
}

#[tokio::test]
async fn when_the_ports_are_used_up_there_is_no_capacity_until_one_is_free_again() {
    let held = std::net::UdpSocket::bind(loopback()).expect("bound");
    let held_at = held.local_addr().expect("bound");
    let port = held_at.port();
    let relays = RelayAddress::direct(held_at.ip());
    let server = settings().relay_address(relays).configure(|config| config.relay_ports = port..=port);
    let server = start(server).await;
    let mut early = TurnClient::new(&server, Transport::Udp).await;
    assert_eq!(early.allocate().await, Err(Failure::InsufficientCapacity), "somebody else has the port");
    is_told(&server, USER, Rejection::NoCapacity).await;
    assert_eq!(server.stats().turn.relays_failed, 1);
    drop(held);

    for _ in 0..5 {
        let (mut holder, relay) = TurnClient::allocated(&server, Transport::Udp).await;
        assert_eq!(relay.port(), port);
        let mut late = TurnClient::new(&server, Transport::Tcp).await;
        assert_eq!(late.allocate().await, Err(Failure::InsufficientCapacity));
        holder.close().await;
    }
}

#[tokio::test]
async fn this_machine_is_no_peer_unless_the_operator_says_so() {
    let server = start(settings().configure(|config| config.peers.allow_loopback = false)).await;
    let (mut client, relay) = TurnClient::allocated(&server, Transport::Udp).await;
    assert_eq!(client.permit(relay.ip()).await, Err(Failure::Forbidden));
}
