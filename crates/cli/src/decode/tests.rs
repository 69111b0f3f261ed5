//! Every verdict is held against the codec's, and the report against what a person needs.

use floe::stun::{ChannelData, Message, RawAttribute};

use super::attribute::REPEATABLE;
use super::dissect::{Dissection, Packet};
use super::integrity::{Integrity, Secret};
use super::{json, text};

/// RFC 5769 §2.1.
const REQUEST: &str = "000100582112a442b7e7a701bc34d686fa87dfae802200105354554e207465737420636c69656e74002400046e0001ff\
    80290008932ff9b151263b36000600096576746a3a68367659202020000800149aeaa70cbfd8cb56781ef2b5b2d3f249c1b571a280280004\
    e57a3bcf";

/// RFC 5769 §2.2.
const RESPONSE: &str = "0101003c2112a442b7e7a701bc34d686fa87dfae8022000b7465737420766563746f7220002000080001a147e112a643\
    000800142b91f599fd9e90c38c7489f92af9ba53f06be7d780280004c07d4c96";

/// RFC 5769 §2.4.
const LONG_TERM: &str = "000100602112a44278ad3433c6ad72c029da412e00060012e3839ee38388e383aae38383e382afe382b90000\
    0015001c662f2f3439396b39353464364f4c33346f4c394653547679363473410014000b6578616d706c652e6f7267000008001\
    4f67024656dd64a3e02b8e0712e85c9a28ca89666";

const PASSWORD: &str = "VOkJxbRl1RmTxUk/WvJxBt";

fn bytes(hex: &str) -> Vec<u8> {
    let digits = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    let digits_only: Vec<u8> = hex.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    digits_only.chunks(2).map(digits).collect()
}

fn dissect(packet: &[u8]) -> Dissection<'_> {
    Dissection::of(packet, None).unwrap()
}

fn faults(packet: &[u8]) -> Vec<String> {
    dissect(packet).faults.iter().map(|note| format!("{}: {}", note.offset, note.text)).collect()
}

/// A message with this body, and a length field that fits it.
fn message(body: &str) -> Vec<u8> {
    let body = bytes(body);
    let mut packet = bytes("0001 0000 2112a442 000102030405060708090a0b");
    packet[2..4].copy_from_slice(&(body.len() as u16).to_be_bytes());
    packet.extend(body);
    packet
}

/// What counts of the attributes that the codec gives: of most types the first only (RFC 8489 §14).
fn counting<'a>(message: &Message<'a>) -> Vec<RawAttribute<'a>> {
    let mut kinds = Vec::new();
    let counts = |raw: &RawAttribute<'_>| {
        let counts = REPEATABLE.contains(&raw.kind) || !kinds.contains(&raw.kind);
        kinds.push(raw.kind);
        counts
    };
    message.attributes().filter(counts).collect()
}

/// Whether the codec finds the whole message good: its form, and every value that counts and has a type.
fn codec_accepts(packet: &[u8]) -> bool {
    let Ok(message) = Message::parse(packet) else { return false };
    let id = message.transaction_id();
    counting(&message).into_iter().all(|raw| super::value::describe(raw, &id).is_ok())
}

fn agrees_with_the_codec(packet: &[u8]) {
    let dissection = dissect(packet);
    let accepted = match dissection.packet {
        Packet::Stun(_) => codec_accepts(packet),
        Packet::ChannelData(_) => ChannelData::parse(packet).is_ok(),
        Packet::Other(_) => false,
    };
    assert_eq!(dissection.faults.is_empty(), accepted, "{packet:02x?}: {:?}", dissection.faults);
    let in_place = dissection.faults.iter().all(|fault| fault.offset <= packet.len());
    assert!(in_place, "{packet:02x?}: {:?}", dissection.faults);
    if let (Packet::Stun(stun), Ok(message)) = (&dissection.packet, Message::parse(packet)) {
        let shown = stun.attributes.iter().filter(|view| view.ignored.is_none());
        let shown: Vec<_> = shown.map(|view| RawAttribute { kind: view.kind, value: view.value }).collect();
        assert_eq!(shown, counting(&message));
    }
    assert!(text::render(&dissection).ends_with('\n'));
    assert!(json::render(&dissection).ends_with("}\n"));
}

