//! Behind NATs: two agents connect if, and only if, the oracle finds a direct path in the topology.

use std::time::Duration;

use floe_ice::candidate::CandidateKind;
use floe_ice::{Component, Config, ConnectionState, Role};
use floe_netsim::ice::IcePeer;
use floe_netsim::{Firewall, Link, NatType, Network, Site, Verdict};
use floe_tests::rules::{self, Rules};
use floe_tests::scene::{Scene, Setup};

const REGULAR: Rules = Rules { ta: Duration::from_millis(50), regular: true };

/// The cone-type NATs, all mapping independently of the endpoint.
const CONES: [NatType; 3] = [NatType::FULL_CONE, NatType::RESTRICTED_CONE, NatType::PORT_RESTRICTED_CONE];

/// Two peers at these sites, with a STUN server.
fn scene(seed: u64, sites: [Site; 2]) -> Scene {
    Setup { seed, sites, stun_server: true, ..Setup::default() }.build()
}

fn verdict(scene: &Scene) -> Verdict {
    let [a, b] = scene.peers.map(|peer| scene.net.host_of(peer).expect("a peer has a host"));
    scene.net.direct_path(a, b)
}

/// Connects or fails as the oracle says, and breaks no rule on the way. Where the oracle is in doubt, both are right.
fn as_the_oracle_says(mut scene: Scene, what: &str) {
    let verdict = verdict(&scene);
    let connected = scene.connect();
    match verdict {
        Verdict::Yes { .. } => assert!(connected, "{what}: the oracle says {verdict}"),
        Verdict::No => assert!(!connected, "{what}: the oracle says {verdict}"),
        Verdict::Maybe { .. } => {}
    }
    if connected {
        scene.exchange_data(&[Component::default()]);
    } else {
        scene.net.run_for(Duration::from_secs(120));
        assert_eq!(scene.states(), [ConnectionState::Failed; 2], "{what}: both sides say so");
    }
    rules::check(&scene, REGULAR);
}

#[test]
fn every_pairing_of_cones_connects() {
    for a in CONES {
        for b in CONES {
            let scene = scene(1, [Site::behind(a), Site::behind(b)]);
            assert!(matches!(verdict(&scene), Verdict::Yes { .. }), "{a} and {b}");
            as_the_oracle_says(scene, &format!("{a} and {b}"));
        }
    }
}

#[test]
fn symmetric_with_symmetric_or_port_restricted_does_not_connect() {
    for other in [NatType::SYMMETRIC, NatType::PORT_RESTRICTED_CONE] {
        for sites in [[NatType::SYMMETRIC, other], [other, NatType::SYMMETRIC]] {
            let scene = scene(1, sites.map(Site::behind));
            assert_eq!(verdict(&scene), Verdict::No, "{sites:?}");
            as_the_oracle_says(scene, &format!("{sites:?}"));
        }
    }
}

#[test]
fn every_pair_of_kinds_is_as_the_oracle_says() {
    for a in NatType::all() {
        for b in NatType::all() {
            let roles = [Role::Controlled, Role::Controlling];
            let sites = [Site::behind(a), Site::behind(b)];
            let mut setup = Setup { sites, stun_server: true, ..Setup::default() };
            if a.to_string() < b.to_string() {
                setup.roles = roles;
            }
            as_the_oracle_says(setup.build(), &format!("{a} and {b}"));
        }
    }
}

#[test]
fn nested_nats_are_as_the_oracle_says() {
    let kinds = [NatType::FULL_CONE, NatType::PORT_RESTRICTED_CONE, NatType::SYMMETRIC];
    for inner in kinds {
        for outer in kinds {
            for other in kinds {
                let site = Site::behind(inner).then_behind(outer);
                as_the_oracle_says(
                    scene(1, [site, Site::behind(other)]),
                    &format!("{inner} in {outer}, and {other}"),
                );
            }
        }
    }
}

