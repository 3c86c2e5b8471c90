//! What goes with time: tombstones, delivery marks, old log entries, and what a crash left half-done; and which bodies must
//! stay.

use std::sync::Arc;

use bytes::Bytes;

use super::{
    Account, AccountId, Millis, Store, StoreError,
    codec::{Delivered, Meta, PlaceRow},
    keys,
    txn::Txn,
    unavailable,
};
use crate::{blob::BlobId, engine::Scan};

type Result<T> = std::result::Result<T, StoreError>;

const DAY: Millis = 24 * 60 * 60 * 1000;
/// How long expunged rows and messages stay: sessions that still see them, and undelete.
const TOMB_GRACE: Millis = 30 * DAY;
/// How long a delivery is remembered: longer than any sender tries.
const DEDUP_GRACE: Millis = 7 * DAY;
/// Rows looked at in one piece.
const STEP: usize = 1_000;

impl Store {
    /// Removes what has outlived its grace period at `now`: tombstones of 30 days, delivery marks of 7, old log entries; and
    /// finishes what a crash interrupted (deleting a mailbox, removing an account). To be called about daily. Answers how
    /// many tombstones and marks went.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], [`StoreError::Corrupt`].
    pub async fn purge(&self, now: Millis) -> Result<u64> {
        self.house.hear(now);
        let mut purged = 0;
        let mut after = None;
        loop {
            let (ids, next) = self.people(after.as_ref()).await?;
            for id in ids {
                purged += self.purge_account(&id, now).await?;
            }
            match next {
                Some(_) => after = next,
                None => return Ok(purged),
            }
        }
    }

    async fn purge_account(&self, id: &AccountId, now: Millis) -> Result<u64> {
        let account = self.account(id);
        let (_, head) = account.shared.reload(0).await?;
        let Some(head) = head else {
            return Ok(0);
        };
        if head.numbers.removed {
            self.remove_account(id).await?;
            return Ok(0);
        }
        for (mailbox, _) in head.mailboxes.iter().filter(|(_, record)| record.gone) {
            account.empty(*mailbox, now).await?;
        }
        let mut purged = 0;
        for kind in [keys::TOMB, keys::MESSAGE, keys::DEDUP] {
            purged += account.purge_rows(kind, now).await?;
        }
        let now_ms = u64::try_from(now).unwrap_or(0);
        let key = account.shared.key()?;
        while self
            .house
            .engine
            .trim(key, now_ms)
            .await
            .map_err(unavailable)?
            .more
        {}
        Ok(purged)
    }

    /// Calls `each` for every blob some account refers to, perhaps more than once: what must outlive a compaction that
    /// begins with blobs older than this call (see [`Blobs::compact`](crate::blob::Blobs::compact)).
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], [`StoreError::Corrupt`]: then nothing may be collected.
    pub async fn live_blobs(&self, each: &mut (dyn FnMut(BlobId) + Send)) -> Result<()> {
        let mut after = None;
        loop {
            let (ids, next) = self.people(after.as_ref()).await?;
            for id in ids {
                let account = self.account(&id);
                let mut scan = Scan::prefix(keys::one(keys::MESSAGE)).limit(STEP);
                loop {
                    let rows = account.raw(scan.clone()).await?;
                    for (_, value) in &rows {
                        each(Meta::decode(value)?.blob);
                    }
                    match rows.last() {
                        Some((last, _)) if rows.len() == STEP => scan = scan.after(last),
                        _ => break,
                    }
                }
            }
            match next {
                Some(_) => after = next,
                None => return Ok(()),
            }
        }
    }
}

impl Account {
    /// Rows as they are stored.
    pub(super) async fn raw(&self, scan: Scan) -> Result<Vec<(Bytes, Bytes)>> {
        let engine = &self.shared.house.engine;
        let read = engine.read(self.shared.key()?, scan, 0).await;
        let (_, rows) = read.map_err(unavailable)?;
        Ok(rows.into_iter().map(|row| (row.key, row.value)).collect())
    }

    async fn purge_rows(&self, kind: u8, now: Millis) -> Result<u64> {
        let mut scan = Scan::prefix(keys::one(kind)).limit(STEP);
        let mut purged = 0;
        loop {
            let rows = self.raw(scan.clone()).await?;
            let mut over = Vec::new();
            for (key, value) in &rows {
                if is_over(kind, value, now)? {
                    over.push(key.clone());
                }
            }
            purged += over.len() as u64;
            if !over.is_empty() {
                let over: Arc<[Bytes]> = over.into();
                self.in_pieces(over.len(), move |txn, at| {
                    let over = over.clone();
                    Box::pin(async move { purge_piece(txn, kind, &over, at, now).await })
                })
                .await?;
            }
            match rows.last() {
                Some((last, _)) if rows.len() == STEP => scan = scan.after(last),
                _ => return Ok(purged),
            }
        }
    }
}

fn is_over(kind: u8, value: &[u8], now: Millis) -> Result<bool> {
    Ok(match kind {
        keys::TOMB => PlaceRow::decode_tomb(value)?.1.saturating_add(TOMB_GRACE) <= now,
        keys::MESSAGE => Meta::decode(value)?
            .died
            .is_some_and(|died| died.saturating_add(TOMB_GRACE) <= now),
        _ => Delivered::decode(value)?.at.saturating_add(DEDUP_GRACE) <= now,
    })
}

async fn purge_piece(
    txn: &mut Txn,
    kind: u8,
    over: &[Bytes],
    start: usize,
    now: Millis,
) -> Result<(usize, ())> {
    txn.head()?;
    txn.fetch(over[start..].to_vec()).await?;
    for (at, key) in over.iter().enumerate().skip(start) {
        if txn.piece_full() {
            return Ok((at, ()));
        }
        let Some(value) = txn.get(key).await? else {
            continue;
        };
        if !is_over(kind, &value, now)? {
            continue;
        }
        if kind == keys::MESSAGE {
            let id = keys::message_of(key).ok_or(StoreError::Corrupt("message key"))?;
            for piece in 0..Meta::decode(&value)?.fact_pieces {
                txn.delete(keys::facts(id, piece));
            }
        }
        txn.delete(key.clone());
    }
    Ok((over.len(), ()))
}
