//! EXPUNGE: what it does depends on the mailbox (wire §3.6).

use std::sync::Arc;

use super::{
    Account, MailboxId, Millis, StoreError, SystemFlags, Uid, Version,
    edit::Edit,
    pieces::{read_ahead, wants_more},
    txn::Txn,
};

type Result<T> = std::result::Result<T, StoreError>;

impl Account {
    /// Expunges the rows with `\Deleted`, of `only` these UIDs if given. Answers the UIDs that are gone, ascending: fewer than
    /// had the flag only if a message was changed meanwhile.
    ///
    /// # Errors
    /// [`StoreError::NoSuchMailbox`].
    pub async fn expunge(
        &self,
        mailbox: MailboxId,
        only: Option<&[Uid]>,
        now: Millis,
    ) -> Result<(Version, Vec<Uid>)> {
        self.shared.house.hear(now);
        let head = self.shared.head().await?;
        if head.mailbox(mailbox)?.mailbox.deleted == 0 {
            return Ok((head.version, Vec::new()));
        }
        let (_, rows) = match only {
            Some(only) => {
                let ranges: Vec<_> = only.iter().map(|uid| uid.0..=uid.0).collect();
                self.rows(mailbox, &ranges).await?
            }
            None => self.rows(mailbox, &[1..=u32::MAX]).await?,
        };
        let uids: Arc<[Uid]> = rows
            .iter()
            .filter(|row| row.flags.system.0 & SystemFlags::DELETED != 0)
            .map(|row| row.uid)
            .collect();
        let (version, pieces) = self
            .in_pieces(uids.len(), move |txn, at| {
                let uids = uids.clone();
                Box::pin(async move { piece(txn, mailbox, &uids, at, now).await })
            })
            .await?;
        Ok((version, pieces.concat()))
    }
}

async fn piece(
    txn: &mut Txn,
    mailbox: MailboxId,
    uids: &[Uid],
    start: usize,
    now: Millis,
) -> Result<(usize, Vec<Uid>)> {
    txn.head()?.mailbox(mailbox)?;
    let mut gone = Vec::new();
    for (at, uid) in uids.iter().enumerate().skip(start) {
        if txn.piece_full() {
            return Ok((at, gone));
        }
        if wants_more(start, at) {
            read_ahead(txn, mailbox, &uids[at..]).await?;
        }
        let Some(row) = txn.row(mailbox, *uid).await? else {
            continue;
        };
        if row.system.0 & SystemFlags::DELETED == 0 {
            continue;
        }
        let Some(mut edit) = Edit::of(txn, row.message).await? else {
            return Err(StoreError::Corrupt("a mailbox row without a message"));
        };
        edit.expunge(txn, mailbox)?;
        let places = edit.finish(txn, now)?;
        if !places.contains(&(mailbox, *uid)) {
            gone.push(*uid);
        }
    }
    Ok((uids.len(), gone))
}
