//! One agent, and datagrams as a peer, strangers and a bad network could send them; the harness knows the passwords.

use std::collections::VecDeque;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use floe_ice::{
    Agent,    AgentError, Candidate, Component, ComponentId, Config, Credentials, Datagram, Nomination, Received, RemoteParameters,
    Role, SocketId, StreamId, Time, Unauthenticated,
};
use floe_stun::{Class, Message};

use crate::Input;
use crate::hostile;
use crate::watched::{Packet, Watched};

const PEER_UFRAG: &str = "peer";
const PEER_PWD: &str = "thePeersPasswordAsItWere";

/// How many operations one input has at most: what matters happens in few.
const MAX_OPERATIONS: usize = 400;
/// Requests that can be answered, and datagrams that can be repeated.
const KEPT: usize = 16;

/// Runs an agent through what `data` says.
///
/// # Panics
///
/// If the agent breaks a rule that no network can make it break.
pub fn run(data: &[u8]) {
    let mut bed = played(data);
    // And then nothing happens any more: timers run out, and not for ever.
    bed.advance(Duration::from_secs(60));
}

/// After the last operation.
fn played(data: &[u8]) -> Bed<'_> {
    let mut bed = Bed::new(Input::new(data));
    for _ in 0..MAX_OPERATIONS {
        if bed.input.is_empty() {
            break;
        }
        bed.step();
    }
    bed
}

/// A datagram that came in.
#[derive(Clone)]
struct Arrived {
    socket: SocketId,
    local_ip: Option<IpAddr>,
    source: SocketAddr,
    bytes: Vec<u8>,
}

struct Bed<'a> {
    input: Input<'a>,
    agent: Watched,
    now: Time,
    streams: Vec<u16>,
    /// The agent's latest requests.
    requests: VecDeque<Packet>,
    arrived: VecDeque<Arrived>,
    /// How many checks were made, for their ids.
    checks: u64,
}

impl<'a> Bed<'a> {
    fn new(mut input: Input<'a>) -> Self {
        let flags = input.u8();
        let mut config = Config::new([7; 32]);
        config.role = if flags & 0x01 == 0 { Role::Controlling } else { Role::Controlled };
        if flags & 0x02 != 0 {
            config.nomination = Nomination::Immediate;
        }
        config.consent = flags & 0x04 == 0;
        if flags & 0x08 != 0 {
            config.unauthenticated = Unauthenticated::Answer;
        }
        config.streams = if flags & 0x10 == 0 { vec![1] } else { vec![2, 1] };
        if flags & 0x20 != 0 {
            let limits = &mut config.limits;
            (limits.pairs, limits.remote_candidates, limits.peer_reflexive) = (3, 4, 2);
            (limits.early_checks, limits.checks_per_remote, limits.queued_packets) = (2, 10, 16);
        }
        let streams = config.streams.clone();
        let agent = Watched::new(config);
        let (requests, arrived) = (VecDeque::new(), VecDeque::new());
        let mut bed = Self { input, agent, now: Time::ZERO, streams, requests, arrived, checks: 0 };
        for n in 0..2 {
            bed.add_host(n, Component::default());
        }
        bed.signal(0);
        if flags & 0x40 == 0 {
            bed.introduce();
        }
        bed
    }

    fn step(&mut self) {
        match self.input.u8() % 32 {
            0..=4 => {
                let millis = u64::from(self.input.u8());
                self.advance(Duration::from_millis(4 * millis));
            }
            5 => {
                let tenths = u64::from(self.input.u8());
                self.advance(Duration::from_millis(100 * tenths));
            }
            6 => self.jump(),
            7..=12 => self.check(),
            13..=20 => self.answer(),
            21 => self.raw(),
            22 | 23 => self.again(),
            24 => self.echo(),
            25 => self.data(),
            _ => self.application(),
        }
        self.keep_requests();
    }

    fn keep_requests(&mut self) {
        let is_request =
            |p: &Packet| Message::parse(&p.bytes).is_ok_and(|message| message.class() == Class::Request);
        self.requests.extend(std::mem::take(&mut self.agent.packets).into_iter().filter(is_request));
        let surplus = self.requests.len().saturating_sub(KEPT);
        self.requests.drain(..surplus);
        self.agent.events.clear();
        assert!(self.agent.commands.is_empty(), "sockets of the embedder need no commands");
    }

    // --- time ---------------------------------------------------------------------------------------------------

    fn advance(&mut self, by: Duration) {
        let end = self.now + by;
        while let Some(due) = self.agent.agent().poll_timeout().filter(|&due| due <= end) {
            self.now = self.now.max(due);
            self.agent.wake(self.now);
        }
        self.now = end;
    }

