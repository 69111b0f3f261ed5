//! Bytes from anywhere through every decoder of the STUN codec.

use floe_stun::attributes::{
    AdditionalAddressFamily, AddressErrorCode, AlternateDomain, AlternateServer, ChangeRequest, ChannelNumber,
    ConnectionId, Data, DontFragment, ErrorCode, EvenPort, IceControlled, IceControlling, Icmp, Lifetime,
    MappedAddress, MobilityTicket, Nomination, Nonce, OtherAddress, Padding, PasswordAlgorithm,
    PasswordAlgorithms, Priority, Realm, RequestedAddressFamily, RequestedTransport, ReservationToken,
    ResponseOrigin, ResponsePort, Software, UnknownAttributes, UseCandidate, Userhash, Username,
    XorMappedAddress, XorPeerAddress, XorRelayedAddress,
};
use floe_stun::{
    Attribute, AttributeType, ChannelData, EncodeError, IntegrityAlgorithm, Key, Message, MessageBuilder,
    PacketKind, RawAttribute, SecurityFeatures, classify, is_stun,
};

/// Decodes `data` as a datagram, as a stream, and as ChannelData.
///
/// # Panics
///
/// If what was decoded contradicts itself or the rules of RFC 8489.
pub fn run(data: &[u8]) {
    stream(data);
    channel_data(data);
    if let Some(features) = SecurityFeatures::from_nonce(data) {
        assert_eq!(features.nonce_cookie(), data[..SecurityFeatures::COOKIE_LEN]);
    }
    match Message::parse(data) {
        Ok(message) => {
            assert!(is_stun(data));
            // Methods from 0x100 on do not share a port with other protocols (RFC 7983 §7).
            assert_eq!(classify(data) == PacketKind::Stun, message.method().number() < 0x100);
            assert_eq!(message.as_bytes(), data);
            typed_values(&message);
            integrity(&message);
            rebuild(&message);
        }
        // Whatever is wrong with it, it can be said.
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

/// The whole messages at the start of a stream.
fn stream(mut data: &[u8]) {
    loop {
        let len = Message::frame_len(data);
        match Message::parse_prefix(data) {
            Ok((message, rest)) => {
                assert_eq!(len, Ok(Some(message.as_bytes().len())));
                let again = Message::parse(message.as_bytes());
                assert!(again.is_ok_and(|again| again.attributes().eq(message.attributes())));
                data = rest;
            }
            Err(_) => return,
        }
    }
}

fn channel_data(data: &[u8]) {
    let len = ChannelData::stream_len(data);
    if let Ok(message) = ChannelData::parse(data) {
        let header = ChannelData::header(message.channel, message.data.len());
        assert_eq!(header.as_ref().map(<[u8; 4]>::as_slice), Ok(&data[..4]));
        let padding = ChannelData::stream_padding(message.data.len());
        assert_eq!(len, Ok(Some(4 + message.data.len() + padding)));
        assert_eq!(classify(data), PacketKind::TurnChannel);
    }
}

/// What decodes as one of these types encodes again, and to what decodes to the same value.
macro_rules! round_trip {
    ($raw:expr, $id:expr, $($attribute:ident)*) => {$(
        if $raw.kind == $attribute::TYPE && let Ok(value) = $attribute::decode($raw, $id) {
            let mut bytes = vec![0xEE; value.value_len()];
            match value.encode(&mut bytes, $id) {
                Ok(()) => {
                    let again = $attribute::decode(RawAttribute { kind: $raw.kind, value: &bytes }, $id);
                    assert_eq!(again.as_ref(), Ok(&value));
                }
                // Longer than may be sent, yet no longer than must be accepted (RFC 8489 §14.3).
                Err(error) => assert_eq!(error, EncodeError::AttributeTooLong($raw.kind)),
            }
        }
    )*};
}

fn typed_values(message: &Message<'_>) {
    let id = message.transaction_id();
    for raw in message.attributes() {
        round_trip!(raw, &id,
            AdditionalAddressFamily AddressErrorCode AlternateDomain AlternateServer ChangeRequest ChannelNumber
            ConnectionId Data DontFragment ErrorCode EvenPort IceControlled IceControlling Icmp Lifetime
            MappedAddress MobilityTicket Nomination Nonce OtherAddress Padding PasswordAlgorithm
            PasswordAlgorithms Priority Realm RequestedAddressFamily RequestedTransport ReservationToken
            ResponseOrigin ResponsePort Software UnknownAttributes UseCandidate Userhash Username
            XorMappedAddress XorPeerAddress XorRelayedAddress
        );
    }
}

/// Nobody but the holder of the key makes a message that verifies, and that is not us.
fn integrity(message: &Message<'_>) {
    let key = Key::from_bytes(b"a key that no seed was made with");
    assert!(message.verify(&key).is_err());
    let protected = message.attributes().any(|raw| is_protection(raw.kind) && raw.kind.is_comprehension_required());
    assert_eq!(message.has_integrity(), protected);
}

const fn is_protection(kind: AttributeType) -> bool {
    matches!(
        kind,
        AttributeType::MESSAGE_INTEGRITY | AttributeType::MESSAGE_INTEGRITY_SHA256 | AttributeType::FINGERPRINT
    )
}

/// The attributes that count, signed by a key holder: they come out as they went in.
fn rebuild(message: &Message<'_>) {
    let key = Key::short_term("the hostile peer's own password");
    let body = || message.attributes().filter(|raw| !is_protection(raw.kind));
    let mut out = vec![0xEE; message.as_bytes().len() + 64];
    let builder = MessageBuilder::new(&mut out, message.class(), message.method(), message.transaction_id());
    let builder = body().fold(builder, MessageBuilder::raw_attribute);
    // A message of the greatest length leaves no room for more.
    let Ok(len) = builder.integrity(&key, IntegrityAlgorithm::Sha1).fingerprint().finish() else {
        assert!(message.as_bytes().len() > 65_000);
        return;
    };
    let Ok(Ok(again)) = Message::parse(&out[..len]).map(|again| again.verify(&key)) else {
        panic!("what was built does not verify: {:02x?}", &out[..len]);
    };
    assert!(again.attributes().take(body().count()).eq(body()));
    assert_eq!(again.attributes().count(), body().count() + 2);
    assert!(again.unknown_required(&[]).eq(message.unknown_required(&[])));
}
