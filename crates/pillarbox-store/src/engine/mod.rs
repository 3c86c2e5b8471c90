//! The lowest level of the store: an account is a versioned, ordered map of bytes.
//!
//! An [`Engine`] keeps many accounts apart, makes each commit atomic and durable, raises the account's version by exactly
//! one with it, and remembers the commits in a log. It knows nothing of mail, draws no random numbers and reads no clock:
//! commit ids and times come from the caller. Nothing here spans two accounts, so an engine may shard by account.

use std::{fmt, future::Future, pin::Pin, sync::Arc};

use bytes::Bytes;
use tokio::sync::watch;

pub(crate) mod blob_table;
mod check;
mod embedded;
pub(crate) mod folder;
mod memory;
mod watchers;
mod writer;

pub use embedded::EmbeddedEngine;
pub use folder::{Embedded, FORMAT, OpenError, Options};
pub use memory::MemoryEngine;

/// Longest [`AccountKey`], in bytes: it precedes every key on disk.
pub const ACCOUNT_KEY_BYTES_MAX: usize = 64;
/// Longest key, in bytes: what every engine we may want can index.
pub const KEY_BYTES_MAX: usize = 2 * 1024;
/// Longest value, in bytes.
pub const VALUE_BYTES_MAX: usize = 64 * 1024;
/// Longest `changes` of one log entry, in bytes; it is a value like others.
pub const LOG_BYTES_MAX: usize = VALUE_BYTES_MAX;
/// Most keys, values and log of one batch together, in bytes; larger work is several commits.
pub const BATCH_BYTES_MAX: usize = 1024 * 1024;
/// Most puts and deletes of one batch.
pub const BATCH_ROWS_MAX: usize = 5_000;
/// This many of the newest log entries are kept whatever their age.
pub const LOG_KEPT_VERSIONS: u64 = 5_000;
/// Log entries younger than this are kept however many they are: 30 days in milliseconds.
pub const LOG_KEPT_MS: u64 = 30 * 24 * 60 * 60 * 1000;

/// How many commits an account has seen; 0 is an account that does not exist yet. Also the mod-sequence (RFC 7162 §3.1).
pub type Version = u64;

/// A future as the engines return it, so that `dyn Engine` works.
pub type Pending<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// What was read, and the version of the snapshot it is of.
pub type Reading<T> = Result<(Version, T), EngineError>;

/// The name of one account: 1 to [`ACCOUNT_KEY_BYTES_MAX`] bytes that mean nothing to the engine. Cheap to clone.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountKey(Bytes);

impl AccountKey {
    /// Makes a key.
    ///
    /// # Errors
    /// [`TooLarge::AccountKey`] if it is empty or too long.
    pub fn new(bytes: impl Into<Bytes>) -> Result<Self, TooLarge> {
        let bytes = bytes.into();
        if bytes.is_empty() || bytes.len() > ACCOUNT_KEY_BYTES_MAX {
            return Err(TooLarge::AccountKey { bytes: bytes.len() });
        }
        Ok(Self(bytes))
    }

    /// The bytes it was made of.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for AccountKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "account {}", self.0.escape_ascii())
    }
}

/// What makes one commit recognisable when it is sent twice. The caller draws it, once per commit, and keeps it for retries.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct CommitId(pub [u8; 16]);

/// What one commit changes. Of several operations on one key the last wins.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    pub(crate) rows: Vec<(Bytes, Option<Bytes>)>,
    pub(crate) log: Bytes,
    pub(crate) at_ms: u64,
    bytes: usize,
}

impl Batch {
    /// An empty batch made at `at_ms`, Unix milliseconds; the time decides only how long the log entry is kept.
    #[must_use]
    pub fn new(at_ms: u64) -> Self {
        Self {
            at_ms,
            ..Self::default()
        }
    }

    /// Sets `key` to `value`.
    pub fn put(&mut self, key: impl Into<Bytes>, value: impl Into<Bytes>) -> &mut Self {
        let (key, value) = (key.into(), value.into());
        self.bytes += key.len() + value.len();
        self.rows.push((key, Some(value)));
        self
    }

    /// Removes `key`, whether or not it is there.
    pub fn delete(&mut self, key: impl Into<Bytes>) -> &mut Self {
        let key = key.into();
        self.bytes += key.len();
        self.rows.push((key, None));
        self
    }

