//! Sending mail: one signed-in submission connection (RFC 6409, RFC 5321), over TLS (RFC 8314) or STARTTLS (RFC 3207).
//!
//! It takes a finished message; it does not write header fields, and it does not deliver to other servers.

use crate::credentials::{Ask, Credentials, dummy};
use crate::link::{Dial, Link};
use crate::{Error, Refusal, Server};
use pillarbox_wire::dot::{DotStuffer, LineEnds};
use pillarbox_wire::line::LineReader;
use pillarbox_wire::sasl::{Mechanism, Secret, from_base64};
use pillarbox_wire::smtp::{
    Address, Body, ClientName, Command, Enhanced, ForwardPath, MailFrom, RcptTo, ReplyReader,
    ReversePath,
};
use std::sync::Arc;
use std::time::Duration;

pub use pillarbox_wire::smtp::Reply;

/// What we call ourselves: servers of submission look at the sign-in, and an address says more than it must.
const OUR_NAME: &str = "[127.0.0.1]";
/// Commands sent before their replies are read, where PIPELINING is offered: few enough that neither side's buffers fill.
const PIPELINE: usize = 50;
/// Sent at once, in bytes.
const PIECE_BYTES: usize = 64 * 1024;
/// Why a session is over whose command never came to its end.
const ABANDONED: &str = "a command was abandoned half-way";

/// A signed-in connection. A future dropped half-way ends the session; the next [`Session::send`] connects again.
pub struct Session {
    home: Home,
    link: Link,
    lines: LineReader,
    /// Of the EHLO reply, in capitals.
    extensions: Vec<String>,
    /// Why it is over.
    ended: Option<String>,
}

#[derive(Clone)]
struct Home {
    dial: Arc<dyn Dial>,
    credentials: Credentials,
    security: Security,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Security {
    Tls,
    StartTls,
}

/// A message the server has taken over.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "some recipients may have been refused"]
pub struct Sent {
    /// The server's word, often with its name for the message.
    pub reply: Reply,
    /// Those who will not get it, and why; at least one other will.
    pub refused: Vec<(String, Reply)>,
}

/// Who sends to whom.
struct Envelope {
    mail: MailFrom,
    recipients: Vec<(String, RcptTo)>,
}

impl Session {
    /// Connects with TLS from the first byte (port 465) and signs in. A bearer token that is refused is asked for once more.
    ///
    /// # Errors
    /// [`Error::SignIn`] if the server refuses; [`Error::Token`] if it does because the consent has ended;
    /// [`Error::Connect`], [`Error::Tls`] and others before that.
    pub async fn tls(server: &Server, credentials: &Credentials) -> Result<Self, Error> {
        Self::to(server, credentials, Security::Tls).await
    }

    /// Connects in clear, begins TLS before anything else (port 587), and signs in.
    ///
    /// # Errors
    /// As [`Session::tls`]; [`Error::Unsupported`] if the server offers no STARTTLS: nothing is ever sent without TLS.
    pub async fn starttls(server: &Server, credentials: &Credentials) -> Result<Self, Error> {
        Self::to(server, credentials, Security::StartTls).await
    }

    async fn to(server: &Server, who: &Credentials, security: Security) -> Result<Self, Error> {
        let home = Home {
            dial: Arc::new(server.clone()),
            credentials: who.clone(),
            security,
        };
        Self::open(home).await
    }

    async fn open(home: Home) -> Result<Self, Error> {
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
        let limits = home.dial.limits();
        let mut stream = home.dial.plain().await?;
        if home.security == Security::Tls {
            stream = home.dial.secure(stream).await?;
        }
        let mut session = Self {
            home: home.clone(),
            link: Link::new(stream, limits),
            lines: LineReader::new(limits.line_bytes_max),
            extensions: Vec::new(),
            ended: None,
        };
        positive("greeting", session.reply(None).await?)?;
        session.hello().await?;
        if home.security == Security::StartTls {
            session = session.secured().await?;
        }
        session.sign_in(&secret).await?;
        Ok(session)
    }

