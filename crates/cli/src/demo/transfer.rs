//! Data from one agent to the other: the time to the first byte, the round-trip time, the throughput.

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use floe::{Connection, SendError};
use tokio::time::timeout;

use crate::duration::short;

/// Pings whose answers are timed.
const PINGS: u32 = 20;
/// How long an answer is waited for before the ping is sent again: datagrams can be lost.
const PATIENCE: Duration = Duration::from_millis(200);
/// How often a ping is sent before the connection counts as dead.
const TRIES: u32 = 25;
/// How long the throughput is measured.
const MEASURED: Duration = Duration::from_secs(1);
/// Bytes of each datagram in the measurement: they fit every path on the Internet.
const DATAGRAM: usize = 1200;

/// Datagrams on their way at a time: what a socket's buffer holds by default.
const WINDOW: u64 = 64;
/// The other side confirms every so many.
const CONFIRMED: u64 = 16;

/// The first byte of a datagram says what it is.
const PING: u8 = b'P';
const ANSWER: u8 = b'A';
const DATA: u8 = b'D';

/// Answers pings and counts data, until the connection ends. Says when the first byte came.
pub(crate) async fn answer(connection: Connection, first: Arc<OnceLock<Instant>>) {
    let mut buffer = vec![0; 2048];
    let mut count: u64 = 0;
    while let Ok(len) = connection.recv(&mut buffer).await {
        first.get_or_init(Instant::now);
        let number = match *buffer.get(..len).unwrap_or_default() {
            [PING, n0, n1, n2, n3] => [n0, n1, n2, n3],
            [DATA, ..] => {
                count += 1;
                if !count.is_multiple_of(CONFIRMED) {
                    continue;
                }
                [0; 4]
            }
            _ => continue,
        };
        let answer = [&[ANSWER][..], &number, &count.to_be_bytes()].concat();
        // What is lost is asked for again.
        let _ = connection.send(&answer).await;
    }
}

/// The side that asks.
pub(crate) struct Asker {
    connection: Connection,
    /// The number of the latest ping; the first is 1.
    latest: u32,
    /// How many datagrams of data the other side has got, as it said last.
    counted: u64,
}

impl Asker {
    pub(crate) const fn new(connection: Connection) -> Self {
        Self { connection, latest: 0, counted: 0 }
    }

    /// Sends a ping until it is answered; how long the answer took.
    pub(crate) async fn ping(&mut self) -> Result<Duration, String> {
        for _ in 0..TRIES {
            self.latest += 1;
            let sent = Instant::now();
            self.send(&[&[PING][..], &self.latest.to_be_bytes()].concat()).await?;
            if let Ok(answered) = timeout(PATIENCE, self.answered()).await {
                return answered.map(|()| sent.elapsed());
            }
        }
        Err(format!("no answer to {TRIES} pings in a row"))
    }

    /// Waits for the answer to the latest ping.
    async fn answered(&mut self) -> Result<(), String> {
        while self.receive().await? != self.latest {}
        Ok(())
    }

    /// Waits for an answer, and gives the number of the ping that it is to.
    async fn receive(&mut self) -> Result<u32, String> {
        let mut buffer = [0; 16];
        loop {
            let len = self.connection.recv(&mut buffer).await.map_err(|error| error.to_string())?;
            if let [ANSWER, n0, n1, n2, n3, count @ ..] = buffer.get(..len).unwrap_or_default()
                && let Ok(count) = count.try_into()
            {
                // One that was overtaken says less.
                self.counted = self.counted.max(u64::from_be_bytes(count));
                return Ok(u32::from_be_bytes([*n0, *n1, *n2, *n3]));
            }
        }
    }

    async fn send(&self, payload: &[u8]) -> Result<(), String> {
        self.connection.send(payload).await.map_err(|error: SendError| error.to_string())
    }

