//! Games with attributes: order, repetition, extremes, and what must be understood (RFC 8489 §6.3.1, §14.5, RFC 8445 §7.1).

use floe_ice::{Received, Rejection, Role};
use floe_stun::{IntegrityAlgorithm, Key, Message};

use crate::victim::{Victim, bystander, host, remote};
use crate::wire::{Seal, refinger};

fn ours(victim: &Victim) -> Key {
    Key::short_term(victim.agent.local_credentials().pwd())
}

/// `message` with an attribute between its integrity and its fingerprint, which says so.
fn with_attribute_behind_integrity(message: &[u8], attribute: &[u8]) -> Vec<u8> {
    let mut longer = message[..message.len() - 8].to_vec();
    longer.extend(attribute);
    longer.extend([0; 8]);
    refinger(&mut longer);
    longer
}

#[test]
fn what_stands_behind_the_integrity_does_not_count() {
    // RFC 8489 §14.5: whoever is on the path may append anything.
    let mut victim = Victim::connected(Role::Controlled);
    let appended: [&[u8]; 4] = [
        &[0x00, 0x25, 0, 0],                         // USE-CANDIDATE
        &[0x80, 0x29, 0, 8, 0, 0, 0, 0, 0, 0, 0, 1], // ICE-CONTROLLED
        &[0x00, 0x24, 0, 4, 0x7F, 0xFF, 0xFF, 0xFF], // PRIORITY
        &[0x00, 0x77, 0, 0],                         // one that must be understood
    ];
    for attribute in appended {
        let plain = victim.ask(|_| {});
        let longer = with_attribute_behind_integrity(&plain, attribute);
        assert_eq!(victim.send(remote(1), &longer), Received::Ice);
        let answers = victim.take();
        assert_eq!(answers.len(), 1, "one answer, no check: nothing was nominated");
        assert_eq!(answers[0].error(), None);
        assert_eq!(victim.agent.role(), Role::Controlled);
    }
}

#[test]
fn an_integrity_attribute_counts_only_where_and_as_the_rfc_says() {
    let mut victim = Victim::new(Role::Controlled);
    let key = ours(&victim);
    // Both are there: SHA-256 decides and is answered with (RFC 8489 §9.1.3).
    let both = victim.ask(|ask| ask.seal = Seal::Both(key.clone()));
    assert_eq!(victim.send(remote(1), &both), Received::Ice);
    let answer = victim.take().into_iter().find(|sent| !sent.is_request()).expect("an answer");
    let parsed = Message::parse(&answer.bytes).expect("sound");
    assert_eq!(parsed.verify(&key).expect("ours").algorithm(), IntegrityAlgorithm::Sha256);
    // The SHA-256 of both is wrong: the right SHA-1 before it does not save it.
    let mut spoiled = both.clone();
    let at = spoiled.len() - 8 - 1;
    spoiled[at] ^= 1;
    refinger(&mut spoiled);
    victim.assert_unmoved(|victim| {
        assert_eq!(victim.send(bystander(1), &spoiled), Received::Rejected(Rejection::BadIntegrity));
    });
    // Without FINGERPRINT, without MESSAGE-INTEGRITY, with a second one, with one that is cut.
    let plain = victim.ask(|_| {});
    let integrity = plain[plain.len() - 32..plain.len() - 8].to_vec();
    let mut cut = plain.clone();
    let at = cut.len() - 32 + 3;
    cut[at] = 16;
    refinger(&mut cut);
    let without = victim.ask(|ask| ask.seal = Seal::Unsigned);
    victim.assert_unmoved(|victim| {
        for bytes in [&cut, &without] {
            assert!(matches!(victim.send(bystander(1), bytes), Received::Rejected(_)));
        }
    });
    let twice = with_attribute_behind_integrity(&plain, &integrity);
    assert_eq!(victim.send(remote(1), &twice), Received::Ice, "the first one counts");
}

