//! The adapter for `floe-ice`. What the agent does is tested elsewhere; this is about the driver around it.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::time::Duration;

use floe_ice::{Component, Config, ConfigError, ConnectionState, Role};
use floe_netsim::ice::{AddPeerError, IcePeer, Signalling};
use floe_netsim::{Event, Handle, Link, Network, Probe, Site};

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
