//! The sockets that clients come to.

use std::io;
use std::net::{IpAddr, SocketAddr, SocketAddrV6};

use socket2::{Domain, Protocol, Socket, Type};

use crate::interfaces::Interface;

/// The buffer of a socket that all clients share, in both directions; the system may cut it.
const BUFFER: usize = 1024 * 1024;

/// Connections that wait to be accepted.
const BACKLOG: i32 = 1024;

/// What clients and server talk over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Transport {
    /// Datagrams.
    Udp,
    /// Connections.
    Tcp,
    /// TLS on connections.
    #[cfg(feature = "tls")]
    Tls,
}

impl std::fmt::Display for Transport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Udp => "udp",
            Self::Tcp => "tcp",
            #[cfg(feature = "tls")]
            Self::Tls => "tls",
        })
    }
}

/// Where a server listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Listener {
    /// Over what.
    pub transport: Transport,
    /// At which address.
    pub address: SocketAddr,
}

/// A UDP socket for clients, or for the peers of one relay.
pub(super) fn udp(address: SocketAddr) -> io::Result<std::net::UdpSocket> {
    let socket = open(address, Type::DGRAM, Protocol::UDP)?;
    socket.bind(&address.into())?;
    Ok(socket.into())
}

/// A UDP socket that all clients share.
pub(super) fn shared_udp(address: SocketAddr) -> io::Result<std::net::UdpSocket> {
    let socket = udp(address)?;
    let look = socket2::SockRef::from(&socket);
    // Wishes, which the system may refuse or cut without harm.
    let _ = look.set_recv_buffer_size(BUFFER);
    let _ = look.set_send_buffer_size(BUFFER);
    Ok(socket)
}

/// A socket that connections come to.
pub(super) fn tcp(address: SocketAddr) -> io::Result<std::net::TcpListener> {
    let socket = open(address, Type::STREAM, Protocol::TCP)?;
    // So that a server can be started again while connections of the last one linger. Elsewhere it would mean to share.
    #[cfg(unix)]
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

fn open(address: SocketAddr, kind: Type, protocol: Protocol) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), kind, Some(protocol))?;
    socket.set_nonblocking(true)?;
    if address.is_ipv6() {
        // IPv4 has sockets of its own, so that both wildcards can be named.
        socket.set_only_v6(true)?;
    }
    Ok(socket)
}

/// Where to open UDP sockets for this address: for a wildcard one for each address of its family, as a response has to
/// leave from the address that its request came to.
pub(super) fn expand(address: SocketAddr, interfaces: &[Interface]) -> Vec<SocketAddr> {
    if !address.ip().is_unspecified() {
        return vec![address];
    }
    let usable = |interface: &&Interface| {
        let link_local = matches!(interface.address, IpAddr::V6(ip) if ip.is_unicast_link_local());
        interface.address.is_ipv4() == address.is_ipv4() && !(link_local && interface.index == 0)
    };
    let mut addresses: Vec<SocketAddr> = interfaces
        .iter()
        .filter(usable)
        .map(|interface| match interface.address {
            IpAddr::V6(ip) if ip.is_unicast_link_local() => {
                SocketAddrV6::new(ip, address.port(), 0, interface.index).into()
            }
            ip => SocketAddr::new(ip, address.port()),
        })
        .collect();
    addresses.sort_unstable();
    addresses.dedup();
    addresses
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interface(index: u32, address: &str) -> Interface {
        Interface {
            name: "eth0".to_owned(),
            index,
            address: address.parse().expect("an address"),
            prefix_len: 24,
            up: true,
            temporary: false,
            deprecated: false,
            default_route: false,
        }
    }

    #[test]
    fn a_wildcard_is_every_address_of_its_family() {
        let found = [
            interface(1, "127.0.0.1"),
            interface(2, "192.0.2.1"),
            interface(2, "192.0.2.1"),
            interface(2, "2001:db8::1"),
            interface(2, "fe80::1"),
            interface(0, "fe80::2"),
        ];
        let expanded = |address: &str| {
            let all = expand(address.parse().expect("an address"), &found);
            all.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(expanded("0.0.0.0:3478"), ["127.0.0.1:3478", "192.0.2.1:3478"]);
        assert_eq!(expanded("[::]:3478"), ["[2001:db8::1]:3478", "[fe80::1%2]:3478"]);
        assert_eq!(expanded("198.51.100.1:5"), ["198.51.100.1:5"]);
    }

    #[test]
    fn both_wildcards_can_be_listened_on_at_one_port() {
        let v4 = tcp("0.0.0.0:0".parse().expect("an address")).expect("bound");
        let port = v4.local_addr().expect("bound").port();
        let v6 = tcp(SocketAddr::new(IpAddr::V6(std::net::Ipv6Addr::UNSPECIFIED), port));
        match v6 {
            Ok(v6) => assert_eq!(v6.local_addr().expect("bound").port(), port),
            // A machine without IPv6.
            Err(error) => assert_ne!(error.kind(), io::ErrorKind::AddrInUse, "{error}"),
        }
    }
}
