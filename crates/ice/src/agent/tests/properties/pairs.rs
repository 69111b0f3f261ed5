//! Two agents over a network that loses, delays, repeats and reorders: they connect, agree, and keep the rules.

use alloc::vec::Vec;
use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::cases;
use crate::agent::tests::heard::signed_with;
use crate::agent::tests::net::{Conditions, Nat, Net};
use crate::agent::tests::script::component;
use crate::{ConnectionState, Event, Nomination, Role};

#[derive(Clone, Debug)]
struct World {
    seed: u64,
    hosts: [u8; 2],
    streams: Vec<u16>,
    conditions: Conditions,
    immediate: [bool; 2],
    roles: [Role; 2],
    nat: Option<bool>,
    /// When candidates, end and credentials of each side arrive.
    delays: [[u64; 3]; 2],
}

fn any_world() -> impl Strategy<Value = World> {
    let way = || (1..150u64).prop_map(Duration::from_millis);
    let conditions = (way(), way(), 0..40u64, 0..15u8, 0..15u8);
    let conditions = conditions.prop_map(|(there, back, jitter, loss, duplication)| Conditions {
        one_way: [there, back],
        jitter: Duration::from_millis(jitter),
        loss,
        duplication,
    });
    let role = || prop_oneof![Just(Role::Controlling), Just(Role::Controlled)];
    let streams =
        prop_oneof![2 => Just(alloc::vec![1]), 1 => Just(alloc::vec![2]), 1 => Just(alloc::vec![2, 1, 2])];
    let delays = || [0..300u64, 0..300u64, 0..300u64];
    (
        any::<u64>(),
        [1..4u8, 1..4u8],
        streams,
        conditions,
        [prop::bool::weighted(0.3), prop::bool::weighted(0.3)],
        [role(), role()],
        prop_oneof![2 => Just(None), 1 => any::<bool>().prop_map(Some)],
        [delays(), delays()],
    )
        .prop_map(|(seed, hosts, streams, conditions, immediate, roles, nat, delays)| World {
            seed,
            hosts,
            streams,
            conditions,
            immediate,
            roles,
            nat,
            delays,
        })
}

fn build(world: &World, consent: bool) -> Net {
    let mut net = Net::new(world.hosts, |side, c| {
        c.seed[..8].copy_from_slice(&world.seed.wrapping_mul(side as u64 + 3).to_be_bytes());
        (c.role, c.streams, c.consent) = (world.roles[side], world.streams.clone(), consent);
        if world.immediate[side] {
            c.nomination = Nomination::Immediate;
        }
    });
    net = net.seeded(world.seed).with(world.conditions);
    net.nats[0] = world.nat.map(|symmetric| Nat::new([192, 0, 2, 1], symmetric, true));
    for side in 0..2 {
        net.agents[side].end_of_local_candidates(net.now).expect("open");
        let [candidates, end, credentials] = world.delays[side].map(Duration::from_millis);
        net.signal(side, candidates);
        net.end(side, candidates.max(end));
        net.introduce(side, credentials);
    }
    net
}

proptest! {
    #![proptest_config(cases(60))]

    /// Whatever the network does short of cutting the line, both sides end on the same pairs and stay there.
    #[test]
    fn agents_connect_and_agree(world in any_world()) {
        let mut net = build(&world, true);
        net.run_to(30_000);
        for side in 0..2 {
            // Three lost consent checks in a row are well possible with this loss, but they come and go.
            let completed = |e: &Event| matches!(e, Event::StateChanged(ConnectionState::Completed));
            prop_assert!(net.first(side, completed).is_some());
        }
        for (stream, components) in (0..).zip(&world.streams) {
            for id in 1..=*components {
                prop_assert!(net.agrees(component(stream, id)), "stream {stream}, component {id}");
            }
        }
        prop_assert_ne!(net.agents[0].role(), net.agents[1].role());
    }

    /// Every packet is signed, every id belongs to one request, and the pace is kept on both sides.
    #[test]
    fn packets_keep_the_rules(world in any_world()) {
        let mut net = build(&world, false);
        net.run_to(20_000);
        for side in 0..2 {
            let key = floe_stun::Key::short_term(net.agents[1 - side].local_credentials().pwd());
            let (mut requests, mut last) = (BTreeMap::new(), None);
            for packet in net.log.iter().filter(|p| p.side == side && p.heard.is_request()) {
                signed_with(&packet.bytes, &key);
                let bytes = requests.insert(*packet.heard.id.as_bytes(), (&packet.bytes, packet.to, packet.from));
                match bytes {
                    Some(known) => prop_assert_eq!(known, (&packet.bytes, packet.to, packet.from)),
                    None => {
                        let distance = last.map(|last| packet.at.saturating_since(last));
                        prop_assert!(distance.is_none_or(|d| d >= Duration::from_millis(50)));
                        last = Some(packet.at);
                    }
                }
            }
            let answers: BTreeSet<_> =
                net.log.iter().filter(|p| p.side != side && !p.heard.is_request() && p.heard.mapped.is_some()).map(|p| *p.heard.id.as_bytes()).collect();
            prop_assert!(answers.iter().all(|id| requests.contains_key(id)), "only requests are answered");
        }
    }

    /// The same world twice gives the same packets, byte by byte.
    #[test]
    fn the_same_seed_gives_the_same_packets(world in any_world()) {
        let run = || {
            let mut net = build(&world, true);
            net.run_to(10_000);
            net.log.iter().map(|p| (p.at, p.side, p.bytes.clone())).collect::<Vec<_>>()
        };
        prop_assert_eq!(run(), run());
    }
}