    /// Sends a message with its header. `from` and `to` are plain addresses, `ada@example.org`; the header is not looked at for
    /// them. Line ends that are not CRLF are mended. If the session has ended meanwhile, as it does with its token, this signs
    /// in again first.
    ///
    /// # Errors
    /// [`Error::Smtp`] if the message or every recipient is refused; [`Error::Argument`] for an address that is none;
    /// [`Error::Unsupported`] if the message needs 8BITMIME or SMTPUTF8 and the server has none; [`Error::Unconfirmed`] if the
    /// connection broke in the one moment when nobody can know.
    pub async fn send(&mut self, from: &str, to: &[&str], message: &[u8]) -> Result<Sent, Error> {
        let envelope = Envelope::new(from, to, message)?;
        if self.ended.is_none() {
            match self.transaction(&envelope, message).await {
                // Nothing was accepted yet: begin again.
                Err(Error::Ended(_) | Error::Io(_)) => {}
                other => return other,
            }
        }
        *self = Self::open(self.home.clone()).await?;
        self.transaction(&envelope, message).await
    }

    /// What the server offers, in capitals: the lines of its EHLO reply.
    #[must_use]
    pub fn extensions(&self) -> &[String] {
        &self.extensions
    }

    /// Says goodbye.
    ///
    /// # Errors
    /// [`Error`] if the connection breaks first; there is nothing to do about it.
    pub async fn quit(mut self) -> Result<(), Error> {
        match self.ended {
            Some(_) => Ok(()),
            None => self.command(&Command::Quit).await.map(drop),
        }
    }

    async fn hello(&mut self) -> Result<(), Error> {
        let name = ClientName::parse(OUR_NAME).map_err(|e| Error::Argument(e.to_string()))?;
        let reply = positive("EHLO", self.command(&Command::Ehlo(name)).await?)?;
        let lines = reply.lines.iter().skip(1);
        self.extensions = lines.map(|line| line.to_ascii_uppercase()).collect();
        Ok(())
    }

    /// Begins TLS; nothing said before it counts (RFC 3207 §4.2).
    async fn secured(mut self) -> Result<Self, Error> {
        if !self.has("STARTTLS") {
            return Err(Error::Unsupported("STARTTLS"));
        }
        positive("STARTTLS", self.command(&Command::StartTls).await?)?;
        if !self.lines.pending().is_empty() {
            // Somebody on the way wants it to be taken for the server's word.
            return Err(Error::Protocol("text between STARTTLS and TLS".into()));
        }
        let stream = self.home.dial.secure(self.link.into_stream()).await?;
        self.link = Link::new(stream, self.home.dial.limits());
        self.hello().await?;
        Ok(self)
    }

    async fn sign_in(&mut self, secret: &Secret) -> Result<(), Error> {
        let offered = self.extensions.iter().find_map(|e| e.strip_prefix("AUTH "));
        let offered: Vec<&str> = offered.unwrap_or_default().split_whitespace().collect();
        let mechanism = self.home.credentials.choose(&offered)?;
        let address = self.home.dial.address();
        let credentials = &self.home.credentials;
        let response = credentials.response(mechanism, address, secret)?;
        let auth = Command::Auth {
            mechanism: mechanism.name().to_owned(),
            initial: Some(Secret::new(response.reveal())),
        };
        let mut reply = self.command(&auth).await?;
        let mut challenge = None;
        if reply.is_intermediate() {
            let text = reply.lines.concat().into_bytes();
            let json = from_base64(&text).unwrap_or(text);
            challenge = Some(String::from_utf8_lossy(&json).into_owned());
            self.link.queue(dummy(mechanism).as_bytes());
            self.link.queue(b"\r\n");
            reply = self.reply(None).await?;
        }
        match reply.is_positive() {
            true => Ok(()),
            false => Err(Error::SignIn(refusal(mechanism, reply, challenge))),
        }
    }

