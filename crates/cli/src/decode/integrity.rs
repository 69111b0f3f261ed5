//! What protects a message: MESSAGE-INTEGRITY, MESSAGE-INTEGRITY-SHA256 and FINGERPRINT (RFC 8489 §14.5 to §14.7).

use floe::stun::{AttributeType, HEADER_LEN, IntegrityError, Key, Message};

use super::attribute::AttributeView;
use super::dissect::Note;

/// XORed to the CRC-32 in FINGERPRINT (RFC 8489 §14.7).
const FINGERPRINT_XOR: u32 = 0x5354_554E;

/// What the user knows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Secret<'a> {
    pub(crate) password: &'a str,
    pub(crate) username: Option<&'a str>,
    pub(crate) realm: Option<&'a str>,
}

/// An integrity attribute and what is known of it.
#[derive(Debug)]
pub(crate) struct Check {
    pub(crate) offset: usize,
    pub(crate) kind: AttributeType,
    pub(crate) result: Integrity,
}

/// Whether an integrity attribute is right.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Integrity {
    /// Nobody gave a password.
    Unchecked,
    /// It is, with these credentials.
    Right(&'static str),
    /// It is not, and why.
    Wrong(String),
    /// The message is too broken to say.
    Undecided,
}

/// Looks at the integrity attributes that count. `Err` says which credentials are missing.
pub(crate) fn check(
    message: &[u8],
    attributes: &[AttributeView<'_>],
    secret: Option<&Secret<'_>>,
    faults: &mut Vec<Note>,
) -> Result<Vec<Check>, String> {
    let kinds = [AttributeType::MESSAGE_INTEGRITY, AttributeType::MESSAGE_INTEGRITY_SHA256];
    let present: Vec<&AttributeView<'_>> =
        attributes.iter().filter(|view| kinds.iter().any(|&kind| view.counts_as(kind))).collect();
    let Some(secret) = secret else {
        let unchecked = |view: &&AttributeView<'_>| Check {
            offset: view.offset,
            kind: view.kind,
            result: Integrity::Unchecked,
        };
        return Ok(present.iter().map(unchecked).collect());
    };
    if present.is_empty() {
        faults
            .push(Note::new(message.len(), "no integrity attribute: nothing that the password could prove"));
        return Ok(Vec::new());
    }
    let keys = keys(secret, attributes)?;
    let mut checks = Vec::new();
    for view in present {
        let result = verify(message, view, &keys);
        if let Integrity::Wrong(reason) = &result {
            faults.push(Note::new(view.value_offset(), format!("{}: {reason}", view.kind)));
        }
        checks.push(Check { offset: view.offset, kind: view.kind, result });
    }
    Ok(checks)
}

/// What a key is called, and the key.
type NamedKey = (&'static str, Key);

/// The keys that the secret can mean: with a realm, given or in the message, the long-term ones (RFC 8489 §9.2.2).
fn keys(secret: &Secret<'_>, attributes: &[AttributeView<'_>]) -> Result<Vec<NamedKey>, String> {
    let text_of = |kind| {
        let view = attributes.iter().find(|view| view.counts_as(kind))?;
        Some(String::from_utf8_lossy(view.value).into_owned())
    };
    let realm = secret.realm.map(str::to_owned).or_else(|| text_of(AttributeType::REALM));
    let username = secret.username.map(str::to_owned).or_else(|| text_of(AttributeType::USERNAME));
    match (realm, username) {
        (Some(realm), Some(user)) => Ok(vec![
            ("long-term credentials (MD5)", Key::long_term_md5(&user, &realm, secret.password)),
            ("long-term credentials (SHA-256)", Key::long_term_sha256(&user, &realm, secret.password)),
        ]),
        (Some(_), None) => {
            Err("--username is needed: with a realm the key depends on the user name, and the message has none"
                .to_owned())
        }
        (None, Some(_)) if secret.username.is_some() => {
            Err("--realm is needed: a user name counts in long-term credentials only, and the message has no realm"
                .to_owned())
        }
        (None, _) => Ok(vec![("short-term credentials", Key::short_term(secret.password))]),
    }
}

/// Lets the codec verify the message up to and including the attribute, which is what it covers, whatever follows.
fn verify(message: &[u8], view: &AttributeView<'_>, keys: &[NamedKey]) -> Integrity {
    let end = view.value_offset() + view.value.len();
    let mut covered = message.get(..end).unwrap_or_default().to_vec();
    let length = (end - HEADER_LEN) as u16;
    if let Some(field) = covered.get_mut(2..4) {
        field.copy_from_slice(&length.to_be_bytes());
    }
    let Ok(covered) = Message::parse(&covered) else { return Integrity::Undecided };
    for (name, key) in keys {
        match covered.verify(key) {
            Ok(_) => return Integrity::Right(name),
            Err(IntegrityError::Truncated) => {
                return Integrity::Wrong("truncated, which neither ICE nor TURN allows".to_owned());
            }
            Err(_) => {}
        }
    }
    let names: Vec<&str> = keys.iter().map(|(name, _)| *name).collect();
    Integrity::Wrong(format!("does not match the message and the {}", names.join(" or the ")))
}

/// RFC 8489 §14.7: the CRC-32 of all that precedes the attribute. `None` when there is no FINGERPRINT.
pub(crate) fn fingerprint(
    message: &[u8],
    attributes: &[AttributeView<'_>],
    faults: &mut Vec<Note>,
) -> Option<bool> {
    let view = attributes.iter().find(|view| view.counts_as(AttributeType::FINGERPRINT))?;
    let received = u32::from_be_bytes(*view.value.first_chunk()?);
    let covered = message.get(..view.offset)?;
    let expected = crc32fast::hash(covered) ^ FINGERPRINT_XOR;
    if received != expected {
        let hint =
            if received == expected ^ FINGERPRINT_XOR { ": the XOR with 0x5354554e is missing" } else { "" };
        let text = format!("FINGERPRINT: 0x{received:08x}, but for these bytes it is 0x{expected:08x}{hint}");
        faults.push(Note::new(view.value_offset(), text));
    }
    Some(received == expected)
}
