//! A TURN client on a UDP socket: allocates, sends a peer a datagram each way a relay knows, prints what comes back.
//!
//! `cargo run -p floe-turn --example turn_client -- 192.0.2.1:3478 USER PASSWORD [PEER]`
//!
//! Any program that echoes what it gets, say `ncat -u -l 4000 -k -e /bin/cat`, does for a peer.

use std::error::Error;
use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use floe_stun::{Clock, Time};
use floe_turn::client::{Config, Credentials, Event, MAX_TRANSMIT, Received};
use floe_turn::{Client, MAX_PADDING, MAX_PREFIX};
use rand::TryRng;

/// How long to wait for what the peer sends back.
const PATIENCE: Duration = Duration::from_secs(2);

struct Driver {
    client: Client,
    clock: Clock,
    socket: UdpSocket,
    peer: Option<SocketAddr>,
    /// When to say farewell.
    leave_at: Option<Time>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [server, user, password, peer @ ..] = &arguments[..] else {
        return Err("usage: turn_client SERVER:PORT USER PASSWORD [PEER:PORT]".into());
    };
    let peer = peer.first().map(|peer| peer.parse()).transpose()?;
    Driver::new(server.parse()?, Credentials::new(user, password)?, peer)?.run()
}

impl Driver {
    fn new(
        server: SocketAddr,
        credentials: Credentials,
        peer: Option<SocketAddr>,
    ) -> Result<Self, Box<dyn Error>> {
        let mut seed = [0; 32];
        rand::rngs::SysRng.try_fill_bytes(&mut seed)?;
        let client = Client::new(Config::new(server, Some(credentials), seed))?;
        Ok(Self { client, clock: Clock::new(now()), socket: open(server)?, peer, leave_at: None })
    }

    fn time(&self) -> Time {
        self.clock.time(now())
    }

    /// Ends when the client is closed or has failed.
    fn run(mut self) -> Result<(), Box<dyn Error>> {
        self.client.allocate(self.time())?;
        let mut buffer = [0; 1500];
        loop {
            self.drain()?;
            if self.client.is_closed() {
                return Ok(());
            }
            let next = [self.client.poll_timeout(), self.leave_at].into_iter().flatten().min();
            let wait = next.map_or(PATIENCE, |at| at - self.time());
            self.socket.set_read_timeout(Some(wait.max(Duration::from_millis(1))))?;
            match self.socket.recv_from(&mut buffer) {
                Ok((len, source)) => self.hear(source, &buffer[..len]),
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
                // An ICMP message: nobody is there, or not yet. The request is repeated.
                Err(error) => println!("{error}"),
            }
            let now = self.time();
            self.client.handle_timeout(now);
            if self.leave_at.take_if(|at| *at <= now).is_some() {
                println!("saying farewell");
                self.client.close(now);
            }
        }
    }

    /// Sends what there is to send, and tells what happened.
    fn drain(&mut self) -> Result<(), Box<dyn Error>> {
        let mut packet = [0; MAX_TRANSMIT];
        loop {
            while let Some(len) = self.client.poll_transmit(&mut packet) {
                let sent = self.socket.send_to(&packet[..len], self.client.server());
                sent.map_or_else(|error| println!("cannot send: {error}"), |_| println!("-> {len} bytes"));
            }
            let Some(event) = self.client.poll_event() else { return Ok(()) };
            self.tell(event)?;
        }
    }

    fn tell(&mut self, event: Event) -> Result<(), Box<dyn Error>> {
        match event {
            Event::Allocated(allocated) => {
                let addresses: Vec<_> = allocated.addresses().map(|address| address.to_string()).collect();
                println!("allocated {} for {:?}", addresses.join(" and "), allocated.lifetime);
                println!("the server sees us at {}", allocated.mapped);
                match self.peer {
                    Some(peer) => self.client.permit(peer.ip(), self.time())?,
                    None => self.client.close(self.time()),
                }
            }
            Event::PermissionCreated { peer } => {
                println!("{peer} may send");
                if let Some(peer) = self.peer {
                    self.send(peer, b"hello in a Send indication")?;
                    self.client.bind(peer, self.time())?;
                }
            }
            Event::ChannelBound { peer, channel } => {
                println!("channel 0x{:04x} leads to {peer}", channel.0);
                self.send(peer, b"hello in a channel")?;
                self.leave_at = Some(self.time() + PATIENCE);
            }
            Event::NeedNewPort => {
                println!("the server knows this port from somebody else: another one");
                self.socket = open(self.client.server())?;
                self.client.new_port(self.time())?;
            }
            Event::AlternateServer(other) => println!("the server recommends {:?}", other.servers),
            Event::PermissionFailed { reason, .. } | Event::ChannelFailed { reason, .. } => {
                println!("{reason}");
                self.client.close(self.time());
            }
            Event::Failed { reason, .. } | Event::Lost { reason, .. } => return Err(reason.into()),
            other => println!("{other:?}"),
        }
        Ok(())
    }

    fn send(&self, peer: SocketAddr, payload: &[u8]) -> Result<(), Box<dyn Error>> {
        let Some(mut path) = self.client.relay_path(peer) else { return Ok(()) };
        let mut buffer = [0; 1500];
        let place = MAX_PREFIX..MAX_PREFIX + payload.len();
        assert!(place.end + MAX_PADDING <= buffer.len());
        buffer[place.clone()].copy_from_slice(payload);
        let packet = path.frame(&mut buffer, place)?;
        self.socket.send_to(&buffer[packet], self.client.server())?;
        println!("-> {} bytes for {peer}", payload.len());
        Ok(())
    }

    fn hear(&mut self, source: SocketAddr, datagram: &[u8]) {
        match self.client.handle_datagram(source, datagram, self.time()) {
            Received::Turn => println!("<- {} bytes", datagram.len()),
            Received::Data { peer, payload } => {
                println!("<- {peer} says {:?}", String::from_utf8_lossy(&datagram[payload]));
            }
            Received::Icmp { peer, icmp } => println!("<- {peer} cannot be reached: {icmp:?}"),
            Received::Rejected(why) => println!("<- dropped: {why}"),
        }
    }
}

/// A socket of the server's family on a port of the system's choice (RFC 8656 §7.1).
fn open(server: SocketAddr) -> Result<UdpSocket, std::io::Error> {
    let any = match server {
        SocketAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        SocketAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    };
    UdpSocket::bind(SocketAddr::new(any, 0))
}

/// The driver is where the clock is read.
#[expect(clippy::disallowed_methods, reason = "an example is a driver, not protocol code")]
fn now() -> Instant {
    Instant::now()
}
