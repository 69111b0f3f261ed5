//! What the tasks of a server share: the core, its sockets, and what it said.
//!
//! Every input to the core goes through [`Front::input`], which does what it caused before it returns. Locks are short and
//! never held across an await; while the core is locked any of the others may be taken, none of them before it.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use floe_stun::{Clock, Time};
use floe_turn::Carrier;
use floe_turn::server::{Command, FromPeer, Link, MAX_TRANSMIT, Received, RelayId, Server, SocketId};
use floe_turn::{MAX_PADDING, MAX_PREFIX};
use socket2::SockRef;
use tokio::net::UdpSocket;
use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::Instant;

use super::admission::Admission;
use super::builder::{StreamLimits, unix_time};
use super::datagrams::{self, Buffers};
use super::listen::Transport;
use super::outbox::Kind;
use super::report::{Counters, Ledger, ServerEvent, TurnStats, count};
use super::streams::Connection;
use crate::engine::lock;
use crate::event::Events;

/// How often at least the system's clock is looked at, which may be set while the server runs.
const CLOCK_CHECK: Duration = Duration::from_secs(60);

/// See the module.
pub(super) struct Front {
    core: Mutex<Core>,
    clock: Clock,
    runtime: Handle,
    /// `None` when the server has stopped, so that nothing begins afterwards.
    tasks: Mutex<Option<JoinSet<()>>>,
    outlets: RwLock<HashMap<SocketId, Outlet>>,
    relays: RwLock<HashMap<RelayId, Relay>>,
    sockets_opened: AtomicU64,
    /// The core has something to do earlier than it had.
    earlier: Notify,
    pub(super) events: Events<ServerEvent>,
    /// There will be no more events.
    stopped: AtomicBool,
    pub(super) limits: StreamLimits,
    pub(super) admission: Arc<Admission>,
    pub(super) counters: Counters,
    pub(super) buffers: Buffers,
    #[cfg(feature = "tls")]
    pub(super) tls: Option<super::tls::Tls>,
}

struct Core {
    server: Server,
    ledger: Ledger,
    /// When the clock will look at it.
    alarm: Option<Time>,
}

/// How packets get to clients.
#[derive(Clone)]
pub(super) enum Outlet {
    Datagrams(Arc<UdpSocket>),
    Stream(Arc<Connection>),
}

/// A socket that peers talk to, and the task that reads it.
struct Relay {
    socket: Arc<UdpSocket>,
    reader: AbortHandle,
}

impl Front {
    pub(super) fn new(server: Server, limits: StreamLimits, runtime: Handle) -> Self {
        Self {
            core: Mutex::new(Core { server, ledger: Ledger::default(), alarm: None }),
            clock: Clock::new(Instant::now().into_std()),
            runtime,
            tasks: Mutex::new(Some(JoinSet::new())),
            outlets: RwLock::default(),
            relays: RwLock::default(),
            sockets_opened: AtomicU64::new(0),
            earlier: Notify::new(),
            events: Events::default(),
            stopped: AtomicBool::new(false),
            admission: Admission::new(limits),
            limits,
            counters: Counters::default(),
            buffers: Buffers::default(),
            #[cfg(feature = "tls")]
            tls: None,
        }
    }

    #[cfg(feature = "tls")]
    pub(super) fn with_tls(mut self, tls: Option<super::tls::Tls>) -> Self {
        self.tls = tls;
        self
    }

    // --- the core -------------------------------------------------------------------------------------------------

    /// One input to the core. What it caused is done when it returns.
    pub(super) fn input<R>(self: &Arc<Self>, input: impl FnOnce(&mut Server, Time) -> R) -> R {
        let mut core = lock(&self.core);
        let result = input(&mut core.server, self.now());
        self.carry_out(&mut core);
        let next = core.server.poll_timeout();
        if next.is_some_and(|next| core.alarm.is_none_or(|alarm| next < alarm)) {
            core.alarm = next;
            self.earlier.notify_one();
        }
        result
    }

