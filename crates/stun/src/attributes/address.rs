//! Attributes that carry a transport address, plain or obfuscated (RFC 8489 §14.1, §14.2).

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::attribute::{Attribute, AttributeType, RawAttribute, fill};
use crate::error::{DecodeError, EncodeError};
use crate::header::{MAGIC_COOKIE, TransactionId};

/// The family of an address, with the numbers of RFC 8489 §14.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AddressFamily {
    /// IPv4, `0x01`.
    Ipv4,
    /// IPv6, `0x02`.
    Ipv6,
}

impl AddressFamily {
    /// The number on the wire.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::Ipv4 => 1,
            Self::Ipv6 => 2,
        }
    }

    /// The family of `address`.
    #[must_use]
    pub const fn of(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(_) => Self::Ipv4,
            IpAddr::V6(_) => Self::Ipv6,
        }
    }

    pub(crate) const fn decode(number: u8, kind: AttributeType) -> Result<Self, DecodeError> {
        match number {
            1 => Ok(Self::Ipv4),
            2 => Ok(Self::Ipv6),
            _ => Err(DecodeError::AddressFamily(kind)),
        }
    }
}

/// What an address is combined with: nothing, or the magic cookie and the transaction id (RFC 8489 §14.2).
#[derive(Clone, Copy)]
struct Mask {
    port: u16,
    ip: u128,
}

impl Mask {
    const NONE: Self = Self { port: 0, ip: 0 };

    #[inline]
    fn xor(transaction_id: &TransactionId) -> Self {
        let mut id = [0; 16];
        id[4..].copy_from_slice(transaction_id.as_bytes());
        let cookie = u128::from(MAGIC_COOKIE) << 96;
        Self { port: (MAGIC_COOKIE >> 16) as u16, ip: cookie | u128::from_be_bytes(id) }
    }

    /// The 32 bits that an IPv4 address meets.
    #[inline]
    const fn ipv4(self) -> u32 {
        (self.ip >> 96) as u32
    }
}

fn decode(raw: RawAttribute<'_>, mask: Mask) -> Result<SocketAddr, DecodeError> {
    let (&[_, family, port_high, port_low], ip) = raw.value.split_first_chunk().ok_or(raw.bad_length())?;
    let ip = match AddressFamily::decode(family, raw.kind)? {
        AddressFamily::Ipv4 => {
            let bits = u32::from_be_bytes(ip.try_into().map_err(|_| raw.bad_length())?);
            IpAddr::V4(Ipv4Addr::from_bits(bits ^ mask.ipv4()))
        }
        AddressFamily::Ipv6 => {
            let bits = u128::from_be_bytes(ip.try_into().map_err(|_| raw.bad_length())?);
            IpAddr::V6(Ipv6Addr::from_bits(bits ^ mask.ip))
        }
    };
    Ok(SocketAddr::new(ip, u16::from_be_bytes([port_high, port_low]) ^ mask.port))
}

const fn value_len(address: &SocketAddr) -> usize {
    if address.is_ipv4() { 8 } else { 20 }
}

fn encode(address: &SocketAddr, mask: Mask, value: &mut [u8]) -> Result<(), EncodeError> {
    let (head, ip) = value.split_first_chunk_mut().ok_or(EncodeError::BufferTooSmall)?;
    let [port_high, port_low] = (address.port() ^ mask.port).to_be_bytes();
    let family = AddressFamily::of(address.ip());
    *head = [0, family.number(), port_high, port_low];
    match address.ip() {
        IpAddr::V4(v4) => fill(ip, &(v4.to_bits() ^ mask.ipv4()).to_be_bytes()),
        IpAddr::V6(v6) => fill(ip, &(v6.to_bits() ^ mask.ip).to_be_bytes()),
    }
}

macro_rules! address_attribute {
    ($($(#[$doc:meta])* $name:ident = $kind:ident, $mask:expr;)*) => {$(
        $(#[$doc])*
        ///
        /// Decodes IPv6 with scope id and flow label 0, which the wire does not carry.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub struct $name(pub SocketAddr);

        impl<'a> Attribute<'a> for $name {
            const TYPE: AttributeType = AttributeType::$kind;

            #[inline]
            fn decode(raw: RawAttribute<'a>, transaction_id: &TransactionId) -> Result<Self, DecodeError> {
                let mask: fn(&TransactionId) -> Mask = $mask;
                decode(raw, mask(transaction_id)).map(Self)
            }

            #[inline]
            fn value_len(&self) -> usize {
                value_len(&self.0)
            }

            #[inline]
            fn encode(&self, value: &mut [u8], transaction_id: &TransactionId) -> Result<(), EncodeError> {
                let mask: fn(&TransactionId) -> Mask = $mask;
                encode(&self.0, mask(transaction_id), value)
            }
        }
    )*};
}

address_attribute! {
    /// MAPPED-ADDRESS: the source of the request, in the clear (RFC 8489 §14.1).
    MappedAddress = MAPPED_ADDRESS, |_| Mask::NONE;
    /// ALTERNATE-SERVER: another server to try (RFC 8489 §14.15).
    AlternateServer = ALTERNATE_SERVER, |_| Mask::NONE;
    /// RESPONSE-ORIGIN: where the response was sent from (RFC 5780 §7.3).
    ResponseOrigin = RESPONSE_ORIGIN, |_| Mask::NONE;
    /// OTHER-ADDRESS: where CHANGE-REQUEST would make the response come from (RFC 5780 §7.4).
    OtherAddress = OTHER_ADDRESS, |_| Mask::NONE;
    /// XOR-MAPPED-ADDRESS: the source of the request, hidden from meddling middleboxes (RFC 8489 §14.2).
    XorMappedAddress = XOR_MAPPED_ADDRESS, Mask::xor;
    /// XOR-PEER-ADDRESS: the peer as the TURN server sees it (RFC 8656 §18.3).
    XorPeerAddress = XOR_PEER_ADDRESS, Mask::xor;
    /// XOR-RELAYED-ADDRESS: the address the TURN server allocated (RFC 8656 §18.5).
    XorRelayedAddress = XOR_RELAYED_ADDRESS, Mask::xor;
}
