//! What each user holds: quotas of allocations and of bandwidth (RFC 8656 §5, §7.2).

use alloc::sync::Arc;
use core::time::Duration;

use floe_stun::Time;
use hashbrown::HashMap;

use super::keyed_hash::KeyedHash;
use super::slab::{Key, Slab};

/// How much data the allocations of one user may carry, both directions together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bandwidth {
    /// Bytes per second in the long run; zero counts as one.
    pub bytes_per_second: u32,
    /// Bytes at once. What does not fit is dropped (RFC 8656 §5), so it should hold some packets.
    pub burst_bytes: u32,
}

/// The users that hold something.
pub(super) struct Accounts {
    accounts: Slab<Account>,
    by_name: HashMap<Arc<str>, Key, KeyedHash>,
    bandwidth: Option<Bandwidth>,
    /// What all hold together.
    held: usize,
}

struct Account {
    name: Arc<str>,
    /// Allocations and reserved ports.
    held: u32,
    /// When the whole burst is there again.
    full_at: Time,
}

impl Accounts {
    pub(super) fn new(bandwidth: Option<Bandwidth>, hash: KeyedHash) -> Self {
        Self { accounts: Slab::new(), by_name: HashMap::with_hasher(hash), bandwidth, held: 0 }
    }

    /// How much a user holds.
    pub(super) fn held_by(&self, name: &str) -> u32 {
        let account = self.by_name.get(name).and_then(|&key| self.accounts.get(key));
        account.map_or(0, |account| account.held)
    }

    /// Whether an account is this user's.
    pub(super) fn is(&self, key: Key, name: &str) -> bool {
        self.accounts.get(key).is_some_and(|account| &*account.name == name)
    }

    /// How much all users hold together.
    pub(super) fn held(&self) -> usize {
        self.held
    }

    /// Counts one thing more for a user.
    pub(super) fn hold(&mut self, name: &str, now: Time) -> Key {
        self.held += 1;
        if let Some(&key) = self.by_name.get(name)
            && let Some(account) = self.accounts.get_mut(key)
        {
            account.held += 1;
            return key;
        }
        let name: Arc<str> = name.into();
        // A new account starts without its burst: nobody gets more by coming again.
        let full_at =
            now + self.bandwidth.map_or(Duration::ZERO, |limit| limit.time_of(limit.burst_bytes as usize));
        let key = self.accounts.insert(Account { name: name.clone(), held: 1, full_at });
        self.by_name.insert(name, key);
        key
    }

    /// Counts one more for an account that holds something.
    pub(super) fn hold_more(&mut self, key: Key) {
        if let Some(account) = self.accounts.get_mut(key) {
            account.held += 1;
            self.held += 1;
        }
    }

    /// Counts one less.
    pub(super) fn release(&mut self, key: Key) {
        let Some(account) = self.accounts.get_mut(key) else { return };
        account.held -= 1;
        self.held -= 1;
        if account.held == 0 {
            self.by_name.remove(&account.name);
            self.accounts.remove(key);
        }
    }

    /// Whether a packet of `bytes` is within the user's bandwidth; if so it is counted.
    pub(super) fn admit(&mut self, key: Key, bytes: usize, now: Time) -> bool {
        let Some(limit) = self.bandwidth else { return true };
        let Some(account) = self.accounts.get_mut(key) else { return false };
        let full_at = account.full_at.max(now) + limit.time_of(bytes);
        let admitted = full_at - now <= limit.time_of(limit.burst_bytes as usize);
        if admitted {
            account.full_at = full_at;
        }
        admitted
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.accounts.len()
    }
}

impl Bandwidth {
    /// How long the long-run rate takes for so many bytes.
    fn time_of(&self, bytes: usize) -> Duration {
        let nanos = bytes as u64 * 1_000_000_000 / u64::from(self.bytes_per_second.max(1));
        Duration::from_nanos(nanos)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    fn accounts(bandwidth: Option<Bandwidth>) -> Accounts {
        Accounts::new(bandwidth, KeyedHash::new(&mut Random::new([1; 32])))
    }

    #[test]
    fn what_is_held_is_counted_and_forgotten_at_zero() {
        let mut accounts = accounts(None);
        let alice = accounts.hold("alice", Time::ZERO);
        assert_eq!(accounts.hold("alice", Time::ZERO), alice);
        accounts.hold_more(alice);
        let bob = accounts.hold("bob", Time::ZERO);
        assert_eq!((accounts.held_by("alice"), accounts.held_by("bob"), accounts.held_by("eve")), (3, 1, 0));
        accounts.release(bob);
        accounts.release(alice);
        assert_eq!((accounts.held_by("alice"), accounts.len()), (2, 1));
        accounts.release(alice);
        accounts.release(alice);
        assert_eq!((accounts.held_by("alice"), accounts.len()), (0, 0));
    }

    #[test]
    fn bandwidth_is_a_rate_with_a_burst_that_has_to_be_earned_first() {
        let mut accounts = accounts(Some(Bandwidth { bytes_per_second: 1000, burst_bytes: 500 }));
        let alice = accounts.hold("alice", Time::ZERO);
        let at = Time::from_millis;
        assert!(!accounts.admit(alice, 100, at(0)));
        assert!(accounts.admit(alice, 100, at(100)) && !accounts.admit(alice, 1, at(100)));
        let sent = |accounts: &mut Accounts, now| (0..99).filter(|_| accounts.admit(alice, 100, now)).count();
        assert_eq!(sent(&mut accounts, at(5_000)), 5, "no more than the burst");
        assert_eq!(sent(&mut accounts, at(6_000)), 5);
        assert_eq!(sent(&mut accounts, at(6_100)), 1);
        // A packet larger than the burst never passes, and costs nothing.
        assert!(!accounts.admit(alice, 501, at(9_000)) && accounts.admit(alice, 500, at(9_000)));
        let absurd = Bandwidth { bytes_per_second: 0, burst_bytes: u32::MAX };
        assert_eq!(absurd.time_of(65_535), Duration::from_secs(65_535));
    }
}
