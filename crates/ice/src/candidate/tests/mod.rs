//! Candidate lines of the RFCs and of other implementations, and what must not be one.

mod properties;

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::net::SocketAddr;

use super::*;

fn parse(line: &str) -> Candidate {
    line.parse().unwrap_or_else(|error| panic!("{line}: {error}"))
}

fn refused(line: &str) -> CandidateParseError {
    line.parse::<Candidate>().expect_err(line)
}

fn malformed(field: CandidateField, problem: FieldProblem) -> CandidateParseError {
    CandidateParseError::Malformed { field, problem }
}

fn address(text: &str) -> SocketAddr {
    text.parse().expect("a socket address")
}

#[test]
fn candidates_are_the_same_if_all_that_their_lines_say_is() {
    let line = "candidate:1 1 udp 100 192.0.2.1 5000 typ srflx raddr 10.0.0.1 rport 6000 ufrag abcd";
    assert_eq!(parse(line), parse(line));
    for (from, to) in [
        ("candidate:1", "candidate:2"),
        (" 1 udp", " 2 udp"),
        ("udp 100", "udp 101"),
        ("5000", "5001"),
        ("srflx", "prflx"),
        ("raddr 10.0.0.1", "raddr 10.0.0.2"),
        ("rport 6000", "rport 6001"),
        ("abcd", "efgh"),
        (" ufrag abcd", ""),
    ] {
        let other = line.replacen(from, to, 1);
        assert_ne!(parse(line), parse(&other), "{other}");
    }
}

/// Lines as their makers print them.
const REAL_LINES: &[&str] = &[
    // RFC 8839 §4.2.6, §5.1.
    "candidate:1 1 UDP 2130706431 203.0.113.141 8998 typ host",
    "candidate:2 1 UDP 1694498815 192.0.2.3 45664 typ srflx raddr 203.0.113.141 rport 8998",
    // RFC 6544 appendix C.
    "candidate:1 1 TCP 2128609279 10.0.1.1 9 typ host tcptype active",
    "candidate:2 1 TCP 2124414975 10.0.1.1 8998 typ host tcptype passive",
    "candidate:6 1 TCP 1692401663 192.0.2.3 45687 typ srflx raddr 10.0.1.1 rport 8999 tcptype so",
    // Chromium.
    "candidate:2541319158 1 udp 2122260223 192.168.1.7 51434 typ host generation 0 ufrag EsAw network-id 1 network-cost 10",
    "candidate:842163049 1 udp 1677729535 203.0.113.9 51434 typ srflx raddr 192.168.1.7 rport 51434 generation 0 ufrag EsAw network-id 1",
    "candidate:3471623853 1 tcp 1518280447 192.168.1.7 9 typ host tcptype active generation 0 ufrag EsAw network-id 1",
    "candidate:842163049 1 udp 1677729535 203.0.113.9 51434 typ srflx raddr 0.0.0.0 rport 0 generation 0 ufrag EsAw",
    // Firefox.
    "candidate:0 1 UDP 2122252543 2001:db8::17 60310 typ host",
    "candidate:3 1 TCP 2105524479 192.168.1.7 9 typ host tcptype active",
    // libnice.
    "candidate:17 1 UDP 2015363327 10.0.0.5 41000 typ host",
    "candidate:23 2 UDP 8388862 198.51.100.4 49152 typ relay raddr 203.0.113.9 rport 41001",
    // aioice.
    "candidate:6d8a4bd8fd9bb3cb6a8f4f1ffab2bf74 1 udp 2130706431 10.0.0.5 50000 typ host",
    // An SFU.
    "candidate:udpcandidate 1 udp 1076302079 198.51.100.4 44444 typ host",
];

#[test]
fn lines_of_rfcs_and_implementations_print_as_they_came() {
    for line in REAL_LINES {
        assert_eq!(parse(line).to_string(), *line);
    }
}

