//! Binding channels to peers (RFC 8656 §12.1, §12.3).

use core::net::SocketAddr;

use floe_stun::Time;
use floe_stun::attributes::ChannelNumber;

use super::error::{ClientError, Failure};
use super::event::Event;
use super::{Client, canonical};

impl Client {
    /// Asks for a channel to `peer`, and for a permission. [`Event::ChannelBound`] tells when there is one; until then Send
    /// indications carry the data. If there is one already the call counts as use and nothing more happens.
    ///
    /// # Errors
    ///
    /// Those of [`permit`](Self::permit), and [`ClientError::NoFreeChannel`].
    pub fn bind(&mut self, peer: SocketAddr, now: Time) -> Result<(), ClientError> {
        let peer = canonical(peer);
        if peer.port() == 0 {
            return Err(ClientError::UnusablePeer);
        }
        self.check_permission(peer.ip())?;
        self.channels.want(peer, now)?;
        self.want_permission(peer.ip());
        self.settle(now);
        Ok(())
    }

    /// Has no further use for the channel to `peer`: it is not renewed. Data go through it until it ends.
    pub fn unbind(&mut self, peer: SocketAddr, now: Time) {
        self.channels.release(canonical(peer));
        self.settle(now);
    }

    /// RFC 8656 §12.3: both the channel and the permission are there.
    pub(super) fn on_bound(&mut self, number: ChannelNumber, asked: Time, now: Time) {
        let Some(peer) = self.channels.owner(number) else { return };
        if self.channels.bind(number, asked, now) {
            self.events.push(Event::ChannelBound { peer, channel: number });
            self.paths_changed();
        }
        self.on_permitted(&[peer.ip()], asked);
    }

    pub(super) fn bind_failed(&mut self, number: ChannelNumber, reason: Failure, timed_out: bool, now: Time) {
        let Some(peer) = self.channels.owner(number) else { return };
        if reason == Failure::BadRequest {
            return self.start_afresh(now);
        }
        if timed_out && self.channels.retry(number, now) {
            return;
        }
        self.channels.fail(number, now);
        self.events.push(Event::ChannelFailed { peer, reason });
        self.paths_changed();
    }

    pub(super) fn expire_channels(&mut self, now: Time) {
        let (lapsed, any) = self.channels.expire(now);
        for peer in lapsed {
            self.events.push(Event::ChannelLapsed { peer });
        }
        if any {
            self.paths_changed();
        }
    }
}
