//! The machine itself: which command is legal now, which job runs, when the session ends.

use super::{Context, Maildrop};
use crate::conversation::{Channel, Job, News, Now, Step, Until};
use crate::events::{Event, Reason, What};
use crate::sessions::{End, Protocol, Seat};
use crate::sign_in;
use bytes::Bytes;
use pillarbox_oauth::{Identity, Refusal};
use pillarbox_store::blob::BlobId;
use pillarbox_store::mail::{Account, MessageId, Millis, PopDisposition, Settings, StoreError};
use pillarbox_wire::dot::{DotStuffer, LineEnds};
use pillarbox_wire::line::{LineReader, LineTooLong};
use pillarbox_wire::pop3::{Command, CommandError, Reply, TopCutter};
use pillarbox_wire::sasl::{self, Credentials, Dummy, Failure, Mechanism, Password};
use std::net::IpAddr;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

mod auth;

use auth::{Attempt, Found};

const EXPIRED: &str = "Session expired, please login again.";
const TEMPORARY: &str = "Temporary system problem. Please try again later.";
const BAD_COMMAND: &str = "bad command";

/// What POP's jobs result in.
pub struct Answer(Done);

enum Done {
    /// A credential was looked at.
    Checked(Box<Attempt>, Result<Found, Refusal>),
    /// A piece of a body was read.
    Read(Result<Bytes, StoreError>),
    /// QUIT was carried out.
    Updated(Result<(), StoreError>),
}

/// Somebody is signed in.
struct Transaction {
    account: Account,
    settings: Settings,
    drop: Maildrop,
    /// Whether anything may be changed; what the token's scope says.
    may_write: bool,
}

/// A message on its way to the client, piece by piece.
struct Sending {
    account: Account,
    number: u32,
    blob: BlobId,
    left: Range<u64>,
    /// The reply's first line is out.
    begun: bool,
    stuffer: DotStuffer,
    /// TOP; RETR has none and marks the message.
    top: Option<TopCutter>,
}

enum State {
    /// The name of USER, until PASS.
    Authorization(Option<String>),
    Transaction(Box<Transaction>),
    /// QUIT was said, or the session is over.
    Over,
}

enum Doing {
    Commands,
    Sasl(Box<Attempt>),
    Job(Job<Answer>),
    Waiting,
    Send(Box<Sending>),
}

/// Stands where the reason stood once it was noted.
const TOLD: Reason = Reason::Own("closed");

/// One POP3 connection.
pub struct Conversation {
    context: Arc<Context>,
    identity: Identity,
    seat: Seat,
    peer: IpAddr,
    token: Arc<str>,
    now: Now,
    begun: Duration,
    /// The monotonic moment of the last bytes.
    heard: Duration,
    stirred: bool,
    lines: LineReader,
    channel: Channel,
    state: State,
    doing: Doing,
    sending: Option<Box<Sending>>,
    out: Vec<u8>,
    ended: Option<End>,
    until: Option<Millis>,
    /// Until when an expired session waits for a command to answer.
    grace_ends: Option<Duration>,
    /// Until when a text on its way must have come to its end: set when the session is over.
    text_ends: Option<Duration>,
    peer_left: bool,
    failures: u32,
    hold: sign_in::Hold,
    bad_in_a_row: u32,
    closing: Option<Reason>,
}

impl Conversation {
    /// A connection that was just opened. It greets first.
    pub fn new(context: Arc<Context>, seat: Seat, peer: IpAddr, now: Now) -> Self {
        let token: Arc<str> = seat.token().into();
        let mut conversation = Self {
            identity: context.identity.from_peer(peer),
            ended: seat.ended(),
            seat,
            peer,
            now,
            begun: now.mono,
            heard: now.mono,
            stirred: false,
            lines: LineReader::new(context.limits.line_bytes_max),
            channel: Channel::default(),
            state: State::Authorization(None),
            doing: Doing::Commands,
            sending: None,
            out: Vec::new(),
            until: None,
            grace_ends: None,
            text_ends: None,
            peer_left: false,
            failures: 0,
            hold: sign_in::Hold::default(),
            bad_in_a_row: 0,
            closing: None,
            token,
            context,
        };
        conversation.note(What::Connected);
        let greeting = format!(
            "{} ready for requests from {} {}",
            conversation.context.product, peer, conversation.token
        );
        conversation.ok(greeting);
        conversation
    }

