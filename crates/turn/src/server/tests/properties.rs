//! Whatever clients, peers, the driver and the clock do.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;
use std::vec;
use std::vec::Vec;

use floe_stun::attributes::{
    ChannelNumber, Data, EvenPort, Lifetime, MobilityTicket, RequestedTransport, XorPeerAddress,
};
use floe_stun::{ChannelData, Class, HEADER_LEN, Message, Method, Time};
use proptest::prelude::*;

use super::client::{Client, plain};
use super::hostile::{AMPLIFICATION, digest};
use super::world::World;
use crate::server::{Link, Received, SocketId};

/// Peers, the last of which are denied.
const PEERS: [&str; 5] =
    ["192.0.2.9:7000", "192.0.2.9:7001", "192.0.2.10:7000", "10.0.0.1:7000", "127.0.0.1:7000"];

/// What happens.
#[derive(Clone, Debug)]
enum Step {
    Allocate {
        client: usize,
        even: bool,
        mobile: bool,
    },
    Refresh {
        client: usize,
        lifetime: u32,
    },
    Permit {
        client: usize,
        peer: usize,
    },
    Bind {
        client: usize,
        number: u16,
        peer: usize,
    },
    Send {
        client: usize,
        peer: usize,
    },
    SendChannel {
        client: usize,
        number: u16,
    },
    FromPeer {
        client: usize,
        peer: usize,
    },
    Move {
        client: usize,
        to: usize,
    },
    Disconnect {
        client: usize,
    },
    Pass {
        seconds: u16,
    },
    /// The clock goes on, but no timer is served.
    Late {
        seconds: u16,
    },
    Junk {
        client: usize,
        bytes: Vec<u8>,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let client = 0..4_usize;
    let peer = 0..PEERS.len();
    let number = 0x4000..0x4003_u16;
    prop_oneof![
        4 => (client.clone(), any::<bool>(), any::<bool>())
            .prop_map(|(client, even, mobile)| Step::Allocate { client, even, mobile }),
        2 => (client.clone(), prop_oneof![Just(0), Just(600), Just(3600)])
            .prop_map(|(client, lifetime)| Step::Refresh { client, lifetime }),
        4 => (client.clone(), peer.clone()).prop_map(|(client, peer)| Step::Permit { client, peer }),
        4 => (client.clone(), number.clone(), peer.clone())
            .prop_map(|(client, number, peer)| Step::Bind { client, number, peer }),
        6 => (client.clone(), peer.clone()).prop_map(|(client, peer)| Step::Send { client, peer }),
        6 => (client.clone(), number).prop_map(|(client, number)| Step::SendChannel { client, number }),
        6 => (client.clone(), peer).prop_map(|(client, peer)| Step::FromPeer { client, peer }),
        1 => (client.clone(), client.clone()).prop_map(|(client, to)| Step::Move { client, to }),
        1 => client.clone().prop_map(|client| Step::Disconnect { client }),
        2 => (0..700_u16).prop_map(|seconds| Step::Pass { seconds }),
        1 => (0..700_u16).prop_map(|seconds| Step::Late { seconds }),
        1 => (client, proptest::collection::vec(any::<u8>(), 0..60))
            .prop_map(|(client, bytes)| Step::Junk { client, bytes }),
    ]
}

/// The world, and what a server should know of permissions: an oracle of a few lines, beside the server's tables.
struct Scene {
    world: World,
    clients: Vec<Client>,
    /// Where each client's relay is, and its ticket.
    relays: Vec<Option<SocketAddr>>,
    tickets: Vec<Vec<u8>>,
    /// Until when a relay may exchange data with an address.
    permitted: BTreeMap<(SocketAddr, IpAddr), Time>,
}

impl Scene {
    fn new() -> Self {
        let world = World::with(|config| config.relay_ports = 50_000..=50_005);
        let links = [
            Link::datagram(SocketId(1), "198.51.100.7:5000".parse().unwrap()),
            Link::datagram(SocketId(1), "198.51.100.7:5001".parse().unwrap()),
            Link::datagram(SocketId(2), "[2001:db8:7::1]:5000".parse().unwrap()),
            Link::stream(SocketId(3), "198.51.100.7:5000".parse().unwrap()),
        ];
        let clients = links.map(Client::on).to_vec();
        Self {
            world,
            clients,
            relays: [None; 4].to_vec(),
            tickets: [const { Vec::new() }; 4].to_vec(),
            permitted: BTreeMap::new(),
        }
    }

