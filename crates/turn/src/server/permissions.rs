//! Whom an allocation exchanges data with (RFC 8656 §9).

use core::hash::BuildHasher;
use core::net::IpAddr;
use core::time::Duration;

use floe_stun::Time;
use hashbrown::HashTable;

use super::keyed_hash::KeyedHash;

/// How long a permission lasts (RFC 8656 §9).
pub(super) const PERMISSION_LIFETIME: Duration = Duration::from_secs(300);

/// The permissions of one allocation, by address. One that has expired is none; its place is taken back when room is
/// needed, so no timer is.
#[derive(Default)]
pub(super) struct Permissions(HashTable<Permission>);

struct Permission {
    ip: IpAddr,
    expires: Time,
}

/// There are as many as there may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Full;

impl Permissions {
    /// Whether there is one for this address.
    pub(super) fn allows(&self, ip: IpAddr, now: Time, hash: KeyedHash) -> bool {
        let found = self.0.find(hash.hash_one(ip), |permission| permission.ip == ip);
        found.is_some_and(|permission| permission.expires > now)
    }

    /// Installs or refreshes permissions for all these addresses, or none (RFC 8656 §10.2).
    pub(super) fn install(
        &mut self,
        ips: impl Iterator<Item = IpAddr> + Clone,
        now: Time,
        limit: usize,
        hash: KeyedHash,
    ) -> Result<(), Full> {
        let expires = now + PERMISSION_LIFETIME;
        // An address that the request repeats counts each time.
        let new = ips.clone().filter(|ip| self.0.find(hash.hash_one(ip), |p| p.ip == *ip).is_none()).count();
        if self.0.len() + new > limit {
            self.0.retain(|permission| permission.expires > now);
            let new = ips.clone().filter(|ip| self.0.find(hash.hash_one(ip), |p| p.ip == *ip).is_none());
            if self.0.len() + new.count() > limit {
                return Err(Full);
            }
        }
        for ip in ips {
            let entry = self.0.entry(hash.hash_one(ip), |p| p.ip == ip, |p| hash.hash_one(p.ip));
            entry.and_modify(|permission| permission.expires = expires).or_insert(Permission { ip, expires });
        }
        Ok(())
    }

    /// Removes those of one family, when its relay has gone (RFC 8656 §8.1).
    pub(super) fn remove_family(&mut self, ipv4: bool) {
        self.0.retain(|permission| permission.ip.is_ipv4() != ipv4);
    }

    /// How many there are, expired ones included.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    fn ip(n: u8) -> IpAddr {
        IpAddr::from([203, 0, 113, n])
    }

    fn hash() -> KeyedHash {
        KeyedHash::new(&mut Random::new([1; 32]))
    }

    #[test]
    fn a_permission_lasts_exactly_five_minutes_from_its_last_refresh() {
        let (mut permissions, hash) = (Permissions::default(), hash());
        let at = Time::from_millis;
        permissions.install([ip(1)].into_iter(), at(0), 9, hash).unwrap();
        assert!(permissions.allows(ip(1), at(299_999), hash));
        assert!(!permissions.allows(ip(1), at(300_000), hash));
        assert!(!permissions.allows(ip(2), at(0), hash));
        permissions.install([ip(1)].into_iter(), at(100_000), 9, hash).unwrap();
        assert!(
            permissions.allows(ip(1), at(399_999), hash) && !permissions.allows(ip(1), at(400_000), hash)
        );
    }

    #[test]
    fn all_or_none_are_installed_and_the_expired_make_room() {
        let (mut permissions, hash) = (Permissions::default(), hash());
        let start = Time::ZERO;
        permissions.install([ip(1), ip(2)].into_iter(), start, 3, hash).unwrap();
        assert_eq!(permissions.install([ip(3), ip(4)].into_iter(), start, 3, hash), Err(Full));
        assert!(!permissions.allows(ip(3), start, hash));
        // Those that are there take no new place.
        permissions.install([ip(1), ip(2), ip(3)].into_iter(), start, 3, hash).unwrap();
        let later = start + PERMISSION_LIFETIME;
        permissions.install([ip(4), ip(5)].into_iter(), later, 3, hash).unwrap();
        assert_eq!(permissions.len(), 2);
        assert!(!permissions.allows(ip(1), later, hash));
    }

    #[test]
    fn one_family_goes_and_the_other_stays() {
        let (mut permissions, hash) = (Permissions::default(), hash());
        let v6: IpAddr = "2001:db8::1".parse().unwrap();
        permissions.install([ip(1), v6].into_iter(), Time::ZERO, 9, hash).unwrap();
        permissions.remove_family(true);
        assert!(permissions.allows(v6, Time::ZERO, hash) && !permissions.allows(ip(1), Time::ZERO, hash));
    }
}
