//! Offers and answers: the state machine of RFC 8829 §3.2 with the rule for colliding offers that browsers' perfect negotiation has.
//!
//! ```text
//!                 local offer                 remote answer
//!     stable ─────────────────▶ have-local-offer ─────────▶ stable
//!       │                              │
//!       │ remote offer                 │ remote offer: the polite side takes it (rolled back),
//!       ▼                              │               the other ignores it
//!     have-remote-offer ◀──────────────┘
//!       │ local answer, or rollback
//!       ▼
//!     stable
//! ```

use floe_ice::{Role, Time};

use crate::message::{DescriptionType, ErrorCode, SessionDescription};
use crate::sdp::{Sdp, SdpError};

use super::candidates::{RemoteCandidates, Verdict};
use super::effects::{Effects, Refusal};
use super::event::{Event, SessionError, SignalingState};
use super::generations::{self, Change};

/// What one call negotiates.
pub(super) struct Negotiation {
    polite: bool,
    state: SignalingState,
    current_local: Option<Sdp>,
    pending_local: Option<Sdp>,
    current_remote: Option<Sdp>,
    pending_remote: Option<Sdp>,
    touched: bool,
    /// Of the first exchange; restarts do not change it (RFC 8445 §9).
    role: Option<Role>,
    /// When our offer must be answered.
    pub(super) deadline: Option<Time>,
    pub(super) candidates: RemoteCandidates,
}

impl Negotiation {
    pub(super) const fn new(polite: bool) -> Self {
        Self {
            polite,
            state: SignalingState::Stable,
            current_local: None,
            pending_local: None,
            current_remote: None,
            pending_remote: None,
            touched: false,
            role: None,
            deadline: None,
            candidates: RemoteCandidates::new(),
        }
    }

    pub(super) const fn state(&self) -> SignalingState {
        self.state
    }

    pub(super) const fn local(&self) -> Option<&Sdp> {
        if self.pending_local.is_some() { self.pending_local.as_ref() } else { self.current_local.as_ref() }
    }

    pub(super) const fn remote(&self) -> Option<&Sdp> {
        if self.pending_remote.is_some() {
            self.pending_remote.as_ref()
        } else {
            self.current_remote.as_ref()
        }
    }

    /// RFC 8445 §6.1.1: who made the first offer is controlling, but the full agent where one is lite.
    pub(super) fn role(&self) -> Option<Role> {
        use SignalingState as S;
        let lite = |sdp: Option<&Sdp>| sdp.is_some_and(Sdp::ice_lite);
        match (lite(self.local()), lite(self.remote())) {
            (false, true) => return Some(Role::Controlling),
            (true, false) if self.remote().is_some() => return Some(Role::Controlled),
            _ => {}
        }
        self.role.or(match self.state {
            S::HaveLocalOffer | S::HaveRemotePranswer => Some(Role::Controlling),
            S::HaveRemoteOffer | S::HaveLocalPranswer => Some(Role::Controlled),
            S::Stable | S::Closed => None,
        })
    }

    /// Whether a description of the peer's ever had an effect, which one of ours may have answered.
    pub(super) const fn is_touched(&self) -> bool {
        self.touched
    }

    /// The peer began anew: what its candidates belonged to is gone.
    pub(super) fn forget_candidates(&mut self) {
        self.candidates = RemoteCandidates::new();
    }

    /// Takes a description of ours.
    pub(super) fn set_local(
        &mut self,
        description: &SessionDescription,
        deadline: Time,
    ) -> Result<(), SessionError> {
        use DescriptionType as D;
        use SignalingState as S;
        let allowed = match description.kind {
            D::Offer => self.state == S::Stable,
            D::Answer | D::Pranswer => matches!(self.state, S::HaveRemoteOffer | S::HaveLocalPranswer),
            D::Rollback => return Err(SessionError::Rollback),
        };
        if !allowed {
            return Err(SessionError::WrongState(self.state));
        }
        let sdp: Sdp = description.sdp.parse()?;
        if description.kind == D::Offer {
            // RFC 8839 §4.4.1.1.1.
            if generations::changes(self.current_local.as_ref(), &sdp).contains(&Change::Half) {
                return Err(SessionError::HalfRestart);
            }
            self.pending_local = Some(sdp);
            self.state = S::HaveLocalOffer;
            self.deadline = Some(deadline);
            return Ok(());
        }
        if let Some(offer) = &self.pending_remote {
            sdp.check_answers(offer)?;
            let asked = generations::changes(self.current_remote.as_ref(), offer);
            let given = generations::changes(self.current_local.as_ref(), &sdp);
            if !generations::agree(&asked, &given) {
                return Err(SessionError::RestartMismatch);
            }
        }
        self.pending_local = Some(sdp);
        self.state = S::HaveLocalPranswer;
        if description.kind == D::Answer {
            self.commit(Role::Controlled);
        }
        Ok(())
    }

    /// Refuses the peer's offer (RFC 8829 §4.1.10.2).
    pub(super) fn reject(&mut self) -> Result<(), SessionError> {
        use SignalingState as S;
        if !matches!(self.state, S::HaveRemoteOffer | S::HaveLocalPranswer) {
            return Err(SessionError::WrongState(self.state));
        }
        self.roll_back();
        self.candidates.ignored();
        Ok(())
    }

    /// Takes a description of the peer's.
    pub(super) fn on_description(
        &mut self,
        description: SessionDescription,
        deadline: Time,
        fx: &mut Effects,
    ) -> Result<(), Refusal> {
        let done = match description.kind {
            DescriptionType::Offer => self.on_offer(description, fx),
            DescriptionType::Answer | DescriptionType::Pranswer => self.on_answer(description, deadline, fx),
            DescriptionType::Rollback => self.on_rollback(fx),
        };
        self.touched |= done.is_ok();
        done
    }

