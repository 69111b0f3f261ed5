//! Random networks and random drivers: whatever they do, gathering keeps its pace, ends within its bound, once, and gives every
//! socket back. All that is asserted is what came out: packets, commands, events.

use alloc::vec::Vec;
use core::net::SocketAddr;
use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};
use std::string::String;

use floe_stun::Time;
use proptest::prelude::*;

use super::{Bench, Sent, error, millis, ms, parse, success};
use crate::{Command, DriverError, GatheringState, InterfaceAddress, RequestId, SocketId};

/// What the driver does with a question.
#[derive(Clone, Copy, Debug)]
enum Driver {
    Answers(u64),
    Fails(u64),
    Silent,
}

/// What becomes of a request to a server.
#[derive(Clone, Copy, Debug)]
enum Fate {
    Lost,
    Mapped(u64, u8),
    Refused(u64, u16),
    /// The right answer from the wrong place.
    Forged(u64),
    /// The answer twice.
    Twice(u64, u64),
}

/// Something else that happens.
#[derive(Clone, Copy, Debug)]
enum Nuisance {
    SocketFails(u64, u8),
    LateTimer(u64),
    Closes(u64),
}

#[derive(Clone, Debug)]
struct Story {
    interfaces: Vec<bool>,
    /// Names before addresses; true is IPv4.
    servers: Vec<(bool, bool)>,
    components: u16,
    ta: u64,
    checks: u8,
    driver: Vec<Driver>,
    fates: Vec<Fate>,
    nuisances: Vec<Nuisance>,
}

fn driver() -> impl Strategy<Value = Driver> {
    prop_oneof![
        4 => (0u64..8000).prop_map(Driver::Answers),
        1 => (0u64..8000).prop_map(Driver::Fails),
        1 => Just(Driver::Silent),
    ]
}

fn fate() -> impl Strategy<Value = Fate> {
    let delay = || prop_oneof![3 => 1u64..300, 1 => 300u64..15_000];
    prop_oneof![
        3 => Just(Fate::Lost),
        4 => (delay(), 0u8..3).prop_map(|(at, nat)| Fate::Mapped(at, nat)),
        1 => (delay(), prop_oneof![Just(500u16), Just(400), Just(300)]).prop_map(|(at, code)| Fate::Refused(at, code)),
        1 => delay().prop_map(Fate::Forged),
        1 => (delay(), delay()).prop_map(|(a, b)| Fate::Twice(a, b)),
    ]
}

fn nuisance() -> impl Strategy<Value = Nuisance> {
    prop_oneof![
        2 => (0u64..20_000, 0u8..6).prop_map(|(at, n)| Nuisance::SocketFails(at, n)),
        2 => (0u64..20_000).prop_map(Nuisance::LateTimer),
        1 => (0u64..40_000).prop_map(Nuisance::Closes),
    ]
}

fn story() -> impl Strategy<Value = Story> {
    (
        prop::collection::vec(any::<bool>(), 0..4),
        prop::collection::vec(any::<(bool, bool)>(), 0..4),
        (1u16..3, 5u64..60, 0u8..4),
        prop::collection::vec(driver(), 1..12),
        prop::collection::vec(fate(), 1..24),
        prop::collection::vec(nuisance(), 0..4),
    )
        .prop_map(|(interfaces, servers, (components, ta, checks), driver, fates, nuisances)| Story {
            interfaces,
            servers,
            components,
            ta,
            checks,
            driver,
            fates,
            nuisances,
        })
}

/// Something that is to happen, in the order of its time.
enum Deed {
    Open(RequestId, SocketAddr, bool),
    Resolve(RequestId, bool),
    Datagram(SocketId, SocketAddr, Vec<u8>),
    Nuisance(Nuisance),
}

/// The world of one story.
struct World {
    story: Story,
    bench: Bench,
    deeds: BTreeMap<(Time, usize), Deed>,
    /// Deeds, commands and packets that were dealt with.
    counted: usize,
    commands: usize,
    packets: usize,
    opened: BTreeSet<SocketId>,
    closed: bool,
    /// Before this time the driver does not call the timer.
    asleep_until: Time,
}

impl World {
    fn new(story: &Story) -> Self {
        let bench = Bench::new(|c| {
            c.ta = Duration::from_millis(story.ta);
            c.streams = [story.components].into();
            c.gather.servers = story.servers.iter().enumerate().map(server).collect();
        });
        let mut world = Self {
            story: story.clone(),
            bench,
            deeds: BTreeMap::new(),
            counted: 0,
            commands: 0,
            packets: 0,
            opened: BTreeSet::new(),
            closed: false,
            asleep_until: Time::ZERO,
        };
        world.bench.opens = false;
        for nuisance in story.nuisances.clone() {
            let (Nuisance::SocketFails(at, _) | Nuisance::LateTimer(at) | Nuisance::Closes(at)) = nuisance;
            world.plan(ms(at), Deed::Nuisance(nuisance));
        }
        world
    }

    fn plan(&mut self, at: Time, deed: Deed) {
        self.deeds.insert((at, self.counted), deed);
        self.counted += 1;
    }