    async fn transaction(&mut self, envelope: &Envelope, message: &[u8]) -> Result<Sent, Error> {
        self.ended = Some(ABANDONED.into());
        let outcome = self.deliver(envelope, message).await;
        self.ended = match &outcome {
            Err(Error::Ended(why)) => Some(why.clone()),
            Err(error) if error.ends_session() => Some(error.to_string()),
            Err(Error::Smtp { reply, .. }) if reply.code == 421 => Some(reply.lines.join(" ")),
            _ => None,
        };
        outcome
    }

    async fn deliver(&mut self, envelope: &Envelope, message: &[u8]) -> Result<Sent, Error> {
        let mut mail = envelope.mail.clone();
        if mail.smtputf8 && !self.has("SMTPUTF8") {
            return Err(Error::Unsupported("SMTPUTF8"));
        }
        if mail.body == Some(Body::EightBitMime) && !self.has("8BITMIME") {
            return Err(Error::Unsupported("8BITMIME"));
        }
        mail.size = self.has("SIZE").then_some(message.len() as u64);
        let refused = self.address(mail, &envelope.recipients).await?;
        let go_ahead = open_still(self.command(&Command::Data).await?)?;
        if !go_ahead.is_intermediate() {
            return self.refused("DATA", go_ahead).await;
        }
        self.text(message).await?;
        let delivery = self.home.dial.limits().delivery;
        // From here on nobody but the server knows.
        let reply = self.reply(Some(delivery)).await;
        let reply = reply.map_err(|error| Error::Unconfirmed(Box::new(error)))?;
        let reply = positive("DATA", reply)?;
        Ok(Sent { reply, refused })
    }

    /// MAIL and RCPT; who was refused. At least one was not.
    async fn address(
        &mut self,
        mail: MailFrom,
        recipients: &[(String, RcptTo)],
    ) -> Result<Vec<(String, Reply)>, Error> {
        let at_once = if self.has("PIPELINING") { PIPELINE } else { 1 };
        let rcpts = recipients
            .iter()
            .map(|(_, rcpt)| Command::Rcpt(rcpt.clone()));
        let commands: Vec<Command> = [Command::Mail(mail)].into_iter().chain(rcpts).collect();
        let mut replies = Vec::with_capacity(commands.len());
        for batch in commands.chunks(at_once) {
            for command in batch {
                self.link.queue(command.to_line().as_bytes());
            }
            for _ in batch {
                replies.push(open_still(self.reply(None).await?)?);
            }
            if replies.first().is_some_and(|mail| !mail.is_positive()) {
                break;
            }
        }
        let mut replies = replies.into_iter();
        if let Some(reply) = replies.next() {
            positive("MAIL", reply)?;
        }
        let names = recipients.iter().map(|(name, _)| name.clone());
        let mut refused: Vec<_> = names.zip(replies).collect();
        refused.retain(|(_, reply)| !reply.is_positive());
        match refused.len() == recipients.len() {
            false => Ok(refused),
            true => match refused.pop() {
                Some((_, reply)) => self.refused("RCPT", reply).await,
                None => Err(Error::Argument("no recipient".into())),
            },
        }
    }

    /// Forgets the transaction, so that the session can be used for another.
    async fn refused<T>(&mut self, command: &'static str, reply: Reply) -> Result<T, Error> {
        positive("RSET", open_still(self.command(&Command::Rset).await?)?)?;
        Err(Error::Smtp { command, reply })
    }

    /// The message, and queued its end: as long as that is not sent, nothing was accepted.
    async fn text(&mut self, message: &[u8]) -> Result<(), Error> {
        let mut stuffer = DotStuffer::new(LineEnds::MendAll);
        let mut out = Vec::with_capacity(PIECE_BYTES);
        for piece in message.chunks(PIECE_BYTES) {
            out.clear();
            stuffer.write(piece, |bytes| out.extend_from_slice(bytes));
            self.link.send(&out).await?;
        }
        out.clear();
        stuffer.finish(|bytes| out.extend_from_slice(bytes));
        self.link.queue(&out);
        Ok(())
    }

