//! The client as an oracle: random operations on two connections, each reply fed to a mirror that knows only IMAP. After
//! NOOP both mirrors must equal the mailbox.
#![allow(clippy::unwrap_used)] // a failing test shall stop

mod player;

use pillarbox_protocols::imap::{Context, Conversation, Limits};
use pillarbox_protocols::sessions::Protocol;
use pillarbox_wire::sasl::Mechanism;
use player::{Driven, Peer, World};
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::sync::Arc;

type Flags = BTreeSet<String>;

/// What a client knows; index + 1 is the sequence number.
#[derive(Default, Debug)]
struct Mirror {
    messages: Vec<Message>,
}

#[derive(Default, Debug, Clone, PartialEq)]
struct Message {
    uid: Option<u32>,
    flags: Option<Flags>,
}

impl Mirror {
    fn hear(&mut self, line: &str) {
        let Some(rest) = line.strip_prefix("* ") else {
            return;
        };
        let mut words = rest.splitn(3, ' ');
        let (Some(Ok(number)), Some(what)) = (words.next().map(str::parse::<usize>), words.next())
        else {
            return;
        };
        match what {
            "EXISTS" => {
                assert!(
                    number >= self.messages.len(),
                    "EXISTS must not shrink the mailbox: {line}"
                );
                self.messages.resize(number, Message::default());
            }
            "EXPUNGE" => {
                self.messages.remove(number - 1);
            }
            "FETCH" => {
                let items = words.next().unwrap();
                let message = &mut self.messages[number - 1];
                if let Some(uid) = after(items, "UID ") {
                    let uid = uid.split([' ', ')']).next().unwrap().parse().unwrap();
                    assert!(
                        message.uid.is_none_or(|known| known == uid),
                        "{line}: UID was {:?}",
                        message.uid
                    );
                    message.uid = Some(uid);
                }
                if let Some(flags) = after(items, "FLAGS (") {
                    let flags = flags.split(')').next().unwrap().split(' ');
                    message.flags = Some(
                        flags
                            .filter(|f| !f.is_empty() && *f != "\\Recent")
                            .map(str::to_owned)
                            .collect(),
                    );
                }
            }
            _ => {}
        }
    }
}

fn after<'a>(text: &'a str, word: &str) -> Option<&'a str> {
    text.find(word).map(|at| &text[at + word.len()..])
}

struct Client {
    peer: Box<dyn Peer>,
    mirror: Mirror,
    tag: u32,
}

