//! Client and server over networks that lose, repeat and reorder.

use std::time::Duration;

use floe_netsim::{Link, NatType, Network, Probe, Site};
use floe_turn::client::PortRequest;
use floe_turn::client::Relayed;
use proptest::prelude::*;

use crate::client::{server, tenant};

/// Longer than any request is repeated.
const LONG: Duration = Duration::from_secs(60);

proptest! {
    #[test]
    fn an_allocation_comes_about_works_and_goes_whatever_the_network_does(
        seed: u64,
        loss in 0.0..0.5_f64,
        duplicated in 0.0..0.3_f64,
        reordered in 0.0..0.3_f64,
        jitter in 0..80_u64,
        mobility: bool,
        pair: bool,
        channel: bool,
    ) {
        let mut net = Network::new(seed);
        // Never two of a flow in a row: of seven requests one gets through and is answered.
        let link = Link::delay_ms(30).jitter(Duration::from_millis(jitter)).loss(loss).max_loss_run(1);
        let link = link.duplicate(duplicated).reorder(reordered, Duration::from_millis(50));
        net.set_segment_link(net.internet(), link).unwrap();
        let turn = server(&mut net, &Site::public());
        let alice = tenant(&mut net, "alice", &Site::behind(NatType::SYMMETRIC), turn, |config| {
            config.mobility = mobility;
            if pair {
                config.relayed = Relayed::One { family: None, port: PortRequest::EvenAndNext };
            }
        });
        let peer = net.add_peer("peer", &Site::public()).unwrap();
        let peer = net.add_endpoint(peer.host, Probe::on_port(7000)).unwrap();
        let at = net[peer].local(0).unwrap();

        prop_assert!(net.run_until(LONG, |net| net[alice].relayed().is_some()), "{}", net.chart());
        let relay = net[alice].relayed().unwrap();
        prop_assert_eq!(net[turn].core().unwrap().allocations(), 1, "however often it was asked for");
        net.with(alice, |alice, now| {
            if channel { alice.client.bind(at, now) } else { alice.client.permit(at.ip(), now) }
        }).unwrap().unwrap();
        prop_assert!(net.run_until(LONG, |net| net[alice].client.relay_path(at).is_some()));

        // Data are as reliable as the network.
        let sent = 40;
        for n in 0..sent {
            net.with(alice, |alice, _| alice.send(at, &[n]));
            net.with(peer, |peer, _| peer.send(relay, &[n]));
            net.run_for(Duration::from_millis(50));
        }
        net.run_for(Duration::from_secs(1));
        prop_assert!(net[peer].received().len() > 4 && net[alice].received.len() > 4);
        prop_assert!(net[peer].received().iter().all(|got| got.source == relay && got.bytes.len() == 1));
        prop_assert!(net[alice].received.iter().all(|(from, data)| *from == at && data.len() == 1));

        if mobility {
            net.with(alice, |alice, _| alice.change_port());
            prop_assert!(net.run_until(LONG, |net| net[alice].client.relay_path(at).is_some()));
            prop_assert_eq!(net[alice].relayed(), Some(relay));
        }
        net.with(alice, |alice, now| alice.client.close(now));
        let gone = |net: &Network| net[alice].client.is_closed() && net[turn].core().unwrap().allocations() == 0;
        // Should every farewell be lost, the allocation expires.
        prop_assert!(net.run_until(Duration::from_secs(660), gone), "{}", net.chart());
    }
}
