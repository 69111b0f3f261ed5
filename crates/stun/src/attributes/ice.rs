//! Attributes of connectivity checks (RFC 8445 §16.1) and of renomination.

use super::{flag_attribute, integer_attribute};
use crate::attribute::{Attribute, AttributeType, RawAttribute, fill};
use crate::error::{DecodeError, EncodeError};
use crate::header::TransactionId;

integer_attribute! {
    /// PRIORITY: what a peer-reflexive candidate learned from this check would have (RFC 8445 §16.1).
    Priority(u32) = PRIORITY;
    /// ICE-CONTROLLED: the sender is controlled; the value is its tie-breaker (RFC 8445 §16.1).
    IceControlled(u64) = ICE_CONTROLLED;
    /// ICE-CONTROLLING: the sender is controlling; the value is its tie-breaker (RFC 8445 §16.1).
    IceControlling(u64) = ICE_CONTROLLING;
}

flag_attribute! {
    /// USE-CANDIDATE: the pair this check is for will carry data (RFC 8445 §16.1).
    UseCandidate = USE_CANDIDATE;
}

/// NOMINATION: renominates the pair; of several values the largest wins (draft-thatcher-ice-renomination).
///
/// Four bytes, of which the low 24 bits count.
///
/// ```
/// use floe_stun::attributes::Nomination;
///
/// assert_eq!(Nomination::new(0x0100_0001).value(), 1);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Nomination(u32);

impl Nomination {
    /// The largest value, 2^24 − 1.
    pub const MAX: Self = Self(0x00FF_FFFF);

    /// A nomination with the low 24 bits of `value`.
    #[must_use]
    pub const fn new(value: u32) -> Self {
        Self(value & Self::MAX.0)
    }

    /// The value, 0 to 2^24 − 1.
    #[must_use]
    pub const fn value(self) -> u32 {
        self.0
    }
}

impl<'a> Attribute<'a> for Nomination {
    const TYPE: AttributeType = AttributeType::NOMINATION;

    fn decode(raw: RawAttribute<'a>, _: &TransactionId) -> Result<Self, DecodeError> {
        Ok(Self::new(u32::from_be_bytes(*raw.exactly()?)))
    }

    fn value_len(&self) -> usize {
        4
    }

    fn encode(&self, value: &mut [u8], _: &TransactionId) -> Result<(), EncodeError> {
        fill(value, &self.0.to_be_bytes())
    }
}
