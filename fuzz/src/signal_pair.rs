//! Two sessions, a signalling path that does harm, and applications that do whatever they like whenever they like.

use std::time::Duration;

use floe_ice::Time;
use floe_ice::candidate::CandidateInit;
use floe_signal::message::{EndReason, Envelope, Message, ParticipantId, SessionDescription};
use floe_signal::{Config, Event, Session, SignalingState as S};

use crate::Input;

/// How many operations one input has at most.
const MAX_OPERATIONS: usize = 300;

/// Runs two sessions through what `data` says, and then lets them come to rest.
///
/// # Panics
///
/// If a session grows without bound or says more than it was asked, or if after a while on a perfect path the two do not
/// agree, unless a message was changed on its way: a server can do that, and nobody else.
pub fn run(data: &[u8]) {
    let mut pair = Pair::new();
    let mut input = Input::new(data);
    for _ in 0..MAX_OPERATIONS {
        if input.is_empty() {
            break;
        }
        pair.operate(&mut input);
    }
    pair.rest();
    if !pair.tampered {
        pair.check_agreement();
    }
}

struct Pair {
    sessions: [Session; 2],
    /// To whom, and what.
    on_the_way: Vec<(usize, Envelope)>,
    now: Time,
    reloads: u64,
    /// The generations of both, which only grow.
    generations: [u32; 2],
    /// A message was changed on its way.
    tampered: bool,
}

fn session(side: usize, reloads: u64) -> Session {
    let id = |text| ParticipantId::new(text).expect("an id");
    let (own, peer) = if side == 0 { ("ann", "bob") } else { ("bob", "ann") };
    Session::new(Config::new(id(own), id(peer), (reloads + 1) << 20)).expect("good settings")
}

impl Pair {
    fn new() -> Self {
        let sessions = [session(0, 0), session(1, 0)];
        Self { sessions, on_the_way: Vec::new(), now: Time::ZERO, reloads: 0, generations: [0; 2], tampered: false }
    }

    fn operate(&mut self, input: &mut Input<'_>) {
        let operation = input.u8();
        let side = usize::from(operation & 1);
        let now = self.now;
        let session = &mut self.sessions[side];
        // What an application may not do is refused, and changes nothing.
        match operation >> 1 {
            0 | 16 => drop(session.start(now)),
            1 | 17 => self.offer(side, false),
            2 => self.offer(side, true),
            3 | 18 => self.answer(side),
            4 => drop(session.reject_offer(now)),
            5 | 19 => self.candidate(side, input.u8()),
            6 => drop(session.hang_up(EndReason::HangUp, now)),
            7 => {
                self.reloads += 1;
                *session = self::session(side, self.reloads);
            }
            8 => session.transport_lost(now),
            9 => session.transport_resumed(now),
            10 => session.peer_left(),
            11 => self.tick(Duration::from_millis(u64::from(input.u16()))),
            12 => drop(session.set_local_description(SessionDescription::pranswer(sdp(side, 0)), now)),
            _ => self.deliver(input),
        }
        self.collect();
    }

    /// One of the messages on the way arrives, is lost, arrives and stays, or arrives broken.
    fn deliver(&mut self, input: &mut Input<'_>) {
        if self.on_the_way.is_empty() {
            return;
        }
        let at = usize::from(input.u8()) % self.on_the_way.len();
        let harm = input.u8();
        let (to, mut message) = self.on_the_way[at].clone();
        if harm & 3 != 3 {
            self.on_the_way.remove(at);
        }
        self.tampered |= (1..4).contains(&(harm >> 2));
        match harm >> 2 {
            0 => return,
            1 => message.seq = Some(u64::from(input.u8()) + 1),
            2 => message.call = Some(u64::from(input.u32()) + 1),
            3 => message.message = Message::Description(SessionDescription::offer("v=0\r\n")),
            _ => {}
        }
        let _ = self.sessions[to].handle_message(message, self.now);
    }

    fn tick(&mut self, time: Duration) {
        self.now += time;
        self.sessions.iter_mut().for_each(|session| session.handle_timeout(self.now));
    }

