//! RFC 8016: an allocation follows its client.

use std::net::SocketAddr;
use std::time::Duration;
use std::vec::Vec;

use floe_stun::attributes::{Lifetime, MobilityTicket};
use floe_stun::{Method, TransactionId};

use super::client::{Client, Response, for_udp};
use super::world::World;
use crate::server::{EndReason, Event, Link, Rejection, SocketId};

const HOME: &str = "198.51.100.7:5000";
const AWAY: &str = "192.0.2.200:6000";
const PEER: &str = "192.0.2.9:7000";

fn ticket(response: &Response) -> Vec<u8> {
    response.get::<MobilityTicket<'_>>().expect("there is a ticket").0.to_vec()
}

/// A mobile client with a channel to the peer, and its first ticket.
fn mobile(world: &mut World, mut client: Client) -> (Client, SocketAddr, Vec<u8>) {
    let answer = world
        .request(&mut client, Method::ALLOCATE, |message| for_udp(message).attribute(&MobilityTicket(&[])));
    assert_eq!(answer.code(), 0);
    assert_eq!(world.bind(&mut client, 0x4000, PEER), 0);
    world.events();
    (client, answer.relayed()[0], ticket(&answer))
}

/// The same client at another address, which has a nonce for it.
fn moved(world: &mut World, client: &Client, link: Link) -> Client {
    let mut client = Client { link, nonce: Vec::new(), ..client.clone() };
    world.greet(&mut client);
    client
}

fn refresh(world: &mut World, client: &Client, id: TransactionId, ticket: &[u8]) -> Response {
    let request = client.request(id, Method::REFRESH, |message| message.attribute(&MobilityTicket(ticket)));
    world.ask(client.link, &request)
}

#[test]
fn the_old_path_carries_data_until_the_client_sends_on_the_new_one() {
    let mut world = World::new();
    let (home, relay, first) = mobile(&mut world, Client::at(HOME));
    let away = moved(&mut world, &home, Client::at(AWAY).link);
    let id = world.id();
    let answer = refresh(&mut world, &away, id, &first);
    assert_eq!((answer.code(), answer.lifetime()), (0, 600));
    assert_ne!(ticket(&answer), first, "a new ticket");
    // Both paths are open from the client, only the old one to it.
    assert_eq!(world.peer_sends(PEER, relay, b"x").unwrap().0, home.link);
    assert!(world.send_channel(&home, 0x4000, b"x").is_ok());
    assert_eq!(world.peer_sends(PEER, relay, b"x").unwrap().0, home.link);
    assert!(matches!(world.events()[..], [Event::AllocationRefreshed { .. }]));

    assert!(world.send_channel(&away, 0x4000, b"x").is_ok(), "the channel is still bound");
    assert_eq!(world.peer_sends(PEER, relay, b"x").unwrap().0, away.link);
    assert_eq!(world.send_channel(&home, 0x4000, b"x"), Err(Rejection::AllocationMismatch));
    assert_eq!(world.once(&home, Method::REFRESH, |message| message).code(), 437);
    assert!(matches!(world.events()[..], [Event::AllocationMoved { link, .. }] if link == away.link));
    assert_eq!(world.once(&away, Method::REFRESH, |message| message).code(), 0, "at home in the new place");
    // The 5-tuple it left is free.
    assert_eq!(world.once(&home, Method::ALLOCATE, for_udp).code(), 0);
}

#[test]
fn a_retransmitted_refresh_is_answered_again_and_a_used_ticket_is_worth_nothing() {
    let mut world = World::new();
    let (home, _, first) = mobile(&mut world, Client::at(HOME));
    let away = moved(&mut world, &home, Client::at(AWAY).link);
    let id = world.id();
    let answer = refresh(&mut world, &away, id, &first);
    world.pass(Duration::from_secs(29));
    let again = refresh(&mut world, &away, id, &first);
    assert_eq!(ticket(&again), ticket(&answer));
    let other = world.id();
    assert_eq!(refresh(&mut world, &away, other, &first).code(), 400, "another request with the used ticket");
    let elsewhere = moved(&mut world, &home, Client::at("192.0.2.201:1").link);
    assert_eq!(refresh(&mut world, &elsewhere, id, &first).code(), 400, "from yet another address");
    world.pass(Duration::from_secs(1));
    assert_eq!(refresh(&mut world, &away, id, &first).code(), 400, "and it is forgotten");
}

#[test]
fn a_ticket_from_where_the_client_is_already_is_a_bad_request() {
    let mut world = World::new();
    let (home, _, first) = mobile(&mut world, Client::at(HOME));
    let id = world.id();
    assert_eq!(refresh(&mut world, &home, id, &first).code(), 400);
    let away = moved(&mut world, &home, Client::at(AWAY).link);
    let id = world.id();
    let second = ticket(&refresh(&mut world, &away, id, &first));
    let id = world.id();
    assert_eq!(refresh(&mut world, &away, id, &second).code(), 400);
}

