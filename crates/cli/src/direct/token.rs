//! What one side tells the other in one piece: who it is, and where.
//!
//! `floe1.` and base64url (RFC 4648 §5) without padding of:
//!
//! | bytes | |
//! |---|---|
//! | 1 | 0: an offer, 1: a reply |
//! | 4 | in a reply, the last four of the offer it is to; otherwise 0 |
//! | 1 + n, 1 + n | ufrag and pwd |
//! | 32 | SHA-256 of the certificate |
//! | 1 | how many candidates, and for each: |
//! | 1 | kind (0 host, 1 srflx, 2 prflx, 3 relay), plus 16 for IPv6 |
//! | 4 or 16, 2, 4, 1 + n | address, port, priority, foundation |
//! | 4 | CRC-32 of all before it |

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use floe::{Candidate, Credentials};
use floe_signal::sdp::Fingerprint;

const PREFIX: &str = "floe1.";
/// The longest token that is read: far more than candidates take.
const MAX_TOKEN: usize = 16 * 1024;
const KINDS: [&str; 4] = ["host", "srflx", "prflx", "relay"];
const IPV6: u8 = 16;

/// An offer or a reply.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Token {
    /// `None` in an offer, and in a reply the mark of the offer it is to.
    pub(super) replies_to: Option<[u8; 4]>,
    pub(super) credentials: Credentials,
    pub(super) fingerprint: [u8; 32],
    pub(super) candidates: Vec<Candidate>,
}

/// What is wrong with a token.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum TokenError {
    Empty,
    Foreign,
    Character(char),
    TooLong,
    Damaged,
    Reply,
    Offer,
    OtherOffer,
}

impl fmt::Display for TokenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("there is no token"),
            Self::Foreign => write!(f, "this is no token of floe: one begins with {PREFIX}"),
            Self::Character(c) => write!(f, "{c:?} does not belong into a token"),
            Self::TooLong => write!(f, "a token has at most {MAX_TOKEN} characters"),
            Self::Damaged => f.write_str("the token is damaged or incomplete: paste all of it"),
            Self::Reply => {
                f.write_str("this is a reply, for the side that made the offer; an offer is needed")
            }
            Self::Offer => {
                f.write_str("this is an offer; what is needed is the reply that floe answer prints")
            }
            Self::OtherOffer => f.write_str("this is the reply to another offer"),
        }
    }
}

impl Token {
    pub(super) fn to_text(&self) -> String {
        let mut bytes = vec![u8::from(self.replies_to.is_some())];
        bytes.extend(self.replies_to.unwrap_or_default());
        put_text(&mut bytes, self.credentials.ufrag());
        put_text(&mut bytes, self.credentials.pwd());
        bytes.extend(self.fingerprint);
        let candidates = &self.candidates[..self.candidates.len().min(usize::from(u8::MAX))];
        bytes.push(u8::try_from(candidates.len()).unwrap_or(u8::MAX));
        for candidate in candidates {
            put_candidate(&mut bytes, candidate);
        }
        let check = crc32fast::hash(&bytes);
        bytes.extend(check.to_be_bytes());
        format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes))
    }

    /// Reads a token; white space, as mail and terminals put into it, does not matter.
    pub(super) fn from_text(text: &str) -> Result<Self, TokenError> {
        let text: String = text.split_whitespace().collect();
        if text.is_empty() {
            return Err(TokenError::Empty);
        }
        if text.len() > MAX_TOKEN {
            return Err(TokenError::TooLong);
        }
        let encoded = text.strip_prefix(PREFIX).ok_or(TokenError::Foreign)?;
        let foreign = |c: &char| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '_'));
        if let Some(c) = encoded.chars().find(foreign) {
            return Err(TokenError::Character(c));
        }
        let bytes = URL_SAFE_NO_PAD.decode(encoded).map_err(|_| TokenError::Damaged)?;
        let (body, check) = bytes.split_last_chunk().ok_or(TokenError::Damaged)?;
        if crc32fast::hash(body) != u32::from_be_bytes(*check) {
            return Err(TokenError::Damaged);
        }
        // What has the right check and cannot be read was made by something else.
        read(&mut &*body).ok_or(TokenError::Damaged)
    }

    /// What a reply to this offer carries.
    pub(super) fn mark(&self) -> [u8; 4] {
        crc32fast::hash(self.to_text().as_bytes()).to_be_bytes()
    }

    /// The certificate that the other side will show.
    pub(super) fn fingerprint(&self) -> Fingerprint {
        Fingerprint::sha256(self.fingerprint)
    }
}

fn put_text(bytes: &mut Vec<u8>, text: &str) {
    // RFC 8839 §5.4 has 256 characters at most; ours have 4 to 32.
    let text = &text.as_bytes()[..text.len().min(usize::from(u8::MAX))];
    bytes.push(u8::try_from(text.len()).unwrap_or(u8::MAX));
    bytes.extend(text);
}

fn put_candidate(bytes: &mut Vec<u8>, candidate: &Candidate) {
    let kind = KINDS.iter().position(|kind| *kind == candidate.kind().as_str()).unwrap_or(0);
    let kind = u8::try_from(kind).unwrap_or(0);
    match candidate.address().ip() {
        IpAddr::V4(ip) => {
            bytes.push(kind);
            bytes.extend(ip.octets());
        }
        IpAddr::V6(ip) => {
            bytes.push(kind + IPV6);
            bytes.extend(ip.octets());
        }
    }
    bytes.extend(candidate.address().port().to_be_bytes());
    bytes.extend(candidate.priority().to_be_bytes());
    put_text(bytes, candidate.foundation().as_str());
}

