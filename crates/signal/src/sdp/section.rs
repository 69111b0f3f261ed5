//! One media section, and what can be asked of it.

use std::str::FromStr;

use floe_ice::candidate::{Description, DescriptionError};

use super::attribute::{Fingerprint, Setup};
use super::lines::{Line, attribute, split_attribute};
use super::{Place, Sdp, SdpError, SdpFault};

/// A media section of an [`Sdp`]. What RFC 8829 §5.8 lets stand at either level is taken from the session level when the
/// section does not have it.
#[derive(Clone, Copy)]
pub struct Section<'a> {
    sdp: &'a Sdp,
    index: usize,
}

/// The fields of an `m=` line (RFC 8866 §5.14).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MediaLine<'a> {
    /// `audio`, `video`, `application`, …
    pub media: &'a str,
    /// The port; 9 while no candidate is known, 0 when the section is refused or bundle-only.
    pub port: u16,
    /// `UDP/TLS/RTP/SAVPF`, `UDP/DTLS/SCTP`, …
    pub protocol: &'a str,
    /// The formats, separated by spaces.
    pub formats: &'a str,
}

impl<'a> MediaLine<'a> {
    /// Reads what stands behind `m=`.
    pub(super) fn parse(value: &'a str) -> Option<Self> {
        let mut fields = value.splitn(4, ' ');
        let (media, port, protocol, formats) =
            (fields.next()?, fields.next()?, fields.next()?, fields.next()?);
        let (port, count) = port.split_once('/').map_or((port, "1"), |(port, count)| (port, count));
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let whole = !media.is_empty() && !protocol.is_empty() && !formats.is_empty();
        if !whole || !digits(port) || !digits(count) {
            return None;
        }
        Some(Self { media, port: port.parse().ok()?, protocol, formats })
    }
}

impl<'a> Section<'a> {
    pub(super) const fn new(sdp: &'a Sdp, index: usize) -> Self {
        Self { sdp, index }
    }

    /// Its number, from 0: its `sdpMLineIndex`.
    #[must_use]
    pub const fn index(self) -> usize {
        self.index
    }

