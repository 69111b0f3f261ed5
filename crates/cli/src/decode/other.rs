//! What a packet is that is not STUN: RFC 7983.

use floe::stun::{PacketKind, classify, is_stun};

/// What the packet looks like, in a few words that follow "looks like".
pub(crate) fn guess(packet: &[u8]) -> String {
    match classify(packet) {
        PacketKind::Stun if is_stun(packet) => "STUN".to_owned(),
        PacketKind::Stun => "neither STUN nor anything known".to_owned(),
        PacketKind::Zrtp => "ZRTP".to_owned(),
        PacketKind::Dtls => dtls(packet),
        PacketKind::TurnChannel => "ChannelData".to_owned(),
        PacketKind::Rtp => rtp(packet),
        _ => match packet.first() {
            None => "nothing, it is empty".to_owned(),
            Some(192..) => "QUIC with a long header (RFC 9443), or nothing known".to_owned(),
            Some(80..=127) => "QUIC with a short header (RFC 9443), or nothing known".to_owned(),
            Some(_) => "nothing known".to_owned(),
        },
    }
}

/// What RFC 7983 §7 says about a first byte.
pub(crate) fn first_byte(first: u8) -> String {
    let protocol = match first {
        0..=3 => "STUN (0 to 3)",
        16..=19 => "ZRTP (16 to 19)",
        20..=63 => "DTLS (20 to 63)",
        64..=79 => "a TURN channel (64 to 79)",
        128..=191 => "RTP or RTCP (128 to 191)",
        _ => return format!("0x{first:02x} as the first byte belongs to no protocol (RFC 7983)"),
    };
    format!("0x{first:02x} as the first byte means {protocol}, by RFC 7983")
}

/// RFC 6347 §4.1: content type, version, epoch, sequence number, length. RFC 9147 §4: types 32 to 63 begin a
/// unified header of DTLS 1.3.
fn dtls(packet: &[u8]) -> String {
    let content = match packet.first() {
        Some(20) => "change cipher spec",
        Some(21) => "alert",
        Some(22) => "handshake",
        Some(23) => "application data",
        Some(26) => "acknowledgement",
        Some(32..) => return "DTLS 1.3, encrypted".to_owned(),
        _ => "unknown content",
    };
    let version = match packet.get(1..3) {
        Some([254, 255]) => " 1.0",
        Some([254, 253]) => " 1.2",
        _ => "",
    };
    format!("DTLS{version}, {content}")
}

/// RFC 3550 §5.1 and §6; RFC 5761 §4 tells the two apart.
fn rtp(packet: &[u8]) -> String {
    match packet.get(1) {
        Some(kind @ 192..=223) => format!("RTCP, packet type {kind}"),
        Some(byte) => format!("RTP, payload type {}", byte & 0x7F),
        None => "RTP or RTCP".to_owned(),
    }
}

/// Where in the packet a whole STUN message begins, if not at its start: behind other headers, or a length prefix.
pub(crate) fn stun_inside(packet: &[u8]) -> Option<usize> {
    (1..packet.len()).find(|&at| is_stun(packet.get(at..).unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_are_told_apart_by_their_first_bytes() {
        for (packet, expected) in [
            (&[][..], "nothing, it is empty"),
            (&[22, 254, 253, 0], "DTLS 1.2, handshake"),
            (&[22, 254, 255], "DTLS 1.0, handshake"),
            (&[23], "DTLS, application data"),
            (&[47, 1], "DTLS 1.3, encrypted"),
            (&[0x80, 0xE0], "RTP, payload type 96"),
            (&[0x80, 200], "RTCP, packet type 200"),
            (&[0x80], "RTP or RTCP"),
            (&[17], "ZRTP"),
            (&[0x40, 1, 0, 0], "ChannelData"),
            (&[0xC3, 0, 0, 0, 1], "QUIC with a long header (RFC 9443), or nothing known"),
            (&[5], "nothing known"),
            (&[0, 1], "neither STUN nor anything known"),
        ] {
            assert_eq!(guess(packet), expected, "{packet:?}");
        }
    }

    #[test]
    fn a_message_behind_other_headers_is_found() {
        let mut packet = vec![0x45; 28];
        packet.extend([0, 1, 0, 0, 0x21, 0x12, 0xA4, 0x42, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
        assert_eq!(stun_inside(&packet), Some(28));
        assert_eq!(stun_inside(&packet[28..]), None, "its start is not inside");
    }
}
