//! Receiving a request under the long-term credential mechanism: RFC 8489 §9.2.4, from top to bottom.

use core::cell::Cell;

use floe_stun::attributes::{Nonce, PasswordAlgorithm, PasswordAlgorithms, Realm, Userhash, Username};
use floe_stun::{IntegrityAlgorithm, Key, Message, SecurityFeatures, Time};

use super::Server;
use super::credentials::{Claim, Derivation, User};
use super::effects::Reply;
use super::link::Link;
use super::rejection::Rejection;

/// What the server accepts, its favourite first.
const BOTH: [PasswordAlgorithm<'static>; 2] = [PasswordAlgorithm::SHA256, PasswordAlgorithm::MD5];

/// A request whose sender is known.
pub(super) struct Authenticated<'m> {
    pub(super) request: Message<'m>,
    pub(super) link: Link,
    pub(super) user: User,
    /// How it is answered: with the integrity that its sender expects.
    pub(super) reply: Reply,
}

/// Why a request does not pass, and with what the error is protected, if its sender proved to know a key.
pub(super) struct Refused {
    pub(super) why: Rejection,
    pub(super) seal: Option<(Key, IntegrityAlgorithm)>,
}

impl From<Rejection> for Refused {
    fn from(why: Rejection) -> Self {
        Self { why, seal: None }
    }
}

impl Server {
    pub(super) fn authenticate<'m>(
        &self,
        request: Message<'m>,
        link: Link,
        now: Time,
    ) -> Result<Authenticated<'m>, Refused> {
        // First check: without integrity, 401.
        if !request.has_integrity() {
            return Err(Rejection::Unauthenticated.into());
        }
        // Second: with integrity, but without what it takes to verify it, 400.
        let claimed = Claimed::read(&request)?;
        // Third: the algorithm, 400.
        let derivation = self.derivation(&request, &claimed)?;
        // Fourth and fifth: user and integrity, both 401. One key is tried in any case, so that the time it takes does not
        // tell which users there are.
        let tried = Cell::new(false);
        let proves = |key: &Key| {
            tried.set(true);
            request.verify(key).is_ok()
        };
        let found = self.find(&claimed, derivation.unwrap_or(Derivation::Md5), now, &proves);
        let Some((user, key)) = found else {
            if !tried.get() {
                proves(&self.decoy);
            }
            return Err(Rejection::BadCredentials.into());
        };
        let algorithm = match derivation {
            Some(_) => IntegrityAlgorithm::Sha256,
            None => IntegrityAlgorithm::Sha1,
        };
        let seal = Some((key, algorithm));
        // Sixth: the nonce, 438.
        if !self.nonces.is_valid(claimed.nonce, &link, now) {
            return Err(Refused { why: Rejection::StaleNonce, seal });
        }
        let reply = Reply { seal, ..Reply::to(&request, link) };
        Ok(Authenticated { request, link, user, reply })
    }

    /// The password algorithm that the request chooses; `None` when it knows of none, which stands for MD5.
    fn derivation(
        &self,
        request: &Message<'_>,
        claimed: &Claimed<'_>,
    ) -> Result<Option<Derivation>, Rejection> {
        let features = SecurityFeatures::from_nonce(claimed.nonce).unwrap_or(SecurityFeatures::NONE);
        if !features.contains(SecurityFeatures::PASSWORD_ALGORITHMS) {
            return Ok(None);
        }
        let chosen = request.get::<PasswordAlgorithm<'_>>().map_err(|_| Rejection::BadRequest)?;
        let echoed = request.get::<PasswordAlgorithms<'_>>().map_err(|_| Rejection::BadRequest)?;
        let (chosen, echoed) = match (chosen, echoed) {
            (None, None) => return Ok(None),
            (Some(chosen), Some(echoed)) => (chosen, echoed),
            _ => return Err(Rejection::BadRequest),
        };
        // Bid-down protection: what the client was offered is what the server offered.
        if echoed != self.algorithms() || !echoed.iter().any(|offered| offered == chosen) {
            return Err(Rejection::BadRequest);
        }
        Ok(Some(if chosen == PasswordAlgorithm::SHA256 { Derivation::Sha256 } else { Derivation::Md5 }))
    }

    fn find(
        &self,
        claimed: &Claimed<'_>,
        derivation: Derivation,
        now: Time,
        proves: &impl Fn(&Key) -> bool,
    ) -> Option<(User, Key)> {
        let credentials = &self.config.credentials;
        let refused = self.config.require_sha256 && derivation != Derivation::Sha256;
        if refused || claimed.realm != credentials.realm().as_bytes() {
            return None;
        }
        let claim = match &claimed.who {
            Who::Name(name) => Claim::Name(core::str::from_utf8(name).ok()?),
            Who::Hash(hash) => Claim::Hash(hash),
        };
        credentials.find(claim, derivation, self.unix_time(now), proves)
    }

    /// What PASSWORD-ALGORITHMS says.
    pub(super) fn algorithms(&self) -> PasswordAlgorithms<'static> {
        let accepted = if self.config.require_sha256 { &BOTH[..1] } else { &BOTH };
        PasswordAlgorithms::new(accepted)
    }

    /// The features that nonces vouch for (RFC 8489 §9.2.1).
    pub(super) fn features(&self) -> SecurityFeatures {
        let anonymity = match self.config.hide_usernames {
            true => SecurityFeatures::USERNAME_ANONYMITY,
            false => SecurityFeatures::NONE,
        };
        SecurityFeatures::PASSWORD_ALGORITHMS | anonymity
    }
}

/// What a request says about its sender.
struct Claimed<'m> {
    who: Who<'m>,
    realm: &'m [u8],
    nonce: &'m [u8],
}

enum Who<'m> {
    Name(&'m [u8]),
    Hash(Userhash),
}

impl<'m> Claimed<'m> {
    fn read(request: &Message<'m>) -> Result<Self, Rejection> {
        let bad = |_| Rejection::BadRequest;
        let name = request.get::<Username<'_>>().map_err(bad)?.map(|name| Who::Name(name.as_bytes()));
        let hash = request.get::<Userhash>().map_err(bad)?.map(Who::Hash);
        let realm = request.get::<Realm<'_>>().map_err(bad)?;
        let nonce = request.get::<Nonce<'_>>().map_err(bad)?;
        match (hash.or(name), realm, nonce) {
            (Some(who), Some(realm), Some(nonce)) => {
                Ok(Self { who, realm: realm.as_bytes(), nonce: nonce.as_bytes() })
            }
            _ => Err(Rejection::BadRequest),
        }
    }
}
