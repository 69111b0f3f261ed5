//! The texts of the data channel.

use serde::{Deserialize, Serialize};

use crate::data::MAX_MESSAGE;

/// One text.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub(super) enum Text {
    /// A line, or several, for a person.
    Chat { text: String },
    /// A file begins.
    File { id: u32, name: String, size: u64 },
    /// All its bytes were sent.
    FileEnd { id: u32, sha256: String },
    /// The sender stops in the middle.
    FileCancel { id: u32 },
    /// All bytes arrived.
    FileOk { id: u32 },
    /// The receiver does not want the file, or no more of it.
    FileError { id: u32, reason: String },
}

impl Text {
    pub(super) fn to_json(&self) -> String {
        // There are only strings and numbers in it.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// `None` for what cannot be read, is not known or too long.
    pub(super) fn from_json(json: &str) -> Option<Self> {
        let text = serde_json::from_str(json).ok().filter(|_| json.len() <= MAX_MESSAGE)?;
        match text {
            Self::File { id: 0, .. } => None,
            text => Some(text),
        }
    }
}

/// The most characters of a line in one message: each may need six bytes in JSON.
const MAX_PART: usize = (MAX_MESSAGE - 64) / 6;

/// A line in parts that fit.
pub(super) fn parts(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest.take()?;
        if text.len() <= MAX_PART {
            return Some(text);
        }
        let (part, more) = text.split_at(boundary(text, MAX_PART));
        rest = Some(more);
        Some(part)
    })
}

/// The greatest length, not above `most`, at which a text can be cut.
pub(super) fn boundary(text: &str, most: usize) -> usize {
    (0..=most.min(text.len())).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0)
}

/// The piece of a file in a message of bytes: whose, and what.
pub(super) fn piece(message: &[u8]) -> Option<(u32, &[u8])> {
    let (id, bytes) = message.split_first_chunk()?;
    let fits = !bytes.is_empty() && message.len() <= MAX_MESSAGE;
    fits.then(|| (u32::from_be_bytes(*id), bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_what_a_page_writes() {
        let file = Text::File { id: 7, name: "a.txt".into(), size: 3 };
        assert_eq!(file.to_json(), r#"{"type":"file","id":7,"name":"a.txt","size":3}"#);
        assert_eq!(
            Text::from_json(r#"{"type":"file-end","sha256":"00","id":1,"new":[]}"#),
            Some(Text::FileEnd { id: 1, sha256: "00".into() })
        );
        for nothing in [
            "",
            "1",
            "{}",
            r#"{"type":"dance"}"#,
            r#"{"type":"file","id":0,"name":"","size":1}"#,
            r#"{"type":"file","id":4294967296,"name":"","size":1}"#,
            r#"{"type":"chat"}"#,
        ] {
            assert_eq!(Text::from_json(nothing), None, "{nothing}");
        }
        let long = Text::Chat { text: "x".repeat(MAX_MESSAGE) }.to_json();
        assert_eq!(Text::from_json(&long), None);
    }

    #[test]
    fn every_part_of_a_line_fits_into_a_message() {
        let line = "\u{1}é".repeat(10_000);
        let parts: Vec<&str> = parts(&line).collect();
        assert_eq!(parts.concat(), line);
        for part in parts {
            assert!(Text::Chat { text: part.to_owned() }.to_json().len() <= MAX_MESSAGE);
        }
    }

    #[test]
    fn a_piece_has_an_id_and_at_least_a_byte() {
        assert_eq!(piece(&[0, 0, 1, 2, 9]), Some((258, &[9_u8][..])));
        assert_eq!(piece(&[0, 0, 1, 2]), None);
        assert_eq!(piece(&[0; MAX_MESSAGE + 1]), None);
    }
}
