//! The attributes of a message (RFC 8489 §14), those that count and those that do not.

use std::collections::BTreeSet;

use floe::stun::{AttributeType, DecodeError, HEADER_LEN, RawAttribute, TransactionId};

use super::dissect::Note;
use super::value;

/// One attribute where it stands.
#[derive(Debug)]
pub(crate) struct AttributeView<'a> {
    /// Where its type field is.
    pub(crate) offset: usize,
    pub(crate) kind: AttributeType,
    /// What the length field says.
    pub(crate) length: u16,
    /// The value, or as much of it as is there.
    pub(crate) value: &'a [u8],
    pub(crate) padding: &'a [u8],
    /// The value for people; digits when it is not what the type demands.
    pub(crate) text: String,
    /// Why a receiver ignores it, if it does.
    pub(crate) ignored: Option<&'static str>,
}

impl AttributeView<'_> {
    /// Where its value begins.
    pub(crate) const fn value_offset(&self) -> usize {
        self.offset + 4
    }

    /// Whether all of the value is there.
    pub(crate) fn is_whole(&self) -> bool {
        self.value.len() == usize::from(self.length)
    }

    /// Whether it is of this type, counts, and is all there.
    pub(crate) fn counts_as(&self, kind: AttributeType) -> bool {
        self.kind == kind && self.ignored.is_none() && self.is_whole()
    }
}

/// The attributes of `message`, header included. When the message is not `whole`, that one at its end is cut off is no
/// further fault.
pub(crate) fn walk<'a>(
    message: &'a [u8],
    id: &TransactionId,
    whole: bool,
    faults: &mut Vec<Note>,
) -> Vec<AttributeView<'a>> {
    let mut found: Vec<AttributeView<'a>> = Vec::new();
    let mut seen = Seen::default();
    let mut offset = HEADER_LEN;
    while let Some(rest) = message.get(offset..).filter(|rest| !rest.is_empty()) {
        let Some((&[k0, k1, l0, l1], tail)) = rest.split_first_chunk() else {
            if whole {
                faults
                    .push(Note::new(offset, "too few bytes are left for an attribute, which has at least 4"));
            }
            break;
        };
        let (kind, length) = (AttributeType::new(u16::from_be_bytes([k0, k1])), u16::from_be_bytes([l0, l1]));
        let (value, after) = tail.split_at_checked(length.into()).unwrap_or((tail, &[]));
        let padding = &after[..after.len().min(usize::from(length).wrapping_neg() % 4)];
        let ignored = seen.next(kind);
        let mut view = AttributeView { offset, kind, length, value, padding, text: String::new(), ignored };
        let end = usize::from(length).next_multiple_of(4);
        if end > tail.len() {
            if whole {
                faults.push(overrun(&view, end - tail.len()));
            }
            view.text = value::groups(value);
        } else {
            view.text = read_value(&view, id, faults);
        }
        offset += 4 + end;
        found.push(view);
    }
    found
}

fn overrun(view: &AttributeView<'_>, beyond: usize) -> Note {
    let (kind, length) = (view.kind, view.length);
    let what = if view.is_whole() { "padding" } else { "value" };
    let text =
        format!("{kind}: length {length}, so its {what} runs {beyond} bytes past the end of the message");
    Note::new(view.offset + 2, text)
}

/// The value for people. One that is not what its type demands is a fault, if the attribute counts.
fn read_value(view: &AttributeView<'_>, id: &TransactionId, faults: &mut Vec<Note>) -> String {
    let raw = RawAttribute { kind: view.kind, value: view.value };
    let read = check_length(view).and_then(|()| value::describe(raw, id));
    read.unwrap_or_else(|error| {
        if view.ignored.is_none() {
            faults.push(value_fault(view, error));
        }
        value::groups(view.value)
    })
}

/// The three that the codec checks itself have no typed value.
fn check_length(view: &AttributeView<'_>) -> Result<(), DecodeError> {
    let good = match view.kind {
        AttributeType::MESSAGE_INTEGRITY => view.length == 20,
        AttributeType::MESSAGE_INTEGRITY_SHA256 => {
            matches!(view.length, 16..=32) && view.length.is_multiple_of(4)
        }
        AttributeType::FINGERPRINT => view.length == 4,
        _ => true,
    };
    if good { Ok(()) } else { Err(DecodeError::AttributeLength(view.kind)) }
}

