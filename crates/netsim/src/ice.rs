//! ICE agents of `floe-ice` on a virtual host.
//!
//! ```
//! use std::time::Duration;
//! use floe_ice::{Component, Config, Role};
//! use floe_netsim::{Link, NatType, Network, Site};
//!
//! let mut net = Network::new(42);
//! net.set_segment_link(net.internet(), Link::delay_ms(20))?;
//! let server = net.add_stun_server("stun", &Site::public())?;
//! let mut peer = |name, nat, role| {
//!     let mut config = Config::new(net.derive_seed());
//!     config.role = role;
//!     config.gather.servers = net.server_addresses(server);
//!     net.add_ice_peer(name, &Site::behind(nat), config)
//! };
//! let alice = peer("alice", NatType::PORT_RESTRICTED_CONE, Role::Controlling)?;
//! let bob = peer("bob", NatType::RESTRICTED_CONE, Role::Controlled)?;
//!
//! net.connect_ice(alice, bob);
//! assert!(net.run_until_connected(alice, bob, Duration::from_secs(10)), "{}", net.chart());
//!
//! net.with(alice, |peer, now| peer.send(Component::default(), b"hello", now));
//! net.run_for(Duration::from_millis(20));
//! assert_eq!(net[bob].received()[0].bytes, b"hello");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::collections::VecDeque;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use floe_ice::{
    Agent, AgentError, Candidate, Command, Component, ComponentId, Config, ConfigError, ConnectionState,
    Credentials, DriverError, Event, GatheringState, InterfaceAddress, PairId, Received, RemoteParameters,
    RequestId, StreamId,
};
use floe_stun::Time;

use crate::endpoint::{Datagram, Endpoint, SendError, Transmit};
use crate::host::{Host, OpenError};
use crate::id::{EndpointId, SocketId};
use crate::stream::StreamEvent;

mod network;
mod notes;
mod path;
mod streams;

pub use network::AddPeerError;

/// What an [`IcePeer`] tells its peer by itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Signalling {
    /// Credentials at once, each candidate when it is found, and the end of candidates (RFC 8838).
    #[default]
    Trickle,
    /// Everything when gathering is complete; but the credentials of a restart at once, as none may be left out.
    AtOnce,
    /// Nothing: the test does it.
    Manual,
}

/// Data that an [`IcePeer`] got.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Data {
    /// When.
    pub time: Time,
    /// On which component.
    pub component: Component,
    /// The payload.
    pub bytes: Vec<u8>,
}

/// An ICE agent with the driver that it needs on a virtual host: it opens sockets, looks names up in the network's table,
/// carries credentials and candidates over the signalling path, and keeps what the agent says.
#[derive(Debug)]
pub struct IcePeer {
    agent: AgentBox,
    components: Vec<Component>,
    signalling: Signalling,
    peer: Option<EndpointId>,
    /// Gathering is to begin with the interfaces that the host has then.
    gather: bool,
    own_sockets: bool,
    /// What it opened sockets for by itself.
    opened: Vec<(Component, IpAddr)>,
    /// The credentials of every session, the latest last.
    sessions: Vec<Credentials>,
    /// Of how many of them the peer was told.
    told: usize,
    signals: VecDeque<String>,
    outgoing: VecDeque<(Transmit, Vec<u8>)>,
    /// Sockets to be closed when what was queued before has left: an agent that closes says goodbye to its TURN servers.
    closing: Vec<SocketId>,
    streams: streams::Streams,
    /// Look-ups that are on their way: when they are answered, and with what.
    lookups: Vec<(Time, RequestId, Result<Vec<SocketAddr>, DriverError>)>,
    events: Vec<(Time, Event)>,
    noted: usize,
    received: Vec<Data>,
    bad_signals: usize,
    send_errors: usize,
}

/// The agent, which has no `Debug` of its own.
struct AgentBox(Agent);

