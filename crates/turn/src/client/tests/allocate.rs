//! RFC 8656 §7.

use std::string::ToString;
use std::vec::Vec;

use floe_stun::attributes::{
    AdditionalAddressFamily, AddressErrorCode, AddressFamily, AlternateDomain, AlternateServer, DontFragment,
    ErrorCode, EvenPort, Lifetime, MobilityTicket, RequestedAddressFamily, RequestedTransport,
    ReservationToken, Software, UnknownAttributes, XorMappedAddress, XorRelayedAddress,
};
use floe_stun::{AttributeType, Class, MessageBuilder, Method};

use super::super::{ClientError, Config, ConfigError, Credentials, Event, Failure, PortRequest, Relayed};
use super::scene::{
    MAPPED, RELAYED, SERVER, Scene, addr, bare_error, challenge, coded, config, grant, has, parse, respond,
    types,
};
use super::{millis, secs};

#[test]
fn the_first_request_asks_for_udp_and_says_nothing_about_who_asks() {
    let (_, request) = Scene::asking(config());
    assert_eq!((parse(&request).class(), parse(&request).method()), (Class::Request, Method::ALLOCATE));
    assert_eq!(has(&request), Some(RequestedTransport::UDP));
    assert_eq!(types(&request), [AttributeType::REQUESTED_TRANSPORT]);
}

#[test]
fn what_is_wished_for_is_in_the_request_and_combinations_are_those_the_rfc_allows() {
    let wish = |relayed| types(&Scene::asking(Config { relayed, ..config() }).1)[1..].to_vec();
    let one = |family, port| wish(Relayed::One { family, port });
    assert_eq!(one(None, PortRequest::Any), []);
    let family = AttributeType::REQUESTED_ADDRESS_FAMILY;
    assert_eq!(one(Some(AddressFamily::Ipv6), PortRequest::Any), [family]);
    assert_eq!(one(Some(AddressFamily::Ipv4), PortRequest::Even), [family, AttributeType::EVEN_PORT]);
    let additional = AttributeType::ADDITIONAL_ADDRESS_FAMILY;
    assert_eq!(wish(Relayed::Both { even_port: false }), [additional]);
    assert_eq!(wish(Relayed::Both { even_port: true }), [additional, AttributeType::EVEN_PORT]);
    let token = ReservationToken([3; 8]);
    assert_eq!(wish(Relayed::Reserved(token)), [AttributeType::RESERVATION_TOKEN]);

    let request = |relayed| Scene::asking(Config { relayed, ..config() }).1;
    let both = request(Relayed::Both { even_port: true });
    assert_eq!(has(&both), Some(AdditionalAddressFamily(AddressFamily::Ipv6)));
    assert_eq!(
        has(&both),
        Some(EvenPort { reserve_next: false }),
        "no port can be reserved for two families"
    );
    let next = request(Relayed::One { family: None, port: PortRequest::EvenAndNext });
    assert_eq!(has(&next), Some(EvenPort { reserve_next: true }));
    let v6 = request(Relayed::One { family: Some(AddressFamily::Ipv6), port: PortRequest::Any });
    assert_eq!(has(&v6), Some(RequestedAddressFamily(AddressFamily::Ipv6)));
}

#[test]
fn options_are_in_every_allocate_request() {
    let config = Config {
        dont_fragment: true,
        mobility: true,
        lifetime: Some(millis(1_800_500)),
        software: Some("test".to_string()),
        ..config()
    };
    let (mut scene, first) = Scene::asking(config);
    scene.deliver(&challenge(&first, 401, "nonce"));
    for request in [first, scene.request()] {
        assert_eq!(has(&request), Some(Lifetime(1800)));
        assert_eq!(has(&request), Some(DontFragment));
        assert_eq!(has(&request), Some(MobilityTicket(&[])));
        assert_eq!(has(&request), Some(Software::new("test")));
    }
}

