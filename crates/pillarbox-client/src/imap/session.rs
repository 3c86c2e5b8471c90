//! The connection: sign-in, one command at a time, its end, and the next one.

use super::message::{Event, Selected};
use crate::credentials::{Ask, Credentials, dummy};
use crate::link::{Dial, Link};
use crate::{Error, Refusal, Server};
use pillarbox_wire::imap::command::Authenticate;
use pillarbox_wire::imap::reply::{Reply, ReplyFramer, Status, Untagged, parse};
use pillarbox_wire::imap::{Body, Code, Command, Kind, Literals, Secret, Tag};
use pillarbox_wire::sasl::{self, Mechanism, from_base64};
use std::collections::VecDeque;
use std::sync::Arc;
use tokio::time::Instant;

/// Literals of this size need no permission where LITERAL- is offered (RFC 7888 §5).
const LITERAL_MINUS_BYTES: usize = 4096;

/// A signed-in connection.
///
/// One that has ended ([`Error::ends_session`]) stays ended until [`Session::reconnect`]. A command whose future is dropped
/// half-way ends the session, as its answer would be taken for the next one's; [`Session::wait`] may be dropped at will.
pub struct Session {
    pub(super) home: Home,
    pub(super) link: Link,
    framer: ReplyFramer,
    pub(super) capabilities: Vec<String>,
    tags: u32,
    pub(super) selected: Option<Place>,
    events: VecDeque<Event>,
    pub(super) state: State,
}

/// What is needed to sign in again.
#[derive(Clone)]
pub(super) struct Home {
    pub(super) dial: Arc<dyn Dial>,
    pub(super) credentials: Credentials,
}

/// The mailbox to be opened again.
#[derive(Clone)]
pub(super) struct Place {
    pub(super) mailbox: String,
    pub(super) read_only: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum State {
    /// A command may be sent.
    Ready,
    /// One is being sent or answered.
    Busy,
    /// In IDLE (RFC 2177).
    Idle {
        tag: Tag,
        /// The server's `+` has come.
        begun: bool,
        /// DONE was sent.
        done: bool,
        /// When to begin again.
        until: Instant,
    },
    /// Why.
    Ended(String),
}

/// A command that was obeyed.
pub(super) struct Answer {
    pub(super) status: Status,
    pub(super) untagged: Vec<Untagged>,
}

impl Session {
    /// Connects with TLS and signs in. A bearer token that is refused is asked for once more ([`Ask::Another`]).
    ///
    /// # Errors
    /// [`Error::SignIn`] if the server refuses; [`Error::Token`] if it does because the consent has ended;
    /// [`Error::Connect`], [`Error::Tls`] and others before that.
    pub async fn connect(server: &Server, credentials: &Credentials) -> Result<Self, Error> {
        let home = Home {
            dial: Arc::new(server.clone()),
            credentials: credentials.clone(),
        };
        Self::open(home).await
    }

    pub(super) async fn open(home: Home) -> Result<Self, Error> {
        let refused = match Self::open_with(&home, Ask::Token).await {
            Err(Error::SignIn(r)) if home.credentials.has_tokens() && !r.temporary => r,
            other => return other,
        };
        match Self::open_with(&home, Ask::Another).await {
            Err(Error::Token(cause)) => Err(Error::without_another(refused, cause)),
            other => other,
        }
    }

    async fn open_with(home: &Home, ask: Ask) -> Result<Self, Error> {
        // Before the server waits for us; it may take a person's consent.
        let secret = home.credentials.secret(ask).await?;
        let stream = home.dial.secure(home.dial.plain().await?).await?;
        let limits = home.dial.limits();
        let mut session = Self {
            home: home.clone(),
            link: Link::new(stream, limits),
            framer: ReplyFramer::new(limits.reply_bytes_max),
            capabilities: Vec::new(),
            tags: 0,
            selected: None,
            events: VecDeque::new(),
            state: State::Ready,
        };
        session.greeting().await?;
        session.sign_in(&secret).await?;
        Ok(session)
    }

