//! Who may use the server.

use std::time::Duration;

use floe::turn::server::{Credentials, SharedSecret};
use rand::TryRng;
use rand::rngs::SysRng;

use crate::failure::Failure;

use super::utc;

/// Who may use the server, as the arguments say it.
#[derive(Debug, clap::Args)]
pub(crate) struct UserArgs {
    /// The realm of the users (RFC 8489 §9.2), usually
    /// the domain of the server
    #[arg(long, value_name = "NAME", default_value = "floe", verbatim_doc_comment)]
    realm: String,

    /// A user who may have relays; can be repeated.
    /// Whoever may list the processes of this machine
    /// can read it
    #[arg(long, value_name = "NAME:PASSWORD", verbatim_doc_comment)]
    user: Vec<String>,

    /// Accept user names TIME:NAME until that Unix
    /// time; the password is base64(HMAC-SHA1(SECRET,
    /// user name)), as web services make them. The
    /// variable FLOE_TURN_SECRET is read as well, and
    /// not seen by whoever lists the processes
    #[arg(long, value_name = "SECRET", verbatim_doc_comment)]
    shared_secret: Option<String>,
}

/// Where the secret may be, out of sight of other processes.
const SECRET: &str = "FLOE_TURN_SECRET";

/// The user that is made up where none is named.
const MADE_UP: &str = "floe";

/// How long the credentials hold that are printed.
const HOLDS: Duration = Duration::from_secs(24 * 3600);

/// Who may use the server.
pub(super) struct Users {
    credentials: Credentials,
    names: Vec<String>,
    /// Credentials that may be shown: they were made for this run.
    example: Option<(String, String)>,
    /// Until when the example holds.
    expires: Option<u64>,
    /// What makes the credentials of participants in rooms.
    secret: SharedSecret,
}

impl Users {
    pub(super) fn new(args: &UserArgs) -> Result<Self, Failure> {
        let secret = args.shared_secret.clone().or_else(|| std::env::var(SECRET).ok());
        Self::from(&args.realm, &args.user, secret.as_deref())
    }

    fn from(realm: &str, users: &[String], secret: Option<&str>) -> Result<Self, Failure> {
        let mut credentials =
            Credentials::new(realm).map_err(|error| Failure::Usage(format!("--realm {realm:?}: {error}")))?;
        let mut names = Vec::new();
        for user in users {
            // The password is not repeated.
            let Some((name, password)) = user.split_once(':').filter(|(_, password)| !password.is_empty())
            else {
                return Err(Failure::Usage(
                    "--user needs a name, a colon and a password: NAME:PASSWORD".to_owned(),
                ));
            };
            credentials
                .add_user(name, password)
                .map_err(|error| Failure::Usage(format!("--user {name:?}: {error}")))?;
            names.push(name.to_owned());
        }
        let (mut example, mut expires) = (None, None);
        let mut own = SharedSecret::new(random_password()?.as_bytes());
        if let Some(secret) = secret {
            if secret.is_empty() {
                return Err(Failure::Usage(format!(
                    "the shared secret (--shared-secret or {SECRET}) is empty"
                )));
            }
            let secret = SharedSecret::new(secret.as_bytes());
            let until = utc::unix_time() + HOLDS.as_secs();
            example = Some(secret.issue("test", until));
            expires = Some(until);
            own = secret;
        } else if users.is_empty() {
            let password = random_password()?;
            credentials.add_user(MADE_UP, &password).map_err(|error| Failure::Failed(error.to_string()))?;
            example = Some((MADE_UP.to_owned(), password));
        }
        credentials.add_secret(own.clone());
        Ok(Self { credentials, names, example, expires, secret: own })
    }

    /// What makes credentials that hold for a while: the shared secret, or one that was made up for this run.
    pub(super) fn secret(&self) -> SharedSecret {
        self.secret.clone()
    }

    pub(super) const fn credentials(&self) -> &Credentials {
        &self.credentials
    }

    /// A user name and password that work.
    pub(super) fn example(&self) -> Option<(&str, &str)> {
        self.example.as_ref().map(|(user, password)| (user.as_str(), password.as_str()))
    }

    /// What there is to say about them: a line for each.
    pub(super) fn describe(&self) -> String {
        let mut text = String::new();
        if !self.names.is_empty() {
            text.push_str(&format!("users     {}\n", self.names.join(", ")));
        }
        if let Some((user, password)) = &self.example {
            let remark = match self.expires {
                Some(until) => format!(" (until {})", utc::at(until)),
                None => " (for this run: no --user and no --shared-secret was given)".to_owned(),
            };
            text.push_str(&format!("username  {user}{remark}\npassword  {password}\n"));
        }
        text
    }
}

/// 130 bits in letters and digits that nobody mistakes for each other.
fn random_password() -> Result<String, Failure> {
    const DIGITS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
    let mut bytes = [0; 26];
    SysRng
        .try_fill_bytes(&mut bytes)
        .map_err(|error| Failure::Failed(format!("the system has no random bytes: {error}")))?;
    Ok(bytes.iter().map(|byte| char::from(DIGITS[usize::from(byte % 32)])).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn users(given: &[&str], secret: Option<&str>) -> Result<Users, Failure> {
        let given: Vec<String> = given.iter().map(ToString::to_string).collect();
        Users::from("example.org", &given, secret)
    }

    fn complaint(given: &[&str], secret: Option<&str>) -> String {
        match users(given, secret) {
            Err(Failure::Usage(text)) => text,
            _ => panic!("this usage is wrong"),
        }
    }

    #[test]
    fn without_users_one_is_made_up_that_nobody_can_guess() {
        let [one, other] = [users(&[], None), users(&[], None)].map(|users| users.expect("made up"));
        let (name, password) = one.example().expect("an example");
        assert_eq!((name, password.len()), ("floe", 26));
        assert_ne!(one.example(), other.example());
        assert!(one.describe().contains(&format!("password  {password}\n")));
    }

    #[test]
    fn passwords_that_were_given_are_not_shown() {
        let users = users(&["alice:se:cret", "bob:hidden"], None).expect("two users");
        assert_eq!(users.describe(), "users     alice, bob\n");
        assert_eq!(users.example(), None);
    }

    #[test]
    fn a_secret_makes_credentials_for_a_day() {
        let users = users(&[], Some("north")).expect("a secret");
        let (name, password) = users.example().expect("an example");
        let (until, user) = name.split_once(':').expect("time:user");
        assert_eq!((user, password.len()), ("test", 28));
        let left = until.parse::<u64>().expect("a time") - utc::unix_time();
        assert!((86_390..=86_400).contains(&left), "{left}");
        assert!(!users.describe().contains("north"));
    }

    #[test]
    fn what_makes_no_user_is_explained_without_the_password() {
        assert!(complaint(&["alice"], None).contains("NAME:PASSWORD"));
        assert!(complaint(&["alice:"], None).contains("NAME:PASSWORD"));
        assert!(complaint(&[":topsecret"], None).contains("1 to 508 bytes"));
        assert!(!complaint(&[":topsecret"], None).contains("topsecret"));
        assert!(complaint(&[], Some("")).contains("FLOE_TURN_SECRET"));
        let realm = Users::from("a\"b", &[], None);
        assert!(matches!(realm, Err(Failure::Usage(text)) if text.starts_with("--realm")));
    }
}
