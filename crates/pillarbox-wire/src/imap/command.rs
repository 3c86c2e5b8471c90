//! Commands as values: one variant of [`Body`] for each, its grammar above its type.

use std::num::NonZeroU32;

use super::{
    By, Date, DateTime, Flag, Keyword, Label, Mailbox, Secret, SequenceSet, SpecialUse, Tag,
};

/// `command = tag SP (command-any / command-auth / command-nonauth / command-select) CRLF` (RFC 3501 §9)
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// Repeated in the tagged reply.
    pub tag: Tag,
    /// What to do.
    pub body: Body,
}

/// What a command asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// `"CAPABILITY"` (RFC 3501 §6.1.1)
    Capability,
    /// `"NOOP"` (RFC 3501 §6.1.2)
    Noop,
    /// `"LOGOUT"` (RFC 3501 §6.1.3)
    Logout,
    /// `"ID" SP ("(" [string SP nstring *(SP string SP nstring)] ")" / nil)` (RFC 2971 §3.1); `None` is NIL. Bytes that are not
    /// UTF-8 become replacement characters: the values are for logs.
    Id(Option<Vec<(String, Option<String>)>>),
    /// `"STARTTLS"` (RFC 3501 §6.2.1)
    StartTls,
    /// `"AUTHENTICATE" SP auth-type [SP (base64 / "=")]` (RFC 3501 §6.2.2, RFC 4959 §3)
    Authenticate(Authenticate),
    /// `"LOGIN" SP userid SP password` (RFC 3501 §6.2.3)
    Login {
        /// As sent; may be an address.
        user: String,
        /// As sent.
        password: Secret,
    },
    /// `"ENABLE" 1*(SP capability)` (RFC 5161 §3.1), in upper case
    Enable(Vec<String>),
    /// `"SELECT" SP mailbox [select-params]` (RFC 3501 §6.3.1, RFC 7162 §3.1.8)
    Select(Select),
    /// `"EXAMINE" SP mailbox [select-params]` (RFC 3501 §6.3.2)
    Examine(Select),
    /// `"CREATE" SP mailbox [SP "(" "USE" SP "(" [use-attr *(SP use-attr)] ")" ")"]` (RFC 3501 §6.3.3, RFC 6154 §3)
    Create {
        /// Without the one trailing hierarchy delimiter a client may send.
        mailbox: Mailbox,
        /// Empty without USE.
        special_use: Vec<SpecialUse>,
    },
    /// `"DELETE" SP mailbox` (RFC 3501 §6.3.4)
    Delete(Mailbox),
    /// `"RENAME" SP mailbox SP mailbox` (RFC 3501 §6.3.5)
    Rename {
        /// The present name.
        from: Mailbox,
        /// The name it shall have.
        to: Mailbox,
    },
    /// `"SUBSCRIBE" SP mailbox` (RFC 3501 §6.3.6)
    Subscribe(Mailbox),
    /// `"UNSUBSCRIBE" SP mailbox` (RFC 3501 §6.3.7)
    Unsubscribe(Mailbox),
    /// LIST, plain or extended.
    List(List),
    /// `"LSUB" SP mailbox SP list-mailbox` (RFC 3501 §6.3.9)
    Lsub(Pattern),
    /// `"XLIST" SP mailbox SP list-mailbox` (wire §3.5)
    Xlist(Pattern),
    /// `"NAMESPACE"` (RFC 2342 §5)
    Namespace,
    /// `"STATUS" SP mailbox SP "(" status-att *(SP status-att) ")"` (RFC 3501 §6.3.10)
    Status {
        /// Which mailbox.
        mailbox: Mailbox,
        /// Not empty.
        items: Vec<StatusItem>,
    },
    /// APPEND up to and with the announcement of the message literal.
    Append(Append),
    /// `"GETQUOTA" SP quota-root` (RFC 9208 §4.1.1)
    GetQuota(String),
    /// `"GETQUOTAROOT" SP mailbox` (RFC 9208 §4.1.2)
    GetQuotaRoot(Mailbox),
    /// `"COMPRESS" SP algorithm` (RFC 4978 §5), in upper case
    Compress(String),
    /// `"IDLE"` (RFC 2177 §3). What follows the continuation is a raw line: [`Framer::expect_line`](super::Framer::expect_line).
    Idle,
    /// `"CHECK"` (RFC 3501 §6.4.1)
    Check,
    /// `"CLOSE"` (RFC 3501 §6.4.2)
    Close,
    /// `"UNSELECT"` (RFC 3691 §2)
    Unselect,
    /// `"EXPUNGE"` (RFC 3501 §6.4.3)
    Expunge,
    /// `"UID" SP "EXPUNGE" SP sequence-set` (RFC 4315 §2.1)
    UidExpunge(Messages),
    /// SEARCH and UID SEARCH.
    Search(Search),
    /// FETCH and UID FETCH.
    Fetch(Fetch),
    /// STORE and UID STORE.
    Store(Store),
    /// `("COPY" / "UID" SP "COPY") SP sequence-set SP mailbox` (RFC 3501 §6.4.7)
    Copy(Transfer),
    /// `("MOVE" / "UID" SP "MOVE") SP sequence-set SP mailbox` (RFC 6851 §3.1, §3.2)
    Move(Transfer),
}

