//! What crosses the agent's border: datagrams, data, commands to the driver.

use core::fmt;
use core::net::{IpAddr, SocketAddr};
use core::ops::Range;

use alloc::string::String;

use floe_stun::Time;

use crate::ids::{Component, RequestId, SocketId};

/// Bytes that always suffice for one packet of [`Agent::poll_transmit`](crate::Agent::poll_transmit).
///
/// The largest packet is a request to a TURN server. Without relays it would be a check with a USERNAME of 508 bytes and every
/// attribute of RFC 8445 §7.1.
pub const MAX_TRANSMIT: usize = floe_turn::client::MAX_TRANSMIT;

/// A datagram as it came from a socket.
#[derive(Clone, Copy, Debug)]
pub struct Datagram<'a> {
    /// The socket that received it.
    pub socket: SocketId,
    /// The address it was sent to, if the driver knows it (`IP_PKTINFO`): needed on sockets bound to a wildcard address,
    /// where the symmetry of RFC 8445 §7.2.5.2.1 could not be checked without it. Otherwise `None`.
    pub local_ip: Option<IpAddr>,
    /// Where it came from.
    pub source: SocketAddr,
    /// The payload of the UDP packet, or a whole frame of a stream.
    pub contents: &'a [u8],
}

/// A packet to be sent; its bytes are in the buffer that was handed to
/// [`Agent::poll_transmit`](crate::Agent::poll_transmit).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Transmit {
    /// The socket to send it from.
    pub socket: SocketId,
    /// The local address to send it from. A socket bound to just this address needs no care; one bound to a wildcard
    /// address has to set it (`IP_PKTINFO`).
    pub src_ip: Option<IpAddr>,
    /// Where it goes.
    pub destination: SocketAddr,
    /// How many bytes of the buffer it takes.
    pub len: usize,
}

/// What a datagram was.
#[derive(Clone, PartialEq, Eq, Debug)]
#[must_use]
pub enum Received {
    /// A STUN message of ICE. It is dealt with; poll for what it caused.
    Ice,
    /// Application data (RFC 8445 §12.2): `payload` is its place in the contents of the datagram that was handed in.
    Data {
        /// The component it belongs to.
        component: Component,
        /// Where the payload is in the datagram.
        payload: Range<usize>,
    },
    /// It was dropped and counted; nothing else changed.
    Rejected(Rejection),
}

/// Why a datagram was dropped. The network's fault, never the caller's: there is a counter for each
/// ([`Counters::rejected`](crate::Counters::rejected)) and nothing to do about it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Rejection {
    /// It came on a socket or to an address that the agent does not use.
    UnknownSocket,
    /// It looks like STUN and is not well formed, or its FINGERPRINT is wrong.
    Malformed,
    /// A method or class that has no business here.
    UnexpectedMessage,
    /// A request without USERNAME or integrity, or with attributes missing that RFC 8445 §7.1 demands.
    MissingAttribute,
    /// A request whose USERNAME does not begin with our ufrag and a colon, or names another session of the peer.
    WrongUsername,
    /// The integrity attribute is missing or wrong.
    BadIntegrity,
    /// A response to no transaction that is open.
    UnknownTransaction,
    /// Authenticated, but with comprehension-required attributes that we do not know.
    UnknownAttribute,
    /// Data from an address that is no remote candidate (RFC 8445 §12.2).
    UnknownSource,
    /// A limit of [`Limits`](crate::Limits) is reached.
    LimitReached,
    /// The agent is closed.
    Closed,
}

impl Rejection {
    /// How many reasons there are.
    pub(crate) const COUNT: usize = 11;

    /// Every reason, in the order of the counters.
    pub const ALL: [Self; Self::COUNT] = [
        Self::UnknownSocket,
        Self::Malformed,
        Self::UnexpectedMessage,
        Self::MissingAttribute,
        Self::WrongUsername,
        Self::BadIntegrity,
        Self::UnknownTransaction,
        Self::UnknownAttribute,
        Self::UnknownSource,
        Self::LimitReached,
        Self::Closed,
    ];

    pub(crate) const fn index(self) -> usize {
        self as usize
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::UnknownSocket => "received on a socket or address the agent does not use",
            Self::Malformed => "malformed STUN message",
            Self::UnexpectedMessage => "unexpected STUN method or class",
            Self::MissingAttribute => "a mandatory STUN attribute is missing",
            Self::WrongUsername => "USERNAME is not addressed to this agent",
            Self::BadIntegrity => "message integrity is missing or wrong",
            Self::UnknownTransaction => "response to no open transaction",
            Self::UnknownAttribute => "unknown comprehension-required STUN attribute",
            Self::UnknownSource => "data from an address that is no remote candidate",
            Self::LimitReached => "a limit is reached",
            Self::Closed => "the agent is closed",
        })
    }
}

