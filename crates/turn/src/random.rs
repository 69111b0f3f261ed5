//! The generator behind every random number: ChaCha12, named so that the same seed gives the same bytes in every
//! release.

use floe_stun::TransactionId;
use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// A cryptographic generator, seeded by the caller.
#[derive(Clone)]
pub(crate) struct Random(ChaCha12Rng);

impl Random {
    pub(crate) fn new(seed: [u8; 32]) -> Self {
        Self(ChaCha12Rng::from_seed(seed))
    }

    pub(crate) fn bytes<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.0.fill_bytes(&mut bytes);
        bytes
    }

    /// RFC 8489 §5: uniformly random, 96 bits.
    pub(crate) fn transaction_id(&mut self) -> TransactionId {
        TransactionId::new(self.bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_ids_and_another_seed_others() {
        let draw = |seed| {
            let mut random = Random::new([seed; 32]);
            [(); 4].map(|()| random.transaction_id())
        };
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1), draw(2));
        assert_ne!(draw(1)[0], draw(1)[1]);
    }
}
