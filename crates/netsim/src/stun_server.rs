//! A STUN server as a node of the network.

use std::collections::VecDeque;
use std::net::SocketAddr;

use floe_stun::Time;
use floe_turn::{Answer, BindingConfig, BindingServer, BindingStats, MAX_RESPONSE};

use crate::endpoint::{Datagram, Endpoint, Transmit};
use crate::host::Host;
use crate::id::Handle;
use crate::network::Network;
use crate::site::Site;
use crate::topology::TopologyError;

/// The port of STUN over UDP (RFC 8489 §18.6).
const STUN_PORT: u16 = 3478;

/// A server that answers STUN Binding requests on port 3478 of every address its host has when it is added: the server
/// core of `floe-turn` on a virtual host.
///
/// ```
/// use floe_netsim::{Link, Network, Site, StunServer};
///
/// let mut net = Network::new(1);
/// let server = net.add_stun_server("stun", &Site::public().link(Link::delay_ms(10)))?;
/// assert_eq!(net[server].addresses().len(), 2, "IPv4 and IPv6");
/// // A server that is down is met with silence.
/// net.with(server, |server, _| server.set_silent(true));
/// # Ok::<(), floe_netsim::TopologyError>(())
/// ```
#[derive(Debug)]
pub struct StunServer {
    core: BindingServer,
    addresses: Vec<SocketAddr>,
    answers: VecDeque<(Transmit, [u8; MAX_RESPONSE])>,
    silent: bool,
}

impl StunServer {
    /// A server with this configuration.
    #[must_use]
    pub fn new(config: BindingConfig) -> Self {
        Self {
            core: BindingServer::new(config),
            addresses: Vec::new(),
            answers: VecDeque::new(),
            silent: false,
        }
    }

    /// The addresses it answers at.
    #[must_use]
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// What it has done so far.
    #[must_use]
    pub const fn stats(&self) -> &BindingStats {
        self.core.stats()
    }

    /// Makes it ignore all requests, or answer again.
    pub const fn set_silent(&mut self, silent: bool) {
        self.silent = silent;
    }
}

impl Endpoint for StunServer {
    fn handle_start(&mut self, host: &mut Host<'_>, _now: Time) {
        let addresses: Vec<_> = host.addresses().collect();
        let opened = addresses.into_iter().filter_map(|ip| host.open(ip, STUN_PORT).ok());
        self.addresses = opened.map(|(_, local)| local).collect();
        host.announce_stun_server(&self.addresses);
    }

    fn handle_datagram(&mut self, datagram: Datagram<'_>, now: Time) {
        if self.silent {
            return;
        }
        let mut out = [0; MAX_RESPONSE];
        let answer = self.core.handle(datagram.contents, datagram.source, now, &mut out);
        // `out` has room for every response.
        if let Ok(Answer::Respond(len)) = answer {
            self.answers.push_back((Transmit::new(datagram.socket, datagram.source, len), out));
        }
    }

    fn poll_transmit(&mut self, out: &mut [u8]) -> Option<Transmit> {
        let (transmit, bytes) = self.answers.pop_front()?;
        out[..transmit.len].copy_from_slice(&bytes[..transmit.len]);
        Some(transmit)
    }
}

impl Network {
    /// Adds a host with a [`StunServer`] of the default configuration.
    ///
    /// # Errors
    /// As [`Network::add_peer`].
    pub fn add_stun_server(&mut self, name: &str, site: &Site) -> Result<Handle<StunServer>, TopologyError> {
        let peer = self.add_peer(name, site)?;
        self.add_endpoint(peer.host, StunServer::new(BindingConfig::default()))
    }
}
