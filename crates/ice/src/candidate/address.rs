//! Addresses in the one form in which they may be compared.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// The port that stands for "none": hidden related addresses and active TCP candidates (RFC 8839 §5.1, RFC 6544 §4.5).
pub(super) const DISCARD_PORT: u16 = 9;

/// The form of an address in which it is compared, filtered and stored: IPv4 in its own form and not mapped into
/// IPv6, no flow label. The scope of a link-local address stays, it is needed to send.
///
/// ```
/// use floe_ice::candidate::canonical;
///
/// let mapped = "[::ffff:192.0.2.1]:5000".parse()?;
/// assert_eq!(canonical(mapped), "192.0.2.1:5000".parse()?);
/// # Ok::<(), core::net::AddrParseError>(())
/// ```
// Inlined, it takes the address to pieces, which costs its callers more than the call.
#[must_use]
#[inline(never)]
pub fn canonical(address: SocketAddr) -> SocketAddr {
    match address {
        SocketAddr::V4(_) => address,
        SocketAddr::V6(mut v6) => {
            if let Some(v4) = v6.ip().to_ipv4_mapped() {
                return SocketAddr::new(IpAddr::V4(v4), v6.port());
            }
            v6.set_flowinfo(0);
            SocketAddr::V6(v6)
        }
    }
}

/// Whether this is the address of one machine: not unspecified, not multicast, not broadcast.
pub(crate) fn is_unicast(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(ip) => !ip.is_unspecified() && !ip.is_multicast() && !ip.is_broadcast(),
        IpAddr::V6(ip) => !ip.is_unspecified() && !ip.is_multicast(),
    }
}

/// Whether a candidate, or a server, can have this address at all.
pub(crate) fn is_usable(address: SocketAddr) -> bool {
    is_unicast(address.ip()) && address.port() != 0
}

/// What is signalled instead of a related address that is kept private: the unspecified address of the candidate's
/// family and port 9 (RFC 8839 §5.1).
pub(super) const fn hidden(family_of: SocketAddr) -> SocketAddr {
    match family_of {
        SocketAddr::V4(_) => SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), DISCARD_PORT),
        SocketAddr::V6(_) => SocketAddr::new(IpAddr::V6(Ipv6Addr::UNSPECIFIED), DISCARD_PORT),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> SocketAddr {
        text.parse().expect("a socket address")
    }

    #[test]
    fn a_mapped_ipv4_address_equals_the_plain_one() {
        assert_eq!(canonical(address("[::ffff:10.0.0.1]:7")), address("10.0.0.1:7"));
        assert_eq!(canonical(address("10.0.0.1:7")), address("10.0.0.1:7"));
        // IPv4-compatible addresses (RFC 4291 §2.5.5.1) are another, deprecated thing.
        assert_eq!(canonical(address("[::10.0.0.1]:7")), address("[::10.0.0.1]:7"));
    }

    #[test]
    fn the_flow_label_goes_and_the_scope_stays() {
        let ip = "fe80::1".parse().expect("an address");
        let labelled = SocketAddr::V6(core::net::SocketAddrV6::new(ip, 5, 77, 3));
        let plain = SocketAddr::V6(core::net::SocketAddrV6::new(ip, 5, 0, 3));
        assert_eq!(canonical(labelled), plain);
    }

    #[test]
    fn the_hidden_address_is_of_the_same_family() {
        assert_eq!(hidden(address("192.0.2.1:5000")), address("0.0.0.0:9"));
        assert_eq!(hidden(address("[2001:db8::1]:5000")), address("[::]:9"));
    }
}
