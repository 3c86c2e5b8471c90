//! The one door through which everything is written to disk, so that a test can jam it.

use std::{fmt, io, sync::Arc};

/// What is about to be done to the disk.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Deed {
    /// Commit and flush a group of row changes.
    CommitRows,
    /// Create a file for bodies.
    CreateFile,
    /// Write to one.
    Write,
    /// Flush one, or a folder.
    Flush,
    /// Give one its final name.
    Rename,
    /// Remove one.
    Remove,
}

/// Asked before each [`Deed`]; an error is treated as if the disk had given it. The default always lets pass.
#[derive(Clone)]
pub struct Door(Arc<dyn Fn(Deed) -> io::Result<()> + Send + Sync>);

impl Door {
    /// A door that asks `may`.
    pub fn new(may: impl Fn(Deed) -> io::Result<()> + Send + Sync + 'static) -> Self {
        Self(Arc::new(may))
    }

    pub(crate) fn pass(&self, deed: Deed) -> io::Result<()> {
        (self.0)(deed)
    }
}

impl Default for Door {
    fn default() -> Self {
        Self::new(|_| Ok(()))
    }
}

impl fmt::Debug for Door {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Door")
    }
}