    fn offer(&mut self, side: usize, restart: bool) {
        let known = self.sessions[side].local_description().is_some();
        if restart || !known {
            self.generations[side] += 1;
        }
        let offer = SessionDescription::offer(sdp(side, self.generations[side]));
        let _ = self.sessions[side].set_local_description(offer, self.now);
    }

    /// Answers with the generation there is, or with a new one when only that is right.
    fn answer(&mut self, side: usize) {
        let known = self.sessions[side].local_description().map(ToString::to_string);
        let answers = known.into_iter().chain([sdp(side, self.generations[side] + 1)]);
        for answer in answers.map(SessionDescription::answer).collect::<Vec<_>>() {
            if self.sessions[side].set_local_description(answer, self.now).is_ok() {
                self.generations[side] += 1;
                return;
            }
        }
    }

    fn candidate(&mut self, side: usize, port: u8) {
        let mut candidate = CandidateInit::default();
        if port > 0 {
            candidate.candidate = format!("candidate:1 1 UDP 1 192.0.2.1 {port} typ host");
            candidate.username_fragment = Some(ufrag(side, self.generations[side].saturating_sub(u32::from(port & 1))));
        }
        let _ = self.sessions[side].add_local_candidate(candidate, self.now);
    }

    /// Takes what both have to say. Repetitions are bounded by the clock.
    fn collect(&mut self) {
        for side in 0..2 {
            while let Some(message) = self.sessions[side].poll_message() {
                self.on_the_way.push((1 - side, message));
            }
            while let Some(event) = self.sessions[side].poll_event() {
                let generation = &mut self.generations[side];
                *generation += u32::from(event == Event::RolledBack);
            }
            let (early, held, unacknowledged) = self.sessions[side].waiting();
            assert!(early <= 64 && held <= 256 && unacknowledged <= 1100);
        }
    }

    /// Everything arrives, and every offer is answered, until nothing is left to do.
    fn rest(&mut self) {
        for session in &mut self.sessions {
            session.transport_resumed(self.now);
        }
        for round in 0..4 {
            self.pass(Duration::from_secs(100));
            (0..2).for_each(|side| self.answer(side));
            self.pass(Duration::from_secs(100));
            // Who has something to say learns whether the other is there.
            self.offer(round % 2, false);
            self.pass(Duration::from_secs(1));
            self.answer(1 - round % 2);
        }
        self.pass(Duration::from_secs(100));
    }

    fn pass(&mut self, time: Duration) {
        let until = self.now + time;
        loop {
            self.collect();
            let mut turns = 0;
            while !self.on_the_way.is_empty() {
                for (to, message) in std::mem::take(&mut self.on_the_way) {
                    let _ = self.sessions[to].handle_message(message, self.now);
                }
                self.collect();
                turns += 1;
                assert!(turns < 100, "a storm");
            }
            let next = self.sessions.iter().filter_map(Session::poll_timeout).min();
            let Some(next) = next.filter(|next| *next <= until) else { break };
            self.tick(next.max(self.now) - self.now);
        }
        self.tick(until - self.now);
    }

    fn check_agreement(&self) { 
        let [a, b] = &self.sessions;
        let mirrored = b.call().and_then(|(own, peers)| Some((peers?, Some(own))));
        assert_eq!(a.call(), mirrored, "both are in the same call, or in none");
        assert_eq!((a.poll_timeout(), b.poll_timeout()), (None, None));
        if a.call().is_some() {
            assert_eq!((a.state(), b.state()), (S::Stable, S::Stable));
            let text = |sdp: Option<&floe_signal::sdp::Sdp>| sdp.map(ToString::to_string);
            assert_eq!(text(a.local_description()), text(b.remote_description()));
            assert_eq!(text(b.local_description()), text(a.remote_description()));
        }
    }
}

fn ufrag(side: usize, generation: u32) -> String {
    format!("side{side}gen{generation}")
}

fn sdp(side: usize, generation: u32) -> String {
    let ufrag = ufrag(side, generation);
    format!(
        "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\nm=audio 9 RTP/AVP 0\r\na=mid:0\r\na=ice-ufrag:{ufrag}\r\n\
         a=ice-pwd:{ufrag}PasswordOfTwentyTwoCh\r\n"
    )
}
