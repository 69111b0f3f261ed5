//! A server that relays nothing.

use std::io;
use std::net::SocketAddr;

use floe::server::{Listener, StunServer, Transport};
use floe::turn::{BindingConfig, BindingStats, RateLimit};

use crate::failure::{Failure, Outcome};
use crate::output;

use super::addresses::Addresses;
use super::rate_limit;
use super::signals::{Signal, Signals};

pub(super) async fn serve(addresses: &Addresses) -> Outcome {
    let mut signals = Signals::new()?;
    let mut servers = Vec::new();
    for address in addresses.sockets() {
        servers.push(listen(address, rate_limit()?).await.map_err(|error| {
            Failure::Failed(format!(
                "cannot listen on {address} (udp): {error}; stop what listens there, or take another port"
            ))
        })?);
    }
    let listener = |server: &StunServer| Listener { transport: Transport::Udp, address: server.local_addr() };
    let listeners: Vec<Listener> = servers.iter().map(listener).collect();
    let mut text: String = addresses.stun_uris(&listeners).iter().map(|uri| format!("{uri}\n")).collect();
    text.push('\n');
    output::print(&text)?;
    loop {
        match signals.next().await {
            Signal::Statistics => output::print(&statistics(&servers))?,
            // There is nothing to read.
            Signal::Reload => {}
            Signal::Stop => break,
        }
    }
    output::print(&statistics(&servers))?;
    for server in servers {
        server.shutdown().await;
    }
    Ok(())
}

async fn listen(address: SocketAddr, limit: RateLimit) -> io::Result<StunServer> {
    StunServer::bind_with(address, BindingConfig::default().with_rate_limit(limit)).await
}

fn statistics(servers: &[StunServer]) -> String {
    let all: Vec<BindingStats> = servers.iter().map(StunServer::stats).collect();
    let sum = |count: fn(&BindingStats) -> u64| all.iter().map(count).sum::<u64>();
    let answered = sum(|stats| stats.answered);
    let (limited, ignored) = (sum(|stats| stats.rate_limited), sum(|stats| stats.ignored));
    format!(
        "statistics: {answered} requests answered, {limited} of sources that ask too often, {ignored} datagrams ignored\n"
    )
}
