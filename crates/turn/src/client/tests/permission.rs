//! RFC 8656 §9 and §10.

use std::net::IpAddr;
use std::vec::Vec;

use floe_stun::attributes::XorPeerAddress;
use floe_stun::{Class, Method};

use super::super::{ClientError, Config, Event, Failure, Received, Rejection};
use super::data::data_from;
use super::scene::{Scene, addr, challenge, config, grant, parse};
use super::secs;

const PEER: &str = "198.51.100.7:5000";

fn ip(last: u8) -> IpAddr {
    IpAddr::from([198, 51, 100, last])
}

/// The peers that a CreatePermission request is about.
fn peers(request: &[u8]) -> Vec<IpAddr> {
    let message = parse(request);
    assert_eq!((message.class(), message.method()), (Class::Request, Method::CREATE_PERMISSION));
    message.get_all::<XorPeerAddress>().map(|peer| peer.unwrap().0.ip()).collect()
}

#[test]
fn a_permission_is_asked_for_at_once_and_told_when_it_is_there() {
    let mut scene = Scene::allocated(config());
    scene.client.permit(ip(7), scene.now).unwrap();
    assert!(!scene.client.is_permitted(ip(7)));
    let request = scene.request();
    assert_eq!(peers(&request), [ip(7)]);
    let answer = scene.success(&request, &|builder| builder);
    scene.deliver(&answer);
    assert_eq!(scene.events(), [Event::PermissionCreated { peer: ip(7) }]);
    assert!(scene.client.is_permitted(ip(7)));
    // A second call is use, not a request.
    scene.client.permit(ip(7), scene.now).unwrap();
    assert!(scene.packets().is_empty() && scene.events().is_empty());
}

#[test]
fn wishes_from_before_the_allocation_go_out_together_with_it() {
    let (mut scene, request) = Scene::challenged(config());
    for last in 1..=20 {
        scene.client.permit(ip(last), scene.now).unwrap();
    }
    scene.client.permit("2001:db8::7".parse().unwrap(), scene.now).unwrap();
    assert!(scene.packets().is_empty());
    let answer = scene.success(&request, &grant);
    scene.deliver(&answer);
    let requests = scene.packets();
    let asked: Vec<_> = requests.iter().map(|request| peers(request).len()).collect();
    assert_eq!(asked, [8, 8, 4], "several peers in one request");
    assert!(requests.iter().all(|request| request.len() <= 548), "RFC 8489 §6.1");
    // The server would refuse a peer of another family, and everything with it (§10.1).
    let peer = "2001:db8::7".parse().unwrap();
    let reason = Failure::PeerFamilyMismatch;
    assert!(scene.events().contains(&Event::PermissionFailed { peer, reason }));
    assert_eq!(scene.client.permit(peer, scene.now), Err(ClientError::WrongFamily));
}

#[test]
fn at_most_ten_transactions_are_open_and_the_rest_waits() {
    let mut scene = Scene::allocated(config());
    for last in 1..=100 {
        scene.client.permit(ip(last), scene.now).unwrap();
    }
    let mut requests = scene.packets();
    assert_eq!(requests.len(), 9, "one is kept for the refresh");
    let mut asked = 0;
    while let Some(request) = requests.pop() {
        asked += peers(&request).len();
        let answer = scene.success(&request, &|builder| builder);
        scene.deliver(&answer);
        requests.extend(scene.packets());
    }
    assert_eq!((asked, scene.events().len()), (100, 100));
}

#[test]
fn a_permission_in_use_is_renewed_a_minute_before_its_end() {
    let mut scene = Scene::permitted(config(), PEER);
    for round in 1..20 {
        // Any of these is use: data from the peer, data to it, the wish for it.
        match round % 3 {
            0 => assert!(matches!(scene.hear(&data_from(PEER, b"x")), Received::Data { .. })),
            1 => scene.client.record_sent(addr(PEER), scene.now),
            _ => scene.client.permit(ip(7), scene.now).unwrap(),
        }
        scene.live_until(1000 + 240 * round, None);
        assert!(scene.client.is_permitted(ip(7)));
    }
    assert!(scene.events().is_empty());
}

#[test]
fn a_permission_that_nobody_uses_lapses() {
    let mut scene = Scene::permitted(config(), PEER);
    scene.sleep_until(secs(1299));
    assert!(scene.packets().is_empty() && scene.events().is_empty());
    assert!(scene.client.is_permitted(ip(7)));
    let epoch = scene.client.path_epoch();
    scene.sleep_until(secs(1300));
    assert_eq!(scene.events(), [Event::PermissionLapsed { peer: ip(7) }]);
    assert!(!scene.client.is_permitted(ip(7)));
    assert_ne!(scene.client.path_epoch(), epoch);
    scene.reject(&data_from(PEER, b"x"), Rejection::NoPermission);
    // Use that comes late is too late; use in the last minute is not.
    scene.client.record_sent(addr(PEER), scene.now);
    assert!(scene.packets().is_empty());
    let mut scene = Scene::permitted(config(), PEER);
    scene.sleep_until(secs(1299));
    scene.client.record_sent(addr(PEER), scene.now);
    assert_eq!(peers(&scene.request()), [ip(7)]);
}

#[test]
fn data_of_a_permission_that_is_over_do_not_surface_though_no_timeout_was_handled() {
    let mut scene = Scene::permitted(config(), PEER);
    scene.now = secs(1300);
    scene.reject(&data_from(PEER, b"x"), Rejection::NoPermission);
}

