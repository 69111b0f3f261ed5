//! What happens to a packet on its way: delay, jitter, loss, duplication, reordering, MTU.

use std::fmt;
use std::time::Duration;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::Rng;

use crate::flow::Flow;

/// IPv4 and UDP headers, in bytes.
const OVERHEAD_V4: usize = 20 + 8;
/// IPv6 and UDP headers, in bytes.
const OVERHEAD_V6: usize = 40 + 8;

/// The character of one way through a link. [`Link::IDEAL`] delivers everything at once.
///
/// Probabilities are given as fractions, 0.1 for 10 %; values outside 0 to 1 are taken as the nearer end and NaN as 0.
/// They are kept in steps of 2^-32.
///
/// ```
/// use std::time::Duration;
/// use floe_netsim::Link;
///
/// // A mobile link: 40 ms and up to 15 ms more, 2 % loss but never more than four packets of a flow in a row.
/// let link = Link::delay_ms(40).jitter(Duration::from_millis(15)).loss(0.02).max_loss_run(4);
/// assert_eq!(link, link.clone());
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Link {
    pub(crate) delay: u64,
    pub(crate) jitter: u64,
    pub(crate) loss: Chance,
    pub(crate) max_loss_run: Option<u8>,
    pub(crate) duplicate: Chance,
    pub(crate) reorder: Chance,
    pub(crate) reorder_by: u64,
    pub(crate) mtu: u16,
}

impl Link {
    /// No delay, no loss, an MTU of 65 535 bytes.
    pub const IDEAL: Self = Self {
        delay: 0,
        jitter: 0,
        loss: Chance::NEVER,
        max_loss_run: None,
        duplicate: Chance::NEVER,
        reorder: Chance::NEVER,
        reorder_by: 0,
        mtu: u16::MAX,
    };

    /// An otherwise ideal link with this one-way delay.
    #[must_use]
    pub fn delay(delay: Duration) -> Self {
        Self { delay: nanos(delay), ..Self::IDEAL }
    }

    /// An otherwise ideal link with this one-way delay in milliseconds.
    #[must_use]
    pub fn delay_ms(millis: u64) -> Self {
        Self::delay(Duration::from_millis(millis))
    }

    /// Adds between nothing and `jitter` to the delay of each packet, evenly distributed. Jitter alone never changes the
    /// order of the packets of one flow; [`Link::reorder`] does.
    #[must_use]
    pub fn jitter(mut self, jitter: Duration) -> Self {
        self.jitter = nanos(jitter);
        self
    }

    /// Loses each packet with this probability.
    #[must_use]
    pub fn loss(mut self, probability: f64) -> Self {
        self.loss = Chance::of(probability);
        self
    }

    /// This link never makes more than `packets` packets of a flow, in the order they were sent, be lost in a row.
    /// Losses on all links of the way count, so with the same limit on every lossy link it holds end to end. A flow is
    /// all that one source address of one interface sends to one destination address; the other direction is another
    /// flow.
    #[must_use]
    pub const fn max_loss_run(mut self, packets: u8) -> Self {
        self.max_loss_run = Some(packets);
        self
    }

    /// Delivers each packet twice with this probability.
    #[must_use]
    pub fn duplicate(mut self, probability: f64) -> Self {
        self.duplicate = Chance::of(probability);
        self
    }

    /// Holds each packet back by `by` with this probability, so that those sent meanwhile overtake it.
    #[must_use]
    pub fn reorder(mut self, probability: f64, by: Duration) -> Self {
        self.reorder = Chance::of(probability);
        self.reorder_by = nanos(by);
        self
    }

    /// Drops packets whose IP length exceeds `bytes`; there is no fragmentation. The IP length is that of the UDP payload
    /// and 28 bytes for IPv4 or 48 bytes for IPv6.
    #[must_use]
    pub const fn mtu(mut self, bytes: u16) -> Self {
        self.mtu = bytes;
        self
    }

    /// Whether nothing passes.
    pub(crate) fn is_cut(&self) -> bool {
        self.loss == Chance::ALWAYS && self.max_loss_run.is_none()
    }

    /// Whether the link looks at what became of other packets of the flow.
    pub(crate) const fn needs_flow(&self) -> bool {
        self.jitter > 0 || self.max_loss_run.is_some()
    }

    /// Whether a UDP payload of `len` bytes fits.
    pub(crate) fn fits(&self, len: usize, ipv4: bool) -> bool {
        len + if ipv4 { OVERHEAD_V4 } else { OVERHEAD_V6 } <= usize::from(self.mtu)
    }

    /// Whether this link loses packet `seq` of `flow`.
    pub(crate) fn loses(&self, rng: &mut ChaCha8Rng, flow: Option<&mut Flow>, seq: u64) -> bool {
        if !self.loss.happens(rng) {
            return false;
        }
        match (self.max_loss_run, flow) {
            (Some(cap), Some(flow)) => flow.lose(seq, cap.into()),
            (Some(_), None) => false,
            (None, Some(flow)) => flow.lose(seq, u32::MAX),
            (None, None) => true,
        }
    }
}

