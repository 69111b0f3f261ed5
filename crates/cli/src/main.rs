//! The `floe` command line.

#![forbid(unsafe_code)]

fn main() {}
