//! The store as a whole: which accounts there are, and how they are found by address.

use std::sync::Arc;

use super::{Account, AccountId, Millis, Naming, StoreError};
use crate::{
    blob::{BlobId, Blobs},
    engine::Engine,
};

/// Fills a slice with random bytes.
pub type Random = Arc<dyn Fn(&mut [u8]) + Send + Sync>;

/// What [`Store::check`] found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Accounts looked through.
    pub accounts: u64,
    /// Messages, tombstones included.
    pub messages: u64,
    /// One sentence for each thing that is wrong.
    pub problems: Vec<String>,
}

/// All accounts over one engine and one set of blobs. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    blobs: Arc<dyn Blobs>,
    random: Random,
}

impl Store {
    /// Opens the store.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if the engine cannot be read, [`StoreError::Corrupt`] if a newer program wrote it.
    pub async fn open(
        _engine: Arc<dyn Engine>,
        blobs: Arc<dyn Blobs>,
        random: Random,
    ) -> Result<Self, StoreError> {
        Ok(Self { blobs, random })
    }

    /// Where the bodies are.
    #[must_use]
    pub fn blobs(&self) -> &Arc<dyn Blobs> {
        &self.blobs
    }

    /// Fills `bytes` with random bytes.
    pub(super) fn random(&self, bytes: &mut [u8]) {
        (self.random)(bytes);
    }

    /// Tells the store what time it is. Most operations carry their time; those that do not use the latest one heard.
    pub fn hear_time(&self, _now: Millis) {}

    /// Makes an account with its system mailboxes. If an earlier call was interrupted by a crash, this one completes it.
    ///
    /// # Errors
    /// [`StoreError::AccountExists`], also if the address is an alias; [`StoreError::BadName`].
    pub async fn create_account(
        &self,
        _address: &str,
        _naming: Naming,
        _now: Millis,
    ) -> Result<AccountId, StoreError> {
        Err(StoreError::Unavailable("not built yet".into()))
    }

    /// The account of an address or alias, compared without case.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], [`StoreError::Corrupt`].
    pub async fn account_of(&self, _address: &str) -> Result<Option<AccountId>, StoreError> {
        Err(StoreError::Unavailable("not built yet".into()))
    }

    /// Makes `address` lead to an account that exists.
    ///
    /// # Errors
    /// [`StoreError::AccountExists`] if it leads to another one, [`StoreError::NoSuchAccount`].
    pub async fn add_alias(&self, _address: &str, _of: &AccountId) -> Result<(), StoreError> {
        Err(StoreError::Unavailable("not built yet".into()))
    }

    /// Removes an account, its addresses and all it holds; may be called again after a crash.
    ///
    /// # Errors
    /// [`StoreError::NoSuchAccount`].
    pub async fn remove_account(&self, _id: &AccountId) -> Result<(), StoreError> {
        Err(StoreError::Unavailable("not built yet".into()))
    }

    /// Accounts by their primary address, behind `after`, at most `limit`.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], [`StoreError::Corrupt`].
    pub async fn accounts(
        &self,
        _after: Option<&str>,
        _limit: usize,
    ) -> Result<Vec<(String, AccountId)>, StoreError> {
        Err(StoreError::Unavailable("not built yet".into()))
    }

    /// A handle on an account, whether or not it exists. Nothing runs until it is used. An id with a `/` names a system
    /// account: it needs no making and holds only rows of other floors ([`Account::update`]).
    #[must_use]
    pub fn account(&self, id: &AccountId) -> Account {
        Account::stub(id)
    }

    /// Removes what has outlived its grace period at `now`: tombstones of 30 days, dedup rows of 7; and finishes what a
    /// crash interrupted (deleting a mailbox). To be called about daily. Answers how many rows went.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], [`StoreError::Corrupt`].
    pub async fn purge(&self, _now: Millis) -> Result<u64, StoreError> {
        Err(StoreError::Unavailable("not built yet".into()))
    }

    /// Calls `each` for every blob some account refers to, perhaps more than once: what must outlive a compaction.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], [`StoreError::Corrupt`]: then nothing may be collected.
    pub async fn live_blobs(
        &self,
        _each: &mut (dyn FnMut(BlobId) + Send),
    ) -> Result<(), StoreError> {
        Err(StoreError::Unavailable("not built yet".into()))
    }

    /// Verifies every account and every body. `progress` is told accounts done so far, and problems found so far.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if it cannot even be begun; what is wrong is in the report.
    pub async fn check(
        &self,
        _progress: &mut (dyn FnMut(u64, u64) + Send),
    ) -> Result<Report, StoreError> {
        Err(StoreError::Unavailable("not built yet".into()))
    }
}
