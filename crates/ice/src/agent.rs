//! The public door. No rules here: what a datagram is decides `agent/route.rs`, what it means `session/`.

mod query;
mod relaying;
mod restart;
mod route;
mod signalling;

use core::net::SocketAddr;

use floe_stun::Time;

use crate::candidate::{Candidate, Credentials};
use crate::config::{Config, ConfigError};
use crate::effects::Effects;
use crate::error::{AddedCandidate, AgentError, SendError};
use crate::event::{ConnectionState, Event, GatheringState, Role};
use crate::gather::{Gatherer, InterfaceAddress};
use crate::ids::{Component, LocalId, RequestId, SocketId, StreamId};
use crate::io::{Command, Datagram, DriverError, MAX_TRANSMIT, Received, Rejection, Transmit};
use crate::keys::Keyring;
use crate::message::Outgoing;
use crate::parameters::RemoteParameters;
use crate::path::SendPath;
use crate::random::Random;
use crate::rare::Rare;
use crate::relays::Relays;
use crate::session::{Retirees, Session};

use route::Tail;
use signalling::Signalling;

#[cfg(test)]
pub(crate) mod tests;

/// An ICE agent (RFC 8445): from candidates to selected pairs, without any IO.
///
/// Inputs are the `handle_*` methods and the application's calls, all with the current time; when one returns, everything it
/// causes is decided and queued. Outputs are the `poll_*` methods: drain them in any order after each input. See the
/// [crate documentation](crate) for the loop.
///
/// Dropping an agent releases all memory; sockets belong to the driver. [`Agent::close`] additionally asks the driver
/// to close the sockets it opened for the agent.
pub struct Agent {
    /// The current session.
    session: Session,
    /// Those that restarts have replaced, as long as they are of use.
    retirees: Rare<Retirees>,
    signalling: Rare<Signalling>,
    gatherer: Gatherer,
    relays: Rare<Relays>,
    fx: Effects,
    /// The latest time at which something happened. Time never goes back inside.
    now: Time,
    /// When something is due next; [`Time::MAX`] if nothing is.
    due: Time,
    gathering_begun: bool,
    closed: bool,
}

impl Agent {
    /// An agent with fresh credentials. It does nothing until it has local candidates and knows the peer.
    ///
    /// # Errors
    /// A value of the configuration is out of range.
    ///
    /// ```
    /// use floe_ice::{Agent, Config, ConnectionState, Time};
    ///
    /// let agent = Agent::new(Config::new([7; 32]), Time::ZERO)?;
    /// assert_eq!(agent.state(), ConnectionState::New);
    /// # Ok::<(), floe_ice::ConfigError>(())
    /// ```
    pub fn new(mut config: Config, now: Time) -> Result<Self, ConfigError> {
        config.validate()?;
        let mut fx = Effects::new(Random::new(config.seed), config.limits.queued_packets);
        let gatherer = Gatherer::new(core::mem::take(&mut config.gather));
        let session = Session::new(&config, now, &mut fx);
        let (retirees, signalling, relays) = (Rare::new(), Rare::new(), Rare::new());
        let (due, gathering_begun, closed) = (Time::MAX, false, false);
        Ok(Self { session, retirees, signalling, gatherer, relays, fx, now, due, gathering_begun, closed })
    }

    // --- local candidates ---------------------------------------------------------------------------------------

    /// Begins gathering (RFC 8445 §5.1.1) on these interfaces: poll for commands and for events. With an empty list
    /// gathering completes at once, saying so in an event.
    ///
    /// After a restart it can be called again, with the interfaces of now. A socket that an address is left for stays; addresses that
    /// are new get one, and those that are gone lose theirs, as soon as no path from before the restart needs it.
    ///
    /// # Errors
    /// Gathering was begun before in this session, `end_of_local_candidates` was called, or the agent is closed.
    pub fn gather(&mut self, interfaces: &[InterfaceAddress], now: Time) -> Result<(), AgentError> {
        self.check_open()?;
        if self.gathering_begun {
            return Err(AgentError::AlreadyGathering);
        }
        if self.gatherer.state() == GatheringState::Complete {
            return Err(AgentError::AlreadyComplete);
        }
        self.gathering_begun = true;
        let now = self.tick(now);
        let components = self.session.components();
        for socket in self.gatherer.start(interfaces, &components, now, &mut self.fx) {
            self.session.withdraw(socket, now, &mut self.fx);
        }
        self.settle(now);
        Ok(())
    }

