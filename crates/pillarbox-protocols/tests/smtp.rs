//! The SMTP transcripts (wire §2, §5, §6), and what a transcript cannot say: bytes that arrive together, sizes at the
//! limit, memory, faults.
#![allow(clippy::unwrap_used)] // a failed unwrap is the failed test

mod player;

use pillarbox_delivery::{Config, Delivery, Outbox, Random};
use pillarbox_protocols::conversation::{Channel, Conversation as _, Now};
use pillarbox_protocols::events::What;
use pillarbox_protocols::pop3;
use pillarbox_protocols::sessions::Protocol;
use pillarbox_protocols::smtp::{Context, Conversation, Limits, Role};
use pillarbox_wire::sasl::Mechanism;
use player::{Driven, Peer, World};
use proptest::prelude::*;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// From this connection on a script speaks POP, to see what was delivered.
const FIRST_POP: usize = 5;

/// Connects once the delivery floor is open, which needs a moment of its own.
struct Opening {
    open: Option<Pin<Box<dyn Future<Output = Conversation>>>>,
    arrived: Vec<Vec<u8>>,
    driven: Option<Driven<Conversation>>,
}

impl Peer for Opening {
    fn receive(&mut self, bytes: &[u8]) {
        match &mut self.driven {
            Some(driven) => driven.receive(bytes),
            None => self.arrived.push(bytes.to_vec()),
        }
    }

    fn settle<'a>(&'a mut self, now: Now) -> Pin<Box<dyn Future<Output = (Vec<u8>, bool)> + 'a>> {
        Box::pin(async move {
            if let Some(open) = self.open.take() {
                let driven = self.driven.insert(Driven::new(open.await));
                for bytes in self.arrived.drain(..) {
                    driven.receive(&bytes);
                }
            }
            self.driven.as_mut().unwrap().settle(now).await
        })
    }
}

/// The same in every run, another one for each connection: ids must differ.
fn random(number: usize) -> Random {
    let next = AtomicU64::new((number as u64) << 32 | 1);
    Arc::new(move |bytes| {
        for piece in bytes.chunks_mut(8) {
            let next = next
                .fetch_add(1, Ordering::Relaxed)
                .wrapping_mul(0x9e37_79b9_7f4a_7c15);
            piece.copy_from_slice(&next.to_le_bytes()[..piece.len()]);
        }
    })
}

async fn context(world: Parts, outbox: Outbox, limits: Limits) -> Arc<Context> {
    let mut config = Config::new("mail.example.com", "Pillarbox");
    config.outbox = outbox;
    let delivery = Delivery::open(world.store, config, random(world.number), world.now.wall)
        .await
        .unwrap();
    Arc::new(Context {
        delivery,
        identity: world.identity,
        limits,
        journal: world.journal,
        host: "smtp.example.com".into(),
        source: "pillarbox".into(),
        help_url: "https://mail.example.com/help".into(),
        issuer: "https://accounts.example.com".into(),
        mechanisms: world.mechanisms,
    })
}

/// What of a world outlives the borrow.
struct Parts {
    store: pillarbox_store::mail::Store,
    identity: pillarbox_oauth::Identity,
    journal: pillarbox_protocols::events::Journal,
    now: Now,
    number: usize,
    mechanisms: Vec<Mechanism>,
}

fn parts(world: &World, number: usize) -> Parts {
    let (store, identity) = (world.store.clone(), world.identity.clone());
    Parts {
        store,
        identity,
        journal: world.journal(),
        now: world.now(),
        number,
        mechanisms: vec![
            Mechanism::Login,
            Mechanism::Plain,
            Mechanism::Xoauth2,
            Mechanism::OauthBearer,
        ],
    }
}

fn connect(world: &World, number: usize, role: Role, outbox: Outbox) -> Box<dyn Peer> {
    if number >= FIRST_POP {
        return pop(world, number);
    }
    let (seat, peer, now, parts) = (
        world.seat(role.protocol(), number),
        world.peer(),
        world.now(),
        parts(world, number),
    );
    let open = async move {
        Conversation::new(
            context(parts, outbox, Limits::default()).await,
            role,
            seat,
            peer,
            now,
        )
    };
    Box::new(Opening {
        open: Some(Box::pin(open)),
        arrived: Vec::new(),
        driven: None,
    })
}

