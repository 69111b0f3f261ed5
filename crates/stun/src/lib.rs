//! STUN wire codec (RFC 8489): no clock, no sockets, no allocation to parse.
