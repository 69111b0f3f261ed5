//! What a session is made with.

use std::time::Duration;

use crate::message::{MAX_NUMBER, ParticipantId};

use super::SessionError;

/// The settings of a [`Session`](super::Session).
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Config {
    /// Our id, from the server's `welcome`.
    pub id: ParticipantId,
    /// The id of the peer.
    pub peer: ParticipantId,
    /// The number of our first call. It must be greater than those of all earlier calls with this id, before a restart of the
    /// program too: the time in milliseconds does.
    pub first_call: u64,
    /// How long an offer of ours may be unanswered before the call ends: 60 s by default, because a person may have to be asked.
    pub offer_timeout: Duration,
    /// How long nothing may be acknowledged before the peer counts as unreachable: 60 s by default.
    pub unreachable_after: Duration,
    /// How long the way to the server may be lost before the call ends: 60 s by default.
    pub resume_within: Duration,
}

impl Config {
    /// The defaults.
    #[must_use]
    pub const fn new(id: ParticipantId, peer: ParticipantId, first_call: u64) -> Self {
        let minute = Duration::from_secs(60);
        Self { id, peer, first_call, offer_timeout: minute, unreachable_after: minute, resume_within: minute }
    }

    /// Whether these can be the settings of a session.
    pub(super) fn check(&self) -> Result<(), SessionError> {
        if self.id == self.peer {
            return Err(SessionError::SameParticipant);
        }
        // The upper half is left for the calls that follow.
        if !(1..=MAX_NUMBER / 2).contains(&self.first_call) {
            return Err(SessionError::FirstCall);
        }
        Ok(())
    }
}
