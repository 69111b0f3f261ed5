//! The least that a STUN codec has to do for a connectivity check: walk the attributes, HMAC-SHA1 from keyed midstates,
//! CRC-32. It knows where everything is, checks no bounds that matter to an attacker, and is good for nothing but comparison.

use floe_stun::attributes::{IceControlling, Priority, UseCandidate, Username, XorMappedAddress};
use floe_stun::{Class, IntegrityAlgorithm, Key, MessageBuilder, Method, TransactionId};

/// Size of the request in bytes.
pub const REQUEST_LEN: usize = 100;
/// Size of the response in bytes.
pub const RESPONSE_LEN: usize = 64;
/// MESSAGE-INTEGRITY with its header, and FINGERPRINT with its own.
const INTEGRITY: usize = 24;
const FINGERPRINT: usize = 8;

/// 24 characters, as many as floe draws.
pub const PASSWORD: &str = "VOkJxbRl1RmTxUk/WvJxBtaB";

/// RFC 8489 §14.7.
const FINGERPRINT_XOR: u32 = 0x5354_554e;

const SHA1: [u32; 5] = [0x6745_2301, 0xEFCD_AB89, 0x98BA_DCFE, 0x1032_5476, 0xC3D2_E1F0];

/// A key, and the two messages of a check.
pub struct Floor {
    inner: [u32; 5],
    outer: [u32; 5],
    request: [u8; REQUEST_LEN],
    response: [u8; RESPONSE_LEN],
}

impl Default for Floor {
    fn default() -> Self {
        Self::new()
    }
}

impl Floor {
    /// The messages that `floe-stun` writes.
    ///
    /// # Panics
    /// When they do not have their sizes.
    #[must_use]
    pub fn new() -> Self {
        let (key, id) = (Key::short_term(PASSWORD), TransactionId::new(*b"transaction!"));
        let (mut request, mut response) = ([0; REQUEST_LEN], [0; RESPONSE_LEN]);
        let written = MessageBuilder::new(&mut request, Class::Request, Method::BINDING, id)
            .attribute(&Username::new("12345678:87654321"))
            .attribute(&IceControlling(0x932f_f9b1_5126_3b36))
            .attribute(&Priority(0x6e00_01ff))
            .attribute(&UseCandidate)
            .integrity(&key, IntegrityAlgorithm::Sha1)
            .fingerprint()
            .finish();
        assert_eq!(written.ok(), Some(REQUEST_LEN));
        let written = MessageBuilder::new(&mut response, Class::Success, Method::BINDING, id)
            .attribute(&XorMappedAddress(([192, 0, 2, 1], 49_152).into()))
            .integrity(&key, IntegrityAlgorithm::Sha1)
            .fingerprint()
            .finish();
        assert_eq!(written.ok(), Some(RESPONSE_LEN));
        let floor = Self { inner: keyed(0x36), outer: keyed(0x5c), request, response };
        let agrees = floor.verify_request() && floor.verify_response();
        assert!(agrees, "the floor computes what the codec does");
        floor
    }

    /// The request of these messages.
    #[must_use]
    pub fn request(&self) -> [u8; REQUEST_LEN] {
        self.request
    }

    /// The response of these messages.
    #[must_use]
    pub fn response(&self) -> [u8; RESPONSE_LEN] {
        self.response
    }

    /// FINGERPRINT, and a look at each attribute.
    #[inline(never)]
    #[must_use]
    pub fn parse_request(&self) -> bool {
        parse(&self.request)
    }

    /// The same of the response.
    #[inline(never)]
    #[must_use]
    pub fn parse_response(&self) -> bool {
        parse(&self.response)
    }

    /// The request is as it should be, and authentic.
    #[inline(never)]
    #[must_use]
    pub fn verify_request(&self) -> bool {
        self.verify(&self.request)
    }

    /// The response is as it should be, and authentic.
    #[inline(never)]
    #[must_use]
    pub fn verify_response(&self) -> bool {
        self.verify(&self.response)
    }

    fn verify(&self, message: &[u8]) -> bool {
        let covered = message.len() - INTEGRITY - FINGERPRINT;
        let tag = self.hmac(&message[..covered]);
        parse(message) && tag == message[covered + 4..covered + INTEGRITY]
    }

