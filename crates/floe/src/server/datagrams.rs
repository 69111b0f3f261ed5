//! UDP sockets: those that clients send to, and those that peers send to.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, Weak};
use std::task::Poll;
use std::time::Duration;

use floe_turn::server::{Link, RelayId};
use floe_turn::{MAX_PADDING, MAX_PREFIX};
use tokio::net::UdpSocket;
use tokio::task::coop;

use super::front::{Front, Outlet};
use super::listen;
use crate::engine::lock;

/// No UDP datagram is longer.
const MAX_DATAGRAM: usize = 65_535;

/// Datagrams that are read from one socket before others have their turn.
const MAX_BATCH: usize = 32;

/// After so many errors in a row, without a datagram or a moment of silence in between, nothing more is expected of a
/// socket for a while. Fewer are normal: each may be the report of an ICMP message about a packet sent earlier.
const MANY_ERRORS: u32 = 64;
const PAUSE: Duration = Duration::from_millis(100);

/// Buffers for a whole datagram each, kept for the next reader: as many as there were readers at a time, which is no more
/// than the runtime has threads.
#[derive(Default)]
pub(super) struct Buffers(Mutex<Vec<Vec<u8>>>);

impl Buffers {
    fn take(&self) -> Vec<u8> {
        lock(&self.0).pop().unwrap_or_else(|| vec![0; MAX_PREFIX + MAX_DATAGRAM + MAX_PADDING])
    }

    fn put(&self, buffer: Vec<u8>) {
        lock(&self.0).push(buffer);
    }
}

/// Listens for clients. Returns where.
pub(super) fn listen(front: &Arc<Front>, address: SocketAddr) -> io::Result<SocketAddr> {
    let socket = Arc::new(UdpSocket::from_std(listen::shared_udp(address)?)?);
    let (address, weak) = (socket.local_addr()?, Arc::downgrade(&socket));
    let id = front.add_outlet(Outlet::Datagrams(socket));
    let listener = front.clone();
    front.spawn(async move {
        read(&listener, &weak, |buffer, len, source| {
            let datagram = buffer.get(MAX_PREFIX..MAX_PREFIX + len).unwrap_or_default();
            listener.from_client(Link::datagram(id, source), datagram);
        })
        .await;
    });
    Ok(address)
}

/// A socket for the peers of a relay.
pub(super) fn open_relay(address: SocketAddr) -> io::Result<UdpSocket> {
    UdpSocket::from_std(listen::udp(address)?)
}

/// Reads a relay's socket until it is closed.
pub(super) async fn read_relay(front: Arc<Front>, socket: Weak<UdpSocket>, relay: RelayId) {
    read(&front, &socket, |buffer, len, source| front.from_peer(relay, source, buffer, len)).await;
}

/// Hands everything that arrives at a socket to `take`: a buffer, in which the datagram begins behind [`MAX_PREFIX`] bytes,
/// how long it is, and where it comes from. The socket is closed as soon as its owner drops it: nothing here holds it
/// while it waits.
async fn read(front: &Front, socket: &Weak<UdpSocket>, mut take: impl FnMut(&mut [u8], usize, SocketAddr)) {
    let mut errors = 0;
    loop {
        let ready = poll_fn(|context| match socket.upgrade() {
            Some(socket) => socket.poll_recv_ready(context),
            None => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        });
        // The other error is that the runtime shuts down.
        if ready.await.is_err() {
            return;
        }
        let Some(open) = socket.upgrade() else { return };
        let mut buffer = front.buffers.take();
        for _ in 0..MAX_BATCH {
            let room = buffer.get_mut(MAX_PREFIX..MAX_PREFIX + MAX_DATAGRAM).unwrap_or_default();
            match open.try_recv_from(room) {
                Ok((len, source)) => {
                    errors = 0;
                    take(&mut buffer, len, source);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    errors = 0;
                    break;
                }
                Err(_) => errors += 1,
            }
        }
        drop(open);
        front.buffers.put(buffer);
        if errors >= MANY_ERRORS {
            tokio::time::sleep(PAUSE).await;
        }
        coop::consume_budget().await;
    }
}
