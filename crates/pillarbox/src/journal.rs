//! What happened, told to the owner: one line an event, and the latest sessions kept for `pillarbox why`. Lines are
//! written by a thread of their own, so that a slow terminal or pipe never makes a mail session wait.

mod endpoints;

use crate::clock::{Clock, rfc3339};
use pillarbox_oauth::EndpointRefusal;
use pillarbox_protocols::events::{Event, What};
use pillarbox_protocols::sessions::Protocol;
use pillarbox_store::mail::Millis;
use serde_json::{Map, Value, json};
use std::borrow::Cow;
use std::collections::{HashMap, VecDeque};
use std::fmt::Write as _;
use std::io::Write as _;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::broadcast;

/// Sessions remembered for `why`. With the next limit this is at most some 10 MB.
const SESSIONS_KEPT: usize = 4_000;
/// Refused requests at the authorization server's endpoints remembered beside them: whoever asks for nonsense there pushes
/// out no mail session.
const REFUSALS_KEPT: usize = 1_000;
/// Events of most sessions: connected, signed in, ended.
const EVENTS_USUAL: usize = 3;
/// Events remembered of one session; the first ones explain most.
const EVENTS_KEPT: usize = 40;
/// Lines waiting for a slow reader of the log before some are left out (and counted).
const LINES_WAITING: usize = 16_384;
/// Lines that follow one another so closely are written together: shorter than anybody sees.
const TOGETHER_FOR: Duration = Duration::from_millis(10);
/// And at most so many octets at once.
const TOGETHER_OCTETS: usize = 64 * 1_024;
/// Lines `log follow` may be behind before it is told that it missed some.
const FOLLOWERS_BEHIND: usize = 1_024;

/// Log lines for people or for programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "their names say it")]
pub enum Format {
    Text,
    Json,
}

/// How much an owner wants to know of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs, reason = "their names say it")]
pub enum Level {
    Error,
    Warn,
    Info,
    Debug,
}

/// Cheap to clone; all clones are one journal.
#[derive(Clone)]
pub struct Journal(Arc<Inner>);

struct Inner {
    clock: Clock,
    format: AtomicU8,
    level: AtomicU8,
    lines: SyncSender<Order>,
    left_out: AtomicU64,
    kept: Mutex<Kept>,
    followers: broadcast::Sender<Arc<str>>,
}

enum Order {
    Line(String),
    /// Answer when everything before this is written.
    Flush(SyncSender<()>),
}

#[derive(Default)]
struct Kept {
    order: VecDeque<Arc<str>>,
    sessions: HashMap<Arc<str>, Vec<Entry>>,
    refusals: VecDeque<Entry>,
}

/// One thing that happened.
#[derive(Clone, Debug)]
pub enum Entry {
    /// In a session of a mail protocol.
    Mail(Event),
    /// At an endpoint of the authorization server; each refused request has a token of its own.
    Endpoint(Arc<str>, EndpointRefusal),
}

impl Entry {
    /// When.
    pub fn at(&self) -> Millis {
        match self {
            Self::Mail(event) => event.at,
            Self::Endpoint(_, refusal) => refusal.at,
        }
    }

    /// Which service.
    pub fn about(&self) -> &'static str {
        match self {
            Self::Mail(event) => event.protocol.name(),
            Self::Endpoint(..) => endpoints::ABOUT,
        }
    }

    /// What `pillarbox why` asks for it by.
    pub fn session(&self) -> &Arc<str> {
        match self {
            Self::Mail(event) => &event.session,
            Self::Endpoint(token, _) => token,
        }
    }

    /// From where.
    pub fn peer(&self) -> IpAddr {
        match self {
            Self::Mail(event) => event.peer,
            Self::Endpoint(_, refusal) => refusal.peer,
        }
        .to_canonical()
    }

    /// What the client was told, where that differs from what happened.
    pub fn told(&self) -> Option<String> {
        match self {
            Self::Mail(event) => match &event.what {
                What::Refused { told, .. } => Some(told.clone()),
                _ => None,
            },
            Self::Endpoint(_, refusal) => Some(endpoints::told(refusal)),
        }
    }

    /// Whether somebody should look at it.
    pub fn is_trouble(&self) -> bool {
        match self {
            Self::Mail(event) => matches!(event.what, What::Refused { .. } | What::Failed { .. }),
            Self::Endpoint(_, refusal) => endpoints::level(refusal) != Level::Debug,
        }
    }

    fn level(&self) -> Level {
        match self {
            Self::Mail(event) => level_of(&event.what),
            Self::Endpoint(_, refusal) => endpoints::level(refusal),
        }
    }

    fn sentence(&self, clock: &Clock) -> String {
        match self {
            Self::Mail(event) => sentence(&event.what, clock),
            Self::Endpoint(_, refusal) => endpoints::sentence(refusal),
        }
    }

    fn story(&self, clock: &Clock) -> Vec<(&'static str, String)> {
        match self {
            Self::Mail(event) => story(&event.what, clock),
            Self::Endpoint(_, refusal) => endpoints::story(refusal),
        }
    }
}

