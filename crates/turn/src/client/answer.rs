//! Which responses count (RFC 8489 §6.3, §9.2.5).

use floe_stun::attributes::{ErrorCode, Nonce};
use floe_stun::{AttributeType, Class, IntegrityAlgorithm, Message, SecurityFeatures};

use super::error::{Failure, Rejection};
use super::transaction::Transaction;

/// The comprehension-required attributes that a response may carry. Where one means nothing it is known but unexpected,
/// and ignored (RFC 8489 §6.3).
const KNOWN: [AttributeType; 20] = [
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
    AttributeType::DONT_FRAGMENT,
    AttributeType::PASSWORD_ALGORITHM,
    AttributeType::USERHASH,
    AttributeType::XOR_MAPPED_ADDRESS,
    AttributeType::RESERVATION_TOKEN,
    AttributeType::CONNECTION_ID,
];

/// Whether a message has comprehension-required attributes that we do not know.
pub(super) fn is_foreign(message: &Message<'_>) -> bool {
    message.unknown_required(&KNOWN).next().is_some()
}

/// What to do with a response.
pub(super) enum Judgement<'a> {
    /// 401 or 438: the server asks for other credentials or another nonce.
    Challenge(u16),
    /// The request was carried out.
    Success(Accepted<'a>),
    /// The request was refused.
    Error(Accepted<'a>, Failure),
    /// It is as if the response had not come.
    Discard(Rejection),
}

/// A response that protects what its request protected; made by [`judge`] alone.
pub(super) struct Accepted<'a>(Message<'a>);

impl<'a> Accepted<'a> {
    pub(super) const fn message(&self) -> &Message<'a> {
        &self.0
    }
}

/// Goes through RFC 8489 §9.2.5.
pub(super) fn judge<'a>(message: Message<'a>, transaction: &Transaction) -> Judgement<'a> {
    let code = match message.class() {
        Class::Error => message.get::<ErrorCode<'_>>().ok().flatten().map(|error| error.code()),
        _ => None,
    };
    // These two cannot be protected where the request was not, and need not be where it was.
    if let Some(code @ (401 | 438)) = code {
        return Judgement::Challenge(code);
    }
    if promises_algorithms(&message) {
        return Judgement::Discard(Rejection::BidDown);
    }
    // A 300 has to be authentic (§14.8), and a 400 without integrity counts for nothing.
    if matches!(code, Some(300 | 400)) && !message.has_integrity() {
        return Judgement::Discard(Rejection::BadIntegrity);
    }
    if !is_protected(&message, transaction) {
        return Judgement::Discard(Rejection::BadIntegrity);
    }
    let foreign = is_foreign(&message);
    match (message.class(), code) {
        (Class::Success, _) if !foreign => Judgement::Success(Accepted(message)),
        // §6.3.4.
        (_, Some(code)) if !foreign => Judgement::Error(Accepted(message), Failure::of_code(code)),
        _ => Judgement::Error(Accepted(message), Failure::MalformedAnswer),
    }
}

fn promises_algorithms(message: &Message<'_>) -> bool {
    let nonce = message.get::<Nonce<'_>>().ok().flatten();
    let features = nonce.and_then(|nonce| SecurityFeatures::from_nonce(nonce.as_bytes()));
    features.is_some_and(|features| features.contains(SecurityFeatures::PASSWORD_ALGORITHMS))
        && !message.attributes().any(|raw| raw.kind == AttributeType::PASSWORD_ALGORITHMS)
}

/// A protected request has a protected answer, by an algorithm that is as good. Where the request was not protected, the
/// answer cannot be: only a server that asks nobody for credentials answers like that.
fn is_protected(message: &Message<'_>, transaction: &Transaction) -> bool {
    let code = message.get::<ErrorCode<'_>>().ok().flatten().map(|error| error.code());
    let Some(protection) = &transaction.protection else {
        return !matches!(code, Some(300 | 400));
    };
    message.verify(&protection.key).is_ok_and(|verified| {
        verified.algorithm() == protection.algorithm || verified.algorithm() == IntegrityAlgorithm::Sha256
    })
}
