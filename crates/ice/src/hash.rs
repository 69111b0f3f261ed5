//! The hashes of our maps. Where a peer chooses the keys, SipHash-1-3 under a key from the agent's generator, so that nobody
//! can make them collide; for numbers that we count ourselves a multiplication. No map is ever iterated, so its order
//! cannot show.

use core::hash::{BuildHasher, Hasher};

use siphasher::sip::SipHasher13;

/// A keyed hash.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Keyed {
    k0: u64,
    k1: u64,
}

impl Keyed {
    pub(crate) fn new(k0: u64, k1: u64) -> Self {
        Self { k0, k1 }
    }
}

impl BuildHasher for Keyed {
    type Hasher = SipHasher13;

    fn build_hasher(&self) -> SipHasher13 {
        SipHasher13::new_with_keys(self.k0, self.k1)
    }
}

/// The hash of numbers of our own counting.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counted;

impl BuildHasher for Counted {
    type Hasher = CountedHasher;

    fn build_hasher(&self) -> CountedHasher {
        CountedHasher(0)
    }
}

/// See [`Counted`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct CountedHasher(u64);

/// 2^64 over the golden ratio: spreads consecutive numbers (Knuth, vol. 3, §6.4).
const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;

impl CountedHasher {
    fn add(&mut self, number: u64) {
        self.0 = (self.0.rotate_left(20) ^ number).wrapping_mul(SPREAD);
    }
}

impl Hasher for CountedHasher {
    fn finish(&self) -> u64 {
        // The upper bits depend on everything, and the map takes its bucket from the lower ones.
        self.0 ^ (self.0 >> 32)
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.add(u64::from(byte));
        }
    }

    fn write_u16(&mut self, number: u16) {
        self.add(u64::from(number));
    }

    fn write_u32(&mut self, number: u32) {
        self.add(u64::from(number));
    }

    fn write_u64(&mut self, number: u64) {
        self.add(number);
    }
}

#[cfg(test)]
mod tests {
    use alloc::collections::BTreeSet;

    use super::*;

    #[test]
    fn numbers_that_are_counted_spread_over_the_buckets() {
        let mut buckets = BTreeSet::new();
        let mut tags = BTreeSet::new();
        for a in 0..32u16 {
            for b in 0..32u32 {
                let hash = Counted.hash_one((a, b));
                buckets.insert(hash & 1023);
                tags.insert(hash >> 57);
            }
        }
        assert!(buckets.len() > 500, "{} of 1024", buckets.len());
        assert!(tags.len() > 100, "{} of 128", tags.len());
    }

    #[test]
    fn the_keyed_hash_depends_on_its_key() {
        let hash = |k0, k1| Keyed::new(k0, k1).hash_one(7u32);
        assert_eq!(hash(1, 2), hash(1, 2));
        assert!(hash(1, 2) != hash(1, 3) && hash(1, 2) != hash(2, 2));
    }
}
