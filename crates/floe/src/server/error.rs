//! Why a server does not start, and what to do about it.

use std::io;
use std::net::{IpAddr, SocketAddr};

use floe_turn::server::ConfigError;

use super::listen::Transport;

/// Why a [`TurnServer`](super::TurnServer) could not be started.
#[derive(Debug)]
#[non_exhaustive]
pub enum ServeError {
    /// There is no tokio runtime here: start servers inside one.
    NoRuntime,
    /// The operating system gave no random bytes.
    NoRandomness,
    /// No address to listen on was named.
    NoListener,
    /// It cannot listen there.
    Listen {
        /// With this transport.
        transport: Transport,
        /// At this address.
        address: SocketAddr,
        /// What the system says.
        error: io::Error,
    },
    /// The relays cannot be at this address: it is none of this machine.
    Relay(IpAddr, io::Error),
    /// No address for relays was named, and none could be found.
    NoRelayAddress,
    /// The network interfaces could not be listed. Where addresses are named they need not be.
    Interfaces(io::Error),
    /// A value of the configuration does not fit.
    Config(ConfigError),
    /// The certificate cannot be used.
    #[cfg(feature = "tls")]
    Tls(super::tls::TlsError),
}

impl std::fmt::Display for ServeError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NoRuntime => f.write_str("no tokio runtime here: start servers inside one"),
            Self::NoRandomness => f.write_str("the operating system gave no random bytes"),
            Self::NoListener => f.write_str("nowhere to listen: name at least one address"),
            Self::Listen { transport, address, error } => {
                write!(f, "cannot listen on {address} ({transport}): {error}{}", advice(error))
            }
            Self::Relay(ip, error) => {
                write!(f, "relays cannot be at {ip}: {error}; name an address of this machine")
            }
            Self::NoRelayAddress => {
                f.write_str("no address for relays was found on this machine: name one that peers can reach")
            }
            Self::Interfaces(error) => {
                write!(f, "the network interfaces cannot be listed ({error}): name the addresses to use")
            }
            Self::Config(error) => error.fmt(f),
            #[cfg(feature = "tls")]
            Self::Tls(error) => error.fmt(f),
        }
    }
}

/// What to do about an address that cannot be had.
fn advice(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::AddrInUse => "; stop what listens there, or take another port",
        io::ErrorKind::AddrNotAvailable => "; name an address of this machine",
        io::ErrorKind::PermissionDenied => "; ports below 1024 need a privilege, take a higher one",
        _ => "",
    }
}

impl std::error::Error for ServeError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Listen { error, .. } | Self::Relay(_, error) | Self::Interfaces(error) => Some(error),
            Self::Config(error) => Some(error),
            #[cfg(feature = "tls")]
            Self::Tls(error) => Some(error),
            _ => None,
        }
    }
}

impl From<ConfigError> for ServeError {
    fn from(error: ConfigError) -> Self {
        Self::Config(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_had_is_explained() {
        let text = |kind: io::ErrorKind| {
            let address = "192.0.2.1:3478".parse().expect("an address");
            ServeError::Listen { transport: Transport::Tcp, address, error: kind.into() }.to_string()
        };
        assert!(text(io::ErrorKind::AddrInUse).starts_with("cannot listen on 192.0.2.1:3478 (tcp): "));
        assert!(text(io::ErrorKind::AddrInUse).ends_with("take another port"));
        assert!(text(io::ErrorKind::AddrNotAvailable).ends_with("an address of this machine"));
        assert!(text(io::ErrorKind::PermissionDenied).ends_with("a higher one"));
    }
}
