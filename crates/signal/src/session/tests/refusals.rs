//! Messages that do not fit.

use super::*;
use crate::message::{EndReason, Join};

/// Hands Ann the next message of Bob's call, which his session did not make.
fn from_bob(pair: &mut Pair, message: Message) -> Received {
    let (mine, theirs) = pair.bob.call().expect("in a call");
    let seq = pair.ann.call.as_ref().expect("in a call").inbound.acknowledged() + 1;
    let envelope = Envelope { call: Some(mine), re: theirs, seq: Some(seq), ..Envelope::new(message) };
    pair.ann.handle_message(envelope, pair.now)
}

#[test]
fn what_the_state_has_no_transition_for_is_refused_and_the_session_goes_on() {
    let mut pair = Pair::negotiated();
    let rollback = SessionDescription::rollback();
    for wrong in [answer("bobB"), SessionDescription::pranswer(sdp("bobB")), rollback] {
        assert_eq!(from_bob(&mut pair, Message::Description(wrong)), Received::Refused);
        let said = messages(&mut pair.ann);
        assert_eq!(refusal_of(&said).map(|(code, _)| code), Some(ErrorCode::WrongState));
        assert_eq!((pair.ann.state(), events(&mut pair.ann)), (S::Stable, vec![]));
    }
    pair.ann.set_local_description(offer("annA"), pair.now).expect("stable");
    assert_eq!(from_bob(&mut pair, Message::Description(answer("bobA"))), Received::Taken);
    assert_eq!(pair.ann.state(), S::Stable);
}

#[test]
fn an_offer_between_a_provisional_and_a_final_answer_is_refused() {
    let mut pair = Pair::in_call();
    assert_eq!(from_bob(&mut pair, Message::Description(offer("bobA"))), Received::Taken);
    let provisional = SessionDescription::pranswer(sdp("annA"));
    pair.ann.set_local_description(provisional, pair.now).expect("an offer is there");
    assert_eq!(from_bob(&mut pair, Message::Description(offer("bobB"))), Received::Refused);
    assert_eq!(pair.ann.state(), S::HaveLocalPranswer);
}

#[test]
fn a_second_offer_takes_the_place_of_the_first() {
    let mut pair = Pair::in_call();
    assert_eq!(from_bob(&mut pair, Message::Description(offer("bobA"))), Received::Taken);
    assert_eq!(from_bob(&mut pair, Message::Description(offer("bobB"))), Received::Taken);
    assert_eq!(pair.ann.remote_description().map(ToString::to_string), Some(sdp("bobB")));
    assert_eq!(from_bob(&mut pair, Message::Description(SessionDescription::rollback())), Received::Taken);
    assert_eq!(events(&mut pair.ann).last(), Some(&Event::OfferWithdrawn));
    assert_eq!((pair.ann.state(), pair.ann.remote_description()), (S::Stable, None));
}

#[test]
fn sdp_that_is_not_valid_is_refused_with_its_line() {
    let mut pair = Pair::in_call();
    let bad = SessionDescription::offer(sdp("bobA").replace("m=audio 9", "m=audio"));
    assert_eq!(from_bob(&mut pair, Message::Description(bad)), Received::Refused);
    let said = messages(&mut pair.ann);
    let Some(Message::Error { code, text, about }) = said.first().map(|envelope| &envelope.message) else {
        panic!("an error")
    };
    assert_eq!((code, about), (&ErrorCode::InvalidDescription, &Some(2)));
    assert!(text.contains("line 5"), "{text}");
    give(&mut pair.bob, said, pair.now);
    assert!(matches!(
        &events(&mut pair.bob)[..],
        [Event::PeerError { code: ErrorCode::InvalidDescription, .. }]
    ));
}

#[test]
fn an_answer_with_other_sections_is_refused() {
    let mut pair = Pair::in_call();
    pair.ann.set_local_description(offer("annA"), pair.now).expect("stable");
    let other = SessionDescription::answer(sdp("bobA").replace("audio", "video"));
    assert_eq!(from_bob(&mut pair, Message::Description(other)), Received::Refused);
    assert_eq!(pair.ann.state(), S::HaveLocalOffer);
}

#[test]
fn messages_of_others_are_not_ours() {
    let mut pair = Pair::in_call();
    let start = |from, to| {
        Envelope { call: Some(9), seq: Some(1), ..Envelope::new(Message::Start) }.from(id(from)).to(id(to))
    };
    // A third one, whatever name is shown for it: ids are what counts.
    assert_eq!(pair.ann.handle_message(start("bob2", "ann"), pair.now), Received::NotOurs);
    assert_eq!(pair.ann.handle_message(start("bob", "eve"), pair.now), Received::NotOurs);
    for message in [Message::Join(Join::new("room", "bob")), Message::Ping, Message::Pong] {
        assert_eq!(pair.ann.handle_message(Envelope::new(message), pair.now), Received::NotOurs);
    }
    assert_eq!((messages(&mut pair.ann), events(&mut pair.ann)), (vec![], vec![]));
}

#[test]
fn a_message_without_its_number_is_refused() {
    let mut pair = Pair::in_call();
    assert_eq!(pair.ann.handle_message(Envelope::new(Message::Start), pair.now), Received::Refused);
    let late = Envelope { call: Some(900), seq: Some(2), ..Envelope::new(Message::Start) };
    assert_eq!(pair.ann.handle_message(late, pair.now), Received::Refused);
    assert_eq!(refusal_of(&messages(&mut pair.ann)), Some((ErrorCode::Malformed, Some(2))));
}

#[test]
fn errors_are_told_and_never_answered() {
    let mut pair = Pair::in_call();
    let error = |re| {
        let message = Message::Error { code: ErrorCode::RateLimited, text: "slowly".into(), about: None };
        Envelope { re, ..Envelope::new(message) }
    };
    assert_eq!(pair.ann.handle_message(error(None), pair.now), Received::Taken);
    assert_eq!(pair.ann.handle_message(error(Some(3)), pair.now), Received::Old);
    let told = Event::PeerError { code: ErrorCode::RateLimited, text: "slowly".into() };
    assert_eq!((messages(&mut pair.ann), events(&mut pair.ann)), (vec![], vec![told]));
    pair.ann.hang_up(EndReason::HangUp, pair.now).expect("in a call");
    assert_eq!(pair.ann.handle_message(error(None), pair.now), Received::Old);
}
