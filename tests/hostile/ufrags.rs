//! Confusion of user name fragments: RFC 8445 §7.2.2, §7.3, RFC 8839 §5.4.

use floe_ice::{Credentials, Received, Rejection, RemoteParameters, Role};
use floe_stun::Key;

use crate::victim::{PEER_PWD, PEER_UFRAG, Victim, bystander, host, remote};
use crate::wire::Seal;

#[test]
fn a_user_name_that_is_almost_right_is_wrong() {
    let mut victim = Victim::connected(Role::Controlled);
    let ours = victim.agent.local_credentials().ufrag().to_owned();
    let names = [
        String::new(),
        ":".to_owned(),
        ours.clone(),
        format!("{}:{PEER_UFRAG}", &ours[..ours.len() - 1]),
        format!("{ours}x:{PEER_UFRAG}"),
        format!("x{ours}:{PEER_UFRAG}"),
        format!("{PEER_UFRAG}:{ours}"),
        format!("{}:{PEER_UFRAG}", ours.to_uppercase().replace(&ours, "")),
        format!("{}:{PEER_UFRAG}", ours.chars().rev().collect::<String>()),
        format!(":{ours}:{PEER_UFRAG}"),
        format!("{ours}\0:{PEER_UFRAG}"),
    ];
    let asks = names.map(|name| victim.ask(|ask| ask.username = Some(name)));
    victim.assert_unmoved(|victim| {
        for ask in asks {
            assert_eq!(victim.send(remote(1), &ask), Received::Rejected(Rejection::WrongUsername));
        }
    });
}

#[test]
fn with_our_half_right_and_the_other_wrong_a_check_is_none() {
    // It belongs to another session of the peer: an answer would make that take for valid what nobody listens to.
    let mut victim = Victim::connected(Role::Controlled);
    let ours = victim.agent.local_credentials().ufrag().to_owned();
    let before = victim.digest();
    let others = ["", "pee", "peerx", "PEER", "peer:", "peer:peer", &ours];
    for other in others {
        let ask = victim.ask(|ask| {
            (ask.username, ask.nominates) = (Some(format!("{ours}:{other}")), true);
            (ask.controlling, ask.controlled) = (None, Some(0));
        });
        assert_eq!(victim.send(bystander(1), &ask), Received::Rejected(Rejection::WrongUsername));
        assert!(victim.take().is_empty(), "{other:?}");
        assert_eq!(victim.digest(), before, "{other:?}");
    }
}

#[test]
fn no_ufrag_can_be_mistaken_for_two() {
    // RFC 8839 §5.4: 4 to 256 ice-chars, of which the colon is none.
    let long = "x".repeat(257);
    for ufrag in ["", "abc", "a:cd", "abcd:efgh", "abc ", "abc\0", "äbcd", "abcd\n", &long] {
        assert!(Credentials::new(ufrag, PEER_PWD).is_err(), "{ufrag:?}");
    }
    assert!(Credentials::new(&long[..256], PEER_PWD).is_ok());
}

#[test]
fn a_peer_with_a_ufrag_that_begins_with_ours_is_not_us() {
    let mut victim = Victim::alone(Role::Controlled, 1, |_| {});
    let ours = victim.agent.local_credentials().clone();
    let theirs = Credentials::new(&format!("{}abcd", ours.ufrag()), PEER_PWD).expect("valid");
    victim.agent.set_remote_parameters(&RemoteParameters::new(theirs.clone()), victim.now).expect("open");
    victim.signal(&host(1));
    // Our own check, thrown back: its name begins with the peer's ufrag, and so with ours.
    let check = victim.next_check();
    victim.assert_unmoved(|victim| {
        assert!(matches!(victim.send(remote(1), &check.bytes), Received::Rejected(_)));
    });
    let ask = victim.ask(|ask| ask.username = Some(format!("{}:{}", ours.ufrag(), theirs.ufrag())));
    assert_eq!(victim.send(remote(1), &ask), Received::Ice);
}

#[test]
fn a_peer_that_claims_our_own_ufrag_cannot_sign_for_us() {
    // Both halves are the same then; the passwords are not.
    let mut victim = Victim::alone(Role::Controlled, 1, |_| {});
    let ours = victim.agent.local_credentials().ufrag().to_owned();
    let theirs = Credentials::new(&ours, PEER_PWD).expect("valid");
    victim.agent.set_remote_parameters(&RemoteParameters::new(theirs), victim.now).expect("open");
    victim.signal(&host(1));
    let check = victim.next_check();
    let ask = victim.ask(|ask| {
        ask.username = Some(format!("{ours}:{ours}"));
        ask.seal = Seal::Sha1(Key::short_term(PEER_PWD));
    });
    victim.assert_unmoved(|victim| {
        for bytes in [&check.bytes, &ask] {
            assert_eq!(victim.send(remote(1), bytes), Received::Rejected(Rejection::BadIntegrity));
        }
    });
}
