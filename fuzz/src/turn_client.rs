//! A TURN client and a server that knows its password and answers whatever it likes, or as it should.
//!
//! The bytes say what happens next. Beside the client it is noted for whom it has asked: data of nobody else may surface.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use floe_stun::attributes::{
    AddressFamily, AlternateServer, ChannelNumber, Data, ErrorCode, Lifetime, MobilityTicket,
    PasswordAlgorithm, PasswordAlgorithms, Realm, XorMappedAddress, XorPeerAddress, XorRelayedAddress,
};
use floe_stun::{
    AttributeType, ChannelData, Class, IntegrityAlgorithm, Key, Message, MessageBuilder, Method, RawAttribute,
    SecurityFeatures, Time, TransactionId,
};
use floe_turn::client::{
    Config, Credentials, Event, MAX_TRANSMIT, PortRequest, Received, Relayed, StreamDeframer,
};
use floe_turn::{Carrier, Client, MAX_PADDING, MAX_PREFIX};

use crate::Input;

/// What an answer may carry, in whatever form.
const KINDS: [AttributeType; 14] = [
    AttributeType::XOR_RELAYED_ADDRESS,
    AttributeType::XOR_MAPPED_ADDRESS,
    AttributeType::LIFETIME,
    AttributeType::MOBILITY_TICKET,
    AttributeType::RESERVATION_TOKEN,
    AttributeType::ADDRESS_ERROR_CODE,
    AttributeType::ALTERNATE_SERVER,
    AttributeType::ALTERNATE_DOMAIN,
    AttributeType::UNKNOWN_ATTRIBUTES,
    AttributeType::NONCE,
    AttributeType::REALM,
    AttributeType::ICMP,
    AttributeType::new(0x7777),
    AttributeType::new(0x8888),
];

const PEERS: [&str; 5] =
    ["192.0.2.9:7000", "192.0.2.9:7001", "192.0.2.10:7000", "[2001:db8::9]:7000", "[::ffff:192.0.2.9]:7000"];

/// No more than ten requests are open, each sent at most seven times.
const MOST_PACKETS: usize = 70;

/// Requests that can still be answered. Older ones were answered long ago, if at all.
const REMEMBERED: usize = 16;

/// Does what `data` says.
///
/// # Panics
///
/// If data surface that nobody asked for, a timer is never done, a packet is too large, or closing does not end.
pub fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let mut scene = Scene::new(&mut input);
    while !input.is_empty() {
        scene.step(&mut input);
        scene.settle();
    }
    scene.end();
    takes_streams_apart_alike(data);
}

struct Scene {
    client: Client,
    server: SocketAddr,
    now: Time,
    requests: Vec<Vec<u8>>,
    asked: BTreeSet<IpAddr>,
    closed: bool,
}

fn peer(input: &mut Input<'_>) -> SocketAddr {
    input.choose(&PEERS).parse().expect("an address")
}

impl Scene {
    fn new(input: &mut Input<'_>) -> Self {
        let server = "203.0.113.5:3478".parse().expect("an address");
        let mut config = Config::new(server, Credentials::new("u", "p").ok(), input.array());
        let flags = input.u8();
        config.carrier = if flags & 1 != 0 { Carrier::Stream } else { Carrier::Datagram };
        (config.mobility, config.dont_fragment) = (flags & 2 != 0, flags & 4 != 0);
        config.relayed = match flags >> 3 & 3 {
            0 => Relayed::default(),
            1 => Relayed::Both { even_port: false },
            2 => Relayed::One { family: Some(AddressFamily::Ipv6), port: PortRequest::EvenAndNext },
            _ => Relayed::One { family: Some(AddressFamily::Ipv4), port: PortRequest::Even },
        };
        (config.limits.permissions, config.limits.channels, config.limits.events) = (3, 2, 8);
        Self {
            client: Client::new(config).expect("a configuration that works"),
            server,
            now: Time::from_secs(1),
            requests: Vec::new(),
            asked: BTreeSet::new(),
            closed: false,
        }
    }