#[test]
fn every_changed_byte_and_every_cut_is_judged_as_the_codec_does() {
    for sample in [REQUEST, RESPONSE, LONG_TERM] {
        let packet = bytes(sample);
        for at in 0..packet.len() {
            agrees_with_the_codec(&packet[..at]);
            for value in [0, 1, 2, 3, 4, 5, 8, 0x15, 0x20, 0x28, 0x40, 0x4F, 0x50, 0x7F, 0x80, 0xC0, 0xFF] {
                let mut changed = packet.clone();
                changed[at] = value;
                agrees_with_the_codec(&changed);
            }
        }
        let mut longer = packet.clone();
        longer.push(0);
        agrees_with_the_codec(&longer);
    }
}

#[test]
fn the_same_without_the_attributes_that_protect() {
    let request = bytes(REQUEST);
    let packet = message(&request[20..76].iter().map(|byte| format!("{byte:02x}")).collect::<String>());
    assert!(faults(&packet).is_empty());
    for at in 0..packet.len() {
        for value in 0..=255 {
            let mut changed = packet.clone();
            changed[at] = value;
            agrees_with_the_codec(&changed);
        }
    }
}

#[test]
fn every_type_of_attribute_is_judged_as_the_codec_does_at_every_length() {
    for kind in (0..0x40).chain(0x8000..0x8040).chain([0xC001]) {
        for length in 0..40_u16 {
            for fill in [0, 1, 3, 0x41, 0xFF] {
                let mut body = format!("{kind:04x}{length:04x}");
                body.push_str(&format!("{fill:02x}").repeat(usize::from(length).next_multiple_of(4)));
                agrees_with_the_codec(&message(&body));
            }
        }
    }
}

#[test]
fn faults_are_named_with_their_byte() {
    let cut = &bytes(REQUEST)[..75];
    assert_eq!(
        faults(cut),
        ["2: the length field promises 88 bytes after the header, but 55 follow: 33 are missing"]
    );
    assert_eq!(
        faults(&message("0024000401020304 0006000941")),
        ["2: the length field is 13, not a multiple of 4"]
    );
    assert_eq!(
        faults(&message("00060009 41414141")),
        ["22: USERNAME: length 9, so its value runs 8 bytes past the end of the message"]
    );
    assert_eq!(faults(&message("00240003 01020300")), ["22: PRIORITY: its value is 3 bytes long, not 4"]);
    assert_eq!(
        faults(&message("00200008 00031234c0000201")),
        ["25: XOR-MAPPED-ADDRESS: address family 3 is neither IPv4 (1) nor IPv6 (2)"]
    );
    assert_eq!(
        faults(&message("00090004 00000764")),
        ["26: ERROR-CODE: class 7 and number 100 are no code from 300 to 699"]
    );
    let mut wrong_cookie = message("");
    wrong_cookie[4] = 0x20;
    assert_eq!(
        faults(&wrong_cookie),
        ["4: 0x2012a442 instead of the magic cookie 0x2112a442: RFC 3489, or not STUN"]
    );
    let mut wrong_fingerprint = bytes(REQUEST);
    wrong_fingerprint[30] ^= 1;
    let found = faults(&wrong_fingerprint);
    assert!(found[0].starts_with("104: FINGERPRINT: 0xe57a3bcf, but for these bytes it is 0x"), "{found:?}");
}

#[test]
fn a_fingerprint_without_the_xor_is_recognised() {
    let mut packet = bytes(REQUEST);
    let plain = u32::from_be_bytes(packet[104..].try_into().unwrap()) ^ 0x5354_554E;
    packet[104..].copy_from_slice(&plain.to_be_bytes());
    let found = faults(&packet);
    assert!(found[0].ends_with("the XOR with 0x5354554e is missing"), "{found:?}");
}

