//! Two offers meet.

use floe_ice::Role;

use super::*;

/// Both offered, and neither knows of the other's offer yet; the generations are `annB` and `bobB`.
fn both_offered() -> Pair {
    let mut pair = Pair::in_call();
    pair.ann.set_local_description(offer("annB"), pair.now).expect("stable");
    pair.bob.set_local_description(offer("bobB"), pair.now).expect("stable");
    pair
}

#[test]
fn the_polite_side_rolls_back_and_the_other_ignores() {
    let mut pair = both_offered();
    assert_eq!((pair.ann.role(), pair.bob.role()), (Some(Role::Controlling), Some(Role::Controlling)));
    pair.settle();
    assert_eq!(events(&mut pair.ann), [Event::RolledBack, Event::RemoteDescription(offer("bobB"))]);
    assert_eq!(events(&mut pair.bob), []);
    assert_eq!((pair.ann.state(), pair.bob.state()), (S::HaveRemoteOffer, S::HaveLocalOffer));
    assert_eq!((pair.ann.role(), pair.bob.role()), (Some(Role::Controlled), Some(Role::Controlling)));
    pair.ann.set_local_description(answer("annC"), pair.now).expect("an offer is there");
    pair.settle();
    assert_eq!((pair.ann.state(), pair.bob.state()), (S::Stable, S::Stable));
    assert_eq!(pair.bob.stats().ignored_offers, 1);
    // What was to be offered can be offered now.
    pair.ann.set_local_description(offer("annC"), pair.now).expect("stable");
    pair.settle();
    assert_eq!(pair.bob.state(), S::HaveRemoteOffer);
}

#[test]
fn candidates_of_an_ignored_offer_are_not_delivered() {
    let mut pair = both_offered();
    let mut anonymous = candidate("", 3);
    anonymous.username_fragment = None;
    for candidate in [candidate("annB", 1), candidate("annB", 2), anonymous, end_of_candidates("annB")] {
        pair.ann.add_local_candidate(candidate, pair.now).expect("in a call");
    }
    pair.settle();
    pair.ann.set_local_description(answer("annC"), pair.now).expect("an offer is there");
    pair.ann.add_local_candidate(candidate("annC", 4), pair.now).expect("in a call");
    pair.settle();
    let seen = events(&mut pair.bob);
    assert_eq!(seen, [Event::RemoteDescription(answer("annC")), Event::Candidate(candidate("annC", 4))]);
}

#[test]
fn candidates_of_an_ignored_offer_count_when_the_answer_has_their_generation() {
    let mut pair = both_offered();
    pair.ann.add_local_candidate(candidate("annB", 1), pair.now).expect("in a call");
    pair.settle();
    assert_eq!(events(&mut pair.bob), []);
    // As an agent does that has one set of credentials, whoever offers.
    pair.ann.set_local_description(answer("annB"), pair.now).expect("an offer is there");
    pair.settle();
    let seen = events(&mut pair.bob);
    assert_eq!(seen, [Event::RemoteDescription(answer("annB")), Event::Candidate(candidate("annB", 1))]);
}

#[test]
fn an_ignored_offer_does_not_touch_the_generation_that_holds() {
    let mut pair = Pair::negotiated();
    // Ann offers more of the same generation, and Bob at the same time.
    pair.ann.set_local_description(offer("annA"), pair.now).expect("stable");
    pair.bob.set_local_description(offer("bobA"), pair.now).expect("stable");
    pair.ann.add_local_candidate(candidate("annA", 1), pair.now).expect("in a call");
    pair.settle();
    assert_eq!(events(&mut pair.bob), [Event::Candidate(candidate("annA", 1))]);
}

#[test]
fn a_refusal_after_glare_brings_both_back() {
    let mut pair = both_offered();
    pair.settle();
    pair.ann.reject_offer(pair.now).expect("an offer is there");
    pair.settle();
    assert_eq!((pair.ann.state(), pair.bob.state()), (S::Stable, S::Stable));
    assert_eq!(events(&mut pair.bob), [Event::OfferRejected]);
}

#[test]
fn an_invalid_offer_rolls_nothing_back() {
    let mut pair = both_offered();
    let mut from_bob = messages(&mut pair.bob);
    for envelope in &mut from_bob {
        if let Message::Description(description) = &mut envelope.message {
            description.sdp = "v=0\r\n".into();
        }
    }
    give(&mut pair.ann, from_bob, pair.now);
    assert_eq!(pair.ann.state(), S::HaveLocalOffer);
    assert_eq!(events(&mut pair.ann), []);
}
