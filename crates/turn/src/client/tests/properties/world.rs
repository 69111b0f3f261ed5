//! A client, a server, and the packets between them; and what is checked after each step.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::vec::Vec;

use floe_stun::attributes::{ChannelNumber, Data, XorPeerAddress};
use floe_stun::{ChannelData, Class, MessageBuilder, Method, Time, TransactionId};

use crate::{MAX_PADDING, MAX_PREFIX};

use super::super::super::{Client, Config, Event, Failure, MAX_TRANSMIT, Received};
use super::super::scene::{MAPPED, SERVER, addr, has, parse};
use super::super::{millis, secs};
use super::server::{Packet, Server};

/// Most packets that are under way. What comes on top is lost.
const CAPACITY: usize = 40;

/// The longest that a packet is under way (RFC 793 calls it the maximum segment lifetime).
const MAX_DELAY: core::time::Duration = millis(120_000);

#[derive(Clone, Debug)]
pub(super) enum Op {
    /// Everything arrives, and every answer to it.
    Flush,
    ToServer(u8),
    ToClient(u8),
    RepeatToServer(u8),
    RepeatToClient(u8),
    LoseToServer(u8),
    LoseToClient(u8),
    /// Flips a bit of the next packet to the client.
    Tamper(u8, u16),
    Millis(u32),
    Secs(u32),
    /// The driver comes too late.
    OversleepSecs(u32),
    Permit(u8),
    Forbid(u8),
    Bind(u8),
    Unbind(u8),
    RecordSent(u8),
    PeerData(u8),
    /// Data to a peer, which sends them back.
    Echo(u8),
    /// Data that the server would not send.
    BogusData(u8, u16),
    Garbage(Vec<u8>),
    RestartServer,
    Mood(u16),
    Allocate,
    Moved,
    Disconnected,
    Confirm,
    Close,
}

/// When a number and a peer were last asked to be bound to each other.
type Binding = (ChannelNumber, SocketAddr, Time);

pub(super) struct World {
    client: Client,
    server: Server,
    now: Time,
    /// Where the client is; it changes when it moves, and when the server wants another port.
    home: SocketAddr,
    to_server: Vec<(Packet, Time)>,
    to_client: Vec<(Packet, Time)>,
    /// The peers that the application has asked for and not heard of the end of.
    wished: BTreeSet<IpAddr>,
    /// The peers that the server was asked to let through.
    asked: BTreeSet<IpAddr>,
    bindings: Vec<Binding>,
    channels: BTreeMap<SocketAddr, ChannelNumber>,
    moving: bool,
    closed: bool,
    /// Everything that came out.
    pub(super) log: Vec<Vec<u8>>,
}

fn peer(n: u8) -> SocketAddr {
    // Three addresses with two ports each.
    SocketAddr::from(([198, 51, 100, 1 + n % 3], 5000 + u16::from(n)))
}

impl World {
    pub(super) fn new(config: Config) -> Self {
        Self {
            server: Server::new(config.carrier),
            client: Client::new(config).unwrap(),
            now: secs(1000),
            home: addr(MAPPED),
            to_server: Vec::new(),
            to_client: Vec::new(),
            wished: BTreeSet::new(),
            asked: BTreeSet::new(),
            bindings: Vec::new(),
            channels: BTreeMap::new(),
            moving: false,
            closed: false,
            log: Vec::new(),
        }
    }

