//! What floe may cost, as far as it can be counted exactly and quickly: bytes, allocations, packets, wake-ups and virtual
//! time. `benches/run` measures the rest.
//!
//! A program without a harness, as the allocator counts for the whole process: the thread of a harness allocates beside the test,
//! sooner or later.

#![forbid(unsafe_code)]

use std::time::Duration;

use floe_benches::floe::Floe;
use floe_benches::heap;
use floe_benches::world::{Account, Agent, Setup, World};

const HOUR: Duration = Duration::from_secs(3600);

/// What was counted, and how much it may be.
struct Budget {
    what: String,
    counted: u64,
    at_most: u64,
}

fn budget(what: impl Into<String>, counted: impl TryInto<u64>, at_most: u64) -> Budget {
    Budget { what: what.into(), counted: counted.try_into().unwrap_or(u64::MAX), at_most }
}

fn main() {
    let mut budgets = Vec::new();
    for immediate in [false, true] {
        for one_way in [50, 20] {
            budgets.extend(times(one_way, immediate));
        }
    }
    for (hosts, bytes) in [(1, MEMORY_OF_ONE_PAIR), (10, MEMORY_OF_100_PAIRS)] {
        budgets.extend(at_rest(hosts, bytes));
    }
    for (hosts, allocations) in ALLOCATIONS {
        let (counted, ()) = heap::allocations_of(|| {
            connected(Setup::of_hosts(hosts));
        });
        budgets.push(budget(format!("allocations of connecting, N = {hosts}"), counted, allocations));
    }
    let exceeded: Vec<String> = budgets
        .iter()
        .filter(|budget| budget.counted > budget.at_most)
        .map(|budget| format!("{}: {} instead of {} at most", budget.what, budget.counted, budget.at_most))
        .collect();
    assert!(exceeded.is_empty(), "{}", exceeded.join("\n"));
    println!("{} budgets are kept", budgets.len());
}

/// Bytes of an agent that has nothing to do, its own size included.
const MEMORY_OF_ONE_PAIR: u64 = 2_560;
const MEMORY_OF_100_PAIRS: u64 = 16_384;

/// Of both agents with so many host candidates a side, and of the network between them.
const ALLOCATIONS: [(u8, u64); 3] = [(1, 60), (4, 95), (10, 130)];

fn connected(setup: Setup) -> World<Floe> {
    let mut world = World::new(setup);
    assert!(world.connect(Duration::from_secs(60)), "{setup:?} does not connect");
    world
}

/// RFC 8445 allows no less; a retriggered check (§7.3.1.4) costs packets when Ta is the time one way.
fn times(one_way: u64, immediate: bool) -> Vec<Budget> {
    let setup = Setup { immediate, one_way: Duration::from_millis(one_way), ..Setup::of_hosts(1) };
    let accounts = connected(setup).accounts();
    let (usable, selected, packets) = match (one_way, immediate) {
        (50, false) => ([100, 100], [200, 150], 10),
        (50, true) => ([100, 100], [100, 100], 8),
        (_, false) => ([40, 40], [90, 70], 6),
        (_, true) => ([40, 40], [40, 40], 6),
    };
    let millis = |time: Option<u64>| time.map_or(u64::MAX, |time| time.div_ceil(1_000_000));
    let mut budgets = Vec::new();
    for side in 0..2 {
        let of = format!("{setup:?}, side {side}, in ms");
        budgets.push(budget(format!("data possible: {of}"), millis(accounts[side].usable_at), usable[side]));
        let at = millis(accounts[side].nominated_at);
        budgets.push(budget(format!("pair selected: {of}"), at, selected[side]));
    }
    let sent: u64 = accounts.iter().map(|account| account.packets).sum();
    budgets.push(budget(format!("packets: {setup:?}"), sent, packets));
    budgets
}

/// Memory, and what an hour of both costs.
fn at_rest(hosts: u8, bytes: u64) -> Vec<Budget> {
    let mut world = World::<Floe>::settled(Setup::of_hosts(hosts));
    let before = world.accounts();
    let (allocations, ()) = heap::allocations_of(|| world.run_for(HOUR));
    let after = world.accounts();
    let most = |of: fn(&Account) -> u64| (0..2).map(|side| of(&after[side]) - of(&before[side])).max();
    let (wakeups, packets) = (most(|a| a.wakeups), most(|a| a.packets));
    let ([a, _b], _) = world.into_parts();
    vec![
        budget(format!("bytes in memory, N = {hosts}"), Floe::SIZE + heap::owned_by(a), bytes),
        budget(format!("allocations in an hour, N = {hosts}"), allocations, 0),
        // RFC 7675 §5.1: a check every 5 s on average, and an answer to each of the peer's.
        budget(format!("wake-ups in an hour, N = {hosts}"), wakeups.unwrap_or(u64::MAX), 750),
        budget(format!("packets in an hour, N = {hosts}"), packets.unwrap_or(u64::MAX), 1_500),
    ]
}
