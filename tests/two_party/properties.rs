//! Whole pairs of agents in random networks: what must always hold of the packets they send, and that they connect.

use std::time::Duration;

use floe_ice::{Component, ComponentId, ConnectionState, Nomination, Role, StreamId};
use floe_netsim::ice::{IcePeer, Signalling};
use floe_netsim::{Event, Families, Link, NatType, Site};
use floe_tests::load::Load;
use floe_tests::rules::{self, Rules};
use floe_tests::scene::{Scene, Setup};
use proptest::prelude::*;
use proptest::test_runner::{FileFailurePersistence, RngAlgorithm, TestRng};

const TA: Duration = Duration::from_millis(50);

/// Links that lose at most four packets of a flow in a row, so that every transaction ends well within its seven
/// transmissions.
fn link() -> impl Strategy<Value = Link> {
    (1..150u64, 0..80u64, 0..30u32, 0..30u32, 0..30u32).prop_map(
        |(delay, jitter, loss, duplicate, reorder)| {
            Link::delay_ms(delay)
                .jitter(Duration::from_millis(jitter))
                .loss(f64::from(loss) / 100.0)
                .max_loss_run(4)
                .duplicate(f64::from(duplicate) / 100.0)
                .reorder(f64::from(reorder) / 100.0, Duration::from_millis(3 * jitter))
        },
    )
}

/// Places from which any two peers can reach each other directly.
fn site() -> impl Strategy<Value = Site> {
    prop_oneof![
        Just(Site::public()),
        Just(Site::public().families(Families::V4)),
        Just(Site::behind(NatType::FULL_CONE)),
        Just(Site::behind(NatType::RESTRICTED_CONE)),
        Just(Site::behind(NatType::PORT_RESTRICTED_CONE)),
        Just(Site::behind(NatType::PORT_RESTRICTED_CONE).then_behind(NatType::FULL_CONE)),
    ]
}

fn role() -> impl Strategy<Value = Role> {
    prop_oneof![Just(Role::Controlling), Just(Role::Controlled)]
}

prop_compose! {
    fn setup()(
        seed in any::<u64>(),
        sites in [site(), site()],
        link in link(),
        roles in [role(), role()],
        immediate in any::<bool>(),
        signal_delay in 0..1500u64,
        trickle in any::<bool>(),
        streams in prop_oneof![4 => Just(vec![1]), 1 => Just(vec![2]), 1 => Just(vec![1, 2, 1])],
    ) -> Setup {
        Setup {
            seed,
            sites,
            link,
            roles,
            nomination: if immediate { Nomination::Immediate } else { Nomination::default() },
            stun_server: true,
            signal_delay: Duration::from_millis(signal_delay),
            signalling: if trickle { Signalling::Trickle } else { Signalling::AtOnce },
            streams,
        }
    }
}

/// Every component of the streams.
fn components(streams: &[u16]) -> Vec<Component> {
    let of = |(stream, &count): (u16, &u16)| {
        (1..=count).filter_map(ComponentId::new).map(move |id| Component::new(StreamId(stream), id))
    };
    (0u16..).zip(streams).flat_map(of).collect()
}

fn invariants(scene: &Scene) {
    for peer in scene.peers {
        scene.net[peer].agent().check_invariants();
    }
}

