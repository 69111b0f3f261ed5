//! Two channels on a link that loses, doubles and reorders, in virtual time.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use floe_signal::sdp::Fingerprint;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha12Rng;

use super::channel::SendError;
use super::{Certificate, Channel, Event, MAX_MESSAGE, Peer, Role};

/// What the network does to a datagram.
#[derive(Clone, Copy)]
struct Impairment {
    loss: f64,
    doubled: f64,
    /// Each takes between this…
    least: Duration,
    /// …and this.
    most: Duration,
}

const PERFECT: Impairment =
    Impairment { loss: 0.0, doubled: 0.0, least: Duration::from_millis(10), most: Duration::from_millis(10) };
const BAD: Impairment = Impairment {
    loss: 0.05,
    doubled: 0.03,
    least: Duration::from_millis(5),
    most: Duration::from_millis(25),
};

struct World {
    now: Instant,
    sides: [Channel; 2],
    events: [Vec<Event>; 2],
    /// When, to whom, what.
    flying: VecDeque<(Instant, usize, Vec<u8>)>,
    impairment: Impairment,
    is_cut: bool,
    /// Whose events are not asked for.
    deaf: Option<usize>,
    sent: usize,
    rng: ChaCha12Rng,
}

impl World {
    fn new(impairment: Impairment, seed: u64) -> Self {
        let certificates = [certificate(), certificate()];
        let named = [1, 0].map(|at: usize| vec![fingerprint(&certificates[at])]);
        Self::with(&certificates, named, impairment, seed)
    }

    fn with(
        certificates: &[Certificate; 2],
        named: [Vec<Fingerprint>; 2],
        impairment: Impairment,
        seed: u64,
    ) -> Self {
        let now = Instant::now();
        let [first, second] = named;
        let peer = |role, fingerprints| Peer { role, fingerprints, max_message: 65_536 };
        let sides = [
            Channel::new(&certificates[0], peer(Role::Client, first), now),
            Channel::new(&certificates[1], peer(Role::Server, second), now),
        ];
        let rng = ChaCha12Rng::seed_from_u64(seed);
        let (events, flying) = ([Vec::new(), Vec::new()], VecDeque::new());
        Self { now, sides, events, flying, impairment, is_cut: false, deaf: None, sent: 0, rng }
    }

    /// Lets time pass until `done`, for a minute at most.
    fn run(&mut self, done: impl Fn(&Self) -> bool) {
        let end = self.now + Duration::from_secs(60);
        loop {
            self.collect();
            if done(self) {
                return;
            }
            let timers = self.sides.iter().filter_map(Channel::poll_timeout);
            let next = timers.chain(self.flying.iter().map(|(at, ..)| *at)).min();
            let next = next.expect("something is to come").max(self.now);
            assert!(next < end, "not within a minute");
            self.now = next;
            while let Some(at) = self.flying.iter().position(|(at, ..)| *at <= self.now) {
                let (_, to, packet) = self.flying.remove(at).expect("it was found there");
                self.sides[to].handle_datagram(&packet, self.now);
                self.collect();
            }
            for side in &mut self.sides {
                side.handle_timeout(self.now);
            }
        }
    }

    fn run_for(&mut self, time: Duration) {
        let end = self.now + time;
        self.flying.push_back((end, 0, Vec::new()));
        self.run(|world| world.now >= end);
    }

    fn collect(&mut self) {
        for from in 0..2 {
            while let Some(packet) = self.sides[from].poll_transmit() {
                self.sent += 1;
                self.fly(1 - from, &packet);
            }
            if self.deaf != Some(from) {
                self.events[from].extend(std::iter::from_fn(|| self.sides[from].poll_event()));
            }
        }
    }

    fn fly(&mut self, to: usize, packet: &[u8]) {
        let Impairment { loss, doubled, least, most } = self.impairment;
        if self.is_cut || self.rng.random_bool(loss) {
            return;
        }
        for _ in 0..if self.rng.random_bool(doubled) { 2 } else { 1 } {
            let delay = self.rng.random_range(least..=most);
            self.flying.push_back((self.now + delay, to, packet.to_vec()));
        }
    }

    fn open(mut self) -> Self {
        self.run(|world| world.events.iter().all(|events| events.contains(&Event::Open)));
        self.events = [Vec::new(), Vec::new()];
        self
    }
}

fn certificate() -> Certificate {
    Certificate::generate().expect("there are random numbers")
}

fn fingerprint(certificate: &Certificate) -> Fingerprint {
    Fingerprint::sha256(certificate.digest())
}

fn bytes(seed: u64, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    ChaCha12Rng::seed_from_u64(seed).fill(&mut bytes[..]);
    bytes
}

