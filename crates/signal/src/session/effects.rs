//! The sink of a session's procedures: what there is to say, and what was counted.

use std::collections::VecDeque;

use crate::message::ErrorCode;

use super::event::{Event, Stats};

/// How many events may wait before messages are left to be repeated.
pub(super) const MAX_EVENTS: usize = 256;

/// Events and counters.
#[derive(Default)]
pub(super) struct Effects {
    pub(super) events: VecDeque<Event>,
    pub(super) stats: Stats,
}

impl Effects {
    pub(super) fn event(&mut self, event: Event) {
        self.events.push_back(event);
    }

    /// Whether another message of the peer's may have its effect.
    pub(super) fn have_room(&self) -> bool {
        self.events.len() < MAX_EVENTS
    }
}

/// Why a message of the peer's had no effect: what the peer is told.
#[derive(PartialEq, Eq, Debug)]
pub(super) struct Refusal {
    pub(super) code: ErrorCode,
    pub(super) text: String,
}

impl Refusal {
    pub(super) fn new(code: ErrorCode, text: impl Into<String>) -> Self {
        Self { code, text: text.into() }
    }
}
