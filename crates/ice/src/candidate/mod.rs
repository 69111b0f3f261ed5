//! Candidates as they are signalled: the value, its priority and foundation, and its text both ways.
//!
//! A [`Candidate`] is what one agent tells another (RFC 8445 §5.3). Which socket a local one lives on, or what a
//! remote one was learned from, is the agent's knowledge and not part of it. It is parsed with [`str::parse`] and
//! printed with [`Display`](core::fmt::Display) in the form of RFC 8839 §5.1:
//!
//! ```
//! use floe_ice::candidate::{Candidate, CandidateKind};
//!
//! let line = "candidate:2 1 UDP 1694498815 192.0.2.3 45664 typ srflx raddr 203.0.113.141 rport 8998";
//! let candidate: Candidate = line.parse()?;
//! assert_eq!(candidate.kind(), CandidateKind::ServerReflexive);
//! assert_eq!(candidate.related_address(), Some("203.0.113.141:8998".parse()?));
//! assert_eq!(candidate.to_string(), line);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod address;
mod credentials;
mod error;
mod foundation;
#[cfg(feature = "serde")]
mod json;
mod kind;
mod mdns;
mod parse;
mod priority;
mod redundancy;
mod sdp;
#[cfg(test)]
mod tests;
mod text;

use alloc::boxed::Box;
use core::fmt;
use core::net::SocketAddr;

pub use address::canonical;
pub(crate) use address::{is_unicast, is_usable};
pub use credentials::{Credentials, CredentialsError, CredentialsField};
pub use error::{CandidateField, CandidateParseError, FieldProblem, Unsupported};
pub use foundation::{Foundation, FoundationKey, FoundationTable};
#[cfg(feature = "serde")]
pub use json::CandidateInit;
pub use kind::{CandidateKind, Protocol, TcpType, Transport};
pub use mdns::MdnsCandidate;
pub use parse::MAX_LINE;
pub use priority::{
    MAX_LOCAL_PREFERENCE, MAX_PRIORITY, MAX_TYPE_PREFERENCE, SOURCES_PER_ADDRESS, candidate_priority,
    family_ranks, local_preference, local_preferences, pair_priority, peer_reflexive_priority,
};
pub use redundancy::{Redundancy, redundancy};
pub use sdp::{
    Description, DescriptionError, DescriptionFault, IceOptions, MediaLines, RemoteCandidate, SessionLines,
};

use crate::ids::ComponentId;

/// A candidate as it is signalled (RFC 8445 §5.3, RFC 8839 §5.1).
///
/// A host candidate without extensions is one flat value of 88 bytes; a related address and extensions are kept on the heap.
///
/// ```
/// use floe_ice::ComponentId;
/// use floe_ice::candidate::{Candidate, Foundation};
///
/// let rtcp = ComponentId::new(2).ok_or("1 to 256")?;
/// let candidate = Candidate::host("192.0.2.1:50000".parse()?)
///     .with_component(rtcp)
///     .with_foundation(Foundation::new("eth0").ok_or("1 to 32 ice-chars")?);
/// assert_eq!(candidate.to_string(), "candidate:eth0 2 UDP 2130706430 192.0.2.1 50000 typ host");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// Two candidates are equal when all that they say is equal; how the line was spelled does not count.
#[derive(Clone)]
pub struct Candidate {
    /// Canonical.
    address: SocketAddr,
    /// Absent when it would hold nothing: most candidates are host candidates.
    details: Option<Box<Details>>,
    priority: u32,
    component: ComponentId,
    transport: Transport,
    kind: CandidateKind,
    /// The line came with `udp` and not `UDP`, and goes out as it came.
    lowercase_transport: bool,
    foundation: Foundation,
}

/// What host candidates of our own have not.
#[derive(Clone, PartialEq, Eq, Default)]
struct Details {
    /// Canonical; never present for host candidates (RFC 8839 §5.1).
    related: Option<SocketAddr>,
    /// Extensions as they stand in the line, `name SP value` joined by SP; a value may be empty. The
    /// `tcptype` of a TCP candidate is not among them.
    extensions: Box<str>,
}

