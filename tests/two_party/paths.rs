//! What becomes of a path in use when something on it goes: an interface, or what a NAT remembers. No restart is needed, as long
//! as another pair works or the filters let in what comes from elsewhere.

use std::time::Duration;

use floe_ice::{Component, Config, ConnectionState, Nomination, PairInfo, Role};
use floe_netsim::ice::IcePeer;
use floe_netsim::{
    Attach, Dependence, Handle, HostId, InterfaceId, Link, NatConfig, NatType, Network, PortAllocation,
    RouterConfig, RouterId, Site,
};
use floe_tests::rules::{self, Rules};
use floe_tests::scene::Scene;

const REGULAR: Rules = Rules { ta: Duration::from_millis(50), regular: true };
const ROLES: [[Role; 2]; 2] = [[Role::Controlling, Role::Controlled], [Role::Controlled, Role::Controlling]];
/// RFC 7675 §5.1: consent lasts 30 seconds, and the check that notices comes at most 6 seconds after the one before.
const CONSENT: Duration = Duration::from_secs(37);

/// A network with a STUN server, 20 ms from everything.
fn internet() -> Network {
    let mut net = Network::new(1);
    net.set_segment_link(net.internet(), Link::delay_ms(20)).expect("the Internet is there");
    net.add_stun_server("stun", &Site::public()).expect("a place for it");
    net
}

fn agent(net: &mut Network, host: HostId, role: Role) -> Handle<IcePeer> {
    let mut config = Config::new(net.derive_seed());
    config.role = role;
    config.nomination =
        Nomination::Regular { settle: Duration::from_secs(1), settle_relayed: Duration::from_secs(1) };
    config.gather.servers = vec!["stun:203.0.113.1".parse().expect("the first address of the Internet")];
    let ice = IcePeer::new(config, net.now()).expect("a sound configuration");
    net.add_endpoint(host, ice).expect("the host is there")
}

// --- an interface goes ------------------------------------------------------------------------------------------

/// Alice with three ways to the Internet, and Bob. All are behind NATs, so that whoever controls waits for better pairs between
/// their private addresses, and meanwhile the others become valid. Connected.
fn three_ways(roles: [Role; 2]) -> (Scene, Vec<InterfaceId>) {
    let mut net = internet();
    let alice = net.add_host("alice");
    let mut segments = Vec::new();
    for kind in [NatType::RESTRICTED_CONE, NatType::PORT_RESTRICTED_CONE, NatType::FULL_CONE] {
        let router = net.add_router("way", net.internet(), RouterConfig::of(kind)).expect("a place for it");
        segments.push(net.inside(router).expect("it has an inside"));
    }
    let attach = |segment| net.attach(alice, segment, Attach::default()).expect("a place");
    let interfaces = segments.into_iter().map(attach).collect();
    let bob = net.add_peer("bob", &Site::behind(NatType::PORT_RESTRICTED_CONE)).expect("a place").host;
    let peers = [agent(&mut net, alice, roles[0]), agent(&mut net, bob, roles[1])];
    let mut scene = Scene { net, peers };
    assert!(scene.connect());
    (scene, interfaces)
}

fn selected(scene: &Scene, side: usize) -> PairInfo<'_> {
    let pair = scene.net[scene.peers[side]].agent().selected_pair(Component::default());
    pair.expect("a pair is selected")
}

