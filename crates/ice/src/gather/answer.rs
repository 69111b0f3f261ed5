//! What the servers say (RFC 8445 §5.1.1.2, RFC 8489 §6.3.3 and §6.3.4).
//!
//! A Binding request to a server is not authenticated (RFC 8445 §5.1.1.2). What makes an answer believable is 96 random bits of
//! transaction id, and that it comes to where the request left from, from where it went to; ALTERNATE-SERVER is ignored.

use core::net::SocketAddr;

use floe_stun::{Time, TransactionId};

use crate::candidate::is_usable;
use crate::effects::Effects;
use crate::event::{Event, GatheringFailure, GatheringState};
use crate::ids::SocketId;
use crate::io::Rejection;
use crate::locals::Reflexive;
use crate::message::Answer;

use super::reflexive::{Phase, Query};
use super::{Base, Found, Gatherer, report};

/// How often a request is repeated because of a 5xx (RFC 8489 §6.3.4).
const MAX_REFUSALS: u8 = 4;

impl Gatherer {
    /// An answer to a Binding request that is not a check's.
    ///
    /// # Errors
    /// It answers nothing that was asked, and changes nothing; or it is unusable, and the query has failed.
    pub(crate) fn on_response(
        &mut self,
        id: &TransactionId,
        from: (SocketId, SocketAddr),
        answer: Result<Answer, Rejection>,
        now: Time,
        fx: &mut Effects,
    ) -> Result<(), Rejection> {
        let at = self.asked(id, from).ok_or(Rejection::UnknownTransaction)?;
        match answer {
            Ok(Answer::Success(mapped)) => self.mapped(at, mapped, fx),
            Ok(Answer::Error(code)) => self.refused(at, code, now, fx),
            // RFC 8489 §6.3.3, §6.3.4: unknown attributes fail the transaction. So does what cannot be read: the next
            // answer of this server would be no better.
            Err(reason) => {
                self.query_failed(at, GatheringFailure::BadAnswer, fx);
                return Err(reason);
            }
        }
        Ok(())
    }

    /// The query that waits for this answer.
    fn asked(&self, id: &TransactionId, (socket, source): (SocketId, SocketAddr)) -> Option<usize> {
        let work = self.work.as_ref()?;
        let at = work.queries.list.iter().position(|q| q.transaction().as_ref() == Some(id))?;
        let query = work.queries.list.get(at)?;
        let base = work.bases.get(query.base)?;
        (base.socket == socket && is_same_endpoint(query.to, source)).then_some(at)
    }

    /// §5.1.1.2: a server-reflexive candidate. Whether it is redundant is found out where the candidates are.
    fn mapped(&mut self, at: usize, mapped: SocketAddr, fx: &mut Effects) {
        let reveal_related = self.reveals_related();
        let servers = self.config().server_count();
        let trickles = self.state == GatheringState::Gathering;
        let Some(work) = &mut self.work else { return };
        let Some(query) = work.queries.list.get_mut(at) else { return };
        let Some(base) = work.bases.get_mut(query.base) else { return };
        if !makes_sense(base.address, mapped) {
            return self.query_failed(at, GatheringFailure::BadAnswer, fx);
        }
        let changed = query.mapped.is_some_and(|before| before != mapped);
        if changed {
            fx.counters.mapping_changes = fx.counters.mapping_changes.saturating_add(1);
        }
        if changed || query.mapped.is_none() {
            fx.event(Event::ServerAnswered { server: query.server, address: base.address, mapped });
        }
        // RFC 8838 §13: after end-of-candidates there is nobody to tell.
        if query.mapped.is_none() || (changed && trickles) {
            let source_rank = if changed { base.next_extra(servers) } else { usize::from(query.server) };
            let server = Some(query.to.ip());
            let reflexive = Reflexive { mapped, server, source_rank, reveal_related };
            work.found.push_back(Found::Reflexive { socket: base.socket, address: base.address, reflexive });
        }
        self.keep_alive(at, mapped);
    }

    /// RFC 8489 §6.3.4: a 5xx is asked again, at most four times, within the server's time; anything else is the end,
    /// 300 too, as ALTERNATE-SERVER is not followed (RFC 8445 §5.1.1.2).
    fn refused(&mut self, at: usize, code: u16, now: Time, fx: &mut Effects) {
        let Some(query) = self.query_mut(at) else { return };
        let failure = GatheringFailure::ServerError(code);
        match query.phase {
            Phase::Asked(exchange)
                if matches!(code, 500..=599) && query.refusals < MAX_REFUSALS && query.mapped.is_none() =>
            {
                query.refusals += 1;
                query.failure = failure;
                // Not at once: whoever is overloaded needs time.
                query.phase = Phase::Resting(now.saturating_add(exchange.rto));
            }
            _ => self.query_failed(at, failure, fx),
        }
    }

    /// A query got an answer that is the end of it. Of a renewal nothing is lost: the request has done its work on the way.
    fn query_failed(&mut self, at: usize, failure: GatheringFailure, fx: &mut Effects) {
        let Some(work) = &mut self.work else { return };
        let Some(query) = work.queries.list.get_mut(at) else { return };
        query.failure = failure;
        let was_late = matches!(query.phase, Phase::Late(_));
        // A late query's end was told before.
        if query.mapped.is_none() && !was_late {
            query.report(fx, work.bases.get(query.base));
        }
        query.finish();
        work.queries.list.retain(|q| !q.is_over());
    }

    fn query_mut(&mut self, at: usize) -> Option<&mut Query> {
        self.work.as_mut()?.queries.list.get_mut(at)
    }
}

impl Query {
    /// Its time is over.
    pub(super) fn give_up(&mut self, fx: &mut Effects, base: Option<&Base>) {
        match self.phase {
            Phase::Asked(exchange) if self.mapped.is_none() => {
                self.report(fx, base);
                self.phase = Phase::Late(exchange.id);
                self.deadline = Time::MAX;
            }
            _ => {
                if self.mapped.is_none() {
                    self.report(fx, base);
                }
                self.finish();
            }
        }
    }

    /// No answer is waited for any more.
    fn finish(&mut self) {
        self.deadline = Time::MAX;
        self.phase = if self.mapped.is_some() { self.until_renewal() } else { Phase::Over };
    }

    pub(super) fn report(&self, fx: &mut Effects, base: Option<&Base>) {
        report(fx, Some(self.server), base.map(|b| b.address), self.failure);
    }

    pub(super) fn is_over(&self) -> bool {
        matches!(self.phase, Phase::Over)
    }
}

/// The zone of a link-local server may be known to the socket alone.
fn is_same_endpoint(asked: SocketAddr, source: SocketAddr) -> bool {
    match (asked, source) {
        (SocketAddr::V6(a), SocketAddr::V6(b)) => {
            let zones_match = a.scope_id() == b.scope_id() || a.scope_id() == 0;
            a.ip() == b.ip() && a.port() == b.port() && zones_match
        }
        _ => asked == source,
    }
}

/// What a base may look like from outside: an address of its family that a candidate can have, and loopback only on this
/// machine.
fn makes_sense(base: SocketAddr, mapped: SocketAddr) -> bool {
    is_usable(mapped)
        && base.is_ipv4() == mapped.is_ipv4()
        && base.ip().is_loopback() == mapped.ip().is_loopback()
}
