//! The value of FINGERPRINT (RFC 8489 §14.7).

use crc32fast::Hasher;

/// XORed to the CRC-32 (RFC 8489 §14.7).
const FINGERPRINT_XOR: u32 = 0x5354_554E;

/// FINGERPRINT of a message of which `covered` is everything before the attribute.
#[inline]
pub(crate) fn fingerprint(covered: &[u8]) -> u32 {
    let mut hasher = hasher();
    hasher.update(covered);
    hasher.finalize() ^ FINGERPRINT_XOR
}

/// A new hasher. Asking the CPU for its features costs a third of a CRC over a connectivity check, so it is asked once.
#[cfg(feature = "std")]
#[inline]
fn hasher() -> Hasher {
    static HASHER: std::sync::LazyLock<Hasher> = std::sync::LazyLock::new(Hasher::new);
    HASHER.clone()
}

#[cfg(not(feature = "std"))]
fn hasher() -> Hasher {
    Hasher::new()
}
