//! How data get to a peer past the client (RFC 8656 §11.1, §12.5).

use core::fmt;
use core::net::SocketAddr;
use core::ops::Range;

use floe_stun::attributes::ChannelNumber;
use floe_stun::{Method, TransactionId};

use crate::framing::{Carrier, Frame, Framing};

/// The way to a peer through the relay. A small `Copy` value: keep it, and ask
/// [`Client::relay_path`](crate::Client::relay_path) again when [`Client::path_epoch`](crate::Client::path_epoch) no
/// longer equals [`epoch`](Self::epoch).
///
/// Data go past the client, and a payload is never copied: reserve [`MAX_PREFIX`](crate::MAX_PREFIX) bytes in front of it
/// and [`MAX_PADDING`](crate::MAX_PADDING) behind it, and [`frame`](Self::frame) it where it lies. Tell the client now
/// and then with [`Client::record_sent`](crate::Client::record_sent) that the path is in use, or its permission lapses.
///
/// ```
/// use floe_turn::client::RelayPath;
/// use floe_turn::{MAX_PADDING, MAX_PREFIX};
///
/// fn send(path: &mut RelayPath, payload: &[u8], socket: &std::net::UdpSocket) -> Result<(), Box<dyn std::error::Error>> {
///     let mut buffer = vec![0; MAX_PREFIX + payload.len() + MAX_PADDING];
///     let place = MAX_PREFIX..MAX_PREFIX + payload.len();
///     buffer[place.clone()].copy_from_slice(payload); // better: whoever makes the payload writes it there
///     let packet = path.frame(&mut buffer, place)?;
///     socket.send(&buffer[packet])?;
///     Ok(())
/// }
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RelayPath {
    peer: SocketAddr,
    framing: Framing,
    carrier: Carrier,
    epoch: u32,
    /// Changes the transaction id from one Send indication to the next.
    count: u32,
}

impl RelayPath {
    /// In a channel (RFC 8656 §12.5).
    pub(super) const fn channel(
        peer: SocketAddr,
        channel: ChannelNumber,
        carrier: Carrier,
        epoch: u32,
    ) -> Self {
        Self { peer, framing: Framing::Channel(channel), carrier, epoch, count: 0 }
    }

    /// By Send indications (RFC 8656 §11.1), whose transaction ids begin with that of `id`.
    pub(super) const fn indication(
        peer: SocketAddr,
        id: TransactionId,
        dont_fragment: bool,
        carrier: Carrier,
        epoch: u32,
    ) -> Self {
        let framing = if dont_fragment {
            Framing::DontFragment { peer, id }
        } else {
            Framing::Indication { method: Method::SEND, peer, id }
        };
        Self { peer, framing, carrier, epoch, count: 0 }
    }

    /// The peer that the path leads to.
    #[must_use]
    pub const fn peer(&self) -> SocketAddr {
        self.peer
    }

    /// The channel, if the path is one; otherwise Send indications carry the data.
    #[must_use]
    pub const fn channel_number(&self) -> Option<ChannelNumber> {
        match self.framing {
            Framing::Channel(channel) => Some(channel),
            _ => None,
        }
    }

    /// The path is good while this equals [`Client::path_epoch`](crate::Client::path_epoch).
    #[must_use]
    pub const fn epoch(&self) -> u32 {
        self.epoch
    }

    /// What goes around a payload of `len` bytes, for a system call that gathers.
    ///
    /// # Errors
    ///
    /// [`FrameError::PayloadTooLong`].
    pub fn around(&mut self, len: usize) -> Result<Frame, FrameError> {
        let framing = self.next_framing();
        framing.around(len, self.carrier).map_err(|_| FrameError::PayloadTooLong)
    }

    /// Frames the payload that lies in `buffer` at `payload`: writes what goes in front of it and what goes behind it.
    /// Returns the place of the packet.
    ///
    /// # Errors
    ///
    /// [`FrameError`]: the payload is too long, or there is no room around it. Nothing is written then.
    pub fn frame(&mut self, buffer: &mut [u8], payload: Range<usize>) -> Result<Range<usize>, FrameError> {
        if payload.start > payload.end || payload.end > buffer.len() {
            return Err(FrameError::NoTailroom);
        }
        let frame = self.around(payload.len())?;
        let (prefix, padding) = (frame.prefix(), frame.padding());
        let start = payload.start.checked_sub(prefix.len()).ok_or(FrameError::NoHeadroom)?;
        let end = payload.end + padding.len();
        let behind = buffer.get_mut(payload.end..end).ok_or(FrameError::NoTailroom)?;
        behind.copy_from_slice(padding);
        buffer[start..payload.start].copy_from_slice(prefix);
        Ok(start..end)
    }