impl Body {
    /// The name, as in `UID FETCH`; for tables and logs.
    pub fn name(&self) -> &'static str {
        let by = |by: By, plain, uid| if by == By::Uid { uid } else { plain };
        match self {
            Self::Capability => "CAPABILITY",
            Self::Noop => "NOOP",
            Self::Logout => "LOGOUT",
            Self::Id(_) => "ID",
            Self::StartTls => "STARTTLS",
            Self::Authenticate(_) => "AUTHENTICATE",
            Self::Login { .. } => "LOGIN",
            Self::Enable(_) => "ENABLE",
            Self::Select(_) => "SELECT",
            Self::Examine(_) => "EXAMINE",
            Self::Create { .. } => "CREATE",
            Self::Delete(_) => "DELETE",
            Self::Rename { .. } => "RENAME",
            Self::Subscribe(_) => "SUBSCRIBE",
            Self::Unsubscribe(_) => "UNSUBSCRIBE",
            Self::List(_) => "LIST",
            Self::Lsub(_) => "LSUB",
            Self::Xlist(_) => "XLIST",
            Self::Namespace => "NAMESPACE",
            Self::Status { .. } => "STATUS",
            Self::Append(_) => "APPEND",
            Self::GetQuota(_) => "GETQUOTA",
            Self::GetQuotaRoot(_) => "GETQUOTAROOT",
            Self::Compress(_) => "COMPRESS",
            Self::Idle => "IDLE",
            Self::Check => "CHECK",
            Self::Close => "CLOSE",
            Self::Unselect => "UNSELECT",
            Self::Expunge => "EXPUNGE",
            Self::UidExpunge(_) => "UID EXPUNGE",
            Self::Search(search) => by(search.by, "SEARCH", "UID SEARCH"),
            Self::Fetch(fetch) => by(fetch.by, "FETCH", "UID FETCH"),
            Self::Store(store) => by(store.by, "STORE", "UID STORE"),
            Self::Copy(copy) => by(copy.by, "COPY", "UID COPY"),
            Self::Move(transfer) => by(transfer.by, "MOVE", "UID MOVE"),
        }
    }
}

/// See [`Body::Authenticate`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authenticate {
    /// In upper case.
    pub mechanism: String,
    /// The initial response as sent, still base64 (or not even that: the answer to bad base64 is the mechanism's, wire §2.3).
    /// `=`, the empty response, is `Some` of nothing.
    pub initial: Option<Secret>,
}

/// `select-params = SP "(" select-param *(SP select-param) ")"` (RFC 4466 §2.4); see [`Body::Select`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Select {
    /// Which mailbox.
    pub mailbox: Mailbox,
    /// `(CONDSTORE)` (RFC 7162 §3.1.8)
    pub condstore: bool,
    /// `(QRESYNC (...))` (RFC 7162 §3.2.5)
    pub qresync: Option<Qresync>,
}

/// `"QRESYNC" SP "(" uidvalidity SP mod-sequence-value [SP known-uids] [SP seq-match-data] ")"` (RFC 7162 §3.2.5)
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Qresync {
    /// The UIDVALIDITY the client remembers.
    pub uid_validity: NonZeroU32,
    /// The mod-sequence the client has seen.
    pub mod_seq: u64,
    /// UIDs the client knows; without `*`.
    pub known_uids: Option<SequenceSet>,
    /// `"(" known-sequence-set SP known-uid-set ")"`
    pub seq_match: Option<(SequenceSet, SequenceSet)>,
}

/// A reference and a pattern; see [`Body::Lsub`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    /// Decoded; may be empty.
    pub reference: String,
    /// Decoded; `%` and `*` are wildcards.
    pub pattern: String,
}

