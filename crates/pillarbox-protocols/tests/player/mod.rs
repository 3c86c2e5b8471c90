//! Plays transcripts against conversations, in process: a fresh memory store, no ports, no sleeping.
//!
//! A script is text; `#` begins a comment line, empty lines mean nothing.
//!
//! ```text
//! given ada has in INBOX (\Seen)          a message, its lines follow after `|`
//! | Subject: Hello
//! |
//! | It works.
//! given ada has 3 messages in INBOX       small numbered ones
//! given ada sets imap off                 see World::set
//! given ada calls trash Bin               her own name of a system mailbox: trash, sent, all
//! given carol is new with plain names     a person whose system mailboxes have no `[Gmail]/` in front
//! given token old of ada expired          also: revoked, lifetime 60s, scope X; to be used as $xoauth2(ada, old)
//! C: a1 NOOP                              connection 1 sends this line and CRLF; `C~` sends it without CRLF; lines
//!                                         without an `S:` between them are sent as one
//! S: a1 OK ...                            and says exactly these lines; `...` is any text, `$name` remembers and recalls
//! 2C: / 2S:                               a second connection; it opens when first named
//! S: (closed)                             the server closes
//! S: (TLS)                                the server wants TLS now
//! S: (20 ms)                              the server rests so long before it goes on; its monotonic clock moves
//! @ +29m                                  both clocks move; `@wall +1h` the wall clock only, `@mono +31m` the other
//! @revoke ada / @shutdown / @leave / @2leave
//! given ada registers her certificate     and `@forgets-certificate ada`: player/external.rs
//! @remove ada                             the account and all its mail
//! @forget ada                             the log of before goes: sessions must compare
//! ```
//!
//! Macros in sent lines: `$xoauth2(ada)`, `$oauthbearer(ada)`, `$plain(ada)`, `$token(ada)`, `$app(ada)`, `$base64(...)`
//! (with `^A` and `^@`), and those of `player/scram.rs`; `$base64(...)` in expected lines too. `$x*1000` is a thousand x.
//!
//! Every script is played whole, byte by byte, and in pieces of seven; what the server says must not differ.
//! `UPDATE=1` rewrites expected lines that do not match; that difference is to be reviewed like code.

#![allow(dead_code, unused_imports, clippy::unwrap_used, clippy::print_stdout)] // shared by several tests; a failing test shall stop

mod external;
mod pattern;
mod scram;
mod script;
mod world;

pub use external::shown;
pub use pattern::Known;
pub use scram::bound;
pub use world::World;

use pillarbox_protocols::conversation::{Conversation, News, Now, Step};
use script::{Item, Script};
use std::collections::BTreeMap;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

/// A conversation of any protocol, driven as the program's loop drives it.
pub trait Peer {
    /// Bytes from the client; none is the end.
    fn receive(&mut self, bytes: &[u8]);
    /// Goes on until it waits or closes; what it said is returned, and whether it closed.
    fn settle<'a>(&'a mut self, now: Now) -> Pin<Box<dyn Future<Output = (Vec<u8>, bool)> + 'a>>;
}

/// Drives one conversation.
pub struct Driven<C: Conversation> {
    conversation: C,
    /// How long it has rested: its monotonic clock is so far before the world's.
    rested: Duration,
}

impl<C: Conversation> Driven<C> {
    /// A conversation that has not begun.
    pub fn new(conversation: C) -> Self {
        Self {
            conversation,
            rested: Duration::ZERO,
        }
    }
}

impl<C: Conversation> Peer for Driven<C> {
    fn receive(&mut self, bytes: &[u8]) {
        self.conversation.receive(bytes);
    }

    fn settle<'a>(&'a mut self, now: Now) -> Pin<Box<dyn Future<Output = (Vec<u8>, bool)> + 'a>> {
        Box::pin(async move {
            let mut said = Vec::new();
            loop {
                let now = Now {
                    mono: now.mono + self.rested,
                    ..now
                };
                match self.conversation.advance(now) {
                    Step::Run(job) => {
                        let answer = job.await;
                        self.conversation.answer(answer, now);
                    }
                    Step::Rest(until) => {
                        let rest = until.saturating_sub(now.mono);
                        assert!(!rest.is_zero(), "it rests until a moment that has passed");
                        said.extend_from_slice(format!("({} ms)\r\n", rest.as_millis()).as_bytes());
                        self.rested += rest;
                    }
                    Step::Send(bytes) => said.extend_from_slice(&bytes),
                    Step::UpgradeTls => {
                        said.extend_from_slice(b"(TLS)\r\n");
                        self.conversation.secured();
                    }
                    Step::Close => return (said, true),
                    Step::Read(until) => match poll_once(self.conversation.seat().news()) {
                        Some(news) => self.conversation.hear(news),
                        None => {
                            let due = now.mono >= until.mono
                                || until.wall.is_some_and(|wall| now.wall >= wall);
                            assert!(
                                !due,
                                "it waits for a moment that has passed: {until:?} at {now:?}"
                            );
                            return (said, false);
                        }
                    },
                }
            }
        })
    }
}