#[test]
fn the_prefix_and_the_end_of_line_are_optional() {
    let bare = "1 1 UDP 2130706431 203.0.113.141 8998 typ host";
    let expected = parse(bare);
    for prefix in ["candidate:", "a=candidate:", "a=Candidate:", ""] {
        for end in ["", "\r\n", "\n", " ", " \r\n"] {
            assert_eq!(parse(&format!("{prefix}{bare}{end}")), expected, "{prefix:?} {end:?}");
        }
    }
}

#[test]
fn every_field_is_read() {
    let line = "candidate:4+/a 256 TCP 1 2001:db8::1 65535 typ relay raddr 192.0.2.1 rport 9 tcptype passive x y ufrag z";
    let candidate = parse(line);
    assert_eq!(candidate.foundation().as_str(), "4+/a");
    assert_eq!(candidate.component().get(), 256);
    assert_eq!(candidate.transport(), Transport::Tcp(TcpType::Passive));
    assert_eq!(candidate.priority(), 1);
    assert_eq!(candidate.address(), address("[2001:db8::1]:65535"));
    assert_eq!(candidate.kind(), CandidateKind::Relayed);
    assert_eq!(candidate.related_address(), Some(address("192.0.2.1:9")));
    assert_eq!(candidate.ufrag(), Some("z"));
    assert_eq!(candidate.extensions().collect::<Vec<_>>(), [("x", "y"), ("ufrag", "z")]);
}

#[test]
fn extensions_keep_their_order_repetitions_and_empty_values() {
    let line = "candidate:1 1 UDP 1 192.0.2.1 5 typ host b 1 a 2 b 3 empty  generation 0 last ";
    let candidate = parse(line);
    let pairs = [("b", "1"), ("a", "2"), ("b", "3"), ("empty", ""), ("generation", "0"), ("last", "")];
    assert_eq!(candidate.extensions().collect::<Vec<_>>(), pairs);
    assert_eq!(candidate.extension("b"), Some("1"));
    assert_eq!(candidate.extension("EMPTY"), Some(""));
    assert_eq!(candidate.extension("none"), None);
    assert_eq!(candidate.to_string(), line);
}

#[test]
fn keywords_are_read_in_any_case() {
    let shouting = parse("CANDIDATE:1 1 Tcp 1 192.0.2.1 5 TYP SRFLX RADDR 10.0.0.1 RPORT 7 TCPTYPE SO");
    let plain = "candidate:1 1 TCP 1 192.0.2.1 5 typ srflx raddr 10.0.0.1 rport 7 tcptype so";
    assert_eq!(shouting.to_string(), plain);
    assert_eq!(shouting, parse(plain));
    assert_eq!(parse("1 1 udp 1 192.0.2.1 5 typ host"), parse("1 1 UDP 1 192.0.2.1 5 typ host"));
}

#[test]
fn tcptype_is_found_behind_other_extensions_and_printed_before_them() {
    let candidate = parse("candidate:1 1 tcp 1 192.0.2.1 9 typ host generation 0 tcptype active ufrag abcd");
    assert_eq!(
        candidate.to_string(),
        "candidate:1 1 tcp 1 192.0.2.1 9 typ host tcptype active generation 0 ufrag abcd"
    );
}

#[test]
fn ten_digit_priorities_do_not_overflow() {
    let line = |priority: &str| format!("candidate:1 1 UDP {priority} 192.0.2.1 5 typ host");
    for (text, value) in [("1", 1), ("0000000007", 7), ("2147483647", MAX_PRIORITY), ("4294967295", u32::MAX)]
    {
        assert_eq!(parse(&line(text)).priority(), value);
    }
    for text in ["0", "4294967296", "9999999999", "99999999999999999999999"] {
        assert_eq!(refused(&line(text)), malformed(CandidateField::Priority, FieldProblem::OutOfRange));
    }
}

