//! Benchmarks of floe beside its alternatives.
//!
//! A bench target is a criterion benchmark, which measures time. With `-- --meter` the same target runs the [`meter`]
//! instead, which counts instructions and allocations:
//!
//! ```text
//! cargo bench -p floe-benches --bench stun_codec               # time
//! cargo bench -p floe-benches --bench stun_codec -- --meter    # instructions (needs valgrind) and allocations
//! ```

#![forbid(unsafe_code)]

pub mod meter;
