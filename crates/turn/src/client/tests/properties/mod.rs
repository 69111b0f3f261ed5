//! Properties of a client under random calls, a random server and a network that loses, repeats and reorders: what may
//! never happen, whatever does.
//!
//! The workspace fixes the seed (`.cargo/config.toml`), so that a run tells the same every time; `FLOE_FULL=1` runs many
//! more cases, `PROPTEST_RNG_SEED` others.

mod server;
mod world;

use std::vec;
use std::vec::Vec;

use proptest::prelude::*;
use proptest::test_runner::Config as Cases;

use crate::Carrier;
use crate::random::Random;

use super::super::Config;
use super::scene::config;
use world::{Op, World};

/// The configuration of a property: `usually` cases, or fifty times as many.
fn cases(usually: u32) -> Cases {
    let full = std::env::var_os("FLOE_FULL").is_some_and(|v| v == "1");
    Cases {
        cases: if full { usually * 50 } else { usually },
        failure_persistence: None,
        max_shrink_iters: 4_000,
        ..Cases::default()
    }
}

fn configs() -> impl Strategy<Value = Config> {
    (any::<bool>(), any::<bool>(), any::<bool>(), 1u16..5, 1u16..5).prop_map(
        |(stream, mobility, dont_fragment, permissions, channels)| {
            let mut config = Config { mobility, dont_fragment, ..config() };
            config.carrier = if stream { Carrier::Stream } else { Carrier::Datagram };
            (config.limits.permissions, config.limits.channels) = (permissions, channels);
            config
        },
    )
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let peer = 0u8..6;
    let index = any::<u8>();
    let op = prop_oneof![
        // Mostly things go well.
        60 => Just(Op::Flush),
        5 => index.prop_map(Op::ToServer),
        5 => index.prop_map(Op::ToClient),
        10 => (0u32..2_000).prop_map(Op::Millis),
        20 => (0u32..60).prop_map(Op::Secs),
        2 => (0u32..1_000).prop_map(Op::Secs),
        1 => (0u32..400).prop_map(Op::OversleepSecs),
        15 => peer.clone().prop_map(Op::Permit),
        2 => peer.clone().prop_map(Op::Forbid),
        20 => peer.clone().prop_map(Op::Bind),
        4 => peer.clone().prop_map(Op::Unbind),
        15 => peer.clone().prop_map(Op::RecordSent),
        20 => peer.clone().prop_map(Op::PeerData),
        20 => peer.clone().prop_map(Op::Echo),
        5 => (peer, any::<u16>()).prop_map(|(peer, channel)| Op::BogusData(peer, channel)),
        3 => index.prop_map(Op::RepeatToServer),
        3 => index.prop_map(Op::RepeatToClient),
        2 => index.prop_map(Op::LoseToServer),
        2 => index.prop_map(Op::LoseToClient),
        2 => (any::<u8>(), any::<u16>()).prop_map(|(at, byte)| Op::Tamper(at, byte)),
        1 => prop::collection::vec(any::<u8>(), 0..40).prop_map(Op::Garbage),
        1 => Just(Op::RestartServer),
        4 => prop::sample::select(&[0u16, 0, 0, 0, 300, 400, 401, 403, 405, 420, 437, 438, 440, 441, 486, 500, 508][..])
            .prop_map(Op::Mood),
        10 => Just(Op::Allocate),
        3 => Just(Op::Moved),
        1 => Just(Op::Disconnected),
        1 => Just(Op::Confirm),
        1 => Just(Op::Close),
    ];
    prop::collection::vec(op, 1..300)
}

proptest! {
    #![proptest_config(cases(300))]

    #[test]
    fn a_client_keeps_its_promises_and_always_ends(config in configs(), ops in ops()) {
        let mut world = World::new(config);
        for op in &ops {
            world.run(op);
        }
        world.end();
    }

    #[test]
    fn the_same_seed_and_inputs_give_the_same_bytes(config in configs(), ops in ops()) {
        let run = || {
            let mut world = World::new(config.clone());
            ops.iter().for_each(|op| world.run(op));
            world.log
        };
        prop_assert_eq!(run(), run());
    }

    #[test]
    fn whatever_comes_is_taken_without_harm(config in configs(), datagrams in prop::collection::vec(
        (any::<bool>(), prop::collection::vec(any::<u8>(), 0..80)), 1..40))
    {
        let mut world = World::new(config);
        world.run(&Op::Allocate);
        for (stun, mut bytes) in datagrams {
            if stun && bytes.len() >= 20 {
                bytes[0] &= 0x01;
                bytes[1] &= 0x1F;
                bytes.truncate(bytes.len() / 4 * 4);
                let body = bytes.len() as u16 - 20;
                bytes[2..4].copy_from_slice(&body.to_be_bytes());
                bytes[4..8].copy_from_slice(&floe_stun::MAGIC_COOKIE.to_be_bytes());
            }
            world.run(&Op::Garbage(bytes));
        }
        world.end();
    }
}

#[test]
fn with_a_good_server_there_is_an_allocation_with_all_it_takes_however_bad_the_network() {
    for loss in 0..4u8 {
        let mut world = World::new(config());
        // Of four packets about `loss` are lost, each way.
        let mut random = Random::new([7; 32]);
        let worked = world.live(1_200, || random.bytes::<1>()[0] % 4 >= loss, [0, 1]);
        let at_least = [1_195, 1_150, 800, 1][usize::from(loss)];
        assert!(worked >= at_least, "{worked} s of 1200 s with {loss} of 4 lost");
        world.run(&Op::Close);
        world.run(&Op::Flush);
        // Where no answer was lost no allocation is forgotten.
        assert!(loss > 0 || world.allocations() == 0);
        world.end();
    }
}
