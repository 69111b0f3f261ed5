//! Where the server is: where it listens, where its relays are, and how clients call that.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::ops::RangeInclusive;

use floe::interfaces::{self, Interface};
use floe::server::{Listener, Transport};
use floe::turn::server::{PeerPolicy, RelayAddress};

use crate::failure::Failure;

/// The port of STUN and TURN (RFC 8656 §5).
pub(super) const PORT: u16 = 3478;

/// Reads `IP:PORT`, or `IP` for this port.
pub(super) fn parse_listen(text: &str, port: u16) -> Result<SocketAddr, String> {
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    let address = text.parse().or_else(|_| bare.parse().map(|ip: IpAddr| SocketAddr::new(ip, port)));
    address.map_err(|_| format!("not an address: use IP:PORT, such as 0.0.0.0:{port} or [::]:{port}"))
}

/// Reads `MIN-MAX`.
pub(super) fn parse_ports(text: &str) -> Result<RangeInclusive<u16>, String> {
    let ends = text.split_once('-').and_then(|(min, max)| Some(min.parse().ok()?..=max.parse().ok()?));
    let range = ends.filter(|range: &RangeInclusive<u16>| !range.is_empty() && *range.start() != 0);
    range.ok_or_else(|| "not a range of ports: use MIN-MAX, such as 50000-50999".to_owned())
}

/// Whether nobody outside of this network, or of this machine, can send to it.
pub(super) fn is_inside(ip: IpAddr) -> bool {
    !PeerPolicy::default().allows(ip)
}

/// Where the server is.
pub(super) struct Addresses {
    pub(super) listen: Vec<SocketAddr>,
    /// Where it listens over TLS.
    pub(super) listen_tls: Vec<SocketAddr>,
    /// Those that the server cannot find by itself.
    pub(super) relays: Vec<RelayAddress>,
    external: Vec<IpAddr>,
    /// The addresses of this machine, best first.
    own: Vec<IpAddr>,
}

impl Addresses {
    pub(super) fn choose(
        listen: &[SocketAddr],
        relays: &[IpAddr],
        external: &[IpAddr],
    ) -> Result<Self, Failure> {
        Self::among(interfaces::list().unwrap_or_default(), listen, relays, external)
    }

    fn among(
        found: Vec<Interface>,
        listen: &[SocketAddr],
        relays: &[IpAddr],
        external: &[IpAddr],
    ) -> Result<Self, Failure> {
        once_for_each_family("--relay-ip", relays)?;
        once_for_each_family("--external-ip", external)?;
        let own = by_usefulness(found);
        let listen = if listen.is_empty() { everywhere(&own, PORT) } else { listen.to_vec() };
        let of_family = |ips: &[IpAddr], ipv4: bool| ips.iter().copied().find(|ip| ip.is_ipv4() == ipv4);
        let mut chosen = Vec::new();
        for ipv4 in [true, false] {
            let (bind, public) = (of_family(relays, ipv4), of_family(external, ipv4));
            let Some(ip) = bind.or(public) else { continue };
            let named: Vec<IpAddr> =
                listen.iter().map(SocketAddr::ip).filter(|ip| !ip.is_unspecified()).collect();
            let bind = bind.or_else(|| of_family(&named, ipv4)).or_else(|| of_family(&own, ipv4));
            let Some(bind) = bind else {
                let family = if ipv4 { "IPv4" } else { "IPv6" };
                return Err(Failure::Usage(format!(
                    "--external-ip {ip}: this machine has no {family} address that it could be mapped to (--relay-ip)"
                )));
            };
            chosen.push(RelayAddress { bind, public: public.unwrap_or(bind) });
        }
        Ok(Self { listen, listen_tls: Vec::new(), relays: chosen, external: external.to_vec(), own })
    }

    /// Where to listen where nothing else was named.
    #[cfg(feature = "tls")]
    pub(super) fn everywhere(&self, port: u16) -> Vec<SocketAddr> {
        everywhere(&self.own, port)
    }

