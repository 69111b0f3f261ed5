//! Two agents at any sites of a virtual network, and every operation that an application, a driver, a network and an
//! attacker have, in any order.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

use floe_ice::candidate::Transport;
use floe_ice::{
    Agent, Candidate, Component, ComponentId, Config, ConnectionState, Credentials, DriverError, GatheringState,
    Nomination, RemoteParameters, Role, ServerAddress, SocketId, StreamId, Time, Unauthenticated,
};
use floe_netsim::{Handle, InterfaceId, Link, NatType, Network, Peer, RouterId, SegmentId, Site};

use crate::Input;
use crate::hostile;
use crate::player::{LOOKED_AWAY, Mood, Player, Task};

/// How many operations one input has at most.
const MAX_OPERATIONS: usize = 200;
/// The delay that the network has at first and again in the end.
const USUAL: Link = Link::IDEAL;

/// Runs two agents through what `data` says, and then lets them come to rest.
///
/// # Panics
///
/// If an agent breaks a rule that nothing can make it break, or if agents that nobody disturbed do not connect although
/// there is a way.
pub fn run(data: &[u8]) {
    let mut world = played(data);
    world.rest();
    world.check_end();
}

/// After the last operation.
fn played(data: &[u8]) -> World<'_> {
    let mut world = World::new(Input::new(data));
    for _ in 0..MAX_OPERATIONS {
        if world.input.is_empty() {
            break;
        }
        world.step();
    }
    world
}

/// Where a player is.
struct Place {
    player: Handle<Player>,
    interface: InterfaceId,
    segment: SegmentId,
    routers: Vec<RouterId>,
}

struct World<'a> {
    input: Input<'a>,
    net: Network,
    places: [Place; 2],
    streams: Vec<u16>,
    /// In the end, what was not done yet is.
    completes: bool,
    /// Something happened after which the two need not connect.
    disturbed: bool,
    /// The streams of which a side was told too early that the candidates have ended.
    cut_short: BTreeSet<StreamId>,
    /// Forged messages, for their ids.
    forged: u64,
}

impl<'a> World<'a> {
    fn new(mut input: Input<'a>) -> Self {
        let (flags, setup) = (input.u8(), input.u8());
        let mut net = Network::new(1);
        net.set_recording(false);
        net.set_chart_on_panic(false);
        set_link(&mut net, USUAL.clone());
        let server = net.add_stun_server("stun", &Site::public()).expect("room on the Internet");
        let server = net.server_addresses(server);
        net.set_name("stun.example", server.iter().filter_map(ip_of).collect(), Duration::from_millis(30));
        let streams = [vec![1], vec![2], vec![2, 1], vec![1, 1]][usize::from(setup & 3)].clone();
        let kinds = NatType::all();
        let places = [0, 1].map(|side: u8| {
            let site = site(&kinds, input.u8());
            let config = config(&mut input, flags, side, &streams, &server);
            let name = if side == 0 { "left" } else { "right" };
            let Peer { host, interface, segment, routers, .. } =
                net.add_peer(name, &site).expect("room on the Internet");
            let player = Player::new(config, flags & 0x10 == 0);
            let player = net.add_endpoint(host, player).expect("a host of this network");
            Place { player, interface, segment, routers }
        });
        let completes = setup & 0x04 == 0;
        // With room for so few pairs, not every component gets its own.
        let is_tight = |place: &Place| net[place.player].agent.has_tight_limits();
        let disturbed = places.iter().any(is_tight);
        let mut world = Self { input, net, places, streams, completes, disturbed, cut_short: BTreeSet::new(), forged: 0 };
        for side in 0..2 {
            match setup & 0x18 {
                0x00 => world.order(side, Task::Gather),
                0x08 => world.add_hosts(side),
                _ => {}
            }
            if setup & 0x20 == 0 {
                world.introduce(side);
            }
        }
        world
    }

