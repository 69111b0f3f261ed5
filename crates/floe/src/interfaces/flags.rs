//! What the system knows of IPv6 addresses and `getifaddrs` does not tell.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};

/// Flags of an address.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Flags {
    pub(super) temporary: bool,
    pub(super) deprecated: bool,
}

/// Linux, Android included, has a table; elsewhere nothing is known.
pub(super) fn read() -> BTreeMap<IpAddr, Flags> {
    if cfg!(any(target_os = "linux", target_os = "android")) {
        parse(&std::fs::read_to_string("/proc/net/if_inet6").unwrap_or_default())
    } else {
        BTreeMap::new()
    }
}

/// One line per address: the address in 32 digits, index, prefix length, scope and flags, all hexadecimal, and the
/// name.
fn parse(table: &str) -> BTreeMap<IpAddr, Flags> {
    // IFA_F_TEMPORARY and IFA_F_DEPRECATED of rtnetlink(7).
    const TEMPORARY: u32 = 0x01;
    const DEPRECATED: u32 = 0x20;
    let line = |line: &str| {
        let mut fields = line.split_ascii_whitespace();
        let address = u128::from_str_radix(fields.next()?, 16).ok()?;
        let flags = u32::from_str_radix(fields.nth(3)?, 16).ok()?;
        let flags = Flags { temporary: flags & TEMPORARY != 0, deprecated: flags & DEPRECATED != 0 };
        Some((IpAddr::V6(Ipv6Addr::from_bits(address)), flags))
    };
    table.lines().filter_map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn temporary_and_deprecated_addresses_are_recognised() {
        let table = "20010db8000000000000000000000001 02 40 00 80     eth0\n\
                     20010db8000000000000000000000002 02 40 00 01     eth0\n\
                     20010db8000000000000000000000003 02 40 00 21     eth0\n\
                     not an address\n\
                     20010db8000000000000000000000004 02 40\n";
        let flags = parse(table);
        let of =
            |last: u16| flags.get(&IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, last))).copied();
        assert_eq!(of(1), Some(Flags::default()));
        assert_eq!(of(2), Some(Flags { temporary: true, deprecated: false }));
        assert_eq!(of(3), Some(Flags { temporary: true, deprecated: true }));
        assert_eq!(of(4), None);
        assert_eq!(flags.len(), 3);
    }
}
