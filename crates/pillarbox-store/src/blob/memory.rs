//! Blobs in memory: the oracle, and what transcripts run on.

use std::{
    collections::BTreeMap,
    ops::Range,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::{Bytes, BytesMut};

use super::{
    Alive, BlobError, BlobId, BlobWriter, Blobs, Checked, Compacted, Progress, Stat, cut, fits,
};
use crate::engine::Pending;

type Bodies = BTreeMap<BlobId, Bytes>;

/// All blobs in one process's memory.
#[derive(Default)]
pub struct MemoryBlobs {
    bodies: Arc<Mutex<Bodies>>,
}

fn lock(bodies: &Mutex<Bodies>) -> MutexGuard<'_, Bodies> {
    bodies.lock().unwrap_or_else(PoisonError::into_inner)
}

fn insert(bodies: &Mutex<Bodies>, id: BlobId, body: Bytes) -> Result<(), BlobError> {
    let mut bodies = lock(bodies);
    match bodies.get(&id) {
        Some(there) if *there != body => Err(BlobError::Taken(id)),
        _ => {
            bodies.insert(id, body);
            Ok(())
        }
    }
}

impl MemoryBlobs {
    /// A store without blobs.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

impl Blobs for MemoryBlobs {
    fn put(&self, id: BlobId, pieces: Vec<Bytes>) -> Pending<'_, Result<(), BlobError>> {
        Box::pin(async move {
            fits(pieces.iter().map(|piece| piece.len() as u64).sum())?;
            insert(&self.bodies, id, pieces.concat().into())
        })
    }

    fn writer(&self, id: BlobId) -> Pending<'_, Result<Box<dyn BlobWriter>, BlobError>> {
        let writer = Writer {
            bodies: Arc::clone(&self.bodies),
            id,
            body: BytesMut::new(),
        };
        Box::pin(async move { Ok(Box::new(writer) as Box<dyn BlobWriter>) })
    }

    fn get(&self, id: BlobId, range: Range<u64>) -> Pending<'_, Result<Bytes, BlobError>> {
        Box::pin(async move {
            let body = lock(&self.bodies).get(&id).cloned();
            let body = body.ok_or(BlobError::Missing(id))?;
            let range = cut(&range, body.len() as u64)?;
            Ok(body.slice(range.start as usize..range.end as usize))
        })
    }

    fn stat(&self, id: BlobId) -> Pending<'_, Result<Option<Stat>, BlobError>> {
        Box::pin(async move {
            Ok(lock(&self.bodies).get(&id).map(|body| Stat {
                bytes: body.len() as u64,
            }))
        })
    }

    fn compact(&self, alive: Alive, before_ms: u64) -> Pending<'_, Result<Compacted, BlobError>> {
        Box::pin(async move {
            let mut done = Compacted::default();
            lock(&self.bodies).retain(|id, body| {
                let keep = id.at_ms() >= before_ms || alive(*id);
                if !keep {
                    done.dropped += 1;
                    done.freed_bytes += body.len() as u64;
                }
                keep
            });
            Ok(done)
        })
    }

    fn check(&self, mut progress: Progress) -> Pending<'_, Result<Checked, BlobError>> {
        Box::pin(async move {
            let bodies = lock(&self.bodies);
            let blobs = bodies.len() as u64;
            progress(blobs, blobs);
            Ok(Checked {
                blobs,
                bytes: bodies.values().map(|body| body.len() as u64).sum(),
                problems: Vec::new(),
            })
        })
    }
}

struct Writer {
    bodies: Arc<Mutex<Bodies>>,
    id: BlobId,
    body: BytesMut,
}

impl BlobWriter for Writer {
    fn write(&mut self, piece: Bytes) -> Pending<'_, Result<(), BlobError>> {
        Box::pin(async move {
            fits(self.body.len() as u64 + piece.len() as u64)?;
            self.body.extend_from_slice(&piece);
            Ok(())
        })
    }

    fn bytes(&self) -> u64 {
        self.body.len() as u64
    }

    fn finish(self: Box<Self>) -> Pending<'static, Result<Stat, BlobError>> {
        Box::pin(async move {
            let bytes = self.bytes();
            insert(&self.bodies, self.id, self.body.freeze())?;
            Ok(Stat { bytes })
        })
    }
}
