//! RFC 8656 §8: keeping an allocation, and deleting it.

use core::time::Duration;

use floe_stun::attributes::{Lifetime, MobilityTicket, Software};
use floe_stun::{Method, Time};

use super::super::{ClientError, Config, Event, Failure, Received, Rejection};
use super::scene::{Scene, addr, challenge, config, grant, has, parse, types};
use super::{millis, secs};

/// A client whose allocation the server granted for so many seconds.
fn granted(lifetime: u32) -> Scene {
    let (mut scene, request) = Scene::challenged(config());
    let answer = scene.success(&request, &|builder| {
        let relayed = floe_stun::attributes::XorRelayedAddress(addr(super::scene::RELAYED));
        let mapped = floe_stun::attributes::XorMappedAddress(addr(super::scene::MAPPED));
        builder.attribute(&relayed).attribute(&mapped).attribute(&Lifetime(lifetime))
    });
    scene.deliver(&answer);
    assert!(matches!(scene.events()[..], [Event::Allocated(_)]));
    scene
}

fn answer_refresh(scene: &mut Scene, lifetime: u32) {
    let request = scene.request();
    assert_eq!(parse(&request).method(), Method::REFRESH);
    let answer = scene.success(&request, &|builder| builder.attribute(&Lifetime(lifetime)));
    scene.deliver(&answer);
}

#[test]
fn the_lifetime_that_the_server_names_decides_when_to_refresh() {
    for (lifetime, wait) in [(600, 540), (3600, 3540), (120, 60), (100, 50), (30, 15), (10, 5)] {
        let mut scene = granted(lifetime);
        assert_eq!(scene.client.poll_timeout(), Some(secs(1000 + wait)), "{lifetime}");
        scene.sleep_until(secs(1000 + wait));
        answer_refresh(&mut scene, 600);
        assert_eq!(scene.client.poll_timeout(), Some(secs(1000 + wait + 540)), "as of the refresh");
    }
}

