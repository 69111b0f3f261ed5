//! The session of two participants as a state machine: one peer connection at a time, from `start` to `end`, as often as they like.
//!
//! Where a message enters and what it meets:
//!
//! ```text
//! handle_message ── receive.rs   which call is it of? a new one, this one, one that is over
//!     inbound.rs                 each message once, in its order
//!     negotiation.rs             offers and answers (RFC 8829 §3.2), who gives way when two offers meet
//!     candidates.rs              candidates by generation: deliver, hold, drop
//! outbound.rs                    what we say: numbered, repeated until acknowledged
//! ```

mod call;
mod candidates;
mod config;
mod effects;
mod event;
mod generations;
mod inbound;
mod negotiation;
mod outbound;
mod receive;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::fmt;

use floe_ice::candidate::CandidateInit;
use floe_ice::{Role, Time};

pub use config::Config;
pub use event::{Event, Received, SessionError, SignalingState, Stats};

use crate::message::{EndReason, Envelope, MAX_NUMBER, Message, SessionDescription, too_long};
use crate::sdp::Sdp;
use call::{Call, Ending};
use effects::Effects;

/// One side of the signalling between two participants.
///
/// Inputs do the work and `poll_*` only pop, as with `floe_ice::Agent`: hand in messages and the time, and after each input
/// drain messages and events. Nothing is lost when a poll comes late.
///
/// ```
/// use floe_ice::Time;
/// use floe_signal::message::{ParticipantId, SessionDescription};
/// use floe_signal::{Config, Event, Session, SignalingState};
///
/// let id = |text| ParticipantId::new(text).ok_or("an id");
/// // In earnest the number of the first call is the time in milliseconds.
/// let mut ann = Session::new(Config::new(id("ann")?, id("bob")?, 1_732_500_000_000))?;
/// let mut bob = Session::new(Config::new(id("bob")?, id("ann")?, 1_732_500_000_000))?;
/// let now = Time::ZERO;
///
/// let sdp = "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\n";
/// ann.start(now)?;
/// ann.set_local_description(SessionDescription::offer(sdp), now)?;
/// while let Some(message) = ann.poll_message() {
///     let _ = bob.handle_message(message, now);
/// }
/// assert_eq!(bob.poll_event(), Some(Event::Started { incoming: true }));
/// assert_eq!(bob.poll_event(), Some(Event::RemoteDescription(SessionDescription::offer(sdp))));
///
/// bob.set_local_description(SessionDescription::answer(sdp), now)?;
/// while let Some(message) = bob.poll_message() {
///     let _ = ann.handle_message(message, now);
/// }
/// assert_eq!((ann.state(), bob.state()), (SignalingState::Stable, SignalingState::Stable));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Session {
    config: Config,
    /// The number of our next call.
    next_call: u64,
    /// The highest number of a call of the peer's that was seen.
    last_theirs: u64,
    call: Option<Call>,
    /// A call that we ended, until the peer knows.
    ending: Option<Ending>,
    /// Errors and acknowledgements that belong to no call of ours.
    replies: VecDeque<Envelope>,
    /// Since when the way to the server is lost.
    lost_since: Option<Time>,
    fx: Effects,
}

/// The most replies that wait; more are left out, and asked for again.
const MAX_REPLIES: usize = 32;

impl Session {
    /// A session without a call.
    ///
    /// # Errors
    ///
    /// [`SessionError::SameParticipant`] and [`SessionError::FirstCall`].
    pub fn new(config: Config) -> Result<Self, SessionError> {
        config.check()?;
        Ok(Self {
            next_call: config.first_call,
            config,
            last_theirs: 0,
            call: None,
            ending: None,
            replies: VecDeque::new(),
            lost_since: None,
            fx: Effects::default(),
        })
    }

    /// Begins a call. Offers and candidates may follow at once; [`Event::Started`] says that the peer is there.
    ///
    /// # Errors
    ///
    /// [`SessionError::InCall`].
    pub fn start(&mut self, now: Time) -> Result<(), SessionError> {
        if self.call.is_some() {
            return Err(SessionError::InCall);
        }
        // The peer learns that the last call is over from the number of this one.
        self.ending = None;
        let mine = self.next_number();
        self.call = Some(Call::new(mine, None, self.is_polite(), now));
        Ok(())
    }

