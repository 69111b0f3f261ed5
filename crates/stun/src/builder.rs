//! Writing a message into the caller's buffer.

use core::fmt;
use core::marker::PhantomData;

use crate::attribute::{Attribute, AttributeType, RawAttribute, fill};
use crate::error::EncodeError;
use crate::fingerprint::fingerprint;
use crate::header::{
    Class, HEADER_LEN, MAGIC_COOKIE, MAX_BODY_LEN, Method, TransactionId, message_type, padded,
};
use crate::hmac::{Hash, Hmac};
use crate::integrity::IntegrityAlgorithm;
use crate::key::{Key, Sha1Key};
use crate::message::Message;

/// The stages a [`MessageBuilder`] goes through.
pub mod stage {
    /// A stage; there are no others.
    pub trait Stage: private::Stage {}

    /// Attributes can be added.
    #[derive(Debug)]
    pub enum Open {}

    /// The integrity attributes are in place: only FINGERPRINT may follow (RFC 8489 §14.7).
    #[derive(Debug)]
    pub enum Sealed {}

    /// FINGERPRINT is in place: nothing may follow (RFC 8489 §14.7).
    #[derive(Debug)]
    pub enum Closed {}

    impl Stage for Open {}
    impl Stage for Sealed {}
    impl Stage for Closed {}

    mod private {
        pub trait Stage {
            /// Whether the length field is final already.
            const HAS_LENGTH: bool;
        }

        impl Stage for super::Open {
            const HAS_LENGTH: bool = false;
        }

        impl Stage for super::Sealed {
            const HAS_LENGTH: bool = false;
        }

        impl Stage for super::Closed {
            const HAS_LENGTH: bool = true;
        }
    }
}

/// Writes a message into a buffer of the caller's.
///
/// The order attributes → integrity → FINGERPRINT is in the types; another order does not compile:
///
/// ```compile_fail,E0599
/// # use floe_stun::{*, attributes::Priority};
/// # let (mut buffer, key, id) = ([0; 64], Key::short_term("secret"), TransactionId::new([0; 12]));
/// MessageBuilder::new(&mut buffer, Class::Request, Method::BINDING, id)
///     .integrity(&key, IntegrityAlgorithm::Sha1)
///     .attribute(&Priority(1)); // an attribute after integrity
/// ```
///
/// ```compile_fail,E0599
/// # use floe_stun::*;
/// # let (mut buffer, key, id) = ([0; 64], Key::short_term("secret"), TransactionId::new([0; 12]));
/// MessageBuilder::new(&mut buffer, Class::Request, Method::BINDING, id)
///     .fingerprint()
///     .integrity(&key, IntegrityAlgorithm::Sha1); // integrity after FINGERPRINT
/// ```
///
/// ```compile_fail,E0599
/// # use floe_stun::{*, attributes::Priority};
/// # let (mut buffer, id) = ([0; 64], TransactionId::new([0; 12]));
/// MessageBuilder::new(&mut buffer, Class::Request, Method::BINDING, id)
///     .fingerprint()
///     .attribute(&Priority(1)); // an attribute after FINGERPRINT
/// ```
///
/// ```compile_fail,E0599
/// # use floe_stun::*;
/// # let (mut buffer, key, id) = ([0; 64], Key::short_term("secret"), TransactionId::new([0; 12]));
/// MessageBuilder::new(&mut buffer, Class::Request, Method::BINDING, id)
///     .integrity(&key, IntegrityAlgorithm::Sha1)
///     .integrity(&key, IntegrityAlgorithm::Sha1); // integrity twice
/// ```
///
/// What goes wrong on the way is kept and returned by [`finish`](Self::finish); a buffer that is too small is an
/// error, never a panic. Padding is zero.
///
/// ```
/// use floe_stun::attributes::{IceControlling, Priority, Username};
/// use floe_stun::{Class, EncodeError, IntegrityAlgorithm, Key, MessageBuilder, Method, TransactionId};
///
/// # fn main() -> Result<(), EncodeError> {
/// let mut buffer = [0; 128];
/// let key = Key::short_term("the peer's password");
/// let len = MessageBuilder::new(&mut buffer, Class::Request, Method::BINDING, TransactionId::new([1; 12]))
///     .attribute(&Username::new("peer:own"))
///     .attribute(&Priority(0x6e00_01ff))
///     .attribute(&IceControlling(0x932f_f9b1_5126_3b36))
///     .integrity(&key, IntegrityAlgorithm::Sha1)
///     .fingerprint()
///     .finish()?;
/// assert_eq!(len, 20 + 12 + 8 + 12 + 24 + 8);
/// # Ok(())
/// # }
/// ```
#[must_use = "nothing tells whether the message was written until `finish` is called"]
pub struct MessageBuilder<'b, S = stage::Open> {
    /// The caller's buffer; empty once something has gone wrong, so that nothing else is written.
    out: &'b mut [u8],
    len: usize,
    transaction_id: TransactionId,
    error: Option<EncodeError>,
    stage: PhantomData<S>,
}

