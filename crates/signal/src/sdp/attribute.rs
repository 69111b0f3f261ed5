//! Values of attributes that are needed to open a transport: DTLS roles and fingerprints.

use std::fmt;
use std::str::FromStr;

use super::{SdpError, SdpFault};

/// Who opens the DTLS connection (RFC 4145 §4, RFC 8842 §5).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Setup {
    /// This side does.
    Active,
    /// The other side does.
    Passive,
    /// Either: the answer decides. An offer says this (RFC 8829 §5.2.1).
    Actpass,
    /// None for now.
    Holdconn,
}

impl Setup {
    /// What the answer to an offer with this value says: active to an offer that leaves the choice (RFC 8829 §5.3.1), so
    /// that the handshake begins with the answer. `None` when no connection is wanted.
    ///
    /// ```
    /// use floe_signal::sdp::Setup;
    ///
    /// assert_eq!(Setup::Actpass.answered(), Some(Setup::Active));
    /// ```
    #[must_use]
    pub const fn answered(self) -> Option<Self> {
        match self {
            Self::Actpass | Self::Passive => Some(Self::Active),
            Self::Active => Some(Self::Passive),
            Self::Holdconn => None,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Passive => "passive",
            Self::Actpass => "actpass",
            Self::Holdconn => "holdconn",
        }
    }
}

impl fmt::Display for Setup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Setup {
    type Err = SdpError;

    fn from_str(text: &str) -> Result<Self, SdpError> {
        [Self::Active, Self::Passive, Self::Actpass, Self::Holdconn]
            .into_iter()
            .find(|setup| setup.name().eq_ignore_ascii_case(text))
            .ok_or(SdpError::whole(SdpFault::Malformed("setup")))
    }
}

/// The fingerprint of a certificate (RFC 8122 §5).
///
/// ```
/// use floe_signal::sdp::Fingerprint;
///
/// let ours = Fingerprint::sha256([0xab; 32]);
/// assert!(ours.to_string().starts_with("sha-256 AB:AB:AB"));
/// assert_eq!(ours.to_string().parse::<Fingerprint>()?, ours);
/// # Ok::<(), floe_signal::sdp::SdpError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fingerprint {
    algorithm: Box<str>,
    bytes: Box<[u8]>,
}

impl Fingerprint {
    /// The SHA-256 of a certificate's DER.
    #[must_use]
    pub fn sha256(digest: [u8; 32]) -> Self {
        Self { algorithm: "sha-256".into(), bytes: digest.into() }
    }

    /// The hash function in lower case, such as `sha-256`.
    #[must_use]
    pub fn algorithm(&self) -> &str {
        &self.algorithm
    }

    /// The digest.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.algorithm)?;
        for (i, byte) in self.bytes.iter().enumerate() {
            write!(f, "{}{byte:02X}", if i == 0 { ' ' } else { ':' })?;
        }
        Ok(())
    }
}

/// The longest digest that is read: that of SHA-512.
const MAX_DIGEST: usize = 64;

impl FromStr for Fingerprint {
    type Err = SdpError;

    fn from_str(text: &str) -> Result<Self, SdpError> {
        fingerprint(text).ok_or(SdpError::whole(SdpFault::Malformed("fingerprint")))
    }
}

fn fingerprint(text: &str) -> Option<Fingerprint> {
    let (algorithm, digest) = text.split_once(' ')?;
    if algorithm.len() > 32 || !is_token(algorithm) || digest.len() > 3 * MAX_DIGEST {
        return None;
    }
    // RFC 8122 §5 has upper case; what reads it takes either.
    let byte = |pair: &str| {
        let hex = pair.len() == 2 && pair.bytes().all(|b| b.is_ascii_hexdigit());
        hex.then(|| u8::from_str_radix(pair, 16).ok()).flatten()
    };
    let bytes: Option<Box<[u8]>> = digest.split(':').map(byte).collect();
    let bytes = bytes.filter(|bytes| bytes.len() <= MAX_DIGEST)?;
    Some(Fingerprint { algorithm: algorithm.to_ascii_lowercase().into(), bytes })
}

/// RFC 8866 §9: a token, such as an identification tag.
pub(super) fn is_token(text: &str) -> bool {
    !text.is_empty()
        && text.bytes().all(|byte| byte.is_ascii_graphic() && !b"\"(),/:;<=>?@[\\]".contains(&byte))
}
