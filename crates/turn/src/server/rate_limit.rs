//! A limit of answers per source, in memory that does not grow.

use alloc::boxed::Box;
use alloc::vec;
use core::hash::Hasher;
use core::net::IpAddr;
use core::time::Duration;

use floe_stun::Time;
use siphasher::sip::SipHasher13;

/// How many answers one source may get.
///
/// A source is an IPv4 address or an IPv6 /64, whatever its port. It may get `burst` answers at once and `per_second`
/// in the long run.
///
/// The state is a table of fixed size, `slots` × 8 bytes. A source owns two of the slots, chosen by a hash with `key`,
/// and is answered while either allows it. Others may own the same slots: with far more active sources than slots they
/// take answers from each other, so that all sources together get at most `slots` × `per_second`. Choose a table well
/// above the number of clients in a burst's time.
///
/// ```
/// use floe_turn::{BindingConfig, RateLimit};
///
/// # fn fill_from_the_operating_system() -> [u8; 16] { [0; 16] }
/// let key = fill_from_the_operating_system();
/// let config = BindingConfig::default().with_rate_limit(RateLimit::new(key));
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct RateLimit {
    /// Answers per second in the long run; zero counts as one. Default 10.
    pub per_second: u32,
    /// Answers at once; zero counts as one. Default 20.
    pub burst: u32,
    /// Size of the table, 1 to 2^20; what is outside is brought inside. Default 4096.
    pub slots: u32,
    key: [u8; 16],
}

impl RateLimit {
    /// The default limit with this key, which must be random and secret: who knows it can choose source addresses that
    /// share a victim's slots.
    #[must_use]
    pub const fn new(key: [u8; 16]) -> Self {
        Self { per_second: 10, burst: 20, slots: 4096, key }
    }
}

/// The key is left out.
impl core::fmt::Debug for RateLimit {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("RateLimit")
            .field("per_second", &self.per_second)
            .field("burst", &self.burst)
            .field("slots", &self.slots)
            .finish_non_exhaustive()
    }
}

/// Largest table, 8 MiB.
const MAX_SLOTS: u32 = 1 << 20;

/// The limit at work. Each slot holds the time at which its owner has its whole burst again: an answer moves it by one
/// interval, and is allowed while it stays within a burst of now.
pub(super) struct Limiter {
    slots: Box<[Time]>,
    interval: Duration,
    tolerance: Duration,
    key: [u8; 16],
}

impl Limiter {
    pub(super) fn new(limit: &RateLimit) -> Self {
        let interval = Duration::from_secs(1) / limit.per_second.max(1);
        Self {
            slots: vec![Time::ZERO; limit.slots.clamp(1, MAX_SLOTS) as usize].into_boxed_slice(),
            interval,
            tolerance: interval.saturating_mul(limit.burst.max(1) - 1),
            key: limit.key,
        }
    }

    /// Whether `source` may be answered at `now`; if so the answer is counted.
    pub(super) fn allow(&mut self, source: IpAddr, now: Time) -> bool {
        let [first, second] = self.slots_of(source);
        // Both are charged: alone in its slots a source gets its burst once.
        let by_first = self.charge(first, now);
        let by_second = second != first && self.charge(second, now);
        by_first || by_second
    }

    /// Counts an answer in a slot, if the slot allows it.
    fn charge(&mut self, index: usize, now: Time) -> bool {
        let slot = &mut self.slots[index];
        let full_at = (*slot).max(now);
        let allowed = full_at - now <= self.tolerance;
        if allowed {
            *slot = full_at + self.interval;
        }
        allowed
    }

    fn slots_of(&self, source: IpAddr) -> [usize; 2] {
        let mut hasher = SipHasher13::new_with_key(&self.key);
        match source {
            IpAddr::V4(address) => hasher.write(&address.octets()),
            // Whoever has one address of a /64 has them all (RFC 4291 §2.5.4).
            IpAddr::V6(address) => hasher.write(&address.octets()[..8]),
        }
        let hash = hasher.finish();
        let slots = self.slots.len() as u64;
        // Each half of the hash, scaled to the size of the table.
        [hash >> 32, hash & 0xFFFF_FFFF].map(|half| ((half * slots) >> 32) as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limiter(per_second: u32, burst: u32, slots: u32) -> Limiter {
        Limiter::new(&RateLimit { per_second, burst, slots, ..RateLimit::new([7; 16]) })
    }

    fn allowed(limiter: &mut Limiter, source: IpAddr, now: Time, asked: usize) -> usize {
        (0..asked).filter(|_| limiter.allow(source, now)).count()
    }

    #[test]
    fn a_burst_then_the_rate() {
        // One slot, so that the two choices are one.
        let mut limiter = limiter(10, 5, 1);
        let source = "192.0.2.1".parse().unwrap();
        let start = Time::from_millis(5_000);
        assert_eq!(allowed(&mut limiter, source, start, 20), 5);
        assert_eq!(allowed(&mut limiter, source, start + Duration::from_millis(99), 20), 0);
        assert_eq!(allowed(&mut limiter, source, start + Duration::from_millis(100), 20), 1);
        assert_eq!(allowed(&mut limiter, source, start + Duration::from_millis(1_100), 20), 5);
    }

    #[test]
    fn sources_do_not_share_unless_they_are_one_64() {
        let mut limiter = limiter(1, 1, 1 << 16);
        let ask = |limiter: &mut Limiter, source: &str| limiter.allow(source.parse().unwrap(), Time::ZERO);
        for source in ["192.0.2.1", "192.0.2.2", "2001:db8::1", "2001:db8:0:1::1"] {
            assert!(ask(&mut limiter, source), "{source}");
            assert!(!ask(&mut limiter, source), "{source}");
        }
        assert!(!ask(&mut limiter, "2001:db8::2"));
    }

    #[test]
    fn one_slot_used_up_by_another_source_does_not_silence() {
        let mut limiter = limiter(1, 1, 1 << 16);
        let source = "192.0.2.1".parse().unwrap();
        let [first, second] = limiter.slots_of(source);
        assert_ne!(first, second);
        assert!(limiter.charge(first, Time::ZERO));
        assert_eq!(allowed(&mut limiter, source, Time::ZERO, 5), 1);
    }

    #[test]
    fn memory_and_absurd_settings_stay_bounded() {
        assert_eq!(limiter(0, 0, 0).slots.len(), 1);
        assert_eq!(limiter(u32::MAX, u32::MAX, u32::MAX).slots.len(), MAX_SLOTS as usize);
        let mut strict = limiter(0, 0, 0);
        let source = "192.0.2.1".parse().unwrap();
        assert_eq!(allowed(&mut strict, source, Time::ZERO, 3), 1);
        assert_eq!(allowed(&mut strict, source, Time::from_millis(999), 3), 0);
        assert_eq!(allowed(&mut strict, source, Time::from_millis(1_000), 3), 1);
    }

    #[test]
    fn a_clock_that_jumps_is_fine() {
        let mut limiter = limiter(10, 2, 1);
        let source = "192.0.2.1".parse().unwrap();
        assert_eq!(allowed(&mut limiter, source, Time::MAX, 2), 2);
        assert_eq!(allowed(&mut limiter, source, Time::ZERO, 2), 0);
    }
}
