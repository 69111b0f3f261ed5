//! Signalling: rooms in which participants find each other, over WebSockets and plain HTTP, and the page for browsers.
//!
//! From the outside in: [`listen`] takes connections, [`http`] and [`websocket`] what is asked over them, [`door`] lets in, [`hall`] holds
//! the rooms together with their clock, and [`rooms`] is all that happens in them, without any of that.

mod args;
mod bucket;
mod door;
mod hall;
mod http;
mod ice_servers;
mod limits;
mod listen;
mod origin;
mod page;
mod places;
mod report;
mod rooms;
mod token;
mod visitor;
mod websocket;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use floe::server::TurnServer;
use rand::TryRng;
use rand::rngs::SysRng;
use tokio::task::JoinSet;

use crate::failure::Failure;

pub(super) use args::SignallingArgs;
use hall::Hall;
pub(super) use ice_servers::IceServers;
use places::Places;
use rooms::Rooms;

/// How long participants have to take leave.
const FAREWELL: Duration = Duration::from_secs(2);

/// The rooms, and the sockets that lead to them.
pub(super) struct Signalling {
    hall: Arc<Hall>,
    tasks: JoinSet<()>,
    listeners: Vec<SocketAddr>,
}

impl Signalling {
    /// Opens the rooms at these addresses, over TLS if there is a server that has a certificate.
    pub(super) async fn start(
        args: &SignallingArgs,
        addresses: &[SocketAddr],
        ice_servers: IceServers,
        tls: Option<Arc<TurnServer>>,
    ) -> Result<Self, Failure> {
        let mut seed = [0; 32];
        SysRng
            .try_fill_bytes(&mut seed)
            .map_err(|error| Failure::Failed(format!("the system has no random bytes: {error}")))?;
        let rooms = Rooms::new(args.limits(), seed);
        let places = Places::new(args.address_quota());
        let hall = Arc::new(Hall::new(rooms, ice_servers, args.origins(), args.tokens()?, places));
        let router = http::router(&hall);
        let mut tasks = JoinSet::new();
        let mut listeners = Vec::new();
        for &address in addresses {
            let opened = listen::open(address).and_then(|opened| Ok((opened.local_addr()?, opened)));
            let (bound, listener) = opened.map_err(|error| {
                Failure::Failed(format!(
                    "cannot listen on {address} (http): {error}; stop what listens there, or take another port (--http)"
                ))
            })?;
            listeners.push(bound);
            tasks.spawn(listen::accept(listener, hall.clone(), router.clone(), tls.clone()));
        }
        let clock = hall.clone();
        tasks.spawn(async move { clock.keep_time().await });
        Ok(Self { hall, tasks, listeners })
    }

    /// Where it listens.
    pub(super) fn listeners(&self) -> &[SocketAddr] {
        &self.listeners
    }

    /// What happened next, in a line.
    pub(super) async fn next_line(&self) -> String {
        report::line(&self.hall.next_event().await)
    }

    /// What is counted.
    pub(super) fn statistics(&self) -> String {
        let stats = self.hall.with(|rooms, _| rooms.stats());
        report::statistics(&stats, self.hall.places.counts())
    }

    /// Takes nobody in any more, and tells everybody to go. Returns what there is left to tell.
    pub(super) async fn stop(&mut self) -> Vec<String> {
        self.tasks.shutdown().await;
        // Who does not go in time is left behind.
        let _ = tokio::time::timeout(FAREWELL, self.hall.close()).await;
        std::iter::from_fn(|| self.hall.poll_event()).map(|event| report::line(&event)).collect()
    }
}
