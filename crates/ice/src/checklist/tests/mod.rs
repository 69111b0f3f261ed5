//! Checklists without an agent: the rules of forming, pruning and of the cap that an agent rarely meets.

use alloc::vec::Vec;

use super::*;
use crate::ids::{ComponentId, LocalId};
use crate::stats::PairState;

fn checklists(streams: usize, cap: u16) -> Checklists {
    Checklists::new(streams, cap)
}

/// A pair whose base and remote candidate nobody else has.
fn new(stream: u16, n: u16, priority: u64) -> NewPair {
    NewPair {
        component: Component::new(StreamId(stream), ComponentId::FIRST),
        base: BaseId(stream * 1_000 + n),
        local: LocalId(u32::from(n)),
        remote: RemoteId(u32::from(n)),
        foundation: PairFoundation { local: n, remote: n },
        priority,
        triggered: false,
    }
}

fn form(lists: &mut Checklists, pair: &NewPair) -> PairId {
    match lists.form(pair) {
        Formed::New { id, .. } | Formed::Known(id) => id,
        Formed::NoRoom => panic!("room"),
    }
}

fn priorities(lists: &Checklists, stream: u16) -> Vec<u64> {
    lists.in_order(StreamId(stream)).map(|(_, p)| p.priority()).collect()
}

#[test]
fn a_checklist_is_sorted_and_equal_priorities_by_component() {
    // §6.1.2.3, §6.1.4.2 step 3.
    let mut lists = checklists(1, 100);
    for (n, priority, component) in [(1, 5, 1), (2, 9, 1), (3, 7, 2), (4, 7, 1), (5, 7, 1)] {
        let mut pair = new(0, n, priority);
        pair.component.id = ComponentId::new(component).expect("1 to 256");
        form(&mut lists, &pair);
        lists.check_invariants();
    }
    let order: Vec<_> = lists.in_order(StreamId(0)).map(|(_, p)| p.local.0).collect();
    assert_eq!(order, [2, 4, 5, 3, 1]);
}

#[test]
fn of_redundant_pairs_the_better_stays_while_it_is_not_being_checked() {
    // §6.1.2.4, RFC 8838 §10 item 5.
    for (state, taken) in [
        (PairState::Frozen, true),
        (PairState::Waiting, true),
        (PairState::InProgress, false),
        (PairState::Succeeded, false),
        (PairState::Failed, false),
    ] {
        let mut lists = checklists(1, 100);
        let known = form(&mut lists, &new(0, 1, 10));
        lists.set_state(known, state);
        let better = NewPair { local: LocalId(77), priority: 20, ..new(0, 1, 10) };
        assert_eq!(lists.form(&better), Formed::Known(known));
        let pair = lists.get(known).expect("the pair");
        assert_eq!((pair.priority(), pair.local), if taken { (20, LocalId(77)) } else { (10, LocalId(1)) });
        assert_eq!(lists.form(&NewPair { priority: 5, ..better }), Formed::Known(known));
        assert_eq!(lists.get(known).map(Pair::priority), Some(if taken { 20 } else { 10 }));
        lists.check_invariants();
    }
}

#[test]
fn the_cap_discards_failed_pairs_first_wherever_they_are() {
    let mut lists = checklists(2, 4);
    let ids: Vec<PairId> = [(0, 1, 50), (0, 2, 40), (1, 3, 30), (1, 4, 20)]
        .map(|(s, n, p)| form(&mut lists, &new(s, n, p)))
        .into();
    lists.set_state(ids[2], PairState::Failed);
    // The failed one is on the other list and not the lowest.
    assert!(matches!(lists.form(&new(0, 5, 1)), Formed::New { evicted, .. } if evicted == Some(ids[2])));
    assert_eq!((priorities(&lists, 0), priorities(&lists, 1)), (alloc::vec![50, 40, 1], alloc::vec![20]));
    lists.check_invariants();
}

#[test]
fn the_cap_takes_from_the_longest_list_until_all_have_their_share() {
    let mut lists = checklists(3, 6);
    for n in 1..=6 {
        form(&mut lists, &new(0, n, 100 - u64::from(n)));
    }
    for n in 10..=12 {
        assert!(matches!(lists.form(&new(1, n, 1)), Formed::New { .. }) == (n < 12), "{n}");
        lists.check_invariants();
    }
    // With its share, a list only improves itself.
    assert!(matches!(lists.form(&new(1, 20, 2)), Formed::New { .. }));
    assert_eq!(priorities(&lists, 1), [2, 1]);
    assert_eq!(priorities(&lists, 0), [99, 98, 97, 96]);
}

