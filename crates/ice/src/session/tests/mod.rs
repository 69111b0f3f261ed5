//! The rules of RFC 8445, RFC 8838, RFC 8863 and RFC 7675, one by one: mostly on packets that are sent and on events.

mod consent;
mod failing;
mod forming;
mod freezing;
mod keepalive;
mod limits;
mod nomination;
mod reflexive;
mod requests;
mod responses;
mod restart;
mod restart_signalling;
mod roles;
mod trickle;
mod triggered;
