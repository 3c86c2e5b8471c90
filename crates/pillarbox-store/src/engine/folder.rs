//! The folder of the embedded store: who may use it, and which format it has.
//!
//! ```text
//! LOCK      locked by the one program that has the store open
//! FORMAT    "pillarbox store 1"
//! rows/     the engine's files
//! bodies/   the blobs' files
//! ```

use std::{
    fs::{self, File, TryLockError},
    io::{self, Write},
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{EmbeddedEngine, EngineError};
use crate::{
    blob::{BlobError, SegmentBlobs},
    door::Door,
};

/// The format this program writes. Raise it with every change of layout that an older program would misread.
pub const FORMAT: u32 = 1;

/// The words of the file `FORMAT` before the number.
const FORMAT_WORDS: &str = "pillarbox store ";

/// What an embedded store needs from above.
pub struct Options {
    /// 32 unpredictable bytes at each call: nobody who sends mail may foresee them.
    pub random: Box<dyn FnMut() -> [u8; 32] + Send>,
    /// What a test may jam; [`Door::default`] otherwise.
    pub door: Door,
    /// Memory for blocks of rows that were read, in bytes.
    pub cache_bytes: u64,
}

impl Options {
    /// The ordinary settings.
    pub fn new(random: impl FnMut() -> [u8; 32] + Send + 'static) -> Self {
        Self {
            random: Box::new(random),
            door: Door::default(),
            cache_bytes: 64 * 1024 * 1024,
        }
    }
}

/// An open embedded store: rows and bodies in one folder.
pub struct Embedded {
    /// The rows.
    pub engine: Arc<EmbeddedEngine>,
    /// The bodies.
    pub blobs: Arc<SegmentBlobs>,
}

/// Why a folder could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another program has it open.
    #[error(
        "the store in {0} is in use by another program; stop that one first, or choose another folder"
    )]
    InUse(PathBuf),
    /// A newer program wrote it.
    #[error(
        "the store in {folder} has format {found}, this program knows formats up to {FORMAT}: it was written by a newer Pillarbox, use that one"
    )]
    Newer {
        /// The folder.
        folder: PathBuf,
        /// Its format.
        found: u32,
    },
    /// It holds something else.
    #[error("{0} is not a Pillarbox store, and not empty; choose another folder")]
    Foreign(PathBuf),
    /// The disk refused.
    #[error("the store in {folder} cannot be opened: {cause}")]
    Io {
        /// The folder.
        folder: PathBuf,
        /// What it said.
        cause: io::Error,
    },
    /// The rows cannot be opened.
    #[error("the rows in {folder} cannot be opened: {cause}")]
    Rows {
        /// The folder.
        folder: PathBuf,
        /// What the engine said.
        cause: EngineError,
    },
    /// The bodies cannot be opened.
    #[error("the bodies in {folder} cannot be opened: {cause}")]
    Bodies {
        /// The folder.
        folder: PathBuf,
        /// What the blobs said.
        cause: BlobError,
    },
}

/// Held as long as anything of the store is open; the system lets go of it if the program dies.
pub(crate) struct Lock {
    _file: File,
}

impl Embedded {
    /// Opens the store in `folder`, which is created if it is not there. Blocks: call it before serving.
    ///
    /// # Errors
    /// See [`OpenError`]; each prints as a sentence for the operator.
    pub fn open(folder: &Path, options: Options) -> Result<Self, OpenError> {
        let io = |cause| OpenError::Io {
            folder: folder.to_owned(),
            cause,
        };
        let created = !folder.exists();
        fs::create_dir_all(folder).map_err(io)?;
        let lock = lock(folder)?;
        let door = options.door.clone();
        check_format(folder, &options.door)?;
        let engine =
            EmbeddedEngine::open(&folder.join("rows"), &options, lock).map_err(|cause| {
                OpenError::Rows {
                    folder: folder.to_owned(),
                    cause,
                }
            })?;
        let blobs = SegmentBlobs::open(&folder.join("bodies"), engine.blob_table(), options)
            .map_err(|cause| OpenError::Bodies {
                folder: folder.to_owned(),
                cause,
            })?;
        // The names of what was just created, in case this is a new store.
        flush_folder(folder, &door).map_err(io)?;
        if created {
            flush_parent(folder, &door).map_err(io)?;
        }
        Ok(Self {
            engine: Arc::new(engine),
            blobs: Arc::new(blobs),
        })
    }
}

fn lock(folder: &Path) -> Result<Lock, OpenError> {
    let io = |cause| OpenError::Io {
        folder: folder.to_owned(),
        cause,
    };
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(folder.join("LOCK"))
        .map_err(io)?;
    match file.try_lock() {
        Ok(()) => Ok(Lock { _file: file }),
        Err(TryLockError::WouldBlock) => Err(OpenError::InUse(folder.to_owned())),
        Err(TryLockError::Error(cause)) => Err(io(cause)),
    }
}

fn check_format(folder: &Path, door: &Door) -> Result<(), OpenError> {
    let io = |cause| OpenError::Io {
        folder: folder.to_owned(),
        cause,
    };
    match fs::read_to_string(folder.join("FORMAT")) {
        Ok(text) => {
            let number = text.trim_end().strip_prefix(FORMAT_WORDS);
            match number.and_then(|number| number.parse().ok()) {
                None => Err(OpenError::Foreign(folder.to_owned())),
                Some(found) if found > FORMAT => Err(OpenError::Newer {
                    folder: folder.to_owned(),
                    found,
                }),
                Some(_) => Ok(()),
            }
        }
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => {
            // A start that died before FORMAT had its name leaves these two, and nothing else.
            for entry in fs::read_dir(folder).map_err(io)? {
                let name = entry.map_err(io)?.file_name();
                if name != "LOCK" && name != "FORMAT.new" {
                    return Err(OpenError::Foreign(folder.to_owned()));
                }
            }
            write_format(folder, door).map_err(io)
        }
        Err(cause) => Err(io(cause)),
    }
}

fn write_format(folder: &Path, door: &Door) -> io::Result<()> {
    use crate::door::Deed::{CreateFile, Flush, Rename};
    let fresh = folder.join("FORMAT.new");
    door.pass(CreateFile)?;
    let mut file = File::create(&fresh)?;
    writeln!(file, "{FORMAT_WORDS}{FORMAT}")?;
    door.pass(Flush)?;
    file.sync_all()?;
    door.pass(Rename)?;
    fs::rename(fresh, folder.join("FORMAT"))?;
    flush_folder(folder, door)
}

fn flush_parent(folder: &Path, door: &Door) -> io::Result<()> {
    match flush_folder(&folder.canonicalize()?.join(".."), door) {
        // Whoever may create a folder there need not be allowed to open it.
        Err(cause) if cause.kind() == io::ErrorKind::PermissionDenied => Ok(()),
        flushed => flushed,
    }
}

/// Makes the names in `folder` durable.
pub(crate) fn flush_folder(folder: &Path, door: &Door) -> io::Result<()> {
    door.pass(crate::door::Deed::Flush)?;
    File::open(folder)?.sync_all()
}
