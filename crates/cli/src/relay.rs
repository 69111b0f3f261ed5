//! TURN servers, as the arguments name them.

#[cfg(feature = "tls")]
use std::path::PathBuf;

use floe::Builder;

use crate::failure::Failure;

/// Which relays an agent may use.
#[derive(Debug, clap::Args)]
pub(crate) struct RelayArgs {
    /// Use this TURN server for relayed candidates:
    /// turn:HOST[:PORT] over UDP, with ?transport=tcp
    /// over TCP, turns:HOST[:PORT] over TLS; can be
    /// repeated
    #[arg(long, value_name = "URI", verbatim_doc_comment)]
    pub(crate) turn: Vec<String>,

    /// The user name for the TURN servers
    #[arg(long, value_name = "U", requires = "turn")]
    username: Option<String>,

    /// The password for the TURN servers. Whoever may list
    /// the processes of this machine can read it here; the
    /// variable FLOE_TURN_PASSWORD is read as well
    #[arg(long, value_name = "P", requires = "turn", verbatim_doc_comment)]
    password: Option<String>,

    /// Trust the certificates in this file (PEM) to vouch
    /// for servers over TLS, and not those that the
    /// system trusts
    #[cfg(feature = "tls")]
    #[arg(long, value_name = "FILE", requires = "turn", verbatim_doc_comment)]
    tls_ca: Option<PathBuf>,

    /// Use relayed candidates only: the peer learns no
    /// address of this machine
    #[arg(long, requires = "turn", verbatim_doc_comment)]
    relay_only: bool,
}

/// Where the password may be, out of sight of other processes.
pub(crate) const PASSWORD: &str = "FLOE_TURN_PASSWORD";

impl RelayArgs {
    /// The same, for the agent.
    pub(crate) fn apply(&self, mut builder: Builder) -> Result<Builder, Failure> {
        if self.turn.is_empty() {
            return Ok(builder);
        }
        let password = self.password.clone().or_else(|| std::env::var(PASSWORD).ok());
        let (Some(username), Some(password)) = (&self.username, password) else {
            let what = format!("a TURN server needs --username and --password (or {PASSWORD})");
            return Err(Failure::Usage(what));
        };
        for server in &self.turn {
            builder = builder.turn_server(server, username, &password);
        }
        builder = self.trust(builder)?;
        Ok(if self.relay_only { builder.relay_only() } else { builder })
    }

    #[cfg(feature = "tls")]
    fn trust(&self, builder: Builder) -> Result<Builder, Failure> {
        let Some(path) = &self.tls_ca else { return Ok(builder) };
        let cannot = |error| Failure::Usage(format!("cannot read {}: {error}", path.display()));
        Ok(builder.tls_roots(std::fs::read(path).map_err(cannot)?))
    }

    #[cfg(not(feature = "tls"))]
    #[expect(clippy::unused_self, clippy::unnecessary_wraps, reason = "as with TLS")]
    fn trust(&self, builder: Builder) -> Result<Builder, Failure> {
        Ok(builder)
    }
}
