//! The demo in a simulated network, on virtual time.

use std::fmt::Write;
use std::net::SocketAddr;
use std::time::Duration;

use floe::ice::candidate::CandidateKind;
use floe::ice::{
    Component, Config, ConnectionState, Event as AgentEvent, GatheringFailure, PairInfo, RelayServer,
    RelayTransport, Role, ServerAddress, TransportPolicy,
};
use floe::stun::Time;
use floe::turn::server;
use floe_netsim::ice::IcePeer;
use floe_netsim::{Handle, Link, NatType, Network, Site, Verdict};

use crate::duration::short;
use crate::failure::{Failure, Outcome};
use crate::output;
use crate::style::Style;

use super::TurnTransport;
use super::story::{End, Moment, NAMES, PairRow, What};
use super::table::{self, Side};
use super::verdict::{self, Ending};

/// What to simulate.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan {
    /// What is before each agent.
    pub(crate) nats: [NatType; 2],
    pub(crate) seed: u64,
    /// Use relays whatever else there is.
    pub(crate) relay_only: bool,
    /// How the TURN server is reached.
    pub(crate) transport: TurnTransport,
    /// Show every packet.
    pub(crate) chart: bool,
}

/// One-way delay across the Internet.
const INTERNET: Duration = Duration::from_millis(20);
/// One-way delay between a host and its router.
const ACCESS: Duration = Duration::from_millis(5);
/// One-way delay of the signalling.
const SIGNALLING: Duration = Duration::from_millis(50);
/// By then an agent without a path has given up: its patience (RFC 8863 §4) is 39.5 s.
const LIMIT: Duration = Duration::from_secs(60);
/// The name of the server in the simulated network, and its port (RFC 8656 §5).
const SERVER_NAME: &str = "turn.example";
const SERVER_PORT: u16 = 3478;
/// The user of the server.
const USER: &str = "demo";
const PASSWORD: &str = "nobody else is here";
/// What is sent back and forth.
const PING: &[u8] = b"ping";
const PONG: &[u8] = b"pong";

/// Runs the plan and tells how it went.
pub(crate) fn run(plan: &Plan) -> Outcome {
    let mut run = Run::new(plan).map_err(|error| Failure::Failed(error.to_string()))?;
    run.play();
    output::print(&run.report(plan))?;
    run.outcome(plan)
}

/// A network with two agents in it.
struct Run {
    net: Network,
    peers: [Handle<IcePeer>; 2],
    verdict: Verdict,
    /// When the first byte arrived, and how long an answer took.
    data: Option<(Duration, Duration)>,
}

impl Run {
    fn new(plan: &Plan) -> Result<Self, Box<dyn std::error::Error>> {
        let mut net = Network::new(plan.seed);
        net.set_segment_link(net.internet(), Link::delay(INTERNET))?;
        net.set_signal_delay(SIGNALLING);
        let mut users = server::Credentials::new(SERVER_NAME)?;
        users.add_user(USER, PASSWORD)?;
        let config = server::Config::new(net.derive_seed(), users);
        let server = net.add_turn_server("turn", &Site::public(), config)?;
        let addresses = net.get(server).map_or_else(Vec::new, |server| server.addresses().to_vec());
        net.set_name(SERVER_NAME, addresses.iter().map(SocketAddr::ip).collect(), Duration::ZERO);
        let mut add = |who: usize, role| {
            let mut config = Config::new(net.derive_seed());
            config.role = role;
            let server = ServerAddress::Name { host: SERVER_NAME.to_owned(), port: SERVER_PORT };
            let transport = match plan.transport {
                TurnTransport::Udp => RelayTransport::Udp,
                TurnTransport::Tcp => RelayTransport::Tcp,
                #[cfg(feature = "tls")]
                TurnTransport::Tls => RelayTransport::Tls,
            };
            if transport.is_stream() {
                // It is asked for addresses over UDP.
                config.gather.servers = vec![server.clone()];
            }
            config.gather.relays = vec![RelayServer::new(server, USER, PASSWORD).with_transport(transport)];
            if plan.relay_only {
                config.gather.transport_policy = TransportPolicy::Relay;
            }
            let site = Site::behind(plan.nats[who]).link(Link::delay(ACCESS));
            net.add_ice_peer(NAMES[who], &site, config)
        };
        let peers = [add(0, Role::Controlling)?, add(1, Role::Controlled)?];
        let [a, b] = peers.map(|peer| net.host_of(peer));
        let verdict = a.zip(b).map_or(Verdict::No, |(a, b)| net.direct_path(a, b));
        Ok(Self { net, peers, verdict, data: None })
    }