    /// What the log says of this commit; read back by [`Engine::log`].
    pub fn log(&mut self, changes: impl Into<Bytes>) -> &mut Self {
        let changes = changes.into();
        self.bytes = self.bytes - self.log.len() + changes.len();
        self.log = changes;
        self
    }

    /// Puts and deletes so far; at most [`BATCH_ROWS_MAX`] may be committed.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.rows.len()
    }

    /// Bytes of keys, values and log so far; at most [`BATCH_BYTES_MAX`] may be committed.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// The operations in order, `None` for a delete: for callers that keep a copy of the account in memory.
    pub fn operations(&self) -> impl Iterator<Item = (&Bytes, Option<&Bytes>)> {
        self.rows.iter().map(|(key, value)| (key, value.as_ref()))
    }

    /// Says whether every engine would take it.
    ///
    /// # Errors
    /// The first bound that is broken.
    pub fn check(&self) -> Result<(), TooLarge> {
        for (key, value) in &self.rows {
            if key.is_empty() || key.len() > KEY_BYTES_MAX {
                return Err(TooLarge::Key { bytes: key.len() });
            }
            let bytes = value.as_ref().map_or(0, Bytes::len);
            if bytes > VALUE_BYTES_MAX {
                return Err(TooLarge::Value { bytes });
            }
        }
        if self.log.len() > LOG_BYTES_MAX {
            return Err(TooLarge::Log {
                bytes: self.log.len(),
            });
        }
        if self.bytes > BATCH_BYTES_MAX || self.rows.len() > BATCH_ROWS_MAX {
            return Err(TooLarge::Batch {
                bytes: self.bytes,
                rows: self.rows.len(),
            });
        }
        Ok(())
    }
}

/// What became of a commit whose fate is known.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// Applied and durable; this is the account's version now.
    Committed(Version),
    /// The same commit (account, expected version, id) had been applied before, as this version. Nothing was done.
    AlreadyCommitted(Version),
    /// The account was not at the expected version but at this one. Nothing was done, and this commit never will be.
    Conflict(Version),
}

/// One row as read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Row {
    /// The key inside the account.
    pub key: Bytes,
    /// Its value.
    pub value: Bytes,
}

/// Which rows to read: those of `start..end`, `end` excluded, an absent `end` meaning the account's last row.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Scan {
    /// First key that may be read.
    pub start: Bytes,
    /// First key that may not.
    pub end: Option<Bytes>,
    /// Most rows to return; the caller continues behind the last one's key.
    pub limit: usize,
    /// Whether to begin at the end and go backwards.
    pub reverse: bool,
}

impl Scan {
    /// All rows of `start..end`.
    #[must_use]
    pub fn range(start: impl Into<Bytes>, end: impl Into<Bytes>) -> Self {
        Self {
            start: start.into(),
            end: Some(end.into()),
            limit: usize::MAX,
            reverse: false,
        }
    }

    /// All rows whose key begins with `prefix`; all rows of the account if it is empty.
    #[must_use]
    pub fn prefix(prefix: impl Into<Bytes>) -> Self {
        let start = prefix.into();
        Self {
            end: after_prefix(&start),
            start,
            limit: usize::MAX,
            reverse: false,
        }
    }

    /// The same, begun behind `key` instead: for reading on.
    #[must_use]
    pub fn after(mut self, key: &[u8]) -> Self {
        let mut start = Vec::with_capacity(key.len() + 1);
        start.extend_from_slice(key);
        start.push(0);
        self.start = start.into();
        self
    }

    /// The same with at most `limit` rows.
    #[must_use]
    pub fn limit(mut self, limit: usize) -> Self {
        self.limit = limit;
        self
    }

    /// The same from the end backwards.
    #[must_use]
    pub fn reversed(mut self) -> Self {
        self.reverse = true;
        self
    }

    /// Whether no key can lie in it.
    pub(crate) fn is_empty(&self) -> bool {
        self.limit == 0 || self.end.as_ref().is_some_and(|end| *end <= self.start)
    }
}

/// The first key behind all keys that begin with `prefix`, if there is one.
fn after_prefix(prefix: &[u8]) -> Option<Bytes> {
    let last = prefix.iter().rposition(|byte| *byte != 0xff)?;
    let mut end = prefix[..=last].to_vec();
    end[last] += 1;
    Some(end.into())
}

