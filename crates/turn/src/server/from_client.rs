//! Data from a client: Send indications (RFC 8656 §11.2) and ChannelData (§12.6).

use core::net::SocketAddr;
use core::ops::Range;

use floe_stun::attributes::{AddressFamily, Data, DontFragment, XorPeerAddress};
use floe_stun::{ChannelData, Message, Time};

use super::Server;
use super::link::{Link, RelayId};
use super::rejection::Rejection;
use super::slab::Key;
use crate::framing::Carrier;

/// What a datagram or frame from a client was.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum Received {
    /// A request or a keep-alive. It is dealt with; poll for what it caused.
    Handled,
    /// Data for a peer: send `payload`, which is a part of what was handed in, from the socket of `relay` to `peer`.
    ToPeer {
        /// The socket to send from.
        relay: RelayId,
        /// Where to send to.
        peer: SocketAddr,
        /// What to send. It may be empty; then an empty datagram is sent (RFC 8656 §12.6).
        payload: Range<usize>,
        /// Set the DF bit on the datagram (RFC 8656 §14, §15).
        dont_fragment: bool,
    },
    /// It was dropped or refused, and counted. If there is an answer, it waits to be polled.
    Rejected(Rejection),
}

impl Server {
    pub(super) fn on_channel_data(
        &mut self,
        link: &Link,
        datagram: &[u8],
        now: Time,
    ) -> Result<Received, Rejection> {
        let message = ChannelData::parse(datagram).map_err(|_| Rejection::Malformed)?;
        let key = self.allocation_for_data(link, now)?;
        let allocation = self.allocations.get(key).ok_or(Rejection::AllocationMismatch)?;
        let peer = allocation.channels.peer(message.channel, now, self.hash);
        let peer = peer.ok_or(Rejection::UnboundChannel)?;
        let payload = ChannelData::HEADER_LEN..ChannelData::HEADER_LEN + message.data.len();
        self.relay_to_peer(key, peer, payload, false, now)
    }

    pub(super) fn on_send(
        &mut self,
        link: &Link,
        datagram: &[u8],
        indication: &Message<'_>,
        now: Time,
    ) -> Result<Received, Rejection> {
        let key = self.allocation_for_data(link, now)?;
        if indication.unknown_required(self.known()).next().is_some() {
            return Err(Rejection::UnknownAttribute);
        }
        let bad = |_| Rejection::BadRequest;
        let peer = indication.get::<XorPeerAddress>().map_err(bad)?.ok_or(Rejection::BadRequest)?.0;
        let data = indication.get::<Data<'_>>().map_err(bad)?.ok_or(Rejection::BadRequest)?.0;
        let dont_fragment = indication.get::<DontFragment>().map_err(bad)?.is_some();
        // §13: between UDP and UDP the attribute is ignored where IPv6 is on either side; §15: not so from a stream.
        let applies = link.carrier == Carrier::Stream || link.mapped().is_ipv4() && peer.is_ipv4();
        // The data are a part of the datagram; where they start is the distance of the two.
        let start = data.as_ptr().addr() - datagram.as_ptr().addr();
        self.relay_to_peer(key, peer, start..start + data.len(), dont_fragment && applies, now)
    }

    /// The live allocation that data on this 5-tuple belong to (RFC 8656 §5).
    fn allocation_for_data(&mut self, link: &Link, now: Time) -> Result<Key, Rejection> {
        let key = self.allocations.on(link).ok_or(Rejection::AllocationMismatch)?;
        let allocation = self.allocations.get(key).filter(|allocation| allocation.is_live(now));
        let allocation = allocation.ok_or(Rejection::AllocationMismatch)?;
        // RFC 8016 §3.2.2: data on the new 5-tuple complete the move.
        if allocation.link != *link {
            self.complete_move(key);
        }
        Ok(key)
    }

    fn relay_to_peer(
        &mut self,
        key: Key,
        peer: SocketAddr,
        payload: Range<usize>,
        dont_fragment: bool,
        now: Time,
    ) -> Result<Received, Rejection> {
        let allocation = self.allocations.get(key).ok_or(Rejection::AllocationMismatch)?;
        if !allocation.permissions.allows(peer.ip(), now, self.hash) {
            return Err(Rejection::NoPermission);
        }
        let relay = allocation.relay(AddressFamily::of(peer.ip()), now).ok_or(Rejection::FamilyMismatch)?;
        if !self.may_be_peer(peer) {
            return Err(Rejection::Forbidden);
        }
        if !self.accounts.admit(allocation.account, payload.len(), now) {
            return Err(Rejection::BandwidthExceeded);
        }
        if let Some(allocation) = self.allocations.get_mut(key) {
            allocation.to_peers.count(payload.len());
        }
        self.fx.stats.to_peers.count(payload.len());
        Ok(Received::ToPeer { relay: RelayId(relay), peer, payload, dont_fragment })
    }
}
