//! A client that does as it is told.

use std::vec::Vec;

use floe_stun::attributes::{
    ErrorCode, Lifetime, Nonce, PasswordAlgorithm, Realm, RequestedTransport, Username, XorRelayedAddress,
};
use floe_stun::{Attribute, Class, IntegrityAlgorithm, Key, Message, MessageBuilder, Method, TransactionId};

use crate::server::{Link, SocketId};

/// Names, keys and the nonce of a client on one link.
#[derive(Clone)]
pub(super) struct Client {
    pub(super) link: Link,
    pub(super) user: &'static str,
    pub(super) password: &'static str,
    pub(super) realm: &'static str,
    pub(super) nonce: Vec<u8>,
    pub(super) style: Style,
}

/// How a client authenticates itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    /// As RFC 5389 has it: MD5 and HMAC-SHA1.
    Old,
    /// With PASSWORD-ALGORITHMS as the server offers it, and this one.
    New(PasswordAlgorithm<'static>),
}

pub(super) const OFFERED: [PasswordAlgorithm<'static>; 2] =
    [PasswordAlgorithm::SHA256, PasswordAlgorithm::MD5];

impl Client {
    pub(super) fn on(link: Link) -> Self {
        Self {
            link,
            user: "alice",
            password: "alice's",
            realm: "example.org",
            nonce: Vec::new(),
            style: Style::New(PasswordAlgorithm::SHA256),
        }
    }

    pub(super) fn at(address: &str) -> Self {
        Self::on(Link::datagram(SocketId(1), address.parse().unwrap()))
    }

    pub(super) fn key(&self) -> Key {
        match self.style {
            Style::New(PasswordAlgorithm::SHA256) => {
                Key::long_term_sha256(self.user, self.realm, self.password)
            }
            _ => Key::long_term_md5(self.user, self.realm, self.password),
        }
    }

    pub(super) fn algorithm(&self) -> IntegrityAlgorithm {
        if self.style == Style::Old { IntegrityAlgorithm::Sha1 } else { IntegrityAlgorithm::Sha256 }
    }

    /// A request with this client's credentials.
    pub(super) fn request(
        &self,
        id: TransactionId,
        method: Method,
        attributes: impl for<'b> FnOnce(MessageBuilder<'b>) -> MessageBuilder<'b>,
    ) -> Vec<u8> {
        let mut out = [0; 4096];
        let message = attributes(MessageBuilder::new(&mut out, Class::Request, method, id))
            .attribute(&Username::new(self.user))
            .attribute(&Realm::new(self.realm))
            .attribute(&Nonce::from_bytes(&self.nonce));
        let message = match self.style {
            Style::Old => message,
            Style::New(chosen) => message
                .attribute(&floe_stun::attributes::PasswordAlgorithms::new(&OFFERED))
                .attribute(&chosen),
        };
        let len = message.integrity(&self.key(), self.algorithm()).finish().unwrap();
        out[..len].to_vec()
    }
}

/// A message without credentials.
pub(super) fn plain(
    class: Class,
    method: Method,
    attributes: impl for<'b> FnOnce(MessageBuilder<'b>) -> MessageBuilder<'b>,
) -> Vec<u8> {
    let mut out = [0; 4096];
    let id = TransactionId::new(*b"transaction!");
    let len = attributes(MessageBuilder::new(&mut out, class, method, id)).finish().unwrap();
    out[..len].to_vec()
}

/// The plainest Allocate request.
pub(super) fn for_udp(message: MessageBuilder<'_>) -> MessageBuilder<'_> {
    message.attribute(&RequestedTransport::UDP)
}

/// A response.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Response(pub(super) Vec<u8>);

impl Response {
    pub(super) fn message(&self) -> Message<'_> {
        Message::parse(&self.0).unwrap()
    }

    /// The error code; 0 for success.
    pub(super) fn code(&self) -> u16 {
        let message = self.message();
        match message.class() {
            Class::Success => 0,
            _ => message.get::<ErrorCode<'_>>().unwrap().unwrap().code(),
        }
    }

    pub(super) fn get<'a, A: Attribute<'a>>(&'a self) -> Option<A> {
        self.message().get().unwrap()
    }

    pub(super) fn relayed(&self) -> Vec<std::net::SocketAddr> {
        self.message().get_all::<XorRelayedAddress>().map(|address| address.unwrap().0).collect()
    }

    pub(super) fn lifetime(&self) -> u32 {
        self.get::<Lifetime>().unwrap().0
    }
}

impl std::fmt::Debug for Response {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {:?}", self.code(), self.message())
    }
}
