//! A TURN server as a node of the network.

use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, SocketAddr};

use floe_stun::Time;
use floe_turn::server::{
    Command, Config, ConfigError, Event, FromPeer, Link, Received, RelayAddress, RelayId, Server,
    SocketId as TurnSocket, Stats,
};

use crate::endpoint::{Datagram, Endpoint, Transmit};
use crate::host::Host;
use crate::id::{Handle, SocketId};
use crate::network::Network;
use crate::site::Site;
use crate::stream::StreamEvent;
use crate::topology::TopologyError;

mod streams;

/// The port of TURN over UDP (RFC 8656 §5).
const TURN_PORT: u16 = 3478;

/// A server that relays (RFC 8656) and answers Binding requests on port 3478, over UDP and connections, of every address its host has
/// when it is added: the server core of `floe-turn` on a virtual host, whose relay sockets are sockets of that host.
///
/// ```
/// use floe_netsim::{Link, Network, Site};
/// use floe_turn::server::{Config, Credentials};
///
/// let mut net = Network::new(1);
/// let mut credentials = Credentials::new("example.org")?;
/// credentials.add_user("alice", "correct horse")?;
/// let config = Config::new(net.derive_seed(), credentials);
/// let turn = net.add_turn_server("turn", &Site::public().link(Link::delay_ms(10)), config)?;
/// assert_eq!(net[turn].addresses().len(), 2, "IPv4 and IPv6");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct TurnServer {
    /// What becomes a server when the host is known.
    config: Option<Config>,
    core: Option<Server>,
    error: Option<ConfigError>,
    addresses: Vec<SocketAddr>,
    /// The relays' sockets in both directions.
    relays: BTreeMap<SocketId, RelayId>,
    sockets: BTreeMap<RelayId, SocketId>,
    relayed: VecDeque<(Transmit, Vec<u8>)>,
    streams: streams::Streams,
    events: Vec<Event>,
    silent: bool,
}

impl TurnServer {
    /// A server with this configuration. Where it names no relay address, the relays are on the first address of that
    /// family that the host has.
    #[must_use]
    pub fn new(config: Config) -> Self {
        Self {
            config: Some(config),
            core: None,
            error: None,
            addresses: Vec::new(),
            relays: BTreeMap::new(),
            sockets: BTreeMap::new(),
            relayed: VecDeque::new(),
            streams: streams::Streams::default(),
            events: Vec::new(),
            silent: false,
        }
    }

    /// The addresses it listens at.
    #[must_use]
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// The server itself, for its numbers; `None` when its configuration does not work on its host.
    #[must_use]
    pub const fn core(&self) -> Option<&Server> {
        self.core.as_ref()
    }

    /// What it has done so far.
    #[must_use]
    pub fn stats(&self) -> Option<&Stats> {
        self.core.as_ref().map(Server::stats)
    }

    /// Why there is no server.
    #[must_use]
    pub const fn error(&self) -> Option<ConfigError> {
        self.error
    }

    /// What happened, from the beginning.
    #[must_use]
    pub fn events(&self) -> &[Event] {
        &self.events
    }

    /// Makes it ignore everything, or work again.
    pub const fn set_silent(&mut self, silent: bool) {
        self.silent = silent;
    }

    /// Ends all allocations, as [`Server::close`].
    pub fn close(&mut self, now: Time) {
        if let Some(core) = &mut self.core {
            core.close(now);
        }
    }

    /// A datagram of a client, or a frame of its connection.
    fn on_frame(&mut self, link: Link, contents: &[u8], now: Time) {
        if self.silent {
            return;
        }
        let Some(core) = &mut self.core else { return };
        if let Received::ToPeer { relay, peer, payload, .. } = core.handle_datagram(link, contents, now)
            && let Some(&socket) = self.sockets.get(&relay)
        {
            let bytes = contents[payload].to_vec();
            self.relayed.push_back((Transmit::new(socket, peer, bytes.len()), bytes));
        }
    }

