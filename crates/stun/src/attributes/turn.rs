//! Attributes of TURN (RFC 8656 §18), its mobility (RFC 8016) and its TCP allocations (RFC 6062).

use super::address::AddressFamily;
use super::{bytes_attribute, flag_attribute, integer_attribute};
use crate::attribute::{Attribute, AttributeType, RawAttribute, fill};
use crate::error::{DecodeError, EncodeError};
use crate::header::TransactionId;

integer_attribute! {
    /// LIFETIME: for how many seconds the allocation lives on (RFC 8656 §18.2).
    Lifetime(u32) = LIFETIME;
    /// CONNECTION-ID: names one connection to a peer (RFC 6062 §6.2.1).
    ConnectionId(u32) = CONNECTION_ID;
}

flag_attribute! {
    /// DONT-FRAGMENT: asks the server to set the DF bit towards the peer (RFC 8656 §18.9).
    DontFragment = DONT_FRAGMENT;
}

bytes_attribute! {
    /// DATA: what is relayed from or to a peer (RFC 8656 §18.4).
    Data = DATA;
    /// MOBILITY-TICKET: takes an allocation along to another address; empty when asking for one (RFC 8016 §3.3).
    MobilityTicket = MOBILITY_TICKET;
}

/// CHANNEL-NUMBER: the channel to bind (RFC 8656 §18.1).
///
/// Any number decodes, for a server must answer those it cannot bind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChannelNumber(pub u16);

impl ChannelNumber {
    /// The lowest number that can be bound (RFC 8656 §12).
    pub const MIN: Self = Self(0x4000);
    /// The highest number that can be bound (RFC 8656 §12).
    pub const MAX: Self = Self(0x4FFF);

    /// Whether the number can be bound: `0x4000` to `0x4FFF` (RFC 8656 §12).
    #[must_use]
    pub const fn is_bindable(self) -> bool {
        self.0 >= Self::MIN.0 && self.0 <= Self::MAX.0
    }
}

impl<'a> Attribute<'a> for ChannelNumber {
    const TYPE: AttributeType = AttributeType::CHANNEL_NUMBER;

    fn decode(raw: RawAttribute<'a>, _: &TransactionId) -> Result<Self, DecodeError> {
        let &[high, low, _, _] = raw.exactly()?;
        Ok(Self(u16::from_be_bytes([high, low])))
    }

    fn value_len(&self) -> usize {
        4
    }

    fn encode(&self, value: &mut [u8], _: &TransactionId) -> Result<(), EncodeError> {
        let [high, low] = self.0.to_be_bytes();
        fill(value, &[high, low, 0, 0])
    }
}

macro_rules! family_attribute {
    ($($(#[$doc:meta])* $name:ident = $kind:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub struct $name(pub AddressFamily);

        impl<'a> Attribute<'a> for $name {
            const TYPE: AttributeType = AttributeType::$kind;

            fn decode(raw: RawAttribute<'a>, _: &TransactionId) -> Result<Self, DecodeError> {
                let &[family, _, _, _] = raw.exactly()?;
                AddressFamily::decode(family, raw.kind).map(Self)
            }

            fn value_len(&self) -> usize {
                4
            }

            fn encode(&self, value: &mut [u8], _: &TransactionId) -> Result<(), EncodeError> {
                fill(value, &[self.0.number(), 0, 0, 0])
            }
        }
    )*};
}

family_attribute! {
    /// REQUESTED-ADDRESS-FAMILY: the family of the address to allocate or refresh (RFC 8656 §18.6).
    RequestedAddressFamily = REQUESTED_ADDRESS_FAMILY;
    /// ADDITIONAL-ADDRESS-FAMILY: asks for an address of this family too (RFC 8656 §18.11).
    AdditionalAddressFamily = ADDITIONAL_ADDRESS_FAMILY;
}

/// EVEN-PORT: asks for an even port, and possibly for the next one to be reserved (RFC 8656 §18.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct EvenPort {
    /// The R bit: reserve the next-higher port.
    pub reserve_next: bool,
}

impl<'a> Attribute<'a> for EvenPort {
    const TYPE: AttributeType = AttributeType::EVEN_PORT;

    fn decode(raw: RawAttribute<'a>, _: &TransactionId) -> Result<Self, DecodeError> {
        let &[flags] = raw.exactly()?;
        Ok(Self { reserve_next: flags & 0x80 != 0 })
    }

    fn value_len(&self) -> usize {
        1
    }

    fn encode(&self, value: &mut [u8], _: &TransactionId) -> Result<(), EncodeError> {
        fill(value, &[if self.reserve_next { 0x80 } else { 0 }])
    }
}

/// REQUESTED-TRANSPORT: the protocol between server and peer, by its IANA number (RFC 8656 §18.8).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RequestedTransport(pub u8);

impl RequestedTransport {
    /// TCP, protocol 6 (RFC 6062 §4.1).
    pub const TCP: Self = Self(6);
    /// UDP, protocol 17 (RFC 8656 §18.8).
    pub const UDP: Self = Self(17);
}

impl<'a> Attribute<'a> for RequestedTransport {
    const TYPE: AttributeType = AttributeType::REQUESTED_TRANSPORT;

    fn decode(raw: RawAttribute<'a>, _: &TransactionId) -> Result<Self, DecodeError> {
        let &[protocol, _, _, _] = raw.exactly()?;
        Ok(Self(protocol))
    }

    fn value_len(&self) -> usize {
        4
    }

    fn encode(&self, value: &mut [u8], _: &TransactionId) -> Result<(), EncodeError> {
        fill(value, &[self.0, 0, 0, 0])
    }
}

/// RESERVATION-TOKEN: names a port held in reserve (RFC 8656 §18.10).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ReservationToken(pub [u8; 8]);

impl<'a> Attribute<'a> for ReservationToken {
    const TYPE: AttributeType = AttributeType::RESERVATION_TOKEN;

    fn decode(raw: RawAttribute<'a>, _: &TransactionId) -> Result<Self, DecodeError> {
        raw.exactly().map(|token| Self(*token))
    }

    fn value_len(&self) -> usize {
        8
    }

    fn encode(&self, value: &mut [u8], _: &TransactionId) -> Result<(), EncodeError> {
        fill(value, &self.0)
    }
}

/// ICMP: why a datagram to the peer was dropped (RFC 8656 §18.13).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Icmp {
    /// The ICMP type, of ICMPv4 or ICMPv6 as the relayed address is.
    pub icmp_type: u8,
    /// The ICMP code.
    pub code: u8,
    /// The next-hop MTU in bytes for "too big" and "fragmentation needed", otherwise zero.
    pub data: [u8; 4],
}

impl<'a> Attribute<'a> for Icmp {
    const TYPE: AttributeType = AttributeType::ICMP;

    fn decode(raw: RawAttribute<'a>, _: &TransactionId) -> Result<Self, DecodeError> {
        let &[_, _, icmp_type, code, d0, d1, d2, d3] = raw.exactly()?;
        Ok(Self { icmp_type, code, data: [d0, d1, d2, d3] })
    }

    fn value_len(&self) -> usize {
        8
    }

    fn encode(&self, value: &mut [u8], _: &TransactionId) -> Result<(), EncodeError> {
        let [d0, d1, d2, d3] = self.data;
        fill(value, &[0, 0, self.icmp_type, self.code, d0, d1, d2, d3])
    }
}
