//! When two peers can reach each other.
//!
//! A NAT gives a socket inside another address outside, and lets packets in or not. RFC 4787 describes any of them by
//! two properties.
//!
//! **Mapping** (§4.1): which outside address a socket gets.
//! - *Endpoint-independent*: always the same, whoever it sends to. What a STUN server saw is what a peer can use.
//! - *Address-dependent*, *address-and-port-dependent*: another one for each destination. What a STUN server saw is
//!   of no use to a peer.
//!
//! **Filtering** (§5): whose packets come in.
//! - *Endpoint-independent*: anybody's, once the mapping exists.
//! - *Address-dependent*: those of addresses the socket has sent to.
//! - *Address-and-port-dependent*: those of addresses and ports the socket has sent to.
//!
//! Older texts (RFC 3489) speak of *full cone*, *restricted cone* and *port-restricted cone*, which are
//! endpoint-independent mappings with these three filters in order, and of *symmetric*, which is an
//! address-and-port-dependent mapping and filter.
//!
//! Checks go out from both sides at about the same time, so each opens the filter of its own NAT for the other. What
//! remains to be known is where to send:
//!
//! | one side \ other side | any cone, or no NAT | symmetric |
//! |---|---|---|
//! | no NAT, full cone, restricted cone | direct | direct: the check of the symmetric side shows its address |
//! | port-restricted cone | direct | relay: neither knows the port the other is to expect |
//! | symmetric | see the other way round | relay |
//!
//! "Shows its address" is a peer-reflexive candidate (RFC 8445 §7.3.1.3,
//! [`Event::RemoteCandidateDiscovered`](crate::Event::RemoteCandidateDiscovered)). A relay is on a
//! [TURN server](crate::Builder::turn_server).
//!
//! Two peers behind the same NAT use their addresses inside; behind the same carrier-grade NAT, a path exists if that
//! NAT *hairpins* (RFC 4787 §6). A firewall that lets no UDP out leaves nothing.
//!
//! `floe demo --nat-a … --nat-b …` plays any of these through in a simulated network, with the messages that were
//! exchanged.
