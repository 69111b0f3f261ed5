//! The Binding method on the server's side (RFC 8489 §6.3).

use alloc::string::String;
use core::fmt;
use core::net::{IpAddr, SocketAddr};

use floe_stun::attributes::{
    ErrorCode, MappedAddress, OtherAddress, ResponseOrigin, Software, UnknownAttributes, XorMappedAddress,
};
use floe_stun::{
    AttributeType, Class, DecodeError, EncodeError, HEADER_LEN, Message, MessageBuilder, Method, Time,
};

use super::rate_limit::{Limiter, RateLimit};

/// Bytes that suffice for any response of [`BindingServer::handle`].
pub const MAX_RESPONSE: usize = HEADER_LEN + ERROR_CODE_LEN + UNKNOWN_LEN + SOFTWARE_LEN + FINGERPRINT_LEN;

/// ERROR-CODE 420 with its reason. What a success response has instead of it and UNKNOWN-ATTRIBUTES is shorter.
const ERROR_CODE_LEN: usize = 4 + 4 + 20;
/// UNKNOWN-ATTRIBUTES with the most types that are listed.
const UNKNOWN_LEN: usize = 4 + 2 * MAX_UNKNOWN;
/// SOFTWARE with the longest text that is accepted.
const SOFTWARE_LEN: usize = 4 + MAX_SOFTWARE;
const FINGERPRINT_LEN: usize = 8;

/// The most types that UNKNOWN-ATTRIBUTES lists. A request with more is answered with the first of them; nobody has
/// 64 extensions, and a bound keeps the response small.
pub(super) const MAX_UNKNOWN: usize = 64;

/// The longest SOFTWARE, in bytes: below the 127 characters of RFC 8489 §14.14, because it makes every response longer.
pub(super) const MAX_SOFTWARE: usize = 64;

/// The comprehension-required attributes of RFC 8489. Where they mean nothing in a request without authentication they
/// are known but unexpected, and ignored (§6.3). Those of other documents are unknown, but for the last one: RFC 5780 §6
/// wants a 420 for CHANGE-REQUEST from a server with one address.
pub(super) const KNOWN: [AttributeType; 10] = [
    AttributeType::MAPPED_ADDRESS,
    AttributeType::USERNAME,
    AttributeType::ERROR_CODE,
    AttributeType::UNKNOWN_ATTRIBUTES,
    AttributeType::REALM,
    AttributeType::NONCE,
    AttributeType::PASSWORD_ALGORITHM,
    AttributeType::USERHASH,
    AttributeType::XOR_MAPPED_ADDRESS,
    AttributeType::CHANGE_REQUEST,
];

/// What a [`BindingServer`] can be told.
///
/// By default it says nothing about itself and answers without limit.
#[derive(Clone, Debug, Default)]
pub struct BindingConfig {
    software: Option<String>,
    rate_limit: Option<RateLimit>,
}

impl BindingConfig {
    /// Puts a SOFTWARE attribute into every response. RFC 8489 §6.3.1.1 recommends it; it also tells strangers the
    /// version and makes a response longer than its request by so much more, so it is off by default.
    ///
    /// # Errors
    ///
    /// [`SoftwareTooLong`] above 64 bytes.
    pub fn with_software(self, software: impl Into<String>) -> Result<Self, SoftwareTooLong> {
        let software = software.into();
        if software.len() > MAX_SOFTWARE {
            return Err(SoftwareTooLong);
        }
        Ok(Self { software: Some(software), ..self })
    }

    /// Limits how many answers one source gets. A source address can be forged: without a limit a server that can be
    /// reached from the Internet can be made to send to a victim what an attacker sends to it.
    #[must_use]
    pub fn with_rate_limit(self, limit: RateLimit) -> Self {
        Self { rate_limit: Some(limit), ..self }
    }
}

/// The text for SOFTWARE is longer than 64 bytes: choose a shorter one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SoftwareTooLong;

impl fmt::Display for SoftwareTooLong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the SOFTWARE text is longer than {MAX_SOFTWARE} bytes")
    }
}

impl core::error::Error for SoftwareTooLong {}

/// What to do with a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Send the first so many bytes of the output buffer to where the datagram came from, and from where it arrived
    /// (RFC 8489 §6.3.1.2).
    Respond(usize),
    /// Send nothing.
    Silent(Silence),
}

/// Why a datagram gets no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Silence {
    /// It is no STUN message (RFC 8489 §6.3), or CHANGE-REQUEST is malformed.
    NotStun(DecodeError),
    /// Its method is not Binding (RFC 8489 §6.3).
    UnsupportedMethod(Method),
    /// It is an indication, to which there is no response (RFC 8489 §6.3.2), or itself a response.
    NotARequest(Class),
    /// No response can reach its source: port zero, or an unspecified, multicast or broadcast address.
    UnanswerableSource,
    /// Its source has used up its answers.
    RateLimited,
}

/// What a server has done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct BindingStats {
    /// Success responses.
    pub answered: u64,
    /// Error responses 420 (Unknown Attribute).
    pub unknown_attributes: u64,
    /// Requests from a source that had used up its answers.
    pub rate_limited: u64,
    /// Datagrams left without an answer for any other reason.
    pub ignored: u64,
}

/// A STUN server that answers Binding requests with the address they come from (RFC 8489 §6.3).
///
/// - It asks for no credentials and ignores those it gets, as a public server does (§9). It keeps no state per
///   transaction: Binding is idempotent, a retransmission gets an equal response (§6.3.1).
/// - A response carries XOR-MAPPED-ADDRESS, and FINGERPRINT if the request does. There is no RFC 3489 mode, hence no
///   MAPPED-ADDRESS. An IPv4 address that arrives as IPv4-mapped IPv6 is answered as IPv4.
/// - Unknown comprehension-required attributes, CHANGE-REQUEST among them, are answered with 420 (§6.3.1).
/// - Everything else is met with silence, and a response is never answered, so two servers cannot keep each other busy.
/// - Memory is constant; with a [`RateLimit`] it is the limit's table.
///
/// See the [crate documentation](crate) for an example.
pub struct BindingServer {
    software: Option<String>,
    limiter: Option<Limiter>,
    stats: BindingStats,
}