    /// The driver is late, the machine slept, or the clock stands still or goes back.
    fn jump(&mut self) {
        let by = Duration::from_millis(u64::from(self.input.u16()) * 20);
        match self.input.u8() % 4 {
            0 | 1 => self.now += by,
            2 => {}
            // Back only for this once: the agent's clock does not follow.
            _ => return self.agent.call(Time::ZERO, Agent::handle_timeout),
        }
        self.agent.wake(self.now);
    }

    // --- datagrams ----------------------------------------------------------------------------------------------

    fn arrive(&mut self, datagram: Arrived) {
        let Arrived { socket, local_ip, source, bytes } = &datagram;
        let contents = Datagram { socket: *socket, local_ip: *local_ip, source: *source, contents: bytes };
        let received = self.agent.datagram(contents, self.now);
        // An authentic answer to a socket that is not ours fails its check (RFC 8445 §7.2.5.2.1); nothing else counts there.
        let is_answer = Message::parse(bytes)
            .is_ok_and(|message| matches!(message.class(), Class::Success | Class::Error));
        if !is_answer && self.agent.agent().socket_component(*socket).is_none() {
            assert!(matches!(received, Received::Rejected(_)), "{received:?} on no socket of ours");
        }
        self.arrived.push_back(datagram);
        let surplus = self.arrived.len().saturating_sub(KEPT);
        self.arrived.drain(..surplus);
    }

    fn has(&self, component: Component) -> bool {
        self.streams.get(usize::from(component.stream.0)).is_some_and(|&n| component.id.get() <= n)
    }

    /// A check, signed with our password or not.
    fn check(&mut self) {
        let (socket, local_ip) = self.destination();
        let source = remote(self.input.u8());
        // A retransmission now and then, possibly with other contents.
        self.checks += u64::from(self.input.u8() < 0xF0);
        let mut id = [0x77; 12];
        id[..8].copy_from_slice(&self.checks.to_be_bytes());
        let ours = self.agent.agent().local_credentials().clone();
        let bytes = hostile::request(&mut self.input, (ours.ufrag(), ours.pwd()), PEER_UFRAG, id);
        self.arrive(Arrived { socket, local_ip, source, bytes });
    }

    /// The answer to one of the last requests, mostly from where that went to.
    fn answer(&mut self) {
        let Some(Packet { socket, destination, bytes, .. }) = self.request() else { return };
        let Ok(request) = Message::parse(&bytes) else { return };
        let (mut socket, mut source, mut local_ip) = (socket, destination, None);
        match self.input.u8() {
            0xF0.. => (socket, local_ip) = self.destination(),
            0xE0..0xF0 => source = remote(self.input.u8()),
            _ => {}
        }
        let mapped = match self.input.u8() {
            n @ 0x80.. => remote(n),
            n => SocketAddr::from(([192, 0, 2, n % 4], 4000 + u16::from(n / 32))),
        };
        let mapped = if self.input.u8() < 0x80 { host(socket.0) } else { mapped };
        let bytes = hostile::answer(&mut self.input, request.transaction_id(), mapped, PEER_PWD);
        self.arrive(Arrived { socket, local_ip, source, bytes });
    }

    fn request(&mut self) -> Option<Packet> {
        let back = usize::from(self.input.u8()) % KEPT;
        self.requests.iter().rev().nth(back).cloned()
    }

    fn raw(&mut self) {
        let (socket, local_ip) = self.destination();
        let source = remote(self.input.u8());
        let len = usize::from(self.input.u8());
        let bytes = self.input.bytes(len).to_vec();
        self.arrive(Arrived { socket, local_ip, source, bytes });
    }

    /// What came before, from the same or another address, whole or not.
    fn again(&mut self) {
        let back = usize::from(self.input.u8()) % KEPT;
        let Some(mut datagram) = self.arrived.iter().rev().nth(back).cloned() else { return };
        match self.input.u8() % 8 {
            0 | 1 => datagram.source = remote(self.input.u8()),
            2 => (datagram.socket, datagram.local_ip) = self.destination(),
            3 => datagram.bytes.truncate(usize::from(self.input.u8())),
            4 => hostile::spoil(&mut datagram.bytes, &mut self.input),
            _ => {}
        }
        self.arrive(datagram);
    }

    /// The agent's own request, thrown back at it.
    fn echo(&mut self) {
        let Some(Packet { socket, destination, mut bytes, .. }) = self.request() else { return };
        if self.input.u8() >= 0x80 {
            hostile::spoil(&mut bytes, &mut self.input);
        }
        self.arrive(Arrived { socket, local_ip: None, source: destination, bytes });
    }

    fn data(&mut self) {
        let (socket, local_ip) = self.destination();
        let source = remote(self.input.u8());
        let first = self.input.u8();
        self.arrive(Arrived { socket, local_ip, source, bytes: vec![first; 30] });
    }

