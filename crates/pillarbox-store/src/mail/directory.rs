//! Addresses and the accounts they lead to.
//!
//! The directory is 64 accounts of its own, `dir/00` to `dir/3f`, an address in the one its digest names. An account's id is
//! random, so that its address can change. Nothing spans two accounts, so making one is two commits, the address first:
//! whoever makes it again after a crash between them finds the id and completes it.

use std::sync::Arc;

use bytes::Bytes;

use super::{
    Account, AccountId, Change, Millis, Naming, Store, StoreError, codec::Listing, head::Head,
    keys, txn::Txn, unavailable,
};
use crate::engine::Scan;

type Result<T> = std::result::Result<T, StoreError>;

/// Shards of the directory.
const SHARDS: u8 = 64;
/// Octets of an address (RFC 5321 §4.5.3.1: 64 + 1 + 255).
const ADDRESS_BYTES_MAX: usize = 320;
/// Addresses of one account.
const ADDRESSES_MAX: usize = 1_000;
/// Rows removed in one piece of removing an account.
const WIPE_ROWS: usize = 1_500;

impl Store {
    /// Makes an account with its system mailboxes. If an earlier call was interrupted by a crash, this one completes it.
    ///
    /// # Errors
    /// [`StoreError::AccountExists`], also if the address is an alias; [`StoreError::BadAddress`].
    pub async fn create_account(
        &self,
        address: &str,
        naming: Naming,
        now: Millis,
    ) -> Result<AccountId> {
        self.house.hear(now);
        let address = whole(address)?;
        let id = self.claim(address.clone(), self.random_id()).await?;
        let account = self.account(&id);
        account
            .shared
            .run(move |txn| {
                let address = address.clone();
                Box::pin(async move {
                    if txn.has_head() {
                        return Err(StoreError::AccountExists);
                    }
                    let mut head = Head::new(&address, naming, now);
                    for record in Arc::make_mut(&mut head.mailboxes).values_mut() {
                        Arc::make_mut(record).mailbox.highest_modseq = txn.next();
                    }
                    txn.set_head(Some(head));
                    txn.log(Change::Other);
                    Ok(())
                })
            })
            .await?;
        Ok(id)
    }

    /// Makes an address lead to `id`, or answers the id it leads to already.
    async fn claim(&self, address: Arc<str>, id: AccountId) -> Result<AccountId> {
        let shard = self.shard(&address);
        let (_, id) = shard
            .shared
            .run(move |txn| {
                let (address, id) = (address.clone(), id.clone());
                Box::pin(async move {
                    let key = keys::directory(&address);
                    if let Some(row) = txn.get(&key).await? {
                        let listing = Listing::decode(&row)?;
                        return match listing.alias {
                            true => Err(StoreError::AccountExists),
                            false => Ok(AccountId(listing.account)),
                        };
                    }
                    let listing = Listing {
                        account: id.0.clone(),
                        alias: false,
                    };
                    txn.put(key, listing.encode());
                    Ok(id)
                })
            })
            .await?;
        Ok(id)
    }

    fn random_id(&self) -> AccountId {
        let mut bytes = [0; 16];
        (self.house.random)(&mut bytes);
        AccountId(format!("{:032x}", u128::from_be_bytes(bytes)).into())
    }

    fn shard(&self, address: &str) -> Account {
        let digest = blake3::hash(address.as_bytes());
        self.account(&shard_id(digest.as_bytes()[0] % SHARDS))
    }

    /// The account of an address or alias, compared without case.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], [`StoreError::Corrupt`].
    pub async fn account_of(&self, address: &str) -> Result<Option<AccountId>> {
        let Ok(address) = checked(address) else {
            return Ok(None);
        };
        let listing = self.listing(&address).await?;
        Ok(listing.map(|listing| AccountId(listing.account)))
    }

    pub(super) async fn listing(&self, address: &str) -> Result<Option<Listing>> {
        let shard = self.shard(address);
        let keys = [keys::directory(address)];
        let found = self.house.engine.get(shard.shared.key()?, &keys, 0).await;
        let (_, mut values) = found.map_err(unavailable)?;
        let value = values.pop().flatten();
        value.as_deref().map(Listing::decode).transpose()
    }

    /// Makes `address` lead to an account that exists.
    ///
    /// # Errors
    /// [`StoreError::AccountExists`] if it leads to another one, [`StoreError::NoSuchAccount`], [`StoreError::BadAddress`],
    /// [`StoreError::TooMany`].
    pub async fn add_alias(&self, address: &str, of: &AccountId) -> Result<()> {
        let address = whole(address)?;
        if let Some(listing) = self.listing(&address).await?
            && listing.account != of.0
        {
            return Err(StoreError::AccountExists);
        }
        // The account first: it knows at its removal what may lead to it.
        let row = keys::address(&address);
        self.account(of)
            .shared
            .run(move |txn| {
                let row = row.clone();
                Box::pin(async move {
                    if *row == *keys::address(&txn.head()?.address) {
                        return Ok(());
                    }
                    let all = Scan::prefix(keys::one(keys::ADDRESS)).limit(ADDRESSES_MAX);
                    if txn.scan(all).await?.len() == ADDRESSES_MAX {
                        return Err(StoreError::TooMany("addresses"));
                    }
                    txn.put(row, Bytes::from_static(&[1]));
                    txn.log(Change::Other);
                    Ok(())
                })
            })
            .await?;
        let of = of.0.clone();
        self.shard(&address.clone())
            .shared
            .run(move |txn| {
                let (key, account) = (keys::directory(&address), of.clone());
                Box::pin(async move {
                    match txn.get(&key).await? {
                        Some(row) if Listing::decode(&row)?.account == account => Ok(()),
                        Some(_) => Err(StoreError::AccountExists),
                        None => {
                            let alias = true;
                            txn.put(key, Listing { account, alias }.encode());
                            Ok(())
                        }
                    }
                })
            })
            .await?;
        Ok(())
    }