impl<'b> MessageBuilder<'b> {
    /// Starts a message at the beginning of `out`.
    #[inline]
    pub fn new(out: &'b mut [u8], class: Class, method: Method, transaction_id: TransactionId) -> Self {
        let mut builder = Self { out, len: HEADER_LEN, transaction_id, error: None, stage: PhantomData };
        match builder.out.first_chunk_mut::<HEADER_LEN>() {
            Some(header) => {
                header[..2].copy_from_slice(&message_type(class, method).to_be_bytes());
                header[2..4].fill(0);
                header[4..8].copy_from_slice(&MAGIC_COOKIE.to_be_bytes());
                header[8..].copy_from_slice(transaction_id.as_bytes());
            }
            None => builder.fail(EncodeError::BufferTooSmall),
        }
        builder
    }

    /// Starts the response of this `class` to `request`, with the same method and transaction id (RFC 8489 §6.3.1.1).
    pub fn response(out: &'b mut [u8], class: Class, request: &Message<'_>) -> Self {
        Self::new(out, class, request.method(), request.transaction_id())
    }

    /// Adds an attribute.
    #[inline]
    pub fn attribute<'a, A: Attribute<'a>>(mut self, attribute: &A) -> Self {
        let id = self.transaction_id;
        self.put(A::TYPE, attribute.value_len(), |value| attribute.encode(value, &id));
        self
    }

    /// Adds an attribute, if there is one.
    #[inline]
    pub fn maybe<'a, A: Attribute<'a>>(self, attribute: Option<&A>) -> Self {
        match attribute {
            Some(attribute) => self.attribute(attribute),
            None => self,
        }
    }

    /// Adds an attribute for which there is no type, with its value as it is.
    pub fn raw_attribute(mut self, raw: RawAttribute<'_>) -> Self {
        self.put(raw.kind, raw.value.len(), |value| fill(value, raw.value));
        self
    }

    #[inline]
    fn put(
        &mut self,
        kind: AttributeType,
        len: usize,
        encode: impl FnOnce(&mut [u8]) -> Result<(), EncodeError>,
    ) {
        let reserved = matches!(
            kind,
            AttributeType::MESSAGE_INTEGRITY
                | AttributeType::MESSAGE_INTEGRITY_SHA256
                | AttributeType::FINGERPRINT
        );
        if reserved {
            return self.fail(EncodeError::ReservedAttribute(kind));
        }
        if let Some((_, value)) = self.claim(kind, len)
            && let Err(error) = encode(value)
        {
            self.fail(error);
        }
    }

    /// Ends the message with one integrity attribute: in a response the one of the request (RFC 8489 §9.1.3).
    #[inline]
    pub fn integrity(
        mut self,
        key: &Key,
        algorithm: IntegrityAlgorithm,
    ) -> MessageBuilder<'b, stage::Sealed> {
        self.seal(key, algorithm);
        self.at_stage()
    }

    /// Ends the message with MESSAGE-INTEGRITY, for which alone the key is.
    #[inline]
    pub fn integrity_sha1(mut self, key: &Sha1Key) -> MessageBuilder<'b, stage::Sealed> {
        self.put_tag(AttributeType::MESSAGE_INTEGRITY, &key.0);
        self.at_stage()
    }

    /// Ends the message with both integrity attributes: a request to a peer of which it is not known which one it
    /// supports (RFC 8489 §9.1.2).
    pub fn both_integrities(mut self, key: &Key) -> MessageBuilder<'b, stage::Sealed> {
        self.seal(key, IntegrityAlgorithm::Sha1);
        self.seal(key, IntegrityAlgorithm::Sha256);
        self.at_stage()
    }

    #[inline]
    fn seal(&mut self, key: &Key, algorithm: IntegrityAlgorithm) {
        match algorithm {
            IntegrityAlgorithm::Sha1 => self.put_tag(AttributeType::MESSAGE_INTEGRITY, &key.sha1),
            IntegrityAlgorithm::Sha256 => self.put_tag(AttributeType::MESSAGE_INTEGRITY_SHA256, &key.sha256),
        }
    }

    #[inline]
    fn put_tag<H: Hash<W>, const W: usize>(&mut self, kind: AttributeType, hmac: &Hmac<H, W>) {
        // §14.5: the length field counts up to the end of the integrity attribute.
        let Some(length) = self.body_len(4 + 4 * W) else {
            return self.fail(EncodeError::MessageTooLong);
        };
        if let Some((covered, value)) = self.claim(kind, 4 * W)
            && let Some(value) = value.as_chunks_mut().0.first_chunk_mut::<W>()
        {
            *value = hmac.of_message(covered, length).map(u32::to_be_bytes);
        }
    }
}

