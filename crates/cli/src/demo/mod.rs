//! `floe demo`: two agents find each other, on this machine or behind simulated NATs.

mod embedded;
mod real;
mod screen;
mod simulated;
mod story;
mod table;
mod transfer;
mod verdict;

use std::net::IpAddr;

use floe_netsim::NatType;

use crate::failure::{Failure, Outcome};

use simulated::Plan;

/// Watch two agents find each other
///
/// Two ICE agents on this machine gather candidates with the help of an embedded
/// STUN server, trickle them to each other, check the pairs, nominate one and
/// exchange data over it. Shown are the candidates, the pairs with their states,
/// the selected pair, the time to the first byte, the round-trip time and the
/// throughput. Nothing leaves this machine.
///
/// With --nat-a or --nat-b the same happens in a simulated network on virtual
/// time, with a NAT or firewall before each agent and a TURN server for those that
/// have no direct path, and the result is compared with what an oracle says of
/// direct paths from the topology alone.
///
/// Exit status: 0 if they connect; 1 if not, or if the oracle was wrong.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment, after_help = NAT_TYPES, group = clap::ArgGroup::new("nat").multiple(true))]
pub(crate) struct Args {
    /// Use this address of this machine only; can be
    /// repeated, and loopback is allowed. By default all
    /// but loopback are used, and loopback if there is no
    /// other
    #[arg(long, value_name = "IP", conflicts_with = "nat", verbatim_doc_comment)]
    bind: Vec<IpAddr>,

    /// What is before the first agent (see below);
    /// none if only --nat-b is given
    #[arg(long, value_name = "TYPE", group = "nat", verbatim_doc_comment)]
    nat_a: Option<NatType>,

    /// What is before the second agent
    #[arg(long, value_name = "TYPE", group = "nat")]
    nat_b: Option<NatType>,

    /// Use relays only: the agents meet at those of an
    /// embedded TURN server
    #[arg(long, verbatim_doc_comment)]
    relay_only: bool,

    /// How the agents reach the TURN server: udp, tcp or,
    /// on this machine, tls [default: udp]
    #[arg(long, value_name = "HOW", hide_possible_values = true, verbatim_doc_comment)]
    turn_transport: Option<TurnTransport>,

    /// Show every packet in a message-sequence chart
    /// (simulated network only)
    #[arg(long, requires = "nat", verbatim_doc_comment)]
    chart: bool,

    /// Seed of the simulation: the same seed gives the
    /// same run, packet by packet
    #[arg(long, value_name = "N", requires = "nat", default_value_t = 1, verbatim_doc_comment)]
    seed: u64,
}

/// How the agents reach the TURN server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub(crate) enum TurnTransport {
    #[default]
    Udp,
    Tcp,
    #[cfg(feature = "tls")]
    Tls,
}

const NAT_TYPES: &str = "\
Types for --nat-a and --nat-b:
  none                  public addresses, nothing in between
  firewall              public addresses behind a stateful firewall
  blocked               a router that passes no UDP
  full-cone             eim-eif-preserving
  restricted-cone       eim-adf-preserving
  port-restricted-cone  eim-apdf-preserving: the NAT of most homes
  symmetric             apdm-apdf-random: some companies and mobile networks
  MAPPING-FILTERING[-PORTS], any class of RFC 4787:
    MAPPING    eim, adm, apdm: the external port depends on nothing, on the
               address, or on address and port of the destination
    FILTERING  eif, adf, apdf: let in are packets from anywhere, from addresses,
               or from addresses and ports that were sent to
    PORTS      preserving (default), sequential, random

Examples:
  floe demo
  floe demo --relay-only
  floe demo --relay-only --turn-transport tls
  floe demo --nat-a symmetric --nat-b symmetric
  floe demo --nat-b blocked --turn-transport tcp
  floe demo --nat-a port-restricted-cone --nat-b symmetric --chart
  floe demo --nat-a apdm-adf-random --nat-b eim-eif --seed 7";

/// Runs `floe demo`.
pub(crate) fn run(args: &Args) -> Outcome {
    let transport = args.turn_transport.unwrap_or_default();
    if args.nat_a.is_none() && args.nat_b.is_none() {
        if args.turn_transport.is_some() && !args.relay_only {
            let what =
                "--turn-transport needs --relay-only, --nat-a or --nat-b: there is no TURN server otherwise";
            return Err(Failure::Usage(what.to_owned()));
        }
        return real::run(&args.bind, args.relay_only.then_some(transport));
    }
    #[cfg(feature = "tls")]
    if transport == TurnTransport::Tls {
        let what =
            "--turn-transport tls is for agents on this machine: the simulated network has no TLS, but tcp";
        return Err(Failure::Usage(what.to_owned()));
    }
    let nats = [args.nat_a, args.nat_b].map(|given| given.unwrap_or(NatType::None));
    simulated::run(&Plan { nats, seed: args.seed, relay_only: args.relay_only, transport, chart: args.chart })
}