/// `"LIST" [SP list-select-opts] SP mailbox SP mbox-or-pat [SP list-return-opts]` (RFC 3501 §6.3.8, RFC 5258 §6)
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct List {
    /// Selection options; `None` without the parentheses.
    pub select: Option<ListSelect>,
    /// Decoded; may be empty.
    pub reference: String,
    /// Decoded; not empty, several only in the extended form.
    pub patterns: Vec<String>,
    /// The patterns stood in parentheses (an extended LIST even with one pattern).
    pub patterns_listed: bool,
    /// Return options; `None` without `RETURN`.
    pub returns: Option<ListReturn>,
}

impl List {
    /// The extended form of RFC 5258 §3: selection options, several patterns or return options were given.
    pub fn is_extended(&self) -> bool {
        self.select.is_some() || self.returns.is_some() || self.patterns_listed
    }
}

/// `list-select-opts` (RFC 5258 §6, RFC 6154 §5.2)
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ListSelect {
    /// `SUBSCRIBED`
    pub subscribed: bool,
    /// `REMOTE`
    pub remote: bool,
    /// `RECURSIVEMATCH`, legal only beside `SUBSCRIBED` or `SPECIAL-USE`
    pub recursive_match: bool,
    /// `SPECIAL-USE`
    pub special_use: bool,
}

/// `list-return-opts` (RFC 5258 §6, RFC 5819 §4, RFC 6154 §5.2)
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListReturn {
    /// `SUBSCRIBED`
    pub subscribed: bool,
    /// `CHILDREN`
    pub children: bool,
    /// `SPECIAL-USE`
    pub special_use: bool,
    /// `STATUS (...)`; empty if not asked for.
    pub status: Vec<StatusItem>,
}

/// `status-att` (RFC 3501 §9, RFC 7162 §3.1.7, RFC 8438 §3, RFC 8474 §4.3, RFC 7889 §4)
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StatusItem {
    /// `MESSAGES`
    Messages,
    /// `RECENT`
    Recent,
    /// `UIDNEXT`
    UidNext,
    /// `UIDVALIDITY`
    UidValidity,
    /// `UNSEEN`
    Unseen,
    /// `HIGHESTMODSEQ`
    HighestModSeq,
    /// `SIZE`, in bytes
    Size,
    /// `DELETED`
    Deleted,
    /// `APPENDLIMIT`, in bytes
    AppendLimit,
    /// `MAILBOXID`
    MailboxId,
}

/// `"APPEND" SP mailbox [SP flag-list] [SP date-time] SP (literal / literal8 / "UTF8" SP "(" literal8 ")")` (RFC 3501 §6.3.11,
/// RFC 6855 §4), up to the literal's announcement. The message never is in a command: it comes as [`Event::LiteralData`].
///
/// [`Event::LiteralData`]: super::Event::LiteralData
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Append {
    /// Where to.
    pub mailbox: Mailbox,
    /// Without `\Recent`.
    pub flags: Vec<Flag>,
    /// The INTERNALDATE to keep.
    pub date: Option<DateTime>,
    /// The announced message.
    pub literal: AppendLiteral,
}

/// The announced message literal of an APPEND.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AppendLiteral {
    /// In bytes.
    pub size: u64,
    /// `{n}`: the client waits for `+`; otherwise `{n+}` (RFC 7888 §3).
    pub waits: bool,
    /// How it is wrapped.
    pub form: AppendForm,
}

/// How the message of an APPEND is announced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AppendForm {
    /// `{n}`
    Plain,
    /// `~{n}` (RFC 3516 §4.4)
    Binary,
    /// `UTF8 (~{n}` with `)` after the message (RFC 6855 §4)
    Utf8,
}

impl AppendForm {
    /// What stands between the message and the end of the line: [`Event::AppendEnd`](super::Event::AppendEnd) must carry it.
    pub fn closing(self) -> &'static [u8] {
        match self {
            Self::Plain | Self::Binary => b"",
            Self::Utf8 => b")",
        }
    }
}

/// `sequence-set / "$"` (RFC 3501 §9, RFC 5182 §2)
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Messages {
    /// Numbers.
    Set(SequenceSet),
    /// `$`: what the last SEARCH with SAVE found.
    Saved,
}

/// See [`Body::Copy`] and [`Body::Move`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transfer {
    /// What the numbers are.
    pub by: By,
    /// Which messages.
    pub messages: Messages,
    /// Where to.
    pub to: Mailbox,
}

