//! One agent, whose peer and driver do anything in any order.

use alloc::vec::Vec;
use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::cases;
use super::inputs::{Bed, Input, Op, Setup, any_op, any_setup};
use crate::agent::tests::heard::Heard;
use crate::{Event, Role, SelectionReason, Time};

/// Everything happens, and everything is polled at once.
fn run(setup: &Setup, ops: &[Op]) -> Bed {
    let mut bed = Bed::new(setup);
    for op in ops {
        bed.run(op, &mut |bed, input| {
            bed.feed(&input);
            bed.poll();
        });
    }
    bed
}

/// The first transmission of each request.
fn first_transmissions(bed: &Bed) -> Vec<(Time, Heard)> {
    let mut seen = BTreeSet::new();
    let requests = bed.packets.iter().map(|(at, (_, bytes))| (*at, Heard::new(bytes)));
    requests.filter(|(_, h)| h.is_request() && seen.insert(*h.id.as_bytes())).collect()
}

proptest! {
    #![proptest_config(cases(300))]

    /// No input breaks an invariant (they are checked after each), and none is followed by a busy loop.
    #[test]
    fn nothing_upsets_an_agent(setup in any_setup(), ops in prop::collection::vec(any_op(), 0..150)) {
        let bed = run(&setup, &ops);
        prop_assert!(bed.packets.len() < 5_000);
    }

    /// RFC 8445 §14.2: never two new transactions within Ta, however late the driver is. Consent is outside the pace.
    #[test]
    fn new_transactions_are_at_least_ta_apart(setup in any_setup(), ops in prop::collection::vec(any_op(), 0..150)) {
        let setup = Setup { consent: false, ..setup };
        // With a clock that goes back the test could not tell the agent's time.
        let ops: Vec<Op> = ops.into_iter().filter(|op| !matches!(op, Op::Back(_))).collect();
        let bed = run(&setup, &ops);
        let times = first_transmissions(&bed);
        for step in times.windows(2) {
            prop_assert!(step[1].0.saturating_since(step[0].0) >= Duration::from_millis(50));
        }
    }

    /// RFC 8489 §6.2.1: a transaction id means one request, with the same bytes and the same destination each time.
    #[test]
    fn an_id_means_one_request(setup in any_setup(), ops in prop::collection::vec(any_op(), 0..150)) {
        let bed = run(&setup, &ops);
        let mut known = BTreeMap::new();
        for (_, (transmit, bytes)) in &bed.packets {
            let heard = Heard::new(bytes);
            if heard.is_request() {
                let first = known.entry(*heard.id.as_bytes()).or_insert((*transmit, bytes.clone()));
                prop_assert_eq!(&(*transmit, bytes.clone()), &*first);
            }
        }
    }

    /// RFC 8445 §7.1: every request names the role of its time, and only a controlling agent nominates. With regular
    /// nomination the first request for a pair never does (§8.1.1).
    #[test]
    fn requests_tell_the_truth(setup in any_setup(), ops in prop::collection::vec(any_op(), 0..150)) {
        let mut bed = Bed::new(&setup);
        let mut checked = BTreeSet::new();
        for op in &ops {
            let mut result = Ok(());
            bed.run(op, &mut |bed, input| {
                let before = (bed.agent.role(), bed.packets.len());
                bed.feed(&input);
                bed.poll();
                let roles = [before.0, bed.agent.role()];
                for (_, (transmit, bytes)) in &bed.packets[before.1..] {
                    let heard = Heard::new(bytes);
                    if !heard.is_request() {
                        continue;
                    }
                    let first = checked.insert((transmit.socket, transmit.destination));
                    let role = if heard.is_from_controlling() { Role::Controlling } else { Role::Controlled };
                    let honest = !heard.use_candidate || role == Role::Controlling;
                    let patient = setup.immediate || !(first && heard.use_candidate);
                    // A retransmission keeps the role it began with.
                    let again = !first;
                    if !(honest && patient && (again || roles.contains(&role))) {
                        result = Err(std::format!("{heard:?}"));
                    }
                }
            });
            prop_assert_eq!(result, Ok(()));
        }
    }

    /// The same inputs give the same packets, whether they are polled in between or at the end.
    #[test]
    fn polling_changes_nothing(setup in any_setup(), ops in prop::collection::vec(any_op(), 0..80)) {
        let (mut polled, mut unpolled) = (Bed::new(&setup), Bed::new(&setup));
        for op in &ops {
            polled.run(op, &mut |bed, input| {
                // Beyond what the queue holds the two may differ.
                if bed.packets.len() < 200 {
                    bed.feed(&input);
                    bed.poll();
                    unpolled.now = bed.now;
                    unpolled.feed(&input);
                }
            });
        }
        unpolled.poll();
        let packets = |bed: &Bed| bed.packets.iter().map(|(_, p)| p.clone()).collect::<Vec<_>>();
        prop_assert_eq!(packets(&polled), packets(&unpolled));
        prop_assert_eq!(polled.events, unpolled.events);
    }

    /// An agent that is never polled stays within its bounds (`check_invariants`) and does not ask to be woken up all the
    /// time.
    #[test]
    fn an_agent_that_is_never_polled_stays_small(
        setup in any_setup(),
        ops in prop::collection::vec(any_op(), 0..150),
    ) {
        let mut bed = Bed::new(&setup);
        let (mut wakeups, mut passed) = (0, Duration::ZERO);
        for op in &ops {
            if let Op::Advance(ms) | Op::Late(ms) = op {
                passed += Duration::from_millis(*ms);
            }
            bed.run(op, &mut |bed, input| {
                wakeups += u32::from(matches!(input, Input::Timeout));
                bed.feed(&input);
            });
        }
        prop_assert!(u128::from(wakeups) <= passed.as_millis() / 10 + 200, "{wakeups} wake-ups in {passed:?}");
    }

    /// What is not authenticated changes nothing but counters.
    #[test]
    fn strangers_change_nothing(
        setup in any_setup(),
        ops in prop::collection::vec(any_op(), 0..60),
        garbage in prop::collection::vec(any::<u8>(), 0..200),
        flips in prop::collection::vec((any::<usize>(), 1..=255u8), 1..4),
    ) {
        let mut bed = run(&setup, &ops);
        let due = bed.agent.poll_timeout().is_some_and(|due| due <= bed.now);
        prop_assume!(!due);
        let summary = |bed: &Bed| {
            let pairs: Vec<_> =
                bed.agent.pairs().map(|p| (p.id, p.state, p.priority, p.valid, p.nominated)).collect();
            (bed.agent.state(), bed.agent.role(), bed.agent.poll_timeout(), pairs, bed.packets.len())
        };
        let before = summary(&bed);
        let events = bed.events.len();
        // A good check whose covered part was changed, and any bytes.
        let ask =
            Op::Ask { from: 1, to: 1, controlling: true, tie: 9, nominate: true, priority: 9, repeat: false };
        let mut good = None;
        bed.run(&ask, &mut |_, input| good = Some(input));
        if let Some(Input::Datagram { socket, local_ip, source, bytes }) = good {
            let mut forged = bytes.clone();
            // Integrity covers all but FINGERPRINT.
            let covered = bytes.len() - 8;
            for &(at, flip) in &flips {
                forged[at % covered] ^= flip;
            }
            if forged != bytes {
                bed.feed(&Input::Datagram { socket, local_ip, source, bytes: forged });
            }
        }
        bed.run(&Op::Garbage(garbage), &mut |bed, input| bed.feed(&input));
        bed.poll();
        prop_assert_eq!(summary(&bed), before);
        prop_assert_eq!(bed.events.len(), events);
    }

    /// The selected pair of a component changes only for a better one or because it is lost.
    #[test]
    fn selections_have_their_reasons(setup in any_setup(), ops in prop::collection::vec(any_op(), 0..150)) {
        let bed = run(&setup, &ops);
        let mut selected = BTreeSet::new();
        for event in &bed.events {
            match event {
                Event::SelectedPairChanged { component, reason, .. } => {
                    let first = selected.insert(*component);
                    prop_assert_eq!(first, *reason == SelectionReason::Nominated);
                }
                // The other side decides from now on, or a new session does.
                Event::RoleChanged(_) | Event::Restarted(_) => selected.clear(),
                _ => {}
            }
        }
    }
}
