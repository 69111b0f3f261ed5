use std::format;
use std::string::ToString;
use std::vec::Vec;

use floe_stun::attributes::{ChangeRequest, MappedAddress, Priority, Username};
use floe_stun::{IntegrityAlgorithm, Key, RawAttribute, TransactionId};
use proptest::prelude::*;

use super::*;

const ID: TransactionId = TransactionId::new(*b"transaction!");
const SOURCE: &str = "203.0.113.9:49152";

fn build(
    class: Class,
    method: Method,
    fill: impl FnOnce(MessageBuilder<'_>) -> MessageBuilder<'_>,
) -> Vec<u8> {
    let mut out = [0; 2048];
    let len = fill(MessageBuilder::new(&mut out, class, method, ID)).finish().unwrap();
    out[..len].to_vec()
}

fn request() -> Vec<u8> {
    build(Class::Request, Method::BINDING, |builder| builder)
}

fn server() -> BindingServer {
    BindingServer::new(BindingConfig::default())
}

/// The response, or the reason why there is none.
fn ask(server: &mut BindingServer, datagram: &[u8], source: &str) -> Result<Vec<u8>, Silence> {
    let mut out = [0xEE; MAX_RESPONSE];
    match server.handle(datagram, source.parse().unwrap(), Time::ZERO, &mut out).unwrap() {
        Answer::Respond(len) => Ok(out[..len].to_vec()),
        Answer::Silent(silence) => Err(silence),
    }
}

#[test]
fn a_request_is_answered_with_its_source() {
    for source in [SOURCE, "[2001:db8::7]:1"] {
        let response = ask(&mut server(), &request(), source).unwrap();
        let response = Message::parse(&response).unwrap();
        assert_eq!((response.class(), response.method()), (Class::Success, Method::BINDING));
        assert_eq!(response.transaction_id(), ID);
        assert_eq!(response.get(), Ok(Some(XorMappedAddress(source.parse().unwrap()))));
        assert_eq!(response.get::<MappedAddress>(), Ok(None));
        assert_eq!(response.attributes().count(), 1, "nothing that nobody asked for");
    }
}

#[test]
fn an_ipv4_mapped_source_is_answered_as_ipv4() {
    let response = ask(&mut server(), &request(), "[::ffff:203.0.113.9]:49152").unwrap();
    let response = Message::parse(&response).unwrap();
    assert_eq!(response.get(), Ok(Some(XorMappedAddress(SOURCE.parse().unwrap()))));
}

#[test]
fn the_response_has_a_fingerprint_if_the_request_has_one() {
    let mut out = [0; 64];
    let builder = MessageBuilder::new(&mut out, Class::Request, Method::BINDING, ID);
    let len = builder.fingerprint().finish().unwrap();
    let response = ask(&mut server(), &out[..len], SOURCE).unwrap();
    assert!(Message::parse(&response).unwrap().has_fingerprint());
    let response = ask(&mut server(), &request(), SOURCE).unwrap();
    assert!(!Message::parse(&response).unwrap().has_fingerprint());
}

#[test]
fn software_is_sent_when_configured_and_bounded() {
    let config = BindingConfig::default().with_software("floe").unwrap();
    let response = ask(&mut BindingServer::new(config), &request(), SOURCE).unwrap();
    assert_eq!(Message::parse(&response).unwrap().get(), Ok(Some(Software::new("floe"))));
    assert_eq!(BindingConfig::default().with_software("x".repeat(65)).unwrap_err(), SoftwareTooLong);
    assert!(SoftwareTooLong.to_string().contains("64"));
}

#[test]
fn unknown_required_attributes_are_listed_in_a_420() {
    let datagram = build(Class::Request, Method::BINDING, |builder| {
        builder
            .attribute(&ChangeRequest { change_ip: true, change_port: true })
            .attribute(&Priority(1))
            .attribute(&ChangeRequest { change_ip: false, change_port: true })
            .raw_attribute(RawAttribute { kind: AttributeType::new(0x8888), value: b"optional" })
            .attribute(&Username::new("known but unexpected"))
    });
    let mut server = server();
    let response = ask(&mut server, &datagram, SOURCE).unwrap();
    let response = Message::parse(&response).unwrap();
    assert_eq!((response.class(), response.transaction_id()), (Class::Error, ID));
    assert_eq!(response.get(), Ok(Some(ErrorCode::UNKNOWN_ATTRIBUTE)));
    let listed = [AttributeType::CHANGE_REQUEST, AttributeType::PRIORITY];
    assert_eq!(response.get(), Ok(Some(UnknownAttributes::new(&listed))));
    assert_eq!(response.get::<XorMappedAddress>(), Ok(None));
    assert_eq!(server.stats(), &BindingStats { unknown_attributes: 1, ..BindingStats::default() });
}

#[test]
fn credentials_are_known_and_ignored() {
    let mut out = [0; 128];
    let len = MessageBuilder::new(&mut out, Class::Request, Method::BINDING, ID)
        .attribute(&Username::new("somebody"))
        .integrity(&Key::short_term("secret"), IntegrityAlgorithm::Sha256)
        .finish()
        .unwrap();
    let response = ask(&mut server(), &out[..len], SOURCE).unwrap();
    let response = Message::parse(&response).unwrap();
    assert_eq!(response.class(), Class::Success);
    assert!(!response.has_integrity());
}

#[test]
fn the_largest_response_fits() {
    let datagram = build(Class::Request, Method::BINDING, |builder| {
        (0..200).fold(builder, |builder, n| {
            builder.raw_attribute(RawAttribute { kind: AttributeType::new(0x7000 + n), value: &[] })
        })
    });
    let config = BindingConfig::default().with_software("s".repeat(64)).unwrap();
    let mut server = BindingServer::new(config);
    let response = ask(&mut server, &with_fingerprint(&datagram), SOURCE).unwrap();
    assert_eq!(response.len(), MAX_RESPONSE);
    // RFC 8489 §6.1: with the headers of IPv4 and UDP, what every host takes.
    assert!(20 + 8 + response.len() <= 576);
    let response = Message::parse(&response).unwrap();
    assert_eq!(response.get::<UnknownAttributes<'_>>().unwrap().unwrap().len(), MAX_UNKNOWN);
}

/// The same message with a FINGERPRINT at its end.
fn with_fingerprint(datagram: &[u8]) -> Vec<u8> {
    let message = Message::parse(datagram).unwrap();
    let mut out = [0; 4096];
    let builder = MessageBuilder::new(&mut out, message.class(), message.method(), message.transaction_id());
    let builder = message.attributes().fold(builder, MessageBuilder::raw_attribute);
    let len = builder.fingerprint().finish().unwrap();
    out[..len].to_vec()
}

#[test]
fn a_retransmission_gets_an_equal_response() {
    let mut server = server();
    let first = ask(&mut server, &request(), SOURCE).unwrap();
    assert_eq!(ask(&mut server, &request(), SOURCE).unwrap(), first);
    assert_eq!(server.stats().answered, 2);
}

#[test]
fn everything_else_is_met_with_silence() {
    let mut server = server();
    let mut silence = |datagram: &[u8], source| ask(&mut server, datagram, source).unwrap_err();
    let plain = |class, method| build(class, method, |builder| builder);
    for class in [Class::Indication, Class::Success, Class::Error] {
        assert_eq!(silence(&plain(class, Method::BINDING), SOURCE), Silence::NotARequest(class));
    }
    let allocate = plain(Class::Request, Method::ALLOCATE);
    assert_eq!(silence(&allocate, SOURCE), Silence::UnsupportedMethod(Method::ALLOCATE));
    assert_eq!(silence(b"\x80RTP", SOURCE), Silence::NotStun(DecodeError::HeaderTruncated));
    // RFC 3489: any 128 bits where the magic cookie stands now.
    let mut classic = request();
    classic[4] ^= 1;
    assert_eq!(silence(&classic, SOURCE), Silence::NotStun(DecodeError::MagicCookie));
    let sources = ["203.0.113.9:0", "0.0.0.0:1", "255.255.255.255:1", "224.0.0.1:1", "[::]:1", "[ff02::1]:1"];
    for source in sources {
        assert_eq!(silence(&request(), source), Silence::UnanswerableSource, "{source}");
    }
    assert_eq!(server.stats(), &BindingStats { ignored: 12, ..BindingStats::default() });
}

#[test]
fn a_response_is_not_answered_by_another_server() {
    let response = ask(&mut server(), &request(), SOURCE).unwrap();
    assert_eq!(ask(&mut server(), &response, SOURCE), Err(Silence::NotARequest(Class::Success)));
}

#[test]
fn a_source_that_asks_too_often_is_left_waiting() {
    let mut limit = RateLimit::new([1; 16]);
    (limit.per_second, limit.burst, limit.slots) = (1, 2, 1);
    let mut server = BindingServer::new(BindingConfig::default().with_rate_limit(limit));
    assert!(ask(&mut server, &request(), SOURCE).is_ok());
    assert!(ask(&mut server, &request(), SOURCE).is_ok());
    assert_eq!(ask(&mut server, &request(), SOURCE), Err(Silence::RateLimited));
    // What is no request costs its source nothing.
    assert_eq!(ask(&mut server, b"junk", SOURCE), Err(Silence::NotStun(DecodeError::HeaderTruncated)));
    let mut out = [0; MAX_RESPONSE];
    let later = server.handle(&request(), SOURCE.parse().unwrap(), Time::from_secs(1), &mut out);
    assert!(matches!(later, Ok(Answer::Respond(_))));
    let stats = BindingStats { answered: 3, rate_limited: 1, ignored: 1, ..BindingStats::default() };
    assert_eq!(server.stats(), &stats);
    assert!(!format!("{limit:?}").contains("key"));
}

#[test]
fn a_short_buffer_is_the_callers_error() {
    let mut server = server();
    let source = SOURCE.parse().unwrap();
    for len in 0..32 {
        let mut out = [0; 32];
        let answer = server.handle(&request(), source, Time::ZERO, &mut out[..len]);
        assert_eq!(answer, Err(EncodeError::BufferTooSmall), "{len} bytes");
    }
    assert_eq!(server.handle(&request(), source, Time::ZERO, &mut [0; 32]), Ok(Answer::Respond(32)));
    assert_eq!(server.stats().answered, 1);
}

proptest! {
    #[test]
    fn any_datagram_is_survived_and_never_amplified_beyond_need(
        body in proptest::collection::vec(any::<u8>(), 0..200),
        ip: IpAddr,
        port: u16,
    ) {
        // A valid header, so that many of the bodies get past it.
        let mut datagram = request();
        datagram.extend(&body[..body.len() & !3]);
        let length = (datagram.len() - HEADER_LEN) as u16;
        datagram[2..4].copy_from_slice(&length.to_be_bytes());
        let mut out = [0; MAX_RESPONSE];
        let answer = server().handle(&datagram, SocketAddr::new(ip, port), Time::ZERO, &mut out).unwrap();
        if let Answer::Respond(len) = answer {
            // XOR-MAPPED-ADDRESS, or the two attributes of a 420, and nothing else.
            prop_assert!(len <= datagram.len() + ERROR_CODE_LEN + 8);
            let response = Message::parse(&out[..len]).unwrap();
            prop_assert!(matches!(response.class(), Class::Success | Class::Error));
        }
    }
}
