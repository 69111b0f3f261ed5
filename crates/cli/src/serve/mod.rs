//! `floe serve`: a STUN and TURN server, and rooms in which browsers and programs find each other.

mod addresses;
mod log;
mod signalling;
mod signals;
mod stun_only;
#[cfg(feature = "tls")]
mod tls;
mod users;
mod utc;

use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::sync::Arc;

use floe::server::{ServeError, ServerEvent, TurnServer, TurnServerBuilder};
use floe::turn::RateLimit;
use floe::turn::server::RelayAddress;

use crate::failure::{Failure, Outcome};
use crate::output;

use addresses::Addresses;
use signalling::{IceServers, Signalling};
use signals::{Signal, Signals};
use users::Users;

/// Run a STUN and TURN server, and rooms for calls
///
/// Tells clients the address they come from (STUN, RFC 8489), and relays for those
/// that show credentials (TURN, RFC 8656), over UDP, TCP and TLS. Prints the URIs
/// and credentials to give to clients, then a line for each allocation that begins,
/// ends or is refused. Without --user and --shared-secret it makes up a user for
/// this run.
///
/// Serves a page, too: open the same room in two browsers, or in one and with floe
/// join, and they call each other, by the shortest way there is. The rooms carry
/// what they have to tell each other until then; nothing is stored. Browsers give
/// camera and microphone to pages of this machine (localhost) and of HTTPS only.
///
/// SIGINT and SIGTERM stop it. SIGUSR1 makes it print statistics, as it does at the
/// end; SIGHUP makes it read the certificate again.
///
/// Exit status: 0 after a signal to stop; 1 if it cannot listen; 2 for wrong usage.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment, after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Listen here over UDP and TCP: IP:PORT, or IP for
    /// port 3478; can be repeated [default: 0.0.0.0 and
    /// [::]]
    #[arg(long, value_name = "ADDR", value_parser = parse_listen, verbatim_doc_comment)]
    listen: Vec<SocketAddr>,

    #[cfg(feature = "tls")]
    #[command(flatten)]
    tls: tls::TlsArgs,

    #[command(flatten)]
    users: users::UserArgs,

    #[command(flatten)]
    signalling: signalling::SignallingArgs,

    /// Open the relays at this address of the machine;
    /// once for each family [default: where it listens,
    /// or the address of the default route]
    #[arg(long, value_name = "IP", verbatim_doc_comment)]
    relay_ip: Vec<IpAddr>,

    /// The public address in front of the relays, where
    /// a NAT maps it one to one, as cloud providers do;
    /// once for each family
    #[arg(long, value_name = "IP", verbatim_doc_comment)]
    external_ip: Vec<IpAddr>,

    /// UDP ports of the relays
    #[arg(long, value_name = "MIN-MAX", value_parser = addresses::parse_ports, default_value = "49152-65535")]
    relay_ports: RelayPorts,

    /// Allocations at a time
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..))]
    max_allocations: u32,

    /// Allocations of one user at a time
    #[arg(long, value_name = "N", default_value_t = 32, value_parser = clap::value_parser!(u32).range(1..))]
    user_quota: u32,

    /// Relay to private and link-local addresses too,
    /// and to loopback if the relays are there. It
    /// opens the network around the server to its
    /// clients
    #[arg(long, verbatim_doc_comment)]
    allow_private_peers: bool,

    /// Relay nothing: only tell clients their
    /// addresses, over UDP
    #[arg(long, verbatim_doc_comment, conflicts_with_all = [
        "user", "shared_secret", "relay_ip", "relay_ports", "max_allocations", "user_quota", "allow_private_peers",
        "http",
    ])]
    stun_only: bool,
}

/// A range of ports, neither empty nor with port 0.
type RelayPorts = RangeInclusive<u16>;

const EXAMPLES: &str = "\
Examples:
  floe serve
  floe serve --user alice:secret --user bob:secret
  FLOE_TURN_SECRET=... floe serve --realm example.org --external-ip 203.0.113.5
  floe serve --tls-cert chain.pem --tls-key key.pem
  floe serve --listen 192.0.2.7:3478 --relay-ports 50000-50999 --user-quota 4
  floe serve --room-token sesame --origin https://example.org
  floe serve --listen 127.0.0.1 --allow-private-peers   # try it on one machine";

/// How often one source is told its address, and how often to authenticate itself: many clients may be behind one address.
fn rate_limit() -> Result<RateLimit, Failure> {
    let limit = floe::server::rate_limit();
    let mut limit =
        limit.map_err(|error| Failure::Failed(format!("the system has no random bytes: {error}")))?;
    (limit.per_second, limit.burst) = (50, 200);
    Ok(limit)
}

fn parse_listen(text: &str) -> Result<SocketAddr, String> {
    addresses::parse_listen(text, addresses::PORT)
}

/// Runs `floe serve`.
pub(crate) fn run(args: &Args) -> Outcome {
    #[cfg_attr(not(feature = "tls"), expect(unused_mut, reason = "TLS has addresses of its own"))]
    let mut addresses = Addresses::choose(&args.listen, &args.relay_ip, &args.external_ip)?;
    let runtime = crate::runtime::with_threads()?;
    if args.stun_only {
        return runtime.block_on(stun_only::serve(&addresses));
    }
    #[cfg(feature = "tls")]
    {
        addresses.listen_tls = args.tls.listen(|port| addresses.everywhere(port));
    }
    let users = Users::new(&args.users)?;
    runtime.block_on(serve(args, &addresses, &users))
}

