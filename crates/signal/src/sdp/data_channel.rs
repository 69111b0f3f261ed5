//! Descriptions of our own: one media section, for data channels (RFC 8829 §5.2.1, RFC 8841).

use floe_ice::candidate::Description;

use super::attribute::{Fingerprint, Setup};
use super::edit::{DISCARD, destination_lines};
use super::section::{MediaLine, Section};
use super::{Sdp, SdpError, SdpFault};

/// What an offer or answer of ours says: a transport for data channels, and no media.
///
/// ```
/// use floe_ice::candidate::{Credentials, Description, IceOptions};
/// use floe_signal::sdp::{DataChannel, Fingerprint, Setup};
///
/// let mut ice = Description::new(Credentials::new("8hhY", "asd88fgpdd777uzjYhagZg")?);
/// ice.options = IceOptions::new().with_trickle();
/// // In earnest: 63 random bits, and the SHA-256 of the certificate.
/// let ours = DataChannel::new(4_611_731_400_430_051_336, ice, Fingerprint::sha256([0xab; 32]));
/// let offer = ours.offer()?;
/// assert_eq!(offer.section(0).and_then(|section| section.setup()), Some(Setup::Actpass));
///
/// let ice = Description::new(Credentials::new("9uB6", "YH75Fviy6338Vbrhrlp8Yh")?);
/// let theirs = DataChannel::new(1, ice, Fingerprint::sha256([0xcd; 32]));
/// let answer = theirs.answer(&offer)?;
/// answer.check_answers(&offer)?;
/// assert_eq!(answer.section(0).and_then(|section| section.setup()), Some(Setup::Active));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct DataChannel {
    /// The session id of the `o=` line: 63 random bits, the same in all descriptions of one side (RFC 8829 §5.2.1). Greater
    /// values are cut.
    pub session_id: u64,
    /// The version of the `o=` line, 1 more in each description that differs from the last (RFC 8829 §5.2.2).
    pub version: u64,
    /// The identification tag in an offer: `0` unless it is changed. An answer takes that of the offer.
    pub mid: String,
    /// ICE's part. `ice2` and `trickle` should be among its options when the candidates are to follow.
    pub ice: Description,
    /// The certificate that DTLS will show.
    pub fingerprint: Fingerprint,
    /// The DTLS role of an answer, when it is not what the offer makes it: after the first exchange it stays as it was (RFC 8842
    /// §5.3).
    pub setup: Option<Setup>,
    /// The SCTP port: 5000, as everyone has it.
    pub sctp_port: u16,
    /// The longest message that this side takes, in bytes; 0 for any.
    pub max_message_size: u64,
}

/// The SCTP port that browsers use.
const SCTP_PORT: u16 = 5000;
/// What browsers say that they take at least.
const MAX_MESSAGE_SIZE: u64 = 256 * 1024;

impl DataChannel {
    /// The first description of a side.
    #[must_use]
    pub fn new(session_id: u64, ice: Description, fingerprint: Fingerprint) -> Self {
        Self {
            session_id,
            version: 1,
            mid: "0".to_owned(),
            ice,
            fingerprint,
            setup: None,
            sctp_port: SCTP_PORT,
            max_message_size: MAX_MESSAGE_SIZE,
        }
    }

    /// An offer (RFC 8829 §5.2).
    ///
    /// # Errors
    ///
    /// The [`mid`](Self::mid) is no token.
    pub fn offer(&self) -> Result<Sdp, SdpError> {
        let media = MediaLine {
            media: "application",
            port: self.port(),
            protocol: "UDP/DTLS/SCTP",
            formats: "webrtc-datachannel",
        };
        // RFC 8842 §5.2: an offer leaves the choice, a later one too.
        let section = self.section(media, Some(&self.mid), Setup::Actpass);
        (self.session(Some(&self.mid)) + &section).parse()
    }

