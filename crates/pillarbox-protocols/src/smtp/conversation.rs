//! The machine itself: which command is legal now, which job runs, when the session ends.

use super::auth::{Checked, SignIn};
use super::replies::{self, Line};
use super::text::{Kind, Text};
use super::{Context, Role, refuse};
use crate::conversation::{Channel, Job, News, Now, Step, Until};
use crate::events::{Event, Reason, What};
use crate::sessions::{End, Seat};
use crate::sign_in;
use bytes::Bytes;
use pillarbox_delivery::{Acceptance, Accepted, Destination, Letter, Refused, Trace, Way};
use pillarbox_oauth::Principal;
use pillarbox_store::mail::Millis;
use pillarbox_wire::dot::DataReader;
use pillarbox_wire::line::{LineReader, LineTooLong};
use pillarbox_wire::sasl::Mechanism;
use pillarbox_wire::smtp::{
    Address, ChunkReader, ClientName, Command, CommandError, Enhanced, ForwardPath, MailFrom,
    RcptTo, Reply, ReversePath,
};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// Recipients an event names.
const TO_SHOWN_MAX: usize = 10;

/// What SMTP's jobs result in.
pub struct Answer(pub(super) Result_);

pub(super) enum Result_ {
    Checked(Checked),
    Recipient(Result<Destination, Refused>),
    Wrote(Box<Acceptance>),
    Finished(Result<Accepted, Refused>),
}

/// What the next bytes, or the next call, are for.
pub(super) enum Doing {
    /// The next command.
    Commands,
    /// A SASL response.
    Sasl(Box<SignIn>),
    /// The text of a message.
    Text,
    /// A job to hand out.
    Job(Job<Answer>),
    /// A job is out.
    Waiting,
    /// TLS, once everything is sent.
    Tls,
}

/// Somebody whose credential was good.
pub(super) struct Signed {
    pub principal: Principal,
    /// The session's end on the wall clock.
    pub until: Millis,
}

struct Hello {
    name: ClientName,
    /// EHLO.
    extended: bool,
}

/// What MAIL began (RFC 5321 §3.3).
struct Transaction {
    sender: ReversePath,
    utf8: bool,
    recipients: Vec<Destination>,
    /// BDAT has begun: the message so far, and its octets.
    chunks: Option<(Box<Acceptance>, u64)>,
    /// When a text of several chunks must have come.
    deadline: Option<Duration>,
}

/// One SMTP connection.
pub struct Conversation {
    pub(super) context: Arc<Context>,
    pub(super) role: Role,
    pub(super) seat: Seat,
    pub(super) peer: IpAddr,
    token: Arc<str>,
    pub(super) now: Now,
    begun: Duration,
    /// The monotonic moment of the last bytes.
    heard: Duration,
    /// Bytes arrived since the clock was last given.
    stirred: bool,
    lines: LineReader,
    out: Vec<u8>,
    tls: bool,
    pub(super) channel: Channel,
    hello: Option<Box<Hello>>,
    pub(super) signed: Option<Box<Signed>>,
    transaction: Option<Box<Transaction>>,
    text: Option<Box<Text>>,
    pub(super) doing: Doing,
    pub(super) failures: u32,
    pub(super) hold: sign_in::Hold,
    unknown: u32,
    unauthenticated: u32,
    refused_recipients: u32,
    peer_left: bool,
    ended: Option<End>,
    /// When a message under way must be over although the session's authority or the server has ended, on the monotonic
    /// clock.
    stops: Option<Duration>,
    /// Why to close once everything is sent.
    closing: Option<Reason>,
    closed: bool,
}

