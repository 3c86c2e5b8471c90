//! A transaction: the account's state at one version with the changes of the operations applied so far laid over it.
//!
//! Several operations share one transaction, and so one commit; each can be undone alone. Reads are checked against the
//! version: if the engine has moved on, the transaction is void and its operations run again in a new one.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use bytes::Bytes;

use super::{
    Change, MailboxId, MessageId, Millis, StoreError, Uid, Version,
    codec::{self, Meta, PlaceRow},
    head::Head,
    keys, unavailable,
};
use crate::engine::{
    AccountKey, BATCH_BYTES_MAX, BATCH_ROWS_MAX, Batch, Engine, LOG_BYTES_MAX, Row as Stored, Scan,
};

type Result<T> = std::result::Result<T, StoreError>;

/// An operation that works through many messages stops behind so many rows, to go on in the next commit: an operation
/// that shares its commit with another still fits.
const PIECE_ROWS: usize = 2_000;
/// The same for bytes.
const PIECE_BYTES: usize = BATCH_BYTES_MAX / 4;
/// Room left for the rows of the head, which are made last.
const HEAD_ROWS: usize = 700;
const HEAD_BYTES: usize = 200 * 1024;

/// One transaction of one account.
pub(super) struct Txn {
    engine: Arc<dyn Engine>,
    account: AccountKey,
    /// What the commit expects.
    pub(super) base: Version,
    was: Option<Arc<Head>>,
    now: Option<Arc<Head>>,
    rows: BTreeMap<Bytes, Option<Bytes>>,
    fetched: HashMap<Bytes, Option<Bytes>>,
    log: Vec<Change>,
    bytes: usize,
    undo: Undo,
    /// The engine was found at another version: nothing read here counts.
    pub(super) moved: bool,
    /// The latest time heard; for operations that carry none.
    pub(super) clock: Millis,
}

/// What it takes to forget the operation that runs.
#[derive(Default)]
struct Undo {
    head: Option<Arc<Head>>,
    rows: Vec<(Bytes, Option<Option<Bytes>>)>,
    log: usize,
    bytes: usize,
}

impl Txn {
    pub(super) fn new(
        engine: Arc<dyn Engine>,
        account: AccountKey,
        base: Version,
        head: Option<Arc<Head>>,
        clock: Millis,
    ) -> Self {
        Self {
            engine,
            account,
            base,
            was: head.clone(),
            now: head,
            rows: BTreeMap::new(),
            fetched: HashMap::new(),
            log: Vec::new(),
            bytes: 0,
            undo: Undo::default(),
            moved: false,
            clock,
        }
    }

    /// The version the commit will make: the mod-sequence of all it changes.
    pub(super) fn next(&self) -> Version {
        self.base + 1
    }

    /// Begins an operation.
    pub(super) fn mark(&mut self) {
        self.undo = Undo {
            head: self.now.clone(),
            rows: Vec::new(),
            log: self.log.len(),
            bytes: self.bytes,
        };
    }

    /// Takes back everything since [`Txn::mark`].
    pub(super) fn rollback(&mut self) {
        let undo = std::mem::take(&mut self.undo);
        self.now = undo.head;
        for (key, was) in undo.rows.into_iter().rev() {
            match was {
                Some(value) => self.rows.insert(key, value),
                None => self.rows.remove(&key),
            };
        }
        self.log.truncate(undo.log);
        self.bytes = undo.bytes;
        self.mark();
    }

    /// Whether an operation that can go on in the next commit should stop here.
    pub(super) fn piece_full(&self) -> bool {
        self.undo.rows.len() > PIECE_ROWS || self.bytes - self.undo.bytes > PIECE_BYTES
    }

    /// Whether the commit is nearly full.
    pub(super) fn full(&self) -> bool {
        self.rows.len() > BATCH_ROWS_MAX / 2 || self.bytes > BATCH_BYTES_MAX / 2
    }

    /// Whether no engine would take it.
    pub(super) fn too_large(&self) -> bool {
        self.rows.len() > BATCH_ROWS_MAX - HEAD_ROWS
            || self.bytes > BATCH_BYTES_MAX - HEAD_BYTES
            || self.log.len() * 8 > LOG_BYTES_MAX
    }

    /// The head, if there is an account.
    pub(super) fn head(&self) -> Result<&Head> {
        let head = self.now.as_deref().ok_or(StoreError::NoSuchAccount)?;
        if head.numbers.removed {
            return Err(StoreError::NoSuchAccount);
        }
        Ok(head)
    }

    /// The head to be changed.
    pub(super) fn head_mut(&mut self) -> Result<&mut Head> {
        self.now
            .as_mut()
            .map(Arc::make_mut)
            .ok_or(StoreError::NoSuchAccount)
    }

    /// Whether there is a head, removed or not.
    pub(super) fn has_head(&self) -> bool {
        self.now.is_some()
    }

    /// Makes the account.
    pub(super) fn set_head(&mut self, head: Option<Head>) {
        self.now = head.map(Arc::new);
    }

    pub(super) fn log(&mut self, change: Change) {
        self.log.push(change);
    }