#[test]
fn an_allocation_is_told_with_all_that_the_server_said() {
    let (mut scene, request) = Scene::challenged(Config { dont_fragment: true, mobility: true, ..config() });
    let token = ReservationToken([9; 8]);
    let answer = scene
        .success(&request, &|builder| grant(builder).attribute(&token).attribute(&MobilityTicket(b"ticket")));
    scene.deliver(&answer);
    let Some(Event::Allocated(allocated)) = scene.event() else { panic!("no allocation") };
    assert_eq!((allocated.relayed, allocated.mapped), (addr(RELAYED), addr(MAPPED)));
    assert_eq!((allocated.lifetime, allocated.reservation), (millis(600_000), Some(token)));
    assert!(allocated.dont_fragment && allocated.mobility);
    assert_eq!((allocated.relayed_ipv6, allocated.missing), (None, None));
    assert_eq!(scene.client.allocation(), Some(&allocated));
    assert_eq!(scene.client.allocate(scene.now), Err(ClientError::Busy));
    assert_eq!(scene.client.new_port(scene.now), Err(ClientError::NoPortNeeded));
}

#[test]
fn a_server_without_credentials_is_served_by_without_them() {
    let (mut scene, request) = Scene::asking(Config { credentials: None, ..config() });
    scene.deliver(&respond(&request, Class::Success, &grant, None));
    assert!(matches!(scene.event(), Some(Event::Allocated(_))));
    scene.client.permit(addr(MAPPED).ip(), scene.now).unwrap();
    assert_eq!(types(&scene.request()), [AttributeType::XOR_PEER_ADDRESS]);

    let (mut scene, request) = Scene::asking(Config { credentials: None, ..config() });
    scene.deliver(&challenge(&request, 401, "nonce"));
    let reason = Failure::CredentialsNeeded;
    assert_eq!(scene.events(), [Event::Failed { reason, retry_at: None }]);
}

