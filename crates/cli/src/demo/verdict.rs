//! Whether a simulated run ended as the oracle says, and why there is no path, in words for people.

use floe_netsim::{Dependence, Doubt, NatType, PathKind, Verdict};

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

/// Whether the run may end so.
pub(crate) const fn agrees(verdict: &Verdict, connected: bool) -> bool {
    match verdict {
        Verdict::Yes { .. } => connected,
        Verdict::No => !connected,
        Verdict::Maybe { .. } => true,
    }
}

/// Why agents behind these two have no direct path: one sentence, and what would help.
pub(crate) fn why_not(nats: [NatType; 2]) -> String {
    for (nat, name) in nats.iter().zip(NAMES) {
        if *nat == NatType::Blocked {
            return format!(
                "{name}'s network lets no UDP through, so no packet gets out of it; only a relay that is reached \
                 over TCP would help"
            );
        }
    }
    let varies =
        nats.map(|nat| nat.config().is_some_and(|nat| nat.mapping != Dependence::EndpointIndependent));
    let reason = match varies {
        [true, true] => {
            "both NATs take another external port for every destination, so neither side can tell the other where \
             to send to"
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
    };
    format!("{reason}; only a relay (TURN) would help")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sentence_names_who_is_at_fault() {
        let cone = NatType::PORT_RESTRICTED_CONE;
        assert!(why_not([NatType::None, NatType::Blocked]).starts_with("bob's network lets no UDP through"));
        assert!(why_not([NatType::SYMMETRIC, NatType::SYMMETRIC]).starts_with("both NATs"));
        assert!(why_not([NatType::SYMMETRIC, cone]).starts_with("alice's NAT takes another external port"));
        assert!(why_not([cone, NatType::SYMMETRIC]).starts_with("bob's NAT takes another external port"));
        assert!(why_not([cone, cone]).starts_with("no check got through"));
    }

    #[test]
    fn a_run_agrees_when_it_ends_as_it_must() {
        let yes = Verdict::Yes { paths: vec![], possible: vec![] };
        let maybe = Verdict::Maybe { doubts: vec![Doubt::Loss], paths: vec![] };
        assert!(agrees(&yes, true) && !agrees(&yes, false));
        assert!(agrees(&Verdict::No, false) && !agrees(&Verdict::No, true));
        assert!(agrees(&maybe, true) && agrees(&maybe, false));
    }
}
