//! USERHASH, PASSWORD-ALGORITHM and PASSWORD-ALGORITHMS (RFC 8489 §14.4, §14.11, §14.12).

use core::fmt;

use sha2::{Digest, Sha256};

use crate::attribute::{Attribute, AttributeType, RawAttribute, fill};
use crate::error::{DecodeError, EncodeError};
use crate::header::{TransactionId, padded};

/// USERHASH: stands for the user name where it must not be seen (RFC 8489 §14.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Userhash(pub [u8; 32]);

impl Userhash {
    /// SHA-256 of `username ":" realm`. Both must have been prepared with OpaqueString; see [`Key`](crate::Key).
    ///
    /// ```
    /// use floe_stun::attributes::Userhash;
    ///
    /// let hash = Userhash::compute("マトリックス", "example.org"); // RFC 8489 Appendix B.1
    /// assert_eq!(hash.0[..4], [0x4a, 0x3c, 0xf3, 0x8f]);
    /// ```
    #[must_use]
    pub fn compute(username: &str, realm: &str) -> Self {
        let hash = Sha256::new().chain_update(username).chain_update(b":").chain_update(realm);
        Self(hash.finalize().into())
    }
}

impl<'a> Attribute<'a> for Userhash {
    const TYPE: AttributeType = AttributeType::USERHASH;

    fn decode(raw: RawAttribute<'a>, _: &TransactionId) -> Result<Self, DecodeError> {
        raw.exactly().map(|hash| Self(*hash))
    }

    fn value_len(&self) -> usize {
        32
    }

    fn encode(&self, value: &mut [u8], _: &TransactionId) -> Result<(), EncodeError> {
        fill(value, &self.0)
    }
}

/// PASSWORD-ALGORITHM: how a long-term key is derived from the password (RFC 8489 §14.12, §18.5).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct PasswordAlgorithm<'a> {
    number: u16,
    parameters: &'a [u8],
}

impl PasswordAlgorithm<'static> {
    /// MD5, for servers that know nothing better (RFC 8489 §18.5.1.1).
    pub const MD5: Self = Self::new(1, &[]);
    /// SHA-256 (RFC 8489 §18.5.1.2).
    pub const SHA256: Self = Self::new(2, &[]);
}

impl<'a> PasswordAlgorithm<'a> {
    /// The algorithm with this number (RFC 8489 §18.5) and these parameters.
    #[must_use]
    pub const fn new(number: u16, parameters: &'a [u8]) -> Self {
        Self { number, parameters }
    }

    /// The registered number.
    #[must_use]
    pub const fn number(&self) -> u16 {
        self.number
    }

    /// The parameters; empty for both algorithms that exist.
    #[must_use]
    pub const fn parameters(&self) -> &'a [u8] {
        self.parameters
    }

    const fn encoded_len(&self) -> usize {
        4 + padded(self.parameters.len())
    }

    /// Reads one algorithm and returns what follows it. The padding after the last one may be missing.
    fn split(bytes: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let (&[n0, n1, len0, len1], rest) = bytes.split_first_chunk()?;
        let len = usize::from(u16::from_be_bytes([len0, len1]));
        let parameters = rest.get(..len)?;
        let rest = rest.get(padded(len)..).unwrap_or_default();
        Some((Self { number: u16::from_be_bytes([n0, n1]), parameters }, rest))
    }

    /// Writes the algorithm at the start of `out` and returns what is left of `out`.
    fn write<'o>(&self, out: &'o mut [u8], kind: AttributeType) -> Result<&'o mut [u8], EncodeError> {
        let len = u16::try_from(self.parameters.len()).map_err(|_| EncodeError::AttributeTooLong(kind))?;
        let (own, rest) = out.split_at_mut_checked(self.encoded_len()).ok_or(EncodeError::BufferTooSmall)?;
        own.fill(0);
        let (head, parameters) = own.split_first_chunk_mut().ok_or(EncodeError::BufferTooSmall)?;
        let ([n0, n1], [len0, len1]) = (self.number.to_be_bytes(), len.to_be_bytes());
        *head = [n0, n1, len0, len1];
        fill(&mut parameters[..self.parameters.len()], self.parameters)?;
        Ok(rest)
    }
}

