use std::format;
use std::string::String;
use std::vec::Vec;

use super::*;
use crate::{Attribute, AttributeType, Class, DecodeError, EncodeError, Message, MessageBuilder, Method};
use crate::{RawAttribute, TransactionId};

const ID: TransactionId = TransactionId::new(*b"transaction!");

/// The value of an attribute as it goes over the wire.
fn encode<'a, A: Attribute<'a>>(attribute: &A) -> Result<Vec<u8>, EncodeError> {
    let mut out = [0xEE; 2048];
    let len =
        MessageBuilder::new(&mut out, Class::Request, Method::BINDING, ID).attribute(attribute).finish()?;
    let message = Message::parse(&out[..len]).unwrap();
    let raw = message.attributes().next().unwrap();
    assert_eq!(raw.kind, A::TYPE);
    Ok(raw.value.to_vec())
}

fn decode<'a, A: Attribute<'a>>(value: &'a [u8]) -> Result<A, DecodeError> {
    A::decode(RawAttribute { kind: A::TYPE, value }, &ID)
}

/// The attribute has this wire form, both ways, and no shorter or longer one decodes.
#[track_caller]
fn fixed<'a, A: Attribute<'a> + PartialEq + core::fmt::Debug>(attribute: &A, wire: &'a [u8]) {
    assert_eq!(encode(attribute).unwrap(), wire);
    assert_eq!(decode::<A>(wire).unwrap(), *attribute);
    let other_lengths = [0; 64];
    for len in (0..64).filter(|&len| len != wire.len()) {
        // Lengths apart, the bytes are plausible: those of the right value.
        let mut value = other_lengths[..len].to_vec();
        let common = len.min(wire.len());
        value[..common].copy_from_slice(&wire[..common]);
        let error = DecodeError::AttributeLength(A::TYPE);
        let value: &'static [u8] = value.leak();
        assert_eq!(A::decode(RawAttribute { kind: A::TYPE, value }, &ID), Err(error), "{len} bytes");
    }
}

#[test]
fn fixed_size_attributes_have_exactly_their_size() {
    fixed(&Priority(0x0102_0304), &[1, 2, 3, 4]);
    fixed(&IceControlled(0x0102_0304_0506_0708), &[1, 2, 3, 4, 5, 6, 7, 8]);
    fixed(&IceControlling(0x0102_0304_0506_0708), &[1, 2, 3, 4, 5, 6, 7, 8]);
    fixed(&UseCandidate, &[]);
    fixed(&Nomination::MAX, &[0, 0xFF, 0xFF, 0xFF]);
    fixed(&Lifetime(600), &[0, 0, 2, 88]);
    fixed(&ConnectionId(7), &[0, 0, 0, 7]);
    fixed(&ChannelNumber(0x4001), &[0x40, 1, 0, 0]);
    fixed(&DontFragment, &[]);
    fixed(&EvenPort { reserve_next: true }, &[0x80]);
    fixed(&RequestedTransport::UDP, &[17, 0, 0, 0]);
    fixed(&RequestedAddressFamily(AddressFamily::Ipv6), &[2, 0, 0, 0]);
    fixed(&AdditionalAddressFamily(AddressFamily::Ipv4), &[1, 0, 0, 0]);
    fixed(&ReservationToken(*b"8 bytes!"), b"8 bytes!");
    fixed(&Icmp { icmp_type: 3, code: 4, data: [0, 0, 5, 0xDC] }, &[0, 0, 3, 4, 0, 0, 5, 0xDC]);
    fixed(&ChangeRequest { change_ip: true, change_port: false }, &[0, 0, 0, 4]);
    fixed(&ChangeRequest { change_ip: false, change_port: true }, &[0, 0, 0, 2]);
    fixed(&Userhash([9; 32]), &[9; 32]);
}

