//! A received message: its header, its attributes, and the rules for which of them count.

use core::fmt;

use crate::attribute::{Attribute, AttributeType, RawAttribute};
use crate::error::DecodeError;
use crate::fingerprint::fingerprint;
use crate::header::{self, Class, HEADER_LEN, MAGIC_COOKIE, Method, TransactionId};
use crate::walk::{Attributes, Trailer, Word};

/// A STUN message, as a view of the bytes it came in.
///
/// [`parse`](Self::parse) checks everything that RFC 8489 §5 and §14 say about the form of a message, FINGERPRINT
/// included; nothing after it can fail except the decoding of a single value. **No input makes any function of this
/// crate panic or allocate.**
///
/// # Which attributes count
///
/// [`attributes`](Self::attributes) and everything built on it leave out what RFC 8489 §9 and §14.7 tell a receiver to
/// ignore: after MESSAGE-INTEGRITY everything but MESSAGE-INTEGRITY-SHA256 and FINGERPRINT, after
/// MESSAGE-INTEGRITY-SHA256 everything but FINGERPRINT, after FINGERPRINT everything. So no attribute that comes out,
/// except FINGERPRINT, escapes the integrity check of [`verify`](Self::verify).
///
/// ```
/// use floe_stun::attributes::{Priority, UseCandidate};
/// use floe_stun::{Attribute, Class, Message, MessageBuilder, Method, TransactionId};
///
/// # let mut packet = [0; 64];
/// # let len = MessageBuilder::new(&mut packet, Class::Request, Method::BINDING, TransactionId::new([1; 12]))
/// #     .attribute(&Priority(99))
/// #     .attribute(&UseCandidate)
/// #     .finish()?;
/// # let packet = &packet[..len];
/// let message = Message::parse(packet)?;
/// assert_eq!((message.class(), message.method()), (Class::Request, Method::BINDING));
///
/// // One attribute ...
/// assert_eq!(message.get::<Priority>()?, Some(Priority(99)));
///
/// // ... or all of them in one pass.
/// let (id, mut nominated) = (message.transaction_id(), false);
/// for raw in message.attributes() {
///     match raw.kind {
///         Priority::TYPE => assert_eq!(Priority::decode(raw, &id)?.0, 99),
///         UseCandidate::TYPE => nominated = true,
///         _ => {}
///     }
/// }
/// assert!(nominated);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy)]
pub struct Message<'a> {
    /// Header and attributes, to the end that the length field gives.
    words: &'a [Word],
    trailer: Trailer,
}

impl<'a> Message<'a> {
    /// Parses a datagram that holds one message and nothing else.
    ///
    /// # Errors
    ///
    /// [`DecodeError`] says what is wrong; such a datagram is not STUN or is damaged, and is best dropped.
    pub fn parse(datagram: &'a [u8]) -> Result<Self, DecodeError> {
        Self::parse_with(datagram, |_| ())
    }