    fn step(&mut self, input: &mut Input<'_>) {
        match input.u8() % 10 {
            0 | 1 => self.call(input),
            2 => self.challenge(input),
            3 => {
                if let Some(answer) = self.good_answer(input) {
                    self.hear(&answer);
                }
            }
            4 => self.odd_answer(input),
            5 => {
                let (peer, len) = (peer(input), usize::from(input.u8()));
                self.hear(&indication(peer, &vec![7; len]));
            }
            6 => {
                let number = ChannelNumber(ChannelNumber::MIN.0 + u16::from(input.u8() % 4));
                let header = ChannelData::header(number, 3).expect("a number that can be bound");
                self.hear(&[&header[..], b"abc", &[0][..]].concat());
            }
            7 => {
                let len = usize::from(input.u8());
                let bytes = input.bytes(len).to_vec();
                self.hear(&bytes);
            }
            8 => self.pass(Duration::from_millis(u64::from(input.u16()) * 20), !input.u8().is_multiple_of(4)),
            _ => {
                let answer = self.good_answer(input);
                let bit = usize::from(input.u16());
                if let Some(mut answer) = answer {
                    let bit = bit % (answer.len() * 8);
                    answer[bit / 8] ^= 1 << (bit % 8);
                    self.hear(&answer);
                }
            }
        }
    }

    /// What an application does. Most calls are allowed at any time; an error changes nothing.
    fn call(&mut self, input: &mut Input<'_>) {
        let now = self.now;
        match input.u8() % 12 {
            0..=2 => drop(self.client.allocate(now)),
            3 => drop(self.client.new_port(now)),
            4 => self.client.moved(now),
            5 => self.client.disconnected(now),
            // What it wants again counts before the next request for it has left: answers to earlier ones may still come.
            what @ 6..=9 => {
                let peer = peer(input);
                let wanted = if what < 8 { self.client.permit(peer.ip(), now) } else { self.client.bind(peer, now) };
                self.asked.extend(wanted.is_ok().then(|| peer.ip().to_canonical()));
            }
            10 => {
                let peer = peer(input);
                self.client.forbid(peer.ip(), now);
                self.asked.remove(&peer.ip().to_canonical());
                self.client.unbind(peer, now);
            }
            _ => self.send(peer(input), usize::from(input.u16())),
        }
        match input.u8() {
            0xFF => self.client.close(now),
            0xFE => self.client.confirm(now),
            _ => {}
        }
    }

    /// Data to a peer: framed where there is a path.
    fn send(&mut self, peer: SocketAddr, len: usize) {
        self.client.record_sent(peer, self.now);
        let Some(mut path) = self.client.relay_path(peer) else { return };
        assert!(self.asked.contains(&path.peer().ip()), "a path to a peer that nobody asked for");
        let mut buffer = vec![0; MAX_PREFIX + len + MAX_PADDING];
        let Ok(packet) = path.frame(&mut buffer, MAX_PREFIX..MAX_PREFIX + len) else { return };
        match Message::parse(&buffer[packet.clone()]) {
            Ok(message) => assert_eq!(message.get(), Ok(Some(XorPeerAddress(path.peer())))),
            Err(_) => assert!(ChannelData::parse(&buffer[packet]).is_ok_and(|data| data.data.len() == len)),
        }
    }

    fn request(&self, input: &mut Input<'_>) -> Option<Vec<u8>> {
        let back = usize::from(input.u8()) % REMEMBERED;
        self.requests.iter().rev().nth(back % self.requests.len().max(1)).cloned()
    }

