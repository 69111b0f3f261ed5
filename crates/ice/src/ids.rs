//! Names of things: small `Copy` newtypes. None is reused while somebody may still hold it.

use core::fmt;

/// A socket, in the driver's own numbering, below 2^63. The agent never interprets the number.
///
/// From 2^63 on are numbers of the agent's own: each stands for a relay, as if its relayed address were a socket here.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct SocketId(pub u64);

impl SocketId {
    const RELAY: u64 = 1 << 63;

    /// The relay that stands behind the number.
    pub(crate) fn as_relay(self) -> Option<RelayId> {
        let number = self.0.checked_sub(Self::RELAY)?;
        u32::try_from(number).ok().map(RelayId)
    }

    /// Whether the number is not one of a driver.
    pub(crate) const fn is_relay(self) -> bool {
        self.0 >= Self::RELAY
    }
}

/// A data stream of the agent (RFC 8445 §3). Streams are numbered from 0 in the order of
/// [`Config::streams`](crate::Config::streams), which is also the order of their checklists.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct StreamId(pub u16);

impl StreamId {
    /// The first stream: the only one of most agents.
    pub const FIRST: Self = Self(0);
}

/// A component of a data stream, 1 to 256 (RFC 8839 §5.1): 1 is RTP or the only one, 2 is RTCP.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ComponentId(u16);

impl ComponentId {
    /// Component 1: the only one of most streams.
    pub const FIRST: Self = Self(1);

    /// The component with this number, or `None` outside 1..=256.
    #[must_use]
    pub const fn new(id: u16) -> Option<Self> {
        if id >= 1 && id <= 256 { Some(Self(id)) } else { None }
    }

    /// The component at a place of a stream, from 0: no stream has more than 256.
    pub(crate) const fn at(place: u16) -> Self {
        Self(place + 1)
    }

    /// The number, 1..=256.
    #[must_use]
    pub const fn get(self) -> u16 {
        self.0
    }
}

impl Default for ComponentId {
    fn default() -> Self {
        Self::FIRST
    }
}

impl fmt::Display for ComponentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// One component of one stream: what a pair is selected for and data is sent on.
///
/// `Component::default()` is the first component of the first stream.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Component {
    /// The stream.
    pub stream: StreamId,
    /// The component in it.
    pub id: ComponentId,
}

impl Component {
    /// The component `id` of `stream`.
    #[must_use]
    pub const fn new(stream: StreamId, id: ComponentId) -> Self {
        Self { stream, id }
    }
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub struct $name(pub(crate) u32);

        impl $name {
            /// The number, for logs. It means nothing outside the agent that gave it.
            #[must_use]
            pub const fn as_u32(self) -> u32 {
                self.0
            }
        }
    };
}

id!(
    /// A local candidate of one agent.
    LocalId
);
id!(
    /// A remote candidate as one agent knows it.
    RemoteId
);
id!(
    /// A candidate pair of one agent. Generational: the id of a pair that was removed is not given to another.
    PairId
);
id!(
    /// A question to the driver: the answer to a [`Command`](crate::Command) carries the id of the command.
    RequestId
);

/// A relay of one agent: an allocation on a TURN server (RFC 8656 §6). None is given twice.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct RelayId(pub(crate) u32);

impl RelayId {
    /// What the relay is called where a socket is expected.
    pub(crate) fn socket(self) -> SocketId {
        SocketId(SocketId::RELAY + u64::from(self.0))
    }
}
