//! What makes a run repeatable.

use std::fmt;
use std::str::FromStr;

/// The seed of a network: the same seed and the same inputs give the same run, byte for byte.
///
/// ```
/// use floe_netsim::Seed;
///
/// assert_eq!(Seed::from(42).to_string(), "42");
/// assert_eq!("42".parse(), Ok(Seed::from(42)));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Seed(pub(crate) [u8; 32]);

impl From<u64> for Seed {
    fn from(number: u64) -> Self {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&number.to_le_bytes());
        Self(bytes)
    }
}

impl From<[u8; 32]> for Seed {
    fn from(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl fmt::Display for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut low = [0; 8];
        low.copy_from_slice(&self.0[..8]);
        if self.0[8..] == [0; 24] {
            return write!(f, "{}", u64::from_le_bytes(low));
        }
        f.write_str("0x")?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Seed({self})")
    }
}

/// Not a seed: a seed is a decimal number below 2^64, or `0x` and 64 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ParseSeedError;

impl fmt::Display for ParseSeedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a seed: use a decimal number below 2^64, or 0x and 64 hexadecimal digits")
    }
}

impl core::error::Error for ParseSeedError {}

impl FromStr for Seed {
    type Err = ParseSeedError;

    fn from_str(s: &str) -> Result<Self, ParseSeedError> {
        let Some(hex) = s.strip_prefix("0x") else {
            return s.parse::<u64>().map(Self::from).map_err(|_| ParseSeedError);
        };
        let mut bytes = [0; 32];
        if hex.len() != 64 || !hex.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return Err(ParseSeedError);
        }
        for (byte, i) in bytes.iter_mut().zip((0..).step_by(2)) {
            *byte = u8::from_str_radix(&hex[i..i + 2], 16).map_err(|_| ParseSeedError)?;
        }
        Ok(Self(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printed_can_be_read_back() {
        for seed in [Seed::from(0), Seed::from(u64::MAX), Seed::from([7; 32]), Seed::from([0xFF; 32])] {
            assert_eq!(seed.to_string().parse(), Ok(seed));
        }
        for bad in ["", "-1", "18446744073709551616", "0x", "0x12", &format!("0x{}", "é".repeat(32))] {
            assert_eq!(bad.parse::<Seed>(), Err(ParseSeedError), "{bad}");
        }
    }
}
