use std::format;
use std::vec::Vec;

use proptest::prelude::*;

use super::*;
use crate::attributes::{Priority, Software, UseCandidate, Username, XorPeerAddress};
use crate::header::padded;

/// A Binding request with these attributes, put together by hand: type, length field, bytes with padding.
fn message(attributes: &[(u16, u16, &[u8])]) -> Vec<u8> {
    let mut bytes = [0x00, 0x01, 0, 0, 0x21, 0x12, 0xA4, 0x42].to_vec();
    bytes.extend(*b"transaction!");
    for (kind, len, value) in attributes {
        bytes.extend(kind.to_be_bytes());
        bytes.extend(len.to_be_bytes());
        bytes.extend(*value);
    }
    set_length(&mut bytes);
    bytes
}

fn set_length(bytes: &mut [u8]) {
    let length = (bytes.len() - HEADER_LEN) as u16;
    bytes[2..4].copy_from_slice(&length.to_be_bytes());
}

/// Appends a correct FINGERPRINT.
fn fingerprinted(mut bytes: Vec<u8>) -> Vec<u8> {
    let offset = bytes.len();
    bytes.extend([0x80, 0x28, 0, 4, 0, 0, 0, 0]);
    set_length(&mut bytes);
    let crc = crc32fast::hash(&bytes[..offset]) ^ 0x5354_554E;
    bytes[offset + 4..].copy_from_slice(&crc.to_be_bytes());
    bytes
}

fn kinds(bytes: &[u8]) -> Vec<u16> {
    let message = Message::parse(bytes).unwrap();
    let kinds: Vec<u16> = message.attributes().map(|raw| raw.kind.number()).collect();
    let content = message.content().map(|raw| raw.kind.number());
    assert!(content.eq(kinds.iter().copied().filter(|kind| ![0x0008, 0x001C, 0x8028].contains(kind))));
    kinds
}

const MI: (u16, u16, &[u8]) = (0x0008, 20, &[0; 20]);
const MI_SHA256: (u16, u16, &[u8]) = (0x001C, 32, &[0; 32]);
const PRIORITY: (u16, u16, &[u8]) = (0x0024, 4, &[0, 0, 0, 1]);
const SOFTWARE: (u16, u16, &[u8]) = (0x8022, 3, b"abc\0");

#[test]
fn a_truncated_message_is_rejected_at_every_length() {
    let bytes = fingerprinted(message(&[PRIORITY, SOFTWARE]));
    for len in 0..bytes.len() {
        let expected = if len < 20 { DecodeError::HeaderTruncated } else { DecodeError::Truncated(24) };
        assert_eq!(Message::parse(&bytes[..len]).unwrap_err(), expected, "{len} bytes");
        assert_eq!(Message::parse_prefix(&bytes[..len]).unwrap_err(), expected, "{len} bytes");
    }
}

#[test]
fn a_datagram_ends_with_its_message_but_a_stream_goes_on() {
    let first = message(&[PRIORITY]);
    let mut stream = first.clone();
    stream.extend(message(&[SOFTWARE, PRIORITY]));
    assert_eq!(Message::parse(&stream).unwrap_err(), DecodeError::TrailingBytes(8));
    let (message, rest) = Message::parse_prefix(&stream).unwrap();
    assert_eq!(message.as_bytes(), first);
    assert_eq!(kinds(rest), [0x8022, 0x0024]);
    for len in 0..20 {
        assert_eq!(Message::frame_len(&stream[..len]), Ok(None));
    }
    assert_eq!(Message::frame_len(&stream), Ok(Some(28)));
    assert_eq!(Message::frame_len(rest), Ok(Some(36)));
}

#[test]
fn a_header_that_is_not_stuns_is_rejected() {
    let change = |index: usize, value: u8| {
        let mut bytes = message(&[PRIORITY]);
        bytes[index] = value;
        let error = Message::parse(&bytes).unwrap_err();
        assert_eq!(Message::frame_len(&bytes).err(), Some(error), "{error}");
        error
    };
    assert_eq!(change(0, 0x40), DecodeError::LeadingBits);
    assert_eq!(change(0, 0x80), DecodeError::LeadingBits);
    for index in 4..8 {
        assert_eq!(change(index, 0xFF), DecodeError::MagicCookie);
    }
    for length in [1, 2, 3, 5, 7, 9] {
        assert_eq!(change(3, length), DecodeError::UnalignedLength(length.into()));
    }
    let mut short = message(&[PRIORITY]);
    short[3] = 4;
    assert_eq!(Message::parse(&short).unwrap_err(), DecodeError::TrailingBytes(4));
}

