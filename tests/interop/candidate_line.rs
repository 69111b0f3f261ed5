//! Candidate lines as RFC 8839 §5.1 has them, read apart from the code under test.

use std::net::{IpAddr, SocketAddr};

/// What the tests need of a candidate line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CandidateLine {
    pub(crate) address: SocketAddr,
    pub(crate) kind: String,
}

impl CandidateLine {
    /// Reads a UDP candidate with the fields and ranges of RFC 8839 §5.1, or says what is wrong.
    pub(crate) fn parse(line: &str) -> Result<Self, String> {
        let wrong = |what: &str| format!("{what} in the candidate {line:?}");
        let fields = line.strip_prefix("candidate:").ok_or_else(|| wrong("no candidate: prefix"))?;
        let fields: Vec<&str> = fields.split(' ').collect();
        let [foundation, component, transport, priority, address, port, "typ", kind, rest @ ..] = &fields[..]
        else {
            return Err(wrong("missing fields"));
        };
        if foundation.is_empty() || foundation.len() > 32 || !is_ice_text(foundation) {
            return Err(wrong("bad foundation"));
        }
        if *component != "1" || !transport.eq_ignore_ascii_case("udp") {
            return Err(wrong("component or transport nobody asked for"));
        }
        if !priority.parse().is_ok_and(|priority: u32| (1..1 << 31).contains(&priority)) {
            return Err(wrong("bad priority"));
        }
        let ip: IpAddr = address.parse().map_err(|_| wrong("bad address"))?;
        let port = port.parse().ok().filter(|port| *port != 0).ok_or_else(|| wrong("bad port"))?;
        if !matches!(*kind, "host" | "srflx" | "prflx" | "relay") {
            return Err(wrong("unknown type"));
        }
        if rest.len() % 2 != 0 || rest.iter().any(|field| field.is_empty()) {
            return Err(wrong("attributes that are no pairs"));
        }
        if (*kind == "host") == rest.contains(&"raddr") {
            return Err(wrong("raddr on a host candidate, or none on another"));
        }
        Ok(Self { address: SocketAddr::new(ip, port), kind: (*kind).to_owned() })
    }
}

/// Whether `text` consists of ice-char (RFC 8839 §5.1).
pub(crate) fn is_ice_text(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/'))
}

#[test]
fn good_lines_are_read() {
    let host = CandidateLine::parse("candidate:1 1 UDP 2015364095 127.0.0.1 42360 typ host").unwrap();
    assert_eq!((host.address.to_string().as_str(), host.kind.as_str()), ("127.0.0.1:42360", "host"));
    let srflx = "candidate:a+/9 1 udp 1 ::1 9 typ srflx raddr :: rport 9 generation 0";
    assert_eq!(CandidateLine::parse(srflx).unwrap().kind, "srflx");
}

#[test]
fn bad_lines_are_refused() {
    for line in [
        "1 1 udp 1 127.0.0.1 1 typ host",
        "candidate:1 1 udp 1 127.0.0.1 1 host",
        "candidate:é 1 udp 1 127.0.0.1 1 typ host",
        "candidate:1 2 udp 1 127.0.0.1 1 typ host",
        "candidate:1 1 tcp 1 127.0.0.1 1 typ host",
        "candidate:1 1 udp 0 127.0.0.1 1 typ host",
        "candidate:1 1 udp 2147483648 127.0.0.1 1 typ host",
        "candidate:1 1 udp 1 localhost 1 typ host",
        "candidate:1 1 udp 1 127.0.0.1 0 typ host",
        "candidate:1 1 udp 1 127.0.0.1 65536 typ host",
        "candidate:1 1 udp 1 127.0.0.1 1 typ guest",
        "candidate:1 1 udp 1 127.0.0.1 1 typ host generation",
        "candidate:1 1 udp 1 127.0.0.1 1 typ host raddr 127.0.0.1 rport 1",
        "candidate:1 1 udp 1 127.0.0.1 1 typ srflx",
        "candidate:1 1 udp 1 127.0.0.1 1 typ host ",
    ] {
        assert!(CandidateLine::parse(line).is_err(), "{line}");
    }
}
