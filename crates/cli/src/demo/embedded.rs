//! The server that the agents of the demo use, on a socket of this machine.

use std::error::Error;
use std::net::{IpAddr, SocketAddr};

use floe::Builder;
use floe::ice::{RelayServer, RelayTransport, ServerAddress};
use floe::server::{StunServer, Transport, TurnServer};
use floe::turn::server::Credentials;

use crate::failure::Failure;

use super::TurnTransport;

/// The user of the TURN server.
const USER: &str = "demo";
const PASSWORD: &str = "nobody else knows the port";

/// What its certificate is for.
#[cfg(feature = "tls")]
const NAME: &str = "turn.demo.invalid";

/// A server for as long as the demo runs.
pub(crate) enum Embedded {
    Stun(StunServer),
    Turn(Turn),
}

/// A server whose relays are the only way.
pub(crate) struct Turn {
    server: TurnServer,
    address: SocketAddr,
    transport: TurnTransport,
    /// The certificate, in PEM, that agents are to trust.
    #[cfg(feature = "tls")]
    trusted: String,
}

impl Embedded {
    /// Starts one at this address; of TURN, if relays are wanted.
    pub(crate) async fn start(ip: IpAddr, relays: Option<TurnTransport>) -> Result<Self, Failure> {
        let address = SocketAddr::new(ip, 0);
        if let Some(transport) = relays {
            let failed = |error| Failure::Failed(format!("the TURN server: {error}"));
            return Turn::start(address, transport).await.map(Self::Turn).map_err(failed);
        }
        let failed = |error| Failure::Failed(format!("the STUN server cannot listen on {ip}: {error}"));
        StunServer::bind(address).await.map(Self::Stun).map_err(failed)
    }

    /// What it is and where.
    pub(crate) fn describe(&self) -> String {
        match self {
            Self::Stun(server) => format!("STUN server at {}", server.local_addr()),
            Self::Turn(turn) => format!("{} is the only way", turn.uri()),
        }
    }

    /// The settings of an agent that uses it.
    pub(crate) fn apply(&self, builder: Builder) -> Builder {
        match self {
            Self::Stun(server) => builder.stun_server(server.local_addr().to_string()),
            Self::Turn(turn) => turn.apply(builder).relay_only(),
        }
    }

    /// What it did.
    pub(crate) fn report(&self) -> String {
        match self {
            Self::Stun(server) => format!("STUN server   answered {} requests", server.stats().answered),
            Self::Turn(Turn { server, .. }) => {
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

impl Turn {
    async fn start(address: SocketAddr, transport: TurnTransport) -> Result<Self, Box<dyn Error>> {
        let mut users = Credentials::new("demo")?;
        users.add_user(USER, PASSWORD)?;
        let listens = match transport {
            TurnTransport::Udp => Transport::Udp,
            TurnTransport::Tcp => Transport::Tcp,
            #[cfg(feature = "tls")]
            TurnTransport::Tls => Transport::Tls,
        };
        let builder = TurnServer::builder(users).listen_on(listens, address).configure(|config| {
            // The peers are relays of this machine, whatever its address is.
            config.peers.allow_loopback = true;
            config.peers.allow_private = true;
            config.peers.allow_link_local = true;
        });
        #[cfg(feature = "tls")]
        let (builder, trusted) = if transport == TurnTransport::Tls {
            let made = rcgen::generate_simple_self_signed([NAME.to_owned()])?;
            let pem = made.cert.pem();
            (builder.certificate_pem(pem.clone(), made.signing_key.serialize_pem()), pem)
        } else {
            (builder, String::new())
        };
        let server = builder.start().await?;
        let address = server.local_addr(listens).unwrap_or(address);
        Ok(Self {
            server,
            address,
            transport,
            #[cfg(feature = "tls")]
            trusted,
        })
    }

    /// How it is called (RFC 7065).
    fn uri(&self) -> String {
        let address = self.address;
        match self.transport {
            TurnTransport::Udp => format!("turn:{address}?transport=udp"),
            TurnTransport::Tcp => format!("turn:{address}?transport=tcp"),
            #[cfg(feature = "tls")]
            TurnTransport::Tls => format!("turns:{address}"),
        }
    }

    fn apply(&self, builder: Builder) -> Builder {
        let relay = RelayServer::new(ServerAddress::Address(self.address), USER, PASSWORD);
        let (relay, builder) = match self.transport {
            TurnTransport::Udp => (relay, builder),
            TurnTransport::Tcp => (relay.with_transport(RelayTransport::Tcp), builder),
            #[cfg(feature = "tls")]
            TurnTransport::Tls => (
                relay.with_transport(RelayTransport::Tls).with_tls_name(NAME),
                builder.tls_roots(&self.trusted),
            ),
        };
        builder.configure(|config| config.gather.relays.push(relay))
    }
}
