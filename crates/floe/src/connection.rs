//! Datagrams to and from the peer.

use std::io;
use std::sync::Arc;
use std::task::{Context, Poll};

use floe_ice::{Component, PairStats};
use tokio::task::coop;

use crate::engine::{Engine, Handle};
use crate::error::{RecvError, SendError};
use crate::event::SelectedPair;
use crate::lane::Lane;
use crate::socket::{Socket, is_too_large};

/// Sends and receives the datagrams of one component. Cheap to clone; all clones are the same connection.
///
/// It goes on whatever path the agent finds best, so it need not be replaced when that changes. As on any network,
/// datagrams can be lost, doubled or overtaken.
///
/// As long as a connection or an [`Agent`](crate::Agent) handle exists, the agent lives.
#[derive(Clone)]
pub struct Connection {
    handle: Arc<Handle>,
    lane: usize,
}

/// What was lost on our side of one component, since the start.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub struct DatagramCounters {
    /// Datagrams that arrived while the application did not read and the queue for them was full
    /// ([`Builder::receive_queue`](crate::Builder::receive_queue)).
    pub queue_drops: u64,
    /// Datagrams, of the application and of ICE, that the system refused to send for another reason than their size:
    /// network unreachable, a firewall's rule, no buffers. And those of the application that found the queue of the connection to
    /// a TURN server full.
    pub send_failures: u64,
}

impl Connection {
    pub(crate) fn new(handle: Arc<Handle>, lane: usize) -> Self {
        Self { handle, lane }
    }

    fn engine(&self) -> &Engine {
        &self.handle.0
    }

    fn lane(&self) -> &Lane {
        // A connection is only made for a lane that exists, and lanes stay.
        &self.engine().lanes()[self.lane]
    }

    /// The component whose data this is.
    #[must_use]
    pub fn component(&self) -> Component {
        self.lane().component
    }

    // --- sending --------------------------------------------------------------------------------------------------

    /// Sends a datagram, waiting while the socket's buffer is full. Any number of tasks may send at a time. Where a TURN server is
    /// reached over TCP or TLS nobody waits: that stands for UDP, and what is too much for it is lost and counted.
    ///
    /// `Ok` says that it left, not that it arrives: a refusal by the system that the sender can do nothing about
    /// (network unreachable, a firewall's rule) loses the datagram just as the network might, and is counted in
    /// [`Connection::counters`]. If the path is dead, the agent will notice.
    ///
    /// # Errors
    /// There is no path now, or the payload cannot be sent: [`SendError`].
    pub async fn send(&self, payload: &[u8]) -> Result<(), SendError> {
        coop::consume_budget().await;
        loop {
            match self.try_send(payload) {
                Err(SendError::WouldBlock) => {}
                result => return result,
            }
            let Some(socket) = self.socket() else { continue };
            tokio::select! {
                // An error says that the runtime ends, and so does the agent.
                ready = socket.io.writable() => ready.map_err(|_| SendError::Closed)?,
                () = self.engine().closed() => {}
            }
        }
    }

    /// Sends a datagram if the socket's buffer has room.
    ///
    /// # Errors
    /// As [`Connection::send`], and [`SendError::WouldBlock`].
    pub fn try_send(&self, payload: &[u8]) -> Result<(), SendError> {
        let route = self.lane().route();
        let route = route.as_ref().map_err(|&e| SendError::from(e))?;
        admit(payload)?;
        let sent = route.try_send(payload);
        self.sent(payload.len(), sent)
    }

    /// As [`Connection::send`], for poll-based code. At most one task may use this and
    /// [`Connection::poll_send_ready`] at a time: only the last that got `Pending` is woken.
    ///
    /// # Errors
    /// As [`Connection::send`].
    pub fn poll_send(&self, cx: &mut Context<'_>, payload: &[u8]) -> Poll<Result<(), SendError>> {
        let route = self.lane().route();
        let route = match route.as_ref() {
            Ok(route) => route,
            Err(&error) => return Poll::Ready(Err(error.into())),
        };
        admit(payload)?;
        let sent = std::task::ready!(route.poll_send(cx, payload));
        Poll::Ready(self.sent(payload.len(), sent))
    }

    /// Whether [`Connection::try_send`] is likely to find room, for poll-based code.
    ///
    /// # Errors
    /// There is no path now.
    pub fn poll_send_ready(&self, cx: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        let route = self.lane().route();
        match route.as_ref() {
            Ok(route) => route.poll_send_ready(cx).map_err(|_| SendError::Closed),
            Err(&error) => Poll::Ready(Err(error.into())),
        }
    }

