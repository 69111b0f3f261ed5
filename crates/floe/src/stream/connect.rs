//! Opening a connection.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use floe_ice::{DriverError, SocketId};
use tokio::net::{TcpSocket, TcpStream};

use super::Stream;
use super::proxy::Proxied;
use super::run::{Sink, Source};
use super::tls::Tls;
use crate::socket::{self, SocketOptions};

/// A connection, and its two ends for the task that serves it.
pub(crate) struct Connected {
    server: SocketAddr,
    pub(crate) local: SocketAddr,
    direct: Option<Arc<TcpStream>>,
    source: Source,
    sink: Sink,
}

impl Connected {
    /// The same with a number.
    pub(crate) fn into_stream(self, id: SocketId) -> (Stream, Source, Sink) {
        (Stream::new(id, self.server, self.direct), self.source, self.sink)
    }
}

/// What connections are made with.
#[derive(Clone, Default)]
pub(crate) struct Dialler {
    pub(crate) options: SocketOptions,
    pub(crate) tls: Tls,
    pub(crate) proxy: Option<Proxied>,
}

/// Connects to a server from this address, with TLS if there is a name for it.
pub(crate) async fn dial(
    server: SocketAddr,
    local: SocketAddr,
    tls_name: Option<String>,
    Dialler { options, tls, proxy }: Dialler,
) -> Result<Connected, DriverError> {
    let first = match &proxy {
        Some(proxy) => proxy.address(local).await?,
        None => server,
    };
    let mut tcp = connect(first, local, &options).await.map_err(|e| explain(&e))?;
    if let Some(proxy) = &proxy {
        proxy.tunnel(&mut tcp, server).await?;
    }
    let local = tcp.local_addr().map_err(|e| explain(&e))?;
    if let Some(name) = tls_name {
        let (source, sink) = tls.connect(name, tcp).await?;
        let (source, sink) = (Source::Tls(source), Sink::Tls(sink));
        return Ok(Connected { server, local, direct: None, source, sink });
    }
    let tcp = Arc::new(tcp);
    let (source, sink) = (Source::Tcp(tcp.clone()), Sink::Tcp(tcp.clone()));
    Ok(Connected { server, local, direct: Some(tcp), source, sink })
}

async fn connect(server: SocketAddr, local: SocketAddr, options: &SocketOptions) -> io::Result<TcpStream> {
    let socket = socket::new_tcp(server, options)?;
    socket.bind(&local.into())?;
    TcpSocket::from_std_stream(socket.into()).connect(server).await
}

/// What an error of the system means for a connection.
pub(super) fn explain(error: &io::Error) -> DriverError {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => DriverError::ConnectionRefused,
        io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted => DriverError::ConnectionReset,
        io::ErrorKind::BrokenPipe | io::ErrorKind::UnexpectedEof => DriverError::ConnectionClosed,
        io::ErrorKind::TimedOut => DriverError::TimedOut,
        io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => DriverError::Unreachable,
        _ => socket::explain(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_does_not_connect_says_why() {
        let dial = |server: &str, local: &str| {
            dial(
                server.parse().expect("an address"),
                local.parse().expect("an address"),
                None,
                Dialler::default(),
            )
        };
        // A port that was free a moment ago, and that nobody is given while it is bound here without listening.
        let bound = TcpSocket::new_v4().expect("a socket");
        bound.bind("127.0.0.1:0".parse().expect("an address")).expect("bound");
        let server = bound.local_addr().expect("bound").to_string();
        assert_eq!(dial(&server, "127.0.0.1:0").await.err(), Some(DriverError::ConnectionRefused));
        // RFC 5737: nobody has this address.
        assert_eq!(dial(&server, "192.0.2.1:0").await.err(), Some(DriverError::AddressNotAvailable));
    }

    #[test]
    fn errors_of_a_connection_have_names() {
        let of = |kind: io::ErrorKind| explain(&kind.into());
        assert_eq!(of(io::ErrorKind::ConnectionReset), DriverError::ConnectionReset);
        assert_eq!(of(io::ErrorKind::BrokenPipe), DriverError::ConnectionClosed);
        assert_eq!(of(io::ErrorKind::TimedOut), DriverError::TimedOut);
        assert_eq!(of(io::ErrorKind::NetworkUnreachable), DriverError::Unreachable);
        assert_eq!(of(io::ErrorKind::PermissionDenied), DriverError::PermissionDenied);
    }
}
