//! Changing a network while it runs.

use super::{Attachment, Topology, TopologyError};
use crate::id::{HostId, InterfaceId, RouterId, SegmentId};

impl Topology {
    /// Takes an interface off its segment; its addresses are gone. Its host.
    pub(crate) fn detach(&mut self, id: InterfaceId) -> Result<HostId, TopologyError> {
        let interface = self.interfaces.get_mut(id.index()).ok_or(TopologyError::UnknownId)?;
        let addresses = std::mem::take(&mut interface.addresses);
        if let Some(segment) = interface.segment.take() {
            for ip in &addresses {
                self.segments[segment.index()].addresses.remove(ip);
            }
        }
        Ok(interface.host)
    }

    /// Attaches an interface elsewhere, with new addresses. Its host.
    pub(crate) fn reattach(&mut self, id: InterfaceId, segment: SegmentId) -> Result<HostId, TopologyError> {
        let families = self.interface(id).ok_or(TopologyError::UnknownId)?.families;
        self.segment(segment).ok_or(TopologyError::UnknownId)?;
        let host = self.detach(id)?;
        let addresses = self.claim(segment, families, &[], Attachment::Interface(id))?;
        let interface = &mut self.interfaces[id.index()];
        interface.segment = Some(segment);
        interface.addresses = addresses;
        Ok(host)
    }

    /// Forgets all state of a router.
    pub(crate) fn reboot(&mut self, id: RouterId) -> Result<(), TopologyError> {
        let router = self.routers.get_mut(id.index()).ok_or(TopologyError::UnknownId)?;
        router.firewall_v4.reset();
        router.firewall_v6.reset();
        if let Some(nat) = &mut router.nat {
            nat.reset(router.external_v4.clone());
        }
        Ok(())
    }
}
