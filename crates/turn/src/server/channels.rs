//! The channels of an allocation (RFC 8656 §12).

use alloc::vec::Vec;
use core::hash::BuildHasher;
use core::net::SocketAddr;
use core::time::Duration;

use floe_stun::Time;
use floe_stun::attributes::ChannelNumber;
use hashbrown::HashTable;

use super::keyed_hash::KeyedHash;

/// How long a channel stays bound (RFC 8656 §12).
pub(super) const CHANNEL_LIFETIME: Duration = Duration::from_secs(600);

/// The channels of one allocation, found by number and by peer. One that has expired is unbound; its place is taken
/// back when another binding needs it, so no timer is.
#[derive(Default)]
pub(super) struct Channels {
    list: Vec<Channel>,
    /// Places in the list.
    by_number: HashTable<u16>,
    by_peer: HashTable<u16>,
}

struct Channel {
    number: ChannelNumber,
    peer: SocketAddr,
    expires: Time,
}

/// Why a channel cannot be bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BindError {
    /// The number is bound to another peer, or the peer to another number (RFC 8656 §12.2).
    Conflict,
    /// There are as many as there may be.
    Full,
}

impl Channels {
    /// The peer that a channel is bound to.
    pub(super) fn peer(&self, number: ChannelNumber, now: Time, hash: KeyedHash) -> Option<SocketAddr> {
        let channel = self.with_number(number, hash)?;
        (channel.expires > now).then_some(channel.peer)
    }

    /// The channel that is bound to a peer.
    pub(super) fn number(&self, peer: SocketAddr, now: Time, hash: KeyedHash) -> Option<ChannelNumber> {
        let channel = self.with_peer(peer, hash)?;
        (channel.expires > now).then_some(channel.number)
    }

    fn with_number(&self, number: ChannelNumber, hash: KeyedHash) -> Option<&Channel> {
        let is = |&place: &u16| self.list[usize::from(place)].number == number;
        let place = self.by_number.find(hash.hash_one(number.0), is)?;
        self.list.get(usize::from(*place))
    }

    fn with_peer(&self, peer: SocketAddr, hash: KeyedHash) -> Option<&Channel> {
        let is = |&place: &u16| self.list[usize::from(place)].peer == peer;
        let place = self.by_peer.find(hash.hash_one(peer), is)?;
        self.list.get(usize::from(*place))
    }

    /// Whether a binding can be made or refreshed now (RFC 8656 §12.2).
    pub(super) fn check(
        &self,
        number: ChannelNumber,
        peer: SocketAddr,
        now: Time,
        hash: KeyedHash,
    ) -> Result<(), BindError> {
        let bound_elsewhere = self.peer(number, now, hash).is_some_and(|bound| bound != peer)
            || self.number(peer, now, hash).is_some_and(|bound| bound != number);
        if bound_elsewhere { Err(BindError::Conflict) } else { Ok(()) }
    }

    /// Sees that there is room for a binding that passed [`check`](Self::check): those that have expired make it.
    pub(super) fn make_room(
        &mut self,
        number: ChannelNumber,
        peer: SocketAddr,
        now: Time,
        limit: usize,
        hash: KeyedHash,
    ) -> Result<(), BindError> {
        let held = |channel: Option<&Channel>| channel.is_some_and(|c| c.number == number && c.peer == peer);
        if held(self.with_number(number, hash)) {
            return Ok(());
        }
        // Whatever else has this number or this peer has expired.
        let stale = self.with_number(number, hash).is_some() || self.with_peer(peer, hash).is_some();
        if stale || self.list.len() >= limit {
            self.keep(hash, |channel| channel.expires > now);
        }
        if self.list.len() >= limit { Err(BindError::Full) } else { Ok(()) }
    }

    /// Binds a channel for which there is room, or refreshes the binding.
    pub(super) fn bind(&mut self, number: ChannelNumber, peer: SocketAddr, now: Time, hash: KeyedHash) {
        let expires = now + CHANNEL_LIFETIME;
        let is = |&place: &u16| self.list[usize::from(place)].number == number;
        let place = self.by_number.find(hash.hash_one(number.0), is).copied();
        if let Some(channel) = place.and_then(|place| self.list.get_mut(usize::from(place))) {
            channel.expires = expires;
            return;
        }
        self.list.push(Channel { number, peer, expires });
        self.note(self.list.len() - 1, hash);
    }

    /// Removes those to peers of one family, when its relay has gone (RFC 8656 §8.1).
    pub(super) fn remove_family(&mut self, ipv4: bool, hash: KeyedHash) {
        self.keep(hash, |channel| channel.peer.is_ipv4() != ipv4);
    }

    fn keep(&mut self, hash: KeyedHash, which: impl FnMut(&Channel) -> bool) {
        self.list.retain(which);
        self.by_number.clear();
        self.by_peer.clear();
        for place in 0..self.list.len() {
            self.note(place, hash);
        }
    }

