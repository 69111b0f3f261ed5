//! Two agents on a perfect link: the times and packets of the RFC, and nothing else.

use super::net::{Conditions, Net};
use super::script::{Script, host, local, millis, remote};
use crate::{ConnectionState, Nomination};

fn connect(n: u8, one_way: u64, nomination: Nomination) -> Net {
    let net = Net::new([n; 2], |_, c| c.nomination = nomination);
    let mut net = net.with(Conditions::perfect(one_way)).exchange();
    net.run_to(1000);
    net
}

#[test]
fn regular_nomination_takes_two_round_trips() {
    for (one_way, valid, selected, packets) in [(50, 100, [200, 150], 10), (20, 40, [90, 70], 6)] {
        let net = connect(1, one_way, Nomination::default());
        assert_eq!(net.path_at(), [Some(valid); 2]);
        assert_eq!(net.selected_at(), selected.map(Some));
        assert_eq!(net.log.len(), packets);
        assert_eq!(net.states(), [ConnectionState::Completed; 2]);
    }
}

#[test]
fn immediate_nomination_takes_one_round_trip() {
    let net = connect(1, 50, Nomination::Immediate);
    assert_eq!(net.selected_at(), [Some(100); 2]);
    assert_eq!(net.log.len(), 8);
}

#[test]
fn more_candidates_do_not_delay_the_best_pair() {
    for n in [4, 10] {
        let net = connect(n, 50, Nomination::default());
        assert_eq!(net.selected_at(), [Some(200), Some(150)], "{n} candidates a side");
    }
}

#[test]
fn a_refused_call_leaves_the_agent_as_it_was() {
    // The driver slept, and a call that cannot be carried out comes before the wake-up that is overdue.
    let mut script = Script::controlled(1);
    script.signal(&host(1));
    let due = script.agent.poll_timeout().expect("a retransmission");
    let late = due.saturating_add(core::time::Duration::from_secs(1));
    let refused = script.agent.end_of_remote_candidates(crate::StreamId(7), late);
    assert_eq!(refused, Err(crate::AgentError::UnknownComponent));
    script.agent.check_invariants();
    assert_eq!(script.agent.poll_timeout(), Some(due));
    script.to(1_000);
    assert_eq!(script.requests().len(), 2);
}

#[test]
fn an_input_that_causes_nothing_does_what_was_due_before_it() {
    for (ms, expected) in [(499, 0), (500, 1), (700, 1)] {
        let mut script = Script::controlling(1);
        script.signal(&host(1));
        let check = script.check();
        script.now = millis(ms);
        // Nobody called `handle_timeout`.
        let _ = script.deliver(remote(9), local(1), b"\xff neither STUN nor data of anybody known");
        let again = script.requests();
        assert_eq!(again.iter().filter(|sent| sent.id == check.id).count(), expected, "at {ms} ms");
    }
}

#[test]
fn a_timeout_before_its_time_does_nothing() {
    let mut script = Script::controlling(1);
    script.signal(&host(1));
    let _ = script.check();
    let due = script.agent.poll_timeout();
    for ms in [0, 100, 499, 3] {
        script.agent.handle_timeout(millis(ms));
        assert_eq!(script.agent.poll_timeout(), due, "at {ms} ms");
    }
    assert!(script.requests().is_empty());
}
