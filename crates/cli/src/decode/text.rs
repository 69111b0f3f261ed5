//! The annotated message, for people.

use std::fmt::Write;

use floe::stun::HEADER_LEN;

use super::attribute::AttributeView;
use super::dissect::{Channel, Dissection, Header, Note, Packet, Stun};
use super::integrity::Integrity;
use super::value;

/// How wide a terminal is that nobody has widened.
const WIDTH: usize = 80;

/// Columns in front of what a field says: where it is, and how many bytes it takes.
const PLACE: usize = 14;

/// Bytes shown of what is not understood.
const SHOWN: usize = 128;

/// The whole report; it ends with a newline.
pub(crate) fn render(dissection: &Dissection<'_>) -> String {
    let mut page = Page { text: String::new(), notes: notes(dissection) };
    page.line(&format!("{}, {}", dissection.title(), bytes(dissection.bytes.len())));
    match &dissection.packet {
        Packet::Stun(stun) => page.stun(stun),
        Packet::ChannelData(channel) => page.channel(channel),
        Packet::Other(_) => page.unknown(dissection.bytes),
    }
    page.notes_before(usize::MAX);
    if let Packet::Stun(stun) = &dissection.packet {
        page.summary(stun);
    }
    page.text
}

/// Faults and remarks in the order of the bytes.
fn notes(dissection: &Dissection<'_>) -> Vec<(Note, &'static str)> {
    let faults = dissection.faults.iter().map(|note| (note.clone(), "wrong"));
    let mut notes: Vec<_> =
        faults.chain(dissection.remarks.iter().map(|note| (note.clone(), "note"))).collect();
    notes.sort_by_key(|(note, _)| std::cmp::Reverse(note.offset));
    notes
}

fn bytes(count: usize) -> String {
    if count == 1 { "1 byte".to_owned() } else { format!("{count} bytes") }
}

/// The report as it grows. Each note goes behind the field it is about.
struct Page {
    text: String,
    /// What is still to be said; the last is next.
    notes: Vec<(Note, &'static str)>,
}

impl Page {
    fn line(&mut self, line: &str) {
        self.text.push_str(line.trim_end());
        self.text.push('\n');
    }

    /// A field of `size` bytes at `offset`, and the notes about it.
    fn field(&mut self, offset: usize, name: &str, says: &str, size: usize) {
        self.sized_field(offset, &size.to_string(), name, says, offset + size);
    }

    fn sized_field(&mut self, offset: usize, size: &str, name: &str, says: &str, end: usize) {
        self.notes_before(offset);
        self.hanging(&format!("{offset:>4}  {size:>6}  {name}"), says);
        self.notes_before(end);
    }

    /// `first` and then `rest`, which goes on under itself where it is too long for a line.
    fn hanging(&mut self, first: &str, rest: &str) {
        let indent = first.chars().count();
        for (line, number) in wrapped(rest, WIDTH.saturating_sub(indent).max(20)).iter().zip(0..) {
            let lead = if number == 0 { first.to_owned() } else { " ".repeat(indent) };
            self.line(&format!("{lead}{line}"));
        }
    }

    fn notes_before(&mut self, end: usize) {
        while let Some((note, label)) = self.notes.pop_if(|(note, _)| note.offset < end) {
            self.hanging(
                &format!("{:PLACE$}^ {label}: ", ""),
                &format!("byte {}: {}", note.offset, note.text),
            );
        }
    }

    fn stun(&mut self, stun: &Stun<'_>) {
        let Some(header) = &stun.header else { return };
        self.line("");
        self.line("byte    size  header");
        self.header(header);
        if !stun.attributes.is_empty() {
            self.line("");
            self.line("byte    size  attribute");
        }
        let names = stun.attributes.iter().map(|view| view.kind.to_string().len());
        let width = names.max().unwrap_or_default();
        for view in &stun.attributes {
            self.attribute(view, width);
        }
    }

