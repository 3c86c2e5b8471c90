//! The part of an account that its writer keeps in memory: numbers, settings, mailboxes, keywords.
//!
//! A [`Head`] is of one version. The writer changes a copy and writes what differs with its commit; readers use the last
//! committed one while it is the newest.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use bytes::Bytes;

use super::{
    LastLabel, Mailbox, MailboxId, Millis, Naming, PopDisposition, PopWindow, Role, Settings,
    StoreError, Uid, Version,
    codec::{self, KeywordIds, MailboxRecord, Put, ROLES, Take},
    keys,
};
use crate::engine::{AccountKey, Engine, Row as Stored, Scan};

/// Keywords one account may ever use: each costs memory in every node that serves it.
pub(super) const KEYWORDS_MAX: usize = 4_096;
/// Octets of one keyword.
pub(super) const KEYWORD_BYTES_MAX: usize = 255;
/// Mailboxes of one account: all are kept in memory.
pub(super) const MAILBOXES_MAX: usize = 10_000;

/// Everything that is kept in memory. Cheap to clone: the large parts are shared until changed.
#[derive(Clone, Debug)]
pub(super) struct Head {
    pub(super) version: Version,
    pub(super) numbers: Numbers,
    pub(super) settings: Settings,
    pub(super) address: Arc<str>,
    pub(super) mailboxes: Arc<BTreeMap<MailboxId, Arc<MailboxRecord>>>,
    pub(super) names: Arc<HashMap<Arc<str>, MailboxId>>,
    pub(super) keywords: Arc<Keywords>,
}

/// The head's own row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Numbers {
    pub(super) naming: Naming,
    /// Being removed: nothing may be done any more.
    pub(super) removed: bool,
    pub(super) created: Millis,
    pub(super) next_mailbox: u32,
    pub(super) next_uid_validity: u32,
    pub(super) octets: u64,
    pub(super) messages: u64,
    /// No message with a lower id is still to be popped.
    pub(super) pop_from: u64,
    /// Counts messages ever made; its low bits make ids of one millisecond differ.
    pub(super) made: u64,
}

impl Numbers {
    pub(super) fn encode(&self) -> Bytes {
        Put::form()
            .bool(self.naming == Naming::Gmail)
            .bool(self.removed)
            .i64(self.created)
            .u32(self.next_mailbox)
            .u32(self.next_uid_validity)
            .u64(self.octets)
            .u64(self.messages)
            .u64(self.pop_from)
            .u64(self.made)
            .done()
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, StoreError> {
        let mut take = Take::form(bytes, "head")?;
        let numbers = Self {
            naming: if take.bool()? {
                Naming::Gmail
            } else {
                Naming::Plain
            },
            removed: take.bool()?,
            created: take.i64()?,
            next_mailbox: take.u32()?,
            next_uid_validity: take.u32()?,
            octets: take.u64()?,
            messages: take.u64()?,
            pop_from: take.u64()?,
            made: take.u64()?,
        };
        take.end()?;
        Ok(numbers)
    }
}

/// Keywords by id and by name.
#[derive(Clone, Debug, Default)]
pub(super) struct Keywords {
    spelled: Vec<Arc<str>>,
    ids: HashMap<String, u16>,
}

impl Keywords {
    fn push(&mut self, spelled: &str) -> u16 {
        let id = u16::try_from(self.spelled.len()).unwrap_or(u16::MAX);
        self.spelled.push(spelled.into());
        self.ids.insert(spelled.to_ascii_lowercase(), id);
        id
    }

    pub(super) fn all(&self) -> &[Arc<str>] {
        &self.spelled
    }

    pub(super) fn len(&self) -> usize {
        self.spelled.len()
    }

    pub(super) fn spelled(&self, id: u16) -> Option<&Arc<str>> {
        self.spelled.get(usize::from(id))
    }

    /// Whether all ids have names.
    pub(super) fn know(&self, ids: &[u16]) -> bool {
        ids.iter().all(|id| self.spelled(*id).is_some())
    }

    /// Names of ids, sorted; `None` if one is not known (yet).
    pub(super) fn names(&self, ids: &[u16]) -> Option<Vec<Arc<str>>> {
        let mut names = Vec::with_capacity(ids.len());
        for id in ids {
            names.push(self.spelled(*id)?.clone());
        }
        names.sort_unstable();
        Some(names)
    }
}

impl Head {
    /// The scans that [`Head::of_rows`] wants.
    pub(super) fn scans() -> [Scan; 2] {
        [
            Scan::range(keys::one(keys::HEAD), keys::one(keys::KEYWORD + 1)),
            Scan::prefix(keys::one(keys::MAILBOX)),
        ]
    }

