//! One account as its users see it: a cheap handle with everything that can be asked and done.

use std::{
    ops::{Range, RangeInclusive},
    sync::Arc,
};

use bytes::Bytes;
use tokio::sync::watch;

use super::{
    AccountId, Appended, Changes, Copied, Flags, How, LabelName, Mailbox, MailboxId, MessageId,
    Millis, NewMessage, PopItem, PopMode, Record, Role, Row, Settings, StoreError, Stored, Uid,
    Version,
};
use crate::blob::BlobId;

type Result<T, E = StoreError> = std::result::Result<T, E>;

/// A handle on one account. Cheap to clone; handles of the same [`Store`](super::Store) share one writer.
///
/// Every method that changes something answers after the change is durable. A dropped future may or may not have taken
/// effect. Every method may fail with [`StoreError::NoSuchAccount`], [`StoreError::Unavailable`] and
/// [`StoreError::Corrupt`]; only further errors are listed.
#[derive(Clone)]
pub struct Account {
    id: AccountId,
}

/// The rows of other floors as an update reads and writes them.
pub struct Rows(());

impl Rows {
    /// The value at `key`, this update's own changes included. The key must begin with one of the prefixes asked for;
    /// others read as absent.
    #[must_use]
    pub fn get(&self, _key: &[u8]) -> Option<Bytes> {
        None
    }
    /// All rows whose key begins with `prefix`, ascending, this update's own changes included.
    pub fn scan(&self, _prefix: &[u8]) -> Vec<(Bytes, Bytes)> {
        Vec::new()
    }
    /// Sets a row; the key need not have been asked for.
    pub fn put(&mut self, _key: &[u8], _value: impl Into<Bytes>) {}
    /// Removes a row if it is there.
    pub fn delete(&mut self, _key: &[u8]) {}
}

fn stub<T>() -> Result<T> {
    Err(StoreError::Unavailable("not built yet".into()))
}

impl Account {
    pub(crate) fn stub(id: &AccountId) -> Self {
        Self { id: id.clone() }
    }

    /// Who it is.
    #[must_use]
    pub fn id(&self) -> &AccountId {
        &self.id
    }

    /// Its primary address.
    pub async fn address(&self) -> Result<Arc<str>> {
        stub()
    }

