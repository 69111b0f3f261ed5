//! The agent without this crate.
//!
//! Everything ICE is lives in [`floe_ice`]: a state machine that is handed datagrams and the time, and from which
//! packets, commands and events are taken. This crate only moves its bytes. Take it directly
//!
//! - in a server that owns its sockets and has its own loop: one socket for many peers, `io_uring`, DPDK;
//! - on another runtime, in a thread, in a game's frame loop, in a browser's worker, on a device without an operating
//!   system: it is `no_std` with `alloc`;
//! - in tests: in a simulated network, a day of a connection takes a moment and comes out the same each time
//!   (`floe-netsim`).
//!
//! A driver is a loop of four steps: hand in what arrived, tell the time, take out what is queued, wait for a
//! datagram or for [`poll_timeout`](floe_ice::Agent::poll_timeout):
//!
//! ```
//! use std::net::UdpSocket;
//! use std::time::{Duration, Instant};
//! use floe::ice::{Agent, Component, Config, Datagram, Event, MAX_TRANSMIT, SocketId};
//! use floe::stun::Clock;
//!
//! /// Runs an agent on one socket until it has a selected pair, or for at most this long.
//! fn drive(agent: &mut Agent, socket: &UdpSocket, clock: &Clock, longest: Duration) -> std::io::Result<()> {
//!     let (mut packet, mut arrived) = ([0; MAX_TRANSMIT], [0; 2048]);
//!     let end = Instant::now() + longest;
//!     while Instant::now() < end && agent.selected_pair(Component::default()).is_none() {
//!         agent.handle_timeout(clock.time(Instant::now()));
//!         while let Some(sent) = agent.poll_transmit(&mut packet) {
//!             socket.send_to(&packet[..sent.len], sent.destination)?;
//!         }
//!         while let Some(event) = agent.poll_event() {
//!             if let Event::LocalCandidate(id) = event {
//!                 println!("signal {:?}", agent.local_candidate(id));
//!             }
//!         }
//!         let due = agent.poll_timeout().map_or(end, |time| clock.instant(time)).min(end);
//!         let wait = due.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
//!         socket.set_read_timeout(Some(wait))?;
//!         if let Ok((len, source)) = socket.recv_from(&mut arrived) {
//!             let datagram = Datagram { socket: SocketId(0), local_ip: None, source, contents: &arrived[..len] };
//!             let _ = agent.handle_datagram(datagram, clock.time(Instant::now()));
//!         }
//!     }
//!     Ok(())
//! }
//!
//! let clock = Clock::new(Instant::now());
//! let socket = UdpSocket::bind("127.0.0.1:0")?;
//! let mut agent = Agent::new(Config::new([7; 32]), clock.time(Instant::now()))?;
//! agent.add_host(Component::default(), SocketId(0), socket.local_addr()?, clock.time(Instant::now()))?;
//! agent.end_of_local_candidates(clock.time(Instant::now()))?;
//! drive(&mut agent, &socket, &clock, Duration::from_millis(5))?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! In earnest the seed comes from the operating system. Larger examples are in `crates/ice/examples`: one with
//! gathering in a thread, one with the loop of a media server.