    /// Reads the head of `account` at its newest version; `None` if there is no such account.
    pub(super) async fn read(
        engine: &dyn Engine,
        account: &AccountKey,
        at_least: Version,
    ) -> Result<(Version, Option<Self>), StoreError> {
        let (version, rows) = engine
            .read_many(account, &Self::scans(), at_least)
            .await
            .map_err(super::unavailable)?;
        let head = Self::of_rows(version, rows.into_iter().flatten())?;
        Ok((version, head))
    }

    pub(super) fn of_rows(
        version: Version,
        rows: impl IntoIterator<Item = Stored>,
    ) -> Result<Option<Self>, StoreError> {
        const CORRUPT: StoreError = StoreError::Corrupt("head");
        let (mut numbers, mut address, mut keywords) = (None, None, Keywords::default());
        let (mut settings, mut mailboxes) = (default_settings(), BTreeMap::new());
        for row in rows {
            let (kind, rest) = row.key.split_first().ok_or(CORRUPT)?;
            match *kind {
                keys::HEAD => numbers = Some(Numbers::decode(&row.value)?),
                keys::SETTINGS => settings = codec::decode_settings(&row.value)?,
                keys::ADDRESS if row.value.as_ref() == [0] => {
                    address = Some(std::str::from_utf8(rest).map_err(|_| CORRUPT)?.into());
                }
                keys::KEYWORD => {
                    let spelled = std::str::from_utf8(&row.value).map_err(|_| CORRUPT)?;
                    if keys::keyword(keywords.push(spelled)) != row.key {
                        return Err(CORRUPT);
                    }
                }
                keys::MAILBOX => {
                    let id = keys::mailbox_of(&row.key).ok_or(CORRUPT)?;
                    mailboxes.insert(id, Arc::new(MailboxRecord::decode(id, &row.value)?));
                }
                _ => {}
            }
        }
        let Some(numbers) = numbers else {
            return Ok(None);
        };
        let names = mailboxes
            .values()
            .filter(|record| !record.gone)
            .map(|record| (record.mailbox.name.clone(), record.mailbox.id))
            .collect();
        Ok(Some(Self {
            version,
            numbers,
            settings,
            address: address.ok_or(CORRUPT)?,
            mailboxes: Arc::new(mailboxes),
            names: Arc::new(names),
            keywords: Arc::new(keywords),
        }))
    }

    /// A new account's head, of version 0.
    pub(super) fn new(address: &str, naming: Naming, now: Millis) -> Self {
        let mut head = Self {
            version: 0,
            numbers: Numbers {
                naming,
                removed: false,
                created: now,
                next_mailbox: 1,
                next_uid_validity: u32::try_from(now / 1000).unwrap_or(1).max(1),
                octets: 0,
                messages: 0,
                pop_from: 0,
                made: 0,
            },
            settings: default_settings(),
            address: address.into(),
            mailboxes: Arc::default(),
            names: Arc::default(),
            keywords: Arc::default(),
        };
        for role in ROLES {
            head.add_mailbox(&system_name(role, naming), Some(role), now);
        }
        head
    }

    /// Adds a mailbox whose name has been checked.
    pub(super) fn add_mailbox(&mut self, name: &str, role: Option<Role>, now: Millis) -> MailboxId {
        let id = MailboxId(self.numbers.next_mailbox);
        let record = MailboxRecord {
            mailbox: Mailbox {
                id,
                name: name.into(),
                role,
                uid_validity: self.numbers.next_uid_validity,
                uid_next: Uid(1),
                messages: 0,
                unseen: 0,
                deleted: 0,
                bytes: 0,
                highest_modseq: self.version + 1,
                subscribed: true,
                visible: true,
                created: now,
            },
            gone: false,
            recent: Uid(1),
        };
        self.numbers.next_mailbox += 1;
        self.numbers.next_uid_validity += 1;
        Arc::make_mut(&mut self.names).insert(record.mailbox.name.clone(), id);
        Arc::make_mut(&mut self.mailboxes).insert(id, Arc::new(record));
        id
    }

    /// A mailbox that is not being deleted.
    pub(super) fn mailbox(&self, id: MailboxId) -> Result<&MailboxRecord, StoreError> {
        match self.mailboxes.get(&id) {
            Some(record) if !record.gone => Ok(record),
            _ => Err(StoreError::NoSuchMailbox),
        }
    }

    /// A mailbox to be changed, also one that is being deleted.
    pub(super) fn mailbox_mut(&mut self, id: MailboxId) -> Result<&mut MailboxRecord, StoreError> {
        Arc::make_mut(&mut self.mailboxes)
            .get_mut(&id)
            .map(Arc::make_mut)
            .ok_or(StoreError::NoSuchMailbox)
    }