    /// The answer to `offer`: its first section for data channels is accepted, all others are refused (RFC 3264 §6).
    ///
    /// # Errors
    ///
    /// [`SdpFault::NoDataChannel`] when there is none, or one without a role left for us. An offer without fingerprint or
    /// credentials for it names [what is missing](SdpFault::Missing) (RFC 8829 §5.8.3).
    pub fn answer(&self, offer: &Sdp) -> Result<Sdp, SdpError> {
        let none = SdpError::whole(SdpFault::NoDataChannel);
        let usable = |section: &Section<'_>| section.is_data_channel() && !section.is_rejected();
        let accepted = offer.sections().find(usable).ok_or(none.clone())?;
        let setup = match self.setup {
            Some(setup) => setup,
            None => accepted.setup().unwrap_or(Setup::Actpass).answered().ok_or(none)?,
        };
        required(accepted)?;
        let mid = accepted.mid();
        let bundled = mid.filter(|mid| offer.bundle().contains(mid));
        let mut text = self.session(bundled);
        for section in offer.sections() {
            if section.index() == accepted.index() {
                let media = MediaLine { port: self.port(), ..section.media() };
                text += &self.section(media, mid, setup);
            } else {
                text += &refused(section);
            }
        }
        text.parse()
    }

    fn session(&self, bundled: Option<&str>) -> String {
        // RFC 8829 §5.2.1: an address that says nothing, and a session id of 63 bits.
        let id = self.session_id & (u64::MAX >> 1);
        let group = bundled.map(|mid| format!("a=group:BUNDLE {mid}\r\n")).unwrap_or_default();
        format!(
            "v=0\r\no=- {id} {} IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n{group}{}",
            self.version,
            self.ice.session()
        )
    }

    fn section(&self, media: MediaLine<'_>, mid: Option<&str>, setup: Setup) -> String {
        let MediaLine { media, port, protocol, formats } = media;
        let (_, connection) = destination_lines(self.default_candidate());
        let mid = mid.map(|mid| format!("a=mid:{mid}\r\n")).unwrap_or_default();
        format!(
            "m={media} {port} {protocol} {formats}\r\n{connection}\r\n{mid}{}a=fingerprint:{}\r\na=setup:{setup}\r\n\
             a=sctp-port:{}\r\na=max-message-size:{}\r\n",
            self.ice.media(),
            self.fingerprint,
            self.sctp_port,
            self.max_message_size
        )
    }

    fn port(&self) -> u16 {
        self.default_candidate().map_or(DISCARD, |address| address.port())
    }

    /// RFC 8839 §4.2.1.2: the candidate that a side without ICE would most likely reach, and none while there is none.
    fn default_candidate(&self) -> Option<std::net::SocketAddr> {
        use floe_ice::candidate::CandidateKind as Kind;
        let reach = |kind| match kind {
            Kind::Relayed => 3,
            Kind::ServerReflexive => 2,
            _ => 1,
        };
        let udp = self
            .ice
            .candidates
            .iter()
            .filter(|c| c.transport().protocol() == floe_ice::candidate::Protocol::Udp);
        let best = udp.max_by_key(|c| (reach(c.kind()), c.address().is_ipv4(), c.priority()));
        best.map(floe_ice::candidate::Candidate::address)
    }
}

/// RFC 8829 §5.8.3: what the peer's section, or the one whose transport it shares, must say.
fn required(section: Section<'_>) -> Result<(), SdpError> {
    let transport = section.transport();
    let missing = |what| Err(SdpError::whole(SdpFault::Missing(what)));
    if transport.ufrag().is_none() || transport.pwd().is_none() {
        missing("ice-ufrag or ice-pwd")
    } else if transport.fingerprints().is_empty() {
        missing("fingerprint")
    } else {
        Ok(())
    }
}

/// RFC 3264 §6: the section with port 0.
fn refused(section: Section<'_>) -> String {
    let MediaLine { media, protocol, formats, .. } = section.media();
    let mid = section.mid().map(|mid| format!("a=mid:{mid}\r\n")).unwrap_or_default();
    format!("m={media} 0 {protocol} {formats}\r\nc=IN IP4 0.0.0.0\r\n{mid}a=inactive\r\n")
}