#[test]
fn unknown_attributes_that_must_be_understood_get_420_and_change_nothing_else() {
    let mut victim = Victim::connected(Role::Controlled);
    let before = victim.digest();
    for kind in [0x0002, 0x0003, 0x000D, 0x0077, 0x7FFF] {
        let ask = victim.ask(|ask| {
            ask.extra = vec![(kind, vec![0; 5])];
            ask.nominates = true;
        });
        let received = victim.send(bystander(1), &ask);
        let code = victim.take().first().and_then(crate::victim::Sent::error);
        if received != Received::Ice {
            assert_eq!(received, Received::Rejected(Rejection::UnknownAttribute), "{kind:#06x}");
            assert_eq!(code, Some(420));
        }
        assert_eq!(victim.digest(), before, "{kind:#06x}");
    }
    // A hundred of them at once: the answer names a few (RFC 8489 §14.13), and is no longer than the request.
    let ask = victim.ask(|ask| ask.extra = (0..100).map(|n| (0x0100 + n, vec![])).collect());
    let _ = victim.send(bystander(1), &ask);
    let answers = victim.take();
    assert_eq!(answers.len(), 1);
    assert!(answers[0].bytes.len() < ask.len());
}

#[test]
fn incomplete_and_ill_formed_checks_get_400_and_change_nothing_else() {
    let mut victim = Victim::connected(Role::Controlled);
    let before = victim.digest();
    let asks = [
        victim.ask(|ask| ask.priority = None),
        victim.ask(|ask| (ask.controlling, ask.controlled) = (None, None)),
        victim.ask(|ask| (ask.priority, ask.extra) = (None, vec![(0x0024, vec![1; 3])])),
        victim.ask(|ask| (ask.controlling, ask.extra) = (None, vec![(0x802A, vec![1; 9])])),
    ];
    for ask in asks {
        assert!(matches!(victim.send(bystander(1), &ask), Received::Rejected(_)));
        assert_eq!(victim.take().first().and_then(crate::victim::Sent::error), Some(400));
        assert_eq!(victim.digest(), before);
    }
}

#[test]
fn of_an_attribute_that_comes_twice_the_first_counts() {
    let mut victim = Victim::connected(Role::Controlled);
    let tie = 1u64.to_be_bytes().to_vec();
    let ask =
        victim.ask(|ask| ask.extra = vec![(0x8029, tie.clone()), (0x802A, tie), (0x0024, vec![0xFF; 4])]);
    assert_eq!(victim.send(remote(1), &ask), Received::Ice);
    assert_eq!(victim.agent.role(), Role::Controlled);
    assert_eq!(victim.selected(), Some(remote(1)));
}

#[test]
fn the_extremes_of_priority_are_priorities() {
    // RFC 8445 §5.1.2 has 1 to 2^31-1; a check may say anything.
    for priority in [0, 1, 0x7FFF_FFFF, 0x8000_0000, u32::MAX] {
        for role in [Role::Controlling, Role::Controlled] {
            let mut victim = Victim::new(role);
            victim.signal(&host(1));
            let ask = victim.ask(|ask| ask.priority = Some(priority));
            assert_eq!(victim.send(bystander(1), &ask), Received::Ice);
            let order: Vec<u64> = victim.agent.pairs().map(|pair| pair.priority).collect();
            assert!(order.is_sorted_by(|a, b| a >= b), "{order:?}");
            assert_eq!(order.len(), 2);
            // The peer's own address is found all the same, and by default chosen unless the other is better and works.
            victim.run(5_000);
            assert_eq!(victim.path(), Some(remote(1)), "{priority}");
        }
    }
}

#[test]
fn the_longest_user_name_is_one() {
    // RFC 8489 §14.3: less than 509 bytes to send, up to 763 to read; no memory is kept for it once the peer is known.
    let mut victim = Victim::new(Role::Controlled);
    let ufrag = victim.agent.local_credentials().ufrag().to_owned();
    let long = format!("{ufrag}:{}", "x".repeat(500 - ufrag.len()));
    let ask = victim.ask(|ask| ask.username = Some(long));
    assert_eq!(victim.send(bystander(1), &ask), Received::Rejected(Rejection::WrongUsername));
    assert_eq!(victim.agent.remote_candidates().count(), 0, "it is not of the peer that we know");
}
