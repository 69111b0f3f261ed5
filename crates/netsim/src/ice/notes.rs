//! What an agent says, in the words of the chart.

use std::fmt::Write;

use floe_ice::{Candidate, Event};
use floe_stun::Time;

use super::IcePeer;

impl IcePeer {
    /// The next remark about what the agent said at this instant. What it said unobserved stays unsaid.
    pub(super) fn next_note(&mut self, out: &mut String, now: Time) -> bool {
        while let Some(&(time, event)) = self.events.get(self.noted) {
            self.noted += 1;
            if time == now && self.describe(out, event) {
                return true;
            }
        }
        false
    }

    /// False if there is nothing to tell.
    fn describe(&self, out: &mut String, event: Event) -> bool {
        let agent = &self.agent.0;
        // Writing to a string cannot fail.
        let _ = match event {
            // It is signalled next, or was just received, which the chart shows.
            Event::LocalCandidate(_) | Event::ServerAnswered { .. } => return false,
            Event::StateChanged(state) => write!(out, "state {state}"),
            Event::GatheringStateChanged(state) => write!(out, "gathering {state}"),
            Event::GatheringProblem { server, address, failure } => {
                let _ = match (server, address) {
                    (Some(server), _) => write!(out, "gathering from server {server}: "),
                    (None, Some(address)) => write!(out, "gathering at {address}: "),
                    (None, None) => write!(out, "gathering: "),
                };
                write!(out, "{failure}")
            }
            Event::RemoteCandidateDiscovered(id) => {
                let address = agent.remote_candidate(id).map(Candidate::address);
                write!(out, "learned peer-reflexive {}", address.map_or_else(String::new, |a| a.to_string()))
            }
            Event::SelectedPairChanged { pair, reason, .. } => match agent.pair(pair) {
                Some(pair) => {
                    let end = |c: &Candidate| format!("{} {}", c.kind(), c.address());
                    write!(out, "selected {} -> {} ({reason})", end(pair.local), end(pair.remote))
                }
                None => write!(out, "selected a pair ({reason})"),
            },
            Event::Restarted(cause) => write!(out, "restarted ({cause})"),
            Event::RoleChanged(role) => write!(out, "role {role}"),
            Event::ConsentLost { loss, .. } => write!(out, "consent lost: {loss:?}"),
            Event::PathChanged(_) => return false,
            other => write!(out, "{other:?}"),
        };
        true
    }
}
