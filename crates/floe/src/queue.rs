//! Datagrams that arrived while nobody asked for them.

use std::collections::VecDeque;

/// Buffers larger than this are not kept for reuse, so that a few huge datagrams do not hold memory for ever.
const KEPT_CAPACITY: usize = 4096;

/// A bounded queue of datagrams in buffers that are used again.
pub(crate) struct Queue {
    waiting: VecDeque<Vec<u8>>,
    spare: Vec<Vec<u8>>,
    limit: usize,
}

impl Queue {
    pub(crate) fn new(limit: usize) -> Self {
        Self { waiting: VecDeque::new(), spare: Vec::new(), limit }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// False if the queue is full; then the newcomer is what gets lost.
    #[must_use]
    pub(crate) fn push(&mut self, datagram: &[u8]) -> bool {
        if self.waiting.len() >= self.limit {
            return false;
        }
        let mut buffer = self.spare.pop().unwrap_or_default();
        buffer.clear();
        buffer.extend_from_slice(datagram);
        self.waiting.push_back(buffer);
        true
    }

    /// Copies the oldest datagram into `out`, cut to its size, and tells how many bytes that are.
    pub(crate) fn pop(&mut self, out: &mut [u8]) -> Option<usize> {
        let datagram = self.waiting.pop_front()?;
        let len = datagram.len().min(out.len());
        if let (Some(to), Some(from)) = (out.get_mut(..len), datagram.get(..len)) {
            to.copy_from_slice(from);
        }
        if datagram.capacity() <= KEPT_CAPACITY {
            self.spare.push(datagram);
        }
        Some(len)
    }

    pub(crate) fn clear(&mut self) {
        self.waiting.clear();
        self.spare.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn datagrams_come_out_in_order_and_the_newest_is_refused_when_full() {
        let mut queue = Queue::new(2);
        assert!(queue.push(b"one") && queue.push(b"") && !queue.push(b"three"));
        let mut out = [0; 8];
        assert_eq!((queue.pop(&mut out), &out[..3]), (Some(3), &b"one"[..]));
        assert!(queue.push(b"four"));
        assert_eq!(queue.pop(&mut out), Some(0));
        assert_eq!(queue.pop(&mut out[..2]), Some(2), "cut to the caller's buffer");
        assert_eq!(&out[..2], b"fo");
        assert_eq!(queue.pop(&mut out), None);
    }

    #[test]
    fn buffers_are_used_again_and_huge_ones_are_not_kept() {
        let mut queue = Queue::new(4);
        let mut out = [0; 8];
        for _ in 0..100 {
            assert!(queue.push(&[7; 1200]));
            assert_eq!(queue.pop(&mut out), Some(8));
        }
        assert_eq!(queue.spare.len(), 1);
        assert!(queue.push(&[7; 1200]) && queue.push(&[7; 60_000]));
        queue.pop(&mut out);
        queue.pop(&mut out);
        assert!(queue.spare.iter().all(|buffer| buffer.capacity() <= KEPT_CAPACITY));
        assert_eq!(queue.spare.len(), 1);
    }
}
