//! The library against the real program: `pillarbox dev`, real ports, real TLS, the server's clock moved.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used)] // a failed unwrap is the failed test

use pillarbox_client::imap::{Change, Event, Flag, SearchKey, SpecialUse};
use pillarbox_client::{
    Ask, Credentials, Error, Mechanism, News, Secret, Server, Tls, Watch, imap, smtp,
};
use serde_json::Value;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

/// Nothing takes longer unless it hangs; generous, because the machine may be busy with other tests.
const DEADLINE: Duration = Duration::from_secs(60);
const TEXT: &[u8] =
    b"From: ada@example.test\r\nTo: ada@example.test\r\nSubject: Hello\r\n\r\n.It works.\r\n";

/// A development server in a home of its own; it ends with this.
struct Dev {
    home: tempfile::TempDir,
    facts: Value,
    _program: Child,
}

/// `PILLARBOX_PROGRAM`, or the one that was built beside this test.
fn program() -> PathBuf {
    let beside = || {
        let test = std::env::current_exe().unwrap();
        test.ancestors().nth(2).unwrap().join("pillarbox")
    };
    let program = std::env::var_os("PILLARBOX_PROGRAM").map_or_else(beside, PathBuf::from);
    assert!(
        program.exists(),
        "there is no {}: run `cargo build -p pillarbox` first",
        program.display()
    );
    program
}

fn command(home: &tempfile::TempDir, arguments: &[&str]) -> Command {
    let mut command = Command::new(program());
    let ours = std::env::vars().map(|(name, _)| name);
    for name in ours.filter(|name| name.starts_with("PILLARBOX_")) {
        command.env_remove(name);
    }
    command
        .env("HOME", home.path())
        .env_remove("XDG_DATA_HOME")
        .env_remove("XDG_RUNTIME_DIR")
        .args(arguments)
        .stdin(Stdio::null())
        .kill_on_drop(true);
    command
}

