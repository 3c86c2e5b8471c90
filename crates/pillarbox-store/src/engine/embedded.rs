//! The embedded engine: fjall, with one writer thread that groups all accounts' commits into one flushed batch.
//!
//! Only plain keyspaces are used, every batch says how durable it is, and the first failed commit ends all writing until the
//! store is opened again: what a failed flush left on disk is known only to recovery.
//!
//! | keyspace | key | value |
//! |---|---|---|
//! | `rows` | account length (1 byte), account, key | value |
//! | `log` | account length, account, version (8) | commit id (16), Unix milliseconds (8), changes |
//! | `heads` | account | version (8), log floor (8) |
//! | `blobs` | see [`crate::blob`] | |
//!
//! Numbers are big-endian.

use std::{
    path::Path,
    sync::{
        Arc, OnceLock,
        mpsc::{self, Sender},
    },
    thread::{self, JoinHandle},
};

use bytes::{BufMut, Bytes, BytesMut};
use fjall::{Database, Keyspace, KeyspaceCreateOptions, Readable, Snapshot};
use tokio::sync::{Semaphore, oneshot, watch};

use super::{
    AccountKey, BATCH_BYTES_MAX, Batch, CheckedRows, CommitId, Engine, EngineError, Log, LogEntry,
    Options, Outcome, Pending, Reading, Row, RowProgress, Scan, Trimmed, Version,
    check::check_tables,
    folder::Lock,
    watchers::Watchers,
    writer::{Job, Writer},
};

/// Bytes of batches that may wait for the writer; more callers wait before they queue.
const QUEUE_BYTES_MAX: usize = 128 * 1024 * 1024;
/// Bytes of journal before fjall forces the oldest rows into tables. Measured.
const JOURNAL_BYTES: u64 = 512 * 1024 * 1024;
/// Bytes of a keyspace kept in memory before they become a table.
const ROWS_MEMTABLE_BYTES: u64 = 64 * 1024 * 1024;
/// The same for keyspaces of small rows.
const SMALL_MEMTABLE_BYTES: u64 = 16 * 1024 * 1024;

/// The keyspaces.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Table {
    Rows,
    Log,
    Heads,
    Blobs,
}

/// fjall's handles.
pub(crate) struct Tables {
    pub(crate) db: Database,
    rows: Keyspace,
    log: Keyspace,
    heads: Keyspace,
    blobs: Keyspace,
}

impl Tables {
    fn open(folder: &Path, options: &Options) -> fjall::Result<Self> {
        let db = Database::builder(folder)
            .max_journaling_size(JOURNAL_BYTES)
            .cache_size(options.cache_bytes)
            .open()?;
        let keyspace = |name, bytes| {
            db.keyspace(name, || {
                KeyspaceCreateOptions::default().max_memtable_size(bytes)
            })
        };
        Ok(Self {
            rows: keyspace("rows", ROWS_MEMTABLE_BYTES)?,
            log: keyspace("log", SMALL_MEMTABLE_BYTES)?,
            heads: keyspace("heads", SMALL_MEMTABLE_BYTES)?,
            blobs: keyspace("blobs", SMALL_MEMTABLE_BYTES)?,
            db,
        })
    }

    pub(crate) fn of(&self, table: Table) -> &Keyspace {
        match table {
            Table::Rows => &self.rows,
            Table::Log => &self.log,
            Table::Heads => &self.heads,
            Table::Blobs => &self.blobs,
        }
    }
}

/// What an account's `heads` row says.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(crate) struct Head {
    pub(crate) version: Version,
    pub(crate) floor: Version,
}

impl Head {
    pub(crate) fn to_row(self) -> Bytes {
        let mut row = BytesMut::with_capacity(16);
        row.put_u64(self.version);
        row.put_u64(self.floor);
        row.freeze()
    }

    pub(crate) fn from_row(row: &[u8]) -> Result<Self, EngineError> {
        let [version, floor] = numbers(row).ok_or_else(|| unreadable("a head row is malformed"))?;
        Ok(Self { version, floor })
    }