    /// Where to open UDP sockets: for a wildcard at each address of its family.
    pub(super) fn sockets(&self) -> Vec<SocketAddr> {
        let expand = |address: &SocketAddr| {
            let (ipv4, port) = (address.is_ipv4(), address.port());
            let own = self.own.iter().filter(|ip| address.ip().is_unspecified() && ip.is_ipv4() == ipv4);
            let all: Vec<SocketAddr> = own.map(|&ip| SocketAddr::new(ip, port)).collect();
            if address.ip().is_unspecified() { all } else { vec![*address] }
        };
        self.listen.iter().flat_map(expand).collect()
    }

    /// Whether clients have to be told addresses that the machine does not have.
    pub(super) fn is_mapped(&self) -> bool {
        !self.external.is_empty()
    }

    /// Where to listen for browsers: where the server listens for everybody, at this port, or at any where it takes any as well.
    pub(super) fn for_browsers(&self, port: u16) -> Vec<SocketAddr> {
        let mut all: Vec<SocketAddr> = Vec::new();
        for address in &self.listen {
            let port = if address.port() == 0 { 0 } else { port };
            if !all.iter().any(|known| known.ip() == address.ip()) {
                all.push(SocketAddr::new(address.ip(), port));
            }
        }
        all
    }

    /// How a browser calls this address of the server.
    pub(super) fn host_of(&self, address: SocketAddr) -> SocketAddr {
        let best = self.own.iter().copied().find(|ip| ip.is_ipv4() == address.is_ipv4());
        let ip = Some(address.ip()).filter(|ip| !ip.is_unspecified()).or(best).unwrap_or(address.ip());
        SocketAddr::new(ip, address.port())
    }

    /// Whether the relays are for this machine only.
    pub(super) fn relays_on_loopback(&self) -> bool {
        let named = self.relays.iter().map(|relay| relay.bind);
        let mut all = named.chain(self.listen.iter().map(SocketAddr::ip));
        if self.relays.is_empty() {
            all.all(|ip| ip.is_loopback())
        } else {
            self.relays.iter().all(|relay| relay.bind.is_loopback())
        }
    }

    /// An address of this machine from which the server can be reached.
    pub(super) fn own_host(&self) -> IpAddr {
        let named = self.listen.first().map(SocketAddr::ip).filter(|ip| !ip.is_unspecified());
        named.or(self.own.first().copied()).unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST))
    }

    /// How clients call the listeners that they can best reach.
    pub(super) fn uris(&self, listeners: &[Listener]) -> Vec<String> {
        let mut uris: Vec<String> = self.stun_uris(listeners);
        // RFC 7065.
        let turn = self.shown(listeners);
        uris.extend(turn.map(|(transport, address)| match transport {
            Transport::Udp | Transport::Tcp => format!("turn:{address}?transport={transport}"),
            // Whatever comes before TCP to make it secure.
            _ => format!("turns:{address}?transport=tcp"),
        }));
        uris
    }

    /// RFC 7064.
    pub(super) fn stun_uris(&self, listeners: &[Listener]) -> Vec<String> {
        let udp = self.shown(listeners).filter(|(transport, _)| *transport == Transport::Udp);
        udp.map(|(_, address)| format!("stun:{address}")).collect()
    }

    /// Where a client on this machine finds the server, over UDP.
    pub(super) fn own_server(&self, listeners: &[Listener]) -> Option<SocketAddr> {
        let host = self.own_host();
        let mut udp = listeners.iter().filter(|listener| listener.transport == Transport::Udp);
        udp.find(|listener| listener.address.ip() == host).map(|listener| listener.address)
    }

    /// The listeners under the names that clients should use: of a wildcard its best address, and where there is an external
    /// address that.
    pub(super) fn shown(&self, listeners: &[Listener]) -> impl Iterator<Item = (Transport, SocketAddr)> {
        let shown = listeners.iter().filter_map(|listener| {
            let address = listener.address;
            let best = self.own.iter().copied().find(|ip| ip.is_ipv4() == address.is_ipv4());
            let mut all = self.listen.iter().chain(&self.listen_tls);
            let was_named = all.any(|named| named.ip() == address.ip());
            let ip = match address.ip() {
                ip if ip.is_unspecified() => best?,
                ip if was_named || Some(ip) == best => ip,
                _ => return None,
            };
            let public = self.external.iter().copied().find(|external| external.is_ipv4() == ip.is_ipv4());
            Some((listener.transport, SocketAddr::new(public.unwrap_or(ip), address.port())))
        });
        let mut shown: Vec<_> = shown.collect();
        let mut known = std::collections::HashSet::new();
        shown.retain(|entry| known.insert(*entry));
        shown.into_iter()
    }
}

