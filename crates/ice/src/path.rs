//! Where data goes: RFC 8445 §12.1.

use core::net::{IpAddr, SocketAddr};

use floe_turn::client::RelayPath;

use crate::error::SendError;
use crate::ids::{Component, SocketId};

/// The path that data of a component has to be sent on. Small and `Copy`: keep it, and ask again after
/// [`Event::PathChanged`](crate::Event::PathChanged).
///
/// Sending goes past the agent: put the payload into a datagram from `socket` to `destination`, and where there is a `relay` frame it
/// first ([`RelayPath::frame`]), in place and without copying it. Tell the agent with
/// [`Agent::record_sent`](crate::Agent::record_sent) now and then, if you want statistics or have consent turned off.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct SendPath {
    /// The component.
    pub component: Component,
    /// The socket to send from.
    pub socket: SocketId,
    /// The local address to send from, as in [`Transmit::src_ip`](crate::Transmit::src_ip).
    pub src_ip: Option<IpAddr>,
    /// Where to send to: the peer, or the TURN server of the relay.
    pub destination: SocketAddr,
    /// Counts the changes of the path of this component.
    pub epoch: u32,
    /// What has to stand around the payload, where it goes through a relay (RFC 8656 §11, §12).
    pub relay: Option<RelayPath>,
}

impl SendPath {
    /// Whether the peer can tell this payload from a STUN message (RFC 7983): if not, it would be lost, so sending it is
    /// refused.
    ///
    /// # Errors
    /// [`SendError::LooksLikeStun`].
    pub fn admit(&self, payload: &[u8]) -> Result<(), SendError> {
        if floe_stun::is_stun(payload) { Err(SendError::LooksLikeStun) } else { Ok(()) }
    }
}