    fn sent(&self, len: usize, result: io::Result<usize>) -> Result<(), SendError> {
        let traffic = &self.lane().traffic;
        match result {
            Ok(_) => {
                if self.engine().has_keepalives() {
                    traffic.sent_at(self.engine().now());
                }
                traffic.sent(len);
                Ok(())
            }
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => Err(SendError::WouldBlock),
            Err(e) if is_too_large(&e) => Err(SendError::TooLarge),
            Err(_) => {
                traffic.send_failed();
                Ok(())
            }
        }
    }

    fn socket(&self) -> Option<Arc<Socket>> {
        self.lane().route().as_ref().ok().and_then(|route| route.socket().cloned())
    }

    // --- receiving ------------------------------------------------------------------------------------------------

    /// Receives a datagram and says how long it is; the rest of `buffer` may be overwritten too. A datagram that is
    /// longer than the buffer is cut, or on Windows lost. Data that comes before
    /// [`Agent::connected`](crate::Agent::connected) is received as well (RFC 8445 §12.2).
    ///
    /// Buffers of 1500 bytes or more are read into directly. While nobody receives, datagrams are kept up to
    /// [`Builder::receive_queue`](crate::Builder::receive_queue), and the agent goes on.
    ///
    /// Several tasks may receive; each datagram goes to one of them. Dropping the future loses none.
    ///
    /// # Errors
    /// No datagram will come any more: [`RecvError::Failed`] or [`RecvError::Closed`].
    pub async fn recv(&self, buffer: &mut [u8]) -> Result<usize, RecvError> {
        let lane = self.lane();
        let mut reader = lane.readers.one_call();
        std::future::poll_fn(|cx| self.engine().poll_receive(lane, Some((&mut reader, cx)), buffer)).await
    }

    /// Receives a datagram if one is there.
    ///
    /// # Errors
    /// As [`Connection::recv`], and [`RecvError::WouldBlock`].
    pub fn try_recv(&self, buffer: &mut [u8]) -> Result<usize, RecvError> {
        match self.engine().poll_receive(self.lane(), None, buffer) {
            Poll::Ready(result) => result,
            Poll::Pending => Err(RecvError::WouldBlock),
        }
    }

    /// As [`Connection::recv`], for poll-based code. At most one task may use this and
    /// [`Connection::poll_recv_ready`] at a time: only the last that got `Pending` is woken.
    ///
    /// # Errors
    /// As [`Connection::recv`].
    pub fn poll_recv(&self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<Result<usize, RecvError>> {
        let lane = self.lane();
        self.engine().poll_receive(lane, Some((&mut lane.readers.poller(), cx)), buffer)
    }

    /// Whether [`Connection::try_recv`] has something, for poll-based code.
    ///
    /// # Errors
    /// As [`Connection::recv`].
    pub fn poll_recv_ready(&self, cx: &mut Context<'_>) -> Poll<Result<(), RecvError>> {
        let lane = self.lane();
        self.engine().poll_receive_ready(lane, (&mut lane.readers.poller(), cx))
    }

    // --- looking --------------------------------------------------------------------------------------------------

    /// The selected pair (RFC 8445 §8.1.1); `None` before there is one, or when it died.
    #[must_use]
    pub fn selected_pair(&self) -> Option<SelectedPair> {
        let agent = self.engine().agent();
        agent.selected_pair(self.component()).map(|info| SelectedPair::new(&agent, &info))
    }

    /// What happened on the selected pair: round-trip times, checks, packets and bytes.
    #[must_use]
    pub fn stats(&self) -> Option<PairStats> {
        let agent = self.engine().agent_with_traffic();
        let pair = agent.selected_pair(self.component())?.id;
        agent.pair_stats(pair)
    }

    /// What was lost on our side.
    #[must_use]
    pub fn counters(&self) -> DatagramCounters {
        self.lane().traffic.counters()
    }
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection")
            .field("component", &self.component())
            .field("selected_pair", &self.selected_pair())
            .finish_non_exhaustive()
    }
}

/// RFC 7983: the peer could not tell it from ICE's own messages.
fn admit(payload: &[u8]) -> Result<(), SendError> {
    if floe_stun::is_stun(payload) { Err(SendError::LooksLikeStun) } else { Ok(()) }
}
