//! The steps, one after the other: each needs those before it.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use floe::stun::attributes::AddressFamily;
use floe::turn::client::{Allocated, Failure};
use floe::{RelayTransport, Resolver, ServerAddress, SystemResolver};
use tokio::time::{Instant, sleep_until, timeout};

use crate::duration::short;
use crate::failure::Outcome;

use super::Plan;
use super::line::Line;
use super::peer::Peer;
use super::probe::{number_of, payload};
use super::report::{Grade, Report};
use super::session::{Session, Trouble};

/// Servers that send us on to one another, at most.
const MAX_REDIRECTIONS: usize = 5;
/// How often a packet is sent until it must have come.
const ATTEMPTS: u32 = 4;
/// Packets whose round trips are measured.
const PINGS: u32 = 20;
/// How long throughput is measured, each way.
const FLOOD: Duration = Duration::from_secs(2);
/// As much as a packet on the Internet can hold, less what encapsulation may need.
const FLOOD_PAYLOAD: usize = 1200;

const STEPS_AFTER_ALLOCATING: [&str; 6] =
    ["permission", "echo", "channel", "round trip", "throughput", "delete"];

/// An allocation that can be used.
struct Relay {
    server: SocketAddr,
    session: Session,
    granted: Allocated,
}

/// A peer that the relay reaches, and the two ends of the way to it.
struct Reached<'a> {
    session: &'a mut Session,
    peer: Peer,
    /// The peer, as the server sees it.
    address: SocketAddr,
}

/// All steps as far as they make sense.
pub(crate) async fn run(plan: &Plan, report: &mut Report) -> Outcome {
    let Some(relay) = allocated(plan, report).await? else {
        return report.skip(&STEPS_AFTER_ALLOCATING, "there is no allocation");
    };
    use_relay(plan, report, relay).await
}

// --- to the allocation ------------------------------------------------------------------------------------------

async fn allocated(plan: &Plan, report: &mut Report) -> Result<Option<Relay>, crate::failure::Failure> {
    let Some(mut servers) = look_up(plan, report).await? else { return Ok(None) };
    let mut asked = BTreeSet::new();
    loop {
        let Some((server, mut session)) = connect(plan, report, &servers).await? else { return Ok(None) };
        asked.insert(server);
        ask_for_address(plan, report, &mut session).await?;
        match session.allocate(plan.patience).await {
            Ok(granted) => {
                tell_allocation(report, server, &granted)?;
                return Ok(Some(Relay { server, session, granted }));
            }
            Err(Trouble::Redirect(to)) => {
                let fresh: Vec<SocketAddr> =
                    to.servers.iter().copied().filter(|to| !asked.contains(to)).collect();
                let list = join(&to.servers);
                if fresh.is_empty() || asked.len() > MAX_REDIRECTIONS {
                    let what = format!("the server sends us to {list}, where we have been: a circle");
                    report.tell("allocate", Grade::Fails, &what)?;
                    return Ok(None);
                }
                let what = format!("the server sends us on to {list} (300, RFC 8489 §10)");
                report.tell("redirect", Grade::Works, &what)?;
                servers = fresh;
            }
            Err(trouble) => {
                report.tell("allocate", Grade::Fails, &explain(plan, &trouble))?;
                return Ok(None);
            }
        }
    }
}

async fn look_up(
    plan: &Plan,
    report: &mut Report,
) -> Result<Option<Vec<SocketAddr>>, crate::failure::Failure> {
    let (host, port) = match &plan.server.address {
        ServerAddress::Address(address) => return Ok(Some(vec![*address])),
        ServerAddress::Name { host, port } => (host, *port),
    };
    let found = match timeout(plan.patience, SystemResolver.resolve(host)).await {
        Ok(Ok(addresses)) => addresses,
        Ok(Err(error)) => {
            report.tell("look-up", Grade::Fails, &format!("{host} has no address: {error}"))?;
            return Ok(None);
        }
        Err(_) => {
            report.tell(
                "look-up",
                Grade::Fails,
                &format!("no name server told the address of {host} in time"),
            )?;
            return Ok(None);
        }
    };
    let servers: Vec<SocketAddr> = found.into_iter().map(|ip| SocketAddr::new(ip, port)).collect();
    if servers.is_empty() {
        report.tell("look-up", Grade::Fails, &format!("{host} has no address"))?;
        return Ok(None);
    }
    report.tell("look-up", Grade::Works, &format!("{host} is {}", join(&servers)))?;
    Ok(Some(servers))
}

