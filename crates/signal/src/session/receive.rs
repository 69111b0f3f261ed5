//! A message arrived: of which call is it?
//!
//! Each side numbers its own calls, and a call is a pair of numbers. `start` introduces the sender's; every other message names
//! the receiver's too, as soon as it is known. A higher number in a `start` means that the peer began anew (it called again, or its
//! page was loaded again), and a lower one that the message is late. When the peer began anew, ours begins anew as well, unless it
//! is fresh.

use floe_ice::Time;

use crate::message::{EndReason, Envelope, ErrorCode, Message};

use super::Session;
use super::call::Call;
use super::effects::Refusal;
use super::event::{Event, Received};
use super::inbound::{Arrival, Inbound};

pub(super) fn message(session: &mut Session, envelope: Envelope, now: Time) -> Received {
    let from_peer = envelope.from.as_ref().is_none_or(|from| *from == session.config.peer);
    let to_us = envelope.to.as_ref().is_none_or(|to| *to == session.config.id);
    if !from_peer || !to_us || !envelope.message.is_of_a_call() {
        return Received::NotOurs;
    }
    let Envelope { call, re, seq, ack, message, .. } = envelope;
    let received = match (message, call, seq) {
        (Message::Ack, ..) => Received::Taken,
        (Message::Error { code, text, .. }, ..) => error(session, re, code, text),
        (Message::Start, Some(theirs), Some(seq)) => start(session, theirs, re, seq, now),
        (Message::End(reason), Some(theirs), Some(seq)) => end(session, theirs, re, seq, reason),
        (message, Some(theirs), Some(seq)) => of_the_call(session, theirs, re, (seq, message), now),
        _ => Received::Refused,
    };
    if let (Some(re), Some(ack)) = (re, ack) {
        acknowledged(session, call, re, ack, now);
    }
    received
}

/// Any message acknowledges. An earlier or later call of the peer's has not got what this one has.
fn acknowledged(session: &mut Session, theirs: Option<u64>, re: u64, ack: u64, now: Time) {
    if let Some(call) = session.call.as_mut().filter(|call| call.mine == re)
        && theirs.is_some()
        && call.theirs == theirs
    {
        call.outbound.acknowledge(ack, now);
    }
    if let Some(ending) = session.ending.as_mut().filter(|ending| ending.mine == re) {
        ending.outbound.acknowledge(ack, now);
        if ending.outbound.is_empty() {
            session.ending = None;
        }
    }
}

/// Errors are never answered.
fn error(session: &mut Session, re: Option<u64>, code: ErrorCode, text: String) -> Received {
    let ours = session.call.as_ref().map(|call| call.mine);
    if ours.is_none() || re.is_some_and(|re| Some(re) != ours) {
        return Received::Old;
    }
    if code == ErrorCode::UnknownCall && re.is_some() {
        session.ended(EndReason::Unknown);
    } else if session.fx.have_room() {
        session.fx.event(Event::PeerError { code, text });
    } else {
        return Received::NoRoom;
    }
    Received::Taken
}

fn start(session: &mut Session, theirs: u64, re: Option<u64>, seq: u64, now: Time) -> Received {
    let known = session.call.as_ref().and_then(|call| call.theirs);
    if known == Some(theirs) {
        return of_the_call(session, theirs, re, (seq, Message::Start), now);
    }
    // The peer's call is the one that our last call was with, and it has heard of no call of ours but the present one.
    let ours = session.call.as_ref().filter(|call| call.theirs.is_none()).map(|call| call.mine);
    let joins = theirs == session.last_theirs && ours.is_some() && re == ours;
    if theirs <= session.last_theirs && !joins {
        // A late message, or a peer whose clock went back: that one learns that its call comes to nothing.
        if theirs < session.last_theirs && session.call.is_none() {
            let text = "a call of yours had a higher number";
            refuse(session, theirs, seq, Refusal::new(ErrorCode::UnknownCall, text));
        }
        return Received::Old;
    }
    if seq != 1 {
        refuse(session, theirs, seq, Refusal::new(ErrorCode::Malformed, "a call begins with number 1"));
        return Received::Refused;
    }
    if !session.fx.have_room() {
        return Received::NoRoom;
    }
    session.last_theirs = theirs;
    match &mut session.call {
        Some(call) if call.theirs.is_none() => {
            meet(call, theirs);
            session.fx.event(Event::Started { incoming: false });
        }
        Some(call) if is_fresh(call, re) => meet(call, theirs),
        Some(_) => {
            session.ended(EndReason::Replaced);
            begin(session, theirs, now);
        }
        None => begin(session, theirs, now),
    }
    of_the_call(session, theirs, None, (seq, Message::Start), now)
}

