//! Response codes: the part of a status reply that programs read.

use super::{Flag, Keyword, NumberSet};

/// `resp-text-code` (RFC 3501 §9, RFC 5530 §3, RFC 4315 §3, RFC 7162 §4, RFC 3501 §7.1)
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Code {
    /// `ALERT`: the text must be shown to the person.
    Alert,
    /// `BADCHARSET` and the charsets that are known
    BadCharset(Vec<String>),
    /// `CAPABILITY` and the list
    Capability(Vec<String>),
    /// `PARSE`
    Parse,
    /// `PERMANENTFLAGS`
    PermanentFlags {
        /// What can be kept.
        flags: Vec<Flag>,
        /// `\*`: new keywords can be made.
        new_keywords: bool,
    },
    /// `READ-ONLY`
    ReadOnly,
    /// `READ-WRITE`
    ReadWrite,
    /// `TRYCREATE`
    TryCreate,
    /// `UIDNEXT`
    UidNext(u32),
    /// `UIDVALIDITY`
    UidValidity(u32),
    /// `UNSEEN`: a sequence number
    Unseen(u32),
    /// `UNAVAILABLE` (RFC 5530 §3, as all down to `CANNOT`)
    Unavailable,
    /// `AUTHENTICATIONFAILED`
    AuthenticationFailed,
    /// `AUTHORIZATIONFAILED`
    AuthorizationFailed,
    /// `EXPIRED`
    Expired,
    /// `PRIVACYREQUIRED`
    PrivacyRequired,
    /// `CONTACTADMIN`
    ContactAdmin,
    /// `NOPERM`
    NoPerm,
    /// `INUSE`
    InUse,
    /// `EXPUNGEISSUED`
    ExpungeIssued,
    /// `CORRUPTION`
    Corruption,
    /// `SERVERBUG`
    ServerBug,
    /// `CLIENTBUG`
    ClientBug,
    /// `LIMIT`
    Limit,
    /// `OVERQUOTA`
    OverQuota,
    /// `ALREADYEXISTS`
    AlreadyExists,
    /// `NONEXISTENT`
    NonExistent,
    /// `CANNOT`
    Cannot,
    /// `TOOBIG` (RFC 4469 §4.2)
    TooBig,
    /// `HASCHILDREN` (RFC 9051 §7.1)
    HasChildren,
    /// `NOTSAVED` (RFC 5182 §2.1)
    NotSaved,
    /// `USEATTR` (RFC 6154 §5.1)
    UseAttr,
    /// `COMPRESSIONACTIVE` (RFC 4978 §3)
    CompressionActive,
    /// `APPENDUID`: UIDVALIDITY and the new UIDs (RFC 4315 §3)
    AppendUid(u32, NumberSet),
    /// `COPYUID` (RFC 4315 §3). Sets are ordered as the messages are: both ascending.
    CopyUid {
        /// Of the target mailbox.
        uid_validity: u32,
        /// UIDs here.
        from: NumberSet,
        /// UIDs there, one for each.
        to: NumberSet,
    },
    /// `UIDNOTSTICKY` (RFC 4315 §3)
    UidNotSticky,
    /// `HIGHESTMODSEQ` (RFC 7162 §3.1.2.1)
    HighestModSeq(u64),
    /// `NOMODSEQ` (RFC 7162 §3.1.2.2)
    NoModSeq,
    /// `MODIFIED`: messages that a conditional STORE did not change (RFC 7162 §3.1.3)
    Modified(NumberSet),
    /// `CLOSED` (RFC 7162 §3.2.11)
    Closed,
    /// `MAILBOXID` (RFC 8474 §4.1)
    MailboxId(String),
    /// `WEBALERT` and an address (wire §3.3)
    WebAlert(String),
    /// Any other name, with its arguments as text if there are any. For reading; to print, the arguments must not hold `]`.
    Other(Keyword, Option<String>),
}

impl Code {
    /// Codes that are a name and nothing else.
    const PLAIN: [Self; 30] = [
        Self::Alert,
        Self::Parse,
        Self::ReadOnly,
        Self::ReadWrite,
        Self::TryCreate,
        Self::Unavailable,
        Self::AuthenticationFailed,
        Self::AuthorizationFailed,
        Self::Expired,
        Self::PrivacyRequired,
        Self::ContactAdmin,
        Self::NoPerm,
        Self::InUse,
        Self::ExpungeIssued,
        Self::Corruption,
        Self::ServerBug,
        Self::ClientBug,
        Self::Limit,
        Self::OverQuota,
        Self::AlreadyExists,
        Self::NonExistent,
        Self::Cannot,
        Self::TooBig,
        Self::HasChildren,
        Self::NotSaved,
        Self::UseAttr,
        Self::CompressionActive,
        Self::UidNotSticky,
        Self::NoModSeq,
        Self::Closed,
    ];

    /// The name.
    pub fn name(&self) -> &str {
        match self {
            Self::Alert => "ALERT",
            Self::BadCharset(_) => "BADCHARSET",
            Self::Capability(_) => "CAPABILITY",
            Self::Parse => "PARSE",
            Self::PermanentFlags { .. } => "PERMANENTFLAGS",
            Self::ReadOnly => "READ-ONLY",
            Self::ReadWrite => "READ-WRITE",
            Self::TryCreate => "TRYCREATE",
            Self::UidNext(_) => "UIDNEXT",
            Self::UidValidity(_) => "UIDVALIDITY",
            Self::Unseen(_) => "UNSEEN",
            Self::Unavailable => "UNAVAILABLE",
            Self::AuthenticationFailed => "AUTHENTICATIONFAILED",
            Self::AuthorizationFailed => "AUTHORIZATIONFAILED",
            Self::Expired => "EXPIRED",
            Self::PrivacyRequired => "PRIVACYREQUIRED",
            Self::ContactAdmin => "CONTACTADMIN",
            Self::NoPerm => "NOPERM",
            Self::InUse => "INUSE",
            Self::ExpungeIssued => "EXPUNGEISSUED",
            Self::Corruption => "CORRUPTION",
            Self::ServerBug => "SERVERBUG",
            Self::ClientBug => "CLIENTBUG",
            Self::Limit => "LIMIT",
            Self::OverQuota => "OVERQUOTA",
            Self::AlreadyExists => "ALREADYEXISTS",
            Self::NonExistent => "NONEXISTENT",
            Self::Cannot => "CANNOT",
            Self::TooBig => "TOOBIG",
            Self::HasChildren => "HASCHILDREN",
            Self::NotSaved => "NOTSAVED",
            Self::UseAttr => "USEATTR",
            Self::CompressionActive => "COMPRESSIONACTIVE",
            Self::AppendUid(..) => "APPENDUID",
            Self::CopyUid { .. } => "COPYUID",
            Self::UidNotSticky => "UIDNOTSTICKY",
            Self::HighestModSeq(_) => "HIGHESTMODSEQ",
            Self::NoModSeq => "NOMODSEQ",
            Self::Modified(_) => "MODIFIED",
            Self::Closed => "CLOSED",
            Self::MailboxId(_) => "MAILBOXID",
            Self::WebAlert(_) => "WEBALERT",
            Self::Other(name, _) => name.as_str(),
        }
    }

    /// The code of this name, if it takes no arguments.
    pub(crate) fn plain(name: &[u8]) -> Option<Self> {
        Self::PLAIN
            .iter()
            .find(|code| code.name().as_bytes().eq_ignore_ascii_case(name))
            .cloned()
    }
}
