//! Keeping an allocation, deleting it (RFC 8656 §8), and taking it along (RFC 8016).

use core::time::Duration;

use floe_stun::{RetransmissionSchedule, Time};

use super::allocation::lifetime;
use super::answer::Accepted;
use super::error::Failure;
use super::event::Event;
use super::transaction::Purpose;
use super::{Client, State, Then};
use crate::framing::Carrier;

/// How often in a row a server may refuse a refresh for a passing reason (RFC 8489 §6.3.4).
const MAX_REFUSALS: u8 = 4;

/// How long to wait after the first refusal, twice as long after the second, and so on (our own rule).
const REFUSAL_WAIT: Duration = Duration::from_secs(5);

/// Nobody waits long for a farewell (our own rule): four requests in 3.5 s, the last answer 2 s later.
const FAREWELL_COUNT: u8 = 4;
const FAREWELL_LAST_WAIT: u8 = 4;
const FAREWELL_TIMEOUT: Duration = Duration::from_millis(5_500);

impl Client {
    /// Deletes the allocation and ends the client. [`Event::Closed`] comes at once, or when the server has confirmed, or
    /// after a few seconds without an answer.
    pub fn close(&mut self, now: Time) {
        match self.state {
            State::Closed => {}
            State::Active => self.delete(Then::Close, now),
            State::Moving => {
                self.deletes_by_ticket = true;
                self.delete(Then::Close, now);
            }
            // The request may have succeeded. Without credentials it has not, or the allocation ends by itself.
            State::Allocating if self.auth.is_challenged() => self.delete(Then::Close, now),
            State::Deleting(_) => self.state = State::Deleting(Then::Close),
            State::Idle | State::Allocating | State::NeedsPort | State::Failed(_) => self.closed(),
        }
        self.settle(now);
    }

    /// Asks the server at once whether it still holds the allocation, which a server that began anew does not:
    /// [`Event::Confirmed`] follows, or [`Event::Lost`] if the server holds none, or did not answer. Without an allocation
    /// nothing happens.
    pub fn confirm(&mut self, now: Time) {
        if let (State::Active, Some(allocation)) = (self.state, &mut self.allocation) {
            allocation.doubted = true;
            allocation.refresh_at = now;
            self.settle(now);
        }
    }

    /// The connection to the server is gone, or the system says that the server cannot be reached (a hard ICMP error): open
    /// transactions have failed (RFC 8489 §6.2), and with a connection its allocation is gone.
    ///
    /// With mobility, connect again and call [`moved`](Self::moved) instead.
    pub fn disconnected(&mut self, now: Time) {
        match self.state {
            State::Idle | State::Failed(_) | State::Closed => {}
            State::Active | State::Moving => self.lose(Failure::Disconnected, now),
            State::Allocating | State::NeedsPort => {
                self.transactions.clear();
                self.allocate_failed(Failure::Disconnected, now);
            }
            State::Deleting(then) => {
                self.transactions.clear();
                match then {
                    Then::Allocate => self.allocate_failed(Failure::Disconnected, now),
                    Then::Close | Then::Fail(_) => self.deleted(now),
                }
            }
        }
        self.settle(now);
    }

    /// Our address or port has changed: from now on packets leave from another one. An allocation with a ticket comes along
    /// ([`Event::Moved`]); until the server knows, nothing else is sent and no path leads anywhere (RFC 8016 §3.2.2).
    /// Without a ticket it is lost.
    pub fn moved(&mut self, now: Time) {
        match self.state {
            State::Idle | State::Failed(_) | State::Closed => {}
            State::Allocating | State::NeedsPort => {
                self.transactions.clear();
                self.auth.forget();
                self.send_allocate(now);
            }
            // The server would not know whose farewell this is.
            State::Deleting(_) => {
                self.transactions.clear();
                self.deleted(now);
            }
            State::Active | State::Moving => {
                if self.allocation.as_ref().is_some_and(|allocation| allocation.ticket.is_some()) {
                    self.move_along(now);
                } else {
                    self.lose(Failure::AddressChanged, now);
                }
            }
        }
        self.settle(now);
    }

    fn move_along(&mut self, now: Time) {
        self.transactions.clear();
        self.permissions.cancel();
        self.channels.cancel(now);
        self.paths_changed();
        self.state = State::Moving;
        self.request(Purpose::Move, 0, now);
    }

