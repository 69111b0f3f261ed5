//! RFC 8656 §11 and §12.4 to §12.7: data in both directions, and ICMP.

use std::time::Duration;

use floe_stun::attributes::{ChannelNumber, Data, DontFragment, Icmp, XorPeerAddress};
use floe_stun::{AttributeType, ChannelData, Class, Message, MessageBuilder, Method, RawAttribute};

use super::client::{Client, plain};
use super::world::World;
use crate::server::{Bandwidth, Link, Received, Rejection, SocketId};

const AT: &str = "198.51.100.7:5000";
const PEER: &str = "192.0.2.9:7000";

fn indication(
    attributes: impl for<'b> FnOnce(MessageBuilder<'b>) -> MessageBuilder<'b>,
) -> std::vec::Vec<u8> {
    plain(Class::Indication, Method::SEND, attributes)
}

#[test]
fn a_send_indication_becomes_a_datagram_from_the_relay() {
    let mut world = World::new();
    let (mut client, relay) = world.allocated(AT);
    world.permit(&mut client, PEER);
    for payload in [&b"hello"[..], b"", b"1234"] {
        let sent = world.send(&client, PEER, payload).unwrap();
        assert_eq!((sent.from, sent.to), (relay, PEER.parse().unwrap()));
        assert_eq!((&*sent.payload, sent.dont_fragment), (payload, false));
    }
}

#[test]
fn a_send_indication_that_lacks_something_is_discarded() {
    let mut world = World::new();
    let (mut client, _) = world.allocated(AT);
    world.permit(&mut client, PEER);
    let peer = XorPeerAddress(PEER.parse().unwrap());
    let short = RawAttribute { kind: AttributeType::XOR_PEER_ADDRESS, value: b"?" };
    let unknown = RawAttribute { kind: AttributeType::new(0x7001), value: b"" };
    let bad = [
        (indication(|message| message.attribute(&peer)), Rejection::BadRequest),
        (indication(|message| message.attribute(&Data(b"x"))), Rejection::BadRequest),
        (indication(|message| message.raw_attribute(short).attribute(&Data(b"x"))), Rejection::BadRequest),
        (
            indication(|message| message.attribute(&peer).attribute(&Data(b"x")).raw_attribute(unknown)),
            Rejection::UnknownAttribute,
        ),
        (
            indication(|message| message.attribute(&peer).attribute(&Data(b"x")).attribute(&DontFragment)),
            Rejection::UnknownAttribute,
        ),
    ];
    for (bytes, why) in bad {
        assert_eq!(world.relay(client.link, &bytes), Err(why));
        assert!(world.sent().is_empty(), "an indication has no answer");
    }
}

#[test]
fn dont_fragment_is_passed_on_between_ipv4_and_from_streams() {
    let mut world = World::with(|config| config.can_set_dont_fragment = true);
    let flagged = |world: &mut World, client: &Client, peer: &str| {
        let peer = XorPeerAddress(peer.parse().unwrap());
        let bytes =
            indication(|message| message.attribute(&DontFragment).attribute(&peer).attribute(&Data(b"x")));
        world.relay(client.link, &bytes).unwrap().dont_fragment
    };
    let (mut v4, _) = world.allocated(AT);
    let (mut v6, _) = world.allocated("[2001:db8:7::1]:5000");
    let stream = Link::stream(SocketId(7), "[2001:db8:7::1]:5000".parse().unwrap());
    let (mut stream, _) = world.allocated_on(Client::on(stream));
    for client in [&mut v4, &mut v6, &mut stream] {
        world.permit(client, PEER);
    }
    assert!(flagged(&mut world, &v4, PEER));
    assert!(!flagged(&mut world, &v6, PEER));
    assert!(flagged(&mut world, &stream, PEER));
}