/// The first of the addresses that lets us in.
async fn connect(
    plan: &Plan,
    report: &mut Report,
    servers: &[SocketAddr],
) -> Result<Option<(SocketAddr, Session)>, crate::failure::Failure> {
    let mut refusals = Vec::new();
    for &server in servers {
        let opened = timeout(plan.patience, Line::open(plan, server)).await;
        let (line, local) = match opened {
            Ok(Ok(line)) => line,
            Ok(Err(error)) => {
                refusals.push(format!("{server}: {error}"));
                continue;
            }
            Err(_) => {
                refusals.push(format!("{server}: no answer in {} s", plan.patience.as_secs()));
                continue;
            }
        };
        let how = line.description();
        let session = match Session::new(line, server, plan.credentials.clone()) {
            Ok(session) => session,
            Err(error) => {
                report.tell("connect", Grade::Fails, &error.to_string())?;
                return Ok(None);
            }
        };
        report.tell("connect", Grade::Works, &format!("{server} {how}, from {local}"))?;
        return Ok(Some((server, session)));
    }
    let hint = match plan.transport() {
        RelayTransport::Udp => "",
        RelayTransport::Tcp => "\nIs the server listening for TCP there, and does no firewall block it?",
        RelayTransport::Tls => "\nIs the port that of TLS, and is the certificate for this name?",
    };
    report.tell("connect", Grade::Fails, &format!("{}{hint}", refusals.join("\n")))?;
    Ok(None)
}

async fn ask_for_address(plan: &Plan, report: &mut Report, session: &mut Session) -> Outcome {
    match session.bind_request(plan.patience).await {
        Ok((Some(mapped), took)) => report.tell(
            "binding",
            Grade::Works,
            &format!("the server sees us as {mapped}; round trip {}", short(took)),
        ),
        Ok((None, _)) => {
            report.tell("binding", Grade::Doubtful, "the server refuses Binding requests: no STUN")
        }
        Err(Trouble::Silence) if plan.transport() == RelayTransport::Udp => report.tell(
            "binding",
            Grade::Doubtful,
            "no answer to a Binding request: no STUN, or UDP is blocked",
        ),
        Err(trouble) => report.tell("binding", Grade::Doubtful, &explain(plan, &trouble)),
    }
}

fn tell_allocation(report: &mut Report, server: SocketAddr, granted: &Allocated) -> Outcome {
    let relayed: Vec<SocketAddr> = granted.addresses().collect();
    let lifetime = granted.lifetime.as_secs();
    let mut what = format!("relayed at {} for {lifetime} s; we are {}", join(&relayed), granted.mapped);
    let hidden = relayed.iter().find(|relayed| is_private(relayed.ip()) && !is_private(server.ip()));
    if let Some(hidden) = hidden {
        what += &format!(
            "\n{} is private: nobody outside the server's network reaches it. Tell the server its public\naddress \
             (coturn: external-ip, floe serve: --external-ip).",
            hidden.ip()
        );
    }
    if let Some((family, why)) = &granted.missing {
        let family = if *family == AddressFamily::Ipv4 { "IPv4" } else { "IPv6" };
        what += &format!("\nNo {family} address: {why}.");
    }
    report.tell("allocate", if hidden.is_some() { Grade::Doubtful } else { Grade::Works }, &what)
}

// --- with the allocation ----------------------------------------------------------------------------------------

