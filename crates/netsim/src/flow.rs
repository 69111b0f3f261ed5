//! What became of the latest packets of one flow: for limits on losses in a row and for jitter that keeps order.

use std::net::SocketAddr;

use crate::hash::FastMap;

/// How many of the latest packets of a flow are remembered.
const WINDOW: u64 = 128;
/// Segments on the way for which the latest arrival is remembered; later ones share the last place.
const HOPS: usize = 8;

/// All packets that one place sends from one address to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct FlowKey {
    /// Which interface or segment they enter at: two sites may use the same private addresses.
    pub(crate) origin: u64,
    pub(crate) source: SocketAddr,
    pub(crate) destination: SocketAddr,
    /// What tells packets with other bytes apart, where that is wanted; else the same for all.
    pub(crate) content: u64,
}

/// A packet's place in its flow.
#[derive(Clone, Copy, Debug)]
pub(crate) struct InFlow {
    flow: u32,
    pub(crate) seq: u64,
}

/// One flow's recent past.
#[derive(Debug, Default)]
pub(crate) struct Flow {
    /// The number of the next packet.
    next: u64,
    /// Bit `i` says whether packet `next - 1 - i` was lost.
    lost: u128,
    /// The latest arrival at each hop, in nanoseconds.
    arrivals: [u64; HOPS],
}

impl Flow {
    /// Marks packet `seq` lost, unless that would make a run of more than `cap` lost packets, or is too long ago to tell.
    pub(crate) fn lose(&mut self, seq: u64, cap: u32) -> bool {
        let age = self.next.saturating_sub(1).saturating_sub(seq);
        if age >= WINDOW {
            return cap == u32::MAX;
        }
        let lost = self.lost | (1 << age);
        // Packets still on their way count as not lost: whichever of them is decided last sees the whole run.
        let older = (lost >> age).trailing_ones();
        let newer = (lost << (WINDOW - 1 - age)).leading_ones();
        if older + newer - 1 > cap {
            return false;
        }
        self.lost = lost;
        true
    }

    /// When a packet that would arrive at `arrival` does, if it may not overtake an earlier one at this hop.
    pub(crate) fn in_order(&mut self, hop: u8, arrival: u64) -> u64 {
        let latest = &mut self.arrivals[usize::from(hop).min(HOPS - 1)];
        *latest = arrival.max(*latest);
        *latest
    }
}

/// All flows of a network.
#[derive(Debug, Default)]
pub(crate) struct Flows {
    index: FastMap<FlowKey, u32>,
    flows: Vec<Flow>,
}

impl Flows {
    /// The next packet's place in its flow.
    pub(crate) fn next(&mut self, key: FlowKey) -> InFlow {
        let fresh = self.flows.len() as u32;
        let index = *self.index.entry(key).or_insert(fresh);
        if index == fresh {
            self.flows.push(Flow::default());
        }
        let flow = &mut self.flows[index as usize];
        let seq = flow.next;
        flow.next += 1;
        flow.lost <<= 1;
        InFlow { flow: index, seq }
    }

    /// The flow of a packet.
    pub(crate) fn get(&mut self, place: InFlow) -> Option<&mut Flow> {
        self.flows.get_mut(place.flow as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flow_with(sent: u64) -> (Flows, Vec<InFlow>) {
        let key = FlowKey {
            origin: 0,
            source: "10.0.0.1:1".parse().unwrap(),
            destination: "10.0.0.2:2".parse().unwrap(),
            content: 0,
        };
        let mut flows = Flows::default();
        let places = (0..sent).map(|_| flows.next(key)).collect();
        (flows, places)
    }

    /// Marks packet `n` of the flow lost if the cap of 4 allows.
    fn lose(flows: &mut Flows, places: &[InFlow], n: usize) -> bool {
        flows.get(places[n]).unwrap().lose(places[n].seq, 4)
    }

    #[test]
    fn a_run_ends_at_its_limit_and_starts_anew_after_a_delivery() {
        let (mut flows, places) = flow_with(10);
        let lost: Vec<bool> = (0..10).map(|n| lose(&mut flows, &places, n)).collect();
        assert_eq!(lost, [true, true, true, true, false, true, true, true, true, false]);
    }

    #[test]
    fn runs_that_would_meet_are_counted_together() {
        // Decided out of order, as on two lossy links: 0 and 1, then 3 and 4, then 2 joins them.
        let (mut flows, places) = flow_with(5);
        for n in [0, 1, 3, 4] {
            assert!(lose(&mut flows, &places, n));
        }
        assert!(!lose(&mut flows, &places, 2));
    }

    #[test]
    fn a_packet_beyond_the_window_is_not_lost_under_a_limit() {
        let (mut flows, places) = flow_with(WINDOW + 1);
        assert!(!lose(&mut flows, &places, 0));
        assert!(lose(&mut flows, &places, 1));
        assert!(flows.get(places[0]).unwrap().lose(0, u32::MAX));
    }

    #[test]
    fn arrivals_of_a_hop_never_go_back() {
        let mut flow = Flow::default();
        assert_eq!(flow.in_order(0, 50), 50);
        assert_eq!(flow.in_order(0, 40), 50);
        assert_eq!(flow.in_order(1, 40), 40);
        assert_eq!(flow.in_order(200, 7), 7);
        assert_eq!(flow.in_order(7, 6), 7);
    }
}
