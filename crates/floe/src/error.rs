//! What can go wrong, and what to do about it.

use std::io;
use std::net::IpAddr;

use floe_ice::{ConfigError, ServerAddressError};

/// Why an agent could not be started.
#[derive(Debug)]
#[non_exhaustive]
pub enum StartError {
    /// There is no tokio runtime here: call [`Builder::start`](crate::Builder::start) inside one.
    NoRuntime,
    /// The operating system gave no random bytes.
    NoRandomness,
    /// The network interfaces could not be listed. With [`Builder::bind`](crate::Builder::bind) they need not be.
    Interfaces(io::Error),
    /// A value of the configuration is out of range.
    Config(ConfigError),
    /// This does not say where a STUN or TURN server is.
    Server(String, ServerAddressError),
    /// This TURN server came without a user name or a credential.
    NoAccount(String),
    /// What [`Builder::tls_roots`](crate::Builder) was given holds no certificate, or one that cannot be used.
    TlsRoots,
    /// No socket can be bound to this address: it is unspecified or multicast.
    BindAddress(IpAddr),
    /// The range of ports is empty or contains port 0.
    PortRange,
    /// A DSCP is 0 to 63 (RFC 2474 §3).
    Dscp(u8),
}

impl std::fmt::Display for StartError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NoRuntime => f.write_str("no tokio runtime here: start agents inside one"),
            Self::NoRandomness => f.write_str("the operating system gave no random bytes"),
            Self::Interfaces(e) => {
                write!(f, "the network interfaces cannot be listed ({e}): say which addresses to bind to")
            }
            Self::Config(e) => e.fmt(f),
            Self::Server(text, reason) => write!(f, "server {text:?}: {reason}"),
            Self::NoAccount(server) => {
                write!(f, "server {server:?}: a TURN server needs a user name and a credential")
            }
            Self::TlsRoots => {
                f.write_str("no certificates to trust: they have to be in PEM, all of them valid")
            }
            Self::BindAddress(ip) => {
                write!(f, "cannot bind to {ip}: name addresses of this machine, or none to use all of them")
            }
            Self::PortRange => f.write_str("the port range is empty or contains port 0"),
            Self::Dscp(value) => write!(f, "{value} is not a DSCP: it has to be 0 to 63"),
        }
    }
}

impl std::error::Error for StartError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Interfaces(e) => Some(e),
            Self::Config(e) => Some(e),
            Self::Server(_, e) => Some(e),
            _ => None,
        }
    }
}

impl From<ConfigError> for StartError {
    fn from(error: ConfigError) -> Self {
        Self::Config(error)
    }
}

/// Why there is no connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum ConnectError {
    /// No path to the peer works, or the one in use is dead.
    Failed {
        /// How many candidates we have.
        local_candidates: usize,
        /// How many candidates of the peer are known.
        remote_candidates: usize,
        /// How many pairs of them were formed.
        pairs: usize,
    },
    /// The agent was closed.
    Closed,
}

impl std::fmt::Display for ConnectError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match *self {
            Self::Failed { local_candidates: 0, .. } => f.write_str(
                "no connection: there is no local candidate; see the gathering problems among the events",
            ),
            Self::Failed { remote_candidates: 0, .. } => f.write_str(
                "no connection: no candidate of the peer is known; pass them to Agent::add_remote_candidate",
            ),
            Self::Failed { pairs: 0, .. } => {
                f.write_str("no connection: no local candidate has the family of a remote one")
            }
            Self::Failed { pairs, .. } => write!(
                f,
                "no connection: none of {pairs} candidate pairs works (any more); without a relay, one side \
                 has to be reachable"
            ),
            Self::Closed => f.write_str("no connection: the agent was closed"),
        }
    }
}

impl std::error::Error for ConnectError {}

impl From<ConnectError> for io::Error {
    fn from(error: ConnectError) -> Self {
        let kind = match error {
            ConnectError::Failed { .. } => io::ErrorKind::HostUnreachable,
            ConnectError::Closed => io::ErrorKind::NotConnected,
        };
        Self::new(kind, error)
    }
}

