//! A conversation in which things go wrong. It stands between the driver and the real conversation, hands it one command
//! at a time, and now and then answers in its place, waits, cuts or closes. The real one never knows.

use super::cutter::{Cutter, Unit, What, is_last_chunk};
use super::login::{self, Login, Offer};
use super::names::{CONNECT, LOGIN, MESSAGE, RCPT, Service};
use super::words::{self, Told};
use super::{Faults, Kind, Strike};
use bytes::Bytes;
use pillarbox_protocols::conversation::{Channel, Conversation, News, Now, Step, Until};
use pillarbox_protocols::events::{self, Event};
use pillarbox_protocols::sessions::{End, Protocol, Seat};
use pillarbox_wire::sasl::scram::ChannelBindings;
use pillarbox_wire::sasl::{self, Dummy, Exchange, Failure, Mechanism};
use pillarbox_wire::smtp;
use std::collections::VecDeque;
use std::net::IpAddr;
use std::time::Duration;

/// A refused client that never sends the dummy of wire §2.2 gets its refusal all the same, as from the real ones.
const SILENCE_BEFORE_DUMMY: Duration = Duration::from_secs(10);
/// What an expired POP session says to the next command, and how long it waits for one (wire §6).
const POP_EXPIRED: &[u8] = b"-ERR [SYS/TEMP] Session expired, please login again.\r\n";
const SILENCE_AFTER_THE_END: Duration = Duration::from_secs(30);
/// Half of an answer is half of at most so much: an answer is not gathered whole.
const GATHERED_OCTETS_MAX: usize = 64 * 1_024;
/// Recipients remembered of a message that comes in; the real conversation takes no more either.
const RECIPIENTS_MAX: usize = 100;
/// A throttled answer goes out in so many pieces a second, if it has so many octets.
const PIECES_A_SECOND: u32 = 10;
/// The word behind the session token in SMTP's replies (wire §5.1).
const SOURCE: &str = "pillarbox";
/// Why a session ended that was made to expire.
const EXPIRED_ON_PURPOSE: &str = "the fault “expired”, on purpose";
/// And one that was cut off, or refused for the last time.
const CLOSED_ON_PURPOSE: &str = "a fault, on purpose";

/// What a job results in.
pub enum Answer<A> {
    /// The real conversation's.
    Real(A),
    /// A delay is over.
    Waited,
}

/// What happens to the answer of the command under way.
enum Mode {
    /// It is sent as it is.
    Pass,
    /// It is sent slowly, in octets a second, as long as this rule stands.
    Slow(u32, u64),
    /// It is gathered, and half of it sent.
    Half(Vec<u8>),
    /// Nobody hears it: somebody else has answered.
    Mute,
}

/// The refusal that follows when the client has answered the JSON challenge (wire §2.2).
struct Dialogue {
    exchange: Exchange,
    tag: String,
    told: Told,
    /// On the monotonic clock.
    patience: Duration,
}

/// A conversation with faults.
pub struct Faulty<C> {
    real: C,
    faults: Faults,
    protocol: Protocol,
    service: Service,
    peer: IpAddr,
    now: Now,
    /// AUTH may be said: the connection is encrypted.
    secure: bool,
    greeted: bool,
    cutter: Cutter,
    mode: Mode,
    /// The answer under way asks the client to go on with its command.
    asks: bool,
    out: VecDeque<Bytes>,
    /// How long, and which rule wants it.
    pause: Option<(Duration, u64)>,
    /// To be handed on after the pause.
    waiting: Option<Vec<u8>>,
    /// The tag of IMAP's command under way.
    tag: String,
    /// An AUTHENTICATE that the real conversation leads; it is watched until the client says who it is.
    watched: Option<Exchange>,
    dialogue: Option<Box<Dialogue>>,
    /// What SCRAM may be bound to.
    bindings: ChannelBindings,
    /// POP's USER.
    named: Option<String>,
    /// Whom a message that comes in is for.
    recipients: Vec<String>,
    /// What goes wrong at the end of the text that is coming, and what its sender is told then.
    ending: Option<(Strike, Option<Told>)>,
    /// When the session expires, on the monotonic clock, and which rule wants it.
    expires: Option<(Duration, u64)>,
    /// A POP session has expired, and waits until then for a command to say so to.
    expired: Option<Duration>,
    closing: bool,
    /// The session itself said why it ended, or a fault on purpose was named as the cause.
    end_noted: bool,
    peer_left: bool,
    /// The session has lost its authority: nothing goes wrong on purpose any more, and nothing is held back.
    over: bool,
}