    fn now(&self) -> Time {
        self.clock.time(Instant::now().into_std())
    }

    /// Sends, opens, closes and tells what the core wants.
    fn carry_out(self: &Arc<Self>, core: &mut MutexGuard<'_, Core>) {
        let mut packet = [0; MAX_TRANSMIT];
        loop {
            // A relay that was opened may be closed again at once, and so on.
            while let Some(command) = core.server.poll_command() {
                match command {
                    Command::OpenRelay { relay, address } => {
                        let opened = self.open_relay(relay, address);
                        let now = self.now();
                        match opened {
                            Ok(()) => core.server.relay_opened(relay, now),
                            Err(_) => core.server.relay_failed(relay, now),
                        }
                    }
                    Command::CloseRelay { relay } => self.close_relay(relay),
                    // One that this front is too old for: the core keeps the deadline.
                    _ => {}
                }
            }
            let Some(transmit) = core.server.poll_transmit(&mut packet) else { break };
            let bytes = packet.get(..transmit.len).unwrap_or_default();
            self.send_to_client(&transmit.link, Kind::Response, bytes);
        }
        while let Some(event) = core.server.poll_event() {
            let told =
                core.ledger.enter(event, |link| self.transport(link), |link, has| self.allocated(link, has));
            if let Some(told) = told {
                self.events.push(told);
            }
        }
    }

    pub(super) fn from_client(self: &Arc<Self>, link: Link, bytes: &[u8]) {
        let received = self.input(|server, now| server.handle_datagram(link, bytes, now));
        if let Received::ToPeer { relay, peer, payload, .. } = received {
            let socket = read(&self.relays).get(&relay).map(|relay| relay.socket.clone());
            if let Some(socket) = socket {
                self.send(&socket, bytes.get(payload).unwrap_or_default(), peer);
            }
        }
    }

    /// `buffer` has the payload of `len` bytes behind [`MAX_PREFIX`] bytes, and [`MAX_PADDING`] behind it.
    pub(super) fn from_peer(
        self: &Arc<Self>,
        relay: RelayId,
        source: SocketAddr,
        buffer: &mut [u8],
        len: usize,
    ) {
        let answer = self.input(|server, now| server.handle_peer_datagram(relay, source, len, now));
        let FromPeer::ToClient { link, frame } = answer else { return };
        let (start, end) = (MAX_PREFIX - frame.prefix().len(), MAX_PREFIX + len);
        debug_assert!(buffer.len() >= end + MAX_PADDING, "the buffer has room for a frame");
        if let Some(room) = buffer.get_mut(start..MAX_PREFIX) {
            room.copy_from_slice(frame.prefix());
        }
        if let Some(room) = buffer.get_mut(end..end + frame.padding().len()) {
            room.copy_from_slice(frame.padding());
        }
        let packet = buffer.get(start..end + frame.padding().len()).unwrap_or_default();
        self.send_to_client(&link, Kind::Data, packet);
    }

    // --- sending --------------------------------------------------------------------------------------------------

    fn send_to_client(&self, link: &Link, kind: Kind, packet: &[u8]) {
        match self.outlet(link.socket) {
            Some(Outlet::Datagrams(socket)) => self.send(&socket, packet, link.client),
            Some(Outlet::Stream(connection)) if !connection.outbox.push(kind, packet) => {
                count(&self.counters.slow_clients);
            }
            // It waits to be written, or its connection has just gone.
            Some(Outlet::Stream(_)) | None => {}
        }
    }

    /// What the system does not take now is lost, as it might be on the way.
    fn send(&self, socket: &UdpSocket, bytes: &[u8], to: SocketAddr) {
        if SockRef::from(socket).send_to(bytes, &to.into()).is_err() {
            count(&self.counters.not_sent);
        }
    }

    // --- sockets --------------------------------------------------------------------------------------------------

    fn outlet(&self, id: SocketId) -> Option<Outlet> {
        read(&self.outlets).get(&id).cloned()
    }

