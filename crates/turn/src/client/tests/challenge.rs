//! RFC 8489 §9.2.5: 401 and 438.

use std::format;
use std::string::String;

use floe_stun::attributes::{Nonce, PasswordAlgorithm, PasswordAlgorithms, Realm, Userhash, Username};
use floe_stun::{AttributeType, IntegrityAlgorithm, Key, Method, RawAttribute, SecurityFeatures};

use super::super::{Event, Failure, Rejection};
use super::scene::{
    NONCE, PASSWORD, REALM, Scene, USER, addr, bare_error, challenge, challenge_with, coded, config, grant,
    has, key, nonce_of, parse, respond, types,
};
use floe_stun::Class;

fn cookie(features: SecurityFeatures) -> String {
    format!("{}nonce", core::str::from_utf8(&features.nonce_cookie()).unwrap())
}

fn failed(scene: &mut Scene) -> Failure {
    let [Event::Failed { reason, retry_at: _ }] = scene.events()[..] else { panic!("no failure") };
    assert!(scene.packets().is_empty());
    reason
}

#[test]
fn a_challenge_is_answered_with_user_realm_nonce_and_integrity() {
    let (_, request) = Scene::challenged(config());
    let expected = [
        AttributeType::REQUESTED_TRANSPORT,
        AttributeType::USERNAME,
        AttributeType::REALM,
        AttributeType::NONCE,
        AttributeType::MESSAGE_INTEGRITY,
    ];
    assert_eq!(types(&request), expected);
    assert_eq!(has(&request), Some(Username::new(USER)));
    assert_eq!(has(&request), Some(Realm::new(REALM)));
    assert_eq!(has(&request), Some(Nonce::new(NONCE)));
    assert_eq!(parse(&request).verify(&key()).unwrap().algorithm(), IntegrityAlgorithm::Sha1);
}

#[test]
fn later_requests_carry_the_same_credentials() {
    let mut scene = Scene::allocated(config());
    scene.client.permit(addr("198.51.100.7:1").ip(), scene.now).unwrap();
    let request = scene.request();
    assert_eq!(has(&request), Some(Username::new(USER)));
    assert_eq!((has(&request), nonce_of(&request)), (Some(Realm::new(REALM)), NONCE.into()));
    assert!(parse(&request).verify(&key()).is_ok());
}

#[test]
fn sha_256_wins_wherever_it_is_offered_and_stays() {
    let offers = [
        ([PasswordAlgorithm::SHA256, PasswordAlgorithm::MD5], true),
        ([PasswordAlgorithm::MD5, PasswordAlgorithm::SHA256], true),
        ([PasswordAlgorithm::new(7, b"x"), PasswordAlgorithm::MD5], false),
    ];
    for (offer, sha256) in offers {
        let (mut scene, request) = Scene::asking(config());
        let nonce = cookie(SecurityFeatures::PASSWORD_ALGORITHMS);
        let offered = PasswordAlgorithms::new(&offer);
        scene.deliver(&challenge_with(&request, 401, REALM, &nonce, Some(offered)));
        let request = scene.request();
        let algorithm = if sha256 { PasswordAlgorithm::SHA256 } else { PasswordAlgorithm::MD5 };
        assert_eq!(has(&request), Some(algorithm));
        assert_eq!(has(&request), Some(offered), "the list comes back as it went");
        scene.key = if sha256 { Key::long_term_sha256(USER, REALM, PASSWORD) } else { key() };
        scene.algorithm = IntegrityAlgorithm::Sha256;
        let verified = parse(&request).verify(&scene.key).unwrap();
        assert_eq!(verified.algorithm(), IntegrityAlgorithm::Sha256);
        assert!(!types(&request).contains(&AttributeType::MESSAGE_INTEGRITY));

        let answer = scene.success(&request, &grant);
        scene.deliver(&answer);
        assert!(matches!(scene.event(), Some(Event::Allocated(_))));
        // A nonce without the list later does not lead back to MESSAGE-INTEGRITY.
        scene.client.permit(addr("198.51.100.7:1").ip(), scene.now).unwrap();
        let request = scene.request();
        scene.deliver(&challenge(&request, 438, "plain nonce"));
        let request = scene.request();
        assert_eq!((has(&request), has(&request)), (Some(offered), Some(algorithm)));
        assert_eq!(parse(&request).verify(&scene.key).unwrap().algorithm(), IntegrityAlgorithm::Sha256);
    }
}