    fn player(&self, side: usize) -> &Player {
        &self.net[self.places[side].player]
    }

    /// Calls the player of a side, and sends what that causes.
    fn with<R>(&mut self, side: usize, call: impl FnOnce(&mut Player, Time) -> R) -> R {
        self.net.with(self.places[side].player, call).expect("a player of this network")
    }

    fn order(&mut self, side: usize, task: Task) {
        self.with(side, |player, _| player.order(task));
    }

    fn step(&mut self) {
        let side = usize::from(self.input.u8() % 2);
        match self.input.u8() % 32 {
            0..=7 => {
                let by = 4 * u64::from(self.input.u8());
                self.net.run_for(Duration::from_millis(by));
            }
            8 => {
                let by = 100 * u64::from(self.input.u8());
                self.net.run_for(Duration::from_millis(by));
            }
            9 | 10 => self.driver(side),
            11..=14 => self.network(side),
            15..=18 => self.attack(side),
            _ => self.application(side),
        }
    }

    // --- the driver ---------------------------------------------------------------------------------------------

    fn driver(&mut self, side: usize) {
        let (how, now) = (self.input.u8() % 8, self.net.now());
        let n = usize::from(self.input.u8());
        match how {
            0 => {
                let by = Duration::from_millis(20 * n as u64);
                self.disturbed |= by > LOOKED_AWAY;
                self.with(side, |player, now| player.sleep(now + by));
            }
            1 => self.with(side, |player, _| player.holds = true),
            2 => self.with(side, |player, _| player.holds = false),
            3 => {
                self.disturbed = true;
                self.order(side, Task::FailSocket(n));
            }
            4 => {
                self.disturbed = true;
                self.order(side, Task::CloseSocket(n));
            }
            5 => {
                self.disturbed = true;
                let mood = [Mood::Helpful, Mood::Refusing, Mood::Silent][n % 3];
                self.with(side, |player, _| player.mood = mood);
            }
            // Too early, or again.
            6 => self.with(side, |player, now| player.agent.wake(now)),
            _ => {
                let back = now.saturating_sub(Duration::from_secs(n as u64));
                self.with(side, |player, _| player.agent.call(back, Agent::handle_timeout));
            }
        }
    }

    // --- the network --------------------------------------------------------------------------------------------

    fn network(&mut self, side: usize) {
        match self.input.u8() % 8 {
            0..=3 => {
                let (delay, jitter, bad) = (self.input.u8(), self.input.u8() / 2, self.input.u8());
                let part = |n: u8| f64::from(n) / 8.0;
                let link = Link::delay_ms(delay.into())
                    .jitter(Duration::from_millis(jitter.into()))
                    .loss(part(bad & 3))
                    .duplicate(part((bad >> 2) & 3))
                    .reorder(part((bad >> 4) & 3), Duration::from_millis(60));
                set_link(&mut self.net, link);
            }
            4 | 5 => {
                self.disturbed = true;
                let n = usize::from(self.input.u8());
                let routers = &self.places[side].routers;
                if let Some(nth) = n.checked_rem(routers.len()) {
                    self.net.reboot(routers[nth]).expect("a router of this network");
                }
            }
            6 => {
                self.disturbed = true;
                self.net.detach(self.places[side].interface).expect("an interface of this network");
            }
            _ => {
                self.disturbed = true;
                let Place { interface, segment, .. } = self.places[side];
                let to = if self.input.u8() < 0x80 { segment } else { self.net.internet() };
                self.net.reattach(interface, to).expect("there is room");
                self.places[side].segment = to;
            }
        }
    }

    // --- attackers ----------------------------------------------------------------------------------------------

