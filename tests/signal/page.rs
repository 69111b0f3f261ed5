//! A page, written after the JavaScript in the documentation of `floe-signal`, which has nothing but a peer connection.

use std::time::Duration;

use floe_ice::Time;
use floe_signal::SignalingState as S;
use floe_signal::message::{
    DescriptionType, EndReason, Envelope, ErrorCode, Message, ParticipantId, SessionDescription,
};

use crate::browser::Browser;
use crate::party::{Action, Party, Report};

pub(crate) struct Page {
    ids: [&'static str; 2],
    polite: bool,
    browser: Browser,
    call: u64,
    re: Option<u64>,
    floor: u64,
    seq: u64,
    heard: u64,
    unacked: Vec<(u64, Message)>,
    ended: bool,
    ignore_offer: bool,
    /// When what is not acknowledged is posted again.
    interval: Time,
    /// When an unanswered offer ends the call.
    patience: Option<Time>,
    connected: bool,
    outbox: Vec<String>,
    sent: (u64, u64),
    loads: u64,
}

impl Page {
    pub(crate) fn new(own: &'static str, peer: &'static str) -> Self {
        Self {
            ids: [own, peer],
            polite: own < peer,
            browser: Browser::new(own, 0),
            call: 0,
            re: None,
            floor: 0,
            seq: 0,
            heard: 0,
            unacked: Vec::new(),
            ended: true,
            ignore_offer: false,
            interval: Time::ZERO,
            patience: None,
            connected: true,
            outbox: Vec::new(),
            sent: (0, 0),
            loads: 1,
        }
    }

    fn post(&mut self, message: Message, seq: Option<u64>) {
        let mut envelope = Envelope::new(message);
        (envelope.call, envelope.re, envelope.seq, envelope.ack) =
            (self.own_call(), self.re, seq, Some(self.heard));
        self.write(&envelope, false);
    }

    fn own_call(&self) -> Option<u64> {
        (self.call > 0).then_some(self.call)
    }

    fn write(&mut self, envelope: &Envelope, again: bool) {
        if self.connected {
            let [from, to] = self.ids.map(|id| ParticipantId::new(id).expect("an id"));
            self.outbox.push(envelope.clone().from(from).to(to).to_json());
            let count = if again { &mut self.sent.1 } else { &mut self.sent.0 };
            *count += 1;
        }
    }

    fn post_again(&mut self, most: usize) {
        for (seq, message) in self.unacked.iter().take(most).cloned().collect::<Vec<_>>() {
            let mut envelope = Envelope::new(message);
            (envelope.call, envelope.re, envelope.seq, envelope.ack) =
                (Some(self.call), self.re, Some(seq), Some(self.heard));
            self.write(&envelope, true);
        }
    }

    fn say_it(&mut self, message: Message) {
        self.seq += 1;
        self.unacked.push((self.seq, message.clone()));
        self.post(message, Some(self.seq));
    }

    fn begin(&mut self, theirs: Option<u64>) {
        self.call = (self.loads * 1_000_000).max(self.call + 1);
        (self.re, self.seq, self.heard) = (theirs, 0, 0);
        self.unacked.clear();
        (self.ended, self.ignore_offer) = (false, false);
        self.browser.renew();
        self.say_it(Message::Start);
    }

    fn hang_up(&mut self) {
        self.close();
        self.say_it(Message::End(EndReason::HangUp));
    }

    fn close(&mut self) {
        self.patience = None;
        self.unacked.clear();
        self.ended = true;
        self.browser.renew();
    }

    fn described(&mut self, description: &SessionDescription) {
        if description.kind != DescriptionType::Offer || self.polite {
            self.patience = None;
        }
        if description.kind == DescriptionType::Rollback {
            return self.browser.roll_back();
        }
        self.ignore_offer =
            description.kind == DescriptionType::Offer && !self.polite && self.browser.state != S::Stable;
        if self.ignore_offer {
            return;
        }
        self.browser.set_remote(description);
        if description.kind == DescriptionType::Offer {
            let answer = self.browser.answer();
            self.say_it(Message::Description(answer));
            self.candidate();
        }
    }

    fn candidate(&mut self) {
        if !self.ended
            && let Some(candidate) = self.browser.candidate()
        {
            self.say_it(Message::Candidate(candidate));
        }
    }

