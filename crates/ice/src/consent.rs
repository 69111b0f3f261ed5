//! Consent to send (RFC 7675), apart from how good the path is: only an authenticated answer renews it.

use core::time::Duration;

use floe_stun::Time;

use crate::ids::PairId;

/// RFC 7675 §5.1: a check every 5 s, times 0.8 to 1.2.
pub(crate) const INTERVAL: Duration = Duration::from_secs(5);
/// RFC 7675 §5.1: consent lasts 30 s after the last answer.
pub(crate) const EXPIRY: Duration = Duration::from_secs(30);
/// Our own threshold for `disconnected`: three intervals, so that two lost checks in a row do not flap the state.
pub(crate) const STALE: Duration = Duration::from_secs(15);

/// Consent for the path that one component sends on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Consent {
    pub(crate) pair: PairId,
    /// The latest authenticated answer.
    confirmed: Time,
    /// When the next check goes out.
    next_check: Time,
}

impl Consent {
    /// A valid pair's check was the first proof (RFC 7675 §5.1). `jittered` is the randomised interval.
    pub(crate) fn new(pair: PairId, confirmed: Time, now: Time, jittered: Duration) -> Self {
        let next_check = confirmed.saturating_add(jittered).max(now);
        Self { pair, confirmed, next_check }
    }

    /// An authenticated success to a check or consent check that was sent at `sent_at` came now.
    pub(crate) fn confirm(&mut self, now: Time) {
        self.confirmed = self.confirmed.max(now);
    }

    pub(crate) fn is_check_due(&self, now: Time) -> bool {
        now >= self.next_check
    }

    pub(crate) fn checked(&mut self, now: Time, jittered: Duration) {
        self.next_check = now.saturating_add(jittered);
    }

    pub(crate) fn is_expired(&self, now: Time) -> bool {
        now.saturating_since(self.confirmed) >= EXPIRY
    }

    pub(crate) fn is_stale(&self, now: Time) -> bool {
        now.saturating_since(self.confirmed) >= STALE
    }

    /// When something has to be done about it next.
    pub(crate) fn next_timeout(&self, now: Time) -> Time {
        let threshold = if self.is_stale(now) { EXPIRY } else { STALE };
        self.next_check.min(self.confirmed.saturating_add(threshold))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAIR: PairId = PairId(1);

    #[test]
    fn consent_is_stale_after_15_s_and_gone_after_30_s() {
        let t = Time::from_millis;
        let mut consent = Consent::new(PAIR, t(1_000), t(1_000), Duration::from_secs(5));
        assert_eq!(consent.next_timeout(t(1_000)), t(6_000));
        assert!(consent.is_check_due(t(6_000)));
        consent.checked(t(6_000), Duration::from_secs(60));
        assert!(!consent.is_stale(t(15_999)) && consent.is_stale(t(16_000)));
        assert_eq!(consent.next_timeout(t(6_000)), t(16_000));
        assert_eq!(consent.next_timeout(t(16_000)), t(31_000));
        assert!(!consent.is_expired(t(30_999)) && consent.is_expired(t(31_000)));
        consent.confirm(t(20_000));
        assert!(!consent.is_stale(t(31_000)));
    }

    #[test]
    fn a_pair_that_was_proved_long_ago_is_checked_at_once() {
        let consent = Consent::new(PAIR, Time::ZERO, Time::from_millis(20_000), Duration::from_secs(5));
        assert!(consent.is_check_due(Time::from_millis(20_000)));
    }
}