impl fmt::Debug for AgentBox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Agent").field("state", &self.0.state()).finish_non_exhaustive()
    }
}

impl IcePeer {
    /// A peer with an agent of this configuration.
    ///
    /// # Errors
    /// A value of the configuration is out of range.
    pub fn new(config: Config, now: Time) -> Result<Self, ConfigError> {
        let streams = (0..).map(StreamId).zip(config.streams.clone());
        let components = streams
            .flat_map(|(stream, count)| {
                (1..=count).filter_map(ComponentId::new).map(move |id| Component::new(stream, id))
            })
            .collect();
        let agent = Agent::new(config, now)?;
        Ok(Self {
            sessions: vec![agent.local_credentials().clone()],
            told: 0,
            agent: AgentBox(agent),
            components,
            signalling: Signalling::default(),
            peer: None,
            gather: false,
            own_sockets: false,
            opened: Vec::new(),
            signals: VecDeque::new(),
            outgoing: VecDeque::new(),
            closing: Vec::new(),
            streams: streams::Streams::default(),
            lookups: Vec::new(),
            events: Vec::new(),
            noted: 0,
            received: Vec::new(),
            bad_signals: 0,
            send_errors: 0,
        })
    }

    /// What it tells its peer by itself; to be set before [`IcePeer::start`].
    pub const fn set_signalling(&mut self, signalling: Signalling) {
        self.signalling = signalling;
    }

    /// Makes it open sockets by itself, one on each address for each component, and hand them to the agent as host
    /// candidates, the way of embedders that own their sockets; to be set before [`IcePeer::start`].
    pub const fn set_own_sockets(&mut self, own: bool) {
        self.own_sockets = own;
    }

    /// Begins gathering, and signalling with `peer`.
    pub fn start(&mut self, peer: impl Into<EndpointId>) {
        self.peer = Some(peer.into());
        self.gather = true;
        if self.signalling == Signalling::Trickle {
            self.signal_credentials();
        }
    }

    /// Restarts ICE (RFC 8445 §9), with the addresses that the host has now. It tells its peer as at the beginning. When the peer
    /// restarts, it does the same by itself.
    pub fn restart(&mut self, now: Time) {
        // The one fault is to restart what is closed, which has no effect.
        let _ = self.agent.0.restart(now);
    }

    /// The credentials of all its sessions, oldest first: each restart begins a new one.
    #[must_use]
    pub fn sessions(&self) -> &[Credentials] {
        &self.sessions
    }

    /// The agent.
    #[must_use]
    pub const fn agent(&self) -> &Agent {
        &self.agent.0
    }

    /// The agent, for calls that this type has no method for. Within [`Network::with`](crate::Network::with) what they cause is sent.
    #[must_use]
    pub const fn agent_mut(&mut self) -> &mut Agent {
        &mut self.agent.0
    }

    /// What the agent said, and when, oldest first.
    #[must_use]
    pub fn events(&self) -> &[(Time, Event)] {
        &self.events
    }

    /// When the agent entered a state for the first time.
    #[must_use]
    pub fn entered(&self, state: ConnectionState) -> Option<Time> {
        self.events.iter().find(|(_, event)| *event == Event::StateChanged(state)).map(|&(time, _)| time)
    }

    /// Every selection of a pair for a component: when, and which.
    pub fn selections(&self, component: Component) -> impl Iterator<Item = (Time, PairId)> {
        self.events.iter().filter_map(move |&(time, event)| match event {
            Event::SelectedPairChanged { component: of, pair, .. } if of == component => Some((time, pair)),
            _ => None,
        })
    }

    /// The data it got, oldest first.
    #[must_use]
    pub fn received(&self) -> &[Data] {
        &self.received
    }

    /// The number of messages over the signalling path that it could not use.
    #[must_use]
    pub const fn bad_signals(&self) -> usize {
        self.bad_signals
    }

    /// The number of packets that could not leave the host.
    #[must_use]
    pub const fn send_errors(&self) -> usize {
        self.send_errors
    }