    fn note(&self, what: What) {
        (self.context.journal)(Event {
            at: self.now.wall,
            protocol: Protocol::Pop3,
            session: Arc::clone(&self.token),
            peer: self.peer,
            what,
        });
    }

    fn reply(&mut self, reply: &Reply) {
        reply.print(&mut self.out);
    }

    fn ok(&mut self, text: impl Into<String>) {
        self.reply(&Reply::Ok(text.into()));
    }

    /// A multi-line reply of lines that need no stuffing.
    fn list(&mut self, first: impl Into<String>, lines: impl IntoIterator<Item = String>) {
        self.ok(first);
        for line in lines {
            self.out.extend_from_slice(line.as_bytes());
            self.out.extend_from_slice(b"\r\n");
        }
        self.out.extend_from_slice(b".\r\n");
    }

    /// Says goodbye to nobody: the connection is closed once everything is sent.
    fn close(&mut self, reason: impl Into<Reason>) {
        self.state = State::Over;
        self.closing.get_or_insert_with(|| reason.into());
    }

    // ---- lines

    /// Takes lines for as long as they can be answered at once.
    fn work(&mut self) {
        while self.closing.is_none() && matches!(self.doing, Doing::Commands | Doing::Sasl(_)) {
            let line = match self.lines.next_line() {
                None => return,
                Some(Ok(line)) => Ok(line.to_vec()),
                Some(Err(LineTooLong)) => Err(LineTooLong),
            };
            if self.over() {
                return self.tell_expired();
            }
            match (std::mem::replace(&mut self.doing, Doing::Commands), line) {
                (Doing::Sasl(mut attempt), Ok(line)) => {
                    if let Some(exchange) = &mut attempt.exchange {
                        let step = exchange.receive(&line);
                        self.exchange(*attempt, step);
                    }
                }
                (Doing::Sasl(attempt), Err(LineTooLong)) if attempt.opened.is_some() => {
                    self.failed(*attempt, Failure::Malformed(sasl::Malformed::TooLong));
                }
                (_, Ok(line)) => match Command::parse(&line) {
                    Ok(command) => self.command(command),
                    Err(CommandError::BadNumber) => self.out_of_range(),
                    Err(_) => self.bad(),
                },
                (_, Err(LineTooLong)) => self.bad(),
            }
        }
    }

    fn bad(&mut self) {
        self.reply(&Reply::err(BAD_COMMAND));
        self.bad_in_a_row += 1;
        if self.bad_in_a_row >= self.context.limits.bad_commands_max {
            self.close("too many bad commands");
        }
    }

    fn out_of_range(&mut self) {
        self.reply(&Reply::err("Message number out of range."));
    }

    fn command(&mut self, command: Command) {
        let state = std::mem::replace(&mut self.state, State::Over);
        self.state = match state {
            State::Authorization(user) => return self.authorization(user, command),
            State::Transaction(transaction) => {
                self.state = State::Transaction(transaction);
                return self.transaction(&command);
            }
            State::Over => State::Over,
        };
    }

    // ---- before sign-in

    fn authorization(&mut self, user: Option<String>, command: Command) {
        let passwords = self.context.mechanisms.contains(&Mechanism::Plain);
        self.state = State::Authorization(None);
        match (command, user) {
            (Command::Quit, _) => {
                self.ok("Farewell.");
                self.close("client left");
            }
            (Command::Capa, user) => {
                self.capabilities();
                self.state = State::Authorization(user);
            }
            (Command::User(name), _) if passwords => {
                self.ok("send PASS");
                self.state = State::Authorization(Some(name));
            }
            (Command::Pass(password), Some(user)) => {
                match Password::new(None, &user, password.reveal()) {
                    Ok(password) => {
                        let attempt = Attempt {
                            exchange: None,
                            mechanism: "USER",
                            offered: String::new(),
                            refusal: None,
                            opened: None,
                        };
                        self.check(attempt, Credentials::Password(password));
                    }
                    Err(_) => self.bad(),
                }
            }
            (
                Command::Auth {
                    mechanism: None, ..
                },
                _,
            ) => {
                let all = self.announced();
                let names: Vec<_> = all.map(|m| m.name().to_owned()).collect();
                self.list("", names);
            }
            (
                Command::Auth {
                    mechanism: Some(name),
                    initial,
                },
                _,
            ) => self.auth(&name, initial.as_ref()),
            (Command::Last, _) => self.reply(&Reply::err("Not supported")),
            _ => self.bad(),
        }
    }

