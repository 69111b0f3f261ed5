//! RFC 8016: the allocation comes along.

use floe_stun::attributes::{Lifetime, MobilityTicket};
use floe_stun::{Class, Method};

use super::super::{ClientError, Config, Event, Failure, Received};
use super::data::data_from;
use super::scene::{Scene, addr, challenge, config, grant, has, parse, respond, types};
use super::secs;

const PEER: &str = "198.51.100.7:5000";

/// A client with a ticket, a permission and a channel.
fn mobile() -> Scene {
    let (mut scene, request) = Scene::challenged(Config { mobility: true, ..config() });
    let answer = scene.success(&request, &|builder| grant(builder).attribute(&MobilityTicket(b"first")));
    scene.deliver(&answer);
    scene.client.bind(addr(PEER), scene.now).unwrap();
    for request in scene.packets() {
        let answer = scene.success(&request, &|builder| builder);
        scene.deliver(&answer);
    }
    scene.events();
    scene
}

fn refresh_with(scene: &mut Scene, ticket: &[u8]) -> std::vec::Vec<u8> {
    let request = scene.request();
    assert_eq!(parse(&request).method(), Method::REFRESH);
    assert_eq!(has(&request), Some(MobilityTicket(ticket)));
    request
}

fn moved_with(scene: &mut Scene, request: &[u8], ticket: Option<&[u8]>) {
    let ticket = ticket.map(MobilityTicket);
    let answer = scene.success(request, &|builder| builder.attribute(&Lifetime(600)).maybe(ticket.as_ref()));
    scene.deliver(&answer);
    assert_eq!(scene.events(), [Event::Moved]);
}

#[test]
fn an_allocation_comes_along_with_its_channels_and_gets_a_new_ticket_each_time() {
    let mut scene = mobile();
    let epoch = scene.client.path_epoch();
    scene.client.moved(scene.now);
    let request = refresh_with(&mut scene, b"first");
    moved_with(&mut scene, &request, Some(b"second"));
    assert_ne!(scene.client.path_epoch(), epoch);
    assert!(scene.client.relay_path(addr(PEER)).unwrap().channel_number().is_some());
    scene.client.moved(scene.now);
    let request = refresh_with(&mut scene, b"second");
    moved_with(&mut scene, &request, Some(b"third"));
    assert!(scene.client.allocation().unwrap().mobility);
}

#[test]
fn nothing_is_sent_on_the_new_path_before_the_answer() {
    let mut scene = mobile();
    scene.client.permit(addr("198.51.100.8:1").ip(), scene.now).unwrap(); // not polled yet
    scene.client.moved(scene.now);
    assert!(scene.client.relay_path(addr(PEER)).is_none());
    assert!(scene.client.allocation().is_some() && !scene.client.is_permitted(addr(PEER).ip()));
    scene.client.permit(addr("198.51.100.9:1").ip(), scene.now).unwrap();
    scene.client.bind(addr("198.51.100.9:1"), scene.now).unwrap();
    let request = refresh_with(&mut scene, b"first");
    assert_eq!(scene.client.allocate(scene.now), Err(ClientError::Busy));
    // The server still sends on the old path (§3.2.2).
    assert!(matches!(scene.hear(&data_from(PEER, b"x")), Received::Data { .. }));

    scene.pass(2);
    assert!(scene.packets().iter().all(|packet| *packet == request), "nothing but repetitions");
    moved_with(&mut scene, &request, Some(b"second"));
    let methods: std::vec::Vec<_> = scene.packets().iter().map(|packet| parse(packet).method()).collect();
    assert_eq!(methods, [Method::CREATE_PERMISSION, Method::CHANNEL_BIND], "what was wanted meanwhile");
}

#[test]
fn a_stale_nonce_on_the_new_path_is_replaced() {
    let mut scene = mobile();
    scene.client.moved(scene.now);
    let request = refresh_with(&mut scene, b"first");
    scene.deliver(&challenge(&request, 438, "for the new address"));
    let request = refresh_with(&mut scene, b"first");
    moved_with(&mut scene, &request, None);
    assert!(!scene.client.allocation().unwrap().mobility, "the old ticket is used up");
    scene.client.moved(scene.now);
    let (reason, retry_at) = (Failure::AddressChanged, Some(scene.now));
    assert_eq!(scene.events(), [Event::Lost { reason, retry_at }]);
}

