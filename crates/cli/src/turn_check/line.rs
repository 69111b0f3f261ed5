//! What carries the messages to the server and back: a UDP socket, or a connection.

use std::io;
use std::net::SocketAddr;

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
    Stream { io: Box<dyn Stream>, deframer: StreamDeframer },
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
        Ok((Self::Stream { io: Box::new(stream), deframer: StreamDeframer::new() }, local))
    }

    /// In a word.
    pub(crate) fn description(&self) -> &'static str {
        match self {
            Self::Datagrams(_) => "over UDP",
            Self::Stream { .. } => "over TCP",
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
            Self::Stream { io, .. } => io.write_all(packet).await,
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
            Self::Stream { io, deframer } => loop {
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

/// The unspecified address of the family that an address is of.
pub(crate) fn any(like: SocketAddr) -> SocketAddr {
    match like {
        SocketAddr::V4(_) => SocketAddr::from(([0; 4], 0)),
        SocketAddr::V6(_) => SocketAddr::from(([0; 16], 0)),
    }
}
