//! Servers as browsers are told of them.

use std::fmt;

use crate::builder::Builder;

/// STUN and TURN servers with one account, in the shape of the W3C's `RTCIceServer`: what a web application hands to its peers fits
/// here as it is.
///
/// ```
/// use floe::{Agent, IceServer};
///
/// let servers = [
///     IceServer::new(["stun:stun.example.org"]),
///     IceServer::new(["turn:turn.example.org", "turns:turn.example.org:443?transport=tcp"])
///         .with_account("alice", "secret"),
/// ];
/// let builder = Agent::builder().ice_servers(servers);
/// # drop(builder);
/// ```
#[derive(Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct IceServer {
    /// URIs of one service: `stun:` (RFC 7064), `turn:` and `turns:` (RFC 7065).
    pub urls: Vec<String>,
    /// The user, for TURN.
    pub username: Option<String>,
    /// The password, for TURN. It is not printed.
    pub credential: Option<String>,
}

impl IceServer {
    /// Servers without an account.
    pub fn new<U: Into<String>>(urls: impl IntoIterator<Item = U>) -> Self {
        Self { urls: urls.into_iter().map(Into::into).collect(), username: None, credential: None }
    }

    /// The same with an account.
    #[must_use]
    pub fn with_account(mut self, username: impl Into<String>, credential: impl Into<String>) -> Self {
        (self.username, self.credential) = (Some(username.into()), Some(credential.into()));
        self
    }

    /// Adds the servers to those of a builder.
    pub(crate) fn apply(self, builder: Builder) -> Builder {
        let Self { urls, username, credential } = self;
        urls.into_iter().fold(builder, |builder, url| match (is_turn(&url), &username, &credential) {
            (true, Some(username), Some(credential)) => builder.turn_server(url, username, credential),
            (true, ..) => builder.without_account(url),
            (false, ..) => builder.stun_server(url),
        })
    }
}

/// Whether it is a URI of a TURN server. Schemes are read without case (RFC 3986 §3.1).
fn is_turn(url: &str) -> bool {
    let scheme = url.split_once(':').map(|(scheme, _)| scheme);
    scheme.is_some_and(|scheme| ["turn", "turns"].iter().any(|turn| scheme.eq_ignore_ascii_case(turn)))
}

impl fmt::Debug for IceServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IceServer").field("urls", &self.urls).finish_non_exhaustive()
    }
}
