//! Two agents, a link that does harm, and applications that call whatever they like whenever they like.

use std::net::SocketAddr;
use std::time::Duration;

use floe_ice::candidate::canonical;
use floe_ice::{
    Agent,    Candidate, Command, Component, ComponentId, Config, ConnectionState, Datagram, DriverError, Event, GatheringState,
    InterfaceAddress, Nomination, Received, RemoteParameters, RequestId, Role, ServerAddress, SocketId, StreamId, Time,
};

use crate::Input;
use crate::link::{Flying, Link, SERVER};
use crate::watched::Watched;

/// How many operations one input has at most.
const MAX_OPERATIONS: usize = 300;

/// Runs two agents through what `data` says, and then lets them come to rest.
///
/// # Panics
///
/// If an agent breaks a rule that no network and no application can make it break, or if after a while on a perfect link
/// both believe to be connected and do not agree on the pairs.
pub fn run(data: &[u8]) {
    let mut world = played(data);
    world.rest();
    world.check_agreement();
}

/// After the last operation.
fn played(data: &[u8]) -> World<'_> {
    let mut world = World::new(Input::new(data));
    for _ in 0..MAX_OPERATIONS {
        if world.input.is_empty() {
            break;
        }
        world.step();
    }
    world
}

/// A socket of a side.
#[derive(Clone, Copy)]
struct Bound {
    socket: SocketId,
    address: SocketAddr,
    usable: bool,
}

/// One of the two.
struct Side {
    agent: Watched,
    sockets: Vec<Bound>,
    /// Commands not answered yet.
    questions: Vec<Command>,
    /// The last answer, to be given again.
    answered: Option<RequestId>,
    /// Candidates found; the first `signalled` of them are known to the peer.
    candidates: Vec<(StreamId, Candidate)>,
    signalled: usize,
}

struct World<'a> {
    input: Input<'a>,
    sides: [Side; 2],
    link: Link,
    now: Time,
    components: u16,
    /// In the end, what was not signalled yet is.
    completes: bool,
    /// Something happened after which the two need not agree: a socket failed, an address changed, consent ended, a driver slept.
    disturbed: bool,
    /// A side was told too early that the candidates have ended, and ignores those that came later: it may take the peer for one
    /// without a component (RFC 8445 §6.1.2.2) that the peer has and goes on checking.
    cut_short: bool,
}

impl<'a> World<'a> {
    fn new(mut input: Input<'a>) -> Self {
        let (flags, setup) = (input.u8(), input.u8());
        let components = if flags & 0x20 == 0 { 1 } else { 2 };
        let side = |n: u8| {
            let mut config = Config::new([n + 1; 32]);
            let is_controlling = (flags >> n) & 1 == u8::from(n == 1);
            config.role = if is_controlling { Role::Controlling } else { Role::Controlled };
            if flags & (0x04 << n) != 0 {
                config.nomination = Nomination::Immediate;
            }
            config.streams = vec![components];
            config.gather.servers = match setup & 0x30 {
                0x10 => vec![ServerAddress::Address(SERVER)],
                0x20 => vec![ServerAddress::Name { host: "stun.example".into(), port: SERVER.port() }],
                _ => Vec::new(),
            };
            Side {
                agent: Watched::new(config),
                sockets: Vec::new(),
                questions: Vec::new(),
                answered: None,
                candidates: Vec::new(),
                signalled: 0,
            }
        };
        let (sides, link) = ([side(0), side(1)], Link::new(flags & 0x10 != 0));
        let completes = setup & 0x04 == 0;
        let (now, disturbed) = (Time::ZERO, false);
        let mut world = Self { input, sides, link, now, components, completes, disturbed, cut_short: false };
        for side in 0..2 {
            world.set_up(side, setup & 0x03);
        }
        world
    }

    fn set_up(&mut self, side: usize, how: u8) {
        match how {
            0 | 1 => (1..=self.components).for_each(|c| self.add_host(side, 1, c)),
            2 => self.gather(side),
            _ => {}
        }
        if how == 0 {
            self.introduce(side);
            self.signal(side, usize::MAX);
        }
    }

    fn step(&mut self) {
        match self.input.u8() % 32 {
            0..=7 => {
                let by = 4 * u64::from(self.input.u8());
                self.advance(Duration::from_millis(by));
            }
            8 => {
                let by = 100 * u64::from(self.input.u8());
                self.advance(Duration::from_millis(by));
            }
            9 => {
                // Nobody looks at the clock, nor at the sockets. After too long, checks have failed that worked.
                let by = Duration::from_millis(20 * u64::from(self.input.u16()));
                self.disturbed |= by > Duration::from_secs(2);
                self.now += by;
                self.advance(Duration::ZERO);
            }
            10..=14 => self.link.harm(&mut self.input),
            15 => self.link.set_conditions(&mut self.input),
            16 => {
                self.link.rebind();
                self.disturbed = true;
            }
            _ => self.application(),
        }
        self.collect();
    }