#[test]
fn reserved_bits_are_ignored() {
    assert_eq!(decode(&[0xFF, 0, 0, 9]), Ok(Nomination::new(9)));
    assert_eq!(decode(&[0x40, 1, 0xFF, 0xFF]), Ok(ChannelNumber(0x4001)));
    assert_eq!(decode(&[0xFF]), Ok(EvenPort { reserve_next: true }));
    assert_eq!(decode(&[0x7F]), Ok(EvenPort { reserve_next: false }));
    assert_eq!(decode(&[6, 1, 2, 3]), Ok(RequestedTransport::TCP));
    assert_eq!(decode(&[1, 9, 9, 9]), Ok(RequestedAddressFamily(AddressFamily::Ipv4)));
    assert_eq!(decode(&[0xFF, 0xFF, 1, 2, 0, 0, 0, 0]), Ok(Icmp { icmp_type: 1, code: 2, data: [0; 4] }));
    let none = ChangeRequest { change_ip: false, change_port: false };
    assert_eq!(decode(&[0xFF, 0xFF, 0xFF, 0xF9]), Ok(none));
}

#[test]
fn response_port_has_two_lengths() {
    assert_eq!(encode(&ResponsePort(3478)).unwrap(), [13, 150, 0, 0]);
    assert_eq!(decode(&[13, 150, 0xFF, 0xFF]), Ok(ResponsePort(3478)));
    assert_eq!(decode(&[13, 150]), Ok(ResponsePort(3478)));
    for len in [0, 1, 3, 5] {
        let error = DecodeError::AttributeLength(AttributeType::RESPONSE_PORT);
        assert_eq!(decode::<ResponsePort>(&[0; 5][..len]), Err(error));
    }
}

