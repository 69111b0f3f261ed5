//! Our own certificate: made for one run, and known to the peer by its fingerprint only (RFC 8827 §6.5).

use dimpl::DtlsCertificate;
use floe_signal::sdp::Fingerprint;
use sha2::{Digest, Sha256};

use crate::failure::Failure;

/// A key for ECDSA on P-256 (RFC 8827 §6.5), with a certificate that it signed itself.
#[derive(Clone, Debug)]
pub(crate) struct Certificate(DtlsCertificate);

impl Certificate {
    /// A fresh one.
    ///
    /// # Errors
    /// The system gives no random numbers.
    pub(crate) fn generate() -> Result<Self, Failure> {
        let made = rcgen::generate_simple_self_signed(Vec::new());
        let made = made.map_err(|error| Failure::Failed(format!("no certificate can be made: {error}")))?;
        let certificate = made.cert.der().to_vec();
        let private_key = made.signing_key.serialize_der();
        Ok(Self(DtlsCertificate { certificate, private_key }))
    }

    /// What the peer is told: the SHA-256 of it.
    pub(crate) fn digest(&self) -> [u8; 32] {
        Sha256::digest(&self.0.certificate).into()
    }

    pub(super) fn of_dtls(&self) -> DtlsCertificate {
        self.0.clone()
    }
}

/// Whether a certificate (DER) is one of those that the signalling named (RFC 8122 §5). Only SHA-2 is looked at: everything that speaks
/// WebRTC sends SHA-256.
pub(super) fn is_named(certificate: &[u8], fingerprints: &[Fingerprint]) -> bool {
    fingerprints.iter().any(|named| match named.algorithm() {
        "sha-256" => named.bytes() == Sha256::digest(certificate).as_slice(),
        "sha-384" => named.bytes() == sha2::Sha384::digest(certificate).as_slice(),
        "sha-512" => named.bytes() == sha2::Sha512::digest(certificate).as_slice(),
        _ => false,
    })
}
