//! `floe demo`, on real sockets of the loopback interface and in the simulated network.

use crate::program::floe;

#[test]
fn two_agents_on_this_machine_connect_and_exchange_data() {
    let run = floe(&["demo", "--bind", "127.0.0.1"]);
    assert_eq!((run.status, run.stderr.as_str()), (0, ""), "{}", run.stdout);
    for said in [
        "STUN server at 127.0.0.1:",
        "alice  candidate host 127.0.0.1:",
        "bob    state     completed",
        "alice, controlling: completed",
        "bob, controlled: completed",
        "selected      host 127.0.0.1:",
        "first byte    after ",
        "round trip    ",
        "throughput    ",
        "bit/s (",
    ] {
        assert!(run.stdout.contains(said), "{said:?} is missing in\n{}", run.stdout);
    }
    assert!(!run.stdout.contains('\u{1b}'), "no colours and no redrawing without a terminal");
    assert!(run.stdout.lines().all(|line| line.chars().count() <= 80), "{}", run.stdout);
}

#[test]
fn an_address_that_is_not_ours_is_explained() {
    let run = floe(&["demo", "--bind", "192.0.2.254"]);
    assert!(run.error(1).starts_with("the STUN server cannot listen on 192.0.2.254: "));
}

#[test]
fn agents_behind_cones_connect_as_the_oracle_says() {
    let run = floe(&["demo", "--nat-a", "port-restricted-cone", "--nat-b", "restricted-cone"]);
    assert_eq!((run.status, run.stderr.as_str()), (0, ""), "{}", run.stdout);
    for said in [
        "\nalice behind port-restricted-cone, bob behind restricted-cone\n",
        "the oracle says: a direct path exists (srflx-srflx over IPv4)\n",
        "alice  candidate srflx ",
        "selected      srflx ",
        "first byte    after 290 ms of virtual time\n",
        "round trip    60.0 ms\n",
    ] {
        assert!(run.stdout.contains(said), "{said:?} is missing in\n{}", run.stdout);
    }
    assert!(run.stdout.lines().all(|line| line.chars().count() <= 80), "{}", run.stdout);
}

#[test]
fn agents_on_this_machine_meet_at_relays_only_if_they_are_to() {
    let ways: [(&[&str], _, _); 3] = [
        (&[], "turn:127.0.0.1:", "?transport=udp is the only way\n"),
        (&["--turn-transport", "tcp"], "turn:127.0.0.1:", "?transport=tcp is the only way\n"),
        (&["--turn-transport", "tls"], "turns:127.0.0.1:", " is the only way\n"),
    ];
    for (arguments, scheme, ending) in ways {
        let run = floe(&[&["demo", "--bind", "127.0.0.1", "--relay-only"], arguments].concat());
        assert_eq!((run.status, run.stderr.as_str()), (0, ""), "{}", run.stdout);
        for said in [
            &format!("two agents on this machine; {scheme}"),
            ending,
            "alice  candidate relay 127.0.0.1:",
            "selected      relay 127.0.0.1:",
            "throughput    ",
            "TURN server   made 2 allocations, relayed ",
        ] {
            assert!(run.stdout.contains(said), "{said:?} is missing in\n{}", run.stdout);
        }
        assert!(!run.stdout.contains("host"), "nothing else is shown: {}", run.stdout);
        assert!(run.stdout.lines().all(|line| line.chars().count() <= 80), "{}", run.stdout);
    }
    let foreign = floe(&["demo", "--bind", "192.0.2.254", "--relay-only"]);
    assert!(
        foreign.error(1).starts_with("the TURN server: relays cannot be at 192.0.2.254: "),
        "{foreign:?}"
    );
}

#[test]
fn agents_without_a_direct_path_connect_through_the_relay_and_are_told_why() {
    let run = floe(&["demo", "--nat-a", "symmetric", "--nat-b", "symmetric"]);
    assert_eq!((run.status, run.stderr.as_str()), (0, ""), "{}", run.stdout);
    for said in [
        "the oracle says: no direct path can exist\n",
        "alice  candidate relay ",
        "relayed       because both NATs take another external port for every\n",
    ] {
        assert!(run.stdout.contains(said), "{said:?} is missing in\n{}", run.stdout);
    }
    assert!(run.stdout.lines().all(|line| line.chars().count() <= 80), "{}", run.stdout);
}

