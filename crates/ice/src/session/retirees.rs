//! The sessions that are retired, and keys that outlive their session.

use alloc::vec::Vec;
use core::net::SocketAddr;

use floe_stun::{Time, TransactionId};

use crate::effects::Effects;
use crate::ids::{Component, PairId, SocketId};
use crate::keys::{Generation, Keyring};
use crate::rare::Empty;

use super::retired::Retired;
use super::{Session, wake_up};

/// At most this many sessions are retired (our own rule): the one that carries our data, and the latest one beside it, which the
/// peer may have selected a pair in although we have not.
const CAPACITY: usize = 2;

/// Retired sessions, the oldest first. A component is carried by one of them at most.
#[derive(Default)]
pub(crate) struct Retirees {
    list: Vec<Retired>,
    /// Of sessions that are gone while packets of theirs are still queued.
    keys: Vec<Keyring>,
}

impl Empty for Retirees {
    fn empty() -> &'static Self {
        static EMPTY: Retirees = Retirees { list: Vec::new(), keys: Vec::new() };
        &EMPTY
    }
}

impl Retirees {
    /// A restart replaced this session. On repeated restarts the one that carries data stays.
    pub(crate) fn add(&mut self, session: Session, fx: &Effects) {
        if !session.is_of_use() {
            return self.bury(session, fx);
        }
        let mut retired = Retired::new(session);
        for component in retired.session().components() {
            // A pair that was not selected has not taken over from the one that carries the data.
            let selected = retired.session().selected(component).is_some();
            for older in &mut self.list {
                if selected {
                    older.release(component);
                } else if older.carries(component) {
                    retired.release(component);
                }
            }
        }
        if self.list.len() >= CAPACITY {
            let idle = self.list.iter().position(|r| !r.carries_any()).unwrap_or(0);
            let gone = self.list.remove(idle);
            self.bury(gone.session, fx);
        }
        self.list.push(retired);
    }

    /// A session is gone. Its keys stay as long as packets that are queued need them.
    fn bury(&mut self, session: Session, fx: &Effects) {
        self.keys.push(session.into_keys());
        self.keys.retain(|keys| fx.has_packet_of(keys.generation()));
    }

    /// No packet is queued any more.
    pub(crate) fn forget_keys(&mut self) {
        if !self.keys.is_empty() {
            self.keys = Vec::new();
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// The newest first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Retired> {
        self.list.iter().rev()
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Retired> {
        self.list.iter_mut().rev()
    }

    pub(crate) fn keys(&self, generation: Generation) -> Option<&Keyring> {
        let retired = self.list.iter().map(|r| r.session().keys());
        retired.chain(&self.keys).find(|keys| keys.generation() == generation)
    }

    /// The one at a place of [`Retirees::iter`].
    pub(crate) fn get(&self, at: usize) -> Option<&Retired> {
        self.list.iter().nth_back(at)
    }

    pub(crate) fn get_mut(&mut self, at: usize) -> Option<&mut Retired> {
        self.list.iter_mut().nth_back(at)
    }

    /// The place of the one an answer belongs to.
    pub(crate) fn awaiting(&self, id: &TransactionId) -> Option<usize> {
        self.iter().position(|r| r.session().request(id).is_some())
    }

    /// The session that data of a component goes on.
    pub(crate) fn carrier(&self, component: Component) -> Option<&Session> {
        self.iter().find(|r| r.path_of(component).is_some()).map(Retired::session)
    }

    pub(crate) fn carrier_mut(&mut self, component: Component) -> Option<&mut Session> {
        self.iter_mut().find(|r| r.path_of(component).is_some()).map(Retired::session_mut)
    }

    /// Whether a path for data of a component is among them.
    pub(crate) fn carries(&self, component: Component) -> bool {
        self.carrier(component).is_some()
    }

    /// The one that knows this pair.
    pub(crate) fn owner(&self, pair: PairId) -> Option<&Session> {
        self.iter().map(Retired::session).find(|s| s.checklists.get(pair).is_some())
    }

    /// RFC 8445 §12.2, of the data that the new session does not know the sender of.
    pub(crate) fn accept_data(
        &mut self,
        (socket, local_ip): (SocketId, Option<core::net::IpAddr>),
        source: SocketAddr,
        len: usize,
    ) -> Option<Component> {
        self.iter_mut().find_map(|retired| {
            let session = retired.session_mut();
            let base = session.locals.find_base(socket, local_ip)?;
            session.accept_data(base, source, len)
        })
    }

    /// Whether some session still receives on a socket.
    pub(crate) fn needs(&self, socket: SocketId) -> bool {
        self.list.iter().any(|r| r.session().locals.find_base(socket, None).is_some())
    }

    /// The driver lost a socket.
    pub(crate) fn socket_failed(&mut self, socket: SocketId, now: Time, fx: &mut Effects) {
        for retired in &mut self.list {
            retired.session_mut().socket_failed(socket, now, fx);
        }
    }

    /// What consent and keepalives have to send.
    pub(crate) fn settle(&mut self, now: Time, fx: &mut Effects) {
        for retired in &mut self.list {
            retired.settle(now, fx);
        }
    }

    /// What `current` has selected a pair for is its own from now on, and who has nothing left to do goes.
    pub(crate) fn hand_over(&mut self, current: &mut Session, now: Time, fx: &mut Effects) {
        for retired in &mut self.list {
            for component in current.components() {
                if current.has_taken_over(component) {
                    retired.release(component);
                } else if retired.session().has_lost_consent(component)
                    && current.path_of(component).is_none()
                {
                    current.note_lost_consent(component);
                }
            }
            retired.settle(now, fx);
        }
        while let Some(over) = self.list.iter().position(|r| r.is_over(now)) {
            let gone = self.list.remove(over);
            self.bury(gone.session, fx);
        }
        if self.list.is_empty() {
            self.list = Vec::new();
        }
    }

    pub(crate) fn next_timeout(&self, now: Time) -> Option<Time> {
        let next = self.list.iter().filter_map(|r| r.next_timeout(now)).min()?;
        wake_up(next, now)
    }

    pub(crate) fn check_invariants(&self, max_packets: usize) {
        assert!(self.list.len() <= CAPACITY, "retired sessions are bounded");
        assert!(self.keys.len() <= max_packets, "and so are keys");
        for (at, retired) in self.list.iter().enumerate() {
            retired.check_invariants();
            for component in retired.session().components().into_iter().filter(|&c| retired.carries(c)) {
                let others = self.list.iter().skip(at + 1);
                assert!(!others.into_iter().any(|r| r.carries(component)), "one session carries a component");
            }
        }
    }
}
