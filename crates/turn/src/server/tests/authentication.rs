//! RFC 8489 §9.2.4, in the order of its checks.

use std::string::String;
use std::time::Duration;
use std::vec::Vec;

use floe_stun::attributes::{
    ErrorCode, Nonce, PasswordAlgorithm, PasswordAlgorithms, Realm, UnknownAttributes, Userhash, Username,
};
use floe_stun::{
    Attribute, AttributeType, Class, IntegrityAlgorithm, Key, MessageBuilder, Method, RawAttribute,
    SecurityFeatures, TransactionId,
};

use super::client::{Client, OFFERED, Response, Style, for_udp, plain};
use super::world::World;
use crate::server::{Event, Link, RateLimit, Received, Rejection, SharedSecret, SocketId};

const AT: &str = "198.51.100.7:5000";
const ID: TransactionId = TransactionId::new(*b"transaction!");

fn features(response: &Response) -> SecurityFeatures {
    SecurityFeatures::from_nonce(response.get::<Nonce<'_>>().unwrap().as_bytes()).unwrap()
}

#[test]
fn without_integrity_a_request_is_told_realm_nonce_and_algorithms() {
    let mut world = World::new();
    let client = Client::at(AT);
    for method in [Method::ALLOCATE, Method::REFRESH, Method::CREATE_PERMISSION, Method::CHANNEL_BIND] {
        let answer = world.ask(client.link, &plain(Class::Request, method, for_udp));
        assert_eq!(answer.code(), 401);
        assert_eq!(answer.get(), Some(Realm::new("example.org")));
        assert_eq!(answer.get(), Some(PasswordAlgorithms::new(&OFFERED)));
        assert_eq!(features(&answer), SecurityFeatures::PASSWORD_ALGORITHMS);
        assert!(!answer.message().has_integrity());
        assert_eq!((answer.get::<Username<'_>>(), answer.get::<Userhash>()), (None, None));
    }
    assert_eq!(world.server.stats().rejected(Rejection::Unauthenticated), 4);
}

#[test]
fn integrity_without_what_it_takes_to_verify_it_is_a_bad_request() {
    let mut world = World::new();
    let mut client = Client::at(AT);
    world.greet(&mut client);
    let nonce = client.nonce.clone();
    for missing in 0..4 {
        let mut out = [0; 512];
        let mut message = for_udp(MessageBuilder::new(&mut out, Class::Request, Method::ALLOCATE, ID));
        if missing != 0 {
            message = message.attribute(&Username::new("alice"));
        }
        if missing != 1 {
            message = message.attribute(&Realm::new("example.org"));
        }
        if missing != 2 {
            message = message.attribute(&Nonce::from_bytes(&nonce));
        }
        let len = message.integrity(&client.key(), IntegrityAlgorithm::Sha1).finish().unwrap();
        let answer = world.ask(client.link, &out[..len]);
        // With all three it is a user whose key is of the other algorithm.
        assert_eq!(answer.code(), if missing == 3 { 401 } else { 400 }, "without attribute {missing}");
        if missing != 3 {
            assert_eq!(answer.message().attributes().count(), 1, "nothing but the code");
        }
    }
}

#[test]
fn every_style_gets_an_answer_with_the_integrity_it_expects() {
    for style in [Style::Old, Style::New(PasswordAlgorithm::MD5), Style::New(PasswordAlgorithm::SHA256)] {
        let mut world = World::new();
        let mut client = Client { style, ..Client::at(AT) };
        let answer = world.request(&mut client, Method::ALLOCATE, for_udp);
        assert_eq!(answer.code(), 0, "{style:?}");
        let verified = answer.message().verify(&client.key()).unwrap().algorithm();
        assert_eq!(verified, client.algorithm(), "{style:?}");
        let refused = world.request(&mut client, Method::CREATE_PERMISSION, |message| message);
        assert_eq!(refused.code(), 400);
        assert!(refused.message().verify(&client.key()).is_ok(), "errors are protected too");
        for answer in [answer, refused] {
            let there = [AttributeType::REALM, AttributeType::NONCE, AttributeType::USERNAME];
            assert!(answer.message().attributes().all(|raw| !there.contains(&raw.kind)));
        }
    }
}

#[test]
fn what_the_client_was_offered_must_come_back_as_it_was() {
    let mut world = World::new();
    let mut client = Client::at(AT);
    world.greet(&mut client);
    let key = client.key();
    let sha256 = [PasswordAlgorithm::SHA256];
    let md5 = [PasswordAlgorithm::MD5];
    let swapped = [PasswordAlgorithm::MD5, PasswordAlgorithm::SHA256];
    let unknown = PasswordAlgorithm::new(9, &[]);
    type Offer<'a> = (Option<&'a [PasswordAlgorithm<'a>]>, Option<PasswordAlgorithm<'a>>);
    let offers: [Offer<'_>; 6] = [
        (Some(&md5), Some(PasswordAlgorithm::MD5)),
        (Some(&sha256), Some(PasswordAlgorithm::SHA256)),
        (Some(&swapped), Some(PasswordAlgorithm::SHA256)),
        (Some(&OFFERED), Some(unknown)),
        (Some(&OFFERED), None),
        (None, Some(PasswordAlgorithm::SHA256)),
    ];
    for (list, chosen) in offers {
        let mut out = [0; 512];
        let len = for_udp(MessageBuilder::new(&mut out, Class::Request, Method::ALLOCATE, ID))
            .attribute(&Username::new("alice"))
            .attribute(&Realm::new("example.org"))
            .attribute(&Nonce::from_bytes(&client.nonce))
            .maybe(list.map(PasswordAlgorithms::new).as_ref())
            .maybe(chosen.as_ref())
            .integrity(&key, IntegrityAlgorithm::Sha256)
            .finish()
            .unwrap();
        assert_eq!(world.ask(client.link, &out[..len]).code(), 400, "{list:?} {chosen:?}");
    }
    assert_eq!(world.server.allocations(), 0);
}

#[test]
fn a_nonce_without_the_feature_bits_does_not_open_the_way_back_to_md5() {
    let mut world = World::new();
    let mut client = Client { style: Style::Old, ..Client::at(AT) };
    world.greet(&mut client);
    // Somebody on the path takes the bits away, and with them the client's knowledge of better algorithms.
    client.nonce[..SecurityFeatures::COOKIE_LEN].copy_from_slice(&SecurityFeatures::NONE.nonce_cookie());
    let answer = world.once(&client, Method::ALLOCATE, for_udp);
    assert_eq!((answer.code(), features(&answer)), (438, SecurityFeatures::PASSWORD_ALGORITHMS));
}

#[test]
fn a_server_that_wants_sha256_takes_nothing_else() {
    let mut world = World::with(|config| config.require_sha256 = true);
    let challenge = world.ask(Client::at(AT).link, &plain(Class::Request, Method::ALLOCATE, for_udp));
    assert_eq!(challenge.get(), Some(PasswordAlgorithms::new(&OFFERED[..1])));
    let mut old = Client { style: Style::Old, ..Client::at(AT) };
    assert_eq!(world.request(&mut old, Method::ALLOCATE, for_udp).code(), 401);
}

#[test]
fn unknown_users_wrong_passwords_and_wrong_realms_are_told_the_same() {
    let mut world = World::new();
    let mut client = Client::at(AT);
    world.greet(&mut client);
    let wrong = [
        Client { user: "mallory", ..client.clone() },
        Client { password: "guess", ..client.clone() },
        Client { realm: "example.com", ..client.clone() },
        Client { style: Style::Old, password: "guess", ..client.clone() },
    ];
    for wrong in wrong {
        let answer = world.once(&wrong, Method::ALLOCATE, for_udp);
        assert_eq!(answer.code(), 401);
        let kinds: Vec<_> = answer.message().attributes().map(|raw| raw.kind).collect();
        let expected = [ErrorCode::TYPE, Realm::TYPE, Nonce::TYPE, PasswordAlgorithms::TYPE];
        assert_eq!(kinds, expected, "{}", wrong.user);
    }
    assert_eq!(world.server.stats().rejected(Rejection::BadCredentials), 4);
    assert_eq!(world.server.allocations(), 0);
}

#[test]
fn a_nonce_is_checked_last_and_a_new_one_comes_with_the_438() {
    let mut world = World::new();
    let mut client = Client::at(AT);
    world.greet(&mut client);
    world.pass(Duration::from_secs(3600));
    let stranger = Client { password: "guess", ..client.clone() };
    assert_eq!(world.once(&stranger, Method::ALLOCATE, for_udp).code(), 401, "integrity comes first");
    let answer = world.once(&client, Method::ALLOCATE, for_udp);
    assert_eq!(answer.code(), 438);
    assert_eq!(answer.get(), Some(Realm::new("example.org")));
    assert_eq!(answer.get(), Some(PasswordAlgorithms::new(&OFFERED)));
    assert!(answer.message().verify(&client.key()).is_ok());
    client.nonce = answer.get::<Nonce<'_>>().unwrap().as_bytes().to_vec();
    assert_eq!(world.once(&client, Method::ALLOCATE, for_udp).code(), 0);
}

#[test]
fn the_nonce_of_another_address_is_stale() {
    let mut world = World::new();
    let mut client = Client::at(AT);
    world.greet(&mut client);
    for address in ["198.51.100.7:5001", "198.51.100.8:5000"] {
        let thief = Client { link: Client::at(address).link, ..client.clone() };
        assert_eq!(world.once(&thief, Method::ALLOCATE, for_udp).code(), 438, "{address}");
    }
    assert_eq!(world.server.allocations(), 0);
}

#[test]
fn hidden_names_are_found_by_their_hash() {
    let mut world = World::with(|config| config.hide_usernames = true);
    let mut client = Client::at(AT);
    let challenge = world.ask(client.link, &plain(Class::Request, Method::ALLOCATE, for_udp));
    assert!(features(&challenge).contains(SecurityFeatures::USERNAME_ANONYMITY));
    client.nonce = challenge.get::<Nonce<'_>>().unwrap().as_bytes().to_vec();
    let mut allocate = |hash: Userhash| {
        let mut out = [0; 512];
        let len = for_udp(MessageBuilder::new(&mut out, Class::Request, Method::ALLOCATE, ID))
            .attribute(&hash)
            .attribute(&Realm::new("example.org"))
            .attribute(&Nonce::from_bytes(&client.nonce))
            .attribute(&PasswordAlgorithms::new(&OFFERED))
            .attribute(&PasswordAlgorithm::SHA256)
            .integrity(&client.key(), IntegrityAlgorithm::Sha256)
            .finish()
            .unwrap();
        world.ask(client.link, &out[..len]).code()
    };
    assert_eq!(allocate(Userhash([0; 32])), 401);
    assert_eq!(allocate(Userhash::compute("alice", "example.org")), 0);
}

#[test]
fn time_limited_names_hold_until_their_second_on_refresh_too() {
    let secret = SharedSecret::new(b"north");
    // Unix time is 10000 s ahead of the driver's clock.
    let mut world = World::with(|config| {
        config.credentials.add_secret(SharedSecret::new(b"north"));
        config.unix_time_at_zero = 10_000;
    });
    let (name, password) = secret.issue("carol", 11_000 + 700);
    let leak = |text: String| -> &'static str { text.leak() };
    let mut carol = Client { user: leak(name), password: leak(password), ..Client::at(AT) };
    assert_eq!(world.request(&mut carol, Method::ALLOCATE, for_udp).code(), 0);
    world.pass(Duration::from_secs(599));
    assert_eq!(world.once(&carol, Method::REFRESH, |message| message).code(), 0);
    world.pass(Duration::from_secs(101));
    assert_eq!(world.once(&carol, Method::REFRESH, |message| message).code(), 401);
    // The machine's clock was set back.
    world.server.set_unix_time(world.now, 11_000);
    assert_eq!(world.once(&carol, Method::REFRESH, |message| message).code(), 0);
}

#[test]
fn attributes_that_nobody_knows_are_named_to_the_authenticated_only() {
    let mut world = World::new();
    let mut client = Client::at(AT);
    let raw = [0x7001, 0x7001, 0x8888].map(AttributeType::new);
    world.greet(&mut client);
    let unsigned = plain(Class::Request, Method::ALLOCATE, |message| {
        message.raw_attribute(RawAttribute { kind: raw[0], value: b"?" })
    });
    assert_eq!(world.ask(client.link, &unsigned).code(), 401);
    let answer = world.once(&client, Method::ALLOCATE, |message| {
        raw.into_iter()
            .fold(message, |message, kind| message.raw_attribute(RawAttribute { kind, value: b"?" }))
    });
    assert_eq!(answer.code(), 420);
    assert_eq!(answer.get(), Some(UnknownAttributes::new(&raw[..1])));
    assert!(answer.message().verify(&client.key()).is_ok());
}

#[test]
fn one_source_is_challenged_only_so_often_and_the_authenticated_are_not_limited() {
    let mut limit = RateLimit::new([1; 16]);
    (limit.per_second, limit.burst, limit.slots) = (1, 3, 64);
    let mut world = World::with(|config| config.challenges = Some(limit));
    let mut client = Client::at(AT);
    world.greet(&mut client);
    let challenge = plain(Class::Request, Method::ALLOCATE, for_udp);
    let answered = (0..20).filter(|_| world.hand_in(client.link, &challenge).1.is_some()).count();
    assert_eq!(answered, 2);
    let (received, _) = world.hand_in(client.link, &challenge);
    assert_eq!(received, Received::Rejected(Rejection::RateLimited));
    // Wrong passwords and bad requests count as well.
    let wrong = Client { password: "guess", ..client.clone() };
    let request = wrong.request(world.id(), Method::ALLOCATE, for_udp);
    assert_eq!(world.hand_in(wrong.link, &request).1, None);
    assert_eq!(world.once(&client, Method::ALLOCATE, for_udp).code(), 0);
    // On a stream the source is not forged, and what is dropped is not sent again; guesses are limited there too.
    let mut on_stream = Client::on(Link::stream(SocketId(9), AT.parse().unwrap()));
    world.greet(&mut on_stream);
    let wrong = Client { password: "guess", ..on_stream.clone() };
    let request = wrong.request(world.id(), Method::ALLOCATE, for_udp);
    assert_eq!(world.hand_in(wrong.link, &request).1, None);
    assert_eq!(world.once(&on_stream, Method::ALLOCATE, for_udp).code(), 0);
    world.pass(Duration::from_secs(1));
    assert!(world.hand_in(client.link, &challenge).1.is_some());
}

#[test]
fn keys_can_be_stored_without_passwords() {
    let mut world = World::with(|config| {
        let key = Key::from_bytes(&0x8493_fbc5_3ba5_82fb_4c04_4c45_6bdc_40eb_u128.to_be_bytes());
        config.credentials = crate::server::Credentials::new("realm").unwrap();
        config.credentials.add_user_with_keys("user", Some(key), None).unwrap();
    });
    let mut user =
        Client { user: "user", password: "pass", realm: "realm", style: Style::Old, ..Client::at(AT) };
    assert_eq!(world.request(&mut user, Method::ALLOCATE, for_udp).code(), 0);
    let mut new = Client { style: Style::New(PasswordAlgorithm::SHA256), ..user };
    assert_eq!(
        world.request(&mut new, Method::REFRESH, |message| message).code(),
        401,
        "there is no such key"
    );
}

#[test]
fn a_refusal_is_told_with_the_name_and_a_challenge_is_not() {
    let mut world = World::with(|config| config.limits.allocations_per_user = 1);
    let (client, _) = world.allocated(AT);
    world.events();
    let mut wrong = Client::at("198.51.100.8:5000");
    wrong.password = "not alice's";
    world.greet(&mut wrong);
    assert!(world.events().is_empty(), "it was asked for credentials");
    assert_eq!(world.once(&wrong, Method::ALLOCATE, for_udp).code(), 401);
    assert_eq!(world.once(&wrong, Method::REFRESH, |message| message).code(), 401);
    let mut second = Client::at("198.51.100.9:5000");
    assert_eq!(world.request(&mut second, Method::ALLOCATE, for_udp).code(), 486);
    let told: Vec<_> = world.events();
    let expected = [(wrong.link, Rejection::BadCredentials), (second.link, Rejection::QuotaReached)];
    let expected =
        expected.map(|(link, reason)| Event::AllocationRefused { link, user: Some("alice".into()), reason });
    assert_eq!(told, expected, "of what was no Allocate there is nothing to tell");
    assert_eq!(world.once(&client, Method::REFRESH, |message| message).code(), 0);
}
