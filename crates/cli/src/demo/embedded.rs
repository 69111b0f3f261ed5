//! The server that the agents of the demo use, on a socket of this machine.

use std::net::{IpAddr, SocketAddr};

use floe::Builder;
use floe::server::{StunServer, Transport, TurnServer};
use floe::turn::server::Credentials;

use crate::failure::Failure;

/// The user of the TURN server.
const USER: &str = "demo";
const PASSWORD: &str = "nobody else knows the port";

/// A server for as long as the demo runs.
pub(crate) enum Embedded {
    Stun(StunServer),
    /// Whose relays are the only way.
    Turn(TurnServer, SocketAddr),
}

impl Embedded {
    /// Starts one at this address.
    pub(crate) async fn start(ip: IpAddr, relay_only: bool) -> Result<Self, Failure> {
        let address = SocketAddr::new(ip, 0);
        if !relay_only {
            let server = StunServer::bind(address).await;
            let failed = |error| Failure::Failed(format!("the STUN server cannot listen on {ip}: {error}"));
            return server.map(Self::Stun).map_err(failed);
        }
        let failed = |error: &dyn std::fmt::Display| Failure::Failed(format!("the TURN server: {error}"));
        let mut users = Credentials::new("demo").map_err(|error| failed(&error))?;
        users.add_user(USER, PASSWORD).map_err(|error| failed(&error))?;
        let builder = TurnServer::builder(users).listen_on(Transport::Udp, address).configure(|config| {
            // The peers are relays of this machine, whatever its address is.
            config.peers.allow_loopback = true;
            config.peers.allow_private = true;
            config.peers.allow_link_local = true;
        });
        let server = builder.start().await.map_err(|error| failed(&error))?;
        let address = server.local_addr(Transport::Udp).unwrap_or(address);
        Ok(Self::Turn(server, address))
    }

    /// What it is and where.
    pub(crate) fn describe(&self) -> String {
        match self {
            Self::Stun(server) => format!("STUN server at {}", server.local_addr()),
            Self::Turn(_, address) => format!("TURN server at {address}, whose relays are the only way"),
        }
    }

    /// The settings of an agent that uses it.
    pub(crate) fn apply(&self, builder: Builder) -> Builder {
        match self {
            Self::Stun(server) => builder.stun_server(server.local_addr().to_string()),
            Self::Turn(_, address) => {
                builder.turn_server(format!("turn:{address}"), USER, PASSWORD).relay_only()
            }
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