#[test]
fn related_addresses_are_optional_and_may_be_anything() {
    let base = "candidate:1 1 UDP 1 192.0.2.1 5 typ srflx";
    assert_eq!(parse(base).related_address(), None);
    for (tail, related) in [
        (" raddr 0.0.0.0 rport 9", Some("0.0.0.0:9")),
        (" raddr :: rport 9", Some("[::]:9")),
        (" raddr 2001:db8::1 rport 0", Some("[2001:db8::1]:0")),
        (" raddr abc.local rport 9", None),
        (" raddr nonsense! rport 70000 generation 0", None),
        (" raddr 10.0.0.1", None),
        (" rport 7", None),
    ] {
        let candidate = parse(&format!("{base}{tail}"));
        assert_eq!(candidate.related_address(), related.map(address), "{tail}");
        assert_eq!(candidate.to_string(), format!("{base}{tail}"));
    }
}

#[test]
fn a_host_candidate_has_no_related_address_of_its_own() {
    let line = "candidate:1 1 UDP 1 192.0.2.1 5 typ host raddr 10.0.0.1 rport 7";
    let candidate = parse(line);
    assert_eq!(candidate.related_address(), None);
    assert_eq!(candidate.to_string(), line);
    let made = Candidate::host(address("192.0.2.1:5"));
    assert_eq!(made.clone().with_hidden_related_address(), made);
    assert!(!made.to_string().contains("raddr"));
}

#[test]
fn related_addresses_of_ours_are_printed_or_hidden() {
    let (v4, v6, base) = (address("192.0.2.1:5"), address("[2001:db8::1]:5"), address("10.0.0.1:7"));
    for candidate in [
        Candidate::server_reflexive(v4, base),
        Candidate::peer_reflexive(v4, base),
        Candidate::relayed(v4, base),
    ] {
        assert!(candidate.to_string().ends_with(" raddr 10.0.0.1 rport 7"), "{candidate}");
        let hidden = candidate.with_hidden_related_address().to_string();
        assert!(hidden.ends_with(" raddr 0.0.0.0 rport 9"), "{hidden}");
    }
    let hidden = Candidate::relayed(v6, base).with_hidden_related_address().to_string();
    assert!(hidden.ends_with(" raddr :: rport 9"), "{hidden}");
}

#[test]
fn mapped_addresses_and_zones_become_plain() {
    let line = |ip: &str| format!("candidate:1 1 UDP 1 {ip} 5 typ host");
    assert_eq!(parse(&line("::ffff:192.0.2.1")), parse(&line("192.0.2.1")));
    assert_eq!(parse(&line("fe80::1%eth0")), parse(&line("fe80::1")));
    let scoped =
        SocketAddr::V6(core::net::SocketAddrV6::new("fe80::1".parse().expect("an address"), 5, 0, 3));
    let candidate = Candidate::host(scoped);
    assert_eq!(candidate.address(), scoped);
    assert!(candidate.to_string().contains(" fe80::1 5 "), "{candidate}");
}

#[test]
fn what_is_unknown_is_ignorable_and_not_malformed() {
    for (line, what) in [
        ("1 1 ssltcp 1 192.0.2.1 5 typ host", Unsupported::Transport),
        ("1 1 SCTP 1 192.0.2.1 5 typ host", Unsupported::Transport),
        ("1 1 UDP 1 192.0.2.1 5 typ nat-assisted", Unsupported::Kind),
        ("1 1 TCP 1 192.0.2.1 9 typ host tcptype sideways", Unsupported::TcpType),
        ("1 1 UDP 1 turn.example.com 5 typ relay", Unsupported::DomainName),
        ("1 1 UDP 1 localhost 5 typ host", Unsupported::DomainName),
        ("1 1 UDP 1 a.b.local 5 typ host", Unsupported::DomainName),
    ] {
        let error = refused(line);
        assert_eq!(error, CandidateParseError::Unsupported(what), "{line}");
        assert!(error.is_ignorable());
    }
}

