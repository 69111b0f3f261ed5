//! Random inputs of one agent: what its driver, its application, its peer and strangers can do.

use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};
use core::time::Duration;
use std::boxed::Box;
use std::collections::BTreeSet;
use std::string::String;
use std::vec;

use floe_stun::attributes::{
    ErrorCode, IceControlled, IceControlling, Priority, UseCandidate, Username, XorMappedAddress,
};
use floe_stun::{Class, IntegrityAlgorithm, Key, MessageBuilder, Method, TransactionId};
use proptest::prelude::*;

use super::super::heard::Heard;
use super::super::script::{Ask, component, host, peer, remote};
use crate::message::PeerRole;
use crate::{
    Agent, Config, Credentials, Datagram, Event, MAX_TRANSMIT, Nomination, RemoteParameters, Role, SocketId,
    StreamId, Time, Transmit,
};

/// Something that happens.
#[derive(Clone, Debug)]
pub(super) enum Op {
    /// Time goes on, with every wake-up on time.
    Advance(u64),
    /// Time goes on unnoticed, in ms: the driver is late, or the machine slept.
    Late(u64),
    /// The clock goes back.
    Back(u64),
    /// A check of the peer: from, to, role, tie-breaker, nominating, priority.
    Ask {
        from: u8,
        to: u8,
        controlling: bool,
        tie: u64,
        nominate: bool,
        priority: u32,
        repeat: bool,
    },
    /// An answer to one of the requests sent so far: success or an error, right or from elsewhere.
    Reply {
        nth: usize,
        error: Option<u16>,
        elsewhere: bool,
        mapped: u8,
        forged: bool,
    },
    /// Any bytes.
    Garbage(Vec<u8>),
    /// A packet of the agent itself, changed a little.
    Echo {
        nth: usize,
        at: usize,
        flip: u8,
    },
    Data(u8),
    Signal {
        stream: u16,
        n: u8,
        component: u16,
    },
    Credentials,
    EndLocal,
    EndRemote,
    Host {
        n: u8,
        component: u16,
    },
    SocketFailed(u8),
    RecordSent,
    Restart(Restart),
}

/// What a restart brings, of either side.
#[derive(Clone, Copy, Debug)]
pub(super) enum Restart {
    Ours,
    /// The peer's next credentials arrive: an answer, or a restart of its own.
    Peers,
    /// Credentials from so many restarts ago arrive again.
    Old(u8),
    /// Half of the peer's credentials is another one.
    Half,
    /// A check for one of our earlier sessions, and from one of the peer's.
    Ask {
        ours: u8,
        theirs: u8,
        from: u8,
        nominate: bool,
    },
    /// A candidate of an earlier session of the peer, or of one to come.
    Signal {
        theirs: i8,
        n: u8,
    },
    /// The end of the candidates of one.
    End {
        theirs: i8,
    },
    /// The interfaces of now.
    Gather,
}

fn any_restart() -> impl Strategy<Value = Restart> {
    let ask = (0..3u8, 0..3u8, 0..6u8, any::<bool>());
    prop_oneof![
        4 => Just(Restart::Ours),
        5 => Just(Restart::Peers),
        1 => (1..4u8).prop_map(Restart::Old),
        1 => Just(Restart::Half),
        4 => ask.prop_map(|(ours, theirs, from, nominate)| Restart::Ask { ours, theirs, from, nominate }),
        3 => (-2..2i8, 1..8u8).prop_map(|(theirs, n)| Restart::Signal { theirs, n }),
        1 => (-2..2i8).prop_map(|theirs| Restart::End { theirs }),
        1 => Just(Restart::Gather),
    ]
}

