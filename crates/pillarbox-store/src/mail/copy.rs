//! COPY and MOVE, which give and take labels (wire §3.6).

use std::sync::Arc;

use super::{
    Account, Copied, MailboxId, Millis, Role, StoreError, Uid,
    arrive::{put_facts, room_for, unused_id},
    edit::Edit,
    keys,
    pieces::{read_ahead, wants_more},
    txn::Txn,
};

type Result<T> = std::result::Result<T, StoreError>;

impl Account {
    /// Copies messages. To a mailbox that rules keep (All Mail, Starred, Important) it answers with the UID that is there.
    /// To any other that has the message already, and out of Trash or Spam, it makes a new message over the same body
    /// (RFC 9051 §6.4.7: it arrives). To Trash or Spam it takes the message out of every other mailbox.
    ///
    /// # Errors
    /// [`StoreError::NoSuchMailbox`], [`StoreError::OverQuota`], [`StoreError::TooMany`].
    pub async fn copy(
        &self,
        from: MailboxId,
        uids: &[Uid],
        to: MailboxId,
        now: Millis,
    ) -> Result<Copied> {
        self.copy_all(from, uids, to, false, now).await
    }

    /// Moves messages: as [`Account::copy`], and takes the label of `from` away. Out of All Mail nothing can be moved but to
    /// Trash or Spam: there it only gives the label.
    ///
    /// # Errors
    /// As [`Account::copy`].
    pub async fn r#move(
        &self,
        from: MailboxId,
        uids: &[Uid],
        to: MailboxId,
        now: Millis,
    ) -> Result<Copied> {
        self.copy_all(from, uids, to, true, now).await
    }

    async fn copy_all(
        &self,
        from: MailboxId,
        uids: &[Uid],
        to: MailboxId,
        moves: bool,
        now: Millis,
    ) -> Result<Copied> {
        self.shared.house.hear(now);
        let job = Arc::new(Job {
            from,
            to,
            uids: uids.to_vec(),
            moves,
            now,
        });
        let (version, pieces) = self
            .in_pieces(uids.len(), move |txn, at| {
                let job = job.clone();
                Box::pin(async move { job.piece(txn, at).await })
            })
            .await?;
        let mut copied = Copied {
            version,
            uid_validity: 0,
            pairs: Vec::new(),
            expunged: Vec::new(),
        };
        for piece in pieces {
            copied.uid_validity = piece.uid_validity;
            copied.pairs.extend(piece.pairs);
            copied.expunged.extend(piece.expunged);
        }
        Ok(copied)
    }
}

struct Job {
    from: MailboxId,
    to: MailboxId,
    uids: Vec<Uid>,
    moves: bool,
    now: Millis,
}

struct Piece {
    uid_validity: u32,
    pairs: Vec<(Uid, Uid)>,
    expunged: Vec<Uid>,
}

/// What giving the label comes to for one message.
enum Way {
    /// The message itself is (or gets) there.
    Label,
    /// Another message over the same body.
    Another,
    /// It leaves and comes back with a new UID.
    Renew,
}

impl Job {
    async fn piece(&self, txn: &mut Txn, start: usize) -> Result<(usize, Piece)> {
        txn.head()?.mailbox(self.from)?;
        let mut piece = Piece {
            uid_validity: txn.head()?.mailbox(self.to)?.mailbox.uid_validity,
            pairs: Vec::new(),
            expunged: Vec::new(),
        };
        for (at, uid) in self.uids.iter().enumerate().skip(start) {
            if txn.piece_full() {
                return Ok((at, piece));
            }
            if wants_more(start, at) {
                read_ahead(txn, self.from, &self.uids[at..]).await?;
            }
            self.one(txn, *uid, &mut piece).await?;
        }
        Ok((self.uids.len(), piece))
    }

    fn way(&self, txn: &Txn, edit: &Edit) -> Result<Way> {
        let there = edit.row(self.to).is_some();
        let confined = edit.confined(txn)?;
        let role = txn.head()?.role(self.to);
        Ok(match role {
            _ if self.moves && self.from == self.to => Way::Renew,
            _ if confined && !self.moves => Way::Another,
            Some(Role::All | Role::Starred | Role::Important) => Way::Label,
            _ if there => Way::Another,
            _ => Way::Label,
        })
    }

    async fn one(&self, txn: &mut Txn, uid: Uid, piece: &mut Piece) -> Result<()> {
        let Some(row) = txn.row(self.from, uid).await? else {
            return Ok(());
        };
        let Some(mut edit) = Edit::of(txn, row.message).await? else {
            return Err(StoreError::Corrupt("a mailbox row without a message"));
        };
        let confines = {
            let role = txn.head()?.role(self.to);
            matches!(role, Some(Role::Trash | Role::Junk))
        };
        let new_uid = match self.way(txn, &edit)? {
            Way::Another => Some(self.another(txn, &edit).await?),
            Way::Renew => {
                edit.renew.insert(self.to);
                None
            }
            Way::Label => {
                edit.add(txn, self.to)?;
                None
            }
        };
        // Into Trash or Spam every label goes anyway, and a star is kept for the way back.
        if self.moves && self.from != self.to && !confines {
            edit.remove(txn, self.from)?;
        }
        let places = edit.finish(txn, self.now)?;
        let at = |mailbox| places.iter().find(|place| place.0 == mailbox);
        let new_uid = new_uid.or_else(|| Some(at(self.to)?.1));
        let new_uid = new_uid.ok_or(StoreError::Corrupt("a copy without a place"))?;
        piece.pairs.push((uid, new_uid));
        if at(self.from).is_none_or(|place| place.1 != uid) {
            piece.expunged.push(uid);
        }
        Ok(())
    }

    /// Makes another message over the same body, in `to` alone.
    async fn another(&self, txn: &mut Txn, of: &Edit) -> Result<Uid> {
        let stored = &of.meta;
        room_for(txn, u64::from(stored.size))?;
        let id = unused_id(txn, stored.received).await?;
        let mut facts = Vec::new();
        for piece in 0..stored.fact_pieces {
            let piece = txn.get(&keys::facts(of.id, piece)).await?;
            facts.extend_from_slice(&piece.ok_or(StoreError::Corrupt("facts are missing"))?);
        }
        let mut meta = stored.clone();
        meta.fact_pieces = put_facts(txn, id, &facts.into());
        meta.places = Vec::new();
        let mut edit = Edit::fresh(id, meta);
        edit.add(txn, self.to)?;
        let places = edit.finish(txn, self.now)?;
        let place = places.iter().find(|place| place.0 == self.to);
        Ok(place
            .ok_or(StoreError::Corrupt("a copy without a place"))?
            .1)
    }
}
