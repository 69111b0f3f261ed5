//! Keeping, faking and taking away consent: RFC 7675 §5, §8.

use floe_ice::{ConnectionState, Event, Received, Role};

use crate::victim::{Sent, Victim, bystander, local, peer_key, remote};
use crate::wire::{self, Say, Seal};

#[test]
fn answers_from_earlier_do_not_keep_consent_alive() {
    // The peer is gone; somebody plays its answers again, all of them, every second.
    let mut victim = Victim::connected(Role::Controlled);
    let mut recorded: Vec<(Sent, Vec<u8>)> = Vec::new();
    victim.run_with(60_000, |sent| {
        let bytes = wire::answer(sent.id(), Say::Success(local(1)), &Seal::Sha1(peer_key()));
        recorded.push((sent.clone(), bytes));
        Some(Say::Success(local(1)))
    });
    assert!(recorded.len() >= 9);
    victim.take_events();
    for _ in 0..31 {
        for (sent, bytes) in &recorded {
            assert!(matches!(victim.arrive(sent.socket, sent.to, bytes), Received::Rejected(_)));
        }
        victim.run_unanswered(1_000);
    }
    assert!(victim.take_events().iter().any(|event| matches!(event, Event::ConsentLost { .. })));
    assert_eq!(victim.path(), None);
}

#[test]
fn checks_of_the_peer_do_not_keep_consent_alive() {
    // RFC 7675 §5.1: only an answer does. Whoever can replay or make checks wants our data to go on to the bystander.
    let mut victim = Victim::connected(Role::Controlled);
    for _ in 0..32 {
        let ask = victim.ask(|ask| ask.nominates = true);
        assert_eq!(victim.send(remote(1), &ask), Received::Ice);
        let _ = victim.send(remote(1), &[0x80; 50]);
        victim.run_unanswered(1_000);
    }
    assert_eq!(victim.path(), None);
}

#[test]
fn answers_that_somebody_sends_on_from_elsewhere_first_cost_no_consent() {
    // Who overhears an answer may be faster than it. It is the one from where the check went that counts.
    let mut victim = Victim::connected(Role::Controlling);
    let end = victim.now + core::time::Duration::from_secs(120);
    while victim.now < end {
        let check = victim.next_check();
        for say in [Say::Success(local(1)), Say::Error(403)] {
            let answer = wire::answer(check.id(), say, &Seal::Sha1(peer_key()));
            let _ = victim.arrive(check.socket, bystander(1), &answer);
        }
        assert_eq!(victim.answer(&check, Say::Success(local(1))), Received::Ice);
    }
    assert_eq!(victim.agent.state(), ConnectionState::Completed);
    assert_eq!(victim.path(), Some(remote(1)));
}

#[test]
fn a_revocation_counts_from_the_peer_on_the_path_and_from_nobody_else() {
    let mut victim = Victim::connected(Role::Controlling);
    let check = victim.next_check();
    let unsigned = wire::answer(check.id(), Say::Error(403), &Seal::Unsigned);
    let elsewhere = wire::answer(check.id(), Say::Error(403), &Seal::Sha1(peer_key()));
    let _ = victim.arrive(check.socket, check.to, &unsigned);
    let _ = victim.arrive(check.socket, bystander(1), &elsewhere);
    assert_eq!(victim.path(), Some(remote(1)));
    let _ = victim.answer(&check, Say::Error(403));
    assert_eq!(victim.path(), None, "RFC 7675 §5.2");
}

#[test]
fn every_consent_check_has_an_id_of_its_own_that_nobody_guesses() {
    // RFC 7675 §8: 96 bits, uniform. Here: no two alike, and every bit of them takes both values.
    let mut victim = Victim::connected(Role::Controlling);
    let mut ids = Vec::new();
    for _ in 0..200 {
        let check = victim.next_check();
        let _ = victim.answer(&check, Say::Success(local(1)));
        ids.push(*check.id().as_bytes());
    }
    let distinct: std::collections::BTreeSet<_> = ids.iter().collect();
    assert_eq!(distinct.len(), ids.len());
    for bit in 0..96 {
        let ones = ids.iter().filter(|id| id[bit / 8] >> (bit % 8) & 1 == 1).count();
        assert!((60..=140).contains(&ones), "bit {bit} is 1 in {ones} of 200");
    }
}

#[test]
fn errors_of_the_peer_other_than_403_neither_keep_nor_end_consent() {
    for code in [300, 400, 401, 420, 438, 487, 500] {
        let mut victim = Victim::connected(Role::Controlling);
        victim.run_with(25_000, |_| Some(Say::Error(code)));
        assert_eq!(victim.path(), Some(remote(1)), "{code}: 25 s without an answer that counts");
        victim.run_with(10_000, |_| Some(Say::Error(code)));
        assert_eq!(victim.path(), None, "{code}: 35 s");
    }
}
