//! An agent under oracles: all that goes in and comes out of it passes here.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use floe_ice::candidate::canonical;
use floe_ice::{
    Agent, AgentError, Candidate, Command, Config, Datagram, Event, Limits, MAX_TRANSMIT, Received,
    RemoteParameters, RequestId, SocketId, StreamId, Time, Unauthenticated,
};
use floe_stun::attributes::Username;
use floe_stun::{Class, Key, Message, Method, TransactionId, is_stun};

use crate::twin::Twin;

/// No packet is transmitted more often: Rc of RFC 8489 §6.2.1.
const MAX_TRANSMISSIONS: u32 = 7;
/// No answer is longer: an error with its reason, unknown attributes and integrity.
const MAX_ANSWER: usize = 128;
/// More than the queue of packets holds by default.
const MAX_QUEUED: usize = 256;

/// A packet that the agent sent.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Packet {
    pub(crate) socket: SocketId,
    pub(crate) src_ip: Option<IpAddr>,
    pub(crate) destination: SocketAddr,
    pub(crate) bytes: Vec<u8>,
}

/// The request that came in just now and may be answered, once.
struct Asked {
    id: TransactionId,
    socket: SocketId,
    source: SocketAddr,
    authentic: bool,
    /// It is for a session before the current one, which may be gone; then it comes from a stranger.
    outdated: bool,
}

