//! Reading mailboxes and messages, without the writer.

use std::{
    collections::HashMap,
    ops::{Range, RangeInclusive},
    sync::Arc,
};

use bytes::Bytes;

use super::{
    Account, Change, Changes, Flags, Mailbox, MailboxId, MessageId, Record, Role, Row, StoreError,
    Uid, Version,
    codec::{self, MailboxRecord, Meta, PlaceRow},
    head::{Head, Keywords},
    keys, unavailable,
};
use crate::{
    blob::{BlobError, BlobId},
    engine::{Log, Scan},
};

type Result<T> = std::result::Result<T, StoreError>;

/// Commits read from the log at a time.
const LOG_STEP: usize = 1_000;
/// Changes told at once: whoever missed more compares the mailbox.
const CHANGES_MAX: usize = 500_000;
/// Ranges of UIDs read in one snapshot.
const RANGES_STEP: usize = 512;
/// UIDs between two ranges that are cheaper to read along than to jump over.
const GAP: u32 = 32;
/// Messages read at a time.
const MESSAGES_STEP: usize = 1_024;

impl Account {
    /// What changed behind version `since`, in order. The same row may be named several times.
    ///
    /// # Errors
    /// Only those of every method.
    pub async fn changes(&self, since: Version) -> Result<Changes> {
        let key = self.shared.key()?;
        let mut version = since;
        let mut changes = Vec::new();
        if *self.shared.watch().borrow() == since {
            // Most commands find nothing new, and a version is announced before its commit is answered.
            return Ok(Changes::Since { version, changes });
        }
        loop {
            let log = self.shared.house.engine.log(key, version, LOG_STEP).await;
            let entries = match log.map_err(unavailable)? {
                Log::Entries(entries) => entries,
                Log::TooOld(_) => return self.too_old().await,
            };
            for entry in &entries {
                codec::decode_changes(&entry.changes, &mut changes)?;
                version = entry.version;
            }
            if changes.len() > CHANGES_MAX {
                return self.too_old().await;
            }
            if entries.len() < LOG_STEP {
                return Ok(Changes::Since { version, changes });
            }
        }
    }

    async fn too_old(&self) -> Result<Changes> {
        let version = self.version().await?;
        Ok(Changes::TooOld { version })
    }

    /// The mailboxes by name, and the version they are of. Parents that do not exist are the protocol's business.
    ///
    /// # Errors
    /// Only those of every method.
    pub async fn mailboxes(&self) -> Result<(Version, Vec<Mailbox>)> {
        let head = self.shared.head().await?;
        let living = head.mailboxes.values().filter(|record| !record.gone);
        let mut all: Vec<Mailbox> = living.map(|record| record.mailbox.clone()).collect();
        all.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        Ok((head.version, all))
    }

    /// The mailbox of a name; INBOX without regard to case.
    ///
    /// # Errors
    /// Only those of every method.
    pub async fn mailbox(&self, name: &str) -> Result<Option<Mailbox>> {
        let head = self.shared.head().await?;
        Ok(head.named(name).map(|record| record.mailbox.clone()))
    }

    /// The mailbox of an id, if it still exists.
    ///
    /// # Errors
    /// Only those of every method.
    pub async fn mailbox_by_id(&self, id: MailboxId) -> Result<Option<Mailbox>> {
        let head = self.shared.head().await?;
        Ok(head.mailbox(id).ok().map(|record| record.mailbox.clone()))
    }

    /// The system mailbox of a role.
    ///
    /// # Errors
    /// Only those of every method.
    pub async fn mailbox_of(&self, role: Role) -> Result<Mailbox> {
        let head = self.shared.head().await?;
        Ok(head.mailbox(head.of_role(role))?.mailbox.clone())
    }

