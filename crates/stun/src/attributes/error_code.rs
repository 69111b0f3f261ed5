//! ERROR-CODE, ADDRESS-ERROR-CODE and UNKNOWN-ATTRIBUTES.

use core::fmt;

use super::address::AddressFamily;
use super::text::{MAX_RECEIVED, SendLimit, to_str};
use crate::attribute::{Attribute, AttributeType, RawAttribute, fill};
use crate::error::{DecodeError, EncodeError};
use crate::header::TransactionId;

/// Reads class and number from the two low bytes; the reserved bits beside the class are ignored (RFC 8489 §14.8).
const fn decode_code(class: u8, number: u8, kind: AttributeType) -> Result<u16, DecodeError> {
    let class = class & 0b111;
    if class < 3 || class > 6 || number > 99 {
        return Err(DecodeError::ErrorCodeRange(kind));
    }
    Ok(class as u16 * 100 + number as u16)
}

fn encode_code(
    code: u16,
    first: u8,
    reason: &[u8],
    kind: AttributeType,
    value: &mut [u8],
) -> Result<(), EncodeError> {
    if !(300..700).contains(&code) {
        return Err(EncodeError::InvalidValue(kind));
    }
    SendLimit::Characters.check(reason, kind)?;
    let (head, rest) = value.split_first_chunk_mut().ok_or(EncodeError::BufferTooSmall)?;
    *head = [first, 0, (code / 100) as u8, (code % 100) as u8];
    fill(rest, reason)
}

/// ERROR-CODE: a code from 300 to 699 and a reason for people to read (RFC 8489 §14.8).
///
/// ```
/// use floe_stun::attributes::ErrorCode;
///
/// assert_eq!(ErrorCode::UNKNOWN_ATTRIBUTE.code(), 420);
/// assert_eq!(ErrorCode::new(487, "Role Conflict"), ErrorCode::ROLE_CONFLICT);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ErrorCode<'a> {
    code: u16,
    reason: &'a [u8],
}

macro_rules! error_codes {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $reason:literal;)*) => {
        impl ErrorCode<'static> {
            $($(#[$doc])* pub const $name: Self = Self::new($code, $reason);)*
        }
    };
}

error_codes! {
    /// 300 (RFC 8489 §14.8).
    TRY_ALTERNATE = 300, "Try Alternate";
    /// 400 (RFC 8489 §14.8).
    BAD_REQUEST = 400, "Bad Request";
    /// 401 (RFC 8489 §14.8).
    UNAUTHENTICATED = 401, "Unauthenticated";
    /// 403 (RFC 8656 §19).
    FORBIDDEN = 403, "Forbidden";
    /// 405 (RFC 8016 §3.4).
    MOBILITY_FORBIDDEN = 405, "Mobility Forbidden";
    /// 420 (RFC 8489 §14.8).
    UNKNOWN_ATTRIBUTE = 420, "Unknown Attribute";
    /// 437 (RFC 8656 §19).
    ALLOCATION_MISMATCH = 437, "Allocation Mismatch";
    /// 438 (RFC 8489 §14.8).
    STALE_NONCE = 438, "Stale Nonce";
    /// 440 (RFC 8656 §19).
    ADDRESS_FAMILY_NOT_SUPPORTED = 440, "Address Family not Supported";
    /// 441 (RFC 8656 §19).
    WRONG_CREDENTIALS = 441, "Wrong Credentials";
    /// 442 (RFC 8656 §19).
    UNSUPPORTED_TRANSPORT_PROTOCOL = 442, "Unsupported Transport Protocol";
    /// 443 (RFC 8656 §19).
    PEER_ADDRESS_FAMILY_MISMATCH = 443, "Peer Address Family Mismatch";
    /// 446 (RFC 6062 §6.3).
    CONNECTION_ALREADY_EXISTS = 446, "Connection Already Exists";
    /// 447 (RFC 6062 §6.3).
    CONNECTION_TIMEOUT_OR_FAILURE = 447, "Connection Timeout or Failure";
    /// 486 (RFC 8656 §19).
    ALLOCATION_QUOTA_REACHED = 486, "Allocation Quota Reached";
    /// 487 (RFC 8445 §16.2).
    ROLE_CONFLICT = 487, "Role Conflict";
    /// 500 (RFC 8489 §14.8).
    SERVER_ERROR = 500, "Server Error";
    /// 508 (RFC 8656 §19).
    INSUFFICIENT_CAPACITY = 508, "Insufficient Capacity";
}

impl<'a> ErrorCode<'a> {
    /// An error with this code and reason; both are checked when it is encoded.
    #[must_use]
    pub const fn new(code: u16, reason: &'a str) -> Self {
        Self { code, reason: reason.as_bytes() }
    }

    /// The code: 300 to 699 when it was decoded.
    #[must_use]
    pub const fn code(&self) -> u16 {
        self.code
    }

    /// The bytes of the reason.
    #[must_use]
    pub const fn reason_bytes(&self) -> &'a [u8] {
        self.reason
    }

    /// The reason as text. A reason that is not UTF-8 spoils only itself, not the code.
    ///
    /// # Errors
    ///
    /// [`DecodeError::NotUtf8`].
    pub fn reason(&self) -> Result<&'a str, DecodeError> {
        to_str(self.reason, Self::TYPE)
    }
}

