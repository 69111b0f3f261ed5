//! What stands around application data between a TURN client and its server (RFC 8656 §11, §12): one shape for both
//! directions, written in front of a payload that stays where it is.

use core::net::SocketAddr;

use floe_stun::attributes::{ChannelNumber, Data, DontFragment, XorPeerAddress};
use floe_stun::{
    Attribute, AttributeType, ChannelData, Class, EncodeError, HEADER_LEN, MAX_BODY_LEN, MessageBuilder,
    Method, TransactionId,
};

/// The bytes in front of the payload at most: an indication about an IPv6 peer, with DONT-FRAGMENT. Whoever keeps so
/// much free in front of a payload can frame it in place.
pub const MAX_PREFIX: usize = HEADER_LEN + ATTRIBUTE_HEADER + 20 + ATTRIBUTE_HEADER + ATTRIBUTE_HEADER;

/// The bytes behind the payload at most.
pub const MAX_PADDING: usize = 3;

/// Type and length of an attribute (RFC 8489 §14).
const ATTRIBUTE_HEADER: usize = 4;

/// What carries the messages between client and server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Carrier {
    /// Each message in a datagram of its own: UDP, DTLS.
    Datagram,
    /// One message behind the other: TCP, TLS.
    Stream,
}

/// How a payload is framed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// In a ChannelData message (RFC 8656 §12.4).
    Channel(ChannelNumber),
    /// In an indication with this peer's address (RFC 8656 §11).
    Indication {
        /// [`Method::SEND`] from the client, [`Method::DATA`] from the server.
        method: Method,
        /// The peer.
        peer: SocketAddr,
        /// A new random one for each indication (RFC 8489 §5).
        id: TransactionId,
    },
    /// In a Send indication that asks the server to set DF towards the peer (RFC 8656 §14).
    DontFragment {
        /// The peer.
        peer: SocketAddr,
        /// A new random one for each indication (RFC 8489 §5).
        id: TransactionId,
    },
}

impl Framing {
    /// What stands around `len` bytes of payload.
    ///
    /// ```
    /// use floe_stun::ChannelData;
    /// use floe_stun::attributes::ChannelNumber;
    /// use floe_turn::{Carrier, Framing};
    ///
    /// let frame = Framing::Channel(ChannelNumber(0x4001)).around(5, Carrier::Stream)?;
    /// let packet = [frame.prefix(), b"hello", frame.padding()].concat();
    /// assert_eq!(packet.len(), 12);
    /// assert_eq!(ChannelData::parse(&packet)?.data, b"hello");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`EncodeError::ChannelNumber`] for a number that cannot be bound, [`EncodeError::DataTooLong`] when the message
    /// cannot hold so much: 65535 bytes in a channel, a little less in an indication.
    pub fn around(self, len: usize, carrier: Carrier) -> Result<Frame, EncodeError> {
        match self {
            Self::Channel(channel) => {
                let header = ChannelData::header(channel, len)?;
                let padding = match carrier {
                    // RFC 8656 §12.5: padding is needed on streams only.
                    Carrier::Stream => ChannelData::stream_padding(len),
                    Carrier::Datagram => 0,
                };
                let mut frame = Frame { bytes: [0; MAX_PREFIX], len: 4, padding: padding as u8 };
                frame.bytes[..4].copy_from_slice(&header);
                Ok(frame)
            }
            Self::Indication { method, peer, id } => indication(method, peer, id, None, len),
            Self::DontFragment { peer, id } => indication(Method::SEND, peer, id, Some(DontFragment), len),
        }
    }
}

/// RFC 8656 §11.1, §11.3: XOR-PEER-ADDRESS, then DATA, whose value is the payload.
fn indication(
    method: Method,
    peer: SocketAddr,
    id: TransactionId,
    dont_fragment: Option<DontFragment>,
    len: usize,
) -> Result<Frame, EncodeError> {
    let mut frame = Frame { bytes: [0; MAX_PREFIX], len: 0, padding: len.wrapping_neg() as u8 % 4 };
    let start = MessageBuilder::new(&mut frame.bytes, Class::Indication, method, id)
        .attribute(&XorPeerAddress(peer))
        .maybe(dont_fragment.as_ref())
        .finish()?;
    let end = start + ATTRIBUTE_HEADER;
    // The message's length counts the padding of DATA, the attribute's does not (RFC 8489 §14).
    let body = end - HEADER_LEN + len + usize::from(frame.padding);
    let (Ok(value_len), true) = (u16::try_from(len), body <= MAX_BODY_LEN) else {
        return Err(EncodeError::DataTooLong);
    };
    let kind: AttributeType = Data::TYPE;
    frame.bytes[2..4].copy_from_slice(&(body as u16).to_be_bytes());
    frame.bytes[start..start + 2].copy_from_slice(&kind.number().to_be_bytes());
    frame.bytes[start + 2..end].copy_from_slice(&value_len.to_be_bytes());
    frame.len = end as u8;
    Ok(frame)
}

