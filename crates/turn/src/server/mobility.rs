//! Taking an allocation along to another address (RFC 8016).

use core::time::Duration;

use floe_stun::attributes::MobilityTicket;
use floe_stun::{Key as MacKey, Time, TransactionId};
use subtle::ConstantTimeEq;

use super::Server;
use super::authenticate::Authenticated;
use super::event::Event;
use super::link::{AllocationId, Link};
use super::rejection::Rejection;
use super::slab::Key;
use crate::random::Random;

/// How long a ticket is remembered after it was used, so that a retransmission is recognised (RFC 8016 §3.2.2).
const OLD_TICKET_LIFETIME: Duration = Duration::from_secs(30);

const SALT: usize = 16;
const NUMBER: usize = 8;
const TAG: usize = 16;

/// Size in bytes of a ticket.
const TICKET: usize = SALT + NUMBER + TAG;

type Salt = [u8; SALT];

/// Makes and reads tickets: a random salt, the number of an allocation encrypted with an HMAC of the salt, and an HMAC
/// of both, under a key that nobody else has (RFC 8016 §5).
pub(super) struct Tickets(MacKey);

impl Tickets {
    pub(super) fn new(random: &mut Random) -> Self {
        Self(MacKey::from_bytes(&random.bytes::<32>()))
    }

    fn seal(&self, allocation: Key, salt: &Salt) -> [u8; TICKET] {
        let mut ticket = [0; TICKET];
        ticket[..SALT].copy_from_slice(salt);
        let number = allocation.as_u64() ^ self.mask(salt);
        ticket[SALT..SALT + NUMBER].copy_from_slice(&number.to_be_bytes());
        let tag = self.tag(&ticket);
        ticket[SALT + NUMBER..].copy_from_slice(&tag);
        ticket
    }

    /// Whose ticket this is, and its salt; `None` if this server did not make it.
    fn open(&self, ticket: &[u8]) -> Option<(Key, Salt)> {
        let ticket: &[u8; TICKET] = ticket.try_into().ok()?;
        let genuine = self.tag(ticket).ct_eq(&ticket[SALT + NUMBER..]);
        let salt = *ticket.first_chunk::<SALT>()?;
        let number = u64::from_be_bytes(*ticket[SALT..].first_chunk::<NUMBER>()?);
        bool::from(genuine).then(|| (Key::from_u64(number ^ self.mask(&salt)), salt))
    }

    fn mask(&self, salt: &Salt) -> u64 {
        let [a, b, c, d, e, f, g, h, ..] = self.0.hmac_sha256(salt);
        u64::from_be_bytes([a, b, c, d, e, f, g, h])
    }

    fn tag(&self, ticket: &[u8; TICKET]) -> [u8; TAG] {
        let mut tag = [0; TAG];
        // Longer than what the mask is made of, so the two have nothing in common.
        tag.copy_from_slice(&self.0.hmac_sha256(&ticket[..SALT + NUMBER])[..TAG]);
        tag
    }
}

/// What a mobile allocation has besides.
pub(super) struct Mobility {
    salt: Salt,
    /// The ticket before, the request it was used in, and until when this is remembered.
    used: Option<(Salt, TransactionId, Time)>,
    /// The 5-tuple that the client is about to move to.
    coming: Option<Link>,
}

impl Mobility {
    pub(super) fn new(random: &mut Random) -> Self {
        Self { salt: random.bytes(), used: None, coming: None }
    }

    pub(super) fn coming(&self) -> Option<Link> {
        self.coming
    }

    fn was_used(&self, salt: &Salt, request: TransactionId, now: Time) -> bool {
        self.used.is_some_and(|(used, by, until)| used == *salt && by == request && until > now)
    }
}

impl Server {
    /// The ticket of an allocation, if it is mobile.
    pub(super) fn ticket(&self, key: Key) -> Option<[u8; TICKET]> {
        let mobility = self.allocations.get(key)?.mobility.as_ref()?;
        Some(self.tickets.seal(key, &mobility.salt))
    }