    // --- time and packets ---------------------------------------------------------------------------------------

    fn advance(&mut self, by: Duration) {
        let end = self.now + by;
        loop {
            let due = |side: &Side| side.agent.agent().poll_timeout();
            let times = [self.link.next_arrival(), due(&self.sides[0]), due(&self.sides[1])];
            let Some(next) = times.into_iter().flatten().min().filter(|&next| next <= end) else { break };
            self.now = self.now.max(next);
            if let Some(packet) = self.link.arrived(self.now) {
                self.deliver(&packet);
            } else {
                for side in &mut self.sides {
                    if due(side).is_some_and(|due| due <= self.now) {
                        side.agent.wake(self.now);
                    }
                }
            }
            self.collect();
        }
        self.now = end;
    }

    fn deliver(&mut self, packet: &Flying) -> Option<Received> {
        for side in &mut self.sides {
            let bound = side.sockets.iter().find(|bound| bound.usable && bound.address == packet.to);
            if let Some(&Bound { socket, .. }) = bound {
                let (source, contents) = (packet.from, &packet.bytes[..]);
                let datagram = Datagram { socket, local_ip: None, source, contents };
                return Some(side.agent.datagram(datagram, self.now));
            }
        }
        None
    }

    /// What the agents put out.
    fn collect(&mut self) {
        for side in &mut self.sides {
            for packet in std::mem::take(&mut side.agent.packets) {
                let bound = side.sockets.iter().find(|bound| bound.socket == packet.socket);
                let bound = bound.filter(|bound| bound.usable).expect("sends on sockets that work");
                let packet = Flying { from: bound.address, to: packet.destination, bytes: packet.bytes };
                self.link.send(packet, self.now);
            }
            for command in std::mem::take(&mut side.agent.commands) {
                if let Command::CloseSocket { socket } = command {
                    side.sockets.retain(|bound| bound.socket != socket);
                } else {
                    side.questions.push(command);
                }
            }
            for event in std::mem::take(&mut side.agent.events) {
                // Whoever lost consent chooses another pair (RFC 8445 §8.1.2); the peer may still have it on the old one.
                self.disturbed |= matches!(event, Event::ConsentLost { .. });
                if let Event::LocalCandidate(id) = event {
                    let agent = side.agent.agent();
                    let candidate = agent.local_candidate(id).expect("announced").clone();
                    let component = agent.local_component(id).expect("announced");
                    side.candidates.push((component.stream, candidate));
                }
            }
        }
    }

    // --- applications -------------------------------------------------------------------------------------------

    fn application(&mut self) {
        let (what, side) = (self.input.u8() % 16, usize::from(self.input.u8() % 2));
        let now = self.now;
        match what {
            0 | 1 => self.introduce(side),
            2 | 3 => {
                let count = usize::from(self.input.u8() % 4);
                self.signal(side, count);
            }
            4 => self.end(side),
            5 => {
                let _ = self.sides[side].agent.call(now, Agent::end_of_local_candidates);
            }
            6 | 7 => {
                let (n, component) = (self.input.u8() % 4, u16::from(self.input.u8() % 2) + 1);
                self.add_host(side, n, component);
            }
            8 => self.gather(side),
            9..=11 => self.answer_oddly(side),
            12 => self.fail_socket(side),
            13 => self.send_data(side),
            14 if self.input.u8() >= 0xF0 => self.sides[side].agent.close(now),
            _ => {
                let component = Component::default();
                self.sides[side].agent.call(now, |agent, now| agent.record_sent(component, 1, 1000, now));
            }
        }
    }

    fn introduce(&mut self, side: usize) {
        let credentials = self.sides[1 - side].agent.agent().local_credentials().clone();
        self.sides[side].agent.introduce(&RemoteParameters::new(credentials), self.now);
        self.collect();
    }

    /// Tells the peer of so many more candidates of this side.
    fn signal(&mut self, side: usize, count: usize) {
        let Side { candidates, signalled, .. } = &mut self.sides[side];
        let fresh: Vec<_> = candidates[*signalled..].iter().take(count).cloned().collect();
        *signalled += fresh.len();
        for (stream, candidate) in fresh {
            self.sides[1 - side].agent.signal(stream, &candidate, self.now);
            self.collect();
        }
    }

    fn end(&mut self, side: usize) {
        let Side { agent, candidates, signalled, .. } = &self.sides[side];
        let complete = agent.agent().gathering_state() == GatheringState::Complete;
        self.cut_short |= !complete || *signalled < candidates.len();
        let peer = &mut self.sides[1 - side].agent;
        let _ = peer.call(self.now, |agent, now| agent.end_of_remote_candidates(StreamId::FIRST, now));
    }

