//! What is between two agents: a line that does to packets what it is told, a NAT, and a STUN server.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use floe_ice::Time;
use floe_stun::attributes::{ErrorCode, XorMappedAddress};
use floe_stun::{Class, Message, MessageBuilder, Method};

use crate::Input;
use crate::hostile::spoil;

/// Where the STUN server is.
pub(crate) const SERVER: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::new(198, 51, 100, 1)), 3478);
/// The side of the world that the NAT shows.
const PUBLIC: [u8; 4] = [192, 0, 2, 1];

/// A packet on its way.
#[derive(Clone, Debug)]
pub(crate) struct Flying {
    pub(crate) from: SocketAddr,
    pub(crate) to: SocketAddr,
    pub(crate) bytes: Vec<u8>,
}

/// How the STUN server behaves.
#[derive(Clone, Copy)]
enum Server {
    Good,
    Silent,
    Refuses,
    /// Says that everybody has the same address.
    Lies,
}

pub(crate) struct Link {
    flying: BTreeMap<(Time, u64), Flying>,
    sent: u64,
    one_way: Duration,
    /// Every so many packets one is lost, or comes twice; 0 for never.
    lose_every: u64,
    double_every: u64,
    server: Server,
    /// The addresses behind the NAT and their ports outside, if there is a NAT in front of 10.0.0.0/16.
    nat: Option<Vec<(SocketAddr, u16)>>,
    next_port: u16,
}

impl Link {
    pub(crate) fn new(nat: bool) -> Self {
        Self {
            flying: BTreeMap::new(),
            sent: 0,
            one_way: Duration::from_millis(20),
            lose_every: 0,
            double_every: 0,
            server: Server::Good,
            nat: nat.then(Vec::new),
            next_port: 40_000,
        }
    }

    /// From now on nothing is lost, doubled or late.
    pub(crate) fn heal(&mut self) {
        self.one_way = Duration::from_millis(20);
        (self.lose_every, self.double_every, self.server) = (0, 0, Server::Good);
    }

    pub(crate) fn send(&mut self, packet: Flying, now: Time) {
        self.sent += 1;
        let is_nth = |every| every != 0 && self.sent.is_multiple_of(every);
        if is_nth(self.lose_every) {
            return;
        }
        let (twice, at) = (is_nth(self.double_every), now + self.one_way);
        let Some(packet) = self.translated(packet) else { return };
        let packet = if packet.to == SERVER { self.served(&packet) } else { Some(packet) };
        let Some(packet) = packet else { return };
        if twice {
            self.put(at + self.one_way, packet.clone());
        }
        self.put(at, packet);
    }

    fn put(&mut self, at: Time, packet: Flying) {
        self.sent += 1;
        self.flying.insert((at, self.sent), packet);
    }

    pub(crate) fn next_arrival(&self) -> Option<Time> {
        self.flying.keys().next().map(|key| key.0)
    }

    /// What has arrived, at the address that it has inside the NAT.
    pub(crate) fn arrived(&mut self, now: Time) -> Option<Flying> {
        let packet = self.flying.first_entry().filter(|entry| entry.key().0 <= now)?.remove();
        Some(self.inward(packet))
    }

    // --- the NAT ------------------------------------------------------------------------------------------------

    /// All mappings are forgotten.
    pub(crate) fn rebind(&mut self) {
        if let Some(mappings) = &mut self.nat {
            mappings.clear();
        }
    }

    /// With the source that the world sees; addresses behind the NAT are reached from there alone.
    fn translated(&mut self, mut packet: Flying) -> Option<Flying> {
        let Some(mappings) = &mut self.nat else { return Some(packet) };
        if is_inside(packet.from) && !is_inside(packet.to) {
            let known = mappings.iter().find(|mapping| mapping.0 == packet.from);
            let port = known.map_or(self.next_port, |mapping| mapping.1);
            if port == self.next_port {
                mappings.push((packet.from, port));
                self.next_port = self.next_port.wrapping_add(1).max(40_000);
            }
            packet.from = SocketAddr::from((PUBLIC, port));
        } else if is_inside(packet.to) && !is_inside(packet.from) {
            return None;
        }
        Some(packet)
    }

    fn inward(&self, mut packet: Flying) -> Flying {
        let mapping = self.nat.iter().flatten().find(|m| packet.to == SocketAddr::from((PUBLIC, m.1)));
        if let Some((inside, _)) = mapping {
            packet.to = *inside;
        }
        packet
    }

    // --- the server ---------------------------------------------------------------------------------------------

    fn served(&self, packet: &Flying) -> Option<Flying> {
        let request = Message::parse(&packet.bytes).ok()?;
        let class = if matches!(self.server, Server::Refuses) { Class::Error } else { Class::Success };
        let mut out = [0; 128];
        let answer = MessageBuilder::new(&mut out, class, Method::BINDING, request.transaction_id());
        let answer = match self.server {
            Server::Good => answer.attribute(&XorMappedAddress(packet.from)),
            Server::Silent => return None,
            Server::Refuses => answer.attribute(&ErrorCode::new(500, "")),
            Server::Lies => answer.attribute(&XorMappedAddress(SocketAddr::from((PUBLIC, 9)))),
        };
        let len = answer.finish().ok()?;
        Some(Flying { from: SERVER, to: packet.from, bytes: out[..len].to_vec() })
    }

    // --- harm ---------------------------------------------------------------------------------------------------

    pub(crate) fn set_conditions(&mut self, input: &mut Input<'_>) {
        self.one_way = Duration::from_millis(u64::from(input.u8()));
        self.lose_every = u64::from(input.u8() % 8);
        self.double_every = u64::from(input.u8() % 8);
        self.server = input.choose(&[Server::Good, Server::Silent, Server::Refuses, Server::Lies]);
    }

    /// Does something to one of the packets that are on their way.
    pub(crate) fn harm(&mut self, input: &mut Input<'_>) {
        let (nth, how) = (usize::from(input.u8()), input.u8() % 8);
        let Some(&key) = nth.checked_rem(self.flying.len()).and_then(|nth| self.flying.keys().nth(nth))
        else {
            return;
        };
        let Some(mut packet) = self.flying.remove(&key) else { return };
        let later = key.0 + Duration::from_millis(8 * u64::from(input.u8()));
        match how {
            0 | 1 => return,
            2 | 3 => self.put(later, packet.clone()),
            4 => return self.put(later, packet),
            5 => packet.from = SocketAddr::from(([203, 0, 113, input.u8() % 4], 7000)),
            6 => spoil(&mut packet.bytes, input),
            _ => packet.bytes.truncate(usize::from(input.u8())),
        }
        self.flying.insert(key, packet);
    }
}

fn is_inside(address: SocketAddr) -> bool {
    matches!(address, SocketAddr::V4(v4) if v4.ip().octets().starts_with(&[10, 0]))
}
