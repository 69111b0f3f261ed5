//! Benchmarks of floe beside its alternatives.
//!
//! A bench target is a criterion benchmark, which measures time. With `-- --meter` the same target runs the [`meter`]
//! instead, which counts instructions and allocations:
//!
//! ```text
//! cargo bench -p floe-benches --bench connect                              # time
//! cargo bench -p floe-benches --bench connect -- --meter                   # instructions (needs valgrind), allocations
//! cargo bench -p floe-benches --bench connect -- --meter "floe, N = 10"    # one case only
//! cargo bench -p floe-benches --bench connect -- --profile "floe, N = 10"  # where the instructions go
//! ```

#![forbid(unsafe_code)]

pub mod floe;
pub mod heap;
pub mod meter;
pub mod run;
pub mod world;
