//! The settings of an agent.

use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::sync::Arc;

use floe_ice::{Config, Nomination, RelayServer, Role, TransportPolicy};
use rand::TryRng;
use rand::rngs::SysRng;

use crate::agent::Agent;
use crate::driver::{Driver, Tools};
use crate::engine::Engine;
use crate::error::StartError;
use crate::ice_server::IceServer;
use crate::interfaces::{Choice, Interface};
use crate::pace::Common;
use crate::resolver::{Resolver, SystemResolver};
use crate::socket::SocketOptions;
use crate::stream::{Dialler, HttpProxy, Proxied, Tls};

/// Datagrams kept for an application that does not receive; about as many as the system keeps by default.
const RECEIVE_QUEUE: usize = 128;

/// Settings for a new [`Agent`], from [`Agent::builder`]. Every default suits a peer on the Internet, except that
/// there is no STUN server, without which a peer behind a NAT is rarely found.
///
/// ```
/// # async fn example() -> Result<(), floe::StartError> {
/// let agent = floe::Agent::builder()
///     .controlling()
///     .stun_server("stun:stun.example.org")
///     .port_range(50000..=50100)
///     .start()
///     .await?;
/// # drop(agent);
/// # Ok(())
/// # }
/// ```
#[must_use]
pub struct Builder {
    config: Config,
    servers: Vec<String>,
    /// URI, user name and password of each.
    relays: Vec<(String, String, String)>,
    /// A TURN server that came without them.
    without_account: Option<String>,
    tls: Tls,
    proxy: Option<HttpProxy>,
    /// What was given as certificates holds none.
    bad_roots: bool,
    addresses: Choice,
    options: SocketOptions,
    receive_queue: usize,
    resolver: Arc<dyn Resolver>,
}

impl Builder {
    pub(crate) fn new() -> Self {
        Self {
            // Replaced at the start by random bytes of the system.
            config: Config::new([0; 32]),
            servers: Vec::new(),
            relays: Vec::new(),
            without_account: None,
            tls: Tls::default(),
            proxy: None,
            bad_roots: false,
            addresses: Choice::default(),
            options: SocketOptions::default(),
            receive_queue: RECEIVE_QUEUE,
            resolver: Arc::new(SystemResolver),
        }
    }

    // --- the session ----------------------------------------------------------------------------------------------

    /// The role to begin with (RFC 8445 §6.1.1): the side that offers is controlling. A conflict resolves by itself.
    /// Controlled by default.
    pub fn role(mut self, role: Role) -> Self {
        self.config.role = role;
        self
    }

    /// [`Role::Controlling`].
    pub fn controlling(self) -> Self {
        self.role(Role::Controlling)
    }

    /// The number of components of each stream, 1 to 256. By default one stream with one component.
    pub fn streams(mut self, components: impl IntoIterator<Item = u16>) -> Self {
        self.config.streams = components.into_iter().collect();
        self
    }

    /// How the controlling side nominates (RFC 8445 §8.1.1).
    pub fn nomination(mut self, nomination: Nomination) -> Self {
        self.config.nomination = nomination;
        self
    }

