//! What the server tells while it runs.

use floe::server::{ServerEvent, TurnStats};
use floe::turn::server::{EndReason, Rejection, Traffic};

use crate::duration::short;

/// Characters of a user name that are shown.
const NAME: usize = 64;

/// An event in a line, if it is worth one.
pub(super) fn line(event: &ServerEvent) -> Option<String> {
    Some(match event {
        ServerEvent::AllocationBegun { user, client, relays, .. } => {
            format!("allocated {} {client} relay {}", name(user), list(relays))
        }
        ServerEvent::AllocationMoved { user, client, .. } => format!("moved     {} to {client}", name(user)),
        ServerEvent::AllocationEnded { user, client, relays, reason, lived, to_peers, to_client, .. } => {
            format!(
                "ended     {} {client} relay {}: {} after {}; {} to peers, {} from them",
                name(user),
                list(relays),
                why(*reason),
                short(*lived),
                traffic(*to_peers),
                traffic(*to_client)
            )
        }
        ServerEvent::AllocationRefused { user, client, reason } => {
            let user = user.as_deref().map_or_else(|| "somebody".to_owned(), name);
            format!("refused   {user} {client}: {reason}")
        }
        _ => return None,
    })
}

/// A name as a client claims it, so that it cannot do anything to a terminal or a log.
pub(super) fn name(user: &str) -> String {
    let escaped: String = user.escape_debug().take(NAME).collect();
    if escaped.is_empty() { "\"\"".to_owned() } else { escaped.replace(' ', "\\u{20}") }
}

fn list(relays: &[Option<std::net::SocketAddr>; 2]) -> String {
    relays.iter().flatten().map(ToString::to_string).collect::<Vec<_>>().join(" and ")
}

fn why(reason: EndReason) -> &'static str {
    match reason {
        EndReason::Deleted => "deleted",
        EndReason::Expired => "expired",
        EndReason::Disconnected => "disconnected",
        EndReason::RelayLost => "relay lost",
        EndReason::Closed => "server stopped",
        _ => "over",
    }
}

fn traffic(traffic: Traffic) -> String {
    format!("{} packets ({})", traffic.packets, size(traffic.bytes))
}

fn size(bytes: u64) -> String {
    match bytes as f64 {
        size if size >= 1e9 => format!("{:.2} GB", size / 1e9),
        size if size >= 1e6 => format!("{:.2} MB", size / 1e6),
        size if size >= 1e3 => format!("{:.1} kB", size / 1e3),
        _ => format!("{bytes} B"),
    }
}

/// Everything that is counted, in a few lines.
pub(super) fn statistics(stats: &TurnStats) -> String {
    let turn = &stats.turn;
    let mut text = format!(
        "statistics: {} allocations now, {} begun, {} ended; {} requests answered, {} of them for addresses only\n\
         relayed {} to peers, {} to clients\n\
         connections: {} now, {} accepted, {} refused, {} timed out, {} broken\n",
        stats.allocations,
        turn.allocations_begun,
        turn.allocations_ended,
        turn.allocations_begun + turn.refreshed + turn.bindings,
        turn.bindings,
        traffic(turn.to_peers),
        traffic(turn.to_clients),
        stats.connections,
        stats.accepted,
        stats.refused,
        stats.timed_out,
        stats.broken
    );
    for (count, what) in [
        (stats.slow_clients, "frames dropped: their clients read too slowly"),
        (stats.not_sent, "datagrams that the system did not send"),
        (turn.relays_failed, "relay ports that could not be opened"),
        (turn.dropped, "answers or events dropped: the server was too busy"),
    ] {
        if count > 0 {
            text.push_str(&format!("{count} {what}\n"));
        }
    }
    for why in Rejection::ALL {
        let count = turn.rejected(*why);
        if count > 0 {
            text.push_str(&format!("rejected {count}: {why}\n"));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_write_anything_but_itself() {
        assert_eq!(name("1764042012:alice@example.org"), "1764042012:alice@example.org");
        assert_eq!(name("a\n2025 \u{1b}[2J"), "a\\n2025\\u{20}\\u{1b}[2J");
        assert_eq!(name(&"x".repeat(500)).len(), NAME);
        assert_eq!(name(""), "\"\"");
    }

    #[test]
    fn statistics_show_what_happened_only() {
        let text = statistics(&TurnStats::default());
        assert_eq!(text.lines().count(), 3, "{text}");
        assert!(text.contains("relayed 0 packets (0 B) to peers"), "{text}");
        assert_eq!(size(1_234_567), "1.23 MB");
    }
}
