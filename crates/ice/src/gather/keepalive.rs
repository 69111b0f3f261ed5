//! Keeping server-reflexive candidates alive until ICE has completed, by further Binding requests (RFC 8445 §5.1.1.4).

use core::net::SocketAddr;
use core::time::Duration;

use floe_stun::Time;

use crate::config::MIN_KEEPALIVE;

use super::Gatherer;
use super::reflexive::{Phase, Query};

/// How long after the last request on a 5-tuple the next one follows.
///
/// RFC 8445 §5.1.1.4 gives no number. This is Tr of §11, which is about the same thing: bindings of NATs, of which some
/// forget after 30 seconds without a packet (RFC 4787 §4.3 asks for two minutes). It is not the configured Tr, since that
/// may be longer where the application knows the path to its peer, and says nothing of the path to a server.
const RENEWAL: Duration = MIN_KEEPALIVE;

impl Query {
    /// How long an answer is waited for. A renewal is over when the next one is due.
    pub(super) fn patience(&self, server_deadline: Duration) -> Duration {
        if self.mapped.is_some() { server_deadline.min(RENEWAL) } else { server_deadline }
    }

    /// Asleep until the binding has to be renewed. The renewal then waits for its turn: it is a new transaction, and §14.1
    /// paces all of them while candidates are gathered and checked.
    pub(super) fn until_renewal(&self) -> Phase {
        Phase::Resting(self.last_sent.saturating_add(RENEWAL))
    }
}

impl Gatherer {
    /// A server saw this base as `mapped`.
    pub(super) fn keep_alive(&mut self, at: usize, mapped: SocketAddr) {
        let Some(work) = &mut self.work else { return };
        let Some(query) = work.queries.list.get(at).copied() else { return };
        let own = work.bases.get(query.base).is_some_and(|b| b.address == mapped);
        let others = |other: &Query| other.base == query.base && other.mapped == Some(mapped);
        let mut others_of_base = work.queries.list.iter().enumerate().filter(|(n, _)| *n != at);
        let is_kept = others_of_base.any(|(_, other)| others(other));
        // Without a NAT there is no binding, and one renewal for each candidate is enough.
        let needless = own || is_kept || work.concluded;
        if let Some(query) = work.queries.list.get_mut(at) {
            query.mapped = Some(mapped);
            query.deadline = Time::MAX;
            query.phase = if needless { Phase::Over } else { query.until_renewal() };
        }
        work.queries.list.retain(|q| !q.is_over());
    }

    /// ICE completed: bindings at the servers need not be kept alive any longer (RFC 8445 §5.1.1.4, §8.3).
    pub(crate) fn conclude(&mut self) {
        if let Some(work) = &mut self.work {
            work.concluded = true;
            work.queries.list.retain(|q| q.mapped.is_none());
        }
    }
}