impl Candidate {
    /// A host candidate on UDP for component 1, with the priority of an agent's only address and foundation `1`.
    ///
    /// Like the other constructors it is for embedders and tests that make candidates by hand; the agent's own gathering
    /// gives each its own priority and foundation. When you signal several candidates, so should you: see
    /// [`FoundationTable`] and [`local_preferences`].
    #[must_use]
    pub fn host(address: SocketAddr) -> Self {
        Self::new(CandidateKind::Host, address)
    }

    /// A server-reflexive candidate: `mapped` as the server saw it, from `base`, which is printed as the related address
    /// unless it is [hidden](Self::with_hidden_related_address). Defaults as for [`host`](Self::host), foundation `2`.
    #[must_use]
    pub fn server_reflexive(mapped: SocketAddr, base: SocketAddr) -> Self {
        Self::new(CandidateKind::ServerReflexive, mapped).with_related(base)
    }

    /// A peer-reflexive candidate: `mapped` as the peer saw it, from `base`. Defaults as for
    /// [`server_reflexive`](Self::server_reflexive), foundation `3`.
    #[must_use]
    pub fn peer_reflexive(mapped: SocketAddr, base: SocketAddr) -> Self {
        Self::new(CandidateKind::PeerReflexive, mapped).with_related(base)
    }

    /// A relayed candidate: `relayed` on the TURN server, which saw the agent at `mapped`; that is its related address
    /// (RFC 8839 §5.1). Defaults as for [`server_reflexive`](Self::server_reflexive), foundation `4`.
    #[must_use]
    pub fn relayed(relayed: SocketAddr, mapped: SocketAddr) -> Self {
        Self::new(CandidateKind::Relayed, relayed).with_related(mapped)
    }

    fn new(kind: CandidateKind, address: SocketAddr) -> Self {
        let component = ComponentId::FIRST;
        let number = match kind {
            CandidateKind::Host => 1,
            CandidateKind::ServerReflexive => 2,
            CandidateKind::PeerReflexive => 3,
            CandidateKind::Relayed => 4,
        };
        Self {
            address: canonical(address),
            details: None,
            priority: candidate_priority(kind.type_preference(), MAX_LOCAL_PREFERENCE, component),
            component,
            transport: Transport::Udp,
            kind,
            lowercase_transport: false,
            foundation: Foundation::numbered("", number),
        }
    }

    /// For another component; the component's term of the priority (RFC 8445 §5.1.2.1) follows.
    #[must_use]
    pub fn with_component(mut self, component: ComponentId) -> Self {
        self.component = component;
        self.priority = priority::for_component(self.priority, component);
        self
    }

    /// On another transport. The priority stays as it is.
    #[must_use]
    pub const fn with_transport(mut self, transport: Transport) -> Self {
        self.transport = transport;
        self
    }

    /// With the priority that the recommended formula (RFC 8445 §5.1.2.1) gives for this local preference.
    #[must_use]
    pub const fn with_local_preference(mut self, local_preference: u16) -> Self {
        self.priority = candidate_priority(self.kind.type_preference(), local_preference, self.component);
        self
    }

    /// With a priority of your own. To be signalled it must be in 1..=2^31−1 (RFC 8445 §5.1.2); 0 counts as 1.
    #[must_use]
    pub const fn with_priority(mut self, priority: u32) -> Self {
        self.priority = if priority == 0 { 1 } else { priority };
        self
    }

    /// With another foundation.
    #[must_use]
    pub const fn with_foundation(mut self, foundation: Foundation) -> Self {
        self.foundation = foundation;
        self
    }

    /// With the related address replaced by the unspecified address of the candidate's family and port 9, so that it
    /// does not say where the agent lives (RFC 8839 §5.1). Host candidates have none and stay as they are.
    #[must_use]
    pub fn with_hidden_related_address(self) -> Self {
        let hidden = address::hidden(self.address);
        self.with_related(hidden)
    }

