//! Changing ICE's parts of a description.

use std::net::SocketAddr;

use floe_ice::candidate::Description;

use super::lines::Line;
use super::section::{ICE_MEDIA, ICE_SESSION, MediaLine, is_one_of};
use super::{Sdp, SdpError, SdpFault};

impl Sdp {
    /// Replaces what ICE says for media section `index`: its credentials, candidates and what else stands in it, in
    /// the place where the first of these lines was, and `ice-lite`, `ice-options` and `ice-pacing` at session level. All other
    /// lines stay. Credentials and an end of candidates at session level stay too when there are other sections, which they
    /// hold for.
    ///
    /// ```
    /// use floe_ice::candidate::{Candidate, Credentials, Description};
    /// use floe_signal::sdp::Sdp;
    ///
    /// let mut sdp: Sdp = "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\n\
    ///     c=IN IP4 0.0.0.0\r\na=mid:0\r\n".parse()?;
    /// let mut ice = Description::new(Credentials::new("8hhY", "asd88fgpdd777uzjYhagZg")?);
    /// ice.candidates.push(Candidate::host("192.0.2.1:50000".parse()?));
    /// sdp.set_ice(0, &ice)?;
    /// sdp.set_default_destination(0, Some("192.0.2.1:50000".parse()?))?;
    /// let section = sdp.section(0).ok_or("one section")?;
    /// assert_eq!(section.ice()?, ice);
    /// assert_eq!((section.media().port, section.connection()), (50000, Some("IN IP4 192.0.2.1")));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`SdpFault::NoSuchSection`], or a limit that would be exceeded; nothing has changed then.
    pub fn set_ice(&mut self, index: usize, ice: &Description) -> Result<(), SdpError> {
        if index >= self.sections.len() {
            return Err(SdpError::whole(SdpFault::NoSuchSection));
        }
        let alone = self.sections.len() == 1;
        let own = self.range(index);
        let session_end = self.session_lines().len();
        let mut lines: Vec<Line> = Vec::with_capacity(self.lines.len());
        let (mut place, mut number) = (None, 0);
        for (at, line) in self.lines.iter().enumerate() {
            if at == session_end {
                lines.extend(printed(&ice.session().to_string()));
            }
            if own.contains(&at) && at == own.start {
                number = lines.len();
            }
            let gone = if at < session_end {
                is_one_of(&line.text, &ICE_SESSION) || (alone && is_one_of(&line.text, &ICE_MEDIA))
            } else {
                own.contains(&at)
                    && (is_one_of(&line.text, &ICE_MEDIA) || is_one_of(&line.text, &ICE_SESSION))
            };
            if !gone {
                lines.push(line.clone());
            } else if own.contains(&at) {
                place.get_or_insert(lines.len());
            }
        }
        let end = number + own_lines(&lines, number);
        let at = place.unwrap_or(end);
        lines.splice(at..at, printed(&ice.media().to_string()));
        self.replace(lines)
    }

    /// Sets the default destination of media section `index` (RFC 8839 §4.2.1.2): the `m=` port and the `c=` line. `None` is
    /// what stands while no candidate is known, `0.0.0.0` with port 9 (RFC 8840 §4.1.1).
    ///
    /// # Errors
    ///
    /// [`SdpFault::NoSuchSection`], or a limit that would be exceeded; nothing has changed then.
    pub fn set_default_destination(
        &mut self,
        index: usize,
        destination: Option<SocketAddr>,
    ) -> Result<(), SdpError> {
        let section = self.section(index).ok_or(SdpError::whole(SdpFault::NoSuchSection))?;
        let MediaLine { media, protocol, formats, .. } = section.media();
        let (port, connection) = destination_lines(destination);
        let media_line = format!("m={media} {port} {protocol} {formats}");
        let mut lines = self.lines.clone();
        let own = self.range(index);
        if let Some(line) = lines.get_mut(own.start) {
            line.set(media_line);
            line.terminate();
        }
        match self.lines[own.clone()].iter().position(|line| line.kind() == 'c') {
            Some(at) => lines[own.start + at].set(connection),
            None => {
                // RFC 8866 §5: behind the m= and i= lines.
                let before = self.lines[own.clone()].iter().take_while(|line| "mi".contains(line.kind()));
                let at = own.start + before.count();
                lines.insert(at, Line::new(connection));
            }
        }
        self.replace(lines)
    }

    /// Takes other lines, if they are within the limits.
    pub(super) fn replace(&mut self, mut lines: Vec<Line>) -> Result<(), SdpError> {
        let last = lines.len().saturating_sub(1);
        lines.iter_mut().take(last).for_each(Line::terminate);
        let text: String = lines.iter().map(ToString::to_string).collect();
        *self = text.parse()?;
        Ok(())
    }
}

/// The port for the `m=` line, and the `c=` line.
pub(super) fn destination_lines(destination: Option<SocketAddr>) -> (u16, String) {
    match destination {
        Some(SocketAddr::V4(address)) => (address.port(), format!("c=IN IP4 {}", address.ip())),
        Some(SocketAddr::V6(address)) => (address.port(), format!("c=IN IP6 {}", address.ip())),
        None => (DISCARD, "c=IN IP4 0.0.0.0".to_owned()),
    }
}

/// RFC 8840 §4.1.1.
pub(super) const DISCARD: u16 = 9;

/// How many lines of `lines` from `begin` on belong to the section that begins there; empty lines at the end do not.
fn own_lines(lines: &[Line], begin: usize) -> usize {
    let rest = lines.get(begin + 1..).unwrap_or_default();
    1 + rest.iter().take_while(|line| line.kind() != 'm' && !line.text.is_empty()).count()
}

fn printed(text: &str) -> impl Iterator<Item = Line> {
    text.lines().map(Line::new)
}
