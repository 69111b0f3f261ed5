//! Where the data of a component go, and how they leave.

use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, ready};

use floe_ice::{Frame, RelayPath, SendPath};
use socket2::{SockAddr, SockRef};
use tokio::io::Interest;

use crate::engine::lock;
use crate::socket::{Socket, too_large};

/// Where data go.
pub(crate) struct Route {
    pub(crate) socket: Arc<Socket>,
    /// The peer, or the TURN server.
    destination: SocketAddr,
    epoch: u32,
    /// What has to stand around a payload (RFC 8656 §11.1, §12.5). A path counts its indications, and senders are many.
    relay: Option<Mutex<RelayPath>>,
}

impl Route {
    pub(crate) fn new(path: &SendPath, socket: Arc<Socket>) -> Self {
        Self { socket, destination: path.destination, epoch: path.epoch, relay: path.relay.map(Mutex::new) }
    }

    /// Whether this is the path, as it was.
    pub(crate) fn is(&self, path: &SendPath) -> bool {
        self.epoch == path.epoch
    }

    /// Whether what is no STUN and comes from here is plainly data of the peer (RFC 8445 §12.2).
    pub(crate) fn is_peer(&self, socket: floe_ice::SocketId, source: SocketAddr) -> bool {
        self.destination == source && self.socket.id == socket && self.relay.is_none()
    }

    pub(crate) fn try_send(&self, payload: &[u8]) -> io::Result<usize> {
        match &self.relay {
            None => self.socket.io.try_send_to(payload, self.destination),
            Some(relay) => self.try_send_framed(&frame(relay, payload)?, payload),
        }
    }

    pub(crate) fn poll_send(&self, cx: &mut Context<'_>, payload: &[u8]) -> Poll<io::Result<usize>> {
        let Some(relay) = &self.relay else {
            return self.socket.io.poll_send_to(cx, payload, self.destination);
        };
        let frame = frame(relay, payload)?;
        loop {
            ready!(self.socket.io.poll_send_ready(cx))?;
            match self.try_send_framed(&frame, payload) {
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
                sent => return Poll::Ready(sent),
            }
        }
    }

    /// In one datagram, without copying the payload.
    fn try_send_framed(&self, frame: &Frame, payload: &[u8]) -> io::Result<usize> {
        let parts = [frame.prefix(), payload, frame.padding()].map(IoSlice::new);
        let destination = SockAddr::from(self.destination);
        self.socket.io.try_io(Interest::WRITABLE, || {
            SockRef::from(&self.socket.io).send_to_vectored(&parts, &destination)
        })
    }
}

fn frame(relay: &Mutex<RelayPath>, payload: &[u8]) -> io::Result<Frame> {
    lock(relay).around(payload.len()).map_err(|_| too_large())
}