    /// The mailbox and its UIDs ascending, of one snapshot: what SELECT needs.
    ///
    /// # Errors
    /// [`StoreError::NoSuchMailbox`].
    pub async fn uids(&self, mailbox: MailboxId) -> Result<(Version, Mailbox, Vec<Uid>)> {
        let head = self.shared.head().await?;
        head.mailbox(mailbox)?;
        let scans = [
            Scan::prefix(keys::mailbox(mailbox)),
            Scan::prefix(keys::rows_of(keys::ROW, mailbox)),
        ];
        let engine = &self.shared.house.engine;
        let (version, found) = engine
            .read_many(self.shared.key()?, &scans, head.version)
            .await
            .map_err(unavailable)?;
        let (record, rows) = match <[_; 2]>::try_from(found) {
            Ok([record, rows]) => (record, rows),
            Err(_) => return Err(StoreError::Corrupt("answer of the engine")),
        };
        let record = record.first().ok_or(StoreError::NoSuchMailbox)?;
        let record = MailboxRecord::decode(mailbox, &record.value)?;
        if record.gone {
            return Err(StoreError::NoSuchMailbox);
        }
        let uids = rows.iter().map(|row| keys::uid_of(&row.key));
        let uids: Option<Vec<Uid>> = uids.collect();
        let uids = uids.ok_or(StoreError::Corrupt("key of a mailbox row"))?;
        Ok((version, record.mailbox, uids))
    }

    /// The rows of those UIDs that are in the mailbox, ascending, and the version they are of. If the ranges are very many
    /// (more than 512 apart from each other) later ones may be newer.
    ///
    /// # Errors
    /// Only those of every method.
    pub async fn rows(
        &self,
        mailbox: MailboxId,
        uids: &[RangeInclusive<u32>],
    ) -> Result<(Version, Vec<Row>)> {
        self.read_rows(mailbox, uids, false).await
    }

    /// As [`Account::rows`], and also the rows that have left the mailbox but are not purged yet, as they were: a session
    /// that still sees an expunged message can read it.
    ///
    /// # Errors
    /// Only those of every method.
    pub async fn rows_or_tombs(
        &self,
        mailbox: MailboxId,
        uids: &[RangeInclusive<u32>],
    ) -> Result<(Version, Vec<Row>)> {
        self.read_rows(mailbox, uids, true).await
    }

    async fn read_rows(
        &self,
        mailbox: MailboxId,
        uids: &[RangeInclusive<u32>],
        tombs: bool,
    ) -> Result<(Version, Vec<Row>)> {
        let mut head = self.shared.head().await?;
        let wanted = merged(uids, 0);
        let mut version = head.version;
        let mut rows = Vec::new();
        for (step, spans) in merged(uids, GAP).chunks(RANGES_STEP).enumerate() {
            let kinds: &[u8] = if tombs {
                &[keys::ROW, keys::TOMB]
            } else {
                &[keys::ROW]
            };
            let scans: Vec<Scan> = kinds
                .iter()
                .flat_map(|kind| spans.iter().map(|span| span_scan(*kind, mailbox, span)))
                .collect();
            let engine = &self.shared.house.engine;
            let (at, found) = engine
                .read_many(self.shared.key()?, &scans, head.version)
                .await
                .map_err(unavailable)?;
            version = if step == 0 { at } else { version.min(at) };
            rows.reserve(found.iter().map(Vec::len).sum());
            for stored in found.iter().flatten() {
                let uid = keys::uid_of(&stored.key).ok_or(StoreError::Corrupt("row key"))?;
                if !contains(&wanted, uid) {
                    continue;
                }
                let place = if stored.key[0] == keys::ROW {
                    PlaceRow::decode(&stored.value)?
                } else {
                    PlaceRow::decode_tomb(&stored.value)?.0
                };
                if !head.keywords.know(&place.keywords) {
                    // The rows are newer than the head and use a keyword it does not know.
                    head = self.newer_head(at).await?;
                }
                let row = to_row(uid, place, &head.keywords);
                let row = row.ok_or(StoreError::Corrupt("keyword of a row"))?;
                rows.push(row);
            }
        }
        if tombs {
            rows.sort_by_key(|row| row.uid);
        }
        Ok((version, rows))
    }

    async fn newer_head(&self, at_least: Version) -> Result<Arc<Head>> {
        let (_, head) = self.shared.reload(at_least).await?;
        head.ok_or(StoreError::NoSuchAccount)
    }

