//! The `ice-options` attribute (RFC 8839 §5.6).

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;

/// The ICE options that one side supports (RFC 8839 §5.6). An extension is used when both sides name it.
///
/// ```
/// use floe_ice::candidate::IceOptions;
///
/// let options = IceOptions::new().with_trickle();
/// assert!(options.ice2() && options.trickle() && !options.renomination());
/// assert_eq!(options.to_string(), "ice2 trickle");
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct IceOptions {
    ice2: bool,
    trickle: bool,
    renomination: bool,
    /// In order, each once.
    others: Vec<Box<str>>,
}

impl IceOptions {
    /// The options of an agent without extensions: `ice2` alone, which an agent of RFC 8445 always sends (RFC 8839 §4.2.1.5).
    #[must_use]
    #[expect(clippy::new_without_default, reason = "a default could as well be no options at all")]
    pub const fn new() -> Self {
        let mut options = Self::none();
        options.ice2 = true;
        options
    }

    /// The options of a side that names none.
    pub(super) const fn none() -> Self {
        Self { ice2: false, trickle: false, renomination: false, others: Vec::new() }
    }

    /// With `trickle` (RFC 8838 §3).
    #[must_use]
    pub const fn with_trickle(mut self) -> Self {
        self.trickle = true;
        self
    }

    /// With `renomination`: the controlling side may nominate again, as `draft-thatcher-ice-renomination` has it.
    #[must_use]
    pub const fn with_renomination(mut self) -> Self {
        self.renomination = true;
        self
    }

    /// `ice2`: an agent of RFC 8445. Without it the side may be one of RFC 5245 (RFC 8839 §4.2.1.5).
    #[must_use]
    pub const fn ice2(&self) -> bool {
        self.ice2
    }

    /// `trickle`: candidates may come one by one. A side without it gets all at once, half trickle (RFC 8838 §16).
    #[must_use]
    pub const fn trickle(&self) -> bool {
        self.trickle
    }

    /// `renomination`.
    #[must_use]
    pub const fn renomination(&self) -> bool {
        self.renomination
    }

    /// The options that have no meaning here, as the peer sent them; of more than 32 or longer than 64 characters the rest is
    /// left out.
    pub fn others(&self) -> impl Iterator<Item = &str> {
        self.others.iter().map(|tag| &**tag)
    }

    /// Adds the tags of one `ice-options` value. Unknown tags may have any form.
    pub(super) fn add(&mut self, value: &str) {
        for tag in value.split(' ').filter(|tag| !tag.is_empty()) {
            match tag {
                "ice2" => self.ice2 = true,
                "trickle" => self.trickle = true,
                "renomination" => self.renomination = true,
                other => self.add_other(other),
            }
        }
    }

    /// Adds the options of another level of the same SDP.
    pub(super) fn add_all(&mut self, more: &Self) {
        self.ice2 |= more.ice2;
        self.trickle |= more.trickle;
        self.renomination |= more.renomination;
        for tag in &more.others {
            self.add_other(tag);
        }
    }

    fn add_other(&mut self, tag: &str) {
        let fits = self.others.len() < MAX_OTHERS && tag.len() <= MAX_TAG_LEN;
        if fits && tag.bytes().all(|b| b.is_ascii_graphic()) && !self.others().any(|known| known == tag) {
            self.others.push(tag.into());
        }
    }

    pub(super) const fn is_empty(&self) -> bool {
        !(self.ice2 || self.trickle || self.renomination) && self.others.is_empty()
    }
}

/// How many unknown options are kept.
const MAX_OTHERS: usize = 32;
/// How long an unknown option may be to be kept.
const MAX_TAG_LEN: usize = 64;

impl fmt::Display for IceOptions {
    /// The tags, separated by spaces.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known = [(self.ice2, "ice2"), (self.trickle, "trickle"), (self.renomination, "renomination")];
        let tags = known.into_iter().filter_map(|(set, tag)| set.then_some(tag)).chain(self.others());
        for (i, tag) in tags.enumerate() {
            f.write_str(if i == 0 { "" } else { " " })?;
            f.write_str(tag)?;
        }
        Ok(())
    }
}