    /// RFC 8489 §5: no two indications have the same id. The first 64 bits are random, the rest counts from where it is.
    fn next_framing(&mut self) -> Framing {
        let count = self.count;
        let fresh = |id: TransactionId| {
            let [start @ .., a, b, c, d] = *id.as_bytes();
            let tail = u32::from_be_bytes([a, b, c, d]).wrapping_add(count).to_be_bytes();
            let mut bytes = [0; 12];
            bytes[..8].copy_from_slice(&start);
            bytes[8..].copy_from_slice(&tail);
            TransactionId::new(bytes)
        };
        self.count = self.count.wrapping_add(1);
        match self.framing {
            Framing::Channel(channel) => Framing::Channel(channel),
            Framing::Indication { method, peer, id } => Framing::Indication { method, peer, id: fresh(id) },
            Framing::DontFragment { peer, id } => Framing::DontFragment { peer, id: fresh(id) },
        }
    }
}

/// Why a payload could not be framed. The caller's mistake.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum FrameError {
    /// The payload is longer than the message can carry: at most 65535 bytes in a channel, about 65500 otherwise.
    PayloadTooLong,
    /// Too few bytes in front of the payload: reserve [`MAX_PREFIX`](crate::MAX_PREFIX).
    NoHeadroom,
    /// The payload runs past the buffer, or leaves too few bytes behind it: reserve
    /// [`MAX_PADDING`](crate::MAX_PADDING).
    NoTailroom,
}

impl fmt::Display for FrameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::PayloadTooLong => "the payload is longer than a relayed message can carry",
            Self::NoHeadroom => "too little room in front of the payload: reserve MAX_PREFIX bytes",
            Self::NoTailroom => "too little room behind the payload: reserve MAX_PADDING bytes",
        })
    }
}

impl core::error::Error for FrameError {}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::vec;

    use floe_stun::Message;
    use floe_stun::attributes::{Data, XorPeerAddress};

    use super::*;

    const ID: TransactionId = TransactionId::new([0xFF; 12]);
    const PEERS: [&str; 2] = ["192.0.2.7:4000", "[2001:db8::7]:4000"];

    #[test]
    fn a_payload_is_framed_where_it_lies() {
        for (peer, prefix) in PEERS.into_iter().zip([36, 48]) {
            let peer = peer.parse().unwrap();
            for (dont_fragment, more) in [(false, 0), (true, 4)] {
                let mut path = RelayPath::indication(peer, ID, dont_fragment, Carrier::Datagram, 0);
                for len in [0, 1, 2, 3, 4, 1199] {
                    let mut buffer = vec![0xEE; 60 + len + 10];
                    let packet = path.frame(&mut buffer, 60..60 + len).unwrap();
                    assert_eq!(packet, 60 - prefix - more..60 + len.next_multiple_of(4));
                    let message = Message::parse(&buffer[packet.clone()]).unwrap();
                    assert_eq!(message.get(), Ok(Some(XorPeerAddress(peer))));
                    assert_eq!(message.get(), Ok(Some(Data(&vec![0xEE; len]))));
                    assert!(buffer[..packet.start].iter().chain(&buffer[packet.end..]).all(|&b| b == 0xEE));
                }
            }
        }
    }

    #[test]
    fn send_indications_of_a_path_have_different_ids() {
        for peer in PEERS {
            let peer: SocketAddr = peer.parse().unwrap();
            let mut path = RelayPath::indication(peer, ID, false, Carrier::Datagram, 0);
            let ids: BTreeSet<[u8; 12]> = (0..300)
                .map(|_| {
                    let mut buffer = [0; 64];
                    let packet = path.frame(&mut buffer, 52..60).unwrap();
                    let message = Message::parse(&buffer[packet]).unwrap();
                    assert_eq!(message.get(), Ok(Some(XorPeerAddress(peer))), "whatever the id");
                    *message.transaction_id().as_bytes()
                })
                .collect();
            assert_eq!(ids.len(), 300);
        }
    }

    #[test]
    fn what_does_not_fit_is_the_callers_error_and_writes_nothing() {
        let peer = PEERS[1].parse().unwrap();
        let mut indication = RelayPath::indication(peer, ID, true, Carrier::Datagram, 0);
        let mut buffer = vec![0xEE; 70_000];
        assert_eq!(indication.frame(&mut buffer, 51..60), Err(FrameError::NoHeadroom));
        assert_eq!(indication.frame(&mut buffer, 52..70_001), Err(FrameError::NoTailroom));
        assert_eq!(indication.frame(&mut buffer[..61], 52..61), Err(FrameError::NoTailroom));
        #[expect(clippy::reversed_empty_ranges, reason = "a caller may get it wrong")]
        let reversed = 60..52;
        assert_eq!(indication.frame(&mut buffer, reversed), Err(FrameError::NoTailroom));
        assert_eq!(indication.frame(&mut buffer, 100..65_601), Err(FrameError::PayloadTooLong));
        let mut channel = RelayPath::channel(peer, ChannelNumber(0x4000), Carrier::Datagram, 0);
        assert_eq!(channel.frame(&mut buffer, 4..65_540), Err(FrameError::PayloadTooLong));
        assert!(buffer.iter().all(|&byte| byte == 0xEE));
        assert_eq!(channel.frame(&mut buffer, 4..65_539), Ok(0..65_539));
        assert_eq!(
            (channel.channel_number(), indication.channel_number()),
            (Some(ChannelNumber(0x4000)), None)
        );
    }
}