impl Conversation {
    /// A connection that was just opened. It greets first.
    pub fn new(context: Arc<Context>, role: Role, seat: Seat, peer: IpAddr, now: Now) -> Self {
        let mut conversation = Self {
            role,
            peer,
            token: seat.token().into(),
            now,
            begun: now.mono,
            heard: now.mono,
            stirred: false,
            lines: LineReader::new(context.limits.line_bytes_max),
            out: Vec::new(),
            tls: role == Role::Submission,
            channel: Channel::default(),
            hello: None,
            signed: None,
            transaction: None,
            text: None,
            doing: Doing::Commands,
            failures: 0,
            hold: sign_in::Hold::default(),
            unknown: 0,
            unauthenticated: 0,
            refused_recipients: 0,
            peer_left: false,
            ended: seat.ended(),
            stops: None,
            closing: None,
            closed: false,
            context,
            seat,
        };
        conversation.note(What::Connected);
        let greeting = format!("{} ESMTP", conversation.context.host);
        conversation.say_reply(Reply::new(220, None, greeting));
        conversation
    }

    pub(super) fn note(&self, what: What) {
        (self.context.journal)(Event {
            at: self.now.wall,
            protocol: self.role.protocol(),
            session: Arc::clone(&self.token),
            peer: self.peer,
            what,
        });
    }

    // ---- replies ----------------------------------------------------------------------------------------------------

    pub(super) fn say(&mut self, (code, enhanced, text): Line) {
        self.say_text(code, enhanced, text);
    }

    fn say_text(&mut self, code: u16, enhanced: Enhanced, text: impl Into<String>) {
        self.say_reply(Reply::new(code, Some(enhanced), text));
    }

    /// With the session token and our word behind it (wire §5.1).
    pub(super) fn say_reply(&mut self, mut reply: Reply) {
        if let Some(last) = reply.lines.last_mut() {
            *last = format!("{last} {} - {}", self.token, self.context.source);
        }
        self.say_bare(&reply);
    }

    /// One of the few that are sent without.
    pub(super) fn say_short(&mut self, (code, enhanced, text): Line) {
        self.say_bare(&Reply::new(code, Some(enhanced), text));
    }

    pub(super) fn say_bare(&mut self, reply: &Reply) {
        reply.print(&mut self.out);
    }

    // ---- the end of a session -----------------------------------------------------------------------------------------

    pub(super) fn close(&mut self, reason: impl Into<Reason>) {
        self.closing.get_or_insert_with(|| reason.into());
        self.doing = Doing::Waiting;
        self.text = None;
        self.transaction = None;
    }

    fn say_and_close(&mut self, line: Line, reason: impl Into<Reason>) {
        self.say(line);
        self.close(reason);
    }

    /// A message is on its way: it may come to its end first (wire §6).
    fn is_receiving(&self) -> bool {
        self.text.is_some()
            || self
                .transaction
                .as_ref()
                .is_some_and(|transaction| transaction.chunks.is_some())
    }

    /// Ends the session if somebody ended it, or if the client has been silent for too long. A message under way may
    /// come to its end first, but not take for ever.
    fn end_if_due(&mut self) -> bool {
        let limits = &self.context.limits;
        let over: Option<(_, Reason, _)> = match &self.ended {
            Some(End::Shutdown) => {
                Some((replies::STOPPING, "shutting down".into(), limits.stopping))
            }
            Some(End::Revoked(because)) => {
                Some((replies::EXPIRED, Arc::clone(because).into(), limits.grace))
            }
            None if self.is_past_its_end() => {
                let reason = self.seat.limit().past();
                Some((replies::EXPIRED, reason.into(), limits.grace))
            }
            None => None,
        };
        if let Some((line, reason, patience)) = over {
            let stops = self.now.mono + patience;
            let stops = self.stops.map_or(stops, |before| before.min(stops));
            self.stops = Some(stops);
            let at_once = self.ended.is_some() && !self.is_receiving();
            if at_once || self.now.mono >= stops {
                self.say_and_close(line, reason);
                return true;
            }
        }
        if self.now.mono >= self.patience() {
            if let Doing::Sasl(sign_in) = std::mem::replace(&mut self.doing, Doing::Commands)
                && sign_in.awaits_dummy()
            {
                self.say_reply(sign_in.told);
                self.close("no answer to a refusal");
                return true;
            }
            self.say_and_close(replies::SILENT, "idle");
            return true;
        }
        false
    }