    /// Signs in again after the session has ended, and opens the mailbox that was open. What happened in between is for the
    /// caller to find out by comparing [`Selected::uid_validity`], [`Selected::uid_next`] and [`Selected::highest_mod_seq`].
    ///
    /// # Errors
    /// As [`Session::connect`] and [`Session::select`]; the session is then as it was, and this may be tried again.
    pub async fn reconnect(&mut self) -> Result<Option<Selected>, Error> {
        let mut fresh = Self::open(self.home.clone()).await?;
        let selected = match self.selected.clone() {
            None => None,
            Some(place) => Some(fresh.open_mailbox(&place.mailbox, place.read_only).await?),
        };
        *self = fresh;
        Ok(selected)
    }

    /// Whether nothing but [`Session::reconnect`] is possible.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        matches!(self.state, State::Ended(_) | State::Busy)
    }

    /// What the server said it can do, as it wrote it.
    #[must_use]
    pub fn capabilities(&self) -> &[String] {
        &self.capabilities
    }

    /// Whether it can do this, in any letter case.
    #[must_use]
    pub fn has(&self, capability: &str) -> bool {
        self.capabilities
            .iter()
            .any(|name| name.eq_ignore_ascii_case(capability))
    }

    /// What the server has said unasked since the last call, in order.
    pub fn take_events(&mut self) -> Vec<Event> {
        self.events.drain(..).collect()
    }

    /// Says goodbye.
    ///
    /// # Errors
    /// [`Error`] if the connection breaks first; there is nothing to do about it.
    pub async fn logout(mut self) -> Result<(), Error> {
        match self.run(Body::Logout).await {
            // BYE is the answer here; the tagged OK that follows it need not be waited for.
            Err(Error::Ended(_)) | Ok(_) => Ok(()),
            Err(error) => Err(error),
        }
    }

    async fn greeting(&mut self) -> Result<(), Error> {
        match self.reply().await? {
            Reply::Untagged(Untagged::Status(status)) if status.kind == Kind::Ok => {
                self.learn(&status);
                Ok(())
            }
            Reply::Untagged(Untagged::Status(status)) if status.kind == Kind::Bye => {
                Err(self.end(Error::Ended(status.text)))
            }
            // PREAUTH: somebody is signed in here already, and whose mail would we read?
            other => Err(self.broken(format!("greeting {other:?}"))),
        }
    }

    async fn sign_in(&mut self, secret: &sasl::Secret) -> Result<(), Error> {
        if self.capabilities.is_empty() {
            self.ask_capabilities().await?;
        }
        let offered = self.capabilities.iter().filter_map(|name| {
            let (auth, mechanism) = name.split_at_checked(5)?;
            auth.eq_ignore_ascii_case("AUTH=").then_some(mechanism)
        });
        let offered: Vec<&str> = offered.collect();
        let mechanism = self.home.credentials.choose(&offered)?;
        let address = self.home.dial.address();
        let credentials = &self.home.credentials;
        let response = credentials.response(mechanism, address, secret)?;
        self.authenticate(mechanism, response.reveal()).await?;
        // They may differ from those before (RFC 3501 §6.2.2).
        if self.capabilities.is_empty() {
            self.ask_capabilities().await?;
        }
        Ok(())
    }

    async fn ask_capabilities(&mut self) -> Result<(), Error> {
        self.run(Body::Capability).await.map(drop)
    }

    /// AUTHENTICATE (RFC 3501 §6.2.2), with the response on the same line where the server takes it (RFC 4959).
    async fn authenticate(&mut self, mechanism: Mechanism, response: &str) -> Result<(), Error> {
        let at_once = self.has("SASL-IR");
        let tag = self.begin().await?;
        self.capabilities.clear();
        let body = Body::Authenticate(Authenticate {
            mechanism: mechanism.name().to_owned(),
            initial: at_once.then(|| Secret::new(response)),
        });
        for piece in self.print(&tag, body) {
            self.link.queue(&piece);
        }
        let mut unsent = (!at_once).then_some(response);
        let mut challenge = None;
        loop {
            match self.reply().await? {
                Reply::Continue(text) => match unsent.take() {
                    Some(response) => self.line(response),
                    None if challenge.is_none() => {
                        let json = from_base64(&text).unwrap_or(text);
                        challenge = Some(String::from_utf8_lossy(&json).into_owned());
                        self.line(dummy(mechanism));
                    }
                    None => return Err(self.broken("a second challenge".into())),
                },
                Reply::Untagged(untagged) => self.unasked(untagged)?,
                Reply::Tagged(answered, status) if answered == tag => {
                    self.state = State::Ready;
                    self.learn(&status);
                    return match status.kind {
                        Kind::Ok => Ok(()),
                        _ => Err(Error::SignIn(refusal(mechanism, status, challenge))),
                    };
                }
                Reply::Tagged(..) => return Err(self.broken("a tag we did not use".into())),
            }
        }
    }

