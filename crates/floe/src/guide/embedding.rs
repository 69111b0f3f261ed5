//! Using floe in a program.
//!
//! # Signalling
//!
//! ICE needs a way by which the peers can exchange a few hundred bytes before they are connected: a server of yours,
//! a chat, a QR code. What goes over it, in each direction:
//!
//! 1. [`Agent::local_credentials`](crate::Agent::local_credentials): the username fragment and the password. Whoever
//!    has them can pretend to be the peer, so the way has to be confidential and authentic.
//! 2. Each [`Event::LocalCandidate`](crate::Event::LocalCandidate) as a line of text (`to_string()`, RFC 8839 §5.1),
//!    as it is found. The line names the username fragment it belongs to.
//! 3. [`GatheringState::Complete`](crate::GatheringState::Complete), the end of candidates.
//!
//! The order does not matter: candidates may arrive before the credentials, and checks of the peer before either. A
//! candidate that is signalled twice is known the second time. Without the end of candidates everything works, but a
//! failure is only noticed when the time for it is over.
//!
//! If the signalling carries one message each way and no more, wait for [`Agent::gathered`](crate::Agent::gathered) and send
//! [`Agent::local_candidates`](crate::Agent::local_candidates) along with the credentials.
//! For SDP there is [`Description`](floe_ice::candidate::Description).
//!
//! One side should be [controlling](crate::Builder::controlling): the one that calls. If both are, or neither is, it
//! takes one more exchange of packets.
//!
//! # Servers
//!
//! Behind a NAT, an agent learns its public address from a [STUN server](crate::Builder::stun_server). Without one,
//! two peers find each other in the same network, and where one of them has a public address. More than one server
//! helps when one is down; all are asked at the same time. What went wrong with a server is an
//! [event](crate::Event::GatheringProblem) and stops nothing.
//!
//! Where there is no path between the peers, and where a firewall lets no UDP through, a
//! [TURN server](crate::Builder::turn_server) relays; one side's is enough. Name it by each way to reach it: over UDP, which is best
//! for what is sent in datagrams; over TCP, for networks without UDP; and over TLS on port 443, for those that let little else out.
//!
//! ```
//! use floe::{Agent, IceServer};
//!
//! let servers = IceServer::new([
//!     "stun:turn.example.org",
//!     "turn:turn.example.org",
//!     "turn:turn.example.org?transport=tcp",
//!     "turns:turn.example.org:443",
//! ]);
//! let builder = Agent::builder().ice_servers([servers.with_account("alice", "secret")]);
//! # drop(builder);
//! ```
//!
//! A relay over TCP or TLS stands for UDP: what is more than the connection takes is lost and counted, and nobody waits for it. If
//! the connection ends, [`Event::RelayLost`](crate::Event::RelayLost) says why; the agent connects anew, and a restart brings the
//! path back. Over TLS the operating system says whom to trust, or
//! [`Builder::tls_roots`](crate::Builder::tls_roots).
//!
//! # Restarts: another network, another path
//!
//! When the machine has moved to another network, or the agent has failed, call
//! [`Agent::restart`](crate::Agent::restart): the agent looks at the interfaces again, keeps the sockets whose addresses are
//! still there, opens the others, and begins a new session with new credentials. It makes the new path before it breaks
//! the old one: connections go on sending and receiving on it until the new session has selected one, so a
//! restart costs nothing when the old path still works.
//!
//! Signalling has one case more: [`Event::Restarted`](crate::Event::Restarted), which both sides get. It has the new
//! credentials; the candidates that follow belong to them. Pass on everything, in order, and pass all credentials that
//! arrive to [`set_remote_credentials`](crate::Agent::set_remote_credentials): it is up to the agent to see whether they
//! are an answer, or the peer's own restart, which it then answers with one of its own.
//!
//! ```
//! # async fn example(agent: floe::Agent) {
//! use floe::{Event, GatheringState};
//! # fn signal(_line: String) {}
//!
//! let mut ufrag = agent.local_credentials().ufrag().to_owned();
//! while let Some(event) = agent.next_event().await {
//!     match event {
//!         Event::Restarted { credentials, .. } => {
//!             ufrag = credentials.ufrag().to_owned();
//!             signal(format!("credentials {} {}", credentials.ufrag(), credentials.pwd()));
//!         }
//!         // It names its ufrag, so that nobody takes it for one of another session.
//!         Event::LocalCandidate { candidate, .. } => signal(candidate.to_string()),
//!         // So should the end: the peer passes it to `end_of_remote_candidates_of`.
//!         Event::GatheringStateChanged(GatheringState::Complete) => signal(format!("end {ufrag}")),
//!         _ => {}
//!     }
//! }
//! # }
//! ```
//!
//! Both sides may restart at the same time, and again before the first answer: they end up with each other's latest
//! credentials, as long as signalling loses nothing and keeps the order. That goes for all credentials: where they are sent
//! together with the candidates, and a restart comes before that, send those of the session it replaced all the same,
//! since an answer does not say what it answers.
//!
//! # States and errors
//!
//! [`Agent::connected`](crate::Agent::connected) answers once. For a display follow
//! [`Event::StateChanged`](crate::Event::StateChanged): `Disconnected` means that the peer has not answered for 15
//! seconds, and may pass; `Failed` means that there is no path, after 30 seconds without an answer (RFC 7675). Then
//! restart, or close the agent.
//!
//! Sending is never refused because of the network's weather: see [`Connection::send`](crate::Connection::send). Of
//! the errors it does return, [`SendError::TooLarge`](crate::SendError::TooLarge) is worth handling where your
//! datagrams come near the MTU: 1200 bytes pass nearly everywhere.
//!
//! # On top of it
//!
//! A connection gives what UDP gives, and no secrecy: put DTLS, SRTP or QUIC on it. A payload that looks like STUN is
//! refused, because the peer's agent would take it; those three never do, and what you design should not begin with
//! the bytes of one (RFC 7983).
//!
//! Poll-based stacks find [`poll_send`](crate::Connection::poll_send),
//! [`poll_send_ready`](crate::Connection::poll_send_ready), [`poll_recv`](crate::Connection::poll_recv) and
//! [`poll_recv_ready`](crate::Connection::poll_recv_ready), and every error turns into an [`std::io::Error`] of a
//! fitting kind. A minimal adapter:
//!
//! ```
//! use std::io;
//! use std::task::{Context, Poll};
//!
//! struct Socket(floe::Connection);
//!
//! impl Socket {
//!     fn poll_recv(&self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
//!         self.0.poll_recv(cx, buffer).map_err(Into::into)
//!     }
//!
//!     fn try_send(&self, payload: &[u8]) -> io::Result<()> {
//!         Ok(self.0.try_send(payload)?)
//!     }
//! }
//! ```
//!
//! # Addresses
//!
//! An agent uses every address of the machine that [`interfaces::is_usual`](crate::interfaces::is_usual) lets pass,
//! and never loopback. [`Builder::bind`](crate::Builder::bind) names addresses instead, loopback allowed;
//! [`Builder::interface_filter`](crate::Builder::interface_filter) puts another rule in place;
//! [`AddressPolicy`](floe_ice::AddressPolicy) has the privacy modes of RFC 8828, and a known 1:1 NAT of a cloud is an
//! [`AddressMapping`](floe_ice::AddressMapping); both are set in [`Builder::configure`](crate::Builder::configure).
