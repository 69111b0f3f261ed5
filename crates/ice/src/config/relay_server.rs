//! A TURN server that an agent may use, and which candidates it may use at all.

use alloc::string::String;
use core::fmt;

use floe_turn::client::Credentials;

use super::server_address::{DEFAULT_STUN_PORT, DEFAULT_TLS_PORT};
use super::{ServerAddress, ServerAddressError};

/// How a TURN server is reached. The order is that of preference: of two relayed candidates that of the earlier has the higher
/// priority (RFC 8445 §5.1.2.2).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub enum RelayTransport {
    /// UDP, from the socket of each base.
    #[default]
    Udp,
    /// A TCP connection of its own for each base. For networks that let no UDP through; what it carries waits for what was lost
    /// before.
    Tcp,
    /// TLS over such a connection.
    Tls,
}

impl RelayTransport {
    /// Whether the server is reached over a connection.
    #[must_use]
    pub const fn is_stream(self) -> bool {
        !matches!(self, Self::Udp)
    }

    /// The first of the ranks that the relayed addresses of these servers have among the addresses of a component: the better way to
    /// the server has the higher local preference (RFC 8445 §5.1.2.2), whichever answers first.
    pub(crate) const fn first_rank(self) -> u8 {
        match self {
            Self::Udp => 0,
            Self::Tcp => 128,
            Self::Tls => 192,
        }
    }
}

/// A TURN server, and who we are to it (RFC 8656, RFC 8489 §9.2).
///
/// An allocation is asked for from each base that can reach it; where the server has addresses of both families, so has the
/// allocation. Over UDP a name is asked at the first address of each family; for a connection they are all tried in turn, the next
/// one after 250 ms (RFC 8305 §5), and the first that is connected is used.
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
    /// How it is reached.
    pub transport: RelayTransport,
    /// The name that its certificate has to be for, where that is not the name in `address` ([`RelayTransport::Tls`] only). A server
    /// that is given by its IP address needs one (RFC 8489 §8.1).
    pub tls_name: Option<String>,
    /// The name of the user, at most 508 bytes.
    pub username: String,
    /// The password. It is not printed.
    pub password: String,
}

impl RelayServer {
    /// A server that is reached over UDP, and a user of it.
    #[must_use]
    pub fn new(address: ServerAddress, username: impl Into<String>, password: impl Into<String>) -> Self {
        let (transport, tls_name) = (RelayTransport::Udp, None);
        Self { address, transport, tls_name, username: username.into(), password: password.into() }
    }

    /// The same, reached in this way.
    #[must_use]
    pub fn with_transport(mut self, transport: RelayTransport) -> Self {
        self.transport = transport;
        self
    }

    /// The same, with this name in its certificate.
    #[must_use]
    pub fn with_tls_name(mut self, name: impl Into<String>) -> Self {
        self.tls_name = Some(name.into());
        self
    }

    /// A server by its URI (RFC 7065), or the same without the scheme `turn:`. `turn:host`, `turn:host:port` and `turn:[IPv6]:port`
    /// are reached over UDP, with `?transport=tcp` over TCP, and `turns:host` over TLS. Without a port it is 3478, over TLS 5349.
    ///
    /// ```
    /// use floe_ice::{RelayServer, RelayTransport, ServerAddress};
    ///
    /// let server = RelayServer::from_uri("turn:turn.example.org?transport=udp", "alice", "secret")?;
    /// assert_eq!(server.address, ServerAddress::Name { host: "turn.example.org".into(), port: 3478 });
    /// let server = RelayServer::from_uri("turns:turn.example.org", "alice", "secret")?;
    /// assert_eq!(server.address, ServerAddress::Name { host: "turn.example.org".into(), port: 5349 });
    /// assert_eq!(server.transport, RelayTransport::Tls);
    /// # Ok::<(), floe_ice::ServerAddressError>(())
    /// ```
    ///
    /// # Errors
    /// It is no such URI, or asks for DTLS (`turns:` over UDP), which is not supported.
    pub fn from_uri(
        uri: &str,
        username: impl Into<String>,
        password: impl Into<String>,
    ) -> Result<Self, ServerAddressError> {
        let (secure, rest) = match uri.split_once(':') {
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("turn") => (false, rest),
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("turns") => (true, rest),
            Some((scheme, _)) if ["stun", "stuns"].iter().any(|s| scheme.eq_ignore_ascii_case(s)) => {
                return Err(ServerAddressError::UnsupportedScheme);
            }
            _ => (false, uri),
        };
        // RFC 7065 §3.1: the only query there is.
        let (authority, query) = rest.split_once('?').map_or((rest, None), |(a, q)| (a, Some(q)));
        let transport = match (secure, query) {
            (false, None | Some("transport=udp")) => RelayTransport::Udp,
            (false, Some("transport=tcp")) => RelayTransport::Tcp,
            (true, None | Some("transport=tcp")) => RelayTransport::Tls,
            (true, Some("transport=udp")) => return Err(ServerAddressError::UnsupportedTransport),
            (_, Some(_)) => return Err(ServerAddressError::Trailing),
        };
        let port = if secure { DEFAULT_TLS_PORT } else { DEFAULT_STUN_PORT };
        let address = ServerAddress::from_authority(authority, port)?;
        Ok(Self::new(address, username, password).with_transport(transport))
    }

