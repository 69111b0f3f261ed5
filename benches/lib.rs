//! Benchmarks of floe beside its alternatives.
