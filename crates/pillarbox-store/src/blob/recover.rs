//! What happens to segments at a start: those whose locations never reached the table are searched, those that were on their
//! way out are removed.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

use bytes::Bytes;

use super::{
    BlobError, BlobId, OWN_FILE_BYTES,
    record::{
        HEAD_BYTES, HEADER_BYTES, Head, Location, MAGIC, Record, SEGMENT_ROWS, SegmentState, Sum,
        blob_key, segment_key,
    },
    segments::{disk, rows, segment_file},
};
use crate::{
    door::{Deed, Door},
    engine::blob_table::BlobTable,
};

/// Makes the table complete; gives the number of the next segment. One is always begun anew after a start.
pub(crate) fn recover(segments: &Path, table: &BlobTable, door: &Door) -> Result<u64, BlobError> {
    let files = segment_files(segments).map_err(|cause| disk(&cause))?;
    let states = segment_states(table)?;
    for (number, path) in &files {
        match states.get(number) {
            Some(SegmentState::Indexed) => {}
            Some(SegmentState::Retired) => remove(path, door).map_err(|cause| disk(&cause))?,
            None => index(*number, path, table, door)?,
        }
    }
    let gone: Vec<_> = states
        .iter()
        .filter(|(_, state)| **state == SegmentState::Retired)
        .map(|(number, _)| (segment_key(*number), None))
        .collect();
    if !gone.is_empty() {
        table.write(gone).map_err(|cause| rows(&cause))?;
    }
    let last = files.keys().chain(states.keys()).max();
    Ok(last.map_or(1, |last| last + 1))
}

fn remove(path: &Path, door: &Door) -> io::Result<()> {
    door.pass(Deed::Remove)?;
    fs::remove_file(path)
}

fn segment_files(segments: &Path) -> io::Result<BTreeMap<u64, PathBuf>> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(segments)? {
        let path = entry?.path();
        let number = path
            .file_stem()
            .and_then(|stem| stem.to_str()?.parse().ok())
            .filter(|number| segment_file(segments, *number) == path);
        if let Some(number) = number {
            files.insert(number, path);
        }
    }
    Ok(files)
}

/// What the table says of segments.
pub(crate) fn segment_states(table: &BlobTable) -> Result<BTreeMap<u64, SegmentState>, BlobError> {
    let mut states = BTreeMap::new();
    for row in table.prefix(SEGMENT_ROWS) {
        let (key, row) = row.map_err(|cause| rows(&cause))?;
        let malformed = || BlobError::Io("a segment's row is malformed".into());
        let number = <[u8; 8]>::try_from(&key[1..]).map_err(|_| malformed())?;
        let state = SegmentState::from_row(&row).ok_or_else(malformed)?;
        states.insert(u64::from_be_bytes(number), state);
    }
    Ok(states)
}

/// Searches one segment and writes what it holds to the table.
fn index(number: u64, path: &Path, table: &BlobTable, door: &Door) -> Result<(), BlobError> {
    let segment = fs::read(path).map_err(|cause| disk(&cause))?;
    let Some(head) = Head::from_bytes(&segment).filter(|head| head.number == number) else {
        // Nothing was acknowledged in it: the first group's flush covers the head. It is kept, should that be wrong.
        if segment.len() > HEAD_BYTES {
            tracing::error!(number, "the head of a segment of bodies is damaged");
            return Ok(());
        }
        return remove(path, door).map_err(|cause| disk(&cause));
    };
    let found = records(&segment, &head);
    if found.is_empty() {
        return remove(path, door).map_err(|cause| disk(&cause));
    }
    tracing::info!(
        number,
        bodies = found.len(),
        "a segment of bodies was searched"
    );
    let mut changes: Vec<_> = found
        .into_iter()
        .map(|(id, location)| (blob_key(id), Some(location.to_row())))
        .collect();
    changes.push((segment_key(number), Some(SegmentState::Indexed.to_row())));
    table.write(changes).map_err(|cause| rows(&cause))
}

