//! Messages, made as whoever holds some key can make them.

use std::net::SocketAddr;

use floe_stun::attributes::{
    ErrorCode, IceControlled, IceControlling, Priority, UseCandidate, Username, XorMappedAddress,
};
use floe_stun::{
    AttributeType, Class, IntegrityAlgorithm, Key, MessageBuilder, Method, RawAttribute, TransactionId,
};

/// How a message ends.
#[derive(Clone)]
pub(crate) enum Seal {
    /// MESSAGE-INTEGRITY and FINGERPRINT: what everybody sends.
    Sha1(Key),
    Sha256(Key),
    Both(Key),
    /// FINGERPRINT alone.
    Unsigned,
}

/// A check, in every part as whoever makes it wants.
#[derive(Clone)]
pub(crate) struct Ask {
    pub(crate) id: [u8; 12],
    pub(crate) username: Option<String>,
    pub(crate) priority: Option<u32>,
    /// ICE-CONTROLLING with this tie-breaker, and ICE-CONTROLLED.
    pub(crate) controlling: Option<u64>,
    pub(crate) controlled: Option<u64>,
    pub(crate) nominates: bool,
    pub(crate) extra: Vec<(u16, Vec<u8>)>,
    pub(crate) seal: Seal,
}

impl Ask {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = [0; 2048];
        let id = TransactionId::new(self.id);
        let builder = MessageBuilder::new(&mut out, Class::Request, Method::BINDING, id)
            .maybe(self.username.as_deref().map(Username::new).as_ref())
            .maybe(self.priority.map(Priority).as_ref())
            .maybe(self.controlling.map(IceControlling).as_ref())
            .maybe(self.controlled.map(IceControlled).as_ref())
            .maybe(self.nominates.then_some(&UseCandidate));
        let builder = self.extra.iter().fold(builder, |builder, (kind, value)| {
            builder.raw_attribute(RawAttribute { kind: AttributeType::new(*kind), value })
        });
        let len = sealed(builder, &self.seal);
        out[..len].to_vec()
    }
}

/// What an answer says.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Say {
    Success(SocketAddr),
    Error(u16),
}

/// An answer to the request `id`.
pub(crate) fn answer(id: TransactionId, say: Say, seal: &Seal) -> Vec<u8> {
    let mut out = [0; 256];
    let class = if matches!(say, Say::Success(_)) { Class::Success } else { Class::Error };
    let builder = MessageBuilder::new(&mut out, class, Method::BINDING, id);
    let builder = match say {
        Say::Success(mapped) => builder.attribute(&XorMappedAddress(mapped)),
        Say::Error(code) => builder.attribute(&ErrorCode::new(code, "no")),
    };
    let len = sealed(builder, seal);
    out[..len].to_vec()
}

fn sealed(builder: MessageBuilder<'_>, seal: &Seal) -> usize {
    let len = match seal {
        Seal::Sha1(key) => builder.integrity(key, IntegrityAlgorithm::Sha1).fingerprint().finish(),
        Seal::Sha256(key) => builder.integrity(key, IntegrityAlgorithm::Sha256).fingerprint().finish(),
        Seal::Both(key) => builder.both_integrities(key).fingerprint().finish(),
        Seal::Unsigned => builder.fingerprint().finish(),
    };
    len.expect("it fits")
}

/// Writes the right length and FINGERPRINT into a message that was changed by somebody without the key: the last 8 bytes are the
/// place of the fingerprint.
pub(crate) fn refinger(message: &mut [u8]) {
    let end = message.len() - 8;
    let len = u16::try_from(message.len() - 20).expect("short");
    message[2..4].copy_from_slice(&len.to_be_bytes());
    let crc = crc32(&message[..end]) ^ 0x5354_554e;
    message[end..end + 4].copy_from_slice(&[0x80, 0x28, 0, 4]);
    message[end + 4..].copy_from_slice(&crc.to_be_bytes());
}

/// RFC 8489 §14.7, bit by bit.
fn crc32(bytes: &[u8]) -> u32 {
    let step = |crc: u32| if crc & 1 == 0 { crc >> 1 } else { crc >> 1 ^ 0xEDB8_8320 };
    !bytes.iter().fold(!0, |crc, &byte| (0..8).fold(crc ^ u32::from(byte), |crc, _| step(crc)))
}
