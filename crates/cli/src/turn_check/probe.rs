//! Packets that are recognised when they come back: a Binding request, and numbered payloads.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use floe::stun::attributes::XorMappedAddress;
use floe::stun::{Class, HEADER_LEN, Message, MessageBuilder, Method, TransactionId};

/// A Binding request without attributes (RFC 8489 §5).
pub(crate) struct Binding {
    id: TransactionId,
    packet: Vec<u8>,
    sent: Instant,
}

impl Binding {
    pub(crate) fn new(id: [u8; 12]) -> Self {
        let id = TransactionId::new(id);
        let mut packet = vec![0; HEADER_LEN];
        let len = MessageBuilder::new(&mut packet, Class::Request, Method::BINDING, id).finish().unwrap_or(0);
        packet.truncate(len);
        Self { id, packet, sent: Instant::now() }
    }

    pub(crate) fn packet(&self) -> &[u8] {
        &self.packet
    }

    /// The address in an answer to it, and how long that took; no address if it was refused.
    pub(crate) fn answered_by(&self, packet: &[u8]) -> Option<(Option<SocketAddr>, Duration)> {
        let message = Message::parse(packet).ok()?;
        let is_answer = message.method() == Method::BINDING && message.class() != Class::Request;
        if !is_answer || message.transaction_id() != self.id {
            return None;
        }
        let mapped = message.get::<XorMappedAddress>().ok().flatten().map(|mapped| mapped.0);
        Some((mapped, self.sent.elapsed()))
    }
}

/// What a payload of this program begins with.
const MAGIC: [u8; 8] = *b"floetest";

/// A payload with a number, filled up to a length.
pub(crate) fn payload(number: u32, len: usize) -> Vec<u8> {
    let mut payload = vec![0xA5; len.max(MAGIC.len() + 4)];
    payload[..MAGIC.len()].copy_from_slice(&MAGIC);
    payload[MAGIC.len()..MAGIC.len() + 4].copy_from_slice(&number.to_be_bytes());
    payload
}

/// The number of a payload, if it is one of ours and whole.
pub(crate) fn number_of(payload: &[u8]) -> Option<u32> {
    let (number, filling) = payload.strip_prefix(&MAGIC)?.split_first_chunk::<4>()?;
    filling.iter().all(|&byte| byte == 0xA5).then(|| u32::from_be_bytes(*number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn payloads_are_told_apart_and_damage_is_seen() {
        for (number, len) in [(0, 0), (7, 12), (u32::MAX, 1200)] {
            assert_eq!(number_of(&payload(number, len)), Some(number));
        }
        let mut damaged = payload(7, 100);
        damaged[50] ^= 1;
        assert_eq!(number_of(&damaged), None);
        assert_eq!(number_of(b"hello"), None);
    }

    #[test]
    fn only_the_answer_to_a_binding_request_is_taken_for_it() {
        let binding = Binding::new([1; 12]);
        let mapped = SocketAddr::from(([203, 0, 113, 9], 4000));
        let answer = |id: u8, class| {
            let mut out = [0; 64];
            let builder = MessageBuilder::new(&mut out, class, Method::BINDING, TransactionId::new([id; 12]));
            let len = builder.attribute(&XorMappedAddress(mapped)).finish().expect("room");
            out[..len].to_vec()
        };
        let told = |packet: &[u8]| binding.answered_by(packet).map(|answer| answer.0);
        assert_eq!(told(&answer(1, Class::Success)), Some(Some(mapped)));
        assert_eq!(told(&answer(2, Class::Success)), None);
        assert_eq!(told(binding.packet()), None);
        assert_eq!(told(b"nothing"), None);
    }
}
