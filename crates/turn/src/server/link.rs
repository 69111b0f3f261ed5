//! Names of things between the server and its driver.

use core::net::SocketAddr;

use super::slab::Key;
use crate::framing::Carrier;

/// A socket that clients talk to, in the driver's own numbering: a listening UDP socket, or one accepted connection. A
/// number is not used again while an allocation may know it, that is, before [`Server::disconnected`].
///
/// A UDP socket that is bound to a wildcard address needs one number for each address of the machine, since a response
/// must leave from the address its request came to.
///
/// [`Server::disconnected`]: super::Server::disconnected
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SocketId(pub u64);

/// What a client and the server talk over: the 5-tuple of RFC 8656 §2, which tells clients apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Link {
    /// The server's end, with the transport.
    pub socket: SocketId,
    /// The client's end, as the server sees it.
    pub client: SocketAddr,
    /// Whether messages come in datagrams or on a stream.
    pub carrier: Carrier,
}

impl Link {
    /// A client of a UDP socket, or of DTLS.
    #[must_use]
    pub const fn datagram(socket: SocketId, client: SocketAddr) -> Self {
        Self { socket, client, carrier: Carrier::Datagram }
    }

    /// The client of an accepted TCP or TLS connection.
    #[must_use]
    pub const fn stream(connection: SocketId, client: SocketAddr) -> Self {
        Self { socket: connection, client, carrier: Carrier::Stream }
    }

    /// The client's address for people and policies: that of an IPv4 client of an IPv6 socket is an IPv4 address.
    pub(super) fn mapped(&self) -> SocketAddr {
        SocketAddr::new(self.client.ip().to_canonical(), self.client.port())
    }
}

/// A socket that peers talk to: the relayed transport address of an allocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RelayId(pub(super) Key);

impl RelayId {
    /// The number, for the tables and logs of a driver. No two relays of one server have the same.
    #[must_use]
    pub const fn as_u64(self) -> u64 {
        self.0.as_u64()
    }
}

/// An allocation, for logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AllocationId(pub(super) Key);

impl AllocationId {
    /// The number. No two allocations of one server have the same.
    #[must_use]
    pub const fn as_u64(self) -> u64 {
        self.0.as_u64()
    }
}
