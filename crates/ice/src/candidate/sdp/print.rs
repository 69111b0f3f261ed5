//! Printing a description as SDP lines, each at its level (RFC 8839 §5, RFC 8840 §8).

use core::fmt;

use super::Description;

impl Description {
    /// The lines for the session level: `ice-lite`, `ice-pacing` and `ice-options`, each with `a=` before and CRLF after
    /// it. They hold for all media sections of the SDP.
    #[must_use]
    pub const fn session(&self) -> SessionLines<'_> {
        SessionLines(self)
    }

    /// The lines for the stream's media section, each with `a=` before and CRLF after it: credentials, candidates and
    /// what else speaks of this stream alone.
    #[must_use]
    pub const fn media(&self) -> MediaLines<'_> {
        MediaLines(self)
    }
}

impl fmt::Display for Description {
    /// The [session](Self::session) lines, then the [media](Self::media) lines.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.session(), self.media())
    }
}

/// The session-level lines of a [`Description`], to be printed.
#[derive(Clone, Copy, Debug)]
pub struct SessionLines<'a>(&'a Description);

impl fmt::Display for SessionLines<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Description { lite, pacing, options, .. } = self.0;
        if *lite {
            f.write_str("a=ice-lite\r\n")?;
        }
        // RFC 8839 §4.3.1: a lite agent performs no checks and wishes for no pace.
        if let (Some(pacing), false) = (pacing, *lite) {
            // Up to the next millisecond, so that nobody is asked to be faster; at most 10 digits (§5.5).
            let millis = pacing.as_nanos().div_ceil(1_000_000).min(MAX_PACING_MS);
            write!(f, "a=ice-pacing:{millis}\r\n")?;
        }
        if !options.is_empty() {
            write!(f, "a=ice-options:{options}\r\n")?;
        }
        Ok(())
    }
}

/// The largest number of 10 digits (RFC 8839 §5.5).
const MAX_PACING_MS: u128 = 9_999_999_999;

/// The media-level lines of a [`Description`], to be printed.
#[derive(Clone, Copy, Debug)]
pub struct MediaLines<'a>(&'a Description);

impl fmt::Display for MediaLines<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let description = self.0;
        if let Some(credentials) = &description.credentials {
            write!(f, "a=ice-ufrag:{}\r\na=ice-pwd:{}\r\n", credentials.ufrag(), credentials.pwd())?;
        }
        if description.mismatch {
            // RFC 8839 §4.2.5: and then no candidates.
            return f.write_str("a=ice-mismatch\r\n");
        }
        for candidate in &description.candidates {
            write!(f, "a={candidate}\r\n")?;
        }
        for candidate in &description.mdns_candidates {
            write!(f, "a={candidate}\r\n")?;
        }
        for (i, remote) in description.remote_candidates.iter().enumerate() {
            let before = if i == 0 { "a=remote-candidates:" } else { " " };
            write!(f, "{before}{} {} {}", remote.component, remote.address.ip(), remote.address.port())?;
        }
        if !description.remote_candidates.is_empty() {
            f.write_str("\r\n")?;
        }
        if description.end_of_candidates {
            f.write_str("a=end-of-candidates\r\n")?;
        }
        Ok(())
    }
}
