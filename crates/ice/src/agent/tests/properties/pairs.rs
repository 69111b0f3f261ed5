//! Two agents over a network that loses, delays, repeats and reorders: they connect, agree, and keep the rules.

use alloc::vec::Vec;
use core::time::Duration;
use std::borrow::ToOwned;
use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::cases;
use crate::agent::tests::heard::signed_with;
use crate::agent::tests::net::{Conditions, Nat, Net, address};
use crate::agent::tests::script::component;
use crate::{Component, ConnectionState, Event, Nomination, Role};

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
    /// How long signalling takes later.
    signal_delay: u64,
}

fn any_world() -> impl Strategy<Value = World> {
    let way = || (1..150u64).prop_map(Duration::from_millis);
    let conditions = (way(), way(), 0..40u64, 0..8u8, 0..15u8);
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
        ([delays(), delays()], 0..500u64),
    )
        .prop_map(|(seed, hosts, streams, conditions, immediate, roles, nat, (delays, signal_delay))| {
            World { seed, hosts, streams, conditions, immediate, roles, nat, delays, signal_delay }
        })
}

/// What goes wrong in the life of a connection.
#[derive(Clone, Debug)]
enum Trouble {
    /// Nothing from this side arrives for a while, in ms.
    Cut(usize, u64),
    /// A side loses a socket for good.
    SocketLost(usize, u8),
    /// A packet sent before arrives again, from elsewhere.
    Replay(usize),
    /// One of the clocks is not looked at for a while, in ms.
    Asleep(u64),
    /// A side restarts ICE.
    Restart(usize),
}

fn any_trouble() -> impl Strategy<Value = (u64, Trouble)> {
    let trouble = prop_oneof![
        3 => (0..2usize, 1..50_000u64).prop_map(|(side, ms)| Trouble::Cut(side, ms)),
        1 => (0..2usize, 0..3u8).prop_map(|(side, host)| Trouble::SocketLost(side, host)),
        2 => any::<usize>().prop_map(Trouble::Replay),
        1 => (1..20_000u64).prop_map(Trouble::Asleep),
        3 => (0..2usize).prop_map(Trouble::Restart),
    ];
    (0..15_000u64, trouble)
}

fn suffer(net: &mut Net, trouble: &Trouble) {
    let now = net.now.as_nanos() / 1_000_000;
    match *trouble {
        Trouble::Cut(side, ms) => {
            net.cut[side] = true;
            net.run_to(now + ms);
            net.cut[side] = false;
        }
        Trouble::SocketLost(side, host) => {
            let at = address(side, host, Component::default());
            net.lose_socket(side, at);
        }
        Trouble::Replay(nth) => {
            if !net.log.is_empty() {
                let packet = net.log[nth % net.log.len()].clone();
                let stranger = ([203, 0, 113, 9], 9).into();
                let _ = net.inject(1 - packet.side, stranger, packet.to, &packet.bytes);
                net.collect();
            }
        }
        Trouble::Asleep(ms) => net.suspend(Duration::from_millis(ms)),
        Trouble::Restart(side) => net.restart(side),
    }
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
    net.signal_delay = Duration::from_millis(world.signal_delay);
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
        net.run_to(45_000);
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

    /// However often and by whom ICE is restarted, and whatever is lost meanwhile, both sides end in one session, on the same pairs;
    /// with no more restarts than were asked for.
    #[test]
    fn restarts_end_in_one_session(
        world in any_world(),
        restarts in prop::collection::vec((0..2usize, prop_oneof![0..40u64, 0..600u64, 0..20_000u64]), 1..7),
    ) {
        let mut net = build(&world, true);
        net.run_to(world.delays.iter().flatten().max().copied().unwrap_or(0) + 1);
        for (side, after) in &restarts {
            let now = net.now.as_nanos() / 1_000_000;
            net.run_to(now + after);
            net.restart(*side);
        }
        let now = net.now.as_nanos() / 1_000_000;
        net.run_to(now + 45_000);
        let ufrags = [0, 1].map(|side| net.agents[side].local_credentials().ufrag().to_owned());
        for side in 0..2 {
            let begun = net.events[side].iter().rposition(|(_, e)| matches!(e, Event::Restarted(_)));
            let since = &net.events[side][begun.expect("restarted")..];
            let completed = |e: &Event| matches!(e, Event::StateChanged(ConnectionState::Completed));
            prop_assert!(since.iter().any(|(_, e)| completed(e)), "side {side}: {since:?}");
            let count = net.events[side].iter().filter(|(_, e)| matches!(e, Event::Restarted(_))).count();
            prop_assert!(count <= restarts.len(), "{count} restarts of side {side}");
            // What it asks in the end names the peer's latest credentials and its own.
            let asked = net.log.iter().rfind(|p| p.side == side && p.heard.is_request());
            let name = asked.and_then(|p| p.heard.username.clone());
            prop_assert_eq!(name, Some(std::format!("{}:{}", ufrags[1 - side], ufrags[side])));
        }
        for (stream, components) in (0..).zip(&world.streams) {
            for id in 1..=*components {
                prop_assert!(net.agrees(component(stream, id)), "stream {stream}, component {id}");
            }
        }
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

    /// Whatever happens on the way, in the end data flows both ways or both sides know that there is no path. A side that lost
    /// the selected pair alone may use another nominated one than its peer (§8.1.1 lets no lower priority replace it there).
    #[test]
    fn in_the_end_both_sides_say_the_same(
        world in any_world(),
        troubles in prop::collection::vec(any_trouble(), 0..6),
    ) {
        let mut world = World { streams: alloc::vec![1], ..world };
        // Afterwards the network is calm: losses are a reason for any state.
        (world.conditions.loss, world.conditions.duplication) = (0, 5);
        let mut net = build(&world, true);
        let mut now = 0;
        for (after, trouble) in &troubles {
            now = now.max(net.now.as_nanos() / 1_000_000) + after;
            net.run_to(now);
            suffer(&mut net, trouble);
        }
        let calm = net.now.as_nanos() / 1_000_000 + 180_000;
        net.run_to(calm);
        let states = net.states();
        prop_assert_eq!(states[0], states[1], "{:?}", net.events);
        match states[0] {
            ConnectionState::Completed => {
                let lost = |e: &Event| matches!(e, Event::ConsentLost { .. });
                let alone = (0..2).any(|side| net.first(side, lost).is_some());
                prop_assert!(alone || net.agrees(Component::default()));
                prop_assert!(net.data_flows(0) && net.data_flows(1));
            }
            ConnectionState::Failed => {
                for agent in &net.agents {
                    prop_assert!(agent.send_path(Component::default()).is_err());
                    prop_assert_eq!(agent.poll_timeout(), None);
                }
            }
            other => prop_assert!(false, "{other}"),
        }
    }
}