impl Client {
    async fn open(world: &World, number: usize) -> Self {
        let context = Context {
            store: world.store.clone(),
            identity: world.identity.clone(),
            limits: Limits {
                step_messages: 3,
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
        let seat = world.seat(Protocol::Imap, number);
        let conversation = Conversation::new(Arc::new(context), seat, world.peer(), world.now());
        let mut client = Self {
            peer: Box::new(Driven::new(conversation)),
            mirror: Mirror::default(),
            tag: 0,
        };
        let login = world
            .expand("AUTHENTICATE XOAUTH2 $xoauth2(ada)", &Default::default())
            .await
            .unwrap();
        client.say(world, &String::from_utf8(login).unwrap()).await;
        client
    }

    async fn select(&mut self, world: &World, mailbox: &str) {
        let lines = self.say(world, &format!("SELECT \"{mailbox}\"")).await;
        assert!(
            lines.last().unwrap().contains("OK [READ-WRITE]"),
            "{lines:?}"
        );
        if !self.mirror.messages.is_empty() {
            self.say(world, "FETCH 1:* (UID FLAGS)").await;
        }
    }

    /// Sends a command and hears all that is said.
    async fn say(&mut self, world: &World, command: &str) -> Vec<String> {
        self.tag += 1;
        let line = format!("a{} {command}\r\n", self.tag);
        self.peer.receive(line.as_bytes());
        let lines = self.listen(world).await;
        let last = lines.last().unwrap();
        let ended = last.starts_with(&format!("a{} ", self.tag));
        assert!(ended || lines[0].starts_with('+'), "{command}: {lines:?}");
        let holds_still = ["FETCH", "STORE", "SEARCH"]
            .iter()
            .any(|name| command.starts_with(name));
        let expunged = lines.iter().any(|line| line.ends_with(" EXPUNGE"));
        assert!(
            !(holds_still && expunged),
            "RFC 3501 §7.4.1: {command}: {lines:?}"
        );
        lines
    }

    async fn listen(&mut self, world: &World) -> Vec<String> {
        let (said, closed) = self.peer.settle(world.now()).await;
        let said = String::from_utf8(said).unwrap();
        assert!(!closed, "closed: {said}");
        let lines: Vec<String> = said
            .split("\r\n")
            .filter(|line| !line.is_empty())
            .map(str::to_owned)
            .collect();
        lines.iter().for_each(|line| self.mirror.hear(line));
        lines
    }
}

#[derive(Clone, Debug)]
enum Op {
    Append,
    Store {
        at: usize,
        how: &'static str,
        flag: &'static str,
        silent: bool,
        uid: bool,
    },
    Expunge,
    Noop,
    Fetch(usize),
    Search,
    Copy(usize, &'static str),
    Move(usize, &'static str),
    Unlabel(usize),
    Label(usize, &'static str),
    UidExpunge(usize),
    Condstore,
    Idle,
}

fn op() -> impl Strategy<Value = (bool, Op)> {
    let flag = prop::sample::select(vec!["\\Seen", "\\Flagged", "\\Deleted", "Odd"]);
    let how = prop::sample::select(vec!["+", "-", ""]);
    let to = prop::sample::select(vec![
        "Receipts",
        "[Gmail]/Trash",
        "[Gmail]/All Mail",
        "[Gmail]/Starred",
        "INBOX",
    ]);
    let op = prop_oneof![
        2 => Just(Op::Append),
        4 => (0usize..6, how, flag, any::<bool>(), any::<bool>())
            .prop_map(|(at, how, flag, silent, uid)| Op::Store { at, how, flag, silent, uid }),
        2 => Just(Op::Expunge),
        1 => Just(Op::Noop),
        2 => (0usize..6).prop_map(Op::Fetch),
        1 => Just(Op::Search),
        1 => (0usize..6, to.clone()).prop_map(|(at, to)| Op::Copy(at, to)),
        2 => (0usize..6, to).prop_map(|(at, to)| Op::Move(at, to)),
        1 => (0usize..6).prop_map(Op::Unlabel),
        1 => (0usize..6, prop::sample::select(vec![
            "+X-GM-LABELS (\\Starred)",
            "+X-GM-LABELS.SILENT (\"[Gmail]/Starred\")",
            "-X-GM-LABELS (\\Starred)",
            "X-GM-LABELS.SILENT (\\Inbox Work)",
            "X-GM-LABELS (\\Starred \\Inbox)",
            "+X-GM-LABELS (\\Trash)",
        ])).prop_map(|(at, what)| Op::Label(at, what)),
        1 => (0usize..6).prop_map(Op::UidExpunge),
        1 => Just(Op::Condstore),
        1 => Just(Op::Idle),
    ];
    (any::<bool>(), op)
}

async fn run(op: &Op, client: &mut Client, world: &World, count: &mut u32) {
    let at = |at: usize, client: &Client| match client.mirror.messages.len() {
        0 => None,
        len => Some(at % len),
    };
    match op {
        Op::Append => {
            *count += 1;
            let body = format!("Subject: {count}\r\n\r\nx");
            let lines = client
                .say(
                    world,
                    &format!("APPEND INBOX {{{}+}}\r\n{body}", body.len()),
                )
                .await;
            assert!(lines.last().unwrap().contains("OK [APPENDUID"), "{lines:?}");
        }
        Op::Store {
            at: index,
            how,
            flag,
            silent,
            uid,
        } => {
            let Some(index) = at(*index, client) else {
                return;
            };
            let known = client.mirror.messages[index].clone();
            let silent_word = if *silent { ".SILENT" } else { "" };
            let command = match (uid, known.uid) {
                (true, Some(uid)) => format!("UID STORE {uid} {how}FLAGS{silent_word} ({flag})"),
                _ => format!("STORE {} {how}FLAGS{silent_word} ({flag})", index + 1),
            };
            if *silent && let Some(flags) = &mut client.mirror.messages[index].flags {
                // The client knows what it asked for.
                match *how {
                    "-" => drop(flags.remove(*flag)),
                    "+" => drop(flags.insert((*flag).into())),
                    _ => *flags = [(*flag).to_owned()].into(),
                }
            }
            client.say(world, &command).await;
        }
        Op::Expunge => drop(client.say(world, "EXPUNGE").await),
        Op::Noop => drop(client.say(world, "NOOP").await),
        Op::Search => drop(client.say(world, "SEARCH UNSEEN").await),
        Op::Fetch(index) => {
            if let Some(index) = at(*index, client) {
                client
                    .say(
                        world,
                        &format!("FETCH {} (UID FLAGS BODY[TEXT])", index + 1),
                    )
                    .await;
            }
        }
        Op::Copy(index, to) => {
            if let Some(index) = at(*index, client) {
                client
                    .say(world, &format!("COPY {} \"{to}\"", index + 1))
                    .await;
            }
        }
        Op::Move(index, to) => {
            if let Some(index) = at(*index, client) {
                client
                    .say(world, &format!("MOVE {} \"{to}\"", index + 1))
                    .await;
            }
        }
        Op::Unlabel(index) => {
            if let Some(index) = at(*index, client) {
                client
                    .say(
                        world,
                        &format!("STORE {} -X-GM-LABELS (\\Inbox)", index + 1),
                    )
                    .await;
            }
        }
        Op::Label(index, what) => {
            if let Some(index) = at(*index, client) {
                client
                    .say(world, &format!("STORE {} {what}", index + 1))
                    .await;
            }
        }
        Op::UidExpunge(index) => {
            if let Some(uid) = at(*index, client).and_then(|at| client.mirror.messages[at].uid) {
                client
                    .say(world, &format!("UID EXPUNGE {}:{uid}", uid.max(2) - 1))
                    .await;
            }
        }
        Op::Condstore => drop(client.say(world, "ENABLE CONDSTORE").await),
        Op::Idle => {
            client.say(world, "IDLE").await;
            client.peer.receive(b"DONE\r\n");
            client.listen(world).await;
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn two_clients_agree_with_the_mailbox(all_mail in any::<bool>(), ops in prop::collection::vec(op(), 1..40)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut world = World::new().await;
            world.given("ada has 5 messages in INBOX", &[]).await.unwrap();
            let mut clients = [Client::open(&world, 1).await, Client::open(&world, 2).await];
            clients[0].say(&world, "CREATE Receipts").await;
            let mailboxes = ["INBOX", if all_mail { "[Gmail]/All Mail" } else { "INBOX" }];
            for (client, mailbox) in clients.iter_mut().zip(mailboxes) {
                client.select(&world, mailbox).await;
            }
            let mut count = 0;
            for (second, op) in &ops {
                run(op, &mut clients[usize::from(*second)], &world, &mut count).await;
            }
            for (client, mailbox) in clients.iter_mut().zip(mailboxes) {
                let mut fresh = Client::open(&world, 3).await;
                fresh.select(&world, mailbox).await;
                client.say(&world, "NOOP").await;
                for (index, message) in client.mirror.messages.clone().iter().enumerate() {
                    if message.uid.is_none() || message.flags.is_none() {
                        client.say(&world, &format!("FETCH {} (UID FLAGS)", index + 1)).await;
                    }
                }
                assert_eq!(client.mirror.messages, fresh.mirror.messages);
            }
        });
    }
}
