//! Session descriptions (RFC 8866, RFC 8829 §5): read, asked, and changed in ICE's parts, with every other byte kept.
//!
//! An [`Sdp`] is its lines, in their order and with their line ends, so that it prints as it came. It is checked once, when it
//! is parsed, as RFC 8829 §5.8 has it: the form and place of every line, and the value of every attribute that this
//! crate knows. A [`Section`] then answers questions about one media section without being able to fail.
//!
//! The lines are our own because a signaller has to pass on what it does not understand. The crates for SDP read into a
//! model of the attributes they know and print that: a browser's newer attributes, the order and the spelling are lost
//! there, and a model of audio and video codecs is a lot to carry for ICE. What ICE says in SDP is read and printed by
//! [`floe_ice::candidate::Description`].
//!
//! ```
//! use floe_signal::sdp::{Sdp, Setup};
//!
//! let text = "v=0\r\no=- 4611731400430051336 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\n\
//!     m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\nc=IN IP4 0.0.0.0\r\na=ice-ufrag:8hhY\r\n\
//!     a=ice-pwd:asd88fgpdd777uzjYhagZg\r\na=ice-options:trickle\r\na=setup:actpass\r\na=mid:0\r\n\
//!     a=sctp-port:5000\r\na=max-message-size:262144\r\na=x-new-in-this-browser:1\r\n";
//! let sdp: Sdp = text.parse()?;
//! let data = sdp.section_by_mid("0").ok_or("no mid 0")?;
//! assert!(data.is_data_channel());
//! assert_eq!((data.sctp_port(), data.setup()), (Some(5000), Some(Setup::Actpass)));
//! let ice = data.ice()?;
//! assert_eq!(ice.credentials.map(|c| c.ufrag().to_owned()).as_deref(), Some("8hhY"));
//! assert_eq!(sdp.to_string(), text);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod attribute;
mod check;
mod data_channel;
mod edit;
mod error;
mod fragment;
mod lines;
mod section;
#[cfg(test)]
mod tests;

use std::fmt;
use std::str::FromStr;

pub use attribute::{Fingerprint, Setup};
pub use data_channel::DataChannel;
pub use error::{SdpError, SdpFault};
pub use fragment::{Fragment, FragmentSection};
pub use section::{MediaLine, Section};

use lines::{Line, attribute, split_attribute};

/// A session description, byte for byte.
///
/// Printing it for debugging shows its size only: a description has the ICE password in it.
#[derive(Clone, PartialEq, Eq)]
pub struct Sdp {
    lines: Vec<Line>,
    sections: Vec<Place>,
}

/// Where a media section begins, and the lines that are asked for most, by their index. Those of the session level
/// stand in for the section's own.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Place {
    begin: usize,
    mid: Option<usize>,
    ufrag: Option<usize>,
    pwd: Option<usize>,
}

impl Sdp {
    /// The longest description, in bytes. An offer of a browser takes about 1 KB for a data channel and 7 KB for audio and
    /// video; of one with a hundred participants it is some 200 KB.
    pub const MAX_LEN: usize = 256 * 1024;
    /// The longest line, in bytes without its end. An identity assertion (RFC 8827) takes a few thousand.
    pub const MAX_LINE: usize = 16 * 1024;
    /// The most lines.
    pub const MAX_LINES: usize = 8192;
    /// The most media sections.
    pub const MAX_SECTIONS: usize = 512;

    /// The number of media sections.
    #[must_use]
    pub fn section_count(&self) -> usize {
        self.sections.len()
    }

    /// The media sections in their order.
    pub fn sections(&self) -> impl Iterator<Item = Section<'_>> {
        (0..self.sections.len()).map(|index| Section::new(self, index))
    }

    /// Media section number `index`, from 0: what `sdpMLineIndex` counts.
    #[must_use]
    pub fn section(&self, index: usize) -> Option<Section<'_>> {
        (index < self.sections.len()).then(|| Section::new(self, index))
    }

    /// The media section with this identification tag (RFC 5888): what `sdpMid` names.
    #[must_use]
    pub fn section_by_mid(&self, mid: &str) -> Option<Section<'_>> {
        self.sections().find(|section| section.mid() == Some(mid))
    }

    /// The identification tags of the first `BUNDLE` group (RFC 8843 §7): all of these sections share the
    /// transport of the first that is named. Empty without a group.
    #[must_use]
    pub fn bundle(&self) -> Vec<&str> {
        let mut groups = self.session_lines().iter().filter_map(|line| attribute(&line.text, "group"));
        let tags = groups.find_map(|value| value.strip_prefix("BUNDLE"));
        tags.unwrap_or_default().split(' ').filter(|tag| !tag.is_empty()).collect()
    }

    /// `ice-lite`: the side is a lite implementation (RFC 8839 §5.3).
    #[must_use]
    pub fn ice_lite(&self) -> bool {
        self.session_attribute("ice-lite").is_some()
    }

    /// Whether this can be the answer to `offer`: as many media sections, each of the same media and protocol
    /// (RFC 8829 §5.8.3).
    ///
    /// # Errors
    ///
    /// [`SdpFault::NotTheOfferedSections`], with the line of the first section that differs.
    pub fn check_answers(&self, offer: &Self) -> Result<(), SdpError> {
        if self.sections.len() != offer.sections.len() {
            return Err(SdpError::whole(SdpFault::NotTheOfferedSections));
        }
        let differs = self.sections().zip(offer.sections()).position(|(ours, theirs)| {
            let (ours, theirs) = (ours.media(), theirs.media());
            (ours.media, ours.protocol) != (theirs.media, theirs.protocol)
        });
        match differs.and_then(|index| self.sections.get(index)) {
            Some(place) => Err(SdpError::at(place.begin + 1, SdpFault::NotTheOfferedSections)),
            None => Ok(()),
        }
    }

    /// The lines before the first media section.
    fn session_lines(&self) -> &[Line] {
        let end = self.sections.first().map_or(self.lines.len(), |first| first.begin);
        self.lines.get(..end).unwrap_or_default()
    }

    /// The value of the attribute in line `at`.
    fn value_at(&self, at: Option<usize>) -> Option<&str> {
        split_attribute(&self.lines.get(at?)?.text).map(|(_, value)| value)
    }

    fn session_attribute(&self, name: &str) -> Option<&str> {
        self.session_lines().iter().find_map(|line| attribute(&line.text, name))
    }

    /// Where the lines of a section begin and end, its `m=` line included; an empty range when there is none.
    fn range(&self, index: usize) -> std::ops::Range<usize> {
        let Some(place) = self.sections.get(index) else { return 0..0 };
        place.begin..self.sections.get(index + 1).map_or(self.lines.len(), |next| next.begin)
    }
}

impl FromStr for Sdp {
    type Err = SdpError;

    /// # Errors
    ///
    /// An [`SdpError`] that says which line is malformed, what is missing, or which limit is exceeded.
    fn from_str(text: &str) -> Result<Self, SdpError> {
        check::sdp(lines::split(text)?)
    }
}

impl fmt::Display for Sdp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.lines.iter().try_for_each(|line| line.fmt(f))
    }
}

impl fmt::Debug for Sdp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sdp({} lines, {} sections)", self.lines.len(), self.sections.len())
    }
}
