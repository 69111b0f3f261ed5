//! A TURN server among clients that know their passwords and send whatever they like, peers, and a driver that is not
//! always able.
//!
//! The bytes say what happens next. Requests are signed, so that they get past authentication; their attributes are the
//! fuzzer's. Beside the server a ledger notes who was granted what: nothing may pass that is not in it.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use floe_stun::attributes::{
    ChannelNumber, Data, Icmp, MobilityTicket, Nonce, PasswordAlgorithm, PasswordAlgorithms, Realm, RequestedTransport, Username,
    XorPeerAddress, XorRelayedAddress,
};
use floe_stun::{
    AttributeType, ChannelData, Class, IntegrityAlgorithm, Key, Message, MessageBuilder, Method, RawAttribute,
    Time, TransactionId,
};
use floe_turn::server::{
    Bandwidth, Command, Config, Credentials, FromPeer, Link, MAX_TRANSMIT, RateLimit, Received, RelayAddress,
    RelayId, Server, SocketId,
};

use crate::Input;

/// What a request may carry, in whatever form.
const KINDS: [AttributeType; 15] = [
    AttributeType::XOR_PEER_ADDRESS,
    AttributeType::CHANNEL_NUMBER,
    AttributeType::LIFETIME,
    AttributeType::REQUESTED_TRANSPORT,
    AttributeType::REQUESTED_ADDRESS_FAMILY,
    AttributeType::ADDITIONAL_ADDRESS_FAMILY,
    AttributeType::EVEN_PORT,
    AttributeType::RESERVATION_TOKEN,
    AttributeType::DONT_FRAGMENT,
    AttributeType::MOBILITY_TICKET,
    AttributeType::DATA,
    AttributeType::SOFTWARE,
    AttributeType::PRIORITY,
    AttributeType::new(0x7777),
    AttributeType::new(0x8888),
];

const METHODS: [Method; 5] =
    [Method::ALLOCATE, Method::REFRESH, Method::CREATE_PERMISSION, Method::CHANNEL_BIND, Method::BINDING];

const PEERS: [&str; 6] = [
    "192.0.2.9:7000",
    "192.0.2.9:7001",
    "192.0.2.10:7000",
    "[2001:db8::9]:7000",
    "10.0.0.1:7000",
    "203.0.113.5:50000",
];

/// The most an answer holds beyond its request when nobody authenticated it: 64 unknown attributes, or a challenge.
const AMPLIFICATION: usize = 24 + 4 + 2 * 64;

/// Does what `data` says.
///
/// # Panics
///
/// If data pass that nobody was granted, a timer is never done, a packet is too large, or anything is left behind.
pub fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let mut scene = Scene::new(&mut input);
    while !input.is_empty() {
        scene.step(&mut input);
        scene.settle();
    }
    scene.end();
}

struct Scene {
    server: Server,
    now: Time,
    clients: [Link; 4],
    nonces: [Vec<u8>; 4],
    key: Key,
    ids: u64,
    /// The last ticket and token that anybody was given.
    ticket: Vec<u8>,
    token: Vec<u8>,
    /// Open relays and where they are.
    open: BTreeMap<RelayId, SocketAddr>,
    relays: Vec<RelayId>,
    /// Until when a relay may exchange data with an address.
    granted: BTreeMap<(SocketAddr, IpAddr), Time>,
    /// The relays of the allocation that each client has, as it was told.
    told: BTreeMap<SocketId, Vec<SocketAddr>>,
    /// The relays of the allocation that each ticket is for.
    tickets: BTreeMap<Vec<u8>, Vec<SocketAddr>>,
    /// The driver fails at ports that have this bit.
    unable: u16,
}

