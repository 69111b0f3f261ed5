//! The open transactions of a client: repeated until they are answered, and given up (RFC 8489 §6.2.1, §6.2.2).

use alloc::vec::Vec;
use core::net::IpAddr;
use core::time::Duration;

use floe_stun::attributes::ChannelNumber;
use floe_stun::{Method, RetransmissionSchedule, RetransmissionStep, Time, TransactionId};

use super::auth::Protection;

/// RFC 8489 §6.2: at most so many transactions with a server are open.
pub(super) const MAX_OPEN: usize = 10;

/// What a transaction is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Makes an allocation (RFC 8656 §7).
    Allocate,
    /// Keeps it (§8).
    Refresh,
    /// Takes it along to another address of ours (RFC 8016 §3.2).
    Move,
    /// Deletes it (§8).
    Delete,
    /// Installs or refreshes permissions (§10).
    Permit(Vec<IpAddr>),
    /// Binds a channel, or keeps it bound (§12).
    Bind(ChannelNumber),
}

impl Purpose {
    pub(super) const fn method(&self) -> Method {
        match self {
            Self::Allocate => Method::ALLOCATE,
            Self::Refresh | Self::Move | Self::Delete => Method::REFRESH,
            Self::Permit(_) => Method::CREATE_PERMISSION,
            Self::Bind(_) => Method::CHANNEL_BIND,
        }
    }
}

/// An open transaction.
pub(super) struct Transaction {
    pub(super) id: TransactionId,
    pub(super) purpose: Purpose,
    /// The request: sent again it has the same bytes.
    pub(super) packet: Vec<u8>,
    /// What protects the request, and so has to protect the answer.
    pub(super) protection: Option<Protection>,
    /// How often the server has asked for other credentials or another nonce.
    pub(super) challenges: u8,
    /// An answer came that could not be trusted.
    pub(super) bad_answer: bool,
    /// When the request was first sent.
    pub(super) started: Time,
    /// Requests sent so far, and how many of them the driver has not polled yet.
    sent: u32,
    queued: u32,
    schedule: RetransmissionSchedule,
    due: Time,
}

impl Transaction {
    /// A transaction whose request is sent now.
    pub(super) fn new(
        (id, purpose, packet): (TransactionId, Purpose, Vec<u8>),
        protection: Option<Protection>,
        challenges: u8,
        schedule: RetransmissionSchedule,
        now: Time,
    ) -> Self {
        let mut new = Self {
            id,
            purpose,
            packet,
            protection,
            challenges,
            bad_answer: false,
            started: now,
            sent: 1,
            queued: 1,
            schedule,
            due: now,
        };
        new.due = now.saturating_add(new.wait().0);
        new
    }

    /// How long to wait after the transmission that was made just now; whether another one follows.
    fn wait(&self) -> (Duration, bool) {
        let offset = |step| match step {
            RetransmissionStep::Transmit(at) => (at, true),
            RetransmissionStep::Fail(at) => (at, false),
        };
        let (this, _) = offset(self.schedule.after(self.sent.saturating_sub(1)));
        let (next, again) = offset(self.schedule.after(self.sent));
        (next.saturating_sub(this), again)
    }
}

/// The open transactions, in the order in which they were opened.
#[derive(Default)]
pub(super) struct Transactions(Vec<Transaction>);

impl Transactions {
    pub(super) fn open(&mut self, transaction: Transaction) {
        self.0.push(transaction);
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    pub(super) fn get_mut(&mut self, id: TransactionId) -> Option<&mut Transaction> {
        self.0.iter_mut().find(|transaction| transaction.id == id)
    }

    pub(super) fn remove(&mut self, id: TransactionId) -> Option<Transaction> {
        let at = self.0.iter().position(|transaction| transaction.id == id)?;
        Some(self.0.remove(at))
    }

    pub(super) fn is_open(&self, purpose: &Purpose) -> bool {
        self.0.iter().any(|transaction| transaction.purpose == *purpose)
    }

    /// Sends again what is due, and returns a transaction that has failed.
    pub(super) fn next_failed(&mut self, now: Time) -> Option<Transaction> {
        let mut failed = None;
        for (at, transaction) in self.0.iter_mut().enumerate() {
            if transaction.due > now {
                continue;
            }
            if !transaction.wait().1 {
                failed = Some(at);
                break;
            }
            // The interval is counted from when the request was really sent, so that a late caller causes no burst and a
            // clock that jumped does not fail a request unheard.
            transaction.sent += 1;
            transaction.queued += 1;
            transaction.due = now.saturating_add(transaction.wait().0);
        }
        failed.map(|at| self.0.remove(at))
    }

    pub(super) fn deadline(&self) -> Option<Time> {
        self.0.iter().map(|transaction| transaction.due).min()
    }

    /// Copies the next packet to be sent.
    pub(super) fn pop(&mut self, out: &mut [u8]) -> Option<usize> {
        let transaction = self.0.iter_mut().find(|transaction| transaction.queued > 0)?;
        let len = transaction.packet.len();
        out.get_mut(..len)?.copy_from_slice(&transaction.packet);
        transaction.queued -= 1;
        Some(len)
    }

    pub(super) fn check_invariants(&self) {
        assert!(self.0.len() <= MAX_OPEN, "transactions are bounded");
        for transaction in &self.0 {
            assert!(transaction.queued <= u32::from(transaction.schedule.count()), "packets are bounded");
        }
    }
}