impl<'a> Attribute<'a> for PasswordAlgorithm<'a> {
    const TYPE: AttributeType = AttributeType::PASSWORD_ALGORITHM;

    fn decode(raw: RawAttribute<'a>, _: &TransactionId) -> Result<Self, DecodeError> {
        match Self::split(raw.value) {
            Some((algorithm, [])) => Ok(algorithm),
            Some(_) => Err(raw.bad_length()),
            None => Err(DecodeError::MalformedList(raw.kind)),
        }
    }

    fn value_len(&self) -> usize {
        self.encoded_len()
    }

    fn encode(&self, value: &mut [u8], _: &TransactionId) -> Result<(), EncodeError> {
        self.write(value, Self::TYPE).map(|_| ())
    }
}

impl fmt::Debug for PasswordAlgorithm<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.number, self.parameters) {
            (1, []) => f.write_str("MD5"),
            (2, []) => f.write_str("SHA-256"),
            (number, parameters) => write!(f, "algorithm 0x{number:04x}[{}]", parameters.len()),
        }
    }
}

/// PASSWORD-ALGORITHMS: what a server accepts, its favourite first (RFC 8489 §14.11).
///
/// A decoded list is encoded again byte for byte, as the client must echo it (§9.2.5).
///
/// ```
/// use floe_stun::attributes::{PasswordAlgorithm, PasswordAlgorithms};
///
/// let offered = [PasswordAlgorithm::SHA256, PasswordAlgorithm::MD5];
/// assert!(PasswordAlgorithms::new(&offered).iter().eq(offered));
/// ```
#[derive(Clone, Copy)]
pub struct PasswordAlgorithms<'a>(AlgorithmList<'a>);

#[derive(Clone, Copy)]
enum AlgorithmList<'a> {
    /// Bytes that `PasswordAlgorithm::split` takes apart to the end.
    Received(&'a [u8]),
    Given(&'a [PasswordAlgorithm<'a>]),
}

impl<'a> PasswordAlgorithms<'a> {
    /// A list of these algorithms.
    #[must_use]
    pub const fn new(algorithms: &'a [PasswordAlgorithm<'a>]) -> Self {
        Self(AlgorithmList::Given(algorithms))
    }

    /// The algorithms in the list.
    pub fn iter(&self) -> impl Iterator<Item = PasswordAlgorithm<'a>> + use<'a> {
        let (mut received, given): (&[u8], &[PasswordAlgorithm<'a>]) = match self.0 {
            AlgorithmList::Received(bytes) => (bytes, &[]),
            AlgorithmList::Given(algorithms) => (&[], algorithms),
        };
        let received = core::iter::from_fn(move || {
            let (algorithm, rest) = PasswordAlgorithm::split(received)?;
            received = rest;
            Some(algorithm)
        });
        received.chain(given.iter().copied())
    }
}

impl<'a> Attribute<'a> for PasswordAlgorithms<'a> {
    const TYPE: AttributeType = AttributeType::PASSWORD_ALGORITHMS;

    fn decode(raw: RawAttribute<'a>, _: &TransactionId) -> Result<Self, DecodeError> {
        let mut rest = raw.value;
        while !rest.is_empty() {
            let split = PasswordAlgorithm::split(rest);
            rest = split.ok_or(DecodeError::MalformedList(raw.kind))?.1;
        }
        Ok(Self(AlgorithmList::Received(raw.value)))
    }

    fn value_len(&self) -> usize {
        match self.0 {
            AlgorithmList::Received(bytes) => bytes.len(),
            AlgorithmList::Given(algorithms) => algorithms.iter().map(PasswordAlgorithm::encoded_len).sum(),
        }
    }

    fn encode(&self, value: &mut [u8], _: &TransactionId) -> Result<(), EncodeError> {
        match self.0 {
            AlgorithmList::Received(bytes) => fill(value, bytes),
            AlgorithmList::Given(algorithms) => {
                let write = |out, algorithm: &PasswordAlgorithm<'_>| algorithm.write(out, Self::TYPE);
                algorithms.iter().try_fold(value, write).map(|_| ())
            }
        }
    }
}

impl fmt::Debug for PasswordAlgorithms<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordAlgorithms")?;
        f.debug_list().entries(self.iter()).finish()
    }
}

impl PartialEq for PasswordAlgorithms<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for PasswordAlgorithms<'_> {}