#[test]
fn an_mdns_name_is_an_outcome_of_its_own() {
    let line =
        "candidate:1 1 udp 2113937151 1f4712db-ea17-4bcf-a596-105139dfd8bf.local 54596 typ host generation 0";
    let CandidateParseError::Mdns(hidden) = refused(line) else { panic!("{line}") };
    assert_eq!(hidden.name(), "1f4712db-ea17-4bcf-a596-105139dfd8bf.local");
    assert_eq!(hidden.to_string(), line);
    let candidate = hidden.resolved("::ffff:192.0.2.7".parse().expect("an address"));
    assert_eq!(candidate.address(), address("192.0.2.7:54596"));
    assert_eq!(candidate.extension("generation"), Some("0"));
    // The rest of the line is still checked.
    assert_eq!(
        refused("1 1 udp 1 abc.LOCAL 99999 typ host"),
        malformed(CandidateField::Port, FieldProblem::OutOfRange)
    );
}

#[test]
fn a_bad_line_says_which_field_and_why() {
    use CandidateField as F;
    use FieldProblem as P;
    let long = "x".repeat(33);
    let cases: &[(&str, F, P)] = &[
        ("", F::Foundation, P::Missing),
        ("candidate:", F::Foundation, P::Missing),
        ("a=ice-ufrag:abcd", F::Foundation, P::Syntax),
        ("a-b 1 UDP 1 192.0.2.1 5 typ host", F::Foundation, P::Syntax),
        ("1", F::Component, P::Missing),
        ("1  UDP 1 192.0.2.1 5 typ host", F::Component, P::Missing),
        ("1 0 UDP 1 192.0.2.1 5 typ host", F::Component, P::OutOfRange),
        ("1 257 UDP 1 192.0.2.1 5 typ host", F::Component, P::OutOfRange),
        ("1 +1 UDP 1 192.0.2.1 5 typ host", F::Component, P::Syntax),
        ("1 1 ÜDP 1 192.0.2.1 5 typ host", F::Transport, P::Syntax),
        ("1 1 UDP -1 192.0.2.1 5 typ host", F::Priority, P::Syntax),
        ("1 1 UDP 1 192.0.2 5 typ host", F::Address, P::Syntax),
        ("1 1 UDP 1 192.0.2.256 5 typ host", F::Address, P::Syntax),
        ("1 1 UDP 1 200a0b:12f0::1 5 typ host", F::Address, P::Syntax),
        ("1 1 UDP 1 [::1] 5 typ host", F::Address, P::Syntax),
        ("1 1 UDP 1 foo..local 5 typ host", F::Address, P::Syntax),
        ("1 1 UDP 1 exämple.com 5 typ host", F::Address, P::Syntax),
        ("1 1 UDP 1 192.0.2.1 65536 typ host", F::Port, P::OutOfRange),
        ("1 1 UDP 1 192.0.2.1 5x typ host", F::Port, P::Syntax),
        ("1 1 UDP 1 192.0.2.1 5", F::Typ, P::Missing),
        ("1 1 UDP 1 192.0.2.1 5 type host", F::Typ, P::Syntax),
        ("1 1 UDP 1 192.0.2.1 5 typ", F::Kind, P::Missing),
        ("1 1 UDP 1 192.0.2.1 5 typ h\u{f6}st", F::Kind, P::Syntax),
        ("1 1 TCP 1 192.0.2.1 5 typ host generation 0", F::TcpType, P::Missing),
        ("1 1 UDP 1 192.0.2.1 5 typ host  a b", F::ExtensionName, P::Missing),
        ("1 1 UDP 1 192.0.2.1 5 typ host a\tb c", F::ExtensionName, P::Syntax),
        ("1 1 UDP 1 192.0.2.1 5 typ host generation", F::ExtensionValue, P::Missing),
        ("1 1 UDP 1 192.0.2.1 5 typ host generation \u{1f9ca}", F::ExtensionValue, P::Syntax),
    ];
    for (line, field, problem) in cases {
        let error = refused(line);
        assert_eq!(error, malformed(*field, *problem), "{line:?}");
        assert!(!error.is_ignorable());
    }
    let line = format!("{long} 1 UDP 1 192.0.2.1 5 typ host");
    assert_eq!(refused(&line), malformed(F::Foundation, P::TooLong));
    let line = format!("1 1 UDP 1 192.0.2.1 5 typ host a {}", "x".repeat(MAX_LINE));
    assert_eq!(refused(&line), malformed(F::Line, P::TooLong));
}

