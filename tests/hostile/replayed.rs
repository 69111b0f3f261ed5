//! Two agents and somebody on the path between them, who has no password and repeats, reflects and redirects what passes:
//! RFC 8445 §19.2.

use std::net::SocketAddr;
use std::time::Duration;

use floe_ice::{Component, ConnectionState, Role};
use floe_netsim::ice::IcePeer;
use floe_netsim::{Event, Families, Handle, Link, Site};
use floe_stun::{Class, Message};
use floe_tests::scene::{Scene, Setup};

use crate::victim::{bystander, digest};

/// What passed between the two: from, to, and the bytes.
pub(crate) type Recorded = (SocketAddr, SocketAddr, Vec<u8>);

fn connected(roles: [Role; 2]) -> Scene {
    let site = || Site::public().families(Families::V4);
    Setup { roles, sites: [site(), site()], ..Setup::default() }.connect()
}

pub(crate) fn recorded(scene: &Scene) -> Vec<Recorded> {
    recorded_since(scene, 0)
}

/// Without the first `count` records of the trace.
fn recorded_since(scene: &Scene, count: usize) -> Vec<Recorded> {
    let sent =
        scene.net.trace().records().skip(count).filter(|record| matches!(record.event, Event::Sent { .. }));
    sent.map(|record| (record.source, record.destination, record.bytes.to_vec())).collect()
}

pub(crate) fn inject(scene: &mut Scene, source: SocketAddr, destination: SocketAddr, bytes: &[u8]) {
    let internet = scene.net.internet();
    scene.net.inject(internet, source, destination, bytes).expect("the Internet is there");
}

fn digests(scene: &Scene) -> [String; 2] {
    scene.peers.map(|peer| digest(scene.net[peer].agent()))
}

pub(crate) fn paths(scene: &Scene) -> [Option<SocketAddr>; 2] {
    let path = |peer: Handle<IcePeer>| scene.net[peer].agent().send_path(Component::default());
    scene.peers.map(|peer| path(peer).ok().map(|path| path.destination))
}

fn sent_so_far(scene: &Scene) -> usize {
    recorded(scene).len()
}

#[test]
fn what_an_agent_sent_thrown_back_at_it_changes_nothing() {
    let mut scene = connected([Role::Controlling, Role::Controlled]);
    let all = recorded(&scene);
    let (before, sent) = (digests(&scene), sent_so_far(&scene));
    for (source, destination, bytes) in &all {
        inject(&mut scene, *destination, *source, bytes);
        inject(&mut scene, bystander(1), *source, bytes);
    }
    scene.net.run_for(Duration::from_millis(25));
    assert_eq!(digests(&scene), before);
    assert_eq!(sent_so_far(&scene), sent, "nobody answers its own messages");
}

#[test]
fn a_session_played_again_later_changes_nothing_that_matters() {
    // After 39.5 s the requests are new ones to whoever got them (RFC 8489 §6.3.1): they are answered, and that is all.
    let mut scene = connected([Role::Controlling, Role::Controlled]);
    scene.net.run_for(Duration::from_secs(60));
    let all = recorded(&scene);
    let before = paths(&scene);
    let seen = |scene: &Scene| scene.peers.map(|peer| scene.net[peer].events().len());
    let events = seen(&scene);
    for round in 0..5 {
        for (source, destination, bytes) in &all {
            inject(&mut scene, *source, *destination, bytes);
        }
        scene.net.run_for(Duration::from_secs(if round % 2 == 0 { 1 } else { 60 }));
    }
    assert_eq!(scene.states(), [ConnectionState::Completed; 2]);
    assert_eq!(paths(&scene), before);
    assert_eq!(seen(&scene), events, "and nobody is told of anything");
}

