//! Framing: where a command ends, before anyone asks what it means (RFC 3501 §2.2, §4.3; RFC 7888).
//!
//! A [`Framer`] takes bytes as they arrive and gives [`Event`]s one at a time. Lines end in CRLF; a bare LF is taken as a line end
//! too, since hand-typed sessions and some old clients send it and nothing in IMAP depends on the difference. Literals stay inside
//! the command, except the message of an APPEND, which passes through in pieces and is never collected.
//!
//! What it refuses (lines and literals over their [`Limits`]) it also skips, so one bad command costs one `BAD` and not the
//! connection.

use super::Tag;

/// The bounds of one connection's input.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// One line, or the piece of a command between two literals. 64 KiB: bearer tokens need 16 KiB (wire §2.1), and clients that
    /// synchronise large mailboxes send UID sets of tens of kilobytes.
    pub line_bytes_max: usize,
    /// A literal other than APPEND's message: names, passwords, search texts.
    pub literal_bytes_max: u64,
    /// A whole command with its literals, APPEND's message excepted.
    pub command_bytes_max: usize,
    /// APPEND's message: APPENDLIMIT (RFC 7889, wire §3.9).
    pub append_bytes_max: u64,
    /// A `{n+}` literal: 4096 where LITERAL- is announced (RFC 7888 §5), `u64::MAX` for LITERAL+.
    pub non_sync_bytes_max: u64,
    /// The most that is read and thrown away to get past a refused `{n+}` literal; beyond it the connection is lost.
    pub skip_bytes_max: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            line_bytes_max: 64 * 1024,
            literal_bytes_max: 64 * 1024,
            command_bytes_max: 256 * 1024,
            append_bytes_max: 35_651_584,
            non_sync_bytes_max: 4096,
            skip_bytes_max: 64 * 1024 * 1024,
        }
    }
}

/// What the framer found next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A complete command with its literals in place, without the final line end: give it to [`parse`](super::parse).
    Command(Vec<u8>),
    /// The client waits for leave to send a literal of the present command: answer `+ go ahead`.
    Continue,
    /// An APPEND up to and with the announcement of its message: give `head` to [`parse`](super::parse) for an
    /// [`Append`](super::command::Append). Then either let it come (after `+ go ahead`, if it `waits`) by asking for the next
    /// event, or answer the command and call [`Framer::refuse_literal`].
    LiteralStart {
        /// The command so far, announcement and line end included.
        head: Vec<u8>,
        /// Bytes announced, within `append_bytes_max`.
        size: u64,
        /// The client waits for `+`.
        waits: bool,
    },
    /// The next piece of the message; never empty. Together they are exactly `size` bytes.
    LiteralData(Vec<u8>),
    /// The line went on after the message and ended with this: legal only if it is what
    /// [`AppendForm::closing`](super::command::AppendForm::closing) says. Run the APPEND now, or answer `BAD`.
    AppendEnd {
        /// Without the line end.
        rest: Vec<u8>,
    },
    /// A raw line, asked for by [`Framer::expect_line`], without its line end.
    Line(Vec<u8>),
    /// Something over a limit. Answer with the tag (untagged `BAD` without one); the framer skips the rest by itself. If the line
    /// was the rest of an APPEND whose message was already given, forget that message.
    Refused(Refused),
}

/// See [`Event::Refused`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The tag the command began with, if it was one.
    pub tag: Option<Tag>,
    /// What was over its limit.
    pub why: Refusal,
    /// Nothing further can be understood: close the connection.
    pub fatal: bool,
}

/// What was over its limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// `line_bytes_max`: `BAD`.
    LineTooLong,
    /// `literal_bytes_max`: `BAD`, or `NO [TOOBIG]` (RFC 7888 §4).
    LiteralTooLarge,
    /// `non_sync_bytes_max`: `BAD` (RFC 7888 §5).
    NonSyncTooLarge,
    /// `append_bytes_max`: `NO [TOOBIG]` (RFC 7889 §4).
    AppendTooLarge,
    /// `command_bytes_max`: `BAD`.
    CommandTooLarge,
    /// A second message in one APPEND (MULTIAPPEND is not announced): `BAD`.
    SecondMessage,
}

/// Finds commands in a stream of bytes. Holds at most one command and what was received behind it; empty, it holds no memory.
#[derive(Debug)]
pub struct Framer {
    limits: Limits,
    state: State,
    /// Received and not given away; the present command begins at `start`.
    buffer: Vec<u8>,
    start: usize,
    /// Where the present line (the piece after the last literal) begins, relative to `start`.
    line: usize,
    /// How far the present line was searched for its end, relative to `start`.
    scanned: usize,
}

