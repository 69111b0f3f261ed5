//! A datagram came in: whose it is, and data from peers (RFC 8656 §11.4, §11.6, §12.6).

use core::net::SocketAddr;
use core::ops::Range;

use floe_stun::attributes::{Data, Icmp, XorPeerAddress};
use floe_stun::{ChannelData, Class, Message, Method, Time};

use super::answer::is_foreign;
use super::error::Rejection;
use super::event::Received;
use super::{Client, State, canonical};
use crate::framing::Carrier;

impl Client {
    /// Takes in a datagram from the server, or a whole frame of a stream.
    pub fn handle_datagram(&mut self, source: SocketAddr, contents: &[u8], now: Time) -> Received {
        let received = self.receive(source, contents, now);
        match &received {
            Received::Rejected(reason) => {
                if let Some(count) = self.rejected.get_mut(*reason as usize) {
                    *count = count.saturating_add(1);
                }
                // There even a bad answer ends a transaction.
                if self.config.carrier == Carrier::Stream {
                    self.settle(now);
                }
            }
            Received::Turn => self.settle(now),
            Received::Data { peer, .. } => self.used(*peer, now),
            Received::Icmp { .. } => {}
        }
        received
    }

    fn receive(&mut self, source: SocketAddr, contents: &[u8], now: Time) -> Received {
        if canonical(source) != canonical(self.config.server) {
            return Received::Rejected(Rejection::UnknownSource);
        }
        let received = match contents.first() {
            Some(0x40..=0x4F) => self.on_channel_data(contents, now),
            Some(0..=3) => return self.on_message(contents, now),
            // RFC 8656 §12, Table 3: nothing else can come from a TURN server.
            _ => Err(Rejection::Malformed),
        };
        received.unwrap_or_else(Received::Rejected)
    }

    fn on_message(&mut self, contents: &[u8], now: Time) -> Received {
        let Ok(message) = Message::parse(contents) else {
            return Received::Rejected(Rejection::Malformed);
        };
        match (message.class(), message.method()) {
            (Class::Success | Class::Error, _) => self.on_response(message, now),
            (Class::Indication, Method::DATA) => {
                self.on_indication(&message, contents, now).unwrap_or_else(Received::Rejected)
            }
            _ => Received::Rejected(Rejection::UnexpectedMessage),
        }
    }

    /// RFC 8656 §11.4 and §11.6.
    fn on_indication(
        &self,
        message: &Message<'_>,
        contents: &[u8],
        now: Time,
    ) -> Result<Received, Rejection> {
        self.has_allocation()?;
        if is_foreign(message) {
            return Err(Rejection::UnknownAttribute);
        }
        let peer = message.get::<XorPeerAddress>().map_err(|_| Rejection::Malformed)?;
        let peer = canonical(peer.ok_or(Rejection::MissingAttribute)?.0);
        if !self.permissions.admits(peer.ip(), now) {
            return Err(Rejection::NoPermission);
        }
        if let Some(data) = message.get::<Data<'_>>().map_err(|_| Rejection::Malformed)? {
            return Ok(Received::Data { peer, payload: place_of(data.0, contents) });
        }
        let icmp = message.get::<Icmp>().map_err(|_| Rejection::Malformed)?;
        Ok(Received::Icmp { peer, icmp: icmp.ok_or(Rejection::MissingAttribute)? })
    }

    /// RFC 8656 §12.6.
    fn on_channel_data(&self, contents: &[u8], now: Time) -> Result<Received, Rejection> {
        self.has_allocation()?;
        let message = ChannelData::parse(contents).map_err(|_| Rejection::Malformed)?;
        let peer = self.channels.peer(message.channel, now).ok_or(Rejection::UnknownChannel)?;
        if !self.permissions.admits(peer.ip(), now) {
            return Err(Rejection::NoPermission);
        }
        Ok(Received::Data { peer, payload: place_of(message.data, contents) })
    }

    /// While an allocation moves, data still come on the old path (RFC 8016 §3.2.2).
    const fn has_allocation(&self) -> Result<(), Rejection> {
        match self.state {
            State::Active | State::Moving => Ok(()),
            _ => Err(Rejection::NoAllocation),
        }
    }
}

/// Where `part` is in the bytes it was taken from.
fn place_of(part: &[u8], whole: &[u8]) -> Range<usize> {
    let start = part.as_ptr().addr().saturating_sub(whole.as_ptr().addr()).min(whole.len());
    start..(start + part.len()).min(whole.len())
}
