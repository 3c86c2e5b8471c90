//! Verifying what is stored: every row against every other that says the same, and every body's checksum.

use std::collections::{BTreeMap, HashMap, HashSet};

use bytes::Bytes;
use pillarbox_message::FactsView;

use super::{
    AccountId, MailboxId, MessageId, Role, Store, StoreError, SystemFlags, Uid,
    codec::{Meta, PlaceRow},
    head::Head,
    keys, unavailable,
};
use crate::engine::{Row as Stored, Scan, Version};

type Result<T> = std::result::Result<T, StoreError>;

/// Facts read at a time.
const STEP: usize = 500;

/// What [`Store::check`] found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Accounts looked through.
    pub accounts: u64,
    /// Messages, tombstones included.
    pub messages: u64,
    /// Bodies whose checksum was compared.
    pub bodies: u64,
    /// One sentence for each thing that is wrong.
    pub problems: Vec<String>,
}

impl Store {
    /// Verifies every account and every body. `progress` is told accounts done so far, and problems found so far. Mail may
    /// go in and out meanwhile.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if the accounts or bodies cannot even be listed; what is wrong is in the report.
    pub async fn check(&self, progress: &mut (dyn FnMut(u64, u64) + Send)) -> Result<Report> {
        let mut report = Report::default();
        let rows = self.house.engine.check(Box::new(|_| {})).await;
        report.problems.extend(rows.map_err(unavailable)?.problems);
        let mut after = None;
        loop {
            let (ids, next) = self.people(after.as_ref()).await?;
            for id in ids {
                if let Err(why) = self.check_account(&id, &mut report).await {
                    report.problems.push(format!("account {}: {why}", id.0));
                }
                report.accounts += 1;
                progress(report.accounts, report.problems.len() as u64);
            }
            match next {
                Some(_) => after = next,
                None => break,
            }
        }
        let bodies = self.house.blobs.check(Box::new(|_, _| {})).await;
        let bodies = bodies.map_err(|why| StoreError::Unavailable(why.to_string()))?;
        report.bodies = bodies.blobs;
        report.problems.extend(bodies.problems);
        Ok(report)
    }

    async fn check_account(&self, id: &AccountId, report: &mut Report) -> Result<()> {
        let account = self.account(id);
        let [head_rows, mailbox_rows] = Head::scans();
        let scans = [
            head_rows,
            mailbox_rows,
            Scan::prefix(keys::one(keys::ROW)),
            Scan::prefix(keys::one(keys::MESSAGE)),
            Scan::prefix(keys::one(keys::MESSAGE_ID)),
        ];
        let key = account.shared.key()?;
        let read = self.house.engine.read_many(key, &scans, 0).await;
        let (version, found) = read.map_err(unavailable)?;
        let Ok([head, mailboxes, rows, messages, ids]) = <[_; 5]>::try_from(found) else {
            return Err(StoreError::Corrupt("answer of the engine"));
        };
        let head = Head::of_rows(version, head.into_iter().chain(mailboxes))?;
        let Some(head) = head.filter(|head| !head.numbers.removed) else {
            // Half made or half removed: nobody can reach it, and either is completed later.
            return Ok(());
        };
        let mut looking = Looking {
            account: head.address.to_string(),
            version,
            head: &head,
            metas: BTreeMap::new(),
            places: HashMap::new(),
            problems: &mut report.problems,
        };
        looking.read_messages(&messages)?;
        looking.rows(&rows)?;
        looking.messages(&ids);
        report.messages += looking.metas.len() as u64;
        let metas = std::mem::take(&mut looking.metas);
        self.check_bodies(&head, &metas, report).await?;
        self.check_facts(id, &head, &metas, report).await?;
        let listing = self.listing(&head.address).await?;
        if listing.is_none_or(|listing| listing.account != id.0) {
            let address = &head.address;
            report
                .problems
                .push(format!("account {address}: the directory leads elsewhere"));
        }
        Ok(())
    }

