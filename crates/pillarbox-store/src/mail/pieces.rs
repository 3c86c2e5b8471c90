//! Operations on many messages: worked through in pieces that fit one commit each.
//!
//! Every message changes wholly or not at all; a crash between two pieces leaves the rest as it was. A caller that goes away
//! does not stop the work half-way.

use std::sync::Arc;

use super::{
    Account, MailboxId, StoreError, Uid, Version,
    codec::{Meta, PlaceRow},
    keys,
    txn::Txn,
    writer::Boxed,
};

/// Messages read ahead in one go.
const AHEAD: usize = 512;
/// Operations on more messages than this run in a task of their own.
const ALONE: usize = 64;

impl Account {
    /// Calls `piece` with the index to begin at until it answers with `count`, each time in a commit of its own. Answers the
    /// last version and what each piece gave.
    pub(super) async fn in_pieces<T, F>(
        &self,
        count: usize,
        piece: F,
    ) -> Result<(Version, Vec<T>), StoreError>
    where
        T: Send + 'static,
        F: for<'a> Fn(&'a mut Txn, usize) -> Boxed<'a, Result<(usize, T), StoreError>>
            + Send
            + Sync
            + 'static,
    {
        let shared = self.shared.clone();
        let piece = Arc::new(piece);
        let work = async move {
            let (mut at, mut results) = (0, Vec::new());
            loop {
                let piece = piece.clone();
                let (version, (next, result)) = shared.run(move |txn| piece(txn, at)).await?;
                results.push(result);
                at = next;
                if at >= count {
                    return Ok((version, results));
                }
            }
        };
        if count <= ALONE {
            return work.await;
        }
        let lost = |_| StoreError::Unavailable("the operation was interrupted".into());
        tokio::spawn(work).await.map_err(lost)?
    }
}

/// Reads ahead what changing the next of `uids` needs, in three reads for all.
pub(super) async fn read_ahead(
    txn: &mut Txn,
    mailbox: MailboxId,
    uids: &[Uid],
) -> Result<(), StoreError> {
    let uids = &uids[..uids.len().min(AHEAD)];
    txn.fetch(uids.iter().map(|uid| keys::row(mailbox, *uid)).collect())
        .await?;
    let mut metas = Vec::with_capacity(uids.len());
    for uid in uids {
        if let Some(row) = txn.get(&keys::row(mailbox, *uid)).await? {
            metas.push(keys::message(PlaceRow::decode(&row)?.message));
        }
    }
    txn.fetch(metas.clone()).await?;
    let mut places = Vec::new();
    for key in &metas {
        if let Some(meta) = txn.get(key).await? {
            let meta = Meta::decode(&meta)?;
            places.extend(meta.places.iter().map(|(m, uid)| keys::row(*m, *uid)));
        }
    }
    txn.fetch(places).await
}

/// Whether a piece that has come to index `at` of what began at `start` should read ahead again.
pub(super) fn wants_more(start: usize, at: usize) -> bool {
    (at - start).is_multiple_of(AHEAD)
}