    fn add_host(&mut self, side: usize, n: u8, component: u16) {
        let id = ComponentId::new(component).unwrap_or_default();
        let socket = SocketId(u64::from(n) * 10 + u64::from(component));
        let address = SocketAddr::from(([10, u8::try_from(side).unwrap_or_default(), 0, n + 1], 5000 + component));
        let Side { agent, sockets, .. } = &mut self.sides[side];
        let component = Component::new(StreamId::FIRST, id);
        let known = sockets.iter().any(|bound| bound.socket == socket);
        let added = agent.call(self.now, |agent, now| agent.add_host(component, socket, address, now));
        if added.is_ok() && !known {
            sockets.push(Bound { socket, address, usable: true });
        }
        self.collect();
    }

    fn gather(&mut self, side: usize) {
        let n = u8::try_from(side).unwrap_or_default();
        let interfaces = [1, 2].map(|i| InterfaceAddress::new(i, [10, n, 1, u8::try_from(i).unwrap_or(9)].into()));
        let _ = self.sides[side].agent.call(self.now, |agent, now| agent.gather(&interfaces, now));
        self.collect();
    }

    fn fail_socket(&mut self, side: usize) {
        let n = usize::from(self.input.u8());
        let Side { agent, sockets, .. } = &mut self.sides[side];
        let Some(bound) = n.checked_rem(sockets.len()).and_then(|n| sockets.get_mut(n)) else { return };
        bound.usable = false;
        self.disturbed = true;
        let socket = bound.socket;
        agent.call(self.now, |agent, now| agent.socket_failed(socket, now));
    }

    fn send_data(&mut self, side: usize) {
        let Ok(path) = self.sides[side].agent.agent().send_path(Component::default()) else { return };
        let bound = self.sides[side].sockets.iter().find(|bound| bound.socket == path.socket);
        let from = bound.filter(|bound| bound.usable).expect("a path on a socket that works").address;
        self.link.send(Flying { from, to: path.destination, bytes: vec![0x80; 20] }, self.now);
    }

    // --- the driver ---------------------------------------------------------------------------------------------

    fn answer_oddly(&mut self, side: usize) {
        let (which, how) = (usize::from(self.input.u8()), self.input.u8() % 8);
        let questions = &mut self.sides[side].questions;
        let Some(which) = which.checked_rem(questions.len()) else {
            // Nothing was asked: the last answer comes again.
            if let Some(request) = self.sides[side].answered {
                self.resolve(side, request, Err(DriverError::NameNotFound));
                self.open(side, request, None);
            }
            return;
        };
        let question = questions.remove(which);
        match (question, how) {
            (question, 0..=2) => self.answer(side, &question),
            (Command::Resolve { request, .. }, 3) => self.resolve(side, request, Ok(&[])),
            (Command::Resolve { request, .. }, 4) => {
                let odd = [([0, 0, 0, 0], 3478), ([224, 0, 0, 1], 1), ([198, 51, 100, 1], 0), ([127, 0, 0, 1], 9)];
                self.resolve(side, request, Ok(&odd.map(SocketAddr::from)));
            }
            (Command::Resolve { request, .. }, 5) => {
                // The answer to a question of another kind.
                self.open(side, request, Some(SERVER));
                self.resolve(side, request, Ok(&[SERVER; 3]));
            }
            (Command::Resolve { request, .. }, _) => {
                self.resolve(side, request, Err(DriverError::NameServiceFailed));
            }
            (Command::OpenUdp { request, .. }, 3) => self.open(side, request, Some(SocketAddr::from(([0; 4], 0)))),
            (Command::OpenUdp { request, .. }, 4) => {
                self.open(side, request, Some(SocketAddr::from(([172, 16, 0, 1], 4000))));
            }
            (Command::OpenUdp { request, address }, 5) => {
                self.open(side, request, Some(SocketAddr::new(address.ip(), 0)));
            }
            (Command::OpenUdp { request, .. }, _) => self.open(side, request, None),
            _ => {}
        }
    }

    /// As asked for.
    fn answer(&mut self, side: usize, question: &Command) {
        match *question {
            Command::Resolve { request, .. } => self.resolve(side, request, Ok(&[SERVER])),
            Command::OpenUdp { request, mut address } => {
                let port = 6000 + u16::try_from(request.as_u32()).unwrap_or_default();
                address.set_port(port);
                self.open(side, request, Some(address));
            }
            _ => {}
        }
    }

    fn resolve(&mut self, side: usize, request: RequestId, answer: Result<&[SocketAddr], DriverError>) {
        let Side { agent, answered, .. } = &mut self.sides[side];
        *answered = Some(request);
        agent.call(self.now, |agent, now| agent.resolved(request, answer, now));
        self.collect();
    }