    fn line(&mut self, text: &str) {
        self.link.queue(text.as_bytes());
        self.link.queue(b"\r\n");
    }

    /// Sends a command and gives what was said until it was answered.
    pub(super) async fn run(&mut self, body: Body) -> Result<Answer, Error> {
        let name = body.name();
        let tag = self.begin().await?;
        let pieces = self.print(&tag, body);
        let mut untagged = Vec::new();
        let last = pieces.len().saturating_sub(1);
        for (index, piece) in pieces.iter().enumerate() {
            self.link.queue(piece);
            if index < last
                && let Some(status) = self.until(&tag, &mut untagged, true).await?
            {
                return self.answered(name, status, untagged);
            }
        }
        self.finish(name, &tag, untagged).await
    }

    /// What was said until the command was answered, its text being sent or queued.
    pub(super) async fn finish(
        &mut self,
        name: &'static str,
        tag: &Tag,
        mut untagged: Vec<Untagged>,
    ) -> Result<Answer, Error> {
        match self.until(tag, &mut untagged, false).await? {
            Some(status) => self.answered(name, status, untagged),
            None => Err(self.broken("+ where nothing was to be continued".into())),
        }
    }

    pub(super) fn answered(
        &mut self,
        command: &'static str,
        status: Status,
        untagged: Vec<Untagged>,
    ) -> Result<Answer, Error> {
        self.state = State::Ready;
        self.learn(&status);
        if status.kind == Kind::Ok {
            return Ok(Answer { status, untagged });
        }
        self.keep(untagged);
        Err(Error::No {
            command,
            kind: status.kind,
            code: status.code,
            text: status.text,
        })
    }

    /// Reads until the server asks to continue (`None`) or the command is answered.
    pub(super) async fn until(
        &mut self,
        tag: &Tag,
        untagged: &mut Vec<Untagged>,
        may_continue: bool,
    ) -> Result<Option<Status>, Error> {
        let bytes_max = self.home.dial.limits().answer_bytes_max;
        let mut bytes = 0;
        loop {
            let (reply, size) = self.sized_reply().await?;
            // The least a parsed reply takes: short ones weigh more in memory than on the wire.
            bytes += size.max(size_of::<Untagged>());
            if bytes > bytes_max {
                return Err(self.over("one answer", bytes_max));
            }
            match reply {
                Reply::Continue(_) if may_continue => return Ok(None),
                Reply::Continue(_) => {
                    return Err(self.broken("+ where nothing was to be continued".into()));
                }
                Reply::Untagged(Untagged::Status(status)) => {
                    // SELECT answers by codes in untagged OKs.
                    self.hear(&status)?;
                    untagged.push(Untagged::Status(status));
                }
                Reply::Untagged(Untagged::Capability(names)) => self.capabilities = names,
                Reply::Untagged(other) => untagged.push(other),
                Reply::Tagged(answered, status) if answered == *tag => return Ok(Some(status)),
                Reply::Tagged(..) => return Err(self.broken("a tag we did not use".into())),
            }
        }
    }

    /// Makes the session ready for a command, and gives its tag. The session stays busy until it was answered.
    pub(super) async fn begin(&mut self) -> Result<Tag, Error> {
        self.leave_idle().await?;
        match &self.state {
            State::Ready => {}
            State::Ended(why) => return Err(Error::Ended(why.clone())),
            _ => return Err(self.end(Error::Ended("a command was abandoned half-way".into()))),
        }
        self.state = State::Busy;
        self.next_tag()
    }

    pub(super) fn next_tag(&mut self) -> Result<Tag, Error> {
        self.tags = self.tags.wrapping_add(1);
        let tag = format!("p{}", self.tags);
        Tag::parse(tag.as_bytes()).ok_or(Error::Setting("tag"))
    }

