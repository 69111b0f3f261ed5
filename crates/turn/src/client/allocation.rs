//! An allocation as the client knows it (RFC 8656 §6), and what an Allocate success response has to look like (§7.3).

use alloc::boxed::Box;
use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use core::time::Duration;

use floe_stun::attributes::{
    AddressErrorCode, AddressFamily, Lifetime, MobilityTicket, ReservationToken, XorMappedAddress,
    XorRelayedAddress,
};
use floe_stun::{DecodeError, Message, Time};

use super::config::Config;
use super::error::Failure;
use super::event::Allocated;

/// The lifetime where the server names none (RFC 8656 §6).
const DEFAULT_LIFETIME: Duration = Duration::from_secs(600);

/// How long before its end an allocation is refreshed (RFC 8656 §8: roughly one minute), at most half of its lifetime.
const MARGIN: Duration = Duration::from_secs(60);

/// A server that grants less than twice this loses its clients: no allocation is refreshed more often.
const MIN_REFRESH: Duration = Duration::from_secs(5);

/// The longest ticket that is kept. RFC 8016 §3.1.2 has it fit a packet of unknown path MTU.
const MAX_TICKET: usize = 512;

pub(super) struct Allocation {
    pub(super) granted: Allocated,
    /// When the server may delete it, counted from when it was asked, which is earlier than it counts itself.
    pub(super) expires: Time,
    /// When to refresh it.
    pub(super) refresh_at: Time,
    /// How often in a row a refresh was refused for a passing reason.
    pub(super) refusals: u8,
    /// The caller wants to know whether it is still there.
    pub(super) doubted: bool,
    /// For taking it along (RFC 8016 §3.1.3).
    pub(super) ticket: Option<Box<[u8]>>,
}

impl Allocation {
    /// Reads an Allocate success response (RFC 8656 §7.3). `asked` is when the request was sent.
    pub(super) fn read(
        message: &Message<'_>,
        config: &Config,
        asked: Time,
        now: Time,
    ) -> Result<Self, Failure> {
        let [ipv4, ipv6] = relayed_addresses(message, config)?;
        let relayed = ipv4.or(ipv6).ok_or(Failure::UnusableAddress)?;
        let relayed_ipv6 = ipv6.filter(|_| ipv4.is_some());
        let mapped = message.get::<XorMappedAddress>().map_err(reject)?.ok_or(Failure::MalformedAnswer)?.0;
        let mapped = SocketAddr::new(mapped.ip().to_canonical(), mapped.port());
        if !is_usable(mapped, config) {
            return Err(Failure::UnusableAddress);
        }
        let lifetime = lifetime(message).map_err(|_| Failure::MalformedAnswer)?.unwrap_or(DEFAULT_LIFETIME);
        if lifetime.is_zero() {
            return Err(Failure::MalformedAnswer);
        }
        let ticket = ticket(message);
        let granted = Allocated {
            relayed,
            relayed_ipv6,
            mapped,
            lifetime,
            reservation: message.get::<ReservationToken>().map_err(reject)?,
            missing: missing_family(message),
            dont_fragment: false,
            mobility: ticket.is_some(),
        };
        let mut allocation = Self {
            granted,
            expires: Time::ZERO,
            refresh_at: Time::ZERO,
            refusals: 0,
            doubted: false,
            ticket,
        };
        allocation.extend(lifetime, asked, now);
        Ok(allocation)
    }

    /// The server holds it for `lifetime` from when it was asked.
    pub(super) fn extend(&mut self, lifetime: Duration, asked: Time, now: Time) {
        let wait = lifetime.saturating_sub(MARGIN).max(lifetime / 2);
        self.granted.lifetime = lifetime;
        self.expires = asked.saturating_add(lifetime);
        self.refresh_at = asked.saturating_add(wait).max(now.saturating_add(MIN_REFRESH));
        self.refusals = 0;
    }

    /// Keeps the ticket of a Refresh response, and after a move forgets the old one, which is used up (RFC 8016 §3.2.2).
    pub(super) fn keep_ticket(&mut self, message: &Message<'_>, moved: bool) {
        let ticket = ticket(message);
        if moved || ticket.is_some() {
            self.ticket = ticket;
        }
        self.granted.mobility = self.ticket.is_some();
    }

    pub(super) fn forget_ticket(&mut self) {
        (self.ticket, self.granted.mobility) = (None, false);
    }

    pub(super) fn has_family(&self, family: AddressFamily) -> bool {
        self.granted.addresses().any(|address| AddressFamily::of(address.ip()) == family)
    }
}

/// LIFETIME of a response, if there is one.
pub(super) fn lifetime(message: &Message<'_>) -> Result<Option<Duration>, DecodeError> {
    let lifetime = message.get::<Lifetime>()?;
    Ok(lifetime.map(|lifetime| Duration::from_secs(u64::from(lifetime.0))))
}

fn ticket(message: &Message<'_>) -> Option<Box<[u8]>> {
    let ticket = message.get::<MobilityTicket<'_>>().ok().flatten()?.0;
    (1..=MAX_TICKET).contains(&ticket.len()).then(|| ticket.into())
}

/// The first usable address of each family that was asked for, IPv4 first.
fn relayed_addresses(message: &Message<'_>, config: &Config) -> Result<[Option<SocketAddr>; 2], Failure> {
    let mut found = [None, None];
    let mut any = false;
    for address in message.get_all::<XorRelayedAddress>() {
        any = true;
        let address = address.map_err(reject)?.0;
        let family = AddressFamily::of(address.ip());
        let mapped = address.ip().to_canonical() != address.ip();
        if mapped || !is_usable(address, config) || !config.relayed.admits(family) {
            return Err(Failure::UnusableAddress);
        }
        let slot = &mut found[usize::from(family == AddressFamily::Ipv6)];
        slot.get_or_insert(address);
    }
    if any { Ok(found) } else { Err(Failure::MalformedAnswer) }
}

/// RFC 8656 §7.3: an address of a family that we do not know is one that we cannot handle.
const fn reject(error: DecodeError) -> Failure {
    match error {
        DecodeError::AddressFamily(_) => Failure::UnusableAddress,
        _ => Failure::MalformedAnswer,
    }
}

fn missing_family(message: &Message<'_>) -> Option<(AddressFamily, Failure)> {
    let missing = message.get::<AddressErrorCode<'_>>().ok().flatten()?;
    Some((missing.family(), Failure::of_code(missing.error().code())))
}

/// Whether a peer or a relayed address can be there at all. A server on loopback is a test and may relay there.
fn is_usable(address: SocketAddr, config: &Config) -> bool {
    let loopback = address.ip().is_loopback() && !config.server.ip().is_loopback();
    address.port() != 0 && is_unicast(address.ip()) && !loopback
}

/// Neither unspecified, nor multicast, nor broadcast.
pub(super) fn is_unicast(ip: IpAddr) -> bool {
    !ip.is_unspecified() && !ip.is_multicast() && ip != IpAddr::V4(Ipv4Addr::BROADCAST)
}
