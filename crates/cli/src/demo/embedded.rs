//! The server that the agents of the demo use, on a socket of this machine.

use std::net::{IpAddr, SocketAddr};

use floe::Builder;
use floe::server::{StunServer, Transport, TurnServer};
use floe::turn::server::Credentials;

use crate::failure::Failure;

use super::TurnTransport;

/// The user of the TURN server.
const USER: &str = "demo";
const PASSWORD: &str = "nobody else knows the port";

/// A server for as long as the demo runs.
pub(crate) enum Embedded {
    Stun(StunServer),
    /// Whose relays are the only way, and how it is called.
    Turn(TurnServer, String),
}

impl Embedded {
    /// Starts one at this address; of TURN, if relays are wanted.
    pub(crate) async fn start(ip: IpAddr, relays: Option<TurnTransport>) -> Result<Self, Failure> {
        let address = SocketAddr::new(ip, 0);
        let transport = match relays {
            Some(TurnTransport::Udp) => Transport::Udp,
            Some(TurnTransport::Tcp) => Transport::Tcp,
            None => {
                let server = StunServer::bind(address).await;
                let failed =
                    |error| Failure::Failed(format!("the STUN server cannot listen on {ip}: {error}"));
                return server.map(Self::Stun).map_err(failed);
            }
        };
        let failed = |error: &dyn std::fmt::Display| Failure::Failed(format!("the TURN server: {error}"));
        let mut users = Credentials::new("demo").map_err(|error| failed(&error))?;
        users.add_user(USER, PASSWORD).map_err(|error| failed(&error))?;
        let builder = TurnServer::builder(users).listen_on(transport, address).configure(|config| {
            // The peers are relays of this machine, whatever its address is.
            config.peers.allow_loopback = true;
            config.peers.allow_private = true;
            config.peers.allow_link_local = true;
        });
        let server = builder.start().await.map_err(|error| failed(&error))?;
        let address = server.local_addr(transport).unwrap_or(address);
        Ok(Self::Turn(server, format!("turn:{address}?transport={transport}")))
    }

    /// What it is and where.
    pub(crate) fn describe(&self) -> String {
        match self {
            Self::Stun(server) => format!("STUN server at {}", server.local_addr()),
            Self::Turn(_, uri) => format!("{uri} is the only way"),
        }
    }

    /// The settings of an agent that uses it.
    pub(crate) fn apply(&self, builder: Builder) -> Builder {
        match self {
            Self::Stun(server) => builder.stun_server(server.local_addr().to_string()),
            Self::Turn(_, uri) => builder.turn_server(uri, USER, PASSWORD).relay_only(),
        }
    }

    /// What it did.
    pub(crate) fn report(&self) -> String {
        match self {
            Self::Stun(server) => format!("STUN server   answered {} requests", server.stats().answered),
            Self::Turn(server, _) => {
                let stats = server.stats();
                let packets = stats.turn.to_peers.packets + stats.turn.to_clients.packets;
                format!(
                    "TURN server   made {} allocations, relayed {packets} packets",
                    stats.turn.allocations_begun
                )
            }
        }
    }
}
