//! The username fragment and password of one side of a session (RFC 8445 §5.3, RFC 8839 §5.4).

use alloc::boxed::Box;
use alloc::string::String;
use core::fmt;

use subtle::ConstantTimeEq;

use super::foundation::is_ice_char;

/// Username fragment and password of one side of a session.
///
/// Printing a value for debugging shows the username fragment and never the password; comparing two takes the same time
/// wherever the passwords differ.
///
/// ```
/// use floe_ice::candidate::Credentials;
///
/// let remote = Credentials::new("8hhY", "asd88fgpdd777uzjYhagZg")?;
/// assert_eq!(remote.ufrag(), "8hhY");
/// assert!(!format!("{remote:?}").contains("asd88"));
/// # Ok::<(), floe_ice::candidate::CredentialsError>(())
/// ```
#[derive(Clone)]
pub struct Credentials {
    /// The username fragment, and the password behind it.
    text: Box<str>,
    ufrag_len: u16,
}

impl Credentials {
    /// The shortest and longest username fragment that is accepted, in characters (RFC 8839 §5.4).
    pub const UFRAG_LEN: (usize, usize) = (4, 256);
    /// The longest username fragment that may be sent, in characters (RFC 8839 §5.4).
    pub const MAX_SENT_UFRAG_LEN: usize = 32;
    /// The shortest and longest password, in characters (RFC 8839 §5.4).
    pub const PWD_LEN: (usize, usize) = (22, 256);
    /// How many random bytes [`from_random`](Self::from_random) makes credentials of.
    pub const RANDOM_LEN: usize = GENERATED_UFRAG_LEN + GENERATED_PWD_LEN;

    /// Credentials as received, or chosen elsewhere: `ufrag` of 4 to 256 and `pwd` of 22 to 256 ice-chars (letters, digits, `+`,
    /// `/`; RFC 8839 §5.4).
    ///
    /// # Errors
    ///
    /// A [`CredentialsError`] that names the part that is too short, too long or has another character.
    pub fn new(ufrag: &str, pwd: &str) -> Result<Self, CredentialsError> {
        check(ufrag, Self::UFRAG_LEN, CredentialsField::Ufrag)?;
        check(pwd, Self::PWD_LEN, CredentialsField::Pwd)?;
        let mut text = String::with_capacity(ufrag.len() + pwd.len());
        text.push_str(ufrag);
        text.push_str(pwd);
        Ok(Self { text: text.into_boxed_str(), ufrag_len: ufrag.len() as u16 })
    }

    /// New credentials from bytes of a cryptographic random number generator: a username fragment of 8 and a password of 24
    /// characters. Each byte decides one character with 6 of its bits, all 64 equally likely: 48 and 144 bits, where
    /// RFC 8445 §5.3 asks for 24 and 128.
    ///
    /// ```
    /// use floe_ice::candidate::Credentials;
    ///
    /// // From the operating system in a program; a constant only here.
    /// let random = [7; Credentials::RANDOM_LEN];
    /// let local = Credentials::from_random(&random);
    /// assert_eq!((local.ufrag().len(), local.pwd().len()), (8, 24));
    /// ```
    #[must_use]
    pub fn from_random(random: &[u8; Self::RANDOM_LEN]) -> Self {
        let mut text = String::with_capacity(random.len());
        text.extend(random.iter().map(ice_char));
        Self { text: text.into_boxed_str(), ufrag_len: GENERATED_UFRAG_LEN as u16 }
    }

    /// Whether these may be an agent's own: a username fragment that is sent has at most 32 characters (RFC 8839 §5.4).
    ///
    /// # Errors
    ///
    /// [`CredentialsError::TooLong`] when it is longer.
    pub fn check_local(&self) -> Result<(), CredentialsError> {
        let (min, _) = Self::UFRAG_LEN;
        check(self.ufrag(), (min, Self::MAX_SENT_UFRAG_LEN), CredentialsField::Ufrag)
    }

    /// The username fragment.
    #[must_use]
    pub fn ufrag(&self) -> &str {
        self.text.get(..usize::from(self.ufrag_len)).unwrap_or_default()
    }

    /// The username fragment as it is on the wire: no character of it is to be split.
    pub(crate) fn ufrag_bytes(&self) -> &[u8] {
        self.text.as_bytes().get(..usize::from(self.ufrag_len)).unwrap_or_default()
    }

    /// The password. It is the key of MESSAGE-INTEGRITY and belongs in the signalling, not in a log.
    #[must_use]
    pub fn pwd(&self) -> &str {
        self.text.get(usize::from(self.ufrag_len)..).unwrap_or_default()
    }
}

/// 48 bits of randomness (RFC 8445 §5.3: at least 24).
const GENERATED_UFRAG_LEN: usize = 8;
/// 144 bits of randomness (RFC 8445 §5.3: at least 128).
const GENERATED_PWD_LEN: usize = 24;

/// The 64 ice-chars (RFC 8839 §5.1), in the order of base64.
const ICE_CHARS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// 256 is a multiple of 64: no character is likelier than another.
fn ice_char(random: &u8) -> char {
    char::from(ICE_CHARS[usize::from(random % 64)])
}

fn check(text: &str, limits: (usize, usize), field: CredentialsField) -> Result<(), CredentialsError> {
    let (min, max) = limits;
    if !text.bytes().all(is_ice_char) {
        Err(CredentialsError::NotIceChars(field))
    } else if text.len() < min {
        Err(CredentialsError::TooShort(field))
    } else if text.len() > max {
        Err(CredentialsError::TooLong(field))
    } else {
        Ok(())
    }
}