impl Journal {
    /// Writes to standard error from now on.
    pub fn new(clock: Clock, format: Format, level: Level) -> Self {
        let (lines, orders) = sync_channel(LINES_WAITING);
        let inner = Inner {
            clock,
            format: AtomicU8::new(format as u8),
            level: AtomicU8::new(level as u8),
            lines,
            left_out: AtomicU64::new(0),
            kept: Mutex::default(),
            followers: broadcast::channel(FOLLOWERS_BEHIND).0,
        };
        std::thread::spawn(move || write_down(&orders));
        Self(Arc::new(inner))
    }

    /// Changes format and level while running.
    pub fn set(&self, format: Format, level: Level) {
        self.0.format.store(format as u8, Ordering::Relaxed);
        self.0.level.store(level as u8, Ordering::Relaxed);
    }

    /// Takes an event: keeps it, and prints it if it matters enough.
    pub fn event(&self, entry: Entry) {
        let level = entry.level();
        if self.wanted(level) {
            self.print(
                entry.at(),
                level,
                entry.about(),
                entry.session(),
                &entry.sentence(&self.0.clock),
                || fields(&entry),
            );
        }
        self.keep(entry);
    }

    /// A line about the server itself.
    pub fn note(&self, level: Level, about: &str, text: &str) {
        if self.wanted(level) {
            self.print(self.0.clock.wall(), level, about, "", text, Map::new);
        }
    }

    /// The events of a session or refused request, oldest first, if they are still known.
    pub fn session(&self, named: &str) -> Option<Vec<Entry>> {
        let kept = self.kept();
        let refused = || {
            kept.refusals
                .iter()
                .find(|entry| **entry.session() == *named)
        };
        let session = kept.sessions.get(named).cloned();
        session.or_else(|| Some(vec![refused()?.clone()]))
    }

    /// Sessions and refused requests that are still known, each oldest first.
    pub fn known(&self) -> Vec<Arc<str>> {
        let kept = self.kept();
        let refused = kept.refusals.iter().map(Entry::session);
        refused.chain(&kept.order).cloned().collect()
    }

    /// The newest events that pass, newest first, each with its sentence.
    pub fn recent(
        &self,
        limit: usize,
        pass: impl Fn(&Entry, &str) -> bool,
    ) -> Vec<(Entry, String)> {
        let mut all: Vec<Entry> = {
            let kept = self.kept();
            let sessions = kept.sessions.values().flatten();
            sessions.chain(&kept.refusals).cloned().collect()
        };
        all.sort_by_key(Entry::at);
        let told = all.into_iter().rev().map(|entry| {
            let sentence = entry.sentence(&self.0.clock);
            (entry, printable(&sentence).into_owned())
        });
        told.filter(|(entry, text)| pass(entry, text))
            .take(limit)
            .collect()
    }

    /// Every line from now on.
    pub fn follow(&self) -> broadcast::Receiver<Arc<str>> {
        self.0.followers.subscribe()
    }

    /// Waits until what was said is written; gives up on a reader that does not read.
    pub fn flush(&self) {
        let (done, written) = sync_channel(1);
        if self.0.lines.try_send(Order::Flush(done)).is_ok() {
            let _ = written.recv_timeout(Duration::from_secs(1));
        }
    }

    fn wanted(&self, level: Level) -> bool {
        level as u8 <= self.0.level.load(Ordering::Relaxed)
    }

