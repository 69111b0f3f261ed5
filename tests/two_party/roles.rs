//! Role conflicts: RFC 8445 §7.3.1.1 and §7.2.5.1.

use std::time::Duration;

use floe_ice::{Component, Nomination, Role};
use floe_netsim::Link;
use floe_tests::rules::{self, Rules};
use floe_tests::scene::Setup;

const TA: Duration = Duration::from_millis(50);

/// Connects with these roles for several seeds, and so for both outcomes of the comparison of tie-breakers.
fn converge(roles: [Role; 2], nomination: Nomination, signal_delay: Duration) {
    let mut winners = [0, 0];
    for seed in 0..20 {
        let setup = Setup { seed, roles, nomination, signal_delay, ..Setup::default() };
        let mut scene = setup.connect();
        let ended = scene.peers.map(|peer| scene.net[peer].agent().role());
        assert_ne!(ended[0], ended[1], "seed {seed}: the roles differ in the end");
        winners[usize::from(ended[1] == Role::Controlling)] += 1;
        assert!(scene.agree(Component::default()));
        let conflicts: u64 =
            scene.peers.iter().map(|&peer| scene.net[peer].agent().counters().role_conflicts).sum();
        assert!(conflicts > 0, "seed {seed}: there was a conflict to resolve");
        scene.exchange_data(&[Component::default()]);
        rules::check(&scene, Rules { ta: TA, regular: nomination != Nomination::Immediate });
    }
    assert!(winners.iter().all(|&won| won > 0), "both sides win sometimes: {winners:?}");
}

#[test]
fn both_controlling_converge() {
    converge([Role::Controlling; 2], Nomination::default(), Duration::ZERO);
}

#[test]
fn both_controlled_converge() {
    converge([Role::Controlled; 2], Nomination::default(), Duration::ZERO);
}

#[test]
fn both_controlling_converge_with_immediate_nomination() {
    converge([Role::Controlling; 2], Nomination::Immediate, Duration::ZERO);
}

#[test]
fn both_controlled_converge_with_immediate_nomination() {
    converge([Role::Controlled; 2], Nomination::Immediate, Duration::ZERO);
}

/// The checks of one side arrive while the other does not know its credentials yet.
#[test]
fn a_conflict_is_resolved_when_one_side_hears_of_the_other_late() {
    converge([Role::Controlling; 2], Nomination::default(), Duration::from_millis(300));
    converge([Role::Controlled; 2], Nomination::default(), Duration::from_millis(300));
}

#[test]
fn a_conflict_is_resolved_over_a_lossy_network() {
    for roles in [[Role::Controlling; 2], [Role::Controlled; 2]] {
        for seed in 0..30 {
            let link = Link::delay_ms(30).loss(0.1).max_loss_run(4);
            let scene = Setup { seed, roles, link, ..Setup::default() }.connect();
            let ended = scene.peers.map(|peer| scene.net[peer].agent().role());
            assert_ne!(ended[0], ended[1], "seed {seed}");
        }
    }
}
