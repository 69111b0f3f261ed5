//! Loss, reordering, duplication, jitter and a small MTU.

use std::time::Duration;

use floe_ice::{Component, Nomination, Time};
use floe_netsim::Link;
use floe_tests::repetitions;
use floe_tests::rules::{self, Rules};
use floe_tests::scene::Setup;

const TA: Duration = Duration::from_millis(50);

/// Connects over `link` with many seeds, and carries data. The last of the times it took.
fn connect_over(link: &Link, nomination: Nomination) -> Time {
    let mut slowest = Time::ZERO;
    for seed in 0..repetitions(40, 400) as u64 {
        let mut scene = Setup { seed, link: link.clone(), nomination, ..Setup::default() }.connect();
        slowest = slowest.max(scene.net.now());
        if nomination == Nomination::Immediate {
            // Of several nominated pairs both sides end on the best one, once an answer to it has come through.
            scene.net.run_for(Duration::from_secs(20));
        }
        assert!(scene.agree(Component::default()), "seed {seed}: both sides have selected the same pair");
        scene.exchange_data(&[Component::default()]);
        rules::check(&scene, Rules { ta: TA, regular: nomination != Nomination::Immediate });
    }
    slowest
}

/// Never more than four packets of a flow are lost in a row, so the fifth transmission of a request, or of a later one, comes
/// through: 7.5 s after the first, for check and nomination each.
const BOUND: Time = Time::from_millis(40_000);

#[test]
fn ten_per_cent_loss() {
    let link = Link::delay_ms(30).loss(0.1).max_loss_run(4);
    assert!(connect_over(&link, Nomination::default()) < BOUND);
    assert!(connect_over(&link, Nomination::Immediate) < BOUND);
}

#[test]
fn reordering_and_jitter() {
    let link = Link::delay_ms(10).jitter(Duration::from_millis(80)).reorder(0.3, Duration::from_millis(120));
    assert!(connect_over(&link, Nomination::default()) < Time::from_millis(2_000));
}

#[test]
fn every_packet_twice() {
    let link = Link::delay_ms(25).duplicate(1.0);
    assert!(connect_over(&link, Nomination::default()) < Time::from_millis(500));
}

#[test]
fn all_of_it_at_once() {
    let link = Link::delay_ms(20)
        .jitter(Duration::from_millis(40))
        .loss(0.1)
        .max_loss_run(4)
        .duplicate(0.2)
        .reorder(0.2, Duration::from_millis(60));
    assert!(connect_over(&link, Nomination::default()) < BOUND);
}

#[test]
fn checks_fit_through_the_smallest_mtu_of_ipv4() {
    // RFC 791: every host takes 576 bytes.
    let _ = connect_over(&Link::delay_ms(20).mtu(576), Nomination::default());
}

#[test]
fn a_one_way_network_does_not_connect() {
    let mut scene = Setup::default().build();
    let internet = scene.net.internet();
    scene.net.set_segment_link(internet, Link::delay_ms(20).loss(1.0)).expect("the Internet is there");
    assert!(!scene.connect(), "nothing comes through");
}
