//! Servers as events name them.

use std::fmt;

use floe_ice::{RelayServer, RelayTransport, ServerAddress};

/// A server that an agent asks, and how it is reached: one host may be there more than once. Those of STUN are reached over UDP.
///
/// ```
/// use floe::{AskedServer, RelayServer};
///
/// let relay = RelayServer::from_uri("turn:turn.example.org?transport=tcp", "alice", "secret")?;
/// assert_eq!(AskedServer::from(&relay).to_string(), "turn.example.org:3478 over TCP");
/// # Ok::<(), floe::ServerAddressError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct AskedServer {
    /// Where it is.
    pub address: ServerAddress,
    /// How it is reached.
    pub transport: RelayTransport,
}

impl From<ServerAddress> for AskedServer {
    fn from(address: ServerAddress) -> Self {
        Self { address, transport: RelayTransport::Udp }
    }
}

impl From<&RelayServer> for AskedServer {
    fn from(relay: &RelayServer) -> Self {
        Self { address: relay.address.clone(), transport: relay.transport }
    }
}

impl fmt::Display for AskedServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.transport {
            RelayTransport::Udp => self.address.fmt(f),
            RelayTransport::Tcp => write!(f, "{} over TCP", self.address),
            RelayTransport::Tls => write!(f, "{} over TLS", self.address),
        }
    }
}
