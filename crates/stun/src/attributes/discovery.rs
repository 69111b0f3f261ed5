//! Attributes of NAT behaviour discovery (RFC 5780 §7). Those with an address are beside the other addresses.

use super::bytes_attribute;
use crate::attribute::{Attribute, AttributeType, RawAttribute, fill};
use crate::error::{DecodeError, EncodeError};
use crate::header::TransactionId;

bytes_attribute! {
    /// PADDING: makes a message long enough to be fragmented (RFC 5780 §7.6).
    Padding = PADDING;
}

/// CHANGE-REQUEST: asks for the response to come from another address or port (RFC 5780 §7.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ChangeRequest {
    /// From another IP address than the request went to.
    pub change_ip: bool,
    /// From another port than the request went to.
    pub change_port: bool,
}

/// Flag A of CHANGE-REQUEST (RFC 5780 §7.2).
const CHANGE_IP: u32 = 0b100;
/// Flag B of CHANGE-REQUEST (RFC 5780 §7.2).
const CHANGE_PORT: u32 = 0b010;

impl<'a> Attribute<'a> for ChangeRequest {
    const TYPE: AttributeType = AttributeType::CHANGE_REQUEST;

    fn decode(raw: RawAttribute<'a>, _: &TransactionId) -> Result<Self, DecodeError> {
        let flags = u32::from_be_bytes(*raw.exactly()?);
        Ok(Self { change_ip: flags & CHANGE_IP != 0, change_port: flags & CHANGE_PORT != 0 })
    }

    fn value_len(&self) -> usize {
        4
    }

    fn encode(&self, value: &mut [u8], _: &TransactionId) -> Result<(), EncodeError> {
        let ip = if self.change_ip { CHANGE_IP } else { 0 };
        let port = if self.change_port { CHANGE_PORT } else { 0 };
        fill(value, &(ip | port).to_be_bytes())
    }
}

/// RESPONSE-PORT: asks for the response to go to another port (RFC 5780 §7.5).
///
/// Written as four bytes. Whether the two bytes after the port are part of the value or padding, the RFC leaves open;
/// so a length of two is accepted as well.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ResponsePort(pub u16);

impl<'a> Attribute<'a> for ResponsePort {
    const TYPE: AttributeType = AttributeType::RESPONSE_PORT;

    fn decode(raw: RawAttribute<'a>, _: &TransactionId) -> Result<Self, DecodeError> {
        match *raw.value {
            [high, low] | [high, low, _, _] => Ok(Self(u16::from_be_bytes([high, low]))),
            _ => Err(raw.bad_length()),
        }
    }

    fn value_len(&self) -> usize {
        4
    }

    fn encode(&self, value: &mut [u8], _: &TransactionId) -> Result<(), EncodeError> {
        let [high, low] = self.0.to_be_bytes();
        fill(value, &[high, low, 0, 0])
    }
}