    fn patience(&self) -> Duration {
        let limits = &self.context.limits;
        let silence = match &self.doing {
            Doing::Sasl(sign_in) if sign_in.awaits_dummy() => limits.silence_before_dummy,
            _ => limits.silence,
        };
        let mut until = self.heard + silence;
        if self.role.is_submission() && self.signed.is_none() {
            until = until.min(self.begun + limits.before_login);
        }
        let deadlines = [
            self.text.as_ref().map(|text| text.deadline),
            self.transaction
                .as_ref()
                .and_then(|transaction| transaction.deadline),
            self.stops,
        ];
        deadlines.into_iter().flatten().fold(until, Duration::min)
    }

    fn is_past_its_end(&self) -> bool {
        let signed = self.signed.as_ref();
        signed.is_some_and(|signed| self.now.wall >= signed.until)
    }

    /// The session's time is up: told as the reply to the next command outside a transaction; one that was begun in time
    /// may come to its end within a grace (wire §6).
    fn is_expired(&self) -> bool {
        let Some(signed) = &self.signed else {
            return false;
        };
        let grace = match self.transaction {
            Some(_) => self.context.limits.grace.as_millis() as Millis,
            None => 0,
        };
        !self.is_receiving() && self.now.wall >= signed.until.saturating_add(grace)
    }

    // ---- what arrives -------------------------------------------------------------------------------------------------

    /// Goes on with what has arrived; false if more must come first.
    fn progress(&mut self) -> bool {
        match std::mem::replace(&mut self.doing, Doing::Commands) {
            Doing::Text => {
                self.doing = Doing::Text;
                self.text_arrived()
            }
            Doing::Sasl(sign_in) => {
                match self.lines.next_line().map(|line| line.map(<[u8]>::to_vec)) {
                    Some(line) => {
                        self.sasl_line(sign_in, line.as_deref().map_err(|_| LineTooLong));
                        true
                    }
                    None => {
                        self.doing = Doing::Sasl(sign_in);
                        self.is_endless()
                    }
                }
            }
            _ => match self.lines.next_line().map(|line| line.map(Command::parse)) {
                Some(Ok(command)) => {
                    self.command(command);
                    true
                }
                Some(Err(LineTooLong)) => {
                    self.command(Err(CommandError::TooLong));
                    true
                }
                None => self.is_endless(),
            },
        }
    }

    fn is_endless(&mut self) -> bool {
        let endless = self.lines.skipped_bytes() >= self.context.limits.endless_line_bytes;
        if endless {
            self.say_and_close(replies::ENDLESS_LINE, "a line without end");
        }
        endless
    }

    fn command(&mut self, command: Result<Command, CommandError>) {
        if self.is_expired() && !matches!(command, Ok(Command::Quit)) {
            let reason = self.seat.limit().past();
            return self.say_and_close(replies::EXPIRED, reason);
        }
        if self.role.is_submission() && self.signed.is_none() {
            self.unauthenticated += 1;
            let leaves = matches!(command, Ok(Command::Quit));
            if self.unauthenticated > self.context.limits.unauthenticated_commands_max && !leaves {
                return self.say_and_close(
                    replies::TOO_MANY_UNAUTHENTICATED,
                    "too many commands before sign-in",
                );
            }
        }
        match command {
            Ok(command) => self.run(command),
            Err(error) => self.misunderstood(&error),
        }
    }

    fn misunderstood(&mut self, error: &CommandError) {
        if *error == CommandError::Unknown {
            self.unknown += 1;
            if self.unknown >= self.context.limits.unknown_commands_max {
                return self.say_and_close(replies::TOO_MANY_UNKNOWN, "too many unknown commands");
            }
        }
        let (code, enhanced, text) = replies::misunderstood(error);
        self.say_text(code, enhanced, text);
        if *error == CommandError::BadChunk {
            self.close("a chunk without a size"); // its bytes cannot be told from commands
        }
    }

