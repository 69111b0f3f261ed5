//! Which peers a server relays to (RFC 8656 §21.2.2, §21.4).

use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Which peers a server relays to.
///
/// Never relayed to, because nobody outside can be meant, or the packet would not go where the address says:
///
/// - unspecified, multicast, broadcast and reserved addresses;
/// - IPv4 addresses in IPv6 clothes that the machine or a tunnel undresses: IPv4-mapped and IPv4-compatible, 6to4 and
///   Teredo (RFC 8656 §21.4).
///
/// Not relayed to unless allowed, because a server must not be the way around a firewall: loopback, link-local, private
/// addresses, and what the operator [denies](Self::deny). An address with a NAT64 prefix (RFC 6052) is judged as the
/// IPv4 address in it.
///
/// ```
/// use floe_turn::server::PeerPolicy;
///
/// let mut policy = PeerPolicy::default();
/// assert!(policy.allows("203.0.113.9".parse()?));
/// assert!(!policy.allows("192.168.1.1".parse()?));
/// assert!(!policy.allows("64:ff9b::c0a8:101".parse()?));
/// policy.allow_private = true;
/// assert!(policy.allows("192.168.1.1".parse()?));
/// policy.deny("192.168.1.0".parse()?, 24);
/// assert!(!policy.allows("192.168.1.1".parse()?));
/// # Ok::<(), std::net::AddrParseError>(())
/// ```
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct PeerPolicy {
    /// Relay to private networks: RFC 1918, the shared addresses of RFC 6598, unique local IPv6 (RFC 4193), and what
    /// else is not routed globally. Default false.
    pub allow_private: bool,
    /// Relay to link-local addresses. Default false.
    pub allow_link_local: bool,
    /// Relay to the machine itself by its loopback addresses, for tests. Default false.
    pub allow_loopback: bool,
    /// Relay to whatever listens at the server's own addresses, and not only to its relays. Default false: what is behind a
    /// firewall there is not the clients' business.
    pub allow_own: bool,
    denied: Vec<Prefix>,
}

#[derive(Clone, Copy, Debug)]
struct Prefix {
    bits: u128,
    len: u8,
}

impl Prefix {
    /// IPv4 takes the place of IPv4-mapped IPv6 addresses, which no peer has.
    fn new(ip: IpAddr, len: u8) -> Self {
        match ip {
            IpAddr::V4(ip) => Self { bits: ip.to_ipv6_mapped().to_bits(), len: 96 + len.min(32) },
            IpAddr::V6(ip) => Self { bits: ip.to_bits(), len: len.min(128) },
        }
    }

    fn contains(&self, ip: IpAddr) -> bool {
        let differing = self.bits ^ Self::new(ip, 128).bits;
        differing.leading_zeros() >= u32::from(self.len)
    }
}

impl PeerPolicy {
    /// Never relays to addresses whose first `len` bits are those of `ip`.
    pub fn deny(&mut self, ip: IpAddr, len: u8) {
        self.denied.push(Prefix::new(ip, len));
    }

    /// Whether the server relays to this peer.
    #[must_use]
    pub fn allows(&self, ip: IpAddr) -> bool {
        !self.denied.iter().any(|prefix| prefix.contains(ip))
            && match ip {
                IpAddr::V4(ip) => self.allows_v4(ip),
                IpAddr::V6(ip) => self.allows_v6(ip),
            }
    }

    fn allows_v4(&self, ip: Ipv4Addr) -> bool {
        match ip.octets() {
            // "This network" (RFC 791), multicast (RFC 5771), reserved (RFC 1112 §4), broadcast (RFC 919).
            [0, ..] | [224..=255, ..] => false,
            [127, ..] => self.allow_loopback,
            [169, 254, ..] => self.allow_link_local,
            // RFC 1918, RFC 6598; protocol assignments (RFC 6890 §2.1), the anycast relays of 6to4 (RFC 7526) and
            // benchmarks (RFC 2544).
            [10, ..]
            | [172, 16..=31, ..]
            | [192, 168, ..]
            | [100, 64..=127, ..]
            | [192, 0, 0, _]
            | [192, 88, 99, _]
            | [198, 18..=19, ..] => self.allow_private,
            _ => true,
        }
    }

    fn allows_v6(&self, ip: Ipv6Addr) -> bool {
        let embedded =
            |high: u16, low: u16| IpAddr::V4(Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low)));
        match ip.segments() {
            [0, 0, 0, 0, 0, 0, 0, 1] => self.allow_loopback,
            // Unspecified, IPv4-compatible (RFC 4291 §2.5.5.1), IPv4-mapped (§2.5.5.2), IPv4-translated (RFC 2765).
            [0, 0, 0, 0, 0, 0, ..] | [0, 0, 0, 0, 0, 0xFFFF, ..] | [0, 0, 0, 0, 0xFFFF, 0, ..] => false,
            // NAT64: the well-known prefix, and the one for local use (RFC 6052 §2.1, RFC 8215).
            [0x64, 0xFF9B, 0, 0, 0, 0, high, low] => self.allows(embedded(high, low)),
            [0x64, 0xFF9B, 1, _, _, _, high, low] => self.allow_private && self.allows(embedded(high, low)),
            // 6to4 (RFC 3056), Teredo (RFC 4380): RFC 8656 §21.4 forbids both. Multicast.
            [0x2002, ..] | [0x2001, 0, ..] | [0xFF00..=0xFFFF, ..] => false,
            [0xFE80..=0xFEBF, ..] => self.allow_link_local,
            // Site-local (RFC 3879), unique local (RFC 4193), discard (RFC 6666).
            [0xFEC0..=0xFEFF | 0xFC00..=0xFDFF, ..] | [0x100, 0, 0, 0, ..] => self.allow_private,
            _ => true,
        }
    }
}

