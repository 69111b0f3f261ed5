//! Hash maps for keys that nobody hostile chooses: fast, and the same on every run and platform.
//!
//! No map of this crate is ever iterated, so the order inside one can never reach a trace.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// A hash map with a fixed, fast hash.
pub(crate) type FastMap<K, V> = HashMap<K, V, BuildHasherDefault<Mixer>>;

/// Multiply-and-rotate hash over 64-bit words; also the digest of the trace.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Mixer(u64);

impl Mixer {
    /// Folds one word in.
    #[inline]
    pub(crate) fn word(&mut self, word: u64) {
        // The odd constant is 2^64 divided by the golden ratio.
        self.0 = (self.0.rotate_left(23) ^ word).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    }

    /// The digest of everything folded in so far, with its bits spread over the whole word.
    #[inline]
    pub(crate) fn digest(self) -> u64 {
        let x = (self.0 ^ (self.0 >> 32)).wrapping_mul(0xD6E8_FEB8_6659_FD93);
        x ^ (x >> 32)
    }
}

impl Hasher for Mixer {
    #[inline]
    fn finish(&self) -> u64 {
        self.digest()
    }

    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        for word in words {
            self.word(u64::from_le_bytes(*word));
        }
        let mut last = [0; 8];
        last[..rest.len()].copy_from_slice(rest);
        // The length is in the last word, so that trailing zero bytes count.
        self.word(u64::from_le_bytes(last) ^ ((bytes.len() as u64) << 56));
    }

    #[inline]
    fn write_u8(&mut self, value: u8) {
        self.word(value.into());
    }

    #[inline]
    fn write_u16(&mut self, value: u16) {
        self.word(value.into());
    }

    #[inline]
    fn write_u32(&mut self, value: u32) {
        self.word(value.into());
    }

    #[inline]
    fn write_u64(&mut self, value: u64) {
        self.word(value);
    }

    #[inline]
    fn write_usize(&mut self, value: usize) {
        self.word(value as u64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(bytes: &[u8]) -> u64 {
        let mut mixer = Mixer::default();
        mixer.write(bytes);
        mixer.digest()
    }

    #[test]
    fn every_byte_and_the_length_change_the_digest() {
        let base = [0u8; 24];
        for i in 0..base.len() {
            let mut changed = base;
            changed[i] = 1;
            assert_ne!(digest(&base), digest(&changed), "byte {i}");
        }
        assert_ne!(digest(&base[..23]), digest(&base));
        assert_ne!(digest(&[]), digest(&[0]));
    }
}
