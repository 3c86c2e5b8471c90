//! The mail level: what an account holds in the words of mail. Accounts, mailboxes (labels), messages, flags, threads,
//! change log, quota, POP marks, over any [`Engine`](crate::engine::Engine) and [`Blobs`](crate::blob::Blobs).
//!
//! A mailbox is a label: one stored message, many mailbox rows. It has never heard of sequence numbers (they belong to
//! one connection's view), of protocol replies, or of HTTP. The time is always an argument.

mod account;
mod arrive;
mod check;
mod codec;
mod copy;
mod directory;
mod edit;
mod expunge;
mod flags;
mod head;
mod intake;
mod keys;
mod mailboxes;
mod other;
mod pieces;
mod pop;
mod purge;
mod read;
mod store;
mod txn;
mod writer;

pub use account::Account;
pub use check::Report;
pub use intake::{HELD_BYTES_MAX, Intake, Received};
pub use other::Rows;
pub use store::{Random, Store};

use bytes::Bytes;
use std::sync::Arc;

/// The version of an account, raised by one with every commit. It is the mod-sequence of RFC 7162.
pub type Version = u64;
/// Milliseconds since 1970-01-01T00:00:00Z, of the wall clock.
pub type Millis = i64;

/// A message's identity in its account: X-GM-MSGID, and in hex POP's UIDL. Milliseconds << 20 plus 20 bits of uniqueness; below 2^63, never 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageId(pub u64);
/// A thread: the id of its first message (X-GM-THRID).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ThreadId(pub u64);
/// A mailbox's identity; survives renaming.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MailboxId(pub u32);
/// RFC 3501 §2.3.1.1; never 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Uid(pub u32);
/// Identity of a durable account; the engine's account key is made of it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountId(pub Arc<str>);

/// What a mailbox is kept for. `All`, `Starred` and `Important` are kept by rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    Inbox,
    All,
    Drafts,
    Important,
    Sent,
    Junk,
    Starred,
    Trash,
}

/// The system flags of RFC 3501 §2.3.2 as bits, without \Recent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct SystemFlags(pub u8);
impl SystemFlags {
    pub const SEEN: u8 = 1;
    pub const ANSWERED: u8 = 2;
    pub const FLAGGED: u8 = 4;
    pub const DRAFT: u8 = 8;
    pub const DELETED: u8 = 16;
}
/// System flags and keywords (sorted; as first spelled in the account; compared without case).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Flags {
    pub system: SystemFlags,
    pub keywords: Vec<Arc<str>>,
}

/// One mailbox. Counts are kept, not counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mailbox {
    pub id: MailboxId,
    /// UTF-8, `/` between levels; "INBOX" for the inbox.
    pub name: Arc<str>,
    pub role: Option<Role>,
    pub uid_validity: u32,
    pub uid_next: Uid,
    pub messages: u32,
    pub unseen: u32,
    /// Rows with \Deleted set.
    pub deleted: u32,
    /// Octets of all messages.
    pub bytes: u64,
    /// Version of the last change in this mailbox.
    pub highest_modseq: Version,
    pub subscribed: bool,
    /// Shown in IMAP (wire §3.6).
    pub visible: bool,
    /// Old name kept \NonExistent etc. never: a deleted mailbox is gone.
    pub created: Millis,
}

/// One message in one mailbox: everything SELECT, FLAGS and most SEARCH keys need.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    pub uid: Uid,
    pub message: MessageId,
    pub thread: ThreadId,
    pub flags: Flags,
    pub modseq: Version,
    /// Octets of the message (RFC822.SIZE).
    pub size: u32,
    /// INTERNALDATE.
    pub received: Millis,
    /// The Date header, in milliseconds; None when absent or unreadable.
    pub sent: Option<Millis>,
    /// Version at which this row was added to the mailbox (SAVEDATE and the like come later from `saved`).
    pub saved: Millis,
}

/// A message record: computed once at delivery, read without touching the body.
#[derive(Clone, Debug)]
pub struct Record {
    pub message: MessageId,
    pub thread: ThreadId,
    pub blob: crate::blob::BlobId,
    pub size: u32,
    pub received: Millis,
    /// Encoded `pillarbox_message` facts: ENVELOPE, BODYSTRUCTURE, part ranges, header fields, preview.
    pub facts: Bytes,
    /// Every mailbox the message is in, with its UID there.
    pub places: Vec<(MailboxId, Uid)>,
}

/// What happened to one thing at one version; the log of an account is a list of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// A row was added.
    Arrived { mailbox: MailboxId, uid: Uid },
    /// A row's flags (or its message's labels) changed.
    Changed { mailbox: MailboxId, uid: Uid },
    /// A row was removed.
    Expunged { mailbox: MailboxId, uid: Uid },
    /// A mailbox was created, renamed, deleted or (un)subscribed.
    Mailbox { mailbox: MailboxId },
    /// Something other than mail changed: credentials, grants, settings.
    Other,
}

