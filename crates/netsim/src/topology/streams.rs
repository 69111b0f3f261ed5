//! The connections of hosts.

use std::net::{IpAddr, SocketAddr};

use super::Topology;
use crate::host::OpenError;
use crate::id::{EndpointId, HostId, SocketId};
use crate::stream::{Connection, Listener};

impl Topology {
    pub(crate) fn next_socket(&mut self) -> SocketId {
        self.next_socket += 1;
        SocketId(self.next_socket - 1)
    }

    pub(crate) fn listen(
        &mut self,
        endpoint: EndpointId,
        host: HostId,
        local: SocketAddr,
    ) -> Result<SocketId, OpenError> {
        self.interface_with(host, local.ip()).ok_or(OpenError::NoSuchAddress)?;
        if self.streams.is_taken(host, local) {
            return Err(OpenError::PortInUse);
        }
        let id = self.next_socket();
        self.streams.listeners.push(Listener { id, host, endpoint, local });
        Ok(id)
    }

    pub(crate) fn connect(
        &mut self,
        endpoint: EndpointId,
        host: HostId,
        ip: IpAddr,
        remote: SocketAddr,
    ) -> Result<(SocketId, SocketAddr), OpenError> {
        // A port of UDP that is free is one of TCP too: NATs do not tell them apart here.
        let (socket, local) = self.open(endpoint, host, ip, 0)?;
        self.close(endpoint, host, socket);
        let (local, remote) =
            (SocketAddr::new(ip, local.port()), SocketAddr::new(remote.ip(), remote.port()));
        self.streams.open(socket, Connection::new(host, endpoint, local, remote));
        Ok((socket, local))
    }
}
