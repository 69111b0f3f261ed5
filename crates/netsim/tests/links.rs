//! Links: delay, jitter, loss, duplication, reordering, MTU.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::time::Duration;

use floe_netsim::{
    Attach, DropReason, Event, Handle, Link, NatType, Network, Probe, Received, RouterConfig, SendError,
    Site, Time,
};

/// Two probes on the Internet, and the link that leads up from the first.
fn two(seed: u64, up: Link) -> (Network, Handle<Probe>, Handle<Probe>) {
    let mut net = Network::new(seed);
    let mut add = |name, up| {
        let host = net.add_host(name);
        net.attach(host, net.internet(), Attach::default().links(up, Link::IDEAL)).unwrap();
        net.add_endpoint(host, Probe::default()).unwrap()
    };
    let (a, b) = (add("a", up), add("b", Link::IDEAL));
    (net, a, b)
}

/// Sends `count` numbered packets, one every millisecond, and waits.
fn send(net: &mut Network, a: Handle<Probe>, b: Handle<Probe>, count: u32) {
    let to = net[b].local(0).unwrap();
    for n in 0..count {
        net.with(a, |probe, _| probe.send(to, &n.to_be_bytes()));
        net.run_for(Duration::from_millis(1));
    }
    net.run_for(Duration::from_secs(10));
}

fn number(received: &Received) -> u32 {
    u32::from_be_bytes(received.bytes[..].try_into().unwrap())
}

fn numbers(net: &Network, b: Handle<Probe>) -> Vec<u32> {
    net[b].received().iter().map(number).collect()
}

fn lost(net: &Network, b: Handle<Probe>, count: u32) -> Vec<u32> {
    let arrived = numbers(net, b);
    (0..count).filter(|n| !arrived.contains(n)).collect()
}

#[test]
fn delays_add_up_along_the_way() {
    let mut net = Network::new(1);
    net.set_segment_link(net.internet(), Link::delay_ms(10)).unwrap();
    let [a, b] = ["a", "b"].map(|name| {
        let host = net.add_host(name);
        let (up, down) = (Link::delay_ms(3), Link::delay(Duration::from_micros(500)));
        net.attach(host, net.internet(), Attach::default().links(up, down)).unwrap();
        net.add_endpoint(host, Probe::default()).unwrap()
    });
    send(&mut net, a, b, 1);
    assert_eq!(net[b].received()[0].time, Time::from_millis(13) + Duration::from_micros(500));
}

#[test]
fn loss_depends_on_the_seed_alone() {
    let lost_of = |seed| {
        let (mut net, a, b) = two(seed, Link::IDEAL.loss(0.1));
        send(&mut net, a, b, 1000);
        let lost = lost(&net, b, 1000);
        assert_eq!(net.trace().drops(DropReason::Lost), lost.len() as u64);
        lost
    };
    let first = lost_of(1);
    assert!((70..130).contains(&first.len()), "{}", first.len());
    assert_eq!(first, lost_of(1));
    assert_ne!(first, lost_of(2));
}

#[test]
fn never_more_than_four_packets_of_a_flow_in_a_row_are_lost() {
    let heavy = || Link::delay_ms(1).loss(0.6).max_loss_run(4);
    let (mut net, a, b) = two(1, heavy());
    // Also when several links on the way lose packets.
    net.set_segment_link(net.internet(), heavy()).unwrap();
    send(&mut net, a, b, 2000);
    let lost = lost(&net, b, 2000);
    assert!(lost.len() > 1200, "{}", lost.len());
    let longest = lost.chunk_by(|x, y| x + 1 == *y).map(<[_]>::len).max();
    assert_eq!(longest, Some(4));
}

#[test]
fn repeats_of_a_packet_are_a_flow_of_their_own_if_so_wished() {
    // One packet, five times, among others that keep the flow's runs of losses short.
    let arrivals = |apart: bool, seed: u64| {
        let (mut net, a, b) = two(seed, Link::delay_ms(1).loss(0.6).max_loss_run(4));
        net.set_repeats_apart(apart);
        let to = net[b].local(0).unwrap();
        for n in 0..5u32 {
            for content in [0, 10 * n + 1, 10 * n + 2, 10 * n + 3] {
                net.with(a, |probe, _| probe.send(to, &content.to_be_bytes()));
            }
        }
        net.run_for(Duration::from_secs(1));
        numbers(&net, b).into_iter().filter(|&content| content == 0).count()
    };
    assert!((0..300).all(|seed| arrivals(true, seed) > 0));
    assert!((0..300).any(|seed| arrivals(false, seed) == 0), "the others may be the ones that come through");
}

#[test]
fn a_link_that_loses_everything_is_cut() {
    let (mut net, a, b) = two(1, Link::IDEAL.loss(1.0));
    send(&mut net, a, b, 20);
    assert_eq!(numbers(&net, b), []);
}

