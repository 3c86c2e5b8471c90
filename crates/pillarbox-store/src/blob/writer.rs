//! The one thread that appends to segments: it drains the queue without waiting, writes the group, flushes once, answers all.
//!
//! After a failed write or flush the segment is closed where the last flush that succeeded left it, and the next group begins
//! another: what the disk kept of the failed one is not known, and is never relied on.

use std::{
    collections::HashMap,
    fs::{self, File},
    io::{self, IoSlice, Write},
    sync::{
        Arc, PoisonError,
        mpsc::{Receiver, SyncSender},
    },
};

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use super::{
    BlobError, BlobId,
    record::{
        HEAD_BYTES, HEADER_BYTES, Head, Location, Record, SegmentState, blob_key, segment_key,
    },
    segments::{Shared, disk, rows, segment_file},
};
use crate::{door::Deed, engine::folder::flush_folder};

/// A segment takes no further group that would make it longer, in bytes.
pub(crate) const SEGMENT_BYTES: u64 = 64 * 1024 * 1024;
/// A segment holds no more bodies than this, which bounds the commit of its locations and the memory they take before.
const SEGMENT_RECORDS: usize = 32 * 1024;
/// Most bodies of one group. Measured.
const GROUP_JOBS_MAX: usize = 512;
/// Bytes after which a group takes no further body. Measured.
const GROUP_BYTES_MAX: u64 = 32 * 1024 * 1024;

/// A body to be appended.
pub(crate) struct Put {
    pub(crate) record: Record,
    pub(crate) pieces: Vec<Bytes>,
    /// Whether it is in the store already and is to be written anew elsewhere.
    pub(crate) moving: bool,
    pub(crate) answer: oneshot::Sender<Result<(), BlobError>>,
    pub(crate) _room: Option<OwnedSemaphorePermit>,
}

/// What the writer can be asked for.
pub(crate) enum Job {
    Put(Put),
    /// Close the current segment and answer once its locations are in the table.
    Seal(SyncSender<Result<(), BlobError>>),
}

/// The segment that is being written.
struct Segment {
    head: Head,
    file: File,
    /// Up to here everything is flushed.
    length: u64,
    records: Vec<(BlobId, Location)>,
}

pub(crate) struct Writer {
    shared: Arc<Shared>,
    next: u64,
    segment: Option<Segment>,
}

impl Writer {
    pub(crate) fn new(shared: Arc<Shared>, next: u64) -> Self {
        Self {
            shared,
            next,
            segment: None,
        }
    }

    /// Works until the last sender is gone, then leaves nothing to be searched at the next start.
    pub(crate) fn run(mut self, jobs: &Receiver<Job>) {
        while let Ok(first) = jobs.recv() {
            let mut puts = Vec::new();
            let mut seals = Vec::new();
            let mut bytes = 0;
            let mut next = Some(first);
            while let Some(job) = next.take() {
                match job {
                    Job::Put(put) => {
                        bytes += put.record.bytes;
                        puts.push(put);
                    }
                    Job::Seal(answer) => seals.push(answer),
                }
                if puts.len() < GROUP_JOBS_MAX && bytes < GROUP_BYTES_MAX {
                    next = jobs.try_recv().ok();
                }
            }
            self.write(puts);
            if !seals.is_empty() {
                self.seal(seals);
            }
        }
        let (answer, answered) = std::sync::mpsc::sync_channel(1);
        self.seal(vec![answer]);
        if !matches!(answered.recv(), Ok(Ok(()))) {
            tracing::warn!("the last segment will be searched at the next start");
        }
    }

    fn write(&mut self, puts: Vec<Put>) {
        let mut group = Vec::with_capacity(puts.len());
        let mut again = Vec::new();
        let mut names: HashMap<BlobId, Record> = HashMap::new();
        for put in puts {
            match self.known(&put, &names) {
                Err(error) => drop(put.answer.send(Err(error))),
                Ok(true) => again.push(put),
                Ok(false) => {
                    names.insert(put.record.id, put.record);
                    group.push(put);
                }
            }
        }
        let done = if group.is_empty() {
            Ok(())
        } else {
            self.append(&group)
        };
        for put in group.into_iter().chain(again) {
            let _ = put.answer.send(done.clone()); // whoever no longer waits has dropped the receiver
        }
    }

    /// Whether the body is stored, or about to be, under its name already.
    fn known(&self, put: &Put, names: &HashMap<BlobId, Record>) -> Result<bool, BlobError> {
        if put.moving {
            return Ok(false);
        }
        match names.get(&put.record.id) {
            Some(known) if *known == put.record => Ok(true),
            Some(_) => Err(BlobError::Taken(put.record.id)),
            None => self.shared.known(&put.record),
        }
    }

