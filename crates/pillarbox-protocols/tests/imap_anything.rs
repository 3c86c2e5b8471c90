//! Whatever a client sends: the conversation never panics, never hangs, and answers every tag at most once.
#![allow(clippy::unwrap_used)] // a failing test shall stop

mod player;

use pillarbox_protocols::imap::{Context, Conversation, Limits};
use pillarbox_protocols::sessions::Protocol;
use pillarbox_wire::sasl::Mechanism;
use player::{Driven, Peer, World};
use proptest::prelude::*;
use std::sync::Arc;

fn open(world: &World) -> Driven<Conversation> {
    let context = Context {
        store: world.store.clone(),
        identity: world.identity.clone(),
        limits: Limits {
            bad_commands_max: 1000,
            sign_in_failures_max: 1000,
            ..Limits::default()
        },
        journal: world.journal(),
        product: "Pillarbox".into(),
        vendor: "Pillarbox".into(),
        version: "0.1.0".into(),
        help_url: "https://mail.example.com/help".into(),
        issuer: "https://accounts.example.com".into(),
        mechanisms: vec![Mechanism::Xoauth2, Mechanism::Plain],
    };
    let seat = world.seat(Protocol::Imap, 1);
    Driven::new(Conversation::new(
        Arc::new(context),
        seat,
        world.peer(),
        world.now(),
    ))
}

/// Pieces of commands; put together at random they are sometimes legal.
const PIECES: &[&str] = &[
    "NOOP",
    "CAPABILITY",
    "SELECT INBOX",
    "EXAMINE \"[Gmail]/All Mail\"",
    "CLOSE",
    "UNSELECT",
    "EXPUNGE",
    "UID EXPUNGE ",
    "CHECK",
    "IDLE",
    "DONE",
    "FETCH ",
    "UID FETCH ",
    "STORE ",
    "UID STORE ",
    "COPY ",
    "UID MOVE ",
    "SEARCH ",
    "UID SEARCH ",
    "1:*",
    "1",
    "2,3:1",
    "4294967295:*",
    " ",
    "(FLAGS)",
    "BODY[]",
    "BODY.PEEK[1.2.HEADER.FIELDS (a)]<0.5>",
    "ALL",
    "FULL",
    " +FLAGS (\\Seen \\Deleted)",
    " -X-GM-LABELS.SILENT (\\Inbox x)",
    " X-GM-LABELS (\\Trash)",
    " \"[Gmail]/Trash\"",
    " Receipts",
    "CREATE Receipts",
    "DELETE Receipts",
    "RENAME Receipts INBOX/x",
    "RENAME INBOX old",
    "LIST \"\" \"*\"",
    "LSUB \"\" %",
    "STATUS INBOX (MESSAGES RECENT UNSEEN)",
    "APPEND INBOX {5+}\r\nhello",
    "APPEND INBOX (\\Seen) {3}\r\n",
    "abc",
    "{2+}\r\nxy",
    "X-GM-RAW \"a OR (b -c\"",
    "OR SEEN",
    " NOT",
    " TEXT x",
    " BODY \"y\"",
    "RETURN (MIN COUNT) ",
    "ENABLE CONDSTORE",
    "UID 1:*",
    " SUBJECT Message",
    "AUTHENTICATE XOAUTH2",
    "=",
    "*",
    "+",
    "(",
    ")",
    "\"",
    "\\",
    "{99999999999}",
    "{",
    "\0",
    "é",
    "GETQUOTAROOT INBOX",
    "SUBSCRIBE INBOX",
];

fn line() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        12 => prop::sample::select(PIECES).prop_map(|piece| piece.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..12),
    ];
    prop::collection::vec(piece, 1..5).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn anything_may_come(lines in prop::collection::vec((any::<bool>(), line()), 1..30), signed_in in any::<bool>(), size in 1usize..40) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut world = World::new().await;
            world.given("ada has 3 messages in INBOX", &[]).await.unwrap();
            let mut peer = open(&world);
            if signed_in {
                let login = world.expand("x AUTHENTICATE XOAUTH2 $xoauth2(ada)", &Default::default()).await.unwrap();
                peer.receive(&[&login, &b"\r\nx SELECT INBOX\r\n"[..]].concat());
                let (said, _) = peer.settle(world.now()).await;
                assert!(String::from_utf8_lossy(&said).contains("x OK [READ-WRITE]"));
            }
            let mut said = Vec::new();
            for (number, (tagged, line)) in lines.iter().enumerate() {
                let tag = if *tagged { format!("t{number} ") } else { String::new() };
                let bytes = [tag.as_bytes(), line, b"\r\n"].concat();
                for piece in bytes.chunks(size) {
                    peer.receive(piece);
                    let (more, closed) = peer.settle(world.now()).await;
                    said.extend_from_slice(&more);
                    if closed {
                        return;
                    }
                }
            }
            peer.receive(b"");
            let (_, closed) = peer.settle(world.now()).await;
            assert!(closed, "the client left and the conversation did not");
            let text = String::from_utf8_lossy(&said);
            for number in 0..lines.len() {
                let replies = [" OK ", " NO ", " BAD "].map(|word| format!("\r\nt{number}{word}"));
                let count: usize = replies.iter().map(|reply| text.matches(reply.as_str()).count()).sum();
                assert!(count <= 1, "t{number} was answered {count} times:\n{text}");
            }
        });
    }
}
