//! What a candidate is and what carries it: its type and its transport protocol.

use core::fmt;

use super::priority;

/// The type of a candidate (RFC 8445 §5.1.1, names of RFC 8839 §5.1 and W3C `RTCIceCandidateType`).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[non_exhaustive]
pub enum CandidateKind {
    /// An address of one of the agent's own interfaces: `host`.
    Host,
    /// The agent's address as a STUN server sees it: `srflx`.
    ServerReflexive,
    /// An agent's address as its peer sees it, learned from connectivity checks: `prflx`.
    PeerReflexive,
    /// An address that a TURN server keeps for the agent: `relay`.
    Relayed,
}

impl CandidateKind {
    /// The type's name in a candidate line (RFC 8839 §5.1).
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Host => "host",
            Self::ServerReflexive => "srflx",
            Self::PeerReflexive => "prflx",
            Self::Relayed => "relay",
        }
    }

    /// The recommended type preference, 0..=126 (RFC 8445 §5.1.2.2).
    #[must_use]
    pub const fn type_preference(self) -> u8 {
        match self {
            Self::Host => priority::TYPE_PREFERENCE_HOST,
            Self::ServerReflexive => priority::TYPE_PREFERENCE_SERVER_REFLEXIVE,
            Self::PeerReflexive => priority::TYPE_PREFERENCE_PEER_REFLEXIVE,
            Self::Relayed => priority::TYPE_PREFERENCE_RELAYED,
        }
    }

    /// Names are compared without case, as ABNF strings are (RFC 5234 §2.3).
    pub(super) fn from_name(name: &str) -> Option<Self> {
        [Self::Host, Self::ServerReflexive, Self::PeerReflexive, Self::Relayed]
            .into_iter()
            .find(|kind| kind.as_str().eq_ignore_ascii_case(name))
    }
}

impl fmt::Display for CandidateKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The transport protocol of a candidate (RFC 8839 §5.1, RFC 6544 §4.5).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
#[non_exhaustive]
pub enum Transport {
    /// UDP.
    #[default]
    Udp,
    /// TCP, and which side opens the connection.
    Tcp(TcpType),
}

impl Transport {
    /// The protocol without the direction of the connection.
    #[must_use]
    pub const fn protocol(self) -> Protocol {
        match self {
            Self::Udp => Protocol::Udp,
            Self::Tcp(_) => Protocol::Tcp,
        }
    }
}

/// A transport protocol: of a candidate, or of the way to the server that provided it (RFC 8445 §5.1.1.3).
///
/// TLS and DTLS count as what they run over.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
#[non_exhaustive]
pub enum Protocol {
    /// UDP, or DTLS over it.
    #[default]
    Udp,
    /// TCP, or TLS over it.
    Tcp,
}

impl Protocol {
    /// The protocol's name as RFC 8839 §5.1 and RFC 6544 §4.5 spell it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Udp => "UDP",
            Self::Tcp => "TCP",
        }
    }

    pub(super) const fn as_lowercase_str(self) -> &'static str {
        match self {
            Self::Udp => "udp",
            Self::Tcp => "tcp",
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Which side of a TCP candidate opens the connection (RFC 6544 §4.5).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[non_exhaustive]
pub enum TcpType {
    /// Opens connections and accepts none; its port is signalled as 9.
    Active,
    /// Accepts connections and opens none.
    Passive,
    /// Opens towards a peer that opens at the same time: `so`.
    SimultaneousOpen,
}

impl TcpType {
    /// The value of the `tcptype` extension (RFC 6544 §4.5).
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Passive => "passive",
            Self::SimultaneousOpen => "so",
        }
    }

    pub(super) fn from_name(name: &str) -> Option<Self> {
        [Self::Active, Self::Passive, Self::SimultaneousOpen]
            .into_iter()
            .find(|tcp| tcp.as_str().eq_ignore_ascii_case(name))
    }
}

impl fmt::Display for TcpType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
