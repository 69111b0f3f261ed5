//! What waits to be written to one connection: bounded, so that a client that does not read costs no memory.

use std::sync::Mutex;

use tokio::sync::Notify;

use crate::engine::lock;

/// Data is taken while no more bytes than this wait. The last frame may go beyond it.
const MAX_DATA: usize = 128 * 1024;

/// Responses are taken a little longer: what is relayed does not keep a client from refreshing.
const MAX_RESPONSES: usize = MAX_DATA + 64 * 1024 + 16 * 1024;

/// What a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// What a peer sent: ChannelData, a Data indication.
    Data,
    /// An answer of the server's own.
    Response,
}

/// See the module.
#[derive(Default)]
pub(super) struct Outbox {
    queue: Mutex<Queue>,
    filled: Notify,
}

#[derive(Default)]
struct Queue {
    waiting: Vec<u8>,
    /// Bytes that were taken and are not written yet.
    in_flight: usize,
}

impl Outbox {
    /// Adds a frame, all of it or nothing; whether there was room.
    pub(super) fn push(&self, kind: Kind, frame: &[u8]) -> bool {
        let limit = match kind {
            Kind::Data => MAX_DATA,
            Kind::Response => MAX_RESPONSES,
        };
        let mut queue = lock(&self.queue);
        if queue.waiting.len() + queue.in_flight > limit {
            return false;
        }
        queue.waiting.extend_from_slice(frame);
        drop(queue);
        self.filled.notify_one();
        true
    }

    /// Waits for bytes and puts them in place of those in `batch`, which are written.
    pub(super) async fn next(&self, batch: &mut Vec<u8>) {
        batch.clear();
        loop {
            {
                let mut queue = lock(&self.queue);
                std::mem::swap(&mut queue.waiting, batch);
                queue.in_flight = batch.len();
            }
            if !batch.is_empty() {
                return;
            }
            self.filled.notified().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_pushed_comes_out_whole_and_in_order() {
        let (outbox, mut batch) = (Outbox::default(), Vec::new());
        assert!(outbox.push(Kind::Data, b"abc"));
        assert!(outbox.push(Kind::Response, b"de"));
        outbox.next(&mut batch).await;
        assert_eq!(batch, b"abcde");
        assert!(outbox.push(Kind::Data, b"f"));
        outbox.next(&mut batch).await;
        assert_eq!(batch, b"f");
    }

    #[tokio::test]
    async fn a_reader_that_is_slow_gets_no_more_data_but_answers_for_a_while() {
        let (outbox, frame, mut batch) = (Outbox::default(), [7; 65_535], Vec::new());
        let taken = (0..9).filter(|_| outbox.push(Kind::Data, &frame)).count();
        assert_eq!(taken, 3, "the last one goes beyond the limit");
        assert!(outbox.push(Kind::Response, &frame[..9]));
        outbox.next(&mut batch).await;
        assert_eq!(batch.len(), 3 * frame.len() + 9);
        assert!(!outbox.push(Kind::Data, b"x"), "what is being written counts");
        let answers = (0..99).filter(|_| outbox.push(Kind::Response, &frame[..1000])).count();
        assert!((8..20).contains(&answers), "{answers}");
        outbox.next(&mut batch).await;
        assert!(outbox.push(Kind::Data, b"x"));
    }
}
