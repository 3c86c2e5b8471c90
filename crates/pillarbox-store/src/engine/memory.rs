//! The engine in memory: the oracle the others are tested against, and a fresh store for transcripts.
//!
//! It is written to be seen right, not to be fast or to survive the process.

use std::{
    collections::BTreeMap,
    ops::Bound,
    sync::{Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use tokio::sync::watch;

use super::{
    AccountKey, Batch, CheckedRows, CommitId, Engine, EngineError, Log, LogEntry, Outcome, Pending,
    Reading, Row, RowProgress, Scan, Trimmed, Version, outlived,
};

/// All accounts in one process's memory.
#[derive(Default)]
pub struct MemoryEngine {
    accounts: Mutex<BTreeMap<AccountKey, Account>>,
}

struct Account {
    rows: BTreeMap<Bytes, Bytes>,
    /// `log[i]` made version `floor + 1 + i`, so the log's end is the head.
    log: Vec<LogEntry>,
    floor: Version,
    head: watch::Sender<Version>,
}

impl Default for Account {
    fn default() -> Self {
        Self {
            rows: BTreeMap::new(),
            log: Vec::new(),
            floor: 0,
            head: watch::Sender::new(0),
        }
    }
}

impl Account {
    fn version(&self) -> Version {
        self.floor + self.log.len() as u64
    }

    fn logged(&self, since: Version) -> Option<&[LogEntry]> {
        let skip = usize::try_from(since.checked_sub(self.floor)?).ok()?;
        Some(self.log.get(skip..).unwrap_or_default())
    }

    fn commit(&mut self, expected: Version, id: CommitId, batch: Batch) -> Outcome {
        let version = self.version();
        if version != expected {
            let taken = self.logged(expected).and_then(<[_]>::first);
            return match taken {
                Some(entry) if entry.id == id => Outcome::AlreadyCommitted(entry.version),
                _ => Outcome::Conflict(version),
            };
        }
        for (key, value) in batch.rows {
            match value {
                Some(value) => self.rows.insert(key, value),
                None => self.rows.remove(&key),
            };
        }
        self.log.push(LogEntry {
            version: version + 1,
            id,
            at_ms: batch.at_ms,
            changes: batch.log,
        });
        self.head.send_replace(version + 1);
        Outcome::Committed(version + 1)
    }

    fn scan(&self, scan: &Scan) -> Vec<Row> {
        if scan.is_empty() {
            return Vec::new();
        }
        let end = match &scan.end {
            Some(end) => Bound::Excluded(end),
            None => Bound::Unbounded,
        };
        let rows = self
            .rows
            .range::<Bytes, _>((Bound::Included(&scan.start), end));
        let row = |(key, value): (&Bytes, &Bytes)| Row {
            key: key.clone(),
            value: value.clone(),
        };
        if scan.reverse {
            rows.rev().take(scan.limit).map(row).collect()
        } else {
            rows.take(scan.limit).map(row).collect()
        }
    }
}

impl MemoryEngine {
    /// An engine without accounts.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<AccountKey, Account>> {
        self.accounts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs `look` on the account, an empty one if there is none, once it is known to be new enough.
    fn look<T>(
        &self,
        account: &AccountKey,
        at_least: Version,
        look: impl FnOnce(&Account) -> T,
    ) -> Result<(Version, T), EngineError> {
        let accounts = self.lock();
        let none = Account::default();
        let account = accounts.get(account).unwrap_or(&none);
        let have = account.version();
        if have < at_least {
            return Err(EngineError::Behind {
                have,
                wanted: at_least,
            });
        }
        Ok((have, look(account)))
    }
}

impl Engine for MemoryEngine {
    fn commit<'a>(
        &'a self,
        account: &'a AccountKey,
        expected: Version,
        id: CommitId,
        batch: Batch,
    ) -> Pending<'a, Result<Outcome, EngineError>> {
        Box::pin(async move {
            batch.check()?;
            let mut accounts = self.lock();
            let account = accounts.entry(account.clone()).or_default();
            Ok(account.commit(expected, id, batch))
        })
    }

    fn get<'a>(
        &'a self,
        account: &'a AccountKey,
        keys: &'a [Bytes],
        at_least: Version,
    ) -> Pending<'a, Reading<Vec<Option<Bytes>>>> {
        Box::pin(async move {
            self.look(account, at_least, |account| {
                keys.iter()
                    .map(|key| account.rows.get(key).cloned())
                    .collect()
            })
        })
    }

    fn read_many<'a>(
        &'a self,
        account: &'a AccountKey,
        scans: &'a [Scan],
        at_least: Version,
    ) -> Pending<'a, Reading<Vec<Vec<Row>>>> {
        Box::pin(async move {
            self.look(account, at_least, |account| {
                scans.iter().map(|scan| account.scan(scan)).collect()
            })
        })
    }

    fn log<'a>(
        &'a self,
        account: &'a AccountKey,
        since: Version,
        limit: usize,
    ) -> Pending<'a, Result<Log, EngineError>> {
        Box::pin(async move {
            let (_, log) = self.look(account, 0, |account| match account.logged(since) {
                Some(entries) => Log::Entries(entries.iter().take(limit).cloned().collect()),
                None => Log::TooOld(account.floor),
            })?;
            Ok(log)
        })
    }

    fn watch(&self, account: &AccountKey) -> watch::Receiver<Version> {
        self.lock()
            .entry(account.clone())
            .or_default()
            .head
            .subscribe()
    }

    fn accounts<'a>(
        &'a self,
        after: Option<&'a AccountKey>,
        limit: usize,
    ) -> Pending<'a, Result<Vec<(AccountKey, Version)>, EngineError>> {
        Box::pin(async move {
            let start = after.map_or(Bound::Unbounded, Bound::Excluded);
            let accounts = self.lock();
            Ok(accounts
                .range((start, Bound::Unbounded))
                .map(|(key, account)| (key.clone(), account.version()))
                .filter(|(_, version)| *version > 0)
                .take(limit)
                .collect())
        })
    }

    fn trim<'a>(
        &'a self,
        account: &'a AccountKey,
        now_ms: u64,
    ) -> Pending<'a, Result<Trimmed, EngineError>> {
        Box::pin(async move {
            let mut accounts = self.lock();
            let Some(account) = accounts.get_mut(account) else {
                return Ok(Trimmed {
                    floor: 0,
                    more: false,
                });
            };
            let head = account.version();
            let gone = account
                .log
                .iter()
                .take_while(|entry| outlived(entry.version, entry.at_ms, head, now_ms))
                .count();
            account.log.drain(..gone);
            account.floor += gone as u64;
            Ok(Trimmed {
                floor: account.floor,
                more: false,
            })
        })
    }
    fn check(&self, mut progress: RowProgress) -> Pending<'_, Result<CheckedRows, EngineError>> {
        Box::pin(async move {
            let mut found = CheckedRows::default();
            for account in self.lock().values().filter(|one| one.version() > 0) {
                found.accounts += 1;
                found.rows += account.rows.len() as u64;
                found.log_entries += account.log.len() as u64;
            }
            progress(found.accounts + found.rows + found.log_entries);
            Ok(found)
        })
    }
}
