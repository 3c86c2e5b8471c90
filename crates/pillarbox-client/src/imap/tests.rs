//! Sessions against servers that were written down.
#![allow(clippy::unwrap_used)] // a failed unwrap is the failed test

use super::session::Home;
use super::*;
use crate::script::Play;
use crate::{Ask, Credentials, Error, Limits, Mechanism, News, Secret, Watch};
use pillarbox_wire::sasl::to_base64;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// Gmail's failure (wire §2.2).
const JSON: &str = r#"{"status":"400","schemes":"Bearer","scope":"https://mail.google.com/"}"#;

fn xoauth2(token: &str) -> String {
    to_base64(format!("user=ada\x01auth=Bearer {token}\x01\x01"))
}

/// Signs in with token `token`; tags go on at p3.
fn signed_in(token: &str, rest: &str) -> String {
    format!(
        "S: * OK ready\n\
         C: p1 CAPABILITY\nS: * CAPABILITY IMAP4rev1 SASL-IR AUTH=XOAUTH2 AUTH=PLAIN\nS: p1 OK\n\
         C: p2 AUTHENTICATE XOAUTH2 {}\n\
         S: * CAPABILITY IMAP4rev1 IDLE MOVE UIDPLUS ESEARCH\nS: p2 OK ada\n{rest}",
        xoauth2(token)
    )
}

fn fixed() -> Credentials {
    Credentials::token("ada", Secret::new("t1"))
}

/// Tokens t1, t2, ... and how often another was asked for.
fn counting() -> (Credentials, Arc<AtomicUsize>) {
    let (given, others) = (AtomicUsize::new(0), Arc::new(AtomicUsize::new(0)));
    let counted = Arc::clone(&others);
    let credentials = Credentials::bearer("ada", move |ask| {
        let number = given.fetch_add(1, Ordering::Relaxed) + 1;
        counted.fetch_add(usize::from(ask == Ask::Another), Ordering::Relaxed);
        async move { Ok(Secret::new(format!("t{number}"))) }
    });
    (credentials, others)
}

async fn open(play: &Arc<Play>, credentials: Credentials) -> Result<Session, Error> {
    let dial = Arc::clone(play) as Arc<_>;
    Session::open(Home { dial, credentials }).await
}

#[tokio::test]
async fn select_search_fetch_store_move() {
    let play = Play::new([signed_in(
        "t1",
        r#"C: p3 SELECT "INBOX"
           S: * FLAGS (\Seen \Flagged)
           S: * OK [PERMANENTFLAGS (\Seen \*)] kept
           S: * OK [UIDVALIDITY 4] valid
           S: * 2 EXISTS
           S: * OK [UIDNEXT 66] next
           S: * OK [HIGHESTMODSEQ 22748]
           S: p3 OK [READ-WRITE] done
           C: p4 UID SEARCH RETURN (ALL) UNSEEN
           S: * ESEARCH (TAG "p4") UID ALL 7:8
           S: p4 OK
           C: p5 UID FETCH 7:8 (UID FLAGS INTERNALDATE RFC822.SIZE ENVELOPE)
           S: * 1 FETCH (UID 7 FLAGS (\Seen) INTERNALDATE "01-Mar-2026 10:00:00 +0000" RFC822.SIZE 405 ENVELOPE ("Sun, 1 Mar 2026 10:00:00 +0000" "=?utf-8?q?Gr=C3=BC=C3=9Fe?=" (("Ada" NIL "ada" "example.org")) NIL NIL ((NIL NIL "friends" NIL)(NIL NIL "bob" "example.org")(NIL NIL NIL NIL)) NIL NIL NIL "<1@x>"))
           S: * 2 FETCH (FLAGS (\Flagged))
           S: * 3 EXISTS
           S: p5 OK
           C: p6 UID FETCH 7 (UID BODY.PEEK[])
           S: * 1 FETCH (UID 7 BODY[] {5}
           S: a)
           S:  )
           S: p6 OK
           C: p7 UID STORE 7,9:10 +FLAGS.SILENT (\Seen)
           S: p7 OK
           C: p8 UID MOVE 7 "Gr&APwA3w-e"
           S: * 1 EXPUNGE
           S: p8 OK
           C: p9 LOGOUT
           S: * BYE bye
           S: p9 OK"#,
    )]);
    let mut session = open(&play, fixed()).await.unwrap();
    let inbox = session.select("inbox").await.unwrap();
    assert_eq!((inbox.exists, inbox.uid_validity), (2, Some(4)));
    assert_eq!((inbox.uid_next, inbox.read_only), (Some(66), false));
    let found = session.search(SearchKey::Unseen).await.unwrap();
    assert_eq!(found, [7, 8]);
    let messages = session.summaries(&found).await.unwrap();
    assert_eq!(messages.len(), 1, "8 is gone");
    let envelope = messages[0].envelope.as_ref().unwrap();
    assert_eq!(messages[0].subject().unwrap(), "Grüße");
    assert_eq!(envelope.from[0].email().unwrap(), "ada@example.org");
    assert_eq!(envelope.to[0], Address::GroupStart(b"friends".to_vec()));
    assert_eq!(envelope.to[2], Address::GroupEnd);
    assert_eq!((messages[0].uid, messages[0].size), (7, Some(405)));
    assert_eq!(session.body(7).await.unwrap().unwrap(), b"a)\r\n ");
    session
        .store(&[9, 10, 7], Change::Add, &[Flag::Seen])
        .await
        .unwrap();
    session.move_to(&[7], "Grüße").await.unwrap();
    let flagged = Event::Flags {
        sequence: 2,
        uid: None,
        flags: vec![Flag::Flagged],
    };
    let events = [flagged, Event::Exists(3), Event::Expunged(1)];
    assert_eq!(session.take_events(), events);
    session.logout().await.unwrap();
    play.end().await;
}