    /// Parses as [`parse`](Self::parse) does, and shows each attribute of [`content`](Self::content) to `visit` on the way: whoever
    /// wants several of them has walked once. What `visit` has seen is worth nothing if there is an error in the end.
    ///
    /// ```
    /// use floe_stun::attributes::Priority;
    /// use floe_stun::{AttributeType, Class, Message, MessageBuilder, Method, TransactionId};
    ///
    /// let mut packet = [0; 64];
    /// let len = MessageBuilder::new(&mut packet, Class::Request, Method::BINDING, TransactionId::new([1; 12]))
    ///     .attribute(&Priority(99))
    ///     .fingerprint()
    ///     .finish()?;
    /// let mut kinds = Vec::new();
    /// let message = Message::parse_with(&packet[..len], |raw| kinds.push(raw.kind))?;
    /// assert!(message.has_fingerprint());
    /// assert_eq!(kinds, [AttributeType::PRIORITY]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`parse`](Self::parse).
    #[inline]
    pub fn parse_with(datagram: &'a [u8], visit: impl FnMut(RawAttribute<'a>)) -> Result<Self, DecodeError> {
        let (length, bytes, rest) = split_frame(datagram)?;
        if !rest.is_empty() {
            return Err(DecodeError::TrailingBytes(length));
        }
        Self::from_frame(bytes, visit)
    }

    /// Parses the message at the start of `bytes` and returns it with the bytes after it, for streams.
    ///
    /// Use [`frame_len`](Self::frame_len) to know whether a whole message has arrived.
    ///
    /// # Errors
    ///
    /// [`DecodeError`]: on a stream there is no way to find the next message after any of them.
    pub fn parse_prefix(bytes: &'a [u8]) -> Result<(Self, &'a [u8]), DecodeError> {
        let (_, frame, rest) = split_frame(bytes)?;
        Ok((Self::from_frame(frame, |_| ())?, rest))
    }

    /// How many bytes the message at the start of `bytes` takes, header included; `None` while `bytes` holds less
    /// than a header, which is too little to tell.
    ///
    /// # Errors
    ///
    /// [`DecodeError`] when this is not the start of a STUN message.
    pub fn frame_len(bytes: &[u8]) -> Result<Option<usize>, DecodeError> {
        match bytes.first_chunk() {
            Some(header) => check_header(header).map(|length| Some(HEADER_LEN + usize::from(length))),
            None => Ok(None),
        }
    }

    #[inline]
    fn from_frame(bytes: &'a [u8], visit: impl FnMut(RawAttribute<'a>)) -> Result<Self, DecodeError> {
        let (words, _) = bytes.as_chunks();
        let trailer = Trailer::find(words, visit)?;
        if let Some(at) = trailer.fingerprint() {
            check_fingerprint(words, at)?;
        }
        Ok(Self { words, trailer })
    }

    #[inline]
    fn header(&self) -> &'a [u8; HEADER_LEN] {
        self.as_bytes().first_chunk().unwrap_or(&[0; HEADER_LEN])
    }

    #[inline]
    fn message_type(&self) -> u16 {
        let &[high, low, ..] = self.header();
        u16::from_be_bytes([high, low])
    }

    /// The class.
    #[must_use]
    #[inline]
    pub fn class(&self) -> Class {
        header::class_of(self.message_type())
    }

    /// The method, known to this crate or not.
    #[must_use]
    #[inline]
    pub fn method(&self) -> Method {
        header::method_of(self.message_type())
    }

    /// Whether this is the [method](Self::method). The bits of the two are mixed on the wire; this needs not take them apart.
    #[must_use]
    #[inline]
    pub fn is_of(&self, method: Method) -> bool {
        self.message_type() & !header::CLASS_BITS == header::message_type(Class::Request, method)
    }

    /// The transaction id.
    #[must_use]
    #[inline]
    pub fn transaction_id(&self) -> TransactionId {
        let [_, _, _, _, _, _, _, _, id @ ..] = self.header();
        TransactionId::new(*id)
    }

    /// The bytes of the message, from its header to the end of its last attribute.
    #[must_use]
    pub const fn as_bytes(&self) -> &'a [u8] {
        self.words.as_flattened()
    }

    /// Whether the message carries a FINGERPRINT, which then is correct.
    #[must_use]
    pub const fn has_fingerprint(&self) -> bool {
        self.trailer.fingerprint().is_some()
    }

    /// Whether the message carries MESSAGE-INTEGRITY or MESSAGE-INTEGRITY-SHA256, correct or not.
    #[must_use]
    pub const fn has_integrity(&self) -> bool {
        self.trailer.integrity().is_some() || self.trailer.integrity_sha256().is_some()
    }

    pub(crate) const fn words(&self) -> &'a [Word] {
        self.words
    }

    pub(crate) const fn trailer(&self) -> &Trailer {
        &self.trailer
    }

    /// The attributes that count, in their order.
    #[must_use]
    #[inline]
    pub fn attributes(&self) -> Attributes<'a> {
        Attributes::new(self.words, &self.trailer)
    }

    /// Those of the [`attributes`](Self::attributes) that do not protect the message: all but MESSAGE-INTEGRITY,
    /// MESSAGE-INTEGRITY-SHA256 and FINGERPRINT, which come last.
    ///
    /// ```
    /// use floe_stun::attributes::Priority;
    /// use floe_stun::{AttributeType, Class, Message, MessageBuilder, Method, TransactionId};
    ///
    /// let mut packet = [0; 64];
    /// let len = MessageBuilder::new(&mut packet, Class::Request, Method::BINDING, TransactionId::new([1; 12]))
    ///     .attribute(&Priority(99))
    ///     .fingerprint()
    ///     .finish()?;
    /// let message = Message::parse(&packet[..len])?;
    /// assert!(message.content().map(|raw| raw.kind).eq([AttributeType::PRIORITY]));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    #[inline]
    pub fn content(&self) -> Attributes<'a> {
        Attributes::of_content(self.words, &self.trailer)
    }

    /// The first attribute of type `A`: with few exceptions only the first counts (RFC 8489 §14).
    ///
    /// # Errors
    ///
    /// [`DecodeError`] when it is there and its value has not the form its type demands.
    pub fn get<A: Attribute<'a>>(&self) -> Result<Option<A>, DecodeError> {
        self.get_all().next().transpose()
    }

    /// All attributes of type `A`, for methods that define several: XOR-PEER-ADDRESS in a CreatePermission request,
    /// XOR-RELAYED-ADDRESS in the response to a dual allocation.
    pub fn get_all<A: Attribute<'a>>(&self) -> impl Iterator<Item = Result<A, DecodeError>> + use<'a, A> {
        let id = self.transaction_id();
        self.attributes().filter(|raw| raw.kind == A::TYPE).map(move |raw| A::decode(raw, &id))
    }

    /// The types of comprehension-required attributes that are not in `known`, as often as they occur.
    ///
    /// MESSAGE-INTEGRITY and MESSAGE-INTEGRITY-SHA256 are known without being listed. What an unknown attribute
    /// means depends on the class (RFC 8489 §6.3): ask after authentication.
    pub fn unknown_required<'k>(
        &self,
        known: &'k [AttributeType],
    ) -> impl Iterator<Item = AttributeType> + use<'a, 'k> {
        self.attributes()
            .map(|raw| raw.kind)
            .filter(|kind| kind.is_comprehension_required() && !is_integrity(*kind) && !known.contains(kind))
    }
}

