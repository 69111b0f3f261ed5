//! Parsing candidate lines (RFC 8839 §5.1, RFC 6544 §4.5), field by field from left to right.

use alloc::boxed::Box;
use alloc::string::String;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use core::str::FromStr;

use super::error::{
    CandidateField as Field, CandidateParseError as Error, FieldProblem as Problem, Unsupported,
};
use super::kind::Protocol;
use super::mdns::MdnsCandidate;
use super::text::{is_visible, push_pair};
use super::{Candidate, CandidateKind, Details, Foundation, TcpType, Transport, canonical};
use crate::ids::ComponentId;

/// The longest candidate line that is read, in bytes from the foundation on. Browsers stay below 250.
pub const MAX_LINE: usize = 4096;

/// The longest domain name (RFC 1035 §2.3.4), in its text form.
const MAX_NAME: usize = 253;

impl FromStr for Candidate {
    type Err = Error;

    /// Parses a line of RFC 8839 §5.1, with or without `candidate:` and `a=` before it and an end of line after it.
    ///
    /// What it accepts beyond the grammar: a priority above 2^31−1 that fits 32 bits (kept as it is), a port of 0, a zone id
    /// (dropped, it means nothing here), keywords in any case, `tcptype` after other extensions, and `raddr`/`rport` with
    /// any value: one that is not an IP address and a port, or belongs to a host candidate, is kept among the extensions.
    ///
    /// A printed candidate parses to an equal one, and a line in the usual spelling (canonical addresses, numbers without leading
    /// zeros, lower-case keywords, single spaces) prints as it came.
    fn from_str(line: &str) -> Result<Self, Error> {
        let line = strip(line);
        if line.len() > MAX_LINE {
            return Err(Error::malformed(Field::Line, Problem::TooLong));
        }
        let mut line = Cursor::new(line);
        let foundation = foundation(line.required(Field::Foundation)?)?;
        let component = component(line.required(Field::Component)?)?;
        let (protocol, lowercase_transport) = transport(line.required(Field::Transport)?)?;
        let priority = number(line.required(Field::Priority)?, Field::Priority, 1, u32::MAX)?;
        let address = address(line.required(Field::Address)?)?;
        let port = port(line.required(Field::Port)?)?;
        if !line.required(Field::Typ)?.eq_ignore_ascii_case("typ") {
            return Err(Error::malformed(Field::Typ, Problem::Syntax));
        }
        let kind = kind(line.required(Field::Kind)?)?;
        let related = if kind == CandidateKind::Host { None } else { line.related() };
        let (transport, extensions) = extensions(line, protocol)?;
        let details = (related.is_some() || !extensions.is_empty())
            .then(|| Box::new(Details { related, extensions: extensions.into_boxed_str() }));
        let (ip, name) = match address {
            Address::Ip(ip) => (ip, None),
            Address::Mdns(name) => (IpAddr::V4(Ipv4Addr::UNSPECIFIED), Some(name)),
        };
        let address = canonical(SocketAddr::new(ip, port));
        let candidate =
            Self { address, details, priority, component, transport, kind, lowercase_transport, foundation };
        match name {
            None => Ok(candidate),
            Some(name) => Err(Error::Mdns(Box::new(MdnsCandidate::new(name.into(), candidate)))),
        }
    }
}

/// Without the end of the line and the names that may stand before the foundation.
fn strip(line: &str) -> &str {
    let line = line.trim_end_matches(['\r', '\n']);
    let line = line.strip_prefix("a=").unwrap_or(line);
    match line.split_once(':') {
        Some((name, rest)) if name.eq_ignore_ascii_case("candidate") => rest,
        _ => line,
    }
}

/// The rest of a line; fields are separated by exactly one space.
#[derive(Clone, Copy)]
struct Cursor<'a> {
    rest: Option<&'a str>,
}

impl<'a> Cursor<'a> {
    const fn new(line: &'a str) -> Self {
        Self { rest: Some(line) }
    }

    /// The next token, which is empty where two spaces meet; `None` at the end.
    fn token(&mut self) -> Option<&'a str> {
        let rest = self.rest?;
        let (token, rest) = match rest.split_once(' ') {
            Some((token, rest)) => (token, Some(rest)),
            None => (rest, None),
        };
        self.rest = rest;
        Some(token)
    }

    fn required(&mut self, field: Field) -> Result<&'a str, Error> {
        self.token().filter(|token| !token.is_empty()).ok_or(Error::malformed(field, Problem::Missing))
    }

    /// Consumes `raddr` and `rport` if both are here and are an IP address and a port.
    fn related(&mut self) -> Option<SocketAddr> {
        let mut ahead = *self;
        let mut value_of = |keyword: &str| {
            ahead.token().filter(|token| token.eq_ignore_ascii_case(keyword))?;
            ahead.token()
        };
        let (ip, port) = (value_of("raddr")?, value_of("rport")?);
        let related = SocketAddr::new(ip_address(ip)?, self::port(port).ok()?);
        *self = ahead;
        Some(canonical(related))
    }
}

