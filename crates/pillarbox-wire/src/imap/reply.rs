//! Reads what a server says: the client's side, and the mirror that tests hold up to our own server.
//!
//! Replies of the standard and of Gmail become typed values; anything else is kept as [`Untagged::Other`]. ENVELOPE and BODYSTRUCTURE
//! become plain trees ([`Value`]): what they mean is for the message floor or the client.

mod fetch;
mod value;

use std::borrow::Cow;

pub use fetch::FetchData;
pub use value::Value;

use super::command::StatusItem;
use super::frame::announced;
use super::parse::{Cursor, Parsed, Problem, section};
use super::types::{decode_name, is_atom_char};
use super::{By, Code, Flag, Keyword, Kind, NumberSet, SeqNumber, SequenceSet, Tag};

/// `response = *(continue-req / response-data) response-done` (RFC 3501 §9): one of them.
#[derive(Clone, Debug, PartialEq)]
pub enum Reply {
    /// `+ ...`: the text
    Continue(Vec<u8>),
    /// `a1 OK ...`: the end of a command
    Tagged(Tag, Status),
    /// `* ...`
    Untagged(Untagged),
}

/// `resp-cond-state` (RFC 3501 §7.1)
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// The word.
    pub kind: Kind,
    /// What stood in brackets.
    pub code: Option<Code>,
    /// For people; bytes that are not UTF-8 are replaced.
    pub text: String,
}

/// An untagged reply.
#[derive(Clone, Debug, PartialEq)]
pub enum Untagged {
    /// `* OK`, `* NO`, `* BAD`, `* BYE`, `* PREAUTH`
    Status(Status),
    /// `* CAPABILITY`
    Capability(Vec<String>),
    /// `* ENABLED`
    Enabled(Vec<String>),
    /// `* FLAGS`
    Flags(Vec<Flag>),
    /// `* LIST`, `* LSUB`, `* XLIST`
    List(Listed),
    /// `* STATUS`
    MailboxStatus(String, Vec<(StatusItem, u64)>),
    /// `* SEARCH`, and its MODSEQ (RFC 7162 §3.1.5)
    Search(Vec<u32>, Option<u64>),
    /// `* ESEARCH`
    Esearch(Esearch),
    /// `* n EXISTS`
    Exists(u32),
    /// `* n RECENT`
    Recent(u32),
    /// `* n EXPUNGE`
    Expunge(u32),
    /// `* VANISHED [(EARLIER)]` (RFC 7162 §3.2.10)
    Vanished {
        /// Not news, but the answer to QRESYNC or `UID FETCH ... VANISHED`.
        earlier: bool,
        /// Which.
        uids: NumberSet,
    },
    /// `* n FETCH (...)`
    Fetch(u32, Vec<FetchData>),
    /// `* ID`
    Id(Vec<(String, Option<String>)>),
    /// `* QUOTA`: root and resources with use and limit
    Quota(String, Vec<(String, u64, u64)>),
    /// `* QUOTAROOT`: mailbox and roots
    QuotaRoot(String, Vec<String>),
    /// Anything else, NAMESPACE included: the bytes after `* `.
    Other(Vec<u8>),
}

/// `mailbox-list` (RFC 3501 §7.2.2)
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// `LIST`, `LSUB` or `XLIST`
    pub name: String,
    /// With their backslashes.
    pub attributes: Vec<String>,
    /// The delimiter.
    pub delimiter: Option<char>,
    /// Decoded.
    pub mailbox: String,
    /// Extended data (RFC 5258 §4), as it stood in the parentheses.
    pub extended: Option<Vec<Value>>,
}

/// `esearch-response` (RFC 4466 §2.6.2, RFC 4731 §3.1)
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Esearch {
    /// The tag of the SEARCH it answers.
    pub tag: Option<Tag>,
    /// What the numbers are.
    pub by: By,
    /// `MIN`
    pub min: Option<u32>,
    /// `MAX`
    pub max: Option<u32>,
    /// `ALL`; empty if it was not there.
    pub all: NumberSet,
    /// `COUNT`
    pub count: Option<u32>,
    /// `MODSEQ`
    pub mod_seq: Option<u64>,
}

/// Finds where replies end. Holds at most one reply and what was received behind it.
#[derive(Debug)]
pub struct ReplyFramer {
    buffer: Vec<u8>,
    /// Where the present reply begins.
    start: usize,
    /// How far it was searched for its end, from `start`; beyond what is held while a literal is awaited.
    scanned: usize,
    /// Where its present line begins, from `start`.
    line: usize,
    reply_bytes_max: usize,
}

/// A reply longer than the client is ready to hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("reply of more than {0} bytes")]
pub struct TooLong(pub usize);

