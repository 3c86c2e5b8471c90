//! The label rules: one message, the labels it is to have, and the rows that follow from that.
//!
//! Every operation changes an [`Edit`]: flags, keywords, wanted labels. [`Edit::finish`] makes the rules true (DESIGN
//! "Labels", wire §3.6): Trash and Spam exclude every other label and each other, everything else is in All Mail, Starred
//! follows `\Flagged`. Then it writes the rows that differ, tombstones for those that go, and keeps the counts.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;

use super::{
    Change, LastLabel, MailboxId, MessageId, Millis, Role, StoreError, SystemFlags, Uid,
    codec::{Meta, PlaceRow},
    keys,
    txn::Txn,
};

type Result<T> = std::result::Result<T, StoreError>;

/// Labels of one message: changing it rewrites a row for each, in one commit.
pub(super) const LABELS_MAX: usize = 250;

/// The message-wide bits: all but `\Deleted`.
const SHARED: u8 = !SystemFlags::DELETED;

/// One message being changed.
pub(super) struct Edit {
    pub(super) id: MessageId,
    pub(super) meta: Meta,
    /// The labels it is to have. All Mail and Starred are added and removed by the rules.
    pub(super) want: BTreeSet<MailboxId>,
    /// Labels that are to be taken away and given again, with a new UID.
    pub(super) renew: BTreeSet<MailboxId>,
    /// `\Deleted` as it is to be, where it is to change.
    pub(super) deleted: BTreeMap<MailboxId, bool>,
    /// It is to go for good.
    pub(super) die: bool,
    /// Flags for the first row of a new message.
    rows: BTreeMap<MailboxId, (Uid, PlaceRow)>,
    was: Option<Meta>,
}

impl Edit {
    /// A living message that is stored; `None` if there is none.
    pub(super) async fn of(txn: &mut Txn, id: MessageId) -> Result<Option<Self>> {
        let Some(meta) = txn.meta(id).await?.filter(|meta| meta.died.is_none()) else {
            return Ok(None);
        };
        let mut rows = BTreeMap::new();
        let keys = meta.places.iter().map(|(m, uid)| keys::row(*m, *uid));
        txn.fetch(keys.collect()).await?;
        for (mailbox, uid) in &meta.places {
            let row = txn.row(*mailbox, *uid).await?;
            let row = row.ok_or(StoreError::Corrupt("a message's mailbox row is missing"))?;
            rows.insert(*mailbox, (*uid, row));
        }
        Ok(Some(Self {
            id,
            want: rows.keys().copied().collect(),
            renew: BTreeSet::new(),
            deleted: BTreeMap::new(),
            die: false,
            rows,
            was: Some(meta.clone()),
            meta,
        }))
    }

    /// A message that is to be stored, in no mailbox yet.
    pub(super) fn fresh(id: MessageId, meta: Meta) -> Self {
        Self {
            id,
            meta,
            want: BTreeSet::new(),
            renew: BTreeSet::new(),
            deleted: BTreeMap::new(),
            die: false,
            rows: BTreeMap::new(),
            was: None,
        }
    }

    /// Its row in a mailbox as it was before the change.
    pub(super) fn row(&self, mailbox: MailboxId) -> Option<&PlaceRow> {
        self.rows.get(&mailbox).map(|(_, row)| row)
    }

    /// Whether it was in Trash or Spam.
    pub(super) fn confined(&self, txn: &Txn) -> Result<bool> {
        let head = txn.head()?;
        Ok([Role::Trash, Role::Junk]
            .iter()
            .any(|role| self.rows.contains_key(&head.of_role(*role))))
    }

    /// Gives a label. Trash and Spam take all others away; any other takes the message out of them.
    pub(super) fn add(&mut self, txn: &Txn, label: MailboxId) -> Result<()> {
        let head = txn.head()?;
        let (trash, junk) = (head.of_role(Role::Trash), head.of_role(Role::Junk));
        if label == trash || label == junk {
            self.want.clear();
        } else {
            self.want.remove(&trash);
            self.want.remove(&junk);
        }
        if label == head.of_role(Role::Starred) {
            self.meta.system.0 |= SystemFlags::FLAGGED;
        }
        self.want.insert(label);
        Ok(())
    }

    /// Takes a label away as MOVE and X-GM-LABELS do, without regard to whether it was the last.
    pub(super) fn remove(&mut self, txn: &Txn, label: MailboxId) -> Result<()> {
        if label == txn.head()?.of_role(Role::Starred) {
            self.meta.system.0 &= !SystemFlags::FLAGGED;
        }
        self.want.remove(&label);
        Ok(())
    }

