//! What the process has allocated.

use std::alloc::System;
use std::process::Command;
use std::{env, thread};

use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Says to a process that it is the one in which a single test counts.
const ALONE: &str = "FLOE_TEST_COUNTS_ALONE";

/// Runs what counts allocations in a process of its own, since the counters are the whole process's, and the harness and the
/// other tests allocate too. The harness calls the thread of a test by the test's name.
pub(crate) fn alone(count: impl FnOnce()) {
    let this = thread::current();
    let Some(test) = this.name().filter(|name| *name != "main" && env::var_os(ALONE).is_none()) else {
        return count();
    };
    let program = env::current_exe().expect("this program is a file");
    let mut run = Command::new(program);
    let run = run.args([test, "--exact", "--test-threads=1"]).env(ALONE, "1").output().expect("it starts");
    let said = String::from_utf8_lossy(&run.stdout);
    assert!(
        run.status.success() && said.contains("1 passed"),
        "{said}{}",
        String::from_utf8_lossy(&run.stderr)
    );
}

/// Bytes that are allocated now.
pub(crate) fn live() -> usize {
    let stats = ALLOCATOR.stats();
    stats.bytes_allocated - stats.bytes_deallocated
}
