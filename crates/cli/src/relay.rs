//! TURN servers, as the arguments name them.

use floe::Builder;

use crate::failure::Failure;

/// Which relays an agent may use.
#[derive(Debug, clap::Args)]
pub(crate) struct RelayArgs {
    /// Use this TURN server for relayed candidates:
    /// turn:HOST[:PORT] over UDP, with ?transport=tcp
    /// over TCP; can be repeated
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
        Ok(if self.relay_only { builder.relay_only() } else { builder })
    }
}