    /// Sends an offer or answer of ours that holds from now on: what `setLocalDescription` took.
    ///
    /// # Errors
    ///
    /// Nothing has changed when this says that there is [no call](SessionError::NoCall), that the state is
    /// [not one for it](SessionError::WrongState), that the SDP is [not valid](SessionError::Sdp), that it restarts ICE
    /// [half](SessionError::HalfRestart) or [without the other side](SessionError::RestartMismatch), or that the peer
    /// [acknowledges nothing](SessionError::Backlog).
    pub fn set_local_description(
        &mut self,
        description: SessionDescription,
        now: Time,
    ) -> Result<(), SessionError> {
        let deadline = now + self.config.offer_timeout;
        let call = self.call.as_mut().ok_or(SessionError::NoCall)?;
        let message = Message::Description(description);
        if !call.outbound.has_room(&message) {
            return Err(SessionError::Backlog);
        }
        if let Message::Description(description) = &message {
            call.negotiation.set_local(description, deadline)?;
        }
        call.outbound.push(message, now);
        Ok(())
    }

    /// Refuses the peer's offer: both sides go back to what held before it.
    ///
    /// # Errors
    ///
    /// [`SessionError::NoCall`], or [`SessionError::WrongState`] when there is no offer.
    pub fn reject_offer(&mut self, now: Time) -> Result<(), SessionError> {
        let call = self.call.as_mut().ok_or(SessionError::NoCall)?;
        call.negotiation.reject()?;
        call.outbound.push(Message::Description(SessionDescription::rollback()), now);
        Ok(())
    }

    /// Sends a candidate of ours, or with an empty line the end of them: what `onicecandidate` gave.
    ///
    /// # Errors
    ///
    /// [`SessionError::NoCall`], [`SessionError::Backlog`], or [`SessionError::TooLong`] for what no peer would read.
    pub fn add_local_candidate(&mut self, candidate: CandidateInit, now: Time) -> Result<(), SessionError> {
        let call = self.call.as_mut().ok_or(SessionError::NoCall)?;
        if let Some(member) = too_long(&candidate) {
            return Err(SessionError::TooLong(member));
        }
        let message = Message::Candidate(candidate);
        if !call.outbound.has_room(&message) {
            return Err(SessionError::Backlog);
        }
        call.outbound.push(message, now);
        Ok(())
    }

    /// Ends the call; another can begin at once. The peer gets an [`Event::Ended`] with the reason.
    ///
    /// # Errors
    ///
    /// [`SessionError::NoCall`].
    pub fn hang_up(&mut self, reason: EndReason, now: Time) -> Result<(), SessionError> {
        let call = self.call.take().ok_or(SessionError::NoCall)?;
        self.ending = Some(call.end(reason, now));
        Ok(())
    }

    /// The server says that the peer left the room and will not resume.
    pub fn peer_left(&mut self) {
        self.ending = None;
        self.ended(EndReason::Left);
    }

    /// The way to the server is lost. Nothing is sent until [`transport_resumed`](Self::transport_resumed).
    pub fn transport_lost(&mut self, now: Time) {
        self.lost_since.get_or_insert(now);
    }

    /// There is a way to the server again, for the same participant: what was not acknowledged goes out again.
    pub fn transport_resumed(&mut self, now: Time) {
        if self.lost_since.take().is_none() {
            return;
        }
        if let Some(call) = &mut self.call {
            call.outbound.resume(now);
            call.inbound.ack_due = call.theirs.is_some();
        }
        if let Some(ending) = &mut self.ending {
            ending.outbound.resume(now);
        }
    }

    /// Takes a message that came for this session. It needs no `from` when the transport knows whom it is from.
    pub fn handle_message(&mut self, envelope: Envelope, now: Time) -> Received {
        let received = receive::message(self, envelope, now);
        let stats = &mut self.fx.stats;
        match received {
            Received::Taken | Received::NotOurs => {}
            Received::Early => stats.early += 1,
            Received::Old => stats.old += 1,
            Received::Refused => stats.refused += 1,
            Received::NoRoom => stats.no_room += 1,
        }
        received
    }

    /// Does everything that is due. Early and repeated calls do nothing.
    pub fn handle_timeout(&mut self, now: Time) {
        if let Some(lost_since) = self.lost_since {
            if now - lost_since >= self.config.resume_within {
                self.ending = None;
                self.ended(EndReason::TransportLost);
            }
            return;
        }
        let _ = receive::drain(self, now);
        let give_up = self.config.unreachable_after;
        if let Some(ending) = &mut self.ending
            && (ending.outbound.is_empty() || ending.outbound.handle_timeout(now, give_up).is_err())
        {
            self.ending = None;
        }
        let Some(call) = &mut self.call else { return };
        if call.outbound.handle_timeout(now, give_up).is_err() {
            self.ended(EndReason::Unreachable);
        } else if call.negotiation.deadline.is_some_and(|deadline| now >= deadline) {
            let _ = self.hang_up(EndReason::Timeout, now);
            self.fx.event(Event::Ended(EndReason::Timeout));
        }
    }

