//! RFC 8445 §6.1.2.6 and §6.1.4.2, RFC 8838 §12: the states of pairs over several checklists, step by step.

use alloc::string::String;
use alloc::vec::Vec;
use core::net::SocketAddr;
use std::format;

use crate::agent::tests::script::{Script, Sent, component};
use crate::candidate::Foundation;
use crate::{Candidate, ComponentId, PairState, Role, StreamId};

/// A checklist set as the tables of the RFCs show it: a row for each component of each stream, a column for each
/// foundation. The agent has one address, so that the peer's candidates alone decide the foundation.
struct Table {
    script: Script,
    rows: Vec<(u16, u16)>,
}

const COLUMNS: u16 = 5;

/// The peer's candidate of a cell. Columns to the left have a higher priority.
fn remote(row: (u16, u16), column: u16) -> SocketAddr {
    SocketAddr::from(([10, 1, column as u8, 1], 6000 + row.0 * 10 + row.1))
}

impl Table {
    /// Streams of so many components; checks begin when all `cells` (row, column), both from 1, are there.
    fn new(streams: &[u16], cells: &[(usize, u16)]) -> Self {
        let mut script = Script::new(|c| {
            c.role = Role::Controlled;
            c.streams = streams.to_vec();
        });
        let mut rows = Vec::new();
        for (stream, components) in (0..).zip(streams) {
            for id in 1..=*components {
                script.host_at(
                    component(stream, id),
                    SocketAddr::from(([10, 0, 0, 1], 5000 + stream * 10 + id)),
                );
                rows.push((stream, id));
            }
        }
        let mut table = Self { script, rows };
        for &(row, column) in cells {
            table.add(row, column);
        }
        table.script.know_peer();
        table
    }

    fn add(&mut self, row: usize, column: u16) {
        let at = self.rows[row - 1];
        let candidate = Candidate::host(remote(at, column))
            .with_component(ComponentId::new(at.1).expect("1 to 256"))
            .with_local_preference(u16::MAX - column)
            .with_foundation(Foundation::new(&format!("f{column}")).expect("ice-chars"));
        let _ = self.script.add(StreamId(at.0), &candidate);
    }

    fn row(&self, row: usize) -> String {
        let at = self.rows[row - 1];
        let cell = |column| {
            let pair = self.script.agent.pairs().find(|p| p.remote.address() == remote(at, column));
            pair.map_or('.', |p| match p.state {
                PairState::Frozen => 'F',
                PairState::Waiting => 'W',
                PairState::InProgress => 'I',
                PairState::Succeeded => 'S',
                PairState::Failed => 'X',
            })
        };
        (1..=COLUMNS).map(cell).collect()
    }

    fn assert(&self, expected: &[&str]) {
        let rows: Vec<String> = (1..=self.rows.len()).map(|row| self.row(row)).collect();
        assert_eq!(rows, expected);
    }

    /// The cell that a check is for.
    fn cell(&self, check: &Sent) -> (usize, u16) {
        let places = (1..=self.rows.len()).flat_map(|row| (1..=COLUMNS).map(move |column| (row, column)));
        let mut of_check = places.filter(|&(row, column)| remote(self.rows[row - 1], column) == check.to);
        of_check.next().expect("a check for a cell")
    }

    /// Time goes on to `ms`: the cells that are checked on the way.
    fn checks_to(&mut self, ms: u64) -> Vec<(usize, u16)> {
        self.script.to(ms);
        let checks = self.script.requests();
        checks.iter().map(|c| self.cell(c)).collect()
    }
}

/// Three streams of two components; f1 to f3 in the first, f1 to f4 in the second, f1 and f5 in the third.
fn three_by_two() -> Table {
    let cells = [
        (1, 1),
        (1, 2),
        (1, 3),
        (2, 1),
        (2, 2),
        (2, 3),
        (3, 1),
        (3, 2),
        (3, 3),
        (3, 4),
        (4, 1),
        (4, 2),
        (4, 3),
        (4, 4),
        (5, 1),
        (5, 5),
        (6, 1),
        (6, 5),
    ];
    Table::new(&[2, 2, 2], &cells)
}

#[test]
fn at_first_one_pair_of_each_foundation_waits() {
    // RFC 8445 §6.1.2.6, Table 1, with the first check already on its way.
    let table = three_by_two();
    table.assert(&["IWW..", "FFF..", "FFFW.", "FFFF.", "F...W", "F...F"]);
}

#[test]
fn checklists_take_turns_and_one_with_nothing_to_do_yields_at_once() {
    // §6.1.4.2.
    let mut table = three_by_two();
    assert_eq!(table.checks_to(0), [(1, 1)]);
    assert_eq!(table.checks_to(49), []);
    assert_eq!(table.checks_to(50), [(3, 4)], "the second list's turn");
    assert_eq!(table.checks_to(100), [(5, 5)], "the third list's turn");
    assert_eq!(table.checks_to(150), [(1, 2)], "the first list's again");
    table.assert(&["IIW..", "FFF..", "FFFI.", "FFFF.", "F...I", "F...F"]);
    assert_eq!(table.checks_to(200), [(1, 3)], "the other two have only frozen pairs, and yield");
    assert_eq!(table.checks_to(499), [], "everything else is frozen, and its foundation is being checked");
    table.assert(&["III..", "FFF..", "FFFI.", "FFFF.", "F...I", "F...F"]);
}