/// Connections from the third on are bound to nothing.
fn connect_scram(world: &World, number: usize) -> Box<dyn Peer> {
    let mechanisms = vec![
        Mechanism::Plain,
        Mechanism::ScramSha256,
        Mechanism::ScramSha256Plus,
    ];
    let channel = (number < 3).then(player::bound);
    connect_over(world, number, mechanisms, channel.unwrap_or_default())
}

/// See `player/external.rs`.
fn connect_external(world: &World, number: usize) -> Box<dyn Peer> {
    let mechanisms = vec![Mechanism::Plain, Mechanism::External];
    connect_over(world, number, mechanisms, player::shown(number))
}

fn connect_over(
    world: &World,
    number: usize,
    mechanisms: Vec<Mechanism>,
    channel: Channel,
) -> Box<dyn Peer> {
    let (role, peer, now) = (Role::Submission, world.peer(), world.now());
    let (seat, mut parts) = (world.seat(role.protocol(), number), parts(world, number));
    parts.mechanisms = mechanisms;
    let open = async move {
        let context = context(parts, captured(), Limits::default()).await;
        let mut conversation = Conversation::new(context, role, seat, peer, now);
        conversation.bind(channel);
        conversation
    };
    Box::new(Opening {
        open: Some(Box::pin(open)),
        arrived: Vec::new(),
        driven: None,
    })
}

fn pop(world: &World, number: usize) -> Box<dyn Peer> {
    let context = pop3::Context {
        store: world.store.clone(),
        identity: world.identity.clone(),
        limits: pop3::Limits::default(),
        journal: world.journal(),
        product: "Pillarbox".into(),
        help_url: "https://mail.example.com/help".into(),
        issuer: "https://accounts.example.com".into(),
        mechanisms: vec![Mechanism::Plain],
    };
    let seat = world.seat(Protocol::Pop3, number);
    Box::new(Driven::new(pop3::Conversation::new(
        Arc::new(context),
        seat,
        world.peer(),
        world.now(),
    )))
}

fn captured() -> Outbox {
    Outbox::Captured("outbox@example.com".into())
}

#[test]
fn submission_over_tls() {
    player::play_folder("smtp/submission", |world, number| {
        connect(world, number, Role::Submission, captured())
    });
}

#[test]
fn submission_behind_starttls() {
    player::play_folder("smtp/starttls", |world, number| {
        connect(world, number, Role::SubmissionStartTls, Outbox::Refuse)
    });
}

#[test]
fn incoming_mail() {
    player::play_folder("smtp/incoming", |world, number| {
        connect(world, number, Role::Incoming { tls: true }, Outbox::Refuse)
    });
}

#[test]
fn scram() {
    player::play_folder("smtp/scram", connect_scram);
}

#[test]
fn external() {
    player::play_folder("smtp/external", connect_external);
}

/// One connection and what is needed to talk to it.
struct Talk {
    world: World,
    context: Arc<Context>,
    peer: Driven<Conversation>,
}

impl Talk {
    async fn new(role: Role, limits: Limits) -> Self {
        let world = World::new().await;
        let context = context(parts(&world, 1), captured(), limits).await;
        let peer = Conversation::new(
            Arc::clone(&context),
            role,
            world.seat(role.protocol(), 1),
            world.peer(),
            world.now(),
        );
        let mut talk = Self {
            world,
            context,
            peer: Driven::new(peer),
        };
        assert!(
            talk.say(b"")
                .await
                .starts_with("220 smtp.example.com ESMTP t-1 - pillarbox\r\n")
        );
        talk
    }

    /// Another connection in the place of this one.
    async fn connect(&mut self, role: Role) {
        let (seat, peer) = (self.world.seat(role.protocol(), 1), self.world.peer());
        let context = Arc::clone(&self.context);
        self.peer = Driven::new(Conversation::new(
            context,
            role,
            seat,
            peer,
            self.world.now(),
        ));
        assert!(self.say(b"").await.starts_with("220 "));
    }

