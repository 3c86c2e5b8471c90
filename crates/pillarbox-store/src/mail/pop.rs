//! What a POP session sees and leaves behind (wire §4.4).

use std::{collections::HashSet, sync::Arc};

use super::{
    Account, MessageId, Millis, PopDisposition, PopItem, PopMode, PopWindow, Role, StoreError,
    SystemFlags, codec::Meta, edit::Edit, head::Head, keys, txn::Txn, unavailable,
};
use crate::engine::Scan;

type Result<T> = std::result::Result<T, StoreError>;

/// Conversations of one session; the next session lists the next.
const CONVERSATIONS_MAX: usize = 250;
/// Messages of one session, however few conversations they are.
const ITEMS_MAX: usize = 5_000;
/// What recent mode shows.
const RECENT: Millis = 30 * 24 * 60 * 60 * 1000;
/// Records read at a time.
const STEP: usize = 1_000;
/// Records that one QUIT passes over to move the point popping begins at.
const PASS_MAX: usize = 4_000;

impl Account {
    /// What a POP session sees, oldest first.
    ///
    /// # Errors
    /// Only those of every method.
    pub async fn maildrop(&self, mode: PopMode, now: Millis) -> Result<Vec<PopItem>> {
        let head = self.shared.head().await?;
        let since = match (mode, head.settings.pop_window) {
            (_, PopWindow::Disabled) => return Ok(Vec::new()),
            (PopMode::Recent, _) => now.saturating_sub(RECENT),
            (PopMode::Normal, PopWindow::From(at)) => at,
            (PopMode::Normal, PopWindow::All) => 0,
        };
        let first = u64::try_from(since).unwrap_or(0).min(1 << 43) << 20;
        let (first, conversations) = match mode {
            PopMode::Normal => (first.max(head.numbers.pop_from), CONVERSATIONS_MAX),
            PopMode::Recent => (first, usize::MAX),
        };
        let mut scan = behind(MessageId(first)).limit(STEP);
        let (mut items, mut threads) = (Vec::new(), HashSet::new());
        loop {
            let engine = &self.shared.house.engine;
            let (_, rows) = engine
                .read(self.shared.key()?, scan.clone(), head.version)
                .await
                .map_err(unavailable)?;
            for row in &rows {
                let meta = Meta::decode(&row.value)?;
                let popped = mode == PopMode::Normal && meta.popped;
                if popped || meta.received < since || !is_listed(&head, &meta) {
                    continue;
                }
                if !threads.contains(&meta.thread) && threads.len() >= conversations {
                    continue;
                }
                threads.insert(meta.thread);
                items.push(PopItem {
                    message: keys::message_of(&row.key).ok_or(StoreError::Corrupt("key"))?,
                    size: meta.size,
                    blob: meta.blob,
                });
            }
            match rows.last() {
                Some(last)
                    if rows.len() == STEP
                        && items.len() < ITEMS_MAX
                        && threads.len() < conversations =>
                {
                    scan = scan.after(&last.key);
                }
                _ => break,
            }
        }
        items.truncate(ITEMS_MAX);
        Ok(items)
    }

    /// A POP session's QUIT: marks what was retrieved as popped and applies the disposition to it, and removes what was
    /// deleted, in one atomic step (in several if it is more than a commit holds). With the disposition "keep", DELE moves
    /// to Trash.
    ///
    /// # Errors
    /// Only those of every method.
    pub async fn pop_done(
        &self,
        retrieved: &[MessageId],
        deleted: &[MessageId],
        now: Millis,
    ) -> Result<()> {
        self.shared.house.hear(now);
        let deleted_too: HashSet<MessageId> = deleted.iter().copied().collect();
        let only = retrieved.iter().filter(|id| !deleted_too.contains(id));
        let jobs: Arc<[(MessageId, bool)]> = only
            .map(|id| (*id, false))
            .chain(deleted.iter().map(|id| (*id, true)))
            .collect();
        if jobs.is_empty() {
            return Ok(());
        }
        self.in_pieces(jobs.len(), move |txn, at| {
            let jobs = jobs.clone();
            Box::pin(async move { piece(txn, &jobs, at, now).await })
        })
        .await?;
        Ok(())
    }

    /// Marks messages as popped: the next session in normal mode does not list them.
    ///
    /// # Errors
    /// Only those of every method.
    pub async fn mark_popped(&self, ids: &[MessageId]) -> Result<()> {
        let ids: Arc<[MessageId]> = ids.into();
        self.in_pieces(ids.len(), move |txn, at| {
            let ids = ids.clone();
            Box::pin(async move {
                for (at, id) in ids.iter().enumerate().skip(at) {
                    if txn.piece_full() {
                        return Ok((at, ()));
                    }
                    if let Some(mut meta) = txn.meta(*id).await? {
                        meta.popped = true;
                        txn.put_meta(*id, &meta);
                    }
                }
                Ok((ids.len(), ()))
            })
        })
        .await?;
        Ok(())
    }
}

/// The records from `id` on.
fn behind(id: MessageId) -> Scan {
    Scan::range(keys::message(id), keys::one(keys::MESSAGE + 1))
}

fn is_listed(head: &Head, meta: &Meta) -> bool {
    let all = head.of_role(Role::All);
    meta.died.is_none() && meta.places.iter().any(|place| place.0 == all)
}

async fn piece(
    txn: &mut Txn,
    jobs: &[(MessageId, bool)],
    start: usize,
    now: Millis,
) -> Result<(usize, ())> {
    if start == 0 {
        let keys = jobs.iter().map(|(id, _)| keys::message(*id));
        txn.fetch(keys.collect()).await?;
    }
    for (at, (id, deleted)) in jobs.iter().enumerate().skip(start) {
        if txn.piece_full() {
            return Ok((at, ()));
        }
        // It may have been expunged elsewhere since the session began.
        let Some(mut edit) = Edit::of(txn, *id).await? else {
            continue;
        };
        edit.meta.popped = true;
        dispose(txn, &mut edit, *deleted)?;
        edit.finish(txn, now)?;
    }
    advance(txn).await?;
    Ok((jobs.len(), ()))
}

fn dispose(txn: &Txn, edit: &mut Edit, deleted: bool) -> Result<()> {
    let head = txn.head()?;
    match head.settings.pop_disposition {
        PopDisposition::Keep if !deleted => Ok(()),
        PopDisposition::Keep | PopDisposition::Trash => edit.add(txn, head.of_role(Role::Trash)),
        PopDisposition::MarkRead => {
            edit.meta.system.0 |= SystemFlags::SEEN;
            Ok(())
        }
        PopDisposition::Archive => edit.remove(txn, head.of_role(Role::Inbox)),
    }
}

/// Moves the point popping begins at over what need not be looked at again.
async fn advance(txn: &mut Txn) -> Result<()> {
    let first = txn.head()?.numbers.pop_from;
    let rows = txn.scan(behind(MessageId(first)).limit(PASS_MAX)).await?;
    let mut reached = first;
    for (key, value) in rows {
        let meta = Meta::decode(&value)?;
        let id = keys::message_of(&key).ok_or(StoreError::Corrupt("key"))?;
        if !meta.popped && is_listed(txn.head()?, &meta) {
            reached = id.0;
            break;
        }
        reached = id.0 + 1;
    }
    if reached != first {
        txn.head_mut()?.numbers.pop_from = reached;
    }
    Ok(())
}