impl Dev {
    async fn start() -> Self {
        let home = tempfile::tempdir().unwrap();
        let mut program = command(&home, &["dev", "--ports", "auto", "--json"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(program.stdout.take().unwrap()).lines();
        let ready = tokio::time::timeout(DEADLINE, lines.next_line()).await;
        let ready = ready.expect("not ready").unwrap().expect("it ended");
        Self {
            home,
            facts: serde_json::from_str(&ready).unwrap(),
            _program: program,
        }
    }

    fn text(&self, fact: &str) -> &str {
        self.facts[fact].as_str().unwrap()
    }

    fn server(&self, service: &str) -> Server {
        let port = self.facts[format!("{service}_port")].as_u64().unwrap();
        let ca = std::fs::read(self.text("ca")).unwrap();
        let tls = Tls::trusting(&ca).unwrap();
        Server::new(self.text("host"), u16::try_from(port).unwrap(), tls)
    }

    /// What the program prints when it is asked this.
    fn ask(&self, arguments: &[&str]) -> impl Future<Output = String> + Send + use<> {
        let mut command = command(&self.home, arguments);
        command.env("PILLARBOX_ADMIN", self.text("admin"));
        let what = format!("{arguments:?}");
        async move {
            let output = command.output().await.unwrap();
            let error = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{what}: {error}");
            String::from_utf8(output.stdout).unwrap().trim().to_owned()
        }
    }
}

/// Fresh tokens, and how many were asked for.
fn ada(dev: &Arc<Dev>) -> (Credentials, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let (dev, counted) = (Arc::clone(dev), Arc::clone(&asked));
    let user = dev.text("user").to_owned();
    let credentials = Credentials::bearer(user.clone(), move |_: Ask| {
        counted.fetch_add(1, Ordering::Relaxed);
        let token = dev.ask(&["token", &user]);
        async move { Ok(Secret::new(token.await)) }
    });
    (credentials, asked)
}

/// News until the mailbox has so many messages.
async fn until_exists(watch: &mut Watch, count: u32) -> Vec<News> {
    let mut heard = Vec::new();
    while heard.last() != Some(&News::Changed(Event::Exists(count))) {
        heard.push(
            tokio::time::timeout(DEADLINE, watch.next())
                .await
                .unwrap()
                .unwrap(),
        );
    }
    heard
}

#[tokio::test]
async fn send_hear_of_it_read_outlive_the_token_and_go_on() {
    let dev = Arc::new(Dev::start().await);
    let (ada, asked) = ada(&dev);
    let me = dev.text("user");

    let mut session = imap::Session::connect(&dev.server("imap"), &ada)
        .await
        .unwrap();
    let inbox = session.select("INBOX").await.unwrap();
    assert_eq!((inbox.exists, inbox.read_only), (0, false));
    let mut watch = Watch::new(session);
    // In IDLE before anything arrives.
    let quiet = tokio::time::timeout(Duration::from_millis(200), watch.next()).await;
    assert!(quiet.is_err(), "{quiet:?}");

    let mut outgoing = smtp::Session::tls(&dev.server("smtps"), &ada)
        .await
        .unwrap();
    let sent = outgoing.send(me, &[me], TEXT).await.unwrap();
    assert_eq!(sent.refused, []);
    until_exists(&mut watch, 1).await;

    let session = watch.session();
    let found = session.search(SearchKey::Unseen).await.unwrap();
    let messages = session.summaries(&found).await.unwrap();
    assert_eq!(messages.len(), 1);
    assert_eq!(messages[0].subject().as_deref(), Some("Hello"));
    let body = session.body(messages[0].uid).await.unwrap().unwrap();
    assert!(
        body.ends_with(b"\r\n\r\n.It works.\r\n"),
        "dots come through"
    );

    let before = asked.load(Ordering::Relaxed);
    let said = dev.ask(&["clock", "advance", "1h"]).await;
    let news = tokio::time::timeout(DEADLINE, watch.next())
        .await
        .unwrap()
        .unwrap();
    let News::Reconnected(inbox) = news else {
        panic!("{news:?} after: {said}")
    };
    assert_eq!(inbox.exists, 1);
    // The SMTP session has ended too: `send` signs in again by itself.
    let sent = outgoing.send(me, &[me], TEXT).await.unwrap();
    assert_eq!(sent.refused, []);
    until_exists(&mut watch, 2).await;
    assert_eq!(asked.load(Ordering::Relaxed), before + 2, "one token each");
    outgoing.quit().await.unwrap();
}

#[tokio::test]
async fn flags_moves_and_appends() {
    let dev = Arc::new(Dev::start().await);
    let (ada, _) = ada(&dev);
    let ada = ada.only(Mechanism::Xoauth2);
    let mut session = imap::Session::connect(&dev.server("imap"), &ada)
        .await
        .unwrap();
    let folders = session.list("*").await.unwrap();
    let trash = folders
        .iter()
        .find(|f| f.special_use() == Some(SpecialUse::Trash));
    let trash = trash.unwrap().name.clone();

    let inbox = session.select("INBOX").await.unwrap();
    let place = session
        .append("INBOX", &[Flag::Flagged], TEXT)
        .await
        .unwrap();
    let (validity, uid) = place.unwrap();
    assert_eq!(Some(validity), inbox.uid_validity);
    session
        .store(&[uid], Change::Add, &[Flag::Seen])
        .await
        .unwrap();
    let messages = session.summaries(&[uid]).await.unwrap();
    let mut flags = messages[0].flags.clone().unwrap();
    flags.retain(|flag| *flag != Flag::Recent);
    flags.sort();
    assert_eq!(flags, [Flag::Flagged, Flag::Seen]);
    assert_eq!(messages[0].size, Some(TEXT.len() as u64));

    session.move_to(&[uid], &trash).await.unwrap();
    assert!(session.search(SearchKey::All).await.unwrap().is_empty());
    assert_eq!(session.body(uid).await.unwrap(), None);
    assert_eq!(session.select(&trash).await.unwrap().exists, 1);
    let missing = session.select("Nowhere").await.unwrap_err();
    assert!(matches!(missing, Error::No { .. }), "{missing}");
    session.logout().await.unwrap();
}

#[tokio::test]
async fn every_way_to_sign_in_and_every_refusal() {
    let dev = Arc::new(Dev::start().await);
    let me = dev.text("user");
    let token = Credentials::token(me, Secret::new(dev.text("token")));
    let password = Credentials::password(me, Secret::new(dev.text("app_password")));
    let (imaps, submission) = (dev.server("imap"), dev.server("submission"));
    for credentials in [
        token.clone().only(Mechanism::Xoauth2),
        token.only(Mechanism::OauthBearer),
        password,
    ] {
        let session = imap::Session::connect(&imaps, &credentials).await.unwrap();
        session.logout().await.unwrap();
        let session = smtp::Session::starttls(&submission, &credentials)
            .await
            .unwrap();
        session.quit().await.unwrap();
    }

    let expired = dev.ask(&["token", me, "--expired"]).await;
    let expired = Credentials::token(me, Secret::new(expired));
    let both = [
        imap::Session::connect(&imaps, &expired).await.err(),
        smtp::Session::starttls(&submission, &expired).await.err(),
    ];
    for error in both {
        let Some(Error::SignIn(refusal)) = error else {
            panic!("{error:?}")
        };
        let challenge = refusal.challenge.unwrap();
        let challenge: Value = serde_json::from_str(&challenge).unwrap();
        assert_eq!(challenge["scope"], "https://mail.google.com/");
        assert!(!refusal.temporary);
    }

    // The certificate is checked: the system has never heard of this authority.
    let stranger = Server::new("localhost", imaps.port, Tls::system().unwrap());
    let error = imap::Session::connect(&stranger, &expired)
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Tls(_)), "{error}");
    assert!(!error.is_temporary());
}
