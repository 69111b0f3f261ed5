//! Sans-IO ICE agent (RFC 8445): gathering, connectivity checks and nomination as state machines.
