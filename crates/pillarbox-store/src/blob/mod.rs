//! Bodies: immutable bytes outside the accounts' maps, written and flushed first, referenced by a commit second,
//! collected later.
//!
//! A blob does not know who refers to it, and nothing here deletes one because somebody said so: [`Blobs::compact`] is told
//! which blobs are alive and drops the others. Ids carry their time, so what was just written and is not yet referred to is
//! never collected.

use std::{fmt, ops::Range, sync::Arc};

use bytes::Bytes;

use crate::engine::Pending;

mod compact;
mod memory;
mod own;
mod record;
mod recover;
mod segments;
mod writer;

pub use memory::MemoryBlobs;
pub use segments::SegmentBlobs;

/// Bodies above this size, in bytes, get a file of their own, so that they do not hold up everyone else's flush.
pub const OWN_FILE_BYTES: u64 = 1024 * 1024;
/// Longest blob, in bytes: several times the longest message we announce, so that no protocol's limit meets it first.
pub const BLOB_BYTES_MAX: u64 = 256 * 1024 * 1024;
/// Longest range one [`Blobs::get`] returns, in bytes; longer bodies are read in pieces.
pub const READ_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// The name of one blob: a UUID version 7 (RFC 9562 §5.7), so it carries the millisecond it was made in.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlobId(pub [u8; 16]);

impl BlobId {
    /// The id made at `at_ms`, Unix milliseconds, with uniqueness from `random`.
    #[must_use]
    pub fn new(at_ms: u64, random: [u8; 10]) -> Self {
        Self(
            uuid::Builder::from_unix_timestamp_millis(at_ms, &random)
                .into_uuid()
                .into_bytes(),
        )
    }

    /// When it was made, Unix milliseconds.
    #[must_use]
    pub fn at_ms(self) -> u64 {
        self.0[..6]
            .iter()
            .fold(0, |ms, byte| ms << 8 | u64::from(*byte))
    }
}

impl fmt::Display for BlobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        uuid::Uuid::from_bytes(self.0).hyphenated().fmt(f)
    }
}

impl fmt::Debug for BlobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "blob {self}")
    }
}

/// What is known of a blob without reading it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stat {
    /// Its length in bytes.
    pub bytes: u64,
}

/// What the blobs can fail with. Cheap to clone: one failed flush answers many waiting puts.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum BlobError {
    /// There is no such blob.
    #[error("{0} is not in the store")]
    Missing(BlobId),
    /// The stored bytes are not those that were put.
    #[error("{0} is damaged: {1}")]
    Damaged(BlobId, Arc<str>),
    /// Another body was put under this id.
    #[error("{0} is already the name of another body")]
    Taken(BlobId),
    /// The body, or the range asked for, is longer than [`BLOB_BYTES_MAX`] or [`READ_BYTES_MAX`].
    #[error("{bytes} bytes are more than the {most} allowed")]
    TooLarge {
        /// What was asked for.
        bytes: u64,
        /// The bound.
        most: u64,
    },
    /// There is no room for it. Nothing was stored; it may be tried again.
    #[error("no space left for bodies: {0}")]
    NoSpace(Arc<str>),
    /// Reading or writing failed. A put that failed was not stored; it may be tried again.
    #[error("bodies cannot be read or written: {0}")]
    Io(Arc<str>),
}

/// Says for each blob whether something still refers to it. Asked from another thread.
pub type Alive = Box<dyn Fn(BlobId) -> bool + Send + Sync>;

/// Told how far [`Blobs::check`] is: blobs checked so far, and how many there are.
pub type Progress = Box<dyn FnMut(u64, u64) + Send>;

/// What [`Blobs::compact`] did.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Compacted {
    /// Blobs dropped.
    pub dropped: u64,
    /// Living blobs that were written anew.
    pub moved: u64,
    /// Bytes given back to the disk, less those written anew.
    pub freed_bytes: u64,
}

/// What [`Blobs::check`] found.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Checked {
    /// Blobs whose every byte was read and compared with its checksum.
    pub blobs: u64,
    /// Their bytes.
    pub bytes: u64,
    /// One sentence for each thing that is wrong.
    pub problems: Vec<String>,
}

