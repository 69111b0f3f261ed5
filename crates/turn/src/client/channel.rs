//! The channels of an allocation (RFC 8656 §12): which number belongs to which peer, and for how long.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::net::SocketAddr;
use core::time::Duration;

use floe_stun::Time;
use floe_stun::attributes::ChannelNumber;

use super::error::ClientError;

/// How long the server keeps a binding (RFC 8656 §12).
pub(super) const LIFETIME: Duration = Duration::from_secs(600);

/// How long after its end neither the number nor the peer may be bound differently (RFC 8656 §12).
pub(super) const QUARANTINE: Duration = Duration::from_secs(300);

/// How long before its end a channel in use is bound again.
const MARGIN: Duration = Duration::from_secs(60);

/// 0x4000 to 0x4FFF (RFC 8656 §12).
const NUMBERS: u16 = ChannelNumber::MAX.0 - ChannelNumber::MIN.0 + 1;

/// A number and the peer it belongs to. The two stay together until the quarantine is over.
struct Channel {
    peer: SocketAddr,
    /// Until when data may be sent in it.
    bound: Option<Time>,
    /// Until when the server may have it, and so may use it: for 10 minutes after the last request may have come.
    held: Option<Time>,
    /// A request for it is on its way.
    in_flight: bool,
    /// It was used since it was last asked for.
    used: bool,
    /// The caller asked for it, and neither a refusal nor disuse has ended that.
    wanted: bool,
}

impl Channel {
    const fn is_due(&self, now: Time) -> bool {
        match self.bound {
            _ if self.in_flight || !self.wanted => false,
            None => true,
            Some(until) => self.used && now.as_nanos() >= due(until).as_nanos(),
        }
    }

    const fn deadline(&self, now: Time) -> Option<Time> {
        match self.bound {
            Some(until) if !self.in_flight && now.as_nanos() < due(until).as_nanos() => Some(due(until)),
            until => until,
        }
    }

    /// Whether the number can be used for another peer.
    fn is_free(&self, now: Time) -> bool {
        let over = self.held.is_none_or(|held| now >= held.saturating_add(QUARANTINE));
        over && !self.wanted && !self.in_flight && self.bound.is_none()
    }
}

const fn due(until: Time) -> Time {
    until.saturating_sub(MARGIN)
}

pub(super) struct Channels {
    /// The channel with number `0x4000 + n` at place `n`.
    slots: Vec<Option<Channel>>,
    by_peer: BTreeMap<SocketAddr, ChannelNumber>,
    limit: u16,
}

impl Channels {
    pub(super) fn new(limit: u16) -> Self {
        Self { slots: Vec::new(), by_peer: BTreeMap::new(), limit: limit.min(NUMBERS) }
    }

    fn slot(&self, number: ChannelNumber) -> Option<&Channel> {
        self.slots.get(place(number)?)?.as_ref()
    }

    fn slot_mut(&mut self, number: ChannelNumber) -> Option<&mut Channel> {
        self.slots.get_mut(place(number)?)?.as_mut()
    }

    fn of_peer_mut(&mut self, peer: SocketAddr) -> Option<&mut Channel> {
        let number = *self.by_peer.get(&peer)?;
        self.slot_mut(number)
    }

    fn all(&self) -> impl Iterator<Item = &Channel> {
        self.slots.iter().flatten()
    }

    /// Asks for a channel, or says that it is in use.
    pub(super) fn want(&mut self, peer: SocketAddr, now: Time) -> Result<(), ClientError> {
        if let Some(channel) = self.of_peer_mut(peer) {
            (channel.wanted, channel.used) = (true, true);
            return Ok(());
        }
        self.free(now);
        let place = match self.slots.iter().position(Option::is_none) {
            Some(place) => place,
            None if self.slots.len() < usize::from(self.limit) => {
                self.slots.push(None);
                self.slots.len() - 1
            }
            None => return Err(ClientError::NoFreeChannel),
        };
        let fresh = Channel { peer, bound: None, held: None, in_flight: false, used: true, wanted: true };
        self.slots[place] = Some(fresh);
        self.by_peer.insert(peer, ChannelNumber(ChannelNumber::MIN.0 + place as u16));
        Ok(())
    }

    /// Forgets channels whose quarantine is over.
    fn free(&mut self, now: Time) {
        for slot in &mut self.slots {
            if let Some(channel) = slot.take_if(|channel| channel.is_free(now)) {
                self.by_peer.remove(&channel.peer);
            }
        }
    }

    /// The caller has no use for the channel any more. It stays what it is until it ends by itself.
    pub(super) fn release(&mut self, peer: SocketAddr) {
        if let Some(channel) = self.of_peer_mut(peer) {
            channel.wanted = false;
        }
    }

    /// The allocation is gone: bindings belong to it alone (RFC 8656 §12).
    pub(super) fn clear(&mut self) {
        self.slots.clear();
        self.by_peer.clear();
    }

    /// The requests on their way were given up. The server may have got them.
    pub(super) fn cancel(&mut self, now: Time) {
        for channel in self.slots.iter_mut().flatten().filter(|channel| channel.in_flight) {
            channel.held = Some(now.saturating_add(LIFETIME));
            (channel.in_flight, channel.used) = (false, true);
        }
    }

    /// The channel in which data can be sent to a peer.
    pub(super) fn bound(&self, peer: SocketAddr) -> Option<ChannelNumber> {
        let number = *self.by_peer.get(&peer)?;
        self.slot(number)?.bound.map(|_| number)
    }

