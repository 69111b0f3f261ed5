//! RFC 8656 §11 and §12.4 to §12.6: data from and to peers.

use std::vec;
use std::vec::Vec;

use floe_stun::attributes::{ChannelNumber, Data, Icmp, XorPeerAddress};
use floe_stun::{
    AttributeType, ChannelData, Class, Message, MessageBuilder, Method, RawAttribute, TransactionId,
};

use super::super::{Config, Event, Received, Rejection};
use super::scene::{Scene, addr, config, grant, has, parse};
use crate::{MAX_PADDING, MAX_PREFIX};

const PEER: &str = "198.51.100.7:5000";
const OTHER_PORT: &str = "198.51.100.7:6000";
const STRANGER: &str = "198.51.100.8:5000";

fn indication(fill: impl for<'b> Fn(MessageBuilder<'b>) -> MessageBuilder<'b>) -> Vec<u8> {
    let mut out = vec![0; 2048];
    let id = TransactionId::new([0x44; 12]);
    let builder = fill(MessageBuilder::new(&mut out, Class::Indication, Method::DATA, id));
    let len = builder.finish().unwrap();
    out.truncate(len);
    out
}

pub(super) fn data_from(peer: &str, data: &[u8]) -> Vec<u8> {
    indication(|builder| builder.attribute(&XorPeerAddress(addr(peer))).attribute(&Data(data)))
}

fn channel_data(channel: u16, data: &[u8]) -> Vec<u8> {
    let mut packet = ChannelData::header(ChannelNumber(channel), data.len()).unwrap().to_vec();
    packet.extend_from_slice(data);
    packet
}

/// The peer and the bytes of what has to be data.
#[track_caller]
fn delivered(scene: &mut Scene, datagram: &[u8]) -> (std::net::SocketAddr, Vec<u8>) {
    match scene.hear(datagram) {
        Received::Data { peer, payload } => (peer, datagram[payload].to_vec()),
        other => panic!("{other:?}"),
    }
}

#[test]
fn data_from_a_permitted_peer_are_a_range_of_the_datagram() {
    let mut scene = Scene::permitted(config(), PEER);
    for data in [&b""[..], b"x", b"hello", &[7; 1200]] {
        for peer in [PEER, OTHER_PORT] {
            let datagram = data_from(peer, data);
            assert_eq!(delivered(&mut scene, &datagram), (addr(peer), data.to_vec()));
        }
    }
}

#[test]
fn data_from_others_never_surface() {
    let mut scene = Scene::permitted(config(), PEER);
    scene.reject(&data_from(STRANGER, b"x"), Rejection::NoPermission);
    scene.client.forbid(addr(PEER).ip(), scene.now);
    scene.reject(&data_from(PEER, b"x"), Rejection::NoPermission);

    let (mut scene, _) = Scene::challenged(config());
    scene.client.permit(addr(PEER).ip(), scene.now).unwrap();
    scene.reject(&data_from(PEER, b"x"), Rejection::NoAllocation);
    scene.reject(&channel_data(0x4000, b"x"), Rejection::NoAllocation);
}

#[test]
fn data_may_overtake_the_answer_that_permits_them() {
    let mut scene = Scene::allocated(config());
    scene.client.permit(addr(PEER).ip(), scene.now).unwrap();
    assert_eq!(delivered(&mut scene, &data_from(PEER, b"early")).1, b"early");
}