    /// RFC 8016 §3.2.3.
    pub(super) fn on_moved(&mut self, answer: &Accepted<'_>, asked: Time, now: Time) {
        self.state = State::Active;
        self.paths_changed();
        self.events.push(Event::Moved);
        if let Some(allocation) = &mut self.allocation {
            allocation.keep_ticket(answer.message(), true);
        }
        self.extend(answer, asked, now);
    }

    /// RFC 8656 §8.3.
    pub(super) fn on_refreshed(&mut self, answer: &Accepted<'_>, asked: Time, now: Time) {
        let Some(allocation) = &mut self.allocation else { return };
        allocation.keep_ticket(answer.message(), false);
        let doubted = core::mem::take(&mut allocation.doubted);
        self.extend(answer, asked, now);
        if doubted && self.allocation.is_some() {
            self.events.push(Event::Confirmed);
        }
    }

    fn extend(&mut self, answer: &Accepted<'_>, asked: Time, now: Time) {
        let Some(allocation) = &mut self.allocation else { return };
        match lifetime(answer.message()) {
            // Not what was asked for: the server has deleted it.
            Ok(Some(Duration::ZERO)) => self.lose(Failure::Expired, now),
            Ok(Some(lifetime)) => allocation.extend(lifetime, asked, now),
            Ok(None) | Err(_) => self.refresh_failed(Failure::MalformedAnswer, false, now),
        }
    }

    pub(super) fn refresh_failed(&mut self, failure: Failure, timed_out: bool, now: Time) {
        let Some(allocation) = &mut self.allocation else { return };
        if timed_out && allocation.doubted {
            return self.lose(Failure::NoAnswer, now);
        }
        if timed_out {
            // There may be time for another try.
            allocation.refresh_at = now;
            return;
        }
        allocation.refusals += 1;
        if !failure.is_passing() || allocation.refusals > MAX_REFUSALS {
            return self.lose(failure, now);
        }
        allocation.refresh_at = now.saturating_add(REFUSAL_WAIT * u32::from(allocation.refusals));
    }

    /// The allocation is gone.
    pub(super) fn lose(&mut self, reason: Failure, now: Time) {
        let retry_at = match reason {
            Failure::AllocationMismatch
            | Failure::AddressChanged
            | Failure::Disconnected
            | Failure::Expired
            | Failure::MobilityForbidden
            | Failure::NoAnswer
            | Failure::OutOfSync => Some(now),
            passing if passing.is_passing() => Some(now),
            _ => None,
        };
        self.permissions.clear();
        self.end_allocation();
        self.state = State::Failed(retry_at);
        self.events.push(Event::Lost { reason, retry_at });
    }

    /// RFC 8656 §12.3: delete the allocation at once and start afresh with a new one. Permissions are asked for again.
    pub(super) fn start_afresh(&mut self, now: Time) {
        self.permissions.reset();
        self.events.push(Event::Lost { reason: Failure::OutOfSync, retry_at: Some(now) });
        self.delete(Then::Allocate, now);
    }

    fn end_allocation(&mut self) {
        self.transactions.clear();
        self.channels.clear();
        self.allocation = None;
        self.deletes_by_ticket = false;
        self.paths_changed();
    }

    /// Sends the server a farewell.
    pub(super) fn delete(&mut self, then: Then, now: Time) {
        self.transactions.clear();
        self.channels.clear();
        self.paths_changed();
        self.state = State::Deleting(then);
        self.request(Purpose::Delete, 0, now);
    }

    pub(super) fn delete_schedule(&self) -> RetransmissionSchedule {
        let schedule = self.config.schedule();
        match self.config.carrier {
            Carrier::Datagram => {
                schedule.with_count(schedule.count().min(FAREWELL_COUNT)).with_last_wait(FAREWELL_LAST_WAIT)
            }
            Carrier::Stream => RetransmissionSchedule::reliable(schedule.timeout().min(FAREWELL_TIMEOUT)),
        }
    }

    /// The allocation is deleted, or nothing more can be done about it (RFC 8656 §8.3: 437 is success).
    pub(super) fn deleted(&mut self, now: Time) {
        self.end_allocation();
        let State::Deleting(then) = self.state else { return };
        match then {
            Then::Close => self.closed(),
            Then::Fail(retry_at) => self.state = State::Failed(retry_at),
            Then::Allocate => self.attempt_allocation(now),
        }
    }

    fn closed(&mut self) {
        self.permissions.clear();
        self.end_allocation();
        self.state = State::Closed;
        self.events.push(Event::Closed);
    }
}