#[test]
fn channel_data_go_to_the_bound_peer_whatever_their_length() {
    let mut world = World::new();
    let (mut client, relay) = world.allocated(AT);
    assert_eq!(world.bind(&mut client, 0x4000, PEER), 0);
    for payload in [&b"hello"[..], b""] {
        let sent = world.send_channel(&client, 0x4000, payload).unwrap();
        assert_eq!((sent.from, sent.to, &*sent.payload), (relay, PEER.parse().unwrap(), payload));
    }
    // Padding is tolerated in a datagram, a truncated message is not.
    let padded = world.relay(client.link, b"\x40\x00\x00\x01x\0\0\0").unwrap();
    assert_eq!(padded.payload, b"x");
    assert_eq!(world.relay(client.link, b"\x40\x00\x00\x05x"), Err(Rejection::Malformed));
    assert_eq!(world.relay(client.link, b"\x40\x00\x00"), Err(Rejection::Malformed));
    assert_eq!(world.send_channel(&client, 0x4001, b"x"), Err(Rejection::UnboundChannel));
    // Reserved numbers, and what is no TURN at all.
    for first in [0x50, 0x80, 0xFF, 0x10, 0x14, 0x04] {
        assert_eq!(world.relay(client.link, &[first, 0, 0, 1, 9]), Err(Rejection::NotTurn), "{first:#x}");
    }
    assert_eq!(world.relay(client.link, b""), Err(Rejection::NotTurn));
}

#[test]
fn a_peers_datagram_becomes_a_data_indication_or_channel_data() {
    let mut world = World::new();
    let (mut client, relay) = world.allocated(AT);
    world.permit(&mut client, PEER);
    let (link, packet) = world.peer_sends(PEER, relay, b"hello").unwrap();
    assert_eq!(link, client.link);
    let message = Message::parse(&packet).unwrap();
    assert_eq!((message.class(), message.method()), (Class::Indication, Method::DATA));
    assert_eq!(message.get(), Ok(Some(XorPeerAddress(PEER.parse().unwrap()))));
    assert_eq!(message.get(), Ok(Some(Data(b"hello"))));
    let (_, again) = world.peer_sends(PEER, relay, b"hello").unwrap();
    assert_ne!(Message::parse(&again).unwrap().transaction_id(), message.transaction_id());

    assert_eq!(world.bind(&mut client, 0x4001, PEER), 0);
    let (_, packet) = world.peer_sends(PEER, relay, b"hello").unwrap();
    let message = ChannelData::parse(&packet).unwrap();
    assert_eq!((message.channel, message.data, packet.len()), (ChannelNumber(0x4001), &b"hello"[..], 9));
    // Another port of the same peer has no channel, but the permission.
    let (_, packet) = world.peer_sends("192.0.2.9:7001", relay, b"").unwrap();
    assert_eq!(Message::parse(&packet).unwrap().get(), Ok(Some(Data(b""))));
}

#[test]
fn what_goes_to_a_stream_is_padded() {
    let mut world = World::new();
    let (mut client, relay) = world.allocated_on(Client::on(Link::stream(SocketId(7), AT.parse().unwrap())));
    assert_eq!(world.bind(&mut client, 0x4001, PEER), 0);
    let (_, packet) = world.peer_sends(PEER, relay, b"hello").unwrap();
    assert_eq!(packet.len(), 12);
    assert_eq!(ChannelData::parse(&packet).unwrap().data, b"hello");
}

#[test]
fn strangers_and_dead_relays_reach_nobody() {
    let mut world = World::new();
    let (mut client, relay) = world.allocated(AT);
    assert_eq!(world.peer_sends(PEER, relay, b"x"), Err(Rejection::NoPermission));
    world.permit(&mut client, "192.0.2.10:1");
    assert_eq!(world.peer_sends(PEER, relay, b"x"), Err(Rejection::NoPermission));
    assert_eq!(world.server.stats().to_clients.packets, 0);
    assert_eq!(world.server.stats().rejected(Rejection::NoPermission), 2);
}