#[test]
fn the_longest_line_can_be_printed_and_read_again() {
    let start = "1 1 UDP 1 192.0.2.1 5 typ host a ";
    let longest = format!("{start}{}", "x".repeat(MAX_LINE - start.len()));
    let candidate = parse(&longest);
    assert_eq!(parse(&candidate.to_string()), candidate);
    assert_eq!(refused(&(longest + "x")), malformed(CandidateField::Line, FieldProblem::TooLong));
}

#[test]
fn errors_read_as_sentences() {
    let text = |line: &str| refused(line).to_string();
    assert_eq!(text("1 1"), "candidate line: the transport is missing");
    assert_eq!(text("1 300 UDP"), "candidate line: the component id is out of range (1 to 256)");
    assert_eq!(text("1 1 QUIC"), "candidate line: the transport is not supported");
    assert_eq!(
        text("1 1 UDP 1 ab.local 5 typ host"),
        "candidate line: the address is the mDNS name ab.local, to be resolved first"
    );
}

#[test]
fn extensions_of_ours_are_checked() {
    use CandidateField as F;
    use FieldProblem as P;
    let host = Candidate::host(address("192.0.2.1:5"));
    let error = |name: &str, value: &str| host.clone().with_extension(name, value).expect_err("refused");
    assert_eq!(error("", "x"), malformed(F::ExtensionName, P::Missing));
    assert_eq!(error("a b", "x"), malformed(F::ExtensionName, P::Syntax));
    assert_eq!(error("TcpType", "so"), malformed(F::ExtensionName, P::Reserved));
    assert_eq!(error("raddr", "::"), malformed(F::ExtensionName, P::Reserved));
    assert_eq!(error("a", "x y"), malformed(F::ExtensionValue, P::Syntax));
    assert_eq!(error("a", &"x".repeat(MAX_LINE)), malformed(F::Line, P::TooLong));
    let full = host.clone().with_ufrag("one").and_then(|c| c.with_extension("n", ""));
    let full = full.and_then(|c| c.with_ufrag("two")).expect("good extensions");
    assert_eq!(full.extensions().collect::<Vec<_>>(), [("ufrag", "two"), ("n", "")]);
    assert_eq!(parse(&full.to_string()), full);
}

#[test]
fn constructors_use_the_recommended_priorities() {
    let (a, b) = (address("192.0.2.1:5"), address("10.0.0.1:7"));
    let priorities = [
        Candidate::host(a),
        Candidate::peer_reflexive(a, b),
        Candidate::server_reflexive(a, b),
        Candidate::relayed(a, b),
    ]
    .map(|candidate| candidate.priority());
    assert_eq!(priorities, [2_130_706_431, 1_862_270_975, 1_694_498_815, 16_777_215]);
    let second = ComponentId::new(2).expect("a component");
    let host = Candidate::host(a).with_component(second).with_local_preference(60_000);
    assert_eq!(host.priority(), 2_129_289_470);
    assert_eq!(host.with_priority(0).priority(), 1);
}

#[test]
fn a_host_candidate_is_small_and_owns_no_heap() {
    assert!(size_of::<Candidate>() <= 88, "{}", size_of::<Candidate>());
    let candidate = parse("candidate:1 1 UDP 2130706431 203.0.113.141 8998 typ host");
    assert!(candidate.details.is_none());
    assert!(Candidate::host(address("192.0.2.1:5")).details.is_none());
}

#[test]
fn debug_shows_the_line() {
    let shown: String = format!("{:?}", Candidate::host(address("192.0.2.1:5")));
    assert_eq!(shown, "Candidate(candidate:1 1 UDP 2130706431 192.0.2.1 5 typ host)");
}
