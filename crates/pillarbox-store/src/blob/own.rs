//! Large bodies, each in a file of its own: written aside, flushed, and given their name last. The name is the index.

use std::{
    fs::{self, File},
    io::{self, Write},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use bytes::Bytes;

use super::{
    BlobError, BlobId, BlobWriter, Stat, fits,
    record::{HEADER_BYTES, OWN_FILE_KEY, Record, Sum},
    segments::{Shared, disk, lock},
};
use crate::{
    door::{Deed, Door},
    engine::{Pending, folder::flush_folder},
    recent::Recent,
};

/// Open files of large bodies, in each of two generations.
const OPEN_FILES: usize = 64;
/// Bytes a streaming writer gathers before it hands them to a thread that may block.
const GATHER_BYTES: usize = 512 * 1024;

/// One large body, open for reading.
pub(crate) struct OwnFile {
    pub(crate) file: File,
    pub(crate) record: Record,
}

impl OwnFile {
    /// Where the body begins.
    pub(crate) const BODY: u64 = HEADER_BYTES as u64;
}

/// The folders `own` and `incoming`. Cheap to clone.
#[derive(Clone)]
pub(crate) struct OwnFolder {
    folders: Arc<Folders>,
}

struct Folders {
    own: PathBuf,
    incoming: PathBuf,
    door: Door,
    open: Mutex<Recent<BlobId, Arc<OwnFile>>>,
    /// Makes two parts of one blob two files.
    parts: Mutex<u64>,
}

impl OwnFolder {
    /// Opens them and removes what was still coming in when the program ended.
    pub(crate) fn in_folder(folder: &Path, door: Door) -> io::Result<Self> {
        let own = folder.join("own");
        let incoming = folder.join("incoming");
        fs::create_dir_all(&own)?;
        fs::create_dir_all(&incoming)?;
        for entry in fs::read_dir(&incoming)? {
            door.pass(Deed::Remove)?;
            fs::remove_file(entry?.path())?;
        }
        flush_folder(folder, &door)?;
        Ok(Self {
            folders: Arc::new(Folders {
                own,
                incoming,
                door,
                open: Mutex::new(Recent::new(OPEN_FILES)),
                parts: Mutex::default(),
            }),
        })
    }

    fn path(&self, id: BlobId) -> PathBuf {
        self.folders.own.join(format!("{id}.body"))
    }

    /// The file of `id`, if there is one.
    pub(crate) fn open(&self, id: BlobId) -> Result<Option<Arc<OwnFile>>, BlobError> {
        if let Some(file) = lock(&self.folders.open).get(&id) {
            return Ok(Some(Arc::clone(file)));
        }
        let file = match File::open(self.path(id)) {
            Ok(file) => file,
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(cause) => return Err(disk(&cause)),
        };
        let damaged = || BlobError::Damaged(id, "its header is damaged".into());
        let mut header = [0; HEADER_BYTES];
        file.read_exact_at(&mut header, 0).map_err(|_| damaged())?;
        let record = Record::from_header(&header, &OWN_FILE_KEY)
            .filter(|record| record.id == id)
            .ok_or_else(damaged)?;
        let file = Arc::new(OwnFile { file, record });
        lock(&self.folders.open).insert(id, Arc::clone(&file));
        Ok(Some(file))
    }

    /// Makes the names durable.
    pub(crate) fn flush_names(&self) -> Result<(), BlobError> {
        flush_folder(&self.folders.own, &self.folders.door).map_err(|cause| disk(&cause))
    }

    /// All that have their name.
    pub(crate) fn list(&self) -> io::Result<Vec<BlobId>> {
        let mut ids = Vec::new();
        for entry in fs::read_dir(&self.folders.own)? {
            let name = entry?.file_name();
            let name = name.to_str().and_then(|name| name.strip_suffix(".body"));
            if let Some(id) = name.and_then(|name| uuid::Uuid::try_parse(name).ok()) {
                ids.push(BlobId(id.into_bytes()));
            }
        }
        Ok(ids)
    }

    /// Removes the file of `id`; gives its length.
    pub(crate) fn remove(&self, id: BlobId) -> Result<u64, BlobError> {
        let path = self.path(id);
        let remove = || {
            let bytes = fs::metadata(&path)?.len();
            self.folders.door.pass(Deed::Remove)?;
            fs::remove_file(&path)?;
            Ok(bytes)
        };
        let removed = remove().map_err(|cause: io::Error| disk(&cause));
        lock(&self.folders.open).remove(&id);
        removed
    }

    /// Begins a body.
    pub(crate) fn begin(&self, id: BlobId) -> Result<Part, BlobError> {
        let mut parts = lock(&self.folders.parts);
        *parts += 1;
        let path = self.folders.incoming.join(format!("{id}.{parts}.part"));
        drop(parts);
        let create = || {
            self.folders.door.pass(Deed::CreateFile)?;
            let mut file = File::create_new(&path)?;
            file.write_all(&[0; HEADER_BYTES])?;
            Ok(file)
        };
        let file = create().map_err(|cause: io::Error| disk(&cause))?;
        Ok(Part {
            folder: self.clone(),
            id,
            path,
            file,
            bytes: 0,
            hasher: blake3::Hasher::new(),
        })
    }
}

/// A large body on its way in. Its file goes with it unless it was finished.
pub(crate) struct Part {
    folder: OwnFolder,
    id: BlobId,
    path: PathBuf,
    file: File,
    bytes: u64,
    hasher: blake3::Hasher,
}

impl Part {
    pub(crate) fn write(&mut self, piece: &[u8]) -> Result<(), BlobError> {
        fits(self.bytes + piece.len() as u64)?;
        let door = &self.folder.folders.door;
        let written = door
            .pass(Deed::Write)
            .and_then(|()| self.file.write_all(piece));
        written.map_err(|cause| disk(&cause))?;
        self.hasher.update(piece);
        self.bytes += piece.len() as u64;
        Ok(())
    }

    /// Header, flush, name, flush of the name: after that it is durable.
    pub(crate) fn finish(self, blobs: &Shared) -> Result<(), BlobError> {
        let record = Record {
            id: self.id,
            bytes: self.bytes,
            sum: Sum::finish(&self.hasher),
        };
        if blobs.known(&record)? {
            return Ok(());
        }
        let folders = &self.folder.folders;
        let finish = || {
            folders.door.pass(Deed::Write)?;
            self.file
                .write_all_at(&record.to_header(&OWN_FILE_KEY), 0)?;
            folders.door.pass(Deed::Flush)?;
            self.file.sync_all()?;
            folders.door.pass(Deed::Rename)?;
            fs::rename(&self.path, self.folder.path(self.id))
        };
        finish().map_err(|cause: io::Error| disk(&cause))?;
        self.folder.flush_names()
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        // Renamed if it was finished; what cannot be removed now is removed at the next start.
        let _ = fs::remove_file(&self.path);
    }
}

/// [`Part`] for those who may not block.
pub(crate) struct OwnWriter {
    blobs: Arc<Shared>,
    /// Absent while a thread has it, and after a failure.
    part: Option<Part>,
    gathered: Vec<Bytes>,
    gathered_bytes: usize,
    bytes: u64,
}

impl OwnWriter {
    pub(crate) fn new(blobs: Arc<Shared>, part: Part) -> Self {
        Self {
            blobs,
            part: Some(part),
            gathered: Vec::new(),
            gathered_bytes: 0,
            bytes: 0,
        }
    }

    /// Takes the part and what was gathered, does `then` with both aside.
    async fn spill<T: Send + 'static>(
        &mut self,
        then: impl FnOnce(Part) -> Result<T, BlobError> + Send + 'static,
    ) -> Result<T, BlobError> {
        let failed = || BlobError::Io("an earlier piece of it was not written".into());
        let mut part = self.part.take().ok_or_else(failed)?;
        let gathered = std::mem::take(&mut self.gathered);
        self.gathered_bytes = 0;
        tokio::task::spawn_blocking(move || {
            gathered.iter().try_for_each(|piece| part.write(piece))?;
            then(part)
        })
        .await
        .unwrap_or_else(|cause| Err(BlobError::Io(cause.to_string().into())))
    }
}

impl BlobWriter for OwnWriter {
    fn write(&mut self, piece: Bytes) -> Pending<'_, Result<(), BlobError>> {
        Box::pin(async move {
            fits(self.bytes + piece.len() as u64)?;
            self.bytes += piece.len() as u64;
            self.gathered_bytes += piece.len();
            self.gathered.push(piece);
            if self.gathered_bytes >= GATHER_BYTES {
                self.part = Some(self.spill(Ok).await?);
            }
            Ok(())
        })
    }

    fn bytes(&self) -> u64 {
        self.bytes
    }

    fn finish(mut self: Box<Self>) -> Pending<'static, Result<Stat, BlobError>> {
        Box::pin(async move {
            let blobs = Arc::clone(&self.blobs);
            self.spill(move |part| part.finish(&blobs)).await?;
            Ok(Stat { bytes: self.bytes })
        })
    }
}
