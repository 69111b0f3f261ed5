//! What the fixed 20 bytes at the start of a message say (RFC 8489 §5).

use core::fmt;

/// Size in bytes of the header that starts every STUN message (RFC 8489 §5).
pub const HEADER_LEN: usize = 20;

/// The fixed value at bytes 4 to 8 of every STUN message (RFC 8489 §5).
pub const MAGIC_COOKIE: u32 = 0x2112_A442;

/// The largest value of the header's Length field: 16 bits, and a multiple of four (RFC 8489 §5).
pub const MAX_BODY_LEN: usize = 65_532;

/// The 96-bit identifier of a transaction (RFC 8489 §5).
///
/// Whoever starts a transaction draws it from a cryptographic random number generator; this crate draws none.
///
/// ```
/// use floe_stun::TransactionId;
///
/// let id = TransactionId::new([7; 12]);
/// assert_eq!(id.as_bytes(), &[7; 12]);
/// assert_eq!(id.to_string(), "070707070707070707070707");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TransactionId([u8; 12]);

impl TransactionId {
    /// A transaction id with these bytes.
    #[must_use]
    pub const fn new(bytes: [u8; 12]) -> Self {
        Self(bytes)
    }

    /// The bytes as they appear on the wire.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 12] {
        &self.0
    }
}

impl fmt::Display for TransactionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for TransactionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TransactionId({self})")
    }
}

/// The class of a message (RFC 8489 §5). There are exactly four.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    /// Expects a response.
    Request,
    /// Expects none.
    Indication,
    /// Answers a request that succeeded.
    Success,
    /// Answers a request that failed; carries ERROR-CODE.
    Error,
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Request => "request",
            Self::Indication => "indication",
            Self::Success => "success response",
            Self::Error => "error response",
        })
    }
}

/// The method of a message: a 12-bit number (RFC 8489 §5).
///
/// ```
/// use floe_stun::Method;
///
/// assert_eq!(Method::new(0x001), Some(Method::BINDING));
/// assert_eq!(Method::new(0x1000), None);
/// assert_eq!(Method::BINDING.to_string(), "Binding");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Method(u16);

impl Method {
    /// Binding (RFC 8489 §18.2).
    pub const BINDING: Self = Self(0x001);
    /// Allocate (RFC 8656 §17).
    pub const ALLOCATE: Self = Self(0x003);
    /// Refresh (RFC 8656 §17).
    pub const REFRESH: Self = Self(0x004);
    /// Send, an indication (RFC 8656 §17).
    pub const SEND: Self = Self(0x006);
    /// Data, an indication (RFC 8656 §17).
    pub const DATA: Self = Self(0x007);
    /// CreatePermission (RFC 8656 §17).
    pub const CREATE_PERMISSION: Self = Self(0x008);
    /// ChannelBind (RFC 8656 §17).
    pub const CHANNEL_BIND: Self = Self(0x009);
    /// Connect (RFC 6062 §6.1).
    pub const CONNECT: Self = Self(0x00A);
    /// ConnectionBind (RFC 6062 §6.1).
    pub const CONNECTION_BIND: Self = Self(0x00B);
    /// ConnectionAttempt, an indication (RFC 6062 §6.1).
    pub const CONNECTION_ATTEMPT: Self = Self(0x00C);

    /// The method with this number, `None` above `0xFFF`.
    #[must_use]
    pub const fn new(number: u16) -> Option<Self> {
        if number <= 0xFFF { Some(Self(number)) } else { None }
    }

    /// The method's number, 0 to `0xFFF`.
    #[must_use]
    pub const fn number(self) -> u16 {
        self.0
    }

