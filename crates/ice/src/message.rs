//! ICE's messages: a STUN message becomes a request or an answer once, here, and back (RFC 8445 §7.1, RFC 8489 §5).

use core::net::{IpAddr, SocketAddr};

use floe_stun::attributes::{
    ErrorCode, IceControlled, IceControlling, MappedAddress, Priority, UnknownAttributes, UseCandidate,
    Username, XorMappedAddress,
};
use floe_stun::{
    Attribute, AttributeType, Class, DecodeError, EncodeError, IntegrityAlgorithm, Message, MessageBuilder,
    Method, RawAttribute, TransactionId, Verified, stage,
};

use crate::candidate::canonical;
use crate::event::Role;
use crate::ids::{SocketId, StreamId};
use crate::io::Transmit;
use crate::keys::{Generation, Keyring};

/// A packet that is decided and not yet encoded.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Outgoing {
    pub(crate) socket: SocketId,
    pub(crate) src_ip: Option<IpAddr>,
    pub(crate) destination: SocketAddr,
    pub(crate) wire: Wire,
}

/// What a packet says.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Wire {
    /// A connectivity or consent check (RFC 8445 §7.1, RFC 7675 §5.1).
    Check {
        id: TransactionId,
        keys: Generation,
        stream: StreamId,
        priority: u32,
        nominates: bool,
        role: Role,
        tie_breaker: u64,
    },
    /// The answer to one: XOR-MAPPED-ADDRESS is where it goes.
    Success { id: TransactionId, keys: Generation, algorithm: IntegrityAlgorithm },
    /// An error to an authenticated request.
    Error {
        id: TransactionId,
        keys: Generation,
        algorithm: IntegrityAlgorithm,
        code: u16,
        unknown: UnknownTypes,
    },
    /// An error to a stranger, without integrity (RFC 8489 §9.1.3).
    UnsignedError { id: TransactionId, code: u16 },
    /// A keepalive (RFC 8445 §11).
    Keepalive { id: TransactionId },
    /// A Binding request to a STUN server.
    ServerRequest { id: TransactionId },
}

/// What a request says of its sender's role.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum PeerRole {
    /// ICE-CONTROLLING with this tie-breaker.
    Controlling(u64),
    /// ICE-CONTROLLED with this tie-breaker.
    Controlled(u64),
}

impl PeerRole {
    pub(crate) fn new(role: Role, tie_breaker: u64) -> Self {
        match role {
            Role::Controlling => Self::Controlling(tie_breaker),
            Role::Controlled => Self::Controlled(tie_breaker),
        }
    }

    /// The role and the tie-breaker: apart, they take half the room where many are kept.
    pub(crate) fn parts(self) -> (Role, u64) {
        match self {
            Self::Controlling(tie_breaker) => (Role::Controlling, tie_breaker),
            Self::Controlled(tie_breaker) => (Role::Controlled, tie_breaker),
        }
    }

    fn decode(raw: RawAttribute<'_>, id: &TransactionId) -> Result<Self, DecodeError> {
        match raw.kind {
            AttributeType::ICE_CONTROLLING => Ok(Self::Controlling(IceControlling::decode(raw, id)?.0)),
            _ => Ok(Self::Controlled(IceControlled::decode(raw, id)?.0)),
        }
    }
}

/// The first unknown attributes of a request, for UNKNOWN-ATTRIBUTES (RFC 8489 §14.13).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct UnknownTypes {
    types: [u16; 4],
    len: u8,
}