#[test]
fn jitter_varies_the_delay_and_keeps_the_order() {
    let (mut net, a, b) = two(1, Link::delay_ms(20).jitter(Duration::from_millis(15)));
    send(&mut net, a, b, 500);
    assert_eq!(numbers(&net, b), (0..500).collect::<Vec<_>>());
    let delay = |r: &Received| r.time.saturating_since(Time::from_millis(number(r).into()));
    let delays: Vec<_> = net[b].received().iter().map(delay).collect();
    assert!(delays.iter().all(|d| (20..=35).contains(&d.as_millis())));
    let (min, max) = (delays.iter().min().unwrap(), delays.iter().max().unwrap());
    assert!(*max - *min > Duration::from_millis(13), "{min:?} {max:?}");
}

#[test]
fn reordered_packets_arrive_after_later_ones() {
    let (mut net, a, b) = two(1, Link::delay_ms(5).reorder(0.1, Duration::from_millis(10)));
    send(&mut net, a, b, 500);
    let order = numbers(&net, b);
    let late = order.windows(2).filter(|pair| pair[1] < pair[0]).count();
    assert!((20..60).contains(&late), "{late}");
    let mut sorted = order.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, (0..500).collect::<Vec<_>>());
}

#[test]
fn duplicates_arrive_twice_and_say_so_in_the_trace() {
    let (mut net, a, b) = two(1, Link::IDEAL.duplicate(0.25));
    send(&mut net, a, b, 400);
    let order = numbers(&net, b);
    let copies = net.trace().records().filter(|r| matches!(r.event, Event::Duplicated { .. })).count();
    assert!((70..130).contains(&copies), "{copies}");
    assert_eq!(order.len(), 400 + copies);
    let mut unique = order;
    unique.dedup();
    assert_eq!(unique.len(), 400);
}

#[test]
fn a_packet_too_long_for_its_own_interface_is_refused() {
    let (mut net, a, b) = two(1, Link::IDEAL.mtu(1280));
    let to = net[b].local(0).unwrap();
    for len in [1252, 1253] {
        net.with(a, |probe, _| probe.send(to, &vec![0; len]));
    }
    net.run_for(Duration::from_secs(1));
    assert_eq!(net[a].send_errors(), [SendError::TooLong]);
    assert_eq!(net[b].received().len(), 1);
}

#[test]
fn a_packet_too_long_for_a_link_further_on_is_dropped() {
    let (mut net, a, b) = two(1, Link::IDEAL);
    net.set_segment_link(net.internet(), Link::IDEAL.mtu(1280)).unwrap();
    let to = net[b].local(0).unwrap();
    for len in [1252, 1253] {
        net.with(a, |probe, _| probe.send(to, &vec![0; len]));
    }
    net.run_for(Duration::from_secs(1));
    assert_eq!(net[a].send_errors(), []);
    assert_eq!(net[b].received().len(), 1);
    assert_eq!(net.trace().drops(DropReason::TooLong), 1);
}

#[test]
fn the_two_directions_of_a_router_s_link_are_apart() {
    let mut net = Network::new(1);
    let config = RouterConfig::of(NatType::FULL_CONE).links(Link::delay_ms(1), Link::delay_ms(2));
    let home = net.add_peer("a", &Site::public().then_behind_router(config.lan(Link::delay_ms(4)))).unwrap();
    let server = net.add_peer("b", &Site::public()).unwrap();
    let [a, b] = [&home, &server].map(|peer| net.add_endpoint(peer.host, Probe::default()).unwrap());
    let round_trip = |net: &mut Network| {
        let (start, to) = (net.now(), net[b].local(0).unwrap());
        net.with(a, |probe, _| probe.send(to, b"there"));
        net.run_for(Duration::from_secs(1));
        let there = net[b].received().last().unwrap().clone();
        net.with(b, |probe, _| probe.send(there.source, b"back"));
        let turn = net.now();
        net.run_for(Duration::from_secs(1));
        [there.time - start, net[a].received().last().unwrap().time - turn].map(|way| way.as_millis())
    };
    assert_eq!(round_trip(&mut net), [5, 6]);
    net.set_router_links(home.routers[0], Link::delay_ms(10), Link::delay_ms(20)).unwrap();
    assert_eq!(round_trip(&mut net), [14, 24]);
}

#[test]
fn links_can_change_while_packets_are_on_their_way() {
    let (mut net, a, b) = two(1, Link::delay_ms(50));
    send(&mut net, a, b, 1);
    let interface = net.interfaces(net.host_of(a).unwrap()).next().unwrap().id;
    net.set_links(interface, Link::IDEAL.loss(1.0), Link::IDEAL).unwrap();
    send(&mut net, a, b, 1);
    net.set_links(interface, Link::IDEAL, Link::IDEAL).unwrap();
    send(&mut net, a, b, 1);
    assert_eq!(net[b].received().len(), 2);
}
