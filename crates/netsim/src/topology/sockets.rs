//! The sockets of hosts.

use std::net::{IpAddr, SocketAddr, SocketAddrV6};

use super::{Socket, Topology, is_link_local};
use crate::endpoint::{SendError, Transmit};
use crate::host::OpenError;
use crate::id::{EndpointId, HostId, InterfaceId, SocketId};

/// The first port that hosts give out by themselves (RFC 6335 §6).
const FIRST_DYNAMIC: u16 = 49152;

impl Topology {
    pub(crate) fn open(
        &mut self,
        endpoint: EndpointId,
        host: HostId,
        ip: IpAddr,
        port: u16,
    ) -> Result<(SocketId, SocketAddr), OpenError> {
        let ip = ip.to_canonical();
        let scope = match self.interface_with(host, ip) {
            Some((_, index)) => index,
            None if ip.is_unspecified() => 0,
            None => return Err(OpenError::NoSuchAddress),
        };
        let id = SocketId(self.next_socket);
        let state = self.hosts.get_mut(host.index()).ok_or(OpenError::NoSuchAddress)?;
        let taken = |port: u16| {
            let clash = |other: IpAddr| {
                other == ip
                    || other.is_ipv4() == ip.is_ipv4() && (other.is_unspecified() || ip.is_unspecified())
            };
            state.sockets.iter().any(|socket| socket.local.port() == port && clash(socket.local.ip()))
        };
        let port = match port {
            0 => {
                let span = u16::MAX - FIRST_DYNAMIC + 1;
                let start = state.next_port.max(FIRST_DYNAMIC) - FIRST_DYNAMIC;
                let port = (0..span)
                    .map(|i| FIRST_DYNAMIC + (start + i) % span)
                    .find(|&port| !taken(port))
                    .ok_or(OpenError::PortInUse)?;
                state.next_port = port.checked_add(1).unwrap_or(FIRST_DYNAMIC);
                port
            }
            port if taken(port) => return Err(OpenError::PortInUse),
            port => port,
        };
        let local = scoped(SocketAddr::new(ip, port), scope);
        state.sockets.push(Socket { id, endpoint, local });
        self.next_socket += 1;
        Ok((id, local))
    }

    pub(crate) fn close(&mut self, endpoint: EndpointId, host: HostId, socket: SocketId) -> bool {
        if self.streams.get(socket).is_some_and(|own| own.endpoint == endpoint) {
            return self.streams.close(socket, false);
        }
        let Some(state) = self.hosts.get_mut(host.index()) else { return false };
        let before = state.sockets.len();
        state.sockets.retain(|open| open.id != socket || open.endpoint != endpoint);
        state.sockets.len() < before
    }

    pub(crate) fn close_all(&mut self, host: HostId, endpoint: EndpointId) {
        if let Some(state) = self.hosts.get_mut(host.index()) {
            state.sockets.retain(|open| open.endpoint != endpoint);
        }
        self.streams.close_all(endpoint);
    }

    /// The socket that receives what arrives for `destination`: one bound to the address before one bound to all.
    pub(crate) fn socket_for(&self, host: HostId, destination: SocketAddr) -> Option<&Socket> {
        let on_port = |socket: &&Socket| socket.local.port() == destination.port();
        let sockets = || self.hosts[host.index()].sockets.iter().filter(on_port);
        let wildcard = |socket: &&Socket| {
            let ip = socket.local.ip();
            ip.is_unspecified() && ip.is_ipv4() == destination.is_ipv4()
        };
        sockets().find(|socket| socket.local.ip() == destination.ip()).or_else(|| sockets().find(wildcard))
    }

    /// The interface a packet leaves from and its source and destination on the wire, without scope ids.
    pub(crate) fn outgoing(
        &self,
        endpoint: EndpointId,
        host: HostId,
        transmit: &Transmit,
    ) -> Result<(InterfaceId, SocketAddr, SocketAddr), SendError> {
        let sockets = &self.host(host).ok_or(SendError::NoSocket)?.sockets;
        let own = |socket: &&Socket| socket.id == transmit.socket && socket.endpoint == endpoint;
        let local = sockets.iter().find(own).ok_or(SendError::NoSocket)?.local;
        let to = transmit.destination;
        let destination = SocketAddr::new(to.ip().to_canonical(), to.port());
        if local.is_ipv4() != destination.is_ipv4() {
            return Err(SendError::NoRoute);
        }
        let wanted = if local.ip().is_unspecified() {
            transmit.source_ip.map(|ip| ip.to_canonical())
        } else {
            Some(local.ip())
        };
        let (interface, ip) = match wanted.filter(|ip| !ip.is_unspecified()) {
            Some(ip) => (self.interface_with(host, ip).ok_or(SendError::NoSourceAddress)?.0, ip),
            None => self.source_for(host, to).ok_or(SendError::NoRoute)?,
        };
        if ip.is_ipv4() != destination.is_ipv4() {
            return Err(SendError::NoRoute);
        }
        Ok((interface, SocketAddr::new(ip, local.port()), destination))
    }

    /// The interface of a host that has an address, and its index.
    pub(super) fn interface_with(&self, host: HostId, ip: IpAddr) -> Option<(InterfaceId, u32)> {
        self.interfaces_of(host)
            .find(|interface| interface.addresses.contains(&ip))
            .map(|interface| (interface.id, interface.index))
    }

    /// The source for a packet from a wildcard socket: an address on the destination's link if there is one, else the first
    /// interface that leads beyond its own.
    fn source_for(&self, host: HostId, to: SocketAddr) -> Option<(InterfaceId, IpAddr)> {
        let destination = to.ip().to_canonical();
        let scope = match to {
            SocketAddr::V6(v6) => v6.scope_id(),
            SocketAddr::V4(_) => 0,
        };
        let local = is_link_local(destination);
        let on_link = |id: InterfaceId| {
            let segment = self.interface(id)?.segment.and_then(|id| self.segment(id))?;
            let blocks = [segment.v4, segment.v6];
            Some(blocks.iter().flatten().any(|block| block.contains(destination)))
        };
        let mut candidates = self.interfaces_of(host).filter_map(|interface| {
            if local && scope != 0 && interface.index != scope {
                return None;
            }
            let fits = |ip: &&IpAddr| ip.is_ipv4() == destination.is_ipv4() && is_link_local(**ip) == local;
            let ip = *interface.addresses.iter().find(fits)?;
            Some((interface.id, ip))
        });
        let first = candidates.next()?;
        if on_link(first.0) == Some(true) {
            return Some(first);
        }
        Some(candidates.find(|&(id, _)| on_link(id) == Some(true)).unwrap_or(first))
    }

    /// How a host sees an address: with its interface's index as the scope id if it is link-local.
    pub(crate) fn seen_by(&self, id: InterfaceId, address: SocketAddr) -> SocketAddr {
        if !is_link_local(address.ip()) {
            return address;
        }
        let Some(interface) = self.interface(id) else { return address };
        let siblings = &self.hosts[interface.host.index()].interfaces;
        let index = siblings.iter().zip(1..).find(|(other, _)| **other == id).map_or(0, |(_, index)| index);
        scoped(address, index)
    }
}

/// The address with a scope id, if it is of a kind that has one.
fn scoped(address: SocketAddr, scope: u32) -> SocketAddr {
    match address {
        SocketAddr::V6(v6) if v6.ip().is_unicast_link_local() => {
            SocketAddrV6::new(*v6.ip(), v6.port(), 0, scope).into()
        }
        _ => address,
    }
}
