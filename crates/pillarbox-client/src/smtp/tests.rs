//! Sending to servers that were written down.
#![allow(clippy::unwrap_used)] // a failed unwrap is the failed test

use super::*;
use crate::Limits;
use crate::script::Play;
use pillarbox_wire::sasl::to_base64;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Greets, and signs in with this token.
fn signed_in(token: &str, rest: &str) -> String {
    let response = to_base64(format!("user=ada\x01auth=Bearer {token}\x01\x01"));
    format!(
        "S: 220 ready\nC: EHLO [127.0.0.1]\nS: 250-hello\nS: 250-SIZE 1000\nS: 250-8BITMIME\nS: 250-PIPELINING\n\
         S: 250 AUTH XOAUTH2 PLAIN\nC: AUTH XOAUTH2 {response}\nS: 235 2.7.0 Accepted\n{rest}"
    )
}

const MAIL: &str = "C: MAIL FROM:<ada@example.org> SIZE=13\n";
const TEXT: &[u8] = b"Subject: .\n\n.";

/// Each sign-in has the next of the tokens t1, t2, ...
async fn open(play: &Arc<Play>, security: Security) -> Result<Session, Error> {
    let given = AtomicUsize::new(0);
    let credentials = Credentials::bearer("ada", move |_| {
        let number = given.fetch_add(1, Ordering::Relaxed) + 1;
        async move { Ok(Secret::new(format!("t{number}"))) }
    });
    let dial = Arc::clone(play) as Arc<_>;
    let home = Home {
        dial,
        credentials,
        security,
    };
    Session::open(home).await
}

#[tokio::test]
async fn a_message_goes_to_those_who_are_not_refused() {
    let play = Play::new([signed_in(
        "t1",
        &format!(
            "{MAIL}C: RCPT TO:<bob@example.org>\nC: RCPT TO:<nobody@example.org>\nS: 250 ok\nS: 250 ok\n\
             S: 550 5.1.1 who?\nC: DATA\nS: 354 Go ahead\nC: Subject: .\nC:\nC: ..\nC: .\nS: 250 2.0.0 OK 17\n\
             {MAIL}C: RCPT TO:<nobody@example.org>\nS: 250 ok\nS: 550 5.1.1 who?\nC: RSET\nS: 250 ok\nC: QUIT\nS: 221 bye"
        ),
    )]);
    let mut session = open(&play, Security::Tls).await.unwrap();
    let to = ["bob@example.org", "nobody@example.org"];
    let sent = session.send("ada@example.org", &to, TEXT).await.unwrap();
    assert_eq!(sent.reply.lines, ["OK 17"]);
    assert_eq!(sent.refused.len(), 1);
    assert_eq!(sent.refused[0].0, "nobody@example.org");
    let error = session
        .send("ada@example.org", &to[1..], TEXT)
        .await
        .unwrap_err();
    assert!(
        matches!(
            error,
            Error::Smtp {
                command: "RCPT",
                ..
            }
        ),
        "{error}"
    );
    session.quit().await.unwrap();
    play.end().await;
    assert_eq!(play.secured(), 1);
}

#[tokio::test]
async fn an_expired_session_is_followed_by_another_and_the_message_sent_once() {
    let rcpt = "C: RCPT TO:<bob@example.org>\n";
    let play = Play::new([
        signed_in(
            "t1",
            &format!("{MAIL}{rcpt}S: 421 4.7.0 Connection expired, try reconnecting."),
        ),
        signed_in(
            "t2",
            &format!(
                "{MAIL}{rcpt}S: 250 ok\nS: 250 ok\nC: DATA\nS: 354 go\nC: Subject: .\nC:\nC: ..\nC: .\nS: 250 done\nhang"
            ),
        ),
    ]);
    let mut session = open(&play, Security::Tls).await.unwrap();
    let sent = session
        .send("ada@example.org", &["bob@example.org"], TEXT)
        .await;
    assert_eq!(sent.unwrap().reply.lines, ["done"]);
    drop(session);
    play.end().await;
}