    async fn signed_in(limits: Limits) -> Self {
        let mut talk = Self::new(Role::Submission, limits).await;
        talk.sign_in().await;
        talk
    }

    async fn sign_in(&mut self) {
        let line = self
            .world
            .expand(
                "EHLO x\r\nAUTH XOAUTH2 $xoauth2(ada)\r\n",
                &Default::default(),
            )
            .await
            .unwrap();
        assert!(self.say(&line).await.ends_with("235 2.7.0 Accepted\r\n"));
    }

    /// Sends bytes as they are; what the server answers, with `(closed)` behind it if it closes.
    async fn say(&mut self, bytes: &[u8]) -> String {
        if !bytes.is_empty() {
            self.peer.receive(bytes);
        }
        let (said, closed) = self.peer.settle(self.world.now()).await;
        let end = if closed { "(closed)" } else { "" };
        String::from_utf8(said).unwrap() + end
    }

    async fn inbox(&self, name: &str) -> Vec<String> {
        let account = self.world.store.account(&self.world.account(name).unwrap());
        let inbox = account.mailbox("INBOX").await.unwrap().unwrap();
        let (_, rows) = account.rows(inbox.id, &[1..=u32::MAX]).await.unwrap();
        let mut bodies = Vec::new();
        for row in rows {
            let record = account
                .records(&[row.message])
                .await
                .unwrap()
                .remove(0)
                .unwrap();
            let body = account
                .body(record.blob, 0..u64::from(record.size))
                .await
                .unwrap();
            bodies.push(String::from_utf8_lossy(&body).into_owned());
        }
        bodies
    }
}

fn codes(said: &str) -> Vec<&str> {
    said.split_terminator("\r\n")
        .map(|line| line.get(..4).unwrap_or(line).trim_end())
        .collect()
}

const TEXT: &str = "From: ada@example.com\r\nMessage-ID: <1@x>\r\nSubject: Hi\r\n\r\nHello.\r\n";

#[tokio::test]
async fn pipelined_commands_are_answered_in_order_and_together() {
    let mut talk = Talk::signed_in(Limits::default()).await;
    let said = talk
        .say(b"MAIL FROM:<ada@example.com>\r\nRCPT TO:<bob@example.com>\r\nRCPT TO:<nobody@example.com>\r\nDATA\r\n")
        .await;
    assert_eq!(codes(&said), ["250", "250", "550", "354"]);
    let said = talk
        .say(format!("{TEXT}.\r\nMAIL FROM:<>\r\nRSET\r\nQUIT\r\n").as_bytes())
        .await;
    assert_eq!(codes(&said), ["250", "250", "250", "221", "(clo"]);
    assert_eq!(talk.inbox("bob").await.len(), 1);
}

#[tokio::test]
async fn what_is_pipelined_behind_starttls_is_never_run() {
    for behind in ["MAIL FROM:<a@b>\r\n", "EHLO x\r\n", "x"] {
        let mut talk = Talk::new(Role::SubmissionStartTls, Limits::default()).await;
        talk.say(b"EHLO x\r\n").await;
        let said = talk.say(format!("STARTTLS\r\n{behind}").as_bytes()).await;
        let want = "523 5.7.10 SMTP protocol violation, no commands allowed to pipeline after STARTTLS t-1 - pillarbox\r\n(closed)";
        assert_eq!(said, want);
    }
}

