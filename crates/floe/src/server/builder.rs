//! The settings of a TURN server.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use floe_turn::server::{Config, Credentials, RelayAddress, Server};
use rand::TryRng;
use rand::rngs::SysRng;
use tokio::runtime::Handle;

use super::error::ServeError;
use super::front::Front;
use super::listen::{self, Listener, Transport};
use super::turn::TurnServer;
use super::{datagrams, streams};
use crate::interfaces::{self, Interface};

/// What is bounded about connections, so that nobody takes every place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamLimits {
    /// Connections in total. Default 8192.
    pub connections: usize,
    /// Connections without an allocation in total. Default 1024.
    pub waiting: usize,
    /// Connections without an allocation of one source, which is an IPv4 address or an IPv6 /64. Default 32.
    pub waiting_per_source: usize,
    /// How long a connection may be without an allocation before it is closed. Default 30 s.
    pub patience: Duration,
}

impl Default for StreamLimits {
    fn default() -> Self {
        Self { connections: 8192, waiting: 1024, waiting_per_source: 32, patience: Duration::from_secs(30) }
    }
}

/// Settings for a new [`TurnServer`], from [`TurnServer::builder`].
///
/// ```
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use floe::server::TurnServer;
/// use floe::turn::server::{Credentials, RelayAddress};
///
/// let mut credentials = Credentials::new("example.org")?;
/// credentials.add_user("alice", "correct horse")?;
/// let server = TurnServer::builder(credentials)
///     .listen("0.0.0.0:3478".parse()?)
///     // Behind a NAT that maps one address to the other and keeps ports, as cloud providers have them.
///     .relay_address(RelayAddress { bind: "10.0.0.5".parse()?, public: "203.0.113.5".parse()? })
///     .configure(|config| {
///         config.relay_ports = 50_000..=50_999;
///         config.limits.allocations_per_user = 4;
///     })
///     .start()
///     .await?;
/// # drop(server);
/// # Ok(())
/// # }
/// ```
#[must_use]
pub struct TurnServerBuilder {
    config: Config,
    listeners: Vec<Listener>,
    limits: StreamLimits,
    #[cfg(feature = "tls")]
    identity: Option<super::tls::Identity>,
}

impl TurnServerBuilder {
    pub(super) fn new(credentials: Credentials) -> Self {
        // The seed is replaced at the start by random bytes of the system.
        let config = Config::new([0; 32], credentials);
        Self {
            config,
            listeners: Vec::new(),
            limits: StreamLimits::default(),
            #[cfg(feature = "tls")]
            identity: None,
        }
    }

    /// Listens at this address over UDP and TCP. With port 0 the system chooses one for each; a wildcard is every address of
    /// its family that the machine has at the start. The port for TURN is 3478 (RFC 8656 §5).
    pub fn listen(self, address: SocketAddr) -> Self {
        self.listen_on(Transport::Udp, address).listen_on(Transport::Tcp, address)
    }

    /// The same with one transport.
    pub fn listen_on(mut self, transport: Transport, address: SocketAddr) -> Self {
        self.listeners.push(Listener { transport, address });
        self
    }

    /// Shows this certificate to clients of TLS, whose port is 5349 (RFC 8656 §5): two files in PEM, of which the first has the
    /// certificate and those that vouch for it, and the second its key. [`TurnServer::reload_certificate`] reads them again.
    #[cfg(feature = "tls")]
    pub fn certificate(
        mut self,
        chain: impl Into<std::path::PathBuf>,
        key: impl Into<std::path::PathBuf>,
    ) -> Self {
        self.identity = Some(super::tls::Identity::Files { chain: chain.into(), key: key.into() });
        self
    }

    /// The same with the contents of the two files, of which there is nothing to read again.
    #[cfg(feature = "tls")]
    pub fn certificate_pem(mut self, chain: impl Into<Vec<u8>>, key: impl Into<Vec<u8>>) -> Self {
        self.identity = Some(super::tls::Identity::Memory { chain: chain.into(), key: key.into() });
        self
    }

    /// Where relays of its family are. By default they are at the first address of each family that the server listens on,
    /// if it is no wildcard, or else at the one that the machine reaches the Internet from.
    pub fn relay_address(mut self, address: RelayAddress) -> Self {
        if address.bind.is_ipv4() {
            self.config.relay_ipv4 = Some(address);
        } else {
            self.config.relay_ipv6 = Some(address);
        }
        self
    }

    /// Bounds the connections.
    pub fn stream_limits(mut self, limits: StreamLimits) -> Self {
        self.limits = limits;
        self
    }