    /// The newest version: changes with every durable change, of mail or not. Versions may be skipped.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<Version> {
        watch::channel(0).1
    }

    /// The newest version.
    pub async fn version(&self) -> Result<Version> {
        stub()
    }

    /// What changed behind version `since`.
    pub async fn changes(&self, _since: Version) -> Result<Changes> {
        stub()
    }

    /// The account's settings.
    pub async fn settings(&self) -> Result<Settings> {
        stub()
    }

    /// Replaces the settings.
    pub async fn set_settings(&self, _settings: Settings) -> Result<()> {
        stub()
    }

    /// Octets and messages, each message counted once; without tombstones.
    pub async fn usage(&self) -> Result<(u64, u64)> {
        stub()
    }

    /// The mailboxes by name, and the version they are of. Parents that do not exist are the protocol's business.
    pub async fn mailboxes(&self) -> Result<(Version, Vec<Mailbox>)> {
        stub()
    }

    /// The mailbox of a name; INBOX without regard to case.
    pub async fn mailbox(&self, _name: &str) -> Result<Option<Mailbox>> {
        stub()
    }

    /// The mailbox of an id, if it still exists.
    pub async fn mailbox_by_id(&self, _id: MailboxId) -> Result<Option<Mailbox>> {
        stub()
    }

    /// The system mailbox of a role.
    pub async fn mailbox_of(&self, _role: Role) -> Result<Mailbox> {
        stub()
    }

    /// Makes a mailbox. `role` is a hint (RFC 6154 CREATE-SPECIAL-USE) and must be `None`: every role is taken.
    ///
    /// # Errors
    /// [`StoreError::MailboxExists`], [`StoreError::BadName`], [`StoreError::TooMany`].
    pub async fn create(&self, _name: &str, _role: Option<Role>, _now: Millis) -> Result<Mailbox> {
        stub()
    }

    /// Deletes a mailbox; its messages stay in All Mail (wire §3.6).
    ///
    /// # Errors
    /// [`StoreError::NoSuchMailbox`], [`StoreError::SystemMailbox`].
    pub async fn delete(&self, _name: &str, _now: Millis) -> Result<()> {
        stub()
    }

    /// Renames a mailbox and those below it. INBOX gives its messages to the new mailbox and stays (RFC 3501 §6.3.5).
    ///
    /// # Errors
    /// [`StoreError::NoSuchMailbox`], [`StoreError::SystemMailbox`], [`StoreError::MailboxExists`],
    /// [`StoreError::BadName`].
    pub async fn rename(&self, _from: &str, _to: &str, _now: Millis) -> Result<()> {
        stub()
    }

    /// Subscribes or unsubscribes.
    ///
    /// # Errors
    /// [`StoreError::NoSuchMailbox`].
    pub async fn subscribe(&self, _name: &str, _on: bool) -> Result<()> {
        stub()
    }

    /// The mailbox and its UIDs ascending, of one snapshot: what SELECT needs.
    ///
    /// # Errors
    /// [`StoreError::NoSuchMailbox`].
    pub async fn uids(&self, _mailbox: MailboxId) -> Result<(Version, Mailbox, Vec<Uid>)> {
        stub()
    }

    /// The rows of those UIDs that are in the mailbox, ascending, and the version they are of.
    pub async fn rows(
        &self,
        _mailbox: MailboxId,
        _uids: &[RangeInclusive<u32>],
    ) -> Result<(Version, Vec<Row>)> {
        stub()
    }

    /// As [`Account::rows`], and also the rows that have left the mailbox but are not purged yet, as they were: a session
    /// that still sees an expunged message can read it.
    pub async fn rows_or_tombs(
        &self,
        _mailbox: MailboxId,
        _uids: &[RangeInclusive<u32>],
    ) -> Result<(Version, Vec<Row>)> {
        stub()
    }

    /// The records of messages, in the order asked for. Tombstones are found too, with no places.
    pub async fn records(&self, _ids: &[MessageId]) -> Result<Vec<Option<Record>>> {
        stub()
    }

    /// The mailboxes each message is in, in the order asked for.
    pub async fn labels(&self, _ids: &[MessageId]) -> Result<Vec<Vec<MailboxId>>> {
        stub()
    }

    /// Bytes of a body, cut at its end.
    ///
    /// # Errors
    /// [`StoreError::Damaged`].
    pub async fn body(&self, _blob: BlobId, _range: Range<u64>) -> Result<Bytes> {
        stub()
    }

    /// The first UID that is recent for this caller (RFC 3501 §2.3.2), who saw UIDs up to `through`: from here on nobody
    /// else is told of them. Remembered at once, made durable by the next commit.
    #[must_use]
    pub fn claim_recent(&self, _mailbox: MailboxId, through: Uid) -> Uid {
        Uid(through.0.saturating_add(1))
    }

    /// Stores a message in a mailbox. Bytes that are already stored under the same Message-ID only get the label
    /// (wire §3.9).
    ///
    /// # Errors
    /// [`StoreError::NoSuchMailbox`], [`StoreError::OverQuota`], [`StoreError::TooMany`].
    pub async fn append(&self, _mailbox: MailboxId, _message: NewMessage) -> Result<Appended> {
        stub()
    }

    /// Stores a message in system mailboxes; the answer is of the first role. The same `dedup` within 7 days answers as the
    /// first time. A message for Sent counts as popped (wire §4.4), and is not stored twice.
    ///
    /// # Errors
    /// [`StoreError::OverQuota`], [`StoreError::TooMany`].
    pub async fn deliver(
        &self,
        _roles: &[Role],
        _message: NewMessage,
        _dedup: Option<[u8; 32]>,
    ) -> Result<Appended> {
        stub()
    }

    /// Changes flags of the messages at `uids`; UIDs that are not there are passed over. `\Deleted` belongs to the row,
    /// all others to the message.
    ///
    /// # Errors
    /// [`StoreError::NoSuchMailbox`], [`StoreError::TooMany`].
    pub async fn set_flags(
        &self,
        _mailbox: MailboxId,
        _uids: &[Uid],
        _how: How,
        _flags: &Flags,
        _unchanged_since: Option<Version>,
        _now: Millis,
    ) -> Result<Stored> {
        stub()
    }

    /// Changes labels (wire §3.7). Unknown labels are created. The label of the mailbox itself is not removed by
    /// [`How::Replace`], since it is never shown.
    ///
    /// # Errors
    /// As [`Account::set_flags`], and [`StoreError::BadName`].
    pub async fn set_labels(
        &self,
        _mailbox: MailboxId,
        _uids: &[Uid],
        _how: How,
        _labels: &[LabelName],
        _unchanged_since: Option<Version>,
        _now: Millis,
    ) -> Result<Stored> {
        stub()
    }

    /// Copies messages.
    ///
    /// # Errors
    /// [`StoreError::NoSuchMailbox`], [`StoreError::OverQuota`], [`StoreError::TooMany`].
    pub async fn copy(
        &self,
        _from: MailboxId,
        _uids: &[Uid],
        _to: MailboxId,
        _now: Millis,
    ) -> Result<Copied> {
        stub()
    }

    /// Moves messages.
    ///
    /// # Errors
    /// As [`Account::copy`].
    pub async fn r#move(
        &self,
        _from: MailboxId,
        _uids: &[Uid],
        _to: MailboxId,
        _now: Millis,
    ) -> Result<Copied> {
        stub()
    }

    /// Expunges the rows with `\Deleted`, of `only` these UIDs if given. Answers the UIDs that are gone.
    ///
    /// # Errors
    /// [`StoreError::NoSuchMailbox`].
    pub async fn expunge(
        &self,
        _mailbox: MailboxId,
        _only: Option<&[Uid]>,
        _now: Millis,
    ) -> Result<(Version, Vec<Uid>)> {
        stub()
    }

    /// What a POP session sees, oldest first (wire §4.4).
    pub async fn maildrop(&self, _mode: PopMode, _now: Millis) -> Result<Vec<PopItem>> {
        stub()
    }

    /// A POP session's QUIT: marks and removes, in one atomic step.
    pub async fn pop_done(
        &self,
        _retrieved: &[MessageId],
        _deleted: &[MessageId],
        _now: Millis,
    ) -> Result<()> {
        stub()
    }

    /// One row of another floor.
    pub async fn get(&self, _key: &[u8]) -> Result<Option<Bytes>> {
        stub()
    }

    /// Rows of another floor whose key begins with `prefix`, ascending, at most `limit`.
    pub async fn scan(&self, _prefix: &[u8], _limit: usize) -> Result<Vec<(Bytes, Bytes)>> {
        stub()
    }

    /// Reads the rows below `prefixes` (a whole key is a prefix too), lets `f` change rows, and commits: atomic. `f` may
    /// run again after a conflict, and must then do the same from the rows it is given. If it fails nothing is changed.
    /// Keys live in a space of their own; their first byte says which floor's they are.
    ///
    /// # Errors
    /// What `f` says; [`StoreError::TooMany`] if more than 5,000 rows lie below the prefixes.
    pub async fn update<T, E>(
        &self,
        _prefixes: &[&[u8]],
        _f: impl FnMut(&mut Rows) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        Err(StoreError::Unavailable("not built yet".into()).into())
    }
}