    /// Adds a host candidate for a socket of the embedder's own, in place of [`Agent::gather`] or beside it. With servers
    /// configured, they are asked about it. The candidate is announced by [`Event::LocalCandidate`] as well, unless its
    /// component has its selected pair already.
    ///
    /// `address` is what the peer can reach the socket at: not unspecified, not multicast, with a port. For a socket bound to
    /// a wildcard address add each of its addresses, and tell [`Datagram::local_ip`] with every datagram. Behind a 1:1 NAT add
    /// the address of the machine and configure an [`AddressMapping`](crate::AddressMapping); the other filters of gathering do
    /// not apply to it.
    ///
    /// # Errors
    /// The component does not exist, the address is not usable or known already, `end_of_local_candidates` was
    /// called, or the agent is closed.
    pub fn add_host(
        &mut self,
        component: Component,
        socket: SocketId,
        address: SocketAddr,
        now: Time,
    ) -> Result<LocalId, AgentError> {
        self.check_open()?;
        if self.gatherer.state() == GatheringState::Complete {
            return Err(AgentError::AlreadyComplete);
        }
        let now = self.tick(now);
        let host = self.gatherer.host_candidate(address, false);
        let id = self.session.add_host(component, socket, (address, host), &mut self.fx)?;
        self.gatherer.add_base(component, socket, address, now, &mut self.fx);
        self.settle(now);
        Ok(id)
    }

    /// No further [`Agent::add_host`] will come. When the servers have answered too, gathering is complete; after
    /// [`Agent::gather`] this is said by the agent itself and not needed.
    ///
    /// # Errors
    /// The agent is closed.
    pub fn end_of_local_candidates(&mut self, now: Time) -> Result<(), AgentError> {
        self.check_open()?;
        let now = self.tick(now);
        self.gatherer.end();
        self.settle(now);
        Ok(())
    }

    /// The answer to [`Command::Resolve`]: the addresses of both families, with the port of the command.
    pub fn resolved(&mut self, request: RequestId, answer: Result<&[SocketAddr], DriverError>, now: Time) {
        if self.closed {
            return;
        }
        let now = self.tick(now);
        self.gatherer.resolved(request, answer, &mut self.fx);
        self.settle(now);
    }

    /// The answer to [`Command::OpenUdp`]: the driver's number for the socket, and the address it is bound to. When it comes
    /// after [`Agent::close`], the agent asks for the socket to be closed again.
    pub fn opened(
        &mut self,
        request: RequestId,
        answer: Result<(SocketId, SocketAddr), DriverError>,
        now: Time,
    ) {
        let now = self.tick(now);
        let relays = self.relays.if_any();
        if !relays.is_some_and(|relays| relays.opened(request, answer, now, &mut self.fx)) {
            self.gatherer.opened(request, answer, &mut self.fx);
        }
        if !self.closed {
            self.settle(now);
        }
    }

    /// A socket does not work any more: its pairs fail and nothing more is queued for it. If it was opened for the agent, the
    /// agent asks for it to be closed.
    pub fn socket_failed(&mut self, socket: SocketId, now: Time) {
        if self.closed {
            return;
        }
        let now = self.tick(now);
        if let Some(relays) = self.relays.if_any() {
            relays.socket_failed(socket, now, &mut self.fx);
        }
        self.gatherer.socket_failed(socket, &mut self.fx);
        self.session.socket_failed(socket, now, &mut self.fx);
        if let Some(retirees) = self.retirees.if_any() {
            retirees.socket_failed(socket, now, &mut self.fx);
        }
        self.settle(now);
    }

    // --- the peer -----------------------------------------------------------------------------------------------

    /// The peer's credentials and options, for every stream. Saying the same again changes nothing.
    ///
    /// Other credentials than the peer has had so far mean that the peer restarted ICE. If they are not its answer to
    /// [`Agent::restart`], the agent restarts too, as RFC 8445 §9 wants, and says so with [`Event::Restarted`]: then its new
    /// credentials have to be signalled. A restart is one of all streams.
    ///
    /// Signalling has to deliver what it carries once and in order (RFC 8838 §9), and all credentials of a side.
    ///
    /// # Errors
    /// [`AgentError::OutdatedCredentials`]: the peer had these before. [`AgentError::HalfChangedCredentials`]: it changed only its
    /// ufrag or only its pwd. Or the agent is closed.
    pub fn set_remote_parameters(
        &mut self,
        parameters: &RemoteParameters,
        now: Time,
    ) -> Result<(), AgentError> {
        self.check_open()?;
        let now = self.tick(now);
        self.take_parameters(self.session.streams_of(None)?, parameters, now)?;
        self.settle(now);
        Ok(())
    }

