//! The checks of RFC 8829 §5.8: the lines of each level in their order, and the values of what is known.

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;

use floe_ice::candidate::{Credentials, Description};

use super::attribute::{Fingerprint, Setup, is_token};
use super::lines::{Line, split_attribute};
use super::section::MediaLine;
use super::{Place, Sdp, SdpError, SdpFault};

/// RFC 8866 §5: the order of the lines at session level. `t=` and `r=` may alternate, `z=` belongs to them.
const SESSION_ORDER: &[&str] = &["v", "o", "s", "i", "u", "e", "p", "c", "b", "trz", "k", "a"];
/// RFC 8866 §5: the order of the lines of a media section.
const MEDIA_ORDER: &[&str] = &["m", "i", "c", "b", "k", "a"];

pub(super) fn sdp(lines: Vec<Line>) -> Result<Sdp, SdpError> {
    let begins = levels(&lines)?;
    for (number, line) in (1..).zip(lines.iter()) {
        value(line).map_err(|fault| SdpError::at(number, fault))?;
    }
    let sections = places(&lines, &begins);
    let sdp = Sdp { lines, sections };
    mids(&sdp)?;
    credentials(&sdp)?;
    data_channels(&sdp)?;
    Ok(sdp)
}

/// Finds the media sections, and whether every line stands where it may.
fn levels(lines: &[Line]) -> Result<Vec<usize>, SdpError> {
    let mut sections = Vec::new();
    let (mut order, mut rank, mut has_time) = (SESSION_ORDER, 0, false);
    for (at, line) in lines.iter().enumerate() {
        let error = |fault| Err(SdpError::at(at + 1, fault));
        let kind = line.kind();
        // RFC 8829 §5.8.1: version, origin and name come first, whatever else there is.
        if let Some(expected) = ["v", "o", "s"].get(at)
            && !expected.starts_with(kind)
        {
            return error(SdpFault::Missing(["v=", "o=", "s="][at]));
        }
        if line.text.is_empty() {
            break;
        }
        if kind == 'm' {
            if !has_time {
                return error(SdpFault::Missing("t="));
            }
            if sections.len() == Sdp::MAX_SECTIONS {
                return error(SdpFault::TooManySections);
            }
            sections.push(at);
            (order, rank) = (MEDIA_ORDER, 0);
            continue;
        }
        has_time |= kind == 't';
        match order.iter().position(|kinds| kinds.contains(kind)) {
            Some(found) if found >= rank && !(found < 3 && at >= 3 && sections.is_empty()) => rank = found,
            _ => return error(SdpFault::Misplaced),
        }
    }
    match ["v=", "o=", "s="].get(lines.len()) {
        Some(missing) => Err(SdpError::whole(SdpFault::Missing(missing))),
        None if !has_time => Err(SdpError::whole(SdpFault::Missing("t="))),
        None => Ok(sections),
    }
}

/// Where each section has what is asked for most. Of equal names at one level the first counts.
fn places(lines: &[Line], begins: &[usize]) -> Vec<Place> {
    let scan = |from: usize, to: usize, outer: Place| {
        let mut own = Place { begin: from, mid: None, ufrag: None, pwd: None };
        for (at, line) in (from..to).zip(&lines[from..to]) {
            let Some((name, _)) = split_attribute(&line.text) else { continue };
            for (known, place) in
                [("mid", &mut own.mid), ("ice-ufrag", &mut own.ufrag), ("ice-pwd", &mut own.pwd)]
            {
                if name.eq_ignore_ascii_case(known) {
                    place.get_or_insert(at);
                }
            }
        }
        Place { ufrag: own.ufrag.or(outer.ufrag), pwd: own.pwd.or(outer.pwd), ..own }
    };
    let none = Place { begin: 0, mid: None, ufrag: None, pwd: None };
    let session = scan(0, begins.first().copied().unwrap_or(lines.len()), none);
    let ends = begins.iter().copied().skip(1).chain([lines.len()]);
    begins.iter().zip(ends).map(|(&begin, end)| scan(begin, end, session)).collect()
}