    pub(crate) fn read(
        tables: &Tables,
        at: &Snapshot,
        account: &AccountKey,
    ) -> Result<Self, EngineError> {
        match at.get(&tables.heads, account.as_bytes()).map_err(reading)? {
            Some(row) => Self::from_row(&row),
            None => Ok(Self::default()),
        }
    }
}

fn numbers<const N: usize>(row: &[u8]) -> Option<[u64; N]> {
    let (chunks, rest) = row.as_chunks::<8>();
    if chunks.len() != N || !rest.is_empty() {
        return None;
    }
    let mut numbers = [0; N];
    for (number, chunk) in numbers.iter_mut().zip(chunks) {
        *number = u64::from_be_bytes(*chunk);
    }
    Some(numbers)
}

/// The key in `rows` or `log`: the length before the account keeps one account from being another's prefix.
pub(crate) fn inside(account: &AccountKey, key: &[u8]) -> Bytes {
    let account = account.as_bytes();
    let mut inside = BytesMut::with_capacity(1 + account.len() + key.len());
    inside.put_u8(account.len() as u8); // at most 64, see `AccountKey::new`
    inside.put_slice(account);
    inside.put_slice(key);
    inside.freeze()
}

/// The first key behind all of the account's.
pub(crate) fn behind(account: &AccountKey) -> Bytes {
    let mut behind = BytesMut::from(&inside(account, b"")[..]);
    // The length byte is below 0xff, so the carry ends there at the latest.
    for byte in behind.iter_mut().rev() {
        *byte = byte.wrapping_add(1);
        if *byte != 0 {
            break;
        }
    }
    behind.freeze()
}

pub(crate) fn log_row(id: CommitId, at_ms: u64, changes: &[u8]) -> Bytes {
    let mut row = BytesMut::with_capacity(24 + changes.len());
    row.put_slice(&id.0);
    row.put_u64(at_ms);
    row.put_slice(changes);
    row.freeze()
}

pub(crate) fn log_entry(version: Version, row: Bytes) -> Result<LogEntry, EngineError> {
    let malformed = || unreadable("a log row is malformed");
    let (id, rest) = row.split_first_chunk::<16>().ok_or_else(malformed)?;
    let (at_ms, _) = rest.split_first_chunk::<8>().ok_or_else(malformed)?;
    Ok(LogEntry {
        version,
        id: CommitId(*id),
        at_ms: u64::from_be_bytes(*at_ms),
        changes: row.slice(24..),
    })
}

pub(crate) fn unreadable(cause: &str) -> EngineError {
    EngineError::Unreadable(cause.into())
}

pub(crate) fn reading(cause: fjall::Error) -> EngineError {
    EngineError::Unreadable(cause.to_string().into())
}

/// What the engine's handles and its writer share. The writer holds no `Core`, so that the last handle can end it.
pub(crate) struct Core {
    pub(crate) tables: Arc<Tables>,
    queue: Option<Sender<Job>>,
    writer: Option<JoinHandle<()>>,
    watchers: Arc<Watchers>,
    broken: Arc<OnceLock<Arc<str>>>,
    room: Arc<Semaphore>,
    _lock: Lock,
}

impl Core {
    /// Hands `job` to the writer; gives back why it will never be done.
    pub(crate) fn send(&self, job: Job) -> Result<(), EngineError> {
        if let Some(cause) = self.broken.get() {
            return Err(EngineError::Broken(Arc::clone(cause)));
        }
        let sent = self
            .queue
            .as_ref()
            .is_some_and(|queue| queue.send(job).is_ok());
        if sent {
            Ok(())
        } else {
            Err(EngineError::Broken("the writer has ended".into()))
        }
    }
}

impl Drop for Core {
    fn drop(&mut self) {
        drop(self.queue.take());
        if let Some(writer) = self.writer.take()
            && writer.thread().id() != thread::current().id()
            && writer.join().is_err()
        {
            tracing::error!("the engine's writer had panicked");
        }
    }
}

/// The engine of one machine. Opened with its blobs by [`super::Embedded::open`].
pub struct EmbeddedEngine {
    core: Arc<Core>,
}