async fn use_relay(plan: &Plan, report: &mut Report, mut relay: Relay) -> Outcome {
    let relayed = relay.granted.addresses().find(|a| a.is_ipv4() == relay.granted.mapped.is_ipv4());
    let relayed = relayed.unwrap_or(relay.granted.relayed);
    let us = relay.granted.mapped.ip();
    match relay.session.permit(us, plan.patience).await {
        Ok(()) => report.tell("permission", Grade::Works, &format!("peers at {us} may use the relay"))?,
        Err(trouble) => {
            let hint = "\nA peer policy may forbid private and loopback addresses, which ours is here.";
            let hint = if is_private(us) { hint } else { "" };
            report.tell("permission", Grade::Fails, &format!("{}{hint}", explain(plan, &trouble)))?;
        }
    }
    if let Some((peer, address)) = echo(plan, report, &mut relay, relayed).await? {
        let mut reached = Reached { session: &mut relay.session, peer, address };
        reached.channel(plan, report).await?;
        reached.round_trips(plan, report).await?;
        reached.throughput(plan, report).await?;
    } else {
        report.skip(&["channel", "round trip", "throughput"], "the relay reaches no peer")?;
    }
    match relay.session.close(plan.patience).await {
        Ok(()) => report.tell("delete", Grade::Works, "the allocation is given back"),
        Err(trouble) => report.tell("delete", Grade::Fails, &explain(plan, &trouble)),
    }
}

/// Through the relay and back, with a socket of this machine as the peer; if that does not work, with a second allocation.
async fn echo(
    plan: &Plan,
    report: &mut Report,
    relay: &mut Relay,
    relayed: SocketAddr,
) -> Result<Option<(Peer, SocketAddr)>, crate::failure::Failure> {
    let direct = match Peer::socket(relayed).await {
        Ok(mut peer) => try_peer(&mut relay.session, &mut peer).await.map(|address| (peer, address)),
        Err(error) => Err(format!("no socket: {error}")),
    };
    let why = match direct {
        Ok((peer, address)) => {
            let what = format!("a socket here, seen as {address}, sends to {relayed} and hears from it");
            report.tell("echo", Grade::Works, &what)?;
            return Ok(Some((peer, address)));
        }
        Err(why) => why,
    };
    match second_allocation(plan, relay, relayed).await {
        Ok((peer, address)) => {
            let what = format!(
                "a second allocation, {address}, reaches {relayed} and back\nA socket of this machine does not ({why}): \
                 a firewall here or before the server."
            );
            report.tell("echo", Grade::Doubtful, &what)?;
            Ok(Some((peer, address)))
        }
        Err(second) => {
            let what = format!(
                "{why}; and with a second allocation: {second}\nDo the server's relay ports (often 49152-65535, UDP) \
                 pass its firewall, both ways?"
            );
            report.tell("echo", Grade::Fails, &what)?;
            Ok(None)
        }
    }
}

/// A peer that sends first, as one behind a NAT must. Its address as the server sees it.
async fn try_peer(session: &mut Session, peer: &mut Peer) -> Result<SocketAddr, String> {
    let heard = |what: &str, trouble: &Trouble| format!("{what}: {}", words(trouble));
    let mut address = None;
    for number in 0..ATTEMPTS {
        peer.send(&payload(number, 32)).await.map_err(|t| heard("sending to the relay", &t))?;
        let until = Instant::now() + Duration::from_millis(500);
        let came = session.receive(until).await.map_err(|t| heard("listening to the server", &t))?;
        if let Some((from, bytes)) = came
            && number_of(&bytes).is_some()
        {
            address = Some(from);
            break;
        }
    }
    let address = address.ok_or("nothing that is sent to the relayed address comes out of the server")?;
    for number in 0..ATTEMPTS {
        session.send(address, &payload(number, 32)).await.map_err(|t| heard("sending by the relay", &t))?;
        let until = Instant::now() + Duration::from_millis(500);
        let came = peer.receive(until).await.map_err(|t| heard("listening to the relay", &t))?;
        if came.is_some_and(|bytes| number_of(&bytes).is_some()) {
            return Ok(address);
        }
    }
    Err("what the relay sends does not arrive here".to_owned())
}

