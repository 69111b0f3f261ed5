//! The permissions of an allocation (RFC 8656 §9): which there are, which are asked for, when each is due.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::net::IpAddr;
use core::time::Duration;

use floe_stun::attributes::AddressFamily;
use floe_stun::{Time, TransactionId};

use super::error::ClientError;

/// How long the server keeps a permission (RFC 8656 §9).
pub(super) const LIFETIME: Duration = Duration::from_secs(300);

/// How long before its end a permission in use is renewed. A lost request can be repeated for as long.
const MARGIN: Duration = Duration::from_secs(60);

/// Most peers in one CreatePermission request: with eight of IPv6 it fits the 548 bytes of RFC 8489 §6.1, unless names are
/// long.
const BATCH: usize = 8;

struct Permission {
    /// Until when the server has it.
    until: Option<Time>,
    /// A request for it is on its way.
    in_flight: bool,
    /// It was used since it was last asked for.
    used: bool,
    /// The server refused a request with several peers, so this one is asked for by itself.
    alone: bool,
    /// Begins the transaction ids of Send indications.
    id: TransactionId,
}

impl Permission {
    const fn is_due(&self, now: Time) -> bool {
        match self.until {
            _ if self.in_flight => false,
            None => true,
            Some(until) => self.used && now.as_nanos() >= due(until).as_nanos(),
        }
    }

    /// When something has to be done about it, later than `now` if everything due by then was done.
    const fn deadline(&self, now: Time) -> Option<Time> {
        match self.until {
            Some(until) if !self.in_flight && now.as_nanos() < due(until).as_nanos() => Some(due(until)),
            until => until,
        }
    }
}

const fn due(until: Time) -> Time {
    until.saturating_sub(MARGIN)
}

/// How a permission ended.
pub(super) enum Ended {
    /// Nobody used it.
    Lapsed(IpAddr),
    /// It could not be renewed yet. It still is asked for.
    Interrupted,
}

pub(super) struct Permissions {
    peers: BTreeMap<IpAddr, Permission>,
    limit: usize,
}

impl Permissions {
    pub(super) fn new(limit: u16) -> Self {
        Self { peers: BTreeMap::new(), limit: usize::from(limit) }
    }

    /// Whether there is room for a peer, or need for none.
    pub(super) fn check_room(&self, peer: IpAddr) -> Result<(), ClientError> {
        if self.peers.len() < self.limit || self.peers.contains_key(&peer) {
            Ok(())
        } else {
            Err(ClientError::TooManyPermissions)
        }
    }

    /// Asks for a permission, or says that it is in use.
    pub(super) fn want(&mut self, peer: IpAddr, id: impl FnOnce() -> TransactionId) {
        let fresh = || Permission { until: None, in_flight: false, used: true, alone: false, id: id() };
        self.peers.entry(peer).or_insert_with(fresh).used = true;
    }

    pub(super) fn remove(&mut self, peer: IpAddr) -> bool {
        self.peers.remove(&peer).is_some()
    }

    pub(super) fn clear(&mut self) {
        self.peers.clear();
    }

    /// The allocation is another one now: everything has to be asked for again.
    pub(super) fn reset(&mut self) {
        for permission in self.peers.values_mut() {
            (permission.until, permission.in_flight) = (None, false);
        }
    }

    /// The requests on their way were given up. What they asked for is wanted still.
    pub(super) fn cancel(&mut self) {
        for permission in self.peers.values_mut() {
            permission.used |= permission.in_flight;
            permission.in_flight = false;
        }
    }

    /// Whether data may be sent to a peer: the server has its permission (RFC 8656 §11.1). The id is for Send indications.
    pub(super) fn installed(&self, peer: IpAddr) -> Option<TransactionId> {
        self.peers.get(&peer).filter(|permission| permission.until.is_some()).map(|permission| permission.id)
    }

    /// Whether data from a peer are welcome: the server has its permission, or may have it already and the answer is on
    /// its way (RFC 8656 §11.4).
    pub(super) fn admits(&self, peer: IpAddr, now: Time) -> bool {
        let holds = |permission: &Permission| permission.until.is_some_and(|until| now < until);
        self.peers.get(&peer).is_some_and(|permission| permission.in_flight || holds(permission))
    }

    /// Notes use. Returns whether something is due because of it.
    pub(super) fn touch(&mut self, peer: IpAddr, now: Time) -> bool {
        let Some(permission) = self.peers.get_mut(&peer) else { return false };
        let idle = !permission.used;
        permission.used = true;
        idle && permission.is_due(now)
    }

    /// The peers to ask for next, in one request.
    pub(super) fn next_request(&mut self, now: Time) -> Option<Vec<IpAddr>> {
        let mut due = self.peers.iter_mut().filter(|(_, permission)| permission.is_due(now)).peekable();
        let alone = due.peek()?.1.alone;
        let batch =
            due.filter(|(_, permission)| permission.alone == alone).take(if alone { 1 } else { BATCH });
        let peers = batch.map(|(peer, permission)| {
            (permission.in_flight, permission.used) = (true, false);
            *peer
        });
        Some(peers.collect())
    }

    /// The server has the permission as of `at`, when it was asked for. Returns whether it had none before.
    pub(super) fn install(&mut self, peer: IpAddr, at: Time) -> bool {
        let Some(permission) = self.peers.get_mut(&peer) else { return false };
        let until = at.saturating_add(LIFETIME);
        let fresh = permission.until.is_none();
        permission.until = permission.until.max(Some(until));
        (permission.in_flight, permission.alone) = (false, false);
        fresh
    }

    /// A request was refused, perhaps because of one peer in it: each is asked for by itself.
    pub(super) fn separate(&mut self, peers: &[IpAddr]) {
        for peer in peers {
            if let Some(permission) = self.peers.get_mut(peer) {
                (permission.in_flight, permission.used, permission.alone) = (false, true, true);
            }
        }
    }

    /// No answer came. Returns whether the permission still holds, and so is asked for again.
    pub(super) fn retry(&mut self, peer: IpAddr) -> bool {
        match self.peers.get_mut(&peer) {
            Some(permission) if permission.until.is_some() => {
                (permission.in_flight, permission.used) = (false, true);
                true
            }
            _ => false,
        }
    }

    /// Peers of a family that the allocation has not: the server would refuse them (RFC 8656 §10.1).
    pub(super) fn take_foreign(&mut self, has: impl Fn(AddressFamily) -> bool) -> Vec<IpAddr> {
        let is_foreign = |peer: &&IpAddr| !has(AddressFamily::of(**peer));
        let foreign: Vec<IpAddr> = self.peers.keys().filter(is_foreign).copied().collect();
        for peer in &foreign {
            self.peers.remove(peer);
        }
        foreign
    }

    /// Ends what the server no longer has.
    pub(super) fn expire(&mut self, now: Time) -> Vec<Ended> {
        let mut ended = Vec::new();
        self.peers.retain(|peer, permission| {
            if permission.until.is_none_or(|until| now < until) {
                return true;
            }
            permission.until = None;
            let wanted = permission.used || permission.in_flight;
            ended.push(if wanted { Ended::Interrupted } else { Ended::Lapsed(*peer) });
            wanted
        });
        ended
    }

    pub(super) fn deadline(&self, now: Time) -> Option<Time> {
        self.peers.values().filter_map(|permission| permission.deadline(now)).min()
    }

    pub(super) fn check_invariants(&self) {
        assert!(self.peers.len() <= self.limit, "permissions are bounded");
    }
}
