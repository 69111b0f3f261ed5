//! Takes a packet apart as far as it can be, and notes what is wrong where.
//!
//! The codec refuses a bad message as a whole; here the rest of it is shown too. What is good and what is bad is the same:
//! the tests hold every verdict against that of `Message::parse`.

use floe::stun::attributes::ChannelNumber;
use floe::stun::{
    ChannelData, Class, HEADER_LEN, MAGIC_COOKIE, Message, Method, PacketKind, TransactionId, classify,
};

use super::attribute::{self, AttributeView};
use super::integrity::{self, Check, Secret};
use super::other;

/// Something to say about a byte.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Note {
    /// Which byte, counted from 0.
    pub(crate) offset: usize,
    /// What.
    pub(crate) text: String,
}

impl Note {
    pub(crate) fn new(offset: usize, text: impl Into<String>) -> Self {
        Self { offset, text: text.into() }
    }
}

/// A packet, taken apart.
#[derive(Debug)]
pub(crate) struct Dissection<'a> {
    /// All of it.
    pub(crate) bytes: &'a [u8],
    /// What it is.
    pub(crate) packet: Packet<'a>,
    /// What makes it a bad one, in the order of the bytes.
    pub(crate) faults: Vec<Note>,
    /// What is strange about it and does no harm.
    pub(crate) remarks: Vec<Note>,
}

/// What a packet can be.
#[derive(Debug)]
pub(crate) enum Packet<'a> {
    Stun(Stun<'a>),
    ChannelData(Channel<'a>),
    /// Anything else, with a guess.
    Other(String),
}

/// A STUN message, whole or not.
#[derive(Debug)]
pub(crate) struct Stun<'a> {
    pub(crate) header: Option<Header>,
    pub(crate) attributes: Vec<AttributeView<'a>>,
    pub(crate) integrity: Vec<Check>,
    /// Whether FINGERPRINT is there, and then whether it is right.
    pub(crate) fingerprint: Option<bool>,
}

/// The fixed 20 bytes (RFC 8489 §5).
#[derive(Debug)]
pub(crate) struct Header {
    pub(crate) message_type: u16,
    pub(crate) class: Class,
    pub(crate) method: Method,
    pub(crate) length: u16,
    pub(crate) cookie: u32,
    pub(crate) transaction_id: TransactionId,
}

/// A ChannelData message (RFC 8656 §12.4), whole or not.
#[derive(Debug)]
pub(crate) struct Channel<'a> {
    pub(crate) number: Option<u16>,
    pub(crate) length: Option<u16>,
    pub(crate) data: &'a [u8],
    pub(crate) padding: &'a [u8],
}

impl<'a> Dissection<'a> {
    /// Takes `bytes` apart. `Err` says what is missing to verify the message with `secret`.
    pub(crate) fn of(bytes: &'a [u8], secret: Option<&Secret<'_>>) -> Result<Self, String> {
        let mut this = Self { bytes, packet: Packet::Other(String::new()), faults: vec![], remarks: vec![] };
        match classify(bytes) {
            PacketKind::TurnChannel => this.read_channel(),
            PacketKind::Stun => this.read_stun(secret)?,
            // Another first byte and the magic cookie in its place: somebody spoilt the first byte.
            _ if bytes.get(4..8) == Some(&MAGIC_COOKIE.to_be_bytes()) => this.read_stun(secret)?,
            _ => this.read_other(),
        }
        this.faults.sort_by_key(|fault| fault.offset);
        this.remarks.sort_by_key(|remark| remark.offset);
        Ok(this)
    }

    fn fault(&mut self, offset: usize, text: impl Into<String>) {
        self.faults.push(Note::new(offset, text));
    }

    /// What the packet is, in a few words.
    pub(crate) fn title(&self) -> String {
        match &self.packet {
            Packet::Stun(Stun { header: Some(header), .. }) => {
                format!("STUN {} {}", header.method, header.class)
            }
            Packet::Stun(_) => "STUN".to_owned(),
            Packet::ChannelData(_) => "ChannelData of TURN".to_owned(),
            Packet::Other(guess) => format!("not STUN: looks like {guess}"),
        }
    }

    /// What is wrong, in one line; `None` for a good message.
    pub(crate) fn verdict(&self) -> Option<String> {
        let first = self.faults.first()?;
        let more = match self.faults.len() - 1 {
            0 => String::new(),
            1 => " (and 1 more fault)".to_owned(),
            more => format!(" (and {more} more faults)"),
        };
        let what = match &self.packet {
            Packet::Stun(_) => "not a good STUN message",
            Packet::ChannelData(_) => "not a good ChannelData message",
            Packet::Other(_) => "not a STUN message",
        };
        Some(format!("{what}: byte {}: {}{more}", first.offset, first.text))
    }

    fn read_other(&mut self) {
        let first = self.bytes.first().copied().unwrap_or_default();
        self.packet = Packet::Other(other::guess(self.bytes));
        self.fault(0, other::first_byte(first));
        self.remark_stun_inside();
    }

    fn remark_stun_inside(&mut self) {
        if let Some(at) = other::stun_inside(self.bytes) {
            let text = "a whole STUN message begins here, behind other headers: decode it from here on";
            self.remarks.push(Note::new(at, text));
        }
    }

