//! Running a STUN server.
//!
//! A STUN server tells each client the address its packets come from. It needs a public address without a NAT in
//! front, and next to no resources: it keeps no state, and each answer is one small packet.
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
//! The machine behind it, without sockets, is [`BindingServer`](floe_turn::BindingServer). Relaying (TURN) is
//! the business of [`Server`](floe_turn::Server), which has no tokio layer yet: its example `turn_server` has one of threads.
