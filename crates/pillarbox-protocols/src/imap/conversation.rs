//! The machine itself: which command is legal now, which job runs, when the session ends.

use super::append::{self, Upload};
use super::authenticate::{Checked, Sasl};
use super::desk::Desk;
use super::out::Out;
use super::refuse::{Kind, Refused};
use super::task::{Stage, Task, legal};
use super::{Context, capability, id, idle, table};
use crate::conversation::{Channel, Job, News, Now, Step, Until};
use crate::events::{Event, Reason, What};
use crate::sessions::{End, Seat};
use crate::sign_in;
use bytes::Bytes;
use pillarbox_store::mail::Millis;
use pillarbox_wire::imap::frame::{Event as Frame, Refusal, Refused as FrameRefused};
use pillarbox_wire::imap::{Body, Framer, Malformed, Problem, Tag, parse};
use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

mod auth;

/// To a token whose scope is reading only.
const NOT_ALLOWED: &str = "This token allows reading only (Failure)";

/// What IMAP's jobs result in.
pub struct Answer(Result_);

enum Result_ {
    Worked {
        desk: Box<Desk>,
        task: Box<Task>,
        pieces: Vec<Bytes>,
        fault: Option<Refused>,
    },
    Checked(Box<Checked>),
    /// The target of an APPEND was looked up, or a piece of its message written.
    Received {
        desk: Box<Desk>,
        upload: Box<Upload>,
        refused: Option<Refused>,
    },
}

enum State {
    NotAuthenticated,
    SignedIn(Box<Desk>),
    /// The desk is lent to a job, or given up.
    Away,
}

/// What the next bytes, or the next call, are for.
enum Doing {
    /// The next command.
    Commands,
    /// A SASL response.
    Sasl(Box<Sasl>),
    /// `DONE`.
    Idle(Tag),
    /// The message of an APPEND.
    Upload(Box<Upload>),
    /// A job to hand out.
    Job(Job<Answer>),
    /// A job is out.
    Waiting,
    /// A command to go on with, once its output is sent.
    Again(Box<Task>),
}

/// One IMAP connection.
pub struct Conversation {
    context: Arc<Context>,
    seat: Seat,
    peer: IpAddr,
    token: Arc<str>,
    now: Now,
    begun: Duration,
    /// The monotonic moment of the last bytes.
    heard: Duration,
    /// Bytes arrived since the clock was last given.
    stirred: bool,
    framer: Framer,
    channel: Channel,
    state: State,
    doing: Doing,
    /// The client in IDLE, while a job finds out its news.
    idling: Option<Tag>,
    out: VecDeque<Bytes>,
    news: bool,
    ended: Option<End>,
    /// The session's end on the wall clock.
    until: Option<Millis>,
    /// When a running command must stop, on the monotonic clock: set at the session's end.
    grace_ends: Option<Duration>,
    /// When a literal on its way must have come to its end, on the monotonic clock: set when the session is over.
    literal_ends: Option<Duration>,
    peer_left: bool,
    failures: u32,
    hold: sign_in::Hold,
    bad_in_a_row: u32,
    /// Why to close once everything is sent.
    closing: Option<Reason>,
    closed: bool,
}

impl Conversation {
    /// A connection that was just opened. It greets first.
    pub fn new(context: Arc<Context>, seat: Seat, peer: IpAddr, now: Now) -> Self {
        let token: Arc<str> = seat.token().into();
        let framer = Framer::new(context.limits.frame_before_login);
        let mut conversation = Self {
            context,
            ended: seat.ended(),
            seat,
            peer,
            token,
            now,
            begun: now.mono,
            heard: now.mono,
            stirred: false,
            framer,
            channel: Channel::default(),
            state: State::NotAuthenticated,
            doing: Doing::Commands,
            idling: None,
            out: VecDeque::new(),
            news: false,
            until: None,
            grace_ends: None,
            literal_ends: None,
            peer_left: false,
            failures: 0,
            hold: sign_in::Hold::default(),
            bad_in_a_row: 0,
            closing: None,
            closed: false,
        };
        conversation.note(What::Connected);
        let greeting = format!(
            "* OK {} ready for requests from {} {}\r\n",
            conversation.context.product, conversation.peer, conversation.token
        );
        conversation.send(greeting);
        conversation
    }

    fn note(&self, what: What) {
        (self.context.journal)(Event {
            at: self.now.wall,
            protocol: crate::sessions::Protocol::Imap,
            session: Arc::clone(&self.token),
            peer: self.peer,
            what,
        });
    }

