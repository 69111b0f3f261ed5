//! Where the servers are, and which base asks which (RFC 8445 §5.1.1.2).

use alloc::vec::Vec;
use core::mem::discriminant;
use core::net::{IpAddr, SocketAddr};

use floe_stun::Time;

use crate::candidate::{canonical, is_usable};
use crate::config::{ServerAddress, TransportPolicy};
use crate::effects::Effects;
use crate::event::GatheringFailure;
use crate::ids::RequestId;
use crate::io::{Command, DriverError};

use super::{Gatherer, report};

/// Addresses of a server that are tried at most (our own rule): more than a name of this kind has.
const MAX_ADDRESSES: usize = 16;

/// The servers of the configuration, in its order; empty until the first base asks for them.
#[derive(Clone, Debug, Default)]
pub(super) struct Servers(Vec<Server>);

#[derive(Clone, Debug)]
struct Server {
    state: Place,
    /// Some base asks it.
    asked: bool,
}

/// Where a server is.
#[derive(Clone, Debug)]
enum Place {
    /// The driver looks its name up.
    Resolving { request: RequestId, deadline: Time },
    /// Of a server over UDP one address of each family and scope, the first of its kind: of several addresses of a name only one is
    /// asked from one base, since the others are likely to be the same service. Of one that is connected to, all.
    Known(Vec<SocketAddr>),
    /// Nobody can ask it. This was reported.
    Lost,
}

/// How far an address reaches. Packets from one scope to another are not routed, or come back with an address that means
/// nothing to a peer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Scope {
    Loopback,
    /// The zone is 0 where it is not known.
    Link(u32),
    Global,
}

impl Servers {
    pub(super) fn is_resolving(&self) -> bool {
        self.0.iter().any(|s| matches!(s.state, Place::Resolving { .. }))
    }

    pub(super) fn next_timeout(&self) -> Time {
        let deadline = |s: &Server| match s.state {
            Place::Resolving { deadline, .. } => Some(deadline),
            _ => None,
        };
        self.0.iter().filter_map(deadline).min().unwrap_or(Time::MAX)
    }

    /// The number of servers, and for each the address that this base asks it at.
    pub(super) fn reached_from(
        &self,
        base: SocketAddr,
    ) -> impl Iterator<Item = (usize, SocketAddr)> + use<'_> {
        self.0.iter().enumerate().filter_map(move |(at, server)| match &server.state {
            Place::Known(addresses) => {
                addresses.iter().find(|&&a| reaches(base, a)).map(|address| (at, *address))
            }
            _ => None,
        })
    }

    /// The addresses of a server that this base can ask it at.
    pub(super) fn addresses_from(
        &self,
        base: SocketAddr,
        server: usize,
    ) -> impl Iterator<Item = SocketAddr> + use<'_> {
        let known = self.0.get(server).and_then(|server| match &server.state {
            Place::Known(addresses) => Some(addresses),
            _ => None,
        });
        known.into_iter().flatten().copied().filter(move |&address| reaches(base, address))
    }

    pub(super) fn set_asked(&mut self, at: usize) {
        if let Some(server) = self.0.get_mut(at) {
            server.asked = true;
        }
    }

    /// Every base is known by now: what none of them asks is not reachable from here.
    pub(super) fn report_unasked(&mut self, fx: &mut Effects) {
        for (number, server) in (0u16..).zip(&mut self.0) {
            if matches!(server.state, Place::Known(_)) && !server.asked {
                server.state = Place::Lost;
                report(fx, Some(number), None, GatheringFailure::NoUsableAddress);
            }
        }
    }

    fn resolving(&self, request: RequestId) -> Option<usize> {
        let is = |s: &Server| matches!(s.state, Place::Resolving { request: r, .. } if r == request);
        self.0.iter().position(is)
    }
}

