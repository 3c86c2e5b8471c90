//! The table: what is accepted, what strikes, and how often.
#![allow(clippy::unwrap_used, reason = "a failure is the message")]

use super::*;

fn wanted(target: &str, kind: &str) -> Wanted {
    let (kind, value) = match kind.split_once(' ') {
        Some((kind, value)) => (kind, Some(value)),
        None => (kind, None),
    };
    Wanted {
        target: Target::parse(target).unwrap(),
        kind: Kind::parse(kind, value).unwrap(),
        times: None,
        account: None,
        probability: 1.0,
        not_before: 0,
    }
}

fn at<'a>(service: Service, commands: &'a [&'static str], account: Option<&str>) -> Occasion<'a> {
    let accounts: Vec<_> = account.into_iter().map(str::to_owned).collect();
    Occasion {
        service,
        commands,
        accounts: accounts.leak(),
        now: 1_000,
    }
}

fn never() -> f64 {
    unreachable!("no rule here has a probability")
}

#[test]
fn times_count_down_and_then_all_is_well() {
    let mut rules = Rules::default();
    let twice = Wanted {
        times: Some(2),
        ..wanted("imap.login", "overquota")
    };
    rules.set(twice).unwrap();
    let login = at(Service::Imap, &["login"], None);
    let told = |strike: Option<Strike>| strike.map(|strike| strike.text);
    let first = told(rules.strike(&login, never));
    assert_eq!(first.as_deref(), Some("imap.login overquota, 1 time left"));
    let second = told(rules.strike(&login, never));
    assert_eq!(
        second.as_deref(),
        Some("imap.login overquota, 0 times left")
    );
    assert_eq!(rules.strike(&login, never), None);
    assert_eq!(rules.list()[0].struck, 2);
}

#[test]
fn only_what_was_meant_is_hit() {
    let mut rules = Rules::default();
    let adas = Wanted {
        account: Some("ada@example.test".into()),
        ..wanted("imap.*", "refuse")
    };
    rules.set(adas).unwrap();
    let (ada, bob) = (Some("Ada@Example.test"), Some("bob@example.test"));
    assert!(
        rules
            .strike(&at(Service::Imap, &["fetch"], ada), never)
            .is_some()
    );
    assert!(
        rules
            .strike(&at(Service::Imap, &["fetch"], bob), never)
            .is_none()
    );
    assert!(
        rules
            .strike(&at(Service::Imap, &["fetch"], None), never)
            .is_none()
    );
    assert!(
        rules
            .strike(&at(Service::Pop, &["retr"], ada), never)
            .is_none()
    );
}

#[test]
fn a_star_covers_only_what_the_kind_can_happen_to() {
    let mut rules = Rules::default();
    rules.set(wanted("imap.*", "too-many-connections")).unwrap();
    assert!(
        rules
            .strike(&at(Service::Imap, &["fetch"], None), never)
            .is_none()
    );
    assert!(
        rules
            .strike(&at(Service::Imap, &["login"], None), never)
            .is_some()
    );
}

#[test]
fn a_refresh_is_also_a_request_for_a_token() {
    let names = ["refresh", "token"];
    for target in ["oauth.refresh", "oauth.token", "oauth.*"] {
        let mut rules = Rules::default();
        rules.set(wanted(target, "revoked")).unwrap();
        assert!(
            rules
                .strike(&at(Service::Oauth, &names, None), never)
                .is_some(),
            "{target}"
        );
    }
    let mut rules = Rules::default();
    rules.set(wanted("oauth.code", "revoked")).unwrap();
    assert!(
        rules
            .strike(&at(Service::Oauth, &names, None), never)
            .is_none()
    );
}

#[test]
fn the_first_that_was_set_strikes_first() {
    let mut rules = Rules::default();
    let once = Wanted {
        times: Some(1),
        ..wanted("pop.retr", "drop")
    };
    rules.set(once).unwrap();
    rules.set(wanted("pop.*", "refuse")).unwrap();
    let retr = at(Service::Pop, &["retr"], None);
    assert_eq!(rules.strike(&retr, never).unwrap().kind, Kind::Drop);
    assert_eq!(rules.strike(&retr, never).unwrap().kind, Kind::Refuse);
}

#[test]
fn chance_decides_and_a_miss_costs_no_time() {
    let mut rules = Rules::default();
    let half = Wanted {
        probability: 0.5,
        times: Some(1),
        ..wanted("smtp.data", "refuse")
    };
    rules.set(half).unwrap();
    let data = at(Service::Smtp, &["data"], None);
    assert!(rules.strike(&data, || 0.5).is_none());
    assert!(rules.strike(&data, || 0.99).is_none());
    assert!(rules.strike(&data, || 0.49).is_some());
    assert!(
        rules.strike(&data, || 0.0).is_none(),
        "it was the only time"
    );
}

#[test]
fn it_waits_for_its_moment() {
    let mut rules = Rules::default();
    let later = Wanted {
        not_before: 1_001,
        ..wanted("imap.noop", "drop")
    };
    rules.set(later).unwrap();
    let noop = at(Service::Imap, &["noop"], None);
    assert!(rules.strike(&noop, never).is_none());
    let due = Occasion { now: 1_001, ..noop };
    assert!(rules.strike(&due, never).is_some());
}

#[test]
fn setting_again_replaces_and_clearing_clears() {
    let mut rules = Rules::default();
    rules.set(wanted("imap.fetch", "delay 1s")).unwrap();
    rules.set(wanted("imap.fetch", "delay 2s")).unwrap();
    rules.set(wanted("imap.fetch", "drop")).unwrap();
    let printed: Vec<_> = rules
        .list()
        .iter()
        .map(|rule| rule.wanted.kind.to_string())
        .collect();
    assert_eq!(printed, ["delay 2s", "drop"]);
    assert_eq!(rules.clear(|rule| rule.wanted.kind == Kind::Drop), 1);
    assert_eq!(rules.clear(|_| true), 1);
    assert!(rules.list().is_empty());
}

#[test]
fn the_table_is_bounded_and_spent_rules_make_room() {
    let mut rules = Rules::default();
    for number in 0..RULES_MAX {
        let one = Wanted {
            account: Some(format!("{number}@example.test")),
            times: Some(1),
            ..wanted("imap.noop", "drop")
        };
        rules.set(one).unwrap();
    }
    let more = wanted("imap.noop", "refuse");
    assert!(rules.set(more.clone()).unwrap_err().contains("clear some"));
    let noop = at(Service::Imap, &["noop"], Some("7@example.test"));
    assert!(rules.strike(&noop, never).is_some());
    assert!(rules.set(more).is_ok());
    assert_eq!(rules.list().len(), RULES_MAX);
}

#[test]
fn what_does_not_go_together_is_said_in_a_sentence() {
    let refused = |wanted: Wanted| wanted.check().unwrap_err();
    assert!(refused(wanted("imap.fetch", "too-many-connections")).contains("connect and login"));
    assert!(refused(wanted("imap.login", "revoked")).contains("oauth.token"));
    assert!(refused(wanted("imap.login", "503")).contains("oauth"));
    assert!(refused(wanted("mx.data", "expired 5s")).contains("expire"));
    let whose = |target| Wanted {
        account: Some("ada@example.test".into()),
        ..wanted(target, "drop")
    };
    for (target, why) in [
        ("imap.connect", "nobody has signed in yet"),
        ("mx.mail", "rcpt, data and message"),
        ("oauth.par", "authorize, token"),
        ("oauth.client_credentials", "authorize, token"),
    ] {
        let said = refused(whose(target));
        assert!(
            said.contains("for one account") && said.contains(why),
            "{said}"
        );
    }
    for target in [
        "mx.rcpt",
        "mx.*",
        "oauth.refresh",
        "oauth.*",
        "oauth.authorize",
    ] {
        assert_eq!(whose(target).check(), Ok(()), "{target}");
    }
    for probability in [0.0, -1.0, 1.1, f64::NAN] {
        let odd = Wanted {
            probability,
            ..wanted("imap.login", "refuse")
        };
        assert!(refused(odd).contains("probability is above 0"));
    }
}

#[test]
fn kinds_are_read_and_mistyped_ones_suggested() {
    for (name, value, printed) in [
        ("refuse", None, "refuse"),
        ("Overquota", None, "overquota"),
        ("delay", Some("1500ms"), "delay 1.5s"),
        ("expired", Some("1m"), "expired 60s"),
        ("throttle", Some("1000"), "throttle 1000"),
        ("invalid_grant", None, "invalid_grant"),
        ("503", None, "503"),
    ] {
        assert_eq!(Kind::parse(name, value).unwrap().to_string(), printed);
    }
    for (name, value, said) in [
        ("overqouta", None, "did you mean overquota?"),
        ("delay", None, "delay needs a value: DURATION"),
        ("delay", Some("2 days"), "is no DURATION"),
        ("throttle", Some("0"), "is no OCTETS-PER-SECOND"),
        ("drop", Some("5s"), "takes no value"),
    ] {
        let error = Kind::parse(name, value).unwrap_err();
        assert!(error.contains(said), "{name}: {error}");
    }
}