/// The result of a future that is ready now.
fn poll_once(future: impl Future<Output = News>) -> Option<News> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(news) => Some(news),
        Poll::Pending => None,
    }
}

/// How bytes arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// Line by line, as sent.
    Whole,
    /// In pieces of so many bytes.
    Pieces(usize),
}

/// Opens a connection of the protocol under test.
pub type Connect = fn(&World, number: usize) -> Box<dyn Peer>;

/// Plays every script of a folder, and fails with all that did not match.
pub fn play_folder(folder: &str, connect: Connect) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/transcripts")
        .join(folder);
    let mut paths: Vec<PathBuf> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "t"));
    paths.sort();
    assert!(!paths.is_empty(), "no scripts in {folder:?}");
    if let Ok(only) = std::env::var("ONLY") {
        paths.retain(|path| path.to_string_lossy().contains(&only));
    }
    let next = std::sync::atomic::AtomicUsize::new(0);
    let failures = std::sync::Mutex::new(BTreeMap::new());
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some(path) =
                    paths.get(next.fetch_add(1, std::sync::atomic::Ordering::Relaxed))
                {
                    let outcome = std::panic::catch_unwind(|| play(path, connect));
                    let text = match outcome {
                        Ok(Ok(())) => continue,
                        Ok(Err(text)) => text,
                        Err(panic) => panic
                            .downcast_ref::<String>()
                            .cloned()
                            .unwrap_or_else(|| "panicked".into()),
                    };
                    failures.lock().unwrap().insert(path.clone(), text);
                }
            });
        }
    });
    let failures = failures.into_inner().unwrap();
    let all: Vec<_> = failures
        .iter()
        .map(|(path, text)| format!("{}:\n{text}", path.display()))
        .collect();
    assert!(
        all.is_empty(),
        "{} of {} scripts failed\n\n{}\n",
        all.len(),
        paths.len(),
        all.join("\n\n")
    );
}

/// Plays one script in all ways of arrival.
fn play(path: &Path, connect: Connect) -> Result<(), String> {
    let text = std::fs::read_to_string(path).unwrap();
    let script = Script::parse(&text)?;
    let update = std::env::var_os("UPDATE").is_some();
    let mut first: Option<String> = None;
    for arrival in [Arrival::Whole, Arrival::Pieces(1), Arrival::Pieces(7)] {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let player = Player {
            update,
            arrival,
            connect,
            heard: String::new(),
            lines: BTreeMap::new(),
        };
        let (player, outcome) = runtime.block_on(player.play(&script));
        if update && arrival == Arrival::Whole {
            std::fs::write(path, script.with_lines(&player.lines)).unwrap();
            return outcome;
        }
        outcome.map_err(|text| format!("({arrival:?}) {text}"))?;
        match &first {
            None => first = Some(player.heard),
            Some(first) if *first == player.heard => {}
            Some(first) => {
                return Err(format!(
                    "({arrival:?}) says\n{}\ninstead of\n{first}",
                    player.heard
                ));
            }
        }
    }
    Ok(())
}

struct Player {
    update: bool,
    arrival: Arrival,
    connect: Connect,
    /// All that was said.
    heard: String,
    /// With `update`: the lines to stand in place of an item's expected ones.
    lines: BTreeMap<usize, Vec<String>>,
}

struct Line {
    number: usize,
    peer: Box<dyn Peer>,
    said: Vec<u8>,
    closed: bool,
}

impl Player {
    async fn play(mut self, script: &Script) -> (Self, Result<(), String>) {
        let outcome = self.run(script).await;
        (self, outcome)
    }

