//! Attribute types, raw attributes, and the trait that typed attributes implement (RFC 8489 §14).

use core::fmt;

use crate::error::{DecodeError, EncodeError};
use crate::header::TransactionId;

/// The 16-bit type of an attribute (RFC 8489 §14).
///
/// ```
/// use floe_stun::AttributeType;
///
/// assert!(AttributeType::USERNAME.is_comprehension_required());
/// assert!(!AttributeType::SOFTWARE.is_comprehension_required());
/// assert_eq!(AttributeType::new(0x0024).to_string(), "PRIORITY");
/// assert_eq!(AttributeType::new(0x7777).to_string(), "0x7777");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AttributeType(u16);

impl AttributeType {
    /// The type with this number.
    #[must_use]
    pub const fn new(number: u16) -> Self {
        Self(number)
    }

    /// The type's number.
    #[must_use]
    pub const fn number(self) -> u16 {
        self.0
    }

    /// Whether an agent that does not know the type must refuse the message: `0x0000` to `0x7FFF` (RFC 8489 §14).
    #[must_use]
    pub const fn is_comprehension_required(self) -> bool {
        self.0 < 0x8000
    }
}

macro_rules! attribute_types {
    ($($(#[$doc:meta])* $constant:ident = $number:literal, $name:literal;)*) => {
        impl AttributeType {
            $($(#[$doc])* pub const $constant: Self = Self($number);)*

            /// The registered name, if this crate knows it.
            #[must_use]
            pub const fn name(self) -> Option<&'static str> {
                Some(match self {
                    $(Self::$constant => $name,)*
                    _ => return None,
                })
            }
        }
    };
}

attribute_types! {
    /// MAPPED-ADDRESS (RFC 8489 §14.1).
    MAPPED_ADDRESS = 0x0001, "MAPPED-ADDRESS";
    /// CHANGE-REQUEST (RFC 5780 §7.2).
    CHANGE_REQUEST = 0x0003, "CHANGE-REQUEST";
    /// USERNAME (RFC 8489 §14.3).
    USERNAME = 0x0006, "USERNAME";
    /// MESSAGE-INTEGRITY (RFC 8489 §14.5).
    MESSAGE_INTEGRITY = 0x0008, "MESSAGE-INTEGRITY";
    /// ERROR-CODE (RFC 8489 §14.8).
    ERROR_CODE = 0x0009, "ERROR-CODE";
    /// UNKNOWN-ATTRIBUTES (RFC 8489 §14.13).
    UNKNOWN_ATTRIBUTES = 0x000A, "UNKNOWN-ATTRIBUTES";
    /// CHANNEL-NUMBER (RFC 8656 §18.1).
    CHANNEL_NUMBER = 0x000C, "CHANNEL-NUMBER";
    /// LIFETIME (RFC 8656 §18.2).
    LIFETIME = 0x000D, "LIFETIME";
    /// XOR-PEER-ADDRESS (RFC 8656 §18.3).
    XOR_PEER_ADDRESS = 0x0012, "XOR-PEER-ADDRESS";
    /// DATA (RFC 8656 §18.4).
    DATA = 0x0013, "DATA";
    /// REALM (RFC 8489 §14.9).
    REALM = 0x0014, "REALM";
    /// NONCE (RFC 8489 §14.10).
    NONCE = 0x0015, "NONCE";
    /// XOR-RELAYED-ADDRESS (RFC 8656 §18.5).
    XOR_RELAYED_ADDRESS = 0x0016, "XOR-RELAYED-ADDRESS";
    /// REQUESTED-ADDRESS-FAMILY (RFC 8656 §18.6).
    REQUESTED_ADDRESS_FAMILY = 0x0017, "REQUESTED-ADDRESS-FAMILY";
    /// EVEN-PORT (RFC 8656 §18.7).
    EVEN_PORT = 0x0018, "EVEN-PORT";
    /// REQUESTED-TRANSPORT (RFC 8656 §18.8).
    REQUESTED_TRANSPORT = 0x0019, "REQUESTED-TRANSPORT";
    /// DONT-FRAGMENT (RFC 8656 §18.9).
    DONT_FRAGMENT = 0x001A, "DONT-FRAGMENT";
    /// MESSAGE-INTEGRITY-SHA256 (RFC 8489 §14.6).
    MESSAGE_INTEGRITY_SHA256 = 0x001C, "MESSAGE-INTEGRITY-SHA256";
    /// PASSWORD-ALGORITHM (RFC 8489 §14.12).
    PASSWORD_ALGORITHM = 0x001D, "PASSWORD-ALGORITHM";
    /// USERHASH (RFC 8489 §14.4).
    USERHASH = 0x001E, "USERHASH";
    /// XOR-MAPPED-ADDRESS (RFC 8489 §14.2).
    XOR_MAPPED_ADDRESS = 0x0020, "XOR-MAPPED-ADDRESS";
    /// RESERVATION-TOKEN (RFC 8656 §18.10).
    RESERVATION_TOKEN = 0x0022, "RESERVATION-TOKEN";
    /// PRIORITY (RFC 8445 §16.1).
    PRIORITY = 0x0024, "PRIORITY";
    /// USE-CANDIDATE (RFC 8445 §16.1).
    USE_CANDIDATE = 0x0025, "USE-CANDIDATE";
    /// PADDING (RFC 5780 §7.6).
    PADDING = 0x0026, "PADDING";
    /// RESPONSE-PORT (RFC 5780 §7.5).
    RESPONSE_PORT = 0x0027, "RESPONSE-PORT";
    /// CONNECTION-ID (RFC 6062 §6.2.1).
    CONNECTION_ID = 0x002A, "CONNECTION-ID";
    /// ADDITIONAL-ADDRESS-FAMILY (RFC 8656 §18.11).
    ADDITIONAL_ADDRESS_FAMILY = 0x8000, "ADDITIONAL-ADDRESS-FAMILY";
    /// ADDRESS-ERROR-CODE (RFC 8656 §18.12).
    ADDRESS_ERROR_CODE = 0x8001, "ADDRESS-ERROR-CODE";
    /// PASSWORD-ALGORITHMS (RFC 8489 §14.11).
    PASSWORD_ALGORITHMS = 0x8002, "PASSWORD-ALGORITHMS";
    /// ALTERNATE-DOMAIN (RFC 8489 §14.16).
    ALTERNATE_DOMAIN = 0x8003, "ALTERNATE-DOMAIN";
    /// ICMP (RFC 8656 §18.13).
    ICMP = 0x8004, "ICMP";
    /// SOFTWARE (RFC 8489 §14.14).
    SOFTWARE = 0x8022, "SOFTWARE";
    /// ALTERNATE-SERVER (RFC 8489 §14.15).
    ALTERNATE_SERVER = 0x8023, "ALTERNATE-SERVER";
    /// CACHE-TIMEOUT: registered by RFC 5780 §9.1, which gives it no format; so it has a type and no typed value.
    CACHE_TIMEOUT = 0x8027, "CACHE-TIMEOUT";
    /// FINGERPRINT (RFC 8489 §14.7).
    FINGERPRINT = 0x8028, "FINGERPRINT";
    /// ICE-CONTROLLED (RFC 8445 §16.1).
    ICE_CONTROLLED = 0x8029, "ICE-CONTROLLED";
    /// ICE-CONTROLLING (RFC 8445 §16.1).
    ICE_CONTROLLING = 0x802A, "ICE-CONTROLLING";
    /// RESPONSE-ORIGIN (RFC 5780 §7.3).
    RESPONSE_ORIGIN = 0x802B, "RESPONSE-ORIGIN";
    /// OTHER-ADDRESS (RFC 5780 §7.4).
    OTHER_ADDRESS = 0x802C, "OTHER-ADDRESS";
    /// MOBILITY-TICKET (RFC 8016 §3.3).
    MOBILITY_TICKET = 0x8030, "MOBILITY-TICKET";
    /// NOMINATION (draft-thatcher-ice-renomination), at the code point that is deployed.
    NOMINATION = 0xC001, "NOMINATION";
}

impl fmt::Display for AttributeType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "0x{:04x}", self.0),
        }
    }
}