    fn attack(&mut self, side: usize) {
        self.disturbed = true;
        let n = usize::from(self.input.u8());
        let Some(to) = self.player(side).local(n) else { return };
        let from = self.somebody(side);
        let bytes = match self.input.u8() % 8 {
            0 => {
                let len = usize::from(self.input.u8());
                self.input.bytes(len).to_vec()
            }
            1..=3 => self.forged_request(side),
            4 | 5 => self.forged_answer(side),
            6 => self.captured(1 - side),
            _ => self.captured(side),
        };
        self.net.inject(self.places[side].segment, from, to, &bytes).expect("a segment of this network");
    }

    fn forged_request(&mut self, side: usize) -> Vec<u8> {
        self.forged += 1;
        let mut id = [0x66; 12];
        id[..8].copy_from_slice(&self.forged.to_be_bytes());
        let [ours, peers] = [side, 1 - side].map(|side| self.credentials(side));
        hostile::request(&mut self.input, (ours.ufrag(), ours.pwd()), peers.ufrag(), id)
    }

    fn forged_answer(&mut self, side: usize) -> Vec<u8> {
        let bytes = self.captured(side);
        let Ok(request) = floe_stun::Message::parse(&bytes) else { return bytes };
        let mapped = self.somebody(side);
        let pwd = self.credentials(1 - side);
        hostile::answer(&mut self.input, request.transaction_id(), mapped, pwd.pwd())
    }

    /// What a side sent, possibly changed.
    fn captured(&mut self, side: usize) -> Vec<u8> {
        let (back, change) = (usize::from(self.input.u8()) % 16, self.input.u8());
        let packet = self.player(side).sent.iter().rev().nth(back);
        let mut bytes = packet.map(|packet| packet.bytes.clone()).unwrap_or_default();
        match change {
            0xF0.. => bytes.truncate(usize::from(self.input.u8())),
            0xE0..0xF0 => hostile::spoil(&mut bytes, &mut self.input),
            _ => {}
        }
        bytes
    }

    /// The other side, ourselves, or strangers.
    fn somebody(&mut self, side: usize) -> SocketAddr {
        let n = self.input.u8();
        let stranger = SocketAddr::from(([203, 0, 113, n % 64], 7000 + u16::from(n / 64)));
        let to = self.player(side).sent.iter().rev().nth(usize::from(n) % 16).map(|packet| packet.destination);
        match n {
            0..0x80 => to.unwrap_or(stranger),
            0x80..0x90 => self.player(side).local(usize::from(n)).unwrap_or(stranger),
            0x90 => SocketAddr::from(([0; 4], 0)),
            0x91 => SocketAddr::from(([224, 0, 0, 1], 9)),
            0x92 => SocketAddr::from(([0x2001, 0xdb8, 0, 0, 0, 0, 0, 1], 6000)),
            0x93 => SocketAddr::from(([0, 0, 0, 0, 0, 0xFFFF, 0xCB00, 0x7101], 6000)),
            _ => stranger,
        }
    }

    // --- applications -------------------------------------------------------------------------------------------

    fn application(&mut self, side: usize) {
        let component = self.component();
        match self.input.u8() % 24 {
            0..=2 => self.introduce(side),
            3 => self.introduce_oddly(side),
            4..=7 => {
                let count = usize::from(self.input.u8() % 4);
                self.signal(side, count);
            }
            8 => self.signal_oddly(side),
            9 => self.end(side, component.stream),
            10 => {
                let _ = self.with(side, |player, now| player.agent.call(now, Agent::end_of_local_candidates));
            }
            11 | 12 => {
                let n = usize::from(self.input.u8());
                self.order(side, Task::AddHost(n, component));
            }
            13 => self.order(side, Task::Gather),
            14 | 15 => {
                self.with(side, |player, now| player.send(component, now));
            }
            16 => self.restart(side),
            17 => self.with(side, |player, now| {
                player.agent.call(now, |agent, _| agent.record_received(component, 1, 100));
            }),
            18 => self.answer_unasked(side),
            19 => {
                let socket = SocketId(1 << 40 | u64::from(self.input.u8()));
                self.with(side, |player, now| {
                    player.agent.call(now, |agent, now| agent.socket_failed(socket, now));
                });
            }
            20 if self.input.u8() >= 0xE0 => {
                self.disturbed = true;
                self.with(side, |player, now| player.agent.close(now));
            }
            21 => self.add_unusable_host(side, component),
            _ => self.look(side, component),
        }
    }