#[derive(Debug, PartialEq, Eq)]
enum State {
    /// In a line of a command.
    Line,
    /// In a literal that stays in the command and ends there, relative to `start`.
    Literal { end: usize },
    /// In APPEND's message.
    Message {
        left: u64,
        waits: bool,
        tag: Option<Tag>,
    },
    /// In the line behind APPEND's message.
    AppendRest { tag: Option<Tag> },
    /// The next line is a raw one.
    Raw,
    /// Skipping a line up to its end.
    SkipLine,
    /// Skipping a literal, and then the line behind it.
    SkipLiteral { left: u64 },
    /// Nothing is understood any more.
    Lost,
}

/// `literal = "{" number ["+"] "}"` at the end of a line (RFC 3501 §9, RFC 7888 §8)
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Announced {
    pub(crate) size: u64,
    pub(crate) waits: bool,
    /// Where it begins in the line, `~` included.
    pub(crate) at: usize,
}

impl Framer {
    /// A framer at the start of a command.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            state: State::Line,
            buffer: Vec::new(),
            start: 0,
            line: 0,
            scanned: 0,
        }
    }

    /// Replaces the limits, as after login.
    pub fn set_limits(&mut self, limits: Limits) {
        self.limits = limits;
    }

    /// Takes bytes as they arrived. Take all events before reading more from the peer: that bounds what is held.
    pub fn receive(&mut self, bytes: &[u8]) {
        if self.state == State::Lost {
            return;
        }
        if self.start > 0 {
            self.buffer.drain(..self.start);
            self.start = 0;
        }
        self.buffer.extend_from_slice(bytes);
    }

    /// The next line is one raw line ([`Event::Line`]), not a command: SASL responses (RFC 3501 §6.2.2) and IDLE's `DONE`
    /// (RFC 2177 §3). Call it between commands, after [`Event::Command`].
    pub fn expect_line(&mut self) {
        if self.state == State::Line && self.line == 0 {
            self.state = State::Raw;
        }
    }

    /// The message announced by [`Event::LiteralStart`] is not wanted; the command was answered. A client that waits will not send
    /// it; one that does not gets it skipped, and the rest of its line with it.
    pub fn refuse_literal(&mut self) {
        if let State::Message { left, waits, .. } = self.state {
            self.state = if waits {
                State::Line
            } else {
                State::SkipLiteral { left }
            };
        }
    }

    /// Whether bytes of a command not yet complete are held.
    pub fn is_mid_command(&self) -> bool {
        self.buffer.len() > self.start
            || !matches!(self.state, State::Line | State::Raw | State::Lost)
    }

    /// Throws away what is held, as at STARTTLS (RFC 3501 §6.2.1).
    pub fn clear(&mut self) {
        *self = Self::new(self.limits);
    }

    /// The next event, or `None` until more bytes are received. (Not an `Iterator`: `None` is not the end.)
    #[allow(
        clippy::should_implement_trait,
        reason = "an iterator would be finished at None"
    )]
    pub fn next(&mut self) -> Option<Event> {
        loop {
            let found = match self.state {
                State::Line => self.in_line()?,
                State::Literal { end } => {
                    self.in_literal(end)?;
                    None
                }
                State::Message { .. } => self.in_message()?,
                State::AppendRest { .. } => Some(self.in_append_rest()?),
                State::Raw => Some(self.in_raw()?),
                State::SkipLine => self.skip_line()?,
                State::SkipLiteral { left } => {
                    self.skip_literal(left)?;
                    None
                }
                State::Lost => return None,
            };
            if found.is_some() {
                return found;
            }
        }
    }

    fn held(&self) -> &[u8] {
        &self.buffer[self.start..]
    }

    /// Searches on for the end of the present line: the index after its LF, relative to `start`.
    fn find_line_end(&mut self) -> Option<usize> {
        let found = memchr::memchr(b'\n', &self.held()[self.scanned..]);
        self.scanned = match found {
            Some(at) => self.scanned + at + 1,
            None => self.held().len(),
        };
        found.map(|_| self.scanned)
    }

    /// Gives away the first `length` bytes held and begins anew behind them.
    fn take(&mut self, length: usize) -> Vec<u8> {
        let taken = if self.start == 0 && length == self.buffer.len() {
            std::mem::take(&mut self.buffer)
        } else {
            self.buffer[self.start..self.start + length].to_vec()
        };
        self.forget(if taken.len() == length && self.buffer.is_empty() {
            0
        } else {
            length
        });
        taken
    }

    /// Drops the first `length` bytes held and begins anew behind them.
    fn forget(&mut self, length: usize) {
        self.start += length;
        self.line = 0;
        self.scanned = 0;
        if self.start == self.buffer.len() {
            self.buffer = Vec::new();
            self.start = 0;
        }
    }

    fn take_line(&mut self, end: usize) -> Vec<u8> {
        let mut line = self.take(end);
        line.truncate(without_line_end(&line).len());
        line
    }

    fn refused(&self, tag: Option<Tag>, why: Refusal) -> Option<Event> {
        Some(Event::Refused(Refused {
            tag,
            why,
            fatal: self.state == State::Lost,
        }))
    }

    fn in_line(&mut self) -> Option<Option<Event>> {
        let end = self.find_line_end();
        if end.unwrap_or(self.scanned) - self.line > self.limits.line_bytes_max {
            return Some(self.refuse_line(Refusal::LineTooLong));
        }
        let end = end?;
        match announced(without_line_end(&self.held()[self.line..end])) {
            Some(literal) => Some(self.literal_announced(literal, end)),
            None if end > self.limits.command_bytes_max => {
                Some(self.refuse_line(Refusal::CommandTooLarge))
            }
            None => Some(Some(Event::Command(self.take_line(end)))),
        }
    }

    /// Refuses the command and skips the line it is in.
    fn refuse_line(&mut self, why: Refusal) -> Option<Event> {
        let tag = Tag::of_line(self.held());
        let line = self.line;
        self.forget(line);
        self.state = State::SkipLine;
        self.refused(tag, why)
    }

    fn literal_announced(&mut self, literal: Announced, end: usize) -> Option<Event> {
        let line = &self.held()[self.line..self.line + literal.at];
        let message = if self.line == 0 {
            is_append_message(line)
        } else {
            is_append_message_after_name(self.held(), line)
        };
        let total = (end as u64).saturating_add(if message { 0 } else { literal.size });
        let why = if message && literal.size > self.limits.append_bytes_max {
            Refusal::AppendTooLarge
        } else if !literal.waits && literal.size > self.limits.non_sync_bytes_max {
            Refusal::NonSyncTooLarge
        } else if !message && literal.size > self.limits.literal_bytes_max {
            Refusal::LiteralTooLarge
        } else if total > self.limits.command_bytes_max as u64 {
            Refusal::CommandTooLarge
        } else if message {
            return Some(self.begin_message(literal, end));
        } else {
            // `total` fits command_bytes_max, a usize.
            self.state = State::Literal {
                end: total as usize,
            };
            return literal.waits.then_some(Event::Continue);
        };
        let tag = Tag::of_line(self.held());
        self.forget(end);
        self.skip(literal);
        self.refused(tag, why)
    }

    fn begin_message(&mut self, literal: Announced, end: usize) -> Event {
        let head = self.take(end);
        let (size, waits) = (literal.size, literal.waits);
        self.state = State::Message {
            left: size,
            waits,
            tag: Tag::of_line(&head),
        };
        Event::LiteralStart { head, size, waits }
    }

    /// Skips a refused literal if the client sends it all the same; otherwise a new command begins.
    fn skip(&mut self, literal: Announced) {
        if literal.waits {
            self.state = State::Line;
        } else if literal.size > self.limits.skip_bytes_max {
            self.state = State::Lost;
            self.buffer = Vec::new();
            self.start = 0;
        } else {
            self.state = State::SkipLiteral { left: literal.size };
        }
    }

    fn in_literal(&mut self, end: usize) -> Option<()> {
        if self.held().len() < end {
            return None;
        }
        (self.line, self.scanned) = (end, end);
        self.state = State::Line;
        Some(())
    }

    fn in_message(&mut self) -> Option<Option<Event>> {
        let here = self.held().len();
        let State::Message { left, tag, .. } = &mut self.state else {
            return Some(None);
        };
        if *left == 0 {
            let tag = tag.take();
            self.state = State::AppendRest { tag };
            return Some(None);
        }
        let length = usize::try_from(*left).unwrap_or(usize::MAX).min(here);
        if length == 0 {
            return None;
        }
        *left -= length as u64;
        Some(Some(Event::LiteralData(self.take(length))))
    }

    fn in_append_rest(&mut self) -> Option<Event> {
        let end = self.find_line_end();
        let State::AppendRest { tag } = &mut self.state else {
            return None;
        };
        if end.unwrap_or(self.scanned) > self.limits.line_bytes_max {
            let tag = tag.take();
            self.state = State::SkipLine;
            self.forget(0);
            return self.refused(tag, Refusal::LineTooLong);
        }
        let end = end?;
        let tag = tag.take();
        let rest = self.take_line(end);
        let Some(second) = announced(&rest) else {
            self.state = State::Line;
            return Some(Event::AppendEnd { rest });
        };
        self.skip(second);
        self.refused(tag, Refusal::SecondMessage)
    }

    fn in_raw(&mut self) -> Option<Event> {
        let end = self.find_line_end();
        if end.unwrap_or(self.scanned) > self.limits.line_bytes_max {
            self.state = State::SkipLine;
            self.forget(0);
            return self.refused(None, Refusal::LineTooLong);
        }
        let line = self.take_line(end?);
        self.state = State::Line;
        Some(Event::Line(line))
    }

    fn skip_line(&mut self) -> Option<Option<Event>> {
        let Some(end) = self.find_line_end() else {
            let skipped = self.held().len().saturating_sub(ANNOUNCEMENT_BYTES_MAX);
            self.forget(skipped);
            self.scanned = self.held().len();
            return None;
        };
        let literal = announced(without_line_end(&self.held()[..end]));
        self.forget(end);
        match literal {
            Some(literal) => self.skip(literal),
            None => self.state = State::Line,
        }
        // A peer who announces more than is ever skipped must be told, although its command was answered.
        Some(if self.state == State::Lost {
            self.refused(None, Refusal::LiteralTooLarge)
        } else {
            None
        })
    }

    fn skip_literal(&mut self, left: u64) -> Option<()> {
        let length = usize::try_from(left)
            .unwrap_or(usize::MAX)
            .min(self.held().len());
        self.forget(length);
        let left = left - length as u64;
        self.state = if left == 0 {
            State::SkipLine
        } else {
            State::SkipLiteral { left }
        };
        (left == 0).then_some(())
    }
}

