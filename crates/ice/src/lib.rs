//! Sans-IO ICE agent (RFC 8445): gathering, connectivity checks and nomination as state machines.
//!
//! An [`Agent`] finds the best path between two peers behind NATs and firewalls, keeps it alive, and says when the peer's
//! consent to receive ended. It opens no socket, reads no clock and starts no thread: whoever embeds it hands in
//! datagrams and the time, and takes out packets, commands and events. The crate `floe` does that on tokio; with this
//! one you bring your own loop, simulator or fuzzer. It is `no_std` with `alloc`.
//!
//! # The loop
//!
//! Two rules are the whole contract. **Inputs do the work**: when [`Agent::handle_datagram`],
//! [`Agent::handle_timeout`] or any other call returns, everything that follows from it is decided and queued. **Polls only
//! pop**: drain them in any order after each input; forgetting one can delay, and nothing else.
//!
//! ```
//! use floe_ice::{Agent, Candidate, Component, Config, Datagram, MAX_TRANSMIT, Received};
//! use floe_ice::{RemoteParameters, Role, SocketId, StreamId, Time};
//!
//! // Two agents, each with one socket; the sockets are this example's own vectors.
//! let (a_addr, b_addr) = ("192.0.2.1:4000".parse()?, "198.51.100.1:4000".parse()?);
//! let mut a = agent([1; 32], Role::Controlling, a_addr)?;
//! let mut b = agent([2; 32], Role::Controlled, b_addr)?;
//! introduce(&mut a, &b)?;
//! introduce(&mut b, &a)?;
//!
//! let mut now = Time::ZERO;
//! let mut packet = [0; MAX_TRANSMIT];
//! while a.selected_pair(Component::default()).is_none() {
//!     while let Some(sent) = a.poll_transmit(&mut packet) {
//!         let contents = &packet[..sent.len];
//!         let datagram = Datagram { socket: SocketId(0), local_ip: None, source: a_addr, contents };
//!         assert_eq!(b.handle_datagram(datagram, now), Received::Ice);
//!     }
//!     while let Some(sent) = b.poll_transmit(&mut packet) {
//!         let contents = &packet[..sent.len];
//!         let datagram = Datagram { socket: SocketId(0), local_ip: None, source: b_addr, contents };
//!         assert_eq!(a.handle_datagram(datagram, now), Received::Ice);
//!     }
//!     // Nobody has anything to send: time goes on to the next thing that is due.
//!     now = [a.poll_timeout(), b.poll_timeout()].into_iter().flatten().min().ok_or("stuck")?;
//!     a.handle_timeout(now);
//!     b.handle_timeout(now);
//! }
//! assert_eq!(a.send_path(Component::default())?.destination, b_addr);
//!
//! fn agent(seed: [u8; 32], role: Role, addr: core::net::SocketAddr) -> Result<Agent, Box<dyn std::error::Error>> {
//!     let mut config = Config::new(seed); // in earnest: 32 bytes from the operating system
//!     config.role = role;
//!     let mut agent = Agent::new(config, Time::ZERO)?;
//!     agent.add_host(Component::default(), SocketId(0), addr, Time::ZERO)?;
//!     agent.end_of_local_candidates(Time::ZERO)?;
//!     Ok(agent)
//! }
//!
//! /// What signalling does: credentials and candidates, as values here, as SDP or JSON in earnest.
//! fn introduce(agent: &mut Agent, peer: &Agent) -> Result<(), Box<dyn std::error::Error>> {
//!     agent.set_remote_parameters(&RemoteParameters::new(peer.local_credentials().clone()), Time::ZERO)?;
//!     for (_, stream, candidate) in peer.local_candidates() {
//!         let line = candidate.to_string();
//!         let _ = agent.add_remote_candidate(stream, &line.parse::<Candidate>()?, Time::ZERO)?;
//!     }
//!     Ok(agent.end_of_remote_candidates(StreamId::FIRST, Time::ZERO)?)
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! | input | what it is |
//! |---|---|
//! | [`Agent::handle_datagram`] | a packet from a socket; application data comes back as a range of it |
//! | [`Agent::handle_timeout`] | the time of [`Agent::poll_timeout`] has come |
//! | [`Agent::gather`], [`Agent::add_host`] | local candidates: from interfaces, or the embedder's own |
//! | [`Agent::resolved`], [`Agent::opened`], [`Agent::socket_failed`] | the driver's answers |
//! | [`Agent::set_remote_parameters`], [`Agent::add_remote_candidate`], [`Agent::end_of_remote_candidates`] | signalling |
//! | [`Agent::restart`] | another network, or a path that died: new credentials and candidates, while data goes on |
//!
//! | output | what it is |
//! |---|---|
//! | [`Agent::poll_transmit`] | a packet to send, encoded into the caller's buffer |
//! | [`Agent::poll_command`] | what only a driver can do; never for an embedder that uses [`Agent::add_host`] alone |
//! | [`Agent::poll_event`] | candidates to signal, states, selected pairs |
//! | [`Agent::poll_timeout`] | when to wake up; looking changes nothing |
//! | [`Agent::send_path`] | where application data goes; sending it is the embedder's |
//!
//! Two complete embedders are in `examples/`: `std_thread` (a std socket in a thread, with gathering) and `sfu_loop` (a server that
//! owns its sockets and never sees a command).
//!
//! # What holds
//!
//! - **The network cannot do harm.** No datagram makes the agent panic, return an error, allocate without bound, or change
//!   state before it is authenticated: it becomes a [`Rejection`] and a counter. An `Err` always means that the *call* was
//!   wrong, and says what to do. Bounds are in [`Limits`].
//! - **Deterministic.** Time ([`Time`]) and randomness ([`Config::seed`]) are arguments. The same seed and the same inputs give
//!   the same bytes, however the polls are interleaved.
//! - **Paced.** At most one new transaction in each Ta, over checks and gathering, whatever the caller does, and one in 5 ms over
//!   all agents that are given the same [`SharedPace`] (RFC 8445 §14.2).
//! - **TURN is inside.** With [`GatherConfig::relays`] the agent has allocations made, permissions, channels and their refreshing; an
//!   embedder only frames what it sends on a path that has a [`SendPath::relay`]. Received data are a range of the datagram as ever.
//! - **Queued is final.** A packet that is queued keeps its bytes, whatever happens before it is polled.
//! - **Make before break.** [`Agent::restart`] loses no datagram that the old path would have carried: data stays there, under
//!   consent, until the new session has selected a pair, and what the peer still sends there is taken in. Numbers of candidates
//!   and pairs mean the same before and after.
//!
//! # Shape
//!
//! A datagram passes `agent.rs` (the door), `agent/route.rs` (what is it, and is it authentic), one procedure of `session/`, each of
//! which is a section of the RFC from top to bottom, and the nouns that own the state: `checklist/`, `transaction.rs`, `role.rs`,
//! `consent.rs`, `locals.rs`, `remotes.rs`. Every input ends in `Agent::settle`. Only `effects.rs` can emit.
//!
//! An ICE restart (RFC 8445 §9) makes a new session; the one before is *retired*: stripped of its checklists, it keeps the pairs that
//! carry data, its credentials, consent and the duty to answer, and goes when the new one has taken over and nothing can be under
//! way to it any more. Requests find their session by the ufrag that USERNAME begins with, answers by their transaction, data by
//! who knows its source. Two retired sessions are kept at most, the one that carries our data and the latest one, in which the
//! peer may have selected a pair although we have not. `agent/restart.rs` is the procedure, `agent/signalling.rs` knows which
//! session what the peer signals belongs to.
//!
//! Imports go one way: `agent → {gather, relays, session} → {checklist, candidate, transaction, role, consent, locals, remotes, pacer, keys,
//! parameters} → {effects, message, stats, ids, io, event, error, config, pace, random, sorted}`.
//!
//! # Deliberate deviations
//!
//! - Strangers get no error response unless [`Unauthenticated::Answer`] is set (RFC 8489 §9.1.3 would answer 400 or 401).
//! - The retransmission timeout of checks is cut to [`Config::max_rto`]: the formula of RFC 8445 §14.3 gives 500 s for 100 pairs.
//! - The cap on pairs never discards a pair that is nominated, valid or In-Progress (RFC 8445 §6.1.2.5 knows no exception).
//! - After a nomination, *valid* pairs stay on the checklist (RFC 8445 §8.1.2 removes all): peers that nominate several pairs may
//!   choose another one, and when the selected path dies the best of them is nominated instead of giving up.
//! - Of several pairs that the peer nominates the best is selected (RFC 8445 §8.1.1), until the peer checks another of them and for
//!   12 s not that one: then it is followed to the pair it uses. It may have moved, or may never have had the answer to its
//!   nomination.
//! - The address of a valid pair's local candidate may be one of another base; data still leaves from the base whose check
//!   succeeded, because that path was tested (RFC 8445 §7.2.5.3.2 would take the other base).
//! - An agent whose peer has its own ufrag talks to itself; its roles do not conflict.
//! - A restart is one of all streams (RFC 8445 §9 knows one of some), and keeps the tie-breaker (§16.1 lets it change).
//! - A candidate whose ufrag is ahead of the peer's credentials waits for them, within a bound (RFC 8838 §11 would discard it).
//! - A retired session answers its own peer only (§7.3 has any name after the colon answered): success would tell somebody who mixes
//!   up two sessions that they match.
//!
//! # Features
//!
//! - `std` (default): [`Clock`], and detection of CPU features for CRC-32.
//! - `serde`: `RTCIceCandidateInit` JSON, in [`candidate`].