    pub(super) fn run(&mut self, op: &Op) {
        match op {
            Op::Flush => self.flush(),
            Op::ToServer(at) => self.serve(*at, true),
            Op::RepeatToServer(at) => self.serve(*at, false),
            Op::LoseToServer(at) => drop(take(&mut self.to_server, *at)),
            Op::ToClient(at) => {
                if let Some((_, packet)) = take(&mut self.to_client, *at) {
                    self.hear(&packet);
                }
            }
            Op::RepeatToClient(at) => {
                if let Some((_, packet)) = pick(&self.to_client, *at) {
                    self.hear(&packet);
                }
            }
            Op::LoseToClient(at) => drop(take(&mut self.to_client, *at)),
            Op::Tamper(at, bit) => {
                if let Some((_, mut packet)) = pick(&self.to_client, *at) {
                    let bit = usize::from(*bit) % (packet.len() * 8);
                    packet[bit / 8] ^= 1 << (bit % 8);
                    self.hear(&packet);
                }
            }
            Op::Garbage(bytes) => self.hear(bytes),
            Op::PeerData(n) => {
                let packets = self.server.relay(peer(*n), self.now);
                self.to_client.extend(packets.into_iter().map(|packet| (packet, self.now)));
            }
            Op::BogusData(n, channel) => {
                self.to_client.push(((self.home, data_from(peer(*n))), self.now));
                self.to_client.push(((self.home, channel_data(*channel % 8)), self.now));
            }
            Op::Echo(n) => drop(self.echo(*n)),
            Op::RestartServer => self.server.restart(),
            Op::Mood(code) => self.server.mood = *code,
            other => self.call(other),
        }
        self.check();
    }

    /// What the application does.
    fn call(&mut self, op: &Op) {
        match op {
            Op::Millis(ms) => self.wait(millis(u64::from(*ms))),
            Op::Secs(s) => self.wait(millis(u64::from(*s) * 1_000)),
            Op::OversleepSecs(s) => {
                self.now += millis(u64::from(*s) * 1_000);
                self.tick();
            }
            Op::Permit(n) => {
                let wish = self.client.permit(peer(*n).ip(), self.now);
                self.wished.extend(wish.is_ok().then_some(peer(*n).ip()));
            }
            Op::Forbid(n) => {
                self.client.forbid(peer(*n).ip(), self.now);
                self.wished.remove(&peer(*n).ip());
            }
            Op::Bind(n) => {
                let wish = self.client.bind(peer(*n), self.now);
                self.wished.extend(wish.is_ok().then_some(peer(*n).ip()));
            }
            Op::Unbind(n) => self.client.unbind(peer(*n), self.now),
            Op::RecordSent(n) => self.client.record_sent(peer(*n), self.now),
            Op::Allocate => drop(self.client.allocate(self.now)),
            Op::Moved => {
                self.leave();
                self.client.moved(self.now);
                self.moving = self.client.allocation().is_some();
            }
            Op::Disconnected => {
                self.server.disconnected(self.home, self.now);
                self.leave();
                self.client.disconnected(self.now);
            }
            Op::Confirm => self.client.confirm(self.now),
            Op::Close => self.client.close(self.now),
            _ => {}
        }
    }

    /// The client gets another port. What was on its way from the old one still arrives.
    fn leave(&mut self) {
        self.home.set_port(self.home.port().wrapping_add(1));
    }

    /// Sends data to a peer which sends them back. Returns whether they came.
    fn echo(&mut self, n: u8) -> bool {
        let Some(mut path) = self.client.relay_path(peer(n)) else { return false };
        self.client.record_sent(peer(n), self.now);
        let payload = [n; 5];
        let mut buffer = [0; MAX_PREFIX + 5 + MAX_PADDING];
        let place = MAX_PREFIX..MAX_PREFIX + payload.len();
        buffer[place.clone()].copy_from_slice(&payload);
        let packet = path.frame(&mut buffer, place).unwrap();
        let packet = (self.home, buffer[packet].to_vec());
        let Some((_, packet)) = self.server.echo(&packet, self.now) else { return false };
        match self.client.handle_datagram(addr(SERVER), &packet, self.now) {
            Received::Data { peer: from, payload: place } => {
                assert_eq!((from, &packet[place]), (peer(n), &payload[..]));
                true
            }
            other => panic!("{other:?} on the way back of what went out"),
        }
    }

    fn wait(&mut self, time: core::time::Duration) {
        let until = self.now + time;
        while let Some(at) = self.client.poll_timeout().filter(|&at| at <= until) {
            self.now = self.now.max(at);
            self.tick();
        }
        self.now = until;
    }

