//! Installing and refreshing permissions (RFC 8656 §10).

use core::net::IpAddr;

use floe_stun::Time;
use floe_stun::attributes::AddressFamily;

use super::allocation::is_unicast;
use super::error::{ClientError, Failure};
use super::event::Event;
use super::permission::Ended;
use super::{Client, State, Then};

impl Client {
    /// Lets a peer, whatever its port, send to the relayed address, and be sent to. [`Event::PermissionCreated`] tells when
    /// that is so; if it is so already ([`is_permitted`](Self::is_permitted)) the call counts as use and nothing more
    /// happens. Before there is an allocation the wish is kept.
    ///
    /// # Errors
    ///
    /// [`ClientError::WrongFamily`], [`ClientError::UnusablePeer`], [`ClientError::TooManyPermissions`],
    /// [`ClientError::Closed`].
    pub fn permit(&mut self, peer: IpAddr, now: Time) -> Result<(), ClientError> {
        let peer = peer.to_canonical();
        self.check_permission(peer)?;
        self.want_permission(peer);
        self.settle(now);
        Ok(())
    }

    /// Whether a permission could be asked for.
    pub(super) fn check_permission(&self, peer: IpAddr) -> Result<(), ClientError> {
        if matches!(self.state, State::Closed | State::Deleting(Then::Close)) {
            return Err(ClientError::Closed);
        }
        if !is_unicast(peer) {
            return Err(ClientError::UnusablePeer);
        }
        // RFC 8656 §10.1.
        let family = AddressFamily::of(peer);
        if self.allocation.as_ref().is_some_and(|allocation| !allocation.has_family(family)) {
            return Err(ClientError::WrongFamily);
        }
        self.permissions.check_room(peer)
    }

    pub(super) fn want_permission(&mut self, peer: IpAddr) {
        let random = &mut self.random;
        self.permissions.want(peer, || random.transaction_id());
    }

    /// Gives a permission up: data from the peer are not let through any more. The server forgets it within five minutes;
    /// there is no request for that (RFC 8656 §9).
    pub fn forbid(&mut self, peer: IpAddr, now: Time) {
        if self.permissions.remove(peer.to_canonical()) {
            self.paths_changed();
        }
        self.settle(now);
    }

    /// RFC 8656 §10.3. The lifetime counts from when it was asked for, which is earlier than the server counts it.
    pub(super) fn on_permitted(&mut self, peers: &[IpAddr], asked: Time) {
        for &peer in peers {
            if self.permissions.install(peer, asked) {
                self.events.push(Event::PermissionCreated { peer });
                self.paths_changed();
            }
        }
    }

    pub(super) fn permit_failed(&mut self, peers: &[IpAddr], reason: Failure, timed_out: bool) {
        // The server refuses all for one: find out for which.
        if peers.len() > 1 && !timed_out && is_about_a_peer(reason) {
            return self.permissions.separate(peers);
        }
        for &peer in peers {
            if timed_out && self.permissions.retry(peer) {
                continue;
            }
            if self.permissions.remove(peer) {
                self.events.push(Event::PermissionFailed { peer, reason });
                self.paths_changed();
            }
        }
    }

    pub(super) fn expire_permissions(&mut self, now: Time) {
        for ended in self.permissions.expire(now) {
            if let Ended::Lapsed(peer) = ended {
                self.events.push(Event::PermissionLapsed { peer });
            }
            self.paths_changed();
        }
    }
}

const fn is_about_a_peer(reason: Failure) -> bool {
    matches!(
        reason,
        Failure::BadRequest
            | Failure::Forbidden
            | Failure::PeerFamilyMismatch
            | Failure::InsufficientCapacity
            | Failure::Error(_)
    )
}
