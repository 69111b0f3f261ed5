//! The test beds of the crate, and the tests of the public door.
//!
//! | file | what it is |
//! |---|---|
//! | `heard.rs` | a packet as a test sees it |
//! | `script.rs` | one agent whose peer is played by hand: for every single rule |
//! | `relay_net.rs` | two agents and a TURN server |
//! | `line_net.rs` | one agent and TURN servers that it connects to |
//! | `net.rs` | two agents and the network between them: for what comes of the rules together |

pub(crate) mod heard;
mod line_net;
mod lines;
pub(crate) mod net;
mod properties;
pub(crate) mod relay_net;
mod relays;
pub(crate) mod script;
mod timing;
