//! The relay on sockets, in `RESULTS.md`.

use std::time::{Duration, Instant};

use floe_benches::report::{Report, Verdict, figure};

use crate::clients::{self, PAYLOAD};
use crate::servers::Server;

/// Packets of each measurement, in all its turns.
const PACKETS: u32 = 120_000;
/// How often the servers take turns.
const TURNS: u32 = 4;
const MANY: u32 = 10_000;
/// How long they are kept, by the wall and by their own clocks.
const KEPT: Duration = Duration::from_secs(60);
const SPEED: u32 = 10;

pub(crate) fn report(report: &mut Report) {
    report.section(
        "TURN server on sockets",
        &format!(
            "A server process on loopback relays {PAYLOAD} bytes in channels, as many to the peers as from them, with 16 packets on \
             their way at a time. Processor time is the server's, with what the system does for it; the rate is also that of the \
             clients and peers, all on one thread of another processor. The servers take turns."
        ),
    );
    let mut rows = Vec::new();
    for allocations in [1, 10, 100] {
        let servers = [Some(("floe", Server::floe())), Server::coturn().map(|server| ("coturn", server))];
        let mut measured: Vec<_> = servers
            .into_iter()
            .flatten()
            .map(|(name, server)| Measured::begin(name, server, allocations))
            .collect();
        for _ in 0..TURNS {
            measured.iter_mut().for_each(Measured::turn);
        }
        rows.extend(measured.iter().map(|measured| measured.row(allocations)));
        if let [floe, coturn] = &measured[..] {
            let what = format!("relayed packets per core, of coturn's, {allocations} allocations");
            let ratio = 100.0 * coturn.microseconds() / floe.microseconds();
            let alternatives = format!("coturn {} µs a packet", figure(coturn.microseconds()));
            report.verdict(&Verdict::at_least(what, ratio.round(), 100.0, "%").alternatives(alternatives));
        }
    }
    report.table(&["server", "allocations", "µs of processor a packet", "packets a second", "lost"], &rows);
    many(report);
}

struct Measured {
    name: &'static str,
    server: Server,
    clients: Vec<clients::Client>,
    sent: u32,
    arrived: u32,
    processor: Duration,
    wall: Duration,
}

impl Measured {
    fn begin(name: &'static str, server: Server, allocations: u32) -> Self {
        let mut clients = clients::connect(server.address, allocations);
        // What is done once per process or allocation.
        clients::relay(&mut clients, 2_000);
        Self { name, server, clients, sent: 0, arrived: 0, processor: Duration::ZERO, wall: Duration::ZERO }
    }

    fn turn(&mut self) {
        let (processor, wall) = (self.server.processor_time(), Instant::now());
        self.arrived += clients::relay(&mut self.clients, PACKETS / TURNS);
        self.wall += wall.elapsed();
        self.processor += self.server.processor_time() - processor;
        self.sent += PACKETS / TURNS / 32 * 32;
    }

    fn microseconds(&self) -> f64 {
        self.processor.as_secs_f64() * 1e6 / f64::from(self.arrived.max(1))
    }

    fn row(&self, allocations: u32) -> Vec<String> {
        let rate = f64::from(self.arrived) / self.wall.as_secs_f64();
        let lost = self.sent.saturating_sub(self.arrived);
        vec![
            self.name.to_owned(),
            allocations.to_string(),
            figure(self.microseconds()),
            figure(rate.round()),
            lost.to_string(),
        ]
    }
}

/// Many allocations at a time.
fn many(report: &mut Report) {
    let server = Server::floe();
    let before = server.resident();
    let begun = Instant::now();
    let mut clients = clients::connect(server.address, MANY);
    let took = begun.elapsed();
    let memory = server.resident() - before;
    let processor = server.processor_time();
    let left = clients::keep(&mut clients, KEPT, SPEED);
    let arrived = clients::relay(&mut clients, MANY * 2);
    report.section(
        "Ten thousand allocations",
        &format!(
            "One process, one user, a channel each. They were made in {} s with {} s of its processor time, kept for a minute in which \
             ten minutes passed for the clients, so that each was renewed, and then used. {left} were left, and {arrived} of {} \
             packets arrived.",
            figure(took.as_secs_f64()),
            figure(processor.as_secs_f64()),
            MANY * 2 / 32 * 32,
        ),
    );
    report.verdict(&Verdict::at_least(
        "10 000 allocations, left after ten minutes of refreshing",
        left as f64,
        f64::from(MANY),
        "allocations",
    ));
    let each = memory / u64::from(MANY);
    report.table(
        &["allocations", "resident, each"],
        &[vec![figure(f64::from(MANY)), format!("{} B", figure(each as f64))]],
    );
}
