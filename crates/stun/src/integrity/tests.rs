use std::format;
use std::vec::Vec;

use proptest::prelude::*;

use super::*;
use crate::attributes::{Priority, Username};
use crate::builder::MessageBuilder;
use crate::header::{Class, Method, TransactionId};

fn key() -> Key {
    Key::short_term("a password of 128 bits")
}

#[derive(Clone, Copy, Debug)]
enum Seal {
    Sha1,
    Sha256,
    Both,
}

fn build(seal: Seal, fingerprint: bool) -> Vec<u8> {
    let mut out = [0; 256];
    let builder = MessageBuilder::new(&mut out, Class::Request, Method::BINDING, TransactionId::new([3; 12]))
        .attribute(&Username::new("remote:local"))
        .attribute(&Priority(17));
    let sealed = match seal {
        Seal::Sha1 => builder.integrity(&key(), IntegrityAlgorithm::Sha1),
        Seal::Sha256 => builder.integrity(&key(), IntegrityAlgorithm::Sha256),
        Seal::Both => builder.both_integrities(&key()),
    };
    let len = if fingerprint { sealed.fingerprint().finish() } else { sealed.finish() }.unwrap();
    out[..len].to_vec()
}

const ALL: [Seal; 3] = [Seal::Sha1, Seal::Sha256, Seal::Both];

#[test]
fn what_is_built_verifies_and_says_how() {
    for fingerprint in [false, true] {
        for (seal, algorithm) in [
            (Seal::Sha1, IntegrityAlgorithm::Sha1),
            (Seal::Sha256, IntegrityAlgorithm::Sha256),
            (Seal::Both, IntegrityAlgorithm::Sha256),
        ] {
            let bytes = build(seal, fingerprint);
            let verified = Message::parse(&bytes).unwrap().verify(&key()).unwrap();
            assert_eq!(verified.algorithm(), algorithm);
            assert_eq!(verified.get(), Ok(Some(Priority(17))));
            assert_eq!(verified.message().as_bytes(), bytes);
            assert!(format!("{verified:?}").starts_with("Verified(Sha"));
        }
    }
}

#[test]
fn a_key_for_sha_1_alone_does_what_a_whole_key_does_and_leaves_sha_256_to_it() {
    let sha1 = Sha1Key::short_term("a password of 128 bits");
    let ours = build(Seal::Sha1, true);
    let verified = Message::parse(&ours).unwrap().verify_sha1(&sha1).unwrap();
    assert_eq!(verified.algorithm(), IntegrityAlgorithm::Sha1);
    let other = Sha1Key::short_term("another password");
    assert_eq!(Message::parse(&ours).unwrap().verify_sha1(&other).unwrap_err(), IntegrityError::Mismatch);
    for seal in [Seal::Sha256, Seal::Both] {
        let bytes = build(seal, true);
        let error = Message::parse(&bytes).unwrap().verify_sha1(&sha1).unwrap_err();
        assert_eq!(error, IntegrityError::OtherAlgorithm);
    }
    let mut out = [0; 256];
    let unsigned =
        MessageBuilder::new(&mut out, Class::Request, Method::BINDING, TransactionId::new([3; 12])).finish();
    let error = Message::parse(&out[..unsigned.unwrap()]).unwrap().verify_sha1(&sha1).unwrap_err();
    assert_eq!(error, IntegrityError::Missing);
    let len = MessageBuilder::new(&mut out, Class::Request, Method::BINDING, TransactionId::new([3; 12]))
        .attribute(&Username::new("remote:local"))
        .attribute(&Priority(17))
        .integrity_sha1(&sha1)
        .fingerprint()
        .finish();
    assert_eq!(&out[..len.unwrap()], ours);
}

#[test]
fn every_tampered_bit_up_to_the_end_of_the_integrity_attribute_fails() {
    for seal in ALL {
        let bytes = build(seal, false);
        for index in 0..bytes.len() {
            for bit in 0..8 {
                let mut tampered = bytes.clone();
                tampered[index] ^= 1 << bit;
                let accepted = Message::parse(&tampered).is_ok_and(|message| message.verify(&key()).is_ok());
                let strips_sha256 = matches!(seal, Seal::Both) && SHA256_HEADER.contains(&index);
                assert!(!accepted || strips_sha256, "{seal:?}: byte {index} bit {bit}");
            }
        }
    }
}

/// Where the header of MESSAGE-INTEGRITY-SHA256 stands in a message with both.
const SHA256_HEADER: core::ops::Range<usize> = 68..72;

