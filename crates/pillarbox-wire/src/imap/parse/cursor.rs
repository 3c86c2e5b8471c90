//! The reader that every command's grammar is written with: tokens of RFC 3501 §9.

use std::borrow::Cow;
use std::num::NonZeroU32;

use super::{Parsed, Problem};
use crate::imap::types::{is_astring_char, is_atom_char, is_list_char};
use crate::imap::{Flag, Mailbox, SeqNumber, SeqRange, SequenceSet, Tag};

/// A place in the bytes of a command or reply.
pub(crate) struct Cursor<'a> {
    rest: &'a [u8],
    /// UTF8=ACCEPT is on.
    pub(crate) utf8: bool,
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(bytes: &'a [u8], utf8: bool) -> Self {
        Self { rest: bytes, utf8 }
    }

    pub(crate) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    pub(crate) fn peek(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    pub(crate) fn eat(&mut self, byte: u8) -> bool {
        let here = self.peek() == Some(byte);
        if here {
            self.rest = &self.rest[1..];
        }
        here
    }

    /// Eats `word` in any letter case.
    pub(crate) fn eat_word(&mut self, word: &[u8]) -> bool {
        let here =
            self.rest.len() >= word.len() && self.rest[..word.len()].eq_ignore_ascii_case(word);
        if here {
            self.rest = &self.rest[word.len()..];
        }
        here
    }

    pub(crate) fn expect(&mut self, byte: u8, what: &'static str) -> Parsed<()> {
        if self.eat(byte) {
            Ok(())
        } else {
            Err(Problem::Syntax(what))
        }
    }

    pub(crate) fn space(&mut self) -> Parsed<()> {
        self.expect(b' ', "space")
    }

    /// Nothing but spaces is left.
    pub(crate) fn end(&mut self) -> Parsed<()> {
        if self.rest.iter().all(|b| *b == b' ') {
            Ok(())
        } else {
            Err(Problem::Syntax("end of command"))
        }
    }

    /// Whether another argument follows: a space and something behind it.
    pub(crate) fn more(&self) -> bool {
        self.peek() == Some(b' ') && !self.rest.iter().all(|b| *b == b' ')
    }

    pub(crate) fn take_while(&mut self, legal: impl Fn(u8) -> bool) -> &'a [u8] {
        let end = self
            .rest
            .iter()
            .position(|b| !legal(*b))
            .unwrap_or(self.rest.len());
        let (taken, rest) = self.rest.split_at(end);
        self.rest = rest;
        taken
    }

    fn some(&mut self, what: &'static str, legal: impl Fn(u8) -> bool) -> Parsed<&'a [u8]> {
        let taken = self.take_while(legal);
        if taken.is_empty() {
            Err(Problem::Syntax(what))
        } else {
            Ok(taken)
        }
    }

    pub(crate) fn tag(&mut self) -> Parsed<Tag> {
        let text = self.take_while(|b| is_astring_char(b) && b != b'+');
        Tag::parse(text)
            .filter(|_| matches!(self.peek(), None | Some(b' ')))
            .ok_or(Problem::NoTag)
    }

    pub(crate) fn atom(&mut self) -> Parsed<&'a [u8]> {
        self.some("atom", is_atom_char)
    }

    /// An atom that is all of ASCII, as text in upper case.
    pub(crate) fn upper_atom(&mut self) -> Parsed<String> {
        Ok(ascii(self.atom()?).to_ascii_uppercase())
    }

    /// A command's name in upper case; one too long for `into` is unknown.
    pub(crate) fn name<'n>(&mut self, into: &'n mut [u8]) -> Parsed<&'n [u8]> {
        let atom = self.some("command name", is_atom_char)?;
        let into = into.get_mut(..atom.len()).ok_or(Problem::UnknownCommand)?;
        into.copy_from_slice(atom);
        into.make_ascii_uppercase();
        Ok(into)
    }

    /// A word of letters, digits, `-`, `_`, `.` and signs such as options are made of, in upper case, at most 24 bytes.
    pub(crate) fn option<'n>(&mut self, into: &'n mut [u8; 24]) -> Parsed<&'n [u8]> {
        let word = self.some("word", |b| {
            b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'+' | b'=')
        })?;
        let into = into
            .get_mut(..word.len())
            .ok_or(Problem::Syntax("known word"))?;
        into.copy_from_slice(word);
        into.make_ascii_uppercase();
        Ok(into)
    }

    /// `number`, up to 63 bits (RFC 9051 §9 number64).
    pub(crate) fn number64(&mut self) -> Parsed<u64> {
        let digits = self.some("number", |b| b.is_ascii_digit())?;
        let number = digits.iter().try_fold(0u64, |n, b| {
            n.checked_mul(10)?.checked_add(u64::from(b - b'0'))
        });
        number
            .filter(|n| *n <= i64::MAX as u64)
            .ok_or(Problem::Syntax("number below 2^63"))
    }

    /// A number of the full 64 bits (wire §3.7: X-GM-MSGID is unsigned).
    pub(crate) fn unsigned64(&mut self) -> Parsed<u64> {
        let digits = self.some("number", |b| b.is_ascii_digit())?;
        let number = digits.iter().try_fold(0u64, |n, b| {
            n.checked_mul(10)?.checked_add(u64::from(b - b'0'))
        });
        number.ok_or(Problem::Syntax("number below 2^64"))
    }

    pub(crate) fn number(&mut self) -> Parsed<u32> {
        u32::try_from(self.number64()?).map_err(|_| Problem::Syntax("number below 2^32"))
    }

    /// `nz-number = digit-nz *DIGIT`
    pub(crate) fn nz_number(&mut self) -> Parsed<NonZeroU32> {
        // By hand: long UID sets are the longest commands there are.
        let mut value = 0u32;
        let mut length = 0;
        while let Some(byte @ b'0'..=b'9') = self.rest.get(length).copied() {
            if length == 0 && byte == b'0' {
                break;
            }
            let next = value
                .checked_mul(10)
                .and_then(|v| v.checked_add(u32::from(byte - b'0')));
            value = next.ok_or(Problem::Syntax("number below 2^32"))?;
            length += 1;
        }
        self.rest = &self.rest[length..];
        NonZeroU32::new(value).ok_or(Problem::Syntax("number above 0"))
    }

    fn seq_number(&mut self) -> Parsed<SeqNumber> {
        if self.eat(b'*') {
            Ok(SeqNumber::Largest)
        } else {
            self.nz_number().map(SeqNumber::Number)
        }
    }

    pub(crate) fn sequence_set(&mut self) -> Parsed<SequenceSet> {
        let mut ranges = Vec::new();
        loop {
            let from = self.seq_number()?;
            let to = if self.eat(b':') {
                self.seq_number()?
            } else {
                from
            };
            ranges.push(SeqRange { from, to });
            if !self.eat(b',') {
                break;
            }
        }
        SequenceSet::new(ranges).ok_or(Problem::Syntax("set"))
    }

    /// `quoted = DQUOTE *QUOTED-CHAR DQUOTE`, after the opening quote. Bytes above 127 pass: RFC 6855 allows them, and clients
    /// send them without asking.
    fn quoted(&mut self) -> Parsed<Cow<'a, [u8]>> {
        let mut unescaped: Option<Vec<u8>> = None;
        let mut at = 0;
        loop {
            let special = |b: &u8| matches!(b, b'"' | b'\\' | b'\r' | b'\n' | 0);
            let length = self.rest[at..]
                .iter()
                .position(special)
                .ok_or(Problem::Syntax("closing quote"))?;
            if let Some(text) = &mut unescaped {
                text.extend_from_slice(&self.rest[at..at + length]);
            }
            at += length;
            match self.rest[at] {
                b'"' => {
                    let text = unescaped.map_or(Cow::Borrowed(&self.rest[..at]), Cow::Owned);
                    self.rest = &self.rest[at + 1..];
                    return Ok(text);
                }
                b'\\' => {
                    let escaped = *self
                        .rest
                        .get(at + 1)
                        .filter(|b| matches!(b, b'"' | b'\\'))
                        .ok_or(Problem::Syntax("quoted character"))?;
                    unescaped
                        .get_or_insert_with(|| self.rest[..at].to_vec())
                        .push(escaped);
                    at += 2;
                }
                _ => return Err(Problem::Syntax("quoted string without line ends")),
            }
        }
    }

    /// `literal = "{" number ["+"] "}" CRLF *CHAR8`, after the brace.
    fn literal(&mut self) -> Parsed<&'a [u8]> {
        let size = usize::try_from(self.number64()?).map_err(|_| Problem::Syntax("literal"))?;
        self.eat(b'+');
        self.expect(b'}', "closing brace")?;
        self.eat(b'\r');
        self.expect(b'\n', "line end after literal size")?;
        let (text, rest) = self
            .rest
            .split_at_checked(size)
            .ok_or(Problem::Syntax("literal"))?;
        self.rest = rest;
        Ok(text)
    }

    /// `string = quoted / literal`; `None` if neither begins here.
    pub(crate) fn try_string(&mut self) -> Parsed<Option<Cow<'a, [u8]>>> {
        if self.eat(b'"') {
            self.quoted().map(Some)
        } else if self.eat(b'{') || (self.rest.starts_with(b"~{") && self.eat_word(b"~{")) {
            self.literal().map(|text| Some(Cow::Borrowed(text)))
        } else {
            Ok(None)
        }
    }

    pub(crate) fn string(&mut self) -> Parsed<Cow<'a, [u8]>> {
        self.try_string()?.ok_or(Problem::Syntax("string"))
    }

    /// `nstring = string / nil`
    pub(crate) fn nstring(&mut self) -> Parsed<Option<Cow<'a, [u8]>>> {
        if self.eat_word(b"NIL") {
            Ok(None)
        } else {
            self.string().map(Some)
        }
    }

    /// `astring = 1*ASTRING-CHAR / string`
    pub(crate) fn astring(&mut self) -> Parsed<Cow<'a, [u8]>> {
        match self.try_string()? {
            Some(text) => Ok(text),
            None => self
                .some("string or atom", is_astring_char)
                .map(Cow::Borrowed),
        }
    }

    /// An astring that is UTF-8 without NUL.
    pub(crate) fn astring_text(&mut self) -> Parsed<String> {
        text(self.astring()?)
    }

    /// `list-mailbox = 1*list-char / string`
    pub(crate) fn list_mailbox(&mut self) -> Parsed<Cow<'a, [u8]>> {
        match self.try_string()? {
            Some(text) => Ok(text),
            None => self.some("pattern", is_list_char).map(Cow::Borrowed),
        }
    }

    pub(crate) fn mailbox(&mut self) -> Parsed<Mailbox> {
        Mailbox::from_wire(&self.astring()?, self.utf8)
    }

    pub(crate) fn sp_mailbox(&mut self) -> Parsed<Mailbox> {
        self.space()?;
        self.mailbox()
    }

    /// A flag, `\Recent` and extensions included.
    pub(crate) fn any_flag(&mut self) -> Parsed<Flag> {
        let length = usize::from(self.peek() == Some(b'\\'));
        let name = self.rest[length..]
            .iter()
            .position(|b| !is_atom_char(*b))
            .unwrap_or(self.rest.len() - length);
        let (flag, rest) = self.rest.split_at(length + name);
        self.rest = rest;
        Flag::parse(flag).ok_or(Problem::Syntax("flag"))
    }

    /// A flag a client may set.
    pub(crate) fn flag(&mut self) -> Parsed<Flag> {
        match self.any_flag()? {
            Flag::Recent | Flag::Extension(_) => Err(Problem::Syntax("flag a client may set")),
            flag => Ok(flag),
        }
    }

    /// `"(" [item *(SP item)] ")"`
    pub(crate) fn list<T>(
        &mut self,
        mut item: impl FnMut(&mut Self) -> Parsed<T>,
    ) -> Parsed<Vec<T>> {
        self.expect(b'(', "opening parenthesis")?;
        let mut items = Vec::new();
        if self.eat(b')') {
            return Ok(items);
        }
        loop {
            items.push(item(self)?);
            if self.eat(b')') {
                return Ok(items);
            }
            self.space()?;
        }
    }

    /// `"(" item *(SP item) ")"`
    pub(crate) fn full_list<T>(
        &mut self,
        item: impl FnMut(&mut Self) -> Parsed<T>,
    ) -> Parsed<Vec<T>> {
        let items = self.list(item)?;
        if items.is_empty() {
            Err(Problem::Syntax("list that is not empty"))
        } else {
            Ok(items)
        }
    }
}

/// Bytes known to be ASCII, as text.
pub(crate) fn ascii(bytes: &[u8]) -> String {
    bytes.iter().map(|b| char::from(*b)).collect()
}

/// UTF-8 without NUL.
pub(crate) fn text(bytes: Cow<'_, [u8]>) -> Parsed<String> {
    let text = String::from_utf8(bytes.into_owned()).map_err(|_| Problem::Syntax("UTF-8 text"))?;
    if text.contains('\0') {
        Err(Problem::Syntax("text without NUL"))
    } else {
        Ok(text)
    }
}