#[test]
fn a_success_unfreezes_its_foundation_in_all_checklists() {
    // §7.2.5.3.3.
    let mut table = three_by_two();
    let check = table.script.check();
    table.script.reply(&check, |_| {});
    table.assert(&["SWW..", "WFF..", "WFFW.", "WFFF.", "W...W", "W...F"]);
    // Each list then takes its highest Waiting pair, the lower component first (§6.1.4.2, step 3).
    assert_eq!(table.checks_to(50), [(3, 1)]);
    assert_eq!(table.checks_to(100), [(5, 1)]);
    assert_eq!(table.checks_to(150), [(2, 1)]);
    assert_eq!(table.checks_to(200), [(4, 1)]);
    assert_eq!(table.checks_to(250), [(6, 1)]);
    assert_eq!(table.checks_to(300), [(1, 2)]);
}

#[test]
fn a_failure_changes_no_other_pair_and_the_next_turn_thaws() {
    // §7.2.5.2, and §6.1.4.2, step 2.
    let mut table = Table::new(&[1, 1], &[(1, 1), (2, 1), (2, 2)]);
    table.assert(&["I....", "FW..."]);
    let first = table.script.check();
    assert_eq!(table.checks_to(50), [(2, 2)]);
    table.script.refuse(&first, 400);
    table.assert(&["X....", "FI..."]);
    // Nothing is Waiting, and nobody is Waiting or In-Progress for the foundation.
    assert_eq!(table.checks_to(100), [(2, 1)]);
    table.assert(&["X....", "II..."]);
}

#[test]
fn nothing_thaws_while_a_checklist_has_waiting_pairs() {
    let mut table = Table::new(&[1, 1], &[(1, 1), (2, 1), (2, 2), (2, 3)]);
    let first = table.script.check();
    table.script.refuse(&first, 400);
    assert_eq!(table.checks_to(100), [(2, 2), (2, 3)]);
    table.assert(&["X....", "FII.."]);
    assert_eq!(table.checks_to(150), [(2, 1)]);
}

#[test]
fn one_pair_of_a_foundation_thaws_at_a_time() {
    let mut table = Table::new(&[2, 2], &[(1, 1), (2, 1), (3, 1), (4, 1)]);
    let first = table.script.check();
    table.script.refuse(&first, 400);
    assert_eq!(table.checks_to(50), [(3, 1)], "the second list's turn");
    table.assert(&["X....", "F....", "I....", "F...."]);
}

/// RFC 8838 §12, Table 1, with checks begun.
fn audio_and_video() -> Table {
    let cells = [(1, 1), (1, 2), (1, 3), (2, 1), (2, 2), (2, 3), (2, 4), (3, 1), (4, 1)];
    let mut table = Table::new(&[2, 2], &cells);
    // Table 2.
    table.assert(&["IWW..", "FFFW.", "F....", "F...."]);
    let check = table.script.check();
    table.script.reply(&check, |_| {});
    // Table 3.
    table.assert(&["SWW..", "WFFW.", "W....", "W...."]);
    table
}

#[test]
fn a_new_pair_at_the_top_of_its_column_waits() {
    let mut table = audio_and_video();
    table.add(1, 5);
    table.assert(&["SWW.W", "WFFW.", "W....", "W...."]);
}

#[test]
fn a_new_pair_whose_foundation_succeeded_waits() {
    let mut table = audio_and_video();
    table.add(1, 5);
    loop {
        let check = table.script.check();
        if table.cell(&check) == (1, 5) {
            table.script.reply(&check, |_| {});
            break;
        }
    }
    table.add(2, 5);
    assert!(table.row(1).ends_with('S') && table.row(2).ends_with('W'));
}

#[test]
fn any_other_new_pair_is_frozen() {
    let mut table = audio_and_video();
    table.add(3, 3);
    table.assert(&["SWW..", "WFFW.", "W.F..", "W...."]);
}

#[test]
fn a_new_pair_above_another_one_waits() {
    // Rule 1 for a candidate that comes late: the lower component is the top of the column.
    let mut table = Table::new(&[2], &[(2, 1), (1, 2)]);
    table.assert(&[".W...", "I...."]);
    table.add(1, 1);
    table.assert(&["WW...", "I...."]);
    table.add(2, 2);
    table.assert(&["WW...", "IF..."]);
}

#[test]
fn candidates_one_by_one_give_the_states_of_candidates_at_once() {
    // RFC 8838 §12: in the order of components, trickling does not show in the states.
    let order = [(1, 1), (1, 2), (2, 1), (2, 2), (3, 1), (3, 3), (4, 3)];
    let whole = Table::new(&[2, 2], &order);
    let mut trickled = Table::new(&[2, 2], &order[..1]);
    for &(row, column) in &order[1..] {
        trickled.add(row, column);
    }
    for row in 1..=4 {
        assert_eq!(whole.row(row), trickled.row(row));
    }
}

#[test]
fn a_stream_without_credentials_freezes_nobody() {
    let mut script = Script::new(|c| c.streams = [1, 1].to_vec());
    for stream in 0..2 {
        script.host_at(component(stream, 1), SocketAddr::from(([10, 0, 0, 1], 5000 + stream)));
        let _ = script.add(StreamId(stream), &Candidate::host(remote((stream, 1), 1)));
    }
    let credentials = crate::Credentials::new("peer", "thePasswordOfThePeer123").expect("valid");
    let parameters = crate::RemoteParameters::new(credentials);
    script.agent.set_stream_remote_parameters(StreamId(1), &parameters, script.now).expect("open");
    script.to(0);
    let checks = script.requests();
    assert_eq!(checks.len(), 1);
    assert_eq!(checks[0].to, remote((1, 1), 1));
    // The other stream comes later, and its pair is at the top of the column then.
    script.agent.set_stream_remote_parameters(StreamId(0), &parameters, script.now).expect("open");
    script.to(50);
    assert_eq!(script.requests()[0].to, remote((0, 1), 1));
}
