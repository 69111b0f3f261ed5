//! UDP sockets: how they are opened, and what belongs to one.

use std::io;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::Waker;

use floe_ice::{DriverError, SocketId};
use socket2::{Domain, Protocol, Type};
use tokio::net::UdpSocket;

use crate::readers::{Readers, Readiness};
use crate::stream::Stream;

/// After so many errors in a row, without a datagram or a moment of silence in between, nothing more is expected of a
/// socket. Fewer are normal: each may be the report of an ICMP message about a packet sent earlier (WSAECONNRESET on
/// Windows).
const MAX_ERRORS: u32 = 1024;

/// A socket and its readiness.
pub(crate) struct Socket {
    pub(crate) id: SocketId,
    pub(crate) io: UdpSocket,
    pub(crate) readiness: Arc<Readiness>,
    /// The readiness, as tokio wants it.
    pub(crate) waker: Waker,
    errors: AtomicU32,
}

impl Socket {
    pub(crate) fn new(id: SocketId, io: UdpSocket, readers: Arc<Readers>) -> Self {
        let readiness = Arc::new(Readiness::new(readers));
        Self { id, io, waker: Waker::from(readiness.clone()), readiness, errors: AtomicU32::new(0) }
    }

    /// It gave a datagram, or was empty.
    pub(crate) fn works(&self) {
        if self.errors.load(Ordering::Relaxed) != 0 {
            self.errors.store(0, Ordering::Relaxed);
        }
    }

    /// Counts an error in reading; true if it is one too many.
    pub(crate) fn failed(&self) -> bool {
        self.errors.fetch_add(1, Ordering::Relaxed) >= MAX_ERRORS
    }
}

/// What a packet can leave on.
#[derive(Clone)]
pub(crate) enum Way {
    /// A UDP socket.
    Socket(Arc<Socket>),
    /// A connection to a TURN server.
    Stream(Arc<Stream>),
}

/// What sockets are opened with.
#[derive(Clone, Debug, Default)]
pub(crate) struct SocketOptions {
    pub(crate) ports: Option<RangeInclusive<u16>>,
    pub(crate) receive_buffer: Option<usize>,
    pub(crate) send_buffer: Option<usize>,
    pub(crate) dscp: Option<u8>,
}

/// Opens a UDP socket bound to `address`. With port 0 and a range, the search in the range begins `offset` ports
/// after its first and goes around, so that many agents do not all try the same ports.
pub(crate) fn open(
    address: SocketAddr,
    options: &SocketOptions,
    offset: u16,
) -> Result<std::net::UdpSocket, DriverError> {
    let Some(range) = options.ports.as_ref().filter(|_| address.port() == 0) else {
        return bind(address, options).map_err(|e| explain(&e));
    };
    let (first, count) = (u32::from(*range.start()), u32::from(range.end() - range.start()) + 1);
    let mut denied = false;
    for step in 0..count {
        let port = first + (u32::from(offset) + step) % count;
        let mut address = address;
        address.set_port(u16::try_from(port).unwrap_or(*range.start()));
        match bind(address, options) {
            Ok(socket) => return Ok(socket),
            Err(e) if e.kind() == io::ErrorKind::AddrInUse => {}
            // Windows says so of ports that something else has reserved.
            Err(e) if e.kind() == io::ErrorKind::PermissionDenied => denied = true,
            Err(e) => return Err(explain(&e)),
        }
    }
    Err(if denied { DriverError::PermissionDenied } else { DriverError::NoPortFree })
}

