//! An endpoint that does what a test tells it and remembers what it got.

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};

use floe_stun::Time;

use crate::endpoint::{Datagram, Endpoint, SendError, Transmit};
use crate::host::{Host, OpenError};
use crate::id::{EndpointId, SocketId};

/// An endpoint without a will of its own: it sends what it is told and remembers what it got. It opens one socket on
/// each address that its host has when it is added; the ports are the host's choice unless [`Probe::on_port`] says one.
///
/// ```
/// use std::time::Duration;
/// use floe_netsim::{Attach, Link, Network, Probe};
///
/// let mut net = Network::new(1);
/// net.set_segment_link(net.internet(), Link::delay_ms(50))?;
/// let [a, b] = ["a", "b"].map(|name| net.add_host(name));
/// for host in [a, b] {
///     net.attach(host, net.internet(), Attach::default())?;
/// }
/// let (a, b) = (net.add_endpoint(a, Probe::default())?, net.add_endpoint(b, Probe::on_port(7))?);
///
/// let to = net[b].local(0).expect("b has an address");
/// net.with(a, |probe, _| probe.send(to, b"hello"));
/// net.run_for(Duration::from_millis(50));
/// assert_eq!(net[b].received()[0].bytes, b"hello");
/// # Ok::<(), floe_netsim::TopologyError>(())
/// ```
#[derive(Debug, Default)]
pub struct Probe {
    port: u16,
    sockets: Vec<(SocketId, SocketAddr)>,
    outgoing: VecDeque<(Transmit, Vec<u8>)>,
    signals: VecDeque<(EndpointId, Vec<u8>)>,
    opening: Vec<(IpAddr, u16)>,
    closing: Vec<SocketId>,
    received: Vec<Received>,
    signalled: Vec<(EndpointId, Vec<u8>, Time)>,
    open_errors: Vec<OpenError>,
    send_errors: Vec<SendError>,
    network_changes: usize,
}

/// A datagram that a [`Probe`] got.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Received {
    /// When.
    pub time: Time,
    /// At which socket.
    pub socket: SocketId,
    /// The address it was sent to.
    pub local: SocketAddr,
    /// The address it came from.
    pub source: SocketAddr,
    /// The payload.
    pub bytes: Vec<u8>,
}

impl Probe {
    /// A probe whose first sockets have this port.
    #[must_use]
    pub fn on_port(port: u16) -> Self {
        Self { port, ..Self::default() }
    }

    /// The address that socket number `index` is bound to; sockets are numbered in the order they were opened.
    #[must_use]
    pub fn local(&self, index: usize) -> Option<SocketAddr> {
        self.sockets.get(index).map(|&(_, local)| local)
    }

    /// Socket number `index`.
    #[must_use]
    pub fn socket(&self, index: usize) -> Option<SocketId> {
        self.sockets.get(index).map(|&(id, _)| id)
    }

    /// What it got, oldest first.
    #[must_use]
    pub fn received(&self) -> &[Received] {
        &self.received
    }

    /// The messages it got over the signalling path: from whom, what, when.
    #[must_use]
    pub fn signalled(&self) -> &[(EndpointId, Vec<u8>, Time)] {
        &self.signalled
    }

    /// Why sockets could not be opened.
    #[must_use]
    pub fn open_errors(&self) -> &[OpenError] {
        &self.open_errors
    }

    /// Why packets could not be sent.
    #[must_use]
    pub fn send_errors(&self) -> &[SendError] {
        &self.send_errors
    }

    /// How often the host's interfaces changed.
    #[must_use]
    pub fn network_changes(&self) -> usize {
        self.network_changes
    }

    /// Sends from the first socket of the destination's family; without one the packet is refused.
    pub fn send(&mut self, destination: SocketAddr, bytes: &[u8]) {
        let family = |socket: &&(SocketId, SocketAddr)| socket.1.is_ipv4() == destination.is_ipv4();
        let socket = self.sockets.iter().find(family).map_or(SocketId(u32::MAX), |&(id, _)| id);
        self.transmit(Transmit::new(socket, destination, bytes.len()), bytes);
    }

    /// Sends from socket number `index`; without one the packet is refused.
    pub fn send_from(&mut self, index: usize, destination: SocketAddr, bytes: &[u8]) {
        let socket = self.socket(index).unwrap_or(SocketId(u32::MAX));
        self.transmit(Transmit::new(socket, destination, bytes.len()), bytes);
    }

    /// Sends exactly this.
    pub fn transmit(&mut self, transmit: Transmit, bytes: &[u8]) {
        self.outgoing.push_back((transmit, bytes.to_vec()));
    }

    /// Sends a message over the signalling path.
    pub fn signal(&mut self, to: impl Into<EndpointId>, message: &[u8]) {
        self.signals.push_back((to.into(), message.to_vec()));
    }

    /// Opens a socket; it gets the next number.
    pub fn open(&mut self, ip: IpAddr, port: u16) {
        self.opening.push((ip, port));
    }

    /// Closes socket number `index`. The others keep their numbers.
    pub fn close(&mut self, index: usize) {
        self.closing.extend(self.socket(index));
    }

    fn open_now(&mut self, host: &mut Host<'_>, ip: IpAddr, port: u16) {
        match host.open(ip, port) {
            Ok(socket) => self.sockets.push(socket),
            Err(error) => self.open_errors.push(error),
        }
    }
}

impl Endpoint for Probe {
    fn handle_start(&mut self, host: &mut Host<'_>, _now: Time) {
        let addresses: Vec<_> = host.addresses().collect();
        for ip in addresses {
            self.open_now(host, ip, self.port);
        }
    }

    fn handle_datagram(&mut self, datagram: Datagram<'_>, now: Time) {
        let Datagram { socket, local, source, contents } = datagram;
        self.received.push(Received { time: now, socket, local, source, bytes: contents.to_vec() });
    }

    fn handle_signal(&mut self, from: EndpointId, message: &[u8], now: Time) {
        self.signalled.push((from, message.to_vec(), now));
    }

    fn handle_send_error(&mut self, _failed: Transmit, error: SendError, _now: Time) {
        self.send_errors.push(error);
    }

    fn handle_network_change(&mut self, _host: &mut Host<'_>, _now: Time) {
        self.network_changes += 1;
    }

    fn poll_host(&mut self, host: &mut Host<'_>, _now: Time) {
        for socket in std::mem::take(&mut self.closing) {
            host.close(socket);
        }
        for (ip, port) in std::mem::take(&mut self.opening) {
            self.open_now(host, ip, port);
        }
    }

    fn poll_transmit(&mut self, out: &mut [u8]) -> Option<Transmit> {
        let (transmit, bytes) = self.outgoing.pop_front()?;
        // What does not fit the buffer keeps its length, and is refused for it.
        if let Some(start) = out.get_mut(..bytes.len()) {
            start.copy_from_slice(&bytes);
        }
        Some(transmit)
    }

    fn poll_signal(&mut self, out: &mut Vec<u8>) -> Option<EndpointId> {
        let (to, message) = self.signals.pop_front()?;
        out.extend_from_slice(&message);
        Some(to)
    }
}