    /// Makes a place of the list known to the tables.
    fn note(&mut self, place: usize, hash: KeyedHash) {
        let Self { list, by_number, by_peer } = self;
        let number = |place: &u16| hash.hash_one(list[usize::from(*place)].number.0);
        let peer = |place: &u16| hash.hash_one(list[usize::from(*place)].peer);
        // There are 4096 numbers, so a place fits into 16 bits.
        let place = place as u16;
        by_number.insert_unique(number(&place), place, number);
        by_peer.insert_unique(peer(&place), place, peer);
    }

    /// How many there are, expired ones included.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.list.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    const N1: ChannelNumber = ChannelNumber(0x4001);
    const N2: ChannelNumber = ChannelNumber(0x4002);

    fn peer(n: u16) -> SocketAddr {
        SocketAddr::from(([203, 0, 113, 9], n))
    }

    struct Fixture {
        channels: Channels,
        hash: KeyedHash,
    }

    impl Fixture {
        fn new() -> Self {
            let hash = KeyedHash::new(&mut Random::new([1; 32]));
            Self { channels: Channels::default(), hash }
        }

        fn bind(&mut self, number: ChannelNumber, peer: SocketAddr, seconds: u64) -> Result<(), BindError> {
            let now = Time::from_secs(seconds);
            self.channels.check(number, peer, now, self.hash)?;
            self.channels.make_room(number, peer, now, 3, self.hash)?;
            self.channels.bind(number, peer, now, self.hash);
            Ok(())
        }

        /// What a number stands for, and the other way round.
        fn bound(&self, number: ChannelNumber, seconds: u64) -> Option<SocketAddr> {
            let now = Time::from_secs(seconds);
            let peer = self.channels.peer(number, now, self.hash)?;
            assert_eq!(self.channels.number(peer, now, self.hash), Some(number));
            Some(peer)
        }
    }

    #[test]
    fn a_channel_lasts_ten_minutes_from_its_last_refresh() {
        let mut fixture = Fixture::new();
        fixture.bind(N1, peer(1), 0).unwrap();
        assert_eq!((fixture.bound(N1, 599), fixture.bound(N1, 600)), (Some(peer(1)), None));
        fixture.bind(N1, peer(1), 500).unwrap();
        assert_eq!((fixture.bound(N1, 1099), fixture.bound(N1, 1100)), (Some(peer(1)), None));
        assert_eq!(fixture.channels.len(), 1);
    }

    #[test]
    fn number_and_peer_belong_together_until_the_binding_expires() {
        let mut fixture = Fixture::new();
        fixture.bind(N1, peer(1), 0).unwrap();
        assert_eq!(fixture.bind(N1, peer(2), 599), Err(BindError::Conflict));
        assert_eq!(fixture.bind(N2, peer(1), 599), Err(BindError::Conflict));
        assert_eq!(fixture.bound(N1, 599), Some(peer(1)));
        fixture.bind(N1, peer(2), 600).unwrap();
        assert_eq!(fixture.bound(N1, 601), Some(peer(2)));
        fixture.bind(N2, peer(1), 601).unwrap();
        assert_eq!((fixture.bound(N2, 601), fixture.bound(N1, 601)), (Some(peer(1)), Some(peer(2))));
    }

    #[test]
    fn there_is_a_limit_and_the_expired_make_room() {
        let mut fixture = Fixture::new();
        for n in 1..=3 {
            fixture.bind(ChannelNumber(0x4000 + n), peer(n), u64::from(n)).unwrap();
        }
        assert_eq!(fixture.bind(ChannelNumber(0x4FFF), peer(9), 600), Err(BindError::Full));
        fixture.bind(ChannelNumber(0x4001), peer(1), 600).unwrap();
        // 0x4002 has expired by now.
        fixture.bind(ChannelNumber(0x4FFF), peer(9), 602).unwrap();
        assert_eq!(fixture.bound(ChannelNumber(0x4001), 602), Some(peer(1)));
        assert_eq!(fixture.bound(ChannelNumber(0x4FFF), 602), Some(peer(9)));
        assert_eq!(fixture.bound(ChannelNumber(0x4003), 602), Some(peer(3)));
        assert_eq!(fixture.channels.len(), 3);
    }

    #[test]
    fn one_family_goes_and_the_other_stays() {
        let mut fixture = Fixture::new();
        let v6 = "[2001:db8::1]:5".parse().unwrap();
        fixture.bind(N1, peer(1), 0).unwrap();
        fixture.bind(N2, v6, 0).unwrap();
        fixture.channels.remove_family(true, fixture.hash);
        assert_eq!((fixture.bound(N1, 0), fixture.bound(N2, 0)), (None, Some(v6)));
    }
}