    fn announced(&self) -> impl Iterator<Item = Mechanism> + use<'_> {
        sign_in::announced(&self.context.mechanisms, &self.channel, self.now.wall)
    }

    /// Wire §4.1; RFC 2449 §6.
    fn capabilities(&mut self) {
        let mut lines: Vec<String> = Vec::new();
        let mechanisms: Vec<_> = self
            .announced()
            .map(Mechanism::name)
            .filter(|m| *m != "LOGIN")
            .collect();
        if mechanisms.contains(&"PLAIN") {
            lines.push("USER".into());
        }
        lines.extend(["RESP-CODES".into(), "AUTH-RESP-CODE".into()]);
        lines.push(match &self.state {
            // RFC 2449 §6.7: mail that stays where it is does not expire.
            State::Transaction(transaction) if stays(&transaction.settings) => {
                "EXPIRE NEVER".into()
            }
            _ => "EXPIRE 0".into(),
        });
        lines.extend(["LOGIN-DELAY 300".into(), "TOP".into(), "UIDL".into()]);
        match &self.state {
            State::Transaction(_) => lines.push("PIPELINING".into()),
            _ if mechanisms.is_empty() => {}
            _ => lines.push(format!("SASL {}", mechanisms.join(" "))),
        }
        self.list("Capability list follows", lines);
    }

    // ---- after sign-in

    fn transaction(&mut self, command: &Command) {
        self.bad_in_a_row = 0;
        let State::Transaction(transaction) = &mut self.state else {
            return;
        };
        match command {
            Command::Stat => {
                let (count, octets) = transaction.drop.stat();
                self.ok(format!("{count} {octets}"));
            }
            Command::List(None) => {
                let (count, octets) = transaction.drop.stat();
                let lines: Vec<_> = transaction
                    .drop
                    .iter()
                    .map(|(n, item)| format!("{n} {}", item.size))
                    .collect();
                self.list(format!("{count} messages ({octets} bytes)"), lines);
            }
            Command::List(Some(number)) => {
                match transaction.drop.get(*number).map(|item| item.size) {
                    Some(size) => self.ok(format!("{number} {size}")),
                    None => self.out_of_range(),
                }
            }
            Command::Uidl(None) => {
                let lines: Vec<_> = transaction
                    .drop
                    .iter()
                    .map(|(n, item)| format!("{n} {}", uidl(item.message)))
                    .collect();
                self.list("", lines);
            }
            Command::Uidl(Some(number)) => {
                match transaction.drop.get(*number).map(|item| item.message) {
                    Some(message) => self.ok(format!("{number} {}", uidl(message))),
                    None => self.out_of_range(),
                }
            }
            Command::Retr(number) => self.send_message(*number, None),
            Command::Top { message, lines } => {
                self.send_message(*message, Some(TopCutter::new(u64::from(*lines))))
            }
            Command::Dele(_) if !transaction.may_write => {
                self.reply(&Reply::err("This token allows reading only"));
            }
            Command::Dele(number) => match transaction.drop.delete(*number) {
                true => self.ok(""),
                false => self.out_of_range(),
            },
            Command::Rset => {
                transaction.drop.reset();
                self.ok("");
            }
            Command::Noop => self.ok(""),
            Command::Capa => self.capabilities(),
            Command::Quit => self.quit(),
            Command::Last => self.reply(&Reply::err("Not supported")),
            Command::User(_) | Command::Pass(_) | Command::Auth { .. } => self.bad(),
        }
    }

    fn send_message(&mut self, number: u32, top: Option<TopCutter>) {
        let State::Transaction(transaction) = &self.state else {
            return;
        };
        let Some(item) = transaction.drop.get(number) else {
            return self.out_of_range();
        };
        let sending = Sending {
            account: transaction.account.clone(),
            number,
            blob: item.blob,
            left: 0..u64::from(item.size),
            begun: false,
            stuffer: DotStuffer::new(LineEnds::Keep),
            top,
        };
        // The reply's first line waits for the first piece: a body that cannot be read is refused, not cut.
        self.doing = Doing::Send(Box::new(sending));
    }

    /// Reads the next piece, or ends the text.
    fn send_on(&mut self, sending: Box<Sending>) {
        let cut = sending.top.as_ref().is_some_and(TopCutter::is_done);
        if sending.begun && (cut || sending.left.is_empty()) {
            if let (None, State::Transaction(transaction)) = (&sending.top, &mut self.state) {
                transaction.drop.mark_retrieved(sending.number);
            }
            let out = &mut self.out;
            sending.stuffer.finish(|run| out.extend_from_slice(run));
            return;
        }
        let end = sending
            .left
            .end
            .min(sending.left.start + self.context.limits.body_read_bytes);
        let (account, blob, range) = (
            sending.account.clone(),
            sending.blob,
            sending.left.start..end,
        );
        self.doing = Doing::Job(Box::pin(async move {
            Answer(Done::Read(account.body(blob, range).await))
        }));
        self.sending = Some(sending);
    }

    fn read(&mut self, piece: Result<Bytes, StoreError>) {
        let Some(mut sending) = self.sending.take() else {
            return;
        };
        match piece {
            Ok(piece) if !piece.is_empty() || sending.left.is_empty() => {
                if !std::mem::replace(&mut sending.begun, true) {
                    self.ok("message follows");
                }
                let part = match &mut sending.top {
                    Some(cutter) => cutter.take(&piece),
                    None => &piece,
                };
                let out = &mut self.out;
                sending
                    .stuffer
                    .write(part, |run| out.extend_from_slice(run));
                sending.left.start += piece.len() as u64;
                self.doing = Doing::Send(sending);
            }
            piece => {
                let cause = piece.err().unwrap_or(StoreError::Damaged).to_string();
                self.note(What::Failed {
                    command: "RETR",
                    cause,
                });
                if !sending.begun {
                    return self.reply(&Reply::err_code("SYS/TEMP", TEMPORARY));
                }
                // A text once begun can only be cut: closing without its end says so.
                self.close("a body could not be read");
            }
        }
    }

    fn quit(&mut self) {
        let State::Transaction(transaction) = std::mem::replace(&mut self.state, State::Over)
        else {
            return;
        };
        let (retrieved, deleted) = transaction.drop.outcome();
        // Popped marks hide mail from the next session: a change, too.
        let (retrieved, deleted) = match transaction.may_write {
            true => (retrieved, deleted),
            false => Default::default(),
        };
        let (account, now) = (transaction.account, self.now.wall);
        self.doing = Doing::Job(Box::pin(async move {
            let nothing = retrieved.is_empty() && deleted.is_empty();
            let done = if nothing {
                Ok(())
            } else {
                account.pop_done(&retrieved, &deleted, now).await
            };
            Answer(Done::Updated(done))
        }));
    }

    fn updated(&mut self, done: Result<(), StoreError>) {
        match done {
            Ok(()) => self.ok("Farewell."),
            Err(fault) => {
                self.reply(&Reply::err_code("SYS/TEMP", TEMPORARY));
                self.note(What::Failed {
                    command: "QUIT",
                    cause: fault.to_string(),
                });
            }
        }
        self.close("client left");
    }

    // ---- the end of the session

    /// Whether the session has lost its authority.
    fn over(&self) -> bool {
        self.ended.is_some() || self.until.is_some_and(|until| self.now.wall >= until)
    }

    fn why_over(&self) -> Reason {
        match &self.ended {
            Some(End::Shutdown) => "shutting down".into(),
            Some(End::Revoked(because)) => Arc::clone(because).into(),
            None => self.seat.limit().past().into(),
        }
    }

    /// Wire §6: the reply to a command that came too late. RFC 1939 §6: no UPDATE state, nothing is popped or deleted.
    fn tell_expired(&mut self) {
        let text = match self.ended {
            Some(End::Shutdown) => TEMPORARY,
            Some(End::Revoked(_)) | None => EXPIRED,
        };
        let reason = self.why_over();
        self.reply(&Reply::err_code("SYS/TEMP", text));
        self.close(reason);
    }

    /// The session is over, a text is not: its reader has some minutes.
    fn cut_text_if_due(&mut self) -> bool {
        if !self.over() {
            return false;
        }
        let patience = self.context.limits.text_after_end;
        let ends = *self.text_ends.get_or_insert(self.now.mono + patience);
        let due = self.now.mono >= ends;
        if due {
            self.close("too slow to take the rest after the session's end");
        }
        due
    }

    /// Nothing to do but wait: for bytes, or for the first of the moments that end the wait.
    fn wait(&mut self) -> Option<Until> {
        if self.peer_left {
            self.close("client left");
            return None;
        }
        if self.over() {
            // The reason can be told only as a reply, so an expired session waits a little for something to answer.
            let grace = *self
                .grace_ends
                .get_or_insert(self.now.mono + self.context.limits.grace);
            if self.ended.is_some() || self.now.mono >= grace {
                let reason = self.why_over();
                self.close(reason);
                return None;
            }
            return Some(Until {
                mono: grace,
                wall: None,
            });
        }
        let limits = &self.context.limits;
        let mono = match (&self.state, &self.doing) {
            (State::Authorization(_), Doing::Sasl(attempt)) if attempt.awaits_dummy() => {
                (self.heard + limits.silence_before_dummy).min(self.begun + limits.before_login)
            }
            (State::Authorization(_), _) => {
                (self.heard + limits.silence_before_login).min(self.begun + limits.before_login)
            }
            _ => self.heard + limits.silence,
        };
        if self.now.mono >= mono {
            if let Doing::Sasl(attempt) = std::mem::replace(&mut self.doing, Doing::Commands)
                && attempt.awaits_dummy()
            {
                self.failed(*attempt, Failure::Refused(Dummy::Usual));
            }
            // RFC 1939 §3: close without a word and without removing mail.
            self.close("idle");
            return None;
        }
        self.lines.release();
        Some(Until {
            mono,
            wall: self.until,
        })
    }

    fn finish(&mut self) -> Step<Answer> {
        if let Some(reason) = self.closing.replace(TOLD)
            && *reason != *TOLD
        {
            self.note(What::Closed { reason });
        }
        Step::Close
    }
}