impl EmbeddedEngine {
    pub(crate) fn open(folder: &Path, options: &Options, lock: Lock) -> Result<Self, EngineError> {
        let tables = Arc::new(Tables::open(folder, options).map_err(reading)?);
        let (queue, jobs) = mpsc::channel();
        let watchers = Arc::new(Watchers::default());
        let broken = Arc::new(OnceLock::new());
        let writer = Writer::new(
            Arc::clone(&tables),
            Arc::clone(&watchers),
            Arc::clone(&broken),
            options.door.clone(),
        );
        let writer = thread::Builder::new()
            .name("rows".into())
            .spawn(move || writer.run(&jobs))
            .map_err(|cause| unreadable(&cause.to_string()))?;
        Ok(Self {
            core: Arc::new(Core {
                tables,
                queue: Some(queue),
                writer: Some(writer),
                watchers,
                broken,
                room: Arc::new(Semaphore::new(QUEUE_BYTES_MAX)),
                _lock: lock,
            }),
        })
    }

    pub(crate) fn blob_table(&self) -> super::blob_table::BlobTable {
        super::blob_table::BlobTable::new(Arc::clone(&self.core))
    }

    /// A snapshot, and the account's head in it once it is known to be new enough.
    fn snapshot(
        &self,
        account: &AccountKey,
        at_least: Version,
    ) -> Result<(Snapshot, Head), EngineError> {
        let at = self.core.tables.db.snapshot();
        let head = Head::read(&self.core.tables, &at, account)?;
        if head.version < at_least {
            return Err(EngineError::Behind {
                have: head.version,
                wanted: at_least,
            });
        }
        Ok((at, head))
    }

    fn scan(
        &self,
        at: &Snapshot,
        account: &AccountKey,
        scan: &Scan,
    ) -> Result<Vec<Row>, EngineError> {
        if scan.is_empty() {
            return Ok(Vec::new());
        }
        let prefix = 1 + account.as_bytes().len();
        let start = inside(account, &scan.start);
        let end = match &scan.end {
            Some(end) => inside(account, end),
            None => behind(account),
        };
        let found = at.range(&self.core.tables.rows, start..end);
        let row = |guard: fjall::Guard| {
            let (key, value) = guard.into_inner().map_err(reading)?;
            Ok(Row {
                key: Bytes::from(key).slice(prefix..),
                value: value.into(),
            })
        };
        if scan.reverse {
            found.rev().take(scan.limit).map(row).collect()
        } else {
            found.take(scan.limit).map(row).collect()
        }
    }

    fn read_log(
        &self,
        account: &AccountKey,
        since: Version,
        limit: usize,
    ) -> Result<Log, EngineError> {
        let (at, head) = self.snapshot(account, 0)?;
        if since < head.floor {
            return Ok(Log::TooOld(head.floor));
        }
        let count = limit.min(usize::try_from(head.version.saturating_sub(since)).unwrap_or(limit));
        if count == 0 {
            return Ok(Log::Entries(Vec::new()));
        }
        let start = inside(account, &(since + 1).to_be_bytes());
        let found = at.range(&self.core.tables.log, start..behind(account));
        let mut entries = Vec::with_capacity(count);
        for (version, guard) in (since + 1..).zip(found.take(count)) {
            let (key, value) = guard.into_inner().map_err(reading)?;
            if !key.ends_with(&version.to_be_bytes()) {
                return Err(unreadable("the log has a gap"));
            }
            entries.push(log_entry(version, value.into())?);
        }
        if entries.len() < count {
            return Err(unreadable("the log ends too early"));
        }
        Ok(Log::Entries(entries))
    }
}

