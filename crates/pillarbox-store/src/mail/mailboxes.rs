//! CREATE, DELETE, RENAME, SUBSCRIBE: labels themselves.

use std::sync::Arc;

use super::{
    Account, Change, Mailbox, MailboxId, Millis, Role, StoreError, codec::PlaceRow, edit::Edit,
    head::MAILBOXES_MAX, keys, txn::Txn,
};
use crate::engine::Scan;

type Result<T> = std::result::Result<T, StoreError>;

/// Octets of a mailbox's name.
const NAME_BYTES_MAX: usize = 1_000;
/// Rows looked at in one piece of emptying a mailbox.
const EMPTY_ROWS: usize = 256;

impl Account {
    /// Makes a mailbox. `role` is a hint (RFC 6154 §3) that is not followed: every role is taken.
    ///
    /// # Errors
    /// [`StoreError::MailboxExists`], [`StoreError::BadName`], [`StoreError::TooMany`].
    pub async fn create(&self, name: &str, _role: Option<Role>, now: Millis) -> Result<Mailbox> {
        self.shared.house.hear(now);
        let name: Arc<str> = name.into();
        let (_, mailbox) = self
            .shared
            .run(move |txn| {
                let name = name.clone();
                Box::pin(async move {
                    if txn.head()?.named(&name).is_some() {
                        return Err(StoreError::MailboxExists);
                    }
                    let id = make(txn, &name, now)?;
                    Ok(txn.head()?.mailbox(id)?.mailbox.clone())
                })
            })
            .await?;
        Ok(mailbox)
    }

    /// Deletes a mailbox; its messages stay in All Mail (wire §3.6). It is gone at once; its rows go in further commits,
    /// which [`Store::purge`](super::Store::purge) takes up again after a crash.
    ///
    /// # Errors
    /// [`StoreError::NoSuchMailbox`], [`StoreError::SystemMailbox`].
    pub async fn delete(&self, name: &str, now: Millis) -> Result<()> {
        self.shared.house.hear(now);
        let name: Arc<str> = name.into();
        let (_, id) = self
            .shared
            .run(move |txn| {
                let name = name.clone();
                Box::pin(async move { hide(txn, &name) })
            })
            .await?;
        self.empty(id, now).await
    }

    /// Removes the rows of a mailbox that is gone, and at last its record.
    pub(super) async fn empty(&self, mailbox: MailboxId, now: Millis) -> Result<()> {
        self.drain(mailbox, None, now).await
    }

    /// Renames a mailbox and those below it. INBOX gives its messages to the new mailbox and stays (RFC 3501 §6.3.5).
    ///
    /// # Errors
    /// [`StoreError::NoSuchMailbox`], [`StoreError::SystemMailbox`], [`StoreError::MailboxExists`],
    /// [`StoreError::BadName`].
    pub async fn rename(&self, from: &str, to: &str, now: Millis) -> Result<()> {
        self.shared.house.hear(now);
        if from.eq_ignore_ascii_case("INBOX") {
            let made = self.create(to, None, now).await?;
            let inbox = self.mailbox_of(Role::Inbox).await?;
            return self.drain(inbox.id, Some(made.id), now).await;
        }
        let (from, to): (Arc<str>, Arc<str>) = (from.into(), to.into());
        self.shared
            .run(move |txn| {
                let (from, to) = (from.clone(), to.clone());
                Box::pin(async move { rename(txn, &from, &to) })
            })
            .await?;
        Ok(())
    }

    /// Calls a system mailbox something else, in the person's own language (wire §3.5: `[Gmail]/Bin`). `name` is its last
    /// level; the parent stays. INBOX has one name everywhere.
    ///
    /// # Errors
    /// [`StoreError::SystemMailbox`] for INBOX, [`StoreError::MailboxExists`], [`StoreError::BadName`].
    pub async fn call_system(&self, role: Role, name: &str) -> Result<()> {
        let name: Arc<str> = name.into();
        self.shared
            .run(move |txn| {
                let name = name.clone();
                Box::pin(async move { call_system(txn, role, &name) })
            })
            .await?;
        Ok(())
    }

