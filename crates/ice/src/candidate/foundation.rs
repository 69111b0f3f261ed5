//! Foundations: which candidates are likely to work or fail together (RFC 8445 §5.1.1.3).

use alloc::vec::Vec;
use core::fmt;
use core::net::IpAddr;

use super::kind::{CandidateKind, Protocol};
use crate::tight;

/// The foundation of a candidate: 1 to 32 ice-chars (RFC 8839 §5.1), kept inline.
///
/// ```
/// use floe_ice::candidate::Foundation;
///
/// let foundation = Foundation::new("6815297761").ok_or("not 1 to 32 ice-chars")?;
/// assert_eq!(foundation.as_str(), "6815297761");
/// assert_eq!(Foundation::new("not an ice-char"), None);
/// # Ok::<(), &str>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Foundation {
    /// Zero beyond `len`, so that the derived comparisons are those of the text.
    bytes: [u8; Self::MAX_LEN],
    len: u8,
}

impl Foundation {
    /// The longest foundation, in characters (RFC 8839 §5.1).
    pub const MAX_LEN: usize = 32;

    /// The foundation with this text, or `None` when it is not 1 to 32 ice-chars (letters, digits, `+`, `/`).
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let source = text.as_bytes();
        if source.is_empty() || !source.iter().copied().all(is_ice_char) {
            return None;
        }
        let mut bytes = [0; Self::MAX_LEN];
        bytes.get_mut(..source.len())?.copy_from_slice(source);
        Some(Self { bytes, len: u8::try_from(source.len()).ok()? })
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        // Ice-chars are ASCII and `len` is in range: neither fallback is reachable.
        let bytes = self.bytes.get(..usize::from(self.len)).unwrap_or_default();
        core::str::from_utf8(bytes).unwrap_or_default()
    }

    /// A foundation for a remote peer-reflexive candidate: arbitrary, but different from that of every other remote
    /// candidate (RFC 8445 §7.3.1.3). `is_taken` says whether one of those has it; it is asked at most once more than
    /// there are foundations it answers `true` for.
    ///
    /// ```
    /// use floe_ice::candidate::Foundation;
    ///
    /// let known = [Foundation::new("prflx1"), Foundation::new("1")];
    /// let fresh = Foundation::peer_reflexive(|candidate| known.contains(&Some(*candidate)));
    /// assert_eq!(fresh.as_str(), "prflx2");
    /// ```
    #[must_use]
    pub fn peer_reflexive(mut is_taken: impl FnMut(&Self) -> bool) -> Self {
        let mut number = 1;
        loop {
            let foundation = Self::numbered("prflx", number);
            // Nobody holds 2^32 candidates: the second condition only says that this ends.
            if !is_taken(&foundation) || number == u32::MAX {
                return foundation;
            }
            number += 1;
        }
    }

    /// `prefix` (at most 22 ice-chars) followed by the decimal digits of `number`.
    pub(super) fn numbered(prefix: &str, number: u32) -> Self {
        let mut bytes = [0; Self::MAX_LEN];
        let digits = number.checked_ilog10().unwrap_or(0) as usize + 1;
        let len = (prefix.len() + digits).min(Self::MAX_LEN);
        let mut rest = number;
        for slot in bytes.iter_mut().take(len).rev().take(digits) {
            *slot = b'0' + (rest % 10) as u8;
            rest /= 10;
        }
        for (slot, byte) in bytes.iter_mut().zip(prefix.bytes()) {
            *slot = byte;
        }
        Self { bytes, len: len as u8 }
    }
}

impl fmt::Display for Foundation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Foundation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_str().fmt(f)
    }
}

/// ALPHA, DIGIT, `+` or `/` (RFC 8839 §5.1).
pub(super) const fn is_ice_char(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'+' || byte == b'/'
}

/// What decides whether two local candidates have the same foundation (RFC 8445 §5.1.1.3). Ports play no part.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct FoundationKey {
    /// The candidate's type.
    pub kind: CandidateKind,
    /// The IP address of the candidate's base.
    pub base: IpAddr,
    /// The IP address at which the server (for a local peer-reflexive candidate: the peer) was contacted; `None` for
    /// host candidates.
    pub server: Option<IpAddr>,
    /// The transport used to obtain the candidate: for relayed candidates that to the server, not that of the candidate.
    pub transport: Protocol,
}

/// Gives the local candidates of a session their foundations: the same for equal [`FoundationKey`]s, different ones
/// otherwise. Foundations are counted, not hashed, so different keys cannot meet; the same calls give the same foundations.
///
/// One table serves all streams of a session, because foundations thaw across checklists (RFC 8445 §6.1.2.6).
///
/// ```
/// use floe_ice::candidate::{CandidateKind, FoundationKey, FoundationTable, Protocol};
///
/// let mut table = FoundationTable::new();
/// let host = FoundationKey {
///     kind: CandidateKind::Host,
///     base: "192.0.2.1".parse()?,
///     server: None,
///     transport: Protocol::Udp,
/// };
/// let reflexive = FoundationKey {
///     kind: CandidateKind::ServerReflexive,
///     server: Some("198.51.100.1".parse()?),
///     ..host
/// };
/// assert_eq!(table.foundation(host), table.foundation(host));
/// assert_ne!(table.foundation(host), table.foundation(reflexive));
/// # Ok::<(), core::net::AddrParseError>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct FoundationTable {
    /// The foundation of a key is its position, from 1.
    keys: Vec<FoundationKey>,
}