    fn challenge(&mut self, input: &mut Input<'_>) {
        let Some(request) = self.request(input) else { return };
        let code = input.choose(&[401, 401, 438]);
        let realm = input.choose(&["r", "r", "r", "s", "\u{10FFFF}"]);
        let features = input.choose(&[
            None,
            Some(SecurityFeatures::NONE),
            Some(SecurityFeatures::PASSWORD_ALGORITHMS),
            Some(SecurityFeatures::PASSWORD_ALGORITHMS | SecurityFeatures::USERNAME_ANONYMITY),
        ]);
        let mut nonce = features.map(|features| features.nonce_cookie().to_vec()).unwrap_or_default();
        let len = usize::from(input.u8() % 160);
        nonce.extend_from_slice(input.bytes(len));
        let offers: [&[PasswordAlgorithm<'_>]; 3] = [
            &[PasswordAlgorithm::MD5, PasswordAlgorithm::SHA256],
            &[PasswordAlgorithm::MD5],
            &[PasswordAlgorithm::new(9, b"what")],
        ];
        let offered = PasswordAlgorithms::new(offers[usize::from(input.u8() % 3)]);
        let offered = Some(offered).filter(|_| !input.u8().is_multiple_of(3));
        let raw = RawAttribute { kind: AttributeType::NONCE, value: &nonce };
        self.answer(&request, Class::Error, None, |message| {
            let message = message.attribute(&ErrorCode::new(code, "")).attribute(&Realm::new(realm));
            message.raw_attribute(raw).maybe(offered.as_ref())
        });
    }

    /// What the server should answer to a request.
    fn good_answer(&self, input: &mut Input<'_>) -> Option<Vec<u8>> {
        let request = self.request(input)?;
        let message = Message::parse(&request).ok()?;
        let lifetime = Lifetime(input.u16().into());
        let ticket = [input.u8(); 9];
        let ticket = Some(MobilityTicket(&ticket)).filter(|_| input.u8().is_multiple_of(2));
        let address = |text: &str| text.parse().expect("an address");
        let protection = protection_of(&message);
        let method = message.method();
        Some(respond(&request, Class::Success, protection.as_ref(), |message| match method {
            Method::ALLOCATE => message
                .attribute(&XorRelayedAddress(address("203.0.113.5:50000")))
                .attribute(&XorRelayedAddress(address("[2001:db8:5::5]:50000")))
                .attribute(&XorMappedAddress(address("198.51.100.7:5000")))
                .attribute(&lifetime)
                .maybe(ticket.as_ref()),
            Method::REFRESH => message.attribute(&lifetime).maybe(ticket.as_ref()),
            _ => message,
        }))
    }

    /// What a server may answer that is broken, hostile, or of another time.
    fn odd_answer(&mut self, input: &mut Input<'_>) {
        let Some(request) = self.request(input) else { return };
        let class = input.choose(&[Class::Success, Class::Error, Class::Error, Class::Indication]);
        let code = input.choose(&[300, 400, 403, 405, 420, 437, 440, 441, 442, 443, 486, 500, 508, 699]);
        let protection = match (input.u8() % 4, Message::parse(&request)) {
            (0 | 1, Ok(message)) => protection_of(&message),
            (2, _) => Some((Key::short_term("wrong"), IntegrityAlgorithm::Sha256)),
            _ => None,
        };
        let mut raw = Vec::new();
        for _ in 0..input.u8() % 4 {
            let (kind, len) = (input.choose(&KINDS), usize::from(input.u8() % 24));
            raw.push((kind, input.bytes(len)));
        }
        let error = (class == Class::Error).then(|| ErrorCode::new(code, "no"));
        let elsewhere = AlternateServer(peer(input));
        let elsewhere = (code == 300).then_some(&elsewhere);
        self.answer(&request, class, protection.as_ref(), |message| {
            let message = message.maybe(error.as_ref()).maybe(elsewhere);
            raw.iter().fold(message, |message, &(kind, value)| message.raw_attribute(RawAttribute { kind, value }))
        });
    }

    fn answer(
        &mut self,
        request: &[u8],
        class: Class,
        protection: Option<&(Key, IntegrityAlgorithm)>,
        fill: impl for<'b> FnOnce(MessageBuilder<'b>) -> MessageBuilder<'b>,
    ) {
        let answer = respond(request, class, protection, fill);
        self.hear(&answer);
    }

    fn hear(&mut self, packet: &[u8]) {
        match self.client.handle_datagram(self.server, packet, self.now) {
            Received::Data { peer, payload } => {
                assert!(self.asked.contains(&peer.ip()), "data of a peer that nobody asked for");
                assert!(payload.start <= payload.end && payload.end <= packet.len());
            }
            Received::Icmp { peer, .. } => assert!(self.asked.contains(&peer.ip())),
            Received::Turn | Received::Rejected(_) => {}
        }
    }

