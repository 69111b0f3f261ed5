//! What an endpoint sees of its host: interfaces, sockets, names.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use crate::id::{EndpointId, HostId, InterfaceId, SocketId};
use crate::topology::Topology;

/// The host of an endpoint, for the time of one call.
#[derive(Debug)]
pub struct Host<'a> {
    pub(crate) topology: &'a mut Topology,
    pub(crate) host: HostId,
    pub(crate) endpoint: EndpointId,
}

/// An interface of a host that is up.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Interface<'a> {
    /// Its id.
    pub id: InterfaceId,
    /// Its name, such as `eth0`.
    pub name: &'a str,
    /// Its addresses.
    pub addresses: &'a [IpAddr],
    /// Its index, which is the scope id of link-local addresses. From 1.
    pub index: u32,
}

impl Host<'_> {
    /// The host's id.
    #[must_use]
    pub const fn id(&self) -> HostId {
        self.host
    }

    /// The host's name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.topology.host(self.host).map_or("", |host| &host.name)
    }

    /// The interfaces that are up, in the order of their creation.
    pub fn interfaces(&self) -> impl Iterator<Item = Interface<'_>> {
        self.topology.interfaces_of(self.host)
    }

    /// The addresses of all interfaces that are up.
    pub fn addresses(&self) -> impl Iterator<Item = IpAddr> {
        self.interfaces().flat_map(|interface| interface.addresses.iter().copied())
    }

    /// Opens a UDP socket on `ip`, which is an address of the host or unspecified for all of one family. Port 0 takes a
    /// free port. The socket and the address it is bound to, with the scope id if it is link-local.
    ///
    /// # Errors
    /// When the address is not the host's or the port is taken.
    pub fn open(&mut self, ip: IpAddr, port: u16) -> Result<(SocketId, SocketAddr), OpenError> {
        self.topology.open(self.endpoint, self.host, ip, port)
    }

    /// Waits for connections at an address of the host.
    ///
    /// # Errors
    /// When the address is not the host's or the port is taken.
    pub fn listen(&mut self, local: SocketAddr) -> Result<SocketId, OpenError> {
        self.topology.listen(self.endpoint, self.host, local)
    }

    /// Connects from an address of the host. The connection, and the address that it is bound to.
    /// [`Endpoint::handle_stream`](crate::Endpoint::handle_stream) tells what comes of it; where nothing leads to `remote`, nothing
    /// does.
    ///
    /// # Errors
    /// When the address is not the host's or no port is free.
    pub fn connect(&mut self, ip: IpAddr, remote: SocketAddr) -> Result<(SocketId, SocketAddr), OpenError> {
        self.topology.connect(self.endpoint, self.host, ip, remote)
    }

    /// Writes to a connection of this endpoint. False if it is none.
    pub fn write(&mut self, socket: SocketId, bytes: &[u8]) -> bool {
        let own = self.topology.streams.get(socket).is_some_and(|own| own.endpoint == self.endpoint);
        own && self.topology.streams.write(socket, bytes)
    }

    /// Closes a socket or connection of this endpoint, or ends the wait for them. False if it is none.
    pub fn close(&mut self, socket: SocketId) -> bool {
        self.topology.close(self.endpoint, self.host, socket)
    }

    /// Tells the oracle of a STUN server.
    pub(crate) fn announce_stun_server(&mut self, addresses: &[SocketAddr]) {
        for address in addresses {
            let owner = self.interfaces().find(|interface| interface.addresses.contains(&address.ip()));
            if let Some(owner) = owner.map(|owner| owner.id) {
                self.topology.stun_servers.push((owner, address.ip()));
            }
        }
    }

    /// What the network's name table says of `name`, after how long; `None` when it has no such name.
    #[must_use]
    pub fn resolve(&self, name: &str) -> Option<Resolved<'_>> {
        let entry = self.topology.names.get(name)?;
        Some(Resolved { addresses: &entry.0, delay: entry.1 })
    }
}

/// The answer of the network's name table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Resolved<'a> {
    /// The addresses; may be empty.
    pub addresses: &'a [IpAddr],
    /// How long the look-up takes. The endpoint waits for as long before it uses the answer.
    pub delay: Duration,
}

/// Why a socket could not be opened. Counterparts of the errors of a system call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum OpenError {
    /// The address is not one of the host's (EADDRNOTAVAIL).
    NoSuchAddress,
    /// The port is taken on that address, or none is free (EADDRINUSE).
    PortInUse,
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoSuchAddress => "the address is not an address of the host",
            Self::PortInUse => "the port is in use",
        })
    }
}

impl core::error::Error for OpenError {}
