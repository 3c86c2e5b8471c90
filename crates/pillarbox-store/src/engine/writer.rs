//! The embedded engine's writer: it drains the queue without waiting, decides every commit in order, writes the whole group
//! as one flushed batch, and only then answers.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, OnceLock,
        mpsc::{Receiver, TryRecvError},
    },
    thread,
    time::Duration,
};

use bytes::Bytes;
use fjall::{PersistMode, Readable};
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use super::{
    AccountKey, Batch, CommitId, EngineError, Outcome, Trimmed, Version,
    embedded::{Head, Table, Tables, inside, log_entry, log_row, reading},
    outlived,
    watchers::Watchers,
};
use crate::{
    door::{Deed, Door},
    recent::Recent,
};

/// Most jobs of one group. Measured.
const GROUP_JOBS_MAX: usize = 512;
/// Bytes after which a group takes no further job. Measured.
const GROUP_BYTES_MAX: usize = 32 * 1024 * 1024;
/// Heads kept in memory, in each of two generations: a few megabytes.
const HEADS_KEPT: usize = 16 * 1024;
/// Log entries one trim removes at most, so that it does not hold up a group.
const TRIM_MAX: usize = 2_000;
/// Tables in memory that may wait to be written before the writer waits too. fjall would wait at one more, for ever.
const SEALED_MAX: usize = 3;
/// How long the writer waits for them before it takes the disk for stuck: far longer than any healthy one needs.
const SEALED_WAIT: Duration = Duration::from_secs(60);
/// How often it looks.
const SEALED_LOOK: Duration = Duration::from_millis(5);

type Answer<T> = oneshot::Sender<Result<T, EngineError>>;

/// Called on the writer's thread when rows are durable, or never will be.
pub(crate) type Done = Box<dyn FnOnce(Result<(), EngineError>) + Send>;

/// What the writer can be asked for.
pub(crate) enum Job {
    Commit {
        account: AccountKey,
        expected: Version,
        id: CommitId,
        batch: Batch,
        answer: Answer<Outcome>,
        _room: OwnedSemaphorePermit,
    },
    Trim {
        account: AccountKey,
        now_ms: u64,
        answer: Answer<Trimmed>,
    },
    /// Rows of the blobs' table.
    Blobs {
        rows: Vec<(Bytes, Option<Bytes>)>,
        done: Done,
    },
}

impl Job {
    fn bytes(&self) -> usize {
        match self {
            Self::Commit { batch, .. } => batch.bytes(),
            Self::Trim { .. } => 0,
            Self::Blobs { rows, .. } => rows.len() * 64,
        }
    }

    fn refuse(self, error: EngineError) {
        // Whoever no longer waits has dropped the receiver; that is his right.
        match self {
            Self::Commit { answer, .. } => drop(answer.send(Err(error))),
            Self::Trim { answer, .. } => drop(answer.send(Err(error))),
            Self::Blobs { done, .. } => done(Err(error)),
        }
    }
}

/// An answer that is known and waits for the flush.
enum Decided {
    Commit(Answer<Outcome>, Outcome),
    Trim(Answer<Trimmed>, Trimmed),
    Blobs(Done),
}

impl Decided {
    fn tell(self, flushed: Result<(), EngineError>) {
        match self {
            Self::Commit(answer, outcome) => drop(answer.send(flushed.map(|()| outcome))),
            Self::Trim(answer, trimmed) => drop(answer.send(flushed.map(|()| trimmed))),
            Self::Blobs(done) => done(flushed),
        }
    }
}

/// One group on its way: what it will write, and whom it will answer.
#[derive(Default)]
struct Group {
    /// A key once only, with its last value: a batch that held one key twice would depend on fjall's order of equals.
    changes: BTreeMap<(Table, Bytes), Option<Bytes>>,
    decided: Vec<Decided>,
    news: BTreeMap<AccountKey, Version>,
}

