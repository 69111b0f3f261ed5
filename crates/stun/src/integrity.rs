//! Checking MESSAGE-INTEGRITY and MESSAGE-INTEGRITY-SHA256 (RFC 8489 §14.5, §14.6).

use core::fmt;
use core::hint::black_box;
use core::ops::Deref;

use subtle::ConstantTimeEq;

use crate::error::IntegrityError;
use crate::header::HEADER_LEN;
use crate::key::Key;
use crate::message::Message;

/// Which of the two integrity attributes protects a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum IntegrityAlgorithm {
    /// HMAC-SHA1 in MESSAGE-INTEGRITY (RFC 8489 §14.5).
    Sha1,
    /// HMAC-SHA256 in MESSAGE-INTEGRITY-SHA256 (RFC 8489 §14.6).
    Sha256,
}

impl IntegrityAlgorithm {
    /// Bytes that the attribute takes, its header included.
    pub(crate) const fn attribute_len(self) -> usize {
        match self {
            Self::Sha1 => 4 + 20,
            Self::Sha256 => 4 + 32,
        }
    }
}

/// A message whose integrity was verified; made by [`Message::verify`] and by nothing else.
///
/// Take it instead of a [`Message`] wherever acting on a forgery would do harm.
#[derive(Clone, Copy)]
pub struct Verified<'a> {
    message: Message<'a>,
    algorithm: IntegrityAlgorithm,
}

impl<'a> Verified<'a> {
    /// The attribute that was verified.
    ///
    /// A response must use the algorithm of the request (RFC 8489 §9.1.3), and a client that sent only one must
    /// discard a response with the other (§9.1.4).
    #[must_use]
    pub const fn algorithm(&self) -> IntegrityAlgorithm {
        self.algorithm
    }

    /// The message itself.
    #[must_use]
    pub const fn message(&self) -> Message<'a> {
        self.message
    }
}

impl<'a> Deref for Verified<'a> {
    type Target = Message<'a>;

    fn deref(&self) -> &Message<'a> {
        &self.message
    }
}

impl fmt::Debug for Verified<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Verified({:?}, {:?})", self.algorithm, self.message)
    }
}

impl<'a> Message<'a> {
    /// Checks the message's integrity with `key`.
    ///
    /// If MESSAGE-INTEGRITY-SHA256 is present it decides, otherwise MESSAGE-INTEGRITY (RFC 8489 §9.1.3). A truncated
    /// MESSAGE-INTEGRITY-SHA256 is refused: no usage of floe allows it (§14.6). The comparison takes the same time
    /// whatever the difference.
    ///
    /// Where a message has both, MESSAGE-INTEGRITY does not cover what follows it, so somebody on the path can take
    /// MESSAGE-INTEGRITY-SHA256 away. Whoever insists on SHA-256 asks [`Verified::algorithm`].
    ///
    /// ```
    /// use floe_stun::{Class, IntegrityAlgorithm, IntegrityError, Key, Message, MessageBuilder, Method, TransactionId};
    ///
    /// let key = Key::short_term("a shared secret");
    /// let mut packet = [0; 64];
    /// let len = MessageBuilder::new(&mut packet, Class::Request, Method::BINDING, TransactionId::new([1; 12]))
    ///     .integrity(&key, IntegrityAlgorithm::Sha1)
    ///     .finish()?;
    /// let message = Message::parse(&packet[..len])?;
    ///
    /// assert_eq!(message.verify(&key)?.algorithm(), IntegrityAlgorithm::Sha1);
    /// assert_eq!(message.verify(&Key::short_term("another")).unwrap_err(), IntegrityError::Mismatch);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`IntegrityError`] when there is no integrity attribute, or a truncated one, or one that does not match.
    pub fn verify(&self, key: &Key) -> Result<Verified<'a>, IntegrityError> {
        let trailer = self.trailer();
        let (algorithm, offset) = match (trailer.integrity, trailer.integrity_sha256) {
            (0, 0) => return Err(IntegrityError::Missing),
            (offset, 0) => (IntegrityAlgorithm::Sha1, offset),
            (_, offset) => (IntegrityAlgorithm::Sha256, offset),
        };
        let (covered, attribute) =
            self.as_bytes().split_at_checked(offset as usize).ok_or(IntegrityError::Missing)?;
        let length = (covered.len() + algorithm.attribute_len() - HEADER_LEN) as u16;
        let matches = match algorithm {
            IntegrityAlgorithm::Sha1 => same(&key.sha1.of_message(covered, length), tag(attribute)?),
            IntegrityAlgorithm::Sha256 => same(&key.sha256.of_message(covered, length), tag(attribute)?),
        };
        if matches { Ok(Verified { message: *self, algorithm }) } else { Err(IntegrityError::Mismatch) }
    }
}

/// The `W` words of an integrity attribute; an error when its length field says otherwise.
fn tag<const W: usize>(attribute: &[u8]) -> Result<&[[u8; 4]; W], IntegrityError> {
    let ([_, _, l0, l1], value) = attribute.split_first_chunk().ok_or(IntegrityError::Truncated)?;
    if usize::from(u16::from_be_bytes([*l0, *l1])) != 4 * W {
        return Err(IntegrityError::Truncated);
    }
    value.as_chunks().0.first_chunk().ok_or(IntegrityError::Truncated)
}

/// Compares without revealing where the difference is: every word counts, and one comparison decides.
#[inline]
fn same<const W: usize>(computed: &[u32; W], received: &[[u8; 4]; W]) -> bool {
    let mut difference = 0;
    for (computed, received) in computed.iter().zip(received) {
        difference |= black_box(computed ^ u32::from_be_bytes(*received));
    }
    difference.ct_eq(&0).into()
}

#[cfg(test)]
mod tests;
