//! What can go wrong: the caller's mistakes, what the network brings, and why the server's service ended.

use core::fmt;

use floe_stun::Time;

/// A call that cannot be carried out as it stands; the client is as it was before.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum ClientError {
    /// The client is closed: make a new one.
    Closed,
    /// There is an allocation, or one is being made or deleted: wait for the event that ends it.
    Busy,
    /// The server must be left alone until then (RFC 8656 §7.4: 437, 486 and 508).
    TooSoon(Time),
    /// The server refused for good: asking again would get the same answer. Mend what
    /// [`Event::Failed`](super::Event::Failed) named and make a new client (RFC 8656 §7.4).
    Refused,
    /// No new port was asked for; see [`Event::NeedNewPort`](super::Event::NeedNewPort).
    NoPortNeeded,
    /// The allocation has no address of the peer's family, so the server would refuse it (RFC 8656 §10.1, §12.1).
    WrongFamily,
    /// No peer can have this address: it is unspecified, multicast or broadcast, or its port is 0.
    UnusablePeer,
    /// [`Limits::permissions`](super::Limits::permissions) is reached.
    TooManyPermissions,
    /// [`Limits::channels`](super::Limits::channels) is reached; a number is free again 15 minutes after it was last bound
    /// (RFC 8656 §12).
    NoFreeChannel,
}

impl fmt::Display for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => f.write_str("the client is closed: make a new one"),
            Self::Busy => f.write_str("an allocation exists, or is being made or deleted"),
            Self::TooSoon(until) => write!(f, "the server must be left alone until {until:?}"),
            Self::Refused => f.write_str("the server refused for good: mend the cause and make a new client"),
            Self::NoPortNeeded => f.write_str("no new port was asked for"),
            Self::WrongFamily => f.write_str("the allocation has no address of the peer's family"),
            Self::UnusablePeer => {
                f.write_str("a peer's address must be specified, unicast and, for a channel, have a port")
            }
            Self::TooManyPermissions => f.write_str("too many permissions: see Limits::permissions"),
            Self::NoFreeChannel => f.write_str("too many channels: see Limits::channels"),
        }
    }
}

impl core::error::Error for ClientError {}

/// Why a datagram was dropped. The network's fault, never the caller's: there is a counter for each
/// ([`Client::rejected`](crate::Client::rejected)) and nothing to do about it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Rejection {
    /// It did not come from the server.
    UnknownSource,
    /// It is neither a STUN message nor ChannelData, or not well formed.
    Malformed,
    /// A method or class that has no business here.
    UnexpectedMessage,
    /// A response to no open transaction: late, repeated, or made up.
    UnknownTransaction,
    /// A response without the integrity it must have, or with a wrong one (RFC 8489 §9.2.5).
    BadIntegrity,
    /// A response whose nonce promises PASSWORD-ALGORITHMS, which somebody took away (RFC 8489 §9.2.5).
    BidDown,
    /// A Data indication with comprehension-required attributes that we do not know (RFC 8489 §6.3.2).
    UnknownAttribute,
    /// A Data indication without a peer, or without anything from it (RFC 8656 §11.4).
    MissingAttribute,
    /// ChannelData on a channel that we have not bound (RFC 8656 §12.6).
    UnknownChannel,
    /// Data from a peer without a permission of ours (RFC 8656 §11.4, §12.6).
    NoPermission,
    /// There is no allocation.
    NoAllocation,
}

impl Rejection {
    pub(super) const COUNT: usize = 11;

    /// Every reason, in the order of the counters.
    pub const ALL: [Self; Self::COUNT] = [
        Self::UnknownSource,
        Self::Malformed,
        Self::UnexpectedMessage,
        Self::UnknownTransaction,
        Self::BadIntegrity,
        Self::BidDown,
        Self::UnknownAttribute,
        Self::MissingAttribute,
        Self::UnknownChannel,
        Self::NoPermission,
        Self::NoAllocation,
    ];
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::UnknownSource => "not from the TURN server",
            Self::Malformed => "neither a STUN message nor ChannelData",
            Self::UnexpectedMessage => "unexpected STUN method or class",
            Self::UnknownTransaction => "response to no open transaction",
            Self::BadIntegrity => "message integrity is missing or wrong",
            Self::BidDown => "the nonce promises PASSWORD-ALGORITHMS, which are missing",
            Self::UnknownAttribute => "unknown comprehension-required STUN attribute",
            Self::MissingAttribute => "a Data indication without peer or data",
            Self::UnknownChannel => "ChannelData on a channel that is not bound",
            Self::NoPermission => "data from a peer without permission",
            Self::NoAllocation => "there is no allocation",
        })
    }
}

