//! Messages that are lost, late, and twice there.

use super::*;
use crate::message::{EndReason, MAX_TEXT};
use crate::session::SessionError;
use crate::session::outbound::{MAX_UNACKED, MAX_UNACKED_BYTES};

#[test]
fn messages_have_their_effect_once_and_in_their_order() {
    let mut pair = Pair::in_call();
    pair.ann.set_local_description(offer("annA"), pair.now).expect("stable");
    for port in 1..=3 {
        pair.ann.add_local_candidate(candidate("annA", port), pair.now).expect("in a call");
    }
    let mut sent = messages(&mut pair.ann);
    sent.reverse();
    let twice: Vec<Envelope> = sent.iter().flat_map(|message| [message.clone(), message.clone()]).collect();
    let received = give(&mut pair.bob, twice, pair.now);
    assert_eq!(received.iter().filter(|r| **r == Received::Early).count(), 3);
    assert_eq!(received.iter().filter(|r| **r == Received::Old).count(), 4);
    let delivered = (1..=3).map(|port| Event::Candidate(candidate("annA", port)));
    let expected: Vec<Event> =
        [Event::RemoteDescription(offer("annA"))].into_iter().chain(delivered).collect();
    assert_eq!(events(&mut pair.bob), expected);
    // One acknowledgement for all of them.
    let acks = messages(&mut pair.bob);
    assert_eq!(acks.iter().map(|a| (a.message.name(), a.ack)).collect::<Vec<_>>(), [("ack", Some(5))]);
}

#[test]
fn what_is_not_acknowledged_is_repeated_ever_more_slowly_and_then_given_up() {
    let mut ann = session("ann", "bob", 1);
    let begin = Time::from_secs(1);
    ann.start(begin).expect("no call yet");
    let mut sent = vec![Duration::ZERO; messages(&mut ann).len()];
    let mut now = begin;
    while let Some(next) = ann.poll_timeout() {
        now = next;
        ann.handle_timeout(now);
        sent.extend(messages(&mut ann).iter().map(|_| now - begin));
    }
    let seconds: Vec<u64> = sent.iter().map(Duration::as_secs).collect();
    assert_eq!(seconds, [0, 1, 3, 7, 15, 23, 31, 39, 47, 55]);
    assert_eq!(now - begin, Duration::from_secs(60));
    assert_eq!(events(&mut ann), [Event::Ended(EndReason::Unreachable)]);
    assert_eq!((ann.stats().sent, ann.stats().repeated), (10, 9));
}

#[test]
fn a_repetition_repairs_a_loss() {
    let mut pair = Pair::in_call();
    pair.ann.set_local_description(offer("annA"), pair.now).expect("stable");
    assert_eq!(messages(&mut pair.ann).len(), 1);
    pair.pass(Duration::from_secs(1));
    assert_eq!(events(&mut pair.bob), [Event::RemoteDescription(offer("annA"))]);
    assert_eq!((pair.ann.stats().repeated, pair.ann.waiting().2), (1, 0));
}

#[test]
fn a_new_transport_brings_what_the_old_one_lost() {
    let mut pair = Pair::negotiated();
    pair.ann.transport_lost(pair.now);
    pair.ann.set_local_description(offer("annB"), pair.now).expect("stable");
    for port in 1..=20 {
        pair.ann.add_local_candidate(candidate("annB", port), pair.now).expect("in a call");
    }
    pair.pass(Duration::from_secs(30));
    assert_eq!((messages(&mut pair.ann), events(&mut pair.bob)), (vec![], vec![]));
    pair.ann.transport_resumed(pair.now);
    pair.settle();
    assert_eq!(events(&mut pair.bob).len(), 22);
    assert_eq!(pair.ann.waiting().2, 0);
    // Sent and lost, and not only never sent.
    pair.ann.add_local_candidate(candidate("annB", 21), pair.now).expect("in a call");
    messages(&mut pair.ann);
    pair.ann.transport_lost(pair.now);
    pair.ann.transport_resumed(pair.now);
    pair.settle();
    assert_eq!(events(&mut pair.bob), [Event::Candidate(candidate("annB", 21))]);
}

#[test]
fn a_transport_that_stays_lost_ends_the_call() {
    let mut pair = Pair::negotiated();
    pair.ann.transport_lost(pair.now);
    pair.pass(Duration::from_secs(59));
    assert_eq!(pair.ann.state(), S::Stable);
    pair.pass(Duration::from_secs(1));
    assert_eq!(events(&mut pair.ann), [Event::Ended(EndReason::TransportLost)]);
    assert_eq!((pair.ann.state(), pair.ann.poll_timeout()), (S::Closed, None));
}

#[test]
fn nothing_grows_without_end_when_the_peer_acknowledges_nothing() {
    let mut pair = Pair::in_call();
    let refused = (0..2000).find_map(|_| pair.ann.add_local_candidate(candidate("annA", 1), pair.now).err());
    assert_eq!((refused, pair.ann.waiting().2), (Some(SessionError::Backlog), MAX_UNACKED));
    let mut pair = Pair::in_call();
    let mut long = candidate("annA", 1);
    long.candidate += &" ".repeat(MAX_TEXT - long.candidate.len());
    let taken =
        (0..2000).take_while(|_| pair.ann.add_local_candidate(long.clone(), pair.now).is_ok()).count();
    assert!(taken < MAX_UNACKED && taken * MAX_TEXT < MAX_UNACKED_BYTES, "{taken}");
    long.candidate.push(' ');
    let longer = pair.ann.add_local_candidate(long, pair.now);
    assert_eq!(longer, Err(SessionError::TooLong("candidate")));
}

#[test]
fn what_comes_too_early_has_no_room() {
    let mut pair = Pair::in_call();
    let (mine, theirs) = pair.ann.call().expect("in a call");
    let at = |seq| {
        let message = Message::Candidate(candidate("annA", 1));
        Envelope { call: Some(mine), re: theirs, seq: Some(seq), ..Envelope::new(message) }
    };
    for seq in 3..=66 {
        assert_eq!(pair.bob.handle_message(at(seq), pair.now), Received::Early, "{seq}");
    }
    assert_eq!(pair.bob.handle_message(at(67), pair.now), Received::NoRoom);
    assert_eq!(pair.bob.waiting().0, 64);
    assert_eq!(pair.bob.handle_message(at(2), pair.now), Received::Taken);
    assert_eq!(pair.bob.waiting(), (0, 65, 0));
}

#[test]
fn a_peer_whose_events_are_not_taken_waits() {
    let mut pair = Pair::negotiated();
    for port in 0..400 {
        pair.ann.add_local_candidate(candidate("annA", port), pair.now).expect("in a call");
    }
    pair.settle();
    // Of 400, 256 had their effect and 64 wait for their turn.
    assert_eq!(pair.bob.stats().no_room, 80);
    let mut seen = events(&mut pair.bob);
    for _ in 0..60 {
        pair.pass(Duration::from_secs(1));
        seen.extend(events(&mut pair.bob));
    }
    let expected: Vec<Event> = (0..400).map(|port| Event::Candidate(candidate("annA", port))).collect();
    assert_eq!(seen, expected);
}
