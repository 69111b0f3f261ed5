//! The value of an attribute, for people.

use floe::stun::attributes::{
    AdditionalAddressFamily, AddressErrorCode, AddressFamily, AlternateDomain, AlternateServer,
    ChangeRequest, ChannelNumber, ConnectionId, Data, DontFragment, ErrorCode, EvenPort, IceControlled,
    IceControlling, Icmp, Lifetime, MappedAddress, Nomination, Nonce, OtherAddress, PasswordAlgorithm,
    PasswordAlgorithms, Priority, Realm, RequestedAddressFamily, RequestedTransport, ReservationToken,
    ResponseOrigin, ResponsePort, Software, UnknownAttributes, UseCandidate, Userhash, Username,
    XorMappedAddress, XorPeerAddress, XorRelayedAddress,
};
use floe::stun::{Attribute, AttributeType, DecodeError, RawAttribute, SecurityFeatures, TransactionId};

use super::other;

/// What `raw` says. A value of an unknown type, or without a form of its own, is printed in hexadecimal digits.
pub(crate) fn describe(raw: RawAttribute<'_>, id: &TransactionId) -> Result<String, DecodeError> {
    Ok(match raw.kind {
        AttributeType::MAPPED_ADDRESS => MappedAddress::decode(raw, id)?.0.to_string(),
        AttributeType::XOR_MAPPED_ADDRESS => XorMappedAddress::decode(raw, id)?.0.to_string(),
        AttributeType::XOR_PEER_ADDRESS => XorPeerAddress::decode(raw, id)?.0.to_string(),
        AttributeType::XOR_RELAYED_ADDRESS => XorRelayedAddress::decode(raw, id)?.0.to_string(),
        AttributeType::ALTERNATE_SERVER => AlternateServer::decode(raw, id)?.0.to_string(),
        AttributeType::RESPONSE_ORIGIN => ResponseOrigin::decode(raw, id)?.0.to_string(),
        AttributeType::OTHER_ADDRESS => OtherAddress::decode(raw, id)?.0.to_string(),
        AttributeType::USERNAME => quoted(Username::decode(raw, id)?.as_bytes()),
        AttributeType::REALM => quoted(Realm::decode(raw, id)?.as_bytes()),
        AttributeType::SOFTWARE => quoted(Software::decode(raw, id)?.as_bytes()),
        AttributeType::ALTERNATE_DOMAIN => quoted(AlternateDomain::decode(raw, id)?.as_bytes()),
        AttributeType::NONCE => nonce(Nonce::decode(raw, id)?.as_bytes()),
        AttributeType::ERROR_CODE => error(&ErrorCode::decode(raw, id)?),
        AttributeType::ADDRESS_ERROR_CODE => {
            let error_code = AddressErrorCode::decode(raw, id)?;
            format!("{}: {}", family(error_code.family()), error(&error_code.error()))
        }
        AttributeType::UNKNOWN_ATTRIBUTES => {
            let unknown = UnknownAttributes::decode(raw, id)?;
            unknown.iter().map(with_number).collect::<Vec<_>>().join(", ")
        }
        _ => return describe_small(raw, id),
    })
}

/// Numbers and flags.
fn describe_small(raw: RawAttribute<'_>, id: &TransactionId) -> Result<String, DecodeError> {
    Ok(match raw.kind {
        AttributeType::PRIORITY => priority(Priority::decode(raw, id)?.0),
        AttributeType::USE_CANDIDATE => {
            UseCandidate::decode(raw, id).map(|_| "nominates the pair".to_owned())?
        }
        AttributeType::ICE_CONTROLLED => tie_breaker(IceControlled::decode(raw, id)?.0),
        AttributeType::ICE_CONTROLLING => tie_breaker(IceControlling::decode(raw, id)?.0),
        AttributeType::NOMINATION => Nomination::decode(raw, id)?.value().to_string(),
        AttributeType::LIFETIME => format!("{} s", Lifetime::decode(raw, id)?.0),
        AttributeType::CONNECTION_ID => format!("0x{:08x}", ConnectionId::decode(raw, id)?.0),
        AttributeType::DONT_FRAGMENT => DontFragment::decode(raw, id).map(|_| "yes".to_owned())?,
        AttributeType::DATA => data(Data::decode(raw, id)?.0),
        AttributeType::CHANNEL_NUMBER => channel(ChannelNumber::decode(raw, id)?),
        AttributeType::REQUESTED_ADDRESS_FAMILY => {
            family(RequestedAddressFamily::decode(raw, id)?.0).to_owned()
        }
        AttributeType::ADDITIONAL_ADDRESS_FAMILY => {
            family(AdditionalAddressFamily::decode(raw, id)?.0).to_owned()
        }
        AttributeType::EVEN_PORT if EvenPort::decode(raw, id)?.reserve_next => {
            "and reserve the next-higher port".to_owned()
        }
        AttributeType::EVEN_PORT => "yes".to_owned(),
        AttributeType::REQUESTED_TRANSPORT => transport(RequestedTransport::decode(raw, id)?),
        AttributeType::RESERVATION_TOKEN => hex(&ReservationToken::decode(raw, id)?.0),
        AttributeType::ICMP => {
            let icmp = Icmp::decode(raw, id)?;
            format!("type {}, code {}, data {}", icmp.icmp_type, icmp.code, hex(&icmp.data))
        }
        AttributeType::USERHASH => groups(&Userhash::decode(raw, id)?.0),
        AttributeType::PASSWORD_ALGORITHM => algorithm(&PasswordAlgorithm::decode(raw, id)?),
        AttributeType::PASSWORD_ALGORITHMS => {
            let offered = PasswordAlgorithms::decode(raw, id)?;
            offered.iter().map(|one| algorithm(&one)).collect::<Vec<_>>().join(", ")
        }
        AttributeType::CHANGE_REQUEST => change(ChangeRequest::decode(raw, id)?).to_owned(),
        AttributeType::RESPONSE_PORT => ResponsePort::decode(raw, id)?.0.to_string(),
        AttributeType::PADDING => format!("{} bytes", raw.value.len()),
        AttributeType::FINGERPRINT => format!("0x{}", hex(raw.value)),
        _ => groups(raw.value),
    })
}