    fn end_of(&mut self, theirs: u64, re: Option<u64>, seq: Option<u64>) {
        let ours = self.re.map_or(re == Some(self.call), |known| theirs >= known);
        if !self.ended && ours {
            self.close();
        }
        self.floor = self.floor.max(theirs);
        let mut ack = Envelope::new(Message::Ack);
        (ack.call, ack.re, ack.ack) = (self.own_call(), Some(theirs), seq);
        self.write(&ack, false);
    }
}

impl Party for Page {
    fn hear(&mut self, json: &str, _now: Time) {
        let m = Envelope::from_json(json).expect("what a side says is right");
        let theirs = m.call.unwrap_or(0);
        let knows_us = !self.ended && m.re == Some(self.call);
        let joins = knows_us && self.re.is_none() && theirs == self.floor;
        match &m.message {
            Message::Error { code, text, .. } => {
                assert_eq!(code, &ErrorCode::UnknownCall, "{}: {text}", self.ids[0]);
                if m.re == Some(self.call) && !self.ended {
                    self.close();
                }
                return;
            }
            Message::End(_) => return self.end_of(theirs, m.re, m.seq),
            Message::Start if theirs > self.floor || joins => {
                let acknowledged = self.unacked.first().map_or(self.seq, |(seq, _)| seq - 1);
                let fresh =
                    self.heard <= 1 && (acknowledged == 0 || (acknowledged == 1 && m.re == Some(self.call)));
                self.floor = theirs;
                if self.ended || (self.re.is_some() && !fresh) {
                    self.begin(Some(theirs));
                }
                (self.re, self.heard) = (Some(theirs), 0);
            }
            _ => {}
        }
        if m.re == Some(self.call) && (self.ended || m.call == self.re) {
            self.unacked.retain(|(seq, _)| *seq > m.ack.unwrap_or(0));
        }
        if m.seq.is_some() && self.ended && m.re.is_some_and(|re| re != self.call) {
            let mut error = Envelope::new(Message::Error {
                code: ErrorCode::UnknownCall,
                text: String::new(),
                about: m.seq,
            });
            (error.call, error.re) = (self.own_call(), m.call);
            return self.write(&error, false);
        }
        let over = self.ended || m.call != self.re || m.re.is_some_and(|re| re != self.call);
        let Some(seq) = m.seq.filter(|_| !over) else { return };
        if seq == self.heard + 1 {
            self.heard += 1;
            match &m.message {
                Message::Description(description) => self.described(description),
                Message::Candidate(candidate) => {
                    assert!(self.browser.add_candidate(candidate) || self.ignore_offer, "{candidate:?}");
                }
                _ => {}
            }
        }
        self.post(Message::Ack, None);
    }

    fn say(&mut self) -> Vec<String> {
        std::mem::take(&mut self.outbox)
    }

    fn act(&mut self, action: Action, now: Time) {
        match action {
            Action::Start if self.ended => self.begin(None),
            Action::Offer | Action::Restart if !self.ended && self.browser.state == S::Stable => {
                let offer = self.browser.offer(matches!(action, Action::Restart));
                self.say_it(Message::Description(offer));
                self.patience = Some(now + Duration::from_secs(60));
                self.candidate();
            }
            Action::Candidate => self.candidate(),
            Action::HangUp if !self.ended => {
                self.hang_up();
            }
            Action::Reload => {
                let (sent, loads) = (self.sent, self.loads + 1);
                self.browser.renew();
                let browser = std::mem::replace(&mut self.browser, Browser::new(self.ids[0], 0));
                *self = Self { browser, sent, loads, ..Self::new(self.ids[0], self.ids[1]) };
            }
            Action::TransportLost => self.connected = false,
            Action::TransportResumed => {
                self.connected = true;
                self.post_again(usize::MAX);
            }
            _ => {}
        }
        self.interval = self.interval.max(now);
    }

    fn due(&self) -> Option<Time> {
        let interval = (!self.unacked.is_empty() && self.connected).then_some(self.interval);
        [interval, self.patience].into_iter().flatten().min()
    }

    fn tick(&mut self, now: Time) {
        if self.patience.is_some_and(|until| now >= until) {
            self.hang_up();
        }
        if now >= self.interval {
            self.post_again(8);
            self.interval = now + Duration::from_secs(2);
        }
    }

    fn report(&self) -> Report {
        let state = if self.ended { S::Closed } else { self.browser.state };
        let call = (!self.ended).then_some((self.call, self.re));
        Report { call, state, unacknowledged: self.unacked.len() }
    }

    fn browser(&self) -> &Browser {
        &self.browser
    }

    fn sent(&self) -> (u64, u64) {
        self.sent
    }
}
