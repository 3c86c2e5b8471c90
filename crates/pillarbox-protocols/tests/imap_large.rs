//! Large messages: they pass in pieces, in both directions, and the session's end cuts no literal.
#![allow(clippy::unwrap_used)] // a failing test shall stop

mod player;

use bytes::Bytes;
use pillarbox_protocols::conversation::{Conversation as _, Now, Step};
use pillarbox_protocols::imap::{Context, Conversation, Limits};
use pillarbox_protocols::sessions::Protocol;
use pillarbox_wire::sasl::Mechanism;
use player::World;
use std::sync::Arc;
use std::time::Duration;

fn open(world: &World) -> Conversation {
    let context = Context {
        store: world.store.clone(),
        identity: world.identity.clone(),
        limits: Limits::default(),
        journal: world.journal(),
        product: "Pillarbox".into(),
        vendor: "Pillarbox".into(),
        version: "0.1.0".into(),
        help_url: "https://mail.example.com/help".into(),
        issuer: "https://accounts.example.com".into(),
        mechanisms: vec![Mechanism::Xoauth2, Mechanism::Plain],
    };
    let seat = world.seat(Protocol::Imap, 1);
    Conversation::new(Arc::new(context), seat, world.peer(), world.now())
}

/// Up to `sends` pieces of what is said, until it waits; whether it closed.
async fn hear(conversation: &mut Conversation, now: Now, sends: usize) -> (Vec<Bytes>, bool) {
    let mut said = Vec::new();
    while said.len() < sends {
        match conversation.advance(now) {
            Step::Run(job) => {
                let answer = job.await;
                conversation.answer(answer, now);
            }
            Step::Send(bytes) => said.push(bytes),
            Step::Read(_) => return (said, false),
            Step::Close => return (said, true),
            Step::UpgradeTls | Step::Rest(_) => panic!("TLS or a refusal"),
        }
    }
    (said, false)
}

async fn say(conversation: &mut Conversation, world: &World, text: &[u8]) -> String {
    conversation.receive(text);
    let (said, _) = hear(conversation, world.now(), usize::MAX).await;
    String::from_utf8(said.concat()).unwrap()
}

async fn signed_in(world: &World) -> Conversation {
    let mut conversation = open(world);
    let login = world
        .expand("a AUTHENTICATE XOAUTH2 $xoauth2(ada)", &Default::default())
        .await
        .unwrap();
    let reply = say(&mut conversation, world, &[&login, &b"\r\n"[..]].concat()).await;
    assert!(reply.contains("a OK"), "{reply}");
    conversation
}

fn message(bytes: usize) -> Vec<u8> {
    let mut message = b"Subject: large\r\n\r\n".to_vec();
    let line = b"0123456789012345678901234567890123456789012345678901234567890123\r\n";
    while message.len() + line.len() <= bytes {
        message.extend_from_slice(line);
    }
    message.resize(bytes, b'.');
    message
}

#[tokio::test]
async fn a_large_message_comes_back_byte_for_byte_in_bounded_pieces() {
    let world = World::new().await;
    let mut conversation = signed_in(&world).await;
    let sent = message(3_000_001);
    let begin = format!("b APPEND INBOX {{{}}}\r\n", sent.len());
    assert_eq!(
        say(&mut conversation, &world, begin.as_bytes()).await,
        "+ go ahead\r\n"
    );
    for piece in sent.chunks(16 * 1024) {
        assert_eq!(say(&mut conversation, &world, piece).await, "");
    }
    let reply = say(&mut conversation, &world, b"\r\nc SELECT INBOX\r\n").await;
    assert!(
        reply.contains("b OK [APPENDUID") && reply.contains("* 1 EXISTS"),
        "{reply}"
    );
    conversation.receive(b"d FETCH 1 BODY.PEEK[]\r\n");
    let (pieces, _) = hear(&mut conversation, world.now(), usize::MAX).await;
    assert!(
        pieces.iter().all(|piece| piece.len() <= 256 * 1024),
        "a piece is larger than a step"
    );
    assert!(pieces.len() >= 12);
    let mut expected = format!("* 1 FETCH (BODY[] {{{}}}\r\n", sent.len()).into_bytes();
    expected.extend_from_slice(&sent);
    expected.extend_from_slice(b")\r\nd OK Success\r\n");
    assert!(pieces.concat() == expected);
}