    fn send(&mut self, text: impl Into<Vec<u8>>) {
        self.out.push_back(Bytes::from(text.into()));
    }

    fn tagged(&mut self, tag: &Tag, text: &str) {
        self.send(format!("{tag} {text}\r\n"));
    }

    // ---- the end of a session -------------------------------------------------------------------------------------

    /// Sends the last line and closes behind it.
    fn bye(&mut self, text: &str, reason: impl Into<Reason>) {
        self.send(format!("* BYE {text}\r\n"));
        self.close(reason);
    }

    fn close(&mut self, reason: impl Into<Reason>) {
        self.closing.get_or_insert_with(|| reason.into());
        self.state = State::Away;
        self.doing = Doing::Waiting;
    }

    /// Ends the session if its time has come (wire §6). A command that runs may go on a little when its authority ran
    /// out by the clock; a literal is not cut, unless its reader takes for ever.
    fn end_if_due(&mut self) -> bool {
        // Asked for, not waited for: a session that streams is not told before it reads again.
        self.ended = self.ended.take().or_else(|| self.seat.ended());
        let expired = self.until.is_some_and(|until| self.now.wall >= until);
        if expired && self.grace_ends.is_none() {
            self.grace_ends = Some(self.now.mono + self.context.limits.grace);
        }
        if matches!(&self.doing, Doing::Again(task) if task.is_mid_literal()) {
            return (expired || self.ended.is_some()) && self.cut_literal_if_due();
        }
        let running = matches!(self.doing, Doing::Again(_) | Doing::Job(_));
        let commanded = running || matches!(self.doing, Doing::Upload(_));
        let in_grace = commanded && self.grace_ends.is_none_or(|ends| self.now.mono < ends);
        match self.ended.clone() {
            Some(End::Shutdown) => self.bye("Server shutting down", "shutting down"),
            Some(End::Revoked(because)) => {
                self.bye("Session expired, please login again.", because);
            }
            None if expired && !in_grace => {
                let limit = self.seat.limit();
                self.bye("Session expired, please login again.", limit.past());
            }
            None if !running && self.now.mono >= self.silent_until() => {
                if let Doing::Sasl(sasl) = &self.doing
                    && sasl.exchange.awaits_dummy()
                {
                    let line = format!("{} {}\r\n", sasl.tag, sasl.told);
                    self.send(line);
                }
                self.bye("Closed for inactivity", "idle");
            }
            None => return false,
        }
        true
    }

    /// The session is over, a literal is not: its reader has some minutes. What is cut is left without a word, which
    /// would only become part of it.
    fn cut_literal_if_due(&mut self) -> bool {
        let patience = self.context.limits.literal_after_end;
        let ends = *self.literal_ends.get_or_insert(self.now.mono + patience);
        let due = self.now.mono >= ends;
        if due {
            self.close("too slow to take the rest after the session's end");
        }
        due
    }

    fn silent_until(&self) -> Duration {
        let limits = &self.context.limits;
        match self.state {
            State::NotAuthenticated => {
                let silence = match &self.doing {
                    Doing::Sasl(sasl) if sasl.exchange.awaits_dummy() => {
                        limits.silence_before_dummy
                    }
                    _ => limits.silence_before_login,
                };
                (self.heard + silence).min(self.begun + limits.before_login)
            }
            State::SignedIn(_) | State::Away => self.heard + limits.silence,
        }
    }

    fn read(&self) -> Step<Answer> {
        let mono = self
            .silent_until()
            .min(self.grace_ends.unwrap_or(Duration::MAX));
        // Once the grace runs, the wall clock has nothing more to say.
        let wall = if self.grace_ends.is_some() {
            None
        } else {
            self.until
        };
        Step::Read(Until { mono, wall })
    }

    // ---- what arrives -----------------------------------------------------------------------------------------------

    fn frame(&mut self, frame: Frame) {
        match frame {
            Frame::Command(bytes) => self.command(&bytes),
            Frame::Continue => self.send("+ go ahead\r\n"),
            Frame::Line(line) => self.line(&line),
            Frame::LiteralStart { head, .. } => self.append_announced(&head),
            Frame::LiteralData(piece) => self.append_piece(piece),
            Frame::AppendEnd { rest } => self.append_end(&rest),
            Frame::Refused(refused) => self.frame_refused(refused),
        }
    }

