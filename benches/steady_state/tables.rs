//! Connected and idle, in `RESULTS.md`.

use std::time::Duration;

use floe_benches::floe::Floe;
use floe_benches::heap;
use floe_benches::meter::{self, Case};
#[cfg(feature = "peers")]
use floe_benches::peers::{Is, Rice, Rtc};
use floe_benches::report::{Report, Verdict, figure};
use floe_benches::timing;
use floe_benches::world::{Agent, Post, Setup, World};

use crate::{CASES, HOUR};

/// An agent in its connection, for an hour.
struct Hour {
    name: &'static str,
    hosts: u8,
    bytes: usize,
    packets: f64,
    wakeups: f64,
    milliseconds: f64,
    allocations: f64,
}

impl Hour {
    fn of<A: Agent>(hosts: u8) -> Self {
        let mut world = World::<A>::settled(Setup::of_hosts(hosts));
        let mut hour = || {
            let before = world.accounts();
            let mut taken = Duration::ZERO;
            let (allocations, ()) = heap::allocations_of(|| taken = timing::of(|| world.run_for(HOUR)));
            let after = world.accounts();
            let sum = |of: fn(&floe_benches::world::Account) -> u64| {
                let count = |accounts: &[_; 2]| accounts.iter().map(of).sum::<u64>();
                (count(&after) - count(&before)) as f64 / 2.0
            };
            (sum(|a| a.packets), sum(|a| a.wakeups), taken, allocations)
        };
        let hours = [hour(), hour(), hour()];
        let fastest = hours.iter().map(|hour| hour.2).min().unwrap_or_default();
        let (packets, wakeups, _, allocations) = hours[2];
        let ([a, _b], _) = world.into_parts();
        Self {
            name: A::NAME,
            hosts,
            bytes: A::SIZE + heap::owned_by(a),
            packets,
            wakeups,
            milliseconds: fastest.as_secs_f64() * 1e3 / 2.0,
            allocations: allocations as f64 / 2.0,
        }
    }

    fn row(&self) -> Vec<String> {
        vec![
            self.name.to_owned(),
            self.hosts.to_string(),
            figure(self.bytes as f64),
            figure(self.packets),
            figure(self.wakeups),
            figure(self.milliseconds),
            figure(self.allocations),
        ]
    }
}

pub(crate) fn report(report: &mut Report) {
    report.section(
        "A connected agent at rest",
        "One of two agents that connected over N host candidates a side, five minutes later: the bytes it has in memory, its \
         own size included, and what it does in an hour. `rice-proto` has no consent (RFC 7675) and sends nothing; `is` \
         goes on checking every pair it has, and does not check FINGERPRINT.",
    );
    let ours = [1, 10].map(Hour::of::<Floe>);
    #[cfg(feature = "peers")]
    let others = [1, 10].map(|n| [Hour::of::<Is>(n), Hour::of::<Rice>(n), Hour::of::<Rtc>(n)]);
    #[cfg(not(feature = "peers"))]
    let others: [[Hour; 0]; 2] = [[], []];
    let mut rows = Vec::new();
    for (ours, others) in ours.iter().zip(&others) {
        rows.push(ours.row());
        rows.extend(others.iter().map(Hour::row));
    }
    let headings =
        ["agent", "N", "memory (B)", "packets sent/h", "wake-ups/h", "CPU (ms/h)", "allocations/h"];
    report.table(&headings, &rows);
    let compare = |of: fn(&Hour) -> f64, at: usize| {
        let figures = others[at].iter().map(|hour| format!("{} {}", hour.name, figure(of(hour))));
        figures.collect::<Vec<_>>().join(", ")
    };
    let [one, many] = &ours;
    for (at, hour, budget) in [(0, one, 2560.0), (1, many, 16_384.0)] {
        let what = if at == 0 { "memory, one pair" } else { "memory, 100 pairs" };
        let verdict = Verdict::at_most(what, hour.bytes as f64, budget, "B");
        report.verdict(&verdict.alternatives(compare(|h| h.bytes as f64, at)).headline());
    }
    let wakeups = Verdict::at_most("wake-ups an hour", one.wakeups, 750.0, "wake-ups");
    report.verdict(&wakeups.alternatives(compare(|h| h.wakeups, 0)).floor("720: a consent check every 5 s"));
    let cpu = Verdict::at_most("processor time an hour", one.milliseconds, 1.0, "ms");
    let cpu = cpu.alternatives(compare(|h| h.milliseconds, 0)).floor("0.4 ms: 720 consent checks each way");
    report.verdict(&cpu.headline());
    let allocations = one.allocations.max(many.allocations);
    report.verdict(
        &Verdict::at_most("allocations in an hour", allocations, 0.0, "allocations")
            .alternatives(compare(|h| h.allocations, 1))
            .floor("0"),
    );
    ticks(report);
    crowd(report);
}

fn ticks(report: &mut Report) {
    let ticks: Vec<&Case> = CASES.iter().filter(|case| !case.name.contains("hour")).collect();
    let costs = meter::costs(&ticks);
    let worst = costs.iter().map(|cost| cost.instructions as f64).fold(0.0, f64::max);
    report.text(&format!(
        "A driver that comes too early (hand in the time, ask for a packet, for events and for the next time) spends {} \
         instructions at most, connected or in the middle of its checks, with 1, 10 or 100 host candidates a side.",
        figure(worst)
    ));
    report.verdict(
        &Verdict::at_most("a tick with nothing to do, any N", worst, 100.0, "instructions").floor("0"),
    );
}

/// Many agents in one process.
fn crowd(report: &mut Report) {
    const PAIRS: usize = 50_000;
    let before = resident();
    let mut agents = Vec::with_capacity(2 * PAIRS);
    let mut post = Post::default();
    for _ in 0..PAIRS {
        let mut world = World::<Floe>::with(Setup::of_hosts(1), post);
        assert!(world.connect(Duration::from_secs(60)), "a pair of agents does not connect");
        world.run_for(Duration::from_secs(60));
        let pair;
        (pair, post) = world.into_parts();
        agents.extend(pair);
    }
    let mebibytes = (resident() - before) / f64::from(1 << 20);
    let heap = heap::owned_by(agents) as f64 / f64::from(1 << 20);
    report.text(&format!(
        "{} connected agents in one process: {} MiB on the heap, {} MiB resident.",
        figure(2.0 * PAIRS as f64),
        figure(heap),
        figure(mebibytes)
    ));
    let what = "100 000 connected agents, resident";
    report.verdict(&Verdict::at_most(what, mebibytes, 400.0, "MiB"));
}

/// What the process occupies, in bytes.
fn resident() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kibibytes = line.and_then(|line| line.trim().strip_suffix("kB")?.trim().parse().ok());
    kibibytes.unwrap_or(f64::NAN) * 1024.0
}