async fn second_allocation(
    plan: &Plan,
    relay: &mut Relay,
    relayed: SocketAddr,
) -> Result<(Peer, SocketAddr), String> {
    let told = |trouble: Trouble| words(&trouble);
    let (line, _) = timeout(plan.patience, Line::open(plan, relay.server))
        .await
        .map_err(|_| "no second connection".to_owned())?
        .map_err(|error| error.to_string())?;
    let mut session =
        Session::new(line, relay.server, plan.credentials.clone()).map_err(|error| error.to_string())?;
    let granted = session.allocate(plan.patience).await.map_err(told)?;
    let address = granted.addresses().find(|a| a.is_ipv4() == relayed.is_ipv4());
    let address = address.ok_or("it has no address of this family")?;
    session.permit(relayed.ip(), plan.patience).await.map_err(told)?;
    relay.session.permit(address.ip(), plan.patience).await.map_err(told)?;
    let mut peer = Peer::Relay { session: Box::new(session), relayed };
    try_peer(&mut relay.session, &mut peer).await?;
    Ok((peer, address))
}

impl Reached<'_> {
    async fn channel(&mut self, plan: &Plan, report: &mut Report) -> Outcome {
        let number = match self.session.bind_channel(self.address, plan.patience).await {
            Ok(number) => number,
            Err(trouble) => {
                return report.tell("channel", Grade::Fails, &explain(plan, &trouble));
            }
        };
        match try_peer(self.session, &mut self.peer).await {
            Ok(_) => report.tell(
                "channel",
                Grade::Works,
                &format!("{number:#06x}, four bytes a packet instead of 36"),
            ),
            Err(why) => report.tell("channel", Grade::Fails, &format!("bound to {number:#06x}, but {why}")),
        }
    }

    /// To the peer and back, one after the other.
    async fn round_trips(&mut self, plan: &Plan, report: &mut Report) -> Outcome {
        let mut times = Vec::new();
        for number in 0..PINGS {
            let (began, until) = (Instant::now(), Instant::now() + Duration::from_secs(1));
            if let Err(trouble) = self.ping(1_000 + number, until).await {
                return report.tell("round trip", Grade::Fails, &explain(plan, &trouble));
            }
            if Instant::now() < until {
                times.push(began.elapsed());
            }
        }
        times.sort_unstable();
        let lost = PINGS as usize - times.len();
        let what = match (times.first(), times.get(times.len() / 2), times.last()) {
            (Some(first), Some(median), Some(last)) => {
                format!(
                    "server, peer and back: {} at best, {} usually, {} at worst; {lost} of {PINGS} lost",
                    short(*first),
                    short(*median),
                    short(*last)
                )
            }
            _ => format!("all of {PINGS} lost"),
        };
        let grade = match lost {
            0 => Grade::Works,
            _ if lost == PINGS as usize => Grade::Fails,
            _ => Grade::Doubtful,
        };
        report.tell("round trip", grade, &what)
    }

    /// Returns when the packet is back, or at `until`.
    async fn ping(&mut self, number: u32, until: Instant) -> Result<(), Trouble> {
        self.session.send(self.address, &payload(number, 64)).await?;
        while let Some(bytes) = self.peer.receive(until).await? {
            if number_of(&bytes) == Some(number) {
                self.peer.send(&bytes).await?;
                break;
            }
            if Instant::now() >= until {
                return Ok(());
            }
        }
        while let Some((_, bytes)) = self.session.receive(until).await? {
            if number_of(&bytes) == Some(number) || Instant::now() >= until {
                return Ok(());
            }
        }
        Ok(())
    }

    async fn throughput(&mut self, plan: &Plan, report: &mut Report) -> Outcome {
        if plan.rate == 0 {
            return report.skip(&["throughput"], "--rate is 0");
        }
        let mut texts = Vec::new();
        let mut lossy = false;
        for (way, name) in [(Way::Up, "to the peer"), (Way::Down, "from the peer")] {
            match self.flood(plan.rate, way).await {
                Ok((sent, received)) => {
                    let megabits = (received as usize * FLOOD_PAYLOAD * 8) as f64 / FLOOD.as_secs_f64() / 1e6;
                    let lost = 100.0 * f64::from(sent - received) / f64::from(sent.max(1));
                    lossy |= lost > 2.0;
                    texts.push(format!("{name} {megabits:.1} Mbit/s, {lost:.1} % lost"));
                }
                Err(trouble) => return report.tell("throughput", Grade::Fails, &explain(plan, &trouble)),
            }
        }
        let asked = plan.rate / 1_000_000;
        let what = format!("{}, of {asked} Mbit/s that were sent", texts.join("; "));
        report.tell("throughput", if lossy { Grade::Doubtful } else { Grade::Works }, &what)
    }

    /// Packets at this rate for a while: how many were sent, and how many came.
    async fn flood(&mut self, rate: u64, way: Way) -> Result<(u32, u32), Trouble> {
        let interval = Duration::from_nanos(FLOOD_PAYLOAD as u64 * 8 * 1_000_000_000 / rate);
        let (begin, mut sent, mut seen) = (Instant::now(), 0, BTreeSet::new());
        let end = begin + FLOOD;
        // What is still on its way has half a second.
        let last = end + Duration::from_millis(500);
        let first = if way == Way::Up { 10_000 } else { 10_000_000 };
        loop {
            let next = begin + interval * sent;
            let until = if next < end { next } else { last };
            while let Some(bytes) = self.receive(way, until).await? {
                seen.extend(number_of(&bytes).filter(|number| (first..first + sent).contains(number)));
                if (next >= end && seen.len() == sent as usize) || Instant::now() >= last {
                    break;
                }
            }
            if next >= end || Instant::now() >= last {
                return Ok((sent, u32::try_from(seen.len()).unwrap_or(sent)));
            }
            sleep_until(next).await;
            let bytes = payload(first + sent, FLOOD_PAYLOAD);
            match way {
                Way::Up => self.session.send(self.address, &bytes).await?,
                Way::Down => self.peer.send(&bytes).await?,
            }
            sent += 1;
        }
    }

    async fn receive(&mut self, way: Way, until: Instant) -> Result<Option<Vec<u8>>, Trouble> {
        match way {
            Way::Up => self.peer.receive(until).await,
            Way::Down => Ok(self.session.receive(until).await?.map(|(_, bytes)| bytes)),
        }
    }
}