    /// Subscribes or unsubscribes.
    ///
    /// # Errors
    /// [`StoreError::NoSuchMailbox`].
    pub async fn subscribe(&self, name: &str, on: bool) -> Result<()> {
        let name: Arc<str> = name.into();
        self.change_mailbox(name, move |mailbox| mailbox.subscribed = on)
            .await
    }

    /// Shows or hides a mailbox in IMAP (wire §3.6).
    ///
    /// # Errors
    /// [`StoreError::NoSuchMailbox`].
    pub async fn show(&self, name: &str, on: bool) -> Result<()> {
        let name: Arc<str> = name.into();
        self.change_mailbox(name, move |mailbox| mailbox.visible = on)
            .await
    }

    async fn change_mailbox(
        &self,
        name: Arc<str>,
        change: impl Fn(&mut Mailbox) + Send + Sync + 'static,
    ) -> Result<()> {
        let change = Arc::new(change);
        self.shared
            .run(move |txn| {
                let (name, change) = (name.clone(), change.clone());
                Box::pin(async move {
                    let record = txn.head()?.named(&name).ok_or(StoreError::NoSuchMailbox)?;
                    let mut new = record.mailbox.clone();
                    change(&mut new);
                    if new == record.mailbox {
                        return Ok(());
                    }
                    let mailbox = new.id;
                    txn.head_mut()?.mailbox_mut(mailbox)?.mailbox = new;
                    txn.log(Change::Mailbox { mailbox });
                    Ok(())
                })
            })
            .await?;
        Ok(())
    }

    /// Takes every message out of a mailbox, into another if there is one; a mailbox that is gone is then forgotten.
    async fn drain(&self, from: MailboxId, to: Option<MailboxId>, now: Millis) -> Result<()> {
        let shared = self.shared.clone();
        let work = async move {
            while shared
                .run(move |txn| Box::pin(drain_piece(txn, from, to, now)))
                .await?
                .1
            {
                // Others' operations come in between: this may be a mailbox of a million.
                tokio::task::yield_now().await;
            }
            Ok(())
        };
        let lost = |_| StoreError::Unavailable("the operation was interrupted".into());
        tokio::spawn(work).await.map_err(lost)?
    }
}

/// Makes a mailbox of a name that is not taken.
pub(super) fn make(txn: &mut Txn, name: &str, now: Millis) -> Result<MailboxId> {
    check_name(txn, name)?;
    let head = txn.head_mut()?;
    if head.mailboxes.len() >= MAILBOXES_MAX {
        return Err(StoreError::TooMany("mailboxes"));
    }
    let mailbox = head.add_mailbox(name, None, now);
    txn.log(Change::Mailbox { mailbox });
    Ok(mailbox)
}

fn check_name(txn: &Txn, name: &str) -> Result<()> {
    let bad = |why| Err(StoreError::BadName(why));
    if name.len() > NAME_BYTES_MAX {
        return bad("it is too long");
    }
    if name.split('/').any(str::is_empty) {
        return bad("a level of it is empty");
    }
    if name.chars().any(char::is_control) {
        return bad("it has a control character");
    }
    if name.starts_with('\\') {
        // wire §3.7
        return bad("it begins with a backslash");
    }
    let first = name.split('/').next().unwrap_or_default();
    if first.eq_ignore_ascii_case("INBOX") && first != "INBOX" {
        return bad("INBOX is written in capitals");
    }
    let naming = txn.head()?.numbers.naming;
    if naming == super::Naming::Gmail && first.eq_ignore_ascii_case("[Gmail]") {
        return bad("[Gmail] is the system's");
    }
    Ok(())
}

/// Makes a mailbox of the person's own vanish from all lists.
fn hide(txn: &mut Txn, name: &str) -> Result<MailboxId> {
    let record = txn.head()?.named(name).ok_or(StoreError::NoSuchMailbox)?;
    if record.mailbox.role.is_some() {
        return Err(StoreError::SystemMailbox);
    }
    let mailbox = record.mailbox.id;
    let head = txn.head_mut()?;
    head.mailbox_mut(mailbox)?.gone = true;
    Arc::make_mut(&mut head.names).remove(name);
    txn.log(Change::Mailbox { mailbox });
    Ok(mailbox)
}