#[test]
fn an_answer_by_the_weaker_algorithm_is_a_forgery() {
    let (mut scene, request) = Scene::asking(config());
    let nonce = cookie(SecurityFeatures::PASSWORD_ALGORITHMS);
    let offer = [PasswordAlgorithm::SHA256];
    scene.deliver(&challenge_with(&request, 401, REALM, &nonce, Some(PasswordAlgorithms::new(&offer))));
    let request = scene.request();
    scene.key = Key::long_term_sha256(USER, REALM, PASSWORD);
    let weak = scene.success(&request, &grant);
    scene.reject(&weak, Rejection::BadIntegrity);
    scene.algorithm = IntegrityAlgorithm::Sha256;
    let strong = scene.success(&request, &grant);
    scene.deliver(&strong);
}

#[test]
fn without_an_algorithm_in_common_there_is_no_second_try() {
    let unknown = [PasswordAlgorithm::new(3, &[]), PasswordAlgorithm::new(2, b"parameters")];
    for offer in [&unknown[..], &[]] {
        let (mut scene, request) = Scene::asking(config());
        let nonce = cookie(SecurityFeatures::PASSWORD_ALGORITHMS);
        scene.deliver(&challenge_with(&request, 401, REALM, &nonce, Some(PasswordAlgorithms::new(offer))));
        assert_eq!(failed(&mut scene), Failure::NoCommonAlgorithm);
    }
}

#[test]
fn a_list_that_was_taken_away_ends_the_attempt() {
    for code in [401, 438] {
        let (mut scene, request) = Scene::asking(config());
        let nonce = cookie(SecurityFeatures::PASSWORD_ALGORITHMS);
        scene.deliver(&challenge(&request, code, &nonce));
        assert_eq!(failed(&mut scene), Failure::BidDown);
    }
    // In any other response it is as if that had not come.
    let (mut scene, request) = Scene::challenged(config());
    let nonce = cookie(SecurityFeatures::PASSWORD_ALGORITHMS);
    let nonce = Nonce::new(&nonce);
    let answer = scene.error_with(&request, 403, &|builder| builder.attribute(&nonce));
    scene.reject(&answer, Rejection::BidDown);
    let answer = scene.success(&request, &|builder| grant(builder).attribute(&nonce));
    scene.reject(&answer, Rejection::BidDown);
    let answer = scene.success(&request, &grant);
    scene.deliver(&answer);
}

