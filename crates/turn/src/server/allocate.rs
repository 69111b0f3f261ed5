//! Receiving an Allocate request: RFC 8656 §7.2, from top to bottom, and RFC 8016 §3.1.2.

use alloc::boxed::Box;
use core::time::Duration;

use floe_stun::attributes::{
    AdditionalAddressFamily, AddressErrorCode, AddressFamily, EvenPort, Lifetime, MobilityTicket,
    RequestedAddressFamily, RequestedTransport, ReservationToken, XorMappedAddress, XorRelayedAddress,
};
use floe_stun::{Attribute, Class, DecodeError, Message, Time};

use super::allocation::Allocation;
use super::authenticate::Authenticated;
use super::channels::Channels;
use super::config::DEFAULT_LIFETIME;
use super::effects::Reply;
use super::mobility::Mobility;
use super::opening::Opening;
use super::permissions::Permissions;
use super::policy::is_tunnelled;
use super::ports::PortDemand;
use super::rejection::Rejection;
use super::slab::Key;
use super::traffic::Traffic;
use super::{Phase, Server};

/// A family that is not allocated, and why.
type Missing = Option<(AddressFamily, Rejection)>;

/// What an Allocate request asks for.
struct Demand {
    families: [bool; 2],
    port: PortDemand,
    /// The reserved relay that it claims, and for which account it is held.
    claimed: Option<Key>,
    /// The family that was asked for besides, and is missing.
    missing: Missing,
    lifetime: Duration,
    mobile: bool,
}

impl Server {
    pub(super) fn on_allocate(&mut self, auth: &Authenticated<'_>, now: Time) -> Result<(), Rejection> {
        // §21.4: "MUST NOT accept Teredo or 6to4 addresses".
        if is_tunnelled(auth.link.client.ip()) {
            return Err(Rejection::Forbidden);
        }
        // Check 2: the 5-tuple. A retransmission is told what the first request was told.
        if let Some(key) = self.allocations.on(&auth.link) {
            return self.repeat_allocate(key, auth, now);
        }
        let demand = self.read_demand(&auth.request, auth, now)?;
        self.check_capacity(auth, &demand)?;
        self.create(auth, &demand, now);
        Ok(())
    }

    fn repeat_allocate(&mut self, key: Key, auth: &Authenticated<'_>, now: Time) -> Result<(), Rejection> {
        let allocation = self.allocations.get(key).ok_or(Rejection::AllocationMismatch)?;
        if allocation.request != auth.reply.id || allocation.user != auth.user.name {
            return Err(Rejection::AllocationMismatch);
        }
        // While the driver opens the relay the answer is still to come.
        if allocation.opening.is_none() {
            self.confirm_allocation(key, &auth.reply, now);
        }
        Ok(())
    }

