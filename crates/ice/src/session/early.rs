//! Checks that came before the peer's credentials (RFC 8445 §7.3): answered at once, acted on later.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::net::SocketAddr;

use crate::locals::BaseId;
use crate::remotes::identity;

use super::CheckRequest;

/// Authenticated requests that wait for the peer's credentials, in the order they came, each with the ufrag of its
/// sender.
#[derive(Clone, Debug, Default)]
pub(crate) struct EarlyChecks {
    waiting: Vec<(CheckRequest, Box<[u8]>)>,
}

impl EarlyChecks {
    /// Keeps one; false if there are `limit` already. A later request of the same sender replaces its earlier one, and
    /// keeps what that one asked for.
    pub(crate) fn keep(&mut self, request: CheckRequest, sender: &[u8], limit: u16) -> bool {
        let same = |r: &CheckRequest| r.base == request.base && r.source == request.source;
        let known = self.waiting.iter_mut().find(|(r, from)| same(r) && **from == *sender);
        if let Some((known, _)) = known {
            let use_candidate = known.use_candidate || request.use_candidate;
            *known = CheckRequest { use_candidate, ..request };
            return true;
        }
        if self.waiting.len() >= usize::from(limit) {
            return false;
        }
        self.waiting.push((request, sender.into()));
        true
    }

    /// Those for streams that `ready` says have their credentials now.
    pub(crate) fn take(&mut self, ready: impl Fn(&CheckRequest) -> bool) -> Vec<(CheckRequest, Box<[u8]>)> {
        let (now, later) = core::mem::take(&mut self.waiting).into_iter().partition(|(r, _)| ready(r));
        self.waiting = later;
        now
    }

    /// Drops those that came to a base which is gone.
    pub(crate) fn forget(&mut self, is_lost: impl Fn(BaseId) -> bool) {
        self.waiting.retain(|(r, _)| !is_lost(r.base));
    }

    /// Whether one came this way.
    pub(crate) fn holds(&self, base: BaseId, source: SocketAddr) -> bool {
        self.waiting
            .iter()
            .any(|(request, _)| request.base == base && identity(request.source) == identity(source))
    }

    pub(crate) fn len(&self) -> usize {
        self.waiting.len()
    }
}