#[test]
fn a_refresh_says_how_long_only_if_told_to_and_has_no_ticket() {
    let mut scene = Scene::allocated(config());
    scene.pass(540);
    let request = scene.request();
    assert_eq!((has::<Lifetime>(&request), has::<MobilityTicket<'_>>(&request)), (None, None));

    let mut config = config();
    (config.lifetime, config.mobility) = (Some(Duration::from_secs(3600)), true);
    config.software = Some("test".into());
    let mut scene = Scene::allocated(config);
    scene.pass(540);
    let request = scene.request();
    assert_eq!((has(&request), has(&request)), (Some(Lifetime(3600)), Some(Software::new("test"))));
    assert_eq!(has::<MobilityTicket<'_>>(&request), None, "our address has not changed");
}

#[test]
fn an_allocation_of_seconds_is_not_refreshed_in_a_frenzy() {
    let mut scene = granted(2);
    assert_eq!(scene.client.poll_timeout(), Some(secs(1002)));
    scene.sleep_until(secs(1002));
    let retry_at = Some(secs(1002));
    assert_eq!(scene.events(), [Event::Lost { reason: Failure::Expired, retry_at }]);
    assert!(scene.packets().is_empty());
}

#[test]
fn a_doubted_allocation_is_asked_for_at_once_and_confirmed_once() {
    let mut scene = Scene::allocated(config());
    scene.pass(10);
    scene.client.confirm(scene.now);
    scene.client.confirm(scene.now);
    answer_refresh(&mut scene, 600);
    assert_eq!(scene.events(), [Event::Confirmed]);
    assert!(scene.packets().is_empty(), "one request answers both questions");
    scene.pass(540);
    answer_refresh(&mut scene, 600);
    assert!(scene.events().is_empty(), "nobody asked");
}

#[test]
fn an_allocation_that_the_server_has_forgotten_or_says_nothing_of_is_lost_when_it_is_doubted() {
    let mut scene = Scene::allocated(config());
    scene.client.confirm(scene.now);
    let request = scene.request();
    let answer = scene.error(&request, 437);
    scene.deliver(&answer);
    let lost = |reason, retry_at| [Event::Lost { reason, retry_at: Some(retry_at) }];
    assert_eq!(scene.events(), lost(Failure::AllocationMismatch, scene.now));

    let mut scene = Scene::allocated(config());
    let asked = scene.now;
    scene.client.confirm(asked);
    scene.sleep_until(asked + millis(39_499));
    assert!(scene.events().is_empty());
    scene.sleep_until(asked + millis(39_500));
    assert_eq!(scene.events(), lost(Failure::NoAnswer, scene.now));

    scene.client.confirm(scene.now);
    assert!(scene.events().is_empty() && scene.client.poll_timeout().is_none(), "there is none to ask for");
}

#[test]
fn an_allocation_is_kept_for_hours() {
    let mut scene = Scene::allocated(config());
    for _ in 0..50 {
        scene.pass(540);
        answer_refresh(&mut scene, 600);
    }
    assert!(scene.events().is_empty() && scene.client.allocation().is_some());
}

#[test]
fn a_refresh_without_an_answer_is_tried_again_until_the_allocation_expires() {
    let mut scene = Scene::allocated(config());
    scene.sleep_until(secs(1599));
    let requests = scene.packets();
    let mut ids: std::vec::Vec<_> = requests.iter().map(|request| parse(request).transaction_id()).collect();
    ids.dedup();
    assert_eq!(ids.len(), 2, "a second transaction after 39.5 s");
    assert!(scene.events().is_empty());
    scene.sleep_until(secs(1600));
    let retry_at = Some(secs(1600));
    assert_eq!(scene.events(), [Event::Lost { reason: Failure::Expired, retry_at }]);
    assert_eq!(scene.client.poll_timeout(), None);
    assert_eq!(scene.client.allocate(scene.now), Ok(()));
}

#[test]
fn after_437_the_allocation_is_gone_whatever_was_asked() {
    for method in [Method::REFRESH, Method::CREATE_PERMISSION, Method::CHANNEL_BIND] {
        let mut scene = Scene::permitted(config(), "198.51.100.7:5000");
        match method {
            Method::REFRESH => {
                scene.client.forbid(addr("198.51.100.7:5000").ip(), scene.now);
                scene.pass(540);
            }
            Method::CHANNEL_BIND => scene.client.bind(addr("198.51.100.7:5000"), scene.now).unwrap(),
            _ => scene.client.permit(addr("198.51.100.8:1").ip(), scene.now).unwrap(),
        }
        scene.refuse_request(method, 437);
        let reason = Failure::AllocationMismatch;
        assert_eq!(scene.events(), [Event::Lost { reason, retry_at: Some(scene.now) }]);
        assert!(scene.client.allocation().is_none());
        assert!(scene.client.relay_path(addr("198.51.100.7:5000")).is_none());
        assert_eq!((scene.packets().len(), scene.client.poll_timeout()), (0, None));

        // A new allocation begins with what is known of the server, and without permissions.
        scene.client.allocate(scene.now).unwrap();
        let request = scene.request();
        assert!(parse(&request).has_integrity());
        let answer = scene.success(&request, &grant);
        scene.deliver(&answer);
        assert!(matches!(scene.events()[..], [Event::Allocated(_)]));
        assert!(scene.packets().is_empty());
    }
}

#[test]
fn a_server_in_trouble_is_asked_again_four_times_and_not_at_once() {
    let mut scene = granted(3600);
    scene.pass(3540);
    for wait in [5, 10, 15, 20] {
        scene.refuse_request(Method::REFRESH, 500);
        assert!(scene.packets().is_empty());
        assert_eq!(scene.client.poll_timeout(), Some(scene.now + Duration::from_secs(wait)));
        scene.pass(wait);
    }
    scene.refuse_request(Method::REFRESH, 500);
    assert!(matches!(scene.events()[..], [Event::Lost { reason: Failure::Error(500), .. }]));

    // A success in between starts the count again.
    let mut scene = granted(3600);
    scene.pass(3540);
    scene.refuse_request(Method::REFRESH, 508);
    scene.pass(5);
    answer_refresh(&mut scene, 600);
    assert_eq!(scene.client.poll_timeout(), Some(scene.now + Duration::from_secs(540)));
}

#[test]
fn a_refusal_for_good_ends_the_allocation() {
    for (code, reason) in [(400, Failure::BadRequest), (403, Failure::Forbidden), (441, Failure::OtherUser)] {
        let mut scene = Scene::allocated(config());
        scene.pass(540);
        scene.refuse_request(Method::REFRESH, code);
        assert_eq!(scene.events(), [Event::Lost { reason, retry_at: None }]);
        assert_eq!(scene.client.allocate(scene.now), Err(ClientError::Refused));
    }
}

#[test]
fn an_answer_without_lifetime_keeps_nothing_and_one_of_zero_ends_it() {
    let mut scene = Scene::allocated(config());
    scene.pass(540);
    scene.grant_request(Method::REFRESH);
    assert_eq!(scene.client.poll_timeout(), Some(secs(1545)), "asked again");
    scene.pass(5);
    answer_refresh(&mut scene, 0);
    assert!(matches!(scene.events()[..], [Event::Lost { reason: Failure::Expired, .. }]));
}

#[test]
fn closing_deletes_the_allocation_and_waits_for_the_answer() {
    for code in [None, Some(437), Some(403)] {
        let mut scene = Scene::permitted(config(), "198.51.100.7:5000");
        scene.client.close(scene.now);
        let request = scene.request();
        assert_eq!((parse(&request).method(), has(&request)), (Method::REFRESH, Some(Lifetime(0))));
        assert!(parse(&request).has_integrity());
        assert!(scene.events().is_empty() && !scene.client.is_closed());
        assert!(scene.client.relay_path(addr("198.51.100.7:5000")).is_none());
        assert_eq!(scene.client.permit(addr("198.51.100.7:1").ip(), scene.now), Err(ClientError::Closed));
        let answer = match code {
            None => scene.success(&request, &|builder| builder.attribute(&Lifetime(0))),
            Some(code) => scene.error(&request, code),
        };
        scene.deliver(&answer);
        assert_eq!(scene.events(), [Event::Closed]);
        assert!(scene.client.is_closed());
        assert_eq!((scene.packets().len(), scene.client.poll_timeout()), (0, None));
        assert_eq!(scene.client.allocate(scene.now), Err(ClientError::Closed));
        scene.client.close(scene.now);
        assert!(scene.events().is_empty(), "once is enough");
    }
}

#[test]
fn closing_ends_without_an_answer_and_with_one_stale_nonce_after_the_other() {
    let mut scene = Scene::allocated(config());
    scene.client.close(scene.now);
    scene.pass(10);
    assert_eq!(scene.packets().len(), 4);
    assert_eq!(scene.events(), [Event::Closed]);

    let mut scene = Scene::allocated(config());
    scene.client.close(scene.now);
    let mut round = 0;
    while let Some(request) = scene.packets().pop() {
        round += 1;
        scene.deliver(&challenge(&request, 438, &std::format!("nonce {round}")));
    }
    assert_eq!((round, scene.events()), (6, std::vec![Event::Closed]));

    let mut scene = Scene::allocated(Scene::is_stream(config()));
    scene.client.close(scene.now);
    assert_eq!(scene.packets().len(), 1);
    scene.sleep_until(secs(1000) + millis(5_500));
    assert_eq!((scene.packets().len(), scene.events()), (0, std::vec![Event::Closed]));
}

#[test]
fn closing_before_there_is_an_allocation_leaves_none_behind() {
    let mut scene = Scene::new(config());
    scene.client.close(scene.now);
    assert_eq!(scene.events(), [Event::Closed]);

    let (mut scene, _) = Scene::asking(config());
    scene.client.close(scene.now);
    assert_eq!((scene.packets().len(), scene.events()), (0, std::vec![Event::Closed]));

    // The request may have made one.
    let (mut scene, request) = Scene::challenged(config());
    scene.client.close(scene.now);
    assert_eq!(has(&scene.request()), Some(Lifetime(0)));
    let late = scene.success(&request, &grant);
    scene.reject(&late, Rejection::UnknownTransaction);
    scene.pass(6);
    assert_eq!(scene.events(), [Event::Closed]);
}

#[test]
fn a_lost_connection_ends_what_is_going_on() {
    let mut scene = Scene::allocated(Scene::is_stream(config()));
    scene.client.disconnected(scene.now);
    let (reason, retry_at) = (Failure::Disconnected, Some(scene.now));
    assert_eq!(scene.events(), [Event::Lost { reason, retry_at }]);

    let (mut scene, _) = Scene::challenged(Scene::is_stream(config()));
    scene.client.disconnected(scene.now);
    assert_eq!(scene.events(), [Event::Failed { reason, retry_at }]);
    assert_eq!((scene.packets().len(), scene.client.poll_timeout()), (0, None));
    assert_eq!(scene.client.allocate(scene.now), Ok(()));
    assert_eq!(types(&scene.request()).len(), 1);

    let mut scene = Scene::allocated(config());
    scene.client.close(scene.now);
    scene.client.disconnected(scene.now);
    assert_eq!(scene.events(), [Event::Closed]);
    scene.client.disconnected(scene.now);
    assert!(scene.events().is_empty());
}

#[test]
fn an_answer_that_took_its_time_counts_from_the_question() {
    let (mut scene, request) = Scene::challenged(config());
    scene.pass(20);
    let answer = scene.success(&request, &grant);
    scene.packets();
    scene.deliver(&answer);
    assert_eq!(scene.client.poll_timeout(), Some(secs(1540)));
    assert_eq!(scene.hear(&answer), Received::Rejected(Rejection::UnknownTransaction));
}

#[test]
fn events_that_nobody_polls_for_are_bounded_and_counted() {
    let mut config = config();
    config.limits.events = 2;
    let mut scene = Scene::allocated(Config { ..config });
    scene.client.disconnected(scene.now);
    for _ in 0..5 {
        scene.client.allocate(scene.now).unwrap();
        scene.client.disconnected(scene.now);
    }
    assert_eq!((scene.events().len(), scene.client.events_lost()), (2, 4));
    assert_eq!(scene.client.poll_timeout(), None::<Time>);
}