    fn destination(&mut self) -> (SocketId, Option<IpAddr>) {
        let which = self.input.u8();
        let socket = SocketId(u64::from(which % 4) % 3);
        let local_ip = match which / 4 % 16 {
            0 => Some(host(socket.0).ip()),
            1 => Some(host(1 - socket.0.min(1)).ip()),
            2 => Some(Ipv6Addr::LOCALHOST.into()),
            _ => None,
        };
        (socket, local_ip)
    }

    // --- the application ----------------------------------------------------------------------------------------

    fn application(&mut self) {
        let now = self.now;
        match self.input.u8() % 16 {
            0..=3 => {
                let n = self.input.u8();
                self.signal(n);
            }
            4 | 5 => {
                let (n, component) = (u64::from(self.input.u8() % 4), self.component());
                self.add_host(n, component);
            }
            6 | 7 => self.introduce(),
            8 => {
                let _ = self.agent.call(now, Agent::end_of_local_candidates);
            }
            9 | 10 => {
                let stream = self.component().stream;
                let _ = self.agent.call(now, |agent, now| agent.end_of_remote_candidates(stream, now));
            }
            11 => {
                let socket = SocketId(u64::from(self.input.u8() % 4));
                self.agent.call(now, |agent, now| agent.socket_failed(socket, now));
            }
            12 => {
                let component = self.component();
                self.agent.call(now, |agent, now| agent.record_sent(component, 1, 100, now));
            }
            13 => {
                let component = self.component();
                if self.agent.agent().send_path(component).is_ok() {
                    assert!(self.has(component) && !self.agent.closed);
                }
            }
            14 if self.input.u8() >= 0xF0 => self.agent.close(now),
            _ => self.others(),
        }
    }

    /// Credentials of which only a half is another one are an error and change nothing.
    fn others(&mut self) {
        let others = Credentials::new("other", PEER_PWD).expect("valid").into();
        let before = self.agent.agent().state();
        if before != floe_ice::ConnectionState::New {
            let result = self.agent.call(self.now, |agent, now| agent.set_remote_parameters(&others, now));
            assert!(matches!(result, Err(AgentError::HalfChangedCredentials | AgentError::Closed)), "{result:?}");
        }
    }

    fn component(&mut self) -> Component {
        let n = u16::from(self.input.u8());
        Component::new(StreamId(n / 2 % 3), ComponentId::new(1 + n % 2).unwrap_or_default())
    }

    fn add_host(&mut self, n: u64, component: Component) {
        let _ = self.agent.call(self.now, |agent, now| agent.add_host(component, SocketId(n), host(n), now));
    }

    fn signal(&mut self, n: u8) {
        let component = self.component();
        let candidate = Candidate::host(remote(n)).with_component(component.id);
        self.agent.signal(component.stream, &candidate, self.now);
    }

    fn introduce(&mut self) {
        let credentials = Credentials::new(PEER_UFRAG, PEER_PWD).expect("valid");
        self.agent.introduce(&RemoteParameters::new(credentials), self.now);
    }
}

/// The address of our socket with this number.
fn host(n: u64) -> SocketAddr {
    let n = u8::try_from(n % 4).unwrap_or_default();
    SocketAddr::from(([10, 0, 0, n + 1], 5000))
}

/// Addresses of peers and strangers, of all sorts.
fn remote(n: u8) -> SocketAddr {
    match n % 32 {
        20 => SocketAddr::from(([0, 0, 0, 0, 0, 0xFFFF, 0x0A01, 0x0001], 6000)),
        21 => SocketAddr::from(([0x2001, 0xdb8, 0, 0, 0, 0, 0, 1], 6000)),
        22 => SocketAddr::from(([10, 1, 0, 1], 0)),
        23 => SocketAddr::from(([224, 0, 0, 1], 6000)),
        24 => SocketAddr::from(([0, 0, 0, 0], 6000)),
        25 => host(0),
        26 => SocketAddr::from(([0xFE80, 0, 0, 0, 0, 0, 0, 1], 6000)),
        27 => SocketAddr::from(([127, 0, 0, 1], 6000)),
        n => SocketAddr::from(([10, 1, 0, n % 4 + 1], 6000 + u16::from(n / 4))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The signed answers of these seeds are taken for what they are, in both roles.
    #[test]
    fn plain_seeds_connect() {
        let seeds: [(&str, &[u8]); 2] = [
            ("connect-controlling", include_bytes!("../corpus/agent_datagrams/connect-controlling")),
            ("connect-controlled", include_bytes!("../corpus/agent_datagrams/connect-controlled")),
        ];
        for (name, seed) in seeds {
            let bed = played(seed);
            assert!(bed.agent.agent().selected_pair(Component::default()).is_some(), "{name}");
            let path = bed.agent.agent().send_path(Component::default());
            assert!(path.is_ok() || bed.now > Time::from_secs(30), "{name}: {path:?}");
        }
    }
}
