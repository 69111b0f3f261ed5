//! Keys of the short-term and the long-term credential mechanism (RFC 8489 §9.1.1, §9.2.2).

use core::fmt;

use md5::Md5;
use sha2::Digest;

use crate::hmac::{Hmac, Sha1, Sha256, put_words};

/// A key for MESSAGE-INTEGRITY and MESSAGE-INTEGRITY-SHA256.
///
/// It holds the keyed state of HMAC-SHA1 and of HMAC-SHA256, not the password; it is computed once per credential and
/// used for any number of messages. It is neither printed nor compared.
///
/// # Preparation of strings
///
/// RFC 8489 prepares user name, realm and password with OpaqueString (RFC 8265). For ASCII text without control
/// characters, which all ICE credentials and nearly all TURN credentials are, that changes nothing, and nothing is
/// what this crate does: it carries no Unicode tables. Text beyond ASCII must be prepared by the caller: non-ASCII
/// spaces become U+0020, then Normalization Form C. (Servers of RFC 5389 expect SASLprep, RFC 4013, instead.)
///
/// ```
/// use floe_stun::Key;
///
/// let short_term = Key::short_term("VOkJxbRl1RmTxUk/WvJxBt");
/// let long_term = Key::long_term_sha256("user", "example.org", "correct horse");
/// assert_eq!(format!("{short_term:?}"), "Key(..)");
/// ```
#[derive(Clone)]
pub struct Key {
    pub(crate) sha1: Hmac<Sha1, 5>,
    pub(crate) sha256: Hmac<Sha256, 8>,
}

impl Key {
    /// A key from the bytes of the HMAC key itself, for a server that stores keys and not passwords.
    #[must_use]
    pub fn from_bytes(key: &[u8]) -> Self {
        Self { sha1: Hmac::new(key), sha256: Hmac::new(key) }
    }

    /// The key of the short-term mechanism: the password (RFC 8489 §9.1.1).
    #[must_use]
    pub fn short_term(password: &str) -> Self {
        Self::from_bytes(password.as_bytes())
    }

    /// The key of the long-term mechanism where no PASSWORD-ALGORITHM, or MD5, is in use (RFC 8489 §18.5.1.1).
    #[must_use]
    pub fn long_term_md5(username: &str, realm: &str, password: &str) -> Self {
        Self::long_term::<Md5>(username, realm, password)
    }

    /// The key of the long-term mechanism with the password algorithm SHA-256 (RFC 8489 §18.5.1.2).
    #[must_use]
    pub fn long_term_sha256(username: &str, realm: &str, password: &str) -> Self {
        Self::long_term::<sha2::Sha256>(username, realm, password)
    }

    /// HMAC-SHA1 of any bytes under this key (RFC 2104): what time-limited credentials of TURN servers are made with.
    #[must_use]
    pub fn hmac_sha1(&self, bytes: &[u8]) -> [u8; 20] {
        let mut tag = [0; 20];
        put_words(&mut tag, &self.sha1.of(bytes));
        tag
    }

    /// HMAC-SHA256 of any bytes under this key (RFC 2104).
    ///
    /// ```
    /// use floe_stun::Key;
    ///
    /// let tag = Key::from_bytes(b"Jefe").hmac_sha256(b"what do ya want for nothing?"); // RFC 4231 §4.3
    /// assert_eq!(tag[..4], [0x5b, 0xdc, 0xc1, 0x46]);
    /// ```
    #[must_use]
    pub fn hmac_sha256(&self, bytes: &[u8]) -> [u8; 32] {
        let mut tag = [0; 32];
        put_words(&mut tag, &self.sha256.of(bytes));
        tag
    }

    /// RFC 8489 §9.2.2: quotes around user name and realm, and nulls at the end of all three, do not count.
    fn long_term<D: Digest>(username: &str, realm: &str, password: &str) -> Self {
        let hash = D::new()
            .chain_update(unquoted(without_trailing_nulls(username)))
            .chain_update(b":")
            .chain_update(unquoted(without_trailing_nulls(realm)))
            .chain_update(b":")
            .chain_update(without_trailing_nulls(password));
        Self::from_bytes(&hash.finalize())
    }
}

/// A short-term key for MESSAGE-INTEGRITY alone: the keyed state of HMAC-SHA1, in 40 bytes. Made in a third of the time of a [`Key`],
/// it is for whoever has many and meets MESSAGE-INTEGRITY-SHA256 rarely: make a [`Key`] then.
///
/// ```
/// use floe_stun::{Class, Message, MessageBuilder, Method, Sha1Key, TransactionId};
///
/// let key = Sha1Key::short_term("VOkJxbRl1RmTxUk/WvJxBt");
/// let mut packet = [0; 64];
/// let len = MessageBuilder::new(&mut packet, Class::Request, Method::BINDING, TransactionId::new([1; 12]))
///     .integrity_sha1(&key)
///     .finish()?;
/// assert!(Message::parse(&packet[..len])?.verify_sha1(&key).is_ok());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Sha1Key(pub(crate) Hmac<Sha1, 5>);

impl Sha1Key {
    /// The key of the short-term mechanism: the password (RFC 8489 §9.1.1).
    #[must_use]
    pub fn short_term(password: &str) -> Self {
        Self(Hmac::new(password.as_bytes()))
    }
}

impl fmt::Debug for Sha1Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sha1Key(..)")
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(..)")
    }
}

fn without_trailing_nulls(text: &str) -> &str {
    text.trim_end_matches('\0')
}

fn unquoted(text: &str) -> &str {
    text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a key does to a fixed message: the only thing there is to see of it.
    fn tags(key: &Key) -> ([u32; 5], [u32; 8]) {
        (key.sha1.of_message(&[0; 20], 24), key.sha256.of_message(&[0; 20], 36))
    }

    #[test]
    fn the_example_of_section_9_2_2() {
        let hash = 0x8493_fbc5_3ba5_82fb_4c04_4c45_6bdc_40ebu128.to_be_bytes();
        let expected = tags(&Key::from_bytes(&hash));
        assert_eq!(tags(&Key::long_term_md5("user", "realm", "pass")), expected);
        assert_eq!(tags(&Key::long_term_md5("\"user\"", "\"realm\"", "pass")), expected);
        assert_eq!(tags(&Key::long_term_md5("user\0\0", "realm\0", "pass\0")), expected);
        assert_ne!(tags(&Key::long_term_md5("user", "realm", "\"pass\"")), expected);
        assert_ne!(tags(&Key::long_term_sha256("user", "realm", "pass")), expected);
    }

    #[test]
    fn a_key_stays_small_and_silent() {
        assert!(size_of::<Key>() <= 128, "{} bytes", size_of::<Key>());
        assert_eq!(std::format!("{:?}", Key::short_term("secret")), "Key(..)");
        assert_eq!(size_of::<Sha1Key>(), 40);
        assert_eq!(std::format!("{:?}", Sha1Key::short_term("secret")), "Sha1Key(..)");
    }
}