    /// Changes anything else that an agent can be told: Ta, RTO, consent, limits, address policy, 1:1 NATs,
    /// deadlines. Its seed is always replaced by random bytes of the system, and its pace by that of the agents of this
    /// runtime: together they begin at most one transaction in 5 ms (RFC 8445 §14.2).
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let builder = floe::Agent::builder().configure(|config| {
    ///     config.gather.server_deadline = Duration::from_secs(3);
    ///     config.limits.pairs = 50;
    /// });
    /// # drop(builder);
    /// ```
    pub fn configure(mut self, change: impl FnOnce(&mut Config)) -> Self {
        change(&mut self.config);
        self
    }

    // --- gathering ------------------------------------------------------------------------------------------------

    /// Asks this STUN server for server-reflexive candidates, beside others: `stun:host`, `stun:host:port` (RFC
    /// 7064), `host:port` or `host`, where the host is a name, an IPv4 address, or an IPv6 address in brackets. The
    /// port is 3478 by default.
    pub fn stun_server(mut self, server: impl Into<String>) -> Self {
        self.servers.push(server.into());
        self
    }

    /// Uses this TURN server for relayed candidates (RFC 8656), beside others: `turn:host`, `turn:host:port` (RFC 7065) over UDP, with
    /// `?transport=tcp` over TCP, and `turns:host` over TLS. What `RTCIceServer` calls `username` and `credential` is `username` and
    /// `password` here. Over UDP the server tells a server-reflexive candidate as well, so it need not be named as a STUN server.
    ///
    /// For networks that let no UDP through, name a server by several URIs: the relay over UDP is preferred, then that over TCP, and
    /// one over TLS on port 443 gets nearly everywhere.
    ///
    /// ```
    /// let builder = floe::Agent::builder().turn_server("turn:turn.example.org", "alice", "secret");
    /// # drop(builder);
    /// ```
    pub fn turn_server(
        mut self,
        server: impl Into<String>,
        username: impl Into<String>,
        password: impl Into<String>,
    ) -> Self {
        self.relays.push((server.into(), username.into(), password.into()));
        self
    }

    /// Uses these servers, in the shape in which browsers are told of them, beside others.
    pub fn ice_servers(self, servers: impl IntoIterator<Item = IceServer>) -> Self {
        servers.into_iter().fold(self, |builder, server| server.apply(builder))
    }

    /// Refuses to start.
    pub(crate) fn without_account(mut self, server: String) -> Self {
        self.without_account.get_or_insert(server);
        self
    }

    /// Trusts the certificates in this text (PEM) to vouch for TURN servers over TLS, and no others. By default those are trusted
    /// that the operating system trusts.
    ///
    /// A server over TLS that is given by its IP address needs a name in its certificate as well:
    /// [`RelayServer::tls_name`](floe_ice::RelayServer::tls_name), which [`Builder::configure`] can set.
    #[cfg(feature = "tls")]
    pub fn tls_roots(mut self, pem: impl AsRef<[u8]>) -> Self {
        match Tls::with_roots(pem.as_ref()) {
            Some(tls) => self.tls = tls,
            None => self.bad_roots = true,
        }
        self
    }

    /// Reaches TURN servers over TCP and TLS through this proxy; those over UDP, STUN servers and peers are reached without it. Names
    /// of servers are looked up on this machine.
    pub fn http_proxy(mut self, proxy: HttpProxy) -> Self {
        self.proxy = Some(proxy);
        self
    }

    /// Uses relayed candidates only: the peer learns no address of this machine, and no packet goes to it but through a relay.
    pub fn relay_only(mut self) -> Self {
        self.config.gather.transport_policy = TransportPolicy::Relay;
        self
    }

    /// Uses this address of the machine, and, called more than once, these; no others and whatever the filter says.
    /// Loopback is allowed here. By default all addresses that the filter passes are used, loopback never.
    pub fn bind(mut self, address: impl Into<IpAddr>) -> Self {
        self.addresses.bind.push(address.into().to_canonical());
        self
    }

    /// Uses the interfaces that this passes, in place of [`interfaces::is_usual`](crate::interfaces::is_usual).
    pub fn interface_filter(mut self, filter: impl Fn(&Interface) -> bool + Send + Sync + 'static) -> Self {
        self.addresses.filter = Box::new(filter);
        self
    }

    /// Looks names up with this, in place of [`SystemResolver`].
    pub fn resolver(mut self, resolver: impl Resolver) -> Self {
        self.resolver = Arc::new(resolver);
        self
    }

    // --- sockets --------------------------------------------------------------------------------------------------

    /// Binds sockets to ports of this range, 1 to 65535, passing over those that are in use. By default the system
    /// chooses.
    pub fn port_range(mut self, ports: RangeInclusive<u16>) -> Self {
        self.options.ports = Some(ports);
        self
    }

    /// The size of each socket's receive buffer in bytes. The system may cut it.
    pub fn receive_buffer(mut self, bytes: usize) -> Self {
        self.options.receive_buffer = Some(bytes);
        self
    }

    /// The size of each socket's send buffer in bytes. The system may cut it.
    pub fn send_buffer(mut self, bytes: usize) -> Self {
        self.options.send_buffer = Some(bytes);
        self
    }

    /// The DSCP of every packet, 0 to 63 (RFC 2474; RFC 8837 says which for media). Systems may ignore it.
    pub fn dscp(mut self, dscp: u8) -> Self {
        self.options.dscp = Some(dscp);
        self
    }

    /// How many datagrams of a component are kept while the application does not receive; later ones are dropped and
    /// counted. 128 by default.
    pub fn receive_queue(mut self, datagrams: usize) -> Self {
        self.receive_queue = datagrams;
        self
    }

    // --- start ----------------------------------------------------------------------------------------------------

    /// Starts the agent in a task of its own, and gathering with it.
    ///
    /// # Errors
    /// A setting is not valid, or the system does not give what is needed. That an address or a server does not work
    /// is no error but an [event](crate::Event::GatheringProblem).
    ///
    /// # Panics
    /// As everything on tokio, when the runtime was built without `enable_io` or `enable_time`.
    pub async fn start(mut self) -> Result<Agent, StartError> {
        let runtime = tokio::runtime::Handle::try_current().map_err(|_| StartError::NoRuntime)?;
        self.check_options()?;
        for server in &self.servers {
            let address = server.parse().map_err(|reason| StartError::Server(server.clone(), reason))?;
            self.config.gather.servers.push(address);
        }
        for (uri, username, password) in std::mem::take(&mut self.relays) {
            let relay = RelayServer::from_uri(&uri, username, password);
            self.config.gather.relays.push(relay.map_err(|reason| StartError::Server(uri, reason))?);
        }
        let interfaces = self.addresses.list()?;
        self.config.gather.loopback |= self.addresses.bind.iter().any(IpAddr::is_loopback);
        let mut random = [0; 2];
        SysRng.try_fill_bytes(&mut self.config.seed).map_err(|_| StartError::NoRandomness)?;
        SysRng.try_fill_bytes(&mut random).map_err(|_| StartError::NoRandomness)?;

        let (queue, addresses) = (self.receive_queue, self.addresses);
        let engine = Arc::new(Engine::new(self.config, queue, addresses, Common::of(&runtime))?);
        let proxy = self.proxy.map(|proxy| Proxied { proxy, resolver: self.resolver.clone() });
        let tools = Tools {
            dialler: Dialler { options: self.options, tls: self.tls, proxy },
            resolver: self.resolver,
            port_offset: u16::from_ne_bytes(random),
        };
        // A new agent is neither gathering nor closed, which are the only errors.
        let _ = engine.input(|agent, now| agent.gather(&interfaces, now));
        runtime.spawn(Driver::new(engine.clone(), tools).run());
        Ok(Agent::new(engine))
    }

    fn check_options(&self) -> Result<(), StartError> {
        if let Some(server) = &self.without_account {
            return Err(StartError::NoAccount(server.clone()));
        }
        if self.bad_roots {
            return Err(StartError::TlsRoots);
        }
        if self.options.ports.as_ref().is_some_and(|ports| ports.is_empty() || *ports.start() == 0) {
            return Err(StartError::PortRange);
        }
        // RFC 2474 §3: six bits.
        match self.options.dscp {
            Some(dscp) if dscp > 63 => Err(StartError::Dscp(dscp)),
            _ => Ok(()),
        }
    }
}

impl std::fmt::Debug for Builder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Builder")
            .field("config", &self.config)
            .field("servers", &self.servers)
            .field("bind", &self.addresses.bind)
            .field("options", &self.options)
            .field("receive_queue", &self.receive_queue)
            .finish_non_exhaustive()
    }
}
