//! Any sequence of builder calls, into a buffer of any size.

use std::net::{IpAddr, SocketAddr};

use floe_stun::attributes::{
    ChannelNumber, Data, ErrorCode, IceControlled, Nomination, Nonce, PasswordAlgorithm, PasswordAlgorithms,
    Priority, Software, UnknownAttributes, UseCandidate, Username, XorMappedAddress,
};
use floe_stun::{
    AttributeType, Class, EncodeError, IntegrityAlgorithm, Key, Message, MessageBuilder, Method, RawAttribute,
    TransactionId,
};

use crate::Input;

/// Builds the message that `data` describes: into large buffers with different contents, and into one of the size that
/// `data` says.
///
/// # Panics
///
/// If the small buffer makes a difference other than being too small, if anything of what was in a buffer stays in the
/// message, or if what was built does not parse to itself.
pub fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let size = usize::from(input.u16() % 2048);
    // More than any description of this length can fill.
    let large = 1024 + 64 * data.len();
    let whole = built(large, 0xEE, &input);
    assert_eq!(whole, built(large, 0x11, &input));
    let limited = built(size, 0xEE, &input);
    match (whole, limited) {
        (Ok(message), Ok(limited)) => {
            assert_eq!(message, limited);
            check(&message, input);
        }
        (Ok(message), Err(EncodeError::BufferTooSmall)) => {
            assert!(size < message.len(), "{size} bytes were enough");
            check(&message, input);
        }
        (Err(error), Err(limited)) => assert!(limited == error || limited == EncodeError::BufferTooSmall),
        (whole, limited) => panic!("a large buffer gives {whole:?}, one of {size} bytes {limited:?}"),
    }
}

fn built(size: usize, contents: u8, input: &Input<'_>) -> Result<Vec<u8>, EncodeError> {
    let mut out = vec![contents; size];
    let len = build(&mut out, input.clone())?;
    assert!(out[len..].iter().all(|&byte| byte == contents), "written behind the end");
    out.truncate(len);
    Ok(out)
}

fn key() -> Key {
    Key::short_term("a password that only we know")
}

/// How the message ends.
#[derive(Clone, Copy)]
enum Seal {
    None,
    One(IntegrityAlgorithm),
    Both,
}

struct Head {
    class: Class,
    method: Method,
    id: TransactionId,
    seal: Seal,
    fingerprint: bool,
}

fn head(input: &mut Input<'_>) -> Head {
    Head {
        class: input.choose(&[Class::Request, Class::Indication, Class::Success, Class::Error]),
        method: Method::new(input.u16() & 0xFFF).unwrap_or(Method::BINDING),
        id: TransactionId::new(input.array()),
        seal: input.choose(&[
            Seal::None,
            Seal::One(IntegrityAlgorithm::Sha1),
            Seal::One(IntegrityAlgorithm::Sha256),
            Seal::Both,
        ]),
        fingerprint: input.u8() % 2 == 1,
    }
}

fn build(out: &mut [u8], mut input: Input<'_>) -> Result<usize, EncodeError> {
    let Head { class, method, id, seal, fingerprint } = head(&mut input);
    let mut builder = MessageBuilder::new(out, class, method, id);
    while !input.is_empty() {
        builder = add(builder, &mut input);
    }
    let sealed = match seal {
        Seal::None if fingerprint => return builder.fingerprint().finish(),
        Seal::None => return builder.finish(),
        Seal::One(algorithm) => builder.integrity(&key(), algorithm),
        Seal::Both => builder.both_integrities(&key()),
    };
    if fingerprint { sealed.fingerprint().finish() } else { sealed.finish() }
}

/// Adds the attribute that comes next.
fn add<'b>(builder: MessageBuilder<'b>, input: &mut Input<'_>) -> MessageBuilder<'b> {
    match input.u8() % 12 {
        0 => builder.attribute(&Username::from_bytes(bytes(input))),
        1 => builder.attribute(&Priority(input.u32())),
        2 => builder.attribute(&IceControlled(input.u64())),
        3 => builder.attribute(&UseCandidate),
        4 => builder.attribute(&XorMappedAddress(address(input))),
        5 => {
            let code = input.u16();
            let reason = String::from_utf8_lossy(bytes(input));
            builder.attribute(&ErrorCode::new(code, &reason))
        }
        6 => builder.attribute(&UnknownAttributes::new(&[AttributeType::new(input.u16()), AttributeType::new(9)])),
        7 => builder.attribute(&Data(bytes(input))),
        8 => builder.attribute(&Nomination::new(input.u32())).attribute(&ChannelNumber(input.u16())),
        9 => {
            let algorithms = [PasswordAlgorithm::SHA256, PasswordAlgorithm::new(input.u16(), bytes(input))];
            builder.attribute(&PasswordAlgorithms::new(&algorithms)).attribute(&algorithms[1])
        }
        10 => {
            builder.attribute(&Nonce::from_bytes(bytes(input))).attribute(&Software::from_bytes(bytes(input)))
        }
        _ => builder.raw_attribute(RawAttribute { kind: AttributeType::new(input.u16()), value: bytes(input) }),
    }
}

fn bytes<'a>(input: &mut Input<'a>) -> &'a [u8] {
    let len = usize::from(input.u16() % 800);
    input.bytes(len)
}

fn address(input: &mut Input<'_>) -> SocketAddr {
    let ip = if input.u8().is_multiple_of(2) { IpAddr::from(input.array::<4>()) } else { IpAddr::from(input.array::<16>()) };
    SocketAddr::new(ip, input.u16())
}

/// What was built parses, verifies, and is what was described.
fn check(built: &[u8], mut input: Input<'_>) {
    let Head { class, method, id, seal, fingerprint } = head(&mut input);
    let message = Message::parse(built).unwrap_or_else(|error| panic!("{error}: {built:02x?}"));
    assert_eq!((message.class(), message.method(), message.transaction_id()), (class, method, id));
    assert_eq!(message.has_fingerprint(), fingerprint);
    let expected = match seal {
        Seal::None => None,
        Seal::One(algorithm) => Some(algorithm),
        Seal::Both => Some(IntegrityAlgorithm::Sha256),
    };
    assert_eq!(message.verify(&key()).ok().map(|verified| verified.algorithm()), expected);
}