#[test]
fn integrity_is_verified_with_the_credentials_that_fit() {
    let secret = |password, username, realm| Secret { password, username, realm };
    let check = |packet: &str, secret: Secret<'_>| {
        let packet = bytes(packet);
        let dissection = Dissection::of(&packet, Some(&secret))?;
        let Packet::Stun(stun) = &dissection.packet else { panic!("these are STUN messages") };
        let result = &stun.integrity[0].result;
        assert_eq!(dissection.faults.is_empty(), matches!(result, Integrity::Right(_)));
        Ok::<_, String>(format!("{result:?}"))
    };
    let short = check(REQUEST, secret(PASSWORD, None, None)).unwrap();
    assert_eq!(short, "Right(\"short-term credentials\")");
    let wrong = check(REQUEST, secret("x", None, None)).unwrap();
    assert_eq!(wrong, "Wrong(\"does not match the message and the short-term credentials\")");
    let long = check(LONG_TERM, secret("TheMatrIX", None, None)).unwrap();
    assert_eq!(long, "Right(\"long-term credentials (MD5)\")");
    assert!(check(LONG_TERM, secret("TheMatrIX", Some("neo"), None)).unwrap().starts_with("Wrong"));
    assert!(check(RESPONSE, secret(PASSWORD, None, Some("r"))).unwrap_err().contains("--username"));
    assert!(check(RESPONSE, secret(PASSWORD, Some("u"), None)).unwrap_err().contains("--realm"));
}

#[test]
fn integrity_can_be_verified_although_the_rest_is_broken() {
    let mut packet = bytes(REQUEST);
    packet[107] ^= 1;
    packet.extend([0, 0]);
    let secret = Secret { password: PASSWORD, username: None, realm: None };
    let dissection = Dissection::of(&packet, Some(&secret)).unwrap();
    let Packet::Stun(stun) = &dissection.packet else { panic!("it is STUN") };
    assert_eq!(stun.integrity[0].result, Integrity::Right("short-term credentials"));
    assert_eq!((stun.fingerprint, dissection.faults.len()), (Some(false), 2));
}

#[test]
fn a_password_proves_nothing_where_there_is_no_integrity() {
    let secret = Secret { password: PASSWORD, username: None, realm: None };
    let packet = message("");
    let dissection = Dissection::of(&packet, Some(&secret)).unwrap();
    assert!(dissection.verdict().unwrap().contains("no integrity attribute"));
}

#[test]
fn what_does_no_harm_is_remarked() {
    let remarks = |packet: &[u8]| {
        let dissection = dissect(packet);
        assert!(dissection.faults.is_empty(), "{:?}", dissection.faults);
        dissection.remarks.iter().map(|note| format!("{}: {}", note.offset, note.text)).collect::<Vec<_>>()
    };
    assert_eq!(remarks(&bytes(REQUEST)), ["73: USERNAME: the padding 202020 is not zero"]);
    assert_eq!(
        remarks(&message("0024000400000001 0024000400000002")),
        ["28: PRIORITY: ignored, it is not the first of its type"]
    );
    assert_eq!(
        remarks(&message("7777000400000001")),
        ["20: 0x7777: unknown, and to be understood: a request with it is refused"]
    );
    assert!(remarks(&message("00120008000112342112a443 00120008000112342112a443")).is_empty());
}

#[test]
fn a_message_behind_other_headers_is_pointed_at() {
    let mut packet = vec![0x45; 28];
    packet.extend(bytes(REQUEST));
    let report = text::render(&dissect(&packet));
    assert!(report.contains("byte 28: a whole STUN message begins here"), "{report}");
}

#[test]
fn the_report_fits_a_terminal_and_says_everything() {
    for sample in [REQUEST, RESPONSE, LONG_TERM] {
        let packet = bytes(sample);
        let report = text::render(&dissect(&packet));
        assert!(report.lines().all(|line| line.chars().count() <= 80), "{report}");
    }
    let packet = bytes(REQUEST);
    let report = text::render(&dissect(&packet));
    for said in [
        "STUN Binding request, 108 bytes\n",
        "   8      12  transaction id  b7e7a701bc34d686fa87dfae\n",
        "  60   4+9+3  0x0006 USERNAME           \"evtj:h6vY\"\n",
        "  48     4+8  0x8029 ICE-CONTROLLED     tie-breaker 0x932ff9b151263b36\n",
        "FINGERPRINT: right\n",
    ] {
        assert!(report.contains(said), "{said} is missing in\n{report}");
    }
}

#[test]
fn text_from_the_network_cannot_steer_the_terminal() {
    let packet = message("80220008 1b5b324a00e282ac");
    let report = text::render(&dissect(&packet));
    assert!(!report.contains('\u{1b}') && report.contains("\\u{1b}[2J"), "{report}");
}