    fn open(&mut self, side: usize, request: RequestId, address: Option<SocketAddr>) {
        let Side { agent, answered, sockets, .. } = &mut self.sides[side];
        *answered = Some(request);
        let socket = SocketId(1000 + 10 * u64::from(request.as_u32()) + sockets.len() as u64);
        let answer = address.map(|address| (socket, address)).ok_or(DriverError::AddressNotAvailable);
        if let Some(address) = address {
            sockets.push(Bound { socket, address, usable: true });
        }
        agent.call(self.now, |agent, now| agent.opened(request, answer, now));
        self.collect();
    }

    // --- the end ------------------------------------------------------------------------------------------------

    /// The link is perfect for longer than anything lasts: a check 39.5 s (RFC 8489 §6.2.1), consent 30 s, gathering 15 s.
    fn rest(&mut self) {
        self.link.heal();
        for _ in 0..40 {
            if self.completes {
                (0..2).for_each(|side| self.complete(side));
            }
            self.advance(Duration::from_millis(2_500));
        }
    }

    /// All that an application does, if it was not done.
    fn complete(&mut self, side: usize) {
        for question in std::mem::take(&mut self.sides[side].questions) {
            self.answer(side, &question);
        }
        self.introduce(side);
        self.signal(side, usize::MAX);
        let agent = &mut self.sides[side].agent;
        let _ = agent.call(self.now, Agent::end_of_local_candidates);
        self.collect();
        if self.sides[side].agent.agent().gathering_state() == GatheringState::Complete {
            self.signal(side, usize::MAX);
            self.end(side);
        }
    }

    fn check_agreement(&mut self) {
        let states = [0, 1].map(|side| self.sides[side].agent.agent().state());
        let is_over = |state| {
            matches!(state, ConnectionState::Failed | ConnectionState::New | ConnectionState::Closed)
        };
        if self.disturbed || states.into_iter().any(is_over) {
            return;
        }
        // As long as the peer may trickle more candidates, nothing is hopeless (RFC 8838 §14).
        let waits = |state| matches!(state, ConnectionState::Checking | ConnectionState::Disconnected);
        if (!self.completes || self.cut_short) && states.into_iter().any(waits) {
            return;
        }
        assert_eq!(states, [ConnectionState::Completed; 2]);
        let [one, other] = [0, 1].map(|side| self.sides[side].agent.agent());
        assert_ne!(one.role(), other.role());
        for id in 1..=self.components {
            let component = Component::new(StreamId::FIRST, ComponentId::new(id).unwrap_or_default());
            let ends = |pair: floe_ice::PairInfo<'_>| {
                (canonical(pair.local.address()), canonical(pair.remote.address()))
            };
            let pairs = [one, other].map(|agent| agent.selected_pair(component).map(ends));
            match pairs {
                [Some((here, there)), Some(other)] => assert_eq!((there, here), other),
                // A component that one side has no candidate for is not used (RFC 8445 §6.1.2.2).
                [None, None] if id > 1 => {}
                [Some(_), None] | [None, Some(_)] if id > 1 && self.cut_short => {}
                pairs => panic!("{component:?}: {pairs:?}"),
            }
        }
        (0..2).for_each(|side| self.check_data(side));
    }

    /// What one side sends arrives at the other as data.
    fn check_data(&mut self, side: usize) {
        self.advance(Duration::from_secs(1));
        assert!(self.sides[side].agent.agent().send_path(Component::default()).is_ok());
        let begun = self.now;
        self.send_data(side);
        while let Some(next) = self.link.next_arrival() {
            let Some(packet) = self.link.arrived(next) else { break };
            let is_data = packet.bytes == [0x80; 20];
            let received = self.deliver(&packet);
            if is_data {
                assert!(matches!(received, Some(Received::Data { .. })), "{received:?} {packet:02x?}");
                return;
            }
        }
        panic!("data sent at {begun:?} never arrived");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The others begin where these end: fuzzing would have far to go without them.
    #[test]
    fn plain_seeds_connect() {
        let seeds: [(&str, &[u8]); 4] = [
            ("hosts", include_bytes!("../corpus/agent_pair/hosts")),
            ("nat", include_bytes!("../corpus/agent_pair/nat")),
            ("both-controlling-immediate", include_bytes!("../corpus/agent_pair/both-controlling-immediate")),
            ("gather-by-name", include_bytes!("../corpus/agent_pair/gather-by-name")),
        ];
        for (name, seed) in seeds {
            let world = played(seed);
            let states = world.sides.map(|side| side.agent.agent().state());
            assert_eq!(states, [ConnectionState::Completed; 2], "{name}");
        }
    }
}