fn both(builder: MessageBuilder<'_>) -> MessageBuilder<'_> {
    grant(builder).attribute(&XorRelayedAddress(addr("[2001:db8::1]:50001")))
}

#[test]
fn an_allocation_may_have_both_families_or_one_and_a_reason() {
    let dual = Config { relayed: Relayed::Both { even_port: false }, ..config() };
    let (mut scene, request) = Scene::challenged(dual.clone());
    let answer = scene.success(&request, &both);
    scene.deliver(&answer);
    let Some(Event::Allocated(allocated)) = scene.event() else { panic!("no allocation") };
    let addresses: Vec<_> = allocated.addresses().collect();
    assert_eq!(addresses, [addr(RELAYED), addr("[2001:db8::1]:50001")]);

    for (code, failure) in [(440, Failure::FamilyNotSupported), (508, Failure::InsufficientCapacity)] {
        let (mut scene, request) = Scene::challenged(dual.clone());
        let answer = scene.success(&request, &|builder| {
            let error = ErrorCode::new(code, "");
            grant(builder).attribute(&AddressErrorCode::new(AddressFamily::Ipv6, error))
        });
        scene.deliver(&answer);
        let Some(Event::Allocated(allocated)) = scene.event() else { panic!("no allocation") };
        assert_eq!(allocated.missing, Some((AddressFamily::Ipv6, failure)));
        assert_eq!(allocated.relayed_ipv6, None);
        // §7.3: the family is not asked for again.
        scene.pass(100);
        assert!(scene.packets().is_empty());
        let v6 = "2001:db8::7".parse().unwrap();
        assert_eq!(scene.client.permit(v6, scene.now), Err(ClientError::WrongFamily));
    }
}

#[test]
fn an_address_that_cannot_be_is_given_back_and_no_other_is_asked_for() {
    let lies = [
        "0.0.0.0:50000",
        "127.0.0.1:50000",
        "224.0.0.1:50000",
        "255.255.255.255:50000",
        "192.0.2.1:0",
        "[2001:db8::1]:50000",      // nobody asked for IPv6
        "[::ffff:192.0.2.1]:50000", // nor for it in disguise
    ];
    for lie in lies {
        let (mut scene, request) = Scene::challenged(config());
        let answer = scene.success(&request, &|builder| {
            let relayed = XorRelayedAddress(addr(lie));
            builder.attribute(&relayed).attribute(&XorMappedAddress(addr(MAPPED))).attribute(&Lifetime(600))
        });
        scene.deliver(&answer);
        let reason = Failure::UnusableAddress;
        assert_eq!(scene.events(), [Event::Failed { reason, retry_at: None }], "{lie}");
        assert!(scene.client.allocation().is_none());
        let farewell = scene.grant_request(Method::REFRESH);
        assert_eq!(has(&farewell), Some(Lifetime(0)), "{lie}");
        assert_eq!(scene.client.allocate(scene.now), Err(ClientError::Refused));
        scene.pass(1000);
        assert_eq!((scene.packets().len(), scene.events().len()), (0, 0));
    }
}

#[test]
fn a_mapped_address_that_cannot_be_is_as_bad() {
    for lie in ["0.0.0.0:40000", "203.0.113.9:0", "239.1.1.1:40000"] {
        let (mut scene, request) = Scene::challenged(config());
        let answer = scene.success(&request, &|builder| {
            let relayed = XorRelayedAddress(addr(RELAYED));
            builder.attribute(&relayed).attribute(&XorMappedAddress(addr(lie))).attribute(&Lifetime(600))
        });
        scene.deliver(&answer);
        let reason = Failure::UnusableAddress;
        assert_eq!(scene.events(), [Event::Failed { reason, retry_at: None }], "{lie}");
    }
}

#[test]
fn an_answer_that_lacks_what_it_must_have_is_no_allocation() {
    type Part = for<'b> fn(MessageBuilder<'b>) -> MessageBuilder<'b>;
    let parts: [Part; 4] = [
        |builder| builder.attribute(&XorRelayedAddress(addr(RELAYED))).attribute(&Lifetime(600)),
        |builder| builder.attribute(&XorMappedAddress(addr(MAPPED))).attribute(&Lifetime(600)),
        |builder| {
            let relayed = builder.attribute(&XorRelayedAddress(addr(RELAYED)));
            relayed.attribute(&XorMappedAddress(addr(MAPPED))).attribute(&Lifetime(0))
        },
        |builder| {
            let unknown = floe_stun::RawAttribute { kind: AttributeType::new(0x7777), value: b"what" };
            grant(builder).raw_attribute(unknown)
        },
    ];
    for part in parts {
        let (mut scene, request) = Scene::challenged(config());
        let answer = scene.success(&request, &part);
        scene.deliver(&answer);
        let reason = Failure::MalformedAnswer;
        assert_eq!(scene.events(), [Event::Failed { reason, retry_at: None }]);
        assert_eq!(has(&scene.request()), Some(Lifetime(0)), "the server has an allocation all the same");
    }
}

#[test]
fn a_lifetime_that_the_server_leaves_out_is_the_default() {
    let (mut scene, request) = Scene::challenged(config());
    let answer = scene.success(&request, &|builder| {
        builder.attribute(&XorRelayedAddress(addr(RELAYED))).attribute(&XorMappedAddress(addr(MAPPED)))
    });
    scene.deliver(&answer);
    assert_eq!(scene.client.allocation().unwrap().lifetime, millis(600_000));
}

/// The failure that an authentic error leads to, and for how many seconds the server is left alone.
fn refused(code: u16) -> (Failure, Option<u64>) {
    let (mut scene, request) = Scene::challenged(config());
    let answer = scene.error(&request, code);
    scene.deliver(&answer);
    let [Event::Failed { reason, retry_at }] = scene.events()[..] else { panic!("{code}: no failure") };
    assert!(scene.packets().is_empty());
    match retry_at {
        None => assert_eq!(scene.client.allocate(scene.now), Err(ClientError::Refused)),
        Some(at) => {
            if at > scene.now {
                assert_eq!(scene.client.allocate(scene.now), Err(ClientError::TooSoon(at)));
            }
            scene.sleep_until(at);
            scene.client.allocate(at).unwrap();
            assert_eq!(parse(&scene.request()).method(), Method::ALLOCATE);
        }
    }
    (reason, retry_at.map(|at| (at - secs(1000)).as_secs()))
}

