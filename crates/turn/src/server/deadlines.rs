//! What is to be done when: one heap for the whole server.

use alloc::collections::BinaryHeap;
use core::cmp::Reverse;

use floe_stun::Time;

use super::slab::Key;

/// What has a deadline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Timer {
    Allocation(Key),
    Reservation(Key),
}

impl core::fmt::Debug for Key {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{:#x}", self.as_u64())
    }
}

/// The deadlines, earliest first. One that was put off stays where it is: when its time comes, whoever handles it looks
/// at the real one and sets it anew. So a refresh costs nothing here.
#[derive(Default)]
pub(super) struct Deadlines(BinaryHeap<Reverse<(Time, Timer)>>);

impl Deadlines {
    pub(super) fn set(&mut self, at: Time, timer: Timer) {
        // What never comes due needs no place.
        if at != Time::MAX {
            self.0.push(Reverse((at, timer)));
        }
    }

    /// The earliest.
    pub(super) fn next(&self) -> Option<Time> {
        self.0.peek().map(|Reverse((at, _))| *at)
    }

    /// Takes the earliest, if it is due.
    pub(super) fn pop_due(&mut self, now: Time) -> Option<Timer> {
        if self.next()? > now {
            return None;
        }
        self.0.pop().map(|Reverse((_, timer))| timer)
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_due_comes_in_the_order_of_time() {
        let mut deadlines = Deadlines::default();
        let timer = |n| Timer::Allocation(Key::from_u64(n));
        deadlines.set(Time::from_secs(3), timer(3));
        deadlines.set(Time::from_secs(1), timer(1));
        deadlines.set(Time::from_secs(2), timer(2));
        deadlines.set(Time::MAX, timer(4));
        assert_eq!((deadlines.next(), deadlines.len()), (Some(Time::from_secs(1)), 3));
        assert_eq!(deadlines.pop_due(Time::from_millis(999)), None);
        assert_eq!(deadlines.pop_due(Time::from_secs(2)), Some(timer(1)));
        assert_eq!(deadlines.pop_due(Time::from_secs(2)), Some(timer(2)));
        assert_eq!(deadlines.pop_due(Time::from_secs(2)), None);
        deadlines.clear();
        assert_eq!(deadlines.next(), None);
    }
}
