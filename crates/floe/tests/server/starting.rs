//! Errors of whoever starts a server.

use std::io::ErrorKind;

use floe::server::{ServeError, Transport, TurnServer};
use floe::turn::server::{ConfigError, RelayAddress};

use crate::client::TurnClient;
use crate::scene::{at, credentials, loopback, settings, start};

#[tokio::test]
async fn a_port_in_use_is_named_with_its_transport() {
    let first = start(settings()).await;
    for transport in [Transport::Udp, Transport::Tcp] {
        let address = at(&first, transport);
        let second = TurnServer::builder(credentials()).listen_on(transport, address).start().await;
        let error = second.expect_err("the port is in use");
        assert!(
            matches!(&error, ServeError::Listen { transport: of, error, .. }
                if *of == transport && error.kind() == ErrorKind::AddrInUse),
            "{error:?}"
        );
        assert!(
            error.to_string().starts_with(&format!("cannot listen on {address} ({transport}): ")),
            "{error}"
        );
    }
    TurnClient::allocated(&first, Transport::Udp).await;
}

#[tokio::test]
async fn what_makes_no_sense_is_refused() {
    let nowhere = TurnServer::builder(credentials()).start().await.expect_err("nowhere");
    assert!(matches!(nowhere, ServeError::NoListener), "{nowhere:?}");
    let foreign = RelayAddress::direct("192.0.2.77".parse().expect("an address"));
    let foreign = settings().relay_address(foreign).start().await.expect_err("not of this machine");
    assert!(matches!(foreign, ServeError::Relay(..)), "{foreign:?}");
    let ports = settings().configure(|config| config.relay_ports = 0..=0);
    let ports = ports.start().await.expect_err("no ports");
    assert!(matches!(ports, ServeError::Config(ConfigError::NoPorts)), "{ports:?}");
    let none = settings().relay_address(RelayAddress {
        bind: "127.0.0.1".parse().expect("an address"),
        public: "::1".parse().expect("an address"),
    });
    let none = none.start().await.expect_err("two families");
    assert!(matches!(none, ServeError::Config(ConfigError::RelayFamily)), "{none:?}");
}

#[test]
fn a_server_outside_of_a_runtime_is_refused() {
    let mut start = std::pin::pin!(settings().start());
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    let std::task::Poll::Ready(result) = start.as_mut().poll(&mut context) else { panic!("it waits") };
    assert!(matches!(result, Err(ServeError::NoRuntime)), "{result:?}");
}

#[tokio::test]
async fn a_wildcard_answers_at_every_address_from_that_address() {
    let any = "0.0.0.0:0".parse().expect("an address");
    let relay = RelayAddress::direct(loopback().ip());
    let server = start(TurnServer::builder(credentials()).listen(any).relay_address(relay)).await;
    let listeners = server.listeners();
    assert!(listeners.iter().all(|listener| listener.address.port() != 0), "{listeners:?}");
    let udp = listeners.iter().filter(|listener| listener.transport == Transport::Udp);
    for listener in udp {
        // A connected socket hears from nowhere else.
        let socket = tokio::net::UdpSocket::bind("0.0.0.0:0").await.expect("bound");
        socket.connect(listener.address).await.expect("there is a way");
        socket.send(b"\x00\x01\x00\x00\x21\x12\xa4\x42transaction!").await.expect("sent");
        let mut answer = [0; 64];
        let len = crate::scene::soon(socket.recv(&mut answer)).await.expect("answered");
        assert_eq!(len, 32, "{}", listener.address);
    }
}