    /// Connects and sends, as soon as data may flow, which is before anything is nominated (RFC 8445 §12.1).
    fn play(&mut self) {
        let [alice, bob] = self.peers;
        self.net.connect_ice(alice, bob);
        let has_path = |net: &Network| {
            let states = [alice, bob].map(|peer| state(net, peer));
            states.contains(&ConnectionState::Failed) || can_send(net, alice) && can_send(net, bob)
        };
        self.net.run_until(LIMIT, has_path);
        self.data = self.exchange();
        let is_over = |net: &Network, peer| {
            matches!(state(net, peer), ConnectionState::Completed | ConnectionState::Failed)
        };
        self.net.run_until(LIMIT, |net| is_over(net, alice) && is_over(net, bob));
    }

    fn exchange(&mut self) -> Option<(Duration, Duration)> {
        let [alice, bob] = self.peers;
        let sent = self.net.now();
        self.send(alice, PING)?;
        self.net.run_until(LIMIT, |net| received(net, bob) > 0);
        let first = self.net.get(bob)?.received().first()?.time;
        self.send(bob, PONG)?;
        self.net.run_until(LIMIT, |net| received(net, alice) > 0);
        let answered = self.net.get(alice)?.received().first()?.time;
        Some((first - Time::ZERO, answered - sent))
    }

    fn send(&mut self, peer: Handle<IcePeer>, payload: &[u8]) -> Option<()> {
        self.net.with(peer, |peer, now| peer.send(Component::default(), payload, now).ok())?
    }

    fn ending(&self) -> Ending {
        let completed = self.peers.iter().all(|&peer| state(&self.net, peer) == ConnectionState::Completed);
        let relayed = self.peers.iter().any(|&peer| {
            let pair = self.net.get(peer).and_then(|peer| peer.agent().selected_pair(Component::default()));
            pair.is_some_and(|pair| pair.local.kind() == CandidateKind::Relayed)
        });
        match (completed && self.data.is_some(), relayed) {
            (false, _) => Ending::NotConnected,
            (true, false) => Ending::Direct,
            (true, true) => Ending::Relayed,
        }
    }

    fn report(&self, plan: &Plan) -> String {
        let [a, b] = plan.nats.map(place);
        let [internet, access] = [INTERNET, ACCESS].map(|delay| delay.as_millis());
        let (alice, bob, seed) = (NAMES[0], NAMES[1], plan.seed);
        let says = verdict::say(&self.verdict);
        let mut text = format!(
            "simulated network with a STUN and TURN server; seed {seed}\n\
             {internet} ms across the Internet, {access} ms to each router\n\
             {alice} {a}, {bob} {b}\nthe oracle says: {says}\n\n"
        );
        // Writing to a string cannot fail.
        for moment in self.story() {
            let _ = writeln!(text, "{moment}");
        }
        for (name, peer) in NAMES.into_iter().zip(self.peers) {
            let Some(peer) = self.net.get(peer) else { continue };
            let agent = peer.agent();
            let pairs = agent.pairs().map(|pair| row(peer, &pair)).collect();
            let candidates = agent.local_candidates().map(|(_, _, candidate)| candidate.clone()).collect();
            let side = Side { name, role: agent.role(), state: agent.state(), candidates, pairs };
            let _ = write!(text, "\n{}", table::side(&side, usize::MAX, Style::of_stdout()));
        }
        if plan.chart {
            let _ = write!(text, "\n{}", self.net.chart());
        }
        if let Some(result) = self.result() {
            let _ = write!(text, "\n{result}");
        }
        if self.ending() == Ending::Relayed && !plan.relay_only {
            text.push_str(&paragraph(
                "relayed       ",
                &format!("because {}", verdict::why_relayed(plan.nats)),
            ));
        }
        text
    }

    /// The result, when it is a good one.
    fn result(&self) -> Option<String> {
        let peer = self.net.get(self.peers[0])?;
        let connected = self.ending() != Ending::NotConnected;
        let pair = peer.agent().selected_pair(Component::default()).filter(|_| connected)?;
        let selected = Style::of_stdout().good("selected");
        let mut text = format!("{selected}      {} -> {}\n", End(pair.local), End(pair.remote));
        if let Some((first, rtt)) = self.data {
            let (first, rtt) = (short(first), short(rtt));
            let _ = write!(text, "first byte    after {first} of virtual time\nround trip    {rtt}\n");
        }
        Some(text)
    }