/// `("STORE" / "UID" SP "STORE") SP sequence-set [SP "(" "UNCHANGEDSINCE" SP mod-sequence-valzer ")"] SP store-att-flags`
/// (RFC 3501 §6.4.6, RFC 7162 §3.1.3)
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Store {
    /// What the numbers are.
    pub by: By,
    /// Which messages.
    pub messages: Messages,
    /// Only messages not changed after this mod-sequence.
    pub unchanged_since: Option<u64>,
    /// Add, remove or replace.
    pub change: Change,
    /// `.SILENT`
    pub silent: bool,
    /// What to add, remove or set.
    pub what: Marks,
}

/// `["+" / "-"]` of `store-att-flags` (RFC 3501 §9)
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// No sign
    Replace,
    /// `+`
    Add,
    /// `-`
    Remove,
}

/// What STORE changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Marks {
    /// `"FLAGS" [".SILENT"] SP (flag-list / (flag *(SP flag)))`; never `\Recent`.
    Flags(Vec<Flag>),
    /// `"X-GM-LABELS" [".SILENT"] SP ("(" [label *(SP label)] ")" / (label *(SP label)))` (wire §3.7)
    Labels(Vec<Label>),
}

/// `("FETCH" / "UID" SP "FETCH") SP sequence-set SP ("ALL" / "FULL" / "FAST" / fetch-att / "(" fetch-att *(SP fetch-att) ")")
/// [SP "(" fetch-modifier *(SP fetch-modifier) ")"]` (RFC 3501 §6.4.5, RFC 4466 §2.5)
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetch {
    /// What the numbers are; with `By::Uid` every reply has UID whether asked for or not (RFC 3501 §6.4.8).
    pub by: By,
    /// Which messages.
    pub messages: Messages,
    /// Macros are written out. Not empty.
    pub items: Vec<FetchItem>,
    /// `CHANGEDSINCE` (RFC 7162 §3.1.4.1)
    pub changed_since: Option<u64>,
    /// `VANISHED` (RFC 7162 §3.2.6)
    pub vanished: bool,
}

/// `fetch-att` (RFC 3501 §9) and what extensions add.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FetchItem {
    /// `FLAGS`
    Flags,
    /// `INTERNALDATE`
    InternalDate,
    /// `RFC822.SIZE`
    Size,
    /// `ENVELOPE`
    Envelope,
    /// `BODY`: BODYSTRUCTURE without extension data
    Body,
    /// `BODYSTRUCTURE`
    BodyStructure,
    /// `UID`
    Uid,
    /// `RFC822`: `BODY[]` under another name in the reply
    Rfc822,
    /// `RFC822.HEADER`: `BODY.PEEK[HEADER]` under another name
    Rfc822Header,
    /// `RFC822.TEXT`: `BODY[TEXT]` under another name
    Rfc822Text,
    /// `BODY[...]<...>` and `BODY.PEEK[...]<...>`
    Section {
        /// Which bytes.
        section: Section,
        /// `.PEEK`: does not set `\Seen`.
        peek: bool,
        /// Only a range of them.
        partial: Option<Partial>,
    },
    /// `MODSEQ` (RFC 7162 §3.1.4.2)
    ModSeq,
    /// `EMAILID` (RFC 8474 §5.1)
    EmailId,
    /// `THREADID` (RFC 8474 §5.2)
    ThreadId,
    /// `PREVIEW [SP "(" "LAZY" ")"]` (RFC 8970 §3)
    Preview {
        /// Only if it costs nothing.
        lazy: bool,
    },
    /// `X-GM-MSGID` (wire §3.7)
    GmMsgId,
    /// `X-GM-THRID` (wire §3.7)
    GmThrId,
    /// `X-GM-LABELS` (wire §3.7)
    GmLabels,
}

/// `partial = "<" number "." nz-number ">"` (RFC 3501 §9)
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Partial {
    /// First byte, from 0.
    pub offset: u32,
    /// At most so many bytes.
    pub length: NonZeroU32,
}

/// `section = "[" [section-spec] "]"`, `section-spec = section-msgtext / (section-part ["." section-text])` (RFC 3501 §9)
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Section {
    /// Part numbers, `[2, 1]` for `2.1`; empty for the message itself.
    pub part: Vec<NonZeroU32>,
    /// What of that part.
    pub text: SectionText,
}

/// `section-text = section-msgtext / "MIME"` (RFC 3501 §9)
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum SectionText {
    /// Nothing named: the message, or the body of the part.
    Whole,
    /// `HEADER`
    Header,
    /// `HEADER.FIELDS (...)`: names as written, not empty
    HeaderFields(Vec<String>),
    /// `HEADER.FIELDS.NOT (...)`
    HeaderFieldsNot(Vec<String>),
    /// `TEXT`
    Text,
    /// `MIME`; only with part numbers.
    Mime,
}

