//! A way to servers through an HTTP proxy: CONNECT (RFC 9110 §9.3.6).

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use floe_ice::DriverError;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::connect::explain;
use crate::resolver::Resolver;

/// The longest answer of a proxy that is read (our own rule).
const MAX_ANSWER: usize = 8 * 1024;

/// An HTTP proxy that lets connections through to any server: with [`Builder::http_proxy`](crate::Builder::http_proxy) TURN
/// servers over TCP and TLS are reached through it.
///
/// ```
/// use floe::{Agent, HttpProxy};
///
/// let proxy = HttpProxy::new("proxy.example.org", 3128).with_login("alice", "secret");
/// let builder = Agent::builder()
///     .turn_server("turns:turn.example.org:443", "alice", "correct horse")
///     .http_proxy(proxy);
/// # drop(builder);
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct HttpProxy {
    host: String,
    port: u16,
    /// What follows `Basic`.
    login: Option<String>,
}

impl HttpProxy {
    /// The proxy at this port of a host, which is a name or an address without brackets.
    pub fn new(host: impl Into<String>, port: u16) -> Self {
        Self { host: host.into(), port, login: None }
    }

    /// The same with a user and a password for it (Basic, RFC 7617), which go over the connection as they are.
    #[must_use]
    pub fn with_login(mut self, user: &str, password: &str) -> Self {
        self.login = Some(STANDARD.encode(format!("{user}:{password}")));
        self
    }
}

/// The login is left out.
impl fmt::Debug for HttpProxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpProxy")
            .field("host", &self.host)
            .field("port", &self.port)
            .finish_non_exhaustive()
    }
}

/// A proxy, and who knows where it is.
#[derive(Clone)]
pub(crate) struct Proxied {
    pub(crate) proxy: HttpProxy,
    pub(crate) resolver: Arc<dyn Resolver>,
}

impl Proxied {
    /// Where it is, in the family of the address that the connection leaves from.
    pub(super) async fn address(&self, local: SocketAddr) -> Result<SocketAddr, DriverError> {
        let found = match self.proxy.host.parse() {
            Ok(ip) => vec![ip],
            Err(_) => self.resolver.resolve(&self.proxy.host).await.map_err(|error| match error.kind() {
                io::ErrorKind::NotFound => DriverError::NameNotFound,
                _ => DriverError::NameServiceFailed,
            })?,
        };
        if found.is_empty() {
            return Err(DriverError::NameNotFound);
        }
        let reachable = |ip: &IpAddr| ip.is_ipv4() == local.is_ipv4();
        let ip = found.into_iter().find(reachable).ok_or(DriverError::Unreachable)?;
        Ok(SocketAddr::new(ip, self.proxy.port))
    }

    /// Has the proxy connect to the server. What follows on the connection is the server's.
    pub(super) async fn tunnel(&self, tcp: &mut TcpStream, server: SocketAddr) -> Result<(), DriverError> {
        let login = self.proxy.login.as_ref();
        let login = login.map(|login| format!("Proxy-Authorization: Basic {login}\r\n")).unwrap_or_default();
        let request = format!("CONNECT {server} HTTP/1.1\r\nHost: {server}\r\n{login}\r\n");
        tcp.write_all(request.as_bytes()).await.map_err(|error| explain(&error))?;
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n\r\n") {
            if answer.len() == MAX_ANSWER {
                return Err(DriverError::Proxy);
            }
            // One by one, since the next may be the server's.
            answer.push(tcp.read_u8().await.map_err(|error| explain(&error))?);
        }
        match status(&answer) {
            Some(200..300) => Ok(()),
            Some(407) => Err(DriverError::ProxyLogin),
            _ => Err(DriverError::Proxy),
        }
    }
}

/// RFC 9112 §4: `HTTP/1.1 200 whatever`.
fn status(answer: &[u8]) -> Option<u16> {
    let line = answer.split(|byte| *byte == b'\r').next()?;
    let mut parts = std::str::from_utf8(line).ok()?.splitn(3, ' ');
    parts.next()?.strip_prefix("HTTP/1.")?;
    parts.next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_where_it_belongs() {
        assert_eq!(status(b"HTTP/1.1 200 Connection established\r\n\r\n"), Some(200));
        assert_eq!(status(b"HTTP/1.0 407\r\nX: y\r\n\r\n"), Some(407));
        for bad in [&b"HTTP/2 200 OK\r\n\r\n"[..], b"200\r\n\r\n", b"HTTP/1.1\r\n\r\n", b"\xFF\r\n\r\n", b""]
        {
            assert_eq!(status(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn a_login_is_not_shown() {
        let proxy = HttpProxy::new("proxy.example.org", 3128).with_login("Aladdin", "open sesame");
        assert_eq!(
            proxy.login.as_deref(),
            Some("QWxhZGRpbjpvcGVuIHNlc2FtZQ=="),
            "the example of RFC 7617 §2"
        );
        assert_eq!(format!("{proxy:?}"), "HttpProxy { host: \"proxy.example.org\", port: 3128, .. }");
    }
}
