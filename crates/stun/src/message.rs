//! A received message: its header, its attributes, and the rules for which of them count.

use core::fmt;

use crate::attribute::{Attribute, AttributeType, RawAttribute};
use crate::error::DecodeError;
use crate::header::{self, Class, HEADER_LEN, MAGIC_COOKIE, Method, TransactionId, padded};

/// XORed to the CRC-32 in FINGERPRINT (RFC 8489 §14.7).
pub(crate) const FINGERPRINT_XOR: u32 = 0x5354_554E;

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
    bytes: &'a [u8],
    trailer: Trailer,
}

/// Where the attributes are that protect the message. Zero means absent: no attribute starts inside the header.
#[derive(Clone, Copy)]
pub(crate) struct Trailer {
    /// Where the first of the three starts, or the message ends.
    start: u32,
    pub(crate) integrity: u32,
    pub(crate) integrity_sha256: u32,
    pub(crate) fingerprint: u32,
}

impl<'a> Message<'a> {
    /// Parses a datagram that holds one message and nothing else.
    ///
    /// # Errors
    ///
    /// [`DecodeError`] says what is wrong; such a datagram is not STUN or is damaged, and is best dropped.
    pub fn parse(datagram: &'a [u8]) -> Result<Self, DecodeError> {
        let (length, bytes, rest) = split_frame(datagram)?;
        if !rest.is_empty() {
            return Err(DecodeError::TrailingBytes(length));
        }
        Self::from_frame(bytes)
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
        Ok((Self::from_frame(frame)?, rest))
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

    fn from_frame(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        let trailer = find_trailer(bytes)?;
        if trailer.fingerprint != 0 {
            check_fingerprint(bytes, trailer.fingerprint as usize)?;
        }
        Ok(Self { bytes, trailer })
    }

    fn header(&self) -> &'a [u8; HEADER_LEN] {
        self.bytes.first_chunk().unwrap_or(&[0; HEADER_LEN])
    }

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
        self.bytes
    }

    /// Whether the message carries a FINGERPRINT, which then is correct.
    #[must_use]
    pub const fn has_fingerprint(&self) -> bool {
        self.trailer.fingerprint != 0
    }

    /// Whether the message carries MESSAGE-INTEGRITY or MESSAGE-INTEGRITY-SHA256, correct or not.
    #[must_use]
    pub const fn has_integrity(&self) -> bool {
        self.trailer.integrity != 0 || self.trailer.integrity_sha256 != 0
    }

    pub(crate) const fn trailer(&self) -> &Trailer {
        &self.trailer
    }

    /// The attributes that count, in their order.
    #[must_use]
    #[inline]
    pub fn attributes(&self) -> Attributes<'a> {
        let end = self.trailer.start as usize;
        Attributes { rest: self.bytes.get(HEADER_LEN..end).unwrap_or_default(), message: *self, trailer: 0 }
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
        let body = Attributes { trailer: 3, ..self.attributes() };
        body.map(|raw| raw.kind).filter(|kind| kind.is_comprehension_required() && !known.contains(kind))
    }

    /// The attribute that starts at `offset`; `None` when there cannot be one.
    fn attribute_at(&self, offset: u32) -> Option<RawAttribute<'a>> {
        let rest = self.bytes.get(offset as usize..)?;
        split_attribute(rest).map(|(raw, _)| raw)
    }
}

/// Class, method, transaction id and the types of the attributes; no values.
impl fmt::Debug for Message<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {} ", self.method(), self.class(), self.transaction_id())?;
        f.debug_list().entries(self.attributes()).finish()
    }
}

/// The attributes of a message that count; see [`Message::attributes`].
#[derive(Clone, Debug)]
pub struct Attributes<'a> {
    /// What is left of the attributes before the trailer.
    rest: &'a [u8],
    message: Message<'a>,
    /// How many of the three attributes of the trailer have been dealt with.
    trailer: u8,
}

impl<'a> Iterator for Attributes<'a> {
    type Item = RawAttribute<'a>;

    #[inline]
    fn next(&mut self) -> Option<RawAttribute<'a>> {
        match split_attribute(self.rest) {
            Some((raw, rest)) => {
                self.rest = rest;
                Some(raw)
            }
            None => self.next_in_trailer(),
        }
    }
}