#[tokio::test]
async fn a_refused_command_leaves_the_session_open() {
    let play = Play::new([signed_in(
        "t1",
        r#"C: p3 SELECT "Nowhere"
           S: p3 NO [NONEXISTENT] Unknown Mailbox
           C: p4 LIST "" "*"
           S: * LIST (\HasNoChildren \Sent) "/" "[Gmail]/Gesendet"
           S: * LIST (\Noselect) "/" "[Gmail]"
           S: p4 OK
           C: p5 APPEND "Drafts" (\Draft) {5}
           S: + go ahead
           C: Hi.
           C:
           S: p5 OK [APPENDUID 23 27] done
           C: p6 APPEND "Full" {5}
           S: p6 NO [OVERQUOTA] full
           hang"#,
    )]);
    let mut session = open(&play, fixed()).await.unwrap();
    let refused = session.select("Nowhere").await.unwrap_err();
    let code = Some(Code::NonExistent);
    assert!(
        matches!(&refused, Error::No { code: c, .. } if *c == code),
        "{refused}"
    );
    assert!(!refused.ends_session());
    let folders = session.list("*").await.unwrap();
    assert_eq!(folders[0].special_use(), Some(SpecialUse::Sent));
    assert!(!folders[1].is_selectable());
    let place = session.append("Drafts", &[Flag::Draft], b"Hi.\r\n").await;
    assert_eq!(place.unwrap(), Some((23, 27)));
    let full = session.append("Full", &[], b"Hi.\r\n").await.unwrap_err();
    assert!(matches!(
        full,
        Error::No {
            code: Some(Code::OverQuota),
            ..
        }
    ));
    drop(session);
    play.end().await;
}

#[tokio::test]
async fn a_bad_token_is_asked_for_again_and_then_reported_with_its_json() {
    let refusing = |token: &str| {
        format!(
            "S: * OK [CAPABILITY SASL-IR AUTH=XOAUTH2] ready\nC: p1 AUTHENTICATE XOAUTH2 {}\nS: + {}\nC:\n\
             S: p1 NO [AUTHENTICATIONFAILED] Invalid credentials (Failure)\nhang",
            xoauth2(token),
            to_base64(JSON)
        )
    };
    let (credentials, others) = counting();
    let play = Play::new([refusing("t1"), refusing("t2")]);
    let error = open(&play, credentials).await.unwrap_err();
    assert!(!error.is_temporary());
    let shown = error.to_string();
    let Error::SignIn(refusal) = error else {
        panic!("{error}")
    };
    assert_eq!(refusal.challenge.as_deref(), Some(JSON));
    assert_eq!(refusal.code, "AUTHENTICATIONFAILED");
    assert_eq!(others.load(Ordering::Relaxed), 1);
    assert!(
        !shown.contains("t1") && !shown.contains(&xoauth2("t1")),
        "{shown}"
    );
    play.end().await;

    // Without a second token there is no second attempt.
    let play = Play::new([refusing("t1")]);
    assert!(matches!(open(&play, fixed()).await, Err(Error::SignIn(_))));
    play.end().await;
}

