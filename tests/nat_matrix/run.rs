//! One run of a scenario, and what must hold of it.

use std::time::Duration;

use floe_ice::{Component, Config, ConnectionState, RelayServer, ServerAddress, Time};
use floe_netsim::ice::IcePeer;
use floe_netsim::{Families, Handle, HostId, Link, Network, PathKind, Peer, Site, TurnServer, Verdict};
use floe_turn::server::{Config as TurnConfig, Credentials};

use crate::bounds::Bounds;
use crate::conditions::{Conditions, LOSSES_IN_A_ROW, Weather};
use crate::scenario::Scenario;
use crate::shape::{Shared, Stack};

/// RFC 8863 §4 with the default timers of RFC 8489: nobody fails earlier after it knows its peer's credentials. A server has as
/// long to answer, so that losses end no request to it.
const PATIENCE: Duration = Duration::from_millis(39_500);

/// How a run ended, as far as the statistics care.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ending {
    pub(crate) connected: bool,
    /// The oracle was in doubt.
    pub(crate) doubtful: bool,
    /// How much of the time that was allowed has been used.
    pub(crate) used: f64,
}

/// A network with the two sides of a scenario in it, before they begin.
pub(crate) struct Run {
    net: Network,
    peers: [Handle<IcePeer>; 2],
    /// The TURN server of each side that has a relay.
    relays: [Option<HostId>; 2],
    conditions: Conditions,
}

impl Run {
    pub(crate) fn new(scenario: &Scenario, conditions: Conditions, recording: bool) -> Self {
        let mut net = Network::new(conditions.seed);
        net.set_recording(recording);
        net.set_chart_on_panic(false);
        net.set_repeats_apart(true);
        net.set_segment_link(net.internet(), Link::delay(conditions.internet))
            .expect("the Internet is there");
        let server = net.add_stun_server("stun", &Site::public()).expect("a place for it");
        let servers = net.server_addresses(server);
        let turn = scenario.relays.contains(&true).then(|| add_turn_server(&mut net));
        let places = places(&mut net, scenario, &conditions);
        let peers = [0, 1].map(|side: usize| {
            let [up, down] = links(&conditions, side);
            net.set_links(places[side].interface, up, down).expect("the interface is there");
            let mut config = Config::new(net.derive_seed());
            config.role = conditions.roles[side];
            config.nomination = conditions.nomination();
            config.max_rto = conditions.max_rto();
            config.gather.servers.clone_from(&servers);
            config.gather.server_deadline = PATIENCE;
            if let Some(turn) = turn.filter(|_| scenario.relays[side]) {
                let addresses = net[turn].addresses().iter().map(|&a| ServerAddress::Address(a));
                config.gather.relays = addresses.map(|a| RelayServer::new(a, USER, PASSWORD)).collect();
            }
            let peer = IcePeer::new(config, net.now()).expect("a sound configuration");
            let peer = net.add_endpoint(places[side].host, peer).expect("the host is there");
            net.with(peer, |peer, _| peer.set_signalling(conditions.signalling));
            peer
        });
        for (from, to, delay) in [(0, 1, conditions.signal_delay[0]), (1, 0, conditions.signal_delay[1])] {
            net.set_signal_delay_between(peers[from], peers[to], delay);
        }
        let host = turn.and_then(|turn| net.host_of(turn));
        let relays = scenario.relays.map(|has| host.filter(|_| has));
        Self { net, peers, relays, conditions }
    }

    pub(crate) fn verdict(&self) -> Verdict {
        let [a, b] = self.peers.map(|peer| self.net.host_of(peer).expect("a peer has a host"));
        self.net.path(a, b, self.relays)
    }

