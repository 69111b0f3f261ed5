//! Datagrams in: read by the application in its own task and into its own buffer, or by the driver into a queue.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Poll};

use floe_ice::{ConnectionState, Datagram, Received};
use tokio::io::ReadBuf;
use tokio::task::coop;

use crate::engine::{Engine, lock};
use crate::error::RecvError;
use crate::lane::{Inbox, Lane};
use crate::readers::Reader;
use crate::socket::Socket;
use crate::stream::Stream;

/// No UDP datagram is larger.
const MAX_DATAGRAM: usize = 65_535;

/// The smallest buffer of an application that datagrams are read into directly: a STUN message that did not fit would
/// be lost.
const DIRECT: usize = 1500;

/// The most datagrams that are read in one go, before others have their turn.
const BATCH: usize = 64;

thread_local! {
    /// Where datagrams are read to that cannot be read to where they belong. One for each thread, since agents are
    /// many and reading into it never waits.
    static SCRATCH: RefCell<Box<[u8]>> = RefCell::new(vec![0; MAX_DATAGRAM].into());
}

/// What became of one look at a socket.
enum Look {
    /// Application data of this length, at the start of the buffer.
    Data(usize),
    /// Something else, or an error that means nothing.
    Other,
    /// The socket does not work any more.
    Broken,
}

impl Engine {
    /// The next datagram of a lane. If there is none, the reader, if one is given, is woken later.
    pub(crate) fn poll_receive(
        &self,
        lane: &Lane,
        reader: Option<(&mut Reader<'_>, &mut Context<'_>)>,
        buffer: &mut [u8],
    ) -> Poll<Result<usize, RecvError>> {
        let mut inbox = lock(&lane.inbox);
        lane.readers.visit();
        if let Some(len) = inbox.queue.pop(buffer) {
            return Poll::Ready(Ok(len));
        }
        let direct = buffer.len() >= DIRECT;
        let found = if direct {
            self.read_into(lane, &mut inbox, buffer)
        } else {
            with_scratch(|scratch| {
                let len = self.read_into(lane, &mut inbox, scratch)?.min(buffer.len());
                buffer.get_mut(..len)?.copy_from_slice(scratch.get(..len)?);
                Some(len)
            })
        };
        if let Some(len) = found {
            return Poll::Ready(Ok(len));
        }
        self.wait(lane, &inbox, reader)
    }

    /// Whether a datagram is there; it is queued then.
    pub(crate) fn poll_receive_ready(
        &self,
        lane: &Lane,
        reader: (&mut Reader<'_>, &mut Context<'_>),
    ) -> Poll<Result<(), RecvError>> {
        let mut inbox = lock(&lane.inbox);
        lane.readers.visit();
        if inbox.queue.is_empty() {
            with_scratch(|scratch| {
                let len = self.read_into(lane, &mut inbox, scratch)?;
                self.enqueue(lane, &mut inbox, scratch.get(..len)?);
                Some(())
            });
        }
        if !inbox.queue.is_empty() {
            return Poll::Ready(Ok(()));
        }
        self.wait(lane, &inbox, Some(reader))
    }

    /// Nothing is there. As the caller holds the inbox, what the driver finds from now on finds the reader waiting.
    fn wait<T>(
        &self,
        lane: &Lane,
        inbox: &Inbox,
        reader: Option<(&mut Reader<'_>, &mut Context<'_>)>,
    ) -> Poll<Result<T, RecvError>> {
        let Some((reader, cx)) = reader else { return Poll::Ready(Err(self.why_nothing(lane))) };
        reader.wait(cx.waker());
        // Not everything was looked at: let others run, then go on.
        if inbox.has_more() {
            cx.waker().wake_by_ref();
        }
        // Looked at after the waker is in place, so that the change of state finds it.
        if lane.is_over() { Poll::Ready(Err(self.why_nothing(lane))) } else { Poll::Pending }
    }

    fn why_nothing(&self, lane: &Lane) -> RecvError {
        match self.state() {
            ConnectionState::Closed => RecvError::Closed,
            _ if lane.is_over() => RecvError::Failed,
            _ => RecvError::WouldBlock,
        }
    }

    /// Reads the sockets that may have something until one has application data, within limits.
    fn read_into(&self, lane: &Lane, inbox: &mut Inbox, buffer: &mut [u8]) -> Option<usize> {
        let (mut at, mut looks) = (0, 0);
        while let Some(socket) = inbox.sockets.get(at) {
            if socket.readiness.is_armed() {
                at += 1;
                continue;
            }
            if looks == BATCH || !coop::has_budget_remaining() {
                return None;
            }
            looks += 1;
            match self.look(lane, socket, buffer) {
                Poll::Ready(Look::Data(len)) => {
                    // The next look begins with the next socket, so that a busy one does not hide the others.
                    let count = inbox.sockets.len();
                    inbox.sockets.rotate_left((at + 1) % count);
                    return Some(len);
                }
                Poll::Ready(Look::Other) => {}
                Poll::Ready(Look::Broken) => self.give_up(&inbox.sockets.remove(at)),
                Poll::Pending => at += 1,
            }
        }
        None
    }