#[test]
fn an_attribute_that_runs_past_the_message_is_rejected() {
    let overrun = |bytes: &[u8]| Message::parse(bytes).unwrap_err();
    let priority = DecodeError::AttributeOverrun(AttributeType::PRIORITY);
    for len in [5, 8, 0xFFFC, 0xFFFF] {
        assert_eq!(overrun(&message(&[(0x0024, len, &[0; 4])])), priority, "length {len}");
        assert_eq!(overrun(&message(&[SOFTWARE, (0x0024, len, &[0; 4])])), priority, "length {len}");
    }
    assert_eq!(overrun(&message(&[(0x0024, 1, &[])])), priority);
}

#[test]
fn the_largest_message_parses() {
    let value = std::vec![0; 65_528];
    let bytes = message(&[(0x8022, 65_528, &value)]);
    assert_eq!(Message::parse(&bytes).unwrap().attributes().next().unwrap().value.len(), 65_528);
}

#[test]
fn padding_is_ignored_whatever_it_holds() {
    let bytes = message(&[(0x8022, 1, b"a\xFF\xFF\xFF"), PRIORITY]);
    let message = Message::parse(&bytes).unwrap();
    assert_eq!(message.get(), Ok(Some(Software::new("a"))));
    assert_eq!(message.get(), Ok(Some(Priority(1))));
}

#[test]
fn a_bad_fingerprint_is_not_stun() {
    let good = fingerprinted(message(&[PRIORITY, SOFTWARE]));
    assert!(Message::parse(&good).unwrap().has_fingerprint());
    // Every byte but the two of the length field, which fail earlier.
    for index in (0..good.len()).filter(|index| !(2..4).contains(index)) {
        let mut bad = good.clone();
        bad[index] ^= 1;
        assert_ne!(Message::parse(&bad).map(|message| message.has_fingerprint()), Ok(true), "byte {index}");
    }
    let mut bad = good;
    *bad.last_mut().unwrap() ^= 1;
    assert_eq!(Message::parse(&bad).unwrap_err(), DecodeError::Fingerprint);
    assert!(!Message::parse(&message(&[PRIORITY])).unwrap().has_fingerprint());
}

#[test]
fn the_attributes_that_protect_have_fixed_sizes() {
    let error = |attribute| Message::parse(&message(&[attribute])).unwrap_err();
    for len in [0, 16, 24, 32] {
        let expected = DecodeError::AttributeLength(AttributeType::MESSAGE_INTEGRITY);
        assert_eq!(error((0x0008, len, &[0; 32][..usize::from(len)])), expected);
    }
    for len in [0, 12, 17, 18, 30, 36] {
        let expected = DecodeError::AttributeLength(AttributeType::MESSAGE_INTEGRITY_SHA256);
        assert_eq!(error((0x001C, len, &[0; 36][..padded(usize::from(len))])), expected);
    }
    for len in [0, 1, 3, 8] {
        let expected = DecodeError::AttributeLength(AttributeType::FINGERPRINT);
        assert_eq!(error((0x8028, len, &[0; 8][..padded(usize::from(len))])), expected);
    }
}

