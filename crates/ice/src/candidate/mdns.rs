//! Candidates whose address is hidden behind an mDNS name.

use alloc::boxed::Box;
use core::fmt;
use core::net::{IpAddr, SocketAddr};

use super::{Candidate, address, text};

/// A candidate line with a `.local` name for an address: everything but the address.
///
/// ```
/// use floe_ice::candidate::{Candidate, CandidateParseError};
///
/// let line = "candidate:1 1 udp 2113937151 1f4712db-ea17-4bcf-a596-105139dfd8bf.local 54596 typ host";
/// let Err(CandidateParseError::Mdns(hidden)) = line.parse::<Candidate>() else {
///     return Err("an mDNS candidate".into());
/// };
/// assert_eq!(hidden.name(), "1f4712db-ea17-4bcf-a596-105139dfd8bf.local");
/// assert_eq!(hidden.to_string(), line);
/// let candidate = hidden.resolved("192.0.2.7".parse()?);
/// assert_eq!(candidate.address(), "192.0.2.7:54596".parse()?);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct MdnsCandidate {
    name: Box<str>,
    /// With the unspecified address in place of the name.
    template: Candidate,
}

impl MdnsCandidate {
    pub(super) const fn new(name: Box<str>, template: Candidate) -> Self {
        Self { name, template }
    }

    /// The name, as it stands in the line.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    #[cfg(feature = "serde")]
    pub(super) fn with_ufrag(self, ufrag: &str) -> Result<Self, super::CandidateParseError> {
        Ok(Self { template: self.template.with_ufrag(ufrag)?, name: self.name })
    }

    /// The candidate, when the name turned out to be that of `ip`.
    #[must_use]
    pub fn resolved(&self, ip: IpAddr) -> Candidate {
        let mut candidate = self.template.clone();
        candidate.address = address::canonical(SocketAddr::new(ip, candidate.address.port()));
        candidate
    }
}

impl fmt::Display for MdnsCandidate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        text::write_line(f, &self.template, &self.name)
    }
}

impl fmt::Debug for MdnsCandidate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MdnsCandidate({self})")
    }
}
