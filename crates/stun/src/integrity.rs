//! Checking MESSAGE-INTEGRITY and MESSAGE-INTEGRITY-SHA256 (RFC 8489 §14.5, §14.6).

use core::fmt;
use core::ops::Deref;

use subtle::ConstantTimeEq;

use crate::error::IntegrityError;
use crate::header::HEADER_LEN;
use crate::hmac::{Hash, Hmac};
use crate::key::{Key, Sha1Key};
use crate::message::Message;
use crate::walk::Word;

/// Which of the two integrity attributes protects a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum IntegrityAlgorithm {
    /// HMAC-SHA1 in MESSAGE-INTEGRITY (RFC 8489 §14.5).
    Sha1,
    /// HMAC-SHA256 in MESSAGE-INTEGRITY-SHA256 (RFC 8489 §14.6).
    Sha256,
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
        let algorithm = match (trailer.integrity_sha256(), trailer.integrity()) {
            (None, None) => return Err(IntegrityError::Missing),
            (None, Some(at)) => {
                check(&key.sha1, self.words(), at)?;
                IntegrityAlgorithm::Sha1
            }
            (Some(at), _) => {
                check_sha256(key, self.words(), at)?;
                IntegrityAlgorithm::Sha256
            }
        };
        Ok(Verified { message: *self, algorithm })
    }

    /// Checks MESSAGE-INTEGRITY with a key that is for it alone.
    ///
    /// # Errors
    ///
    /// [`IntegrityError`] when MESSAGE-INTEGRITY is missing or does not match, and [`IntegrityError::OtherAlgorithm`] when
    /// MESSAGE-INTEGRITY-SHA256 is present, which decides then (RFC 8489 §9.1.3).
    pub fn verify_sha1(&self, key: &Sha1Key) -> Result<Verified<'a>, IntegrityError> {
        let trailer = self.trailer();
        match (trailer.integrity_sha256(), trailer.integrity()) {
            (Some(_), _) => Err(IntegrityError::OtherAlgorithm),
            (None, None) => Err(IntegrityError::Missing),
            (None, Some(at)) => {
                check(&key.0, self.words(), at)?;
                Ok(Verified { message: *self, algorithm: IntegrityAlgorithm::Sha1 })
            }
        }
    }
}

/// Kept apart, so that it does not weigh on what every connectivity check goes through.
#[cold]
fn check_sha256(key: &Key, words: &[Word], at: usize) -> Result<(), IntegrityError> {
    match words.get(at) {
        Some([_, _, 0, 32]) => check(&key.sha256, words, at),
        _ => Err(IntegrityError::Truncated),
    }
}

/// Checks the integrity attribute that starts at word `at` and whose value has `W` words.
#[inline]
fn check<H: Hash<W>, const W: usize>(
    hmac: &Hmac<H, W>,
    words: &[Word],
    at: usize,
) -> Result<(), IntegrityError> {
    let Some((covered, [_, value @ ..])) = words.split_at_checked(at) else {
        return Err(IntegrityError::Missing);
    };
    let received = value.first_chunk::<W>().ok_or(IntegrityError::Missing)?;
    // §14.5: the length field counts up to the end of the integrity attribute.
    let length = 4 * (at + 1 + W) - HEADER_LEN;
    let computed = hmac.of_message(covered.as_flattened(), length as u16);
    if same(&computed, received) { Ok(()) } else { Err(IntegrityError::Mismatch) }
}

/// Compares without revealing where the difference is: every word counts, and one comparison decides.
#[inline]
fn same<const W: usize>(computed: &[u32; W], received: &[Word; W]) -> bool {
    let mut difference = 0;
    for (computed, received) in computed.iter().zip(received) {
        difference |= computed ^ u32::from_be_bytes(*received);
    }
    difference.ct_eq(&0).into()
}

#[cfg(test)]
mod tests;
