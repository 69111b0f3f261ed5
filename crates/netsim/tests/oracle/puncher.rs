//! A peer that knows nothing of ICE and punches holes by brute force: it sends from every socket to everything it has heard
//! of, again and again, answers what it gets, and counts an answer only if it comes from where the question went.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use floe_netsim::{Datagram, Endpoint, EndpointId, Host, Kind, PathKind, SocketId, Time, Transmit};
use floe_stun::attributes::XorMappedAddress;
use floe_stun::{Class, Message, MessageBuilder, Method, TransactionId};

/// Time from one round to the next; longer than any round trip.
const ROUND: Duration = Duration::from_millis(200);
/// The first rounds ask the servers only.
const GATHERING_ROUNDS: u32 = 2;
pub(crate) const ROUNDS: u32 = 12;

#[derive(Default)]
pub(crate) struct Puncher {
    servers: Vec<SocketAddr>,
    peer: Option<EndpointId>,
    bases: Vec<(SocketId, SocketAddr)>,
    reflexive: BTreeSet<SocketAddr>,
    signalled: BTreeMap<SocketAddr, Kind>,
    /// What is tried, by the number of the base.
    targets: BTreeSet<(usize, SocketAddr)>,
    out: VecDeque<(usize, SocketAddr, Vec<u8>)>,
    signals: VecDeque<Vec<u8>>,
    round: u32,
    next: Option<Time>,
    found: BTreeSet<PathKind>,
}

impl Puncher {
    pub(crate) fn new(servers: Vec<SocketAddr>) -> Self {
        Self { servers, ..Self::default() }
    }

    pub(crate) fn start(&mut self, peer: EndpointId, now: Time) {
        (self.peer, self.next) = (Some(peer), Some(now));
    }

    /// The kinds of paths that worked.
    pub(crate) fn found(&self) -> Vec<PathKind> {
        self.found.iter().copied().collect()
    }

    fn base_of(&self, socket: SocketId) -> usize {
        self.bases.iter().position(|&(id, _)| id == socket).unwrap()
    }

    fn add_target(&mut self, base: usize, target: SocketAddr) {
        let from = self.bases[base].1;
        if from.is_ipv4() == target.is_ipv4() && is_link_local(from) == is_link_local(target) {
            self.targets.insert((base, target));
        }
    }

    fn ask_servers(&mut self) {
        for (base, (_, local)) in self.bases.iter().enumerate() {
            for &server in self.servers.iter().filter(|server| server.is_ipv4() == local.is_ipv4()) {
                let mut request = vec![0; 20];
                let id = TransactionId::new([base as u8; 12]);
                MessageBuilder::new(&mut request, Class::Request, Method::BINDING, id).finish().unwrap();
                self.out.push_back((base, server, request));
            }
        }
    }

    fn signal(&mut self) {
        let hosts = self.bases.iter().map(|&(_, local)| format!("h{local}"));
        let reflexive = self.reflexive.iter().map(|address| format!("s{address}"));
        self.signals.extend(hosts.chain(reflexive).map(String::into_bytes));
    }

    fn on_answer(&mut self, base: usize, source: SocketAddr, text: &str) {
        let (asked, seen) = text.split_once(' ').unwrap();
        let (asked, seen): (SocketAddr, SocketAddr) = (asked.parse().unwrap(), seen.parse().unwrap());
        if source != asked {
            return;
        }
        let local = match seen {
            seen if seen == self.bases[base].1 => Kind::Host,
            seen if self.reflexive.contains(&seen) => Kind::ServerReflexive,
            _ => Kind::PeerReflexive,
        };
        let remote = self.signalled.get(&asked).copied().unwrap_or(Kind::PeerReflexive);
        self.found.insert(PathKind::new(asked.is_ipv4(), local, remote));
    }
}

fn is_link_local(address: SocketAddr) -> bool {
    match address.ip() {
        IpAddr::V4(v4) => v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_unicast_link_local(),
    }
}

impl Endpoint for Puncher {
    fn handle_start(&mut self, host: &mut Host<'_>, _now: Time) {
        let addresses: Vec<_> = host.addresses().collect();
        self.bases = addresses.into_iter().map(|ip| host.open(ip, 0).unwrap()).collect();
    }

    fn handle_datagram(&mut self, datagram: Datagram<'_>, _now: Time) {
        let base = self.base_of(datagram.socket);
        if let Ok(message) = Message::parse(datagram.contents) {
            let mapped = message.get::<XorMappedAddress>().unwrap().unwrap().0;
            if mapped != self.bases[base].1 {
                self.reflexive.insert(mapped);
            }
            return;
        }
        let text = std::str::from_utf8(datagram.contents).unwrap();
        match text.split_at(1) {
            ("?", asked) => {
                self.add_target(base, datagram.source);
                let answer = format!("!{asked} {}", datagram.source).into_bytes();
                self.out.push_back((base, datagram.source, answer));
            }
            ("!", answer) => self.on_answer(base, datagram.source, answer),
            _ => panic!("nobody sends {text}"),
        }
    }

    fn handle_signal(&mut self, _from: EndpointId, message: &[u8], _now: Time) {
        let text = std::str::from_utf8(message).unwrap();
        let (kind, address) = text.split_at(1);
        let address = address.parse().unwrap();
        // A server sees an address without NAT as it is.
        let kind = if kind == "h" { Kind::Host } else { Kind::ServerReflexive };
        self.signalled.entry(address).or_insert(kind);
        for base in 0..self.bases.len() {
            self.add_target(base, address);
        }
    }

    fn handle_timeout(&mut self, now: Time) {
        self.round += 1;
        self.next = (self.round < ROUNDS).then(|| now + ROUND);
        match self.round {
            1..=GATHERING_ROUNDS => self.ask_servers(),
            _ => {
                if self.round == GATHERING_ROUNDS + 1 {
                    self.signal();
                }
                for &(base, target) in &self.targets {
                    self.out.push_back((base, target, format!("?{target}").into_bytes()));
                }
            }
        }
    }

    fn poll_transmit(&mut self, out: &mut [u8]) -> Option<Transmit> {
        let (base, to, bytes) = self.out.pop_front()?;
        out[..bytes.len()].copy_from_slice(&bytes);
        Some(Transmit::new(self.bases[base].0, to, bytes.len()))
    }

    fn poll_signal(&mut self, out: &mut Vec<u8>) -> Option<EndpointId> {
        out.extend(self.signals.pop_front()?);
        self.peer
    }

    fn poll_timeout(&self) -> Option<Time> {
        self.next
    }
}
