//! `floe turn-check`: what works on a TURN server, step by step.

mod line;
mod peer;
mod probe;
mod report;
mod session;
mod steps;

use std::time::Duration;

use floe::{RelayServer, RelayTransport, ServerAddress};

use crate::failure::{Failure, Outcome};

use report::Report;

/// Check what works on a TURN server, and what does not
///
/// Looks the server up, connects to it, asks what address it sees, allocates a
/// relayed address, asks for a permission and a channel, sends packets through the
/// relay to this machine and back, and measures round trips and throughput. Each
/// step says what it found; one that fails says why, and what to look at.
///
/// Exit status: 0 if every step worked; 1 if not.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment, after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The server: turn:HOST, turn:HOST:PORT, with
    /// ?transport=tcp over TCP, or turns:HOST over TLS
    #[arg(value_name = "URI", verbatim_doc_comment)]
    server: String,

    /// The user name
    #[arg(long, value_name = "U")]
    username: Option<String>,

    /// The password. Whoever may list the processes of this
    /// machine can read it here; the variable
    /// FLOE_TURN_PASSWORD is read as well
    #[arg(long, value_name = "P", requires = "username", verbatim_doc_comment)]
    password: Option<String>,

    /// Trust the certificates in this file (PEM) to vouch for
    /// the server, and no others
    #[cfg(feature = "tls")]
    #[arg(long, value_name = "FILE", verbatim_doc_comment)]
    tls_ca: Option<std::path::PathBuf>,

    /// The name that the server's certificate is for, where
    /// that is not the name in the URI
    #[arg(long, value_name = "NAME", verbatim_doc_comment)]
    tls_name: Option<String>,

    /// How long a step may take, in seconds
    #[arg(long, value_name = "S", default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=600))]
    timeout: u16,

    /// Megabits a second to send when measuring throughput,
    /// two seconds each way; 0 does without
    #[arg(long, value_name = "MBIT", default_value_t = 10, verbatim_doc_comment,
          value_parser = clap::value_parser!(u16).range(0..=1000))]
    rate: u16,

    /// Print one JSON object in each line
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = "\
Examples:
  floe turn-check turn:turn.example.org --username alice --password secret
  floe turn-check 'turn:turn.example.org?transport=tcp' --username alice --json
  floe turn-check turns:turn.example.org --username alice --rate 0";

/// What all steps need to know.
struct Plan {
    server: RelayServer,
    /// `None` for a server that serves everybody.
    credentials: Option<floe::turn::client::Credentials>,
    /// What the certificate has to be for, over TLS.
    tls_name: String,
    #[cfg(feature = "tls")]
    tls: floe::TlsClient,
    patience: Duration,
    rate: u64,
}

/// Runs `floe turn-check`.
pub(crate) fn run(args: &Args) -> Outcome {
    let plan = plan(args)?;
    let mut report = Report::new(args.json);
    crate::runtime::new()?.block_on(steps::run(&plan, &mut report))?;
    report.conclude()
}

fn plan(args: &Args) -> Result<Plan, Failure> {
    let username = args.username.clone().unwrap_or_default();
    let password = args.password.clone().or_else(|| std::env::var(crate::relay::PASSWORD).ok());
    let server = RelayServer::from_uri(&args.server, username.clone(), password.clone().unwrap_or_default())
        .map_err(|error| Failure::Usage(format!("'{}' is no TURN server: {error}", args.server)))?;
    let credentials = match (&args.username, password) {
        (None, _) => None,
        (Some(_), None) => {
            let variable = crate::relay::PASSWORD;
            return Err(Failure::Usage(format!("--username needs --password (or {variable})")));
        }
        (Some(_), Some(password)) => Some(
            floe::turn::client::Credentials::new(username, password)
                .map_err(|error| Failure::Usage(error.to_string()))?,
        ),
    };
    let tls_name = match (&args.tls_name, &server.address) {
        (Some(name), _) => name.clone(),
        (None, ServerAddress::Name { host, .. }) => host.trim_end_matches('.').to_owned(),
        (None, ServerAddress::Address(_)) if server.transport == RelayTransport::Tls => {
            let what = "a server over TLS that is given by its address needs --tls-name, which its certificate is for";
            return Err(Failure::Usage(what.to_owned()));
        }
        (None, ServerAddress::Address(_)) => String::new(),
    };
    Ok(Plan {
        server,
        credentials,
        tls_name,
        #[cfg(feature = "tls")]
        tls: trust(args)?,
        patience: Duration::from_secs(args.timeout.into()),
        rate: u64::from(args.rate) * 1_000_000,
    })
}

#[cfg(feature = "tls")]
fn trust(args: &Args) -> Result<floe::TlsClient, Failure> {
    let Some(path) = &args.tls_ca else { return Ok(floe::TlsClient::default()) };
    let cannot = |error| Failure::Usage(format!("cannot read {}: {error}", path.display()));
    let none = || Failure::Usage(format!("there is no certificate in {}", path.display()));
    floe::TlsClient::with_roots(std::fs::read(path).map_err(cannot)?).ok_or_else(none)
}

impl Plan {
    fn transport(&self) -> RelayTransport {
        self.server.transport
    }
}
