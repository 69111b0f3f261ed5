//! Deterministic virtual network: links, NATs, firewalls, STUN servers, and an oracle.
