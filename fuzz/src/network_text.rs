//! The text that the simulator reads: seeds, and names of kinds of NAT.

use floe_netsim::{NatType, Seed};

/// Reads `data` as a seed and as the name of a kind of NAT.
///
/// # Panics
///
/// If what was accepted does not survive printing.
pub fn run(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    for line in text.lines() {
        if let Ok(seed) = line.parse::<Seed>() {
            let printed = seed.to_string();
            assert_eq!(printed.parse(), Ok(seed), "{line:?} is printed as {printed:?}");
        }
        if let Ok(kind) = line.parse::<NatType>() {
            let printed = kind.to_string();
            assert_eq!(printed.parse(), Ok(kind), "{line:?} is printed as {printed:?}");
            assert!(NatType::all().contains(&kind));
        }
    }
}
