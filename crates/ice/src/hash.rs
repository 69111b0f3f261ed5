//! The hash of maps whose keys a peer chooses: SipHash-1-3 under a key from the agent's generator, so that nobody can
//! make the keys collide. No map is ever iterated, so its order cannot show.

use core::hash::BuildHasher;

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
