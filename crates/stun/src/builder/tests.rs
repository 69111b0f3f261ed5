use std::format;
use std::vec::Vec;

use proptest::prelude::*;

use super::*;
use crate::attributes::{Data, ErrorCode, IceControlling, Priority, Software, UseCandidate, Username};

const ID: TransactionId = TransactionId::new(*b"transaction!");

fn request(out: &mut [u8]) -> MessageBuilder<'_> {
    MessageBuilder::new(out, Class::Request, Method::BINDING, ID)
}

/// A connectivity check with everything on it.
fn check(out: &mut [u8]) -> Result<usize, EncodeError> {
    request(out)
        .attribute(&Username::new("evtj:h6vY"))
        .attribute(&IceControlling(0x0102_0304_0506_0708))
        .attribute(&Priority(0x6e00_01ff))
        .attribute(&UseCandidate)
        .both_integrities(&Key::short_term("secret"))
        .fingerprint()
        .finish()
}

#[test]
fn a_buffer_of_any_size_is_an_error_or_enough() {
    let mut whole = [0; 256];
    let len = check(&mut whole).unwrap();
    for size in 0..=len {
        // A canary behind what the builder may touch.
        let mut out = [0xEE; 256];
        let result = check(&mut out[..size]);
        if size < len {
            assert_eq!(result, Err(EncodeError::BufferTooSmall), "{size} bytes");
        } else {
            assert_eq!(result, Ok(len));
            assert_eq!(out[..len], whole[..len]);
        }
        assert!(out[size..].iter().all(|&byte| byte == 0xEE), "{size} bytes");
    }
}

#[test]
fn padding_is_zero_whatever_the_buffer_held() {
    for len in 0..9 {
        let mut out = [0xEE; 64];
        let end = request(&mut out).attribute(&Software::new(&"xxxxxxxx"[..len.min(8)])).finish().unwrap();
        let value_end = 24 + len.min(8);
        assert_eq!(end % 4, 0);
        assert!(out[value_end..end].iter().all(|&byte| byte == 0), "{len}");
        assert_eq!(usize::from(out[23]), len.min(8), "the length field leaves the padding out");
    }
}

#[test]
fn the_header_is_as_section_5_draws_it() {
    let mut out = [0xEE; 20];
    assert_eq!(MessageBuilder::new(&mut out, Class::Error, Method::ALLOCATE, ID).finish(), Ok(20));
    assert_eq!(out[..8], [0x01, 0x13, 0, 0, 0x21, 0x12, 0xA4, 0x42]);
    assert_eq!(&out[8..], ID.as_bytes());
}

#[test]
fn a_response_takes_method_and_id_from_its_request() {
    let mut out = [0; 20];
    let len = MessageBuilder::new(&mut out, Class::Request, Method::REFRESH, ID).finish().unwrap();
    let request = Message::parse(&out[..len]).unwrap();
    let mut answer = [0; 64];
    let builder = MessageBuilder::response(&mut answer, Class::Error, &request);
    let len = builder.attribute(&ErrorCode::STALE_NONCE).finish().unwrap();
    let answer = Message::parse(&answer[..len]).unwrap();
    assert_eq!(
        (answer.class(), answer.method(), answer.transaction_id()),
        (Class::Error, Method::REFRESH, ID)
    );
}

#[test]
fn maybe_adds_what_is_there() {
    let mut out = [0; 64];
    let len = request(&mut out).maybe(Some(&Priority(1))).maybe::<UseCandidate>(None).finish().unwrap();
    let message = Message::parse(&out[..len]).unwrap();
    assert_eq!(message.get(), Ok(Some(Priority(1))));
    assert_eq!(message.get::<UseCandidate>(), Ok(None));
}

#[test]
fn a_raw_attribute_goes_in_as_it_is_but_cannot_pose_as_integrity() {
    let mut out = [0; 64];
    let raw = RawAttribute { kind: AttributeType::new(0x7ABC), value: b"value" };
    let len = request(&mut out).raw_attribute(raw).finish().unwrap();
    assert_eq!(Message::parse(&out[..len]).unwrap().attributes().next(), Some(raw));
    for kind in [0x0008, 0x001C, 0x8028].map(AttributeType::new) {
        let result = request(&mut out).raw_attribute(RawAttribute { kind, value: &[0; 20] }).finish();
        assert_eq!(result, Err(EncodeError::ReservedAttribute(kind)));
    }
}

