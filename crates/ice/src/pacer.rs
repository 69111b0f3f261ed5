//! Ta: at most one new transaction in each interval, over checks and gathering of all streams (RFC 8445 §14.2).

use core::time::Duration;

use floe_stun::Time;

/// The agent's pace.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pacer {
    ta: Duration,
    /// The earliest moment for the next transaction.
    next: Time,
}

impl Pacer {
    pub(crate) fn new(ta: Duration, now: Time) -> Self {
        Self { ta, next: now }
    }

    pub(crate) fn ta(&self) -> Duration {
        self.ta
    }

    /// RFC 8839 §5.5: the larger of what both sides ask for counts.
    pub(crate) fn slow_down_to(&mut self, ta: Duration) {
        self.ta = self.ta.max(ta);
    }

    pub(crate) fn is_ready(&self, now: Time) -> bool {
        now >= self.next
    }

    /// When the next transaction may begin.
    pub(crate) fn next(&self) -> Time {
        self.next
    }

    /// A transaction begins now.
    pub(crate) fn take(&mut self, now: Time) {
        self.next = now.saturating_add(self.ta);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transactions_are_at_least_ta_apart_however_late_the_caller_is() {
        let ta = Duration::from_millis(50);
        let mut pacer = Pacer::new(ta, Time::from_millis(10));
        assert!(pacer.is_ready(Time::from_millis(10)));
        pacer.take(Time::from_millis(10));
        assert!(!pacer.is_ready(Time::from_millis(59)));
        assert!(pacer.is_ready(Time::from_millis(60)));
        pacer.take(Time::from_millis(200));
        assert!(!pacer.is_ready(Time::from_millis(249)), "a late tick earns no burst");
        assert_eq!(pacer.next(), Time::from_millis(250));
    }

    #[test]
    fn the_larger_interval_counts() {
        let mut pacer = Pacer::new(Duration::from_millis(50), Time::ZERO);
        pacer.slow_down_to(Duration::from_millis(20));
        assert_eq!(pacer.ta(), Duration::from_millis(50));
        pacer.slow_down_to(Duration::from_millis(100));
        assert_eq!(pacer.ta(), Duration::from_millis(100));
    }
}