    fn with_related(mut self, related: SocketAddr) -> Self {
        if self.kind != CandidateKind::Host {
            self.details.get_or_insert_default().related = Some(canonical(related));
        }
        self
    }

    /// With `ufrag` as the `ufrag` extension, which says to which generation of a session a trickled candidate
    /// belongs. One that is there already is replaced.
    ///
    /// # Errors
    ///
    /// As [`with_extension`](Self::with_extension).
    pub fn with_ufrag(self, ufrag: &str) -> Result<Self, CandidateParseError> {
        self.with_extension(UFRAG, ufrag)
    }

    /// With the extension `name value` after those that are there; one of this name is replaced in its place.
    ///
    /// # Errors
    ///
    /// [`CandidateParseError::Malformed`] when the name is empty, when either has characters other than visible ASCII,
    /// when the name is one that the line uses itself (`tcptype`, `raddr`, `rport`), or when the line would become longer than
    /// [`MAX_LINE`].
    ///
    /// ```
    /// use floe_ice::candidate::Candidate;
    ///
    /// let candidate = Candidate::host("192.0.2.1:50000".parse()?).with_extension("network-cost", "10")?;
    /// assert_eq!(candidate.extension("network-cost"), Some("10"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn with_extension(mut self, name: &str, value: &str) -> Result<Self, CandidateParseError> {
        let extensions = text::with_pair(self.raw_extensions(), name, value)?;
        self.details.get_or_insert_default().extensions = extensions;
        Ok(self)
    }

    /// The component of the stream.
    #[must_use]
    pub const fn component(&self) -> ComponentId {
        self.component
    }

    /// The foundation.
    #[must_use]
    pub const fn foundation(&self) -> &Foundation {
        &self.foundation
    }

    /// The transport protocol and, for TCP, the direction.
    #[must_use]
    pub const fn transport(&self) -> Transport {
        self.transport
    }

    /// The priority, at least 1. A peer is expected to stay below 2^31 (RFC 8839 §5.1) but greater values are kept as
    /// they came: they order candidates just as well.
    #[must_use]
    pub const fn priority(&self) -> u32 {
        self.priority
    }

    /// The transport address, [canonical].
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The type.
    #[must_use]
    pub const fn kind(&self) -> CandidateKind {
        self.kind
    }

    /// The related address: the base of a reflexive candidate, the mapped address of a relayed one, or anything else,
    /// since it is only meant for diagnostics (RFC 8839 §5.1). `None` for host candidates and where the peer left it out.
    #[must_use]
    pub fn related_address(&self) -> Option<SocketAddr> {
        self.details.as_ref().and_then(|details| details.related)
    }

    /// The value of the `ufrag` extension.
    #[must_use]
    pub fn ufrag(&self) -> Option<&str> {
        self.extension(UFRAG)
    }

    /// The value of the first extension of this name (without case), which may be empty.
    #[must_use]
    pub fn extension(&self, name: &str) -> Option<&str> {
        // Most candidates have none, and all are asked for their ufrag.
        self.details.as_ref()?;
        self.extensions().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// All extensions as (name, value) in the order of the line, but for the `tcptype` of a TCP candidate, which is part of
    /// the [`transport`](Self::transport).
    pub fn extensions(&self) -> impl Iterator<Item = (&str, &str)> {
        text::pairs(self.raw_extensions())
    }

    fn raw_extensions(&self) -> &str {
        self.details.as_ref().map_or("", |details| &details.extensions)
    }
}

/// The name of the extension that carries the username fragment, as browsers send it.
const UFRAG: &str = "ufrag";

impl PartialEq for Candidate {
    fn eq(&self, other: &Self) -> bool {
        let said = |c: &Self| (c.address, c.priority, c.component, c.transport, c.kind, c.foundation);
        said(self) == said(other)
            && self.related_address() == other.related_address()
            && self.raw_extensions() == other.raw_extensions()
    }
}

impl Eq for Candidate {}

impl fmt::Debug for Candidate {
    /// The candidate's line: what a person knows it by.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Candidate({self})")
    }
}