impl<'b> MessageBuilder<'b, stage::Open> {
    /// Ends the message with FINGERPRINT (RFC 8489 §14.7).
    #[inline]
    pub fn fingerprint(mut self) -> MessageBuilder<'b, stage::Closed> {
        self.put_fingerprint();
        self.at_stage()
    }
}

impl<'b> MessageBuilder<'b, stage::Sealed> {
    /// Ends the message with FINGERPRINT (RFC 8489 §14.7).
    #[inline]
    pub fn fingerprint(mut self) -> MessageBuilder<'b, stage::Closed> {
        self.put_fingerprint();
        self.at_stage()
    }
}

impl<'b, S: stage::Stage> MessageBuilder<'b, S> {
    /// Completes the header and returns the length of the message in bytes.
    ///
    /// # Errors
    ///
    /// The first [`EncodeError`] that occurred; the contents of the buffer are then of no use.
    #[inline]
    pub fn finish(mut self) -> Result<usize, EncodeError> {
        if !S::HAS_LENGTH {
            self.put_length();
        }
        match self.error {
            None => Ok(self.len),
            Some(error) => Err(error),
        }
    }

    #[inline]
    fn put_fingerprint(&mut self) {
        // The CRC covers the length field, which counts FINGERPRINT too.
        let Some(length) = self.body_len(8) else {
            return self.fail(EncodeError::MessageTooLong);
        };
        if let Some((covered, value)) = self.claim(AttributeType::FINGERPRINT, 4)
            && let (Some(field), Ok(value)) = (covered.get_mut(2..4), <&mut [u8; 4]>::try_from(value))
        {
            field.copy_from_slice(&length.to_be_bytes());
            *value = fingerprint(covered).to_be_bytes();
        }
    }

    /// Writes the header of an attribute and its padding. Returns everything before it, and where its value goes.
    #[inline]
    fn claim(&mut self, kind: AttributeType, len: usize) -> Option<(&mut [u8], &mut [u8])> {
        let Ok(short_len) = u16::try_from(len) else {
            self.fail(EncodeError::AttributeTooLong(kind));
            return None;
        };
        let (start, end) = (self.len, self.len + 4 + padded(len));
        if self.out.len() < end {
            self.fail(EncodeError::BufferTooSmall);
            return None;
        }
        self.len = end;
        let (before, attribute) = self.out.get_mut(..end)?.split_at_mut_checked(start)?;
        let (header, value) = attribute.split_first_chunk_mut()?;
        let ([k0, k1], [l0, l1]) = (kind.number().to_be_bytes(), short_len.to_be_bytes());
        *header = [k0, k1, l0, l1];
        if !len.is_multiple_of(4)
            && let Some(last) = value.last_chunk_mut::<4>()
        {
            *last = [0; 4];
        }
        Some((before, value.get_mut(..len)?))
    }

    /// What the length field says once `more` bytes have been added; `None` when it cannot say it.
    #[inline]
    fn body_len(&self, more: usize) -> Option<u16> {
        let len = self.len - HEADER_LEN + more;
        if len > MAX_BODY_LEN { None } else { Some(len as u16) }
    }

    #[inline]
    fn put_length(&mut self) {
        match (self.body_len(0), &mut *self.out) {
            (Some(len), [_, _, l0, l1, ..]) => [*l0, *l1] = len.to_be_bytes(),
            (Some(_), _) => self.fail(EncodeError::BufferTooSmall),
            (None, _) => self.fail(EncodeError::MessageTooLong),
        }
    }

    /// Keeps the first error and stops writing.
    #[cold]
    fn fail(&mut self, error: EncodeError) {
        self.error.get_or_insert(error);
        self.out = &mut [];
    }

    #[inline]
    fn at_stage<T: stage::Stage>(self) -> MessageBuilder<'b, T> {
        MessageBuilder {
            out: self.out,
            len: self.len,
            transaction_id: self.transaction_id,
            error: self.error,
            stage: PhantomData,
        }
    }
}

impl<S> fmt::Debug for MessageBuilder<'_, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MessageBuilder")
            .field("len", &self.len)
            .field("error", &self.error)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