pub(super) fn any_op() -> impl Strategy<Value = Op> {
    let ask = (0..6u8, 1..4u8, any::<bool>(), any::<u64>(), any::<bool>(), any::<u32>(), any::<bool>());
    let ask = ask.prop_map(|(from, to, controlling, tie, nominate, priority, repeat)| Op::Ask {
        from,
        to,
        controlling,
        tie,
        nominate,
        priority,
        repeat,
    });
    let error = prop_oneof![
        6 => Just(None),
        1 => prop_oneof![Just(400), Just(401), Just(403), Just(420), Just(487), Just(500), Just(300)].prop_map(Some),
    ];
    let rarely = || prop::bool::weighted(0.05);
    let reply = (0..8usize, error, rarely(), 0..4u8, rarely());
    let reply = reply.prop_map(|(nth, error, elsewhere, mapped, forged)| Op::Reply {
        nth,
        error,
        elsewhere,
        mapped,
        forged,
    });
    prop_oneof![
        20 => (1..200u64).prop_map(Op::Advance),
        4 => (200..20_000u64).prop_map(Op::Advance),
        2 => (1..40_000u64).prop_map(Op::Late),
        1 => (1..10_000_000u64).prop_map(Op::Late),
        1 => (1..100_000u64).prop_map(Op::Back),
        12 => ask,
        20 => reply,
        2 => prop::collection::vec(any::<u8>(), 0..80).prop_map(Op::Garbage),
        2 => (0..8usize, 0..150usize, any::<u8>()).prop_map(|(nth, at, flip)| Op::Echo { nth, at, flip }),
        2 => (0..6u8).prop_map(Op::Data),
        6 => (0..2u16, 1..8u8, 1..3u16).prop_map(|(stream, n, component)| Op::Signal { stream, n, component }),
        3 => Just(Op::Credentials),
        1 => Just(Op::EndLocal),
        1 => Just(Op::EndRemote),
        2 => (1..4u8, 1..3u16).prop_map(|(n, component)| Op::Host { n, component }),
        1 => (1..4u8).prop_map(Op::SocketFailed),
        1 => Just(Op::RecordSent),
        6 => any_restart().prop_map(Op::Restart),
    ]
}

/// How the agent is configured.
#[derive(Clone, Debug)]
pub(super) struct Setup {
    pub(super) seed: u8,
    pub(super) controlling: bool,
    pub(super) immediate: bool,
    pub(super) consent: bool,
    pub(super) streams: Vec<u16>,
    pub(super) pairs: u16,
}

pub(super) fn any_setup() -> impl Strategy<Value = Setup> {
    let streams = prop_oneof![3 => Just(vec![1]), 1 => Just(vec![2]), 1 => Just(vec![2, 1])];
    let parts =
        (any::<u8>(), any::<bool>(), prop::bool::weighted(0.3), prop::bool::weighted(0.7), streams, 1..20u16);
    parts.prop_map(|(seed, controlling, immediate, consent, streams, pairs)| Setup {
        seed,
        controlling,
        immediate,
        consent,
        streams,
        pairs,
    })
}

/// An input as it enters the agent, with everything decided.
#[derive(Clone, Debug)]
pub(super) enum Input {
    Timeout,
    Datagram { socket: SocketId, local_ip: Option<IpAddr>, source: SocketAddr, bytes: Box<[u8]> },
    Signal(StreamId, crate::Candidate),
    Credentials(Credentials),
    Restart,
    EndOf(String),
    Gather,
    EndLocal,
    EndRemote,
    Host { component: crate::Component, socket: SocketId, address: SocketAddr },
    SocketFailed(SocketId),
    RecordSent,
}

/// A packet as it was polled.
pub(super) type Packet = (Transmit, Box<[u8]>);

/// An agent, and what came out of it.
pub(super) struct Bed {
    pub(super) agent: Agent,
    pub(super) now: Time,
    pub(super) packets: Vec<(Time, Packet)>,
    pub(super) events: Vec<Event>,
    hosts: BTreeSet<(u16, u8)>,
    asked: u64,
    /// Our credentials in every session, the latest last.
    ours: Vec<Credentials>,
    /// How often the peer has restarted.
    peer: u8,
}

/// The socket of an address: its number tells component and host.
fn address(n: u8, component: u16) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, n], 5000 + component))
}

fn socket(n: u8, component: u16) -> SocketId {
    SocketId(u64::from(n) + 100 * u64::from(component))
}

impl Bed {
    pub(super) fn new(setup: &Setup) -> Self {
        let mut config = Config::new([setup.seed; 32]);
        config.role = if setup.controlling { Role::Controlling } else { Role::Controlled };
        config.nomination = if setup.immediate { Nomination::Immediate } else { Nomination::default() };
        config.consent = setup.consent;
        config.streams = setup.streams.clone();
        config.limits.pairs = setup.pairs;
        (config.limits.peer_reflexive, config.limits.early_checks, config.limits.remote_candidates) =
            (4, 3, 12);
        let agent = Agent::new(config, Time::ZERO).expect("valid");
        let (now, packets, events) = (Time::ZERO, Vec::new(), Vec::new());
        let ours = vec![agent.local_credentials().clone()];
        Self { agent, now, packets, events, hosts: BTreeSet::new(), asked: 0, ours, peer: 0 }
    }