    /// Changes anything else that a server can be told: ports of relays, quotas, which peers are relayed to. Its seed is
    /// always replaced by random bytes of the system, the clock is the system's, and the addresses of the machine are among
    /// [`Config::own_addresses`].
    ///
    /// ```
    /// # use floe::server::TurnServer;
    /// # use floe::turn::server::Credentials;
    /// # let credentials = Credentials::new("example.org")?;
    /// let builder = TurnServer::builder(credentials).configure(|config| {
    ///     config.limits.allocations = 100;
    ///     config.peers.allow_private = true;
    /// });
    /// # drop(builder);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn configure(mut self, change: impl FnOnce(&mut Config)) -> Self {
        change(&mut self.config);
        self
    }

    /// Starts the server, in tasks of its own.
    ///
    /// # Errors
    /// [`ServeError`] says what to change.
    ///
    /// # Panics
    /// As everything on tokio, when the runtime was built without `enable_io` or `enable_time`.
    pub async fn start(mut self) -> Result<TurnServer, ServeError> {
        let runtime = Handle::try_current().map_err(|_| ServeError::NoRuntime)?;
        if self.listeners.is_empty() {
            return Err(ServeError::NoListener);
        }
        let found = interfaces::list();
        self.choose_relays(found.as_deref().unwrap_or_default());
        self.check_relays()?;
        // Those of the loopback interface are judged by the policy.
        let own = found.iter().flatten().map(|interface| interface.address).filter(|ip| !ip.is_loopback());
        self.config.own_addresses.extend(own);
        SysRng.try_fill_bytes(&mut self.config.seed).map_err(|_| ServeError::NoRandomness)?;
        self.config.unix_time_at_zero = unix_time();
        let relays = [self.config.relay_ipv4, self.config.relay_ipv6];
        #[cfg(feature = "tls")]
        let tls = load(self.identity, &self.listeners)?;
        let front = Front::new(Server::new(self.config)?, self.limits, runtime);
        #[cfg(feature = "tls")]
        let front = front.with_tls(tls);
        let front = Arc::new(front);

        let mut listeners = Vec::new();
        for Listener { transport, address } in self.listeners {
            let opened = match transport {
                Transport::Udp => {
                    let addresses = match &found {
                        Ok(found) => listen::expand(address, found),
                        Err(_) if !address.ip().is_unspecified() => vec![address],
                        Err(error) => return Err(ServeError::Interfaces(error.kind().into())),
                    };
                    addresses.into_iter().map(|address| datagrams::listen(&front, address)).collect()
                }
                _ => streams::listen(&front, transport, address).map(|address| vec![address]),
            };
            let opened: Vec<SocketAddr> =
                opened.map_err(|error| ServeError::Listen { transport, address, error })?;
            listeners.extend(opened.into_iter().map(|address| Listener { transport, address }));
        }
        front.start_clock();
        Ok(TurnServer::new(front, listeners, relays))
    }

    /// Where relays are if nobody says.
    fn choose_relays(&mut self, interfaces: &[Interface]) {
        if self.config.relay_ipv4.is_some() || self.config.relay_ipv6.is_some() {
            return;
        }
        for ipv4 in [true, false] {
            let listened = self.listeners.iter().map(|listener| listener.address.ip());
            let mut listened = listened.filter(|ip| ip.is_ipv4() == ipv4).peekable();
            let any = listened.peek().is_some();
            let named = listened.find(|ip| !ip.is_unspecified());
            let route =
                interfaces.iter().find(|found| found.default_route && found.address.is_ipv4() == ipv4);
            let chosen = named.or_else(|| route.filter(|_| any).map(|found| found.address));
            let chosen = chosen.map(RelayAddress::direct);
            if ipv4 { self.config.relay_ipv4 = chosen } else { self.config.relay_ipv6 = chosen }
        }
    }

    /// Whether the machine has the addresses of the relays.
    fn check_relays(&self) -> Result<(), ServeError> {
        let relays: Vec<IpAddr> = [self.config.relay_ipv4, self.config.relay_ipv6]
            .into_iter()
            .flatten()
            .map(|relay| relay.bind)
            .collect();
        if relays.is_empty() {
            return Err(ServeError::NoRelayAddress);
        }
        relays.into_iter().try_for_each(|ip| {
            listen::udp(SocketAddr::new(ip, 0)).map(drop).map_err(|error| ServeError::Relay(ip, error))
        })
    }
}

/// The certificate, if TLS is wanted.
#[cfg(feature = "tls")]
fn load(
    identity: Option<super::tls::Identity>,
    listeners: &[Listener],
) -> Result<Option<super::tls::Tls>, ServeError> {
    use super::tls::{Tls, TlsError};
    let wanted = listeners.iter().any(|listener| listener.transport == Transport::Tls);
    match identity {
        Some(identity) => Tls::new(identity).map(Some).map_err(ServeError::Tls),
        None if wanted => Err(ServeError::Tls(TlsError::NoIdentity)),
        None => Ok(None),
    }
}

/// In seconds.
pub(super) fn unix_time() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

impl std::fmt::Debug for TurnServerBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TurnServerBuilder")
            .field("config", &self.config)
            .field("listeners", &self.listeners)
            .field("limits", &self.limits)
            .finish()
    }
}
