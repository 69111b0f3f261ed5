//! A TURN client as an endpoint, and a network with a server.

use floe_netsim::{Datagram, Endpoint, Handle, Host, Network, Site, SocketId, Time, Transmit, TurnServer};
use floe_turn::Client;
use floe_turn::client::{Config, Credentials, Event, MAX_TRANSMIT, Received};
use floe_turn::server;
use std::collections::VecDeque;
use std::net::SocketAddr;

/// A client of one server on one socket, which remembers what it got.
pub(crate) struct Tenant {
    pub(crate) client: Client,
    socket: Option<SocketId>,
    sending: VecDeque<Vec<u8>>,
    moving: bool,
    pub(crate) events: Vec<Event>,
    pub(crate) received: Vec<(SocketAddr, Vec<u8>)>,
}

impl Tenant {
    pub(crate) fn new(config: Config) -> Self {
        Self {
            client: Client::new(config).unwrap(),
            socket: None,
            sending: VecDeque::new(),
            moving: false,
            events: Vec::new(),
            received: Vec::new(),
        }
    }

    pub(crate) fn relayed(&self) -> Option<SocketAddr> {
        self.client.allocation().map(|allocation| allocation.relayed)
    }

    /// Whether there is a way to the peer; if so `payload` goes along it.
    pub(crate) fn send(&mut self, peer: SocketAddr, payload: &[u8]) -> bool {
        let Some(mut path) = self.client.relay_path(peer) else { return false };
        let frame = path.around(payload.len()).unwrap();
        self.sending.push_back([frame.prefix(), payload, frame.padding()].concat());
        true
    }

    /// Goes on from another port.
    pub(crate) fn change_port(&mut self) {
        self.moving = true;
    }
}

impl Endpoint for Tenant {
    fn handle_start(&mut self, host: &mut Host<'_>, now: Time) {
        let ip = host.addresses().find(|ip| ip.is_ipv4() == self.client.server().is_ipv4()).unwrap();
        self.socket = Some(host.open(ip, 0).unwrap().0);
        self.client.allocate(now).unwrap();
    }

    fn handle_datagram(&mut self, datagram: Datagram<'_>, now: Time) {
        let received = self.client.handle_datagram(datagram.source, datagram.contents, now);
        if let Received::Data { peer, payload } = received {
            self.received.push((peer, datagram.contents[payload].to_vec()));
        }
    }

    fn handle_timeout(&mut self, now: Time) {
        self.client.handle_timeout(now);
    }

    fn poll_host(&mut self, host: &mut Host<'_>, now: Time) {
        self.events.extend(std::iter::from_fn(|| self.client.poll_event()));
        self.client.check_invariants();
        if std::mem::take(&mut self.moving) {
            let ip = host.addresses().find(|ip| ip.is_ipv4() == self.client.server().is_ipv4()).unwrap();
            if let Some(old) = self.socket.replace(host.open(ip, 0).unwrap().0) {
                host.close(old);
            }
            self.client.moved(now);
        }
    }

    fn poll_transmit(&mut self, out: &mut [u8]) -> Option<Transmit> {
        let mut packet = [0; MAX_TRANSMIT];
        let server = self.client.server();
        let bytes = match self.client.poll_transmit(&mut packet) {
            Some(len) => packet[..len].to_vec(),
            None => self.sending.pop_front()?,
        };
        out[..bytes.len()].copy_from_slice(&bytes);
        Some(Transmit::new(self.socket?, server, bytes.len()))
    }

    fn poll_timeout(&self) -> Option<Time> {
        self.client.poll_timeout()
    }
}

/// A server for alice and bob.
pub(crate) fn server(net: &mut Network, site: &Site) -> Handle<TurnServer> {
    let mut credentials = server::Credentials::new("example.org").unwrap();
    for user in ["alice", "bob"] {
        credentials.add_user(user, &format!("{user}'s")).unwrap();
    }
    let config = server::Config::new(net.derive_seed(), credentials);
    net.add_turn_server("turn", site, config).unwrap()
}

pub(crate) fn tenant(
    net: &mut Network,
    user: &str,
    site: &Site,
    server: Handle<TurnServer>,
    change: impl FnOnce(&mut Config),
) -> Handle<Tenant> {
    let to = net[server].addresses().iter().copied().find(SocketAddr::is_ipv4).unwrap();
    let credentials = Credentials::new(user, format!("{user}'s")).unwrap();
    let mut config = Config::new(to, Some(credentials), net.derive_seed());
    change(&mut config);
    let peer = net.add_peer(user, site).unwrap();
    net.add_endpoint(peer.host, Tenant::new(config)).unwrap()
}