    /// Takes a label away as EXPUNGE does (wire §3.6).
    pub(super) fn expunge(&mut self, txn: &Txn, mailbox: MailboxId) -> Result<()> {
        let head = txn.head()?;
        let setting = head.settings.last_label;
        let trash = head.of_role(Role::Trash);
        match head.role(mailbox) {
            Some(Role::Junk | Role::Trash) => self.die = true,
            Some(Role::All) if setting == LastLabel::Delete => self.die = true,
            Some(Role::All) => self.add(txn, trash)?,
            Some(Role::Starred | Role::Important) => self.remove(txn, mailbox)?,
            role @ (None | Some(Role::Inbox | Role::Sent | Role::Drafts)) => {
                self.want.remove(&mailbox);
                if self.want.iter().any(|label| is_visible_label(txn, *label)) {
                    return Ok(());
                }
                match (role, setting) {
                    // Clients rewrite a draft by expunging the old one: it is not to pile up in All Mail.
                    (Some(Role::Drafts), _) | (_, LastLabel::Delete) => self.die = true,
                    (_, LastLabel::Trash) => self.add(txn, trash)?,
                    (_, LastLabel::Archive) => {}
                }
            }
        }
        Ok(())
    }

    fn apply_rules(&mut self, txn: &Txn) -> Result<()> {
        let head = txn.head()?;
        self.want
            .retain(|label| head.mailboxes.get(label).is_some_and(|r| !r.gone));
        let [trash, junk, all, starred] =
            [Role::Trash, Role::Junk, Role::All, Role::Starred].map(|role| head.of_role(role));
        if self.die {
            self.want.clear();
        } else if self.want.contains(&trash) {
            self.want = BTreeSet::from([trash]);
        } else if self.want.contains(&junk) {
            self.want = BTreeSet::from([junk]);
        } else {
            self.want.insert(all);
            if self.meta.system.0 & SystemFlags::FLAGGED == 0 {
                self.want.remove(&starred);
            } else {
                self.want.insert(starred);
            }
        }
        if self.want.len() > LABELS_MAX && self.want.len() > self.rows.len() {
            return Err(StoreError::TooMany("labels of one message"));
        }
        Ok(())
    }

    /// Writes what differs. Answers the places the message has now.
    pub(super) fn finish(mut self, txn: &mut Txn, now: Millis) -> Result<Vec<(MailboxId, Uid)>> {
        self.meta.system.0 &= SHARED;
        self.apply_rules(txn)?;
        let was = self.was.take();
        let new_flags = was
            .as_ref()
            .is_none_or(|was| was.system != self.meta.system || was.keywords != self.meta.keywords);
        let kept: BTreeSet<MailboxId> = self
            .rows
            .keys()
            .filter(|label| self.want.contains(label) && !self.renew.contains(label))
            .copied()
            .collect();
        let new_labels = kept.len() != self.rows.len() || kept.len() != self.want.len();
        let rows = std::mem::take(&mut self.rows);
        let mut places = Vec::with_capacity(self.want.len());
        for (mailbox, (uid, row)) in &rows {
            if kept.contains(mailbox) {
                places.push((*mailbox, *uid));
                self.rewrite(txn, *mailbox, *uid, row, new_flags || new_labels)?;
            } else {
                remove_row(txn, *mailbox, *uid, row, now)?;
            }
        }
        for mailbox in self.want.difference(&kept) {
            places.push((*mailbox, self.insert_row(txn, *mailbox, now)?));
        }
        places.sort_unstable();
        self.meta.places = places.clone();
        self.count_usage(txn, was.as_ref(), now)?;
        if was.as_ref() != Some(&self.meta) {
            txn.put_meta(self.id, &self.meta);
        }
        Ok(places)
    }

    fn rewrite(
        &self,
        txn: &mut Txn,
        mailbox: MailboxId,
        uid: Uid,
        row: &PlaceRow,
        changed: bool,
    ) -> Result<()> {
        let bit = row.system.0 & SystemFlags::DELETED;
        let deleted = match self.deleted.get(&mailbox) {
            Some(true) => SystemFlags::DELETED,
            Some(false) => 0,
            None => bit,
        };
        if !changed && deleted == bit {
            return Ok(());
        }
        let mut new = row.clone();
        new.system.0 = self.meta.system.0 | deleted;
        new.keywords.clone_from(&self.meta.keywords);
        new.modseq = txn.next();
        count(txn, mailbox, row, Step::Out)?;
        count(txn, mailbox, &new, Step::In)?;
        txn.put(keys::row(mailbox, uid), new.encode());
        txn.log(Change::Changed { mailbox, uid });
        Ok(())
    }

