//! Calls that begin, end, begin again, and begin on both sides.

use super::*;
use crate::message::EndReason;

#[test]
fn both_may_start_at_once() {
    let mut pair = Pair::new();
    pair.ann.start(pair.now).expect("no call yet");
    pair.bob.start(pair.now).expect("no call yet");
    pair.settle();
    assert_eq!((pair.ann.call(), pair.bob.call()), (Some((100, Some(200))), Some((200, Some(100)))));
    assert_eq!(events(&mut pair.ann), [Event::Started { incoming: false }]);
    assert_eq!(events(&mut pair.bob), [Event::Started { incoming: false }]);
}

#[test]
fn hanging_up_ends_the_call_on_both_sides_and_another_can_begin() {
    let mut pair = Pair::negotiated();
    pair.bob.hang_up(EndReason::HangUp, pair.now).expect("in a call");
    assert_eq!(pair.bob.state(), S::Closed);
    pair.settle();
    assert_eq!(
        (events(&mut pair.ann), events(&mut pair.bob)),
        (vec![Event::Ended(EndReason::HangUp)], vec![])
    );
    assert_eq!((pair.ann.poll_timeout(), pair.bob.poll_timeout()), (None, None));
    pair.ann.start(pair.now).expect("no call now");
    pair.ann.set_local_description(offer("annB"), pair.now).expect("stable");
    pair.settle();
    let seen = events(&mut pair.bob);
    assert_eq!(seen, [Event::Started { incoming: true }, Event::RemoteDescription(offer("annB"))]);
    assert_eq!((pair.ann.call(), pair.bob.call()), (Some((101, Some(201))), Some((201, Some(101)))));
}

#[test]
fn an_end_is_repeated_until_it_is_known_and_taken_out_of_turn() {
    let mut pair = Pair::negotiated();
    pair.ann.add_local_candidate(candidate("annA", 1), pair.now).expect("in a call");
    messages(&mut pair.ann);
    pair.ann.hang_up(EndReason::Declined, pair.now).expect("in a call");
    messages(&mut pair.ann);
    pair.pass(Duration::from_secs(1));
    assert_eq!(events(&mut pair.bob), [Event::Ended(EndReason::Declined)]);
    assert_eq!(pair.ann.poll_timeout(), None);
}

#[test]
fn both_may_hang_up_at_once() {
    let mut pair = Pair::negotiated();
    pair.ann.hang_up(EndReason::HangUp, pair.now).expect("in a call");
    pair.bob.hang_up(EndReason::Busy, pair.now).expect("in a call");
    pair.settle();
    assert_eq!((events(&mut pair.ann), events(&mut pair.bob)), (vec![], vec![]));
    assert_eq!((pair.ann.poll_timeout(), pair.bob.poll_timeout()), (None, None));
}

#[test]
fn a_call_that_ended_before_it_began_begins_nothing() {
    let mut pair = Pair::new();
    pair.ann.start(pair.now).expect("no call yet");
    let start = messages(&mut pair.ann);
    pair.ann.hang_up(EndReason::HangUp, pair.now).expect("in a call");
    let end = messages(&mut pair.ann);
    assert_eq!(give(&mut pair.bob, end, pair.now), [Received::Old]);
    assert_eq!(give(&mut pair.bob, start, pair.now), [Received::Old]);
    pair.settle();
    assert_eq!((pair.bob.state(), events(&mut pair.bob), pair.ann.poll_timeout()), (S::Closed, vec![], None));
}