    fn frame_refused(&mut self, refused: FrameRefused) {
        // Whatever was under way is over: the rest of it is being skipped.
        if let Doing::Upload(mut upload) = std::mem::replace(&mut self.doing, Doing::Commands)
            && let Some(desk) = upload.take_desk()
        {
            self.state = State::SignedIn(desk);
        }
        let text = match refused.why {
            Refusal::AppendTooLarge => "NO [TOOBIG] Message too large (Failure)",
            _ => "BAD Could not parse command",
        };
        match &refused.tag {
            Some(tag) => self.tagged(&tag.clone(), text),
            None => self.send("* BAD Could not parse command\r\n"),
        }
        if refused.why != Refusal::AppendTooLarge {
            self.count_bad();
        }
        if refused.fatal {
            self.bye("Could not parse command", "not understood");
        }
    }

    fn count_bad(&mut self) {
        self.bad_in_a_row += 1;
        if self.bad_in_a_row >= self.context.limits.bad_commands_max {
            self.bye(
                "Too many commands that could not be understood",
                "not understood",
            );
        }
    }

    fn malformed(&mut self, malformed: &Malformed) {
        let text = match malformed.problem {
            Problem::NoTag => {
                self.send("* BAD [CLIENTBUG] Invalid tag\r\n");
                return self.count_bad();
            }
            Problem::UnknownCommand => self.unknown_command(),
            Problem::Syntax(_) => "BAD Could not parse command".into(),
            Problem::BadCharset => {
                "NO [BADCHARSET (US-ASCII UTF-8)] Unknown charset (Failure)".into()
            }
        };
        match &malformed.tag {
            Some(tag) => self.tagged(&tag.clone(), &text),
            None => self.send(format!("* {text}\r\n")),
        }
        if malformed.problem != Problem::BadCharset {
            self.count_bad();
        }
    }

    fn unknown_command(&self) -> String {
        match self.state {
            State::NotAuthenticated => format!("BAD Unknown command {}", self.token),
            _ => "BAD Unknown command".into(),
        }
    }

    fn utf8(&self) -> bool {
        matches!(&self.state, State::SignedIn(desk) if desk.signed.utf8)
    }

    fn refuse(&mut self, tag: &Tag, refused: &Refused) {
        let reply = refused.reply();
        self.tagged(tag, &reply);
        if refused.kind == Kind::Bad {
            self.count_bad();
        }
    }

    fn command(&mut self, bytes: &[u8]) {
        if bytes.is_empty() {
            return; // An empty line between commands costs nothing and says nothing.
        }
        let command = match parse(bytes, self.utf8()) {
            Ok(command) => command,
            Err(malformed) => return self.malformed(&malformed),
        };
        let tag = command.tag;
        let Some(spec) = table::find(command.body.name()) else {
            let text = self.unknown_command();
            self.tagged(&tag, &text);
            return self.count_bad();
        };
        let (signed_in, selected) = match &self.state {
            State::SignedIn(desk) => (true, desk.view.is_some()),
            State::NotAuthenticated | State::Away => (false, false),
        };
        if let Err(refused) = legal(spec, signed_in, selected) {
            return self.refuse(&tag, &refused);
        }
        if self.reads_only() && spec.changes() {
            return self.refuse(&tag, &Refused::no("NOPERM", NOT_ALLOWED));
        }
        self.bad_in_a_row = 0;
        self.run(tag, spec, command.body);
    }

    /// Whether the token's scope lets nothing be changed.
    fn reads_only(&self) -> bool {
        matches!(&self.state, State::SignedIn(desk) if !desk.signed.may_write)
    }

    /// A legal command. What needs no store is answered at once.
    fn run(&mut self, tag: Tag, spec: &'static table::Spec, body: Body) {
        let signed_in = matches!(self.state, State::SignedIn(_));
        match body {
            Body::Capability => {
                let text = {
                    let (channel, now) = (&self.channel, self.now.wall);
                    let all = sign_in::announced(&self.context.mechanisms, channel, now);
                    capability::run(&self.context, signed_in, &all.collect::<Vec<_>>())
                };
                self.send(text);
                let token = Arc::clone(&self.token);
                self.tagged(&tag, &format!("OK Thats all she wrote! {token}"));
            }
            Body::Id(pairs) => {
                if let Some(program) = id::program(pairs.as_deref()) {
                    self.seat.set_program(&program);
                }
                let text = id::run(
                    &self.context,
                    pairs.as_deref(),
                    self.peer,
                    &self.token,
                    signed_in,
                );
                self.send(text);
                let token = if signed_in {
                    String::new()
                } else {
                    format!(" {}", self.token)
                };
                self.tagged(&tag, &format!("OK Success{token}"));
            }
            Body::Logout => {
                match signed_in {
                    true => self.send("* BYE LOGOUT Requested\r\n"),
                    false => self.send(format!("* BYE Logout Requested {}\r\n", self.token)),
                }
                self.tagged(&tag, "OK 73 good day (Success)");
                self.close("client left");
            }
            Body::Noop if !signed_in => self.tagged(&tag, "OK Success"),
            Body::Authenticate(command) => self.authenticate(tag, &command),
            Body::Login { user, password } => self.login(tag, &user, password.expose()),
            Body::Idle => {
                self.send("+ idling\r\n");
                self.framer.expect_line();
                self.doing = Doing::Idle(tag);
                self.news = true;
            }
            body => self.start(Task {
                tag,
                spec,
                now: self.now.wall,
                stage: Stage::Begin(Box::new(body)),
            }),
        }
    }

