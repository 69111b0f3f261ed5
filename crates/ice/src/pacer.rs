//! Ta: at most one new transaction in each interval, over checks and gathering of all streams, and one in 5 ms over all agents
//! that share a pace (RFC 8445 §14.2).

use core::time::Duration;

use floe_stun::Time;

use crate::nanos::Nanos;
use crate::pace::SharedPace;

/// The agent's pace.
#[derive(Clone, Debug)]
pub(crate) struct Pacer {
    ta: Nanos,
    /// The earliest moment for the next transaction.
    next: Time,
    shared: Option<SharedPace>,
    /// The turn that the shared pace gave, until it is used.
    turn: Option<Time>,
}

impl Pacer {
    pub(crate) fn new(ta: Duration, shared: Option<SharedPace>, now: Time) -> Self {
        Self { ta: ta.into(), next: now, shared, turn: None }
    }

    /// The pace of a new session (RFC 8445 §9): what the peer asks for is learned anew, and the interval since the last transaction
    /// is kept, so that restarts cause no burst.
    pub(crate) fn successor(&self, ta: Duration) -> Self {
        Self { ta: ta.into(), ..self.clone() }
    }

    pub(crate) fn ta(&self) -> Duration {
        self.ta.get()
    }

    /// RFC 8839 §5.5: the larger of what both sides ask for counts.
    pub(crate) fn slow_down_to(&mut self, ta: Duration) {
        self.ta = self.ta().max(ta).into();
    }

    /// Whether a transaction may begin now. To be asked when there is one to begin: it takes the turn at the shared pace, and
    /// a turn that nobody uses is lost to all.
    pub(crate) fn is_ready(&mut self, now: Time) -> bool {
        if now < self.next {
            return false;
        }
        let Some(shared) = &self.shared else { return true };
        let turn = *self.turn.get_or_insert_with(|| shared.turn(now));
        if turn > now {
            return false;
        }
        self.turn = shared.begin(now).err();
        self.turn.is_none()
    }

    /// When the next transaction may begin.
    pub(crate) fn next(&self) -> Time {
        self.turn.map_or(self.next, |turn| turn.max(self.next))
    }

    /// A transaction begins now.
    pub(crate) fn take(&mut self, now: Time) {
        self.next = now.saturating_add(self.ta());
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    #[test]
    fn transactions_are_at_least_ta_apart_however_late_the_caller_is() {
        let ta = Duration::from_millis(50);
        let mut pacer = Pacer::new(ta, None, Time::from_millis(10));
        assert!(pacer.is_ready(Time::from_millis(10)));
        pacer.take(Time::from_millis(10));
        assert!(!pacer.is_ready(Time::from_millis(59)));
        assert!(pacer.is_ready(Time::from_millis(60)));
        pacer.take(Time::from_millis(200));
        assert!(!pacer.is_ready(Time::from_millis(249)), "a late tick earns no burst");
        assert_eq!(pacer.next(), Time::from_millis(250));
    }

    #[test]
    fn a_restart_waits_for_the_end_of_the_interval_and_forgets_what_the_peer_wanted() {
        let mut pacer = Pacer::new(Duration::from_millis(50), None, Time::ZERO);
        pacer.slow_down_to(Duration::from_millis(200));
        pacer.take(Time::from_millis(10));
        let mut next = pacer.successor(Duration::from_millis(50));
        assert!(!next.is_ready(Time::from_millis(209)) && next.is_ready(Time::from_millis(210)));
        assert_eq!(next.ta(), Duration::from_millis(50));
    }

    #[test]
    fn the_larger_interval_counts() {
        let mut pacer = Pacer::new(Duration::from_millis(50), None, Time::ZERO);
        pacer.slow_down_to(Duration::from_millis(20));
        assert_eq!(pacer.ta(), Duration::from_millis(50));
        pacer.slow_down_to(Duration::from_millis(100));
        assert_eq!(pacer.ta(), Duration::from_millis(100));
    }

    fn ms(ms: u64) -> Time {
        Time::from_millis(ms)
    }

    fn pacers<const N: usize>() -> [Pacer; N] {
        let shared = SharedPace::new();
        core::array::from_fn(|_| Pacer::new(Duration::from_millis(50), Some(shared.clone()), Time::ZERO))
    }

    #[test]
    fn agents_that_begin_at_once_take_turns_5_ms_apart() {
        let mut pacers = pacers::<4>();
        assert!(pacers[0].is_ready(ms(0)));
        pacers[0].take(ms(0));
        let turns: Vec<Time> = (1..4)
            .map(|at| {
                assert!(!pacers[at].is_ready(ms(0)));
                pacers[at].next()
            })
            .collect();
        assert_eq!(turns, [ms(5), ms(10), ms(15)]);
        assert!(!pacers[2].is_ready(ms(9)), "asking again gives no other turn");
        assert!(pacers[2].is_ready(ms(10)));
        pacers[2].take(ms(10));
        assert!(!pacers[0].is_ready(ms(49)), "an agent keeps its own Ta as well");
        assert!(pacers[0].is_ready(ms(50)));
    }

    #[test]
    fn agents_that_come_late_are_5_ms_apart_too() {
        let [mut first, mut second] = pacers();
        assert!(first.is_ready(ms(0)) && !second.is_ready(ms(0)));
        first.take(ms(0));
        assert!(first.is_ready(ms(52)), "its Ta is over and nobody began");
        first.take(ms(52));
        assert!(!second.is_ready(ms(53)), "its turn was long ago, but the other one has just begun");
        assert_eq!(second.next(), ms(57));
        assert!(second.is_ready(ms(57)));
    }
}