    /// The mailbox of a name; INBOX without regard to case (RFC 3501 §5.1).
    pub(super) fn named(&self, name: &str) -> Option<&MailboxRecord> {
        let name = if name.eq_ignore_ascii_case("INBOX") {
            "INBOX"
        } else {
            name
        };
        self.mailboxes.get(self.names.get(name)?).map(AsRef::as_ref)
    }

    pub(super) fn role(&self, id: MailboxId) -> Option<Role> {
        self.mailboxes.get(&id)?.mailbox.role
    }

    /// The mailbox of a role. System mailboxes are made first and in the order of [`ROLES`], and never go.
    pub(super) fn of_role(&self, role: Role) -> MailboxId {
        MailboxId(u32::from(codec::role_number(role)))
    }

    /// The id of a keyword, if it was ever used.
    pub(super) fn keyword(&self, name: &str) -> Option<u16> {
        self.keywords.ids.get(&name.to_ascii_lowercase()).copied()
    }

    /// Ids of keywords, ascending, adding those that are new.
    pub(super) fn keyword_ids(&mut self, names: &[Arc<str>]) -> Result<KeywordIds, StoreError> {
        let mut ids = Vec::with_capacity(names.len());
        for name in names {
            ids.push(match self.keyword(name) {
                Some(id) => id,
                None if name.is_empty() || name.len() > KEYWORD_BYTES_MAX => {
                    return Err(StoreError::TooMany("octets in a keyword"));
                }
                None if self.keywords.len() >= KEYWORDS_MAX => {
                    return Err(StoreError::TooMany("keywords"));
                }
                None => Arc::make_mut(&mut self.keywords).push(name),
            });
        }
        ids.sort_unstable();
        ids.dedup();
        Ok(ids)
    }

    /// Puts for everything in which this head differs from `old`, or for all of it.
    pub(super) fn differences(&self, old: Option<&Self>) -> Vec<(Bytes, Option<Bytes>)> {
        let mut puts = Vec::new();
        if old.is_none_or(|old| old.numbers != self.numbers) {
            puts.push((keys::one(keys::HEAD), Some(self.numbers.encode())));
        }
        if old.is_none_or(|old| old.settings != self.settings) {
            let settings = codec::encode_settings(&self.settings);
            puts.push((keys::one(keys::SETTINGS), Some(settings)));
        }
        if old.is_none_or(|old| old.address != self.address) {
            let primary = Bytes::from_static(&[0]);
            puts.push((keys::address(&self.address), Some(primary)));
        }
        for (id, spelled) in (0..).zip(&self.keywords.spelled) {
            if usize::from(id) >= old.map_or(0, |old| old.keywords.len()) {
                let value = Bytes::copy_from_slice(spelled.as_bytes());
                puts.push((keys::keyword(id), Some(value)));
            }
        }
        let old = old.map(|old| &old.mailboxes);
        if old.is_some_and(|old| Arc::ptr_eq(old, &self.mailboxes)) {
            return puts;
        }
        for (id, record) in self.mailboxes.iter() {
            let was = old.and_then(|old| old.get(id));
            if was.is_none_or(|was| !Arc::ptr_eq(was, record)) {
                puts.push((keys::mailbox(*id), Some(record.encode())));
            }
        }
        for id in old.iter().flat_map(|old| old.keys()) {
            if !self.mailboxes.contains_key(id) {
                puts.push((keys::mailbox(*id), None));
            }
        }
        puts
    }
}

/// What a new account starts with: wire §3.6 and §4.4, and all mail by POP.
pub(super) fn default_settings() -> Settings {
    Settings {
        imap_enabled: true,
        auto_expunge: false,
        last_label: LastLabel::Archive,
        folder_limit: None,
        pop_window: PopWindow::All,
        pop_disposition: PopDisposition::Keep,
        quota: None,
        suspended: false,
    }
}

/// How a system mailbox is called (wire §3.5, or without its parent).
fn system_name(role: Role, naming: Naming) -> String {
    let name = match role {
        Role::Inbox => return "INBOX".into(),
        Role::All => "All Mail",
        Role::Drafts => "Drafts",
        Role::Important => "Important",
        Role::Sent => "Sent Mail",
        Role::Junk => "Spam",
        Role::Starred => "Starred",
        Role::Trash => "Trash",
    };
    match naming {
        Naming::Gmail => format!("[Gmail]/{name}"),
        Naming::Plain => name.into(),
    }
}
