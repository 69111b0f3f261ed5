//! The same operations in other crates, as their own agents do them.

use std::hint::black_box;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use floe_benches::floor::{Floor, PASSWORD, REQUEST_LEN, RESPONSE_LEN};
use floe_benches::timing;
use is::stun::{StunMessage, TransId};
use is::{DefaultSha1HmacProvider, Sha1HmacProvider};
use rice_stun_types::attribute as ice;
use rtc_ice::attributes::control::AttrControlling;
use rtc_ice::attributes::priority::PriorityAttr;
use rtc_ice::attributes::use_candidate::UseCandidateAttr;
use rtc_ice::crypto::RTCCryptoProvider;
use rtc_stun::attributes::ATTR_USERNAME;
use rtc_stun::fingerprint::FINGERPRINT;
use rtc_stun::integrity::MessageIntegrity;
use rtc_stun::message::{self as rtc, Getter, Setter};
use rtc_stun::textattrs::TextAttribute;
use rtc_stun::xoraddr::XorMappedAddress;
use stun_types::attribute::{Username, XorMappedAddress as MappedAddress};
use stun_types::message::{
    BINDING, IntegrityAlgorithm, IntegrityKey, Message, MessageClass, MessageType, MessageWrite as _,
    MessageWriteExt as _, MessageWriteMutSlice, ShortTermCredentials, TransactionId,
};

const USERNAME: &str = "12345678:87654321";
const TIE_BREAKER: u64 = 0x932f_f9b1_5126_3b36;
const PRIORITY: u32 = 0x6e00_01ff;

/// What another codec does with the messages of a connectivity check.
pub(crate) trait Codec {
    fn new(request: [u8; REQUEST_LEN], response: [u8; RESPONSE_LEN]) -> Self;
    fn parse_request(&mut self) -> bool;
    fn verify_request(&mut self) -> bool;
    fn encode_request(&mut self) -> usize;
    fn parse_response(&mut self) -> bool;
}

/// Repeats an operation.
pub(crate) fn repeat<C: Codec, R>(repetitions: u32, operation: fn(&mut C) -> R) -> Duration {
    let floor = Floor::new();
    let mut codec = C::new(floor.request(), floor.response());
    assert!(codec.verify_request(), "it understands what floe writes");
    assert!(codec.parse_request() && codec.parse_response(), "it understands what floe writes");
    assert_eq!(codec.encode_request(), REQUEST_LEN);
    timing::of(|| {
        for _ in 0..repetitions {
            black_box(operation(black_box(&mut codec)));
        }
    })
}

/// `is`: FINGERPRINT is not checked, and the key is made anew for every message.
pub(crate) struct Is {
    request: [u8; REQUEST_LEN],
    response: [u8; RESPONSE_LEN],
    out: [u8; 256],
}

fn sha1_hmac(key: &[u8], payloads: &[&[u8]]) -> [u8; 20] {
    DefaultSha1HmacProvider.sha1_hmac(key, payloads)
}

impl Is {
    fn read(message: &StunMessage<'_>) {
        black_box((message.split_username(), message.prio(), message.use_candidate()));
        black_box((message.ice_controlling(), message.mapped_address(), message.trans_id()));
    }
}

impl Codec for Is {
    fn new(request: [u8; REQUEST_LEN], response: [u8; RESPONSE_LEN]) -> Self {
        Self { request, response, out: [0; 256] }
    }

    #[inline(never)]
    fn parse_request(&mut self) -> bool {
        StunMessage::parse(&self.request).is_ok_and(|message| {
            Self::read(&message);
            message.is_binding_request()
        })
    }

    #[inline(never)]
    fn verify_request(&mut self) -> bool {
        StunMessage::parse(&self.request).is_ok_and(|message| {
            Self::read(&message);
            message.is_binding_request() && message.verify(black_box(PASSWORD).as_bytes(), sha1_hmac)
        })
    }

    #[inline(never)]
    fn encode_request(&mut self) -> usize {
        let id = TransId::new();
        let message =
            StunMessage::binding_request(black_box(USERNAME), id, true, TIE_BREAKER, PRIORITY, true);
        message.to_bytes(Some(black_box(PASSWORD).as_bytes()), &mut self.out, sha1_hmac).unwrap_or(0)
    }

    #[inline(never)]
    fn parse_response(&mut self) -> bool {
        StunMessage::parse(&self.response).is_ok_and(|message| {
            Self::read(&message);
            message.is_successful_binding_response()
        })
    }
}

/// `stun-types`, with the ICE attributes of `rice-stun-types`. The key is kept.
pub(crate) struct StunTypes {
    key: IntegrityKey,
    request: [u8; REQUEST_LEN],
    response: [u8; RESPONSE_LEN],
    out: [u8; 256],
}

impl StunTypes {
    fn read(message: &Message<'_>) -> bool {
        let username = message.attribute::<Username>().is_ok_and(|u| !black_box(u.username()).is_empty());
        let priority = message.attribute::<ice::Priority>().is_ok_and(|p| black_box(p.priority()) > 0);
        let role = message.attribute::<ice::IceControlling>().is_ok_and(|r| black_box(r.tie_breaker()) > 0);
        username && priority && role && message.attribute::<ice::UseCandidate>().is_ok()
    }

