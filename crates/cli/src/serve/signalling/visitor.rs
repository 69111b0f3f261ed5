//! Who is at the other end of a connection.

use std::net::SocketAddr;
use std::sync::Arc;

use super::places::Place;

/// The other end of a connection: every request that comes over it has this.
#[derive(Clone)]
pub(super) struct Visitor {
    pub(super) client: SocketAddr,
    /// Where the server was found.
    pub(super) local: SocketAddr,
    /// Held by whatever becomes of the connection.
    pub(super) _place: Arc<Place>,
}
