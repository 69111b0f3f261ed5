use std::format;
use std::string::ToString;

use super::*;

const NOW: u64 = 1_700_000_000;

/// Whom the server takes a request for that is signed with the key of these.
fn find(credentials: &Credentials, claim: Claim<'_>, name: &str, password: &str) -> Option<User> {
    let signer = Key::long_term_sha256(name, "example.org", password);
    let same = |key: &Key| key.hmac_sha256(b"") == signer.hmac_sha256(b"");
    credentials.find(claim, Derivation::Sha256, NOW, same).map(|(user, _)| user)
}

fn by_name(credentials: &Credentials, name: &str, password: &str) -> Option<User> {
    find(credentials, Claim::Name(name), name, password)
}

fn credentials() -> Credentials {
    Credentials::new("example.org").unwrap()
}

#[test]
fn users_are_found_by_name_and_by_hash() {
    let mut credentials = credentials();
    credentials.add_user("alice", "secret").unwrap();
    let alice = by_name(&credentials, "alice", "secret").unwrap();
    assert_eq!((&*alice.name, alice.account()), ("alice", "alice"));
    assert_eq!(by_name(&credentials, "alice", "other"), None);
    assert_eq!(by_name(&credentials, "bob", "secret"), None);
    let hash = Userhash::compute("alice", "example.org");
    assert_eq!(find(&credentials, Claim::Hash(&hash), "alice", "secret"), Some(alice));
    let elsewhere = Userhash::compute("alice", "example.com");
    assert_eq!(find(&credentials, Claim::Hash(&elsewhere), "alice", "secret"), None);
    assert!(credentials.remove_user("alice") && !credentials.remove_user("alice"));
    assert_eq!(find(&credentials, Claim::Hash(&hash), "alice", "secret"), None);
}

#[test]
fn a_user_with_one_key_has_one_algorithm() {
    let mut credentials = credentials();
    let key = Key::long_term_md5("alice", "example.org", "secret");
    credentials.add_user_with_keys("alice", Some(key), None).unwrap();
    let find = |derivation| credentials.find(Claim::Name("alice"), derivation, NOW, |_| true).is_some();
    assert!(find(Derivation::Md5) && !find(Derivation::Sha256));
}

#[test]
fn the_password_of_a_time_limited_name_is_the_one_that_services_compute() {
    let (username, password) = SharedSecret::new(b"north").issue("", 1_433_895_918);
    assert_eq!(username, "1433895918");
    // Python: base64.b64encode(hmac.new(b"north", b"1433895918", "sha1").digest())
    assert_eq!(password, "3dkl8uIBelQlraT8v9eCSJTyt+U=");
}

#[test]
fn a_time_limited_name_ends_at_its_second() {
    let secret = SharedSecret::new(b"s");
    let mut credentials = credentials();
    credentials.add_secret(secret.clone());
    let found = |expires, user: &str| {
        let (name, password) = secret.issue(user, expires);
        by_name(&credentials, &name, &password)
    };
    let bob = found(NOW + 1, "bob").unwrap();
    assert_eq!((bob.name.to_string(), bob.account()), (format!("{}:bob", NOW + 1), "bob"));
    assert_eq!(found(NOW, "bob"), None);
    // Without a user's part each name has its own quota.
    let anonymous = found(NOW + 1, "").unwrap();
    assert_eq!(anonymous.account(), &*anonymous.name);
    let (name, _) = secret.issue("bob", NOW + 1);
    assert_eq!(by_name(&credentials, &name, "guess"), None);
    assert!(!credentials.can_hide_names());
}

#[test]
fn secrets_can_be_rotated() {
    let [old, new] = [SharedSecret::new(b"old"), SharedSecret::new(b"new")];
    let mut credentials = credentials();
    credentials.add_secret(old.clone());
    credentials.add_secret(new.clone());
    let accepted = |credentials: &Credentials, secret: &SharedSecret| {
        let (name, password) = secret.issue("bob", NOW + 60);
        by_name(credentials, &name, &password).is_some()
    };
    assert!(accepted(&credentials, &old) && accepted(&credentials, &new));
    credentials.clear_secrets();
    credentials.add_secret(new.clone());
    assert!(!accepted(&credentials, &old) && accepted(&credentials, &new));
}

#[test]
fn names_that_are_no_times_are_no_time_limited_names() {
    let secret = SharedSecret::new(b"s");
    let mut credentials = credentials();
    credentials.add_secret(secret.clone());
    for name in
        ["", ":", ":bob", "bob", "+1893456000:bob", "-1:bob", "18446744073709551616:bob", "1893456000 :b"]
    {
        assert_eq!(by_name(&credentials, name, &secret.password(name)), None, "{name:?}");
    }
    for (name, account) in [("1893456000:", "1893456000:"), ("1893456000:a:b", "a:b")] {
        let user = by_name(&credentials, name, &secret.password(name)).unwrap();
        assert_eq!(user.account(), account);
    }
}

#[test]
fn bad_realms_and_names_are_refused_and_nothing_secret_is_printed() {
    for realm in ["", "a\"b", "a\nb", &"r".repeat(128)] {
        assert_eq!(Credentials::new(realm).unwrap_err(), CredentialsError::BadRealm, "{realm:?}");
    }
    let mut credentials = Credentials::new("r".repeat(127)).unwrap();
    for name in ["", &"u".repeat(509)] {
        assert_eq!(credentials.add_user(name, "p"), Err(CredentialsError::BadUsername));
    }
    credentials.add_user("alice", "hush").unwrap();
    credentials.add_secret(SharedSecret::new(b"hush"));
    let printed = format!("{credentials:?} {:?}", SharedSecret::new(b"hush"));
    assert!(!printed.contains("hush") && !printed.contains("alice"), "{printed}");
    assert!(CredentialsError::BadRealm.to_string().contains("127"));
}
