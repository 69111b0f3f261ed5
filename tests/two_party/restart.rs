//! ICE restarts (RFC 8445 §9) between two agents: make before break, whoever begins, whenever, and whatever the network does.

use std::time::Duration;

use floe_ice::{Component, ConnectionState, Event, Nomination, RestartCause, Role, Time};
use floe_netsim::ice::{IcePeer, Signalling};
use floe_netsim::{Handle, Link, NatType, Site};
use floe_tests::load::Load;
use floe_tests::repetitions;
use floe_tests::rules::{self, Rules};
use floe_tests::scene::{LIMIT, Scene, Setup};

const REGULAR: Rules = Rules { ta: Duration::from_millis(50), regular: true };
const FIRST: Component = Component { stream: floe_ice::StreamId::FIRST, id: floe_ice::ComponentId::FIRST };

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// Setups with a signalling path that takes its time.
fn setup() -> Setup {
    Setup { signal_delay: ms(60), ..Setup::default() }
}

fn restart(scene: &mut Scene, side: usize) {
    scene.net.with(scene.peers[side], IcePeer::restart);
}

fn restarts(scene: &Scene, side: usize) -> Vec<RestartCause> {
    let cause = |(_, e): &(Time, Event)| if let Event::Restarted(cause) = e { Some(*cause) } else { None };
    scene.net[scene.peers[side]].events().iter().filter_map(cause).collect()
}

fn events_since(scene: &Scene, side: usize, start: Time) -> Vec<Event> {
    let all = scene.net[scene.peers[side]].events().iter();
    all.filter(|(time, _)| *time >= start).map(|(_, event)| *event).collect()
}

/// Both sides have completed a session with each other's latest credentials, on one path that carries data.
fn assert_settled(scene: &mut Scene, what: &str) {
    let completed = [ConnectionState::Completed; 2];
    // Whatever is still on its way over the signalling path arrives.
    scene.net.run_for(Duration::from_secs(5));
    let end = scene.net.now() + LIMIT;
    while scene.states() != completed && scene.net.now() < end {
        scene.net.run_for(ms(100));
    }
    assert_eq!(scene.states(), completed, "{what}: {}", scene.net.chart());
    scene.exchange_data(&[FIRST]);
    rules::check(scene, REGULAR);
}

/// Both sides have a session after this many restarts, and have completed it.
fn completed_after(scene: &Scene, sessions: usize) -> bool {
    let enough = scene.peers.iter().all(|&peer| scene.net[peer].sessions().len() > sessions);
    enough && scene.states() == [ConnectionState::Completed; 2]
}

#[test]
fn a_restart_of_one_side_is_one_of_both() {
    for side in [0, 1] {
        let mut scene = setup().connect();
        let before = scene.peers.map(|peer| scene.net[peer].agent().local_credentials().clone());
        let roles = scene.peers.map(|peer| scene.net[peer].agent().role());
        restart(&mut scene, side);
        assert_settled(&mut scene, "one side");
        assert_eq!(restarts(&scene, side), [RestartCause::Requested]);
        assert_eq!(restarts(&scene, 1 - side), [RestartCause::Peer]);
        for (n, before) in before.iter().enumerate() {
            let after = scene.net[scene.peers[n]].agent().local_credentials();
            assert!(after.ufrag() != before.ufrag() && after.pwd() != before.pwd());
        }
        assert_eq!(scene.peers.map(|peer| scene.net[peer].agent().role()), roles);
        assert!(scene.agree(FIRST));
    }
}

#[test]
fn restarts_of_both_sides_at_once_are_one_restart() {
    for signal_delay in [0, 10, 300] {
        let mut scene = Setup { signal_delay: ms(signal_delay), ..Setup::default() }.connect();
        restart(&mut scene, 0);
        scene.net.run_for(ms(signal_delay / 2));
        restart(&mut scene, 1);
        assert_settled(&mut scene, "both sides");
        if signal_delay > 0 {
            assert_eq!([restarts(&scene, 0).len(), restarts(&scene, 1).len()], [1, 1]);
        }
    }
}

#[test]
fn both_sides_may_restart_again_and_again_in_any_order() {
    // Each letter is a restart of a side, 20 ms apart, with a signalling path of 150 ms: some are answered while the next is made.
    for (n, order) in ["aa", "aaa", "aab", "aba", "abab", "aabb", "abba", "aaabbb", "bbaab", "ababababab"]
        .into_iter()
        .enumerate()
    {
        for gap in [0, 20, 100, 170, 400] {
            let mut scene = Setup { seed: n as u64, signal_delay: ms(150), ..Setup::default() }.connect();
            for side in order.bytes() {
                restart(&mut scene, usize::from(side == b'b'));
                scene.net.run_for(ms(gap));
            }
            assert_settled(&mut scene, &format!("{order}, {gap} ms"));
            let sessions = scene.peers.map(|peer| scene.net[peer].sessions().len());
            assert!(sessions.iter().all(|n| *n <= order.len() + 1), "{order}, {gap} ms: {sessions:?}");
        }
    }
}