impl Scene {
    fn new(input: &mut Input<'_>) -> Self {
        let mut credentials = Credentials::new("r").expect("a realm");
        credentials.add_user("u", "p").expect("a user");
        let mut config = Config::new(input.array(), credentials);
        config.relay_ipv4 = Some(RelayAddress::direct(IpAddr::from([203, 0, 113, 5])));
        config.relay_ipv6 = "2001:db8:5::5".parse().ok().map(RelayAddress::direct);
        config.relay_ports = 50_000..=50_007;
        config.limits.allocations = 6;
        (config.limits.permissions, config.limits.channels, config.limits.transmits) = (4, 3, 8);
        let flags = input.u8();
        config.can_set_dont_fragment = flags & 1 != 0;
        config.mobility = flags & 2 != 0;
        config.limits.bandwidth =
            (flags & 4 != 0).then_some(Bandwidth { bytes_per_second: 1000, burst_bytes: 500 });
        let mut limit = RateLimit::new([1; 16]);
        (limit.per_second, limit.burst) = (1_000_000, 1_000_000);
        config.challenges = Some(limit);
        let address = |text: &str| text.parse().expect("an address");
        Self {
            server: Server::new(config).expect("a configuration that works"),
            now: Time::from_secs(1),
            clients: [
                Link::datagram(SocketId(1), address("198.51.100.7:5000")),
                Link::datagram(SocketId(2), address("198.51.100.7:5000")),
                Link::datagram(SocketId(3), address("[2001:db8:7::1]:5000")),
                Link::stream(SocketId(4), address("198.51.100.7:5000")),
            ],
            nonces: [const { Vec::new() }; 4],
            key: Key::long_term_sha256("u", "r", "p"),
            ids: 0,
            ticket: Vec::new(),
            token: Vec::new(),
            open: BTreeMap::new(),
            relays: Vec::new(),
            granted: BTreeMap::new(),
            told: BTreeMap::new(),
            tickets: BTreeMap::new(),
            unable: if flags & 8 != 0 { 1 } else { 0 },
        }
    }

    fn step(&mut self, input: &mut Input<'_>) {
        let client = usize::from(input.u8() % 4);
        let link = self.clients[client];
        match input.u8() % 10 {
            0..=2 => self.request(client, input),
            3 => self.send(link, input),
            4 => self.send_channel(link, input),
            5 => self.peer_sends(input),
            6 => {
                let len = usize::from(input.u8());
                let bytes = input.bytes(len).to_vec();
                self.stranger(link, &bytes);
            }
            7 => self.pass(Duration::from_secs(input.u16().into()), !input.u8().is_multiple_of(4)),
            8 => self.server.disconnected(link, self.now),
            _ => {
                let relay = self.relays.get(usize::from(input.u8())).copied();
                if let Some(relay) = relay.filter(|relay| self.open.remove(relay).is_some()) {
                    self.server.relay_failed(relay, self.now);
                }
            }
        }
    }