/// One commit as the log remembers it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LogEntry {
    /// The version it made.
    pub version: Version,
    /// The id its caller gave it.
    pub id: CommitId,
    /// When it was made, Unix milliseconds, as its caller said.
    pub at_ms: u64,
    /// What its caller wrote with [`Batch::log`].
    pub changes: Bytes,
}

/// The answer to [`Engine::log`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Log {
    /// Commits behind the version asked for, oldest first, without a gap; empty if there are none yet.
    Entries(Vec<LogEntry>),
    /// The log no longer reaches back so far; this is the oldest version one may ask from.
    TooOld(Version),
}

/// How far [`Engine::trim`] came.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Trimmed {
    /// The oldest version one may now ask the log from.
    pub floor: Version,
    /// Whether there is more to remove: call again.
    pub more: bool,
}

/// What [`Engine::check`] found.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct CheckedRows {
    /// Accounts with at least one commit.
    pub accounts: u64,
    /// Their rows, all of which could be read unless a problem says otherwise.
    pub rows: u64,
    /// Their log entries.
    pub log_entries: u64,
    /// One sentence for each thing that is wrong.
    pub problems: Vec<String>,
}

/// Told how many rows of all kinds [`Engine::check`] has looked at so far.
pub type RowProgress = Box<dyn FnMut(u64) + Send>;

/// A bound of this module that the caller broke.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum TooLarge {
    /// See [`ACCOUNT_KEY_BYTES_MAX`].
    #[error("an account key has 1 to {ACCOUNT_KEY_BYTES_MAX} bytes, this one has {bytes}")]
    AccountKey {
        /// Its length.
        bytes: usize,
    },
    /// See [`KEY_BYTES_MAX`].
    #[error("a key has 1 to {KEY_BYTES_MAX} bytes, this one has {bytes}")]
    Key {
        /// Its length.
        bytes: usize,
    },
    /// See [`VALUE_BYTES_MAX`].
    #[error("a value has at most {VALUE_BYTES_MAX} bytes, this one has {bytes}")]
    Value {
        /// Its length.
        bytes: usize,
    },
    /// See [`LOG_BYTES_MAX`].
    #[error("a log entry has at most {LOG_BYTES_MAX} bytes, this one has {bytes}")]
    Log {
        /// Its length.
        bytes: usize,
    },
    /// See [`BATCH_BYTES_MAX`] and [`BATCH_ROWS_MAX`].
    #[error(
        "a batch has at most {BATCH_ROWS_MAX} rows and {BATCH_BYTES_MAX} bytes, this one has {rows} rows and {bytes} bytes"
    )]
    Batch {
        /// Its keys, values and log together.
        bytes: usize,
        /// Its puts and deletes.
        rows: usize,
    },
}

/// What an engine can fail with. Cheap to clone: one failed flush answers many waiting commits.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum EngineError {
    /// The batch breaks a bound; nothing was done.
    #[error(transparent)]
    TooLarge(#[from] TooLarge),
    /// Nobody knows whether this commit was applied. Send the same one (same id, same expected version) again, now or after
    /// a restart: the answer says which.
    #[error("it is not known whether the commit was stored: {0}")]
    Unknown(Arc<str>),
    /// An earlier write failed, so the engine takes no more until it is opened again. This call did nothing; what became of
    /// the same commit if it was sent before stays unknown until then. Reads go on.
    #[error("the store takes no more changes until it is restarted, because a write failed: {0}")]
    Broken(Arc<str>),
    /// The engine is at an older version than the reader has already seen.
    #[error("the account is at version {have}, version {wanted} was asked for")]
    Behind {
        /// The engine's version.
        have: Version,
        /// What the reader asked for.
        wanted: Version,
    },
    /// What is stored cannot be read.
    #[error("the store cannot be read: {0}")]
    Unreadable(Arc<str>),
}

