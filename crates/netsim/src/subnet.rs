//! A block of addresses in CIDR form.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// A block of IPv4 or IPv6 addresses, such as `192.168.1.0/24`.
///
/// ```
/// use floe_netsim::Subnet;
///
/// let lan: Subnet = "192.168.1.0/24".parse()?;
/// assert!(lan.contains("192.168.1.77".parse()?));
/// assert!(!lan.contains("192.168.2.77".parse()?));
/// assert_eq!(lan.nth(2), Some("192.168.1.2".parse()?));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Subnet {
    network: IpAddr,
    len: u8,
}

impl Subnet {
    /// The block of all addresses that share the first `len` bits of `address`.
    ///
    /// # Errors
    /// When `len` is longer than the address: 32 bits for IPv4, 128 for IPv6.
    pub fn new(address: IpAddr, len: u8) -> Result<Self, SubnetError> {
        match address {
            IpAddr::V4(v4) if len <= 32 => {
                Ok(Self { network: Ipv4Addr::from_bits(v4.to_bits() & mask_v4(len)).into(), len })
            }
            IpAddr::V6(v6) if len <= 128 => {
                Ok(Self { network: Ipv6Addr::from_bits(v6.to_bits() & mask_v6(len)).into(), len })
            }
            _ => Err(SubnetError),
        }
    }

    /// The first address of the block.
    #[must_use]
    pub const fn network(&self) -> IpAddr {
        self.network
    }

    /// Whether the block is of IPv4 addresses.
    #[must_use]
    pub const fn is_ipv4(&self) -> bool {
        self.network.is_ipv4()
    }

    /// Whether `address` lies in the block. Never true across families.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.network, address) {
            (IpAddr::V4(n), IpAddr::V4(a)) => a.to_bits() & mask_v4(self.len) == n.to_bits(),
            (IpAddr::V6(n), IpAddr::V6(a)) => a.to_bits() & mask_v6(self.len) == n.to_bits(),
            _ => false,
        }
    }

    /// The address `n` places after [`Subnet::network`], `None` when that is outside the block.
    #[must_use]
    pub fn nth(&self, n: u64) -> Option<IpAddr> {
        let address: IpAddr = match self.network {
            IpAddr::V4(v4) => Ipv4Addr::from_bits(v4.to_bits().checked_add(u32::try_from(n).ok()?)?).into(),
            IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits().checked_add(n.into())?).into(),
        };
        self.contains(address).then_some(address)
    }

    /// The address `nth(n)` as one that a host may have: not the network's own, not an IPv4 broadcast address.
    pub(crate) fn host(&self, n: u64) -> Option<IpAddr> {
        let address = self.nth(n)?;
        let broadcast = self.is_ipv4() && self.len < 31 && self.nth(n + 1).is_none();
        let network = n == 0 && self.len < 31;
        (!broadcast && !network).then_some(address)
    }
}

const fn mask_v4(len: u8) -> u32 {
    if len == 0 { 0 } else { u32::MAX << (32 - len) }
}

const fn mask_v6(len: u8) -> u128 {
    if len == 0 { 0 } else { u128::MAX << (128 - len) }
}

/// Not a block of addresses: the form is `ADDRESS/BITS` with at most 32 bits for IPv4 and 128 for IPv6.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SubnetError;

impl fmt::Display for SubnetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a subnet: write ADDRESS/BITS, with at most 32 bits for IPv4 and 128 for IPv6")
    }
}

impl core::error::Error for SubnetError {}

impl FromStr for Subnet {
    type Err = SubnetError;

    fn from_str(s: &str) -> Result<Self, SubnetError> {
        let (address, len) = s.split_once('/').ok_or(SubnetError)?;
        let address = address.parse().map_err(|_| SubnetError)?;
        Self::new(address, len.parse().map_err(|_| SubnetError)?)
    }
}

impl fmt::Display for Subnet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.network, self.len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subnet(s: &str) -> Subnet {
        s.parse().unwrap()
    }

    #[test]
    fn host_addresses_leave_out_network_and_broadcast() {
        let lan = subnet("10.0.0.0/30");
        assert_eq!(lan.host(0), None);
        assert_eq!(lan.host(1), Some("10.0.0.1".parse().unwrap()));
        assert_eq!(lan.host(3), None);
        assert_eq!(lan.host(4), None);
        assert_eq!(subnet("2001:db8::/126").host(3), Some("2001:db8::3".parse().unwrap()));
    }

    #[test]
    fn bits_after_the_prefix_are_cleared() {
        assert_eq!(subnet("192.168.9.77/16").to_string(), "192.168.0.0/16");
        assert_eq!(subnet("2001:db8::77/64").network(), "2001:db8::".parse::<IpAddr>().unwrap());
        assert!(subnet("0.0.0.0/0").contains("255.255.255.255".parse().unwrap()));
        assert!(!subnet("0.0.0.0/0").contains("::1".parse().unwrap()));
        assert!(subnet("255.255.255.255/32").nth(1).is_none());
    }

    #[test]
    fn malformed_text_is_refused() {
        for bad in ["", "10.0.0.0", "10.0.0.0/33", "::/129", "10.0.0/8", "10.0.0.0/-1", "10.0.0.0/x"] {
            assert_eq!(bad.parse::<Subnet>(), Err(SubnetError), "{bad}");
        }
    }
}
