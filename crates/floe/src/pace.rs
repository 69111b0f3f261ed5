//! The clock and the pace that all agents of a runtime have in common (RFC 8445 §14.2). A process usually has one runtime; each
//! has its own clock, which tests can pause.

use std::sync::{Arc, Mutex, Weak};

use floe_ice::SharedPace;
use floe_stun::Clock;
use tokio::runtime::{Handle, Id};
use tokio::time::Instant;

use crate::engine::lock;

/// What the agents of a runtime share, for as long as there are any.
pub(crate) struct Common {
    pub(crate) clock: Clock,
    pub(crate) pace: SharedPace,
}

static OF_RUNTIMES: Mutex<Vec<(Id, Weak<Common>)>> = Mutex::new(Vec::new());

impl Common {
    /// That of this runtime.
    pub(crate) fn of(runtime: &Handle) -> Arc<Self> {
        let mut all = lock(&OF_RUNTIMES);
        all.retain(|(_, common)| common.strong_count() > 0);
        let known = all.iter().find(|(id, _)| *id == runtime.id()).and_then(|(_, common)| common.upgrade());
        known.unwrap_or_else(|| {
            let common =
                Arc::new(Self { clock: Clock::new(Instant::now().into_std()), pace: SharedPace::new() });
            all.push((runtime.id(), Arc::downgrade(&common)));
            common
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_runtime_has_one_pace_while_it_has_agents() {
        let runtimes: [_; 2] = std::array::from_fn(|_| {
            tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime")
        });
        let [one, other] = runtimes.each_ref().map(|runtime| {
            let _inside = runtime.enter();
            Common::of(runtime.handle())
        });
        let _inside = runtimes[0].enter();
        assert!(Arc::ptr_eq(&one, &Common::of(runtimes[0].handle())));
        assert!(!Arc::ptr_eq(&one, &other));
        let id = runtimes[1].handle().id();
        drop(other);
        drop(Common::of(runtimes[0].handle()));
        assert!(lock(&OF_RUNTIMES).iter().all(|(known, _)| *known != id), "what nobody uses is forgotten");
    }
}
