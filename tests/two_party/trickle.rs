//! The order in which signalling comes: RFC 8838, and RFC 8445 §7.3 for checks that come before the credentials.

use std::time::Duration;

use floe_ice::{Candidate, Component, ConnectionState, RemoteParameters, StreamId};
use floe_netsim::Event;
use floe_netsim::ice::Signalling;
use floe_tests::rules::{self, Rules};
use floe_tests::scene::{LIMIT, Scene, Setup};

const REGULAR: Rules = Rules { ta: Duration::from_millis(50), regular: true };
const PAUSE: Duration = Duration::from_millis(700);

/// What one side can tell the other.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Say {
    Credentials,
    Candidates,
    End,
}

/// All orders of the three messages; an end before the candidates cuts them off, and is another test.
const ORDERS: [[Say; 3]; 3] = [
    [Say::Credentials, Say::Candidates, Say::End],
    [Say::Candidates, Say::Credentials, Say::End],
    [Say::Candidates, Say::End, Say::Credentials],
];

/// Two peers that have gathered and know nothing of each other.
fn gathered() -> Scene {
    let mut scene = Setup { signalling: Signalling::Manual, ..Setup::default() }.build();
    let [a, b] = scene.peers;
    scene.net.connect_ice(a, b);
    scene.net.run_for(PAUSE);
    scene
}

/// Side `from` tells the other side something.
fn tell(scene: &mut Scene, from: usize, what: Say) {
    let (credentials, candidates): (_, Vec<Candidate>) = {
        let agent = scene.net[scene.peers[from]].agent();
        (agent.local_credentials().clone(), agent.local_candidates().map(|(_, _, c)| c.clone()).collect())
    };
    scene.net.with(scene.peers[1 - from], |peer, now| {
        let agent = peer.agent_mut();
        match what {
            Say::Credentials => {
                agent
                    .set_remote_parameters(&RemoteParameters::new(credentials), now)
                    .expect("the first ones");
            }
            Say::Candidates => {
                for candidate in &candidates {
                    let _ = agent
                        .add_remote_candidate(StreamId::FIRST, candidate, now)
                        .expect("the stream exists");
                }
            }
            Say::End => agent.end_of_remote_candidates(StreamId::FIRST, now).expect("the stream exists"),
        }
    });
}

fn run_to_the_end(scene: &mut Scene) {
    let [a, b] = scene.peers;
    assert!(scene.net.run_until_connected(a, b, LIMIT), "they connect whatever the order");
    scene.exchange_data(&[Component::default()]);
    rules::check(scene, REGULAR);
}

#[test]
fn every_order_of_credentials_candidates_and_their_end_connects() {
    for ours in ORDERS {
        for theirs in ORDERS {
            for pause in [Duration::ZERO, Duration::from_millis(20), PAUSE] {
                let mut scene = gathered();
                for step in 0..3 {
                    tell(&mut scene, 0, ours[step]);
                    scene.net.run_for(pause);
                    tell(&mut scene, 1, theirs[step]);
                    scene.net.run_for(pause);
                }
                run_to_the_end(&mut scene);
            }
        }
    }
}

#[test]
fn one_side_may_hear_everything_long_before_the_other() {
    for first in [0, 1] {
        for order in ORDERS {
            let mut scene = gathered();
            for what in order {
                tell(&mut scene, first, what);
            }
            // The other side's checks arrive, are answered, and wait for the credentials.
            scene.net.run_for(Duration::from_secs(3));
            for what in order {
                tell(&mut scene, 1 - first, what);
            }
            run_to_the_end(&mut scene);
        }
    }
}

#[test]
fn one_side_without_candidates_learns_the_other_from_its_checks() {
    for silent in [0, 1] {
        let mut scene = gathered();
        tell(&mut scene, 0, Say::Credentials);
        tell(&mut scene, 1, Say::Credentials);
        tell(&mut scene, 1 - silent, Say::Candidates);
        tell(&mut scene, 0, Say::End);
        tell(&mut scene, 1, Say::End);
        run_to_the_end(&mut scene);
        let other = &scene.net[scene.peers[1 - silent]];
        let pair = other.agent().selected_pair(Component::default()).expect("a pair is selected");
        assert_eq!(pair.remote.kind(), floe_ice::candidate::CandidateKind::PeerReflexive);
    }
}

#[test]
fn a_learned_candidate_that_is_signalled_later_keeps_the_path() {
    let mut scene = gathered();
    tell(&mut scene, 0, Say::Credentials);
    tell(&mut scene, 1, Say::Credentials);
    tell(&mut scene, 0, Say::Candidates);
    scene.net.run_for(PAUSE);
    tell(&mut scene, 1, Say::Candidates);
    run_to_the_end(&mut scene);
    let changes = |side: usize| {
        let events = scene.net[scene.peers[side]].events();
        events.iter().filter(|(_, e)| matches!(e, floe_ice::Event::SelectedPairChanged { .. })).count()
    };
    assert_eq!([changes(0), changes(1)], [1, 1], "the path is selected once");
}

#[test]
fn candidates_after_the_end_are_ignored_and_checks_from_them_are_not() {
    let mut scene = gathered();
    for side in [0, 1] {
        tell(&mut scene, side, Say::Credentials);
    }
    tell(&mut scene, 0, Say::End);
    tell(&mut scene, 0, Say::Candidates);
    let bob = &scene.net[scene.peers[1]];
    assert_eq!(bob.agent().remote_candidates().count(), 0, "they came too late");
    tell(&mut scene, 1, Say::Candidates);
    tell(&mut scene, 1, Say::End);
    run_to_the_end(&mut scene);
}

#[test]
fn without_credentials_no_check_is_sent() {
    let mut scene = gathered();
    for side in [0, 1] {
        tell(&mut scene, side, Say::Candidates);
        tell(&mut scene, side, Say::End);
    }
    scene.net.run_for(Duration::from_secs(120));
    assert!(!scene.net.trace().records().any(|r| matches!(r.event, Event::Sent { .. })));
    assert_eq!(scene.states(), [ConnectionState::New; 2]);
}

#[test]
fn without_any_candidate_the_agents_fail_when_patience_ends() {
    let mut scene = gathered();
    let begun = scene.net.now();
    for side in [0, 1] {
        tell(&mut scene, side, Say::Credentials);
        tell(&mut scene, side, Say::End);
    }
    scene.net.run_for(Duration::from_millis(39_499));
    assert_eq!(scene.states(), [ConnectionState::New; 2], "RFC 8863: the peer has its time");
    scene.net.run_for(Duration::from_secs(1));
    for peer in scene.peers {
        let failed = scene.net[peer].entered(ConnectionState::Failed);
        assert_eq!(failed, Some(begun + Duration::from_millis(39_500)));
    }
}
