//! A TURN server on sockets.

use std::net::SocketAddr;
use std::sync::Arc;

use floe_turn::server::{Credentials, RelayAddress, Server};

use super::builder::TurnServerBuilder;
use super::front::Front;
use super::listen::{Listener, Transport};
use super::report::{ServerEvent, TurnStats};

/// A TURN server (RFC 8656), which is a STUN server as well, on the sockets of this machine. Dropping it stops it.
///
/// ```
/// use std::net::Ipv4Addr;
///
/// use floe::Agent;
/// use floe::server::{Transport, TurnServer};
/// use floe::turn::server::Credentials;
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let mut credentials = Credentials::new("example.org")?;
/// credentials.add_user("alice", "correct horse")?;
/// let server = TurnServer::builder(credentials)
///     .listen("127.0.0.1:0".parse()?)
///     // Clients cannot reach this machine itself through its relays, unless they may, as here for a demonstration.
///     .configure(|config| config.peers.allow_loopback = true)
///     .start()
///     .await?;
///
/// let address = server.local_addr(Transport::Udp).ok_or("it listens over UDP")?;
/// let agent = Agent::builder()
///     .bind(Ipv4Addr::LOCALHOST)
///     .turn_server(format!("turn:{address}"), "alice", "correct horse")
///     .relay_only()
///     .start()
///     .await?;
/// agent.gathered().await;
/// assert_eq!(agent.local_candidates().len(), 1, "its relay");
/// assert_eq!(server.stats().allocations, 1);
/// println!("{:?}", server.next_event().await);
///
/// server.shutdown().await;
/// # Ok(())
/// # }
/// ```
pub struct TurnServer {
    front: Arc<Front>,
    listeners: Vec<Listener>,
    relays: [Option<RelayAddress>; 2],
}

impl TurnServer {
    /// Settings for a server that these may use.
    pub fn builder(credentials: Credentials) -> TurnServerBuilder {
        TurnServerBuilder::new(credentials)
    }

    pub(super) fn new(
        front: Arc<Front>,
        listeners: Vec<Listener>,
        relays: [Option<RelayAddress>; 2],
    ) -> Self {
        Self { front, listeners, relays }
    }

    /// Where it listens: for a wildcard over UDP, at each address of the machine.
    #[must_use]
    pub fn listeners(&self) -> &[Listener] {
        &self.listeners
    }

    /// The first address at which it listens over this transport.
    #[must_use]
    pub fn local_addr(&self, transport: Transport) -> Option<SocketAddr> {
        let mut listeners = self.listeners.iter();
        listeners.find(|listener| listener.transport == transport).map(|listener| listener.address)
    }

    /// Where its relays are: for one family or both.
    pub fn relay_addresses(&self) -> impl Iterator<Item = RelayAddress> + use<> {
        self.relays.into_iter().flatten()
    }

    /// What it has done so far.
    #[must_use]
    pub fn stats(&self) -> TurnStats {
        self.front.stats()
    }

    /// What happened next; `None` when the server has stopped and all was told. At most 1024 events are kept; then the oldest
    /// go.
    pub async fn next_event(&self) -> Option<ServerEvent> {
        self.front.events.next(|| self.front.is_stopped()).await
    }

    /// Reads the files with the certificate and its key again: connections from now on get the new one. A server without TLS
    /// has nothing to read.
    ///
    /// # Errors
    /// The files are no good; then the certificate stays.
    #[cfg(feature = "tls")]
    pub fn reload_certificate(&self) -> Result<(), super::TlsError> {
        self.front.tls.as_ref().map_or(Ok(()), super::tls::Tls::reload)
    }

    /// Takes a connection of another protocol over TLS, with the certificate of this server: so a web server beside it needs
    /// none of its own, and [`Self::reload_certificate`] is for both. The handshake takes as long as the client likes: bound it.
    ///
    /// ```no_run
    /// # async fn example(server: floe::server::TurnServer) -> std::io::Result<()> {
    /// let listener = tokio::net::TcpListener::bind("0.0.0.0:443").await?;
    /// let (stream, _client) = listener.accept().await?;
    /// let stream = server.accept_tls(stream).await?;
    /// # drop(stream);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// The handshake fails, or the server has no certificate.
    #[cfg(feature = "tls")]
    pub async fn accept_tls<S>(
        &self,
        stream: S,
    ) -> std::io::Result<impl tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + use<S>>
    where
        S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send,
    {
        let missing = || std::io::Error::other("the server has no certificate");
        self.front.tls.as_ref().ok_or_else(missing)?.acceptor().accept(stream).await
    }

    /// Makes no more allocations; those that there are live on. [`TurnStats::allocations`] says how many are left.
    pub fn drain(&self) {
        self.front.input(|server, _| Server::drain(server));
    }

    /// Ends all allocations, with an event for each, and closes every socket: all are closed when this returns.
    pub async fn shutdown(&self) {
        if let Some(mut tasks) = self.front.stop() {
            tasks.shutdown().await;
        }
    }
}

impl Drop for TurnServer {
    fn drop(&mut self) {
        // Dropping the tasks ends them.
        drop(self.front.stop());
    }
}

impl std::fmt::Debug for TurnServer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TurnServer")
            .field("listeners", &self.listeners)
            .field("allocations", &self.stats().allocations)
            .finish_non_exhaustive()
    }
}