impl UnknownTypes {
    fn push(&mut self, kind: AttributeType) {
        if let Some(slot) = self.types.get_mut(usize::from(self.len)) {
            *slot = kind.number();
            self.len += 1;
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    fn to_types(self) -> ([AttributeType; 4], usize) {
        (self.types.map(AttributeType::new), usize::from(self.len))
    }
}

impl Outgoing {
    /// Whose credentials it is signed with, if it is signed.
    pub(crate) fn keys(&self) -> Option<Generation> {
        match self.wire {
            Wire::Check { keys, .. } | Wire::Success { keys, .. } | Wire::Error { keys, .. } => Some(keys),
            Wire::UnsignedError { .. } | Wire::Keepalive { .. } | Wire::ServerRequest { .. } => None,
        }
    }

    pub(crate) fn transmit(&self, len: usize) -> Transmit {
        Transmit { socket: self.socket, src_ip: self.src_ip, destination: self.destination, len }
    }

    /// The bytes; `None` when the buffer is too small or the key is gone.
    pub(crate) fn encode(&self, keys: &Keyring, out: &mut [u8]) -> Option<usize> {
        let begin = |out, class, id| MessageBuilder::new(out, class, Method::BINDING, id);
        let built = match self.wire {
            Wire::Check { id, stream, priority, nominates, role, tie_breaker, .. } => {
                let peer = keys.peer(stream)?;
                let request = begin(out, Class::Request, id).attribute(&CheckName {
                    theirs: peer.credentials.ufrag_bytes(),
                    ours: keys.credentials().ufrag_bytes(),
                });
                let request = match role {
                    Role::Controlling => request.attribute(&IceControlling(tie_breaker)),
                    Role::Controlled => request.attribute(&IceControlled(tie_breaker)),
                };
                let request = request.attribute(&Priority(priority));
                let request = if nominates { request.attribute(&UseCandidate) } else { request };
                request.integrity_sha1(&peer.key).fingerprint().finish()
            }
            // §7.3.1.2: the source as we saw it.
            Wire::Success { id, algorithm, .. } => {
                let success = begin(out, Class::Success, id).attribute(&XorMappedAddress(self.destination));
                sign(success, keys, algorithm).fingerprint().finish()
            }
            Wire::Error { id, algorithm, code, unknown, .. } => {
                let (types, len) = unknown.to_types();
                let list = UnknownAttributes::new(types.get(..len).unwrap_or_default());
                let error = begin(out, Class::Error, id)
                    .attribute(&ErrorCode::new(code, reason(code)))
                    .maybe((len > 0).then_some(&list));
                sign(error, keys, algorithm).fingerprint().finish()
            }
            Wire::UnsignedError { id, code } => begin(out, Class::Error, id)
                .attribute(&ErrorCode::new(code, reason(code)))
                .fingerprint()
                .finish(),
            Wire::Keepalive { id } => begin(out, Class::Indication, id).fingerprint().finish(),
            Wire::ServerRequest { id } => begin(out, Class::Request, id).fingerprint().finish(),
        };
        built.ok()
    }
}

/// USERNAME of a check, `theirs:ours` (RFC 8445 §7.2.2).
struct CheckName<'a> {
    theirs: &'a [u8],
    ours: &'a [u8],
}

impl<'a> Attribute<'a> for CheckName<'a> {
    const TYPE: AttributeType = AttributeType::USERNAME;

    fn decode(raw: RawAttribute<'a>, _: &TransactionId) -> Result<Self, DecodeError> {
        let mut parts = raw.value.splitn(2, |byte| *byte == b':');
        let (theirs, ours) = (parts.next(), parts.next());
        Ok(Self { theirs: theirs.unwrap_or_default(), ours: ours.unwrap_or_default() })
    }

    #[inline]
    fn value_len(&self) -> usize {
        self.theirs.len() + 1 + self.ours.len()
    }

    #[inline]
    fn encode(&self, value: &mut [u8], _: &TransactionId) -> Result<(), EncodeError> {
        let (theirs, rest) =
            value.split_at_mut_checked(self.theirs.len()).ok_or(EncodeError::BufferTooSmall)?;
        let (colon, ours) = rest.split_first_mut().ok_or(EncodeError::BufferTooSmall)?;
        theirs.copy_from_slice(self.theirs);
        *colon = b':';
        ours.get_mut(..self.ours.len()).ok_or(EncodeError::BufferTooSmall)?.copy_from_slice(self.ours);
        Ok(())
    }
}

/// RFC 8489 §9.1.3: an answer has the integrity attribute of its request.
#[inline]
fn sign<'b>(
    answer: MessageBuilder<'b>,
    keys: &Keyring,
    algorithm: IntegrityAlgorithm,
) -> MessageBuilder<'b, stage::Sealed> {
    match algorithm {
        IntegrityAlgorithm::Sha1 => answer.integrity_sha1(keys.local()),
        IntegrityAlgorithm::Sha256 => answer.integrity(&keys.local_sha256(), algorithm),
    }
}

/// RFC 8489 §14.8, RFC 8445 §16.2.
fn reason(code: u16) -> &'static str {
    match code {
        400 => "Bad Request",
        401 => "Unauthenticated",
        403 => "Forbidden",
        420 => "Unknown Attribute",
        487 => "Role Conflict",
        _ => "Error",
    }
}

/// What a check says of itself.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CheckAttributes {
    pub(crate) priority: u32,
    pub(crate) use_candidate: bool,
    pub(crate) role: PeerRole,
}

/// The attributes of a check, noted while its form is checked: of each the first (RFC 8489 §14).
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct CheckContent<'a> {
    username: Option<RawAttribute<'a>>,
    priority: Option<RawAttribute<'a>>,
    role: Option<RawAttribute<'a>>,
    use_candidate: bool,
    unknown: UnknownTypes,
}

/// What is wrong with the attributes of a message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Unreadable {
    /// A value is not of the form its type demands.
    Malformed,
    /// Attributes that RFC 8445 §7.1 demands are missing.
    Incomplete,
    /// There are comprehension-required attributes that we do not know.
    Unknown(UnknownTypes),
}

impl From<DecodeError> for Unreadable {
    fn from(_: DecodeError) -> Self {
        Self::Malformed
    }
}

