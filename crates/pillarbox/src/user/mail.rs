//! `pillarbox mail`: a small client over the same wire as everyone. Messages are named by UID, so a number means the same
//! tomorrow. It marks nothing as read, moves nothing and deletes nothing.

use super::compose::{self, Head, MESSAGE_BYTES_MAX};
use super::failure::{of_mail, refused};
use super::{clock_of, keep, plain, watch};
use crate::commands::{Where, say, tell};
use crate::failure::Failure;
use crate::suggest;
use clap::{Args, Subcommand};
use jiff::tz::{Offset, TimeZone};
use jiff::{Timestamp, Zoned};
use pillarbox_client::imap::{DateTime, Flag, Folder, Message, SearchKey, Selected, Session};
use pillarbox_client::oauth::{Clock, SignIn};
use pillarbox_client::{Credentials, Error, Letter, Server, Tls, smtp};
use serde_json::{Value, json};
use std::io::{IsTerminal, Read};
use std::time::SystemTime;

/// Mailboxes named when there is none of the name asked for.
const MAILBOXES_TOLD: usize = 20;
/// Longest subject in a list, in characters.
const SUBJECT_CHARS_MAX: usize = 48;
/// Longest address in a list, in characters.
const SENDER_CHARS_MAX: usize = 40;

#[derive(Subcommand)]
#[command(
    after_help = "Examples:\n  echo 'It works.' | pillarbox mail send --to bob@example.test --subject Hello\n  pillarbox mail watch --as bob@example.test"
)]
pub enum MailVerb {
    /// Send what comes on standard input
    Send(Send),
    /// The newest messages, newest last
    List(List),
    /// One message: its header and its text
    Show(Show),
    /// Tell of new messages until Ctrl-C, over as many sessions as it takes
    Watch(Watch),
}

#[derive(Args)]
#[command(
    after_help = "Examples:\n  echo 'It works.' | pillarbox mail send --to bob@example.test --subject Hello\n  pillarbox mail send < message.eml        # to those in its To, Cc and Bcc"
)]
pub struct Send {
    /// To whom; then standard input is a text. Without it, a whole message with its header
    #[arg(long, value_name = "ADDRESS", value_delimiter = ',')]
    pub to: Vec<String>,
    /// A copy to them
    #[arg(long, value_name = "ADDRESS", value_delimiter = ',', requires = "to")]
    pub cc: Vec<String>,
    /// What it is about
    #[arg(
        long,
        value_name = "TEXT",
        requires = "to",
        default_value = "",
        hide_default_value = true
    )]
    pub subject: String,
    #[command(flatten)]
    pub who: Who,
}

#[derive(Args)]
#[command(
    after_help = "Examples:\n  pillarbox mail list\n  pillarbox mail list '[Gmail]/Sent Mail' --json"
)]
pub struct List {
    /// Which mailbox
    #[arg(default_value = "INBOX")]
    pub mailbox: String,
    /// How many
    #[arg(short, long, value_name = "N", default_value_t = 20)]
    pub number: usize,
    #[command(flatten)]
    pub who: Who,
    /// For programs
    #[arg(long)]
    pub json: bool,
}

#[derive(Args)]
#[command(
    after_help = "Examples:\n  pillarbox mail show 1\n  pillarbox mail show 1 --json | jq -r .text"
)]
pub struct Show {
    /// Its number, as listed
    pub uid: u32,
    /// In which mailbox
    #[arg(long, default_value = "INBOX")]
    pub mailbox: String,
    #[command(flatten)]
    pub who: Who,
    /// For programs
    #[arg(long)]
    pub json: bool,
}

#[derive(Args)]
#[command(
    after_help = "Examples:\n  pillarbox mail watch\n  pillarbox mail watch --as bob@example.test"
)]
pub struct Watch {
    /// Which mailbox
    #[arg(default_value = "INBOX")]
    pub mailbox: String,
    #[command(flatten)]
    pub who: Who,
}

#[derive(Args)]
pub struct Who {
    /// Whose mail [default: who signed in last]
    #[arg(long = "as", value_name = "ADDRESS")]
    pub address: Option<String>,
}

/// A person who signed in, with all that is needed to do so again.
pub struct Person {
    pub address: String,
    sign_in: SignIn,
    credentials: Credentials,
    tls: Tls,
    pub clock: Clock,
}

