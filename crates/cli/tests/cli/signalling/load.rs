//! Many rooms at a time: what they cost, and how long a message takes. With `FLOE_FULL=1` a thousand for a minute, for which both
//! processes need 2100 open files (`ulimit -n`).

use std::time::{Duration, Instant};

use super::guest::{Guest, serve};
use super::start;

/// Resident memory of a process, in kB.
fn memory(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).expect("Linux has it");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("it has memory");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}

/// The time until a message is there.
fn pass(from: &mut Guest, to: &mut Guest, id: &serde_json::Value, seq: u64) -> Duration {
    let begun = Instant::now();
    from.say(&start(id, seq));
    while to.hear()["seq"] != seq {}
    begun.elapsed()
}

#[test]
fn many_rooms_cost_little_and_every_message_arrives() {
    let full = std::env::var("FLOE_FULL").is_ok_and(|value| value != "0");
    let (rooms, time) = if full { (1000, Duration::from_secs(60)) } else { (50, Duration::ZERO) };
    let server = serve(&["--address-quota", "4000"]);
    let empty = memory(server.id());
    let mut pairs: Vec<_> = (0..rooms)
        .map(|number| {
            let room = format!("room-{number}");
            (Guest::enter(&server, &room, "Ann"), Guest::enter(&server, &room, "Bob"))
        })
        .collect();
    let begun = Instant::now();
    let mut times = Vec::new();
    for seq in 1.. {
        for ((ann, ann_is), (bob, bob_is)) in &mut pairs {
            times.push(pass(ann, bob, &bob_is["id"], seq));
            times.push(pass(bob, ann, &ann_is["id"], seq));
        }
        if begun.elapsed() >= time {
            break;
        }
    }
    let room = (memory(server.id()) - empty) / rooms;
    times.sort_unstable();
    let percentile = |part: usize| times[(times.len() - 1) * part / 100];
    println!(
        "evidence: {rooms} rooms of two: {room} kB a room; {} messages, p50 {:?}, p99 {:?}",
        times.len(),
        percentile(50),
        percentile(99)
    );
    assert!(room < 256, "{room} kB a room");
    let passed = format!("signalling: {} messages passed on", times.len());
    let rest = server.stop("TERM");
    assert!(rest.contains(&passed), "{rest}");
}
