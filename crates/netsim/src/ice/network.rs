//! Agents as parts of a network.

use std::fmt;
use std::time::Duration;

use floe_ice::{Config, ConfigError, ConnectionState, ServerAddress};

use super::IcePeer;
use crate::id::Handle;
use crate::network::Network;
use crate::site::Site;
use crate::stun_server::StunServer;
use crate::topology::TopologyError;

/// Why an [`IcePeer`] could not be added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AddPeerError {
    /// Its place.
    Topology(TopologyError),
    /// Its configuration.
    Config(ConfigError),
}

impl fmt::Display for AddPeerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Topology(error) => error.fmt(f),
            Self::Config(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for AddPeerError {}

impl From<TopologyError> for AddPeerError {
    fn from(error: TopologyError) -> Self {
        Self::Topology(error)
    }
}

impl From<ConfigError> for AddPeerError {
    fn from(error: ConfigError) -> Self {
        Self::Config(error)
    }
}

impl Network {
    /// Adds a host with an ICE agent at a site of its own. For an agent on a host of your own, [`IcePeer::new`] and
    /// [`Network::add_endpoint`].
    ///
    /// # Errors
    /// As [`Network::add_peer`] and [`IcePeer::new`].
    pub fn add_ice_peer(
        &mut self,
        name: &str,
        site: &Site,
        config: Config,
    ) -> Result<Handle<IcePeer>, AddPeerError> {
        let endpoint = IcePeer::new(config, self.now())?;
        let peer = self.add_peer(name, site)?;
        Ok(self.add_endpoint(peer.host, endpoint)?)
    }

    /// The addresses of a STUN server, for [`GatherConfig::servers`](floe_ice::GatherConfig::servers).
    #[must_use]
    pub fn server_addresses(&self, server: Handle<StunServer>) -> Vec<ServerAddress> {
        let addresses = self.get(server).map_or(&[][..], StunServer::addresses);
        addresses.iter().copied().map(ServerAddress::Address).collect()
    }

    /// Starts two peers with each other.
    pub fn connect_ice(&mut self, a: Handle<IcePeer>, b: Handle<IcePeer>) {
        self.with(a, |peer, _| peer.start(b));
        self.with(b, |peer, _| peer.start(a));
    }

    /// Runs until both peers have completed, one has failed, or `limit` has gone by. Whether both have completed.
    pub fn run_until_connected(&mut self, a: Handle<IcePeer>, b: Handle<IcePeer>, limit: Duration) -> bool {
        let states = |net: &Self| [a, b].map(|peer| net.get(peer).map(|peer| peer.agent().state()));
        self.run_until(limit, |net| {
            let states = states(net);
            let all = |state| states == [Some(state); 2];
            all(ConnectionState::Completed) || states.contains(&Some(ConnectionState::Failed))
        });
        states(self) == [Some(ConnectionState::Completed); 2]
    }
}