#[tokio::test]
async fn the_end_of_a_session_waits_for_the_literal_and_not_for_the_command() {
    let mut world = World::new().await;
    let large = String::from_utf8(message(2_000_000)).unwrap();
    for _ in 0..3 {
        let lines: Vec<String> = large.split("\r\n").map(str::to_owned).collect();
        world.given("ada has in INBOX", &lines).await.unwrap();
    }
    let mut conversation = signed_in(&world).await;
    say(&mut conversation, &world, b"c EXAMINE INBOX\r\n").await;
    conversation.receive(b"d UID FETCH 1:* BODY[]\r\n");
    let (first, _) = hear(&mut conversation, world.now(), 2).await;
    assert!(first.concat().starts_with(b"* 1 FETCH (UID 1 BODY[] {"));
    let later = |seconds: i64| Now {
        wall: world.now().wall + 3_600_000 + seconds * 1000,
        mono: world.now().mono + Duration::from_secs(3600 + seconds as u64),
    };
    // The token ends: the command goes on for a while ...
    let (more, closed) = hear(&mut conversation, later(0), 2).await;
    assert!(!closed && !more.is_empty());
    // ... and after the grace stops behind the message that is under way.
    let (rest, closed) = hear(&mut conversation, later(31), usize::MAX).await;
    let all = [first.concat(), more.concat(), rest.concat()].concat();
    let end = b")\r\n* BYE Session expired, please login again.\r\n";
    assert!(
        closed && all.ends_with(end),
        "{}",
        String::from_utf8_lossy(&all[all.len() - 200..])
    );
    let literals = all.windows(8).filter(|bytes| *bytes == b"Subject:").count();
    assert_eq!(literals, 1);
    assert!(all.len() > 2_000_000);
}

#[tokio::test]
async fn what_is_revoked_ends_a_fetch_behind_its_literal_and_a_slow_reader_of_one() {
    for slow in [false, true] {
        let mut world = World::new().await;
        let large = String::from_utf8(message(2_000_000)).unwrap();
        let lines: Vec<String> = large.split("\r\n").map(str::to_owned).collect();
        for _ in 0..2 {
            world.given("ada has in INBOX", &lines).await.unwrap();
        }
        let mut conversation = signed_in(&world).await;
        say(&mut conversation, &world, b"c EXAMINE INBOX\r\n").await;
        conversation.receive(b"d UID FETCH 1:* BODY[]\r\n");
        hear(&mut conversation, world.now(), 2).await;
        world.act("revoke ada", &mut |_| {}).await.unwrap();
        // Nobody tells the conversation: it has not read since.
        let (more, closed) = hear(&mut conversation, world.now(), 2).await;
        assert!(!closed && !more.is_empty());
        if slow {
            world.act("+5m", &mut |_| {}).await.unwrap();
        }
        let (rest, closed) = hear(&mut conversation, world.now(), usize::MAX).await;
        let rest = rest.concat();
        assert!(closed);
        if slow {
            assert!(rest.len() < 300 * 1024, "{}", rest.len());
        } else {
            assert!(rest.ends_with(b")\r\n* BYE Session expired, please login again.\r\n"));
            assert!(rest.len() < 2_000_000, "the second message was begun");
        }
    }
}

#[tokio::test]
async fn a_long_list_comes_in_steps() {
    let mut world = World::new().await;
    world
        .given("ada has 1200 messages in INBOX", &[])
        .await
        .unwrap();
    let mut conversation = signed_in(&world).await;
    say(&mut conversation, &world, b"c SELECT INBOX\r\n").await;
    conversation.receive(b"d FETCH 1:* (UID FLAGS ENVELOPE BODYSTRUCTURE)\r\n");
    let (pieces, _) = hear(&mut conversation, world.now(), usize::MAX).await;
    assert!(pieces.iter().all(|piece| piece.len() <= 300 * 1024));
    assert!(pieces.len() > 1);
    let text = String::from_utf8(pieces.concat()).unwrap();
    assert_eq!(text.matches(" FETCH (UID ").count(), 1200);
    assert!(text.contains("* 1200 FETCH (UID 1200 ") && text.ends_with("d OK Success\r\n"));
}