    fn component(&mut self) -> Component {
        let n = u16::from(self.input.u8());
        Component::new(StreamId(n / 2 % 3), ComponentId::new(1 + n % 2).unwrap_or_default())
    }

    fn credentials(&self, side: usize) -> Credentials {
        self.player(side).agent.agent().local_credentials().clone()
    }

    fn introduce(&mut self, side: usize) {
        let parameters = RemoteParameters::new(self.credentials(1 - side));
        self.with(side, |player, now| player.agent.introduce(&parameters, now));
    }

    /// The peer learns of it when it is told the credentials, now or later; and so do we of its answer.
    fn restart(&mut self, side: usize) {
        let _ = self.with(side, |player, now| player.agent.call(now, Agent::restart));
        match self.input.u8() % 4 {
            0 => {}
            1 => self.introduce(1 - side),
            _ => {
                self.introduce(1 - side);
                self.introduce(side);
                self.order(side, Task::Gather);
                self.order(1 - side, Task::Gather);
            }
        }
    }

    /// For one stream, of a lite peer or a slow one, or not the peer's at all.
    fn introduce_oddly(&mut self, side: usize) {
        let how = self.input.u8();
        let mut parameters = RemoteParameters::new(self.credentials(1 - side));
        parameters.pacing = Some(Duration::from_millis(u64::from(how) * 10));
        let stream = (how & 0x20 != 0).then_some(StreamId(u16::from(how % 3)));
        parameters.lite = how & 0x60 == 0x40;
        self.disturbed = true;
        let _ = self.with(side, |player, now| player.agent.try_introduce(stream, &parameters, now));
        if how & 0x30 == 0x10 {
            let pwd = "anotherPasswordThanBefore";
            let others = Credentials::new(["other", "another"][usize::from(how & 1)], pwd).expect("valid");
            self.with(side, |player, now| player.agent.mislead(&RemoteParameters::new(others), now));
        }
    }

    /// Tells the peer of so many more candidates of this side.
    fn signal(&mut self, side: usize, count: usize) {
        let fresh: Vec<_> = self.with(side, |player, _| {
            let fresh: Vec<_> = player.candidates[player.signalled..].iter().take(count).cloned().collect();
            player.signalled += fresh.len();
            fresh
        });
        for (stream, candidate) in fresh {
            self.with(1 - side, |player, now| player.agent.signal(stream, &candidate, now));
        }
    }

    /// A candidate that the peer never had, possibly of no use.
    fn signal_oddly(&mut self, side: usize) {
        let (address, how, component) = (self.somebody(side), self.input.u8(), self.component());
        let candidate = match how & 3 {
            0 => Candidate::host(address),
            1 => Candidate::server_reflexive(address, SocketAddr::from(([10, 9, 8, 7], 6))),
            2 => Candidate::relayed(address, SocketAddr::from(([10, 9, 8, 7], 6))),
            _ => Candidate::host(address).with_priority(self.input.u32()),
        };
        let mut candidate = candidate.with_component(component.id);
        if how & 0x1C == 0x04 {
            candidate = candidate.with_transport(Transport::Tcp(floe_ice::candidate::TcpType::Active));
        }
        let candidate = if how & 0x1C == 0x08 { candidate.with_ufrag("other").expect("valid") } else { candidate };
        self.with(side, |player, now| player.agent.signal(component.stream, &candidate, now));
    }