fn value_fault(view: &AttributeView<'_>, error: DecodeError) -> Note {
    let (kind, at) = (view.kind, view.value_offset());
    let byte = |index: usize| view.value.get(index).copied().unwrap_or_default();
    match error {
        DecodeError::AttributeLength(_) => Note::new(
            view.offset + 2,
            format!("{kind}: its value is {} bytes long, not {}", view.length, value::lengths(kind)),
        ),
        DecodeError::AddressFamily(_) => {
            let index = family_index(kind);
            Note::new(
                at + index,
                format!("{kind}: address family {} is neither IPv4 (1) nor IPv6 (2)", byte(index)),
            )
        }
        DecodeError::ErrorCodeRange(_) => Note::new(
            at + 2,
            format!("{kind}: class {} and number {} are no code from 300 to 699", byte(2) & 7, byte(3)),
        ),
        DecodeError::MalformedList(_) => {
            Note::new(at, format!("{kind}: an entry of its list runs past the end of the value"))
        }
        other => Note::new(at, other.to_string()),
    }
}

/// Which byte of the value says the family: the second of an address (RFC 8489 §14.1), otherwise the first (RFC 8656 §18).
const fn family_index(kind: AttributeType) -> usize {
    match kind {
        AttributeType::ADDRESS_ERROR_CODE
        | AttributeType::REQUESTED_ADDRESS_FAMILY
        | AttributeType::ADDITIONAL_ADDRESS_FAMILY => 0,
        _ => 1,
    }
}

/// The types of the attributes that counted so far.
#[derive(Default)]
struct Seen(BTreeSet<AttributeType>);

impl Seen {
    /// Notes the next attribute. Why it is ignored, if it is: what follows the attributes that protect the message does not
    /// count (RFC 8489 §14.5 to §14.7), and of several of one type the first does (§14).
    fn next(&mut self, kind: AttributeType) -> Option<&'static str> {
        let has = |kind| self.0.contains(&kind);
        let protects = matches!(kind, AttributeType::MESSAGE_INTEGRITY_SHA256 | AttributeType::FINGERPRINT);
        if has(AttributeType::FINGERPRINT) {
            Some("after FINGERPRINT")
        } else if has(AttributeType::MESSAGE_INTEGRITY_SHA256) && kind != AttributeType::FINGERPRINT {
            Some("after MESSAGE-INTEGRITY-SHA256")
        } else if has(AttributeType::MESSAGE_INTEGRITY) && !protects {
            Some("after MESSAGE-INTEGRITY")
        } else if !self.0.insert(kind) && !REPEATABLE.contains(&kind) {
            Some("not the first of its type")
        } else {
            None
        }
    }
}

/// Types of which a message may have several: RFC 8656 §10.1, §7.3 and §18.12, RFC 8489 §14.15.
pub(crate) const REPEATABLE: [AttributeType; 4] = [
    AttributeType::XOR_PEER_ADDRESS,
    AttributeType::XOR_RELAYED_ADDRESS,
    AttributeType::ADDRESS_ERROR_CODE,
    AttributeType::ALTERNATE_SERVER,
];

/// What is strange about the attributes and does no harm.
pub(crate) fn remark(attributes: &[AttributeView<'_>], remarks: &mut Vec<Note>) {
    for view in attributes {
        if let Some(why) = view.ignored {
            remarks.push(Note::new(view.offset, format!("{}: ignored, it is {why}", view.kind)));
        }
        // RFC 8489 §14: zero when sent, ignored when received.
        if view.padding.iter().any(|&byte| byte != 0) {
            let text = format!("{}: the padding {} is not zero", view.kind, value::hex(view.padding));
            remarks.push(Note::new(view.value_offset() + view.value.len(), text));
        }
        if view.kind.name().is_none() && view.kind.is_comprehension_required() {
            let text = format!("{}: unknown, and to be understood: a request with it is refused", view.kind);
            remarks.push(Note::new(view.offset, text));
        }
    }
}
