//! What can be wrong with bytes that came in, with a message being built, and with its integrity.

use core::fmt;

use crate::attribute::AttributeType;

/// Why bytes are not a STUN message, an attribute, or a ChannelData message of the kind asked for.
///
/// A small `Copy` value: it says what is wrong and where, and holds none of the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DecodeError {
    /// Fewer bytes than a STUN header has (RFC 8489 §5).
    HeaderTruncated,
    /// One of the two most significant bits is set (RFC 8489 §5).
    LeadingBits,
    /// Bytes 4 to 8 are not the magic cookie (RFC 8489 §5).
    MagicCookie,
    /// The length field, given here, is not a multiple of four (RFC 8489 §5).
    UnalignedLength(u16),
    /// The length field, given here, promises more bytes than there are.
    Truncated(u16),
    /// A datagram goes on after the message that the length field, given here, describes.
    TrailingBytes(u16),
    /// An attribute of this type runs past the end of the message.
    AttributeOverrun(AttributeType),
    /// The value of an attribute of this type has a length that the type does not allow.
    AttributeLength(AttributeType),
    /// The address in an attribute of this type is of a family other than IPv4 (1) and IPv6 (2).
    AddressFamily(AttributeType),
    /// ERROR-CODE or ADDRESS-ERROR-CODE whose class is outside 3 to 6 or whose number is above 99 (RFC 8489 §14.8).
    ErrorCodeRange(AttributeType),
    /// The text in an attribute of this type is not UTF-8.
    NotUtf8(AttributeType),
    /// A list inside an attribute of this type runs past the attribute's end.
    MalformedList(AttributeType),
    /// FINGERPRINT does not match: this is no STUN message, or a damaged one (RFC 8489 §14.7).
    Fingerprint,
    /// Fewer bytes than the header of a ChannelData message has (RFC 8656 §12.4).
    ChannelHeaderTruncated,
    /// A ChannelData message whose channel number, given here, is outside `0x4000` to `0x4FFF` (RFC 8656 §12).
    ChannelNumber(u16),
    /// A ChannelData message whose length field, given here, promises more bytes than there are (RFC 8656 §12.6).
    ChannelTruncated(u16),
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::HeaderTruncated => f.write_str("fewer than the 20 bytes of a STUN header"),
            Self::LeadingBits => f.write_str("the two most significant bits are not zero"),
            Self::MagicCookie => f.write_str("bytes 4 to 8 are not the magic cookie 0x2112a442"),
            Self::UnalignedLength(len) => write!(f, "the length field is {len}, not a multiple of 4"),
            Self::Truncated(len) => write!(f, "the length field is {len}, but fewer bytes follow the header"),
            Self::TrailingBytes(len) => {
                write!(f, "the length field is {len}, but more bytes follow the header")
            }
            Self::AttributeOverrun(kind) => write!(f, "attribute {kind} runs past the end of the message"),
            Self::AttributeLength(kind) => write!(f, "attribute {kind} has a length its type does not allow"),
            Self::AddressFamily(kind) => write!(f, "attribute {kind} has an unknown address family"),
            Self::ErrorCodeRange(kind) => write!(f, "attribute {kind} holds a code outside 300 to 699"),
            Self::NotUtf8(kind) => write!(f, "attribute {kind} is not valid UTF-8"),
            Self::MalformedList(kind) => write!(f, "a list entry in attribute {kind} runs past its end"),
            Self::Fingerprint => f.write_str("FINGERPRINT does not match the message"),
            Self::ChannelHeaderTruncated => f.write_str("fewer than the 4 bytes of a ChannelData header"),
            Self::ChannelNumber(number) => {
                write!(f, "channel number 0x{number:04x} is outside 0x4000 to 0x4fff")
            }
            Self::ChannelTruncated(len) => {
                write!(f, "the ChannelData length field is {len}, but fewer bytes follow the header")
            }
        }
    }
}

impl core::error::Error for DecodeError {}

/// Why a message could not be built. The caller's mistake, not the network's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EncodeError {
    /// The output buffer is too small for the message: pass a larger one.
    BufferTooSmall,
    /// The attributes together exceed the 65532 bytes that the length field can describe (RFC 8489 §5).
    MessageTooLong,
    /// The value of an attribute of this type is longer than the type allows.
    AttributeTooLong(AttributeType),
    /// A value that an attribute of this type cannot carry, such as an error code outside 300 to 699.
    InvalidValue(AttributeType),
    /// This type is written by the builder alone: MESSAGE-INTEGRITY, MESSAGE-INTEGRITY-SHA256, FINGERPRINT.
    ReservedAttribute(AttributeType),
    /// Data longer than the 65535 bytes that a ChannelData message can carry (RFC 8656 §12.4).
    DataTooLong,
    /// A channel number outside `0x4000` to `0x4FFF` (RFC 8656 §12).
    ChannelNumber(u16),
}

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BufferTooSmall => f.write_str("the output buffer is too small"),
            Self::MessageTooLong => {
                f.write_str("the attributes exceed the 65532 bytes a STUN message can hold")
            }
            Self::AttributeTooLong(kind) => write!(f, "the value of attribute {kind} is too long"),
            Self::InvalidValue(kind) => write!(f, "attribute {kind} cannot carry this value"),
            Self::ReservedAttribute(kind) => write!(f, "attribute {kind} is written by the builder only"),
            Self::DataTooLong => {
                f.write_str("the data exceed the 65535 bytes a ChannelData message can hold")
            }
            Self::ChannelNumber(number) => {
                write!(f, "channel number 0x{number:04x} is outside 0x4000 to 0x4fff")
            }
        }
    }
}

impl core::error::Error for EncodeError {}

/// Why a message is not authentic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum IntegrityError {
    /// Neither MESSAGE-INTEGRITY nor MESSAGE-INTEGRITY-SHA256 is present.
    Missing,
    /// MESSAGE-INTEGRITY-SHA256 is truncated, which this implementation allows to no usage (RFC 8489 §14.6).
    Truncated,
    /// MESSAGE-INTEGRITY-SHA256 protects the message, and the key is for MESSAGE-INTEGRITY alone.
    OtherAlgorithm,
    /// The attribute does not match the message and the key.
    Mismatch,
}

impl fmt::Display for IntegrityError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Missing => "the message carries no integrity attribute",
            Self::Truncated => "MESSAGE-INTEGRITY-SHA256 is shorter than 32 bytes",
            Self::OtherAlgorithm => "MESSAGE-INTEGRITY-SHA256 needs a key that is for it too",
            Self::Mismatch => "the integrity attribute does not match the message and the key",
        })
    }
}

impl core::error::Error for IntegrityError {}