    fn write(&mut self) -> Option<usize> {
        let kind = MessageType::from_class_method(MessageClass::Request, BINDING);
        let id: TransactionId = black_box(0x7472_616e_7361_6374_696f_6e21).into();
        let mut writer = Message::builder(kind, id, MessageWriteMutSlice::new(&mut self.out));
        writer.add_attribute(&Username::new(black_box(USERNAME)).ok()?).ok()?;
        writer.add_attribute(&ice::IceControlling::new(black_box(TIE_BREAKER))).ok()?;
        writer.add_attribute(&ice::Priority::new(black_box(PRIORITY))).ok()?;
        writer.add_attribute(&ice::UseCandidate::new()).ok()?;
        writer.add_message_integrity_with_key(&self.key, IntegrityAlgorithm::Sha1).ok()?;
        writer.add_fingerprint().ok()?;
        Some(writer.finish())
    }
}

impl Codec for StunTypes {
    fn new(request: [u8; REQUEST_LEN], response: [u8; RESPONSE_LEN]) -> Self {
        let key = ShortTermCredentials::new(PASSWORD.to_owned()).make_key();
        Self { key, request, response, out: [0; 256] }
    }

    #[inline(never)]
    fn parse_request(&mut self) -> bool {
        Message::from_bytes(&self.request).is_ok_and(|message| Self::read(&message))
    }

    #[inline(never)]
    fn verify_request(&mut self) -> bool {
        Message::from_bytes(&self.request).is_ok_and(|message| {
            Self::read(&message) && message.validate_integrity_with_key(&self.key).is_ok()
        })
    }

    #[inline(never)]
    fn encode_request(&mut self) -> usize {
        self.write().unwrap_or(0)
    }

    #[inline(never)]
    fn parse_response(&mut self) -> bool {
        Message::from_bytes(&self.response).is_ok_and(|message| {
            let id = message.transaction_id();
            message.attribute::<MappedAddress>().is_ok_and(|mapped| black_box(mapped.addr(id)).port() > 0)
        })
    }
}

/// `rtc-stun`, with the ICE attributes of `rtc-ice`. A message is made anew each time, as `rtc-ice` does.
pub(crate) struct RtcStun {
    crypto: Arc<dyn RTCCryptoProvider>,
    request: [u8; REQUEST_LEN],
    response: [u8; RESPONSE_LEN],
}

impl RtcStun {
    fn read(message: &rtc::Message) -> bool {
        let mut username = TextAttribute::new(ATTR_USERNAME, String::new());
        let (mut priority, mut role) = (PriorityAttr::default(), AttrControlling::default());
        let read = username.get_from(message).is_ok()
            && priority.get_from(message).is_ok()
            && role.get_from(message).is_ok()
            && UseCandidateAttr::is_set(message);
        black_box((username.text, priority.0, role.0));
        read && FINGERPRINT.check(message).is_ok()
    }

    fn parse(bytes: &[u8]) -> Option<rtc::Message> {
        let mut message = rtc::Message::new();
        message.unmarshal_binary(bytes).ok()?;
        Some(message)
    }
}

impl Codec for RtcStun {
    fn new(request: [u8; REQUEST_LEN], response: [u8; RESPONSE_LEN]) -> Self {
        let crypto = rtc_ice::crypto::default_provider().expect("it is built in");
        Self { crypto, request, response }
    }

    #[inline(never)]
    fn parse_request(&mut self) -> bool {
        Self::parse(&self.request).is_some_and(|message| Self::read(&message))
    }

    #[inline(never)]
    fn verify_request(&mut self) -> bool {
        let Some(mut message) = Self::parse(&self.request) else { return false };
        let key = black_box(PASSWORD).as_bytes();
        Self::read(&message) && MessageIntegrity::check(&mut message, key, self.crypto.crypto()).is_ok()
    }

    #[inline(never)]
    fn encode_request(&mut self) -> usize {
        let mut message = rtc::Message::new();
        let integrity = MessageIntegrity::new_short_term_integrity_with_provider(
            PASSWORD.to_owned(),
            self.crypto.crypto(),
        );
        let parts: [Box<dyn Setter + '_>; 8] = [
            Box::new(rtc::BINDING_REQUEST),
            Box::new(rtc::TransactionId(*b"transaction!")),
            Box::new(TextAttribute::new(ATTR_USERNAME, USERNAME.to_owned())),
            Box::new(UseCandidateAttr::new()),
            Box::new(AttrControlling(TIE_BREAKER)),
            Box::new(PriorityAttr(PRIORITY)),
            Box::new(integrity),
            Box::new(FINGERPRINT),
        ];
        message.build(&parts).map_or(0, |()| message.raw.len())
    }

    #[inline(never)]
    fn parse_response(&mut self) -> bool {
        let Some(message) = Self::parse(&self.response) else { return false };
        let mut mapped = XorMappedAddress::default();
        let read = mapped.get_from(&message).is_ok() && FINGERPRINT.check(&message).is_ok();
        black_box(SocketAddr::new(mapped.ip, mapped.port));
        read
    }
}
