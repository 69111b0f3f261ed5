//! Taking a stream apart: STUN messages and ChannelData over TCP and TLS (RFC 8489 §6.2.2, RFC 8656 §12.5).

use alloc::vec::Vec;
use core::fmt;

use floe_stun::{ChannelData, DecodeError, HEADER_LEN, MAX_BODY_LEN, Message};

/// The longest frame: a STUN message whose length field is as large as it can be. ChannelData end before that.
const MAX_FRAME: usize = HEADER_LEN + MAX_BODY_LEN;

/// How much room [`StreamDeframer::space`] offers at least.
const READ_SIZE: usize = 4096;

/// Takes what a TURN server sends over TCP or TLS apart into STUN messages and ChannelData. The driver holds one for
/// each connection and hands every frame to [`Client::handle_datagram`](crate::Client::handle_datagram).
///
/// It buffers at most one frame and what was read with it, 72 KiB in the worst case.
///
/// ```
/// use std::io::Read;
///
/// use floe_turn::client::StreamDeframer;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let mut connection = std::io::Cursor::new([0x40, 0, 0, 2, b'h', b'i', 0, 0, 0x40, 0, 0, 0]);
/// let mut deframer = StreamDeframer::new();
/// let mut frames = 0;
/// loop {
///     let read = connection.read(deframer.space())?;
///     if read == 0 {
///         break; // the server closed the connection: Client::disconnected
///     }
///     deframer.filled(read);
///     while let Some(frame) = deframer.next_frame()? {
///         // client.handle_datagram(server, frame, now)
///         frames += 1;
///     }
/// }
/// assert_eq!(frames, 2);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Default)]
pub struct StreamDeframer {
    buffer: Vec<u8>,
    /// What was received and not yet taken: `buffer[start..end]`.
    start: usize,
    end: usize,
    failed: Option<StreamError>,
}

impl StreamDeframer {
    /// A deframer for a new connection.
    #[must_use]
    pub const fn new() -> Self {
        Self { buffer: Vec::new(), start: 0, end: 0, failed: None }
    }

    /// Where the next bytes of the stream go, never empty: read into it and say how much with
    /// [`filled`](Self::filled). Take every frame before calling it again.
    pub fn space(&mut self) -> &mut [u8] {
        self.buffer.copy_within(self.start..self.end, 0);
        (self.start, self.end) = (0, self.end - self.start);
        let frame = self.frame_len().ok().flatten().unwrap_or_default();
        let wanted = (self.end + READ_SIZE).max(frame).min(MAX_FRAME + READ_SIZE);
        if self.buffer.len() < wanted {
            self.buffer.resize(wanted, 0);
        }
        if self.end == self.buffer.len() {
            // The caller takes no frames; what it reads from here on is lost to it and the stream with it.
            self.failed = Some(StreamError::FramesNotTaken);
            self.end = 0;
        }
        &mut self.buffer[self.end..]
    }

    /// Says that `len` bytes were read into [`space`](Self::space).
    pub fn filled(&mut self, len: usize) {
        self.end = self.end.saturating_add(len).min(self.buffer.len());
    }

    /// The next whole frame, `None` when more has to be read first.
    ///
    /// # Errors
    ///
    /// [`StreamError`], from the first byte that cannot be the start of a frame on. Where the next frame would start is
    /// then not known: close the connection and call [`Client::disconnected`](crate::Client::disconnected).
    pub fn next_frame(&mut self) -> Result<Option<&[u8]>, StreamError> {
        let len = match self.frame_len() {
            Ok(Some(len)) if len <= self.end - self.start => len,
            Ok(_) => return Ok(None),
            Err(error) => {
                self.failed = Some(error);
                return Err(error);
            }
        };
        let start = self.start;
        self.start += len;
        Ok(self.buffer.get(start..start + len))
    }

    /// The length of the frame that begins at `start`, if its header is there.
    fn frame_len(&self) -> Result<Option<usize>, StreamError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        let received = &self.buffer[self.start..self.end];
        // RFC 8656 §12, Table 3.
        let len = match received.first() {
            None => return Ok(None),
            Some(0..=3) => Message::frame_len(received),
            Some(0x40..=0x4F) => ChannelData::stream_len(received),
            Some(&byte) => return Err(StreamError::NotTurn(byte)),
        };
        len.map_err(StreamError::Malformed)
    }
}

impl fmt::Debug for StreamDeframer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let buffered = self.end - self.start;
        write!(f, "StreamDeframer {{ buffered: {buffered}, failed: {:?} }}", self.failed)
    }
}

