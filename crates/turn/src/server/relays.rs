//! The relays: sockets on which peers reach an allocation, or which are held in reserve for one.

use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

use floe_stun::Time;
use floe_stun::attributes::AddressFamily;
use hashbrown::HashMap;

use super::config::RelayAddress;
use super::effects::Effects;
use super::event::Command;
use super::keyed_hash::KeyedHash;
use super::link::RelayId;
use super::ports::{PortDemand, Ports, index};
use super::slab::{Key, Slab};
use crate::random::Random;

/// How long a reserved port is held (RFC 8656 §7.2: 30 s at least).
pub(super) const RESERVATION_LIFETIME: Duration = Duration::from_secs(30);

/// RESERVATION-TOKEN (RFC 8656 §18.10).
pub(super) type Token = [u8; 8];

/// A relay socket.
pub(super) struct Relay {
    pub(super) family: AddressFamily,
    pub(super) port: u16,
    /// Whether the driver has opened it.
    pub(super) open: bool,
    pub(super) owner: Owner,
}

/// What a relay belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    Allocation(Key),
    /// It is held in reserve until then, and counts for this account.
    Reservation {
        token: Token,
        account: Key,
        expires: Time,
    },
}

/// See the module.
pub(super) struct Relays {
    slab: Slab<Relay>,
    ports: Ports,
    addresses: [Option<RelayAddress>; 2],
    reserved: HashMap<Token, Key, KeyedHash>,
}

impl Relays {
    pub(super) fn new(ports: Ports, addresses: [Option<RelayAddress>; 2], hash: KeyedHash) -> Self {
        Self { slab: Slab::new(), ports, addresses, reserved: HashMap::with_hasher(hash) }
    }

    /// Whether there can be relays of this family.
    pub(super) fn supports(&self, family: AddressFamily) -> bool {
        self.addresses[index(family)].is_some()
    }

    pub(super) fn get(&self, key: Key) -> Option<&Relay> {
        self.slab.get(key)
    }

    /// Notes that the driver has opened a relay's socket, or has lost it; whose it is.
    pub(super) fn set_open(&mut self, key: Key, open: bool) -> Option<Owner> {
        let relay = self.slab.get_mut(key)?;
        relay.open = open;
        if open {
            self.ports.set_open(relay.family, relay.port);
        } else {
            self.ports.set_closed(relay.family, relay.port);
        }
        Some(relay.owner)
    }

    /// Where peers reach a relay.
    pub(super) fn public_address(&self, key: Key) -> Option<SocketAddr> {
        let relay = self.slab.get(key)?;
        let address = self.addresses[index(relay.family)]?;
        Some(SocketAddr::new(address.public, relay.port))
    }

    /// Whether a relay of this server has this address: then clients of this server may meet there.
    pub(super) fn has_address(&self, address: SocketAddr) -> bool {
        let family = AddressFamily::of(address.ip());
        self.is_own(address.ip()) && self.ports.is_open(family, address.port())
    }

    /// Whether the IP address is one that relays have.
    pub(super) fn is_own(&self, ip: IpAddr) -> bool {
        let relay = self.addresses[index(AddressFamily::of(ip))];
        relay.is_some_and(|relay| relay.public == ip || relay.bind == ip)
    }

    /// Takes a port and asks the driver to open it, and the next one too for a pair. `None` when no port fits.
    pub(super) fn open(
        &mut self,
        family: AddressFamily,
        demand: PortDemand,
        allocation: Key,
        random: &mut Random,
        fx: &mut Effects,
    ) -> Option<[Option<Key>; 2]> {
        let address = self.addresses[index(family)]?;
        if fx.is_driver_behind() {
            return None;
        }
        let port = self.ports.take(family, demand, random)?;
        let mut ask = |port| {
            let owner = Owner::Allocation(allocation);
            let key = self.slab.insert(Relay { family, port, open: false, owner });
            fx.command(Command::OpenRelay {
                relay: RelayId(key),
                address: SocketAddr::new(address.bind, port),
            });
            key
        };
        let first = ask(port);
        Some([Some(first), (demand == PortDemand::EvenPair).then(|| ask(port + 1))])
    }

    /// Forgets a relay; the driver closes its socket, if it was open. The port stays taken when `keep_port`.
    pub(super) fn close(&mut self, key: Key, keep_port: bool, fx: &mut Effects) -> Option<Relay> {
        let relay = self.slab.remove(key)?;
        self.ports.set_closed(relay.family, relay.port);
        if relay.open {
            fx.command(Command::CloseRelay { relay: RelayId(key) });
        }
        if let Owner::Reservation { token, .. } = relay.owner {
            self.reserved.remove(&token);
        }
        if !keep_port {
            self.ports.release(relay.family, relay.port);
        }
        Some(relay)
    }

    /// Gives back a port that was kept.
    pub(super) fn release_port(&mut self, family: AddressFamily, port: u16) {
        self.ports.release(family, port);
    }

    /// Holds a relay in reserve and draws its token.
    pub(super) fn reserve(
        &mut self,
        key: Key,
        account: Key,
        now: Time,
        random: &mut Random,
    ) -> Option<Token> {
        let token = random.bytes();
        let relay = self.slab.get_mut(key)?;
        relay.owner = Owner::Reservation { token, account, expires: now + RESERVATION_LIFETIME };
        self.reserved.insert(token, key);
        Some(token)
    }

    /// The relay that is held in reserve under a token, and for which account.
    pub(super) fn reserved(&self, token: &Token, now: Time) -> Option<(Key, Key)> {
        let key = *self.reserved.get(token)?;
        match self.slab.get(key)?.owner {
            Owner::Reservation { account, expires, .. } if expires > now => Some((key, account)),
            _ => None,
        }
    }

    /// Hands a reserved relay over to an allocation.
    pub(super) fn claim(&mut self, key: Key, allocation: Key) {
        let Some(relay) = self.slab.get_mut(key) else { return };
        if let Owner::Reservation { token, .. } = relay.owner {
            self.reserved.remove(&token);
        }
        relay.owner = Owner::Allocation(allocation);
    }

    /// How many there are, opening and reserved ones included.
    pub(super) fn len(&self) -> usize {
        self.slab.len()
    }

    /// How many are held in reserve.
    #[cfg(test)]
    pub(super) fn reserved_len(&self) -> usize {
        self.reserved.len()
    }

    /// All of them.
    pub(super) fn keys(&self) -> alloc::vec::Vec<Key> {
        self.slab.keys()
    }
}