#[test]
fn a_stripped_sha256_shows_in_the_algorithm() {
    let mut bytes = build(Seal::Both, false);
    bytes[SHA256_HEADER.start] ^= 0x80;
    let verified = Message::parse(&bytes).unwrap().verify(&key()).unwrap();
    assert_eq!(verified.algorithm(), IntegrityAlgorithm::Sha1);
}

#[test]
fn sha256_decides_where_both_are_present_and_covers_the_other() {
    let bytes = build(Seal::Both, false);
    let sha1_tag = bytes.len() - 36 - 20;
    let mut tampered = bytes.clone();
    tampered[sha1_tag] ^= 1;
    assert_eq!(Message::parse(&tampered).unwrap().verify(&key()).unwrap_err(), IntegrityError::Mismatch);
    // A wrong SHA-256 is not made up for by a right SHA-1.
    let mut tampered = bytes;
    *tampered.last_mut().unwrap() ^= 1;
    assert_eq!(Message::parse(&tampered).unwrap().verify(&key()).unwrap_err(), IntegrityError::Mismatch);
}

#[test]
fn what_follows_the_integrity_attribute_does_not_disturb_it() {
    // Attributes behind MESSAGE-INTEGRITY change the length field, which the HMAC takes as if they were not there.
    for seal in ALL {
        let mut bytes = build(seal, false);
        bytes.extend([0x00, 0x24, 0, 4, 0, 0, 0, 99, 0x00, 0x25, 0, 0]);
        bytes[3] += 12;
        let verified = Message::parse(&bytes).unwrap().verify(&key()).unwrap();
        assert!(verified.get_all::<Priority>().eq([Ok(Priority(17))]), "nothing unprotected comes out");
    }
}

#[test]
fn without_an_integrity_attribute_nothing_verifies() {
    let mut out = [0; 64];
    let builder = MessageBuilder::new(&mut out, Class::Success, Method::BINDING, TransactionId::new([3; 12]));
    let len = builder.fingerprint().finish().unwrap();
    let message = Message::parse(&out[..len]).unwrap();
    assert!(!message.has_integrity());
    assert_eq!(message.verify(&key()).unwrap_err(), IntegrityError::Missing);
}

#[test]
fn another_key_does_not_verify() {
    for seal in ALL {
        let bytes = build(seal, true);
        let message = Message::parse(&bytes).unwrap();
        assert!(message.has_integrity());
        for password in ["", "a password of 128 bit", "a password of 128 bits!"] {
            let error = message.verify(&Key::short_term(password)).unwrap_err();
            assert_eq!(error, IntegrityError::Mismatch, "{password}");
        }
    }
}

#[test]
fn a_truncated_sha256_is_refused_even_if_it_is_right() {
    let full = build(Seal::Sha256, false);
    for len in [16u8, 20, 24, 28] {
        // The HMAC covers the length field, so it is computed for the truncated message.
        let covered = full.len() - 36;
        let mut bytes = full[..covered].to_vec();
        let length = (covered + 4 + usize::from(len) - HEADER_LEN) as u16;
        let tag: Vec<u8> =
            key().sha256.of_message(&bytes, length).iter().flat_map(|word| word.to_be_bytes()).collect();
        bytes[2..4].copy_from_slice(&length.to_be_bytes());
        bytes.extend([0x00, 0x1C, 0, len]);
        bytes.extend(&tag[..usize::from(len)]);
        let message = Message::parse(&bytes).unwrap();
        assert_eq!(message.verify(&key()).unwrap_err(), IntegrityError::Truncated);
    }
}

#[test]
fn errors_say_what_is_wrong() {
    assert!(format!("{}", IntegrityError::Missing).contains("no integrity"));
    assert!(format!("{}", IntegrityError::Truncated).contains("32 bytes"));
    assert!(format!("{}", IntegrityError::Mismatch).contains("does not match"));
}

proptest! {
    #[test]
    fn no_forgery_verifies(bytes in proptest::collection::vec(any::<u8>(), 0..200), seal in 0..3usize) {
        // A genuine message whose body is overwritten from some point on.
        let mut forged = build(ALL[seal], false);
        let start = forged.len() - bytes.len().min(forged.len() - HEADER_LEN);
        let genuine = forged.clone();
        let tail = forged.len() - start;
        forged[start..].copy_from_slice(&bytes[..tail]);
        if let Ok(message) = Message::parse(&forged) {
            prop_assert!(message.verify(&key()).is_err() || forged == genuine);
        }
    }
}
