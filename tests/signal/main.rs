//! Signalling between two parties over a path that loses, repeats and reorders: whatever happens, they end in agreement.

#![forbid(unsafe_code)]

mod agents;
mod browser;
mod page;
mod party;
mod program;
mod world;

use std::time::Duration;

use floe_tests::repetitions;
use proptest::prelude::*;

use page::Page;
use party::{Action, Party};
use program::Program;
use world::World;

/// What is done to which side, and how many milliseconds after the last thing.
type Step = (u64, usize, Action);

fn action() -> impl Strategy<Value = Action> {
    use Action as A;
    prop_oneof![
        3 => Just(A::Start),
        5 => Just(A::Offer),
        3 => Just(A::Restart),
        4 => Just(A::Candidate),
        3 => Just(A::Answer),
        1 => Just(A::Reject),
        2 => Just(A::HangUp),
        2 => Just(A::Reload),
        1 => Just(A::TransportLost),
        2 => Just(A::TransportResumed),
    ]
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    // Often at the same moment, so that what both do meets on the way.
    let pause = prop_oneof![4 => Just(0), 4 => 1_u64..100, 2 => 100_u64..4000, 1 => 4000_u64..80_000];
    prop::collection::vec((pause, 0..2_usize, action()), 1..40)
}

fn play(parties: [Box<dyn Party>; 2], steps: &[Step], fates: Vec<u8>) -> World {
    let mut world = World::new(parties, fates);
    for (pause, side, action) in steps {
        world.pass(Duration::from_millis(*pause));
        world.act(*side, *action);
    }
    world.heal();
    world.check_agreement();
    world.check_traffic();
    world
}

fn programs(prompt: [bool; 2]) -> [Box<dyn Party>; 2] {
    [Box::new(Program::new("ann", "bob", prompt[0])), Box::new(Program::new("bob", "ann", prompt[1]))]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: repetitions(400, 20_000) as u32, max_shrink_iters: 2000, ..ProptestConfig::default() })]

    #[test]
    fn two_sessions_end_in_agreement(
        steps in steps(),
        fates in prop::collection::vec(any::<u8>(), 0..64),
        prompt in any::<[bool; 2]>(),
    ) {
        play(programs(prompt), &steps, fates);
    }

    #[test]
    fn a_session_and_a_page_end_in_agreement(
        steps in steps(),
        fates in prop::collection::vec(any::<u8>(), 0..64),
        prompt in any::<bool>(),
        polite in any::<bool>(),
    ) {
        let (page, program) = if polite { ("ann", "bob") } else { ("bob", "ann") };
        let parties: [Box<dyn Party>; 2] =
            [Box::new(Page::new(page, program)), Box::new(Program::new(program, page, prompt))];
        play(parties, &steps, fates);
    }

    #[test]
    fn two_pages_end_in_agreement(steps in steps(), fates in prop::collection::vec(any::<u8>(), 0..64)) {
        let parties: [Box<dyn Party>; 2] = [Box::new(Page::new("ann", "bob")), Box::new(Page::new("bob", "ann"))];
        play(parties, &steps, fates);
    }
}

/// Found by the properties above: each side heard of the other's next call after it had begun one more itself, for ever.
#[test]
fn both_sides_that_begin_anew_at_once_meet() {
    use Action as A;
    let steps = [
        (0, 1, A::Start),
        (0, 0, A::Start),
        (0, 0, A::Candidate),
        (0, 1, A::Offer),
        (0, 0, A::Offer),
        (620, 0, A::HangUp),
        (790, 0, A::Offer),
        (0, 1, A::Start),
        (0, 0, A::Start),
        (0, 1, A::Reload),
        (450, 0, A::Start),
    ];
    let pages: [Box<dyn Party>; 2] = [Box::new(Page::new("ann", "bob")), Box::new(Page::new("bob", "ann"))];
    play(pages, &steps, vec![183, 132, 0, 0, 178, 0]);

    let starts = |pauses: &[u64]| pauses.iter().map(|pause| (*pause, 0, A::Start)).collect::<Vec<Step>>();
    let mut steps = vec![(0, 0, A::Start), (52, 0, A::HangUp), (11, 1, A::Start), (32, 1, A::Start)];
    steps.extend(starts(&[1391, 73, 97]));
    steps.extend([(53, 0, A::TransportLost), (0, 1, A::Start), (1374, 0, A::Start), (1, 0, A::Reload)]);
    steps.extend([(41, 1, A::Offer), (33, 0, A::Offer), (0, 1, A::Reload)]);
    steps.extend(starts(&[3813, 3086, 3379, 3454, 3141, 3432, 616, 49_888, 52]));
    let parties: [Box<dyn Party>; 2] =
        [Box::new(Page::new("bob", "ann")), Box::new(Program::new("ann", "bob", false))];
    play(parties, &steps, vec![0, 0, 207]);
}
