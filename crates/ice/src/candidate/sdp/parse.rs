//! Reading a description out of SDP lines (RFC 8839 §5, RFC 8840 §8).

use alloc::vec::Vec;
use core::net::SocketAddr;
use core::str::FromStr;
use core::time::Duration;

use super::{Description, DescriptionError, DescriptionFault as Fault, IceOptions, RemoteCandidate};
use crate::candidate::parse::{component, ip_address, port};
use crate::candidate::{
    Candidate, CandidateParseError, Credentials, CredentialsError, CredentialsField, canonical,
};

impl FromStr for Description {
    type Err = DescriptionError;

    /// Reads the first media section, as [`parse_section`](Self::parse_section) does.
    fn from_str(sdp: &str) -> Result<Self, DescriptionError> {
        section(sdp, 0)
    }
}

/// A value with the number of its line.
type At<'a> = (usize, &'a str);

/// What one level of an SDP says. Of attributes that come once, the first counts.
struct Level<'a> {
    ufrag: Option<At<'a>>,
    pwd: Option<At<'a>>,
    rest: Description,
}

impl Level<'_> {
    const fn new() -> Self {
        let rest = Description {
            credentials: None,
            options: IceOptions::none(),
            pacing: None,
            lite: false,
            candidates: Vec::new(),
            mdns_candidates: Vec::new(),
            end_of_candidates: false,
            remote_candidates: Vec::new(),
            mismatch: false,
        };
        Self { ufrag: None, pwd: None, rest }
    }
}

pub(super) fn section(sdp: &str, index: usize) -> Result<Description, DescriptionError> {
    let mut session = Level::new();
    let mut media = Level::new();
    let mut sections = 0;
    let has_sections = sdp.starts_with("m=") || sdp.contains("\nm=");
    for (number, line) in (1..).zip(sdp.split('\n')) {
        let line = line.trim_end_matches('\r');
        if line.starts_with("m=") {
            sections += 1;
        } else if sections == 0 {
            // Whatever they say there, they are about no section.
            if !has_sections || !is_media_level(line) {
                attribute(&mut session, (number, line))?;
            }
        } else if sections - 1 == index {
            attribute(&mut media, (number, line))?;
        }
    }
    match (sections, index) {
        (0, 0) => finish(session),
        _ if index < sections => finish(with_defaults(media, session)),
        _ => Err(DescriptionError::missing(Fault::NoSuchSection)),
    }
}

/// Candidates, `remote-candidates` and `ice-mismatch` exist at the media level only (RFC 8839 §5.1–5.3).
fn is_media_level(line: &str) -> bool {
    let attribute = line.strip_prefix("a=").unwrap_or(line);
    let name = attribute.split_once(':').map_or(attribute, |(name, _)| name);
    ["candidate", "remote-candidates", "ice-mismatch"].iter().any(|known| name.eq_ignore_ascii_case(known))
}

/// A media section with what the session level says for all of them.
fn with_defaults<'a>(media: Level<'a>, session: Level<'a>) -> Level<'a> {
    let mut options = session.rest.options;
    options.add_all(&media.rest.options);
    Level {
        // RFC 8839 §5.4: each on its own, the media level takes precedence.
        ufrag: media.ufrag.or(session.ufrag),
        pwd: media.pwd.or(session.pwd),
        rest: Description {
            options,
            pacing: media.rest.pacing.or(session.rest.pacing),
            lite: media.rest.lite || session.rest.lite,
            end_of_candidates: media.rest.end_of_candidates || session.rest.end_of_candidates,
            ..media.rest
        },
    }
}

fn finish(level: Level<'_>) -> Result<Description, DescriptionError> {
    let missing = |field| DescriptionError::missing(Fault::MissingCredential(field));
    let credentials = match (level.ufrag, level.pwd) {
        (None, None) => None,
        (None, Some(_)) => return Err(missing(CredentialsField::Ufrag)),
        (Some(_), None) => return Err(missing(CredentialsField::Pwd)),
        (Some(ufrag), Some(pwd)) => Some(credentials(ufrag, pwd)?),
    };
    Ok(Description { credentials, ..level.rest })
}