    /// Time goes by, with every timeout on time or with one that is late.
    fn pass(&mut self, time: Duration, on_time: bool) {
        let until = self.now + time;
        while let Some(at) = self.client.poll_timeout().filter(|&at| on_time && at <= until) {
            self.now = self.now.max(at);
            self.tick();
        }
        self.now = until;
        self.tick();
    }

    fn tick(&mut self) {
        self.client.handle_timeout(self.now);
        assert!(self.client.poll_timeout().is_none_or(|at| at > self.now), "a busy loop");
        self.settle();
    }

    fn settle(&mut self) {
        self.client.check_invariants();
        let (mut out, mut count) = ([0; MAX_TRANSMIT], 0);
        while let Some(len) = self.client.poll_transmit(&mut out) {
            count += 1;
            assert!(count <= MOST_PACKETS, "packets without end");
            let request = out[..len].to_vec();
            let message = Message::parse(&request).expect("the client sends STUN");
            assert_eq!(message.class(), Class::Request);
            self.asked.extend(message.get_all::<XorPeerAddress>().flatten().map(|peer| peer.0.ip()));
            self.requests.push(request);
        }
        let surplus = self.requests.len().saturating_sub(REMEMBERED);
        self.requests.drain(..surplus);
        while let Some(event) = self.client.poll_event() {
            assert!(!self.closed, "{event:?} after the end");
            self.closed = event == Event::Closed;
        }
    }

    fn end(&mut self) {
        self.client.close(self.now);
        self.settle();
        self.pass(Duration::from_secs(60), true);
        assert!(self.closed && self.client.is_closed() && self.client.poll_timeout().is_none());
    }
}

/// What protects a request, if anything does.
fn protection_of(request: &Message<'_>) -> Option<(Key, IntegrityAlgorithm)> {
    let realm = request.get::<Realm<'_>>().ok().flatten()?.as_str().ok()?;
    let algorithm = request.get::<PasswordAlgorithm<'_>>().ok().flatten();
    let key = match algorithm {
        Some(PasswordAlgorithm::SHA256) => Key::long_term_sha256("u", realm, "p"),
        _ => Key::long_term_md5("u", realm, "p"),
    };
    let integrity = if algorithm.is_some() { IntegrityAlgorithm::Sha256 } else { IntegrityAlgorithm::Sha1 };
    Some((key, integrity))
}

/// Nothing, if what is asked for is no message.
fn respond(
    request: &[u8],
    class: Class,
    protection: Option<&(Key, IntegrityAlgorithm)>,
    fill: impl for<'b> FnOnce(MessageBuilder<'b>) -> MessageBuilder<'b>,
) -> Vec<u8> {
    let mut out = vec![0; 2048];
    let request = Message::parse(request).expect("the client sends STUN");
    let message = fill(MessageBuilder::response(&mut out, class, &request));
    let len = match protection {
        Some((key, algorithm)) => message.integrity(key, *algorithm).finish(),
        None => message.finish(),
    };
    out.truncate(len.unwrap_or(1));
    out
}

fn indication(peer: SocketAddr, data: &[u8]) -> Vec<u8> {
    let mut out = vec![0; 512];
    let message = MessageBuilder::new(&mut out, Class::Indication, Method::DATA, TransactionId::new([1; 12]));
    let len = message.attribute(&XorPeerAddress(peer)).attribute(&Data(data)).finish();
    out.truncate(len.expect("it fits"));
    out
}

/// A stream comes apart into the same frames however it is split.
fn takes_streams_apart_alike(stream: &[u8]) {
    let apart = |size: usize| {
        let (mut deframer, mut frames) = (StreamDeframer::new(), Vec::new());
        for piece in stream.chunks(size) {
            deframer.space()[..piece.len()].copy_from_slice(piece);
            deframer.filled(piece.len());
            loop {
                match deframer.next_frame() {
                    Ok(Some(frame)) => frames.push(frame.to_vec()),
                    Ok(None) => break,
                    Err(_) => return (frames, true),
                }
            }
        }
        (frames, false)
    };
    let whole = apart(4096);
    assert_eq!(apart(1), whole);
    assert_eq!(apart(7), whole);
    let taken: usize = whole.0.iter().map(Vec::len).sum();
    assert!(taken <= stream.len());
}
