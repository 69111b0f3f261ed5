//! Tests of the client against a server that does what each test tells it to.

mod allocate;
mod challenge;
mod channel;
mod data;
mod integrity;
mod mobility;
mod permission;
mod properties;
mod refresh;
mod scene;

use core::time::Duration;

use floe_stun::Time;

const fn secs(secs: u64) -> Time {
    Time::from_secs(secs)
}

const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}