    /// A request that its sender signed.
    fn request(&mut self, client: usize, input: &mut Input<'_>) {
        let link = self.clients[client];
        if self.nonces[client].is_empty() {
            self.challenge(client);
        }
        self.ids += u64::from(!input.u8().is_multiple_of(4));
        let mut id = [0; 12];
        id[..8].copy_from_slice(&self.ids.to_be_bytes());
        let method = input.choose(&METHODS);
        let mut out = [0; 2048];
        let mut message = MessageBuilder::new(&mut out, Class::Request, method, TransactionId::new(id));
        for _ in 0..input.u8() % 5 {
            message = self.attribute(message, input);
        }
        let offered = [PasswordAlgorithm::SHA256, PasswordAlgorithm::MD5];
        let written = message
            .attribute(&Username::new("u"))
            .attribute(&Realm::new("r"))
            .attribute(&Nonce::from_bytes(&self.nonces[client]))
            .attribute(&PasswordAlgorithms::new(&offered))
            .attribute(&PasswordAlgorithm::SHA256)
            .integrity(&self.key, IntegrityAlgorithm::Sha256)
            .finish();
        let Ok(len) = written else { return };
        let received = self.server.handle_datagram(link, &out[..len], self.now);
        assert!(!matches!(received, Received::ToPeer { .. }), "a request is no data");
        self.settle_commands();
        for (to, answer) in self.answers() {
            let answer = Message::parse(&answer).expect("the server's messages are well formed");
            if let Ok(Some(nonce)) = answer.get::<Nonce<'_>>() {
                self.nonces[client] = nonce.as_bytes().to_vec();
            }
            if answer.class() == Class::Success {
                self.note(&to, &Message::parse(&out[..len]).expect("ours"), &answer);
            }
        }
    }

    /// An attribute in the form it should have, or in any.
    fn attribute<'b>(&self, message: MessageBuilder<'b>, input: &mut Input<'_>) -> MessageBuilder<'b> {
        match input.u8() % 8 {
            0..=2 => message.attribute(&XorPeerAddress(peer(input))),
            3 => message.attribute(&ChannelNumber(0x4000 + u16::from(input.u8() % 4))),
            4 => message.attribute(&RequestedTransport::UDP),
            5 => {
                let kind = AttributeType::MOBILITY_TICKET;
                message.raw_attribute(RawAttribute { kind, value: &self.ticket })
            }
            6 => {
                let kind = AttributeType::RESERVATION_TOKEN;
                message.raw_attribute(RawAttribute { kind, value: &self.token })
            }
            _ => {
                let kind = input.choose(&KINDS);
                let len = usize::from(input.u8() % 24);
                message.raw_attribute(RawAttribute { kind, value: input.bytes(len) })
            }
        }
    }

    /// Enters what was granted into the ledger.
    fn note(&mut self, to: &Link, request: &Message<'_>, answer: &Message<'_>) {
        match answer.method() {
            Method::ALLOCATE => {
                let relayed: Vec<_> =
                    answer.get_all::<XorRelayedAddress>().filter_map(Result::ok).map(|relay| relay.0).collect();
                assert!(relayed.iter().all(|relay| self.open.values().any(|open| open == relay)));
                self.told.insert(to.socket, relayed);
            }
            Method::REFRESH => {
                if let Ok(Some(ticket)) = request.get::<MobilityTicket<'_>>() {
                    let relayed = self.tickets.get(ticket.0).expect("a ticket that the server gave to somebody");
                    self.told.insert(to.socket, relayed.clone());
                }
            }
            Method::CREATE_PERMISSION | Method::CHANNEL_BIND => {
                let until = self.now + Duration::from_secs(300);
                for peer in request.get_all::<XorPeerAddress>().filter_map(Result::ok) {
                    for &relay in self.told.get(&to.socket).into_iter().flatten() {
                        self.granted.insert((relay, peer.0.ip()), until);
                    }
                }
            }
            _ => {}
        }
        for raw in answer.attributes() {
            match raw.kind {
                AttributeType::MOBILITY_TICKET => {
                    self.ticket = raw.value.to_vec();
                    let relayed = self.told.get(&to.socket).cloned().unwrap_or_default();
                    self.tickets.insert(self.ticket.clone(), relayed);
                }
                AttributeType::RESERVATION_TOKEN => self.token = raw.value.to_vec(),
                _ => {}
            }
        }
    }

    fn challenge(&mut self, client: usize) {
        let mut out = [0; 64];
        let message = MessageBuilder::new(&mut out, Class::Request, Method::ALLOCATE, TransactionId::new([0; 12]));
        let len = message.finish().expect("room");
        let _ = self.server.handle_datagram(self.clients[client], &out[..len], self.now);
        for (_, answer) in self.answers() {
            let answer = Message::parse(&answer).expect("the server's messages are well formed");
            if let Ok(Some(nonce)) = answer.get::<Nonce<'_>>() {
                self.nonces[client] = nonce.as_bytes().to_vec();
            }
        }
    }

    fn send(&mut self, link: Link, input: &mut Input<'_>) {
        let to = peer(input);
        let len = usize::from(input.u8());
        let payload = vec![7; len];
        let mut out = [0; 512];
        let id = TransactionId::new([3; 12]);
        let message = MessageBuilder::new(&mut out, Class::Indication, Method::SEND, id)
            .attribute(&XorPeerAddress(to))
            .attribute(&Data(&payload));
        let Ok(len) = message.finish() else { return };
        self.data(link, &out[..len], &payload, Some(to));
    }

    fn send_channel(&mut self, link: Link, input: &mut Input<'_>) {
        let number = ChannelNumber(0x4000 + u16::from(input.u8() % 4));
        let payload = vec![9; usize::from(input.u8())];
        let header = ChannelData::header(number, payload.len()).expect("a number that can be bound");
        self.data(link, &[&header[..], &payload].concat(), &payload, None);
    }

    /// Data from a client: if they pass, they are whole and were granted.
    fn data(&mut self, link: Link, bytes: &[u8], expected: &[u8], to: Option<SocketAddr>) {
        if let Received::ToPeer { relay, peer, payload, .. } =
            self.server.handle_datagram(link, bytes, self.now)
        {
            assert_eq!(&bytes[payload], expected);
            assert!(to.is_none_or(|to| to == peer));
            let from = self.open.get(&relay).expect("data leave from an open relay");
            assert!(self.is_granted(*from, peer.ip()), "{peer} from {from} without a permission");
        }
    }

    fn peer_sends(&mut self, input: &mut Input<'_>) {
        let source = peer(input);
        let Some(relay) = self.relays.get(usize::from(input.u8() % 16)).copied() else { return };
        if input.u8().is_multiple_of(8) {
            let icmp = Icmp { icmp_type: input.u8(), code: input.u8(), data: input.array() };
            self.server.handle_icmp(relay, source, icmp, self.now);
            return;
        }
        let len = usize::from(input.u16());
        let sent = self.server.handle_peer_datagram(relay, source, len, self.now);
        if let FromPeer::ToClient { frame, .. } = sent {
            let at = self.open.get(&relay).expect("data come from an open relay");
            assert!(self.is_granted(*at, source.ip()), "{source} to {at} without a permission");
            assert!(frame.prefix().len() <= floe_turn::MAX_PREFIX && frame.padding().len() < 4);
        }
    }

    /// Anything, from a client's address, unsigned.
    fn stranger(&mut self, link: Link, bytes: &[u8]) {
        let before = self.server.allocations();
        let received = self.server.handle_datagram(link, bytes, self.now);
        if let Received::ToPeer { payload, .. } = received {
            assert!(payload.end <= bytes.len());
        }
        assert_eq!(self.server.allocations(), before, "a stranger changed something");
        for (_, answer) in self.answers() {
            assert!(answer.len() <= bytes.len() + AMPLIFICATION, "{} bytes for {}", answer.len(), bytes.len());
        }
    }

    fn pass(&mut self, time: Duration, served: bool) {
        self.now = self.now.saturating_add(time);
        if served {
            self.server.handle_timeout(self.now);
            assert!(self.server.poll_timeout().is_none_or(|next| next > self.now), "a timer is never done");
        }
    }

    fn is_granted(&self, relay: SocketAddr, peer: IpAddr) -> bool {
        self.granted.get(&(relay, peer)).is_some_and(|until| *until > self.now)
    }

    fn settle(&mut self) {
        self.settle_commands();
        self.answers();
        while self.server.poll_event().is_some() {}
        assert!(self.server.allocations() <= 6);
    }

    fn settle_commands(&mut self) {
        while let Some(command) = self.server.poll_command() {
            match command {
                Command::OpenRelay { relay, address } if address.port() & self.unable != 0 => {
                    self.server.relay_failed(relay, self.now);
                }
                Command::OpenRelay { relay, address } => {
                    assert!(!self.open.values().any(|open| *open == address), "{address} is opened twice");
                    // A socket at an address where another was: what was granted to that is none of its business.
                    self.granted.retain(|(of, _), _| *of != address);
                    let known = self.told.values_mut().chain(self.tickets.values_mut());
                    known.for_each(|relays| relays.retain(|of| *of != address));
                    self.open.insert(relay, address);
                    self.relays.push(relay);
                    self.server.relay_opened(relay, self.now);
                }
                Command::CloseRelay { relay } => {
                    assert!(self.open.remove(&relay).is_some(), "{relay:?} is closed and was not open");
                }
                other => panic!("an unknown command: {other:?}"),
            }
        }
    }

    fn answers(&mut self) -> Vec<(Link, Vec<u8>)> {
        let mut out = [0; MAX_TRANSMIT];
        let mut answers = Vec::new();
        while let Some(transmit) = self.server.poll_transmit(&mut out) {
            answers.push((transmit.link, out[..transmit.len].to_vec()));
        }
        answers
    }

    /// All that was, ends by itself.
    fn end(mut self) {
        self.pass(Duration::from_secs(3601), true);
        self.settle();
        assert_eq!((self.server.allocations(), self.open.len()), (0, 0), "something is left behind");
        assert_eq!(self.server.poll_timeout(), None, "a timer is left behind");
    }
}

fn peer(input: &mut Input<'_>) -> SocketAddr {
    input.choose(&PEERS).parse().expect("an address")
}
