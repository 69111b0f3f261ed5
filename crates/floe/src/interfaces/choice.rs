//! Which addresses an agent uses: what was named, or else what the filter passes; at the start and again at each restart.

use std::collections::BTreeSet;
use std::net::IpAddr;

use floe_ice::InterfaceAddress;

use crate::error::StartError;

use super::{Interface, is_usual, list};

/// What the application chose.
pub(crate) struct Choice {
    /// These and no others, if there are any.
    pub(crate) bind: Vec<IpAddr>,
    pub(crate) filter: Box<dyn Fn(&Interface) -> bool + Send + Sync>,
}

impl Default for Choice {
    fn default() -> Self {
        Self { bind: Vec::new(), filter: Box::new(is_usual) }
    }
}

impl Choice {
    /// The addresses as they are now.
    pub(crate) fn list(&self) -> Result<Vec<InterfaceAddress>, StartError> {
        let listed = list();
        if self.bind.is_empty() {
            let listed = listed.map_err(StartError::Interfaces)?;
            return Ok(listed.iter().filter(|&i| (self.filter)(i)).map(Interface::to_agent).collect());
        }
        let listed = listed.unwrap_or_default();
        let mut seen = BTreeSet::new();
        let mut chosen = Vec::new();
        for &address in self.bind.iter().filter(|&&address| seen.insert(address)) {
            if address.is_unspecified() || address.is_multicast() {
                return Err(StartError::BindAddress(address));
            }
            let known = listed.iter().find(|interface| interface.address == address);
            let mut entry = InterfaceAddress::new(known.map_or(0, |i| i.index), address);
            entry.prefix_len = known.map(|i| i.prefix_len);
            entry.default_route = known.is_some_and(|i| i.default_route);
            // Neither temporary nor deprecated, even if it is: it was asked for.
            chosen.push(entry);
        }
        Ok(chosen)
    }
}
