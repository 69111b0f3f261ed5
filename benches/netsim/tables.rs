//! Agents behind NATs, in `RESULTS.md`.

use floe_benches::meter::Case;
use floe_benches::report::{Report, Verdict, figure};
use floe_benches::timing;
use floe_ice::{Component, Event};
use floe_netsim::ice::IcePeer;

use crate::{CASES, Scene};

/// How many connections with losses are looked at.
const RUNS: u64 = 1000;

/// When something happened first, in milliseconds.
fn first(peer: &IcePeer, what: impl Fn(&Event) -> bool) -> f64 {
    let found = peer.events().iter().find(|(_, event)| what(event));
    found.map_or(f64::INFINITY, |(at, _)| at.as_nanos() as f64 / 1e6)
}

pub(crate) fn report(report: &mut Report) {
    report.section(
        "Behind NATs, with losses",
        "What users have: one side behind a port-restricted, the other behind an address-restricted NAT, 50 ms one way to \
         the other and to the STUN server, candidates and credentials trickled over signalling that takes 50 ms, regular \
         nomination. From the start of gathering on virtual time until data was possible and until the pair was selected, \
         on the later side; 1000 seeds.",
    );
    let mut rows = Vec::new();
    for loss in [0.0, 0.1] {
        let (mut usable, mut selected, mut packets) = (Vec::new(), Vec::new(), Vec::new());
        let mut connected = 0;
        for seed in 0..RUNS {
            let mut scene = Scene::new(seed, loss).expect("the topology is possible");
            connected += u64::from(scene.connect());
            let later = |what: fn(&Event) -> bool| {
                scene.peers.iter().map(|&peer| first(&scene.net[peer], what)).fold(0.0, f64::max)
            };
            usable.push(later(|event| *event == Event::PathChanged(Component::default())));
            selected.push(later(|event| matches!(event, Event::SelectedPairChanged { .. })));
            let sent = scene.peers.iter().map(|&peer| scene.net[peer].agent().counters().packets_sent);
            packets.push(sent.sum::<u64>() as f64);
        }
        rows.push(vec![
            format!("{} %", loss * 100.0),
            format!("{} of {RUNS}", connected),
            spread(&mut usable),
            spread(&mut selected),
            spread(&mut packets),
        ]);
    }
    report.table(
        &[
            "loss",
            "connected",
            "data possible (ms), median / 95 %",
            "selected (ms)",
            "packets of both agents",
        ],
        &rows,
    );
    let cases: Vec<&Case> = CASES.iter().collect();
    let times = timing::nanoseconds(&cases);
    let rates: Vec<f64> = times.iter().map(|ns| 1e9 / ns).collect();
    report.text(&format!(
        "One core simulates {} such connections a second without loss and {} with 10 %, building the network included.",
        figure(rates[0].round()),
        figure(rates[1].round())
    ));
    let what = "simulated connections behind NATs, per second and core";
    report.verdict(&Verdict::at_least(what, rates[0].round(), 2000.0, "connections"));
}

/// The median and the 95th percentile.
fn spread(values: &mut [f64]) -> String {
    values.sort_by(f64::total_cmp);
    let at = |share: usize| values.get(values.len() * share / 100).copied().unwrap_or(f64::NAN);
    format!("{} / {}", figure(at(50)), figure(at(95)))
}