#[tokio::test]
async fn a_message_of_the_announced_size_passes_and_one_byte_more_does_not() {
    let limits = Limits {
        message_bytes_max: 2_000_000,
        ..Limits::default()
    };
    let mut talk = Talk::signed_in(limits).await;
    let fits = format!("{TEXT}{}\r\n", "x".repeat(2_000_000 - TEXT.len() - 2));
    for (text, code) in [(fits.clone(), "250"), (format!("y{fits}"), "552")] {
        let size = text.len();
        let said = talk
            .say(format!("MAIL FROM:<ada@example.com> SIZE={size}\r\n").as_bytes())
            .await;
        assert_eq!(codes(&said), [code]);
        // announced or not, by DATA and by BDAT
        for bdat in [false, true] {
            let begin = b"RSET\r\nMAIL FROM:<ada@example.com>\r\nRCPT TO:<bob@example.com>\r\n";
            assert_eq!(codes(&talk.say(begin).await), ["250", "250", "250"]);
            let said = match bdat {
                true => {
                    talk.say(
                        [format!("BDAT {size} LAST\r\n").as_bytes(), text.as_bytes()]
                            .concat()
                            .as_slice(),
                    )
                    .await
                }
                false => {
                    talk.say(b"DATA\r\n").await;
                    for piece in text.as_bytes().chunks(60_000) {
                        assert_eq!(talk.say(piece).await, "");
                    }
                    talk.say(b".\r\n").await
                }
            };
            assert_eq!(codes(&said), [code], "{}", &said[..said.len().min(200)]);
            assert_eq!(
                codes(&talk.say(b"NOOP\r\n").await),
                ["250"],
                "the connection goes on"
            );
        }
    }
    assert_eq!(talk.inbox("bob").await.len(), 2);
}

#[tokio::test]
async fn refused_chunks_are_read_to_their_end() {
    let mut talk = Talk::signed_in(Limits::default()).await;
    let said = talk
        .say(b"BDAT 6\r\nQUIT\r\nNOOP\r\nMAIL FROM:<>\r\nBDAT 6 LAST\r\nQUIT\r\nNOOP\r\n")
        .await;
    assert_eq!(codes(&said), ["503", "250", "250", "503", "250"]);
    let said = talk
        .say(b"RCPT TO:<bob@example.com>\r\nBDAT 18446744073709551615\r\nabc")
        .await;
    assert_eq!(codes(&said), ["250"]);
    let mut talk = Talk::signed_in(Limits::default()).await;
    assert_eq!(
        codes(&talk.say(b"BDAT 99999999999999999999\r\nQUIT\r\n").await),
        ["501", "(clo"]
    );
}

#[tokio::test]
async fn chunks_make_one_message() {
    let mut talk = Talk::signed_in(Limits::default()).await;
    talk.say(b"MAIL FROM:<ada@example.com>\r\nRCPT TO:<bob@example.com>\r\n")
        .await;
    let (one, two) = TEXT.split_at(20);
    let bytes = format!(
        "BDAT {}\r\n{one}BDAT {}\r\n{two}DATA\r\nRCPT TO:<ada@example.com>\r\nBDAT 0 LAST\r\n",
        one.len(),
        two.len()
    );
    let said = talk.say(bytes.as_bytes()).await;
    assert_eq!(codes(&said), ["250", "250", "503", "503", "250"], "{said}");
    assert!(said.contains("503 5.5.1 No DATA after BDAT"));
    assert!(talk.inbox("bob").await[0].ends_with(TEXT));
}

#[tokio::test]
async fn nothing_but_a_dot_between_crlfs_ends_a_message() {
    let smuggled = "MAIL FROM:<evil@example.com>\r\nRCPT TO:<bob@example.com>\r\nDATA\r\nFrom: evil@example.com\r\n\r\nx\r\n";
    for end in ["\n.\n", "\n.\r\n", "\r\n.\n", "\r.\r", "\r\n.\r", "\n.\r"] {
        for role in [Role::Submission, Role::Incoming { tls: true }] {
            let mut talk = match role {
                Role::Submission => Talk::signed_in(Limits::default()).await,
                role => Talk::new(role, Limits::default()).await,
            };
            talk.say(
                b"EHLO x\r\nMAIL FROM:<ada@example.com>\r\nRCPT TO:<bob@example.com>\r\nDATA\r\n",
            )
            .await;
            let said = talk
                .say(format!("From: ada@example.com\r\n\r\nHello{end}{smuggled}.\r\n").as_bytes())
                .await;
            let stored = talk.inbox("bob").await;
            // Only mail of other servers is refused for a bare line feed; a bare CR is nobody's line end.
            let bare_lf = !matches!(end, "\r.\r" | "\r\n.\r");
            let want = match role == Role::Submission || !bare_lf {
                true => ("250", 1),
                false => ("554", 0),
            };
            let got = (codes(&said)[0], stored.len());
            assert_eq!(got, want, "{end:?} {role:?}: {said}");
            assert_eq!(codes(&said).len(), 1, "{end:?} {role:?}: {said}");
            let bare = |body: &String| {
                let mut pairs = body.as_bytes().windows(2);
                pairs.any(|pair| pair[1] == b'\n' && pair[0] != b'\r')
            };
            assert!(!stored.iter().any(bare), "{end:?} {role:?}");
        }
    }
}