    /// Checks 3 to 9.
    fn read_demand(
        &self,
        request: &Message<'_>,
        auth: &Authenticated<'_>,
        now: Time,
    ) -> Result<Demand, Rejection> {
        // Check 3: REQUESTED-TRANSPORT. (Check 4, DONT-FRAGMENT, was among the unknown attributes.)
        match read::<RequestedTransport>(request)? {
            Some(RequestedTransport::UDP) => {}
            Some(_) => return Err(Rejection::UnsupportedTransport),
            None => return Err(Rejection::BadRequest),
        }
        let token = read::<ReservationToken>(request)?;
        let even = read::<EvenPort>(request)?;
        let requested = read_family::<RequestedAddressFamily>(request, Rejection::UnsupportedFamily)?;
        let additional = read_family::<AdditionalAddressFamily>(request, Rejection::BadRequest)?;
        // Check 5: a token goes with none of the others, and must be known.
        let alone = even.is_none() && requested.is_none() && additional.is_none();
        if token.is_some() && !alone {
            return Err(Rejection::BadRequest);
        }
        let claimed = match token {
            Some(token) => Some(self.claimable(token, auth, now).ok_or(Rejection::NoCapacity)?),
            None => None,
        };
        // Checks 6, 8 and 9: what does not go together.
        let pair = even.is_some_and(|even| even.reserve_next);
        match additional {
            Some(_) if requested.is_some() || pair => return Err(Rejection::BadRequest),
            Some(AdditionalAddressFamily(AddressFamily::Ipv4)) => return Err(Rejection::BadRequest),
            _ => {}
        }
        let (families, missing) = self.families(requested, additional.is_some())?;
        // RFC 8016 §3.1.2.
        let mobile = match read::<MobilityTicket<'_>>(request)? {
            None => false,
            Some(MobilityTicket([])) if self.config.mobility => true,
            Some(MobilityTicket([])) => return Err(Rejection::MobilityForbidden),
            Some(_) => return Err(Rejection::BadRequest),
        };
        let port = match even {
            None => PortDemand::Any,
            Some(_) if pair => PortDemand::EvenPair,
            Some(_) => PortDemand::Even,
        };
        let lifetime = self.granted_lifetime(read::<Lifetime>(request)?);
        Ok(Demand { families, port, claimed, missing, lifetime, mobile })
    }

    /// Checks 7 and 9: which families are allocated, and which one is missing from a dual allocation.
    fn families(
        &self,
        requested: Option<RequestedAddressFamily>,
        dual: bool,
    ) -> Result<([bool; 2], Missing), Rejection> {
        let has = [AddressFamily::Ipv4, AddressFamily::Ipv6].map(|family| self.relays.supports(family));
        let missing = |family| Some((family, Rejection::UnsupportedFamily));
        if dual {
            return Ok(match has {
                [true, true] => ([true, true], None),
                [true, false] => ([true, false], missing(AddressFamily::Ipv6)),
                [false, _] => ([false, true], missing(AddressFamily::Ipv4)),
            });
        }
        let family = requested.map_or(AddressFamily::Ipv4, |requested| requested.0);
        let wanted = [family == AddressFamily::Ipv4, family == AddressFamily::Ipv6];
        if self.relays.supports(family) { Ok((wanted, None)) } else { Err(Rejection::UnsupportedFamily) }
    }

    /// The relay that is held in reserve under a token, if it is held for this user.
    fn claimable(&self, token: ReservationToken, auth: &Authenticated<'_>, now: Time) -> Option<Key> {
        let (relay, account) = self.relays.reserved(&token.0, now)?;
        self.accounts.is(account, auth.user.account()).then_some(relay)
    }

    /// Checks 10 and 11: quota, capacity, another server.
    fn check_capacity(&self, auth: &Authenticated<'_>, demand: &Demand) -> Result<(), Rejection> {
        let limits = &self.config.limits;
        // A reserved port counts from the beginning, and goes on to count as the allocation that claims it.
        let more = match (demand.claimed, demand.port) {
            (Some(_), _) => 0,
            (None, PortDemand::EvenPair) => 2,
            (None, _) => 1,
        };
        if self.phase != Phase::Running || self.accounts.held() + more > limits.allocations as usize {
            let elsewhere = self.alternate_for(&auth.link).is_some();
            return Err(if elsewhere { Rejection::Redirected } else { Rejection::NoCapacity });
        }
        let held = self.accounts.held_by(auth.user.account());
        if held + more as u32 > limits.allocations_per_user {
            return Err(Rejection::QuotaReached);
        }
        Ok(())
    }

    /// The allocation is created, and the driver asked for its relays.
    fn create(&mut self, auth: &Authenticated<'_>, demand: &Demand, now: Time) {
        let account = self.accounts.hold(auth.user.account(), now);
        if demand.port == PortDemand::EvenPair {
            self.accounts.hold_more(account);
        }
        let opening = Opening::new(auth.reply.clone(), demand.port, demand.lifetime, now);
        let mobility = demand.mobile.then(|| Box::new(Mobility::new(&mut self.random)));
        let key = self.allocations.insert(Allocation {
            link: auth.link,
            connected: true,
            user: auth.user.name.clone(),
            account,
            request: auth.reply.id,
            begun: now,
            relays: [None; 2],
            refused: demand.missing,
            token: None,
            permissions: Permissions::default(),
            channels: Channels::default(),
            to_peers: Traffic::default(),
            to_client: Traffic::default(),
            wakeup: Time::MAX,
            opening: Some(Box::new(opening)),
            mobility,
        });
        if let Some(relay) = demand.claimed {
            self.claim_relay(key, relay, now);
        } else {
            self.open_relays(key, demand.families, now);
        }
    }

    /// §7.2: the minimum of what is proposed and what is allowed, but no less than the default.
    pub(super) fn granted_lifetime(&self, proposed: Option<Lifetime>) -> Duration {
        let most = self.config.max_lifetime.clamp(DEFAULT_LIFETIME, Duration::from_secs(3600));
        let proposed = proposed.map_or(DEFAULT_LIFETIME, |lifetime| Duration::from_secs(lifetime.0.into()));
        proposed.min(most).max(DEFAULT_LIFETIME)
    }

    /// The success response, the first time or again.
    pub(super) fn confirm_allocation(&mut self, key: Key, reply: &Reply, now: Time) {
        let ticket = self.ticket(key);
        let Some(allocation) = self.allocations.get(key) else { return };
        let relayed = allocation.relays.map(|granted| {
            granted.and_then(|granted| self.relays.public_address(granted.relay)).map(XorRelayedAddress)
        });
        let left = (allocation.next_expiry() - now).as_secs();
        let missing = allocation
            .refused
            .and_then(|(family, why)| Some(AddressErrorCode::new(family, why.error_code()?)));
        let token = allocation.token.map(ReservationToken);
        self.fx.respond(reply, Class::Success, |message| {
            let [first, second] = &relayed;
            message
                .maybe(first.as_ref())
                .maybe(second.as_ref())
                .attribute(&Lifetime(u32::try_from(left).unwrap_or(u32::MAX)))
                .attribute(&XorMappedAddress(reply.link.mapped()))
                .maybe(token.as_ref())
                .maybe(missing.as_ref())
                .maybe(ticket.as_ref().map(|ticket| MobilityTicket(ticket)).as_ref())
        });
    }
}

/// An attribute; 400 if it is malformed.
pub(super) fn read<'m, A: Attribute<'m>>(request: &Message<'m>) -> Result<Option<A>, Rejection> {
    request.get().map_err(|_| Rejection::BadRequest)
}

/// An attribute that names a family: `unknown` if the family is not known, 400 if it is otherwise malformed.
pub(super) fn read_family<'m, A: Attribute<'m>>(
    request: &Message<'m>,
    unknown: Rejection,
) -> Result<Option<A>, Rejection> {
    request.get().map_err(|error| match error {
        DecodeError::AddressFamily(_) => unknown,
        _ => Rejection::BadRequest,
    })
}