fn bind(address: SocketAddr, options: &SocketOptions) -> io::Result<std::net::UdpSocket> {
    let socket = socket2::Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_nonblocking(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.bind(&address.into())?;
    tune(&socket, address, options);
    Ok(socket.into())
}

/// A TCP socket for a connection to `server`.
pub(crate) fn new_tcp(server: SocketAddr, options: &SocketOptions) -> io::Result<socket2::Socket> {
    let socket = socket2::Socket::new(Domain::for_address(server), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_nonblocking(true)?;
    // A packet that waits for others to fill a segment is late.
    socket.set_tcp_nodelay(true)?;
    tune(&socket, server, options);
    Ok(socket)
}

/// Wishes, which the system may refuse or cut without harm.
fn tune(socket: &socket2::Socket, address: SocketAddr, options: &SocketOptions) {
    if let Some(bytes) = options.receive_buffer {
        let _ = socket.set_recv_buffer_size(bytes);
    }
    if let Some(bytes) = options.send_buffer {
        let _ = socket.set_send_buffer_size(bytes);
    }
    // RFC 2474 §3: the upper six bits of the octet; the lower two are ECN's (RFC 3168).
    if let Some(octet) = options.dscp.map(|dscp| u32::from(dscp) << 2) {
        let _ = set_traffic_class(socket, address, octet);
    }
}

#[cfg(unix)]
fn set_traffic_class(socket: &socket2::Socket, address: SocketAddr, octet: u32) -> io::Result<()> {
    match address {
        SocketAddr::V4(_) => socket.set_tos_v4(octet),
        SocketAddr::V6(_) => socket.set_tclass_v6(octet),
    }
}

#[cfg(not(unix))]
fn set_traffic_class(socket: &socket2::Socket, address: SocketAddr, octet: u32) -> io::Result<()> {
    match address {
        SocketAddr::V4(_) => socket.set_tos_v4(octet),
        SocketAddr::V6(_) => Ok(()),
    }
}

pub(crate) fn explain(error: &io::Error) -> DriverError {
    match error.kind() {
        io::ErrorKind::AddrNotAvailable => DriverError::AddressNotAvailable,
        io::ErrorKind::AddrInUse => DriverError::NoPortFree,
        io::ErrorKind::PermissionDenied => DriverError::PermissionDenied,
        _ => DriverError::Other,
    }
}

/// What the system says of a payload that no datagram can hold.
pub(crate) fn too_large() -> io::Error {
    io::Error::from_raw_os_error(MESSAGE_TOO_LARGE)
}

/// Whether a datagram was refused because of its size.
pub(crate) fn is_too_large(error: &io::Error) -> bool {
    error.raw_os_error() == Some(MESSAGE_TOO_LARGE)
}

#[cfg(unix)]
const MESSAGE_TOO_LARGE: i32 = libc::EMSGSIZE;
/// WSAEMSGSIZE.
#[cfg(not(unix))]
const MESSAGE_TOO_LARGE: i32 = 10_040;

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr, UdpSocket};

    use socket2::SockRef;

    use super::*;

    fn loopback(port: u16) -> SocketAddr {
        SocketAddr::new(Ipv4Addr::LOCALHOST.into(), port)
    }

    /// A port that is free now and so is the next.
    fn free_pair() -> u16 {
        loop {
            let port = UdpSocket::bind(loopback(0)).and_then(|s| s.local_addr()).expect("bound").port();
            if port < u16::MAX && [port, port + 1].iter().all(|&p| UdpSocket::bind(loopback(p)).is_ok()) {
                return port;
            }
        }
    }

    #[test]
    fn a_socket_has_the_options_and_does_not_block() {
        let options = SocketOptions {
            dscp: Some(46),
            receive_buffer: Some(100_000),
            send_buffer: Some(50_000),
            ..SocketOptions::default()
        };
        let socket = open(loopback(0), &options, 0).expect("opened");
        let look = SockRef::from(&socket);
        assert!(look.nonblocking().expect("told"));
        assert!(look.recv_buffer_size().expect("told") >= 100_000);
        assert!(look.send_buffer_size().expect("told") >= 50_000);
        #[cfg(unix)]
        assert_eq!(look.tos_v4().expect("told"), 46 << 2);
        if let Ok(socket) = open(SocketAddr::new(Ipv6Addr::LOCALHOST.into(), 0), &options, 0) {
            let look = SockRef::from(&socket);
            assert!(look.only_v6().expect("told"), "IPv4 has sockets of its own");
            #[cfg(unix)]
            assert_eq!(look.tclass_v6().expect("told"), 46 << 2);
        }
    }

    #[test]
    fn the_search_for_a_port_begins_at_the_offset_and_goes_around() {
        let first = free_pair();
        let options = SocketOptions { ports: Some(first..=first + 1), ..SocketOptions::default() };
        let port = |socket: &UdpSocket| socket.local_addr().expect("bound").port();
        let one = open(loopback(0), &options, 7).expect("free");
        let two = open(loopback(0), &options, 7).expect("free");
        assert_eq!([port(&one), port(&two)], [first + 1, first]);
        assert_eq!(open(loopback(0), &options, 7).err(), Some(DriverError::NoPortFree));
        assert_eq!(
            open(loopback(first), &options, 0).err(),
            Some(DriverError::NoPortFree),
            "a port that is named"
        );
    }

    #[test]
    fn errors_of_the_system_are_told_apart() {
        let elsewhere = SocketAddr::new(Ipv4Addr::new(203, 0, 113, 77).into(), 0);
        let result = open(elsewhere, &SocketOptions::default(), 0);
        assert_eq!(result.err(), Some(DriverError::AddressNotAvailable));
        assert_eq!(explain(&io::ErrorKind::PermissionDenied.into()), DriverError::PermissionDenied);
        assert_eq!(explain(&io::ErrorKind::OutOfMemory.into()), DriverError::Other);
    }

    #[tokio::test]
    async fn a_socket_is_given_up_only_after_errors_without_a_pause() {
        let io = tokio::net::UdpSocket::bind(loopback(0)).await.expect("bound");
        let socket = Socket::new(SocketId(0), io, Arc::new(Readers::new(Arc::default())));
        for _ in 0..3 {
            assert!((0..MAX_ERRORS).all(|_| !socket.failed()));
            socket.works();
        }
        assert!((0..MAX_ERRORS).all(|_| !socket.failed()) && socket.failed());
    }
}