impl Gatherer {
    /// Looks the servers' names up, once.
    pub(super) fn find_servers(&mut self, now: Time, fx: &mut Effects) {
        let work = self.work.get_or_insert_default();
        let Some(config) = self.config.as_ref().filter(|_| work.servers.0.is_empty()) else { return };
        let relay_only = config.transport_policy == TransportPolicy::Relay;
        let stun = config.servers.iter().map(|server| (server, !relay_only));
        for (server, is_used) in stun.chain(config.relays.iter().map(|relay| (&relay.address, true))) {
            let state = match server {
                _ if !is_used => Place::Lost,
                ServerAddress::Address(address) => Place::Known(alloc::vec![canonical(*address)]),
                ServerAddress::Name { host, port } => {
                    let request = RequestId(self.next_request);
                    self.next_request = self.next_request.wrapping_add(1);
                    fx.command(Command::Resolve { request, host: host.clone(), port: *port });
                    Place::Resolving { request, deadline: now.saturating_add(config.driver_deadline) }
                }
            };
            work.servers.0.push(Server { state, asked: false });
        }
    }

    /// The driver's answer. One that comes after the deadline is not waited for any more and does not count.
    pub(crate) fn resolved(
        &mut self,
        request: RequestId,
        answer: Result<&[SocketAddr], DriverError>,
        fx: &mut Effects,
    ) {
        let Some(at) = self.work.as_ref().and_then(|work| work.servers.resolving(request)) else { return };
        let number = u16::try_from(at).ok();
        let is_stream = number.and_then(|n| self.relay_server(n)).is_some_and(|s| s.transport.is_stream());
        let addresses = answer.map(if is_stream { usable } else { distinct });
        let Some(work) = &mut self.work else { return };
        let Some(server) = work.servers.0.get_mut(at) else { return };
        match addresses {
            Ok(addresses) if !addresses.is_empty() => {
                server.state = Place::Known(addresses);
                self.query_server(at);
            }
            other => {
                server.state = Place::Lost;
                let failure =
                    other.map_or_else(GatheringFailure::Driver, |_| GatheringFailure::NoUsableAddress);
                report(fx, number, None, failure);
            }
        }
    }

    pub(super) fn expire_resolutions(&mut self, now: Time, fx: &mut Effects) {
        let Some(work) = &mut self.work else { return };
        for (number, server) in (0u16..).zip(&mut work.servers.0) {
            if matches!(server.state, Place::Resolving { deadline, .. } if deadline <= now) {
                server.state = Place::Lost;
                report(fx, Some(number), None, GatheringFailure::NoAnswerFromDriver);
            }
        }
    }
}

/// The first usable address of each family and scope, six at most, however long the driver's list is. Names have no zones, so
/// link-local addresses of several are not told apart.
fn distinct(addresses: &[SocketAddr]) -> Vec<SocketAddr> {
    let mut kept: Vec<SocketAddr> = Vec::new();
    for address in addresses.iter().copied().map(canonical).filter(|a| is_usable(*a)) {
        let kind = |a: SocketAddr| (a.is_ipv4(), discriminant(&scope(a)));
        if !kept.iter().any(|k| kind(*k) == kind(address)) {
            kept.push(address);
        }
    }
    kept
}

/// The first usable addresses, each once, in the driver's order.
fn usable(addresses: &[SocketAddr]) -> Vec<SocketAddr> {
    let mut kept: Vec<SocketAddr> = Vec::new();
    for address in addresses.iter().copied().map(canonical).filter(|a| is_usable(*a)) {
        if kept.len() < MAX_ADDRESSES && !kept.contains(&address) {
            kept.push(address);
        }
    }
    kept
}

/// Whether a base can ask a server at this address: same family, same scope, and the same zone where both are known.
fn reaches(base: SocketAddr, server: SocketAddr) -> bool {
    let scopes_match = match (scope(base), scope(server)) {
        (Scope::Link(a), Scope::Link(b)) => a == b || a == 0 || b == 0,
        (a, b) => a == b,
    };
    base.is_ipv4() == server.is_ipv4() && scopes_match
}

fn scope(address: SocketAddr) -> Scope {
    match address.ip() {
        ip if ip.is_loopback() => Scope::Loopback,
        IpAddr::V4(ip) if ip.is_link_local() => Scope::Link(0),
        IpAddr::V6(ip) if ip.is_unicast_link_local() => Scope::Link(match address {
            SocketAddr::V6(v6) => v6.scope_id(),
            SocketAddr::V4(_) => 0,
        }),
        _ => Scope::Global,
    }
}
