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
    /// Where mail arrives.
    Inbox,
    /// Everything outside Trash and Spam.
    All,
    /// Mail being written.
    Drafts,
    /// A label that rules may give.
    Important,
    /// What the person sent.
    Sent,
    /// Spam; excludes every other label.
    Junk,
    /// What has `\Flagged`.
    Starred,
    /// To be deleted; excludes every other label.
    Trash,
}

/// The system flags of RFC 3501 §2.3.2 as bits, without \Recent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct SystemFlags(pub u8);
impl SystemFlags {
    /// `\Seen`
    pub const SEEN: u8 = 1;
    /// `\Answered`
    pub const ANSWERED: u8 = 2;
    /// `\Flagged`
    pub const FLAGGED: u8 = 4;
    /// `\Draft`
    pub const DRAFT: u8 = 8;
    /// `\Deleted`
    pub const DELETED: u8 = 16;
}
/// System flags and keywords (sorted; as first spelled in the account; compared without case).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Flags {
    /// The system flags.
    pub system: SystemFlags,
    /// The keywords.
    pub keywords: Vec<Arc<str>>,
}

/// One mailbox. Counts are kept, not counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mailbox {
    /// Its identity.
    pub id: MailboxId,
    /// UTF-8, `/` between levels; "INBOX" for the inbox.
    pub name: Arc<str>,
    /// What it is kept for; none for a label of the person's own.
    pub role: Option<Role>,
    /// UIDVALIDITY; never changes.
    pub uid_validity: u32,
    /// UIDNEXT.
    pub uid_next: Uid,
    /// Rows.
    pub messages: u32,
    /// Rows without `\Seen`.
    pub unseen: u32,
    /// Rows with \Deleted set.
    pub deleted: u32,
    /// Octets of all messages.
    pub bytes: u64,
    /// Version of the last change in this mailbox.
    pub highest_modseq: Version,
    /// In LSUB.
    pub subscribed: bool,
    /// Shown in IMAP (wire §3.6).
    pub visible: bool,
    /// When it was made.
    pub created: Millis,
}

/// One message in one mailbox: everything SELECT, FLAGS and most SEARCH keys need.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Its UID here.
    pub uid: Uid,
    /// Its message.
    pub message: MessageId,
    /// Its message's thread.
    pub thread: ThreadId,
    /// Flags of the message, and `\Deleted` of the row.
    pub flags: Flags,
    /// Version of its last change (RFC 7162).
    pub modseq: Version,
    /// Octets of the message (RFC822.SIZE).
    pub size: u32,
    /// INTERNALDATE.
    pub received: Millis,
    /// The Date header, in milliseconds; None when absent or unreadable.
    pub sent: Option<Millis>,
    /// When it came into this mailbox (SAVEDATE, RFC 8514).
    pub saved: Millis,
}

/// A message record: computed once at delivery, read without touching the body.
#[derive(Clone, Debug)]
pub struct Record {
    /// Its id.
    pub message: MessageId,
    /// Its thread.
    pub thread: ThreadId,
    /// Its body.
    pub blob: crate::blob::BlobId,
    /// Octets of the body.
    pub size: u32,
    /// INTERNALDATE.
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
    Arrived {
        /// Which mailbox.
        mailbox: MailboxId,
        /// Which row.
        uid: Uid,
    },
    /// A row's flags (or its message's labels) changed.
    Changed {
        /// Which mailbox.
        mailbox: MailboxId,
        /// Which row.
        uid: Uid,
    },
    /// A row was removed.
    Expunged {
        /// Which mailbox.
        mailbox: MailboxId,
        /// Which row.
        uid: Uid,
    },
    /// A mailbox was created, renamed, deleted or (un)subscribed.
    Mailbox {
        /// Which mailbox.
        mailbox: MailboxId,
    },
    /// Something other than mail changed: credentials, grants, settings.
    Other,
}

/// What is new since a version. Deliberately coarse: read the rows to see how they are now.
#[derive(Clone, Debug)]
pub enum Changes {
    /// The log reaches back so far.
    Since {
        /// The newest version.
        version: Version,
        /// In order.
        changes: Vec<Change>,
    },
    /// The log no longer reaches back that far: compare the whole mailbox.
    TooOld {
        /// The newest version.
        version: Version,
    },
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
    /// Adds them.
    Add,
    /// Takes them away.
    Remove,
    /// Puts them in the place of all others.
    Replace,
}

/// A message to be stored. The body is already durable in `blob`.
#[derive(Clone, Debug)]
pub struct NewMessage {
    /// Its body.
    pub blob: crate::blob::BlobId,
    /// Octets of the body.
    pub size: u32,
    /// Encoded facts (`pillarbox_message::Facts::encode`).
    pub facts: Bytes,
    /// BLAKE3 of the whole body: the same bytes with the same Message-ID appended again add a label (wire §3.9).
    pub digest: [u8; 32],
    /// What it begins with.
    pub flags: Flags,
    /// INTERNALDATE.
    pub received: Millis,
}

