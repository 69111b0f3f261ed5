//! Interactive Connectivity Establishment on tokio: two peers behind NATs find the best path between them.

#![forbid(unsafe_code)]

pub use floe_ice as ice;
pub use floe_stun as stun;
pub use floe_turn as turn;
