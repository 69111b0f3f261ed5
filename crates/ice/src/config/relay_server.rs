//! A TURN server that an agent may use, and which candidates it may use at all.

use alloc::string::String;
use core::fmt;

use floe_turn::client::Credentials;

use super::ServerAddress;

/// A TURN server, and who we are to it (RFC 8656, RFC 8489 §9.2).
///
/// An allocation is asked for from each base that can reach it, over UDP; where the server has addresses of both families, so has
/// the allocation.
///
/// ```
/// use floe_ice::{Config, RelayServer};
///
/// let mut config = Config::new([7; 32]);
/// config.gather.relays.push(RelayServer::new("turn.example.org:3478".parse()?, "alice", "secret"));
/// assert!(config.validate().is_ok());
/// assert!(!format!("{config:?}").contains("secret"));
/// # Ok::<(), floe_ice::ServerAddressError>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RelayServer {
    /// Where it is.
    pub address: ServerAddress,
    /// The name of the user, at most 508 bytes.
    pub username: String,
    /// The password. It is not printed.
    pub password: String,
}

impl RelayServer {
    /// A server and a user of it.
    #[must_use]
    pub fn new(address: ServerAddress, username: impl Into<String>, password: impl Into<String>) -> Self {
        Self { address, username: username.into(), password: password.into() }
    }

    pub(super) fn has_valid_credentials(&self) -> bool {
        Credentials::new(self.username.clone(), self.password.clone()).is_ok()
    }
}

impl fmt::Debug for RelayServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RelayServer").field("address", &self.address).finish_non_exhaustive()
    }
}

/// Which candidates an agent uses (W3C webrtc, `RTCIceTransportPolicy`).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum TransportPolicy {
    /// All of them.
    #[default]
    All,
    /// Relayed ones only. The peer learns no address of this machine: neither a candidate nor a related address has it, and no packet
    /// goes to the peer but through a relay.
    Relay,
}
