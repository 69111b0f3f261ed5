//! How much may come in a second.

use std::time::Instant;

/// A token bucket: so much in a second on the average, and so much at once.
#[derive(Debug, Clone)]
pub(super) struct Bucket {
    per_second: f64,
    size: f64,
    level: f64,
    at: Instant,
}

impl Bucket {
    /// A full bucket.
    pub(super) fn new(per_second: u32, size: u32, now: Instant) -> Self {
        let size = f64::from(size.max(1));
        Self { per_second: f64::from(per_second), size, level: size, at: now }
    }

    /// Whether so much is there now.
    pub(super) fn has(&mut self, amount: usize, now: Instant) -> bool {
        let passed = now.saturating_duration_since(self.at);
        self.at = self.at.max(now);
        self.level = (self.level + passed.as_secs_f64() * self.per_second).min(self.size);
        // What is larger than the bucket is let through when it is full; it cannot be fuller.
        self.level >= (amount as f64).min(self.size)
    }

    /// Takes it, after [`Self::has`].
    pub(super) fn take(&mut self, amount: usize) {
        self.level -= amount as f64;
    }

    /// Whether nothing was taken for a while: at least half of it is there.
    pub(super) fn is_calm(&self) -> bool {
        self.level >= self.size / 2.0
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_bucket_gives_what_it_has_and_fills_with_time() {
        let now = Instant::now();
        let mut bucket = Bucket::new(10, 20, now);
        let mut taken = 0;
        while bucket.has(1, now) {
            bucket.take(1);
            taken += 1;
        }
        assert_eq!(taken, 20);
        assert!(!bucket.has(1, now + Duration::from_millis(99)));
        assert!(bucket.has(1, now + Duration::from_millis(100)));
        assert!(!bucket.is_calm());
        assert!(bucket.has(1, now + Duration::from_secs(1)) && bucket.is_calm());
        // A clock that goes back gives nothing.
        assert!(bucket.has(20, now + Duration::from_secs(60)));
        bucket.take(20);
        assert!(!bucket.has(1, now));
    }

    #[test]
    fn what_is_larger_than_a_bucket_passes_when_it_is_full() {
        let now = Instant::now();
        let mut bucket = Bucket::new(10, 20, now);
        assert!(bucket.has(1000, now));
        bucket.take(1000);
        assert!(!bucket.has(1, now + Duration::from_secs(90)));
        assert!(bucket.has(1, now + Duration::from_secs(99)));
    }
}
