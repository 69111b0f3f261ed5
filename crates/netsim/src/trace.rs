//! Everything that happened, in order: the packet tap, its digest, and questions about it.

use std::fmt;
use std::hash::Hasher;
use std::net::SocketAddr;
use std::ops::Range;

use floe_stun::Time;

use crate::endpoint::SendError;
use crate::hash::Mixer;
use crate::id::{EndpointId, HostId, PacketId, RouterId, SegmentId, SocketId};

/// What happened to a packet or a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// An endpoint sent a packet.
    Sent {
        /// Who.
        endpoint: EndpointId,
        /// Through which socket.
        socket: SocketId,
    },
    /// The test put a packet into a segment.
    Injected {
        /// Where.
        segment: SegmentId,
    },
    /// An endpoint tried to send a packet that could not leave its host.
    Refused {
        /// Who.
        endpoint: EndpointId,
        /// Why.
        error: SendError,
    },
    /// A NAT changed the addresses of a packet; those of the record are the new ones.
    Translated {
        /// The NAT.
        router: RouterId,
    },
    /// A link made a copy, which continues under its own id.
    Duplicated {
        /// The copy.
        copy: PacketId,
    },
    /// A packet reached an endpoint.
    Delivered {
        /// Whom.
        endpoint: EndpointId,
        /// Through which socket.
        socket: SocketId,
    },
    /// A packet went no further.
    Dropped {
        /// Why.
        reason: DropReason,
        /// Where.
        place: Place,
    },
    /// An endpoint sent a message over the signalling path; the addresses of the record mean nothing.
    SignalSent {
        /// Who.
        from: EndpointId,
        /// To whom.
        to: EndpointId,
    },
    /// A message over the signalling path arrived; the addresses of the record mean nothing.
    SignalDelivered {
        /// From whom.
        from: EndpointId,
        /// At whom.
        to: EndpointId,
    },
    /// A remark of an endpoint, or of the test; its text is in the bytes.
    Note {
        /// Whose; `None` for the test.
        endpoint: Option<EndpointId>,
    },
}

/// Why a packet was dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum DropReason {
    /// A link lost it.
    Lost,
    /// Too long for the MTU of a link.
    TooLong,
    /// The segment does not know the address and has no gateway.
    NoRoute,
    /// No open socket at the destination.
    PortClosed,
    /// No live NAT mapping for the external address and port.
    NoMapping,
    /// A NAT's filter, RFC 4787 §5.
    Filtered,
    /// A NAT ran out of ports.
    PortsExhausted,
    /// A NAT that does not hairpin, RFC 4787 §6.
    NoHairpinning,
    /// A firewall saw nothing from inside that this could answer.
    Unsolicited,
    /// A firewall that blocks UDP.
    UdpBlocked,
    /// Addressed to a router itself.
    NoService,
    /// It went in circles.
    HopLimit,
}

impl fmt::Display for DropReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Lost => "lost",
            Self::TooLong => "exceeds the MTU",
            Self::NoRoute => "no route",
            Self::PortClosed => "no open port",
            Self::NoMapping => "no NAT mapping",
            Self::Filtered => "filtered by NAT",
            Self::PortsExhausted => "NAT out of ports",
            Self::NoHairpinning => "NAT without hairpinning",
            Self::Unsolicited => "unsolicited at firewall",
            Self::UdpBlocked => "UDP blocked",
            Self::NoService => "for the router itself",
            Self::HopLimit => "hop limit",
        })
    }
}

/// Where a packet was dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Place {
    /// On or between the links of a segment.
    Segment(SegmentId),
    /// At a router.
    Router(RouterId),
    /// At a host.
    Host(HostId),
}

/// One entry of the trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Record<'a> {
    /// When.
    pub time: Time,
    /// Which packet; messages have numbers of their own too. That of a note means nothing.
    pub packet: PacketId,
    /// What.
    pub event: Event,
    /// The source address as it was there.
    pub source: SocketAddr,
    /// The destination address as it was there.
    pub destination: SocketAddr,
    /// The UDP payload, message or note; of a refused packet nothing.
    pub bytes: &'a [u8],
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    time: Time,
    packet: PacketId,
    event: Event,
    source: SocketAddr,
    destination: SocketAddr,
    bytes: (usize, usize),
}

