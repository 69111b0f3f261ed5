//! What the handles, the connections and the driver share: the agent, its sockets, and what it said.
//!
//! Locks are short and never held across an await. When two are needed they are taken in this order: the inbox of a
//! lane, the agent, then any other; of the others only one at a time.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use floe_ice::{Component, ConnectionState, GatheringState, MAX_TRANSMIT, SocketId};
use floe_stun::Time;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::asked_server::AskedServer;
use crate::event::{Events, translate};
use crate::interfaces::Choice;
use crate::lane::Lane;
use crate::pace::Common;
use crate::readers::Signal;
use crate::socket::{Socket, Way};
use crate::stream::Stream;

/// A lock whose holder panicked is as good as any: no critical section here leaves its data half changed.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// An agent on its sockets.
pub(crate) struct Engine {
    agent: Mutex<floe_ice::Agent>,
    common: Arc<Common>,
    /// One per component, in order.
    lanes: Vec<Lane>,
    /// `None` once closed, so that no socket comes in afterwards.
    ways: Mutex<Option<BTreeMap<SocketId, Way>>>,
    pub(crate) events: Events,
    state: watch::Sender<ConnectionState>,
    gathering: watch::Sender<GatheringState>,
    pub(crate) signal: Arc<Signal>,
    servers: Vec<AskedServer>,
    addresses: Choice,
    /// The restarts that were seen. Used under the agent's lock.
    restarts: AtomicU64,
    /// The time of the last sending matters: without consent checks, keepalives depend on it.
    keepalives: bool,
    closed: AtomicBool,
}

impl Engine {
    pub(crate) fn new(
        mut config: floe_ice::Config,
        queue_limit: usize,
        addresses: Choice,
        common: Arc<Common>,
    ) -> Result<Self, floe_ice::ConfigError> {
        let signal = Arc::new(Signal::default());
        config.pace = Some(common.pace.clone());
        let (servers, keepalives) = (servers(&config), !config.consent);
        let components = components(&config);
        let agent = floe_ice::Agent::new(config, common.clock.time(Instant::now().into_std()))?;
        Ok(Self {
            common,
            lanes: components.into_iter().map(|c| Lane::new(c, queue_limit, signal.clone())).collect(),
            ways: Mutex::new(Some(BTreeMap::new())),
            events: Events::default(),
            state: watch::Sender::new(agent.state()),
            gathering: watch::Sender::new(agent.gathering_state()),
            agent: Mutex::new(agent),
            signal,
            servers,
            addresses,
            restarts: AtomicU64::new(0),
            keepalives,
            closed: AtomicBool::new(false),
        })
    }

    // --- the agent ------------------------------------------------------------------------------------------------