    /// Gives a socket or connection its number, under which the core knows it.
    pub(super) fn add_outlet(&self, outlet: Outlet) -> SocketId {
        let id = SocketId(self.sockets_opened.fetch_add(1, Ordering::Relaxed));
        write(&self.outlets).insert(id, outlet);
        id
    }

    pub(super) fn remove_outlet(&self, id: SocketId) {
        write(&self.outlets).remove(&id);
    }

    fn transport(&self, link: &Link) -> Transport {
        match (link.carrier, self.outlet(link.socket)) {
            (_, Some(Outlet::Stream(connection))) => connection.transport,
            // It has just gone.
            (Carrier::Stream, _) => Transport::Tcp,
            (Carrier::Datagram, _) => Transport::Udp,
        }
    }

    /// A client has an allocation, or has it no more.
    fn allocated(&self, link: &Link, has: bool) {
        if let Some(Outlet::Stream(connection)) = self.outlet(link.socket) {
            connection.set_allocated(has);
        }
    }

    fn open_relay(self: &Arc<Self>, relay: RelayId, address: SocketAddr) -> std::io::Result<()> {
        let socket = Arc::new(datagrams::open_relay(address)?);
        let reader = datagrams::read_relay(self.clone(), Arc::downgrade(&socket), relay);
        let Some(reader) = self.spawn(reader) else {
            return Err(std::io::ErrorKind::NotConnected.into());
        };
        write(&self.relays).insert(relay, Relay { socket, reader });
        Ok(())
    }

    fn close_relay(&self, relay: RelayId) {
        if let Some(relay) = write(&self.relays).remove(&relay) {
            relay.reader.abort();
        }
    }

    // --- tasks ----------------------------------------------------------------------------------------------------

    /// Starts a task, which ends with the server.
    pub(super) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) -> Option<AbortHandle> {
        let mut tasks = lock(&self.tasks);
        let tasks = tasks.as_mut()?;
        // What is over is forgotten.
        while tasks.try_join_next().is_some() {}
        Some(tasks.spawn_on(task, &self.runtime))
    }

    /// Lets time pass for the core.
    pub(super) fn start_clock(self: &Arc<Self>) {
        let front = self.clone();
        self.spawn(async move {
            loop {
                let next = front.look_at_the_clock();
                tokio::select! {
                    () = tokio::time::sleep_until(next) => {}
                    () = front.earlier.notified() => {}
                }
            }
        });
    }

    /// Does what is due, and says when to come back.
    fn look_at_the_clock(self: &Arc<Self>) -> Instant {
        self.input(|server, now| {
            server.set_unix_time(now, unix_time());
            server.handle_timeout(now);
        });
        let mut core = lock(&self.core);
        core.alarm = core.server.poll_timeout();
        let check = Instant::now() + CLOCK_CHECK;
        core.alarm.map_or(check, |alarm| Instant::from(self.clock.instant(alarm)).min(check))
    }

    /// Ends everything but the tasks, which are returned.
    pub(super) fn stop(self: &Arc<Self>) -> Option<JoinSet<()>> {
        let tasks = lock(&self.tasks).take();
        self.input(Server::close);
        write(&self.relays).clear();
        write(&self.outlets).clear();
        // Last, so that whoever waits is told of everything before it learns of the end.
        self.stopped.store(true, Ordering::SeqCst);
        self.events.wake();
        tasks
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::SeqCst)
    }

    pub(super) fn stats(&self) -> TurnStats {
        let core = lock(&self.core);
        let (allocations, turn) = (core.server.allocations(), core.server.stats().clone());
        drop(core);
        self.counters.stats(allocations, turn, self.admission.connections())
    }
}

/// As with [`lock`], nothing is left half changed by whoever panics.
fn read<T>(lock: &RwLock<T>) -> std::sync::RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(PoisonError::into_inner)
}

fn write<T>(lock: &RwLock<T>) -> std::sync::RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(PoisonError::into_inner)
}
