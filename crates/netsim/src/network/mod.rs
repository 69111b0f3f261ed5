//! The network: building it, running it, looking at it.

use std::any::Any;
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::ops::Index;
use std::time::Duration;

use floe_stun::Time;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use crate::endpoint::Endpoint;
use crate::flow::Flows;
use crate::hash::FastMap;
use crate::host::Interface;
use crate::id::{EndpointId, Handle, HostId, InterfaceId, PacketId, RouterId, SegmentId};
use crate::link::{Link, up_to};
use crate::nat::NatMapping;
use crate::packet::Pool;
use crate::queue::Queue;
use crate::seed::Seed;
use crate::topology::{Attach, RouterConfig, Topology, TopologyError};
use crate::trace::{Event, NO_PACKET, Record, Trace};

mod drive;
mod forward;
mod streams;

pub use drive::Halt;

/// What an address is where there is none.
pub(crate) const NOWHERE: SocketAddr = SocketAddr::new(IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED), 0);
/// The largest UDP payload, in bytes (RFC 768 over IPv4).
const MAX_PAYLOAD: usize = 65_507;

/// A virtual network with its clock.
///
/// ```
/// use std::time::Duration;
/// use floe_netsim::{Attach, DropReason, Link, NatType, Network, RouterConfig};
///
/// let mut net = Network::new(42);
/// let home = net.add_router("home", net.internet(), RouterConfig::of(NatType::PORT_RESTRICTED_CONE))?;
/// let laptop = net.add_host("laptop");
/// net.attach(laptop, net.inside(home)?, Attach::default().link(Link::delay_ms(2)))?;
///
/// // Somebody on the Internet knocks at the NAT's address.
/// net.inject(net.internet(), "192.0.2.1:1".parse()?, "203.0.113.1:5000".parse()?, b"knock knock")?;
/// net.run_for(Duration::from_secs(1));
/// assert_eq!(net.trace().drops(DropReason::NoMapping), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Network {
    seed: Seed,
    now: Time,
    topology: Topology,
    queue: Queue,
    pool: Pool,
    flows: Flows,
    trace: Trace,
    seats: Vec<drive::Seat>,
    /// Draws for links, for NATs, and for everything else: a change to one leaves the others as they were.
    link_rng: ChaCha8Rng,
    nat_rng: ChaCha8Rng,
    other_rng: ChaCha8Rng,
    signal_delay: Duration,
    signal_delays: BTreeMap<(EndpointId, EndpointId), Duration>,
    /// When the latest message from one endpoint to another arrives.
    signal_latest: FastMap<(EndpointId, EndpointId), Time>,
    scratch: Vec<u8>,
    halted: Option<Halt>,
    /// Events handled at the present instant.
    instant_events: u32,
    chart_on_panic: bool,
    /// Packets with the same bytes are a flow of their own.
    repeats_apart: bool,
}

impl Network {
    /// A network of one segment, the Internet.
    #[must_use]
    pub fn new(seed: impl Into<Seed>) -> Self {
        let seed = seed.into();
        let stream = |number| {
            let mut rng = ChaCha8Rng::from_seed(seed.0);
            rng.set_stream(number);
            rng
        };
        Self {
            seed,
            now: Time::ZERO,
            topology: Topology::new(),
            queue: Queue::default(),
            pool: Pool::default(),
            flows: Flows::default(),
            trace: Trace::new(),
            seats: Vec::new(),
            link_rng: stream(1),
            nat_rng: stream(2),
            other_rng: stream(3),
            signal_delay: Duration::ZERO,
            signal_delays: BTreeMap::new(),
            signal_latest: FastMap::default(),
            scratch: Vec::new(),
            halted: None,
            instant_events: 0,
            chart_on_panic: true,
            repeats_apart: false,
        }
    }

    /// The seed it was made with.
    #[must_use]
    pub const fn seed(&self) -> Seed {
        self.seed
    }