#[test]
fn what_is_in_use_is_never_discarded() {
    type Use = fn(&mut Checklists, PairId);
    let uses: [Use; 5] = [
        |l, id| l.set_state(id, PairState::InProgress),
        |l, id| l.trigger(id),
        |l, id| l.get_mut(id).expect("the pair").nominating = true,
        |l, id| {
            let valid = ValidPair { local: LocalId(1), priority: 1, confirmed: floe_stun::Time::ZERO };
            l.set_valid(id, valid);
        },
        |l, id| {
            l.set_state(id, PairState::Failed);
            l.get_mut(id).expect("the pair").barred = true;
        },
    ];
    for in_use in uses {
        let mut lists = checklists(1, 2);
        let low = form(&mut lists, &new(0, 1, 10));
        let high = form(&mut lists, &new(0, 2, 20));
        in_use(&mut lists, low);
        assert!(matches!(lists.form(&new(0, 3, 30)), Formed::New { evicted, .. } if evicted == Some(high)));
        assert!(lists.get(low).is_some());
        assert_eq!(lists.form(&new(0, 4, 5)), Formed::NoRoom);
        lists.check_invariants();
    }
}

#[test]
fn a_triggered_pair_takes_the_place_of_a_better_one() {
    let mut lists = checklists(1, 2);
    form(&mut lists, &new(0, 1, 10));
    form(&mut lists, &new(0, 2, 20));
    assert_eq!(lists.form(&new(0, 3, 5)), Formed::NoRoom);
    assert!(matches!(lists.form(&NewPair { triggered: true, ..new(0, 3, 5) }), Formed::New { .. }));
    assert_eq!(priorities(&lists, 0), [20, 5]);
}

#[test]
fn the_id_of_a_pair_that_is_gone_names_no_other() {
    let mut lists = checklists(1, 1);
    let first = form(&mut lists, &new(0, 1, 10));
    let second = form(&mut lists, &new(0, 2, 20));
    assert_ne!(first, second);
    assert!(lists.get(first).is_none());
    lists.set_state(first, PairState::Waiting);
    lists.trigger(first);
    lists.untrigger(first);
    assert!(lists.remove(first).is_none());
    lists.check_invariants();
    assert!(lists.get(second).is_some());
}

#[test]
fn a_queue_is_first_in_first_out_without_duplicates() {
    // §6.1.4.1.
    let mut lists = checklists(1, 100);
    let ids: Vec<PairId> = (1..=4).map(|n| form(&mut lists, &new(0, n, u64::from(n)))).collect();
    lists.start();
    for at in [2, 0, 2, 3, 0] {
        lists.trigger(ids[at]);
    }
    lists.untrigger(ids[0]);
    lists.check_invariants();
    assert_eq!([lists.next(), lists.next()], [Some(ids[2]), Some(ids[3])]);
    assert_eq!(lists.next(), Some(ids[3]), "then the ordinary ones: this one is Waiting still");
}

#[test]
fn a_role_change_sorts_anew() {
    // §7.3.1.1.
    let mut lists = checklists(2, 100);
    for n in 1..=5 {
        form(&mut lists, &new(n % 2, n, u64::from(n)));
    }
    lists.reprioritise(|p| (100 - p.priority(), None));
    lists.check_invariants();
    assert_eq!(
        (priorities(&lists, 0), priorities(&lists, 1)),
        (alloc::vec![98, 96], alloc::vec![99, 97, 95])
    );
}

#[test]
fn failed_and_completed_lists_have_no_ordinary_checks() {
    // §6.1.4.2 picks Running checklists; a triggered check is sent for any.
    for state in [ChecklistState::Failed, ChecklistState::Completed] {
        let mut lists = checklists(1, 100);
        let id = form(&mut lists, &new(0, 1, 1));
        lists.start();
        lists.list_mut(StreamId(0)).expect("a list").state = state;
        assert_eq!((lists.next(), lists.has_work()), (None, false));
        lists.trigger(id);
        assert_eq!((lists.has_work(), lists.next()), (true, Some(id)));
    }
}

#[test]
fn pairs_that_go_together_give_their_memory_back_and_their_ids_to_nobody() {
    let mut lists = checklists(2, 100);
    let ids: Vec<PairId> = (1..=80).map(|n| form(&mut lists, &new(n % 2, n, u64::from(n)))).collect();
    lists.trigger(ids[3]);
    lists.trigger(ids[4]);
    let component = Component::new(StreamId(0), ComponentId::FIRST);
    lists.remove_of(component, |id, _| id != ids[5]);
    lists.check_invariants();
    assert_eq!((priorities(&lists, 0), priorities(&lists, 1).len()), (alloc::vec![6], 40));
    lists.remove_of(Component::new(StreamId(1), ComponentId::FIRST), |_, _| true);
    lists.check_invariants();
    assert_eq!((lists.pairs.len(), lists.next()), (1, Some(ids[5])), "and nothing that is gone");
    for n in 100..=150 {
        let id = form(&mut lists, &new(0, n, u64::from(n)));
        assert!(!ids.contains(&id));
        lists.check_invariants();
    }
}
