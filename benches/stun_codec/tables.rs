//! The codec, in `RESULTS.md`.

use floe_benches::meter::{self, Case, Cost};
use floe_benches::report::{Report, Verdict, figure};
use floe_benches::timing;

use crate::all_cases;

/// The operations that all have, in the order of the columns.
const OPERATIONS: [&str; 4] = ["parse request", "verify request", "encode request", "parse response"];
/// All that is measured, first what cannot be beaten.
const CODECS: [&str; 5] = ["hand-written floor", "floe", "is", "stun-types", "rtc-stun"];

struct Row {
    name: &'static str,
    ns: f64,
    cost: Cost,
}

pub(crate) fn report(report: &mut Report) {
    let cases = all_cases();
    let cases: Vec<&Case> = cases.iter().collect();
    let (times, costs) = (timing::nanoseconds(&cases), meter::costs(&cases));
    let rows: Vec<Row> = cases
        .iter()
        .zip(times.into_iter().zip(costs))
        .map(|(case, (ns, cost))| Row { name: case.name, ns, cost })
        .collect();
    let find = |codec: &str, operation: &str| {
        rows.iter().find(|row| {
            row.name.strip_prefix(codec).and_then(|rest| rest.strip_prefix(", ")) == Some(operation)
        })
    };
    report.section(
        "STUN codec",
        "Nanoseconds / instructions under callgrind / allocations for one message of a connectivity check: a request of 100 \
         bytes (USERNAME, role, PRIORITY, USE-CANDIDATE, MESSAGE-INTEGRITY, FINGERPRINT) and a success response of 64. \
         \"Parse\" checks FINGERPRINT and reads every attribute, \"verify\" parses and checks the integrity. Valgrind knows no \
         SHA-NI: its counts have SHA-1 in software and are to be compared with each other only. The floor knows where \
         everything is and does what physics asks: a walk, CRC-32, three blocks of SHA-1 from keyed midstates.",
    );
    let table: Vec<Vec<String>> = CODECS
        .iter()
        .filter(|codec| find(codec, OPERATIONS[0]).is_some())
        .map(|codec| {
            let cells = OPERATIONS.map(|operation| find(codec, operation).map_or_else(String::new, cell));
            [(*codec).to_owned()].into_iter().chain(cells).collect()
        })
        .collect();
    report.table(&["codec", "parse request", "parse + verify", "encode request", "parse response"], &table);
    report.text(
        "`is` does not check FINGERPRINT, and computes a table for CRC-32 and the key of the HMAC for each message. \
         `stun-types` keeps the key. `rtc-stun` makes a message on the heap each time, as `rtc-ice` does.",
    );
    let rest = rows.iter().filter(|row| row.name.starts_with("floe, "));
    let rest = rest.filter(|row| !OPERATIONS.iter().any(|operation| row.name.ends_with(operation)));
    let rest: Vec<Vec<String>> = rest.map(|row| vec![row.name.to_owned(), cell(row)]).collect();
    report.table(&["more of floe", "ns / instructions / allocations"], &rest);
    verdicts(report, &find);
}

fn cell(row: &Row) -> String {
    let (count, allocations) = (row.cost.instructions as f64, row.cost.allocations);
    format!("{} / {} / {}", figure(row.ns), figure(count), figure(allocations))
}

fn verdicts<'a>(report: &mut Report, find: &impl Fn(&str, &str) -> Option<&'a Row>) {
    let counted = |codec: &str, operation: &str| Some(find(codec, operation)?.cost.instructions as f64);
    for (operation, budget) in [("verify request", 4900.0), ("encode request", 4600.0)] {
        let others = CODECS[2..].iter().filter_map(|codec| {
            let mark =
                if *codec == "is" && operation.starts_with("verify") { " (no FINGERPRINT)" } else { "" };
            Some(format!("{codec} {}{mark}", figure(counted(codec, operation)?)))
        });
        let ours = counted("floe", operation).unwrap_or(f64::NAN);
        let verdict = Verdict::at_most(format!("STUN: {operation}"), ours, budget, "instructions")
            .alternatives(others.collect::<Vec<_>>().join(", "))
            .floor(counted(CODECS[0], operation).map_or_else(String::new, figure));
        report.verdict(&if budget > 4600.0 { verdict.headline() } else { verdict });
    }
    let most =
        OPERATIONS.iter().filter_map(|operation| find("floe", operation)).map(|row| row.cost.allocations);
    let others = CODECS[2..].iter().filter_map(|codec| {
        Some(format!("{codec} {}", figure(find(codec, "verify request")?.cost.allocations)))
    });
    let others = others.collect::<Vec<_>>().join(", ");
    let most = Verdict::at_most("STUN: any operation", most.fold(0.0, f64::max), 0.0, "allocations");
    report.verdict(&most.alternatives(others).floor("0"));
}