#[test]
fn every_error_means_what_the_rfc_says() {
    assert_eq!(refused(400), (Failure::BadRequest, None));
    assert_eq!(refused(403), (Failure::Forbidden, None));
    assert_eq!(refused(405), (Failure::MobilityForbidden, None));
    assert_eq!(refused(408), (Failure::Error(408), None));
    assert_eq!(refused(420), (Failure::Error(420), None));
    assert_eq!(refused(440), (Failure::FamilyNotSupported, None));
    assert_eq!(refused(441), (Failure::OtherUser, None));
    assert_eq!(refused(442), (Failure::TransportNotSupported, None));
    assert_eq!(refused(486), (Failure::QuotaReached, Some(60)));
    assert_eq!(refused(500), (Failure::Error(500), Some(60)));
    assert_eq!(refused(508), (Failure::InsufficientCapacity, Some(60)));
    assert_eq!(refused(699), (Failure::Error(699), None));
    assert_eq!(Failure::QuotaReached.to_string().chars().next(), Some('t'));
}

#[test]
fn three_ports_are_tried_and_then_none_for_two_minutes() {
    let (mut scene, mut request) = Scene::challenged(config());
    for _ in 0..2 {
        let answer = scene.error(&request, 437);
        scene.deliver(&answer);
        assert_eq!(scene.events(), [Event::NeedNewPort]);
        assert!(scene.packets().is_empty());
        assert_eq!(scene.client.allocate(scene.now), Err(ClientError::Busy));
        scene.client.new_port(scene.now).unwrap();
        let fresh = scene.request();
        assert_eq!(types(&fresh), [AttributeType::REQUESTED_TRANSPORT], "the nonce was for the old port");
        assert_ne!(parse(&fresh).transaction_id(), parse(&request).transaction_id());
        scene.deliver(&challenge(&fresh, 401, "another nonce"));
        request = scene.request();
    }
    let answer = scene.error(&request, 437);
    scene.deliver(&answer);
    let retry_at = Some(secs(1120));
    assert_eq!(scene.events(), [Event::Failed { reason: Failure::AllocationMismatch, retry_at }]);
    assert_eq!(scene.client.new_port(scene.now), Err(ClientError::NoPortNeeded));
    assert_eq!(scene.client.allocate(secs(1119)), Err(ClientError::TooSoon(secs(1120))));
    assert_eq!(scene.client.allocate(secs(1120)), Ok(()));
}

#[test]
fn without_dont_fragment_if_the_server_does_not_know_it() {
    let (mut scene, request) = Scene::challenged(Config { dont_fragment: true, ..config() });
    let unknown = [AttributeType::DONT_FRAGMENT];
    let answer =
        scene.error_with(&request, 420, &|builder| builder.attribute(&UnknownAttributes::new(&unknown)));
    scene.deliver(&answer);
    let request = scene.request();
    assert_eq!(has::<DontFragment>(&request), None);
    let answer = scene.success(&request, &grant);
    scene.deliver(&answer);
    let Some(Event::Allocated(allocated)) = scene.event() else { panic!("no allocation") };
    assert!(!allocated.dont_fragment);

    // Some other attribute is the trouble, or the server did not get the message.
    for unknown in [[AttributeType::REQUESTED_TRANSPORT], [AttributeType::DONT_FRAGMENT]] {
        let dont_fragment = unknown[0] == AttributeType::REQUESTED_TRANSPORT;
        let (mut scene, request) = Scene::challenged(Config { dont_fragment, ..config() });
        let answer =
            scene.error_with(&request, 420, &|builder| builder.attribute(&UnknownAttributes::new(&unknown)));
        scene.deliver(&answer);
        assert_eq!(scene.events(), [Event::Failed { reason: Failure::Error(420), retry_at: None }]);
    }
}

