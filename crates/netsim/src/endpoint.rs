//! The trait by which sans-IO state machines take part in a network.

use std::any::Any;
use std::fmt;
use std::net::{IpAddr, SocketAddr};

use floe_stun::Time;

use crate::host::Host;
use crate::id::{EndpointId, SocketId};
use crate::stream::StreamEvent;

/// A sans-IO state machine on a host of the network.
///
/// After every `handle_*` call the network calls [`Endpoint::poll_host`] once, drains [`Endpoint::poll_transmit`] and
/// [`Endpoint::poll_signal`], and asks [`Endpoint::poll_timeout`] when to come back. It calls `handle_timeout` only when
/// that time has come. All methods that an endpoint has no use for have a default that does nothing.
///
/// An endpoint that echoes datagrams:
///
/// ```
/// use floe_netsim::{Datagram, Endpoint, Host, Network, Time, Transmit};
///
/// #[derive(Default)]
/// struct Echo {
///     waiting: Vec<(Transmit, Vec<u8>)>,
/// }
///
/// impl Endpoint for Echo {
///     fn handle_start(&mut self, host: &mut Host<'_>, _now: Time) {
///         let addresses: Vec<_> = host.addresses().collect();
///         for address in addresses {
///             host.open(address, 7).expect("port 7 is free on a new host");
///         }
///     }
///
///     fn handle_datagram(&mut self, datagram: Datagram<'_>, _now: Time) {
///         let answer = Transmit::new(datagram.socket, datagram.source, datagram.contents.len());
///         self.waiting.push((answer, datagram.contents.to_vec()));
///     }
///
///     fn poll_transmit(&mut self, out: &mut [u8]) -> Option<Transmit> {
///         let (transmit, bytes) = self.waiting.pop()?;
///         out[..bytes.len()].copy_from_slice(&bytes);
///         Some(transmit)
///     }
/// }
///
/// let mut net = Network::new(1);
/// let server = net.add_host("server");
/// net.attach(server, net.internet(), Default::default())?;
/// let echo = net.add_endpoint(server, Echo::default())?;
/// assert!(net.get(echo).is_some_and(|echo| echo.waiting.is_empty()));
/// # Ok::<(), floe_netsim::TopologyError>(())
/// ```
pub trait Endpoint: Any {
    /// The endpoint has been put on a host; the moment to open its first sockets.
    fn handle_start(&mut self, host: &mut Host<'_>, now: Time) {
        let _ = (host, now);
    }

    /// A datagram arrived at one of the endpoint's sockets.
    fn handle_datagram(&mut self, datagram: Datagram<'_>, now: Time) {
        let _ = (datagram, now);
    }

    /// Something happened to a connection of the endpoint. What it writes to one goes the way of datagrams, through
    /// [`Endpoint::poll_transmit`], whose destination does not matter then.
    fn handle_stream(&mut self, event: StreamEvent<'_>, now: Time) {
        let _ = (event, now);
    }

    /// The time that [`Endpoint::poll_timeout`] named has come.
    fn handle_timeout(&mut self, now: Time) {
        let _ = now;
    }

    /// A message arrived over the signalling path.
    fn handle_signal(&mut self, from: EndpointId, message: &[u8], now: Time) {
        let _ = (from, message, now);
    }

    /// A packet could not even leave the host.
    fn handle_send_error(&mut self, failed: Transmit, error: SendError, now: Time) {
        let _ = (failed, error, now);
    }

    /// The host's interfaces or their addresses are others than before.
    fn handle_network_change(&mut self, host: &mut Host<'_>, now: Time) {
        let _ = (host, now);
    }

    /// Called after every input, before anything is sent: here the endpoint does what a driver does for a sans-IO core,
    /// such as opening and closing sockets and resolving names.
    fn poll_host(&mut self, host: &mut Host<'_>, now: Time) {
        let _ = (host, now);
    }

    /// The next packet to send, written to the start of `out`, which holds the largest UDP payload (65 507 bytes).
    fn poll_transmit(&mut self, out: &mut [u8]) -> Option<Transmit> {
        let _ = out;
        None
    }

    /// The next message for the signalling path, appended to `out`, which is empty, and the endpoint it is for.
    fn poll_signal(&mut self, out: &mut Vec<u8>) -> Option<EndpointId> {
        let _ = out;
        None
    }

    /// The next remark for the trace about what happened just now, appended to `out`, which is empty. Whether there was
    /// one. Asked for only while the trace is recorded.
    fn poll_note(&mut self, out: &mut String, now: Time) -> bool {
        let _ = (out, now);
        false
    }

    /// When `handle_timeout` has something to do. Once it has been called, the answer must lie in its future.
    fn poll_timeout(&self) -> Option<Time> {
        None
    }
}

/// A datagram as its receiver sees it.
#[derive(Clone, Copy, Debug)]
pub struct Datagram<'a> {
    /// The socket it arrived at.
    pub socket: SocketId,
    /// The address it was sent to, on this host: never a wildcard. A link-local address has its scope id.
    pub local: SocketAddr,
    /// The address it came from, as the last NAT on the way left it.
    pub source: SocketAddr,
    /// The UDP payload.
    pub contents: &'a [u8],
}

/// A datagram to send; its bytes are in the buffer that came with the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transmit {
    /// The socket to send from.
    pub socket: SocketId,
    /// The source address for a socket that is bound to a wildcard; the host chooses when it is `None`.
    pub source_ip: Option<IpAddr>,
    /// Where to.
    pub destination: SocketAddr,
    /// The length of the UDP payload in bytes.
    pub len: usize,
}

impl Transmit {
    /// A datagram whose source address the socket or the host decides.
    #[must_use]
    pub const fn new(socket: SocketId, destination: SocketAddr, len: usize) -> Self {
        Self { socket, source_ip: None, destination, len }
    }
}

/// Why a packet could not leave its host. Counterparts of the errors of a system call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SendError {
    /// The socket is not open, or not the endpoint's (EBADF).
    NoSocket,
    /// The source address is not, or no longer, one of the host's (EADDRNOTAVAIL).
    NoSourceAddress,
    /// No interface leads to an address of that family (ENETUNREACH, EAFNOSUPPORT).
    NoRoute,
    /// Larger than the interface's MTU or than the buffer (EMSGSIZE).
    TooLong,
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoSocket => "the socket is not open",
            Self::NoSourceAddress => "the source address is not an address of the host",
            Self::NoRoute => "no route to the destination",
            Self::TooLong => "longer than the interface's MTU",
        })
    }
}

impl core::error::Error for SendError {}
