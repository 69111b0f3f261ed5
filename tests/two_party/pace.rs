//! Many agents of one process, which keep one pace (RFC 8445 §14.2).

use std::collections::BTreeSet;
use std::time::Duration;

use floe_ice::{Config, Role, SharedPace, Time};
use floe_netsim::ice::IcePeer;
use floe_netsim::{Event, Handle, Link, NatType, Network, Site};
use floe_stun::{Class, Message};

/// Calls that all begin at once.
const CALLS: usize = 40;

/// A server with an agent for each of so many clients behind NATs, all connecting at the same time. Its agents share a pace.
fn calls(seed: u64) -> (Network, Vec<[Handle<IcePeer>; 2]>) {
    let mut net = Network::new(seed);
    let link = Link::delay_ms(20).loss(0.05).max_loss_run(4);
    net.set_segment_link(net.internet(), link).expect("the Internet is there");
    let stun = net.add_stun_server("stun", &Site::public()).expect("a place for it");
    let pace = SharedPace::new();
    let peers = (0..CALLS).map(|call| {
        let mut config = Config::new(net.derive_seed());
        config.gather.servers = net.server_addresses(stun);
        config.pace = Some(pace.clone());
        let ours = net.add_ice_peer(&format!("server {call}"), &Site::public(), config).expect("a place");
        let mut config = Config::new(net.derive_seed());
        config.gather.servers = net.server_addresses(stun);
        config.role = Role::Controlling;
        let site = Site::behind(NatType::PORT_RESTRICTED_CONE);
        let theirs = net.add_ice_peer(&format!("client {call}"), &site, config).expect("a place");
        [ours, theirs]
    });
    let peers: Vec<_> = peers.collect();
    for &[ours, theirs] in &peers {
        net.connect_ice(ours, theirs);
    }
    (net, peers)
}

/// When the agents of the process began transactions, until the first of them is connected and consent checks, which are not
/// paced, may begin.
fn beginnings(net: &Network, peers: &[[Handle<IcePeer>; 2]], until: Time) -> Vec<Time> {
    let mut seen = BTreeSet::new();
    let ours = |event: &Event| match *event {
        Event::Sent { endpoint, .. } => peers.iter().any(|[ours, _]| endpoint == (*ours).into()),
        _ => false,
    };
    let sent = net.trace().records().filter(|record| record.time < until && ours(&record.event));
    let requests = sent.filter_map(|record| {
        let message = Message::parse(record.bytes).ok()?;
        let is_new = message.class() == Class::Request && seen.insert(message.transaction_id());
        is_new.then_some(record.time)
    });
    requests.collect()
}

#[test]
fn all_agents_of_a_process_together_begin_one_transaction_in_5_ms() {
    let (mut net, peers) = calls(7);
    // The first consent check comes at least 4 s after the first answer (RFC 7675 §5.1).
    let until = Time::from_secs(4);
    net.run_until(Duration::from_secs(60), |net| {
        peers.iter().flatten().all(|&peer| net[peer].agent().state() == floe_ice::ConnectionState::Completed)
    });
    for &peer in peers.iter().flatten() {
        assert_eq!(net[peer].agent().state(), floe_ice::ConnectionState::Completed, "nobody starves");
    }
    let times = beginnings(&net, &peers, until);
    assert!(
        times.len() > 3 * CALLS,
        "each agent asks the server and checks its pairs, and each of them waits for its turn"
    );
    let least = times.windows(2).map(|two| two[1] - two[0]).min();
    assert_eq!(least, Some(Duration::from_millis(5)), "the pace is used, and kept");
}
