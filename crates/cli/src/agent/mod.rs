//! `floe agent`: one agent, spoken to in JSON lines.

pub(crate) mod lines;
mod protocol;
mod remarks;
mod session;

use std::io;
use std::net::IpAddr;

use floe::{Agent, Builder};

use crate::failure::{Failure, Outcome};
use crate::relay::RelayArgs;

use remarks::Remarks;
use session::Session;

/// Run one agent that is spoken to in JSON lines
///
/// For scripts and interoperability tests. What it prints goes to the peer, what
/// the peer's agent prints comes in; how the lines travel is up to the script.
/// Each line is one JSON object. The standard output carries nothing else; remarks
/// go to the standard error.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment, after_help = PROTOCOL)]
pub(crate) struct Args {
    /// Begin as the controlling agent, which nominates
    #[arg(long, conflicts_with = "controlled")]
    controlling: bool,

    /// Begin as the controlled agent (the default)
    #[arg(long)]
    controlled: bool,

    /// Ask this STUN server for server-reflexive
    /// candidates; can be repeated
    #[arg(long, value_name = "HOST:PORT", verbatim_doc_comment)]
    stun: Vec<String>,

    #[command(flatten)]
    relay: RelayArgs,

    /// Use this address of this machine only; can be
    /// repeated. Loopback addresses are used if they are
    /// given here, and only then
    #[arg(long, value_name = "IP", verbatim_doc_comment)]
    bind: Vec<IpAddr>,
}

const PROTOCOL: &str = "\
Out:
  {\"type\":\"credentials\",\"ufrag\":…,\"pwd\":…}
      first of all, and new ones after each restart
  {\"type\":\"candidate\",\"candidate\":\"candidate:…\"}
      each names the ufrag it belongs to
  {\"type\":\"end-of-candidates\",\"ufrag\":…}
  {\"type\":\"state\",\"state\":…}
      gathering once at the start, then checking, connected, completed,
      disconnected and failed as they come, and closed at the very end
  {\"type\":\"selected-pair\",\"local\":\"candidate:…\",\"remote\":\"candidate:…\"}
  {\"type\":\"data\",\"data\":…}
      what the peer sent; bytes that are not UTF-8 become U+FFFD
  {\"type\":\"error\",\"message\":…}
      a line that came in makes no sense or cannot be done; the agent goes on
In:
  {\"type\":\"remote-credentials\",\"ufrag\":…,\"pwd\":…}
      other ones than before are the answer to a restart, or mean that the peer
      has restarted, and then this agent does so too
  {\"type\":\"remote-candidate\",\"candidate\":\"candidate:…\"}
      before or after the credentials; those of a kind that the agent does not
      speak are ignored
  {\"type\":\"remote-end-of-candidates\",\"ufrag\":…}
      the ufrag may be left out where nothing is restarted
  {\"type\":\"restart\"}
      restarts ICE: new credentials and candidates are printed, and data goes on
      where it went until there is a new path; also when the agent has failed
  {\"type\":\"send\",\"data\":…}
      before there is a path, 64 are kept, and sent in order when there is one;
      further ones get an error, and so do all when the agent has failed
  {\"type\":\"close\"}

It ends with status 0 when it is told to close or its input ends. What is kept
then is not sent.";

/// Runs `floe agent`.
pub(crate) fn run(args: &Args) -> Outcome {
    let runtime = crate::runtime::new()?;
    let (output, writer) = lines::write(io::stdout());
    let talk = async {
        let mut builder = Agent::builder();
        if args.controlling {
            builder = builder.controlling();
        }
        builder = args.stun.iter().fold(builder, Builder::stun_server);
        builder = args.relay.apply(builder)?;
        builder = args.bind.iter().fold(builder, |builder, &address| builder.bind(address));
        let agent = builder.start().await.map_err(|error| Failure::of_start(&error))?;
        let session = Session::new(agent, output, Remarks::to(io::stderr()))
            .map_err(|error| Failure::Failed(error.to_string()))?;
        // That nobody reads any more is known from the writer, with the reason.
        let _ = session.run(lines::read(io::BufReader::new(io::stdin()))).await;
        Ok(())
    };
    runtime.block_on(talk)?;
    match writer.join() {
        Ok(written) => written.map_err(|error| Failure::of_output(&error)),
        Err(_) => Err(Failure::Failed("the output ended unexpectedly".to_owned())),
    }
}