impl BindingServer {
    /// A server with this configuration.
    #[must_use]
    pub fn new(config: BindingConfig) -> Self {
        let BindingConfig { software, rate_limit } = config;
        Self { software, limiter: rate_limit.as_ref().map(Limiter::new), stats: BindingStats::default() }
    }

    /// What the server has done so far.
    #[must_use]
    pub const fn stats(&self) -> &BindingStats {
        &self.stats
    }

    /// Handles a datagram that arrived at `now` from `source`, and writes the response, if any, to the start of `out`.
    /// [`MAX_RESPONSE`] bytes always suffice.
    ///
    /// `now` matters to the rate limit only.
    ///
    /// # Errors
    ///
    /// [`EncodeError::BufferTooSmall`] when the response does not fit into `out`.
    pub fn handle(
        &mut self,
        datagram: &[u8],
        source: SocketAddr,
        now: Time,
        out: &mut [u8],
    ) -> Result<Answer, EncodeError> {
        let source = SocketAddr::new(source.ip().to_canonical(), source.port());
        match self.accept(datagram, source, now) {
            Ok(request) => self.respond(&request, source, None, out).map(Answer::Respond),
            Err(silence) => {
                match silence {
                    Silence::RateLimited => self.stats.rate_limited += 1,
                    _ => self.stats.ignored += 1,
                }
                Ok(Answer::Silent(silence))
            }
        }
    }

    /// RFC 8489 §6.3: the checks that come before anything is answered.
    pub(super) fn accept<'a>(
        &mut self,
        datagram: &'a [u8],
        source: SocketAddr,
        now: Time,
    ) -> Result<Message<'a>, Silence> {
        let message = Message::parse(datagram).map_err(Silence::NotStun)?;
        if message.method() != Method::BINDING {
            return Err(Silence::UnsupportedMethod(message.method()));
        }
        if message.class() != Class::Request {
            return Err(Silence::NotARequest(message.class()));
        }
        if !is_answerable(source) {
            return Err(Silence::UnanswerableSource);
        }
        if let Some(limiter) = &mut self.limiter
            && !limiter.allow(source.ip(), now)
        {
            return Err(Silence::RateLimited);
        }
        Ok(message)
    }

    /// RFC 8489 §6.3.1; `origin` is where the response leaves from if the server has other addresses (RFC 5780 §6.1).
    pub(super) fn respond(
        &mut self,
        request: &Message<'_>,
        source: SocketAddr,
        origin: Option<Origin>,
        out: &mut [u8],
    ) -> Result<usize, EncodeError> {
        let known = if origin.is_some() { &KNOWN } else { &KNOWN[..KNOWN.len() - 1] };
        let mut unknown = [AttributeType::new(0); MAX_UNKNOWN];
        let unknown = collect_unknown(request, known, &mut unknown);
        let (counter, response) = if unknown.is_empty() {
            let response = MessageBuilder::response(out, Class::Success, request);
            let response = response.attribute(&XorMappedAddress(source));
            // RFC 5780 §6.1: MAPPED-ADDRESS and XOR-MAPPED-ADDRESS are both there.
            let mapped = origin.map(|_| MappedAddress(source));
            let (from, other) = (origin.map(|it| it.from), origin.map(|it| it.other));
            let response = response.maybe(mapped.as_ref()).maybe(from.as_ref()).maybe(other.as_ref());
            (&mut self.stats.answered, response)
        } else {
            let response = MessageBuilder::response(out, Class::Error, request)
                .attribute(&ErrorCode::UNKNOWN_ATTRIBUTE)
                .attribute(&UnknownAttributes::new(unknown));
            (&mut self.stats.unknown_attributes, response)
        };
        let response = response.maybe(self.software.as_deref().map(Software::new).as_ref());
        let len =
            if request.has_fingerprint() { response.fingerprint().finish() } else { response.finish() }?;
        *counter += 1;
        Ok(len)
    }
}

/// Where a response leaves from, and where it would with both flags of CHANGE-REQUEST (RFC 5780 §6.1).
#[derive(Clone, Copy)]
pub(super) struct Origin {
    pub(super) from: ResponseOrigin,
    pub(super) other: OtherAddress,
}

impl fmt::Debug for BindingServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BindingServer")
            .field("software", &self.software)
            .field("rate_limited", &self.limiter.is_some())
            .field("stats", &self.stats)
            .finish()
    }
}

/// The first unknown comprehension-required types of the request, each once.
pub(super) fn collect_unknown<'t>(
    request: &Message<'_>,
    known: &[AttributeType],
    types: &'t mut [AttributeType; MAX_UNKNOWN],
) -> &'t [AttributeType] {
    let mut len = 0;
    for kind in request.unknown_required(known) {
        if types[..len].contains(&kind) {
            continue;
        }
        let Some(slot) = types.get_mut(len) else { break };
        *slot = kind;
        len += 1;
    }
    &types[..len]
}

/// Whether a unicast datagram can go to `address`.
pub(super) fn is_answerable(address: SocketAddr) -> bool {
    let ip = address.ip();
    let broadcast = matches!(ip, IpAddr::V4(ip) if ip.is_broadcast());
    address.port() != 0 && !ip.is_unspecified() && !ip.is_multicast() && !broadcast
}

#[cfg(test)]
mod tests;