#[test]
fn a_client_may_change_its_mind_on_the_way() {
    let mut world = World::new();
    let (home, relay, first) = mobile(&mut world, Client::at(HOME));
    let away = moved(&mut world, &home, Client::at(AWAY).link);
    let id = world.id();
    let second = ticket(&refresh(&mut world, &away, id, &first));
    let further = moved(&mut world, &home, Client::at("192.0.2.201:1").link);
    let id = world.id();
    assert_eq!(refresh(&mut world, &further, id, &second).code(), 0);
    assert_eq!(world.send_channel(&away, 0x4000, b"x"), Err(Rejection::AllocationMismatch));
    assert!(world.send_channel(&further, 0x4000, b"x").is_ok());
    assert_eq!(world.peer_sends(PEER, relay, b"x").unwrap().0, further.link);
}

#[test]
fn a_stolen_ticket_is_of_no_use_to_another_user() {
    let mut world = World::new();
    let (home, relay, first) = mobile(&mut world, Client::at(HOME));
    let mut bob = Client { user: "bob", password: "bob's", ..Client::at(AWAY) };
    world.greet(&mut bob);
    let id = world.id();
    assert_eq!(refresh(&mut world, &bob, id, &first).code(), 441);
    // Nor to anybody without the password.
    let guess = Client { password: "guess", ..moved(&mut world, &home, Client::at("192.0.2.201:1").link) };
    assert_eq!(refresh(&mut world, &guess, id, &first).code(), 401);
    assert_eq!(world.peer_sends(PEER, relay, b"x").unwrap().0, home.link);
    // It is still good for its owner.
    let away = moved(&mut world, &home, Client::at("192.0.2.202:1").link);
    assert_eq!(refresh(&mut world, &away, id, &first).code(), 0);
}

#[test]
fn forged_tickets_are_bad_and_those_of_ended_allocations_mismatched() {
    let mut world = World::new();
    let (home, _, first) = mobile(&mut world, Client::at(HOME));
    let away = moved(&mut world, &home, Client::at(AWAY).link);
    let id = world.id();
    for forged in [&b""[..], b"short", &[0; 40], &[first.as_slice(), b"longer"].concat()] {
        assert_eq!(refresh(&mut world, &away, id, forged).code(), 400);
    }
    assert_eq!(world.once(&home, Method::REFRESH, |message| message.attribute(&Lifetime(0))).code(), 0);
    assert_eq!(refresh(&mut world, &away, id, &first).code(), 437);
    // An allocation that never asked for a ticket has none.
    let (mut still, _) = world.allocated("198.51.100.8:5000");
    let answer = world.request(&mut still, Method::REFRESH, |message| message);
    assert_eq!(answer.get::<MobilityTicket<'_>>(), None);
    // Where somebody has an allocation nobody else can move.
    let (home, _, first) = mobile(&mut world, Client::at("198.51.100.9:5000"));
    let intruder = moved(&mut world, &home, still.link);
    assert_eq!(refresh(&mut world, &intruder, id, &first).code(), 437);
}

#[test]
fn a_ticket_can_delete_from_elsewhere() {
    let mut world = World::new();
    let (home, _, first) = mobile(&mut world, Client::at(HOME));
    let away = moved(&mut world, &home, Client::at(AWAY).link);
    let answer = world.once(&away, Method::REFRESH, |message| {
        message.attribute(&MobilityTicket(&first)).attribute(&Lifetime(0))
    });
    assert_eq!((answer.code(), answer.lifetime(), world.server.allocations()), (0, 0, 0));
}

#[test]
fn a_mobile_client_whose_connection_broke_comes_back_from_elsewhere() {
    let mut world = World::new();
    let stream = |n| Link::stream(SocketId(n), HOME.parse().unwrap());
    let (home, relay, first) = mobile(&mut world, Client::on(stream(7)));
    world.server.disconnected(home.link, world.now);
    assert_eq!(world.peer_sends(PEER, relay, b"x"), Err(Rejection::ClientAway));
    // The same address and port, but another connection.
    let away = moved(&mut world, &home, stream(8));
    let id = world.id();
    assert_eq!(refresh(&mut world, &away, id, &first).code(), 0);
    assert_eq!(world.peer_sends(PEER, relay, b"x").unwrap().0, away.link, "at once: there is no old path");
    // If it does not come back, the allocation expires.
    world.server.disconnected(away.link, world.now);
    world.events();
    world.pass(Duration::from_secs(600));
    assert!(matches!(world.events()[..], [Event::AllocationEnded { reason: EndReason::Expired, .. }]));
}

#[test]
fn when_the_old_connection_closes_the_move_is_complete() {
    let mut world = World::new();
    let stream = |n| Link::stream(SocketId(n), HOME.parse().unwrap());
    let (home, relay, first) = mobile(&mut world, Client::on(stream(7)));
    let away = moved(&mut world, &home, stream(8));
    let id = world.id();
    let second = ticket(&refresh(&mut world, &away, id, &first));
    world.server.disconnected(home.link, world.now);
    assert_eq!(world.peer_sends(PEER, relay, b"x").unwrap().0, away.link);
    // And when the new one closes before it was used, nothing is lost.
    let further = moved(&mut world, &home, stream(9));
    let id = world.id();
    let third = ticket(&refresh(&mut world, &further, id, &second));
    world.server.disconnected(further.link, world.now);
    assert_eq!(world.peer_sends(PEER, relay, b"x").unwrap().0, away.link);
    let last = moved(&mut world, &home, stream(10));
    let id = world.id();
    assert_eq!(refresh(&mut world, &last, id, &third).code(), 0);
}
