//! RFC 8489 §6.2.1: when a request is sent again and when nobody waits for its answer any longer.

use core::time::Duration;
use std::vec::Vec;

use super::*;

const RTO: Duration = Duration::from_millis(500);

fn ms(ms: u64) -> Time {
    Time::from_millis(ms)
}

fn id(n: u8) -> TransactionId {
    TransactionId::new([n; 12])
}

fn transactions(limit: usize) -> Transactions {
    Transactions::new(limit)
}

fn request(n: u8, now: Time) -> Request {
    Request { pair: PairId(u32::from(n)), role: PeerRole::Controlling(1), rto: RTO, now }
}

fn open(all: &mut Transactions, n: u8, now: Time) {
    all.check(id(n), false, request(n, now));
}

/// What is due from time to time, to the end: retransmissions with their time, and the end.
fn run(all: &mut Transactions, late: Duration) -> (Vec<Time>, Time) {
    let mut sent = Vec::new();
    loop {
        let due = all.next_timeout().expect("an open transaction");
        let now = due.saturating_add(late);
        match all.next_due(now).expect("something is due") {
            Due::Retransmit(again, pair) => {
                assert_eq!((again, pair), (id(1), PairId(1)));
                sent.push(now);
            }
            Due::Expired(ended, _) => {
                assert_eq!(ended, id(1));
                assert_eq!(all.next_timeout(), None);
                return (sent, now);
            }
        }
        assert!(all.next_due(now).is_none(), "one thing at a time");
        all.check_invariants();
    }
}

#[test]
fn seven_requests_and_then_the_end() {
    let mut all = transactions(10);
    open(&mut all, 1, ms(0));
    let (sent, end) = run(&mut all, Duration::ZERO);
    assert_eq!(sent, [500, 1_500, 3_500, 7_500, 15_500, 31_500].map(ms));
    assert_eq!(end, ms(39_500));
}

#[test]
fn a_late_caller_causes_no_burst_and_gives_every_request_its_time() {
    let mut all = transactions(10);
    open(&mut all, 1, ms(0));
    let (sent, end) = run(&mut all, Duration::from_millis(300));
    let intervals: Vec<_> = sent.windows(2).map(|w| w[1].saturating_since(w[0]).as_millis()).collect();
    assert_eq!(sent.len(), 6);
    assert_eq!(intervals, [1_300, 2_300, 4_300, 8_300, 16_300]);
    assert_eq!(end.saturating_since(sent[5]).as_millis(), 8_300);
}

#[test]
fn a_clock_that_jumps_sends_once_and_fails_nothing_unheard() {
    let mut all = transactions(10);
    open(&mut all, 1, ms(0));
    let now = Time::from_secs(600);
    assert!(matches!(all.next_due(now), Some(Due::Retransmit(..))));
    assert!(all.next_due(now).is_none());
    assert_eq!(all.next_timeout(), Some(now.saturating_add(2 * RTO)));
}

#[test]
fn a_cancelled_check_is_not_sent_again_but_waited_for_to_its_end() {
    // RFC 8445 §7.3.1.4.
    let mut all = transactions(10);
    open(&mut all, 1, ms(0));
    assert!(matches!(all.next_due(ms(500)), Some(Due::Retransmit(..))));
    all.cancel(&id(1));
    assert_eq!(all.next_timeout(), Some(ms(39_500)));
    assert!(all.get(&id(1)).is_some_and(|t| !t.was_sent_once()));
    assert!(all.is_open_for(PairId(1)));
    assert!(matches!(all.next_due(ms(39_500)), Some(Due::Expired(..))));
    assert!(!all.is_open_for(PairId(1)) && all.get(&id(1)).is_none());
}

#[test]
fn a_consent_check_is_sent_once_and_waited_for_as_long_as_consent_lasts() {
    // RFC 7675 §5.1.
    let mut all = transactions(10);
    let patience = Duration::from_secs(30);
    all.consent(id(1), request(1, ms(1_000)), patience);
    let (sent, end) = run(&mut all, Duration::ZERO);
    assert_eq!((sent.len(), end), (0, ms(31_000)));
}

#[test]
fn an_answer_closes_it_once() {
    let mut all = transactions(10);
    open(&mut all, 1, ms(0));
    assert!(all.remove(&id(1)).is_some_and(|t| t.was_sent_once() && t.sent_at == ms(0)));
    assert!(all.remove(&id(1)).is_none());
    assert_eq!(all.next_timeout(), None);
}

#[test]
fn several_run_side_by_side() {
    let mut all = transactions(10);
    for n in 1..=3 {
        open(&mut all, n, ms(u64::from(n) * 50));
    }
    assert_eq!(all.next_timeout(), Some(ms(550)));
    let mut again = Vec::new();
    for at in [550, 600, 650] {
        assert_eq!(all.next_timeout(), Some(ms(at)));
        let Some(Due::Retransmit(sent, _)) = all.next_due(ms(at)) else { panic!("a retransmission") };
        again.push(sent);
    }
    assert_eq!(again, [id(1), id(2), id(3)]);
    all.retain(|pair| pair != PairId(2));
    assert!(all.get(&id(2)).is_none() && all.get(&id(3)).is_some());
    all.check_invariants();
}

#[test]
fn when_there_are_too_many_one_goes_that_nobody_waits_for() {
    let mut all = transactions(3);
    for n in 1..=3 {
        open(&mut all, n, ms(u64::from(n)));
    }
    all.cancel(&id(2));
    open(&mut all, 4, ms(10));
    all.check_invariants();
    assert!(all.get(&id(2)).is_none(), "the cancelled one");
    assert!([1, 3, 4].iter().all(|n| all.get(&id(*n)).is_some()));
    // Of several cancelled ones the oldest.
    all.cancel(&id(3));
    all.cancel(&id(1));
    open(&mut all, 5, ms(11));
    assert!(all.get(&id(1)).is_none() && all.get(&id(3)).is_some());
    all.check_invariants();
}