    fn run(&mut self, command: Command) {
        let refused = self.before(&command);
        match (command, refused) {
            // RFC 3030 §2: the chunk follows in any case
            (Command::Bdat { size, last }, Err(refusal)) => self.bdat(size, last, Some(refusal)),
            (_, Err(refusal)) => self.say_reply(refusal),
            (Command::Bdat { size, last }, Ok(())) => self.bdat(size, last, None),
            (Command::Ehlo(name), _) => self.hello(name, true),
            (Command::Helo(name), _) => self.hello(name, false),
            (Command::StartTls, _) => self.start_tls(),
            (Command::Auth { mechanism, initial }, _) => {
                self.auth(
                    &mechanism,
                    initial.as_ref().map(|initial| initial.reveal().as_bytes()),
                );
            }
            (Command::Mail(mail), _) => self.mail(mail),
            (Command::Rcpt(rcpt), _) => self.rcpt(rcpt),
            (Command::Data, _) => self.data(),
            (Command::Rset, _) => {
                self.transaction = None;
                self.say(replies::FLUSHED);
            }
            (Command::Noop, _) => self.say(replies::OK),
            (Command::Vrfy(_), _) => self.say(replies::TRY),
            (Command::Expn(_), _) => self.say(replies::UNIMPLEMENTED),
            (Command::Help(_), _) => {
                let help = self.context.help_url.clone();
                self.say_text(214, Enhanced(2, 0, 0), help);
            }
            (Command::Quit, _) => self.say_and_close(replies::BYE, "client left"),
        }
    }

    /// Whether a command may come now: first TLS, then EHLO, then AUTH, then the order of a transaction (wire §5.2).
    fn before(&self, command: &Command) -> Result<(), Reply> {
        use Command::{Auth, Bdat, Data, Ehlo, Helo, Mail, Noop, Quit, Rcpt, StartTls};
        // RFC 3207 §4 lets four commands through; HELO is answered, too
        let in_clear = matches!(command, Ehlo(_) | Helo(_) | Noop | Quit | StartTls);
        if self.role == Role::SubmissionStartTls && !self.tls && !in_clear {
            return Err(reply(replies::TLS_FIRST));
        }
        let of_mail = matches!(command, Mail(_) | Rcpt(_) | Data | Bdat { .. });
        if self.hello.is_none() && (of_mail || matches!(command, Auth { .. } | StartTls)) {
            return Err(reply(replies::EHLO_FIRST));
        }
        if self.transaction.is_some() && matches!(command, Mail(_) | Auth { .. } | StartTls) {
            return Err(reply(replies::BAD_SEQUENCE));
        }
        if of_mail && self.role.is_submission() && self.signed.is_none() {
            let first = "Authentication Required. For more information, go to".to_owned();
            let lines = vec![first, format!("{}?p=WantAuthError", self.context.help_url)];
            return Err(Reply {
                code: 530,
                enhanced: Some(Enhanced(5, 7, 0)),
                lines,
            });
        }
        let Some(transaction) = &self.transaction else {
            let needs_mail = matches!(command, Rcpt(_) | Data | Bdat { .. });
            return if needs_mail {
                Err(reply(replies::MAIL_FIRST))
            } else {
                Ok(())
            };
        };
        match command {
            Data if transaction.chunks.is_some() => Err(reply(replies::NO_DATA_AFTER_BDAT)),
            Rcpt(_) if transaction.chunks.is_some() => Err(reply(replies::BAD_SEQUENCE)),
            Data | Bdat { .. }
                if transaction.chunks.is_none() && transaction.recipients.is_empty() =>
            {
                Err(reply(replies::RCPT_FIRST))
            }
            _ => Ok(()),
        }
    }

    fn hello(&mut self, name: ClientName, extended: bool) {
        self.transaction = None; // RFC 5321 §4.1.4
        self.hello = Some(Box::new(Hello { name, extended }));
        let host = &self.context.host;
        if !extended {
            return self.say_reply(Reply::new(250, None, format!("{host} at your service")));
        }
        let mut lines = vec![format!(
            "{host} at your service, [{}]",
            self.peer.to_canonical()
        )];
        lines.push(format!("SIZE {}", self.context.limits.message_bytes_max));
        lines.push("8BITMIME".into());
        if self.role.has_starttls() && !self.tls {
            lines.push("STARTTLS".into());
        } else if self.role.is_submission() {
            let (configured, now) = (&self.context.mechanisms, self.now.wall);
            let all = sign_in::announced(configured, &self.channel, now);
            let names: Vec<_> = all.map(Mechanism::name).collect();
            if !names.is_empty() {
                lines.push(format!("AUTH {}", names.join(" ")));
            }
        }
        lines.extend(
            ["ENHANCEDSTATUSCODES", "PIPELINING", "CHUNKING", "SMTPUTF8"].map(String::from),
        );
        self.say_bare(&Reply {
            code: 250,
            enhanced: None,
            lines,
        });
    }

