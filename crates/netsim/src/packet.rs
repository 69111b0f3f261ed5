//! Packets on their way, in buffers that are used again.

use std::net::SocketAddr;

use crate::flow::InFlow;
use crate::id::PacketId;
use crate::stream::Segment;

/// A packet on its way.
#[derive(Debug)]
pub(crate) struct Packet {
    pub(crate) id: PacketId,
    pub(crate) source: SocketAddr,
    pub(crate) destination: SocketAddr,
    pub(crate) bytes: Vec<u8>,
    pub(crate) flow: Option<InFlow>,
    pub(crate) hops: u8,
    /// What it is on a connection; nothing for a datagram.
    pub(crate) segment: Option<Segment>,
}

/// A packet's place in the pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Slot(u32);

/// All packets on their way.
#[derive(Debug, Default)]
pub(crate) struct Pool {
    packets: Vec<Packet>,
    free: Vec<Slot>,
    next: u64,
}

impl Pool {
    /// A number for the next packet or message.
    pub(crate) fn next_id(&mut self) -> PacketId {
        self.next += 1;
        PacketId(self.next - 1)
    }

    /// Keeps a copy of `bytes` until [`Pool::release`].
    pub(crate) fn insert(
        &mut self,
        source: SocketAddr,
        destination: SocketAddr,
        flow: Option<InFlow>,
        bytes: &[u8],
    ) -> Slot {
        let id = self.next_id();
        let slot = match self.free.pop() {
            Some(slot) => slot,
            None => {
                let slot = Slot(self.packets.len() as u32);
                self.packets.push(Packet {
                    id,
                    source,
                    destination,
                    bytes: Vec::new(),
                    flow,
                    hops: 0,
                    segment: None,
                });
                slot
            }
        };
        let packet = self.get_mut(slot);
        (packet.id, packet.source, packet.destination) = (id, source, destination);
        (packet.flow, packet.hops, packet.segment) = (flow, 0, None);
        packet.bytes.clear();
        packet.bytes.extend_from_slice(bytes);
        slot
    }

    /// A copy of a packet, with an id of its own.
    pub(crate) fn duplicate(&mut self, slot: Slot) -> Slot {
        let original = self.get_mut(slot);
        let bytes = std::mem::take(&mut original.bytes);
        let (source, destination) = (original.source, original.destination);
        let (flow, hops, segment) = (original.flow, original.hops, original.segment);
        let copy = self.insert(source, destination, flow, &bytes);
        (self.get_mut(copy).hops, self.get_mut(copy).segment) = (hops, segment);
        self.get_mut(slot).bytes = bytes;
        copy
    }

    pub(crate) fn get(&self, slot: Slot) -> &Packet {
        &self.packets[slot.0 as usize]
    }

    pub(crate) fn get_mut(&mut self, slot: Slot) -> &mut Packet {
        &mut self.packets[slot.0 as usize]
    }

    pub(crate) fn release(&mut self, slot: Slot) {
        self.free.push(slot);
    }
}
