//! Durations for people.

use std::time::Duration;

/// A duration in three or four digits and its unit.
pub(crate) fn short(duration: Duration) -> String {
    match duration.as_secs_f64() {
        seconds if seconds >= 1.0 => format!("{seconds:.2} s"),
        seconds if seconds >= 0.1 => format!("{:.0} ms", seconds * 1e3),
        seconds if seconds >= 0.001 => format!("{:.1} ms", seconds * 1e3),
        seconds => format!("{:.0} µs", seconds * 1e6),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_short() {
        for (micros, text) in [(7, "7 µs"), (1_234, "1.2 ms"), (250_000, "250 ms"), (1_500_000, "1.50 s")] {
            assert_eq!(short(Duration::from_micros(micros)), text);
        }
    }
}