    fn start_tls(&mut self) {
        if self.tls {
            return self.say(replies::TLS_TWICE);
        }
        if !self.role.has_starttls() {
            return self.say(replies::UNIMPLEMENTED);
        }
        // What stands behind it was sent in clear, perhaps by somebody else (RFC 3207 §6): nothing of it is run.
        if self.lines.discard() > 0 {
            return self.say_and_close(replies::PIPELINED_TLS, "commands behind STARTTLS");
        }
        self.say_short(replies::READY_FOR_TLS);
        self.doing = Doing::Tls;
    }

    // ---- a transaction ------------------------------------------------------------------------------------------------

    fn mail(&mut self, mail: MailFrom) {
        if mail
            .size
            .is_some_and(|size| size > self.context.limits.message_bytes_max)
        {
            return self.say(replies::TOO_LARGE); // RFC 1870 §6.1
        }
        self.transaction = Some(Box::new(Transaction {
            sender: mail.sender,
            utf8: mail.smtputf8,
            recipients: Vec::new(),
            chunks: None,
            deadline: None,
        }));
        self.say(replies::SENDER_OK);
    }

    fn rcpt(&mut self, rcpt: RcptTo) {
        let Some(transaction) = &self.transaction else {
            return self.say(replies::MAIL_FIRST);
        };
        if transaction.recipients.len() >= self.context.limits.recipients_max {
            return self.say(replies::TOO_MANY_RECIPIENTS);
        }
        if !transaction.utf8 && !rcpt.recipient.address().is_none_or(Address::is_ascii) {
            return self.say(replies::NEEDS_UTF8);
        }
        let (context, way) = (Arc::clone(&self.context), self.way());
        self.doing = Doing::Job(Box::pin(async move {
            let recipient: ForwardPath = rcpt.recipient;
            Answer(Result_::Recipient(
                context.delivery.recipient(&recipient, &way).await,
            ))
        }));
    }

    fn recipient(&mut self, checked: Result<Destination, Refused>) {
        match checked {
            Ok(destination) => {
                if let Some(transaction) = &mut self.transaction {
                    transaction.recipients.push(destination);
                }
                self.say(replies::RECIPIENT_OK);
            }
            Err(refused) => {
                self.refuse("RCPT", &refused);
                self.refused_recipients += 1;
                if self.refused_recipients >= self.context.limits.refused_recipients_max {
                    self.say_and_close(replies::TOO_MANY_REFUSED, "too many refused recipients");
                }
            }
        }
    }

    fn refuse(&mut self, command: &'static str, refused: &Refused) {
        if refuse::concerns_owner(refused) {
            self.note(What::Failed {
                command,
                cause: refused.to_string(),
            });
        }
        let (code, enhanced, text) = refuse::reply(refused);
        self.say_text(code, enhanced, text);
    }

    fn way(&self) -> Way {
        match &self.signed {
            Some(signed) => Way::Submission {
                account: signed.principal.account().clone(),
                address: Arc::clone(signed.principal.address()),
            },
            None => Way::Incoming,
        }
    }

    fn data(&mut self) {
        let Some(acceptance) = self.accept() else {
            return self.say(replies::MAIL_FIRST);
        };
        self.say_reply(Reply::new(354, None, "Go ahead"));
        self.receive_text(Kind::Data(DataReader::new()), Some(acceptance), None, 0);
    }