/// The same cases in every run; more with `PROPTEST_CASES`.
fn run<S: Strategy>(cases: u32, strategy: &S, test: impl Fn(S::Value)) {
    let config = ProptestConfig {
        cases: std::env::var("PROPTEST_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(cases),
        failure_persistence: Some(Box::new(FileFailurePersistence::Off)),
        ..ProptestConfig::default()
    };
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut runner = proptest::test_runner::TestRunner::new_with_rng(config, rng);
    let outcome = runner.run(strategy, |value| {
        test(value);
        Ok(())
    });
    if let Err(error) = outcome {
        panic!("{error}");
    }
}

#[test]
fn agents_with_a_direct_path_connect_and_break_no_rule_on_the_way() {
    run(150, &setup(), |setup| {
        let rules = Rules { ta: TA, regular: setup.nomination != Nomination::Immediate };
        let components = components(&setup.streams);
        let mut scene = setup.build();
        assert!(scene.connect(), "there is a direct path");
        invariants(&scene);
        scene.exchange_data(&components);
        scene.net.run_for(Duration::from_secs(60));
        invariants(&scene);
        let roles = scene.peers.map(|peer| scene.net[peer].agent().role());
        assert_ne!(roles[0], roles[1]);
        rules::check(&scene, rules);
    });
}

#[test]
fn agents_whose_network_comes_and_goes_break_no_rule() {
    let cuts = proptest::collection::vec((10..4000u64, 10..20_000u64), 1..6);
    run(60, &(setup(), cuts), |(setup, cuts)| {
        let rules = Rules { ta: TA, regular: setup.nomination != Nomination::Immediate };
        let link = setup.link.clone();
        let mut scene = setup.build();
        let [a, b] = scene.peers;
        let internet = scene.net.internet();
        scene.net.connect_ice(a, b);
        for (up, down) in cuts {
            scene.net.run_for(Duration::from_millis(up));
            scene.net.set_segment_link(internet, Link::IDEAL.loss(1.0)).expect("the Internet is there");
            scene.net.run_for(Duration::from_millis(down));
            scene.net.set_segment_link(internet, link.clone()).expect("the Internet is there");
            invariants(&scene);
        }
        scene.net.run_for(Duration::from_secs(120));
        invariants(&scene);
        rules::check(&scene, rules);
    });
}

/// What happens to a connection.
#[derive(Clone, Copy, Debug)]
enum Step {
    Restart(usize),
    /// A host gets another address, on the Internet.
    Move(usize),
    /// Nothing arrives for so many milliseconds.
    Cut(u64),
}

fn steps() -> impl Strategy<Value = Vec<(u64, Step)>> {
    let step = prop_oneof![
        5 => (0..2usize).prop_map(Step::Restart),
        2 => (0..2usize).prop_map(Step::Move),
        1 => (10..50_000u64).prop_map(Step::Cut),
    ];
    let pause = prop_oneof![2 => 0..300u64, 2 => 0..3_000u64, 1 => 0..20_000u64];
    proptest::collection::vec((pause, step), 1..8)
}

fn step(scene: &mut Scene, step: Step, link: &Link) {
    let internet = scene.net.internet();
    match step {
        Step::Restart(side) => {
            scene.net.with(scene.peers[side], IcePeer::restart);
        }
        Step::Move(side) => {
            let host = scene.net.host_of(scene.peers[side]).expect("a peer has a host");
            let interface = scene.net.interfaces(host).next().expect("an interface").id;
            scene.net.reattach(interface, internet).expect("it exists");
        }
        Step::Cut(ms) => {
            scene.net.set_segment_link(internet, Link::IDEAL.loss(1.0)).expect("the Internet is there");
            scene.net.run_for(Duration::from_millis(ms));
            scene.net.set_segment_link(internet, link.clone()).expect("the Internet is there");
        }
    }
    invariants(scene);
}

/// RFC 8445 §9: whoever restarts, and whatever has become of the network, a last restart connects both sides.
#[test]
fn restarts_and_moves_in_any_order_end_connected() {
    run(80, &(setup(), steps(), 0..2usize), |(setup, steps, last)| {
        let rules = Rules { ta: TA, regular: setup.nomination != Nomination::Immediate };
        let (components, link) = (components(&setup.streams), setup.link.clone());
        let mut scene = setup.build();
        let [a, b] = scene.peers;
        scene.net.connect_ice(a, b);
        for (pause, what) in steps {
            scene.net.run_for(Duration::from_millis(pause));
            step(&mut scene, what, &link);
        }
        scene.net.run_for(Duration::from_secs(5));
        step(&mut scene, Step::Restart(last), &link);
        let before = scene.peers.map(|peer| scene.net[peer].sessions().len());
        // Long enough for signalling, checks and nominations under the worst of the losses.
        let end = scene.net.now() + Duration::from_secs(180);
        scene.net.run_for(Duration::from_secs(5));
        while scene.states() != [ConnectionState::Completed; 2] && scene.net.now() < end {
            scene.net.run_for(Duration::from_millis(500));
        }
        assert_eq!(scene.states(), [ConnectionState::Completed; 2]);
        let after = scene.peers.map(|peer| scene.net[peer].sessions().len());
        assert!(
            after[last] == before[last] && after[1 - last] <= before[1 - last] + 1,
            "{before:?} {after:?}"
        );
        scene.exchange_data(&components);
        invariants(&scene);
        rules::check(&scene, rules);
    });
}

/// RFC 8839 §4.4.3.1.1, §12.2 of RFC 8445: on a path that lives, restarts lose nothing that the network would not have lost.
#[test]
fn restarts_lose_no_data() {
    let restarts = proptest::collection::vec((0..2usize, prop_oneof![0..100u64, 0..900u64]), 1..5);
    run(40, &(setup(), restarts), |(setup, restarts)| {
        // A loss of 30 % lets consent expire now and then.
        let link = Link::delay_ms(setup.seed % 80).loss(0.05).max_loss_run(4);
        let mut scene = Setup { streams: vec![1], link, ..setup }.connect();
        scene.net.clear_trace();
        let mut load = Load::default();
        for (side, pause) in restarts {
            step(&mut scene, Step::Restart(side), &Link::IDEAL);
            load.run(&mut scene, Duration::from_millis(pause));
        }
        let completed = |scene: &Scene| scene.states() == [ConnectionState::Completed; 2];
        load.run(&mut scene, Duration::from_secs(4));
        load.run_until(&mut scene, completed);
        load.run(&mut scene, Duration::from_secs(1));
        load.assert_nothing_lost(&mut scene, "restarts");
    });
}

#[test]
fn the_same_seed_gives_the_same_packets() {
    run(30, &setup(), |setup| {
        let digest = |setup: Setup| {
            let mut scene = setup.build();
            let _ = scene.connect();
            scene.net.run_for(Duration::from_secs(30));
            scene.net.trace().digest()
        };
        assert_eq!(digest(setup.clone()), digest(setup));
    });
}

/// RFC 7675 §5.1: data goes on a path only while an authenticated answer on it is less than 30 seconds old.
#[test]
fn no_data_leaves_without_consent() {
    run(60, &(setup(), 0..40_000u64), |(setup, cut_after)| {
        let mut scene = setup.build();
        let [a, b] = scene.peers;
        scene.net.connect_ice(a, b);
        scene.net.run_for(Duration::from_millis(cut_after));
        let internet = scene.net.internet();
        scene.net.set_segment_link(internet, Link::IDEAL.loss(1.0)).expect("the Internet is there");
        let cut = scene.net.now();
        for _ in 0..120 {
            scene.net.run_for(Duration::from_millis(500));
            for peer in scene.peers {
                let sent = scene.net.with(peer, |peer, now| peer.send(Component::default(), b"data", now));
                let after = scene.net.now() - cut;
                assert!(
                    after < Duration::from_secs(31) || sent.is_some_and(|sent| sent.is_err()),
                    "data may be sent {after:?} after the last answer"
                );
            }
        }
        let sent = |event: &Event| matches!(event, Event::Sent { .. });
        let mut all = scene.net.trace().records().filter(|r| sent(&r.event) && r.bytes == b"data");
        assert!(all.all(|r| r.time - cut < Duration::from_secs(31)));
    });
}
