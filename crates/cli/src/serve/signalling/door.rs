//! Who is let in.

use std::sync::Arc;

use floe_signal::message::{Envelope, ErrorCode, Message};

use super::super::utc;
use super::hall::Hall;
use super::rooms::{Handle, Refusal};
use super::visitor::Visitor;

/// Takes a `join`, which came by the way to `room`.
pub(super) fn enter(hall: &Arc<Hall>, visitor: &Visitor, room: &str, text: &str) -> Result<Handle, Refusal> {
    let limit = hall.with(|rooms, _| rooms.limits().message);
    if text.len() > limit {
        return Err(Refusal::new(ErrorCode::TooLarge, format!("a message of more than {limit} bytes")));
    }
    let envelope =
        Envelope::from_json(text).map_err(|error| Refusal::new(error.code(), error.to_string()))?;
    let Message::Join(join) = envelope.message else {
        return Err(Refusal::new(ErrorCode::WrongState, "the first message is \"join\""));
    };
    if join.room != room {
        return Err(Refusal::new(ErrorCode::Malformed, "the room is not that of the address"));
    }
    hall.with(|rooms, now| {
        // Who was let in before may come back, whatever has expired since.
        if rooms.returning(&join).is_none()
            && let Err(why) = hall.tokens.check(room, join.token.as_deref(), utc::unix_time())
        {
            rooms.refuse(&join, visitor.client, ErrorCode::Unauthorized);
            return Err(Refusal::new(ErrorCode::Unauthorized, why));
        }
        rooms.enter(&join, visitor.client, now)
    })
}
