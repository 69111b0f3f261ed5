//! The ways in: the page, the WebSocket, and a participant over plain HTTP: requests one way and a stream of events the other.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Extension, Path, Request, State};
use axum::http::header::{self, HeaderName};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::middleware::{self, Next as Further};
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get, post};
use floe_signal::message::ErrorCode;
use futures_util::stream;

use super::hall::{ClosingTime, Hall, Line};
use super::rooms::{Handle, Next, Refusal};
use super::visitor::Visitor;
use super::{door, page, websocket};

/// How long the body of a request may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Everything that can be asked for.
pub(super) fn router(hall: &Arc<Hall>) -> Router {
    let rooms = Router::new()
        .route("/{room}/ws", any(websocket::open))
        .route("/{room}/join", post(join))
        .route("/{room}/events", get(events))
        .route("/{room}/messages", post(message))
        .route("/{room}/leave", post(leave))
        .layer(middleware::from_fn_with_state(hall.clone(), origin_policy));
    let pages = Router::new().route("/", get(page::entrance)).route("/{name}", get(page::page_or_part));
    rooms.merge(pages).with_state(hall.clone())
}

/// The name under which the visitor found the server.
pub(super) fn host(headers: &HeaderMap) -> String {
    headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default().to_owned()
}

/// Keeps pages of others out, and lets those that may in talk to us (the CORS protocol of the Fetch standard).
async fn origin_policy(State(hall): State<Arc<Hall>>, request: Request, further: Further) -> Response {
    if !hall.origins.allow(request.headers()) {
        let text = "pages of this origin may not use this server";
        return answer(StatusCode::FORBIDDEN, &Refusal::new(ErrorCode::Unauthorized, text));
    }
    let origin = request.headers().get(header::ORIGIN).cloned();
    let mut response = match *request.method() {
        Method::OPTIONS => StatusCode::NO_CONTENT.into_response(),
        _ => further.run(request).await,
    };
    let headers = response.headers_mut();
    if let Some(origin) = origin {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        let allowed: [(HeaderName, &str); 3] = [
            (header::ACCESS_CONTROL_ALLOW_METHODS, "GET, POST"),
            (header::ACCESS_CONTROL_ALLOW_HEADERS, "authorization, content-type, last-event-id"),
            (header::VARY, "origin"),
        ];
        headers.extend(allowed.map(|(name, value)| (name, HeaderValue::from_static(value))));
    }
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

async fn join(
    State(hall): State<Arc<Hall>>,
    Path(room): Path<String>,
    Extension(visitor): Extension<Visitor>,
    request: Request,
) -> Response {
    let host = host(request.headers());
    let text = match body(&hall, request).await {
        Ok(text) => text,
        Err(refusal) => return refused(&refusal),
    };
    let handle = match door::enter(&hall, &visitor, &room, &text) {
        Ok(handle) => handle,
        Err(refusal) => return refused(&refusal),
    };
    match hall.welcome(handle, &visitor, &host) {
        Some(welcome) => ([(header::CONTENT_TYPE, "application/json")], welcome).into_response(),
        None => refused(&nobody()),
    }
}

async fn events(
    State(hall): State<Arc<Hall>>,
    Path(room): Path<String>,
    Extension(visitor): Extension<Visitor>,
    headers: HeaderMap,
) -> Response {
    let handle = match participant(&hall, &room, &headers) {
        Ok(handle) => handle,
        Err(refusal) => return refused(&refusal),
    };
    let has = headers.get("last-event-id").and_then(|id| id.to_str().ok()?.parse().ok());
    let Some(line) = Line::new(&hall, handle, &visitor, has) else { return refused(&nobody()) };
    let Some(welcome) = hall.welcome(handle, &visitor, &host(&headers)) else { return refused(&nobody()) };
    let first = Event::default().data(welcome);
    let closing = hall.closing_time();
    let events = stream::unfold((line, closing, Some(first)), |(line, mut closing, first)| async move {
        let event = match first {
            Some(first) => first,
            None => event(&line, &mut closing).await?,
        };
        Some((Ok::<_, Infallible>(event), (line, closing, None)))
    });
    Sse::new(events).into_response()
}

/// The next message for a participant, as an event; `None` at the end.
async fn event(line: &Line, closing: &mut ClosingTime) -> Option<Event> {
    let next = tokio::select! {
        next = line.next() => next,
        () = closing.come() => return None,
    };
    match next {
        Next::Message(number, text) => Some(Event::default().id(number.to_string()).data(&*text)),
        Next::Nothing | Next::Over(_) => None,
    }
}

async fn message(State(hall): State<Arc<Hall>>, Path(room): Path<String>, request: Request) -> Response {
    let handle = match participant(&hall, &room, request.headers()) {
        Ok(handle) => handle,
        Err(refusal) => return refused(&refusal),
    };
    let done = match body(&hall, request).await {
        Ok(text) => hall.with(|rooms, now| rooms.receive(handle, &text, now)),
        Err(refusal) => Err(refusal),
    };
    match done {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(refusal) => refused(&refusal),
    }
}

async fn leave(State(hall): State<Arc<Hall>>, Path(room): Path<String>, headers: HeaderMap) -> Response {
    match participant(&hall, &room, &headers) {
        Ok(handle) => {
            hall.with(|rooms, now| rooms.leave(handle, now));
            StatusCode::NO_CONTENT.into_response()
        }
        Err(refusal) => refused(&refusal),
    }
}

/// Whose request it is.
fn participant(hall: &Hall, room: &str, headers: &HeaderMap) -> Result<Handle, Refusal> {
    let authorization = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let resume = authorization.and_then(|value| value.strip_prefix("Bearer "));
    hall.with(|rooms, _| {
        let handle = resume.and_then(|resume| rooms.resuming(resume)).ok_or_else(nobody)?;
        if rooms.room_of(handle) == Some(room) { Ok(handle) } else { Err(nobody()) }
    })
}

fn nobody() -> Refusal {
    Refusal::new(ErrorCode::Unauthorized, "nobody in this room has this \"resume\"")
}

async fn body(hall: &Hall, request: Request) -> Result<String, Refusal> {
    let limit = hall.with(|rooms, _| rooms.limits().message);
    let read = tokio::time::timeout(PATIENCE, to_bytes(request.into_body(), limit)).await;
    let Ok(Ok(bytes)) = read else {
        let text = format!("a message of more than {limit} bytes, or one that takes too long to come");
        return Err(Refusal::new(ErrorCode::TooLarge, text));
    };
    String::from_utf8(bytes.into()).map_err(|_| Refusal::new(ErrorCode::Malformed, "not a text in UTF-8"))
}

fn refused(refusal: &Refusal) -> Response {
    let status = match refusal.code {
        ErrorCode::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        ErrorCode::Unauthorized => StatusCode::UNAUTHORIZED,
        ErrorCode::UnknownParticipant => StatusCode::NOT_FOUND,
        ErrorCode::NameTaken | ErrorCode::RoomFull | ErrorCode::WrongState => StatusCode::CONFLICT,
        ErrorCode::RateLimited => StatusCode::TOO_MANY_REQUESTS,
        _ => StatusCode::BAD_REQUEST,
    };
    answer(status, refusal)
}

fn answer(status: StatusCode, refusal: &Refusal) -> Response {
    (status, [(header::CONTENT_TYPE, "application/json")], Body::from(refusal.to_json())).into_response()
}
