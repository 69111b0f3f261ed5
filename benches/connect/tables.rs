//! Connecting, in `RESULTS.md`.

use std::collections::BTreeMap;
use std::time::Duration;

use floe_benches::floe::Floe;
use floe_benches::meter::{self, Case, Cost};
#[cfg(feature = "peers")]
use floe_benches::peers::{Is, Rice, Rtc};
use floe_benches::report::{Report, Verdict, figure};
use floe_benches::timing;
use floe_benches::world::{Account, Agent, Nanos, Setup, World};

use crate::{FLOE, FLOOR, LIMIT, PEERS};

/// The sizes at which everything is measured; above them, time only.
const SMALL: [u8; 3] = [1, 4, 10];
const LARGE: [u8; 4] = [10, 30, 60, 100];

/// What was measured of the cases, by name.
struct Measured {
    nanoseconds: BTreeMap<&'static str, f64>,
    costs: BTreeMap<&'static str, Cost>,
}

impl Measured {
    fn new() -> Self {
        let cases: Vec<&Case> = [&FLOOR].into_iter().chain(&FLOE).chain(&PEERS).collect();
        let names = || cases.iter().map(|case| case.name);
        let nanoseconds = names().zip(timing::nanoseconds(&cases)).collect();
        // Instructions of a large number of pairs take the alternatives minutes under valgrind.
        let is_small = |case: &Case| SMALL.iter().any(|n| case.name.ends_with(&format!("N = {n}")));
        let counted: Vec<&Case> = FLOE.iter().chain(PEERS.iter().filter(|case| is_small(case))).collect();
        let costs = counted.iter().map(|case| case.name).zip(meter::costs(&counted)).collect();
        Self { nanoseconds, costs }
    }

    fn microseconds(&self, agent: &str, n: u8) -> Option<f64> {
        self.nanoseconds.get(format!("{agent}, N = {n}").as_str()).map(|ns| ns / 1000.0)
    }

    fn cost(&self, agent: &str, n: u8) -> Option<&Cost> {
        self.costs.get(format!("{agent}, N = {n}").as_str())
    }

    /// `is 114, rice-proto 7935`: microseconds of the alternatives.
    fn others(&self, n: u8, unit: f64) -> String {
        let figures = OTHERS.iter().filter_map(|(name, note)| {
            let us = self.microseconds(name, n)?;
            Some(format!("{name} {}{note}", figure(us / unit)))
        });
        figures.collect::<Vec<_>>().join(", ")
    }
}

/// The alternatives, each with a mark where it leaves something out.
const OTHERS: [(&str, &str); 3] = [("is", "¹"), ("rice-proto", "²"), ("rtc-ice", "³")];

const LEFT_OUT: &str = "¹ does not check FINGERPRINT and freezes nothing. ² knows no consent. ³ has no pace: it checks \
    all pairs at once, five times a second, which Ta (RFC 8445 §14.2) forbids; mDNS is off.";

pub(crate) fn report(report: &mut Report) {
    let measured = Measured::new();
    costs(report, &measured);
    scaling(report, &measured);
    times(report);
}

fn costs(report: &mut Report, measured: &Measured) {
    report.section(
        "Connecting two agents",
        "Both agents together, from making them over introducing them to each other until both have selected a pair, and \
         dropping them; a full mesh of N host candidates a side, 50 ms one way, no loss, regular nomination, defaults \
         otherwise. What the simulated network costs is part of every figure and the same for all. Peak: the most \
         memory on the heap after any step.",
    );
    let mut rows = Vec::new();
    for n in SMALL {
        rows.push(row::<Floe>(measured, n));
        #[cfg(feature = "peers")]
        rows.extend([row::<Is>(measured, n), row::<Rice>(measured, n), row::<Rtc>(measured, n)]);
    }
    let headings = [
        "agent",
        "N",
        "nominated A/B (ms)",
        "packets",
        "CPU (µs)",
        "instructions",
        "allocations",
        "peak (KiB/agent)",
    ];
    report.table(&headings, &rows);
    report.text(LEFT_OUT);
    for (n, budget) in [(1, 6.0), (4, 14.0), (10, 35.0), (100, 500.0)] {
        let what = format!("connect, CPU of both, N = {n}");
        let ours = measured.microseconds(Floe::NAME, n).unwrap_or(f64::NAN);
        let least = floor(measured, n);
        let verdict = Verdict::at_most(what, ours, budget, "µs").alternatives(measured.others(n, 1.0));
        let verdict = verdict.floor(least);
        report.verdict(&if n == 1 || n == 10 { verdict.headline() } else { verdict });
    }
}

/// The keys, HMAC-SHA1 and CRC-32 of ten packets.
fn floor(measured: &Measured, n: u8) -> String {
    let ns = measured.nanoseconds.get(FLOOR.name).filter(|_| n == 1);
    ns.map_or_else(String::new, |ns| {
        format!("{} µs: keys, HMAC-SHA1 and CRC-32 of ten packets", figure(ns / 1000.0))
    })
}

fn row<A: Agent>(measured: &Measured, n: u8) -> Vec<String> {
    let accounts = connect::<A>(Setup::of_hosts(n));
    let at = accounts.map(|account| millis(account.nominated_at));
    let packets: u64 = accounts.iter().map(|account| account.packets).sum();
    let cost = measured.cost(A::NAME, n);
    vec![
        A::NAME.to_owned(),
        n.to_string(),
        format!("{}/{}", at[0], at[1]),
        packets.to_string(),
        measured.microseconds(A::NAME, n).map_or_else(String::new, figure),
        cost.map_or_else(String::new, |cost| figure(cost.instructions as f64)),
        cost.map_or_else(String::new, |cost| figure(cost.allocations)),
        figure(World::<A>::peak(Setup::of_hosts(n)) as f64 / 2048.0),
    ]
}