    pub(super) fn print(&self, tag: &Tag, body: Body) -> Vec<Vec<u8>> {
        let literals = if self.has("LITERAL+") {
            Literals::NonSync(usize::MAX)
        } else if self.has("LITERAL-") {
            Literals::NonSync(LITERAL_MINUS_BYTES)
        } else {
            Literals::Wait
        };
        let tag = tag.clone();
        // Names stay in modified UTF-7: we do not enable UTF8=ACCEPT.
        Command { tag, body }.print(false, literals)
    }

    pub(super) async fn reply(&mut self) -> Result<Reply, Error> {
        Ok(self.sized_reply().await?.0)
    }

    async fn sized_reply(&mut self) -> Result<(Reply, usize), Error> {
        loop {
            if let Some(found) = self.framed()? {
                return Ok(found);
            }
            match self.link.receive(None).await {
                Ok(bytes) => self.framer.receive(bytes),
                Err(error) => return Err(self.end(error)),
            }
        }
    }

    /// The same until a time. May be abandoned and called again.
    pub(super) async fn reply_until(&mut self, until: Instant) -> Result<Option<Reply>, Error> {
        loop {
            if let Some((reply, _)) = self.framed()? {
                return Ok(Some(reply));
            }
            match self.link.receive_until(until).await {
                Ok(Some(count)) => self.framer.receive(self.link.received(count)),
                Ok(None) => return Ok(None),
                Err(error) => return Err(self.end(error)),
            }
        }
    }

    /// A reply that has arrived, and its size.
    fn framed(&mut self) -> Result<Option<(Reply, usize)>, Error> {
        let bytes = match self.framer.next() {
            Ok(Some(bytes)) => bytes,
            Ok(None) => return Ok(None),
            Err(too_long) => return Err(self.over("one reply", too_long.0)),
        };
        match parse(&bytes, false) {
            Ok(reply) => Ok(Some((reply, bytes.len()))),
            Err(problem) => Err(self.broken(format!("a reply: {problem}"))),
        }
    }

    /// Takes an untagged reply that answers nothing.
    pub(super) fn unasked(&mut self, untagged: Untagged) -> Result<(), Error> {
        match untagged {
            Untagged::Status(status) => self.hear(&status)?,
            Untagged::Capability(names) => self.capabilities = names,
            other => self.keep([other]),
        }
        Ok(())
    }

    /// An untagged status: the end of the session, or something for the person or the program.
    fn hear(&mut self, status: &Status) -> Result<(), Error> {
        if status.kind == Kind::Bye {
            return Err(self.end(Error::Ended(status.text.clone())));
        }
        self.learn(status);
        Ok(())
    }

    fn learn(&mut self, status: &Status) {
        match &status.code {
            Some(Code::Capability(names)) => self.capabilities.clone_from(names),
            Some(Code::Alert) => self.event(Event::Alert(status.text.clone())),
            _ => {}
        }
    }

    /// Keeps what is news in these replies.
    pub(super) fn keep(&mut self, untagged: impl IntoIterator<Item = Untagged>) {
        for event in untagged.into_iter().filter_map(Event::read) {
            self.event(event);
        }
    }

    fn event(&mut self, event: Event) {
        let room = self.home.dial.limits().events_max;
        match self.events.len() {
            kept if kept < room => self.events.push_back(event),
            kept if kept == room => self.events.push_back(Event::Missed),
            _ => {}
        }
    }

    pub(super) fn next_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// Notes that the session is over, and why.
    pub(super) fn end(&mut self, error: Error) -> Error {
        self.state = State::Ended(match &error {
            Error::Ended(why) => why.clone(),
            other => other.to_string(),
        });
        error
    }

    pub(super) fn broken(&mut self, what: String) -> Error {
        self.end(Error::Protocol(what))
    }

    fn over(&mut self, what: &'static str, bytes_max: usize) -> Error {
        self.end(Error::TooLong { what, bytes_max })
    }
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session")
            .field("credentials", &self.home.credentials)
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}

fn refusal(mechanism: Mechanism, status: Status, challenge: Option<String>) -> Refusal {
    let temporary = matches!(
        status.code,
        Some(Code::Unavailable | Code::InUse | Code::Limit | Code::OverQuota | Code::ServerBug)
    );
    Refusal {
        mechanism,
        code: status.code.map(|c| c.name().to_owned()).unwrap_or_default(),
        text: status.text,
        challenge,
        temporary,
    }
}
