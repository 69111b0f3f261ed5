//! A server with a driver that does at once what it is asked to.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;
use std::vec::Vec;

use floe_stun::attributes::{ChannelNumber, Data, Nonce, XorPeerAddress};
use floe_stun::{ChannelData, Class, MessageBuilder, Method, Time, TransactionId};

use super::client::{Client, Response, for_udp, plain};
use crate::server::{
    Command, Config, Credentials, Event, FromPeer, Link, MAX_TRANSMIT, Received, Rejection, RelayAddress,
    RelayId, Server,
};

pub(super) const RELAY_V4: &str = "203.0.113.5";
pub(super) const RELAY_V6: &str = "2001:db8:5::5";

pub(super) struct World {
    pub(super) server: Server,
    pub(super) now: Time,
    ids: u64,
    /// The open relay sockets.
    pub(super) open: BTreeMap<SocketAddr, RelayId>,
    /// Ports that the driver cannot open.
    pub(super) busy: Vec<u16>,
    /// Whether commands are answered.
    pub(super) driving: bool,
    /// Commands that were not answered.
    pub(super) waiting: Vec<Command>,
}

/// What went where.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Relayed {
    pub(super) from: SocketAddr,
    pub(super) to: SocketAddr,
    pub(super) payload: Vec<u8>,
    pub(super) dont_fragment: bool,
}

impl World {
    pub(super) fn new() -> Self {
        Self::with(|_| {})
    }

    pub(super) fn config() -> Config {
        let mut credentials = Credentials::new("example.org").unwrap();
        credentials.add_user("alice", "alice's").unwrap();
        credentials.add_user("bob", "bob's").unwrap();
        let mut config = Config::new([9; 32], credentials);
        config.relay_ipv4 = Some(RelayAddress::direct(RELAY_V4.parse().unwrap()));
        config.relay_ipv6 = Some(RelayAddress::direct(RELAY_V6.parse().unwrap()));
        config
    }

    pub(super) fn with(change: impl FnOnce(&mut Config)) -> Self {
        let mut config = Self::config();
        change(&mut config);
        Self {
            server: Server::new(config).unwrap(),
            now: Time::from_secs(1000),
            ids: 0,
            open: BTreeMap::new(),
            busy: Vec::new(),
            driving: true,
            waiting: Vec::new(),
        }
    }

    pub(super) fn id(&mut self) -> TransactionId {
        self.ids += 1;
        let mut id = [0; 12];
        id[4..].copy_from_slice(&self.ids.to_be_bytes());
        TransactionId::new(id)
    }