impl crate::conversation::Conversation for Conversation {
    type Answer = Answer;

    fn advance(&mut self, now: Now) -> Step<Answer> {
        self.now = now;
        // Asked for, not waited for: a session that streams is not told before it reads again.
        self.ended = self.ended.take().or_else(|| self.seat.ended());
        if std::mem::take(&mut self.stirred) {
            self.heard = now.mono;
        }
        if let Some(until) = self.hold.rest(now) {
            return Step::Rest(until);
        }
        loop {
            match std::mem::replace(&mut self.doing, Doing::Waiting) {
                Doing::Job(job) => {
                    // What is ready goes out first: the job may take its time.
                    if !self.out.is_empty() {
                        self.doing = Doing::Job(job);
                        return Step::Send(std::mem::take(&mut self.out).into());
                    }
                    return Step::Run(job);
                }
                Doing::Send(sending) => {
                    self.doing = Doing::Commands;
                    if !self.cut_text_if_due() {
                        self.send_on(sending);
                    }
                    continue;
                }
                other => self.doing = other,
            }
            if self.closing.is_none() {
                self.work();
                if matches!(self.doing, Doing::Job(_) | Doing::Send(_)) {
                    continue;
                }
            }
            if !self.out.is_empty() {
                return Step::Send(std::mem::take(&mut self.out).into());
            }
            if self.closing.is_none() {
                match self.wait() {
                    Some(until) => return Step::Read(until),
                    None => continue,
                }
            }
            return self.finish();
        }
    }