#[test]
fn an_idle_connection_is_small() {
    assert!(
        size_of::<Conversation>() <= 640,
        "{}",
        size_of::<Conversation>()
    );
}

#[tokio::test]
async fn limits_on_commands_close_the_connection() {
    let mut talk = Talk::new(Role::Submission, Limits::default()).await;
    let said = talk.say("WHAT\r\n".repeat(12).as_bytes()).await;
    assert_eq!(codes(&said).len(), 11);
    assert!(said.ends_with(
        "502 5.5.1 Too many unrecognized commands, goodbye. t-1 - pillarbox\r\n(closed)"
    ));
    let mut talk = Talk::new(Role::Submission, Limits::default()).await;
    let said = talk.say("NOOP\r\n".repeat(50).as_bytes()).await;
    assert_eq!(codes(&said).len(), 32);
    assert!(
        said.ends_with("554 5.7.0 Too Many Unauthenticated commands. t-1 - pillarbox\r\n(closed)")
    );
    let mut talk = Talk::new(Role::Incoming { tls: false }, Limits::default()).await;
    assert_eq!(
        codes(&talk.say("NOOP\r\n".repeat(50).as_bytes()).await).len(),
        50
    );
    let mut closed = false;
    for _ in 0..40 {
        closed |= talk.say(&[b'x'; 60_000]).await.ends_with("(closed)");
    }
    assert!(closed, "a line without end");
}

#[tokio::test]
async fn one_body_for_all_and_no_second_copy_in_sent() {
    let mut talk = Talk::signed_in(Limits::default()).await;
    talk.say(b"MAIL FROM:<ada@example.com>\r\nRCPT TO:<bob@example.com>\r\nRCPT TO:<bob+tag@example.com>\r\nRCPT TO:<ada@example.com>\r\n").await;
    let said = talk.say(format!("DATA\r\n{TEXT}.\r\n").as_bytes()).await;
    assert_eq!(codes(&said), ["354", "250"]);
    let store = &talk.world.store;
    let mut blobs = Vec::new();
    for (name, mailbox) in [
        ("bob", "INBOX"),
        ("ada", "INBOX"),
        ("ada", "[Gmail]/Sent Mail"),
    ] {
        let account = store.account(&talk.world.account(name).unwrap());
        let mailbox = account.mailbox(mailbox).await.unwrap().unwrap();
        assert_eq!(mailbox.messages, 1, "{name} {}", mailbox.name);
        let (_, rows) = account.rows(mailbox.id, &[1..=1]).await.unwrap();
        blobs.push(
            account.records(&[rows[0].message]).await.unwrap()[0]
                .clone()
                .unwrap()
                .blob,
        );
    }
    assert!(blobs.iter().all(|blob| *blob == blobs[0]));
    // the client now appends what it sent
    let account = store.account(&talk.world.account("ada").unwrap());
    let sent = account.mailbox("[Gmail]/Sent Mail").await.unwrap().unwrap();
    assert_eq!((sent.messages, sent.unseen), (1, 0));
    let mut intake = pillarbox_store::mail::Intake::new(store, 0);
    intake.write(TEXT.into()).await.unwrap();
    let body = intake.finish().await.unwrap();
    let message = pillarbox_store::mail::NewMessage {
        blob: body.blob,
        size: body.size,
        facts: body.facts,
        digest: body.digest,
        flags: Default::default(),
        received: 0,
    };
    account.append(sent.id, message).await.unwrap();
    assert_eq!(
        account
            .mailbox("[Gmail]/Sent Mail")
            .await
            .unwrap()
            .unwrap()
            .messages,
        1
    );
}