    fn print(
        &self,
        at: Millis,
        level: Level,
        about: &str,
        session: &str,
        text: &str,
        fields: impl FnOnce() -> Map<String, Value>,
    ) {
        let mut line = if self.0.format.load(Ordering::Relaxed) == Format::Json as u8 {
            let mut fields = fields();
            fields.insert("at".into(), rfc3339(at).into());
            fields.insert("level".into(), format!("{level:?}").to_lowercase().into());
            fields.insert("about".into(), about.into());
            if !session.is_empty() {
                fields.insert("session".into(), session.into());
            }
            fields.insert("text".into(), text.into());
            Value::Object(fields).to_string()
        } else {
            let session = if session.is_empty() {
                String::new()
            } else {
                format!("{session}  ")
            };
            format!(
                "{} {about:<5} {session}{}",
                self.0.clock.hms(at),
                printable(text)
            )
        };
        line.push('\n');
        if self.0.followers.receiver_count() > 0 {
            // Who has left meanwhile is not an error.
            let _ = self.0.followers.send(line.trim_end().into());
        }
        let missed = self.0.left_out.swap(0, Ordering::Relaxed);
        if missed > 0 {
            line.insert_str(
                0,
                &format!("({missed} lines left out: whoever reads this log is too slow)\n"),
            );
        }
        if let Err(TrySendError::Full(_)) = self.0.lines.try_send(Order::Line(line)) {
            self.0.left_out.fetch_add(missed + 1, Ordering::Relaxed);
        }
    }

