//! HMAC (RFC 2104) over a block function, with both keyed midstates computed once per key.
//!
//! A message then costs its own blocks and one more, two blocks less than an HMAC that starts from the key. The
//! block functions are those of the `sha1` and `sha2` crates; the `hmac` crate is what the tests compare with.

use core::marker::PhantomData;
use core::slice::from_ref;

/// Size in bytes of the blocks of SHA-1 and SHA-256.
const BLOCK: usize = 64;

type Block = [u8; BLOCK];

/// A hash of the SHA-1 and SHA-2 kind: 64-byte blocks, `W` 32-bit words of state.
pub(crate) trait Hash<const W: usize> {
    /// The state before the first block.
    const INITIAL: [u32; W];

    /// Feeds `blocks` to the state.
    fn compress(state: &mut [u32; W], blocks: &[Block]);
}

/// SHA-1 (FIPS 180-4 §5.3.1, §6.1).
#[derive(Clone)]
pub(crate) struct Sha1;

impl Hash<5> for Sha1 {
    const INITIAL: [u32; 5] = [0x6745_2301, 0xEFCD_AB89, 0x98BA_DCFE, 0x1032_5476, 0xC3D2_E1F0];

    #[inline]
    fn compress(state: &mut [u32; 5], blocks: &[Block]) {
        sha1::block_api::compress(state, blocks);
    }
}

/// SHA-256 (FIPS 180-4 §5.3.3, §6.2).
#[derive(Clone)]
pub(crate) struct Sha256;

impl Hash<8> for Sha256 {
    const INITIAL: [u32; 8] = [
        0x6A09_E667,
        0xBB67_AE85,
        0x3C6E_F372,
        0xA54F_F53A,
        0x510E_527F,
        0x9B05_688C,
        0x1F83_D9AB,
        0x5BE0_CD19,
    ];

    #[inline]
    fn compress(state: &mut [u32; 8], blocks: &[Block]) {
        sha2::block_api::compress256(state, blocks);
    }
}

/// A keyed HMAC: the state after the inner and after the outer key block.
#[derive(Clone)]
pub(crate) struct Hmac<H, const W: usize> {
    inner: [u32; W],
    outer: [u32; W],
    hash: PhantomData<H>,
}

impl<H: Hash<W>, const W: usize> Hmac<H, W> {
    pub(crate) fn new(key: &[u8]) -> Self {
        let mut block = [0; BLOCK];
        // RFC 2104 §2: a key longer than a block is replaced by its hash.
        if key.len() > BLOCK {
            let mut state = H::INITIAL;
            finish::<H, W>(&mut state, 0, key);
            put_words(&mut block, &state);
        } else {
            block[..key.len()].copy_from_slice(key);
        }
        Self { inner: Self::keyed(&block, 0x36), outer: Self::keyed(&block, 0x5C), hash: PhantomData }
    }

    fn keyed(key: &Block, pad: u8) -> [u32; W] {
        let mut state = H::INITIAL;
        H::compress(&mut state, &[key.map(|byte| byte ^ pad)]);
        state
    }

    /// The HMAC of any bytes. The result is in words, most significant byte first.
    pub(crate) fn of(&self, bytes: &[u8]) -> [u32; W] {
        let (mut state, mut tag) = (self.inner, self.outer);
        finish::<H, W>(&mut state, BLOCK, bytes);
        let mut inner = [0; BLOCK];
        put_words(&mut inner, &state);
        finish::<H, W>(&mut tag, BLOCK, &inner[..W * 4]);
        tag
    }

    /// The HMAC of the STUN message that starts with `covered`, taken as if its length field were `length`
    /// (RFC 8489 §14.5). The result is in words, most significant byte first.
    ///
    /// Each algorithm has two callers, and a call of its own would cost them more than the work around the blocks.
    #[inline(always)]
    pub(crate) fn of_message(&self, covered: &[u8], length: u16) -> [u32; W] {
        let mut state = self.inner;
        match covered.split_first_chunk::<BLOCK>() {
            // A connectivity check is this long: both blocks in one call.
            Some((first, rest)) if rest.len() < BLOCK - 8 => {
                let mut blocks = [*first, [0; BLOCK]];
                end_block(&mut blocks[1], rest, BLOCK + covered.len());
                put_length_field(&mut blocks[0], length);
                H::compress(&mut state, &blocks);
            }
            // And so long is the response to it.
            None if covered.len() < BLOCK - 8 => {
                let mut block = [0; BLOCK];
                end_block(&mut block, covered, BLOCK + covered.len());
                put_length_field(&mut block, length);
                H::compress(&mut state, from_ref(&block));
            }
            _ => absorb_long::<H, W>(&mut state, covered, length),
        }
        let mut tag = self.outer;
        let mut block = [0; BLOCK];
        put_words(&mut block, &state);
        block[W * 4] = 0x80;
        put_bit_length(&mut block, BLOCK + W * 4);
        H::compress(&mut tag, from_ref(&block));
        tag
    }
}