impl<'a> CheckContent<'a> {
    /// Parses a datagram and notes what a check has. Apart, the walk has all registers to itself.
    #[inline(never)]
    pub(crate) fn parse(&mut self, datagram: &'a [u8]) -> Result<Message<'a>, DecodeError> {
        Message::parse_with(datagram, |raw| self.note(raw))
    }

    #[inline]
    fn note(&mut self, raw: RawAttribute<'a>) {
        let first = match raw.kind {
            AttributeType::USERNAME => &mut self.username,
            AttributeType::PRIORITY => &mut self.priority,
            AttributeType::ICE_CONTROLLING | AttributeType::ICE_CONTROLLED => &mut self.role,
            AttributeType::USE_CANDIDATE => return self.use_candidate = true,
            kind if is_unknown(kind) => return self.unknown.push(kind),
            _ => return,
        };
        first.get_or_insert(raw);
    }

    /// USERNAME, if it is there and well formed: whoever is named is asked for the key.
    pub(crate) fn username(&self) -> Option<&'a [u8]> {
        let name = Username::decode(self.username?, &TransactionId::new([0; 12])).ok()?;
        Some(name.as_bytes())
    }

    /// What the request says, now that it is authenticated.
    pub(crate) fn read(&self, verified: &Verified<'a>) -> Result<CheckAttributes, Unreadable> {
        let id = verified.transaction_id();
        let priority = self.priority.map(|raw| Priority::decode(raw, &id)).transpose()?;
        let role = self.role.map(|raw| PeerRole::decode(raw, &id)).transpose()?;
        if !self.unknown.is_empty() {
            return Err(Unreadable::Unknown(self.unknown));
        }
        match (priority, role) {
            (Some(Priority(priority)), Some(role)) => {
                Ok(CheckAttributes { priority, use_candidate: self.use_candidate, role })
            }
            _ => Err(Unreadable::Incomplete),
        }
    }
}

/// Comprehension-required, and not one that a Binding request or its answer may have.
fn is_unknown(kind: AttributeType) -> bool {
    kind.is_comprehension_required()
        && !matches!(
            kind,
            AttributeType::USERNAME
                | AttributeType::PRIORITY
                | AttributeType::USE_CANDIDATE
                | AttributeType::MAPPED_ADDRESS
                | AttributeType::XOR_MAPPED_ADDRESS
                | AttributeType::ERROR_CODE
                | AttributeType::UNKNOWN_ATTRIBUTES
                | AttributeType::REALM
                | AttributeType::NONCE
                | AttributeType::USERHASH
                | AttributeType::PASSWORD_ALGORITHM
                | AttributeType::MESSAGE_INTEGRITY
                | AttributeType::MESSAGE_INTEGRITY_SHA256
        )
}

/// What an answer to a Binding request says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Answer {
    /// Our address as the other side sees it.
    Success(SocketAddr),
    /// An error code.
    Error(u16),
}

impl Answer {
    /// Reads an answer. XOR-MAPPED-ADDRESS counts, and `mapped_too` says whether MAPPED-ADDRESS does in its absence
    /// (servers that only know RFC 3489; never in a check).
    pub(crate) fn read(message: &Message<'_>, mapped_too: bool) -> Result<Self, Unreadable> {
        let id = message.transaction_id();
        let mut unknown = UnknownTypes::default();
        let (mut xor, mut plain, mut code) = (None, None, None);
        for raw in message.content() {
            match raw.kind {
                AttributeType::XOR_MAPPED_ADDRESS if xor.is_none() => {
                    xor = match XorMappedAddress::decode(raw, &id) {
                        // RFC 8489 §6.3.3: as if it were not there.
                        Err(DecodeError::AddressFamily(_)) => None,
                        decoded => Some(decoded?.0),
                    };
                }
                AttributeType::MAPPED_ADDRESS if plain.is_none() => plain = mapped(raw, &id),
                AttributeType::ERROR_CODE if code.is_none() => {
                    code = Some(ErrorCode::decode(raw, &id)?.code());
                }
                kind if is_unknown(kind) => unknown.push(kind),
                _ => {}
            }
        }
        if !unknown.is_empty() {
            return Err(Unreadable::Unknown(unknown));
        }
        let mapped = xor.or(if mapped_too { plain } else { None });
        match message.class() {
            Class::Success => mapped.map(|a| Self::Success(canonical(a))).ok_or(Unreadable::Incomplete),
            _ => code.map(Self::Error).ok_or(Unreadable::Incomplete),
        }
    }
}

/// A broken MAPPED-ADDRESS only counts as absent: with XOR-MAPPED-ADDRESS nobody looks at it.
fn mapped(raw: RawAttribute<'_>, id: &TransactionId) -> Option<SocketAddr> {
    MappedAddress::decode(raw, id).ok().map(|a| a.0)
}