    /// The peer's credentials and options for one stream, where the description has them at media level (RFC 8839 §5.4). Other ones
    /// than before mean a restart, as with [`Agent::set_remote_parameters`], and one of every stream.
    ///
    /// # Errors
    /// The stream does not exist, or as for [`Agent::set_remote_parameters`].
    pub fn set_stream_remote_parameters(
        &mut self,
        stream: StreamId,
        parameters: &RemoteParameters,
        now: Time,
    ) -> Result<(), AgentError> {
        self.check_open()?;
        let now = self.tick(now);
        self.take_parameters(self.session.streams_of(Some(stream))?, parameters, now)?;
        self.settle(now);
        Ok(())
    }

    /// A candidate that the peer signalled for a stream (RFC 8838 §11), before or after its credentials. Its ufrag, where it has one
    /// ([`Candidate::ufrag`]), says which session of the peer it belongs to: those of an earlier one are ignored, those of one that
    /// is not known yet wait for its credentials. Without one it belongs to the current session.
    ///
    /// # Errors
    /// The stream does not exist or the agent is closed. What the peer did wrong is not an error but
    /// [`AddedCandidate::Ignored`].
    pub fn add_remote_candidate(
        &mut self,
        stream: StreamId,
        candidate: &Candidate,
        now: Time,
    ) -> Result<AddedCandidate, AgentError> {
        self.check_open()?;
        let now = self.tick(now);
        let added = self.take_candidate(stream, candidate)?;
        self.settle(now);
        Ok(added)
    }

    /// The peer signalled the end of its candidates for a stream (RFC 8838 §14). Later ones are ignored. After a restart this says
    /// nothing until the peer's new credentials are known, as it could be about those before: say which with
    /// [`Agent::end_of_remote_candidates_of`].
    ///
    /// # Errors
    /// The stream does not exist or the agent is closed.
    pub fn end_of_remote_candidates(&mut self, stream: StreamId, now: Time) -> Result<(), AgentError> {
        self.check_open()?;
        let now = self.tick(now);
        self.session.end_of_remote_candidates(stream)?;
        self.settle(now);
        Ok(())
    }

    /// As [`Agent::end_of_remote_candidates`], for the session in which the peer has this ufrag (RFC 8838 §13).
    ///
    /// # Errors
    /// The stream does not exist or the agent is closed.
    pub fn end_of_remote_candidates_of(
        &mut self,
        stream: StreamId,
        ufrag: &str,
        now: Time,
    ) -> Result<(), AgentError> {
        self.check_open()?;
        let now = self.tick(now);
        self.take_end(stream, ufrag)?;
        self.settle(now);
        Ok(())
    }

    // --- IO -----------------------------------------------------------------------------------------------------

    /// A datagram arrived. Application data is returned, everything else is dealt with.
    pub fn handle_datagram(&mut self, datagram: Datagram<'_>, now: Time) -> Received {
        if self.closed {
            return self.reject(Rejection::Closed);
        }
        let now = self.tick(now);
        let (received, tail) = self.route(&datagram, now);
        match received {
            Received::Ice => {}
            Received::Rejected(reason) => self.fx.counters.reject(reason),
            // Data that come through a relay keep what carries them alive.
            Received::Data { .. } => self.due = self.due.min(self.relays.next_timeout().unwrap_or(Time::MAX)),
        }
        match tail {
            Tail::Settle => self.settle(now),
            Tail::Nothing => self.catch_up(now),
        }
        received
    }

    /// Time passed: does everything that is due. Early and repeated calls do nothing.
    pub fn handle_timeout(&mut self, now: Time) {
        if now < self.now || self.closed || now < self.due {
            return;
        }
        let now = self.tick(now);
        self.settle(now);
    }

    /// The next packet to send, encoded into `out`. [`MAX_TRANSMIT`] bytes always suffice; with fewer, packets that do not
    /// fit are lost as if the network had dropped them.
    #[must_use]
    pub fn poll_transmit(&mut self, out: &mut [u8]) -> Option<Transmit> {
        debug_assert!(out.len() >= MAX_TRANSMIT, "poll_transmit needs a buffer of MAX_TRANSMIT bytes");
        // What most calls find.
        if self.fx.next_packet().is_none() && self.relays.is_empty() {
            self.forget_keys();
            return None;
        }
        self.next_transmit(out)
    }