impl<'a> Attribute<'a> for ErrorCode<'a> {
    const TYPE: AttributeType = AttributeType::ERROR_CODE;

    fn decode(raw: RawAttribute<'a>, _: &TransactionId) -> Result<Self, DecodeError> {
        match raw.value.split_first_chunk() {
            Some((&[_, _, class, number], reason)) if reason.len() <= MAX_RECEIVED => {
                Ok(Self { code: decode_code(class, number, raw.kind)?, reason })
            }
            _ => Err(raw.bad_length()),
        }
    }

    fn value_len(&self) -> usize {
        4 + self.reason.len()
    }

    fn encode(&self, value: &mut [u8], _: &TransactionId) -> Result<(), EncodeError> {
        encode_code(self.code, 0, self.reason, Self::TYPE, value)
    }
}

impl fmt::Debug for ErrorCode<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ErrorCode({} \"{}\")", self.code, self.reason.escape_ascii())
    }
}

/// ADDRESS-ERROR-CODE: why one of two requested address families was not allocated (RFC 8656 §18.12).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct AddressErrorCode<'a> {
    family: AddressFamily,
    error: ErrorCode<'a>,
}

impl<'a> AddressErrorCode<'a> {
    /// Says that `family` was not allocated because of `error` (440 or 508).
    #[must_use]
    pub const fn new(family: AddressFamily, error: ErrorCode<'a>) -> Self {
        Self { family, error }
    }

    /// The family that was not allocated.
    #[must_use]
    pub const fn family(&self) -> AddressFamily {
        self.family
    }

    /// Why.
    #[must_use]
    pub const fn error(&self) -> ErrorCode<'a> {
        self.error
    }
}

impl<'a> Attribute<'a> for AddressErrorCode<'a> {
    const TYPE: AttributeType = AttributeType::ADDRESS_ERROR_CODE;

    fn decode(raw: RawAttribute<'a>, _: &TransactionId) -> Result<Self, DecodeError> {
        match raw.value.split_first_chunk() {
            Some((&[family, _, class, number], reason)) if reason.len() <= MAX_RECEIVED => {
                let family = AddressFamily::decode(family, raw.kind)?;
                let code = decode_code(class, number, raw.kind)?;
                Ok(Self { family, error: ErrorCode { code, reason } })
            }
            _ => Err(raw.bad_length()),
        }
    }

    fn value_len(&self) -> usize {
        4 + self.error.reason.len()
    }

    fn encode(&self, value: &mut [u8], _: &TransactionId) -> Result<(), EncodeError> {
        encode_code(self.error.code, self.family.number(), self.error.reason, Self::TYPE, value)
    }
}

impl fmt::Debug for AddressErrorCode<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AddressErrorCode({:?} {:?})", self.family, self.error)
    }
}

/// UNKNOWN-ATTRIBUTES: the types that a request carried and the server did not understand (RFC 8489 §14.13).
///
/// ```
/// use floe_stun::AttributeType;
/// use floe_stun::attributes::UnknownAttributes;
///
/// let unknown = [AttributeType::new(0x7001)];
/// assert!(UnknownAttributes::new(&unknown).iter().eq(unknown));
/// ```
#[derive(Clone, Copy)]
pub struct UnknownAttributes<'a>(TypeList<'a>);

#[derive(Clone, Copy)]
enum TypeList<'a> {
    Received(&'a [[u8; 2]]),
    Given(&'a [AttributeType]),
}

impl<'a> UnknownAttributes<'a> {
    /// A list of these types.
    #[must_use]
    pub const fn new(types: &'a [AttributeType]) -> Self {
        Self(TypeList::Given(types))
    }

    /// The number of types in the list.
    #[must_use]
    pub const fn len(&self) -> usize {
        match self.0 {
            TypeList::Received(types) => types.len(),
            TypeList::Given(types) => types.len(),
        }
    }

    /// Whether the list is empty.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The types in the list.
    pub fn iter(&self) -> impl Iterator<Item = AttributeType> + use<'a> {
        let (received, given): (&[[u8; 2]], &[AttributeType]) = match self.0 {
            TypeList::Received(types) => (types, &[]),
            TypeList::Given(types) => (&[], types),
        };
        let received = received.iter().map(|&bytes| AttributeType::new(u16::from_be_bytes(bytes)));
        received.chain(given.iter().copied())
    }
}

impl<'a> Attribute<'a> for UnknownAttributes<'a> {
    const TYPE: AttributeType = AttributeType::UNKNOWN_ATTRIBUTES;

    fn decode(raw: RawAttribute<'a>, _: &TransactionId) -> Result<Self, DecodeError> {
        match raw.value.as_chunks() {
            (types, []) => Ok(Self(TypeList::Received(types))),
            _ => Err(raw.bad_length()),
        }
    }

    fn value_len(&self) -> usize {
        2 * self.len()
    }

    fn encode(&self, value: &mut [u8], _: &TransactionId) -> Result<(), EncodeError> {
        let (slots, _) = value.as_chunks_mut();
        for (slot, kind) in slots.iter_mut().zip(self.iter()) {
            *slot = kind.number().to_be_bytes();
        }
        Ok(())
    }
}

impl fmt::Debug for UnknownAttributes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UnknownAttributes")?;
        f.debug_list().entries(self.iter()).finish()
    }
}

impl PartialEq for UnknownAttributes<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for UnknownAttributes<'_> {}