    /// 32 bytes that depend on the network's seed and on how often this was called: seeds for endpoints.
    pub fn derive_seed(&mut self) -> [u8; 32] {
        let mut seed = [0; 32];
        self.other_rng.fill_bytes(&mut seed);
        seed
    }

    /// The present time. A network starts at [`Time::ZERO`].
    #[must_use]
    pub const fn now(&self) -> Time {
        self.now
    }

    /// The segment that all routers lead to in the end.
    #[must_use]
    pub const fn internet(&self) -> SegmentId {
        SegmentId(0)
    }

    /// Adds a host without interfaces.
    pub fn add_host(&mut self, name: &str) -> HostId {
        // Hosts differ in the ports they give out, so that a mixed-up port shows.
        let first_port = 49_152 + up_to(&mut self.other_rng, 16_383) as u16;
        self.topology.add_host(name, first_port)
    }

    /// Adds a router with a new segment inside.
    ///
    /// # Errors
    /// When `outside` is not a segment of this network or has no addresses left.
    pub fn add_router(
        &mut self,
        name: &str,
        outside: SegmentId,
        config: RouterConfig,
    ) -> Result<RouterId, TopologyError> {
        self.topology.add_router(name, outside, config)
    }

    /// The segment inside a router.
    ///
    /// # Errors
    /// When the router is not of this network.
    pub fn inside(&self, router: RouterId) -> Result<SegmentId, TopologyError> {
        self.topology.router(router).map(|router| router.inside).ok_or(TopologyError::UnknownId)
    }

    /// Gives a host an interface in a segment.
    ///
    /// # Errors
    /// When an id is not of this network, a wanted address is taken, or the segment has none left.
    pub fn attach(
        &mut self,
        host: HostId,
        segment: SegmentId,
        attach: Attach,
    ) -> Result<InterfaceId, TopologyError> {
        let id = self.topology.attach(host, segment, attach)?;
        self.announce_change(host);
        Ok(id)
    }

    /// All hosts, in the order of their creation.
    pub fn hosts(&self) -> impl Iterator<Item = HostId> + use<> {
        (0..self.topology.hosts.len() as u32).map(HostId)
    }