    /// RFC 8016 §3.2.2: the allocation that a Refresh request with a ticket is about; whether the request has to be acted
    /// on, or is a retransmission that is answered only.
    pub(super) fn allocation_of_ticket(
        &self,
        auth: &Authenticated<'_>,
        ticket: MobilityTicket<'_>,
        now: Time,
    ) -> Result<(Key, bool), Rejection> {
        if !self.config.mobility {
            return Err(Rejection::MobilityForbidden);
        }
        let (key, salt) = self.tickets.open(ticket.0).ok_or(Rejection::BadRequest)?;
        let allocation = self.allocations.get(key).filter(|allocation| allocation.is_live(now));
        let allocation = allocation.ok_or(Rejection::AllocationMismatch)?;
        let mobility = allocation.mobility.as_ref().ok_or(Rejection::BadRequest)?;
        let known = self.allocations.on(&auth.link) == Some(key);
        let repeated = known && mobility.was_used(&salt, auth.reply.id, now);
        // A ticket is of use once, and not from where the client is already.
        if !repeated && (known || salt != mobility.salt) {
            return Err(Rejection::BadRequest);
        }
        if allocation.user != auth.user.name {
            return Err(Rejection::WrongCredentials);
        }
        if !known && self.allocations.on(&auth.link).is_some() {
            return Err(Rejection::AllocationMismatch);
        }
        Ok((key, !repeated))
    }

    /// Notes the 5-tuple that the client moves to, and gives it a new ticket. The old 5-tuple stays in use until the
    /// client sends data on the new one.
    pub(super) fn expect_move(&mut self, key: Key, auth: &Authenticated<'_>, now: Time) {
        let salt = self.random.bytes();
        let Some(allocation) = self.allocations.get_mut(key) else { return };
        let (away, Some(mobility)) = (!allocation.connected, allocation.mobility.as_mut()) else { return };
        mobility.used = Some((mobility.salt, auth.reply.id, now + OLD_TICKET_LIFETIME));
        mobility.salt = salt;
        let given_up = mobility.coming.replace(auth.link);
        if let Some(given_up) = given_up {
            self.allocations.remove_link(&given_up, key);
        }
        self.allocations.add_link(auth.link, key);
        if away {
            self.complete_move(key);
        }
    }

    /// The client has arrived at its new 5-tuple; the old one is forgotten.
    pub(super) fn complete_move(&mut self, key: Key) {
        let Some(allocation) = self.allocations.get_mut(key) else { return };
        let Some(link) = allocation.mobility.as_mut().and_then(|mobility| mobility.coming.take()) else {
            return;
        };
        let old = core::mem::replace(&mut allocation.link, link);
        allocation.connected = true;
        self.allocations.remove_link(&old, key);
        self.fx.event(Event::AllocationMoved { allocation: AllocationId(key), link });
    }

    /// A connection of a mobile allocation was closed: the client may come back from elsewhere.
    pub(super) fn lose_link(&mut self, key: Key, link: &Link) {
        let Some(allocation) = self.allocations.get_mut(key) else { return };
        let Some(mobility) = allocation.mobility.as_mut() else { return };
        if mobility.coming == Some(*link) {
            mobility.coming = None;
        } else if mobility.coming.is_some() {
            return self.complete_move(key);
        } else {
            allocation.connected = false;
        }
        self.allocations.remove_link(link, key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ticket_is_opaque_and_cannot_be_changed() {
        let mut random = Random::new([1; 32]);
        let tickets = Tickets::new(&mut random);
        let (key, salt) = (Key::from_u64(7 << 32 | 5), random.bytes());
        let ticket = tickets.seal(key, &salt);
        assert_eq!(tickets.open(&ticket), Some((key, salt)));
        assert!(!ticket.windows(8).any(|bytes| bytes == key.as_u64().to_be_bytes()));
        for at in 0..TICKET {
            let mut forged = ticket;
            forged[at] ^= 1;
            assert_eq!(tickets.open(&forged), None, "byte {at}");
        }
        for len in 0..TICKET {
            assert_eq!(tickets.open(&ticket[..len]), None);
        }
        assert_eq!(Tickets::new(&mut random).open(&ticket), None, "another server's");
        assert_ne!(tickets.seal(key, &random.bytes()), ticket);
    }
}