    /// What the certificate has to be for; `None` without TLS, and where nobody said.
    pub(crate) fn certificate_name(&self) -> Option<&str> {
        match (&self.tls_name, &self.address) {
            _ if self.transport != RelayTransport::Tls => None,
            (Some(name), _) => Some(name),
            (None, ServerAddress::Name { host, .. }) => Some(host.strip_suffix('.').unwrap_or(host)),
            (None, ServerAddress::Address(_)) => None,
        }
    }

    /// RFC 8489 §8.1: without a name nobody can tell whose certificate it is.
    pub(super) fn has_valid_name(&self) -> bool {
        self.transport != RelayTransport::Tls
            || self.certificate_name().is_some_and(super::server_address::is_name)
    }

    pub(super) fn has_valid_credentials(&self) -> bool {
        Credentials::new(self.username.clone(), self.password.clone()).is_ok()
    }
}

impl fmt::Debug for RelayServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RelayServer")
            .field("address", &self.address)
            .field("transport", &self.transport)
            .field("tls_name", &self.tls_name)
            .finish_non_exhaustive()
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
    fn a_turn_uri_says_how_the_server_is_reached() {
        let of = |uri: &str| {
            let server = RelayServer::from_uri(uri, "alice", "secret").expect("a URI");
            (server.transport, alloc::string::ToString::to_string(&server.address))
        };
        assert_eq!(of("turn:example.org?transport=tcp"), (RelayTransport::Tcp, "example.org:3478".into()));
        assert_eq!(of("example.org:80?transport=tcp"), (RelayTransport::Tcp, "example.org:80".into()));
        assert_eq!(of("turns:example.org"), (RelayTransport::Tls, "example.org:5349".into()));
        assert_eq!(
            of("TURNS:example.org:443?transport=tcp"),
            (RelayTransport::Tls, "example.org:443".into())
        );
        assert_eq!(of("turns:[2001:db8::1]"), (RelayTransport::Tls, "[2001:db8::1]:5349".into()));
    }

    #[test]
    fn over_tls_a_server_has_a_name() {
        let valid = |server: &RelayServer| server.has_valid_name();
        let named = RelayServer::from_uri("turns:example.org.", "alice", "secret").expect("a URI");
        assert_eq!((valid(&named), named.certificate_name()), (true, Some("example.org")));
        let bare = RelayServer::from_uri("turns:192.0.2.1", "alice", "secret").expect("a URI");
        assert_eq!((valid(&bare), bare.certificate_name()), (false, None));
        let told = bare.with_tls_name("turn.example.org");
        assert_eq!((valid(&told), told.certificate_name()), (true, Some("turn.example.org")));
        let plain = RelayServer::from_uri("turn:192.0.2.1?transport=tcp", "alice", "secret").expect("a URI");
        assert_eq!((valid(&plain), plain.certificate_name()), (true, None));
    }

    #[test]
    fn what_is_no_turn_uri_is_told_apart() {
        use ServerAddressError::{
            Hierarchical, NoHost, Port, Trailing, UnsupportedScheme, UnsupportedTransport,
        };
        for (uri, error) in [
            ("turns:example.org?transport=udp", UnsupportedTransport),
            ("turns:example.org?transport=tls", Trailing),
            ("turns://example.org", Hierarchical),
            ("stuns:example.org", UnsupportedScheme),
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
