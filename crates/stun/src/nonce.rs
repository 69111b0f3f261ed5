//! The nonce cookie and the security features in it (RFC 8489 §9.2, §18.1).

use core::ops::BitOr;

/// What the nonce cookie starts with (RFC 8489 §9.2).
const PREFIX: [u8; 9] = *b"obMatJos2";

/// The alphabet of base64 (RFC 4648 §4).
const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// The 24 security feature bits that a server puts at the start of its nonces, so that nobody on the path can take
/// the features away unseen (RFC 8489 §9.2.1, §18.1).
///
/// Bit 0 is the most significant bit of the first byte. (The nonce in the sample of RFC 8489 Appendix B.1 counts from
/// the other end; the text of §9.2 and §18.1 is what counts.)
///
/// ```
/// use floe_stun::SecurityFeatures;
///
/// let features = SecurityFeatures::PASSWORD_ALGORITHMS | SecurityFeatures::USERNAME_ANONYMITY;
/// assert_eq!(&features.nonce_cookie(), b"obMatJos2wAAA");
/// assert_eq!(SecurityFeatures::from_nonce(b"obMatJos2wAAAf//499k954d6OL34oL9FSTvy64sA"), Some(features));
/// assert_eq!(SecurityFeatures::from_nonce(b"f//499k954d6OL34oL9FSTvy64sA"), None);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct SecurityFeatures(u32);

impl SecurityFeatures {
    /// No feature: all the cookie then says is that the server knows RFC 8489.
    pub const NONE: Self = Self(0);

    /// Bit 0: the server sent PASSWORD-ALGORITHMS.
    pub const PASSWORD_ALGORITHMS: Self = Self(1 << 23);

    /// Bit 1: the server accepts USERHASH, and the client must use it.
    pub const USERNAME_ANONYMITY: Self = Self(1 << 22);

    /// Size in bytes of a nonce cookie.
    pub const COOKIE_LEN: usize = 13;

    /// The features in a nonce, `None` when it does not start with a nonce cookie.
    #[must_use]
    pub fn from_nonce(nonce: &[u8]) -> Option<Self> {
        let digits = nonce.strip_prefix(&PREFIX)?.first_chunk::<4>()?;
        let value = |digit| BASE64.iter().position(|candidate| candidate == digit);
        let bits = digits.iter().try_fold(0, |bits, digit| Some(bits << 6 | value(digit)? as u32))?;
        Some(Self(bits))
    }

    /// The cookie that a nonce with these features starts with.
    #[must_use]
    pub fn nonce_cookie(self) -> [u8; Self::COOKIE_LEN] {
        let mut cookie = [0; Self::COOKIE_LEN];
        cookie[..9].copy_from_slice(&PREFIX);
        for (digit, shift) in cookie[9..].iter_mut().zip([18, 12, 6, 0]) {
            *digit = BASE64[(self.0 >> shift) as usize % 64];
        }
        cookie
    }

    /// The 24 bits, unknown ones included, in the low bits of the result: bit 0 of the RFC is `1 << 23`.
    #[must_use]
    pub const fn bits(self) -> u32 {
        self.0
    }

    /// Whether all features of `other` are among these.
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

impl BitOr for SecurityFeatures {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cookies_round_trip() {
        for bits in (0..24).map(|bit| 1 << bit).chain([0, 0xFF_FFFF, 0x12_3456]) {
            let features = SecurityFeatures(bits);
            assert_eq!(SecurityFeatures::from_nonce(&features.nonce_cookie()), Some(features));
            assert_eq!(features.bits(), bits);
        }
    }

    #[test]
    fn bit_0_is_leftmost() {
        assert_eq!(&SecurityFeatures::NONE.nonce_cookie(), b"obMatJos2AAAA");
        assert_eq!(&SecurityFeatures::PASSWORD_ALGORITHMS.nonce_cookie(), b"obMatJos2gAAA");
        assert_eq!(&SecurityFeatures::USERNAME_ANONYMITY.nonce_cookie(), b"obMatJos2QAAA");
        let sample = SecurityFeatures::from_nonce(b"obMatJos2AAACf//499k954d6OL34oL9FSTvy64sA").unwrap();
        assert!(!sample.contains(SecurityFeatures::USERNAME_ANONYMITY));
        assert_eq!(sample.bits(), 2);
    }

    #[test]
    fn features_are_a_set() {
        let (algorithms, anonymity) =
            (SecurityFeatures::PASSWORD_ALGORITHMS, SecurityFeatures::USERNAME_ANONYMITY);
        let both = algorithms | anonymity;
        assert_eq!(both | anonymity, both);
        assert!(both.contains(algorithms) && both.contains(both) && both.contains(SecurityFeatures::NONE));
        assert!(!algorithms.contains(both) && !algorithms.contains(anonymity));
    }

    #[test]
    fn what_is_no_cookie_says_nothing() {
        for nonce in
            [&b""[..], b"obMatJos2", b"obMatJos2AAA", b"obMatJos2A=AA", b"obmatjos2AAAA", b"xobMatJos2AAAA"]
        {
            assert_eq!(SecurityFeatures::from_nonce(nonce), None);
        }
    }
}