#[test]
fn the_user_is_named_or_hashed_as_the_nonce_says() {
    for (features, hashed) in [(SecurityFeatures::USERNAME_ANONYMITY, true), (SecurityFeatures::NONE, false)]
    {
        let (mut scene, request) = Scene::asking(config());
        scene.deliver(&challenge(&request, 401, &cookie(features)));
        let request = scene.request();
        assert_eq!(has(&request), hashed.then(|| Userhash::compute(USER, REALM)));
        assert_eq!(has::<Username<'_>>(&request).is_some(), !hashed);
        assert!(parse(&request).verify(&key()).is_ok());
    }
}

#[test]
fn the_same_credentials_are_not_offered_twice() {
    let (mut scene, request) = Scene::challenged(config());
    scene.deliver(&challenge(&request, 401, "a new nonce"));
    assert_eq!(failed(&mut scene), Failure::WrongCredentials);

    // Another realm, or a hash instead of a name, is something else to say.
    let (mut scene, request) = Scene::challenged(config());
    scene.deliver(&challenge_with(&request, 401, "other.example", "n", None));
    let request = scene.request();
    assert_eq!(has(&request), Some(Realm::new("other.example")));
    scene.deliver(&challenge_with(
        &request,
        401,
        "other.example",
        &cookie(SecurityFeatures::USERNAME_ANONYMITY),
        None,
    ));
    let request = scene.request();
    assert_eq!(has(&request), Some(Userhash::compute(USER, "other.example")));
}

#[test]
fn a_server_that_never_tires_of_asking_is_given_up() {
    let (mut scene, mut request) = Scene::challenged(config());
    let mut asked = 2;
    loop {
        scene.deliver(&challenge(&request, 438, &format!("nonce {asked}")));
        let mut packets = scene.packets();
        let Some(next) = packets.pop() else { break };
        (request, asked) = (next, asked + 1);
        assert!(asked < 10, "no end");
    }
    assert_eq!(asked, 6);
    assert_eq!(failed(&mut scene), Failure::StaleNonces);

    let (mut scene, mut request) = Scene::challenged(config());
    for round in 0..5 {
        scene.deliver(&challenge_with(&request, 401, &format!("realm {round}"), "n", None));
        let Some(next) = scene.packets().pop() else { break };
        request = next;
    }
    assert_eq!(failed(&mut scene), Failure::WrongCredentials);
}

#[test]
fn a_nonce_that_was_stale_a_moment_ago_is_not_tried_again() {
    let (mut scene, request) = Scene::challenged(config());
    scene.deliver(&challenge(&request, 438, NONCE));
    assert_eq!(failed(&mut scene), Failure::StaleNonces);
}

#[test]
fn a_stale_nonce_is_replaced_whatever_the_request() {
    let peer = addr("198.51.100.7:5000");
    let mut scene = Scene::permitted(config(), "198.51.100.7:5000");
    scene.client.bind(peer, scene.now).unwrap();
    for method in [Method::CHANNEL_BIND, Method::REFRESH] {
        if method == Method::REFRESH {
            scene.pass(540);
            let requests = scene.packets();
            let refresh = requests.iter().find(|request| parse(request).method() == method).unwrap();
            scene.deliver(&challenge(refresh, 438, "refresh nonce"));
        } else {
            let request = scene.request();
            assert_eq!(parse(&request).method(), method);
            scene.deliver(&challenge(&request, 438, "bind nonce"));
        }
        let request = scene.request();
        assert_eq!(parse(&request).method(), method);
        assert!(nonce_of(&request).ends_with("nonce"), "the new one");
        assert!(parse(&request).verify(&key()).is_ok());
        if method == Method::CHANNEL_BIND {
            let answer = scene.success(&request, &|builder| builder);
            scene.deliver(&answer);
        }
    }
}

#[test]
fn a_challenge_that_cannot_be_answered_ends_the_attempt() {
    let (mut scene, request) = Scene::asking(config());
    scene.deliver(&bare_error(&request, 401));
    assert_eq!(failed(&mut scene), Failure::UnusableChallenge);

    let long = "n".repeat(128); // RFC 8489 §14.10: fewer than 128 characters
    let (mut scene, request) = Scene::asking(config());
    let raw = RawAttribute { kind: AttributeType::NONCE, value: long.as_bytes() };
    let answer = respond(
        &request,
        Class::Error,
        &|builder| coded(builder, 401).attribute(&Realm::new(REALM)).raw_attribute(raw),
        None,
    );
    scene.deliver(&answer);
    assert_eq!(failed(&mut scene), Failure::UnusableChallenge);

    let (mut scene, request) = Scene::asking(config());
    let raw = RawAttribute { kind: AttributeType::PASSWORD_ALGORITHMS, value: &[0; 300] };
    let answer = respond(
        &request,
        Class::Error,
        &|builder| {
            let realm = coded(builder, 401).attribute(&Realm::new(REALM));
            realm.attribute(&Nonce::new("n")).raw_attribute(raw)
        },
        None,
    );
    scene.deliver(&answer);
    assert_eq!(failed(&mut scene), Failure::UnusableChallenge);
}

#[test]
fn credentials_refused_in_the_middle_of_life_end_the_allocation() {
    let mut scene = Scene::allocated(config());
    scene.pass(540);
    let request = scene.request();
    scene.deliver(&challenge(&request, 401, "nonce after a restart"));
    let reason = Failure::WrongCredentials;
    assert_eq!(scene.events(), [Event::Lost { reason, retry_at: None }]);
    assert!(scene.packets().is_empty());
}

#[test]
fn the_longest_names_fit_a_packet() {
    let mut config = config();
    config.credentials = Some(super::super::Credentials::new("ü".repeat(254), "p").unwrap());
    config.software = Some("s".repeat(64));
    config.mobility = true;
    let realm = "\u{10FFFF}".repeat(127);
    let (mut scene, request) = Scene::asking(config);
    let algorithms: std::vec::Vec<_> =
        (0..63).map(|n| PasswordAlgorithm::new(100 + n, &[])).chain([PasswordAlgorithm::SHA256]).collect();
    let offered = PasswordAlgorithms::new(&algorithms);
    scene.deliver(&challenge_with(&request, 401, &realm, &realm, Some(offered)));
    let request = scene.request();
    assert!(request.len() > 1700, "{}", request.len());
    scene.key = Key::long_term_sha256(&"ü".repeat(254), &realm, "p");
    scene.algorithm = IntegrityAlgorithm::Sha256;
    let ticket = [7; 512];
    let answer = scene.success(&request, &|builder| {
        grant(builder).attribute(&floe_stun::attributes::MobilityTicket(&ticket))
    });
    scene.deliver(&answer);
    scene.client.moved(scene.now);
    let request = scene.request();
    assert_eq!(has(&request), Some(floe_stun::attributes::MobilityTicket(&ticket)));
    assert!(request.len() <= super::super::MAX_TRANSMIT);
}
