//! As many allocations as a server holds when nobody asks for more.

use std::net::SocketAddr;
use std::time::Duration;

use floe_netsim::{Handle, Link, Network, Site, TurnServer};
use floe_turn::client::{Config, Credentials, Event};
use floe_turn::server::{self, RateLimit};

use crate::client::Tenant;

const ALLOCATIONS: usize = 10_000;
/// Each with as many tenants.
const HOSTS: usize = 20;
const PEER: &str = "198.51.100.77:4000";

fn full_server(net: &mut Network) -> Handle<TurnServer> {
    let mut credentials = server::Credentials::new("example.org").unwrap();
    credentials.add_user("alice", "alice's").unwrap();
    let mut config = server::Config::new(net.derive_seed(), credentials);
    assert_eq!(config.limits.allocations as usize, ALLOCATIONS);
    config.limits.allocations_per_user = config.limits.allocations;
    // All clients of a host have one address, and all begin at once.
    let mut challenges = RateLimit::new([1; 16]);
    (challenges.per_second, challenges.burst) = (1000, 1000);
    config.challenges = Some(challenges);
    net.add_turn_server("turn", &Site::public().link(Link::delay_ms(10)), config).unwrap()
}

fn tenants(net: &mut Network, to: SocketAddr) -> Vec<Handle<Tenant>> {
    let mut tenants = Vec::new();
    for host in 0..HOSTS {
        let peer = net.add_peer(&format!("host {host}"), &Site::public().link(Link::delay_ms(10))).unwrap();
        for _ in 0..ALLOCATIONS / HOSTS {
            let credentials = Credentials::new("alice", "alice's").unwrap();
            let config = Config::new(to, Some(credentials), net.derive_seed());
            tenants.push(net.add_endpoint(peer.host, Tenant::new(config)).unwrap());
        }
    }
    tenants
}

#[test]
fn ten_thousand_allocations_with_a_channel_each_are_kept_for_ten_minutes_and_none_is_lost() {
    let mut net = Network::new(1);
    net.set_recording(false);
    let server = full_server(&mut net);
    let to = net[server].addresses().iter().copied().find(SocketAddr::is_ipv4).unwrap();
    let tenants = tenants(&mut net, to);
    let held = |net: &Network| net[server].core().unwrap().allocations();
    assert!(net.run_until(Duration::from_secs(30), |net| held(net) == ALLOCATIONS), "{}", held(&net));
    net.run_for(Duration::from_secs(1));

    let peer: SocketAddr = PEER.parse().unwrap();
    for &tenant in &tenants {
        net.with(tenant, |tenant, now| tenant.client.bind(peer, now).unwrap());
    }
    // A peer that is written to is one that the client keeps a channel for.
    for _ in 0..10 {
        net.run_for(Duration::from_secs(60));
        for &tenant in &tenants {
            net.with(tenant, |tenant, now| {
                assert!(tenant.send(peer, b"still here"), "there is a way to the peer");
                tenant.client.record_sent(peer, now);
            });
        }
    }
    net.run_for(Duration::from_secs(1));

    assert_eq!(held(&net), ALLOCATIONS);
    for &tenant in &tenants {
        let tenant = &net[tenant];
        assert!(tenant.client.relay_path(peer).unwrap().channel_number().is_some());
        assert!(
            !tenant.events.iter().any(|event| matches!(event, Event::Lost { .. } | Event::Failed { .. })),
            "{:?}",
            tenant.events
        );
    }
    let stats = net[server].stats().unwrap();
    assert_eq!(stats.to_peers.packets, 10 * ALLOCATIONS as u64);
    assert!(stats.refreshed >= ALLOCATIONS as u64 && stats.allocations_begun == ALLOCATIONS as u64);
}
