//! What carries the messages to the server and back: a UDP socket, or a connection.

use std::io;
use std::net::SocketAddr;

use floe::RelayTransport;
use floe::turn::Carrier;
use floe::turn::client::StreamDeframer;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};

use super::Plan;

/// No UDP datagram is larger.
const MAX_DATAGRAM: usize = 65_535;

/// A connection, with TLS or without.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Unpin {}

impl<S: AsyncRead + AsyncWrite + Unpin> Stream for S {}

/// The way to the server.
pub(crate) enum Line {
    Datagrams(UdpSocket),
    Stream { io: Box<dyn Stream>, deframer: StreamDeframer, how: &'static str },
}

impl Line {
    /// Connects; says from which address.
    pub(crate) async fn open(plan: &Plan, server: SocketAddr) -> io::Result<(Self, SocketAddr)> {
        if !plan.transport().is_stream() {
            let socket = UdpSocket::bind(any(server)).await?;
            socket.connect(server).await?;
            let local = socket.local_addr()?;
            return Ok((Self::Datagrams(socket), local));
        }
        let stream = TcpStream::connect(server).await?;
        stream.set_nodelay(true)?;
        let local = stream.local_addr()?;
        let (io, how): (Box<dyn Stream>, _) = match plan.transport() {
            RelayTransport::Tls => (secure(plan, stream).await?, "over TLS"),
            _ => (Box::new(stream), "over TCP"),
        };
        Ok((Self::Stream { io, deframer: StreamDeframer::new(), how }, local))
    }

    /// In a word.
    pub(crate) fn description(&self) -> &'static str {
        match self {
            Self::Datagrams(_) => "over UDP",
            Self::Stream { how, .. } => how,
        }
    }

    pub(crate) fn carrier(&self) -> Carrier {
        match self {
            Self::Datagrams(_) => Carrier::Datagram,
            Self::Stream { .. } => Carrier::Stream,
        }
    }

    /// Sends a whole packet.
    pub(crate) async fn send(&mut self, packet: &[u8]) -> io::Result<()> {
        match self {
            Self::Datagrams(socket) => socket.send(packet).await.map(|_| ()),
            Self::Stream { io, .. } => {
                io.write_all(packet).await?;
                io.flush().await
            }
        }
    }

    /// The next whole packet, in `packet`. Nothing is lost when the future is dropped.
    pub(crate) async fn receive(&mut self, packet: &mut Vec<u8>) -> io::Result<()> {
        packet.clear();
        match self {
            Self::Datagrams(socket) => {
                packet.resize(MAX_DATAGRAM, 0);
                let len = socket.recv(packet).await?;
                packet.truncate(len);
                Ok(())
            }
            Self::Stream { io, deframer, .. } => loop {
                if let Some(frame) = deframer.next_frame().map_err(io::Error::other)? {
                    packet.extend_from_slice(frame);
                    return Ok(());
                }
                let len = io.read(deframer.space()).await?;
                if len == 0 {
                    return Err(io::Error::new(
                        io::ErrorKind::UnexpectedEof,
                        "the server closed the connection",
                    ));
                }
                deframer.filled(len);
            },
        }
    }
}

#[cfg(feature = "tls")]
async fn secure(plan: &Plan, stream: TcpStream) -> io::Result<Box<dyn Stream>> {
    let secured = plan.tls.connect(&plan.tls_name, stream).await;
    secured
        .map(|stream| Box::new(stream) as Box<dyn Stream>)
        .map_err(|error| io::Error::other(error.to_string()))
}

#[cfg(not(feature = "tls"))]
async fn secure(plan: &Plan, _stream: TcpStream) -> io::Result<Box<dyn Stream>> {
    let what = format!("no TLS to {}: this floe was built without it", plan.tls_name);
    Err(io::Error::new(io::ErrorKind::Unsupported, what))
}

/// The unspecified address of the family that an address is of.
pub(crate) fn any(like: SocketAddr) -> SocketAddr {
    match like {
        SocketAddr::V4(_) => SocketAddr::from(([0; 4], 0)),
        SocketAddr::V6(_) => SocketAddr::from(([0; 16], 0)),
    }
}