#[test]
fn data_goes_on_without_a_gap() {
    for nomination in [Nomination::default(), Nomination::Immediate] {
        let mut scene = Setup { nomination, ..setup() }.connect();
        let mut load = Load::default();
        load.run(&mut scene, ms(500));
        for side in [0, 1, 0] {
            let sessions = scene.net[scene.peers[side]].sessions().len();
            restart(&mut scene, side);
            load.run_until(&mut scene, |scene| completed_after(scene, sessions));
        }
        load.run(&mut scene, Duration::from_secs(45));
        load.assert_nothing_lost(&mut scene, "without loss");
    }
}

#[test]
fn at_five_per_cent_loss_the_restart_loses_nothing_more() {
    let link = || Link::delay_ms(25).jitter(ms(10)).loss(0.05).max_loss_run(4);
    for seed in 0..repetitions(20, 200) as u64 {
        let sites = match seed % 3 {
            0 => [Site::public(), Site::public()],
            1 => [NatType::PORT_RESTRICTED_CONE; 2].map(Site::behind),
            _ => [Site::behind(NatType::SYMMETRIC), Site::public()],
        };
        let mut scene = Setup { seed, link: link(), sites, stun_server: true, ..setup() }.connect();
        scene.net.clear_trace();
        let mut load = Load::default();
        load.run(&mut scene, ms(200));
        match seed % 4 {
            0 => restart(&mut scene, 0),
            1 => restart(&mut scene, 1),
            2 => {
                restart(&mut scene, 0);
                load.run(&mut scene, ms(20));
                restart(&mut scene, 1);
            }
            _ => {
                restart(&mut scene, 1);
                load.run(&mut scene, ms(90));
                restart(&mut scene, 1);
            }
        }
        load.run_until(&mut scene, |scene| completed_after(scene, 1));
        load.run(&mut scene, Duration::from_secs(3));
        load.assert_nothing_lost(&mut scene, &format!("seed {seed}"));
        assert_eq!(scene.states(), [ConnectionState::Completed; 2], "seed {seed}");
    }
}

#[test]
fn a_restart_behind_nats_finds_the_way_again() {
    let nats = [NatType::PORT_RESTRICTED_CONE, NatType::SYMMETRIC, NatType::FULL_CONE];
    for (a, b) in [(nats[0], nats[0]), (nats[2], nats[1]), (nats[1], nats[2])] {
        for side in [0, 1] {
            let sites = [Site::behind(a), Site::behind(b)];
            let mut scene = Setup { sites, stun_server: true, ..setup() }.connect();
            let mut load = Load::default();
            restart(&mut scene, side);
            load.run_until(&mut scene, |scene| completed_after(scene, 1));
            load.run(&mut scene, ms(500));
            load.assert_nothing_lost(&mut scene, &format!("{a} and {b}"));
            assert_settled(&mut scene, &format!("{a} and {b}"));
        }
    }
}

#[test]
fn a_symmetric_nat_and_an_open_host_restart_too() {
    for roles in [[Role::Controlling, Role::Controlled], [Role::Controlled, Role::Controlling]] {
        for side in [0, 1] {
            let sites = [Site::behind(NatType::SYMMETRIC), Site::public()];
            let mut scene = Setup { sites, roles, stun_server: true, ..setup() }.connect();
            // Twice in a row, before the first answer: the open side learns the address from checks alone.
            restart(&mut scene, side);
            scene.net.run_for(ms(30));
            restart(&mut scene, side);
            assert_settled(&mut scene, "symmetric and open");
        }
    }
}

#[test]
fn a_host_that_moved_recovers_with_a_restart() {
    for own_sockets in [false, true] {
        let mut scene = Setup { stun_server: true, ..setup() }.build();
        for peer in scene.peers {
            scene.net.with(peer, |peer, _| peer.set_own_sockets(own_sockets));
        }
        assert!(scene.connect());
        let before = scene.net[scene.peers[0]].agent().selected_pair(FIRST).map(|p| p.local.address());
        move_away(&mut scene, 0);
        restart(&mut scene, 0);
        assert_settled(&mut scene, "moved");
        let after = scene.net[scene.peers[0]].agent().selected_pair(FIRST).map(|p| p.local.address());
        assert!(before.is_some() && after.is_some() && before != after);
    }
}

