//! Consent to send (RFC 7675), apart from how good the path is: only an authenticated answer renews it.

use core::time::Duration;

use floe_stun::Time;

use crate::ids::PairId;

/// RFC 7675 §5.1: a check every 5 s, times 0.8 to 1.2.
pub(crate) const INTERVAL: Duration = Duration::from_secs(5);
/// RFC 7675 §5.1: consent lasts 30 s after the last answer.
pub(crate) const EXPIRY: Duration = Duration::from_secs(30);
/// Our own threshold for `disconnected`: so long without an answer, and so many checks in a row unanswered. With the
/// interval's jitter three checks take 12 to 18 s, so that two lost ones never flap the state.
pub(crate) const STALE: Duration = Duration::from_secs(15);
const UNANSWERED: u8 = 3;
/// How long the answer to the last of them may take.
const ANSWER: Duration = Duration::from_secs(1);

/// Consent for the path that one component sends on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Consent {
    pub(crate) pair: PairId,
    /// The latest authenticated answer.
    confirmed: Time,
    /// When the next check goes out.
    next_check: Time,
    /// Checks since then without an answer to any.
    unanswered: u8,
    /// When there were too many of them, and the time is over: see [`STALE`].
    stale_at: Time,
}

impl Consent {
    /// A valid pair's check was the first proof (RFC 7675 §5.1). `jittered` is the randomised interval.
    pub(crate) fn new(pair: PairId, confirmed: Time, now: Time, jittered: Duration) -> Self {
        let next_check = confirmed.saturating_add(jittered).max(now);
        Self { pair, confirmed, next_check, unanswered: 0, stale_at: Time::MAX }
    }

    /// An authenticated success, to whichever check of the pair, came now.
    pub(crate) fn confirm(&mut self, now: Time) {
        self.confirmed = self.confirmed.max(now);
        self.unanswered = 0;
        self.stale_at = Time::MAX;
    }

    pub(crate) fn is_check_due(&self, now: Time) -> bool {
        now >= self.next_check
    }

    /// A check goes out now.
    pub(crate) fn checked(&mut self, now: Time, jittered: Duration) {
        self.next_check = now.saturating_add(jittered);
        self.unanswered = self.unanswered.saturating_add(1);
        if self.unanswered == UNANSWERED {
            self.stale_at = self.confirmed.saturating_add(STALE).max(now.saturating_add(ANSWER));
        }
    }

    pub(crate) fn is_expired(&self, now: Time) -> bool {
        now >= self.expires()
    }

    fn expires(&self) -> Time {
        self.confirmed.saturating_add(EXPIRY)
    }

    pub(crate) fn is_stale(&self, now: Time) -> bool {
        now >= self.stale_at
    }

    /// When something has to be done about it next.
    pub(crate) fn next_timeout(&self, now: Time) -> Time {
        let threshold = if self.is_stale(now) { self.expires() } else { self.expires().min(self.stale_at) };
        self.next_check.min(threshold)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAIR: PairId = PairId(1);

    fn s(secs: u64) -> Time {
        Time::from_secs(secs)
    }

    fn seconds(secs: u64) -> Duration {
        Duration::from_secs(secs)
    }

    #[test]
    fn consent_is_gone_30_s_after_the_last_answer() {
        let mut consent = Consent::new(PAIR, s(1), s(1), seconds(5));
        assert_eq!(consent.next_timeout(s(1)), s(6));
        assert!(consent.is_check_due(s(6)));
        consent.checked(s(6), seconds(60));
        assert_eq!(consent.next_timeout(s(6)), s(31));
        assert!(!consent.is_expired(Time::from_millis(30_999)) && consent.is_expired(s(31)));
        consent.confirm(s(20));
        assert!(!consent.is_expired(s(31)) && consent.is_expired(s(50)));
    }

    #[test]
    fn a_path_is_stale_after_three_unanswered_checks_and_15_s() {
        let mut fast = Consent::new(PAIR, s(0), s(0), seconds(4));
        for at in [4, 8, 12] {
            assert_eq!(fast.next_timeout(s(at - 1)), s(at));
            fast.checked(s(at), seconds(4));
        }
        assert_eq!(fast.next_timeout(s(12)), s(15));
        assert!(!fast.is_stale(Time::from_millis(14_999)) && fast.is_stale(s(15)));
        assert_eq!(fast.next_timeout(s(15)), s(16), "the next check is due");

        let mut slow = Consent::new(PAIR, s(0), s(0), seconds(6));
        for at in [6, 12] {
            slow.checked(s(at), seconds(6));
            assert!(!slow.is_stale(s(17)), "two lost checks are no reason");
        }
        slow.checked(s(18), seconds(6));
        assert!(!slow.is_stale(s(18)) && slow.is_stale(s(19)), "the third has a second to be answered");
    }

    #[test]
    fn any_answer_ends_it() {
        let mut consent = Consent::new(PAIR, s(0), s(0), seconds(5));
        for at in [5, 10, 15] {
            consent.checked(s(at), seconds(5));
        }
        assert!(consent.is_stale(s(16)));
        consent.confirm(s(17));
        assert!(!consent.is_stale(s(18)));
        consent.checked(s(20), seconds(5));
        assert!(!consent.is_stale(s(24)), "counting begins anew");
    }

    #[test]
    fn a_pair_that_was_proved_long_ago_is_checked_at_once() {
        let consent = Consent::new(PAIR, Time::ZERO, s(20), seconds(5));
        assert!(consent.is_check_due(s(20)));
    }
}
