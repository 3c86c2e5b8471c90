//! A message on its way in, for whoever receives one (DATA, BDAT, APPEND): held in memory while it is small, spooled to a
//! blob of its own when it is not, hashed as it comes, and read once at the end. It knows neither recipients nor mailboxes.

use super::{Millis, Store, StoreError};
use crate::blob::{BlobError, BlobId, BlobWriter};
use bytes::{Bytes, BytesMut};
use pillarbox_message::{Facts, Limits};
use tokio::sync::Semaphore;

/// Messages up to this size, in bytes, wait in memory and share a flush with others (DESIGN's group commit); longer ones
/// are written as they arrive.
pub const HELD_BYTES_MAX: usize = 1024 * 1024;

/// Long messages are read back whole to be parsed; so many at a time, so that memory stays bounded.
static PARSING: Semaphore = Semaphore::const_new(2);

/// A body that is durable, with everything a [`super::NewMessage`] needs to know of it.
#[derive(Clone, Debug)]
pub struct Received {
    /// The body.
    pub blob: BlobId,
    /// Its length in octets.
    pub size: u32,
    /// Encoded facts of the message.
    pub facts: Bytes,
    /// BLAKE3 of the whole body.
    pub digest: [u8; 32],
}

/// See the module. Dropping it before [`Intake::finish`] leaves nothing behind.
pub struct Intake {
    store: Store,
    blob: BlobId,
    held: BytesMut,
    writer: Option<Box<dyn BlobWriter>>,
    hasher: Box<blake3::Hasher>,
    size: u64,
}

impl Intake {
    /// Begins a message. `now` becomes part of the blob's name.
    #[must_use]
    pub fn new(store: &Store, now: Millis) -> Self {
        let mut random = [0; 10];
        store.random(&mut random);
        Self {
            store: store.clone(),
            blob: BlobId::new(u64::try_from(now).unwrap_or(0), random),
            held: BytesMut::new(),
            writer: None,
            hasher: Box::default(),
            size: 0,
        }
    }

    /// Octets so far.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Adds a piece to the end.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if it must be spooled and cannot.
    pub async fn write(&mut self, piece: Bytes) -> Result<(), StoreError> {
        self.hasher.update(&piece);
        self.size += piece.len() as u64;
        if self.writer.is_none() {
            if self.held.len() + piece.len() <= HELD_BYTES_MAX {
                self.held.extend_from_slice(&piece);
                return Ok(());
            }
            let mut writer = self
                .store
                .blobs()
                .writer(self.blob)
                .await
                .map_err(refused)?;
            writer
                .write(std::mem::take(&mut self.held).freeze())
                .await
                .map_err(refused)?;
            self.writer = Some(writer);
        }
        match &mut self.writer {
            Some(writer) => writer.write(piece).await.map_err(refused),
            None => Ok(()),
        }
    }

    /// Makes the body durable and reads the message, once.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if it could not be stored; nothing is kept then.
    pub async fn finish(self) -> Result<Received, StoreError> {
        let too_long = |_| StoreError::TooMany("octets in a message");
        let size = u32::try_from(self.size).map_err(too_long)?;
        let digest = *self.hasher.finalize().as_bytes();
        let facts = match self.writer {
            None => {
                let body = self.held.freeze();
                let facts = Facts::parse(&body, &Limits::default());
                self.store
                    .blobs()
                    .put(self.blob, vec![body])
                    .await
                    .map_err(refused)?;
                facts
            }
            Some(writer) => {
                writer.finish().await.map_err(refused)?;
                // The semaphore is never closed.
                let _turn = PARSING.acquire().await;
                let body = self
                    .store
                    .blobs()
                    .get(self.blob, 0..self.size)
                    .await
                    .map_err(refused)?;
                Facts::parse(&body, &Limits::default())
            }
        };
        Ok(Received {
            blob: self.blob,
            size,
            facts: facts.into_bytes().into(),
            digest,
        })
    }
}

/// A blob's fault in the words of the mail level.
pub(super) fn refused(fault: BlobError) -> StoreError {
    match fault {
        BlobError::Missing(_) | BlobError::Damaged(..) => StoreError::Damaged,
        BlobError::TooLarge { .. } => StoreError::TooMany("octets in a message"),
        BlobError::Taken(_) | BlobError::NoSpace(_) | BlobError::Io(_) => {
            StoreError::Unavailable(fault.to_string())
        }
    }
}