#[tokio::test]
async fn mechanisms_in_two_steps_and_in_one() {
    let plain = Credentials::password("ada", Secret::new("pw"));
    let bearer = fixed().only(Mechanism::OauthBearer);
    let bearer_response =
        to_base64("n,a=ada,\x01host=mail.example.org\x01port=993\x01auth=Bearer t1\x01\x01");
    for (credentials, name, response) in [
        (plain, "PLAIN", to_base64("\0ada\0pw")),
        (bearer, "OAUTHBEARER", bearer_response),
    ] {
        let play = Play::new([format!(
            "S: * OK [CAPABILITY AUTH={name}] ready\nC: p1 AUTHENTICATE {name}\nS: + \nC: {response}\n\
             S: p1 OK [CAPABILITY IMAP4rev1 IDLE] in\nhang"
        )]);
        let session = open(&play, credentials).await.unwrap();
        assert!(session.has("idle") && !session.has("AUTH=PLAIN"));
        let shown = format!("{session:?}");
        assert!(!shown.contains("pw") && !shown.contains("t1"), "{shown}");
        drop(session);
        play.end().await;
    }
}

#[tokio::test]
async fn bye_in_the_middle_of_an_answer_ends_the_session_with_its_words() {
    let play = Play::new([signed_in(
        "t1",
        "C: p3 UID FETCH 1:2 (UID FLAGS)\nS: * 1 FETCH (UID 1 FLAGS ())\nS: * BYE Session expired, please login again.",
    )]);
    let mut session = open(&play, fixed()).await.unwrap();
    for _ in 0..2 {
        let error = session
            .fetch(&[1, 2], &[FetchItem::Flags])
            .await
            .unwrap_err();
        assert!(error.ends_session() && error.is_temporary());
        assert!(error.to_string().contains("Session expired"), "{error}");
    }
    assert!(session.has_ended());
    play.end().await;
}

#[tokio::test]
async fn what_a_server_may_send_is_bounded() {
    let limits = Limits {
        reply_bytes_max: 1000,
        answer_bytes_max: 3000,
        events_max: 2,
        ..Limits::default()
    };
    let long = "x".repeat(1001);
    let many = "S: * 1 FETCH (UID 1 FLAGS (\\Seen))\n".repeat(100);
    for (said, what) in [
        (format!("S: * OK {long}\nhang"), "one reply"),
        // A literal is a claim: nothing of it has to arrive.
        (
            "S: * 1 FETCH (UID 1 BODY[] {999999999}\nhang".into(),
            "one reply",
        ),
        (many, "one answer"),
    ] {
        let text = signed_in(
            "t1",
            &format!("C: p3 UID FETCH 1 (UID BODY.PEEK[])\n{said}"),
        );
        let play = Play::with_limits([text], limits.clone());
        let mut session = open(&play, fixed()).await.unwrap();
        let error = session.body(1).await.unwrap_err();
        assert!(
            matches!(error, Error::TooLong { what: w, .. } if w == what),
            "{error}"
        );
        assert!(session.has_ended());
        drop(session);
        play.end().await;
    }
    // Also before anybody has signed in.
    let play = Play::with_limits([format!("S: * OK {long}\nhang")], limits.clone());
    assert!(matches!(
        open(&play, fixed()).await,
        Err(Error::TooLong { .. })
    ));
    play.end().await;

    let news =
        "C: p3 NOOP\nS: * 1 EXISTS\nS: * 2 EXISTS\nS: * 3 EXISTS\nS: * 4 EXISTS\nS: p3 OK\nhang";
    let play = Play::with_limits([signed_in("t1", news)], limits);
    let mut session = open(&play, fixed()).await.unwrap();
    session.noop().await.unwrap();
    let kept = [Event::Exists(1), Event::Exists(2), Event::Missed];
    assert_eq!(session.take_events(), kept);
    drop(session);
    play.end().await;
}