impl fmt::Debug for AttributeType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// One attribute as it stands in a message: its type and its value without padding.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct RawAttribute<'a> {
    /// The type.
    pub kind: AttributeType,
    /// The value, at most 65535 bytes.
    pub value: &'a [u8],
}

impl<'a> RawAttribute<'a> {
    /// The value, when it is exactly `N` bytes long.
    pub(crate) fn exactly<const N: usize>(&self) -> Result<&'a [u8; N], DecodeError> {
        self.value.try_into().map_err(|_| self.bad_length())
    }

    pub(crate) const fn bad_length(&self) -> DecodeError {
        DecodeError::AttributeLength(self.kind)
    }
}

/// Values may hold user names, so only the type and the length are printed.
impl fmt::Debug for RawAttribute<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}[{}]", self.kind, self.value.len())
    }
}

/// An attribute with a typed value.
///
/// The [`attributes`](crate::attributes) module has one type for every attribute this crate knows. Implement the trait
/// for an attribute of your own:
///
/// ```
/// use floe_stun::{Attribute, AttributeType, DecodeError, EncodeError, RawAttribute, TransactionId};
///
/// /// GOOG-NETWORK-INFO, as some browsers send it.
/// struct NetworkInfo(u32);
///
/// impl<'a> Attribute<'a> for NetworkInfo {
///     const TYPE: AttributeType = AttributeType::new(0xC057);
///
///     fn decode(raw: RawAttribute<'a>, _: &TransactionId) -> Result<Self, DecodeError> {
///         let value = raw.value.try_into().map_err(|_| DecodeError::AttributeLength(raw.kind))?;
///         Ok(Self(u32::from_be_bytes(value)))
///     }
///
///     fn value_len(&self) -> usize {
///         4
///     }
///
///     fn encode(&self, value: &mut [u8], _: &TransactionId) -> Result<(), EncodeError> {
///         value.copy_from_slice(&self.0.to_be_bytes());
///         Ok(())
///     }
/// }
/// ```
pub trait Attribute<'a>: Sized {
    /// The type this value goes by.
    const TYPE: AttributeType;

    /// Reads the value of `raw`, whose type the caller has compared with [`TYPE`](Self::TYPE) already.
    ///
    /// # Errors
    ///
    /// [`DecodeError`] when the value does not have the form the type demands.
    fn decode(raw: RawAttribute<'a>, transaction_id: &TransactionId) -> Result<Self, DecodeError>;

    /// The length in bytes of the value that [`encode`](Self::encode) writes, without padding.
    fn value_len(&self) -> usize;

    /// Writes the value over the whole of `value`, which is [`value_len`](Self::value_len) bytes long.
    ///
    /// # Errors
    ///
    /// [`EncodeError`] when the attribute cannot carry the value.
    fn encode(&self, value: &mut [u8], transaction_id: &TransactionId) -> Result<(), EncodeError>;
}

/// Copies `bytes` over `value`; an error when the lengths differ.
#[inline]
pub(crate) fn fill(value: &mut [u8], bytes: &[u8]) -> Result<(), EncodeError> {
    if value.len() != bytes.len() {
        return Err(EncodeError::BufferTooSmall);
    }
    value.copy_from_slice(bytes);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_two_ranges_meet_at_0x8000() {
        assert!(AttributeType::new(0x7FFF).is_comprehension_required());
        assert!(!AttributeType::new(0x8000).is_comprehension_required());
    }

    #[test]
    fn debug_of_a_raw_attribute_hides_its_value() {
        let raw = RawAttribute { kind: AttributeType::USERNAME, value: b"secret" };
        assert_eq!(std::format!("{raw:?}"), "USERNAME[6]");
    }
}
