//! `pillarbox dev`: ready, taken ports, commands, the end (first five minutes, minute 1 and section 11).

use crate::stage::{DEADLINE, Home, lines, signal, stderr, stdout, wait};
use std::io::{BufRead, BufReader};
use std::net::TcpStream;
use std::process::Stdio;
use std::time::{Duration, Instant};

#[test]
fn the_ready_file_appears_when_every_listener_accepts() {
    let home = Home::new();
    let file = home.path().join("ready.json");
    let mut server = home.dev(&["--ports", "auto", "--ready-file", file.to_str().unwrap()]);
    let written: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
    assert_eq!(written, server.facts);
    for service in ["imap", "pop", "smtps", "submission", "incoming", "web"] {
        TcpStream::connect(("127.0.0.1", server.port(service))).unwrap();
    }
    assert!(
        server
            .text("imaps")
            .ends_with(&server.port("imap").to_string())
    );
    signal(server.child.id(), "TERM");
    assert_eq!(wait(&mut server.child).code(), Some(0));
    assert!(
        !file.exists(),
        "whoever waits for the next server would take the old file for it"
    );
}

#[test]
fn the_first_screen_can_be_pasted() {
    let home = Home::new();
    let mut child = home
        .program(&["dev", "--ports", "auto"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let out = lines(child.stdout.take().unwrap());
    let mut screen = Vec::new();
    while !screen
        .last()
        .is_some_and(|line: &String| line.starts_with("Ready."))
    {
        screen.push(out.recv_timeout(DEADLINE).unwrap());
    }
    let screen = screen.join("\n");
    for wanted in [
        "people     ada@example.test   bob@example.test        password of both: pillarbox",
        "IMAP       localhost:",
        "incoming   localhost:",
        "OAuth      issuer https://localhost:",
        "ca.pem",
        "eval \"$(pillarbox dev env)\"",
        "Mail is forgotten when this stops",
    ] {
        assert!(screen.contains(wanted), "{wanted} is not in\n{screen}");
    }
    // `dev env` finds the only server of this home without being told, and a shell takes what it prints.
    let env = home.run(&["dev", "env"]);
    assert!(env.status.success(), "{}", stderr(&env));
    let shell = std::process::Command::new("sh")
        .args(["-c", &format!("{}\necho \"$PILLARBOX_USER\"", stdout(&env))])
        .output()
        .unwrap();
    assert_eq!(stdout(&shell), "ada@example.test\n");
    let stopped = home.run(&["dev", "stop"]);
    assert!(stopped.status.success(), "{}", stderr(&stopped));
    assert_eq!(wait(&mut child).code(), Some(0));
    let nobody = home.run(&["token", "ada@example.test"]);
    assert_eq!(nobody.status.code(), Some(3));
    assert!(
        stderr(&nobody).contains("no server is running"),
        "{}",
        stderr(&nobody)
    );
}

#[test]
fn a_taken_port_is_one_line_and_status_3() {
    let home = Home::new();
    let first = home.dev(&["--ports", "auto"]);
    let port = first.port("imap");
    let offset = (port - 993).to_string();
    let second = home.run(&["dev", "--offset", &offset]);
    assert_eq!(second.status.code(), Some(3));
    assert_eq!(
        stderr(&second),
        format!(
            "port {port} (IMAP) is taken by another program. Try: pillarbox dev --ports auto\n"
        )
    );
    assert_eq!(stdout(&second), "");
}

#[test]
fn two_run_side_by_side_and_share_the_authority() {
    let home = Home::new();
    let (one, two) = (
        home.dev(&["--ports", "auto"]),
        home.dev(&["--ports", "auto"]),
    );
    assert_ne!(one.port("web"), two.port("web"));
    assert_eq!(one.text("ca"), two.text("ca"));
    for server in [&one, &two] {
        assert!(server.tls("imap").line().starts_with("* OK "));
    }
    let which = home.run(&["clock", "show"]);
    assert_eq!(which.status.code(), Some(3));
    assert!(
        stderr(&which).contains("several development servers"),
        "{}",
        stderr(&which)
    );
}

#[test]
fn a_command_gets_the_variables_and_gives_its_status() {
    let home = Home::new();
    let run = |command: &[&str]| {
        let mut all = vec!["dev", "--ports", "auto", "--trust", "--"];
        all.extend(command);
        home.run(&all)
    };
    let done = run(&["true"]);
    assert_eq!((done.status.code(), stdout(&done).as_str()), (Some(0), ""));
    assert_eq!(run(&["sh", "-c", "exit 7"]).status.code(), Some(7));
    assert_eq!(
        run(&["sh", "-c", "kill -9 $$"]).status.code(),
        Some(128 + 9)
    );
    assert_eq!(run(&["no-such-program-anywhere"]).status.code(), Some(3));
    let seen = run(&[
        "sh",
        "-c",
        "test \"$SSL_CERT_FILE\" = \"$PILLARBOX_CA\" && test -s \"$PILLARBOX_CA\" && echo $PILLARBOX_USER",
    ]);
    assert_eq!(stdout(&seen), "ada@example.test\n");
}

#[test]
fn sigterm_reaches_the_command_first() {
    let home = Home::new();
    let mut program = home.program(&[
        "dev",
        "--ports",
        "auto",
        "--",
        "sh",
        "-c",
        "trap 'exit 5' TERM; echo up; while :; do sleep 0.1; done",
    ]);
    let mut child = program
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    assert_eq!(
        lines(child.stdout.take().unwrap())
            .recv_timeout(DEADLINE)
            .unwrap(),
        "up"
    );
    signal(child.id(), "TERM");
    assert_eq!(wait(&mut child).code(), Some(5));
}

#[test]
fn sigterm_tells_the_sessions_and_ends_within_five_seconds() {
    let home = Home::new();
    let mut server = home.dev(&["--ports", "auto"]);
    let mut idle = server.tls("imap");
    idle.until("* OK ");
    assert!(
        idle.xoauth2("ada@example.test", &server.text("token"))
            .starts_with("a OK")
    );
    idle.say("b IDLE");
    idle.until("+ ");
    let mut mail =
        BufReader::new(TcpStream::connect(("127.0.0.1", server.port("incoming"))).unwrap());
    mail.get_ref().set_read_timeout(Some(DEADLINE)).unwrap();
    let mut line = String::new();
    mail.read_line(&mut line).unwrap();
    assert!(line.starts_with("220 "), "{line}");
    let begun = Instant::now();
    signal(server.child.id(), "TERM");
    assert!(idle.until("* BYE").contains("shutting down"));
    assert_eq!(wait(&mut server.child).code(), Some(0));
    assert!(
        begun.elapsed() < Duration::from_secs(5),
        "took {:?}",
        begun.elapsed()
    );
    assert!(server.logged("stopped").contains("2 mail sessions ended"));
}

#[test]
fn it_listens_on_loopback_only() {
    let home = Home::new();
    let mut open = home.program(&["dev"]);
    open.env("PILLARBOX_LISTEN_IMAP", "0.0.0.0:1993");
    let refused = crate::stage::finish(open, "");
    assert_eq!(refused.status.code(), Some(2));
    assert!(
        stderr(&refused).contains("0.0.0.0:1993 (IMAP) is not loopback"),
        "{}",
        stderr(&refused)
    );
    let mut six = home.program(&["dev"]);
    six.env("PILLARBOX_LISTEN_WEB", "[::]:1443");
    assert_eq!(crate::stage::finish(six, "").status.code(), Some(2));
}

#[test]
fn kept_mail_is_there_again() {
    let home = Home::new();
    let data = home.path().join("data");
    let start = || home.dev(&["--ports", "auto", "--data", data.to_str().unwrap()]);
    let mut server = start();
    let made = server.run(
        &home,
        &["account", "add", "carl@example.test"],
        "a long pass phrase\n",
    );
    assert!(made.status.success(), "{}", stderr(&made));
    let busy = home.run(&["dev", "--ports", "auto", "--data", data.to_str().unwrap()]);
    assert_eq!(busy.status.code(), Some(3));
    assert!(
        stderr(&busy).contains("in use by another program"),
        "{}",
        stderr(&busy)
    );
    signal(server.child.id(), "TERM");
    assert_eq!(wait(&mut server.child).code(), Some(0));
    let server = start();
    let all = server.ask(&home, &["account", "list"]);
    assert!(all.lines().any(|line| line == "carl@example.test"), "{all}");
    let checked = server.ask(&home, &["store", "check"]);
    assert!(
        checked.contains(" 0 messages") && checked.ends_with(" 0 problems"),
        "{checked}"
    );
}