    fn bdat(&mut self, size: u64, last: bool, refusal: Option<Reply>) {
        let chunks = self
            .transaction
            .as_mut()
            .and_then(|transaction| transaction.chunks.take());
        let (acceptance, before) = match (chunks, &refusal) {
            (_, Some(_)) => (None, 0),
            (Some((acceptance, before)), None) => (Some(acceptance), before),
            (None, None) => (self.accept(), 0),
        };
        let reader = ChunkReader::new(size);
        let kind = Kind::Chunk {
            reader,
            bytes: 0,
            last,
        };
        self.receive_text(kind, acceptance, refusal, before);
        // The announced size is enough to refuse it; what comes is read and dropped.
        let fits = before.saturating_add(size) <= self.context.limits.message_bytes_max;
        if let Some(text) = &mut self.text
            && !fits
        {
            text.too_large();
        }
    }

    fn receive_text(
        &mut self,
        kind: Kind,
        acceptance: Option<Box<Acceptance>>,
        refusal: Option<Reply>,
        before: u64,
    ) {
        let fresh = self.now.mono + self.context.limits.message;
        let deadline = match &mut self.transaction {
            Some(transaction) => *transaction.deadline.get_or_insert(fresh),
            None => fresh,
        };
        self.text = Some(Box::new(Text {
            kind,
            acceptance,
            refusal,
            is_too_large: false,
            done: false,
            before,
            deadline,
        }));
        self.doing = Doing::Text;
    }

    fn accept(&mut self) -> Option<Box<Acceptance>> {
        let (way, hello) = (self.way(), self.hello.as_ref()?);
        let trace = Trace {
            client: hello.name.as_str().to_owned(),
            peer: self.peer,
            session: self.token.to_string(),
            extended: hello.extended,
            tls: self.tls,
            authenticated: self.signed.is_some(),
            utf8: self.transaction.as_ref()?.utf8,
        };
        let transaction = self.transaction.as_mut()?;
        let letter = Letter {
            way,
            sender: transaction.sender.clone(),
            recipients: std::mem::take(&mut transaction.recipients),
            trace,
            at: self.now.wall,
        };
        Some(Box::new(self.context.delivery.accept(letter)))
    }

    /// Some of a message's text is there, or its end; false if more must come first.
    fn text_arrived(&mut self) -> bool {
        let limits = &self.context.limits;
        let Some(text) = &mut self.text else {
            self.doing = Doing::Commands;
            return true;
        };
        let arrived = !self.lines.pending().is_empty();
        let piece = text.take(&mut self.lines);
        if !arrived && !text.done {
            return false;
        }
        if text.bytes() > limits.message_bytes_max {
            text.too_large();
        }
        if text.bytes()
            > limits
                .message_bytes_max
                .saturating_add(limits.dropped_bytes_max)
        {
            self.say_and_close(replies::TOO_LARGE, "a message without end");
            return true;
        }
        let finish = text.done && text.is_last();
        match text.acceptance.take() {
            Some(acceptance) => self.doing = Doing::Job(hand_on(acceptance, piece, finish)),
            None if text.done => self.text_dropped(),
            None => {}
        }
        true
    }

    /// The end of a text that nobody wanted.
    fn text_dropped(&mut self) {
        self.doing = Doing::Commands;
        let Some(text) = self.text.take() else { return };
        if text.is_too_large {
            self.transaction = None;
        }
        match text.refusal {
            Some(reply) => self.say_reply(reply),
            None => self.say(replies::BAD_SEQUENCE),
        }
    }

    fn wrote(&mut self, acceptance: Box<Acceptance>) {
        self.doing = Doing::Text;
        match self.text.take() {
            Some(text) if text.done => {
                self.doing = Doing::Commands;
                if let Some(transaction) = &mut self.transaction {
                    transaction.chunks = Some((acceptance, text.bytes()));
                }
                self.say(replies::OK);
            }
            Some(mut text) => {
                text.acceptance = Some(acceptance);
                self.text = Some(text);
            }
            None => self.doing = Doing::Commands,
        }
    }

    fn finished(&mut self, outcome: Result<Accepted, Refused>) {
        self.doing = Doing::Commands;
        self.text = None;
        self.transaction = None;
        match outcome {
            Ok(accepted) => self.accepted(accepted),
            Err(refused) => self.refuse("DATA", &refused),
        }
    }

