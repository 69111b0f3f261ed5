//! The STUN server as a node: what a client behind a NAT learns from it.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::net::SocketAddr;
use std::time::Duration;

use floe_netsim::{Handle, NatType, Network, Probe, Site, StunServer};
use floe_stun::attributes::XorMappedAddress;
use floe_stun::{Class, Message, MessageBuilder, Method, TransactionId};

fn ask(net: &mut Network, probe: Handle<Probe>, server: SocketAddr) -> Option<SocketAddr> {
    let before = net[probe].received().len();
    let mut request = [0; 20];
    let id = TransactionId::new([7; 12]);
    MessageBuilder::new(&mut request, Class::Request, Method::BINDING, id).finish().unwrap();
    net.with(probe, |probe, _| probe.send(server, &request));
    net.run_for(Duration::from_secs(1));
    let answer = net[probe].received().get(before)?;
    let message = Message::parse(&answer.bytes).unwrap();
    Some(message.get::<XorMappedAddress>().unwrap().unwrap().0)
}

fn world(kind: NatType) -> (Network, Handle<Probe>, Handle<StunServer>) {
    let mut net = Network::new(1);
    let server = net.add_stun_server("stun", &Site::public()).unwrap();
    let peer = net.add_peer("a", &Site::behind(kind)).unwrap();
    let probe = net.add_endpoint(peer.host, Probe::on_port(5000)).unwrap();
    (net, probe, server)
}

#[test]
fn a_client_learns_the_external_address_of_its_nat() {
    let (mut net, a, server) = world(NatType::PORT_RESTRICTED_CONE);
    let to = net[server].addresses()[0];
    assert_eq!(ask(&mut net, a, to), Some("203.0.113.2:5000".parse().unwrap()));
    assert_eq!(net[server].stats().answered, 1);
}

#[test]
fn two_servers_see_two_addresses_of_a_symmetric_nat() {
    let (mut net, a, first) = world(NatType::SYMMETRIC);
    let second = net.add_stun_server("second", &Site::public()).unwrap();
    let [x, y] = [first, second].map(|server| {
        let to = net[server].addresses()[0];
        ask(&mut net, a, to).unwrap()
    });
    assert_eq!(x.ip(), y.ip());
    assert_ne!(x.port(), y.port());
}

#[test]
fn a_silent_server_answers_nothing_until_it_is_told_to() {
    let (mut net, a, server) = world(NatType::FULL_CONE);
    let to = net[server].addresses()[0];
    net.with(server, |server, _| server.set_silent(true));
    assert_eq!(ask(&mut net, a, to), None);
    net.with(server, |server, _| server.set_silent(false));
    assert!(ask(&mut net, a, to).is_some());
}
