//! The end of every input: what is over ends, what is due begins, and the next time is found.

use floe_stun::Time;

use super::error::Failure;
use super::transaction::{MAX_OPEN, Purpose};
use super::{Client, State};

impl Client {
    /// Expire, refresh, permit, bind, in this order.
    pub(super) fn settle(&mut self, now: Time) {
        if let State::Active | State::Moving = self.state {
            self.expire(now);
        }
        if self.state == State::Active {
            self.start_what_is_due(now);
        }
        self.timeout = self.next_timeout(now);
    }

    fn expire(&mut self, now: Time) {
        if self.allocation.as_ref().is_some_and(|allocation| now >= allocation.expires) {
            return self.lose(Failure::Expired, now);
        }
        self.expire_permissions(now);
        self.expire_channels(now);
    }

    /// As far as RFC 8489 §6.2 lets it; the rest waits until a transaction ends. There is always room for a refresh.
    fn start_what_is_due(&mut self, now: Time) {
        let due = self.allocation.as_ref().is_some_and(|allocation| now >= allocation.refresh_at);
        if due && !self.transactions.is_open(&Purpose::Refresh) {
            self.request(Purpose::Refresh, 0, now);
        }
        while self.has_room()
            && let Some(peers) = self.permissions.next_request(now)
        {
            self.request(Purpose::Permit(peers), 0, now);
        }
        while self.has_room()
            && let Some(number) = self.channels.next_request(now)
        {
            self.request(Purpose::Bind(number), 0, now);
        }
    }

    fn has_room(&self) -> bool {
        self.state == State::Active && self.transactions.len() < MAX_OPEN - 1
    }

    /// Never `now` or earlier: what was due by then is done, or waits for a transaction to end.
    fn next_timeout(&self, now: Time) -> Option<Time> {
        let allocation = self.allocation.as_ref().filter(|_| self.is_live()).map(|allocation| {
            let refreshing = now >= allocation.refresh_at || self.state == State::Moving;
            if refreshing { allocation.expires } else { allocation.refresh_at.min(allocation.expires) }
        });
        let permissions = self.permissions.deadline(now).filter(|_| self.is_live());
        let channels = self.channels.deadline(now).filter(|_| self.is_live());
        let candidates = [self.transactions.deadline(), allocation, permissions, channels];
        candidates.into_iter().flatten().min()
    }

    const fn is_live(&self) -> bool {
        matches!(self.state, State::Active | State::Moving)
    }
}
