//! Two agents, one clock, and a network in memory that delays every packet by the same time.
//!
//! The same code drives floe and its alternatives, and what it costs itself is part of every figure. It allocates
//! nothing once its packets are there.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use crate::heap;

/// How long ago the clock began, in nanoseconds.
pub type Nanos = u64;

/// Room for any packet of any agent: what floe asks for.
const PACKET_ROOM: usize = floe_ice::MAX_TRANSMIT;

/// A datagram on its way.
#[derive(Clone, Debug)]
pub struct Packet {
    /// The address of the socket it was sent from.
    pub from: SocketAddr,
    /// Where it goes.
    pub to: SocketAddr,
    /// How much of `bytes` it is.
    pub len: usize,
    /// The payload, and behind it whatever was there before.
    pub bytes: [u8; PACKET_ROOM],
}

impl Packet {
    /// Nothing yet.
    #[must_use]
    pub fn empty() -> Self {
        let nowhere = SocketAddr::from(([0, 0, 0, 0], 0));
        Self { from: nowhere, to: nowhere, len: 0, bytes: [0; PACKET_ROOM] }
    }

    /// Takes over what an agent has encoded elsewhere.
    pub fn fill(&mut self, from: SocketAddr, to: SocketAddr, bytes: &[u8]) {
        (self.from, self.to, self.len) = (from, to, bytes.len());
        self.bytes[..bytes.len()].copy_from_slice(bytes);
    }

    /// The payload.
    pub fn contents(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

/// How two agents are to be connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setup {
    /// Host candidates of each side.
    pub hosts: u8,
    /// How long a packet takes.
    pub one_way: Duration,
    /// Nominate the first pair that works.
    pub immediate: bool,
}

impl Setup {
    /// Regular nomination over 50 ms.
    #[must_use]
    pub const fn of_hosts(hosts: u8) -> Self {
        Self { hosts, one_way: Duration::from_millis(50), immediate: false }
    }
}

/// Which of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The controlling one.
    A,
    /// The controlled one.
    B,
}

impl Side {
    const BOTH: [Self; 2] = [Self::A, Self::B];

    const fn other(self) -> Self {
        match self {
            Self::A => Self::B,
            Self::B => Self::A,
        }
    }
}

/// The address of host candidate `n` of a side: each on a network of its own.
#[must_use]
pub fn host(side: Side, n: u8) -> SocketAddr {
    SocketAddr::from(([10, side as u8, n, 1], 5000))
}

/// An ICE agent of some library, as the world drives it.
pub trait Agent: Sized {
    /// What it is called in tables.
    const NAME: &'static str;

    /// Bytes of the agent itself, without what it has on the heap.
    const SIZE: usize;

    /// An agent with its local candidates, at time zero.
    fn new(side: Side, setup: Setup) -> Self;

    /// Tells `peer` the candidates and credentials of this agent, at time zero.
    fn introduce_to(&self, peer: &mut Self);

    /// Both are introduced: checks may begin, at time zero.
    fn start(&mut self) {}

    /// A packet arrived.
    fn receive(&mut self, packet: &mut Packet, now: Nanos);

    /// The time of [`Agent::next_timeout`] has come.
    fn timeout(&mut self, now: Nanos);

    /// When it wants to be woken up.
    fn next_timeout(&mut self) -> Option<Nanos>;

    /// The next packet to send, if there is one.
    fn transmit(&mut self, out: &mut Packet, now: Nanos) -> bool;

    /// Takes note of what the agent has to say to the application.
    fn drain(&mut self, now: Nanos);

    /// Whether the application could send data.
    fn is_usable(&self) -> bool;

    /// Whether a pair is nominated and selected.
    fn is_nominated(&self) -> bool;
}

/// What happened to one side.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// Packets sent.
    pub packets: u64,
    /// How often it was woken up by its own wish.
    pub wakeups: u64,
    /// When data was possible.
    pub usable_at: Option<Nanos>,
    /// When its pair was selected.
    pub nominated_at: Option<Nanos>,
}

/// Packets that wait to be used again. They move between here and the network without being copied.
type Spare = Vec<Box<Packet>>;

/// The agents and what is between them.
pub struct World<A> {
    /// Side A, side B. Both stay where they are, so that the world does not move them around.
    agents: [A; 2],
    accounts: [Account; 2],
    now: Nanos,
    one_way: Nanos,
    flying: VecDeque<(Nanos, Side, Box<Packet>)>,
    spare: Spare,
    recording: Option<(Side, Vec<Packet>)>,
    /// What was allocated before the agents were, and the most that was since.
    heap: Option<(usize, usize)>,
}

/// Packets of an earlier world, to be used again.
#[derive(Default)]
pub struct Post {
    flying: VecDeque<(Nanos, Side, Box<Packet>)>,
    spare: Spare,
}

impl<A: Agent> World<A> {
    /// Two agents that know all of each other.
    #[must_use]
    pub fn new(setup: Setup) -> Self {
        Self::with(setup, Post::default())
    }

