//! The arguments of commands that start one agent.

use std::net::IpAddr;

use floe::{Agent, Builder};

use crate::failure::Failure;
use crate::relay::RelayArgs;

/// Where candidates come from.
#[derive(Debug, clap::Args)]
pub(crate) struct AgentArgs {
    /// Ask this STUN server for server-reflexive
    /// candidates; can be repeated
    #[arg(long, value_name = "HOST:PORT", verbatim_doc_comment)]
    pub(crate) stun: Vec<String>,

    #[command(flatten)]
    pub(crate) relay: RelayArgs,

    /// Use this address of this machine only; can be
    /// repeated. Loopback addresses are used if they are
    /// given here, and only then
    #[arg(long, value_name = "IP", verbatim_doc_comment)]
    pub(crate) bind: Vec<IpAddr>,
}

impl AgentArgs {
    /// The agent that these ask for, not yet started.
    pub(crate) fn builder(&self) -> Result<Builder, Failure> {
        let builder = self.stun.iter().fold(Agent::builder(), Builder::stun_server);
        let builder = self.relay.apply(builder)?;
        Ok(self.bind.iter().fold(builder, |builder, &address| builder.bind(address)))
    }
}