async fn serve(args: &Args, addresses: &Addresses, users: &Users) -> Outcome {
    let mut signals = Signals::new()?;
    let server = settings(args, addresses, users)?.start().await.map_err(|error| failure(&error))?;
    let server = Arc::new(server);
    let mut rooms = open_rooms(args, addresses, users, &server).await?;
    output::print(&greeting(args, addresses, users, (&server, rooms.listeners())))?;
    let statistics = |rooms: &Signalling| log::statistics(&server.stats()) + &rooms.statistics();
    loop {
        tokio::select! {
            Some(event) = server.next_event() => tell(&event)?,
            line = rooms.next_line() => output::print(&format!("{} {line}\n", utc::now()))?,
            signal = signals.next() => match signal {
                Signal::Statistics => output::print(&statistics(&rooms))?,
                #[cfg(feature = "tls")]
                Signal::Reload => tls::reload(&server)?,
                #[cfg(not(feature = "tls"))]
                Signal::Reload => {}
                Signal::Stop => break,
            },
        }
    }
    for line in rooms.stop().await {
        output::print(&format!("{} {line}\n", utc::now()))?;
    }
    server.shutdown().await;
    while let Some(event) = server.next_event().await {
        tell(&event)?;
    }
    output::print(&statistics(&rooms))
}

async fn open_rooms(
    args: &Args,
    addresses: &Addresses,
    users: &Users,
    server: &Arc<TurnServer>,
) -> Result<Signalling, Failure> {
    let ice_servers = IceServers::new(users.secret(), addresses, server.listeners());
    #[cfg(feature = "tls")]
    let tls = args.tls.has_certificate().then(|| server.clone());
    #[cfg(not(feature = "tls"))]
    let tls = None;
    Signalling::start(&args.signalling, &args.signalling.listen(addresses), ice_servers, tls).await
}

fn tell(event: &ServerEvent) -> Outcome {
    match log::line(event) {
        Some(line) => output::print(&format!("{} {line}\n", utc::now())),
        None => Ok(()),
    }
}

fn settings(args: &Args, addresses: &Addresses, users: &Users) -> Result<TurnServerBuilder, Failure> {
    let (bindings, challenges) = (rate_limit()?, rate_limit()?);
    let mut builder = TurnServer::builder(users.credentials().clone());
    for &address in &addresses.listen {
        builder = builder.listen(address);
    }
    for &relay in &addresses.relays {
        builder = builder.relay_address(relay);
    }
    #[cfg(feature = "tls")]
    {
        builder = args.tls.apply(builder, &addresses.listen_tls);
    }
    Ok(builder.configure(|config| {
        (config.bindings, config.challenges) = (Some(bindings), Some(challenges));
        config.relay_ports = args.relay_ports.clone();
        config.limits.allocations = args.max_allocations;
        config.limits.allocations_per_user = args.user_quota;
        config.peers.allow_private = args.allow_private_peers;
        config.peers.allow_link_local = args.allow_private_peers;
        config.peers.allow_loopback = args.allow_private_peers && addresses.relays_on_loopback();
    }))
}

fn failure(error: &ServeError) -> Failure {
    match error {
        #[cfg(feature = "tls")]
        ServeError::Tls(error) => tls::failure(error),
        ServeError::NoRelayAddress => Failure::Failed(format!("{error} (--relay-ip)")),
        _ => Failure::Failed(error.to_string()),
    }
}

/// What a user wants to copy.
fn greeting(
    args: &Args,
    addresses: &Addresses,
    users: &Users,
    (server, pages): (&TurnServer, &[SocketAddr]),
) -> String {
    let mut text = String::new();
    for uri in addresses.uris(server.listeners()) {
        text.push_str(&format!("{uri}\n"));
    }
    if !addresses.listen_tls.is_empty() {
        text.push_str("          (clients check the certificate: its name takes the place of the address)\n");
    }
    text.push_str(&users.describe());
    let relays: Vec<RelayAddress> = server.relay_addresses().collect();
    for relay in &relays {
        let (first, last) = (args.relay_ports.start(), args.relay_ports.end());
        let bind = if relay.bind == relay.public { String::new() } else { format!(" (here {})", relay.bind) };
        text.push_str(&format!("relays    {}{bind}, UDP ports {first} to {last}\n", relay.public));
    }
    let inside = relays.iter().find(|relay| addresses::is_inside(relay.public));
    if let Some(relay) = inside.filter(|_| !args.allow_private_peers) {
        text.push_str(&format!(
            "note      {} is private: nobody outside reaches relays there (--external-ip), and clients do\n          \
             not reach each other's (--allow-private-peers)\n",
            relay.public
        ));
    }
    text.push_str(&args.pages(addresses, pages));
    if let (Some((user, password)), Some(server)) =
        (users.example(), addresses.own_server(server.listeners()))
    {
        text.push_str(&format!(
            "try       floe gather --bind {} --turn turn:{server} --username {user} --password {password}\n",
            addresses.own_host()
        ));
    }
    text.push('\n');
    text
}

impl Args {
    /// Where the page is.
    fn pages(&self, addresses: &Addresses, pages: &[SocketAddr]) -> String {
        #[cfg(feature = "tls")]
        let is_secure = self.tls.has_certificate();
        #[cfg(not(feature = "tls"))]
        let is_secure = false;
        let scheme = if is_secure { "https" } else { "http" };
        let mut text = String::new();
        for page in pages {
            text.push_str(&format!("page      {scheme}://{}/\n", addresses.host_of(*page)));
        }
        let is_elsewhere = |page: &SocketAddr| !addresses.host_of(*page).ip().is_loopback();
        if let Some(page) = pages.iter().find(|page| !is_secure && is_elsewhere(page)) {
            text.push_str(&format!(
                "          (http://localhost:{}/ on this machine: elsewhere browsers want a certificate before they give\n          \
                 camera and microphone, --tls-cert)\n",
                page.port()
            ));
        }
        text
    }
}