    /// The records of messages, in the order asked for. Tombstones are found too, with no places.
    ///
    /// # Errors
    /// Only those of every method.
    pub async fn records(&self, ids: &[MessageId]) -> Result<Vec<Option<Record>>> {
        let head = self.shared.head().await?;
        let metas = self.metas(ids).await?;
        let mut keys = Vec::with_capacity(ids.len());
        for (id, meta) in ids.iter().zip(&metas) {
            let pieces = meta.as_ref().map_or(0, |meta| meta.fact_pieces);
            keys.extend((0..pieces).map(|piece| keys::facts(*id, piece)));
        }
        let facts = self.values(&keys).await?;
        let mut records = Vec::with_capacity(ids.len());
        for (id, meta) in ids.iter().zip(metas) {
            let Some(meta) = meta else {
                records.push(None);
                continue;
            };
            let pieces: Option<Vec<Bytes>> = (0..meta.fact_pieces)
                .map(|piece| facts.get(&keys::facts(*id, piece)).cloned())
                .collect();
            // Purged between the two reads: then there is no such message any more.
            records.push(pieces.map(|pieces| record(*id, meta, pieces, &head)));
        }
        Ok(records)
    }

    /// The mailboxes each message is in, in the order asked for.
    ///
    /// # Errors
    /// Only those of every method.
    pub async fn labels(&self, ids: &[MessageId]) -> Result<Vec<Vec<MailboxId>>> {
        let head = self.shared.head().await?;
        let metas = self.metas(ids).await?;
        let labels = metas.into_iter().map(|meta| {
            let places = meta.map_or(Vec::new(), |meta| meta.places);
            living(&head, places).map(|place| place.0).collect()
        });
        Ok(labels.collect())
    }

    /// Living messages with this Message-ID (without brackets): X-GM-RAW's `rfc822msgid:`, and what threads ask.
    ///
    /// # Errors
    /// Only those of every method.
    pub async fn by_message_id(&self, message_id: &str) -> Result<Vec<MessageId>> {
        let digest = super::arrive::message_id_digest(message_id);
        let scan = Scan::prefix(keys::message_ids(&digest)).limit(MESSAGES_STEP);
        let engine = &self.shared.house.engine;
        let (_, rows) = engine
            .read(self.shared.key()?, scan, 0)
            .await
            .map_err(unavailable)?;
        let ids = rows.iter().map(|row| keys::message_at_end(&row.key));
        ids.collect::<Option<_>>()
            .ok_or(StoreError::Corrupt("Message-ID row"))
    }

    pub(super) async fn metas(&self, ids: &[MessageId]) -> Result<Vec<Option<Meta>>> {
        let keys: Vec<Bytes> = ids.iter().map(|id| keys::message(*id)).collect();
        let values = self.values(&keys).await?;
        keys.iter()
            .map(|key| values.get(key).map(|value| Meta::decode(value)).transpose())
            .collect()
    }

    /// The values of many keys of one type. Neighbours are read with one scan: messages listed together were mostly
    /// stored together.
    async fn values(&self, keys: &[Bytes]) -> Result<HashMap<Bytes, Bytes>> {
        const SCAN_FROM: usize = 16;
        let mut sorted = keys.to_vec();
        sorted.sort_unstable();
        sorted.dedup();
        let mut values = HashMap::with_capacity(sorted.len());
        for step in sorted.chunks(MESSAGES_STEP) {
            let mut rest = step;
            if step.len() >= SCAN_FROM {
                rest = self.scan_values(step, &mut values).await?;
            }
            if rest.is_empty() {
                continue;
            }
            let engine = &self.shared.house.engine;
            let (_, found) = engine
                .get(self.shared.key()?, rest, 0)
                .await
                .map_err(unavailable)?;
            let found = rest.iter().cloned().zip(found);
            values.extend(found.filter_map(|(key, value)| Some((key, value?))));
        }
        Ok(values)
    }

