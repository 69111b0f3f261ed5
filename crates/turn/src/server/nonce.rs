//! Nonces that need no memory (RFC 8489 §9.2, §14.10): whether the server gave one to a client, and when, is read off
//! it.

use core::net::IpAddr;
use core::time::Duration;

use floe_stun::{Key, SecurityFeatures, Time};
use subtle::ConstantTimeEq;

use super::base64;
use super::link::Link;
use crate::framing::Carrier;
use crate::random::Random;

/// Bytes of randomness in a nonce, so that no two are equal (RFC 8656 §5).
const SALT: usize = 6;
/// Bytes of the tag: nobody finds one of 2^120 by trying.
const TAG: usize = 15;
const SALT_DIGITS: usize = base64::encoded_len(SALT);
const TAG_START: usize = SecurityFeatures::COOKIE_LEN + SALT_DIGITS;
/// Size in bytes of a nonce.
pub(super) const NONCE_LEN: usize = TAG_START + base64::encoded_len(TAG);

/// A nonce is the cookie with the security features, random digits, and a tag: an HMAC, under a key that nobody else
/// has, of both, the client's 5-tuple and the current period. So it is of use to this client only, and
/// in this period and the next.
pub(super) struct Nonces {
    key: Key,
    period: Duration,
}

impl Nonces {
    /// Nonces that live for at most `lifetime`, and at least for half of it.
    pub(super) fn new(lifetime: Duration, random: &mut Random) -> Self {
        Self { key: Key::from_bytes(&random.bytes::<32>()), period: lifetime / 2 }
    }

    /// A new nonce for this client.
    pub(super) fn issue(
        &self,
        link: &Link,
        features: SecurityFeatures,
        now: Time,
        random: &mut Random,
    ) -> [u8; NONCE_LEN] {
        let mut nonce = [0; NONCE_LEN];
        nonce[..SecurityFeatures::COOKIE_LEN].copy_from_slice(&features.nonce_cookie());
        base64::encode(&random.bytes::<SALT>(), &mut nonce[SecurityFeatures::COOKIE_LEN..TAG_START]);
        let tag = self.tag(&nonce, link, self.period_of(now));
        nonce[TAG_START..].copy_from_slice(&tag);
        nonce
    }

    /// Whether this nonce was given to this client, and not too long ago.
    pub(super) fn is_valid(&self, nonce: &[u8], link: &Link, now: Time) -> bool {
        let Ok(nonce) = <&[u8; NONCE_LEN]>::try_from(nonce) else { return false };
        let period = self.period_of(now);
        let tag = &nonce[TAG_START..];
        let current = tag.ct_eq(&self.tag(nonce, link, period));
        let previous = period.checked_sub(1).map(|period| tag.ct_eq(&self.tag(nonce, link, period)));
        bool::from(current) || previous.is_some_and(bool::from)
    }

    fn period_of(&self, now: Time) -> u64 {
        now.as_nanos() / (self.period.as_nanos() as u64).max(1)
    }

    /// The digits at the end of a nonce which starts like this one.
    fn tag(&self, nonce: &[u8; NONCE_LEN], link: &Link, period: u64) -> [u8; NONCE_LEN - TAG_START] {
        let mut input = [0; TAG_START + 16 + 4 + 2 + 8 + 1 + 8];
        let scope = match link.client {
            core::net::SocketAddr::V4(_) => 0,
            core::net::SocketAddr::V6(v6) => v6.scope_id(),
        };
        let ip = match link.client.ip() {
            IpAddr::V4(ip) => ip.to_ipv6_mapped(),
            IpAddr::V6(ip) => ip,
        };
        let carrier = match link.carrier {
            Carrier::Datagram => 0,
            Carrier::Stream => 1,
        };
        let fields: [&[u8]; 7] = [
            &nonce[..TAG_START],
            &ip.octets(),
            &scope.to_be_bytes(),
            &link.client.port().to_be_bytes(),
            &link.socket.0.to_be_bytes(),
            &[carrier],
            &period.to_be_bytes(),
        ];
        let mut rest = &mut input[..];
        for field in fields {
            let (start, end) = rest.split_at_mut(field.len());
            start.copy_from_slice(field);
            rest = end;
        }
        let mut digits = [0; NONCE_LEN - TAG_START];
        base64::encode(&self.key.hmac_sha256(&input)[..TAG], &mut digits);
        digits
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::SocketId;

    const HOUR: Duration = Duration::from_secs(3600);
    const FEATURES: SecurityFeatures = SecurityFeatures::PASSWORD_ALGORITHMS;

    fn link(client: &str) -> Link {
        Link::datagram(SocketId(1), client.parse().unwrap())
    }

    #[test]
    fn a_nonce_is_good_for_its_client_only() {
        let mut random = Random::new([1; 32]);
        let nonces = Nonces::new(HOUR, &mut random);
        let client = link("192.0.2.1:5000");
        let nonce = nonces.issue(&client, FEATURES, Time::ZERO, &mut random);
        assert_eq!(SecurityFeatures::from_nonce(&nonce), Some(FEATURES));
        assert!(nonces.is_valid(&nonce, &client, Time::ZERO));
        let others = [
            link("192.0.2.1:5001"),
            link("192.0.2.2:5000"),
            link("[2001:db8::1]:5000"),
            Link::datagram(SocketId(2), client.client),
            Link::stream(SocketId(1), client.client),
        ];
        for other in others {
            assert!(!nonces.is_valid(&nonce, &other, Time::ZERO), "{other:?}");
        }
        let strangers = Nonces::new(HOUR, &mut random);
        assert!(!strangers.is_valid(&nonce, &client, Time::ZERO));
    }

    #[test]
    fn no_digit_of_a_nonce_can_be_changed_and_no_two_are_equal() {
        let mut random = Random::new([2; 32]);
        let nonces = Nonces::new(HOUR, &mut random);
        let client = link("192.0.2.1:5000");
        let nonce = nonces.issue(&client, FEATURES, Time::ZERO, &mut random);
        for at in 0..NONCE_LEN {
            let mut forged = nonce;
            forged[at] = if forged[at] == b'A' { b'B' } else { b'A' };
            assert!(!nonces.is_valid(&forged, &client, Time::ZERO), "digit {at}");
        }
        for forged in [&nonce[..NONCE_LEN - 1], &[nonce.as_slice(), b"A"].concat(), b""] {
            assert!(!nonces.is_valid(forged, &client, Time::ZERO));
        }
        assert_ne!(nonces.issue(&client, FEATURES, Time::ZERO, &mut random), nonce);
    }

    #[test]
    fn a_nonce_lives_for_half_its_lifetime_and_not_longer_than_it() {
        let mut random = Random::new([3; 32]);
        let nonces = Nonces::new(HOUR, &mut random);
        let client = link("192.0.2.1:5000");
        for start in [0, 1, 1799, 1800, 5000, 7199] {
            let at = |seconds| Time::from_secs(start + seconds);
            let nonce = nonces.issue(&client, FEATURES, at(0), &mut random);
            assert!(nonces.is_valid(&nonce, &client, at(1800)), "issued at {start} s");
            assert!(!nonces.is_valid(&nonce, &client, at(3600)), "issued at {start} s");
            // A clock that goes back makes a nonce come from the future.
            assert!(start < 1800 || !nonces.is_valid(&nonce, &client, Time::from_secs(start - 1800)));
        }
        let absurd = Nonces::new(Duration::ZERO, &mut random);
        let nonce = absurd.issue(&client, FEATURES, Time::MAX, &mut random);
        assert!(absurd.is_valid(&nonce, &client, Time::MAX));
    }
}
