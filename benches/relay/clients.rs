//! Clients with an allocation each, and their peers.

use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use floe_stun::{Clock, Time};
use floe_turn::client::{Config, Credentials, Event, MAX_TRANSMIT, RelayPath};
use floe_turn::{Client as Core, MAX_PADDING, MAX_PREFIX};

use crate::PATIENCE;
use crate::servers::{PASSWORD, USER};

/// Bytes of each payload.
pub(crate) const PAYLOAD: usize = 1_000;
/// Packets that are on their way at a time, over all allocations: what the small buffers of coturn's sockets hold.
const WINDOW: usize = 16;
/// Packets that have not come so long after the last of them was sent are lost.
const LOST: Duration = Duration::from_millis(200);

/// A client with a channel to its peer.
pub(crate) struct Client {
    core: Core,
    socket: UdpSocket,
    peer: UdpSocket,
    relayed: SocketAddr,
    path: Option<RelayPath>,
    pub(crate) lost: bool,
}

fn socket() -> UdpSocket {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback has room");
    socket.set_nonblocking(true).expect("a setting that there is");
    socket
}

impl Client {
    fn new(server: SocketAddr, number: u32, now: Time) -> Self {
        let mut seed = [0; 32];
        seed[..4].copy_from_slice(&number.to_be_bytes());
        let credentials = Credentials::new(USER, PASSWORD).expect("a name");
        let mut core = Core::new(Config::new(server, Some(credentials), seed)).expect("a configuration");
        let (socket, peer) = (socket(), socket());
        socket.connect(server).expect("loopback");
        core.allocate(now).expect("a new client");
        let nowhere = SocketAddr::from(([0; 4], 0));
        Self { core, socket, peer, relayed: nowhere, path: None, lost: false }
    }

    /// Does what there is to do.
    fn turn(&mut self, now: Time) {
        let mut buffer = [0; MAX_TRANSMIT];
        while let Ok(len) = self.socket.recv(&mut buffer) {
            let server = self.core.server();
            let _ = self.core.handle_datagram(server, &buffer[..len], now);
        }
        if self.core.poll_timeout().is_some_and(|due| due <= now) {
            self.core.handle_timeout(now);
        }
        while let Some(event) = self.core.poll_event() {
            match event {
                Event::Allocated(granted) => {
                    self.relayed = granted.relayed;
                    let peer = self.peer.local_addr().expect("bound");
                    self.core.bind(peer, now).expect("a peer of its family");
                }
                Event::ChannelBound { peer, .. } => self.path = self.core.relay_path(peer),
                Event::Lost { .. } | Event::Failed { .. } => self.lost = true,
                _ => {}
            }
        }
        while let Some(len) = self.core.poll_transmit(&mut buffer) {
            let _ = self.socket.send(&buffer[..len]);
        }
    }

    fn is_ready(&self) -> bool {
        self.path.is_some()
    }
}

/// So many clients, each with its channel.
pub(crate) fn connect(server: SocketAddr, count: u32) -> Vec<Client> {
    let clock = Clock::new(Instant::now());
    let deadline = Instant::now() + PATIENCE + Duration::from_millis(5) * count;
    let mut clients: Vec<Client> = Vec::new();
    // A few hundred at a time begin, so that none has to be asked again.
    while clients.len() < count as usize || !clients.iter().all(Client::is_ready) {
        let begun = clients.iter().filter(|client| !client.is_ready()).count();
        for _ in begun..200.min(count as usize - clients.len() + begun) {
            let number = u32::try_from(clients.len()).unwrap_or(u32::MAX);
            clients.push(Client::new(server, number, clock.time(Instant::now())));
        }
        let now = clock.time(Instant::now());
        clients.iter_mut().filter(|client| !client.is_ready()).for_each(|client| client.turn(now));
        assert!(Instant::now() < deadline, "allocating {count} takes too long");
    }
    clients
}

/// Keeps them for so long by the clock on the wall, of which `speed` seconds pass for each second, so that allocations, permissions
/// and channels are renewed that much sooner. How many are left.
pub(crate) fn keep(clients: &mut [Client], wall: Duration, speed: u32) -> usize {
    let begun = Instant::now();
    // Later than whatever they have seen.
    let start = Time::ZERO + PATIENCE * 10;
    while begun.elapsed() < wall {
        let now = start + begun.elapsed() * speed;
        for client in &mut *clients {
            if let Some(path) = &client.path {
                client.core.record_sent(path.peer(), now);
            }
            client.turn(now);
        }
    }
    clients.iter().filter(|client| !client.lost && client.core.allocation().is_some()).count()
}

/// Sends so many packets through all of them, half to the peers and half from them. How many arrived.
pub(crate) fn relay(clients: &mut [Client], packets: u32) -> u32 {
    let rounds = packets as usize / (2 * WINDOW);
    let (mut next, mut arrived) = (0, 0);
    for _ in 0..rounds.max(1) {
        for to_peer in [true, false] {
            let window: Vec<usize> = (0..WINDOW).map(|n| (next + n) % clients.len()).collect();
            for &at in &window {
                send(&mut clients[at], to_peer);
            }
            let deadline = Instant::now() + LOST;
            for &at in &window {
                arrived += u32::from(receive(&clients[at], to_peer, deadline));
            }
            next = (next + WINDOW) % clients.len();
        }
    }
    arrived
}

fn send(client: &mut Client, to_peer: bool) {
    let mut buffer = [7; MAX_PREFIX + PAYLOAD + MAX_PADDING];
    let place = MAX_PREFIX..MAX_PREFIX + PAYLOAD;
    if to_peer {
        let path = client.path.as_mut().expect("it is connected");
        let packet = path.frame(&mut buffer, place).expect("there is room");
        let _ = client.socket.send(&buffer[packet]);
    } else {
        let _ = client.peer.send_to(&buffer[place], client.relayed);
    }
}

fn receive(client: &Client, to_peer: bool, deadline: Instant) -> bool {
    let socket = if to_peer { &client.peer } else { &client.socket };
    let mut buffer = [0; 2048];
    loop {
        match socket.recv(&mut buffer) {
            Ok(len) => return len >= PAYLOAD,
            Err(error) if error.kind() == ErrorKind::WouldBlock && Instant::now() < deadline => {
                std::thread::yield_now();
            }
            Err(_) => return false,
        }
    }
}
