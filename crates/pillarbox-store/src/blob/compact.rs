//! Gives the room of dead bodies back: segments below 60 % live are written anew, large bodies nobody refers to are removed.
//!
//! The order makes every moment safe to die in: copies are flushed, their locations committed, then the old segment is
//! marked as retired in the commit that removes the dead rows, then its file goes, then the mark.

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::FileExt,
    sync::mpsc::{Sender, sync_channel},
};

use bytes::{Bytes, BytesMut};
use tokio::sync::oneshot;

use super::{
    BlobError, BlobId, Compacted,
    record::{
        BLOB_ROWS, HEAD_BYTES, HEADER_BYTES, Location, Record, SegmentState, Sum, blob_key,
        segment_key,
    },
    recover::segment_states,
    segments::{Shared, disk, rows, segment_file},
    writer::{Job, Put},
};
use crate::door::Deed;

/// Segments with less than this share of living bytes, in percent, are written anew. Measured.
const LIVE_PERCENT: u64 = 60;
/// Segments whose contents are held in memory at once.
const SEGMENTS_AT_ONCE: usize = 16;
/// Bytes in flight while living bodies are moved, so that a compaction never fills the writer's queue.
const MOVE_BYTES: u64 = 4 * 1024 * 1024;

/// What the table has in one segment.
#[derive(Default)]
struct Contents {
    living: Vec<(BlobId, Location)>,
    dead: Vec<BlobId>,
}

pub(crate) fn compact(
    shared: &Shared,
    queue: &Sender<Job>,
    alive: &dyn Fn(BlobId) -> bool,
    before_ms: u64,
) -> Result<Compacted, BlobError> {
    let keep = |id: BlobId| id.at_ms() >= before_ms || alive(id);
    let mut done = Compacted::default();
    for id in shared.own.list().map_err(|cause| disk(&cause))? {
        if !keep(id) {
            done.freed_bytes += shared.own.remove(id)?;
            done.dropped += 1;
        }
    }
    seal(queue)?;
    for some in sparse_segments(shared, &keep)?.chunks(SEGMENTS_AT_ONCE) {
        for (number, contents) in contents(shared, some, &keep)? {
            match compact_segment(shared, queue, number, &contents) {
                Ok(freed_bytes) => {
                    done.dropped += contents.dead.len() as u64;
                    done.moved += contents.living.len() as u64;
                    done.freed_bytes += freed_bytes;
                }
                // A damaged segment stays as it is: there may be more to save in it than we can see.
                Err(BlobError::Damaged(id, cause)) => {
                    tracing::error!(number, %id, %cause, "a segment of bodies was not compacted");
                }
                Err(error) => return Err(error),
            }
        }
    }
    Ok(done)
}

/// Ends the current segment and waits until its locations are in the table.
fn seal(queue: &Sender<Job>) -> Result<(), BlobError> {
    let ended = || BlobError::Io("the writer of bodies has ended".into());
    let (answer, answered) = sync_channel(1);
    queue.send(Job::Seal(answer)).map_err(|_| ended())?;
    answered.recv().map_err(|_| ended())?
}

/// The finished segments that hold too little that lives. The table decides, not the headers: it knows best.
fn sparse_segments(shared: &Shared, keep: &dyn Fn(BlobId) -> bool) -> Result<Vec<u64>, BlobError> {
    // States first: what is finished later is not looked at, so no row of these segments can be missing below.
    let mut live: BTreeMap<u64, u64> = segment_states(&shared.table)?
        .into_iter()
        .filter(|(_, state)| *state == SegmentState::Indexed)
        .map(|(number, _)| (number, HEAD_BYTES as u64))
        .collect();
    each_location(shared, |id, location| {
        if let Some(bytes) = live.get_mut(&location.segment)
            && keep(id)
        {
            *bytes += HEADER_BYTES as u64 + u64::from(location.bytes);
        }
    })?;
    let mut sparse = Vec::new();
    for (number, live) in live {
        match fs::metadata(segment_file(&shared.segments, number)) {
            Ok(file) if live * 100 < file.len() * LIVE_PERCENT => sparse.push(number),
            Ok(_) => {}
            Err(cause) => tracing::error!(number, %cause, "a segment of bodies cannot be opened"),
        }
    }
    Ok(sparse)
}