    /// RFC 8656 §12.4, §12.5.
    fn read_channel(&mut self) {
        let bytes = self.bytes;
        let word = |at: usize| Some(u16::from_be_bytes(*bytes.get(at..)?.first_chunk()?));
        let (number, length) = (word(0), word(2));
        let rest = bytes.get(4..).unwrap_or_default();
        let (data, padding) =
            rest.split_at_checked(length.unwrap_or_default().into()).unwrap_or((rest, &[][..]));
        if let Some(number) = number.filter(|&number| !ChannelNumber(number).is_bindable()) {
            self.fault(0, format!("channel number 0x{number:04x} is outside 0x4000 to 0x4fff"));
        }
        match length {
            None => {
                self.fault(bytes.len(), format!("{} bytes; the header of ChannelData has 4", bytes.len()));
            }
            Some(length) if usize::from(length) > data.len() => self.fault(
                2,
                format!("the length field promises {length} bytes of data, but {} follow", data.len()),
            ),
            Some(_) if padding.len() > ChannelData::stream_padding(data.len()) => {
                let text = format!("{} bytes follow the data: more than padding", padding.len());
                self.remarks.push(Note::new(4 + data.len(), text));
            }
            Some(_) => {}
        }
        self.packet = Packet::ChannelData(Channel { number, length, data, padding });
        self.remark_stun_inside();
    }

    fn read_stun(&mut self, secret: Option<&Secret<'_>>) -> Result<(), String> {
        let header = self.read_header();
        let mut stun = Stun { header: None, attributes: vec![], integrity: vec![], fingerprint: None };
        if let Some(header) = header {
            let end = self.bytes.len().min(HEADER_LEN + usize::from(header.length));
            // Without cookie and with a wrong length it is anything but STUN: what follows are no attributes.
            if header.cookie == MAGIC_COOKIE || end == self.bytes.len() {
                let whole = header.length.is_multiple_of(4) && HEADER_LEN + usize::from(header.length) <= end;
                let body = self.bytes.get(..end).unwrap_or_default();
                stun.attributes = attribute::walk(body, &header.transaction_id, whole, &mut self.faults);
                attribute::remark(&stun.attributes, &mut self.remarks);
                stun.fingerprint = integrity::fingerprint(self.bytes, &stun.attributes, &mut self.faults);
                stun.integrity = integrity::check(self.bytes, &stun.attributes, secret, &mut self.faults)?;
            }
            stun.header = Some(header);
        }
        self.packet = Packet::Stun(stun);
        if !self.faults.is_empty() {
            self.remark_stun_inside();
        }
        Ok(())
    }

    /// RFC 8489 §5.
    fn read_header(&mut self) -> Option<Header> {
        let size = self.bytes.len();
        let Some(bytes) = self.bytes.first_chunk::<HEADER_LEN>() else {
            self.fault(size, format!("the message ends here; the header alone has {HEADER_LEN} bytes"));
            return None;
        };
        let &[t0, t1, l0, l1, c0, c1, c2, c3, ref id @ ..] = bytes;
        let (message_type, length) = (u16::from_be_bytes([t0, t1]), u16::from_be_bytes([l0, l1]));
        let cookie = u32::from_be_bytes([c0, c1, c2, c3]);
        if t0 & 0xC0 != 0 {
            self.fault(0, format!("0x{t0:02x}: the two most significant bits are zero in every message"));
        }
        self.check_length(length, size - HEADER_LEN);
        if cookie != MAGIC_COOKIE {
            let text = format!(
                "0x{cookie:08x} instead of the magic cookie 0x{MAGIC_COOKIE:08x}: RFC 3489, or not STUN"
            );
            self.fault(4, text);
        }
        let (class, method) = class_and_method(t0, t1);
        Some(Header { message_type, class, method, length, cookie, transaction_id: TransactionId::new(*id) })
    }

    fn check_length(&mut self, length: u16, follow: usize) {
        let promised = usize::from(length);
        if !promised.is_multiple_of(4) {
            self.fault(2, format!("the length field is {length}, not a multiple of 4"));
        }
        if promised > follow {
            let missing = promised - follow;
            let text = format!(
                "the length field promises {length} bytes after the header, but {follow} follow: {missing} are missing"
            );
            self.fault(2, text);
        } else if promised < follow {
            let more = match follow - promised {
                1 => "1 more byte follows".to_owned(),
                more => format!("{more} more bytes follow"),
            };
            let text = format!("the message ends here, by its length field, but {more}");
            self.fault(HEADER_LEN + promised, text);
        }
    }
}

/// The codec reads the type of a message that has nothing but a good header.
fn class_and_method(t0: u8, t1: u8) -> (Class, Method) {
    let mut header = [0; HEADER_LEN];
    header[0] = t0 & 0x3F;
    header[1] = t1;
    header[4..8].copy_from_slice(&MAGIC_COOKIE.to_be_bytes());
    match Message::parse(&header) {
        Ok(message) => (message.class(), message.method()),
        Err(_) => (Class::Request, Method::BINDING), // not reached: the header is good
    }
}