/// Only what is not ideal.
impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("Link");
        let times = [("delay", self.delay), ("jitter", self.jitter), ("reorder_by", self.reorder_by)];
        for (name, nanos) in times.into_iter().filter(|(_, nanos)| *nanos > 0) {
            out.field(name, &Duration::from_nanos(nanos));
        }
        let chances = [("loss", self.loss), ("duplicate", self.duplicate), ("reorder", self.reorder)];
        for (name, chance) in chances.into_iter().filter(|(_, chance)| *chance != Chance::NEVER) {
            out.field(name, &chance.fraction());
        }
        if let Some(run) = self.max_loss_run {
            out.field("max_loss_run", &run);
        }
        if self.mtu != u16::MAX {
            out.field("mtu", &self.mtu);
        }
        out.finish()
    }
}

impl Default for Link {
    fn default() -> Self {
        Self::IDEAL
    }
}

/// A probability as a threshold for a 32-bit draw.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Chance(u64);

impl Chance {
    pub(crate) const NEVER: Self = Self(0);
    const ALWAYS: Self = Self(1 << 32);

    fn of(probability: f64) -> Self {
        // The cast saturates: NaN becomes 0.
        Self((probability.clamp(0.0, 1.0) * (1u64 << 32) as f64).round() as u64)
    }

    fn fraction(self) -> f64 {
        self.0 as f64 / (1u64 << 32) as f64
    }

    /// Whether it is more likely than `probability`.
    pub(crate) fn exceeds(self, probability: f64) -> bool {
        self.0 > Self::of(probability).0
    }

    /// Draws, unless the outcome is certain.
    pub(crate) fn happens(self, rng: &mut ChaCha8Rng) -> bool {
        match self {
            Self::NEVER => false,
            Self::ALWAYS => true,
            Self(threshold) => u64::from(rng.next_u32()) < threshold,
        }
    }
}

/// An even draw from `0..=max`.
pub(crate) fn up_to(rng: &mut ChaCha8Rng, max: u64) -> u64 {
    if max == 0 {
        return 0;
    }
    // Multiply-and-shift: its bias, below 2^-30 for an hour of jitter, is no matter here.
    ((u128::from(rng.next_u64()) * (u128::from(max) + 1)) >> 64) as u64
}

/// Whole nanoseconds, at most `u64::MAX`.
pub(crate) fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use rand_chacha::rand_core::SeedableRng;

    use super::*;

    fn lost_of_10_000(link: &Link, seed: u64) -> usize {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        (0..10_000).filter(|_| link.loses(&mut rng, None, 0)).count()
    }

    #[test]
    fn loss_follows_its_probability_and_its_seed() {
        let link = Link::IDEAL.loss(0.1);
        let lost = lost_of_10_000(&link, 1);
        assert!((900..1_100).contains(&lost), "{lost}");
        assert_eq!(lost, lost_of_10_000(&link, 1));
        assert_ne!(lost, lost_of_10_000(&link, 2));
    }

    #[test]
    fn certain_outcomes_are_certain() {
        assert_eq!(lost_of_10_000(&Link::IDEAL, 1), 0);
        assert_eq!(lost_of_10_000(&Link::IDEAL.loss(1.0), 1), 10_000);
        assert_eq!(lost_of_10_000(&Link::IDEAL.loss(7.0), 1), 10_000);
        assert_eq!(lost_of_10_000(&Link::IDEAL.loss(-1.0), 1), 0);
        assert_eq!(lost_of_10_000(&Link::IDEAL.loss(f64::NAN), 1), 0);
        assert!(Link::IDEAL.loss(1.0).is_cut());
        assert!(!Link::IDEAL.loss(1.0).max_loss_run(4).is_cut());
        assert!(!Link::IDEAL.loss(0.999).is_cut());
    }

    #[test]
    fn the_mtu_counts_the_headers_of_the_family() {
        let link = Link::IDEAL.mtu(1280);
        assert!(link.fits(1252, true) && !link.fits(1253, true));
        assert!(link.fits(1232, false) && !link.fits(1233, false));
    }

    #[test]
    fn what_is_ideal_is_not_shown() {
        assert_eq!(format!("{:?}", Link::IDEAL), "Link");
        let link = Link::delay_ms(5).loss(0.25).max_loss_run(4).mtu(1500);
        assert_eq!(format!("{link:?}"), "Link { delay: 5ms, loss: 0.25, max_loss_run: 4, mtu: 1500 }");
    }

    #[test]
    fn draws_reach_both_ends_and_no_further() {
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        let mut seen = [0; 4];
        for _ in 0..1000 {
            seen[up_to(&mut rng, 3) as usize] += 1;
        }
        assert!(seen.iter().all(|n| (200..300).contains(n)), "{seen:?}");
        assert_eq!(up_to(&mut rng, 0), 0);
        assert!(up_to(&mut rng, u64::MAX) > 0);
    }
}
