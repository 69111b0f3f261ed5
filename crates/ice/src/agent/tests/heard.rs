//! A packet as a test sees it: decoded once, with everything an assertion may want.

use alloc::string::String;
use alloc::vec::Vec;
use core::net::SocketAddr;

use floe_stun::attributes::{
    ErrorCode, IceControlled, IceControlling, Priority, UnknownAttributes, UseCandidate, Username,
    XorMappedAddress,
};
use floe_stun::{AttributeType, Class, IntegrityAlgorithm, Key, Message, TransactionId};

use crate::message::PeerRole;

/// What a STUN packet says. Made only of well-formed packets.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Heard {
    pub(crate) class: Class,
    pub(crate) id: TransactionId,
    pub(crate) username: Option<String>,
    pub(crate) priority: Option<u32>,
    pub(crate) role: Option<PeerRole>,
    pub(crate) use_candidate: bool,
    pub(crate) mapped: Option<SocketAddr>,
    pub(crate) error: Option<u16>,
    pub(crate) unknown: Vec<u16>,
    /// How many attributes there are, integrity and FINGERPRINT included.
    pub(crate) attributes: usize,
    pub(crate) has_integrity: bool,
    pub(crate) has_fingerprint: bool,
}

impl Heard {
    pub(crate) fn new(bytes: &[u8]) -> Self {
        let message = Message::parse(bytes).expect("an agent sends well-formed STUN");
        let controlling = message.get::<IceControlling>().expect("well-formed");
        let controlled = message.get::<IceControlled>().expect("well-formed");
        assert!(controlling.is_none() || controlled.is_none(), "a request names one role");
        let username = message.get::<Username<'_>>().expect("well-formed");
        let unknown = message.get::<UnknownAttributes<'_>>().expect("well-formed");
        Self {
            class: message.class(),
            id: message.transaction_id(),
            username: username.map(|u| u.as_str().expect("text").into()),
            priority: message.get::<Priority>().expect("well-formed").map(|p| p.0),
            role: controlling
                .map(|c| PeerRole::Controlling(c.0))
                .or(controlled.map(|c| PeerRole::Controlled(c.0))),
            use_candidate: message.get::<UseCandidate>().expect("well-formed").is_some(),
            mapped: message.get::<XorMappedAddress>().expect("well-formed").map(|a| a.0),
            error: message.get::<ErrorCode<'_>>().expect("well-formed").map(|e| e.code()),
            unknown: unknown.map(|u| u.iter().map(AttributeType::number).collect()).unwrap_or_default(),
            attributes: message.attributes().count(),
            has_integrity: message.has_integrity(),
            has_fingerprint: message.has_fingerprint(),
        }
    }

    pub(crate) fn is_request(&self) -> bool {
        self.class == Class::Request
    }

    pub(crate) fn tie_breaker(&self) -> u64 {
        match self.role.expect("a request names its role") {
            PeerRole::Controlling(tie) | PeerRole::Controlled(tie) => tie,
        }
    }

    pub(crate) fn is_from_controlling(&self) -> bool {
        matches!(self.role, Some(PeerRole::Controlling(_)))
    }
}

/// The algorithm a packet is signed with; panics if this key did not.
pub(crate) fn signed_with(bytes: &[u8], key: &Key) -> IntegrityAlgorithm {
    let message = Message::parse(bytes).expect("an agent sends well-formed STUN");
    message.verify(key).expect("signed with this key").algorithm()
}
