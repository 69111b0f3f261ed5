//! The adapter for `floe-ice`. What the agent does is tested elsewhere; this is about the driver around it.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::net::SocketAddr;
use std::time::Duration;

use floe_ice::{
    Component, Config, ConfigError, ConnectionState, Event as Said, GatheringState, Role, ServerAddress,
};
use floe_netsim::ice::{AddPeerError, IcePeer, Signalling};
use floe_netsim::{Event, Families, Handle, Link, NatType, Network, Probe, Site, Verdict};

const LIMIT: Duration = Duration::from_secs(60);

fn config(net: &mut Network, role: Role) -> Config {
    let mut config = Config::new(net.derive_seed());
    config.role = role;
    config
}

/// Two peers on the Internet, 20 ms apart, which open their sockets themselves.
fn two_peers(seed: u64) -> (Network, Handle<IcePeer>, Handle<IcePeer>) {
    let mut net = Network::new(seed);
    net.set_segment_link(net.internet(), Link::delay_ms(20)).unwrap();
    let [a, b] = [("alice", Role::Controlling), ("bob", Role::Controlled)].map(|(name, role)| {
        let config = config(&mut net, role);
        let peer = net.add_ice_peer(name, &Site::public(), config).unwrap();
        net.with(peer, |peer, _| peer.set_own_sockets(true));
        peer
    });
    (net, a, b)
}

#[test]
fn two_agents_connect_and_exchange_data() {
    let (mut net, a, b) = two_peers(1);
    net.connect_ice(a, b);
    assert!(net.run_until_connected(a, b, LIMIT), "{}", net.chart());
    for (from, to) in [(a, b), (b, a)] {
        assert_eq!(net.with(from, |peer, now| peer.send(Component::default(), b"hello", now)), Some(Ok(())));
        net.run_for(Duration::from_millis(20));
        assert_eq!(net[to].received()[0].bytes, b"hello");
        assert_eq!(net[to].received()[0].time, net.now());
        assert_eq!(
            net[from].entered(ConnectionState::Completed),
            net[from].selections(Component::default()).next().map(|s| s.0)
        );
        assert_eq!((net[from].bad_signals(), net[from].send_errors()), (0, 0));
    }
}

#[test]
fn the_same_seed_gives_the_same_conversation() {
    let run = |seed, recording| {
        let (mut net, a, b) = two_peers(seed);
        net.set_recording(recording);
        net.connect_ice(a, b);
        assert!(net.run_until_connected(a, b, LIMIT));
        net.trace().digest()
    };
    assert_eq!(run(1, true), run(1, false));
    assert_ne!(run(1, true), run(2, true));
}

#[test]
fn signalling_can_wait_for_the_end_of_gathering() {
    let (mut net, a, b) = two_peers(1);
    for peer in [a, b] {
        net.with(peer, |peer, _| peer.set_signalling(Signalling::AtOnce));
    }
    net.connect_ice(a, b);
    let first = net.trace().records().find(|r| matches!(r.event, Event::SignalSent { .. })).unwrap();
    assert!(first.bytes.starts_with(b"credentials "));
    assert!(net.run_until_connected(a, b, LIMIT), "{}", net.chart());
}

#[test]
fn signalling_can_be_done_by_hand() {
    let (mut net, a, b) = two_peers(1);
    for peer in [a, b] {
        net.with(peer, |peer, _| peer.set_signalling(Signalling::Manual));
    }
    net.connect_ice(a, b);
    net.run_for(LIMIT);
    assert!(!net.trace().records().any(|r| matches!(r.event, Event::SignalSent { .. } | Event::Sent { .. })));
    for peer in [a, b] {
        net.with(peer, |peer, _| {
            let candidates: Vec<_> =
                peer.agent().local_candidates().map(|(_, s, c)| (s, c.clone())).collect();
            for (stream, candidate) in candidates {
                peer.signal_candidate(stream, &candidate);
            }
            peer.signal_end_of_candidates();
            peer.signal_credentials();
        });
    }
    assert!(net.run_until_connected(a, b, LIMIT), "{}", net.chart());
}

#[test]
fn signals_that_make_no_sense_are_counted() {
    let (mut net, a, _) = two_peers(1);
    let stranger = net.add_peer("stranger", &Site::public()).unwrap();
    let stranger = net.add_endpoint(stranger.host, Probe::default()).unwrap();
    let bad = [
        &b"\xFF"[..],
        b"",
        b"hello you",
        b"credentials x",
        b"credentials x y",
        b"candidate 0 candidate:nonsense",
        b"candidate x",
        b"end-of-candidates 7",
        b"end-of-candidates",
    ];
    for message in bad {
        net.with(stranger, |probe, _| probe.signal(a, message));
    }
    net.run_for(LIMIT);
    assert_eq!(net[a].bad_signals(), bad.len());
}

