//! Why a datagram was refused, and how often.

use core::fmt;

use floe_stun::attributes::ErrorCode;

use super::traffic::Traffic;

macro_rules! rejections {
    ($($(#[$doc:meta])* $name:ident $(= $code:ident)?, $text:literal;)*) => {
        /// Why the server refused what it received. It is the network's fault, never the caller's, and there is nothing to
        /// do about it; each reason has a counter ([`Stats::rejected`](super::Stats::rejected)).
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Rejection {
            $($(#[$doc])* $name,)*
        }

        impl Rejection {
            /// Every reason, in the order of the counters.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The error that a client is told, if it is told one.
            #[must_use]
            pub const fn error_code(self) -> Option<ErrorCode<'static>> {
                match self {
                    $(Self::$name => rejections!(@code $($code)?),)*
                }
            }
        }

        impl fmt::Display for Rejection {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(match self {
                    $(Self::$name => $text,)*
                })
            }
        }
    };
    (@code) => { None };
    (@code $code:ident) => { Some(ErrorCode::$code) };
}

rejections! {
    /// Neither a STUN message nor ChannelData (RFC 8656 §12).
    NotTurn, "neither STUN nor ChannelData";
    /// It looks like one and is not well formed, or its FINGERPRINT is wrong.
    Malformed, "malformed message";
    /// A method or class that no client sends.
    UnexpectedMessage, "unexpected method or class";
    /// Nothing can be sent to where it comes from.
    UnanswerableSource, "nothing can be sent to its source";
    /// A request without integrity: the client is told the realm and a nonce (RFC 8489 §9.2.4).
    Unauthenticated = UNAUTHENTICATED, "request without credentials";
    /// An unknown, expired or wrong user, or a wrong password (RFC 8489 §9.2.4).
    BadCredentials = UNAUTHENTICATED, "unknown user or wrong password";
    /// The right password with a nonce that is too old, forged, or another client's (RFC 8489 §9.2.4).
    StaleNonce = STALE_NONCE, "the nonce is not valid any more";
    /// The source has used up its answers, to Binding or to requests without valid credentials; it is told nothing.
    RateLimited, "its source asks too often";
    /// Attributes are missing, malformed or do not go together.
    BadRequest = BAD_REQUEST, "bad request";
    /// Comprehension-required attributes that the server does not know (RFC 8489 §6.3).
    UnknownAttribute = UNKNOWN_ATTRIBUTE, "unknown attribute";
    /// There is no allocation on this 5-tuple, or there must not be one (RFC 8656 §5, §7.2).
    AllocationMismatch = ALLOCATION_MISMATCH, "no allocation here, or one already";
    /// The allocation is another user's (RFC 8656 §5).
    WrongCredentials = WRONG_CREDENTIALS, "the allocation is another user's";
    /// The relay would not be for UDP (RFC 8656 §7.2).
    UnsupportedTransport = UNSUPPORTED_TRANSPORT_PROTOCOL, "relays are for UDP only";
    /// The server has no relay address of this family (RFC 8656 §7.2).
    UnsupportedFamily = ADDRESS_FAMILY_NOT_SUPPORTED, "no relay address of this family";
    /// The allocation has no relay of this family (RFC 8656 §8.2, §10.2, §12.2).
    FamilyMismatch = PEER_ADDRESS_FAMILY_MISMATCH, "the allocation has no relay of this family";
    /// The peer is one that is not relayed to, or the client's address is one that is not served (RFC 8656 §10.2, §21.4).
    Forbidden = FORBIDDEN, "the address is not allowed";
    /// Mobility is switched off (RFC 8016 §3.1.2).
    MobilityForbidden = MOBILITY_FORBIDDEN, "mobility is not allowed";
    /// The user has as many allocations as it may (RFC 8656 §7.2).
    QuotaReached = ALLOCATION_QUOTA_REACHED, "the user's quota is reached";
    /// A limit of the server is reached (RFC 8656 §7.2, §10.2, §12.2).
    NoCapacity = INSUFFICIENT_CAPACITY, "a limit is reached";
    /// The client was sent to another server (RFC 8656 §7.2).
    Redirected = TRY_ALTERNATE, "sent to another server";
    /// Data to or from a peer without permission (RFC 8656 §9).
    NoPermission, "no permission for the peer";
    /// ChannelData on a channel that is not bound (RFC 8656 §12.6).
    UnboundChannel, "the channel is not bound";
    /// Data beyond the user's bandwidth (RFC 8656 §5).
    BandwidthExceeded, "the user's bandwidth is used up";
    /// Data for a client whose connection has gone, and which has not come back from elsewhere yet (RFC 8016).
    ClientAway, "the client's connection has gone";
    /// Data longer than a message holds.
    TooLong, "longer than a message holds";
    /// An ICMP report that is not for clients (RFC 8656 §11.5).
    IrrelevantIcmp, "not an ICMP error for clients";
    /// What should be sent waits behind too much that is not polled.
    QueueFull, "the queue is full";
    /// The server is closed.
    Closed, "the server is closed";
}

/// What a server has done so far. Counters saturate.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Allocations begun.
    pub allocations_begun: u64,
    /// Allocations ended, for whatever reason.
    pub allocations_ended: u64,
    /// Success responses to Refresh, CreatePermission and ChannelBind.
    pub refreshed: u64,
    /// Success responses to Binding.
    pub bindings: u64,
    /// Data relayed to peers.
    pub to_peers: Traffic,
    /// Data relayed to clients.
    pub to_clients: Traffic,
    /// Relay sockets that the driver could not open.
    pub relays_failed: u64,
    /// Responses and events that were dropped because they were not polled.
    pub dropped: u64,
    rejected: [u64; Rejection::ALL.len()],
}

impl Default for Stats {
    fn default() -> Self {
        Self {
            allocations_begun: 0,
            allocations_ended: 0,
            refreshed: 0,
            bindings: 0,
            to_peers: Traffic::default(),
            to_clients: Traffic::default(),
            relays_failed: 0,
            dropped: 0,
            rejected: [0; Rejection::ALL.len()],
        }
    }
}

impl Stats {
    /// How often something was refused for this reason.
    #[must_use]
    pub const fn rejected(&self, why: Rejection) -> u64 {
        self.rejected[why as usize]
    }

    /// One more.
    pub(super) fn reject(&mut self, why: Rejection) {
        count(&mut self.rejected[why as usize]);
    }
}

pub(super) fn count(counter: &mut u64) {
    *counter = counter.saturating_add(1);
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::string::ToString;

    use super::*;

    #[test]
    fn every_reason_has_its_own_counter_and_text() {
        let mut stats = Stats::default();
        for (times, why) in Rejection::ALL.iter().enumerate() {
            (0..times).for_each(|_| stats.reject(*why));
        }
        for (times, why) in Rejection::ALL.iter().enumerate() {
            assert_eq!(stats.rejected(*why), times as u64, "{why}");
        }
        let texts: BTreeSet<_> = Rejection::ALL.iter().map(ToString::to_string).collect();
        assert_eq!(texts.len(), Rejection::ALL.len());
        assert_eq!(Rejection::FamilyMismatch.error_code().map(|error| error.code()), Some(443));
        assert_eq!(Rejection::NoPermission.error_code(), None);
    }
}
