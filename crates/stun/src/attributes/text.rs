//! Attributes that carry text: USERNAME, REALM, NONCE, SOFTWARE, ALTERNATE-DOMAIN (RFC 8489 §14).
//!
//! They hold the bytes as they came: comparing a USERNAME or echoing a NONCE needs no UTF-8, and bytes that are none
//! are the concern of whoever asks for a `&str`.

use core::fmt;

use crate::attribute::{Attribute, AttributeType, RawAttribute, fill};
use crate::error::{DecodeError, EncodeError};
use crate::header::TransactionId;

/// The longest text to accept: what RFC 5389 allowed to send (RFC 8489 §14.3, §14.8, §14.9, §14.10, §14.14).
pub(super) const MAX_RECEIVED: usize = 763;

/// How long a text may be on the wire when it is sent.
#[derive(Clone, Copy)]
pub(super) enum SendLimit {
    /// So many bytes.
    Bytes(usize),
    /// Fewer than 128 characters, which 509 bytes hold (RFC 8489 §14.9).
    Characters,
}

impl SendLimit {
    #[inline]
    pub(super) fn check(self, text: &[u8], kind: AttributeType) -> Result<(), EncodeError> {
        let fits = match self {
            Self::Bytes(limit) => text.len() <= limit,
            // Every character has exactly one byte that is not a continuation byte.
            Self::Characters => {
                text.len() < 128
                    || text.len() <= 509 && text.iter().filter(|&&b| b & 0xC0 != 0x80).count() < 128
            }
        };
        if fits { Ok(()) } else { Err(EncodeError::AttributeTooLong(kind)) }
    }
}

#[inline]
pub(super) fn to_str(bytes: &[u8], kind: AttributeType) -> Result<&str, DecodeError> {
    core::str::from_utf8(bytes).map_err(|_| DecodeError::NotUtf8(kind))
}

macro_rules! text_attribute {
    ($($(#[$doc:meta])* $name:ident = $kind:ident, receive $receive:expr, send $send:expr;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash)]
        pub struct $name<'a>(&'a [u8]);

        impl<'a> $name<'a> {
            /// An attribute with this text. Its length is checked when it is encoded.
            #[must_use]
            pub const fn new(text: &'a str) -> Self {
                Self(text.as_bytes())
            }

            /// An attribute with these bytes, for echoing a value exactly as it was received.
            #[must_use]
            pub const fn from_bytes(bytes: &'a [u8]) -> Self {
                Self(bytes)
            }

            /// The bytes of the value.
            #[must_use]
            pub const fn as_bytes(&self) -> &'a [u8] {
                self.0
            }

            /// The value as text.
            ///
            /// # Errors
            ///
            /// [`DecodeError::NotUtf8`].
            pub fn as_str(&self) -> Result<&'a str, DecodeError> {
                to_str(self.0, Self::TYPE)
            }
        }

        impl<'a> Attribute<'a> for $name<'a> {
            const TYPE: AttributeType = AttributeType::$kind;

            #[inline]
            fn decode(raw: RawAttribute<'a>, _: &TransactionId) -> Result<Self, DecodeError> {
                if raw.value.len() > $receive { Err(raw.bad_length()) } else { Ok(Self(raw.value)) }
            }

            #[inline]
            fn value_len(&self) -> usize {
                self.0.len()
            }

            #[inline]
            fn encode(&self, value: &mut [u8], _: &TransactionId) -> Result<(), EncodeError> {
                $send.check(self.0, Self::TYPE)?;
                fill(value, self.0)
            }
        }

        /// Prints the text with whatever is not printable ASCII escaped.
        impl fmt::Debug for $name<'_> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}(\"{}\")", stringify!($name), self.0.escape_ascii())
            }
        }
    )*};
}

text_attribute! {
    /// USERNAME: sent with at most 508 bytes, accepted with at most 763 (RFC 8489 §14.3).
    ///
    /// An empty USERNAME, or one that is not UTF-8, decodes: it matches no valid name.
    Username = USERNAME, receive MAX_RECEIVED, send SendLimit::Bytes(508);
    /// REALM: sent with fewer than 128 characters, accepted with at most 763 bytes (RFC 8489 §14.9).
    Realm = REALM, receive MAX_RECEIVED, send SendLimit::Characters;
    /// NONCE: sent with fewer than 128 characters, accepted with at most 763 bytes (RFC 8489 §14.10).
    ///
    /// [`SecurityFeatures`](crate::SecurityFeatures) reads and writes the cookie at its start.
    Nonce = NONCE, receive MAX_RECEIVED, send SendLimit::Characters;
    /// SOFTWARE: sent with fewer than 128 characters, accepted with at most 763 bytes (RFC 8489 §14.14).
    Software = SOFTWARE, receive MAX_RECEIVED, send SendLimit::Characters;
    /// ALTERNATE-DOMAIN: a DNS name of at most 255 bytes (RFC 8489 §14.16).
    AlternateDomain = ALTERNATE_DOMAIN, receive 255, send SendLimit::Bytes(255);
}
