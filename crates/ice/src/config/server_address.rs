//! Where a STUN server is, and the `stun:` URIs that say so (RFC 7064).

use alloc::string::String;
use core::fmt;
use core::net::{IpAddr, Ipv6Addr, SocketAddr, SocketAddrV6};
use core::str::FromStr;

/// The port of a STUN server that is given without one (RFC 7064 §3.2).
pub const DEFAULT_STUN_PORT: u16 = 3478;

/// The port of a TURN server over TLS that is given without one (RFC 7065 §3.2).
pub(super) const DEFAULT_TLS_PORT: u16 = 5349;

/// The longest name in the DNS, in its text form without a final dot (RFC 1035 §2.3.4).
const MAX_NAME: usize = 253;
/// The longest label of a name (RFC 1035 §2.3.4).
const MAX_LABEL: usize = 63;

/// Where a STUN server is.
///
/// Parsed from a `stun:` URI (RFC 7064) or from the same without the scheme: `host`, `host:port`, `[IPv6]`, `[IPv6]:port`.
/// Without a port it is 3478.
///
/// ```
/// use floe_ice::ServerAddress;
///
/// let server: ServerAddress = "stun:stun.example.org".parse()?;
/// assert_eq!(server, ServerAddress::Name { host: "stun.example.org".into(), port: 3478 });
/// let server: ServerAddress = "[2001:db8::1]:19302".parse()?;
/// assert_eq!(server, ServerAddress::Address("[2001:db8::1]:19302".parse()?));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ServerAddress {
    /// A name, to be resolved by the driver.
    Name {
        /// The host name.
        host: String,
        /// The port.
        port: u16,
    },
    /// An address.
    Address(SocketAddr),
}

impl fmt::Display for ServerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name { host, port } => write!(f, "{host}:{port}"),
            Self::Address(a) => a.fmt(f),
        }
    }
}

impl FromStr for ServerAddress {
    type Err = ServerAddressError;

    fn from_str(text: &str) -> Result<Self, ServerAddressError> {
        Self::from_authority(after_scheme(text)?, DEFAULT_STUN_PORT)
    }
}

impl ServerAddress {
    /// What follows the scheme of a URI, with this port if it has none.
    pub(super) fn from_authority(rest: &str, default_port: u16) -> Result<Self, ServerAddressError> {
        // RFC 7064 §3.1, RFC 7065 §3.1: the URI is not hierarchical, and has no query.
        if rest.starts_with("//") {
            return Err(ServerAddressError::Hierarchical);
        }
        if rest.contains(['/', '?', '#', '@']) {
            return Err(ServerAddressError::Trailing);
        }
        if let Some(bracketed) = rest.strip_prefix('[') {
            let (host, port) = bracketed.split_once(']').ok_or(ServerAddressError::Host)?;
            let (ip, zone) = ipv6(host)?;
            return Ok(Self::Address(SocketAddr::V6(SocketAddrV6::new(
                ip,
                port_after(port, default_port)?,
                0,
                zone,
            ))));
        }
        let colon = rest.find(':').unwrap_or(rest.len());
        let (host, port) = rest.split_at(colon);
        if rest.parse::<Ipv6Addr>().is_ok() {
            return Err(ServerAddressError::Unbracketed);
        }
        if host.is_empty() {
            return Err(ServerAddressError::NoHost);
        }
        let port = port_after(port, default_port)?;
        match host.parse::<IpAddr>() {
            Ok(ip) => Ok(Self::Address(SocketAddr::new(ip, port))),
            Err(_) if is_name(host) => Ok(Self::Name { host: host.into(), port }),
            Err(_) => Err(ServerAddressError::Host),
        }
    }
}

/// What follows the scheme, which is read without case (RFC 3986 §3.1) and may be missing.
fn after_scheme(text: &str) -> Result<&str, ServerAddressError> {
    let Some((scheme, rest)) = text.split_once(':') else { return Ok(text) };
    let is = |name: &str| scheme.eq_ignore_ascii_case(name);
    if is("stun") {
        Ok(rest)
    } else if is("stuns") || is("turn") || is("turns") {
        Err(ServerAddressError::UnsupportedScheme)
    } else if rest.starts_with("//") {
        Err(ServerAddressError::Hierarchical)
    } else {
        Ok(text)
    }
}

/// An address between brackets, perhaps with the number of its zone (RFC 4007 §11).
fn ipv6(text: &str) -> Result<(Ipv6Addr, u32), ServerAddressError> {
    let (ip, zone) = text.split_once('%').map_or((text, None), |(ip, zone)| (ip, Some(zone)));
    let ip = ip.parse().map_err(|_| ServerAddressError::Host)?;
    let zone = zone.map_or(Ok(0), |zone| zone.parse().map_err(|_| ServerAddressError::Host))?;
    Ok((ip, zone))
}

/// The port in `:port`, or the default where there is nothing.
fn port_after(text: &str, default: u16) -> Result<u16, ServerAddressError> {
    if text.is_empty() {
        return Ok(default);
    }
    let digits = text.strip_prefix(':').ok_or(ServerAddressError::Trailing)?;
    let all_digits = digits.bytes().all(|b| b.is_ascii_digit());
    let port = digits.parse().ok().filter(|&port| port != 0 && all_digits);
    port.ok_or(ServerAddressError::Port)
}