impl Person {
    fn find(who: Who, server: &Where<'_>) -> Result<Self, Failure> {
        let keep = keep()?;
        let nobody = || Failure::no("nobody is signed in here. Sign in: pillarbox login ADDRESS");
        let address = match who.address {
            Some(address) => address,
            None => keep.last().map_err(|e| refused(&e))?.ok_or_else(nobody)?,
        };
        let sign_in = keep.get(&address).map_err(|error| refused(&error))?;
        let clock = clock_of(&sign_in.issuer, server);
        let tokens = keep.tokens_of(&address).with_clock(clock.clone());
        Ok(Self {
            tls: sign_in.tls().map_err(|error| refused(&error))?,
            credentials: Credentials::bearer(&address, tokens),
            address,
            sign_in,
            clock,
        })
    }

    /// A service of one of these kinds, the first that there is.
    fn service(&self, kinds: &[&'static str]) -> Result<(&'static str, Server), Failure> {
        let known = well_known(&self.sign_in.issuer);
        let services = &self.sign_in.mail_services;
        let found = kinds.iter().find_map(|kind| {
            let said = services.iter().find(|url| url.scheme() == *kind);
            let said = said.and_then(|url| Some((url.host_str()?.to_owned(), url.port()?)));
            let known = known.iter().find(|(name, ..)| name == kind);
            let (host, port) = said.or(known.map(|(_, host, port)| ((*host).into(), *port)))?;
            Some((*kind, Server::new(host, port, self.tls.clone())))
        });
        found.ok_or_else(|| {
            Failure::could_not(format!(
                "{} does not say where its mail is; a token for other programs: pillarbox token --for {}",
                plain::line(&self.sign_in.issuer),
                self.address
            ))
        })
    }

    pub async fn reading(&self) -> Result<Session, Failure> {
        let (_, server) = self.service(&["imaps"])?;
        let session = Session::connect(&server, &self.credentials).await;
        session.map_err(|error| self.failure(&error))
    }

    /// Opens a mailbox for reading only. Where there is none of that name, those that there are are told.
    pub async fn examine(&self, session: &mut Session, mailbox: &str) -> Result<Selected, Failure> {
        let error = match session.examine(mailbox).await {
            Ok(selected) => return Ok(selected),
            Err(error) => error,
        };
        if !matches!(error, Error::No { .. }) {
            return Err(self.failure(&error));
        }
        let folders = session.list("*").await.unwrap_or_default();
        let holds_mail = |folder: &&Folder| {
            let cannot = |attribute: &String| attribute.eq_ignore_ascii_case("\\Noselect");
            !folder.attributes.iter().any(cannot)
        };
        let names: Vec<&str> = folders
            .iter()
            .filter(holds_mail)
            .map(|folder| folder.name.as_str())
            .collect();
        // Refused for another reason, or nothing is known.
        if names.is_empty() || names.contains(&mailbox) {
            return Err(self.failure(&error));
        }
        let hint = suggest::hint(mailbox, names.iter().copied());
        let more = match names.len().saturating_sub(MAILBOXES_TOLD) {
            0 => String::new(),
            more => format!(", and {more} more"),
        };
        let some = names[..names.len().min(MAILBOXES_TOLD)].join(", ");
        let stop = if hint.is_empty() { "." } else { "" };
        let text = format!("no mailbox {mailbox}{hint}{stop} There are: {some}{more}");
        Err(Failure::no(plain::line(&text)))
    }

    async fn sending(&self) -> Result<smtp::Session, Failure> {
        let (kind, server) = self.service(&["smtps", "smtp"])?;
        let session = match kind {
            "smtps" => smtp::Session::tls(&server, &self.credentials).await,
            _ => smtp::Session::starttls(&server, &self.credentials).await,
        };
        session.map_err(|error| self.failure(&error))
    }

    pub fn failure(&self, error: &Error) -> Failure {
        of_mail(error, &self.address)
    }

    /// The time of the server, as far as it is known.
    fn now(&self) -> Timestamp {
        Timestamp::try_from((self.clock)()).unwrap_or(Timestamp::UNIX_EPOCH)
    }
}

/// Mail services of issuers that do not name them.
fn well_known(issuer: &str) -> &'static [(&'static str, &'static str, u16)] {
    match issuer {
        "https://accounts.google.com" => &[
            ("imaps", "imap.gmail.com", 993),
            ("smtps", "smtp.gmail.com", 465),
        ],
        _ => &[],
    }
}

