//! Single inputs, in `RESULTS.md`.

use floe_benches::floor::Floor;
use floe_benches::meter::{self, Case};
use floe_benches::report::{Report, Verdict, figure};
use floe_benches::timing;

use crate::{FLOE, PEERS};

/// The least a responder does: verify 100 bytes, write 64.
pub(crate) const FLOOR: Case = Case {
    name: "hand-written floor, answer",
    repetitions: 1_000,
    instructions: None,
    allocations: Some(0.0),
    run: |repetitions| {
        let mut floor = Floor::new();
        timing::of(|| {
            for _ in 0..repetitions {
                std::hint::black_box(std::hint::black_box(&mut floor).respond());
            }
        })
    },
};

pub(crate) fn report(report: &mut Report) {
    report.section(
        "One input of a connected agent",
        "Through the public interface: a datagram in, and out what it causes. \"Answer\" takes a consent check and gives the \
         response, \"refuse\" takes one with a wrong FINGERPRINT, \"take data\" 600 bytes of the application. The floor verifies \
         the integrity and FINGERPRINT of a request and writes a response, with nothing around it.",
    );
    let cases: Vec<&Case> = [&FLOOR].into_iter().chain(&FLOE).chain(&PEERS).collect();
    let (times, costs) = (timing::nanoseconds(&cases), meter::costs(&cases));
    let mut rows = Vec::new();
    for ((case, ns), cost) in cases.iter().zip(&times).zip(&costs) {
        let cells = [*ns, cost.instructions as f64, cost.allocations].map(figure);
        rows.push([case.name.to_owned()].into_iter().chain(cells).collect());
    }
    report.table(&["agent, input", "ns", "instructions", "allocations"], &rows);
    report.text(
        "`is` does not check FINGERPRINT. `rice-proto` has no consent, so its few checks from connecting come again and again.",
    );
    let named = |name: &str| cases.iter().position(|case| case.name == name);
    let counted = |name: &str| Some(costs.get(named(name)?)?.instructions as f64);
    let others = |what: &dyn Fn(usize) -> f64| {
        let peers = ["is", "rice-proto", "rtc-ice"].into_iter().filter_map(|peer| {
            let at = named(&format!("{peer}, answer"))?;
            Some(format!("{peer} {}", figure(what(at))))
        });
        peers.collect::<Vec<_>>().join(", ")
    };
    let instructions = |at: usize| costs[at].instructions as f64;
    let answer = counted("floe, answer").unwrap_or(f64::NAN);
    let floor = counted(FLOOR.name).map_or_else(String::new, figure);
    report.verdict(
        &Verdict::at_most("answer a check, through the agent", answer, 8250.0, "instructions")
            .alternatives(others(&instructions))
            .floor(floor)
            .headline(),
    );
    let allocations = |at: usize| costs[at].allocations;
    let ours = named("floe, answer").map_or(f64::NAN, |at| costs[at].allocations);
    report.verdict(
        &Verdict::at_most("answer a check, through the agent", ours, 0.0, "allocations")
            .alternatives(others(&allocations))
            .floor("0"),
    );
}