fn connect<A: Agent>(setup: Setup) -> [Account; 2] {
    let mut world = World::<A>::new(setup);
    assert!(world.connect(LIMIT), "{} does not connect", A::NAME);
    world.accounts()
}

fn millis(time: Option<Nanos>) -> String {
    time.map_or_else(|| "–".to_owned(), |time| figure(time as f64 / 1e6))
}

fn scaling(report: &mut Report, measured: &Measured) {
    report.section(
        "Growth with the number of candidates",
        "Processor time of both agents in milliseconds until both have selected a pair. floe and `is` keep 100 pairs at \
         most, so what grows with N² beyond N = 10 is finding the best of them.",
    );
    let names = [Floe::NAME, "is", "rice-proto", "rtc-ice"];
    let rows: Vec<Vec<String>> = names
        .iter()
        .filter(|name| measured.microseconds(name, 10).is_some())
        .map(|name| {
            let cells = LARGE.map(|n| {
                measured.microseconds(name, n).map_or_else(|| "–".to_owned(), |us| figure(us / 1000.0))
            });
            [(*name).to_owned()].into_iter().chain(cells).collect()
        })
        .collect();
    report.table(&["agent", "N = 10", "30", "60", "100"], &rows);
    report.text("–: takes more than a minute.");
}

/// What the RFC allows when everything is signalled before the start.
fn times(report: &mut Report) {
    report.section(
        "Time to connect",
        "On virtual time, one host candidate a side, Ta 50 ms, everything signalled before the start: when data is possible \
         (RFC 8445 §12.1) and when the pair is selected, on the controlling and the controlled side, and how many packets \
         both have sent by then. A retriggered check (RFC 8445 §7.3.1.4) costs packets when Ta is the time one way.",
    );
    let expected = [
        (50, false, [100, 100], [200, 150], 10),
        (50, true, [100, 100], [100, 100], 8),
        (20, false, [40, 40], [90, 70], 6),
        (20, true, [40, 40], [40, 40], 6),
    ];
    let mut rows = Vec::new();
    for (one_way, immediate, usable, nominated, packets) in expected {
        let setup = Setup { immediate, one_way: Duration::from_millis(one_way), ..Setup::of_hosts(1) };
        let accounts = connect::<Floe>(setup);
        let pair = |at: [Option<Nanos>; 2]| format!("{}/{}", millis(at[0]), millis(at[1]));
        let (usable_at, nominated_at) = (accounts.map(|a| a.usable_at), accounts.map(|a| a.nominated_at));
        let sent: u64 = accounts.iter().map(|account| account.packets).sum();
        let how = if immediate { "immediate" } else { "regular" };
        rows.push(vec![
            format!("{one_way} ms"),
            how.to_owned(),
            pair(usable_at),
            pair(nominated_at),
            sent.to_string(),
        ]);
        let of = format!("{one_way} ms one way, {how}");
        let ms = |time: Option<Nanos>| time.map_or(f64::INFINITY, |time| time as f64 / 1e6);
        let worst = |at: [Option<Nanos>; 2], budget: [u64; 2]| {
            // The side that is later, compared with its own budget.
            let late = |side: usize| ms(at[side]) - budget[side] as f64;
            let side = usize::from(late(1) > late(0));
            (ms(at[side]), budget[side] as f64)
        };
        let (data, data_budget) = worst(usable_at, usable);
        let (selected, selected_budget) = worst(nominated_at, nominated);
        let rtt = format!("{} ms: one round trip", 2 * one_way);
        let data = Verdict::at_most(format!("data possible, {of}"), data, data_budget, "ms").floor(&*rtt);
        let selected =
            Verdict::at_most(format!("pair selected, {of}"), selected, selected_budget, "ms").floor(rtt);
        let what = format!("packets until selected, {of}");
        let theory = if immediate { "4" } else { "6" };
        let sent = Verdict::at_most(what, sent as f64, f64::from(packets), "packets").floor(theory);
        report.verdict(&if one_way == 50 && !immediate { data.headline() } else { data });
        report.verdict(&selected);
        report.verdict(&sent);
    }
    report.table(&["one way", "nomination", "data possible A/B (ms)", "selected A/B (ms)", "packets"], &rows);
    compare_times(report);
}

#[cfg(feature = "peers")]
fn compare_times(report: &mut Report) {
    let mut rows = Vec::new();
    for one_way in [50, 20] {
        let setup = Setup { one_way: Duration::from_millis(one_way), ..Setup::of_hosts(1) };
        let all = [
            (Floe::NAME, connect::<Floe>(setup)),
            (Is::NAME, connect::<Is>(setup)),
            (Rice::NAME, connect::<Rice>(setup)),
            (Rtc::NAME, connect::<Rtc>(setup)),
        ];
        rows.extend(all.map(|(name, accounts)| {
            let [a, b] = accounts.map(|account| millis(account.nominated_at));
            let packets: u64 = accounts.iter().map(|account| account.packets).sum();
            vec![format!("{one_way} ms"), name.to_owned(), format!("{a}/{b}"), packets.to_string()]
        }));
    }
    report.text("The alternatives, each with its own way to nominate:");
    report.table(&["one way", "agent", "selected A/B (ms)", "packets"], &rows);
}

#[cfg(not(feature = "peers"))]
fn compare_times(_: &mut Report) {}
