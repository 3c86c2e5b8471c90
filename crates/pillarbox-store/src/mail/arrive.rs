//! Messages that come in: APPEND and delivery, their thread, and the bytes that are stored already.

use std::{
    collections::BTreeSet,
    sync::{Arc, atomic::Ordering},
};

use bytes::Bytes;
use pillarbox_message::FactsView;

use super::{
    Account, Appended, MailboxId, MessageId, Millis, NewMessage, Role, StoreError, SystemFlags,
    ThreadId, Uid,
    codec::{self, Delivered, Meta},
    edit::Edit,
    keys::{self, Digest16},
    txn::Txn,
};
use crate::engine::Scan;

type Result<T> = std::result::Result<T, StoreError>;

/// Keywords of one message: each row of it carries them.
pub(super) const MESSAGE_KEYWORDS_MAX: usize = 64;
/// Ids of References and In-Reply-To that are looked up, the nearest: each costs a row.
const MENTIONS_MAX: usize = 20;
/// Octets of one row of facts.
const FACTS_PIECE_BYTES: usize = 60_000;
/// Octets of all facts of one message: they must fit one commit.
const FACTS_BYTES_MAX: usize = 600_000;
/// Messages of one Message-ID that are compared with a new one.
const SAME_ID_MAX: usize = 16;
/// Bits of an id that tell messages of one millisecond apart.
const UNIQUE_BITS: u32 = 20;

impl Account {
    /// Stores a message in a mailbox. Bytes that are already stored under the same Message-ID only get the label
    /// (wire §3.9).
    ///
    /// # Errors
    /// [`StoreError::NoSuchMailbox`], [`StoreError::OverQuota`], [`StoreError::TooMany`].
    pub async fn append(&self, mailbox: MailboxId, message: NewMessage) -> Result<Appended> {
        let arrival = Arc::new(Arrival::new(message)?);
        self.arrive(move |txn| {
            let arrival = arrival.clone();
            Box::pin(async move {
                txn.head()?.mailbox(mailbox)?;
                arrival.append(txn, mailbox).await
            })
        })
        .await
    }

    /// Stores a message in system mailboxes; the answer is of the first role. The same `dedup` within 7 days answers as the
    /// first time. A message for Sent counts as popped (wire §4.4), and is not stored twice.
    ///
    /// # Errors
    /// [`StoreError::OverQuota`], [`StoreError::TooMany`].
    pub async fn deliver(
        &self,
        roles: &[Role],
        message: NewMessage,
        dedup: Option<[u8; 32]>,
    ) -> Result<Appended> {
        let clock = &self.shared.house.clock;
        clock.fetch_max(message.received, Ordering::Relaxed);
        let arrival = Arc::new(Arrival::new(message)?);
        let roles: Arc<[Role]> = roles.into();
        self.arrive(move |txn| {
            let (arrival, roles) = (arrival.clone(), roles.clone());
            Box::pin(async move { arrival.deliver(txn, &roles, dedup).await })
        })
        .await
    }

    async fn arrive(
        &self,
        run: impl for<'a> FnMut(&'a mut Txn) -> super::writer::Boxed<'a, Result<Landed>>
        + Send
        + 'static,
    ) -> Result<Appended> {
        let (version, landed) = self.shared.run(run).await?;
        Ok(Appended {
            version,
            uid_validity: landed.uid_validity,
            uid: landed.uid,
            message: landed.message,
        })
    }
}

struct Landed {
    uid_validity: u32,
    uid: Uid,
    message: MessageId,
}

/// A message on its way in, with what threads need to know of it.
struct Arrival {
    new: NewMessage,
    message_id: Option<Digest16>,
    /// Ids it answers, the nearest first.
    answers: Vec<Digest16>,
    /// Its base subject, and whether that is one of a reply.
    subject: Option<Digest16>,
    is_reply: bool,
    sent: Option<Millis>,
}

/// The first half of a BLAKE3: enough that nobody finds two of one digest.
fn digest(text: &[u8]) -> Digest16 {
    let mut digest = [0; 16];
    digest.copy_from_slice(&blake3::hash(text).as_bytes()[..16]);
    digest
}

/// Key of a Message-ID. Its left side may differ in case, but no two ids do so only.
pub(super) fn message_id_digest(id: &str) -> Digest16 {
    digest(id.trim().as_bytes())
}

