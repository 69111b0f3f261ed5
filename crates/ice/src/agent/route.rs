//! What a datagram is, and whose. Up to the point where it is authenticated nothing changes but counters.

use floe_stun::{Class, IntegrityError, Message, Method, Time, Verified};

use crate::candidate::canonical;
use crate::config::Unauthenticated;
use crate::io::{Datagram, Received, Rejection};
use crate::keys::Keyring;
use crate::locals::BaseId;
use crate::message::{Answer, CheckAttributes, CheckContent, Outgoing, Unreadable, Wire};
use crate::remotes::is_same;
use crate::session::{CheckAnswer, CheckRequest, Retired, Session};

use super::Agent;

/// The length of an error 401 to a stranger: header, ERROR-CODE with its reason, FINGERPRINT. No check is shorter.
const LONGEST_REFUSAL: usize = 20 + 24 + 8;

/// What is left to do after a message of ICE.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Tail {
    /// Something changed: what follows from it has to be found out.
    Settle,
    /// It was answered or only counted, so nothing can follow from it. This is most of what a connected agent gets, and half of
    /// what it costs to settle is saved (11 300 to 9 700 instructions for a check and its answer).
    Nothing,
}

impl Agent {
    pub(super) fn route(&mut self, datagram: &Datagram<'_>, now: Time) -> (Received, Tail) {
        if !self.relays.is_empty()
            && let Some(received) = self.route_relayed(datagram, now)
        {
            // Its answer, too, is taken from the queue by settling.
            let tail = if received == Received::Ice { Tail::Settle } else { Tail::Nothing };
            return (received, tail);
        }
        // With the transport policy `Relay` no other packet has any business here.
        if self.gatherer.is_relay_only() {
            return (Received::Rejected(Rejection::UnknownSource), Tail::Nothing);
        }
        self.route_packet(datagram, now)
    }

    /// A packet of a peer, or of a STUN server.
    pub(super) fn route_packet(&mut self, datagram: &Datagram<'_>, now: Time) -> (Received, Tail) {
        if floe_stun::is_stun(datagram.contents) {
            match self.route_stun(datagram, now) {
                Ok(tail) => (Received::Ice, tail),
                Err(reason) => (Received::Rejected(reason), Tail::Nothing),
            }
        } else {
            (self.route_data(datagram), Tail::Nothing)
        }
    }

    /// RFC 8445 §12.2.
    fn route_data(&mut self, datagram: &Datagram<'_>) -> Received {
        let (socket, local_ip) = (datagram.socket, datagram.local_ip);
        let (source, len) = (canonical(datagram.source), datagram.contents.len());
        let base = self.session.locals.find_base(socket, local_ip);
        let component = base.and_then(|base| self.session.accept_data(base, source, len));
        // What was sent on a path from before a restart is as good.
        match component.or_else(|| self.retirees.if_any()?.accept_data((socket, local_ip), source, len)) {
            Some(component) => Received::Data { component, payload: 0..len },
            None if base.is_some() || self.retirees.needs(socket) => {
                Received::Rejected(Rejection::UnknownSource)
            }
            None => Received::Rejected(Rejection::UnknownSocket),
        }
    }

    fn route_stun(&mut self, datagram: &Datagram<'_>, now: Time) -> Result<Tail, Rejection> {
        let mut content = CheckContent::default();
        let message = content.parse(datagram.contents).map_err(|_| Rejection::Malformed)?;
        // Unknown methods are discarded in silence (RFC 8489 §6.3).
        if !message.is_of(Method::BINDING) {
            return Err(Rejection::UnexpectedMessage);
        }
        match message.class() {
            Class::Request => self.route_request(&message, &content, datagram, now),
            Class::Success | Class::Error => self.route_answer(&message, datagram, now),
            Class::Indication => self.route_indication(&message, datagram),
        }
    }

    /// RFC 8445 §11: a keepalive has done its work on the way. It is not authenticated and changes nothing.
    fn route_indication(
        &mut self,
        message: &Message<'_>,
        datagram: &Datagram<'_>,
    ) -> Result<Tail, Rejection> {
        let base = self.session.locals.find_base(datagram.socket, datagram.local_ip);
        if base.is_none() && !self.retirees.needs(datagram.socket) {
            return Err(Rejection::UnknownSocket);
        }
        if message.unknown_required(&[]).next().is_some() {
            return Err(Rejection::UnknownAttribute);
        }
        self.fx.counters.indications_received = self.fx.counters.indications_received.saturating_add(1);
        Ok(Tail::Nothing)
    }

