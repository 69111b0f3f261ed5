//! The TURN client of floe against coturn, and coturn's against the server of floe, on loopback.
//!
//! Needs the `interop` feature and what `tests/run` installs.

#![forbid(unsafe_code)]

mod agents;
mod driver;
mod server;

use std::net::{SocketAddr, UdpSocket};
use std::thread;

use floe_stun::attributes::AddressFamily;
use floe_turn::Carrier;
use floe_turn::client::{Config, Credentials, Event, Failure, PortRequest, Relayed};
use floe_turn::server::SharedSecret;

use driver::Driver;
use server::{Coturn, PASSWORD, USER};

/// Sends back whatever comes, until the test ends.
fn echoing_peer() -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("loopback is there");
    let address = socket.local_addr().expect("it is bound");
    thread::spawn(move || {
        let mut buffer = [0; 2048];
        while let Ok((len, source)) = socket.recv_from(&mut buffer) {
            let _ = socket.send_to(&buffer[..len], source);
        }
    });
    address
}

fn config(server: &Coturn, carrier: Carrier, password: &str) -> Config {
    let credentials = Credentials::new(USER, password).expect("the name is short");
    let mobility = carrier == Carrier::Datagram;
    let software = Some("floe".to_owned());
    Config { carrier, mobility, software, ..Config::new(server.address, Some(credentials), [6; 32]) }
}

#[test]
fn data_go_through_coturn_and_back_in_datagrams_and_on_streams() {
    let (server, peer) = (Coturn::start(), echoing_peer());
    for carrier in [Carrier::Datagram, Carrier::Stream] {
        let mut driver = Driver::connect(config(&server, carrier, PASSWORD));
        driver.allocate();
        let allocated = driver.until(|event| matches!(event, Event::Allocated(_)));
        let Event::Allocated(allocated) = allocated else { panic!("not allocated") };
        assert_eq!((allocated.relayed.ip(), allocated.mapped), (server.address.ip(), driver.home()));

        driver.permit(peer.ip());
        driver.until(|event| matches!(event, Event::PermissionCreated { .. }));
        for len in [0, 1, 2, 3, 1200] {
            assert!(driver.echo(peer, len), "{len} bytes by indications, {carrier:?}");
        }
        driver.bind(peer);
        driver.until(|event| matches!(event, Event::ChannelBound { .. }));
        for len in [0, 1, 2, 3, 1200] {
            assert!(driver.echo(peer, len), "{len} bytes in a channel, {carrier:?}");
        }
        driver.close();
        driver.until(|event| matches!(event, Event::Closed));
    }
}

#[test]
fn coturns_nonces_grow_stale_and_are_replaced() {
    let server = Coturn::start();
    let mut driver = Driver::connect(config(&server, Carrier::Datagram, PASSWORD));
    driver.allocate();
    driver.until(|event| matches!(event, Event::Allocated(_)));
    let peer = "127.0.0.2".parse().expect("an address");
    // Until a request had to be made again, which happens within a second or two.
    loop {
        let sent = driver.sent();
        driver.permit(peer);
        driver.until(|event| matches!(event, Event::PermissionCreated { .. }));
        driver.forbid(peer);
        if driver.sent() > sent + 1 {
            break;
        }
    }
    driver.close();
    driver.until(|event| matches!(event, Event::Closed));
}

#[test]
fn an_allocation_on_coturn_comes_along_to_another_port() {
    let (server, peer) = (Coturn::start(), echoing_peer());
    let mut driver = Driver::connect(config(&server, Carrier::Datagram, PASSWORD));
    driver.allocate();
    driver.until(|event| matches!(event, Event::Allocated(_)));
    driver.bind(peer);
    driver.until(|event| matches!(event, Event::ChannelBound { .. }));
    assert!(driver.echo(peer, 10));
    for _ in 0..3 {
        driver.leave();
        driver.until(|event| matches!(event, Event::Moved));
        assert!(driver.echo(peer, 10));
    }
    driver.close();
    driver.until(|event| matches!(event, Event::Closed));
}

#[test]
fn coturn_refuses_a_wrong_password_and_the_client_says_so() {
    let server = Coturn::start();
    let mut driver = Driver::connect(config(&server, Carrier::Stream, "not the password"));
    driver.allocate();
    let failed = driver.until(|event| matches!(event, Event::Failed { .. }));
    assert_eq!(failed, Event::Failed { reason: Failure::WrongCredentials, retry_at: None });
}

#[test]
fn coturn_takes_time_limited_credentials_and_refuses_those_whose_time_is_over() {
    let server = Coturn::start_with(&["--use-auth-secret", "--static-auth-secret=north"]);
    let now =
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970").as_secs();
    for (expires, holds) in [(now + 3600, true), (now - 3600, false)] {
        let (username, password) = SharedSecret::new(b"north").issue("alice", expires);
        let credentials = Credentials::new(username, password).expect("the name is short");
        let mut driver = Driver::connect(Config::new(server.address, Some(credentials), [7; 32]));
        driver.allocate();
        let ended = driver.until(|event| matches!(event, Event::Allocated(_) | Event::Failed { .. }));
        if holds {
            assert!(matches!(ended, Event::Allocated(_)), "{ended:?}");
        } else {
            assert_eq!(ended, Event::Failed { reason: Failure::WrongCredentials, retry_at: None });
        }
    }
}

#[test]
fn coturns_quota_is_said_and_when_to_ask_again() {
    let account = format!("{USER}:{PASSWORD}");
    let server = Coturn::start_with(&["--user-quota=1", "-u", &account]);
    let mut first = Driver::connect(config(&server, Carrier::Datagram, PASSWORD));
    first.allocate();
    first.until(|event| matches!(event, Event::Allocated(_)));
    let mut second = Driver::connect(config(&server, Carrier::Datagram, PASSWORD));
    second.allocate();
    let refused = second.until(|event| matches!(event, Event::Failed { .. }));
    // RFC 8656 §7.4: not before a minute has passed.
    assert!(
        matches!(refused, Event::Failed { reason: Failure::QuotaReached, retry_at: Some(_) }),
        "{refused:?}"
    );
    first.close();
    first.until(|event| matches!(event, Event::Closed));
}

/// coturn 4.6 passes over ADDITIONAL-ADDRESS-FAMILY, and says nothing of the family that is missing.
#[test]
fn coturn_gives_either_family_and_one_where_both_are_asked_for() {
    let account = format!("{USER}:{PASSWORD}");
    let server = Coturn::start_with(&["-E", "::1", "-u", &account]);
    let one = |family| Relayed::One { family: Some(family), port: PortRequest::Any };
    for (relayed, ip) in [
        (one(AddressFamily::Ipv4), "127.0.0.1"),
        (one(AddressFamily::Ipv6), "::1"),
        (Relayed::Both { even_port: false }, "127.0.0.1"),
    ] {
        let mut driver = Driver::connect(Config { relayed, ..config(&server, Carrier::Datagram, PASSWORD) });
        driver.allocate();
        let allocated = driver.until(|event| matches!(event, Event::Allocated(_) | Event::Failed { .. }));
        let Event::Allocated(allocated) = allocated else { panic!("{relayed:?}: {allocated:?}") };
        let addresses: Vec<String> = allocated.addresses().map(|a| a.ip().to_string()).collect();
        assert_eq!(addresses, [ip], "{relayed:?}");
        driver.close();
        driver.until(|event| matches!(event, Event::Closed));
    }
}