#[test]
fn the_ticket_is_used_for_moving_only() {
    let mut scene = mobile();
    scene.sleep_until(secs(1540));
    let refresh = scene.packets().into_iter().find(|request| parse(request).method() == Method::REFRESH);
    let refresh = refresh.unwrap();
    assert_eq!(has::<MobilityTicket<'_>>(&refresh), None);
    // One that comes with an ordinary refresh replaces the last.
    let answer = scene.success(&refresh, &|builder| {
        builder.attribute(&Lifetime(600)).attribute(&MobilityTicket(b"renewed"))
    });
    scene.deliver(&answer);
    scene.client.moved(scene.now);
    refresh_with(&mut scene, b"renewed");
}

#[test]
fn without_a_ticket_a_change_of_address_loses_the_allocation() {
    let mut scene = Scene::permitted(config(), PEER);
    scene.client.moved(scene.now);
    let (reason, retry_at) = (Failure::AddressChanged, Some(scene.now));
    assert_eq!(scene.events(), [Event::Lost { reason, retry_at }]);
    assert_eq!((scene.packets().len(), scene.client.poll_timeout()), (0, None));
    assert_eq!(scene.client.allocate(scene.now), Ok(()));
}

#[test]
fn what_nobody_authenticates_does_not_move() {
    let (mut scene, request) = Scene::asking(Config { mobility: true, ..config() });
    let fill: super::scene::Fill<'_> = &|builder| grant(builder).attribute(&MobilityTicket(b"ticket"));
    scene.deliver(&respond(&request, Class::Success, fill, None));
    assert!(!scene.client.allocation().unwrap().mobility);
    scene.events();
    scene.client.moved(scene.now);
    assert!(matches!(scene.events()[..], [Event::Lost { reason: Failure::AddressChanged, .. }]));
    assert!(scene.packets().is_empty());
}

#[test]
fn a_move_that_is_refused_loses_the_allocation() {
    let errors = [
        (400, Failure::BadRequest, false),
        (405, Failure::MobilityForbidden, true),
        (437, Failure::AllocationMismatch, true),
        (441, Failure::OtherUser, false),
    ];
    for (code, reason, again) in errors {
        let mut scene = mobile();
        scene.client.moved(scene.now);
        scene.refuse_request(Method::REFRESH, code);
        let retry_at = again.then_some(scene.now);
        assert_eq!(scene.events(), [Event::Lost { reason, retry_at }], "{code}");
        assert!(scene.packets().is_empty());
    }
    let mut scene = mobile();
    scene.client.moved(scene.now);
    scene.pass(40);
    assert!(matches!(scene.events()[..], [Event::Lost { reason: Failure::NoAnswer, .. }]));
}

#[test]
fn moving_again_before_the_answer_starts_over() {
    let mut scene = mobile();
    scene.client.moved(scene.now);
    let first = refresh_with(&mut scene, b"first");
    scene.client.moved(scene.now);
    let second = refresh_with(&mut scene, b"first");
    assert_ne!(parse(&first).transaction_id(), parse(&second).transaction_id());
    moved_with(&mut scene, &second, Some(b"second"));
}

#[test]
fn a_change_of_address_before_there_is_an_allocation_starts_over() {
    let (mut scene, _) = Scene::challenged(config());
    scene.client.moved(scene.now);
    assert_eq!(types(&scene.request()).len(), 1, "without the nonce of the old address");

    let (mut scene, request) = Scene::challenged(config());
    let answer = scene.error(&request, 437);
    scene.deliver(&answer);
    scene.client.moved(scene.now);
    assert_eq!(parse(&scene.request()).method(), Method::ALLOCATE);

    let mut scene = Scene::new(config());
    scene.client.moved(scene.now);
    assert!(scene.packets().is_empty() && scene.events().is_empty());
}

#[test]
fn closing_in_the_middle_of_a_move_deletes_by_ticket() {
    let mut scene = mobile();
    scene.client.moved(scene.now);
    refresh_with(&mut scene, b"first");
    scene.client.close(scene.now);
    let farewell = refresh_with(&mut scene, b"first");
    assert_eq!(has(&farewell), Some(Lifetime(0)));
    let answer = scene.success(&farewell, &|builder| builder.attribute(&Lifetime(0)));
    scene.deliver(&answer);
    assert_eq!(scene.events(), [Event::Closed]);

    let mut scene = mobile();
    scene.client.close(scene.now);
    scene.packets();
    scene.client.moved(scene.now);
    assert_eq!((scene.packets().len(), scene.events()), (0, std::vec![Event::Closed]));
}
