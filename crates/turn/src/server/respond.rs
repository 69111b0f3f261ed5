//! Error responses, whatever the method.

use floe_stun::attributes::{AddressFamily, AlternateServer, Nonce, Realm, UnknownAttributes};
use floe_stun::{AttributeType, Class, Message, Time};

use super::Server;
use super::authenticate::Refused;
use super::binding::{MAX_UNKNOWN, collect_unknown};
use super::effects::Reply;
use super::link::Link;
use super::rejection::Rejection;
use crate::framing::Carrier;

/// The comprehension-required attributes of RFC 8489 and RFC 8656. Where they have no business they are ignored. The
/// last one counts only if the driver can do what it asks for (RFC 8656 §7.2, §11.2).
const KNOWN: [AttributeType; 19] = [
    AttributeType::MAPPED_ADDRESS,
    AttributeType::USERNAME,
    AttributeType::ERROR_CODE,
    AttributeType::UNKNOWN_ATTRIBUTES,
    AttributeType::CHANNEL_NUMBER,
    AttributeType::LIFETIME,
    AttributeType::XOR_PEER_ADDRESS,
    AttributeType::DATA,
    AttributeType::REALM,
    AttributeType::NONCE,
    AttributeType::XOR_RELAYED_ADDRESS,
    AttributeType::REQUESTED_ADDRESS_FAMILY,
    AttributeType::EVEN_PORT,
    AttributeType::REQUESTED_TRANSPORT,
    AttributeType::PASSWORD_ALGORITHM,
    AttributeType::USERHASH,
    AttributeType::XOR_MAPPED_ADDRESS,
    AttributeType::RESERVATION_TOKEN,
    AttributeType::DONT_FRAGMENT,
];

impl Server {
    /// The attributes that this server knows.
    pub(super) fn known(&self) -> &'static [AttributeType] {
        if self.config.can_set_dont_fragment { &KNOWN } else { &KNOWN[..KNOWN.len() - 1] }
    }

    /// Answers a request whose sender did not prove who it is, unless its source was answered often enough.
    pub(super) fn refuse_stranger(
        &mut self,
        request: &Message<'_>,
        link: Link,
        refused: Refused,
        now: Time,
    ) -> Rejection {
        // Who knows a key is no stranger. Whoever has a connection has no forged address, so nobody else gets what it asks
        // for; and it would wait in vain, as nothing is repeated on a stream.
        let asks_on_stream = refused.why == Rejection::Unauthenticated && link.carrier == Carrier::Stream;
        let limited = refused.seal.is_none() && !asks_on_stream;
        if limited && !self.challenges.allow(link.mapped().ip(), now) {
            return Rejection::RateLimited;
        }
        let reply = Reply { seal: refused.seal, ..Reply::to(request, link) };
        self.refuse(&reply, request, refused.why, now);
        refused.why
    }

    /// Sends the error response that goes with a reason.
    pub(super) fn refuse(&mut self, reply: &Reply, request: &Message<'_>, why: Rejection, now: Time) {
        let Some(error) = why.error_code() else { return };
        match why {
            Rejection::Unauthenticated | Rejection::BadCredentials | Rejection::StaleNonce => {
                // RFC 8489 §9.2.4: what the client needs to authenticate itself.
                let nonce = self.nonces.issue(&reply.link, self.features(), now, &mut self.random);
                let algorithms = self.algorithms();
                let realm = Realm::new(self.config.credentials.realm());
                self.fx.respond(reply, Class::Error, |message| {
                    let message = message.attribute(&error).attribute(&realm);
                    message.attribute(&Nonce::from_bytes(&nonce)).attribute(&algorithms)
                });
            }
            Rejection::UnknownAttribute => {
                let mut types = [AttributeType::new(0); MAX_UNKNOWN];
                let unknown = UnknownAttributes::new(collect_unknown(request, self.known(), &mut types));
                self.fx.respond(reply, Class::Error, |message| message.attribute(&error).attribute(&unknown));
            }
            Rejection::Redirected => {
                let alternate = self.alternate_for(&reply.link).map(AlternateServer);
                self.fx.respond(reply, Class::Error, |message| {
                    message.attribute(&error).maybe(alternate.as_ref())
                });
            }
            _ => self.fx.respond(reply, Class::Error, |message| message.attribute(&error)),
        }
    }

    /// Answers a request that comes before any relay is open.
    pub(super) fn refuse_later(&mut self, reply: &Reply, why: Rejection) {
        if let Some(error) = why.error_code() {
            self.fx.respond(reply, Class::Error, |message| message.attribute(&error));
        }
        self.fx.stats.reject(why);
    }

    /// Where a client could go instead: to an address of its family (RFC 8489 §14.15).
    pub(super) fn alternate_for(&self, link: &Link) -> Option<core::net::SocketAddr> {
        let family = AddressFamily::of(link.mapped().ip());
        self.config.alternates.iter().copied().find(|alternate| AddressFamily::of(alternate.ip()) == family)
    }
}