#[test]
fn agents_that_could_meet_directly_meet_at_relays_if_they_are_to() {
    let run = floe(&["demo", "--nat-a", "none", "--nat-b", "full-cone", "--relay-only"]);
    assert_eq!(run.status, 0, "{run:?}");
    assert!(run.stdout.contains("\nselected      relay "), "{}", run.stdout);
    assert!(!run.stdout.contains("candidate host") && !run.stdout.contains("because"), "{}", run.stdout);
}

#[test]
fn agents_that_cannot_connect_fail_with_the_reason() {
    let blocked = floe(&["demo", "--nat-b", "blocked"]);
    assert!(blocked.error(1).starts_with("not connected: bob's network lets no UDP through"));
    assert!(blocked.stderr.contains("(--turn-transport tcp)"), "{}", blocked.stderr);
}

#[test]
fn where_udp_is_blocked_a_relay_over_tcp_connects() {
    for nats in [["blocked", "symmetric"], ["blocked", "blocked"]] {
        let run = floe(&["demo", "--nat-a", nats[0], "--nat-b", nats[1], "--turn-transport", "tcp"]);
        assert_eq!(run.status, 0, "{run:?}");
        assert!(run.stdout.contains("the oracle says: no direct path can exist\n"), "{}", run.stdout);
        assert!(run.stdout.contains("relayed       because "), "{}", run.stdout);
    }
}

/// Every pair of types that has a name: agents and oracle agree, whatever comes of it, and a relay connects all but those whose
/// packets get nowhere.
#[test]
fn the_oracle_is_right_for_every_pair_of_named_types() {
    let types =
        ["none", "firewall", "full-cone", "restricted-cone", "port-restricted-cone", "symmetric", "blocked"];
    for a in types {
        for b in types {
            let run = floe(&["demo", "--nat-a", a, "--nat-b", b, "--seed", "7"]);
            let is_direct = run.stdout.contains("the oracle says: a direct path exists");
            assert!(
                is_direct || run.stdout.contains("the oracle says: no direct path can exist"),
                "{}",
                run.stdout
            );
            let is_blocked = [a, b].contains(&"blocked");
            assert_eq!(run.status, i32::from(is_blocked), "{a} and {b}: {}", run.stderr);
            assert_eq!(
                run.stdout.contains("relayed       because"),
                !is_direct && !is_blocked,
                "{}",
                run.stdout
            );
        }
    }
}

#[test]
fn the_chart_shows_every_packet_and_the_seed_repeats_them() {
    let chart = |seed| {
        let run = floe(&["demo", "--nat-a", "full-cone", "--nat-b", "symmetric", "--chart", "--seed", seed]);
        assert_eq!(run.status, 0, "{run:?}");
        assert!(run.stdout.contains("Binding request"), "{}", run.stdout);
        run.stdout
    };
    assert_eq!(chart("5"), chart("5"));
    assert_ne!(chart("5"), chart("6"));
}

#[test]
fn wrong_arguments_are_explained() {
    assert!(floe(&["demo", "--nat-a", "cone"]).error(2).contains("not a NAT type: use none, firewall"));
    assert!(floe(&["demo", "--turn-transport", "tcp"]).error(2).contains("needs --relay-only"));
    let simulated = floe(&["demo", "--nat-a", "symmetric", "--turn-transport", "tls"]);
    assert!(simulated.error(2).contains("the simulated network has no TLS, but tcp"));
    assert!(floe(&["demo", "--relay-only", "--turn-transport", "pigeon"]).error(2).contains("pigeon"));
    assert!(floe(&["demo", "--chart"]).error(2).contains("required arguments"));
    assert!(
        floe(&["demo", "--nat-a", "none", "--bind", "127.0.0.1"]).error(2).contains("cannot be used with")
    );
}

#[test]
fn the_help_lists_the_types() {
    let help = floe(&["demo", "--help"]).stdout;
    for kind in
        ["none", "firewall", "blocked", "full-cone", "port-restricted-cone", "symmetric", "apdm", "random"]
    {
        assert!(help.contains(kind), "{kind} is missing in\n{help}");
    }
}