impl Engine for EmbeddedEngine {
    fn commit<'a>(
        &'a self,
        account: &'a AccountKey,
        expected: Version,
        id: CommitId,
        batch: Batch,
    ) -> Pending<'a, Result<Outcome, EngineError>> {
        Box::pin(async move {
            batch.check()?;
            let bytes = batch.bytes().clamp(1, BATCH_BYTES_MAX) as u32;
            let room = Arc::clone(&self.core.room).acquire_many_owned(bytes).await;
            let room = room.map_err(|_| EngineError::Broken("the writer has ended".into()))?;
            let (answer, answered) = oneshot::channel();
            self.core.send(Job::Commit {
                account: account.clone(),
                expected,
                id,
                batch,
                answer,
                _room: room,
            })?;
            let lost = || EngineError::Unknown("the writer ended before it answered".into());
            answered.await.unwrap_or_else(|_| Err(lost()))
        })
    }

    fn get<'a>(
        &'a self,
        account: &'a AccountKey,
        keys: &'a [Bytes],
        at_least: Version,
    ) -> Pending<'a, Reading<Vec<Option<Bytes>>>> {
        Box::pin(async move {
            let (at, head) = self.snapshot(account, at_least)?;
            let value = |key: &Bytes| {
                let found = at.get(&self.core.tables.rows, inside(account, key));
                Ok(found.map_err(reading)?.map(Bytes::from))
            };
            let found: Result<_, EngineError> = keys.iter().map(value).collect();
            Ok((head.version, found?))
        })
    }

    fn read_many<'a>(
        &'a self,
        account: &'a AccountKey,
        scans: &'a [Scan],
        at_least: Version,
    ) -> Pending<'a, Reading<Vec<Vec<Row>>>> {
        Box::pin(async move {
            let (at, head) = self.snapshot(account, at_least)?;
            let found: Result<_, _> = scans
                .iter()
                .map(|scan| self.scan(&at, account, scan))
                .collect();
            Ok((head.version, found?))
        })
    }

    fn log<'a>(
        &'a self,
        account: &'a AccountKey,
        since: Version,
        limit: usize,
    ) -> Pending<'a, Result<Log, EngineError>> {
        Box::pin(async move { self.read_log(account, since, limit) })
    }

    fn watch(&self, account: &AccountKey) -> watch::Receiver<Version> {
        // Subscribed first and read second: what is committed in between is announced to the receiver.
        let receiver = self.core.watchers.subscribe(account);
        if let Ok((_, head)) = self.snapshot(account, 0) {
            self.core.watchers.announce(account, head.version);
        }
        receiver
    }

    fn accounts<'a>(
        &'a self,
        after: Option<&'a AccountKey>,
        limit: usize,
    ) -> Pending<'a, Result<Vec<(AccountKey, Version)>, EngineError>> {
        use std::ops::Bound::{Excluded, Unbounded};
        Box::pin(async move {
            let start = after.map_or(Unbounded, |after| Excluded(after.as_bytes()));
            let found = self
                .core
                .tables
                .db
                .snapshot()
                .range::<&[u8], _>(&self.core.tables.heads, (start, Unbounded));
            found
                .take(limit)
                .map(|guard| {
                    let (key, row) = guard.into_inner().map_err(reading)?;
                    let account = AccountKey::new(Bytes::from(key))?;
                    Ok((account, Head::from_row(&row)?.version))
                })
                .collect()
        })
    }

    fn trim<'a>(
        &'a self,
        account: &'a AccountKey,
        now_ms: u64,
    ) -> Pending<'a, Result<Trimmed, EngineError>> {
        Box::pin(async move {
            let (answer, answered) = oneshot::channel();
            self.core.send(Job::Trim {
                account: account.clone(),
                now_ms,
                answer,
            })?;
            let lost = || EngineError::Unknown("the writer ended before it answered".into());
            answered.await.unwrap_or_else(|_| Err(lost()))
        })
    }

    fn check(&self, progress: RowProgress) -> Pending<'_, Result<CheckedRows, EngineError>> {
        let tables = Arc::clone(&self.core.tables);
        Box::pin(async move {
            tokio::task::spawn_blocking(move || check_tables(&tables, progress))
                .await
                .map_err(|cause| unreadable(&cause.to_string()))?
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
    use super::*;

    #[test]
    fn no_account_lies_inside_another() {
        let short = AccountKey::new(&b"a"[..]).unwrap();
        let long = AccountKey::new(&b"a\xff"[..]).unwrap();
        let next = AccountKey::new(&b"b"[..]).unwrap();
        let key = inside(&short, &[0xff; 70]);
        assert!(inside(&short, b"") <= key && key < behind(&short));
        assert!(inside(&next, b"") >= behind(&short));
        assert!(inside(&long, b"") >= behind(&short));
        assert_eq!(&behind(&long)[..], b"\x02b\x00");
    }
}