#[test]
fn one_forbidden_peer_does_not_spoil_the_others() {
    let (mut scene, request) = Scene::challenged(config());
    for last in 1..=3 {
        scene.client.permit(ip(last), scene.now).unwrap();
    }
    let answer = scene.success(&request, &grant);
    scene.deliver(&answer);
    scene.events();
    scene.refuse_request(Method::CREATE_PERMISSION, 403);
    let requests = scene.packets();
    assert_eq!(
        requests.iter().map(|request| peers(request)).collect::<Vec<_>>(),
        [[ip(1)], [ip(2)], [ip(3)]]
    );
    for request in requests {
        let forbidden = peers(&request) == [ip(2)];
        let answer =
            if forbidden { scene.error(&request, 403) } else { scene.success(&request, &|builder| builder) };
        scene.deliver(&answer);
    }
    let expected = [
        Event::PermissionCreated { peer: ip(1) },
        Event::PermissionFailed { peer: ip(2), reason: Failure::Forbidden },
        Event::PermissionCreated { peer: ip(3) },
    ];
    assert_eq!(scene.events(), expected);
    assert!(scene.packets().is_empty(), "a refusal is final");
}

#[test]
fn every_error_ends_the_wish_with_its_reason() {
    let errors = [
        (400, Failure::BadRequest),
        (403, Failure::Forbidden),
        (441, Failure::OtherUser),
        (443, Failure::PeerFamilyMismatch),
        (500, Failure::Error(500)),
        (508, Failure::InsufficientCapacity),
    ];
    for (code, reason) in errors {
        let mut scene = Scene::allocated(config());
        scene.client.permit(ip(7), scene.now).unwrap();
        scene.refuse_request(Method::CREATE_PERMISSION, code);
        assert_eq!(scene.events(), [Event::PermissionFailed { peer: ip(7), reason }]);
        assert!(scene.client.allocation().is_some() && scene.packets().is_empty());
    }
    let mut scene = Scene::allocated(config());
    scene.client.permit(ip(7), scene.now).unwrap();
    let request = scene.request();
    scene.deliver(&challenge(&request, 401, "nonce"));
    let reason = Failure::WrongCredentials;
    assert_eq!(scene.events(), [Event::PermissionFailed { peer: ip(7), reason }]);
}

#[test]
fn a_permission_without_an_answer_fails_but_a_renewal_is_tried_again() {
    let mut scene = Scene::allocated(config());
    scene.client.permit(ip(7), scene.now).unwrap();
    scene.pass(40);
    assert_eq!(scene.packets().len(), 7);
    assert_eq!(scene.events(), [Event::PermissionFailed { peer: ip(7), reason: Failure::NoAnswer }]);

    let mut scene = Scene::permitted(config(), PEER);
    scene.client.record_sent(addr(PEER), scene.now);
    scene.sleep_until(secs(1299));
    let mut ids: Vec<_> = scene.packets().iter().map(|request| parse(request).transaction_id()).collect();
    ids.dedup();
    assert_eq!(ids.len(), 2);
    assert!(scene.client.is_permitted(ip(7)) && scene.events().is_empty());
    scene.sleep_until(secs(1300));
    assert!(!scene.client.is_permitted(ip(7)));
    scene.sleep_until(secs(1320));
    assert_eq!(scene.events(), [Event::PermissionFailed { peer: ip(7), reason: Failure::NoAnswer }]);
}

#[test]
fn a_forbidden_peer_is_forgotten_at_once_and_not_renewed() {
    let mut scene = Scene::permitted(config(), PEER);
    scene.client.forbid(ip(7), scene.now);
    assert!(!scene.client.is_permitted(ip(7)));
    assert!(scene.client.relay_path(addr(PEER)).is_none());
    scene.sleep_until(secs(1500));
    assert!(scene.packets().is_empty() && scene.events().is_empty());

    // The answer to a wish that was taken back changes nothing.
    let mut scene = Scene::allocated(config());
    scene.client.permit(ip(7), scene.now).unwrap();
    scene.client.forbid(ip(7), scene.now);
    scene.grant_request(Method::CREATE_PERMISSION);
    assert!(scene.events().is_empty() && !scene.client.is_permitted(ip(7)));
}

#[test]
fn peers_that_cannot_be_and_more_than_the_limit_are_the_callers_errors() {
    let mut config = config();
    config.limits.permissions = 2;
    let mut scene = Scene::allocated(Config { ..config });
    for odd in ["0.0.0.0", "239.1.1.1", "255.255.255.255", "::ffff:0.0.0.0"] {
        let peer = odd.parse().unwrap();
        assert_eq!(scene.client.permit(peer, scene.now), Err(ClientError::UnusablePeer), "{odd}");
    }
    scene.client.permit(ip(1), scene.now).unwrap();
    scene.client.permit("::ffff:198.51.100.1".parse().unwrap(), scene.now).unwrap();
    scene.client.permit(ip(2), scene.now).unwrap();
    assert_eq!(scene.client.permit(ip(3), scene.now), Err(ClientError::TooManyPermissions));
    scene.client.permit(ip(2), scene.now).unwrap();
    scene.client.forbid(ip(1), scene.now);
    scene.client.permit(ip(3), scene.now).unwrap();
}
