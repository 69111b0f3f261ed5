//! Interactive Connectivity Establishment on tokio: two peers behind NATs find the best path between them.
