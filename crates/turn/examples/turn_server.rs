//! A TURN server over UDP, with a thread for each socket: `turn_client` and any other client can use it.
//!
//! `cargo run -p floe-turn --example turn_server -- 192.0.2.1:3478 USER PASSWORD`
//!
//! The relays are on the address it listens at. If that is a loopback or private address, so may the peers be.

use std::collections::HashMap;
use std::error::Error;
use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Sender};
use std::time::{Duration, Instant};

use floe_stun::{Clock, Time};
use floe_turn::server::{
    Command, Config, Credentials, FromPeer, Link, MAX_TRANSMIT, Received, RelayAddress, RelayId, Server,
    SocketId,
};
use rand::TryRng;

/// The one socket that clients talk to.
const LISTENER: SocketId = SocketId(0);

/// How long a socket that is to be closed may take to notice.
const NOTICE: Duration = Duration::from_millis(500);

/// A datagram: at the listener, or at a relay.
struct Arrival {
    relay: Option<RelayId>,
    source: SocketAddr,
    bytes: Vec<u8>,
}

/// A relay's socket, whose reader ends when told to.
struct Relay {
    socket: Arc<UdpSocket>,
    closed: Arc<AtomicBool>,
}

struct Driver {
    server: Server,
    clock: Clock,
    listener: Arc<UdpSocket>,
    relays: HashMap<RelayId, Relay>,
    arrivals: Sender<Arrival>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [address, user, password] = &arguments[..] else {
        return Err("usage: turn_server ADDRESS:PORT USER PASSWORD".into());
    };
    let listener =
        Arc::new(UdpSocket::bind(address).map_err(|error| format!("cannot bind {address}: {error}"))?);
    let local = listener.local_addr()?;
    println!("relaying for {user} on {local}");

    let (arrivals, inbox) = mpsc::channel();
    read(&listener, None, &Arc::default(), &arrivals)?;
    let server = Server::new(configure(local.ip(), user, password)?)?;
    let mut driver = Driver { server, clock: Clock::new(now()), listener, relays: HashMap::new(), arrivals };
    loop {
        let wait = driver.server.poll_timeout().map_or(NOTICE, |at| at - driver.time());
        if let Ok(arrival) = inbox.recv_timeout(wait) {
            driver.hear(&arrival);
        }
        let now = driver.time();
        driver.server.handle_timeout(now);
        driver.drain();
    }
}

fn configure(ip: IpAddr, user: &str, password: &str) -> Result<Config, Box<dyn Error>> {
    let mut seed = [0; 32];
    rand::rngs::SysRng.try_fill_bytes(&mut seed)?;
    let mut credentials = Credentials::new("floe.example")?;
    credentials.add_user(user, password)?;
    let mut config = Config::new(seed, credentials);
    let relays = Some(RelayAddress::direct(ip));
    (config.relay_ipv4, config.relay_ipv6) = if ip.is_ipv4() { (relays, None) } else { (None, relays) };
    config.peers.allow_loopback = ip.is_loopback();
    config.peers.allow_private = matches!(ip, IpAddr::V4(ip) if ip.is_private());
    Ok(config)
}

/// Starts a thread that hands in what arrives at a socket.
fn read(
    socket: &Arc<UdpSocket>,
    relay: Option<RelayId>,
    closed: &Arc<AtomicBool>,
    arrivals: &Sender<Arrival>,
) -> io::Result<()> {
    socket.set_read_timeout(Some(NOTICE))?;
    let (socket, closed, arrivals) = (socket.clone(), closed.clone(), arrivals.clone());
    std::thread::spawn(move || {
        let mut buffer = vec![0; 65_535];
        while !closed.load(Ordering::Relaxed) {
            // An error is a timeout, or reports an ICMP message about something sent earlier.
            let Ok((len, source)) = socket.recv_from(&mut buffer) else { continue };
            let arrival = Arrival { relay, source, bytes: buffer[..len].to_vec() };
            if arrivals.send(arrival).is_err() {
                return;
            }
        }
    });
    Ok(())
}

impl Driver {
    fn time(&self) -> Time {
        self.clock.time(now())
    }

    fn hear(&mut self, Arrival { relay, source, bytes }: &Arrival) {
        let now = self.time();
        // What cannot be sent is lost, as it might be on the way.
        match relay {
            None => {
                let link = Link::datagram(LISTENER, *source);
                if let Received::ToPeer { relay, peer, payload, .. } =
                    self.server.handle_datagram(link, bytes, now)
                    && let Some(relay) = self.relays.get(&relay)
                {
                    let _ = relay.socket.send_to(&bytes[payload], peer);
                }
            }
            Some(relay) => {
                if let FromPeer::ToClient { link, frame } =
                    self.server.handle_peer_datagram(*relay, *source, bytes.len(), now)
                {
                    let packet = [frame.prefix(), bytes, frame.padding()].concat();
                    let _ = self.listener.send_to(&packet, link.client);
                }
            }
        }
    }

    /// Does what the server asks for.
    fn drain(&mut self) {
        while let Some(command) = self.server.poll_command() {
            let now = self.time();
            match command {
                Command::OpenRelay { relay, address } => match self.open(relay, address) {
                    Ok(()) => self.server.relay_opened(relay, now),
                    Err(error) => {
                        println!("cannot open {address}: {error}");
                        self.server.relay_failed(relay, now);
                    }
                },
                Command::CloseRelay { relay } => {
                    if let Some(relay) = self.relays.remove(&relay) {
                        relay.closed.store(true, Ordering::Relaxed);
                    }
                }
                other => println!("this driver cannot do {other:?}"),
            }
        }
        let mut packet = [0; MAX_TRANSMIT];
        while let Some(transmit) = self.server.poll_transmit(&mut packet) {
            let _ = self.listener.send_to(&packet[..transmit.len], transmit.link.client);
        }
        while let Some(event) = self.server.poll_event() {
            println!("{event:?}");
        }
    }

    fn open(&mut self, relay: RelayId, address: SocketAddr) -> io::Result<()> {
        let socket = Arc::new(UdpSocket::bind(address)?);
        let closed = Arc::default();
        read(&socket, Some(relay), &closed, &self.arrivals)?;
        self.relays.insert(relay, Relay { socket, closed });
        Ok(())
    }
}

/// The driver is where the clock is read.
#[expect(clippy::disallowed_methods, reason = "an example is a driver, not protocol code")]
fn now() -> Instant {
    Instant::now()
}