/// What happened in a network: every packet sent, changed, delivered or dropped, every signalling message, in order.
///
/// ```
/// use floe_netsim::Network;
///
/// let mut net = Network::new(7);
/// let host = net.add_host("host");
/// net.attach(host, net.internet(), Default::default())?;
/// net.inject(net.internet(), "192.0.2.9:9".parse()?, "203.0.113.1:5000".parse()?, b"hello")?;
/// net.run_for(std::time::Duration::from_secs(1));
/// let events: Vec<_> = net.trace().records().map(|record| record.event).collect();
/// assert_eq!(events.len(), 2, "injected, and dropped for want of a socket: {events:?}");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Trace {
    recording: bool,
    entries: Vec<Entry>,
    bytes: Vec<u8>,
    /// Where the bytes of packet `first + i` are, so that all its records share them.
    spans: Vec<Option<(usize, usize)>>,
    first: u64,
    limit: usize,
    omitted: u64,
    digest: Mixer,
    drops: [u64; DROP_REASONS],
}

const DROP_REASONS: usize = DropReason::HopLimit as usize + 1;
/// The number that all notes have.
pub(crate) const NO_PACKET: PacketId = PacketId(u64::MAX);
/// Records kept by default.
const DEFAULT_LIMIT: usize = 100_000;

impl Trace {
    pub(crate) fn new() -> Self {
        Self {
            recording: true,
            entries: Vec::new(),
            bytes: Vec::new(),
            spans: Vec::new(),
            first: 0,
            limit: DEFAULT_LIMIT,
            omitted: 0,
            digest: Mixer::default(),
            drops: [0; DROP_REASONS],
        }
    }

    /// A digest of all that happened so far, recorded or not: equal seeds and inputs give equal digests.
    #[must_use]
    pub fn digest(&self) -> u64 {
        self.digest.digest()
    }