#[test]
fn roles_that_were_settled_stay_settled_whatever_is_played_again() {
    for roles in [[Role::Controlling; 2], [Role::Controlled; 2]] {
        let mut scene = connected(roles);
        let all = recorded(&scene);
        let settled = scene.peers.map(|peer| scene.net[peer].agent().role());
        assert_ne!(settled[0], settled[1]);
        scene.net.run_for(Duration::from_secs(60));
        for (n, (source, destination, bytes)) in (0..).zip(&all) {
            inject(&mut scene, *source, *destination, bytes);
            inject(&mut scene, bystander(n), *destination, bytes);
            scene.net.run_for(Duration::from_millis(100));
        }
        scene.net.run_for(Duration::from_secs(20));
        let roles = scene.peers.map(|peer| scene.net[peer].agent().role());
        assert_ne!(roles[0], roles[1]);
        assert_eq!(scene.states(), [ConnectionState::Completed; 2]);
        scene.exchange_data(&[Component::default()]);
    }
}

#[test]
fn checks_played_again_from_a_thousand_places_teach_32_of_them_and_move_nothing() {
    // "False peer-reflexive candidate" (§19.2) by replay: the integrity does not cover the source.
    let mut scene = connected([Role::Controlling, Role::Controlled]);
    let is_check =
        |bytes: &[u8]| Message::parse(bytes).is_ok_and(|message| message.class() == Class::Request);
    let checks: Vec<Recorded> =
        recorded(&scene).into_iter().filter(|(_, _, bytes)| is_check(bytes)).collect();
    let before = paths(&scene);
    let (sent, mut injected) = (sent_so_far(&scene), 0);
    for n in 0..1_000 {
        let (_, destination, bytes) = &checks[usize::from(n) % checks.len()];
        inject(&mut scene, bystander(n), *destination, bytes);
        injected += 1;
        scene.net.run_for(Duration::from_millis(10));
    }
    scene.net.run_for(Duration::from_secs(120));
    assert_eq!(paths(&scene), before);
    assert_eq!(scene.states(), [ConnectionState::Completed; 2]);
    let to_bystanders =
        recorded(&scene)[sent..].iter().filter(|(_, to, _)| !before.contains(&Some(*to))).count();
    // An answer for each, and seven checks to each of 32 addresses on both sides.
    assert!(to_bystanders <= injected + 2 * 32 * 7, "{to_bystanders} packets for {injected}");
    for peer in scene.peers {
        assert!(scene.net[peer].agent().remote_candidates().count() <= 2 + 32);
    }
    scene.exchange_data(&[Component::default()]);
}

#[test]
fn answers_played_again_do_not_hide_that_the_line_is_cut() {
    // RFC 7675 §8.
    let mut scene = connected([Role::Controlling, Role::Controlled]);
    scene.net.run_for(Duration::from_secs(30));
    let answers = recorded(&scene);
    let internet = scene.net.internet();
    // Everything of the two is lost; what the attacker sends is not. Its packets are put behind the cut.
    for _ in 0..40 {
        scene.net.set_segment_link(internet, Link::IDEAL).expect("the Internet is there");
        for (source, destination, bytes) in &answers {
            inject(&mut scene, *source, *destination, bytes);
        }
        scene.net.run_for(Duration::ZERO);
        scene.net.set_segment_link(internet, Link::IDEAL.loss(1.0)).expect("the Internet is there");
        scene.net.run_for(Duration::from_secs(1));
    }
    assert_eq!(paths(&scene), [None, None]);
}

#[test]
fn agents_connect_although_everything_comes_twice_and_from_elsewhere_too() {
    // Whoever hears every packet and sends it on at once, from an address of its own and as it was.
    let site = || Site::public().families(Families::V4);
    for roles in [[Role::Controlling, Role::Controlled], [Role::Controlling; 2], [Role::Controlled; 2]] {
        let mut scene = Setup { roles, sites: [site(), site()], ..Setup::default() }.build();
        let [a, b] = scene.peers;
        scene.net.connect_ice(a, b);
        let mut heard = 0;
        for n in 0..1_500 {
            scene.net.run_for(Duration::from_millis(10));
            let fresh = recorded_since(&scene, heard);
            heard = scene.net.trace().records().count();
            for (source, destination, bytes) in fresh {
                inject(&mut scene, source, destination, &bytes);
                inject(&mut scene, bystander(n % 3), destination, &bytes);
            }
        }
        assert_eq!(scene.states(), [ConnectionState::Completed; 2]);
        assert!(scene.agree(Component::default()));
        scene.exchange_data(&[Component::default()]);
    }
}
