//! How allocations end, and what happens when time has passed.

use floe_stun::Time;
use floe_stun::attributes::AddressFamily;

use super::deadlines::Timer;
use super::event::{EndReason, Event};
use super::link::{AllocationId, Link};
use super::ports::index;
use super::rejection::{Rejection, count};
use super::relays::Owner;
use super::slab::Key;
use super::{Phase, Server};

const FAMILIES: [AddressFamily; 2] = [AddressFamily::Ipv4, AddressFamily::Ipv6];

impl Server {
    /// Does what is due. An early or repeated call does nothing.
    pub fn handle_timeout(&mut self, now: Time) {
        self.now = self.now.max(now);
        while let Some(timer) = self.deadlines.pop_due(now) {
            match timer {
                Timer::Allocation(key) => self.on_wakeup(key, now),
                Timer::Reservation(relay) => {
                    let held = self.relays.get(relay).map(|relay| relay.owner);
                    if let Some(Owner::Reservation { expires, .. }) = held
                        && expires <= now
                    {
                        self.end_reservation(relay);
                    }
                }
            }
        }
    }

    fn on_wakeup(&mut self, key: Key, now: Time) {
        let Some(allocation) = self.allocations.get_mut(key) else { return };
        if allocation.wakeup > now {
            return;
        }
        allocation.wakeup = Time::MAX;
        if let Some(opening) = &allocation.opening {
            if opening.deadline() <= now {
                return self.give_up_opening(key);
            }
        } else {
            self.expire_relays(key, now);
        }
        self.schedule(key);
    }

    /// Ends the relays of an allocation whose time is over, and the allocation with the last one.
    pub(super) fn expire_relays(&mut self, key: Key, now: Time) {
        for family in FAMILIES {
            let Some(allocation) = self.allocations.get(key) else { return };
            if allocation.relays[index(family)].is_some_and(|granted| granted.expires <= now) {
                self.end_relay(key, family, EndReason::Expired);
            }
        }
    }

    /// Sees that a timer goes off when the allocation next needs one.
    pub(super) fn schedule(&mut self, key: Key) {
        let Some(allocation) = self.allocations.get_mut(key) else { return };
        let deadline = match &allocation.opening {
            Some(opening) => opening.deadline(),
            None => allocation.next_expiry(),
        };
        if deadline < allocation.wakeup {
            allocation.wakeup = deadline;
            self.deadlines.set(deadline, Timer::Allocation(key));
        }
    }

    /// Ends the relay of one family; the allocation too, if it was the last (RFC 8656 §8.1).
    pub(super) fn end_relay(&mut self, key: Key, family: AddressFamily, why: EndReason) {
        let Some(allocation) = self.allocations.get_mut(key) else { return };
        if allocation.relays[1 - index(family)].is_none() {
            return self.end(key, why);
        }
        if let Some(granted) = allocation.relays[index(family)].take() {
            allocation.permissions.remove_family(family == AddressFamily::Ipv4);
            allocation.channels.remove_family(family == AddressFamily::Ipv4, self.hash);
            self.relays.close(granted.relay, false, &mut self.fx);
        }
    }

    /// Ends an allocation.
    pub(super) fn end(&mut self, key: Key, reason: EndReason) {
        if let Some(opening) = self.allocations.get_mut(key).and_then(|allocation| allocation.opening.take())
        {
            // It has not begun, so it does not end.
            return self.abandon(key, &opening, Rejection::NoCapacity);
        }
        let Some(allocation) = self.allocations.remove(key) else { return };
        for granted in allocation.relays.into_iter().flatten() {
            self.relays.close(granted.relay, false, &mut self.fx);
        }
        self.accounts.release(allocation.account);
        count(&mut self.fx.stats.allocations_ended);
        self.fx.event(Event::AllocationEnded {
            allocation: AllocationId(key),
            user: allocation.user,
            reason,
            lived: self.now - allocation.begun,
            to_peers: allocation.to_peers,
            to_client: allocation.to_client,
        });
    }

    /// The driver has lost a relay of an allocation.
    pub(super) fn lose_relay(&mut self, key: Key, relay: Key, now: Time) {
        self.now = self.now.max(now);
        let Some(allocation) = self.allocations.get(key) else { return };
        let is_it = |family: &AddressFamily| {
            allocation.relays[index(*family)].is_some_and(|granted| granted.relay == relay)
        };
        if let Some(family) = FAMILIES.into_iter().find(is_it) {
            self.end_relay(key, family, EndReason::RelayLost);
        }
    }

    /// A port is held in reserve no longer.
    pub(super) fn end_reservation(&mut self, relay: Key) {
        if let Some(relay) = self.relays.close(relay, false, &mut self.fx)
            && let Owner::Reservation { account, .. } = relay.owner
        {
            self.accounts.release(account);
        }
    }

    /// The connection of a client was closed or reset: its allocation ends, unless the client can take it along to
    /// another address (RFC 8016).
    pub fn disconnected(&mut self, link: Link, now: Time) {
        self.now = self.now.max(now);
        let Some(key) = self.allocations.on(&link) else { return };
        let mobile = self
            .allocations
            .get(key)
            .is_some_and(|allocation| allocation.opening.is_none() && allocation.mobility.is_some());
        if mobile { self.lose_link(key, &link) } else { self.end(key, EndReason::Disconnected) }
    }

    /// Accepts no new allocations; those that are there live on. When [`is_drained`](Self::is_drained), the server can be
    /// closed without anyone noticing. Clients are told of an [alternate](super::Config::alternates), if there is one.
    pub fn drain(&mut self) {
        if self.phase == Phase::Running {
            self.phase = Phase::Draining;
        }
    }

    /// Whether no allocation is left.
    #[must_use]
    pub fn is_drained(&self) -> bool {
        self.allocations.len() == 0
    }

    /// Ends everything at once. What is queued stays there to be polled: the relays' sockets have to be closed, and there
    /// is an event for each allocation.
    pub fn close(&mut self, now: Time) {
        self.now = self.now.max(now);
        self.phase = Phase::Closed;
        for key in self.allocations.keys() {
            self.end(key, EndReason::Closed);
        }
        for relay in self.relays.keys() {
            self.end_reservation(relay);
        }
        self.deadlines.clear();
    }
}
