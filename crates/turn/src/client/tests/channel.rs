//! RFC 8656 §12.

use std::net::SocketAddr;
use std::vec::Vec;

use floe_stun::Method;
use floe_stun::attributes::{ChannelNumber, Lifetime, XorPeerAddress};

use super::super::{ClientError, Config, Event, Failure, Received, Rejection};
use super::scene::{Scene, addr, config, grant, has, parse};
use super::secs;

const PEER: &str = "198.51.100.7:5000";
const OTHER: &str = "198.51.100.8:5000";

fn number(offset: u16) -> ChannelNumber {
    ChannelNumber(0x4000 + offset)
}

/// The channel and the peer that a ChannelBind request is about.
fn binding(request: &[u8]) -> (ChannelNumber, SocketAddr) {
    assert_eq!(parse(request).method(), Method::CHANNEL_BIND);
    (has(request).unwrap(), has::<XorPeerAddress>(request).unwrap().0)
}

/// A client with a channel.
fn bound(config: Config) -> Scene {
    let mut scene = Scene::permitted(config, PEER);
    scene.client.bind(addr(PEER), scene.now).unwrap();
    let request = scene.grant_request(Method::CHANNEL_BIND);
    assert_eq!(binding(&request), (number(0), addr(PEER)));
    assert_eq!(scene.events(), [Event::ChannelBound { peer: addr(PEER), channel: number(0) }]);
    scene
}

#[test]
fn a_channel_is_bound_only_when_asked_for_and_lasts_while_it_is_used() {
    let mut scene = bound(config());
    for minute in 1..=60 {
        scene.client.record_sent(addr(PEER), scene.now);
        scene.live_until(1000 + 60 * minute, None);
        assert_eq!(scene.client.relay_path(addr(PEER)).unwrap().channel_number(), Some(number(0)));
    }
    assert!(scene.events().is_empty());
}

#[test]
fn a_channel_that_nobody_uses_lapses_after_its_permission() {
    let mut scene = bound(config());
    scene.live_until(1601, None);
    let lapsed =
        [Event::PermissionLapsed { peer: addr(PEER).ip() }, Event::ChannelLapsed { peer: addr(PEER) }];
    assert_eq!(scene.events(), lapsed);
}

#[test]
fn a_released_channel_is_not_renewed_although_it_is_used() {
    let mut scene = bound(config());
    scene.client.unbind(addr(PEER), scene.now);
    for minute in 1..=11 {
        scene.client.record_sent(addr(PEER), scene.now);
        scene.live_until(1000 + 60 * minute, None);
    }
    let path = scene.client.relay_path(addr(PEER)).unwrap();
    assert_eq!(path.channel_number(), None, "data go as Send indications again");
    assert_eq!(scene.events(), [Event::ChannelLapsed { peer: addr(PEER) }]);
}

#[test]
fn a_bind_makes_a_permission_too_and_permissions_are_renewed_beside_it() {
    let mut scene = Scene::allocated(config());
    scene.client.bind(addr(PEER), scene.now).unwrap();
    let requests = scene.packets();
    let methods: Vec<_> = requests.iter().map(|request| parse(request).method()).collect();
    assert_eq!(methods, [Method::CREATE_PERMISSION, Method::CHANNEL_BIND]);
    // The answer to the bind alone makes both (§12.3).
    let answer = scene.success(&requests[1], &|builder| builder);
    scene.deliver(&answer);
    let (peer, channel) = (addr(PEER), number(0));
    let made = [Event::ChannelBound { peer, channel }, Event::PermissionCreated { peer: peer.ip() }];
    assert_eq!(scene.events(), made);
    let answer = scene.success(&requests[0], &|builder| builder);
    scene.deliver(&answer);
    assert!(scene.events().is_empty());

    scene.client.record_sent(peer, scene.now);
    scene.sleep_until(secs(1240));
    let methods: Vec<_> = scene.packets().iter().map(|request| parse(request).method()).collect();
    assert_eq!(methods, [Method::CREATE_PERMISSION], "not the channel, which lasts longer");
}

#[test]
fn a_channel_is_bound_again_a_minute_before_its_end() {
    let mut scene = bound(config());
    scene.client.record_sent(addr(PEER), scene.now);
    scene.live_until(1539, None);
    scene.client.record_sent(addr(PEER), scene.now);
    let rebinds = scene.live_until(1541, Some(Method::CHANNEL_BIND));
    let rebinds: Vec<_> = rebinds.iter().map(|request| binding(request)).collect();
    assert_eq!(rebinds.first(), Some(&(number(0), addr(PEER))), "the same number to the same peer");
}

#[test]
fn neither_number_nor_peer_is_bound_differently_until_five_minutes_after_the_end() {
    let mut config = config();
    config.limits.channels = 1;
    let mut scene = bound(config);
    scene.live_until(1600, None);
    assert!(scene.client.relay_path(addr(PEER)).is_none());
    // The server counts from when it was asked last, at most; the client from when it was answered.
    scene.live_until(1899, None);
    assert_eq!(scene.client.bind(addr(OTHER), scene.now), Err(ClientError::NoFreeChannel));
    scene.client.bind(addr(PEER), scene.now).unwrap();
    let again = scene.packets().into_iter().find(|request| parse(request).method() == Method::CHANNEL_BIND);
    assert_eq!(binding(&again.unwrap()), (number(0), addr(PEER)), "the same pair may be bound at any time");

    let mut config = super::scene::config();
    config.limits.channels = 1;
    let mut scene = bound(config);
    scene.live_until(1900, None);
    scene.client.bind(addr(OTHER), scene.now).unwrap();
    let request = scene.packets().into_iter().find(|request| parse(request).method() == Method::CHANNEL_BIND);
    assert_eq!(binding(&request.unwrap()), (number(0), addr(OTHER)));
}