/// Two hosts behind one NAT, with a STUN server outside.
fn neighbours(kind: NatType) -> Scene {
    let mut net = Network::new(1);
    let server = net.add_stun_server("stun", &Site::public()).expect("a place for it");
    let servers = net.server_addresses(server);
    let alice = net.add_peer("alice", &Site::behind(kind)).expect("a place");
    let bob = net.add_neighbour("bob", &alice).expect("a place");
    let peers = [(alice.host, Role::Controlling), (bob.host, Role::Controlled)].map(|(host, role)| {
        let mut config = Config::new(net.derive_seed());
        config.role = role;
        config.gather.servers.clone_from(&servers);
        let peer = IcePeer::new(config, net.now()).expect("a sound configuration");
        net.add_endpoint(host, peer).expect("a host of this network")
    });
    Scene { net, peers }
}

#[test]
fn peers_behind_one_nat_use_their_host_candidates() {
    for kind in [NatType::FULL_CONE, NatType::PORT_RESTRICTED_CONE, NatType::SYMMETRIC] {
        let mut scene = neighbours(kind);
        assert!(scene.connect(), "they are in one network");
        for peer in scene.peers {
            let pair =
                scene.net[peer].agent().selected_pair(Component::default()).expect("a pair is selected");
            assert_eq!([pair.local.kind(), pair.remote.kind()], [CandidateKind::Host; 2]);
        }
        scene.exchange_data(&[Component::default()]);
        rules::check(&scene, REGULAR);
    }
}

#[test]
fn ipv6_through_stateful_firewalls_connects() {
    let site = || Site::behind(NatType::SYMMETRIC).ipv6(Firewall::stateful());
    let scene = scene(1, [site(), site()]);
    assert!(matches!(verdict(&scene), Verdict::Yes { .. }));
    as_the_oracle_says(scene, "IPv6 behind firewalls");
}

#[test]
fn blocked_udp_fails_on_both_sides_when_patience_ends() {
    let scene = scene(1, [Site::behind(NatType::Blocked), Site::public()]);
    assert_eq!(verdict(&scene), Verdict::No);
    as_the_oracle_says(scene, "UDP is blocked");
}

#[test]
fn a_short_lived_mapping_is_kept_alive_by_consent() {
    let mut scene =
        scene(1, [Site::behind(NatType::PORT_RESTRICTED_CONE), Site::behind(NatType::RESTRICTED_CONE)]);
    assert!(scene.connect());
    // Longer than any mapping lives without traffic.
    scene.net.run_for(Duration::from_secs(1800));
    assert_eq!(scene.states(), [ConnectionState::Completed; 2]);
    scene.exchange_data(&[Component::default()]);
}

#[test]
fn a_network_that_is_gone_ends_in_failure_on_both_sides() {
    let mut scene = scene(1, [Site::behind(NatType::PORT_RESTRICTED_CONE), Site::public()]);
    assert!(scene.connect());
    let internet = scene.net.internet();
    scene.net.set_segment_link(internet, Link::delay_ms(20).loss(1.0)).expect("the Internet is there");
    // Consent ends after 30 seconds, and with it the path; other pairs have their checks' 39.5 seconds.
    scene.net.run_for(Duration::from_secs(31));
    for peer in scene.peers {
        assert!(scene.net[peer].agent().send_path(Component::default()).is_err());
    }
    scene.net.run_for(Duration::from_secs(90));
    assert_eq!(scene.states(), [ConnectionState::Failed; 2]);
}

#[test]
fn a_nat_that_forgets_its_mappings_does_not_end_the_connection() {
    for kind in [NatType::PORT_RESTRICTED_CONE, NatType::RESTRICTED_CONE] {
        let mut net = Network::new(1);
        let peers =
            [("alice", Site::behind(kind), Role::Controlling), ("bob", Site::public(), Role::Controlled)]
                .map(|(name, site, role)| {
                    let peer = net.add_peer(name, &site).expect("a place");
                    let mut config = Config::new(net.derive_seed());
                    config.role = role;
                    let ice = IcePeer::new(config, net.now()).expect("a sound configuration");
                    (net.add_endpoint(peer.host, ice).expect("a host"), peer.routers)
                });
        let router = peers[0].1[0];
        let mut scene = Scene { net, peers: peers.map(|(peer, _)| peer) };
        assert!(scene.connect());
        scene.net.reboot(router).expect("the router is there");
        // Alice's next consent check makes a new mapping, and Bob learns a new candidate from it.
        scene.net.run_for(Duration::from_secs(120));
        assert_eq!(scene.states(), [ConnectionState::Completed; 2], "{kind}");
        scene.exchange_data(&[Component::default()]);
    }
}
