//! Where the data of a component go, and how they leave.

use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, ready};

use floe_ice::{Frame, RelayPath, SendPath};
use socket2::{SockAddr, SockRef};
use tokio::io::Interest;

use crate::engine::lock;
use crate::socket::{Socket, Way, too_large};
use crate::stream::Stream;

/// Where data go.
pub(crate) struct Route {
    way: Way,
    /// The peer, or the TURN server.
    destination: SocketAddr,
    epoch: u32,
    /// What has to stand around a payload (RFC 8656 §11.1, §12.5). A path counts its indications, and senders are many.
    relay: Option<Mutex<RelayPath>>,
}

impl Route {
    pub(crate) fn new(path: &SendPath, way: Way) -> Self {
        Self { way, destination: path.destination, epoch: path.epoch, relay: path.relay.map(Mutex::new) }
    }

    /// Whether this is the path, as it was.
    pub(crate) fn is(&self, path: &SendPath) -> bool {
        self.epoch == path.epoch
    }

    /// The socket, if it is one and no stream: what can be waited for.
    pub(crate) fn socket(&self) -> Option<&Arc<Socket>> {
        match &self.way {
            Way::Socket(socket) => Some(socket),
            Way::Stream(_) => None,
        }
    }

    /// Whether what is no STUN and comes from here is plainly data of the peer (RFC 8445 §12.2).
    pub(crate) fn is_peer(&self, socket: floe_ice::SocketId, source: SocketAddr) -> bool {
        self.destination == source && self.relay.is_none() && self.socket().is_some_and(|s| s.id == socket)
    }

    pub(crate) fn try_send(&self, payload: &[u8]) -> io::Result<usize> {
        match (&self.way, &self.relay) {
            (Way::Socket(socket), None) => socket.io.try_send_to(payload, self.destination),
            (Way::Socket(socket), Some(relay)) => {
                self.try_send_framed(socket, &frame(relay, payload)?, payload)
            }
            (Way::Stream(stream), Some(relay)) => send_on(stream, &frame(relay, payload)?, payload),
            // A stream leads to a TURN server, and a path through one is framed.
            (Way::Stream(_), None) => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    pub(crate) fn poll_send(&self, cx: &mut Context<'_>, payload: &[u8]) -> Poll<io::Result<usize>> {
        let (Way::Socket(socket), Some(relay)) = (&self.way, &self.relay) else {
            return match &self.way {
                Way::Socket(socket) => socket.io.poll_send_to(cx, payload, self.destination),
                Way::Stream(_) => Poll::Ready(self.try_send(payload)),
            };
        };
        let frame = frame(relay, payload)?;
        loop {
            ready!(socket.io.poll_send_ready(cx))?;
            match self.try_send_framed(socket, &frame, payload) {
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
                sent => return Poll::Ready(sent),
            }
        }
    }

    /// On a stream there is always room: what finds none is lost.
    pub(crate) fn poll_send_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &self.way {
            Way::Socket(socket) => socket.io.poll_send_ready(cx),
            Way::Stream(_) => Poll::Ready(Ok(())),
        }
    }

    /// In one datagram, without copying the payload.
    fn try_send_framed(&self, socket: &Socket, frame: &Frame, payload: &[u8]) -> io::Result<usize> {
        let parts = [frame.prefix(), payload, frame.padding()].map(IoSlice::new);
        let destination = SockAddr::from(self.destination);
        socket
            .io
            .try_io(Interest::WRITABLE, || SockRef::from(&socket.io).send_to_vectored(&parts, &destination))
    }
}

fn send_on(stream: &Stream, frame: &Frame, payload: &[u8]) -> io::Result<usize> {
    match stream.send_data([frame.prefix(), payload, frame.padding()]) {
        true => Ok(payload.len()),
        false => Err(io::ErrorKind::StorageFull.into()),
    }
}

fn frame(relay: &Mutex<RelayPath>, payload: &[u8]) -> io::Result<Frame> {
    lock(relay).around(payload.len()).map_err(|_| too_large())
}
