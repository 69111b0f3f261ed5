//! The STUN and TURN server of this process, as participants reach it, with credentials for each.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use floe::server::{Listener, Transport};
use floe::turn::server::SharedSecret;
use floe_signal::message::IceServer;

use super::super::{addresses::Addresses, utc};

/// How long credentials hold: longer than a call, and they are renewed with each welcome.
const HOLDS: Duration = Duration::from_secs(12 * 3600);

/// What there is to hand out.
pub(in super::super) struct IceServers {
    secret: SharedSecret,
    listeners: Vec<Listener>,
    /// Whether it listens at all addresses of the machine.
    is_everywhere: bool,
    /// What a participant is told for whom nothing better is known.
    usual: Vec<(Transport, String)>,
    /// Whether the server has addresses that it does not know by itself: then those are the ones.
    is_mapped: bool,
}

impl IceServers {
    pub(in super::super) fn new(secret: SharedSecret, addresses: &Addresses, listeners: &[Listener]) -> Self {
        let usual = addresses.shown(listeners).map(|(transport, address)| (transport, address.to_string()));
        Self {
            secret,
            listeners: listeners.to_vec(),
            is_everywhere: addresses.listen.iter().any(|address| address.ip().is_unspecified()),
            usual: usual.collect(),
            is_mapped: addresses.is_mapped(),
        }
    }

    /// For a participant with this id, who found the server under the name `host` at its address `local`.
    pub(super) fn hand_out(&self, id: &str, host: &str, local: IpAddr) -> Vec<IceServer> {
        let places = self.places(host, local);
        let stun = places.iter().filter(|(transport, _)| *transport == Transport::Udp);
        let mut servers: Vec<IceServer> =
            stun.map(|(_, place)| IceServer::stun(&format!("stun:{place}"))).collect();
        // RFC 7065.
        let turn: Vec<String> = places
            .iter()
            .map(|(transport, place)| match is_secure(*transport) {
                false => format!("turn:{place}?transport={transport}"),
                true => format!("turns:{place}?transport=tcp"),
            })
            .collect();
        let (username, password) = self.secret.issue(id, utc::unix_time() + HOLDS.as_secs());
        if let Some((first, more)) = turn.split_first() {
            let mut server = IceServer::turn(first, &username, &password);
            server.urls.extend_from_slice(more);
            servers.push(server);
        }
        servers
    }

    /// Over what, and where: the name or address that the participant used already, as far as the server listens there.
    fn places(&self, host: &str, local: IpAddr) -> Vec<(Transport, String)> {
        let name = name_of(host);
        let is_name = name.parse::<IpAddr>().is_err() && name != "localhost" && is_plain(name);
        let ip = name.parse().unwrap_or(local);
        let reached = |at: &Listener| match at.address.ip() {
            _ if self.is_mapped => None,
            // A name stands for any address of the machine.
            _ if is_name => self.is_everywhere.then(|| format!("{name}:{}", at.address.port())),
            there if there == ip || (there.is_unspecified() && there.is_ipv4() == ip.is_ipv4()) => {
                Some(SocketAddr::new(ip, at.address.port()).to_string())
            }
            _ => None,
        };
        let mut places: Vec<(Transport, String)> =
            self.listeners.iter().filter_map(|at| Some((at.transport, reached(at)?))).collect();
        if places.is_empty() {
            places.clone_from(&self.usual);
        }
        if is_name {
            // The certificate has the name.
            for (_, place) in places.iter_mut().filter(|(transport, _)| is_secure(*transport)) {
                let port = place.rsplit_once(':').map_or("", |(_, port)| port);
                *place = format!("{name}:{port}");
            }
        }
        places.sort();
        places.dedup();
        places
    }
}

/// Whether something comes before TCP to make it secure.
fn is_secure(transport: Transport) -> bool {
    !matches!(transport, Transport::Udp | Transport::Tcp)
}

/// The host without its port and brackets.
fn name_of(host: &str) -> &str {
    match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((ip, _)) => ip,
        None => host.split_once(':').map_or(host, |(name, _)| name),
    }
}

/// Whether it can stand in a URI as it is.
fn is_plain(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
    (1..=253).contains(&name.len()) && name.bytes().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn urls(listen: &[&str], host: &str, local: &str) -> Vec<String> {
        let at = |text: &str| -> SocketAddr { text.parse().expect("an address") };
        let named: Vec<SocketAddr> = listen.iter().map(|text| at(text)).collect();
        let addresses = Addresses::choose(&named, &[], &[]).expect("addresses");
        // A wildcard over UDP is a socket for each address of the machine.
        let udp = named.iter().map(|address| match address.ip().is_unspecified() {
            true => SocketAddr::new([127, 0, 0, 1].into(), address.port()),
            false => *address,
        });
        let mut listeners: Vec<Listener> =
            udp.map(|address| Listener { transport: Transport::Udp, address }).collect();
        listeners.extend(named.iter().map(|&address| Listener { transport: Transport::Tcp, address }));
        let servers = IceServers::new(SharedSecret::new(b"north"), &addresses, &listeners);
        let servers = servers.hand_out("ann", host, local.parse().expect("an address"));
        let (turn, stun) = servers.split_last().expect("servers");
        assert!(
            turn.username.as_ref().is_some_and(|name| name.ends_with(":ann")) && turn.credential.is_some()
        );
        assert!(stun.iter().all(|server| server.username.is_none()));
        servers.into_iter().flat_map(|server| server.urls).collect()
    }

    #[test]
    fn a_participant_is_told_the_address_that_it_used() {
        let all =
            ["stun:127.0.0.1:3478", "turn:127.0.0.1:3478?transport=udp", "turn:127.0.0.1:3478?transport=tcp"];
        for host in ["localhost:8080", "127.0.0.1:8080", "", "b@d:80"] {
            assert_eq!(urls(&["0.0.0.0:3478"], host, "127.0.0.1"), all, "{host}");
            assert_eq!(urls(&["127.0.0.1:3478"], host, "127.0.0.1"), all, "{host}");
        }
        assert_eq!(
            urls(&["[::1]:3478"], "[::1]:8080", "::1")[..2],
            ["stun:[::1]:3478", "turn:[::1]:3478?transport=udp"]
        );
    }

    #[test]
    fn a_participant_is_told_the_name_that_it_used_where_it_stands_for_the_server() {
        assert_eq!(
            urls(&["0.0.0.0:3478", "0.0.0.0:443"], "call.example.org", "127.0.0.1"),
            [
                "stun:call.example.org:3478",
                "stun:call.example.org:443",
                "turn:call.example.org:3478?transport=udp",
                "turn:call.example.org:443?transport=udp",
                "turn:call.example.org:3478?transport=tcp",
                "turn:call.example.org:443?transport=tcp",
            ]
            .map(str::to_owned)
            .into_iter()
            .collect::<Vec<_>>()
        );
        // The name may be that of another address of the machine.
        assert_eq!(urls(&["127.0.0.1:3478"], "call.example.org", "127.0.0.1")[0], "stun:127.0.0.1:3478");
    }
}