#[tokio::test]
async fn nonsense_ends_the_session() {
    for said in [
        "S: p9 OK",
        "S: + go on",
        "S: nonsense",
        "S: * 1 FETCH (UID x)",
    ] {
        let play = Play::new([signed_in("t1", &format!("C: p3 NOOP\n{said}\nhang"))]);
        let mut session = open(&play, fixed()).await.unwrap();
        let error = session.noop().await.unwrap_err();
        assert!(matches!(error, Error::Protocol(_)), "{said}: {error}");
        drop(session);
        play.end().await;
    }
    let play = Play::new(["S: * PREAUTH somebody\nhang"]);
    assert!(matches!(
        open(&play, fixed()).await,
        Err(Error::Protocol(_))
    ));
    play.end().await;
}

#[tokio::test]
async fn an_abandoned_command_ends_the_session_but_an_abandoned_wait_does_not() {
    let play = Play::new([signed_in(
        "t1",
        "C: p3 IDLE\nS: + idling\nC: DONE\nS: * 5 EXISTS\nS: p3 OK\nC: p4 NOOP\nhang",
    )]);
    let mut session = open(&play, fixed()).await.unwrap();
    let moment = Duration::from_millis(20);
    for _ in 0..3 {
        let waited = tokio::time::timeout(moment, session.wait()).await;
        assert!(waited.is_err(), "nothing was said");
    }
    let noop = tokio::time::timeout(moment, session.noop()).await;
    assert!(noop.is_err(), "it is never answered");
    assert_eq!(session.take_events(), [Event::Exists(5)]);
    assert!(session.has_ended());
    assert!(matches!(session.noop().await, Err(Error::Ended(_))));
    drop(session);
    play.end().await;
}

#[tokio::test(start_paused = true)]
async fn idle_begins_again_before_servers_lose_patience_and_silence_is_noticed() {
    let play = Play::new([signed_in(
        "t1",
        "C: p3 IDLE\nS: + idling\nC: DONE\nS: p3 OK\nC: p4 IDLE\nS: + idling\nS: * 1 EXISTS\nC: DONE\nhang",
    )]);
    let mut session = open(&play, fixed()).await.unwrap();
    assert_eq!(session.wait().await.unwrap(), Event::Exists(1));
    // DONE is never answered.
    assert!(matches!(session.noop().await, Err(Error::Timeout(_))));
    drop(session);
    play.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_watch_goes_on_after_the_session_with_a_new_token() {
    let select =
        "C: p3 EXAMINE \"INBOX\"\nS: * 1 EXISTS\nS: * OK [UIDNEXT 9] next\nS: p3 OK [READ-ONLY]\n";
    let idle = "C: p4 IDLE\nS: + idling\n";
    let bye = "S: * BYE Session expired, please login again.";
    let play = Play::new([
        signed_in("t1", &format!("{select}{idle}S: * 2 EXISTS\n{bye}")),
        // A server that restarts: it closes, then has no time, then is back.
        String::new(),
        "S: * BYE too early".into(),
        signed_in("t4", &format!("{select}{idle}S: * 3 EXISTS\nhang")),
    ]);
    let (credentials, others) = counting();
    let mut session = open(&play, credentials).await.unwrap();
    session.examine("INBOX").await.unwrap();
    let begun = tokio::time::Instant::now();
    let mut watch = Watch::new(session);
    assert_eq!(watch.next().await.unwrap(), News::Changed(Event::Exists(2)));
    match watch.next().await.unwrap() {
        News::Reconnected(inbox) => assert_eq!(inbox.uid_next, Some(9)),
        other => panic!("{other:?}"),
    }
    assert_eq!(
        begun.elapsed().as_secs(),
        1 + 2,
        "at once, after 1 s, after 2 s"
    );
    assert_eq!(watch.next().await.unwrap(), News::Changed(Event::Exists(3)));
    assert_eq!(others.load(Ordering::Relaxed), 0, "no token was refused");
    drop(watch);
    play.end().await;
}

#[tokio::test]
async fn a_watch_gives_up_where_waiting_does_not_help() {
    let gone = format!(
        "S: * OK [CAPABILITY SASL-IR AUTH=XOAUTH2] ready\nC: p1 AUTHENTICATE XOAUTH2 {}\nS: p1 NO [AUTHENTICATIONFAILED] no\nhang",
        xoauth2("t1")
    );
    let play = Play::new([
        signed_in("t1", "C: p3 IDLE\nS: + idling\nS: * BYE Session expired"),
        gone,
    ]);
    let mut watch = Watch::new(open(&play, fixed()).await.unwrap());
    assert!(matches!(watch.next().await, Err(Error::SignIn(_))));
    play.end().await;
}
