//! Whoever has no password: RFC 8445 §19.2, RFC 8489 §16.1.1. Off the path, or on it and able to read along.

use floe_ice::{ConnectionState, Received, Rejection, Role, SocketId, Time};
use floe_stun::{Key, TransactionId};

use crate::victim::{Sent, Victim, bystander, host, local, peer_key, remote};
use crate::wire::{self, Say, Seal, refinger};

/// In each state that an agent can be in.
fn in_every_state(test: impl Fn(&mut Victim)) {
    for role in [Role::Controlling, Role::Controlled] {
        let mut checking = Victim::new(role);
        checking.signal(&host(1));
        let mut failed = Victim::new(role);
        failed.signal(&host(1));
        failed.agent.end_of_local_candidates(failed.now).expect("open");
        failed.run_unanswered(60_000);
        assert_eq!(failed.agent.state(), ConnectionState::Failed);
        let fresh = Victim::alone(role, 1, |_| {});
        for mut victim in [fresh, Victim::new(role), checking, Victim::connected(role), failed] {
            victim.take_events();
            test(&mut victim);
        }
    }
}

fn other_key() -> Key {
    Key::short_term("some other password")
}

/// Requests that nobody could have made who knows our password.
fn forged_requests(victim: &mut Victim) -> Vec<Vec<u8>> {
    let ours = victim.agent.local_credentials().ufrag().to_owned();
    let mut forged = vec![
        victim.ask(|ask| ask.username = None),
        victim.ask(|ask| ask.seal = Seal::Unsigned),
        victim.ask(|ask| ask.seal = Seal::Sha1(other_key())),
        victim.ask(|ask| ask.seal = Seal::Sha256(other_key())),
        victim.ask(|ask| ask.seal = Seal::Both(other_key())),
        // Signed with the password of the wrong side.
        victim.ask(|ask| ask.seal = Seal::Sha1(peer_key())),
    ];
    for name in ["", ":", "peer", &ours, &format!("peer:{ours}"), &format!("{ours}{ours}:peer")] {
        forged.push(victim.ask(|ask| ask.username = Some(name.to_owned())));
    }
    forged
}

#[test]
fn requests_without_the_password_change_nothing_and_get_no_answer_in_any_state() {
    in_every_state(|victim| {
        let forged = forged_requests(victim);
        victim.assert_unmoved(|victim| {
            for bytes in forged {
                for from in [remote(1), bystander(1)] {
                    assert!(matches!(victim.send(from, &bytes), Received::Rejected(_)));
                }
            }
        });
    });
}

#[test]
fn answers_without_the_password_change_nothing_whatever_they_say() {
    for role in [Role::Controlling, Role::Controlled] {
        let mut victim = Victim::new(role);
        victim.signal(&host(1));
        let check = victim.next_check();
        victim.take_events();
        let says = [300, 400, 401, 403, 420, 438, 487, 500].map(Say::Error);
        let says = says.into_iter().chain([Say::Success(local(1)), Say::Success(bystander(1))]);
        victim.assert_unmoved(|victim| {
            for say in says {
                for seal in [Seal::Unsigned, Seal::Sha1(other_key()), Seal::Sha256(other_key())] {
                    let forged = wire::answer(check.id(), say, &seal);
                    for from in [check.to, bystander(1)] {
                        assert!(
                            matches!(victim.arrive(check.socket, from, &forged), Received::Rejected(_)),
                            "{say:?}"
                        );
                    }
                }
            }
        });
        // The true answer still counts.
        assert_eq!(victim.answer(&check, Say::Success(local(1))), Received::Ice);
        assert!(victim.agent.pairs().any(|pair| pair.valid));
    }
}

#[test]
fn a_consent_check_is_answered_and_revoked_by_the_peer_alone() {
    let mut victim = Victim::connected(Role::Controlled);
    let check = victim.next_check();
    victim.assert_unmoved(|victim| {
        for say in [Say::Error(403), Say::Success(local(1))] {
            for seal in [Seal::Unsigned, Seal::Sha1(other_key())] {
                let forged = wire::answer(check.id(), say, &seal);
                assert!(matches!(victim.arrive(check.socket, check.to, &forged), Received::Rejected(_)));
            }
        }
    });
    // Without a true one consent ends.
    victim.run_with(35_000, |_| None);
    assert_eq!(victim.path(), None);
}

#[test]
fn answers_to_nothing_are_no_answers() {
    let mut victim = Victim::connected(Role::Controlling);
    victim.assert_unmoved(|victim| {
        for n in 0..1_000u16 {
            let mut id = [0; 12];
            id[..2].copy_from_slice(&n.to_be_bytes());
            let say = if n % 2 == 0 { Say::Success(local(1)) } else { Say::Error(403) };
            // Authentic, too: only the 96 bits of the transaction are guessed.
            let answer = wire::answer(TransactionId::new(id), say, &Seal::Sha1(peer_key()));
            let received = victim.send(remote(1), &answer);
            assert_eq!(received, Received::Rejected(Rejection::UnknownTransaction));
        }
    });
}

