//! Choosing the relayed transport addresses (RFC 8656 §7.2): the driver opens the sockets, the server chooses the
//! ports and tries others when one cannot be had.

use alloc::vec::Vec;
use core::time::Duration;

use floe_stun::Time;
use floe_stun::attributes::AddressFamily;

use super::Server;
use super::allocation::Granted;
use super::deadlines::Timer;
use super::effects::Reply;
use super::event::{Command, Event};
use super::link::{AllocationId, RelayId};
use super::ports::{PortDemand, index};
use super::rejection::{Rejection, count};
use super::relays::{Owner, Relay};
use super::slab::Key;

/// How many ports are tried for one relay.
const MAX_TRIES: u8 = 8;

/// How long the driver may take to open the relays.
const OPEN_TIMEOUT: Duration = Duration::from_secs(10);

const FAMILIES: [AddressFamily; 2] = [AddressFamily::Ipv4, AddressFamily::Ipv6];

/// What an allocation has until its relays are open.
pub(super) struct Opening {
    reply: Reply,
    demand: PortDemand,
    lifetime: Duration,
    deadline: Time,
    slots: [Slot; 2],
    /// Ports that could not be opened, kept from being chosen again.
    unusable: Vec<(AddressFamily, u16)>,
}

/// How far the relay of one family is.
#[derive(Clone, Copy)]
enum Slot {
    NotWanted,
    /// The driver is asked for it, and for the one to be reserved.
    Asked {
        relay: Key,
        next: Option<Key>,
        tries: u8,
    },
    Refused,
}

impl Opening {
    pub(super) fn new(reply: Reply, demand: PortDemand, lifetime: Duration, now: Time) -> Self {
        let slots = [Slot::NotWanted; 2];
        Self { reply, demand, lifetime, deadline: now + OPEN_TIMEOUT, slots, unusable: Vec::new() }
    }

    pub(super) fn deadline(&self) -> Time {
        self.deadline
    }

    /// All relays that the driver was asked for.
    fn relays(&self) -> impl Iterator<Item = Key> + use<> {
        self.slots
            .into_iter()
            .flat_map(|slot| match slot {
                Slot::Asked { relay, next, .. } => [Some(relay), next],
                _ => [None; 2],
            })
            .flatten()
    }
}

impl Server {
    /// The driver has opened the socket of a relay. A relay that is not needed any more is closed again.
    pub fn relay_opened(&mut self, relay: RelayId, now: Time) {
        match self.relays.set_open(relay.0, true) {
            Some(Owner::Allocation(key)) => self.conclude_opening(key, now),
            Some(Owner::Reservation { .. }) => {}
            None => self.fx.command(Command::CloseRelay { relay }),
        }
    }

    /// The driver could not open the socket of a relay, or has lost it.
    pub fn relay_failed(&mut self, relay: RelayId, now: Time) {
        // There is nothing to be closed.
        let Some(owner) = self.relays.set_open(relay.0, false) else { return };
        count(&mut self.fx.stats.relays_failed);
        match owner {
            Owner::Reservation { .. } => self.end_reservation(relay.0),
            Owner::Allocation(key) => {
                let opening =
                    self.allocations.get(key).is_some_and(|allocation| allocation.opening.is_some());
                if opening {
                    self.retry_relay(key, relay.0, now);
                } else {
                    self.lose_relay(key, relay.0, now);
                }
            }
        }
    }

    pub(super) fn open_relays(&mut self, key: Key, families: [bool; 2], now: Time) {
        for family in FAMILIES {
            if families[index(family)] {
                self.ask_for_relay(key, family, 0);
            }
        }
        self.schedule(key);
        self.conclude_opening(key, now);
    }

    /// The allocation takes over a relay that was held in reserve, and is already open.
    pub(super) fn claim_relay(&mut self, key: Key, relay: Key, now: Time) {
        let Some(Relay { family, owner: Owner::Reservation { account, .. }, .. }) = self.relays.get(relay)
        else {
            return;
        };
        let (slot, account) = (index(*family), *account);
        self.relays.claim(relay, key);
        // It counted as reserved until now; the allocation was counted when it was created.
        self.accounts.release(account);
        if let Some(opening) = self.opening(key) {
            opening.slots[slot] = Slot::Asked { relay, next: None, tries: 0 };
        }
        self.conclude_opening(key, now);
    }

    fn opening(&mut self, key: Key) -> Option<&mut Opening> {
        self.allocations.get_mut(key)?.opening.as_deref_mut()
    }