#[tokio::test]
async fn mail_for_elsewhere_is_kept_and_told() {
    let mut talk = Talk::signed_in(Limits::default()).await;
    talk.say(b"MAIL FROM:<ada@example.com>\r\nRCPT TO:<carol@elsewhere.test>\r\nRCPT TO:<bob@example.com>\r\n").await;
    assert_eq!(
        codes(&talk.say(format!("DATA\r\n{TEXT}.\r\n").as_bytes()).await),
        ["354", "250"]
    );
    let captured = talk.context.delivery.captured(10).await.unwrap();
    assert_eq!(captured.len(), 1);
    assert_eq!(captured[0].sender, "ada@example.com");
    assert_eq!(captured[0].recipients, ["carol@elsewhere.test"]);
    let events = talk.world.events.lock().unwrap().clone();
    assert!(events.iter().any(
        |event| matches!(&event.what, What::Captured { to, .. } if to == &["carol@elsewhere.test"])
    ));
    assert!(events.iter().any(|event| matches!(&event.what, What::Accepted { to, bytes, .. } if to.len() == 2 && *bytes == TEXT.len() as u64)));
}

#[tokio::test]
async fn a_full_mailbox_leaves_nothing_half_delivered() {
    let mut talk = Talk::signed_in(Limits::default()).await;
    talk.say(b"MAIL FROM:<ada@example.com>\r\nRCPT TO:<ada@example.com>\r\nRCPT TO:<bob@example.com>\r\n").await;
    talk.world.given("bob sets quota 100", &[]).await.unwrap();
    let said = talk.say(format!("DATA\r\n{TEXT}.\r\n").as_bytes()).await;
    assert_eq!(codes(&said), ["354", "452"]);
    assert!(talk.inbox("ada").await.is_empty());
    talk.say(b"MAIL FROM:<ada@example.com>\r\n").await;
    talk.world.given("bob sets quota 0", &[]).await.unwrap();
    let said = talk.say(b"RCPT TO:<bob@example.com>\r\n").await;
    assert!(said.starts_with("452 4.2.2 "), "{said}");
}

/// One dialogue: pieces of text, how many bytes arrive at a time, and in which role.
fn dialogue() -> impl Strategy<Value = (Vec<&'static str>, usize, usize)> {
    let words = &[
        "EHLO x",
        "HELO",
        "MAIL FROM:<ada@example.com>",
        "MAIL FROM:<a",
        "RCPT TO:<bob@example.com>",
        "RCPT TO:<x@y.test>",
        "DATA",
        "BDAT 5",
        "BDAT 0 LAST",
        "BDAT x",
        "\r\n",
        "\r\n",
        "\r\n",
        "\r\n.\r\n",
        ".",
        "\n",
        "AUTH PLAIN",
        "AUTH LOGIN =",
        "AUTH XOAUTH2 e30=",
        "*",
        "STARTTLS",
        "RSET",
        "QUIT",
        "NOOP",
        "VRFY a",
        "From: ada@example.com\r\n\r\nx",
        "\0",
        "é",
    ];
    (
        proptest::collection::vec(proptest::sample::select(&words[..]), 0..60),
        1..40usize,
        0..4usize,
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))] // a world costs more than a dialogue

    /// Any bytes in any pieces: no panic, and nothing but replies.
    #[test]
    fn anything_may_come(dialogues in proptest::collection::vec(dialogue(), 40)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut talk = Talk::new(Role::Submission, Limits::default()).await;
            for (words, piece, role) in dialogues {
                let role = [Role::Submission, Role::SubmissionStartTls, Role::Incoming { tls: false }, Role::Submission][role];
                talk.connect(role).await;
                if role == Role::Submission && piece % 2 == 0 {
                    talk.sign_in().await;
                }
                let mut all = String::new();
                for bytes in words.concat().as_bytes().chunks(piece) {
                    all += &talk.say(bytes).await.replace("(TLS)\r\n", "");
                    if all.ends_with("(closed)") {
                        break;
                    }
                }
                for line in all.trim_end_matches("(closed)").split_terminator("\r\n") {
                    assert!(line.as_bytes().first().is_some_and(|b| (b'2'..=b'5').contains(b)), "{line:?}");
                }
            }
        });
    }
}