    /// Writes the request anew.
    #[inline(never)]
    pub fn encode_request(&mut self) -> usize {
        let mut out = self.request;
        self.seal(&mut out);
        self.request = out;
        REQUEST_LEN
    }

    /// Writes the response anew.
    #[inline(never)]
    pub fn encode_response(&mut self) -> usize {
        let mut out = self.response;
        self.seal(&mut out);
        self.response = out;
        RESPONSE_LEN
    }

    /// Verifies the request and writes the response.
    #[inline(never)]
    pub fn respond(&mut self) -> usize {
        if self.verify_request() { self.encode_response() } else { 0 }
    }

    /// What both sides compute to connect over one pair with regular nomination: the keys of each and of its peer, and five checks with
    /// their answers, of which one retriggered check on each side (RFC 8445 §7.3.1.4), written by one and verified by the other.
    #[inline(never)]
    pub fn connect(&mut self) -> bool {
        for _ in 0..4 {
            (self.inner, self.outer) = std::hint::black_box((keyed(0x36), keyed(0x5c)));
        }
        (0..5).all(|_| {
            self.encode_request();
            self.verify_request() && self.encode_response() > 0 && self.verify_response()
        })
    }

    /// Integrity and FINGERPRINT at the end of a message.
    fn seal(&self, message: &mut [u8]) {
        let covered = message.len() - INTEGRITY - FINGERPRINT;
        let tag = self.hmac(&message[..covered]);
        message[covered + 4..covered + INTEGRITY].copy_from_slice(&tag);
        let (covered, fingerprint) = message.split_at_mut(covered + INTEGRITY);
        fingerprint[4..].copy_from_slice(&fingerprint_of(covered).to_be_bytes());
    }

    /// HMAC-SHA1 (RFC 2104) of a message before its integrity, the length counted to its end (RFC 8489 §14.5).
    fn hmac(&self, covered: &[u8]) -> [u8; 20] {
        let mut blocks = [[0; 64]; 2];
        let flat = blocks.as_flattened_mut();
        flat[..covered.len()].copy_from_slice(covered);
        let length = (covered.len() + INTEGRITY - 20) as u16;
        flat[2..4].copy_from_slice(&length.to_be_bytes());
        flat[covered.len()] = 0x80;
        let count = if covered.len() < 56 { 1 } else { 2 };
        flat[count * 64 - 4..count * 64].copy_from_slice(&(((64 + covered.len()) * 8) as u32).to_be_bytes());
        let mut state = self.inner;
        sha1::block_api::compress(&mut state, &blocks[..count]);
        let mut block = [0; 64];
        put_words(&mut block, state);
        block[20] = 0x80;
        block[60..].copy_from_slice(&((64 + 20) * 8_u32).to_be_bytes());
        let mut tag = self.outer;
        sha1::block_api::compress(&mut tag, &[block]);
        let mut bytes = [0; 20];
        put_words(&mut bytes, tag);
        bytes
    }
}

fn put_words(out: &mut [u8], words: [u32; 5]) {
    for (place, word) in out.chunks_exact_mut(4).zip(words) {
        place.copy_from_slice(&word.to_be_bytes());
    }
}

fn keyed(pad: u8) -> [u32; 5] {
    let mut block = [pad; 64];
    for (byte, key) in block.iter_mut().zip(PASSWORD.bytes()) {
        *byte ^= key;
    }
    let mut state = SHA1;
    sha1::block_api::compress(&mut state, &[block]);
    state
}

fn fingerprint_of(covered: &[u8]) -> u32 {
    crc32fast::hash(covered) ^ FINGERPRINT_XOR
}

fn parse(message: &[u8]) -> bool {
    let (mut rest, mut seen) = (&message[20..], 0_u32);
    while let [t0, t1, l0, l1, value @ ..] = rest {
        let length = usize::from(u16::from_be_bytes([*l0, *l1]));
        let Some(next) = value.get(length.next_multiple_of(4)..) else { return false };
        seen = seen.wrapping_add(u32::from(u16::from_be_bytes([*t0, *t1])));
        rest = next;
    }
    let (covered, fingerprint) = message.split_at(message.len() - FINGERPRINT);
    std::hint::black_box(seen);
    fingerprint[4..] == fingerprint_of(covered).to_be_bytes()
}
