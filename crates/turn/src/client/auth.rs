//! Long-term credentials on the client's side (RFC 8489 §9.2).

use alloc::boxed::Box;

use floe_stun::attributes::{Nonce, PasswordAlgorithm, PasswordAlgorithms, Realm, Userhash, Username};
use floe_stun::{
    AttributeType, Class, IntegrityAlgorithm, Key, Message, MessageBuilder, Method, RawAttribute,
    SecurityFeatures, TransactionId,
};

use super::MAX_TRANSMIT;
use super::config::Credentials;
use super::error::Failure;

/// The longest PASSWORD-ALGORITHMS that is echoed. Two algorithms exist, which take 8 bytes.
pub(super) const MAX_ALGORITHMS: usize = 256;

/// What protects a request and its answer.
#[derive(Clone)]
pub(super) struct Protection {
    pub(super) key: Key,
    pub(super) algorithm: IntegrityAlgorithm,
}

/// What a request says about who sends it.
pub(super) struct Auth {
    credentials: Option<Credentials>,
    challenge: Option<Challenge>,
    /// An authenticated request has succeeded (RFC 8489 §9.2.3).
    proven: bool,
}

/// What the server wants to see, and what follows from it.
struct Challenge {
    realm: Box<[u8]>,
    nonce: Box<[u8]>,
    /// PASSWORD-ALGORITHMS as it came, to be echoed.
    algorithms: Option<Box<[u8]>>,
    /// PASSWORD-ALGORITHM, if the server offered any.
    algorithm: Option<PasswordAlgorithm<'static>>,
    /// USERHASH, if the server wants it instead of USERNAME.
    userhash: Option<Userhash>,
    protection: Protection,
}

impl Auth {
    pub(super) const fn new(credentials: Option<Credentials>) -> Self {
        Self { credentials, challenge: None, proven: false }
    }

    /// RFC 8489 §9.2.3.1: before a request has succeeded the first one says nothing about who sends it.
    pub(super) fn begin(&mut self) {
        if !self.proven {
            self.challenge = None;
        }
    }

    /// Our address is another one, so that the nonce is of no use any more.
    pub(super) fn forget(&mut self) {
        (self.challenge, self.proven) = (None, false);
    }

    pub(super) const fn succeeded(&mut self) {
        self.proven = self.challenge.is_some();
    }

    /// Whether requests are authenticated.
    pub(super) const fn is_challenged(&self) -> bool {
        self.challenge.is_some()
    }

    pub(super) fn protection(&self) -> Option<&Protection> {
        self.challenge.as_ref().map(|challenge| &challenge.protection)
    }

    /// Adds what identifies the sender (RFC 8489 §9.2.3.2, §9.2.5).
    pub(super) fn dress<'b>(&self, builder: MessageBuilder<'b>) -> MessageBuilder<'b> {
        let (Some(credentials), Some(challenge)) = (&self.credentials, &self.challenge) else {
            return builder;
        };
        challenge.dress(credentials, builder)
    }

    /// Takes a 401 or 438 in. On success the request can be made again; the error says why there is no point
    /// (RFC 8489 §9.2.5).
    pub(super) fn adopt(
        &mut self,
        code: u16,
        answer: &Message<'_>,
        request: &Message<'_>,
    ) -> Result<(), Failure> {
        let credentials = self.credentials.as_ref().ok_or(Failure::CredentialsNeeded)?;
        let offer = Offer::read(answer)?;
        let challenge = Challenge::new(credentials, &offer, self.challenge.as_ref())?;
        if request.has_integrity() {
            if code == 401 && challenge.names_same(request) {
                return Err(Failure::WrongCredentials);
            }
            // The nonce that was stale a moment ago: there would be no end to it.
            if code == 438 && challenge.has_nonce_of(request) {
                return Err(Failure::StaleNonces);
            }
        }
        self.challenge = Some(challenge);
        Ok(())
    }
}

/// A 401 or 438 as it came.
struct Offer<'a> {
    realm: Option<&'a [u8]>,
    nonce: &'a [u8],
    algorithms: Option<&'a [u8]>,
    features: SecurityFeatures,
}

impl<'a> Offer<'a> {
    fn read(answer: &Message<'a>) -> Result<Self, Failure> {
        let realm = answer.get::<Realm<'a>>().map_err(|_| Failure::UnusableChallenge)?;
        let nonce = answer.get::<Nonce<'a>>().ok().flatten().ok_or(Failure::UnusableChallenge)?.as_bytes();
        let algorithms = answer.attributes().find(|raw| raw.kind == AttributeType::PASSWORD_ALGORITHMS);
        let algorithms = algorithms.map(|raw| raw.value);
        let features = SecurityFeatures::from_nonce(nonce).unwrap_or_default();
        if algorithms.is_none() && features.contains(SecurityFeatures::PASSWORD_ALGORITHMS) {
            return Err(Failure::BidDown);
        }
        if algorithms.is_some_and(|algorithms| algorithms.len() > MAX_ALGORITHMS) {
            return Err(Failure::UnusableChallenge);
        }
        Ok(Self { realm: realm.map(|realm| realm.as_bytes()), nonce, algorithms, features })
    }
}