#[tokio::test]
async fn a_connection_lost_after_the_message_is_not_repeated() {
    let play = Play::new([signed_in(
        "t1",
        &format!(
            "{MAIL}C: RCPT TO:<bob@example.org>\nS: 250 ok\nS: 250 ok\nC: DATA\nS: 354 go\nC: Subject: .\nC:\nC: ..\nC: .\n"
        ),
    )]);
    let mut session = open(&play, Security::Tls).await.unwrap();
    let error = session
        .send("ada@example.org", &["bob@example.org"], TEXT)
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Unconfirmed(_)), "{error}");
    play.end().await;
}

#[tokio::test]
async fn nothing_is_said_before_tls_stands() {
    let hello = "S: 220 ready\nC: EHLO [127.0.0.1]\n";
    let play = Play::new([format!("{hello}S: 250-hello\nS: 250 AUTH XOAUTH2\nhang")]);
    let error = open(&play, Security::StartTls).await.unwrap_err();
    assert!(matches!(error, Error::Unsupported("STARTTLS")), "{error}");
    play.end().await;

    // Said in clear, to be taken for the word of the secured server.
    let injected = format!(
        "{hello}S: 250-hello\nS: 250 STARTTLS\nC: STARTTLS\nS: 220 go\nS: 250 AUTH PLAIN\nhang"
    );
    let play = Play::new([injected]);
    let error = open(&play, Security::StartTls).await.unwrap_err();
    assert!(matches!(error, Error::Protocol(_)), "{error}");
    assert_eq!(play.secured(), 0);
    play.end().await;
}

#[tokio::test]
async fn a_bad_token_is_reported_with_its_json() {
    let json = r#"{"status":"400","schemes":"Bearer","scope":"https://mail.google.com/"}"#;
    let refusing = |token: &str| {
        let response = to_base64(format!("user=ada\x01auth=Bearer {token}\x01\x01"));
        format!(
            "S: 220 ready\nC: EHLO [127.0.0.1]\nS: 250-hello\nS: 250 AUTH XOAUTH2\nC: AUTH XOAUTH2 {response}\nS: 334 {}\nC:\n\
             S: 535-5.7.8 Username and Password not accepted. Learn more at\nS: 535 5.7.8 https://mail.example.com/help\nhang",
            to_base64(json)
        )
    };
    let play = Play::new([refusing("t1"), refusing("t2")]);
    let error = open(&play, Security::Tls).await.unwrap_err();
    let Error::SignIn(refusal) = error else {
        panic!("{error}")
    };
    assert_eq!(
        (refusal.code.as_str(), refusal.temporary),
        ("535 5.7.8", false)
    );
    assert_eq!(refusal.challenge.as_deref(), Some(json));
    play.end().await;
}

#[tokio::test]
async fn lines_and_replies_are_bounded() {
    let limits = Limits {
        line_bytes_max: 100,
        ..Limits::default()
    };
    let long = "x".repeat(300);
    let play = Play::with_limits([format!("S: 220 {long}\nhang")], limits);
    let error = open(&play, Security::Tls).await.unwrap_err();
    assert!(matches!(error, Error::TooLong { .. }), "{error}");
    play.end().await;

    let play = Play::new(["S: 220-a\n".repeat(300)]);
    let error = open(&play, Security::Tls).await.unwrap_err();
    assert!(matches!(error, Error::Protocol(_)), "{error}");
    play.end().await;
}

#[tokio::test]
async fn what_cannot_be_sent_is_not_sent() {
    let play = Play::new([signed_in("t1", "hang")]);
    let mut session = open(&play, Security::Tls).await.unwrap();
    for (from, to) in [
        ("ada", vec!["bob@example.org"]),
        ("ada@example.org", vec!["bob@example.org\r\nDATA"]),
        ("ada@example.org", vec![]),
    ] {
        let error = session.send(from, &to, TEXT).await.unwrap_err();
        assert!(matches!(error, Error::Argument(_)), "{error}");
    }
    let utf8 = "Subject: ä\r\n\r\n".as_bytes();
    let error = session
        .send("ada@example.org", &["bob@example.org"], utf8)
        .await;
    assert!(matches!(error, Err(Error::Unsupported("SMTPUTF8"))));
    drop(session);
    play.end().await;
}