    fn has(&self, extension: &str) -> bool {
        let named = |line: &String| line.split(' ').next() == Some(extension);
        self.extensions.iter().any(named)
    }

    async fn command(&mut self, command: &Command) -> Result<Reply, Error> {
        self.link.queue(command.to_line().as_bytes());
        self.reply(None).await
    }

    async fn reply(&mut self, silence: Option<Duration>) -> Result<Reply, Error> {
        let bytes_max = self.home.dial.limits().line_bytes_max;
        let mut reader = ReplyReader::new();
        loop {
            let too_long = Error::TooLong {
                what: "one line",
                bytes_max,
            };
            if let Some(line) = self.lines.next_line() {
                let line = line.map_err(|_| too_long)?;
                let whole = reader.push(line);
                if let Some(reply) = whole.map_err(|bad| Error::Protocol(bad.to_string()))? {
                    return Ok(reply);
                }
                continue;
            }
            // Its end may never come.
            if self.lines.skipped_bytes() > 0 {
                return Err(too_long);
            }
            self.lines.feed(self.link.receive(silence).await?);
        }
    }
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session")
            .field("credentials", &self.home.credentials)
            .field("ended", &self.ended)
            .finish_non_exhaustive()
    }
}

impl Envelope {
    fn new(from: &str, to: &[&str], message: &[u8]) -> Result<Self, Error> {
        if to.is_empty() {
            return Err(Error::Argument("no recipient".into()));
        }
        let from = address(from)?;
        let to: Vec<Address> = to.iter().map(|to| address(to)).collect::<Result<_, _>>()?;
        let ascii =
            from.is_ascii() && to.iter().all(Address::is_ascii) && header(message).is_ascii();
        let mut mail = MailFrom::new(ReversePath::Address(from));
        mail.smtputf8 = !ascii;
        mail.body = (!message.is_ascii()).then_some(Body::EightBitMime);
        let recipient = |address: Address| {
            let recipient = ForwardPath::Address(address.clone());
            (address.to_string(), RcptTo { recipient })
        };
        Ok(Self {
            mail,
            recipients: to.into_iter().map(recipient).collect(),
        })
    }
}

/// Up to the first empty line.
fn header(message: &[u8]) -> &[u8] {
    let mut end = 0;
    for line in message.split_inclusive(|b| *b == b'\n') {
        if matches!(line, b"\r\n" | b"\n") {
            break;
        }
        end += line.len();
    }
    &message[..end]
}

fn address(text: &str) -> Result<Address, Error> {
    Address::parse(text).map_err(|why| Error::Argument(format!("address {text:?}: {why}")))
}

fn positive(command: &'static str, reply: Reply) -> Result<Reply, Error> {
    match reply.is_positive() {
        true => Ok(reply),
        false => Err(Error::Smtp { command, reply }),
    }
}

/// 421 to any command is the end of the session (RFC 5321 §3.8), and so is 451 4.4.2 (wire §6).
fn open_still(reply: Reply) -> Result<Reply, Error> {
    let timeout = reply.code == 451 && reply.enhanced == Some(Enhanced(4, 4, 2));
    match reply.code == 421 || timeout {
        true => Err(Error::Ended(reply.lines.join(" "))),
        false => Ok(reply),
    }
}

fn refusal(mechanism: Mechanism, reply: Reply, challenge: Option<String>) -> Refusal {
    let enhanced = reply.enhanced.map(|e| format!(" {e}")).unwrap_or_default();
    Refusal {
        mechanism,
        code: format!("{}{enhanced}", reply.code),
        text: reply.lines.join(" "),
        challenge,
        temporary: reply.is_transient(),
    }
}

#[cfg(test)]
mod tests;
