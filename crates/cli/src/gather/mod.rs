//! `floe gather`: the candidates of this machine.

mod report;

use std::net::IpAddr;
use std::time::{Duration, Instant};

use floe::{Agent, Builder, Event, GatheringState, interfaces};
use serde_json::json;

use crate::duration::short;
use crate::failure::{Failure, Outcome};
use crate::output;
use crate::relay::RelayArgs;

use report::{Finding, Report};

/// Gather the candidates of this machine
///
/// Prints each candidate when it is found: how long that took, its type and
/// address, the interface it comes from and the server that told it; and for each
/// server that failed, why. Two servers or more also show what kind of NAT there
/// is.
///
/// Exit status: 0 if there are candidates and every server answered; 1 if not.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment, after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Ask this STUN server for server-reflexive
    /// candidates: stun:HOST, stun:HOST:PORT, HOST:PORT
    /// or HOST; can be repeated
    #[arg(long, value_name = "URI", verbatim_doc_comment)]
    stun: Vec<String>,

    #[command(flatten)]
    relay: RelayArgs,

    /// Use this address of this machine only; can be
    /// repeated, and loopback is allowed. By default all
    /// but loopback are used
    #[arg(long, value_name = "IP", verbatim_doc_comment)]
    bind: Vec<IpAddr>,

    /// How long a server may take, in seconds
    #[arg(long, value_name = "S", default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=3600))]
    timeout: u16,

    /// Print one JSON object in each line
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = "\
Examples:
  floe gather
  floe gather --stun stun:stun.example.org --stun 203.0.113.1:3478
  floe gather --turn turn:turn.example.org --username alice --password secret
  floe gather --turn turns:turn.example.org --username alice --password secret
  floe gather --bind 192.0.2.7 --stun stun.example.org --json";

/// What is left after the servers' time for the look-up of their names.
const LOOKUP: Duration = Duration::from_secs(1);

/// Runs `floe gather`.
pub(crate) fn run(args: &Args) -> Outcome {
    crate::runtime::new()?.block_on(gather(args))
}

async fn gather(args: &Args) -> Outcome {
    let patience = Duration::from_secs(args.timeout.into());
    let builder = args.stun.iter().fold(Agent::builder(), Builder::stun_server);
    let builder = args.relay.apply(builder)?;
    let builder = args.bind.iter().fold(builder, |builder, &address| builder.bind(address));
    let builder = builder.configure(|config| {
        config.gather.server_deadline = patience;
        config.gather.driver_deadline = patience;
    });
    let started = Instant::now();
    let agent = builder.start().await.map_err(|error| Failure::of_start(&error))?;
    let mut report = Report::new(interface_names(), agent.servers());
    let all = tokio::time::timeout(patience + LOOKUP, async {
        while let Some(event) = agent.next_event().await {
            let is_complete = event == Event::GatheringStateChanged(GatheringState::Complete);
            tell(args, started, report.take(event))?;
            if is_complete {
                break;
            }
        }
        Ok(())
    });
    // Servers that have said nothing by now are among the silent ones.
    all.await.unwrap_or(Ok(()))?;
    tell(args, started, report.finish())?;
    agent.close();
    conclude(args, &report, started.elapsed())
}

fn interface_names() -> std::collections::BTreeMap<IpAddr, String> {
    let list = interfaces::list().unwrap_or_default();
    list.into_iter().map(|interface| (interface.address, interface.name)).collect()
}

fn tell(args: &Args, started: Instant, findings: impl IntoIterator<Item = Finding>) -> Outcome {
    let at = started.elapsed();
    findings.into_iter().try_for_each(|finding| match args.json {
        true => output::print(&format!("{}\n", finding.to_json(at))),
        false => output::print(&format!("{}\n", finding.to_line(at))),
    })
}

/// The last line or lines, and whether it was a success.
fn conclude(args: &Args, report: &Report, took: Duration) -> Outcome {
    let (candidates, silent, insights) = (report.candidates(), report.silent_servers(), report.insights());
    if args.json {
        let milliseconds = took.as_micros() as f64 / 1e3;
        let object = json!({
            "type": "done",
            "candidates": candidates,
            "silentServers": silent,
            "insights": insights,
            "milliseconds": milliseconds,
        });
        output::print(&format!("{object}\n"))?;
    } else {
        let mut text = String::new();
        for insight in insights {
            text.push_str(&format!("{insight}\n"));
        }
        let plural = if candidates == 1 { "" } else { "s" };
        let hint = if args.stun.is_empty() && args.relay.turn.is_empty() {
            "; no STUN server was asked (--stun)"
        } else {
            ""
        };
        text.push_str(&format!("{candidates} candidate{plural} in {}{hint}\n", short(took)));
        output::print(&text)?;
    }
    if candidates == 0 {
        let hint = if args.bind.is_empty() { "; --bind 127.0.0.1 uses loopback" } else { "" };
        return Err(Failure::Failed(format!("no candidate: no network interface can be used{hint}")));
    }
    if silent.is_empty() {
        return Ok(());
    }
    Err(Failure::Failed(format!("no answer from {}", silent.join(", "))))
}