    /// The registered name, if this crate knows it.
    #[must_use]
    pub const fn name(self) -> Option<&'static str> {
        Some(match self {
            Self::BINDING => "Binding",
            Self::ALLOCATE => "Allocate",
            Self::REFRESH => "Refresh",
            Self::SEND => "Send",
            Self::DATA => "Data",
            Self::CREATE_PERMISSION => "CreatePermission",
            Self::CHANNEL_BIND => "ChannelBind",
            Self::CONNECT => "Connect",
            Self::CONNECTION_BIND => "ConnectionBind",
            Self::CONNECTION_ATTEMPT => "ConnectionAttempt",
            _ => return None,
        })
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "method 0x{:03x}", self.0),
        }
    }
}

impl fmt::Debug for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The 14 bits that say class and method: `M11..M7 C1 M6..M4 C0 M3..M0` (RFC 8489 §5, figure 3).
#[inline]
pub(crate) const fn message_type(class: Class, method: Method) -> u16 {
    let class = match class {
        Class::Request => 0x000,
        Class::Indication => 0x010,
        Class::Success => 0x100,
        Class::Error => 0x110,
    };
    let m = method.0;
    class | (m & 0xF80) << 2 | (m & 0x070) << 1 | (m & 0x00F)
}

/// C1 and C0, which are clear in a request.
pub(crate) const CLASS_BITS: u16 = 0x110;

#[inline]
pub(crate) const fn class_of(message_type: u16) -> Class {
    match message_type & CLASS_BITS {
        0x000 => Class::Request,
        0x010 => Class::Indication,
        0x100 => Class::Success,
        _ => Class::Error,
    }
}

#[inline]
pub(crate) const fn method_of(message_type: u16) -> Method {
    Method((message_type & 0x3E00) >> 2 | (message_type & 0x00E0) >> 1 | (message_type & 0x000F))
}

/// `len` rounded up to a multiple of four (RFC 8489 §14).
#[inline]
pub(crate) const fn padded(len: usize) -> usize {
    len.wrapping_add(3) & !3
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLASSES: [Class; 4] = [Class::Request, Class::Indication, Class::Success, Class::Error];

    #[test]
    fn every_class_and_method_survives_the_type_field() {
        for number in 0..=0xFFF {
            let method = Method::new(number).unwrap();
            for class in CLASSES {
                let t = message_type(class, method);
                assert_eq!(t & 0xC000, 0, "the two top bits stay clear");
                assert_eq!((class_of(t), method_of(t)), (class, method));
                assert_eq!(method_of(t).number(), number);
                assert_eq!(t & !CLASS_BITS, message_type(Class::Request, method));
            }
        }
        assert_eq!(Method::new(0x1000), None);
    }

    #[test]
    fn the_examples_of_section_5_and_known_turn_types() {
        assert_eq!(message_type(Class::Request, Method::BINDING), 0x0001);
        assert_eq!(message_type(Class::Success, Method::BINDING), 0x0101);
        assert_eq!(message_type(Class::Error, Method::BINDING), 0x0111);
        assert_eq!(message_type(Class::Indication, Method::BINDING), 0x0011);
        assert_eq!(message_type(Class::Indication, Method::DATA), 0x0017);
        assert_eq!(message_type(Class::Error, Method::CREATE_PERMISSION), 0x0118);
    }

    #[test]
    fn names_are_the_registered_ones() {
        let names = [
            (0x001, "Binding"),
            (0x003, "Allocate"),
            (0x004, "Refresh"),
            (0x006, "Send"),
            (0x007, "Data"),
            (0x008, "CreatePermission"),
            (0x009, "ChannelBind"),
            (0x00A, "Connect"),
            (0x00B, "ConnectionBind"),
            (0x00C, "ConnectionAttempt"),
        ];
        let known = (0..=0xFFF).filter_map(|number| Some((number, Method::new(number)?.name()?)));
        assert!(known.eq(names));
        assert_eq!(std::format!("{:?}", Method::BINDING), "Binding");
        assert_eq!(std::format!("{}", Method::new(0xABC).unwrap()), "method 0xabc");
        assert_eq!(std::format!("{}", Class::Success), "success response");
        assert_eq!(
            std::format!("{:?}", TransactionId::new([0xAB; 12])),
            "TransactionId(abababababababababababab)"
        );
    }
}