    fn append(&mut self, group: &[Put]) -> Result<(), BlobError> {
        let bytes: u64 = group
            .iter()
            .map(|put| put.record.bytes + HEADER_BYTES as u64)
            .sum();
        let full = self.segment.as_ref().is_some_and(|segment| {
            segment.length + bytes > SEGMENT_BYTES || segment.records.len() >= SEGMENT_RECORDS
        });
        if full {
            self.seal(Vec::new());
        }
        let mut segment = match self.segment.take() {
            Some(segment) => segment,
            None => self.begin().map_err(|cause| disk(&cause))?,
        };
        match self.write_group(&mut segment, group, bytes) {
            Ok(()) => {
                self.segment = Some(segment);
                Ok(())
            }
            Err(cause) => {
                tracing::error!(%cause, segment = segment.head.number, "bodies cannot be written");
                self.abandon(segment);
                Err(disk(&cause))
            }
        }
    }

    fn begin(&mut self) -> io::Result<Segment> {
        let head = Head {
            number: self.next,
            key: self.shared.random(),
        };
        // The number is never used again, whatever becomes of the file.
        self.next += 1;
        let path = segment_file(&self.shared.segments, head.number);
        self.shared.door.pass(Deed::CreateFile)?;
        let mut file = File::options().write(true).create_new(true).open(&path)?;
        let ready = self
            .shared
            .door
            .pass(Deed::Write)
            .and_then(|()| file.write_all(&head.to_bytes()))
            .and_then(|()| flush_folder(&self.shared.segments, &self.shared.door));
        if let Err(cause) = ready {
            let _ = fs::remove_file(path); // if that fails too, the next start does it
            return Err(cause);
        }
        Ok(Segment {
            head,
            file,
            length: HEAD_BYTES as u64,
            records: Vec::new(),
        })
    }

    fn write_group(&self, segment: &mut Segment, group: &[Put], bytes: u64) -> io::Result<()> {
        let headers: Vec<[u8; HEADER_BYTES]> = group
            .iter()
            .map(|put| put.record.to_header(&segment.head.key))
            .collect();
        let mut slices = Vec::with_capacity(group.len() * 3);
        for (header, put) in headers.iter().zip(group) {
            slices.push(IoSlice::new(header));
            slices.extend(put.pieces.iter().map(|piece| IoSlice::new(piece)));
        }
        self.shared.door.pass(Deed::Write)?;
        write_all(&mut segment.file, &mut slices)?;
        self.shared.door.pass(Deed::Flush)?;
        segment.file.sync_data()?;

        let mut fresh = self
            .shared
            .fresh
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        let mut offset = segment.length;
        for put in group {
            let location = Location {
                segment: segment.head.number,
                // Both fit: a segment is at most SEGMENT_BYTES and one group long, a body at most OWN_FILE_BYTES.
                offset: (offset + HEADER_BYTES as u64) as u32,
                bytes: put.record.bytes as u32,
                sum: put.record.sum,
            };
            fresh.insert(put.record.id, location);
            segment.records.push((put.record.id, location));
            offset += HEADER_BYTES as u64 + put.record.bytes;
        }
        segment.length += bytes;
        Ok(())
    }

    /// Closes a segment behind its last good flush. Giving the room back is an attempt: the disk may refuse that as well.
    fn abandon(&mut self, segment: Segment) {
        let _ = segment.file.set_len(segment.length);
        self.segment = Some(segment);
        self.seal(Vec::new());
    }

    /// Closes the current segment, if any, and sends its locations to the table. They stay in memory until they are there.
    fn seal(&mut self, answers: Vec<SyncSender<Result<(), BlobError>>>) {
        let tell = move |answers: &[SyncSender<_>], result: &Result<(), BlobError>| {
            for answer in answers {
                let _ = answer.send(result.clone());
            }
        };
        let Some(segment) = self.segment.take() else {
            return tell(&answers, &Ok(()));
        };
        let number = segment.head.number;
        let mut changes: Vec<_> = segment
            .records
            .iter()
            .map(|(id, location)| (blob_key(*id), Some(location.to_row())))
            .collect();
        changes.push((segment_key(number), Some(SegmentState::Indexed.to_row())));
        let shared = Arc::clone(&self.shared);
        let waiting = answers.clone();
        let done = Box::new(move |result: Result<(), _>| {
            match &result {
                Ok(()) => forget_fresh(&shared, &segment.records),
                Err(cause) => tracing::error!(%cause, number, "locations stay in memory"),
            }
            // Whoever waits may close the store next. This runs on the engine's writer, which must not be the one to do it.
            drop(shared);
            tell(&waiting, &result.map_err(|cause| rows(&cause)));
        });
        if let Err(cause) = self.shared.table.submit(changes, done) {
            tell(&answers, &Err(rows(&cause)));
        }
    }
}

/// Drops from memory what the table knows now.
fn forget_fresh(shared: &Shared, records: &[(BlobId, Location)]) {
    let mut fresh = shared.fresh.write().unwrap_or_else(PoisonError::into_inner);
    for (id, location) in records {
        if fresh.get(id) == Some(location) {
            fresh.remove(id);
        }
    }
}

fn write_all(file: &mut File, mut slices: &mut [IoSlice<'_>]) -> io::Result<()> {
    IoSlice::advance_slices(&mut slices, 0); // drops empty ones in front
    while !slices.is_empty() {
        match file.write_vectored(slices) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => IoSlice::advance_slices(&mut slices, written),
            Err(cause) if cause.kind() == io::ErrorKind::Interrupted => {}
            Err(cause) => return Err(cause),
        }
    }
    Ok(())
}
