//! Other agents of the same world: crates that do what floe does, as their documentation says to use them.
//!
//! None of them is told to log, and none has features on that slow it down.

mod is;
mod rice;
mod rtc;

pub use is::Is;
pub use rice::Rice;
pub use rtc::Rtc;

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use crate::world::Nanos;

/// The beginning of virtual time on the clock of the standard library, which some agents take the time of.
fn instant(now: Nanos) -> Instant {
    static BEGINNING: OnceLock<Instant> = OnceLock::new();
    *BEGINNING.get_or_init(Instant::now) + Duration::from_nanos(now)
}

fn nanos(instant: Instant) -> Nanos {
    let since = instant.saturating_duration_since(self::instant(0));
    Nanos::try_from(since.as_nanos()).unwrap_or(Nanos::MAX)
}
