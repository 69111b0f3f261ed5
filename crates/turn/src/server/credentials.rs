//! Who may use the server: users with stored keys, and credentials that a web service hands out for a limited time.

use alloc::borrow::ToOwned;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use floe_stun::Key;
use floe_stun::attributes::Userhash;

use super::base64;

/// The longest realm, in bytes: REALM holds fewer than 128 characters (RFC 8489 §14.9).
const MAX_REALM: usize = 127;

/// The longest user name, in bytes (RFC 8489 §14.3).
const MAX_USERNAME: usize = 508;

/// Who may use a server: the users of one realm.
///
/// Passwords are not kept, only the keys derived from them (RFC 8656 §6). User names, realm and passwords beyond ASCII
/// have to be prepared with OpaqueString (RFC 8265), as [`Key`] says.
///
/// ```
/// use floe_turn::server::{Credentials, SharedSecret};
///
/// let mut credentials = Credentials::new("example.org")?;
/// credentials.add_user("alice", "correct horse")?;
/// // Besides, whoever shares the secret may hand out names that hold until some second of Unix time.
/// let secret = SharedSecret::new(b"north");
/// credentials.add_secret(secret.clone());
/// let (username, password) = secret.issue("bob", 1_893_456_000);
/// assert_eq!(username, "1893456000:bob");
/// assert_eq!(password.len(), 28);
/// # Ok::<(), floe_turn::server::CredentialsError>(())
/// ```
#[derive(Clone)]
pub struct Credentials {
    realm: String,
    users: BTreeMap<Arc<str>, Keys>,
    by_hash: BTreeMap<[u8; 32], Arc<str>>,
    secrets: Vec<SharedSecret>,
}

/// The keys of a user, one for each password algorithm (RFC 8489 §18.5.1).
#[derive(Clone)]
struct Keys {
    md5: Option<Key>,
    sha256: Option<Key>,
}

/// How a key is derived from a password (RFC 8489 §18.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Derivation {
    Md5,
    Sha256,
}

/// Whom a request says it comes from.
#[derive(Clone, Copy)]
pub(super) enum Claim<'a> {
    Name(&'a str),
    Hash(&'a Userhash),
}

/// Who a request does come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct User {
    /// The whole user name.
    pub(super) name: Arc<str>,
    /// Where the part starts whose quotas count: behind the time of a time-limited name.
    account: usize,
}

impl User {
    pub(super) fn account(&self) -> &str {
        self.name.get(self.account..).unwrap_or_default()
    }
}

impl Credentials {
    /// No users yet. The realm should be the domain name of the operator (RFC 8489 §9.2.4).
    ///
    /// # Errors
    ///
    /// [`CredentialsError::BadRealm`] when it is empty, holds a quote or control character, or is longer than 127
    /// bytes.
    pub fn new(realm: impl Into<String>) -> Result<Self, CredentialsError> {
        let realm = realm.into();
        let bad = |c: char| c == '"' || c.is_control();
        if realm.is_empty() || realm.len() > MAX_REALM || realm.contains(bad) {
            return Err(CredentialsError::BadRealm);
        }
        Ok(Self { realm, users: BTreeMap::new(), by_hash: BTreeMap::new(), secrets: Vec::new() })
    }

    /// The realm.
    #[must_use]
    pub fn realm(&self) -> &str {
        &self.realm
    }

    /// Adds a user, or gives one another password. The password is not kept.
    ///
    /// # Errors
    ///
    /// [`CredentialsError::BadUsername`] when the name is empty or longer than 508 bytes.
    pub fn add_user(&mut self, username: &str, password: &str) -> Result<(), CredentialsError> {
        let md5 = Key::long_term_md5(username, &self.realm, password);
        let sha256 = Key::long_term_sha256(username, &self.realm, password);
        self.add_user_with_keys(username, Some(md5), Some(sha256))
    }

    /// Adds a user whose keys were derived elsewhere, with MD5, SHA-256 or both: `H(A1)` of SIP digest is the first
    /// (RFC 8489 §9.2.2).
    ///
    /// # Errors
    ///
    /// [`CredentialsError::BadUsername`] as for [`add_user`](Self::add_user).
    pub fn add_user_with_keys(
        &mut self,
        username: &str,
        md5: Option<Key>,
        sha256: Option<Key>,
    ) -> Result<(), CredentialsError> {
        if username.is_empty() || username.len() > MAX_USERNAME {
            return Err(CredentialsError::BadUsername);
        }
        let name: Arc<str> = username.into();
        self.by_hash.insert(Userhash::compute(username, &self.realm).0, name.clone());
        self.users.insert(name, Keys { md5, sha256 });
        Ok(())
    }