    /// Plays it to its end; what is not as it should be.
    pub(crate) fn play_to_the_end(&mut self) -> Result<Ending, String> {
        // An agent that panics is a failure of this run, and has a chart like any other.
        let played = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| self.play()));
        played.unwrap_or_else(|_| Err("something panicked".to_owned()))
    }

    fn play(&mut self) -> Result<Ending, String> {
        let verdict = self.verdict();
        let bounds = Bounds::of(&self.conditions, self.relays.iter().any(Option::is_some));
        let [a, b] = self.peers;
        self.net.connect_ice(a, b);
        let over = |net: &Network| {
            let states = [a, b].map(|peer| net[peer].agent().state());
            states == [ConnectionState::Completed; 2] || states == [ConnectionState::Failed; 2]
        };
        if !self.net.run_until(bounds.failed, over) {
            return Err(format!("after {:?} the states are {:?}; {verdict}", bounds.failed, self.states()));
        }
        let connected = self.states() == [ConnectionState::Completed; 2];
        let took = self.net.now() - Time::ZERO;
        if connected {
            self.check_connected(&verdict)?;
        } else {
            self.check_failed(&verdict)?;
        }
        let allowed = if connected { bounds.completed } else { bounds.failed };
        if took > allowed {
            return Err(format!("it took {took:?}, and {allowed:?} are allowed"));
        }
        let doubtful = matches!(verdict, Verdict::Maybe { .. });
        Ok(Ending { connected, doubtful, used: took.as_secs_f64() / allowed.as_secs_f64() })
    }

    pub(crate) fn chart(&self) -> String {
        self.net.chart().to_string()
    }

    fn states(&self) -> [ConnectionState; 2] {
        self.peers.map(|peer| self.net[peer].agent().state())
    }

    fn check_connected(&mut self, verdict: &Verdict) -> Result<(), String> {
        if verdict.is_no() {
            return Err("they have connected, and the oracle says no".to_owned());
        }
        let component = Component::default();
        let ends = self.peers.map(|peer| {
            let pair = self.net[peer].agent().selected_pair(component);
            pair.map(|pair| (pair.local.address(), pair.remote.address()))
        });
        let same = matches!(ends, [Some((a, to_b)), Some((b, to_a))] if a == to_a && b == to_b);
        if !same {
            return Err(format!("they have selected different pairs: {ends:?}"));
        }
        let path = self.net[self.peers[0]].selected_path(component);
        let path = path.ok_or("a selected pair has a kind")?;
        if !verdict.allows(path) {
            return Err(format!("they have selected {path}, and the oracle says {verdict}"));
        }
        if verdict.best().is_some_and(|best| !self.is_good_enough(path, best)) {
            return Err(format!("they have selected {path}, not the best; the oracle says {verdict}"));
        }
        let roles = self.peers.map(|peer| self.net[peer].agent().role());
        if roles[0] == roles[1] {
            return Err(format!("both are {:?} in the end", roles[0]));
        }
        self.exchange_data()
    }

    /// Losses may hide the best path where nobody waits for it. Where checks through relays take turns too, the default window may
    /// end before the best direct path has been checked; that none is found is what its longer one for relays prevents.
    fn is_good_enough(&self, path: PathKind, best: PathKind) -> bool {
        match self.conditions.weather {
            Weather::Lossy => true,
            Weather::Clear if self.relays != [None; 2] => best.is_relayed() || !path.is_relayed(),
            Weather::Clear | Weather::LossyAndPatient => path.rank() >= best.rank(),
        }
    }

    fn check_failed(&self, verdict: &Verdict) -> Result<(), String> {
        if verdict.is_yes() {
            return Err(format!("they have failed, and the oracle says {verdict}"));
        }
        let failed = self.peers.map(|peer| self.net[peer].entered(ConnectionState::Failed));
        if failed.iter().flatten().any(|&time| time - Time::ZERO < PATIENCE) {
            return Err(format!("they have failed at {failed:?}, before patience was over"));
        }
        Ok(())
    }

    /// Data both ways: of one packet more than can be lost in a row, one arrives.
    fn exchange_data(&mut self) -> Result<(), String> {
        let copies = match self.conditions.weather {
            Weather::Clear => 1,
            Weather::Lossy | Weather::LossyAndPatient => 1 + LOSSES_IN_A_ROW,
        };
        for peer in self.peers {
            for _ in 0..copies {
                let sent = self.net.with(peer, |peer, now| peer.send(Component::default(), b"data", now));
                if sent != Some(Ok(())) {
                    return Err(format!("data is refused: {sent:?}"));
                }
            }
        }
        let peers = self.peers;
        let all_got = |net: &Network| peers.iter().all(|&peer| !net[peer].received().is_empty());
        if self.net.run_until(Duration::from_secs(1), all_got) {
            Ok(())
        } else {
            Err("data is lost".to_owned())
        }
    }
}

/// Both sides' places.
fn places(net: &mut Network, scenario: &Scenario, conditions: &Conditions) -> [Peer; 2] {
    let any = conditions.hairpinning;
    let shape = scenario.shape;
    let families = |side: usize| match shape.stacks[side] {
        Stack::V4 => Families::V4,
        Stack::V6 => Families::V6,
        Stack::Dual => Families::Any,
    };
    let provider = (shape.shared == Shared::Provider).then(|| {
        let router = scenario.outer_router(0, any).expect("a provider has a router");
        let router = net.add_router("provider", net.internet(), router).expect("a place for it");
        net.inside(router).expect("it has an inside")
    });
    let mut add = |side: usize, name: &str| {
        let mut site = Site::public().families(families(side));
        site = scenario.own_router(side, any).into_iter().fold(site, Site::then_behind_router);
        site = match provider {
            Some(segment) => site.within(segment),
            None if shape.depth[side] < 2 => site,
            None => scenario.outer_router(side, any).into_iter().fold(site, Site::then_behind_router),
        };
        net.add_peer(name, &site).expect("a place for a peer")
    };
    let a = add(0, "alice");
    let b = match shape.shared {
        Shared::Lan => net.add_neighbour("bob", &a).expect("a place for a peer"),
        Shared::Internet | Shared::Provider => add(1, "bob"),
    };
    [a, b]
}

const USER: &str = "alice";
const PASSWORD: &str = "secret";

fn add_turn_server(net: &mut Network) -> Handle<TurnServer> {
    let mut accounts = Credentials::new("example.org").expect("a realm");
    accounts.add_user(USER, PASSWORD).expect("a user");
    let config = TurnConfig::new(net.derive_seed(), accounts);
    net.add_turn_server("turn", &Site::public(), config).expect("a place for it")
}

/// A side's access, up and down.
fn links(conditions: &Conditions, side: usize) -> [Link; 2] {
    let link = Link::delay(conditions.access[side]);
    match conditions.weather {
        Weather::Clear => [link.clone(), link],
        Weather::Lossy | Weather::LossyAndPatient => {
            let link = link.jitter(Conditions::JITTER);
            let lossy = link.clone().loss(0.1).max_loss_run(LOSSES_IN_A_ROW);
            let (where_lost, up) = conditions.loses;
            match (side == where_lost, up) {
                (false, _) => [link.clone(), link],
                (true, true) => [lossy, link],
                (true, false) => [link, lossy],
            }
        }
    }
}
