//! Rows of other floors (credentials, grants, clients, keys, queue) in the same accounts: a key space of their own.
//!
//! What the rows mean is not known here. Their keys' first byte says whose they are; that is agreed between those floors.

use std::{collections::BTreeMap, ops::Bound, sync::Arc};

use bytes::Bytes;

use super::{Account, Change, StoreError, keys, txn::Txn, unavailable};
use crate::engine::{KEY_BYTES_MAX, Scan, VALUE_BYTES_MAX};

/// Rows one update may read.
const UPDATE_ROWS_MAX: usize = 5_000;

/// The rows of other floors as an update reads and writes them.
pub struct Rows {
    rows: BTreeMap<Bytes, Bytes>,
    changes: BTreeMap<Bytes, Option<Bytes>>,
}

impl Rows {
    /// The value at `key`, this update's own changes included. The key must begin with one of the prefixes asked for;
    /// others read as absent.
    #[must_use]
    pub fn get(&self, key: &[u8]) -> Option<Bytes> {
        self.rows.get(key).cloned()
    }

    /// All rows whose key begins with `prefix`, ascending, this update's own changes included.
    #[must_use]
    pub fn scan(&self, prefix: &[u8]) -> Vec<(Bytes, Bytes)> {
        self.rows
            .range::<[u8], _>((Bound::Included(prefix), Bound::Unbounded))
            .take_while(|(key, _)| key.starts_with(prefix))
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect()
    }

    /// Sets a row; the key need not have been asked for.
    pub fn put(&mut self, key: &[u8], value: impl Into<Bytes>) {
        let (key, value) = (Bytes::copy_from_slice(key), value.into());
        self.changes.insert(key.clone(), Some(value.clone()));
        self.rows.insert(key, value);
    }

    /// Removes a row if it is there.
    pub fn delete(&mut self, key: &[u8]) {
        self.changes.insert(Bytes::copy_from_slice(key), None);
        self.rows.remove(key);
    }
}

impl Account {
    /// One row of another floor.
    ///
    /// # Errors
    /// Only those of every method.
    pub async fn get(&self, key: &[u8]) -> Result<Option<Bytes>, StoreError> {
        let keys = [keys::other(key)];
        let engine = &self.shared.house.engine;
        let found = engine.get(self.shared.key()?, &keys, 0).await;
        let (_, mut values) = found.map_err(unavailable)?;
        Ok(values.pop().flatten())
    }

    /// Rows of another floor whose key begins with `prefix`, ascending, at most `limit`.
    ///
    /// # Errors
    /// Only those of every method.
    pub async fn scan(
        &self,
        prefix: &[u8],
        limit: usize,
    ) -> Result<Vec<(Bytes, Bytes)>, StoreError> {
        let scan = Scan::prefix(keys::other(prefix)).limit(limit);
        let engine = &self.shared.house.engine;
        let found = engine.read(self.shared.key()?, scan, 0).await;
        let (_, rows) = found.map_err(unavailable)?;
        let rows = rows.into_iter().map(|row| (row.key.slice(1..), row.value));
        Ok(rows.collect())
    }

    /// Reads the rows below `prefixes` (a whole key is a prefix too), lets `f` change rows, and commits: atomic. `f` may
    /// run again after a conflict, and must then do the same from the rows it is given. If it fails nothing is changed.
    ///
    /// # Errors
    /// What `f` says; [`StoreError::TooMany`] if more than 5,000 rows lie below the prefixes, or a row is too long;
    /// [`StoreError::NoSuchAccount`] for a person's account that does not exist.
    pub async fn update<T, E>(
        &self,
        prefixes: &[&[u8]],
        f: impl FnMut(&mut Rows) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let prefixes: Arc<[Bytes]> = prefixes.iter().map(|prefix| keys::other(prefix)).collect();
        let f = Arc::new(std::sync::Mutex::new(f));
        let is_person = !self.shared.id.0.contains('/');
        let ran = self
            .shared
            .run(move |txn| {
                let (prefixes, f) = (prefixes.clone(), f.clone());
                Box::pin(async move {
                    if is_person || txn.has_head() {
                        txn.head()?;
                    }
                    let mut rows = read(txn, &prefixes).await?;
                    let done = {
                        let mut f = f
                            .lock()
                            .map_err(|_| StoreError::Unavailable("an update failed".into()))?;
                        (*f)(&mut rows)
                    };
                    if done.is_ok() {
                        write(txn, rows.changes)?;
                    }
                    Ok(done)
                })
            })
            .await;
        ran.map_err(E::from)?.1
    }
}

async fn read(txn: &mut Txn, prefixes: &[Bytes]) -> Result<Rows, StoreError> {
    let mut rows = BTreeMap::new();
    for prefix in prefixes {
        let scan = Scan::prefix(prefix.clone()).limit(UPDATE_ROWS_MAX + 1);
        for (key, value) in txn.scan(scan).await? {
            rows.insert(key.slice(1..), value);
        }
    }
    if rows.len() > UPDATE_ROWS_MAX {
        return Err(StoreError::TooMany("rows in one update"));
    }
    Ok(Rows {
        rows,
        changes: BTreeMap::new(),
    })
}

fn write(txn: &mut Txn, changes: BTreeMap<Bytes, Option<Bytes>>) -> Result<(), StoreError> {
    if changes.is_empty() {
        return Ok(());
    }
    for (key, value) in changes {
        let bytes = value.as_ref().map_or(0, Bytes::len);
        if key.len() >= KEY_BYTES_MAX || bytes > VALUE_BYTES_MAX {
            return Err(StoreError::TooMany("octets in one row"));
        }
        match value {
            Some(value) => txn.put(keys::other(&key), value),
            None => txn.delete(keys::other(&key)),
        }
    }
    txn.log(Change::Other);
    Ok(())
}