fn contents(
    shared: &Shared,
    segments: &[u64],
    keep: &dyn Fn(BlobId) -> bool,
) -> Result<BTreeMap<u64, Contents>, BlobError> {
    let mut found: BTreeMap<u64, Contents> = segments
        .iter()
        .map(|number| (*number, Contents::default()))
        .collect();
    each_location(shared, |id, location| {
        if let Some(contents) = found.get_mut(&location.segment) {
            if keep(id) {
                contents.living.push((id, location));
            } else {
                contents.dead.push(id);
            }
        }
    })?;
    Ok(found)
}

fn each_location(shared: &Shared, mut see: impl FnMut(BlobId, Location)) -> Result<(), BlobError> {
    for row in shared.table.prefix(BLOB_ROWS) {
        let (key, row) = row.map_err(|cause| rows(&cause))?;
        let malformed = || BlobError::Io("the row of a body is malformed".into());
        let id = <[u8; 16]>::try_from(&key[1..]).map_err(|_| malformed())?;
        see(BlobId(id), Location::from_row(&row).ok_or_else(malformed)?);
    }
    Ok(())
}

/// Gives the bytes that were freed.
fn compact_segment(
    shared: &Shared,
    queue: &Sender<Job>,
    number: u64,
    contents: &Contents,
) -> Result<u64, BlobError> {
    let total = fs::metadata(segment_file(&shared.segments, number));
    let total = total.map_err(|cause| disk(&cause))?.len();
    let mut live = 0;
    for (_, location) in &contents.living {
        live += HEADER_BYTES as u64 + u64::from(location.bytes);
    }
    move_away(shared, queue, &contents.living)?;
    if !contents.living.is_empty() {
        seal(queue)?;
    }
    retire(shared, number, &contents.dead)?;
    Ok(total.saturating_sub(live))
}

/// Writes the living bodies to the current segment and waits until they are durable there.
fn move_away(
    shared: &Shared,
    queue: &Sender<Job>,
    living: &[(BlobId, Location)],
) -> Result<(), BlobError> {
    let ended = || BlobError::Io("the writer of bodies has ended".into());
    let mut waiting = Vec::new();
    let mut bytes = 0;
    for (id, location) in living {
        let body = read_whole(shared, *id, location)?;
        let (answer, answered) = oneshot::channel();
        let put = Put {
            record: Record {
                id: *id,
                bytes: location.bytes.into(),
                sum: location.sum,
            },
            pieces: vec![body],
            moving: true,
            answer,
            _room: None,
        };
        queue.send(Job::Put(put)).map_err(|_| ended())?;
        waiting.push(answered);
        bytes += u64::from(location.bytes);
        if bytes >= MOVE_BYTES {
            bytes = 0;
            for answered in waiting.drain(..) {
                answered.blocking_recv().map_err(|_| ended())??;
            }
        }
    }
    for answered in waiting {
        answered.blocking_recv().map_err(|_| ended())??;
    }
    Ok(())
}

fn read_whole(shared: &Shared, id: BlobId, location: &Location) -> Result<Bytes, BlobError> {
    let file = shared.segment(location.segment).map_err(|e| disk(&e))?;
    let mut body = BytesMut::zeroed(location.bytes as usize);
    file.read_exact_at(&mut body, location.offset.into())
        .map_err(|cause| disk(&cause))?;
    let body = body.freeze();
    if Sum::of(std::slice::from_ref(&body)) != location.sum {
        return Err(BlobError::Damaged(id, "its checksum differs".into()));
    }
    Ok(body)
}

fn retire(shared: &Shared, number: u64, dead: &[BlobId]) -> Result<(), BlobError> {
    let mut changes: Vec<_> = dead.iter().map(|id| (blob_key(*id), None)).collect();
    changes.push((segment_key(number), Some(SegmentState::Retired.to_row())));
    shared.table.write(changes).map_err(|cause| rows(&cause))?;
    shared.forget_segment(number);
    let removed = shared
        .door
        .pass(Deed::Remove)
        .and_then(|()| fs::remove_file(segment_file(&shared.segments, number)));
    removed.map_err(|cause| disk(&cause))?;
    let mark = vec![(segment_key(number), None)];
    shared.table.write(mark).map_err(|cause| rows(&cause))
}