/// What only a driver can do. Every command but [`Command::CloseSocket`] is answered, success or not, by the method of
/// [`Agent`](crate::Agent) named with it; the agent keeps the deadlines, so a late answer does no harm.
///
/// A driver that owns its sockets and adds its candidates itself never sees a command.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Command {
    /// Look a server's name up, both A and AAAA. Answer: [`Agent::resolved`](crate::Agent::resolved).
    Resolve {
        /// To be handed back with the answer.
        request: RequestId,
        /// The host name.
        host: String,
        /// The port, to be put into the addresses.
        port: u16,
    },
    /// Bind a UDP socket to this address, at a port of the driver's choice when the port is 0. Answer:
    /// [`Agent::opened`](crate::Agent::opened).
    OpenUdp {
        /// To be handed back with the answer.
        request: RequestId,
        /// The address to bind to, with its zone if it is link-local.
        address: SocketAddr,
    },
    /// Connect to a TURN server over TCP (RFC 8656 §3.1), with TLS where there is a name for it. Answer:
    /// [`Agent::connected`](crate::Agent::connected), when TLS is established too.
    ///
    /// The driver takes the stream apart with [`StreamDeframer`](crate::StreamDeframer) and hands each whole frame to
    /// [`Agent::handle_datagram`](crate::Agent::handle_datagram), with `server` as its source. Whatever the agent sends on the
    /// socket is written to the stream as it is. When the stream ends, for whatever reason, it says so with
    /// [`Agent::disconnected`](crate::Agent::disconnected).
    Connect {
        /// To be handed back with the answer.
        request: RequestId,
        /// Where to.
        server: SocketAddr,
        /// The name that the server's certificate has to be for (RFC 8489 §6.2.3); without one it is TCP alone. The protocol of
        /// ALPN is `stun.turn` (RFC 7443).
        tls_name: Option<String>,
        /// The address to bind to, with its zone if it is link-local, and a port of the driver's choice.
        local: SocketAddr,
        /// Nobody waits for the answer any longer than this.
        deadline: Time,
    },
    /// Close a socket or stream that was opened for the agent. No answer.
    CloseSocket {
        /// The driver's number of the socket.
        socket: SocketId,
    },
}

/// Why a driver could not do what a [`Command`] asked, or why a connection ended. It ends up in
/// [`Event::GatheringProblem`](crate::Event::GatheringProblem) or [`Event::RelayLost`](crate::Event::RelayLost).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum DriverError {
    /// The name does not exist, or has no address of a family we use.
    NameNotFound,
    /// The name service did not answer or answered with a failure.
    NameServiceFailed,
    /// The address is not ours (any more).
    AddressNotAvailable,
    /// No port of the configured range is free.
    NoPortFree,
    /// The system forbids it.
    PermissionDenied,
    /// The server takes no connections at this port.
    ConnectionRefused,
    /// No route leads to the server.
    Unreachable,
    /// The connection was not there in time, or the system gave it up.
    TimedOut,
    /// The server closed the connection.
    ConnectionClosed,
    /// The connection was reset by the server or on the way to it.
    ConnectionReset,
    /// What came on the connection is not TURN.
    NotTurn,
    /// The server's certificate is not valid, or not for the name of the server.
    Certificate,
    /// No TLS with this server: it speaks another protocol, or none that we know.
    Tls,
    /// The driver has no TLS.
    TlsNotSupported,
    /// The proxy in between did not connect to the server, or is none.
    Proxy,
    /// The proxy in between wants a login, or another one.
    ProxyLogin,
    /// Anything else.
    Other,
}

impl fmt::Display for DriverError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NameNotFound => "the name has no address",
            Self::NameServiceFailed => "the name could not be looked up",
            Self::AddressNotAvailable => "the address is not available on this machine",
            Self::NoPortFree => "no port of the range is free",
            Self::PermissionDenied => "permission denied",
            Self::ConnectionRefused => "the server refused the connection",
            Self::Unreachable => "the server cannot be reached from here",
            Self::TimedOut => "no connection within the time for it",
            Self::ConnectionClosed => "the server closed the connection",
            Self::ConnectionReset => "the connection was reset",
            Self::NotTurn => "what came on the connection is not TURN",
            Self::Certificate => "the server's certificate is not valid for it",
            Self::Tls => "TLS with the server failed",
            Self::TlsNotSupported => "built without TLS",
            Self::Proxy => "the proxy did not connect to the server",
            Self::ProxyLogin => "the proxy wants a login, or another one",
            Self::Other => "the system refused",
        })
    }
}

impl core::error::Error for DriverError {}