fn foundation(token: &str) -> Result<Foundation, Error> {
    let problem = if token.len() > Foundation::MAX_LEN { Problem::TooLong } else { Problem::Syntax };
    Foundation::new(token).ok_or(Error::malformed(Field::Foundation, problem))
}

pub(super) fn component(token: &str) -> Result<ComponentId, Error> {
    let id = number(token, Field::Component, 1, 256)? as u16;
    ComponentId::new(id).ok_or(Error::malformed(Field::Component, Problem::OutOfRange))
}

pub(super) fn port(token: &str) -> Result<u16, Error> {
    Ok(number(token, Field::Port, 0, u32::from(u16::MAX))? as u16)
}

/// An address that needs no resolution.
pub(super) fn ip_address(token: &str) -> Option<IpAddr> {
    match address(token) {
        Ok(Address::Ip(ip)) => Some(ip),
        _ => None,
    }
}

/// A decimal number in `min..=max`. Digits only: no sign.
fn number(token: &str, field: Field, min: u32, max: u32) -> Result<u32, Error> {
    if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Error::malformed(field, Problem::Syntax));
    }
    match token.parse::<u32>() {
        Ok(number) if (min..=max).contains(&number) => Ok(number),
        _ => Err(Error::malformed(field, Problem::OutOfRange)),
    }
}

/// The protocol, and whether it is spelled in lower case.
fn transport(token: &str) -> Result<(Protocol, bool), Error> {
    let lowercase = token.bytes().all(|byte| byte.is_ascii_lowercase());
    if token.eq_ignore_ascii_case("UDP") {
        Ok((Protocol::Udp, lowercase))
    } else if token.eq_ignore_ascii_case("TCP") {
        Ok((Protocol::Tcp, lowercase))
    } else if is_visible(token) {
        Err(Error::Unsupported(Unsupported::Transport))
    } else {
        Err(Error::malformed(Field::Transport, Problem::Syntax))
    }
}

fn kind(token: &str) -> Result<CandidateKind, Error> {
    match CandidateKind::from_name(token) {
        Some(kind) => Ok(kind),
        None if is_visible(token) => Err(Error::Unsupported(Unsupported::Kind)),
        None => Err(Error::malformed(Field::Kind, Problem::Syntax)),
    }
}

enum Address<'a> {
    Ip(IpAddr),
    Mdns(&'a str),
}

fn address(token: &str) -> Result<Address<'_>, Error> {
    let malformed = Error::malformed(Field::Address, Problem::Syntax);
    // RFC 8839 §5.1: a colon tells IPv6 from everything else.
    if token.contains(':') {
        let ip = token.split_once('%').map_or(token, |(ip, _zone)| ip);
        return ip.parse::<Ipv6Addr>().map(|ip| Address::Ip(IpAddr::V6(ip))).map_err(|_| malformed);
    }
    if let Ok(ip) = token.parse::<Ipv4Addr>() {
        return Ok(Address::Ip(IpAddr::V4(ip)));
    }
    let is_number = token.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    if is_number || !is_domain_name(token) {
        return Err(malformed);
    }
    // An mDNS candidate's name is one label below `local`; a longer one is not ours to resolve.
    match token.rsplit_once('.') {
        Some((label, top)) if top.eq_ignore_ascii_case("local") && !label.contains('.') => {
            Ok(Address::Mdns(token))
        }
        _ => Err(Error::Unsupported(Unsupported::DomainName)),
    }
}

fn is_domain_name(token: &str) -> bool {
    let is_label = |label: &str| {
        let letters = label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
        letters && (1..=63).contains(&label.len())
    };
    let name = token.strip_suffix('.').unwrap_or(token);
    name.len() <= MAX_NAME && name.split('.').all(is_label)
}

/// The pairs at the end of the line: `tcptype`, which completes the transport, and all others as they are.
fn extensions(mut line: Cursor<'_>, protocol: Protocol) -> Result<(Transport, String), Error> {
    let mut direction = None;
    let mut others = String::new();
    while let Some(name) = line.token() {
        if name.is_empty() && line.rest.is_none() {
            // A space at the end of the line.
            break;
        }
        if name.is_empty() {
            return Err(Error::malformed(Field::ExtensionName, Problem::Missing));
        }
        if !is_visible(name) {
            return Err(Error::malformed(Field::ExtensionName, Problem::Syntax));
        }
        let value = line.token().ok_or(Error::malformed(Field::ExtensionValue, Problem::Missing))?;
        if !is_visible(value) {
            return Err(Error::malformed(Field::ExtensionValue, Problem::Syntax));
        }
        if protocol == Protocol::Tcp && direction.is_none() && name.eq_ignore_ascii_case("tcptype") {
            direction = Some(TcpType::from_name(value).ok_or(Error::Unsupported(Unsupported::TcpType))?);
        } else {
            push_pair(&mut others, name, value);
        }
    }
    let transport = match (protocol, direction) {
        (Protocol::Udp, _) => Transport::Udp,
        (Protocol::Tcp, Some(direction)) => Transport::Tcp(direction),
        (Protocol::Tcp, None) => return Err(Error::malformed(Field::TcpType, Problem::Missing)),
    };
    Ok((transport, others))
}
