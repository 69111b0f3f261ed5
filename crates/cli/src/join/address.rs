//! The address of a room.

use floe_signal::message::MAX_TEXT;

/// Where a room is, and what lets one in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Address {
    pub(super) tls: bool,
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) room: String,
    pub(super) token: Option<String>,
}

impl Address {
    /// Reads `http://HOST[:PORT]/ROOM[#token=TOKEN]`, or with `https`, `ws` or `wss`.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let wrong = |what: &str| format!("{text} is no address of a room: {what}");
        if text.len() > MAX_TEXT {
            return Err("the address is too long".to_owned());
        }
        let (scheme, rest) = text.split_once("://").ok_or_else(|| wrong("http://HOST:PORT/ROOM is one"))?;
        let tls = match scheme {
            "http" | "ws" => false,
            "https" | "wss" => true,
            _ => return Err(wrong("it begins with http, https, ws or wss")),
        };
        let (rest, fragment) = rest.split_once('#').unwrap_or((rest, ""));
        let token = fragment.strip_prefix("token=").filter(|token| !token.is_empty()).map(str::to_owned);
        let (authority, path) = rest.split_once('/').ok_or_else(|| wrong("a room is missing"))?;
        let room = path.trim_end_matches('/').trim_end_matches("/ws").to_owned();
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if room.is_empty() || room.len() > 64 || !room.chars().all(plain) {
            return Err(wrong("a room is 1 to 64 letters, digits, - and _"));
        }
        // The colon of a port comes behind the bracket of an IPv6 address.
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.contains(']') => {
                (host, port.parse().map_err(|_| wrong("the port is no number"))?)
            }
            _ => (authority, if tls { 443 } else { 80 }),
        };
        if host.is_empty() {
            return Err(wrong("a host is missing"));
        }
        Ok(Self { tls, host: host.to_owned(), port, room, token })
    }

    /// Without the brackets of an IPv6 address.
    pub(super) fn host_name(&self) -> &str {
        self.host.trim_start_matches('[').trim_end_matches(']')
    }

    /// For the WebSocket's handshake.
    pub(super) fn websocket(&self) -> String {
        let scheme = if self.tls { "wss" } else { "ws" };
        format!("{scheme}://{}:{}/{}/ws", self.host, self.port, self.room)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_those_that_people_pass_on() {
        let address = Address::parse("https://[2001:db8::1]:8443/kitchen#token=a.b").expect("a good one");
        assert_eq!((address.tls, address.host_name(), address.port), (true, "2001:db8::1", 8443));
        assert_eq!((address.room.as_str(), address.token.as_deref()), ("kitchen", Some("a.b")));
        assert_eq!(address.websocket(), "wss://[2001:db8::1]:8443/kitchen/ws");
        let address = Address::parse("ws://localhost/a-b_1/ws").expect("a good one");
        assert_eq!((address.port, address.room.as_str(), address.token), (80, "a-b_1", None));
    }

    #[test]
    fn what_is_no_address_is_explained() {
        for (text, why) in [
            ("kitchen", "http://HOST:PORT/ROOM"),
            ("ftp://a/b", "begins with"),
            ("http://a", "room is missing"),
            ("http://a/", "1 to 64"),
            ("http://a/b c", "1 to 64"),
            ("http://:1/b", "host is missing"),
            ("http://a:x/b", "port"),
        ] {
            let error = Address::parse(text).expect_err(text);
            assert!(error.contains(why), "{error}");
        }
    }
}