/// The host of a peer gets another address.
fn move_away(scene: &mut Scene, side: usize) {
    let host = scene.net.host_of(scene.peers[side]).expect("a peer has a host");
    let interface = scene.net.interfaces(host).next().expect("an interface").id;
    let segment = scene.net.internet();
    scene.net.reattach(interface, segment).expect("it exists");
}

#[test]
fn a_host_that_moves_twice_before_anybody_answers_recovers() {
    let mut scene = Setup { signal_delay: ms(500), stun_server: true, ..Setup::default() }.connect();
    for _ in 0..2 {
        move_away(&mut scene, 1);
        restart(&mut scene, 1);
        scene.net.run_for(ms(200));
    }
    assert_settled(&mut scene, "moved twice");
}

#[test]
fn both_hosts_move_at_once() {
    let mut scene = Setup { signal_delay: ms(100), ..Setup::default() }.connect();
    for side in 0..2 {
        move_away(&mut scene, side);
        restart(&mut scene, side);
    }
    assert_settled(&mut scene, "both moved");
}

#[test]
fn a_restart_while_gathering_begins_again() {
    let mut scene = Setup { stun_server: true, link: Link::delay_ms(100), ..setup() }.build();
    let [a, b] = scene.peers;
    scene.net.connect_ice(a, b);
    scene.net.run_for(ms(50));
    restart(&mut scene, 0);
    scene.net.run_for(ms(30));
    restart(&mut scene, 1);
    assert_settled(&mut scene, "while gathering");
}

#[test]
fn a_restart_while_checking_begins_again() {
    for at in [70, 100, 150, 200, 300, 350, 400] {
        for side in [0, 1] {
            let mut scene = Setup { link: Link::delay_ms(40), ..setup() }.build();
            let [a, b] = scene.peers;
            scene.net.connect_ice(a, b);
            // Through the checks, the settle window and the nomination.
            scene.net.run_for(ms(at));
            restart(&mut scene, side);
            assert_settled(&mut scene, &format!("after {at} ms"));
        }
    }
}

#[test]
fn what_is_disconnected_recovers_by_a_restart() {
    let mut scene = setup().connect();
    cut(&mut scene, 1);
    scene.net.run_for(Duration::from_secs(20));
    assert_eq!(scene.states()[0], ConnectionState::Disconnected);
    restart(&mut scene, 0);
    assert_eq!(scene.states()[0], ConnectionState::Checking);
    heal(&mut scene, 1);
    assert_settled(&mut scene, "disconnected");
}

#[test]
fn what_has_failed_recovers_by_a_restart() {
    for side in [0, 1] {
        let mut scene = setup().connect();
        cut(&mut scene, 1);
        scene.net.run_for(Duration::from_secs(60));
        assert_eq!(scene.states(), [ConnectionState::Failed; 2]);
        heal(&mut scene, 1);
        restart(&mut scene, side);
        assert_settled(&mut scene, "failed");
    }
}

#[test]
fn a_restart_at_the_moment_that_consent_expires_recovers() {
    // Some of these are just before it and some just after, on either side.
    for at in (28_000..36_000).step_by(500) {
        let mut scene = setup().connect();
        cut(&mut scene, 0);
        scene.net.run_for(ms(at));
        restart(&mut scene, 1);
        heal(&mut scene, 0);
        assert_settled(&mut scene, &format!("after {at} ms"));
    }
}

fn cut(scene: &mut Scene, side: usize) {
    links(scene, side, &Link::delay_ms(20).loss(1.0));
}

fn heal(scene: &mut Scene, side: usize) {
    links(scene, side, &Link::delay_ms(20));
}

fn links(scene: &mut Scene, side: usize, link: &Link) {
    let host = scene.net.host_of(scene.peers[side]).expect("a peer has a host");
    let interface = scene.net.interfaces(host).next().expect("an interface").id;
    scene.net.set_links(interface, link.clone(), link.clone()).expect("it exists");
}

#[test]
fn a_peer_that_never_hears_of_the_restart_keeps_its_path() {
    // The signalling path is dead.
    let mut scene = Setup::default().connect();
    scene.net.set_signal_delay(Duration::from_secs(1_000_000));
    restart(&mut scene, 0);
    let start = scene.net.now();
    let mut load = Load::default();
    load.run(&mut scene, Duration::from_secs(100));
    load.assert_nothing_lost(&mut scene, "as long as consent lasts");
    assert_eq!(scene.states(), [ConnectionState::Connected, ConnectionState::Completed]);
    let path_changed = |side| events_since(&scene, side, start).contains(&Event::PathChanged(FIRST));
    assert!(!path_changed(0) && !path_changed(1));
    cut(&mut scene, 1);
    scene.net.run_for(Duration::from_secs(40));
    assert_eq!(scene.states()[0], ConnectionState::Failed, "RFC 8863, counted from the restart");
}

