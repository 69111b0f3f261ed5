//! `floe agent` against itself and against other implementations, on loopback.
//!
//! Each pairing connects many times in a row, in both roles; the candidates are trickled or come together, and the
//! programs are ended by a command or by the end of their input. Every line they print is held against the protocol.
//! Needs the `interop` feature and what `tests/run` installs.

#![forbid(unsafe_code)]

mod calls;
mod candidate_line;
mod conversation;
mod meeting;
mod peers;
mod program;
mod relays;

use std::process::Command;

use meeting::{Ending, Plan, Signalling, meet};
use peers::Peer::{self, Aioice, Chromium, Floe, Libnice, LibniceRegular};
use peers::Role;
use relays::{Server, Transport};

/// How often each pairing connects, without one failure.
const ROUNDS: usize = 20;

/// The same with `FLOE_FULL=1`.
const ROUNDS_WHOLE: usize = 200;

/// How often each pairing meets at relays.
const ROUNDS_AT_RELAYS: usize = 10;

/// A browser takes seconds to start.
const ROUNDS_OF_BROWSER: usize = 3;

fn connect_many_times(controlling: Peer, controlled: Peer) {
    connect(controlling, controlled, floe_tests::repetitions(ROUNDS, ROUNDS_WHOLE), &[]);
}

/// So often, each time with the restarts that are next.
fn connect(controlling: Peer, controlled: Peer, rounds: usize, restarts: &[&[usize]]) {
    for round in 0..rounds {
        let plan = Plan {
            signalling: if round % 2 == 0 { Signalling::Trickled } else { Signalling::Together },
            ending: if round % 4 < 2 { Ending::Command } else { Ending::EndOfInput },
            data: controlling.has_data() && controlled.has_data(),
            restarts: restarts.get(round % restarts.len().max(1)).copied().unwrap_or_default(),
        };
        let commands = [controlling.command(Role::Controlling), controlled.command(Role::Controlled)];
        if let Err(failure) = meet(commands, plan) {
            panic!(
                "A = {controlling:?} controlling, B = {controlled:?} controlled, {plan:?}, round {round} of {rounds}: \
                 {failure}"
            );
        }
    }
    let restarted = if restarts.is_empty() { "" } else { " and restarted" };
    println!(
        "evidence: {controlling:?}, controlling, and {controlled:?} connected{restarted} {rounds} times in a row"
    );
}

#[test]
fn floe_connects_to_floe() {
    connect_many_times(Floe, Floe);
}

/// RFC 8445 §9. Data goes on before, during and after.
#[test]
fn floe_restarts_with_floe() {
    let rounds = floe_tests::repetitions(ROUNDS / 2, ROUNDS_WHOLE);
    connect(Floe, Floe, rounds, &[&[0, 1], &[1, 1, 0], &[0]]);
}

#[test]
fn floe_connects_to_chromium_and_restarts() {
    let rounds = floe_tests::repetitions(ROUNDS_OF_BROWSER, ROUNDS);
    connect(Floe, Chromium, rounds, &[&[], &[0], &[1, 0]]);
}

#[test]
fn chromium_connects_to_floe_and_restarts() {
    let rounds = floe_tests::repetitions(ROUNDS_OF_BROWSER, ROUNDS);
    connect(Chromium, Floe, rounds, &[&[1], &[], &[0, 1]]);
}

#[test]
fn floe_connects_to_aioice() {
    connect_many_times(Floe, Aioice);
}

#[test]
fn aioice_connects_to_floe() {
    connect_many_times(Aioice, Floe);
}

#[test]
fn floe_connects_to_libnice() {
    connect_many_times(Floe, Libnice);
}

#[test]
fn libnice_connects_to_floe() {
    connect_many_times(Libnice, Floe);
}

#[test]
fn libnice_with_regular_nomination_connects_to_floe() {
    connect_many_times(LibniceRegular, Floe);
}