/// Class, method, transaction id and the types of the attributes; no values.
impl fmt::Debug for Message<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {} ", self.method(), self.class(), self.transaction_id())?;
        fmt::Debug::fmt(&self.attributes(), f)
    }
}

/// Checks the header (RFC 8489 §5) and returns the length field.
#[inline]
fn check_header(header: &[u8; HEADER_LEN]) -> Result<u16, DecodeError> {
    let &[t0, _, l0, l1, c0, c1, c2, c3, ..] = header;
    let length = u16::from_be_bytes([l0, l1]);
    if t0 & 0xC0 != 0 {
        return Err(DecodeError::LeadingBits);
    }
    if u32::from_be_bytes([c0, c1, c2, c3]) != MAGIC_COOKIE {
        return Err(DecodeError::MagicCookie);
    }
    if !length.is_multiple_of(4) {
        return Err(DecodeError::UnalignedLength(length));
    }
    Ok(length)
}

/// The length field, the bytes of the message at the start of `bytes`, and the bytes after it.
#[inline]
fn split_frame(bytes: &[u8]) -> Result<(u16, &[u8], &[u8]), DecodeError> {
    let header = bytes.first_chunk().ok_or(DecodeError::HeaderTruncated)?;
    let length = check_header(header)?;
    let frame = bytes.split_at_checked(HEADER_LEN + usize::from(length));
    let (frame, rest) = frame.ok_or(DecodeError::Truncated(length))?;
    Ok((length, frame, rest))
}

const fn is_integrity(kind: AttributeType) -> bool {
    matches!(kind, AttributeType::MESSAGE_INTEGRITY | AttributeType::MESSAGE_INTEGRITY_SHA256)
}

/// RFC 8489 §14.7: the CRC-32 of everything before the attribute.
#[inline]
fn check_fingerprint(words: &[Word], at: usize) -> Result<(), DecodeError> {
    match words.split_at_checked(at) {
        Some((covered, [_, value, ..]))
            if u32::from_be_bytes(*value) == fingerprint(covered.as_flattened()) =>
        {
            Ok(())
        }
        _ => Err(DecodeError::Fingerprint),
    }
}

#[cfg(test)]
mod tests;