#[test]
fn a_peer_whose_new_candidates_are_dead_keeps_the_old_path() {
    // The peer answers, with candidates that lead nowhere.
    let mut scene = Setup { signalling: Signalling::Manual, ..Setup::default() }.build();
    let [a, b] = scene.peers;
    scene.net.connect_ice(a, b);
    scene.net.run_for(ms(500));
    introduce(&mut scene, [a, b], true);
    introduce(&mut scene, [b, a], true);
    assert!(scene.net.run_until_connected(a, b, LIMIT));
    let start = scene.net.now();
    restart(&mut scene, 0);
    // Only one side gets to know the other one's candidates, and no check of it arrives.
    introduce(&mut scene, [b, a], false);
    introduce(&mut scene, [a, b], false);
    let mut load = Load::default();
    load.run(&mut scene, Duration::from_secs(60));
    load.assert_nothing_lost(&mut scene, "the new session has no candidates");
    assert!(!events_since(&scene, 0, start).contains(&Event::PathChanged(FIRST)));
    assert!(scene.states().iter().all(|s| matches!(s, ConnectionState::Connected)));
}

/// Tells a peer the credentials of the other one, and maybe its candidates.
fn introduce(scene: &mut Scene, [to, from]: [Handle<IcePeer>; 2], candidates: bool) {
    scene.net.with(from, |peer, _| {
        peer.signal_credentials();
        let all: Vec<_> = peer.agent().local_candidates().map(|(_, s, c)| (s, c.clone())).collect();
        for (stream, candidate) in all.iter().filter(|_| candidates) {
            peer.signal_candidate(*stream, candidate);
        }
        peer.signal_end_of_candidates();
    });
    scene.net.run_for(ms(1));
    assert_eq!(scene.net[to].bad_signals(), 0);
}

#[test]
fn checks_of_the_new_session_that_overtake_signalling_count() {
    // Packets are faster than the credentials they belong to.
    for side in [0, 1] {
        let mut scene =
            Setup { signal_delay: ms(400), link: Link::delay_ms(5), ..Setup::default() }.connect();
        let mut load = Load::default();
        restart(&mut scene, side);
        load.run_until(&mut scene, |scene| completed_after(scene, 1));
        load.run(&mut scene, ms(600));
        load.assert_nothing_lost(&mut scene, "early checks");
        assert_settled(&mut scene, "early checks");
    }
}

#[test]
fn several_streams_and_components_go_over_together() {
    let mut scene = Setup { streams: vec![2, 1], ..setup() }.connect();
    let components = [(0, 1), (0, 2), (1, 1)]
        .map(|(s, c)| Component::new(floe_ice::StreamId(s), floe_ice::ComponentId::new(c).expect("valid")));
    scene.exchange_data(&components);
    restart(&mut scene, 0);
    scene.exchange_data(&components);
    assert_settled(&mut scene, "streams");
    scene.exchange_data(&components);
    for component in components {
        assert!(scene.agree(component));
    }
}

#[test]
fn descriptions_sent_at_once_restart_as_well() {
    let mut scene = Setup { signalling: Signalling::AtOnce, stun_server: true, ..setup() }.connect();
    for side in [0, 1] {
        let sessions = scene.net[scene.peers[side]].sessions().len();
        restart(&mut scene, side);
        let end = scene.net.now() + LIMIT;
        while !completed_after(&scene, sessions) && scene.net.now() < end {
            scene.net.run_for(ms(10));
        }
        assert_settled(&mut scene, "half trickle");
    }
}

#[test]
fn sockets_of_a_host_that_moved_are_given_back() {
    let mut scene = setup().connect();
    move_away(&mut scene, 0);
    restart(&mut scene, 0);
    assert_settled(&mut scene, "moved");
    scene.net.run_for(Duration::from_secs(120));
    // One socket for each session that is left, none of the old address.
    let host = scene.net.host_of(scene.peers[0]).expect("a peer has a host");
    let addresses: Vec<_> = scene.net.interfaces(host).flat_map(|i| i.addresses.to_vec()).collect();
    let agent = scene.net[scene.peers[0]].agent();
    let locals: Vec<_> = agent.local_candidates().map(|(_, _, c)| c.address().ip()).collect();
    assert!(!locals.is_empty() && locals.iter().all(|ip| addresses.contains(ip)));
}