#[test]
fn an_answer_to_another_check_fails_both_at_most_and_proves_nothing() {
    // RFC 8445 §7.2.5.2.1: whoever swaps two answers of the peer on their way makes both asymmetric.
    let mut victim = Victim::new(Role::Controlled);
    (1..=2).for_each(|n| victim.signal(&host(n)));
    let checks: Vec<Sent> = (0..2).map(|_| victim.next_check()).collect();
    for (check, other) in [(&checks[0], &checks[1]), (&checks[1], &checks[0])] {
        let answer = wire::answer(check.id(), Say::Success(local(1)), &Seal::Sha1(peer_key()));
        assert_eq!(victim.arrive(other.socket, other.to, &answer), Received::Ice);
    }
    assert!(victim.agent.pairs().all(|pair| !pair.valid));
    assert_eq!(victim.path(), None);
    // The peer's own checks bring both back.
    let ask = victim.ask(|_| {});
    assert_eq!(victim.send(remote(1), &ask), Received::Ice);
    victim.run(1_000);
    assert_eq!(victim.path(), Some(remote(1)));
}

#[test]
fn cut_and_flipped_messages_change_nothing() {
    let mut victim = Victim::connected(Role::Controlling);
    let check = victim.next_check();
    let request = victim.ask(|ask| ask.nominates = true);
    let answer = wire::answer(check.id(), Say::Error(403), &Seal::Sha1(peer_key()));
    let mut harmed: Vec<Vec<u8>> = Vec::new();
    for whole in [&request, &answer] {
        harmed.extend((0..whole.len()).map(|len| whole[..len].to_vec()));
        // But for the type of FINGERPRINT: a message without one counts too.
        let type_of_fingerprint = 8 * (whole.len() - 8)..8 * (whole.len() - 6);
        for bit in (0..8 * whole.len()).filter(|bit| !type_of_fingerprint.contains(bit)) {
            let mut flipped = whole.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            harmed.push(flipped);
        }
    }
    // What does not look like STUN any more is data (RFC 7983), which nobody authenticates.
    harmed.retain(|bytes| floe_stun::is_stun(bytes));
    victim.assert_unmoved(|victim| {
        for bytes in &harmed {
            assert!(matches!(victim.send(remote(1), bytes), Received::Rejected(_)), "{bytes:02x?}");
        }
    });
}

#[test]
fn a_change_with_a_new_fingerprint_is_still_a_change() {
    // FINGERPRINT needs no key: it protects from accidents alone (RFC 8489 §14.7).
    let mut victim = Victim::connected(Role::Controlled);
    let whole = victim.ask(|_| {});
    let protected = whole.len() - 8;
    victim.assert_unmoved(|victim| {
        for bit in 8 * 8..8 * protected {
            let mut flipped = whole.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            refinger(&mut flipped);
            assert!(matches!(victim.send(remote(1), &flipped), Received::Rejected(_)), "bit {bit}");
        }
    });
}

#[test]
fn data_from_strangers_is_not_delivered() {
    // RFC 8445 §12.2.
    let mut victim = Victim::connected(Role::Controlled);
    victim.assert_unmoved(|victim| {
        for n in 0..1_000 {
            let received = victim.send(bystander(n), &[0x80; 100]);
            assert_eq!(received, Received::Rejected(Rejection::UnknownSource));
        }
        let received = victim.arrive(SocketId(99), remote(1), &[0x80; 100]);
        assert_eq!(received, Received::Rejected(Rejection::UnknownSocket));
    });
    assert!(matches!(victim.send(remote(1), &[0x80; 100]), Received::Data { .. }));
}

#[test]
fn an_hour_of_forgeries_leaves_the_connection_as_it_was() {
    let mut victim = Victim::connected(Role::Controlled);
    let end = victim.now + core::time::Duration::from_secs(3_600);
    let mut n = 0u16;
    while victim.now < end {
        let forged = forged_requests(&mut victim);
        for bytes in forged {
            n = n.wrapping_add(1);
            let _ = victim.send(bystander(n), &bytes);
            let _ = victim.send(remote(1), &bytes);
        }
        victim.run(10_000);
        victim.take();
    }
    assert_eq!(victim.agent.state(), ConnectionState::Completed);
    assert_eq!((victim.path(), victim.selected()), (Some(remote(1)), Some(remote(1))));
    assert_eq!(victim.agent.remote_candidates().count(), 1);
}

#[test]
fn a_clock_that_jumps_opens_no_door() {
    let mut victim = Victim::connected(Role::Controlled);
    let forged = forged_requests(&mut victim);
    for jump in [Time::ZERO, victim.now + core::time::Duration::from_secs(10)] {
        victim.now = jump;
        for bytes in &forged {
            assert!(matches!(victim.send(bystander(1), bytes), Received::Rejected(_)));
        }
        assert_eq!(victim.agent.remote_candidates().count(), 1);
    }
    // Asleep for longer than consent lasts, and woken by an attacker: nothing was proved meanwhile.
    victim.now += core::time::Duration::from_secs(60);
    let _ = victim.send(bystander(1), &forged[0]);
    assert_eq!(victim.path(), None);
}
