//! A type for every attribute of RFC 8489, 8445, 8656, 5780, 8016 and 6062, and NOMINATION.
//!
//! MESSAGE-INTEGRITY, MESSAGE-INTEGRITY-SHA256 and FINGERPRINT have no type on purpose: they are checked by
//! [`Message`](crate::Message) and written by [`MessageBuilder`](crate::MessageBuilder), and only in the right order.
//!
//! A fixed-size value must have exactly its size to decode; reserved bits are ignored when reading and zero when
//! writing.

mod address;
mod auth;
mod discovery;
mod error_code;
mod ice;
mod text;
mod turn;

pub use address::{
    AddressFamily, AlternateServer, MappedAddress, OtherAddress, ResponseOrigin, XorMappedAddress,
    XorPeerAddress, XorRelayedAddress,
};
pub use auth::{PasswordAlgorithm, PasswordAlgorithms, Userhash};
pub use discovery::{ChangeRequest, Padding, ResponsePort};
pub use error_code::{AddressErrorCode, ErrorCode, UnknownAttributes};
pub use ice::{IceControlled, IceControlling, Nomination, Priority, UseCandidate};
pub use text::{AlternateDomain, Nonce, Realm, Software, Username};
pub use turn::{
    AdditionalAddressFamily, ChannelNumber, ConnectionId, Data, DontFragment, EvenPort, Icmp, Lifetime,
    MobilityTicket, RequestedAddressFamily, RequestedTransport, ReservationToken,
};

/// Attributes whose value is one big-endian integer and nothing else.
macro_rules! integer_attribute {
    ($($(#[$doc:meta])* $name:ident($int:ident) = $kind:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub $int);

        impl<'a> Attribute<'a> for $name {
            const TYPE: AttributeType = AttributeType::$kind;

            #[inline]
            fn decode(raw: RawAttribute<'a>, _: &TransactionId) -> Result<Self, DecodeError> {
                Ok(Self($int::from_be_bytes(*raw.exactly()?)))
            }

            #[inline]
            fn value_len(&self) -> usize {
                size_of::<$int>()
            }

            #[inline]
            fn encode(&self, value: &mut [u8], _: &TransactionId) -> Result<(), EncodeError> {
                fill(value, &self.0.to_be_bytes())
            }
        }
    )*};
}
pub(crate) use integer_attribute;

/// Attributes that say something by being there; their value is empty.
macro_rules! flag_attribute {
    ($($(#[$doc:meta])* $name:ident = $kind:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub struct $name;

        impl<'a> Attribute<'a> for $name {
            const TYPE: AttributeType = AttributeType::$kind;

            #[inline]
            fn decode(raw: RawAttribute<'a>, _: &TransactionId) -> Result<Self, DecodeError> {
                raw.exactly::<0>().map(|_| Self)
            }

            #[inline]
            fn value_len(&self) -> usize {
                0
            }

            #[inline]
            fn encode(&self, value: &mut [u8], _: &TransactionId) -> Result<(), EncodeError> {
                fill(value, &[])
            }
        }
    )*};
}
pub(crate) use flag_attribute;

/// Attributes whose value is any bytes.
macro_rules! bytes_attribute {
    ($($(#[$doc:meta])* $name:ident = $kind:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash)]
        pub struct $name<'a>(pub &'a [u8]);

        impl<'a> Attribute<'a> for $name<'a> {
            const TYPE: AttributeType = AttributeType::$kind;

            #[inline]
            fn decode(raw: RawAttribute<'a>, _: &TransactionId) -> Result<Self, DecodeError> {
                Ok(Self(raw.value))
            }

            #[inline]
            fn value_len(&self) -> usize {
                self.0.len()
            }

            #[inline]
            fn encode(&self, value: &mut [u8], _: &TransactionId) -> Result<(), EncodeError> {
                fill(value, self.0)
            }
        }

        /// Only the length is printed.
        impl core::fmt::Debug for $name<'_> {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                write!(f, "{}[{}]", stringify!($name), self.0.len())
            }
        }
    )*};
}
pub(crate) use bytes_attribute;

#[cfg(test)]
mod tests;
