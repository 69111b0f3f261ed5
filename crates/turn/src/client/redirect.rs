//! ALTERNATE-SERVER: where a server may send its clients (RFC 8489 §10).

use alloc::string::ToString;
use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};

use floe_stun::attributes::{AddressFamily, AlternateDomain, AlternateServer};

use super::allocation::is_unicast;
use super::answer::Accepted;
use super::event::Alternate;

/// The servers of an authentic 300, the first of each family, that of `server`'s family first; `None` when no TURN server
/// can be at any of them.
pub(super) fn alternate(answer: &Accepted<'_>, server: SocketAddr) -> Option<Alternate> {
    let message = answer.message();
    let mut servers: Vec<SocketAddr> = Vec::new();
    for alternate in message.get_all::<AlternateServer>().flatten() {
        let address = SocketAddr::new(alternate.0.ip().to_canonical(), alternate.0.port());
        let known = servers.iter().any(|other| other.is_ipv4() == address.is_ipv4());
        if !known && is_plausible(address, server) {
            servers.push(address);
        }
    }
    servers.sort_by_key(|address| AddressFamily::of(address.ip()) != AddressFamily::of(server.ip()));
    let domain = message.get::<AlternateDomain<'_>>().ok().flatten();
    let domain = domain.and_then(|domain| domain.as_str().ok().map(ToString::to_string));
    (!servers.is_empty()).then_some(Alternate { servers, domain })
}

/// Our own rule, as a server is not trusted to aim its clients at anything: no address that is local to somebody, no port of
/// another well-known service, and not the server itself.
fn is_plausible(address: SocketAddr, server: SocketAddr) -> bool {
    let loopback = address.ip().is_loopback() && !server.ip().is_loopback();
    let link_local = match address.ip() {
        IpAddr::V4(ip) => ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_unicast_link_local(),
    };
    let port = address.port();
    let usual = port >= 1024 || matches!(port, 80 | 443) || port == server.port();
    let known = address != server && port != 0;
    known && usual && is_unicast(address.ip()) && !loopback && !link_local
}