pub(crate) struct Writer {
    tables: Arc<Tables>,
    watchers: Arc<Watchers>,
    broken: Arc<OnceLock<Arc<str>>>,
    door: Door,
    heads: Recent<AccountKey, Head>,
}

impl Writer {
    pub(crate) fn new(
        tables: Arc<Tables>,
        watchers: Arc<Watchers>,
        broken: Arc<OnceLock<Arc<str>>>,
        door: Door,
    ) -> Self {
        Self {
            tables,
            watchers,
            broken,
            door,
            heads: Recent::new(HEADS_KEPT),
        }
    }

    /// Works until the last sender is gone.
    pub(crate) fn run(mut self, jobs: &Receiver<Job>) {
        while let Ok(first) = jobs.recv() {
            let mut waiting = vec![first];
            let mut bytes = waiting[0].bytes();
            while waiting.len() < GROUP_JOBS_MAX && bytes < GROUP_BYTES_MAX {
                match jobs.try_recv() {
                    Ok(job) => {
                        bytes += job.bytes();
                        waiting.push(job);
                    }
                    Err(TryRecvError::Empty | TryRecvError::Disconnected) => break,
                }
            }
            self.write(waiting);
        }
    }

    fn write(&mut self, jobs: Vec<Job>) {
        if let Some(cause) = self.broken.get() {
            for job in jobs {
                job.refuse(EngineError::Broken(Arc::clone(cause)));
            }
            return;
        }
        let mut group = Group::default();
        for job in jobs {
            self.decide(job, &mut group);
        }
        match self.flush(std::mem::take(&mut group.changes)) {
            Ok(()) => {
                for (account, version) in &group.news {
                    self.watchers.announce(account, *version);
                }
                for decided in group.decided {
                    decided.tell(Ok(()));
                }
            }
            Err(cause) => {
                tracing::error!(%cause, "rows cannot be written: no more changes until a restart");
                let cause: Arc<str> = cause.into();
                let _ = self.broken.set(Arc::clone(&cause));
                for decided in group.decided {
                    decided.tell(Err(EngineError::Unknown(Arc::clone(&cause))));
                }
            }
        }
    }

    fn decide(&mut self, job: Job, group: &mut Group) {
        match job {
            Job::Commit {
                account,
                expected,
                id,
                batch,
                answer,
                _room,
            } => match self.commit(account, expected, id, batch, group) {
                Ok(outcome) => group.decided.push(Decided::Commit(answer, outcome)),
                Err(error) => drop(answer.send(Err(error))),
            },
            Job::Trim {
                account,
                now_ms,
                answer,
            } => match self.trim(account, now_ms, group) {
                Ok(trimmed) => group.decided.push(Decided::Trim(answer, trimmed)),
                Err(error) => drop(answer.send(Err(error))),
            },
            Job::Blobs { rows, done } => {
                for (key, value) in rows {
                    group.changes.insert((Table::Blobs, key), value);
                }
                group.decided.push(Decided::Blobs(done));
            }
        }
    }

    fn commit(
        &mut self,
        account: AccountKey,
        expected: Version,
        id: CommitId,
        batch: Batch,
        group: &mut Group,
    ) -> Result<Outcome, EngineError> {
        let head = self.head(&account)?;
        if head.version != expected {
            let again = expected < head.version
                && self.committed_as(&account, expected + 1, group)? == Some(id);
            return Ok(if again {
                Outcome::AlreadyCommitted(expected + 1)
            } else {
                Outcome::Conflict(head.version)
            });
        }
        let version = expected + 1;
        for (key, value) in batch.rows {
            let row = (Table::Rows, inside(&account, &key));
            group.changes.insert(row, value);
        }
        let logged = (Table::Log, inside(&account, &version.to_be_bytes()));
        let entry = log_row(id, batch.at_ms, &batch.log);
        group.changes.insert(logged, Some(entry));
        self.set_head(account.clone(), Head { version, ..head }, group);
        group.news.insert(account, version);
        Ok(Outcome::Committed(version))
    }

