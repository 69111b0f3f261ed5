//! The network interfaces of this machine.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

use floe_ice::InterfaceAddress;

mod choice;
mod flags;

pub(crate) use choice::Choice;

/// One address of one network interface.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Interface {
    /// The name: `eth0`, `wlan0`, `en0`; on Windows the friendly name.
    pub name: String,
    /// The system's index, which is also the zone of link-local addresses; 0 if it is not known.
    pub index: u32,
    /// The address.
    pub address: IpAddr,
    /// The length of its prefix.
    pub prefix_len: u8,
    /// The interface is up and has a carrier, as far as the system tells.
    pub up: bool,
    /// A temporary IPv6 address (RFC 8981); known on Linux only.
    pub temporary: bool,
    /// A deprecated IPv6 address (RFC 4862 §5.5.4); known on Linux only.
    pub deprecated: bool,
    /// The address that packets to the rest of the world leave from.
    pub default_route: bool,
}

impl Interface {
    pub(crate) fn to_agent(&self) -> InterfaceAddress {
        let mut address = InterfaceAddress::new(self.index, self.address);
        address.prefix_len = Some(self.prefix_len);
        address.temporary = self.temporary;
        address.deprecated = self.deprecated;
        address.default_route = self.default_route;
        address
    }
}

/// Every address of every interface, loopback and those that are down included.
///
/// # Errors
/// The system does not tell.
///
/// ```
/// for interface in floe::interfaces::list()? {
///     println!("{} {}", interface.name, interface.address);
/// }
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn list() -> io::Result<Vec<Interface>> {
    let default_routes =
        [default_route(Ipv4Addr::UNSPECIFIED.into()), default_route(Ipv6Addr::UNSPECIFIED.into())];
    let flags = flags::read();
    let interfaces = if_addrs::get_if_addrs()?.into_iter().map(|found| {
        let address = found.ip();
        let flags = flags.get(&address).copied().unwrap_or_default();
        Interface {
            index: found.index.unwrap_or(0),
            address,
            prefix_len: match &found.addr {
                if_addrs::IfAddr::V4(v4) => v4.prefixlen,
                if_addrs::IfAddr::V6(v6) => v6.prefixlen,
            },
            up: found.is_oper_up(),
            temporary: flags.temporary,
            deprecated: flags.deprecated,
            default_route: default_routes.contains(&Some(address)),
            name: found.name,
        }
    });
    Ok(interfaces.collect())
}

/// Names that the bridges and virtual cables of containers and virtual machines begin with. What they lead to is this
/// machine itself, so their addresses only cost checks.
const INTERNAL: [&str; 14] = [
    "docker",
    "br-",
    "veth",
    "virbr",
    "vnet",
    "vmnet",
    "vboxnet",
    "cni",
    "cali",
    "flannel",
    "podman",
    "lxcbr",
    "lxdbr",
    "vEthernet (",
];

/// The filter an agent has by default: interfaces that are up and are not the bridges of containers and virtual
/// machines (`docker*`, `br-*`, `veth*`, `virbr*`, `vnet*`, `vmnet*`, `vboxnet*`, `cni*`, `cali*`, `flannel*`,
/// `podman*`, `lxcbr*`, `lxdbr*`, `vEthernet (*`). One whose address is the machine's way to the world passes
/// whatever its name. VPN tunnels pass: they often are the only way.
///
/// To use it together with a rule of your own:
///
/// ```
/// use floe::interfaces;
///
/// let builder = floe::Agent::builder()
///     .interface_filter(|interface| interfaces::is_usual(interface) && !interface.name.starts_with("wg"));
/// # drop(builder);
/// ```
#[must_use]
pub fn is_usual(interface: &Interface) -> bool {
    interface.default_route || interface.up && !INTERNAL.iter().any(|name| interface.name.starts_with(name))
}

/// The local address that packets to the world leave from. Connecting a UDP socket looks up the route and sends
/// nothing; the addresses are those that documentation may use and nobody has (RFC 5737, RFC 3849).
fn default_route(any: IpAddr) -> Option<IpAddr> {
    let remote = match any {
        IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::new(203, 0, 113, 1)),
        IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1)),
    };
    let socket = UdpSocket::bind(SocketAddr::new(any, 0)).ok()?;
    socket.connect(SocketAddr::new(remote, 9)).ok()?;
    Some(socket.local_addr().ok()?.ip())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interface(name: &str) -> Interface {
        Interface {
            name: name.to_owned(),
            index: 2,
            address: IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)),
            prefix_len: 24,
            up: true,
            temporary: false,
            deprecated: false,
            default_route: false,
        }
    }

    #[test]
    fn bridges_of_containers_and_dead_interfaces_are_unusual() {
        for name in ["eth0", "wlp3s0", "en0", "wg0", "tun0", "lo", "br0", "Ethernet"] {
            assert!(is_usual(&interface(name)), "{name}");
        }
        for name in ["docker0", "docker_gwbridge", "br-0f3a", "veth12ab@if3", "virbr0", "vEthernet (WSL)"] {
            assert!(!is_usual(&interface(name)), "{name}");
        }
        assert!(!is_usual(&Interface { up: false, ..interface("eth0") }));
        assert!(is_usual(&Interface { default_route: true, ..interface("veth0") }), "inside a container");
    }

    #[test]
    fn loopback_is_listed_with_its_prefix_and_index() {
        let found = list().expect("listed");
        let loopback = found.iter().find(|i| i.address == IpAddr::V4(Ipv4Addr::LOCALHOST)).expect("present");
        assert_eq!(loopback.prefix_len, 8);
        assert!(loopback.index > 0 && !loopback.default_route);
        assert!(found.iter().filter(|i| i.default_route && i.address.is_ipv4()).count() <= 1);
    }
}