#[test]
fn a_number_that_was_asked_for_in_vain_is_not_free_either() {
    for code in [403, 508] {
        let mut config = config();
        config.limits.channels = 1;
        let mut scene = Scene::permitted(config, PEER);
        scene.client.bind(addr(PEER), scene.now).unwrap();
        scene.refuse_request(Method::CHANNEL_BIND, code);
        assert!(matches!(scene.events()[..], [Event::ChannelFailed { .. }]));
        scene.now = secs(1899);
        assert_eq!(scene.client.bind(addr(OTHER), scene.now), Err(ClientError::NoFreeChannel));
        scene.now = secs(1900);
        assert_ne!(scene.client.bind(addr(OTHER), scene.now), Err(ClientError::NoFreeChannel));
    }
}

#[test]
fn after_403_and_508_data_stay_on_send_indications() {
    for (code, reason) in [(403, Failure::Forbidden), (508, Failure::InsufficientCapacity)] {
        let mut scene = Scene::permitted(config(), PEER);
        scene.client.bind(addr(PEER), scene.now).unwrap();
        scene.refuse_request(Method::CHANNEL_BIND, code);
        assert_eq!(scene.events(), [Event::ChannelFailed { peer: addr(PEER), reason }]);
        assert!(scene.packets().is_empty(), "not asked for again by itself");
        let path = scene.client.relay_path(addr(PEER)).unwrap();
        assert_eq!(path.channel_number(), None);
        // A repetition of the request may have bound it after all.
        let data = [0x40, 0x00, 0, 1, b'x'];
        assert!(matches!(scene.hear(&data), Received::Data { .. }));
    }
}

#[test]
fn after_400_the_allocation_is_made_anew() {
    let mut scene = Scene::permitted(config(), PEER);
    scene.client.bind(addr(PEER), scene.now).unwrap();
    scene.refuse_request(Method::CHANNEL_BIND, 400);
    let reason = Failure::OutOfSync;
    assert_eq!(scene.events(), [Event::Lost { reason, retry_at: Some(scene.now) }]);
    assert!(scene.client.relay_path(addr(PEER)).is_none() && scene.client.allocation().is_none());
    assert_eq!(scene.client.allocate(scene.now), Err(ClientError::Busy), "it is under way");

    let farewell = scene.grant_request(Method::REFRESH);
    assert_eq!(has(&farewell), Some(Lifetime(0)));
    let request = scene.request();
    let answer = scene.success(&request, &grant);
    scene.deliver(&answer);
    assert!(matches!(scene.events()[..], [Event::Allocated(_)]));
    // Permissions are asked for again, channels are the caller's to bind.
    scene.grant_request(Method::CREATE_PERMISSION);
    assert_eq!(scene.events(), [Event::PermissionCreated { peer: addr(PEER).ip() }]);
    assert_eq!(scene.client.relay_path(addr(PEER)).unwrap().channel_number(), None);
    scene.reject(&[0x40, 0x00, 0, 0], Rejection::UnknownChannel);
}

#[test]
fn after_400_the_new_allocation_waits_for_no_answer_and_closing_wins() {
    let mut scene = Scene::permitted(config(), PEER);
    scene.client.bind(addr(PEER), scene.now).unwrap();
    scene.refuse_request(Method::CHANNEL_BIND, 400);
    scene.pass(6);
    let allocate = scene.packets().pop().unwrap();
    assert_eq!(parse(&allocate).method(), Method::ALLOCATE);

    let mut scene = Scene::permitted(config(), PEER);
    scene.client.bind(addr(PEER), scene.now).unwrap();
    scene.refuse_request(Method::CHANNEL_BIND, 400);
    scene.client.close(scene.now);
    scene.grant_request(Method::REFRESH);
    assert!(matches!(scene.events()[..], [Event::Lost { .. }, Event::Closed]));
    assert!(scene.packets().is_empty());
}

#[test]
fn a_renewal_without_an_answer_is_tried_again_and_then_data_go_the_other_way() {
    let mut scene = bound(config());
    for minute in 1..=9 {
        scene.client.record_sent(addr(PEER), scene.now);
        scene.live_until(1000 + 59 * minute, None);
    }
    scene.client.record_sent(addr(PEER), scene.now);
    let unanswered = scene.live_until(1599, Some(Method::CHANNEL_BIND));
    let mut ids: Vec<_> = unanswered.iter().map(|request| parse(request).transaction_id()).collect();
    ids.dedup();
    assert_eq!(ids.len(), 2);
    assert_eq!(scene.client.relay_path(addr(PEER)).unwrap().channel_number(), Some(number(0)));
    scene.live_until(1600, Some(Method::CHANNEL_BIND));
    assert_eq!(scene.client.relay_path(addr(PEER)).unwrap().channel_number(), None);
    scene.live_until(1620, Some(Method::CHANNEL_BIND));
    let reason = Failure::NoAnswer;
    assert_eq!(scene.events(), [Event::ChannelFailed { peer: addr(PEER), reason }]);
}

#[test]
fn a_peer_without_a_port_has_no_channel() {
    let mut scene = Scene::allocated(config());
    let peer = SocketAddr::new(addr(PEER).ip(), 0);
    assert_eq!(scene.client.bind(peer, scene.now), Err(ClientError::UnusablePeer));
    assert!(scene.packets().is_empty());
}

#[test]
fn a_channel_to_another_family_is_the_callers_error() {
    let mut scene = Scene::allocated(config());
    assert_eq!(scene.client.bind(addr("[2001:db8::7]:5"), scene.now), Err(ClientError::WrongFamily));
    assert!(scene.packets().is_empty());
}