/// STORE's answer.
#[derive(Clone, Debug)]
pub struct Stored {
    /// Durable in this version.
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
    /// Durable in this version.
    pub version: Version,
    /// Of the target.
    pub uid_validity: u32,
    /// UID in the source, UID in the target.
    pub pairs: Vec<(Uid, Uid)>,
    /// Rows that left the source mailbox (MOVE, or COPY to Trash or Spam).
    pub expunged: Vec<Uid>,
}
/// APPEND's and delivery's answer.
#[derive(Clone, Debug)]
pub struct Appended {
    /// Durable in this version.
    pub version: Version,
    /// Of the mailbox.
    pub uid_validity: u32,
    /// Its UID there.
    pub uid: Uid,
    /// Its id.
    pub message: MessageId,
}

/// What happens when a message leaves its last visible label (wire §3.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LastLabel {
    /// It stays in All Mail.
    Archive,
    /// It goes to Trash.
    Trash,
    /// It is deleted for good.
    Delete,
}
/// Which messages POP shows by their age (wire §4.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PopWindow {
    /// POP is off.
    Disabled,
    /// Mail received from then on.
    From(Millis),
    /// All mail.
    All,
}
/// What popping a message does to it (wire §4.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PopDisposition {
    /// Nothing.
    Keep,
    /// Sets `\Seen`.
    MarkRead,
    /// Takes it out of the inbox.
    Archive,
    /// Moves it to Trash.
    Trash,
}

/// An account's settings; defaults are those of wire §3.6 and §4.4 (auto_expunge off).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Whether IMAP may be used.
    pub imap_enabled: bool,
    /// Whether `\Deleted` acts at once.
    pub auto_expunge: bool,
    /// What happens behind the last label.
    pub last_label: LastLabel,
    /// Most messages IMAP shows of a mailbox, the newest; the protocol's business.
    pub folder_limit: Option<u32>,
    /// Which mail POP shows.
    pub pop_window: PopWindow,
    /// What popping does.
    pub pop_disposition: PopDisposition,
    /// Octets; None is no limit.
    pub quota: Option<u64>,
    /// Nobody may sign in; mail is still taken.
    pub suspended: bool,
}

/// How system mailboxes are called (DESIGN: as on Gmail, or plainly), fixed when the account is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Naming {
    /// `[Gmail]/All Mail`
    Gmail,
    /// `All Mail`
    Plain,
}

/// Which messages a POP session sees (wire §4.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PopMode {
    /// What has not been popped.
    Normal,
    /// `recent:` in front of the user name: the last 30 days, popped or not
    Recent,
}
/// One message of a maildrop, oldest first.
#[derive(Clone, Debug)]
pub struct PopItem {
    /// Its id: the UIDL.
    pub message: MessageId,
    /// Octets.
    pub size: u32,
    /// Its body.
    pub blob: crate::blob::BlobId,
}

/// Why the store refused. Each protocol turns these into its own replies in one place.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// There is none, or it is being removed.
    #[error("no such account")]
    NoSuchAccount,
    /// There is none of this name or id.
    #[error("no such mailbox")]
    NoSuchMailbox,
    /// CREATE or RENAME to a name that is taken.
    #[error("a mailbox of this name exists")]
    MailboxExists,
    /// Why not.
    #[error("not a name for a mailbox: {0}")]
    BadName(&'static str),
    /// For an account or alias: it has no name or no domain, is too long, or holds what no address does.
    #[error("not a mail address, which is written like ada@example.org")]
    BadAddress,
    /// DELETE or RENAME of one with a role.
    #[error("a system mailbox is neither deleted nor renamed")]
    SystemMailbox,
    /// The address leads to an account already.
    #[error("account exists")]
    AccountExists,
    /// The message does not fit the quota.
    #[error("over quota")]
    OverQuota,
    /// A named bound; the text says of what.
    #[error("too many {0}")]
    TooMany(&'static str),
    /// The body is gone or its checksum is wrong.
    #[error("body of message is damaged or missing")]
    Damaged,
    /// Nothing can be written any more (disk full, engine broken); reading goes on.
    #[error("storage refuses to write: {0}")]
    Unavailable(String),
    /// What it is a row of.
    #[error("stored row cannot be read: {0}")]
    Corrupt(&'static str),
}

/// An engine's failure in the words of this level.
fn unavailable(why: crate::engine::EngineError) -> StoreError {
    StoreError::Unavailable(why.to_string())
}