    /// For the driver: takes what arrived for components whose application is not reading. True if there is more.
    pub(crate) fn read_unattended(&self) -> bool {
        let mut more = false;
        for lane in self.lanes().iter().filter(|lane| !lane.readers.is_active()) {
            let mut inbox = lock(&lane.inbox);
            more |= with_scratch(|scratch| self.read_to_queue(lane, &mut inbox, scratch));
            let wake = !inbox.queue.is_empty();
            drop(inbox);
            if wake {
                lane.readers.wake();
            }
        }
        more
    }

    fn read_to_queue(&self, lane: &Lane, inbox: &mut Inbox, scratch: &mut [u8]) -> bool {
        for _ in 0..BATCH {
            let Some(len) = self.read_into(lane, inbox, scratch) else {
                return inbox.has_more();
            };
            self.enqueue(lane, inbox, scratch.get(..len).unwrap_or_default());
        }
        true
    }

    fn enqueue(&self, lane: &Lane, inbox: &mut Inbox, datagram: &[u8]) {
        if !inbox.queue.push(datagram) {
            lane.traffic.dropped();
        }
    }

    /// Reads one datagram, if there is one, and hands it to the agent unless it is plainly data.
    fn look(&self, lane: &Lane, socket: &Socket, buffer: &mut [u8]) -> Poll<Look> {
        let mut read = ReadBuf::new(buffer);
        socket.readiness.set_armed(true);
        let polled = socket.io.poll_recv_from(&mut Context::from_waker(&socket.waker), &mut read);
        let Poll::Ready(result) = polled else {
            socket.works();
            return Poll::Pending;
        };
        socket.readiness.set_armed(false);
        let len = read.filled().len();
        Poll::Ready(match result {
            Ok(source) => {
                socket.works();
                self.sort(lane, socket, source, buffer.get_mut(..len).unwrap_or_default())
            }
            Err(_) if socket.failed() => Look::Broken,
            // The report of an ICMP message about an earlier packet, a shortage that passes, or (on Windows) a
            // datagram that is longer than the buffer.
            Err(_) => Look::Other,
        })
    }

    /// Data of the peer that we send to needs no agent. Everything else does.
    fn sort(&self, lane: &Lane, socket: &Socket, source: SocketAddr, datagram: &mut [u8]) -> Look {
        let is_stun = floe_stun::is_stun(datagram);
        if !is_stun && lane.is_peer(socket.id, source) {
            lane.traffic.received(datagram.len());
            return Look::Data(datagram.len());
        }
        let contents = &*datagram;
        let received = self.hand_over(Datagram { socket: socket.id, local_ip: None, source, contents });
        // A socket serves one component, so it is this one.
        let Received::Data { payload, .. } = received else { return Look::Other };
        let len = payload.len();
        datagram.copy_within(payload, 0);
        Look::Data(len)
    }

    /// For the agent to say what it is.
    fn hand_over(&self, datagram: Datagram<'_>) -> Received {
        if floe_stun::is_stun(datagram.contents) {
            return self.input(|agent, now| agent.handle_datagram(datagram, now));
        }
        // Data, or dropped: nothing follows from it, but that a relay may have to be renewed. Or a check that came through a channel.
        let mut agent = self.agent();
        let due = agent.poll_timeout();
        let received = agent.handle_datagram(datagram, self.now());
        if received == Received::Ice {
            self.publish(&mut agent);
        }
        if received == Received::Ice || agent.poll_timeout() != due {
            self.signal.notify();
        }
        received
    }

    /// A whole frame came from a TURN server.
    pub(crate) fn take_frame(&self, stream: &Stream, frame: &[u8]) {
        let datagram = Datagram { socket: stream.id, local_ip: None, source: stream.server, contents: frame };
        let Received::Data { component, payload } = self.hand_over(datagram) else { return };
        let lane = self.find_lane(component).and_then(|at| self.lanes().get(at));
        if let (Some(lane), Some(data)) = (lane, frame.get(payload)) {
            self.enqueue(lane, &mut lock(&lane.inbox), data);
            lane.readers.wake();
        }
    }

    fn give_up(&self, socket: &Arc<Socket>) {
        self.input(|agent, now| agent.socket_failed(socket.id, now));
        // The inbox is the caller's; only the table is left.
        self.forget(socket.id);
    }
}

fn with_scratch<R>(work: impl FnOnce(&mut [u8]) -> R) -> R {
    SCRATCH.with(|scratch| match scratch.try_borrow_mut() {
        Ok(mut scratch) => work(&mut scratch),
        // Only if reading were to call itself, which it does not.
        Err(_) => work(&mut vec![0; MAX_DATAGRAM]),
    })
}
