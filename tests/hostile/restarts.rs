//! Restarts as a weapon: a peer that restarts for ever, and sessions from before played again (RFC 8445 §9, RFC 8838 §11).

use std::time::Duration;

use floe_ice::{
    AddedCandidate, Candidate, Component, ConnectionState, Credentials, Event, RemoteParameters, Role,
    StreamId,
};
use floe_netsim::ice::IcePeer;
use floe_netsim::{Families, Site};
use floe_tests::scene::{LIMIT, Setup};

use crate::heap;
use crate::replayed::{inject, paths, recorded};
use crate::victim::{PEER_PWD, Victim, bystander, local, remote};
use crate::wire::{self, Say, Seal};

fn credentials(n: u16) -> Credentials {
    Credentials::new(&format!("peer{n:05}"), &format!("aPasswordOfThePeer{n:05}")).expect("valid")
}

#[test]
fn a_peer_that_restarts_for_ever_costs_a_few_sessions_of_memory_and_no_packets() {
    heap::alone(|| {
        let mut victim = Victim::alone(Role::Controlled, 1, |_| {});
        victim.know_peer();
        victim.connect();
        let before = heap::live();
        let mut restarts = 0;
        for n in 0..2_000 {
            let parameters = RemoteParameters::new(credentials(n));
            let _ = victim.agent.set_remote_parameters(&parameters, victim.now);
            victim.collect();
            let restarted = |event: &&Event| matches!(event, Event::Restarted(_));
            restarts += victim.take_events().iter().filter(restarted).count();
        }
        assert_eq!(restarts, 2_000);
        assert!(
            victim.take().iter().all(|sent| sent.to == remote(1)),
            "only consent, and that on the path there is"
        );
        assert_eq!(victim.path(), Some(remote(1)), "make before break");
        let held = heap::live() - before;
        assert!(held <= 32 * 1024, "{held} bytes");
    });
}

#[test]
fn data_goes_on_although_the_peer_restarts_for_ever() {
    // Whoever signals and checks may be two: the honest half keeps its consent.
    let mut victim = Victim::connected(Role::Controlled);
    for n in 0..600 {
        let parameters = RemoteParameters::new(credentials(n));
        victim.agent.set_remote_parameters(&parameters, victim.now).expect("open");
        victim.collect();
        victim.run(200);
        assert_eq!(victim.path(), Some(remote(1)), "restart {n}");
    }
}

#[test]
fn candidates_for_credentials_that_never_come_are_held_to_a_limit_and_checked_never() {
    heap::alone(|| {
        let mut victim = Victim::alone(Role::Controlled, 1, |_| {});
        victim.know_peer();
        victim.connect();
        let (before, mut held) = (heap::live(), 0);
        for n in 0..5_000 {
            let candidate = Candidate::host(bystander(n)).with_ufrag(&format!("never{n}")).expect("valid");
            let added = victim.agent.add_remote_candidate(StreamId::FIRST, &candidate, victim.now);
            held += usize::from(added == Ok(AddedCandidate::Held));
            victim.collect();
        }
        assert!(held <= 108, "{held} candidates");
        victim.run(60_000);
        assert!(victim.take().iter().all(|sent| sent.to == remote(1)));
        let bytes = heap::live() - before;
        assert!(bytes <= 64 * 1024, "{bytes} bytes");
    });
}

#[test]
fn old_and_half_old_credentials_restart_nothing() {
    let mut victim = Victim::connected(Role::Controlled);
    let new = RemoteParameters::new(credentials(1));
    victim.agent.set_remote_parameters(&new, victim.now).expect("open");
    victim.collect();
    let halves =
        [(credentials(1).ufrag().to_owned(), PEER_PWD), ("another".to_owned(), credentials(1).pwd())]
            .map(|(ufrag, pwd)| Credentials::new(&ufrag, pwd).expect("valid"));
    let old = Credentials::new(crate::victim::PEER_UFRAG, PEER_PWD).expect("valid");
    victim.assert_unmoved(|victim| {
        for credentials in halves.into_iter().chain([old]) {
            let parameters = RemoteParameters::new(credentials);
            assert!(victim.agent.set_remote_parameters(&parameters, victim.now).is_err());
        }
    });
}

#[test]
fn what_was_signed_for_the_session_before_counts_for_consent_on_it_alone() {
    let mut victim = Victim::connected(Role::Controlling);
    let old = victim.ask(|ask| (ask.controlling, ask.controlled) = (Some(u64::MAX), None));
    let check = victim.next_check();
    victim.agent.restart(victim.now).expect("open");
    victim.collect();
    victim.take();
    victim.take_events();
    for from in [remote(1), bystander(1)] {
        let _ = victim.send(from, &old);
    }
    let answer = wire::answer(check.id(), Say::Success(local(1)), &Seal::Sha1(crate::victim::peer_key()));
    let _ = victim.arrive(check.socket, check.to, &answer);
    assert_eq!(victim.agent.role(), Role::Controlling, "no role");
    assert_eq!(victim.agent.remote_candidates().count(), 0, "no candidate");
    assert!(victim.take().iter().all(|sent| !sent.is_request()), "and no check comes of it");
    assert!(victim.take_events().is_empty());
}

#[test]
fn a_session_from_before_a_restart_played_again_changes_nothing() {
    let site = || Site::public().families(Families::V4);
    let mut scene = Setup { sites: [site(), site()], ..Setup::default() }.connect();
    let before = recorded(&scene);
    let a = scene.peers[0];
    scene.net.with(a, IcePeer::restart);
    for round in 0..40 {
        for (n, (source, destination, bytes)) in (0..).zip(&before) {
            inject(&mut scene, *source, *destination, bytes);
            inject(&mut scene, bystander(n % 8), *destination, bytes);
        }
        scene.net.run_for(Duration::from_millis(if round < 20 { 25 } else { 2_000 }));
    }
    let end = scene.net.now() + LIMIT;
    while scene.states() != [ConnectionState::Completed; 2] && scene.net.now() < end {
        scene.net.run_for(Duration::from_millis(100));
    }
    assert_eq!(scene.states(), [ConnectionState::Completed; 2]);
    assert!(
        paths(&scene).iter().flatten().all(|path| path.ip().to_string().starts_with("203.")),
        "{:?}",
        paths(&scene)
    );
    assert!(scene.agree(Component::default()));
    scene.exchange_data(&[Component::default()]);
}
