//! How long it may take, from the timers of the RFCs.

use std::time::Duration;

use floe_ice::Nomination;

use crate::conditions::{AFTER_LOSSES, Conditions, Weather};

/// Ta, RFC 8445 §14.2.
const TA: u32 = 50;
/// The RTO of requests to servers, RFC 8445 §14.3.
const GATHERING_RTO: Duration = Duration::from_millis(500);
/// The requests to servers that one side begins, one in each family.
const GATHERING: u32 = 2;
/// The exchanges that a relay adds before its first check: an allocation is refused for want of credentials (RFC 8489 §9.2.3),
/// then granted, and then needs a permission (RFC 8656 §9).
const ALLOCATING: u32 = 3;
/// The turns until it has begun its checks: three pairs at most (a base and two candidates of the peer in IPv4, one and one in
/// IPv6), each behind four triggered checks where two NATs make new addresses for each other without end.
const CHECKS: u32 = 3 * 5;
/// With relays: in each family three bases (the host's own, and one of the allocation from each of these) and four candidates of
/// the peer (a reflexive one more).
const CHECKS_WITH_RELAYS: u32 = 2 * 3 * 4 * 5;
/// RFC 8489 §6.2.1: a request without any answer ends after 63 RTO and 16 more.
const GIVEN_UP: u32 = 79;

/// Until when, from the beginning, both sides must have selected their pair, or must have failed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    pub(crate) completed: Duration,
    pub(crate) failed: Duration,
}

fn ta(turns: u32) -> Duration {
    Duration::from_millis(TA.into()) * turns
}

impl Bounds {
    pub(crate) fn of(conditions: &Conditions, relays: bool) -> Self {
        let checks = if relays { CHECKS_WITH_RELAYS } else { CHECKS };
        let jitter =
            if conditions.weather == Weather::Clear { Duration::ZERO } else { Conditions::JITTER * 2 };
        let rto = conditions.max_rto();
        let [a, b] = conditions.access;
        let round_trip = 2 * (conditions.internet + a + b + jitter);
        // Gathering: every request in its turn, the last retransmitted until it comes through, and answered.
        let retransmitted = |rto: Duration| match conditions.weather {
            Weather::Clear => Duration::ZERO,
            Weather::Lossy | Weather::LossyAndPatient => AFTER_LOSSES * rto,
        };
        let exchanges = if relays { 1 + ALLOCATING } else { 1 };
        let gathered = (ta(GATHERING) + retransmitted(GATHERING_RTO) + round_trip) * exchanges;
        // Then signalling, and the turns of all checks.
        let [to_b, to_a] = conditions.signal_delay;
        let begun = gathered + to_b.max(to_a) + ta(checks);
        // Before both sides' checks have begun they may meet a closed filter. Intervals between retransmissions double, so that
        // the first one after a time x since the first transmission goes out by 2 x + RTO; it opens the filter or meets an open
        // one. With losses it is retransmitted until it comes through.
        let met = 2 * begun + rto + retransmitted(rto) + round_trip;
        // Who gets it checks the pair too (RFC 8445 §7.3.1.4), in its turn, and is answered. Where two NATs make new addresses for
        // each other without end and the check that counts was lost, it may come when there is no room to learn from it; then the
        // next consent check does (RFC 7675 §5.1: within 6 s).
        let learned =
            if conditions.weather == Weather::Clear { Duration::ZERO } else { Duration::from_secs(6) };
        let valid = met + learned + ta(checks) + retransmitted(rto) + round_trip;
        // A conflict of roles costs another check (RFC 8445 §7.2.5.1).
        let settled = valid + ta(checks) + round_trip + conditions.settle(relays);
        // The check with USE-CANDIDATE, and its answer (RFC 8445 §8.1.1).
        let completed = settled + ta(checks) + retransmitted(rto) + round_trip;
        // Without a path: when the last check that somebody sent, be it a triggered one, ends without an answer.
        let failed = met + ta(checks) + GIVEN_UP * rto;
        Self { completed, failed }
    }
}

impl Conditions {
    /// At most, of every packet at each side's access.
    pub(crate) const JITTER: Duration = Duration::from_millis(10);

    fn settle(&self, relays: bool) -> Duration {
        match self.nomination() {
            Nomination::Regular { settle, .. } if !relays => settle,
            Nomination::Regular { settle, settle_relayed } => settle.max(settle_relayed),
            _ => Duration::ZERO,
        }
    }
}