/// The command.
pub async fn mail(verb: MailVerb, server: &Where<'_>) -> anyhow::Result<()> {
    let done = match verb {
        MailVerb::Send(options) => send(options, server).await,
        MailVerb::List(options) => list(options, server).await,
        MailVerb::Show(options) => show(options, server).await,
        MailVerb::Watch(Watch { mailbox, who }) => {
            watch::run(&Person::find(who, server)?, &mailbox).await
        }
    };
    Ok(done?)
}

async fn send(options: Send, server: &Where<'_>) -> Result<(), Failure> {
    let person = Person::find(options.who, server)?;
    let input = standard_input(&options.to)?;
    let (to, message) = if options.to.is_empty() {
        compose::recipients(&input)
    } else {
        let domain = person.address.rsplit('@').next().unwrap_or_default();
        let id = format!(
            "{:016x}{:016x}",
            crate::random::number(),
            crate::random::number()
        );
        let now = person.now().to_zoned(TimeZone::system());
        let date = jiff::fmt::rfc2822::to_string(&now);
        let head = Head {
            from: &person.address,
            to: &options.to,
            cc: &options.cc,
            subject: &options.subject,
            date: &date.map_err(|error| Failure::could_not(error.to_string()))?,
            message_id: &format!("{id}@{domain}"),
        };
        let message = compose::message(&head, &input)?;
        let field = options.to.iter().chain(&options.cc);
        let plain = field.flat_map(|one| pillarbox_client::addresses(one.as_bytes()));
        (plain.collect(), message)
    };
    if to.is_empty() {
        return Err(Failure::usage(
            "to whom? Name them by --to, or in the header of the message: To, Cc, Bcc",
        ));
    }
    let to: Vec<&str> = to.iter().map(String::as_str).collect();
    let mut session = person.sending().await?;
    let sent = session.send(&person.address, &to, &message).await;
    let sent = sent.map_err(|error| person.failure(&error))?;
    // What counts is the server's yes.
    let _ = session.quit().await;
    let refused = |name: &&&str| sent.refused.iter().any(|(refused, _)| refused == **name);
    let reached: Vec<_> = to.iter().filter(|name| !refused(name)).copied().collect();
    tell(&format!("Sent to {}.", plain::line(&reached.join(", "))))?;
    match sent.refused.as_slice() {
        [] => Ok(()),
        refused => Err(Failure::no(
            refused
                .iter()
                .map(|(name, reply)| {
                    let words = format!("{name}: {} {}", reply.code, reply.lines.join(" "));
                    plain::line(&words)
                })
                .collect::<Vec<_>>()
                .join("\n"),
        )),
    }
}

fn standard_input(to: &[String]) -> Result<Vec<u8>, Failure> {
    let input = std::io::stdin();
    if input.is_terminal() {
        let what = match to.is_empty() {
            true => "Write the message, its header first",
            false => "Write the text",
        };
        tell(&format!("{what}; end with Ctrl-D."))?;
    }
    let mut bytes = Vec::new();
    let read = input
        .lock()
        .take(MESSAGE_BYTES_MAX + 1)
        .read_to_end(&mut bytes);
    read.map_err(|error| Failure::could_not(format!("standard input cannot be read: {error}")))?;
    match bytes.len() as u64 <= MESSAGE_BYTES_MAX {
        true => Ok(bytes),
        false => Err(Failure::no(
            "a message of more than 50 MiB, which nobody takes",
        )),
    }
}

async fn list(options: List, server: &Where<'_>) -> Result<(), Failure> {
    let person = Person::find(options.who, server)?;
    let mut session = person.reading().await?;
    let failed = |error: Error| person.failure(&error);
    person.examine(&mut session, &options.mailbox).await?;
    let uids = session.search(SearchKey::All).await.map_err(failed)?;
    let newest = &uids[uids.len().saturating_sub(options.number)..];
    let messages = session.summaries(newest).await.map_err(failed)?;
    let _ = session.logout().await;
    if options.json {
        let all: Vec<_> = messages.iter().map(facts).collect();
        return say(&Value::from(all).to_string());
    }
    if messages.is_empty() {
        return tell(&format!(
            "No messages in {}.",
            plain::line(&options.mailbox)
        ));
    }
    let rows: Vec<_> = messages
        .iter()
        .map(|message| row(message, person.now()))
        .collect();
    let widest = |column: fn(&Row) -> &str| {
        let widths = rows.iter().map(|row| column(row).chars().count());
        widths.max().unwrap_or(0)
    };
    let (number, subject, sender) = (
        widest(|row| &row.number).max(3),
        widest(|row| &row.subject),
        widest(|row| &row.sender),
    );
    for row in &rows {
        say(&format!(
            "{:>number$}  {:<subject$}  {:<sender$}  {}",
            row.number, row.subject, row.sender, row.time
        ))?;
    }
    Ok(())
}