#[test]
fn plain_addresses() {
    let v4 = "192.0.2.1:32853".parse().unwrap();
    let v6 = "[2001:db8::1]:443".parse().unwrap();
    let wire_v6 = [0, 2, 1, 187, 0x20, 1, 0x0D, 0xB8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
    fixed(&MappedAddress(v4), &[0, 1, 0x80, 0x55, 192, 0, 2, 1]);
    fixed(&MappedAddress(v6), &wire_v6);
    fixed(&AlternateServer(v6), &wire_v6);
    fixed(&ResponseOrigin(v6), &wire_v6);
    fixed(&OtherAddress(v4), &[0, 1, 0x80, 0x55, 192, 0, 2, 1]);
    // The first byte is ignored (RFC 8489 §14.1).
    assert_eq!(decode(&[0xFF, 1, 0x80, 0x55, 192, 0, 2, 1]), Ok(MappedAddress(v4)));
}

#[test]
fn obfuscated_addresses() {
    let v4 = "192.0.2.1:32853".parse().unwrap();
    let wire = [0, 1, 0xA1, 0x47, 0xE1, 0x12, 0xA6, 0x43];
    fixed(&XorMappedAddress(v4), &wire);
    fixed(&XorPeerAddress(v4), &wire);
    fixed(&XorRelayedAddress(v4), &wire);
    // All ones come out as the complement of cookie and transaction id.
    let v6 = "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535".parse().unwrap();
    let mut wire = [0, 2, 0x21, 0x12, 0x21, 0x12, 0xA4, 0x42].to_vec();
    wire.extend(ID.as_bytes());
    wire[2..].iter_mut().for_each(|byte| *byte ^= 0xFF);
    fixed(&XorMappedAddress(v6), &wire);
}

#[test]
fn an_address_of_an_unknown_family_is_an_error() {
    for family in [0, 3, 255] {
        let error = DecodeError::AddressFamily(AttributeType::XOR_MAPPED_ADDRESS);
        assert_eq!(decode::<XorMappedAddress>(&[0, family, 0, 0, 0, 0, 0, 0]), Err(error));
        let error = DecodeError::AddressFamily(AttributeType::REQUESTED_ADDRESS_FAMILY);
        assert_eq!(decode::<RequestedAddressFamily>(&[family, 0, 0, 0]), Err(error));
    }
}

#[test]
fn an_address_never_runs_into_the_next_attribute() {
    // XOR-MAPPED-ADDRESS that says IPv6 but has room for IPv4 only; what follows would do for the rest.
    let mut out = [0; 128];
    let len = MessageBuilder::new(&mut out, Class::Success, Method::BINDING, ID)
        .raw_attribute(RawAttribute { kind: XorMappedAddress::TYPE, value: &[0, 2, 0, 1, 1, 2, 3, 4] })
        .attribute(&Software::new("twelve bytes and more"))
        .finish()
        .unwrap();
    let message = Message::parse(&out[..len]).unwrap();
    let error = DecodeError::AttributeLength(AttributeType::XOR_MAPPED_ADDRESS);
    assert_eq!(message.get::<XorMappedAddress>(), Err(error));
}

#[test]
fn error_codes() {
    assert_eq!(encode(&ErrorCode::ROLE_CONFLICT).unwrap(), b"\0\0\x04\x57Role Conflict");
    assert_eq!(decode(b"\0\0\x04\x57Role Conflict"), Ok(ErrorCode::ROLE_CONFLICT));
    // The 21 reserved bits (RFC 8489 §14.8).
    assert_eq!(decode(b"\xFF\xFF\xFC\x57Role Conflict"), Ok(ErrorCode::ROLE_CONFLICT));
    assert_eq!(decode(&[0, 0, 3, 0]), Ok(ErrorCode::new(300, "")));
    assert_eq!(decode(&[0, 0, 6, 99]), Ok(ErrorCode::new(699, "")));
    for [class, number] in [[0, 0], [1, 0], [2, 99], [7, 0], [3, 100], [6, 255]] {
        let error = DecodeError::ErrorCodeRange(AttributeType::ERROR_CODE);
        assert_eq!(decode::<ErrorCode<'_>>(&[0, 0, class, number]), Err(error), "{class} {number}");
    }
    let value = [[0, 0, 4, 1].as_slice(), &[b'x'; 764]].concat();
    let error = DecodeError::AttributeLength(AttributeType::ERROR_CODE);
    assert_eq!(decode::<ErrorCode<'_>>(&value[..767]).unwrap().reason_bytes().len(), 763);
    for value in [&[][..], &[0], &[0, 0, 4], &value] {
        assert_eq!(decode::<ErrorCode<'_>>(value), Err(error));
    }
    for code in [0, 299, 700, u16::MAX] {
        let error = Err(EncodeError::InvalidValue(AttributeType::ERROR_CODE));
        assert_eq!(encode(&ErrorCode::new(code, "")), error);
    }
}

#[test]
fn the_codes_of_rfc_8489_have_their_reasons() {
    // §14.8.
    for (error, code, reason) in [
        (ErrorCode::TRY_ALTERNATE, 300, "Try Alternate"),
        (ErrorCode::BAD_REQUEST, 400, "Bad Request"),
        (ErrorCode::UNAUTHENTICATED, 401, "Unauthenticated"),
        (ErrorCode::UNKNOWN_ATTRIBUTE, 420, "Unknown Attribute"),
        (ErrorCode::STALE_NONCE, 438, "Stale Nonce"),
        (ErrorCode::SERVER_ERROR, 500, "Server Error"),
    ] {
        assert_eq!((error.code(), error.reason()), (code, Ok(reason)));
    }
}

#[test]
fn a_reason_that_is_not_utf8_spoils_only_itself() {
    let error = decode::<ErrorCode<'_>>(b"\0\0\x04\x01\xFF\xFE").unwrap();
    assert_eq!(error.code(), 401);
    assert_eq!(error.reason(), Err(DecodeError::NotUtf8(AttributeType::ERROR_CODE)));
    assert_eq!(ErrorCode::UNAUTHENTICATED.reason(), Ok("Unauthenticated"));
    assert_eq!(format!("{error:?}"), r#"ErrorCode(401 "\xff\xfe")"#);
}

#[test]
fn address_error_codes() {
    let error = AddressErrorCode::new(AddressFamily::Ipv6, ErrorCode::new(440, "no"));
    assert_eq!(encode(&error).unwrap(), b"\x02\0\x04\x28no");
    assert_eq!(decode(b"\x02\xFF\xFC\x28no"), Ok(error));
    assert_eq!((error.family(), error.error().code()), (AddressFamily::Ipv6, 440));
    let kind = AttributeType::ADDRESS_ERROR_CODE;
    assert_eq!(decode::<AddressErrorCode<'_>>(b"\x03\0\x04\x28"), Err(DecodeError::AddressFamily(kind)));
    assert_eq!(decode::<AddressErrorCode<'_>>(b"\x01\0\x02\x28"), Err(DecodeError::ErrorCodeRange(kind)));
    assert_eq!(decode::<AddressErrorCode<'_>>(b"\x01\0\x04"), Err(DecodeError::AttributeLength(kind)));
}

#[test]
fn unknown_attributes_is_a_list_of_types() {
    let types = [0x7001, 0x0003, 0x7FFF].map(AttributeType::new);
    let given = UnknownAttributes::new(&types);
    let wire = encode(&given).unwrap();
    assert_eq!(wire, [0x70, 1, 0, 3, 0x7F, 0xFF]);
    let received = decode::<UnknownAttributes<'_>>(&wire).unwrap();
    assert_eq!(received, given);
    assert!(received.iter().eq(types) && received.len() == 3 && !received.is_empty());
    assert_eq!(encode(&received).unwrap(), wire);
    assert!(decode::<UnknownAttributes<'_>>(&[]).unwrap().is_empty());
    let error = DecodeError::AttributeLength(AttributeType::UNKNOWN_ATTRIBUTES);
    assert_eq!(decode::<UnknownAttributes<'_>>(&wire[..5]), Err(error));
    assert_eq!(format!("{received:?}"), "UnknownAttributes[0x7001, CHANGE-REQUEST, 0x7fff]");
}

#[test]
fn username_is_sent_with_508_bytes_and_accepted_with_763() {
    let name = "n".repeat(764);
    assert_eq!(encode(&Username::new(&name[..508])).unwrap().len(), 508);
    let too_long = EncodeError::AttributeTooLong(AttributeType::USERNAME);
    assert_eq!(encode(&Username::new(&name[..509])), Err(too_long));
    assert_eq!(decode(&name.as_bytes()[..763]), Ok(Username::new(&name[..763])));
    let error = DecodeError::AttributeLength(AttributeType::USERNAME);
    assert_eq!(decode::<Username<'_>>(name.as_bytes()), Err(error));
    assert_eq!(decode::<Username<'_>>(&[]).unwrap().as_bytes(), []);
}

#[test]
fn other_texts_are_sent_with_fewer_than_128_characters() {
    // Four bytes each: 127 of them take 508 bytes.
    let crabs = "🦀".repeat(128);
    assert_eq!(encode(&Software::new(&crabs[..508])).unwrap().len(), 508);
    let too_long = EncodeError::AttributeTooLong(AttributeType::SOFTWARE);
    assert_eq!(encode(&Software::new(&crabs)), Err(too_long));
    assert_eq!(encode(&Software::new(&"s".repeat(128))), Err(too_long));
    assert!(encode(&Realm::new(&"r".repeat(127))).is_ok());
    assert!(encode(&Realm::new(&"r".repeat(128))).is_err());
    assert!(encode(&Nonce::new(&"n".repeat(128))).is_err());
    assert!(encode(&ErrorCode::new(400, &"e".repeat(128))).is_err());
    assert!(encode(&AlternateDomain::new(&"d".repeat(255))).is_ok());
    assert!(encode(&AlternateDomain::new(&"d".repeat(256))).is_err());
    let received = "r".repeat(764);
    assert!(decode::<Realm<'_>>(&received.as_bytes()[..763]).is_ok());
    assert!(decode::<Realm<'_>>(received.as_bytes()).is_err());
    assert!(decode::<Nonce<'_>>(received.as_bytes()).is_err());
    assert!(decode::<Software<'_>>(received.as_bytes()).is_err());
    assert!(decode::<AlternateDomain<'_>>(&received.as_bytes()[..256]).is_err());
}

#[test]
fn text_that_is_not_utf8_can_be_compared_and_echoed_but_not_read() {
    let nonce = decode::<Nonce<'_>>(b"\xFFnonce").unwrap();
    assert_eq!(nonce.as_str(), Err(DecodeError::NotUtf8(AttributeType::NONCE)));
    assert_eq!(encode(&Nonce::from_bytes(nonce.as_bytes())).unwrap(), b"\xFFnonce");
    assert_eq!(format!("{nonce:?}"), r#"Nonce("\xffnonce")"#);
    assert_eq!(Realm::new("example.org").as_str(), Ok("example.org"));
}

#[test]
fn any_bytes_are_data() {
    for len in [0, 1, 1200] {
        let bytes: Vec<u8> = (0..len).map(|n| n as u8).collect();
        assert_eq!(encode(&Data(&bytes)).unwrap(), bytes);
        assert_eq!(decode(&bytes), Ok(Data(&bytes)));
        assert_eq!(decode(&bytes), Ok(MobilityTicket(&bytes)));
        assert_eq!(decode(&bytes), Ok(Padding(&bytes)));
    }
    assert_eq!(format!("{:?}", Data(b"secret")), "Data[6]");
}

#[test]
fn password_algorithms_round_trip() {
    let odd = PasswordAlgorithm::new(0x7777, b"salt!");
    let offered = [PasswordAlgorithm::SHA256, odd, PasswordAlgorithm::MD5];
    let list = PasswordAlgorithms::new(&offered);
    let wire = encode(&list).unwrap();
    assert_eq!(wire, *b"\0\x02\0\0\x77\x77\0\x05salt!\0\0\0\0\x01\0\0");
    let received = decode::<PasswordAlgorithms<'_>>(&wire).unwrap();
    assert_eq!(received, list);
    assert_eq!(encode(&received).unwrap(), wire, "echoed byte for byte");
    assert_eq!(format!("{received:?}"), "PasswordAlgorithms[SHA-256, algorithm 0x7777[5], MD5]");

    assert_eq!(encode(&PasswordAlgorithm::SHA256).unwrap(), [0, 2, 0, 0]);
    assert_eq!(decode(&[0, 2, 0, 0]), Ok(PasswordAlgorithm::SHA256));
    assert_eq!(decode(b"\x77\x77\0\x05salt!\0\0\0"), Ok(odd));
    assert_eq!((odd.number(), odd.parameters()), (0x7777, &b"salt!"[..]));
    // Padding that the attribute's own length leaves out.
    assert_eq!(decode(b"\x77\x77\0\x05salt!"), Ok(odd));
    let echo = b"\0\x02\0\0\x77\x77\0\x05salt!\xFF\xFF\xFF";
    let sloppy = decode::<PasswordAlgorithms<'_>>(echo).unwrap();
    assert!(sloppy.iter().eq([PasswordAlgorithm::SHA256, odd]), "padding is ignored whatever it holds");
    assert_eq!(encode(&sloppy).unwrap(), echo);
}

#[test]
fn a_malformed_list_of_algorithms_is_an_error() {
    for wire in [&[0][..], &[0, 1, 0], &[0, 1, 0, 1], &[0, 1, 0, 0, 0], &[0, 1, 0xFF, 0xFF, 0, 0, 0, 0]] {
        let error = DecodeError::MalformedList(AttributeType::PASSWORD_ALGORITHMS);
        assert_eq!(decode::<PasswordAlgorithms<'_>>(wire), Err(error), "{wire:?}");
    }
    let error = DecodeError::MalformedList(AttributeType::PASSWORD_ALGORITHM);
    assert_eq!(decode::<PasswordAlgorithm<'_>>(&[0, 1, 0, 1]), Err(error));
    let error = DecodeError::AttributeLength(AttributeType::PASSWORD_ALGORITHM);
    assert_eq!(decode::<PasswordAlgorithm<'_>>(&[0, 1, 0, 0, 0, 2, 0, 0]), Err(error), "one, not two");
    assert_eq!(decode::<PasswordAlgorithms<'_>>(&[]).unwrap().iter().count(), 0);
}

#[test]
fn only_a_channel_number_in_range_is_bindable() {
    let bindable = [0x3FFF, 0x4000, 0x4FFF, 0x5000].map(|number| ChannelNumber(number).is_bindable());
    assert_eq!(bindable, [false, true, true, false]);
}

#[test]
fn errors_name_the_attribute() {
    let text = |error: DecodeError| -> String { format!("{error}") };
    let kind = AttributeType::ERROR_CODE;
    for error in [
        DecodeError::AttributeLength(kind),
        DecodeError::AttributeOverrun(kind),
        DecodeError::AddressFamily(kind),
        DecodeError::ErrorCodeRange(kind),
        DecodeError::NotUtf8(kind),
        DecodeError::MalformedList(kind),
    ] {
        assert!(text(error).contains("ERROR-CODE"), "{error}");
    }
    assert!(text(DecodeError::Truncated(88)).contains("88"));
    assert!(text(DecodeError::ChannelNumber(0x5000)).contains("0x5000"));
}
