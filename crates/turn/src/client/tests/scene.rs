//! A client, the clock, and what a server says.

use std::net::SocketAddr;
use std::string::String;
use std::vec;
use std::vec::Vec;

use floe_stun::attributes::{
    ErrorCode, Lifetime, Nonce, PasswordAlgorithms, Realm, XorMappedAddress, XorRelayedAddress,
};
use floe_stun::{
    Attribute, AttributeType, Class, IntegrityAlgorithm, Key, Message, MessageBuilder, Method, Time,
};

use super::super::{Client, Config, Credentials, Event, MAX_TRANSMIT, Received, Rejection};
use crate::Carrier;

pub(super) const SERVER: &str = "192.0.2.1:3478";
pub(super) const RELAYED: &str = "192.0.2.1:50000";
pub(super) const MAPPED: &str = "203.0.113.9:40000";
pub(super) const USER: &str = "user";
pub(super) const PASSWORD: &str = "secret";
pub(super) const REALM: &str = "example.org";
pub(super) const NONCE: &str = "a nonce without features";

pub(super) fn addr(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

/// The key that a server without PASSWORD-ALGORITHMS has.
pub(super) fn key() -> Key {
    Key::long_term_md5(USER, REALM, PASSWORD)
}

pub(super) fn config() -> Config {
    Config::new(addr(SERVER), Some(Credentials::new(USER, PASSWORD).unwrap()), [1; 32])
}

/// A response under construction: attributes are added, then it is sealed.
pub(super) type Fill<'f> = &'f dyn for<'b> Fn(MessageBuilder<'b>) -> MessageBuilder<'b>;

pub(super) struct Scene {
    pub(super) client: Client,
    pub(super) now: Time,
    /// What the server protects its answers with.
    pub(super) key: Key,
    pub(super) algorithm: IntegrityAlgorithm,
    /// Packets sent while time passed.
    sent: Vec<Vec<u8>>,
}

impl Scene {
    pub(super) fn new(config: Config) -> Self {
        let client = Client::new(config).unwrap();
        let now = Time::from_secs(1000);
        Self { client, now, key: key(), algorithm: IntegrityAlgorithm::Sha1, sent: Vec::new() }
    }

    /// A client whose first Allocate request has been sent.
    pub(super) fn asking(config: Config) -> (Self, Vec<u8>) {
        let mut scene = Self::new(config);
        scene.client.allocate(scene.now).unwrap();
        let request = scene.request();
        (scene, request)
    }

    /// A client whose Allocate request has credentials.
    pub(super) fn challenged(config: Config) -> (Self, Vec<u8>) {
        let (mut scene, request) = Self::asking(config);
        scene.deliver(&challenge(&request, 401, NONCE));
        let request = scene.request();
        (scene, request)
    }

    /// A client with an allocation for 600 seconds.
    pub(super) fn allocated(config: Config) -> Self {
        let (mut scene, request) = Self::challenged(config);
        let answer = scene.success(&request, &grant);
        scene.deliver(&answer);
        assert!(matches!(scene.event(), Some(Event::Allocated(_))));
        assert_eq!(scene.event(), None);
        assert!(scene.packets().is_empty());
        scene
    }

    /// A client with an allocation and a permission for this peer.
    pub(super) fn permitted(config: Config, peer: &str) -> Self {
        let mut scene = Self::allocated(config);
        let peer = addr(peer).ip();
        scene.client.permit(peer, scene.now).unwrap();
        let request = scene.request();
        let answer = scene.success(&request, &|builder| builder);
        scene.deliver(&answer);
        assert_eq!(scene.events(), [Event::PermissionCreated { peer }]);
        scene
    }

    /// The only packet there is to send.
    pub(super) fn request(&mut self) -> Vec<u8> {
        let packets = self.packets();
        assert_eq!(packets.len(), 1, "{packets:?}");
        packets.into_iter().next().unwrap()
    }

    pub(super) fn packets(&mut self) -> Vec<Vec<u8>> {
        self.drain();
        core::mem::take(&mut self.sent)
    }

    fn drain(&mut self) {
        let mut out = [0xEE; MAX_TRANSMIT];
        while let Some(len) = self.client.poll_transmit(&mut out) {
            self.sent.push(out[..len].to_vec());
        }
        self.client.check_invariants();
    }

    pub(super) fn event(&mut self) -> Option<Event> {
        self.client.poll_event()
    }

    pub(super) fn events(&mut self) -> Vec<Event> {
        core::iter::from_fn(|| self.client.poll_event()).collect()
    }

    pub(super) fn hear(&mut self, datagram: &[u8]) -> Received {
        let received = self.client.handle_datagram(addr(SERVER), datagram, self.now);
        self.client.check_invariants();
        received
    }

    /// Delivers what has to be understood.
    pub(super) fn deliver(&mut self, datagram: &[u8]) {
        assert_eq!(self.hear(datagram), Received::Turn);
    }

    /// Delivers what has to be dropped.
    pub(super) fn reject(&mut self, datagram: &[u8], reason: Rejection) {
        let before = self.client.rejected(reason);
        assert_eq!(self.hear(datagram), Received::Rejected(reason));
        assert_eq!(self.client.rejected(reason), before + 1);
    }