    /// Lets time pass, and the server do what is due meanwhile.
    pub(super) fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(due) = self.server.poll_timeout().filter(|due| *due <= end) {
            self.now = self.now.max(due);
            self.server.handle_timeout(self.now);
            assert!(self.server.poll_timeout().is_none_or(|next| next > self.now), "a timer that never ends");
            self.drive();
        }
        self.now = end;
    }

    /// Does what the server asks for.
    pub(super) fn drive(&mut self) {
        while let Some(command) = self.server.poll_command() {
            match command {
                Command::OpenRelay { .. } if !self.driving => self.waiting.push(command),
                Command::OpenRelay { relay, address } => {
                    if self.busy.contains(&address.port()) {
                        self.server.relay_failed(relay, self.now);
                    } else {
                        assert_eq!(self.open.insert(address, relay), None, "{address} opened twice");
                        self.server.relay_opened(relay, self.now);
                    }
                }
                Command::CloseRelay { relay } => {
                    let before = self.open.len();
                    self.open.retain(|_, open| *open != relay);
                    assert_eq!(self.open.len() + 1, before, "{relay:?} was not open");
                }
            }
        }
    }

    /// Everything that waits to be sent.
    pub(super) fn sent(&mut self) -> Vec<(Link, Response)> {
        self.drive();
        let mut out = [0; MAX_TRANSMIT];
        let mut sent = Vec::new();
        while let Some(transmit) = self.server.poll_transmit(&mut out) {
            sent.push((transmit.link, Response(out[..transmit.len].to_vec())));
        }
        sent
    }

    pub(super) fn hand_in(&mut self, link: Link, bytes: &[u8]) -> (Received, Option<Response>) {
        let received = self.server.handle_datagram(link, bytes, self.now);
        let mut sent = self.sent();
        assert!(sent.len() <= 1, "more than one answer");
        let answer = sent.pop().map(|(to, answer)| {
            assert_eq!(to, link, "an answer goes back to where the request came from");
            answer
        });
        (received, answer)
    }

    /// Sends a request as it is, and returns its answer.
    pub(super) fn ask(&mut self, link: Link, bytes: &[u8]) -> Response {
        let (received, answer) = self.hand_in(link, bytes);
        answer.unwrap_or_else(|| panic!("no answer, but {received:?}"))
    }

    /// Sends a signed request once, with whatever nonce the client has.
    pub(super) fn once(
        &mut self,
        client: &Client,
        method: Method,
        attributes: impl for<'b> FnOnce(MessageBuilder<'b>) -> MessageBuilder<'b>,
    ) -> Response {
        let request = client.request(self.id(), method, attributes);
        self.ask(client.link, &request)
    }

    /// Gets a nonce for a client.
    pub(super) fn greet(&mut self, client: &mut Client) {
        let challenge = self.ask(client.link, &plain(Class::Request, Method::ALLOCATE, for_udp));
        assert_eq!(challenge.code(), 401);
        client.nonce = challenge.get::<Nonce<'_>>().unwrap().as_bytes().to_vec();
    }

    /// Sends a signed request, with a nonce that was got for it if the client has none.
    pub(super) fn request(
        &mut self,
        client: &mut Client,
        method: Method,
        attributes: impl for<'b> FnOnce(MessageBuilder<'b>) -> MessageBuilder<'b>,
    ) -> Response {
        if client.nonce.is_empty() {
            self.greet(client);
        }
        self.once(client, method, attributes)
    }

    /// A client at this address with an allocation, and its relayed address.
    pub(super) fn allocated(&mut self, address: &str) -> (Client, SocketAddr) {
        self.allocated_on(Client::at(address))
    }

    pub(super) fn allocated_on(&mut self, mut client: Client) -> (Client, SocketAddr) {
        let response = self.request(&mut client, Method::ALLOCATE, for_udp);
        assert_eq!(response.code(), 0, "{response:?}");
        (client, response.relayed()[0])
    }

    pub(super) fn permit(&mut self, client: &mut Client, peer: &str) {
        let peer = XorPeerAddress(peer.parse().unwrap());
        let response = self.request(client, Method::CREATE_PERMISSION, |message| message.attribute(&peer));
        assert_eq!(response.code(), 0, "{response:?}");
    }

    pub(super) fn bind(&mut self, client: &mut Client, number: u16, peer: &str) -> u16 {
        let (number, peer) = (ChannelNumber(number), XorPeerAddress(peer.parse().unwrap()));
        self.request(client, Method::CHANNEL_BIND, |message| message.attribute(&number).attribute(&peer))
            .code()
    }

    /// Data from a client to a peer in a Send indication.
    pub(super) fn send(&mut self, client: &Client, peer: &str, payload: &[u8]) -> Result<Relayed, Rejection> {
        let peer = XorPeerAddress(peer.parse().unwrap());
        let indication = plain(Class::Indication, Method::SEND, |message| {
            message.attribute(&peer).attribute(&Data(payload))
        });
        self.relay(client.link, &indication)
    }

    /// Data from a client in a channel.
    pub(super) fn send_channel(
        &mut self,
        client: &Client,
        number: u16,
        payload: &[u8],
    ) -> Result<Relayed, Rejection> {
        let header = ChannelData::header(ChannelNumber(number), payload.len()).unwrap();
        self.relay(client.link, &[&header, payload].concat())
    }

    pub(super) fn relay(&mut self, link: Link, bytes: &[u8]) -> Result<Relayed, Rejection> {
        match self.server.handle_datagram(link, bytes, self.now) {
            Received::ToPeer { relay, peer, payload, dont_fragment } => {
                let from = self.open.iter().find(|(_, open)| **open == relay).expect("an open relay");
                Ok(Relayed { from: *from.0, to: peer, payload: bytes[payload].to_vec(), dont_fragment })
            }
            Received::Rejected(why) => Err(why),
            Received::Handled => panic!("data were not relayed"),
        }
    }

    /// Data from a peer to a relayed address: where it goes, and as what.
    pub(super) fn peer_sends(
        &mut self,
        peer: &str,
        relay: SocketAddr,
        payload: &[u8],
    ) -> Result<(Link, Vec<u8>), Rejection> {
        let relay = self.open[&relay];
        match self.server.handle_peer_datagram(relay, peer.parse().unwrap(), payload.len(), self.now) {
            FromPeer::ToClient { link, frame } => {
                Ok((link, [frame.prefix(), payload, frame.padding()].concat()))
            }
            FromPeer::Rejected(why) => Err(why),
        }
    }

    pub(super) fn events(&mut self) -> Vec<Event> {
        std::iter::from_fn(|| self.server.poll_event()).collect()
    }
}