impl<'a> Attributes<'a> {
    fn next_in_trailer(&mut self) -> Option<RawAttribute<'a>> {
        let Trailer { integrity, integrity_sha256, fingerprint, .. } = self.message.trailer;
        // The three come in this order only: find_trailer ignores what stands out of it.
        let offsets = [integrity, integrity_sha256, fingerprint];
        while let Some(&offset) = offsets.get(usize::from(self.trailer)) {
            self.trailer += 1;
            if offset != 0 {
                return self.message.attribute_at(offset);
            }
        }
        None
    }
}

impl core::iter::FusedIterator for Attributes<'_> {}

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

/// The attribute at the start of `bytes` and what follows its padding; `None` at the end or if it runs past it.
#[inline]
fn split_attribute(bytes: &[u8]) -> Option<(RawAttribute<'_>, &[u8])> {
    let (&[k0, k1, l0, l1], rest) = bytes.split_first_chunk()?;
    let len = usize::from(u16::from_be_bytes([l0, l1]));
    let (value, rest) = rest.split_at_checked(padded(len))?;
    Some((
        RawAttribute { kind: AttributeType::new(u16::from_be_bytes([k0, k1])), value: value.get(..len)? },
        rest,
    ))
}

/// Walks all attributes, checks that each lies within the message, and finds those that protect it.
fn find_trailer(bytes: &[u8]) -> Result<Trailer, DecodeError> {
    let mut trailer =
        Trailer { start: bytes.len() as u32, integrity: 0, integrity_sha256: 0, fingerprint: 0 };
    let mut rest = bytes.get(HEADER_LEN..).unwrap_or_default();
    while let Some((&[k0, k1, l0, l1], tail)) = rest.split_first_chunk() {
        let (kind, len) = (u16::from_be_bytes([k0, k1]), u16::from_be_bytes([l0, l1]));
        let kind = AttributeType::new(kind);
        if matches!(
            kind,
            AttributeType::MESSAGE_INTEGRITY
                | AttributeType::MESSAGE_INTEGRITY_SHA256
                | AttributeType::FINGERPRINT
        ) {
            trailer.add(kind, len, bytes.len() - rest.len())?;
        }
        rest = tail.get(padded(usize::from(len))..).ok_or(DecodeError::AttributeOverrun(kind))?;
    }
    Ok(trailer)
}

impl Trailer {
    /// Notes an attribute that protects the message, unless an earlier one says to ignore it (RFC 8489 §9, §14.7).
    fn add(&mut self, kind: AttributeType, len: u16, offset: usize) -> Result<(), DecodeError> {
        if self.fingerprint != 0 {
            return Ok(());
        }
        let (slot, good_length) = match kind {
            // After MESSAGE-INTEGRITY-SHA256 only FINGERPRINT counts.
            AttributeType::MESSAGE_INTEGRITY if self.integrity_sha256 != 0 => return Ok(()),
            AttributeType::MESSAGE_INTEGRITY => (&mut self.integrity, len == 20),
            // §14.6: 16 to 32 bytes in steps of four. Message::verify accepts 32 alone.
            AttributeType::MESSAGE_INTEGRITY_SHA256 => {
                (&mut self.integrity_sha256, matches!(len, 16..=32) && len.is_multiple_of(4))
            }
            _ => (&mut self.fingerprint, len == 4),
        };
        if *slot != 0 {
            return Ok(());
        }
        if !good_length {
            return Err(DecodeError::AttributeLength(kind));
        }
        *slot = offset as u32;
        self.start = self.start.min(offset as u32);
        Ok(())
    }
}

/// RFC 8489 §14.7: the CRC-32 of everything before the attribute.
fn check_fingerprint(bytes: &[u8], offset: usize) -> Result<(), DecodeError> {
    let Some((covered, attribute)) = bytes.split_at_checked(offset) else {
        return Err(DecodeError::Fingerprint);
    };
    let expected = crc32fast::hash(covered) ^ FINGERPRINT_XOR;
    match attribute {
        [_, _, _, _, f0, f1, f2, f3, ..] if u32::from_be_bytes([*f0, *f1, *f2, *f3]) == expected => Ok(()),
        _ => Err(DecodeError::Fingerprint),
    }
}

#[cfg(test)]
mod tests;