/// The value of a line by itself.
fn value(line: &Line) -> Result<(), SdpFault> {
    let fields = || line.value().split(' ');
    let holds = |holds: bool, what| if holds { Ok(()) } else { Err(SdpFault::Malformed(what)) };
    match line.kind() {
        'v' => holds(line.value() == "0", "v="),
        'o' => holds(fields().count() == 6 && fields().all(|field| !field.is_empty()), "o="),
        't' => holds(fields().count() == 2 && fields().all(is_number), "t="),
        'c' => holds(fields().count() == 3 && fields().all(|field| !field.is_empty()), "c="),
        'b' => holds(line.value().split_once(':').is_some_and(|(_, value)| is_number(value)), "b="),
        'm' => holds(MediaLine::parse(line.value()).is_some(), "m="),
        'a' => known_attribute(line),
        _ => Ok(()),
    }
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.len() <= 20 && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn known_attribute(line: &Line) -> Result<(), SdpFault> {
    let Some((name, value)) = split_attribute(&line.text) else { return Ok(()) };
    let malformed = |what, holds: bool| if holds { Ok(()) } else { Err(SdpFault::Malformed(what)) };
    match name.to_ascii_lowercase().as_str() {
        "mid" => malformed("mid", is_token(value)),
        "group" => malformed("group", value.split(' ').all(is_token)),
        "setup" => malformed("setup", Setup::from_str(value).is_ok()),
        "fingerprint" => malformed("fingerprint", Fingerprint::from_str(value).is_ok()),
        "sctp-port" => malformed("sctp-port", is_number(value) && value.parse::<u16>().is_ok()),
        "max-message-size" => malformed("max-message-size", is_number(value) && value.parse::<u64>().is_ok()),
        "ice-ufrag" => Credentials::new(value, ANY_PWD).map(drop).map_err(SdpFault::Credentials),
        "ice-pwd" => Credentials::new(ANY_UFRAG, value).map(drop).map_err(SdpFault::Credentials),
        "candidate" | "remote-candidates" | "ice-pacing" => match line.text.parse::<Description>() {
            Ok(_) => Ok(()),
            Err(error) => Err(SdpFault::Ice(error.fault().clone())),
        },
        _ => Ok(()),
    }
}

/// To check one part of credentials alone.
const ANY_UFRAG: &str = "ufrag";
const ANY_PWD: &str = "aPasswordOfTwentyTwoCh";

/// RFC 5888 §4: every identification tag is unique.
fn mids(sdp: &Sdp) -> Result<(), SdpError> {
    let mut seen = BTreeSet::new();
    for (section, place) in sdp.sections().zip(&sdp.sections) {
        if let Some(mid) = section.mid()
            && !seen.insert(mid)
        {
            return Err(SdpError::at(place.begin + 1, SdpFault::DuplicateMid));
        }
    }
    Ok(())
}

/// RFC 8839 §5.4: two streams with one username fragment have one password.
fn credentials(sdp: &Sdp) -> Result<(), SdpError> {
    let mut pwds = BTreeMap::new();
    for (section, place) in sdp.sections().zip(&sdp.sections) {
        if let Some(ufrag) = section.ufrag()
            && *pwds.entry(ufrag).or_insert(section.pwd()) != section.pwd()
        {
            return Err(SdpError::at(place.begin + 1, SdpFault::TwoPasswords));
        }
    }
    Ok(())
}

/// RFC 8829 §5.8.2: an SCTP section has its port, unless it is refused.
fn data_channels(sdp: &Sdp) -> Result<(), SdpError> {
    for (section, place) in sdp.sections().zip(&sdp.sections) {
        if section.is_data_channel() && !section.is_rejected() && section.sctp_port().is_none() {
            return Err(SdpError::at(place.begin + 1, SdpFault::Missing("sctp-port")));
        }
    }
    Ok(())
}
