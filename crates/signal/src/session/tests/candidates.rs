//! The peer's candidates, early, late and of other generations.

use super::*;
use crate::session::candidates::MAX_HELD;

/// Hands Bob one message of Ann's call that the session did not make.
fn from_ann(pair: &mut Pair, message: Message) -> Received {
    let (mine, theirs) = pair.ann.call().expect("in a call");
    let seq = pair.bob.call.as_ref().expect("in a call").inbound.acknowledged() + 1;
    let envelope = Envelope { call: Some(mine), re: theirs, seq: Some(seq), ..Envelope::new(message) };
    pair.bob.handle_message(envelope, pair.now)
}

#[test]
fn candidates_before_their_description_wait_for_it() {
    let mut pair = Pair::in_call();
    for port in 1..=3 {
        pair.ann.add_local_candidate(candidate("annA", port), pair.now).expect("in a call");
    }
    pair.ann.add_local_candidate(end_of_candidates("annA"), pair.now).expect("in a call");
    pair.settle();
    assert_eq!((events(&mut pair.bob), pair.bob.waiting().1), (vec![], 4));
    pair.ann.set_local_description(offer("annA"), pair.now).expect("stable");
    pair.settle();
    let end = Event::EndOfCandidates { ufrag: Some("annA".into()), mid: Some("0".into()) };
    let delivered = (1..=3).map(|port| Event::Candidate(candidate("annA", port)));
    let expected: Vec<Event> =
        [Event::RemoteDescription(offer("annA"))].into_iter().chain(delivered).chain([end]).collect();
    assert_eq!((events(&mut pair.bob), pair.bob.waiting().1), (expected, 0));
}

#[test]
fn only_so_many_wait_and_the_oldest_goes() {
    let mut pair = Pair::in_call();
    for port in 0..300 {
        assert_eq!(from_ann(&mut pair, Message::Candidate(candidate("annA", port))), Received::Taken);
    }
    assert_eq!(pair.bob.waiting().1, MAX_HELD);
    assert_eq!((pair.bob.stats().held_candidates, pair.bob.stats().dropped_candidates), (300, 44));
    assert_eq!(from_ann(&mut pair, Message::Description(offer("annA"))), Received::Taken);
    let seen = events(&mut pair.bob);
    assert_eq!((seen.len(), &seen[1]), (1 + MAX_HELD, &Event::Candidate(candidate("annA", 44))));
}

#[test]
fn candidates_of_a_generation_that_is_over_are_dropped() {
    let mut pair = Pair::negotiated();
    pair.ann.set_local_description(offer("annB"), pair.now).expect("stable");
    pair.settle();
    // Until the answer the old generation is in use.
    pair.ann.add_local_candidate(candidate("annA", 1), pair.now).expect("in a call");
    pair.ann.add_local_candidate(candidate("annB", 2), pair.now).expect("in a call");
    pair.settle();
    pair.bob.set_local_description(answer("bobB"), pair.now).expect("an offer is there");
    pair.settle();
    pair.ann.add_local_candidate(candidate("annA", 3), pair.now).expect("in a call");
    pair.ann.add_local_candidate(candidate("annB", 4), pair.now).expect("in a call");
    pair.ann.add_local_candidate(candidate("annC", 5), pair.now).expect("in a call");
    pair.settle();
    let delivered: Vec<Event> =
        events(&mut pair.bob).into_iter().filter(|event| matches!(event, Event::Candidate(_))).collect();
    let expected =
        [("annA", 1), ("annB", 2), ("annB", 4)].map(|(u, port)| Event::Candidate(candidate(u, port)));
    assert_eq!(delivered, expected);
    assert_eq!((pair.bob.stats().dropped_candidates, pair.bob.waiting().1), (1, 1));
}

#[test]
fn a_candidate_without_a_generation_is_of_the_last_description() {
    let mut pair = Pair::in_call();
    let mut anonymous = candidate("", 1);
    anonymous.username_fragment = None;
    // None yet: it waits for the first.
    pair.ann.add_local_candidate(anonymous.clone(), pair.now).expect("in a call");
    pair.ann.set_local_description(offer("annA"), pair.now).expect("stable");
    pair.ann.add_local_candidate(CandidateInit::default(), pair.now).expect("in a call");
    pair.settle();
    let end = Event::EndOfCandidates { ufrag: None, mid: None };
    let expected = [Event::RemoteDescription(offer("annA")), Event::Candidate(anonymous), end];
    assert_eq!(events(&mut pair.bob), expected);
}

#[test]
fn the_line_may_name_the_generation_too() {
    let mut pair = Pair::negotiated();
    let mut in_line = candidate("", 1);
    in_line.username_fragment = None;
    in_line.candidate += " generation 0 ufrag annZ network-id 1";
    pair.ann.add_local_candidate(in_line, pair.now).expect("in a call");
    pair.settle();
    assert_eq!((events(&mut pair.bob), pair.bob.waiting().1), (vec![], 1));
}

#[test]
fn nothing_follows_the_end_of_a_generation() {
    let mut pair = Pair::negotiated();
    pair.ann.add_local_candidate(end_of_candidates("annA"), pair.now).expect("in a call");
    pair.ann.add_local_candidate(candidate("annA", 1), pair.now).expect("in a call");
    pair.ann.add_local_candidate(end_of_candidates("annA"), pair.now).expect("in a call");
    pair.settle();
    let end = Event::EndOfCandidates { ufrag: Some("annA".into()), mid: Some("0".into()) };
    assert_eq!(events(&mut pair.bob), [end]);
    assert_eq!(pair.bob.stats().dropped_candidates, 2);
}

#[test]
fn a_bad_candidate_is_refused_and_the_session_goes_on() {
    let mut pair = Pair::negotiated();
    let mut bad = candidate("annA", 1);
    bad.candidate = "candidate:1 1 UDP".into();
    let mut elsewhere = candidate("annA", 2);
    elsewhere.sdp_mid = Some("nowhere".into());
    let mut beyond = candidate("annA", 3);
    (beyond.sdp_mid, beyond.sdp_m_line_index) = (None, Some(1));
    for bad in [bad, elsewhere, beyond] {
        assert_eq!(from_ann(&mut pair, Message::Candidate(bad)), Received::Refused);
        let said = messages(&mut pair.bob);
        assert_eq!(refusal_of(&said).map(|(code, _)| code), Some(ErrorCode::InvalidCandidate));
    }
    // What is only not supported here may be to another.
    let mut sctp = candidate("annA", 4);
    sctp.candidate = "candidate:1 1 SCTP 1 192.0.2.1 5 typ host".into();
    assert_eq!(from_ann(&mut pair, Message::Candidate(sctp.clone())), Received::Taken);
    assert_eq!(events(&mut pair.bob), [Event::Candidate(sctp)]);
    assert_eq!(pair.bob.state(), S::Stable);
}