impl FoundationTable {
    /// The most different foundations that one table gives.
    pub const MAX_FOUNDATIONS: usize = 1024;

    /// An empty table. It allocates at the first foundation.
    #[must_use]
    pub const fn new() -> Self {
        Self { keys: Vec::new() }
    }

    /// Gives back what is not used.
    pub(crate) fn shrink(&mut self) {
        self.keys.shrink_to_fit();
    }

    /// The foundation for `key`, or `None` when the key is new and [`MAX_FOUNDATIONS`](Self::MAX_FOUNDATIONS) are
    /// given out: the candidate should not be gathered then.
    pub fn foundation(&mut self, key: FoundationKey) -> Option<Foundation> {
        let key = FoundationKey {
            base: key.base.to_canonical(),
            server: key.server.map(|ip| ip.to_canonical()),
            ..key
        };
        let index = match self.keys.iter().position(|known| *known == key) {
            Some(index) => index,
            None if self.keys.len() < Self::MAX_FOUNDATIONS => {
                tight::push(&mut self.keys, key);
                self.keys.len() - 1
            }
            None => return None,
        };
        Some(Foundation::numbered("", u32::try_from(index + 1).ok()?))
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    fn host(base: &str) -> FoundationKey {
        FoundationKey { kind: CandidateKind::Host, base: ip(base), server: None, transport: Protocol::Udp }
    }

    #[test]
    fn the_text_is_1_to_32_ice_chars() {
        for good in ["1", "A/+z09", "0123456789abcdef0123456789ABCDEF"] {
            assert_eq!(Foundation::new(good).map(|f| f.to_string()).as_deref(), Some(good));
        }
        for bad in ["", "a-b", "a b", "é", "0123456789abcdef0123456789ABCDEF0"] {
            assert_eq!(Foundation::new(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn numbered_foundations_are_the_decimal_numbers() {
        for number in [0, 1, 9, 10, 99, 100, 4_294_967_295] {
            assert_eq!(Foundation::numbered("", number).to_string(), number.to_string());
            let prefixed = Foundation::numbered("prflx", number);
            assert_eq!(Foundation::new(prefixed.as_str()), Some(prefixed));
        }
        assert_eq!(Foundation::numbered("prflx", 12).as_str(), "prflx12");
    }

    #[test]
    fn each_of_the_four_properties_makes_another_foundation() {
        let mut table = FoundationTable::new();
        let server = Some(ip("198.51.100.1"));
        let keys = [
            host("192.0.2.1"),
            host("192.0.2.2"),
            FoundationKey { transport: Protocol::Tcp, ..host("192.0.2.1") },
            FoundationKey { kind: CandidateKind::ServerReflexive, server, ..host("192.0.2.1") },
            FoundationKey { kind: CandidateKind::Relayed, server, ..host("192.0.2.1") },
            FoundationKey {
                kind: CandidateKind::Relayed,
                server: Some(ip("198.51.100.2")),
                ..host("192.0.2.1")
            },
            FoundationKey {
                kind: CandidateKind::Relayed,
                server,
                transport: Protocol::Tcp,
                ..host("192.0.2.1")
            },
        ];
        let given: Vec<_> = keys.iter().map(|key| table.foundation(*key).expect("room")).collect();
        for (i, a) in given.iter().enumerate() {
            assert!(given.iter().skip(i + 1).all(|b| a != b), "{a} twice");
        }
        let again: Vec<_> = keys.iter().map(|key| table.foundation(*key).expect("room")).collect();
        assert_eq!(given, again);
    }

    #[test]
    fn a_mapped_address_has_the_foundation_of_the_plain_one() {
        let mut table = FoundationTable::new();
        assert_eq!(table.foundation(host("::ffff:192.0.2.1")), table.foundation(host("192.0.2.1")));
    }

    #[test]
    fn the_table_is_bounded_and_keeps_what_it_gave() {
        let mut table = FoundationTable::new();
        for i in 0..FoundationTable::MAX_FOUNDATIONS as u32 {
            assert!(
                table
                    .foundation(FoundationKey { base: IpAddr::from(i.to_be_bytes()), ..host("0.0.0.0") })
                    .is_some()
            );
        }
        assert_eq!(table.foundation(host("255.0.0.1")), None);
        assert_eq!(table.foundation(host("0.0.0.9")).expect("known").as_str(), "10");
    }

    #[test]
    fn a_peer_reflexive_foundation_is_nobody_elses() {
        let mut taken = Vec::new();
        for _ in 0..20 {
            let fresh = Foundation::peer_reflexive(|f| taken.contains(f));
            assert!(!taken.contains(&fresh));
            taken.push(fresh);
        }
    }
}