/// Whether an address is that of a 6to4 or Teredo tunnel, whose requests a server does not accept (RFC 8656 §21.4).
pub(super) fn is_tunnelled(ip: IpAddr) -> bool {
    matches!(ip, IpAddr::V6(ip) if matches!(ip.segments(), [0x2002, ..] | [0x2001, 0, ..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allows(policy: &PeerPolicy, ip: &str) -> bool {
        policy.allows(ip.parse().unwrap())
    }

    #[test]
    fn only_global_unicast_by_default() {
        let policy = PeerPolicy::default();
        for ip in
            ["8.8.8.8", "203.0.113.1", "100.63.255.255", "100.128.0.0", "2001:db8::1", "2606:4700::1111"]
        {
            assert!(allows(&policy, ip), "{ip}");
        }
        let refused = [
            "0.0.0.0",
            "0.1.2.3",
            "127.0.0.1",
            "127.255.255.254",
            "169.254.169.254",
            "224.0.0.1",
            "239.1.1.1",
            "240.0.0.1",
            "255.255.255.255",
            "10.0.0.1",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.0.1",
            "100.64.0.1",
            "192.0.0.8",
            "192.88.99.1",
            "198.18.0.1",
            "::",
            "::1",
            "fe80::1",
            "febf::1",
            "fec0::1",
            "fc00::1",
            "fd00::1",
            "ff02::1",
            "100::1",
        ];
        for ip in refused {
            assert!(!allows(&policy, ip), "{ip}");
        }
    }

    #[test]
    fn an_ipv4_address_in_disguise_is_refused_or_judged_as_what_it_is() {
        let mut policy = PeerPolicy::default();
        (policy.allow_private, policy.allow_loopback, policy.allow_link_local) = (true, true, true);
        // Even of addresses that would be allowed: 8.8.8.8 mapped, compatible, translated, in 6to4, in Teredo.
        for ip in ["::ffff:8.8.8.8", "::8.8.8.8", "::ffff:0:8.8.8.8", "2002:808:808::1", "2001:0:808:808::1"]
        {
            assert!(!allows(&policy, ip), "{ip}");
        }
        assert!(allows(&policy, "64:ff9b::127.0.0.1"));
        let policy = PeerPolicy::default();
        assert!(allows(&policy, "64:ff9b::8.8.8.8"));
        for ip in ["127.0.0.1", "10.0.0.1", "169.254.0.1", "224.0.0.1", "0.0.0.0"] {
            assert!(!allows(&policy, &std::format!("64:ff9b::{ip}")), "{ip}");
            assert!(!allows(&policy, &std::format!("64:ff9b:1::{ip}")), "{ip}");
        }
    }

    #[test]
    fn each_permission_opens_its_own_door() {
        let with = |set: fn(&mut PeerPolicy)| {
            let mut policy = PeerPolicy::default();
            set(&mut policy);
            ["10.0.0.1", "fd00::1", "127.0.0.1", "::1", "169.254.0.1", "fe80::1", "0.0.0.0", "ff02::1"]
                .map(|ip| allows(&policy, ip))
        };
        assert_eq!(with(|p| p.allow_private = true), [true, true, false, false, false, false, false, false]);
        assert_eq!(with(|p| p.allow_loopback = true), [false, false, true, true, false, false, false, false]);
        assert_eq!(
            with(|p| p.allow_link_local = true),
            [false, false, false, false, true, true, false, false]
        );
    }

    #[test]
    fn denied_prefixes_end_where_they_say() {
        let mut policy = PeerPolicy::default();
        policy.deny("198.51.100.0".parse().unwrap(), 25);
        policy.deny("2001:db8:1::".parse().unwrap(), 48);
        policy.deny("203.0.113.7".parse().unwrap(), 200);
        let seen = ["198.51.100.127", "198.51.100.128", "2001:db8:1:ffff::1", "2001:db8:2::1", "203.0.113.7"]
            .map(|ip| allows(&policy, ip));
        assert_eq!(seen, [false, true, false, true, false]);
        assert!(!allows(&policy, "64:ff9b::198.51.100.1"), "a denied address behind NAT64");
        policy.deny("::".parse().unwrap(), 0);
        assert!(!allows(&policy, "2001:db8:2::1"));
    }

    #[test]
    fn tunnels_are_recognised() {
        for (ip, tunnelled) in [("2002:c000:201::1", true), ("2001:0:1::", true), ("2001:db8::1", false)] {
            assert_eq!(is_tunnelled(ip.parse().unwrap()), tunnelled, "{ip}");
        }
        assert!(!is_tunnelled("192.0.2.1".parse().unwrap()));
    }
}