    /// Its `m=` line.
    #[must_use]
    pub fn media(self) -> MediaLine<'a> {
        let line = self.lines().first().and_then(|line| MediaLine::parse(line.value()));
        // Every section begins with a line that was checked.
        line.unwrap_or(MediaLine { media: "", port: 0, protocol: "", formats: "" })
    }

    /// `mid`: its identification tag (RFC 5888 §4).
    #[must_use]
    pub fn mid(self) -> Option<&'a str> {
        self.sdp.value_at(self.place()?.mid)
    }

    /// Whether it is for data channels: SCTP over DTLS (RFC 8841 §4).
    #[must_use]
    pub fn is_data_channel(self) -> bool {
        let media = self.media();
        media.protocol.ends_with("DTLS/SCTP") && media.formats == "webrtc-datachannel"
    }

    /// Whether the port is 0 because the section is refused (RFC 3264 §6), and not because it is bundle-only.
    #[must_use]
    pub fn is_rejected(self) -> bool {
        self.media().port == 0 && self.own("bundle-only").is_none()
    }

    /// The value of the `c=` line that holds for it.
    #[must_use]
    pub fn connection(self) -> Option<&'a str> {
        let find = |lines: &'a [Line]| lines.iter().find(|line| line.kind() == 'c').map(Line::value);
        find(self.lines()).or_else(|| find(self.sdp.session_lines()))
    }

    /// `rtcp-mux`: RTP and RTCP share a component (RFC 5761).
    #[must_use]
    pub fn rtcp_mux(self) -> bool {
        self.own("rtcp-mux").is_some()
    }

    /// `setup`: who opens the DTLS connection.
    #[must_use]
    pub fn setup(self) -> Option<Setup> {
        self.inherited("setup").and_then(|value| Setup::from_str(value).ok())
    }

    /// `fingerprint`: those of the certificates that the side may use.
    #[must_use]
    pub fn fingerprints(self) -> Vec<Fingerprint> {
        let all = |lines: &[Line]| -> Vec<Fingerprint> {
            let values = lines.iter().filter_map(|line| attribute(&line.text, "fingerprint"));
            values.filter_map(|value| value.parse().ok()).collect()
        };
        let own = all(self.lines());
        if own.is_empty() { all(self.sdp.session_lines()) } else { own }
    }

    /// `tls-id`: which DTLS connection this is (RFC 8842 §4).
    #[must_use]
    pub fn tls_id(self) -> Option<&'a str> {
        self.inherited("tls-id")
    }

    /// `sctp-port` (RFC 8841 §5).
    #[must_use]
    pub fn sctp_port(self) -> Option<u16> {
        self.own("sctp-port").and_then(|value| value.parse().ok())
    }

    /// `max-message-size`: the longest message that the side takes, in bytes, 0 for any; 64 KiB if it says nothing
    /// (RFC 8841 §6).
    #[must_use]
    pub fn max_message_size(self) -> u64 {
        self.own("max-message-size").and_then(|value| value.parse().ok()).unwrap_or(DEFAULT_MESSAGE_SIZE)
    }

    /// `ice-ufrag`.
    #[must_use]
    pub fn ufrag(self) -> Option<&'a str> {
        self.sdp.value_at(self.place()?.ufrag)
    }

    /// `ice-pwd`. It is a secret, and does not belong in a log.
    #[must_use]
    pub fn pwd(self) -> Option<&'a str> {
        self.sdp.value_at(self.place()?.pwd)
    }

    /// The value of an attribute of this section itself, empty for a flag.
    #[must_use]
    pub fn attribute(self, name: &str) -> Option<&'a str> {
        self.own(name)
    }

    /// The section whose transport this one uses: its own, or that of the first section of its BUNDLE group when
    /// it has no credentials itself (RFC 8843 §7.1.3, RFC 8829 §5.2.1).
    #[must_use]
    pub fn transport(self) -> Self {
        if self.own("ice-ufrag").is_some() {
            return self;
        }
        let bundle = self.sdp.bundle();
        let is_bundled = self.mid().is_some_and(|mid| bundle.contains(&mid));
        let tagged = bundle.first().filter(|_| is_bundled);
        tagged.and_then(|tag| self.sdp.section_by_mid(tag)).unwrap_or(self)
    }

    /// What ICE says in this section and, for it, at session level (RFC 8839 §5).
    ///
    /// # Errors
    ///
    /// One of username fragment and password is there without the other, there are more candidates than
    /// [`Description::MAX_CANDIDATES`], or `remote-candidates` have a component twice; every line for itself was checked when the
    /// SDP was parsed. None of that is left once [`Sdp::set_ice`](super::Sdp::set_ice) has set the section.
    pub fn ice(self) -> Result<Description, SdpError> {
        let begin = self.sdp.range(self.index).start;
        let session = (1..).zip(self.sdp.session_lines());
        let own = (begin + 1..).zip(self.lines());
        let mut numbers = Vec::new();
        let mut text = String::new();
        for (number, line) in session.chain(own) {
            if line.kind() == 'm' || is_ice(&line.text) {
                numbers.push(number);
                text += &line.text;
                text.push('\n');
            }
        }
        text.parse().map_err(|error: DescriptionError| {
            let line = error.line().and_then(|line| numbers.get(line - 1)).copied();
            let fault = SdpFault::Ice(error.fault().clone());
            line.map_or(SdpError::whole(fault.clone()), |line| SdpError::at(line, fault.clone()))
        })
    }

    pub(super) fn lines(self) -> &'a [Line] {
        self.sdp.lines.get(self.sdp.range(self.index)).unwrap_or_default()
    }

    fn place(self) -> Option<&'a Place> {
        self.sdp.sections.get(self.index)
    }

    fn own(self, name: &str) -> Option<&'a str> {
        self.lines().iter().find_map(|line| attribute(&line.text, name))
    }

    fn inherited(self, name: &str) -> Option<&'a str> {
        self.own(name).or_else(|| self.sdp.session_attribute(name))
    }
}

/// RFC 8841 §6.1.
const DEFAULT_MESSAGE_SIZE: u64 = 64 * 1024;

/// The attributes of ICE at media level that describe the transport itself (RFC 8839 §5, RFC 8840 §8).
pub(super) const ICE_MEDIA: [&str; 6] =
    ["ice-ufrag", "ice-pwd", "candidate", "remote-candidates", "end-of-candidates", "ice-mismatch"];
/// Those that hold for all sections.
pub(super) const ICE_SESSION: [&str; 3] = ["ice-lite", "ice-options", "ice-pacing"];

pub(super) fn is_ice(line: &str) -> bool {
    is_one_of(line, &ICE_MEDIA) || is_one_of(line, &ICE_SESSION)
}

pub(super) fn is_one_of(line: &str, names: &[&str]) -> bool {
    split_attribute(line).is_some_and(|(found, _)| names.iter().any(|name| found.eq_ignore_ascii_case(name)))
}
