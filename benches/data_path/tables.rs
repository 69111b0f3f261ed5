//! Datagrams of the application, in `RESULTS.md`.

use std::time::Duration;

use floe_benches::report::{Report, Verdict, figure};

#[cfg(feature = "peers")]
use crate::lanes::WebrtcIce;
use crate::lanes::{self, Bare, Floe, Lane};
use crate::{BURST, runtime};

/// How often each way has its turn.
const ROUNDS: usize = 3000;

pub(crate) fn report(report: &mut Report) {
    report.section(
        "Datagrams of the application",
        "1200 bytes one way over loopback: processor time of sending one and receiving it, all in one thread, in bursts of \
         32. The ways take turns within one run; of each the median of 3000 bursts. A system call on each side is what it \
         costs; the agent may add 100 ns to them.",
    );
    let times = runtime().block_on(measure());
    let bare = times[0].1;
    let rows: Vec<Vec<String>> = times
        .iter()
        .map(|(name, ns)| {
            let more = if *ns == bare { "–".to_owned() } else { figure((ns - bare).round()) };
            vec![(*name).to_owned(), figure(*ns), more, figure(bare / ns)]
        })
        .collect();
    report.table(&["way", "ns per datagram", "more than bare (ns)", "rate, bare = 1"], &rows);
    let added = times[1].1 - bare;
    let others =
        times.get(2).map_or_else(String::new, |(name, ns)| format!("{name} {}", figure((ns - bare).round())));
    report.verdict(
        &Verdict::at_most(
            "a datagram through `floe`, more than a bare tokio socket",
            added.round(),
            100.0,
            "ns",
        )
        .alternatives(others)
        .floor(format!("{} ns: the two system calls", figure(bare.round())))
        .headline(),
    );
    let batched = Verdict::at_least("batched sends and receives, of bare quinn-udp", 0.0, 95.0, "%");
    report.verdict(&Verdict { measured: None, ..batched }.floor("one system call for many datagrams"));
    report.text("`floe` has no batched sends and receives (UDP_SEGMENT, UDP_GRO) yet, so there is nothing to measure of them.");
}

/// Nanoseconds per datagram of each way.
async fn measure() -> Vec<(&'static str, f64)> {
    let (bare, floe) = (Bare::open().await, Floe::open().await);
    #[cfg(feature = "peers")]
    let webrtc = WebrtcIce::open().await;
    let mut taken: [Vec<Duration>; 3] = Default::default();
    for _ in 0..ROUNDS {
        taken[0].push(lanes::burst(&bare, BURST).await);
        taken[1].push(lanes::burst(&floe, BURST).await);
        #[cfg(feature = "peers")]
        taken[2].push(lanes::burst(&webrtc, BURST).await);
    }
    let names = [
        Bare::NAME,
        Floe::NAME,
        #[cfg(feature = "peers")]
        WebrtcIce::NAME,
    ];
    names.into_iter().zip(taken).map(|(name, taken)| (name, median(taken))).collect()
}

fn median(mut taken: Vec<Duration>) -> f64 {
    taken.sort_unstable();
    taken.get(taken.len() / 2).map_or(f64::NAN, |taken| taken.as_nanos() as f64 / f64::from(BURST))
}