    fn ask_for_relay(&mut self, key: Key, family: AddressFamily, tries: u8) {
        let Self { allocations, relays, random, fx, .. } = self;
        let Some(opening) = allocations.get_mut(key).and_then(|allocation| allocation.opening.as_deref_mut())
        else {
            return;
        };
        let asked =
            if tries < MAX_TRIES { relays.open(family, opening.demand, key, random, fx) } else { None };
        opening.slots[index(family)] = match asked {
            Some([Some(relay), next]) => Slot::Asked { relay, next, tries },
            _ => Slot::Refused,
        };
    }

    /// Tries another port.
    fn retry_relay(&mut self, key: Key, failed: Key, now: Time) {
        let Some(relay) = self.relays.close(failed, true, &mut self.fx) else { return };
        let Some(opening) = self.opening(key) else { return };
        opening.unusable.push((relay.family, relay.port));
        if let Slot::Asked { relay: first, next, tries } = opening.slots[index(relay.family)] {
            // Of a pair the other one is of no use either.
            for other in [Some(first), next].into_iter().flatten() {
                self.relays.close(other, false, &mut self.fx);
            }
            self.ask_for_relay(key, relay.family, tries + 1);
        }
        self.conclude_opening(key, now);
    }

    /// The driver has taken too long.
    pub(super) fn give_up_opening(&mut self, key: Key) {
        let Some(allocation) = self.allocations.get_mut(key) else { return };
        let Some(opening) = allocation.opening.take() else { return };
        self.abandon(key, &opening, Rejection::NoCapacity);
    }

    /// If all that was asked for has been answered: the allocation is there, or it is not.
    fn conclude_opening(&mut self, key: Key, now: Time) {
        let Some(opening) = self.opening(key) else { return };
        let asked = opening.relays();
        if !{ asked }.all(|relay| self.relays.get(relay).is_some_and(|relay| relay.open)) {
            return;
        }
        let Some(allocation) = self.allocations.get_mut(key) else { return };
        let Some(opening) = allocation.opening.take() else { return };
        let granted = opening.slots.iter().any(|slot| matches!(slot, Slot::Asked { .. }));
        if granted {
            self.begin(key, &opening, now);
        } else {
            self.abandon(key, &opening, Rejection::NoCapacity);
        }
    }

    fn begin(&mut self, key: Key, opening: &Opening, now: Time) {
        let Self { allocations, relays, random, deadlines, fx, .. } = self;
        let Some(allocation) = allocations.get_mut(key) else { return };
        for family in FAMILIES {
            match opening.slots[index(family)] {
                Slot::NotWanted => {}
                // Check 9 of §7.2: a dual allocation that could be had in part.
                Slot::Refused => allocation.refused = Some((family, Rejection::NoCapacity)),
                Slot::Asked { relay, next, .. } => {
                    let expires = now + opening.lifetime;
                    allocation.relays[index(family)] = Some(Granted { relay, expires });
                    if let Some(next) = next {
                        allocation.token = relays.reserve(next, allocation.account, now, random);
                        deadlines.set(now + super::relays::RESERVATION_LIFETIME, Timer::Reservation(next));
                    }
                }
            }
        }
        count(&mut fx.stats.allocations_begun);
        fx.event(Event::AllocationBegun {
            allocation: AllocationId(key),
            user: allocation.user.clone(),
            link: allocation.link,
            relays: allocation.relays.map(|granted| relays.public_address(granted?.relay)),
            lifetime: opening.lifetime,
        });
        for &(family, port) in &opening.unusable {
            relays.release_port(family, port);
        }
        self.schedule(key);
        self.confirm_allocation(key, &opening.reply, now);
    }

    /// The allocation did not come about.
    pub(super) fn abandon(&mut self, key: Key, opening: &Opening, why: Rejection) {
        for relay in opening.relays() {
            self.relays.close(relay, false, &mut self.fx);
        }
        for &(family, port) in &opening.unusable {
            self.relays.release_port(family, port);
        }
        if let Some(allocation) = self.allocations.remove(key) {
            self.tell_of_refusal(opening.reply.method, allocation.link, Some(allocation.user), why);
            self.accounts.release(allocation.account);
            // Of a pair the port to be reserved counted from the beginning.
            if opening.demand == PortDemand::EvenPair {
                self.accounts.release(allocation.account);
            }
        }
        self.refuse_later(&opening.reply, why);
    }
}
