//! ChannelData messages of TURN (RFC 8656 §12.4).

use crate::attributes::ChannelNumber;
use crate::error::{DecodeError, EncodeError};
use crate::header::padded;

/// A ChannelData message: application data behind a four-byte header (RFC 8656 §12.4).
///
/// Data of length zero are legal. Over a stream the message is padded to a multiple of four; in a datagram padding is
/// not needed and tolerated (§12.5).
///
/// ```
/// use floe_stun::ChannelData;
/// use floe_stun::attributes::ChannelNumber;
///
/// let mut packet = b"....hello".to_vec();
/// let header = ChannelData::header(ChannelNumber(0x4001), 5)?;
/// packet[..4].copy_from_slice(&header);
///
/// let message = ChannelData::parse(&packet)?;
/// assert_eq!((message.channel, message.data), (ChannelNumber(0x4001), &b"hello"[..]));
/// assert_eq!(ChannelData::stream_len(&packet)?, Some(12));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChannelData<'a> {
    /// The channel, `0x4000` to `0x4FFF`.
    pub channel: ChannelNumber,
    /// The application data, without padding.
    pub data: &'a [u8],
}

impl<'a> ChannelData<'a> {
    /// Size in bytes of the header in front of the data.
    pub const HEADER_LEN: usize = 4;

    /// Parses a datagram, or the start of a stream that holds a whole message. What follows the data is padding in the
    /// one (§12.5) and padding and the next message in the other.
    ///
    /// # Errors
    ///
    /// [`DecodeError`] when the channel number is reserved or the data are not all there.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        let (header, rest) = bytes.split_first_chunk().ok_or(DecodeError::ChannelHeaderTruncated)?;
        let (channel, length) = read_header(*header)?;
        let data = rest.get(..usize::from(length)).ok_or(DecodeError::ChannelTruncated(length))?;
        Ok(Self { channel, data })
    }

    /// How many bytes of a stream the message at the start of `bytes` takes, header and padding included; `None` while
    /// `bytes` holds less than a header.
    ///
    /// # Errors
    ///
    /// [`DecodeError::ChannelNumber`] when this is not the start of a ChannelData message.
    pub fn stream_len(bytes: &[u8]) -> Result<Option<usize>, DecodeError> {
        match bytes.first_chunk() {
            Some(header) => read_header(*header).map(|(_, length)| Some(4 + padded(usize::from(length)))),
            None => Ok(None),
        }
    }

    /// The header for `len` bytes of data, so that the data need not be copied.
    ///
    /// # Errors
    ///
    /// [`EncodeError::ChannelNumber`] outside `0x4000` to `0x4FFF`, [`EncodeError::DataTooLong`] above 65535 bytes.
    #[inline]
    pub const fn header(channel: ChannelNumber, len: usize) -> Result<[u8; 4], EncodeError> {
        if !channel.is_bindable() {
            return Err(EncodeError::ChannelNumber(channel.0));
        }
        if len > 0xFFFF {
            return Err(EncodeError::DataTooLong);
        }
        let ([n0, n1], [l0, l1]) = (channel.0.to_be_bytes(), (len as u16).to_be_bytes());
        Ok([n0, n1, l0, l1])
    }

    /// How many zero bytes follow `len` bytes of data on a stream: 0 to 3 (RFC 8656 §12.5).
    #[must_use]
    #[inline]
    pub const fn stream_padding(len: usize) -> usize {
        len.wrapping_neg() % 4
    }
}

/// Channel and length field.
#[inline]
const fn read_header([n0, n1, l0, l1]: [u8; 4]) -> Result<(ChannelNumber, u16), DecodeError> {
    let channel = ChannelNumber(u16::from_be_bytes([n0, n1]));
    if !channel.is_bindable() {
        return Err(DecodeError::ChannelNumber(channel.0));
    }
    Ok((channel, u16::from_be_bytes([l0, l1])))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHANNEL: ChannelNumber = ChannelNumber(0x4ABC);

    #[test]
    fn header_and_parse_are_inverse() {
        for len in [0, 1, 2, 3, 4, 1200, 65_535] {
            let mut packet = ChannelData::header(CHANNEL, len).unwrap().to_vec();
            packet.resize(4 + len, 0x55);
            let message = ChannelData::parse(&packet).unwrap();
            assert_eq!((message.channel, message.data.len()), (CHANNEL, len));
            let padding = ChannelData::stream_padding(len);
            assert!(padding < 4 && (len + padding).is_multiple_of(4));
            assert_eq!(ChannelData::stream_len(&packet), Ok(Some(4 + len + padding)));
            packet.extend([0, 0, 0]);
            assert_eq!(
                ChannelData::parse(&packet).unwrap().data.len(),
                len,
                "padding in a datagram is tolerated"
            );
        }
    }

    #[test]
    fn what_is_not_there_is_not_read() {
        let packet = [0x4A, 0xBC, 0, 5, 1, 2, 3, 4, 5];
        for len in 0..4 {
            assert_eq!(ChannelData::parse(&packet[..len]), Err(DecodeError::ChannelHeaderTruncated));
            assert_eq!(ChannelData::stream_len(&packet[..len]), Ok(None));
        }
        for len in 4..9 {
            assert_eq!(ChannelData::parse(&packet[..len]), Err(DecodeError::ChannelTruncated(5)));
            assert_eq!(ChannelData::stream_len(&packet[..len]), Ok(Some(12)));
        }
    }

    #[test]
    fn only_numbers_that_can_be_bound() {
        for number in [0x0000, 0x3FFF, 0x5000, 0x7FFF, 0xFFFF] {
            let [high, low] = u16::to_be_bytes(number);
            assert_eq!(ChannelData::parse(&[high, low, 0, 0]), Err(DecodeError::ChannelNumber(number)));
            assert_eq!(
                ChannelData::header(ChannelNumber(number), 0),
                Err(EncodeError::ChannelNumber(number))
            );
        }
        for number in [0x4000, 0x4FFF] {
            assert!(ChannelData::header(ChannelNumber(number), 0).is_ok());
        }
        assert_eq!(ChannelData::header(CHANNEL, 65_536), Err(EncodeError::DataTooLong));
    }
}