#[test]
fn a_configuration_out_of_range_is_refused() {
    let mut net = Network::new(1);
    let mut config = config(&mut net, Role::Controlling);
    config.ta = Duration::ZERO;
    let refused = net.add_ice_peer("a", &Site::public(), config);
    assert_eq!(refused, Err(AddPeerError::Config(ConfigError::Ta)));
}

#[test]
fn the_chart_tells_what_the_agents_said() {
    let (mut net, a, b) = two_peers(1);
    net.connect_ice(a, b);
    assert!(net.run_until_connected(a, b, LIMIT));
    let chart = net.chart().to_string();
    for text in ["USE-CANDIDATE", "-- selected host", "-- state completed", "candidate 0 candidate:"] {
        assert!(chart.contains(text), "{text} is missing:\n{chart}");
    }
    let credentials = net[a].agent().local_credentials();
    assert!(chart.contains(credentials.ufrag()));
    assert!(!chart.contains(credentials.pwd()), "passwords are not shown");
}

/// Two peers that gather, 20 ms from each other and from a STUN server that they know by name.
fn gathering_peers(a: NatType, b: NatType) -> (Network, Handle<IcePeer>, Handle<IcePeer>) {
    let mut net = Network::new(1);
    net.set_segment_link(net.internet(), Link::delay_ms(20)).unwrap();
    let server = net.add_stun_server("stun", &Site::public()).unwrap();
    let addresses = net[server].addresses().iter().map(SocketAddr::ip).collect();
    net.set_name("stun.example", addresses, Duration::from_millis(30));
    let [a, b] = [("alice", a, Role::Controlling), ("bob", b, Role::Controlled)].map(|(name, nat, role)| {
        let mut config = config(&mut net, role);
        config.gather.servers = vec![ServerAddress::Name { host: "stun.example".to_owned(), port: 3478 }];
        let site = Site::behind(nat).families(Families::V4);
        net.add_ice_peer(name, &site, config).unwrap()
    });
    (net, a, b)
}

#[test]
fn agents_connect_where_the_oracle_says_so_and_nowhere_else() {
    for a in NatType::all().into_iter().take(7) {
        for b in NatType::all().into_iter().take(7) {
            let (mut net, alice, bob) = gathering_peers(a, b);
            let hosts = [alice, bob].map(|peer| net.host_of(peer).unwrap());
            let verdict = net.direct_path(hosts[0], hosts[1]);
            net.connect_ice(alice, bob);
            let connected = net.run_until_connected(alice, bob, Duration::from_secs(120));
            let Verdict::Yes { paths, .. } = verdict else {
                assert!(!connected, "{a} and {b}, oracle: {verdict}\n{}", net.chart());
                assert!(verdict.is_no(), "{a} and {b}: {verdict}");
                continue;
            };
            assert!(connected, "{a} and {b}, oracle: {paths:?}");
            let path = net[alice].selected_path(Component::default()).unwrap();
            assert!(paths.iter().any(|known| known.is_like(path)), "{a} and {b}: {path}, oracle: {paths:?}");
        }
    }
}

#[test]
fn names_are_looked_up_and_unknown_ones_are_a_problem_of_gathering() {
    let (mut net, a, b) = gathering_peers(NatType::FULL_CONE, NatType::FULL_CONE);
    net.set_name("stun.example", Vec::new(), Duration::from_millis(30));
    net.connect_ice(a, b);
    net.run_for(Duration::from_millis(29));
    let problems = |net: &Network| {
        let is = |(_, event): &&(_, Said)| matches!(event, Said::GatheringProblem { .. });
        net[a].events().iter().filter(is).count()
    };
    assert_eq!(problems(&net), 0);
    net.run_for(Duration::from_millis(1));
    assert_eq!(problems(&net), 1);
    assert_eq!(net[a].agent().gathering_state(), GatheringState::Complete);
}

#[test]
fn a_host_that_loses_its_address_loses_its_sockets() {
    let (mut net, a, b) = gathering_peers(NatType::FULL_CONE, NatType::FULL_CONE);
    net.connect_ice(a, b);
    assert!(net.run_until_connected(a, b, LIMIT), "{}", net.chart());
    let interface = net.interfaces(net.host_of(a).unwrap()).next().unwrap().id;
    net.detach(interface).unwrap();
    net.run_for(LIMIT);
    assert_eq!(net.halted(), None);
    assert!(net[a].send_errors() > 0);
    assert!(net[a].agent().send_path(Component::default()).is_err());
}