#[test]
fn icmp_errors_about_permitted_peers_are_reported() {
    let mut world = World::new();
    let (mut client, relay) = world.allocated(AT);
    world.permit(&mut client, PEER);
    assert_eq!(world.bind(&mut client, 0x4000, PEER), 0);
    let relay = world.open[&relay];
    let mut report = |peer: &str, icmp_type, code| {
        let icmp = Icmp { icmp_type, code, data: [0, 0, 5, 0] };
        world.server.handle_icmp(relay, peer.parse().unwrap(), icmp, world.now);
        let sent = world.sent().pop()?;
        let message = sent.1.message();
        assert_eq!(
            (sent.0, message.class(), message.method()),
            (client.link, Class::Indication, Method::DATA)
        );
        assert_eq!(message.get::<Data<'_>>(), Ok(None));
        assert_eq!(message.get(), Ok(Some(XorPeerAddress(peer.parse().unwrap()))));
        message.get::<Icmp>().unwrap()
    };
    // Only "fragmentation needed" has an MTU.
    assert_eq!(report(PEER, 3, 4), Some(Icmp { icmp_type: 3, code: 4, data: [0, 0, 5, 0] }));
    assert_eq!(report(PEER, 3, 3), Some(Icmp { icmp_type: 3, code: 3, data: [0; 4] }));
    assert_eq!(report("192.0.2.9:0", 11, 0), Some(Icmp { icmp_type: 11, code: 0, data: [0; 4] }));
    for (peer, icmp_type) in [(PEER, 0), (PEER, 8), ("192.0.2.10:7", 3), ("[2001:db8::9]:7", 1)] {
        assert_eq!(report(peer, icmp_type, 0), None, "{peer} {icmp_type}");
    }
    assert_eq!(world.server.stats().rejected(Rejection::IrrelevantIcmp), 2);
}

#[test]
fn data_beyond_the_bandwidth_are_dropped_in_both_directions() {
    let limit = Bandwidth { bytes_per_second: 1000, burst_bytes: 1000 };
    let mut world = World::with(|config| config.limits.bandwidth = Some(limit));
    let (mut client, relay) = world.allocated(AT);
    world.permit(&mut client, PEER);
    world.pass(Duration::from_secs(1));
    let half = [0; 500];
    assert!(world.send(&client, PEER, &half).is_ok());
    assert!(world.peer_sends(PEER, relay, &half).is_ok());
    assert_eq!(world.send(&client, PEER, &half), Err(Rejection::BandwidthExceeded));
    assert_eq!(world.peer_sends(PEER, relay, b"x"), Err(Rejection::BandwidthExceeded));
    world.pass(Duration::from_millis(500));
    assert!(world.send(&client, PEER, &half).is_ok());
}

#[test]
fn keepalives_and_nonsense_have_no_answer() {
    let mut world = World::new();
    let link = Client::at(AT).link;
    let keepalive = plain(Class::Indication, Method::BINDING, |message| message);
    assert_eq!(world.hand_in(link, &keepalive), (Received::Handled, None));
    let nonsense = [
        plain(Class::Success, Method::ALLOCATE, |message| message),
        plain(Class::Error, Method::REFRESH, |message| message),
        plain(Class::Indication, Method::DATA, |message| message),
        plain(Class::Request, Method::SEND, |message| message),
        plain(Class::Request, Method::CONNECT, |message| message),
        plain(Class::Indication, Method::ALLOCATE, |message| message),
    ];
    for bytes in nonsense {
        assert_eq!(world.hand_in(link, &bytes), (Received::Rejected(Rejection::UnexpectedMessage), None));
    }
    assert_eq!(world.hand_in(link, b"\0\x01"), (Received::Rejected(Rejection::Malformed), None));
}

#[test]
fn binding_is_answered_without_credentials() {
    use floe_stun::attributes::XorMappedAddress;
    let mut world = World::new();
    let link = Client::at(AT).link;
    let answer = world.ask(link, &plain(Class::Request, Method::BINDING, |message| message));
    assert_eq!(answer.get(), Some(XorMappedAddress(link.client)));
    let nowhere = Link::datagram(SocketId(1), "198.51.100.7:0".parse().unwrap());
    for method in [Method::BINDING, Method::ALLOCATE] {
        let request = plain(Class::Request, method, |message| message);
        let refused = Received::Rejected(Rejection::UnanswerableSource);
        assert_eq!(world.hand_in(nowhere, &request), (refused, None));
    }
    assert_eq!(world.server.stats().bindings, 1);
}
