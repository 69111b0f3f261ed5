//! Conversion between [`Time`] and [`std::time::Instant`].

use std::time::{Duration, Instant};

use crate::time::Time;

/// Converts between [`Time`] and [`Instant`], for a driver that reads the operating system's monotonic clock.
///
/// The epoch is explicit: the driver makes one `Clock` and uses it for every conversion. There is no process-wide
/// epoch behind it. Both directions saturate and never panic.
///
/// ```
/// use std::time::{Duration, Instant};
/// use floe_stun::{Clock, Time};
///
/// let epoch = Instant::now();
/// let clock = Clock::new(epoch);
/// let later = epoch + Duration::from_millis(20);
/// assert_eq!(clock.time(later), Time::from_millis(20));
/// assert_eq!(clock.instant(Time::from_millis(20)), later);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clock {
    epoch: Instant,
}

impl Clock {
    /// A clock that calls `epoch` [`Time::ZERO`].
    #[must_use]
    pub const fn new(epoch: Instant) -> Self {
        Self { epoch }
    }

    /// The time at `instant`; [`Time::ZERO`] when it lies before the epoch.
    #[must_use]
    pub fn time(&self, instant: Instant) -> Time {
        Time::ZERO.saturating_add(instant.saturating_duration_since(self.epoch))
    }

    /// The instant at `time`.
    ///
    /// Where the platform's `Instant` cannot hold it ([`Time::MAX`] on some), the result is an instant that lies as
    /// far in the future as halving the distance finds, at least years ahead.
    #[must_use]
    pub fn instant(&self, time: Time) -> Instant {
        let mut offset = Duration::from_nanos(time.as_nanos());
        loop {
            match self.epoch.checked_add(offset) {
                Some(instant) => return instant,
                None => offset /= 2,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[expect(clippy::disallowed_methods, reason = "there is no other way to get hold of an Instant")]
    fn epoch() -> Instant {
        Instant::now()
    }

    #[test]
    fn conversions_are_inverse_after_the_epoch() {
        let epoch = epoch();
        let clock = Clock::new(epoch);
        for nanos in [0, 1, 999_999_999, 1_000_000_000, 86_400_000_000_007] {
            let time = Time::from_nanos(nanos);
            assert_eq!(clock.instant(time), epoch + Duration::from_nanos(nanos));
            assert_eq!(clock.time(clock.instant(time)), time);
        }
    }

    #[test]
    fn before_the_epoch_is_zero_and_never_stays_far_away() {
        let epoch = epoch();
        let clock = Clock::new(epoch + Duration::from_secs(60));
        assert_eq!(clock.time(epoch), Time::ZERO);
        assert!(clock.instant(Time::MAX) > epoch + Duration::from_secs(86_400 * 365));
    }
}