fn read(bytes: &mut &[u8]) -> Option<Token> {
    let [is_reply] = take(bytes)?;
    let mark = take(bytes)?;
    let replies_to = match is_reply {
        0 => None,
        1 => Some(mark),
        _ => return None,
    };
    let (ufrag, pwd) = (text(bytes)?, text(bytes)?);
    let credentials = Credentials::new(&ufrag, &pwd).ok()?;
    let fingerprint = take(bytes)?;
    let [count] = take(bytes)?;
    let candidates = (0..count).map(|_| candidate(bytes)).collect::<Option<_>>()?;
    bytes.is_empty().then_some(Token { replies_to, credentials, fingerprint, candidates })
}

fn candidate(bytes: &mut &[u8]) -> Option<Candidate> {
    let [kind] = take(bytes)?;
    let ip = if kind & IPV6 == 0 {
        IpAddr::V4(Ipv4Addr::from(take::<4>(bytes)?))
    } else {
        IpAddr::V6(Ipv6Addr::from(take::<16>(bytes)?))
    };
    let kind = KINDS.get(usize::from(kind & !IPV6))?;
    let address = SocketAddr::new(ip, u16::from_be_bytes(take(bytes)?));
    let priority = u32::from_be_bytes(take(bytes)?);
    let foundation = text(bytes)?;
    // RFC 8839 §5.1: a related address is there, and may say nothing.
    let related = match (*kind, ip) {
        ("host", _) => "",
        (_, IpAddr::V4(_)) => " raddr 0.0.0.0 rport 9",
        (_, IpAddr::V6(_)) => " raddr :: rport 9",
    };
    let (ip, port) = (address.ip(), address.port());
    format!("candidate:{foundation} 1 udp {priority} {ip} {port} typ {kind}{related}").parse().ok()
}

fn take<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(*taken)
}

fn text(bytes: &mut &[u8]) -> Option<String> {
    let [len] = take(bytes)?;
    let (taken, rest) = bytes.split_at_checked(usize::from(len))?;
    *bytes = rest;
    String::from_utf8(taken.to_vec()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token() -> Token {
        let line = |line: &str| line.parse().expect("a good line");
        Token {
            replies_to: Some([1, 2, 3, 4]),
            credentials: Credentials::new("8hhY", "asd88fgpdd777uzjYhagZg").expect("good ones"),
            fingerprint: [0xab; 32],
            candidates: vec![
                line("candidate:1 1 udp 2122260223 192.0.2.1 5000 typ host"),
                line("candidate:2 1 udp 1686052607 198.51.100.7 6000 typ srflx raddr 0.0.0.0 rport 9"),
                line("candidate:r3 1 udp 41885439 2001:db8::7 7000 typ relay raddr :: rport 9"),
            ],
        }
    }

    #[test]
    fn a_token_is_what_it_was_after_a_trip_through_a_mail() {
        let text = token().to_text();
        assert!(text.len() < 250, "{} characters", text.len());
        let wrapped: Vec<&str> =
            text.as_bytes().chunks(60).map(|part| std::str::from_utf8(part).expect("ASCII")).collect();
        assert_eq!(Token::from_text(&format!(" {}\r\n", wrapped.join("\r\n"))), Ok(token()));
        let offer = Token { replies_to: None, ..token() };
        assert_eq!(Token::from_text(&offer.to_text()), Ok(offer));
    }

    #[test]
    fn what_is_wrong_with_a_token_is_said() {
        let text = token().to_text();
        let fault = |text: &str| Token::from_text(text).expect_err("it is wrong");
        assert_eq!(fault(" \n"), TokenError::Empty);
        assert_eq!(fault("hello"), TokenError::Foreign);
        assert_eq!(fault("floe1."), TokenError::Damaged);
        assert_eq!(fault("floe1.ab=c"), TokenError::Character('='));
        assert_eq!(fault(&text[..text.len() - 1]), TokenError::Damaged);
        assert_eq!(fault(&format!("{text}{text}")), TokenError::Character('.'));
        assert_eq!(fault(&"x".repeat(MAX_TOKEN + 1)), TokenError::TooLong);
    }

    #[test]
    fn every_damage_is_noticed() {
        let text = token().to_text();
        for at in PREFIX.len()..text.len() {
            let other = if text.as_bytes()[at] == b'A' { "B" } else { "A" };
            let damaged = format!("{}{other}{}", &text[..at], &text[at + 1..]);
            assert_eq!(Token::from_text(&damaged), Err(TokenError::Damaged), "{at}");
        }
    }

    #[test]
    fn good_checks_do_not_make_good_tokens() {
        for len in 0..120_u8 {
            for first in 0..3 {
                let mut bytes: Vec<u8> = (0..len).map(|at| at.wrapping_mul(37)).collect();
                bytes.splice(0..0, [first, 0, 0, 0, 0, 4]);
                bytes.extend(crc32fast::hash(&bytes).to_be_bytes());
                let text = format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes));
                assert_eq!(Token::from_text(&text), Err(TokenError::Damaged));
            }
        }
    }
}
