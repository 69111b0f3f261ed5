//! An agent under oracles: all that goes in and comes out of it passes here.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

use floe_ice::candidate::canonical;
use floe_ice::{
    Agent, Candidate, Command, Config, Datagram, Event, MAX_TRANSMIT, Received, RemoteParameters, SocketId,
    StreamId, Time, Unauthenticated,
};
use floe_stun::attributes::Username;
use floe_stun::{Class, Key, Message, Method, TransactionId, is_stun};

/// No packet is transmitted more often: Rc of RFC 8489 §6.2.1.
const MAX_TRANSMISSIONS: u32 = 7;
/// No answer is longer: an error with its reason, unknown attributes and integrity.
const MAX_ANSWER: usize = 128;
/// More than the queue of packets holds by default.
const MAX_QUEUED: usize = 256;

/// A packet that the agent sent.
#[derive(Clone, Debug)]
pub(crate) struct Packet {
    pub(crate) socket: SocketId,
    pub(crate) destination: SocketAddr,
    pub(crate) bytes: Vec<u8>,
}

/// The request that came in just now and may be answered, once.
struct Asked {
    id: TransactionId,
    socket: SocketId,
    source: SocketAddr,
    authentic: bool,
}

/// An agent. Its outputs are polled after each input, and wait here to be taken.
pub(crate) struct Watched {
    agent: Agent,
    pub(crate) packets: Vec<Packet>,
    pub(crate) commands: Vec<Command>,
    pub(crate) events: Vec<Event>,
    pub(crate) closed: bool,
    answers_strangers: bool,
    ta: Duration,
    key: Key,
    peer: Option<Key>,
    /// Where data may come from: signalled candidates, and who sent an authenticated check.
    known: BTreeSet<SocketAddr>,
    asked: Option<Asked>,
    /// How often each request of ours was transmitted.
    transmissions: BTreeMap<[u8; 12], u32>,
    /// The latest time that was handed in; the first is zero.
    now: Time,
    inputs: u64,
    wakeups: u64,
}

impl Watched {
    pub(crate) fn new(config: Config) -> Self {
        let answers_strangers = config.unauthenticated == Unauthenticated::Answer;
        let ta = config.ta;
        let agent = Agent::new(config, Time::ZERO).expect("a valid configuration");
        let key = Key::short_term(agent.local_credentials().pwd());
        Self {
            agent,
            packets: Vec::new(),
            commands: Vec::new(),
            events: Vec::new(),
            closed: false,
            answers_strangers,
            ta,
            key,
            peer: None,
            known: BTreeSet::new(),
            asked: None,
            transmissions: BTreeMap::new(),
            now: Time::ZERO,
            inputs: 0,
            wakeups: 0,
        }
    }

    pub(crate) const fn agent(&self) -> &Agent {
        &self.agent
    }

    /// Any input that is none of those below.
    pub(crate) fn call<R>(&mut self, now: Time, input: impl FnOnce(&mut Agent, Time) -> R) -> R {
        self.inputs += 1;
        let result = input(&mut self.agent, now);
        self.inspect(now);
        result
    }

    pub(crate) fn introduce(&mut self, parameters: &RemoteParameters, now: Time) {
        // Checks leave at once, and the first credentials are the ones that count.
        self.peer.get_or_insert_with(|| Key::short_term(parameters.credentials.pwd()));
        // An error only when the agent is closed.
        let result = self.call(now, |agent, now| agent.set_remote_parameters(parameters, now));
        assert_eq!(result.is_err(), self.closed);
    }

    pub(crate) fn signal(&mut self, stream: StreamId, candidate: &Candidate, now: Time) {
        self.known.insert(canonical(candidate.address()));
        // Misuse gives an error and changes nothing.
        let _ = self.call(now, |agent, now| agent.add_remote_candidate(stream, candidate, now));
    }

    pub(crate) fn close(&mut self, now: Time) {
        self.closed = true;
        self.call(now, Agent::close);
    }

    /// Wakes the agent up if it wants to be by now.
    pub(crate) fn wake(&mut self, now: Time) {
        self.wakeups += 1;
        self.agent.handle_timeout(now);
        assert!(self.agent.poll_timeout().is_none_or(|due| due > now), "due again at once");
        self.inspect(now);
        // A hundred pairs, each with a retransmission in a second and a new check, and what inputs cause.
        let seconds = (self.now - Time::ZERO).as_secs();
        let bound = 500 + 4 * self.inputs + 300 * seconds;
        assert!(self.wakeups <= bound, "{} wake-ups in {seconds} s, {} inputs", self.wakeups, self.inputs);
    }