    /// Removes an account, its addresses and all it holds. From its first commit on the account does not exist for anyone;
    /// [`Store::purge`] completes what a crash interrupts.
    ///
    /// # Errors
    /// [`StoreError::NoSuchAccount`].
    pub async fn remove_account(&self, id: &AccountId) -> Result<()> {
        let account = self.account(id);
        account
            .shared
            .run(|txn| {
                Box::pin(async move {
                    txn.head_mut()?.numbers.removed = true;
                    txn.log(Change::Other);
                    Ok(())
                })
            })
            .await?;
        while account.shared.run(|txn| Box::pin(wipe(txn))).await?.1 {}
        let addresses = Scan::prefix(keys::one(keys::ADDRESS));
        let key = account.shared.key()?;
        let (_, rows) = self
            .house
            .engine
            .read(key, addresses, 0)
            .await
            .map_err(unavailable)?;
        for row in rows {
            let address = std::str::from_utf8(&row.key[1..]);
            let address = address.map_err(|_| StoreError::Corrupt("address"))?;
            self.unlist(address, id).await?;
        }
        account.shared.run(|txn| Box::pin(forget(txn))).await?;
        Ok(())
    }

    async fn unlist(&self, address: &str, id: &AccountId) -> Result<()> {
        let (key, id) = (keys::directory(address), id.0.clone());
        self.shard(address)
            .shared
            .run(move |txn| {
                let (key, id) = (key.clone(), id.clone());
                Box::pin(async move {
                    if let Some(row) = txn.get(&key).await?
                        && Listing::decode(&row)?.account == id
                    {
                        txn.delete(key);
                    }
                    Ok(())
                })
            })
            .await?;
        Ok(())
    }

    /// Accounts by their primary address, behind `after`, at most `limit`.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], [`StoreError::Corrupt`].
    pub async fn accounts(
        &self,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<(String, AccountId)>> {
        let mut found = Vec::new();
        for shard in 0..SHARDS {
            found.extend(self.shard_accounts(shard, after, limit).await?);
        }
        found.sort_unstable();
        found.truncate(limit);
        Ok(found)
    }

    async fn shard_accounts(
        &self,
        shard: u8,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<(String, AccountId)>> {
        let shard = self.account(&shard_id(shard));
        let mut scan = Scan::prefix(keys::one(keys::DIRECTORY)).limit(limit);
        if let Some(after) = after {
            scan = scan.after(&keys::directory(after));
        }
        let mut found = Vec::new();
        while found.len() < limit {
            let engine = &self.house.engine;
            let rows = engine.read(shard.shared.key()?, scan.clone(), 0).await;
            let (_, rows) = rows.map_err(unavailable)?;
            for row in &rows {
                let listing = Listing::decode(&row.value)?;
                if !listing.alias {
                    let address = std::str::from_utf8(&row.key[1..]);
                    let address = address.map_err(|_| StoreError::Corrupt("directory"))?;
                    found.push((address.to_owned(), AccountId(listing.account)));
                }
            }
            match rows.last() {
                Some(last) if rows.len() == limit => scan = scan.after(&last.key),
                _ => break,
            }
        }
        Ok(found)
    }
}

fn shard_id(shard: u8) -> AccountId {
    AccountId(format!("dir/{shard:02x}").into())
}

/// An address in lower case, if it can be one at all: what may stand in it beyond this is for others to say.
fn checked(address: &str) -> Result<Arc<str>> {
    let bad = |c: char| c.is_control() || c.is_whitespace();
    if address.is_empty() || address.len() > ADDRESS_BYTES_MAX || address.chars().any(bad) {
        return Err(StoreError::BadAddress);
    }
    Ok(address.to_lowercase().into())
}

/// The same of one that is to lead somewhere from now on: mail finds it by its domain, so it needs one, and a name.
fn whole(address: &str) -> Result<Arc<str>> {
    match address.rsplit_once('@') {
        Some((name, domain)) if !name.is_empty() && !domain.is_empty() => checked(address),
        _ => Err(StoreError::BadAddress),
    }
}

/// Removes some of a removed account's rows; whether there are more. Its head and addresses stay to the last.
async fn wipe(txn: &mut Txn) -> Result<bool> {
    let settings = Scan::prefix(keys::one(keys::SETTINGS));
    let rest = Scan::range(keys::one(keys::KEYWORD), keys::one(0xff)).limit(WIPE_ROWS);
    let mut rows = txn.scan(settings).await?;
    rows.extend(txn.scan(rest).await?);
    let more = rows.len() >= WIPE_ROWS;
    for (key, _) in rows {
        txn.delete(key);
    }
    Ok(more)
}

async fn forget(txn: &mut Txn) -> Result<()> {
    for (key, _) in txn.scan(Scan::prefix(keys::one(keys::ADDRESS))).await? {
        txn.delete(key);
    }
    txn.delete(keys::one(keys::HEAD));
    txn.set_head(None);
    Ok(())
}
