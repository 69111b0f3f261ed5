//! Sans-IO STUN server core, the home of the TURN client and server.