/// How long the value of this type has to be, for the sentence "… bytes long, not …".
pub(crate) fn lengths(kind: AttributeType) -> &'static str {
    match kind {
        AttributeType::MAPPED_ADDRESS
        | AttributeType::XOR_MAPPED_ADDRESS
        | AttributeType::XOR_PEER_ADDRESS
        | AttributeType::XOR_RELAYED_ADDRESS
        | AttributeType::ALTERNATE_SERVER
        | AttributeType::RESPONSE_ORIGIN
        | AttributeType::OTHER_ADDRESS => "8 (IPv4) or 20 (IPv6)",
        AttributeType::USERNAME | AttributeType::REALM | AttributeType::NONCE | AttributeType::SOFTWARE => {
            "at most 763"
        }
        AttributeType::ALTERNATE_DOMAIN => "at most 255",
        AttributeType::ERROR_CODE | AttributeType::ADDRESS_ERROR_CODE => "4 to 767",
        AttributeType::UNKNOWN_ATTRIBUTES => "a multiple of 2",
        AttributeType::USE_CANDIDATE | AttributeType::DONT_FRAGMENT => "0",
        AttributeType::EVEN_PORT => "1",
        AttributeType::ICE_CONTROLLED
        | AttributeType::ICE_CONTROLLING
        | AttributeType::RESERVATION_TOKEN
        | AttributeType::ICMP => "8",
        AttributeType::MESSAGE_INTEGRITY => "20",
        AttributeType::MESSAGE_INTEGRITY_SHA256 => "16, 20, 24, 28 or 32",
        AttributeType::USERHASH => "32",
        AttributeType::PASSWORD_ALGORITHM => "that of one algorithm",
        AttributeType::RESPONSE_PORT => "4",
        _ => "4",
    }
}

/// The type's name and its number.
pub(crate) fn with_number(kind: AttributeType) -> String {
    match kind.name() {
        Some(name) => format!("{name} (0x{:04x})", kind.number()),
        None => format!("0x{:04x}", kind.number()),
    }
}

/// Two digits for each byte.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Digits in groups of four bytes, so that long values can be read and broken into lines.
pub(crate) fn groups(bytes: &[u8]) -> String {
    bytes.chunks(4).map(hex).collect::<Vec<_>>().join(" ")
}

/// Text from the network, harmless on a terminal: what is not printable is escaped.
pub(crate) fn quoted(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => format!("{text:?}"),
        Err(_) => format!("\"{}\" (not UTF-8)", bytes.escape_ascii()),
    }
}

/// RFC 8489 §9.2: what the cookie at the start of a nonce says.
fn nonce(bytes: &[u8]) -> String {
    let Some(features) = SecurityFeatures::from_nonce(bytes) else { return quoted(bytes) };
    let mut names = Vec::new();
    if features.contains(SecurityFeatures::PASSWORD_ALGORITHMS) {
        names.push("password algorithms");
    }
    if features.contains(SecurityFeatures::USERNAME_ANONYMITY) {
        names.push("username anonymity");
    }
    let names = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
    format!("{}, security features: {names}", quoted(bytes))
}

fn error(error: &ErrorCode<'_>) -> String {
    format!("{} {}", error.code(), quoted(error.reason_bytes()))
}

/// RFC 8445 §5.1.2.1: the recommended formula, taken apart.
fn priority(priority: u32) -> String {
    let component = 256 - (priority & 0xFF);
    let (kind, local) = (priority >> 24, priority >> 8 & 0xFFFF);
    format!("{priority}: type preference {kind}, local preference {local}, component {component}")
}

fn tie_breaker(value: u64) -> String {
    format!("tie-breaker 0x{value:016x}")
}

const fn family(family: AddressFamily) -> &'static str {
    match family {
        AddressFamily::Ipv4 => "IPv4",
        AddressFamily::Ipv6 => "IPv6",
    }
}

fn transport(transport: RequestedTransport) -> String {
    match transport {
        RequestedTransport::UDP => "UDP (17)".to_owned(),
        RequestedTransport::TCP => "TCP (6)".to_owned(),
        RequestedTransport(protocol) => format!("protocol {protocol}"),
    }
}

fn channel(channel: ChannelNumber) -> String {
    let outside = if channel.is_bindable() { "" } else { ", outside 0x4000 to 0x4fff" };
    format!("0x{:04x}{outside}", channel.0)
}

fn algorithm(algorithm: &PasswordAlgorithm<'_>) -> String {
    match *algorithm {
        PasswordAlgorithm::MD5 => "MD5 (1)".to_owned(),
        PasswordAlgorithm::SHA256 => "SHA-256 (2)".to_owned(),
        other => format!("algorithm {} with parameters {}", other.number(), hex(other.parameters())),
    }
}

const fn change(request: ChangeRequest) -> &'static str {
    match (request.change_ip, request.change_port) {
        (true, true) => "other address and port",
        (true, false) => "other address",
        (false, true) => "other port",
        (false, false) => "no change",
    }
}

fn data(bytes: &[u8]) -> String {
    format!("{} bytes, {}: {}", bytes.len(), other::guess(bytes), groups(bytes))
}
