//! Blobs on disk: bodies are appended to segment files by one writer thread with one flush per group; large ones get files of
//! their own.
//!
//! ```text
//! segments/0000000000000001.seg   records, see the module `record`
//! own/UUID.body                   one large body
//! incoming/UUID.part              a large body on its way in; removed at the next start
//! ```
//!
//! Where a body lies is first known in memory. When a segment is full its locations go to the engine's table in one commit,
//! together with a row that says so; a segment without that row is searched at the next start. So an acknowledged body needs
//! one flush, and is found again whatever happened to the table's rows.

use std::{
    collections::HashMap,
    fs::File,
    io,
    ops::Range,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, RwLock,
        mpsc::{self, Sender},
    },
    thread::{self, JoinHandle},
};

use bytes::{Bytes, BytesMut};
use tokio::sync::{Semaphore, oneshot};

use super::{
    Alive, BlobError, BlobId, BlobWriter, Blobs, Checked, Compacted, OWN_FILE_BYTES, Progress,
    Stat, compact, cut, fits,
    own::{OwnFile, OwnFolder, OwnWriter},
    record::{BLOB_ROWS, Location, Record, Sum, blob_key},
    recover::recover,
    writer::{Job, Put, Writer},
};
use crate::{
    door::Door,
    engine::{EngineError, Options, Pending, blob_table::BlobTable},
    recent::Recent,
};

/// Bytes of bodies that may wait for the writer; more puts wait before they queue.
const QUEUE_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Open segment files, in each of two generations.
const OPEN_SEGMENTS: usize = 128;
/// Bytes [`Blobs::check`] reads at once.
const CHECK_BYTES: u64 = 1024 * 1024;
/// Sentences a report holds at most.
const PROBLEMS_MAX: usize = 1_000;

/// What readers, the writer and compaction share.
pub(crate) struct Shared {
    pub(crate) segments: PathBuf,
    pub(crate) own: OwnFolder,
    pub(crate) table: BlobTable,
    /// Bodies whose rows are not yet in the table.
    pub(crate) fresh: RwLock<HashMap<BlobId, Location>>,
    files: Mutex<Recent<u64, Arc<File>>>,
    pub(crate) door: Door,
    random: Mutex<Box<dyn FnMut() -> [u8; 32] + Send>>,
}

/// The blobs of one machine. Opened with their engine by [`crate::engine::Embedded::open`].
pub struct SegmentBlobs {
    shared: Arc<Shared>,
    queue: Option<Sender<Job>>,
    writer: Option<JoinHandle<()>>,
    room: Arc<Semaphore>,
    compacting: Arc<Mutex<()>>,
}

pub(crate) fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What the disk said, in our words.
pub(crate) fn disk(cause: &io::Error) -> BlobError {
    let text = cause.to_string().into();
    match cause.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => BlobError::NoSpace(text),
        _ => BlobError::Io(text),
    }
}

pub(crate) fn rows(cause: &EngineError) -> BlobError {
    BlobError::Io(cause.to_string().into())
}

pub(crate) fn segment_file(segments: &Path, number: u64) -> PathBuf {
    segments.join(format!("{number:016}.seg"))
}

impl Shared {
    pub(crate) fn random(&self) -> [u8; 32] {
        lock(&self.random)()
    }

    /// Where `id` lies, if it lies in a segment.
    pub(crate) fn locate(&self, id: BlobId) -> Result<Option<Location>, BlobError> {
        let fresh = self.fresh.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(location) = fresh.get(&id) {
            return Ok(Some(*location));
        }
        drop(fresh);
        let Some(row) = self.table.get(&blob_key(id)).map_err(|e| rows(&e))? else {
            return Ok(None);
        };
        let malformed = || BlobError::Damaged(id, "its row is malformed".into());
        Location::from_row(&row).map(Some).ok_or_else(malformed)
    }

    pub(crate) fn segment(&self, number: u64) -> io::Result<Arc<File>> {
        let mut files = lock(&self.files);
        if let Some(file) = files.get(&number) {
            return Ok(Arc::clone(file));
        }
        let file = Arc::new(File::open(segment_file(&self.segments, number))?);
        files.insert(number, Arc::clone(&file));
        Ok(file)
    }

    pub(crate) fn forget_segment(&self, number: u64) {
        lock(&self.files).remove(&number);
    }