#[test]
fn without_a_ticket_if_the_server_forbids_mobility() {
    let (mut scene, request) = Scene::challenged(Config { mobility: true, ..config() });
    let answer = scene.error(&request, 405);
    scene.deliver(&answer);
    let request = scene.request();
    assert_eq!(has::<MobilityTicket<'_>>(&request), None);
    let answer = scene.error(&request, 405);
    scene.deliver(&answer);
    assert_eq!(scene.events(), [Event::Failed { reason: Failure::MobilityForbidden, retry_at: None }]);
}

fn redirected(servers: &[&str], domain: Option<&str>) -> Vec<Event> {
    let (mut scene, request) = Scene::challenged(config());
    let answer = scene.error_with(&request, 300, &|builder| {
        let all =
            servers.iter().fold(builder, |builder, server| builder.attribute(&AlternateServer(addr(server))));
        all.maybe(domain.map(AlternateDomain::new).as_ref())
    });
    scene.deliver(&answer);
    assert!(scene.packets().is_empty(), "to follow is the caller's business");
    scene.events()
}

#[test]
fn an_authentic_redirection_is_told() {
    let servers = ["[2001:db8::2]:3478", "198.51.100.2:443", "198.51.100.3:3478"];
    let [Event::AlternateServer(alternate), Event::Failed { reason: Failure::Redirected, retry_at: None }] =
        &redirected(&servers, Some("turn.example.org"))[..]
    else {
        panic!("not told")
    };
    assert_eq!(alternate.servers, [addr("198.51.100.2:443"), addr("[2001:db8::2]:3478")]);
    assert_eq!(alternate.domain.as_deref(), Some("turn.example.org"));
}

#[test]
fn nobody_is_sent_where_no_turn_server_can_be() {
    let nowhere = [
        "127.0.0.1:3478",
        "[::1]:3478",
        "[::ffff:127.0.0.1]:3478",
        "0.0.0.0:3478",
        "239.1.1.1:3478",
        "169.254.1.1:3478",
        "[fe80::1]:3478",
        "198.51.100.2:0",
        "198.51.100.2:22",
        "198.51.100.2:53",
        SERVER,
    ];
    for server in nowhere {
        let bad = Event::Failed { reason: Failure::BadRedirect, retry_at: None };
        assert_eq!(redirected(&[server], None), [bad], "{server}");
    }
    let bad = Event::Failed { reason: Failure::BadRedirect, retry_at: None };
    assert_eq!(redirected(&[], None), [bad]);
}

#[test]
fn a_redirection_that_nobody_vouches_for_is_as_if_it_had_not_come() {
    let alternate = AlternateServer(addr("198.51.100.2:3478"));
    let (mut scene, first) = Scene::asking(config());
    let forged = respond(&first, Class::Error, &|builder| coded(builder, 300).attribute(&alternate), None);
    scene.reject(&forged, super::super::Rejection::BadIntegrity);
    // Even with some integrity: the request had none by which to tell.
    let sealed = scene.error_with(&first, 300, &|builder| builder.attribute(&alternate));
    scene.reject(&sealed, super::super::Rejection::BadIntegrity);
    scene.deliver(&challenge(&first, 401, "nonce"));
    let request = scene.request();
    scene.reject(&bare_error(&request, 300), super::super::Rejection::BadIntegrity);
    assert!(scene.events().is_empty());
}

#[test]
fn what_cannot_be_sent_is_refused_at_the_start() {
    assert_eq!(Credentials::new("u".repeat(509), "p").unwrap_err(), ConfigError::UsernameTooLong);
    let config = Config { software: Some("s".repeat(65)), ..config() };
    assert_eq!(super::super::Client::new(config).unwrap_err(), ConfigError::SoftwareTooLong);
}

#[test]
fn neither_passwords_nor_user_names_are_printed() {
    let scene = Scene::allocated(config());
    let printed = std::format!("{:?} {:?} {:?}", config(), scene.client, config().credentials);
    assert!(!printed.contains("secret") && !printed.contains("user"), "{printed}");
}
