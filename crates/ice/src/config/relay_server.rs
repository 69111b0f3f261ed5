//! A TURN server that an agent may use, and which candidates it may use at all.

use alloc::string::String;
use core::fmt;

use floe_turn::client::Credentials;

use super::{ServerAddress, ServerAddressError};

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

    /// A server by its `turn:` URI (RFC 7065), or the same without the scheme: `turn:host`, `turn:host:port`,
    /// `turn:[IPv6]:port`, each with or without `?transport=udp`. Without a port it is 3478.
    ///
    /// ```
    /// use floe_ice::{RelayServer, ServerAddress};
    ///
    /// let server = RelayServer::from_uri("turn:turn.example.org?transport=udp", "alice", "secret")?;
    /// assert_eq!(server.address, ServerAddress::Name { host: "turn.example.org".into(), port: 3478 });
    /// # Ok::<(), floe_ice::ServerAddressError>(())
    /// ```
    ///
    /// # Errors
    /// It is no such URI, or asks for TCP or TLS.
    pub fn from_uri(
        uri: &str,
        username: impl Into<String>,
        password: impl Into<String>,
    ) -> Result<Self, ServerAddressError> {
        let rest = match uri.split_once(':') {
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("turn") => rest,
            Some((scheme, _))
                if ["turns", "stun", "stuns"].iter().any(|s| scheme.eq_ignore_ascii_case(s)) =>
            {
                return Err(ServerAddressError::UnsupportedScheme);
            }
            _ => uri,
        };
        // RFC 7065 §3.1: the only query there is.
        let authority = match rest.split_once('?') {
            None => rest,
            Some((authority, "transport=udp")) => authority,
            Some((_, "transport=tcp")) => return Err(ServerAddressError::UnsupportedTransport),
            Some(_) => return Err(ServerAddressError::Trailing),
        };
        Ok(Self::new(ServerAddress::from_authority(authority)?, username, password))
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

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(uri: &str) -> Result<ServerAddress, ServerAddressError> {
        RelayServer::from_uri(uri, "alice", "secret").map(|server| server.address)
    }

    #[test]
    fn a_turn_uri_is_a_server_that_is_reached_over_udp() {
        let at = |text: &str| Ok(ServerAddress::Address(text.parse().expect("an address")));
        assert_eq!(parsed("turn:192.0.2.1"), at("192.0.2.1:3478"));
        assert_eq!(parsed("TURN:192.0.2.1:3479?transport=udp"), at("192.0.2.1:3479"));
        assert_eq!(parsed("turn:[2001:db8::1]?transport=udp"), at("[2001:db8::1]:3478"));
        assert_eq!(parsed("192.0.2.1:80"), at("192.0.2.1:80"));
        assert_eq!(
            parsed("turn:example.org"),
            Ok(ServerAddress::Name { host: "example.org".into(), port: 3478 })
        );
    }

    #[test]
    fn what_is_no_turn_uri_is_told_apart() {
        use ServerAddressError::{
            Hierarchical, NoHost, Port, Trailing, UnsupportedScheme, UnsupportedTransport,
        };
        for (uri, error) in [
            ("turn:192.0.2.1?transport=tcp", UnsupportedTransport),
            ("turns:192.0.2.1", UnsupportedScheme),
            ("stun:192.0.2.1", UnsupportedScheme),
            ("turn://192.0.2.1", Hierarchical),
            ("turn:192.0.2.1?transport=sctp", Trailing),
            ("turn:alice@192.0.2.1", Trailing),
            ("turn:192.0.2.1:0", Port),
            ("turn:", NoHost),
        ] {
            assert_eq!(parsed(uri), Err(error), "{uri}");
        }
    }

    #[test]
    fn secrets_are_not_printed() {
        let server = RelayServer::from_uri("turn:example.org", "alice", "secret").expect("a server");
        let printed = alloc::format!("{server:?}");
        assert!(!printed.contains("secret") && !printed.contains("alice"), "{printed}");
    }
}
