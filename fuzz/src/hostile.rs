//! Messages as a peer could make them that knows the passwords and keeps no rule.

use std::net::SocketAddr;

use floe_stun::attributes::{
    ErrorCode, IceControlled, IceControlling, MappedAddress, Priority, UseCandidate, Username,
    XorMappedAddress,
};
use floe_stun::{
    AttributeType, Class, EncodeError, IntegrityAlgorithm, Key, MessageBuilder, Method, RawAttribute,
    TransactionId,
};

use crate::Input;

/// A check: any mix of attributes, the right ones where the input says nothing.
pub(crate) fn request(input: &mut Input<'_>, ours: (&str, &str), peer: &str, id: [u8; 12]) -> Vec<u8> {
    let mut out = [0; 1024];
    let flags = input.u8();
    let username = match input.u8() % 16 {
        0..=10 => format!("{}:{peer}", ours.0),
        11 => format!("{}:someone else", ours.0),
        12 => format!("{peer}:{}", ours.0),
        13 => ours.0.to_owned(),
        14 => format!("{}:", ours.0),
        _ => String::new(),
    };
    let priority = input.u32();
    let tie = input.choose(&[0, 1 << 63, u64::MAX, 1 << 20]);
    let builder = MessageBuilder::new(&mut out, Class::Request, Method::BINDING, TransactionId::new(id));
    let builder = builder
        .maybe((flags & 0x01 == 0).then_some(&Username::new(&username)))
        .maybe((flags & 0x02 == 0).then_some(&Priority(priority)))
        .maybe((flags & 0x04 == 0).then_some(&IceControlling(tie)))
        .maybe((flags & 0x08 != 0).then_some(&IceControlled(tie)))
        .maybe((flags & 0x10 != 0).then_some(&UseCandidate));
    let builder = if flags & 0x20 == 0 { builder } else { any_attribute(builder, input) };
    let builder = if flags & 0x40 == 0 { builder } else { any_attribute(builder, input) };
    let len = seal(builder, input, ours.1).unwrap_or(0);
    cut(out[..len].to_vec(), input)
}

/// An answer to the request `id`: a success from `mapped`, or an error with any code.
pub(crate) fn answer(input: &mut Input<'_>, id: TransactionId, mapped: SocketAddr, pwd: &str) -> Vec<u8> {
    let mut out = [0; 1024];
    let flags = input.u8();
    let code = match input.u8() % 16 {
        0..=7 => None,
        8 => Some(487),
        9 => Some(403),
        10 => Some(400),
        11 => Some(401),
        12 => Some(420),
        13 => Some(500),
        14 => Some(300),
        _ => Some(input.u16()),
    };
    let class = if code.is_some() { Class::Error } else { Class::Success };
    let builder = MessageBuilder::new(&mut out, class, Method::BINDING, id);
    let builder = builder
        .maybe(code.map(|code| ErrorCode::new(code, "no")).as_ref())
        .maybe((code.is_none() && flags & 0x01 == 0).then_some(&XorMappedAddress(mapped)))
        .maybe((flags & 0x02 != 0).then_some(&MappedAddress(mapped)));
    let builder = if flags & 0x20 == 0 { builder } else { any_attribute(builder, input) };
    let len = seal(builder, input, pwd).unwrap_or(0);
    cut(out[..len].to_vec(), input)
}

fn any_attribute<'b>(builder: MessageBuilder<'b>, input: &mut Input<'_>) -> MessageBuilder<'b> {
    let known = [0x0001, 0x0006, 0x0009, 0x0014, 0x0020, 0x0024, 0x0025, 0x8029, 0x802A, 0xC001];
    let kind = match input.u8() {
        n @ 0..128 => known[usize::from(n) % known.len()],
        _ => input.u16(),
    };
    let len = usize::from(input.u8() % 64);
    builder.raw_attribute(RawAttribute { kind: AttributeType::new(kind), value: input.bytes(len) })
}

fn seal(builder: MessageBuilder<'_>, input: &mut Input<'_>, pwd: &str) -> Result<usize, EncodeError> {
    let key = Key::short_term(pwd);
    let sealed = match input.u8() % 16 {
        0..=10 => builder.integrity(&key, IntegrityAlgorithm::Sha1),
        11 => builder.integrity(&key, IntegrityAlgorithm::Sha256),
        12 => builder.both_integrities(&key),
        13 => builder.integrity(&Key::short_term("not the password"), IntegrityAlgorithm::Sha1),
        14 => return builder.finish(),
        _ => return builder.integrity(&key, IntegrityAlgorithm::Sha1).finish(),
    };
    sealed.fingerprint().finish()
}

/// Now and then something is missing at the end, or is not what it was.
fn cut(mut bytes: Vec<u8>, input: &mut Input<'_>) -> Vec<u8> {
    match input.u8() {
        0xF0.. => bytes.truncate(usize::from(input.u8())),
        0xE0..0xF0 => spoil(&mut bytes, input),
        _ => {}
    }
    bytes
}

/// Changes one byte.
pub(crate) fn spoil(bytes: &mut [u8], input: &mut Input<'_>) {
    let at = usize::from(input.u16());
    let flip = input.u8();
    if let Some(byte) = at.checked_rem(bytes.len()).and_then(|at| bytes.get_mut(at)) {
        *byte ^= flip;
    }
}