    /// Sends data on a component's path (RFC 8445 §12.1).
    ///
    /// # Errors
    /// What the agent says: there is no path, consent is lost, or the payload looks like STUN.
    pub fn send(
        &mut self,
        component: Component,
        payload: &[u8],
        now: Time,
    ) -> Result<(), floe_ice::SendError> {
        let path = self.agent.0.send_path(component)?;
        path.admit(payload)?;
        let Some(socket) = socket_of(path.socket) else { return Err(floe_ice::SendError::NotConnected) };
        let packet = match path.relay {
            None => payload.to_vec(),
            Some(mut relay) => {
                let frame = relay.around(payload.len()).map_err(|_| floe_ice::SendError::NotConnected)?;
                [frame.prefix(), payload, frame.padding()].concat()
            }
        };
        let transmit =
            Transmit { source_ip: path.src_ip, ..Transmit::new(socket, path.destination, packet.len()) };
        self.outgoing.push_back((transmit, packet));
        self.agent.0.record_sent(component, 1, payload.len() as u64, now);
        Ok(())
    }

    /// Tells the peer our credentials, after those of earlier sessions that it was not told: an answer names no question.
    pub fn signal_credentials(&mut self) {
        let untold = self.told.min(self.sessions.len().saturating_sub(1));
        for credentials in self.sessions.iter().skip(untold) {
            self.signals.push_back(format!("credentials {} {}", credentials.ufrag(), credentials.pwd()));
        }
        self.told = self.sessions.len();
    }

    /// Tells the peer a candidate of the current session (RFC 8838 §9).
    pub fn signal_candidate(&mut self, stream: StreamId, candidate: &Candidate) {
        let ufrag = self.agent.0.local_credentials().ufrag();
        self.signals.push_back(format!("candidate {} {candidate} ufrag {ufrag}", stream.0));
    }

    /// Tells the peer that all candidates of all streams of the current session were signalled (RFC 8838 §13).
    pub fn signal_end_of_candidates(&mut self) {
        let ufrag = self.agent.0.local_credentials().ufrag();
        for component in self.components.iter().filter(|component| component.id == ComponentId::FIRST) {
            self.signals.push_back(format!("end-of-candidates {} {ufrag}", component.stream.0));
        }
    }

    fn signal_everything(&mut self) {
        self.signal_credentials();
        let all: Vec<_> = self.agent.0.local_candidates().map(|(_, s, c)| (s, c.clone())).collect();
        for (stream, candidate) in &all {
            self.signal_candidate(*stream, candidate);
        }
        self.signal_end_of_candidates();
    }

    /// Until there are no more, or there is something to do first.
    fn take_events(&mut self, now: Time) {
        while !self.gather
            && let Some(event) = self.agent.0.poll_event()
        {
            self.events.push((now, event));
            match (event, self.signalling) {
                (Event::LocalCandidate(id), Signalling::Trickle) => {
                    let agent = &self.agent.0;
                    let (candidate, component) = (agent.local_candidate(id), agent.local_component(id));
                    if let (Some(candidate), Some(component)) = (candidate.cloned(), component) {
                        self.signal_candidate(component.stream, &candidate);
                    }
                }
                (Event::Restarted(_), signalling) => {
                    let credentials = self.agent.0.local_credentials();
                    if self.sessions.last() != Some(credentials) {
                        self.sessions.push(credentials.clone());
                    }
                    // Before candidates of addresses that are gone are signalled.
                    self.gather = true;
                    if signalling != Signalling::Manual {
                        self.signal_credentials();
                    }
                }
                (Event::GatheringStateChanged(GatheringState::Complete), Signalling::Trickle) => {
                    self.signal_end_of_candidates();
                }
                (Event::GatheringStateChanged(GatheringState::Complete), Signalling::AtOnce) => {
                    self.signal_everything();
                }
                _ => {}
            }
        }
    }