/// A store of immutable bodies.
///
/// All methods may be called from any thread. A dropped `put` may or may not have been stored; it is then nobody's, and is
/// collected later.
pub trait Blobs: Send + Sync + 'static {
    /// Stores the concatenation of `pieces` under `id`. When the future resolves, it is durable. Putting the same body
    /// again is allowed and does nothing.
    ///
    /// # Errors
    /// [`BlobError::Taken`], [`BlobError::TooLarge`], [`BlobError::NoSpace`], [`BlobError::Io`].
    fn put(&self, id: BlobId, pieces: Vec<Bytes>) -> Pending<'_, Result<(), BlobError>>;

    /// Begins a body that comes in pieces and never sits in memory as a whole.
    ///
    /// # Errors
    /// As [`Blobs::put`].
    fn writer(&self, id: BlobId) -> Pending<'_, Result<Box<dyn BlobWriter>, BlobError>>;

    /// The bytes of `range`, cut at the blob's end. If the range is the whole blob its checksum is compared.
    ///
    /// # Errors
    /// [`BlobError::Missing`], [`BlobError::Damaged`], [`BlobError::TooLarge`], [`BlobError::Io`].
    fn get(&self, id: BlobId, range: Range<u64>) -> Pending<'_, Result<Bytes, BlobError>>;

    /// What is known of `id`, `None` if it is not there.
    ///
    /// # Errors
    /// [`BlobError::Io`], [`BlobError::Damaged`].
    fn stat(&self, id: BlobId) -> Pending<'_, Result<Option<Stat>, BlobError>>;

    /// Drops blobs that `alive` denies and whose id is of before `before_ms`, Unix milliseconds, where that gives enough
    /// room back. `before_ms` must lie so far in the past that every body put before it has been referred to or given up,
    /// and before the moment the caller began to collect what is alive.
    ///
    /// # Errors
    /// [`BlobError::NoSpace`], [`BlobError::Io`]; nothing alive is lost then either.
    fn compact(&self, alive: Alive, before_ms: u64) -> Pending<'_, Result<Compacted, BlobError>>;

    /// Reads every blob and compares it with its checksum.
    ///
    /// # Errors
    /// [`BlobError::Io`] if it cannot even be begun; what is wrong with single blobs is in the report.
    fn check(&self, progress: Progress) -> Pending<'_, Result<Checked, BlobError>>;
}

/// A body on its way in. Dropping it before [`BlobWriter::finish`] leaves nothing behind.
pub trait BlobWriter: Send {
    /// Adds a piece to the end.
    ///
    /// # Errors
    /// As [`Blobs::put`]; the writer is then of no more use.
    fn write(&mut self, piece: Bytes) -> Pending<'_, Result<(), BlobError>>;

    /// Bytes written so far.
    fn bytes(&self) -> u64;

    /// Makes it a blob. When the future resolves, it is durable.
    ///
    /// # Errors
    /// As [`Blobs::put`].
    fn finish(self: Box<Self>) -> Pending<'static, Result<Stat, BlobError>>;
}

/// `range` cut to a body of `bytes`, refused if one answer may not be so long.
pub(crate) fn cut(range: &Range<u64>, bytes: u64) -> Result<Range<u64>, BlobError> {
    let end = range.end.min(bytes);
    let start = range.start.min(end);
    if end - start > READ_BYTES_MAX {
        return Err(BlobError::TooLarge {
            bytes: end - start,
            most: READ_BYTES_MAX,
        });
    }
    Ok(start..end)
}

/// Refuses bodies longer than any may be.
pub(crate) fn fits(bytes: u64) -> Result<(), BlobError> {
    if bytes > BLOB_BYTES_MAX {
        return Err(BlobError::TooLarge {
            bytes,
            most: BLOB_BYTES_MAX,
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_carries_its_time_and_prints_as_a_uuid() {
        let id = BlobId::new(1_700_000_000_123, [7; 10]);
        assert_eq!(id.at_ms(), 1_700_000_000_123);
        assert_eq!(id.to_string(), "018bcfe5-687b-7707-8707-070707070707");
    }
}