#[test]
fn after_message_integrity_only_sha256_and_fingerprint_count() {
    let bytes = message(&[PRIORITY, MI, SOFTWARE, (0x0025, 0, &[]), MI_SHA256, (0x7777, 0, &[])]);
    assert_eq!(kinds(&bytes), [0x0024, 0x0008, 0x001C]);
    let bytes = fingerprinted(bytes);
    assert_eq!(kinds(&bytes), [0x0024, 0x0008, 0x001C, 0x8028]);
    let message = Message::parse(&bytes).unwrap();
    assert_eq!(message.get::<UseCandidate>(), Ok(None));
    assert_eq!(message.get::<Software<'_>>(), Ok(None));
    assert_eq!(message.unknown_required(&[AttributeType::PRIORITY]).count(), 0);
}

#[test]
fn the_usual_end_is_told_from_others_of_its_length() {
    let bytes = message(&[PRIORITY, MI, PRIORITY]);
    assert_eq!(kinds(&bytes), [0x0024, 0x0008]);
    let bytes = fingerprinted(message(&[PRIORITY, (0x001C, 20, &[0; 20])]));
    assert_eq!(kinds(&bytes), [0x0024, 0x001C, 0x8028]);
    let message = Message::parse(&bytes).unwrap();
    let trailer = message.trailer();
    assert_eq!((trailer.integrity(), trailer.integrity_sha256()), (None, Some(7)));
}

#[test]
fn after_sha256_only_fingerprint_counts() {
    let bytes = fingerprinted(message(&[PRIORITY, MI_SHA256, MI, SOFTWARE]));
    assert_eq!(kinds(&bytes), [0x0024, 0x001C, 0x8028]);
}

#[test]
fn after_fingerprint_nothing_counts() {
    let mut bytes = message(&[PRIORITY]);
    let offset = bytes.len();
    bytes.extend([0x80, 0x28, 0, 4, 0, 0, 0, 0]);
    // A second FINGERPRINT, an integrity attribute and a flag.
    bytes.extend([0x80, 0x28, 0, 4, 1, 2, 3, 4, 0x00, 0x08, 0, 20]);
    bytes.extend([0; 20]);
    bytes.extend([0x00, 0x25, 0, 0]);
    set_length(&mut bytes);
    let crc = crc32fast::hash(&bytes[..offset]) ^ 0x5354_554E;
    bytes[offset + 4..offset + 8].copy_from_slice(&crc.to_be_bytes());
    assert_eq!(kinds(&bytes), [0x0024, 0x8028]);
    assert!(!Message::parse(&bytes).unwrap().has_integrity());
}

#[test]
fn the_first_occurrence_counts_unless_all_are_asked_for() {
    let bytes = message(&[PRIORITY, (0x0024, 4, &[0, 0, 0, 2]), MI, MI, MI_SHA256, MI_SHA256]);
    let message = Message::parse(&bytes).unwrap();
    assert_eq!(message.get(), Ok(Some(Priority(1))));
    assert!(message.get_all::<Priority>().eq([Ok(Priority(1)), Ok(Priority(2))]));
    assert_eq!(kinds(&bytes), [0x0024, 0x0024, 0x0008, 0x001C]);
    // The first one counts even where only a later one could be read.
    let bytes = self::message(&[(0x0024, 3, &[0; 4]), PRIORITY]);
    let error = DecodeError::AttributeLength(AttributeType::PRIORITY);
    assert_eq!(Message::parse(&bytes).unwrap().get::<Priority>(), Err(error));
    assert_eq!(Message::parse(&bytes).unwrap().get_all::<XorPeerAddress>().count(), 0);
}

#[test]
fn unknown_required_attributes_are_found() {
    let bytes =
        message(&[(0x7FFF, 0, &[]), PRIORITY, (0x8000, 0, &[]), (0x0000, 0, &[]), (0x7FFF, 0, &[]), MI]);
    let message = Message::parse(&bytes).unwrap();
    let unknown: Vec<_> =
        message.unknown_required(&[AttributeType::PRIORITY]).map(AttributeType::number).collect();
    assert_eq!(unknown, [0x7FFF, 0x0000, 0x7FFF]);
    assert_eq!(message.unknown_required(&[]).count(), 4);
}

#[test]
fn debug_shows_types_and_no_values() {
    let bytes = message(&[(0x0006, 4, b"user"), MI]);
    let message = Message::parse(&bytes).unwrap();
    assert_eq!(message.get(), Ok(Some(Username::new("user"))));
    let expected = "Binding request 7472616e73616374696f6e21 [USERNAME[4], MESSAGE-INTEGRITY[20]]";
    assert_eq!(format!("{message:?}"), expected);
}

#[test]
fn a_view_is_small() {
    assert!(size_of::<Message<'_>>() <= 24 && size_of::<DecodeError>() <= 4);
}

/// Everything there is to call on bytes of unknown origin.
fn exercise(bytes: &[u8]) {
    let _ = Message::frame_len(bytes);
    if let Ok((message, rest)) = Message::parse_prefix(bytes) {
        assert_eq!(message.as_bytes().len() + rest.len(), bytes.len());
        let mut visited = Vec::new();
        let whole = &bytes[..message.as_bytes().len()];
        assert!(Message::parse_with(whole, |raw| visited.push(raw)).is_ok());
        assert!(visited.into_iter().eq(message.content()), "one walk shows what the other does");
        let count = message.attributes().inspect(|raw| assert!(raw.value.len() <= bytes.len())).count();
        assert!(count <= bytes.len() / 4);
        assert!(message.unknown_required(&[]).count() <= count);
        let _ = (message.class(), message.method(), format!("{message:?}"));
    }
}

proptest! {
    #[test]
    fn any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        exercise(&bytes);
    }

    #[test]
    fn any_bytes_behind_a_good_header_are_survived(
        body in proptest::collection::vec(any::<u8>(), 0..300),
        kinds in proptest::collection::vec((any::<u16>(), 0..40u16), 0..12),
    ) {
        let mut bytes = message(&[]);
        bytes.extend(&body);
        bytes.truncate(bytes.len() & !3);
        set_length(&mut bytes);
        exercise(&bytes);
        // Well-formed attributes of any type.
        let values: Vec<_> =
            kinds.iter().map(|&(kind, len)| (kind, len, &[0x5A; 40][..padded(len.into())])).collect();
        exercise(&message(&values));
    }
}