impl<C: Conversation> Faulty<C> {
    /// Around a conversation that has not begun.
    pub fn new(
        real: C,
        faults: Faults,
        protocol: Protocol,
        secure: bool,
        peer: IpAddr,
        now: Now,
    ) -> Self {
        let service = protocol.into();
        Self {
            real,
            faults,
            protocol,
            service,
            peer,
            now,
            secure,
            greeted: false,
            cutter: Cutter::new(service),
            mode: Mode::Pass,
            asks: false,
            out: VecDeque::new(),
            pause: None,
            waiting: None,
            tag: String::new(),
            watched: None,
            dialogue: None,
            bindings: ChannelBindings::default(),
            named: None,
            recipients: Vec::new(),
            ending: None,
            expires: None,
            expired: None,
            closing: false,
            end_noted: false,
            peer_left: false,
            over: false,
        }
    }

    fn strike(&mut self, commands: &[&'static str]) -> Option<Strike> {
        let seat = self.real.seat();
        let (faults, recipients) = (&self.faults, &self.recipients);
        let accounts = || match self.service {
            Service::Mx if commands == [RCPT] => recipients.last().cloned().into_iter().collect(),
            Service::Mx => recipients.clone(),
            _ => faults.signed_in(seat.token()).into_iter().collect(),
        };
        faults.strike(self.service, commands, accounts)
    }

    /// Whom a message that comes in is for, as far as its sender has said.
    fn note_recipient(&mut self, name: &str, line: &[u8]) {
        if self.service != Service::Mx {
            return;
        }
        match name {
            RCPT if self.recipients.len() < RECIPIENTS_MAX => {
                self.recipients.push(recipient(line).unwrap_or_default());
            }
            "mail" | "rset" | "ehlo" => self.recipients.clear(),
            _ => {}
        }
    }

    /// A session that a fault closes says nothing of its end itself.
    fn note_end(&mut self) {
        if std::mem::replace(&mut self.end_noted, true) {
            return;
        }
        let reason = match self.expired {
            Some(_) => EXPIRED_ON_PURPOSE,
            None => CLOSED_ON_PURPOSE,
        };
        let event = self.event(events::What::Closed {
            reason: reason.into(),
        });
        self.faults.note_end(event);
    }

    fn event(&mut self, what: events::What) -> Event {
        Event {
            at: self.now.wall,
            protocol: self.protocol,
            session: self.real.seat().token().into(),
            peer: self.peer,
            what,
        }
    }

    fn note(&mut self, strike: &Strike, told: Option<&Told>) {
        let event = self.event(events::What::Connected);
        let told = told.map(|told| told.text.replace('\n', " "));
        self.faults.note(event, strike, told);
    }

    // ---- what arrives -----------------------------------------------------------------------------------------------

    fn unit(&mut self, unit: Unit) {
        match unit.what {
            What::Command => self.command(unit.octets),
            What::Response => self.response(unit.octets),
            What::Rest => self.hand_on(unit.octets),
            What::End => self.message_ends(unit.octets),
        }
    }

    /// The text of a message is about to come. What will go wrong at its end is known now, because a message that will be
    /// refused must not be taken by the real conversation. What is put before it makes it refuse the whole.
    fn text_begins(&mut self) {
        self.ending = self.strike(&[MESSAGE]).map(|strike| {
            let help = self.faults.help_url();
            let told = words::told(self.service, MESSAGE, strike.kind, false, help);
            (strike, told)
        });
        if let Some((_, Some(_))) = self.ending {
            self.real.receive(match self.service {
                Service::Mx => b"\n",    // a bare line feed
                _ => b"\r\n".as_slice(), // no header, hence nobody it is from
            });
        }
    }

    fn message_ends(&mut self, octets: Vec<u8>) {
        let Some((strike, told)) = self.ending.take() else {
            return self.hand_on(octets);
        };
        self.note(&strike, told.as_ref());
        match told {
            Some(told) => {
                self.mode = Mode::Mute;
                self.hand_on(octets);
                self.say(&told);
            }
            None => self.go_wrong(&strike, octets),
        }
    }

    fn hand_on(&mut self, octets: Vec<u8>) {
        self.asks = false;
        if !octets.is_empty() {
            self.real.receive(&octets); // nothing would mean that the client left
        }
    }

    fn command(&mut self, line: Vec<u8>) {
        self.watched = None;
        if self.expired.is_some() {
            self.out.push_back(Bytes::from_static(POP_EXPIRED));
            return self.closing = true;
        }
        let Some((tag, name)) = name_of(self.service, &line) else {
            return self.hand_on(line);
        };
        self.tag = tag;
        if name == "starttls" && self.strike_plain(name, &line) {
            return;
        }
        if name == "starttls" {
            // What stands behind it is judged and thrown away by the real conversation (RFC 3207 §4.2).
            let behind = self.cutter.take_all();
            return self.hand_on([line, behind].concat());
        }
        self.note_recipient(name, &line);
        if name != LOGIN {
            if !self.strike_plain(name, &line) {
                self.hand_on(line);
            }
            return;
        }
        if !self.secure {
            return self.hand_on(line); // the real conversation asks for TLS first
        }
        let named = self.named.as_deref();
        match login::read(self.service, &line, named, &self.bindings) {
            Some(Login::Named(user)) => self.named = Some(user),
            Some(Login::Begun(exchange)) => self.watched = Some(exchange),
            Some(Login::Complete(offer)) => return self.login(offer, line, false),
            None => {}
        }
        self.hand_on(line);
    }

    /// A command that is not about signing in; whether something went wrong, and the line is taken care of.
    fn strike_plain(&mut self, name: &'static str, line: &[u8]) -> bool {
        let ends_message = is_last_chunk(line);
        let struck = match ends_message {
            true => self.strike(&[name, MESSAGE]),
            false => self.strike(&[name]),
        };
        let Some(strike) = struck else {
            return false;
        };
        match words::told(
            self.service,
            name,
            strike.kind,
            false,
            self.faults.help_url(),
        ) {
            Some(told) => {
                if name == RCPT {
                    self.recipients.pop();
                }
                self.note(&strike, Some(&told));
                self.cutter.skip();
                if ends_message {
                    // The transaction is over (RFC 3030 §2), and so it is for the real conversation.
                    self.mode = Mode::Mute;
                    self.real.receive(b"RSET\r\n");
                }
                self.say(&told);
            }
            None => {
                self.note(&strike, None);
                self.go_wrong(&strike, line.to_vec());
            }
        }
        true
    }

    /// A kind that does not refuse.
    fn go_wrong(&mut self, strike: &Strike, line: Vec<u8>) {
        let rule = strike.rule;
        match strike.kind {
            Kind::Drop => return self.closing = true,
            Kind::Delay(by) => {
                self.pause = Some((by, rule));
                return self.waiting = Some(line);
            }
            Kind::Throttle(rate) => self.mode = Mode::Slow(rate, rule),
            Kind::Half => self.mode = Mode::Half(Vec::new()),
            Kind::Expired(after) => self.expires = Some((self.now.mono + after, rule)),
            // These have words, or are for endpoints.
            Kind::Refuse
            | Kind::Overquota
            | Kind::TooManyConnections
            | Kind::Revoked
            | Kind::InvalidGrant
            | Kind::ServerError
            | Kind::TemporarilyUnavailable
            | Kind::Status(_) => {}
        }
        self.hand_on(line);
    }

    // ---- sign-in ----------------------------------------------------------------------------------------------------

    fn response(&mut self, line: Vec<u8>) {
        let text = line.trim_ascii_end();
        if let Some(mut dialogue) = self.dialogue.take() {
            let step = dialogue.exchange.receive(text);
            return self.refused(
                &dialogue,
                matches!(step, sasl::Step::Fail(Failure::Refused(Dummy::Unusual))),
            );
        }
        if let Some(mut exchange) = self.watched.take() {
            let step = exchange.receive(text);
            match login::go_on(exchange, step) {
                Some(Login::Begun(exchange)) => self.watched = Some(exchange),
                Some(Login::Complete(offer)) => return self.login(offer, line, true),
                Some(Login::Named(_)) | None => {}
            }
        }
        self.hand_on(line);
    }

    /// Somebody has said who it is. `led`: the real conversation leads the exchange and waits for this line.
    fn login(&mut self, offer: Offer, line: Vec<u8>, led: bool) {
        let user = offer.user;
        let accounts = || user.into_iter().collect();
        let Some(strike) = self.faults.strike(self.service, &[LOGIN], accounts) else {
            return self.hand_on(line);
        };
        let mechanism = offer.exchange.as_ref().map(Exchange::mechanism);
        let bearer = mechanism.is_some_and(Mechanism::is_bearer);
        let help = self.faults.help_url();
        let Some(told) = words::told(self.service, LOGIN, strike.kind, bearer, help) else {
            self.note(&strike, None);
            return self.go_wrong(&strike, line);
        };
        self.note(&strike, Some(&told));
        self.cutter.skip();
        if led {
            // It hears that the client gave up (RFC 9051 §6.2.2), and nobody hears what it says to that.
            self.mode = Mode::Mute;
            self.real.receive(b"*\r\n");
        }
        let challenge =
            offer.exchange.and_then(
                |mut exchange| match exchange.refused(self.faults.issuer()) {
                    sasl::Step::Challenge(text) => Some((exchange, text)),
                    _ => None,
                },
            );
        match challenge {
            None => self.say(&told),
            Some((exchange, challenge)) => {
                let mark = if self.service == Service::Smtp {
                    "334"
                } else {
                    "+"
                };
                self.out.push_back(format!("{mark} {challenge}\r\n").into());
                self.cutter.expect_response();
                self.dialogue = Some(Box::new(Dialogue {
                    exchange,
                    tag: self.tag.clone(),
                    told,
                    patience: self.now.mono + SILENCE_BEFORE_DUMMY,
                }));
            }
        }
    }

    /// The client has answered the challenge, or never will.
    fn refused(&mut self, dialogue: &Dialogue, unusual: bool) {
        self.tag.clone_from(&dialogue.tag);
        if unusual && self.service == Service::Pop {
            // Wire §2.2: anything but the usual dummy is a bad command there.
            self.out
                .push_back(Bytes::from_static(b"-ERR bad command\r\n"));
        } else {
            self.say(&dialogue.told);
        }
    }

    // ---- answers ------------------------------------------------------------------------------------------------------

    fn say(&mut self, told: &Told) {
        let mut text = told.text.replace('\n', "\r\n");
        match self.service {
            Service::Imap if !text.starts_with('*') => text = format!("{} {text}", self.tag),
            Service::Smtp | Service::Mx => {
                text = format!("{text} {} - {SOURCE}", self.real.seat().token());
            }
            Service::Imap | Service::Pop | Service::Oauth => {}
        }
        self.out.push_back(format!("{text}\r\n").into());
        self.closing |= told.closes;
    }

    /// Something the real conversation says.
    fn said(&mut self, bytes: Bytes) {
        self.asks |= asks(self.service, &bytes);
        match &mut self.mode {
            Mode::Mute => {}
            Mode::Pass | Mode::Slow(..) => self.out.push_back(bytes),
            Mode::Half(gathered) => {
                gathered.extend_from_slice(&bytes);
                if gathered.len() >= GATHERED_OCTETS_MAX {
                    self.break_off();
                }
            }
        }
    }

    /// Half of what was gathered, and the end.
    fn break_off(&mut self) {
        if let Mode::Half(mut gathered) = std::mem::replace(&mut self.mode, Mode::Mute) {
            gathered.truncate(gathered.len() / 2);
            self.out.push_back(gathered.into());
            self.closing = true;
        }
    }

    /// What is to be sent now: all of a piece, or as much as may go out before the next pause.
    fn piece(&mut self) -> Option<Bytes> {
        let mut piece = self.out.pop_front()?;
        if let Mode::Slow(rate, rule) = self.mode {
            if !self.faults.holds(rule) {
                self.mode = Mode::Pass;
                return Some(piece);
            }
            let octets = (rate / PIECES_A_SECOND).max(1);
            let rest = piece.split_off(piece.len().min(octets as usize));
            if !rest.is_empty() {
                self.out.push_front(rest);
            }
            self.pause = Some((Duration::from_secs(1) * piece.len() as u32 / rate, rule));
        }
        Some(piece)
    }

    /// The greeting's turn.
    fn connect(&mut self) {
        let Some(strike) = self.strike(&[CONNECT]) else {
            return;
        };
        let told = words::told(
            self.service,
            CONNECT,
            strike.kind,
            false,
            self.faults.help_url(),
        );
        self.note(&strike, told.as_ref());
        match told {
            Some(told) => self.say(&told),
            None => {
                self.go_wrong(&strike, Vec::new());
                self.waiting = None;
            }
        }
    }

    /// The real conversation waits: with the next piece of what the client sent, or for more of it.
    fn next(&mut self, until: Until) -> Option<Until> {
        if let Mode::Half(_) = self.mode {
            self.break_off();
            return None;
        }
        self.mode = Mode::Pass;
        if self.cutter.settle(std::mem::take(&mut self.asks)) {
            self.text_begins();
        }
        if let Some(unit) = self.cutter.next() {
            self.unit(unit);
            return None;
        }
        if std::mem::take(&mut self.peer_left) {
            let rest = self.cutter.take_all();
            if !rest.is_empty() {
                self.real.receive(&rest);
            }
            self.real.receive(&[]);
            return None;
        }
        let patience = self.dialogue.as_ref().map(|dialogue| dialogue.patience);
        let expires = self.expires.map(|(at, _)| at);
        let mono = [patience, expires, self.expired]
            .into_iter()
            .flatten()
            .fold(until.mono, Duration::min);
        Some(Until { mono, ..until })
    }

    /// A session that ends answers what the client has sent already, or hangs up on silence: it must see which it is.
    fn step_aside_at_the_end(&mut self) {
        if !self.over && self.real.seat().ended().is_some() {
            self.over = true;
            let held = self.cutter.take_all();
            self.hand_on(held);
        }
    }

    /// What the time alone brings.
    fn time_passes(&mut self) {
        let due = self.expires.take_if(|(at, _)| self.now.mono >= *at);
        if due.is_some_and(|(_, rule)| self.faults.holds(rule)) {
            match self.service {
                // Words are for the next command (wire §6); of a session that was revoked it would just hang up.
                Service::Pop => self.expired = Some(self.now.mono + SILENCE_AFTER_THE_END),
                // In its own words, and at the place it finds right: never inside a literal.
                _ => {
                    let end = End::Revoked(EXPIRED_ON_PURPOSE.into());
                    self.real.hear(News::Ended(end));
                }
            }
        }
        self.closing |= self.expired.is_some_and(|until| self.now.mono >= until);
        let silent = |dialogue: &mut Box<Dialogue>| self.now.mono >= dialogue.patience;
        if let Some(dialogue) = self.dialogue.take_if(silent) {
            self.refused(&dialogue, false);
            self.closing = true;
        }
    }
}

impl<C: Conversation> Conversation for Faulty<C>
where
    C::Answer: 'static,
{
    type Answer = Answer<C::Answer>;

    fn advance(&mut self, now: Now) -> Step<Self::Answer> {
        self.now = now;
        if !std::mem::replace(&mut self.greeted, true) {
            self.connect();
        }
        loop {
            if let Some((by, rule)) = self.pause.take() {
                let faults = self.faults.clone();
                return Step::Run(Box::pin(async move {
                    faults.pause(by, rule).await;
                    Answer::Waited
                }));
            }
            self.time_passes();
            if let Some(piece) = self.piece() {
                return Step::Send(piece);
            }
            if self.closing {
                self.note_end();
                return Step::Close;
            }
            if let Some(line) = self.waiting.take() {
                self.hand_on(line);
            }
            self.step_aside_at_the_end();
            match self.real.advance(now) {
                Step::Send(bytes) => self.said(bytes),
                Step::Run(job) => {
                    return Step::Run(Box::pin(async move { Answer::Real(job.await) }));
                }
                Step::UpgradeTls => return Step::UpgradeTls,
                Step::Read(until) => {
                    if let Some(until) = self.next(until) {
                        return Step::Read(until);
                    }
                }
                Step::Rest(until) => return Step::Rest(until),
                Step::Close => {
                    self.break_off();
                    self.end_noted = true;
                    self.closing = true;
                }
            }
        }
    }

    fn receive(&mut self, bytes: &[u8]) {
        match bytes {
            [] => self.peer_left = true,
            bytes if self.over => self.real.receive(bytes),
            bytes => self.cutter.feed(bytes),
        }
    }

    fn answer(&mut self, answer: Self::Answer, now: Now) {
        if let Answer::Real(answer) = answer {
            self.real.answer(answer, now);
        }
    }

    fn hear(&mut self, news: News) {
        self.real.hear(news);
    }

    fn secured(&mut self) {
        // Nothing learned in clear is kept (RFC 3207 §4.2).
        self.cutter = Cutter::new(self.service);
        self.secure = true;
        self.real.secured();
    }

    fn bind(&mut self, channel: Channel) {
        self.bindings = channel.bindings.clone();
        self.real.bind(channel);
    }

    fn seat(&mut self) -> &mut Seat {
        self.real.seat()
    }
}

/// The tag (IMAP) and the one name of a command, if it is one a fault can be set on.
fn name_of(service: Service, line: &[u8]) -> Option<(String, &'static str)> {
    let line = std::str::from_utf8(line.trim_ascii_end())
        .or_else(|error| std::str::from_utf8(&line[..error.valid_up_to()]))
        .ok()?;
    let mut words = line.split(' ');
    let tag = match service {
        Service::Imap => words
            .next()
            .filter(|tag| tag.bytes().all(|octet| octet.is_ascii_graphic()))?,
        _ => "",
    };
    let mut name = words.next()?;
    if service == Service::Imap && name.eq_ignore_ascii_case("UID") {
        name = words.next()?;
    }
    // POP's USER is half of a sign-in, and no more.
    let name = match service {
        Service::Pop if name.eq_ignore_ascii_case("USER") => LOGIN,
        // A moment has no command.
        _ => service
            .command(name)
            .filter(|name| !matches!(*name, CONNECT | MESSAGE))?,
    };
    Some((tag.to_owned(), name))
}

/// The address behind RCPT TO.
fn recipient(line: &[u8]) -> Option<String> {
    match smtp::Command::parse(line.trim_ascii_end()).ok()? {
        smtp::Command::Rcpt(smtp::RcptTo {
            recipient: smtp::ForwardPath::Address(address),
        }) => Some(address.to_string()),
        _ => None,
    }
}

/// Whether the server asks the client to go on with its command.
fn asks(service: Service, said: &[u8]) -> bool {
    match service {
        Service::Imap | Service::Pop => said.starts_with(b"+ "),
        _ => said.starts_with(b"334 ") || said.starts_with(b"354 "),
    }
}

#[cfg(test)]
mod tests;
