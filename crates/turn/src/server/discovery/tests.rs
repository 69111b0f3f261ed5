use std::net::SocketAddr;
use std::string::ToString;

use floe_stun::attributes::{MappedAddress, XorMappedAddress};
use floe_stun::{AttributeType, Class, Message, MessageBuilder, Method, RawAttribute, TransactionId};

use super::*;
use crate::server::{Config, Credentials, Link, MAX_TRANSMIT, Received, Rejection, RelayAddress, Server};

const CLIENT: &str = "198.51.100.7:5000";
const ADDRESSES: [[&str; 2]; 2] =
    [["203.0.113.5:3478", "203.0.113.5:3479"], ["203.0.113.6:3478", "203.0.113.6:3479"]];

/// Sockets 0 to 3.
fn sockets(addresses: [[&str; 2]; 2]) -> [[(SocketId, SocketAddr); 2]; 2] {
    let mut number = 0..;
    addresses.map(|row| row.map(|text| (SocketId(number.next().unwrap()), text.parse().unwrap())))
}

fn server() -> Server {
    let mut config = Config::new([1; 32], Credentials::new("example.org").unwrap());
    config.relay_ipv4 = Some(RelayAddress::direct("203.0.113.5".parse().unwrap()));
    config.discovery.push(Discovery::new(sockets(ADDRESSES)).unwrap());
    Server::new(config).unwrap()
}

/// Asks at a socket. Which one the answer comes from, and the answer.
fn ask(link: Link, attributes: &[RawAttribute<'_>]) -> Result<(SocketId, std::vec::Vec<u8>), Rejection> {
    let mut server = server();
    let mut out = [0; 256];
    let message = MessageBuilder::new(&mut out, Class::Request, Method::BINDING, TransactionId::new([1; 12]));
    let len = attributes.iter().fold(message, |message, raw| message.raw_attribute(*raw)).finish().unwrap();
    if let Received::Rejected(why) = server.handle_datagram(link, &out[..len], Time::ZERO) {
        return Err(why);
    }
    let mut out = [0; MAX_TRANSMIT];
    let transmit = server.poll_transmit(&mut out).unwrap();
    assert_eq!(transmit.link.client, link.client);
    Ok((transmit.link.socket, out[..transmit.len].to_vec()))
}

fn at(socket: u64) -> Link {
    Link::datagram(SocketId(socket), CLIENT.parse().unwrap())
}

#[test]
fn the_answer_comes_from_where_the_flags_say() {
    let all: std::vec::Vec<SocketAddr> =
        ADDRESSES.as_flattened().iter().map(|text| text.parse().unwrap()).collect();
    for asked in 0..4_usize {
        for flags in 0..4_usize {
            // Flag A is bit 2, flag B is bit 1; a socket's number has its address in bit 1 and its port in bit 0.
            let value = [0, 0, 0, (flags << 1) as u8];
            let raw = RawAttribute { kind: AttributeType::CHANGE_REQUEST, value: &value };
            let (from, answer) = ask(at(asked as u64), &[raw]).unwrap();
            let expected = asked ^ flags;
            assert_eq!(from, SocketId(expected as u64), "asked {asked}, flags {flags}");
            let answer = Message::parse(&answer).unwrap();
            assert_eq!(answer.class(), Class::Success);
            assert_eq!(answer.get(), Ok(Some(ResponseOrigin(all[expected]))));
            assert_eq!(answer.get(), Ok(Some(OtherAddress(all[asked ^ 3]))));
            assert_eq!(answer.get(), Ok(Some(XorMappedAddress(CLIENT.parse().unwrap()))));
            assert_eq!(answer.get(), Ok(Some(MappedAddress(CLIENT.parse().unwrap()))));
        }
    }
}

#[test]
fn without_change_request_the_answer_says_what_could_be_asked_for() {
    let (from, answer) = ask(at(2), &[]).unwrap();
    let answer = Message::parse(&answer).unwrap();
    assert_eq!(from, SocketId(2));
    assert_eq!(answer.get(), Ok(Some(ResponseOrigin("203.0.113.6:3478".parse().unwrap()))));
    assert_eq!(answer.get(), Ok(Some(OtherAddress("203.0.113.5:3479".parse().unwrap()))));
}

#[test]
fn where_there_is_one_address_change_request_is_unknown() {
    let raw = RawAttribute { kind: AttributeType::CHANGE_REQUEST, value: &[0, 0, 0, 6] };
    let elsewhere = [at(9), Link::stream(SocketId(0), CLIENT.parse().unwrap())];
    for link in elsewhere {
        let (_, answer) = ask(link, &[raw]).unwrap();
        assert_eq!(Message::parse(&answer).unwrap().class(), Class::Error);
        let (_, answer) = ask(link, &[]).unwrap();
        let answer = Message::parse(&answer).unwrap();
        assert_eq!((answer.class(), answer.get::<OtherAddress>()), (Class::Success, Ok(None)));
        assert_eq!(answer.get::<ResponseOrigin>(), Ok(None));
    }
}

#[test]
fn what_could_be_abused_is_refused_and_a_malformed_attribute_ignored() {
    for kind in [AttributeType::RESPONSE_PORT, AttributeType::PADDING] {
        let (from, answer) = ask(at(0), &[RawAttribute { kind, value: &[0, 7, 0, 0] }]).unwrap();
        assert_eq!((from, Message::parse(&answer).unwrap().class()), (SocketId(0), Class::Error), "{kind}");
    }
    let short = RawAttribute { kind: AttributeType::CHANGE_REQUEST, value: &[6] };
    assert_eq!(ask(at(0), &[short]), Err(Rejection::Malformed));
}

#[test]
fn four_sockets_of_another_shape_are_refused() {
    let refused = [
        [["203.0.113.5:3478", "203.0.113.5:3479"], ["203.0.113.5:3478", "203.0.113.5:3479"]],
        [["203.0.113.5:3478", "203.0.113.5:3478"], ["203.0.113.6:3478", "203.0.113.6:3478"]],
        [["203.0.113.5:3478", "203.0.113.5:3479"], ["203.0.113.6:3478", "203.0.113.6:3480"]],
        [["203.0.113.5:3478", "203.0.113.7:3479"], ["203.0.113.6:3478", "203.0.113.6:3479"]],
        [["203.0.113.5:3478", "203.0.113.5:3479"], ["[2001:db8::6]:3478", "[2001:db8::6]:3479"]],
    ];
    for addresses in refused {
        assert_eq!(Discovery::new(sockets(addresses)).unwrap_err(), DiscoveryError, "{addresses:?}");
    }
    let mut twice = sockets(ADDRESSES);
    twice[1][1].0 = twice[0][0].0;
    assert_eq!(Discovery::new(twice).unwrap_err(), DiscoveryError);
    assert!(DiscoveryError.to_string().contains("two addresses"));
}