impl ReplyFramer {
    /// Replies with their literals may have this many bytes: more than the largest message to be fetched.
    pub fn new(reply_bytes_max: usize) -> Self {
        Self {
            buffer: Vec::new(),
            start: 0,
            scanned: 0,
            line: 0,
            reply_bytes_max,
        }
    }

    /// Takes bytes as they arrived. Take all replies before receiving more.
    pub fn receive(&mut self, bytes: &[u8]) {
        self.buffer.drain(..self.start);
        self.start = 0;
        self.buffer.extend_from_slice(bytes);
    }

    /// The next complete reply for [`parse`], without its line end; `None` until more bytes are received.
    ///
    /// # Errors
    /// [`TooLong`]: close the connection.
    #[allow(
        clippy::should_implement_trait,
        reason = "an iterator would be finished at None"
    )]
    pub fn next(&mut self) -> Result<Option<Vec<u8>>, TooLong> {
        loop {
            if self.scanned > self.reply_bytes_max {
                return Err(TooLong(self.reply_bytes_max));
            }
            let held = &self.buffer[self.start..];
            let Some(unsearched) = held.get(self.scanned..) else {
                return Ok(None);
            };
            let Some(at) = memchr::memchr(b'\n', unsearched) else {
                self.scanned = held.len();
                let over = self.scanned > self.reply_bytes_max;
                return if over {
                    Err(TooLong(self.reply_bytes_max))
                } else {
                    Ok(None)
                };
            };
            let end = self.scanned + at;
            if end > self.reply_bytes_max {
                return Err(TooLong(self.reply_bytes_max));
            }
            let line = &held[self.line..end];
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            if let Some(literal) = announced(line) {
                let size = usize::try_from(literal.size).unwrap_or(usize::MAX);
                self.line = (end + 1).saturating_add(size);
                self.scanned = self.line;
                continue;
            }
            let reply = held[..self.line + line.len()].to_vec();
            self.start += end + 1;
            (self.line, self.scanned) = (0, 0);
            return Ok(Some(reply));
        }
    }
}

/// Reads one reply. `utf8` after `ENABLE UTF8=ACCEPT`: names are then UTF-8.
///
/// # Errors
/// [`Problem`] for what no server should say.
pub fn parse(reply: &[u8], utf8: bool) -> Result<Reply, Problem> {
    let mut c = Cursor::new(reply, utf8);
    if c.eat(b'+') {
        c.eat(b' ');
        return Ok(Reply::Continue(c.rest().to_vec()));
    }
    if c.eat_word(b"* ") {
        return untagged(&mut c).map(Reply::Untagged);
    }
    let tag = c.tag()?;
    c.space()?;
    let kind = kind(&mut c).ok_or(Problem::Syntax("OK, NO or BAD"))?;
    Ok(Reply::Tagged(tag, status(kind, &mut c)?))
}

fn kind(c: &mut Cursor<'_>) -> Option<Kind> {
    let word = &c.rest()[..c
        .rest()
        .iter()
        .position(|b| *b == b' ')
        .unwrap_or(c.rest().len())];
    let kinds = [Kind::Ok, Kind::No, Kind::Bad, Kind::Bye, Kind::PreAuth];
    let kind = kinds
        .into_iter()
        .find(|k| k.as_str().as_bytes().eq_ignore_ascii_case(word))?;
    c.eat_word(word);
    Some(kind)
}

fn status(kind: Kind, c: &mut Cursor<'_>) -> Parsed<Status> {
    c.eat(b' ');
    let code = if c.eat(b'[') { Some(code(c)?) } else { None };
    if code.is_some() {
        c.eat(b' ');
    }
    Ok(Status {
        kind,
        code,
        text: String::from_utf8_lossy(c.rest()).into_owned(),
    })
}

/// After the opening bracket.
fn code(c: &mut Cursor<'_>) -> Parsed<Code> {
    let name = c.take_while(is_atom_char);
    if let Some(code) = Code::plain(name).filter(|_| c.eat(b']')) {
        return Ok(code);
    }
    let before = c.rest();
    if let Ok(Some(code)) = known_code(&name.to_ascii_uppercase(), c)
        && c.eat(b']')
    {
        return Ok(code);
    }
    // Unknown, or known but not as the standard has it (`[HIGHESTMODSEQ]`): keep the words.
    *c = Cursor::new(before, c.utf8);
    let name = Keyword::parse(name).ok_or(Problem::Syntax("response code"))?;
    let words = c.take_while(|b| b != b']');
    c.expect(b']', "closing bracket")?;
    let words = words.strip_prefix(b" ").unwrap_or(words);
    Ok(Code::Other(
        name,
        (!words.is_empty()).then(|| String::from_utf8_lossy(words).into_owned()),
    ))
}