/// Why the server did not do what it was asked for, as a sentence for people ([`Display`](fmt::Display)).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Failure {
    /// No answer came (RFC 8489 §6.2.1).
    NoAnswer,
    /// Answers came, but none with the integrity it must have: somebody forges them, or the password is wrong
    /// (RFC 8489 §9.2.5). A server that cannot read the request answers 400 like this.
    IntegrityViolated,
    /// The connection to the server is gone.
    Disconnected,
    /// The server wants credentials, and there are none.
    CredentialsNeeded,
    /// The server does not accept user name and password: 401 (RFC 8656 §7.4).
    WrongCredentials,
    /// The server called one nonce after the other stale: 438.
    StaleNonces,
    /// The server's nonce promises PASSWORD-ALGORITHMS, which somebody took away (RFC 8489 §9.2.1).
    BidDown,
    /// The server has no password algorithm that we know (RFC 8489 §9.2.5).
    NoCommonAlgorithm,
    /// The server asks for credentials without a realm or nonce that can be used.
    UnusableChallenge,
    /// 400 (RFC 8656 §7.4).
    BadRequest,
    /// 403 (RFC 8656 §7.4).
    Forbidden,
    /// 405 (RFC 8016 §3.1.4).
    MobilityForbidden,
    /// 437: somebody else has this address, or the allocation is gone (RFC 8656 §5, §7.4).
    AllocationMismatch,
    /// 440 (RFC 8656 §7.4).
    FamilyNotSupported,
    /// 441 (RFC 8656 §5).
    OtherUser,
    /// 442 (RFC 8656 §7.4).
    TransportNotSupported,
    /// 443 (RFC 8656 §10.2, §12.2).
    PeerFamilyMismatch,
    /// 486 (RFC 8656 §7.4).
    QuotaReached,
    /// 508 (RFC 8656 §7.4).
    InsufficientCapacity,
    /// Any other error code.
    Error(u16),
    /// The server sends us elsewhere: 300. [`Event::AlternateServer`](super::Event::AlternateServer) says where to.
    Redirected,
    /// The server sends us to an address where no TURN server can be.
    BadRedirect,
    /// The servers send us in a circle, or on and on (RFC 8489 §10). Whoever follows [`Event::AlternateServer`] finds out, not a
    /// [`Client`](crate::Client).
    ///
    /// [`Event::AlternateServer`]: super::Event::AlternateServer
    RedirectLoop,
    /// The server's answer lacks what it must have, or has what we do not know (RFC 8489 §6.3.3).
    MalformedAnswer,
    /// The server allocated an address that nobody can use, or of a family that was not asked for (RFC 8656 §7.3).
    UnusableAddress,
    /// The allocation ended because it could not be refreshed in time.
    Expired,
    /// Server and client have different ideas of the channels: 400 to ChannelBind (RFC 8656 §12.3).
    OutOfSync,
    /// Our address changed, and the allocation could not be taken along.
    AddressChanged,
}

impl Failure {
    /// What an error code means.
    pub(super) const fn of_code(code: u16) -> Self {
        match code {
            300 => Self::Redirected,
            400 => Self::BadRequest,
            401 => Self::WrongCredentials,
            403 => Self::Forbidden,
            405 => Self::MobilityForbidden,
            437 => Self::AllocationMismatch,
            438 => Self::StaleNonces,
            440 => Self::FamilyNotSupported,
            441 => Self::OtherUser,
            442 => Self::TransportNotSupported,
            443 => Self::PeerFamilyMismatch,
            486 => Self::QuotaReached,
            508 => Self::InsufficientCapacity,
            other => Self::Error(other),
        }
    }

    /// Whether asking the same again later could help.
    pub(super) const fn is_passing(self) -> bool {
        matches!(
            self,
            Self::NoAnswer
                | Self::IntegrityViolated
                | Self::InsufficientCapacity
                | Self::MalformedAnswer
                | Self::Error(500..=599)
        )
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoAnswer => "the TURN server did not answer",
            Self::IntegrityViolated => {
                "no answer of the TURN server could be trusted: the password is wrong, or somebody forges answers"
            }
            Self::Disconnected => "the connection to the TURN server was lost",
            Self::CredentialsNeeded => "the TURN server asks for a user name and a password",
            Self::WrongCredentials => "the TURN server does not accept the user name or the password",
            Self::StaleNonces => "the TURN server keeps calling its own nonces stale",
            Self::BidDown => "somebody on the path weakens the authentication to the TURN server",
            Self::NoCommonAlgorithm => "the TURN server wants a password algorithm that is not supported",
            Self::UnusableChallenge => "the TURN server asks for credentials in a way that cannot be answered",
            Self::BadRequest => "the TURN server does not understand the request",
            Self::Forbidden => "the TURN server forbids it",
            Self::MobilityForbidden => "the TURN server does not let an allocation move along",
            Self::AllocationMismatch => {
                "the TURN server has another allocation for this address, or none any more"
            }
            Self::FamilyNotSupported => "the TURN server has no relayed address of this family",
            Self::OtherUser => "the allocation belongs to another user of the TURN server",
            Self::TransportNotSupported => "the TURN server does not relay UDP",
            Self::PeerFamilyMismatch => "the peer's address is of another family than the relayed address",
            Self::QuotaReached => "the user has as many allocations as the TURN server allows",
            Self::InsufficientCapacity => "the TURN server has no room for more",
            Self::Error(code) => return write!(f, "the TURN server answered with error {code}"),
            Self::Redirected => "the TURN server names another one to use instead",
            Self::RedirectLoop => "the TURN servers send us to each other without end",
            Self::BadRedirect => "the TURN server names an address where no TURN server can be",
            Self::MalformedAnswer => "the answer of the TURN server is incomplete or not understood",
            Self::UnusableAddress => "the TURN server allocated an address that cannot be used",
            Self::Expired => "the allocation expired because it could not be refreshed",
            Self::OutOfSync => "the TURN server has other channels than the client",
            Self::AddressChanged => "the local address changed and the allocation could not be taken along",
        })
    }
}

impl core::error::Error for Failure {}
