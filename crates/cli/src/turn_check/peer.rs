//! The other end of the relay: this machine once more.

use std::io;
use std::net::SocketAddr;

use tokio::net::UdpSocket;
use tokio::time::{Instant, timeout_at};

use super::session::{Session, Trouble};

/// Somebody who can be reached through the relay.
pub(crate) enum Peer {
    /// A socket of this machine, which sends to the relayed address.
    Socket { socket: UdpSocket, relayed: SocketAddr },
    /// A second allocation on the same server, where no UDP leaves this machine.
    Relay { session: Box<Session>, relayed: SocketAddr },
}

impl Peer {
    pub(crate) async fn socket(relayed: SocketAddr) -> io::Result<Self> {
        let socket = UdpSocket::bind(super::line::any(relayed)).await?;
        Ok(Self::Socket { socket, relayed })
    }

    /// To the relayed address.
    pub(crate) async fn send(&mut self, payload: &[u8]) -> Result<(), Trouble> {
        match self {
            Self::Socket { socket, relayed } => {
                socket.send_to(payload, *relayed).await.map(|_| ()).map_err(Trouble::Line)
            }
            Self::Relay { session, relayed } => session.send(*relayed, payload).await,
        }
    }

    /// What comes from the relayed address.
    pub(crate) async fn receive(&mut self, until: Instant) -> Result<Option<Vec<u8>>, Trouble> {
        match self {
            Self::Socket { socket, relayed } => {
                let mut buffer = vec![0; 2048];
                loop {
                    match timeout_at(until, socket.recv_from(&mut buffer)).await {
                        Err(_) => return Ok(None),
                        Ok(Ok((len, source))) if source == *relayed => {
                            return Ok(Some(buffer[..len].to_vec()));
                        }
                        // From somebody else, or the report of an ICMP message about what was sent before.
                        Ok(_) if Instant::now() >= until => return Ok(None),
                        Ok(_) => {}
                    }
                }
            }
            Self::Relay { session, relayed } => loop {
                match session.receive(until).await? {
                    None => return Ok(None),
                    Some((source, payload)) if source == *relayed => return Ok(Some(payload)),
                    Some(_) if Instant::now() >= until => return Ok(None),
                    Some(_) => {}
                }
            },
        }
    }
}