    fn receive(&mut self, bytes: &[u8]) {
        if bytes.is_empty() {
            self.peer_left = true;
            return;
        }
        self.stirred = true;
        self.lines.feed(bytes);
        if self.lines.skipped_bytes() > self.context.limits.line_bytes_max as u64 * 8 {
            self.close("a line without an end");
        }
    }

    fn answer(&mut self, answer: Answer, now: Now) {
        self.now = now;
        // A slow job, or a slow reader of what it sent, is no silence of the client.
        self.heard = self.heard.max(now.mono);
        self.doing = Doing::Commands;
        match answer.0 {
            Done::Checked(attempt, outcome) => self.checked(*attempt, outcome),
            Done::Read(piece) => self.read(piece),
            Done::Updated(done) => self.updated(done),
        }
    }

    fn hear(&mut self, news: News) {
        if let News::Ended(end) = news {
            self.ended = Some(end);
        }
    }

    fn bind(&mut self, channel: Channel) {
        self.channel = channel;
    }

    fn seat(&mut self) -> &mut Seat {
        &mut self.seat
    }
}

/// Whether popping leaves mail where it is.
fn stays(settings: &Settings) -> bool {
    matches!(
        settings.pop_disposition,
        PopDisposition::Keep | PopDisposition::MarkRead
    )
}

/// The unique id: 23 characters, stable for ever, the same in both modes (wire §4.2).
fn uidl(message: MessageId) -> String {
    format!("GmailId{:016x}", message.0)
}