fn known_code(name: &[u8], c: &mut Cursor<'_>) -> Parsed<Option<Code>> {
    Ok(Some(match name {
        b"BADCHARSET" => {
            let listed = c.eat(b' ');
            Code::BadCharset(if listed {
                c.list(|c| c.astring_text())?
            } else {
                Vec::new()
            })
        }
        b"CAPABILITY" => Code::Capability(words(c)),
        b"PERMANENTFLAGS" => {
            c.space()?;
            let mut new_keywords = false;
            let flags = c.list(|c| {
                let any = c.eat_word(b"\\*");
                new_keywords |= any;
                if any {
                    Ok(None)
                } else {
                    c.any_flag().map(Some)
                }
            })?;
            Code::PermanentFlags {
                flags: flags.into_iter().flatten().collect(),
                new_keywords,
            }
        }
        b"UIDNEXT" => Code::UidNext(sp_number(c)?),
        b"UIDVALIDITY" => Code::UidValidity(sp_number(c)?),
        b"UNSEEN" => Code::Unseen(sp_number(c)?),
        b"HIGHESTMODSEQ" => {
            c.space()?;
            Code::HighestModSeq(c.number64()?)
        }
        b"APPENDUID" => Code::AppendUid(sp_number(c)?, sp_numbers(c)?),
        b"COPYUID" => Code::CopyUid {
            uid_validity: sp_number(c)?,
            from: sp_numbers(c)?,
            to: sp_numbers(c)?,
        },
        b"MODIFIED" => Code::Modified(sp_numbers(c)?),
        b"MAILBOXID" => {
            c.space()?;
            c.expect(b'(', "opening parenthesis")?;
            let id = String::from_utf8_lossy(c.atom()?).into_owned();
            c.expect(b')', "closing parenthesis")?;
            Code::MailboxId(id)
        }
        b"WEBALERT" => {
            c.space()?;
            Code::WebAlert(String::from_utf8_lossy(c.take_while(|b| b != b']')).into_owned())
        }
        _ => return Ok(None),
    }))
}

fn sp_number(c: &mut Cursor<'_>) -> Parsed<u32> {
    c.space()?;
    c.number()
}

fn sp_numbers(c: &mut Cursor<'_>) -> Parsed<NumberSet> {
    c.space()?;
    numbers(&c.sequence_set()?)
}

fn numbers(set: &SequenceSet) -> Parsed<NumberSet> {
    let starred = set
        .ranges()
        .iter()
        .any(|r| r.from == SeqNumber::Largest || r.to == SeqNumber::Largest);
    if starred {
        Err(Problem::Syntax("set without *"))
    } else {
        Ok(set.resolve(0))
    }
}

/// Words up to the end or a closing bracket.
fn words(c: &mut Cursor<'_>) -> Vec<String> {
    let mut words = Vec::new();
    while c.eat(b' ') {
        let word = c.take_while(|b| b != b' ' && b != b']');
        if !word.is_empty() {
            words.push(String::from_utf8_lossy(word).into_owned());
        }
    }
    words
}

/// After `* `.
fn untagged(c: &mut Cursor<'_>) -> Parsed<Untagged> {
    let whole = c.rest();
    if let Some(kind) = kind(c) {
        return status(kind, c).map(Untagged::Status);
    }
    if c.peek().is_some_and(|b| b.is_ascii_digit()) {
        return numbered(whole, c);
    }
    let mut name = [0; 24];
    let Ok(name) = c.option(&mut name) else {
        return Ok(Untagged::Other(whole.to_vec()));
    };
    Ok(match name {
        b"CAPABILITY" => Untagged::Capability(words(c)),
        b"ENABLED" => Untagged::Enabled(words(c)),
        b"FLAGS" => {
            c.space()?;
            Untagged::Flags(c.list(|c| c.any_flag())?)
        }
        b"LIST" | b"LSUB" | b"XLIST" => listed(name, c)?,
        b"STATUS" => mailbox_status(c)?,
        b"SEARCH" => search(c)?,
        b"ESEARCH" => Untagged::Esearch(esearch(c)?),
        b"VANISHED" => {
            let earlier = c.eat_word(b" (EARLIER)");
            Untagged::Vanished {
                earlier,
                uids: sp_numbers(c)?,
            }
        }
        b"ID" => id(c)?,
        b"QUOTA" => quota(c)?,
        b"QUOTAROOT" => {
            c.space()?;
            let mailbox = name_text(c)?;
            let mut roots = Vec::new();
            while c.eat(b' ') {
                roots.push(c.astring_text()?);
            }
            Untagged::QuotaRoot(mailbox, roots)
        }
        _ => Untagged::Other(whole.to_vec()),
    })
}