    fn tick(&mut self) {
        self.client.handle_timeout(self.now);
        assert!(self.client.poll_timeout().is_none_or(|at| at > self.now), "a busy loop");
        self.check();
    }

    fn flush(&mut self) {
        while !self.to_server.is_empty() || !self.to_client.is_empty() {
            if self.to_server.is_empty() {
                let ((_, packet), _) = self.to_client.remove(0);
                self.hear(&packet);
                self.check();
            } else {
                self.serve(0, true);
            }
        }
    }

    fn serve(&mut self, at: u8, once: bool) {
        let packet = if once { take(&mut self.to_server, at) } else { pick(&self.to_server, at) };
        if let Some(packet) = packet {
            let answers = self.server.handle(&packet, self.now);
            self.to_client.extend(answers.into_iter().map(|answer| (answer, self.now)));
        }
    }

    fn hear(&mut self, packet: &[u8]) {
        match self.client.handle_datagram(addr(SERVER), packet, self.now) {
            Received::Data { peer, payload } => {
                assert!(self.wished.contains(&peer.ip()), "data of a peer that nobody permitted");
                assert!(self.asked.contains(&peer.ip()), "data of a peer that nobody asked for");
                assert!(payload.start <= payload.end && payload.end <= packet.len());
            }
            Received::Icmp { peer, .. } => assert!(self.wished.contains(&peer.ip())),
            Received::Turn | Received::Rejected(_) => {}
        }
    }

    /// Polls everything and looks at it.
    fn check(&mut self) {
        self.client.check_invariants();
        self.see_events();
        self.see_packets();
        for n in 0..6 {
            if let Some(path) = self.client.relay_path(peer(n)) {
                assert!(self.wished.contains(&peer(n).ip()), "a path without permission");
                assert!(!self.moving, "a path while moving");
                // A channel that could not be renewed in time is not used, and still may come back.
                let known = self.channels.get(&peer(n)).copied();
                assert!(path.channel_number().is_none() || path.channel_number() == known);
            }
        }
        for queue in [&mut self.to_server, &mut self.to_client] {
            queue.retain(|(_, sent)| self.now - *sent < MAX_DELAY);
            let surplus = queue.len().saturating_sub(CAPACITY);
            queue.drain(..surplus);
        }
    }

    fn see_packets(&mut self) {
        let mut out = [0; MAX_TRANSMIT];
        let mut count = 0;
        while let Some(len) = self.client.poll_transmit(&mut out) {
            count += 1;
            assert!(count <= 70, "no more than ten requests, seven times each");
            let packet = out[..len].to_vec();
            let method = parse(&packet).method();
            assert!(
                !self.moving || method == Method::REFRESH,
                "{method} before the server knows our address"
            );
            let peers = parse(&packet).get_all::<XorPeerAddress>().map(|peer| peer.unwrap().0.ip());
            self.asked.extend(peers);
            if method == Method::CHANNEL_BIND {
                self.see_bind(&packet);
            }
            self.log.push(packet.clone());
            self.to_server.push(((self.home, packet), self.now));
        }
    }

    /// RFC 8656 §12: five minutes after the end, neither number nor peer may be bound differently.
    fn see_bind(&mut self, packet: &[u8]) {
        let (number, peer) =
            (has::<ChannelNumber>(packet).unwrap(), has::<XorPeerAddress>(packet).unwrap().0);
        assert!(number.is_bindable());
        for (other_number, other_peer, at) in &self.bindings {
            if (*other_number == number) != (*other_peer == peer) {
                assert!(self.now - *at >= millis(900_000), "{number:?} and {peer} are bound differently");
            }
        }
        self.bindings.retain(|(known, _, _)| *known != number);
        self.bindings.push((number, peer, self.now));
    }