    fn peer(&self, peer: usize) -> XorPeerAddress {
        XorPeerAddress(PEERS[peer].parse().unwrap())
    }

    fn nonce(&mut self, client: usize) {
        // Old nonces are no subject here.
        let mut greeted = self.clients[client].clone();
        if self.world.server.phase == crate::server::Phase::Running {
            self.world.server.challenges =
                crate::server::rate_limit::Limiter::new(&crate::server::RateLimit::new([1; 16]));
            self.world.greet(&mut greeted);
            self.clients[client] = greeted;
        }
    }

    /// Notes that the server granted a permission.
    fn granted(&mut self, client: usize, peer: usize) {
        let relay = self.relays[client].expect("only an allocation can be granted something");
        let until = self.world.now + Duration::from_secs(300);
        self.permitted.insert((relay, self.peer(peer).0.ip()), until);
    }

    fn is_permitted(&self, relay: SocketAddr, peer: IpAddr) -> bool {
        self.permitted.get(&(relay, peer)).is_some_and(|until| *until > self.world.now)
    }

    fn take(&mut self, step: &Step) {
        match step {
            Step::Allocate { client, even, mobile } => self.allocate(*client, *even, *mobile),
            Step::Refresh { client, lifetime } => {
                self.nonce(*client);
                let lifetime = Lifetime(*lifetime);
                let client = self.clients[*client].clone();
                self.world.once(&client, Method::REFRESH, |message| message.attribute(&lifetime));
            }
            Step::Permit { client, peer } => {
                self.nonce(*client);
                let attribute = self.peer(*peer);
                let asking = self.clients[*client].clone();
                let answer = self
                    .world
                    .once(&asking, Method::CREATE_PERMISSION, |message| message.attribute(&attribute));
                if answer.code() == 0 {
                    self.granted(*client, *peer);
                }
            }
            Step::Bind { client, number, peer } => {
                self.nonce(*client);
                let mut asking = self.clients[*client].clone();
                if self.world.bind(&mut asking, *number, PEERS[*peer]) == 0 {
                    self.granted(*client, *peer);
                }
            }
            Step::Send { client, peer } => {
                let peer = self.peer(*peer);
                let data = plain(Class::Indication, Method::SEND, |message| {
                    message.attribute(&peer).attribute(&Data(b"payload"))
                });
                self.data(*client, &data);
            }
            Step::SendChannel { client, number } => {
                let header = ChannelData::header(ChannelNumber(*number), 7).unwrap();
                self.data(*client, &[&header[..], b"payload"].concat());
            }
            Step::FromPeer { client, peer } => self.hear_peer(*client, *peer),
            Step::Move { client, to } => self.move_to(*client, *to),
            Step::Disconnect { client } => {
                self.world.server.disconnected(self.clients[*client].link, self.world.now);
            }
            Step::Pass { seconds } => self.world.pass(Duration::from_secs((*seconds).into())),
            Step::Late { seconds } => self.world.now += Duration::from_secs((*seconds).into()),
            Step::Junk { client, bytes } => {
                let link = self.clients[*client].link;
                let _ = self.world.hand_in(link, bytes);
            }
        }
        self.world.drive();
        self.forget_closed();
    }

    fn allocate(&mut self, client: usize, even: bool, mobile: bool) {
        self.nonce(client);
        let asking = self.clients[client].clone();
        let even = even.then_some(EvenPort { reserve_next: true });
        let ticket = mobile.then_some(MobilityTicket(&[]));
        let answer = self.world.once(&asking, Method::ALLOCATE, |message| {
            message.attribute(&RequestedTransport::UDP).maybe(even.as_ref()).maybe(ticket.as_ref())
        });
        if answer.code() == 0 {
            let relay = answer.relayed()[0];
            self.permitted.retain(|(of, _), _| *of != relay);
            self.relays[client] = Some(relay);
            self.tickets[client] =
                answer.get::<MobilityTicket<'_>>().map_or_else(Vec::new, |ticket| ticket.0.to_vec());
        }
    }

    /// The client moves to where another one is, if that one has no allocation.
    fn move_to(&mut self, client: usize, to: usize) {
        self.nonce(to);
        let moved = self.clients[to].clone();
        let ticket = core::mem::take(&mut self.tickets[client]);
        let answer =
            self.world.once(&moved, Method::REFRESH, |message| message.attribute(&MobilityTicket(&ticket)));
        if answer.code() == 0 {
            self.relays[to] = self.relays[client];
            self.tickets[to] = answer.get::<MobilityTicket<'_>>().unwrap().0.to_vec();
        }
    }

