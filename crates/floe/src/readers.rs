//! Who reads the sockets of a component: the application while it asks for datagrams, the driver otherwise.
//!
//! tokio wakes one party when a socket becomes readable. That is always the [`Readiness`] of the socket, which passes
//! it on: to the tasks that wait in `recv`, who then read by themselves, or, if there is none, to the driver. An
//! application that reads again and again therefore costs the driver nothing. One that was woken and then stays away
//! for [`HANDOVER`] is noticed by the driver, which looks at that interval as long as there is somebody to look
//! after, and takes over.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Wake, Waker};
use std::time::Duration;

use tokio::sync::Notify;

use crate::engine::lock;

/// How long an application that has been reading may stay away until the driver reads in its place. Long enough that
/// it is rarely wrong, short enough that answers to checks are not missed.
pub(crate) const HANDOVER: Duration = Duration::from_millis(50);

/// Wakes the driver.
#[derive(Default)]
pub(crate) struct Signal {
    notify: Notify,
    /// The driver is to look after reading applications, or does so already.
    watching: AtomicBool,
}

impl Signal {
    /// There is something to do.
    pub(crate) fn notify(&self) {
        self.notify.notify_one();
    }

    pub(crate) async fn notified(&self) {
        self.notify.notified().await;
    }

    pub(crate) fn is_watching(&self) -> bool {
        self.watching.load(Ordering::SeqCst)
    }

    pub(crate) fn set_watching(&self, watching: bool) {
        self.watching.store(watching, Ordering::SeqCst);
    }

    fn watch(&self) {
        if !self.is_watching() && !self.watching.swap(true, Ordering::SeqCst) {
            self.notify();
        }
    }
}

/// The tasks that want datagrams of one component.
pub(crate) struct Readers {
    waiting: Mutex<Vec<(ReaderId, Waker)>>,
    /// A reader was woken to read, and the driver keeps off.
    active: AtomicBool,
    /// How often readers have come. Written under the lock of the inbox.
    visits: AtomicU32,
    ids: AtomicU64,
    signal: Arc<Signal>,
}

/// Somebody who wants a datagram: one `recv` call, or all of `poll_recv` together.
pub(crate) struct Reader<'a> {
    readers: &'a Readers,
    id: ReaderId,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum ReaderId {
    /// The one that uses `poll_recv`. Its waker stays until it is woken.
    Poller,
    /// A call that has not had to wait.
    New,
    /// A call that waits, or did.
    Call(u64),
}

impl Reader<'_> {
    pub(crate) fn wait(&mut self, waker: &Waker) {
        if self.id == ReaderId::New {
            self.id = ReaderId::Call(self.readers.ids.fetch_add(1, Ordering::Relaxed));
        }
        self.readers.wait(self.id, waker);
    }
}

impl Drop for Reader<'_> {
    fn drop(&mut self) {
        if matches!(self.id, ReaderId::Call(_)) {
            self.readers.leave(self.id);
        }
    }
}

impl Readers {
    pub(crate) fn new(signal: Arc<Signal>) -> Self {
        Self {
            waiting: Mutex::default(),
            active: AtomicBool::new(false),
            visits: AtomicU32::new(0),
            ids: AtomicU64::new(0),
            signal,
        }
    }

    pub(crate) fn one_call(&self) -> Reader<'_> {
        Reader { readers: self, id: ReaderId::New }
    }

    pub(crate) fn poller(&self) -> Reader<'_> {
        Reader { readers: self, id: ReaderId::Poller }
    }

    /// A reader is here. The caller holds the inbox.
    pub(crate) fn visit(&self) {
        self.visits.store(self.visits().wrapping_add(1), Ordering::Relaxed);
    }

    // Wakers are dropped after the lock is released: dropping one may drop a task, and with it another reader.

    fn wait(&self, id: ReaderId, waker: &Waker) {
        let mut waiting = lock(&self.waiting);
        let replaced = match waiting.iter_mut().find(|(known, _)| *known == id) {
            Some((_, known)) if known.will_wake(waker) => None,
            Some((_, known)) => Some(std::mem::replace(known, waker.clone())),
            None => {
                waiting.push((id, waker.clone()));
                None
            }
        };
        drop(waiting);
        drop(replaced);
    }

    fn leave(&self, id: ReaderId) {
        let mut waiting = lock(&self.waiting);
        let left = waiting.iter().position(|(known, _)| *known == id).map(|at| waiting.swap_remove(at));
        drop(waiting);
        drop(left);
    }

    /// Wakes those who wait, because a datagram is queued or none will ever come.
    pub(crate) fn wake(&self) {
        self.wake_as(false);
    }

    /// Wakes those who wait; false if there is nobody.
    fn wake_as(&self, active: bool) -> bool {
        let mut waiting = lock(&self.waiting);
        let Some((_, first)) = waiting.pop() else { return false };
        // Several are rare; the vector of the usual one keeps its memory.
        let others = if waiting.is_empty() { Vec::new() } else { std::mem::take(&mut *waiting) };
        if active {
            self.active.store(true, Ordering::Release);
        }
        drop(waiting);
        first.wake();
        others.into_iter().for_each(|(_, waker)| waker.wake());
        true
    }

    /// Whether the driver is to keep off.
    pub(crate) fn is_active(&self) -> bool {
        self.active.load(Ordering::Acquire)
    }

    pub(crate) fn visits(&self) -> u32 {
        self.visits.load(Ordering::Relaxed)
    }

    /// Looks after the readers that were woken: those that wait again are fine, and if none came since there were
    /// `before` visits, the driver takes over. True if they have to be looked at again.
    pub(crate) fn look_after(&self, before: u32) -> bool {
        let waiting = lock(&self.waiting);
        if !waiting.is_empty() || self.visits() == before {
            self.active.store(false, Ordering::Release);
        }
        self.is_active()
    }
}

/// What tokio wakes when a socket becomes readable.
pub(crate) struct Readiness {
    readers: Arc<Readers>,
    /// tokio holds this waker: the socket was empty when it was last read. Otherwise whoever was told of it has to
    /// read.
    armed: AtomicBool,
}

impl Readiness {
    pub(crate) fn new(readers: Arc<Readers>) -> Self {
        Self { readers, armed: AtomicBool::new(false) }
    }

    pub(crate) fn is_armed(&self) -> bool {
        self.armed.load(Ordering::Acquire)
    }

    /// Has to be set before the socket is polled, as the socket may wake at once; tokio's lock around the waker sees
    /// to the order.
    pub(crate) fn set_armed(&self, armed: bool) {
        self.armed.store(armed, Ordering::Release);
    }
}

impl Wake for Readiness {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.set_armed(false);
        if self.readers.wake_as(true) {
            self.readers.signal.watch();
        } else {
            self.readers.signal.notify();
        }
    }
}
