//! A call, and one that is ending.

use floe_ice::Time;

use crate::message::{EndReason, Envelope, Message};

use super::event::Stats;
use super::inbound::Inbound;
use super::negotiation::Negotiation;
use super::outbound::Outbound;

/// A call: ours and the peer's number of it, what goes each way, and what is negotiated.
pub(super) struct Call {
    pub(super) mine: u64,
    /// Unknown until the peer's `start`.
    pub(super) theirs: Option<u64>,
    pub(super) outbound: Outbound,
    pub(super) inbound: Inbound,
    pub(super) negotiation: Negotiation,
}

impl Call {
    pub(super) fn new(mine: u64, theirs: Option<u64>, polite: bool, now: Time) -> Self {
        let mut outbound = Outbound::new();
        outbound.push(Message::Start, now);
        Self { mine, theirs, outbound, inbound: Inbound::new(), negotiation: Negotiation::new(polite) }
    }

    /// The next message: what is to be said, else an acknowledgement when one is due.
    pub(super) fn poll(&mut self, stats: &mut Stats) -> Option<Envelope> {
        let mut envelope = match self.outbound.pop() {
            Some((seq, message, repeated)) => {
                stats.repeated += u64::from(repeated);
                Envelope { seq: Some(seq), ..Envelope::new(message) }
            }
            None if self.inbound.ack_due => Envelope::new(Message::Ack),
            None => return None,
        };
        envelope.call = Some(self.mine);
        envelope.re = self.theirs;
        if self.theirs.is_some() {
            envelope.ack = Some(self.inbound.acknowledged());
            self.inbound.ack_due = false;
        }
        Some(envelope)
    }

    /// Hangs up. Only `end` matters from now on, and the peer takes it out of turn.
    pub(super) fn end(mut self, reason: EndReason, now: Time) -> Ending {
        self.outbound.push_last(Message::End(reason), now);
        Ending { mine: self.mine, theirs: self.theirs, outbound: self.outbound }
    }
}

/// A call that we ended, until the peer has acknowledged that.
pub(super) struct Ending {
    pub(super) mine: u64,
    pub(super) theirs: Option<u64>,
    pub(super) outbound: Outbound,
}

impl Ending {
    pub(super) fn poll(&mut self, stats: &mut Stats) -> Option<Envelope> {
        let (seq, message, repeated) = self.outbound.pop()?;
        stats.repeated += u64::from(repeated);
        let envelope = Envelope::new(message);
        Some(Envelope { call: Some(self.mine), re: self.theirs, seq: Some(seq), ..envelope })
    }
}