    /// The same, with packets that are there already.
    #[must_use]
    pub fn with(setup: Setup, post: Post) -> Self {
        let [mut a, mut b] = Side::BOTH.map(|side| A::new(side, setup));
        a.introduce_to(&mut b);
        b.introduce_to(&mut a);
        a.start();
        b.start();
        let one_way = u64::try_from(setup.one_way.as_nanos()).unwrap_or(Nanos::MAX);
        let Post { flying, spare } = post;
        Self {
            agents: [a, b],
            accounts: [Account::default(); 2],
            now: 0,
            one_way,
            flying,
            spare,
            recording: None,
            heap: None,
        }
    }

    /// The most memory that both agents have on the heap at the end of any step of connecting.
    ///
    /// # Panics
    /// When the agents do not connect.
    #[must_use]
    pub fn peak(setup: Setup) -> usize {
        // As many packets as it takes, so that none of them is counted.
        let mut world = Self::new(setup);
        assert!(world.connect(Duration::from_secs(60)), "{} does not connect", A::NAME);
        let (_, post) = world.into_parts();
        let before = heap::live();
        let mut world = Self::with(setup, post);
        world.heap = Some((before, heap::live()));
        assert!(world.connect(Duration::from_secs(60)), "{} does not connect again", A::NAME);
        world.heap.map_or(0, |(before, most)| most - before)
    }

    /// Takes the packets back, and the agents.
    pub fn into_parts(mut self) -> ([A; 2], Post) {
        let landed = self.flying.drain(..).map(|(_, _, packet)| packet);
        self.spare.extend(landed);
        (self.agents, Post { flying: self.flying, spare: self.spare })
    }

    /// Runs until both have selected a pair; whether they did before `limit`.
    pub fn connect(&mut self, limit: Duration) -> bool {
        let limit = u64::try_from(limit.as_nanos()).unwrap_or(Nanos::MAX);
        self.collect();
        while self.accounts.iter().any(|account| account.nominated_at.is_none()) {
            if !self.step(limit) {
                return false;
            }
        }
        true
    }

    /// Runs for a while.
    pub fn run_for(&mut self, duration: Duration) {
        let end = self.now + u64::try_from(duration.as_nanos()).unwrap_or(Nanos::MAX);
        self.collect();
        while self.step(end) {}
        self.now = end;
    }

    /// Runs for a while, and returns what a side receives.
    pub fn record(&mut self, side: Side, duration: Duration) -> Vec<Packet> {
        self.recording = Some((side, Vec::new()));
        self.run_for(duration);
        self.recording.take().map_or_else(Vec::new, |(_, packets)| packets)
    }

    /// Goes to the next moment at which something happens, if it is not later than `end`.
    fn step(&mut self, end: Nanos) -> bool {
        let landing = self.flying.front().map(|(at, ..)| *at);
        let timers = self.agents.iter_mut().filter_map(A::next_timeout);
        let Some(next) = timers.chain(landing).min().filter(|&next| next <= end) else { return false };
        self.now = self.now.max(next);
        while let Some((_, to, mut packet)) = self.flying.pop_front_if(|(at, ..)| *at <= self.now) {
            if let Some((_, recorded)) = self.recording.as_mut().filter(|(side, _)| *side == to) {
                recorded.push(Packet::clone(&packet));
            }
            self.agents[to as usize].receive(&mut packet, self.now);
            self.spare.push(packet);
        }
        for (agent, account) in self.agents.iter_mut().zip(&mut self.accounts) {
            if agent.next_timeout().is_some_and(|at| at <= self.now) {
                account.wakeups += 1;
                agent.timeout(self.now);
            }
        }
        self.collect();
        if let Some((_, most)) = &mut self.heap {
            *most = (*most).max(heap::live());
        }
        true
    }

    /// Takes out of both agents what there is.
    fn collect(&mut self) {
        for side in Side::BOTH {
            let (agent, account) = (&mut self.agents[side as usize], &mut self.accounts[side as usize]);
            loop {
                let mut packet = self.spare.pop().unwrap_or_else(|| Box::new(Packet::empty()));
                if !agent.transmit(&mut packet, self.now) {
                    self.spare.push(packet);
                    break;
                }
                account.packets += 1;
                self.flying.push_back((self.now + self.one_way, side.other(), packet));
            }
            agent.drain(self.now);
            if account.usable_at.is_none() && agent.is_usable() {
                account.usable_at = Some(self.now);
            }
            if account.nominated_at.is_none() && agent.is_nominated() {
                account.nominated_at = Some(self.now);
            }
        }
    }

    /// A world whose agents are connected and have nothing left to do but to keep the connection.
    ///
    /// # Panics
    /// When the agents do not connect.
    #[must_use]
    pub fn settled(setup: Setup) -> Self {
        let mut world = Self::new(setup);
        assert!(world.connect(Duration::from_secs(60)), "{} does not connect", A::NAME);
        world.run_for(Duration::from_secs(300));
        world
    }

    /// What happened to each side so far.
    pub fn accounts(&self) -> [Account; 2] {
        self.accounts
    }

    /// The agents.
    pub fn agents(&self) -> &[A; 2] {
        &self.agents
    }

    /// The agents, to be used directly.
    pub fn agents_mut(&mut self) -> &mut [A; 2] {
        &mut self.agents
    }

    /// The time.
    pub fn now(&self) -> Nanos {
        self.now
    }
}
