//! The agent's one generator: ChaCha12, named so that the same seed gives the same bytes in every release.

use core::time::Duration;

use floe_stun::TransactionId;
use rand_chacha::ChaCha12Core;
use rand_chacha::rand_core::SeedableRng;
use rand_chacha::rand_core::block::Generator;

/// How many bytes are kept in stock. The core makes 256 at once, of which the others are not used: kept, they would be a tenth of an
/// agent's memory, and a connected agent needs 20 in five seconds.
const STOCK: usize = 64;

/// A cryptographic generator, seeded by the caller.
#[derive(Clone)]
pub(crate) struct Random {
    core: ChaCha12Core,
    stock: [u8; STOCK],
    used: u8,
}

impl Random {
    pub(crate) fn new(seed: [u8; 32]) -> Self {
        Self { core: ChaCha12Core::from_seed(seed), stock: [0; STOCK], used: STOCK as u8 }
    }

    pub(crate) fn u64(&mut self) -> u64 {
        u64::from_le_bytes(self.bytes())
    }

    pub(crate) fn bytes<const N: usize>(&mut self) -> [u8; N] {
        const { assert!(N <= STOCK) }
        if usize::from(self.used) + N > STOCK {
            self.refill();
        }
        let mut bytes = [0; N];
        let from = usize::from(self.used);
        bytes.copy_from_slice(&self.stock[from..from + N]);
        self.used += N as u8;
        bytes
    }

    fn refill(&mut self) {
        let mut words = [0; 64];
        self.core.generate(&mut words);
        for (bytes, word) in self.stock.as_chunks_mut().0.iter_mut().zip(words) {
            *bytes = word.to_le_bytes();
        }
        self.used = 0;
    }

    /// RFC 8489 §5: uniformly random, 96 bits.
    pub(crate) fn transaction_id(&mut self) -> TransactionId {
        TransactionId::new(self.bytes())
    }

    /// `base` times a factor of 0.8 to 1.2 (RFC 7675 §5.1).
    pub(crate) fn jitter(&mut self, base: Duration) -> Duration {
        let nanos = base.as_nanos().min(u128::from(u64::MAX)) as u64;
        let span = nanos / 5 * 2;
        let offset = if span == 0 { 0 } else { self.u64() % (span + 1) };
        Duration::from_nanos((nanos - span / 2).saturating_add(offset))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn transaction_ids_use_all_96_bits_and_do_not_repeat() {
        let draw = |seed| {
            let mut random = Random::new([seed; 32]);
            (0..256).map(move |_| *random.transaction_id().as_bytes())
        };
        let ids: BTreeSet<_> = draw(1).chain(draw(2)).collect();
        assert_eq!(ids.len(), 512);
        for bit in 0..96 {
            let set = ids.iter().filter(|id| id[bit / 8] >> (bit % 8) & 1 == 1).count();
            // Half of them, give or take seven standard deviations.
            assert!((176..=336).contains(&set), "bit {bit} is set in {set}");
        }
    }
}
