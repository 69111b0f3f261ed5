//! Walking the attributes of a message: once to check them and to find those that protect the message, and any number
//! of times to read those that count.
//!
//! A message and each of its attributes are whole words of four bytes (RFC 8489 §5, §14), so positions are counted in
//! words here.

use core::fmt;

use crate::attribute::{AttributeType, RawAttribute};
use crate::error::DecodeError;
use crate::header::{HEADER_LEN, padded};

pub(crate) type Word = [u8; 4];

/// Where the first attribute starts.
const FIRST: usize = HEADER_LEN / 4;

/// Where the attributes are that protect the message. Zero means absent: no attribute starts inside the header. The
/// longest message has 16388 words.
#[derive(Clone, Copy)]
pub(crate) struct Trailer {
    /// Up to here all attributes count; behind it only those of the three below that start there.
    counted: u16,
    integrity: u16,
    integrity_sha256: u16,
    fingerprint: u16,
}

/// What nearly every message ends with, so that it is worth knowing at a glance: MESSAGE-INTEGRITY with its 20 bytes,
/// and FINGERPRINT with its four.
const INTEGRITY_HEADER: u32 = 0x0008_0014;
const FINGERPRINT_HEADER: u32 = 0x8028_0004;

impl Trailer {
    /// Walks all attributes, checks that each lies within the message, and finds those that protect it. Shows `visit` those in
    /// front of them.
    #[inline]
    pub(crate) fn find<'a>(
        words: &'a [Word],
        mut visit: impl FnMut(RawAttribute<'a>),
    ) -> Result<Self, DecodeError> {
        let mut at = FIRST;
        while let Some(header) = words.get(at) {
            let (kind, len) = read_header(*header);
            if matches!(
                kind,
                AttributeType::MESSAGE_INTEGRITY
                    | AttributeType::MESSAGE_INTEGRITY_SHA256
                    | AttributeType::FINGERPRINT
            ) {
                return match words.get(at..) {
                    Some([first, _, _, _, _, _, last, _])
                        if u32::from_be_bytes(*first) == INTEGRITY_HEADER
                            && u32::from_be_bytes(*last) == FINGERPRINT_HEADER =>
                    {
                        let (counted, integrity) = (words.len() as u16, at as u16);
                        Ok(Self { counted, integrity, integrity_sha256: 0, fingerprint: integrity + 6 })
                    }
                    _ => Self::find_from(words, at),
                };
            }
            if let Some(raw) = attribute_at(words, at) {
                visit(raw);
            }
            at += words_of(len);
        }
        if at > words.len() {
            return Err(overrun(words));
        }
        Ok(Self { counted: words.len() as u16, integrity: 0, integrity_sha256: 0, fingerprint: 0 })
    }

    /// Walks the attributes from the first one on that protects the message. From here on none of another kind counts,
    /// and of those that protect only one that stands in the right order (RFC 8489 §9, §14.7).
    fn find_from(words: &[Word], mut at: usize) -> Result<Self, DecodeError> {
        let mut trailer = Self { counted: 0, integrity: 0, integrity_sha256: 0, fingerprint: 0 };
        while let Some(header) = words.get(at) {
            let (kind, len) = read_header(*header);
            if let Some(slot) = trailer.slot(kind) {
                *slot = at as u16;
                check_length(kind, len)?;
            } else if trailer.counted == 0 {
                trailer.counted = at as u16;
            }
            at += words_of(len);
        }
        if at > words.len() {
            return Err(overrun(words));
        }
        if trailer.counted == 0 {
            trailer.counted = at as u16;
        }
        Ok(trailer)
    }

    /// Where to note an attribute of this type; `None` if it does not count after those that have been noted.
    fn slot(&mut self, kind: AttributeType) -> Option<&mut u16> {
        if self.fingerprint != 0 {
            return None;
        }
        match kind {
            AttributeType::FINGERPRINT => Some(&mut self.fingerprint),
            _ if self.integrity_sha256 != 0 => None,
            AttributeType::MESSAGE_INTEGRITY_SHA256 => Some(&mut self.integrity_sha256),
            AttributeType::MESSAGE_INTEGRITY if self.integrity == 0 => Some(&mut self.integrity),
            _ => None,
        }
    }

    /// Where MESSAGE-INTEGRITY starts, in words.
    #[inline]
    pub(crate) const fn integrity(&self) -> Option<usize> {
        position(self.integrity)
    }

    /// Where MESSAGE-INTEGRITY-SHA256 starts, in words.
    #[inline]
    pub(crate) const fn integrity_sha256(&self) -> Option<usize> {
        position(self.integrity_sha256)
    }

