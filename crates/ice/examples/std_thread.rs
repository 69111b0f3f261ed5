//! An agent on a `std::net::UdpSocket` in a thread of its own: no runtime, no other crate of floe.
//!
//! Two of them in one process find each other over loopback, with a pair of channels as their signalling, and each sends
//! the other a greeting. `cargo run -p floe-ice --example std_thread`

use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, UdpSocket};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use floe_ice::{
    Agent, Candidate, Clock, Command, Component, Config, Credentials, Datagram, DriverError, Event,
    GatheringState, InterfaceAddress, MAX_TRANSMIT, Received, RemoteParameters, Role, SocketId, StreamId,
};
use rand::TryRng;

/// What goes over the signalling channel. Real applications send this as SDP or JSON.
enum Signal {
    Credentials(Credentials),
    Candidate(Box<Candidate>),
    EndOfCandidates,
}

/// The only socket here; a driver with several numbers them as it likes.
const SOCKET: SocketId = SocketId(0);

struct Peer {
    agent: Agent,
    clock: Clock,
    socket: Option<UdpSocket>,
    to_peer: Sender<Signal>,
    from_peer: Receiver<Signal>,
}

impl Peer {
    fn new(
        role: Role,
        to_peer: Sender<Signal>,
        from_peer: Receiver<Signal>,
    ) -> Result<Self, Box<dyn std::error::Error>> {
        let mut seed = [0; 32];
        rand::rngs::SysRng.try_fill_bytes(&mut seed)?;
        let mut config = Config::new(seed);
        config.role = role;
        config.gather.loopback = true; // only because this example has to work on a machine without a network
        let clock = Clock::new(read_clock());
        let agent = Agent::new(config, clock.time(read_clock()))?;
        Ok(Self { agent, clock, socket: None, to_peer, from_peer })
    }

    /// Connects, says `greeting`, and returns what the other side said.
    fn run(mut self, greeting: &str) -> Result<String, Box<dyn std::error::Error>> {
        let _ = self.to_peer.send(Signal::Credentials(self.agent.local_credentials().clone()));
        let loopback = InterfaceAddress::new(1, IpAddr::V4(Ipv4Addr::LOCALHOST));
        self.agent.gather(&[loopback], self.now())?;
        let (mut heard, mut buffer) = (None, [0; 1500]);
        let deadline = read_clock() + Duration::from_secs(10);
        while read_clock() < deadline {
            let connected = self.drain()?;
            if let (Ok(path), Some(socket)) = (self.agent.send_path(Component::default()), &self.socket) {
                socket.send_to(greeting.as_bytes(), path.destination)?;
                if let Some(heard) = heard.take_if(|_| connected) {
                    return Ok(heard);
                }
            }
            self.listen_to_peer()?;
            if let Some(data) = self.receive(&mut buffer)? {
                heard = Some(data);
            }
            self.agent.handle_timeout(self.now());
        }
        Err("not connected within ten seconds".into())
    }

    fn now(&self) -> floe_ice::Time {
        self.clock.time(read_clock())
    }

    /// Everything the agent has to say; true once it has its selected pair.
    fn drain(&mut self) -> io::Result<bool> {
        while let Some(command) = self.agent.poll_command() {
            if let Command::OpenUdp { request, address } = command {
                let opened = UdpSocket::bind(address).and_then(|s| Ok((s.local_addr()?, s)));
                let answer =
                    opened.as_ref().map(|(bound, _)| (SOCKET, *bound)).map_err(|_| DriverError::Other);
                self.agent.opened(request, answer, self.now());
                self.socket = opened.ok().map(|(_, socket)| socket);
            }
        }
        let mut packet = [0; MAX_TRANSMIT];
        while let Some(transmit) = self.agent.poll_transmit(&mut packet) {
            if let Some(socket) = &self.socket {
                // A packet that cannot be sent is a packet lost: the agent will send another.
                let _ = socket.send_to(&packet[..transmit.len], transmit.destination);
            }
        }
        while let Some(event) = self.agent.poll_event() {
            let signal = match event {
                Event::LocalCandidate(id) => {
                    self.agent.local_candidate(id).map(|c| Signal::Candidate(Box::new(c.clone())))
                }
                Event::GatheringStateChanged(GatheringState::Complete) => Some(Signal::EndOfCandidates),
                _ => None,
            };
            if let Some(signal) = signal {
                let _ = self.to_peer.send(signal);
            }
        }
        Ok(self.agent.selected_pair(Component::default()).is_some())
    }

    fn listen_to_peer(&mut self) -> Result<(), Box<dyn std::error::Error>> {
        while let Ok(signal) = self.from_peer.try_recv() {
            let now = self.now();
            match signal {
                Signal::Credentials(c) => self.agent.set_remote_parameters(&RemoteParameters::new(c), now)?,
                Signal::Candidate(c) => {
                    let _ = self.agent.add_remote_candidate(StreamId::FIRST, &c, now)?;
                }
                Signal::EndOfCandidates => self.agent.end_of_remote_candidates(StreamId::FIRST, now)?,
            }
        }
        Ok(())
    }

    /// Waits for a datagram until the agent wants to be woken, but at most 20 ms because of the signalling.
    fn receive(&mut self, buffer: &mut [u8]) -> io::Result<Option<String>> {
        let Some(socket) = &self.socket else { return Ok(None) };
        let due = self.agent.poll_timeout().map(|t| self.clock.instant(t));
        let wait = due.map_or(Duration::from_millis(20), |t| t.saturating_duration_since(read_clock()));
        socket.set_read_timeout(Some(wait.clamp(Duration::from_millis(1), Duration::from_millis(20))))?;
        let (len, source) = match socket.recv_from(buffer) {
            Ok(received) => received,
            Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => return Ok(None),
            Err(_) => return Ok(None), // such as an ICMP error of an earlier packet: no reason to stop
        };
        let datagram = Datagram { socket: SOCKET, local_ip: None, source, contents: &buffer[..len] };
        match self.agent.handle_datagram(datagram, self.now()) {
            Received::Data { payload, .. } => {
                Ok(Some(String::from_utf8_lossy(&buffer[payload]).into_owned()))
            }
            _ => Ok(None),
        }
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let ((to_b, from_a), (to_a, from_b)) = (channel(), channel());
    let alice = Peer::new(Role::Controlling, to_b, from_b)?;
    let bob = Peer::new(Role::Controlled, to_a, from_a)?;
    let bob = thread::spawn(move || bob.run("hello from bob").map_err(|e| e.to_string()));
    let heard = alice.run("hello from alice")?;
    assert_eq!(heard, "hello from bob");
    assert_eq!(bob.join().map_err(|_| "bob panicked")??, "hello from alice");
    println!("connected; alice heard: {heard}");
    Ok(())
}

#[test]
fn the_two_of_them_connect() {
    main().expect("they connect");
}

/// The driver is where the clock is read.
#[expect(clippy::disallowed_methods, reason = "an example is a driver, not protocol code")]
fn read_clock() -> Instant {
    Instant::now()
}
