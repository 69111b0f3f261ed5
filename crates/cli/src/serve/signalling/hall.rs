//! The rooms in a running server: their lock, their clock, and who waits for what.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use floe_signal::message::{Envelope, Message};
use tokio::sync::{Notify, watch};

use super::ice_servers::IceServers;
use super::origin::Origins;
use super::places::Places;
use super::rooms::{Handle, Next, RoomEvent, Rooms, TransportId};
use super::token::Tokens;
use super::visitor::Visitor;

/// What all connections share.
pub(super) struct Hall {
    state: Mutex<State>,
    /// The earliest time has changed.
    clock: Notify,
    /// Something happened.
    told: Notify,
    pub(super) ice_servers: IceServers,
    pub(super) origins: Origins,
    pub(super) tokens: Tokens,
    pub(super) places: Arc<Places>,
    /// Whether the server is being stopped. Each task that has to end before it has stopped holds a receiver.
    stopping: watch::Sender<bool>,
}

struct State {
    rooms: Rooms,
    waiting: HashMap<TransportId, Arc<Notify>>,
}

impl Hall {
    pub(super) fn new(
        rooms: Rooms,
        ice_servers: IceServers,
        origins: Origins,
        tokens: Tokens,
        places: Arc<Places>,
    ) -> Self {
        Self {
            state: Mutex::new(State { rooms, waiting: HashMap::new() }),
            clock: Notify::new(),
            told: Notify::new(),
            ice_servers,
            origins,
            tokens,
            places,
            stopping: watch::Sender::new(false),
        }
    }

    /// Does something with the rooms, and lets everybody know who has to.
    pub(super) fn with<T>(&self, act: impl FnOnce(&mut Rooms, Instant) -> T) -> T {
        let mut state = self.lock();
        let before = state.rooms.poll_timeout();
        let result = act(&mut state.rooms, Instant::now());
        while let Some(transport) = state.rooms.poll_wake() {
            if let Some(waiting) = state.waiting.get(&transport) {
                waiting.notify_one();
            }
        }
        if state.rooms.poll_timeout() != before {
            self.clock.notify_one();
        }
        if state.rooms.has_event() {
            self.told.notify_one();
        }
        result
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The participant's welcome, as JSON, with servers for this visitor.
    pub(super) fn welcome(&self, handle: Handle, visitor: &Visitor, host: &str) -> Option<String> {
        let mut welcome = self.with(|rooms, _| rooms.welcome(handle))?;
        welcome.ice_servers = self.ice_servers.hand_out(welcome.id.as_str(), host, visitor.local.ip());
        Some(Envelope::new(Message::Welcome(welcome)).to_json())
    }

    /// For a task that has to know when the server is being stopped, and to end before it has.
    pub(super) fn closing_time(&self) -> ClosingTime {
        ClosingTime(self.stopping.subscribe())
    }

    /// Asks everybody to go, and waits until they are gone.
    pub(super) async fn close(&self) {
        self.stopping.send_replace(true);
        self.stopping.closed().await;
    }

    /// Does what is due, until the task is ended.
    pub(super) async fn keep_time(&self) {
        loop {
            let due = self.lock().rooms.poll_timeout();
            tokio::select! {
                () = self.clock.notified() => {}
                () = wait_until(due) => self.with(Rooms::handle_timeout),
            }
        }
    }

    /// What happened next.
    pub(super) async fn next_event(&self) -> RoomEvent {
        loop {
            if let Some(event) = self.poll_event() {
                return event;
            }
            self.told.notified().await;
        }
    }

    /// The rest of what happened.
    pub(super) fn poll_event(&self) -> Option<RoomEvent> {
        self.lock().rooms.poll_event()
    }
}

async fn wait_until(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due.into()).await,
        None => std::future::pending().await,
    }
}

/// Knows when the server is being stopped.
pub(super) struct ClosingTime(watch::Receiver<bool>);

impl ClosingTime {
    /// Waits for it. Dropping the future loses nothing.
    pub(super) async fn come(&mut self) {
        // The sender is in the hall, which is there as long as anybody is in it.
        let _ = self.0.wait_for(|stopping| *stopping).await;
    }
}

/// The transport of a participant, for who runs it. Dropping it is losing the connection.
pub(super) struct Line {
    hall: Arc<Hall>,
    pub(super) handle: Handle,
    transport: TransportId,
    woken: Arc<Notify>,
}

impl Line {
    /// Connects a participant. `None` if it is gone.
    pub(super) fn new(hall: &Arc<Hall>, handle: Handle, visitor: &Visitor, has: Option<u64>) -> Option<Self> {
        let woken = Arc::new(Notify::new());
        let transport = hall.with(|rooms, now| rooms.connect(handle, visitor.client, has, now))?;
        hall.lock().waiting.insert(transport, woken.clone());
        // What happened in between has woken nobody.
        woken.notify_one();
        Some(Self { hall: hall.clone(), handle, transport, woken })
    }

    /// What is to be sent next, or why nothing is any more. Dropping the future loses nothing.
    pub(super) async fn next(&self) -> Next {
        loop {
            match self.hall.lock().rooms.poll_message(self.transport) {
                Next::Nothing => {}
                next => return next,
            }
            self.woken.notified().await;
        }
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.hall.lock().waiting.remove(&self.transport);
        self.hall.with(|rooms, now| rooms.disconnected(self.transport, now));
    }
}