    fn run(&mut self, end: Time) {
        let interfaces: Vec<_> = (0u8..).zip(&self.story.interfaces).map(interface).collect();
        self.bench.gather(&interfaces);
        self.bench.meet_a_peer(self.story.checks);
        self.react();
        loop {
            let deed = self.deeds.keys().next().copied();
            let timer = self.bench.agent.poll_timeout().map(|t| t.max(self.asleep_until));
            let next = deed.map(|d| d.0).into_iter().chain(timer).min();
            let Some(next) = next.filter(|&t| t <= end) else { break };
            self.bench.now = next;
            match deed.filter(|d| d.0 <= next).and_then(|key| self.deeds.remove(&key)) {
                Some(deed) => self.perform(deed),
                None => {
                    self.bench.agent.handle_timeout(next);
                    assert!(self.bench.agent.poll_timeout().is_none_or(|t| t > next), "no busy loop");
                }
            }
            self.bench.drain();
            self.react();
        }
    }

    fn perform(&mut self, deed: Deed) {
        let now = self.bench.now;
        match deed {
            Deed::Open(request, address, true) => {
                let socket = self.bench.open(request, address);
                self.opened.insert(socket);
                // A driver that says it twice.
                self.bench.agent.opened(request, Ok((socket, address)), now);
            }
            Deed::Open(request, _, false) => {
                self.bench.agent.opened(request, Err(DriverError::NoPortFree), now);
            }
            Deed::Resolve(request, true) => {
                let both: [SocketAddr; 2] = [parse("203.0.113.77:3478"), parse("[2001:db8::77]:3478")];
                self.bench.agent.resolved(request, Ok(&both), now);
            }
            Deed::Resolve(request, false) => {
                self.bench.agent.resolved(request, Err(DriverError::NameNotFound), now);
            }
            Deed::Datagram(socket, source, bytes) => {
                let contents = &bytes;
                let datagram = crate::Datagram { socket, local_ip: None, source, contents };
                let _ = self.bench.agent.handle_datagram(datagram, now);
            }
            Deed::Nuisance(Nuisance::SocketFails(_, n)) => {
                self.bench.agent.socket_failed(SocketId(n.into()), now);
            }
            Deed::Nuisance(Nuisance::LateTimer(_)) => self.asleep_until = now + Duration::from_millis(800),
            Deed::Nuisance(Nuisance::Closes(_)) => {
                self.closed = true;
                self.bench.agent.close(now);
            }
        }
    }

    /// What the driver and the network make of the new commands and packets.
    fn react(&mut self) {
        let commands: Vec<_> = self.bench.commands[self.commands..].iter().map(|c| c.1.clone()).collect();
        for command in commands {
            let driver = self.story.driver[self.commands % self.story.driver.len()];
            self.commands += 1;
            let (after, works) = match driver {
                Driver::Answers(after) => (after, true),
                Driver::Fails(after) => (after, false),
                Driver::Silent => continue,
            };
            let at = self.bench.now + Duration::from_millis(after);
            match command {
                Command::OpenUdp { request, address } => self.plan(at, Deed::Open(request, address, works)),
                Command::Resolve { request, .. } => self.plan(at, Deed::Resolve(request, works)),
                Command::Connect { .. } | Command::CloseSocket { .. } => {}
            }
        }
        let packets = self.bench.sent[self.packets..].to_vec();
        for packet in packets {
            let fate = self.story.fates[self.packets % self.story.fates.len()];
            self.packets += 1;
            assert!(!self.closed, "a closed agent sends nothing");
            if !packet.is_check {
                self.network(&packet, fate);
            }
        }
    }

    fn network(&mut self, packet: &Sent, fate: Fate) {
        let base = self.bench.sockets[packet.socket.0 as usize];
        let nat = |n: u8| match base {
            SocketAddr::V4(_) => SocketAddr::from(([198, 18, 0, n], base.port())),
            SocketAddr::V6(_) => SocketAddr::from(([0x2001, 0xdb8, 9, 0, 0, 0, 0, n.into()], base.port())),
        };
        let mut say = |after: u64, from: SocketAddr, bytes: Vec<u8>| {
            let at = packet.at + Duration::from_millis(after);
            self.plan(at, Deed::Datagram(packet.socket, from, bytes));
        };
        let elsewhere = SocketAddr::new(packet.to.ip(), 1);
        match fate {
            Fate::Lost => {}
            Fate::Mapped(after, n) => say(after, packet.to, success(packet.id, nat(n))),
            Fate::Refused(after, code) => say(after, packet.to, error(packet.id, code)),
            Fate::Forged(after) => say(after, elsewhere, success(packet.id, nat(66))),
            Fate::Twice(a, b) => {
                say(a, packet.to, success(packet.id, nat(1)));
                say(b, packet.to, success(packet.id, nat(2)));
            }
        }
    }
}

fn server((n, (named, v4)): (usize, &(bool, bool))) -> crate::ServerAddress {
    match (named, v4) {
        (true, _) => parse(&std::format!("stun{n}.example.org")),
        (false, true) => parse(&std::format!("203.0.113.{}", n + 1)),
        (false, false) => parse(&std::format!("[2001:db8::{}]", n + 1)),
    }
}