/// Which way packets go.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Up,
    Down,
}

// --- words ------------------------------------------------------------------------------------------------------

fn join(addresses: &[SocketAddr]) -> String {
    addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

fn words(trouble: &Trouble) -> String {
    match trouble {
        Trouble::Turn(failure) => failure.to_string(),
        Trouble::Line(error) => error.to_string(),
        Trouble::Silence => "the server did not answer".to_owned(),
        Trouble::Redirect(to) => format!("the server sends us on to {}", join(&to.servers)),
    }
}

/// What went wrong, and what to look at.
fn explain(plan: &Plan, trouble: &Trouble) -> String {
    let hint = match trouble {
        Trouble::Silence if plan.transport() == RelayTransport::Udp => {
            "Is a server listening there, and does UDP get through to it?"
        }
        Trouble::Silence => "It took the connection and then said nothing: is it a TURN server?",
        Trouble::Line(error) if error.kind() == ErrorKind::ConnectionRefused => {
            "Nothing listens at this port (ICMP told)."
        }
        Trouble::Turn(Failure::WrongCredentials) => {
            "Are they of this server and realm? Time-limited ones (a user name that begins with a time) may be over."
        }
        Trouble::Turn(Failure::IntegrityViolated) => "Check the password.",
        Trouble::Turn(Failure::CredentialsNeeded) => "Give --username and --password.",
        Trouble::Turn(Failure::StaleNonces) => {
            "The server's clock, or several servers behind one address that do not share nonces."
        }
        Trouble::Turn(Failure::QuotaReached) => {
            "Allocations of earlier runs may still be there, for ten minutes at most."
        }
        Trouble::Turn(Failure::Forbidden) => "The server's policy forbids what was asked for.",
        _ => return words(trouble),
    };
    format!("{}\n{hint}", words(trouble))
}

/// Whether an address is of a network of its own: nobody elsewhere can send to it.
fn is_private(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(v4) => v4.is_private() || v4.is_loopback() || v4.is_link_local() || is_shared(v4),
        IpAddr::V6(v6) => v6.is_loopback() || v6.is_unicast_link_local() || v6.is_unique_local(),
    }
}

/// 100.64.0.0/10 (RFC 6598).
fn is_shared(v4: std::net::Ipv4Addr) -> bool {
    let [first, second, ..] = v4.octets();
    first == 100 && second & 0xC0 == 64
}
