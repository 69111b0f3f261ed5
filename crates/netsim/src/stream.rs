//! Connections in the manner of TCP, as far as programs see them: bytes in order, cut anywhere, and an end.
//!
//! Nothing is sent twice and nothing acknowledged: a link that loses packets delivers those of a connection all the same, as TCP
//! would after a while, and one that is cut delivers none. There is no congestion and no window, so what is written is under way at
//! once. NATs treat connections as they treat UDP.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;

use crate::id::{EndpointId, HostId, SocketId};

/// What fits into packets everywhere.
const CHUNK: usize = 1200;

/// What a packet of a connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Segment {
    /// It asks for a connection.
    Open,
    /// It grants one.
    Accept,
    /// Bytes; counted in each direction.
    Bytes(u64),
    /// No more bytes; counted with them.
    Close(u64),
    /// There is no such connection, or none any more.
    Reset,
}

/// What happened to a connection of an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StreamEvent<'a> {
    /// A connection that was asked for is there.
    Connected {
        /// The connection.
        socket: SocketId,
    },
    /// Somebody connected.
    Accepted {
        /// Where: what [`Host::listen`](crate::Host::listen) opened.
        listener: SocketId,
        /// The new connection.
        socket: SocketId,
        /// Who, as the last NAT on the way left it.
        peer: SocketAddr,
    },
    /// Bytes came.
    Bytes {
        /// On which connection.
        socket: SocketId,
        /// As many as came at once; frames mean nothing here.
        bytes: &'a [u8],
    },
    /// A connection is over, or there will be none.
    Ended {
        /// Which.
        socket: SocketId,
        /// How.
        end: StreamEnd,
    },
}

/// How a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StreamEnd {
    /// Nobody listens there.
    Refused,
    /// The other side closed it, after all its bytes had come.
    Closed,
    /// It was reset, whatever was under way.
    Reset,
}

/// One side of a connection.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) host: HostId,
    pub(crate) endpoint: EndpointId,
    pub(crate) local: SocketAddr,
    pub(crate) remote: SocketAddr,
    /// The other side has answered.
    pub(crate) established: bool,
    /// The numbers of the next packet out and in.
    sent: u64,
    received: u64,
    /// What came before its turn.
    early: BTreeMap<u64, Option<Vec<u8>>>,
}

/// Where an endpoint waits for connections.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Listener {
    pub(crate) id: SocketId,
    pub(crate) host: HostId,
    pub(crate) endpoint: EndpointId,
    pub(crate) local: SocketAddr,
}

/// A packet that a host wants to send.
#[derive(Debug)]
pub(crate) struct Departure {
    pub(crate) host: HostId,
    pub(crate) endpoint: EndpointId,
    pub(crate) socket: SocketId,
    pub(crate) local: SocketAddr,
    pub(crate) remote: SocketAddr,
    pub(crate) segment: Segment,
    pub(crate) bytes: Vec<u8>,
}

/// All connections of a network.
#[derive(Debug)]
pub(crate) struct Streams {
    /// The most bytes in one packet.
    pub(crate) chunk: usize,
    pub(crate) listeners: Vec<Listener>,
    connections: BTreeMap<SocketId, Connection>,
    departures: VecDeque<Departure>,
}

impl Connection {
    pub(crate) fn new(host: HostId, endpoint: EndpointId, local: SocketAddr, remote: SocketAddr) -> Self {
        let (established, sent, received, early) = (false, 0, 0, BTreeMap::new());
        Self { host, endpoint, local, remote, established, sent, received, early }
    }

    fn departure(&self, socket: SocketId, segment: Segment, bytes: Vec<u8>) -> Departure {
        let Self { host, endpoint, local, remote, .. } = *self;
        Departure { host, endpoint, socket, local, remote, segment, bytes }
    }

    fn next(&mut self) -> u64 {
        self.sent += 1;
        self.sent - 1
    }

    /// Takes in a numbered packet, `None` being the end.
    pub(crate) fn keep(&mut self, number: u64, bytes: Option<Vec<u8>>) {
        if number >= self.received {
            self.early.entry(number).or_insert(bytes);
        }
    }