fn without_line_end(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// Longest announcement of a literal, its line end included: all that is kept of a line being skipped.
const ANNOUNCEMENT_BYTES_MAX: usize = 32;
/// Digits of an announcement; 64 bits need 20. With more it is no announcement, whether its line is held whole or skipped.
const DIGITS_MAX: usize = ANNOUNCEMENT_BYTES_MAX - "{+}\r\n".len();

/// The literal announced at the end of a line. Sizes beyond 64 bits count as the largest.
pub(crate) fn announced(line: &[u8]) -> Option<Announced> {
    let inner = line.strip_suffix(b"}")?;
    let (digits, waits) = match inner.strip_suffix(b"+") {
        Some(digits) => (digits, false),
        None => (inner, true),
    };
    let count = digits
        .iter()
        .rev()
        .take_while(|b| b.is_ascii_digit())
        .count();
    let (before, digits) = digits.split_at(digits.len() - count);
    let before = before.strip_suffix(b"{")?;
    if digits.is_empty() || digits.len() > DIGITS_MAX {
        return None;
    }
    let size = digits.iter().fold(0u64, |n, b| {
        n.saturating_mul(10).saturating_add(u64::from(b - b'0'))
    });
    Some(Announced {
        size,
        waits,
        at: before.strip_suffix(b"~").unwrap_or(before).len(),
    })
}

/// Whether `line`, which announces a literal at its end, is `tag SP "APPEND" SP mailbox SP ...`: the literal then is the message.
fn is_append_message(line: &[u8]) -> bool {
    append_arguments(line).is_some_and(|rest| rest.contains(&b' '))
}

/// The same where the mailbox name was a literal: `tag SP "APPEND" SP literal SP ...`, with `line` what followed that literal. Any
/// further literal of an APPEND is the message, since nothing else in it can be one.
fn is_append_message_after_name(command: &[u8], line: &[u8]) -> bool {
    append_arguments(command).is_some() && line.first() == Some(&b' ')
}

fn append_arguments(line: &[u8]) -> Option<&[u8]> {
    let space = memchr::memchr(b' ', line)?;
    Tag::parse(&line[..space])?;
    let (name, rest) = line[space + 1..].split_at_checked(7)?;
    name.eq_ignore_ascii_case(b"APPEND ").then_some(rest)
}
