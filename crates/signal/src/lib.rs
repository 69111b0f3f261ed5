//! Sans-IO WebRTC signalling: what two participants say to each other, through a server, until they have a peer connection.
//!
//! - [`message`]: the messages, in JSON that a page can write by hand.
//! - [`sdp`]: session descriptions, lossless, with ICE's parts (RFC 8839) to be read and changed; data-channel offers and answers; and
//!   fragments for trickling (RFC 8840).

#![forbid(unsafe_code)]

pub mod message;
pub mod sdp;