    fn data(&mut self, client: usize, bytes: &[u8]) {
        let link = self.clients[client].link;
        let received = self.world.server.handle_datagram(link, bytes, self.world.now);
        if let Received::ToPeer { relay, peer, payload, .. } = received {
            assert_eq!(&bytes[payload], b"payload");
            let (address, _) =
                self.world.open.iter().find(|(_, open)| **open == relay).expect("an open relay");
            assert!(self.is_permitted(*address, peer.ip()), "{peer} from {address} without permission");
        }
    }

    fn hear_peer(&mut self, client: usize, peer: usize) {
        let Some(relay) = self.relays[client].filter(|relay| self.world.open.contains_key(relay)) else {
            return;
        };
        let permitted = self.is_permitted(relay, self.peer(peer).0.ip());
        if self.world.peer_sends(PEERS[peer], relay, b"payload").is_ok() {
            assert!(permitted, "{} to {relay} without permission", PEERS[peer]);
        }
    }

    fn forget_closed(&mut self) {
        let open = &self.world.open;
        self.relays.iter_mut().for_each(|relay| *relay = relay.filter(|relay| open.contains_key(relay)));
        self.permitted.retain(|(relay, _), _| open.contains_key(relay));
        assert_eq!(self.world.server.relays.len(), open.len(), "sockets and relays are the same");
    }
}

proptest! {
    #[test]
    fn nothing_passes_without_permission_and_nothing_is_left_behind(
        steps in proptest::collection::vec(step(), 1..60),
    ) {
        let mut scene = Scene::new();
        for step in &steps {
            scene.take(step);
        }
        // All that was, ends.
        scene.world.pass(Duration::from_secs(3600));
        prop_assert_eq!(digest(&scene.world), [0; 7]);
        prop_assert!(scene.world.open.is_empty());
    }

    #[test]
    fn strangers_change_nothing_and_get_little(
        body in proptest::collection::vec(any::<u8>(), 0..300),
        method in prop_oneof![Just(1_u16), Just(3), Just(4), Just(6), Just(8), Just(9), 0..0x1000_u16],
        class in 0..4_u16,
        cut in any::<bool>(),
    ) {
        let mut world = World::new();
        let (_, relay) = world.allocated("198.51.100.7:5000");
        let before = (digest(&world), world.open.clone());
        let kind = Method::new(method).unwrap();
        let classes = [Class::Request, Class::Indication, Class::Success, Class::Error];
        let mut datagram = plain(classes[usize::from(class)], kind, |message| message);
        datagram.extend(&body[..body.len() & !3]);
        let length = (datagram.len() - HEADER_LEN) as u16;
        datagram[2..4].copy_from_slice(&length.to_be_bytes());
        if cut {
            datagram.pop();
        }
        // On the 5-tuple of a client, and on one that is nobody's.
        for address in ["198.51.100.7:5000", "198.51.100.66:1"] {
            let link = Client::at(address).link;
            let (received, answer) = world.hand_in(link, &datagram);
            let to_peer = matches!(received, Received::ToPeer { .. });
            prop_assert!(!to_peer, "nobody is permitted to anybody");
            if let Some(answer) = answer {
                let extra = if answer.code() == 420 { 4 + 2 * 64 } else { AMPLIFICATION };
                prop_assert!(answer.0.len() <= datagram.len() + extra);
                prop_assert!(kind == Method::BINDING || answer.code() != 0);
                prop_assert!(Message::parse(&answer.0).unwrap().class() != Class::Request);
            }
        }
        prop_assert_eq!((digest(&world), world.open.clone()), before);
        prop_assert!(world.peer_sends("192.0.2.9:1", relay, b"x").is_err());
    }

    #[test]
    fn the_same_inputs_give_the_same_bytes(steps in proptest::collection::vec(step(), 1..40)) {
        let run = || {
            let mut scene = Scene::new();
            steps.iter().for_each(|step| scene.take(step));
            (scene.relays.clone(), scene.tickets.clone(), scene.clients.iter().map(|c| c.nonce.clone()).collect::<Vec<_>>(),
                scene.world.server.stats().clone())
        };
        prop_assert_eq!(run(), run());
    }
}
