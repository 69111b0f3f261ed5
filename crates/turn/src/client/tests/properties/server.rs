//! A small TURN server for properties: just enough of RFC 8656 to have something to talk to. `mood` makes it answer any
//! request with an error.

use std::collections::BTreeMap;
use std::format;
use std::net::{IpAddr, SocketAddr};
use std::vec::Vec;

use floe_stun::attributes::{ChannelNumber, Data, Lifetime, MobilityTicket, XorPeerAddress};
use floe_stun::{
    ChannelData, Class, IntegrityAlgorithm, Message, MessageBuilder, Method, Time, TransactionId,
};

use super::super::scene::{bare_error, challenge, coded, grant, has, key, nonce_of, parse, respond};
use super::super::secs;

#[derive(Default)]
struct Held {
    made_by: Option<TransactionId>,
    permissions: BTreeMap<IpAddr, Time>,
    channels: BTreeMap<u16, (SocketAddr, Time)>,
}

pub(super) struct Server {
    nonce: u32,
    ticket: u32,
    allocation: Option<Held>,
    /// The error that everything is answered with; 0 for none.
    pub(super) mood: u16,
}

impl Server {
    pub(super) const fn new() -> Self {
        Self { nonce: 0, ticket: 0, allocation: None, mood: 0 }
    }

    pub(super) const fn new_nonce(&mut self) {
        self.nonce += 1;
    }

    pub(super) fn restart(&mut self) {
        self.allocation = None;
        self.new_nonce();
    }

    /// The client has another port now, from which it has no allocation.
    pub(super) fn new_port(&mut self) {
        self.allocation = None;
    }

    fn nonce(&self) -> std::string::String {
        format!("nonce {}", self.nonce)
    }

    pub(super) fn handle(&mut self, request: &[u8], now: Time) -> Option<Vec<u8>> {
        let message = parse(request);
        if message.class() != Class::Request {
            return None;
        }
        // Somebody may have changed what the client was told.
        let stale = match message.verify(&key()) {
            Err(_) => Some(401),
            Ok(_) if nonce_of(request) != self.nonce() => Some(438),
            Ok(_) => None,
        };
        if let Some(code) = stale {
            return Some(challenge(request, code, &self.nonce()));
        }
        if let 401 | 438 = self.mood {
            self.nonce += 1;
            return Some(challenge(request, self.mood, &self.nonce()));
        }
        if self.mood != 0 && self.nonce % 5 == 4 {
            return Some(bare_error(request, self.mood)); // which the client is not to believe
        }
        let code = if self.mood == 0 { self.carry_out(&message, now).err() } else { Some(self.mood) };
        Some(self.answer(request, code))
    }

    /// Changes what has to change, or says which error to answer with.
    fn carry_out(&mut self, message: &Message<'_>, now: Time) -> Result<(), u16> {
        let lifetime = message.get::<Lifetime>().unwrap().map(|lifetime| lifetime.0);
        if message.method() == Method::ALLOCATE {
            let id = Some(message.transaction_id());
            let held = self.allocation.get_or_insert_with(|| Held { made_by: id, ..Held::default() });
            return if held.made_by == id { Ok(()) } else { Err(437) };
        }
        let held = self.allocation.as_mut().ok_or(437u16)?;
        let until = now + core::time::Duration::from_secs(300);
        let peers = message.get_all::<XorPeerAddress>().map(|peer| peer.unwrap().0);
        match message.method() {
            Method::REFRESH if lifetime == Some(0) => self.allocation = None,
            Method::CREATE_PERMISSION => held.permissions.extend(peers.map(|peer| (peer.ip(), until))),
            Method::CHANNEL_BIND => {
                let number = message.get::<ChannelNumber>().unwrap().unwrap();
                let peer = message.get::<XorPeerAddress>().unwrap().unwrap().0;
                held.channels.retain(|_, (_, until)| now < *until);
                let conflict = held.channels.iter().any(|(n, (p, _))| (*n == number.0) != (*p == peer));
                if conflict {
                    return Err(400);
                }
                held.permissions.insert(peer.ip(), until);
                held.channels.insert(number.0, (peer, now + core::time::Duration::from_secs(600)));
            }
            _ => {}
        }
        Ok(())
    }

    fn answer(&mut self, request: &[u8], code: Option<u16>) -> Vec<u8> {
        let key = key();
        let protection = Some((&key, IntegrityAlgorithm::Sha1));
        if let Some(code) = code {
            return respond(request, Class::Error, &|builder| coded(builder, code), protection);
        }
        let mobile = has::<MobilityTicket<'_>>(request).is_some();
        self.ticket += u32::from(mobile);
        let ticket = format!("ticket {}", self.ticket);
        let ticket = mobile.then_some(MobilityTicket(ticket.as_bytes()));
        match parse(request).method() {
            Method::ALLOCATE => {
                respond(request, Class::Success, &|builder| grant(builder).maybe(ticket.as_ref()), protection)
            }
            Method::REFRESH => {
                let lifetime = Lifetime(has::<Lifetime>(request).map_or(600, |lifetime| lifetime.0));
                let fill: super::super::scene::Fill<'_> =
                    &|builder| builder.attribute(&lifetime).maybe(ticket.as_ref());
                respond(request, Class::Success, fill, protection)
            }
            _ => respond(request, Class::Success, &|builder| builder, protection),
        }
    }

    /// What the client gets when the peer sends data, if it has permission.
    pub(super) fn relay(&self, peer: SocketAddr, now: Time) -> Option<Vec<u8>> {
        let held = self.allocation.as_ref()?;
        held.permissions.get(&peer.ip()).filter(|until| now < **until)?;
        let bound = held.channels.iter().find(|(_, (owner, until))| *owner == peer && now < *until);
        Some(bound.map_or_else(|| data_from(peer), |(number, _)| channel_data(*number)))
    }
}

pub(super) fn data_from(peer: SocketAddr) -> Vec<u8> {
    let mut out = [0; 128];
    let id = TransactionId::new([0x33; 12]);
    let builder = MessageBuilder::new(&mut out, Class::Indication, Method::DATA, id);
    let len = builder.attribute(&XorPeerAddress(peer)).attribute(&Data(b"data")).finish().unwrap();
    out[..len].to_vec()
}

pub(super) fn channel_data(number: u16) -> Vec<u8> {
    let header = ChannelData::header(ChannelNumber(0x4000 + number % 0x1000), 4).unwrap();
    [&header[..], b"data"].concat()
}

#[test]
fn the_server_holds_what_it_says() {
    let mut server = Server::new();
    assert_eq!(server.relay(super::super::scene::addr("198.51.100.7:1"), secs(1)), None);
    server.allocation = Some(Held::default());
    assert_eq!(server.relay(super::super::scene::addr("198.51.100.7:1"), secs(1)), None);
}