    /// The next of them that has its turn.
    pub(crate) fn take(&mut self) -> Option<Option<Vec<u8>>> {
        let next = self.early.remove(&self.received)?;
        self.received += 1;
        Some(next)
    }
}

impl Default for Streams {
    fn default() -> Self {
        let (listeners, connections, departures) = (Vec::new(), BTreeMap::new(), VecDeque::new());
        Self { chunk: CHUNK, listeners, connections, departures }
    }
}

impl Streams {
    pub(crate) fn get_mut(&mut self, socket: SocketId) -> Option<&mut Connection> {
        self.connections.get_mut(&socket)
    }

    pub(crate) fn get(&self, socket: SocketId) -> Option<&Connection> {
        self.connections.get(&socket)
    }

    /// The connection between these addresses, as its host sees them.
    pub(crate) fn between(&self, host: HostId, local: SocketAddr, remote: SocketAddr) -> Option<SocketId> {
        let is = |c: &Connection| c.host == host && c.local == local && c.remote == remote;
        self.connections.iter().find(|(_, connection)| is(connection)).map(|(&socket, _)| socket)
    }

    pub(crate) fn listener(&self, host: HostId, local: SocketAddr) -> Option<Listener> {
        self.listeners.iter().find(|l| l.host == host && l.local == local).copied()
    }

    /// Whether a port is taken at this address of a host.
    pub(crate) fn is_taken(&self, host: HostId, local: SocketAddr) -> bool {
        let mut connections = self.connections.values();
        self.listener(host, local).is_some() || connections.any(|c| c.host == host && c.local == local)
    }

    /// Asks for a connection.
    pub(crate) fn open(&mut self, socket: SocketId, connection: Connection) {
        self.departures.push_back(connection.departure(socket, Segment::Open, Vec::new()));
        self.connections.insert(socket, connection);
    }

    /// Grants one.
    pub(crate) fn accept(&mut self, socket: SocketId, mut connection: Connection) {
        connection.established = true;
        self.departures.push_back(connection.departure(socket, Segment::Accept, Vec::new()));
        self.connections.insert(socket, connection);
    }

    /// Writes bytes. False if there is no such connection.
    pub(crate) fn write(&mut self, socket: SocketId, bytes: &[u8]) -> bool {
        let Some(connection) = self.connections.get_mut(&socket) else { return false };
        for part in bytes.chunks(self.chunk) {
            let number = connection.next();
            let departure = connection.departure(socket, Segment::Bytes(number), part.to_vec());
            self.departures.push_back(departure);
        }
        true
    }

    /// Closes a connection, or resets it. What was written before still arrives, unless it is reset.
    pub(crate) fn close(&mut self, socket: SocketId, reset: bool) -> bool {
        self.listeners.retain(|listener| listener.id != socket);
        let Some(mut connection) = self.connections.remove(&socket) else { return false };
        let segment = if reset { Segment::Reset } else { Segment::Close(connection.next()) };
        self.departures.push_back(connection.departure(socket, segment, Vec::new()));
        true
    }

    /// Forgets a connection that the other side has ended.
    pub(crate) fn forget(&mut self, socket: SocketId) -> Option<Connection> {
        self.connections.remove(&socket)
    }

    /// The connections of an endpoint.
    pub(crate) fn of(&self, endpoint: EndpointId) -> Vec<SocketId> {
        let own = self.connections.iter().filter(|(_, c)| c.endpoint == endpoint);
        own.map(|(&socket, _)| socket).collect()
    }

    /// Answers a packet that belongs to no connection.
    pub(crate) fn refuse(&mut self, host: HostId, local: SocketAddr, remote: SocketAddr) {
        let nobody = Connection::new(host, EndpointId(u32::MAX), local, remote);
        self.departures.push_back(nobody.departure(SocketId(u32::MAX), Segment::Reset, Vec::new()));
    }

    /// The end of a process closes all it has.
    pub(crate) fn close_all(&mut self, endpoint: EndpointId) {
        self.listeners.retain(|listener| listener.endpoint != endpoint);
        for socket in self.of(endpoint) {
            self.close(socket, false);
        }
    }

    pub(crate) fn next_departure(&mut self) -> Option<Departure> {
        self.departures.pop_front()
    }
}
