//! The `floe` command line.

fn main() {}