#[test]
fn when_an_interface_goes_down_the_best_of_the_other_pairs_takes_over() {
    for roles in ROLES {
        let (mut scene, interfaces) = three_ways(roles);
        for left in [2, 1] {
            let alice = scene.peers[0];
            let path = scene.net[alice].agent().send_path(Component::default()).expect("a path");
            let source = path.src_ip.expect("host sockets have an address");
            let has = |interface: &&InterfaceId| scene.net.addresses(**interface).contains(&source);
            let in_use = *interfaces.iter().find(has).expect("the path leaves from an interface");
            scene.net.detach(in_use).expect("the interface is there");
            // The first packet shows that the socket is gone.
            scene.net.with(alice, |peer, now| peer.send(Component::default(), b"data", now));
            let chosen = |net: &Network| {
                net[alice].agent().selected_pair(Component::default()).is_some()
                    && net[alice].agent().state() == ConnectionState::Completed
            };
            // A controlled side has to wait until the other one notices that its consent checks stay unanswered.
            let patience = if roles[0] == Role::Controlling { Duration::from_secs(2) } else { CONSENT };
            assert!(scene.net.run_until(patience, chosen), "{roles:?}, {left} ways left");
            // So does the other side, which of two nominated pairs prefers the better one (RFC 8445 §8.1.1).
            scene.net.run_for(CONSENT);
            let pair = selected(&scene, 0);
            let pairs = scene.net[alice].agent().pairs();
            let best = pairs.filter(|pair| pair.valid).map(|pair| pair.priority).max();
            assert_eq!(Some(pair.priority), best, "{roles:?}: the best valid pair");
            assert!(scene.agree(Component::default()), "{roles:?}, {left} ways left");
            assert_eq!(scene.states(), [ConnectionState::Completed; 2]);
            scene.exchange_data(&[Component::default()]);
        }
        rules::check(&scene, REGULAR);
    }
}

// --- a NAT forgets ----------------------------------------------------------------------------------------------

/// Both behind a NAT, Alice's of these ports and of this expiry, Bob's of this filter. Connected.
fn behind_nats(
    ports: PortAllocation,
    filtering: Dependence,
    expiry: Duration,
    roles: [Role; 2],
) -> (Scene, RouterId) {
    let mut net = internet();
    let cone = |filtering, ports| NatConfig::new(Dependence::EndpointIndependent, filtering, ports);
    let nats = [
        cone(Dependence::AddressAndPortDependent, ports).expiry(expiry),
        cone(filtering, PortAllocation::Preserving),
    ];
    let [alice, bob] = [("alice", 0), ("bob", 1)].map(|(name, side): (_, usize)| {
        let site = Site::public().then_behind_router(RouterConfig::new().nat(nats[side].clone()));
        net.add_peer(name, &site).expect("a place")
    });
    let peers = [agent(&mut net, alice.host, roles[0]), agent(&mut net, bob.host, roles[1])];
    let mut scene = Scene { net, peers };
    assert!(scene.connect());
    (scene, alice.routers[0])
}

fn for_all_ports_filters_and_roles(mut test: impl FnMut(PortAllocation, Dependence, [Role; 2])) {
    for ports in PortAllocation::ALL {
        for filtering in Dependence::ALL {
            for roles in ROLES {
                test(ports, filtering, roles);
            }
        }
    }
}

/// Neither side has a path, and both know it.
fn has_failed(scene: &Scene) -> bool {
    scene.states() == [ConnectionState::Failed; 2]
        && scene.peers.iter().all(|&p| scene.net[p].agent().send_path(Component::default()).is_err())
}

#[test]
fn after_a_nat_has_rebooted_the_call_goes_on_if_the_other_filter_lets_it() {
    for_all_ports_filters_and_roles(|ports, filtering, roles| {
        let (mut scene, router) = behind_nats(ports, filtering, Duration::from_secs(300), roles);
        scene.net.reboot(router).expect("the router is there");
        let what = format!("{ports:?} {filtering:?} {roles:?}");
        // A NAT that begins anew gives the first port again, unless it draws it.
        let same_port = ports != PortAllocation::Random;
        if same_port || filtering != Dependence::AddressAndPortDependent {
            scene.net.run_for(2 * CONSENT);
            assert!(scene.states().iter().all(|s| is_connected(*s)), "{what}: {:?}", scene.states());
            assert_eq!(
                scene.agree(Component::default()),
                same_port,
                "{what}: else Bob has learned the new port"
            );
            scene.exchange_data(&[Component::default()]);
        } else {
            // The new port is never let in: both lose consent, and then nothing that could be checked is left.
            scene.net.run_for(CONSENT + Duration::from_millis(39_500) + Duration::from_secs(6));
            assert!(has_failed(&scene), "{what}: {:?}", scene.states());
        }
        rules::check(&scene, REGULAR);
    });
}