/// Whether there is more to do.
async fn drain_piece(
    txn: &mut Txn,
    from: MailboxId,
    to: Option<MailboxId>,
    now: Millis,
) -> Result<bool> {
    if !txn.head()?.mailboxes.contains_key(&from) {
        return Ok(false);
    }
    let scan = Scan::prefix(keys::rows_of(keys::ROW, from)).limit(EMPTY_ROWS);
    let rows = txn.scan(scan).await?;
    for (_, value) in &rows {
        if txn.piece_full() {
            return Ok(true);
        }
        let row = PlaceRow::decode(value)?;
        let Some(mut edit) = Edit::of(txn, row.message).await? else {
            return Err(StoreError::Corrupt("a mailbox row without a message"));
        };
        if let Some(to) = to {
            edit.add(txn, to)?;
        }
        edit.remove(txn, from)?;
        edit.finish(txn, now)?;
    }
    if rows.len() == EMPTY_ROWS {
        return Ok(true);
    }
    let head = txn.head_mut()?;
    if head.mailboxes.get(&from).is_some_and(|record| record.gone) {
        Arc::make_mut(&mut head.mailboxes).remove(&from);
    }
    Ok(false)
}

fn rename(txn: &mut Txn, from: &str, to: &str) -> Result<()> {
    let moved = moves(txn, from, to)?;
    let head = txn.head()?;
    for (id, _, new) in &moved {
        if head.role(*id).is_some() {
            return Err(StoreError::SystemMailbox);
        }
        check_name(txn, new)?;
    }
    move_names(txn, moved)
}

fn call_system(txn: &mut Txn, role: Role, name: &str) -> Result<()> {
    if role == Role::Inbox {
        return Err(StoreError::SystemMailbox);
    }
    if name.contains('/') {
        return Err(StoreError::BadName("it has more than one level"));
    }
    check_name(txn, name)?;
    let head = txn.head()?;
    let from = head.mailbox(head.of_role(role))?.mailbox.name.clone();
    let to = match from.rsplit_once('/') {
        Some((parent, _)) => format!("{parent}/{name}"),
        None => name.into(),
    };
    if *from == *to {
        return Ok(());
    }
    let moved = moves(txn, &from, &to)?;
    move_names(txn, moved)
}

/// A mailbox, its name, and its new one.
type Move = (MailboxId, Arc<str>, Arc<str>);

/// What a mailbox and those below it will be called.
fn moves(txn: &Txn, from: &str, to: &str) -> Result<Vec<Move>> {
    let head = txn.head()?;
    let below = format!("{from}/");
    let moved: Vec<Move> = head
        .names
        .iter()
        .filter(|(name, _)| ***name == *from || name.starts_with(&below))
        .map(|(name, id)| {
            (
                *id,
                name.clone(),
                format!("{to}{}", &name[from.len()..]).into(),
            )
        })
        .collect();
    if moved.is_empty() {
        return Err(StoreError::NoSuchMailbox);
    }
    for (_, _, new) in &moved {
        let taken = head.named(new).map(|record| record.mailbox.id);
        if taken.is_some_and(|id| moved.iter().all(|moved| moved.0 != id)) || from == to {
            return Err(StoreError::MailboxExists);
        }
    }
    Ok(moved)
}

fn move_names(txn: &mut Txn, moved: Vec<Move>) -> Result<()> {
    let head = txn.head_mut()?;
    let names = Arc::make_mut(&mut head.names);
    for (_, old, _) in &moved {
        names.remove(old);
    }
    for (id, _, new) in &moved {
        names.insert(new.clone(), *id);
    }
    for (mailbox, _, new) in moved {
        txn.head_mut()?.mailbox_mut(mailbox)?.mailbox.name = new;
        txn.log(Change::Mailbox { mailbox });
    }
    Ok(())
}