#[test]
fn a_page_that_is_loaded_again_ends_the_call_and_may_begin_another() {
    let mut pair = Pair::negotiated();
    // Without a word: the old page is gone.
    pair.bob = session("bob", "ann", 5000);
    pair.bob.start(pair.now).expect("no call yet");
    pair.bob.set_local_description(offer("bobB"), pair.now).expect("stable");
    pair.settle();
    pair.pass(Duration::from_secs(10));
    let seen = events(&mut pair.ann);
    let expected = [
        Event::Ended(EndReason::Replaced),
        Event::Started { incoming: true },
        Event::RemoteDescription(offer("bobB")),
    ];
    assert_eq!(seen, expected);
    assert_eq!((pair.ann.call(), pair.bob.call()), (Some((101, Some(5000))), Some((5000, Some(101)))));
    pair.ann.set_local_description(answer("annB"), pair.now).expect("an offer is there");
    pair.settle();
    assert_eq!((pair.ann.state(), pair.bob.state()), (S::Stable, S::Stable));
}

#[test]
fn a_page_that_is_loaded_again_and_does_not_call_knows_no_call() {
    for state in [S::Stable, S::HaveLocalOffer, S::HaveRemoteOffer] {
        let mut pair = Pair::negotiated();
        match state {
            S::HaveLocalOffer => pair.ann.set_local_description(offer("annB"), pair.now).expect("stable"),
            S::HaveRemoteOffer => pair.bob.set_local_description(offer("bobB"), pair.now).expect("stable"),
            _ => {}
        }
        pair.settle();
        assert_eq!(pair.ann.state(), state);
        pair.no_events();
        pair.bob = session("bob", "ann", 5000);
        pair.ann.add_local_candidate(candidate("annA", 1), pair.now).expect("in a call");
        pair.settle();
        assert_eq!(events(&mut pair.ann), [Event::Ended(EndReason::Unknown)], "{state}");
        assert_eq!((events(&mut pair.bob), pair.ann.poll_timeout()), (vec![], None), "{state}");
    }
}

#[test]
fn both_pages_may_be_loaded_again() {
    let mut pair = Pair::negotiated();
    pair.ann.add_local_candidate(candidate("annA", 1), pair.now).expect("in a call");
    let late = messages(&mut pair.ann);
    pair.ann = session("ann", "bob", 4000);
    pair.bob = session("bob", "ann", 5000);
    pair.ann.start(pair.now).expect("no call yet");
    give(&mut pair.bob, late, pair.now);
    pair.bob.start(pair.now).expect("no call yet");
    pair.settle();
    assert_eq!((pair.ann.call(), pair.bob.call()), (Some((4000, Some(5000))), Some((5000, Some(4000)))));
}

#[test]
fn an_offer_to_a_page_that_was_loaded_again_reaches_the_new_one() {
    let mut pair = Pair::in_call();
    pair.ann.set_local_description(offer("annA"), pair.now).expect("stable");
    pair.settle();
    // The old page took the offer. The new one hears an old start first, and is none the wiser.
    pair.bob = session("bob", "ann", 5000);
    let late = Envelope { call: Some(100), seq: Some(1), ..Envelope::new(Message::Start) };
    give(&mut pair.bob, vec![late], pair.now);
    pair.settle();
    pair.pass(Duration::from_secs(20));
    assert_eq!((pair.ann.call(), pair.bob.call()), (Some((101, Some(5000))), Some((5000, Some(101)))));
    assert_eq!((pair.ann.state(), pair.bob.state()), (S::Stable, S::Stable));
    let seen = events(&mut pair.ann);
    assert_eq!(seen, [Event::Ended(EndReason::Replaced), Event::Started { incoming: true }]);
}

#[test]
fn what_an_offer_of_an_earlier_call_was_told_does_not_reach_the_next_call() {
    let mut pair = Pair::in_call();
    pair.ann.set_local_description(offer("annA"), pair.now).expect("stable");
    let late = messages(&mut pair.ann);
    give(&mut pair.bob, late.clone(), pair.now);
    pair.settle();
    pair.bob = session("bob", "ann", 5000);
    let start = Envelope { call: Some(100), seq: Some(1), ..Envelope::new(Message::Start) };
    let offered = late.into_iter().map(|message| Envelope { re: None, ..message });
    give(&mut pair.bob, [start].into_iter().chain(offered).collect(), pair.now);
    pair.bob.reject_offer(pair.now).expect("an offer is there");
    pair.settle();
    pair.pass(Duration::from_secs(20));
    assert_eq!((pair.ann.call(), pair.bob.call()), (Some((101, Some(5001))), Some((5001, Some(101)))));
    let complaint = |event: &Event| matches!(event, Event::PeerError { .. } | Event::OfferRejected);
    assert!(!events(&mut pair.ann).iter().any(complaint) && !events(&mut pair.bob).iter().any(complaint));
}

