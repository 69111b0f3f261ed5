//! Whether a simulated run ended as the oracle says, and why there is no path, in words for people.

use floe_netsim::{Dependence, Doubt, NatType, PathKind, Verdict};

use super::TurnTransport;
use super::story::NAMES;

/// What the oracle says of the topology.
pub(crate) fn say(verdict: &Verdict) -> String {
    let list = |paths: &[PathKind]| paths.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    match verdict {
        Verdict::Yes { paths, .. } => format!("a direct path exists ({})", list(paths)),
        Verdict::No => "no direct path can exist".to_owned(),
        Verdict::Maybe { doubts, paths } => {
            let doubts: Vec<String> = doubts.iter().map(doubt).collect();
            format!("a direct path ({}) is a matter of luck: {}", list(paths), doubts.join(", "))
        }
    }
}

fn doubt(doubt: &Doubt) -> String {
    match doubt {
        Doubt::Prediction(_) => "the port that a NAT takes next can only be guessed".to_owned(),
        Doubt::Pooling(_) => "a NAT has several external addresses".to_owned(),
        Doubt::Expiry(_) => "a NAT forgets soon".to_owned(),
        Doubt::FewPorts(_) => "a NAT has few ports".to_owned(),
        other => other.to_string(),
    }
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    NotConnected,
    Direct,
    /// Through a relay.
    Relayed,
}

/// Whether the run may end so: the oracle speaks of direct paths, which are preferred to relays.
pub(crate) const fn agrees(verdict: &Verdict, ending: Ending) -> bool {
    match verdict {
        Verdict::Yes { .. } => matches!(ending, Ending::Direct),
        Verdict::No => !matches!(ending, Ending::Direct),
        Verdict::Maybe { .. } => true,
    }
}

/// Why nothing gets out of a network, if that is so.
pub(crate) fn why_not(nats: [NatType; 2], transport: TurnTransport) -> String {
    let blocked = nats.iter().zip(NAMES).find(|(nat, _)| **nat == NatType::Blocked);
    match blocked {
        Some((_, name)) if transport == TurnTransport::Udp => format!(
            "{name}'s network lets no UDP through, so no packet gets out of it; only a relay that is reached over \
             TCP helps (--turn-transport tcp)"
        ),
        _ => "no check got through in either direction, not even through the relay".to_owned(),
    }
}

/// Why agents behind these two have no direct path, in one sentence.
pub(crate) fn why_relayed(nats: [NatType; 2]) -> String {
    if let Some((_, name)) = nats.iter().zip(NAMES).find(|(nat, _)| **nat == NatType::Blocked) {
        return format!("{name}'s network lets no UDP through");
    }
    let varies =
        nats.map(|nat| nat.config().is_some_and(|nat| nat.mapping != Dependence::EndpointIndependent));
    match varies {
        [true, true] => {
            "both NATs take another external port for every destination, so neither side can tell the \
                         other where to send to"
                .to_owned()
        }
        [true, false] | [false, true] => {
            let (own, other) = if varies[0] { (NAMES[0], NAMES[1]) } else { (NAMES[1], NAMES[0]) };
            format!(
                "{own}'s NAT takes another external port for every destination, so {other} cannot know which port \
                 {own}'s packets will come from, and {other}'s NAT lets in only what comes from where {other} has sent to"
            )
        }
        [false, false] => "no check got through in either direction".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sentence_names_who_is_at_fault() {
        let cone = NatType::PORT_RESTRICTED_CONE;
        let blocked = [NatType::None, NatType::Blocked];
        assert!(why_not(blocked, TurnTransport::Udp).starts_with("bob's network lets no UDP through"));
        assert!(why_not(blocked, TurnTransport::Tcp).starts_with("no check got through"));
        assert!(why_not([cone, cone], TurnTransport::Udp).starts_with("no check got through"));
        assert!(why_relayed([NatType::SYMMETRIC, NatType::SYMMETRIC]).starts_with("both NATs"));
        assert!(
            why_relayed([NatType::SYMMETRIC, cone]).starts_with("alice's NAT takes another external port")
        );
        assert!(why_relayed([cone, NatType::SYMMETRIC]).starts_with("bob's NAT takes another external port"));
        assert!(why_relayed([cone, cone]).starts_with("no check got through"));
        assert_eq!(why_relayed([NatType::Blocked, cone]), "alice's network lets no UDP through");
    }

    #[test]
    fn a_run_agrees_when_it_ends_as_it_must() {
        let yes = Verdict::Yes { paths: vec![], possible: vec![] };
        let maybe = Verdict::Maybe { doubts: vec![Doubt::Loss], paths: vec![] };
        let agreed = |verdict| {
            [Ending::NotConnected, Ending::Direct, Ending::Relayed].map(|ending| agrees(verdict, ending))
        };
        assert_eq!(agreed(&yes), [false, true, false]);
        assert_eq!(agreed(&Verdict::No), [true, false, true]);
        assert_eq!(agreed(&maybe), [true; 3]);
    }
}