#[test]
fn an_indication_without_peer_or_data_or_with_what_we_do_not_know_is_dropped() {
    let mut scene = Scene::permitted(config(), PEER);
    let peer = XorPeerAddress(addr(PEER));
    scene.reject(&indication(|builder| builder.attribute(&Data(b"x"))), Rejection::MissingAttribute);
    scene.reject(&indication(|builder| builder.attribute(&peer)), Rejection::MissingAttribute);
    let unknown = RawAttribute { kind: AttributeType::new(0x7777), value: &[] };
    let foreign =
        indication(|builder| builder.attribute(&peer).attribute(&Data(b"x")).raw_attribute(unknown));
    scene.reject(&foreign, Rejection::UnknownAttribute);
    let family = RawAttribute { kind: AttributeType::XOR_PEER_ADDRESS, value: &[0, 3, 0, 0, 1, 2, 3, 4] };
    let odd = indication(|builder| builder.raw_attribute(family).attribute(&Data(b"x")));
    scene.reject(&odd, Rejection::Malformed);
    let mut send = data_from(PEER, b"x");
    send[1] = 0x16; // a Send indication
    scene.reject(&send, Rejection::UnexpectedMessage);
}

#[test]
fn an_icmp_error_is_told_if_the_peer_is_permitted() {
    let mut scene = Scene::permitted(config(), PEER);
    let icmp = Icmp { icmp_type: 3, code: 4, data: [0, 0, 4, 0xD2] };
    let about = |peer: &str| {
        let peer = XorPeerAddress(addr(peer));
        indication(|builder| builder.attribute(&peer).attribute(&icmp))
    };
    assert_eq!(scene.hear(&about(PEER)), Received::Icmp { peer: addr(PEER), icmp });
    scene.reject(&about(STRANGER), Rejection::NoPermission);
    scene.reject(&indication(|builder| builder.attribute(&icmp)), Rejection::MissingAttribute);
}

/// The packet that carries data along the path there is.
fn sent(scene: &Scene, peer: &str, payload: &[u8]) -> Vec<u8> {
    let mut path = scene.client.relay_path(addr(peer)).expect("a path");
    assert_eq!((path.peer(), path.epoch()), (addr(peer), scene.client.path_epoch()));
    let mut buffer = vec![0; MAX_PREFIX + payload.len() + MAX_PADDING];
    let place = MAX_PREFIX..MAX_PREFIX + payload.len();
    buffer[place.clone()].copy_from_slice(payload);
    let packet = path.frame(&mut buffer, place).unwrap();
    buffer[packet].to_vec()
}

#[test]
fn data_go_as_send_indications_until_the_channel_is_bound() {
    let mut scene = Scene::permitted(config(), PEER);
    let message = sent(&scene, PEER, b"before");
    assert_eq!((has(&message), has(&message)), (Some(XorPeerAddress(addr(PEER))), Some(Data(b"before"))));
    assert!(!types_have_df(&message));

    let epoch = scene.client.path_epoch();
    scene.client.bind(addr(PEER), scene.now).unwrap();
    let request = scene.request();
    assert_eq!(parse(&request).method(), Method::CHANNEL_BIND);
    assert_eq!(has(&sent(&scene, PEER, b"meanwhile")), Some(Data(b"meanwhile")));
    assert_eq!(scene.client.path_epoch(), epoch);

    let answer = scene.success(&request, &|builder| builder);
    scene.deliver(&answer);
    let channel = ChannelNumber(0x4000);
    assert_eq!(scene.events(), [Event::ChannelBound { peer: addr(PEER), channel }]);
    assert_ne!(scene.client.path_epoch(), epoch, "ask for the path again");
    assert_eq!(sent(&scene, PEER, b"after"), channel_data(0x4000, b"after"));
    // Another port of the same peer has the permission and not the channel.
    assert_eq!(has(&sent(&scene, OTHER_PORT, b"x")), Some(Data(b"x")));
}

fn types_have_df(packet: &[u8]) -> bool {
    super::scene::types(packet).contains(&AttributeType::DONT_FRAGMENT)
}

#[test]
fn without_a_permission_there_is_no_path() {
    let mut scene = Scene::allocated(config());
    assert!(scene.client.relay_path(addr(PEER)).is_none());
    scene.client.permit(addr(PEER).ip(), scene.now).unwrap();
    assert!(scene.client.relay_path(addr(PEER)).is_none(), "asked for is not installed");
    assert!(!scene.client.is_permitted(addr(PEER).ip()));
    scene.grant_request(Method::CREATE_PERMISSION);
    assert!(scene.client.relay_path(addr(PEER)).is_some());
    assert!(scene.client.is_permitted(addr(PEER).ip()));
    assert!(scene.client.relay_path(addr(STRANGER)).is_none());
    let mapped = addr("[::ffff:198.51.100.7]:5000");
    assert_eq!(scene.client.relay_path(mapped).unwrap().peer(), addr(PEER));
}

