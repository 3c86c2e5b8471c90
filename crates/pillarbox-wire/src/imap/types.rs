//! The small values commands and replies are made of: tags, secrets, mailbox names, flags.

use std::fmt;

use super::mutf7;
use super::parse::Problem;

/// `ATOM-CHAR = <any CHAR except atom-specials>` (RFC 3501 §9)
pub(crate) fn is_atom_char(byte: u8) -> bool {
    CLASS[byte as usize] & ATOM != 0
}

/// `ASTRING-CHAR = ATOM-CHAR / resp-specials` (RFC 3501 §9)
pub(crate) fn is_astring_char(byte: u8) -> bool {
    CLASS[byte as usize] & (ATOM | CLOSING_BRACKET) != 0
}

/// `list-char = ATOM-CHAR / list-wildcards / resp-specials` (RFC 3501 §9)
pub(crate) fn is_list_char(byte: u8) -> bool {
    CLASS[byte as usize] & (ATOM | CLOSING_BRACKET | WILDCARD) != 0
}

const ATOM: u8 = 1;
const CLOSING_BRACKET: u8 = 2;
const WILDCARD: u8 = 4;

const CLASS: [u8; 256] = {
    let mut table = [0; 256];
    let mut byte = 0x21;
    while byte < 0x7f {
        table[byte] = match byte as u8 {
            b'(' | b')' | b'{' | b'"' | b'\\' => 0,
            b'%' | b'*' => WILDCARD,
            b']' => CLOSING_BRACKET,
            _ => ATOM,
        };
        byte += 1;
    }
    table
};

/// `tag = 1*<any ASTRING-CHAR except "+">` (RFC 3501 §9)
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Tag(Box<str>);

impl Tag {
    /// At most this many bytes: a tag is repeated in replies and logs, and nobody needs more.
    pub const BYTES_MAX: usize = 128;

    /// The tag, or `None` if the text is not one.
    pub fn parse(text: &[u8]) -> Option<Self> {
        let legal = |b: &u8| is_astring_char(*b) && *b != b'+';
        if text.is_empty() || text.len() > Self::BYTES_MAX || !text.iter().all(legal) {
            return None;
        }
        std::str::from_utf8(text).ok().map(|text| Self(text.into()))
    }

    /// The tag a line begins with, for answering a line that is otherwise not understood.
    pub fn of_line(line: &[u8]) -> Option<Self> {
        let end = line
            .iter()
            .position(|b| matches!(b, b' ' | b'\r' | b'\n'))
            .unwrap_or(line.len());
        Self::parse(&line[..end])
    }

    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Bytes that are never shown: a password, or a SASL response with a token in it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Vec<u8>);

impl Secret {
    /// Hides these bytes.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Self(bytes.into())
    }

    /// The bytes, for checking them only.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

/// `mailbox = "INBOX" / astring` (RFC 3501 §9), decoded: Unicode without control characters. INBOX in any letter case is the one
/// name `INBOX`. A client may name the mailbox `""`, which never exists; CREATE and RENAME refuse it as a new name.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Mailbox(Box<str>);

impl Mailbox {
    /// A mailbox of this (decoded) name; `None` if it is empty or holds a control character.
    pub fn new(name: &str) -> Option<Self> {
        if name.is_empty() || name.chars().any(char::is_control) {
            None
        } else if name.eq_ignore_ascii_case("INBOX") {
            Some(Self::inbox())
        } else {
            Some(Self(name.into()))
        }
    }

    /// The INBOX.
    pub fn inbox() -> Self {
        Self("INBOX".into())
    }

    /// Reads the bytes of a name: UTF-8 once UTF8=ACCEPT is enabled (RFC 6855 §3), before that modified UTF-7 (RFC 3501 §5.1.3).
    /// A name that is not modified UTF-7, such as `R&D` from a client that forgot to encode, is taken as it stands.
    ///
    /// # Errors
    /// [`Problem::Syntax`] if the name is not UTF-8 either or holds control characters.
    pub fn from_wire(bytes: &[u8], utf8: bool) -> Result<Self, Problem> {
        let name = decode_name(bytes, utf8).ok_or(Problem::Syntax("mailbox name"))?;
        if name.is_empty() {
            return Ok(Self("".into()));
        }
        Self::new(&name).ok_or(Problem::Syntax("mailbox name"))
    }

    /// The decoded name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether this is the INBOX.
    pub fn is_inbox(&self) -> bool {
        &*self.0 == "INBOX"
    }

    /// The bytes of the name on the wire, not yet quoted.
    pub fn to_wire(&self, utf8: bool) -> String {
        encode_name(&self.0, utf8)
    }
}

impl fmt::Display for Mailbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Decodes a name as [`Mailbox::from_wire`] says; also for patterns and labels.
pub(crate) fn decode_name(bytes: &[u8], utf8: bool) -> Option<String> {
    if !utf8 && let Ok(name) = mutf7::decode(bytes) {
        return Some(name);
    }
    std::str::from_utf8(bytes).ok().map(str::to_owned)
}