/// A name as the DNS may have it, underscores included. One whose last label is a number is a mistyped address.
pub(super) fn is_name(host: &str) -> bool {
    let name = host.strip_suffix('.').unwrap_or(host);
    let is_label = |label: &str| {
        (1..=MAX_LABEL).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    let is_number = |label: &str| label.bytes().all(|b| b.is_ascii_digit());
    name.len() <= MAX_NAME && name.split('.').all(is_label) && !name.rsplit('.').next().is_none_or(is_number)
}

/// Why a text is no [`ServerAddress`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum ServerAddressError {
    /// It begins with `stuns:`, with `turn:` or `turns:` where a STUN server is meant, or the other way round.
    UnsupportedScheme,
    /// It asks for DTLS: `turns:` over UDP.
    UnsupportedTransport,
    /// It has `//` after the scheme: STUN and TURN URIs are not hierarchical (RFC 7064 §3.1, RFC 7065 §3.1).
    Hierarchical,
    /// The host is missing.
    NoHost,
    /// The host is neither an address nor a name.
    Host,
    /// An IPv6 address is not in brackets.
    Unbracketed,
    /// The port is not a number from 1 to 65535.
    Port,
    /// Something follows the host and port, or stands before them: a user, a path, a query.
    Trailing,
}

impl fmt::Display for ServerAddressError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::UnsupportedScheme => {
                "the scheme does not fit: a STUN server is stun:host[:port], a TURN server turn:host[:port] \
                 or turns:host[:port]; stuns: is not supported"
            }
            Self::UnsupportedTransport => {
                "DTLS is not supported: turns: goes with transport=tcp, transport=udp with turn:"
            }
            Self::Hierarchical => "the URI has no //: write stun:host[:port] or turn:host[:port]",
            Self::NoHost => "the server has no host: write stun:host[:port] or turn:host[:port]",
            Self::Host => "the server's host is neither an IP address nor a host name",
            Self::Unbracketed => "an IPv6 address has to be in brackets: [2001:db8::1]:3478",
            Self::Port => "the server's port is not a number from 1 to 65535",
            Self::Trailing => "a server is host[:port], without user, path or query",
        })
    }
}

impl core::error::Error for ServerAddressError {}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    fn parsed(text: &str) -> Result<ServerAddress, ServerAddressError> {
        text.parse()
    }

    fn name(host: &str, port: u16) -> Result<ServerAddress, ServerAddressError> {
        Ok(ServerAddress::Name { host: host.into(), port })
    }

    fn address(text: &str) -> Result<ServerAddress, ServerAddressError> {
        Ok(ServerAddress::Address(text.parse().expect("a socket address")))
    }

    #[test]
    fn uris_and_bare_forms_are_the_same_thing() {
        assert_eq!(parsed("stun:stun.example.org"), name("stun.example.org", 3478));
        assert_eq!(parsed("STUN:example.org:19302"), name("example.org", 19302));
        assert_eq!(parsed("example.org:19302"), name("example.org", 19302));
        assert_eq!(parsed("example.org"), name("example.org", 3478));
        assert_eq!(parsed("localhost:1"), name("localhost", 1));
        assert_eq!(parsed("stun:192.0.2.1"), address("192.0.2.1:3478"));
        assert_eq!(parsed("192.0.2.1:65535"), address("192.0.2.1:65535"));
        assert_eq!(parsed("stun:[2001:db8::1]"), address("[2001:db8::1]:3478"));
        assert_eq!(parsed("[2001:db8::1]:80"), address("[2001:db8::1]:80"));
        assert_eq!(parsed("[fe80::1%3]:80"), address("[fe80::1%3]:80"));
    }

    #[test]
    fn what_is_printed_can_be_parsed() {
        for text in ["example.org:3478", "192.0.2.1:9", "[2001:db8::1]:3478"] {
            assert_eq!(parsed(text).map(|s| s.to_string()).as_deref(), Ok(text));
        }
    }

    #[test]
    fn other_schemes_say_that_they_are_not_supported() {
        for text in [
            "stuns:example.org",
            "stuns:192.0.2.1",
            "turn:example.org:3478",
            "TURNS:example.org?transport=tcp",
        ] {
            assert_eq!(parsed(text), Err(ServerAddressError::UnsupportedScheme), "{text}");
        }
    }

    #[test]
    fn bad_texts_say_what_is_wrong() {
        use ServerAddressError::{Hierarchical, Host, NoHost, Port, Trailing, Unbracketed};
        let bad = [
            ("", NoHost),
            ("stun:", NoHost),
            (":3478", NoHost),
            ("stun://example.org", Hierarchical),
            ("http://example.org/", Hierarchical),
            ("//example.org", Hierarchical),
            ("stun:example.org/path", Trailing),
            ("stun:example.org?transport=udp", Trailing),
            ("stun:user@example.org", Trailing),
            ("[2001:db8::1]3478", Trailing),
            ("2001:db8::1", Unbracketed),
            ("stun:2001:db8::1", Unbracketed),
            ("example.org:", Port),
            ("example.org:0", Port),
            ("example.org:+80", Port),
            ("example.org:65536", Port),
            ("example.org:80:90", Port),
            ("[2001:db8::1", Host),
            ("[192.0.2.1]", Host),
            ("[fe80::1%eth0]", Host),
            ("1.2.3", Host),
            ("256.1.1.1", Host),
            ("stun:3478", Host),
            ("ex ample.org", Host),
            ("a..b", Host),
            ("bücher.example", Host),
        ];
        for (text, error) in bad {
            assert_eq!(parsed(text), Err(error), "{text}");
        }
        assert_eq!(parsed(&"a".repeat(64)), Err(Host));
        // 253 characters without the final dot are the longest name.
        assert_eq!(parsed(&"a.".repeat(127)), name(&"a.".repeat(127), 3478));
        assert_eq!(parsed(&"aa.".repeat(85)), Err(Host));
    }
}