    pub(crate) fn datagram(&mut self, datagram: Datagram<'_>, now: Time) -> Received {
        let source = canonical(datagram.source);
        self.expect_answer(datagram.socket, source, datagram.contents);
        let received = self.call(now, |agent, now| agent.handle_datagram(datagram, now));
        self.asked = None;
        if let Received::Data { payload, .. } = &received {
            assert_eq!(*payload, 0..datagram.contents.len());
            assert!(!is_stun(datagram.contents), "STUN taken for data");
            assert!(self.known.contains(&source), "data from a stranger at {source}");
        }
        assert!(!self.closed || matches!(received, Received::Rejected(_)));
        received
    }

    fn expect_answer(&mut self, socket: SocketId, source: SocketAddr, contents: &[u8]) {
        let Ok(message) = Message::parse(contents) else { return };
        if message.class() != Class::Request {
            return;
        }
        let ours = self.agent.local_credentials().ufrag().as_bytes();
        let username = message.get::<Username<'_>>().ok().flatten();
        let addressed = username.is_some_and(|name| {
            name.as_bytes().strip_prefix(ours).is_some_and(|rest| rest.starts_with(b":"))
        });
        let authentic = addressed && message.verify(&self.key).is_ok();
        if authentic {
            self.known.insert(source);
        }
        self.asked = Some(Asked { id: message.transaction_id(), socket, source, authentic });
    }

    /// After each input.
    fn inspect(&mut self, now: Time) {
        self.now = self.now.max(now);
        self.agent.check_invariants();
        if self.closed {
            assert_eq!(self.agent.poll_timeout(), None);
        }
        let mut buffer = [0; MAX_TRANSMIT];
        let before = self.packets.len();
        while let Some(transmit) = self.agent.poll_transmit(&mut buffer) {
            assert!(!self.closed, "a closed agent sends nothing");
            let packet = Packet {
                socket: transmit.socket,
                destination: transmit.destination,
                bytes: buffer[..transmit.len].to_vec(),
            };
            self.sent(&packet);
            self.packets.push(packet);
        }
        assert!(self.packets.len() - before <= MAX_QUEUED);
        self.commands.extend(std::iter::from_fn(|| self.agent.poll_command()));
        self.events.extend(std::iter::from_fn(|| self.agent.poll_event()));
    }

    fn sent(&mut self, packet: &Packet) {
        let message = Message::parse(&packet.bytes).unwrap_or_else(|error| panic!("{error}: {packet:02x?}"));
        assert_eq!(message.method(), Method::BINDING);
        assert!(message.has_fingerprint());
        match message.class() {
            Class::Request => self.sent_request(&message),
            Class::Success | Class::Error => self.sent_answer(&message, packet),
            Class::Indication => assert_eq!(message.attributes().count(), 1),
        }
    }

    fn sent_request(&mut self, message: &Message<'_>) {
        // Requests to servers have neither.
        if message.has_integrity() || message.get::<Username<'_>>() != Ok(None) {
            let peer = self.peer.as_ref().expect("no check without the peer's password");
            assert!(message.verify(peer).is_ok());
        }
        let times = self.transmissions.entry(*message.transaction_id().as_bytes()).or_default();
        *times += 1;
        assert!(*times <= MAX_TRANSMISSIONS, "transmitted {times} times");
        // RFC 8445 §14.2: one new transaction in each Ta; consent checks are outside of it.
        let consent = self.agent.counters().consent_checks_sent;
        let paced = (self.transmissions.len() as u64).saturating_sub(consent);
        let turns = (self.now - Time::ZERO).as_nanos() / self.ta.as_nanos();
        assert!(u128::from(paced) <= turns + 1, "{paced} transactions in {turns} turns");
    }

    /// One answer to each request at most, to where it came from, and none to strangers unless they are to have one.
    fn sent_answer(&mut self, message: &Message<'_>, packet: &Packet) {
        let id = message.transaction_id();
        let Some(asked) = self.asked.take() else { panic!("nobody asked: {packet:02x?}") };
        let ends = (id, packet.socket, packet.destination);
        assert_eq!((asked.id, asked.socket, asked.source), ends);
        assert!(packet.bytes.len() <= MAX_ANSWER, "{} bytes", packet.bytes.len());
        assert!(asked.authentic || (self.answers_strangers && message.class() == Class::Error));
        assert_eq!(message.verify(&self.key).is_ok(), asked.authentic);
    }
}