fn numbered(whole: &[u8], c: &mut Cursor<'_>) -> Parsed<Untagged> {
    let number = c.number()?;
    c.space()?;
    Ok(match c.option(&mut [0; 24])? {
        b"EXISTS" => Untagged::Exists(number),
        b"RECENT" => Untagged::Recent(number),
        b"EXPUNGE" => Untagged::Expunge(number),
        b"FETCH" => {
            c.space()?;
            Untagged::Fetch(number, c.list(fetch::data)?)
        }
        _ => Untagged::Other(whole.to_vec()),
    })
}

fn name_text(c: &mut Cursor<'_>) -> Parsed<String> {
    decode(&c.astring()?, c.utf8)
}

fn decode(bytes: &[u8], utf8: bool) -> Parsed<String> {
    decode_name(bytes, utf8).ok_or(Problem::Syntax("mailbox name"))
}

fn listed(name: &[u8], c: &mut Cursor<'_>) -> Parsed<Untagged> {
    let name = String::from_utf8_lossy(name).into_owned();
    c.space()?;
    let attributes = c.list(|c| c.any_flag().map(|flag| flag.to_string()))?;
    c.space()?;
    let delimiter = c
        .nstring()?
        .and_then(|d| std::str::from_utf8(&d).ok()?.chars().next());
    c.space()?;
    let mailbox = name_text(c)?;
    let extended = if c.eat(b' ') {
        value::value(c)?.into_list()
    } else {
        None
    };
    Ok(Untagged::List(Listed {
        name,
        attributes,
        delimiter,
        mailbox,
        extended,
    }))
}

fn mailbox_status(c: &mut Cursor<'_>) -> Parsed<Untagged> {
    c.space()?;
    let mailbox = name_text(c)?;
    c.space()?;
    let items = c.list(|c| {
        let mut word = [0; 24];
        let item = StatusItem::parse(c.option(&mut word)?);
        c.space()?;
        // MAILBOXID is not a number; items we do not know are left out.
        let number = value::value(c)?.number();
        Ok(item.zip(number))
    })?;
    Ok(Untagged::MailboxStatus(
        mailbox,
        items.into_iter().flatten().collect(),
    ))
}

fn search(c: &mut Cursor<'_>) -> Parsed<Untagged> {
    let mut found = Vec::new();
    let mut mod_seq = None;
    while c.more() {
        c.space()?;
        if c.eat_word(b"(MODSEQ ") {
            mod_seq = Some(c.number64()?);
            c.expect(b')', "closing parenthesis")?;
        } else {
            found.push(c.number()?);
        }
    }
    Ok(Untagged::Search(found, mod_seq))
}

fn esearch(c: &mut Cursor<'_>) -> Parsed<Esearch> {
    let mut it = Esearch {
        tag: None,
        by: By::Sequence,
        min: None,
        max: None,
        all: NumberSet::default(),
        count: None,
        mod_seq: None,
    };
    if c.eat_word(b" (TAG ") {
        it.tag = Tag::parse(&c.astring()?);
        c.expect(b')', "closing parenthesis")?;
    }
    if c.eat_word(b" UID") {
        it.by = By::Uid;
    }
    while c.more() {
        c.space()?;
        match c.option(&mut [0; 24])? {
            b"MIN" => it.min = Some(sp_number(c)?),
            b"MAX" => it.max = Some(sp_number(c)?),
            b"COUNT" => it.count = Some(sp_number(c)?),
            b"ALL" => it.all = sp_numbers(c)?,
            b"MODSEQ" => {
                c.space()?;
                it.mod_seq = Some(c.number64()?);
            }
            _ => {
                c.space()?;
                value::value(c)?;
            }
        }
    }
    Ok(it)
}

fn lossy(bytes: Cow<'_, [u8]>) -> String {
    String::from_utf8_lossy(&bytes).into_owned()
}

fn id(c: &mut Cursor<'_>) -> Parsed<Untagged> {
    c.space()?;
    if c.eat_word(b"NIL") {
        return Ok(Untagged::Id(Vec::new()));
    }
    let fields = c.list(|c| {
        let name = lossy(c.string()?);
        c.space()?;
        Ok((name, c.nstring()?.map(lossy)))
    })?;
    Ok(Untagged::Id(fields))
}

fn quota(c: &mut Cursor<'_>) -> Parsed<Untagged> {
    c.space()?;
    let root = c.astring_text()?;
    c.space()?;
    let resources = c.list(|c| {
        let name = lossy(Cow::Borrowed(c.atom()?));
        c.space()?;
        let used = c.number64()?;
        c.space()?;
        Ok((name, used, c.number64()?))
    })?;
    Ok(Untagged::Quota(root, resources))
}
