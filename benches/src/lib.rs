//! Benchmarks of floe beside its alternatives.
//!
//! `benches/run` measures everything and writes `benches/RESULTS.md`. For work on one thing, a bench target is a criterion
//! benchmark, which measures time, and the [`meter`], which counts instructions and allocations:
//!
//! ```text
//! cargo bench -p floe-benches --bench connect                              # time
//! cargo bench -p floe-benches --bench connect -- --meter                   # instructions (needs valgrind), allocations
//! cargo bench -p floe-benches --bench connect -- --meter "floe, N = 10"    # one case only
//! cargo bench -p floe-benches --bench connect -- --profile "floe, N = 10"  # where the instructions go
//! ```
//!
//! With `--features peers` the alternatives are measured too, in the same process and by turns. What can be counted exactly
//! and at once is asserted by the test `budgets`.

#![forbid(unsafe_code)]

pub mod floe;
pub mod floor;
pub mod heap;
pub mod meter;
#[cfg(feature = "peers")]
pub mod peers;
pub mod report;
pub mod run;
pub mod timing;
pub mod world;