fn once_for_each_family(option: &str, ips: &[IpAddr]) -> Result<(), Failure> {
    for ipv4 in [true, false] {
        let mut same = ips.iter().filter(|ip| ip.is_ipv4() == ipv4);
        if let (Some(first), Some(second)) = (same.next(), same.next()) {
            return Err(Failure::Usage(format!(
                "{option} {first} and {second}: there can be one of each family"
            )));
        }
    }
    match ips.iter().find(|ip| ip.is_unspecified() || ip.is_multicast()) {
        Some(ip) => Err(Failure::Usage(format!("{option} {ip}: nobody can have this address"))),
        None => Ok(()),
    }
}

/// Where to listen by default: nothing fails where there is no IPv6.
fn everywhere(own: &[IpAddr], port: u16) -> Vec<SocketAddr> {
    let v6 = own.iter().any(IpAddr::is_ipv6).then(|| SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), port));
    [Some(SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), port)), v6].into_iter().flatten().collect()
}

/// The addresses that others may reach this machine at, the way to the world first, loopback last.
fn by_usefulness(found: Vec<Interface>) -> Vec<IpAddr> {
    let is_link_local = |ip: IpAddr| match ip {
        IpAddr::V4(ip) => ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_unicast_link_local(),
    };
    let mut usable: Vec<Interface> = found
        .into_iter()
        .filter(|interface| interfaces::is_usual(interface) && !is_link_local(interface.address))
        .collect();
    usable.sort_by_key(|found| (found.address.is_loopback(), !found.default_route, found.address.is_ipv6()));
    usable.into_iter().map(|interface| interface.address).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    fn interface(template: &Interface, name: &str, address: &str, default_route: bool) -> Interface {
        let (name, address) = (name.to_owned(), ip(address));
        let mut interface = template.clone();
        (interface.name, interface.address, interface.default_route, interface.up) =
            (name, address, default_route, true);
        interface
    }

    /// A machine with a way to the world, a bridge of containers, and loopback.
    fn machine() -> Vec<Interface> {
        let template = interfaces::list().expect("listed").remove(0);
        [
            ("lo", "127.0.0.1", false),
            ("docker0", "172.17.0.1", false),
            ("eth1", "10.0.0.9", false),
            ("eth0", "10.0.0.5", true),
            ("eth0", "2001:db8::5", true),
            ("eth0", "fe80::5", false),
        ]
        .map(|(name, address, default_route)| interface(&template, name, address, default_route))
        .to_vec()
    }

    fn listeners(listed: &[(Transport, &str)]) -> Vec<Listener> {
        let listener = |&(transport, address): &(Transport, &str)| Listener {
            transport,
            address: address.parse().expect("an address"),
        };
        listed.iter().map(listener).collect()
    }

    #[test]
    fn a_wildcard_is_shown_as_the_address_of_the_way_to_the_world() {
        let addresses = Addresses::among(machine(), &[], &[], &[]).expect("chosen");
        assert_eq!(addresses.listen, ["0.0.0.0:3478", "[::]:3478"].map(|at| at.parse().expect("an address")));
        assert!(addresses.relays.is_empty(), "the server finds them");
        let listeners = listeners(&[
            (Transport::Udp, "127.0.0.1:3478"),
            (Transport::Udp, "172.17.0.1:3478"),
            (Transport::Udp, "10.0.0.5:3478"),
            (Transport::Tcp, "0.0.0.0:3478"),
            (Transport::Udp, "[2001:db8::5]:3478"),
        ]);
        assert_eq!(
            addresses.uris(&listeners),
            [
                "stun:10.0.0.5:3478",
                "stun:[2001:db8::5]:3478",
                "turn:10.0.0.5:3478?transport=udp",
                "turn:10.0.0.5:3478?transport=tcp",
                "turn:[2001:db8::5]:3478?transport=udp",
            ]
        );
        assert_eq!(addresses.own_server(&listeners), Some("10.0.0.5:3478".parse().expect("an address")));
    }

    #[test]
    fn the_external_address_is_what_clients_are_told() {
        let addresses = Addresses::among(machine(), &[], &[], &[ip("203.0.113.5")]).expect("chosen");
        assert_eq!(addresses.relays, [RelayAddress { bind: ip("10.0.0.5"), public: ip("203.0.113.5") }]);
        let listeners = listeners(&[(Transport::Udp, "10.0.0.5:3478"), (Transport::Tcp, "[::]:3478")]);
        assert_eq!(
            addresses.uris(&listeners)[1..],
            ["turn:203.0.113.5:3478?transport=udp", "turn:[2001:db8::5]:3478?transport=tcp"]
        );
    }

    #[test]
    fn what_was_named_is_used() {
        let listen = ["10.0.0.9:5000".parse().expect("an address")];
        let relays = [ip("10.0.0.5"), ip("2001:db8::5")];
        let addresses = Addresses::among(machine(), &listen, &relays, &[]).expect("chosen");
        assert_eq!(addresses.relays, relays.map(RelayAddress::direct));
        let listeners = listeners(&[(Transport::Tcp, "10.0.0.9:5000")]);
        assert_eq!(addresses.uris(&listeners), ["turn:10.0.0.9:5000?transport=tcp"]);
        assert!(!addresses.relays_on_loopback());
        let local = ["127.0.0.1:5000".parse().expect("an address")];
        let local = Addresses::among(machine(), &local, &[], &[]).expect("chosen");
        assert!(local.relays_on_loopback());
    }

    #[test]
    fn what_goes_not_together_is_explained() {
        let complaint = |machine: Vec<Interface>, relays: &[&str], external: &[&str]| {
            let [relays, external] =
                [relays, external].map(|ips| ips.iter().map(|text| ip(text)).collect::<Vec<_>>());
            match Addresses::among(machine, &[], &relays, &external) {
                Err(Failure::Usage(text)) => text,
                _ => panic!("this usage is wrong"),
            }
        };
        assert!(complaint(machine(), &["10.0.0.5", "10.0.0.9"], &[]).contains("one of each family"));
        assert!(complaint(machine(), &[], &["0.0.0.0"]).contains("nobody can have"));
        let v4_only = machine().into_iter().filter(|found| found.address.is_ipv4()).collect();
        assert!(complaint(v4_only, &[], &["2001:db8::7"]).contains("no IPv6 address"));
    }

    #[test]
    fn addresses_and_ports_are_read_or_explained() {
        assert_eq!(parse_listen("192.0.2.1", PORT).expect("read").to_string(), "192.0.2.1:3478");
        assert_eq!(parse_listen("[2001:db8::1]", PORT).expect("read").to_string(), "[2001:db8::1]:3478");
        assert_eq!(parse_listen("[::]:53", PORT).expect("read").to_string(), "[::]:53");
        assert!(parse_listen("example.org:3478", PORT).is_err());
        assert_eq!(parse_ports("50000-50001"), Ok(50_000..=50_001));
        for wrong in ["50000", "2-1", "0-9", "1-65536", "-1-5"] {
            assert!(parse_ports(wrong).is_err(), "{wrong}");
        }
    }
}