fn credentials(ufrag: At<'_>, pwd: At<'_>) -> Result<Credentials, DescriptionError> {
    Credentials::new(ufrag.1, pwd.1).map_err(|error| {
        let (CredentialsError::TooShort(field)
        | CredentialsError::TooLong(field)
        | CredentialsError::NotIceChars(field)) = error;
        let (line, _) = if field == CredentialsField::Ufrag { ufrag } else { pwd };
        DescriptionError::at(line, Fault::Credentials(error))
    })
}

/// Takes one line in. A receiver compares the names without case (RFC 8840 §9.2).
fn attribute<'a>(level: &mut Level<'a>, (number, line): At<'a>) -> Result<(), DescriptionError> {
    let attribute = line.strip_prefix("a=").unwrap_or(line);
    let (name, raw) = attribute.split_once(':').unwrap_or((attribute, ""));
    let value = raw.trim_matches(' ');
    let is = |known: &str| name.eq_ignore_ascii_case(known);
    let fault = |fault| DescriptionError::at(number, fault);
    if is("candidate") {
        candidate(&mut level.rest, raw).map_err(fault)?;
    } else if is("ice-ufrag") {
        level.ufrag.get_or_insert((number, value));
    } else if is("ice-pwd") {
        level.pwd.get_or_insert((number, value));
    } else if is("ice-options") {
        level.rest.options.add(value);
    } else if is("ice-pacing") {
        let pacing = pacing(value).ok_or(fault(Fault::Pacing))?;
        level.rest.pacing.get_or_insert(pacing);
    } else if is("ice-lite") {
        level.rest.lite = true;
    } else if is("end-of-candidates") {
        level.rest.end_of_candidates = true;
    } else if is("ice-mismatch") {
        level.rest.mismatch = true;
    } else if is("remote-candidates") {
        remote_candidates(&mut level.rest.remote_candidates, value).ok_or(fault(Fault::RemoteCandidates))?;
    }
    Ok(())
}

/// RFC 8839 §5.1: a line with something that is not supported is ignored as a whole.
fn candidate(into: &mut Description, line: &str) -> Result<(), Fault> {
    let parsed = line.parse::<Candidate>();
    if let Err(error) = &parsed
        && error.is_ignorable()
        && !matches!(error, CandidateParseError::Mdns(_))
    {
        return Ok(());
    }
    if into.candidates.len() + into.mdns_candidates.len() >= Description::MAX_CANDIDATES {
        return Err(Fault::TooManyCandidates);
    }
    match parsed {
        Ok(candidate) => into.candidates.push(candidate),
        Err(CandidateParseError::Mdns(hidden)) => into.mdns_candidates.push(*hidden),
        Err(error) => return Err(Fault::Candidate(error)),
    }
    Ok(())
}

/// RFC 8839 §5.5: 1 to 10 digits, milliseconds.
fn pacing(value: &str) -> Option<Duration> {
    let digits = value.bytes().all(|byte| byte.is_ascii_digit());
    if !digits || value.len() > 10 {
        return None;
    }
    value.parse().ok().map(Duration::from_millis)
}

/// RFC 8839 §5.2: triples, one for each component at most.
fn remote_candidates(into: &mut Vec<RemoteCandidate>, value: &str) -> Option<()> {
    let mut tokens = value.split(' ');
    while let Some(id) = tokens.next() {
        let component = component(id).ok()?;
        let address = SocketAddr::new(ip_address(tokens.next()?)?, port(tokens.next()?).ok()?);
        if into.iter().any(|known| known.component == component) {
            return None;
        }
        into.push(RemoteCandidate { component, address: canonical(address) });
    }
    Some(())
}
