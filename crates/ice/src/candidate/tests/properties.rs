//! Properties of the text form: it loses nothing, and nothing upsets the parser.

use alloc::string::{String, ToString};
use alloc::vec;
use core::net::{IpAddr, SocketAddr};

use proptest::prelude::*;

use super::super::*;

fn any_address() -> impl Strategy<Value = SocketAddr> {
    let ip = prop_oneof![
        any::<u32>().prop_map(|v| IpAddr::from(v.to_be_bytes())),
        any::<u128>().prop_map(|v| IpAddr::from(v.to_be_bytes())),
        any::<u32>().prop_map(|v| IpAddr::V6(core::net::Ipv4Addr::from(v).to_ipv6_mapped())),
    ];
    (ip, any::<u16>()).prop_map(|(ip, port)| SocketAddr::new(ip, port))
}

fn any_transport() -> impl Strategy<Value = Transport> {
    prop_oneof![
        Just(Transport::Udp),
        Just(Transport::Tcp(TcpType::Active)),
        Just(Transport::Tcp(TcpType::Passive)),
        Just(Transport::Tcp(TcpType::SimultaneousOpen)),
    ]
}

fn any_candidate() -> impl Strategy<Value = Candidate> {
    let kind = prop_oneof![
        Just(CandidateKind::Host),
        Just(CandidateKind::ServerReflexive),
        Just(CandidateKind::PeerReflexive),
        Just(CandidateKind::Relayed),
    ];
    let extensions = prop::collection::vec(("[!-~]{1,8}", "[!-~]{0,8}"), 0..5);
    let fields = (
        kind,
        any_address(),
        any_address(),
        1u16..=256,
        any_transport(),
        any::<u32>(),
        "[a-zA-Z0-9+/]{1,32}",
    );
    (fields, extensions).prop_map(
        |((kind, address, related, component, transport, priority, foundation), extensions)| {
            let candidate = match kind {
                CandidateKind::Host => Candidate::host(address),
                CandidateKind::ServerReflexive => Candidate::server_reflexive(address, related),
                CandidateKind::PeerReflexive => Candidate::peer_reflexive(address, related),
                CandidateKind::Relayed => Candidate::relayed(address, related),
            };
            let candidate = candidate
                .with_component(ComponentId::new(component).expect("1..=256"))
                .with_transport(transport)
                .with_priority(priority)
                .with_foundation(Foundation::new(&foundation).expect("ice-chars"));
            extensions.into_iter().fold(candidate, |candidate, (name, value)| {
                candidate.clone().with_extension(&name, &value).unwrap_or(candidate)
            })
        },
    )
}

/// Lines that are nearly right: tokens of candidate lines in nearly the right places.
fn near_line() -> impl Strategy<Value = String> {
    let token = prop_oneof![
        Just("1"),
        Just("0"),
        Just("256"),
        Just("4294967296"),
        Just("UDP"),
        Just("tcp"),
        Just("192.0.2.1"),
        Just("::1"),
        Just("fe80::1%1"),
        Just("x.local"),
        Just("typ"),
        Just("host"),
        Just("srflx"),
        Just("raddr"),
        Just("rport"),
        Just("tcptype"),
        Just("active"),
        Just("so"),
        Just("ufrag"),
        Just(""),
        Just("é"),
        Just("candidate:"),
        Just("a="),
    ];
    let head = prop_oneof![
        Just(""),
        Just("candidate:1 1 udp 1 192.0.2.1 9 typ srflx "),
        Just("1 1 TCP 1 ::1 9 typ relay ")
    ];
    (head, prop::collection::vec(token, 0..12))
        .prop_map(|(head, tokens)| String::from(head) + &tokens.join(" "))
}

fn check_round_trip(line: &str) -> Result<(), TestCaseError> {
    let Ok(candidate) = line.parse::<Candidate>() else { return Ok(()) };
    let printed = candidate.to_string();
    let again: Candidate =
        printed.parse().map_err(|e| TestCaseError::fail(alloc::format!("{printed}: {e}")))?;
    prop_assert_eq!(&again, &candidate);
    prop_assert_eq!(again.to_string(), printed);
    Ok(())
}

proptest! {
    #[test]
    fn a_printed_candidate_parses_to_an_equal_one(candidate in any_candidate()) {
        let line = candidate.to_string();
        let parsed: Candidate = line.parse().expect("our own line");
        prop_assert_eq!(&parsed, &candidate);
        prop_assert_eq!(parsed.to_string(), line);
    }

    #[test]
    fn what_is_accepted_survives_printing(line in near_line()) {
        check_round_trip(&line)?;
    }

    #[test]
    fn arbitrary_text_never_panics(line in any::<String>(), ascii in "[ -~]{0,80}") {
        check_round_trip(&line)?;
        check_round_trip(&ascii)?;
    }

    #[test]
    fn a_cut_line_is_an_error_or_a_candidate(line in any_candidate().prop_map(|c| c.to_string()), at in any::<prop::sample::Index>()) {
        let cut = at.index(line.len() + 1);
        check_round_trip(&line[..cut])?;
    }
}
