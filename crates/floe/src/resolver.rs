//! Names to addresses.

use std::io;
use std::net::{IpAddr, ToSocketAddrs};
use std::pin::Pin;
use std::thread;

use tokio::sync::oneshot;

/// The future of [`Resolver::resolve`].
pub type Resolving = Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send>>;

/// Finds the addresses of STUN servers: [`Builder::resolver`](crate::Builder::resolver) takes another one than the
/// system's, such as one that asks over HTTPS.
///
/// Every name is looked up in a task of its own. The agent keeps the deadline
/// ([`GatherConfig::driver_deadline`](floe_ice::GatherConfig::driver_deadline), 5 s) and the future is dropped when
/// the agent closes, so an implementation needs no deadline of its own.
///
/// ```
/// use std::net::{IpAddr, Ipv4Addr};
///
/// struct Fixed;
///
/// impl floe::Resolver for Fixed {
///     fn resolve(&self, _host: &str) -> floe::Resolving {
///         Box::pin(async { Ok(vec![IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1))]) })
///     }
/// }
///
/// let builder = floe::Agent::builder().resolver(Fixed);
/// # drop(builder);
/// ```
pub trait Resolver: Send + Sync + 'static {
    /// The addresses of both families of a host. An error of the kind [`io::ErrorKind::NotFound`], like an empty
    /// list, says that the name has none; any other that the question could not be answered.
    fn resolve(&self, host: &str) -> Resolving;
}

/// Asks the operating system, which knows the hosts file, multicast names and so on.
///
/// The system's look-up blocks and cannot be interrupted, so each runs on a thread of its own that nobody waits for:
/// neither closing an agent nor shutting down a runtime is held up by a name server that does not answer.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemResolver;

impl Resolver for SystemResolver {
    fn resolve(&self, host: &str) -> Resolving {
        let host = host.to_owned();
        let (answer, answered) = oneshot::channel();
        let look_up = move || {
            let addresses = (host.as_str(), 0).to_socket_addrs();
            // Nobody listens any more when the agent is closed.
            let _ = answer.send(addresses.map(|found| found.map(|address| address.ip()).collect()));
        };
        let started = thread::Builder::new().name("floe-resolver".into()).spawn(look_up);
        Box::pin(async move {
            started?;
            answered.await.unwrap_or_else(|_| Err(io::Error::other("the look-up ended without an answer")))
        })
    }
}
