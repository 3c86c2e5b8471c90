//! Minute 4: the hour that takes a second, and why a session was refused; and the rest of administration.

use crate::stage::{Home, Server, stderr, stdout};
use std::time::{Duration, Instant};

/// A client in IDLE, signed in with this token.
fn idle(server: &Server, token: &str) -> crate::stage::Tls {
    let mut client = server.tls("imap");
    client.until("* OK ");
    let answer = client.xoauth2("ada@example.test", token);
    assert!(answer.starts_with("a OK"), "{answer}");
    client.say("b SELECT INBOX");
    client.until("b OK");
    client.say("c IDLE");
    client.until("+ ");
    client
}

#[test]
fn an_hour_passes_in_a_second() {
    let home = Home::new();
    let server = home.dev(&["--ports", "auto"]);
    let token = server.ask(&home, &["token", "ada@example.test"]);
    let mut client = idle(&server, &token);
    let line = server.logged("signed in");
    assert!(
        line.contains(
            "ada@example.test signed in, XOAUTH2, app Pillarbox command line, token ends "
        ),
        "{line}"
    );
    let said = server.ask(&home, &["clock", "advance", "2h"]);
    assert!(
        said.ends_with("2 hours ahead. 1 mail session ended, 2 tokens expired."),
        "{said}"
    );
    assert_eq!(client.line(), "* BYE Session expired, please login again.");
    assert_eq!(client.line(), "");
    // The old token is of no more use, a new one is.
    let mut again = server.tls("imap");
    again.until("* OK ");
    assert!(
        again
            .xoauth2("ada@example.test", &token)
            .starts_with("a NO [AUTHENTICATIONFAILED]")
    );
    idle(&server, &server.ask(&home, &["token", "ada@example.test"]));
    assert!(
        server
            .ask(&home, &["clock", "reset"])
            .contains("the system's time")
    );
}

#[test]
fn revocation_ends_a_session_within_a_second() {
    let home = Home::new();
    let server = home.dev(&["--ports", "auto"]);
    let token = server.ask(&home, &["token", "ada@example.test"]);
    let mut client = idle(&server, &token);
    let begun = Instant::now();
    let revoked = server.run(&home, &["token", "revoke"], &token);
    assert!(revoked.status.success(), "{}", stderr(&revoked));
    assert_eq!(client.line(), "* BYE Session expired, please login again.");
    assert!(
        begun.elapsed() < Duration::from_secs(1),
        "took {:?}",
        begun.elapsed()
    );
    let inspected = server.run(&home, &["token", "inspect"], &token);
    assert_eq!(inspected.status.code(), Some(1));
    assert!(
        stdout(&inspected).contains("revoked"),
        "{}",
        stdout(&inspected)
    );
}

#[test]
fn why_tells_the_owner_what_the_wire_does_not() {
    let home = Home::new();
    let server = home.dev(&["--ports", "auto"]);
    let token = server.ask(&home, &["token", "bob@example.test"]);
    let mut client = server.tls("imap");
    let greeting = client.until("* OK ");
    let session = greeting.rsplit(' ').next().unwrap().to_owned();
    let told = client.xoauth2("ada@example.test", &token);
    assert_eq!(
        told,
        "a NO [AUTHENTICATIONFAILED] Invalid credentials (Failure)"
    );
    let why = server.ask(&home, &["why", &session]);
    let lines: Vec<_> = why.lines().map(str::trim).collect();
    assert!(
        lines[0].starts_with(&format!("{session}  IMAP from ")),
        "{why}"
    );
    assert_eq!(lines[1], "offered   XOAUTH2 for ada@example.test");
    assert!(
        lines[2].starts_with("refused   ") && lines[2].contains("bob@example.test"),
        "{why}"
    );
    assert!(
        lines[3].starts_with("told      ") && lines[3].ends_with("Invalid credentials (Failure)"),
        "{why}"
    );
    assert!(!why.contains(&token));
    let unknown = server.run(&home, &["why", "zzzz"], "");
    assert_eq!(unknown.status.code(), Some(1));
}

#[test]
fn tokens_of_every_kind() {
    let home = Home::new();
    let server = home.dev(&["--ports", "auto"]);
    let verdict = |options: &[&str]| {
        let mut arguments = vec!["token", "ada@example.test"];
        arguments.extend(options);
        let token = server.ask(&home, &arguments);
        let inspected = server.run(&home, &["token", "inspect", "--json"], &token);
        serde_json::from_str::<serde_json::Value>(&stdout(&inspected)).unwrap()
    };
    assert_eq!(verdict(&[])["good"], true);
    assert_eq!(verdict(&["--lifetime", "60s"])["good"], true);
    for bad in [&["--expired"][..], &["--revoked"], &["--scope", "openid"]] {
        let verdict = verdict(bad);
        assert_eq!(verdict["good"], false, "{bad:?}");
        assert!(
            verdict["why_not"]
                .as_str()
                .is_some_and(|why| !why.is_empty()),
            "{bad:?}"
        );
    }
    assert!(
        !server
            .ask(&home, &["token", "issue", "ada@example.test", "--refresh"])
            .contains('.')
    );
}

#[test]
fn accounts_passwords_and_suggestions() {
    let home = Home::new();
    let server = home.dev(&["--ports", "auto"]);
    let mistyped = server.run(&home, &["token", "adda@example.test"], "");
    assert_eq!(mistyped.status.code(), Some(1));
    assert_eq!(
        stderr(&mistyped),
        "no account adda@example.test; did you mean ada@example.test?\n"
    );
    let wrong = server.run(&home, &["acount", "list"], "");
    assert_eq!(wrong.status.code(), Some(2));
    assert!(stderr(&wrong).contains("account"), "{}", stderr(&wrong));
    let password = server.ask(
        &home,
        &["app-password", "add", "ada@example.test", "--name", "tests"],
    );
    assert!(
        password.len() == 16 && password.bytes().all(|byte| byte.is_ascii_lowercase()),
        "not 16 letters"
    );
    let mut client = server.tls("imap");
    client.until("* OK ");
    client.say(&format!("a LOGIN ada@example.test {password}"));
    client.until("a OK");
    let sessions = server.ask(&home, &["session", "list", "--json"]);
    let sessions: serde_json::Value = serde_json::from_str(&sessions).unwrap();
    assert_eq!(sessions[0]["address"], "ada@example.test");
    let suspended = server.run(&home, &["account", "suspend", "ada@example.test"], "");
    assert!(suspended.status.success(), "{}", stderr(&suspended));
    client.until("* BYE");
    let removal = server.run(&home, &["account", "remove", "bob@example.test"], "");
    assert_eq!(removal.status.code(), Some(2), "it must ask");
    let removed = server.run(
        &home,
        &["account", "remove", "bob@example.test", "--yes"],
        "",
    );
    assert!(removed.status.success(), "{}", stderr(&removed));
    let left = server.ask(&home, &["account", "list"]);
    assert!(
        !left.contains("bob@example.test") && left.contains("ada@example.test"),
        "{left}"
    );
}
