//! Running a STUN or TURN server.
//!
//! A STUN server tells each client the address its packets come from. It needs a public address without a NAT in front,
//! and next to no resources: it keeps no state, and each answer is one small packet. A TURN server does so too, and relays
//! data for clients that find no direct path: every byte passes through it twice, and whoever may use it may use up its
//! bandwidth.
//!
//! ```
//! use floe::server::TurnServer;
//! use floe::turn::server::{Credentials, SharedSecret};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let mut credentials = Credentials::new("example.org")?;
//! credentials.add_secret(SharedSecret::new(b"what the web service knows as well"));
//! let server = TurnServer::builder(credentials)
//!     // 0.0.0.0:3478 and [::]:3478 in earnest (RFC 8656 §5).
//!     .listen("127.0.0.1:0".parse()?)
//!     .configure(|config| config.limits.allocations_per_user = 8)
//!     .start()
//!     .await?;
//! for listener in server.listeners() {
//!     println!("turn:{}?transport={}", listener.address, listener.transport);
//! }
//! server.shutdown().await;
//! # Ok(())
//! # }
//! ```
//!
//! The program does the same without a line of code: `floe serve`.
//!
//! # What to decide
//!
//! - **Who may use it.** Named users for a handful of machines; for browsers and apps credentials that your web service
//!   hands out for some hours, made from a secret that only it and the server know
//!   ([`SharedSecret`](floe_turn::server::SharedSecret)).
//! - **Where relays are.** Peers send to the relays' address: a public one. Behind a NAT that maps one address to
//!   another, as cloud providers have them, name both ([`RelayAddress`](floe_turn::server::RelayAddress)). The ports of
//!   [`Config::relay_ports`](floe_turn::server::Config::relay_ports) have to pass the firewall over UDP.
//! - **Whom it relays to.** Nobody inside: loopback, private and link-local addresses are refused unless
//!   [`Config::peers`](floe_turn::server::Config::peers) allows them, so that the server is no way around a firewall.
//! - **TLS**, for networks that let nothing else out (feature `tls`):
//!   [`TurnServerBuilder::certificate`](crate::server::TurnServerBuilder), and `listen_on` with `Transport::Tls`, best at
//!   port 443 for them, in public at 5349.
//! - **How much one may take**: [`Limits`](floe_turn::server::Limits) per user and in total,
//!   [`StreamLimits`](crate::server::StreamLimits) for connections. Each allocation takes a file descriptor and each
//!   connection another: raise the limit of the process (`ulimit -n`) above the sum.
//! - **What to watch**: [`TurnServer::next_event`](crate::server::TurnServer::next_event) tells of each allocation and each
//!   refusal, [`TurnServer::stats`](crate::server::TurnServer::stats) counts everything else.
//!
//! # A STUN server alone
//!
//! ```
//! use floe::server::StunServer;
//! use floe::turn::BindingConfig;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let config = BindingConfig::default().with_rate_limit(floe::server::rate_limit()?);
//! // Port 3478 in earnest (RFC 8489 §8.1).
//! let server = StunServer::bind_with("127.0.0.1:0", config).await?;
//! let agent = floe::Agent::builder().stun_server(server.local_addr().to_string());
//! # drop(agent);
//! server.shutdown().await;
//! # Ok(())
//! # }
//! ```
//!
//! - **Limit the rate** where the Internet can reach it ([`rate_limit`](crate::server::rate_limit)): source addresses
//!   can be forged, and without a limit the server sends to a victim what an attacker sends to it. It never sends
//!   more bytes than a response needs.
//! - **Bind one address per server.** On a wildcard address a machine with several may answer from another one than
//!   was asked, and clients ignore that.
//! - **Both families**: one server for IPv4, one for IPv6.
//! - **Watch** [`StunServer::stats`](crate::server::StunServer::stats): many ignored datagrams are scans, many
//!   limited ones are an attack or a limit that is too low for clients behind one shared address.
//!
//! The machines behind them, without sockets, are [`Server`](floe_turn::Server) and
//! [`BindingServer`](floe_turn::BindingServer).
