//! A point in time, as the driver counts it.

use core::fmt;
use core::ops::{Add, AddAssign, Sub};
use core::time::Duration;

/// A point in time: nanoseconds since an epoch that the driver picks.
///
/// Nothing in floe reads a clock; every call that depends on time takes `now: Time`. The epoch has no meaning of its
/// own: the start of the program, of a test, or of a trace. Two values can be compared only when they count from the
/// same epoch. The range is about 584 years.
///
/// All arithmetic saturates, so a clock that stands still, jumps, or runs backwards cannot cause a panic:
///
/// ```
/// use core::time::Duration;
/// use floe_stun::Time;
///
/// let start = Time::from_millis(1_000);
/// let later = start + Duration::from_millis(500);
/// assert_eq!(later - start, Duration::from_millis(500));
/// assert_eq!(start - later, Duration::ZERO);
/// assert_eq!(Time::MAX + Duration::from_secs(1), Time::MAX);
/// ```
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(u64);

impl Time {
    /// The epoch itself.
    pub const ZERO: Self = Self(0);

    /// The latest point in time. As a deadline it means *never*.
    pub const MAX: Self = Self(u64::MAX);

    /// The point `nanos` nanoseconds after the epoch.
    #[must_use]
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// The point `micros` microseconds after the epoch, [`Time::MAX`] when that is out of range.
    #[must_use]
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros.saturating_mul(1_000))
    }

    /// The point `millis` milliseconds after the epoch, [`Time::MAX`] when that is out of range.
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis.saturating_mul(1_000_000))
    }

    /// The point `secs` seconds after the epoch, [`Time::MAX`] when that is out of range.
    #[must_use]
    pub const fn from_secs(secs: u64) -> Self {
        Self(secs.saturating_mul(1_000_000_000))
    }

    /// Nanoseconds since the epoch.
    #[must_use]
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// `self` moved by `duration` into the future, at most to [`Time::MAX`].
    #[must_use]
    #[inline]
    pub const fn saturating_add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(nanos(duration)))
    }

    /// `self` moved by `duration` into the past, at most to [`Time::ZERO`].
    #[must_use]
    #[inline]
    pub const fn saturating_sub(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(nanos(duration)))
    }

    /// How long `earlier` lies before `self`: zero when it does not.
    #[must_use]
    #[inline]
    pub const fn saturating_since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

/// A duration in nanoseconds, at most `u64::MAX` (584 years).
pub(crate) const fn nanos(duration: Duration) -> u64 {
    let nanos = duration.as_nanos();
    if nanos > u64::MAX as u128 { u64::MAX } else { nanos as u64 }
}

impl Add<Duration> for Time {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        self.saturating_add(duration)
    }
}

impl AddAssign<Duration> for Time {
    fn add_assign(&mut self, duration: Duration) {
        *self = self.saturating_add(duration);
    }
}

impl Sub<Time> for Time {
    type Output = Duration;

    fn sub(self, earlier: Self) -> Duration {
        self.saturating_since(earlier)
    }
}

impl fmt::Debug for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Self::MAX {
            return f.write_str("never");
        }
        write!(f, "{}.{:09}s", self.0 / 1_000_000_000, self.0 % 1_000_000_000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arithmetic_saturates_at_both_ends() {
        let second = Duration::from_secs(1);
        assert_eq!(Time::ZERO.saturating_sub(second), Time::ZERO);
        assert_eq!(Time::MAX.saturating_add(second), Time::MAX);
        assert_eq!(Time::ZERO + Duration::MAX, Time::MAX);
        assert_eq!(Time::ZERO - Time::MAX, Duration::ZERO);
        assert_eq!(Time::MAX - Time::ZERO, Duration::from_nanos(u64::MAX));
        assert_eq!(Time::from_millis(u64::MAX), Time::MAX);
        assert_eq!(Time::from_micros(u64::MAX), Time::MAX);
        assert_eq!(Time::from_secs(u64::MAX), Time::MAX);
    }

    #[test]
    fn units_agree() {
        assert_eq!(Time::from_secs(3), Time::from_millis(3_000));
        assert_eq!(Time::from_millis(3), Time::from_micros(3_000));
        assert_eq!(Time::from_micros(3).as_nanos(), 3_000);
        let mut t = Time::from_nanos(5);
        t += Duration::from_nanos(6);
        assert_eq!(t, Time::from_nanos(11));
        assert!(Time::ZERO < t && t < Time::MAX);
    }

    #[test]
    fn debug_reads_as_seconds() {
        assert_eq!(std::format!("{:?}", Time::from_millis(1_500)), "1.500000000s");
        assert_eq!(std::format!("{:?}", Time::MAX), "never");
    }
}
