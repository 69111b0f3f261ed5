//! Receiving a CreatePermission request: RFC 8656 §10.2.

use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};

use floe_stun::attributes::{AddressFamily, XorPeerAddress};
use floe_stun::{Class, Time};

use super::Server;
use super::authenticate::Authenticated;
use super::rejection::{Rejection, count};

impl Server {
    pub(super) fn on_create_permission(
        &mut self,
        auth: &Authenticated<'_>,
        now: Time,
    ) -> Result<(), Rejection> {
        let key = self.allocation_of(auth, now)?;
        // "at least one XOR-PEER-ADDRESS attribute": none, or any that is malformed, is a 400.
        let peers: Result<Vec<XorPeerAddress>, _> = auth.request.get_all().collect();
        let peers = peers.map_err(|_| Rejection::BadRequest)?;
        if peers.is_empty() {
            return Err(Rejection::BadRequest);
        }
        let allocation = self.allocations.get_mut(key).ok_or(Rejection::AllocationMismatch)?;
        let has_relay = |ip: IpAddr| allocation.relay(AddressFamily::of(ip), now).is_some();
        if !peers.iter().all(|peer| has_relay(peer.0.ip())) {
            return Err(Rejection::FamilyMismatch);
        }
        // The port of each attribute means nothing: whether it may be sent to is asked when something is sent.
        if !peers.iter().all(|peer| self.config.peers.allows(peer.0.ip()) && !self.is_own(peer.0.ip())) {
            return Err(Rejection::Forbidden);
        }
        let ips = peers.iter().map(|peer| peer.0.ip());
        let limit = usize::from(self.config.limits.permissions);
        let allocation = self.allocations.get_mut(key).ok_or(Rejection::AllocationMismatch)?;
        let installed = allocation.permissions.install(ips, now, limit, self.hash);
        installed.map_err(|_| Rejection::NoCapacity)?;
        count(&mut self.fx.stats.refreshed);
        self.fx.respond(&auth.reply, Class::Success, |message| message);
        Ok(())
    }

    /// Whether an address is the machine's own, not to be relayed to, and no relay has it.
    fn is_own(&self, ip: IpAddr) -> bool {
        self.config.own_addresses.contains(&ip) && !self.relays.is_own(ip) && !self.config.peers.allow_own
    }

    /// Whether something at an address of a relay is none of this server's relays, and so no peer. Who allows loopback
    /// addresses allows all that is there.
    pub(super) fn is_beside_relays(&self, peer: SocketAddr) -> bool {
        let guarded = !self.config.peers.allow_own && !peer.ip().is_loopback();
        guarded && self.relays.is_own(peer.ip()) && !self.relays.has_address(peer)
    }

    /// Whether data may go to this peer, as far as the operator is concerned. At addresses of its own the server relays
    /// to its relays only: two of its clients may well meet there.
    pub(super) fn may_be_peer(&self, peer: SocketAddr) -> bool {
        let allowed = self.config.peers.allows(peer.ip()) && !self.is_own(peer.ip());
        peer.port() != 0 && allowed && !self.is_beside_relays(peer)
    }
}