    /// All records, oldest first.
    pub fn records(&self) -> impl DoubleEndedIterator<Item = Record<'_>> + ExactSizeIterator {
        self.since(0)
    }

    /// The records from number `start` on; none if there are not so many. With [`Trace::len`] as the next start, a test
    /// looks at each record once.
    pub fn since(&self, start: usize) -> impl DoubleEndedIterator<Item = Record<'_>> + ExactSizeIterator {
        self.entries.get(start..).unwrap_or_default().iter().map(|entry| self.view(entry))
    }

    /// The packets that an endpoint sent, as its host put them on the wire, oldest first.
    pub fn sent_by(&self, endpoint: impl Into<EndpointId>) -> impl Iterator<Item = Record<'_>> {
        let who = endpoint.into();
        self.records().filter(move |r| matches!(r.event, Event::Sent { endpoint, .. } if endpoint == who))
    }

    /// The packets that reached an endpoint, oldest first.
    pub fn delivered_to(&self, endpoint: impl Into<EndpointId>) -> impl Iterator<Item = Record<'_>> {
        let who = endpoint.into();
        self.records()
            .filter(move |r| matches!(r.event, Event::Delivered { endpoint, .. } if endpoint == who))
    }

    /// The number of packets dropped for a reason, recorded or not.
    #[must_use]
    pub fn drops(&self, reason: DropReason) -> u64 {
        self.drops[reason as usize]
    }

    /// The number of records kept.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are no records.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The number of records that were not kept because the trace was full.
    #[must_use]
    pub fn omitted(&self) -> u64 {
        self.omitted
    }

    pub(crate) fn is_recording(&self) -> bool {
        self.recording
    }

    pub(crate) fn set_recording(&mut self, on: bool) {
        self.recording = on;
        // The packets of a gap shall take no room.
        self.spans.clear();
    }

    pub(crate) fn set_limit(&mut self, records: usize) {
        self.limit = records;
    }

    pub(crate) fn clear(&mut self) {
        self.entries.clear();
        self.bytes.clear();
        self.spans.clear();
        self.omitted = 0;
    }

    fn view(&self, entry: &Entry) -> Record<'_> {
        let (start, end) = entry.bytes;
        Record {
            time: entry.time,
            packet: entry.packet,
            event: entry.event,
            source: entry.source,
            destination: entry.destination,
            bytes: self.bytes.get::<Range<usize>>(start..end).unwrap_or_default(),
        }
    }

    pub(crate) fn push(&mut self, record: Record<'_>) {
        self.fold(&record);
        if let Event::Dropped { reason, .. } = record.event {
            self.drops[reason as usize] += 1;
        }
        if !self.recording {
            return;
        }
        if self.entries.len() >= self.limit {
            self.omitted += 1;
            return;
        }
        let bytes = self.keep(record.packet, record.bytes);
        self.entries.push(Entry {
            time: record.time,
            packet: record.packet,
            event: record.event,
            source: record.source,
            destination: record.destination,
            bytes,
        });
    }

    /// Where the bytes of a packet are kept.
    fn keep(&mut self, packet: PacketId, bytes: &[u8]) -> (usize, usize) {
        if packet == NO_PACKET {
            return self.append(bytes);
        }
        if self.spans.is_empty() {
            self.first = packet.0;
        }
        let place = packet.0.checked_sub(self.first).and_then(|place| usize::try_from(place).ok());
        if let Some(span) = place.and_then(|place| self.spans.get(place).copied().flatten()) {
            return span;
        }
        let span = self.append(bytes);
        if let Some(place) = place {
            if self.spans.len() <= place {
                self.spans.resize(place + 1, None);
            }
            self.spans[place] = Some(span);
        }
        span
    }

    fn append(&mut self, bytes: &[u8]) -> (usize, usize) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(bytes);
        (start, self.bytes.len())
    }

    /// Folds a record into the digest. Bytes count when they enter the network; nothing changes them on the way.
    fn fold(&mut self, record: &Record<'_>) {
        // What somebody remarks is not what happened.
        if matches!(record.event, Event::Note { .. }) {
            return;
        }
        let digest = &mut self.digest;
        digest.word(record.time.as_nanos());
        digest.word(record.packet.0);
        fold_address(digest, record.source);
        fold_address(digest, record.destination);
        let (kind, a, b) = match record.event {
            Event::Sent { endpoint, socket } => (1, endpoint.0, socket.0),
            Event::Injected { segment } => (2, segment.0, 0),
            Event::Refused { endpoint, error } => (3, endpoint.0, error as u32),
            Event::Translated { router } => (4, router.0, 0),
            Event::Duplicated { copy } => (5, copy.0 as u32, 0),
            Event::Delivered { endpoint, socket } => (6, endpoint.0, socket.0),
            Event::Dropped { reason, place } => (
                7,
                reason as u32,
                match place {
                    Place::Segment(id) => id.0,
                    Place::Router(id) => id.0,
                    Place::Host(id) => id.0,
                },
            ),
            Event::SignalSent { from, to } => (8, from.0, to.0),
            Event::SignalDelivered { from, to } => (9, from.0, to.0),
            Event::Note { .. } => (10, 0, 0),
        };
        digest.word(kind << 32 | u64::from(a));
        digest.word(b.into());
        if matches!(record.event, Event::Sent { .. } | Event::Injected { .. } | Event::SignalSent { .. }) {
            digest.write(record.bytes);
        }
    }
}

fn fold_address(digest: &mut Mixer, address: SocketAddr) {
    match address {
        SocketAddr::V4(v4) => digest.word(u64::from(v4.ip().to_bits()) << 16 | u64::from(v4.port())),
        SocketAddr::V6(v6) => {
            let bits = v6.ip().to_bits();
            digest.word((bits >> 64) as u64);
            digest.word(bits as u64 ^ u64::from(v6.port()) << 48);
        }
    }
}