    /// The file a body lies in, its offset there and what it should be.
    fn find(&self, id: BlobId) -> Result<Option<(Place, Record)>, BlobError> {
        // Compaction may take away the file between the look at the index and the opening; the index then knows better.
        for last in [false, true] {
            let Some(at) = self.locate(id)? else {
                break;
            };
            match self.segment(at.segment) {
                Ok(file) => {
                    let record = Record {
                        id,
                        bytes: at.bytes.into(),
                        sum: at.sum,
                    };
                    return Ok(Some((Place::Segment(file, at.offset.into()), record)));
                }
                Err(cause) if cause.kind() == io::ErrorKind::NotFound => {
                    if last {
                        return Err(BlobError::Damaged(id, "its segment is gone".into()));
                    }
                }
                Err(cause) => return Err(disk(&cause)),
            }
        }
        let own = self.own.open(id)?;
        Ok(own.map(|own| {
            let record = own.record;
            (Place::Own(own), record)
        }))
    }

    /// Whether this very body is stored already, durably; refused if another is under its name.
    pub(crate) fn known(&self, record: &Record) -> Result<bool, BlobError> {
        let Some((place, there)) = self.find(record.id)? else {
            return Ok(false);
        };
        if there != *record {
            return Err(BlobError::Taken(record.id));
        }
        if matches!(place, Place::Own(_)) {
            // It may have got its name in a put that failed at the flush of the name.
            self.own.flush_names()?;
        }
        Ok(true)
    }

    pub(crate) fn get(&self, id: BlobId, range: &Range<u64>) -> Result<Bytes, BlobError> {
        let (place, record) = self.find(id)?.ok_or(BlobError::Missing(id))?;
        let range = cut(range, record.bytes)?;
        let body = place.read(id, &range)?;
        if body.len() as u64 == record.bytes && Sum::of(std::slice::from_ref(&body)) != record.sum {
            return Err(BlobError::Damaged(id, "its checksum differs".into()));
        }
        Ok(body)
    }

    /// Reads all of a body and compares it with its checksum, without holding it in memory.
    fn verify(&self, id: BlobId) -> Result<u64, BlobError> {
        let (place, record) = self.find(id)?.ok_or(BlobError::Missing(id))?;
        let mut hasher = blake3::Hasher::new();
        let mut at = 0;
        while at < record.bytes {
            let piece = place.read(id, &(at..record.bytes.min(at + CHECK_BYTES)))?;
            hasher.update(&piece);
            at += piece.len() as u64;
        }
        if Sum::finish(&hasher) != record.sum {
            return Err(BlobError::Damaged(id, "its checksum differs".into()));
        }
        Ok(record.bytes)
    }

    fn check(&self, mut progress: Progress) -> Result<Checked, BlobError> {
        let mut found = Checked::default();
        let mut ids = self.own.list().map_err(|cause| disk(&cause))?;
        ids.extend(
            self.fresh
                .read()
                .unwrap_or_else(PoisonError::into_inner)
                .keys(),
        );
        for row in self.table.prefix(BLOB_ROWS) {
            match row.map(|(key, _)| <[u8; 16]>::try_from(&key[1..])) {
                Ok(Ok(id)) => ids.push(BlobId(id)),
                Ok(Err(_)) => found.problems.push("a key of a body is malformed".into()),
                Err(error) => found.problems.push(error.to_string()),
            }
        }
        ids.sort_unstable();
        ids.dedup();
        let total = ids.len() as u64;
        for (done, id) in (1..).zip(ids) {
            match self.verify(id) {
                Ok(bytes) => {
                    found.blobs += 1;
                    found.bytes += bytes;
                }
                Err(error) if found.problems.len() < PROBLEMS_MAX => {
                    found.problems.push(error.to_string());
                }
                Err(_) => {}
            }
            progress(done, total);
        }
        Ok(found)
    }
}

/// An open file and where in it the body begins.
enum Place {
    Segment(Arc<File>, u64),
    Own(Arc<OwnFile>),
}

impl Place {
    fn read(&self, id: BlobId, range: &Range<u64>) -> Result<Bytes, BlobError> {
        let (file, offset): (&File, u64) = match self {
            Self::Segment(file, offset) => (file, *offset),
            Self::Own(own) => (&own.file, OwnFile::BODY),
        };
        let mut body = BytesMut::zeroed((range.end - range.start) as usize);
        match file.read_exact_at(&mut body, offset + range.start) {
            Ok(()) => Ok(body.freeze()),
            Err(cause) if cause.kind() == io::ErrorKind::UnexpectedEof => {
                Err(BlobError::Damaged(id, "its file is too short".into()))
            }
            Err(cause) => Err(disk(&cause)),
        }
    }
}