    fn insert_row(&self, txn: &mut Txn, mailbox: MailboxId, now: Millis) -> Result<Uid> {
        let deleted = match self.deleted.get(&mailbox) {
            Some(true) => SystemFlags::DELETED,
            _ => 0,
        };
        let row = PlaceRow {
            system: SystemFlags(self.meta.system.0 | deleted),
            message: self.id,
            thread: self.meta.thread,
            modseq: txn.next(),
            size: self.meta.size,
            received: self.meta.received,
            sent: self.meta.sent,
            saved: now,
            keywords: self.meta.keywords.clone(),
        };
        let record = &mut txn.head_mut()?.mailbox_mut(mailbox)?.mailbox;
        let uid = record.uid_next;
        // RFC 3501 §2.3.1.1: 32 bits; nobody lives to see the last.
        record.uid_next = Uid(uid.0.checked_add(1).ok_or(StoreError::TooMany("UIDs"))?);
        count(txn, mailbox, &row, Step::In)?;
        txn.put(keys::row(mailbox, uid), row.encode());
        txn.log(Change::Arrived { mailbox, uid });
        Ok(uid)
    }

    fn count_usage(&mut self, txn: &mut Txn, was: Option<&Meta>, now: Millis) -> Result<()> {
        let listed = !self.confined_now(txn)?;
        let numbers = &mut txn.head_mut()?.numbers;
        if was.is_none() {
            numbers.messages += 1;
            numbers.octets += u64::from(self.meta.size);
        }
        // Whatever can be popped again must not lie before the point popping begins at.
        if listed && !self.meta.popped && self.id.0 < numbers.pop_from {
            numbers.pop_from = self.id.0;
        }
        if self.die {
            numbers.messages = numbers.messages.saturating_sub(1);
            numbers.octets = numbers.octets.saturating_sub(u64::from(self.meta.size));
            self.meta.died = Some(now);
            if let Some(digest) = &self.meta.message_id {
                txn.delete(keys::message_id(digest, self.id));
            }
        } else if was.is_none()
            && let Some(digest) = &self.meta.message_id
        {
            txn.put(keys::message_id(digest, self.id), Bytes::new());
        }
        Ok(())
    }

    fn confined_now(&self, txn: &Txn) -> Result<bool> {
        let head = txn.head()?;
        Ok(self.die
            || [Role::Trash, Role::Junk]
                .iter()
                .any(|role| self.want.contains(&head.of_role(*role))))
    }
}

/// Whether a label counts when the last one goes: those that people give, not those that rules keep.
fn is_visible_label(txn: &Txn, label: MailboxId) -> bool {
    let record = txn.head().and_then(|head| head.mailbox(label));
    record.is_ok_and(|record| {
        let role = record.mailbox.role;
        let given = matches!(role, None | Some(Role::Inbox | Role::Sent | Role::Drafts));
        given && record.mailbox.visible
    })
}

fn remove_row(
    txn: &mut Txn,
    mailbox: MailboxId,
    uid: Uid,
    row: &PlaceRow,
    now: Millis,
) -> Result<()> {
    count(txn, mailbox, row, Step::Out)?;
    txn.delete(keys::row(mailbox, uid));
    txn.put(keys::place(keys::TOMB, mailbox, uid), row.encode_tomb(now));
    txn.log(Change::Expunged { mailbox, uid });
    Ok(())
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    In,
    Out,
}

fn count(txn: &mut Txn, mailbox: MailboxId, row: &PlaceRow, step: Step) -> Result<()> {
    let next = txn.next();
    let record = &mut txn.head_mut()?.mailbox_mut(mailbox)?.mailbox;
    record.highest_modseq = next;
    let has = |bit| u32::from(row.system.0 & bit != 0);
    let unseen = 1 - has(SystemFlags::SEEN);
    let deleted = has(SystemFlags::DELETED);
    let bytes = u64::from(row.size);
    if step == Step::In {
        record.messages += 1;
        record.unseen += unseen;
        record.deleted += deleted;
        record.bytes += bytes;
    } else {
        record.messages = record.messages.saturating_sub(1);
        record.unseen = record.unseen.saturating_sub(unseen);
        record.deleted = record.deleted.saturating_sub(deleted);
        record.bytes = record.bytes.saturating_sub(bytes);
    }
    Ok(())
}