    /// Scans over sorted `keys` while that is not much more than what is wanted; answers the keys it did not reach.
    async fn scan_values<'a>(
        &self,
        keys: &'a [Bytes],
        values: &mut HashMap<Bytes, Bytes>,
    ) -> Result<&'a [Bytes]> {
        let (Some(first), Some(last)) = (keys.first(), keys.last()) else {
            return Ok(keys);
        };
        let limit = keys.len() + keys.len() / 2;
        let mut end = last.to_vec();
        end.push(0);
        let scan = Scan::range(first.clone(), end).limit(limit);
        let engine = &self.shared.house.engine;
        let (_, rows) = engine
            .read(self.shared.key()?, scan, 0)
            .await
            .map_err(unavailable)?;
        let reached = match rows.last() {
            Some(last) if rows.len() == limit => keys.partition_point(|key| *key <= last.key),
            _ => keys.len(),
        };
        let mut wanted = keys[..reached].iter().peekable();
        for row in rows {
            while wanted.next_if(|key| **key < row.key).is_some() {}
            if wanted.next_if(|key| **key == row.key).is_some() {
                values.insert(row.key, row.value);
            }
        }
        Ok(&keys[reached..])
    }

    /// Bytes of a body, cut at its end.
    ///
    /// # Errors
    /// [`StoreError::Damaged`].
    pub async fn body(&self, blob: BlobId, range: Range<u64>) -> Result<Bytes> {
        let read = self.shared.house.blobs.get(blob, range).await;
        read.map_err(|why| match why {
            BlobError::Missing(_) | BlobError::Damaged(..) => {
                tracing::error!(account = %self.shared.id.0, %why, "body");
                StoreError::Damaged
            }
            other => StoreError::Unavailable(other.to_string()),
        })
    }
}

fn living(
    head: &Head,
    places: Vec<(MailboxId, Uid)>,
) -> impl Iterator<Item = (MailboxId, Uid)> + '_ {
    places
        .into_iter()
        .filter(|(mailbox, _)| head.mailboxes.get(mailbox).is_none_or(|r| !r.gone))
}

fn record(id: MessageId, meta: Meta, mut pieces: Vec<Bytes>, head: &Head) -> Record {
    let facts = match pieces.len() {
        1 => pieces.remove(0),
        _ => pieces.concat().into(),
    };
    Record {
        message: id,
        thread: meta.thread,
        blob: meta.blob,
        size: meta.size,
        received: meta.received,
        facts,
        places: living(head, meta.places).collect(),
    }
}

/// A stored row in the words of mail; `None` if a keyword is not known.
pub(super) fn to_row(uid: Uid, row: PlaceRow, keywords: &Keywords) -> Option<Row> {
    Some(Row {
        uid,
        message: row.message,
        thread: row.thread,
        flags: Flags {
            system: row.system,
            keywords: keywords.names(&row.keywords)?,
        },
        modseq: row.modseq,
        size: row.size,
        received: row.received,
        sent: row.sent,
        saved: row.saved,
    })
}

/// Ranges ascending, without overlaps, those at most `gap` apart as one.
fn merged(uids: &[RangeInclusive<u32>], gap: u32) -> Vec<RangeInclusive<u32>> {
    let mut sorted: Vec<_> = uids.iter().filter(|range| !range.is_empty()).collect();
    sorted.sort_unstable_by_key(|range| *range.start());
    let mut spans: Vec<RangeInclusive<u32>> = Vec::with_capacity(sorted.len());
    for range in sorted {
        match spans.last_mut() {
            Some(last) if *range.start() <= last.end().saturating_add(gap).saturating_add(1) => {
                let end = *last.end().max(range.end());
                *last = *last.start()..=end;
            }
            _ => spans.push(range.clone()),
        }
    }
    spans
}

fn contains(spans: &[RangeInclusive<u32>], uid: Uid) -> bool {
    let behind = spans.partition_point(|span| *span.start() <= uid.0);
    behind > 0 && spans[behind - 1].contains(&uid.0)
}

fn span_scan(kind: u8, mailbox: MailboxId, span: &RangeInclusive<u32>) -> Scan {
    let start = keys::place(kind, mailbox, Uid(*span.start()));
    let mut end = keys::place(kind, mailbox, Uid(*span.end())).to_vec();
    end.push(0);
    Scan::range(start, end)
}

/// Whether a change is of one mailbox.
impl Change {
    /// The mailbox it is of, if any.
    #[must_use]
    pub fn mailbox(&self) -> Option<MailboxId> {
        match self {
            Self::Arrived { mailbox, .. }
            | Self::Changed { mailbox, .. }
            | Self::Expunged { mailbox, .. }
            | Self::Mailbox { mailbox } => Some(*mailbox),
            Self::Other => None,
        }
    }
}