    /// What an operation means in concrete inputs; wake-ups happen when the agent wants them. `feed` gets each of
    /// them with its time.
    pub(super) fn run(&mut self, op: &Op, feed: &mut impl FnMut(&mut Self, Input)) {
        match op {
            Op::Advance(ms) => {
                let end = self.now.saturating_add(Duration::from_millis(*ms));
                while let Some(due) = self.agent.poll_timeout().filter(|&due| due <= end) {
                    self.now = self.now.max(due);
                    feed(self, Input::Timeout);
                }
                self.now = end;
            }
            Op::Late(ms) => {
                self.now = self.now.saturating_add(Duration::from_millis(*ms));
                feed(self, Input::Timeout);
            }
            Op::Back(ms) => {
                self.now = self.now.saturating_sub(Duration::from_millis(*ms));
                feed(self, Input::Timeout);
            }
            other => {
                if let Some(input) = self.input(other) {
                    feed(self, input);
                }
            }
        }
    }

    fn input(&mut self, op: &Op) -> Option<Input> {
        Some(match *op {
            Op::Ask { .. } => self.ask(op)?,
            Op::Reply { .. } => self.reply(op)?,
            Op::Garbage(ref bytes) => datagram(remote(1), 1, bytes),
            Op::Echo { nth, at, flip } => {
                let (_, (transmit, bytes)) = self.packets.iter().rev().nth(nth)?;
                let mut bytes = bytes.clone();
                let at = at % bytes.len();
                bytes[at] ^= flip;
                let (socket, source) = (transmit.socket, transmit.destination);
                Input::Datagram { socket, local_ip: None, source, bytes }
            }
            Op::Data(from) => datagram(remote(from), 1, &[0x80; 12]),
            Op::Signal { stream, n, component } => {
                let component = crate::ComponentId::new(component)?;
                Input::Signal(StreamId(stream), host(n).with_component(component))
            }
            Op::Credentials => Input::Credentials(peer(self.peer)),
            Op::Restart(restart) => self.restart(restart)?,
            Op::EndLocal => Input::EndLocal,
            Op::EndRemote => Input::EndRemote,
            Op::Host { n, component: id } => {
                self.hosts.insert((id, n));
                Input::Host { component: component(0, id), socket: socket(n, id), address: address(n, id) }
            }
            Op::SocketFailed(n) => Input::SocketFailed(socket(n, 1)),
            Op::RecordSent => Input::RecordSent,
            Op::Advance(_) | Op::Late(_) | Op::Back(_) => return None,
        })
    }

    fn ask(&mut self, op: &Op) -> Option<Input> {
        let &Op::Ask { from, to, controlling, tie, nominate, priority, repeat } = op else { return None };
        self.asked += u64::from(!repeat);
        let mut id = [7; 12];
        id[..8].copy_from_slice(&self.asked.to_be_bytes());
        let ours = self.agent.local_credentials();
        let (name, key) =
            (std::format!("{}:{}", ours.ufrag(), peer(self.peer).ufrag()), Key::short_term(ours.pwd()));
        let mut out = [0; 256];
        let builder = MessageBuilder::new(&mut out, Class::Request, Method::BINDING, TransactionId::new(id))
            .attribute(&Username::new(&name))
            .attribute(&Priority(priority));
        let builder = match controlling {
            true => builder.attribute(&IceControlling(tie)),
            false => builder.attribute(&IceControlled(tie)),
        };
        let builder = builder.maybe(nominate.then_some(&UseCandidate));
        let len = builder.integrity(&key, IntegrityAlgorithm::Sha1).fingerprint().finish().ok()?;
        Some(datagram(remote(from), to, &out[..len]))
    }

    fn reply(&self, op: &Op) -> Option<Input> {
        let &Op::Reply { nth, error, elsewhere, mapped, forged } = op else { return None };
        let requests = self.packets.iter().rev().map(|(_, p)| (p, Heard::new(&p.1)));
        let ((transmit, _), request) = requests.filter(|(_, h)| h.is_request()).nth(nth)?;
        let mut out = [0; 128];
        let class = if error.is_some() { Class::Error } else { Class::Success };
        let builder = MessageBuilder::new(&mut out, class, Method::BINDING, request.id);
        let builder = match error {
            Some(code) => builder.attribute(&ErrorCode::new(code, "")),
            None => {
                let seen = SocketAddr::from(([192, 0, 2, mapped], 4000));
                let ours = self.hosts.iter().map(|&(id, n)| (socket(n, id), address(n, id)));
                let base = ours.into_iter().find(|(s, _)| *s == transmit.socket)?.1;
                builder.attribute(&XorMappedAddress(if mapped == 0 { base } else { seen }))
            }
        };
        // With the password of the session that was asked.
        let name = request.username.unwrap_or_default();
        let asked = (0..=self.peer).map(peer).find(|p| name.starts_with(&std::format!("{}:", p.ufrag())))?;
        let key = Key::short_term(if forged { "not the password" } else { asked.pwd() });
        let len = builder.integrity(&key, IntegrityAlgorithm::Sha1).fingerprint().finish().ok()?;
        let source = if elsewhere { remote(99) } else { transmit.destination };
        let bytes = out[..len].into();
        Some(Input::Datagram { socket: transmit.socket, local_ip: None, source, bytes })
    }

