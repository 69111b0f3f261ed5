//! What the peer's description says beside its candidates (RFC 8839 §5).

use core::time::Duration;

use crate::candidate::Credentials;

/// The peer's credentials and ICE options.
///
/// ```
/// use floe_ice::{RemoteParameters, candidate::Credentials};
///
/// let credentials = Credentials::new("8hhY", "asd88fgpdd777uzjYhagZg")?;
/// let remote = RemoteParameters::new(credentials).with_pacing(core::time::Duration::from_millis(100));
/// assert!(!remote.lite);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct RemoteParameters {
    /// ufrag and pwd.
    pub credentials: Credentials,
    /// `a=ice-pacing`; the larger of both sides' counts (RFC 8839 §5.5). `None` means 50 ms.
    pub pacing: Option<Duration>,
    /// `a=ice-lite`: the peer is a lite implementation, and we are controlling (RFC 8445 §6.1.1).
    pub lite: bool,
}

impl RemoteParameters {
    /// A full agent without special wishes.
    #[must_use]
    pub fn new(credentials: Credentials) -> Self {
        Self { credentials, pacing: None, lite: false }
    }

    /// With `a=ice-pacing`.
    #[must_use]
    pub fn with_pacing(mut self, pacing: Duration) -> Self {
        self.pacing = Some(pacing);
        self
    }

    /// With `a=ice-lite`.
    #[must_use]
    pub fn with_lite(mut self) -> Self {
        self.lite = true;
        self
    }
}

impl From<Credentials> for RemoteParameters {
    fn from(credentials: Credentials) -> Self {
        Self::new(credentials)
    }
}