    /// Where FINGERPRINT starts, in words.
    #[inline]
    pub(crate) const fn fingerprint(&self) -> Option<usize> {
        position(self.fingerprint)
    }

    /// Where the first of the three starts, or the end of what counts.
    #[inline]
    fn content(&self) -> usize {
        // What is absent, zero, becomes the largest.
        let before = |at: u16| at.wrapping_sub(1);
        let three = before(self.integrity).min(before(self.integrity_sha256)).min(before(self.fingerprint));
        usize::from(three.min(before(self.counted))) + 1
    }

    /// Where those start that have something in front of them that does not count. The first of the three never has.
    #[cold]
    fn apart(&self) -> [u16; 2] {
        let sha256 = if self.integrity_sha256 < self.counted { 0 } else { self.integrity_sha256 };
        let fingerprint = if self.fingerprint < self.counted { 0 } else { self.fingerprint };
        if sha256 == 0 { [fingerprint, 0] } else { [sha256, fingerprint] }
    }
}

/// The attributes of a message that count; see [`Message::attributes`](crate::Message::attributes).
#[derive(Clone)]
pub struct Attributes<'a> {
    /// The message, up to where its attributes count without exception.
    counted: &'a [Word],
    /// The next attribute.
    at: usize,
    message: &'a [Word],
    /// Where those start that stand apart, zero for none.
    apart: [u16; 2],
}

impl<'a> Attributes<'a> {
    #[inline]
    pub(crate) fn new(message: &'a [Word], trailer: &Trailer) -> Self {
        if usize::from(trailer.counted) == message.len() {
            return Self { counted: message, at: FIRST, message, apart: [0; 2] };
        }
        let counted = message.get(..usize::from(trailer.counted)).unwrap_or_default();
        Self { counted, at: FIRST, message, apart: trailer.apart() }
    }

    #[inline]
    pub(crate) fn of_content(message: &'a [Word], trailer: &Trailer) -> Self {
        let counted = message.get(..trailer.content()).unwrap_or_default();
        Self { counted, at: FIRST, message, apart: [0; 2] }
    }
}

impl<'a> Iterator for Attributes<'a> {
    type Item = RawAttribute<'a>;

    #[inline]
    fn next(&mut self) -> Option<RawAttribute<'a>> {
        if let Some(raw) = attribute_at(self.counted, self.at) {
            self.at += words_of(raw.value.len());
            return Some(raw);
        }
        let [next, then] = self.apart;
        if next == 0 {
            return None;
        }
        self.apart = [then, 0];
        attribute_at(self.message, usize::from(next))
    }
}

impl core::iter::FusedIterator for Attributes<'_> {}

/// The types of the attributes that are left; no values.
impl fmt::Debug for Attributes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.clone()).finish()
    }
}

/// The attribute that starts at this word; `None` at the end, or if it runs past it.
#[inline]
fn attribute_at(words: &[Word], at: usize) -> Option<RawAttribute<'_>> {
    let (kind, len) = read_header(*words.get(at)?);
    let value = words.as_flattened().get(4 * at + 4..)?.get(..len)?;
    Some(RawAttribute { kind, value })
}

/// The type and the length of an attribute (RFC 8489 §14).
#[inline]
fn read_header([k0, k1, l0, l1]: Word) -> (AttributeType, usize) {
    (AttributeType::new(u16::from_be_bytes([k0, k1])), usize::from(u16::from_be_bytes([l0, l1])))
}

/// How many words an attribute takes whose value has `len` bytes.
#[inline]
const fn words_of(len: usize) -> usize {
    1 + padded(len) / 4
}

#[inline]
const fn position(word: u16) -> Option<usize> {
    if word == 0 { None } else { Some(word as usize) }
}

/// The lengths that the attributes which protect a message may have.
const fn check_length(kind: AttributeType, len: usize) -> Result<(), DecodeError> {
    let good = match kind {
        AttributeType::MESSAGE_INTEGRITY => len == 20,
        // §14.6: 16 to 32 bytes in steps of four. Message::verify accepts 32 alone.
        AttributeType::MESSAGE_INTEGRITY_SHA256 => matches!(len, 16 | 20 | 24 | 28 | 32),
        _ => len == 4,
    };
    if good { Ok(()) } else { Err(DecodeError::AttributeLength(kind)) }
}

/// The error about the attribute that runs past the end, which is the last one.
#[cold]
fn overrun(words: &[Word]) -> DecodeError {
    let (mut at, mut last) = (FIRST, AttributeType::new(0));
    while let Some(header) = words.get(at) {
        let (kind, len) = read_header(*header);
        last = kind;
        at += words_of(len);
    }
    DecodeError::AttributeOverrun(last)
}
