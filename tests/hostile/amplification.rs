//! What a stranger's bytes make us send: nothing by default, and otherwise no more bytes than came (RFC 8489 §16.1.2).

use floe_ice::{Role, Unauthenticated};
use floe_stun::{Class, MessageBuilder, Method, TransactionId};

use crate::victim::{Victim, bystander, remote};
use crate::wire::Seal;

/// Everything that a stranger can send, from the shortest to a long one.
fn by_strangers(victim: &mut Victim) -> Vec<Vec<u8>> {
    let mut out = [0; 64];
    let bare =
        MessageBuilder::new(&mut out, Class::Request, Method::BINDING, TransactionId::new([5; 12])).finish();
    let bare = out[..bare.expect("20 bytes")].to_vec();
    let mut all = vec![bare];
    all.push(victim.ask(|ask| {
        (ask.username, ask.priority, ask.controlling, ask.controlled, ask.seal) =
            (None, None, None, None, Seal::Unsigned);
    }));
    for len in [0, 3, 4, 7, 8, 11, 12, 16, 20, 40, 200, 700] {
        all.push(victim.ask(|ask| {
            (ask.username, ask.seal) = (Some("x".repeat(len.min(500))), Seal::Unsigned);
            (ask.priority, ask.controlling, ask.controlled) = (None, None, None);
        }));
    }
    all.push(victim.ask(|ask| ask.seal = Seal::Unsigned));
    all
}

#[test]
fn a_stranger_gets_no_byte_by_default() {
    let mut victim = Victim::connected(Role::Controlled);
    let all = by_strangers(&mut victim);
    victim.traffic();
    for (n, bytes) in (0..).zip(&all) {
        let _ = victim.send(bystander(n), bytes);
        let _ = victim.send(remote(1), bytes);
    }
    assert_eq!(victim.traffic().1, 0);
}

#[test]
fn a_stranger_who_is_answered_gets_no_more_bytes_than_it_sent_and_ten_answers_a_second() {
    let mut victim =
        Victim::connected_with(Role::Controlled, |c| c.unauthenticated = Unauthenticated::Answer);
    let all = by_strangers(&mut victim);
    let mut answered = 0;
    let long_enough = all.iter().filter(|bytes| bytes.len() >= 52).count();
    for bytes in &all {
        victim.traffic();
        let _ = victim.send(bystander(1), bytes);
        let (came, went) = victim.traffic();
        assert!(went <= came, "{went} bytes for {came}");
        answered += victim.take().len();
        // Its turn is over once a second.
        victim.run(1_000);
        victim.take();
    }
    assert_eq!(
        answered, long_enough,
        "whoever sends a check, which is longer, is told what is wrong with it"
    );
    let whole = victim.ask(|ask| ask.seal = Seal::Unsigned);
    for n in 0..1_000 {
        let _ = victim.send(bystander(n), &whole);
    }
    assert_eq!(victim.take().len(), 10);
}

#[test]
fn an_authentic_check_costs_one_answer_that_is_hardly_longer_and_seven_checks() {
    // RFC 8445 §7.3.1.4 asks for a check where one came from; RFC 8489 §6.2.1 sends it seven times. A peer that gives a
    // bystander's address gets that much sent there for each check of its own, and could send as much itself.
    let mut victim = Victim::new(Role::Controlled);
    let ask = victim.ask(|_| {});
    victim.traffic();
    let _ = victim.send(bystander(1), &ask);
    let sent = victim.take();
    let [answer] = &sent.iter().filter(|sent| !sent.is_request()).collect::<Vec<_>>()[..] else {
        panic!("{sent:?}");
    };
    assert!(answer.bytes.len() <= ask.len(), "{} bytes for {}", answer.bytes.len(), ask.len());
    victim.run_unanswered(120_000);
    let checks: Vec<_> =
        sent.iter().chain(&victim.take()).filter(|sent| sent.is_request()).cloned().collect();
    assert_eq!(checks.len(), 7);
    let (came, went) = victim.traffic();
    assert!(went <= 9 * came, "{went} bytes for {came}");
}

#[test]
fn a_retransmitted_check_costs_its_answer_and_no_more() {
    let mut victim = Victim::connected(Role::Controlled);
    let ask = victim.ask(|_| {});
    for _ in 0..1_000 {
        let _ = victim.send(bystander(1), &ask);
    }
    victim.run(60_000);
    let checks = victim.take().iter().filter(|sent| sent.is_request() && sent.to == bystander(1)).count();
    assert_eq!(checks, 0, "a component that is concluded checks nothing more (RFC 8445 §8.1.2)");
    assert_eq!(victim.selected(), Some(remote(1)));
}