/// All records of a segment whose header and body are whole. Behind damage the search goes on: a torn end has nothing there,
/// a flipped bit would have everything else.
pub(crate) fn records(segment: &[u8], head: &Head) -> Vec<(BlobId, Location)> {
    let mut found = Vec::new();
    let mut at = HEAD_BYTES;
    while let Some(rest) = segment.get(at..).filter(|rest| !rest.is_empty()) {
        let record = Record::from_header(rest, &head.key);
        let Some(record) = record.filter(|record| record.bytes <= OWN_FILE_BYTES) else {
            match find_magic(&rest[1..]) {
                Some(skip) => at += 1 + skip,
                None => break,
            }
            continue;
        };
        let body = at + HEADER_BYTES;
        let end = body + record.bytes as usize;
        match segment.get(body..end) {
            Some(bytes) if Sum::of(&[Bytes::copy_from_slice(bytes)]) == record.sum => {
                let location = Location {
                    segment: head.number,
                    offset: body as u32, // a segment is far shorter than 4 GB
                    bytes: record.bytes as u32,
                    sum: record.sum,
                };
                found.push((record.id, location));
                at = end;
            }
            // The body is torn or damaged, or its length runs past the end: the next header may still be whole.
            _ => at = body,
        }
    }
    found
}

fn find_magic(bytes: &[u8]) -> Option<usize> {
    bytes
        .windows(MAGIC.len())
        .position(|window| window == MAGIC)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: Head = Head {
        number: 1,
        key: [6; 32],
    };

    /// A segment of three bodies, and where each record begins.
    fn segment() -> (Vec<u8>, [usize; 3]) {
        let mut segment = HEAD.to_bytes().to_vec();
        let starts = [1_u8, 2, 3].map(|n| {
            let start = segment.len();
            let body = Bytes::from(vec![n; 20]);
            let record = Record {
                id: BlobId([n; 16]),
                bytes: 20,
                sum: Sum::of(std::slice::from_ref(&body)),
            };
            segment.extend_from_slice(&record.to_header(&HEAD.key));
            segment.extend_from_slice(&body);
            start
        });
        (segment, starts)
    }

    fn ids(segment: &[u8]) -> Vec<u8> {
        let found = records(segment, &HEAD);
        found.iter().map(|(id, _)| id.0[0]).collect()
    }

    #[test]
    fn an_end_torn_at_any_byte_costs_only_what_it_tore() {
        let (segment, starts) = segment();
        assert_eq!(ids(&segment), [1, 2, 3]);
        for length in HEAD_BYTES..segment.len() {
            let whole = starts.iter().filter(|start| *start + 84 <= length).count();
            assert_eq!(ids(&segment[..length]), &[1, 2, 3][..whole], "{length}");
            let mut zeroed = segment.clone();
            zeroed[length..].fill(0);
            assert_eq!(ids(&zeroed), &[1, 2, 3][..whole], "{length}, the rest zero");
        }
    }

    #[test]
    fn a_flipped_bit_costs_one_body() {
        let (segment, starts) = segment();
        for bit in 8 * HEAD_BYTES..8 * segment.len() {
            let mut bad = segment.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            let hit = starts.iter().rposition(|start| *start <= bit / 8);
            let rest: Vec<u8> = (1..=3)
                .filter(|n| Some(usize::from(n - 1)) != hit)
                .collect();
            assert_eq!(ids(&bad), rest, "bit {bit}");
        }
    }

    #[test]
    fn a_body_cannot_pass_for_a_record_even_in_a_damaged_segment() {
        let forged = Record {
            id: BlobId([9; 16]),
            bytes: 0,
            sum: Sum::of(&[]),
        };
        let body = Bytes::copy_from_slice(&forged.to_header(&[0; 32]));
        let record = Record {
            id: BlobId([1; 16]),
            bytes: body.len() as u64,
            sum: Sum::of(std::slice::from_ref(&body)),
        };
        let mut segment = HEAD.to_bytes().to_vec();
        segment.extend_from_slice(&record.to_header(&HEAD.key));
        segment.extend_from_slice(&body);
        segment[HEAD_BYTES + 20] ^= 1;
        assert_eq!(ids(&segment), []);
    }
}
