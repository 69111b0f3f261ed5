//! A side of the signalling: something that hears and says JSON, and a person who acts.

use floe_ice::Time;
use floe_signal::SignalingState;

use crate::browser::Browser;

/// What a person, or the world, does to one side.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Action {
    Start,
    Offer,
    Restart,
    Candidate,
    /// Of an offer that waits for it.
    Answer,
    Reject,
    HangUp,
    /// The page is loaded again, or the program started again.
    Reload,
    TransportLost,
    TransportResumed,
}

/// What a side says of itself.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Report {
    /// Own number and the peer's.
    pub(crate) call: Option<(u64, Option<u64>)>,
    pub(crate) state: SignalingState,
    /// Messages that are not acknowledged.
    pub(crate) unacknowledged: usize,
}

pub(crate) trait Party {
    fn hear(&mut self, json: &str, now: Time);
    fn say(&mut self) -> Vec<String>;
    fn act(&mut self, action: Action, now: Time);
    fn due(&self) -> Option<Time>;
    fn tick(&mut self, now: Time);
    fn report(&self) -> Report;
    fn browser(&self) -> &Browser;
    /// Messages sent without repetitions, and repetitions.
    fn sent(&self) -> (u64, u64);
}