    /// Tells a side that its peer's candidates have ended. If they have not, those that come later are ignored: this side may take the
    /// peer for one without a component (RFC 8445 §6.1.2.2) that the peer has, and the stream fails on one side alone.
    fn end(&mut self, side: usize, stream: StreamId) {
        let peer = self.player(1 - side);
        let complete = peer.agent.agent().gathering_state() == GatheringState::Complete;
        if !complete || peer.signalled < peer.candidates.len() {
            self.cut_short.insert(stream);
        }
        let _ = self.with(side, |player, now| {
            player.agent.call(now, |agent, now| agent.end_of_remote_candidates(stream, now))
        });
    }

    fn add_hosts(&mut self, side: usize) {
        for component in self.components() {
            self.order(side, Task::AddHost(0, component));
        }
    }

    fn components(&self) -> Vec<Component> {
        let of = |(stream, &count): (u16, &u16)| {
            let ids = (1..=count).filter_map(ComponentId::new);
            ids.map(move |id| Component::new(StreamId(stream), id)).collect::<Vec<_>>()
        };
        (0..).zip(&self.streams).flat_map(of).collect()
    }

    /// Answers to questions that were never asked, or were answered before.
    fn answer_unasked(&mut self, side: usize) {
        let Some(request) = self.player(side).agent.last_request else { return };
        self.with(side, |player, now| {
            let agent = &mut player.agent;
            agent.call(now, |agent, now| agent.resolved(request, Err(DriverError::Other), now));
            agent.call(now, |agent, now| agent.opened(request, Err(DriverError::Other), now));
        });
    }

    fn add_unusable_host(&mut self, side: usize, component: Component) {
        let address = [([0; 4], 5), ([224, 0, 0, 1], 5), ([10, 0, 0, 1], 0)].map(SocketAddr::from);
        let address = self.input.choose(&address);
        let added = self.with(side, |player, now| {
            player.agent.call(now, |agent, now| agent.add_host(component, SocketId(1 << 41), address, now))
        });
        assert!(added.is_err(), "{address} is no candidate");
    }

    /// Everything that can be asked for at any time.
    fn look(&self, side: usize, component: Component) {
        let agent = self.player(side).agent.agent();
        let exists = self.components().contains(&component);
        if agent.send_path(component).is_ok() || agent.selected_pair(component).is_some() {
            assert!(exists);
        }
        for pair in agent.pairs() {
            assert!(agent.pair_stats(pair.id).is_some());
            assert!(!pair.selected || pair.valid, "{pair:?}");
            // The local one may be of an address that gathering found to be gone: it is told of no more, and its pair has failed.
            assert!(agent.remote_candidate(pair.remote_id).is_some() && agent.local_component(pair.local_id).is_some());
            assert!(agent.local_candidate(pair.local_id).is_some() || !pair.valid, "{pair:?}");
        }
        for (id, _, _) in agent.local_candidates() {
            assert!(agent.local_component(id).is_some());
        }
    }

    // --- the end ------------------------------------------------------------------------------------------------

    /// The network is perfect for longer than anything lasts: a check 39.5 s (RFC 8489 §6.2.1), consent 30 s, gathering 15 s.
    fn rest(&mut self) {
        set_link(&mut self.net, USUAL.clone());
        (0..2).for_each(|side| self.with(side, |player, _| player.holds = false));
        for _ in 0..40 {
            if self.completes {
                (0..2).for_each(|side| self.complete(side));
            }
            self.net.run_for(Duration::from_millis(2_500));
            let halt = self.net.halted();
            assert!(halt.is_none(), "{halt:?}");
        }
    }

    /// All that an application does, if it was not done.
    fn complete(&mut self, side: usize) {
        self.introduce(side);
        self.signal(side, usize::MAX);
        if self.player(side).agent.agent().gathering_state() == GatheringState::New {
            let _ = self.with(side, |player, now| player.agent.call(now, Agent::end_of_local_candidates));
        }
        if self.player(side).agent.agent().gathering_state() == GatheringState::Complete {
            self.signal(side, usize::MAX);
            (0..2).for_each(|stream| self.end(1 - side, StreamId(stream)));
        }
    }

