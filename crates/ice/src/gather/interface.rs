//! What the driver knows of the machine's network interfaces.

use core::net::IpAddr;

/// One address of one interface, as the driver lists them for [`Agent::gather`](crate::Agent::gather).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct InterfaceAddress {
    /// The operating system's index of the interface, which is also the zone of its link-local addresses.
    pub interface: u32,
    /// The address.
    pub address: IpAddr,
    /// The length of its prefix, if known: 0..=32 or 0..=128.
    pub prefix_len: Option<u8>,
    /// A temporary IPv6 address (RFC 8981): the stable ones of the same prefix are left out then.
    pub temporary: bool,
    /// A deprecated IPv6 address (RFC 4862 §5.5.4): left out.
    pub deprecated: bool,
    /// The address that packets to the default route leave from.
    pub default_route: bool,
}

impl InterfaceAddress {
    /// An address of which nothing more is known.
    #[must_use]
    pub const fn new(interface: u32, address: IpAddr) -> Self {
        Self {
            interface,
            address,
            prefix_len: None,
            temporary: false,
            deprecated: false,
            default_route: false,
        }
    }
}
