//! The TURN server, in `RESULTS.md`.

use floe_benches::meter::{self, Case};
use floe_benches::report::{Report, Verdict, figure};
use floe_benches::timing;

use crate::CASES;
use crate::operations::PAYLOAD;

pub(crate) fn report(report: &mut Report) {
    let cases: Vec<&Case> = CASES.iter().collect();
    let (times, costs) = (timing::nanoseconds(&cases), meter::costs(&cases));
    report.section(
        "TURN server",
        &format!(
            "What the server core does for a packet of {PAYLOAD} bytes, whose payload it does not touch, and for a request with \
             its answer, beside a thousand other allocations. The last line is two requests, and the opening and closing of a \
             relay without the system calls. Requests of the bench are signed in the same measure, which is about a third of \
             their cost."
        ),
    );
    let rows: Vec<Vec<String>> = cases
        .iter()
        .zip(&times)
        .zip(&costs)
        .map(|((case, ns), cost)| {
            let cells = [*ns, cost.instructions as f64, cost.allocations].map(figure);
            [case.name.to_owned()].into_iter().chain(cells).collect()
        })
        .collect();
    report.table(&["operation", "ns", "instructions", "allocations"], &rows);
    for (case, cost) in cases.iter().zip(&costs) {
        if let Some(budget) = case.instructions {
            let what = format!("TURN server: {}", case.name);
            report.verdict(&Verdict::at_most(what, cost.instructions as f64, budget as f64, "instructions"));
        }
    }
    let relayed = costs.iter().take(4).map(|cost| cost.allocations).fold(0.0, f64::max);
    report.verdict(&Verdict::at_most("TURN server: a relayed packet", relayed, 0.0, "allocations"));
}
