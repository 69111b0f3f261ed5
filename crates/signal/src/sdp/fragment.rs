//! `application/trickle-ice-sdpfrag` (RFC 8840 §9): candidates on their way behind an offer or an answer, as SIP's INFO and
//! WHIP's PATCH carry them.

use std::fmt;
use std::str::FromStr;

use floe_ice::candidate::{CandidateInit, Credentials, Description, DescriptionError};

use super::lines::{Line, attribute, split};
use super::section::is_ice;
use super::{Sdp, SdpError, SdpFault};

/// A body of type `application/trickle-ice-sdpfrag`.
///
/// Every body repeats all candidates of its generation in their order and adds new ones at the end (RFC 8840 §4.4); a
/// `floe_ice` agent that is given one twice says so and changes nothing.
///
/// ```
/// use floe_ice::candidate::{Candidate, Credentials};
/// use floe_signal::sdp::Fragment;
///
/// let mut fragment = Fragment::new("0", &Credentials::new("8hhY", "asd88fgpdd777uzjYhagZg")?);
/// fragment.sections[0].ice.candidates.push(Candidate::host("192.0.2.1:50000".parse()?));
/// fragment.sections[0].ice.end_of_candidates = true;
/// let body = fragment.to_string();
/// assert_eq!(
///     body,
///     "m=audio 9 RTP/AVP 0\r\na=mid:0\r\na=ice-ufrag:8hhY\r\na=ice-pwd:asd88fgpdd777uzjYhagZg\r\n\
///      a=candidate:1 1 UDP 2130706431 192.0.2.1 50000 typ host\r\na=end-of-candidates\r\n"
/// );
/// let read: Fragment = body.parse()?;
/// assert_eq!(read, fragment);
/// assert!(read.is_of("8hhY", "asd88fgpdd777uzjYhagZg"));
/// assert_eq!(read.candidates().len(), 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Fragment {
    /// What stands before the first section: credentials if they stood there in the offer or answer (RFC 8840 §9.2), options, and
    /// [`end_of_candidates`](Description::end_of_candidates) of the whole agent. It has no candidates.
    pub session: Description,
    /// `group:BUNDLE`: the identification tags in the order of the answer (RFC 8840 §7). Empty for none.
    pub bundle: Vec<String>,
    /// One for each media section that gets candidates.
    pub sections: Vec<FragmentSection>,
}

/// The part of a [`Fragment`] for one media section.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct FragmentSection {
    /// What stands behind `m=`; it means nothing (RFC 8840 §4.4).
    pub media: String,
    /// The identification tag of the section that this is about.
    pub mid: String,
    /// `rtcp-mux`: the answerer will use it (RFC 8840 §6).
    pub rtcp_mux: bool,
    /// Candidates, their end, and the credentials if they stood in the media section.
    pub ice: Description,
}

/// RFC 8840 §4.4: the line of a section whose own is not known.
const PSEUDO_MEDIA: &str = "audio 9 RTP/AVP 0";

impl FragmentSection {
    /// A section without candidates yet. `credentials` are `None` when they stand at session level.
    #[must_use]
    pub fn new(mid: &str, credentials: Option<&Credentials>) -> Self {
        let mut ice = empty();
        ice.credentials = credentials.cloned();
        Self { media: PSEUDO_MEDIA.to_owned(), mid: mid.to_owned(), rtcp_mux: false, ice }
    }
}

impl Fragment {
    /// The media type of the body (RFC 8840 §9).
    pub const MEDIA_TYPE: &'static str = "application/trickle-ice-sdpfrag";

    /// A fragment for one section, with the credentials in it, as browsers have them.
    #[must_use]
    pub fn new(mid: &str, credentials: &Credentials) -> Self {
        let section = FragmentSection::new(mid, Some(credentials));
        Self { session: empty(), bundle: Vec::new(), sections: vec![section] }
    }

    /// Whether all of it is of the generation with these credentials. A fragment that is not must be discarded
    /// (RFC 8840 §4.4).
    #[must_use]
    pub fn is_of(&self, ufrag: &str, pwd: &str) -> bool {
        let Ok(wanted) = Credentials::new(ufrag, pwd) else { return false };
        let mut own = self.sections.iter().map(|section| &section.ice.credentials);
        let all = own.all(|own| own.as_ref().or(self.session.credentials.as_ref()) == Some(&wanted));
        all && (!self.sections.is_empty() || self.session.credentials.as_ref() == Some(&wanted))
    }

