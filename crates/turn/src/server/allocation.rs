//! One allocation, and all of them (RFC 8656 §6).

use alloc::boxed::Box;
use alloc::sync::Arc;

use floe_stun::attributes::AddressFamily;
use floe_stun::{Time, TransactionId};
use hashbrown::HashMap;

use super::channels::Channels;
use super::keyed_hash::KeyedHash;
use super::link::Link;
use super::mobility::Mobility;
use super::opening::Opening;
use super::permissions::Permissions;
use super::ports::index;
use super::rejection::Rejection;
use super::relays::Token;
use super::slab::{Key, Slab};
use super::traffic::Traffic;

/// An allocation. Its relays are there once the driver has opened them.
pub(super) struct Allocation {
    /// Where its data go.
    pub(super) link: Link,
    /// False while its connection is gone and the client may come back from elsewhere.
    pub(super) connected: bool,
    pub(super) user: Arc<str>,
    pub(super) account: Key,
    /// The Allocate request that made it: a retransmission is told so (RFC 8656 §7.2).
    pub(super) request: TransactionId,
    pub(super) begun: Time,
    /// The relays by family.
    pub(super) relays: [Option<Granted>; 2],
    /// Why a family that was asked for is missing (ADDRESS-ERROR-CODE).
    pub(super) refused: Option<(AddressFamily, Rejection)>,
    /// The token of the port that was reserved with it.
    pub(super) token: Option<Token>,
    pub(super) permissions: Permissions,
    pub(super) channels: Channels,
    pub(super) to_peers: Traffic,
    pub(super) to_client: Traffic,
    /// When the earliest timer that is set for it goes off.
    pub(super) wakeup: Time,
    /// What is needed while the driver opens its relays.
    pub(super) opening: Option<Box<Opening>>,
    pub(super) mobility: Option<Box<Mobility>>,
}

/// A relay of an allocation.
#[derive(Clone, Copy)]
pub(super) struct Granted {
    pub(super) relay: Key,
    pub(super) expires: Time,
}

impl Allocation {
    /// The live relay of a family.
    pub(super) fn relay(&self, family: AddressFamily, now: Time) -> Option<Key> {
        let granted = self.relays[index(family)].filter(|granted| granted.expires > now)?;
        Some(granted.relay)
    }

    /// Whether it can be used: its relays are open, and one of them has not expired.
    pub(super) fn is_live(&self, now: Time) -> bool {
        self.opening.is_none() && self.relays.iter().flatten().any(|granted| granted.expires > now)
    }

    /// When its next relay expires.
    pub(super) fn next_expiry(&self) -> Time {
        let expiries = self.relays.iter().flatten().map(|granted| granted.expires);
        expiries.min().unwrap_or(Time::MAX)
    }
}

/// All allocations, found by 5-tuple.
pub(super) struct Allocations {
    slab: Slab<Allocation>,
    links: HashMap<Link, Key, KeyedHash>,
}

impl Allocations {
    pub(super) fn new(hash: KeyedHash) -> Self {
        Self { slab: Slab::new(), links: HashMap::with_hasher(hash) }
    }

    /// The allocation on a 5-tuple, opening and expired ones included.
    pub(super) fn on(&self, link: &Link) -> Option<Key> {
        self.links.get(link).copied()
    }

    pub(super) fn get(&self, key: Key) -> Option<&Allocation> {
        self.slab.get(key)
    }

    pub(super) fn get_mut(&mut self, key: Key) -> Option<&mut Allocation> {
        self.slab.get_mut(key)
    }

    pub(super) fn insert(&mut self, allocation: Allocation) -> Key {
        let link = allocation.link;
        let key = self.slab.insert(allocation);
        self.links.insert(link, key);
        key
    }

    /// Makes an allocation known under one more 5-tuple.
    pub(super) fn add_link(&mut self, link: Link, key: Key) {
        self.links.insert(link, key);
    }

    /// Forgets a 5-tuple, if it stands for this allocation.
    pub(super) fn remove_link(&mut self, link: &Link, key: Key) {
        if self.on(link) == Some(key) {
            self.links.remove(link);
        }
    }

    pub(super) fn remove(&mut self, key: Key) -> Option<Allocation> {
        let allocation = self.slab.remove(key)?;
        self.remove_link(&allocation.link, key);
        if let Some(coming) = allocation.mobility.as_ref().and_then(|mobility| mobility.coming()) {
            self.remove_link(&coming, key);
        }
        Some(allocation)
    }

    pub(super) fn len(&self) -> usize {
        self.slab.len()
    }

    pub(super) fn keys(&self) -> alloc::vec::Vec<Key> {
        self.slab.keys()
    }
}