    async fn check_bodies(
        &self,
        head: &Head,
        metas: &BTreeMap<MessageId, Meta>,
        report: &mut Report,
    ) -> Result<()> {
        for (id, meta) in metas {
            let wrong = match self.house.blobs.stat(meta.blob).await {
                Ok(Some(stat)) if stat.bytes == u64::from(meta.size) => continue,
                Ok(Some(stat)) => format!("its body has {} bytes, not {}", stat.bytes, meta.size),
                Ok(None) => format!("its body, {}, is missing", meta.blob),
                Err(why) => why.to_string(),
            };
            let address = &head.address;
            report
                .problems
                .push(format!("account {address}: message {:x}: {wrong}", id.0));
        }
        Ok(())
    }

    async fn check_facts(
        &self,
        id: &AccountId,
        head: &Head,
        metas: &BTreeMap<MessageId, Meta>,
        report: &mut Report,
    ) -> Result<()> {
        let account = self.account(id);
        let mut seen: HashMap<MessageId, Vec<Bytes>> = HashMap::new();
        let mut problem = |id: MessageId, what: &str| {
            let address = &head.address;
            let text = format!("account {address}: message {:x}: {what}", id.0);
            report.problems.push(text);
        };
        let mut scan = Scan::prefix(keys::one(keys::FACTS)).limit(STEP);
        loop {
            let rows = account.raw(scan.clone()).await?;
            for (key, value) in &rows {
                let id = keys::message_of(key).ok_or(StoreError::Corrupt("key of facts"))?;
                // Stored since the snapshot, or nobody's?
                match metas.get(&id) {
                    Some(meta) if meta.fact_pieces == 1 => {
                        seen.insert(id, Vec::new());
                        if FactsView::new(value).is_err() {
                            problem(id, "its facts cannot be read");
                        }
                    }
                    Some(_) => seen.entry(id).or_default().push(value.clone()),
                    None if account.metas(&[id]).await?[0].is_none() => {
                        problem(id, "its facts are left, it is not");
                    }
                    None => {}
                }
            }
            match rows.last() {
                Some((last, _)) if rows.len() == STEP => scan = scan.after(last),
                _ => break,
            }
        }
        for (id, meta) in metas {
            match seen.get(id) {
                Some(pieces) if meta.fact_pieces > 1 => {
                    if FactsView::new(&pieces.concat()).is_err() {
                        problem(*id, "its facts cannot be read");
                    }
                }
                Some(_) => {}
                None if meta.fact_pieces == 0 => {}
                // Purged since the snapshot?
                None if account.metas(&[*id]).await?[0].is_none() => {}
                None => problem(*id, "its facts are missing"),
            }
        }
        Ok(())
    }
}

/// One account as one snapshot shows it.
struct Looking<'a> {
    account: String,
    version: Version,
    head: &'a Head,
    metas: BTreeMap<MessageId, Meta>,
    /// Rows that exist.
    places: HashMap<(MailboxId, Uid), MessageId>,
    problems: &'a mut Vec<String>,
}

/// A mailbox's counts as its rows give them.
#[derive(Default, PartialEq, Eq, Debug)]
struct Counts {
    messages: u32,
    unseen: u32,
    deleted: u32,
    bytes: u64,
}