    fn check_end(&mut self) {
        (0..2).for_each(|side| self.look(side, Component::default()));
        let states = [0, 1].map(|side| self.player(side).agent.agent().state());
        let calm = !self.disturbed && [0, 1].into_iter().all(|side| !self.player(side).consent_lost);
        if !calm || states != [ConnectionState::Completed; 2] {
            return;
        }
        assert_ne!(self.player(0).agent.agent().role(), self.player(1).agent.agent().role());
        // A stream without candidates has failed, on both sides.
        for component in self.components() {
            if self.cut_short.contains(&component.stream) {
                continue;
            }
            let paths = [0, 1].map(|side| self.player(side).agent.agent().send_path(component).is_ok());
            assert_eq!(paths[0], paths[1], "{component:?}");
            if paths[0] {
                (0..2).for_each(|side| self.check_data(side, component));
            }
        }
    }

    fn check_data(&mut self, side: usize, component: Component) {
        let before = self.player(1 - side).received;
        assert!(self.with(side, |player, now| player.send(component, now)), "a path");
        self.net.run_for(Duration::from_secs(1));
        assert!(self.player(1 - side).received > before, "data of {component:?} from {side} does not arrive");
    }
}

fn set_link(net: &mut Network, link: Link) {
    let internet = net.internet();
    net.set_segment_link(internet, link).expect("the Internet is there");
}

fn ip_of(server: &ServerAddress) -> Option<std::net::IpAddr> {
    match server {
        ServerAddress::Address(address) => Some(address.ip()),
        ServerAddress::Name { .. } => None,
    }
}

fn site(kinds: &[NatType], n: u8) -> Site {
    let site = Site::behind(kinds[usize::from(n & 0x1F) % kinds.len()]);
    if n & 0x20 == 0 { site } else { site.then_behind(NatType::PORT_RESTRICTED_CONE) }
}

fn config(input: &mut Input<'_>, flags: u8, side: u8, streams: &[u16], server: &[ServerAddress]) -> Config {
    let how = input.u8();
    let mut config = Config::new([side + 1; 32]);
    let is_controlling = (flags >> side) & 1 == u8::from(side == 1);
    config.role = if is_controlling { Role::Controlling } else { Role::Controlled };
    config.streams = streams.to_vec();
    if how & 0x01 != 0 {
        config.nomination = Nomination::Immediate;
    }
    config.consent = how & 0x02 == 0;
    if how & 0x04 != 0 {
        config.unauthenticated = Unauthenticated::Answer;
    }
    if how & 0x08 != 0 {
        (config.ta, config.max_rto) = (Duration::from_millis(5), Duration::from_secs(4));
    }
    if how & 0x10 != 0 {
        let limits = &mut config.limits;
        (limits.pairs, limits.remote_candidates, limits.peer_reflexive) = (3, 4, 2);
        (limits.early_checks, limits.checks_per_remote, limits.queued_packets) = (2, 10, 16);
    }
    config.gather.servers = match how & 0x60 {
        0x20 => server.to_vec(),
        0x40 => vec![ServerAddress::Name { host: "stun.example".into(), port: 3478 }],
        _ => Vec::new(),
    };
    config
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The others begin where these end: fuzzing would have far to go without them.
    #[test]
    fn plain_seeds_connect() {
        macro_rules! seeds {
            ($($name:literal)*) => { [$(($name, &include_bytes!(concat!("../corpus/agent_network/", $name))[..])),*] };
        }
        let seeds = seeds!(
            "public" "cones" "symmetric-to-cone" "nested-by-name" "own-sockets-two-streams"
            "both-controlling-immediate" "bad-line" "late-credentials" "restarted" "fast-pace-strangers-answered"
        );
        for (name, seed) in seeds {
            let world = played(seed);
            let states = [0, 1].map(|side| world.player(side).agent.agent().state());
            assert_eq!(states, [ConnectionState::Completed; 2], "{name}");
        }
    }
}