    // --- requests -----------------------------------------------------------------------------------------------

    /// RFC 8489 §9.1.3, then RFC 8445 §7.3.
    fn route_request(
        &mut self,
        message: &Message<'_>,
        content: &CheckContent<'_>,
        datagram: &Datagram<'_>,
        now: Time,
    ) -> Result<Tail, Rejection> {
        let base = |session: &Session| session.locals.find_base(datagram.socket, datagram.local_ip);
        let (addressed, base) = match self.addressee(message, content.username()) {
            Ok(addressed) => {
                let base = base(self.session_of(addressed.retired)).ok_or(Rejection::UnknownSocket)?;
                (addressed, base)
            }
            Err(reason) => {
                let base = base(&self.session).ok_or(Rejection::UnknownSocket)?;
                self.refuse_stranger(message, base, datagram, reason, now);
                return Err(reason);
            }
        };
        let Addressed { verified, sender, retired } = addressed;
        let source = canonical(datagram.source);
        let algorithm = verified.algorithm();
        match content.read(&verified) {
            Ok(CheckAttributes { priority, use_candidate, role }) => {
                let id = verified.transaction_id();
                let request = CheckRequest { id, base, source, algorithm, priority, use_candidate, role };
                let changed = match retired.and_then(|at| self.retirees.if_any()?.get_mut(at)) {
                    Some(retired) => {
                        retired.on_request(&request, sender, now, &mut self.fx)?;
                        false
                    }
                    None => self.session.on_request(&request, sender, now, &mut self.fx)?,
                };
                Ok(if changed { Tail::Settle } else { Tail::Nothing })
            }
            Err(unreadable) => {
                // RFC 8489 §6.3.1: 420 with what we do not know; anything else that is wrong is a 400.
                let (code, unknown, reason) = match unreadable {
                    Unreadable::Unknown(types) => (420, types, Rejection::UnknownAttribute),
                    Unreadable::Malformed => (400, Default::default(), Rejection::Malformed),
                    Unreadable::Incomplete => (400, Default::default(), Rejection::MissingAttribute),
                };
                let session = match retired.and_then(|at| self.retirees.get(at)) {
                    Some(retired) => retired.session(),
                    None => &self.session,
                };
                let (id, keys) = (verified.transaction_id(), session.keys().generation());
                let wire = Wire::Error { id, keys, algorithm, code, unknown };
                session.respond(base, source, wire, &mut self.fx);
                Err(reason)
            }
        }
    }