    pub(super) fn put(&mut self, key: Bytes, value: Bytes) {
        self.bytes += key.len() + value.len();
        self.set(key, Some(value));
    }

    pub(super) fn delete(&mut self, key: Bytes) {
        self.bytes += key.len();
        self.set(key, None);
    }

    fn set(&mut self, key: Bytes, value: Option<Bytes>) {
        let was = self.rows.insert(key.clone(), value);
        self.undo.rows.push((key, was));
    }

    /// Reads `keys` ahead in one go, so that [`Txn::get`] finds them.
    pub(super) async fn fetch(&mut self, keys: Vec<Bytes>) -> Result<()> {
        let wanted: Vec<Bytes> = keys
            .into_iter()
            .filter(|key| !self.rows.contains_key(key) && !self.fetched.contains_key(key))
            .collect();
        if wanted.is_empty() {
            return Ok(());
        }
        let (version, found) = self
            .engine
            .get(&self.account, &wanted, self.base)
            .await
            .map_err(unavailable)?;
        self.same(version)?;
        self.fetched.extend(wanted.into_iter().zip(found));
        Ok(())
    }

    fn same(&mut self, version: Version) -> Result<()> {
        if version == self.base {
            return Ok(());
        }
        self.moved = true;
        Err(StoreError::Unavailable("the account moved on".into()))
    }

    pub(super) async fn get(&mut self, key: &Bytes) -> Result<Option<Bytes>> {
        self.fetch(vec![key.clone()]).await?;
        let changed = self.rows.get(key);
        Ok(changed.or_else(|| self.fetched.get(key)).cloned().flatten())
    }

    /// The rows of a forward scan, ascending; those it returns can then be had by [`Txn::get`] at no cost.
    pub(super) async fn scan(&mut self, scan: Scan) -> Result<Vec<(Bytes, Bytes)>> {
        let (start, end, limit) = (scan.start.clone(), scan.end.clone(), scan.limit);
        let over: Vec<(Bytes, Option<Bytes>)> = self
            .rows
            .range(start..)
            .take_while(|(key, _)| end.as_ref().is_none_or(|end| *key < end))
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect();
        // Each row changed here may hide one of the engine's.
        let ask = scan.limit(limit.saturating_add(over.len()));
        let (version, rows) = self
            .engine
            .read(&self.account, ask, self.base)
            .await
            .map_err(unavailable)?;
        self.same(version)?;
        if over.is_empty() {
            return Ok(rows
                .into_iter()
                .map(|Stored { key, value }| (key, value))
                .collect());
        }
        let mut merged: BTreeMap<Bytes, Bytes> =
            rows.into_iter().map(|row| (row.key, row.value)).collect();
        for (key, value) in over {
            match value {
                Some(value) => merged.insert(key, value),
                None => merged.remove(&key),
            };
        }
        Ok(merged.into_iter().take(limit).collect())
    }

    /// A message's record, dead or alive.
    pub(super) async fn meta(&mut self, id: MessageId) -> Result<Option<Meta>> {
        let value = self.get(&keys::message(id)).await?;
        value.as_deref().map(Meta::decode).transpose()
    }

    pub(super) fn put_meta(&mut self, id: MessageId, meta: &Meta) {
        self.put(keys::message(id), meta.encode());
    }

    /// One message in one mailbox.
    pub(super) async fn row(&mut self, mailbox: MailboxId, uid: Uid) -> Result<Option<PlaceRow>> {
        let value = self.get(&keys::row(mailbox, uid)).await?;
        value.as_deref().map(PlaceRow::decode).transpose()
    }

    /// Whether committing would change anything.
    pub(super) fn is_empty(&self) -> bool {
        let same_head = match (&self.was, &self.now) {
            (Some(was), Some(now)) => {
                Arc::ptr_eq(was, now) || now.differences(Some(was)).is_empty()
            }
            (was, now) => was.is_none() && now.is_none(),
        };
        self.rows.is_empty() && self.log.is_empty() && same_head
    }

    /// The batch, and the head as it will be.
    pub(super) fn into_batch(mut self, recent: &[(MailboxId, Uid)]) -> (Batch, Option<Arc<Head>>) {
        let next = self.next();
        if let Some(head) = self.now.as_mut().map(Arc::make_mut) {
            head.version = next;
            for (mailbox, uid) in recent {
                if head.mailboxes.get(mailbox).is_some_and(|r| r.recent < *uid)
                    && let Ok(record) = head.mailbox_mut(*mailbox)
                {
                    record.recent = *uid;
                }
            }
        }
        let mut batch = Batch::new(u64::try_from(self.clock).unwrap_or(0));
        if let Some(head) = &self.now {
            for (key, value) in head.differences(self.was.as_deref()) {
                match value {
                    Some(value) => batch.put(key, value),
                    None => batch.delete(key),
                };
            }
        }
        for (key, value) in self.rows {
            match value {
                Some(value) => batch.put(key, value),
                None => batch.delete(key),
            };
        }
        batch.log(codec::encode_changes(&self.log));
        (batch, self.now)
    }
}
