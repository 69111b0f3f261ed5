//! When a request is sent again and when its transaction has failed (RFC 8489 §6.2.1, §6.2.2).

use core::time::Duration;

use crate::time::nanos;

/// When to send a request, when to send it again, and when to give up: a pure function of its three numbers.
///
/// All times are offsets from the first transmission. Over UDP the intervals double from RTO until Rc requests have
/// been sent; the transaction fails Rm × RTO after the last (RFC 8489 §6.2.1). Over TCP and TLS there is one
/// transmission and a deadline Ti (§6.2.2).
///
/// ```
/// use core::time::Duration;
/// use floe_stun::{RetransmissionSchedule, RetransmissionStep};
///
/// let schedule = RetransmissionSchedule::default();
/// let millis: Vec<_> = schedule.transmissions().map(|at| at.as_millis()).collect();
/// assert_eq!(millis, [0, 500, 1_500, 3_500, 7_500, 15_500, 31_500]);
/// assert_eq!(schedule.timeout(), Duration::from_millis(39_500));
///
/// // After three transmissions the fourth is due at 3.5 s; after all seven only the end is left.
/// assert_eq!(schedule.after(3), RetransmissionStep::Transmit(Duration::from_millis(3_500)));
/// assert_eq!(schedule.after(7), RetransmissionStep::Fail(Duration::from_millis(39_500)));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RetransmissionSchedule {
    /// RTO in nanoseconds.
    rto: u64,
    count: u8,
    last_wait: u8,
}

/// What is due next in a transaction, and how long after its first transmission.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RetransmissionStep {
    /// Send the request (again), with the same bytes.
    Transmit(Duration),
    /// No response came: the transaction has failed.
    Fail(Duration),
}

impl RetransmissionSchedule {
    /// RTO of a client that knows nothing better, 500 ms; ICE never goes below it (RFC 8489 §6.2.1, RFC 8445 §14.3).
    pub const DEFAULT_RTO: Duration = Duration::from_millis(500);

    /// Rc, how many times a request is sent (RFC 8489 §6.2.1).
    pub const DEFAULT_COUNT: u8 = 7;

    /// Rm, how many times RTO to wait after the last transmission (RFC 8489 §6.2.1).
    pub const DEFAULT_LAST_WAIT: u8 = 16;

    /// Ti, how long to wait for a response over TCP or TLS (RFC 8489 §6.2.2).
    pub const DEFAULT_RELIABLE_TIMEOUT: Duration = Duration::from_millis(39_500);

    /// The schedule over UDP with this RTO, Rc = 7 and Rm = 16.
    ///
    /// The RTO is taken as it is; the lower limits of a usage are the caller's to keep.
    #[must_use]
    pub const fn new(rto: Duration) -> Self {
        Self { rto: nanos(rto), count: Self::DEFAULT_COUNT, last_wait: Self::DEFAULT_LAST_WAIT }
    }

    /// The schedule over a reliable transport: sent once, failed after `timeout` (Ti).
    #[must_use]
    pub const fn reliable(timeout: Duration) -> Self {
        Self { rto: nanos(timeout), count: 1, last_wait: 1 }
    }

    /// The same schedule with another Rc; zero counts as one.
    #[must_use]
    pub const fn with_count(self, count: u8) -> Self {
        Self { count: if count == 0 { 1 } else { count }, ..self }
    }

    /// The same schedule with another Rm.
    #[must_use]
    pub const fn with_last_wait(self, last_wait: u8) -> Self {
        Self { last_wait, ..self }
    }

    /// How many times the request is sent, at least once.
    #[must_use]
    pub const fn count(&self) -> u8 {
        self.count
    }

    /// What is due once the request has been sent `sent` times.
    #[must_use]
    #[inline]
    pub const fn after(&self, sent: u32) -> RetransmissionStep {
        if sent < self.count as u32 {
            RetransmissionStep::Transmit(Duration::from_nanos(self.offset(sent)))
        } else {
            RetransmissionStep::Fail(self.timeout())
        }
    }

    /// When the transaction fails.
    #[must_use]
    pub const fn timeout(&self) -> Duration {
        let last = self.offset(self.count as u32 - 1);
        Duration::from_nanos(last.saturating_add(self.rto.saturating_mul(self.last_wait as u64)))
    }

    /// When the request is sent, starting with zero.
    pub fn transmissions(&self) -> impl Iterator<Item = Duration> + use<> {
        let schedule = *self;
        (0..u32::from(schedule.count)).map(move |n| Duration::from_nanos(schedule.offset(n)))
    }

    /// When transmission `n` (from zero) is due: RTO × (2^n − 1) nanoseconds, saturating.
    const fn offset(&self, n: u32) -> u64 {
        let intervals = if n < 64 { (1u64 << n) - 1 } else { u64::MAX };
        self.rto.saturating_mul(intervals)
    }
}

impl Default for RetransmissionSchedule {
    fn default() -> Self {
        Self::new(Self::DEFAULT_RTO)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn over_tcp_there_is_one_transmission() {
        let schedule = RetransmissionSchedule::reliable(RetransmissionSchedule::DEFAULT_RELIABLE_TIMEOUT);
        assert!(schedule.transmissions().eq([Duration::ZERO]));
        assert_eq!(schedule.after(0), RetransmissionStep::Transmit(Duration::ZERO));
        assert_eq!(schedule.after(1), RetransmissionStep::Fail(Duration::from_millis(39_500)));
    }

    #[test]
    fn rc_and_rm_can_be_configured() {
        let schedule =
            RetransmissionSchedule::new(Duration::from_millis(100)).with_count(3).with_last_wait(4);
        let millis: std::vec::Vec<_> = schedule.transmissions().map(|at| at.as_millis()).collect();
        assert_eq!(millis, [0, 100, 300]);
        assert_eq!(schedule.timeout(), Duration::from_millis(700));
        assert_eq!(schedule.with_count(0).count(), 1);
    }

    #[test]
    fn absurd_numbers_saturate() {
        let schedule = RetransmissionSchedule::new(Duration::MAX).with_count(255).with_last_wait(255);
        assert_eq!(schedule.timeout(), Duration::from_nanos(u64::MAX));
        for sent in [63, 64, 65, 254] {
            let step = RetransmissionStep::Transmit(Duration::from_nanos(u64::MAX));
            assert_eq!(schedule.after(sent), step, "{sent}");
        }
        assert_eq!(schedule.after(u32::MAX), RetransmissionStep::Fail(Duration::from_nanos(u64::MAX)));
        let zero = RetransmissionSchedule::new(Duration::ZERO);
        assert_eq!(zero.timeout(), Duration::ZERO);
    }

    #[test]
    fn a_schedule_is_small() {
        assert!(size_of::<RetransmissionSchedule>() <= 16);
    }
}
