//! Offers and answers without accidents.

use floe_ice::Role;

use super::*;
use crate::session::SessionError;

#[test]
fn an_offer_is_answered_and_both_are_stable() {
    let mut pair = Pair::new();
    pair.ann.start(pair.now).expect("no call yet");
    pair.ann.set_local_description(offer("annA"), pair.now).expect("stable");
    assert_eq!((pair.ann.state(), pair.ann.role()), (S::HaveLocalOffer, Some(Role::Controlling)));
    pair.settle();
    let seen = events(&mut pair.bob);
    assert_eq!(seen, [Event::Started { incoming: true }, Event::RemoteDescription(offer("annA"))]);
    assert_eq!((pair.bob.state(), pair.bob.role()), (S::HaveRemoteOffer, Some(Role::Controlled)));
    pair.bob.set_local_description(answer("bobA"), pair.now).expect("an offer is there");
    pair.settle();
    let seen = events(&mut pair.ann);
    assert_eq!(seen, [Event::Started { incoming: false }, Event::RemoteDescription(answer("bobA"))]);
    assert_eq!((pair.ann.state(), pair.bob.state()), (S::Stable, S::Stable));
    assert_eq!(pair.ann.remote_description().map(ToString::to_string), Some(sdp("bobA")));
    assert_eq!(pair.bob.remote_description().map(ToString::to_string), Some(sdp("annA")));
    assert_eq!((pair.ann.waiting(), pair.bob.waiting()), ((0, 0, 0), (0, 0, 0)));
}

#[test]
fn the_role_of_the_first_exchange_stays() {
    let mut pair = Pair::negotiated();
    pair.bob.set_local_description(offer("bobA"), pair.now).expect("stable");
    pair.settle();
    assert_eq!((pair.ann.role(), pair.bob.role()), (Some(Role::Controlling), Some(Role::Controlled)));
    pair.ann.set_local_description(answer("annA"), pair.now).expect("an offer is there");
    pair.settle();
    assert_eq!((pair.ann.role(), pair.bob.role()), (Some(Role::Controlling), Some(Role::Controlled)));
}

#[test]
fn a_full_agent_is_controlling_when_the_other_is_lite() {
    let lite = |ufrag| sdp(ufrag).replace("t=0 0\r\n", "t=0 0\r\na=ice-lite\r\n");
    let mut pair = Pair::in_call();
    pair.ann.set_local_description(SessionDescription::offer(lite("annA")), pair.now).expect("stable");
    pair.settle();
    assert_eq!(pair.bob.role(), Some(Role::Controlling));
    pair.bob.set_local_description(answer("bobA"), pair.now).expect("an offer is there");
    pair.settle();
    assert_eq!((pair.ann.role(), pair.bob.role()), (Some(Role::Controlled), Some(Role::Controlling)));
}

#[test]
fn a_provisional_answer_leaves_the_exchange_open() {
    let mut pair = Pair::in_call();
    pair.ann.set_local_description(offer("annA"), pair.now).expect("stable");
    pair.settle();
    for _ in 0..2 {
        let provisional = SessionDescription::pranswer(sdp("bobA"));
        pair.bob.set_local_description(provisional.clone(), pair.now).expect("an offer is there");
        pair.settle();
        assert_eq!((pair.ann.state(), pair.bob.state()), (S::HaveRemotePranswer, S::HaveLocalPranswer));
        assert!(events(&mut pair.ann).contains(&Event::RemoteDescription(provisional)));
    }
    let early = pair.ann.set_local_description(offer("annB"), pair.now);
    assert_eq!(early, Err(SessionError::WrongState(S::HaveRemotePranswer)));
    pair.bob.set_local_description(answer("bobB"), pair.now).expect("still open");
    pair.settle();
    assert_eq!((pair.ann.state(), pair.bob.state()), (S::Stable, S::Stable));
    assert_eq!(pair.ann.remote_description().map(ToString::to_string), Some(sdp("bobB")));
}

#[test]
fn a_refused_offer_leaves_what_held_before() {
    let mut pair = Pair::negotiated();
    pair.ann.set_local_description(offer("annB"), pair.now).expect("stable");
    pair.settle();
    assert!(events(&mut pair.bob).contains(&Event::RestartedByPeer));
    pair.bob.reject_offer(pair.now).expect("an offer is there");
    pair.settle();
    assert_eq!(events(&mut pair.ann), [Event::OfferRejected]);
    assert_eq!((pair.ann.state(), pair.bob.state()), (S::Stable, S::Stable));
    assert_eq!(pair.ann.local_description().map(ToString::to_string), Some(sdp("annA")));
    assert_eq!(pair.bob.remote_description().map(ToString::to_string), Some(sdp("annA")));
    assert_eq!(pair.bob.reject_offer(pair.now), Err(SessionError::WrongState(S::Stable)));
}

#[test]
fn the_caller_learns_what_it_cannot_do() {
    let mut pair = Pair::new();
    let now = pair.now;
    assert_eq!(pair.ann.state(), S::Closed);
    assert_eq!(pair.ann.set_local_description(offer("annA"), now), Err(SessionError::NoCall));
    assert_eq!(pair.ann.add_local_candidate(candidate("annA", 1), now), Err(SessionError::NoCall));
    assert_eq!(pair.ann.reject_offer(now), Err(SessionError::NoCall));
    assert_eq!(pair.ann.hang_up(crate::message::EndReason::HangUp, now), Err(SessionError::NoCall));
    pair.ann.start(now).expect("no call yet");
    assert_eq!(pair.ann.start(now), Err(SessionError::InCall));
    let early = pair.ann.set_local_description(answer("annA"), now);
    assert_eq!(early, Err(SessionError::WrongState(S::Stable)));
    let rollback = pair.ann.set_local_description(SessionDescription::rollback(), now);
    assert_eq!(rollback, Err(SessionError::Rollback));
    let bad = pair.ann.set_local_description(SessionDescription::offer("v=0"), now);
    assert!(matches!(bad, Err(SessionError::Sdp(_))));
    assert_eq!(pair.ann.state(), S::Stable);
    pair.settle();
    pair.bob.set_local_description(offer("bobA"), now).expect("stable");
    pair.settle();
    let other = sdp("annA").replace("audio", "video");
    let other = pair.ann.set_local_description(SessionDescription::answer(other), now);
    assert!(matches!(other, Err(SessionError::Sdp(_))));
    assert_eq!(pair.ann.state(), S::HaveRemoteOffer);
}

#[test]
fn settings_are_checked() {
    let refused = |own, peer, first| Session::new(Config::new(id(own), id(peer), first)).err();
    assert_eq!(refused("ann", "ann", 1), Some(SessionError::SameParticipant));
    assert_eq!(refused("ann", "bob", 0), Some(SessionError::FirstCall));
    assert_eq!(refused("ann", "bob", u64::MAX), Some(SessionError::FirstCall));
    assert!(session("ann", "bob", 1).is_polite() && !session("bob", "ann", 1).is_polite());
}
