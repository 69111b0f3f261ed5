//! Durations as they are kept: an agent has a dozen, in half the room of a [`Duration`].

use core::time::Duration;

/// A duration in nanoseconds, at most 584 years.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Nanos(u64);

impl Nanos {
    pub(crate) const fn get(self) -> Duration {
        Duration::from_nanos(self.0)
    }
}

impl From<Duration> for Nanos {
    fn from(duration: Duration) -> Self {
        Self(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_stays_what_it_is_and_one_without_end_is_584_years() {
        for duration in [Duration::ZERO, Duration::new(7, 1), Duration::from_nanos(u64::MAX)] {
            assert_eq!(Nanos::from(duration).get(), duration);
        }
        assert_eq!(Nanos::from(Duration::MAX).get(), Duration::from_nanos(u64::MAX));
    }
}