    /// A line over the signalling path; `None` if it makes no sense.
    fn understand(&mut self, line: &str, now: Time) -> Option<Result<(), AgentError>> {
        let (kind, rest) = line.split_once(' ')?;
        let agent = &mut self.agent.0;
        if kind == "credentials" {
            let (ufrag, pwd) = rest.split_once(' ')?;
            let credentials = Credentials::new(ufrag, pwd).ok()?;
            return Some(agent.set_remote_parameters(&RemoteParameters::new(credentials), now));
        }
        let (stream, rest) = rest.split_once(' ').unwrap_or((rest, ""));
        let stream = StreamId(stream.parse().ok()?);
        match kind {
            "candidate" => {
                let candidate: Candidate = rest.parse().ok()?;
                // What becomes of it is the agent's to say, in its counters.
                Some(agent.add_remote_candidate(stream, &candidate, now).map(|_| ()))
            }
            "end-of-candidates" => Some(agent.end_of_remote_candidates_of(stream, rest, now)),
            _ => None,
        }
    }

    fn add_own_sockets(&mut self, host: &mut Host<'_>, now: Time) -> Result<(), AgentError> {
        let addresses: Vec<_> = host.addresses().collect();
        for &component in &self.components {
            for &ip in &addresses {
                // Those from before a restart stay.
                if self.opened.contains(&(component, ip)) {
                    continue;
                }
                // A new port of an address that was just listed: it can be opened.
                if let Ok((socket, local)) = host.open(ip, 0) {
                    self.opened.push((component, ip));
                    self.agent.0.add_host(
                        component,
                        floe_ice::SocketId(socket.number().into()),
                        local,
                        now,
                    )?;
                }
            }
        }
        self.agent.0.end_of_local_candidates(now)
    }

    fn execute(&mut self, command: Command, host: &mut Host<'_>, now: Time) {
        match command {
            Command::OpenUdp { request, address } => {
                let answer = match host.open(address.ip(), address.port()) {
                    Ok((socket, local)) => Ok((floe_ice::SocketId(socket.number().into()), local)),
                    Err(OpenError::PortInUse) => Err(DriverError::NoPortFree),
                    Err(_) => Err(DriverError::AddressNotAvailable),
                };
                self.agent.0.opened(request, answer, now);
            }
            Command::CloseSocket { socket } => {
                self.closing.extend(socket_of(socket));
            }
            Command::Connect { request, server, local, .. } => {
                self.connect(request, (server, local), host, now);
            }
            Command::Resolve { request, host: name, port } => {
                let (answer, delay) = match host.resolve(&name) {
                    Some(entry) if entry.addresses.is_empty() => {
                        (Err(DriverError::NameNotFound), entry.delay)
                    }
                    Some(entry) => {
                        let with_port = |&ip: &IpAddr| SocketAddr::new(ip, port);
                        (Ok(entry.addresses.iter().map(with_port).collect()), entry.delay)
                    }
                    None => (Err(DriverError::NameNotFound), Duration::ZERO),
                };
                self.lookups.push((now.saturating_add(delay), request, answer));
            }
            _ => {}
        }
    }

    fn answer_lookups(&mut self, now: Time) {
        while let Some(place) = self.lookups.iter().position(|(due, ..)| *due <= now) {
            let (_, request, answer) = self.lookups.remove(place);
            let answer = answer.as_ref().map(Vec::as_slice).map_err(|error| *error);
            self.agent.0.resolved(request, answer, now);
        }
    }
}

/// The network's number of a socket that the agent got it from.
fn socket_of(socket: floe_ice::SocketId) -> Option<SocketId> {
    u32::try_from(socket.0).ok().map(SocketId)
}