fn interface((n, v4): (u8, &bool)) -> InterfaceAddress {
    let address = if *v4 { std::format!("192.168.{n}.5") } else { std::format!("2001:db8:1::{n}") };
    InterfaceAddress::new(n.into(), parse(&address))
}

/// Milliseconds by which gathering is over, whatever happens: the driver's deadline, the turns of all queries with those of
/// checks and of repetitions after a 5xx between them, the server's deadline, and what a sleeping driver adds.
fn bound(story: &Story) -> u64 {
    let bases = story.interfaces.len() as u64 * u64::from(story.components);
    let queries = bases * story.servers.len() as u64;
    let naps = story.nuisances.iter().filter(|n| matches!(n, Nuisance::LateTimer(_))).count() as u64;
    5_000 + 2 * 5 * queries * story.ta + 10_000 + naps * 800 + story.ta
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn gathering_keeps_its_promises(story in story()) {
        let mut world = World::new(&story);
        world.run(ms(60_000));
        let bench = &mut world.bench;

        // Never two new transactions within Ta, checks and renewals included.
        let begun: Vec<u64> = bench.begun().iter().map(|s| millis(s.at)).collect();
        prop_assert!(begun.windows(2).all(|w| w[1] - w[0] >= story.ta), "{begun:?}");

        // A retransmission comes no sooner than 500 ms after the packet before it, with the same bytes, to the same place.
        let mut transactions: BTreeMap<_, &Sent> = BTreeMap::new();
        for packet in &bench.sent {
            if let Some(before) = transactions.insert(packet.id, packet) {
                prop_assert!(packet.at >= before.at + Duration::from_millis(500));
                prop_assert_eq!((&packet.bytes, packet.to, packet.socket), (&before.bytes, before.to, before.socket));
            }
        }

        // Gathering is complete once, within its bound, and nothing is found afterwards.
        let states: Vec<_> = bench.states().into_iter().map(|s| s.1).collect();
        let closed_early = story.nuisances.iter().any(|n| matches!(n, Nuisance::Closes(at) if *at < bound(&story)));
        let both = [GatheringState::Gathering, GatheringState::Complete];
        prop_assert!(states == both || (closed_early && states == both[..1]), "{states:?}");
        if let Some(at) = bench.completed_at() {
            prop_assert!(at <= bound(&story), "complete at {at} ms");
            let complete = bench.events.iter().position(|e| e.1 == crate::Event::GatheringStateChanged(both[1]));
            let found = |e: &crate::Event| matches!(e, crate::Event::LocalCandidate(_) | crate::Event::GatheringProblem { .. });
            prop_assert!(!bench.events[complete.unwrap_or(0)..].iter().any(|e| found(&e.1)));
        }

        // Every failure is told once: of a query, of a server, of a socket (before it has a port, one for each component).
        let unopened = |address: &Option<String>| address.as_ref().is_some_and(|a| a.ends_with(":0"));
        let sources: Vec<_> =
            bench.problems().into_iter().map(|p| (p.1, p.2)).filter(|p| !unopened(&p.1)).collect();
        prop_assert_eq!(sources.iter().collect::<BTreeSet<_>>().len(), sources.len(), "{:?}", sources);

        // No candidate comes from a forged answer, none is there twice, and each has its own priority.
        let candidates = bench.candidates();
        prop_assert!(candidates.iter().all(|c| !c.1.starts_with("198.18.0.66:") && !c.1.contains("::42]")));
        let of_component = |c: &(crate::LocalId, _, &crate::Candidate)| (c.2.component().get(), c.2.priority());
        let priorities: Vec<_> = bench.agent.local_candidates().map(|c| of_component(&c)).collect();
        prop_assert_eq!(priorities.iter().collect::<BTreeSet<_>>().len(), priorities.len());

        // Every socket that the driver opened is given back, each once.
        bench.agent.close(bench.now);
        bench.drain();
        let closed = bench.closed();
        prop_assert_eq!(closed.len(), world.opened.len());
        prop_assert_eq!(closed.into_iter().collect::<BTreeSet<_>>(), world.opened);
    }

    #[test]
    fn the_same_story_gives_the_same_packets(story in story()) {
        let bytes = || {
            let mut world = World::new(&story);
            world.run(ms(20_000));
            world.bench.sent.iter().map(|s| (s.at, s.socket, s.to, s.bytes.clone())).collect::<Vec<_>>()
        };
        prop_assert_eq!(bytes(), bytes());
    }
}

#[test]
fn a_bench_without_nuisances_is_what_the_properties_stand_on() {
    let story = Story {
        interfaces: std::vec![true],
        servers: std::vec![(false, true)],
        components: 1,
        ta: 50,
        checks: 0,
        driver: std::vec![Driver::Answers(0)],
        fates: std::vec![Fate::Mapped(40, 9)],
        nuisances: Vec::new(),
    };
    let mut world = World::new(&story);
    world.run(ms(1000));
    assert_eq!(world.bench.reflexive(), ["198.18.0.9:5000"]);
    assert_eq!(world.bench.completed_at(), Some(40));
}
