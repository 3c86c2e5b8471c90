//! STORE: flags, keywords and labels of messages.

use std::{collections::BTreeSet, sync::Arc};

use super::{
    Account, Change, Flags, How, LabelName, MailboxId, Millis, Role, Row, StoreError, Stored,
    SystemFlags, Uid, Version,
    arrive::MESSAGE_KEYWORDS_MAX,
    edit::Edit,
    head::Head,
    mailboxes,
    pieces::{read_ahead, wants_more},
    read::to_row,
    txn::Txn,
};

type Result<T> = std::result::Result<T, StoreError>;

impl Account {
    /// Changes flags of the messages at `uids`; UIDs that are not there are passed over. `\Deleted` belongs to the row,
    /// all others to the message.
    ///
    /// # Errors
    /// [`StoreError::NoSuchMailbox`], [`StoreError::TooMany`].
    pub async fn set_flags(
        &self,
        mailbox: MailboxId,
        uids: &[Uid],
        how: How,
        flags: &Flags,
        unchanged_since: Option<Version>,
        now: Millis,
    ) -> Result<Stored> {
        if flags.keywords.len() > MESSAGE_KEYWORDS_MAX {
            return Err(StoreError::TooMany("keywords of one message"));
        }
        let what = What::Flags(flags.clone());
        self.store_all(mailbox, uids, how, what, unchanged_since, now)
            .await
    }

    /// Changes labels (wire §3.7). Unknown labels are created. The label of the mailbox itself is not removed by
    /// [`How::Replace`], since it is never shown.
    ///
    /// # Errors
    /// As [`Account::set_flags`], and [`StoreError::BadName`].
    pub async fn set_labels(
        &self,
        mailbox: MailboxId,
        uids: &[Uid],
        how: How,
        labels: &[LabelName],
        unchanged_since: Option<Version>,
        now: Millis,
    ) -> Result<Stored> {
        let what = What::Labels(labels.to_vec());
        self.store_all(mailbox, uids, how, what, unchanged_since, now)
            .await
    }

    async fn store_all(
        &self,
        mailbox: MailboxId,
        uids: &[Uid],
        how: How,
        what: What,
        unchanged_since: Option<Version>,
        now: Millis,
    ) -> Result<Stored> {
        self.shared.house.hear(now);
        let job = Arc::new(Job {
            mailbox,
            uids: uids.to_vec(),
            how,
            what,
            unchanged_since,
            now,
        });
        let (version, pieces) = self
            .in_pieces(uids.len(), move |txn, at| {
                let job = job.clone();
                Box::pin(async move { job.piece(txn, at).await })
            })
            .await?;
        let mut stored = Stored {
            version,
            rows: Vec::new(),
            modified: Vec::new(),
            expunged: Vec::new(),
        };
        for piece in pieces {
            stored.rows.extend(piece.rows);
            stored.modified.extend(piece.modified);
            stored.expunged.extend(piece.expunged);
        }
        Ok(stored)
    }
}

enum What {
    Flags(Flags),
    Labels(Vec<LabelName>),
}

struct Job {
    mailbox: MailboxId,
    uids: Vec<Uid>,
    how: How,
    what: What,
    unchanged_since: Option<Version>,
    now: Millis,
}

/// What is to be done, in ids of this transaction.
enum Given {
    Flags(SystemFlags, BTreeSet<u16>),
    Labels(Vec<MailboxId>),
}

#[derive(Default)]
struct Piece {
    rows: Vec<Row>,
    modified: Vec<Uid>,
    expunged: Vec<Uid>,
}

impl Job {
    async fn piece(&self, txn: &mut Txn, start: usize) -> Result<(usize, Piece)> {
        txn.head()?.mailbox(self.mailbox)?;
        let given = self.resolve(txn)?;
        let mut piece = Piece::default();
        for (at, uid) in self.uids.iter().enumerate().skip(start) {
            if txn.piece_full() {
                return Ok((at, piece));
            }
            if wants_more(start, at) {
                read_ahead(txn, self.mailbox, &self.uids[at..]).await?;
            }
            self.one(txn, *uid, &given, &mut piece).await?;
        }
        Ok((self.uids.len(), piece))
    }

    fn resolve(&self, txn: &mut Txn) -> Result<Given> {
        match &self.what {
            What::Flags(flags) => {
                let ids = if self.how == How::Remove {
                    let known = flags.keywords.iter();
                    let head = txn.head()?;
                    known.filter_map(|name| head.keyword(name)).collect()
                } else {
                    let all = txn.head()?.keywords.len();
                    let ids = txn.head_mut()?.keyword_ids(&flags.keywords)?;
                    if txn.head()?.keywords.len() != all {
                        // The mailbox's FLAGS list grew: that is news of the mailbox.
                        let mailbox = self.mailbox;
                        txn.log(Change::Mailbox { mailbox });
                    }
                    ids.into_iter().collect()
                };
                Ok(Given::Flags(flags.system, ids))
            }
            What::Labels(labels) => {
                let mut ids = Vec::with_capacity(labels.len());
                for label in labels {
                    ids.extend(self.label(txn, label)?);
                }
                Ok(Given::Labels(ids))
            }
        }
    }

