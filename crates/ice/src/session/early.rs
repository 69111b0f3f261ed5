//! Checks that came before the peer's credentials (RFC 8445 §7.3): answered at once, acted on later.

use alloc::vec::Vec;

use super::CheckRequest;

/// Authenticated requests that wait for the peer's credentials, in the order they came.
#[derive(Clone, Debug, Default)]
pub(crate) struct EarlyChecks {
    waiting: Vec<CheckRequest>,
}

impl EarlyChecks {
    /// Keeps one; false if there are `limit` already. A later request of the same sender replaces its earlier one, and
    /// keeps what that one asked for.
    pub(crate) fn keep(&mut self, request: CheckRequest, limit: u16) -> bool {
        let same = |r: &&mut CheckRequest| r.base == request.base && r.source == request.source;
        if let Some(known) = self.waiting.iter_mut().find(same) {
            let use_candidate = known.use_candidate || request.use_candidate;
            *known = CheckRequest { use_candidate, ..request };
            return true;
        }
        if self.waiting.len() >= usize::from(limit) {
            return false;
        }
        self.waiting.push(request);
        true
    }

    /// Those for streams that `ready` says have their credentials now.
    pub(crate) fn take(&mut self, ready: impl Fn(&CheckRequest) -> bool) -> Vec<CheckRequest> {
        let (now, later) = core::mem::take(&mut self.waiting).into_iter().partition(|r| ready(r));
        self.waiting = later;
        now
    }

    pub(crate) fn len(&self) -> usize {
        self.waiting.len()
    }
}
