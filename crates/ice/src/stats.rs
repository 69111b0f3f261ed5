//! Statistics, with the names of W3C webrtc-stats.

use core::time::Duration;

use floe_stun::Time;

use crate::candidate::Candidate;
use crate::ids::{Component, LocalId, PairId, RemoteId};
use crate::io::Rejection;

/// State of a candidate pair (RFC 8445 §6.1.2.6; `RTCStatsIceCandidatePairState` has the same names).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum PairState {
    /// Its check has to wait for another pair of the same foundation.
    Frozen,
    /// Its check can be sent when its turn comes.
    Waiting,
    /// Its check is on its way.
    InProgress,
    /// Its check succeeded.
    Succeeded,
    /// Its check failed, or its path died.
    Failed,
}

impl core::fmt::Display for PairState {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Frozen => "frozen",
            Self::Waiting => "waiting",
            Self::InProgress => "in-progress",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
        })
    }
}

/// A candidate pair as it is now.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct PairInfo<'a> {
    /// Its id.
    pub id: PairId,
    /// The component it is for.
    pub component: Component,
    /// The id of the local candidate.
    pub local_id: LocalId,
    /// The local candidate: once the pair is valid, the one that the peer sees (RFC 8445 §7.2.5.3.2).
    pub local: &'a Candidate,
    /// The id of the remote candidate.
    pub remote_id: RemoteId,
    /// The remote candidate.
    pub remote: &'a Candidate,
    /// Its state.
    pub state: PairState,
    /// Its priority (RFC 8445 §6.1.2.3).
    pub priority: u64,
    /// It is on the valid list (RFC 8445 §7.2.5.3.2).
    pub valid: bool,
    /// It was nominated and the nomination succeeded.
    pub nominated: bool,
    /// It is the selected pair of its component.
    pub selected: bool,
}

/// What happened on a pair (`RTCIceCandidatePairStats`). All counts are since the pair was formed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub struct PairStats {
    /// Checks sent, without retransmissions.
    pub requests_sent: u32,
    /// Checks received, without retransmissions.
    pub requests_received: u32,
    /// Responses sent.
    pub responses_sent: u32,
    /// Authenticated responses received.
    pub responses_received: u32,
    /// Retransmissions sent.
    pub retransmissions_sent: u32,
    /// Retransmissions received.
    pub retransmissions_received: u32,
    /// Consent checks sent.
    pub consent_requests_sent: u32,
    /// The latest round-trip time; zero until there is one.
    pub current_round_trip_time: Duration,
    /// The sum of all round-trip times measured.
    pub total_round_trip_time: Duration,
    /// When the last authenticated response came.
    pub last_response: Option<Time>,
    /// Packets of data sent, as the application reported them ([`Agent::record_sent`](crate::Agent::record_sent)).
    pub packets_sent: u64,
    /// Bytes of data sent, as reported.
    pub bytes_sent: u64,
    /// Packets of data received.
    pub packets_received: u64,
    /// Bytes of data received.
    pub bytes_received: u64,
}

/// What the agent counted over its life. Counters saturate.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub struct Counters {
    /// STUN packets encoded.
    pub packets_sent: u64,
    /// Checks begun, consent checks not included.
    pub checks_sent: u64,
    /// Consent checks sent.
    pub consent_checks_sent: u64,
    /// Retransmissions of checks and of Binding requests to servers.
    pub retransmissions: u64,
    /// Responses sent.
    pub responses_sent: u64,
    /// Responses dropped because the queue was full ([`Limits::queued_packets`](crate::Limits::queued_packets)).
    pub responses_dropped: u64,
    /// Binding indications received.
    pub indications_received: u64,
    /// Role conflicts seen, on either side.
    pub role_conflicts: u64,
    /// Server-reflexive bindings that a server saw change when they were renewed (RFC 8445 §5.1.1.4).
    pub mapping_changes: u64,
    /// ICE restarts, by whomever (RFC 8445 §9).
    pub restarts: u64,
    /// Events dropped because nobody polled for them.
    pub events_dropped: u64,
    rejected: [u32; Rejection::COUNT],
}

impl Counters {
    /// How many datagrams were rejected for this reason.
    #[must_use]
    pub fn rejected(&self, reason: Rejection) -> u32 {
        self.rejected.get(reason.index()).copied().unwrap_or(0)
    }

    pub(crate) fn reject(&mut self, reason: Rejection) {
        if let Some(n) = self.rejected.get_mut(reason.index()) {
            *n = n.saturating_add(1);
        }
    }
}