/// What goes in front of a payload and behind it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Frame {
    bytes: [u8; MAX_PREFIX],
    len: u8,
    padding: u8,
}

impl Frame {
    /// The bytes in front of the payload: 4 in a channel, 36 or 48 in an indication, 4 more with DONT-FRAGMENT.
    #[must_use]
    pub fn prefix(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }

    /// The bytes behind the payload: at most 3, all zero.
    #[must_use]
    pub fn padding(&self) -> &'static [u8] {
        &[0; MAX_PADDING][..usize::from(self.padding)]
    }
}

impl core::fmt::Debug for Frame {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Frame({} + {})", self.len, self.padding)
    }
}

#[cfg(test)]
mod tests {
    use std::vec;
    use std::vec::Vec;

    use floe_stun::Message;

    use super::*;

    const ID: TransactionId = TransactionId::new(*b"transaction!");

    fn framed(framing: Framing, payload: &[u8], carrier: Carrier) -> Vec<u8> {
        let frame = framing.around(payload.len(), carrier).unwrap();
        [frame.prefix(), payload, frame.padding()].concat()
    }

    #[test]
    fn an_indication_is_a_message_of_36_or_48_bytes_and_the_payload() {
        for (peer, prefix) in [("192.0.2.1:7", 36), ("[2001:db8::1]:7", 48)] {
            let peer: SocketAddr = peer.parse().unwrap();
            for len in 0..9 {
                for method in [Method::SEND, Method::DATA] {
                    let payload = vec![0xAB; len];
                    let framing = Framing::Indication { method, peer, id: ID };
                    let packet = framed(framing, &payload, Carrier::Datagram);
                    assert_eq!(packet.len(), prefix + len.next_multiple_of(4));
                    let message = Message::parse(&packet).unwrap();
                    assert_eq!((message.class(), message.method()), (Class::Indication, method));
                    assert_eq!(message.transaction_id(), ID);
                    assert_eq!(message.get(), Ok(Some(XorPeerAddress(peer))));
                    assert_eq!(message.get(), Ok(Some(Data(&payload))));
                }
            }
        }
    }

    #[test]
    fn dont_fragment_takes_four_bytes_more() {
        for (peer, prefix) in [("192.0.2.1:7", 40), ("[2001:db8::1]:7", 52)] {
            let peer: SocketAddr = peer.parse().unwrap();
            let packet = framed(Framing::DontFragment { peer, id: ID }, b"payload", Carrier::Stream);
            assert_eq!(packet.len(), prefix + 8);
            let message = Message::parse(&packet).unwrap();
            assert_eq!((message.method(), message.get()), (Method::SEND, Ok(Some(DontFragment))));
            assert_eq!(message.get(), Ok(Some(Data(b"payload"))));
            assert_eq!(message.get(), Ok(Some(XorPeerAddress(peer))));
        }
    }

    #[test]
    fn channel_data_is_padded_on_streams_only() {
        let framing = Framing::Channel(ChannelNumber(0x4FFF));
        for len in 0..9 {
            let payload = vec![0xAB; len];
            let datagram = framed(framing, &payload, Carrier::Datagram);
            assert_eq!(datagram.len(), 4 + len);
            let stream = framed(framing, &payload, Carrier::Stream);
            assert_eq!(ChannelData::stream_len(&stream), Ok(Some(stream.len())));
            for packet in [datagram, stream] {
                assert_eq!(ChannelData::parse(&packet).unwrap().data, payload);
            }
        }
    }

    #[test]
    fn what_no_message_can_hold_is_refused() {
        let reserved = Framing::Channel(ChannelNumber(0x5000));
        assert_eq!(reserved.around(1, Carrier::Stream).unwrap_err(), EncodeError::ChannelNumber(0x5000));
        let channel = Framing::Channel(ChannelNumber(0x4000));
        assert!(channel.around(65_535, Carrier::Datagram).is_ok());
        assert_eq!(channel.around(65_536, Carrier::Datagram).unwrap_err(), EncodeError::DataTooLong);
        let peer = "[2001:db8::1]:7".parse().unwrap();
        let indication = Framing::Indication { method: Method::SEND, peer, id: ID };
        let most = MAX_BODY_LEN - (48 - HEADER_LEN);
        let packet = framed(indication, &vec![1; most], Carrier::Datagram);
        assert_eq!(Message::parse(&packet).unwrap().get(), Ok(Some(Data(&vec![1; most]))));
        assert_eq!(indication.around(most + 1, Carrier::Datagram).unwrap_err(), EncodeError::DataTooLong);
        assert_eq!(
            indication.around(usize::MAX / 2, Carrier::Datagram).unwrap_err(),
            EncodeError::DataTooLong
        );
    }
}
