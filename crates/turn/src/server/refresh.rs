//! Receiving a Refresh request: RFC 8656 §8.2, and RFC 8016 §3.2.2.

use core::time::Duration;

use floe_stun::attributes::{AddressFamily, Lifetime, MobilityTicket, RequestedAddressFamily};
use floe_stun::{Class, Time};

use super::Server;
use super::allocate::{read, read_family};
use super::authenticate::Authenticated;
use super::effects::Reply;
use super::event::{EndReason, Event};
use super::link::AllocationId;
use super::ports::index;
use super::rejection::{Rejection, count};
use super::slab::Key;

impl Server {
    pub(super) fn on_refresh(&mut self, auth: &Authenticated<'_>, now: Time) -> Result<(), Rejection> {
        let ticket = read::<MobilityTicket<'_>>(&auth.request)?;
        let (key, fresh) = match ticket {
            Some(ticket) => self.allocation_of_ticket(auth, ticket, now)?,
            None => (self.allocation_of(auth, now)?, true),
        };
        // "a REQUESTED-ADDRESS-FAMILY attribute and the attribute value does not match": 443.
        let family = read_family::<RequestedAddressFamily>(&auth.request, Rejection::FamilyMismatch)?;
        let family = family.map(|requested| requested.0);
        let allocation = self.allocations.get(key).ok_or(Rejection::AllocationMismatch)?;
        if family.is_some_and(|family| allocation.relay(family, now).is_none()) {
            return Err(Rejection::FamilyMismatch);
        }
        let proposed = read::<Lifetime>(&auth.request)?;
        if proposed == Some(Lifetime(0)) {
            self.delete(key, family);
            self.confirm_refresh(&auth.reply, Duration::ZERO, None);
            return Ok(());
        }
        let desired = self.granted_lifetime(proposed);
        if ticket.is_some() && fresh {
            self.expect_move(key, auth, now);
        }
        if let Some(allocation) = self.allocations.get_mut(key) {
            let families = [AddressFamily::Ipv4, AddressFamily::Ipv6];
            let meant = families.into_iter().filter(|of| family.is_none_or(|family| family == *of));
            for family in meant {
                // One that has expired is gone; so it stays.
                if let Some(granted) = &mut allocation.relays[index(family)]
                    && granted.expires > now
                {
                    granted.expires = now + desired;
                }
            }
        }
        self.schedule(key);
        self.fx.event(Event::AllocationRefreshed { allocation: AllocationId(key), lifetime: desired });
        // RFC 8016 §3.2.2: whoever came with a ticket gets the next one.
        self.confirm_refresh(&auth.reply, desired, ticket.map(|_| key));
        Ok(())
    }

    /// A lifetime of zero deletes the allocation: all of it, or the relay of one family.
    fn delete(&mut self, key: Key, family: Option<AddressFamily>) {
        match family {
            Some(family) => self.end_relay(key, family, EndReason::Deleted),
            None => self.end(key, EndReason::Deleted),
        }
    }

    fn confirm_refresh(&mut self, reply: &Reply, lifetime: Duration, ticket_of: Option<Key>) {
        count(&mut self.fx.stats.refreshed);
        let ticket = ticket_of.and_then(|key| self.ticket(key));
        self.fx.respond(reply, Class::Success, |message| {
            message
                .attribute(&Lifetime(lifetime.as_secs() as u32))
                .maybe(ticket.as_ref().map(|ticket| MobilityTicket(ticket)).as_ref())
        });
    }
}