impl Challenge {
    fn new(credentials: &Credentials, offer: &Offer<'_>, before: Option<&Self>) -> Result<Self, Failure> {
        // RFC 8489 §9.2.4 has REALM in every 401 and 438. Without it the realm of before is meant.
        let realm = offer.realm.or(before.map(|before| &*before.realm)).ok_or(Failure::UnusableChallenge)?;
        let text = core::str::from_utf8(realm).map_err(|_| Failure::UnusableChallenge)?;
        // §9.2.5: after PASSWORD-ALGORITHMS there is no way back to MESSAGE-INTEGRITY.
        let algorithms = offer.algorithms.or(before.and_then(|before| before.algorithms.as_deref()));
        let algorithm = algorithms.map(choose).transpose()?;
        let (username, password) = (credentials.username(), credentials.password());
        let key = match algorithm {
            Some(PasswordAlgorithm::SHA256) => Key::long_term_sha256(username, text, password),
            _ => Key::long_term_md5(username, text, password),
        };
        let integrity =
            if algorithm.is_some() { IntegrityAlgorithm::Sha256 } else { IntegrityAlgorithm::Sha1 };
        let anonymous = offer.features.contains(SecurityFeatures::USERNAME_ANONYMITY);
        let challenge = Self {
            realm: realm.into(),
            nonce: offer.nonce.into(),
            algorithms: algorithms.map(Into::into),
            algorithm,
            userhash: anonymous.then(|| Userhash::compute(username, text)),
            protection: Protection { key, algorithm: integrity },
        };
        challenge.check(credentials)?;
        Ok(challenge)
    }

    /// Whether a request can be made of it: realm and nonce may be longer than may be sent (RFC 8489 §14.9, §14.10).
    fn check(&self, credentials: &Credentials) -> Result<(), Failure> {
        let mut scratch = [0; MAX_TRANSMIT];
        let id = TransactionId::new([0; 12]);
        let builder = MessageBuilder::new(&mut scratch, Class::Request, Method::ALLOCATE, id);
        let written = self.dress(credentials, builder).finish();
        written.map(|_| ()).map_err(|_| Failure::UnusableChallenge)
    }

    fn dress<'b>(&self, credentials: &Credentials, builder: MessageBuilder<'b>) -> MessageBuilder<'b> {
        let named = match &self.userhash {
            Some(hash) => builder.attribute(hash),
            None => builder.attribute(&Username::new(credentials.username())),
        };
        let placed =
            named.attribute(&Realm::from_bytes(&self.realm)).attribute(&Nonce::from_bytes(&self.nonce));
        match (&self.algorithms, &self.algorithm) {
            (Some(value), Some(algorithm)) => placed
                .raw_attribute(RawAttribute { kind: AttributeType::PASSWORD_ALGORITHMS, value })
                .attribute(algorithm),
            _ => placed,
        }
    }

    /// Whether a request made of this would say the same about the user as the one that was refused.
    fn names_same(&self, request: &Message<'_>) -> bool {
        let same_realm =
            request.get::<Realm<'_>>().is_ok_and(|realm| realm.is_some_and(|r| r.as_bytes() == &*self.realm));
        let hashed = request.get::<Userhash>().is_ok_and(|hash| hash.is_some());
        same_realm && hashed == self.userhash.is_some()
    }

    fn has_nonce_of(&self, request: &Message<'_>) -> bool {
        request.get::<Nonce<'_>>().is_ok_and(|nonce| nonce.is_some_and(|n| n.as_bytes() == &*self.nonce))
    }
}

/// The algorithm to use of those the server offers. RFC 8489 §9.2.5 takes the first that is supported; RFC 8656 §6 wants
/// SHA-256 wherever it is offered, and that goes for TURN.
fn choose(offered: &[u8]) -> Result<PasswordAlgorithm<'static>, Failure> {
    let raw = RawAttribute { kind: AttributeType::PASSWORD_ALGORITHMS, value: offered };
    let id = TransactionId::new([0; 12]);
    let offered = <PasswordAlgorithms<'_> as floe_stun::Attribute<'_>>::decode(raw, &id)
        .map_err(|_| Failure::UnusableChallenge)?;
    let ours = [PasswordAlgorithm::SHA256, PasswordAlgorithm::MD5];
    let best = ours.into_iter().find(|own| offered.iter().any(|theirs| theirs == *own));
    best.ok_or(Failure::NoCommonAlgorithm)
}