    fn trim(
        &mut self,
        account: AccountKey,
        now_ms: u64,
        group: &mut Group,
    ) -> Result<Trimmed, EngineError> {
        let head = self.head(&account)?;
        let mut floor = head.floor;
        let start = inside(&account, &(floor + 1).to_be_bytes());
        let end = inside(&account, &(head.version + 1).to_be_bytes());
        let at = self.tables.db.snapshot();
        let mut removed = 0;
        for guard in at.range(self.tables.of(Table::Log), start..end) {
            let (key, row) = guard.into_inner().map_err(reading)?;
            let entry = log_entry(floor + 1, row.into())?;
            let may_go = outlived(entry.version, entry.at_ms, head.version, now_ms);
            if !may_go || removed == TRIM_MAX {
                break;
            }
            group.changes.insert((Table::Log, key.into()), None);
            floor += 1;
            removed += 1;
        }
        if removed > 0 {
            self.set_head(account, Head { floor, ..head }, group);
        }
        Ok(Trimmed {
            floor,
            more: removed == TRIM_MAX,
        })
    }

    /// The head the account will have once the group is written. The cache runs ahead of the disk within a group; if the
    /// flush fails nobody asks it again.
    fn head(&mut self, account: &AccountKey) -> Result<Head, EngineError> {
        if let Some(head) = self.heads.get(account) {
            return Ok(*head);
        }
        let head = Head::read(&self.tables, &self.tables.db.snapshot(), account)?;
        self.heads.insert(account.clone(), head);
        Ok(head)
    }

    fn set_head(&mut self, account: AccountKey, head: Head, group: &mut Group) {
        let key = Bytes::copy_from_slice(account.as_bytes());
        group
            .changes
            .insert((Table::Heads, key), Some(head.to_row()));
        self.heads.insert(account, head);
    }

    /// The id of the commit that made `version`, if the log still knows.
    fn committed_as(
        &self,
        account: &AccountKey,
        version: Version,
        group: &Group,
    ) -> Result<Option<CommitId>, EngineError> {
        let key = (Table::Log, inside(account, &version.to_be_bytes()));
        let row = match group.changes.get(&key) {
            Some(row) => row.clone(),
            None => {
                let row = self.tables.of(Table::Log).get(&key.1).map_err(reading)?;
                row.map(Bytes::from)
            }
        };
        row.map(|row| Ok(log_entry(version, row)?.id)).transpose()
    }

    fn flush(&self, changes: BTreeMap<(Table, Bytes), Option<Bytes>>) -> Result<(), String> {
        if changes.is_empty() {
            return Ok(());
        }
        self.wait_for_tables()?;
        self.door
            .pass(Deed::CommitRows)
            .map_err(|cause| cause.to_string())?;
        // The default durability would not flush.
        let mut batch = self
            .tables
            .db
            .batch()
            .durability(Some(PersistMode::SyncData));
        for ((table, key), value) in changes {
            let keyspace = self.tables.of(table);
            match value {
                Some(value) => batch.insert(keyspace, key, value),
                None => batch.remove(keyspace, key),
            }
        }
        batch.commit().map_err(|cause| cause.to_string())
    }

    /// Waits while fjall lags behind with writing its tables, and gives up when it seems to have stopped: its own wait has
    /// no end.
    fn wait_for_tables(&self) -> Result<(), String> {
        let lags = || {
            [Table::Rows, Table::Log, Table::Heads, Table::Blobs]
                .iter()
                .any(|table| self.tables.of(*table).sealed_memtable_count() >= SEALED_MAX)
        };
        let mut waited = Duration::ZERO;
        while lags() {
            if waited >= SEALED_WAIT {
                return Err("the disk does not take the tables that wait for it".into());
            }
            thread::sleep(SEALED_LOOK);
            waited += SEALED_LOOK;
        }
        Ok(())
    }
}
