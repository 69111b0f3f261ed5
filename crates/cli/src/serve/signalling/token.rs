//! Who may enter a room.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;

/// What has to be shown to enter a room.
pub(super) enum Tokens {
    /// Nothing.
    Free,
    /// This token.
    Shared(Box<str>),
    /// A token for the room that was made with this secret.
    Made(Box<str>),
}

impl Tokens {
    /// Why someone with this token may not enter the room now, at this Unix time in seconds.
    pub(super) fn check(&self, room: &str, token: Option<&str>, now: u64) -> Result<(), &'static str> {
        let token = match (self, token) {
            (Self::Free, _) => return Ok(()),
            (_, None) => return Err("this server wants a token"),
            (_, Some(token)) => token,
        };
        match self {
            Self::Free => Ok(()),
            Self::Shared(right) if right.as_bytes().ct_eq(token.as_bytes()).into() => Ok(()),
            Self::Made(secret) if is_made_with(secret, room, token) => match until(token) {
                Some(until) if now < until => Ok(()),
                _ => Err("the token has expired"),
            },
            _ => Err("the token is wrong"),
        }
    }
}

/// The time up to which a token holds.
fn until(token: &str) -> Option<u64> {
    token.split_once('.')?.0.parse().ok()
}

fn is_made_with(secret: &str, room: &str, token: &str) -> bool {
    let Some((time, digits)) = token.split_once('.') else { return false };
    // Any length can be a key.
    let Ok(mac) = Hmac::<Sha256>::new_from_slice(secret.as_bytes()) else { return false };
    let made = mac.chain_update(time).chain_update(".").chain_update(room).finalize().into_bytes();
    let made: String = made.iter().map(|byte| format!("{byte:02x}")).collect();
    made.as_bytes().ct_eq(digits.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_token_opens_all_rooms() {
        let tokens = Tokens::Shared("sesame".into());
        assert_eq!(tokens.check("kitchen", Some("sesame"), 0), Ok(()));
        assert_eq!(tokens.check("kitchen", Some("sesam"), 0), Err("the token is wrong"));
        assert_eq!(tokens.check("kitchen", None, 0), Err("this server wants a token"));
        assert_eq!(Tokens::Free.check("kitchen", None, 0), Ok(()));
        assert_eq!(Tokens::Free.check("kitchen", Some("any"), 0), Ok(()));
    }

    #[test]
    fn a_token_of_a_web_service_opens_one_room_for_a_time() {
        // printf %s 1764100000.kitchen | openssl dgst -sha256 -hmac north
        let token = "1764100000.7caeb2862dd414528a2b1824280fc9738491958bf8c2f20370939354b1e5237c";
        let tokens = Tokens::Made("north".into());
        let check = |room, token: &str, now| tokens.check(room, Some(token), now);
        assert_eq!(check("kitchen", token, 1_764_099_999), Ok(()));
        assert_eq!(check("kitchen", token, 1_764_100_000), Err("the token has expired"));
        assert_eq!(check("cellar", token, 1_764_099_999), Err("the token is wrong"));
        let longer = token.replacen("17641", "17642", 1);
        assert_eq!(check("kitchen", &longer, 1_764_099_999), Err("the token is wrong"));
        for broken in ["", ".", "1764100000", "1764100000.", "x.d61b"] {
            assert_eq!(check("kitchen", broken, 0), Err("the token is wrong"), "{broken}");
        }
    }
}
