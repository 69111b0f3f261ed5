//! Generations of ICE.

use super::*;
use crate::session::SessionError;

#[test]
fn an_offer_with_other_credentials_restarts_ice() {
    let mut pair = Pair::negotiated();
    pair.ann.set_local_description(offer("annB"), pair.now).expect("stable");
    pair.settle();
    assert_eq!(events(&mut pair.bob), [Event::RestartedByPeer, Event::RemoteDescription(offer("annB"))]);
    let same = pair.bob.set_local_description(answer("bobA"), pair.now);
    assert_eq!(same, Err(SessionError::RestartMismatch));
    pair.bob.set_local_description(answer("bobB"), pair.now).expect("both restart");
    pair.settle();
    // The answer restarts because the offer asked for it.
    assert_eq!(events(&mut pair.ann), [Event::RemoteDescription(answer("bobB"))]);
}

#[test]
fn an_offer_with_the_same_credentials_at_another_level_does_not() {
    let mut pair = Pair::negotiated();
    let own = sdp("annA");
    let (head, ice) = own.split_at(own.find("a=ice-ufrag").expect("credentials"));
    let moved = SessionDescription::offer(head.replace("m=audio", &format!("{ice}m=audio")));
    pair.ann.set_local_description(moved.clone(), pair.now).expect("stable");
    pair.settle();
    assert_eq!(events(&mut pair.bob), [Event::RemoteDescription(moved)]);
    let other = pair.bob.set_local_description(answer("bobB"), pair.now);
    assert_eq!(other, Err(SessionError::RestartMismatch));
    pair.bob.set_local_description(answer("bobA"), pair.now).expect("neither restarts");
}

#[test]
fn half_a_restart_is_not_offered_and_taken_for_a_whole_one() {
    let mut pair = Pair::negotiated();
    let half = SessionDescription::offer(sdp("annA").replace("annAPassword", "annBPassword"));
    assert_eq!(pair.ann.set_local_description(half.clone(), pair.now), Err(SessionError::HalfRestart));
    let (mine, theirs) = pair.ann.call().expect("in a call");
    let description = Message::Description(half);
    let envelope = Envelope { call: Some(mine), re: theirs, seq: Some(3), ..Envelope::new(description) };
    assert_eq!(pair.bob.handle_message(envelope, pair.now), Received::Taken);
    assert_eq!(pair.bob.poll_event(), Some(Event::RestartedByPeer));
}

#[test]
fn an_answer_that_restarts_alone_is_refused() {
    let mut pair = Pair::negotiated();
    pair.ann.set_local_description(offer("annA"), pair.now).expect("stable");
    pair.settle();
    let (bobs, anns) = pair.bob.call().expect("in a call");
    let seq = pair.ann.call.as_ref().expect("in a call").inbound.acknowledged() + 1;
    let restarting = Message::Description(answer("bobB"));
    let envelope = Envelope { call: Some(bobs), re: anns, seq: Some(seq), ..Envelope::new(restarting) };
    assert_eq!(pair.ann.handle_message(envelope, pair.now), Received::Refused);
    let said = messages(&mut pair.ann);
    assert_eq!(refusal_of(&said), Some((ErrorCode::InvalidDescription, Some(seq))));
    assert_eq!(pair.ann.state(), S::HaveLocalOffer);
}

#[test]
fn sections_without_credentials_do_not_count() {
    let two = |ufrag: &str, second: bool| {
        let own = format!("a=ice-ufrag:{ufrag}\r\na=ice-pwd:{ufrag}PasswordOfEnoughChars\r\n");
        format!(
            "{}m=video 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:1\r\n{}",
            sdp(ufrag),
            if second { &own } else { "" }
        )
    };
    let mut pair = Pair::in_call();
    for generation in ["annA", "annB"] {
        // Chromium repeats the credentials in all bundled sections, RFC 8829 §5.2.2 has them in the first only.
        pair.ann
            .set_local_description(SessionDescription::offer(two(generation, true)), pair.now)
            .expect("stable");
        pair.settle();
        let theirs = two(&generation.replace("ann", "bob"), false);
        pair.bob.set_local_description(SessionDescription::answer(theirs), pair.now).expect("an answer");
        pair.settle();
        assert_eq!((pair.ann.state(), pair.bob.state()), (S::Stable, S::Stable));
    }
}
