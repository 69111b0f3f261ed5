//! Two sessions, and what is between them.

mod calls;
mod candidates;
mod delivery;
mod exchange;
mod glare;
mod refusals;
mod restarts;

use std::time::Duration;

use floe_ice::Time;
use floe_ice::candidate::CandidateInit;

use super::{Config, Event, Received, Session, SignalingState as S};
use crate::message::{Envelope, ErrorCode, Message, ParticipantId, SessionDescription};

/// Ann, who is polite, and Bob, who is not: `ann` < `bob`.
struct Pair {
    ann: Session,
    bob: Session,
    now: Time,
}

fn id(text: &str) -> ParticipantId {
    ParticipantId::new(text).expect("an id")
}

fn session(own: &str, peer: &str, first_call: u64) -> Session {
    Session::new(Config::new(id(own), id(peer), first_call)).expect("good settings")
}

/// An SDP of one section with these credentials.
fn sdp(ufrag: &str) -> String {
    format!(
        "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\nc=IN IP4 0.0.0.0\r\n\
         a=mid:0\r\na=ice-ufrag:{ufrag}\r\na=ice-pwd:{ufrag}PasswordOfEnoughChars\r\n"
    )
}

fn offer(ufrag: &str) -> SessionDescription {
    SessionDescription::offer(sdp(ufrag))
}

fn answer(ufrag: &str) -> SessionDescription {
    SessionDescription::answer(sdp(ufrag))
}

/// A candidate of this generation with this port.
fn candidate(ufrag: &str, port: u16) -> CandidateInit {
    let mut init = CandidateInit::default();
    init.candidate = format!("candidate:1 1 UDP 2130706431 192.0.2.1 {port} typ host");
    init.sdp_mid = Some("0".into());
    init.username_fragment = Some(ufrag.into());
    init
}

fn end_of_candidates(ufrag: &str) -> CandidateInit {
    let mut init = CandidateInit::end_of_candidates(ufrag);
    init.sdp_mid = Some("0".into());
    init
}

fn messages(session: &mut Session) -> Vec<Envelope> {
    std::iter::from_fn(|| session.poll_message()).collect()
}

fn events(session: &mut Session) -> Vec<Event> {
    std::iter::from_fn(|| session.poll_event()).collect()
}

/// Hands messages over, as JSON.
fn give(session: &mut Session, messages: Vec<Envelope>, now: Time) -> Vec<Received> {
    let over = |message: Envelope| Envelope::from_json(&message.to_json()).expect("what we write we read");
    messages.into_iter().map(|message| session.handle_message(over(message), now)).collect()
}

impl Pair {
    fn new() -> Self {
        Self { ann: session("ann", "bob", 100), bob: session("bob", "ann", 200), now: Time::from_secs(1) }
    }

    /// In a call that Ann began, nothing negotiated.
    fn in_call() -> Self {
        let mut pair = Self::new();
        pair.ann.start(pair.now).expect("no call yet");
        pair.settle();
        pair.no_events();
        pair
    }

    /// In a call, after an exchange that Ann offered, with the generations `annA` and `bobA`.
    fn negotiated() -> Self {
        let mut pair = Self::in_call();
        pair.ann.set_local_description(offer("annA"), pair.now).expect("stable");
        pair.settle();
        pair.bob.set_local_description(answer("bobA"), pair.now).expect("an offer is there");
        pair.settle();
        assert_eq!((pair.ann.state(), pair.bob.state()), (S::Stable, S::Stable));
        pair.no_events();
        pair
    }

    /// Delivers all that both have to say, at once and in order.
    fn settle(&mut self) {
        for _ in 0..100 {
            let (from_ann, from_bob) = (messages(&mut self.ann), messages(&mut self.bob));
            if from_ann.is_empty() && from_bob.is_empty() {
                return;
            }
            give(&mut self.bob, from_ann, self.now);
            give(&mut self.ann, from_bob, self.now);
        }
        panic!("a storm: neither comes to rest");
    }

    fn no_events(&mut self) {
        events(&mut self.ann);
        events(&mut self.bob);
    }

    /// Lets time pass, with messages on their way.
    fn pass(&mut self, time: Duration) {
        let until = self.now + time;
        while let Some(next) = [self.ann.poll_timeout(), self.bob.poll_timeout()]
            .into_iter()
            .flatten()
            .min()
            .filter(|t| *t <= until)
        {
            self.now = self.now.max(next);
            self.ann.handle_timeout(self.now);
            self.bob.handle_timeout(self.now);
            self.settle();
        }
        self.now = until;
    }
}

fn refusal_of(messages: &[Envelope]) -> Option<(ErrorCode, Option<u64>)> {
    messages.iter().find_map(|envelope| match &envelope.message {
        Message::Error { code, about, .. } => Some((code.clone(), *about)),
        _ => None,
    })
}