/// A pair of other implementations: when this fails, the reason is not in floe.
#[test]
fn aioice_connects_to_libnice() {
    connect_many_times(Aioice, Libnice);
}

#[test]
fn libnice_connects_to_aioice() {
    connect_many_times(LibniceRegular, Aioice);
}

/// Both use relays only, of the server of `floe serve`, and reach it in their own ways.
fn meet_at_relays(controlling: Peer, controlled: Peer, transports: [Transport; 2]) {
    let server = Server::start();
    let rounds = floe_tests::repetitions(ROUNDS_AT_RELAYS, ROUNDS_WHOLE / 4);
    for round in 0..rounds {
        let plan = Plan {
            signalling: if round % 2 == 0 { Signalling::Trickled } else { Signalling::Together },
            ending: Ending::Command,
            data: true,
            restarts: &[],
        };
        let mut commands = [controlling.command(Role::Controlling), controlled.command(Role::Controlled)];
        for (command, transport) in commands.iter_mut().zip(transports) {
            command.args(server.arguments(transport));
        }
        if let Err(failure) = meet(commands, plan) {
            panic!(
                "{controlling:?} and {controlled:?} over {transports:?}, {plan:?}, round {round}: {failure}"
            );
        }
    }
    println!(
        "evidence: {controlling:?} and {controlled:?} met at relays of floe's own server over {transports:?} {rounds} \
         times in a row"
    );
}

const UDP: [Transport; 2] = [Transport::Udp; 2];
const TCP: [Transport; 2] = [Transport::Tcp; 2];

#[test]
fn aioice_agents_meet_at_the_relays_of_floe_over_udp() {
    meet_at_relays(Aioice, Aioice, UDP);
}

#[test]
fn aioice_agents_meet_at_the_relays_of_floe_over_tcp() {
    meet_at_relays(Aioice, Aioice, TCP);
}

#[test]
fn libnice_agents_meet_at_the_relays_of_floe_over_udp() {
    meet_at_relays(Libnice, LibniceRegular, UDP);
}

#[test]
fn libnice_agents_meet_at_the_relays_of_floe_over_tcp() {
    meet_at_relays(Libnice, LibniceRegular, TCP);
}

#[test]
fn floe_meets_others_at_the_relays_of_floe_whatever_each_reaches_them_over() {
    meet_at_relays(Floe, Aioice, [Transport::Tcp, Transport::Udp]);
    meet_at_relays(Libnice, Floe, [Transport::Tcp, Transport::Udp]);
    meet_at_relays(Floe, Floe, [Transport::Udp, Transport::Tcp]);
}

fn shell(script: &str) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", script]);
    command
}

fn failure_of(scripts: [&str; 2]) -> String {
    let plan = Plan { signalling: Signalling::Trickled, ending: Ending::Command, data: true, restarts: &[] };
    let result = meet(scripts.map(shell), plan);
    result.expect_err("such programs cannot meet").to_string()
}

#[test]
fn a_program_that_breaks_the_protocol_fails_the_meeting() {
    let failure = failure_of(["echo nonsense; cat >/dev/null", "cat >/dev/null"]);
    assert!(failure.contains("A: no JSON object"), "{failure}");
}

#[test]
fn a_program_that_ends_early_fails_the_meeting_and_its_complaint_is_shown() {
    let failure = failure_of(["cat >/dev/null", "echo out of luck >&2; exit 3"]);
    assert!(failure.contains("B: it ended early, with exit status: 3"), "{failure}");
    assert!(failure.contains("!! out of luck"), "{failure}");
}

#[test]
fn a_program_that_fails_to_connect_fails_the_meeting() {
    let state = |name| format!(r#"echo '{{"type":"state","state":"{name}"}}'"#);
    let script = format!("{}; {}; cat >/dev/null", state("gathering"), state("failed"));
    let failure = failure_of(["cat >/dev/null", &script]);
    assert!(failure.contains("B: it is failed"), "{failure}");
}