#[test]
fn a_call_that_the_peer_never_heard_of_does_not_keep_it_from_the_next() {
    let mut pair = Pair::new();
    pair.bob.start(pair.now).expect("no call yet");
    let start = messages(&mut pair.bob);
    give(&mut pair.ann, start, pair.now);
    pair.ann.hang_up(EndReason::HangUp, pair.now).expect("in a call");
    // All of that call of Ann's is lost, and she calls again.
    messages(&mut pair.ann);
    pair.ann.start(pair.now).expect("no call now");
    pair.settle();
    pair.pass(Duration::from_secs(2));
    assert_eq!((pair.ann.call(), pair.bob.call()), (Some((101, Some(200))), Some((200, Some(101)))));
    assert_eq!((pair.ann.waiting().2, pair.bob.waiting().2), (0, 0));
}

#[test]
fn an_unanswered_offer_ends_the_call() {
    let mut pair = Pair::in_call();
    pair.ann.set_local_description(offer("annA"), pair.now).expect("stable");
    pair.settle();
    pair.no_events();
    pair.pass(Duration::from_secs(59));
    assert_eq!(pair.ann.state(), S::HaveLocalOffer);
    pair.pass(Duration::from_secs(1));
    assert_eq!(events(&mut pair.ann), [Event::Ended(EndReason::Timeout)]);
    assert_eq!(events(&mut pair.bob), [Event::Ended(EndReason::Timeout)]);
}

#[test]
fn a_peer_that_left_ends_the_call_at_once() {
    let mut pair = Pair::negotiated();
    pair.ann.peer_left();
    assert_eq!(events(&mut pair.ann), [Event::Ended(EndReason::Left)]);
    pair.ann.peer_left();
    assert_eq!((events(&mut pair.ann), messages(&mut pair.ann)), (vec![], vec![]));
    // If it was not so, the peer learns that there is no call.
    pair.bob.add_local_candidate(candidate("bobA", 1), pair.now).expect("in a call");
    pair.settle();
    assert_eq!(events(&mut pair.bob), [Event::Ended(EndReason::Unknown)]);
}

#[test]
fn a_peer_whose_clock_went_back_learns_that_its_call_comes_to_nothing() {
    let mut pair = Pair::negotiated();
    pair.bob.hang_up(EndReason::HangUp, pair.now).expect("in a call");
    pair.settle();
    pair.no_events();
    pair.bob = session("bob", "ann", 7);
    pair.bob.start(pair.now).expect("no call yet");
    pair.settle();
    assert_eq!(events(&mut pair.bob), [Event::Ended(EndReason::Unknown)]);
    assert_eq!(events(&mut pair.ann), []);
}

#[test]
fn late_messages_of_an_earlier_call_change_nothing() {
    let mut pair = Pair::negotiated();
    pair.ann.add_local_candidate(candidate("annA", 1), pair.now).expect("in a call");
    let mut late = messages(&mut pair.ann);
    late.push(Envelope { call: Some(100), seq: Some(1), ..Envelope::new(Message::Start) });
    pair.ann.hang_up(EndReason::HangUp, pair.now).expect("in a call");
    late.extend(messages(&mut pair.ann));
    pair.ann.start(pair.now).expect("no call now");
    pair.settle();
    pair.no_events();
    let calls = (pair.ann.call(), pair.bob.call());
    give(&mut pair.bob, late, pair.now);
    pair.settle();
    assert_eq!((pair.ann.call(), pair.bob.call()), calls);
    assert_eq!((events(&mut pair.ann), events(&mut pair.bob)), (vec![], vec![]));
}
