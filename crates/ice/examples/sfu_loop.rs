//! A forwarding server in the manner of an SFU: it owns its sockets, adds its own host candidates, and never gathers, so
//! it never sees a command. One loop serves every participant and passes data on from each to all others.
//!
//! The participants here are agents in the same process. `cargo run -p floe-ice --example sfu_loop`

use std::error::Error;
use std::net::UdpSocket;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use floe_ice::{
    Agent, Clock, Component, Config, Datagram, MAX_TRANSMIT, Received, RemoteParameters, Role, SocketId,
    StreamId, Time,
};
use rand::TryRng;

/// An agent with its socket, on either side.
struct Session {
    agent: Agent,
    socket: Arc<UdpSocket>,
}

/// A datagram, the number of the session it is for, and where it came from.
type Arrival = (usize, std::net::SocketAddr, Vec<u8>);

/// The sessions of both sides: `0..n` the server's, `n..2n` the participants'.
struct Server {
    sessions: Vec<Session>,
    clock: Clock,
    arrivals: Receiver<Arrival>,
}

impl Server {
    fn new(participants: usize) -> Result<Self, Box<dyn Error>> {
        let (to_loop, arrivals) = channel();
        let clock = Clock::new(read_clock());
        let mut sessions = Vec::new();
        for number in 0..2 * participants {
            // RFC 8445 §6.1.1: whoever calls is controlling; a server usually answers.
            let role = if number < participants { Role::Controlled } else { Role::Controlling };
            sessions.push(open(number, role, clock.time(read_clock()), to_loop.clone())?);
        }
        Ok(Self { sessions, clock, arrivals })
    }

    /// Tells each participant and its session of the server about each other; in earnest, offer and answer do that.
    fn introduce(&mut self) -> Result<(), Box<dyn Error>> {
        let (count, now) = (self.sessions.len(), self.now());
        for number in 0..count {
            let other = &self.sessions[(number + count / 2) % count].agent;
            let parameters = RemoteParameters::new(other.local_credentials().clone());
            let candidates: Vec<_> = other.local_candidates().map(|(_, _, c)| c.clone()).collect();
            let agent = &mut self.sessions[number].agent;
            agent.set_remote_parameters(&parameters, now)?;
            for candidate in &candidates {
                let _ = agent.add_remote_candidate(StreamId::FIRST, candidate, now)?;
            }
            agent.end_of_remote_candidates(StreamId::FIRST, now)?;
        }
        Ok(())
    }

    /// Serves until every participant has heard from every other one; how many datagrams were passed on.
    fn run(&mut self) -> Result<usize, Box<dyn Error>> {
        let participants = self.sessions.len() / 2;
        let (mut heard, mut forwarded) = (vec![vec![false; participants]; participants], 0);
        let (mut greeted, deadline) = (vec![false; participants], read_clock() + Duration::from_secs(10));
        while heard.iter().enumerate().any(|(me, from)| (0..participants).any(|o| o != me && !from[o])) {
            if read_clock() > deadline {
                return Err("not everybody was connected within ten seconds".into());
            }
            self.transmit()?;
            if self.all_connected() {
                for (number, greeted) in greeted.iter_mut().enumerate().filter(|(_, greeted)| !**greeted) {
                    self.send(participants + number, &[number as u8])?;
                    *greeted = true;
                }
            }
            if let Some((session, data)) = self.receive()? {
                if session < participants {
                    for other in (0..participants).filter(|&other| other != session) {
                        self.send(other, &data)?;
                        forwarded += 1;
                    }
                } else if let Some(&from) = data.first() {
                    heard[session - participants][usize::from(from)] = true;
                }
            }
            let now = self.now();
            self.sessions.iter_mut().for_each(|s| s.agent.handle_timeout(now));
        }
        Ok(forwarded)
    }

    fn now(&self) -> Time {
        self.clock.time(read_clock())
    }

    fn all_connected(&self) -> bool {
        self.sessions.iter().all(|s| s.agent.selected_pair(Component::default()).is_some())
    }

    fn transmit(&mut self) -> Result<(), Box<dyn Error>> {
        let mut packet = [0; MAX_TRANSMIT];
        for session in &mut self.sessions {
            while let Some(transmit) = session.agent.poll_transmit(&mut packet) {
                session.socket.send_to(&packet[..transmit.len], transmit.destination)?;
            }
        }
        Ok(())
    }

    /// Data goes past the agent, on the path that it names.
    fn send(&self, session: usize, data: &[u8]) -> Result<(), Box<dyn Error>> {
        let session = &self.sessions[session];
        let path = session.agent.send_path(Component::default())?;
        path.admit(data)?;
        session.socket.send_to(data, path.destination)?;
        Ok(())
    }

    /// Waits for a datagram, or until the first of the agents wants to be woken.
    fn receive(&mut self) -> Result<Option<Data>, Box<dyn Error>> {
        let due = self.sessions.iter().filter_map(|s| s.agent.poll_timeout()).min();
        let wait = due.map_or(Duration::from_secs(1), |t| {
            self.clock.instant(t).saturating_duration_since(read_clock())
        });
        let (number, source, bytes) = match self.arrivals.recv_timeout(wait) {
            Ok(arrival) => arrival,
            Err(RecvTimeoutError::Timeout) => return Ok(None),
            Err(gone) => return Err(gone.into()),
        };
        let now = self.now();
        let socket = SocketId(number as u64);
        let datagram = Datagram { socket, local_ip: None, source, contents: &bytes };
        match self.sessions[number].agent.handle_datagram(datagram, now) {
            Received::Data { payload, .. } => Ok(Some((number, bytes[payload].to_vec()))),
            _ => Ok(None),
        }
    }
}

/// A session on a socket of its own, and a thread that reads the socket.
fn open(number: usize, role: Role, now: Time, to_loop: Sender<Arrival>) -> Result<Session, Box<dyn Error>> {
    let mut seed = [0; 32];
    rand::rngs::SysRng.try_fill_bytes(&mut seed)?;
    let mut config = Config::new(seed);
    config.role = role;
    let mut agent = Agent::new(config, now)?;
    let socket = Arc::new(UdpSocket::bind("127.0.0.1:0")?);
    agent.add_host(Component::default(), SocketId(number as u64), socket.local_addr()?, now)?;
    agent.end_of_local_candidates(now)?;
    let reader = Arc::clone(&socket);
    thread::spawn(move || {
        let mut buffer = [0; 1500];
        while let Ok((len, source)) = reader.recv_from(&mut buffer) {
            if to_loop.send((number, source, buffer[..len].to_vec())).is_err() {
                return;
            }
        }
    });
    Ok(Session { agent, socket })
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut server = Server::new(3)?;
    server.introduce()?;
    let forwarded = server.run()?;
    println!("3 participants, everybody heard everybody; {forwarded} datagrams passed on");
    Ok(())
}

#[test]
fn everybody_hears_everybody() {
    main().expect("they connect");
}

/// What a participant received: its number, and the payload.
type Data = (usize, Vec<u8>);

/// The driver is where the clock is read.
#[expect(clippy::disallowed_methods, reason = "an example is a driver, not protocol code")]
fn read_clock() -> Instant {
    Instant::now()
}
