//! The hash of the maps whose keys come from the network: SipHash-1-3 under a random key, so that nobody can make them
//! collide. No such map is ever iterated where its order could show.

use core::hash::BuildHasher;

use siphasher::sip::SipHasher13;

use crate::random::Random;

/// See the module.
#[derive(Clone, Copy)]
pub(super) struct KeyedHash {
    k0: u64,
    k1: u64,
}

impl KeyedHash {
    pub(super) fn new(random: &mut Random) -> Self {
        let draw = |random: &mut Random| u64::from_be_bytes(random.bytes());
        Self { k0: draw(random), k1: draw(random) }
    }
}

impl BuildHasher for KeyedHash {
    type Hasher = SipHasher13;

    fn build_hasher(&self) -> SipHasher13 {
        SipHasher13::new_with_keys(self.k0, self.k1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_depends_on_the_key_and_the_value() {
        let mut random = Random::new([1; 32]);
        let [one, other] = [(), ()].map(|()| KeyedHash::new(&mut random));
        assert_eq!(one.hash_one(7_u16), one.hash_one(7_u16));
        assert_ne!(one.hash_one(7_u16), one.hash_one(8_u16));
        assert_ne!(one.hash_one(7_u16), other.hash_one(7_u16));
    }
}
