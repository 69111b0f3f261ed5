//! Which pages may use the server.

use axum::http::HeaderMap;
use axum::http::header::{HOST, ORIGIN};

/// The pages that may use the server, besides its own.
#[derive(Debug, Clone, Default)]
pub(super) struct Origins {
    named: Vec<String>,
    any: bool,
}

impl Origins {
    pub(super) fn new(named: &[String]) -> Self {
        Self { named: named.to_vec(), any: named.iter().any(|origin| origin == "*") }
    }

    /// Whether a page from there may use the server. A program that is no browser says nothing about a page.
    pub(super) fn allow(&self, headers: &HeaderMap) -> bool {
        let Some(origin) = headers.get(ORIGIN) else { return true };
        let Ok(origin) = origin.to_str() else { return false };
        // What comes before the host is left to a proxy in front, which may speak TLS where this server does not.
        let host = origin.split_once("://").map(|(_, host)| host);
        let own = headers.get(HOST).and_then(|host| host.to_str().ok());
        let is_own = host.zip(own).is_some_and(|(host, own)| host.eq_ignore_ascii_case(own));
        is_own || self.any || self.named.iter().any(|named| named.eq_ignore_ascii_case(origin))
    }
}

/// Reads an origin as a browser sends it, or `*`.
pub(in super::super) fn parse(text: &str) -> Result<String, String> {
    let text = text.strip_suffix('/').unwrap_or(text);
    let is_origin = text.split_once("://").is_some_and(|(scheme, host)| {
        matches!(scheme, "http" | "https") && !host.is_empty() && !host.contains(['/', '?', '#', '@', ' '])
    });
    if is_origin || text == "*" {
        Ok(text.to_owned())
    } else {
        Err("not an origin: use SCHEME://HOST[:PORT], such as https://example.org, or * for any".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allows(origins: &[&str], host: &str, origin: Option<&str>) -> bool {
        let named: Vec<String> = origins.iter().map(|text| parse(text).expect("an origin")).collect();
        let mut headers = HeaderMap::new();
        headers.insert(HOST, host.parse().expect("a host"));
        if let Some(origin) = origin {
            headers.insert(ORIGIN, origin.parse().expect("a value"));
        }
        Origins::new(&named).allow(&headers)
    }

    #[test]
    fn pages_of_the_same_host_and_port_may() {
        assert!(allows(&[], "localhost:8080", Some("http://localhost:8080")));
        assert!(allows(&[], "Call.example.org", Some("https://call.example.org")));
        assert!(allows(&[], "localhost:8080", None));
        for foreign in
            ["http://localhost:8081", "http://localhost", "https://evil.example", "null", "localhost:8080"]
        {
            assert!(!allows(&[], "localhost:8080", Some(foreign)), "{foreign}");
        }
    }

    #[test]
    fn others_may_if_they_are_named() {
        assert!(allows(&["https://example.org/"], "localhost:8080", Some("https://example.org")));
        assert!(!allows(&["https://example.org"], "localhost:8080", Some("http://example.org")));
        assert!(!allows(&["https://example.org"], "localhost:8080", Some("https://example.org.evil")));
        assert!(allows(&["*"], "localhost:8080", Some("https://evil.example")));
        assert!(allows(&["*"], "localhost:8080", Some("null")));
    }

    #[test]
    fn an_origin_has_a_scheme_and_no_path() {
        for bad in ["example.org", "https://", "https://a/b", "ftp://a", "**", ""] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