/// Accounts as versioned ordered maps. See the module's text.
///
/// All methods may be called from any thread. Futures may be dropped at any time; a dropped `commit` is an unknown outcome.
pub trait Engine: Send + Sync + 'static {
    /// Applies `batch` if `account` is at `expected`, atomically and durably, and makes it version `expected + 1`.
    ///
    /// # Errors
    /// [`EngineError::TooLarge`], [`EngineError::Broken`] (nothing was done) or [`EngineError::Unknown`] (send it again).
    fn commit<'a>(
        &'a self,
        account: &'a AccountKey,
        expected: Version,
        id: CommitId,
        batch: Batch,
    ) -> Pending<'a, Result<Outcome, EngineError>>;

    /// The values of `keys`, in their order, `None` where there is none: all of one snapshot, whose version comes with them.
    ///
    /// # Errors
    /// [`EngineError::Behind`] if that version were below `at_least`, [`EngineError::Unreadable`].
    fn get<'a>(
        &'a self,
        account: &'a AccountKey,
        keys: &'a [Bytes],
        at_least: Version,
    ) -> Pending<'a, Reading<Vec<Option<Bytes>>>>;

    /// The rows of each of `scans`, in their order: all of one snapshot, whose version comes with them.
    ///
    /// # Errors
    /// As [`Engine::get`].
    fn read_many<'a>(
        &'a self,
        account: &'a AccountKey,
        scans: &'a [Scan],
        at_least: Version,
    ) -> Pending<'a, Reading<Vec<Vec<Row>>>>;

    /// The rows of one scan, and the version of the snapshot they are of.
    ///
    /// # Errors
    /// As [`Engine::get`].
    fn read<'a>(
        &'a self,
        account: &'a AccountKey,
        scan: Scan,
        at_least: Version,
    ) -> Pending<'a, Reading<Vec<Row>>> {
        Box::pin(async move {
            let (version, mut found) = self
                .read_many(account, std::slice::from_ref(&scan), at_least)
                .await?;
            Ok((version, found.pop().unwrap_or_default()))
        })
    }

    /// Commits behind version `since`, at most `limit`, oldest first.
    ///
    /// # Errors
    /// [`EngineError::Unreadable`].
    fn log<'a>(
        &'a self,
        account: &'a AccountKey,
        since: Version,
        limit: usize,
    ) -> Pending<'a, Result<Log, EngineError>>;

    /// A receiver of the account's newest version, which is its value from the start. Versions may be skipped and a hint
    /// may be lost between nodes; what is announced is durable.
    fn watch(&self, account: &AccountKey) -> watch::Receiver<Version>;

    /// Accounts behind `after` in the order of their keys, at most `limit`, with their versions.
    ///
    /// # Errors
    /// [`EngineError::Unreadable`].
    fn accounts<'a>(
        &'a self,
        after: Option<&'a AccountKey>,
        limit: usize,
    ) -> Pending<'a, Result<Vec<(AccountKey, Version)>, EngineError>>;

    /// Removes log entries that are neither among the newest [`LOG_KEPT_VERSIONS`] nor younger than [`LOG_KEPT_MS`] at
    /// `now_ms`, Unix milliseconds; a bounded number each time. The version stays.
    ///
    /// # Errors
    /// [`EngineError::Broken`] or [`EngineError::Unreadable`]; it may then be called again.
    fn trim<'a>(
        &'a self,
        account: &'a AccountKey,
        now_ms: u64,
    ) -> Pending<'a, Result<Trimmed, EngineError>>;

    /// Reads every row and log entry and holds them against the accounts' versions. Takes as long as it takes.
    ///
    /// # Errors
    /// [`EngineError::Unreadable`] if it cannot even be begun; what is wrong with single rows is in the report.
    fn check(&self, progress: RowProgress) -> Pending<'_, Result<CheckedRows, EngineError>>;
}

/// Whether the log entry that made `version` may go.
pub(crate) fn outlived(version: Version, at_ms: u64, head: Version, now_ms: u64) -> bool {
    version.saturating_add(LOG_KEPT_VERSIONS) <= head && at_ms.saturating_add(LOG_KEPT_MS) <= now_ms
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_ends_where_the_next_begins() {
        assert_eq!(after_prefix(b"ab").as_deref(), Some(&b"ac"[..]));
        assert_eq!(after_prefix(b"a\xff").as_deref(), Some(&b"b"[..]));
        assert_eq!(after_prefix(b"\xff\xff"), None);
        assert_eq!(after_prefix(b""), None);
    }

    #[test]
    fn replacing_the_log_counts_its_bytes_once() {
        let mut batch = Batch::new(0);
        batch.log(vec![0; 100]).log(vec![0; 10]).delete("k");
        assert_eq!(batch.bytes(), 11);
    }
}