    fn restart(&mut self, restart: Restart) -> Option<Input> {
        // The peer has so many names that one is not used up within a run.
        let theirs = |back: i8| peer(self.peer.saturating_add_signed(back));
        Some(match restart {
            Restart::Ours => Input::Restart,
            Restart::Peers => {
                self.peer += 1;
                Input::Credentials(peer(self.peer))
            }
            Restart::Old(back) => Input::Credentials(peer(self.peer.saturating_sub(back))),
            Restart::Half => {
                let (ufrag, pwd) = (peer(self.peer), peer(self.peer + 1));
                Input::Credentials(Credentials::new(ufrag.ufrag(), pwd.pwd()).ok()?)
            }
            Restart::Ask { ours, theirs: back, from, nominate } => {
                let ours = self.ours.iter().rev().nth(usize::from(ours))?;
                let theirs = peer(self.peer.saturating_sub(back));
                let role = PeerRole::Controlling(u64::from(from));
                let username = Some(std::format!("{}:{}", ours.ufrag(), theirs.ufrag()));
                let key = Some(Key::short_term(ours.pwd()));
                self.asked += 1;
                let mut id = [8; 12];
                id[..8].copy_from_slice(&self.asked.to_be_bytes());
                let ask = Ask {
                    from: remote(from),
                    to: address(1, 1),
                    id: TransactionId::new(id),
                    role: Some(role),
                    priority: Some(1),
                    nominate,
                    username,
                    key,
                    sha256: false,
                    extra: None,
                };
                datagram(ask.from, 1, &ask.encode())
            }
            Restart::Signal { theirs: back, n } => {
                Input::Signal(StreamId::FIRST, host(n).with_ufrag(theirs(back).ufrag()).ok()?)
            }
            Restart::End { theirs: back } => Input::EndOf(theirs(back).ufrag().into()),
            Restart::Gather => Input::Gather,
        })
    }

    /// One input, at the time of this bed.
    pub(super) fn feed(&mut self, input: &Input) {
        let now = self.now;
        // Misuse gives an error and changes nothing; so does what comes again.
        match input {
            Input::Timeout => self.agent.handle_timeout(now),
            Input::Datagram { socket, local_ip, source, bytes } => {
                let datagram =
                    Datagram { socket: *socket, local_ip: *local_ip, source: *source, contents: bytes };
                let _ = self.agent.handle_datagram(datagram, now);
            }
            Input::Signal(stream, candidate) => {
                let _ = self.agent.add_remote_candidate(*stream, candidate, now);
            }
            Input::Credentials(credentials) => {
                let _ = self.agent.set_remote_parameters(&RemoteParameters::new(credentials.clone()), now);
            }
            Input::Restart => {
                let _ = self.agent.restart(now);
            }
            Input::EndOf(ufrag) => {
                let _ = self.agent.end_of_remote_candidates_of(StreamId::FIRST, ufrag, now);
            }
            Input::Gather => {
                let _ = self.agent.gather(&[], now);
            }
            Input::EndLocal => {
                let _ = self.agent.end_of_local_candidates(now);
            }
            Input::EndRemote => {
                let _ = self.agent.end_of_remote_candidates(StreamId::FIRST, now);
            }
            Input::Host { component, socket, address } => {
                let _ = self.agent.add_host(*component, *socket, *address, now);
            }
            Input::SocketFailed(socket) => self.agent.socket_failed(*socket, now),
            Input::RecordSent => self.agent.record_sent(crate::Component::default(), 1, 1, now),
        }
        self.agent.check_invariants();
        if self.ours.last() != Some(self.agent.local_credentials()) {
            self.ours.push(self.agent.local_credentials().clone());
        }
    }

    pub(super) fn poll(&mut self) {
        let mut buffer = [0; MAX_TRANSMIT];
        while let Some(t) = self.agent.poll_transmit(&mut buffer) {
            self.packets.push((self.now, (t, buffer[..t.len].into())));
        }
        while let Some(event) = self.agent.poll_event() {
            self.events.push(event);
        }
    }
}

fn datagram(source: SocketAddr, to: u8, bytes: &[u8]) -> Input {
    Input::Datagram { socket: socket(to, 1), local_ip: None, source, bytes: bytes.into() }
}
