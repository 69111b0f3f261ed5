//! How long connecting takes and how many packets it needs, on virtual time.

use std::time::Duration;

use floe_ice::{Component, ConnectionState, Nomination, Time};
use floe_netsim::{Event, Families, Link, Site};
use floe_tests::rules::{self, Rules};
use floe_tests::scene::{Scene, Setup};

const REGULAR: Rules = Rules { ta: Duration::from_millis(50), regular: true };

/// STUN packets of both sides up to the moment both have selected.
fn packets_until_selected(scene: &Scene) -> usize {
    let last = scene.selected_at().into_iter().max().flatten();
    let sent = scene.net.trace().records().filter(|r| matches!(r.event, Event::Sent { .. }));
    sent.filter(|r| Some(r.time) <= last).count()
}

/// Two hosts with one address each.
fn one_address() -> Setup {
    let site = || Site::public().families(Families::V4);
    Setup { sites: [site(), site()], ..Setup::default() }
}

fn at(millis: u64) -> Option<Time> {
    Some(Time::from_millis(millis))
}

#[test]
fn regular_nomination_over_50_ms_is_usable_after_100_and_selects_after_200_and_150() {
    let scene = Setup { link: Link::delay_ms(50), ..one_address() }.connect();
    assert_eq!(scene.connected_at(), [at(100); 2]);
    assert_eq!(scene.selected_at(), [at(200), at(150)]);
    assert!(packets_until_selected(&scene) <= 10);
    rules::check(&scene, REGULAR);
}

#[test]
fn regular_nomination_over_20_ms_selects_after_90_and_70_in_six_packets() {
    let scene = one_address().connect();
    assert_eq!(scene.connected_at(), [at(40); 2]);
    assert_eq!(scene.selected_at(), [at(90), at(70)]);
    assert!(packets_until_selected(&scene) <= 6);
    rules::check(&scene, REGULAR);
}

#[test]
fn immediate_nomination_over_50_ms_selects_after_one_round_trip() {
    let setup = Setup { link: Link::delay_ms(50), nomination: Nomination::Immediate, ..one_address() };
    let scene = setup.connect();
    assert_eq!(scene.selected_at(), [at(100); 2]);
    assert!(packets_until_selected(&scene) <= 8);
    rules::check(&scene, Rules { regular: false, ..REGULAR });
}

#[test]
fn several_streams_and_components_all_get_their_pair_and_carry_data() {
    let mut scene = Setup { streams: vec![2, 2, 2], ..Setup::default() }.connect();
    let components: Vec<Component> = (0..3)
        .flat_map(|s| (1..=2).filter_map(move |c| Some((s, floe_ice::ComponentId::new(c)?))))
        .map(|(s, id)| Component::new(floe_ice::StreamId(s), id))
        .collect();
    assert!(components.iter().all(|&component| scene.agree(component)));
    scene.exchange_data(&components);
    rules::check(&scene, REGULAR);
}

#[test]
fn the_states_are_those_of_the_w3c_in_order() {
    let scene = Setup::default().connect();
    for peer in scene.peers {
        let states: Vec<ConnectionState> = scene.net[peer]
            .events()
            .iter()
            .filter_map(|(_, event)| match event {
                floe_ice::Event::StateChanged(state) => Some(*state),
                _ => None,
            })
            .collect();
        assert_eq!(
            states,
            [ConnectionState::Checking, ConnectionState::Connected, ConnectionState::Completed]
        );
    }
}

#[test]
fn an_hour_connected_costs_few_packets_and_wake_ups_and_keeps_consent() {
    let mut scene = Setup::default().connect();
    scene.net.clear_trace();
    scene.net.run_for(Duration::from_secs(3600));
    assert_eq!(scene.states(), [ConnectionState::Completed; 2]);
    let sent = scene.net.trace().records().filter(|r| matches!(r.event, Event::Sent { .. })).count();
    // 720 consent checks an hour on average each way, and an answer to each.
    assert!((2600..=3200).contains(&sent), "{sent} packets in an hour");
}