/// Why a stream cannot be followed any further. The connection is of no use any more.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum StreamError {
    /// This byte begins neither a STUN message nor ChannelData.
    NotTurn(u8),
    /// The header of a message is not one.
    Malformed(DecodeError),
    /// The caller read on without taking the frames: take all of them after each read.
    FramesNotTaken,
}

impl fmt::Display for StreamError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotTurn(byte) => write!(f, "0x{byte:02x} begins neither a STUN message nor ChannelData"),
            Self::Malformed(error) => write!(f, "the stream is not TURN: {error}"),
            Self::FramesNotTaken => f.write_str("frames were not taken: call next_frame until it has none"),
        }
    }
}

impl core::error::Error for StreamError {}

#[cfg(test)]
mod tests {
    use std::vec;

    use floe_stun::attributes::{ChannelNumber, Data};
    use floe_stun::{Class, MessageBuilder, Method, TransactionId};

    use super::*;

    fn stun(data: &[u8]) -> Vec<u8> {
        let mut out = vec![0; 28 + data.len() + 3];
        let id = TransactionId::new([9; 12]);
        let builder = MessageBuilder::new(&mut out, Class::Indication, Method::DATA, id);
        let len = builder.attribute(&Data(data)).finish().unwrap();
        out.truncate(len);
        out
    }

    fn channel_data(len: usize) -> Vec<u8> {
        let mut out = ChannelData::header(ChannelNumber(0x4ABC), len).unwrap().to_vec();
        out.resize(4 + len + ChannelData::stream_padding(len), 0);
        out
    }

    /// The frames of a stream that arrives in pieces of these sizes, the last one over and over.
    fn deframed(stream: &[u8], sizes: &[usize]) -> Result<Vec<Vec<u8>>, StreamError> {
        let (mut deframer, mut frames, mut rest) = (StreamDeframer::new(), Vec::new(), stream);
        let mut sizes = sizes.iter().chain(core::iter::repeat(sizes.last().unwrap()));
        while !rest.is_empty() {
            let space = deframer.space();
            let len = space.len().min(rest.len()).min(*sizes.next().unwrap());
            space[..len].copy_from_slice(&rest[..len]);
            deframer.filled(len);
            rest = &rest[len..];
            while let Some(frame) = deframer.next_frame()? {
                frames.push(frame.to_vec());
            }
        }
        Ok(frames)
    }

    #[test]
    fn a_stream_comes_apart_wherever_it_is_split() {
        let frames =
            [stun(b""), channel_data(0), channel_data(1), stun(b"hello"), channel_data(4), stun(b"x")];
        let stream = frames.concat();
        for first in 1..stream.len() {
            assert_eq!(deframed(&stream, &[first, usize::MAX]).unwrap(), frames, "split at {first}");
        }
        for size in [1, 2, 3, 5, 7, usize::MAX] {
            assert_eq!(deframed(&stream, &[size]).unwrap(), frames, "pieces of {size}");
        }
    }

    #[test]
    fn the_largest_frames_pass_and_the_buffer_stays_bounded() {
        let frames = [stun(&vec![1; 65_528]), channel_data(65_535), stun(b"x")];
        for size in [1, 4095, usize::MAX] {
            assert_eq!(deframed(&frames.concat(), &[size]).unwrap(), frames);
        }
        let mut deframer = StreamDeframer::new();
        for _ in 0..100 {
            let space = deframer.space();
            assert!(!space.is_empty());
            space.fill(0x40); // a channel message of 16 KiB, never taken
            let len = space.len();
            deframer.filled(len);
        }
        assert!(deframer.buffer.len() <= MAX_FRAME + READ_SIZE);
        assert_eq!(deframer.next_frame(), Err(StreamError::FramesNotTaken));
    }

    #[test]
    fn garbage_ends_the_stream_for_good() {
        for byte in [4, 0x16, 0x3F, 0x50, 0x80, 0xFF] {
            assert_eq!(deframed(&[byte], &[1]), Err(StreamError::NotTurn(byte)));
        }
        let mut no_cookie = stun(b"");
        no_cookie[5] ^= 1;
        let error = StreamError::Malformed(DecodeError::MagicCookie);
        assert_eq!(deframed(&no_cookie, &[usize::MAX]), Err(error));

        let mut deframer = StreamDeframer::new();
        deframer.space()[0] = 0xFF;
        deframer.filled(1);
        assert_eq!(deframer.next_frame(), Err(StreamError::NotTurn(0xFF)));
        let good = stun(b"good");
        deframer.space()[..good.len()].copy_from_slice(&good);
        deframer.filled(good.len());
        assert_eq!(deframer.next_frame(), Err(StreamError::NotTurn(0xFF)), "it does not start again");
    }
}