    #[inline(never)]
    fn next_transmit(&mut self, out: &mut [u8]) -> Option<Transmit> {
        loop {
            let Some(packet) = self.fx.next_packet() else {
                return self.poll_relays(out);
            };
            let len = self.keys_of(packet).and_then(|keys| packet.encode(keys, out));
            let transmit = len.map(|len| packet.transmit(len));
            self.fx.packet_done();
            if transmit.is_some() {
                self.fx.counters.packets_sent = self.fx.counters.packets_sent.saturating_add(1);
                return transmit;
            }
        }
    }

    /// The next thing that only the driver can do.
    #[must_use]
    pub fn poll_command(&mut self) -> Option<Command> {
        self.fx.poll_command()
    }

    /// The next event.
    #[must_use]
    pub fn poll_event(&mut self) -> Option<Event> {
        self.fx.poll_event()
    }

    /// When [`Agent::handle_timeout`] has to be called, at the latest; `None` when only an input can cause anything. It is
    /// always later than the time of the latest input.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Time> {
        (self.due != Time::MAX).then_some(self.due)
    }

    // --- data ---------------------------------------------------------------------------------------------------

    /// Where data of a component goes (RFC 8445 §12.1): the selected pair, before that the best valid one once every
    /// component of the stream has one, and nowhere without consent. During a restart it is the pair from before, if that lives, until
    /// the new session has selected one (RFC 8839 §4.4.3.1.1).
    ///
    /// # Errors
    /// Why there is no path now.
    pub fn send_path(&self, component: Component) -> Result<SendPath, SendError> {
        if self.closed {
            return Err(SendError::Closed);
        }
        let carrier = self.session.carrier(component, &self.retirees);
        let path = carrier.send_path(component, self.session.epoch(component)).map_err(|error| {
            // Why there is none is the current session's to say.
            self.session.send_path(component, 0).err().unwrap_or(error)
        })?;
        self.outer_path(path)
    }

    /// Tells of data that was sent on a path: statistics, and no keepalive is needed for a while.
    pub fn record_sent(&mut self, component: Component, packets: u64, bytes: u64, now: Time) {
        let now = self.tick(now);
        self.carrier_mut(component).record_sent(component, packets, bytes, now);
        self.relay_used(component, now);
        self.catch_up(now);
    }

    /// Tells of data that was received past the agent: statistics only. An embedder may take a datagram that is not
    /// STUN and comes from the [`SendPath::destination`] of a component, on its socket, without asking the agent, and
    /// report it here, unless the path has a [relay](SendPath::relay); any other datagram has to go through [`Agent::handle_datagram`].
    pub fn record_received(&mut self, component: Component, packets: u64, bytes: u64) {
        self.carrier_mut(component).record_received(component, packets, bytes);
    }

    /// Ends everything: no packet is sent any more, queued ones included, but one for each allocation on a TURN server, to delete it;
    /// and sockets that were opened for the agent are to be closed. Poll for packets first and for the commands then. Calling it again
    /// does nothing.
    pub fn close(&mut self, now: Time) {
        if self.closed {
            return;
        }
        let now = self.tick(now);
        self.now = now;
        self.closed = true;
        self.due = Time::MAX;
        self.fx.discard_packets();
        self.retirees = Rare::new();
        if let Some(relays) = self.relays.if_any() {
            relays.close(now, &mut self.fx);
        }
        self.gatherer.close(&mut self.fx);
        self.session.close(&mut self.fx);
    }

    // --- inside -------------------------------------------------------------------------------------------------

    fn check_open(&self) -> Result<(), AgentError> {
        if self.closed { Err(AgentError::Closed) } else { Ok(()) }
    }

    fn reject(&mut self, reason: Rejection) -> Received {
        self.fx.counters.reject(reason);
        Received::Rejected(reason)
    }

    /// A clock that stands still or jumps back does no harm. What an input does not settle, because it is refused, leaves the
    /// agent as it was: at the time of the input before.
    fn tick(&self, now: Time) -> Time {
        self.now.max(now)
    }

    /// An input that by itself causes nothing may still be the first one after something was due.
    fn catch_up(&mut self, now: Time) {
        if !self.closed && self.due <= now {
            self.settle(now);
        }
    }

    /// The tail of every input: gathering's and the sessions' share, what follows for the whole, and when to wake up next.
    fn settle(&mut self, now: Time) {
        self.now = now;
        if self.is_preparing() {
            self.session.take_found(&mut self.gatherer, &mut self.fx);
            self.due = Time::MAX;
            return;
        }
        if !self.relays.is_idle() {
            self.settle_relays(now);
        }
        self.settle_sessions(now);
        // Few agents have relays, and those that have none do not pay for them.
        if !self.relays.is_idle() || self.gatherer.is_working() {
            self.use_relays(now);
            // Some things a relay tells at once: that an allocation from before a restart is still there.
            while self.take_news(now) {
                self.settle_sessions(now);
                self.use_relays(now);
            }
        }
        let due = self.session.next_timeout(&self.gatherer, now);
        let relays = self.relays.next_timeout();
        let all = due.into_iter().chain(self.retirees.next_timeout(now)).chain(relays);
        self.due = all.min().unwrap_or(Time::MAX);
    }

    /// Candidates are collected and the peer is not known: there is nothing to do but to announce them, and nothing will be due. Half
    /// of the inputs of connecting come while it is so.
    fn is_preparing(&self) -> bool {
        self.session.is_preparing()
            && self.relays.is_idle()
            && self.retirees.is_empty()
            && self.gatherer.is_at_rest()
    }

    fn settle_sessions(&mut self, now: Time) {
        self.gatherer.handle_timeout(now, &mut self.fx);
        self.session.take_found(&mut self.gatherer, &mut self.fx);
        if let Some(retirees) = self.retirees.if_any() {
            retirees.settle(now, &mut self.fx);
        }
        self.session.settle(&mut self.gatherer, now, &mut self.fx);
        self.announce_paths();
        if let Some(retirees) = self.retirees.if_any() {
            retirees.hand_over(&mut self.session, now, &mut self.fx);
        }
        self.release_sockets(now);
        self.session.announce(&mut self.gatherer, &self.retirees, now, &mut self.fx);
    }

    /// Sockets of addresses that are gone are closed, as soon as no path from before a restart needs them, itself or through a relay.
    fn release_sockets(&mut self, now: Time) {
        loop {
            let (relays, retirees) = (&self.relays, &self.retirees);
            let needs = |id| retirees.needs(id) || relays.need(id, |relay| retirees.needs(relay));
            let Some(gone) = self.gatherer.release_leaving(needs, &mut self.fx) else { return };
            if let Some(relays) = self.relays.if_any() {
                relays.base_gone(gone, now, &mut self.fx);
            }
        }
    }

    /// Data of a component goes on in the session that carries it now.
    fn announce_paths(&mut self) {
        let retirees = &self.retirees;
        let of_retired = |pair| retirees.owner(pair).and_then(|session| session.way_of(pair));
        for stream in 0..self.session.stream_count() {
            for component in self.session.components_of(stream) {
                let path = self.session.carrier(component, retirees).path_of(component);
                self.session.announce_path(component, path, of_retired, &mut self.fx);
            }
        }
    }

    fn carrier_mut(&mut self, component: Component) -> &mut Session {
        if self.session.is_concluded(component) {
            return &mut self.session;
        }
        let retired = self.retirees.if_any().and_then(|retirees| retirees.carrier_mut(component));
        retired.unwrap_or(&mut self.session)
    }

    /// What a packet is signed with; any keys do for one that is not signed.
    fn keys_of(&self, packet: &Outgoing) -> Option<&Keyring> {
        keys_of(&self.session, &self.retirees, packet)
    }

    /// A packet that leaves through a relay, or that is for its server.
    fn poll_relays(&mut self, out: &mut [u8]) -> Option<Transmit> {
        let keys = |packet: &Outgoing| keys_of(&self.session, &self.retirees, packet);
        let transmit = self.relays.if_any().and_then(|relays| relays.poll_transmit(keys, out));
        match transmit {
            Some(_) => self.fx.counters.packets_sent = self.fx.counters.packets_sent.saturating_add(1),
            None => self.forget_keys(),
        }
        transmit
    }

    /// No packet is queued any more.
    fn forget_keys(&mut self) {
        if let Some(retirees) = self.retirees.if_any() {
            retirees.forget_keys();
        }
    }

    /// The connection as a whole.
    #[must_use]
    pub fn state(&self) -> ConnectionState {
        self.session.state()
    }

    /// How far gathering is.
    #[must_use]
    pub fn gathering_state(&self) -> GatheringState {
        self.gatherer.state()
    }

    /// Our role now.
    #[must_use]
    pub fn role(&self) -> Role {
        self.session.role()
    }

    /// The credentials to signal to the peer, for all streams. A restart changes them.
    #[must_use]
    pub fn local_credentials(&self) -> &Credentials {
        self.session.local_credentials()
    }
}

fn keys_of<'a>(session: &'a Session, retirees: &'a Retirees, packet: &Outgoing) -> Option<&'a Keyring> {
    let current = session.keys();
    match packet.keys() {
        Some(generation) if generation != current.generation() => retirees.keys(generation),
        _ => Some(current),
    }
}
