//! Telling apart the protocols that share a port (RFC 7983).

use crate::header::{HEADER_LEN, MAGIC_COOKIE};

/// What a datagram may be, by its first byte (RFC 7983 §7, RFC 8656 table 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PacketKind {
    /// 0 to 3. Ask [`is_stun`] before believing it.
    Stun,
    /// 16 to 19.
    Zrtp,
    /// 20 to 63.
    Dtls,
    /// 64 to 79.
    TurnChannel,
    /// 128 to 191: RTP or RTCP.
    Rtp,
    /// Any other first byte, or no byte at all. RFC 7983 drops these; an application whose payload may start with
    /// any byte does not.
    Other,
}

/// Classifies a datagram by its first byte (RFC 7983 §7).
///
/// ```
/// use floe_stun::{PacketKind, classify};
///
/// assert_eq!(classify(&[22, 254, 253]), PacketKind::Dtls);
/// assert_eq!(classify(&[]), PacketKind::Other);
/// ```
#[must_use]
#[inline]
pub const fn classify(datagram: &[u8]) -> PacketKind {
    match datagram.first() {
        Some(0..=3) => PacketKind::Stun,
        Some(16..=19) => PacketKind::Zrtp,
        Some(20..=63) => PacketKind::Dtls,
        Some(64..=79) => PacketKind::TurnChannel,
        Some(128..=191) => PacketKind::Rtp,
        _ => PacketKind::Other,
    }
}

/// Whether a datagram has the header of a STUN message that fills it: clear leading bits, magic cookie, and a length
/// field that is a multiple of four and agrees with the datagram's size (RFC 8489 §5).
///
/// Methods from `0x100` on pass too, although their first byte says DTLS or TURN channel to [`classify`]; none can be
/// assigned (RFC 8489 §18.2).
///
/// Cheap enough for every datagram, and so unlikely to hold for anything else that an application's payload which
/// passes must not be sent on a port that STUN shares.
///
/// ```
/// use floe_stun::is_stun;
///
/// let mut packet = [0; 20];
/// packet[1] = 1;
/// packet[4..8].copy_from_slice(&[0x21, 0x12, 0xa4, 0x42]);
/// assert!(is_stun(&packet));
/// assert!(!is_stun(&packet[..19]));
/// ```
#[must_use]
#[inline]
pub fn is_stun(datagram: &[u8]) -> bool {
    let Some(&[t0, _, l0, l1, c0, c1, c2, c3]) = datagram.first_chunk() else {
        return false;
    };
    let length = u16::from_be_bytes([l0, l1]);
    t0 & 0xC0 == 0
        && u32::from_be_bytes([c0, c1, c2, c3]) == MAGIC_COOKIE
        && length.is_multiple_of(4)
        && HEADER_LEN + usize::from(length) == datagram.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_first_byte_has_its_kind() {
        for byte in 0..=255 {
            let expected = match byte {
                0..=3 => PacketKind::Stun,
                16..=19 => PacketKind::Zrtp,
                20..=63 => PacketKind::Dtls,
                64..=79 => PacketKind::TurnChannel,
                128..=191 => PacketKind::Rtp,
                4..=15 | 80..=127 | 192..=255 => PacketKind::Other,
            };
            assert_eq!(classify(&[byte, 0xFF]), expected, "first byte {byte}");
        }
        assert_eq!(classify(&[]), PacketKind::Other);
    }

    #[test]
    fn is_stun_needs_every_part_of_the_header() {
        let good =
            [0x01, 0x01, 0, 4, 0x21, 0x12, 0xA4, 0x42, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x80, 0x22, 0, 0];
        assert!(is_stun(&good));
        for len in 0..good.len() {
            assert!(!is_stun(&good[..len]), "{len} bytes");
        }
        for (byte, change) in [(0, 0x40), (0, 0x80), (3, 1), (3, 4), (2, 1), (4, 1), (5, 1), (6, 1), (7, 1)] {
            let mut bad = good;
            bad[byte] ^= change;
            assert!(!is_stun(&bad), "byte {byte} changed by {change}");
        }
    }
}