    fn label(&self, txn: &mut Txn, label: &LabelName) -> Result<Option<MailboxId>> {
        let id = match label {
            LabelName::Role(role) => txn.head()?.of_role(*role),
            LabelName::User(name) => match txn.head()?.named(name) {
                Some(record) => record.mailbox.id,
                None if self.how == How::Remove => return Ok(None),
                None => mailboxes::make(txn, name, self.now)?,
            },
        };
        // wire §3.7: \Sent and \Draft are ignored silently; All Mail is nobody's to give.
        let role = txn.head()?.role(id);
        Ok((!matches!(role, Some(Role::Sent | Role::Drafts | Role::All))).then_some(id))
    }

    async fn one(&self, txn: &mut Txn, uid: Uid, given: &Given, piece: &mut Piece) -> Result<()> {
        let Some(row) = txn.row(self.mailbox, uid).await? else {
            return Ok(());
        };
        // RFC 7162 §3.1.3
        if self.unchanged_since.is_some_and(|since| row.modseq > since) {
            piece.modified.push(uid);
            return Ok(());
        }
        let Some(mut edit) = Edit::of(txn, row.message).await? else {
            return Err(StoreError::Corrupt("a mailbox row without a message"));
        };
        match given {
            Given::Flags(system, keywords) => self.flag(txn, &mut edit, *system, keywords)?,
            Given::Labels(labels) => self.label_one(txn, &mut edit, labels)?,
        }
        let places = edit.finish(txn, self.now)?;
        if !places.contains(&(self.mailbox, uid)) {
            piece.expunged.push(uid);
        } else if let Some(row) = txn.row(self.mailbox, uid).await? {
            let row = to_row(uid, row, &txn.head()?.keywords);
            piece
                .rows
                .push(row.ok_or(StoreError::Corrupt("keyword of a row"))?);
        }
        Ok(())
    }

    fn flag(
        &self,
        txn: &Txn,
        edit: &mut Edit,
        system: SystemFlags,
        given: &BTreeSet<u16>,
    ) -> Result<()> {
        let has: BTreeSet<u16> = edit.meta.keywords.iter().copied().collect();
        let names_deleted = system.0 & SystemFlags::DELETED != 0;
        let (bits, keywords, deleted) = match self.how {
            How::Add => (
                edit.meta.system.0 | system.0,
                has.union(given).copied().collect(),
                names_deleted.then_some(true),
            ),
            How::Remove => (
                edit.meta.system.0 & !system.0,
                has.difference(given).copied().collect(),
                names_deleted.then_some(false),
            ),
            How::Replace => (
                system.0,
                given.iter().copied().collect::<Vec<_>>(),
                Some(names_deleted),
            ),
        };
        if keywords.len() > MESSAGE_KEYWORDS_MAX {
            return Err(StoreError::TooMany("keywords of one message"));
        }
        edit.meta.system.0 = bits;
        edit.meta.keywords = keywords;
        if let Some(deleted) = deleted {
            edit.deleted.insert(self.mailbox, deleted);
        }
        // wire §3.6, "auto-expunge on": \Deleted acts at once.
        if deleted == Some(true) && txn.head()?.settings.auto_expunge {
            edit.expunge(txn, self.mailbox)?;
        }
        Ok(())
    }

    fn label_one(&self, txn: &Txn, edit: &mut Edit, labels: &[MailboxId]) -> Result<()> {
        if self.how == How::Replace {
            let head = txn.head()?;
            let gone: Vec<_> = edit
                .want
                .iter()
                .copied()
                .filter(|label| *label != self.mailbox && is_replaced(head, *label))
                .collect();
            for label in gone {
                edit.remove(txn, label)?;
            }
            // In Trash or Spam the flag is not shown as a label, but it is the same bit (wire §3.7).
            if self.mailbox != head.of_role(Role::Starred) {
                edit.meta.system.0 &= !SystemFlags::FLAGGED;
            }
        }
        for label in labels {
            match self.how {
                How::Add | How::Replace => edit.add(txn, *label)?,
                How::Remove => edit.remove(txn, *label)?,
            }
        }
        Ok(())
    }
}

/// Labels that a list of labels replaces: those that it can name.
fn is_replaced(head: &Head, label: MailboxId) -> bool {
    !matches!(
        head.role(label),
        Some(Role::Sent | Role::Drafts | Role::All | Role::Trash | Role::Junk)
    )
}
