//! The page, and the files it is made of.

use axum::extract::Path;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use floe_signal::message::ParticipantId;

/// A page that runs nothing, shows nothing and talks to nobody but what it brought along and its server.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
    connect-src 'self'; media-src 'self' blob: mediastream:; base-uri 'none'; form-action 'none'; \
    frame-ancestors 'none'";

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const JAVASCRIPT: &str = "text/javascript; charset=utf-8";
const SVG: &str = "image/svg+xml";

/// A file by its name: its type and its text.
macro_rules! files {
    ($($name:literal: $kind:ident,)*) => {
        &[$(($name, $kind, include_str!(concat!("../page/", $name)))),*]
    };
}

const PAGE: &str = include_str!("../page/index.html");

const PARTS: &[(&str, &str, &str)] = files! {
    "style.css": CSS,
    "panel.css": CSS,
    "icon.svg": SVG,
    "main.js": JAVASCRIPT,
    "room.js": JAVASCRIPT,
    "call.js": JAVASCRIPT,
    "media.js": JAVASCRIPT,
    "channel.js": JAVASCRIPT,
    "sha256.js": JAVASCRIPT,
    "journey.js": JAVASCRIPT,
    "picture.js": JAVASCRIPT,
};

/// `GET /`: choose a room.
pub(super) async fn entrance() -> Response {
    file(HTML, PAGE)
}

/// `GET /ROOM`, or one of the files, whose names have dots.
pub(super) async fn page_or_part(Path(name): Path<String>) -> Response {
    match PARTS.iter().find(|(part, ..)| *part == name) {
        Some((_, kind, text)) => file(kind, text),
        None if ParticipantId::new(&name).is_some() => file(HTML, PAGE),
        None => (
            StatusCode::NOT_FOUND,
            "There is nothing here. The name of a room is 1 to 64 letters, digits, \"-\" and \"_\".\n",
        )
            .into_response(),
    }
}

fn file(kind: &'static str, text: &'static str) -> Response {
    let headers = [
        (header::CONTENT_TYPE, kind),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        // A server that was replaced by another version has another page.
        (header::CACHE_CONTROL, "no-cache"),
    ];
    (headers, text).into_response()
}