fn meet(call: &mut Call, theirs: u64) {
    call.theirs = Some(theirs);
    call.inbound = Inbound::new();
    call.negotiation.forget_candidates();
}

/// Whether another call of the peer's can take the place of the one that ours is with. Nothing of that one may have come into
/// ours, and all that we said must reach the new one: our `start` too, unless it knows it already. When both sides begin anew at
/// the same time, this is what ends it.
fn is_fresh(call: &Call, re: Option<u64>) -> bool {
    let acknowledged = call.outbound.acknowledged();
    !call.negotiation.is_touched() && (acknowledged == 0 || (acknowledged == 1 && re == Some(call.mine)))
}

fn begin(session: &mut Session, theirs: u64, now: Time) {
    session.ending = None;
    let (mine, polite) = (session.next_number(), session.is_polite());
    session.call = Some(Call::new(mine, Some(theirs), polite, now));
    session.fx.event(Event::Started { incoming: true });
}

/// `end` is taken out of turn: what the peer said before it does not matter any more.
fn end(session: &mut Session, theirs: u64, re: Option<u64>, seq: u64, reason: EndReason) -> Received {
    let is_ours = session.call.as_ref().is_some_and(|call| match call.theirs {
        Some(known) => theirs >= known,
        None => re == Some(call.mine),
    });
    // A `start` of this call that comes late begins nothing.
    session.last_theirs = session.last_theirs.max(theirs);
    let call = session.call.as_ref().filter(|_| is_ours).map(|call| call.mine);
    let ack = Envelope { call, re: Some(theirs), ack: Some(seq), ..Envelope::new(Message::Ack) };
    session.reply(ack);
    if !is_ours {
        return Received::Old;
    }
    session.ended(reason);
    Received::Taken
}

fn of_the_call(
    session: &mut Session,
    theirs: u64,
    re: Option<u64>,
    (seq, message): (u64, Message),
    now: Time,
) -> Received {
    let ours = session
        .call
        .as_ref()
        .is_some_and(|call| call.theirs == Some(theirs) && re.is_none_or(|re| re == call.mine));
    let Some(call) = session.call.as_mut().filter(|_| ours) else {
        // A peer that believes in a call with us is told; one whose `start` is still under way repeats the message.
        let is_believed = re.is_some_and(|re| session.ending.as_ref().is_none_or(|ending| ending.mine != re));
        if session.call.is_none() && is_believed {
            refuse(session, theirs, seq, Refusal::new(ErrorCode::UnknownCall, "there is no such call"));
            return Received::Refused;
        }
        return Received::Old;
    };
    let is_next = seq == call.inbound.acknowledged() + 1;
    if is_next && !session.fx.have_room() {
        return Received::NoRoom;
    }
    match call.inbound.arrived(seq, message) {
        Arrival::Duplicate => Received::Old,
        Arrival::NoRoom => Received::NoRoom,
        Arrival::Kept if is_next && drain(session, now) => Received::Taken,
        Arrival::Kept if is_next => Received::Refused,
        Arrival::Kept => Received::Early,
    }
}

/// Messages whose turn it is have their effect, while there is room for it. `false` when one of them did not fit.
pub(super) fn drain(session: &mut Session, now: Time) -> bool {
    let deadline = now + session.config.offer_timeout;
    let mut refusals = Vec::new();
    let Some(call) = &mut session.call else { return true };
    while session.fx.have_room() {
        let Some((seq, message)) = call.inbound.take() else { break };
        let done = match message {
            Message::Description(description) => {
                call.negotiation.on_description(description, deadline, &mut session.fx)
            }
            Message::Candidate(candidate) => call.negotiation.on_candidate(candidate, &mut session.fx),
            _ => Ok(()),
        };
        if let Err(refusal) = done {
            refusals.push((seq, refusal));
        }
    }
    let Some(theirs) = call.theirs else { return true };
    let fitted = refusals.is_empty();
    for (seq, refusal) in refusals {
        refuse(session, theirs, seq, refusal);
    }
    fitted
}

/// Tells the peer why a message had no effect.
fn refuse(session: &mut Session, theirs: u64, seq: u64, refusal: Refusal) {
    let Refusal { code, text } = refusal;
    let message = Message::Error { code, text, about: Some(seq) };
    let call = session.call.as_ref().map(|call| call.mine);
    session.reply(Envelope { call, re: Some(theirs), ..Envelope::new(message) });
}