    /// Lets time pass, with every timeout in between.
    pub(super) fn sleep_until(&mut self, until: Time) {
        self.drain();
        while let Some(at) = self.client.poll_timeout().filter(|&at| at <= until) {
            self.now = self.now.max(at);
            self.tick();
        }
        self.now = until;
        self.tick();
    }

    pub(super) fn pass(&mut self, secs: u64) {
        self.sleep_until(self.now + core::time::Duration::from_secs(secs));
    }

    /// Answers every request but those of the method `lost`, second by second. Returns what was not answered.
    pub(super) fn live_until(&mut self, until: u64, lost: Option<Method>) -> Vec<Vec<u8>> {
        let mut unanswered = Vec::new();
        while self.now < Time::from_secs(until) {
            self.pass(1);
            for request in self.packets() {
                if Some(parse(&request).method()) == lost {
                    unanswered.push(request);
                    continue;
                }
                let answer = self.success(&request, &|builder| builder.attribute(&Lifetime(600)));
                // The request may be there twice, half a second apart.
                let _ = self.hear(&answer);
            }
        }
        unanswered
    }

    fn tick(&mut self) {
        self.client.handle_timeout(self.now);
        assert!(self.client.poll_timeout().is_none_or(|at| at > self.now), "a busy loop");
        self.drain();
    }

    /// A protected success response.
    pub(super) fn success(&self, request: &[u8], fill: Fill<'_>) -> Vec<u8> {
        respond(request, Class::Success, fill, Some((&self.key, self.algorithm)))
    }

    /// A protected error response.
    pub(super) fn error(&self, request: &[u8], code: u16) -> Vec<u8> {
        self.error_with(request, code, &|builder| builder)
    }

    pub(super) fn error_with(&self, request: &[u8], code: u16, fill: Fill<'_>) -> Vec<u8> {
        let protection = Some((&self.key, self.algorithm));
        respond(request, Class::Error, &|builder| fill(coded(builder, code)), protection)
    }

    /// Answers the one request there is with success.
    pub(super) fn grant_request(&mut self, method: Method) -> Vec<u8> {
        let request = self.request();
        assert_eq!(parse(&request).method(), method);
        let answer = self.success(&request, &|builder| builder);
        self.deliver(&answer);
        request
    }

    /// Answers the one request there is with an error.
    pub(super) fn refuse_request(&mut self, method: Method, code: u16) {
        let request = self.request();
        assert_eq!(parse(&request).method(), method);
        let answer = self.error(&request, code);
        self.deliver(&answer);
    }

    pub(super) fn is_stream(mut config: Config) -> Config {
        config.carrier = Carrier::Stream;
        config
    }
}

pub(super) fn parse(packet: &[u8]) -> Message<'_> {
    Message::parse(packet).unwrap()
}

pub(super) fn coded(builder: MessageBuilder<'_>, code: u16) -> MessageBuilder<'_> {
    builder.attribute(&ErrorCode::new(code, "because"))
}

/// What every Allocate success response has.
pub(super) fn grant(builder: MessageBuilder<'_>) -> MessageBuilder<'_> {
    builder
        .attribute(&XorRelayedAddress(addr(RELAYED)))
        .attribute(&XorMappedAddress(addr(MAPPED)))
        .attribute(&Lifetime(600))
}

pub(super) fn respond(
    request: &[u8],
    class: Class,
    fill: Fill<'_>,
    protection: Option<(&Key, IntegrityAlgorithm)>,
) -> Vec<u8> {
    let mut out = vec![0; 4096];
    let builder = fill(MessageBuilder::response(&mut out, class, &parse(request)));
    let len = match protection {
        Some((key, algorithm)) => builder.integrity(key, algorithm).finish(),
        None => builder.finish(),
    };
    out.truncate(len.unwrap());
    out
}

/// An error without protection.
pub(super) fn bare_error(request: &[u8], code: u16) -> Vec<u8> {
    respond(request, Class::Error, &|builder| coded(builder, code), None)
}

/// 401 or 438 with a realm and this nonce.
pub(super) fn challenge(request: &[u8], code: u16, nonce: &str) -> Vec<u8> {
    challenge_with(request, code, REALM, nonce, None)
}

pub(super) fn challenge_with(
    request: &[u8],
    code: u16,
    realm: &str,
    nonce: &str,
    algorithms: Option<PasswordAlgorithms<'_>>,
) -> Vec<u8> {
    let mut out = vec![0; 4096];
    let builder = coded(MessageBuilder::response(&mut out, Class::Error, &parse(request)), code)
        .attribute(&Realm::new(realm))
        .attribute(&Nonce::new(nonce))
        .maybe(algorithms.as_ref());
    let len = builder.finish().unwrap();
    out.truncate(len);
    out
}

/// The types of a message's attributes.
pub(super) fn types(packet: &[u8]) -> Vec<AttributeType> {
    parse(packet).attributes().map(|raw| raw.kind).collect()
}

pub(super) fn has<'a, A: Attribute<'a>>(packet: &'a [u8]) -> Option<A> {
    parse(packet).get::<A>().unwrap()
}

pub(super) fn nonce_of(packet: &[u8]) -> String {
    has::<Nonce<'_>>(packet)
        .map(|nonce| String::from_utf8_lossy(nonce.as_bytes()).into_owned())
        .unwrap_or_default()
}