    fn accepted(&mut self, accepted: Accepted) {
        let Accepted {
            id,
            bytes,
            mut to,
            mut captured,
        } = accepted;
        to.truncate(TO_SHOWN_MAX);
        captured.truncate(TO_SHOWN_MAX);
        self.note(What::Accepted {
            bytes,
            to,
            id: id.clone(),
        });
        if !captured.is_empty() {
            self.note(What::Captured { to: captured, id });
        }
        // Seconds in the place where Gmail has them (wire §5.1).
        self.say_text(
            250,
            Enhanced(2, 0, 0),
            format!("OK {}", self.now.wall.div_euclid(1000)),
        );
    }
}

fn reply((code, enhanced, text): Line) -> Reply {
    Reply::new(code, Some(enhanced), text)
}

/// Gives a piece of a text to the delivery floor; with its end, commits the message.
fn hand_on(mut acceptance: Box<Acceptance>, piece: Bytes, finish: bool) -> Job<Answer> {
    Box::pin(async move {
        if !piece.is_empty() {
            acceptance.write(piece).await;
        }
        Answer(match finish {
            true => Result_::Finished(acceptance.finish().await),
            false => Result_::Wrote(acceptance),
        })
    })
}

impl crate::conversation::Conversation for Conversation {
    type Answer = Answer;

    fn advance(&mut self, now: Now) -> Step<Answer> {
        self.now = now;
        // Asked for, not waited for: a client that never stops talking would not be told.
        self.ended = self.ended.take().or_else(|| self.seat.ended());
        if std::mem::take(&mut self.stirred) {
            self.heard = now.mono;
        }
        // Replies gathered before it rest with it: they are on their way together.
        if let Some(until) = self.hold.rest(now) {
            return Step::Rest(until);
        }
        loop {
            let wants_more = self.closing.is_none()
                && matches!(self.doing, Doing::Commands | Doing::Sasl(_) | Doing::Text);
            if wants_more && self.out.len() < self.context.limits.replies_bytes {
                // While there is something to read replies are gathered (RFC 2920 §3.2).
                if self.end_if_due() || self.progress() {
                    continue;
                }
                if self.peer_left {
                    self.close("client left");
                    continue;
                }
            }
            if let Doing::Job(job) = &mut self.doing
                && self.closing.is_none()
            {
                let job = std::mem::replace(job, Box::pin(std::future::pending()));
                self.doing = Doing::Waiting;
                return Step::Run(job);
            }
            if !self.out.is_empty() {
                return Step::Send(std::mem::take(&mut self.out).into());
            }
            if let Some(reason) = &self.closing {
                let reason = reason.clone();
                if !std::mem::replace(&mut self.closed, true) {
                    self.note(What::Closed { reason });
                }
                return Step::Close;
            }
            if matches!(self.doing, Doing::Tls) {
                self.doing = Doing::Commands;
                return Step::UpgradeTls;
            }
            self.lines.release();
            return Step::Read(Until {
                mono: self.patience(),
                wall: None,
            });
        }
    }

    fn receive(&mut self, bytes: &[u8]) {
        match bytes {
            [] => self.peer_left = true,
            bytes => {
                self.stirred = true;
                self.lines.feed(bytes);
            }
        }
    }

    fn answer(&mut self, answer: Answer, now: Now) {
        self.now = now;
        // A slow job is no silence of the client.
        self.heard = self.heard.max(now.mono);
        if self.closing.is_some() {
            return;
        }
        match answer.0 {
            Result_::Checked(checked) => self.checked(checked),
            Result_::Recipient(checked) => {
                self.doing = Doing::Commands;
                self.recipient(checked);
            }
            Result_::Wrote(acceptance) => self.wrote(acceptance),
            Result_::Finished(outcome) => self.finished(outcome),
        }
    }

    fn hear(&mut self, news: News) {
        if let News::Ended(end) = news {
            self.ended = Some(end);
        }
    }

    /// Nothing learned in clear is kept (RFC 3207 §4.2).
    fn secured(&mut self) {
        self.tls = true;
        self.hello = None;
        self.transaction = None;
        self.lines.discard();
    }

    fn bind(&mut self, channel: Channel) {
        self.channel = channel;
    }

    fn seat(&mut self) -> &mut Seat {
        &mut self.seat
    }
}