impl PartialEq for Credentials {
    fn eq(&self, other: &Self) -> bool {
        let same_pwd: bool = self.pwd().as_bytes().ct_eq(other.pwd().as_bytes()).into();
        same_pwd & (self.ufrag() == other.ufrag())
    }
}

impl Eq for Credentials {}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("ufrag", &self.ufrag()).finish_non_exhaustive()
    }
}

/// Why credentials are not valid (RFC 8839 §5.4).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum CredentialsError {
    /// Less than 4 characters in a username fragment, 22 in a password.
    TooShort(CredentialsField),
    /// More than 256 characters, or 32 in a username fragment that is to be sent.
    TooLong(CredentialsField),
    /// A character other than letters, digits, `+` and `/`.
    NotIceChars(CredentialsField),
}

impl fmt::Display for CredentialsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooShort(CredentialsField::Ufrag) => f.write_str("ice-ufrag has less than 4 characters"),
            Self::TooShort(CredentialsField::Pwd) => f.write_str("ice-pwd has less than 22 characters"),
            Self::TooLong(CredentialsField::Ufrag) => f.write_str(
                "ice-ufrag has more characters than the 256 that are accepted or the 32 that may be sent",
            ),
            Self::TooLong(CredentialsField::Pwd) => f.write_str("ice-pwd has more than 256 characters"),
            Self::NotIceChars(field) => {
                write!(f, "{} has characters other than letters, digits, \"+\" and \"/\"", field.name())
            }
        }
    }
}

impl core::error::Error for CredentialsError {}

/// The two parts of [`Credentials`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CredentialsField {
    /// The username fragment: `ice-ufrag`.
    Ufrag,
    /// The password: `ice-pwd`.
    Pwd,
}

impl CredentialsField {
    const fn name(self) -> &'static str {
        match self {
            Self::Ufrag => "ice-ufrag",
            Self::Pwd => "ice-pwd",
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::collections::BTreeSet;
    use alloc::format;
    use alloc::string::ToString;

    use super::*;

    const PWD: &str = "asd88fgpdd777uzjYhagZg";

    #[test]
    fn ufrags_of_4_to_256_and_pwds_of_22_to_256_characters_are_accepted() {
        for len in [4, 32, 33, 256] {
            assert!(Credentials::new(&"u".repeat(len), PWD).is_ok(), "{len}");
        }
        for len in [22, 256] {
            assert!(Credentials::new("8hhY", &"p".repeat(len)).is_ok(), "{len}");
        }
        use CredentialsError as E;
        use CredentialsField as F;
        for (ufrag, pwd, error) in [
            ("abc", PWD, E::TooShort(F::Ufrag)),
            (&"u".repeat(257), PWD, E::TooLong(F::Ufrag)),
            ("a:bc", PWD, E::NotIceChars(F::Ufrag)),
            ("", PWD, E::TooShort(F::Ufrag)),
            ("abcd", &PWD[1..], E::TooShort(F::Pwd)),
            ("abcd", &"p".repeat(257), E::TooLong(F::Pwd)),
            ("abcd", "asd88fgpdd777uzj hagZg", E::NotIceChars(F::Pwd)),
            ("abcd", "asd88fgpdd777uzj\u{e9}hagZg", E::NotIceChars(F::Pwd)),
        ] {
            assert_eq!(Credentials::new(ufrag, pwd), Err(error), "{ufrag} {pwd}");
        }
    }

    #[test]
    fn a_ufrag_of_more_than_32_characters_is_not_sent() {
        let received = |len| Credentials::new(&"u".repeat(len), PWD).expect("accepted");
        assert_eq!(received(32).check_local(), Ok(()));
        assert_eq!(received(33).check_local(), Err(CredentialsError::TooLong(CredentialsField::Ufrag)));
    }

    #[test]
    fn generated_credentials_are_valid_and_use_every_byte() {
        let random: [u8; Credentials::RANDOM_LEN] = core::array::from_fn(|i| i as u8 * 5);
        let made = Credentials::from_random(&random);
        assert_eq!(Credentials::new(made.ufrag(), made.pwd()), Ok(made.clone()));
        assert_eq!(made.check_local(), Ok(()));
        for i in 0..random.len() {
            let mut other = random;
            other[i] ^= 1;
            assert_ne!(Credentials::from_random(&other), made, "byte {i}");
        }
    }

    #[test]
    fn every_character_stands_for_four_bytes() {
        let distinct: BTreeSet<char> = (0..=255).map(|byte| ice_char(&byte)).collect();
        assert_eq!(distinct.len(), 64);
        for c in distinct {
            assert!(is_ice_char(c as u8));
            assert_eq!((0..=255).filter(|byte| ice_char(byte) == c).count(), 4);
        }
    }

    #[test]
    fn debug_output_has_the_ufrag_and_not_the_password() {
        let shown = format!("{:#?}", Credentials::new("8hhY", PWD));
        assert!(shown.contains("8hhY") && !shown.contains("asd88"), "{shown}");
    }

    #[test]
    fn errors_name_the_attribute() {
        let text = |ufrag, pwd| Credentials::new(ufrag, pwd).expect_err("refused").to_string();
        assert_eq!(text("abc", PWD), "ice-ufrag has less than 4 characters");
        assert_eq!(text("abcd", "x"), "ice-pwd has less than 22 characters");
    }
}
