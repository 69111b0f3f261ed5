//! A party with a `Session`, as a program that embeds floe has it.

use floe_ice::Time;
use floe_signal::message::{EndReason, Envelope, ParticipantId};
use floe_signal::{Config, Event, Session, SignalingState as S};

use crate::browser::Browser;
use crate::party::{Action, Party, Report};

pub(crate) struct Program {
    session: Session,
    browser: Browser,
    ids: [&'static str; 2],
    reloads: u64,
    /// Of sessions before a reload.
    sent_before: (u64, u64),
    /// Answers as soon as it can.
    prompt: bool,
}

impl Program {
    pub(crate) fn new(own: &'static str, peer: &'static str, prompt: bool) -> Self {
        let session = session([own, peer], 0);
        Self {
            session,
            browser: Browser::new(own, 0),
            ids: [own, peer],
            reloads: 0,
            sent_before: (0, 0),
            prompt,
        }
    }

    fn take_events(&mut self, now: Time) {
        while let Some(event) = self.session.poll_event() {
            match event {
                Event::RemoteDescription(description) => self.browser.set_remote(&description),
                Event::RolledBack | Event::OfferRejected | Event::OfferWithdrawn => self.browser.roll_back(),
                Event::Candidate(candidate) => {
                    assert!(
                        self.browser.add_candidate(&candidate),
                        "{candidate:?} belongs to no description"
                    );
                }
                Event::Ended(_) => self.browser.renew(),
                Event::PeerError { code, text } => panic!("{}: the peer says {code}: {text}", self.ids[0]),
                _ => {}
            }
        }
        let expected = if self.session.call().is_some() { self.browser.state } else { S::Closed };
        assert_eq!(
            self.session.state(),
            expected,
            "{}: the application sees the state of the session",
            self.ids[0]
        );
        let (early, held, unacknowledged) = self.session.waiting();
        assert!(early <= 64 && held <= 256 && unacknowledged <= 1024);
        if self.prompt {
            self.act(Action::Answer, now);
        }
    }

    fn offer(&mut self, restart: bool, now: Time) {
        if self.session.state() == S::Stable {
            let offer = self.browser.offer(restart);
            self.session.set_local_description(offer, now).expect("stable");
            self.candidate(now);
        }
    }

    fn candidate(&mut self, now: Time) {
        if self.session.call().is_some()
            && let Some(candidate) = self.browser.candidate()
        {
            self.session.add_local_candidate(candidate, now).expect("in a call");
        }
    }
}

fn session(ids: [&str; 2], reloads: u64) -> Session {
    let id = |text| ParticipantId::new(text).expect("an id");
    // Any number that grows; the time in earnest.
    Session::new(Config::new(id(ids[0]), id(ids[1]), (reloads + 1) * 1_000_000)).expect("good settings")
}

impl Party for Program {
    fn hear(&mut self, json: &str, now: Time) {
        let envelope = Envelope::from_json(json).expect("what a side says is right");
        let _ = self.session.handle_message(envelope, now);
        self.take_events(now);
    }

    fn say(&mut self) -> Vec<String> {
        std::iter::from_fn(|| self.session.poll_message()).map(|envelope| envelope.to_json()).collect()
    }

    fn act(&mut self, action: Action, now: Time) {
        match action {
            Action::Start if self.session.call().is_none() => self.session.start(now).expect("no call yet"),
            Action::Offer => self.offer(false, now),
            Action::Restart => self.offer(true, now),
            Action::Candidate => self.candidate(now),
            Action::Answer if self.session.state() == S::HaveRemoteOffer => {
                let answer = self.browser.answer();
                self.session.set_local_description(answer, now).expect("an offer is there");
                self.candidate(now);
            }
            Action::Reject if self.session.state() == S::HaveRemoteOffer => {
                self.browser.roll_back();
                self.session.reject_offer(now).expect("an offer is there");
            }
            Action::HangUp if self.session.call().is_some() => {
                self.session.hang_up(EndReason::HangUp, now).expect("in a call");
                self.browser.renew();
            }
            Action::Reload => {
                let sent = self.sent();
                self.sent_before = sent;
                self.reloads += 1;
                self.session = session(self.ids, self.reloads);
                self.browser.renew();
            }
            Action::TransportLost => self.session.transport_lost(now),
            Action::TransportResumed => self.session.transport_resumed(now),
            _ => {}
        }
    }

    fn due(&self) -> Option<Time> {
        self.session.poll_timeout()
    }

    fn tick(&mut self, now: Time) {
        self.session.handle_timeout(now);
        self.take_events(now);
    }

    fn report(&self) -> Report {
        Report {
            call: self.session.call(),
            state: self.session.state(),
            unacknowledged: self.session.waiting().2,
        }
    }

    fn browser(&self) -> &Browser {
        &self.browser
    }

    fn sent(&self) -> (u64, u64) {
        let stats = self.session.stats();
        (self.sent_before.0 + stats.sent - stats.repeated, self.sent_before.1 + stats.repeated)
    }
}