#[test]
fn a_call_that_a_nat_has_ended_long_after_it_began_goes_on_after_a_restart() {
    for_all_ports_filters_and_roles(|ports, filtering, roles| {
        let (mut scene, router) = behind_nats(ports, filtering, Duration::from_secs(300), roles);
        // Patience (RFC 8863 §4) is over: without a valid pair an agent has failed.
        scene.net.run_for(Duration::from_secs(60));
        scene.net.reboot(router).expect("the router is there");
        scene.net.run_for(2 * CONSENT);
        let what = format!("{ports:?} {filtering:?} {roles:?}: {:?}", scene.states());
        if ports == PortAllocation::Random {
            assert!(has_failed(&scene), "{what}");
            scene.net.with(scene.peers[0], IcePeer::restart);
            scene.net.run_for(Duration::from_secs(5));
        }
        assert_eq!(scene.states(), [ConnectionState::Completed; 2], "{what}");
        assert!(scene.agree(Component::default()), "{what}");
        scene.exchange_data(&[Component::default()]);
    });
}

fn is_connected(state: ConnectionState) -> bool {
    matches!(state, ConnectionState::Connected | ConnectionState::Completed)
}

#[test]
fn a_mapping_that_outlives_the_interval_of_consent_checks_is_kept_by_them() {
    // RFC 7675 §5.1: at most 6 seconds between two checks.
    let expiry = Duration::from_secs(7);
    for_all_ports_filters_and_roles(|ports, filtering, roles| {
        let (mut scene, router) = behind_nats(ports, filtering, expiry, roles);
        // The time of the mapping on which consent was checked first.
        let before = scene.net.nat_mappings(router)[0].external;
        for _ in 0..30 {
            scene.net.run_for(Duration::from_secs(20));
            let mappings = scene.net.nat_mappings(router);
            assert!(mappings.iter().any(|mapping| mapping.external == before), "{ports:?} {filtering:?}");
        }
        assert_eq!(scene.states(), [ConnectionState::Completed; 2]);
        assert!(scene.agree(Component::default()));
        scene.exchange_data(&[Component::default()]);
    });
}

#[test]
fn a_mapping_that_lives_shorter_is_kept_by_data() {
    let expiry = Duration::from_secs(3);
    for_all_ports_filters_and_roles(|ports, filtering, roles| {
        let (mut scene, _) = behind_nats(ports, filtering, expiry, roles);
        let alice = scene.peers[0];
        for _ in 0..300 {
            scene.net.with(alice, |peer, now| peer.send(Component::default(), b"data", now));
            scene.net.run_for(Duration::from_secs(2));
        }
        assert_eq!(scene.states(), [ConnectionState::Completed; 2], "{ports:?} {filtering:?} {roles:?}");
        assert!(scene.agree(Component::default()));
        scene.exchange_data(&[Component::default()]);
    });
}

#[test]
fn without_data_a_mapping_that_lives_shorter_ends_in_failure_on_both_sides_or_in_none() {
    let expiry = Duration::from_secs(3);
    let mut failed = 0;
    for_all_ports_filters_and_roles(|ports, filtering, roles| {
        let (mut scene, _) = behind_nats(ports, filtering, expiry, roles);
        scene.net.run_for(Duration::from_secs(600));
        let what = format!("{ports:?} {filtering:?} {roles:?}: {:?}", scene.states());
        let ports_change = ports != PortAllocation::Preserving;
        if ports_change && filtering == Dependence::AddressAndPortDependent {
            assert!(has_failed(&scene), "{what}");
        }
        if has_failed(&scene) {
            failed += 1;
        } else {
            // RFC 7675 §5.1: whoever may send has had an answer within 30 seconds.
            assert!(!scene.states().contains(&ConnectionState::Failed), "{what}");
        }
        rules::check(&scene, REGULAR);
    });
    assert!(failed >= 4, "{failed} of 18 failed");
}
