//! A server and who uses it.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use floe::server::{ServerEvent, Transport, TurnServer, TurnServerBuilder, TurnStats};
use floe::turn::server::Credentials;

pub(crate) const REALM: &str = "example.org";
pub(crate) const USER: &str = "alice";
pub(crate) const PASSWORD: &str = "correct horse";

/// More than anything here takes; only a failing test waits so long.
const DEADLINE: Duration = Duration::from_secs(30);

/// The result, or a panic when it takes too long.
pub(crate) async fn soon<F: Future>(work: F) -> F::Output {
    tokio::time::timeout(DEADLINE, work).await.expect("done within the deadline")
}

/// A loopback address that nobody else uses, so that a port which a test gives up stays free. Elsewhere than on Linux there is
/// but one.
pub(crate) fn loopback() -> SocketAddr {
    static USED: AtomicU8 = AtomicU8::new(0);
    let ip = if cfg!(target_os = "linux") {
        let [_, _, high, low] = std::process::id().to_be_bytes();
        Ipv4Addr::new(127, high | 0x80, low, 1 + USED.fetch_add(1, Ordering::Relaxed) % 254)
    } else {
        Ipv4Addr::LOCALHOST
    };
    SocketAddr::new(ip.into(), 0)
}

pub(crate) fn credentials() -> Credentials {
    let mut credentials = Credentials::new(REALM).expect("a realm");
    credentials.add_user(USER, PASSWORD).expect("a name");
    credentials
}

/// Settings for a server on IPv4 loopback over every transport, which relays to this machine.
pub(crate) fn settings() -> TurnServerBuilder {
    let address = loopback();
    let settings = TurnServer::builder(credentials()).listen(address);
    #[cfg(feature = "tls")]
    let settings = settings
        .listen_on(Transport::Tls, address)
        .certificate(crate::tls::CHAIN.path(), crate::tls::KEY.path());
    settings.configure(|config| config.peers.allow_loopback = true)
}

pub(crate) async fn start(settings: TurnServerBuilder) -> TurnServer {
    settings.start().await.expect("started")
}

pub(crate) fn at(server: &TurnServer, transport: Transport) -> SocketAddr {
    server.local_addr(transport).expect("it listens")
}

/// Waits until the statistics are as wanted, while other tasks run.
pub(crate) async fn until(server: &TurnServer, wanted: impl Fn(&TurnStats) -> bool) {
    soon(async {
        while !wanted(&server.stats()) {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

pub(crate) async fn event(server: &TurnServer) -> ServerEvent {
    soon(server.next_event()).await.expect("the server runs")
}
