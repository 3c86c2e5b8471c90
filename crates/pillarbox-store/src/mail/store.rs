//! The store as a whole: opening it, and handles on its accounts.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, atomic::AtomicI64},
};

use bytes::Bytes;

use super::{
    Account, AccountId, Millis, StoreError, keys, unavailable,
    writer::{House, Shared},
};
use crate::{
    blob::Blobs,
    engine::{AccountKey, Batch, CommitId, Engine},
};

/// Fills a slice with random bytes.
pub type Random = Arc<dyn Fn(&mut [u8]) + Send + Sync>;

/// What this program writes. A store of a higher number is not opened.
const FORMAT: u32 = 1;
/// Accounts kept in memory while nobody holds a handle on them.
const ACCOUNTS_KEPT: usize = 10_000;

/// All accounts over one engine and one set of blobs. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    pub(super) house: Arc<House>,
    accounts: Arc<Mutex<HashMap<AccountId, Arc<Shared>>>>,
}

impl Store {
    /// Opens the store.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if the engine cannot be read or written, or a newer program wrote it.
    pub async fn open(
        engine: Arc<dyn Engine>,
        blobs: Arc<dyn Blobs>,
        random: Random,
    ) -> Result<Self, StoreError> {
        let store = Self {
            house: Arc::new(House {
                engine,
                blobs,
                random,
                clock: AtomicI64::new(0),
            }),
            accounts: Arc::default(),
        };
        store.check_format().await?;
        Ok(store)
    }

    /// Reads the format's number, or writes it into a new store.
    async fn check_format(&self) -> Result<(), StoreError> {
        let house = &self.house;
        let account = AccountKey::new(&b"sys/format"[..])
            .map_err(|why| StoreError::Unavailable(why.to_string()))?;
        let keys = [keys::one(keys::FORMAT)];
        loop {
            let found = house.engine.get(&account, &keys, 0).await;
            let (version, mut values) = found.map_err(unavailable)?;
            if let Some(value) = values.pop().flatten() {
                let number = value.first_chunk().map(|n| u32::from_be_bytes(*n));
                return match number {
                    Some(FORMAT) => Ok(()),
                    Some(newer) => Err(StoreError::Unavailable(format!(
                        "the store has format {newer}, this program knows format {FORMAT}: use a newer Pillarbox"
                    ))),
                    None => Err(StoreError::Corrupt("format of the store")),
                };
            }
            let mut id = [0; 16];
            (house.random)(&mut id);
            let mut batch = Batch::new(0);
            batch.put(
                keys[0].clone(),
                Bytes::copy_from_slice(&FORMAT.to_be_bytes()),
            );
            // Committed or overtaken by another node: either way the next reading tells.
            house
                .engine
                .commit(&account, version, CommitId(id), batch)
                .await
                .map_err(unavailable)?;
        }
    }

    /// Where the bodies are.
    #[must_use]
    pub fn blobs(&self) -> &Arc<dyn Blobs> {
        &self.house.blobs
    }

    /// Fills `bytes` with random bytes.
    pub(super) fn random(&self, bytes: &mut [u8]) {
        (self.house.random)(bytes);
    }

    /// Tells the store what time it is. Most operations carry their time; those that do not use the latest one heard.
    pub fn hear_time(&self, now: Millis) {
        self.house.hear(now);
    }

    /// A handle on an account, whether or not it exists. Nothing runs until it is used. An id with a `/` names a system
    /// account: it needs no making and holds only rows of other floors ([`Account::update`]).
    #[must_use]
    pub fn account(&self, id: &AccountId) -> Account {
        let mut accounts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(shared) = accounts.get(id) {
            return Account {
                shared: shared.clone(),
            };
        }
        if accounts.len() >= ACCOUNTS_KEPT {
            accounts.retain(|_, shared| Arc::strong_count(shared) > 1);
        }
        let shared = Arc::new(Shared::new(id.clone(), self.house.clone()));
        accounts.insert(id.clone(), shared.clone());
        Account { shared }
    }

    /// The people's accounts there are in the engine, behind `after`, also those half made or half removed.
    pub(super) async fn people(
        &self,
        after: Option<&AccountId>,
    ) -> Result<(Vec<AccountId>, Option<AccountId>), StoreError> {
        const STEP: usize = 1_000;
        let after = match after {
            Some(id) => Some(
                AccountKey::new(id.0.as_bytes().to_vec()).map_err(|_| StoreError::NoSuchAccount)?,
            ),
            None => None,
        };
        let found = self.house.engine.accounts(after.as_ref(), STEP).await;
        let found = found.map_err(unavailable)?;
        let mut ids = Vec::with_capacity(found.len());
        for (key, _) in &found {
            let id = std::str::from_utf8(key.as_bytes());
            ids.push(AccountId(
                id.map_err(|_| StoreError::Corrupt("account key"))?.into(),
            ));
        }
        let next = (ids.len() == STEP).then(|| ids.last().cloned()).flatten();
        ids.retain(|id| !id.0.contains('/'));
        Ok((ids, next))
    }
}