impl Arrival {
    fn new(new: NewMessage) -> Result<Self> {
        if new.facts.len() > FACTS_BYTES_MAX {
            return Err(StoreError::TooMany("octets of facts"));
        }
        if new.flags.keywords.len() > MESSAGE_KEYWORDS_MAX {
            return Err(StoreError::TooMany("keywords of one message"));
        }
        let facts = FactsView::new(&new.facts).map_err(|_| StoreError::Corrupt("facts"))?;
        let message_id = facts.message_id().map(|id| message_id_digest(&id));
        let references = facts.references();
        let mut answers = Vec::new();
        // The nearest ancestor is the last of References; In-Reply-To stands in where there are none (RFC 5256).
        for id in references.iter().rev().chain(&facts.in_reply_to()) {
            let digest = message_id_digest(id);
            if answers.len() < MENTIONS_MAX
                && Some(digest) != message_id
                && !answers.contains(&digest)
            {
                answers.push(digest);
            }
        }
        let base = facts.base_subject();
        let subject = base.text.trim().to_lowercase();
        Ok(Self {
            message_id,
            answers,
            subject: (!subject.is_empty()).then(|| digest(subject.as_bytes())),
            is_reply: base.is_reply,
            sent: facts.date().and_then(|date| date.unix.checked_mul(1000)),
            new,
        })
    }

    async fn append(&self, txn: &mut Txn, mailbox: MailboxId) -> Result<Landed> {
        self.read_ahead(txn, None).await?;
        match self.stored_already(txn, mailbox).await? {
            Some(edit) => self.relabel(txn, edit, &[mailbox]),
            None => self.store(txn, &[mailbox], false).await,
        }
    }

    async fn deliver(
        &self,
        txn: &mut Txn,
        roles: &[Role],
        dedup: Option<[u8; 32]>,
    ) -> Result<Landed> {
        self.read_ahead(txn, dedup.as_ref()).await?;
        if let Some(dedup) = &dedup
            && let Some(row) = txn.get(&keys::dedup(dedup)).await?
        {
            let first = Delivered::decode(&row)?;
            return Ok(Landed {
                uid_validity: first.uid_validity,
                uid: first.uid,
                message: first.message,
            });
        }
        let head = txn.head()?;
        let mut into: Vec<MailboxId> = roles.iter().map(|role| head.of_role(*role)).collect();
        if into.is_empty() {
            into.push(head.of_role(Role::Inbox));
        }
        let sent = roles.contains(&Role::Sent);
        let stored = if sent {
            self.stored_already(txn, into[0]).await?
        } else {
            None
        };
        let landed = match stored {
            Some(mut edit) => {
                edit.meta.popped = true;
                self.relabel(txn, edit, &into)?
            }
            None => self.store(txn, &into, sent).await?,
        };
        if let Some(dedup) = &dedup {
            let row = Delivered {
                at: txn.clock,
                message: landed.message,
                uid_validity: landed.uid_validity,
                uid: landed.uid,
            };
            txn.put(keys::dedup(dedup), row.encode());
        }
        Ok(landed)
    }

    /// A living message of the same Message-ID and bytes that may get this label: not across the border of Trash and Spam,
    /// and not if it is there and about to be expunged.
    async fn stored_already(&self, txn: &mut Txn, mailbox: MailboxId) -> Result<Option<Edit>> {
        let Some(message_id) = &self.message_id else {
            return Ok(None);
        };
        let scan = Scan::prefix(keys::message_ids(message_id)).limit(SAME_ID_MAX);
        for (key, _) in txn.scan(scan).await? {
            let id = keys::message_at_end(&key).ok_or(StoreError::Corrupt("Message-ID row"))?;
            let meta = txn.meta(id).await?;
            if meta.is_none_or(|meta| meta.digest != self.new.digest || meta.died.is_some()) {
                continue;
            }
            let Some(edit) = Edit::of(txn, id).await? else {
                continue;
            };
            let confines = matches!(txn.head()?.role(mailbox), Some(Role::Trash | Role::Junk));
            let there = edit.row(mailbox);
            let reachable = there.is_some() || (!confines && !edit.confined(txn)?);
            let expunging = there.is_some_and(|row| row.system.0 & SystemFlags::DELETED != 0);
            if reachable && !expunging {
                return Ok(Some(edit));
            }
        }
        Ok(None)
    }

    fn relabel(&self, txn: &mut Txn, mut edit: Edit, into: &[MailboxId]) -> Result<Landed> {
        let id = edit.id;
        for mailbox in into {
            edit.add(txn, *mailbox)?;
        }
        edit.meta.system.0 |= self.new.flags.system.0;
        let keywords = txn.head_mut()?.keyword_ids(&self.new.flags.keywords)?;
        let all: BTreeSet<u16> = edit.meta.keywords.iter().copied().chain(keywords).collect();
        edit.meta.keywords = all.into_iter().collect();
        if edit.meta.keywords.len() > MESSAGE_KEYWORDS_MAX {
            return Err(StoreError::TooMany("keywords of one message"));
        }
        self.land(txn, edit, into, id)
    }