/// Why a datagram was not sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum SendError {
    /// There is no valid pair yet (RFC 8445 §12.1): wait for [`Agent::connected`](crate::Agent::connected).
    NotConnected,
    /// The peer's consent ended (RFC 7675 §5.1): make a new agent.
    NoConsent,
    /// The payload looks like a STUN message, and the peer's ICE agent would take it (RFC 7983): frame it
    /// differently.
    LooksLikeStun,
    /// The payload is larger than the system or the path takes: send smaller datagrams.
    TooLarge,
    /// The socket's buffer is full; only from `try_send`. Wait, or drop the datagram.
    WouldBlock,
    /// The agent was closed.
    Closed,
}

impl std::fmt::Display for SendError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::NotConnected => "there is no path to the peer: wait for Agent::connected",
            Self::NoConsent => "the peer's consent to receive ended: make a new agent",
            Self::LooksLikeStun => "the payload looks like a STUN message: frame it differently",
            Self::TooLarge => "the datagram is too large for the system or the path: send smaller ones",
            Self::WouldBlock => "the socket's send buffer is full",
            Self::Closed => "the agent was closed",
        })
    }
}

impl std::error::Error for SendError {}

impl From<SendError> for io::Error {
    fn from(error: SendError) -> Self {
        let kind = match error {
            SendError::NotConnected | SendError::Closed => io::ErrorKind::NotConnected,
            SendError::NoConsent => io::ErrorKind::ConnectionAborted,
            SendError::LooksLikeStun | SendError::TooLarge => io::ErrorKind::InvalidInput,
            SendError::WouldBlock => io::ErrorKind::WouldBlock,
        };
        Self::new(kind, error)
    }
}

impl From<floe_ice::SendError> for SendError {
    fn from(error: floe_ice::SendError) -> Self {
        match error {
            floe_ice::SendError::NoConsent => Self::NoConsent,
            floe_ice::SendError::LooksLikeStun => Self::LooksLikeStun,
            floe_ice::SendError::Closed => Self::Closed,
            _ => Self::NotConnected,
        }
    }
}

/// Why no datagram was received, and with [`RecvError::Failed`] and [`RecvError::Closed`] none will be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum RecvError {
    /// None is there; only from `try_recv`.
    WouldBlock,
    /// No path to the peer works, or works any more.
    Failed,
    /// The agent was closed.
    Closed,
}

impl std::fmt::Display for RecvError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::WouldBlock => "no datagram is there",
            Self::Failed => "no path to the peer works (any more)",
            Self::Closed => "the agent was closed",
        })
    }
}

impl std::error::Error for RecvError {}

impl From<RecvError> for io::Error {
    fn from(error: RecvError) -> Self {
        let kind = match error {
            RecvError::WouldBlock => io::ErrorKind::WouldBlock,
            RecvError::Failed => io::ErrorKind::ConnectionAborted,
            RecvError::Closed => io::ErrorKind::NotConnected,
        };
        Self::new(kind, error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_become_io_errors_of_a_fitting_kind() {
        let kind = |error: io::Error| error.kind();
        assert_eq!(kind(SendError::WouldBlock.into()), io::ErrorKind::WouldBlock);
        assert_eq!(kind(RecvError::WouldBlock.into()), io::ErrorKind::WouldBlock);
        assert_eq!(kind(SendError::TooLarge.into()), io::ErrorKind::InvalidInput);
        assert_eq!(kind(RecvError::Closed.into()), io::ErrorKind::NotConnected);
        assert_eq!(kind(ConnectError::Closed.into()), io::ErrorKind::NotConnected);
        let whole = io::Error::from(SendError::NoConsent);
        let inner = whole.get_ref().and_then(|inner| inner.downcast_ref::<SendError>());
        assert_eq!(inner, Some(&SendError::NoConsent));
    }

    #[test]
    fn a_failure_says_where_to_look() {
        let text = |local_candidates, remote_candidates, pairs| {
            ConnectError::Failed { local_candidates, remote_candidates, pairs }.to_string()
        };
        assert!(text(0, 2, 0).contains("no local candidate"));
        assert!(text(1, 0, 0).contains("add_remote_candidate"));
        assert!(text(1, 1, 0).contains("family"));
        assert!(text(1, 1, 1).contains("none of 1 candidate pairs"));
    }
}