/// An agent. Its outputs are polled after each input, and wait here to be taken.
pub(crate) struct Watched {
    agent: Agent,
    twin: Option<Twin>,
    pub(crate) packets: Vec<Packet>,
    pub(crate) commands: Vec<Command>,
    pub(crate) events: Vec<Event>,
    pub(crate) closed: bool,
    /// The latest question to the driver.
    pub(crate) last_request: Option<RequestId>,
    answers_strangers: bool,
    ta: Duration,
    /// What the peer can make it hold at most.
    limits: Limits,
    /// Our ufrags and what we sign with, of every session, the current one last.
    ours: Vec<(String, Key)>,
    /// The same of the peer.
    peers: Vec<Key>,
    /// The application took other credentials than the peer's for those.
    misled: bool,
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
        let (ta, limits) = (config.ta, config.limits);
        let twin = Twin::new(&config);
        let agent = Agent::new(config, Time::ZERO).expect("a valid configuration");
        let ours = vec![signer(&agent)];
        Self {
            agent,
            twin,
            packets: Vec::new(),
            commands: Vec::new(),
            events: Vec::new(),
            closed: false,
            last_request: None,
            answers_strangers,
            ta,
            limits,
            ours,
            peers: Vec::new(),
            misled: false,
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
    pub(crate) fn call<R: PartialEq + Debug>(
        &mut self,
        now: Time,
        input: impl Fn(&mut Agent, Time) -> R,
    ) -> R {
        self.inputs += 1;
        let result = input(&mut self.agent, now);
        if let Some(twin) = &mut self.twin {
            assert_eq!(input(&mut twin.agent, now), result, "an agent polled later says something else");
        }
        self.inspect(now);
        result
    }

    pub(crate) fn introduce(&mut self, parameters: &RemoteParameters, now: Time) {
        let result = self.try_introduce(None, parameters, now);
        // Since we restarted, or took others for the peer's, these are of the past.
        let outdated = result == Err(AgentError::OutdatedCredentials) && (self.ours.len() > 1 || self.misled);
        assert!(result.is_ok() || self.closed || outdated, "{result:?}");
    }

    pub(crate) fn has_tight_limits(&self) -> bool {
        self.limits.pairs < 16
    }

    /// For one stream or all, perhaps with credentials that are not the peer's.
    pub(crate) fn try_introduce(
        &mut self,
        stream: Option<StreamId>,
        parameters: &RemoteParameters,
        now: Time,
    ) -> Result<(), AgentError> {
        // Checks leave at once.
        self.peers.push(Key::short_term(parameters.credentials.pwd()));
        let result = self.call(now, |agent, now| match stream {
            Some(stream) => agent.set_stream_remote_parameters(stream, parameters, now),
            None => agent.set_remote_parameters(parameters, now),
        });
        if result.is_err() {
            self.peers.pop();
        }
        result
    }

    /// With credentials that no peer has.
    pub(crate) fn mislead(&mut self, parameters: &RemoteParameters, now: Time) {
        self.misled = true;
        let _ = self.try_introduce(None, parameters, now);
    }

    pub(crate) fn signal(&mut self, stream: StreamId, candidate: &Candidate, now: Time) {
        self.known.insert(canonical(candidate.address()));
        // Misuse gives an error and changes nothing.
        let _ = self.call(now, |agent, now| agent.add_remote_candidate(stream, candidate, now));
    }

    pub(crate) fn close(&mut self, now: Time) {
        self.closed = true;
        // What is queued then goes.
        if let Some(twin) = &mut self.twin {
            twin.compare();
        }
        self.call(now, Agent::close);
    }

    /// Wakes the agent up if it wants to be by now.
    pub(crate) fn wake(&mut self, now: Time) {
        self.wakeups += 1;
        self.agent.handle_timeout(now);
        if let Some(twin) = &mut self.twin {
            twin.agent.handle_timeout(now);
        }
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
        let username = message.get::<Username<'_>>().ok().flatten();
        let addressed = |ufrag: &str| {
            let rest = username.and_then(|name| name.as_bytes().strip_prefix(ufrag.as_bytes()));
            rest.is_some_and(|rest| rest.starts_with(b":"))
        };
        let mut ours = self.ours.iter();
        let authentic = ours.any(|(ufrag, key)| addressed(ufrag) && message.verify(key).is_ok());
        if authentic {
            self.known.insert(source);
        }
        let outdated = self.ours.last().is_none_or(|(ufrag, _)| !addressed(ufrag));
        self.asked = Some(Asked { id: message.transaction_id(), socket, source, authentic, outdated });
    }

    /// After each input.
    fn inspect(&mut self, now: Time) {
        self.now = self.now.max(now);
        if self.ours.last().is_none_or(|(ufrag, _)| ufrag != self.agent.local_credentials().ufrag()) {
            self.ours.push(signer(&self.agent));
        }
        self.agent.check_invariants();
        self.check_limits();
        if self.closed {
            assert_eq!(self.agent.poll_timeout(), None);
        }
        let mut buffer = [0; MAX_TRANSMIT];
        let before = self.packets.len();
        while let Some(transmit) = self.agent.poll_transmit(&mut buffer) {
            assert!(!self.closed, "a closed agent sends nothing");
            let packet = Packet {
                socket: transmit.socket,
                src_ip: transmit.src_ip,
                destination: transmit.destination,
                bytes: buffer[..transmit.len].to_vec(),
            };
            self.sent(&packet);
            self.packets.push(packet);
        }
        assert!(self.packets.len() - before <= MAX_QUEUED);
        let (commands, events) = (self.commands.len(), self.events.len());
        self.commands.extend(std::iter::from_fn(|| self.agent.poll_command()));
        self.events.extend(std::iter::from_fn(|| self.agent.poll_event()));
        for command in &self.commands[commands..] {
            if let Command::Resolve { request, .. } | Command::OpenUdp { request, .. } = command {
                self.last_request = Some(*request);
            }
        }
        if let Some(twin) = &mut self.twin {
            twin.expect(&self.packets[before..], &self.commands[commands..], &self.events[events..]);
            assert_eq!(twin.agent.poll_timeout(), self.agent.poll_timeout());
        }
    }

    /// What a peer chooses is bounded by the configuration.
    fn check_limits(&self) {
        let remotes = self.limits.remote_candidates.saturating_add(self.limits.peer_reflexive);
        assert!(self.agent.remote_candidates().count() <= usize::from(remotes));
        assert!(self.agent.pairs().count() <= usize::from(self.limits.pairs));
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
            let signed = self.peers.iter().rev().any(|peer| message.verify(peer).is_ok());
            assert!(signed, "no check without the peer's password");
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
        if self.ours.iter().any(|(_, key)| message.verify(key).is_ok()) {
            assert!(asked.authentic, "signed for a stranger");
        } else {
            assert!(self.answers_strangers && message.class() == Class::Error);
            assert!(!asked.authentic || asked.outdated, "unsigned for the peer");
        }
    }
}

/// Our ufrag now, and what we sign with.
fn signer(agent: &Agent) -> (String, Key) {
    let credentials = agent.local_credentials();
    (credentials.ufrag().to_owned(), Key::short_term(credentials.pwd()))
}