    fn line(&mut self, line: &[u8]) {
        match std::mem::replace(&mut self.doing, Doing::Commands) {
            Doing::Sasl(mut sasl) => {
                let step = sasl.exchange.receive(line);
                self.sasl_step(*sasl, step);
            }
            Doing::Idle(tag) if idle::is_done(line) => {
                self.bad_in_a_row = 0;
                let stage = Stage::Tell(idle::TERMINATED.into());
                self.start(Task {
                    tag,
                    spec: idle::spec(),
                    now: self.now.wall,
                    stage,
                });
            }
            Doing::Idle(tag) => {
                // RFC 2177 §3 knows DONE only; the client is out of step, so IDLE ends here.
                self.refuse(&tag, &Refused::syntax());
            }
            other => self.doing = other,
        }
    }

    // ---- jobs ---------------------------------------------------------------------------------------------------------

    /// Lends the desk to a job that works on `task` for a bounded amount.
    fn start(&mut self, task: Task) {
        match std::mem::replace(&mut self.state, State::Away) {
            State::SignedIn(desk) => self.doing = Doing::Job(work(desk, Box::new(task))),
            other => self.state = other,
        }
    }

    fn worked(
        &mut self,
        desk: Box<Desk>,
        task: Box<Task>,
        pieces: Vec<Bytes>,
        fault: Option<Refused>,
    ) {
        self.out.extend(pieces);
        let broken = fault
            .as_ref()
            .is_some_and(|fault| fault.kind == Kind::Broken);
        if let Some(cause) = fault.and_then(|fault| fault.cause) {
            self.note(What::Failed {
                command: task.spec.name,
                cause,
            });
        }
        if broken {
            return self.close("stored data is damaged");
        }
        self.state = State::SignedIn(desk);
        self.doing = match (task.is_over(), self.idling.take()) {
            (true, Some(tag)) => Doing::Idle(tag),
            (true, None) => Doing::Commands,
            (false, idling) => {
                self.idling = idling;
                Doing::Again(task)
            }
        };
    }

    // ---- APPEND -------------------------------------------------------------------------------------------------------

    fn append_announced(&mut self, head: &[u8]) {
        let command = match parse(head, self.utf8()) {
            Ok(command) => command,
            Err(malformed) => {
                self.malformed(&malformed);
                return self.framer.refuse_literal();
            }
        };
        let tag = command.tag;
        match (
            std::mem::replace(&mut self.state, State::Away),
            command.body,
        ) {
            (State::SignedIn(desk), Body::Append(append)) => {
                if !desk.signed.may_write {
                    self.state = State::SignedIn(desk);
                    self.refuse(&tag, &Refused::no("NOPERM", NOT_ALLOWED));
                    return self.framer.refuse_literal();
                }
                self.bad_in_a_row = 0;
                self.doing = Doing::Job(receive(append::begin(tag, append, desk, self.now.wall)));
            }
            (state, _) => {
                self.state = state;
                self.refuse(&tag, &Refused::bad("Please authenticate first"));
                self.framer.refuse_literal();
            }
        }
    }

    /// The target was looked up, or a piece written.
    fn received(&mut self, desk: Box<Desk>, mut upload: Box<Upload>, refused: Option<Refused>) {
        match refused {
            Some(refused) if !upload.is_welcome() => {
                self.state = State::SignedIn(desk);
                self.doing = Doing::Commands;
                self.framer.refuse_literal();
                let spec = append::spec();
                let stage = Stage::Tell(refused.reply());
                self.start(Task {
                    tag: upload.tag().clone(),
                    spec,
                    now: self.now.wall,
                    stage,
                });
            }
            refused => {
                if upload.is_first() && upload.waits() {
                    self.send("+ go ahead\r\n");
                }
                upload.settle(desk, refused);
                self.doing = Doing::Upload(upload);
            }
        }
    }