impl Looking<'_> {
    fn problem(&mut self, what: String) {
        self.problems
            .push(format!("account {}: {what}", self.account));
    }

    fn read_messages(&mut self, messages: &[Stored]) -> Result<()> {
        for stored in messages {
            let id = keys::message_of(&stored.key).ok_or(StoreError::Corrupt("message key"))?;
            match Meta::decode(&stored.value) {
                Ok(meta) => {
                    self.metas.insert(id, meta);
                }
                Err(why) => self.problem(format!("message {:x}: {why}", id.0)),
            }
        }
        Ok(())
    }

    fn rows(&mut self, rows: &[Stored]) -> Result<()> {
        let mut counts: BTreeMap<MailboxId, Counts> = BTreeMap::new();
        for stored in rows {
            let place = keys::mailbox_of(&stored.key).zip(keys::uid_of(&stored.key));
            let (mailbox, uid) = place.ok_or(StoreError::Corrupt("row key"))?;
            let row = match PlaceRow::decode(&stored.value) {
                Ok(row) => row,
                Err(why) => {
                    self.problem(format!("mailbox {} UID {}: {why}", mailbox.0, uid.0));
                    continue;
                }
            };
            let counts = counts.entry(mailbox).or_default();
            counts.messages += 1;
            counts.unseen += u32::from(row.system.0 & SystemFlags::SEEN == 0);
            counts.deleted += u32::from(row.system.0 & SystemFlags::DELETED != 0);
            counts.bytes += u64::from(row.size);
            self.places.insert((mailbox, uid), row.message);
            if let Some(wrong) = self.wrong_with(mailbox, uid, &row) {
                self.problem(format!("mailbox {} UID {}: {wrong}", mailbox.0, uid.0));
            }
        }
        let head = self.head;
        for (id, record) in head.mailboxes.iter() {
            let found = counts.remove(id).unwrap_or_default();
            let m = &record.mailbox;
            let kept = Counts {
                messages: m.messages,
                unseen: m.unseen,
                deleted: m.deleted,
                bytes: m.bytes,
            };
            if found != kept {
                let name = &m.name;
                self.problem(format!("mailbox {name}: counts {kept:?}, holds {found:?}"));
            }
        }
        Ok(())
    }

    fn wrong_with(&self, mailbox: MailboxId, uid: Uid, row: &PlaceRow) -> Option<&'static str> {
        let Some(record) = self.head.mailboxes.get(&mailbox) else {
            return Some("there is no such mailbox");
        };
        let Some(meta) = self.metas.get(&row.message) else {
            return Some("its message is missing");
        };
        let shared = row.system.0 & !SystemFlags::DELETED;
        let checks = [
            (uid < record.mailbox.uid_next, "it is not below UIDNEXT"),
            (row.modseq <= self.version, "it is of the future"),
            (meta.died.is_none(), "its message is expunged"),
            (
                meta.places.contains(&(mailbox, uid)),
                "its message does not know of it",
            ),
            (shared == meta.system.0, "its flags are not its message's"),
            (
                row.keywords == meta.keywords,
                "its keywords are not its message's",
            ),
            (
                row.size == meta.size && row.thread == meta.thread,
                "its size or thread is not its message's",
            ),
            (
                self.head.keywords.names(&row.keywords).is_some(),
                "it has a keyword that nobody knows",
            ),
        ];
        checks.iter().find(|(good, _)| !good).map(|check| check.1)
    }

    fn messages(&mut self, ids: &[Stored]) {
        let index: HashSet<&[u8]> = ids.iter().map(|row| row.key.as_ref()).collect();
        let (mut octets, mut messages) = (0, 0);
        let mut wrong = Vec::new();
        for (id, meta) in &self.metas {
            for (mailbox, uid) in &meta.places {
                if self.places.get(&(*mailbox, *uid)) != Some(id) {
                    wrong.push(format!(
                        "message {:x}: its row in mailbox {} is missing",
                        id.0, mailbox.0
                    ));
                }
            }
            if meta.died.is_some() {
                continue;
            }
            octets += u64::from(meta.size);
            messages += 1;
            if let Some(digest) = &meta.message_id
                && !index.contains(keys::message_id(digest, *id).as_ref())
            {
                wrong.push(format!("message {:x}: not found by its Message-ID", id.0));
            }
            if !self.keeps_rules(meta) {
                wrong.push(format!("message {:x}: its labels break the rules", id.0));
            }
        }
        let numbers = &self.head.numbers;
        if (numbers.octets, numbers.messages) != (octets, messages) {
            let (o, m) = (numbers.octets, numbers.messages);
            wrong.push(format!(
                "usage says {m} messages of {o} octets, there are {messages} of {octets}"
            ));
        }
        for what in wrong {
            self.problem(what);
        }
    }

    fn keeps_rules(&self, meta: &Meta) -> bool {
        let is_in = |role| {
            let mailbox = self.head.of_role(role);
            meta.places.iter().any(|place| place.0 == mailbox)
        };
        if is_in(Role::Trash) || is_in(Role::Junk) {
            return meta.places.len() == 1;
        }
        let flagged = meta.system.0 & SystemFlags::FLAGGED != 0;
        is_in(Role::All) && is_in(Role::Starred) == flagged
    }
}
