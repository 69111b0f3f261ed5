//! What the rooms tell while they are open.

use super::super::log::name;
use super::rooms::{Departure, RoomEvent, RoomStats};
use crate::duration::short;

/// An event in a line.
pub(super) fn line(event: &RoomEvent) -> String {
    match event {
        RoomEvent::Entered { room, name: who, id, client } => {
            format!("entered   {} {id} {client} room {room}", name(who))
        }
        RoomEvent::Resumed { room, name: who, id, client } => {
            format!("resumed   {} {id} {client} room {room}", name(who))
        }
        RoomEvent::Left { room, name: who, id, client, why, stayed } => {
            let why = match why {
                Departure::Left => "left",
                Departure::Lost => "lost",
                Departure::PutOut => "put out: too many messages",
            };
            format!("left      {} {id} {client} room {room}: {why} after {}", name(who), short(*stayed))
        }
        RoomEvent::Refused { room, client, code } => {
            format!("refused   {client} room {}: {code}", name(room))
        }
    }
}

/// Everything that is counted, in a few lines.
pub(super) fn statistics(stats: &RoomStats, connections: (usize, u64)) -> String {
    let mut text = format!(
        "rooms: {} now with {} participants; {} entered, {} came back, {} refused\n\
         signalling: {} messages passed on ({} bytes); {} connections now, {} refused\n",
        stats.rooms,
        stats.participants,
        stats.entered,
        stats.resumed,
        stats.refused,
        stats.passed,
        stats.passed_bytes,
        connections.0,
        connections.1
    );
    for (count, what) in [
        (stats.useless, "messages of no use"),
        (stats.limited, "messages above the rate"),
        (stats.dropped, "messages dropped: too many waited for their receivers"),
        (stats.untold, "events not told"),
    ] {
        if count > 0 {
            text.push_str(&format!("{count} {what}\n"));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_rooms_cannot_write_anything_but_themselves() {
        let client = "192.0.2.1:5".parse().expect("an address");
        let entered = RoomEvent::Entered {
            room: "kitchen".into(),
            name: "A B\u{1b}".to_owned(),
            id: "k7".to_owned(),
            client,
        };
        assert_eq!(line(&entered), "entered   A\\u{20}B\\u{1b} k7 192.0.2.1:5 room kitchen");
        let code = floe_signal::message::ErrorCode::Malformed;
        let refused = RoomEvent::Refused { room: "a\nb".to_owned(), client, code };
        assert_eq!(line(&refused), "refused   192.0.2.1:5 room a\\nb: malformed");
    }

    #[test]
    fn statistics_show_what_happened_only() {
        let stats = RoomStats { limited: 7, ..RoomStats::default() };
        let text = statistics(&stats, (3, 1));
        assert_eq!(text.lines().count(), 3, "{text}");
        assert!(text.ends_with("3 connections now, 1 refused\n7 messages above the rate\n"), "{text}");
    }
}