    fn append_piece(&mut self, piece: Vec<u8>) {
        let Doing::Upload(mut upload) = std::mem::replace(&mut self.doing, Doing::Waiting) else {
            return;
        };
        self.doing = if upload.add(piece, &self.context.limits) {
            Doing::Job(receive(append::spool(upload)))
        } else {
            Doing::Upload(upload)
        };
    }

    fn append_end(&mut self, rest: &[u8]) {
        let Doing::Upload(mut upload) = std::mem::replace(&mut self.doing, Doing::Commands) else {
            return;
        };
        let Some(desk) = upload.take_desk() else {
            return;
        };
        self.state = State::SignedIn(desk);
        let tag = upload.tag().clone();
        if rest != upload.closing() {
            return self.refuse(&tag, &Refused::syntax());
        }
        self.start(Task {
            tag,
            spec: append::spec(),
            now: self.now.wall,
            stage: Stage::Append(upload),
        });
    }
}

/// Works on a command for a bounded amount, at a desk of its own for that time.
fn work(mut desk: Box<Desk>, mut task: Box<Task>) -> Job<Answer> {
    Box::pin(async move {
        let mut out = Out::new();
        let fault = task.step(&mut desk, &mut out).await;
        Answer(Result_::Worked {
            desk,
            task,
            pieces: out.into_pieces(),
            fault,
        })
    })
}

fn receive(job: impl Future<Output = append::Received> + Send + 'static) -> Job<Answer> {
    Box::pin(async move {
        let append::Received {
            desk,
            upload,
            refused,
        } = job.await;
        Answer(Result_::Received {
            desk,
            upload,
            refused,
        })
    })
}

impl crate::conversation::Conversation for Conversation {
    type Answer = Answer;

    fn advance(&mut self, now: Now) -> Step<Answer> {
        self.now = now;
        if std::mem::take(&mut self.stirred) {
            self.heard = now.mono;
        }
        loop {
            if let Some(until) = self.hold.rest(now) {
                return Step::Rest(until);
            }
            if let Some(piece) = self.out.pop_front() {
                if piece.is_empty() {
                    continue;
                }
                return Step::Send(piece);
            }
            if let Some(reason) = &self.closing {
                let reason = reason.clone();
                if !std::mem::replace(&mut self.closed, true) {
                    self.note(What::Closed { reason });
                }
                return Step::Close;
            }
            if self.end_if_due() {
                continue;
            }
            match std::mem::replace(&mut self.doing, Doing::Waiting) {
                Doing::Job(job) => return Step::Run(job),
                Doing::Again(mut task) => {
                    task.now = now.wall;
                    self.start(*task);
                    // At once: whether the session may end here was asked above, of the task.
                    if let Doing::Job(job) = std::mem::replace(&mut self.doing, Doing::Waiting) {
                        return Step::Run(job);
                    }
                }
                Doing::Idle(tag) if self.news => {
                    self.news = false;
                    self.idling = Some(tag.clone());
                    self.start(Task {
                        tag,
                        spec: idle::spec(),
                        now: now.wall,
                        stage: Stage::IdleNews,
                    });
                }
                doing => {
                    self.doing = doing;
                    match self.framer.next() {
                        Some(frame) => self.frame(frame),
                        None if self.peer_left => self.close("client left"),
                        None => return self.read(),
                    }
                }
            }
        }
    }

    fn receive(&mut self, bytes: &[u8]) {
        match bytes {
            [] => self.peer_left = true,
            bytes => {
                self.stirred = true;
                self.framer.receive(bytes);
            }
        }
    }

    fn answer(&mut self, answer: Answer, now: Now) {
        self.now = now;
        if self.closing.is_some() {
            return;
        }
        match answer.0 {
            Result_::Worked {
                desk,
                task,
                pieces,
                fault,
            } => self.worked(desk, task, pieces, fault),
            Result_::Checked(checked) => self.checked(*checked),
            Result_::Received {
                desk,
                upload,
                refused,
            } => self.received(desk, upload, refused),
        }
        // A slow job is no silence of the client.
        self.heard = self.heard.max(now.mono);
    }

    fn hear(&mut self, news: News) {
        match news {
            News::Version(_) => self.news = true,
            News::Ended(end) => self.ended = Some(end),
        }
    }

    fn bind(&mut self, channel: Channel) {
        self.channel = channel;
    }

    fn seat(&mut self) -> &mut Seat {
        &mut self.seat
    }
}
