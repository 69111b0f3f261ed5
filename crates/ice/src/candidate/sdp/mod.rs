//! What an agent's description says in SDP: the attributes of RFC 8839 §5 and RFC 8840 §8, both ways.

mod error;
mod options;
mod parse;
mod print;
#[cfg(test)]
mod tests;

use alloc::vec::Vec;
use core::net::SocketAddr;
use core::time::Duration;

pub use error::{DescriptionError, DescriptionFault};
pub use options::IceOptions;
pub use print::{MediaLines, SessionLines};

use super::credentials::Credentials;
use super::{Candidate, MdnsCandidate};
use crate::ids::ComponentId;

/// The ICE part of one agent's description of one data stream: what an offer, an answer or a trickled fragment says.
///
/// It is parsed out of SDP, of which it takes the session level and one media section and passes over every line that
/// is not its own, or out of the bare attributes, with or without `a=` before them. Printed, it is those attributes:
/// all of them with [`Display`](core::fmt::Display), or [`session`](Self::session) and [`media`](Self::media)
/// separately, to be put into an SDP at the level where each belongs.
///
/// The default destination (`c=` and `m=` lines) plays no part: `0.0.0.0` or `::` with port 9 means nothing (RFC 8839 §4.2.5).
///
/// ```
/// use floe_ice::candidate::{Candidate, Credentials, Description, IceOptions};
///
/// let mut ours = Description::new(Credentials::new("8hhY", "asd88fgpdd777uzjYhagZg")?);
/// ours.options = IceOptions::new().with_trickle();
/// ours.candidates.push(Candidate::host("192.0.2.1:50000".parse()?));
/// assert_eq!(
///     ours.to_string(),
///     "a=ice-options:ice2 trickle\r\n\
///      a=ice-ufrag:8hhY\r\n\
///      a=ice-pwd:asd88fgpdd777uzjYhagZg\r\n\
///      a=candidate:1 1 UDP 2130706431 192.0.2.1 50000 typ host\r\n"
/// );
/// assert_eq!(ours.to_string().parse::<Description>()?, ours);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Description {
    /// `ice-ufrag` and `ice-pwd`. `None`: the side does not do ICE for this stream (RFC 8839 §4.2.5).
    pub credentials: Option<Credentials>,
    /// `ice-options`.
    pub options: IceOptions,
    /// `ice-pacing`: the Ta that the side wishes for, in whole milliseconds. `None` means 50 ms; the larger of both sides'
    /// counts (RFC 8839 §5.5). Never printed for a [lite](Self::lite) agent (RFC 8839 §4.3.1).
    pub pacing: Option<Duration>,
    /// `ice-lite`: a lite implementation (RFC 8445 §2.5).
    pub lite: bool,
    /// `candidate`: those that are supported here, in the order of the lines. What cannot be supported was passed over.
    pub candidates: Vec<Candidate>,
    /// The candidates whose address is an mDNS name.
    pub mdns_candidates: Vec<MdnsCandidate>,
    /// `end-of-candidates`: the side will not trickle any more (RFC 8840 §8).
    pub end_of_candidates: bool,
    /// `remote-candidates`: in an offer of the controlling agent after nomination, the offered-to side's own candidates
    /// of the nominated pairs (RFC 8839 §5.2).
    pub remote_candidates: Vec<RemoteCandidate>,
    /// `ice-mismatch`, in answers only: ICE is not to be used for this stream, because the offer's default destination
    /// was none of its candidates (RFC 8839 §5.3). Then no candidates are printed (§4.2.5).
    pub mismatch: bool,
}

impl Description {
    /// The most candidates that one description may have.
    pub const MAX_CANDIDATES: usize = 256;

    /// The description of a full agent without candidates, options or wishes, other than to be an agent of RFC 8445 (`ice2`).
    #[must_use]
    pub const fn new(credentials: Credentials) -> Self {
        Self {
            credentials: Some(credentials),
            options: IceOptions::new(),
            pacing: None,
            lite: false,
            candidates: Vec::new(),
            mdns_candidates: Vec::new(),
            end_of_candidates: false,
            remote_candidates: Vec::new(),
            mismatch: false,
        }
    }

    /// Reads the media section number `index` of an SDP, counted from 0, with the session level as its defaults. Text without
    /// any `m=` line is one section. Parsing with [`str::parse`] takes section 0.
    ///
    /// An attribute that stands at a level where RFC 8839 does not have it is taken for what it says, but candidates
    /// before an `m=` line belong to no section. Of two equal names at one level the first counts.
    ///
    /// # Errors
    ///
    /// A [`DescriptionError`] that says which line is malformed, or what is missing or too much. Candidates that are not
    /// [supported](super::CandidateParseError::Unsupported) are passed over and no error.
    ///
    /// ```
    /// use floe_ice::candidate::Description;
    ///
    /// let sdp = "v=0\r\n\
    ///     a=ice-ufrag:8hhY\r\n\
    ///     a=ice-pwd:asd88fgpdd777uzjYhagZg\r\n\
    ///     m=audio 9 UDP/TLS/RTP/SAVPF 111\r\n\
    ///     c=IN IP4 0.0.0.0\r\n\
    ///     m=video 9 UDP/TLS/RTP/SAVPF 96\r\n\
    ///     a=ice-ufrag:zzzz\r\n\
    ///     a=candidate:1 1 udp 2130706431 192.0.2.1 50000 typ host\r\n";
    /// let audio = Description::parse_section(sdp, 0)?;
    /// let video = Description::parse_section(sdp, 1)?;
    /// let ufrag = |d: &Description| d.credentials.as_ref().map(|c| c.ufrag().to_owned());
    /// assert_eq!(ufrag(&audio).as_deref(), Some("8hhY"));
    /// assert_eq!(ufrag(&video).as_deref(), Some("zzzz"));
    /// assert_eq!((audio.candidates.len(), video.candidates.len()), (0, 1));
    /// # Ok::<(), floe_ice::candidate::DescriptionError>(())
    /// ```
    pub fn parse_section(sdp: &str, index: usize) -> Result<Self, DescriptionError> {
        parse::section(sdp, index)
    }
}

/// One entry of `remote-candidates` (RFC 8839 §5.2).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RemoteCandidate {
    /// The component.
    pub component: ComponentId,
    /// The candidate's address.
    pub address: SocketAddr,
}