    /// Removes a user; whether there was one. Its allocations end when they next need refreshing.
    pub fn remove_user(&mut self, username: &str) -> bool {
        self.by_hash.remove(&Userhash::compute(username, &self.realm).0);
        self.users.remove(username).is_some()
    }

    /// Accepts time-limited names made with this secret. Several secrets may be in use, so that one can replace another
    /// without a moment at which both sides differ.
    pub fn add_secret(&mut self, secret: SharedSecret) {
        self.secrets.push(secret);
    }

    /// Forgets all secrets: to take one out of use, add the others again.
    pub fn clear_secrets(&mut self) {
        self.secrets.clear();
    }

    /// Whether every user can be found by USERHASH. Time-limited names cannot, since the server does not know them
    /// before it sees them.
    pub(super) fn can_hide_names(&self) -> bool {
        self.secrets.is_empty()
    }

    /// The user whom `claim` names and one of whose keys `proves` the request, with this key. `unix_time` is in seconds.
    pub(super) fn find(
        &self,
        claim: Claim<'_>,
        derivation: Derivation,
        unix_time: u64,
        proves: impl Fn(&Key) -> bool,
    ) -> Option<(User, Key)> {
        let name = match claim {
            Claim::Name(name) => name,
            Claim::Hash(hash) => self.by_hash.get(&hash.0)?,
        };
        if let Some((name, keys)) = self.users.get_key_value(name) {
            let key = match derivation {
                Derivation::Md5 => keys.md5.as_ref(),
                Derivation::Sha256 => keys.sha256.as_ref(),
            }?;
            return proves(key).then(|| (User { name: name.clone(), account: 0 }, key.clone()));
        }
        let limited = TimeLimited::parse(name).filter(|limited| limited.expires > unix_time)?;
        let key = self.secrets.iter().find_map(|secret| {
            let password = secret.password(name);
            let key = match derivation {
                Derivation::Md5 => Key::long_term_md5(name, &self.realm, &password),
                Derivation::Sha256 => Key::long_term_sha256(name, &self.realm, &password),
            };
            proves(&key).then_some(key)
        })?;
        Some((User { name: name.into(), account: limited.account }, key))
    }
}

/// Names are secrets of their users, keys of everybody.
impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("realm", &self.realm)
            .field("users", &self.users.len())
            .field("secrets", &self.secrets.len())
            .finish()
    }
}

/// A name `expires[:user]`.
struct TimeLimited {
    /// Unix time, in seconds.
    expires: u64,
    /// Where the user's part of the name starts; 0 when there is none, so that such a name is its own account.
    account: usize,
}

impl TimeLimited {
    fn parse(name: &str) -> Option<Self> {
        let (expires, account) = match name.split_once(':') {
            Some((expires, user)) if !user.is_empty() => (expires, expires.len() + 1),
            Some((expires, _)) => (expires, 0),
            None => (name, 0),
        };
        let digits = !expires.is_empty() && expires.bytes().all(|byte| byte.is_ascii_digit());
        Some(Self { expires: expires.parse().ok().filter(|_| digits)?, account })
    }
}

/// A secret that the server shares with a service which hands out credentials for a limited time
/// (draft-uberti-behave-turn-rest): the user name says when they end, the password is an HMAC of the name.
#[derive(Clone)]
pub struct SharedSecret(Key);

impl SharedSecret {
    /// The secret with these bytes; 32 random ones are good.
    #[must_use]
    pub fn new(secret: &[u8]) -> Self {
        Self(Key::from_bytes(secret))
    }

    /// A user name for `user`, which may be empty, that holds until `expires` (Unix time, in seconds), and its password.
    /// `user` is what quotas count for.
    #[must_use]
    pub fn issue(&self, user: &str, expires: u64) -> (String, String) {
        let username = if user.is_empty() { format!("{expires}") } else { format!("{expires}:{user}") };
        let password = self.password(&username);
        (username, password)
    }

    /// `base64(HMAC-SHA1(secret, username))`.
    fn password(&self, username: &str) -> String {
        let mut digits = [0; base64::encoded_len(20)];
        base64::encode(&self.0.hmac_sha1(username.as_bytes()), &mut digits);
        core::str::from_utf8(&digits).unwrap_or_default().to_owned()
    }
}

impl fmt::Debug for SharedSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SharedSecret(..)")
    }
}

/// What is wrong with a realm or a user name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CredentialsError {
    /// The realm is empty, has a quote or a control character, or is longer than 127 bytes.
    BadRealm,
    /// The user name is empty or longer than 508 bytes.
    BadUsername,
}

impl fmt::Display for CredentialsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::BadRealm => "the realm must be 1 to 127 bytes without quotes and control characters",
            Self::BadUsername => "the user name must be 1 to 508 bytes",
        })
    }
}

impl core::error::Error for CredentialsError {}

#[cfg(test)]
mod tests;