    async fn run(&mut self, script: &Script) -> Result<(), String> {
        let mut world = World::new().await;
        let mut lines: Vec<Line> = Vec::new();
        let mut known = Known::default();
        let mut pipelined: Vec<u8> = Vec::new();
        for (index, item) in script.items.iter().enumerate() {
            let at = |text: String| format!("line {}: {text}", item.line);
            match &item.what {
                Item::Given { text, block } => world.given(text, block).await.map_err(at)?,
                Item::Send {
                    connection,
                    text,
                    line_end,
                } => {
                    let line = self.line(&world, &mut lines, *connection).await;
                    if !line.said.is_empty() && !self.update {
                        return Err(at(format!(
                            "unexpected: {}",
                            String::from_utf8_lossy(&line.said)
                        )));
                    }
                    let mut bytes = world.expand(text, &known).await.map_err(at)?;
                    bytes.extend_from_slice(if *line_end { b"\r\n" } else { b"" });
                    pipelined.extend_from_slice(&bytes);
                    let goes_on = script.items.get(index + 1).is_some_and(|next| {
                        matches!(&next.what, Item::Send { connection: other, .. } if other == connection)
                    });
                    if !goes_on {
                        self.send(&world, line, &std::mem::take(&mut pipelined))
                            .await;
                        self.settle(&world, &mut lines).await;
                    }
                }
                Item::Expect {
                    connection,
                    patterns,
                } => {
                    self.line(&world, &mut lines, *connection).await;
                    self.settle(&world, &mut lines).await;
                    let line = self.line(&world, &mut lines, *connection).await;
                    let said = take_lines(line);
                    self.heard.push_str(&format!("{}: {said:?}\n", line.number));
                    let outcome = pattern::match_all(patterns, &said, &mut known);
                    if self.update {
                        self.lines
                            .insert(index, pattern::merge(patterns, &said, &known));
                    } else {
                        outcome.map_err(at)?;
                    }
                }
                Item::Act(words) => {
                    world
                        .act(words, &mut |connection| {
                            if let Some(line) =
                                lines.iter_mut().find(|line| line.number == connection)
                            {
                                line.peer.receive(b"");
                            }
                        })
                        .await
                        .map_err(at)?;
                    self.settle(&world, &mut lines).await;
                }
            }
        }
        match lines.iter().find(|line| !line.said.is_empty()) {
            Some(line) if !self.update => Err(format!(
                "at the end connection {} had also said: {}",
                line.number,
                String::from_utf8_lossy(&line.said)
            )),
            _ => Ok(()),
        }
    }

    /// The connection of a number, opened if it is new.
    async fn line<'a>(
        &mut self,
        world: &World,
        lines: &'a mut Vec<Line>,
        number: usize,
    ) -> &'a mut Line {
        let index = match lines.iter().position(|line| line.number == number) {
            Some(index) => index,
            None => {
                let peer = (self.connect)(world, number);
                lines.push(Line {
                    number,
                    peer,
                    said: Vec::new(),
                    closed: false,
                });
                self.settle(world, lines).await;
                lines.len() - 1
            }
        };
        &mut lines[index]
    }

    async fn send(&mut self, world: &World, line: &mut Line, bytes: &[u8]) {
        let size = match self.arrival {
            Arrival::Whole => bytes.len().max(1),
            Arrival::Pieces(size) => size,
        };
        for piece in bytes.chunks(size) {
            if line.closed {
                return;
            }
            line.peer.receive(piece);
            settle_one(world, line).await;
        }
    }

    /// Lets all connections go on until none has anything to say: what one does may be news for another.
    async fn settle(&mut self, world: &World, lines: &mut [Line]) {
        loop {
            let mut quiet = true;
            for line in lines.iter_mut().filter(|line| !line.closed) {
                let before = line.said.len();
                settle_one(world, line).await;
                quiet &= line.said.len() == before;
            }
            tokio::task::yield_now().await;
            if quiet {
                return;
            }
        }
    }
}

async fn settle_one(world: &World, line: &mut Line) {
    let (said, closed) = line.peer.settle(world.now()).await;
    line.said.extend_from_slice(&said);
    line.closed = closed;
    if closed {
        line.said.extend_from_slice(b"(closed)\r\n");
    }
}

/// What was said, line by line, without line ends; bytes that are not UTF-8 become replacement characters.
fn take_lines(line: &mut Line) -> Vec<String> {
    let said = std::mem::take(&mut line.said);
    let text = String::from_utf8_lossy(&said).into_owned();
    let mut lines: Vec<String> = text.split("\r\n").map(str::to_owned).collect();
    if lines.last().is_some_and(String::is_empty) {
        lines.pop();
    }
    lines
}
