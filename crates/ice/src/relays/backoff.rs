//! When an allocation that was lost is asked for again (our own rule; RFC 8656 says only when not to).

use core::time::Duration;

use floe_stun::Time;

/// The first pause.
const FIRST: Duration = Duration::from_secs(1);
/// The longest: as long as a server without room is left alone (RFC 8656 §7.4).
const LONGEST: Duration = Duration::from_secs(60);

/// Pauses that double.
#[derive(Clone, Copy, Debug)]
pub(super) struct Backoff {
    pause: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { pause: FIRST }
    }
}

impl Backoff {
    /// When to try again after a failure at `now`, not before `earliest`.
    pub(super) fn after_failure(&mut self, earliest: Time, now: Time) -> Time {
        let pause = self.pause;
        self.pause = (pause * 2).min(LONGEST);
        earliest.max(now.saturating_add(pause))
    }

    /// It worked.
    pub(super) fn reset(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_a_minute_and_begin_anew_after_success() {
        let mut backoff = Backoff::default();
        let now = Time::from_secs(100);
        let mut next = || (backoff.after_failure(Time::ZERO, now) - now).as_secs();
        assert_eq!(
            [next(), next(), next(), next(), next(), next(), next(), next()],
            [1, 2, 4, 8, 16, 32, 60, 60]
        );
        backoff.reset();
        let server_says = Time::from_secs(220);
        assert_eq!(backoff.after_failure(server_says, now), server_says);
        assert_eq!(backoff.after_failure(Time::ZERO, now), Time::from_secs(102));
    }
}