/// A message in a list.
pub struct Row {
    number: String,
    pub subject: String,
    pub sender: String,
    time: String,
}

pub fn row(message: &Message, now: Timestamp) -> Row {
    let subject = plain::line(&message.subject().unwrap_or_default());
    let sender = plain::line(&message.sender().unwrap_or_default());
    let subject = match subject.trim() {
        "" => "(no subject)",
        subject => subject,
    };
    Row {
        number: message.uid.to_string(),
        subject: plain::cut(subject, SUBJECT_CHARS_MAX),
        sender: plain::cut(&sender, SENDER_CHARS_MAX),
        time: message.arrived.map_or_else(String::new, |at| when(at, now)),
    }
}

/// Today the time, else the day.
fn when(arrived: DateTime, now: Timestamp) -> String {
    let zone = TimeZone::system();
    let Ok(at) = Timestamp::from_second(arrived.seconds()) else {
        return String::new();
    };
    let (at, now) = (at.to_zoned(zone.clone()), now.to_zoned(zone));
    match at.date() == now.date() {
        true => at.strftime("%H:%M").to_string(),
        false => at.strftime("%Y-%m-%d").to_string(),
    }
}

/// A message for programs.
fn facts(message: &Message) -> Value {
    let flags = message.flags.as_deref().unwrap_or_default();
    let arrived = message
        .arrived
        .and_then(|at| Timestamp::from_second(at.seconds()).ok());
    json!({
        "uid": message.uid,
        "subject": message.subject().unwrap_or_default(),
        "from": message.from(),
        "arrived": arrived.map(|at| at.to_string()),
        "size": message.size,
        "seen": flags.contains(&Flag::Seen),
    })
}

async fn show(options: Show, server: &Where<'_>) -> Result<(), Failure> {
    let person = Person::find(options.who, server)?;
    let mut session = person.reading().await?;
    let failed = |error: Error| person.failure(&error);
    person.examine(&mut session, &options.mailbox).await?;
    let found = session.body(options.uid).await.map_err(failed)?;
    let _ = session.logout().await;
    let raw = found.ok_or_else(|| {
        Failure::no(format!(
            "no message {} in {}; see: pillarbox mail list",
            options.uid,
            plain::line(&options.mailbox)
        ))
    })?;
    let letter = Letter::read(&raw);
    let date = letter.date.and_then(written);
    if options.json {
        let date = date.map(|date| date.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string());
        return say(&json!({
            "uid": options.uid,
            "subject": letter.subject,
            "from": letter.from,
            "to": letter.to,
            "cc": letter.cc,
            "date": date,
            "attachments": letter.attachments,
            "text": letter.text,
        })
        .to_string());
    }
    let date = date.map(|date| date.strftime("%a, %d %b %Y %H:%M:%S %z").to_string());
    let fields = [
        ("From", letter.from.join(", ")),
        ("To", letter.to.join(", ")),
        ("Cc", letter.cc.join(", ")),
        ("Date", date.unwrap_or_default()),
        ("Subject", letter.subject),
        ("Attached", letter.attachments.join(", ")),
    ];
    for (name, value) in fields.iter().filter(|(_, value)| !value.is_empty()) {
        say(&format!("{:<9} {}", format!("{name}:"), plain::line(value)))?;
    }
    say("")?;
    say(plain::lines(&letter.text).trim_end())
}

/// A date in the zone it was written in.
fn written((unix, zone_minutes): (i64, i16)) -> Option<Zoned> {
    let offset = Offset::from_seconds(i32::from(zone_minutes) * 60).ok()?;
    let at = Timestamp::from_second(unix).ok()?;
    Some(at.to_zoned(TimeZone::fixed(offset)))
}

/// The time of a moment here, for lines that are printed as things happen.
pub fn clock_time(at: SystemTime) -> String {
    let at = Timestamp::try_from(at).unwrap_or(Timestamp::UNIX_EPOCH);
    at.to_zoned(TimeZone::system())
        .strftime("%H:%M")
        .to_string()
}
