//! Two parties and a signalling path that loses, repeats and reorders, on virtual time.

use std::collections::BTreeMap;
use std::time::Duration;

use floe_ice::Time;
use floe_signal::SignalingState as S;

use crate::party::{Action, Party};

pub(crate) struct World {
    pub(crate) parties: [Box<dyn Party>; 2],
    now: Time,
    /// By arrival: the receiver and the message. The number keeps those apart that arrive at the same time.
    on_the_way: BTreeMap<(Time, u64), (usize, String)>,
    count: u64,
    /// One byte decides what becomes of a message; used again and again. Empty: nothing happens to any.
    fates: Vec<u8>,
    connected: [bool; 2],
    heard: [u64; 2],
    acted: [u64; 2],
    resumed: [u64; 2],
}

/// How long a message takes when nothing happens to it.
const WAY: Duration = Duration::from_millis(30);

impl World {
    pub(crate) fn new(parties: [Box<dyn Party>; 2], fates: Vec<u8>) -> Self {
        Self {
            parties,
            now: Time::from_secs(1),
            on_the_way: BTreeMap::new(),
            count: 0,
            fates,
            connected: [true; 2],
            heard: [0; 2],
            acted: [0; 2],
            resumed: [0; 2],
        }
    }

    pub(crate) fn act(&mut self, side: usize, action: Action) {
        match action {
            Action::TransportLost | Action::Reload => {
                // What is on its way to or from a broken transport is lost, or not: here, with the fate of the action.
                if self.fate().is_multiple_of(2) {
                    self.on_the_way.retain(|_, (to, _)| *to != side);
                }
                self.connected[side] = !matches!(action, Action::TransportLost);
            }
            Action::TransportResumed => {
                self.connected[side] = true;
                self.resumed[side] += 1;
            }
            _ => {}
        }
        self.acted[side] += 1;
        self.parties[side].act(action, self.now);
        self.collect();
    }

    /// Lets time pass.
    pub(crate) fn pass(&mut self, time: Duration) {
        let until = self.now + time;
        while let Some(next) = self.next().filter(|next| *next <= until) {
            self.now = self.now.max(next);
            while let Some(first) = self.on_the_way.first_entry().filter(|first| first.key().0 <= self.now) {
                let (to, message) = first.remove();
                if self.connected[to] {
                    self.heard[to] += 1;
                    self.parties[to].hear(&message, self.now);
                    self.collect();
                }
            }
            for side in 0..2 {
                if self.parties[side].due().is_some_and(|due| due <= self.now) {
                    self.parties[side].tick(self.now);
                }
            }
            self.collect();
        }
        self.now = until;
    }

    /// Nothing more is lost, and everything is answered; then all that is under way comes to its end.
    pub(crate) fn heal(&mut self) {
        self.fates.clear();
        for side in 0..2 {
            self.act(side, Action::TransportResumed);
        }
        // An offer may have been rolled back for another, and the answer be another's turn.
        for _ in 0..3 {
            self.pass(Duration::from_secs(100));
            for side in 0..2 {
                self.act(side, Action::Answer);
            }
        }
        // A peer that is gone is noticed by whoever has something to say.
        for side in 0..2 {
            self.act(side, Action::Offer);
            self.pass(Duration::from_secs(10));
            self.act(1 - side, Action::Answer);
            self.pass(Duration::from_secs(100));
        }
    }

    /// Both are in the same call and agree on it, or both are in none.
    pub(crate) fn check_agreement(&self) {
        let [a, b] = [0, 1].map(|side| self.parties[side].report());
        assert!(self.on_the_way.is_empty() && self.next().is_none(), "it comes to rest: {a:?} {b:?}");
        assert_eq!((a.unacknowledged, b.unacknowledged), (0, 0));
        let Some((a_own, a_peers)) = a.call else {
            assert_eq!(b.call, None, "one is in a call and the other is not");
            return;
        };
        assert_eq!(b.call, a_peers.map(|b_own| (b_own, Some(a_own))), "both are in the same call");
        assert_eq!((a.state, b.state), (S::Stable, S::Stable));
        let [a, b] = [0, 1].map(|side| self.parties[side].browser());
        assert_eq!((&a.current_local, &a.current_remote), (&b.current_remote, &b.current_local));
        for (from, to) in [(a, b), (b, a)] {
            let Some(generation) = from.current_local.as_deref().map(crate::browser::ufrag) else { continue };
            assert_eq!(
                from.sent.get(generation),
                to.got.get(generation),
                "each candidate of {generation}, once"
            );
        }
    }

    /// Nobody says more than what it is asked, told, and what the clock allows for repetitions.
    pub(crate) fn check_traffic(&self) {
        let seconds = (self.now - Time::ZERO).as_secs();
        for side in 0..2 {
            let (sent, repeated) = self.parties[side].sent();
            // An action makes at most a description and a candidate; a message a start and a reply, or an answer and a candidate.
            assert!(sent <= 3 * self.acted[side] + 3 * self.heard[side], "side {side}: {sent}");
            let on_resume = (self.resumed[side] + 1) * 3 * (self.acted[side] + self.heard[side]);
            assert!(repeated <= 8 * seconds + on_resume, "side {side}: {repeated} in {seconds} s");
        }
    }

    fn next(&self) -> Option<Time> {
        let arrival = self.on_the_way.first_key_value().map(|((at, _), _)| *at);
        self.parties.iter().map(|party| party.due()).chain([arrival]).flatten().min()
    }

    /// Takes what both have to say, and decides what becomes of it.
    fn collect(&mut self) {
        for side in 0..2 {
            for message in self.parties[side].say() {
                let fate = self.fate();
                if !self.connected[side] || (!self.fates.is_empty() && fate < 64) {
                    continue;
                }
                // Up to 2.5 s late, so that messages overtake each other and their repetitions.
                let delay = if fate < 128 { WAY } else { WAY * u32::from(fate % 84) };
                self.post(1 - side, message.clone(), delay);
                if fate % 8 == 7 {
                    self.post(1 - side, message, delay * 2);
                }
            }
        }
    }

    fn post(&mut self, to: usize, message: String, delay: Duration) {
        self.count += 1;
        assert!(self.count < 50_000, "a storm");
        self.on_the_way.insert((self.now + delay, self.count), (to, message));
    }

    fn fate(&mut self) -> u8 {
        self.count += 1;
        let fates = &self.fates;
        if fates.is_empty() { 64 } else { fates[usize::try_from(self.count).unwrap_or(0) % fates.len()] }
    }
}