    /// The candidates in their order, as a browser's `addIceCandidate` takes them, and an end of candidates behind those
    /// of each section that has ended.
    #[must_use]
    pub fn candidates(&self) -> Vec<CandidateInit> {
        let mut all = Vec::new();
        for section in &self.sections {
            let credentials = section.ice.credentials.as_ref().or(self.session.credentials.as_ref());
            let ufrag = credentials.map(|credentials| credentials.ufrag().to_owned());
            let mut add = |line: String| {
                let mut init = CandidateInit::default();
                init.candidate = line;
                init.sdp_mid = Some(section.mid.clone());
                init.username_fragment.clone_from(&ufrag);
                all.push(init);
            };
            section.ice.candidates.iter().for_each(|candidate| add(candidate.to_string()));
            section.ice.mdns_candidates.iter().for_each(|candidate| add(candidate.to_string()));
            if section.ice.end_of_candidates || self.session.end_of_candidates {
                add(String::new());
            }
        }
        all
    }
}

impl FromStr for Fragment {
    type Err = SdpError;

    /// Unknown lines are passed over (RFC 8840 §9.2).
    ///
    /// # Errors
    ///
    /// An [`SdpError`] as for an [`Sdp`]; a section without `mid` is one of them.
    fn from_str(text: &str) -> Result<Self, SdpError> {
        let lines = split(text)?;
        let mut begins: Vec<usize> = (0..lines.len()).filter(|&at| lines[at].kind() == 'm').collect();
        if begins.len() > Sdp::MAX_SECTIONS {
            return Err(SdpError::at(begins[Sdp::MAX_SECTIONS] + 1, SdpFault::TooManySections));
        }
        let first = begins.first().copied().unwrap_or(lines.len());
        begins.push(lines.len());
        let head = &lines[..first];
        let sections = begins.windows(2).map(|pair| section(&lines[pair[0]..pair[1]], pair[0]));
        // Candidates that stand before every section belong to none.
        let mut session = ice(head, 0)?;
        session.candidates.clear();
        session.mdns_candidates.clear();
        Ok(Self { session, bundle: bundle(head), sections: sections.collect::<Result<_, _>>()? })
    }
}

fn section(lines: &[Line], begin: usize) -> Result<FragmentSection, SdpError> {
    let value = |name| lines.iter().find_map(|line| attribute(&line.text, name));
    let mid = value("mid").filter(|mid| super::attribute::is_token(mid));
    Ok(FragmentSection {
        media: lines.first().map(Line::value).unwrap_or_default().to_owned(),
        mid: mid.ok_or(SdpError::at(begin + 1, SdpFault::Missing("mid")))?.to_owned(),
        rtcp_mux: value("rtcp-mux").is_some(),
        ice: ice(lines, begin)?,
    })
}

fn bundle(lines: &[Line]) -> Vec<String> {
    let mut groups = lines.iter().filter_map(|line| attribute(&line.text, "group"));
    let tags = groups.find_map(|value| value.strip_prefix("BUNDLE ")).unwrap_or_default();
    tags.split(' ').filter(|tag| !tag.is_empty()).map(str::to_owned).collect()
}

/// What ICE says in `lines`, which begin at line `begin`, counted from 0.
fn ice(lines: &[Line], begin: usize) -> Result<Description, SdpError> {
    let ours = lines.iter().enumerate().filter(|(_, line)| is_ice(&line.text));
    let (numbers, text): (Vec<usize>, Vec<&str>) =
        ours.map(|(at, line)| (begin + at + 1, &*line.text)).unzip();
    text.join("\n").parse().map_err(|error: DescriptionError| {
        let line = error.line().and_then(|line| numbers.get(line - 1)).copied();
        SdpError::at(line.unwrap_or(begin + 1), SdpFault::Ice(error.fault().clone()))
    })
}

/// The description of a level that says nothing.
fn empty() -> Description {
    "".parse().unwrap_or_else(|_| unreachable!("no line is wrong where there is none"))
}

impl fmt::Display for Fragment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.session.session())?;
        if !self.bundle.is_empty() {
            write!(f, "a=group:BUNDLE {}\r\n", self.bundle.join(" "))?;
        }
        write!(f, "{}", self.session.media())?;
        for section in &self.sections {
            // RFC 8840 §4.4: the mid stands right before what it is about.
            write!(f, "m={}\r\na=mid:{}\r\n", section.media, section.mid)?;
            if section.rtcp_mux {
                f.write_str("a=rtcp-mux\r\n")?;
            }
            write!(f, "{}", section.ice)?;
        }
        Ok(())
    }
}