    fn on_peer(&mut self, relay: RelayId, datagram: Datagram<'_>, now: Time) {
        let Some(core) = &mut self.core else { return };
        let from_peer = core.handle_peer_datagram(relay, datagram.source, datagram.contents.len(), now);
        if let FromPeer::ToClient { link, frame } = from_peer {
            let bytes = [frame.prefix(), datagram.contents, frame.padding()].concat();
            let socket = SocketId(link.socket.0 as u32);
            self.relayed.push_back((Transmit::new(socket, link.client, bytes.len()), bytes));
        }
    }
}

impl Endpoint for TurnServer {
    fn handle_start(&mut self, host: &mut Host<'_>, _now: Time) {
        let addresses: Vec<_> = host.addresses().collect();
        let first = |ipv4: bool| addresses.iter().copied().find(|ip: &IpAddr| ip.is_ipv4() == ipv4);
        if let Some(mut config) = self.config.take() {
            config.relay_ipv4 = config.relay_ipv4.or_else(|| first(true).map(RelayAddress::direct));
            config.relay_ipv6 = config.relay_ipv6.or_else(|| first(false).map(RelayAddress::direct));
            match Server::new(config) {
                Ok(core) => self.core = Some(core),
                Err(error) => self.error = Some(error),
            }
        }
        let opened = addresses.iter().filter_map(|&ip| host.open(ip, TURN_PORT).ok());
        self.addresses = opened.map(|(_, local)| local).collect();
        for &address in &self.addresses {
            // The port of UDP is free, so this is, too.
            let _ = host.listen(address);
        }
        host.announce_stun_server(&self.addresses);
    }

    fn handle_datagram(&mut self, datagram: Datagram<'_>, now: Time) {
        if self.silent {
            return;
        }
        match self.relays.get(&datagram.socket) {
            Some(&relay) => self.on_peer(relay, datagram, now),
            None => {
                let link = Link::datagram(TurnSocket(datagram.socket.number().into()), datagram.source);
                self.on_frame(link, datagram.contents, now);
            }
        }
    }

    fn handle_stream(&mut self, event: StreamEvent<'_>, now: Time) {
        self.on_stream(event, now);
    }

    fn handle_timeout(&mut self, now: Time) {
        if let Some(core) = &mut self.core {
            core.handle_timeout(now);
        }
    }

    fn poll_host(&mut self, host: &mut Host<'_>, now: Time) {
        self.streams.carry_out(host);
        let Some(core) = &mut self.core else { return };
        while let Some(command) = core.poll_command() {
            match command {
                Command::OpenRelay { relay, address } => match host.open(address.ip(), address.port()) {
                    Ok((socket, _)) => {
                        self.relays.insert(socket, relay);
                        self.sockets.insert(relay, socket);
                        core.relay_opened(relay, now);
                    }
                    Err(_) => core.relay_failed(relay, now),
                },
                Command::CloseRelay { relay } => {
                    if let Some(socket) = self.sockets.remove(&relay) {
                        self.relays.remove(&socket);
                        host.close(socket);
                    }
                }
                // There are no other commands; should there be, this server does without what they ask for.
                _ => {}
            }
        }
        self.events.extend(std::iter::from_fn(|| core.poll_event()));
    }

    fn poll_transmit(&mut self, out: &mut [u8]) -> Option<Transmit> {
        if let Some((transmit, bytes)) = self.relayed.pop_front() {
            out[..bytes.len()].copy_from_slice(&bytes);
            return Some(transmit);
        }
        let transmit = self.core.as_mut()?.poll_transmit(out)?;
        let socket = SocketId(transmit.link.socket.0 as u32);
        Some(Transmit::new(socket, transmit.link.client, transmit.len))
    }

    fn poll_timeout(&self) -> Option<Time> {
        self.core.as_ref()?.poll_timeout()
    }
}

impl Network {
    /// Adds a host with a [`TurnServer`] of this configuration.
    ///
    /// # Errors
    /// As [`Network::add_peer`].
    pub fn add_turn_server(
        &mut self,
        name: &str,
        site: &Site,
        config: Config,
    ) -> Result<Handle<TurnServer>, TopologyError> {
        let peer = self.add_peer(name, site)?;
        self.add_endpoint(peer.host, TurnServer::new(config))
    }
}
