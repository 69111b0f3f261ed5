//! What belongs to one component of one stream: where its data goes, the sockets it comes from, and what was counted.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard};

use floe_ice::{Component, SendPath, SocketId};
use floe_stun::Time;

use crate::connection::DatagramCounters;
use crate::engine::lock;
use crate::queue::Queue;
use crate::readers::{Readers, Signal};
use crate::route::Route;
use crate::socket::{Socket, Way};

/// The receiving side. Its lock is held while a datagram is read, so that the order of datagrams stays, and is taken
/// before that of the agent if both are needed.
pub(crate) struct Inbox {
    pub(crate) queue: Queue,
    pub(crate) sockets: Vec<Arc<Socket>>,
}

impl Inbox {
    /// Whether a socket was not read to its end.
    pub(crate) fn has_more(&self) -> bool {
        self.sockets.iter().any(|socket| !socket.readiness.is_armed())
    }
}

/// One component.
pub(crate) struct Lane {
    pub(crate) component: Component,
    /// A copy of what the agent says, so that sending need not ask it.
    route: RwLock<Result<Route, floe_ice::SendError>>,
    pub(crate) inbox: Mutex<Inbox>,
    pub(crate) readers: Arc<Readers>,
    pub(crate) traffic: Traffic,
    /// The stream failed.
    failed: AtomicBool,
    /// No data will come any more.
    over: AtomicBool,
}

impl Lane {
    pub(crate) fn new(component: Component, queue_limit: usize, signal: Arc<Signal>) -> Self {
        Self {
            component,
            route: RwLock::new(Err(floe_ice::SendError::NotConnected)),
            inbox: Mutex::new(Inbox { queue: Queue::new(queue_limit), sockets: Vec::new() }),
            readers: Arc::new(Readers::new(signal)),
            traffic: Traffic::default(),
            failed: AtomicBool::new(false),
            over: AtomicBool::new(false),
        }
    }

    pub(crate) fn is_over(&self) -> bool {
        self.over.load(Ordering::SeqCst)
    }

    /// The checklist of the stream failed.
    pub(crate) fn fail(&self) {
        self.failed.store(true, Ordering::SeqCst);
    }

    /// ICE was restarted: there may be a path again, and the new session fails by itself.
    pub(crate) fn revive(&self) {
        self.failed.store(false, Ordering::SeqCst);
        self.over.store(false, Ordering::SeqCst);
    }

    /// Whether it ends here, as the stream failed or all did. A component that still has its path goes on as long as
    /// that lasts.
    pub(crate) fn conclude(&self, all: bool) {
        let failed = all || self.failed.load(Ordering::SeqCst);
        if failed && self.route().is_err() && !self.over.swap(true, Ordering::SeqCst) {
            self.readers.wake();
        }
    }

    pub(crate) fn route(&self) -> RwLockReadGuard<'_, Result<Route, floe_ice::SendError>> {
        self.route.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether this is where our data goes to: then what comes from there is data (RFC 8445 §12.2).
    pub(crate) fn is_peer(&self, socket: SocketId, source: SocketAddr) -> bool {
        matches!(&*self.route(), Ok(route) if route.is_peer(socket, source))
    }

    /// Follows the agent.
    pub(crate) fn follow(
        &self,
        path: Result<SendPath, floe_ice::SendError>,
        find: impl Fn(SocketId) -> Option<Way>,
    ) {
        let known = match (&*self.route(), &path) {
            (Ok(route), Ok(path)) => route.is(path),
            (Err(known), Err(error)) => known == error,
            _ => false,
        };
        if known {
            return;
        }
        let route = path.and_then(|path| {
            let way = find(path.socket).ok_or(floe_ice::SendError::NotConnected)?;
            Ok(Route::new(&path, way))
        });
        *self.route.write().unwrap_or_else(PoisonError::into_inner) = route;
    }

    pub(crate) fn add_socket(&self, socket: Arc<Socket>) {
        lock(&self.inbox).sockets.push(socket);
    }

    pub(crate) fn remove_socket(&self, id: SocketId) {
        lock(&self.inbox).sockets.retain(|socket| socket.id != id);
    }

    /// Lets go of everything.
    pub(crate) fn close(&self) {
        let mut inbox = lock(&self.inbox);
        inbox.sockets.clear();
        inbox.queue.clear();
        drop(inbox);
        self.readers.wake();
    }
}

/// What was sent and received past the agent, and what was lost. All of it only grows.
#[derive(Default)]
pub(crate) struct Traffic {
    sent: Count,
    /// Written under the lock of the inbox.
    received: Count,
    /// How much of it the agent knows. Used under the agent's lock.
    reported_sent: Count,
    reported_received: Count,
    /// Nanoseconds of the clock; only kept where there is no consent check, which would say as much.
    last_sent: AtomicU64,
    queue_drops: AtomicU64,
    send_failures: AtomicU64,
}

#[derive(Default)]
struct Count {
    packets: AtomicU64,
    bytes: AtomicU64,
}

impl Count {
    fn get(&self) -> (u64, u64) {
        (self.packets.load(Ordering::Relaxed), self.bytes.load(Ordering::Relaxed))
    }

    /// Not atomic: for one writer at a time.
    fn set(&self, (packets, bytes): (u64, u64)) {
        self.packets.store(packets, Ordering::Relaxed);
        self.bytes.store(bytes, Ordering::Relaxed);
    }

    /// What was added since `self` was brought up to date, which this does.
    fn catch_up(&self, with: &Self) -> (u64, u64) {
        let (before, now) = (self.get(), with.get());
        self.set(now);
        (now.0.wrapping_sub(before.0), now.1.wrapping_sub(before.1))
    }
}

impl Traffic {
    pub(crate) fn sent(&self, bytes: usize) {
        self.sent.packets.fetch_add(1, Ordering::Relaxed);
        self.sent.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    pub(crate) fn sent_at(&self, time: Time) {
        self.last_sent.fetch_max(time.as_nanos(), Ordering::Relaxed);
    }

    /// The caller holds the inbox.
    pub(crate) fn received(&self, bytes: usize) {
        let (packets, total) = self.received.get();
        self.received.set((packets + 1, total + bytes as u64));
    }

    pub(crate) fn dropped(&self) {
        self.queue_drops.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn send_failed(&self) {
        self.send_failures.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn counters(&self) -> DatagramCounters {
        DatagramCounters {
            queue_drops: self.queue_drops.load(Ordering::Relaxed),
            send_failures: self.send_failures.load(Ordering::Relaxed),
        }
    }

    /// Tells the agent.
    pub(crate) fn report(&self, component: Component, agent: &mut floe_ice::Agent) {
        let (packets, bytes) = self.reported_sent.catch_up(&self.sent);
        // A packet and its bytes are two steps for who counts them, so either may come first.
        if packets > 0 || bytes > 0 {
            let last = Time::from_nanos(self.last_sent.load(Ordering::Relaxed));
            agent.record_sent(component, packets, bytes, last);
        }
        let (packets, bytes) = self.reported_received.catch_up(&self.received);
        if packets > 0 || bytes > 0 {
            agent.record_received(component, packets, bytes);
        }
    }
}