/// What is new since a version. Deliberately coarse: read the rows to see how they are now.
#[derive(Clone, Debug)]
pub enum Changes {
    Since {
        version: Version,
        changes: Vec<Change>,
    },
    /// The log no longer reaches back that far: compare the whole mailbox.
    TooOld { version: Version },
}

/// A label as X-GM-LABELS names it (wire §3.7).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LabelName {
    /// A system label.
    Role(Role),
    /// A label of the person's own: the mailbox's name, UTF-8.
    User(String),
}

/// What a STORE does with what it is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    Add,
    Remove,
    Replace,
}

/// A message to be stored. The body is already durable in `blob`.
#[derive(Clone, Debug)]
pub struct NewMessage {
    pub blob: crate::blob::BlobId,
    pub size: u32,
    /// Encoded facts (`pillarbox_message::Facts::encode`).
    pub facts: Bytes,
    /// BLAKE3 of the whole body: the same bytes with the same Message-ID appended again add a label (wire §3.9).
    pub digest: [u8; 32],
    pub flags: Flags,
    pub received: Millis,
}

/// STORE's answer.
#[derive(Clone, Debug)]
pub struct Stored {
    pub version: Version,
    /// Rows as they are now, for every UID that was changed or already so.
    pub rows: Vec<Row>,
    /// UIDs refused by UNCHANGEDSINCE (RFC 7162 §3.1.3).
    pub modified: Vec<Uid>,
    /// Rows that left this mailbox by the change (a label removed, auto-expunge).
    pub expunged: Vec<Uid>,
}
/// COPY's and MOVE's answer; pairs in the order of the source UIDs.
#[derive(Clone, Debug)]
pub struct Copied {
    pub version: Version,
    pub uid_validity: u32,
    pub pairs: Vec<(Uid, Uid)>,
    /// Rows that left the source mailbox (MOVE, or COPY to Trash or Spam).
    pub expunged: Vec<Uid>,
}
#[derive(Clone, Debug)]
pub struct Appended {
    pub version: Version,
    pub uid_validity: u32,
    pub uid: Uid,
    pub message: MessageId,
}

/// What happens when a message leaves its last visible label (wire §3.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LastLabel {
    Archive,
    Trash,
    Delete,
}
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PopWindow {
    Disabled,
    From(Millis),
    All,
}
/// What popping a message does to it (wire §4.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PopDisposition {
    Keep,
    MarkRead,
    Archive,
    Trash,
}

/// An account's settings; defaults are those of wire §3.6 and §4.4 (auto_expunge off).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    pub imap_enabled: bool,
    pub auto_expunge: bool,
    pub last_label: LastLabel,
    pub folder_limit: Option<u32>,
    pub pop_window: PopWindow,
    pub pop_disposition: PopDisposition,
    /// Octets; None is no limit.
    pub quota: Option<u64>,
    pub suspended: bool,
}

/// How system mailboxes are called (DESIGN: as on Gmail, or plainly), fixed when the account is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Naming {
    Gmail,
    Plain,
}

/// Which messages a POP session sees (wire §4.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PopMode {
    Normal,
    /// `recent:` in front of the user name: the last 30 days, popped or not
    Recent,
}
/// One message of a maildrop, oldest first.
#[derive(Clone, Debug)]
pub struct PopItem {
    pub message: MessageId,
    pub size: u32,
    pub blob: crate::blob::BlobId,
}

/// Why the store refused. Each protocol turns these into its own replies in one place.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("no such account")]
    NoSuchAccount,
    #[error("no such mailbox")]
    NoSuchMailbox,
    #[error("a mailbox of this name exists")]
    MailboxExists,
    #[error("not a name for a mailbox: {0}")]
    BadName(&'static str),
    #[error("a system mailbox is neither deleted nor renamed")]
    SystemMailbox,
    #[error("account exists")]
    AccountExists,
    #[error("over quota")]
    OverQuota,
    #[error("too many {0}")]
    TooMany(&'static str),
    /// The body is gone or its checksum is wrong.
    #[error("body of message is damaged or missing")]
    Damaged,
    /// Nothing can be written any more (disk full, engine broken); reading goes on.
    #[error("storage refuses to write: {0}")]
    Unavailable(String),
    #[error("stored row cannot be read: {0}")]
    Corrupt(&'static str),
}

/// An engine's failure in the words of this level.
fn unavailable(why: crate::engine::EngineError) -> StoreError {
    StoreError::Unavailable(why.to_string())
}
