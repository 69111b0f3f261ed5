//! NAT behaviour discovery (RFC 5780 §6): Binding at two addresses and two ports, so that a client can have an answer come
//! from another one than it asked.

use core::fmt;
use core::net::SocketAddr;

use floe_stun::attributes::{ChangeRequest, OtherAddress, ResponseOrigin};
use floe_stun::{EncodeError, Time};

use super::binding::{BindingServer, Origin, Silence};
use super::link::SocketId;

/// The four sockets of a server that takes part in NAT behaviour discovery (RFC 5780 §6).
///
/// Only CHANGE-REQUEST is served. RESPONSE-PORT, which is optional (§7.5), and PADDING, with which strangers could have
/// large answers sent to whom they like, are refused as unknown.
///
/// ```
/// use floe_turn::server::{Discovery, SocketId};
///
/// let socket = |number, address: &str| Ok::<_, std::net::AddrParseError>((SocketId(number), address.parse()?));
/// let discovery = Discovery::new([
///     [socket(1, "203.0.113.5:3478")?, socket(2, "203.0.113.5:3479")?],
///     [socket(3, "203.0.113.6:3478")?, socket(4, "203.0.113.6:3479")?],
/// ])?;
/// # let _ = discovery;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Discovery {
    /// By address, then by port.
    sockets: [[(SocketId, SocketAddr); 2]; 2],
}

impl Discovery {
    /// The sockets at two addresses and two ports, `sockets[address][port]`, with their addresses as clients see them.
    ///
    /// # Errors
    ///
    /// [`DiscoveryError`] when these are not two addresses of one family with the same two ports.
    pub fn new(sockets: [[(SocketId, SocketAddr); 2]; 2]) -> Result<Self, DiscoveryError> {
        let [[a, b], [c, d]] = sockets.map(|row| row.map(|(_, address)| address));
        let rows = a.ip() == b.ip() && c.ip() == d.ip() && a.ip() != c.ip();
        let columns = a.port() == c.port() && b.port() == d.port() && a.port() != b.port();
        let distinct =
            sockets.as_flattened().iter().enumerate().all(|(at, (socket, _))| {
                sockets.as_flattened()[..at].iter().all(|(other, _)| other != socket)
            });
        let one_family = a.is_ipv4() == c.is_ipv4();
        if rows && columns && distinct && one_family { Ok(Self { sockets }) } else { Err(DiscoveryError) }
    }

    /// The address and port that a socket has, as places in the table.
    fn place(&self, socket: SocketId) -> Option<(usize, usize)> {
        let places = [(0, 0), (0, 1), (1, 0), (1, 1)];
        places.into_iter().find(|&(address, port)| self.sockets[address][port].0 == socket)
    }

    /// Whether this is one of the four.
    pub(super) fn has(&self, socket: SocketId) -> bool {
        self.place(socket).is_some()
    }
}

/// These are not two addresses of one family with the same two ports, each on a socket of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DiscoveryError;

impl fmt::Display for DiscoveryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("discovery needs two addresses of one family, each with the same two ports")
    }
}

impl core::error::Error for DiscoveryError {}

impl BindingServer {
    /// Answers a Binding request that arrived at one of the sockets (RFC 5780 §6.1). The length of the answer, and where it
    /// leaves from.
    pub(super) fn discover(
        &mut self,
        datagram: &[u8],
        source: SocketAddr,
        (discovery, socket): (&Discovery, SocketId),
        now: Time,
        out: &mut [u8],
    ) -> Result<Result<(usize, SocketId), Silence>, EncodeError> {
        let source = SocketAddr::new(source.ip().to_canonical(), source.port());
        let request = match self.accept(datagram, source, now) {
            Ok(request) => request,
            Err(silence) => return Ok(Err(silence)),
        };
        let Some((address, port)) = discovery.place(socket) else {
            return Ok(Err(Silence::UnanswerableSource));
        };
        let change = match request.get::<ChangeRequest>() {
            Ok(change) => change.unwrap_or(ChangeRequest { change_ip: false, change_port: false }),
            Err(error) => return Ok(Err(Silence::NotStun(error))),
        };
        // Table 1: the other address, the other port, or both.
        let (row, column) = (address ^ usize::from(change.change_ip), port ^ usize::from(change.change_port));
        let (leaves, from) = discovery.sockets[row][column];
        let (_, other) = discovery.sockets[1 - address][1 - port];
        let origin = Origin { from: ResponseOrigin(from), other: OtherAddress(other) };
        let len = self.respond(&request, source, Some(origin), out)?;
        Ok(Ok((len, leaves)))
    }
}

#[cfg(test)]
mod tests;