    fn outcome(&self, plan: &Plan) -> Outcome {
        let ending = self.ending();
        let agreed =
            if plan.relay_only { ending != Ending::Direct } else { verdict::agrees(&self.verdict, ending) };
        if !agreed {
            let happened = match ending {
                Ending::NotConnected => "did not connect",
                Ending::Direct => "connected directly",
                Ending::Relayed => "connected through a relay",
            };
            return Err(Failure::Failed(format!(
                "the agents {happened}, but by the oracle {}: a bug; seed {}",
                verdict::say(&self.verdict),
                plan.seed
            )));
        }
        match ending {
            Ending::NotConnected => Err(Failure::Failed(format!(
                "not connected: {}",
                verdict::why_not(plan.nats, plan.transport)
            ))),
            Ending::Direct | Ending::Relayed => Ok(()),
        }
    }

    /// What happened to both, in order.
    fn story(&self) -> Vec<Moment> {
        let mut story = Vec::new();
        for (who, &handle) in self.peers.iter().enumerate() {
            let Some(peer) = self.net.get(handle) else { continue };
            let told =
                peer.events().iter().filter_map(|&(at, event)| Some((at - Time::ZERO, tell(peer, event)?)));
            story.extend(told.map(|(at, what)| Moment { at, who, what }));
            let data = peer.received().iter().map(|data| {
                let text = format!("data      {}", data.bytes.escape_ascii());
                Moment { at: data.time - Time::ZERO, who, what: What::Data(text) }
            });
            story.extend(data);
        }
        story.sort_by_key(|moment| moment.at);
        story
    }
}

/// Lines of at most 80 columns, the first of which begins with `head`.
fn paragraph(head: &str, text: &str) -> String {
    let (mut lines, indent) = (String::new(), " ".repeat(head.len()));
    let mut line = head.to_owned();
    for word in text.split(' ') {
        if line.chars().count() + word.chars().count() > 80 {
            let _ = writeln!(lines, "{}", line.trim_end());
            line.clone_from(&indent);
        }
        let _ = write!(line, "{word} ");
    }
    let _ = writeln!(lines, "{}", line.trim_end());
    lines
}

/// Where an agent is.
fn place(nat: NatType) -> String {
    match nat {
        NatType::None => "directly on the Internet".to_owned(),
        NatType::Firewall => "behind a firewall".to_owned(),
        NatType::Blocked => "where UDP is blocked".to_owned(),
        nat => format!("behind {nat}"),
    }
}

fn state(net: &Network, peer: Handle<IcePeer>) -> ConnectionState {
    net.get(peer).map_or(ConnectionState::Closed, |peer| peer.agent().state())
}

fn can_send(net: &Network, peer: Handle<IcePeer>) -> bool {
    net.get(peer).is_some_and(|peer| peer.agent().send_path(Component::default()).is_ok())
}

fn received(net: &Network, peer: Handle<IcePeer>) -> usize {
    net.get(peer).map_or(0, |peer| peer.received().len())
}

fn row(peer: &IcePeer, pair: &PairInfo<'_>) -> PairRow {
    let stats = peer.agent().pair_stats(pair.id).unwrap_or_default();
    PairRow {
        local: pair.local.clone(),
        remote: pair.remote.clone(),
        state: pair.state,
        nominated: pair.nominated,
        selected: pair.selected,
        rtt: stats.current_round_trip_time,
    }
}

/// What an event means, if it is of interest.
fn tell(peer: &IcePeer, event: AgentEvent) -> Option<What> {
    let agent = peer.agent();
    Some(match event {
        AgentEvent::LocalCandidate(id) => What::Found(agent.local_candidate(id)?.clone()),
        AgentEvent::GatheringProblem { failure: GatheringFailure::ServerTimeout, address, .. } => {
            let from = address.map_or_else(String::new, |address| format!(" (asked from {address})"));
            What::Problem(format!("the server did not answer{from}"))
        }
        AgentEvent::GatheringProblem { failure, .. } => What::Problem(failure.to_string()),
        AgentEvent::RemoteCandidateDiscovered(id) => What::Learned(agent.remote_candidate(id)?.clone()),
        AgentEvent::StateChanged(state) => What::State(state),
        AgentEvent::RoleChanged(role) => What::Role(role),
        AgentEvent::SelectedPairChanged { pair, reason, .. } => {
            let pair = agent.pair(pair)?;
            What::Selected { local: pair.local.clone(), remote: pair.remote.clone(), reason }
        }
        _ => return None,
    })
}
