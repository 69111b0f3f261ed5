//! What the process has allocated. The allocator of every benchmark counts.

use std::alloc::System;

use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// How often memory was allocated, or an allocation changed its size, so far.
#[must_use]
pub fn allocations() -> usize {
    let stats = ALLOCATOR.stats();
    stats.allocations + stats.reallocations
}

/// Bytes that are allocated now.
#[must_use]
pub fn live() -> usize {
    let stats = ALLOCATOR.stats();
    // What a reallocation adds is counted as allocated, what it takes away as deallocated.
    stats.bytes_allocated - stats.bytes_deallocated
}

/// The bytes on the heap that a value owns: those that are free once it is dropped.
#[must_use]
pub fn owned_by<T>(value: T) -> usize {
    let before = live();
    drop(value);
    before - live()
}

/// What `work` allocates: how often, and its result.
pub fn allocations_of<R>(work: impl FnOnce() -> R) -> (usize, R) {
    let before = allocations();
    let result = work();
    (allocations() - before, result)
}
