//! Which addresses of the machine are used (RFC 8445 §5.1.1.1, RFC 8828 §5.2), and how they rank (RFC 8421 §4).

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv6Addr, SocketAddr, SocketAddrV6};

use crate::candidate::{family_ranks, is_unicast};
use crate::config::{AddressPolicy, GatherConfig};

use super::InterfaceAddress;

/// An address to open sockets at: its port is 0, and a link-local one has its zone.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct LocalAddress {
    pub(super) address: SocketAddr,
    /// Rank among all of them, 0 the most preferred.
    pub(super) rank: u8,
}

/// The length of the prefix that temporary addresses share with stable ones: their interface identifiers have 64 bits (RFC 8981
/// §3.3.1), so no longer prefix tells anything.
const TEMPORARY_PREFIX: u8 = 64;

/// What remains of the machine's addresses, in the order of their ranks.
///
/// The privacy rules look at what is left by the others: an address that is not gathered protects nobody.
pub(super) fn choose(interfaces: &[InterfaceAddress], config: &GatherConfig) -> Vec<LocalAddress> {
    let mut left: Vec<InterfaceAddress> = Vec::new();
    for address in interfaces {
        let repeated = left.iter().any(|other| socket_address(other) == socket_address(address));
        if is_gathered(address, config.loopback)
            && is_allowed(address, interfaces, config.policy)
            && !repeated
        {
            left.push(*address);
        }
    }
    let private = keep_private(&left);
    most_preferred(&private, config.addresses_per_interface)
}

/// RFC 8445 §5.1.1.1, one by one.
fn is_gathered(candidate: &InterfaceAddress, loopback: bool) -> bool {
    let ip = candidate.address;
    // RFC 8445 §5.1.1.1 has no loopback. IPv4-mapped ones exist only for applications without IPv4, which we are not;
    // deprecated ones must not be used in new communication (RFC 4862 §5.5.4).
    if !is_unicast(ip) || candidate.deprecated || (ip.is_loopback() && !loopback) {
        return false;
    }
    match ip {
        IpAddr::V4(_) => true,
        IpAddr::V6(ip) => ip.to_ipv4_mapped().is_none() && !is_ipv4_compatible(ip) && !is_site_local(ip),
    }
}

/// RFC 4291 §2.5.5.1: ::a.b.c.d. The loopback address looks like one and is none.
fn is_ipv4_compatible(ip: Ipv6Addr) -> bool {
    ip.segments()[..6] == [0; 6] && !ip.is_loopback()
}

/// RFC 3879: fec0::/10.
fn is_site_local(ip: Ipv6Addr) -> bool {
    ip.segments()[0] & 0xffc0 == 0xfec0
}

/// RFC 8828 §5.2.
fn is_allowed(address: &InterfaceAddress, all: &[InterfaceAddress], policy: AddressPolicy) -> bool {
    match policy {
        AddressPolicy::All => true,
        AddressPolicy::DefaultRouteAndLocal => {
            all.iter().any(|other| other.default_route && other.interface == address.interface)
        }
        AddressPolicy::DefaultRouteOnly => address.default_route,
    }
}

/// RFC 8445 §5.1.1.1: what would tell where the machine is or was, when there is something that does not. Link-local addresses
/// also go where their interface has another of the family, whose packets reach the same link and more.
fn keep_private(addresses: &[InterfaceAddress]) -> Vec<InterfaceAddress> {
    let any_temporary = addresses.iter().any(|a| a.temporary && a.address.is_ipv6());
    let tracked = |a: &InterfaceAddress, ip| {
        !a.temporary && addresses.iter().any(|t| t.temporary && shares_prefix(t, a.interface, ip))
    };
    let has_better = |interface| {
        let better = |ip| matches!(ip, IpAddr::V6(ip) if !ip.is_unicast_link_local());
        addresses.iter().any(|a| a.interface == interface && better(a.address))
    };
    let stays = |a: &&InterfaceAddress| match a.address {
        IpAddr::V4(_) => true,
        IpAddr::V6(ip) if ip.is_unicast_link_local() => !any_temporary && !has_better(a.interface),
        IpAddr::V6(ip) => !tracked(a, ip),
    };
    addresses.iter().filter(stays).copied().collect()
}

/// Whether a temporary address is of this interface and of the prefix of `ip`.
fn shares_prefix(temporary: &InterfaceAddress, interface: u32, ip: Ipv6Addr) -> bool {
    let IpAddr::V6(own) = temporary.address else { return false };
    let len = temporary.prefix_len.map_or(TEMPORARY_PREFIX, |len| len.min(TEMPORARY_PREFIX));
    let differing = u128::from(own) ^ u128::from(ip);
    temporary.interface == interface && differing.leading_zeros() >= u32::from(len)
}

/// At most `per_interface` of each interface, the families in turn, and no more than there are ranks.
fn most_preferred(addresses: &[InterfaceAddress], per_interface: u8) -> Vec<LocalAddress> {
    let mut interfaces: BTreeMap<u32, Vec<InterfaceAddress>> = BTreeMap::new();
    for address in addresses {
        interfaces.entry(address.interface).or_default().push(*address);
    }
    for all in interfaces.values_mut() {
        *all = ranked(all).into_iter().take(usize::from(per_interface)).collect();
    }
    let stays = |a: &&InterfaceAddress| interfaces.get(&a.interface).is_some_and(|few| few.contains(a));
    let few: Vec<InterfaceAddress> = addresses.iter().filter(stays).copied().collect();
    let ranks = 0..=u8::MAX;
    let local = |(rank, a)| LocalAddress { address: socket_address(&a), rank };
    ranks.zip(ranked(&few)).map(local).collect()
}

/// The most preferred first (RFC 8421 §4).
fn ranked(addresses: &[InterfaceAddress]) -> Vec<InterfaceAddress> {
    let keys: Vec<(u32, IpAddr)> = addresses.iter().map(|a| (a.interface, a.address)).collect();
    let mut all: Vec<_> = family_ranks(&keys).into_iter().zip(addresses).collect();
    all.sort_unstable_by_key(|(rank, _)| *rank);
    all.into_iter().map(|(_, address)| *address).collect()
}

/// RFC 4007 §6: a link-local address means something only together with its zone.
fn socket_address(local: &InterfaceAddress) -> SocketAddr {
    match local.address {
        IpAddr::V6(ip) if ip.is_unicast_link_local() => {
            SocketAddr::V6(SocketAddrV6::new(ip, 0, 0, local.interface))
        }
        ip => SocketAddr::new(ip, 0),
    }
}