#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod agent;
pub mod candidate;
mod checklist;
mod config;
mod consent;
mod effects;
mod error;
mod event;
mod gather;
mod ids;
mod io;
mod keys;
mod locals;
mod message;
mod nanos;
mod pace;
mod pacer;
mod parameters;
mod path;
mod random;
mod rare;
mod relays;
mod remotes;
mod role;
mod session;
mod sorted;
mod stats;
mod tight;
mod transaction;

pub use agent::Agent;
pub use candidate::{Candidate, Credentials};
pub use config::{
    AddressMapping, AddressPolicy, Config, ConfigError, DEFAULT_STUN_PORT, DEFAULT_TA, GatherConfig, Limits,
    MAX_COMPONENTS, MAX_SERVERS, MIN_KEEPALIVE, MIN_RTO, MIN_TA, Nomination, RelayServer, RelayTransport,
    ServerAddress, ServerAddressError, TransportPolicy, Unauthenticated,
};
pub use error::{AddedCandidate, AgentError, IgnoredCandidate, SendError};
pub use event::{
    ConnectionState, ConsentLoss, Event, GatheringFailure, GatheringState, RelayLoss, RestartCause, Role,
    SelectionReason,
};
#[cfg(feature = "std")]
pub use floe_stun::Clock;
pub use floe_stun::Time;
pub use floe_turn::client::{Failure as RelayFailure, FrameError, RelayPath, StreamDeframer, StreamError};
pub use floe_turn::{Frame, MAX_PADDING, MAX_PREFIX};
pub use gather::InterfaceAddress;
pub use ids::{Component, ComponentId, LocalId, PairId, RemoteId, RequestId, SocketId, StreamId};
pub use io::{Command, Datagram, DriverError, MAX_TRANSMIT, Received, Rejection, Transmit};
pub use pace::SharedPace;
pub use parameters::RemoteParameters;
pub use path::SendPath;
pub use stats::{Counters, PairInfo, PairState, PairStats};