impl SegmentBlobs {
    pub(crate) fn open(
        folder: &Path,
        table: BlobTable,
        options: Options,
    ) -> Result<Self, BlobError> {
        let segments = folder.join("segments");
        std::fs::create_dir_all(&segments).map_err(|cause| disk(&cause))?;
        let own =
            OwnFolder::in_folder(folder, options.door.clone()).map_err(|cause| disk(&cause))?;
        let next = recover(&segments, &table, &options.door)?;
        let shared = Arc::new(Shared {
            segments,
            own,
            table,
            fresh: RwLock::default(),
            files: Mutex::new(Recent::new(OPEN_SEGMENTS)),
            door: options.door,
            random: Mutex::new(options.random),
        });
        let (queue, jobs) = mpsc::channel();
        let writer = Writer::new(Arc::clone(&shared), next);
        let writer = thread::Builder::new()
            .name("bodies".into())
            .spawn(move || writer.run(&jobs))
            .map_err(|cause| disk(&cause))?;
        Ok(Self {
            shared,
            queue: Some(queue),
            writer: Some(writer),
            room: Arc::new(Semaphore::new(QUEUE_BYTES_MAX)),
            compacting: Arc::default(),
        })
    }

    async fn append(&self, id: BlobId, pieces: Vec<Bytes>, bytes: u64) -> Result<(), BlobError> {
        let ended = || BlobError::Io("the writer of bodies has ended".into());
        let record = Record {
            id,
            bytes,
            sum: Sum::of(&pieces),
        };
        let room = Arc::clone(&self.room).acquire_many_owned(bytes as u32); // at most OWN_FILE_BYTES
        let room = room.await.map_err(|_| ended())?;
        let (answer, answered) = oneshot::channel();
        let job = Job::Put(Put {
            record,
            pieces,
            moving: false,
            answer,
            _room: Some(room),
        });
        let queue = self.queue.as_ref().ok_or_else(ended)?;
        queue.send(job).map_err(|_| ended())?;
        answered.await.unwrap_or_else(|_| Err(ended()))
    }
}

/// Runs what blocks for long on a thread that may.
async fn aside<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, BlobError> + Send + 'static,
) -> Result<T, BlobError> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|cause| Err(BlobError::Io(cause.to_string().into())))
}

impl Blobs for SegmentBlobs {
    fn put(&self, id: BlobId, pieces: Vec<Bytes>) -> Pending<'_, Result<(), BlobError>> {
        Box::pin(async move {
            let bytes = pieces.iter().map(|piece| piece.len() as u64).sum();
            fits(bytes)?;
            if bytes <= OWN_FILE_BYTES {
                return self.append(id, pieces, bytes).await;
            }
            let shared = Arc::clone(&self.shared);
            aside(move || {
                let mut part = shared.own.begin(id)?;
                pieces.iter().try_for_each(|piece| part.write(piece))?;
                part.finish(&shared)
            })
            .await
        })
    }

    fn writer(&self, id: BlobId) -> Pending<'_, Result<Box<dyn BlobWriter>, BlobError>> {
        let shared = Arc::clone(&self.shared);
        Box::pin(async move {
            let writer = aside(move || {
                let part = shared.own.begin(id)?;
                Ok(OwnWriter::new(shared, part))
            });
            Ok(Box::new(writer.await?) as Box<dyn BlobWriter>)
        })
    }

    fn get(&self, id: BlobId, range: Range<u64>) -> Pending<'_, Result<Bytes, BlobError>> {
        // Inline: the pages are usually in memory, and a hand-over costs more than the copy.
        Box::pin(async move { self.shared.get(id, &range) })
    }

    fn stat(&self, id: BlobId) -> Pending<'_, Result<Option<Stat>, BlobError>> {
        Box::pin(async move {
            let found = self.shared.find(id)?;
            Ok(found.map(|(_, record)| Stat {
                bytes: record.bytes,
            }))
        })
    }

    fn compact(&self, alive: Alive, before_ms: u64) -> Pending<'_, Result<Compacted, BlobError>> {
        let shared = Arc::clone(&self.shared);
        let compacting = Arc::clone(&self.compacting);
        let queue = self.queue.clone();
        Box::pin(async move {
            let queue = queue.ok_or_else(|| BlobError::Io("the writer has ended".into()))?;
            aside(move || {
                let _alone = lock(&compacting);
                compact::compact(&shared, &queue, &alive, before_ms)
            })
            .await
        })
    }

    fn check(&self, progress: Progress) -> Pending<'_, Result<Checked, BlobError>> {
        let shared = Arc::clone(&self.shared);
        Box::pin(aside(move || shared.check(progress)))
    }
}

impl Drop for SegmentBlobs {
    fn drop(&mut self) {
        drop(self.queue.take());
        if let Some(writer) = self.writer.take()
            && writer.join().is_err()
        {
            tracing::error!("the writer of bodies had panicked");
        }
    }
}
