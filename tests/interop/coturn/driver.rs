//! A client on a socket of the operating system.

use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

use floe_stun::{Clock, Time};
use floe_turn::client::{Config, Event, MAX_TRANSMIT, Received, Rejection, StreamDeframer};
use floe_turn::{Carrier, Client, MAX_PADDING, MAX_PREFIX};

/// The longest that anything here takes, with much to spare.
const PATIENCE: Duration = Duration::from_secs(20);

enum Socket {
    Udp(UdpSocket),
    Tcp(TcpStream, Box<StreamDeframer>),
}

pub(crate) struct Driver {
    client: Client,
    clock: Clock,
    socket: Socket,
    sent: usize,
    /// Data that came, and from whom.
    heard: Vec<(SocketAddr, Vec<u8>)>,
}

impl Driver {
    pub(crate) fn connect(config: Config) -> Self {
        let socket = match config.carrier {
            Carrier::Datagram => open(config.server),
            Carrier::Stream => {
                let stream = TcpStream::connect(config.server).expect("the server listens");
                Socket::Tcp(stream, Box::default())
            }
        };
        let client = Client::new(config).expect("the configuration is good");
        Self { client, clock: Clock::new(Instant::now()), socket, sent: 0, heard: Vec::new() }
    }

    fn now(&self) -> Time {
        self.clock.time(Instant::now())
    }

    pub(crate) fn home(&self) -> SocketAddr {
        match &self.socket {
            Socket::Udp(socket) => socket.local_addr(),
            Socket::Tcp(stream, _) => stream.local_addr(),
        }
        .expect("it is connected")
    }

    /// How many packets were sent to the server, data not counted.
    pub(crate) fn sent(&self) -> usize {
        self.sent
    }

    pub(crate) fn allocate(&mut self) {
        self.client.allocate(self.now()).expect("there is no allocation");
    }

    pub(crate) fn permit(&mut self, peer: IpAddr) {
        self.client.permit(peer, self.now()).expect("it is a peer");
    }

    pub(crate) fn forbid(&mut self, peer: IpAddr) {
        self.client.forbid(peer, self.now());
    }

    pub(crate) fn bind(&mut self, peer: SocketAddr) {
        self.client.bind(peer, self.now()).expect("it is a peer");
    }

    /// Goes on from another port.
    pub(crate) fn leave(&mut self) {
        self.socket = open(self.client.server());
        self.client.moved(self.now());
    }

    pub(crate) fn close(&mut self) {
        self.client.close(self.now());
    }

    /// Drives the client until something happens.
    pub(crate) fn until(&mut self, wanted: impl Fn(&Event) -> bool) -> Event {
        let deadline = self.now() + PATIENCE;
        let mut others = Vec::new();
        loop {
            self.send_all();
            while let Some(event) = self.client.poll_event() {
                if wanted(&event) {
                    return event;
                }
                others.push(event);
            }
            assert!(self.now() < deadline, "it does not happen; what does is {others:?}");
            self.receive(deadline);
        }
    }

    /// Sends so many bytes to a peer that sends them back. Returns whether they came.
    pub(crate) fn echo(&mut self, peer: SocketAddr, len: usize) -> bool {
        let mut path = self.client.relay_path(peer).expect("there is a permission");
        let place = MAX_PREFIX..MAX_PREFIX + len;
        let mut buffer = vec![0x5A; MAX_PREFIX + len + MAX_PADDING];
        let packet = path.frame(&mut buffer, place).expect("there is room");
        self.send(&buffer[packet]);
        let deadline = self.now() + PATIENCE;
        while self.heard.is_empty() && self.now() < deadline {
            self.send_all();
            self.receive(deadline);
        }
        std::mem::take(&mut self.heard) == [(peer, vec![0x5A; len])]
    }

    fn send_all(&mut self) {
        let mut packet = [0; MAX_TRANSMIT];
        while let Some(len) = self.client.poll_transmit(&mut packet) {
            self.sent += 1;
            self.send(&packet[..len]);
        }
    }

    fn send(&mut self, packet: &[u8]) {
        match &mut self.socket {
            Socket::Udp(socket) => drop(socket.send(packet)),
            Socket::Tcp(stream, _) => stream.write_all(packet).expect("the connection is there"),
        }
    }

    /// Waits for a packet or a timeout, and hands it to the client.
    fn receive(&mut self, deadline: Time) {
        let next = self.client.poll_timeout().unwrap_or(deadline).min(deadline);
        let wait = (next - self.now()).max(Duration::from_millis(1));
        let (server, now) = (self.client.server(), self.now());
        match &mut self.socket {
            Socket::Udp(socket) => {
                let mut buffer = [0; 2048];
                socket.set_read_timeout(Some(wait)).expect("the time is not zero");
                if let Some(len) = read(socket.recv(&mut buffer)) {
                    hear(&mut self.client, &mut self.heard, server, &buffer[..len], now);
                }
            }
            Socket::Tcp(stream, deframer) => {
                stream.set_read_timeout(Some(wait)).expect("the time is not zero");
                if let Some(len) = read(stream.read(deframer.space())) {
                    assert!(len > 0, "the server closed the connection");
                    deframer.filled(len);
                    while let Some(frame) = deframer.next_frame().expect("the server speaks TURN") {
                        hear(&mut self.client, &mut self.heard, server, frame, now);
                    }
                }
            }
        }
        let now = self.now();
        self.client.handle_timeout(now);
    }
}

fn hear(
    client: &mut Client,
    heard: &mut Vec<(SocketAddr, Vec<u8>)>,
    server: SocketAddr,
    packet: &[u8],
    now: Time,
) {
    match client.handle_datagram(server, packet, now) {
        Received::Turn => {}
        Received::Data { peer, payload } => heard.push((peer, packet[payload].to_vec())),
        // coturn 4.6.1 sends a client that moves the end of an old message before it answers.
        Received::Rejected(Rejection::Malformed) => {}
        other => panic!("{other:?}: {packet:02x?}"),
    }
}

/// How much was read, if anything was in time. A server that has just started may refuse UDP for a moment.
fn read(result: std::io::Result<usize>) -> Option<usize> {
    let nothing = [ErrorKind::WouldBlock, ErrorKind::TimedOut, ErrorKind::ConnectionRefused];
    match result {
        Ok(len) => Some(len),
        Err(error) if nothing.contains(&error.kind()) => None,
        Err(error) => panic!("{error}"),
    }
}

fn open(server: SocketAddr) -> Socket {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("loopback is there");
    socket.connect(server).expect("so is the server");
    Socket::Udp(socket)
}