#[test]
fn texts_and_bytes_arrive_in_order_both_ways_whatever_the_link_does() {
    for seed in 0..6 {
        let mut world = World::new(BAD, seed).open();
        let mut expected = [Vec::new(), Vec::new()];
        for number in 0..60_usize {
            for from in 0..2 {
                let now = world.now;
                let len = [0, 1, 1_200, MAX_MESSAGE, 60_000][number % 5];
                let sent = if number % 2 == 0 {
                    let text = "é".repeat(len / 2);
                    expected[1 - from].push(Event::Text(text.clone()));
                    world.sides[from].send_text(&text, now)
                } else {
                    let bytes = bytes(number as u64, len);
                    expected[1 - from].push(Event::Bytes(bytes.clone()));
                    world.sides[from].send_bytes(&bytes, now)
                };
                assert_eq!(sent, Ok(()));
            }
        }
        let arrived = |world: &World| [0, 1].iter().all(|&at| world.events[at].len() >= expected[at].len());
        world.run(arrived);
        assert!(world.events == expected, "seed {seed}");
    }
}

#[test]
fn a_peer_with_another_certificate_than_was_signalled_gets_nothing() {
    let certificates = [certificate(), certificate()];
    let stranger = fingerprint(&certificate());
    for side in 0..2 {
        let mut named = [1, 0].map(|at: usize| vec![fingerprint(&certificates[at])]);
        named[side] = vec![stranger.clone()];
        let mut world = World::with(&certificates, named, PERFECT, 1);
        world.run(|world| !world.events[side].is_empty());
        let reason = "the peer's certificate is not the one that was signalled".to_owned();
        assert_eq!(world.events[side], [Event::Closed(Some(reason))]);
        assert!(!world.events[1 - side].contains(&Event::Open), "{:?}", world.events);
        let now = world.now;
        assert_eq!(world.sides[side].send_text("secret", now), Err(SendError::NotOpen));
    }
}

#[test]
fn what_is_longer_than_the_peer_takes_is_not_sent() {
    let mut world = World::new(PERFECT, 1).open();
    let now = world.now;
    let sent = world.sides[0].send_bytes(&vec![0; 65_537], now);
    assert_eq!(sent, Err(SendError::TooLong(65_536)));
    assert_eq!(world.sides[0].send_bytes(&vec![0; 65_536], now), Ok(()));
    world.run(|world| world.events[1].len() == 1);
}

#[test]
fn a_sender_waits_for_room_and_is_told_of_it() {
    let mut world = World::new(PERFECT, 1).open();
    let mut sent = 0;
    while world.sides[0].has_room() {
        let now = world.now;
        world.sides[0].send_bytes(&[7; MAX_MESSAGE], now).expect("it is open");
        sent += 1;
    }
    assert_eq!(sent, 1024 * 1024 / MAX_MESSAGE);
    world.run(|world| world.events[0] == [Event::Room]);
    assert!(world.sides[0].has_room());
}

#[test]
fn a_reader_that_stays_away_makes_the_sender_wait_and_loses_nothing() {
    let mut world = World::new(PERFECT, 1).open();
    world.deaf = Some(1);
    let mut sent = 0_usize;
    for _ in 0..600 {
        while world.sides[0].has_room() {
            let now = world.now;
            world.sides[0].send_bytes(&[7; MAX_MESSAGE], now).expect("it is open");
            sent += 1;
        }
        world.run_for(Duration::from_millis(20));
    }
    assert!(sent * MAX_MESSAGE < 6 * 1024 * 1024, "{sent} messages are kept by somebody");
    world.deaf = None;
    world.run(|world| world.events[1].len() == sent);
}

#[test]
fn a_path_that_is_gone_for_a_while_loses_nothing() {
    let mut world = World::new(PERFECT, 3).open();
    world.is_cut = true;
    world.flying.clear();
    let now = world.now;
    for number in 0..40_u8 {
        world.sides[0].send_bytes(&[number; MAX_MESSAGE], now).expect("it is open");
    }
    world.run_for(Duration::from_secs(40));
    world.is_cut = false;
    let before = world.now;
    world.run(|world| world.events[1].len() == 40);
    assert!(world.now - before < Duration::from_secs(4), "{:?}", world.now - before);
}

#[test]
fn closing_comes_behind_what_was_sent_and_both_sides_learn_of_it() {
    for seed in 0..6 {
        let mut world = World::new(BAD, seed).open();
        let now = world.now;
        world.sides[1].send_bytes(&bytes(1, 60_000), now).expect("it is open");
        world.sides[1].close(now);
        assert_eq!(world.sides[1].send_text("late", now), Err(SendError::NotOpen));
        world.run(|world| world.events[0].contains(&Event::Closed(None)));
        assert_eq!(world.events[0], [Event::Bytes(bytes(1, 60_000)), Event::Closed(None)], "seed {seed}");
        world.run(|world| world.events[1].contains(&Event::Closed(None)));
    }
}

#[test]
fn garbage_changes_nothing() {
    let mut world = World::new(PERFECT, 1).open();
    let mut rng = ChaCha12Rng::seed_from_u64(5);
    for _ in 0..500 {
        let len = rng.random_range(0..200);
        let mut garbage = bytes(rng.random(), len);
        if let Some(first) = garbage.first_mut() {
            // What DTLS takes for one of its records (RFC 7983).
            *first = rng.random_range(20..64);
        }
        let now = world.now;
        world.sides[rng.random_range(0..2)].handle_datagram(&garbage, now);
    }
    let now = world.now;
    world.sides[0].send_text("still there", now).expect("it is open");
    world.run(|world| world.events[1] == [Event::Text("still there".to_owned())]);
}
