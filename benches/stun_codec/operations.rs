//! The operations that are measured.

use floe_stun::attributes::{IceControlling, Priority, UseCandidate, Username, XorMappedAddress};
use floe_stun::{
    Attribute, Class, DecodeError, IntegrityAlgorithm, Key, Message, MessageBuilder, Method, TransactionId,
};
use std::hint::black_box;
use std::net::{Ipv4Addr, SocketAddr};

/// Size of the request in bytes.
pub(crate) const REQUEST_LEN: usize = 100;
/// Size of the response in bytes.
pub(crate) const RESPONSE_LEN: usize = 64;

const ID: TransactionId = TransactionId::new(*b"transaction!");
const SOURCE: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), 49_152);

/// The messages and the key that the operations work on.
pub(crate) struct Fixture {
    key: Key,
    request: [u8; REQUEST_LEN],
    response: [u8; RESPONSE_LEN],
    out: [u8; 256],
}

impl Fixture {
    #[inline(never)]
    pub(crate) fn new() -> Self {
        let key = Key::short_term(PASSWORD);
        let (mut request, mut response) = ([0; REQUEST_LEN], [0; RESPONSE_LEN]);
        assert_eq!(encode_request(&mut request, &key), REQUEST_LEN);
        assert_eq!(encode_response(&mut response, &key), RESPONSE_LEN);
        Self { key, request, response, out: [0; 256] }
    }

    #[inline(never)]
    pub(crate) fn parse_request(&mut self) -> bool {
        let Ok(message) = Message::parse(&self.request) else { return false };
        read_request(&message).is_ok()
    }

    #[inline(never)]
    pub(crate) fn verify_request(&mut self) -> bool {
        let Ok(message) = Message::parse(&self.request) else { return false };
        read_request(&message).is_ok() && message.verify(&self.key).is_ok()
    }

    #[inline(never)]
    pub(crate) fn encode_request(&mut self) -> usize {
        encode_request(&mut self.out, &self.key)
    }

    #[inline(never)]
    pub(crate) fn parse_response(&mut self) -> bool {
        let Ok(message) = Message::parse(&self.response) else { return false };
        read_response(&message).is_ok()
    }

    #[inline(never)]
    pub(crate) fn verify_response(&mut self) -> bool {
        let Ok(message) = Message::parse(&self.response) else { return false };
        read_response(&message).is_ok() && message.verify(&self.key).is_ok()
    }

    #[inline(never)]
    pub(crate) fn encode_response(&mut self) -> usize {
        encode_response(&mut self.out, &self.key)
    }

    #[inline(never)]
    pub(crate) fn respond(&mut self) -> usize {
        if self.verify_request() { encode_response(&mut self.out, &self.key) } else { 0 }
    }

    #[inline(never)]
    pub(crate) fn make_key(&mut self) -> usize {
        self.key = Key::short_term(black_box(PASSWORD));
        size_of::<Key>()
    }
}

/// 24 characters, as many as floe draws.
const PASSWORD: &str = "VOkJxbRl1RmTxUk/WvJxBtaB";

fn encode_request(out: &mut [u8], key: &Key) -> usize {
    let written = MessageBuilder::new(out, Class::Request, Method::BINDING, black_box(ID))
        .attribute(&Username::new(black_box("12345678:87654321")))
        .attribute(&IceControlling(black_box(0x932f_f9b1_5126_3b36)))
        .attribute(&Priority(black_box(0x6e00_01ff)))
        .attribute(&UseCandidate)
        .integrity(key, IntegrityAlgorithm::Sha1)
        .fingerprint()
        .finish();
    written.unwrap_or(0)
}

fn encode_response(out: &mut [u8], key: &Key) -> usize {
    let written = MessageBuilder::new(out, Class::Success, Method::BINDING, black_box(ID))
        .attribute(&XorMappedAddress(black_box(SOURCE)))
        .integrity(key, IntegrityAlgorithm::Sha1)
        .fingerprint()
        .finish();
    written.unwrap_or(0)
}

/// Takes from a request what an agent takes, in one pass.
fn read_request(message: &Message<'_>) -> Result<(), DecodeError> {
    let id = message.transaction_id();
    for raw in message.attributes() {
        match raw.kind {
            Username::TYPE => drop(black_box(Username::decode(raw, &id)?)),
            Priority::TYPE => drop(black_box(Priority::decode(raw, &id)?)),
            IceControlling::TYPE => drop(black_box(IceControlling::decode(raw, &id)?)),
            UseCandidate::TYPE => drop(black_box(UseCandidate::decode(raw, &id)?)),
            _ => {}
        }
    }
    black_box(&id);
    black_box(message.class() == Class::Request && message.method() == Method::BINDING);
    black_box(message.has_fingerprint());
    Ok(())
}

fn read_response(message: &Message<'_>) -> Result<(), DecodeError> {
    let id = message.transaction_id();
    for raw in message.attributes() {
        if raw.kind == XorMappedAddress::TYPE {
            black_box(XorMappedAddress::decode(raw, &id)?);
        }
    }
    black_box(&id);
    black_box(message.class() == Class::Success && message.method() == Method::BINDING);
    black_box(message.has_fingerprint());
    Ok(())
}