    fn keep(&self, event: Entry) {
        let mut kept = self.kept();
        if let Entry::Endpoint(..) = event {
            if kept.refusals.len() >= REFUSALS_KEPT {
                kept.refusals.pop_front();
            }
            return kept.refusals.push_back(event);
        }
        let token = event.session().clone();
        if let Some(events) = kept.sessions.get_mut(&token) {
            // The last place is always the latest event: how it ended matters as much as how it began.
            if events.len() >= EVENTS_KEPT {
                events.pop();
            }
            return events.push(event);
        }
        if kept.order.len() >= SESSIONS_KEPT
            && let Some(oldest) = kept.order.pop_front()
        {
            kept.sessions.remove(&oldest);
        }
        kept.order.push_back(token.clone());
        let mut events = Vec::with_capacity(EVENTS_USUAL);
        events.push(event);
        kept.sessions.insert(token, events);
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Writes lines as they come: the first of a burst at once, what follows together. A thread that is woken for every line
/// costs a sign-in more than the line does.
fn write_down(orders: &Receiver<Order>) {
    let mut text = String::new();
    while let Ok(first) = orders.recv() {
        for order in std::iter::once(first).chain(orders.try_iter()) {
            match order {
                Order::Line(line) => {
                    text.push_str(&line);
                    if text.len() >= TOGETHER_OCTETS {
                        print(&mut text);
                    }
                }
                Order::Flush(done) => {
                    print(&mut text);
                    // Whoever asked may have given up.
                    let _ = done.send(());
                }
            }
        }
        print(&mut text);
        // What comes meanwhile wakes nobody.
        std::thread::sleep(TOGETHER_FOR);
    }
}

fn print(text: &mut String) {
    // Nothing can be done about a log that cannot be written.
    let _ = std::io::stderr().write_all(text.as_bytes());
    text.clear();
}

/// The answer to `pillarbox why`.
pub fn explain(events: &[Entry], clock: &Clock) -> String {
    let Some(first) = events.first() else {
        return String::new();
    };
    let name = match first {
        Entry::Mail(event) => match event.protocol {
            Protocol::Imap => "IMAP",
            Protocol::Pop3 => "POP",
            Protocol::Submission => "SMTP",
            Protocol::Incoming => "incoming SMTP",
        },
        Entry::Endpoint(..) => "OAuth",
    };
    let mut text = format!(
        "{}  {name} from {}, {}\n",
        first.session(),
        first.peer(),
        clock.hms(first.at())
    );
    // Below the session's token, like a hanging paragraph.
    let indent = " ".repeat(first.session().len() + 2);
    for event in events {
        for (word, rest) in event.story(clock) {
            // Writing to a String does not fail.
            let _ = writeln!(text, "{indent}{word:<9} {}", printable(&rest));
        }
    }
    text
}

fn story(what: &What, clock: &Clock) -> Vec<(&'static str, String)> {
    match what {
        What::Connected => Vec::new(),
        What::SignedIn {
            address,
            mechanism,
            app,
            until,
            ..
        } => {
            let app = app
                .as_ref()
                .map_or_else(String::new, |app| format!(", app {app}"));
            vec![
                ("offered", format!("{mechanism} for {address}{app}")),
                ("signed in", format!("until {}", clock.date_time(*until))),
            ]
        }
        What::Refused {
            offered,
            mechanism,
            cause,
            told,
        } => vec![
            ("offered", format!("{mechanism} for {}", named(offered))),
            ("refused", cause.clone()),
            ("told", told.clone()),
        ],
        What::Accepted { .. } => vec![(
            "accepted",
            sentence(what, clock)
                .trim_start_matches("accepted ")
                .to_owned(),
        )],
        What::Captured { .. } => vec![("captured", sentence(what, clock))],
        What::Failed { command, cause } => vec![("failed", format!("{command}: {cause}"))],
        What::Fault { fault, told } => {
            let told = told.iter().map(|told| ("told", told.clone()));
            [("fault", fault.clone())].into_iter().chain(told).collect()
        }
        What::Closed { reason } => vec![("ended", reason.to_string())],
    }
}

fn level_of(what: &What) -> Level {
    match what {
        What::Connected => Level::Debug,
        What::Closed { reason } if **reason == *"client left" => Level::Debug,
        What::Failed { .. } => Level::Warn,
        _ => Level::Info,
    }
}

/// What happened, as the log says it (first five minutes, minute 2).
fn sentence(what: &What, clock: &Clock) -> String {
    match what {
        What::Connected => "connected".into(),
        What::SignedIn {
            address,
            mechanism,
            app,
            until,
            ..
        } => {
            let app = app
                .as_ref()
                .map_or_else(String::new, |app| format!(", app {app}"));
            let ends = if mechanism.contains("OAUTH") {
                "token ends"
            } else {
                "session ends"
            };
            format!(
                "{address} signed in, {mechanism}{app}, {ends} {}",
                moment(*until, clock)
            )
        }
        What::Refused {
            offered,
            mechanism,
            cause,
            ..
        } => {
            format!("{} refused, {mechanism}: {cause}", named(offered))
        }
        What::Accepted { bytes, to, id } => format!(
            "accepted 1 message, {bytes} bytes, to {}, {id}",
            to.join(" ")
        ),
        What::Captured { to, id } => format!(
            "kept in the captured outbox, not sent: to {}, {id}",
            to.join(" ")
        ),
        What::Failed { command, cause } => format!("{command} failed: {cause}"),
        What::Fault { fault, .. } => format!("fault {fault}"),
        What::Closed { reason } => format!("ended: {}", &**reason),
    }
}

/// The time of day; with the date if it is not within a day.
fn moment(at: Millis, clock: &Clock) -> String {
    if (at - clock.wall()).abs() < 86_400_000 {
        clock.hms(at)
    } else {
        clock.date_time(at)
    }
}

fn named(offered: &str) -> &str {
    if offered.is_empty() {
        "nobody readable"
    } else {
        offered
    }
}

fn fields(entry: &Entry) -> Map<String, Value> {
    let value = match entry {
        Entry::Mail(event) => fields_of(&event.what),
        Entry::Endpoint(_, refusal) => endpoints::fields(refusal),
    };
    let mut fields = match value {
        Value::Object(fields) => fields,
        _ => Map::new(),
    };
    fields.insert("peer".into(), entry.peer().to_string().into());
    fields
}

fn fields_of(what: &What) -> Value {
    match what {
        What::Connected => json!({"event": "connected"}),
        What::SignedIn {
            address,
            mechanism,
            app,
            until,
            ..
        } => {
            json!({"event": "signed-in", "address": **address, "mechanism": mechanism,
                   "app": app.as_deref(), "until": rfc3339(*until)})
        }
        What::Refused {
            offered,
            mechanism,
            cause,
            told,
        } => {
            json!({"event": "refused", "offered": offered, "mechanism": mechanism, "cause": cause, "told": told})
        }
        What::Accepted { bytes, to, id } => {
            json!({"event": "accepted", "bytes": bytes, "to": to, "id": id})
        }
        What::Captured { to, id } => json!({"event": "captured", "to": to, "id": id}),
        What::Failed { command, cause } => {
            json!({"event": "failed", "command": command, "cause": cause})
        }
        What::Fault { fault, told } => json!({"event": "fault", "fault": fault, "told": told}),
        What::Closed { reason } => json!({"event": "closed", "reason": **reason}),
    }
}

/// An event for programs: the fields of its line in the log.
pub fn event_json(event: &Entry, text: &str) -> Value {
    let mut fields = fields(event);
    let level = format!("{:?}", event.level()).to_lowercase();
    for (name, value) in [
        ("at", rfc3339(event.at())),
        ("level", level),
        ("about", event.about().to_owned()),
        ("session", event.session().to_string()),
        ("text", text.to_owned()),
    ] {
        fields.insert(name.into(), value.into());
    }
    Value::Object(fields)
}

/// What a peer offers is shown, but moves no cursor and begins no line.
fn printable(text: &str) -> Cow<'_, str> {
    match text.contains(char::is_control) {
        true => Cow::Owned(text.replace(char::is_control, "\u{fffd}")),
        false => Cow::Borrowed(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(session: &str) -> Entry {
        Entry::Mail(Event {
            at: 0,
            protocol: Protocol::Imap,
            session: session.into(),
            peer: [127, 0, 0, 1].into(),
            what: What::Refused {
                offered: "ada@example.test\r\n00:00:00 smtp".into(),
                mechanism: "XOAUTH2",
                cause: "the token belongs to bob@example.test".into(),
                told: "NO [AUTHENTICATIONFAILED] Invalid credentials (Failure)".into(),
            },
        })
    }

    fn refused_program(token: &str) -> Entry {
        let refusal = EndpointRefusal {
            at: 0,
            endpoint: "/token",
            peer: [192, 0, 2, 7].into(),
            method: Some("a code"),
            client: Some("x7".into()),
            app: Some("Phone\r\n00:00:00".into()),
            person: Some("ada@example.test".into()),
            cause: "the code was given to another program".into(),
            told: (
                pillarbox_oauth::ErrorCode::InvalidGrant,
                "Token has been expired or revoked.".into(),
            ),
        };
        Entry::Endpoint(token.into(), refusal)
    }

    #[test]
    fn why_tells_of_a_refused_program_too() {
        let clock = Clock::new();
        let text = explain(&[refused_program("c8a2")], &clock);
        let lines: Vec<_> = text.lines().map(str::trim).collect();
        assert!(
            lines[0].starts_with("c8a2  OAuth from 192.0.2.7, "),
            "{text}"
        );
        assert_eq!(
            lines[1..],
            [
                "asked     /token with a code",
                "program   Phone\u{fffd}\u{fffd}00:00:00 (x7)",
                "person    ada@example.test",
                "refused   the code was given to another program",
                "told      invalid_grant: Token has been expired or revoked.",
            ]
        );
    }

    #[test]
    fn refused_programs_push_out_no_sessions() {
        let journal = Journal::new(Clock::new(), Format::Text, Level::Error);
        journal.event(refused("0000"));
        for number in 1..=SESSIONS_KEPT + 1 {
            journal.event(refused_program(&format!("{number:04x}")));
        }
        assert!(journal.session("0000").is_some());
        assert!(journal.session("0001").is_none());
        let newest = format!("{:04x}", SESSIONS_KEPT + 1);
        assert!(journal.session(&newest).is_some());
        assert_eq!(journal.known().len(), REFUSALS_KEPT + 1);
    }

    #[test]
    fn why_tells_the_true_cause_and_nobody_else_writes_lines() {
        let clock = Clock::new();
        let text = explain(&[refused("c8a1")], &clock);
        let lines: Vec<_> = text.lines().collect();
        assert!(
            lines[0].starts_with("c8a1  IMAP from 127.0.0.1, "),
            "{text}"
        );
        assert_eq!(
            lines[2],
            "      refused   the token belongs to bob@example.test"
        );
        assert_eq!(
            lines[3],
            "      told      NO [AUTHENTICATIONFAILED] Invalid credentials (Failure)"
        );
        assert_eq!(lines.len(), 4);
    }

    #[test]
    fn only_so_many_sessions_and_events_are_kept() {
        let journal = Journal::new(Clock::new(), Format::Text, Level::Error);
        for number in 0..SESSIONS_KEPT + 10 {
            journal.event(refused(&format!("{number:04x}")));
        }
        for _ in 0..EVENTS_KEPT * 2 {
            journal.event(refused("ffff"));
        }
        assert_eq!(journal.known().len(), SESSIONS_KEPT);
        assert!(journal.session("0000").is_none());
        assert_eq!(
            journal.session("ffff").map(|events| events.len()),
            Some(EVENTS_KEPT)
        );
    }
}