    /// The round-trip times of several pings.
    pub(crate) async fn round_trips(&mut self) -> Result<RoundTrips, String> {
        let mut times = Vec::new();
        for _ in 0..PINGS {
            times.push(self.ping().await?);
        }
        times.sort_unstable();
        Ok(RoundTrips(times))
    }

    /// Sends as fast as the other side takes it, for a second.
    pub(crate) async fn throughput(&mut self) -> Result<Throughput, String> {
        let mut flow = Flow { before: self.count().await?, ..Flow::default() };
        let payload = [DATA; DATAGRAM];
        let started = Instant::now();
        while started.elapsed() < MEASURED {
            if flow.on_their_way() < WINDOW {
                self.send(&payload).await?;
                flow.sent += 1;
                continue;
            }
            match timeout(PATIENCE, self.next_count()).await {
                Ok(count) => flow.count = count?,
                // What is not confirmed by now is lost, or its confirmation is.
                Err(_) => flow.written_off += flow.on_their_way(),
            }
        }
        // The answer to a ping comes after all that was not lost.
        flow.count = self.count().await?;
        Ok(Throughput { sent: flow.sent, received: flow.received(), took: started.elapsed() })
    }

    /// How many datagrams of data the other side has got.
    async fn count(&mut self) -> Result<u64, String> {
        self.ping().await?;
        Ok(self.counted)
    }

    /// The same, as soon as it says so by itself.
    async fn next_count(&mut self) -> Result<u64, String> {
        self.receive().await?;
        Ok(self.counted)
    }
}

/// Data between the two sides.
#[derive(Debug, Default)]
struct Flow {
    /// What the other side had got before.
    before: u64,
    /// What it says to have got.
    count: u64,
    sent: u64,
    /// What was sent and will not be confirmed any more.
    written_off: u64,
}

impl Flow {
    const fn received(&self) -> u64 {
        self.count.saturating_sub(self.before)
    }

    const fn on_their_way(&self) -> u64 {
        self.sent.saturating_sub(self.received()).saturating_sub(self.written_off)
    }
}

/// Round-trip times, the shortest first.
#[derive(Debug)]
pub(crate) struct RoundTrips(Vec<Duration>);

impl fmt::Display for RoundTrips {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [Some(min), Some(median), Some(max)] =
            [self.0.first(), self.0.get(self.0.len() / 2), self.0.last()]
        else {
            return f.write_str("not measured");
        };
        write!(f, "{} ({} to {}, {} times)", short(*median), short(*min), short(*max), self.0.len())
    }
}

/// How much went through.
#[derive(Debug)]
pub(crate) struct Throughput {
    sent: u64,
    received: u64,
    took: Duration,
}

impl fmt::Display for Throughput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bits = self.received as f64 * DATAGRAM as f64 * 8.0 / self.took.as_secs_f64();
        let (value, unit) = match bits {
            bits if bits >= 1e9 => (format!("{:.2}", bits / 1e9), "Gbit/s"),
            bits => (format!("{:.1}", bits / 1e6), "Mbit/s"),
        };
        let lost = self.sent.saturating_sub(self.received) as f64 / self.sent.max(1) as f64 * 100.0;
        let (received, took) = (self.received, short(self.took));
        write!(f, "{value} {unit} ({received} × {DATAGRAM} bytes in {took}, {lost:.1} % lost)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_readable() {
        let times = RoundTrips([50, 70, 90].map(Duration::from_micros).to_vec());
        assert_eq!(times.to_string(), "70 µs (50 µs to 90 µs, 3 times)");
        assert_eq!(RoundTrips(Vec::new()).to_string(), "not measured");
        let all = Throughput { sent: 200_000, received: 150_000, took: Duration::from_secs(1) };
        assert_eq!(all.to_string(), "1.44 Gbit/s (150000 × 1200 bytes in 1.00 s, 25.0 % lost)");
        let nothing = Throughput { sent: 0, received: 0, took: Duration::from_secs(2) };
        assert_eq!(nothing.to_string(), "0.0 Mbit/s (0 × 1200 bytes in 2.00 s, 0.0 % lost)");
    }
}