    /// The next message to send.
    #[must_use]
    pub fn poll_message(&mut self) -> Option<Envelope> {
        if self.lost_since.is_some() {
            return None;
        }
        let stats = &mut self.fx.stats;
        let (from, to) = (Some(self.config.id.clone()), Some(self.config.peer.clone()));
        let next = self.replies.pop_front();
        let next = next.or_else(|| self.ending.as_mut().and_then(|ending| ending.poll(stats)));
        let next = next.or_else(|| self.call.as_mut().and_then(|call| call.poll(stats)))?;
        stats.sent += 1;
        Some(Envelope { from, to, ..next })
    }

    /// The next event.
    #[must_use]
    pub fn poll_event(&mut self) -> Option<Event> {
        self.fx.events.pop_front()
    }

    /// When [`handle_timeout`](Self::handle_timeout) has something to do.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Time> {
        let call = self.call.as_ref();
        if let Some(lost_since) = self.lost_since {
            let runs = call.is_some() || self.ending.is_some();
            return runs.then_some(lost_since + self.config.resume_within);
        }
        let repeat = call.and_then(|call| call.outbound.due());
        let deadline = call.and_then(|call| call.negotiation.deadline);
        let ending = self.ending.as_ref().and_then(|ending| ending.outbound.due());
        [repeat, deadline, ending].into_iter().flatten().min()
    }

    /// Where the offer/answer exchange stands.
    #[must_use]
    pub fn state(&self) -> SignalingState {
        self.call.as_ref().map_or(SignalingState::Closed, |call| call.negotiation.state())
    }

    /// Whether we give way when two offers meet: the one with the smaller id does. Both sides compute it alike.
    #[must_use]
    pub fn is_polite(&self) -> bool {
        self.config.id < self.config.peer
    }

    /// Our ICE role (RFC 8445 §6.1.1), once there is an offer: the offerer of the first exchange is controlling, and keeps
    /// it over restarts; a full agent is, when the other is lite. An offer that gives way takes the role with it.
    #[must_use]
    pub fn role(&self) -> Option<Role> {
        self.call.as_ref().and_then(|call| call.negotiation.role())
    }

    /// The last description of ours: `localDescription`, the pending one if there is one.
    #[must_use]
    pub fn local_description(&self) -> Option<&Sdp> {
        self.call.as_ref().and_then(|call| call.negotiation.local())
    }

    /// The last description of the peer's that holds: `remoteDescription`.
    #[must_use]
    pub fn remote_description(&self) -> Option<&Sdp> {
        self.call.as_ref().and_then(|call| call.negotiation.remote())
    }

    /// The number of the call, and that of the peer's once it is known.
    #[must_use]
    pub fn call(&self) -> Option<(u64, Option<u64>)> {
        self.call.as_ref().map(|call| (call.mine, call.theirs))
    }

    /// How many messages of the peer's wait for their turn, candidates for their description, and messages of ours for
    /// their acknowledgement.
    #[must_use]
    pub fn waiting(&self) -> (usize, usize, usize) {
        self.call.as_ref().map_or((0, 0, 0), |call| {
            (call.inbound.waiting(), call.negotiation.candidates.waiting(), call.outbound.len())
        })
    }

    /// What was counted.
    #[must_use]
    pub const fn stats(&self) -> Stats {
        self.fx.stats
    }

    /// The call is over, and the peer knows or cannot know.
    fn ended(&mut self, reason: EndReason) {
        if self.call.take().is_some() {
            self.fx.event(Event::Ended(reason));
        }
    }

    fn next_number(&mut self) -> u64 {
        let number = self.next_call;
        self.next_call = (number + 1).min(MAX_NUMBER);
        number
    }

    fn reply(&mut self, envelope: Envelope) {
        if self.replies.len() < MAX_REPLIES {
            self.replies.push_back(envelope);
        }
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("id", &self.config.id)
            .field("peer", &self.config.peer)
            .field("state", &self.state())
            .field("call", &self.call())
            .finish_non_exhaustive()
    }
}
