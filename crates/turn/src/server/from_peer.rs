//! Data from a peer (RFC 8656 §11.3, §12.7), and ICMP errors about data to a peer (§11.5).

use core::net::{IpAddr, SocketAddr};

use floe_stun::attributes::{AddressFamily, Icmp, XorPeerAddress};
use floe_stun::{Class, MessageBuilder, Method, Time};

use super::Server;
use super::link::{Link, RelayId};
use super::rejection::Rejection;
use super::relays::Owner;
use super::slab::Key;
use crate::framing::{Frame, Framing};

/// What a datagram from a peer was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum FromPeer {
    /// Data for a client: send [`prefix`](Frame::prefix), payload and [`padding`](Frame::padding), in one datagram or
    /// behind each other on the stream. A stream that takes no more should drop whole frames, as UDP would.
    ToClient {
        /// Where to send to.
        link: Link,
        /// What goes around the payload.
        frame: Frame,
    },
    /// It was dropped and counted.
    Rejected(Rejection),
}

impl Server {
    /// Handles a datagram of `len` bytes that arrived on a relay socket. Its payload is not looked at and stays where it
    /// is.
    pub fn handle_peer_datagram(
        &mut self,
        relay: RelayId,
        source: SocketAddr,
        len: usize,
        now: Time,
    ) -> FromPeer {
        match self.relay_from_peer(relay.0, source, len, now) {
            Ok(to_client) => to_client,
            Err(why) => {
                self.fx.stats.reject(why);
                FromPeer::Rejected(why)
            }
        }
    }

    fn relay_from_peer(
        &mut self,
        relay: Key,
        source: SocketAddr,
        len: usize,
        now: Time,
    ) -> Result<FromPeer, Rejection> {
        // As a peer address is written in a message: without what only this machine knows of it.
        let source = SocketAddr::new(source.ip().to_canonical(), source.port());
        let key = self.allocation_behind(relay, source.ip(), now)?;
        // §9: only addresses are compared. At an address of the server only relays are peers.
        let beside_relays = self.is_beside_relays(source);
        let allocation = self.allocations.get_mut(key).ok_or(Rejection::AllocationMismatch)?;
        if beside_relays || !allocation.permissions.allows(source.ip(), now, self.hash) {
            return Err(Rejection::NoPermission);
        }
        if !allocation.connected {
            return Err(Rejection::ClientAway);
        }
        let link = allocation.link;
        // §12.5: where the peer has a channel, its data come in it.
        let framing = match allocation.channels.number(source, now, self.hash) {
            Some(number) => Framing::Channel(number),
            None => {
                Framing::Indication { method: Method::DATA, peer: source, id: self.random.transaction_id() }
            }
        };
        let frame = framing.around(len, link.carrier).map_err(|_| Rejection::TooLong)?;
        if !self.accounts.admit(allocation.account, len, now) {
            return Err(Rejection::BandwidthExceeded);
        }
        allocation.to_client.count(len);
        self.fx.stats.to_clients.count(len);
        Ok(FromPeer::ToClient { link, frame })
    }

    /// Reports an ICMP error about a datagram that went from a relay to `peer`; the port is 0 if the system does not tell
    /// it (§11.5). The type decides whether the client hears of it.
    pub fn handle_icmp(&mut self, relay: RelayId, peer: SocketAddr, icmp: Icmp, now: Time) {
        if let Err(why) = self.report_icmp(relay.0, peer, icmp, now) {
            self.fx.stats.reject(why);
        }
    }

    fn report_icmp(&mut self, relay: Key, peer: SocketAddr, icmp: Icmp, now: Time) -> Result<(), Rejection> {
        let peer = SocketAddr::new(peer.ip().to_canonical(), peer.port());
        let too_big = match (peer.ip(), icmp.icmp_type) {
            (IpAddr::V4(_), 3) => icmp.code == 4,
            (IpAddr::V6(_), 2) => true,
            (IpAddr::V4(_), 11) | (IpAddr::V6(_), 1 | 3) => false,
            _ => return Err(Rejection::IrrelevantIcmp),
        };
        let key = self.allocation_behind(relay, peer.ip(), now)?;
        let allocation = self.allocations.get(key).ok_or(Rejection::AllocationMismatch)?;
        if !allocation.permissions.allows(peer.ip(), now, self.hash) {
            return Err(Rejection::NoPermission);
        }
        if !allocation.connected {
            return Err(Rejection::ClientAway);
        }
        // §18.13: the MTU where there is one, otherwise zero.
        let icmp = if too_big { icmp } else { Icmp { data: [0; 4], ..icmp } };
        let id = self.random.transaction_id();
        self.fx.send(allocation.link, |out| {
            let indication = MessageBuilder::new(out, Class::Indication, Method::DATA, id);
            indication.attribute(&XorPeerAddress(peer)).attribute(&icmp).finish()
        })
    }

    /// The live allocation that a relay belongs to.
    fn allocation_behind(&self, relay: Key, peer: IpAddr, now: Time) -> Result<Key, Rejection> {
        let relay = self.relays.get(relay).ok_or(Rejection::AllocationMismatch)?;
        let Owner::Allocation(key) = relay.owner else { return Err(Rejection::AllocationMismatch) };
        let allocation = self.allocations.get(key).ok_or(Rejection::AllocationMismatch)?;
        let live = allocation.opening.is_none() && allocation.relay(relay.family, now).is_some();
        // The system sees to it that peers of a socket have its family.
        if live && relay.family == AddressFamily::of(peer) {
            Ok(key)
        } else {
            Err(Rejection::AllocationMismatch)
        }
    }
}