#[test]
fn the_first_error_is_the_one_returned() {
    let mut out = [0; 600];
    let long = "x".repeat(509);
    let builder = request(&mut out)
        .attribute(&Username::new(&long))
        .attribute(&ErrorCode::new(299, ""))
        .attribute(&Data(&[0; 1000]));
    assert!(format!("{builder:?}").contains("AttributeTooLong"));
    let key = Key::short_term("secret");
    let result = builder.integrity(&key, IntegrityAlgorithm::Sha1).fingerprint().finish();
    assert_eq!(result, Err(EncodeError::AttributeTooLong(AttributeType::USERNAME)));
}

#[test]
fn a_message_longer_than_its_length_field_can_say_is_an_error() {
    let mut out = std::vec![0; 140_000];
    let data = std::vec![0; 65_532];
    let too_long = Err(EncodeError::MessageTooLong);
    assert_eq!(request(&mut out).attribute(&Data(&data)).finish(), too_long);
    assert_eq!(request(&mut out).attribute(&Data(&data[..65_528])).finish(), Ok(65_552));
    assert_eq!(request(&mut out).attribute(&Data(&data[..65_528])).fingerprint().finish(), too_long);
    let key = Key::short_term("secret");
    let sealed =
        request(&mut out).attribute(&Data(&data[..65_528])).integrity(&key, IntegrityAlgorithm::Sha1);
    assert_eq!(sealed.finish(), too_long);
    let twice = request(&mut out).attribute(&Data(&data)).attribute(&Data(&data)).fingerprint().finish();
    assert_eq!(twice, too_long);
    let result = request(&mut out).attribute(&Data(&std::vec![0; 65_536])).finish();
    assert_eq!(result, Err(EncodeError::AttributeTooLong(AttributeType::DATA)));
}

#[test]
fn errors_say_what_to_do() {
    assert_eq!(format!("{}", EncodeError::BufferTooSmall), "the output buffer is too small");
    let kind = AttributeType::USERNAME;
    assert_eq!(
        format!("{}", EncodeError::AttributeTooLong(kind)),
        "the value of attribute USERNAME is too long"
    );
}

proptest! {
    #[test]
    fn what_is_built_parses_to_the_same(
        class in prop_oneof![Just(Class::Request), Just(Class::Indication), Just(Class::Success), Just(Class::Error)],
        method in 0..0x1000u16,
        id: [u8; 12],
        attributes in proptest::collection::vec((any::<u16>(), proptest::collection::vec(any::<u8>(), 0..50)), 0..8),
        fingerprint: bool,
        seal in 0..4,
    ) {
        let reserved = [0x0008, 0x001C, 0x8028];
        let attributes: Vec<_> = attributes.into_iter().filter(|(kind, _)| !reserved.contains(kind)).collect();
        let raw: Vec<_> = attributes
            .iter()
            .map(|(kind, value)| RawAttribute { kind: AttributeType::new(*kind), value })
            .collect();
        let (id, method, key) = (TransactionId::new(id), Method::new(method).unwrap(), Key::short_term("secret"));
        let mut out = [0xEE; 1024];
        let builder = raw.iter().fold(MessageBuilder::new(&mut out, class, method, id), |b, &a| b.raw_attribute(a));
        let sealed = match seal {
            0 => builder.at_stage(),
            1 => builder.integrity(&key, IntegrityAlgorithm::Sha1),
            2 => builder.integrity(&key, IntegrityAlgorithm::Sha256),
            _ => builder.both_integrities(&key),
        };
        let len = if fingerprint { sealed.fingerprint().finish() } else { sealed.finish() }.unwrap();
        let message = Message::parse(&out[..len]).unwrap();
        prop_assert_eq!((message.class(), message.method(), message.transaction_id()), (class, method, id));
        prop_assert_eq!(message.has_fingerprint(), fingerprint);
        prop_assert_eq!(message.verify(&key).is_ok(), seal != 0);
        prop_assert!(message.attributes().take(raw.len()).eq(raw.iter().copied()));
    }
}
