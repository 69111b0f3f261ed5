//! Benchmarks of floe beside its alternatives.

#![forbid(unsafe_code)]