/// Spells a name for the wire.
pub(crate) fn encode_name(name: &str, utf8: bool) -> String {
    if utf8 {
        name.to_owned()
    } else {
        mutf7::encode(name)
    }
}

/// `flag-keyword = atom` (RFC 3501 §9). Letter case is kept; whether it matters is the store's to say.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Keyword(Box<str>);

impl Keyword {
    /// At most this many bytes: keywords are stored with messages and listed at every SELECT.
    pub const BYTES_MAX: usize = 255;

    /// The keyword, or `None` if the text is not an atom.
    pub fn parse(text: &[u8]) -> Option<Self> {
        if text.is_empty() || text.len() > Self::BYTES_MAX || !text.iter().all(|b| is_atom_char(*b))
        {
            return None;
        }
        std::str::from_utf8(text).ok().map(|text| Self(text.into()))
    }

    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// `flag = "\Answered" / "\Flagged" / "\Deleted" / "\Seen" / "\Draft" / flag-keyword / flag-extension`, and in replies `"\Recent"`
/// (RFC 3501 §2.3.2, §9). Commands never hold `Recent` or `Extension`: clients cannot set them.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Flag {
    /// `\Answered`
    Answered,
    /// `\Flagged`
    Flagged,
    /// `\Deleted`
    Deleted,
    /// `\Seen`
    Seen,
    /// `\Draft`
    Draft,
    /// `\Recent`, in replies only
    Recent,
    /// A word of the client's choice.
    Keyword(Keyword),
    /// Any other word after a backslash, in replies only; without the backslash.
    Extension(Box<str>),
}

impl Flag {
    /// Reads a flag in any letter case, `\Recent` and extensions included; `None` if it is no flag.
    pub fn parse(text: &[u8]) -> Option<Self> {
        let Some(name) = text.strip_prefix(b"\\") else {
            return Keyword::parse(text).map(Self::Keyword);
        };
        let known = [
            Self::Answered,
            Self::Flagged,
            Self::Deleted,
            Self::Seen,
            Self::Draft,
            Self::Recent,
        ];
        if let Some(flag) = known
            .into_iter()
            .find(|f| f.as_str().as_bytes()[1..].eq_ignore_ascii_case(name))
        {
            return Some(flag);
        }
        Keyword::parse(name).map(|name| Self::Extension(name.0))
    }

    /// What is written, for all but an extension with its backslash: `\Seen`, `$Phishing`.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Answered => "\\Answered",
            Self::Flagged => "\\Flagged",
            Self::Deleted => "\\Deleted",
            Self::Seen => "\\Seen",
            Self::Draft => "\\Draft",
            Self::Recent => "\\Recent",
            Self::Keyword(word) => word.as_str(),
            Self::Extension(name) => name,
        }
    }
}

impl fmt::Display for Flag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Self::Extension(_) = self {
            f.write_str("\\")?;
        }
        f.write_str(self.as_str())
    }
}

/// A label as X-GM-LABELS carries it (wire §3.7): a mailbox name, or a system label with its backslash, `\Inbox`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Label(Box<str>);

impl Label {
    /// A label of this text; `None` if it is empty, a lone backslash, or holds a control character.
    pub fn new(text: &str) -> Option<Self> {
        let legal = !text.is_empty() && text != "\\" && !text.chars().any(char::is_control);
        legal.then(|| Self(text.into()))
    }

    /// As text; a system label begins with a backslash.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name after the backslash of a system label.
    pub fn system(&self) -> Option<&str> {
        self.0.strip_prefix('\\')
    }
}

/// Which numbers a command and its replies use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum By {
    /// Message sequence numbers.
    Sequence,
    /// UIDs: the `UID` form of the command (RFC 3501 §6.4.8).
    Uid,
}

/// The special uses of RFC 6154 §2 and `\Important` of RFC 8457 §3.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SpecialUse {
    /// `\All`
    All,
    /// `\Archive`
    Archive,
    /// `\Drafts`
    Drafts,
    /// `\Flagged`
    Flagged,
    /// `\Important`
    Important,
    /// `\Junk`
    Junk,
    /// `\Sent`
    Sent,
    /// `\Trash`
    Trash,
}

impl SpecialUse {
    const ALL: [Self; 8] = [
        Self::All,
        Self::Archive,
        Self::Drafts,
        Self::Flagged,
        Self::Important,
        Self::Junk,
        Self::Sent,
        Self::Trash,
    ];

    /// With the backslash: `\All`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::All => "\\All",
            Self::Archive => "\\Archive",
            Self::Drafts => "\\Drafts",
            Self::Flagged => "\\Flagged",
            Self::Important => "\\Important",
            Self::Junk => "\\Junk",
            Self::Sent => "\\Sent",
            Self::Trash => "\\Trash",
        }
    }

    /// Reads the name after the backslash, in any letter case.
    pub fn parse(name: &[u8]) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|u| u.as_str().as_bytes()[1..].eq_ignore_ascii_case(name))
    }
}
