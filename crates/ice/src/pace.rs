//! The pace of several agents together: RFC 8445 §14.2.

use alloc::sync::Arc;
use core::sync::atomic::Ordering;
use core::time::Duration;

use floe_stun::Time;
#[cfg(not(target_has_atomic = "64"))]
use portable_atomic::AtomicU64;

#[cfg(target_has_atomic = "64")]
use core::sync::atomic::AtomicU64;

/// RFC 8445 §14.2: over all its agents, a process begins no two transactions within this time.
const INTERVAL: Duration = Duration::from_millis(5);

/// A pace that agents keep together: of all that share it, one begins a transaction, and 5 ms later the next (RFC 8445
/// §14.2). Each also keeps its own [`Ta`](crate::Config::ta). Retransmissions, answers and consent checks are not paced.
///
/// Give a clone to every agent of a process in [`Config::pace`](crate::Config::pace). Agents that want to begin at the same
/// time get turns 5 ms apart, first come, first served, so that each wakes up when its turn comes and not before: with a
/// thousand of them the last begins after five seconds. The agents may live in different threads; all have to be told
/// the time of the same clock.
///
/// ```
/// use floe_ice::{Agent, Config, SharedPace, Time};
///
/// let pace = SharedPace::new();
/// let agents: Result<Vec<Agent>, _> = (1..=3)
///     .map(|seed| {
///         let mut config = Config::new([seed; 32]);
///         config.pace = Some(pace.clone());
///         Agent::new(config, Time::ZERO)
///     })
///     .collect();
/// assert_eq!(agents?.len(), 3);
/// # Ok::<(), floe_ice::ConfigError>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct SharedPace(Arc<Turns>);

/// Both in nanoseconds of the agents' clock.
#[derive(Debug, Default)]
struct Turns {
    /// The turn that whoever asks next will get.
    next: AtomicU64,
    /// Nobody begins before this: 5 ms after the latest beginning, which may have come later than its turn.
    earliest: AtomicU64,
}

impl SharedPace {
    /// A pace that nobody keeps yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The next free turn, not before `now`.
    pub(crate) fn turn(&self, now: Time) -> Time {
        let mut turn = now;
        let _ = self.0.next.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |next| {
            turn = now.max(Time::from_nanos(next));
            Some(turn.saturating_add(INTERVAL).as_nanos())
        });
        turn
    }

    /// Begins now, whose turn it is.
    ///
    /// # Errors
    /// Another agent began late, less than 5 ms ago: when to try again.
    pub(crate) fn begin(&self, now: Time) -> Result<(), Time> {
        let after = now.saturating_add(INTERVAL).as_nanos();
        let begun = self.0.earliest.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |earliest| {
            (earliest <= now.as_nanos()).then_some(after)
        });
        begun.map(|_| ()).map_err(Time::from_nanos)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_time_is_no_trouble() {
        let pace = SharedPace::new();
        assert_eq!(pace.turn(Time::MAX), Time::MAX);
        assert_eq!(pace.turn(Time::ZERO), Time::MAX);
        assert_eq!(pace.begin(Time::MAX), Ok(()));
        assert_eq!(pace.begin(Time::ZERO), Err(Time::MAX));
    }
}