    /// RFC 8489 §9.1.3: USERNAME and integrity are there, the name begins with an ufrag of ours and a colon, the key fits. An ufrag
    /// has no colon, so that no session's is the beginning of another one's.
    fn addressee<'a>(
        &self,
        message: &Message<'a>,
        username: Option<&'a [u8]>,
    ) -> Result<Addressed<'a>, Rejection> {
        let username = username.filter(|_| message.has_integrity()).ok_or(Rejection::MissingAttribute)?;
        let sender_to = |keys: &Keyring| {
            let rest = username.strip_prefix(keys.credentials().ufrag_bytes())?;
            rest.strip_prefix(b":")
        };
        let of_retired = || {
            let mut retired = self.retirees.iter().enumerate();
            retired.find_map(|(at, r)| Some((sender_to(r.session().keys())?, Some(at))))
        };
        let (sender, retired) = sender_to(self.session.keys())
            .map(|sender| (sender, None))
            .or_else(of_retired)
            .ok_or(Rejection::WrongUsername)?;
        let verified = self.session_of(retired).keys().verify(message).map_err(|e| match e {
            IntegrityError::Missing => Rejection::MissingAttribute,
            _ => Rejection::BadIntegrity,
        })?;
        Ok(Addressed { verified, sender, retired })
    }

    /// The current session, or the retired one at this place.
    fn session_of(&self, retired: Option<usize>) -> &Session {
        retired.and_then(|at| self.retirees.get(at)).map_or(&self.session, Retired::session)
    }

    /// [D] By default a stranger gets no answer; otherwise 400 or 401 without integrity, rate-limited.
    fn refuse_stranger(
        &mut self,
        message: &Message<'_>,
        base: BaseId,
        datagram: &Datagram<'_>,
        reason: Rejection,
        now: Time,
    ) {
        // Nor is anybody's address sent more than came in its name (RFC 8489 §16.1.2).
        let silent = self.session.unauthenticated_policy() == Unauthenticated::Silent;
        if silent || message.as_bytes().len() < LONGEST_REFUSAL || !self.session.may_refuse(now) {
            return;
        }
        let code = if reason == Rejection::MissingAttribute { 400 } else { 401 };
        let wire = Wire::UnsignedError { id: message.transaction_id(), code };
        self.session.respond(base, canonical(datagram.source), wire, &mut self.fx);
    }

    // --- answers ------------------------------------------------------------------------------------------------

    fn route_answer(
        &mut self,
        message: &Message<'_>,
        datagram: &Datagram<'_>,
        now: Time,
    ) -> Result<Tail, Rejection> {
        let id = message.transaction_id();
        let current = self.session.request(&id);
        let retired = if current.is_some() { None } else { self.retirees.awaiting(&id) };
        let Some(request) = current.or_else(|| self.session_of(retired).request(&id)) else {
            return self.route_server_answer(message, datagram, now).map(|()| Tail::Settle);
        };
        // RFC 8489 §9.1.4: any answer without the right integrity is discarded, errors too.
        let Wire::Check { stream, .. } = request.wire else { return Err(Rejection::UnknownTransaction) };
        let peer = self.session_of(retired).keys().peer(stream).ok_or(Rejection::UnknownTransaction)?;
        // It has the attribute of the request, MESSAGE-INTEGRITY.
        let verified = message.verify_sha1(&peer.key).map_err(|e| match e {
            IntegrityError::Missing => Rejection::MissingAttribute,
            _ => Rejection::BadIntegrity,
        })?;
        let symmetric = is_symmetric(&request, datagram);
        match Answer::read(&verified, false) {
            Ok(answer) => {
                let answer = CheckAnswer { id, answer, symmetric };
                match retired.and_then(|at| self.retirees.if_any()?.get_mut(at)) {
                    Some(retired) => retired.on_answer(&answer, now, &mut self.fx),
                    None => self.session.on_answer(&answer, now, &mut self.fx),
                }
                Ok(Tail::Settle)
            }
            // RFC 8489 §6.3.3, §6.3.4: the transaction fails.
            Err(Unreadable::Unknown(_)) => {
                match retired.and_then(|at| self.retirees.if_any()?.get_mut(at)) {
                    Some(retired) => retired.session_mut().on_unusable_answer(&id, now, &mut self.fx),
                    None => self.session.on_unusable_answer(&id, now, &mut self.fx),
                }
                self.settle(now);
                Err(Rejection::UnknownAttribute)
            }
            Err(Unreadable::Malformed) => Err(Rejection::Malformed),
            Err(Unreadable::Incomplete) => Err(Rejection::MissingAttribute),
        }
    }

    /// Not one of our checks: gathering's, or nobody's.
    fn route_server_answer(
        &mut self,
        message: &Message<'_>,
        datagram: &Datagram<'_>,
        now: Time,
    ) -> Result<(), Rejection> {
        let from = (datagram.socket, canonical(datagram.source));
        let answer = Answer::read(message, true).map_err(|e| match e {
            Unreadable::Unknown(_) => Rejection::UnknownAttribute,
            Unreadable::Malformed => Rejection::Malformed,
            Unreadable::Incomplete => Rejection::MissingAttribute,
        });
        let id = message.transaction_id();
        let received = self.gatherer.on_response(&id, from, answer, now, &mut self.fx);
        // An answer that cannot be used may have been the last one gathering waited for.
        if received.is_err_and(|reason| reason != Rejection::UnknownTransaction) {
            self.settle(now);
        }
        received
    }
}

/// An authentic request, and whom it is for.
struct Addressed<'a> {
    verified: Verified<'a>,
    /// The part of USERNAME after the colon.
    sender: &'a [u8],
    /// The place of the retired session, if it is none of the current one's.
    retired: Option<usize>,
}

/// RFC 8445 §7.2.5.2.1: from where the request went to, to where it left from.
fn is_symmetric(request: &Outgoing, datagram: &Datagram<'_>) -> bool {
    let same_local = match (datagram.local_ip, request.src_ip) {
        (Some(received), Some(sent)) => received.to_canonical() == sent,
        _ => true,
    };
    let same_peer = is_same(&canonical(datagram.source), &request.destination);
    same_peer && datagram.socket == request.socket && same_local
}