    /// The agent, to look at or to poll.
    pub(crate) fn agent(&self) -> MutexGuard<'_, floe_ice::Agent> {
        lock(&self.agent)
    }

    /// Does what is due.
    pub(crate) fn agent_timeout(&self) {
        let mut agent = self.agent_with_traffic();
        let now = self.now();
        if agent.poll_timeout().is_some_and(|due| due <= now) {
            agent.handle_timeout(now);
            self.publish(&mut agent);
        }
    }

    /// The agent with its statistics up to date.
    pub(crate) fn agent_with_traffic(&self) -> MutexGuard<'_, floe_ice::Agent> {
        let mut agent = self.agent();
        for lane in &self.lanes {
            lane.traffic.report(lane.component, &mut agent);
        }
        agent
    }

    /// One input to the agent. Routes, events and states are out when it returns; packets and commands are the
    /// driver's.
    pub(crate) fn input<R>(&self, input: impl FnOnce(&mut floe_ice::Agent, Time) -> R) -> R {
        let mut agent = self.agent_with_traffic();
        let result = input(&mut agent, self.now());
        self.follow_restart(&mut agent);
        self.publish(&mut agent);
        drop(agent);
        self.signal.notify();
        result
    }

    /// ICE was restarted, by us or because the peer did: gathering begins anew, with the addresses of now, before candidates
    /// of addresses that are gone become known.
    fn follow_restart(&self, agent: &mut floe_ice::Agent) {
        let restarts = agent.counters().restarts;
        if self.restarts.swap(restarts, Ordering::Relaxed) == restarts {
            return;
        }
        self.lanes.iter().for_each(Lane::revive);
        // A session that has just begun is neither gathering nor closed, which are the only errors.
        let _ = match self.addresses.list() {
            Ok(interfaces) => agent.gather(&interfaces, self.now()),
            // The system does not tell: the sockets that there are stay.
            Err(_) => agent.end_of_local_candidates(self.now()),
        };
    }

    pub(crate) fn publish(&self, agent: &mut floe_ice::Agent) {
        for lane in &self.lanes {
            lane.follow(agent.send_path(lane.component), |id| self.way(id));
        }
        while let Some(event) = agent.poll_event() {
            if let floe_ice::Event::StreamFailed(stream) = event {
                self.lanes.iter().filter(|lane| lane.component.stream == stream).for_each(Lane::fail);
            }
            if let Some(event) = translate(agent, &self.servers, event) {
                self.events.push(event);
            }
        }
        let gathering = agent.gathering_state();
        self.gathering.send_if_modified(|known| std::mem::replace(known, gathering) != gathering);
        let state = agent.state();
        self.state.send_if_modified(|known| std::mem::replace(known, state) != state);
        for lane in &self.lanes {
            lane.conclude(is_over(state));
        }
    }

    pub(crate) fn now(&self) -> Time {
        self.common.clock.time(Instant::now().into_std())
    }

    pub(crate) fn instant(&self, time: Time) -> Instant {
        self.common.clock.instant(time).into()
    }

    /// Whether it matters when data was sent.
    pub(crate) fn has_keepalives(&self) -> bool {
        self.keepalives
    }

    /// The servers that the agent asks.
    pub(crate) fn servers(&self) -> &[AskedServer] {
        &self.servers
    }

    // --- states ---------------------------------------------------------------------------------------------------

    pub(crate) fn state(&self) -> ConnectionState {
        *self.state.borrow()
    }

    /// Waits for the end.
    pub(crate) async fn closed(&self) {
        // The sender lives as long as the engine does, so there is no error.
        let _ = self.watch_state().wait_for(|state| *state == ConnectionState::Closed).await;
    }

    pub(crate) fn watch_state(&self) -> watch::Receiver<ConnectionState> {
        self.state.subscribe()
    }

    pub(crate) fn watch_gathering(&self) -> watch::Receiver<GatheringState> {
        self.gathering.subscribe()
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::SeqCst)
    }

    // --- lanes and sockets ----------------------------------------------------------------------------------------

    pub(crate) fn lanes(&self) -> &[Lane] {
        &self.lanes
    }

    /// The place of a component among the lanes.
    pub(crate) fn find_lane(&self, component: Component) -> Option<usize> {
        self.lanes.binary_search_by_key(&component, |lane| lane.component).ok()
    }

    pub(crate) fn way(&self, id: SocketId) -> Option<Way> {
        lock(&self.ways).as_ref()?.get(&id).cloned()
    }

    pub(crate) fn add_socket(&self, lane: &Lane, socket: Socket) {
        let socket = Arc::new(socket);
        if let Some(ways) = lock(&self.ways).as_mut() {
            ways.insert(socket.id, Way::Socket(socket.clone()));
        }
        lane.add_socket(socket);
        // Closing may have emptied the lane between the two.
        if self.is_closed() {
            lane.close();
        }
    }

    pub(crate) fn add_stream(&self, stream: &Arc<Stream>) {
        if let Some(ways) = lock(&self.ways).as_mut() {
            ways.insert(stream.id, Way::Stream(stream.clone()));
        }
    }

    /// Closes a socket or a stream.
    pub(crate) fn remove(&self, id: SocketId) {
        match self.forget(id) {
            Some(Way::Socket(_)) => self.lanes.iter().for_each(|lane| lane.remove_socket(id)),
            Some(Way::Stream(stream)) => stream.end(),
            None => {}
        }
    }

    /// Takes a socket or a stream out of the table, a socket not out of its lane.
    pub(crate) fn forget(&self, id: SocketId) -> Option<Way> {
        lock(&self.ways).as_mut()?.remove(&id)
    }

    pub(crate) fn count_send_failure(&self, socket: SocketId) {
        let component = self.agent().socket_component(socket);
        if let Some(lane) = component.and_then(|c| self.find_lane(c)).and_then(|at| self.lanes.get(at)) {
            lane.traffic.send_failed();
        }
    }

    /// The last packets: allocations on TURN servers are given back (RFC 8656 §8). One for which there is no room now expires there.
    fn say_goodbye(&self) {
        let mut packet = [0; MAX_TRANSMIT];
        loop {
            let Some(transmit) = self.agent().poll_transmit(&mut packet) else { return };
            let bytes = packet.get(..transmit.len).unwrap_or_default();
            match self.way(transmit.socket) {
                Some(Way::Socket(socket)) => {
                    let _ = socket.io.try_send_to(bytes, transmit.destination);
                }
                Some(Way::Stream(stream)) => {
                    let _ = stream.send_packet(bytes);
                }
                None => {}
            }
        }
    }

    /// Ends everything: after it, no socket is open, nobody waits, and the driver is on its way out.
    pub(crate) fn close(&self) {
        if self.closed.swap(true, Ordering::SeqCst) {
            return;
        }
        self.input(floe_ice::Agent::close);
        self.say_goodbye();
        let ways = lock(&self.ways).take();
        self.lanes.iter().for_each(Lane::close);
        drop(ways);
        self.events.wake();
    }
}

/// Whether what has no path will not get one.
pub(crate) fn is_over(state: ConnectionState) -> bool {
    matches!(state, ConnectionState::Failed | ConnectionState::Closed)
}

/// The servers as the agent numbers them: first those of STUN, then those of TURN.
fn servers(config: &floe_ice::Config) -> Vec<AskedServer> {
    let stun = config.gather.servers.iter().cloned().map(AskedServer::from);
    stun.chain(config.gather.relays.iter().map(AskedServer::from)).collect()
}

/// Every component of every stream, in order.
fn components(config: &floe_ice::Config) -> Vec<Component> {
    let streams = (0..=u16::MAX).map(floe_ice::StreamId).zip(&config.streams);
    streams
        .flat_map(|(stream, &count)| {
            let ids = (1..=count).filter_map(floe_ice::ComponentId::new);
            ids.map(move |id| Component::new(stream, id))
        })
        .collect()
}

/// What keeps an agent going: when the last handle and the last connection are dropped, it closes.
pub(crate) struct Handle(pub(crate) Arc<Engine>);

impl Drop for Handle {
    fn drop(&mut self) {
        self.0.close();
    }
}
