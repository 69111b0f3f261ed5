//! Creating an allocation (RFC 8656 §7).

use core::time::Duration;

use floe_stun::attributes::UnknownAttributes;
use floe_stun::{AttributeType, Class, Time};

use super::allocation::Allocation;
use super::answer::Accepted;
use super::error::{ClientError, Failure};
use super::event::Event;
use super::redirect::alternate;
use super::transaction::Purpose;
use super::{Client, State, Then};

/// How many client ports are tried where the server has other allocations (RFC 8656 §7.4).
const MAX_PORTS: u8 = 3;

/// How long a server is left alone after that (RFC 8656 §7.4).
const MISMATCH_WAIT: Duration = Duration::from_secs(120);

/// How long a server is left alone that has no room (RFC 8656 §7.4), or that fails otherwise (our own rule).
const CAPACITY_WAIT: Duration = Duration::from_secs(60);

/// What one attempt at an allocation has come to.
#[derive(Clone, Copy, Default)]
pub(super) struct Attempt {
    /// How many ports were tried, this one included.
    ports: u8,
    /// DONT-FRAGMENT is asked for.
    pub(super) dont_fragment: bool,
    /// MOBILITY-TICKET is asked for.
    pub(super) ticket: bool,
}

impl Client {
    /// Asks the server for an allocation. [`Event::Allocated`] or [`Event::Failed`] tells what came of it,
    /// [`Event::NeedNewPort`] and [`Event::AlternateServer`] may come before.
    ///
    /// # Errors
    ///
    /// [`ClientError::Busy`] while there is an allocation or one is being made, [`ClientError::TooSoon`] and
    /// [`ClientError::Refused`] after a failure, [`ClientError::Closed`].
    pub fn allocate(&mut self, now: Time) -> Result<(), ClientError> {
        match self.state {
            State::Closed => return Err(ClientError::Closed),
            State::Failed(None) => return Err(ClientError::Refused),
            State::Failed(Some(until)) if now < until => return Err(ClientError::TooSoon(until)),
            State::Idle | State::Failed(_) => {}
            _ => return Err(ClientError::Busy),
        }
        self.attempt_allocation(now);
        self.settle(now);
        Ok(())
    }

    /// Answers [`Event::NeedNewPort`]: from now on packets leave from another port, or another address.
    ///
    /// # Errors
    ///
    /// [`ClientError::NoPortNeeded`].
    pub fn new_port(&mut self, now: Time) -> Result<(), ClientError> {
        if self.state != State::NeedsPort {
            return Err(ClientError::NoPortNeeded);
        }
        self.auth.forget();
        self.send_allocate(now);
        self.settle(now);
        Ok(())
    }

    pub(super) fn attempt_allocation(&mut self, now: Time) {
        let (dont_fragment, ticket) = (self.config.dont_fragment, self.config.mobility);
        self.attempt = Attempt { ports: 1, dont_fragment, ticket };
        self.auth.begin();
        self.send_allocate(now);
    }

    pub(super) fn send_allocate(&mut self, now: Time) {
        self.state = State::Allocating;
        self.request(Purpose::Allocate, 0, now);
    }

    /// RFC 8656 §7.3.
    pub(super) fn on_allocated(&mut self, answer: &Accepted<'_>, asked: Time, now: Time) {
        let mut allocation = match Allocation::read(answer.message(), &self.config, asked, now) {
            Ok(allocation) => allocation,
            Err(failure) => return self.refuse_allocation(failure, now),
        };
        allocation.granted.dont_fragment = self.attempt.dont_fragment;
        // RFC 8016 §5: what nobody authenticates does not move.
        if !self.auth.is_challenged() {
            allocation.forget_ticket();
        }
        let foreign = self.permissions.take_foreign(|family| allocation.has_family(family));
        self.events.push(Event::Allocated(allocation.granted.clone()));
        for peer in foreign {
            self.events.push(Event::PermissionFailed { peer, reason: Failure::PeerFamilyMismatch });
        }
        self.allocation = Some(allocation);
        self.state = State::Active;
        self.paths_changed();
    }

    /// There is an allocation, but not one that can be used: it is deleted, and no other is asked for.
    fn refuse_allocation(&mut self, reason: Failure, now: Time) {
        self.events.push(Event::Failed { reason, retry_at: None });
        self.delete(Then::Fail(None), now);
    }

    /// RFC 8656 §7.4.
    pub(super) fn on_allocate_error(&mut self, answer: &Accepted<'_>, failure: Failure, now: Time) {
        let message = answer.message();
        match failure {
            _ if message.class() == Class::Success => self.refuse_allocation(failure, now),
            Failure::Error(420) if self.attempt.dont_fragment && lists_dont_fragment(answer) => {
                self.attempt.dont_fragment = false;
                self.send_allocate(now);
            }
            // RFC 8016 §3.1.4: not again with the ticket.
            Failure::MobilityForbidden if self.attempt.ticket => {
                self.attempt.ticket = false;
                self.send_allocate(now);
            }
            Failure::Redirected => match alternate(answer, self.config.server) {
                Some(alternate) => {
                    self.events.push(Event::AlternateServer(alternate));
                    self.allocate_failed(Failure::Redirected, now);
                }
                None => self.allocate_failed(Failure::BadRedirect, now),
            },
            failure => self.allocate_failed(failure, now),
        }
    }

    pub(super) fn allocate_failed(&mut self, reason: Failure, now: Time) {
        if reason == Failure::AllocationMismatch && self.attempt.ports < MAX_PORTS {
            self.attempt.ports += 1;
            self.state = State::NeedsPort;
            self.events.push(Event::NeedNewPort);
            return;
        }
        let retry_at = match reason {
            Failure::NoAnswer | Failure::Disconnected => Some(now),
            Failure::AllocationMismatch => Some(now.saturating_add(MISMATCH_WAIT)),
            Failure::QuotaReached | Failure::StaleNonces => Some(now.saturating_add(CAPACITY_WAIT)),
            passing if passing.is_passing() => Some(now.saturating_add(CAPACITY_WAIT)),
            _ => None,
        };
        self.state = State::Failed(retry_at);
        self.events.push(Event::Failed { reason, retry_at });
    }
}

fn lists_dont_fragment(answer: &Accepted<'_>) -> bool {
    let unknown = answer.message().get::<UnknownAttributes<'_>>().ok().flatten();
    unknown.is_some_and(|unknown| unknown.iter().any(|kind| kind == AttributeType::DONT_FRAGMENT))
}