/// `("SEARCH" / "UID" SP "SEARCH") [SP "RETURN" SP "(" ... ")"] [SP "CHARSET" SP astring] 1*(SP search-key)` (RFC 3501 §6.4.4,
/// RFC 4466 §2.6.1, RFC 4731 §3.1)
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Search {
    /// What the numbers of the reply are. Sets in keys are sequence numbers either way, except in `UID`.
    pub by: By,
    /// `RETURN`: answer with ESEARCH; without it with SEARCH.
    pub returns: Option<SearchReturn>,
    /// Several keys are an [`SearchKey::And`].
    pub key: SearchKey,
}

/// `search-return-opt` (RFC 4731 §3.1, RFC 5182 §2); `RETURN ()` means ALL and is read as that.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SearchReturn {
    /// `MIN`
    pub min: bool,
    /// `MAX`
    pub max: bool,
    /// `ALL`
    pub all: bool,
    /// `COUNT`
    pub count: bool,
    /// `SAVE`: keep the result as `$`.
    pub save: bool,
}

/// `search-key` (RFC 3501 §6.4.4, §9). Texts are Unicode: charsets other than US-ASCII and UTF-8 are
/// [`Problem::BadCharset`](super::Problem::BadCharset). Keys like `UNSEEN` are kept as they are, not as `NOT SEEN`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SearchKey {
    /// All of these: several keys, or parentheses. Two or more.
    And(Vec<SearchKey>),
    /// `OR`
    Or(Box<SearchKey>, Box<SearchKey>),
    /// `NOT`
    Not(Box<SearchKey>),
    /// `ALL`
    All,
    /// A sequence set.
    Sequence(SequenceSet),
    /// `UID` and a set
    Uid(SequenceSet),
    /// `$`, or `UID $` (RFC 5182 §2)
    Saved,
    /// `ANSWERED`
    Answered,
    /// `UNANSWERED`
    Unanswered,
    /// `DELETED`
    Deleted,
    /// `UNDELETED`
    Undeleted,
    /// `DRAFT`
    Draft,
    /// `UNDRAFT`
    Undraft,
    /// `FLAGGED`
    Flagged,
    /// `UNFLAGGED`
    Unflagged,
    /// `SEEN`
    Seen,
    /// `UNSEEN`
    Unseen,
    /// `RECENT`
    Recent,
    /// `NEW`: recent and not seen
    New,
    /// `OLD`: not recent
    Old,
    /// `KEYWORD`
    Keyword(Keyword),
    /// `UNKEYWORD`
    Unkeyword(Keyword),
    /// `BCC`
    Bcc(String),
    /// `CC`
    Cc(String),
    /// `FROM`
    From(String),
    /// `TO`
    To(String),
    /// `SUBJECT`
    Subject(String),
    /// `BODY`
    Body(String),
    /// `TEXT`
    Text(String),
    /// `HEADER`: field name and text; an empty text matches any such field.
    Header(String, String),
    /// `BEFORE`
    Before(Date),
    /// `ON`
    On(Date),
    /// `SINCE`
    Since(Date),
    /// `SENTBEFORE`
    SentBefore(Date),
    /// `SENTON`
    SentOn(Date),
    /// `SENTSINCE`
    SentSince(Date),
    /// `LARGER`, in bytes
    Larger(u64),
    /// `SMALLER`, in bytes
    Smaller(u64),
    /// `OLDER`, in seconds (RFC 5032 §3)
    Older(NonZeroU32),
    /// `YOUNGER`, in seconds (RFC 5032 §3)
    Younger(NonZeroU32),
    /// `MODSEQ`; the optional flag and its entry type are read and left out, as servers with one mod-sequence a message do
    /// (RFC 7162 §3.1.5).
    ModSeq(u64),
    /// `EMAILID` (RFC 8474 §5.3)
    EmailId(String),
    /// `THREADID` (RFC 8474 §5.3)
    ThreadId(String),
    /// `X-GM-MSGID` (wire §3.7)
    GmMsgId(u64),
    /// `X-GM-THRID` (wire §3.7)
    GmThrId(u64),
    /// `X-GM-LABELS`, as sent: if no label has this name, try what [`mutf7::decode`](super::mutf7::decode) makes of it (wire §3.7).
    GmLabels(Label),
    /// `X-GM-RAW` (wire §3.8)
    GmRaw(String),
}