    /// The peer behind a number on which data came. The server may use a channel before its answer has come, and after
    /// the answer was lost (RFC 8656 §12).
    pub(super) fn peer(&self, number: ChannelNumber, now: Time) -> Option<SocketAddr> {
        let channel = self.slot(number)?;
        let holds = channel.in_flight || channel.held.is_some_and(|held| now < held);
        holds.then_some(channel.peer)
    }

    /// The peer of a number, whether it is bound or not.
    pub(super) fn owner(&self, number: ChannelNumber) -> Option<SocketAddr> {
        self.slot(number).map(|channel| channel.peer)
    }

    /// Notes use. Returns whether something is due because of it.
    pub(super) fn touch(&mut self, peer: SocketAddr, now: Time) -> bool {
        let Some(channel) = self.of_peer_mut(peer) else { return false };
        let idle = !channel.used;
        channel.used = true;
        idle && channel.is_due(now)
    }

    /// The channel to bind next.
    pub(super) fn next_request(&mut self, now: Time) -> Option<ChannelNumber> {
        let (place, channel) = self.slots.iter_mut().enumerate().find_map(|(place, slot)| {
            let channel = slot.as_mut().filter(|channel| channel.is_due(now))?;
            Some((place, channel))
        })?;
        (channel.in_flight, channel.used) = (true, false);
        Some(ChannelNumber(ChannelNumber::MIN.0 + place as u16))
    }

    /// The server has bound the channel, some time between `at`, when it was asked, and `now`. Returns whether data could
    /// not be sent in it before.
    pub(super) fn bind(&mut self, number: ChannelNumber, at: Time, now: Time) -> bool {
        let Some(channel) = self.slot_mut(number) else { return false };
        let fresh = channel.bound.is_none();
        channel.bound = Some(at.saturating_add(LIFETIME));
        channel.held = Some(now.saturating_add(LIFETIME));
        channel.in_flight = false;
        fresh
    }

    /// No answer came. Returns whether the channel still holds, and so is asked for again.
    pub(super) fn retry(&mut self, number: ChannelNumber, now: Time) -> bool {
        let Some(channel) = self.slot_mut(number) else { return false };
        (channel.in_flight, channel.held) = (false, Some(now.saturating_add(LIFETIME)));
        let holds = channel.bound.is_some() && channel.wanted;
        channel.used |= holds;
        holds
    }

    /// The server refused. A repetition of the request may yet succeed, so the number is not free (RFC 8656 §12.2).
    pub(super) fn fail(&mut self, number: ChannelNumber, now: Time) {
        if let Some(channel) = self.slot_mut(number) {
            (channel.bound, channel.wanted, channel.in_flight) = (None, false, false);
            channel.held = Some(now.saturating_add(LIFETIME));
        }
    }

    /// Ends channels whose time is over. Returns the peers of those that nobody used or wanted, and whether
    /// there were any.
    pub(super) fn expire(&mut self, now: Time) -> (Vec<SocketAddr>, bool) {
        let (mut lapsed, mut any) = (Vec::new(), false);
        for channel in self.slots.iter_mut().flatten() {
            if channel.bound.is_none_or(|until| now < until) {
                continue;
            }
            (channel.bound, any) = (None, true);
            let renewed = channel.in_flight || channel.wanted && channel.used;
            if !renewed {
                channel.wanted = false;
                lapsed.push(channel.peer);
            }
        }
        (lapsed, any)
    }

    pub(super) fn deadline(&self, now: Time) -> Option<Time> {
        self.all().filter_map(|channel| channel.deadline(now)).min()
    }

    pub(super) fn check_invariants(&self) {
        assert!(self.slots.len() <= usize::from(self.limit), "channels are bounded");
        assert_eq!(self.all().count(), self.by_peer.len(), "a peer for each channel");
        for (peer, number) in &self.by_peer {
            assert!(number.is_bindable());
            assert_eq!(self.owner(*number), Some(*peer), "a channel for each peer");
        }
    }
}

fn place(number: ChannelNumber) -> Option<usize> {
    number.0.checked_sub(ChannelNumber::MIN.0).map(usize::from)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn all_numbers_can_be_bound_and_no_more() {
        let mut channels = Channels::new(u16::MAX);
        let peer = |port| SocketAddr::from(([198, 51, 100, 7], port));
        let now = Time::from_secs(1000);
        for port in 1..=4096 {
            channels.want(peer(port), now).unwrap();
        }
        assert_eq!(channels.want(peer(4097), now), Err(ClientError::NoFreeChannel));
        assert_eq!(channels.want(peer(4096), now), Ok(()), "it has one");
        let numbers: BTreeSet<u16> =
            core::iter::from_fn(|| channels.next_request(now)).map(|number| number.0).collect();
        assert!(numbers.into_iter().eq(0x4000..=0x4FFF));
        assert!(channels.bind(ChannelNumber::MAX, now, now));
        assert_eq!(channels.bound(peer(4096)), Some(ChannelNumber::MAX));
        assert_eq!(channels.peer(ChannelNumber::MAX, now), Some(peer(4096)));
        assert_eq!(channels.peer(ChannelNumber(0x5000), now), None);
        assert_eq!(channels.peer(ChannelNumber(0x3FFF), now), None);
        channels.check_invariants();
    }
}
