//! Receiving a ChannelBind request: RFC 8656 §12.2.

use core::iter::once;

use floe_stun::attributes::{AddressFamily, ChannelNumber, XorPeerAddress};
use floe_stun::{Class, Time};

use super::Server;
use super::allocate::read;
use super::authenticate::Authenticated;
use super::channels::BindError;
use super::policy::is_tunnelled;
use super::rejection::{Rejection, count};

impl Server {
    pub(super) fn on_channel_bind(&mut self, auth: &Authenticated<'_>, now: Time) -> Result<(), Rejection> {
        // §21.4: "MUST NOT accept Teredo or 6to4 addresses".
        if is_tunnelled(auth.link.client.ip()) {
            return Err(Rejection::Forbidden);
        }
        let key = self.allocation_of(auth, now)?;
        // Both attributes, a number that can be bound, and neither bound elsewhere: otherwise 400.
        let number = read::<ChannelNumber>(&auth.request)?.filter(|number| number.is_bindable());
        let peer = read::<XorPeerAddress>(&auth.request)?;
        let (Some(number), Some(XorPeerAddress(peer))) = (number, peer) else {
            return Err(Rejection::BadRequest);
        };
        let hash = self.hash;
        let allocation = self.allocations.get(key).ok_or(Rejection::AllocationMismatch)?;
        allocation.channels.check(number, peer, now, hash).map_err(reason)?;
        if allocation.relay(AddressFamily::of(peer.ip()), now).is_none() {
            return Err(Rejection::FamilyMismatch);
        }
        if !self.may_be_peer(peer) {
            return Err(Rejection::Forbidden);
        }
        // The binding comes with a permission; both, or neither.
        let (channels, permissions) = (self.config.limits.channels, self.config.limits.permissions);
        let channels = usize::from(channels.min(MAX_CHANNELS));
        let allocation = self.allocations.get_mut(key).ok_or(Rejection::AllocationMismatch)?;
        allocation.channels.make_room(number, peer, now, channels, hash).map_err(reason)?;
        let installed = allocation.permissions.install(once(peer.ip()), now, permissions.into(), hash);
        installed.map_err(|_| Rejection::NoCapacity)?;
        allocation.channels.bind(number, peer, now, hash);
        count(&mut self.fx.stats.refreshed);
        self.fx.respond(&auth.reply, Class::Success, |message| message);
        Ok(())
    }
}

/// There are no more numbers (RFC 8656 §12).
const MAX_CHANNELS: u16 = 4096;

const fn reason(error: BindError) -> Rejection {
    match error {
        BindError::Conflict => Rejection::BadRequest,
        BindError::Full => Rejection::NoCapacity,
    }
}
