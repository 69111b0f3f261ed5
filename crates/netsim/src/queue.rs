//! What will happen, in the order of time and, within one instant, of scheduling.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use floe_stun::Time;

use crate::id::EndpointId;
use crate::packet::Slot;
use crate::topology::Attachment;

/// Something that will happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Due {
    /// A packet arrives.
    Arrival(Slot, Attachment),
    /// A signalling message arrives; its bytes are in the slot.
    Signal { from: EndpointId, to: EndpointId, message: Slot },
    /// An endpoint wanted to be woken.
    Wake(EndpointId),
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    time: Time,
    seq: u64,
    due: Due,
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.seq == other.seq
    }
}

impl Eq for Entry {}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Entry {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.time, self.seq).cmp(&(other.time, other.seq))
    }
}

/// The event queue.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    heap: BinaryHeap<Reverse<Entry>>,
    seq: u64,
}

impl Queue {
    pub(crate) fn push(&mut self, time: Time, due: Due) {
        self.heap.push(Reverse(Entry { time, seq: self.seq, due }));
        self.seq += 1;
    }

    /// When the next thing happens.
    pub(crate) fn next_time(&self) -> Option<Time> {
        self.heap.peek().map(|Reverse(entry)| entry.time)
    }

    pub(crate) fn pop(&mut self) -> Option<(Time, Due)> {
        self.heap.pop().map(|Reverse(entry)| (entry.time, entry.due))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_times_keep_the_order_of_scheduling() {
        let mut queue = Queue::default();
        for (ms, n) in [(5, 0), (1, 1), (5, 2), (1, 3), (5, 4)] {
            queue.push(Time::from_millis(ms), Due::Wake(EndpointId(n)));
        }
        let order: Vec<_> = std::iter::from_fn(|| queue.pop()).collect();
        let expected = [(1, 1), (1, 3), (5, 0), (5, 2), (5, 4)];
        let expected = expected.map(|(ms, n)| (Time::from_millis(ms), Due::Wake(EndpointId(n))));
        assert_eq!(order, expected);
    }
}