    async fn store(&self, txn: &mut Txn, into: &[MailboxId], popped: bool) -> Result<Landed> {
        room_for(txn, u64::from(self.new.size))?;
        let id = unused_id(txn, self.new.received).await?;
        let thread = self.thread(txn, id).await?;
        let pieces = put_facts(txn, id, &self.new.facts);
        let keywords = txn.head_mut()?.keyword_ids(&self.new.flags.keywords)?;
        let meta = Meta {
            thread,
            blob: self.new.blob,
            digest: self.new.digest,
            size: self.new.size,
            received: self.new.received,
            sent: self.sent,
            system: self.new.flags.system,
            popped,
            died: None,
            message_id: self.message_id,
            fact_pieces: pieces,
            keywords,
            places: Vec::new(),
        };
        let mut edit = Edit::fresh(id, meta);
        for mailbox in into {
            edit.add(txn, *mailbox)?;
        }
        if self.new.flags.system.0 & SystemFlags::DELETED != 0
            && let Some(first) = into.first()
        {
            edit.deleted.insert(*first, true);
        }
        self.land(txn, edit, into, id)
    }

    fn land(&self, txn: &mut Txn, edit: Edit, into: &[MailboxId], id: MessageId) -> Result<Landed> {
        let now = txn.clock.max(self.new.received);
        let places = edit.finish(txn, now)?;
        let place = into
            .iter()
            .chain(places.iter().map(|(mailbox, _)| mailbox))
            .find_map(|wanted| places.iter().find(|(mailbox, _)| mailbox == wanted))
            .ok_or(StoreError::Corrupt("a message without a mailbox"))?;
        Ok(Landed {
            uid_validity: txn.head()?.mailbox(place.0)?.mailbox.uid_validity,
            uid: place.1,
            message: id,
        })
    }

    /// Everything that storing it looks up, in one read.
    async fn read_ahead(&self, txn: &mut Txn, dedup: Option<&[u8; 32]>) -> Result<()> {
        let mentions = self.answers.iter().chain(&self.message_id);
        let mut keys: Vec<Bytes> = mentions.map(keys::mention).collect();
        keys.extend(self.subject.as_ref().map(keys::subject));
        keys.extend(dedup.map(keys::dedup));
        keys.push(keys::message(next_id(txn, self.new.received)?));
        txn.fetch(keys).await
    }

    /// The thread of the nearest message known that this one answers; else of one that mentioned this; else, for a reply,
    /// the newest of the same base subject (RFC 5256 REFERENCES, one message at a time); else its own.
    async fn thread(&self, txn: &mut Txn, id: MessageId) -> Result<ThreadId> {
        let mut found = None;
        let mut unknown = Vec::new();
        for mention in self.answers.iter().chain(&self.message_id) {
            match txn.get(&keys::mention(mention)).await? {
                Some(row) => found = found.or(Some(codec::decode_thread(&row)?)),
                None => unknown.push(*mention),
            }
        }
        if found.is_none() && self.is_reply {
            found = match &self.subject {
                Some(subject) => match txn.get(&keys::subject(subject)).await? {
                    Some(row) => Some(codec::decode_thread(&row)?),
                    None => None,
                },
                None => None,
            };
        }
        let thread = found.unwrap_or(ThreadId(id.0));
        let row = codec::encode_thread(thread, self.new.received);
        for mention in &unknown {
            txn.put(keys::mention(mention), row.clone());
        }
        if let Some(subject) = &self.subject {
            txn.put(keys::subject(subject), row);
        }
        Ok(thread)
    }
}

/// Whether the quota leaves room for another message.
pub(super) fn room_for(txn: &Txn, octets: u64) -> Result<()> {
    let head = txn.head()?;
    match head.settings.quota {
        Some(quota) if head.numbers.octets.saturating_add(octets) > quota => {
            Err(StoreError::OverQuota)
        }
        _ => Ok(()),
    }
}

/// The id to be tried first for a message of the millisecond `received` (wire §3.7). The count of messages made keeps the
/// order within a millisecond.
fn next_id(txn: &Txn, received: Millis) -> Result<MessageId> {
    const MILLIS_MAX: u64 = (1 << (63 - UNIQUE_BITS)) - 2;
    let millis = u64::try_from(received).unwrap_or(0).clamp(1, MILLIS_MAX);
    let unique = txn.head()?.numbers.made & ((1 << UNIQUE_BITS) - 1);
    Ok(MessageId(millis << UNIQUE_BITS | unique))
}

/// An id that no message of the account has, dead ones included.
pub(super) async fn unused_id(txn: &mut Txn, received: Millis) -> Result<MessageId> {
    let mut id = next_id(txn, received)?;
    txn.head_mut()?.numbers.made += 1;
    while txn.get(&keys::message(id)).await?.is_some() {
        id.0 += 1;
    }
    Ok(id)
}

/// Writes the facts; answers in how many pieces.
pub(super) fn put_facts(txn: &mut Txn, id: MessageId, facts: &Bytes) -> u16 {
    let mut pieces = 0;
    for start in (0..facts.len()).step_by(FACTS_PIECE_BYTES) {
        let end = facts.len().min(start + FACTS_PIECE_BYTES);
        txn.put(keys::facts(id, pieces), facts.slice(start..end));
        pieces += 1;
    }
    pieces
}
