//! The relays' ports: which are taken, and which comes next.

use alloc::boxed::Box;
use alloc::vec;
use core::ops::RangeInclusive;

use floe_stun::attributes::AddressFamily;

use crate::random::Random;

/// What a port has to be like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PortDemand {
    Any,
    /// EVEN-PORT (RFC 8656 §18.7).
    Even,
    /// EVEN-PORT with the R bit: even, and the next one is taken with it.
    EvenPair,
}

/// The ports of one range on two addresses, one of each family.
pub(super) struct Ports {
    low: u16,
    /// How many there are, 1 to 65536.
    count: u32,
    /// A bit for each port, by family.
    taken: [Box<[u64]>; 2],
    /// Those of them whose socket is open. Others may be somebody else's.
    open: [Box<[u64]>; 2],
}

impl Ports {
    pub(super) fn new(range: &RangeInclusive<u16>) -> Self {
        let (low, high) = (*range.start(), *range.end());
        let bits = || vec![0; 1024].into_boxed_slice();
        Self {
            low,
            count: u32::from(high.saturating_sub(low)) + 1,
            taken: [bits(), bits()],
            open: [bits(), bits()],
        }
    }

    /// Takes a free port. Where the search starts is drawn at random, so nobody can guess it (RFC 6056 §3.3.1,
    /// RFC 8656 §7.2).
    pub(super) fn take(
        &mut self,
        family: AddressFamily,
        demand: PortDemand,
        random: &mut Random,
    ) -> Option<u16> {
        let start = u64::from_be_bytes(random.bytes()) % u64::from(self.count);
        let ports = (0..self.count).map(|n| self.low + ((start as u32 + n) % self.count) as u16);
        let port = ports.into_iter().find(|&port| self.fits(family, port, demand))?;
        self.mark(family, port);
        if demand == PortDemand::EvenPair {
            self.mark(family, port + 1);
        }
        Some(port)
    }

    fn fits(&self, family: AddressFamily, port: u16, demand: PortDemand) -> bool {
        // Nothing can be sent to port 0.
        let free = port != 0 && !self.is_taken(family, port);
        match demand {
            PortDemand::Any => free,
            PortDemand::Even => free && port.is_multiple_of(2),
            PortDemand::EvenPair => {
                let next = u32::from(port) + 1;
                free && port.is_multiple_of(2)
                    && next - u32::from(self.low) < self.count
                    && !self.is_taken(family, next as u16)
            }
        }
    }

    /// Whether a port is taken.
    fn is_taken(&self, family: AddressFamily, port: u16) -> bool {
        let (word, bit) = place(port);
        self.taken[index(family)][word] & bit != 0
    }

    fn mark(&mut self, family: AddressFamily, port: u16) {
        let (word, bit) = place(port);
        self.taken[index(family)][word] |= bit;
    }

    /// Notes that the socket of a port is open.
    pub(super) fn set_open(&mut self, family: AddressFamily, port: u16) {
        let (word, bit) = place(port);
        self.open[index(family)][word] |= bit;
    }

    /// Whether the socket of a port is open.
    pub(super) fn is_open(&self, family: AddressFamily, port: u16) -> bool {
        let (word, bit) = place(port);
        self.open[index(family)][word] & bit != 0
    }

    /// Notes that the socket of a port is closed. The port stays taken.
    pub(super) fn set_closed(&mut self, family: AddressFamily, port: u16) {
        let (word, bit) = place(port);
        self.open[index(family)][word] &= !bit;
    }

    /// Gives a port back.
    pub(super) fn release(&mut self, family: AddressFamily, port: u16) {
        let (word, bit) = place(port);
        self.taken[index(family)][word] &= !bit;
    }
}

/// The place of a family in arrays of two.
pub(super) const fn index(family: AddressFamily) -> usize {
    match family {
        AddressFamily::Ipv4 => 0,
        AddressFamily::Ipv6 => 1,
    }
}

const fn place(port: u16) -> (usize, u64) {
    (port as usize / 64, 1 << (port % 64))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    const V4: AddressFamily = AddressFamily::Ipv4;

    #[test]
    fn every_port_is_given_once_and_none_outside() {
        let mut random = Random::new([1; 32]);
        let mut ports = Ports::new(&(50_001..=50_010));
        let given: BTreeSet<u16> =
            (0..10).map(|_| ports.take(V4, PortDemand::Any, &mut random).unwrap()).collect();
        assert_eq!(given, (50_001..=50_010).collect());
        assert_eq!(ports.take(V4, PortDemand::Any, &mut random), None);
        assert!(ports.take(AddressFamily::Ipv6, PortDemand::Any, &mut random).is_some());
        ports.release(V4, 50_004);
        assert_eq!(ports.take(V4, PortDemand::Even, &mut random), Some(50_004));
    }

    #[test]
    fn pairs_are_even_and_whole() {
        let mut random = Random::new([2; 32]);
        // 50001 is no start and 50006 has no follower.
        let mut ports = Ports::new(&(50_001..=50_006));
        let pairs: BTreeSet<u16> =
            (0..2).map(|_| ports.take(V4, PortDemand::EvenPair, &mut random).unwrap()).collect();
        assert_eq!(pairs, BTreeSet::from([50_002, 50_004]));
        assert!(ports.is_taken(V4, 50_003) && ports.is_taken(V4, 50_005));
        assert_eq!(ports.take(V4, PortDemand::EvenPair, &mut random), None);
        assert_eq!(ports.take(V4, PortDemand::Even, &mut random), Some(50_006));
        let mut all = Ports::new(&(0..=255));
        for _ in 0..127 {
            assert_ne!(all.take(V4, PortDemand::EvenPair, &mut random), Some(0));
        }
        assert_eq!(all.take(V4, PortDemand::EvenPair, &mut random), None);
        let mut last = Ports::new(&(65_534..=u16::MAX));
        assert_eq!(last.take(V4, PortDemand::EvenPair, &mut random), Some(65_534));
    }

    #[test]
    fn where_the_search_starts_cannot_be_guessed() {
        let mut ports = Ports::new(&(49_152..=65_535));
        let mut random = Random::new([3; 32]);
        let given: BTreeSet<u16> =
            (0..256).map(|_| ports.take(V4, PortDemand::Any, &mut random).unwrap() >> 8).collect();
        // 64 blocks of 256 ports; 256 draws miss few of them.
        assert!(given.len() > 50, "{} of 64 blocks", given.len());
    }
}