    fn see_events(&mut self) {
        while let Some(event) = self.client.poll_event() {
            assert!(!self.closed, "{event:?} after the end");
            self.log.push(std::format!("{event:?}").into_bytes());
            match event {
                Event::PermissionFailed { peer, .. } | Event::PermissionLapsed { peer } => {
                    self.wished.remove(&peer);
                }
                Event::ChannelBound { peer, channel } => drop(self.channels.insert(peer, channel)),
                Event::ChannelFailed { peer, .. } | Event::ChannelLapsed { peer } => {
                    self.channels.remove(&peer);
                }
                Event::Lost { reason, .. } => {
                    self.moving = false;
                    self.bindings.clear();
                    self.channels.clear();
                    if reason != Failure::OutOfSync {
                        self.wished.clear();
                    }
                }
                Event::Moved => self.moving = false,
                Event::NeedNewPort => {
                    self.leave();
                    self.client.new_port(self.now).unwrap();
                }
                Event::Closed => self.closed = true,
                Event::Allocated(_) => self.bindings.clear(),
                Event::PermissionCreated { peer } => assert!(self.wished.contains(&peer)),
                Event::Confirmed => assert!(!self.moving, "the server is asked from where it knows us"),
                Event::AlternateServer(_) | Event::Failed { .. } => {}
            }
        }
        if !self.client.is_closed() && self.client.allocation().is_none() {
            self.moving = false;
        }
    }

    /// Lets time pass with a server whose packets arrive when `arrives` says so, and an application that wants channels to `peers` and does not give up. Returns in how many seconds
    /// data went through them, there and back.
    pub(super) fn live(&mut self, time: u32, mut arrives: impl FnMut() -> bool, peers: [u8; 2]) -> u32 {
        let mut worked = 0;
        for _ in 0..time {
            self.run(&Op::Allocate);
            for peer in peers {
                self.run(&Op::Bind(peer));
            }
            for _ in 0..50 {
                self.wait(millis(20));
                self.check();
                for (packet, _) in core::mem::take(&mut self.to_server) {
                    let answers = if arrives() { self.server.handle(&packet, self.now) } else { Vec::new() };
                    for (_, answer) in answers {
                        if arrives() {
                            self.hear(&answer);
                            self.check();
                        }
                    }
                }
            }
            worked += u32::from(peers.iter().all(|&peer| self.echo(peer) && self.has_channel(peer)));
        }
        worked
    }

    fn has_channel(&self, n: u8) -> bool {
        self.client.relay_path(peer(n)).is_some_and(|path| path.channel_number().is_some())
    }

    pub(super) fn allocations(&mut self) -> usize {
        self.server.allocations(self.now)
    }

    /// Whatever happened, closing ends, without an answer, and soon.
    pub(super) fn end(&mut self) {
        self.client.close(self.now);
        self.moving = false;
        self.check();
        self.wait(millis(60_000));
        self.check();
        assert!(self.closed && self.client.is_closed());
        assert_eq!(self.client.poll_timeout(), None);
        let last = [0x40, 0, 0, 0];
        assert!(matches!(self.client.handle_datagram(addr(SERVER), &last, self.now), Received::Rejected(_)));
    }
}

fn pick(queue: &[(Packet, Time)], at: u8) -> Option<Packet> {
    queue.get(usize::from(at) % queue.len().max(1)).map(|(packet, _)| packet.clone())
}

fn take(queue: &mut Vec<(Packet, Time)>, at: u8) -> Option<Packet> {
    let at = usize::from(at) % queue.len().max(1);
    (at < queue.len()).then(|| queue.remove(at).0)
}

fn data_from(peer: SocketAddr) -> Vec<u8> {
    let mut out = [0; 128];
    let id = TransactionId::new([0x33; 12]);
    let builder = MessageBuilder::new(&mut out, Class::Indication, Method::DATA, id);
    let len = builder.attribute(&XorPeerAddress(peer)).attribute(&Data(b"data")).finish().unwrap();
    out[..len].to_vec()
}

fn channel_data(number: u16) -> Vec<u8> {
    let header = ChannelData::header(ChannelNumber(0x4000 + number), 4).unwrap();
    [&header[..], b"data"].concat()
}