    fn header(&mut self, header: &Header) {
        let Header { message_type, class, method, length, cookie, transaction_id } = header;
        self.field(0, "type            ", &format!("0x{message_type:04x}: {method} {class}"), 2);
        self.field(2, "length          ", &format!("{length}"), 2);
        self.field(4, "magic cookie    ", &format!("0x{cookie:08x}"), 4);
        self.field(8, "transaction id  ", &transaction_id.to_string(), HEADER_LEN - 8);
    }

    /// The size is that of type and length, of the value, and of the padding.
    fn attribute(&mut self, view: &AttributeView<'_>, width: usize) {
        let AttributeView { offset, kind, length, value, padding, text, ignored } = view;
        let size = match padding.len() {
            0 => format!("4+{length}"),
            padding => format!("4+{length}+{padding}"),
        };
        let number = if kind.name().is_some() { format!("0x{:04x} ", kind.number()) } else { String::new() };
        let name = format!("{number}{kind:width$}  ", kind = kind.to_string(), width = width);
        let ignored = if ignored.is_some() { " (ignored)" } else { "" };
        let cut =
            if view.is_whole() { String::new() } else { format!(" (cut off after {})", bytes(value.len())) };
        let end = offset + 4 + value.len() + padding.len();
        self.sized_field(*offset, &size, &name, &format!("{text}{cut}{ignored}"), end);
    }

    /// The start of what is neither STUN nor ChannelData.
    fn unknown(&mut self, packet: &[u8]) {
        let shown = packet.get(..SHOWN).unwrap_or(packet);
        let more = if shown.len() < packet.len() { " …" } else { "" };
        self.field(0, "", &format!("{}{more}", value::groups(shown)), shown.len());
    }

    fn channel(&mut self, channel: &Channel<'_>) {
        self.line("");
        self.line("byte    size  field");
        if let Some(number) = channel.number {
            self.field(0, "channel  ", &format!("0x{number:04x}"), 2);
        }
        if let Some(length) = channel.length {
            self.field(2, "length   ", &length.to_string(), 2);
        }
        if !channel.data.is_empty() {
            self.field(4, "data     ", &value::groups(channel.data), channel.data.len());
        }
        if !channel.padding.is_empty() {
            let size = channel.padding.len();
            self.field(4 + channel.data.len(), "padding  ", &value::hex(channel.padding), size);
        }
    }

    /// What protects the message, in a line each.
    fn summary(&mut self, stun: &Stun<'_>) {
        if stun.header.is_none() {
            return;
        }
        self.line("");
        for check in &stun.integrity {
            let result = match &check.result {
                Integrity::Unchecked => "present, not verified: give --password".to_owned(),
                Integrity::Right(credentials) => format!("right, with {credentials}"),
                Integrity::Wrong(reason) => format!("WRONG: {reason}"),
                Integrity::Undecided => "cannot be verified: the message is too broken".to_owned(),
            };
            self.hanging(&format!("{}: ", check.kind), &result);
        }
        if stun.integrity.is_empty() {
            self.line("no integrity attribute");
        }
        self.line(match stun.fingerprint {
            None => "no FINGERPRINT",
            Some(true) => "FINGERPRINT: right",
            Some(false) => "FINGERPRINT: WRONG",
        });
    }
}

/// `text` in lines of at most `width` characters: broken between words, and long words anywhere. Never empty.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let mut word: Vec<char> = word.chars().collect();
        let length = |line: &String| line.chars().count();
        if let Some(last) = lines.last_mut().filter(|line| !line.is_empty()) {
            // A word that is longer than a line anyway begins where there is room.
            if length(last) + 1 + word.len() <= width || word.len() > width && length(last) + 8 < width {
                last.push(' ');
            } else {
                lines.push(String::new());
            }
        }
        while !word.is_empty() {
            let room = width.saturating_sub(lines.last().map_or(0, length)).min(word.len());
            let rest = word.split_off(room);
            if let Some(last) = lines.last_mut() {
                let _ = write!(last, "{}", word.iter().collect::<String>());
            }
            word = rest;
            if !word.is_empty() {
                lines.push(String::new());
            }
        }
    }
    lines
}