#[test]
fn dont_fragment_is_in_send_indications_if_the_server_knows_it() {
    let mut scene = Scene::permitted(Config { dont_fragment: true, ..config() }, PEER);
    assert!(types_have_df(&sent(&scene, PEER, b"x")));
    scene.client.record_sent(addr(PEER), scene.now);
    assert!(scene.packets().is_empty());
}

#[test]
fn channel_data_are_taken_from_the_moment_the_bind_is_sent() {
    let mut scene = Scene::permitted(config(), PEER);
    scene.reject(&channel_data(0x4000, b"x"), Rejection::UnknownChannel);
    scene.client.bind(addr(PEER), scene.now).unwrap();
    assert_eq!(delivered(&mut scene, &channel_data(0x4000, b"early")), (addr(PEER), b"early".to_vec()));
    scene.grant_request(Method::CHANNEL_BIND);
    assert_eq!(delivered(&mut scene, &channel_data(0x4000, b"")).1, b"");
    let mut padded = channel_data(0x4000, b"abc");
    padded.push(0);
    assert_eq!(delivered(&mut scene, &padded).1, b"abc");
    scene.reject(&channel_data(0x4001, b"x"), Rejection::UnknownChannel);
    scene.reject(&channel_data(0x4000, b"abc")[..6], Rejection::Malformed);
    scene.client.forbid(addr(PEER).ip(), scene.now);
    scene.reject(&channel_data(0x4000, b"x"), Rejection::NoPermission);
}

#[test]
fn a_bind_whose_answers_are_lost_still_lets_data_in() {
    let mut scene = Scene::permitted(config(), PEER);
    scene.client.bind(addr(PEER), scene.now).unwrap();
    scene.pass(40);
    assert!(matches!(scene.events()[..], [Event::ChannelFailed { .. }]));
    assert_eq!(delivered(&mut scene, &channel_data(0x4000, b"bound after all")).1, b"bound after all");
    assert_eq!(has(&sent(&scene, PEER, b"x")), Some(Data(b"x")), "but data go the safe way");
}

#[test]
fn on_a_stream_channel_data_are_padded() {
    let mut scene = Scene::permitted(Scene::is_stream(config()), PEER);
    scene.client.bind(addr(PEER), scene.now).unwrap();
    scene.grant_request(Method::CHANNEL_BIND);
    let packet = sent(&scene, PEER, b"hello");
    assert_eq!((packet.len(), &packet[9..]), (12, &[0, 0, 0][..]));
    let Received::Data { payload, .. } = scene.hear(&packet) else { panic!("no data") };
    assert_eq!(&packet[payload], b"hello");
}

#[test]
fn an_allocation_with_both_families_reaches_peers_of_both() {
    let relayed = super::super::Relayed::Both { even_port: false };
    let (mut scene, request) = Scene::challenged(Config { relayed, ..config() });
    let v6 = floe_stun::attributes::XorRelayedAddress(addr("[2001:db8::1]:50001"));
    let answer = scene.success(&request, &|builder| grant(builder).attribute(&v6));
    scene.deliver(&answer);
    for peer in [PEER, "[2001:db8::7]:5000"] {
        scene.client.permit(addr(peer).ip(), scene.now).unwrap();
        scene.grant_request(Method::CREATE_PERMISSION);
        let message = sent(&scene, peer, b"x");
        assert_eq!(Message::parse(&message).unwrap().get(), Ok(Some(XorPeerAddress(addr(peer)))));
        assert_eq!(delivered(&mut scene, &data_from(peer, b"y")).0, addr(peer));
    }
}