    /// The interfaces of a host that are up.
    pub fn interfaces(&self, host: HostId) -> impl Iterator<Item = Interface<'_>> {
        self.topology.interfaces_of(host)
    }

    /// The host that an endpoint is on. `None` if it is not of this network.
    #[must_use]
    pub fn host_of(&self, endpoint: impl Into<EndpointId>) -> Option<HostId> {
        self.seats.get(endpoint.into().index()).map(|seat| seat.host)
    }

    /// The addresses of an interface; none while it is detached.
    #[must_use]
    pub fn addresses(&self, interface: InterfaceId) -> &[IpAddr] {
        self.topology.interface(interface).map_or(&[], |interface| &interface.addresses)
    }

    /// Takes an interface down. Its addresses are gone; sockets bound to them stay open and can send nothing.
    ///
    /// # Errors
    /// When the interface is not of this network.
    pub fn detach(&mut self, interface: InterfaceId) -> Result<(), TopologyError> {
        let host = self.topology.detach(interface)?;
        self.announce_change(host);
        Ok(())
    }

    /// Moves an interface to a segment, where it gets new addresses, or brings it up again.
    ///
    /// # Errors
    /// When an id is not of this network, or the segment has no addresses left; the interface is down then.
    pub fn reattach(&mut self, interface: InterfaceId, segment: SegmentId) -> Result<(), TopologyError> {
        let host = self.topology.reattach(interface, segment)?;
        self.announce_change(host);
        Ok(())
    }

    /// Sets what every packet through a segment goes through; for the Internet, what it costs to cross it.
    ///
    /// # Errors
    /// When the segment is not of this network.
    pub fn set_segment_link(&mut self, segment: SegmentId, link: Link) -> Result<(), TopologyError> {
        self.topology.note_link(&link);
        let place = self.topology.segments.get_mut(segment.index()).ok_or(TopologyError::UnknownId)?;
        place.core = link;
        Ok(())
    }

    /// Sets the links between an interface and its segment.
    ///
    /// # Errors
    /// When the interface is not of this network.
    pub fn set_links(&mut self, interface: InterfaceId, up: Link, down: Link) -> Result<(), TopologyError> {
        self.topology.note_link(&up);
        self.topology.note_link(&down);
        let interfaces = &mut self.topology.interfaces;
        let interface = interfaces.get_mut(interface.index()).ok_or(TopologyError::UnknownId)?;
        (interface.uplink, interface.downlink) = (up, down);
        Ok(())
    }

    /// Sets the links between a router and the segment outside.
    ///
    /// # Errors
    /// When the router is not of this network.
    pub fn set_router_links(&mut self, router: RouterId, up: Link, down: Link) -> Result<(), TopologyError> {
        self.topology.note_link(&up);
        self.topology.note_link(&down);
        let router = self.topology.routers.get_mut(router.index()).ok_or(TopologyError::UnknownId)?;
        (router.uplink, router.downlink) = (up, down);
        Ok(())
    }

    /// Makes the packets of a flow that have the same bytes a flow of their own, for those sent from now on: a request and its
    /// retransmissions, say. Then [`Link::max_loss_run`] is a promise: of one more transmission than that of the same request
    /// one comes through, whatever else is sent meanwhile. Jitter keeps the order of those packets only. Off by default.
    pub const fn set_repeats_apart(&mut self, on: bool) {
        self.repeats_apart = on;
    }

    /// Restarts a router: its mappings and sessions are forgotten.
    ///
    /// # Errors
    /// When the router is not of this network.
    pub fn reboot(&mut self, router: RouterId) -> Result<(), TopologyError> {
        self.topology.reboot(router)
    }

    /// The live mappings of a router's NAT; none if it has no NAT.
    #[must_use]
    pub fn nat_mappings(&self, router: RouterId) -> Vec<NatMapping> {
        let nat = self.topology.router(router).and_then(|router| router.nat.as_ref());
        nat.map_or_else(Vec::new, |nat| nat.live(self.now))
    }

    /// Sets what [`Host::resolve`](crate::Host::resolve) says of a name.
    pub fn set_name(&mut self, name: &str, addresses: Vec<IpAddr>, delay: Duration) {
        self.topology.names.insert(name.to_owned(), (addresses, delay));
    }

    /// Sets how long messages on the signalling path take, both ways and between all endpoints without a delay of their own.
    /// 0 by default. None is lost, and they arrive in the order they were sent.
    pub fn set_signal_delay(&mut self, delay: Duration) {
        self.signal_delay = delay;
    }

    /// Sets how long messages from one endpoint to another take on the signalling path, for those sent from now on.
    pub fn set_signal_delay_between(
        &mut self,
        from: impl Into<EndpointId>,
        to: impl Into<EndpointId>,
        delay: Duration,
    ) {
        self.signal_delays.insert((from.into(), to.into()), delay);
    }

    /// Puts an endpoint on a host and starts it.
    ///
    /// # Errors
    /// When the host is not of this network.
    pub fn add_endpoint<T: Endpoint>(
        &mut self,
        host: HostId,
        endpoint: T,
    ) -> Result<Handle<T>, TopologyError> {
        self.topology.host(host).ok_or(TopologyError::UnknownId)?;
        let id = EndpointId(self.seats.len() as u32);
        self.seats.push(drive::Seat::new(Box::new(endpoint), host));
        self.visit(id, Endpoint::handle_start);
        Ok(Handle::new(id))
    }

    /// An endpoint, to look at. `None` if the handle is of another network.
    #[must_use]
    pub fn get<T: Endpoint>(&self, handle: Handle<T>) -> Option<&T> {
        let endpoint: &dyn Any = self.seats.get(handle.id().index())?.endpoint()?;
        endpoint.downcast_ref()
    }

    /// Calls methods of an endpoint as its application would, then sends what it has to send. `None` if the handle is of
    /// another network.
    pub fn with<T: Endpoint, R>(
        &mut self,
        handle: Handle<T>,
        call: impl FnOnce(&mut T, Time) -> R,
    ) -> Option<R> {
        self.visit(handle.id(), |endpoint, _, now| {
            let endpoint: &mut dyn Any = endpoint;
            endpoint.downcast_mut().map(|endpoint| call(endpoint, now))
        })
        .flatten()
    }

    /// Takes an endpoint off its host and closes its sockets, as the end of its process would. `None` if the handle is of
    /// another network or the endpoint was removed before.
    pub fn remove<T: Endpoint>(&mut self, handle: Handle<T>) -> Option<T> {
        self.get(handle)?;
        let seat = self.seats.get_mut(handle.id().index())?;
        let (host, endpoint) = (seat.host, seat.take()?);
        self.topology.close_all(host, handle.id());
        self.send_departures();
        let endpoint: Box<dyn Any> = endpoint;
        endpoint.downcast().ok().map(|endpoint| *endpoint)
    }

    /// Puts a packet into a segment as if something attached there had sent it, with any source address: an attacker, a
    /// spoofed or a replayed packet.
    ///
    /// # Errors
    /// When the segment is not of this network.
    pub fn inject(
        &mut self,
        segment: SegmentId,
        source: SocketAddr,
        destination: SocketAddr,
        bytes: &[u8],
    ) -> Result<PacketId, TopologyError> {
        self.topology.segment(segment).ok_or(TopologyError::UnknownId)?;
        let bytes = &bytes[..bytes.len().min(MAX_PAYLOAD)];
        let flow = self.flow_of(u64::from(segment.0) | 1 << 32, source, destination, bytes);
        let slot = self.pool.insert(source, destination, flow, bytes);
        let packet = self.pool.get(slot).id;
        self.tap(slot, Event::Injected { segment });
        self.forward(slot, segment, None);
        Ok(packet)
    }

    /// What happened so far.
    #[must_use]
    pub const fn trace(&self) -> &Trace {
        &self.trace
    }

    /// Writes a remark into the trace, for the chart.
    pub fn note(&mut self, text: &str) {
        self.push_note(None, text);
    }

    fn push_note(&mut self, endpoint: Option<EndpointId>, text: &str) {
        self.trace.push(Record {
            time: self.now,
            packet: NO_PACKET,
            event: Event::Note { endpoint },
            source: NOWHERE,
            destination: NOWHERE,
            bytes: text.as_bytes(),
        });
    }

    /// Switches recording off or on again. On by default; the digest and the counters of the trace run on without it.
    pub fn set_recording(&mut self, on: bool) {
        self.trace.set_recording(on);
    }

    /// How many records the trace keeps at most, 100 000 by default. Later ones are counted and left out.
    pub fn set_trace_limit(&mut self, records: usize) {
        self.trace.set_limit(records);
    }

    /// Forgets the records so far, not the digest.
    pub fn clear_trace(&mut self) {
        self.trace.clear();
    }

    /// Whether a network that is dropped while its thread panics, as in a failing test, prints its seed and its chart to the
    /// standard error. On by default.
    pub fn set_chart_on_panic(&mut self, on: bool) {
        self.chart_on_panic = on;
    }

    /// The topology, for the oracle and the chart.
    pub(crate) const fn topology(&self) -> &Topology {
        &self.topology
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        if self.chart_on_panic && std::thread::panicking() {
            eprintln!("{}", self.chart());
        }
    }
}

impl<T: Endpoint> Index<Handle<T>> for Network {
    type Output = T;

    /// [`Network::get`] for tests. Like any index it panics if there is no such thing, which takes a handle of another
    /// network.
    fn index(&self, handle: Handle<T>) -> &T {
        match self.get(handle) {
            Some(endpoint) => endpoint,
            None => panic!("{handle:?} is not of this network or not of this type"),
        }
    }
}
