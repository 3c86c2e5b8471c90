//! What the blobs' files and index rows look like. All numbers are big-endian.
//!
//! A segment is a head and then records, each a header and a body:
//!
//! ```text
//! head    "PBOXSEG1" (8), number (8), key (32), checksum (16)
//! header  "PBOX" (4), 1 (1), zero (3), blob id (16), length (8), sum of the body (24), checksum (8)
//! ```
//!
//! Checksums are truncated BLAKE3. A header's is keyed with the segment's own random key, so that no body can contain what
//! would pass for a record when a damaged segment is searched. A body in a file of its own has one header and no head.
//!
//! Index rows: `b` and blob id to [`Location`]; `s` and segment number to [`SegmentState`].

use super::BlobId;
use bytes::{Buf, BufMut, Bytes, BytesMut};

/// Length of a segment's head.
pub(crate) const HEAD_BYTES: usize = 64;
/// Length of a record's header.
pub(crate) const HEADER_BYTES: usize = 64;
/// First bytes of a header.
pub(crate) const MAGIC: &[u8; 5] = b"PBOX\x01";
const HEAD_MAGIC: &[u8; 8] = b"PBOXSEG1";
/// Files of one body need no secret: nothing is searched for in them.
pub(crate) const OWN_FILE_KEY: [u8; 32] = *b"pillarbox: a body in its own fil";

/// The checksum of a body: BLAKE3, truncated.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Sum(pub(crate) [u8; 24]);

impl Sum {
    pub(crate) fn of(pieces: &[Bytes]) -> Self {
        let mut hasher = blake3::Hasher::new();
        for piece in pieces {
            hasher.update(piece);
        }
        Self::finish(&hasher)
    }

    pub(crate) fn finish(hasher: &blake3::Hasher) -> Self {
        Self(front(hasher.finalize().as_bytes()))
    }
}

fn front<const N: usize>(bytes: &[u8]) -> [u8; N] {
    let mut front = [0; N];
    front.copy_from_slice(&bytes[..N]);
    front
}

/// What a header says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Record {
    pub(crate) id: BlobId,
    pub(crate) bytes: u64,
    pub(crate) sum: Sum,
}

impl Record {
    pub(crate) fn to_header(self, key: &[u8; 32]) -> [u8; HEADER_BYTES] {
        let mut header = [0; HEADER_BYTES];
        let mut rest = &mut header[..];
        rest.put_slice(MAGIC);
        rest.put_bytes(0, 3);
        rest.put_slice(&self.id.0);
        rest.put_u64(self.bytes);
        rest.put_slice(&self.sum.0);
        let check = blake3::keyed_hash(key, &header[..56]);
        header[56..].copy_from_slice(&check.as_bytes()[..8]);
        header
    }

    /// `None` if it is not a header written with this key.
    pub(crate) fn from_header(header: &[u8], key: &[u8; 32]) -> Option<Self> {
        let header = header.first_chunk::<HEADER_BYTES>()?;
        let check = blake3::keyed_hash(key, &header[..56]);
        if !header.starts_with(MAGIC) || header[56..] != check.as_bytes()[..8] {
            return None;
        }
        Some(Self {
            id: BlobId(front(&header[8..24])),
            bytes: (&header[24..32]).get_u64(),
            sum: Sum(front(&header[32..56])),
        })
    }
}

/// What a segment's head says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Head {
    pub(crate) number: u64,
    pub(crate) key: [u8; 32],
}

impl Head {
    pub(crate) fn to_bytes(self) -> [u8; HEAD_BYTES] {
        let mut head = [0; HEAD_BYTES];
        let mut rest = &mut head[..];
        rest.put_slice(HEAD_MAGIC);
        rest.put_u64(self.number);
        rest.put_slice(&self.key);
        let check = blake3::hash(&head[..48]);
        head[48..].copy_from_slice(&check.as_bytes()[..16]);
        head
    }

    pub(crate) fn from_bytes(head: &[u8]) -> Option<Self> {
        let head = head.first_chunk::<HEAD_BYTES>()?;
        let check = blake3::hash(&head[..48]);
        if !head.starts_with(HEAD_MAGIC) || head[48..] != check.as_bytes()[..16] {
            return None;
        }
        Some(Self {
            number: (&head[8..16]).get_u64(),
            key: front(&head[16..48]),
        })
    }
}

/// Where a body lies.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Location {
    pub(crate) segment: u64,
    /// Of the body, not of its header.
    pub(crate) offset: u32,
    pub(crate) bytes: u32,
    pub(crate) sum: Sum,
}

impl Location {
    pub(crate) fn to_row(self) -> Bytes {
        let mut row = BytesMut::with_capacity(40);
        row.put_u64(self.segment);
        row.put_u32(self.offset);
        row.put_u32(self.bytes);
        row.put_slice(&self.sum.0);
        row.freeze()
    }

    pub(crate) fn from_row(row: &[u8]) -> Option<Self> {
        let mut row: &[u8] = row
            .first_chunk::<40>()
            .filter(|whole| whole.len() == row.len())?;
        Some(Self {
            segment: row.get_u64(),
            offset: row.get_u32(),
            bytes: row.get_u32(),
            sum: Sum(front(row)),
        })
    }
}

/// What the index knows of a whole segment. One without a row is searched at the next start.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum SegmentState {
    /// Every body in it has its row.
    Indexed,
    /// Nothing in it is needed, its file is about to go.
    Retired,
}

impl SegmentState {
    pub(crate) fn to_row(self) -> Bytes {
        match self {
            Self::Indexed => Bytes::from_static(b"i"),
            Self::Retired => Bytes::from_static(b"r"),
        }
    }

    pub(crate) fn from_row(row: &[u8]) -> Option<Self> {
        match row {
            b"i" => Some(Self::Indexed),
            b"r" => Some(Self::Retired),
            _ => None,
        }
    }
}

/// First byte of the keys of locations.
pub(crate) const BLOB_ROWS: &[u8] = b"b";
/// First byte of the keys of segments.
pub(crate) const SEGMENT_ROWS: &[u8] = b"s";

pub(crate) fn blob_key(id: BlobId) -> Bytes {
    [BLOB_ROWS, &id.0].concat().into()
}

pub(crate) fn segment_key(number: u64) -> Bytes {
    [SEGMENT_ROWS, &number.to_be_bytes()].concat().into()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
    use super::*;

    #[test]
    fn a_header_is_read_back_and_any_flipped_bit_is_noticed() {
        let record = Record {
            id: BlobId([9; 16]),
            bytes: 12345,
            sum: Sum::of(&[Bytes::from_static(b"body")]),
        };
        let header = record.to_header(&[1; 32]);
        assert_eq!(Record::from_header(&header, &[1; 32]), Some(record));
        assert_eq!(
            Record::from_header(&header, &[2; 32]),
            None,
            "another segment's"
        );
        for bit in 0..8 * HEADER_BYTES {
            let mut bad = header;
            bad[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Record::from_header(&bad, &[1; 32]), None, "bit {bit}");
        }
    }

    #[test]
    fn heads_and_locations_are_read_back() {
        let head = Head {
            number: 7,
            key: [3; 32],
        };
        assert_eq!(Head::from_bytes(&head.to_bytes()), Some(head));
        let location = Location {
            segment: 1,
            offset: 2,
            bytes: 3,
            sum: Sum([4; 24]),
        };
        assert_eq!(Location::from_row(&location.to_row()), Some(location));
        assert_eq!(Location::from_row(&location.to_row()[1..]), None);
    }
}
