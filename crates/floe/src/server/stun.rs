//! A STUN server on one socket.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use floe_stun::Clock;
use floe_turn::{Answer, BindingConfig, BindingServer, BindingStats, MAX_RESPONSE, RateLimit};
use rand::TryRng;
use rand::rngs::SysRng;
use tokio::net::UdpSocket;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::engine::lock;

/// No UDP datagram that a Binding server answers is larger; longer ones are cut and so ignored.
const MAX_REQUEST: usize = 2048;

/// After so many errors in a row, there is a pause after each.
const MANY_ERRORS: u32 = 64;
const PAUSE: Duration = Duration::from_millis(100);

/// A STUN server (RFC 8489) on one UDP socket, in a task of its own. Dropping it stops it.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> std::io::Result<()> {
/// use floe::server::StunServer;
///
/// let server = StunServer::bind("127.0.0.1:0").await?;
/// println!("stun:{}", server.local_addr());
/// server.shutdown().await;
/// # Ok(())
/// # }
/// ```
pub struct StunServer {
    local_addr: SocketAddr,
    core: Arc<Mutex<BindingServer>>,
    task: JoinHandle<()>,
}

impl StunServer {
    /// Starts a server on this address, at a port of the system's choice if it is 0. It says nothing about itself and
    /// answers without limit: for one that the Internet can reach use [`StunServer::bind_with`] and [`rate_limit`].
    ///
    /// # Errors
    /// The address cannot be resolved or bound.
    pub async fn bind(address: impl tokio::net::ToSocketAddrs) -> io::Result<Self> {
        Self::bind_with(address, BindingConfig::default()).await
    }

    /// The same with a configuration: a limit for each source, the text of SOFTWARE.
    ///
    /// # Errors
    /// The address cannot be resolved or bound.
    pub async fn bind_with(
        address: impl tokio::net::ToSocketAddrs,
        config: BindingConfig,
    ) -> io::Result<Self> {
        let socket = UdpSocket::bind(address).await?;
        let local_addr = socket.local_addr()?;
        let core = Arc::new(Mutex::new(BindingServer::new(config)));
        let task = tokio::spawn(serve(socket, core.clone()));
        Ok(Self { local_addr, core, task })
    }

    /// Where it listens.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// What it has done so far.
    #[must_use]
    pub fn stats(&self) -> BindingStats {
        *lock(&self.core).stats()
    }

    /// Stops it; the socket is closed when this returns.
    pub async fn shutdown(mut self) {
        self.task.abort();
        // It was aborted or ended before: either way it is over.
        let _ = (&mut self.task).await;
    }
}

/// The default limit on answers to one source, with a random key from the system.
///
/// # Errors
/// The system has no random bytes.
pub fn rate_limit() -> io::Result<RateLimit> {
    let mut key = [0; 16];
    SysRng.try_fill_bytes(&mut key).map_err(io::Error::other)?;
    Ok(RateLimit::new(key))
}

impl Drop for StunServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl std::fmt::Debug for StunServer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StunServer")
            .field("local_addr", &self.local_addr)
            .field("stats", &self.stats())
            .finish_non_exhaustive()
    }
}

async fn serve(socket: UdpSocket, core: Arc<Mutex<BindingServer>>) {
    let clock = Clock::new(Instant::now().into_std());
    let (mut datagram, mut out) = ([0; MAX_REQUEST], [0; MAX_RESPONSE]);
    let mut errors = 0_u32;
    loop {
        let received = socket.recv_from(&mut datagram).await;
        // An error is the report of an ICMP message about an earlier response, or a shortage that passes. Should one
        // not pass, it must not take the processor.
        let Ok((len, source)) = received else {
            errors = errors.saturating_add(1);
            if errors > MANY_ERRORS {
                tokio::time::sleep(PAUSE).await;
            }
            continue;
        };
        errors = 0;
        let request = datagram.get(..len).unwrap_or_default();
        let now = clock.time(Instant::now().into_std());
        let answer = lock(&core).handle(request, source, now, &mut out);
        if let Ok(Answer::Respond(len)) = answer {
            // A response that is lost is asked for again.
            let _ = socket.send_to(out.get(..len).unwrap_or_default(), source).await;
        }
    }
}