/// The inner hash of a message of any length, the header's length field replaced.
#[cold]
fn absorb_long<H: Hash<W>, const W: usize>(state: &mut [u32; W], covered: &[u8], length: u16) {
    let mut first = [0; BLOCK];
    let (start, rest) = covered.split_at(covered.len().min(BLOCK));
    first[..start.len()].copy_from_slice(start);
    put_length_field(&mut first, length);
    if rest.is_empty() {
        finish::<H, W>(state, BLOCK, &first[..start.len()]);
    } else {
        H::compress(state, from_ref(&first));
        finish::<H, W>(state, 2 * BLOCK, rest);
    }
}

/// Ends a hash: feeds `rest` and the padding (FIPS 180-4 §5.1.1) to a state that has absorbed `before` bytes.
fn finish<H: Hash<W>, const W: usize>(state: &mut [u32; W], before: usize, rest: &[u8]) {
    let (blocks, tail) = rest.as_chunks();
    H::compress(state, blocks);
    let total = before + rest.len();
    if tail.len() < BLOCK - 8 {
        let mut block = [0; BLOCK];
        end_block(&mut block, tail, total);
        H::compress(state, from_ref(&block));
    } else {
        let mut blocks = [[0; BLOCK]; 2];
        blocks[0][..tail.len()].copy_from_slice(tail);
        blocks[0][tail.len()] = 0x80;
        put_bit_length(&mut blocks[1], total);
        H::compress(state, &blocks);
    }
}

/// Makes of zeros the last block of `total` hashed bytes, of which `tail` (fewer than 56) are in it.
#[inline]
fn end_block(block: &mut Block, tail: &[u8], total: usize) {
    block[..tail.len()].copy_from_slice(tail);
    block[tail.len()] = 0x80;
    put_bit_length(block, total);
}

/// Writes the length field of a STUN header (RFC 8489 §5).
#[inline]
fn put_length_field(block: &mut Block, length: u16) {
    [block[2], block[3]] = length.to_be_bytes();
}

#[inline]
fn put_bit_length(block: &mut Block, total: usize) {
    block[BLOCK - 8..].copy_from_slice(&(total as u64 * 8).to_be_bytes());
}

/// Writes the words at the start of `out`, most significant byte first.
#[inline]
pub(crate) fn put_words<const W: usize>(out: &mut [u8], words: &[u32; W]) {
    for (slot, word) in out.as_chunks_mut().0.iter_mut().zip(words) {
        *slot = word.to_be_bytes();
    }
}

#[cfg(test)]
mod tests {
    use ::hmac::{KeyInit, Mac};
    use proptest::prelude::*;

    use super::*;

    /// The reference: the whole message, its length field replaced, through the `hmac` crate.
    fn reference<M: Mac + KeyInit>(key: &[u8], covered: &[u8], length: u16) -> std::vec::Vec<u8> {
        let mut message = covered.to_vec();
        message[2..4].copy_from_slice(&length.to_be_bytes());
        let mut mac = <M as KeyInit>::new_from_slice(key).unwrap();
        mac.update(&message);
        mac.finalize().into_bytes().to_vec()
    }

    fn bytes<const W: usize>(words: [u32; W]) -> std::vec::Vec<u8> {
        words.iter().flat_map(|word| word.to_be_bytes()).collect()
    }

    fn compare(key: &[u8], covered: &[u8], length: u16) {
        assert_eq!(
            bytes(Hmac::<Sha1, 5>::new(key).of_message(covered, length)),
            reference::<::hmac::Hmac<sha1::Sha1>>(key, covered, length),
        );
        assert_eq!(
            bytes(Hmac::<Sha256, 8>::new(key).of_message(covered, length)),
            reference::<::hmac::Hmac<sha2::Sha256>>(key, covered, length),
        );
    }

    #[test]
    fn every_message_and_key_length_near_a_block_boundary() {
        let bytes: std::vec::Vec<u8> = (0..300u16).map(|i| (i * 7) as u8).collect();
        for len in 20..=260 {
            compare(b"VOkJxbRl1RmTxUk/WvJxBt", &bytes[..len], 0xBEEF);
        }
        for len in 0..=200 {
            compare(&bytes[..len], &bytes[..68], 88);
        }
    }

    #[test]
    fn any_bytes_are_hashed_as_they_are() {
        fn reference<M: Mac + KeyInit>(key: &[u8], message: &[u8]) -> std::vec::Vec<u8> {
            let mut mac = <M as KeyInit>::new_from_slice(key).unwrap();
            mac.update(message);
            mac.finalize().into_bytes().to_vec()
        }
        let message: std::vec::Vec<u8> = (0..=255).collect();
        for len in 0..=256 {
            let (key, message) = (&message[..len / 2], &message[..len]);
            let sha1 = reference::<::hmac::Hmac<sha1::Sha1>>(key, message);
            assert_eq!(bytes(Hmac::<Sha1, 5>::new(key).of(message)), sha1, "{len} bytes");
            let sha256 = reference::<::hmac::Hmac<sha2::Sha256>>(key, message);
            assert_eq!(bytes(Hmac::<Sha256, 8>::new(key).of(message)), sha256, "{len} bytes");
        }
    }

    proptest! {
        #[test]
        fn agrees_with_the_hmac_crate(
            key in proptest::collection::vec(any::<u8>(), 0..200),
            covered in proptest::collection::vec(any::<u8>(), 20..700),
            length: u16,
        ) {
            compare(&key, &covered, length);
        }
    }
}