/// The interfaces as an operating system would list them: the first address of each family is the default route's.
fn interface_addresses(host: &Host<'_>) -> Vec<InterfaceAddress> {
    let mut addresses: Vec<InterfaceAddress> = Vec::new();
    for interface in host.interfaces() {
        for &ip in interface.addresses {
            let first = !addresses.iter().any(|known| known.address.is_ipv4() == ip.is_ipv4());
            let mut address = InterfaceAddress::new(interface.index, ip);
            address.default_route = first;
            addresses.push(address);
        }
    }
    addresses
}

impl Endpoint for IcePeer {
    fn handle_datagram(&mut self, datagram: Datagram<'_>, now: Time) {
        let received = self.agent.0.handle_datagram(
            floe_ice::Datagram {
                socket: floe_ice::SocketId(datagram.socket.number().into()),
                local_ip: Some(datagram.local.ip()),
                source: datagram.source,
                contents: datagram.contents,
            },
            now,
        );
        if let Received::Data { component, payload } = received {
            let bytes = datagram.contents.get(payload).unwrap_or_default().to_vec();
            self.received.push(Data { time: now, component, bytes });
        }
    }

    fn handle_stream(&mut self, event: StreamEvent<'_>, now: Time) {
        self.on_stream(event, now);
    }

    fn handle_timeout(&mut self, now: Time) {
        self.answer_lookups(now);
        self.agent.0.handle_timeout(now);
    }

    fn handle_signal(&mut self, _from: EndpointId, message: &[u8], now: Time) {
        let understood = std::str::from_utf8(message).ok().and_then(|line| self.understand(line, now));
        if !matches!(understood, Some(Ok(()))) {
            self.bad_signals += 1;
        }
    }

    fn handle_send_error(&mut self, failed: Transmit, error: SendError, now: Time) {
        self.send_errors += 1;
        // Too long, or no route at the moment: the socket itself works.
        if matches!(error, SendError::NoSocket | SendError::NoSourceAddress) {
            self.agent.0.socket_failed(floe_ice::SocketId(failed.socket.number().into()), now);
        }
    }

    fn poll_host(&mut self, host: &mut Host<'_>, now: Time) {
        for socket in std::mem::take(&mut self.closing) {
            host.close(socket);
            self.forget_stream(socket);
        }
        // What the agent says may be that it wants to gather anew.
        loop {
            if std::mem::take(&mut self.gather) {
                // The only faults are to gather twice and to gather when closed; neither has any effect.
                let _ = match self.own_sockets {
                    false => self.agent.0.gather(&interface_addresses(host), now),
                    true => self.add_own_sockets(host, now),
                };
            }
            // An answer may cause the next command.
            while let Some(command) = self.agent.0.poll_command() {
                self.execute(command, host, now);
                self.answer_lookups(now);
            }
            self.take_events(now);
            if !self.gather {
                return;
            }
        }
    }

    fn poll_transmit(&mut self, out: &mut [u8]) -> Option<Transmit> {
        if let Some((transmit, bytes)) = self.outgoing.pop_front() {
            if let Some(start) = out.get_mut(..bytes.len()) {
                start.copy_from_slice(&bytes);
            }
            return Some(transmit);
        }
        let transmit = self.agent.0.poll_transmit(out)?;
        // A socket that is not of this network is refused like one that was closed.
        let socket = socket_of(transmit.socket).unwrap_or(SocketId(u32::MAX));
        Some(Transmit {
            source_ip: transmit.src_ip,
            ..Transmit::new(socket, transmit.destination, transmit.len)
        })
    }

    fn poll_signal(&mut self, out: &mut Vec<u8>) -> Option<EndpointId> {
        let peer = self.peer?;
        let line = self.signals.pop_front()?;
        out.extend_from_slice(line.as_bytes());
        Some(peer)
    }

    fn poll_note(&mut self, out: &mut String, now: Time) -> bool {
        self.next_note(out, now)
    }

    fn poll_timeout(&self) -> Option<Time> {
        let lookup = self.lookups.iter().map(|(due, ..)| *due).min();
        [self.agent.0.poll_timeout(), lookup].into_iter().flatten().min()
    }
}