    fn on_offer(&mut self, description: SessionDescription, fx: &mut Effects) -> Result<(), Refusal> {
        use SignalingState as S;
        let sdp = read(&description)?;
        match self.state {
            S::HaveLocalOffer if !self.polite => {
                // Perfect negotiation: the peer gives way, and what belongs to its offer is ignored with it.
                self.candidates.ignored();
                fx.stats.ignored_offers += 1;
                return Ok(());
            }
            S::HaveLocalOffer => {
                self.roll_back();
                fx.event(Event::RolledBack);
            }
            S::Stable | S::HaveRemoteOffer => {}
            S::HaveLocalPranswer | S::HaveRemotePranswer | S::Closed => return Err(self.wrong_state()),
        }
        // RFC 8829 §5.10: one of ufrag and pwd is enough to mean a restart.
        let restarts = generations::changes(self.current_remote.as_ref(), &sdp);
        if restarts.into_iter().any(Change::restarts) {
            fx.event(Event::RestartedByPeer);
        }
        self.pending_remote = Some(sdp);
        self.state = S::HaveRemoteOffer;
        self.now_holds(description, fx);
        Ok(())
    }

    fn on_answer(
        &mut self,
        description: SessionDescription,
        deadline: Time,
        fx: &mut Effects,
    ) -> Result<(), Refusal> {
        use SignalingState as S;
        if !matches!(self.state, S::HaveLocalOffer | S::HaveRemotePranswer) {
            return Err(self.wrong_state());
        }
        let sdp = read(&description)?;
        if let Some(offer) = &self.pending_local {
            sdp.check_answers(offer).map_err(|error| invalid(&error))?;
            let asked = generations::changes(self.current_local.as_ref(), offer);
            let given = generations::changes(self.current_remote.as_ref(), &sdp);
            if !generations::agree(&asked, &given) {
                let text = "the answer restarts ICE and the offer does not, or the other way round";
                return Err(Refusal::new(ErrorCode::InvalidDescription, text));
            }
        }
        self.pending_remote = Some(sdp);
        self.state = S::HaveRemotePranswer;
        self.deadline = Some(deadline);
        if description.kind == DescriptionType::Answer {
            self.commit(Role::Controlling);
        }
        self.now_holds(description, fx);
        Ok(())
    }

    fn on_rollback(&mut self, fx: &mut Effects) -> Result<(), Refusal> {
        use SignalingState as S;
        match self.state {
            S::HaveLocalOffer | S::HaveRemotePranswer => fx.event(Event::OfferRejected),
            S::HaveRemoteOffer | S::HaveLocalPranswer => fx.event(Event::OfferWithdrawn),
            S::Stable | S::Closed => return Err(self.wrong_state()),
        }
        self.roll_back();
        self.candidates.ignored();
        Ok(())
    }

    /// What was pending holds now.
    fn commit(&mut self, role: Role) {
        if let Some(new) = &self.pending_remote {
            self.candidates.replaced(self.current_remote.as_ref(), new);
        }
        self.current_local = self.pending_local.take();
        self.current_remote = self.pending_remote.take();
        self.role.get_or_insert(role);
        self.state = SignalingState::Stable;
        self.deadline = None;
    }

    /// What was pending is void.
    fn roll_back(&mut self) {
        self.pending_local = None;
        self.pending_remote = None;
        self.state = SignalingState::Stable;
        self.deadline = None;
    }

    /// A description of the peer's holds, and so do the candidates that came before it.
    fn now_holds(&mut self, description: SessionDescription, fx: &mut Effects) {
        self.candidates.described();
        fx.event(Event::RemoteDescription(description));
        for candidate in self.candidates.take_held() {
            // Whoever sent a bad one so early is not told: the message is long acknowledged.
            let _ = self.on_candidate(candidate, fx);
        }
    }

    /// Takes a candidate of the peer's.
    pub(super) fn on_candidate(
        &mut self,
        candidate: floe_ice::candidate::CandidateInit,
        fx: &mut Effects,
    ) -> Result<(), Refusal> {
        if let Err(error) = candidate.to_candidate()
            && !error.is_ignorable()
        {
            return Err(Refusal::new(ErrorCode::InvalidCandidate, error.to_string()));
        }
        let holding: Vec<&Sdp> = self.pending_remote.iter().chain(&self.current_remote).collect();
        match self.candidates.judge(&candidate, &holding) {
            Verdict::Deliver if candidate.candidate.is_empty() => {
                if self.candidates.end(&candidate) {
                    let ufrag = super::candidates::generation(&candidate).map(str::to_owned);
                    fx.event(Event::EndOfCandidates { ufrag, mid: candidate.sdp_mid });
                } else {
                    fx.stats.dropped_candidates += 1;
                }
            }
            Verdict::Deliver => fx.event(Event::Candidate(candidate)),
            Verdict::Hold => {
                fx.stats.held_candidates += 1;
                fx.stats.dropped_candidates += u64::from(self.candidates.hold(candidate));
            }
            Verdict::Drop => fx.stats.dropped_candidates += 1,
            Verdict::NoSuchSection => {
                let text = "the description has no such media section";
                return Err(Refusal::new(ErrorCode::InvalidCandidate, text));
            }
        }
        Ok(())
    }

    fn wrong_state(&self) -> Refusal {
        Refusal::new(ErrorCode::WrongState, format!("not in the state {}", self.state))
    }
}

fn read(description: &SessionDescription) -> Result<Sdp, Refusal> {
    description.sdp.parse().map_err(|error| invalid(&error))
}

fn invalid(error: &SdpError) -> Refusal {
    Refusal::new(ErrorCode::InvalidDescription, error.to_string())
}
